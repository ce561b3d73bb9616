//! What pushing has done since the process started, for metrics and `startalk doctor`. Names hosts of push services, no
//! endpoint and no person.

use std::collections::BTreeMap;

/// Hosts whose last trouble is remembered; the names come from whoever subscribes.
const HOSTS_MAX: usize = 100;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Taken by push services.
    pub taken: u64,
    /// To be tried again.
    pub later: u64,
    /// Refused for good.
    pub refused: u64,
    /// Subscriptions that ended because their push service or their keys are none.
    pub gone: u64,
    /// Let go untold: too many waited, or it was tried too often.
    pub dropped: u64,
    /// Waiting now.
    pub waiting: usize,
    /// Devices for which the last attempt failed.
    pub failing: usize,
    /// By host of a push service: what went wrong last, until something went well.
    pub trouble: BTreeMap<String, String>,
}

impl Figures {
    /// It went wrong there.
    pub(crate) fn trouble(&mut self, host: &str, why: String) {
        if self.trouble.len() < HOSTS_MAX || self.trouble.contains_key(host) {
            self.trouble.insert(host.to_owned(), why);
        }
    }
}
