//! Files: which the domain knows, who holds them, which records refer to them; and who may read one (decision 0025).
//!
//! Owns prefix `f`. Events: FilesMet, FilesHeld, FilesReleased, FilesForgotten, FilesGone; it also reads which files
//! MessageAdded, GroupRecorded, GroupSubmitted, MessageScheduled and StickersSet refer to. Bytes are not here: `node/media` has them.
//! Invariant: a file is read through a message that its reader may read as it is now, or by who holds it; a file is known for
//! each domain that it came from, so that knowing a hash gives nothing.

mod collect;
mod list;
mod model;
mod peers;
mod refer;
mod rights;

use startalk_protocol::{Code, Error, pb::events as pb};

pub(crate) use collect::{collect, gone};
pub use list::listed;
pub use model::{Here, NewFile, Picture, Used};
pub use peers::{for_peer, question};
pub(crate) use refer::{in_group, met, met_here, stay, to_say};
pub use rights::{forgotten, is_pinned, may_read, own, source, through};

use model::{CHUNK, Entry, Holding, References, Sorts};

use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    directory::HERE,
    event::{Event, Recorded},
    governance,
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'f';

/// What the domain knows of a file; by its number.
fn entry_key(file: u64) -> Key {
    Key::numbers(PREFIX, b'e', &[file])
}

/// Numbers of the files with this hash, with the domain that each came from.
fn hash_key(hash: &[u8; 32]) -> Key {
    Key::text(PREFIX, b'h', 0, hash)
}

/// A chunk of the positions of records that refer to a file.
fn references_key(file: u64, chunk: u64) -> Key {
    Key::numbers(PREFIX, b'r', &[file, chunk])
}

/// What an account holds, of the files with numbers of one chunk.
fn holding_key(account: u64, file: u64) -> Key {
    Key::numbers(PREFIX, b'o', &[account, file / CHUNK])
}

/// How many bytes an account holds.
fn used_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'u', &[account])
}

/// Files whose bytes are to go.
fn forgotten_key() -> Key {
    Key::numbers(PREFIX, b'g', &[])
}

/// How many messages of a conversation stand in its list of files; and the chunks of that.
fn list_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'l', &[conversation])
}

fn list_chunk_key(conversation: u64, chunk: u64) -> Key {
    Key::numbers(PREFIX, b'm', &[conversation, chunk])
}

fn entry(read: &impl Read, file: u64) -> Option<std::sync::Arc<Entry>> {
    read.get(&entry_key(file))
}

/// (origin, number) of every file with this hash.
fn by_hash(read: &impl Read, hash: &[u8; 32]) -> std::sync::Arc<Vec<(u64, u64)>> {
    read.get(&hash_key(hash)).unwrap_or_default()
}

/// What the domain knows of a file.
pub fn file(read: &impl Read, file: u64) -> Option<Here> {
    entry(read, file).map(|e| e.here(file))
}

/// The files with the next numbers after this one, at most so many numbers looked at; to walk all of them. Also the number to go
/// on after; `None`: that was all.
pub fn after(read: &impl Read, number: u64, limit: u64) -> (Vec<Here>, Option<u64>) {
    let last = governance::numbers(read).file;
    let until = number.saturating_add(limit).min(last);
    let there = (number + 1..=until).filter_map(|n| file(read, n)).collect();
    (there, (until < last).then_some(until))
}

/// Whether somebody here has put these bytes into the store, and they are not to go.
pub fn is_stored(read: &impl Read, hash: &[u8; 32]) -> bool {
    let stored = |(origin, number): &(u64, u64)| *origin == HERE && entry(read, *number).is_some_and(|e| !e.forgotten);
    by_hash(read, hash).iter().any(stored)
}

/// What an account holds, in sum.
pub fn used(read: &impl Read, account: u64) -> Used {
    read.get::<Used>(&used_key(account)).map(|u| *u).unwrap_or_default()
}

/// Whether the account may put so many more bytes here, in one file.
///
/// # Errors
/// `file-too-large`, `over-file-quota`.
pub fn may_upload(read: &impl Read, account: u64, size: u64) -> Result<(), Error> {
    fits_in_one(read, size).and_then(|()| fits_in_all(read, account, size))
}

fn fits_in_one(read: &impl Read, size: u64) -> Result<(), Error> {
    let max = governance::realm(read).files.file_bytes_max;
    if size <= max { Ok(()) } else { Err(Error::new(Code::FileTooLarge).with("max", max).with("max_mib", mib(max))) }
}

fn fits_in_all(read: &impl Read, account: u64, more: u64) -> Result<(), Error> {
    let (max, used) = (governance::realm(read).files.bytes_per_account, used(read, account).bytes);
    if max == 0 || more == 0 || used.saturating_add(more) <= max {
        return Ok(());
    }
    let error = Error::new(Code::OverFileQuota).with("used", used).with("max", max);
    Err(error.with("used_mib", mib(used)).with("max_mib", mib(max)))
}

/// As people read sizes.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

/// An account has put these into the store, or had a right to them already: it holds them from now on.
pub(crate) fn hold(tx: &mut Tx, ctx: &mut Ctx, account: u64, files: Vec<NewFile>) -> Result<Answer, Error> {
    if !accounts::account(tx, account).is_some_and(|a| a.is_live()) {
        return Err(Code::NotSignedIn.into());
    }
    let stays = |number: &u64| entry(tx, *number).is_some_and(|e| !e.forgotten);
    let known = |hash: &[u8; 32]| by_hash(tx, hash).iter().filter(|f| f.0 == HERE).map(|f| f.1).find(stays);
    let (mut numbers, mut new): (Vec<u64>, Vec<NewFile>) = (Vec::new(), Vec::new());
    let mut more = 0;
    for file in files {
        match known(&file.hash) {
            Some(number) => {
                more += if holding(tx, account, number).is_some() { 0 } else { file.size };
                numbers.push(number);
            }
            None if new.iter().any(|n| n.hash == file.hash) => {}
            None => {
                more += file.size;
                new.push(file);
            }
        }
    }
    new.iter().try_for_each(|file| fits_in_one(tx, file.size))?;
    fits_in_all(tx, account, more)?;
    if !new.is_empty() {
        let first = governance::numbers(tx).file + 1;
        numbers.extend(first..first + new.len() as u64);
        refer::emit_met(tx, ctx, HERE, &new);
    }
    tx.emit(New { conversation: 0, event: Event::FilesHeld(pb::FilesHeld { account, files: numbers }, None) });
    Ok(Answer::Done)
}

/// Since when an account holds a file, in milliseconds.
fn holding(read: &impl Read, account: u64, file: u64) -> Option<u64> {
    let held = read.get::<Holding>(&holding_key(account, file))?;
    held.files.binary_search_by_key(&file, |f| f.0).ok().map(|at| held.files[at].1)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::FilesMet(f, body) => {
            let files = body.as_ref().map(|b| b.value.files.as_slice()).unwrap_or_default();
            for (at, (number, size)) in (f.first..).zip(&f.sizes).enumerate() {
                // Without a body it has been forgotten since, with everything that is counted until then.
                let met = files.get(at).and_then(|met| Some((met, <[u8; 32]>::try_from(met.hash.as_ref()).ok()?)));
                tx.put(entry_key(number), Entry::of(f, *size, met, record.position));
                if let Some((_, hash)) = met {
                    tx.change(hash_key(&hash), |all: &mut Vec<(u64, u64)>| all.push((f.origin, number)));
                }
            }
        }
        Event::FilesHeld(f, _) => f.files.iter().for_each(|file| held(tx, f.account, *file, record.time_ms)),
        Event::FilesReleased(f, _) => f.files.iter().for_each(|file| released(tx, f.account, *file)),
        Event::FilesForgotten(f, _) => {
            for file in &f.files {
                tx.change(entry_key(*file), |e: &mut Entry| e.forgotten = true);
            }
            tx.change(forgotten_key(), |all: &mut Vec<u64>| all.extend(&f.files));
        }
        Event::FilesGone(f, _) => {
            tx.change(forgotten_key(), |all: &mut Vec<u64>| all.retain(|n| !f.files.contains(n)));
            f.files.iter().for_each(|file| removed(tx, *file));
        }
        Event::MessageAdded(f, _) => {
            let by_here = f.r#in.is_none();
            referred(tx, record, &f.files, by_here);
            list::add(tx, record.conversation, record.sequence, f.holds);
        }
        Event::GroupRecorded(f, _) => {
            referred(tx, record, &f.files, f.origin == HERE);
            list::add(tx, record.conversation, record.sequence, f.holds);
        }
        Event::GroupSubmitted(f, _) => referred(tx, record, &f.files, true),
        Event::MessageScheduled(f, _) => referred(tx, record, &f.files, true),
        Event::StickersSet(f, _) => referred(tx, record, &f.files, true),
        _ => {}
    }
}

fn referred(tx: &mut Tx, record: &Recorded, files: &[u64], by_here: bool) {
    for file in files {
        let Some(known) = entry(tx, *file) else { continue };
        let chunk = known.references / CHUNK;
        tx.change(references_key(*file, chunk), |all: &mut References| all.positions.push(record.position));
        tx.change(entry_key(*file), |e: &mut Entry| {
            e.references += 1;
            e.said_here |= by_here;
        });
    }
}

fn held(tx: &mut Tx, account: u64, file: u64, since_ms: u64) {
    let Some(known) = entry(tx, file) else { return };
    let mut is_new = false;
    tx.change(holding_key(account, file), |held: &mut Holding| match held.files.binary_search_by_key(&file, |f| f.0) {
        Ok(at) => held.files[at].1 = since_ms,
        Err(at) => {
            held.files.insert(at, (file, since_ms));
            is_new = true;
        }
    });
    if is_new {
        let bytes = known.size;
        tx.change(used_key(account), |used: &mut Used| (used.files, used.bytes) = (used.files + 1, used.bytes + bytes));
        tx.change(entry_key(file), |e: &mut Entry| e.holders.push(account));
    }
}

fn released(tx: &mut Tx, account: u64, file: u64) {
    let (Some(known), Some(_)) = (entry(tx, file), holding(tx, account, file)) else { return };
    tx.change(holding_key(account, file), |held: &mut Holding| held.files.retain(|f| f.0 != file));
    let bytes = known.size;
    tx.change(used_key(account), |used: &mut Used| {
        (used.files, used.bytes) = (used.files.saturating_sub(1), used.bytes.saturating_sub(bytes));
    });
    tx.change(entry_key(file), |e: &mut Entry| e.holders.retain(|a| *a != account));
}

fn removed(tx: &mut Tx, file: u64) {
    let Some(known) = entry(tx, file) else { return };
    (0..=known.references / CHUNK).for_each(|chunk| tx.remove(references_key(file, chunk)));
    let mut left = (*by_hash(tx, &known.hash)).clone();
    left.retain(|f| f.1 != file);
    match (left.is_empty(), known.hash == [0; 32]) {
        (_, true) => {}
        (true, false) => tx.remove(hash_key(&known.hash)),
        (false, false) => tx.put(hash_key(&known.hash), left),
    }
    tx.remove(entry_key(file));
}

/// For listing: what sorts of things an administrator may want to know of all files together.
pub fn sums(read: &impl Read) -> Sorts {
    let mut sums = Sorts::default();
    let mut next = Some(0);
    while let Some(number) = next {
        let (files, go_on) = after(read, number, 1024);
        for file in files {
            let of = if file.origin == HERE { &mut sums.stored } else { &mut sums.of_others };
            (of.files, of.bytes) = (of.files + 1, of.bytes + file.size);
        }
        next = go_on;
    }
    sums
}
