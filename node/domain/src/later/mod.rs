//! What happens later: messages that an account has scheduled, what it wants to be reminded of, and when opened messages burn.
//!
//! Owns prefix `l`. Events: MessageScheduled, ScheduledEnded, ScheduledFailed, ReminderSet, ReminderMoved; reads
//! MessageOpened, MessageBurnt (their times; the rest is conversations') and AccountDeleted. Time passes only through events:
//! what is due is a view (`index.rs`), and a timer of the node sends [`crate::Command::WorkDue`]. docs/decisions/0027-later.md
//! Invariant: a scheduled message is said by the command that ends its entry, in one batch: never twice, never lost.

mod index;
mod reminders;
mod scheduled;
mod work;

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error};

pub use index::next_ms;
use index::{Due, What};
pub use reminders::NewReminder;
pub(crate) use reminders::{check_note, end as end_reminder, remind_now, set as set_reminder};
pub use scheduled::{NewScheduled, Written, written};
pub(crate) use scheduled::{cancel, change, schedule, send_now};
pub(crate) use work::work;

use crate::{
    accounts,
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'l';
/// Keys of scheduled messages that are remembered, so that one that is asked for again after it was said is not said again.
const KEYS_KEPT: usize = 256;

/// A message that waits for its time, or could not be said then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Its number; the account counts.
    pub number: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// 0: to whom its body says.
    pub conversation: u64,
    /// Id of the message that it answers; empty: none.
    pub reply_to: Vec<u8>,
    /// In a group instead; 0: none.
    pub reply_sequence: u64,
    /// Of the record with what it says.
    pub position: u64,
    /// The code of the error for which it was not said; empty: it waits.
    pub failed: String,
}

/// All of an account's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllScheduled {
    /// By number.
    pub entries: Vec<Scheduled>,
    /// The last number given.
    last: u64,
    /// Keys of the last ones, and their numbers.
    keys: VecDeque<([u8; 16], u64)>,
    /// Of the last record that changed any of it.
    pub position: u64,
}

/// Something to be reminded of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// Its number; the account counts.
    pub number: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Of a message; 0: of none.
    pub conversation: u64,
    /// Its number there.
    pub sequence: u64,
    /// Of the record with its note.
    pub position: u64,
    /// Of the record that says that its time has come; 0: it has not.
    pub due_at: u64,
}

/// All of an account's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllReminders {
    /// By number.
    pub entries: Vec<Reminder>,
    /// The last number given.
    last: u64,
    /// Of the last record that changed any of it.
    pub position: u64,
}

fn scheduled_key(account: u64) -> Key {
    Key::numbers(PREFIX, b's', &[account])
}

fn reminders_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'r', &[account])
}

/// What an account has scheduled.
pub fn scheduled(read: &impl Read, account: u64) -> Arc<AllScheduled> {
    read.get(&scheduled_key(account)).unwrap_or_default()
}

/// What an account wants to be reminded of.
pub fn reminders(read: &impl Read, account: u64) -> Arc<AllReminders> {
    read.get(&reminders_key(account)).unwrap_or_default()
}

/// The words of a reminder's note; empty when there is none.
pub fn note(journal: &dyn startalk_journal::ReadJournal, reminder: &Reminder) -> String {
    let record = journal.read(reminder.position).ok().and_then(|r| Recorded::read(&r).ok());
    match record.map(|r| r.event) {
        Some(Event::ReminderSet(_, Some(body))) => body.value.note,
        _ => String::new(),
    }
}

/// Positions of all bodies that the module keeps of an account.
pub(crate) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    let said = scheduled(read, account);
    let reminded = reminders(read, account);
    said.entries.iter().map(|s| s.position).chain(reminded.entries.iter().map(|r| r.position)).collect()
}

/// The stream of a live account.
fn stream(read: &impl Read, account: u64) -> Result<u64, Error> {
    Ok(accounts::account(read, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    let position = record.position;
    match &record.event {
        Event::MessageScheduled(f, _) => {
            let key = <[u8; 16]>::try_from(f.key.as_ref()).unwrap_or_default();
            let entry = Scheduled {
                number: f.number,
                at_ms: f.at_ms,
                conversation: f.conversation,
                reply_to: f.reply_to.to_vec(),
                reply_sequence: f.reply_sequence,
                position,
                failed: String::new(),
            };
            scheduled_changed(tx, f.account, f.number, position, Some(entry));
            tx.change(scheduled_key(f.account), |all: &mut AllScheduled| {
                all.last = all.last.max(f.number);
                if f.replaces == 0 {
                    all.keys.push_back((key, f.number));
                    all.keys.drain(..all.keys.len().saturating_sub(KEYS_KEPT));
                }
            });
        }
        Event::ScheduledEnded(f, _) => scheduled_changed(tx, f.account, f.number, position, None),
        Event::ScheduledFailed(f, _) => {
            let entry = scheduled(tx, f.account).entries.iter().find(|e| e.number == f.number).cloned();
            let failed = entry.map(|entry| Scheduled { failed: f.code.clone(), ..entry });
            scheduled_changed(tx, f.account, f.number, position, failed);
        }
        Event::ReminderSet(f, _) => {
            let entry = Reminder {
                number: f.number,
                at_ms: f.at_ms,
                conversation: f.conversation,
                sequence: f.sequence,
                position,
                due_at: 0,
            };
            reminder_changed(tx, f.account, f.number, position, Some(entry));
        }
        Event::ReminderMoved(f, _) => {
            let entry = reminders(tx, f.account).entries.iter().find(|e| e.number == f.number).cloned();
            let due = entry.filter(|_| f.due).map(|entry| Reminder { due_at: position, ..entry });
            reminder_changed(tx, f.account, f.number, position, due);
        }
        Event::MessageOpened(f, _) if f.burn_at_ms != 0 => {
            index::put(tx, burning(record.conversation, f.target, f.burn_at_ms));
        }
        Event::MessageBurnt(f, _) => index::remove(tx, &burning(record.conversation, f.target, f.burn_at_ms)),
        Event::AccountDeleted(f, _) => {
            for entry in &scheduled(tx, f.account).entries {
                index::remove(tx, &waits(f.account, entry));
            }
            for entry in &reminders(tx, f.account).entries {
                index::remove(tx, &reminds(f.account, entry));
            }
            tx.remove(scheduled_key(f.account));
            tx.remove(reminders_key(f.account));
        }
        _ => {}
    }
}

fn waits(account: u64, entry: &Scheduled) -> Due {
    Due { at_ms: entry.at_ms, what: What::Scheduled { account, number: entry.number } }
}

fn reminds(account: u64, entry: &Reminder) -> Due {
    Due { at_ms: entry.at_ms, what: What::Reminder { account, number: entry.number } }
}

fn burning(conversation: u64, sequence: u64, at_ms: u64) -> Due {
    Due { at_ms, what: What::Burn { conversation, sequence } }
}

/// What is under a number now, and when it is due.
fn scheduled_changed(tx: &mut Tx, account: u64, number: u64, position: u64, now: Option<Scheduled>) {
    let mut all = (*scheduled(tx, account)).clone();
    let place = all.entries.binary_search_by_key(&number, |e| e.number);
    if let Ok(at) = place {
        index::remove(tx, &waits(account, &all.entries.remove(at)));
    }
    if let Some(entry) = now {
        if entry.failed.is_empty() {
            index::put(tx, waits(account, &entry));
        }
        all.entries.insert(place.unwrap_or_else(|at| at), entry);
    }
    all.position = position;
    tx.put(scheduled_key(account), all);
}

fn reminder_changed(tx: &mut Tx, account: u64, number: u64, position: u64, now: Option<Reminder>) {
    let mut all = (*reminders(tx, account)).clone();
    let place = all.entries.binary_search_by_key(&number, |e| e.number);
    if let Ok(at) = place {
        index::remove(tx, &reminds(account, &all.entries.remove(at)));
    }
    if let Some(entry) = now {
        if entry.due_at == 0 {
            index::put(tx, reminds(account, &entry));
        }
        all.entries.insert(place.unwrap_or_else(|at| at), entry);
    }
    all.last = all.last.max(number);
    all.position = position;
    tx.put(reminders_key(account), all);
}
