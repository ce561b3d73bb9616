//! The ways out of a home: without UDP, by IPv6 alone, with an address that changes; and from one home to another
//! directly, where that can be.

use anyhow::Context as _;
use serde_json::{Value, json};
use startalk_e2e::{Nat, Space, until};

use crate::looks::memory_holds;
use crate::wan::{HUB, Wan, address, tethered};

/// Messages each way, of each stage.
const MESSAGES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn without_udp_over_tcp_and_back_when_it_passes() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (first, second) = (wan.home("a", 11, Nat::Usual)?, wan.home("b", 12, Nat::Usual)?);
    wan.network.name(HUB, &["11.0.0.1"])?;
    first.drop_udp()?;
    let (a, b) = (wan.node("a", &first).await?, wan.node("b", &second).await?);
    tethered(&a, "over TCP").await?;
    let (mut alice, mut bob) = (wan.person("alice", &first, &a)?, wan.person("bob", &second, &b)?);
    // Dialed from without to a tether on TCP, and the other way.
    bob.says(&alice.user, 1..=1)?;
    alice.accepts()?;
    bob.says(&alice.user, 2..=MESSAGES)?;
    alice.says(&bob.user, 1..=MESSAGES)?;
    alice.hears(&bob.user, MESSAGES)?;
    bob.hears(&alice.user, MESSAGES)?;
    first.pass_udp()?;
    tethered(&a, "over QUIC").await?;
    bob.says(&alice.user, MESSAGES + 1..=2 * MESSAGES)?;
    alice.says(&bob.user, MESSAGES + 1..=2 * MESSAGES)?;
    alice.hears(&bob.user, 2 * MESSAGES)?;
    bob.hears(&alice.user, 2 * MESSAGES)?;
    wan.world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_with_ipv6_alone_and_one_with_ipv4_alone_meet_at_the_hub() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (six, four) = (wan.home("a", 11, Nat::SixOnly)?, wan.home("b", 12, Nat::Random)?);
    wan.network.name(HUB, &["11.0.0.1", "2a0f::1"])?;
    let (a, b) = (wan.node("a", &six).await?, wan.node("b", &four).await?);
    assert!(tethered(&a, "over QUIC").await?.contains("[2a0f:0:0:11::2]:"), "its own address");
    let (mut alice, mut bob) = (wan.person("alice", &four, &a)?, wan.person("bob", &six, &b)?);
    alice.says(&bob.user, 1..=1)?;
    bob.accepts()?;
    alice.says(&bob.user, 2..=MESSAGES)?;
    bob.says(&alice.user, 1..=MESSAGES)?;
    alice.hears(&bob.user, MESSAGES)?;
    bob.hears(&alice.user, MESSAGES)?;
    wan.world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_changes_while_people_talk() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (mut first, second) = (wan.home("a", 11, Nat::Usual)?, wan.home("b", 12, Nat::Usual)?);
    wan.network.name(HUB, &["11.0.0.1"])?;
    let (a, b) = (wan.node("a", &first).await?, wan.node("b", &second).await?);
    let (mut alice, mut bob) = (wan.person("alice", &first, &a)?, wan.person("bob", &second, &b)?);
    alice.says(&bob.user, 1..=1)?;
    bob.accepts()?;
    for (stage, number) in [21, 22, 23].into_iter().enumerate() {
        let (from, to) = (stage * MESSAGES, (stage + 1) * MESSAGES);
        alice.says(&bob.user, from.max(1) + 1..=to)?;
        bob.says(&alice.user, from + 1..=to)?;
        first.moves_to(number)?;
        alice.hears(&bob.user, to)?;
        bob.hears(&alice.user, to)?;
    }
    tethered(&a, "11.0.0.23:").await?; // the hub tells, within half a minute
    assert!(alice.trouble().is_empty() && bob.trouble().is_empty());
    wan.world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_goes_directly_where_it_can_and_as_soon_as_it_can() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (home, public) = (wan.home("a", 11, Nat::Usual)?, wan.network.public("b", 12)?);
    wan.network.name(HUB, &["11.0.0.1"])?;
    home.drop_udp()?;
    let a = wan.node("a", &home).await?;
    // Reachable, and tethered all the same: its own address stands first in its record.
    let b = wan.node_at("b", &public, &["--public", "11.0.0.12:8443"], 8443).await?;
    let (mut alice, mut bob) = (wan.person("alice", &home, &a)?, wan.person_at("bob", &public, &b)?);
    alice.says(&bob.user, 1..=1)?;
    bob.accepts()?;
    // The hub forwards links over TLS alone.
    assert_eq!(a.link(&b.domain)?["transport"], "tls", "{}", a.link(&b.domain)?);
    home.pass_udp()?;
    until("a link over QUIC", async || (a.link(&b.domain).is_ok_and(|l| l["transport"] == "quic"), 0)).await?;
    bob.says(&alice.user, 1..=MESSAGES)?;
    alice.hears(&bob.user, MESSAGES)?;
    wan.world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_groups_cross_and_the_hub_has_seen_nothing() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (first, second) = (wan.home("a", 11, Nat::Usual)?, wan.home("b", 12, Nat::Random)?);
    wan.network.name(HUB, &["11.0.0.1"])?;
    let capture = wan.capture().await?;
    let (a, mut b) = (wan.node("a", &first).await?, wan.node("b", &second).await?);
    let (mut alice, mut bob) = (wan.person("alice", &second, &a)?, wan.person("bob", &first, &b)?);
    alice.says(&bob.user, 1..=1)?;
    bob.accepts()?;
    bob.says(&alice.user, 1..=1)?;
    alice.hears(&bob.user, 1)?;
    // A file of the marker, many times over.
    let marker = startalk_e2e::terminal::MARKER.as_str();
    let (file, copy) = (wan.world.folder.join("file.txt"), wan.world.folder.join("copy.txt"));
    std::fs::write(&file, marker.repeat(20_000))?;
    let uploaded = alice.ask("upload", json!({ "path": file }))?;
    alice.ask("send", json!({ "to": bob.user, "content": { "kind": "file", "file": uploaded["file"] } }))?;
    let (conversation, sequence) = bob.until("a message with a file", |heard| {
        let found = heard.messages.iter().find(|m| m["kind"] == "file")?;
        Some((found["conversation"].clone(), found["sequence"].clone()))
    })?;
    bob.ask("download", json!({ "conversation": conversation, "sequence": sequence, "path": copy }))?;
    assert!(std::fs::read(&copy)? == std::fs::read(&file)?, "the file as it was");
    // A group with both in it, at home in the first.
    alice.ask("create_group", json!({ "name": marker, "members": [bob.user] }))?;
    let invitation = bob.until("an invitation into the group", |heard| {
        let found = heard.events.iter().find(|e| e["event"] == "group_invitation" && e["invitation"]["name"] == marker)?;
        Some(found["invitation"]["group"].clone())
    })?;
    bob.ask("decide_group_invitation", json!({ "group": invitation, "accept": true }))?;
    let groups = [&alice, &bob].map(|person| {
        person.until("the group with two in it", |heard| {
            let is_it = |c: &&serde_json::Value| {
                c["group"]["name"] == marker && c["group"]["standing"] == "member" && c["group"]["members"] == 2
            };
            heard.events.iter().map(|e| &e["conversation"]).find(is_it).map(|c| c["conversation"].clone())
        })
    });
    let [group, replica] = groups;
    alice.ask("send", json!({ "conversation": group?, "text": format!("to the group {marker}") }))?;
    bob.ask("send", json!({ "conversation": replica?, "text": format!("from the replica {marker}") }))?;
    let has = |person: &startalk_e2e::Terminal, begin: &str| {
        person.until(begin, |heard| {
            heard.messages.iter().any(|m| m["text"].as_str().is_some_and(|t| t.starts_with(begin))).then_some(())
        })
    };
    has(&bob, "to the group")?;
    has(&alice, "from the replica")?;
    let captured = capture.end()?;
    assert!(captured.len() > 1_000_000, "the file went through the hub: {} bytes", captured.len());
    let finds = |bytes: &[u8]| bytes.windows(marker.len()).any(|w| w == marker.as_bytes());
    assert!(!finds(&captured), "plaintext on the hub's wire");
    assert!(memory_holds(b.process().id(), marker.as_bytes())?, "the node has it in memory: this way of looking finds it");
    assert!(!memory_holds(wan.hub.pid(), marker.as_bytes())?, "plaintext in the hub's memory");
    wan.world.done();
    Ok(())
}

/// `(check, state)` of each step to a domain, as a machine elsewhere walks it.
fn walked(wan: &Wan, from: &Space, domain: &str) -> anyhow::Result<Vec<(String, String, String)>> {
    let mut command = from.command(wan.world.binaries.join("startalk"));
    let output = command.args(["--json", "doctor", "--domain", domain, "--hub", &wan.hub.url]).output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = answer["findings"].as_array().context("findings")?;
    Ok(all.iter().map(|f| (text(&f["check"]), text(&f["state"]), text(&f["words"]["en"]))).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn from_elsewhere_a_home_behind_a_hub_is_as_it_should_be() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (home, other) = (wan.home("a", 11, Nat::Usual)?, wan.home("b", 12, Nat::Usual)?);
    wan.network.name(HUB, &["11.0.0.1"])?;
    let a = wan.node("a", &home).await?;
    let all = walked(&wan, &other.inside, &a.domain)?;
    let seen: Vec<(&str, &str)> = all.iter().map(|(check, state, _)| (check.as_str(), state.as_str())).collect();
    // Its address at home is nobody else's business; the certificate is self-made.
    let expected =
        [("name", "good"), ("record", "good"), ("address", "good"), ("quic", "good"), ("tls", "good"), ("browser", "warning")];
    assert_eq!(seen, expected, "{all:#?}");
    assert!(all[3].2.contains("is a hub's"), "{all:#?}");
    assert!(all[5].2.contains(&address(&a)?), "{all:#?}");
    // The hub stays, and its node goes: what stands there then is the hub's own.
    let domain = a.domain.clone();
    drop(a);
    let all = walked(&wan, &other.inside, &domain)?;
    assert!(all.iter().any(|(check, state, _)| check == "tls" && state == "bad"), "{all:#?}");
    assert!(all.iter().any(|(check, state, _)| check == "browser" && state != "good"), "{all:#?}");
    wan.world.done();
    Ok(())
}
