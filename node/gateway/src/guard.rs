//! How often something may be tried, by address and by account: token buckets in memory.
//!
//! Owns no clock. A full table forgets the buckets that are full again; if none is, the oldest half goes, which costs an
//! attacker more addresses than it gains attempts.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use parking_lot::Mutex;
use startalk_net::network;
use startalk_protocol::{Code, Error};

use crate::config::{Limits, Rate};

/// Buckets of one sort.
const BUCKETS_MAX: usize = 50_000;

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
    fn give(&self, key: &K) {
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

/// Accounts for trying that a network may make without waiting.
const TRIAL_FREE: u32 = 3;
/// The first wait after them; it doubles with each.
const TRIAL_WAIT_MS: u64 = 60_000;
/// The longest wait; also, one is forgotten after so long without another.
const TRIAL_WAIT_MS_MAX: u64 = 24 * 3600 * 1000;

/// How many accounts for trying a network has made lately.
#[derive(Clone, Copy, Debug, Default)]
struct Escalation {
    count: u32,
    at_ms: u64,
}

impl Escalation {
    fn count(self, now_ms: u64) -> u32 {
        let forgotten = now_ms.saturating_sub(self.at_ms) / TRIAL_WAIT_MS_MAX;
        self.count.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }

    /// How long it waits yet before the next one.
    fn wait_ms(self, now_ms: u64) -> Option<u64> {
        let over = self.count.checked_sub(TRIAL_FREE)?;
        let wait = TRIAL_WAIT_MS.checked_shl(over.min(32)).map_or(TRIAL_WAIT_MS_MAX, |w| w.min(TRIAL_WAIT_MS_MAX));
        (self.at_ms + wait).checked_sub(now_ms).filter(|left| *left > 0)
    }
}

/// All that is counted.
pub(crate) struct Guard {
    sign_ins: Buckets<IpAddr>,
    account_sign_ins: Buckets<Box<str>>,
    foreign_sign_ins: Buckets<Box<str>>,
    registrations: Buckets<IpAddr>,
    trial_registrations: Mutex<HashMap<IpAddr, Escalation>>,
    trials_together: Buckets<()>,
    recoveries: Buckets<IpAddr>,
    account_recoveries: Buckets<Box<str>>,
    connections: Mutex<HashMap<IpAddr, usize>>,
    connections_max: usize,
}

impl Guard {
    /// With these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            sign_ins: Buckets::new(limits.sign_ins_per_address),
            account_sign_ins: Buckets::new(limits.sign_ins_per_account),
            foreign_sign_ins: Buckets::new(limits.sign_ins_per_foreign_host),
            registrations: Buckets::new(limits.registrations_per_address),
            trial_registrations: Mutex::default(),
            trials_together: Buckets::new(limits.trial_registrations_together),
            recoveries: Buckets::new(limits.recoveries_per_address),
            account_recoveries: Buckets::new(limits.recoveries_per_account),
            connections: Mutex::default(),
            connections_max: limits.connections_per_address,
        }
    }

    /// An attempt to sign in to `name` from `address`, by the page of the server `foreign` if not by our own.
    pub(crate) fn sign_in(&self, address: IpAddr, foreign: Option<&str>, name: &str, now_ms: u64) -> Result<(), Error> {
        self.sign_ins.take(network(address), now_ms)?;
        if let Some(host) = foreign {
            self.foreign_sign_ins.take(host.into(), now_ms)?;
        }
        self.account_sign_ins.take(name.into(), now_ms)
    }

    /// An attempt to sign in from `address` by a way that names no account: a provider, a passkey.
    pub(crate) fn sign_in_unnamed(&self, address: IpAddr, now_ms: u64) -> Result<(), Error> {
        self.sign_ins.take(network(address), now_ms)
    }

    /// The attempt was right: it counts neither against the account nor against the other server's page.
    pub(crate) fn signed_in(&self, foreign: Option<&str>, name: &str) {
        if let Some(host) = foreign {
            self.foreign_sign_ins.give(&host.into());
        }
        self.account_sign_ins.give(&name.into());
    }

    /// An attempt to register from `address`.
    pub(crate) fn register(&self, address: IpAddr, now_ms: u64) -> Result<(), Error> {
        self.registrations.take(network(address), now_ms)
    }

    /// A registration without an invitation, where a domain is for trying: each one of a network makes the wait before its next one
    /// longer, and all together have a rate.
    pub(crate) fn register_for_trial(&self, address: IpAddr, now_ms: u64) -> Result<(), Error> {
        let network = network(address);
        let mut all = self.trial_registrations.lock();
        if all.len() >= BUCKETS_MAX && !all.contains_key(&network) {
            all.retain(|_, e| e.count(now_ms) > 0);
            if all.len() >= BUCKETS_MAX {
                // A flood from everywhere: who is not known waits, who was here is judged as before.
                return Err(Error::new(Code::SlowDown).with("seconds", TRIAL_WAIT_MS / 1000));
            }
        }
        let known = all.get(&network).copied().unwrap_or_default();
        if let Some(wait_ms) = known.wait_ms(now_ms) {
            return Err(Error::new(Code::SlowDown).with("seconds", wait_ms.div_ceil(1000)));
        }
        self.trials_together.take((), now_ms)?;
        all.insert(network, Escalation { count: known.count(now_ms) + 1, at_ms: now_ms });
        Ok(())
    }

    /// An attempt with a recovery code of `name` from `address`.
    pub(crate) fn recover(&self, address: IpAddr, name: &str, now_ms: u64) -> Result<(), Error> {
        self.recoveries.take(network(address), now_ms)?;
        self.account_recoveries.take(name.into(), now_ms)
    }

    /// One more connection of `address`; false: it has too many. To be given back by [`Guard::disconnected`].
    pub(crate) fn connected(&self, address: IpAddr) -> bool {
        if address.is_loopback() {
            return true;
        }
        let mut all = self.connections.lock();
        let count = all.entry(network(address)).or_default();
        if *count >= self.connections_max {
            return false;
        }
        *count += 1;
        true
    }

    /// A connection of `address` ended.
    pub(crate) fn disconnected(&self, address: IpAddr) {
        let mut all = self.connections.lock();
        if let Some(count) = all.get_mut(&network(address)) {
            *count -= 1;
            if *count == 0 {
                all.remove(&network(address));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_for_trying_makes_the_wait_of_its_network_longer_and_days_make_it_shorter() {
        let guard = Guard::new(&Limits::default());
        let (home, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let seconds = |now_ms| guard.register_for_trial(home, now_ms).map_err(|e| e.params["seconds"].clone());
        let mut now_ms = 1_800_000_000_000;
        for _ in 0..3 {
            seconds(now_ms).unwrap();
        }
        for wait in [60, 120, 240, 480] {
            assert_eq!(seconds(now_ms), Err(wait.to_string()));
            assert_eq!(seconds(now_ms + wait * 1000 - 1), Err("1".into()), "an attempt does not make it longer");
            now_ms += wait * 1000;
            seconds(now_ms).unwrap();
        }
        guard.register_for_trial(other, now_ms).unwrap();
        // Seven were made; after five days it is as if it were two.
        now_ms += 5 * TRIAL_WAIT_MS_MAX;
        seconds(now_ms).unwrap();
        assert_eq!(seconds(now_ms), Err("60".into()));
    }

    #[test]
    fn accounts_for_trying_have_a_rate_wherever_they_come_from() {
        let guard = Guard::new(&Limits { trial_registrations_together: Rate::new(5, 60), ..Limits::default() });
        let from = |n: u8| guard.register_for_trial(IpAddr::from([192, 0, 2, n]), 1_800_000_000_000);
        (1..=5).for_each(|n| from(n).unwrap());
        assert_eq!(from(6).unwrap_err().code, Code::SlowDown);
    }

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
    fn addresses_of_one_ipv6_network_are_one() {
        let guard = Guard::new(&Limits { registrations_per_address: Rate::new(1, 60), ..Limits::default() });
        guard.register("2001:db8::1".parse().unwrap(), 0).unwrap();
        assert!(guard.register("2001:db8::2".parse().unwrap(), 0).is_err());
        guard.register("2001:db8:0:1::1".parse().unwrap(), 0).unwrap();
        guard.register("192.0.2.1".parse().unwrap(), 0).unwrap();
        assert!(guard.register("::ffff:192.0.2.1".parse().unwrap(), 0).is_err());
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
