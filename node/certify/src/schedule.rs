//! When a certificate is renewed, and when it is tried again after a failure. Plain arithmetic on given times, milliseconds
//! since 1970; authorities limit how often they are asked, and a node that starts over and over must not ask each time.

const MINUTE_MS: u64 = 60_000;
/// An authority that says "later" is believed up to so long.
pub const TOLD_MS_MAX: u64 = 7 * 24 * 60 * MINUTE_MS;

/// How often an authority is asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After the first failure; doubled with each.
    pub first_retry_ms: u64,
    /// At most so long, while there is time.
    pub retry_ms_max: u64,
    /// At most so long, once less than a tenth of the lifetime is left, or there is no certificate.
    pub pressing_ms_max: u64,
}

impl Pace {
    /// At most four times an hour: Let's Encrypt refuses a name after five failures in an hour.
    pub const USUAL: Self =
        Self { first_retry_ms: 15 * MINUTE_MS, retry_ms_max: 12 * 60 * MINUTE_MS, pressing_ms_max: 2 * 60 * MINUTE_MS };
    /// For tests that would otherwise wait for hours.
    pub const FAST: Self = Self { first_retry_ms: 300, retry_ms_max: 1000, pressing_ms_max: 1000 };
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From.
    pub not_before_ms: i64,
    /// Until.
    pub not_after_ms: i64,
}

impl Validity {
    fn life_ms(self) -> i64 {
        self.not_after_ms.saturating_sub(self.not_before_ms).max(0)
    }

    /// When it is renewed: with a third of the lifetime left, or up to a thirtieth of the lifetime before, as `random` has it, so
    /// that nodes that began together do not come together.
    pub fn renew_at_ms(self, random: u64) -> i64 {
        let life = self.life_ms();
        let before = random % u64::try_from(life / 30).unwrap_or(0).max(1);
        self.not_before_ms.saturating_add(life / 3 * 2).saturating_sub(i64::try_from(before).unwrap_or(0))
    }

    /// Whether a retry may not wait long.
    pub fn is_pressing(self, now_ms: i64) -> bool {
        now_ms > self.not_after_ms.saturating_sub(self.life_ms() / 10)
    }
}

/// How long to wait after so many failures in a row (at least 1): doubled each time, and up to half as long again by `random`.
pub fn retry_in_ms(pace: Pace, failures: u32, pressing: bool, random: u64) -> u64 {
    let most = if pressing { pace.pressing_ms_max } else { pace.retry_ms_max };
    let base = pace.first_retry_ms.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most.max(pace.first_retry_ms));
    base + random % (base / 2).max(1)
}

/// When to try again after a start: as it stood, but no more than the first wait after the last try, because whoever starts a
/// node has perhaps mended what was wrong; `told`: the authority itself said when.
pub fn next_after_start(pace: Pace, tried_ms: i64, next_ms: i64, told: bool) -> i64 {
    if told { next_ms } else { next_ms.min(tried_ms.saturating_add(i64::try_from(pace.first_retry_ms).unwrap_or(i64::MAX))) }
}
