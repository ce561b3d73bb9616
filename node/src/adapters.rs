//! Where gateway, federation and the web client's files meet: none knows the others, and here each is given what it asks
//! for.

use std::sync::Arc;

use bytes::Bytes;
use startalk_federation::{Federation, LinkIdentity};
use startalk_gateway::{RemoteEphemera, WebClient, WebFile};
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

/// The web client in this binary, if it was built with one.
pub fn web_client() -> Option<Arc<WebClient>> {
    let files = startalk_web::files().iter().map(|f| WebFile {
        path: f.path.to_owned(),
        plain: Bytes::from_static(f.plain),
        gzip: f.gzip.map(Bytes::from_static),
        brotli: f.brotli.map(Bytes::from_static),
    });
    let client = WebClient::new(files).map(Arc::new);
    if let (None, Some(why)) = (&client, startalk_web::missing()) {
        tracing::warn!(why, "this node was built without the web client; browsers get simple pages");
    }
    client
}
