//! Chapter 3 §6: acks of both sides, and what was refused.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use startalk_client::Event;
use startalk_hostile::{
    Line, Mallory,
    items::{code, message_of, new_id, says},
    mallory::random,
};
use startalk_protocol::pb::link::{self as pb, entry::Entry as WireKind, frame::Frame as Kind};

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("ack-of-what-was-never-sent", &["acks.bad"], never_sent),
        case("ack-of-another-epoch", &["acks.bad"], other_epoch),
        case("ack-with-bad-refusals", &["acks.bad", "acks.refused"], bad_refusals).needs(Needs::Person),
        case("ack-with-too-many-refusals", &["acks.refused"], too_many),
        case("ack-lower-than-before", &["acks.lower"], lower).needs(Needs::Person),
        case("ack-is-lost-and-the-same-bytes-come-again", &["histories.same-bytes", "items.same-bytes"], lost)
            .needs(Needs::Person),
        case("ack-refusal-is-shown-to-the-author", &["acks.refused", "items.show-refusal"], shown).needs(Needs::Person),
        case("ack-refusal-is-told-twice", &["acks.again-accepted"], twice).needs(Needs::Person),
        case("ack-with-many-refusals-of-the-nodes", &["acks.overtake"], many),
        case("ack-repeats-refusals-on-the-next-link", &["acks.again"], repeated),
    ]
}

async fn check_ack(g: &Ground, expected: &str, ack: impl FnOnce(&Line) -> pb::Ack) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let ack = ack(&line);
    line.connection.say(Kind::Ack(ack)).await;
    check("the ack", &line.closed().await?.code, expected)
}

fn of(line: &Line, sequence: u64, refused: Vec<pb::Refused>) -> pb::Ack {
    pb::Ack { epoch: line.theirs.epoch.to_vec().into(), sequence, refused }
}

fn refusal(sequence: u64, code: &str) -> pb::Refused {
    pb::Refused { sequence, error: Some(pb::Error { code: code.to_owned(), ..pb::Error::default() }) }
}

async fn never_sent(g: Arc<Ground>) -> anyhow::Result<()> {
    for sequence in [1, 2049, u64::MAX] {
        check_ack(&g, "out-of-order", |line| of(line, sequence, Vec::new())).await?;
    }
    Ok(())
}

async fn other_epoch(g: Arc<Ground>) -> anyhow::Result<()> {
    for epoch in [random::<16>().to_vec(), Vec::new()] {
        check_ack(&g, "malformed", |_| pb::Ack { epoch: epoch.into(), ..pb::Ack::default() }).await?;
    }
    Ok(())
}

/// A link on which the node has sent three messages and knows of no ack.
async fn three_sent(g: &Ground) -> anyhow::Result<Line> {
    let mut line = acquainted(g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    let mut messages = 0;
    for words in ["first", "second", "third"] {
        g.alice().says(&user, words).await?;
    }
    while messages < 3 {
        messages += usize::from(is_message(&line.item().await?.1));
    }
    Ok(line)
}

fn is_message(item: &pb::Item) -> bool {
    matches!(item.kind, Some(pb::item::Kind::Message(_)))
}

async fn bad_refusals(g: Arc<Ground>) -> anyhow::Result<()> {
    let bad: [fn() -> Vec<pb::Refused>; 5] = [
        || vec![refusal(2, "blocked"), refusal(1, "blocked")],
        || vec![refusal(1, "blocked"), refusal(1, "blocked")],
        || vec![refusal(3, "blocked")],
        || vec![refusal(0, "blocked")],
        || vec![pb::Refused { sequence: 1, error: None }],
    ];
    let mut mallory = three_sent(&g).await?.leave();
    for bad in bad {
        let mut line = g.link(mallory).await?;
        while line.theirs.sequence < 3 {
            line.pump().await?;
        }
        let ack = of(&line, 2, bad());
        line.connection.say(Kind::Ack(ack)).await;
        check(&format!("{:?}", bad()), &line.closed().await?.code, "malformed")?;
        mallory = line.leave();
    }
    Ok(())
}

async fn too_many(g: Arc<Ground>) -> anyhow::Result<()> {
    check_ack(&g, "too-many", |line| of(line, 0, (1..=65).map(|n| refusal(n, "blocked")).collect())).await
}

async fn lower(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = three_sent(&g).await?;
    line.acknowledge().await;
    for sequence in [1, 0] {
        let ack = of(&line, sequence, Vec::new());
        line.connection.say(Kind::Ack(ack)).await;
    }
    line.lives().await
}

/// The bytes of the next entries of the node.
async fn entries(line: &mut Line, count: usize) -> anyhow::Result<Vec<Bytes>> {
    while line.heard.len() < count {
        line.pump().await?;
    }
    let bytes = |(_, entry): &(u64, WireKind)| match entry {
        WireKind::Item(bytes) | WireKind::Withheld(bytes) => bytes.clone(),
    };
    Ok(line.heard.iter().take(count).map(bytes).collect())
}

async fn lost(g: Arc<Ground>) -> anyhow::Result<()> {
    let line = three_sent(&g).await?;
    let count = usize::try_from(line.theirs.sequence)?;
    let mut seen = Vec::new();
    let mut mallory = line.leave();
    for _ in 0..3 {
        let mut line = g.link(mallory).await?;
        seen.push(entries(&mut line, count).await?);
        mallory = line.leave();
    }
    ensure!(seen[0] == seen[1] && seen[1] == seen[2], "what was not acknowledged came again with other bytes");
    Ok(())
}

async fn shown(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = three_sent(&g).await?;
    let conversation = g.alice().conversation_told(&format!("mallory@{}", line.mallory.domain)).await?.conversation;
    let sequence = line.theirs.sequence;
    line.acknowledge_with(vec![refusal(sequence, "blocked")]).await;
    let refused = |event: &Event| match event {
        Event::Changed { conversation: c, message } if *c == conversation && !message.refused.is_empty() => {
            Some((crate::witness::words(message), message.refused.clone()))
        }
        _ => None,
    };
    let (words, code) = g.alice().hears("a refusal", refused).await?;
    ensure!(words == "third" && code == "blocked", "{words} is shown as refused: {code}");
    Ok(())
}

async fn twice(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = three_sent(&g).await?;
    let sequence = line.theirs.sequence;
    for _ in 0..2 {
        line.acknowledge_with(vec![refusal(sequence, "blocked")]).await;
        line.lives().await?;
    }
    let mut line = g.link(line.leave()).await?;
    line.acknowledge_with(vec![refusal(sequence, "blocked")]).await;
    line.lives().await
}

/// What a stranger may not send, whoever it is for.
fn refused_item() -> Bytes {
    message_of("mallory", "nobody", new_id(), code("not in a request"))
}

async fn many(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let items: Vec<Bytes> =
        (0..300).map(|n| if n % 3 == 2 { says("mallory", "nobody", "good") } else { refused_item() }).collect();
    let refused = line.deliver(&items).await?;
    let expected: Vec<usize> = (0..300).filter(|n| n % 3 != 2).collect();
    ensure!(refused.keys().copied().eq(expected.iter().copied()), "200 of 300 are refused, told were {}", refused.len());
    ensure!(refused.values().all(|code| code == "bad-value"), "{refused:?}");
    ensure!(!line.overtaken, "an ack went past a refusal that was not told yet");
    Ok(())
}

async fn repeated(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    line.deliver(&[says("mallory", "nobody", "good"), refused_item(), refused_item()]).await?;
    let mut line = g.link(line.leave()).await?;
    while line.acked < 3 {
        line.pump().await?;
    }
    let told: Vec<u64> = line.refused.keys().copied().collect();
    ensure!(told == [2, 3], "told again were {told:?}");
    Ok(())
}
