//! Administration: who may do it, and the record of every act. The acts themselves are the rules of other modules.
//!
//! Owns prefix `m`. Events: Administered, TokenMade, TokenRevoked, BackupMade. A command that is administration ends with an
//! Administered in its own batch that says whose act it was; it comes wrapped in [`Command::Administer`], or counts as the
//! operator's. Invariants: nothing administrative is changed without such a record, whoever asks; what changed nothing is
//! not recorded; names are in no such record, and so are gone with the account.

mod acts;
mod scope;
mod tokens;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_journal::ReadJournal;
use startalk_protocol::{Code, Error, pb::events as pb};

pub use acts::is_administration;
pub use scope::{Area, By, Scopes, may};
pub use tokens::{Token, by_token_hash, tokens, valid};
pub(crate) use tokens::{make_token, revoke_token};

use crate::{
    command::{Answer, Command},
    context::Ctx,
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'm';
/// Positions of acts in one value.
const CHUNK: u64 = 256;
/// Backups that are remembered.
const BACKUPS_KEPT: usize = 20;

/// What an operator does to the node itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Tended {
    KeysReplaced,
    Compacted,
    /// The journal was copied up to a record, and the copy read again.
    BackedUp {
        records: u64,
        bytes: u64,
        verified: bool,
        place: String,
    },
    /// A backup of so many records is about to take the place of the domain as it is: the last that it records.
    RestoreBegun {
        records: u64,
    },
    /// The first that a domain records which was brought back: who asked for it, while the domain still was another.
    Restored {
        records: u64,
        replaced_records: u64,
        asked_by: By,
    },
    /// The domain as it was before a restore was deleted.
    ReplacedDeleted,
}

/// A backup that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// When it was finished, milliseconds since 1970.
    pub time_ms: u64,
    /// Records in it.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// It was read again and is whole.
    pub verified: bool,
    /// Where it was put.
    pub place: String,
}

fn acts_key(chunk: u64) -> Key {
    Key::numbers(PREFIX, b'a', &[chunk])
}

fn count_key() -> Key {
    Key::numbers(PREFIX, b'c', &[])
}

fn backups_key() -> Key {
    Key::numbers(PREFIX, b'b', &[])
}

/// How many acts are recorded.
pub fn acts(read: &impl Read) -> u64 {
    read.get::<u64>(&count_key()).map_or(0, |n| *n)
}

/// The last backups, the newest last.
pub fn backups(read: &impl Read) -> Arc<Vec<Backup>> {
    read.get(&backups_key()).unwrap_or_default()
}

/// One recorded act.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// Its number, from 1.
    pub number: u64,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// What.
    pub facts: pb::Administered,
}

/// The acts before this number (0: the newest), the newest first.
///
/// # Errors
/// If the journal cannot be read.
pub fn acted(read: &impl Read, journal: &dyn ReadJournal, before: u64, limit: usize) -> Result<Vec<Acted>, Error> {
    let end = if before == 0 { acts(read) } else { (before - 1).min(acts(read)) };
    let mut out = Vec::new();
    for number in (1..=end).rev().take(limit) {
        let chunk = read.get::<Vec<u64>>(&acts_key((number - 1) / CHUNK)).unwrap_or_default();
        let at = usize::try_from((number - 1) % CHUNK).expect("below 256");
        let Some(position) = chunk.get(at) else { continue };
        let failed = |e: &dyn std::fmt::Display| Error::new(Code::Internal).with("what", e.to_string());
        let record = journal.read(*position).map_err(|e| failed(&e))?;
        let recorded = Recorded::read(&record).map_err(|e| failed(&e))?;
        if let Event::Administered(facts, _) = recorded.event {
            out.push(Acted { number, time_ms: recorded.time_ms, facts });
        }
    }
    Ok(out)
}

/// Decides a command by the `rules`; one that is administration only for who may, and with its record.
pub(crate) fn decide(
    tx: &mut Tx,
    ctx: &mut Ctx,
    command: Command,
    rules: fn(&mut Tx, &mut Ctx, Command) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let (by, mut command) = match command {
        Command::Administer { by, command } => (by, *command),
        own if is_administration(&own) => (By::Operator, own),
        other => return rules(tx, ctx, other),
    };
    let Some((area, act)) = acts::of(tx, &command) else {
        return Err(Error::new(Code::NotAllowedHere).with("what", "this as an act of administration"));
    };
    may(tx, by, area, true, ctx.now_ms)?;
    acts::put_maker(tx, &mut command, by);
    let is_recorded_alone = matches!(command, Command::Tend(_));
    let subject = acts::Subject::before(tx, &command);
    let answer = rules(tx, ctx, command)?;
    if tx.records_of_command().is_empty() && !is_recorded_alone {
        return Ok(answer); // nothing was changed
    }
    let facts = subject.after(tx, &answer, act, by);
    tx.emit(New { conversation: 0, event: Event::Administered(facts, None) });
    Ok(answer)
}

/// Records what was done to the node itself.
pub(crate) fn tend(tx: &mut Tx, ctx: &mut Ctx, tended: Tended) -> Result<Answer, Error> {
    if let Tended::BackedUp { records, bytes, verified, place } = tended {
        let body = ctx.salted(pb::BackupMadeBody { place });
        let facts = pb::BackupMade { records, bytes, verified };
        tx.emit(New { conversation: 0, event: Event::BackupMade(facts, Some(body)) });
    }
    Ok(Answer::Done)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::Administered(..) => {
            let count = acts(tx);
            tx.change(acts_key(count / CHUNK), |all: &mut Vec<u64>| all.push(record.position));
            tx.put(count_key(), count + 1);
        }
        Event::BackupMade(f, body) => {
            let place = body.as_ref().map(|b| b.value.place.clone()).unwrap_or_default();
            let (records, bytes, verified) = (f.records, f.bytes, f.verified);
            tx.change(backups_key(), |all: &mut Vec<Backup>| {
                all.push(Backup { time_ms: record.time_ms, records, bytes, verified, place });
                let over = all.len().saturating_sub(BACKUPS_KEPT);
                all.drain(..over);
            });
        }
        _ => tokens::apply(tx, record),
    }
}
