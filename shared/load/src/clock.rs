//! The one place that reads a clock: microseconds since this process first asked.

#![expect(clippy::disallowed_methods, reason = "a measuring program is an edge: it reads the clock itself")]

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

fn first() -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    *FIRST.get_or_init(Instant::now)
}

/// Microseconds since the first call.
pub fn micros() -> u64 {
    u64::try_from(first().elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970, for what is signed.
pub fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How long something took.
pub struct Watch(Instant);

impl Watch {
    /// From now on.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Until now.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
