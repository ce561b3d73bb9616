//! Two domains and a hub, each its own process, and a person on each who write to one another; one node is killed in the
//! middle. Counts at the receiving clients.
//!
//! `cargo run --release --example two_domains -- --messages 1000`

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Parser;
use startalk_client::{Event, Events, Language, Session, UserId, content};
use startalk_examples::{people::register, processes, texts::texts};

/// Two domains talk.
#[derive(Parser)]
struct Options {
    /// Messages each way.
    #[arg(long, default_value_t = 1000)]
    messages: u64,
}

/// How long nothing may arrive before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// What one person received: the number in each text of the other, in the order of arrival.
#[derive(Default)]
struct Received {
    texts: BTreeMap<u64, String>,
    doubled: u64,
    out_of_order: u64,
    last: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    startalk_client::install_crypto();
    let options = Options::parse();
    let total = options.messages;
    let binaries = processes::binaries()?;
    let folder = tempfile::tempdir()?;

    let hub = processes::hub(&binaries, folder.path())?;
    let hub_url = hub.text("hub_url")?.to_owned();
    let a = processes::node(&binaries, folder.path(), "a", 0, &hub_url)?;
    let mut b = processes::node(&binaries, folder.path(), "b", 0, &hub_url)?;
    println!("hub     pid {:6}  {hub_url}", hub.id());
    println!("node a  pid {:6}  {}", a.id(), a.text("domain")?);
    println!("node b  pid {:6}  {}", b.id(), b.text("domain")?);

    let (alice, alice_hears) = register(a.text("first_link")?, "alice").await?;
    let (bob, bob_hears) = register(b.text("first_link")?, "bob").await?;
    let to_bob: UserId = format!("bob@{}", b.text("domain")?).parse()?;
    let to_alice: UserId = format!("alice@{}", a.text("domain")?).parse()?;

    let source = Arc::new(texts());
    let said = |author: &str, n: u64| format!("{author} {n}: {}", source[usize::try_from(n).expect("small") % source.len()]);
    let alice_said: Vec<String> = (1..=total).map(|n| said("alice", n)).collect();
    let bob_said: Vec<String> = (1..=total).map(|n| said("bob", n)).collect();

    let arrived = Arc::new(AtomicU64::new(0));
    let at_bob = tokio::spawn(hear(bob.clone(), bob_hears, total, arrived.clone()));
    let at_alice = tokio::spawn(hear(alice.clone(), alice_hears, total, arrived.clone()));

    // The first message is a first contact: it waits until Bob has accepted, which `hear` does for him.
    alice.send(to_bob.clone(), content::text(&alice_said[0]), bytes::Bytes::new()).await?;
    wait_for(&arrived, 1).await.context("the first message; are hub and nodes up?")?;
    // The last quarter is said when the node is killed, so that the middle is one, however fast the machine.
    let late = (alice_said.len() * 3 / 4).max(1);
    say(alice.clone(), to_bob.clone(), alice_said[1..late].to_vec()).await?;
    say(bob.clone(), to_alice.clone(), bob_said[..late].to_vec()).await?;
    wait_for(&arrived, total).await.context("half of the messages")?;
    let from_alice = tokio::spawn(say(alice.clone(), to_bob, alice_said[late..].to_vec()));
    let from_bob = tokio::spawn(say(bob.clone(), to_alice, bob_said[late..].to_vec()));
    let port = b.told["port"].as_u64().context("port")?;
    let old = b.id();
    b.kill()?;
    b = processes::node(&binaries, folder.path(), "b", port, &hub_url)?;
    println!("node b  killed (pid {old}) after {} messages and started again: pid {}", arrived.load(Ordering::Relaxed), b.id());

    from_alice.await??;
    from_bob.await??;
    let finished = wait_for(&arrived, 2 * total).await;
    alice.close().await;
    bob.close().await;
    let (at_alice, at_bob) = (at_alice.await?, at_bob.await?);
    if let Err(error) = finished {
        println!("{error:#}");
    }

    let sent_hash = hash(alice_said.iter().chain(&bob_said));
    let received_hash = hash(at_bob.texts.values().chain(at_alice.texts.values()));
    println!("BLAKE3 of all texts sent      {sent_hash}");
    println!("BLAKE3 of all texts received  {received_hash}");
    let delivered = (at_alice.texts.len() + at_bob.texts.len()) as u64;
    let (doubled, out_of_order) = (at_alice.doubled + at_bob.doubled, at_alice.out_of_order + at_bob.out_of_order);
    let (sent, lost) = (2 * total, 2 * total - delivered);
    let good = lost == 0 && doubled == 0 && out_of_order == 0 && sent_hash == received_hash;
    if !good {
        let kept = folder.keep();
        println!("the folders are kept in {}", kept.display());
    }
    println!("sent {sent} delivered {delivered} lost {lost} doubled {doubled} out-of-order {out_of_order}");
    if good { Ok(()) } else { bail!("not every message arrived once and in order") }
}

async fn say(session: Session, to: UserId, texts: Vec<String>) -> anyhow::Result<()> {
    for text in texts {
        session.send(to.clone(), content::text(&text), bytes::Bytes::new()).await?;
    }
    Ok(())
}

/// Takes everything that the other says, until all is there or the session ends; accepts first contacts.
async fn hear(session: Session, mut events: Events, total: u64, arrived: Arc<AtomicU64>) -> Received {
    let mut received = Received::default();
    while let Some(event) = events.next().await {
        match event {
            Event::Message { message, .. } if message.author != session.user() => {
                let text = content::show(&message.content, Language::English).plain().to_owned();
                let number = text.split([' ', ':']).nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
                received.out_of_order += u64::from(number < received.last);
                received.last = number;
                if received.texts.insert(number, text).is_some() {
                    received.doubled += 1;
                } else {
                    arrived.fetch_add(1, Ordering::Relaxed);
                }
            }
            Event::Conversation(conversation) if conversation.request => {
                if let Err(error) = session.decide_request(conversation.conversation, true).await {
                    eprintln!("accepting: {error}");
                }
            }
            Event::Failed { error, .. } => eprintln!("{}: {error}", session.user()),
            _ => {}
        }
        if received.texts.len() as u64 > total {
            break; // more than were said
        }
    }
    received
}

async fn wait_for(arrived: &AtomicU64, count: u64) -> anyhow::Result<()> {
    let (mut seen, mut quiet) = (0, Duration::ZERO);
    let step = Duration::from_millis(20);
    loop {
        let now = arrived.load(Ordering::Relaxed);
        if now >= count {
            return Ok(());
        }
        quiet = if now == seen { quiet + step } else { Duration::ZERO };
        seen = now;
        if quiet > PATIENCE {
            bail!("nothing arrived for {} s; {now} of {count} are there", PATIENCE.as_secs());
        }
        tokio::time::sleep(step).await;
    }
}

fn hash<'a>(texts: impl Iterator<Item = &'a String>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
}
