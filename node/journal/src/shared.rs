//! What the writer and the readers have in common: which records are visible and where they lie.
//!
//! Owns the list of segments and the few open files. The writer changes it only after a sync; readers take the lock for
//! a look-up and never for a read from the disk.
//!
//! Invariant: every record that can be looked up here is durable.

use crate::copy::Watch;
use crate::disk::{Disk, DiskFile};
use crate::erase::Entry;
use crate::header::Seed;
use crate::limits::OPEN_FILES_MAX;
use crate::record::Head;
use crate::segment::file_name;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock};

pub struct Shared {
    pub disk: Arc<dyn Disk>,
    pub seed: Seed,
    pub state: RwLock<State>,
    /// Held while bodies are overwritten: a reader that met a body half-way waits for it and reads again.
    /// A segment is replaced only while this is held, so that who erases finds what he overwrites.
    pub erasing: Mutex<()>,
    /// Held while segments are rewritten, one at a time, and by whoever reads files from end to end meanwhile.
    pub rewriting: Mutex<()>,
    /// Held by every read for as long as it uses a file: a replaced one is wiped when nobody reads it any more.
    pub reading: RwLock<()>,
    /// Positions of bodies whose erasing was begun and failed: the order stands, and the next opening repeats it.
    unerased: OnceLock<BTreeSet<u64>>,
    /// Sealed segments in which something was erased since somebody asked.
    touched: Mutex<BTreeSet<u64>>,
    /// Why nothing may be written any more.
    stopped: Mutex<Option<String>>,
    open_files: Mutex<Vec<(u64, Arc<dyn DiskFile>)>>,
    watches: Mutex<Watches>,
}

/// Lists, by number, of what is erased while copies are made.
#[derive(Default)]
struct Watches {
    last_id: u64,
    lists: Vec<(u64, Vec<Entry>)>,
}

pub struct State {
    pub head: Head,
    /// All but the active one, by number from 1.
    pub sealed: Vec<Sealed>,
    /// `None` between sealing a segment and the batch after.
    pub active: Option<Active>,
}

/// A segment that is complete; its table is on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    pub position_before: u64,
    pub count: u32,
    pub records_end: u32,
}

/// The segment that is written; its table is in memory.
pub struct Active {
    pub number: u64,
    pub before: Head,
    pub file: Arc<dyn DiskFile>,
    /// Where each visible record begins.
    pub offsets: Vec<u32>,
    /// Where the next record begins.
    pub end: u32,
}

impl Shared {
    pub fn new(disk: Arc<dyn Disk>, state: State) -> Shared {
        let seed = Seed::new(&state.head.journal_id);
        Shared {
            disk,
            seed,
            state: RwLock::new(state),
            erasing: Mutex::new(()),
            rewriting: Mutex::new(()),
            reading: RwLock::new(()),
            unerased: OnceLock::new(),
            touched: Mutex::default(),
            stopped: Mutex::default(),
            open_files: Mutex::default(),
            watches: Mutex::default(),
        }
    }

    /// Notes what is erased from now on, until the watch is dropped.
    pub fn watch_erasures(self: &Arc<Self>) -> Watch {
        // Not in the middle of a step.
        let _between_steps = self.erasing.lock();
        let mut watches = self.watches.lock();
        watches.last_id += 1;
        let id = watches.last_id;
        watches.lists.push((id, Vec::new()));
        Watch { shared: self.clone(), id }
    }

    /// Called before bodies are overwritten.
    pub fn note_erasures(&self, entries: &[Entry]) {
        self.touched.lock().extend(entries.iter().map(|entry| entry.segment));
        self.watches.lock().lists.iter_mut().for_each(|(_, list)| list.extend_from_slice(entries));
    }

    /// Called when bodies were perhaps overwritten, in part, or not at all; whoever reads them finds nothing of them. Nothing
    /// is erased any more after that.
    pub fn note_unerased(&self, positions: &[u64]) {
        let _ = self.unerased.set(positions.iter().copied().collect());
    }

    /// Whether the erasing of this body was begun and failed.
    pub fn is_unerased(&self, position: u64) -> bool {
        self.unerased.get().is_some_and(|all| all.contains(&position))
    }

    /// Segments in which something was erased since the last call.
    pub fn take_touched(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.touched.lock())
    }

    /// Why the journal takes no more changes, if it does not.
    pub fn stopped(&self) -> Option<String> {
        self.stopped.lock().clone()
    }

    /// Nothing is known any more of what is durable; the first reason stays.
    pub fn stop(&self, because: &str) {
        self.stopped.lock().get_or_insert_with(|| because.to_owned());
    }

    /// From now on the segment's readers get `file`.
    pub fn replace_file(&self, number: u64, file: Arc<dyn DiskFile>) {
        let mut files = self.open_files.lock();
        files.retain(|(open, _)| *open != number);
        files.truncate(OPEN_FILES_MAX - 1);
        files.push((number, file));
    }

    pub fn take_watched(&self, id: u64) -> Vec<Entry> {
        let mut watches = self.watches.lock();
        let list = watches.lists.iter_mut().find(|(watch, _)| *watch == id);
        list.map(|(_, list)| std::mem::take(list)).unwrap_or_default()
    }

    pub fn forget_watch(&self, id: u64) {
        self.watches.lock().lists.retain(|(watch, _)| *watch != id);
    }

    /// The file of a sealed segment, from those open or opened now; the one used longest ago is closed.
    pub fn file(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.open_files.lock();
        if let Some(index) = files.iter().position(|(open, _)| *open == number) {
            files[index..].rotate_left(1);
        } else {
            if files.len() == OPEN_FILES_MAX {
                files.remove(0);
            }
            files.push((number, self.disk.open(&file_name(number))?));
        }
        Ok(files[files.len() - 1].1.clone())
    }
}

impl State {
    /// The number of the sealed segment that holds `position`; the active one's if it is not among the sealed.
    pub fn segment_of(&self, position: u64) -> u64 {
        1 + self.sealed.partition_point(|segment| segment.position_before + u64::from(segment.count) < position) as u64
    }
}
