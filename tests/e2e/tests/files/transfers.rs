//! Uploads and downloads under kills of both nodes.

use std::path::PathBuf;

use bytes::Bytes;
use startalk_client::{
    ClientError, content,
    files::{NewUpload, Purpose, Source, Transfer},
};
use startalk_e2e::{Node, Person, World, until};
use startalk_protocol::Code;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::people::{code, greet, noise, place};

/// Each is told some dozen times on its way.
const BYTES: usize = 48 << 20;
const KILLS: usize = 3;

/// Kills and starts nodes in turn, whenever something more of the whole has moved, until the transfer ends; how often.
async fn kill_under_it(mut told: UnboundedReceiver<Transfer>, nodes: &mut [&mut Node]) -> anyhow::Result<usize> {
    let (mut kills, mut next) = (0, 1);
    while let Some(how) = told.recv().await {
        let Transfer::Moved { done, total } = how else { continue };
        if done >= next && done < total && kills < KILLS {
            let turn = kills % nodes.len();
            nodes[turn].kill()?;
            nodes[turn].start()?;
            kills += 1;
            next = done + 1;
        }
    }
    Ok(kills)
}

/// Downloads, and asks again as a person would if the node says that the other one is away.
async fn download(
    person: &Person,
    from: Source,
    file: &startalk_protocol::pb::content::File,
    to: PathBuf,
) -> (UnboundedReceiver<Transfer>, tokio::task::JoinHandle<Result<(), ClientError>>) {
    let (tell, told) = unbounded_channel();
    let (files, file) = (person.session.files().clone(), file.clone());
    let going = tokio::spawn(async move {
        loop {
            let result = files.download(from, &file, &to, &mut |how| drop(tell.send(how))).await;
            match result {
                Err(error) if matches!(code(&error), Some(Code::FileAway | Code::FileComing)) => {}
                result => return result,
            }
        }
    });
    (told, going)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_comes_over_although_nodes_are_killed_under_it() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, mut b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let (ours, theirs) = greet(&alice, &bob).await?;
    let bytes = noise(7, BYTES);
    let path = world.folder.join("large.bin");
    std::fs::write(&path, &bytes)?;

    let (tell, told) = unbounded_channel();
    let transfers = alice.session.files().clone();
    let going = tokio::spawn(async move {
        let new = NewUpload { path, purpose: Purpose::File, name: "large.bin".into(), url: None };
        transfers.upload(&new, &mut |how| drop(tell.send(how))).await
    });
    let kills = kill_under_it(told, &mut [&mut a]).await?;
    let file = going.await??.file;
    assert!(kills >= 2, "the upload was cut {kills} times");
    assert_eq!(file.hash[..], blake3::hash(&bytes).as_bytes()[..], "every byte, in its place");
    alice.session.send(ours, content::attachment(file.clone(), ""), Bytes::new()).await?;

    // The other domain fetches it over the link when Bob opens it; both nodes are killed under it.
    let sequence = place(&bob, theirs, &file).await?;
    let to = world.folder.join("got.bin");
    let (told, going) = download(&bob, Source::Message { conversation: theirs, sequence }, &file, to.clone()).await;
    let kills = kill_under_it(told, &mut [&mut b, &mut a]).await?;
    going.await??;
    assert!(kills >= 2, "the download was cut {kills} times");
    assert!(std::fs::read(&to)? == bytes, "every byte on the other domain");
    until("nothing of it to be left in uploads", async || {
        let parts = crate::people::lie(&a, "uploads");
        (parts <= 1, parts as u64)
    })
    .await?;
    world.done();
    Ok(())
}
