//! Direct conversations: who is in them, what was said and changed.
//!
//! Owns prefix `c`. Events: DirectOpened, MessageAdded, MessageEdited, MessageRecalled, MessageOpened, MessageBurnt,
//! RequestDecided, ItemRefused.
//! Between two domains each keeps its own copy, whose sequence is the order of arrival there; across domains a message
//! is named by its id alone. Invariants: a sequence never changes; an edit or a recall comes after what it refers to;
//! what was recalled or has burnt is never shown again.

mod burn;
mod change;
pub mod content;
mod locate;
mod mark;
mod page;
mod receive;
mod request;
mod send;
mod window;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{
    Code, Error, MessageId,
    sabotage::{self, Switch},
};

pub(crate) use burn::{burn, open as open_message};
pub(crate) use change::{Which, edit, erase_authored, recall, refused};
pub use locate::locate;
pub(crate) use mark::{move_group_marks, move_marks};
pub use page::{Latest, Message, Reaction, Reader, latest, page, reader, single, single_for};
pub(crate) use page::{check_readable, said_to};
pub(crate) use receive::receive;
pub(crate) use request::decide;
pub(crate) use send::{Said, check_actor, open, record_at, record_of, say_automatically, send, send_later};
pub(crate) use window::in_time;

use crate::{
    directory::HERE,
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'c';
/// Sequences whose changes share one value.
const CHUNK: u64 = 256;
/// Sequences between two fences, by which ids are searched.
const FENCE: u64 = 64;
/// Breaks in the order of one author's ids; more come from nobody honest, and each makes searching dearer.
const BREAKS_MAX: usize = 64;

/// A direct conversation as it is kept here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Direct {
    /// Its number.
    pub conversation: u64,
    /// An account of this domain.
    pub a: u64,
    /// The other: an account too, a person of another domain, or the same (notes to oneself).
    pub b: u64,
    /// The domain of `b`.
    pub peer: u64,
    /// `a` has not decided yet whether to hear `b`.
    pub request: bool,
    /// `a` refused.
    pub refused: bool,
    /// Position of its opening.
    pub opened_at: u64,
    /// Position of the last decision about the request.
    pub decided_at: u64,
    /// Messages by `b` while it is a request.
    pub request_messages: u32,
    /// When each of the two last made the other look, in milliseconds; 0: never.
    shaken_ms: [u64; 2],
    /// What is known of the message ids of each of the two.
    ids: [Ids; 2],
}

/// The message ids of one author in a conversation. They grow, but for a break after each restored backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ids {
    /// The last one.
    last: [u8; 16],
    /// The greatest one.
    max: [u8; 16],
    /// Sequences whose id was not above the last: there a new run of growing ids begins.
    breaks: Vec<u64>,
}

/// The last id of each of the two at the end of a block of [`FENCE`] sequences.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Fence {
    last: [[u8; 16]; 2],
}

impl Direct {
    /// Whether this person takes part.
    pub fn has(&self, person: u64) -> bool {
        person == self.a || person == self.b
    }

    /// The other one, for one of the two.
    pub fn other(&self, person: u64) -> u64 {
        if person == self.a { self.b } else { self.a }
    }

    /// Those of the two who are accounts here.
    pub fn local_members(&self) -> impl Iterator<Item = u64> {
        let second = (self.peer == HERE && self.b != self.a).then_some(self.b);
        std::iter::once(self.a).chain(second)
    }

    /// Those accounts here who may know how far one of the two has read: not whoever waits to be let in, nor who was not.
    pub fn told_of_marks(&self, of: u64) -> impl Iterator<Item = u64> {
        let strange = self.request || self.refused;
        self.local_members().filter(move |account| !strange || *account == of)
    }

    fn side(&self, author: u64) -> usize {
        usize::from(author != self.a)
    }

    /// Whether this person has said nothing there yet.
    fn has_not_spoken(&self, person: u64) -> bool {
        self.ids[self.side(person)].max == [0; 16]
    }

    /// Whether a message under this id can still be searched for afterwards.
    fn takes_id(&self, author: u64, id: MessageId) -> bool {
        let ids = &self.ids[self.side(author)];
        id.0 > ids.last || ids.breaks.len() < BREAKS_MAX
    }
}

/// What a message has become since it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Position of the newest edit; 0: none.
    pub edit: u64,
    /// Of that edit, milliseconds.
    pub edited_ms: u64,
    /// Positions of the older edits.
    pub older_edits: Vec<u64>,
    /// Taken back.
    pub recalled: bool,
    /// The other domain's error code; empty: none.
    pub refused: String,
    /// It was opened, and burns then, milliseconds since 1970; 0: not opened, or it does not burn.
    pub burn_at_ms: u64,
    /// It has burnt.
    pub burnt: bool,
    /// Of the last change, for sync.
    pub position: u64,
}

/// Changed messages of one stretch of a conversation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Changes {
    by_sequence: Vec<(u64, Change)>,
}

fn direct_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'd', &[conversation])
}

fn pair_key(a: u64, b: u64) -> Key {
    Key::numbers(PREFIX, b'p', &[a.min(b), a.max(b)])
}

fn fence_key(conversation: u64, block: u64) -> Key {
    Key::numbers(PREFIX, b'f', &[conversation, block])
}

fn changes_key(conversation: u64, sequence: u64) -> Key {
    Key::numbers(PREFIX, b'x', &[conversation, sequence / CHUNK])
}

/// For fuzzing and mutation tests: judges foreign bytes as content. Must never panic, whatever the bytes.
pub fn check(bytes: &[u8]) {
    for kinds in [content::Kinds::All, content::Kinds::TextOnly] {
        let _ = content::check(bytes, kinds);
    }
}

/// The direct conversation with this number.
pub fn direct(read: &impl Read, conversation: u64) -> Option<Arc<Direct>> {
    read.get(&direct_key(conversation))
}

/// The conversation of two persons.
pub fn between(read: &impl Read, a: u64, b: u64) -> Option<u64> {
    read.get::<u64>(&pair_key(a, b)).map(|n| *n)
}

/// What a message has become.
pub fn change_of(read: &impl Read, conversation: u64, sequence: u64) -> Option<Change> {
    let changes = read.get::<Changes>(&changes_key(conversation, sequence))?;
    changes.by_sequence.binary_search_by_key(&sequence, |c| c.0).ok().map(|at| changes.by_sequence[at].1.clone())
}

/// Sequences of messages in `from..=to` that changed after journal position `after`.
pub fn changed_since(read: &impl Read, conversation: u64, from: u64, to: u64, after: u64) -> Vec<u64> {
    (from / CHUNK..=to / CHUNK)
        .filter_map(|chunk| read.get::<Changes>(&Key::numbers(PREFIX, b'x', &[conversation, chunk])))
        .flat_map(|c| {
            c.by_sequence
                .iter()
                .filter(|(s, c)| (from..=to).contains(s) && c.position > after)
                .map(|(s, _)| *s)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The conversation, if `person` takes part in it; whether there is one is nobody else's business.
pub(crate) fn of_member(read: &impl Read, conversation: u64, person: u64) -> Result<Arc<Direct>, Error> {
    direct(read, conversation)
        .filter(|d| d.has(person) || sabotage::is(Switch::NoMembershipCheck))
        .ok_or_else(|| Code::NoSuchConversation.into())
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    apply_event(tx, record);
    if record.sequence != 0
        && record.sequence.is_multiple_of(FENCE)
        && let Some(direct) = direct(tx, record.conversation)
    {
        let last = [direct.ids[0].last, direct.ids[1].last];
        tx.put(fence_key(record.conversation, record.sequence / FENCE), Fence { last });
    }
}

fn apply_event(tx: &mut Tx, record: &Recorded) {
    let conversation = record.conversation;
    match &record.event {
        Event::DirectOpened(f, _) => {
            let (opened_at, conversation) = (record.position, f.conversation);
            let direct =
                Direct { conversation, a: f.a, b: f.b, peer: f.peer, request: f.request, opened_at, ..Direct::default() };
            tx.put(direct_key(f.conversation), direct);
            tx.put(pair_key(f.a, f.b), f.conversation);
        }
        Event::MessageAdded(f, _) => tx.change(direct_key(conversation), |d: &mut Direct| {
            let ids = &mut d.ids[usize::from(f.author != d.a)];
            let id = MessageId::from_slice(&f.id).map(|id| id.0).unwrap_or_default();
            if id <= ids.last {
                ids.breaks.push(record.sequence);
            }
            (ids.last, ids.max) = (id, ids.max.max(id));
            if f.holds & content::holds::SHAKE != 0 {
                d.shaken_ms[usize::from(f.author != d.a)] = record.time_ms;
            }
            if d.request && f.author == d.b {
                d.request_messages += 1;
            }
        }),
        Event::MessageEdited(f, _) => changed(tx, record, f.target, |c| {
            if c.edit != 0 {
                c.older_edits.push(c.edit);
            }
            (c.edit, c.edited_ms) = (record.position, record.time_ms);
        }),
        Event::MessageRecalled(f, _) => changed(tx, record, f.target, |c| c.recalled = true),
        Event::MessageOpened(f, _) => changed(tx, record, f.target, |c| c.burn_at_ms = f.burn_at_ms),
        Event::MessageBurnt(f, _) => changed(tx, record, f.target, |c| c.burnt = true),
        Event::ItemRefused(f, _) => changed(tx, record, f.target, |c| c.refused.clone_from(&f.code)),
        Event::RequestDecided(f, _) => tx.change(direct_key(f.conversation), |d: &mut Direct| {
            (d.request, d.refused) = (false, !f.accepted);
            d.decided_at = record.position;
        }),
        _ => {}
    }
}

fn changed(tx: &mut Tx, record: &Recorded, target: u64, change: impl FnOnce(&mut Change)) {
    tx.change(changes_key(record.conversation, target), |all: &mut Changes| {
        let at = match all.by_sequence.binary_search_by_key(&target, |c| c.0) {
            Ok(at) => at,
            Err(at) => {
                all.by_sequence.insert(at, (target, Change::default()));
                at
            }
        };
        let entry = &mut all.by_sequence[at].1;
        change(entry);
        entry.position = record.position;
    });
}
