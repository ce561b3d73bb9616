//! A file read from front to back through one buffer of bounded size.
//!
//! Owns the buffer. Never reads beyond the limit it was given, and never holds more than `WINDOW_BYTES`.
//!
//! Invariant: `at` gives everything up to the limit, or at least the longest record.

use crate::disk::DiskFile;
use crate::limits::{RECORD_BYTES_MAX, WINDOW_BYTES};
use std::io;

pub struct Window<'a> {
    file: &'a dyn DiskFile,
    /// Bytes of the file that count.
    pub limit: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    pub fn new(file: &'a dyn DiskFile, limit: u64) -> Window<'a> {
        Window { file, limit, start: 0, buffer: Vec::new() }
    }

    /// The bytes from `offset` on; empty at or beyond the limit.
    pub fn at(&mut self, offset: u64) -> io::Result<&[u8]> {
        let wanted = self.limit.saturating_sub(offset).min(RECORD_BYTES_MAX as u64);
        let end = self.start + self.buffer.len() as u64;
        if offset < self.start || offset + wanted > end {
            let len = self.limit.saturating_sub(offset).min(WINDOW_BYTES as u64) as usize;
            self.buffer.resize(len, 0);
            self.start = offset;
            if let Err(error) = self.file.read_at(offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
        }
        Ok(&self.buffer[(offset - self.start) as usize..])
    }

    /// Reads again what was read before: the file was changed.
    pub fn forget(&mut self) {
        self.buffer.clear();
    }
}
