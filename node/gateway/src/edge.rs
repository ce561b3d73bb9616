//! The one file of this crate that reads the system's clock and draws its randomness.

#![expect(
    clippy::disallowed_methods,
    reason = "the edge: time and randomness enter the gateway here, as values of its configuration"
)]

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rand::Rng;

use crate::config::{Clock, Randomness};

/// The system's clock.
pub fn clock() -> Clock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
}

/// The thread's random generator, seeded by the system.
pub fn randomness() -> Randomness {
    Arc::new(|out| rand::rng().fill_bytes(out))
}
