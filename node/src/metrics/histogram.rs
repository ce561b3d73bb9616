//! Counts by size: a few atomics, no lock and no memory for each thing that is counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets of one histogram at most, the last one (of all that is more) among them.
const BUCKETS_MAX: usize = 16;

/// How long something took, in microseconds: from a tenth of a millisecond to ten seconds, as Prometheus' own bounds and finer below.
const DURATION_BOUNDS_US: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000];

/// See the module.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// Of at most so much as the bound in its place; behind the last bound: of more.
    buckets: [AtomicU64; BUCKETS_MAX],
    sum: AtomicU64,
}

impl Default for Histogram {
    /// Of durations.
    fn default() -> Self {
        Self::new(DURATION_BOUNDS_US)
    }
}

impl Histogram {
    /// Empty, with these upper bounds, fewer than [`BUCKETS_MAX`], growing.
    pub fn new(bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.len() < BUCKETS_MAX && bounds.is_sorted(), "{bounds:?}");
        Self { bounds, buckets: Default::default(), sum: AtomicU64::new(0) }
    }

    /// So many things of this size.
    pub fn add(&self, size: u64, count: u64) {
        let bucket = self.bounds.iter().position(|bound| size <= *bound).unwrap_or(self.bounds.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(count, Relaxed);
        }
        self.sum.fetch_add(size.saturating_mul(count), Relaxed);
    }

    /// Each bound (`None`: there is none) with how many were at most that; and the sum of all sizes.
    pub fn read(&self) -> (Vec<(Option<u64>, u64)>, u64) {
        let mut count = 0;
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let all = bounds.zip(&self.buckets).map(|(bound, bucket)| {
            count += bucket.load(Relaxed);
            (bound, count)
        });
        (all.collect(), self.sum.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_in_its_bucket_and_buckets_add_up() {
        let sizes = Histogram::new(&[1, 4, 16]);
        for (size, count) in [(0, 1), (1, 1), (2, 3), (16, 1), (17, 2)] {
            sizes.add(size, count);
        }
        assert_eq!(sizes.read(), (vec![(Some(1), 2), (Some(4), 5), (Some(16), 6), (None, 8)], 57));
    }
}
