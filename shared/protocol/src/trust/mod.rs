//! Who a domain is: charters, records, and what follows what. federation-spec/02-names-and-trust.md
//!
//! Pure functions over bytes and a time that is passed in. What [`Charter::decode_signed`] and
//! [`DomainRecord::decode_signed`] return was verified completely *in itself*: signatures, line of succession, key
//! name. Whether a charter for a DNS name is the right one is not decided here (that takes a proof from outside, see
//! `startalk_net::discovery`), nor is anything fetched or kept.
//!
//! Invariant: a `Verified…` keeps the exact bytes that were signed; nothing is ever encoded again to be checked.

mod build;
mod charter;
mod fingerprint;
mod navigation;
mod pin;
mod record;
#[cfg(test)]
mod tests;

pub use build::{CharterDraft, RecordDraft, recovery_step, sign_charter, sign_record, succession_step};
pub use charter::{VerifiedCharter, VerifiedLinkKey, recovery_hash};
pub use fingerprint::{FINGERPRINT_TXT_PREFIX, Fingerprint};
pub use navigation::{NAVIGATION_PATH, NavigationDocument, NavigationEndpoint, NavigationSignIn, NavigationTrial, is_colour};
pub use pin::{Pinned, accepts};
pub use record::{Registration, VerifiedRecord, host_is_plausible, is_plain_line};

pub use crate::pb::trust::{
    Charter, Endpoint, LinkKey, Navigation, Record as DomainRecord, SignInWay, SignedCharter, SignedRecord, Succession, Trial,
};

use crate::{Code, Error};

/// Where a domain's signed record is served, on the domain itself and at its endpoints.
pub const WELL_KNOWN_PATH: &str = "/.well-known/startalk/domain";
/// The media type of a signed record.
pub const RECORD_MEDIA_TYPE: &str = "application/x-protobuf";

/// For fuzzing and mutation tests: decodes foreign bytes in every way this module knows, at several times. Must never
/// panic, whatever the bytes.
pub fn check(bytes: &[u8]) {
    let charter = Charter::decode_signed(bytes);
    for now_ms in [i64::MIN, 0, 1_800_000_000_000, i64::MAX] {
        if let Ok(charter) = &charter {
            for key in charter.link_keys() {
                let _ = charter.link_key_valid(&key.key, now_ms);
            }
        }
        if let Ok(record) = DomainRecord::decode_signed(bytes, now_ms) {
            let pinned = Pinned::of(&record);
            assert!(accepts(&pinned, &record).is_ok(), "a record follows itself");
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<Fingerprint>();
        let _ = host_is_plausible(text);
    }
}

fn malformed(expected: &str) -> Error {
    Error::new(Code::Malformed).with("expected", expected)
}

fn too_large(what: &str, got: usize, max: usize) -> Error {
    Error::new(Code::TooLarge).with("what", what).with("got", got).with("max", max)
}

fn bad_signature(what: &str) -> Error {
    Error::new(Code::BadSignature).with("what", what)
}

fn key_bytes(bytes: &[u8], expected: &str) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| malformed(expected))
}
