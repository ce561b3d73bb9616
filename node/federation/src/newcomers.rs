//! How many domains may become known by coming here, without anybody here having written to them.
//!
//! Each that does has a record in the journal, and a task until the node stops. One whose name is a key is made for nothing, so what is
//! counted is where it comes from, and all of them together. Domains that are known, and those that somebody here writes to, wait for
//! nobody. How many there may be in the end is a rule of the domain (`DOMAINS_UNASKED_MAX`).

use std::net::IpAddr;

use startalk_net::{Buckets, Rate, network};
use startalk_protocol::Error;

/// From one network: ten at once, then one in six minutes. Homes behind one address are more seldom than that.
const OF_ONE_NETWORK: Rate = Rate::new(10, 360);
/// From everywhere: five hundred at once, then one in ten seconds, which is three million in a year.
const TOGETHER: Rate = Rate::new(500, 10);

/// See the module.
pub(crate) struct Newcomers {
    of_network: Buckets<IpAddr>,
    together: Buckets<()>,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self { of_network: Buckets::new(OF_ONE_NETWORK), together: Buckets::new(TOGETHER) }
    }
}

impl Newcomers {
    /// One more comes from this address, and is to be looked into. Domains on this machine itself have no share of a network.
    ///
    /// # Errors
    /// `slow-down`.
    pub(crate) fn come(&self, from: IpAddr, now_ms: u64) -> Result<(), Error> {
        if from.to_canonical().is_loopback() { Ok(()) } else { self.of_network.take(network(from), now_ms) }
    }

    /// One that came has proven who it is: only such take of what there is for all, or names that prove nothing would leave it nothing.
    ///
    /// # Errors
    /// `slow-down`.
    pub(crate) fn become_known(&self, now_ms: u64) -> Result<(), Error> {
        self.together.take((), now_ms)
    }
}

#[cfg(test)]
mod tests {
    use startalk_protocol::Code;

    use super::*;

    #[test]
    fn a_network_has_its_share_and_all_together_have_theirs() {
        let newcomers = Newcomers::default();
        let from = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        for _ in 0..10 {
            newcomers.come(from(0), 0).unwrap();
        }
        let error = newcomers.come(from(0), 0).unwrap_err();
        assert_eq!((error.code, error.params["seconds"].as_str()), (Code::SlowDown, "360"));
        newcomers.come(from(0), 360_000).unwrap();
        for _ in 0..1000 {
            newcomers.come(IpAddr::from([127, 0, 0, 1]), 0).unwrap();
        }

        for n in 0..500 {
            newcomers.come(from(1 << 10 | n << 11), 0).unwrap();
            newcomers.become_known(0).unwrap();
        }
        assert_eq!(newcomers.become_known(0).unwrap_err().params["seconds"], "10");
        newcomers.become_known(10_000).unwrap();
    }
}
