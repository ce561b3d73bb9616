//! The cases, one file for each behaviour, in the order of the specification.

mod acks;
mod batches;
mod changes;
mod discovery;
mod files;
mod floods;
mod followers;
mod frames;
mod groups;
mod hello;
mod histories;
mod homes;
mod hubs;
mod items;
mod live;
mod records;
mod strangers;
mod succession;

use anyhow::ensure;
use bytes::Bytes;
use startalk_hostile::{Connection, Line, Mallory, Over, connection::BOTH, items::says};
use startalk_protocol::{
    pb::link::{self as pb, frame::Frame as Kind},
    signing::SecretKey,
};

use crate::{Case, Ground};

/// All of them.
pub fn all() -> Vec<Case> {
    let files: [fn() -> Vec<Case>; 18] = [
        records::cases,
        succession::cases,
        frames::cases,
        hello::cases,
        histories::cases,
        batches::cases,
        acks::cases,
        live::cases,
        discovery::cases,
        hubs::cases,
        items::cases,
        strangers::cases,
        changes::cases,
        groups::cases,
        files::cases,
        followers::cases,
        homes::cases,
        floods::cases,
    ];
    files.into_iter().flat_map(|cases| cases()).collect()
}

/// `got` must be `expected`.
fn check(what: &str, got: &str, expected: &str) -> anyhow::Result<()> {
    let shown = |code: &str| if code.is_empty() { "nothing".to_owned() } else { format!("`{code}`") };
    ensure!(got == expected, "{what}: expected {}, got {}", shown(expected), shown(got));
    Ok(())
}

/// What the node says to a hello, over this, with this key in TLS: it must close, and say nothing else before.
async fn refusal(g: &Ground, over: Over, certificate: &SecretKey, hello: pb::Hello) -> anyhow::Result<pb::Error> {
    let mut connection = Connection::dial(over, &g.address, &g.domain, certificate).await?;
    connection.say(Kind::Hello(hello)).await;
    connection.refused().await
}

/// A hello that was spoiled is refused with this code, over QUIC and TLS; and it has changed nothing: the same domain gets
/// in with a good one, of which the node has nothing yet.
async fn check_hello(g: &Ground, expected: &str, spoil: impl Fn(&Mallory, &mut pb::Hello)) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        let mut hello = mallory.hello(&g.domain, mallory.record_now());
        spoil(&mallory, &mut hello);
        let error = refusal(g, over, &mallory.link, hello).await?;
        check(&format!("over {over:?}"), &error.code, expected)?;
        unchanged(g, mallory).await?;
    }
    Ok(())
}

/// A record that was spoiled is refused with this code, and leaves nothing behind.
async fn check_record(g: &Ground, expected: &str, record: impl Fn(&Mallory) -> Bytes) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let error = refusal(g, Over::Quic, &mallory.link, mallory.hello(&g.domain, record(&mallory))).await?;
    check("the record", &error.code, expected)?;
    unchanged(g, mallory).await
}

/// The node takes in a link from this domain as from one that it has never met.
async fn unchanged(g: &Ground, mallory: Mallory) -> anyhow::Result<()> {
    // With the lowest sequences that there are: nothing of what was refused may have been kept.
    let hello = mallory.hello(&g.domain, mallory.record_with(|c| c.sequence = 0, |r| r.sequence = 0));
    let mut line = mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?;
    let received = line.hello.received.take().unwrap_or_default();
    ensure!(received.epoch.is_empty(), "the node says to have entries of somebody whom it refused");
    line.lives().await
}

/// A link on which `name` of this domain has said hello to alice, who has accepted it.
async fn acquainted(g: &Ground, mallory: Mallory, name: &str) -> anyhow::Result<Line> {
    let user = format!("{name}@{}", mallory.domain);
    let mut line = g.link(mallory).await?;
    check("a first message", &line.give(says(name, g.alice().name(), "hello")).await?, "")?;
    g.alice().accepts(&user).await?;
    Ok(line)
}
