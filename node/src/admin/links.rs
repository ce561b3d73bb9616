//! The state of a link as JSON, for `startalk peers`: codes for programs, words for people.

use serde_json::{Value, json};
use startalk_federation::{PeerStatus, State};
use startalk_protocol::{Error, error::Language};

/// Every state, by its code.
pub const STATES: &[&str] = &["idle", "connected", "dialing", "backing-off", "refused", "dormant", "dead", "gone", "denied"];

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

/// One peer's link.
pub fn json(status: &PeerStatus) -> Value {
    let (code, next_attempt_ms) = state(status);
    let refusals: Vec<Value> = status
        .refusals
        .iter()
        .map(|r| json!({ "error": words(&r.error), "count": r.count, "first_ms": r.first_ms, "last_ms": r.last_ms }))
        .collect();
    let last_error = status.last_error.as_ref().map(|(error, at_ms)| {
        let mut words = words(error);
        words["at_ms"] = json!(at_ms);
        words
    });
    json!({
        "domain": status.domain.as_str(), "state": code, "next_attempt_ms": next_attempt_ms, "lag": status.lag,
        "last_error": last_error, "last_contact_ms": status.last_contact_ms, "refusals": refusals,
        "two_copies_ms": status.two_copies_ms, "went_back_ms": status.went_back_ms, "restarted_ms": status.restarted_ms, "silent_since_ms": status.silent_since_ms,
        "transport": status.transport.map(|t| format!("{t:?}").to_lowercase()),
    })
}

fn words(error: &Error) -> Value {
    json!({ "code": error.code.as_str(), "en": error.words(Language::English), "zh": error.words(Language::Chinese) })
}
