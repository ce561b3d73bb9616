//! How an account is there: what it says of itself by hand, the weekly hours in which it is not to be disturbed, and what is
//! answered for it meanwhile. Synced over its devices, for it is in the journal; who is connected is not (node/gateway).
//!
//! Owns prefix `v`. Events: AvailabilitySet, ScheduleSet, AutoReplySet, AutoReplied, AccountDeleted. Whether it is to be
//! disturbed now is decided in `hours.rs`, and nowhere else: pushes, presence and automatic answers ask there.
//! Invariant: an automatic answer is in the batch of the message that it answers, so it is given exactly once.

mod commands;
mod hours;
mod reply;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use commands::{set, set_auto_reply, set_schedule};
pub use hours::{Standing, hours, is_covered, standing, standing_of};
pub(crate) use reply::answer;

use crate::{
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'v';

/// What an account says of itself by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// "online", "away", "busy", "dnd", "offline" (wants to seem so), or empty: nothing.
    pub state: String,
    /// Until then, milliseconds since 1970; 0: until it is changed.
    pub until_ms: i64,
    /// Shown beside it.
    pub text: String,
    /// Of the record that says so; 0: never said.
    pub position: u64,
}

/// A stretch of the day, on some days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// A sum of 1 Monday, 2 Tuesday … 64 Sunday: the days on which it begins.
    pub days: u32,
    /// Minute of the day at which it begins.
    pub from_min: u32,
    /// At which it ends, at most 1440; not after `from_min`: of the next day. None at all if they are the same.
    pub until_min: u32,
}

/// Weekly hours in which an account is not to be disturbed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The place whose clock they go by ("Europe/Berlin").
    pub zone: String,
    /// Empty: none.
    pub spans: Vec<Span>,
    /// Of the record that says so; 0: never said.
    pub position: u64,
}

/// What is answered for an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoReply {
    /// Empty: nothing.
    pub text: String,
    /// While it says by hand that it is not to be disturbed.
    pub when_dnd: bool,
    /// While it says by hand that it is away.
    pub when_away: bool,
    /// In the hours of its schedule.
    pub when_scheduled: bool,
    /// Of the record that says so; 0: never said.
    pub position: u64,
}

fn said_key(account: u64) -> Key {
    Key::numbers(PREFIX, b's', &[account])
}

fn schedule_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'h', &[account])
}

fn reply_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'r', &[account])
}

fn replied_key(account: u64, person: u64) -> Key {
    Key::numbers(PREFIX, b'l', &[account, person])
}

/// What the account said last, also if its time is over.
pub fn said(read: &impl Read, account: u64) -> Arc<Said> {
    read.get(&said_key(account)).unwrap_or_default()
}

/// Its weekly hours.
pub fn schedule(read: &impl Read, account: u64) -> Arc<Schedule> {
    read.get(&schedule_key(account)).unwrap_or_default()
}

/// What is answered for it.
pub fn auto_reply(read: &impl Read, account: u64) -> Arc<AutoReply> {
    read.get(&reply_key(account)).unwrap_or_default()
}

/// When somebody was last answered for it, milliseconds; 0: never.
fn replied_ms(read: &impl Read, account: u64, person: u64) -> u64 {
    read.get::<u64>(&replied_key(account, person)).map_or(0, |ms| *ms)
}

/// Positions of all bodies that the module keeps of an account.
pub(crate) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    let all = [said(read, account).position, schedule(read, account).position, auto_reply(read, account).position];
    all.into_iter().filter(|p| *p != 0).collect()
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    let position = record.position;
    match &record.event {
        Event::AvailabilitySet(f, body) => {
            let text = body.as_ref().map(|b| b.value.text.clone()).unwrap_or_default();
            tx.put(said_key(f.account), Said { state: f.state.clone(), until_ms: f.until_ms, text, position });
        }
        Event::ScheduleSet(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let span = |s: &startalk_protocol::pb::events::ScheduleSpan| Span {
                days: s.days,
                from_min: s.from_min,
                until_min: s.until_min,
            };
            let spans = body.spans.iter().map(span).collect();
            tx.put(schedule_key(f.account), Schedule { zone: body.zone, spans, position });
        }
        Event::AutoReplySet(f, body) => {
            let text = body.as_ref().map(|b| b.value.text.clone()).unwrap_or_default();
            let (when_dnd, when_away, when_scheduled) = reply::when(f.when);
            tx.put(reply_key(f.account), AutoReply { text, when_dnd, when_away, when_scheduled, position });
        }
        Event::AutoReplied(f, _) => tx.put(replied_key(f.account, f.person), record.time_ms),
        Event::AccountDeleted(f, _) => {
            for key in [said_key(f.account), schedule_key(f.account), reply_key(f.account)] {
                tx.remove(key);
            }
        }
        _ => {}
    }
}
