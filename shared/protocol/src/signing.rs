//! Signatures: ed25519 (RFC 8032) over a context string, a zero byte and the exact bytes carried.
//! federation-spec/02-names-and-trust.md §3
//!
//! Always `verify_strict`, so that every implementation agrees on which signatures are valid. Keys cross crate
//! borders as `[u8; 32]`.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::sabotage::{self, Switch};

/// What a signature is for; one made for one purpose is worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A charter, by the domain's root key.
    Charter,
    /// A record, by a link key.
    Record,
    /// A step from one root key to the next.
    Succession,
    /// A batch of items on a link, by a link key.
    LinkBatch,
    /// What a domain submits to groups elsewhere, by a link key.
    GroupSubmissions,
    /// Where a group's log stands, by a link key of its home.
    GroupHead,
    /// The root of an account's archive, by a link key of its domain.
    AccountExport,
}

impl Purpose {
    /// The context string before the signed bytes.
    pub fn context(self) -> &'static [u8] {
        match self {
            Self::Charter => b"startalk charter v1",
            Self::Record => b"startalk record v1",
            Self::Succession => b"startalk succession v1",
            Self::LinkBatch => b"startalk link batch v1",
            Self::GroupSubmissions => b"startalk group submissions v1",
            Self::GroupHead => b"startalk group head v1",
            Self::AccountExport => b"startalk account export v1",
        }
    }

    fn framed(self, bytes: &[u8]) -> Vec<u8> {
        let context = self.context();
        let mut out = Vec::with_capacity(context.len() + 1 + bytes.len());
        out.extend_from_slice(context);
        out.push(0);
        out.extend_from_slice(bytes);
        out
    }
}

/// A secret key that signs.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// From 32 random bytes, which are the key.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The 32 bytes that it was made from; to be kept secret.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `bytes` for one purpose.
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(&purpose.framed(bytes)).to_bytes()
    }

    /// As PKCS#8 DER (RFC 8410), for certificates.
    pub fn pkcs8(&self) -> Vec<u8> {
        use ed25519_dalek::pkcs8::EncodePrivateKey;
        self.0.to_pkcs8_der().expect("an ed25519 key always encodes").as_bytes().to_vec()
    }
}

/// A public key, decoded once: decoding costs a tenth of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// `None` if these are not 32 bytes of a point on the curve.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes.try_into().ok()?).ok().map(Self)
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Whether `signature` is this key's for exactly these bytes and this purpose.
    #[must_use]
    pub fn verify(&self, purpose: Purpose, bytes: &[u8], signature: &[u8]) -> bool {
        if sabotage::is(Switch::NoSignatureCheck) {
            return true;
        }
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        self.0.verify_strict(&purpose.framed(bytes), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_one_purpose_one_key_and_one_text() {
        let key = SecretKey::from_seed([7; 32]);
        let public = PublicKey::from_bytes(&key.public()).unwrap();
        let signature = key.sign(Purpose::Charter, b"text");
        assert!(public.verify(Purpose::Charter, b"text", &signature));
        assert!(!public.verify(Purpose::Record, b"text", &signature));
        assert!(!public.verify(Purpose::Charter, b"texT", &signature));
        assert!(!public.verify(Purpose::Charter, b"text", &signature[..63]));
        let other = PublicKey::from_bytes(&SecretKey::from_seed([8; 32]).public()).unwrap();
        assert!(!other.verify(Purpose::Charter, b"text", &signature));
    }
}
