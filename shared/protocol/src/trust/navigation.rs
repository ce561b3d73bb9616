//! What clients are told of a domain: the part of its record that is theirs, and the whole as JSON for those that read nothing
//! else. federation-spec/04-discovery-and-hubs.md §4.4
//!
//! The JSON is made of a verified record and carries its exact bytes: whoever can verify takes everything from them.

use serde::{Deserialize, Serialize};

use super::{Navigation, SignInWay, VerifiedRecord, malformed};
use crate::{
    Code, Error,
    limits::{NAVIGATION_FEATURE_BYTES_MAX, NAVIGATION_FEATURES_MAX, TRIAL_DAYS_MAX},
};

/// Where a domain serves its navigation, at its endpoints.
pub const NAVIGATION_PATH: &str = "/.well-known/startalk/navigation";

/// What a client needs to find its domain and to know what to expect there; it verifies `record` itself and believes nothing
/// else.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct NavigationDocument {
    /// ASCII form.
    pub domain: String,
    /// For people.
    pub shown: String,
    /// What the domain calls itself.
    pub display_name: String,
    /// A line or two.
    pub description: String,
    /// `closed`, `invitation` or `open`.
    pub registration: String,
    /// How people sign in besides a password.
    #[serde(default)]
    pub sign_in: Vec<NavigationSignIn>,
    /// Best first.
    pub endpoints: Vec<NavigationEndpoint>,
    /// Of the record; grows.
    #[serde(default)]
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
    /// Of the client protocol.
    #[serde(default)]
    pub features: Vec<String>,
    /// Bytes of a file at most; 0: not said. So are the next two.
    #[serde(default)]
    pub file_bytes_max: u64,
    /// Bytes of a message's content at most.
    #[serde(default)]
    pub message_bytes_max: u64,
    /// Members of a group at most.
    #[serde(default)]
    pub group_members_max: u64,
    /// `#rrggbb`; empty: none.
    #[serde(default)]
    pub colour: String,
    /// BLAKE3 of the icon in hexadecimal; empty: none.
    #[serde(default)]
    pub icon_hash: String,
    /// The domain is for trying.
    pub trial: Option<NavigationTrial>,
    /// What proved the name to a hub, if anything did; a hint. Of the domain itself: nothing.
    pub proof: Option<String>,
    /// The SignedRecord, base64 with padding (RFC 4648 §4).
    pub record: String,
}

/// A way to sign in.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct NavigationSignIn {
    /// `oidc`, `passkey`.
    pub kind: String,
    /// Of the provider; may be empty.
    pub id: String,
    /// For people; may be empty.
    pub display_name: String,
}

/// Where a domain can be reached.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct NavigationEndpoint {
    /// Name or address; IPv6 without brackets.
    pub host: String,
    /// TCP and UDP.
    pub port: u32,
}

/// What a domain for trying says of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct NavigationTrial {
    /// Days after which an account ends.
    pub account_days: u32,
}

impl NavigationDocument {
    /// As a record says it; `proof`: what proved the name to a hub.
    pub fn of(record: &VerifiedRecord, proof: Option<&str>) -> Self {
        let navigation = record.navigation();
        let way = |way: &SignInWay| NavigationSignIn {
            kind: way.kind.clone(),
            id: way.id.clone(),
            display_name: way.display_name.clone(),
        };
        Self {
            domain: record.domain().as_str().to_owned(),
            shown: record.domain().shown(),
            display_name: record.display_name().to_owned(),
            description: record.description().to_owned(),
            registration: record.registration().as_str().to_owned(),
            sign_in: record.sign_in().iter().map(way).collect(),
            endpoints: record.endpoints().iter().map(|e| NavigationEndpoint { host: e.host.clone(), port: e.port }).collect(),
            sequence: record.sequence(),
            not_after_ms: record.not_after_ms(),
            features: navigation.features,
            file_bytes_max: navigation.file_bytes_max,
            message_bytes_max: navigation.message_bytes_max,
            group_members_max: navigation.group_members_max,
            colour: navigation.colour,
            icon_hash: data_encoding::HEXLOWER.encode(&navigation.icon_hash),
            trial: navigation.trial.map(|t| NavigationTrial { account_days: t.account_days }),
            proof: proof.map(str::to_owned),
            record: data_encoding::BASE64.encode(record.bytes()),
        }
    }
}

/// Whether `text` is a colour as it stands in a record: empty, or `#rrggbb` in lower case.
pub fn is_colour(text: &str) -> bool {
    let digits = |d: &str| d.len() == 6 && d.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    text.is_empty() || text.strip_prefix('#').is_some_and(digits)
}

pub(super) fn verify(navigation: &Navigation) -> Result<(), Error> {
    if navigation.features.len() > NAVIGATION_FEATURES_MAX {
        return Err(Error::new(Code::TooMany).with("what", "features").with("max", NAVIGATION_FEATURES_MAX));
    }
    let is_word = |f: &String| (1..=NAVIGATION_FEATURE_BYTES_MAX).contains(&f.len()) && f.bytes().all(|b| b.is_ascii_graphic());
    if !navigation.features.iter().all(is_word) {
        return Err(malformed("features of 1 to 32 graphic ASCII characters"));
    }
    if !is_colour(&navigation.colour) {
        return Err(malformed("a colour like #1a2b3c, or none"));
    }
    if !matches!(navigation.icon_hash.len(), 0 | 32) {
        return Err(malformed("an icon hash of 32 bytes, or none"));
    }
    if navigation.trial.is_some_and(|t| !(1..=TRIAL_DAYS_MAX).contains(&t.account_days)) {
        return Err(malformed("a trial of 1 to 36600 days"));
    }
    Ok(())
}
