//! The thread that keeps the index: reads the journal from where the last commit says, and looks after the files.
//!
//! Owns the writer, which exists only while there is something to write. Runs at low priority, and never waits for the
//! write loop nor lets it wait. Whatever is wrong with the index, it is thrown away and made again from the journal.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use startalk_domain::{
    Recorded, Views,
    sync::{self, Standing},
};
use tantivy::{
    IndexWriter,
    indexer::{IndexWriterOptions, LogMergePolicy},
};

use crate::{
    batch::Batch,
    index::{self, Opened, WRITER_BYTES},
    reading::{self, Matter, ReadingError},
    search::Shared,
};

/// Records, and bytes of them, read at once.
const STEP_RECORDS: usize = 1024;
const STEP_BYTES: usize = 1024 * 1024;
/// Bytes of text between two commits while a long way is made up: what waits for tantivy's thread is in memory.
const COMMIT_BYTES: usize = 16 * 1024 * 1024;
/// Records that changed nothing, after which a commit says all the same that they were read.
const COMMIT_RECORDS: u64 = 50_000;
/// Records that may come while others are read, without being waited for.
const NEARLY_THERE: u64 = 200;
/// Between two commits, so that a busy node does not make a segment for every message.
const COMMIT_EVERY: Duration = Duration::from_millis(300);
/// Messages of a segment below which all are merged alike. A quiet node has a segment for each message or two, and every
/// eighth of them is merged with all that are not larger than this.
const SMALL_SEGMENT: u32 = 1_000;
/// Without anything to do for so long, the writer and then the reader are let go.
const REST_AFTER: Duration = Duration::from_secs(30);
/// First wait after something went wrong; doubled up to the second number.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(600));
/// Bytes of the disk that are left to the journal.
const LEAVE_FREE_BYTES: u64 = 512 * 1024 * 1024;
/// How much nicer than the node itself.
const NICER: i32 = 10;

/// Runs until it is told to stop.
pub fn run(shared: &Arc<Shared>) {
    // On Linux this is the thread's own, and that of tantivy's threads, which it starts.
    let _ = rustix::process::nice(NICER);
    let mut again = AGAIN.0;
    while !shared.is_stopping() {
        match catch_unwind(AssertUnwindSafe(|| Keeper::open(shared).and_then(|mut keeper| keeper.keep()))) {
            Ok(Ok(())) => break,
            Ok(Err(Trouble::Elsewhere(why))) => tracing::warn!("search waits: {why}"),
            Ok(Err(Trouble::Index(why))) => throw_away(shared, &why),
            Err(_) => throw_away(shared, "reading it panicked"),
        }
        shared.wait(again);
        again = (again * 2).min(AGAIN.1);
    }
    shared.close_reader();
}

fn throw_away(shared: &Shared, why: &str) {
    tracing::warn!("the search index is thrown away and built again: {why}");
    shared.close_reader();
    shared.read_to.store(0, Ordering::Relaxed);
    shared.reading.store(0, Ordering::Relaxed);
    if let Err(e) = index::remove(&shared.folder) {
        tracing::warn!("{}: {e}", shared.folder.display());
    }
}

/// Why the keeper cannot go on.
enum Trouble {
    /// The index is not as it should be.
    Index(String),
    /// Something else is, and may be otherwise later.
    Elsewhere(String),
}

impl From<tantivy::TantivyError> for Trouble {
    fn from(e: tantivy::TantivyError) -> Self {
        Self::Index(e.to_string())
    }
}

impl From<ReadingError> for Trouble {
    fn from(e: ReadingError) -> Self {
        match e {
            ReadingError::Index(e) => e.into(),
            ReadingError::Journal(_) => Self::Elsewhere(e.to_string()),
        }
    }
}

struct Keeper<'a> {
    shared: &'a Arc<Shared>,
    opened: Opened,
    writer: Option<IndexWriter>,
    /// Everything up to here is in the index or in the writer.
    position: u64,
    /// Since the last commit.
    bytes: usize,
    changes: usize,
    records: u64,
}

impl<'a> Keeper<'a> {
    fn open(shared: &'a Arc<Shared>) -> Result<Self, Trouble> {
        let (opened, cursor) = index::open(&shared.folder)?;
        let journal = &*shared.views.journal;
        let position = match cursor {
            None => 0,
            Some(cursor) => match sync::standing(journal, &cursor) {
                Ok(Standing::GoesOn(position)) => position,
                Ok(Standing::WentBack) => return Err(Trouble::Index("the journal went back behind it".into())),
                Err(e) => return Err(Trouble::Elsewhere(format!("the journal: {}", e.code.as_str()))),
            },
        };
        shared.read_to.store(position, Ordering::Relaxed);
        shared.set_index(opened.clone());
        Ok(Self { shared, opened, writer: None, position, bytes: 0, changes: 0, records: 0 })
    }

    fn keep(&mut self) -> Result<(), Trouble> {
        loop {
            if self.shared.is_stopping() {
                return self.close();
            }
            if self.position < self.shared.visible() {
                self.catch_up()?;
                self.shared.wait(COMMIT_EVERY);
                continue;
            }
            if !self.shared.wait_for_more(self.position, REST_AFTER) {
                self.rest()?;
            }
        }
    }

    /// Reads up to the head, and commits.
    fn catch_up(&mut self) -> Result<(), Trouble> {
        let views: &Views = &self.shared.views;
        let free = rustix::fs::statvfs(&self.shared.folder).map_or(u64::MAX, |s| s.f_bavail * s.f_frsize);
        if free < LEAVE_FREE_BYTES {
            return Err(Trouble::Elsewhere(format!("{free} bytes are free, and {LEAVE_FREE_BYTES} are left to the journal")));
        }
        let mut told = self.position;
        while !self.shared.is_stopping() {
            let records = views.journal.read_from(self.position + 1, STEP_RECORDS, STEP_BYTES);
            let mut records = records.map_err(|e| Trouble::Elsewhere(e.to_string()))?;
            let visible = self.shared.visible();
            records.retain(|r| r.header.position <= visible);
            let read = records.iter().map(Recorded::read).collect::<Result<Vec<_>, _>>();
            let read = read.map_err(|e| Trouble::Elsewhere(e.to_string()))?;
            let matters: Vec<(u64, Matter)> = read.iter().filter_map(|r| Some((r.conversation, reading::matter(r)?))).collect();
            let (mut bytes, mut changes) = (0, 0);
            // A node on which people only come and go needs no writer, nor its memory.
            if !matters.is_empty() {
                let fields = self.opened.fields;
                let mut batch = Batch::new(self.writer()?);
                for (conversation, matter) in &matters {
                    let done = reading::take(views, &mut batch, &fields, *conversation, matter)?;
                    (bytes, changes) = (bytes + done.bytes, changes + done.changes);
                }
                batch.flush()?;
            }
            self.position = records.last().map_or(self.position, |r| r.header.position);
            (self.bytes, self.changes) = (self.bytes + bytes, self.changes + changes);
            self.records += records.len() as u64;
            if self.bytes >= COMMIT_BYTES {
                self.commit()?;
            }
            if self.position - told > 100_000 {
                told = self.position;
                tracing::info!(percent = (told * 100).checked_div(visible), "the search index is being built");
            }
            self.shared.reading.store(self.position, Ordering::Relaxed);
            // Behind a busy node there is always one more record; what was read is to be found meanwhile.
            if records.is_empty() || visible.saturating_sub(self.position) < NEARLY_THERE {
                break;
            }
        }
        if self.changes > 0 || self.records >= COMMIT_RECORDS {
            self.commit()?;
        }
        self.shared.read_to.store(self.position, Ordering::Relaxed);
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut IndexWriter, Trouble> {
        if self.writer.is_none() {
            let options = IndexWriterOptions::builder()
                .num_worker_threads(1)
                .num_merge_threads(1)
                .memory_budget_per_thread(WRITER_BYTES)
                .build();
            let writer: IndexWriter = self.opened.index.writer_with_options(options)?;
            let mut policy = LogMergePolicy::default();
            policy.set_del_docs_ratio_before_merge(0.2);
            policy.set_min_layer_size(SMALL_SEGMENT);
            writer.set_merge_policy(Box::new(policy));
            self.writer = Some(writer);
        }
        Ok(self.writer.as_mut().expect("made above"))
    }

    fn commit(&mut self) -> Result<(), Trouble> {
        let cursor = sync::cursor_at(&*self.shared.views.journal, self.position);
        let cursor = cursor.map_err(|e| Trouble::Elsewhere(format!("the journal: {}", e.code.as_str())))?;
        let mut prepared = self.writer()?.prepare_commit()?;
        prepared.set_payload(&index::payload(&cursor));
        prepared.commit()?;
        (self.bytes, self.changes, self.records) = (0, 0, 0);
        self.shared.read_to.store(self.position, Ordering::Relaxed);
        self.shared.reload()?;
        Ok(())
    }

    /// Nothing happens: what was deleted leaves the files, and the memory goes back.
    fn rest(&mut self) -> Result<(), Trouble> {
        if let Some(mut writer) = self.writer.take() {
            let metas = self.opened.index.searchable_segment_metas()?;
            for meta in metas.iter().filter(|m| m.has_deletes()) {
                if self.shared.is_stopping() || self.position < self.shared.visible() {
                    break;
                }
                // It may be merged with others just now; then it is gone, and its deleted ones with it.
                if let Err(e) = writer.merge(&[meta.id()]).wait() {
                    tracing::debug!("a segment of the search index was not rewritten: {e}");
                }
            }
            writer.wait_merging_threads()?;
            self.shared.reload()?;
        } else {
            self.shared.rest();
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Trouble> {
        if self.changes > 0 {
            self.commit()?;
        }
        if let Some(writer) = self.writer.take() {
            drop(writer); // merges that run are given up; they begin again
        }
        index::mark_clean(Path::new(&self.shared.folder));
        Ok(())
    }
}
