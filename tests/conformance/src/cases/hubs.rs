//! Chapter 4 §4: a hub, and what it takes, keeps and shows.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use prost::Message as _;
use startalk_hostile::{
    Mallory,
    mallory::{new_key, now_ms},
};
use startalk_protocol::pb::trust::SignedRecord;

use super::check;
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    let hub = |name, tags, run: fn(Arc<Ground>) -> _| case(name, tags, run).needs(Needs::Hub);
    vec![
        hub("hub-verifies-what-is-announced", &["hub.verify", "hub.answers"], |g| Box::pin(verify(g)) as Running),
        hub("hub-answers-what-was-announced", &["hub.answers"], |g| Box::pin(answers(g))),
        hub("hub-older-record", &["hub.replace", "hub.answers"], |g| Box::pin(older(g))),
        hub("hub-another-root-key", &["hub.replace"], |g| Box::pin(another_root(g))),
        hub("hub-record-that-ends", &["hub.expired"], |g| Box::pin(expired(g))),
        hub("hub-lists-who-asked-and-is-proven", &["hub.listed"], |g| Box::pin(listed(g))),
        hub("hub-announced-too-often", &["hub.rate", "hub.answers"], |g| Box::pin(too_often(g))),
        hub("hub-shows-names", &["names.shown"], |g| Box::pin(shown(g))),
    ]
}

type Running = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

async fn announced(g: &Ground, from: u8, record: &Bytes) -> anyhow::Result<(u16, String)> {
    let answer = g.announce(from, record).await?;
    Ok((answer.status, answer.code()))
}

/// The status of a look-up, and the record.
async fn looked_up(g: &Ground, from: u8, domain: &str) -> anyhow::Result<(u16, Bytes)> {
    let answer = g.ask_hub(from, "GET", &format!("/v1/domains/{domain}"), b"").await?;
    Ok((answer.status, answer.body))
}

async fn verify(g: Arc<Ground>) -> anyhow::Result<()> {
    let m = Mallory::stranger();
    let mut unsigned = SignedRecord::decode(m.record_now())?;
    unsigned.signature = Bytes::new();
    let (victim, other) = (Mallory::stranger(), new_key());
    let foreign = Mallory { domain: victim.domain.clone(), ..m.clone() };
    let now = now_ms();
    let bad: Vec<(&str, Bytes, u16, &str)> = vec![
        ("unsigned", unsigned.encode_to_vec().into(), 400, "bad-signature"),
        ("nothing", Bytes::new(), 400, "malformed"),
        ("noise", vec![0xff; 500].into(), 400, "malformed"),
        ("too large", vec![0; 16_385].into(), 413, "too-large"),
        ("a megabyte", vec![0; 1_000_000].into(), 413, "too-large"),
        ("of another key name", foreign.record_now(), 400, "wrong-key"),
        (
            "by another link key",
            Mallory::sign_record(&other, &m.record_of(Mallory::sign_charter(&m.root, &m.charter()))),
            400,
            "wrong-key",
        ),
        ("expired", m.record_with(|_| {}, |r| r.not_after_ms = now - 1), 400, "expired"),
        ("too far ahead", m.record_with(|_| {}, |r| r.not_after_ms = now + 50 * 3_600_000), 400, "bad-value"),
        ("of seventeen places", m.record_with(|_| {}, |r| r.endpoints = vec![r.endpoints[0].clone(); 17]), 400, "too-many"),
    ];
    for (what, record, status, code) in bad {
        let got = announced(&g, 30, &record).await?;
        ensure!(got == (status, code.to_owned()), "{what}: expected {status} {code}, got {got:?}");
    }
    for nobody in [&m, &victim] {
        let (status, _) = looked_up(&g, 30, nobody.domain.as_str()).await?;
        ensure!(status == 404, "what was refused is answered with {status}");
    }
    Ok(())
}

async fn answers(g: Arc<Ground>) -> anyhow::Result<()> {
    let m = Mallory::stranger();
    let record = m.record_now();
    check("announced", &announced(&g, 31, &record).await?.0.to_string(), "200")?;
    let answer = g.ask_hub(31, "GET", &format!("/v1/domains/{}", m.domain), b"").await?;
    ensure!(answer.status == 200 && answer.body == record, "not the bytes that were announced");
    ensure!(answer.head.contains("content-type: application/x-protobuf"), "{}", answer.head);
    ensure!(answer.head.contains("access-control-allow-origin: *"), "not for web pages: {}", answer.head);
    let navigation = g.ask_hub(31, "GET", &format!("/v1/navigation/{}", m.domain), b"").await?;
    let json: serde_json::Value = serde_json::from_slice(&navigation.body)?;
    ensure!(json["domain"] == m.domain.as_str() && json["proof"] == "key-name" && json["registration"] == "closed", "{json}");
    let unknown = g.ask_hub(31, "GET", &format!("/v1/domains/{}", Mallory::stranger().domain), b"").await?;
    ensure!(unknown.status == 404 && unknown.code() == "unknown-domain", "{} {}", unknown.status, unknown.code());
    for no_name in ["nobody", "..", "a.b.c.", &"x".repeat(300)] {
        let answer = g.ask_hub(31, "GET", &format!("/v1/domains/{no_name}"), b"").await?;
        ensure!([400, 404].contains(&answer.status), "{no_name}: {}", answer.status);
    }
    check("alive", &g.ask_hub(31, "GET", "/healthz", b"").await?.status.to_string(), "200")
}

async fn older(g: Arc<Ground>) -> anyhow::Result<()> {
    let m = Mallory::stranger();
    let record = |charter: u64, record: u64| m.record_with(|c| c.sequence = charter, |r| r.sequence = record);
    let newest = record(5, 51);
    for (record, status, code) in [
        (record(5, 50), 200, ""),
        (record(5, 49), 409, "older-record"),
        (record(4, 51), 409, "older-record"),
        (record(5, 50), 200, ""),
        (newest.clone(), 200, ""),
    ] {
        let got = announced(&g, 32, &record).await?;
        ensure!(got == (status, code.to_owned()), "expected {status} {code}, got {got:?}");
    }
    ensure!(looked_up(&g, 32, m.domain.as_str()).await?.1 == newest, "another record is answered");
    Ok(())
}

/// A name under which two keys are announced, and neither is proven: the first stays.
async fn another_root(g: Arc<Ground>) -> anyhow::Result<()> {
    let name = format!("m{:016x}.example", u64::from_be_bytes(startalk_hostile::mallory::random()));
    let first = Mallory { domain: name.parse()?, ..Mallory::stranger() };
    let second = Mallory { domain: name.parse()?, ..Mallory::stranger() };
    let record = first.record_now();
    check("the first", &announced(&g, 33, &record).await?.0.to_string(), "200")?;
    check("the second", &announced(&g, 33, &second.record_now()).await?.0.to_string(), "202")?;
    let (status, answered) = looked_up(&g, 33, &name).await?;
    ensure!(status == 200 && answered == record, "the second took the place of the first");
    Ok(())
}

async fn expired(g: Arc<Ground>) -> anyhow::Result<()> {
    let m = Mallory::stranger();
    let not_after_ms = now_ms() + 2500;
    let record = m.record_with(|_| {}, |r| r.not_after_ms = not_after_ms);
    check("announced", &announced(&g, 34, &record).await?.0.to_string(), "200")?;
    loop {
        let over = now_ms() >= not_after_ms;
        let (status, _) = looked_up(&g, 34, m.domain.as_str()).await?;
        if over {
            ensure!(status == 404, "at its end the record is answered with {status}");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
}

async fn listed(g: Arc<Ground>) -> anyhow::Result<()> {
    // One word of its own finds all four, if they are listed.
    let word = format!("w{:016x}", u64::from_be_bytes(startalk_hostile::mallory::random()));
    let announce = async |m: &Mallory, name: &str, listed: bool, gone: bool| {
        let record = m.record_with(
            |c| c.gone = gone,
            |r| {
                r.display_name = format!("{name} {word}");
                r.listed = listed;
            },
        );
        announced(&g, 35, &record).await
    };
    let unproven = Mallory { domain: format!("{word}.example").parse()?, ..Mallory::stranger() };
    announce(&Mallory::stranger(), "asked", true, false).await?;
    announce(&Mallory::stranger(), "shy", false, false).await?;
    announce(&Mallory::stranger(), "gone", true, true).await?;
    announce(&unproven, "unproven", true, false).await?;
    let page = g.ask_hub(35, "GET", &format!("/?q={word}&lang=en"), b"").await?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    for (name, expected) in [("asked", true), ("shy", false), ("gone", false), ("unproven", false)] {
        ensure!(page.contains(&format!("{name} {word}")) == expected, "{name}: listed is not {expected}");
    }
    Ok(())
}

async fn too_often(g: Arc<Ground>) -> anyhow::Result<()> {
    // One address, many domains.
    let mut refused = None;
    for _ in 0..200 {
        let answer = g.announce(36, &Mallory::stranger().record_now()).await?;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let Some(answer) = refused else { anyhow::bail!("one address announces as much as it likes") };
    ensure!(answer.code() == "slow-down" && answer.head.contains("retry-after: "), "{}", answer.head);
    // One domain, many addresses.
    let m = Mallory::stranger();
    for from in 40..140 {
        let answer = g.announce(from, &m.record_now()).await?;
        if answer.status == 429 {
            check("one domain", &answer.code(), "slow-down")?;
            // Which is its own trouble.
            return check("another", &announced(&g, 140, &Mallory::stranger().record_now()).await?.0.to_string(), "200");
        }
    }
    anyhow::bail!("one domain announces as much as it likes")
}

/// A label that mixes Latin letters with another script looks like another name.
async fn shown(g: Arc<Ground>) -> anyhow::Result<()> {
    let suffix = format!("m{:016x}.example", u64::from_be_bytes(startalk_hostile::mallory::random()));
    // "а" is Cyrillic in the first; the second is Chinese alone.
    for (label, expected) in [("xn--pple-43d", "xn--pple-43d".to_owned()), ("xn--fiqs8s", "\u{4e2d}\u{56fd}".to_owned())] {
        let name = format!("{label}.{suffix}");
        let m = Mallory { domain: name.parse()?, ..Mallory::stranger() };
        check("announced", &announced(&g, 37, &m.record_now()).await?.0.to_string(), "200")?;
        let answer = g.ask_hub(37, "GET", &format!("/v1/navigation/{name}"), b"").await?;
        let json: serde_json::Value = serde_json::from_slice(&answer.body)?;
        ensure!(json["shown"] == format!("{expected}.{suffix}"), "{name} is shown as {}", json["shown"]);
    }
    Ok(())
}
