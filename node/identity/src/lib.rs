//! Who somebody is, as others say or as a key shows: OpenID Connect providers, directories (LDAP), passkeys (WebAuthn).
//!
//! Owns these protocols and what is configured of them. Knows no account, no frame and no rule: it says whom a provider
//! means, or that a signature is a credential's, and `node/domain` decides whose account that opens. Time and randomness for
//! secrets come in. Invariant: what is returned as somebody was proven by the protocol, to us, in this very exchange.

pub mod ldap;
pub mod oidc;
pub mod passkey;
mod person;

/// What somebody who keeps `verifier` shows of it beforehand: its SHA-256.
pub fn challenge_of(verifier: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

pub use person::{Newcomer, Person, name_of};

/// Reads bytes as everything that providers and browsers send, and checks what must hold. For tests with changed bytes, and
/// for fuzzing.
#[doc(hidden)]
pub fn check(bytes: &[u8]) {
    ldap::check(bytes);
    oidc::check(bytes);
    passkey::check(bytes);
}
