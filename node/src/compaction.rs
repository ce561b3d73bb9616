//! Giving back the space of erased bodies: mostly erased segments of the journal are rewritten without them.
//!
//! On a thread of its own, beside the write loop, which waits for nothing but a renaming: rewriting a segment reads and
//! writes up to 64 MiB and syncs it, which in steps small enough for the write loop would take thousands of them, and a
//! state to keep in between. Looks only at segments in which something was erased since the start, one a minute; the
//! operator's verb looks at all.
//!
//! Owns no byte of the journal. Never touches the newest segment.

use std::{
    collections::BTreeSet,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use startalk_journal::{Reader, RewriteError};

use crate::admin::Progress;

/// Bytes of the disk left free by a rewriting. It may use most of the reserve below which nothing new is taken, for it
/// gives back more than it needs; what is left is room for a segment and for recalls.
const LEAVE_FREE_BYTES: u64 = 128 * 1024 * 1024;
/// Between two segments looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Rewrites every mostly erased segment.
///
/// # Errors
/// What kept it from going on; segments before are rewritten, all others are as they were.
pub fn compact(reader: &Reader, progress: &Progress) -> Result<Value, RewriteError> {
    let segments = reader.settled_segments();
    let (mut won, mut rewritten) = (0, 0_u64);
    for number in 1..=segments {
        if let Some(bytes) = compact_one(reader, number)? {
            won += bytes;
            rewritten += 1;
        }
        progress(number, segments);
    }
    Ok(json!({ "bytes_won": won, "segments_rewritten": rewritten, "segments": segments }))
}

/// Bytes won, if it was worth it.
fn compact_one(reader: &Reader, number: u64) -> Result<Option<u64>, RewriteError> {
    if !reader.erased_in(number)?.is_mostly() {
        return Ok(None);
    }
    Ok(Some(reader.rewrite(number, LEAVE_FREE_BYTES, &mut |_, _| {})?.won))
}

/// The thread that looks after erasures; ends when it is dropped.
pub struct Compactor {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(reader: Reader) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = thread::Builder::new().name("compaction".into()).spawn(move || {
            let mut waiting = BTreeSet::new();
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                look(&reader, &mut waiting);
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Looks at the next segment in which something was erased.
fn look(reader: &Reader, waiting: &mut BTreeSet<u64>) {
    waiting.extend(reader.take_touched());
    // The newest ones wait until they are settled.
    let Some(number) = waiting.first().copied().filter(|number| *number <= reader.settled_segments()) else { return };
    match compact_one(reader, number) {
        Err(RewriteError::Busy) => return,
        Ok(Some(won)) => tracing::info!(segment = number, won, "a mostly erased segment of the journal was rewritten"),
        Ok(None) => {}
        Err(e) => tracing::warn!("{e}"),
    }
    waiting.remove(&number);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use startalk_journal::{AppendJournal as _, Draft, Journal, Options, fault::FaultDisk};

    use super::*;

    #[test]
    fn what_was_erased_is_given_back_once_its_segment_is_settled() {
        let disk = FaultDisk::new();
        let options = Options { segment_bytes: 64 * 1024, extent_bytes: 4096 };
        let mut journal = Journal::create(disk.arc(), [1; 16], options).unwrap();
        let append = |journal: &mut Journal| {
            let (facts, body) = (vec![2; 10], Some(vec![1; 4000]));
            let draft = Draft { kind: 1, version: 1, time_ms: 1, conversation: 1, sequence: 1, previous: 0, facts, body };
            let head = journal.head();
            journal.append(&[draft], &head).unwrap();
        };
        (0..5).for_each(|_| append(&mut journal));
        journal.erase(&[1, 2, 3, 4, 5]).unwrap();
        let (reader, mut waiting) = (journal.reader(), BTreeSet::new());
        look(&reader, &mut waiting);
        assert_eq!(waiting.len(), 1, "the newest segment waits");
        (0..20).for_each(|_| append(&mut journal));
        journal.erase(&(1..=14).collect::<Vec<_>>()).unwrap();
        look(&reader, &mut waiting);
        assert_eq!(reader.erased_in(1).unwrap().erased, 0);
        assert!(!waiting.contains(&1));
        let quiet: Progress = Arc::new(|_, _| {});
        assert_eq!(compact(&reader, &quiet).unwrap()["segments_rewritten"], 0, "nothing is left");
    }
}
