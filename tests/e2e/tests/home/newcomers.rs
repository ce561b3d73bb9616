//! The first evening of two people who have never heard of it: a domain each, at homes behind routers, and browsers behind a third.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use startalk_e2e::{Nat, Node};

use crate::wan::{HUB, Wan, address};

/// What each does in a browser: opens the link, name, password, the button, the codes are kept, on; then one a new conversation, its
/// address, Enter, the message, Enter; the other the own address looked up (two clicks), the request, accepted, an answer, Enter.
const ACTIONS_MAX: usize = 12;

/// Where the first administrator goes, from elsewhere.
fn link(node: &Node) -> anyhow::Result<String> {
    let secret = node.first_link.rsplit('/').next().context("a link")?;
    Ok(format!("https://{}/join/{secret}", address(node)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_start_to_the_first_message_between_two_browsers_on_two_domains() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (first, second) = (wan.home("a", 11, Nat::Usual)?, wan.home("b", 12, Nat::Random)?);
    let third = wan.home("c", 13, Nat::Random)?;
    wan.network.name(HUB, &["11.0.0.1", "2a0f::1"])?;
    // One command each, and nothing else is configured.
    let (a, b) = (wan.node("a", &first).await?, wan.node("b", &second).await?);
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/web");
    let installed = std::process::Command::new("bash").arg(web.join("tests/install")).output()?;
    ensure!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let mut browsers = third.inside.command("node");
    browsers.arg(web.join("tests/newcomers.mjs")).args([link(&a)?, link(&b)?]).env("PICTURES", &wan.world.folder);
    let output = browsers.output()?;
    ensure!(output.status.success(), "{}\n{}\n{}", String::from_utf8_lossy(&output.stderr), a.said(), b.said());
    let told: Value = serde_json::from_slice(&output.stdout)?;
    for name in ["alice", "bob"] {
        let done = told[name].as_array().context("a list")?;
        let words: Vec<&str> = done.iter().filter_map(Value::as_str).collect();
        println!("{name}, after one command: {} actions: {}", words.len(), words.join("; "));
        ensure!((6..=ACTIONS_MAX).contains(&words.len()), "{words:?}");
    }
    wan.world.done();
    Ok(())
}
