//! How often something may be tried, by whom it is tried: token buckets in memory.
//!
//! Owns no clock. A full table forgets the buckets that are full again; if none is, the oldest half goes, which costs an
//! attacker more addresses than it gains attempts.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::Mutex;
use startalk_protocol::{Code, Error};

/// So many at once, and then one more each `refill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At once, after a long pause.
    pub burst: u32,
    /// For one more.
    pub refill: Duration,
}

impl Rate {
    /// `burst` at once, then one each `seconds`.
    pub const fn new(burst: u32, seconds: u64) -> Self {
        Self { burst, refill: Duration::from_secs(seconds) }
    }
}

/// Buckets of one sort that are remembered at most.
pub const BUCKETS_MAX: usize = 50_000;

struct Bucket {
    /// Attempts left, in thousandths.
    left: u64,
    at_ms: u64,
}

/// Buckets of one sort, by key.
pub struct Buckets<K> {
    rate: Rate,
    by_key: Mutex<HashMap<K, Bucket>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// All full.
    pub fn new(rate: Rate) -> Self {
        Self { rate, by_key: Mutex::default() }
    }

    /// Takes one attempt.
    ///
    /// # Errors
    /// `slow-down` if there is none left.
    pub fn take(&self, key: K, now_ms: u64) -> Result<(), Error> {
        let mut all = self.by_key.lock();
        if all.len() >= BUCKETS_MAX && !all.contains_key(&key) {
            self.forget(&mut all, now_ms);
        }
        let bucket = all.entry(key).or_insert(Bucket { left: self.full(), at_ms: now_ms });
        bucket.left = self.left(bucket, now_ms);
        bucket.at_ms = now_ms;
        if bucket.left < 1000 {
            let wait_ms = (1000 - bucket.left) * self.refill_ms() / 1000;
            return Err(Error::new(Code::SlowDown).with("seconds", wait_ms.div_ceil(1000).max(1)));
        }
        bucket.left -= 1000;
        Ok(())
    }

    /// Gives one attempt back.
    pub fn give(&self, key: &K) {
        if let Some(bucket) = self.by_key.lock().get_mut(key) {
            bucket.left = (bucket.left + 1000).min(self.full());
        }
    }

    fn full(&self) -> u64 {
        u64::from(self.rate.burst) * 1000
    }

    fn refill_ms(&self) -> u64 {
        u64::try_from(self.rate.refill.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn left(&self, bucket: &Bucket, now_ms: u64) -> u64 {
        let gained = now_ms.saturating_sub(bucket.at_ms).saturating_mul(1000) / self.refill_ms();
        bucket.left.saturating_add(gained).min(self.full())
    }

    fn forget(&self, all: &mut HashMap<K, Bucket>, now_ms: u64) {
        all.retain(|_, b| self.left(b, now_ms) < self.full());
        if all.len() >= BUCKETS_MAX {
            let mut times: Vec<u64> = all.values().map(|b| b.at_ms).collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            all.retain(|_, b| b.at_ms > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_says_how_long_and_fills_again() {
        let buckets = Buckets::new(Rate::new(3, 10));
        for _ in 0..3 {
            buckets.take("a", 0).unwrap();
        }
        let error = buckets.take("a", 1_000).unwrap_err();
        assert_eq!((error.code, error.params["seconds"].as_str()), (Code::SlowDown, "9"));
        buckets.take("b", 1_000).unwrap();
        buckets.take("a", 10_000).unwrap();
        assert!(buckets.take("a", 10_000).is_err());
        buckets.give(&"a");
        buckets.take("a", 10_000).unwrap();
    }

    #[test]
    fn a_full_table_goes_on() {
        let buckets = Buckets::new(Rate::new(1, 3600));
        for n in 0..BUCKETS_MAX + 10 {
            buckets.take(n, n as u64).unwrap();
        }
        assert!(buckets.by_key.lock().len() <= BUCKETS_MAX);
    }
}
