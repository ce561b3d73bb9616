//! How often one address or one domain may ask: a bucket each, bounded in number.
//!
//! Time is passed in. An IPv6 address counts as its /64, because who has one address has all of those.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use parking_lot::Mutex;
use startalk_protocol::{Code, DomainName, Error};

use crate::limits::{
    ANNOUNCES_PER_MINUTE, CHECKS_PER_MINUTE, DOMAIN_ANNOUNCES_PER_MINUTE, QUESTIONS_PER_MINUTE, RATES_MAX, TETHERS_PER_MINUTE,
};

/// All rates of a hub.
#[derive(Debug)]
pub struct Rates {
    announces: Buckets<Asker>,
    tethers: Buckets<Asker>,
    questions: Buckets<Asker>,
    domains: Buckets<(DomainName, [u8; 32])>,
    checks: Buckets<Asker>,
    checked: Buckets<DomainName>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            announces: Buckets::new(ANNOUNCES_PER_MINUTE),
            tethers: Buckets::new(TETHERS_PER_MINUTE),
            questions: Buckets::new(QUESTIONS_PER_MINUTE),
            domains: Buckets::new(DOMAIN_ANNOUNCES_PER_MINUTE),
            checks: Buckets::new(CHECKS_PER_MINUTE),
            checked: Buckets::new(CHECKS_PER_MINUTE),
        }
    }
}

impl Rates {
    /// One announcement from `address`, before anything else is done for it.
    ///
    /// # Errors
    /// `slow-down`.
    pub fn announce(&self, address: IpAddr, now_ms: i64) -> Result<(), Error> {
        self.announces.take(Asker::of(address), now_ms)
    }

    /// One record shown on a tether from `address`, before anything else is done for it.
    ///
    /// # Errors
    /// `slow-down`.
    pub fn tether(&self, address: IpAddr, now_ms: i64) -> Result<(), Error> {
        self.tethers.take(Asker::of(address), now_ms)
    }

    /// One question from `address`.
    ///
    /// # Errors
    /// `slow-down`.
    pub fn question(&self, address: IpAddr, now_ms: i64) -> Result<(), Error> {
        self.questions.take(Asker::of(address), now_ms)
    }

    /// One look at a server, for `address`.
    ///
    /// # Errors
    /// `slow-down`.
    pub fn check(&self, address: IpAddr, now_ms: i64) -> Result<(), Error> {
        self.checks.take(Asker::of(address), now_ms)
    }

    /// One look at `domain`, for whomever.
    ///
    /// # Errors
    /// `slow-down`.
    pub fn checked(&self, domain: &DomainName, now_ms: i64) -> Result<(), Error> {
        self.checked.take(domain.clone(), now_ms)
    }

    /// One verified announcement of `domain` under `root_key`: by key, so that a stranger who signs records for
    /// somebody's name with his own key uses up his own rate.
    ///
    /// # Errors
    /// `slow-down`.
    pub fn domain(&self, domain: &DomainName, root_key: [u8; 32], now_ms: i64) -> Result<(), Error> {
        self.domains.take((domain.clone(), root_key), now_ms)
    }

    /// Forgets who has been quiet for a while.
    pub fn forget(&self, now_ms: i64) {
        self.announces.forget(now_ms);
        self.tethers.forget(now_ms);
        self.questions.forget(now_ms);
        self.domains.forget(now_ms);
        self.checks.forget(now_ms);
        self.checked.forget(now_ms);
    }
}

/// An address as far as it tells people apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Asker {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let mut network = [0; 8];
                network.copy_from_slice(&v6.octets()[..8]);
                Self::V6(network)
            }
        }
    }
}

#[derive(Debug)]
struct Buckets<K> {
    /// When the bucket would be full again, in milliseconds since 1970.
    full_at: Mutex<HashMap<K, i64>>,
    per_minute: u32,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(per_minute: u32) -> Self {
        Self { full_at: Mutex::new(HashMap::new()), per_minute }
    }

    fn take(&self, key: K, now_ms: i64) -> Result<(), Error> {
        let each_ms = 60_000 / i64::from(self.per_minute);
        let mut buckets = self.full_at.lock();
        if buckets.len() >= RATES_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, full_at| *full_at > now_ms);
            if buckets.len() >= RATES_MAX {
                // A flood from everywhere: newcomers wait, memory does not grow.
                return Err(slow_down(60));
            }
        }
        let full_at = buckets.entry(key).or_insert(now_ms);
        let after = (*full_at).max(now_ms) + each_ms;
        if after - now_ms > 60_000 {
            return Err(slow_down((after - now_ms - 60_000).div_euclid(1000) + 1));
        }
        *full_at = after;
        Ok(())
    }

    fn forget(&self, now_ms: i64) {
        self.full_at.lock().retain(|_, full_at| *full_at > now_ms);
    }
}

fn slow_down(seconds: i64) -> Error {
    Error::new(Code::SlowDown).with("seconds", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_and_then_in_time() {
        let buckets = Buckets::new(6);
        for _ in 0..6 {
            buckets.take(1, 0).unwrap();
        }
        assert_eq!(buckets.take(1, 0).unwrap_err().params["seconds"], "11");
        assert!(buckets.take(2, 0).is_ok());
        assert!(buckets.take(1, 9_999).is_err());
        assert!(buckets.take(1, 10_000).is_ok());
        buckets.forget(200_000);
        assert!(buckets.full_at.lock().is_empty());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_ends() {
        let buckets = Buckets::new(6);
        for key in 0..RATES_MAX {
            buckets.take(key, 0).unwrap();
        }
        assert!(buckets.take(RATES_MAX, 0).is_err());
        assert!(buckets.take(0, 0).is_ok(), "who is known goes on");
        assert_eq!(buckets.full_at.lock().len(), RATES_MAX);
        assert!(buckets.take(RATES_MAX, 30_000).is_ok());
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let of = |text: &str| Asker::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:1.2.3.4"), of("1.2.3.4"));
    }
}
