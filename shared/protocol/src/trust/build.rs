//! Making charters, records and steps: the only place that signs them. federation-spec/02-names-and-trust.md §4 to §6
//!
//! Signs only bytes built here, from typed drafts, and never returns what its own verification would refuse.

use bytes::Bytes;
use prost::Message;

use super::{
    Charter, DomainRecord, Endpoint, LinkKey, Navigation, Registration, SignInWay, SignedCharter, SignedRecord, Succession,
    VerifiedCharter, VerifiedRecord,
    charter::{commitment_bytes, step_bytes, wrong_key},
    recovery_hash,
};
use crate::{
    DomainName, Error,
    signing::{Purpose, SecretKey},
};

/// What a charter is to say.
#[derive(Clone, Debug)]
pub struct CharterDraft {
    /// Whose charter.
    pub domain: DomainName,
    /// From the first root key to the one that signs; empty if that is the first.
    pub line: Vec<Succession>,
    /// Link keys, past ones too while stored signatures of theirs matter.
    pub link_keys: Vec<LinkKey>,
    /// BLAKE3 of the recovery public key: [`recovery_hash`].
    pub recovery_hash: [u8; 32],
    /// Higher than that of every charter before.
    pub sequence: u64,
    /// The domain is no more.
    pub gone: bool,
}

/// What a record is to say.
#[derive(Clone, Debug)]
pub struct RecordDraft {
    /// Where the domain is, best first.
    pub endpoints: Vec<Endpoint>,
    /// Higher than that of every record before; the time in milliseconds serves, and survives a restored backup.
    pub sequence: u64,
    /// At most 48 hours ahead.
    pub not_after_ms: i64,
    /// What people see.
    pub display_name: String,
    /// A line or two about the domain.
    pub description: String,
    /// Ask hubs to list it.
    pub listed: bool,
    /// Who may make an account.
    pub registration: Registration,
    /// How people sign in besides a password.
    pub sign_in: Vec<SignInWay>,
    /// What else its clients are told.
    pub navigation: Option<Navigation>,
}

/// Signs a charter with the root key.
///
/// # Errors
/// Those of [`Charter::decode_signed`]: the draft says something that nobody would accept.
pub fn sign_charter(root: &SecretKey, draft: CharterDraft) -> Result<VerifiedCharter, Error> {
    let commitment = root.sign(Purpose::Succession, &commitment_bytes(&draft.domain, &draft.recovery_hash));
    let charter = Charter {
        domain: draft.domain.as_str().to_owned(),
        root_key: bytes(&root.public()),
        line: draft.line,
        link_keys: draft.link_keys,
        recovery_hash: bytes(&draft.recovery_hash),
        sequence: draft.sequence,
        gone: draft.gone,
        recovery_commitment: bytes(&commitment),
    }
    .encode_to_vec();
    let signature = bytes(&root.sign(Purpose::Charter, &charter));
    Charter::decode_signed(&SignedCharter { charter: charter.into(), signature }.encode_to_vec())
}

/// Signs a record with one of the charter's link keys.
///
/// # Errors
/// Those of [`DomainRecord::decode_signed`]: the draft says something that nobody would accept at `now_ms`.
pub fn sign_record(
    link: &SecretKey,
    charter: &VerifiedCharter,
    draft: RecordDraft,
    now_ms: i64,
) -> Result<VerifiedRecord, Error> {
    let record = DomainRecord {
        charter: charter.bytes().clone(),
        endpoints: draft.endpoints,
        sequence: draft.sequence,
        not_after_ms: draft.not_after_ms,
        display_name: draft.display_name,
        description: draft.description,
        listed: draft.listed,
        registration: draft.registration.as_str().to_owned(),
        sign_in: draft.sign_in,
        navigation: draft.navigation,
    }
    .encode_to_vec();
    let signature = bytes(&link.sign(Purpose::Record, &record));
    let signed = SignedRecord { record: record.into(), link_key: bytes(&link.public()), signature };
    DomainRecord::decode_signed(&signed.encode_to_vec(), now_ms)
}

/// A step from root key `from` to root key `to`, made with `from`. Append it to the charter's line.
pub fn succession_step(domain: &DomainName, from: &SecretKey, to: &[u8; 32]) -> Succession {
    let signature = bytes(&from.sign(Purpose::Succession, &step_bytes(domain, &from.public(), to)));
    Succession { from: bytes(&from.public()), to: bytes(to), signature, recovery: Bytes::new(), commitment: Bytes::new() }
}

/// A step away from the root key of `before`, which is lost or stolen, made with the recovery key.
///
/// # Errors
/// `wrong-key` if this is not the recovery key that `before` names.
pub fn recovery_step(before: &VerifiedCharter, recovery: &SecretKey, to: &[u8; 32]) -> Result<Succession, Error> {
    if recovery_hash(&recovery.public()) != before.recovery_hash() {
        return Err(wrong_key("recovery key", before.domain()));
    }
    let from = before.root_key();
    let signature = bytes(&recovery.sign(Purpose::Succession, &step_bytes(before.domain(), &from, to)));
    Ok(Succession {
        from: bytes(&from),
        to: bytes(to),
        signature,
        recovery: bytes(&recovery.public()),
        commitment: before.recovery_commitment().clone(),
    })
}

fn bytes(slice: &[u8]) -> Bytes {
    Bytes::copy_from_slice(slice)
}
