//! What an account keeps about persons, for itself alone: a remark (its own name for them) and a star.
//!
//! A remark is what somebody wrote about somebody: it is a body, and erased when it is replaced or its owner goes. Persons
//! share a value by the number they have; what was taken away stays as an empty entry, so that devices hear of it.

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error, UserId, limits, pb::events as pb};

use super::PREFIX;
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    directory, erasure,
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
};

/// Persons' numbers that share a value.
const CHUNK: u64 = 256;

/// What is kept about somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Whom.
    pub person: u64,
    /// The account's own name for them; empty: none.
    pub remark: String,
    /// Among those that it wants at hand.
    pub starred: bool,
    /// Of the record whose body the remark is; 0: there is none.
    pub remark_at: u64,
    /// Of the last record about them.
    pub position: u64,
}

fn chunk_key(account: u64, chunk: u64) -> Key {
    Key::numbers(PREFIX, b'k', &[account, chunk])
}

/// Which chunks there are, ascending.
fn chunks_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'i', &[account])
}

/// What the account keeps about a person.
pub fn kept(read: &impl Read, account: u64, person: u64) -> Option<Kept> {
    let all = read.get::<Vec<Kept>>(&chunk_key(account, person / CHUNK))?;
    all.binary_search_by_key(&person, |k| k.person).ok().map(|at| all[at].clone())
}

/// Everything that it keeps; also what was taken away, as empty entries.
pub fn all_kept(read: &impl Read, account: u64) -> Vec<Kept> {
    let chunks = read.get::<Vec<u64>>(&chunks_key(account)).unwrap_or_default();
    chunks.iter().filter_map(|c| read.get::<Vec<Kept>>(&chunk_key(account, *c))).flat_map(|c| c.to_vec()).collect()
}

/// Positions of all remarks of an account.
pub(crate) fn remarks_at(read: &impl Read, account: u64) -> Vec<u64> {
    all_kept(read, account).into_iter().map(|k| k.remark_at).filter(|p| *p != 0).collect()
}

pub(crate) fn keep_person(
    tx: &mut Tx,
    ctx: &mut Ctx,
    account: u64,
    user: &UserId,
    remark: Option<String>,
    starred: Option<bool>,
) -> Result<Answer, Error> {
    let stream = accounts::account(tx, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream;
    // Nobody is met by being remarked on: a name that one makes up is nobody's.
    let peer = if user.domain == *ctx.domain { Some(directory::HERE) } else { directory::peer_number(tx, &user.domain) };
    let person = peer.and_then(|peer| directory::person_number(tx, peer, &user.name));
    let person = person.ok_or_else(|| Error::new(Code::NoSuchUser).with("user", user))?;
    let old = kept(tx, account, person).unwrap_or_default();
    let remark = remark.map_or_else(|| old.remark.clone(), |r| r.trim().to_owned());
    directory::check_display_name(&remark, "remark")?;
    let starred = starred.unwrap_or(old.starred);
    if (&remark, starred) == (&old.remark, old.starred) {
        return Ok(Answer::Done);
    }
    let is_new = old.remark.is_empty() && !old.starred;
    if is_new && all_kept(tx, account).iter().filter(|k| k.starred || !k.remark.is_empty()).count() >= limits::PERSONS_KEPT_MAX {
        return Err(Error::new(Code::TooMany).with("what", "persons").with("max", limits::PERSONS_KEPT_MAX));
    }
    let body = (!remark.is_empty()).then(|| ctx.salted(pb::PersonKeptBody { remark }));
    let facts = pb::PersonKept { account, person, starred, replaces: old.remark_at };
    tx.emit(New { conversation: stream, event: Event::PersonKept(facts, body) });
    if old.remark_at != 0 {
        erasure::erase(tx, vec![old.remark_at], "superseded");
    }
    Ok(Answer::Done)
}

pub(super) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::PersonKept(f, body) => {
            let remark = body.as_ref().map(|b| b.value.remark.clone()).unwrap_or_default();
            let remark_at = if remark.is_empty() { 0 } else { record.position };
            let new = Kept { person: f.person, remark, starred: f.starred, remark_at, position: record.position };
            tx.change(chunk_key(f.account, f.person / CHUNK), |all: &mut Vec<Kept>| {
                match all.binary_search_by_key(&new.person, |k| k.person) {
                    Ok(at) => all[at] = new,
                    Err(at) => all.insert(at, new),
                }
            });
            tx.change(chunks_key(f.account), |all: &mut Vec<u64>| super::insert(all, f.person / CHUNK));
        }
        Event::AccountDeleted(f, _) => {
            for chunk in tx.get::<Vec<u64>>(&chunks_key(f.account)).unwrap_or_default().iter() {
                tx.remove(chunk_key(f.account, *chunk));
            }
            tx.remove(chunks_key(f.account));
        }
        _ => {}
    }
}
