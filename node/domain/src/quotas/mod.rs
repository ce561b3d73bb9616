//! What may be used at most, by one account in a day and by all together: one rule for every way in.
//!
//! Owns prefix `q`. No events of its own: what counts says so in its facts (`said_bytes` of MessageAdded, MessageEdited,
//! GroupSubmitted and GroupRecorded), which is decided when it is said; without a quota nothing is counted and nothing
//! written. A day is one of UTC, by journal time. Who administers is not counted.

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error};

use crate::{
    accounts::{self, Role},
    contacts,
    context::Ctx,
    directory::HERE,
    event::{Event, Recorded},
    governance, groups,
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'q';
const HOUR_MS: u64 = 3600 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What an account has said on one day, as far as it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// Days since 1970.
    day: u64,
    /// Messages.
    pub messages: u64,
    /// Bytes of what they and their edits say.
    pub bytes: u64,
}

fn today_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'd', &[account])
}

/// What an account has said today.
pub fn today(read: &impl Read, account: u64, now_ms: u64) -> Today {
    let day = now_ms / DAY_MS;
    let counted = read.get::<Today>(&today_key(account)).map(|t| *t).unwrap_or_default();
    if counted.day == day { counted } else { Today { day, ..Today::default() } }
}

/// Whether one more account may be made.
pub(crate) fn may_be_made(read: &impl Read) -> Result<(), Error> {
    let max = governance::realm(read).quotas.accounts;
    if max == 0 {
        return Ok(());
    }
    let there = accounts::list(read).iter().filter(|n| accounts::account(read, **n).is_some_and(|a| !a.deleted)).count();
    if there as u64 >= max { Err(Error::new(Code::AccountsFull).with("max", max)) } else { Ok(()) }
}

/// What is counted to the account's day if it says this now: bytes, 0 if nothing is. `messages`: 1, or 0 for an edit.
pub(crate) fn counted(read: &impl Read, ctx: &Ctx, account: u64, messages: u64, content: &[u8]) -> Result<u64, Error> {
    let quotas = governance::realm(read).quotas;
    let is_free = || accounts::account(read, account).is_some_and(|a| a.role == Role::Administrator);
    if (quotas.messages_per_day == 0 && quotas.bytes_per_day == 0) || is_free() {
        return Ok(0);
    }
    let (said, bytes) = (today(read, account, ctx.now_ms), content.len() as u64);
    let reached = |what: &str, max: u64| {
        let until_ms = (said.day + 1) * DAY_MS;
        let hours = (until_ms - ctx.now_ms).div_ceil(HOUR_MS);
        let error = Error::new(Code::DailyLimit).with("what", what).with("max", max);
        Err(error.with("until_ms", until_ms).with("hours", hours))
    };
    if quotas.messages_per_day != 0 && said.messages + messages > quotas.messages_per_day {
        return reached("messages", quotas.messages_per_day);
    }
    if quotas.bytes_per_day != 0 && said.bytes + bytes > quotas.bytes_per_day {
        return reached("bytes", quotas.bytes_per_day);
    }
    Ok(bytes)
}

/// Whether the account may own one more group of this domain.
pub(crate) fn may_own(read: &impl Read, account: u64) -> Result<(), Error> {
    let max = governance::realm(read).quotas.groups_per_account;
    let is_free = || accounts::account(read, account).is_none_or(|a| a.role == Role::Administrator);
    if max == 0 || is_free() {
        return Ok(());
    }
    let owns = |conversation: &u64| {
        groups::group(read, *conversation).is_some_and(|g| {
            let owner = || groups::member(read, *conversation, g.owner);
            g.home == HERE && !g.destroyed && owner().is_some_and(|m| m.person == account && m.is_in())
        })
    };
    let owned = contacts::conversations(read, account).iter().filter(|c| owns(c)).count();
    if owned as u64 >= max { Err(Error::new(Code::TooManyGroups).with("max", max)) } else { Ok(()) }
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    let (account, messages, bytes) = match &record.event {
        Event::MessageAdded(f, _) => (f.author, 1, f.said_bytes),
        Event::MessageEdited(f, _) => (f.author, 0, f.said_bytes),
        Event::GroupSubmitted(f, _) => (f.account, u64::from(!f.said_edit), f.said_bytes),
        Event::GroupRecorded(f, _) => (f.said_by, u64::from(!f.said_edit), f.said_bytes),
        _ => return,
    };
    if bytes == 0 {
        return;
    }
    let before = today(tx, account, record.time_ms);
    tx.put(today_key(account), Today { messages: before.messages + messages, bytes: before.bytes + bytes, ..before });
}
