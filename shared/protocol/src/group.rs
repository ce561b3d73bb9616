//! The bytes that groups sign and hash, built here and nowhere else. federation-spec/07-groups.md §3
//!
//! Pure functions: no view, no key. Invariant: what is signed or chained covers the exact bytes that travel, and a body by its hash, so that
//! erasing changes nothing.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    GroupId,
    pb::group::{self, Entry, Head, entry::Body},
    signing::{Purpose, SecretKey},
};

/// Bytes of a body's hash.
pub const BODY_HASH_BYTES: usize = 24;
/// Bytes of the salt before a body.
pub const SALT_BYTES: usize = 16;

/// Names one submission for good: what its domain signs and the chain holds.
pub fn submission_hash(group: &GroupId, submission: &[u8], body_hash: &[u8; BODY_HASH_BYTES]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"startalk group submission v1\0");
    hasher.update(group.as_str().as_bytes());
    hasher.update(&length(submission));
    hasher.update(submission);
    hasher.update(body_hash);
    *hasher.finalize().as_bytes()
}

/// The hash of an entry's body, salt and all: the first 24 bytes of its BLAKE3, as journals have it; zeros if there is no
/// body.
pub fn body_hash(written: &[u8]) -> [u8; BODY_HASH_BYTES] {
    let mut hash = [0; BODY_HASH_BYTES];
    if !written.is_empty() {
        hash.copy_from_slice(&blake3::hash(written).as_bytes()[..BODY_HASH_BYTES]);
    }
    hash
}

/// That of an entry as it was served; `None` if it gives a hash of another length.
pub fn body_hash_of(entry: &Entry) -> Option<[u8; BODY_HASH_BYTES]> {
    match &entry.body {
        None => Some([0; BODY_HASH_BYTES]),
        Some(Body::Written(written)) => Some(body_hash(written)),
        Some(Body::Erased(hash)) => hash.as_ref().try_into().ok(),
    }
}

/// One entry's place in the log.
pub struct Place<'a> {
    /// The group.
    pub group: &'a GroupId,
    /// The home's.
    pub epoch: u32,
    /// In the log.
    pub sequence: u64,
    /// The home's.
    pub time_ms: i64,
    /// The author's domain; empty: the home.
    pub origin: &'a str,
    /// Of its submission.
    pub hash: [u8; 32],
    /// Bytes of `Decided`.
    pub decided: &'a [u8],
}

/// The chain after one more entry. Before the first it is zeros.
pub fn chain_after(before: &[u8; 32], place: &Place) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"startalk group chain v1\0");
    hasher.update(before);
    hasher.update(place.group.as_str().as_bytes());
    hasher.update(&place.epoch.to_be_bytes());
    hasher.update(&place.sequence.to_be_bytes());
    hasher.update(&place.time_ms.to_be_bytes());
    hasher.update(&length(place.origin.as_bytes()));
    hasher.update(place.origin.as_bytes());
    hasher.update(&place.hash);
    hasher.update(&length(place.decided));
    hasher.update(place.decided);
    *hasher.finalize().as_bytes()
}

/// What the home signs of a head; `None` if its chain or its group is none.
pub fn head_bytes(head: &Head) -> Option<Vec<u8>> {
    let group: GroupId = head.group.parse().ok()?;
    let chain: &[u8; 32] = head.chain.as_ref().try_into().ok()?;
    let mut out = Vec::with_capacity(80);
    out.extend_from_slice(group.as_str().as_bytes());
    out.extend_from_slice(&head.home_epoch.to_be_bytes());
    out.extend_from_slice(&head.sequence.to_be_bytes());
    out.extend_from_slice(chain);
    out.extend_from_slice(&head.time_ms.to_be_bytes());
    Some(out)
}

/// What a domain signs of its submissions: count and hashes.
pub fn submissions_bytes(hashes: impl ExactSizeIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + 32 * hashes.len());
    out.extend_from_slice(&u32::try_from(hashes.len()).expect("at most 64").to_be_bytes());
    for hash in hashes {
        out.extend_from_slice(hash.as_ref());
    }
    out
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("limited to 64 KiB").to_be_bytes()
}

/// For fuzzing and mutation tests: reads foreign bytes as everything that comes from a group's home or followers.
pub fn check(bytes: &[u8]) {
    let _ = group::Answer::decode(bytes);
    let _ = group::Note::decode(bytes);
    let _ = group::Ask::decode(bytes);
    if let Ok(head) = group::Head::decode(bytes) {
        let _ = head_bytes(&head);
    }
    if let Ok(entry) = Entry::decode(bytes) {
        let _ = body_hash_of(&entry);
        let _ = group::Submission::decode(entry.submission.as_ref());
    }
}

/// Signs a head for the home's followers.
pub fn sign_head(head: &mut Head, key: &SecretKey) {
    head.link_key = Bytes::copy_from_slice(&key.public());
    let bytes = head_bytes(head).expect("a head of ours has a group and a chain");
    head.signature = Bytes::copy_from_slice(&key.sign(Purpose::GroupHead, &bytes));
}
