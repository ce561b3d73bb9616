//! Epochs of an outbox: when its numbering begins anew, and after which item.
//!
//! A whole domain begins a new epoch when it knows that it went back (`restore`, a device's cursor); one outbox alone does
//! by a peer's word, a few times a day. Invariant: items keep their order and their count from the first ever; an epoch
//! is a name for the numbers after one of them. federation-spec/03-link.md §4

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use startalk_journal::ReadJournal;
use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::{
    Farewell, Outbox, PREFIX, array, farewells, farewells_key, item_hash, outbox, outbox_key, positions_ever, read_record,
    running_after,
};
use crate::{
    command::Answer,
    context::Ctx,
    event::{Event, Recorded},
    governance,
    store::{Key, New, Read, Tx},
};

/// What an outbox was before its present epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Past {
    /// When this peer's word made a new epoch, the last few.
    restarts_ms: Vec<u64>,
}

fn past_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'h', &[peer])
}

/// After which item a new epoch is to begin, and the hash over what follows it, made without holding up the write loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    after: u64,
    /// The hash reaches to here.
    total: u64,
    running: [u8; 32],
}

/// When this peer's word made us begin a new epoch, the last few times; milliseconds of journal time.
pub fn restarts(read: &impl Read, peer: u64) -> Vec<u64> {
    read.get::<Past>(&past_key(peer)).map(|p| p.restarts_ms.clone()).unwrap_or_default()
}

/// A new epoch that begins after what the peer is known to have recorded.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn restart_after(read: &impl Read, journal: &dyn ReadJournal, peer: u64) -> Result<Restart, Error> {
    let outbox = outbox(read, peer);
    restart_from(read, peer, &outbox, outbox.skipped + outbox.acked, |position| read_record(journal, position))
}

fn restart_from(
    read: &impl Read,
    peer: u64,
    outbox: &Outbox,
    after: u64,
    record: impl Fn(u64) -> Result<Recorded, Error>,
) -> Result<Restart, Error> {
    let start = Restart { after, total: after, running: [0; 32] };
    go_on(read, peer, outbox, start, record)
}

/// The hash as far as the outbox reaches now.
fn go_on(
    read: &impl Read,
    peer: u64,
    outbox: &Outbox,
    mut restart: Restart,
    record: impl Fn(u64) -> Result<Recorded, Error>,
) -> Result<Restart, Error> {
    for position in positions_ever(read, peer, outbox, restart.total + 1, outbox.total) {
        let hash = item_hash(&record(position)?, peer).ok_or(Code::Internal)?;
        restart.running = running_after(&restart.running, &hash);
    }
    restart.total = outbox.total;
    Ok(restart)
}

/// The node went back: every outbox begins a new epoch with what the peer may not have.
pub(crate) fn restart_all(tx: &mut Tx, ctx: &Ctx, epoch: [u8; 16]) -> Result<(), Error> {
    for peer in 1..=governance::numbers(tx).peer {
        let outbox = outbox(tx, peer);
        let restart = restart_from(tx, peer, &outbox, outbox.skipped + outbox.acked, |p| record_at(tx, ctx, p))?;
        emit(tx, peer, epoch, &restart, false);
    }
    Ok(())
}

/// The peer says to have what does not fit the epoch that was `shown` to it.
pub(crate) fn restart(tx: &mut Tx, ctx: &mut Ctx, peer: u64, shown: [u8; 16], restart: &Restart) -> Result<Answer, Error> {
    let outbox = outbox(tx, peer);
    if outbox.epoch != shown {
        return Ok(Answer::Done); // it has another one since
    }
    let day = ctx.now_ms.saturating_sub(limits::LINK_RESTARTS_MS);
    if restarts(tx, peer).iter().filter(|at| **at > day).count() >= limits::LINK_RESTARTS_MAX {
        let error = Error::new(Code::TooMany).with("what", "new epochs of the link in a day");
        return Err(error.with("max", limits::LINK_RESTARTS_MAX));
    }
    if restart.after > restart.total || restart.total > outbox.total {
        return Err(Code::Internal.into());
    }
    let restart = go_on(tx, peer, &outbox, *restart, |p| record_at(tx, ctx, p))?;
    let epoch = ctx.random();
    emit(tx, peer, epoch, &restart, true);
    Ok(Answer::Done)
}

fn emit(tx: &mut Tx, peer: u64, epoch: [u8; 16], restart: &Restart, peers_word: bool) {
    let facts = pb::LinkRestarted {
        peer,
        epoch: Bytes::copy_from_slice(&epoch),
        resent: restart.total - restart.after,
        running: Bytes::copy_from_slice(&restart.running),
        peers_word,
    };
    tx.emit(New { conversation: 0, event: Event::LinkRestarted(facts, None) });
}

/// A record of the journal, or of the batch being made.
fn record_at(tx: &Tx, ctx: &Ctx, position: u64) -> Result<Recorded, Error> {
    let first = tx.next_position() - tx.records().len() as u64;
    match position.checked_sub(first).and_then(|at| usize::try_from(at).ok()) {
        Some(at) => tx.records().get(at).cloned().ok_or_else(|| Code::Internal.into()),
        None => read_record(ctx.journal, position),
    }
}

/// Applies [`Event::LinkRestarted`].
pub(super) fn restarted(tx: &mut Tx, record: &Recorded, facts: &pb::LinkRestarted) {
    let (mut before, mut after) = (0, 0);
    tx.change(outbox_key(facts.peer), |o: &mut Outbox| {
        before = o.skipped;
        o.skipped = o.total - facts.resent.min(o.total);
        after = o.skipped;
        o.epoch = array(&facts.epoch);
        o.running = array(&facts.running);
        o.acked = 0;
    });
    if facts.peers_word {
        tx.change(past_key(facts.peer), |past: &mut Past| {
            past.restarts_ms.push(record.time_ms);
            let surplus = past.restarts_ms.len().saturating_sub(limits::LINK_RESTARTS_MAX);
            past.restarts_ms.drain(..surplus);
        });
    }
    if !farewells(tx).is_empty() {
        let renumber = |w: &mut (u64, u64)| w.1 = if w.0 == facts.peer { (before + w.1).saturating_sub(after) } else { w.1 };
        tx.change(farewells_key(), |all: &mut Vec<Farewell>| {
            all.iter_mut().for_each(|w| w.waits_for.iter_mut().for_each(renumber));
        });
    }
}
