//! Whatever bytes another domain signs and sends: each item has one end, the cursor moves by one, nothing panics, nobody
//! else's people are spoken for, and rebuilt views are live views.

mod harness;

use bytes::Bytes;
use harness::{Node, Seeded, deliver, text};
use prost::Message as _;
use startalk_domain::{
    Answer, Command, Event, Recorded,
    command::{LinkItem, MarkMove},
    conversations, directory,
    domain::LAYOUT,
    outbox, replay,
    store::Store,
};
use startalk_journal::ReadJournal;
use startalk_protocol::pb::link::Item;

/// Real items of every kind, as they crossed.
fn corpus() -> (Node, Vec<Bytes>) {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let (at_a, first, _) = a.say(alice, "bob@b.example", 1, "hello");
    deliver(&a, &mut b);
    b.say(bob, "alice@a.example", 1, "hi");
    deliver(&b, &mut a);
    let (_, second, _) = a.say(alice, "bob@b.example", 2, "again");
    a.ok(Command::Edit { actor: alice, conversation: at_a, sequence: second, counter: 5, content: text("and again") });
    a.ok(Command::Edit { actor: alice, conversation: at_a, sequence: first, counter: 3, content: text("hullo") });
    a.ok(Command::Recall { actor: alice, conversation: at_a, sequence: first, counter: 4 });
    a.ok(Command::SetProfile { account: alice.account, display_name: "A".into(), avatar: "x".into(), signature: "y".into() });
    a.ok(Command::MoveMarks { marks: vec![MarkMove { account: alice.account, conversation: at_a, delivered: 2, read: 2 }] });
    let out = outbox::outbox(&a.store, 1);
    let mut items = outbox::items(&a.store, &*a.journal, 1, 1, out.head(), usize::MAX).unwrap();
    a.ok(Command::DeleteAccount { account: alice.account });
    let out = outbox::outbox(&a.store, 1);
    items.extend(outbox::items(&a.store, &*a.journal, 1, out.head(), out.head(), usize::MAX).unwrap());
    let bytes: Vec<Bytes> = items
        .into_iter()
        .filter_map(|i| match i {
            outbox::Outgoing::Item(bytes) | outbox::Outgoing::Submission(bytes, _) => Some(bytes),
            outbox::Outgoing::Withheld(_) => None,
        })
        .collect();
    assert!(bytes.len() >= 6, "every kind: {}", bytes.len());
    (b, bytes)
}

fn mutated(random: &mut Seeded, corpus: &[Bytes]) -> Bytes {
    let mut bytes = corpus[random.below(corpus.len() as u64) as usize].to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len().max(1) as u64) as usize;
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => bytes.splice(at..at, corpus[random.below(corpus.len() as u64) as usize].iter().copied()).for_each(drop),
            4 => bytes.insert(at.min(bytes.len()), random.next() as u8),
            _ => {
                // Well-formed, with fields exchanged.
                if let Ok(mut item) = Item::decode(&bytes[..]) {
                    item.time_ms = [i64::MIN, -1, 0, 1, i64::MAX][random.below(5) as usize];
                    std::mem::swap(&mut item.from, &mut item.to);
                    bytes = item.encode_to_vec();
                }
            }
        }
    }
    bytes.into()
}

#[test]
fn any_item_has_one_end_and_views_stay_a_function_of_the_journal() {
    let (mut node, corpus) = corpus();
    let mut random = Seeded(77);
    let cursor = outbox::inbox(&node.store, 1);
    let bob = directory::person_number(&node.store, directory::HERE, &"bob".parse().unwrap()).unwrap();
    let mut refused = 0;
    for n in 1..=6000 {
        let before = node.journal.head().position;
        node.now_ms += random.below(3);
        let item =
            LinkItem { sequence: cursor.sequence + n, running: [0; 32], item: Some(mutated(&mut random, &corpus)), proof: None };
        match node.ok(Command::ReceiveItem { peer: 1, epoch: cursor.epoch, item }) {
            Answer::Item { refused: Some(_) } => refused += 1,
            Answer::Item { refused: None } => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(outbox::inbox(&node.store, 1).sequence, cursor.sequence + n);
        for position in before + 1..=node.journal.head().position {
            match Recorded::read(&node.journal.read(position).unwrap()).unwrap().event {
                Event::MessageAdded(f, _) => assert_ne!(f.author, bob, "nobody speaks for another domain's people"),
                Event::PersonMet(f, _) => assert_eq!(f.peer, 1),
                _ => {}
            }
        }
    }
    assert!(refused > 100, "{refused}");
    for conversation in startalk_domain::contacts::conversations(&node.store, bob) {
        conversations::page(&node.store, &*node.journal, bob, conversation, 1..=u64::MAX, true).unwrap();
    }
    let head = node.journal.head().position;
    let rebuilt = Store::temporary().unwrap();
    replay(&rebuilt, &*node.journal, |_, _| {}).unwrap();
    for store in [&node.store, &rebuilt] {
        store.flush(head, [0; 8], LAYOUT).unwrap();
    }
    assert_eq!(rebuilt.meta().digest, node.store.meta().digest);
}

#[test]
fn a_name_travels_in_one_form() {
    let (mut node, corpus) = corpus();
    let cursor = outbox::inbox(&node.store, 1);
    let good = Item::decode(corpus[0].clone()).unwrap();
    for (n, (from, refused)) in [("Alice", true), ("ALICE", true), ("alice", false)].into_iter().enumerate() {
        let item = Item { from: from.to_owned(), ..good.clone() }.encode_to_vec();
        let sequence = cursor.sequence + 1 + n as u64;
        let item = LinkItem { sequence, running: [0; 32], item: Some(item.into()), proof: None };
        let answer = node.ok(Command::ReceiveItem { peer: 1, epoch: cursor.epoch, item });
        let Answer::Item { refused: told } = answer else { panic!("{answer:?}") };
        assert_eq!(told.map(|e| e.code.as_str()), refused.then_some("bad-name"), "{from}");
    }
}

#[test]
fn no_bytes_make_the_judge_of_content_panic() {
    let (_, corpus) = corpus();
    let mut random = Seeded(5);
    for _ in 0..6000 {
        let bytes = mutated(&mut random, &corpus);
        conversations::check(&bytes);
        startalk_domain::stickers::check_bytes(&bytes);
    }
}
