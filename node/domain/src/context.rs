//! What a command may use besides views: time, randomness and the journal's past, all passed in.

use startalk_journal::ReadJournal;
use startalk_protocol::{DomainName, MessageId};

use crate::event::Salted;

/// A source of random bytes, filled in by whoever runs the write loop.
pub trait Random: Send {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]);
}

/// Minutes that the clock of a place ("Europe/Berlin") is ahead of UTC at a moment in milliseconds since 1970; `None` where no
/// such place is known. The rules of places change with politics, so they come with the program and are in no event: what
/// was decided by them is (decision 0021).
pub type Zones = fn(zone: &str, at_ms: u64) -> Option<i32>;

/// UTC and nothing else.
pub fn utc_only(zone: &str, _: u64) -> Option<i32> {
    (zone == "UTC").then_some(0)
}

/// The world, as one command may see it.
pub struct Ctx<'a> {
    /// This domain's name.
    pub domain: &'a DomainName,
    /// Journal time of the batch, milliseconds since 1970; never goes back.
    pub now_ms: u64,
    /// The journal's past; what the present batch wrote is not in it.
    pub journal: &'a dyn ReadJournal,
    /// Randomness.
    pub random: &'a mut dyn Random,
    /// Clocks of places.
    pub zones: Zones,
    /// The last id made.
    pub ids: &'a mut IdCount,
    /// Free disk space is below the reserve: commands that add are refused.
    pub disk_low: bool,
}

/// Where message ids are, so that those of one node grow strictly as long as it runs: journal time and a count within it.
/// Journal time stands still after a clock that was ahead has been put right, for a day if it was a day ahead; when the
/// count is used up meanwhile, ids go on with the next millisecond.
#[derive(Default)]
pub struct IdCount {
    ms: u64,
    count: u16,
}

/// An id has 12 bits for it.
const COUNT_MAX: u16 = 0x0fff;

impl IdCount {
    /// The next, at this journal time.
    fn next(&self, now_ms: u64) -> Self {
        match self.count {
            _ if self.ms < now_ms => Self { ms: now_ms, count: 0 },
            COUNT_MAX => Self { ms: self.ms + 1, count: 0 },
            count => Self { ms: self.ms, count: count + 1 },
        }
    }
}

impl Ctx<'_> {
    /// `N` random bytes.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.random.fill(&mut out);
        out
    }

    /// A body with a fresh salt.
    pub fn salted<B>(&mut self, value: B) -> Salted<B> {
        let mut salt: [u8; 16] = self.random();
        if salt == [0; 16] {
            salt[0] = 1; // all zero means erased
        }
        Salted { salt, value }
    }

    /// A new message id, greater than any that this process made before.
    pub fn message_id(&mut self) -> MessageId {
        *self.ids = self.ids.next(self.now_ms);
        let IdCount { ms, count } = *self.ids;
        MessageId::new(ms, count, self.random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_however_many_are_made_while_time_stands_still() {
        let mut ids = IdCount::default();
        let mut last = MessageId::default();
        for made in 0..20_000 {
            ids = ids.next(if made < 15_000 { 1_000 } else { 1_001 });
            let id = MessageId::new(ids.ms, ids.count, [0; 8]);
            assert!(id > last, "id {made} is not above the one before");
            last = id;
        }
        assert_eq!(ids.next(2_000).ms, 2_000, "time that goes on is what counts again");
    }
}
