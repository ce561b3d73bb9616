//! The record: where a domain is, for at most two days. federation-spec/02-names-and-trust.md §6
//!
//! Decodes and verifies against the charter inside it and the time passed in. Whether an endpoint may be connected to
//! (private addresses) is judged where the connection is made, not here.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use prost::Message;

use super::{
    Charter, DomainRecord, Endpoint, Navigation, SignInWay, SignedRecord, VerifiedCharter, bad_signature, charter::wrong_key,
    key_bytes, malformed, too_large,
};
use crate::{
    Code, DomainName, Error,
    limits::{
        CLOCK_SKEW_MS_MAX, DISPLAY_NAME_CHARS_MAX, DOMAIN_DESCRIPTION_BYTES_MAX, ENDPOINTS_MAX, RECORD_BYTES_MAX,
        RECORD_VALID_MS_MAX, SIGN_IN_ID_BYTES_MAX, SIGN_IN_WAYS_MAX,
    },
    signing::{PublicKey, Purpose},
};

/// Who may make an account on a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Registration {
    /// Only its administrator makes accounts.
    Closed,
    /// Who has an invitation.
    #[default]
    Invitation,
    /// Anybody.
    Open,
}

impl Registration {
    /// As it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invitation => "invitation",
            Self::Open => "open",
        }
    }
}

impl std::str::FromStr for Registration {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "closed" => Ok(Self::Closed),
            "invitation" => Ok(Self::Invitation),
            "open" => Ok(Self::Open),
            _ => Err(malformed("closed, invitation or open")),
        }
    }
}

/// A record whose signature, charter, limits and validity were verified. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedRecord(Arc<Verified>);

#[derive(Debug, PartialEq)]
struct Verified {
    bytes: Bytes,
    charter: VerifiedCharter,
    record: DomainRecord,
    link_key: [u8; 32],
    registration: Registration,
}

impl VerifiedRecord {
    /// The SignedRecord exactly as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The charter inside it.
    pub fn charter(&self) -> &VerifiedCharter {
        &self.0.charter
    }

    /// Whose record it says it is; see [`VerifiedCharter::domain`].
    pub fn domain(&self) -> &DomainName {
        self.0.charter.domain()
    }

    /// Where the domain says it can be reached, best first.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.0.record.endpoints
    }

    /// Grows with every record of the domain.
    pub fn sequence(&self) -> u64 {
        self.0.record.sequence
    }

    /// First moment at which it is worth nothing, in milliseconds since 1970.
    pub fn not_after_ms(&self) -> i64 {
        self.0.record.not_after_ms
    }

    /// What people see; may be empty.
    pub fn display_name(&self) -> &str {
        &self.0.record.display_name
    }

    /// A line or two about the domain; may be empty.
    pub fn description(&self) -> &str {
        &self.0.record.description
    }

    /// The domain asks to be listed in public.
    pub fn listed(&self) -> bool {
        self.0.record.listed
    }

    /// Who may make an account there.
    pub fn registration(&self) -> Registration {
        self.0.registration
    }

    /// How people sign in there besides a password.
    pub fn sign_in(&self) -> &[SignInWay] {
        &self.0.record.sign_in
    }

    /// What else its clients are told; empty if it says nothing.
    pub fn navigation(&self) -> Navigation {
        self.0.record.navigation.clone().unwrap_or_default()
    }

    /// The link key that signed it.
    pub fn link_key(&self) -> [u8; 32] {
        self.0.link_key
    }
}

impl DomainRecord {
    /// Decodes a SignedRecord and verifies it, and the charter inside it, completely in itself.
    ///
    /// # Errors
    /// Those of [`Charter::decode_signed`]; `wrong-key` if the signing key is not a link key of the charter that is
    /// valid now, `bad-signature`, `expired`, `bad-value` (promises too far ahead), `too-many`, `malformed`.
    pub fn decode_signed(bytes: &[u8], now_ms: i64) -> Result<VerifiedRecord, Error> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(too_large("record", bytes.len(), RECORD_BYTES_MAX));
        }
        let signed = SignedRecord::decode(bytes).map_err(|_| malformed("a SignedRecord"))?;
        let record = Self::decode(signed.record.clone()).map_err(|_| malformed("a Record"))?;
        let charter = Charter::decode_signed(&record.charter)?;
        let link_key = key_bytes(&signed.link_key, "a link key of 32 bytes")?;
        if !charter.link_keys().iter().any(|k| k.key == link_key) {
            return Err(wrong_key("record", charter.domain()));
        }
        if !charter.link_key_valid(&link_key, now_ms) {
            return Err(Error::new(Code::Expired).with("what", "link key"));
        }
        let key = PublicKey::from_bytes(&link_key).ok_or_else(|| malformed("a link key on the curve"))?;
        if !key.verify(Purpose::Record, &signed.record, &signed.signature) {
            return Err(bad_signature("record"));
        }
        if record.not_after_ms <= now_ms {
            return Err(Error::new(Code::Expired).with("what", "record"));
        }
        if record.not_after_ms > now_ms.saturating_add(RECORD_VALID_MS_MAX + CLOCK_SKEW_MS_MAX) {
            return Err(Error::new(Code::BadValue).with("field", "not_after_ms").with("expected", "at most 48 hours ahead"));
        }
        let registration = verify_contents(&record)?;
        Ok(VerifiedRecord(Arc::new(Verified { bytes: Bytes::copy_from_slice(bytes), charter, record, link_key, registration })))
    }
}

fn verify_contents(record: &DomainRecord) -> Result<Registration, Error> {
    if record.endpoints.len() > ENDPOINTS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "endpoints").with("max", ENDPOINTS_MAX));
    }
    for endpoint in &record.endpoints {
        if !host_is_plausible(&endpoint.host) || !(1..=65_535).contains(&endpoint.port) {
            return Err(malformed("an endpoint of a host name or address and a port"));
        }
    }
    if record.display_name.chars().count() > DISPLAY_NAME_CHARS_MAX || !is_plain_line(&record.display_name) {
        return Err(malformed("a display name of at most 64 characters without control characters"));
    }
    if record.description.len() > DOMAIN_DESCRIPTION_BYTES_MAX {
        return Err(too_large("description", record.description.len(), DOMAIN_DESCRIPTION_BYTES_MAX));
    }
    if !is_plain_line(&record.description) {
        return Err(malformed("a description without control characters"));
    }
    if record.sign_in.len() > SIGN_IN_WAYS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "ways to sign in").with("max", SIGN_IN_WAYS_MAX));
    }
    let is_word = |text: &str| text.len() <= SIGN_IN_ID_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    let is_way = |way: &SignInWay| {
        !way.kind.is_empty()
            && is_word(&way.kind)
            && is_word(&way.id)
            && way.display_name.chars().count() <= DISPLAY_NAME_CHARS_MAX
            && is_plain_line(&way.display_name)
    };
    if !record.sign_in.iter().all(is_way) {
        return Err(malformed("a way to sign in of a kind, an id and a display name"));
    }
    if let Some(navigation) = &record.navigation {
        super::navigation::verify(navigation)?;
    }
    record.registration.parse()
}

/// No control characters and none that change the direction of the text around them.
pub fn is_plain_line(text: &str) -> bool {
    let bidi = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || bidi(c) || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Whether `host` may stand in an endpoint: an address that one host can have (IPv6 without brackets or zone), or a
/// host name in lower-case ASCII that DNS may be asked for (so nothing under `.alt`).
pub fn host_is_plausible(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        return !address.is_unspecified() && !address.is_multicast() && !broadcast;
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let numeric_end = host.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    host.len() <= 253 && !numeric_end && host != "alt" && !host.ends_with(".alt") && host.split('.').all(label)
}
