//! Much of everything at once: who floods gets nothing for it, and others go on.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use startalk_hostile::{
    Connection, Mallory, Over,
    connection::{BOTH, framed},
    items::says,
};
use startalk_protocol::pb::link::frame::Frame as Kind;

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("flood-of-connections", &["time.hello"], connections).needs(Needs::Person).alone(),
        case("flood-of-half-hellos", &["time.hello", "frames.early"], half_hellos).alone(),
        case("flood-of-links-of-one-domain", &["one-link.only"], links).alone(),
        case("flood-of-items", &["requests.messages", "requests.open"], items).needs(Needs::Person).alone(),
    ]
}

async fn connections(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(tokio::net::TcpStream::connect((g.address.host.as_str(), g.address.port)).await?);
    }
    // Those who are there go on, and others get in.
    let user = format!("mallory@{}", line.mallory.domain);
    g.alice().says(&user, "I hear nothing").await?;
    while line.item().await?.1.to != "mallory" {}
    g.link(Mallory::stranger()).await.context("beside the silent")?.lives().await?;
    drop(silent);
    line.lives().await
}

/// Connections that begin a hello and do not end it. While they last, others may have to wait; not longer.
async fn half_hellos(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let hello = framed(Kind::Hello(mallory.hello(&g.domain, mallory.record_now())));
    let mut half = Vec::new();
    for n in 0..200 {
        let over = BOTH[n % 2];
        if let Ok(mut connection) = Connection::dial(over, &g.address, &g.domain, &mallory.link).await {
            connection.say_bytes(hello.slice(..hello.len() - 1)).await;
            half.push(connection);
        }
    }
    ensure!(half.len() >= 100, "only {} of 200 connections were made", half.len());
    // As many as were let in are closed with a word; the others without.
    for mut connection in half {
        let code = connection.refused().await?.code;
        ensure!(code.is_empty() || code == "idle-timeout", "closed with {code}");
    }
    g.link(Mallory::stranger()).await.context("after the flood")?.lives().await
}

/// One domain that dials and dials: one link stays, and it is good.
async fn links(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let mut all = Vec::new();
    for _ in 0..50 {
        let mut connection = Connection::dial(Over::Quic, &g.address, &g.domain, &mallory.link).await?;
        connection.say(Kind::Hello(mallory.hello(&g.domain, mallory.record_now()))).await;
        all.push(connection);
    }
    // Each is answered somehow.
    for connection in &mut all {
        connection.hear().await?;
    }
    let mut line = g.link(mallory).await.context("one more")?;
    line.lives().await?;
    for mut connection in all {
        let code = connection.closed_with().await?;
        ensure!(["", "second-link", "slow-down"].contains(&code.as_str()), "closed with {code}");
    }
    line.lives().await
}

/// Many thousand messages of strangers to everybody and nobody: each has its end, and next to none is kept.
async fn items(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let alice = g.alice();
    let items: Vec<Bytes> =
        (0..2000).map(|n| says(&format!("m{}", n % 100), if n % 2 == 0 { alice.name() } else { "nobody" }, "buy")).collect();
    let refused = line.deliver(&items).await?;
    ensure!(refused.is_empty(), "{} of them are refused", refused.len());
    let mut other = g.link(Mallory::stranger()).await?;
    check("somebody else", &other.give(says("other", alice.name(), "hi")).await?, "")?;
    alice.conversation_told(&format!("other@{}", other.mallory.domain)).await?;
    let of_domain = format!("@{}", line.mallory.domain);
    let all = alice.session.conversations().await?;
    let kept: u64 = all.iter().filter(|c| c.peer.as_ref().is_some_and(|p| p.user.ends_with(&of_domain))).map(|c| c.head).sum();
    ensure!(kept <= 400, "{kept} messages of strangers of one domain were kept");
    Ok(())
}
