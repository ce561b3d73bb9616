//! A person says and asks as much as they can, many times what the node takes at once, and so does a foreign domain; meanwhile
//! bystanders are acknowledged and heard.
//!
//! Fairness is counted and not timed: how much of the flood is taken while one message of a bystander is.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use anyhow::{Context as _, bail, ensure};
use startalk_client::content;
use startalk_e2e::until;
use startalk_hostile::{Address, Mallory, Over, items};
use startalk_protocol::{
    DomainName,
    pb::client::{self as pb, client_frame::Frame as Asked, server_frame::Frame},
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    device::{Device, Ear, Kept, Mouth},
    ground::Ground,
};

/// Messages of each bystander that are acknowledged, one after the other, and arrive while the flood goes on.
const BYSTANDING: u64 = 6;
/// Of the flood, what may be taken while one message of a bystander is, on the average: about what both floods may have
/// under way at a time (64 commands of each device, [`UNDER_WAY_MAX`] items). Beyond it the bystander stood behind all of it
/// again and again.
const TAKEN_PER_MESSAGE_MAX: u64 = 2000;
/// One in so many of the person's frames asks for a page of the past.
const ASKS_EVERY: u64 = 8;
/// Items in one of the domain's batches.
const BATCH: usize = 64;
/// Frames of one of the person's devices that are not answered, at most: many times what the node takes of it at a time. Without
/// an end, what the system keeps for the connections would be answered long after everything has been seen.
const UNANSWERED_MAX: usize = 2048;
/// Items of the domain's that are not acknowledged, at most.
const UNDER_WAY_MAX: u64 = 512;
/// What the flood says.
const WORDS: &str = "as much as there is room for, and then some more";

/// What was answered.
#[derive(Default)]
struct Flood {
    stop: AtomicBool,
    /// Of the person's: taken.
    taken: AtomicU64,
    /// Of the person's: pages of the past.
    pages: AtomicU64,
    /// Of the person's: told to slow down.
    shed: AtomicU64,
    /// Of the domain's: taken or refused.
    items: AtomicU64,
}

impl Flood {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn total(&self) -> u64 {
        self.taken.load(Ordering::Acquire) + self.pages.load(Ordering::Acquire) + self.items.load(Ordering::Acquire)
    }
}

pub(super) async fn happen(ground: &mut Ground) -> anyhow::Result<String> {
    let flood = Arc::new(Flood::default());
    let domain: DomainName = ground.a.domain.parse()?;
    let mut tasks = JoinSet::new();
    for kept in ground.flooders.clone() {
        tasks.spawn(person(kept, format!("sink@{domain}"), flood.clone()));
    }
    let address = Address::here(u16::try_from(ground.a.port)?);
    let foreign = tokio::spawn(foreign(ground.mallory.clone(), address, domain, flood.clone()));
    until("the flood to begin", || {
        let (taken, items) = (flood.taken.load(Ordering::Acquire), flood.items.load(Ordering::Acquire));
        std::future::ready((taken > 0 && items > 0 || foreign.is_finished(), taken + items))
    })
    .await?;
    let before = flood.total();
    let stood = bystand(ground).await;
    let meanwhile = flood.total() - before;
    // It goes on while all of theirs has arrived: that is an order, and no duration.
    let (taken, items) = (flood.taken.load(Ordering::Acquire), flood.items.load(Ordering::Acquire));
    let goes_on = until("the flood to go on", || {
        let (more, more_items) = (flood.taken.load(Ordering::Acquire), flood.items.load(Ordering::Acquire));
        std::future::ready((more > taken && more_items > items || foreign.is_finished(), more + more_items))
    })
    .await;
    flood.stop.store(true, Ordering::Release);
    ground.mallory = foreign.await.context("the domain's flood")??;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    stood?;
    goes_on?;
    let each = meanwhile / (2 * BYSTANDING);
    ensure!(each <= TAKEN_PER_MESSAGE_MAX, "{each} of the flood were taken for each message of a bystander");
    let of = |count: &AtomicU64| count.load(Ordering::Acquire);
    Ok(format!(
        "2×{BYSTANDING} messages of bystanders arrived while it went on, {each} of the flood for each; in all {} messages and {} \
         pages of one person, {} told to slow down, {} items of one domain",
        of(&flood.taken),
        of(&flood.pages),
        of(&flood.shed),
        of(&flood.items)
    ))
}

async fn bystand(ground: &Ground) -> anyhow::Result<()> {
    for _ in 0..BYSTANDING {
        for voice in ground.voices.bystanders() {
            voice.from.say(&voice.to.user).await?;
            until("a bystander to be acknowledged", || std::future::ready((voice.unanswered() == 0, voice.unanswered()))).await?;
        }
    }
    for voice in ground.voices.bystanders() {
        until("what bystanders said", || std::future::ready((voice.under_way() == 0, voice.arrived()))).await?;
    }
    Ok(())
}

/// One device of the person's.
async fn person(kept: Kept, to: String, flood: Arc<Flood>) -> anyhow::Result<()> {
    let Device { mut ear, mouth, counter } = Device::resume(&kept, None).await?;
    let conversation = Arc::<AtomicU64>::default();
    let unanswered = Arc::new(Semaphore::new(UNANSWERED_MAX));
    let speaking = tokio::spawn(speak(mouth, counter, to, conversation.clone(), unanswered.clone(), flood.clone()));
    tokio::pin!(speaking);
    // The mouth says how much it has asked when it has stopped; then the rest is heard.
    let (mut answers, mut asked) = (0, None);
    while asked != Some(answers) {
        tokio::select! {
            ended = &mut speaking, if asked.is_none() => asked = Some(ended.context("speaking")??),
            heard = hear(&mut ear, &conversation, &flood) => if heard? {
                answers += 1;
                unanswered.add_permits(1);
            },
        }
    }
    Ok(())
}

/// Says and asks until it is stopped. How many answers there must be.
async fn speak(
    mut mouth: Mouth,
    mut counter: u64,
    to: String,
    conversation: Arc<AtomicU64>,
    unanswered: Arc<Semaphore>,
    flood: Arc<Flood>,
) -> anyhow::Result<u64> {
    let mut asked = 0;
    while !flood.stopped() {
        // An answer makes room for the next.
        unanswered.acquire().await.context("nothing closes it")?.forget();
        let known = conversation.load(Ordering::Acquire);
        asked += 1;
        if known > 0 && asked % ASKS_EVERY == 0 {
            mouth.say(Asked::History(pb::History { conversation: known, before: 0, after: 0, limit: 100 })).await?;
            continue;
        }
        counter += 1;
        let content = content::text(WORDS);
        mouth.say(Asked::Send(pb::Send { to: to.clone(), counter, content, ..pb::Send::default() })).await?;
    }
    Ok(asked)
}

/// One frame; whether it was an answer.
async fn hear(ear: &mut Ear, conversation: &AtomicU64, flood: &Flood) -> anyhow::Result<bool> {
    let heard = ear.hear().await?.context("the node closed the connection of somebody who floods")?;
    match heard.frame.context("an empty frame")? {
        Frame::Sent(sent) => {
            conversation.store(sent.conversation, Ordering::Release);
            flood.taken.fetch_add(1, Ordering::AcqRel);
        }
        Frame::Page(_) => {
            flood.pages.fetch_add(1, Ordering::AcqRel);
        }
        Frame::Error(error) if error.code == "slow-down" => {
            flood.shed.fetch_add(1, Ordering::AcqRel);
        }
        Frame::Error(error) => bail!("somebody who floods is answered {error:?}"),
        Frame::Close(close) => bail!("somebody who floods is cut: {:?}", close.error.unwrap_or_default()),
        _ => {}
    }
    Ok(heard.reply_to != 0)
}

/// The domain; as far as it has come when all of its items are acknowledged.
async fn foreign(mallory: Mallory, node: Address, domain: DomainName, flood: Arc<Flood>) -> anyhow::Result<Mallory> {
    let mut line = mallory.link(Over::Quic, &node, &domain).await.context("the domain that floods")?;
    // Where it began: the node has acknowledged everything before.
    let mut counted = line.mallory.sent.sequence;
    line.acked = counted;
    loop {
        let stopped = flood.stopped();
        if stopped && line.acked >= line.mallory.sent.sequence {
            return Ok(line.leave());
        }
        if !stopped && line.mallory.sent.sequence - line.acked < UNDER_WAY_MAX {
            let batch: Vec<_> = (0..BATCH).map(|_| items::says("mal", "sink", WORDS)).collect();
            line.send(&batch).await;
            continue;
        }
        line.pump().await.context("the domain that floods")?;
        if line.acked > counted {
            flood.items.fetch_add(line.acked - counted, Ordering::AcqRel);
            counted = line.acked;
            line.refused.clear();
            line.heard.clear();
            line.acknowledge().await;
        }
    }
}
