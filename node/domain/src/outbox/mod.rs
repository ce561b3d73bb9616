//! What goes to other domains and what came: per peer an outbox of journal positions, and a cursor of theirs.
//!
//! Owns prefix `o`. Reads every event that goes or came over a link (`link_outs`, `link_in`), LinkAcked, LinkRestarted,
//! PeerEpochBegan, PeerSilent, DomainBegan, EpochBegan. The event itself says where on the link it stands, so the outbox is a view
//! and rebuilds identically. Items are encoded again from the record when they are sent; their hash is in the event, and
//! an item that no longer gives it (its body was erased) is withheld. federation-spec/03-link.md, 05-content.md
//! Invariant: sequences of an outbox epoch are 1, 2, 3 …; the inbox cursor moves by one.

mod epochs;
mod give_up;
mod items;
mod known;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use startalk_journal::ReadJournal;
use startalk_protocol::{Code, Error, pb::events as pb};

pub use epochs::{Epoch, Restart, epochs, restart_after, restarts, running_of};
pub(crate) use epochs::{is_half_begun, restart, restart_all};
pub(crate) use give_up::give_up;
pub use give_up::given_up;
pub(crate) use items::{
    account_gone_item, edit_item, group_invite_item, group_submission_item, introduce, marks_item, message_item, opened_item,
    profile_item, recall_item,
};
pub use known::known;

use epochs::{Past, past, past_key};

use crate::{
    command::Answer,
    context::Ctx,
    conversations, erasure,
    event::{Event, Recorded},
    governance::{self, array},
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'o';
/// Positions in one block.
const BLOCK: u64 = 64;

/// The outbox of one peer. Items are counted from the beginning of time (`total`); an epoch's sequences begin after
/// `skipped` of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outbox {
    /// Of this numbering; made with the journal's epoch.
    pub epoch: [u8; 16],
    /// Items before the first of this epoch.
    skipped: u64,
    /// Items ever.
    total: u64,
    /// Hash over the items of this epoch so far.
    pub running: [u8; 32],
    /// Durable at the peer, as far as the journal knows; a sequence of this epoch.
    pub acked: u64,
    /// Positions of the unfinished block.
    tail: Vec<u64>,
}

impl Outbox {
    /// The last sequence given.
    pub fn head(&self) -> u64 {
        self.total - self.skipped
    }
}

/// How far a peer's items have taken effect here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// The peer's; zeros before the first contact.
    pub epoch: [u8; 16],
    /// Last item with an effect.
    pub sequence: u64,
    /// Hash over its items up to there.
    pub running: [u8; 32],
}

/// What stands at one place of an outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// The item's bytes.
    Item(Bytes),
    /// The same of a group submission, and what the submission is known by.
    Submission(Bytes, [u8; 32]),
    /// Erased or given up since: its hash.
    Withheld([u8; 32]),
}

/// A deleted account whose name is kept until other domains have been told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Farewell {
    account: u64,
    /// Of the record with the name.
    position: u64,
    /// (peer, sequence) that have not recorded it.
    waits_for: Vec<(u64, u64)>,
}

fn farewells_key() -> Key {
    Key::numbers(PREFIX, b'f', &[])
}

fn farewells(read: &impl Read) -> Arc<Vec<Farewell>> {
    read.get(&farewells_key()).unwrap_or_default()
}

/// The name under which items of a deleted account are still sent.
fn farewell_name(read: &impl Read, journal: &dyn ReadJournal, account: u64) -> Result<String, Error> {
    let all = farewells(read);
    let Some(farewell) = all.iter().find(|f| f.account == account) else { return Ok(String::new()) };
    match read_record(journal, farewell.position)?.event {
        Event::AccountDeleted(_, Some(body)) => Ok(body.value.name),
        _ => Ok(String::new()),
    }
}

fn outbox_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'o', &[peer])
}

fn block_key(peer: u64, block: u64) -> Key {
    Key::numbers(PREFIX, b'b', &[peer, block])
}

fn inbox_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'i', &[peer])
}

/// The outbox of a peer.
pub fn outbox(read: &impl Read, peer: u64) -> Outbox {
    match read.get::<Outbox>(&outbox_key(peer)) {
        Some(outbox) => (*outbox).clone(),
        None => Outbox { epoch: governance::realm(read).link_epoch, ..Outbox::default() },
    }
}

/// Whether there is anything that this peer has not recorded.
pub(crate) fn waits(read: &impl Read, peer: u64) -> bool {
    let outbox = outbox(read, peer);
    outbox.head() > outbox.acked
}

/// Position of the first item that this peer has not recorded and that was not given up.
pub(crate) fn first_waiting(read: &impl Read, peer: u64) -> Option<u64> {
    let outbox = outbox(read, peer);
    let first = (outbox.skipped + outbox.acked).max(given_up(read, peer)) + 1;
    positions_ever(read, peer, &outbox, first, first).first().copied()
}

/// How far a peer's items have taken effect.
pub fn inbox(read: &impl Read, peer: u64) -> Arc<Inbox> {
    read.get(&inbox_key(peer)).unwrap_or_default()
}

/// The hash over items with one more: BLAKE3 of the hash before and the item's hash.
pub fn running_after(before: &[u8; 32], item_hash: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(item_hash);
    *hasher.finalize().as_bytes()
}

/// Where the next item of `peer` stands.
pub(crate) fn next(read: &impl Read, peer: u64, item: &[u8]) -> pb::LinkOut {
    let outbox = outbox(read, peer);
    let hash = *blake3::hash(item).as_bytes();
    pb::LinkOut {
        peer,
        sequence: outbox.head() + 1,
        item_hash: Bytes::copy_from_slice(&hash),
        running: Bytes::copy_from_slice(&running_after(&outbox.running, &hash)),
    }
}

/// Where items `from..=to` of the present epoch stand in the journal.
fn positions(read: &impl Read, peer: u64, outbox: &Outbox, from: u64, to: u64) -> Vec<u64> {
    positions_ever(read, peer, outbox, outbox.skipped + from.max(1), outbox.skipped + to)
}

/// Where items `first..=last` stand, counted from the first item ever.
fn positions_ever(read: &impl Read, peer: u64, outbox: &Outbox, first: u64, last: u64) -> Vec<u64> {
    let last = last.min(outbox.total);
    let mut out = Vec::new();
    let mut index = first.max(1);
    while index <= last {
        let block = (index - 1) / BLOCK;
        let skip = usize::try_from((index - 1) % BLOCK).expect("below 64");
        let end = last.min((block + 1) * BLOCK);
        let take = usize::try_from(end - index + 1).expect("at most 64");
        if (block + 1) * BLOCK > outbox.total {
            out.extend(outbox.tail.iter().skip(skip).take(take));
        } else if let Some(full) = read.get::<Vec<u64>>(&block_key(peer, block)) {
            out.extend(full.iter().skip(skip).take(take));
        }
        index = end + 1;
    }
    out
}

/// Items `from..=to` of the present epoch, as far as they exist and up to about `max_bytes`.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn items(
    read: &impl Read,
    journal: &dyn ReadJournal,
    peer: u64,
    from: u64,
    to: u64,
    max_bytes: usize,
) -> Result<Vec<Outgoing>, Error> {
    let outbox = outbox(read, peer);
    let (mut out, mut bytes) = (Vec::new(), 0);
    let given_up = given_up(read, peer);
    for (ever, position) in (outbox.skipped + from.max(1)..).zip(positions(read, peer, &outbox, from, to)) {
        let record = read_record(journal, position)?;
        let hash = item_hash(&record, peer).ok_or(Code::Internal)?;
        let waits = ever > given_up || !give_up::is_given_up(read, &record);
        let item = if waits { items::encode(read, journal, &record, peer)? } else { None };
        let item = item.filter(|item| *blake3::hash(item).as_bytes() == hash);
        bytes += item.as_ref().map_or(32, Bytes::len);
        out.push(match (item, items::submission_hash(read, &record)) {
            (None, _) => Outgoing::Withheld(hash),
            (Some(item), None) => Outgoing::Item(item),
            (Some(item), Some(submission)) => Outgoing::Submission(item, submission),
        });
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(out)
}

/// Items of peers that were refused, as the last `records` of the journal show: (peer, sequence, code), of their present
/// epochs. A peer may not have heard of them.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn refused_lately(read: &impl Read, journal: &dyn ReadJournal, records: u64) -> Result<Vec<(u64, u64, String)>, Error> {
    let head = journal.head().position;
    let (mut next, mut out) = (head.saturating_sub(records) + 1, Vec::new());
    while next <= head {
        let some = journal.read_from(next, 1024, 1 << 20).map_err(|_| Code::Internal)?;
        let Some(last) = some.last() else { break };
        next = last.header.position + 1;
        for record in &some {
            if let Ok(Event::LinkItemClosed(f, _)) = Recorded::read(record).map(|r| r.event)
                && let Some(link_in) = &f.r#in
                && !f.code.is_empty()
                && inbox(read, link_in.peer).epoch == link_in.epoch[..]
            {
                out.push((link_in.peer, link_in.sequence, f.code.clone()));
            }
        }
    }
    Ok(out)
}

fn read_record(journal: &dyn ReadJournal, position: u64) -> Result<Recorded, Error> {
    let record = journal.read(position).map_err(|_| Code::Internal)?;
    Recorded::read(&record).map_err(|_| Code::Internal.into())
}

fn item_hash(record: &Recorded, peer: u64) -> Option<[u8; 32]> {
    record.event.link_outs().iter().find(|o| o.peer == peer).map(|o| array(&o.item_hash))
}

/// The peer has durably recorded ours up to `sequence`.
pub(crate) fn recorded(tx: &mut Tx, peer: u64, epoch: [u8; 16], sequence: u64) -> Result<Answer, Error> {
    let outbox = outbox(tx, peer);
    if outbox.epoch == epoch && sequence > outbox.acked && sequence <= outbox.head() {
        let facts = pb::LinkAcked { peer, epoch: Bytes::copy_from_slice(&epoch), sequence };
        let told = farewells(tx)
            .iter()
            .filter(|f| f.waits_for.iter().all(|w| w.0 == peer && w.1 <= sequence))
            .map(|f| f.position)
            .collect();
        tx.emit(New { conversation: 0, event: Event::LinkAcked(facts, None) });
        erasure::erase(tx, told, "account deleted");
    }
    Ok(Answer::Done)
}

/// The peer refused one item of ours.
pub(crate) fn refused(tx: &mut Tx, ctx: &Ctx, peer: u64, epoch: [u8; 16], sequence: u64, code: &str) -> Result<Answer, Error> {
    let outbox = outbox(tx, peer);
    if outbox.epoch != epoch {
        return Ok(Answer::Done);
    }
    match positions(tx, peer, &outbox, sequence, sequence).first() {
        Some(position) => conversations::refused(tx, ctx, peer, *position, code),
        None => Ok(Answer::Done),
    }
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    for out in record.event.link_outs() {
        sent(tx, record.position, out);
    }
    if let Some(link_in) = record.event.link_in() {
        let inbox = Inbox { epoch: array(&link_in.epoch), sequence: link_in.sequence, running: array(&link_in.running) };
        known::moved(tx, link_in.peer, &inbox);
        tx.put(inbox_key(link_in.peer), inbox);
    }
    match &record.event {
        Event::DomainBegan(f, _) => tx.put(Key::numbers(PREFIX, b'e', &[]), array::<16>(&f.link_epoch)),
        Event::EpochBegan(f, _) => {
            tx.put(Key::numbers(PREFIX, b'e', &[]), array::<16>(&f.link_epoch));
            epochs::begun(tx, f);
        }
        Event::AccountDeleted(f, _) if !f.out.is_empty() || !f.homes.is_empty() => {
            let homes = f.homes.iter().map(|home| (*home, outbox(tx, *home).head()));
            let waits_for = f.out.iter().map(|o| (o.peer, o.sequence)).chain(homes).collect();
            let farewell = Farewell { account: f.account, position: record.position, waits_for };
            tx.change(farewells_key(), |all: &mut Vec<Farewell>| all.push(farewell));
        }
        Event::LinkAcked(f, _) => {
            tx.change(outbox_key(f.peer), |o: &mut Outbox| o.acked = o.acked.max(f.sequence));
            if !farewells(tx).is_empty() {
                tx.change(farewells_key(), |all: &mut Vec<Farewell>| {
                    all.iter_mut().for_each(|w| w.waits_for.retain(|w| *w != (f.peer, w.1) || w.1 > f.sequence));
                    all.retain(|w| !w.waits_for.is_empty());
                });
            }
        }
        Event::LinkRestarted(f, _) => epochs::restarted(tx, record, f),
        Event::PeerSilent(f, _) if f.given_up => {
            let total = outbox(tx, f.peer).total;
            tx.change(past_key(f.peer), |past: &mut Past| past.given_up = total);
        }
        Event::PeerEpochBegan(f, _) => {
            let was = inbox(tx, f.peer);
            known::ended(tx, f.peer, &was);
            tx.put(inbox_key(f.peer), Inbox { epoch: array(&f.epoch), ..Inbox::default() });
        }
        _ => {}
    }
}

fn sent(tx: &mut Tx, position: u64, out: &pb::LinkOut) {
    let epoch = tx.get::<[u8; 16]>(&Key::numbers(PREFIX, b'e', &[])).map(|e| *e).unwrap_or_default();
    let mut full = None;
    tx.change(outbox_key(out.peer), |o: &mut Outbox| {
        if o.total == 0 && o.epoch == [0; 16] {
            o.epoch = epoch;
        }
        o.total += 1;
        o.running = array(&out.running);
        o.tail.push(position);
        if o.tail.len() as u64 == BLOCK {
            full = Some((o.total / BLOCK - 1, std::mem::take(&mut o.tail)));
        }
    });
    if let Some((block, positions)) = full {
        tx.put(block_key(out.peer, block), positions);
    }
}
