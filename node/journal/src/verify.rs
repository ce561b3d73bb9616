//! Reading everything and checking everything: for an operator, before a backup, after a move.
//!
//! Owns the list of what was found. Goes on behind a damaged place where it can: content is judged record by record, the
//! chain begins anew with the next segment. Never writes.
//!
//! Invariant: a journal without damages in the report has every byte of every record, header, table and footer as written,
//! but for bodies that were ordered to be erased.

use crate::content::{self, BodyState};
use crate::disk::{DiskFile, read_vec};
use crate::error::{Fault, Place, ReadError};
use crate::header::MARKER_OMITTED;
use crate::limits::DAMAGES_MAX;
use crate::reader::Reader;
use crate::record::{Head, ReadJournal};
use crate::rewrite::is_mostly_erased;
use crate::scan::Cursor;
use crate::segment::{FOOTER, Footer, HEADER_BLOCK, SegmentHeader, seal_bytes, seal_len};
use crate::shared::Sealed;
use crate::window::Window;
use std::sync::Arc;

/// How far `verify` has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyProgress {
    pub position: u64,
    /// The last position that will be looked at.
    pub head: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    pub records: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// Records with an erased body.
    pub erased: u64,
    /// The first `DAMAGES_MAX` damages.
    pub damages: Vec<Damage>,
    pub damages_total: u64,
    /// Bytes of erased bodies that rewriting would give back, and in how many segments.
    pub reclaimable: u64,
    pub reclaimable_segments: u64,
    /// Bodies ordered to be erased that are still there, whole or in part: erase them again (the first `DAMAGES_MAX`).
    pub erasures_unfinished: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    pub place: Place,
    pub fault: Fault,
}

/// Records between two calls of the progress callback.
const PROGRESS_RECORDS: u64 = 10_000;

/// A segment as it was when the verification began.
struct Extent {
    number: u64,
    file: Arc<dyn DiskFile>,
    records_end: u32,
    last_position: u64,
    sealed: Option<Sealed>,
}

struct Verification<'a> {
    reader: &'a Reader,
    is_erased: &'a dyn Fn(u64) -> bool,
    progress: &'a mut dyn FnMut(VerifyProgress),
    head: Head,
    /// What the next segment must follow; unknown behind a damaged one.
    before: Option<Head>,
    /// Records of this segment may have their bodies left out.
    rewritten: bool,
    /// Bytes of erased bodies in this segment.
    zeros: u64,
    report: VerifyReport,
}

impl Reader {
    /// Reads all that is durable now and checks checksums, order, chain, hashes of facts and bodies, and tables.
    /// `is_erased(position)` says whether erasing that body was ordered: only then may it be gone. Damage is in the
    /// report; an error is only what kept it from reading.
    pub fn verify(
        &self,
        is_erased: &dyn Fn(u64) -> bool,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<VerifyReport, ReadError> {
        let _not_rewritten = self.shared.rewriting.lock();
        let head = self.head();
        let first = crate::header::first_link(&head.journal_id);
        let before = Head { epoch: 1, batch: 0, position: 0, time_ms: 0, chain: first, ..head };
        let report = VerifyReport::default();
        let mut verification =
            Verification { reader: self, is_erased, progress, head, before: Some(before), rewritten: false, zeros: 0, report };
        let mut number = 1;
        while let Some(extent) = self.extent(number)? {
            verification.segment(&extent)?;
            number += 1;
            if extent.last_position >= head.position {
                break;
            }
        }
        (verification.progress)(VerifyProgress { position: head.position, head: head.position });
        Ok(verification.report)
    }

    fn extent(&self, number: u64) -> Result<Option<Extent>, ReadError> {
        let state = self.shared.state.read();
        if let Some(&sealed) = state.sealed.get(number as usize - 1) {
            drop(state);
            let io = |source| ReadError::Io { doing: "opening a segment", segment: number, source };
            let file = self.shared.file(number).map_err(io)?;
            let last_position = sealed.position_before + u64::from(sealed.count);
            return Ok(Some(Extent { number, file, records_end: sealed.records_end, last_position, sealed: Some(sealed) }));
        }
        Ok(state.active.as_ref().filter(|active| active.number == number).map(|active| Extent {
            number,
            file: active.file.clone(),
            records_end: active.end,
            last_position: state.head.position,
            sealed: None,
        }))
    }
}

impl Verification<'_> {
    fn segment(&mut self, extent: &Extent) -> Result<(), ReadError> {
        let Some(before) = self.header(extent)? else {
            self.before = None;
            return Ok(());
        };
        self.zeros = 0;
        let mut cursor = Cursor::after(before);
        let mut offsets = Vec::new();
        let whole = self.records(extent, &mut cursor, &mut offsets)?;
        if whole && cursor.remaining > 0 {
            self.damage(extent, extent.records_end.into(), cursor.last.position + 1, Fault::BatchIncomplete);
        }
        if extent.sealed.is_some() {
            let size = extent.file.size().map_err(extent.io("asking for a segment's size"))?;
            if is_mostly_erased(self.zeros, size) {
                self.report.reclaimable += self.zeros;
                self.report.reclaimable_segments += 1;
            }
            self.seal(extent, whole.then_some((&offsets, &cursor.last)))?;
        }
        self.before = whole.then_some(cursor.last);
        Ok(())
    }

    /// What the segment's first record follows: by its own header, or, if that is damaged, by the segment before.
    fn header(&mut self, extent: &Extent) -> Result<Option<Head>, ReadError> {
        let block = read_vec(&*extent.file, 0, HEADER_BLOCK).map_err(extent.io("reading a segment's header"))?;
        let parsed = SegmentHeader::parse(&block).ok().filter(|header| header.number == extent.number);
        self.rewritten = parsed.is_none_or(|header| header.rewritten);
        match (parsed, self.before) {
            (Some(header), Some(before)) if header.before == before => {}
            (Some(_), Some(_)) => self.damage(extent, 0, 0, Fault::SegmentHeader("it does not follow the segment before")),
            (Some(header), None) => return Ok(Some(header.before)),
            (None, _) => self.damage(extent, 0, 0, Fault::SegmentHeader("it is not as written")),
        }
        Ok(self.before)
    }

    /// Follows the records; `false` if their headers could not be followed to the end.
    fn records(&mut self, extent: &Extent, cursor: &mut Cursor, offsets: &mut Vec<u32>) -> Result<bool, ReadError> {
        let mut window = Window::new(&*extent.file, extent.records_end.into());
        let mut offset = HEADER_BLOCK as u64;
        while offset < window.limit {
            let bytes = window.at(offset).map_err(extent.io("reading records"))?;
            let position = cursor.last.position + 1;
            let parsed = match cursor.pass(bytes, self.reader.shared.seed) {
                Ok(parsed) if parsed.omitted && !self.rewritten => {
                    self.damage(extent, offset, position, Fault::Marker(MARKER_OMITTED));
                    return Ok(false);
                }
                Ok(parsed) => parsed,
                Err(fault) => {
                    self.damage(extent, offset, position, fault);
                    return Ok(false);
                }
            };
            let mut judged = content::judge(&parsed, bytes);
            if judged == Err(Fault::Body) {
                // Perhaps met in the middle of being erased.
                drop(self.reader.shared.erasing.lock());
                window.forget();
                judged = content::judge(&parsed, window.at(offset).map_err(extent.io("reading records"))?);
            }
            if judged == Ok(BodyState::Erased) && !parsed.omitted {
                self.zeros += u64::from(parsed.header.body_len);
            }
            self.judged(extent, offset, position, judged);
            offsets.push(offset as u32);
            offset += parsed.record_len() as u64;
            self.report.records += 1;
            self.report.bytes += parsed.record_len() as u64;
            if self.report.records.is_multiple_of(PROGRESS_RECORDS) {
                (self.progress)(VerifyProgress { position, head: self.head.position });
            }
        }
        Ok(true)
    }

    fn judged(&mut self, extent: &Extent, offset: u64, position: u64, judged: Result<BodyState, Fault>) {
        let ordered = (self.is_erased)(position);
        match judged {
            Ok(BodyState::None) => {}
            Ok(BodyState::Erased) => {
                self.report.erased += 1;
                if !ordered {
                    self.damage(extent, offset, position, Fault::ErasedWithoutOrder);
                }
            }
            Ok(BodyState::Present) | Err(Fault::Body) if ordered => {
                if self.report.erasures_unfinished.len() < DAMAGES_MAX {
                    self.report.erasures_unfinished.push(position);
                }
            }
            Ok(BodyState::Present) => {}
            Err(fault) => self.damage(extent, offset, position, fault),
        }
    }

    /// Table and footer: by their checksums, and against the records if those could be followed.
    fn seal(&mut self, extent: &Extent, found: Option<(&Vec<u32>, &Head)>) -> Result<(), ReadError> {
        let at = u64::from(extent.records_end);
        let count = extent.sealed.map_or(0, |sealed| sealed.count as usize);
        let size = extent.file.size().map_err(extent.io("asking for a segment's size"))?;
        if size != at + seal_len(count) as u64 {
            self.damage(extent, at, 0, Fault::Footer("it does not fit the file"));
            return Ok(());
        }
        let stored = read_vec(&*extent.file, at, seal_len(count)).map_err(extent.io("reading a table"))?;
        let (table, footer) = stored.split_at(stored.len() - FOOTER);
        match Footer::parse(footer, size) {
            Err(fault) => self.damage(extent, at + table.len() as u64, 0, fault),
            Ok(footer) if footer.table_crc != crc32c::crc32c(table) => self.damage(extent, at, 0, Fault::Table),
            Ok(_) => {
                let expected = found.map(|(offsets, last)| seal_bytes(extent.number, offsets, extent.records_end, last));
                if expected.is_some_and(|expected| expected != stored) {
                    self.damage(extent, at, 0, Fault::Table);
                }
            }
        }
        Ok(())
    }

    fn damage(&mut self, extent: &Extent, offset: u64, position: u64, fault: Fault) {
        self.report.damages_total += 1;
        if self.report.damages.len() < DAMAGES_MAX {
            self.report.damages.push(Damage { place: Place { segment: extent.number, offset, position }, fault });
        }
    }
}

impl Extent {
    fn io(&self, doing: &'static str) -> impl Fn(std::io::Error) -> ReadError {
        let segment = self.number;
        move |source| ReadError::Io { doing, segment, source }
    }
}
