//! Saved messages: references with a note, the newest first. An account's entries are counted and never counted again; 256
//! numbers share one value, and where a message's entry is stands by stretches of its conversation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_journal::ReadJournal;
use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::{PREFIX, stream};
use crate::{
    command::Answer,
    context::Ctx,
    conversations::{self, Message, record_at},
    erasure,
    event::{Event, Recorded},
    later,
    store::{Key, New, Read, Store, Tx},
};

/// Numbers, and sequences, in one value.
const CHUNK: u64 = 256;

/// A message that was saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Its number; the account counts.
    pub number: u64,
    /// Where the message is.
    pub conversation: u64,
    /// Its number there.
    pub sequence: u64,
    /// When it was saved, milliseconds since 1970.
    pub saved_ms: u64,
    /// Of the record with the note.
    pub position: u64,
}

/// Some entries, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedPage {
    /// The entries.
    pub entries: Vec<Saved>,
    /// The next page is of numbers below this; 0: there is none.
    pub next: u64,
    /// How many there are in all.
    pub count: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Root {
    last: u64,
    count: u64,
    /// Of the last record that changed any of it.
    position: u64,
}

/// What has become of a saved message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be read.
    Here,
    /// Its author took it back.
    Recalled,
    /// It was opened, and its time is over.
    Burnt,
    /// The domain keeps it no longer.
    Expired,
    /// Its author's account was deleted, and what it said with it.
    Deleted,
    /// It is not this account's to read any more.
    Unreadable,
}

impl State {
    /// As clients are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Recalled => "recalled",
            Self::Burnt => "burnt",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Unreadable => "unreadable",
        }
    }
}

fn root_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'r', &[account])
}

fn chunk_key(account: u64, number: u64) -> Key {
    Key::numbers(PREFIX, b's', &[account, number / CHUNK])
}

fn places_key(account: u64, conversation: u64, sequence: u64) -> Key {
    Key::numbers(PREFIX, b'i', &[account, conversation, sequence / CHUNK])
}

fn root(read: &impl Read, account: u64) -> Arc<Root> {
    read.get(&root_key(account)).unwrap_or_default()
}

fn chunk(read: &impl Read, account: u64, number: u64) -> Arc<Vec<Saved>> {
    read.get(&chunk_key(account, number)).unwrap_or_default()
}

/// Position of the last record that changed what the account has saved.
pub fn saved_position(read: &impl Read, account: u64) -> u64 {
    root(read, account).position
}

/// The entry with this number.
pub fn saved_one(read: &impl Read, account: u64, number: u64) -> Option<Saved> {
    let entries = chunk(read, account, number);
    entries.binary_search_by_key(&number, |e| e.number).ok().map(|at| entries[at].clone())
}

/// The number under which a message is saved.
pub fn saved_number(read: &impl Read, account: u64, conversation: u64, sequence: u64) -> Option<u64> {
    let places = read.get::<Vec<(u64, u64)>>(&places_key(account, conversation, sequence))?;
    places.binary_search_by_key(&sequence, |p| p.0).ok().map(|at| places[at].1)
}

/// Entries with numbers below `before` (0: from the newest), at most so many.
pub fn saved(read: &impl Read, account: u64, before: u64, limit: usize) -> SavedPage {
    let root = root(read, account);
    let mut page = SavedPage { count: root.count, ..SavedPage::default() };
    let mut number = if before == 0 { root.last } else { (before - 1).min(root.last) };
    while number > 0 {
        for entry in chunk(read, account, number).iter().rev().filter(|e| e.number <= number) {
            if page.entries.len() == limit {
                page.next = entry.number + 1;
                return page;
            }
            page.entries.push(entry.clone());
        }
        number = (number / CHUNK * CHUNK).saturating_sub(1);
    }
    page
}

/// What has become of the message, and itself while it can be read.
pub fn state(
    store: &Store,
    journal: &dyn ReadJournal,
    account: u64,
    conversation: u64,
    sequence: u64,
) -> (State, Option<Message>) {
    let Some(message) = conversations::single_for(store, journal, account, conversation, sequence) else {
        return (State::Unreadable, None);
    };
    let state = match &message {
        m if m.recalled => State::Recalled,
        m if m.burnt => State::Burnt,
        m if m.expired => State::Expired,
        m if m.content.is_none() => State::Deleted,
        _ => return (State::Here, Some(message)),
    };
    (state, None)
}

fn note_in(record: Recorded) -> String {
    let Event::SavedSet(_, Some(body)) = record.event else { return String::new() };
    body.value.note
}

/// The note of an entry.
pub fn note(journal: &dyn ReadJournal, entry: &Saved) -> String {
    let record = journal.read(entry.position).ok().and_then(|r| Recorded::read(&r).ok());
    record.map(note_in).unwrap_or_default()
}

/// Saves a message, or sets the note of one that is saved.
pub(crate) fn save(
    tx: &mut Tx,
    ctx: &mut Ctx,
    account: u64,
    conversation: u64,
    sequence: u64,
    note: String,
) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let note = note.trim().to_owned();
    later::check_note(&note)?;
    conversations::check_readable(tx, account, conversation, sequence)?;
    let old = saved_number(tx, account, conversation, sequence).and_then(|number| saved_one(tx, account, number));
    let root = root(tx, account);
    if let Some(old) = &old {
        if record_at(tx, ctx, old.position).map(note_in).as_ref() == Some(&note) {
            return Ok(Answer::Number(old.number));
        }
    } else if root.count >= limits::SAVED_MAX as u64 {
        return Err(Error::new(Code::TooMany).with("what", "saved messages").with("max", limits::SAVED_MAX));
    }
    let (number, replaces) = old.map_or((root.last + 1, 0), |old| (old.number, old.position));
    let facts = pb::SavedSet { account, number, conversation, sequence, replaces, removed: false };
    let body = ctx.salted(pb::SavedSetBody { note });
    tx.emit(New { conversation: stream, event: Event::SavedSet(facts, Some(body)) });
    if replaces != 0 {
        erasure::erase(tx, vec![replaces], "superseded");
    }
    Ok(Answer::Number(number))
}

/// It is not saved any more.
pub(crate) fn remove_saved(tx: &mut Tx, account: u64, number: u64) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let Saved { conversation, sequence, position, .. } = saved_one(tx, account, number).ok_or(Code::NoSuchThing)?;
    let facts = pb::SavedSet { account, number, conversation, sequence, replaces: position, removed: true };
    tx.emit(New { conversation: stream, event: Event::SavedSet(facts, None) });
    erasure::erase(tx, vec![position], "removed");
    Ok(Answer::Done)
}

/// Positions of all notes.
pub(super) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    saved(read, account, 0, usize::MAX).entries.iter().map(|e| e.position).collect()
}

pub(super) fn set(tx: &mut Tx, f: &pb::SavedSet, record: &Recorded) {
    let mut entries = chunk(tx, f.account, f.number).to_vec();
    let place = entries.binary_search_by_key(&f.number, |e| e.number);
    let saved_ms = match place {
        Ok(at) => entries.remove(at).saved_ms,
        Err(_) => record.time_ms,
    };
    if !f.removed {
        let (number, conversation, sequence, position) = (f.number, f.conversation, f.sequence, record.position);
        entries.insert(place.unwrap_or_else(|at| at), Saved { number, conversation, sequence, saved_ms, position });
    }
    put(tx, chunk_key(f.account, f.number), entries);
    let key = places_key(f.account, f.conversation, f.sequence);
    let mut places = tx.get::<Vec<(u64, u64)>>(&key).unwrap_or_default().to_vec();
    match (places.binary_search_by_key(&f.sequence, |p| p.0), f.removed) {
        (Ok(at), true) => drop(places.remove(at)),
        (Err(at), false) => places.insert(at, (f.sequence, f.number)),
        _ => {}
    }
    put(tx, key, places);
    tx.change(root_key(f.account), |root: &mut Root| {
        root.last = root.last.max(f.number);
        match (f.removed, f.replaces) {
            (true, _) => root.count = root.count.saturating_sub(1),
            (false, 0) => root.count += 1,
            _ => {}
        }
        root.position = record.position;
    });
}

fn put<T: crate::store::Value>(tx: &mut Tx, key: Key, entries: Vec<T>)
where
    Vec<T>: crate::store::Value,
{
    if entries.is_empty() { tx.remove(key) } else { tx.put(key, entries) }
}

/// The account is gone.
pub(super) fn forget(tx: &mut Tx, account: u64) {
    for entry in saved(tx, account, 0, usize::MAX).entries {
        tx.remove(chunk_key(account, entry.number));
        tx.remove(places_key(account, entry.conversation, entry.sequence));
    }
    tx.remove(root_key(account));
}
