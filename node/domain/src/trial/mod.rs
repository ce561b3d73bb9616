//! Accounts of a domain for trying: when each ends, that its person is told before, and that it ends then.
//!
//! Owns prefix `y`. Events: TrialNoticed; reads PolicySet and RoleSet. An account ends a number of days after it was made; who
//! administers is not counted. Nobody ends who was not told a week and a day before, by the clock of then, and what was told holds
//! for the policy of then only: with other days everybody is told anew. The account goes as if its owner had deleted it.
//! docs/decisions/0029-trial-domains.md
//! Invariant: between the first notice and the end there are seven days of a clock that is believed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{Error, pb::events as pb};

use crate::{
    accounts::{self, Account, Role},
    command::Answer,
    context::Ctx,
    event::{Event, Recorded},
    governance, later, retention,
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'y';
const DAY_MS: u64 = 24 * 3600 * 1000;
/// The first notice comes so long before the end.
const WEEK_MS: u64 = 7 * DAY_MS;
/// Accounts looked at by one command.
const STEP_ACCOUNTS: usize = 500;
/// Accounts that are told or end by one command; the write loop serves others before the next.
const STEP_ACTS: usize = 20;

/// What an account was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Notice {
    ends_ms: u64,
    /// It was the second one.
    last: bool,
    /// Of the record of the first.
    position: u64,
}

/// The policy that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rule {
    days: u32,
    /// Of the record that set it; notices before it hold no more.
    since: u64,
}

fn notice_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'n', &[account])
}

fn rule_key() -> Key {
    Key::numbers(PREFIX, b'r', &[])
}

fn notice(read: &impl Read, account: u64) -> Option<Notice> {
    let since = read.get::<Rule>(&rule_key())?.since;
    read.get::<Notice>(&notice_key(account)).map(|n| *n).filter(|n| n.position > since)
}

fn is_counted(account: &Account) -> bool {
    !account.deleted && !account.ending && account.role == Role::Member
}

/// When an account ends, milliseconds since 1970; `None`: it does not by itself.
pub fn ends_ms(read: &impl Read, account: u64) -> Option<u64> {
    let days = governance::realm(read).trial_days;
    let account = accounts::account(read, account).filter(|a| days > 0 && is_counted(a))?;
    let told = notice(read, account.account).map(|n| n.ends_ms);
    Some(told.unwrap_or_else(|| by_age(&account, days)))
}

fn by_age(account: &Account, days: u32) -> u64 {
    account.created_ms + u64::from(days) * DAY_MS
}

/// What is to be done about an account now.
enum Act {
    Tell(Notice),
    End,
}

fn due(read: &impl Read, account: &Account, days: u32, clock_ms: u64) -> Option<Act> {
    match notice(read, account.account) {
        None => {
            let ends_ms = by_age(account, days).max(clock_ms + WEEK_MS);
            let soon = by_age(account, days) <= clock_ms + WEEK_MS;
            soon.then_some(Act::Tell(Notice { ends_ms, last: false, position: 0 }))
        }
        Some(told) if !told.last => {
            let soon = told.ends_ms <= clock_ms + DAY_MS;
            soon.then_some(Act::Tell(Notice { ends_ms: told.ends_ms.max(clock_ms + DAY_MS), last: true, ..told }))
        }
        Some(told) => (told.ends_ms <= clock_ms).then_some(Act::End),
    }
}

/// A step of telling and ending, from the `from`-th account on. `words`: of the reminder that each notice is, first and last.
pub(crate) fn look(tx: &mut Tx, ctx: &mut Ctx, clock_ms: u64, from: u64, words: &[String; 2]) -> Result<Answer, Error> {
    let days = governance::realm(tx).trial_days;
    if days == 0 || !retention::is_believed(tx, ctx, clock_ms) {
        return Ok(Answer::Done);
    }
    let all = accounts::list(tx);
    let mut acts = 0;
    let mut at = usize::try_from(from).unwrap_or(usize::MAX);
    let last = at.saturating_add(STEP_ACCOUNTS);
    while at < all.len() {
        if at == last || acts == STEP_ACTS {
            return Ok(Answer::More { conversation: 0, from: at as u64 });
        }
        let account: Option<Arc<Account>> = accounts::account(tx, all[at]).filter(|a| is_counted(a));
        at += 1;
        let Some((account, act)) = account.and_then(|a| due(tx, &a, days, clock_ms).map(|act| (a, act))) else { continue };
        acts += 1;
        match act {
            Act::End => {
                accounts::delete(tx, ctx, account.account)?;
            }
            Act::Tell(told) => {
                let facts = pb::TrialNoticed { account: account.account, ends_ms: told.ends_ms, last: told.last };
                tx.emit(New { conversation: account.stream, event: Event::TrialNoticed(facts, None) });
                later::remind_now(tx, ctx, account.account, &words[usize::from(told.last)]);
            }
        }
    }
    Ok(Answer::Done)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::PolicySet(f, _) => {
            let known = tx.get::<Rule>(&rule_key()).map_or(0, |r| r.days);
            if known != f.trial_days {
                tx.put(rule_key(), Rule { days: f.trial_days, since: record.position });
            }
        }
        // Who administered for a while was not counted meanwhile, and is told anew.
        Event::RoleSet(f, _) => forget(tx, f.account),
        Event::AccountDeleted(f, _) => forget(tx, f.account),
        Event::TrialNoticed(f, _) => {
            let first = tx.get::<Notice>(&notice_key(f.account)).filter(|_| f.last).map_or(record.position, |n| n.position);
            tx.put(notice_key(f.account), Notice { ends_ms: f.ends_ms, last: f.last, position: first });
        }
        _ => {}
    }
}

fn forget(tx: &mut Tx, account: u64) {
    if tx.get::<Notice>(&notice_key(account)).is_some() {
        tx.remove(notice_key(account));
    }
}
