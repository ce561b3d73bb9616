//! Every limit of the journal, with its unit and its reason.
//!
//! Owns the numbers; no other file of this crate writes a bare limit. The ones marked *format* are part of the bytes on
//! disk and may only grow together with the format version.
//!
//! Invariant: a record that `append` accepts is one that every reader accepts.

/// Bytes of facts in one record (*format*). Facts are ids and decisions; the longest is a list of members of one chunk.
pub const FACTS_BYTES_MAX: usize = 64 * 1024;

/// Bytes of body in one record, its salt included (*format*). What people write; files are not in the journal.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of random salt with which a body begins, never all zero (*format*), so that its hash says nothing about it and
/// so that a body of zeros can only be an erased one.
pub const SALT_BYTES: usize = 16;

/// Records in one batch (*format*): one sync's worth; more than ~1,000 gain nothing over it.
pub const BATCH_RECORDS_MAX: usize = 4096;

/// Encoded bytes of one batch: bounds the write buffer and what is lost or rewritten as a whole after a crash.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of the longest record header (*format*): all varints at their longest.
pub const HEADER_BYTES_MAX: usize = 144;

/// Bytes of the longest record (*format*): bounds what a reader must hold to judge one.
pub const RECORD_BYTES_MAX: usize = HEADER_BYTES_MAX + FACTS_BYTES_MAX + BODY_BYTES_MAX;

/// Highest position, batch and segment number (*format*): leaves room for `+ 1` everywhere.
pub const ORDINAL_MAX: u64 = i64::MAX as u64;

/// Bytes of a segment by default: few files for a big domain, a short scan at start for every domain.
pub const SEGMENT_BYTES: u32 = 64 * 1024 * 1024;

/// Bytes of the largest segment that is opened (*format*: offsets are 32 bits; this bounds memory for its table too).
pub const SEGMENT_BYTES_MAX: u32 = 1024 * 1024 * 1024;

/// Bytes of the smallest segment that may be configured: the header block and a little; tests use such.
pub const SEGMENT_BYTES_MIN: u32 = 8 * 1024;

/// Bytes by which a segment is filled with zeros ahead of the write position: an empty domain costs one of these, and a
/// batch never meets a full disk half-way.
pub const EXTENT_BYTES: u32 = 1024 * 1024;

/// Pieces in which an extent is made ready ahead of time, each with the sync of a batch: 64 KiB by default.
pub const PIECES_OF_EXTENT: u64 = 16;

/// Bytes of the smallest extent that may be configured.
pub const EXTENT_BYTES_MIN: u32 = 512;

/// Bytes read at a time when a segment is read from end to end; at least two of the longest record.
pub const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// Records returned by one `read_from`, whatever was asked for: bounds the piece of the table that is read.
pub const READ_RECORDS_MAX: usize = 4096;

/// Bytes of records returned by one `read_from` (about; one record is always returned), whatever was asked for.
pub const READ_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Files of sealed segments kept open for reading: a domain of terabytes must not use up the process's descriptors.
pub const OPEN_FILES_MAX: usize = 64;

/// Bodies overwritten under one writing of the erasing list; `erase` takes any number and goes in steps of this.
pub const ERASE_STEP_MAX: usize = 1024;

/// Entries in the erasing list (*format*): a step, and what was erased before in the batch that is still the last.
pub const ERASE_ENTRIES_MAX: usize = ERASE_STEP_MAX + BATCH_RECORDS_MAX;

/// Hundredths of a sealed segment's bytes that must be erased bodies before it is rewritten: each body that is kept is
/// copied, so at half a byte is copied for a byte won.
pub const REWRITE_ERASED_PERCENT: u64 = 50;

/// Bytes of a rewritten segment written at once.
pub const REWRITE_PIECE_BYTES: usize = 1024 * 1024;

/// Damages listed by one `verify`; more are counted only.
pub const DAMAGES_MAX: usize = 100;

const _: () = assert!(WINDOW_BYTES >= 2 * RECORD_BYTES_MAX);
const _: () = assert!(RECORD_BYTES_MAX < BATCH_BYTES_MAX);
