//! Appending a batch: encode, make room, one write, one sync, and only then visible.
//!
//! Owns the order of these steps. Never writes anything of a batch before there is room for all of it. Room for batches to come
//! is made in small pieces, by the sync that a batch needs anyway: an extent at once would keep a batch waiting for a sync of
//! megabytes.
//!
//! Invariant: a batch lies within one segment, in room that was durable before, in front of room enough to seal that segment.

use crate::disk::{DiskFile, write_zeros};
use crate::encode::too_large;
use crate::error::{AppendError, is_full};
use crate::journal::Journal;
use crate::limits::PIECES_OF_EXTENT;
use crate::record::{AppendJournal, Draft, Head};
use crate::seal::{MakeError, make_segment};
use crate::segment::{HEADER_BLOCK, SegmentHeader, seal_len};
use crate::shared::Active;
use startalk_protocol::sabotage::{self, Switch};
use std::sync::Arc;

impl AppendJournal for Journal {
    fn append(&mut self, batch: &[Draft], expected: &Head) -> Result<Head, AppendError> {
        self.check_alive()?;
        let head = self.head();
        if *expected != head {
            return Err(AppendError::HeadMoved { expected: Box::new(*expected), actual: Box::new(head) });
        }
        let after = self.buffer.encode(batch, &head, self.epoch, self.shared.seed)?;
        let Room { file, end, needed } = self.make_room(head)?;
        if let Err(error) = file.write_at(end.into(), &self.buffer.bytes) {
            return Err(self.poisoned_by("writing a batch", &error));
        }
        let filled = self.fill_ahead(&*file, needed);
        if sabotage::is(Switch::AcknowledgeBeforeSync) {
            self.publish(after);
            return Ok(after);
        }
        if let Err(error) = file.sync_data() {
            return Err(self.poisoned_by("syncing a batch", &error));
        }
        self.allocated = filled;
        self.publish(after);
        Ok(after)
    }
}

/// Where a batch goes.
struct Room {
    file: Arc<dyn DiskFile>,
    /// Of the records before it.
    end: u32,
    /// Bytes of the file with the batch, and with what seals the segment behind it.
    needed: u64,
}

impl Journal {
    /// Finds the segment and the place for the batch in the buffer, sealing and beginning segments as needed.
    fn make_room(&mut self, head: Head) -> Result<Room, AppendError> {
        let (bytes, records) = (self.buffer.bytes.len(), self.buffer.starts.len());
        let capacity = self.options.segment_bytes as usize;
        let alone = HEADER_BLOCK + bytes + seal_len(records);
        if alone > capacity {
            return Err(too_large(records, bytes, capacity.saturating_sub(HEADER_BLOCK + seal_len(records))));
        }
        if let Some((file, end, count)) = self.active() {
            let needed = end as usize + bytes + seal_len(count + records);
            if needed <= capacity {
                self.extend(&*file, needed as u64)?;
                return Ok(Room { file, end, needed: needed as u64 });
            }
            self.seal_active()?;
        }
        let file = self.begin_segment(head, alone as u64)?;
        Ok(Room { file, end: HEADER_BLOCK as u32, needed: alone as u64 })
    }

    /// File, end of records and number of records of the active segment.
    pub(crate) fn active(&self) -> Option<(Arc<dyn DiskFile>, u32, usize)> {
        let state = self.shared.state.read();
        state.active.as_ref().map(|active| (active.file.clone(), active.end, active.offsets.len()))
    }

    /// Sees to it that the first `needed` bytes of the active segment are allocated and durable.
    pub(crate) fn extend(&mut self, file: &dyn DiskFile, needed: u64) -> Result<(), AppendError> {
        if needed <= self.allocated {
            return Ok(());
        }
        let target = self.options.allocation(needed);
        self.check_free(target - self.allocated)?;
        if let Err(error) = write_zeros(file, self.allocated, target) {
            if is_full(&error) {
                return Err(self.disk_full(target - self.allocated));
            }
            return Err(self.poisoned_by("extending a segment", &error));
        }
        if let Err(error) = file.sync_all() {
            return Err(self.poisoned_by("syncing an extended segment", &error));
        }
        self.allocated = target;
        Ok(())
    }

    /// Writes the next zeros behind the room that there is, for the sync of the batch that needed it up to `needed`; returns how
    /// far there is room once that has succeeded. Twice as much as the batch took, so that it stays ahead, until half an extent
    /// is free; never more than an extent of it, so that a large batch does not wait for twice its length in zeros.
    ///
    /// What cannot be written is no error: the batch has its room, and who needs the next asks for it ([`Self::extend`]).
    fn fill_ahead(&self, file: &dyn DiskFile, needed: u64) -> u64 {
        let (extent, capacity) = (u64::from(self.options.extent_bytes), u64::from(self.options.segment_bytes));
        if self.allocated >= (needed + extent / 2).min(capacity) {
            return self.allocated;
        }
        let piece = (extent / PIECES_OF_EXTENT).max(2 * self.buffer.bytes.len() as u64);
        let target = (self.allocated + piece).min(needed + extent).min(capacity);
        let is_room = self.shared.disk.free_bytes().is_ok_and(|free| free >= target - self.allocated);
        if is_room && write_zeros(file, self.allocated, target).is_ok() { target } else { self.allocated }
    }

    fn begin_segment(&mut self, before: Head, needed: u64) -> Result<Arc<dyn DiskFile>, AppendError> {
        let allocated = self.options.allocation(needed);
        self.check_free(allocated)?;
        let number = self.shared.state.read().sealed.len() as u64 + 1;
        match make_segment(&*self.shared.disk, SegmentHeader { number, before, rewritten: false }, allocated) {
            Ok(file) => {
                self.allocated = allocated;
                self.shared.state.write().active = Some(Active::empty(number, before, file.clone()));
                Ok(file)
            }
            Err(MakeError::Full) => Err(self.disk_full(allocated)),
            Err(MakeError::Io { doing, source }) => Err(self.poisoned_by(doing, &source)),
        }
    }

    /// Makes the synced batch in the buffer visible.
    fn publish(&mut self, after: Head) {
        let mut state = self.shared.state.write();
        let active = state.active.as_mut().expect("make_room left an active segment");
        let end = active.end;
        active.offsets.extend(self.buffer.starts.iter().map(|start| end + start));
        active.end = end + self.buffer.bytes.len() as u32;
        state.head = after;
    }

    fn check_free(&mut self, needed: u64) -> Result<(), AppendError> {
        match self.shared.disk.free_bytes() {
            Ok(free) if free < needed => Err(AppendError::DiskFull { needed, free }),
            Ok(_) => Ok(()),
            Err(error) => Err(self.poisoned_by("asking for free space", &error)),
        }
    }

    fn disk_full(&self, needed: u64) -> AppendError {
        AppendError::DiskFull { needed, free: self.shared.disk.free_bytes().unwrap_or(0) }
    }

    fn check_alive(&self) -> Result<(), AppendError> {
        match self.shared.stopped() {
            Some(because) => Err(AppendError::Poisoned { because }),
            None => Ok(()),
        }
    }

    pub(crate) fn poisoned_by(&mut self, doing: &str, error: &std::io::Error) -> AppendError {
        AppendError::Poisoned { because: self.poison(doing, error) }
    }
}
