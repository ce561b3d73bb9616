//! A client syncs and then does not read while much is said to it: the node cuts it, with a reason, has not kept for it what
//! it did not read, and has everything for it when it comes again.
//!
//! What was kept for it is the difference between two times that the same is said: first while everybody reads, then while it
//! does not. A node that has just been started fills its caches and its index's writer with the first.

use anyhow::{Context as _, bail, ensure};
use startalk_e2e::until;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, server_frame::Frame};

use crate::{
    device::{Device, Kept},
    ground::Ground,
    sample::{Sample, mib},
};

/// Connections of the device that do not read.
const CONNECTIONS: usize = 4;
/// Bytes that their system keeps for them, about.
const RECEIVE_BYTES: u32 = 4096;
/// Bytes of one message that is said to it.
const MESSAGE_BYTES: usize = 60_000;
/// Messages after which it should have been cut: 24 MB, some times what the system keeps for a connection.
const MESSAGES_MAX: u64 = 400;
/// Messages that are said before, while everybody reads: as many as it takes to cut one.
const REHEARSED: u64 = 60;
/// Bytes that the node's memory may be above what it was at most while everybody read: 256 KiB for each connection, and what
/// other traffic and a merge in the index bring by chance.
const GROWTH_MAX: u64 = 24 << 20;
/// What the gateway writes when it cuts one.
const CUT: &str = "closed: slow reader";

pub(super) async fn happen(ground: &mut Ground) -> anyhow::Result<String> {
    let process = ground.a.process().id();
    let silence = ground.voices.within[1].silence().await;
    let mut before = 0;
    for _ in 0..REHEARSED {
        said_large(ground).await?;
        before = before.max(Sample::of(process)?.own);
    }
    let (mut slow, mut head) = (Vec::new(), 0);
    for _ in 0..CONNECTIONS {
        let mut device = Device::resume(&ground.slow, Some(RECEIVE_BYTES)).await?;
        let seen = device.sync(&mut ground.slow).await?;
        head = head_of(ground, &seen).unwrap_or(head);
        slow.push(device);
    }
    let cut_before = times_cut(ground);
    let (mut said, mut most) = (0, 0);
    while times_cut(ground) < cut_before + CONNECTIONS {
        ensure!(said < MESSAGES_MAX, "{said} messages of {MESSAGE_BYTES} bytes were not read, and nobody was cut");
        said_large(ground).await?;
        said += 1;
        most = most.max(Sample::of(process)?.own);
    }
    let growth = most.saturating_sub(before);
    ensure!(growth <= GROWTH_MAX, "the node's memory grew by {} MiB while {CONNECTIONS} connections did not read", mib(growth));
    drop(silence);
    let mut told = 0;
    for device in slow {
        told += usize::from(reason(device).await? == "slow-reader");
    }
    ensure!(told > 0, "{CONNECTIONS} slow connections were cut, and none was told why");
    let again = comes_again(ground, head).await?;
    ensure!(again >= said, "a device that was cut has {again} messages after coming again, and {said} were said to it");
    Ok(format!(
        "{CONNECTIONS} connections cut after {said} large messages, {told} of them told `slow-reader`; the node had {} MiB at most, {} \
         while all read; come again, the device has all {again} messages since",
        mib(most),
        mib(before)
    ))
}

/// Dave says a large message to carol, and the node has it.
async fn said_large(ground: &Ground) -> anyhow::Result<()> {
    let dave = &ground.voices.within[1];
    dave.say_large(MESSAGE_BYTES).await?;
    until("a large message to be acknowledged", || std::future::ready((dave.unanswered() == 0, dave.unanswered()))).await
}

fn times_cut(ground: &Ground) -> usize {
    ground.a.said().matches(CUT).count()
}

/// The head of dave's conversation with carol, as she sees it.
fn head_of(ground: &Ground, seen: &[pb::Conversation]) -> Option<u64> {
    find(ground, seen).map(|conversation| conversation.head)
}

fn find<'a>(ground: &Ground, seen: &'a [pb::Conversation]) -> Option<&'a pb::Conversation> {
    let dave = ground.voices.within[1].from.user.to_string();
    seen.iter().find(|c| c.peer.as_ref().is_some_and(|p| p.user == dave))
}

/// Reads what is left and the reason of the end; empty if none was said.
async fn reason(mut device: Device) -> anyhow::Result<String> {
    while let Some(frame) = device.ear.hear().await? {
        if let Some(Frame::Close(close)) = frame.frame {
            return Ok(close.error.unwrap_or_default().code);
        }
    }
    Ok(String::new())
}

/// The device comes again with the cursor that it had: every number of the conversation after `head`, each once. How many.
async fn comes_again(ground: &mut Ground, head: u64) -> anyhow::Result<u64> {
    let mut kept: Kept = ground.slow.clone();
    let mut device = Device::resume(&kept, None).await?;
    let seen = device.sync(&mut kept).await?;
    let conversation = find(ground, &seen).context("the conversation did not change for a device that was cut")?;
    let (number, end) = (conversation.conversation, conversation.head);
    let mut last = head;
    while last < end {
        let asked = Asked::History(pb::History { conversation: number, before: 0, after: last, limit: 200 });
        let Frame::Page(page) = device.ask(asked).await? else { bail!("expected a page") };
        ensure!(!page.messages.is_empty(), "an empty page after {last} of {end}");
        for message in page.messages {
            ensure!(message.sequence == last + 1, "message {} comes after {last}", message.sequence);
            last = message.sequence;
        }
    }
    ground.slow = kept;
    Ok(end - head)
}
