//! The one write loop: batch, handle, append, sync, apply, answer.
//!
//! Owns the journal's writing end and the order of everything. Knows no socket and no clock: node and simulator drive
//! this same code, and pass in time and randomness. Invariant: nobody is answered, and nothing is seen by anybody,
//! before the journal has it durably.

mod follow;
mod queue;

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use startalk_domain::{
    Answer, Command, Decided, Event, Recorded, Views,
    context::{Ctx, IdCount, Random, Zones, utc_only},
    domain::{HELD_RECORDS_MAX, LAYOUT, ReplayError, finish_epoch, replay_within, unfinished},
    governance, handle,
    store::{Store, Tx, checkpoint::Export},
};
use startalk_journal::{AppendError, AppendJournal, Draft, EraseError, Head, Journal, ReadJournal};
use startalk_protocol::{
    Code, DomainName, Error,
    sabotage::{self, Switch},
};
use tracing::trace_span;

pub use queue::{Handle, LINE_BYTES_MAX, LINE_WAITING_MAX, Reply, Submission, WAITING_BYTES_MAX, WAITING_MAX, Work};

/// Commands in one batch at most; a batch of so many syncs is as cheap as one of one.
pub const BATCH_COMMANDS_MAX: usize = 1024;
/// Records in one batch after which no further command is taken into it.
const BATCH_RECORDS_MAX: usize = 3000;
/// Records of a new epoch in one batch of the journal; they are small.
const EPOCH_BATCH_RECORDS: usize = 1000;
/// Bytes of drafts after which no further command is taken into the batch.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Below this much free space commands that add are refused.
pub const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Records between two flushes of the views at most: what a start after a kill has to apply again.
const FLUSH_RECORDS: u64 = 20_000;
/// Milliseconds between two flushes at most, if anything was written.
const FLUSH_MS: u64 = 10_000;
/// Records between two checkpoints of the views at least: what a start with damaged views has to apply again. A home
/// that never has so many never pays for one.
pub const CHECKPOINT_RECORDS: u64 = 500_000;
/// Bytes of the views' tree below which no checkpoint is written: making them again is quick.
pub const CHECKPOINT_TREE_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// Below this much free space the views are not written to their tree, which cannot be written for the rest of the process
/// once a write of it has failed: a flush writes a few MiB, and somebody else may be taking what is left just then.
const FLUSH_BYTES_FREE: u64 = 32 * 1024 * 1024;
/// Records between two looks at the free space.
const FREE_SPACE_EVERY: u64 = 512;
/// Milliseconds between two looks at the free space.
const FREE_SPACE_MS: u64 = 1_000;

/// A log that the sequencer can write: the embedded journal, or later a replicated one.
pub trait Log: AppendJournal {
    /// Overwrites bodies; done when it returns.
    ///
    /// # Errors
    /// The disk's; to be repeated.
    fn erase(&mut self, positions: &[u64]) -> Result<(), EraseError>;
    /// Records appended afterwards carry the next epoch, which is returned.
    fn begin_epoch(&mut self) -> u32;
    /// Space for more; `None` if it cannot be told.
    fn free_bytes(&self) -> Option<u64>;
}

impl Log for Journal {
    fn erase(&mut self, positions: &[u64]) -> Result<(), EraseError> {
        Self::erase(self, positions)
    }
    fn begin_epoch(&mut self) -> u32 {
        Self::begin_epoch(self)
    }
    fn free_bytes(&self) -> Option<u64> {
        Self::free_bytes(self).ok()
    }
}

/// Where checkpoints of the views are kept. Called on the write loop: must not block.
pub trait Checkpoints: Send {
    /// Writes one, on a thread of its own; flushes are held back until it is dropped.
    fn write(&mut self, export: Export);
    /// Removes those that end before a position, and one that is being written: they may name a person who is gone.
    fn forget(&mut self, before: u64);
}

/// When checkpoints are made.
struct Schedule {
    checkpoints: Box<dyn Checkpoints>,
    /// Position of the one begun last.
    last: u64,
    records: u64,
    tree_bytes_min: u64,
}

/// The write loop cannot go on; the process must end, loudly.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The journal refuses for good.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A new epoch that was begun before the start cannot be finished.
    #[error("the new epoch that was begun cannot be finished: {0}")]
    HalfBegun(Error),
    /// A view's value is damaged: a restart rebuilds the views.
    #[error("the views are damaged; start again to rebuild them from the journal")]
    Views,
    /// Bringing the views up to date failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// The write loop's state.
pub struct Sequencer<L> {
    log: L,
    views: Views,
    domain: DomainName,
    head: Head,
    ids: IdCount,
    zones: Zones,
    free: FreeSpace,
    /// Records that no flush has begun with.
    unflushed: u64,
    flushed_ms: u64,
    writing: Option<Writing>,
    schedule: Option<Schedule>,
    /// Records that opening had to apply to the views.
    applied: u64,
    /// Position of the last record found while opening that erased a person, 0 for none.
    person_erased: u64,
    rest: Option<Rest>,
}

/// A flush of the views on a thread of its own, so that nobody waits for it.
struct Writing {
    thread: JoinHandle<bool>,
    /// Records that it writes the views of.
    records: u64,
}

/// What is left of a new epoch of which the journal has a part, because the disk was full in the middle of it.
struct Rest {
    /// All of it; to be seen when all of it is durable.
    decided: Decided,
    /// Not in the journal yet.
    drafts: Vec<Draft>,
}

#[derive(Default)]
struct FreeSpace {
    low: bool,
    checked_ms: u64,
    records: u64,
    reserve: u64,
}

impl Sequencer<Journal> {
    /// The journal, for copying and verifying it.
    pub fn reader(&self) -> startalk_journal::Reader {
        self.log.reader()
    }
}

impl<L: Log> Sequencer<L> {
    /// Brings the views up to the journal's head and repeats the erasures that may not have been finished.
    ///
    /// # Errors
    /// [`Fatal`].
    pub fn open(log: L, views: Views, domain: DomainName, progress: impl FnMut(u64, u64)) -> Result<Self, Fatal> {
        let from = views.store.meta().position;
        let applied = replay_within(&views.store, &*views.journal, || has_room(&log), progress)?;
        let head = views.journal.head();
        let unflushed = head.position.saturating_sub(views.store.meta().position);
        let free = FreeSpace { reserve: FREE_BYTES_MIN, ..FreeSpace::default() };
        let mut this = Self {
            log,
            views,
            domain,
            head,
            ids: IdCount::default(),
            zones: utc_only,
            free,
            unflushed,
            flushed_ms: 0,
            writing: None,
            schedule: None,
            applied,
            person_erased: 0,
            rest: None,
        };
        this.repeat_erasures(from)?;
        this.finish_epoch()?;
        Ok(this)
    }

    /// By which clocks of places it is decided from now on; UTC alone before.
    pub fn set_zones(&mut self, zones: Zones) {
        self.zones = zones;
    }

    /// Free bytes below which commands that add are refused; for tests on small disks.
    pub fn set_reserve(&mut self, bytes: u64) {
        self.free.reserve = bytes;
        self.free.checked_ms = 0;
    }

    /// From now on checkpoints of the views are made, every so many records, once their tree has so many bytes. `last` is
    /// the position of the newest that there is.
    pub fn set_checkpoints(&mut self, mut checkpoints: Box<dyn Checkpoints>, last: u64, records: u64, tree_bytes_min: u64) {
        if self.person_erased > 0 {
            checkpoints.forget(self.person_erased);
        }
        self.schedule = Some(Schedule { checkpoints, last, records, tree_bytes_min });
    }

    /// Records that opening had to apply to the views.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// For queries.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Where the journal ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Takes commands off the front of `work` into one batch, makes it durable and visible, answers, and returns its
    /// records. `now_ms` is the clock; journal time never goes back behind what it was. While a new epoch waits for space
    /// on the disk, everything is refused with `disk-full`.
    ///
    /// # Errors
    /// [`Fatal`]; everybody in the batch is told `stopping`, for nothing is known to be durable.
    pub fn step(&mut self, work: &mut Work, now_ms: u64, random: &mut dyn Random) -> Result<Arc<[Recorded]>, Fatal> {
        if let Some(rest) = self.rest.take() {
            return self.go_on_with(rest, work, now_ms);
        }
        self.look_at_free_space(now_ms);
        let clock_ms = now_ms;
        let now_ms = now_ms.max(self.head.time_ms);
        let batch = follow::batch();
        let _in_batch = batch.enter();
        let store = self.views.store.clone();
        let mut tx = Tx::new(&store, self.head.position + 1, now_ms);
        let mut answers: Vec<(Reply, Result<Answer, Error>)> = Vec::new();
        let (mut drafts, mut bytes): (Vec<Draft>, usize) = (Vec::new(), 0);
        let (mut went_on, mut is_epoch) = (false, false);
        let deciding = trace_span!("rules").entered();
        while answers.len() < BATCH_COMMANDS_MAX && tx.records().len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            let alone = work.front_is_epoch();
            if alone && !answers.is_empty() {
                break; // its records carry another epoch
            }
            let Some(Submission { mut command, reply, .. }) = work.pop().or_else(|| go_on(&tx, &mut went_on)) else { break };
            if let Command::BeginEpoch { epoch, .. } = &mut command {
                if *epoch != 0 && *epoch != governance::realm(&*store).epoch {
                    reply(Ok(Answer::Done)); // somebody else noticed it before
                    continue;
                }
                *epoch = self.log.begin_epoch();
            }
            let mut ctx = Ctx {
                domain: &self.domain,
                now_ms,
                journal: &*self.views.journal,
                random,
                zones: self.zones,
                ids: &mut self.ids,
                disk_low: self.free.low,
            };
            let result = handle(&mut tx, &mut ctx, command);
            if result.is_ok() {
                for record in tx.records_of_command() {
                    let draft = record.draft();
                    bytes += draft.facts.len() + draft.body.as_ref().map_or(0, Vec::len) + 128;
                    drafts.push(draft);
                }
            }
            answers.push((reply, result));
            is_epoch = alone;
            if alone {
                break;
            }
        }
        if store.is_damaged() {
            refuse(answers);
            return Err(Fatal::Views);
        }
        let decided = Decided::of(tx);
        drop(deciding);
        batch.record("commands", answers.len()).record("records", decided.records.len());
        follow::decided(&decided.records);
        if !drafts.is_empty() {
            let begun = self.head;
            match trace_span!("sync").in_scope(|| self.append(&mut drafts, is_epoch)) {
                Ok(()) => {}
                Err(AppendError::DiskFull { .. }) => {
                    self.free.low = true;
                    if self.head != begun {
                        self.rest = Some(Rest { decided, drafts });
                    }
                    for (reply, _) in answers {
                        reply(Err(Code::DiskFull.into()));
                    }
                    return Ok(Arc::from([]));
                }
                Err(fatal) => {
                    refuse(answers);
                    return Err(fatal.into());
                }
            }
        }
        let records: Arc<[Recorded]> = trace_span!("show").in_scope(|| decided.commit(&store).into());
        follow::synced(&records);
        trace_span!("answer").in_scope(|| {
            for (reply, result) in answers {
                reply(result);
            }
        });
        self.after(&records, clock_ms);
        Ok(records)
    }

    /// Whether something that was begun is to be gone on with: [`step`](Self::step) is to be called although nothing waits.
    pub fn is_unfinished(&self) -> bool {
        self.rest.is_some() || unfinished(&self.views.store).is_some()
    }

    /// Nothing is waiting: flushes the views if it is time, and waits for it.
    pub fn idle(&mut self, now_ms: u64) {
        self.look_at_flush(false);
        // While the journal is ahead of the views, nothing may say that they are where it ends.
        if self.rest.is_none() && self.unflushed > 0 && is_due(self.flushed_ms, FLUSH_MS, now_ms) {
            self.flush(now_ms);
        }
    }

    /// Writes the views to their tree and waits for the disk; the last act of a clean stop.
    ///
    /// # Errors
    /// The tree's.
    pub fn close(mut self) -> Result<(), ReplayError> {
        if self.rest.is_none() {
            self.flush_now(self.head.time_ms);
        }
        self.views.store.sync()?;
        Ok(())
    }

    /// A batch of commands is one batch of the journal. A new epoch may take several, for there is a record for each domain;
    /// nobody sees any of them before the last is durable, and a start finishes what it finds begun. What is durable is
    /// taken out of `drafts`.
    fn append(&mut self, drafts: &mut Vec<Draft>, is_epoch: bool) -> Result<(), AppendError> {
        while !drafts.is_empty() {
            let batch = if is_epoch { EPOCH_BATCH_RECORDS.min(drafts.len()) } else { drafts.len() };
            self.head = self.log.append(&drafts[..batch], &self.head)?;
            drafts.drain(..batch);
        }
        Ok(())
    }

    /// The rest of a new epoch, if there is space for it now; nothing else may come before it.
    fn go_on_with(&mut self, mut rest: Rest, work: &mut Work, now_ms: u64) -> Result<Arc<[Recorded]>, Fatal> {
        match self.append(&mut rest.drafts, true) {
            Ok(()) => {
                let records: Arc<[Recorded]> = rest.decided.commit(&self.views.store).into();
                self.after(&records, now_ms);
                Ok(records)
            }
            Err(AppendError::DiskFull { .. }) => {
                self.rest = Some(rest);
                work.refuse(Code::DiskFull);
                Ok(Arc::from([]))
            }
            Err(fatal) => Err(fatal.into()),
        }
    }

    fn finish_epoch(&mut self) -> Result<(), Fatal> {
        let store = self.views.store.clone();
        let mut tx = Tx::new(&store, self.head.position + 1, self.head.time_ms);
        if finish_epoch(&mut tx, &*self.views.journal).map_err(Fatal::HalfBegun)? {
            let decided = Decided::of(tx);
            let mut drafts: Vec<Draft> = decided.records.iter().map(Recorded::draft).collect();
            self.append(&mut drafts, true)?;
            self.unflushed += decided.commit(&store).len() as u64;
        }
        Ok(())
    }

    fn after(&mut self, records: &[Recorded], now_ms: u64) {
        self.unflushed += records.len() as u64;
        self.free.records += records.len() as u64;
        let erased: Vec<u64> = erased_by(records).collect();
        if !erased.is_empty() && !sabotage::is(Switch::BodiesNotErased) {
            // A failure is repeated at the next start; what is erased is not shown meanwhile.
            let _ = self.log.erase(&erased);
        }
        if let (Some(schedule), Some(position)) = (&mut self.schedule, person_erased_by(records)) {
            schedule.checkpoints.forget(position);
        }
        if self.flushed_ms == 0 {
            self.flushed_ms = now_ms;
        }
        self.look_at_flush(false);
        if self.unflushed >= FLUSH_RECORDS || is_due(self.flushed_ms, FLUSH_MS, now_ms) {
            self.begin_flush(now_ms);
        }
    }

    fn flush(&mut self, now_ms: u64) {
        self.look_at_flush(true);
        if self.views.store.is_held() && self.unflushed < HELD_RECORDS_MAX {
            return;
        }
        if self.flush_now(now_ms) {
            self.make_checkpoint();
        }
    }

    /// Begins to write the views to their tree; [`Self::look_at_flush`] sees it end. While it runs, the next one waits.
    fn begin_flush(&mut self, now_ms: u64) {
        if self.writing.is_some() || self.views.store.is_held() {
            if self.unflushed < HELD_RECORDS_MAX {
                return;
            }
            self.join_flush();
        }
        self.flushed_ms = now_ms;
        if !has_room(&self.log) {
            return;
        }
        let frozen = self.views.store.freeze(self.head.position, self.chain_tag(), LAYOUT);
        let thread = thread::Builder::new().name("views".into()).spawn(move || frozen.write().is_ok());
        // Without a thread the next flush takes it along.
        if let Ok(thread) = thread {
            self.writing = Some(Writing { thread, records: std::mem::take(&mut self.unflushed) });
        }
    }

    /// Once the flush that was begun has ended, which may be waited for, a checkpoint of what it left may be due.
    fn look_at_flush(&mut self, wait: bool) {
        if self.writing.as_ref().is_some_and(|w| wait || w.thread.is_finished()) && self.join_flush() {
            self.make_checkpoint();
        }
    }

    /// Waits for the flush that was begun, if there is one; whether it wrote.
    fn join_flush(&mut self) -> bool {
        let Some(writing) = self.writing.take() else { return false };
        let wrote = writing.thread.join().unwrap_or(false);
        if !wrote {
            // The journal has everything: a failed flush costs time at the next start, nothing else.
            self.unflushed += writing.records;
            self.doubt_tree();
        }
        wrote
    }

    /// After a flush that failed. Without room the views are answered from as they are, and a later flush tries again; with
    /// it, whatever went wrong stays so until the tree is opened anew.
    fn doubt_tree(&self) {
        if has_room(&self.log) {
            self.views.store.doubt();
        }
    }

    fn chain_tag(&self) -> [u8; 8] {
        let mut tag = [0; 8];
        tag.copy_from_slice(&self.head.chain[..8]);
        tag
    }

    /// Right after a flush: the tree is what the journal had when it began, and stays so as long as flushes are held back.
    fn make_checkpoint(&mut self) {
        let Some(schedule) = &mut self.schedule else { return };
        let reached = self.views.store.meta().position;
        let due = reached.saturating_sub(schedule.last) >= schedule.records;
        if !due || self.views.store.disk_bytes() < schedule.tree_bytes_min {
            return;
        }
        if let Some(export) = self.views.store.hold() {
            // Whatever becomes of it: the next attempt is as far away as the next checkpoint.
            schedule.last = reached;
            schedule.checkpoints.write(export);
        }
    }

    fn flush_now(&mut self, now_ms: u64) -> bool {
        self.join_flush();
        let has_room = has_room(&self.log);
        let flushed = has_room && self.views.store.flush(self.head.position, self.chain_tag(), LAYOUT).is_ok();
        if flushed {
            self.unflushed = 0;
        } else if has_room {
            self.doubt_tree();
        }
        self.flushed_ms = now_ms;
        flushed
    }

    fn look_at_free_space(&mut self, now_ms: u64) {
        let free = &mut self.free;
        if free.checked_ms == 0 || free.records >= FREE_SPACE_EVERY || is_due(free.checked_ms, FREE_SPACE_MS, now_ms) {
            free.low = self.log.free_bytes().is_some_and(|bytes| bytes < free.reserve);
            (free.checked_ms, free.records) = (now_ms, 0);
        }
    }

    fn repeat_erasures(&mut self, from: u64) -> Result<(), Fatal> {
        let mut position = from;
        while position < self.head.position {
            let records = self.views.journal.read_from(position + 1, 4096, 4 << 20).map_err(ReplayError::from)?;
            let Some(last) = records.last() else { break };
            position = last.header.position;
            let read = records.iter().map(Recorded::read).collect::<Result<Vec<_>, _>>().map_err(ReplayError::from)?;
            self.person_erased = person_erased_by(&read).unwrap_or(self.person_erased);
            let erased: Vec<u64> = erased_by(&read).collect();
            if !erased.is_empty() {
                let _ = self.log.erase(&erased);
            }
        }
        Ok(())
    }
}

impl<L> Drop for Sequencer<L> {
    /// The tree is nobody's any more afterwards.
    fn drop(&mut self) {
        if let Some(writing) = self.writing.take() {
            let _ = writing.thread.join();
        }
    }
}

/// Whether the disk has room for a flush of the views.
fn has_room(log: &impl Log) -> bool {
    log.free_bytes().is_none_or(|bytes| bytes >= FLUSH_BYTES_FREE)
}

/// Whether `every_ms` have passed since `last_ms` by a clock that may have been put back meanwhile. Journal time does not
/// do for this: after the clock was put back it stands still.
fn is_due(last_ms: u64, every_ms: u64, clock_ms: u64) -> bool {
    clock_ms < last_ms || clock_ms - last_ms >= every_ms
}

/// One step of what was begun earlier, once in a batch and after all that waits.
fn go_on(tx: &Tx, went_on: &mut bool) -> Option<Submission> {
    let command = if std::mem::replace(went_on, true) { None } else { unfinished(tx) };
    command.map(|command| Submission { command, reply: Box::new(|_| {}), mark: 0 })
}

fn erased_by(records: &[Recorded]) -> impl Iterator<Item = u64> + '_ {
    records
        .iter()
        .flat_map(|r| match &r.event {
            Event::Erased(facts, _) => facts.positions.as_slice(),
            _ => &[],
        })
        .copied()
}

/// Position of the last record that took a person out of the views: copies of his name and profile must go too.
fn person_erased_by(records: &[Recorded]) -> Option<u64> {
    let gone = |r: &&Recorded| matches!(r.event, Event::AccountDeleted(..) | Event::PersonGone(..));
    records.iter().rfind(gone).map(|r| r.position)
}

fn refuse(answers: Vec<(Reply, Result<Answer, Error>)>) {
    for (reply, _) in answers {
        reply(Err(Code::Stopping.into()));
    }
}

/// An empty store's views over a journal.
pub fn views(store: Store, journal: Arc<dyn ReadJournal>) -> Views {
    Views { store: Arc::new(store), journal }
}
