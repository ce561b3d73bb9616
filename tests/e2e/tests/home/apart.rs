//! Two homes behind routers of both kinds, that reach each other through a hub alone.

use startalk_e2e::Nat;

use crate::wan::{HUB, Wan, address_under, tethered, tethered_to};

/// Messages each way.
const MESSAGES: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn two_homes_talk_through_a_hub_that_dies_in_the_middle() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (first, second) = (wan.home("a", 11, Nat::Usual)?, wan.home("b", 12, Nat::Random)?);
    wan.network.name(crate::wan::HUB, &["11.0.0.1", "2a0f::1"])?;
    let (a, b) = (wan.node("a", &first).await?, wan.node("b", &second).await?);
    assert!(tethered(&a, "over QUIC").await?.contains("11.0.0.11:"), "the router's address");
    let mut alice = wan.person("alice", &first, &a)?;
    // At the other home: through the hub, by the address for browsers.
    let mut bob = wan.person("bob", &first, &b)?;
    alice.says(&bob.user, 1..=1)?;
    bob.accepts()?;
    alice.says(&bob.user, 2..=MESSAGES / 2)?;
    bob.says(&alice.user, 1..=MESSAGES / 2)?;
    bob.hears(&alice.user, MESSAGES / 4)?;
    wan.hub.kill()?;
    alice.says(&bob.user, MESSAGES / 2 + 1..=MESSAGES)?;
    bob.says(&alice.user, MESSAGES / 2 + 1..=MESSAGES)?;
    wan.hub.start()?;
    bob.hears(&alice.user, MESSAGES)?;
    alice.hears(&bob.user, MESSAGES)?;
    assert!(alice.trouble().is_empty() && bob.trouble().is_empty(), "{:?} {:?}", alice.trouble(), bob.trouble());
    wan.world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hubs_one_dies_for_good_and_nothing_is_lost() -> anyhow::Result<()> {
    let Some(mut wan) = Wan::new()? else { return Ok(()) };
    let (first, second) = (wan.home("a", 11, Nat::Random)?, wan.home("b", 12, Nat::Random)?);
    wan.network.name(HUB, &["11.0.0.1"])?;
    let other = wan.another_hub("hub2.test", 2)?;
    let via = ["--via", &other.url];
    let a = wan.node_at("a", &first.inside, &via, 0).await?;
    let b = wan.node_at("b", &second.inside, &via, 0).await?;
    for node in [&a, &b] {
        wan.network.name(&address_under(node, &other.host)?, &["11.0.0.2"])?;
        let said = tethered_to(node, &other.host).await?;
        assert!(said.contains(&address_under(node, &other.host)?), "{said}");
    }
    // Each in the other's home: everybody comes through a hub.
    let (mut alice, mut bob) = (wan.person("alice", &second, &a)?, wan.person("bob", &first, &b)?);
    alice.says(&bob.user, 1..=1)?;
    bob.accepts()?;
    alice.says(&bob.user, 2..=MESSAGES / 2)?;
    bob.says(&alice.user, 1..=MESSAGES / 2)?;
    bob.hears(&alice.user, MESSAGES / 4)?;
    wan.hub.kill()?;
    alice.says(&bob.user, MESSAGES / 2 + 1..=MESSAGES)?;
    bob.says(&alice.user, MESSAGES / 2 + 1..=MESSAGES)?;
    bob.hears(&alice.user, MESSAGES)?;
    alice.hears(&bob.user, MESSAGES)?;
    assert!(alice.trouble().is_empty() && bob.trouble().is_empty(), "{:?} {:?}", alice.trouble(), bob.trouble());
    wan.world.done();
    Ok(())
}
