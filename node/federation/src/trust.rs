//! Whom to believe: a peer's record against what is pinned, or, the first time, against a proof from outside.
//! federation-spec/02-names-and-trust.md, 03-link.md §3
//!
//! Every side of a link passes through [`judge`] before anything else of the link is read. Cheap checks come first: DNS
//! and the web are asked only for a record that verifies, from somebody who holds its link key.

use std::{net::IpAddr, sync::Arc, time::Duration};

use startalk_domain::{Answer, Command, directory};
use startalk_net::Found;
use startalk_protocol::{
    Code, DomainName, Error,
    error::Language,
    trust::{DomainRecord, Endpoint, Pinned, VerifiedRecord, accepts},
};

use tokio::time::timeout;

use crate::{ask::ask, shared::Shared};

/// How long a first contact waits while others are looked into.
const PROOF_WAIT: Duration = Duration::from_secs(5);

/// How there came to be a connection to somebody.
#[derive(Clone, Copy)]
pub(crate) enum Reached<'a> {
    /// We went there, and found this on the way.
    Dialed(Option<&'a Found>),
    /// It came to us, from here.
    Came(IpAddr),
}

/// A peer that is who it says to be.
pub(crate) struct Judged {
    /// Its number here.
    pub(crate) number: u64,
    /// Its link keys that are valid now.
    pub(crate) keys: Vec<[u8; 32]>,
    /// When the one that it showed ends.
    pub(crate) key_ends_ms: u64,
    /// Where it says to be.
    pub(crate) endpoints: Vec<Endpoint>,
}

/// Judges a hello. The proof of what was found before dialing holds for every record with the same root key. Whoever comes and is not
/// known, nor written to by anybody here, is one more for good, and a name that is a key costs nothing to make: so many may come (`newcomers.rs`).
pub(crate) async fn judge(
    shared: &Arc<Shared>,
    from: &DomainName,
    record: &[u8],
    tls_key: &[u8; 32],
    reached: Reached<'_>,
) -> Result<Judged, Error> {
    let store = &*shared.config.views.store;
    let now_ms = shared.wall_signed();
    let number = directory::peer_number(store, from);
    let known = number.and_then(|n| directory::peer(store, n));
    if directory::is_denied(store, from) {
        return Err(Error::new(Code::DomainDenied).with("domain", from));
    }
    let record = DomainRecord::decode_signed(record, now_ms)?;
    if record.domain() != from {
        return Err(Error::new(Code::WrongDomain).with("domain", record.domain()).with("asked", from));
    }
    let keys = valid_keys(&record, now_ms);
    let Some((_, key_ends_ms)) = keys.iter().find(|(key, _)| key == tls_key) else {
        return Err(Error::new(Code::WrongKey).with("what", "The connection").with("domain", from));
    };
    let key_ends_ms = u64::try_from(*key_ends_ms).unwrap_or(0);
    let pinned = known.and_then(|p| p.pinned());
    if pinned.is_none() && record.charter().gone() {
        return Err(Error::new(Code::DomainGone).with("domain", from)); // nobody here has known it
    }
    let number = match (number, pinned) {
        (Some(number), Some(pinned)) if pinned == Pinned::of(&record) => number,
        (_, pinned) => {
            let proof = match pinned {
                Some(pinned) => accepts(&pinned, &record).map(|()| String::new())?,
                None => match reached {
                    Reached::Dialed(found) => first_proof(shared, &record, found).await?,
                    Reached::Came(_) if number.is_some() => first_proof(shared, &record, None).await?,
                    Reached::Came(from) => {
                        shared.newcomers.come(from, shared.steady_ms())?;
                        let proof = first_proof(shared, &record, None).await?;
                        shared.newcomers.become_known(shared.steady_ms())?;
                        proof
                    }
                },
            };
            match ask(&shared.config.handle, Command::MeetPeer { record: Box::new(record.clone()), proof }).await? {
                Answer::Peer(number) => number,
                _ => return Err(Code::Internal.into()),
            }
        }
    };
    if record.charter().gone() {
        return Err(Error::new(Code::DomainGone).with("domain", from));
    }
    shared.know_stranger(number, from);
    let keys = keys.into_iter().map(|(key, _)| key).collect();
    Ok(Judged { number, keys, key_ends_ms, endpoints: record.endpoints().to_vec() })
}

/// The link keys that are valid now, with their ends.
pub(crate) fn valid_keys(record: &VerifiedRecord, now_ms: i64) -> Vec<([u8; 32], i64)> {
    record.charter().link_keys().iter().filter(|k| k.valid(now_ms)).map(|k| (k.key, k.not_after_ms)).collect()
}

async fn first_proof(shared: &Shared, record: &VerifiedRecord, found: Option<&Found>) -> Result<String, Error> {
    let roots = |r: &VerifiedRecord| (r.charter().first_root_key(), r.charter().root_key());
    if let Some(found) = found
        && let Some(proof) = found.proof
        && roots(&found.record) == roots(record)
    {
        return Ok(proof.as_str().to_owned());
    }
    let not_proven = |steps: String| Error::new(Code::NotProven).with("domain", record.domain()).with("steps", steps);
    let Ok(Ok(_permit)) = timeout(PROOF_WAIT, shared.proofs.acquire()).await else {
        return Err(Error::new(Code::SlowDown).with("seconds", PROOF_WAIT.as_secs()));
    };
    match shared.config.discovery.prove(record, shared.wall_signed()).await {
        Ok(proof) => Ok(proof.as_str().to_owned()),
        Err(not_found) => Err(not_proven(not_found.words(Language::English))),
    }
}
