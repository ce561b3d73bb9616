//! How much passes for one domain, and how fast it may.
//!
//! A bucket that holds a second's worth; all connections of a domain draw on it, so that one domain with many
//! connections gets no more than one with few.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Counts, and says when to wait. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: AtomicU64,
    /// Bytes a second; 0: as fast as it goes.
    rate: u64,
    /// When everything taken so far would have passed at the rate.
    due: Mutex<Option<Instant>>,
}

impl Meter {
    /// At most `rate` bytes a second; 0: no limit.
    pub fn new(rate: u64) -> Self {
        Self(Arc::new(Inner { bytes: AtomicU64::new(0), rate, due: Mutex::new(None) }))
    }

    /// Bytes so far, both ways.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// `count` bytes passed; how long to wait before the next.
    pub fn took(&self, count: usize) -> Option<Duration> {
        let count = count as u64;
        self.0.bytes.fetch_add(count, Ordering::Relaxed);
        if self.0.rate == 0 || count == 0 {
            return None;
        }
        let now = Instant::now();
        let mut due = self.0.due.lock();
        let from = due.map_or(now, |due| due.max(now));
        let until = from + Duration::from_nanos(count.saturating_mul(1_000_000_000) / self.0.rate);
        *due = Some(until);
        let ahead = until.duration_since(now);
        ahead.checked_sub(Duration::from_secs(1)).filter(|wait| !wait.is_zero())
    }
}
