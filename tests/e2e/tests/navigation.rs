//! What a domain says of itself, from the domain and from a hub: signed, the same, told anew to whoever is connected.

use startalk_e2e::{Person, World, until};
use startalk_protocol::trust::{DomainRecord, NavigationDocument, NavigationTrial};

#[expect(clippy::disallowed_methods, reason = "an edge: it verifies as a client does, by its clock")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The document at a URL; a certificate proves nothing here, the record does.
fn document(url: &str) -> anyhow::Result<(NavigationDocument, startalk_protocol::trust::VerifiedRecord)> {
    let asked = std::process::Command::new("curl").args(["-sS", "--fail", "--insecure", "--max-time", "10", url]).output()?;
    anyhow::ensure!(asked.status.success(), "{url}: {}", String::from_utf8_lossy(&asked.stderr));
    let document: NavigationDocument = serde_json::from_slice(&asked.stdout)?;
    let bytes = data_encoding::BASE64.decode(document.record.as_bytes())?;
    let record = DomainRecord::decode_signed(&bytes, now_ms())?;
    anyhow::ensure!(NavigationDocument::of(&record, document.proof.as_deref()) == document, "it says what the record does not");
    Ok((document, record))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_and_a_hub_say_the_same_of_it_and_who_is_connected_hears_of_changes() -> anyhow::Result<()> {
    let world = World::new()?;
    let a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let before = alice.session.navigation().await?;
    anyhow::ensure!(before.domain().as_str() == alice.user.domain.as_str(), "{before:?}");
    anyhow::ensure!(
        before.navigation().features.iter().any(|f| f == "groups") && before.navigation().trial.is_none(),
        "{before:?}"
    );
    anyhow::ensure!(before.navigation().message_bytes_max > 0 && before.navigation().icon_hash.len() == 32, "{before:?}");

    a.ask(&["policy", "--description", "来试试", "--colour", "#1a2b3c", "--trial-days", "30", "--registration", "open"])?;
    until("the client to hear of it", async || {
        let heard = alice.with(|heard| heard.navigation);
        (heard > before.sequence(), heard)
    })
    .await?;
    let after = alice.session.navigation().await?;
    anyhow::ensure!(after.description() == "来试试" && after.navigation().colour == "#1a2b3c", "{after:?}");

    let (served, record) = document(&format!("https://127.0.0.1:{}/.well-known/startalk/navigation", a.port))?;
    anyhow::ensure!(record.bytes() == after.bytes(), "one record");
    anyhow::ensure!(served.trial == Some(NavigationTrial { account_days: 30 }) && served.registration == "open", "{served:?}");
    let hub = format!("{}/v1/navigation/{}", world.hub_url.split('#').next().unwrap_or_default(), alice.user.domain);
    until("the hub to have it", async || {
        let sequence = document(&hub).map_or(0, |(d, _)| d.sequence);
        (sequence == served.sequence, sequence)
    })
    .await?;
    let (at_hub, _) = document(&hub)?;
    anyhow::ensure!(NavigationDocument { proof: None, ..at_hub.clone() } == served && at_hub.proof.is_some(), "{at_hub:?}");
    let refused = a.refusal(&["policy", "--colour", "red"])?;
    anyhow::ensure!(refused.contains("colour") || refused.contains("颜色"), "{refused}");
    alice.close().await?;
    world.done();
    Ok(())
}
