//! How long messages are kept: what is older than the policy says is erased, a stretch of the journal at a time.
//!
//! Owns prefix `r`. Events: RetentionMoved, ClockSeen; reads PolicySet, and the time of every record while there is such a
//! policy. A text is as old as the record that says it, by journal time: messages, their edits and superseded versions,
//! reactions. Texts of groups, memberships and names are no messages and stay. One place in the journal for each kind of
//! conversation says how far it has come; what stands before it and is not held back is never shown again, whatever has
//! become of its bytes. What another domain has not had yet is held back until it has, or is given up.
//! docs/decisions/0023-retention.md
//! Invariant: the place only moves on, and only over what is older than the policy said then.

mod clock;
mod sweep;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{Error, pb::events as pb};

pub use sweep::{WouldGo, would_go};

use crate::{
    command::Answer,
    context::Ctx,
    erasure,
    event::{Event, Recorded},
    governance, groups,
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'r';
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Which conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of two people.
    Direct,
    /// Groups.
    Group,
}

/// How far erasing has come in one kind of conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// What was said up to this position is gone, but for what is held back.
    pub through: u64,
    /// Everything said before this journal time is among it.
    pub before_ms: u64,
}

/// Something that is not gone yet, because another domain has not had it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    position: u64,
    peer: u64,
    /// Of a submission to a group elsewhere; 0: something for one person.
    conversation: u64,
}

/// The state of erasing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Swept {
    direct: Reached,
    groups: Reached,
    /// By position.
    held: Vec<Held>,
}

fn swept_key() -> Key {
    Key::numbers(PREFIX, b's', &[])
}

fn swept(read: &impl Read) -> Arc<Swept> {
    read.get(&swept_key()).unwrap_or_default()
}

/// How far erasing has come.
pub fn reached(read: &impl Read, kind: Kind) -> Reached {
    let swept = swept(read);
    match kind {
        Kind::Direct => swept.direct,
        Kind::Group => swept.groups,
    }
}

/// Whether what was said in the record at this position is kept no longer.
pub fn is_gone(read: &impl Read, kind: Kind, position: u64) -> bool {
    let Some(swept) = read.get::<Swept>(&swept_key()) else { return false };
    let through = match kind {
        Kind::Direct => swept.direct.through,
        Kind::Group => swept.groups.through,
    };
    position <= through && swept.held.binary_search_by_key(&position, |h| h.position).is_err()
}

/// For how long messages of a kind are kept, in milliseconds; 0: for ever.
pub fn kept_ms(read: &impl Read, kind: Kind) -> u64 {
    let realm = governance::realm(read);
    let of = match kind {
        Kind::Direct => realm.retention_of.direct(),
        Kind::Group => realm.retention_of.groups(),
    };
    if of { u64::from(realm.retention_days) * DAY_MS } else { 0 }
}

/// Since when the clock is not believed, because it leapt ahead: nothing is erased until it has gone on for a day from there;
/// milliseconds since 1970.
pub fn doubted_since(read: &impl Read, clock_ms: u64) -> Option<u64> {
    clock::doubted(read, clock_ms)
}

/// Whether anything may be ended or erased by this clock. Writes down what it says, where that would be forgotten.
pub(crate) fn is_believed(tx: &mut Tx, ctx: &Ctx, clock_ms: u64) -> bool {
    clock::is_believed(tx, ctx, clock_ms)
}

/// Erases the next stretch of what is too old.
pub(crate) fn retain(tx: &mut Tx, ctx: &Ctx, clock_ms: u64) -> Result<Answer, Error> {
    let realm = governance::realm(tx);
    if realm.retention_days == 0 || !clock::is_believed(tx, ctx, clock_ms) {
        return Ok(Answer::Done);
    }
    let of = realm.retention_of;
    let before_ms = clock_ms.saturating_sub(u64::from(realm.retention_days) * DAY_MS);
    let step = sweep::look(tx, ctx, of, before_ms)?;
    if step.is_nothing() {
        return Ok(Answer::Done);
    }
    let sweep::Step { through, done, whole, erased, held, released, quiet } = step;
    let next = Answer::More { conversation: 0, from: through + 1 };
    erasure::erase(tx, erased, "retention");
    let facts = pb::RetentionMoved {
        through,
        direct: of.direct(),
        groups: of.groups(),
        before_ms: if whole { before_ms } else { 0 },
        held: held.iter().map(|h| pb::HeldBack { position: h.position, peer: h.peer, conversation: h.conversation }).collect(),
        released,
        quiet: quiet.into_iter().map(|(conversation, sequence)| pb::Quiet { conversation, sequence }).collect(),
        done,
    };
    tx.emit(New { conversation: 0, event: Event::RetentionMoved(facts, None) });
    Ok(if done { Answer::Done } else { next })
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    clock::apply(tx, record);
    let Event::RetentionMoved(f, _) = &record.event else { return };
    tx.change(swept_key(), |s: &mut Swept| {
        for (reached, is_of) in [(&mut s.direct, f.direct), (&mut s.groups, f.groups)] {
            if is_of {
                reached.through = reached.through.max(f.through);
                reached.before_ms = reached.before_ms.max(f.before_ms);
            }
        }
        s.held.retain(|h| f.released.binary_search(&h.position).is_err());
        let held = f.held.iter().map(|h| Held { position: h.position, peer: h.peer, conversation: h.conversation });
        s.held.extend(held);
        s.held.sort_unstable_by_key(|h| h.position);
    });
    f.quiet.iter().for_each(|q| groups::quiet(tx, q.conversation, q.sequence));
}
