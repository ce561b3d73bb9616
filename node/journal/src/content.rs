//! Facts and bodies against their hashes.
//!
//! Owns the one definition of "present", "erased" and "damaged". Never knows where the bytes came from.
//!
//! Invariant: a body counts as erased only if every byte of it is zero or was left out by a rewriting; a body that was never erased begins with a salt
//! that is not.

use crate::error::Fault;
use crate::header::Parsed;
use crate::limits::SALT_BYTES;
use crate::record::{Body, Record};
use bytes::Bytes;

/// The 192 bits that stand in a header for facts or a body.
pub fn content_hash(content: &[u8]) -> [u8; 24] {
    let mut hash = [0; 24];
    hash.copy_from_slice(&blake3::hash(content).as_bytes()[..24]);
    hash
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyState {
    None,
    Present,
    Erased,
}

/// Judges the content of the record that begins `bytes` with the parsed header.
pub fn judge(parsed: &Parsed, bytes: &[u8]) -> Result<BodyState, Fault> {
    let facts_end = parsed.facts_end();
    let facts = bytes.get(parsed.header_len..facts_end).ok_or(Fault::Cut)?;
    let body = bytes.get(facts_end..parsed.record_len()).ok_or(Fault::Cut)?;
    if content_hash(facts) != parsed.header.facts_hash {
        return Err(Fault::Facts);
    }
    if parsed.omitted {
        Ok(BodyState::Erased)
    } else if body.is_empty() {
        Ok(BodyState::None)
    } else if is_zero(body) {
        Ok(BodyState::Erased)
    } else if content_hash(body) == parsed.header.body_hash {
        Ok(BodyState::Present)
    } else {
        Err(Fault::Body)
    }
}

/// The record that begins `bytes` with the parsed header, as slices of it.
pub fn record(parsed: &Parsed, bytes: &Bytes) -> Result<Record, Fault> {
    let state = judge(parsed, bytes)?;
    let facts_end = parsed.facts_end();
    let body = match state {
        BodyState::None => Body::None,
        BodyState::Present => Body::Present(bytes.slice(facts_end..parsed.record_len())),
        BodyState::Erased => Body::Erased,
    };
    Ok(Record { header: parsed.header, facts: bytes.slice(parsed.header_len..facts_end), body })
}

/// The same, as if its body were erased, whatever is left of it.
pub fn record_without_body(parsed: &Parsed, bytes: &Bytes) -> Result<Record, Fault> {
    let facts = bytes.get(parsed.header_len..parsed.facts_end()).ok_or(Fault::Cut)?;
    if content_hash(facts) != parsed.header.facts_hash {
        return Err(Fault::Facts);
    }
    let body = if parsed.header.body_len == 0 { Body::None } else { Body::Erased };
    Ok(Record { header: parsed.header, facts: bytes.slice(parsed.header_len..parsed.facts_end()), body })
}

pub fn has_salt(body: &[u8]) -> bool {
    body.len() >= SALT_BYTES && !is_zero(&body[..SALT_BYTES])
}

pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
