//! A second link of a peer with which one is open: which one stays, and when two copies of a domain are running.
//! federation-spec/03-link.md §9
//!
//! The rule itself is `startalk_link::second_link`; here is its clock. A restarted node gets in as soon as the old link
//! has not answered a ping.

use startalk_link::{Link, Other, Second, second_link};
use startalk_protocol::{Code, Error};

use crate::{
    opening::Arrived,
    shared::{Shared, millis},
    slot::Slot,
};

/// The open link is being asked whether it lives, while a new one waits.
pub(crate) struct Probe {
    arrived: Arrived,
    nonce: u64,
    until_ms: u64,
}

/// What follows for the open link.
pub(crate) enum Outcome {
    /// It stays as it is.
    Stays,
    /// It is asked whether it lives.
    Probing(Probe),
    /// The new one takes its place.
    Replaced(Arrived),
    /// Both end: two copies are running.
    TwoCopies,
}

/// Why the one that does not stay is closed.
pub(crate) fn second_error(slot: &Slot) -> Error {
    Error::new(Code::SecondLink).with("domain", &slot.domain)
}

/// A link arrived while `link` is there.
pub(crate) fn arrived(shared: &Shared, slot: &Slot, link: &mut Link, other: &Other, probing: bool, new: Arrived) -> Outcome {
    let decision = second_link(&shared.config.domain, &slot.domain, other, &new.instance);
    match decision {
        Second::Replace => Outcome::Replaced(new),
        Second::Probe if !probing => {
            let now_ms = shared.steady_ms();
            let nonce = link.probe(now_ms);
            Outcome::Probing(Probe { arrived: new, nonce, until_ms: now_ms + millis(shared.config.timings.probe) })
        }
        Second::Probe | Second::Refuse => {
            new.wire.dismiss(second_error(slot), shared.config.timings.farewell);
            Outcome::Stays
        }
    }
}

impl Probe {
    pub(crate) fn due_ms(&self) -> u64 {
        self.until_ms
    }

    /// The link ended by itself: the new one takes its place.
    pub(crate) fn into_arrived(self) -> Arrived {
        self.arrived
    }

    /// Whether the open link has answered, or has had its time.
    pub(crate) fn look(self, shared: &Shared, slot: &Slot, link: &Link, instance: Option<[u8; 16]>) -> Result<Outcome, Self> {
        let answered = link.answered().is_some_and(|n| self.nonce > 0 && n >= self.nonce);
        if answered && instance == Some(self.arrived.instance) {
            self.arrived.wire.dismiss(second_error(slot), shared.config.timings.farewell);
            return Ok(Outcome::Stays);
        }
        if answered {
            let error = Error::new(Code::TwoCopies).with("domain", &slot.domain);
            self.arrived.wire.dismiss(error, shared.config.timings.farewell);
            return Ok(Outcome::TwoCopies);
        }
        if shared.steady_ms() >= self.until_ms {
            return Ok(Outcome::Replaced(self.arrived));
        }
        Err(self)
    }
}
