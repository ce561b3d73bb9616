//! Other domains: what was decided about them, and how the links stand.

use serde::Serialize;
use startalk_domain::{
    Command,
    command::PeerRule,
    directory::{self, Peer},
    outbox,
};
use startalk_protocol::{Code, DomainName, Error};
use utoipa::ToSchema;

use super::{Backend, Page, links::Link, page_of};

/// Another domain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Domain {
    pub domain: String,
    /// What was decided: unset, allowed or denied.
    pub rule: String,
    /// Whether we do not talk to it, by rule or by policy.
    pub denied: bool,
    /// How its key was proven at the first contact; empty: never met.
    pub proof: String,
    /// Items sent to it in this epoch.
    pub outbox: u64,
    /// Those that it has recorded.
    pub recorded_there: u64,
    /// Its items that were recorded here.
    pub received: u64,
    /// How the link stands; null: the node is stopped, or has had nothing to do with it since it started.
    pub link: Option<Link>,
}

fn name(domain: &str) -> Result<DomainName, Error> {
    domain.parse().map_err(|_| Error::new(Code::BadValue).with("field", "domain").with("expected", "a domain name"))
}

fn domain(backend: &Backend, number: u64, peer: &Peer, links: &[Link]) -> Domain {
    let store = &*backend.views.store;
    let (out, inbox) = (outbox::outbox(store, number), outbox::inbox(store, number));
    let denied = peer.domain.parse().is_ok_and(|d| directory::is_denied(store, &d));
    Domain {
        domain: peer.domain.clone(),
        rule: peer.state.as_str().to_owned(),
        denied,
        proof: peer.proof.clone(),
        outbox: out.head(),
        recorded_there: out.acked,
        received: inbox.sequence,
        link: links.iter().find(|l| l.domain == peer.domain).cloned(),
    }
}

pub(super) fn page(backend: &Backend, search: &str, cursor: u64, limit: usize) -> Page<Domain> {
    let search = search.to_lowercase();
    let links = (backend.peers)();
    let all = directory::peers(&*backend.views.store);
    page_of(&all, cursor, limit, |(number, peer)| peer.domain.contains(&search).then(|| domain(backend, *number, peer, &links)))
}

/// All of them, for the command line.
pub(super) fn all(backend: &Backend) -> Vec<Domain> {
    let links = (backend.peers)();
    directory::peers(&*backend.views.store).iter().map(|(number, peer)| domain(backend, *number, peer, &links)).collect()
}

pub(super) fn one(backend: &Backend, asked: &str) -> Result<Domain, Error> {
    let store = &*backend.views.store;
    let number = directory::peer_number(store, &name(asked)?).ok_or(Code::NoSuchThing)?;
    let peer = directory::peer(store, number).ok_or(Code::NoSuchThing)?;
    Ok(domain(backend, number, &peer, &(backend.peers)()))
}

pub(super) fn set_rule(backend: &Backend, domain: &str, rule: PeerRule, forget_key: bool) -> Result<(), Error> {
    backend.command(Command::SetPeerRule { domain: name(domain)?, rule, forget_key }).map(drop)
}
