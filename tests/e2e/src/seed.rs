//! Randomness that can be repeated: `STARTALK_E2E_SEED=<number>`; printed at the beginning.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// A seeded source.
pub struct Seed {
    /// What it began with.
    pub number: u64,
    random: StdRng,
}

impl Seed {
    /// From the environment, or a new one; printed.
    ///
    /// # Panics
    /// If the environment's is no number.
    pub fn new(test: &str) -> Self {
        let given = std::env::var("STARTALK_E2E_SEED").ok().map(|s| s.parse().expect("STARTALK_E2E_SEED: expected a number"));
        let number = given.unwrap_or_else(fresh);
        println!("{test}: seed {number}");
        Self { number, random: StdRng::seed_from_u64(number) }
    }

    /// A number from `from` to before `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.random.random_range(from..to)
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: a seed that is printed")]
fn fresh() -> u64 {
    rand::rng().random_range(0..1_000_000)
}

/// A number from the environment, or what is used in CI.
///
/// # Panics
/// If the environment's is no number.
pub fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: expected a number, got {text}")))
}
