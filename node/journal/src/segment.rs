//! What surrounds the records in a segment's file: its name, its header block, and the table and footer of a sealed one.
//!
//! ```text
//! header block 4096: magic 8 | version u32 | crc32c of those 12 | journal id 16 | segment number u64 | position before u64
//!                    | batch before u64 | time before u64 | chain before 32 | epoch before u32 | crc32c of all before | zeros
//! records …
//! table: one u32 per record, where it begins in the file          (sealed only, as is what follows)
//! footer 128:  magic 8 | journal id 16 | segment number u64 | position before u64 | count u32 | end of records u32
//!              | last batch u64 | last time u64 | last chain 32 | last epoch u32 | crc32c of the table | zeros
//!              | crc32c of all before                              (last 4 bytes of the file)
//! ```
//! All integers little-endian. The header stands in a block of its own, so that no later write touches it.
//!
//! Invariant: magic, version and their checksum are where they are in every version to come, so that a file of a newer
//! build is refused as such and never as damaged.

use crate::error::Fault;
use crate::limits::ORDINAL_MAX;
use crate::record::Head;

/// The newest version of the format that this build reads; it writes it for rewritten segments only, so that a journal
/// without such still opens with older builds.
pub const FORMAT_VERSION: u32 = 2;

/// The version in which every segment is begun: no record without its body's bytes.
const PLAIN_VERSION: u32 = 1;

pub const HEADER_BLOCK: usize = 4096;
pub const FOOTER: usize = 128;

const MAGIC: [u8; 8] = *b"\x89STJRNL\n";
const FOOTER_MAGIC: [u8; 8] = *b"STSEALED";
const HEADER_USED: usize = 100;

/// Header of segment: its number and the head that its first record follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    pub number: u64,
    pub before: Head,
    /// It may hold records whose erased bodies are left out.
    pub rewritten: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Footer {
    pub number: u64,
    /// Position before the first record.
    pub position_before: u64,
    pub count: u32,
    /// Where the records end and the table begins.
    pub records_end: u32,
    /// The last record.
    pub last: Head,
    pub table_crc: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum HeaderError {
    Newer { found: u32 },
    Damaged(&'static str),
}

pub fn file_name(number: u64) -> String {
    format!("{number:016}.segment")
}

/// The name that a segment's file has until its header and first extent, or all of a rewritten one, are durable.
pub fn unfinished_name(number: u64) -> String {
    format!("{}{UNFINISHED}", file_name(number))
}

const UNFINISHED: &str = ".new";

/// The name that the file has whose place a rewritten one takes, until it is overwritten.
pub fn retired_name(number: u64) -> String {
    format!("{}{RETIRED}", file_name(number))
}

const RETIRED: &str = ".old";

/// The segment in whose place something else was put, by the name of the old file.
pub fn retired_number(name: &str) -> Option<u64> {
    name.strip_suffix(RETIRED).and_then(number_of)
}

/// The number in a segment's file name; `None` for other files.
pub fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".segment")?.parse().ok()?;
    (number <= ORDINAL_MAX && file_name(number) == name).then_some(number)
}

pub fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).and_then(number_of).is_some()
}

/// Bytes that sealing adds to a segment of `count` records.
pub fn seal_len(count: usize) -> usize {
    4 * count + FOOTER
}

impl SegmentHeader {
    pub fn to_block(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BLOCK);
        out.extend_from_slice(&MAGIC);
        let version = if self.rewritten { FORMAT_VERSION } else { PLAIN_VERSION };
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out.extend_from_slice(&self.before.journal_id);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.before.position.to_le_bytes());
        out.extend_from_slice(&self.before.batch.to_le_bytes());
        out.extend_from_slice(&self.before.time_ms.to_le_bytes());
        out.extend_from_slice(&self.before.chain);
        out.extend_from_slice(&self.before.epoch.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        debug_assert_eq!(out.len(), HEADER_USED + 4);
        out.resize(HEADER_BLOCK, 0);
        out
    }

    pub fn parse(block: &[u8]) -> Result<SegmentHeader, HeaderError> {
        let mut fields = Fields(block);
        if fields.array::<8>() != Some(MAGIC) {
            return Err(HeaderError::Damaged("no magic"));
        }
        let version = fields.u32();
        if fields.u32() != Some(crc32c::crc32c(block.get(..12).unwrap_or_default())) {
            return Err(HeaderError::Damaged("checksum of the version"));
        }
        let rewritten = match version {
            Some(PLAIN_VERSION) => false,
            Some(FORMAT_VERSION) => true,
            Some(found) if found > FORMAT_VERSION => return Err(HeaderError::Newer { found }),
            _ => return Err(HeaderError::Damaged("version")),
        };
        if block.len() != HEADER_BLOCK {
            return Err(HeaderError::Damaged("length"));
        }
        Self::parse_fields(fields, block, rewritten).ok_or(HeaderError::Damaged("checksum"))
    }

    fn parse_fields(mut fields: Fields<'_>, block: &[u8], rewritten: bool) -> Option<SegmentHeader> {
        let journal_id = fields.array()?;
        let number = fields.ordinal()?;
        let position = fields.ordinal()?;
        let batch = fields.ordinal()?;
        let time_ms = fields.u64()?;
        let chain = fields.array()?;
        let epoch = fields.u32()?;
        let whole = fields.u32()? == crc32c::crc32c(&block[..HEADER_USED]) && crate::content::is_zero(fields.0);
        let before = Head { journal_id, epoch, batch, position, time_ms, chain };
        whole.then_some(SegmentHeader { number, before, rewritten })
    }
}

impl Footer {
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER);
        out.extend_from_slice(&FOOTER_MAGIC);
        out.extend_from_slice(&self.last.journal_id);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.position_before.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.records_end.to_le_bytes());
        out.extend_from_slice(&self.last.batch.to_le_bytes());
        out.extend_from_slice(&self.last.time_ms.to_le_bytes());
        out.extend_from_slice(&self.last.chain);
        out.extend_from_slice(&self.last.epoch.to_le_bytes());
        out.extend_from_slice(&self.table_crc.to_le_bytes());
        out.resize(FOOTER - 4, 0);
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Reads the last `FOOTER` bytes of a file of `file_len` bytes.
    pub fn parse(bytes: &[u8], file_len: u64) -> Result<Footer, Fault> {
        let (covered, checksum) = match bytes.split_last_chunk::<4>() {
            Some(parts) if bytes.len() == FOOTER => parts,
            _ => return Err(Fault::Footer("length")),
        };
        let mut fields = Fields(covered);
        if fields.array::<8>() != Some(FOOTER_MAGIC) {
            return Err(Fault::Footer("no magic"));
        }
        if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
            return Err(Fault::Footer("checksum"));
        }
        let footer = Self::parse_fields(fields).ok_or(Fault::Footer("a field"))?;
        let sealed = u64::from(footer.records_end) + seal_len(footer.count as usize) as u64;
        let first_possible = footer.records_end as usize >= HEADER_BLOCK && footer.count > 0;
        let last = footer.position_before.checked_add(footer.count.into());
        if sealed != file_len || !first_possible || last != Some(footer.last.position) {
            return Err(Fault::Footer("it does not fit the file"));
        }
        Ok(footer)
    }

    fn parse_fields(mut fields: Fields<'_>) -> Option<Footer> {
        let journal_id = fields.array()?;
        let number = fields.ordinal()?;
        let position_before = fields.ordinal()?;
        let count = fields.u32()?;
        let records_end = fields.u32()?;
        let batch = fields.ordinal()?;
        let time_ms = fields.u64()?;
        let chain = fields.array()?;
        let epoch = fields.u32()?;
        let table_crc = fields.u32()?;
        let position = position_before.checked_add(count.into())?;
        let last = Head { journal_id, epoch, batch, position, time_ms, chain };
        crate::content::is_zero(fields.0).then_some(Footer { number, position_before, count, records_end, last, table_crc })
    }
}

/// What sealing writes behind the records: the table and the footer.
pub fn seal_bytes(number: u64, offsets: &[u32], records_end: u32, last: &Head) -> Vec<u8> {
    let mut out = Vec::with_capacity(seal_len(offsets.len()));
    for offset in offsets {
        out.extend_from_slice(&offset.to_le_bytes());
    }
    let count = offsets.len() as u32;
    let position_before = last.position - u64::from(count);
    let table_crc = crc32c::crc32c(&out);
    let footer = Footer { number, position_before, count, records_end, last: *last, table_crc };
    out.extend_from_slice(&footer.to_bytes());
    out
}

/// A piece of the table: `None` unless offsets rise within the records of a segment.
pub fn parse_table(bytes: &[u8], records_end: u32) -> Option<Vec<u32>> {
    let (entries, rest) = bytes.as_chunks::<4>();
    let offsets: Vec<u32> = entries.iter().map(|entry| u32::from_le_bytes(*entry)).collect();
    let rising = offsets.windows(2).all(|pair| pair[0] < pair[1]);
    let within = offsets.first().is_none_or(|&first| first as usize >= HEADER_BLOCK)
        && offsets.last().is_none_or(|&last| last <= records_end);
    (rest.is_empty() && rising && within).then_some(offsets)
}

/// Fixed fields taken from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn ordinal(&mut self) -> Option<u64> {
        self.u64().filter(|&value| value <= ORDINAL_MAX)
    }
}
