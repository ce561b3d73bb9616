//! How view values become bytes: bincode 2, the only file that names it.
//!
//! A stored value is `format, check, payload`: one byte of format version, 16 bytes of BLAKE3 over key and payload,
//! and the value. Views are disposable, so the format may change: a bumped [`FORMAT`] makes every view be rebuilt.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeOwned};

/// Bumped whenever the meaning of stored bytes changes.
pub const FORMAT: u8 = 1;
/// Bytes of a value at most: chunks hold 256 entries, none of them large.
const VALUE_BYTES_MAX: usize = 4 * 1024 * 1024;
const CHECK_BYTES: usize = 16;

const CONFIG: Configuration<LittleEndian, Varint, Limit<VALUE_BYTES_MAX>> =
    bincode::config::standard().with_limit::<VALUE_BYTES_MAX>();

/// The stored bytes are not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too short, or of another format.
    #[error("expected a value of format {FORMAT}")]
    Format,
    /// Key and payload do not give the check.
    #[error("the check does not match")]
    Check,
    /// The payload is not the type expected.
    #[error("expected another type: {0}")]
    Type(String),
}

/// The payload of a value.
pub fn payload<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, CONFIG).expect("view values are within their limit")
}

/// Format, check and payload, as stored; and the check as a number for the running digest.
pub fn seal(key: &[u8], payload: &[u8]) -> (Vec<u8>, u128) {
    let check = check_of(key, payload);
    let mut out = Vec::with_capacity(1 + CHECK_BYTES + payload.len());
    out.push(FORMAT);
    out.extend_from_slice(&check);
    out.extend_from_slice(payload);
    (out, u128::from_le_bytes(check))
}

/// The value, if key and payload give the check.
pub fn open<T: DeserializeOwned>(key: &[u8], stored: &[u8]) -> Result<T, DecodeError> {
    let (check, payload) = split(stored)?;
    if check_of(key, payload) != check {
        return Err(DecodeError::Check);
    }
    let (value, used) = bincode::serde::decode_from_slice(payload, CONFIG).map_err(|e| DecodeError::Type(e.to_string()))?;
    if used != payload.len() {
        return Err(DecodeError::Type("trailing bytes".into()));
    }
    Ok(value)
}

/// The stored check, as it counts in the running digest; not compared with the payload.
pub fn stored_check(stored: &[u8]) -> Result<u128, DecodeError> {
    Ok(u128::from_le_bytes(split(stored)?.0))
}

/// The check computed from what is stored, as it should count.
pub fn computed_check(key: &[u8], stored: &[u8]) -> Result<u128, DecodeError> {
    Ok(u128::from_le_bytes(check_of(key, split(stored)?.1)))
}

fn split(stored: &[u8]) -> Result<([u8; CHECK_BYTES], &[u8]), DecodeError> {
    let (format, rest) = stored.split_first().ok_or(DecodeError::Format)?;
    let (check, payload) = rest.split_first_chunk::<CHECK_BYTES>().ok_or(DecodeError::Format)?;
    if *format == FORMAT { Ok((*check, payload)) } else { Err(DecodeError::Format) }
}

fn check_of(key: &[u8], payload: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(payload);
    let mut out = [0; CHECK_BYTES];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK_BYTES]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_under_another_key_or_with_a_changed_bit_is_noticed() {
        let (stored, check) = seal(b"k", &payload(&(1u64, "text")));
        assert_eq!(open::<(u64, String)>(b"k", &stored).unwrap(), (1, "text".into()));
        assert_eq!(stored_check(&stored).unwrap(), check);
        assert_eq!(open::<(u64, String)>(b"l", &stored), Err(DecodeError::Check));
        for bit in 0..stored.len() * 8 {
            let mut bad = stored.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<(u64, String)>(b"k", &bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_bytes_of_a_value_are_what_they_were() {
        let (stored, _) = seal(b"key", &payload(&(300u64, "星", Some(vec![1u64, 2]), None::<u8>)));
        assert_eq!(stored[..1], [FORMAT]);
        assert_eq!(stored[17..], [0xfb, 0x2c, 0x01, 3, 0xe6, 0x98, 0x9f, 1, 2, 1, 2, 0]);
    }
}
