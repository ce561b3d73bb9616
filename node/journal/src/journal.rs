//! The journal as its one writer has it: create, open, append, erase.
//!
//! Owns the write position, the epoch of what is appended next, and whether the journal is poisoned. The verbs are in files
//! of their own: `append`, `seal`, `erase`, `open`. Never retries a write or a sync that failed.
//!
//! Invariant: once poisoned, nothing is written any more; readers go on with what was visible.

use crate::disk::{Disk, DiskFile};
use crate::encode::BatchBuffer;
use crate::erase::ErasingList;
use crate::error::CreateError;
use crate::header;
use crate::limits::{EXTENT_BYTES, EXTENT_BYTES_MIN, SEGMENT_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::reader::Reader;
use crate::record::Head;
use crate::seal::{MakeError, make_segment};
use crate::segment::{HEADER_BLOCK, SegmentHeader, is_unfinished, number_of};
use crate::shared::{Active, Shared, State};
use crate::verify::{VerifyProgress, VerifyReport};
use std::io;
use std::sync::Arc;

/// Sizes of the files; they may differ from one opening to the next.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of a segment, table and footer included.
    pub segment_bytes: u32,
    /// Bytes by which a segment is filled with zeros ahead of the write position.
    pub extent_bytes: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: SEGMENT_BYTES, extent_bytes: EXTENT_BYTES }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            return Err("segment_bytes must be from 8 KiB to 1 GiB");
        }
        if !(EXTENT_BYTES_MIN..=self.segment_bytes).contains(&self.extent_bytes) {
            return Err("extent_bytes must be from 512 to segment_bytes");
        }
        Ok(())
    }

    /// Bytes that a segment's file is given when `needed` of them are about to be used.
    pub(crate) fn allocation(&self, needed: u64) -> u64 {
        needed.next_multiple_of(self.extent_bytes.into()).min(self.segment_bytes.into()).max(needed)
    }
}

/// The one writer of a journal. That there is only one process is for the caller to lock.
pub struct Journal {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Options,
    pub(crate) buffer: BatchBuffer,
    /// Bytes of the active segment's file that are allocated and durable.
    pub(crate) allocated: u64,
    /// Epoch of the records appended next.
    pub(crate) epoch: u32,
    pub(crate) poisoned: Option<String>,
    pub(crate) erasing: ErasingList,
}

impl Journal {
    /// Makes an empty journal with the given id (16 random bytes) and its first segment.
    pub fn create(disk: Arc<dyn Disk>, id: [u8; 16], options: Options) -> Result<Journal, CreateError> {
        options.check().map_err(CreateError::Options)?;
        let io = |doing| move |source| CreateError::Io { doing, source };
        let names = disk.list().map_err(io("listing the folder"))?;
        if names.iter().any(|name| number_of(name).is_some()) {
            return Err(CreateError::AlreadyExists);
        }
        for name in names.iter().filter(|name| is_unfinished(name)) {
            disk.remove(name).map_err(io("removing an unfinished segment"))?;
        }
        let chain = header::first_link(&id);
        let head = Head { journal_id: id, epoch: 1, batch: 0, position: 0, time_ms: 0, chain };
        let made = ErasingList::create(&*disk).map_err(|source| MakeError::io("making the erasing list", source));
        let made = made.and_then(|erasing| {
            let allocated = options.allocation(HEADER_BLOCK as u64 + 1);
            let file = make_segment(&*disk, SegmentHeader { number: 1, before: head, rewritten: false }, allocated)?;
            Ok((erasing, file, allocated))
        });
        let (erasing, file, allocated) = made.map_err(|error| match error {
            MakeError::Full => CreateError::DiskFull,
            MakeError::Io { doing, source } => CreateError::Io { doing, source },
        })?;
        let state = State { head, sealed: Vec::new(), active: Some(Active::empty(1, head, file)) };
        Ok(Journal::new(Shared::new(disk, state), options, allocated, erasing))
    }

    pub(crate) fn new(shared: Shared, options: Options, allocated: u64, erasing: ErasingList) -> Journal {
        let epoch = shared.state.read().head.epoch;
        let buffer = BatchBuffer::default();
        Journal { shared: Arc::new(shared), options, buffer, allocated, epoch, poisoned: None, erasing }
    }

    /// The newest durable record.
    pub fn head(&self) -> Head {
        self.shared.state.read().head
    }

    /// A reader of what is durable; it stays valid while the journal is written, and after it is poisoned.
    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }

    /// From now on records carry the epoch after the head's, which is returned. The epoch becomes durable with the first
    /// of them; called again before that, it is the same epoch.
    pub fn begin_epoch(&mut self) -> u32 {
        self.epoch = self.head().epoch.saturating_add(1);
        self.epoch
    }

    /// Whether every later append and erasure will be refused.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.is_some() || self.shared.stopped().is_some()
    }

    /// Bytes that the disk still takes.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.shared.disk.free_bytes()
    }

    /// As [`Reader::verify`].
    pub fn verify(
        &self,
        is_erased: &dyn Fn(u64) -> bool,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<VerifyReport, crate::error::ReadError> {
        self.reader().verify(is_erased, progress)
    }

    /// Remembers why the journal is finished; the first reason stays.
    pub(crate) fn poison(&mut self, doing: &str, error: &io::Error) -> String {
        let because = self.poisoned.get_or_insert_with(|| format!("{doing}: {error}")).clone();
        self.shared.stop(&because);
        because
    }
}

impl Active {
    pub(crate) fn empty(number: u64, before: Head, file: Arc<dyn DiskFile>) -> Active {
        Active { number, before, file, offsets: Vec::new(), end: HEADER_BLOCK as u32 }
    }
}
