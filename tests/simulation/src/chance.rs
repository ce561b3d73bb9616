//! The one source of chance of a simulation: everything follows from its seed.
//!
//! Owns a splitmix64 and a few ways to ask it. Never reads anything else.

use startalk_domain::context::Random;
use startalk_journal::fault::SplitMix64;

/// Chance out of a seed.
#[derive(Clone, Debug)]
pub struct Chance(SplitMix64);

impl Chance {
    /// The same seed, the same chance.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A number of `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.0.one_in(n)
    }

    /// One of them; `None` of none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.index(all.len())) }
    }

    /// A place in a list of `len`, which is not 0.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("a length")
    }

    /// Bytes of a fixed length.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl Random for Chance {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0.bytes(out.len()));
    }
}
