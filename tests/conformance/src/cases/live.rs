//! Chapter 3 §3, §7, §8 and §9: an open link over time, what may be lost on it, and a second one beside it.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use prost::Message as _;
use startalk_client::Event;
use startalk_hostile::{
    Connection, Line, Mallory, Over,
    connection::{BOTH, framed},
    items::says,
    mallory::{now_ms, random},
    position,
};
use startalk_protocol::pb::link::{self as pb, Frame, ephemeral::Kind as What, frame::Frame as Kind};

use super::{acquainted, check, refusal};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("live-link-key-that-ends", &["hello.key-ends"], key_ends),
        case("live-ping-is-answered", &["time.pong"], pong),
        case("live-silence-is-asked-and-then-ended", &["time.ping", "time.dead"], silence),
        case("live-dialed-peer-says-nothing", &["time.ready"], never_ready).needs(Needs::PersonAndHub),
        case("ephemeral-not-acceptable", &["ephemerals.dropped"], bad_ephemerals),
        case("ephemeral-in-datagrams", &["ephemerals.dropped"], datagrams),
        case("ephemeral-flood-delays-no-batch", &["ephemerals.flood"], flood),
        case("ephemeral-is-heard", &["ephemerals.heard"], heard).needs(Needs::Person),
        case("second-link-of-who-dialed-the-first", &["one-link.replace", "one-link.only"], replaced),
        case("second-link-where-the-first-is-dead", &["one-link.replace"], dead_first),
        case("second-link-of-two-copies", &["one-link.two-copies"], two_copies),
        case("second-link-where-the-node-dialed-the-first", &["one-link.only"], node_dialed).needs(Needs::PersonAndHub),
        case("second-link-is-not-dialed", &["one-link.no-dial"], not_dialed).needs(Needs::PersonAndHub),
        case("sender-keeps-to-the-window", &["acks.window"], window).needs(Needs::Person),
    ]
}

/// A link key that has a few seconds left.
async fn key_ends(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        let record = mallory.record_with(|c| c.link_keys[0].not_after_ms = now_ms() + 4000, |_| {});
        let hello = mallory.hello(&g.domain, record);
        let mut line = mallory.link_with(over, &g.address, &g.domain, hello).await?;
        line.lives().await?;
        check(&format!("over {over:?}"), &line.closed().await?.code, "wrong-key")?;
    }
    Ok(())
}

async fn pong(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        for nonce in [0, 1, u64::MAX] {
            line.connection.say(Kind::Ping(pb::Ping { nonce })).await;
            while !line.beats.contains(&(false, nonce)) {
                line.pump().await?;
            }
        }
        // Of many, the last.
        for nonce in 1000..3000 {
            line.connection.say(Kind::Ping(pb::Ping { nonce })).await;
        }
        while !line.beats.contains(&(false, 2999)) {
            line.pump().await?;
        }
        // Pongs that nobody asked for say nothing.
        for nonce in [0, 77, u64::MAX] {
            line.connection.say(Kind::Pong(pb::Pong { nonce })).await;
        }
        line.lives().await?;
    }
    Ok(())
}

/// Nobody answers: the node asks at least twice before it gives up.
async fn silence(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in [Over::Tls] {
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        let mut nonces = Vec::new();
        loop {
            match line.connection.hear().await?.context("closed without a word")? {
                Kind::Ping(ping) => nonces.push(ping.nonce),
                Kind::Close(close) => {
                    check("the end", &close.error.unwrap_or_default().code, "idle-timeout")?;
                    ensure!(nonces.len() >= 2, "pings before the end: {nonces:?}");
                    break;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

async fn never_ready(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, mut station) = g.stationed(10).await?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "are you there?").await?;
    let mut connection = station.arrival().await?;
    let hello = connection.welcomed().await.context("a dialer says hello at once")?;
    ensure!(hello.to == mallory.domain.as_str(), "a hello to {}", hello.to);
    check("who never says hello", &connection.refused().await?.code, "idle-timeout")
}

fn ephemeral(from: &str, to: &str, kind: What) -> pb::Ephemeral {
    pb::Ephemeral { from: from.to_owned(), to: to.to_owned(), kind: Some(kind) }
}

fn bad() -> Vec<pb::Ephemeral> {
    let typing = What::Typing(true);
    vec![
        pb::Ephemeral::default(),
        pb::Ephemeral { from: "mallory".to_owned(), to: "alice".to_owned(), kind: None },
        ephemeral("Mallory", "alice", typing.clone()),
        ephemeral("mallory@other.example", "alice", typing.clone()),
        ephemeral("mallory", "a b", typing.clone()),
        ephemeral("mallory", &"a".repeat(600), typing),
        ephemeral("mallory", "alice", What::Presence("x".repeat(1000))),
        ephemeral("mallory", "alice", What::Presence("of-a-later-version".to_owned())),
        ephemeral("mallory", "alice", What::Presence("x".repeat(200_000))),
    ]
}

async fn bad_ephemerals(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        let mut connection = Connection::dial(over, &g.address, &g.domain, &mallory.link).await?;
        // In one breath with the hello: they come before the link is ready.
        let hello = framed(Kind::Hello(mallory.hello(&g.domain, mallory.record_now())));
        let early = framed(Kind::Ephemeral(ephemeral("mallory", "nobody", What::Typing(true))));
        connection.say_bytes([hello, early].concat()).await;
        let hello = connection.welcomed().await?;
        let mut line = Line::opened(connection, mallory, g.domain.clone(), hello)?;
        for bad in bad() {
            line.connection.say(Kind::Ephemeral(bad)).await;
        }
        line.lives().await?;
    }
    Ok(())
}

async fn datagrams(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let mut connection = Connection::dial(Over::Quic, &g.address, &g.domain, &mallory.link).await?;
    let datagram = |frame: Kind| Bytes::from(Frame { frame: Some(frame) }.encode_to_vec());
    let typing = datagram(Kind::Ephemeral(ephemeral("mallory", "nobody", What::Typing(true))));
    // Before anything was said.
    connection.say_datagram(typing.clone());
    let hello = mallory.hello(&g.domain, mallory.record_now());
    connection.say(Kind::Hello(hello)).await;
    let hello = connection.welcomed().await?;
    let mut line = Line::opened(connection, mallory, g.domain.clone(), hello)?;
    let close = pb::Close { error: Some(pb::Error { code: "stopping".to_owned(), ..pb::Error::default() }) };
    let batch = line.mallory.batch(&g.domain, 1, &[says("mallory", "nobody", "x")]);
    for strange in [
        Bytes::new(),
        vec![0xff; 30].into(),
        vec![0; 1000].into(),
        datagram(Kind::Close(close)),
        datagram(Kind::Batch(batch)),
        datagram(Kind::Ping(pb::Ping { nonce: 4242 })),
        [&typing[..], &typing].concat().into(),
    ] {
        line.connection.say_datagram(strange);
    }
    bad().into_iter().for_each(|bad| line.connection.say_datagram(datagram(Kind::Ephemeral(bad))));
    line.lives().await?;
    // Only an ephemeral counts in a datagram.
    line.lives().await?;
    ensure!(!line.beats.contains(&(false, 4242)), "a ping in a datagram was answered");
    ensure!(line.acked == 0, "a batch in a datagram was taken");
    Ok(())
}

async fn flood(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        let one = framed(Kind::Ephemeral(ephemeral("mallory", "nobody", What::Typing(true))));
        let many = one.repeat(500);
        for _ in 0..20 {
            line.connection.say_bytes(many.clone()).await;
            if over == Over::Quic {
                for _ in 0..500 {
                    line.connection.say_datagram(one.slice(4..));
                }
            }
        }
        check("an item behind ten thousand of them", &line.give(says("mallory", "nobody", "x")).await?, "")?;
        line.lives().await?;
    }
    Ok(())
}

async fn heard(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    let name = alice.name().to_owned();
    let of = |who: String| {
        move |event: &Event| match event {
            Event::Typing { user, typing: true, .. } if *user == who => Some(()),
            _ => None,
        }
    };
    // Of a stranger of the same domain nothing is shown; of an acquaintance it is.
    line.connection.say(Kind::Ephemeral(ephemeral("eve", &name, What::Typing(true)))).await;
    line.connection.say(Kind::Ephemeral(ephemeral("mallory", &name, What::Typing(true)))).await;
    alice.hears("that somebody types", of(user)).await?;
    ensure!(alice.heard(of(format!("eve@{}", line.mallory.domain))).is_empty(), "a stranger's typing is shown");
    Ok(())
}

/// Who dials again has given the other up.
async fn replaced(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut first = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        first.deliver(&[says("mallory", "nobody", "1"), says("mallory", "nobody", "2")]).await?;
        // Sent on the first, and not waited for: it counts or not, but the second begins where the first ended.
        first.send(&[says("mallory", "nobody", "3")]).await;
        let mut second = first.mallory.clone().link(over, &g.address, &g.domain).await?;
        check("the first", &first.closed().await?.code, "second-link")?;
        let told = second.hello.received.clone().unwrap_or_default();
        ensure!(told.sequence >= 2, "the second begins behind {told:?}");
        if told.sequence == 3 {
            ensure!(told == position(&first.mallory.sent), "another history: {told:?}");
        } else {
            let again = second.mallory.batch(&g.domain, 3, &[says("mallory", "nobody", "3 again")]);
            second.connection.say(Kind::Batch(again)).await;
            second.connection.acknowledged(3).await?;
        }
        second.lives().await?;
    }
    Ok(())
}

/// The first does not answer any more, and its process was another one.
async fn dead_first(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut first = g.link(Mallory::stranger()).await?;
    first.lives().await?;
    let restarted = Mallory { instance: random(), ..first.mallory.clone() };
    // Nobody hears the first meanwhile.
    let mut second = g.link(restarted).await?;
    second.lives().await?;
    check("the first", &first.closed().await?.code, "second-link")
}

async fn two_copies(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut first = g.link(Mallory::stranger()).await?;
    first.lives().await?;
    let copy = Mallory { instance: random(), ..first.mallory.clone() };
    let answering = async {
        // Answers pings until the link ends.
        loop {
            match first.connection.hear().await? {
                Some(Kind::Ping(pb::Ping { nonce })) => first.connection.say(Kind::Pong(pb::Pong { nonce })).await,
                Some(Kind::Close(close)) => return anyhow::Ok(close.error.unwrap_or_default().code),
                Some(_) => {}
                None => return Ok(String::new()),
            }
        }
    };
    let dialing = refusal(&g, Over::Quic, &copy.link, copy.hello(&g.domain, copy.record_now()));
    let (one, other) = tokio::join!(answering, dialing);
    check("the first", &one?, "two-copies")?;
    check("the second", &other?.code, "two-copies")?;
    for again in [&first.mallory, &copy] {
        let error = refusal(&g, Over::Tls, &again.link, again.hello(&g.domain, again.record_now())).await?;
        check("afterwards", &error.code, "two-copies")?;
    }
    Ok(())
}

async fn node_dialed(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, mut station) = g.stationed(11).await?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "I dialed").await?;
    let mut first = station.link(mallory.clone()).await?;
    while first.heard.is_empty() {
        first.pump().await?;
    }
    let second = refusal(&g, Over::Quic, &mallory.link, mallory.hello(&g.domain, mallory.record_now()));
    let answering = async {
        loop {
            first.pump().await?;
            if first.beats.iter().any(|(ping, _)| *ping) {
                return anyhow::Ok(());
            }
        }
    };
    let (answered, second) = tokio::join!(answering, second);
    answered?;
    check("the second", &second?.code, "second-link")?;
    first.lives().await
}

async fn not_dialed(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, station) = g.stationed(12).await?;
    let user = format!("mallory@{}", mallory.domain);
    let mut line = acquainted(&g, mallory, "mallory").await?;
    for words in ["over", "this", "link"] {
        g.alice().says(&user, words).await?;
        while line.item().await?.1.to != "mallory" {}
    }
    ensure!(station.links() == 0, "the node dialed while it had a link");
    Ok(())
}

/// Nobody reads and nobody acknowledges, and alice has much to say.
async fn window(g: Arc<Ground>) -> anyhow::Result<()> {
    const WINDOW: usize = 2048;
    const MORE: usize = 100;
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user: startalk_client::UserId = format!("mallory@{}", line.mallory.domain).parse()?;
    // Somebody of her own, so that nothing else waits behind it.
    let session = &g.bob().session;
    check("to bob", &line.give(says("mallory", g.bob().name(), "hi")).await?, "")?;
    g.bob().accepts(&user.to_string()).await?;
    for n in 0..WINDOW + MORE {
        session.send(user.clone(), startalk_client::content::text(&format!("{n}")), Bytes::new()).await?;
    }
    session.drained().await;
    while line.heard.len() < WINDOW {
        line.pump().await?;
    }
    for _ in 0..5 {
        line.lives().await?;
    }
    ensure!(line.heard.len() == WINDOW, "{} entries came without an ack", line.heard.len());
    line.acknowledge().await;
    while line.heard.len() < WINDOW + MORE {
        line.pump().await?;
    }
    Ok(())
}
