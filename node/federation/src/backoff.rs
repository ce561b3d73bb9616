//! When the next attempt is: doubling, with jitter, reset by any contact.
//!
//! Pure: time and chance are passed in.

use std::time::Duration;

/// The wait before the next attempt.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// After one more failure: between half and all of `first` doubled for each failure before, at most `most`.
    pub(crate) fn next(&mut self, first: Duration, most: Duration, chance: u32) -> Duration {
        let whole = first.saturating_mul(1_u32.checked_shl(self.failures.min(30)).unwrap_or(u32::MAX)).min(most);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_most_and_begins_anew_after_contact() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(300));
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..11).map(|_| backoff.next(first, most, u32::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        for _ in 0..100 {
            assert_eq!(backoff.next(first, most, 0), most / 2);
        }
        backoff.reset();
        assert_eq!(backoff.next(first, most, 0), first / 2);
    }
}
