//! Reached through hubs (`--via`): the tethers that this node keeps, and how it stands with them.
//!
//! What a hub forwards is served as what was accepted directly.

use std::sync::Arc;

use startalk_net::{HubUrl, Names};
use startalk_protocol::error::Language;
use startalk_tether::{Config, Forwarded, Over, State, Timings, keep};
use tokio::sync::watch;

use crate::{clock, keys::Identity, listen::Servers};

/// Tethers, each with how it stands.
#[derive(Clone, Default)]
pub struct Tethers(Arc<[(HubUrl, watch::Receiver<State>)]>);

/// One tether, for who asks.
pub struct Standing {
    /// The hub, by host and port.
    pub hub: String,
    /// What it runs over, if it is there.
    pub over: Option<Over>,
    /// Server names that the hub forwards.
    pub names: Vec<String>,
    /// Where the hub sees this node; empty while it does not.
    pub address: String,
    /// Why it is not there, in Chinese and English; empty while it is, or is on the way.
    pub why: [String; 2],
}

impl Tethers {
    /// Begins to keep one to each hub; they end with the runtime.
    pub fn start(hubs: &[HubUrl], names: &Names, endpoint: &quinn::Endpoint, identity: &Identity, servers: &Servers) -> Self {
        let tether = |hub: &HubUrl| {
            let (state, seen) = watch::channel(State::Trying);
            let (shown, servers) = (identity.clone(), servers.clone());
            let config = Config {
                hub: hub.clone(),
                names: names.clone(),
                endpoint: endpoint.clone(),
                extra_roots: Vec::new(),
                certificate: Arc::new(move || shown.certificate()),
                records: identity.records(),
                serve: Arc::new(move |Forwarded { stream, from, .. }| {
                    tokio::spawn(servers.clone().serve_tls(stream, from, None));
                }),
                random: Arc::new(|| u64::from_le_bytes(clock::random())),
                timings: timings(),
            };
            tokio::spawn(keep(config, state));
            (hub.clone(), seen)
        };
        Self(hubs.iter().map(tether).collect())
    }

    /// How it stands with each.
    pub fn standing(&self) -> Vec<Standing> {
        let one = |(hub, state): &(HubUrl, watch::Receiver<State>)| {
            let hub = hub.name().to_owned();
            let nothing = Standing { hub, over: None, names: Vec::new(), address: String::new(), why: Default::default() };
            match &*state.borrow() {
                State::Trying => nothing,
                State::Up { over, names, address } => {
                    Standing { over: Some(*over), names: names.clone(), address: address.clone(), ..nothing }
                }
                State::Down(down) => Standing { why: [down.words(Language::Chinese), down.words(Language::English)], ..nothing },
            }
        };
        self.0.iter().map(one).collect()
    }
}

/// As they are; with `STARTALK_TIMINGS=fast`, which is for tests, QUIC is tried again after a few seconds.
fn timings() -> Timings {
    let usual = Timings::default();
    let fast = std::env::var_os("STARTALK_TIMINGS").is_some_and(|t| t == "fast");
    if fast { Timings { quic_again: std::time::Duration::from_secs(5), ..usual } } else { usual }
}
