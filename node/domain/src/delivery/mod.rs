//! Exactly once, and how far: which commands of a device were executed, and the members' delivered and read marks.
//!
//! Owns prefix `w`. Reads MessageAdded, MessageEdited, MessageRecalled (windows), MarksMoved, MarksSent (marks),
//! DeviceRevoked. A window keeps the position of what each of the last 256 commands became; that record is the answer
//! when the command comes again, and the evidence when another comes under its number. Invariant: marks only grow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{
    Code, Error, limits,
    sabotage::{self, Switch},
};

use crate::{
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'w';
/// Persons whose marks in a group share one value.
const GROUP_CHUNK: u64 = 64;

/// The last commands of a device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Window {
    /// The highest number so far.
    pub top: u64,
    /// (number, position of what it became), oldest first; not sorted by number. Copied with each message of the device, so it
    /// is one piece of memory.
    entries: Vec<(u64, u64)>,
    /// Numbers at or below this have left the window.
    floor: u64,
}

/// One member's marks in a conversation: sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Whose.
    pub person: u64,
    /// Arrived at a device of theirs.
    pub delivered: u64,
    /// Seen by them.
    pub read: u64,
}

/// A conversation's marks, and the position of the last record that moved one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConversationMarks {
    /// By person, ascending.
    pub marks: Vec<Marks>,
    /// For sync: a device whose cursor is before it has not heard.
    pub position: u64,
}

fn window_key(device: u64) -> Key {
    Key::numbers(PREFIX, b'w', &[device])
}

fn marks_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'm', &[conversation])
}

/// What a command number of a device stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbered {
    /// Not used yet.
    New,
    /// Became the record at this position.
    Executed(u64),
}

/// The highest command number of a device.
pub fn top(read: &impl Read, device: u64) -> u64 {
    read.get::<Window>(&window_key(device)).map_or(0, |w| w.top)
}

/// Looks a command number up.
///
/// # Errors
/// `too-old` if it has left the window: whether it was executed is no longer known, so it is not.
pub fn look_up(read: &impl Read, device: u64, counter: u64) -> Result<Numbered, Error> {
    if counter == 0 {
        return Err(Error::new(Code::BadValue).with("field", "counter").with("expected", "1 or more"));
    }
    if sabotage::is(Switch::NoDedupe) {
        return Ok(Numbered::New);
    }
    let Some(window) = read.get::<Window>(&window_key(device)) else { return Ok(Numbered::New) };
    if counter > window.top {
        return Ok(Numbered::New);
    }
    if let Some((_, position)) = window.entries.iter().rev().find(|(c, _)| *c == counter) {
        return Ok(Numbered::Executed(*position));
    }
    if counter <= window.floor { Err(Error::new(Code::TooOld).with("counter", counter)) } else { Ok(Numbered::New) }
}

/// The marks of a conversation.
pub fn marks(read: &impl Read, conversation: u64) -> Arc<ConversationMarks> {
    read.get(&marks_key(conversation)).unwrap_or_default()
}

/// One person's marks there.
pub fn marks_of(read: &impl Read, conversation: u64, person: u64) -> Marks {
    let all = marks(read, conversation);
    all.marks.iter().find(|m| m.person == person).copied().unwrap_or(Marks { person, ..Marks::default() })
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::MessageAdded(f, _) => executed(tx, f.device, f.counter, record.position),
        Event::MessageEdited(f, _) => executed(tx, f.device, f.counter, record.position),
        Event::MessageRecalled(f, _) => executed(tx, f.device, f.counter, record.position),
        Event::GroupRecorded(f, _) if f.submitted_at == 0 => executed(tx, f.device, f.counter, record.position),
        Event::GroupSubmitted(f, _) => executed(tx, f.device, f.counter, record.position),
        Event::MarksMoved(f, _) => {
            for mark in &f.marks {
                moved(tx, record.position, *mark);
            }
        }
        Event::MarksSent(f, _) => {
            if let Some(mark) = f.mark {
                moved(tx, record.position, mark);
            }
        }
        Event::DeviceRevoked(f, _) => tx.remove(window_key(f.device)),
        _ => {}
    }
}

fn executed(tx: &mut Tx, device: u64, counter: u64, position: u64) {
    if device == 0 {
        return;
    }
    tx.change(window_key(device), |w: &mut Window| {
        w.top = w.top.max(counter);
        if w.entries.len() >= limits::ANSWERS_KEPT {
            let (left, _) = w.entries.remove(0);
            w.floor = w.floor.max(left);
        }
        w.entries.push((counter, position));
    });
}

/// A member's marks in a group, and the position of the record that moved them. Of groups the marks of all are no one
/// value: each message would write those of thousands again.
pub fn group_marks_of(read: &impl Read, conversation: u64, person: u64) -> Marks {
    let all = group_marks(read, conversation, person);
    all.marks.iter().find(|m| m.person == person).copied().unwrap_or(Marks { person, ..Marks::default() })
}

/// Position of the last record that moved marks of this person, or of somebody with a number near theirs.
pub fn group_marks_position(read: &impl Read, conversation: u64, person: u64) -> u64 {
    group_marks(read, conversation, person).position
}

fn group_marks(read: &impl Read, conversation: u64, person: u64) -> Arc<ConversationMarks> {
    read.get(&group_marks_key(conversation, person)).unwrap_or_default()
}

fn group_marks_key(conversation: u64, person: u64) -> Key {
    Key::numbers(PREFIX, b'g', &[conversation, person / GROUP_CHUNK])
}

fn moved(tx: &mut Tx, position: u64, mark: startalk_protocol::pb::events::Mark) {
    let key = if mark.group { group_marks_key(mark.conversation, mark.person) } else { marks_key(mark.conversation) };
    tx.change(key, |all: &mut ConversationMarks| {
        all.position = position;
        match all.marks.binary_search_by_key(&mark.person, |m| m.person) {
            Ok(at) => {
                let m = &mut all.marks[at];
                (m.delivered, m.read) = (m.delivered.max(mark.delivered), m.read.max(mark.read));
            }
            Err(at) => all.marks.insert(at, Marks { person: mark.person, delivered: mark.delivered, read: mark.read }),
        }
    });
}
