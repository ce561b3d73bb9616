//! A home whose provider lets nothing pass to ports 80 and 443, in or out: on another port it is reached, directly or through a
//! hub that is on another port, and it gets its certificate by DNS.

use std::{net::Ipv4Addr, process::Command};

use anyhow::{Context as _, ensure};
use startalk_e2e::{DnsHook, Home, Nat, Node, Pebble, Terminal, until};

use crate::{
    hub::Hub,
    wan::{HUB, Wan, address_under, tethered_to},
};

/// Messages each way.
const MESSAGES: usize = 40;
/// The port that is not blocked.
const PORT: u16 = 8443;
/// The hub there.
const OTHER_HUB: &str = "hub2.test";
/// As long as the test takes and longer, in seconds.
const LIFE: u64 = 90 * 24 * 3600;

/// A usual home, the one where the web is blocked, a hub on another port beside the usual one, and an authority.
struct Stage {
    wan: Wan,
    usual: Home,
    blocked: Home,
    hub: Hub,
    pebble: Pebble,
    hook: DnsHook,
}

impl Stage {
    fn new() -> anyhow::Result<Option<Self>> {
        let Some(mut wan) = Wan::new()? else { return Ok(None) };
        let (usual, blocked) = (wan.home("a", 11, Nat::Usual)?, wan.home("c", 13, Nat::Usual)?);
        let authority = wan.network.public("ca", 3)?;
        wan.network.name(HUB, &["11.0.0.1"])?;
        let hub = wan.another_hub_at(OTHER_HUB, 2, PORT)?;
        blocked.block_web()?;
        let mut pebble = Pebble::on(wan.world.folder.join("pebble"), &authority, Ipv4Addr::new(11, 0, 0, 3))?;
        pebble.start(443, LIFE, 0)?;
        let hook = DnsHook::new(&wan.world.folder, &pebble)?;
        Ok(Some(Self { wan, usual, blocked, hub, pebble, hook }))
    }

    /// The node in the blocked home, which knows both hubs; not started. Of the usual one it hears nothing.
    fn node(&self, flags: &[&str]) -> Node {
        let flags = [&["--hub", &self.wan.hub.url], flags].concat();
        self.wan.unstarted_at("c", &self.blocked.inside, &flags, u64::from(PORT))
    }

    /// What it is told, to get a certificate for this name by DNS.
    fn certificate_for(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let (directory, root) = (self.pebble.directory(), self.pebble.root());
        let root = root.to_str().context("a path")?;
        let flags = ["--acme", "--acme-name", name, "--acme-directory", &directory, "--acme-roots", root];
        let hook = ["--acme-dns-hook", &self.hook.program];
        Ok(flags.into_iter().chain(hook).map(str::to_owned).collect())
    }

    /// A browser in the usual home that trusts the authority: what is said at the address, if it believes it.
    fn browses(&self, host: &str) -> anyhow::Result<Result<String, String>> {
        const LOOK: &str = "import ssl, sys, urllib.request as u\n\
            roots = u.urlopen(sys.argv[1], context=ssl._create_unverified_context()).read().decode()\n\
            print(u.urlopen(sys.argv[2], context=ssl.create_default_context(cadata=roots)).read().decode())";
        let mut browser: Command = self.usual.inside.command("python3");
        browser.args(["-c", LOOK, &self.pebble.signing_root(), &format!("https://{host}:{PORT}/healthz")]);
        let output = browser.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
    }

    /// The certificate comes when the hook may set records, and not before.
    async fn certified(&self, node: &Node, name: &str) -> anyhow::Result<()> {
        until("the hook is asked", async || {
            (node.ask(&["doctor"]).is_ok_and(|d| d.to_string().contains("the zone is locked")), 0)
        })
        .await?;
        let before = self.browses(name)?;
        ensure!(before.as_ref().is_err_and(|why| why.contains("CERTIFICATE_VERIFY_FAILED")), "{before:?}");
        self.hook.may()?;
        let mut said = Ok(String::new());
        until("a certificate", || {
            said = self.browses(name).unwrap_or_else(|e| Err(e.to_string()));
            std::future::ready((said.as_deref() == Ok("ok"), 0))
        })
        .await
        .with_context(|| format!("{said:?} {}", node.said()))?;
        ensure!(self.hook.calls()?.contains(&format!("present _acme-challenge.{name}")), "{}", self.hook.calls()?);
        Ok(())
    }

    /// Alice of the usual home and Bob of the blocked one, both elsewhere, write to each other.
    async fn they_talk(&self, c: &Node) -> anyhow::Result<()> {
        let a = self.wan.node_at("a", &self.usual.inside, &["--hub", &self.hub.url], 0).await?;
        let (mut alice, mut bob): (Terminal, Terminal) =
            (self.wan.person("alice", &self.usual, &a)?, self.wan.person("bob", &self.usual, c)?);
        alice.says(&bob.user, 1..=1)?;
        bob.accepts()?;
        alice.says(&bob.user, 2..=MESSAGES)?;
        bob.says(&alice.user, 1..=MESSAGES)?;
        bob.hears(&alice.user, MESSAGES)?;
        alice.hears(&bob.user, MESSAGES)?;
        ensure!(alice.trouble().is_empty() && bob.trouble().is_empty(), "{:?} {:?}", alice.trouble(), bob.trouble());
        // All the while it has tried the hub on 443 in vain: that it is blocked was not only said.
        ensure!(self.blocked.blocked_packets()? > 0, "something was dropped");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_80_and_443_are_blocked_a_forwarded_port_and_dns_do() -> anyhow::Result<()> {
    const NAME: &str = "chat.test";
    let Some(stage) = Stage::new()? else { return Ok(()) };
    stage.wan.network.name(NAME, &["11.0.0.13"])?;
    stage.blocked.forwards(PORT)?;
    let public = format!("{NAME}:{PORT}");
    let mut node = stage.node(&["--hub", &stage.hub.url, "--public", &public]);
    node.flags.extend(stage.certificate_for(NAME)?);
    node.start()?;
    stage.certified(&node, NAME).await?;
    stage.they_talk(&node).await?;
    stage.wan.world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_80_and_443_are_blocked_a_hub_on_another_port_and_dns_do() -> anyhow::Result<()> {
    let Some(stage) = Stage::new()? else { return Ok(()) };
    let mut node = stage.node(&["--via", &stage.hub.url]);
    node.start()?;
    let name = address_under(&node, OTHER_HUB)?;
    stage.wan.network.name(&name, &["11.0.0.2"])?;
    node.stop()?;
    node.flags.extend(stage.certificate_for(&name)?);
    node.start()?;
    tethered_to(&node, OTHER_HUB).await?;
    stage.certified(&node, &name).await?;
    stage.they_talk(&node).await?;
    stage.wan.world.done();
    Ok(())
}
