//! Other domains: their numbers, what was pinned of them, and whether we talk to them.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use startalk_protocol::{
    Code, DomainName, Error, limits,
    pb::events as pb,
    trust::{Charter, Pinned, SignedCharter, VerifiedRecord, accepts},
};

use super::{HERE, PREFIX};
use crate::{
    command::{Answer, PeerRule},
    context::Ctx,
    event::{Event, Recorded},
    governance::{self, Openness, array},
    outbox,
    store::{Key, New, Read, Tx},
};

/// What an administrator decided about a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerState {
    /// Nothing: it may talk to us.
    #[default]
    Unset,
    /// It may.
    Allowed,
    /// It may not.
    Denied,
}

impl PeerState {
    /// As it is shown to programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// Another domain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub domain: String,
    /// May it talk to us?
    pub state: PeerState,
    /// Its SignedCharter as last accepted; empty: never met.
    pub charter: Vec<u8>,
    /// How it was proven that the key is its.
    pub proof: String,
    /// Tried in vain since then, milliseconds; 0: not known to be silent.
    pub silent_since_ms: u64,
    /// What waited for it was given up; nothing was heard since.
    pub given_up: bool,
    /// Position of the record since which its charter says that it is no more; 0: it does not.
    pub gone_at: u64,
    pin: Option<Pin>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pin {
    first_root_key: [u8; 32],
    root_key: [u8; 32],
    recovery_hash: [u8; 32],
    charter_sequence: u64,
    record_sequence: u64,
}

/// Link keys that a domain's charters ever listed, each with the position of the first record that has one which does.
/// Charters need not list keys that ended, and what was signed with those is checked for ever.
type Listed = Vec<([u8; 32], u64)>;
/// So many keys of a domain are remembered, the newest: five years and more, at ninety days for each.
const LISTED_MAX: usize = 64;

impl Peer {
    /// What later records are compared with; `None` before the first contact.
    pub fn pinned(&self) -> Option<Pinned> {
        self.pin.as_ref().map(|p| Pinned {
            first_root_key: p.first_root_key,
            root_key: p.root_key,
            recovery_hash: p.recovery_hash,
            charter_sequence: p.charter_sequence,
            record_sequence: p.record_sequence,
        })
    }
}

fn peer_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'e', &[peer])
}

fn charters_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'c', &[peer])
}

fn domain_key(domain: &str) -> Key {
    Key::text(PREFIX, b'm', 0, domain.as_bytes())
}

/// The domain with this number.
pub fn peer(read: &impl Read, number: u64) -> Option<Arc<Peer>> {
    read.get(&peer_key(number))
}

/// Where the journal has a charter of this domain that lists a link key, the first one that did; `None` if none ever did.
pub fn charter_listing(read: &impl Read, number: u64, link_key: &[u8]) -> Option<u64> {
    read.get::<Listed>(&charters_key(number))?.iter().find(|(key, _)| key[..] == *link_key).map(|(_, position)| *position)
}

/// The number of a domain, if it has one.
pub fn peer_number(read: &impl Read, domain: &DomainName) -> Option<u64> {
    read.get::<u64>(&domain_key(domain.as_str())).map(|n| *n)
}

/// All of them.
pub fn peers(read: &impl Read) -> Vec<(u64, Arc<Peer>)> {
    (1..=governance::numbers(read).peer).filter_map(|n| Some((n, peer(read, n)?))).collect()
}

/// The name of a domain, this one's for [`HERE`].
pub fn domain_of(read: &impl Read, number: u64) -> Option<DomainName> {
    if number == HERE { governance::realm(read).domain.parse().ok() } else { peer(read, number)?.domain.parse().ok() }
}

/// Whether we do not talk to a domain: it was denied, or only those that were allowed are talked to.
pub fn is_denied(read: &impl Read, domain: &DomainName) -> bool {
    let state = peer_number(read, domain).and_then(|n| peer(read, n)).map(|p| p.state).unwrap_or_default();
    match state {
        PeerState::Denied => true,
        PeerState::Allowed => false,
        PeerState::Unset => governance::realm(read).federation == Openness::Allowed,
    }
}

/// The domain's number, given now if it is new. Denied domains are an error.
pub(crate) fn number_or_meet(tx: &mut Tx, ctx: &Ctx, domain: &DomainName) -> Result<u64, Error> {
    if domain != ctx.domain && is_denied(tx, domain) {
        return Err(Error::new(Code::DomainDenied).with("domain", domain));
    }
    Ok(number_of(tx, ctx, domain))
}

/// The domain's number, given now if it is new, whether or not we talk to it.
pub(crate) fn number_of(tx: &mut Tx, ctx: &Ctx, domain: &DomainName) -> u64 {
    if domain == ctx.domain {
        return HERE;
    }
    peer_number(tx, domain).unwrap_or_else(|| number_of_new(tx, domain))
}

/// An error if the domain is denied.
pub(crate) fn number_or_refuse(read: &impl Read, ctx: &Ctx, domain: &DomainName) -> Result<u64, Error> {
    if domain == ctx.domain {
        return Ok(HERE);
    }
    if is_denied(read, domain) {
        return Err(Error::new(Code::DomainDenied).with("domain", domain));
    }
    Ok(peer_number(read, domain).ok_or(Code::Internal)?)
}

fn number_of_new(tx: &mut Tx, domain: &DomainName) -> u64 {
    let peer = governance::numbers(tx).peer + 1;
    tx.emit(New { conversation: 0, event: Event::PeerMet(pb::PeerMet { peer, domain: domain.to_string() }, None) });
    peer
}

/// Accepts a record that was verified and, if it is the first, proven; pins it. Each domain that comes unasked is known for good, and
/// many can be made for nothing, so there is an end to them.
pub(crate) fn meet(tx: &mut Tx, ctx: &Ctx, record: &VerifiedRecord, proof: String) -> Result<Answer, Error> {
    if peer_number(tx, record.domain()).is_none() && governance::numbers(tx).peer >= limits::DOMAINS_UNASKED_MAX {
        return Err(Error::new(Code::TooMany).with("what", "domains").with("max", limits::DOMAINS_UNASKED_MAX));
    }
    let number = number_or_meet(tx, ctx, record.domain())?;
    if number == HERE {
        return Err(Error::new(Code::WrongDomain).with("domain", ctx.domain).with("asked", record.domain()));
    }
    let known = peer(tx, number).and_then(|p| p.pinned());
    match &known {
        Some(pinned) => accepts(pinned, record)?,
        None if proof.is_empty() => return Err(Error::new(Code::NotProven).with("domain", record.domain())),
        None => {}
    }
    let new = Pinned::of(record);
    if known.as_ref() != Some(&new) {
        let facts = pb::PeerPinned {
            peer: number,
            charter: record.charter().bytes().clone(),
            first_root_key: Bytes::copy_from_slice(&new.first_root_key),
            root_key: Bytes::copy_from_slice(&new.root_key),
            recovery_hash: Bytes::copy_from_slice(&new.recovery_hash),
            charter_sequence: new.charter_sequence,
            record_sequence: new.record_sequence,
            proof,
            gone: record.charter().gone(),
        };
        tx.emit(New { conversation: 0, event: Event::PeerPinned(facts, None) });
    }
    Ok(Answer::Peer(number))
}

/// `forget_key`: an administrator accepts whatever root key comes next, once it is proven.
pub(crate) fn set_rule(tx: &mut Tx, ctx: &Ctx, domain: &DomainName, rule: PeerRule, forget_key: bool) -> Result<Answer, Error> {
    if domain == ctx.domain {
        return Err(Error::new(Code::NotAllowedHere).with("what", "a rule for this domain itself"));
    }
    let peer = number_of(tx, ctx, domain);
    let rule = match rule {
        PeerRule::Allow => "allow",
        PeerRule::Deny => "deny",
        PeerRule::Unset => "",
    };
    let facts = pb::PeerRuleSet { peer, rule: rule.into(), forget_key };
    tx.emit(New { conversation: 0, event: Event::PeerRuleSet(facts, None) });
    Ok(Answer::Peer(peer))
}

/// The peer does not answer.
pub(crate) fn silent(tx: &mut Tx, number: u64, since_ms: u64) -> Result<Answer, Error> {
    if peer(tx, number).is_some_and(|p| p.silent_since_ms == 0) {
        let facts = pb::PeerSilent { peer: number, since_ms: since_ms.max(1), given_up: false };
        tx.emit(New { conversation: 0, event: Event::PeerSilent(facts, None) });
    }
    Ok(Answer::Done)
}

/// The peer was heard.
pub(crate) fn heard(tx: &mut Tx, number: u64) -> Result<Answer, Error> {
    if peer(tx, number).is_some_and(|p| p.silent_since_ms != 0) {
        tx.emit(New { conversation: 0, event: Event::PeerHeard(pb::PeerHeard { peer: number }, None) });
    }
    Ok(Answer::Done)
}

/// The peer's items come in a new epoch, counted from the beginning.
pub(crate) fn begin_peer(tx: &mut Tx, peer: u64, epoch: [u8; 16]) -> Result<Answer, Error> {
    if outbox::inbox(tx, peer).epoch != epoch {
        let facts = pb::PeerEpochBegan { peer, epoch: Bytes::copy_from_slice(&epoch) };
        tx.emit(New { conversation: 0, event: Event::PeerEpochBegan(facts, None) });
    }
    Ok(Answer::Done)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::PeerMet(f, _) => {
            tx.put(domain_key(&f.domain), f.peer);
            tx.put(peer_key(f.peer), Peer { domain: f.domain.clone(), ..Peer::default() });
        }
        Event::PeerPinned(f, _) => {
            list_keys(tx, f, record.position);
            tx.change(peer_key(f.peer), |p: &mut Peer| {
                p.charter = f.charter.to_vec();
                if f.gone != (p.gone_at != 0) {
                    p.gone_at = if f.gone { record.position } else { 0 };
                }
                if !f.proof.is_empty() {
                    p.proof.clone_from(&f.proof);
                }
                p.pin = Some(Pin {
                    first_root_key: array(&f.first_root_key),
                    root_key: array(&f.root_key),
                    recovery_hash: array(&f.recovery_hash),
                    charter_sequence: f.charter_sequence,
                    record_sequence: f.record_sequence,
                });
            });
        }
        Event::PeerSilent(f, _) => tx.change(peer_key(f.peer), |p: &mut Peer| {
            (p.silent_since_ms, p.given_up) = (f.since_ms, f.given_up);
        }),
        Event::PeerHeard(f, _) => tx.change(peer_key(f.peer), |p: &mut Peer| {
            (p.silent_since_ms, p.given_up) = (0, false);
        }),
        Event::PeerRuleSet(f, _) => tx.change(peer_key(f.peer), |p: &mut Peer| {
            p.state = match f.rule.as_str() {
                "allow" => PeerState::Allowed,
                "deny" => PeerState::Denied,
                _ => PeerState::Unset,
            };
            if f.forget_key {
                p.pin = None;
            }
        }),
        _ => {}
    }
}

fn list_keys(tx: &mut Tx, pinned: &pb::PeerPinned, position: u64) {
    // It was verified before it was journaled.
    let charter = SignedCharter::decode(pinned.charter.clone()).and_then(|s| Charter::decode(s.charter));
    let keys: Vec<[u8; 32]> = charter.map(|c| c.link_keys.iter().map(|k| array(&k.key)).collect()).unwrap_or_default();
    let known = tx.get::<Listed>(&charters_key(pinned.peer)).unwrap_or_default();
    if keys.iter().all(|key| known.iter().any(|(k, _)| k == key)) {
        return;
    }
    tx.change(charters_key(pinned.peer), |listed: &mut Listed| {
        for key in keys {
            if listed.iter().all(|(k, _)| *k != key) {
                listed.push((key, position));
            }
        }
        let more = listed.len().saturating_sub(LISTED_MAX);
        listed.drain(..more);
    });
}
