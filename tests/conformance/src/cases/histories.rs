//! Chapter 3 §4: what both hellos say of the two outboxes, and what follows where they do not agree.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use startalk_hostile::{Connection, Line, Mallory, Over, connection::framed, items::says, mallory::random, position};
use startalk_link::Position;
use startalk_protocol::pb::link::{self as pb, frame::Frame as Kind};

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("history-cursor-is-told-as-it-was-sent", &["histories.cursor", "histories.theirs"], cursor),
        case("history-cursor-ahead-of-the-node", &["histories.we-went-back"], ahead),
        case("history-cursor-of-another-epoch-counts-as-none", &["histories.ours"], other_epoch),
        case("history-cursor-of-another-past", &["histories.we-went-back", "histories.ours"], other_past)
            .needs(Needs::Person)
            .alone(),
        case("history-goes-on-behind-the-cursor", &["histories.ours"], goes_on).needs(Needs::Person),
        case("history-one-side-says-it", &["histories.one-sided"], one_sided),
        case("history-places-that-the-node-knows", &["histories.known"], known),
        case("history-peer-went-back", &["histories.peer-went-back"], peer_back),
        case("history-peer-begins-a-new-epoch", &["histories.theirs"], new_epoch),
        case("history-new-epoch-with-the-same-messages", &["histories.theirs", "items.message"], again).needs(Needs::Person),
        case("history-both-went-back", &["histories.own-first"], both),
        case("history-close-behind-the-hello", &["histories.own-first", "transport.end"], close_behind),
        case("history-lie-of-a-stranger-troubles-nobody-else", &["histories.alone"], alone),
    ]
}

fn sent(hello: &pb::Hello) -> pb::StreamPosition {
    hello.sent.clone().unwrap_or_default()
}

/// Says hello with this cursor and this end of the outbox, and hears with what the node closes after its own hello.
async fn closes(g: &Ground, mallory: &Mallory) -> anyhow::Result<pb::Error> {
    let mut line = g.link(mallory.clone()).await?;
    line.closed().await
}

/// What the node says to have of Mallory's.
async fn received(g: &Ground, mallory: &Mallory) -> anyhow::Result<(pb::StreamPosition, Line)> {
    let line = g.link(mallory.clone()).await?;
    Ok((line.hello.received.clone().unwrap_or_default(), line))
}

async fn cursor(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    for count in [1, 3, 70] {
        let items: Vec<_> = (0..count).map(|_| says("mallory", "nobody", "hi")).collect();
        line.deliver(&items).await?;
        let mallory = line.leave();
        let told;
        (told, line) = received(&g, &mallory).await?;
        ensure!(told == position(&mallory.sent), "the node says to have {told:?}, it acknowledged {:?}", mallory.sent);
    }
    Ok(())
}

async fn ahead(g: Arc<Ground>) -> anyhow::Result<()> {
    let line = g.link(Mallory::stranger()).await?;
    let epoch = line.theirs.epoch;
    let mut mallory = line.leave();
    mallory.received = Some(Position { epoch, sequence: 5, running: [1; 32] });
    let error = closes(&g, &mallory).await?;
    check("a cursor ahead", &error.code, "went-back")?;
    ensure!(error.params.get("domain").is_some_and(|d| d == g.domain.as_str()), "it was the node that went back: {error:?}");
    // It has begun a new epoch, in which that cursor says nothing.
    let mut line = g.link(mallory).await?;
    ensure!(sent(&line.hello).epoch != epoch[..], "the node goes on in the epoch that was cut");
    line.lives().await
}

async fn other_epoch(g: Arc<Ground>) -> anyhow::Result<()> {
    let line = g.link(Mallory::stranger()).await?;
    let epoch = line.theirs.epoch;
    let mut mallory = line.leave();
    mallory.received = Some(Position { epoch: random(), sequence: 5, running: [1; 32] });
    let mut line = g.link(mallory).await?;
    line.lives().await?;
    let mut mallory = line.leave();
    mallory.received = Some(Position::start(epoch));
    let mut line = g.link(mallory).await?;
    line.lives().await?;
    ensure!(sent(&line.hello).epoch == epoch[..], "the node began a new epoch for nothing");
    Ok(())
}

async fn other_past(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    for words in ["first", "second"] {
        g.alice().says(&user, words).await?;
    }
    let mut before = Vec::new();
    while before.len() < 2 {
        before.extend(id_of(&line.item().await?.1));
    }
    let theirs = line.theirs;
    let mut mallory = line.leave();
    mallory.received = Some(Position { running: [1; 32], ..theirs });
    check("another past", &closes(&g, &mallory).await?.code, "went-back")?;
    // What it may lack comes again: the same messages by their ids, in a new epoch.
    mallory.received = None;
    let mut line = g.link(mallory).await?;
    ensure!(line.theirs.epoch != theirs.epoch, "the node goes on in the epoch that was cut");
    let mut after = Vec::new();
    while after.len() < 2 {
        after.extend(id_of(&line.item().await?.1));
    }
    ensure!(before == after, "sent again with other ids: {before:?}, {after:?}");
    Ok(())
}

fn id_of(item: &pb::Item) -> Option<bytes::Bytes> {
    match &item.kind {
        Some(pb::item::Kind::Message(message)) => Some(message.id.clone()),
        _ => None,
    }
}

async fn goes_on(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    g.alice().says(&user, "first").await?;
    while id_of(&line.item().await?.1).is_none() {}
    line.mallory.received = Some(line.theirs);
    let after = line.theirs.sequence;
    let mallory = line.leave();
    // Without an ack: the hello says it too.
    let mut line = g.link(mallory).await?;
    g.alice().says(&user, "second").await?;
    let (sequence, item) = line.item().await?;
    ensure!(sequence == after + 1, "the node goes on with {sequence} behind {after}");
    let again = format!("{item:?}").contains("first");
    ensure!(!again, "what the cursor covers was sent again");
    Ok(())
}

async fn peer_back(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    line.deliver(&[says("mallory", "nobody", "1"), says("mallory", "nobody", "2")]).await?;
    let before = line.mallory.sent;
    line.deliver(&[says("mallory", "nobody", "3")]).await?;
    let mut mallory = line.leave();
    let true_end = mallory.sent;
    let start = Position::start(true_end.epoch);
    for wrong in [start, before, Position { running: [1; 32], ..true_end }] {
        mallory.sent = wrong;
        let error = closes(&g, &mallory).await?;
        check(&format!("an outbox that ends at {wrong:?}"), &error.code, "went-back")?;
        ensure!(error.params.get("domain").is_some_and(|d| d == mallory.domain.as_str()), "not Mallory went back: {error:?}");
    }
    // Nothing of that has moved the cursor.
    mallory.sent = true_end;
    let (told, mut line) = received(&g, &mallory).await?;
    ensure!(told == position(&true_end), "the node says to have {told:?}");
    line.lives().await
}

/// What the node says to have had is what it was sent, the newest first.
async fn known(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut mallory = Mallory::stranger();
    let mut places = Vec::new();
    for _ in 0..3 {
        let hello = pb::Hello { features: vec!["history".to_owned()], ..mallory.hello(&g.domain, mallory.record_now()) };
        let mut line = mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?;
        for _ in 0..5 {
            line.deliver(&[says("mallory", "nobody", "hi")]).await?;
            places.push(position(&line.mallory.sent));
        }
        mallory = line.leave();
        mallory.begin_epoch();
    }
    let hello = pb::Hello { features: vec!["history".to_owned()], ..mallory.hello(&g.domain, mallory.record_now()) };
    let line = mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?;
    let mut at = places.len();
    for place in &line.hello.known {
        let found = places.iter().position(|p| p == place).context("the node says to have had what was never sent")?;
        ensure!(found < at, "places that do not go back: {:?}", line.hello.known);
        at = found;
    }
    Ok(())
}

/// `known` is said by who lists the feature, to one that does not list it too, and is looked at if its sender lists it.
async fn one_sided(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    line.deliver(&[says("mallory", "nobody", "hi"), says("mallory", "nobody", "hi")]).await?;
    let place = position(&line.mallory.sent);
    let mut mallory = line.leave();
    mallory.begin_epoch();
    let mut line = g.link(mallory).await?;
    line.deliver(&[says("mallory", "nobody", "hi")]).await?;
    let line = g.link(line.leave()).await?;
    let lists = line.hello.features.iter().any(|f| f == "history");
    ensure!(line.hello.known.contains(&place) == lists, "lists `history`: {lists}, and says {:?}", line.hello.known);
    let mallory = line.leave();
    for (features, expected) in [(Vec::new(), ""), (vec!["history".to_owned()], "malformed")] {
        let known = vec![pb::StreamPosition { sequence: 0, ..position(&mallory.sent) }];
        let hello = pb::Hello { features, known, ..mallory.hello(&g.domain, mallory.record_now()) };
        let mut connection = Connection::dial(Over::Quic, &g.address, &g.domain, &mallory.link).await?;
        connection.say(Kind::Hello(hello)).await;
        match connection.hear().await? {
            Some(Kind::Hello(_)) => check("a place before all items", "", expected)?,
            Some(Kind::Close(close)) => check("a place before all items", &close.error.unwrap_or_default().code, expected)?,
            other => anyhow::bail!("expected a hello or a close, heard {other:?}"),
        }
    }
    Ok(())
}

async fn new_epoch(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    line.deliver(&[says("mallory", "nobody", "1"), says("mallory", "nobody", "2")]).await?;
    let mut mallory = line.leave();
    mallory.begin_epoch();
    let mut line = g.link(mallory).await?;
    check("the first of the new epoch", &line.give(says("mallory", "nobody", "3")).await?, "")?;
    let mallory = line.leave();
    let (told, _line) = received(&g, &mallory).await?;
    ensure!(told == position(&mallory.sent), "the node says to have {told:?}");
    Ok(())
}

async fn again(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    let alice = g.alice();
    let items: Vec<_> = (0..5).map(|n| says("mallory", alice.name(), &format!("once {n}"))).collect();
    line.deliver(&items).await?;
    let mut mallory = line.leave();
    mallory.begin_epoch();
    let mut line = g.link(mallory).await?;
    let refused = line.deliver(&items).await?;
    ensure!(refused.is_empty(), "what was sent again is refused: {refused:?}");
    line.deliver(&[says("mallory", alice.name(), "and on")]).await?;
    let words = alice.words(&user).await?;
    let expected: Vec<String> = ["hello"]
        .into_iter()
        .map(str::to_owned)
        .chain((0..5).map(|n| format!("once {n}")))
        .chain(["and on".to_owned()])
        .collect();
    ensure!(words == expected, "expected each message once, in order: {words:?}");
    Ok(())
}

/// Both told only the other's fault would never begin anew.
async fn both(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    line.deliver(&[says("mallory", "nobody", "1")]).await?;
    let epoch = line.theirs.epoch;
    let mut mallory = line.leave();
    let true_end = mallory.sent;
    mallory.sent = Position::start(true_end.epoch);
    mallory.received = Some(Position { epoch, sequence: 9, running: [1; 32] });
    check("both went back", &closes(&g, &mallory).await?.code, "went-back")?;
    (mallory.sent, mallory.received) = (true_end, None);
    let mut line = g.link(mallory).await?;
    ensure!(line.theirs.epoch != epoch, "the node compared only the history of the peer");
    line.lives().await
}

/// Whoever says to have more than there is makes the node begin anew with it, and with nobody else.
async fn alone(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut honest = g.link(Mallory::stranger()).await?;
    let epoch = honest.theirs.epoch;
    for _ in 0..3 {
        let line = g.link(Mallory::stranger()).await?;
        let theirs = line.theirs.epoch;
        let mut liar = line.leave();
        liar.received = Some(Position { epoch: theirs, sequence: 5, running: [1; 32] });
        check("the lie", &closes(&g, &liar).await?.code, "went-back")?;
        liar.received = None;
        ensure!(g.link(liar).await?.theirs.epoch != theirs, "the node goes on in the epoch of which it was told");
        honest.lives().await.context("the link of somebody else")?;
    }
    let line = g.link(honest.leave()).await?;
    ensure!(line.theirs.epoch == epoch, "the outbox to somebody else began anew");
    Ok(())
}

async fn close_behind(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in [Over::Quic, Over::Tls] {
        let line = g.link(Mallory::stranger()).await?;
        let epoch = line.theirs.epoch;
        let mut mallory = line.leave();
        mallory.received = Some(Position { epoch, sequence: 5, running: [1; 32] });
        let hello = Kind::Hello(mallory.hello(&g.domain, mallory.record_now()));
        let error = pb::Error { code: "went-back".to_owned(), ..pb::Error::default() };
        let close = Kind::Close(pb::Close { error: Some(error) });
        let mut connection = Connection::dial(over, &g.address, &g.domain, &mallory.link).await?;
        connection.say_bytes([framed(hello), framed(close)].concat()).await;
        connection.finish().await;
        while connection.hear().await?.is_some() {}
        mallory.received = None;
        let line = g.link(mallory).await.context("afterwards")?;
        ensure!(line.theirs.epoch != epoch, "over {over:?} the node did not look at the hello before the close");
        line.leave();
    }
    Ok(())
}
