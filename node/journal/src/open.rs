//! Opening a journal: what is sealed is taken by its footers, the newest segment is read, and what a crash left behind is
//! put in order.
//!
//! Owns the decision between "a last batch that was never acknowledged" and "damage". The writing is in `repair`.
//!
//! Invariant: when `open` returns, everything that it kept is durable, and nothing follows it in the file.

use crate::disk::{Disk, DiskFile, read_vec};
use crate::erase::{self, Entry, ErasingList};
use crate::error::{Fault, OpenError, Place};
use crate::header::{self, Seed};
use crate::journal::{Journal, Options};
use crate::limits::SEGMENT_BYTES_MAX;
use crate::record::Head;
use crate::repair;
use crate::rewrite;
use crate::segment::{FOOTER, FORMAT_VERSION, Footer, HEADER_BLOCK, HeaderError, SegmentHeader};
use crate::segment::{file_name, is_unfinished, number_of, parse_table, seal_len};
use crate::shared::{Active, Sealed, Shared, State};
use std::io;
use std::sync::Arc;

/// What opening found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenReport {
    pub head: Head,
    pub records: u64,
    pub segments: u64,
    /// A last batch that was not complete; it was never acknowledged.
    pub cut: Option<CutBatch>,
    /// A segment whose sealing was cut short; it is the active one again.
    pub seal_undone: bool,
    /// Bodies overwritten again because a crash may have cut their erasing short.
    pub erasures_repeated: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CutBatch {
    pub batch: u64,
    /// Position of its first record; the next append gives it again.
    pub position: u64,
    /// Whole records of it that were found, and cut with the rest.
    pub records_found: u32,
}

pub(crate) fn io(doing: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { doing, source }
}

pub(crate) fn damaged(segment: u64, offset: u64, position: u64, fault: Fault) -> OpenError {
    OpenError::Damaged { place: Place { segment, offset, position }, fault, later: None }
}

impl Journal {
    /// Opens the journal in the folder. Writes: removes unfinished segments, repeats an unfinished erasure, cuts a torn
    /// last batch, and writes the last batch kept once more (a kill may have left it in the page cache only, where a
    /// failed sync may even have marked it clean).
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Journal, OpenReport), OpenError> {
        options.check().map_err(OpenError::Options)?;
        let names = disk.list().map_err(io("listing the folder"))?;
        let count = count_segments(&names)?;
        let first = Segment::open(&*disk, 1)?;
        // Before anything is written: a newer build has gone on in a newer format here.
        let newest = Segment::open(&*disk, count)?;
        let journal_id = first.header.before.journal_id;
        let seed = Seed::new(&journal_id);
        let genesis = header::first_link(&journal_id);
        let mut head = Head { journal_id, epoch: 1, batch: 0, position: 0, time_ms: 0, chain: genesis };

        let (erasing, entries) = ErasingList::open(&*disk, &names, &journal_id).map_err(io("opening the erasing list"))?;
        let erasures_repeated = repeat_erasures(&*disk, &entries, count, seed).map_err(io("repeating an erasure"))?;

        let mut sealed = Vec::new();
        for number in 1..count {
            let segment = Segment::open(&*disk, number)?;
            segment.check_follows(&head)?;
            let footer = segment.footer().map_err(|fault| damaged(number, segment.size, 0, fault))?;
            head = footer.last;
            sealed.push(Sealed::from(footer));
        }
        newest.check_follows(&head)?;
        let is_erased = |position| entries.iter().any(|entry| entry.position == position);
        let settled = repair::settle(&newest, head, seed, &is_erased)?;
        for name in names.iter().filter(|name| is_unfinished(name)) {
            rewrite::discard(&*disk, name, None).map_err(io("removing an unfinished segment"))?;
        }
        rewrite::discard_retired(&*disk, &names).map_err(io("overwriting the old file of a rewritten segment"))?;
        disk.sync_dir().map_err(io("syncing the folder"))?;

        let allocated = settled.active.as_ref().map_or(0, |active| active.end.into());
        sealed.extend(settled.sealed);
        let (cut, seal_undone) = (settled.cut, settled.seal_undone);
        let head = settled.head;
        let report = OpenReport { head, records: head.position, segments: count, cut, seal_undone, erasures_repeated };
        let state = State { head, sealed, active: settled.active };
        let mut journal = Journal::new(Shared::new(disk, state), options, allocated, erasing);
        journal.forget_erased(entries).map_err(io("clearing the erasing list"))?;
        Ok((journal, report))
    }
}

/// The number of segments, which are numbered from 1 without a gap.
fn count_segments(names: &[String]) -> Result<u64, OpenError> {
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    for (number, expected) in numbers.iter().zip(1..) {
        if *number != expected {
            return Err(OpenError::SegmentMissing { segment: expected });
        }
    }
    match numbers.len() {
        0 => Err(OpenError::NoJournal),
        count => Ok(count as u64),
    }
}

fn repeat_erasures(disk: &dyn Disk, entries: &[Entry], segments: u64, seed: Seed) -> io::Result<usize> {
    let mut repeated = 0;
    for segment in entries.chunk_by(|a, b| a.segment == b.segment) {
        if segment[0].segment == 0 || segment[0].segment > segments {
            continue;
        }
        let file = disk.open(&file_name(segment[0].segment))?;
        for entry in segment {
            repeated += usize::from(erase::overwrite(&*file, entry, seed)?);
        }
        file.sync_data()?;
    }
    Ok(repeated)
}

/// A segment's file while the journal is opened.
pub(crate) struct Segment {
    pub number: u64,
    pub header: SegmentHeader,
    pub file: Arc<dyn DiskFile>,
    pub size: u64,
}

impl Segment {
    fn open(disk: &dyn Disk, number: u64) -> Result<Segment, OpenError> {
        let file = disk.open(&file_name(number)).map_err(io("opening a segment"))?;
        let size = file.size().map_err(io("asking for a segment's size"))?;
        let block = read_vec(&*file, 0, size.min(HEADER_BLOCK as u64) as usize).map_err(io("reading a segment's header"))?;
        let header = SegmentHeader::parse(&block).map_err(|error| match error {
            HeaderError::Newer { found } => OpenError::NewerFormat { segment: number, found, known: FORMAT_VERSION },
            HeaderError::Damaged(what) => damaged(number, 0, 0, Fault::SegmentHeader(what)),
        })?;
        if size > SEGMENT_BYTES_MAX.into() {
            return Err(damaged(number, 0, 0, Fault::SegmentHeader("the file is too large for a segment")));
        }
        if header.number != number {
            return Err(damaged(number, 0, 0, Fault::SegmentHeader("it has the number of another segment")));
        }
        Ok(Segment { number, header, file, size })
    }

    fn check_follows(&self, head: &Head) -> Result<(), OpenError> {
        if self.header.before != *head {
            let fault = Fault::SegmentHeader("it does not follow the end of the segment before");
            return Err(damaged(self.number, 0, 0, fault));
        }
        Ok(())
    }

    /// The footer, if the file ends with one that belongs to this segment.
    pub fn footer(&self) -> Result<Footer, Fault> {
        let at = self.size.saturating_sub(FOOTER as u64);
        let bytes = read_vec(&*self.file, at, FOOTER).map_err(|_| Fault::Footer("it cannot be read"))?;
        let footer = Footer::parse(&bytes, self.size)?;
        let before = &self.header.before;
        let same = (footer.number, footer.position_before) == (self.number, before.position);
        if !same || footer.last.journal_id != before.journal_id {
            return Err(Fault::Footer("it belongs to another segment"));
        }
        Ok(footer)
    }

    /// The table that `footer` is about.
    pub fn table(&self, footer: &Footer) -> Result<Vec<u32>, Fault> {
        let len = seal_len(footer.count as usize) - FOOTER;
        let bytes = read_vec(&*self.file, footer.records_end.into(), len).map_err(|_| Fault::Table)?;
        if crc32c::crc32c(&bytes) != footer.table_crc {
            return Err(Fault::Table);
        }
        parse_table(&bytes, footer.records_end).ok_or(Fault::Table)
    }
}

impl From<Footer> for Sealed {
    fn from(footer: Footer) -> Sealed {
        let Footer { position_before, count, records_end, .. } = footer;
        Sealed { position_before, count, records_end }
    }
}

/// The newest segment in order: sealed or active.
pub(crate) struct Settled {
    pub head: Head,
    pub sealed: Option<Sealed>,
    pub active: Option<Active>,
    pub cut: Option<CutBatch>,
    pub seal_undone: bool,
}
