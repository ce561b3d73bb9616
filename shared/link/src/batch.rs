//! Batches: up to 64 consecutive entries under one signature, and the exact bytes that are signed.
//! federation-spec/03-link.md §5
//!
//! Only bytes built here are ever signed. Entries are signed by their hashes, so that one item can be proved alone
//! with the hashes of the others.

use startalk_protocol::{
    Code, DomainName, Error,
    group::submissions_bytes,
    limits::{LINK_BATCH_ITEMS_MAX, LINK_ITEM_BYTES_MAX, LINK_KEYS_MAX},
    pb::link::{Batch, Entry as WireEntry, Submissions as WireSubmissions, entry::Entry as WireKind},
    signing::{PublicKey, Purpose, SecretKey},
};

use crate::{config::Entry, event::Submissions, frame::malformed};

/// The bytes that a batch's signature covers, after the purpose's context: both domains, each with its length in two
/// bytes; the epoch; the first sequence in eight bytes; the count in four; the hashes. All numbers big-endian.
pub fn signed_bytes(from: &DomainName, to: &DomainName, epoch: &[u8; 16], first: u64, hashes: &[[u8; 32]]) -> Vec<u8> {
    let (from, to) = (from.as_str().as_bytes(), to.as_str().as_bytes());
    let mut out = Vec::with_capacity(2 + from.len() + 2 + to.len() + 16 + 8 + 4 + 32 * hashes.len());
    for name in [from, to] {
        out.extend_from_slice(&u16::try_from(name.len()).expect("a domain has at most 253 bytes").to_be_bytes());
        out.extend_from_slice(name);
    }
    out.extend_from_slice(epoch);
    out.extend_from_slice(&first.to_be_bytes());
    out.extend_from_slice(&u32::try_from(hashes.len()).expect("a batch has at most 64 entries").to_be_bytes());
    for hash in hashes {
        out.extend_from_slice(hash);
    }
    out
}

/// The keys that the peer's batches may be signed with, decoded once.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Vec<([u8; 32], PublicKey)>);

impl Keys {
    /// `None` if there are none, too many, or one is not a key.
    pub(crate) fn new(keys: &[[u8; 32]]) -> Option<Self> {
        if keys.is_empty() || keys.len() > LINK_KEYS_MAX {
            return None;
        }
        keys.iter().map(|k| Some((*k, PublicKey::from_bytes(k)?))).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&PublicKey> {
        self.0.iter().find(|(bytes, _)| bytes == key).map(|(_, key)| key)
    }
}

/// The two ends of one direction, and its epoch: what every batch in it is signed with.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    pub(crate) from: DomainName,
    pub(crate) to: DomainName,
    pub(crate) epoch: [u8; 16],
}

/// Signs consecutive entries, given with their hashes.
pub(crate) fn make(direction: &Direction, key: &SecretKey, first: u64, entries: Vec<(Entry, [u8; 32])>) -> Batch {
    let hashes: Vec<[u8; 32]> = entries.iter().map(|(_, hash)| *hash).collect();
    let bytes = signed_bytes(&direction.from, &direction.to, &direction.epoch, first, &hashes);
    let wire = |(entry, _)| match entry {
        Entry::Item(bytes) | Entry::Submission(bytes, _) => WireKind::Item(bytes),
        Entry::Withheld(hash) => WireKind::Withheld(hash.to_vec().into()),
    };
    let submitted: Vec<[u8; 32]> =
        entries.iter().filter_map(|(entry, _)| if let Entry::Submission(_, hash) = entry { Some(*hash) } else { None }).collect();
    let submissions = (!submitted.is_empty()).then(|| WireSubmissions {
        signature: key.sign(Purpose::GroupSubmissions, &submissions_bytes(submitted.iter())).to_vec().into(),
        hashes: submitted.iter().map(|h| h.to_vec().into()).collect(),
    });
    Batch {
        submissions,
        epoch: direction.epoch.to_vec().into(),
        first_sequence: first,
        entries: entries.into_iter().map(|e| WireEntry { entry: Some(wire(e)) }).collect(),
        link_key: key.public().to_vec().into(),
        signature: key.sign(Purpose::LinkBatch, &bytes).to_vec().into(),
    }
}

/// A batch whose form, epoch, key and signature are good; its place in the order is not checked yet.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) entries: Vec<(Entry, [u8; 32])>,
    pub(crate) link_key: [u8; 32],
    pub(crate) signature: [u8; 64],
    pub(crate) submissions: Option<Submissions>,
}

/// Checks in this order: form and limits, epoch, key, signature, signature over submissions.
pub(crate) fn check(direction: &Direction, keys: &Keys, batch: Batch) -> Result<Checked, Error> {
    let count = batch.entries.len();
    if count > LINK_BATCH_ITEMS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "items in a batch").with("max", LINK_BATCH_ITEMS_MAX));
    }
    let first = batch.first_sequence;
    let last = first.checked_add(count as u64).filter(|_| first > 0 && count > 0).ok_or_else(|| malformed("a batch"))? - 1;
    let signature: [u8; 64] = batch.signature.as_ref().try_into().map_err(|_| malformed("a signature"))?;
    let link_key: [u8; 32] = batch.link_key.as_ref().try_into().map_err(|_| malformed("a link key"))?;
    let entries = batch.entries.into_iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
    if batch.epoch != direction.epoch[..] {
        return Err(malformed("the epoch of the hello"));
    }
    let Some(key) = keys.get(&link_key) else {
        return Err(Error::new(Code::WrongKey).with("what", "A batch").with("domain", &direction.from));
    };
    let hashes: Vec<[u8; 32]> = entries.iter().map(|(_, hash)| *hash).collect();
    let bytes = signed_bytes(&direction.from, &direction.to, &direction.epoch, first, &hashes);
    if !key.verify(Purpose::LinkBatch, &bytes, &signature) {
        return Err(Error::new(Code::BadSignature).with("what", "a batch"));
    }
    let submissions = batch.submissions.map(|s| check_submissions(key, s)).transpose()?;
    Ok(Checked { first, last, entries, link_key, signature, submissions })
}

fn check_submissions(key: &PublicKey, wire: WireSubmissions) -> Result<Submissions, Error> {
    if wire.hashes.len() > LINK_BATCH_ITEMS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "submissions in a batch").with("max", LINK_BATCH_ITEMS_MAX));
    }
    let hash = |h: bytes::Bytes| h.as_ref().try_into().map_err(|_| malformed("the hash of a submission"));
    let hashes = wire.hashes.into_iter().map(hash).collect::<Result<Vec<[u8; 32]>, Error>>()?;
    let signature: [u8; 64] = wire.signature.as_ref().try_into().map_err(|_| malformed("a signature"))?;
    if !key.verify(Purpose::GroupSubmissions, &submissions_bytes(hashes.iter()), &signature) {
        return Err(Error::new(Code::BadSignature).with("what", "submissions"));
    }
    Ok(Submissions { hashes, signature })
}

fn entry(wire: WireEntry) -> Result<(Entry, [u8; 32]), Error> {
    let entry = match wire.entry {
        Some(WireKind::Item(bytes)) if bytes.len() > LINK_ITEM_BYTES_MAX => {
            let error = Error::new(Code::TooLarge).with("what", "An item");
            return Err(error.with("got", bytes.len()).with("max", LINK_ITEM_BYTES_MAX));
        }
        Some(WireKind::Item(bytes)) if !bytes.is_empty() => Entry::Item(bytes),
        Some(WireKind::Withheld(hash)) => {
            Entry::Withheld(hash.as_ref().try_into().map_err(|_| malformed("the hash of a withheld item"))?)
        }
        _ => return Err(malformed("an item")),
    };
    let hash = entry.hash();
    Ok((entry, hash))
}
