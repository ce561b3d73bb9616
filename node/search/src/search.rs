//! The search of a node, as the rest of it sees it: started, told of what was committed, asked, stopped.
//!
//! Owns the thread that keeps the index, and the reader that searches use. The reader is opened by the first search and
//! closed when nobody has searched for a while.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use startalk_domain::Views;
use tantivy::{IndexReader, ReloadPolicy, Searcher};

use crate::{
    index::{Fields, Opened},
    keeper,
};

/// Records that the index may lack without a search saying that it is being built.
const LAG_RECORDS: u64 = 2_000;

/// What the thread and the searches share.
pub struct Shared {
    pub(crate) views: Views,
    pub(crate) folder: PathBuf,
    /// What is committed holds everything up to here.
    pub(crate) read_to: AtomicU64,
    /// What is read but not committed.
    pub(crate) reading: AtomicU64,
    /// Position up to which the views are: what the journal has beyond it cannot be looked at yet.
    visible: AtomicU64,
    stopping: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
    opened: Mutex<Option<Opened>>,
    reader: Mutex<Option<IndexReader>>,
    searched: AtomicBool,
}

/// A running search. Dropped, it stops.
pub struct Search {
    pub(crate) shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Search {
    /// Starts the thread; the index is in `folder`, which may be missing. To be called when the views are at the journal's
    /// head, before the write loop begins.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(views: Views, folder: PathBuf) -> std::io::Result<Arc<Self>> {
        let head = views.journal.head().position;
        let shared = Arc::new(Shared {
            views,
            folder,
            read_to: AtomicU64::new(0),
            reading: AtomicU64::new(0),
            visible: AtomicU64::new(head),
            stopping: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            opened: Mutex::new(None),
            reader: Mutex::new(None),
            searched: AtomicBool::new(false),
        });
        let keeps = shared.clone();
        let thread = thread::Builder::new().name("search".into()).spawn(move || keeper::run(&keeps))?;
        Ok(Arc::new(Self { shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Everything up to this position is durable and visible in the views. For the write loop's thread: the lock is held by
    /// nobody who does anything but look.
    pub fn committed(&self, position: u64) {
        self.shared.visible.store(position, Ordering::Relaxed);
        drop(self.shared.lock.lock());
        self.shared.wake.notify_all();
    }

    /// Position up to which what is found is complete, and the one up to which it could be.
    pub fn progress(&self) -> (u64, u64) {
        (self.shared.read_to.load(Ordering::Relaxed), self.shared.visible())
    }

    /// Percent of the journal that is in the index, while it is far behind.
    pub fn building(&self) -> Option<u8> {
        let (read_to, head) = self.progress();
        let reached = read_to.max(self.shared.reading.load(Ordering::Relaxed)).min(head);
        (read_to + LAG_RECORDS < head).then(|| u8::try_from(reached * 100 / head.max(1)).unwrap_or(100).min(99))
    }

    /// Ends the thread, which commits what it has read.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        {
            let _lock = self.shared.lock.lock();
            self.shared.wake.notify_all();
        }
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    /// What is to be searched now; `None` before there is an index.
    pub(crate) fn searcher(&self) -> tantivy::Result<Option<(Searcher, Fields)>> {
        let shared = &self.shared;
        shared.searched.store(true, Ordering::Relaxed);
        let Some(opened) = shared.opened.lock().clone() else { return Ok(None) };
        let mut reader = shared.reader.lock();
        if reader.is_none() {
            *reader = Some(opened.index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?);
        }
        Ok(reader.as_ref().map(|r| (r.searcher(), opened.fields)))
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Waits, unless it is to stop.
    pub(crate) fn wait(&self, time: Duration) {
        let mut lock = self.lock.lock();
        if !self.is_stopping() {
            self.wake.wait_while_for(&mut lock, |_| !self.is_stopping(), time);
        }
    }

    /// Waits until what is visible goes beyond `position`; `false` if it did not for so long.
    pub(crate) fn wait_for_more(&self, position: u64, time: Duration) -> bool {
        let mut lock = self.lock.lock();
        let nothing = |_: &mut ()| !self.is_stopping() && self.visible() <= position;
        self.wake.wait_while_for(&mut lock, nothing, time);
        !nothing(&mut ())
    }

    pub(crate) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Relaxed)
    }

    pub(crate) fn set_index(&self, opened: Opened) {
        *self.opened.lock() = Some(opened);
    }

    pub(crate) fn reload(&self) -> tantivy::Result<()> {
        self.reader.lock().as_ref().map_or(Ok(()), IndexReader::reload)
    }

    /// The index is not to be used any more.
    pub(crate) fn close_reader(&self) {
        *self.opened.lock() = None;
        *self.reader.lock() = None;
    }

    /// Nothing was written for a while; if nobody searched either, the reader goes.
    pub(crate) fn rest(&self) {
        if !self.searched.swap(false, Ordering::Relaxed) {
            *self.reader.lock() = None;
        }
    }
}
