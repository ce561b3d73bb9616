//! The stage: an internet with a hub on it, and homes behind routers.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use startalk_e2e::{Home, Nat, Network, Node, Space, Terminal, World, until};
use startalk_examples::processes::Process;

/// What the hub is called.
pub const HUB: &str = "hub.test";

/// The internet with a hub at [`HUB`], 11.0.0.1.
pub struct Wan {
    pub network: Network,
    pub world: World,
    pub hub: Space,
    pub hub_url: String,
    process: Option<Process>,
}

impl Wan {
    /// `None` where there can be none.
    pub fn new() -> anyhow::Result<Option<Self>> {
        let Some(mut network) = Network::new()? else { return Ok(None) };
        let world = World::new()?;
        let hub = network.public("hub", 1)?;
        let mut wan = Self { network, world, hub, hub_url: String::new(), process: None };
        wan.make_certificate()?;
        wan.start_hub()?;
        Ok(Some(wan))
    }

    fn hub_command(&self) -> std::process::Command {
        let mut command = self.hub.command(self.world.binaries.join("startalk-hub"));
        command.arg("--certificate").arg(self.world.folder.join("wan-hub.pem"));
        command.arg("--key").arg(self.world.folder.join("wan-hub.key")).args(["--name", HUB]);
        command
    }

    fn make_certificate(&self) -> anyhow::Result<()> {
        let made = self.hub_command().arg("--make-certificate").output()?;
        if !made.status.success() {
            bail!("the hub's certificate: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(())
    }

    pub fn start_hub(&mut self) -> anyhow::Result<()> {
        let mut command = self.hub_command();
        command.args(["--json", "--pin", "--listen", "443"]).env("STARTALK_LOG", "debug");
        let process = Process::spawn(command, &self.world.folder.join("wan-hub.log"))?;
        process.text("hub_url")?.clone_into(&mut self.hub_url);
        self.process = Some(process);
        Ok(())
    }

    pub fn kill_hub(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the hub runs")?.kill()
    }

    pub fn hub_process(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// A home, which knows the hub's name.
    pub fn home(&mut self, name: &str, number: u8, nat: Nat) -> anyhow::Result<Home> {
        let home = self.network.home(name, number, nat)?;
        if nat == Nat::SixOnly {
            self.network.route_six(&self.hub, &home)?;
        }
        Ok(home)
    }

    /// A node that is reached through the hub; started, and tethered.
    pub async fn node(&self, name: &str, home: &Home) -> anyhow::Result<Node> {
        self.node_at(name, &home.inside, &[], 0).await
    }

    /// The same anywhere, with more flags and perhaps a port of its own.
    pub async fn node_at(&self, name: &str, at: &Space, flags: &[&str], port: u64) -> anyhow::Result<Node> {
        let mut node = self.world.unstarted(name, &[&["--via", &self.hub_url], flags].concat());
        node.under = at.under();
        node.port = port;
        "[::]".clone_into(&mut node.listen);
        node.environment.push(("STARTALK_TIMINGS".to_owned(), "fast".to_owned()));
        node.start()?;
        self.network.name(&address(&node)?, &["11.0.0.1", "2a0f::1"])?;
        tethered(&node, "").await?;
        Ok(node)
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
    let label = node.domain.split('.').next().context("a label")?;
    Ok(format!("{label}.{HUB}"))
}

/// What `startalk doctor` says of the tether, once it is there and says `containing`.
pub async fn tethered(node: &Node, containing: &str) -> anyhow::Result<String> {
    let mut said = String::new();
    until("a tether", || {
        let findings = node.ask(&["doctor"]).unwrap_or_default();
        let all = findings.as_array().or(findings["findings"].as_array()).cloned().unwrap_or_default();
        let found = all.iter().find(|f| f["check"] == "tether");
        said = found.map(|f| f["words"]["en"].to_string()).unwrap_or_default();
        let good = found.is_some_and(|f| f["state"] == "good") && said.contains(containing);
        std::future::ready((good, 0))
    })
    .await
    .with_context(|| format!("{said}; {}", node.said()))?;
    Ok(said)
}
