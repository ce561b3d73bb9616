//! Where views live: a map of what was written lately, a cache of what was read, and one sled tree under both.
//!
//! Owns the tree. A journal batch's changes become visible together ([`Store::commit`]) and reach the tree together,
//! with the position reached and the running digest ([`Store::flush`], or [`Store::freeze`] while more is written); the
//! tree is never ahead of the journal. sled
//! may lose pages silently at a power cut: the digest (sum of all values' checks) shows it, and the views are rebuilt.
//! Never decides anything.

pub mod checkpoint;
pub mod codec;
mod key;
mod tx;

use std::{
    any::Any,
    collections::HashMap,
    hash::BuildHasherDefault,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use key::Key;
pub use tx::{Changes, New, Savepoint, Tx};

/// Bytes of pages that sled keeps in memory; what is hot is in the maps above it.
const TREE_CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// Values read lately that are kept decoded; beyond it all are let go.
const CLEAN_VALUES_MAX: usize = 20_000;
/// Tries to get the lock of a tree that this process has closed a moment ago.
const LOCK_ATTEMPTS: usize = 200;
/// Between two of them.
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_millis(20);
/// Where position, digest and versions are kept; no module has this prefix.
const META_KEY: &[u8] = b"\0meta";

type Map<V> = HashMap<Key, V, BuildHasherDefault<std::collections::hash_map::DefaultHasher>>;

/// Anything that can be a view's value.
pub trait Value: Any + Send + Sync {
    /// The value's bytes.
    fn payload(&self) -> Vec<u8>;
    /// For getting the type back.
    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<T: Serialize + Any + Send + Sync> Value for T {
    fn payload(&self) -> Vec<u8> {
        codec::payload(self)
    }
    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

pub(crate) type Slot = Option<Arc<dyn Value>>;

/// What the tree says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The journal position up to which the tree holds everything.
    pub position: u64,
    /// The journal's chain tag there, so that another journal's views are not taken for ours.
    pub chain_tag: [u8; 8],
    /// Sum of the checks of all entries.
    pub digest: u128,
    /// The version of the views' layout.
    pub layout: u32,
}

/// Why a tree cannot be used; the answer is always to rebuild it.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// sled's own error.
    #[error("the view tree: {0}")]
    Sled(sled::Error),
    /// It cannot be written, or made, before there is space.
    #[error("the disk is full: there is no room for the views / 磁盘已满：没有空间存放视图")]
    Full,
    /// sled panicked on damaged files.
    #[error("the view tree is damaged: opening it panicked")]
    Panicked,
    /// A value's check or the digest differs.
    #[error("the view tree is damaged: {0}")]
    Damaged(String),
}

impl From<sled::Error> for TreeError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(e) if startalk_journal::is_full(&e) => Self::Full,
            other => Self::Sled(other),
        }
    }
}

/// What was written and is not in the tree.
#[derive(Default)]
struct Recent {
    written: Map<Slot>,
    /// On its way to the tree, and older than what was `written` since.
    going: Arc<Map<Slot>>,
}

impl Recent {
    fn get(&self, key: &Key) -> Option<&Slot> {
        self.written.get(key).or_else(|| self.going.get(key))
    }
}

/// Views: recent writes, decoded reads, and the tree.
pub struct Store {
    tree: sled::Db,
    recent: RwLock<Recent>,
    clean: Mutex<Map<Slot>>,
    meta: Mutex<Meta>,
    /// How often the tree has changed. What was read from it before the last change is not kept: it may be older than
    /// what the change left in `clean`.
    flushes: AtomicU64,
    damaged: AtomicBool,
    /// A checkpoint is being written.
    held: AtomicBool,
}

impl Store {
    /// Opens the tree in `folder`, or makes an empty one.
    ///
    /// # Errors
    /// [`TreeError`]; delete the folder and replay the journal.
    pub fn open(folder: &Path) -> Result<Self, TreeError> {
        let config =
            sled::Config::new().path(folder).mode(sled::Mode::LowSpace).cache_capacity(TREE_CACHE_BYTES).flush_every_ms(None);
        let open = || catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|_| TreeError::Panicked);
        let mut tree = open()?;
        // sled lets go of a closed tree's lock in a thread of its own, some time after the last handle was dropped.
        for _ in 0..LOCK_ATTEMPTS {
            if !matches!(&tree, Err(sled::Error::Io(e)) if e.to_string().contains("could not acquire lock")) {
                break;
            }
            std::thread::sleep(LOCK_WAIT);
            tree = open()?;
        }
        Self::over(tree?)
    }

    /// A tree in memory, for tests.
    ///
    /// # Errors
    /// Never in practice.
    pub fn temporary() -> Result<Self, TreeError> {
        Self::over(sled::Config::new().temporary(true).cache_capacity(TREE_CACHE_BYTES).flush_every_ms(None).open()?)
    }

    fn over(tree: sled::Db) -> Result<Self, TreeError> {
        let meta = match tree.get(META_KEY)? {
            Some(stored) => codec::open(META_KEY, &stored).map_err(|e| TreeError::Damaged(format!("meta: {e}")))?,
            None => Meta::default(),
        };
        Ok(Self {
            tree,
            recent: RwLock::default(),
            clean: Mutex::default(),
            meta: Mutex::new(meta),
            flushes: AtomicU64::new(0),
            damaged: AtomicBool::new(false),
            held: AtomicBool::new(false),
        })
    }

    /// What the tree said at the last flush.
    pub fn meta(&self) -> Meta {
        self.meta.lock().clone()
    }

    /// Whether a read met a damaged value. The write loop must stop before its next batch.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Reads the whole tree and compares every check, and their sum with the digest.
    ///
    /// # Errors
    /// [`TreeError::Damaged`], naming what differs.
    pub fn verify(&self) -> Result<u64, TreeError> {
        let (mut digest, mut entries) = (0u128, 0u64);
        for entry in self.tree.iter() {
            let (key, stored) = entry?;
            if key.as_ref() == META_KEY {
                continue;
            }
            let computed = codec::computed_check(&key, &stored)
                .and_then(|c| if c == codec::stored_check(&stored)? { Ok(c) } else { Err(codec::DecodeError::Check) });
            let check = computed.map_err(|e| TreeError::Damaged(format!("value {entries}: {e}")))?;
            digest = digest.wrapping_add(check);
            entries += 1;
        }
        let expected = self.meta().digest;
        if digest == expected { Ok(entries) } else { Err(TreeError::Damaged(format!("the digest of {entries} values differs"))) }
    }

    /// As if such a read had been met: the tree cannot be written any more by this process.
    pub fn doubt(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// A consistent look at everything committed; writers wait while it is held, so hold it briefly.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { store: self, recent: self.recent.read() }
    }

    /// Makes a batch's changes visible, all at once. The journal has them durably.
    pub(crate) fn commit(&self, changes: impl Iterator<Item = (Key, Slot)>) {
        let mut recent = self.recent.write();
        let mut clean = self.clean.lock();
        for (key, slot) in changes {
            clean.remove(&key);
            recent.written.insert(key, slot);
        }
    }

    /// How many values wait for the next flush.
    pub fn unflushed(&self) -> usize {
        let recent = self.recent.read();
        recent.written.len() + recent.going.len()
    }

    /// Writes what was committed to the tree, with the position that it reaches, in one sled batch.
    ///
    /// # Errors
    /// [`TreeError`]; nothing is lost, the journal has it, and the next flush tries it again.
    pub fn flush(&self, position: u64, chain_tag: [u8; 8], layout: u32) -> Result<(), TreeError> {
        self.write(&self.set_out(), position, chain_tag, layout)
    }

    /// What was committed up to now, to be written by whoever has time, while more is committed. Nobody may flush or freeze
    /// again before it is written or dropped.
    pub fn freeze(self: &Arc<Self>, position: u64, chain_tag: [u8; 8], layout: u32) -> Frozen {
        Frozen { store: self.clone(), changes: self.set_out(), position, chain_tag, layout }
    }

    /// From now on this is on its way to the tree; with it what an earlier flush could not write.
    fn set_out(&self) -> Arc<Map<Slot>> {
        let mut recent = self.recent.write();
        let written = std::mem::take(&mut recent.written);
        if recent.going.is_empty() {
            recent.going = Arc::new(written);
        } else {
            Arc::make_mut(&mut recent.going).extend(written);
        }
        recent.going.clone()
    }

    fn write(&self, changes: &Map<Slot>, position: u64, chain_tag: [u8; 8], layout: u32) -> Result<(), TreeError> {
        let mut meta = self.meta();
        let mut batch = sled::Batch::default();
        for (key, slot) in changes {
            if let Some(old) = self.tree.get(key.bytes())? {
                let check = codec::stored_check(&old).map_err(|e| TreeError::Damaged(e.to_string()))?;
                meta.digest = meta.digest.wrapping_sub(check);
            }
            if let Some(value) = slot {
                let (stored, check) = codec::seal(key.bytes(), &value.payload());
                meta.digest = meta.digest.wrapping_add(check);
                batch.insert(key.bytes(), stored);
            } else {
                batch.remove(key.bytes());
            }
        }
        (meta.position, meta.chain_tag, meta.layout) = (position, chain_tag, layout);
        batch.insert(META_KEY, codec::seal(META_KEY, &codec::payload(&meta)).0);
        self.tree.apply_batch(batch)?;
        *self.meta.lock() = meta;
        let read: Vec<(Key, Slot)> = changes.iter().take(CLEAN_VALUES_MAX).map(|(k, s)| (k.clone(), s.clone())).collect();
        // Whoever does not find a value among the recent ones any more must find it here, and nothing older. What was
        // written again meanwhile hides what is put here, until its own flush replaces it.
        let let_go = {
            let mut clean = self.clean.lock();
            self.flushes.fetch_add(1, Ordering::AcqRel);
            let full = clean.len() + changes.len() > CLEAN_VALUES_MAX;
            let old = if full { std::mem::take(&mut *clean) } else { Map::default() };
            clean.extend(read);
            old
        };
        let gone = std::mem::take(&mut self.recent.write().going);
        // Thousands of values, which nobody is to wait for.
        drop((let_go, gone));
        Ok(())
    }

    /// Gives the tree's own buffers to the operating system and waits for the disk; for a clean stop.
    ///
    /// # Errors
    /// sled's.
    pub fn sync(&self) -> Result<(), TreeError> {
        self.tree.flush()?;
        Ok(())
    }

    /// Bytes of the tree on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.tree.size_on_disk().unwrap_or(0)
    }

    fn read_through<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>> {
        if let Some(slot) = self.clean.lock().get(key) {
            return slot.clone().and_then(typed);
        }
        let flushes = self.flushes.load(Ordering::Acquire);
        let read = match self.tree.get(key.bytes()) {
            Ok(None) => Ok(None),
            Ok(Some(stored)) => codec::open::<T>(key.bytes(), &stored).map(|value| Some(Arc::new(value))).map_err(drop),
            Err(_) => Err(()),
        };
        let Ok(value) = read else {
            self.doubt();
            return None;
        };
        self.keep(flushes, key, value.clone().map(|v| v as Arc<dyn Value>));
        value
    }

    /// Keeps what was read from the tree when it had changed so often; also that there was nothing, for many questions
    /// of every message (is he blocked?) are about values that do not exist.
    fn keep(&self, flushes: u64, key: &Key, slot: Slot) {
        let mut clean = self.clean.lock();
        if self.flushes.load(Ordering::Acquire) != flushes {
            return;
        }
        let let_go = if clean.len() >= CLEAN_VALUES_MAX { std::mem::take(&mut *clean) } else { Map::default() };
        clean.insert(key.clone(), slot);
        drop(clean);
        drop(let_go); // twenty thousand values, which nobody is to wait for
    }
}

fn typed<T: Value>(value: Arc<dyn Value>) -> Option<Arc<T>> {
    Some(value.any().downcast().expect("a key always holds one type"))
}

/// Reads of views, by whoever: a snapshot, or the overlay of the batch being made.
pub trait Read {
    /// A look at one moment.
    type Moment<'a>: Consistent
    where
        Self: 'a;

    /// Everything as it is now; to be held as briefly as [`Store::snapshot`].
    fn moment(&self) -> Self::Moment<'_>;

    /// The value under `key`, if there is one.
    fn get<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>>;
}

/// Reads that all see the same moment: what is decided from two values must not have a commit between them.
pub trait Consistent: Read {}

impl Consistent for Snapshot<'_> {}

impl<R: Consistent> Consistent for &R {}

impl<R: Read> Read for &R {
    type Moment<'a>
        = R::Moment<'a>
    where
        Self: 'a;

    fn moment(&self) -> Self::Moment<'_> {
        (**self).moment()
    }

    fn get<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>> {
        (**self).get(key)
    }
}

impl<R: Read> Read for Arc<R> {
    type Moment<'a>
        = R::Moment<'a>
    where
        Self: 'a;

    fn moment(&self) -> Self::Moment<'_> {
        (**self).moment()
    }

    fn get<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>> {
        (**self).get(key)
    }
}

/// A consistent look at what was committed.
pub struct Snapshot<'a> {
    store: &'a Store,
    recent: RwLockReadGuard<'a, Recent>,
}

/// What was committed up to a position, on its way to the tree.
pub struct Frozen {
    store: Arc<Store>,
    changes: Arc<Map<Slot>>,
    position: u64,
    chain_tag: [u8; 8],
    layout: u32,
}

impl Frozen {
    /// Writes it in one sled batch.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn write(self) -> Result<(), TreeError> {
        self.store.write(&self.changes, self.position, self.chain_tag, self.layout)
    }
}

impl Read for Snapshot<'_> {
    type Moment<'a>
        = &'a Self
    where
        Self: 'a;

    fn moment(&self) -> Self::Moment<'_> {
        self
    }

    fn get<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>> {
        match self.recent.get(key) {
            Some(slot) => slot.clone().and_then(typed),
            None => self.store.read_through(key),
        }
    }
}

impl Read for Store {
    type Moment<'a> = Snapshot<'a>;

    fn moment(&self) -> Snapshot<'_> {
        self.snapshot()
    }

    fn get<T: DeserializeOwned + Value>(&self, key: &Key) -> Option<Arc<T>> {
        if let Some(slot) = self.recent.read().get(key) {
            return slot.clone().and_then(typed);
        }
        self.read_through(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &Store, n: u64, value: &str) {
        store.commit(std::iter::once((Key::numbers(b't', b'x', &[n]), Some(Arc::new(value.to_owned()) as Arc<dyn Value>))));
    }

    #[test]
    fn the_digest_follows_inserts_changes_and_removals_over_reopening() {
        let folder = tempfile::tempdir().unwrap();
        {
            let store = Store::open(folder.path()).unwrap();
            put(&store, 1, "a");
            put(&store, 2, "b");
            store.flush(2, [1; 8], 1).unwrap();
            put(&store, 1, "changed");
            store.commit(std::iter::once((Key::numbers(b't', b'x', &[2]), None)));
            store.flush(4, [2; 8], 1).unwrap();
            assert_eq!(store.verify().unwrap(), 1);
            store.sync().unwrap();
        }
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.meta().position, 4);
        assert_eq!(store.verify().unwrap(), 1);
        assert_eq!(store.get::<String>(&Key::numbers(b't', b'x', &[1])).unwrap().as_str(), "changed");
        assert!(store.get::<String>(&Key::numbers(b't', b'x', &[2])).is_none());
    }

    #[test]
    fn what_is_on_its_way_to_the_tree_is_seen_and_what_is_written_meanwhile_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let key = |n| Key::numbers(b't', b'x', &[n]);
        {
            let store = Arc::new(Store::open(folder.path()).unwrap());
            let seen = |n| store.get::<String>(&key(n)).map(|v| v.as_str().to_owned());
            let all = || [1, 2, 3, 4].map(|n| seen(n).unwrap_or_default());
            (1..=3).for_each(|n| put(&store, n, "old"));
            let frozen = store.freeze(3, [1; 8], 1);
            put(&store, 2, "new");
            store.commit(std::iter::once((key(3), None)));
            put(&store, 4, "new");
            assert_eq!(all(), ["old", "new", "", "new"]);
            frozen.write().unwrap();
            assert_eq!(all(), ["old", "new", "", "new"]);
            assert_eq!((store.meta().position, store.verify().unwrap()), (3, 3), "the tree is as it was frozen");
            // One that nobody wrote goes with the next.
            drop(store.freeze(6, [2; 8], 1));
            put(&store, 1, "newest");
            assert_eq!(all(), ["newest", "new", "", "new"]);
            store.flush(7, [3; 8], 1).unwrap();
            assert_eq!((all(), store.unflushed()), (["newest", "new", "", "new"].map(str::to_owned), 0));
            store.sync().unwrap();
        }
        let store = Store::open(folder.path()).unwrap();
        assert_eq!((store.meta().position, store.verify().unwrap()), (7, 3));
        assert_eq!(store.get::<String>(&key(1)).unwrap().as_str(), "newest");
        assert!(store.get::<String>(&key(3)).is_none());
    }

    #[test]
    fn what_was_read_before_a_flush_does_not_replace_what_was_written() {
        let store = Store::temporary().unwrap();
        let key = Key::numbers(b't', b'x', &[1]);
        put(&store, 1, "old");
        store.flush(1, [0; 8], 1).unwrap();
        let (slow_reader, old) = (store.flushes.load(Ordering::Acquire), Arc::new("old".to_owned()));
        put(&store, 1, "new");
        store.flush(2, [0; 8], 1).unwrap();
        store.keep(slow_reader, &key, Some(old));
        assert_eq!(store.get::<String>(&key).unwrap().as_str(), "new");
    }

    #[test]
    fn that_there_is_nothing_is_kept_until_there_is_something() {
        let store = Store::temporary().unwrap();
        let key = Key::numbers(b't', b'x', &[1]);
        assert!(store.get::<String>(&key).is_none());
        assert!(store.clean.lock().contains_key(&key));
        put(&store, 1, "a");
        assert!(store.get::<String>(&key).is_some());
        store.flush(1, [0; 8], 1).unwrap();
        assert!(store.get::<String>(&key).is_some());
        store.commit(std::iter::once((key.clone(), None)));
        assert!(store.get::<String>(&key).is_none());
        store.flush(2, [0; 8], 1).unwrap();
        assert!(store.get::<String>(&key).is_none());
    }

    #[test]
    fn a_value_that_vanished_is_noticed() {
        let store = Store::temporary().unwrap();
        put(&store, 1, "a");
        put(&store, 2, "b");
        store.flush(2, [0; 8], 1).unwrap();
        store.tree.remove(Key::numbers(b't', b'x', &[1]).bytes()).unwrap();
        assert!(matches!(store.verify(), Err(TreeError::Damaged(_))));
    }
}
