//! The edge where a clock is read and randomness is drawn; everything below is given both.

use std::{sync::OnceLock, time::Instant};

use rand::Rng as _;
use startalk_domain::context::Random;

/// Milliseconds since 1970 by the system's clock.
pub fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// The same, signed, as records and certificates count.
pub fn now_ms_signed() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}

/// Milliseconds that only ever pass, whatever becomes of the system's clock, from no moment in particular: long ago, so that
/// a moment before this process can be named too.
pub fn steady_ms() -> u64 {
    const BEGIN_MS: u64 = 1 << 40;
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
    let now = Instant::now();
    let passed = now.saturating_duration_since(*BEGUN.get_or_init(|| now));
    BEGIN_MS + u64::try_from(passed.as_millis()).unwrap_or(u64::MAX / 2)
}

/// Microseconds that only ever pass, for how long something took.
pub fn steady_us() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
    let now = Instant::now();
    let passed = now.saturating_duration_since(*BEGUN.get_or_init(|| now));
    u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
}

/// Random bytes from the system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    System.fill(&mut out);
    out
}

/// The system's generator.
pub struct System;

impl Random for System {
    fn fill(&mut self, out: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the edge that draws randomness")]
        rand::rng().fill_bytes(out);
    }
}
