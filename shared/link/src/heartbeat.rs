//! When to ping and when the peer is dead. federation-spec/03-link.md §7
//!
//! A side that has stopped reading for a while (its disk is behind) still pings, so that its peer hears it, and does
//! not count the peer's silence, which it would not hear.

use startalk_protocol::limits::{LINK_DEAD_MS, LINK_PING_MS};

#[derive(Debug)]
pub(crate) struct Heartbeat {
    heard_ms: u64,
    spoke_ms: u64,
    pinged_ms: u64,
    nonce: u64,
    answered: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Quiet,
    Ping(u64),
    Dead,
}

impl Heartbeat {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { heard_ms: now_ms, spoke_ms: now_ms, pinged_ms: now_ms, nonce: 0, answered: 0 }
    }

    pub(crate) fn heard_ms(&self) -> u64 {
        self.heard_ms
    }

    pub(crate) fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// The last of our pings that the peer answered; 0 before the first.
    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }

    /// The peer answered a ping, if it is one of ours.
    pub(crate) fn pong(&mut self, nonce: u64) {
        if nonce <= self.nonce {
            self.answered = self.answered.max(nonce);
        }
    }

    pub(crate) fn spoke(&mut self, now_ms: u64) {
        self.spoke_ms = now_ms;
    }

    fn ping_due_ms(&self) -> u64 {
        self.heard_ms.min(self.spoke_ms).max(self.pinged_ms) + LINK_PING_MS
    }

    pub(crate) fn deadline_ms(&self) -> u64 {
        self.ping_due_ms().min(self.heard_ms + LINK_DEAD_MS)
    }

    pub(crate) fn tick(&mut self, now_ms: u64, reading: bool) -> Beat {
        if !reading {
            self.heard_ms = now_ms;
        }
        if now_ms >= self.heard_ms + LINK_DEAD_MS {
            Beat::Dead
        } else if now_ms >= self.ping_due_ms() {
            Beat::Ping(self.ping(now_ms))
        } else {
            Beat::Quiet
        }
    }

    pub(crate) fn ping(&mut self, now_ms: u64) -> u64 {
        self.pinged_ms = now_ms;
        self.nonce += 1;
        self.nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_does_not_read_still_pings_and_does_not_call_the_peer_dead() {
        let mut beat = Heartbeat::new(0);
        let mut pings = 0;
        for now in (0..300).map(|s| s * 1000) {
            match beat.tick(now, false) {
                Beat::Ping(_) => {
                    pings += 1;
                    beat.spoke(now);
                }
                Beat::Quiet => {}
                Beat::Dead => panic!("dead at {now}"),
            }
        }
        assert!((15..=20).contains(&pings), "{pings}");
    }
}
