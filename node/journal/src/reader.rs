//! Reading records by position, from any thread, while the writer goes on.
//!
//! Owns no state but the handle. A read is one look-up, at most one small read of a sealed segment's table, and one read
//! of the records. Never sees a batch before its sync returned.
//!
//! Invariant: a record that is returned has the right position, header checksum, facts hash and body hash.

use crate::content;
use crate::disk::DiskFile;
use crate::disk::read_vec;
use crate::error::{Fault, Place, ReadError};
use crate::header::{self, Parsed};
use crate::limits::{HEADER_BYTES_MAX, READ_BYTES_MAX, READ_RECORDS_MAX, RECORD_BYTES_MAX};
use crate::record::{Body, Head, Header, ReadJournal, Record};
use crate::segment::parse_table;
use crate::shared::Shared;
use bytes::Bytes;
use parking_lot::RwLockReadGuard;
use std::sync::Arc;

/// Reads a journal; cloning is cheap.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

/// Consecutive records of one segment.
struct Run<'a> {
    _reading: RwLockReadGuard<'a, ()>,
    segment: u64,
    file: Arc<dyn DiskFile>,
    /// Position of the first.
    first: u64,
    /// Where each begins, and where the last ends.
    bounds: Vec<u32>,
}

impl ReadJournal for Reader {
    fn head(&self) -> Head {
        self.shared.state.read().head
    }

    fn read(&self, position: u64) -> Result<Record, ReadError> {
        let run = self.find(position, 1)?;
        self.read_run(&run)?.pop().ok_or_else(|| run.damaged(0, Fault::Table))
    }

    fn read_from(&self, from: u64, max_records: usize, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        let max_records = max_records.clamp(1, READ_RECORDS_MAX);
        let mut bytes_left = max_bytes.min(READ_BYTES_MAX);
        let mut records = Vec::new();
        let mut position = from.max(1);
        let head = self.head().position;
        while position <= head && records.len() < max_records {
            let mut run = self.find(position, max_records - records.len())?;
            let fitting = run.bounds[1..].iter().take_while(|&&end| (end - run.bounds[0]) as usize <= bytes_left).count();
            if fitting == 0 && !records.is_empty() {
                break;
            }
            let cut_short = fitting + 1 < run.bounds.len();
            run.bounds.truncate(fitting.max(1) + 1);
            records.append(&mut self.read_run(&run)?);
            if cut_short {
                break;
            }
            bytes_left = bytes_left.saturating_sub(run.bytes());
            position = run.first + run.count() as u64;
        }
        Ok(records)
    }

    fn header(&self, position: u64) -> Result<Header, ReadError> {
        Ok(self.find_header(position)?.0.header)
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Reader {
        Reader { shared }
    }

    /// The header at `position`, its segment, and where in its file the record begins.
    pub(crate) fn find_header(&self, position: u64) -> Result<(Parsed, u64, u32), ReadError> {
        // Not kept waiting by who waits for the readers: the caller may hold the lock that one of those waits for.
        let run = self.find_holding(self.shared.reading.read_recursive(), position, 1)?;
        let len = run.bytes().min(HEADER_BYTES_MAX);
        let bytes = read_vec(&*run.file, run.bounds[0].into(), len).map_err(run.io("reading a header"))?;
        let parsed = header::parse(&bytes, self.shared.seed).map_err(|fault| run.damaged(0, fault))?;
        run.check(0, &parsed)?;
        Ok((parsed, run.segment, run.bounds[0]))
    }

    /// Whether the body at `position` is erased; the caller sees to it that nothing is being erased.
    pub(crate) fn is_erased(&self, position: u64) -> Result<bool, ReadError> {
        let records = self.read_run_once(&self.find(position, 1)?)?;
        Ok(records.first().is_some_and(|record| record.body == Body::Erased))
    }

    /// Where the record at `position` lies, and at most `max - 1` behind it in the same segment.
    fn find(&self, position: u64, max: usize) -> Result<Run<'_>, ReadError> {
        self.find_holding(self.shared.reading.read(), position, max)
    }

    fn find_holding<'a>(&'a self, reading: RwLockReadGuard<'a, ()>, position: u64, max: usize) -> Result<Run<'a>, ReadError> {
        let state = self.shared.state.read();
        let head = state.head.position;
        if position == 0 || position > head {
            return Err(ReadError::NoSuchPosition { position, head });
        }
        let segment = state.segment_of(position);
        if let Some(&sealed) = state.sealed.get(segment as usize - 1) {
            // Before the lock is let go: with it, what is known of the segment belongs to this file.
            let file = self.file(segment)?;
            drop(state);
            let index = (position - sealed.position_before - 1) as usize;
            let count = max.min(sealed.count as usize - index);
            let bounds = Self::read_table(&*file, (segment, position), sealed.records_end, index, count, sealed.count as usize)?;
            return Ok(Run { _reading: reading, segment, file, first: position, bounds });
        }
        let active = state.active.as_ref().expect("a position that is not sealed is in the active segment");
        let index = (position - active.before.position - 1) as usize;
        let mut bounds: Vec<u32> = active.offsets[index..].iter().take(max + 1).copied().collect();
        if bounds.len() <= max {
            bounds.push(active.end);
        }
        Ok(Run { _reading: reading, segment, file: active.file.clone(), first: position, bounds })
    }

    /// The bounds of `count` records from `index` on, out of the table of a sealed segment with `of` records.
    fn read_table(
        file: &dyn DiskFile,
        (segment, position): (u64, u64),
        records_end: u32,
        index: usize,
        count: usize,
        of: usize,
    ) -> Result<Vec<u32>, ReadError> {
        let at = u64::from(records_end) + 4 * index as u64;
        let entries = (count + 1).min(of - index);
        let io = |source| ReadError::Io { doing: "reading a table", segment, source };
        let bytes = read_vec(file, at, 4 * entries).map_err(io)?;
        let damaged = ReadError::Damaged { place: Place { segment, offset: at, position }, fault: Fault::Table };
        let Some(mut bounds) = parse_table(&bytes, records_end) else {
            return Err(damaged);
        };
        if entries == count {
            bounds.push(records_end);
        }
        if bounds.windows(2).any(|pair| pair[1] <= pair[0] || (pair[1] - pair[0]) as usize > RECORD_BYTES_MAX) {
            return Err(damaged);
        }
        Ok(bounds)
    }

    fn file(&self, segment: u64) -> Result<Arc<dyn DiskFile>, ReadError> {
        self.shared.file(segment).map_err(|source| ReadError::Io { doing: "opening a segment", segment, source })
    }

    fn read_run(&self, run: &Run<'_>) -> Result<Vec<Record>, ReadError> {
        match self.read_run_once(run) {
            Err(ReadError::Damaged { fault: Fault::Body, .. }) => {
                // Perhaps met in the middle of being erased: wait until that is done, and judge then.
                drop(self.shared.erasing.lock());
                self.read_run_once(run)
            }
            other => other,
        }
    }

    fn read_run_once(&self, run: &Run<'_>) -> Result<Vec<Record>, ReadError> {
        let bytes = read_vec(&*run.file, run.bounds[0].into(), run.bytes()).map_err(run.io("reading records"))?;
        let bytes = Bytes::from(bytes);
        let mut records = Vec::with_capacity(run.count());
        for (index, bounds) in run.bounds.windows(2).enumerate() {
            let start = (bounds[0] - run.bounds[0]) as usize;
            let record = bytes.slice(start..start + (bounds[1] - bounds[0]) as usize);
            let parsed = header::parse(&record, self.shared.seed).map_err(|fault| run.damaged(index, fault))?;
            run.check(index, &parsed)?;
            let judged = if self.shared.is_unerased(run.first + index as u64) {
                content::record_without_body(&parsed, &record)
            } else {
                content::record(&parsed, &record)
            };
            records.push(judged.map_err(|fault| run.damaged(index, fault))?);
        }
        Ok(records)
    }
}

impl Run<'_> {
    fn count(&self) -> usize {
        self.bounds.len() - 1
    }

    fn bytes(&self) -> usize {
        (self.bounds[self.count()] - self.bounds[0]) as usize
    }

    /// Whether the header found at `index` is the one that the table promised.
    fn check(&self, index: usize, parsed: &Parsed) -> Result<(), ReadError> {
        let expected = self.first + index as u64;
        if parsed.header.position != expected {
            return Err(self.damaged(index, Fault::Position { expected, found: parsed.header.position }));
        }
        if parsed.record_len() != (self.bounds[index + 1] - self.bounds[index]) as usize {
            return Err(self.damaged(index, Fault::Table));
        }
        Ok(())
    }

    fn damaged(&self, index: usize, fault: Fault) -> ReadError {
        let (segment, position) = (self.segment, self.first + index as u64);
        ReadError::Damaged { place: Place { segment, offset: self.bounds[index].into(), position }, fault }
    }

    fn io(&self, doing: &'static str) -> impl Fn(std::io::Error) -> ReadError {
        let segment = self.segment;
        move |source| ReadError::Io { doing, segment, source }
    }
}
