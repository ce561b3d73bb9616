//! How people are told while they do not look: which devices a push service reaches, and what an account wants to hear.
//!
//! Owns prefix `n`. Events: PushSubscribed, PushUnsubscribed, NotifySet; DeviceRevoked and AccountDeleted end them. Who is
//! to be told of what is decided here (`rules.rs`, `notice.rs`) and sent elsewhere. Invariant: a device has at most one
//! subscription; its body is erased with the event that ends or replaces it.

mod commands;
mod heard;
mod notice;
mod rules;
mod unread;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use commands::{NewSubscription, Unreached, check};
pub(crate) use commands::{set, subscribe, unsubscribe};
pub use heard::{Heard, heard};
pub use notice::{Notice, notice, read_up_to};
pub use rules::{Because, Called, Moment, Silence, called, judge};
pub use unread::{unread, unread_in};

use crate::{
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'n';
/// In a conversation's place, of what is told before there is one: invitations into groups.
pub const NO_CONVERSATION: u64 = 0;
/// The bit of what stands in a conversation's place for a reminder; the others are its number.
const REMINDER: u64 = 1 << 63;
/// Accounts whose having subscriptions shares one value.
const CHUNK: u64 = 256;

/// Where and how a push service is written to for a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Which.
    pub device: u64,
    /// Of its record.
    pub position: u64,
    /// An https URL; empty once erased.
    pub endpoint: String,
    /// The device's public key, a point of P-256.
    pub p256dh: Vec<u8>,
    /// The secret that it shares with us.
    pub auth: Vec<u8>,
}

/// How an account wants to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Names and texts are not told.
    pub hidden: bool,
    /// There are hours in which nothing is told.
    pub quiet: bool,
    /// They begin, in minutes of the day.
    pub quiet_from_min: u32,
    /// They end; may be earlier than they begin, over midnight.
    pub quiet_until_min: u32,
    /// Minutes that the account's clock is ahead of UTC.
    pub offset_min: i32,
    /// In them @me and keywords are told all the same.
    pub quiet_calls: bool,
    /// Words that count like @me where only that is told.
    pub keywords: Vec<String>,
    /// Of the record that says so; 0: never said.
    pub position: u64,
}

/// In a conversation's place, of a reminder: each is told by itself.
pub fn reminder_place(number: u64) -> u64 {
    REMINDER | number
}

fn subscriptions_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'd', &[account])
}

fn settings_key(account: u64) -> Key {
    Key::numbers(PREFIX, b's', &[account])
}

fn reached_key(chunk: u64) -> Key {
    Key::numbers(PREFIX, b'r', &[chunk])
}

fn count_key() -> Key {
    Key::numbers(PREFIX, b'c', &[])
}

/// Devices of an account that a push service reaches.
pub fn subscriptions(read: &impl Read, account: u64) -> Arc<Vec<Subscription>> {
    read.get(&subscriptions_key(account)).unwrap_or_default()
}

/// That of one device.
pub fn subscription(read: &impl Read, account: u64, device: u64) -> Option<Subscription> {
    subscriptions(read, account).iter().find(|s| s.device == device).cloned()
}

/// Whether a push service reaches any device of the account; cheap, for asking of every member of a group.
pub fn is_reached(read: &impl Read, account: u64) -> bool {
    read.get::<Vec<u64>>(&reached_key(account / CHUNK)).is_some_and(|all| all.binary_search(&account).is_ok())
}

/// How many devices of all accounts are reached.
pub fn reached_devices(read: &impl Read) -> u64 {
    read.get::<u64>(&count_key()).map_or(0, |n| *n)
}

/// How an account wants to be told.
pub fn settings(read: &impl Read, account: u64) -> Arc<Settings> {
    read.get(&settings_key(account)).unwrap_or_default()
}

/// Positions of all bodies that the module keeps of an account.
pub(crate) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    let set = settings(read, account).position;
    subscriptions(read, account).iter().map(|s| s.position).chain((set != 0).then_some(set)).collect()
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::PushSubscribed(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let (device, position) = (f.device, record.position);
            let (p256dh, auth) = (body.p256dh.to_vec(), body.auth.to_vec());
            let new = Subscription { device, position, endpoint: body.endpoint, p256dh, auth };
            put(tx, f.account, |all| {
                all.retain(|s| s.device != device);
                all.push(new);
            });
        }
        Event::PushUnsubscribed(f, _) => put(tx, f.account, |all| all.retain(|s| s.device != f.device)),
        Event::DeviceRevoked(f, _) if is_reached(tx, f.account) => {
            put(tx, f.account, |all| all.retain(|s| s.device != f.device));
        }
        Event::NotifySet(f, body) => {
            let keywords = body.as_ref().map(|b| b.value.keywords.clone()).unwrap_or_default();
            let settings = Settings {
                hidden: f.hidden,
                quiet: f.quiet,
                quiet_from_min: f.quiet_from_min,
                quiet_until_min: f.quiet_until_min,
                offset_min: f.offset_min,
                quiet_calls: f.quiet_calls,
                keywords,
                position: record.position,
            };
            tx.put(settings_key(f.account), settings);
        }
        Event::AccountDeleted(f, _) => {
            if is_reached(tx, f.account) {
                put(tx, f.account, Vec::clear);
            }
            if settings(tx, f.account).position != 0 {
                tx.remove(settings_key(f.account));
            }
        }
        _ => {}
    }
}

/// Changes an account's subscriptions, and what is counted of them.
fn put(tx: &mut Tx, account: u64, change: impl FnOnce(&mut Vec<Subscription>)) {
    let mut all = subscriptions(tx, account).to_vec();
    let before = all.len() as u64;
    change(&mut all);
    let now = all.len() as u64;
    if now == 0 {
        tx.remove(subscriptions_key(account));
    } else {
        tx.put(subscriptions_key(account), all);
    }
    if before != now {
        tx.change(count_key(), |n: &mut u64| *n = *n + now - before);
        tx.change(reached_key(account / CHUNK), |list: &mut Vec<u64>| match (list.binary_search(&account), now) {
            (Ok(at), 0) => {
                list.remove(at);
            }
            (Err(at), 1..) => list.insert(at, account),
            _ => {}
        });
    }
}
