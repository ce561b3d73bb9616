//! How often something may be tried, by address and by account. Owns no clock.

use std::{collections::HashMap, net::IpAddr};

use parking_lot::Mutex;
use startalk_net::{BUCKETS_MAX, Buckets, network};
use startalk_protocol::{Code, Error};

use crate::config::Limits;

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
    use startalk_net::Rate;

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
    fn addresses_of_one_ipv6_network_are_one() {
        let guard = Guard::new(&Limits { registrations_per_address: Rate::new(1, 60), ..Limits::default() });
        guard.register("2001:db8::1".parse().unwrap(), 0).unwrap();
        assert!(guard.register("2001:db8::2".parse().unwrap(), 0).is_err());
        guard.register("2001:db8:0:1::1".parse().unwrap(), 0).unwrap();
        guard.register("192.0.2.1".parse().unwrap(), 0).unwrap();
        assert!(guard.register("::ffff:192.0.2.1".parse().unwrap(), 0).is_err());
    }
}
