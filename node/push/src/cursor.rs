//! How far the journal was read: a small file, replaced whole, at most once a second.
//!
//! Not a view, and untouched by a rebuild. Lost, or of another journal, it begins at the head: what was said long ago is
//! not told now. Invariant: the file never says more than was dealt with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use startalk_domain::{
    Views,
    feed::{self, Place},
};

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
    pub fn open(path: &Path, views: &Views) -> (Self, u64) {
        let kept = fs::read_to_string(path).ok().and_then(|text| text.parse::<Place>().ok());
        let position = kept.and_then(|place| feed::resume(views, place)).unwrap_or_else(|| feed::head(views));
        (Self { path: path.to_owned(), written: u64::MAX, written_ms: 0 }, position)
    }

    /// Whether the last writing was long enough ago.
    pub fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.written_ms + EVERY_MS
    }

    /// Writes `position`, if it is another.
    ///
    /// # Errors
    /// The disk's, or the journal's.
    pub fn keep(&mut self, views: &Views, position: u64, now_ms: u64) -> io::Result<()> {
        self.written_ms = now_ms;
        if position == self.written {
            return Ok(());
        }
        let place = feed::place(views, position).map_err(io::Error::other)?;
        let beside = self.path.with_extension("new");
        fs::write(&beside, format!("{place}\n"))?;
        fs::rename(&beside, &self.path)?;
        self.written = position;
        Ok(())
    }
}
