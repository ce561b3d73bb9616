//! How far the journal was read: a small file, replaced whole, at most once a second.
//!
//! Not a view, and untouched by a rebuild. Lost, or of another journal, it begins at the head: what was said long ago is
//! not told now. Invariant: the file never says more than was dealt with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use startalk_domain::feed::{self, Place};
use startalk_journal::ReadJournal;

/// Between two writings, milliseconds.
const EVERY_MS: u64 = 1_000;

/// The file and what it says.
pub struct Cursor {
    path: PathBuf,
    written: u64,
    written_ms: u64,
}

impl Cursor {
    /// Reads it; the position to go on after.
    pub fn open(path: &Path, journal: &dyn ReadJournal) -> (Self, u64) {
        let kept = fs::read_to_string(path).ok().and_then(|text| text.parse::<Place>().ok());
        let position = kept.and_then(|place| feed::resume(journal, place)).unwrap_or_else(|| journal.head().position);
        (Self { path: path.to_owned(), written: u64::MAX, written_ms: 0 }, position)
    }

    /// Writes `position`, if it is another and the last time was not just now; `at_once`: in any case.
    ///
    /// # Errors
    /// The disk's, or the journal's.
    pub fn keep(&mut self, journal: &dyn ReadJournal, position: u64, now_ms: u64, at_once: bool) -> io::Result<()> {
        if position == self.written || (!at_once && now_ms < self.written_ms + EVERY_MS) {
            return Ok(());
        }
        self.written_ms = now_ms;
        let place = feed::place(journal, position).map_err(io::Error::other)?;
        let beside = self.path.with_extension("new");
        fs::write(&beside, format!("{place}\n"))?;
        fs::rename(&beside, &self.path)?;
        self.written = position;
        Ok(())
    }
}
