//! Other domains: what was decided about them, how the links stand, and the groups that are shared with them.

use serde::Serialize;
use startalk_domain::{
    Command,
    command::PeerRule,
    directory::{self, HERE, Peer},
    governance, groups, outbox,
};
use startalk_protocol::{Code, DomainName, Error, limits};
use utoipa::ToSchema;

use super::{Backend, Page, links::Link, page_of};
use crate::clock;

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

/// A group that has members here.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Group {
    /// 26 letters.
    pub group: String,
    /// Empty if it was erased.
    pub name: String,
    /// The domain that keeps it.
    pub home: String,
    pub members: u64,
    /// Those that are accounts of this domain.
    pub members_here: u64,
    /// member name@domain; null: gone.
    pub owner: Option<String>,
    pub destroyed: bool,
    /// Whether who asks may bring people of this domain into it.
    pub may_add: bool,
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

/// Groups with members here, by their number, which is also the cursor.
pub(super) fn groups(backend: &Backend, search: &str, cursor: u64, limit: usize) -> Page<Group> {
    let store = &*backend.views.store;
    let filler = super::filler(backend);
    let (last, search) = (governance::numbers(store).conversation, search.to_lowercase());
    let end = last.min(cursor.saturating_add(limits::ADMIN_SCAN_MAX as u64));
    let (mut items, mut at) = (Vec::new(), cursor);
    while at < end && items.len() < limit {
        at += 1;
        let Some(group) = groups::group(store, at).filter(|g| g.begun && g.name.to_lowercase().contains(&search)) else {
            continue;
        };
        let owner = groups::member(store, at, group.owner).and_then(|m| directory::user_id(store, m.person));
        items.push(Group {
            group: group.id.clone(),
            name: group.name.clone(),
            home: if group.home == HERE {
                backend.domain.clone()
            } else {
                directory::domain_of(store, group.home).unwrap_or_else(|| backend.domain.clone())
            }
            .to_string(),
            members: group.members,
            members_here: group.here,
            owner: owner.map(|o| o.to_string()),
            destroyed: group.destroyed,
            may_add: filler.is_some_and(|by| groups::may_bring_in(store, by, at, clock::now_ms())),
        });
    }
    Page { items, next: (at < last).then_some(at) }
}
