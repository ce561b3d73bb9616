//! What a command may use besides views: time, randomness and the journal's past, all passed in.

use startalk_journal::ReadJournal;
use startalk_protocol::{DomainName, MessageId};

use crate::event::Salted;

/// A source of random bytes, filled in by whoever runs the write loop.
pub trait Random: Send {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]);
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
    /// Ids made in this millisecond so far.
    pub ids: &'a mut IdCount,
    /// Free disk space is below the reserve: commands that add are refused.
    pub disk_low: bool,
}

/// Counts message ids within a millisecond, so that ids of one node grow strictly.
#[derive(Default)]
pub struct IdCount {
    ms: u64,
    count: u16,
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

    /// A new message id, greater than any before.
    pub fn message_id(&mut self) -> MessageId {
        if self.ids.ms == self.now_ms {
            self.ids.count = self.ids.count.wrapping_add(1);
        } else {
            *self.ids = IdCount { ms: self.now_ms, count: 0 };
        }
        let count = self.ids.count;
        MessageId::new(self.now_ms, count, self.random())
    }
}
