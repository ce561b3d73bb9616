//! One error per operation, each saying what was expected, what came, and whether trying again helps.
//!
//! Owns the words only. A place in the journal is always segment, offset and position, so that a person can find it with
//! a hex viewer.
//!
//! Invariant: only `AppendError::DiskFull`, `HeadMoved` and the refusals of a draft leave the journal able to append.

use crate::record::Head;
use std::fmt;
use std::io;

/// Where in the journal something was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub segment: u64,
    /// Bytes from the start of the segment's file.
    pub offset: u64,
    /// The record that was expected or found there; 0 if it is no record (a segment's header, table or footer).
    pub position: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} at byte {}", self.segment, self.offset)?;
        match self.position {
            0 => Ok(()),
            position => write!(f, " (position {position})"),
        }
    }
}

/// What is wrong with the bytes at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    #[error("zeros where a record should begin")]
    End,
    #[error("a record should begin with the marker, not with {0:#04x}")]
    Marker(u8),
    #[error("the bytes end before the record does")]
    Cut,
    #[error("the header field `{0}` is not a possible value")]
    Field(&'static str),
    #[error("the header's checksum is wrong")]
    HeaderChecksum,
    #[error("position {found} where {expected} should follow")]
    Position { expected: u64, found: u64 },
    #[error("batch {found} where {expected} should follow")]
    Batch { expected: u64, found: u64 },
    #[error("{found} records are said to remain in the batch, and it should be {expected}")]
    Remaining { expected: u32, found: u32 },
    #[error("epoch {found} after epoch {last}")]
    Epoch { last: u32, found: u32 },
    #[error("time {found} ms after time {last} ms")]
    Time { last: u64, found: u64 },
    #[error("the hash chain does not lead to this header")]
    Chain,
    #[error("the facts do not match their hash")]
    Facts,
    #[error("the body does not match its hash")]
    Body,
    #[error("the body is zeros, and nothing ordered it to be erased")]
    ErasedWithoutOrder,
    #[error("the batch is not complete")]
    BatchIncomplete,
    #[error("the segment's header is damaged: {0}")]
    SegmentHeader(&'static str),
    #[error("the sealed segment's footer is damaged: {0}")]
    Footer(&'static str),
    #[error("the sealed segment's table of offsets is damaged")]
    Table,
    #[error("a whole record of the later batch {batch} follows at byte {offset}, so this batch was acknowledged")]
    LaterBatch { batch: u64, offset: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("there is already a journal here")]
    AlreadyExists,
    #[error("options: {0}")]
    Options(&'static str),
    #[error("the disk is full")]
    DiskFull,
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no journal here")]
    NoJournal,
    #[error("options: {0}")]
    Options(&'static str),
    #[error("segment {segment} has format version {found}, and this build knows versions up to {known}: a newer build is needed")]
    NewerFormat { segment: u64, found: u32, known: u32 },
    #[error("segment {segment} is missing")]
    SegmentMissing { segment: u64 },
    #[error("the journal is damaged in {place}: {fault}{}", and_later(.later))]
    Damaged {
        place: Place,
        fault: Fault,
        /// Why it cannot be a torn last batch.
        later: Option<Fault>,
    },
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
}

fn and_later(fault: &Option<Fault>) -> String {
    fault.map(|fault| format!("; {fault}")).unwrap_or_default()
}

/// Why a draft is no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DraftFault {
    #[error("{found} bytes of facts, and at most {max} are allowed")]
    FactsTooLong { found: usize, max: usize },
    #[error("{found} bytes of body, and at most {max} are allowed")]
    BodyTooLong { found: usize, max: usize },
    #[error("the body does not begin with a salt of 16 bytes that are not all zero")]
    NoSalt,
    #[error("the previous record {previous} is not before this one")]
    Previous { previous: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Never cured by trying again: the process must end, and opening finds out what is durable.
    #[error("the journal takes no more records: {because}")]
    Poisoned { because: String },
    #[error("made for position {}, and the head is at position {}", .expected.position, .actual.position)]
    HeadMoved { expected: Box<Head>, actual: Box<Head> },
    #[error("a batch without records")]
    EmptyBatch,
    #[error("a batch of {records} records and {bytes} bytes or more, and at most {records_max} and {bytes_max} are allowed")]
    BatchTooLarge { records: usize, bytes: usize, records_max: usize, bytes_max: usize },
    #[error("draft {index}: {fault}")]
    Draft { index: usize, fault: DraftFault },
    #[error("draft {index} has time {time_ms} ms, before {last_ms} ms")]
    TimeWentBack { index: usize, time_ms: u64, last_ms: u64 },
    /// Nothing was written; trying again helps once there is space.
    #[error("the disk is full: {needed} bytes are needed, {free} are free")]
    DiskFull { needed: u64, free: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Some of the bodies may be erased and some not; opening the journal repeats the step that was cut short, the
    /// caller must repeat the rest.
    #[error("the journal takes no more changes: {because}")]
    Poisoned { because: String },
    #[error("there is no position {position}; the head is at {head}")]
    NoSuchPosition { position: u64, head: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("there is no position {position}; the head is at {head}")]
    NoSuchPosition { position: u64, head: u64 },
    #[error("the journal is damaged in {place}: {fault}")]
    Damaged { place: Place, fault: Fault },
    #[error("{doing} (segment {segment}): {source}")]
    Io { doing: &'static str, segment: u64, source: io::Error },
}

#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    #[error("the journal takes no more changes: {because}")]
    Poisoned { because: String },
    /// Trying again helps when that is done.
    #[error("the journal is being copied, verified or rewritten")]
    Busy,
    #[error("segment {segment} is not a sealed one with another behind it")]
    NotSealed { segment: u64 },
    /// The segment is as it was; trying again helps once there is space.
    #[error("too little free space to rewrite segment {segment}: {needed} bytes are needed, {free} are free")]
    DiskFull { segment: u64, needed: u64, free: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{doing} (segment {segment}): {source}")]
    Io { doing: &'static str, segment: u64, source: io::Error },
}

/// Whether the filesystem said that there is no space (or no quota) left.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
