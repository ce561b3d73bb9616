//! An account's own stickers, in its order.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error, limits,
    pb::{
        content::{Content, Sticker as Shown, content::Kind},
        events as pb,
    },
};

use super::{PREFIX, stream};
use crate::{
    command::Answer,
    context::Ctx,
    conversations::{
        self,
        content::{self, Holds},
    },
    erasure,
    event::{Event, Recorded},
    files,
    store::{Key, New, Read, Tx},
};

/// What is done with the stickers of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StickerChange {
    /// The sticker of a message that may be read.
    FromMessage {
        /// Where it is.
        conversation: u64,
        /// Its number there.
        sequence: u64,
    },
    /// content.Sticker, of a file that the account holds.
    Own(Bytes),
    /// Not any more.
    Remove(u64),
    /// All numbers, in their new order.
    Order(Vec<u64>),
}

/// A sticker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticker {
    /// Its number; the account counts.
    pub number: u64,
    /// Of its record.
    pub position: u64,
    /// Of its file; zeros if the record's body is gone.
    pub hash: [u8; 32],
    /// The file's number.
    pub file: u64,
}

/// All of an account's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stickers {
    /// In its order.
    pub entries: Vec<Sticker>,
    last: u64,
    /// Of the last record that changed any of it.
    pub position: u64,
}

fn key(account: u64) -> Key {
    Key::numbers(PREFIX, b'k', &[account])
}

/// The account's stickers.
pub fn stickers(read: &impl Read, account: u64) -> Arc<Stickers> {
    read.get(&key(account)).unwrap_or_default()
}

/// Whether the account has a sticker of this file: then it holds the file.
pub fn keeps(read: &impl Read, account: u64, hash: &[u8; 32]) -> bool {
    file_of(read, account, hash).is_some()
}

/// The number of the file with this hash, if a sticker of the account's is of it.
pub(crate) fn file_of(read: &impl Read, account: u64, hash: &[u8; 32]) -> Option<u64> {
    stickers(read, account).entries.iter().find(|s| s.hash == *hash).map(|s| s.file)
}

/// content.Sticker of an entry; empty if it cannot be read.
pub fn sticker(journal: &dyn ReadJournal, entry: &Sticker) -> Bytes {
    match journal.read(entry.position).ok().and_then(|r| Recorded::read(&r).ok()).map(|r| r.event) {
        Some(Event::StickersSet(_, Some(body))) => body.value.sticker,
        _ => Bytes::new(),
    }
}

/// Adds, takes away or orders.
pub(crate) fn change(tx: &mut Tx, ctx: &mut Ctx, account: u64, change: StickerChange) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let all = stickers(tx, account);
    let mut facts = pb::StickersSet { account, ..pb::StickersSet::default() };
    let sticker = match change {
        StickerChange::FromMessage { conversation, sequence } => Some(of_message(tx, ctx, account, conversation, sequence)?),
        StickerChange::Own(bytes) => Some(bytes),
        StickerChange::Remove(number) => {
            let old = all.entries.iter().find(|s| s.number == number).ok_or(Code::NoSuchThing)?;
            facts.removed.push(number);
            tx.emit(New { conversation: stream, event: Event::StickersSet(facts, None) });
            erasure::erase(tx, vec![old.position], "removed");
            return Ok(Answer::Done);
        }
        StickerChange::Order(order) => {
            let sorted = |mut numbers: Vec<u64>| {
                numbers.sort_unstable();
                numbers
            };
            let now: Vec<u64> = all.entries.iter().map(|s| s.number).collect();
            if order == now {
                return Ok(Answer::Done);
            }
            if sorted(order.clone()) != sorted(now) {
                return Err(Error::new(Code::BadValue).with("field", "order").with("expected", "every sticker's number, once"));
            }
            facts.order = order;
            None
        }
    };
    let body = match sticker {
        Some(bytes) => {
            let held = check(&bytes)?;
            let hash = held.files.first().map(|f| f.hash).unwrap_or_default();
            if all.entries.iter().any(|s| s.hash == hash) {
                return Ok(Answer::Done);
            }
            if all.entries.len() >= limits::STICKERS_MAX {
                return Err(Error::new(Code::TooMany).with("what", "stickers").with("max", limits::STICKERS_MAX));
            }
            facts.files = files::to_say(tx, ctx, account, &held.files)?;
            facts.number = all.last + 1;
            Some(ctx.salted(pb::StickersSetBody { sticker: bytes }))
        }
        None => None,
    };
    tx.emit(New { conversation: stream, event: Event::StickersSet(facts, body) });
    Ok(Answer::Done)
}

/// The sticker that a message is.
fn of_message(tx: &Tx, ctx: &Ctx, account: u64, conversation: u64, sequence: u64) -> Result<Bytes, Error> {
    let content = conversations::said_to(tx, ctx, account, conversation, sequence)?;
    match Content::decode(content).map(|c| c.kind) {
        Ok(Some(Kind::Sticker(sticker))) => Ok(sticker.encode_to_vec().into()),
        _ => Err(Error::new(Code::BadValue).with("field", "sequence").with("expected", "a sticker")),
    }
}

/// Judges content.Sticker's bytes as if they were said, and says which file it has.
///
/// # Errors
/// `bad-value`, `too-large`.
fn check(bytes: &[u8]) -> Result<Holds, Error> {
    if bytes.len() > limits::STICKER_BYTES_MAX {
        let error = Error::new(Code::TooLarge).with("what", "sticker").with("got", bytes.len());
        return Err(error.with("max", limits::STICKER_BYTES_MAX));
    }
    let bad = || Error::new(Code::BadValue).with("field", "sticker").with("expected", "a sticker with a file");
    let sticker = Shown::decode(bytes).map_err(|_| bad())?;
    let said = Content { kind: Some(Kind::Sticker(sticker)), ..Content::default() };
    content::check(&said.encode_to_vec(), content::Kinds::All)
}

/// Positions of all bodies.
pub(super) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    stickers(read, account).entries.iter().map(|s| s.position).collect()
}

pub(super) fn set(tx: &mut Tx, f: &pb::StickersSet, sticker: Option<&Bytes>, position: u64) {
    tx.change(key(f.account), |all: &mut Stickers| {
        all.entries.retain(|s| !f.removed.contains(&s.number));
        if !f.order.is_empty() {
            let place = |s: &Sticker| f.order.iter().position(|n| *n == s.number);
            all.entries.sort_by_key(place);
        }
        if f.number != 0 {
            let held = sticker.and_then(|bytes| check(bytes).ok()).unwrap_or_default();
            let hash = held.files.first().map(|file| file.hash).unwrap_or_default();
            let file = f.files.first().copied().unwrap_or_default();
            all.entries.push(Sticker { number: f.number, position, hash, file });
            all.last = all.last.max(f.number);
        }
        all.position = position;
    });
}

/// The account is gone.
pub(super) fn forget(tx: &mut Tx, account: u64) {
    tx.remove(key(account));
}

/// For fuzzing and mutation tests: judges foreign bytes as a sticker. Must never panic, whatever the bytes.
pub fn check_bytes(bytes: &[u8]) {
    let _ = check(bytes);
}
