//! The stage: an internet with a hub on it, and homes behind routers.

use std::path::PathBuf;

use anyhow::Context as _;
use startalk_e2e::{Home, Nat, Network, Node, Space, Terminal, World, until};

use crate::hub::Hub;

/// What the hub is called.
pub const HUB: &str = "hub.test";

/// The internet with a hub at [`HUB`], 11.0.0.1.
pub struct Wan {
    pub network: Network,
    pub world: World,
    pub hub: Hub,
}

impl Wan {
    /// `None` where there can be none.
    pub fn new() -> anyhow::Result<Option<Self>> {
        let Some(mut network) = Network::new()? else { return Ok(None) };
        let world = World::new()?;
        let space = network.public("hub", 1)?;
        let hub = Hub::new(&world, space, HUB, 443)?;
        Ok(Some(Self { network, world, hub }))
    }

    /// One more hub, at 11.0.0.`number`.
    pub fn another_hub(&mut self, host: &str, number: u8) -> anyhow::Result<Hub> {
        self.another_hub_at(host, number, 443)
    }

    /// The same on another port.
    pub fn another_hub_at(&mut self, host: &str, number: u8, port: u16) -> anyhow::Result<Hub> {
        let space = self.network.public(host.split('.').next().context("a label")?, number)?;
        let hub = Hub::new(&self.world, space, host, port)?;
        self.network.name(host, &[&format!("11.0.0.{number}")])?;
        Ok(hub)
    }

    /// A home, which knows the hub's name.
    pub fn home(&mut self, name: &str, number: u8, nat: Nat) -> anyhow::Result<Home> {
        let home = self.network.home(name, number, nat)?;
        if nat == Nat::SixOnly {
            self.network.route_six(&self.hub.space, &home)?;
        }
        Ok(home)
    }

    /// A node that is reached through the hub; started, and tethered.
    pub async fn node(&self, name: &str, home: &Home) -> anyhow::Result<Node> {
        self.node_at(name, &home.inside, &[], 0).await
    }

    /// The same anywhere, with more flags and perhaps a port of its own.
    pub async fn node_at(&self, name: &str, at: &Space, flags: &[&str], port: u64) -> anyhow::Result<Node> {
        let mut node = self.unstarted_at(name, at, &[&["--via", &self.hub.url], flags].concat(), port);
        node.start()?;
        self.network.name(&address(&node)?, &["11.0.0.1", "2a0f::1"])?;
        tethered(&node, "").await?;
        Ok(node)
    }

    /// A node somewhere, with these flags alone; not started.
    pub fn unstarted_at(&self, name: &str, at: &Space, flags: &[&str], port: u64) -> Node {
        let mut node = self.world.unstarted(name, flags);
        node.under = at.under();
        node.port = port;
        "[::]".clone_into(&mut node.listen);
        node.environment.push(("STARTALK_TIMINGS".to_owned(), "fast".to_owned()));
        node
    }

    /// A person in a home, who is invited by the node.
    pub fn person(&self, name: &str, at: &Home, node: &Node) -> anyhow::Result<Terminal> {
        self.person_at(name, &at.inside, node)
    }

    /// The same anywhere.
    pub fn person_at(&self, name: &str, at: &Space, node: &Node) -> anyhow::Result<Terminal> {
        let invitation = node.ask(&["invite"])?;
        let link = invitation["link"].as_str().context("link")?;
        let program: PathBuf = self.world.binaries.join("startalk-terminal");
        Terminal::register(at.command(program), &self.world.folder.join(name), name, link)
    }
}

/// Where browsers find a node.
pub fn address(node: &Node) -> anyhow::Result<String> {
    address_under(node, HUB)
}

/// The same under another hub.
pub fn address_under(node: &Node, host: &str) -> anyhow::Result<String> {
    let label = node.domain.split('.').next().context("a label")?;
    Ok(format!("{label}.{host}"))
}

/// What `startalk doctor` says of the tether, once it is there and says `containing`.
pub async fn tethered(node: &Node, containing: &str) -> anyhow::Result<String> {
    tether(node, |said| said.contains(containing)).await
}

/// The same of the tether to the hub that is called `host`.
pub async fn tethered_to(node: &Node, host: &str) -> anyhow::Result<String> {
    tether(node, |said| said.contains(&format!("hub {host}"))).await
}

async fn tether(node: &Node, is_it: impl Fn(&str) -> bool) -> anyhow::Result<String> {
    let (mut said, mut all) = (String::new(), Vec::new());
    until("a tether", || {
        let answer = node.ask(&["doctor"]).unwrap_or_default();
        all = answer["findings"].as_array().cloned().unwrap_or_default();
        let good = |f: &&serde_json::Value| {
            f["check"] == "tether" && f["state"] == "good" && is_it(f["words"]["en"].as_str().unwrap_or_default())
        };
        let found = all.iter().find(good);
        said = found.and_then(|f| f["words"]["en"].as_str()).unwrap_or_default().to_owned();
        std::future::ready((found.is_some(), 0))
    })
    .await
    .with_context(|| format!("{all:?}; {}", node.said()))?;
    Ok(said)
}
