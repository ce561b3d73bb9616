//! What one peer has sent today. docs/design.md §5
//!
//! In memory: a restart begins the day anew.

use crate::config::Quota;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// The count of one peer.
#[derive(Debug, Default)]
pub(crate) struct Used {
    day: u64,
    records: u64,
    bytes: u64,
}

impl Used {
    /// Counts what came.
    pub(crate) fn add(&mut self, records: u64, bytes: u64, now_ms: u64) {
        self.turn(now_ms);
        self.records += records;
        self.bytes += bytes;
    }

    /// When the peer may send again, if it may not now.
    pub(crate) fn spent_until(&mut self, quota: &Quota, now_ms: u64) -> Option<u64> {
        self.turn(now_ms);
        let spent = self.records >= quota.records_per_day || self.bytes >= quota.bytes_per_day;
        spent.then_some((self.day + 1) * DAY_MS)
    }

    fn turn(&mut self, now_ms: u64) {
        let day = now_ms / DAY_MS;
        if day != self.day {
            *self = Self { day, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_the_next_day() {
        let quota = Quota { records_per_day: 10, bytes_per_day: 1000 };
        let mut used = Used::default();
        used.add(9, 999, 5);
        assert_eq!(used.spent_until(&quota, 5), None);
        used.add(0, 1, 6);
        assert_eq!(used.spent_until(&quota, 6), Some(DAY_MS));
        assert_eq!(used.spent_until(&quota, DAY_MS), None);
        used.add(10, 0, DAY_MS + 1);
        assert_eq!(used.spent_until(&quota, DAY_MS + 1), Some(2 * DAY_MS));
    }
}
