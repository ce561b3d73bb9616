//! The state of a link as JSON, for `startalk peers`.

use serde_json::{Value, json};
use startalk_federation::PeerStatus;
use startalk_protocol::error::Language;

/// One peer's link.
pub fn json(status: &PeerStatus) -> Value {
    let error = status.last_error.as_ref().map(|(error, at_ms)| {
        json!({ "code": error.code.as_str(), "en": error.words(Language::English), "zh": error.words(Language::Chinese), "at_ms": at_ms })
    });
    json!({ "domain": status.domain.as_str(), "state": format!("{:?}", status.state), "lag": status.lag, "last_error": error })
}
