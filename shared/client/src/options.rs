//! How to connect and how to go on: few options, with defaults that fit.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use startalk_net::HubUrl;

use crate::Home;

/// Over what frames travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transport {
    /// TLS on TCP.
    #[default]
    Tls,
    /// QUIC, for devices that change networks.
    Quic,
    /// QUIC, and TLS where UDP does not pass.
    QuicThenTls,
}

/// How long to wait between attempts: doubled each time, each wait shortened by a random part of up to a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row; `random` is 0 to 1.
    #[must_use]
    pub fn wait(&self, failures: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(u32::MAX));
        doubled.min(self.max).mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }
}

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom to connect to.
    pub home: Home,
    /// Hubs to ask where a domain is.
    pub hubs: Vec<HubUrl>,
    /// Over what.
    pub transport: Transport,
    /// Certificate authorities trusted besides the public ones, for `.well-known` and hubs.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// For each request of discovery, and for connecting.
    pub timeout: Duration,
    /// Between attempts.
    pub backoff: Backoff,
    /// As the client names itself: program and version.
    pub client: String,
    /// BCP 47, for words that the node makes.
    pub language: String,
    /// Tell the node by oneself that messages have arrived.
    pub mark_delivered: bool,
    /// Messages of one conversation that are fetched by themselves after an absence; for more, [`crate::Event::Gap`].
    pub fill_gaps_max: u64,
    /// How long a request waits for a connection before it fails as offline.
    pub request_wait: Duration,
    /// A connection on which nothing came for so long is asked whether it lives, and closed after as long again.
    pub silence: Duration,
}

impl Options {
    /// The defaults, for this home.
    pub fn new(home: Home) -> Self {
        Self {
            home,
            hubs: Vec::new(),
            transport: Transport::default(),
            extra_roots: Vec::new(),
            timeout: Duration::from_secs(8),
            backoff: Backoff::default(),
            client: concat!("startalk-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            language: "en".to_owned(),
            mark_delivered: true,
            fill_gaps_max: 2000,
            request_wait: Duration::from_secs(10),
            silence: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_differ() {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) };
        assert_eq!(backoff.wait(1, 0.0), Duration::from_millis(100));
        assert_eq!(backoff.wait(3, 0.0), Duration::from_millis(400));
        assert_eq!(backoff.wait(3, 1.0), Duration::from_millis(200));
        assert_eq!(backoff.wait(99, 0.0), Duration::from_secs(1));
    }
}
