//! What may follow what was accepted before. federation-spec/02-names-and-trust.md §7
//!
//! A pin is what a node keeps about a domain it knows. Pure: compares, never stores.

use super::{VerifiedRecord, recovery_hash};
use crate::{
    Code, Error,
    sabotage::{self, Switch},
};

/// What is kept of a domain once it was proven; kept in the journal, so that none of it goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The key that its line of succession begins with.
    pub first_root_key: [u8; 32],
    /// The root key accepted last.
    pub root_key: [u8; 32],
    /// BLAKE3 of the recovery key named by the charter accepted last.
    pub recovery_hash: [u8; 32],
    /// Sequence of the charter accepted last.
    pub charter_sequence: u64,
    /// Sequence of the record accepted last.
    pub record_sequence: u64,
}

impl Pinned {
    /// What to keep after accepting `record`.
    pub fn of(record: &VerifiedRecord) -> Self {
        let charter = record.charter();
        Self {
            first_root_key: charter.first_root_key(),
            root_key: charter.root_key(),
            recovery_hash: charter.recovery_hash(),
            charter_sequence: charter.sequence(),
            record_sequence: record.sequence(),
        }
    }
}

/// Whether `new` may replace what is `pinned`. The same record again may.
///
/// A changed root key is accepted only if the (already verified) line of succession passes through the pinned root
/// key, and a step from there that was made with a recovery key used the recovery key that is pinned: an older one may
/// have been replaced because it was stolen.
///
/// # Errors
/// `older-record` if a sequence is lower; `root-key-changed` if the root key is another one and nothing leads to it.
pub fn accepts(pinned: &Pinned, new: &VerifiedRecord) -> Result<(), Error> {
    let charter = new.charter();
    let changed = || Error::new(Code::RootKeyChanged).with("domain", new.domain());
    if charter.first_root_key() != pinned.first_root_key {
        return Err(changed());
    }
    if charter.root_key() != pinned.root_key {
        let step = charter.line().iter().find(|step| step.from[..] == pinned.root_key).ok_or_else(changed)?;
        let recovered_with: Option<[u8; 32]> = step.recovery[..].try_into().ok();
        if recovered_with.is_some_and(|key| recovery_hash(&key) != pinned.recovery_hash) {
            return Err(changed());
        }
        // A new root key needs a new charter; one under the same number would leave two charters with one name.
        if charter.sequence() == pinned.charter_sequence {
            return Err(changed());
        }
    }
    let older = |what: &str| Error::new(Code::OlderRecord).with("what", what).with("domain", new.domain());
    if sabotage::is(Switch::OlderRecordAccepted) {
        return Ok(());
    }
    if charter.sequence() < pinned.charter_sequence {
        return Err(older("charter"));
    }
    if new.sequence() < pinned.record_sequence {
        return Err(older("record"));
    }
    Ok(())
}
