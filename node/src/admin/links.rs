//! The state of a link, for `startalk peers` and the API: codes for programs, words for people.

use serde::Serialize;
use startalk_federation::{PeerStatus, State};
use startalk_protocol::{Error, error::Language};
use utoipa::ToSchema;

/// Every state, by its code.
pub const STATES: &[&str] = &["idle", "connected", "dialing", "backing-off", "refused", "dormant", "dead", "gone", "denied"];

/// What went wrong, in words.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Words {
    /// A code of federation-spec chapter 6.
    pub code: String,
    /// In English.
    pub en: String,
    /// 中文。
    pub zh: String,
}

/// What went wrong last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastError {
    #[serde(flatten)]
    #[schema(inline)]
    pub words: Words,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// What was refused, by cause.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refused {
    pub error: Words,
    pub count: u64,
    pub first_ms: u64,
    pub last_ms: u64,
}

/// One peer's link.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Link {
    pub domain: String,
    /// idle, connected, dialing, backing-off, refused, dormant, dead, gone or denied.
    pub state: String,
    pub next_attempt_ms: Option<u64>,
    /// What the peer does not have yet, in items.
    pub lag: u64,
    pub last_error: Option<LastError>,
    /// Since this process began.
    pub last_contact_ms: Option<u64>,
    pub refusals: Vec<Refused>,
    pub two_copies_ms: Option<u64>,
    pub went_back_ms: Option<u64>,
    pub restarted_ms: Option<u64>,
    pub silent_since_ms: Option<u64>,
    /// quic or tls, while there is a link.
    pub transport: Option<String>,
}

/// The state's code, and when the peer is tried next.
pub fn state(status: &PeerStatus) -> (&'static str, Option<u64>) {
    match status.state {
        State::Idle => ("idle", None),
        State::Connected => ("connected", None),
        State::Dialing => ("dialing", None),
        State::BackingOff { next_attempt_ms } => ("backing-off", Some(next_attempt_ms)),
        State::Refused { next_attempt_ms } => ("refused", Some(next_attempt_ms)),
        State::Dormant { next_attempt_ms } => ("dormant", Some(next_attempt_ms)),
        State::Dead { next_attempt_ms } => ("dead", Some(next_attempt_ms)),
        State::Gone => ("gone", None),
        State::Denied => ("denied", None),
    }
}

impl Link {
    /// As it stands.
    pub fn of(status: &PeerStatus) -> Self {
        let (code, next_attempt_ms) = state(status);
        let refused = |r: &startalk_federation::Refusal| Refused {
            error: words(&r.error),
            count: r.count,
            first_ms: r.first_ms,
            last_ms: r.last_ms,
        };
        Self {
            domain: status.domain.to_string(),
            state: code.to_owned(),
            next_attempt_ms,
            lag: status.lag,
            last_error: status.last_error.as_ref().map(|(error, at_ms)| LastError { words: words(error), at_ms: *at_ms }),
            last_contact_ms: status.last_contact_ms,
            refusals: status.refusals.iter().map(refused).collect(),
            two_copies_ms: status.two_copies_ms,
            went_back_ms: status.went_back_ms,
            restarted_ms: status.restarted_ms,
            silent_since_ms: status.silent_since_ms,
            transport: status.transport.map(|t| format!("{t:?}").to_lowercase()),
        }
    }
}

fn words(error: &Error) -> Words {
    Words { code: error.code.as_str().to_owned(), en: error.words(Language::English), zh: error.words(Language::Chinese) }
}
