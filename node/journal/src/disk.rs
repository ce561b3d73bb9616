//! The little bit of a filesystem that the journal needs: one flat folder of files.
//!
//! Owns the two traits and what they promise; `folder` and `fault` implement them. Never interprets a byte.
//!
//! Invariant: nothing counts as durable before a sync of the file, and no name before a sync of the folder, returned `Ok`;
//! after a sync failed, nothing is known about any write since the last good one.

use startalk_paced::{Pace, WAITING_BYTES};
use std::io;
use std::sync::Arc;

pub trait Disk: Send + Sync {
    /// Names of the files in the folder, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes an empty file, or empties an existing one.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file over whatever has the new name; after a crash one of both names is there.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name, which nothing has; an error where the filesystem has no such thing.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable: what was created, renamed or removed.
    fn sync_dir(&self) -> io::Result<()>;

    /// Bytes that this process may still write.
    fn free_bytes(&self) -> io::Result<u64>;
}

pub trait DiskFile: Send + Sync {
    /// Bytes in the file.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; `UnexpectedEof` if the file ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`; on an error any part of them may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros that need not be allocated.
    fn set_size(&self, size: u64) -> io::Result<()>;

    /// Makes the content durable, and the size as far as reading the content needs it.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes content, size and allocation durable.
    fn sync_all(&self) -> io::Result<()>;

    /// By how many names the file can be reached, in this folder or another.
    fn names(&self) -> io::Result<u64>;
}

/// Reads `len` bytes at `offset` into a new buffer; the caller has bounded `len`.
pub(crate) fn read_vec(file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; len];
    file.read_at(offset, &mut buffer)?;
    Ok(buffer)
}

/// Writes zeros over `[from, to)` in pieces and makes them durable, so that nobody's sync waits for all of them.
pub(crate) fn wipe(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let (mut at, mut pace) = (from, Pace::default());
    while at < to {
        let piece = (to - at).min(WAITING_BYTES as u64);
        write_zeros(file, at, at + piece)?;
        at += piece;
        pace.wrote(piece as usize, || file.sync_data())?;
    }
    file.sync_data()
}

/// Writes zeros over `[from, to)` in pieces.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];
    let mut at = from;
    while at < to {
        let piece = (to - at).min(ZEROS.len() as u64) as usize;
        file.write_at(at, &ZEROS[..piece])?;
        at += piece as u64;
    }
    Ok(())
}
