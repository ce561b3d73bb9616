//! What a provider says of a person: the claims of an ID token and of the userinfo endpoint, as plain text by name.
//!
//! The claims were verified before; here they are read as JSON, for any of them may be the one that the settings name. Only
//! text is read, and `email_verified`; what is longer than a limit is left out.

use std::collections::BTreeMap;

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of a claim that is looked at.
const CLAIM_BYTES_MAX: usize = 1024;

/// Claims that no standard names.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Extra {
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl AdditionalClaims for Extra {}

/// What was said, by claim.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    texts: BTreeMap<String, String>,
    email_verified: bool,
}

impl Said {
    /// Claims that were verified.
    pub(super) fn of(claims: &impl Serialize) -> Self {
        let mut said = Self::default();
        said.add(claims);
        said
    }

    /// Adds what the userinfo endpoint says; what the token said stays.
    pub(super) fn add(&mut self, claims: &impl Serialize) {
        let Ok(Value::Object(all)) = serde_json::to_value(claims) else { return };
        let email = all.get("email").and_then(Value::as_str);
        if self.text("email").is_none_or(|known| Some(known) == email) {
            self.email_verified |= email.is_some() && all.get("email_verified") == Some(&Value::Bool(true));
        }
        for (claim, value) in &all {
            let text = value.as_str().map(str::trim).filter(|t| !t.is_empty() && t.len() <= CLAIM_BYTES_MAX);
            if let Some(text) = text {
                self.texts.entry(claim.clone()).or_insert_with(|| text.to_owned());
            }
        }
    }

    /// A claim, if it is there and text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.texts.get(claim).map(String::as_str)
    }

    /// The e-mail address, if the provider says that it is theirs.
    pub(super) fn verified_email(&self) -> Option<&str> {
        self.text("email").filter(|_| self.email_verified)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_token_says_stays_and_an_address_is_verified_by_who_says_it() {
        let mut said = Said::of(&json!({ "sub": "1", "email": "a@x.example", "n": 5, "long": "x".repeat(2000), "empty": " " }));
        assert_eq!((said.text("sub"), said.text("n"), said.text("long"), said.text("empty")), (Some("1"), None, None, None));
        assert_eq!(said.verified_email(), None);
        said.add(&json!({ "sub": "2", "email": "b@x.example", "email_verified": true, "name": "Ann" }));
        assert_eq!((said.text("sub"), said.text("name"), said.verified_email()), (Some("1"), Some("Ann"), None));
        said.add(&json!({ "email": "a@x.example", "email_verified": true }));
        assert_eq!(said.verified_email(), Some("a@x.example"));
        assert_eq!(Said::of(&json!({ "email": "a@x.example", "email_verified": "true" })).verified_email(), None);
    }
}
