//! The edge where a clock is read and randomness is drawn; everything below is given both.

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
