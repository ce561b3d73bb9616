//! Large files that become durable while they are written.
//!
//! Owns how much of one may wait for the disk: [`WAITING_BYTES`]. A disk that is to make one small write durable first does
//! whatever it was given before, whoever gave it. So megabytes that were written at once, or that the system had gathered and
//! then handed on, are waited for by the write loop's next batch, and by everybody whose message is in it
//! (docs/performance.md has it seen). Whoever writes megabytes beside the journal writes them by [`PacedFile`], or counts them
//! by [`Pace`].
//!
//! Invariant: of a file that is being written, no more than this, and the last piece, is with the system and not durable.

use std::{
    fs::File,
    io::{self, Write},
};

/// Bytes of a file after which what was written of it is made durable: some milliseconds of a slow disk.
pub const WAITING_BYTES: usize = 512 * 1024;

/// Counts what was written of one file and is not durable.
#[derive(Debug, Default)]
pub struct Pace {
    waiting: usize,
}

impl Pace {
    /// So many bytes more were written. When enough of them wait, `sync` is to make them durable.
    ///
    /// # Errors
    /// Those of `sync`; the bytes wait on.
    pub fn wrote(&mut self, bytes: usize, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.waiting += bytes;
        if self.waiting >= WAITING_BYTES {
            sync()?;
            self.waiting = 0;
        }
        Ok(())
    }
}

/// A file that is written from where it stands to its end.
#[derive(Debug)]
pub struct PacedFile {
    file: File,
    pace: Pace,
}

impl PacedFile {
    /// Of a file of which nothing waits.
    pub fn new(file: File) -> Self {
        Self { file, pace: Pace::default() }
    }

    /// Makes durable what was written, and the size as far as reading needs it.
    ///
    /// # Errors
    /// The disk's: what is durable is not known then.
    pub fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.pace = Pace::default();
        Ok(())
    }
}

impl Write for PacedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { file, pace } = self;
        let written = file.write(&bytes[..bytes.len().min(WAITING_BYTES)])?;
        pace.wrote(written, || file.sync_data())?;
        Ok(written)
    }

    /// Nothing is held back; durable is what [`Self::sync_data`] has made so.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_syncs_each_time_that_enough_waits_and_again_if_that_failed() {
        let (mut pace, mut syncs) = (Pace::default(), 0);
        let mut wrote = |bytes, works: bool| {
            let _ = pace.wrote(bytes, || {
                syncs += 1;
                if works { Ok(()) } else { Err(io::Error::other("broken")) }
            });
            syncs
        };
        assert_eq!(wrote(WAITING_BYTES - 1, true), 0);
        assert_eq!(wrote(1, true), 1);
        assert_eq!(wrote(WAITING_BYTES - 1, true), 1, "none of those before wait any more");
        assert_eq!(wrote(WAITING_BYTES, false), 2);
        assert_eq!(wrote(1, true), 3, "nothing of it is durable");
    }

    #[test]
    fn what_is_written_is_in_the_file_however_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3 * WAITING_BYTES + 17).map(|n| (n % 251) as u8).collect();
        for piece in [1000, WAITING_BYTES + 1, bytes.len()] {
            let path = folder.path().join(piece.to_string());
            let mut file = PacedFile::new(File::create(&path).unwrap());
            bytes.chunks(piece).for_each(|piece| file.write_all(piece).unwrap());
            file.sync_data().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "in pieces of {piece}");
        }
    }
}
