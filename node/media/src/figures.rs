//! What media has done since the process began, for who looks after the node.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Media, upload::Progress};

/// Counted as it happens.
#[derive(Debug, Default)]
pub struct Counted {
    pub stored: AtomicU64,
    pub failed: AtomicU64,
    pub pictures: AtomicU64,
    pub not_pictures: AtomicU64,
    pub fetched: AtomicU64,
    pub not_fetched: AtomicU64,
}

impl Counted {
    /// One more.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}

/// How media does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Uploads that are not whole yet.
    pub receiving: u64,
    /// Bytes that those still lack.
    pub missing_bytes: u64,
    /// Uploads that became files.
    pub stored: u64,
    /// Attempts to make a file of an upload that failed; some are made again.
    pub failed: u64,
    /// Pictures of which copies were made.
    pub pictures: u64,
    /// Of which none could be.
    pub not_pictures: u64,
    /// Pictures that wait for a worker, or have one.
    pub pictures_wanted: u64,
    /// Files of other domains that are being fetched, or wait for it.
    pub fetching: u64,
    /// Files of other domains that came.
    pub fetched: u64,
    /// Attempts to fetch one that failed.
    pub not_fetched: u64,
}

impl Media {
    /// Now.
    pub fn figures(&self) -> Figures {
        let counted = &self.0.counted;
        let receiving = self.0.uploads.all().into_iter().filter(|u| matches!(*u.progress.borrow(), Progress::Receiving));
        let missing: Vec<u64> = receiving.map(|u| u.size.saturating_sub(u.offset())).collect();
        Figures {
            receiving: missing.len() as u64,
            missing_bytes: missing.iter().sum(),
            stored: counted.stored.load(Relaxed),
            failed: counted.failed.load(Relaxed),
            pictures: counted.pictures.load(Relaxed),
            not_pictures: counted.not_pictures.load(Relaxed),
            pictures_wanted: self.0.images.wanted(),
            fetching: self.0.cache.coming(),
            fetched: counted.fetched.load(Relaxed),
            not_fetched: counted.not_fetched.load(Relaxed),
        }
    }
}
