//! Whom an account knows: its conversations and how they stand in its list, what it keeps about persons, whom it has
//! blocked, who may write to it first, and which first contacts wait for its decision.
//!
//! Owns prefix `b`. Events: DirectOpened, RequestDecided, BlockSet, AccountDeleted, ConversationSet, GroupRecorded,
//! GroupSubmitted, GroupMembersLearned, ConversationArranged, PersonKept, OpennessSet. Invariant: open requests from one
//! domain to one person never exceed their limit.

mod arrange;
mod find;
mod openness;
mod persons;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, DomainName, Error, UserId, limits, pb::events as pb};

use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    directory,
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
};

pub(crate) use arrange::arrange;
pub use arrange::{Arranged, Arrangement, arranged};
pub use find::{Findable, findable};
pub(crate) use openness::set_openness;
pub use openness::{Admission, Audience, FirstContact, Openness, openness};
pub(crate) use persons::keep_person;
pub use persons::{Kept, all_kept, kept};

const PREFIX: u8 = b'b';
/// Conversations in one chunk of an account's list.
const CHUNK: u64 = 256;

/// How an account wants to hear of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hearing {
    /// Silent until then, milliseconds since 1970; 0: not silent.
    pub muted_until_ms: i64,
    /// While silent, what calls the account by name is told.
    pub mentions_only: bool,
    /// Of the record that says so.
    pub position: u64,
}

/// Persons and domains that an account does not hear.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Blocked {
    /// Their numbers, ascending.
    pub persons: Vec<u64>,
    /// Their domains' numbers, ascending.
    pub peers: Vec<u64>,
}

fn blocked_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'x', &[account])
}

fn requests_key(account: u64, peer: u64) -> Key {
    Key::numbers(PREFIX, b'r', &[account, peer])
}

fn waiting_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'w', &[conversation])
}

fn list_key(person: u64, chunk: u64) -> Key {
    Key::numbers(PREFIX, b'l', &[person, chunk])
}

fn count_key(person: u64) -> Key {
    Key::numbers(PREFIX, b'c', &[person])
}

fn hearing_key(account: u64, conversation: u64) -> Key {
    Key::numbers(PREFIX, b'h', &[account, conversation])
}

/// How the account wants to hear of a conversation.
pub fn hearing(read: &impl Read, account: u64, conversation: u64) -> Hearing {
    read.get::<Hearing>(&hearing_key(account, conversation)).map(|h| *h).unwrap_or_default()
}

fn peers_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'p', &[account])
}

/// Whom an account has blocked.
pub fn blocked(read: &impl Read, account: u64) -> Arc<Blocked> {
    read.get(&blocked_key(account)).unwrap_or_default()
}

/// Whether `account` refuses what comes from `person` of domain `peer`.
pub fn blocks(read: &impl Read, account: u64, person: u64, peer: u64) -> bool {
    let Some(list) = read.get::<Blocked>(&blocked_key(account)) else { return false };
    list.persons.binary_search(&person).is_ok() || (peer != directory::HERE && list.peers.binary_search(&peer).is_ok())
}

/// Numbers of the conversations that an account is in, oldest first.
pub fn conversations(read: &impl Read, account: u64) -> Vec<u64> {
    let count = read.get::<u64>(&count_key(account)).map_or(0, |c| *c);
    (0..count.div_ceil(CHUNK)).filter_map(|c| read.get::<Vec<u64>>(&list_key(account, c))).flat_map(|c| c.to_vec()).collect()
}

/// Numbers of the domains whose people an account has conversations with.
pub fn peers_of(read: &impl Read, account: u64) -> Vec<u64> {
    read.get::<Vec<u64>>(&peers_key(account)).map(|p| p.to_vec()).unwrap_or_default()
}

/// How many first contacts from a domain wait for the account's decision.
pub fn open_requests(read: &impl Read, account: u64, peer: u64) -> u64 {
    read.get::<u64>(&requests_key(account, peer)).map_or(0, |n| *n)
}

pub(crate) fn block_user(tx: &mut Tx, ctx: &mut Ctx, account: u64, user: &UserId, blocked: bool) -> Result<Answer, Error> {
    let peer = match directory::peer_number(tx, &user.domain) {
        Some(peer) => peer,
        None if user.domain == *ctx.domain => directory::HERE,
        None => directory::number_of(tx, ctx, &user.domain),
    };
    let person = directory::number_or_meet_person(tx, ctx, peer, &user.name)?;
    if person == account {
        return Err(Error::new(Code::NotAllowedHere).with("what", "blocking oneself"));
    }
    set_block(tx, account, person, 0, blocked)
}

pub(crate) fn block_domain(tx: &mut Tx, ctx: &Ctx, account: u64, domain: &DomainName, blocked: bool) -> Result<Answer, Error> {
    if domain == ctx.domain {
        return Err(Error::new(Code::NotAllowedHere).with("what", "blocking one's own domain"));
    }
    let peer = match directory::peer_number(tx, domain) {
        Some(peer) => peer,
        None => directory::number_of(tx, ctx, domain),
    };
    set_block(tx, account, 0, peer, blocked)
}

fn set_block(tx: &mut Tx, account: u64, person: u64, peer: u64, set: bool) -> Result<Answer, Error> {
    let stream = accounts::account(tx, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream;
    let now = blocked(tx, account);
    let is_set = if person != 0 { now.persons.binary_search(&person).is_ok() } else { now.peers.binary_search(&peer).is_ok() };
    if set && !is_set && now.persons.len() + now.peers.len() >= limits::BLOCKED_MAX {
        return Err(Error::new(Code::TooMany).with("what", "blocked").with("max", limits::BLOCKED_MAX));
    }
    if set != is_set {
        let facts = pb::BlockSet { account, person, peer, blocked: set };
        tx.emit(New { conversation: stream, event: Event::BlockSet(facts, None) });
    }
    Ok(Answer::Done)
}

/// Sets how the account wants to hear of a conversation of its own.
pub(crate) fn set_conversation(
    tx: &mut Tx,
    account: u64,
    conversation: u64,
    muted_until_ms: i64,
    mentions_only: bool,
) -> Result<Answer, Error> {
    let stream = accounts::account(tx, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream;
    if !conversations(tx, account).contains(&conversation) {
        return Err(Code::NoSuchConversation.into());
    }
    let now = hearing(tx, account, conversation);
    if (now.muted_until_ms, now.mentions_only) != (muted_until_ms, mentions_only) {
        let facts = pb::ConversationSet { account, conversation, muted_until_ms, mentions_only };
        tx.emit(New { conversation: stream, event: Event::ConversationSet(facts, None) });
    }
    Ok(Answer::Done)
}

/// Positions of all bodies that the module keeps of an account.
pub(crate) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    let said = openness(read, account).position;
    persons::remarks_at(read, account).into_iter().chain((said != 0).then_some(said)).collect()
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    arrange::apply(tx, record);
    persons::apply(tx, record);
    openness::apply(tx, record);
    match &record.event {
        Event::ConversationSet(f, _) => {
            let (muted_until_ms, mentions_only) = (f.muted_until_ms, f.mentions_only);
            let hearing = Hearing { muted_until_ms, mentions_only, position: record.position };
            tx.put(hearing_key(f.account, f.conversation), hearing);
        }
        // Whoever comes in, or asks to: a group is found by its members.
        Event::GroupRecorded(f, _) if f.person != 0 => list_once(tx, f.person, record.conversation),
        Event::GroupSubmitted(f, _) => list_once(tx, f.account, f.conversation),
        Event::GroupMembersLearned(f, _) => f.members.iter().for_each(|m| list_once(tx, m.person, f.conversation)),
        Event::DirectOpened(f, _) => {
            list_conversation(tx, f.a, f.conversation);
            if f.b != f.a {
                list_conversation(tx, f.b, f.conversation);
            }
            if f.peer != directory::HERE {
                tx.change(peers_key(f.a), |p: &mut Vec<u64>| insert(p, f.peer));
            }
            if f.request {
                tx.put(waiting_key(f.conversation), f.peer);
                tx.change(requests_key(f.a, f.peer), |n: &mut u64| *n += 1);
            }
        }
        Event::RequestDecided(f, _) => {
            if let Some(peer) = tx.get::<u64>(&waiting_key(f.conversation)) {
                tx.remove(waiting_key(f.conversation));
                tx.change(requests_key(f.account, *peer), |n: &mut u64| *n = n.saturating_sub(1));
            }
        }
        Event::BlockSet(f, _) => tx.change(blocked_key(f.account), |b: &mut Blocked| {
            let (list, number) = if f.person != 0 { (&mut b.persons, f.person) } else { (&mut b.peers, f.peer) };
            if f.blocked {
                insert(list, number);
            } else {
                list.retain(|n| *n != number);
            }
        }),
        Event::AccountDeleted(f, _) => tx.remove(blocked_key(f.account)),
        _ => {}
    }
}

fn insert(sorted: &mut Vec<u64>, number: u64) {
    if let Err(at) = sorted.binary_search(&number) {
        sorted.insert(at, number);
    }
}

fn list_once(tx: &mut Tx, person: u64, conversation: u64) {
    // The list is short, and this happens when somebody joins. What comes last is looked at first.
    let count = tx.get::<u64>(&count_key(person)).map_or(0, |c| *c);
    let known = (0..=count / CHUNK)
        .rev()
        .any(|chunk| tx.get::<Vec<u64>>(&list_key(person, chunk)).is_some_and(|l| l.iter().rev().any(|c| *c == conversation)));
    if !known {
        list_conversation(tx, person, conversation);
    }
}

fn list_conversation(tx: &mut Tx, person: u64, conversation: u64) {
    let count = tx.get::<u64>(&count_key(person)).map_or(0, |c| *c);
    tx.change(list_key(person, count / CHUNK), |l: &mut Vec<u64>| l.push(conversation));
    tx.put(count_key(person), count + 1);
}
