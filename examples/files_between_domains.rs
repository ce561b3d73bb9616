//! A file from one domain to another: uploaded with its progress, sent, fetched by the reader's domain over the link when it is
//! opened, compared by its hash, and refused on both sides after it was taken back.
//!
//! `cargo run --release --example files_between_domains -- --mib 64`

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use clap::Parser;
use startalk_client::{
    Event, Events, Session, UserId, content,
    files::{NewUpload, Purpose, Source, Transfer},
    size_words,
    wire_types::Message,
};
use startalk_examples::{people::register, processes};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A file goes from one domain to another.
#[derive(Parser)]
struct Options {
    /// Mebibytes of the file.
    #[arg(long, default_value_t = 16)]
    mib: usize,
}

/// How long nothing may arrive before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    startalk_client::install_crypto();
    let options = Options::parse();
    let binaries = processes::binaries()?;
    let folder = tempfile::tempdir()?;
    let hub = processes::hub(&binaries, folder.path())?;
    let hub_url = hub.text("hub_url")?.to_owned();
    let a = processes::node(&binaries, folder.path(), "a", 0, &hub_url)?;
    let b = processes::node(&binaries, folder.path(), "b", 0, &hub_url)?;
    let (alice, alice_hears) = register(a.text("first_link")?, "alice").await?;
    let (bob, bob_hears) = register(b.text("first_link")?, "bob").await?;
    let to_bob: UserId = format!("bob@{}", b.text("domain")?).parse()?;
    let (mut at_alice, mut at_bob) = (hear(alice.clone(), alice_hears), hear(bob.clone(), bob_hears));

    // A first contact: it waits until Bob has accepted, which `hear` does for him.
    alice.send(to_bob.clone(), content::text("May I send you something?"), Bytes::new()).await?;
    next(&mut at_bob, |m| !m.content.is_empty()).await.context("the first message; are hub and nodes up?")?;
    next(&mut at_alice, |m| m.author == alice.user()).await?;

    // Bytes that no compression shortens.
    let mut bytes = vec![0; options.mib << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    let path = folder.path().join("holiday.bin");
    std::fs::write(&path, &bytes)?;

    let new = NewUpload { path, purpose: Purpose::File, name: "holiday.bin".into(), url: None };
    let file = alice.files().upload(&new, &mut bar("alice uploads")).await?.file;
    alice.send(to_bob, content::attachment(file.clone(), "from the sea"), Bytes::new()).await?;
    let (theirs, there) = next(&mut at_bob, |m| !m.content.is_empty()).await.context("the message at bob")?;
    println!("bob reads      {}", content::show(&there.content, startalk_client::Language::English).plain().replace('\n', " "));

    let from = Source::Message { conversation: theirs, sequence: there.sequence };
    let got = folder.path().join("got.bin");
    bob.files().download(from, &file, &got, &mut bar("bob downloads")).await?;
    let (sent, received) = (blake3::hash(&bytes), blake3::hash(&std::fs::read(&got)?));
    println!("BLAKE3 sent      {sent}\nBLAKE3 received  {received}");
    ensure!(sent == received, "other bytes arrived");

    let (ours, here) = next(&mut at_alice, |m| m.author == alice.user()).await.context("the message at alice")?;
    alice.recall(ours, here.sequence).await?;
    next(&mut at_bob, |m| m.recalled).await.context("the recall at bob")?;
    match bob.files().download(from, &file, &folder.path().join("again.bin"), &mut |_| {}).await {
        Ok(()) => bail!("a file that was taken back was given"),
        Err(error) => println!("after alice took it back, bob is told: {error}"),
    }
    alice.close().await;
    bob.close().await;
    Ok(())
}

/// Draws how a transfer goes.
fn bar(what: &'static str) -> impl FnMut(Transfer) + Send {
    let mut ended = false;
    move |how| {
        let Transfer::Moved { done, total } = how else { return };
        if ended {
            return;
        }
        let filled = usize::try_from(done * 25 / total.max(1)).unwrap_or(0);
        print!("\r{what:14} [{}{}] {} / {} ", "█".repeat(filled), "░".repeat(25 - filled), size_words(done), size_words(total));
        if done == total && !std::mem::replace(&mut ended, true) {
            println!();
        }
        let _ = std::io::stdout().flush();
    }
}

/// Every message that somebody hears or sends, as it changes, with its conversation; accepts first contacts.
fn hear(session: Session, mut events: Events) -> UnboundedReceiver<(u64, Message)> {
    let (tell, told) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::Message { conversation, message } | Event::Changed { conversation, message } => {
                    let _ = tell.send((conversation, message));
                }
                // One's own, when the node has taken it.
                Event::Sent { conversation, sequence, .. } => {
                    let author = session.user().to_owned();
                    let _ = tell.send((conversation, Message { sequence, author, ..Message::default() }));
                }
                Event::Conversation(conversation) if conversation.request => {
                    if let Err(error) = session.decide_request(conversation.conversation, true).await {
                        eprintln!("accepting: {error}");
                    }
                }
                Event::Failed { error, .. } => eprintln!("{}: {error}", session.user()),
                _ => {}
            }
        }
    });
    told
}

async fn next(told: &mut UnboundedReceiver<(u64, Message)>, is_it: impl Fn(&Message) -> bool) -> anyhow::Result<(u64, Message)> {
    loop {
        let heard = tokio::time::timeout(PATIENCE, told.recv()).await.context("nothing arrives")?;
        let (conversation, message) = heard.context("the session has ended")?;
        if is_it(&message) {
            return Ok((conversation, message));
        }
    }
}
