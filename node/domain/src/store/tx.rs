//! The overlay of a batch being made: commands read through it, and each event's changes are in it at once, so that
//! the next command of the batch sees them. Nothing is visible outside until [`Tx::finish`] and the store's commit.
//!
//! A command that fails leaves no trace: [`Tx::rollback`] undoes what it wrote since [`Tx::begin`].

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Consistent, Key, Map, Read, Slot, Store, Value, typed};
use crate::event::{Event, Recorded};

/// An event that a command decided on, not yet placed in the journal.
pub struct New {
    /// The conversation (or account stream) that it belongs to; 0: none.
    pub conversation: u64,
    /// What happened.
    pub event: Event,
}

/// A place in the command being decided.
pub struct Savepoint {
    undo: usize,
    records: usize,
}

/// The batch being made.
pub struct Tx<'a> {
    store: &'a Store,
    overlay: Map<Slot>,
    undo: Vec<(Key, Option<Slot>)>,
    records: Vec<Recorded>,
    begun_records: usize,
    first_position: u64,
    time_ms: u64,
}

impl<'a> Tx<'a> {
    /// A batch whose first record will stand at `first_position`, at the journal time `time_ms`.
    pub fn new(store: &'a Store, first_position: u64, time_ms: u64) -> Self {
        Self { store, overlay: Map::default(), undo: Vec::new(), records: Vec::new(), begun_records: 0, first_position, time_ms }
    }

    /// A command begins.
    pub fn begin(&mut self) {
        self.undo.clear();
        self.begun_records = self.records.len();
    }

    /// The command failed: as if it had not begun.
    pub fn rollback(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(slot) => self.overlay.insert(key, slot),
                None => self.overlay.remove(&key),
            };
        }
        self.records.truncate(self.begun_records);
    }

    /// Where the command is, to go back to if a part of it fails.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { undo: self.undo.len(), records: self.records.len() }
    }

    /// What the command wrote since then is undone.
    pub fn undo_to(&mut self, before: Savepoint) {
        while self.undo.len() > before.undo
            && let Some((key, slot)) = self.undo.pop()
        {
            match slot {
                Some(slot) => self.overlay.insert(key, slot),
                None => self.overlay.remove(&key),
            };
        }
        self.records.truncate(before.records);
    }

    /// Writes a value.
    pub fn put<T: Value>(&mut self, key: Key, value: T) {
        self.write(key, Some(Arc::new(value)));
    }

    /// Removes a value.
    pub fn remove(&mut self, key: Key) {
        self.write(key, None);
    }

    fn write(&mut self, key: Key, slot: Slot) {
        let before = self.overlay.insert(key.clone(), slot);
        self.undo.push((key, before));
    }

    /// Changes a value in place, beginning with the default where there is none.
    pub fn change<T: DeserializeOwned + Value + Default + Clone>(&mut self, key: Key, change: impl FnOnce(&mut T)) {
        let mut value: Arc<T> = self.get(&key).unwrap_or_default();
        change(Arc::make_mut(&mut value));
        self.write(key, Some(value));
    }

    /// Places an event: next position, next sequence of its conversation, this batch's time; and applies it.
    pub fn emit(&mut self, new: New) -> &Recorded {
        let position = self.next_position();
        let (next, previous) = crate::timeline::next(self, new.conversation);
        let sequence = if new.event.is_numbered() { next } else { 0 };
        let hashed = if new.event.is_chained() { new.event.body() } else { None };
        let record = Recorded {
            position,
            time_ms: self.time_ms,
            conversation: new.conversation,
            sequence,
            previous,
            body_hash: hashed.map(|b| startalk_journal::content_hash(&b)).unwrap_or_default(),
            event: new.event,
        };
        crate::domain::apply(self, &record);
        self.records.push(record);
        self.records.last().expect("just pushed")
    }

    /// The journal time of this batch, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Where the next event will stand.
    pub fn next_position(&self) -> u64 {
        self.first_position + self.records.len() as u64
    }

    /// The records so far.
    pub fn records(&self) -> &[Recorded] {
        &self.records
    }

    /// Those of the command since [`Tx::begin`].
    pub fn records_of_command(&self) -> &[Recorded] {
        &self.records[self.begun_records..]
    }

    /// The batch: its records for the journal, its changes for [`Store::commit`].
    pub(crate) fn finish(self) -> (Vec<Recorded>, Changes) {
        (self.records, Changes(self.overlay))
    }
}

/// What a batch changes in the views, to be committed when the journal has the batch.
pub struct Changes(Map<Slot>);

impl Changes {
    pub(crate) fn commit(self, store: &Store) {
        store.commit(self.0.into_iter());
    }
}

impl Consistent for Tx<'_> {}

impl Read for Tx<'_> {
    type Moment<'a>
        = &'a Self
    where
        Self: 'a;

    fn moment(&self) -> Self::Moment<'_> {
        self
    }

    fn get<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>> {
        match self.overlay.get(key) {
            Some(slot) => slot.clone().and_then(typed),
            None => self.store.get(key),
        }
    }
}
