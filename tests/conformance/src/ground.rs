//! What is under test: our own node and hub as processes, or a node somewhere else of which the address is given.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use bytes::Bytes;
use startalk_e2e::{Node, until};
use startalk_examples::processes::{self, Process};
use startalk_hostile::{Address, Line, Mallory, NameServer, Over, Station, http};
use startalk_protocol::DomainName;
use tempfile::TempDir;

use crate::{case::Needs, witness::Witness};

/// Invitations that a case may use up, together.
const PERSONS_MAX: &str = "100";

/// A node somewhere.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Where.
    pub address: Address,
    /// Whose.
    pub domain: DomainName,
    /// Lets people in; without it nobody sees what the node shows to its people.
    pub join_link: Option<String>,
    /// A hub on this machine that the node asks, over plain HTTP.
    pub hub: Option<Address>,
}

/// What is under test.
pub struct Ground {
    /// Where the node is.
    pub address: Address,
    /// Its domain.
    pub domain: DomainName,
    /// A hub that it asks.
    pub hub: Option<Address>,
    /// The node, if it is ours.
    pub own: Option<Own>,
    /// A link that lets people in.
    pub invitation: Option<String>,
    persons: Vec<Witness>,
}

/// Our own node and hub.
pub struct Own {
    /// The node.
    pub node: Node,
    /// Where data is.
    pub folder: TempDir,
    /// The name server that it asks.
    pub names: NameServer,
    hub_url: String,
    _hub: Process,
}

impl Ground {
    /// Starts a node and a hub.
    ///
    /// # Errors
    /// If a program cannot be built or started.
    pub async fn own() -> anyhow::Result<Self> {
        startalk_client::install_crypto();
        let binaries = processes::binaries()?;
        let folder = tempfile::Builder::new().prefix("startalk-conformance-").tempdir()?;
        let hub = processes::hub(&binaries, folder.path())?;
        let hub_url = hub.text("hub_url")?.to_owned();
        let names = NameServer::open().await?;
        let name_server = names.address.to_string();
        let flags = ["--hub", &hub_url, "--allow-private-addresses", "--name-server", &name_server].map(str::to_owned).to_vec();
        let mut node = Node::new(binaries.join("startalk"), folder.path().join("node"), flags);
        // Who was refused is tried again after seconds instead of minutes.
        node.environment = vec![("STARTALK_TIMINGS".to_owned(), "fast".to_owned())];
        node.start()?;
        let invitation = node.ask(&["invite", "--uses", PERSONS_MAX])?["link"].as_str().context("a link")?.to_owned();
        let persons = vec![Witness::register(&invitation, "alice").await?, Witness::register(&invitation, "bob").await?];
        Ok(Self {
            address: Address::here(u16::try_from(node.port)?),
            domain: node.domain.parse()?,
            hub: Some(hub_url.trim_start_matches("http://").trim_end_matches('/').parse()?),
            own: Some(Own { node, folder, names, hub_url, _hub: hub }),
            invitation: Some(invitation),
            persons,
        })
    }

    /// A node that runs already.
    ///
    /// # Errors
    /// If nobody gets in with the link.
    pub async fn elsewhere(there: Elsewhere) -> anyhow::Result<Self> {
        startalk_client::install_crypto();
        let mut persons = Vec::new();
        if let Some(link) = &there.join_link {
            for _ in 0..2 {
                // The names of an earlier run are taken.
                let name = format!("c{:016x}", u64::from_be_bytes(startalk_hostile::mallory::random()));
                persons.push(Witness::register(link, &name).await?);
            }
        }
        Ok(Self { address: there.address, domain: there.domain, hub: there.hub, own: None, invitation: there.join_link, persons })
    }

    /// Why a case with these needs cannot run; `None` if it can.
    pub fn lacks(&self, needs: Needs) -> Option<String> {
        let no_person = self.persons.is_empty().then(|| "nobody has an account there: --join-link".to_owned());
        let no_hub = self.hub.is_none().then(|| "no hub that the node asks is known: --hub".to_owned());
        match needs {
            Needs::Nothing => None,
            Needs::Person => no_person,
            Needs::Hub => no_hub,
            Needs::PersonAndHub => no_person.or(no_hub),
            Needs::Own(what) => self.own.is_none().then(|| format!("needs our own node: {what}")),
        }
    }

    /// Somebody with an account there.
    ///
    /// # Panics
    /// If the case has not said that it needs somebody.
    pub fn alice(&self) -> &Witness {
        self.persons.first().expect("the case needs a person")
    }

    /// Somebody else.
    ///
    /// # Panics
    /// If the case has not said that it needs somebody.
    pub fn bob(&self) -> &Witness {
        self.persons.get(1).expect("the case needs a person")
    }

    /// Somebody new.
    ///
    /// # Errors
    /// If nobody gets in.
    pub async fn person(&self, name: &str) -> anyhow::Result<Witness> {
        Witness::register(self.invitation.as_deref().context("a link that lets people in")?, name).await
    }

    /// Our own node.
    ///
    /// # Panics
    /// If the case has not said that it needs it.
    pub fn own_node(&self) -> &Own {
        self.own.as_ref().expect("the case needs our own node")
    }

    /// A new link from this domain.
    ///
    /// # Errors
    /// If the node does not take it.
    pub async fn link(&self, mallory: Mallory) -> anyhow::Result<Line> {
        mallory.link(Over::Quic, &self.address, &self.domain).await
    }

    /// A domain that waits at a station and is announced to the hub.
    ///
    /// # Errors
    /// If the hub does not take it.
    pub async fn stationed(&self, from: u8) -> anyhow::Result<(Mallory, Station)> {
        let mut mallory = Mallory::stranger();
        let station = Station::open(&mallory.link)?;
        mallory.endpoints = vec![station.address.endpoint()];
        let answer = self.announce(from, &mallory.record_now()).await?;
        anyhow::ensure!(answer.status == 200, "the hub does not take a record: {} {}", answer.status, answer.code());
        Ok((mallory, station))
    }

    /// A request to the hub, from an address of this machine that no other case uses: hubs count by address.
    ///
    /// # Errors
    /// If there is no answer.
    ///
    /// # Panics
    /// If the case has not said that it needs a hub.
    pub async fn ask_hub(&self, from: u8, method: &str, path: &str, body: &[u8]) -> anyhow::Result<http::Answer> {
        let hub = self.hub.as_ref().expect("the case needs a hub");
        http::ask(Ipv4Addr::new(127, 1, 0, from), hub, method, path, "hub", body).await
    }

    /// Tells the hub a record.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn announce(&self, from: u8, record: &Bytes) -> anyhow::Result<http::Answer> {
        self.ask_hub(from, "POST", "/v1/announce", record).await
    }
}

impl Own {
    /// How often `startalk peers` says that this was refused to somebody who claimed to be this domain.
    pub fn refusals(&self, domain: &DomainName, code: &str) -> u64 {
        let link = self.node.link(domain.as_str()).unwrap_or_default();
        let all = link["refusals"].as_array().cloned().unwrap_or_default();
        all.iter().find(|r| r["error"]["code"] == code).and_then(|r| r["count"].as_u64()).unwrap_or(0)
    }

    /// Waits until it is shown.
    ///
    /// # Errors
    /// If it is not.
    pub async fn shows(&self, domain: &DomainName, code: &str) -> anyhow::Result<()> {
        until(&format!("{code} of {domain} to be shown"), || {
            let shown = self.refusals(domain, code);
            std::future::ready((shown > 0, shown))
        })
        .await
    }

    /// Another node of ours that asks the same hub and name server, with more flags, and somebody who lives there.
    ///
    /// # Errors
    /// If it does not get ready.
    pub async fn another(&self, name: &str, flags: &[&str]) -> anyhow::Result<(Node, Witness)> {
        let name_server = self.names.address.to_string();
        let flags =
            ["--hub", &self.hub_url, "--name-server", &name_server].iter().chain(flags).map(|f| (*f).to_owned()).collect();
        let mut node = Node::new(self.node.program.clone(), self.folder.path().join(name), flags);
        node.environment.clone_from(&self.node.environment);
        node.start()?;
        let person = Witness::register(&node.first_link, "carol").await?;
        Ok((node, person))
    }
}
