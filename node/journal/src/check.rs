//! Every parser of this crate over bytes from anywhere: for mutation tests and fuzzing.
//!
//! Owns no parser. Reads the bytes as a segment's file, as a table and footer, as an erasing list, and as headers at any
//! offset whose checksums are not asked for.
//!
//! Invariant: never panics, never loops without moving on, allocates no more than the input and one window.

use crate::content;
use crate::disk::DiskFile;
use crate::erase;
use crate::header::{self, Seed};
use crate::record::Head;
use crate::scan::{beyond, scan};
use crate::segment::{FOOTER, Footer, HEADER_BLOCK, SegmentHeader, parse_table};
use crate::window::Window;
use bytes::Bytes;
use std::io;

/// Headers parsed without their checksum, from the first bytes of the input.
const UNCHECKED_OFFSETS: usize = 8192;

/// Parses `bytes` in every way that the journal parses what it finds on a disk.
pub fn check(bytes: &[u8]) {
    let block = &bytes[..bytes.len().min(HEADER_BLOCK)];
    let journal_id = [0; 16];
    let empty = Head { journal_id, epoch: 1, batch: 0, position: 0, time_ms: 0, chain: header::first_link(&journal_id) };
    let before = SegmentHeader::parse(block).map_or(empty, |header| header.before);
    let seed = Seed::new(&before.journal_id);

    let file = Foreign(bytes);
    let mut window = Window::new(&file, bytes.len() as u64);
    if let Ok(found) = scan(&mut window, before, seed, &|_| false) {
        assert!(found.kept.end as usize <= bytes.len().max(HEADER_BLOCK), "the scan stays within the file");
        let _ = beyond(&mut window, &found.stop, seed);
    }
    let footer = Footer::parse(&bytes[bytes.len().saturating_sub(FOOTER)..], bytes.len() as u64);
    if let Ok(footer) = footer {
        let table = bytes.get(footer.records_end as usize..bytes.len() - FOOTER).unwrap_or_default();
        let _ = parse_table(table, footer.records_end);
    }
    let _ = parse_table(bytes, bytes.len().min(u32::MAX as usize) as u32);
    let _ = erase::parse_list(bytes, &before.journal_id);
    headers(bytes);
}

/// The fields of a header at any offset, and the content behind it, as if the checksum were right.
fn headers(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    for offset in (0..bytes.len().min(UNCHECKED_OFFSETS)).chain([HEADER_BLOCK]) {
        let Some(input) = bytes.get(offset..) else {
            break;
        };
        let Ok(parsed) = header::parse_unchecked(input) else {
            continue;
        };
        let mut again = Vec::new();
        header::put(&mut again, &parsed.header, &[0; 32], Seed::new(&[0; 16]));
        let tag = parsed.header_len - 8;
        assert_eq!(again[5..tag], input[5..tag], "a header has one encoding");
        let _ = content::record(&parsed, &shared.slice(offset..));
    }
}

/// Bytes as a file that can only be read.
struct Foreign<'a>(&'a [u8]);

impl DiskFile for Foreign<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)?.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_size(&self, _size: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_all(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn names(&self) -> io::Result<u64> {
        Ok(1)
    }
}
