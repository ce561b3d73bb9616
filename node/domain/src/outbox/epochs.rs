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
    store::{Key, New, Read, Tx},
};

/// Former epochs kept for each peer: more than one that answers at all can make us forget in a fortnight.
const FORMER_MAX: usize = 64;

/// Which items an epoch numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its name.
    pub epoch: [u8; 16],
    /// Items before its first one, from the first ever.
    pub before: u64,
    /// Its items.
    pub count: u64,
}

/// What an outbox was before its present epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Past {
    /// Epochs in which there was anything, the oldest first.
    former: Vec<Epoch>,
    /// When this peer's word made a new epoch, the last few.
    restarts_ms: Vec<u64>,
    /// Items whose messages, as far as they waited, were given up.
    pub(super) given_up: u64,
}

pub(super) fn past_key(peer: u64) -> Key {
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

/// What was before.
pub(super) fn past(read: &impl Read, peer: u64) -> Past {
    read.get::<Past>(&past_key(peer)).map(|p| (*p).clone()).unwrap_or_default()
}

/// When this peer's word made us begin a new epoch, the last few times; milliseconds of journal time.
pub fn restarts(read: &impl Read, peer: u64) -> Vec<u64> {
    past(read, peer).restarts_ms
}

/// The epochs of a peer's outbox: the present one, then former ones, the newest first.
pub fn epochs(read: &impl Read, peer: u64) -> Vec<Epoch> {
    let outbox = outbox(read, peer);
    [present(&outbox)].into_iter().chain(past(read, peer).former.into_iter().rev()).collect()
}

fn present(outbox: &Outbox) -> Epoch {
    Epoch { epoch: outbox.epoch, before: outbox.skipped, count: outbox.head() }
}

/// Running hashes of an epoch of ours after these sequences, each of 1 to its count.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn running_of(
    read: &impl Read,
    journal: &dyn ReadJournal,
    peer: u64,
    epoch: &Epoch,
    sequences: &[u64],
) -> Result<Vec<[u8; 32]>, Error> {
    let outbox = outbox(read, peer);
    let mut known: Vec<(u64, [u8; 32])> = Vec::new();
    let mut unknown = Vec::new();
    for sequence in sequences {
        let ever = epoch.before + sequence;
        let position = positions_ever(read, peer, &outbox, ever, ever);
        let record = read_record(journal, *position.first().ok_or(Code::Internal)?)?;
        // A number that was given in an epoch with the same beginning has the same items before it, and so the same hash.
        match record.event.link_outs().iter().find(|o| o.peer == peer && o.sequence == *sequence) {
            Some(out) => known.push((*sequence, array(&out.running))),
            None => unknown.push(*sequence),
        }
    }
    // Items that an epoch sent again carry the hash of an older one: the sum is made from their hashes.
    if let Some(last) = unknown.iter().max() {
        let mut running = [0; 32];
        for (sequence, position) in (1..).zip(positions_ever(read, peer, &outbox, epoch.before + 1, epoch.before + last)) {
            let hash = item_hash(&read_record(journal, position)?, peer).ok_or(Code::Internal)?;
            running = running_after(&running, &hash);
            if unknown.contains(&sequence) {
                known.push((sequence, running));
            }
        }
    }
    let of = |s: &u64| known.iter().find(|k| k.0 == *s).map(|k| k.1).ok_or_else(|| Code::Internal.into());
    sequences.iter().map(of).collect()
}

/// A new epoch that begins after so many items ever; `None`: after what the peer is known to have recorded.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn restart_after(read: &impl Read, journal: &dyn ReadJournal, peer: u64, after: Option<u64>) -> Result<Restart, Error> {
    let outbox = outbox(read, peer);
    let after = after.unwrap_or(outbox.skipped + outbox.acked);
    restart_from(read, peer, &outbox, after, |position| read_record(journal, position))
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

/// A new epoch of the domain of which some outboxes know, and others do not yet.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct HalfBegun {
    epoch: [u8; 16],
    /// The next outbox.
    next: u64,
    /// The last one.
    last: u64,
}

fn half_begun_key() -> Key {
    Key::numbers(PREFIX, b'r', &[])
}

/// Whether the last record of all is one of a new epoch that has not reached all outboxes: the process ended in between.
pub(crate) fn is_half_begun(read: &impl Read) -> bool {
    read.get::<HalfBegun>(&half_begun_key()).is_some()
}

/// The node went back: every outbox begins a new epoch with what the peer may not have; those that did not yet.
pub(crate) fn restart_all(tx: &mut Tx, journal: &dyn ReadJournal) -> Result<(), Error> {
    let Some(half) = tx.get::<HalfBegun>(&half_begun_key()).map(|h| *h) else { return Ok(()) };
    for peer in half.next..=half.last {
        let outbox = outbox(tx, peer);
        let restart = restart_from(tx, peer, &outbox, outbox.skipped + outbox.acked, |p| record_at(tx, journal, p))?;
        emit(tx, peer, half.epoch, &restart, false);
    }
    Ok(())
}

/// Applies [`Event::EpochBegan`].
pub(super) fn begun(tx: &mut Tx, facts: &pb::EpochBegan) {
    if facts.peers > 0 {
        tx.put(half_begun_key(), HalfBegun { epoch: array(&facts.link_epoch), next: 1, last: facts.peers });
    }
}

/// The peer says to have what does not fit the epoch that was `shown` to it.
pub(crate) fn restart(tx: &mut Tx, ctx: &mut Ctx, peer: u64, shown: [u8; 16], restart: &Restart) -> Result<Answer, Error> {
    let outbox = outbox(tx, peer);
    if outbox.epoch != shown {
        return Ok(Answer::Done); // it has another one since
    }
    let day = ctx.now_ms.saturating_sub(limits::LINK_RESTARTS_MS);
    let lately: Vec<u64> = restarts(tx, peer).into_iter().filter(|at| *at > day).collect();
    let pause_ms = lately.len().checked_sub(limits::LINK_RESTARTS_MAX).map_or(0, |more| limits::LINK_RESTART_PAUSE_MS << more);
    if lately.last().is_some_and(|last| ctx.now_ms < last + pause_ms) {
        let error = Error::new(Code::TooMany).with("what", "new epochs of the link in a day");
        return Err(error.with("max", limits::LINK_RESTARTS_MAX));
    }
    if restart.after > restart.total || restart.total > outbox.total {
        return Err(Code::Internal.into());
    }
    let restart = go_on(tx, peer, &outbox, *restart, |p| record_at(tx, ctx.journal, p))?;
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
pub(super) fn record_at(tx: &Tx, journal: &dyn ReadJournal, position: u64) -> Result<Recorded, Error> {
    let first = tx.next_position() - tx.records().len() as u64;
    match position.checked_sub(first).and_then(|at| usize::try_from(at).ok()) {
        Some(at) => tx.records().get(at).cloned().ok_or_else(|| Code::Internal.into()),
        None => read_record(journal, position),
    }
}

/// Applies [`Event::LinkRestarted`].
pub(super) fn restarted(tx: &mut Tx, record: &Recorded, facts: &pb::LinkRestarted) {
    if !facts.peers_word
        && let Some(half) = tx.get::<HalfBegun>(&half_begun_key()).map(|h| *h)
    {
        if facts.peer >= half.last {
            tx.remove(half_begun_key());
        } else {
            tx.put(half_begun_key(), HalfBegun { next: facts.peer + 1, ..half });
        }
    }
    let (mut former, mut after) = (Epoch::default(), 0);
    tx.change(outbox_key(facts.peer), |o: &mut Outbox| {
        former = present(o);
        o.skipped = o.total - facts.resent.min(o.total);
        after = o.skipped;
        o.epoch = array(&facts.epoch);
        o.running = array(&facts.running);
        o.acked = 0;
    });
    if facts.peers_word || former.count > 0 {
        tx.change(past_key(facts.peer), |past: &mut Past| {
            if facts.peers_word {
                push(&mut past.restarts_ms, record.time_ms, limits::LINK_RESTARTS_KEPT);
            }
            if former.count > 0 {
                push(&mut past.former, former, FORMER_MAX);
            }
        });
    }
    if !farewells(tx).is_empty() {
        let renumber =
            |w: &mut (u64, u64)| w.1 = if w.0 == facts.peer { (former.before + w.1).saturating_sub(after) } else { w.1 };
        tx.change(farewells_key(), |all: &mut Vec<Farewell>| {
            all.iter_mut().for_each(|w| w.waits_for.iter_mut().for_each(renumber));
        });
    }
}

fn push<T>(list: &mut Vec<T>, new: T, max: usize) {
    list.push(new);
    let surplus = list.len().saturating_sub(max);
    list.drain(..surplus);
}
