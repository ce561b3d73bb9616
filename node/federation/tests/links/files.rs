//! Bytes of files over real links: those who may read a message get them, stretch by stretch, and nobody else does.

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Answer, Command, files, files::NewFile};
use startalk_protocol::{
    Code, limits,
    pb::{
        content::{Attachment, Content, File, content::Kind},
        group::{Ask, ask},
    },
};

use crate::{exchange::pair, node::Node, world::*};

/// All of it, as a program would fetch it.
fn fetched(node: &Node, peer: u64, ask: &Ask, size: u64) -> Result<Vec<u8>, Code> {
    let mut all = Vec::new();
    while (all.len() as u64) < size {
        let (federation, ask, offset) = (node.federation.clone(), ask.clone(), all.len() as u64);
        let part = node.block_on(async move { federation.file_bytes(peer, &ask, offset).await }).map_err(|e| e.code)?;
        assert!(!part.is_empty() && part.len() <= limits::LINK_FILE_BYTES_MAX);
        all.extend_from_slice(&part);
    }
    Ok(all)
}

#[test]
fn a_file_comes_to_those_who_may_read_its_message_until_it_is_taken_back() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (hash, size) = (*blake3::hash(&bytes).as_bytes(), bytes.len() as u64);
    a.who.files.lock().insert(hash, bytes.clone());
    let new = NewFile { hash, size, media_type: "image/png".into(), picture: None };
    a.run(Command::HoldFiles { account: alice.actor.account, files: vec![new] }).unwrap();
    let file = File { hash: Bytes::copy_from_slice(&hash), size, r#type: "image/png".into(), name: "a.png".into() };
    let said = Content { kind: Some(Kind::Attachment(Attachment { file: Some(file), caption: None })), ..Content::default() };
    let send = alice.sends(&bob.id, said.encode_to_vec().into());
    let Ok(Answer::Sent { conversation, sequence, .. }) = a.run(send) else { panic!("not sent") };
    let known = || files::after(&*b.views.store, 0, 10).0.first().cloned();
    until("the message is there", || known().is_some());
    let here = known().unwrap();
    let (peer, ask) = files::question(&b.views, here.file).expect("there is a message to ask by");
    assert_eq!((peer, here.hash, here.size), (here.origin, hash, size));
    assert!(fetched(&b, peer, &ask, size).unwrap() == bytes, "every byte");

    // Somebody else of b, and another file's hash.
    person(&b, "eve");
    let changed = |change: &dyn Fn(&mut startalk_protocol::pb::group::FileRange)| {
        let mut ask = ask.clone();
        let Some(ask::Ask::File(range)) = &mut ask.ask else { unreachable!() };
        change(range);
        fetched(&b, peer, &ask, size)
    };
    assert_eq!(changed(&|r| r.reader = "eve".into()), Err(Code::NoSuchFile));
    assert_eq!(changed(&|r| r.hash = Bytes::from(vec![7; 32])), Err(Code::NoSuchFile));
    assert_eq!(changed(&|r| r.author = "eve".into()), Err(Code::NoSuchFile));
    assert_eq!(changed(&|r| r.hash = Bytes::from(vec![7; 31])), Err(Code::Malformed));

    let recall = Command::Recall { actor: alice.actor, conversation, sequence, counter: 1000 };
    a.run(recall).unwrap();
    assert_eq!(fetched(&b, peer, &ask, size), Err(Code::NoSuchFile), "it was taken back");
    until("they hear of that", || files::question(&b.views, here.file).is_none());
}
