//! Appending a batch: encode, make room, one write, one sync, and only then visible.
//!
//! Owns the order of these steps. Never writes anything of a batch before there is room for all of it.
//!
//! Invariant: a batch lies within one segment, in front of room enough to seal that segment.

use crate::disk::{DiskFile, write_zeros};
use crate::encode::too_large;
use crate::error::{AppendError, is_full};
use crate::journal::Journal;
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
        let (file, end) = self.make_room(head)?;
        if let Err(error) = file.write_at(end.into(), &self.buffer.bytes) {
            return Err(self.poisoned_by("writing a batch", &error));
        }
        if sabotage::is(Switch::AcknowledgeBeforeSync) {
            self.publish(after);
            return Ok(after);
        }
        if let Err(error) = file.sync_data() {
            return Err(self.poisoned_by("syncing a batch", &error));
        }
        self.publish(after);
        Ok(after)
    }
}

impl Journal {
    /// Finds the segment and the place for the batch in the buffer, sealing and beginning segments as needed.
    fn make_room(&mut self, head: Head) -> Result<(Arc<dyn DiskFile>, u32), AppendError> {
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
                return Ok((file, end));
            }
            self.seal_active()?;
        }
        let file = self.begin_segment(head, alone as u64)?;
        Ok((file, HEADER_BLOCK as u32))
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
