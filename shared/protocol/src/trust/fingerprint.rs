//! Fingerprints of first root keys, as people, DNS and configuration carry them. federation-spec/02 §2
//!
//! Two spellings of one thing: 26 base32 letters (130 bits of the BLAKE3, the letters of a key name) or 64 hex digits
//! (all 256 bits). Written in the first form, read in both.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::{Code, DomainName, Error, ids::KEY_NAME_LETTERS};

/// What stands before the fingerprint in the TXT record `_startalk.<domain>`.
pub const FINGERPRINT_TXT_PREFIX: &str = "startalk-root=";

/// The fingerprint of a first root key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Fingerprint {
    /// The first 130 bits of the BLAKE3, as 26 lower-case base32 letters.
    Letters(Box<str>),
    /// The whole BLAKE3.
    Hash([u8; 32]),
}

impl Fingerprint {
    /// Of a first root key, in the short form.
    pub fn of_key(first_root_key: &[u8; 32]) -> Self {
        Self::Letters(letters(first_root_key).into())
    }

    /// Whether it is this key's.
    #[must_use]
    pub fn matches(&self, first_root_key: &[u8; 32]) -> bool {
        match self {
            Self::Letters(text) => **text == letters(first_root_key),
            Self::Hash(hash) => blake3::hash(first_root_key) == *hash,
        }
    }
}

fn letters(key: &[u8; 32]) -> String {
    DomainName::of_key(key).as_str()[..KEY_NAME_LETTERS].to_owned()
}

impl FromStr for Fingerprint {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad =
            || Error::new(Code::BadValue).with("field", "fingerprint").with("expected", "26 base32 letters or 64 hex digits");
        let lower = text.to_ascii_lowercase();
        match lower.len() {
            KEY_NAME_LETTERS if lower.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)) => {
                Ok(Self::Letters(lower.into()))
            }
            64 => {
                let hash = HEXLOWER_PERMISSIVE.decode(lower.as_bytes()).map_err(|_| bad())?;
                hash.try_into().map(Self::Hash).map_err(|_| bad())
            }
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letters(text) => f.write_str(text),
            Self::Hash(hash) => f.write_str(&data_encoding::HEXLOWER.encode(hash)),
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
