//! Where gateway and federation meet: neither knows the other, and here each is given what it asks for.

use startalk_federation::{Federation, LinkIdentity};
use startalk_gateway::RemoteEphemera;
use startalk_protocol::{
    AccountName, UserId,
    pb::link::{Ephemeral, ephemeral::Kind},
};

use crate::keys::Identity;

/// Typing and presence on their way to other domains.
pub struct Ephemera(pub Federation);

impl Ephemera {
    fn send(&self, from: &AccountName, to: &UserId, kind: Kind) {
        self.0.ephemeral(&to.domain, Ephemeral { from: from.to_string(), to: to.name.to_string(), kind: Some(kind) });
    }
}

impl RemoteEphemera for Ephemera {
    fn typing(&self, from: &AccountName, to: &UserId, typing: bool) {
        self.send(from, to, Kind::Typing(typing));
    }
    fn presence(&self, from: &AccountName, to: &UserId, state: &str) {
        self.send(from, to, Kind::Presence(state.to_owned()));
    }
}

impl startalk_federation::Identity for Identity {
    fn current(&self) -> LinkIdentity {
        LinkIdentity { key: self.link_key(), certificate: self.certificate(), record: self.record().bytes().clone() }
    }
    fn outdated(&self) {
        self.wanted().notify_one();
    }
}
