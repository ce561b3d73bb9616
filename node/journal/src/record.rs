//! The words of the journal: what is handed in (`Draft`), what comes out (`Record`), where it stands (`Head`), and the two
//! traits that the rest of the node knows the journal by.
//!
//! Owns no bytes and no file; the traits mention neither sync nor file, so that a replicated log can stand behind them.
//!
//! Invariant: positions begin at 1 and have no gaps; 0 means "none" everywhere.

use crate::error::{AppendError, ReadError};
use bytes::Bytes;

/// A record to be appended; the journal adds position, batch, epoch, hashes and chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Opaque to the journal.
    pub kind: u16,
    /// Version of the kind; opaque to the journal.
    pub version: u8,
    /// Milliseconds since 1970, never before the record in front of it; equal is fine.
    pub time_ms: u64,
    /// Local number of the conversation; opaque to the journal.
    pub conversation: u64,
    /// Sequence within the conversation; opaque to the journal.
    pub sequence: u64,
    /// Position of the previous record of the same conversation, 0 for none.
    pub previous: u64,
    /// Kept for ever; at most `FACTS_BYTES_MAX`.
    pub facts: Vec<u8>,
    /// Can be erased; begins with `SALT_BYTES` random bytes, not all zero; at most `BODY_BYTES_MAX`.
    pub body: Option<Vec<u8>>,
}

/// The newest durable record of a journal, or where the first one will follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub journal_id: [u8; 16],
    /// Epoch of the record at `position`; 1 while the journal is empty.
    pub epoch: u32,
    /// Batch of the record at `position`; 0 while empty.
    pub batch: u64,
    /// 0 while empty.
    pub position: u64,
    pub time_ms: u64,
    /// Hash over the headers of all records up to `position`.
    pub chain: [u8; 32],
}

/// What a record says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    pub position: u64,
    pub batch: u64,
    /// Records of the same batch that follow this one.
    pub remaining_in_batch: u32,
    pub epoch: u32,
    pub time_ms: u64,
    pub kind: u16,
    pub version: u8,
    pub conversation: u64,
    pub sequence: u64,
    /// Position of the previous record of the same conversation, 0 for none.
    pub previous: u64,
    /// First 24 bytes of the BLAKE3 of the facts.
    pub facts_hash: [u8; 24],
    /// First 24 bytes of the BLAKE3 of the body; zeros if there is none.
    pub body_hash: [u8; 24],
    /// First 8 bytes of the chain at this record ([`Head::chain`] when this record is the head).
    pub chain_tag: [u8; 8],
    pub facts_len: u32,
    /// 0 if there is no body.
    pub body_len: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The record never had one.
    None,
    Present(Bytes),
    /// It had one; it was overwritten.
    Erased,
}

/// A record read back; `facts` and `body` are slices of one read and keep all of it in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub header: Header,
    pub facts: Bytes,
    pub body: Body,
}

pub trait ReadJournal: Send + Sync {
    /// The newest durable record.
    fn head(&self) -> Head;

    /// The record at `position`, its checksum and hashes checked.
    fn read(&self, position: u64) -> Result<Record, ReadError>;

    /// Consecutive records from `from` (0 counts as 1), at most `max_records` and about `max_bytes`, at least one if it
    /// exists; empty beyond the head. May return fewer than asked for before the head is reached.
    fn read_from(&self, from: u64, max_records: usize, max_bytes: usize) -> Result<Vec<Record>, ReadError>;

    /// Only the header at `position`, its checksum checked.
    fn header(&self, position: u64) -> Result<Header, ReadError>;
}

pub trait AppendJournal: Send {
    /// Appends one batch with one sync; it is durable and visible to readers when this returns `Ok`, and all of it or
    /// none of it is found after a crash. `expected` must be the head that the drafts were made for.
    fn append(&mut self, batch: &[Draft], expected: &Head) -> Result<Head, AppendError>;
}
