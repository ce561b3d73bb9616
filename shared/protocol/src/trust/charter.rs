//! The charter: which keys a domain has. federation-spec/02-names-and-trust.md §4 and §5
//!
//! Decodes and verifies; never asks a clock. Every step from the first root key to the present one is signed by the
//! key before it, or by a recovery key that the key before it had named under its own signature: without that,
//! anybody could append a "recovery" to the line of a key name and own it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::{Charter, SignedCharter, Succession, bad_signature, key_bytes, malformed, too_large};
use crate::{
    Code, DomainName, Error,
    limits::{CLOCK_SKEW_MS_MAX, LINK_KEY_VALID_MS_MAX, LINK_KEYS_MAX, RECORD_BYTES_MAX, SUCCESSIONS_MAX},
    signing::{PublicKey, Purpose},
};

/// First byte of what a succession step signs.
const STEP: u8 = 1;
/// First byte of what a recovery commitment signs.
const COMMITMENT: u8 = 2;
/// Link keys that may be valid at one moment.
const LINK_KEYS_AT_ONCE: usize = 2;

/// A link key and when it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedLinkKey {
    /// ed25519 public key.
    pub key: [u8; 32],
    /// First moment, in milliseconds since 1970.
    pub not_before_ms: i64,
    /// First moment at which it is valid no more.
    pub not_after_ms: i64,
}

impl VerifiedLinkKey {
    /// Valid at `time_ms`; the beginning is taken leniently by the allowed clock skew, the end strictly.
    pub fn valid(&self, time_ms: i64) -> bool {
        self.not_before_ms.saturating_sub(CLOCK_SKEW_MS_MAX) <= time_ms && time_ms < self.not_after_ms
    }
}

/// A charter whose signatures, line of succession, limits and (for a key name) name were verified. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCharter(Arc<Verified>);

#[derive(Debug, PartialEq, Eq)]
struct Verified {
    bytes: Bytes,
    domain: DomainName,
    root_key: [u8; 32],
    line: Vec<Succession>,
    link_keys: Vec<VerifiedLinkKey>,
    recovery_hash: [u8; 32],
    recovery_commitment: Bytes,
    sequence: u64,
    gone: bool,
}

impl VerifiedCharter {
    /// The SignedCharter exactly as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Whose charter it says it is; for a key name this is proven, for a DNS name it is only said.
    pub fn domain(&self) -> &DomainName {
        &self.0.domain
    }

    /// The key that signs charters now.
    pub fn root_key(&self) -> [u8; 32] {
        self.0.root_key
    }

    /// The key that the line of succession begins with.
    pub fn first_root_key(&self) -> [u8; 32] {
        self.0.line.first().map_or(self.0.root_key, |step| key32(&step.from))
    }

    /// The steps from the first root key to the present one.
    pub fn line(&self) -> &[Succession] {
        &self.0.line
    }

    /// All link keys, past ones too.
    pub fn link_keys(&self) -> &[VerifiedLinkKey] {
        &self.0.link_keys
    }

    /// Whether `key` is one of this domain's link keys and valid at `time_ms`: now for a live link, the record's home
    /// time for a stored signature.
    pub fn link_key_valid(&self, key: &[u8; 32], time_ms: i64) -> bool {
        self.0.link_keys.iter().any(|k| k.key == *key && k.valid(time_ms))
    }

    /// BLAKE3 of the recovery public key.
    pub fn recovery_hash(&self) -> [u8; 32] {
        self.0.recovery_hash
    }

    /// The root key's signature that names the recovery key.
    pub fn recovery_commitment(&self) -> &Bytes {
        &self.0.recovery_commitment
    }

    /// Grows with every charter of the domain.
    pub fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// The domain says that it is no more.
    pub fn gone(&self) -> bool {
        self.0.gone
    }
}

/// The hash of a recovery public key, as a charter carries it.
pub fn recovery_hash(recovery_public: &[u8; 32]) -> [u8; 32] {
    *blake3::hash(recovery_public).as_bytes()
}

impl Charter {
    /// Decodes a SignedCharter and verifies it completely in itself.
    ///
    /// # Errors
    /// `too-large`, `malformed` (names what was expected), `too-many`, `bad-value` (a link key's validity),
    /// `bad-signature` (charter, step or commitment), `wrong-key` (a line that does not connect, or a key name that is
    /// not of the first root key).
    pub fn decode_signed(bytes: &[u8]) -> Result<VerifiedCharter, Error> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(too_large("charter", bytes.len(), RECORD_BYTES_MAX));
        }
        let signed = SignedCharter::decode(bytes).map_err(|_| malformed("a SignedCharter"))?;
        let charter = Self::decode(signed.charter.clone()).map_err(|_| malformed("a Charter"))?;
        let domain: DomainName = charter.domain.parse().map_err(|_| malformed("a domain name"))?;
        if domain.as_str() != charter.domain {
            return Err(malformed("a domain name in lower-case ASCII"));
        }
        let root_key = key_bytes(&charter.root_key, "a root key of 32 bytes")?;
        let root = PublicKey::from_bytes(&root_key).ok_or_else(|| malformed("a root key on the curve"))?;
        if !root.verify(Purpose::Charter, &signed.charter, &signed.signature) {
            return Err(bad_signature("charter"));
        }
        let recovery_hash = key_bytes(&charter.recovery_hash, "a recovery hash of 32 bytes")?;
        if !commitment_holds(&domain, &root, &recovery_hash, &charter.recovery_commitment) {
            return Err(bad_signature("recovery commitment"));
        }
        verify_line(&domain, &charter.line, &root_key)?;
        let link_keys = verify_link_keys(&charter, &root_key)?;
        let verified = VerifiedCharter(Arc::new(Verified {
            bytes: Bytes::copy_from_slice(bytes),
            domain,
            root_key,
            line: charter.line,
            link_keys,
            recovery_hash,
            recovery_commitment: charter.recovery_commitment,
            sequence: charter.sequence,
            gone: charter.gone,
        }));
        if verified.domain().is_key_name() && DomainName::of_key(&verified.first_root_key()) != *verified.domain() {
            return Err(wrong_key("charter", verified.domain()));
        }
        Ok(verified)
    }
}

fn verify_line(domain: &DomainName, line: &[Succession], root_key: &[u8; 32]) -> Result<(), Error> {
    if line.len() > SUCCESSIONS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "root key changes").with("max", SUCCESSIONS_MAX));
    }
    let mut seen: Vec<[u8; 32]> = Vec::new();
    for (i, step) in line.iter().enumerate() {
        let from = key_bytes(&step.from, "a root key of 32 bytes")?;
        let to = key_bytes(&step.to, "a root key of 32 bytes")?;
        let next = line.get(i + 1).map_or(&root_key[..], |s| &s.from);
        if to != *next {
            return Err(wrong_key("line of succession", domain));
        }
        seen.push(from);
        if seen.contains(&to) {
            return Err(malformed("a line of succession that never returns to a key"));
        }
        verify_step(domain, step, &from, &to)?;
    }
    Ok(())
}

fn verify_step(domain: &DomainName, step: &Succession, from: &[u8; 32], to: &[u8; 32]) -> Result<(), Error> {
    let from_key = PublicKey::from_bytes(from).ok_or_else(|| malformed("a root key on the curve"))?;
    let signer = if step.recovery.is_empty() {
        if !step.commitment.is_empty() {
            return Err(malformed("no commitment in a step that the root key signed"));
        }
        from_key
    } else {
        let recovery = key_bytes(&step.recovery, "a recovery key of 32 bytes")?;
        if !commitment_holds(domain, &from_key, &recovery_hash(&recovery), &step.commitment) {
            return Err(bad_signature("recovery commitment"));
        }
        PublicKey::from_bytes(&recovery).ok_or_else(|| malformed("a recovery key on the curve"))?
    };
    if signer.verify(Purpose::Succession, &step_bytes(domain, from, to), &step.signature) {
        Ok(())
    } else {
        Err(bad_signature("line of succession"))
    }
}

fn verify_link_keys(charter: &Charter, root_key: &[u8; 32]) -> Result<Vec<VerifiedLinkKey>, Error> {
    if charter.link_keys.len() > LINK_KEYS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "link keys").with("max", LINK_KEYS_MAX));
    }
    let bad = |expected: &str| Error::new(Code::BadValue).with("field", "link_keys").with("expected", expected);
    let mut keys: Vec<VerifiedLinkKey> = Vec::with_capacity(charter.link_keys.len());
    for link_key in &charter.link_keys {
        let key = key_bytes(&link_key.key, "a link key of 32 bytes")?;
        PublicKey::from_bytes(&key).ok_or_else(|| malformed("a link key on the curve"))?;
        if key == *root_key || keys.iter().any(|k| k.key == key) {
            return Err(bad("keys that differ from each other and from the root key"));
        }
        let valid_ms = link_key.not_after_ms.checked_sub(link_key.not_before_ms).unwrap_or(i64::MAX);
        if !(1..=LINK_KEY_VALID_MS_MAX).contains(&valid_ms) {
            return Err(bad("each key valid for at most 90 days"));
        }
        keys.push(VerifiedLinkKey { key, not_before_ms: link_key.not_before_ms, not_after_ms: link_key.not_after_ms });
    }
    let at_once = |time: i64| keys.iter().filter(|k| k.not_before_ms <= time && time < k.not_after_ms).count();
    if keys.iter().any(|k| at_once(k.not_before_ms) > LINK_KEYS_AT_ONCE) {
        return Err(bad("at most two keys valid at once"));
    }
    Ok(keys)
}

/// What a step from one root key to the next signs.
pub(super) fn step_bytes(domain: &DomainName, from: &[u8; 32], to: &[u8; 32]) -> Vec<u8> {
    let mut out = vec![STEP];
    out.extend_from_slice(from);
    out.extend_from_slice(to);
    out.extend_from_slice(domain.as_str().as_bytes());
    out
}

/// What a root key signs to name its recovery key.
pub(super) fn commitment_bytes(domain: &DomainName, recovery_hash: &[u8; 32]) -> Vec<u8> {
    let mut out = vec![COMMITMENT];
    out.extend_from_slice(recovery_hash);
    out.extend_from_slice(domain.as_str().as_bytes());
    out
}

fn commitment_holds(domain: &DomainName, root: &PublicKey, recovery_hash: &[u8; 32], commitment: &[u8]) -> bool {
    root.verify(Purpose::Succession, &commitment_bytes(domain, recovery_hash), commitment)
}

pub(super) fn wrong_key(what: &str, domain: &DomainName) -> Error {
    Error::new(Code::WrongKey).with("what", what).with("domain", domain)
}

fn key32(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("lengths in the line were checked when the charter was verified")
}
