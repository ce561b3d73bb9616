//! Chapter 3 §5: batches, each wrong in one thing, and what they leave behind: nothing.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use startalk_hostile::{
    Mallory, Over,
    items::says,
    key,
    mallory::{hash_of, public},
    position,
};
use startalk_link::item_hash;
use startalk_protocol::pb::link::{self as pb, entry::Entry as WireKind, frame::Frame as Kind};

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("batch-with-a-wrong-signature", &["batches.signature"], signature),
        case("batch-by-a-key-that-is-not-the-domains", &["batches.key"], other_key),
        case("batch-of-another-epoch", &["batches.epoch"], epoch),
        case("batch-with-a-gap", &["batches.order"], gap),
        case("batch-half-known", &["batches.order"], half_known),
        case("batch-replayed", &["batches.order"], replayed).needs(Needs::Person),
        case("batch-replayed-with-other-contents", &["batches.order"], other_contents).needs(Needs::Person),
        case("batch-without-form", &["batches.form"], form),
        case("batch-with-too-many-entries", &["batches.form"], too_many),
        case("batch-with-an-item-too-large", &["batches.form"], too_large),
        case("batch-is-checked-in-order", &["batches.checks"], order),
        case("batch-withheld-entries", &["batches.signature", "items.outcome"], withheld).needs(Needs::Person),
        case("batch-deeply-nested", &["batches.form", "items.decodes"], nested),
        case("batch-of-sixty-four", &["batches.form"], full),
    ]
}

/// After two good entries, a third batch made by `spoil`: the link closes with `expected`, and nothing has moved.
async fn check_batch(g: &Ground, what: &str, expected: &str, spoil: impl Fn(&Mallory) -> pb::Batch) -> anyhow::Result<()> {
    for over in [Over::Quic, Over::Tls] {
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        line.deliver(&[says("mallory", "nobody", "1"), says("mallory", "nobody", "2")]).await?;
        let batch = spoil(&line.mallory);
        line.connection.say(Kind::Batch(batch)).await;
        check(&format!("{what} over {over:?}"), &line.closed().await?.code, expected)?;
        let mallory = line.leave();
        let line = g.link(mallory).await?;
        let told = line.hello.received.clone().unwrap_or_default();
        ensure!(told == position(&line.mallory.sent), "{what}: the node's cursor has moved to {told:?}");
        line.leave();
    }
    Ok(())
}

fn third(m: &Mallory, g: &Ground) -> pb::Batch {
    m.batch(&g.domain, 3, &[says("mallory", "nobody", "3")])
}

async fn signature(g: Arc<Ground>) -> anyhow::Result<()> {
    let other = third(&Mallory::stranger(), &g).signature;
    check_batch(&g, "a signature of another", "bad-signature", |m| pb::Batch { signature: other.clone(), ..third(m, &g) })
        .await?;
    check_batch(&g, "a batch for another domain", "bad-signature", |m| m.batch(&m.domain, 3, &[says("mallory", "nobody", "3")]))
        .await?;
    check_batch(&g, "another number", "bad-signature", |m| pb::Batch {
        first_sequence: 3,
        ..m.batch(&g.domain, 4, &[says("mallory", "nobody", "3")])
    })
    .await?;
    check_batch(&g, "another item under the signature", "bad-signature", |m| pb::Batch {
        entries: third(m, &g).entries,
        ..third(m, &g)
    })
    .await?;
    check_batch(&g, "one item more", "bad-signature", |m| {
        let mut batch = third(m, &g);
        batch.entries.push(batch.entries[0].clone());
        batch
    })
    .await
}

async fn other_key(g: Arc<Ground>) -> anyhow::Result<()> {
    check_batch(&g, "a key of nobody", "wrong-key", |m| {
        Mallory { link: key(3), ..m.clone() }.batch(&g.domain, 3, &[says("m", "n", "3")])
    })
    .await?;
    check_batch(&g, "the root key", "wrong-key", |m| {
        Mallory { link: m.root.clone(), ..m.clone() }.batch(&g.domain, 3, &[says("m", "n", "3")])
    })
    .await?;
    check_batch(&g, "the name of another key", "wrong-key", |m| pb::Batch { link_key: public(&key(3)), ..third(m, &g) }).await
}

async fn epoch(g: Arc<Ground>) -> anyhow::Result<()> {
    check_batch(&g, "an epoch that was not said", "malformed", |m| {
        let mut other = m.clone();
        other.begin_epoch();
        third(&other, &g)
    })
    .await?;
    check_batch(&g, "no epoch", "malformed", |m| pb::Batch { epoch: Bytes::new(), ..third(m, &g) }).await
}

async fn gap(g: Arc<Ground>) -> anyhow::Result<()> {
    for first in [4, 5, 1000, u64::MAX - 1] {
        check_batch(&g, &format!("{first} after 2"), "out-of-order", |m| m.batch(&g.domain, first, &[says("m", "n", "x")]))
            .await?;
    }
    Ok(())
}

async fn half_known(g: Arc<Ground>) -> anyhow::Result<()> {
    let three: Vec<Bytes> = (0..3).map(|n| says("mallory", "nobody", &format!("{n}"))).collect();
    check_batch(&g, "1 to 3 after 2", "out-of-order", |m| m.batch(&g.domain, 1, &three)).await?;
    check_batch(&g, "2 to 3 after 2", "out-of-order", |m| m.batch(&g.domain, 2, &three[..2])).await
}

async fn replayed(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    let items = [says("mallory", alice.name(), "once"), says("mallory", alice.name(), "and once")];
    let first = line.mallory.sent.sequence + 1;
    let batch = line.mallory.batch(&g.domain, first, &items);
    line.deliver(&items).await?;
    // On the same link, and on the next.
    for _ in 0..3 {
        line.connection.say(Kind::Batch(batch.clone())).await;
        line.connection.acknowledged(first + 1).await?;
    }
    let mallory = line.leave();
    let user = format!("mallory@{}", mallory.domain);
    let mut line = g.link(mallory).await?;
    line.connection.say(Kind::Batch(batch)).await;
    line.connection.acknowledged(first + 1).await?;
    line.lives().await?;
    let words = alice.words(&user).await?;
    ensure!(words == ["hello", "once", "and once"], "{words:?}");
    Ok(())
}

async fn other_contents(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    line.deliver(&[says("mallory", alice.name(), "true")]).await?;
    let sequence = line.mallory.sent.sequence;
    let instead = line.mallory.batch(&g.domain, sequence, &[says("mallory", alice.name(), "instead")]);
    line.connection.say(Kind::Batch(instead)).await;
    line.connection.acknowledged(sequence).await?;
    line.lives().await?;
    let words = alice.words(&format!("mallory@{}", line.mallory.domain)).await?;
    ensure!(words == ["hello", "true"], "{words:?}");
    Ok(())
}

async fn form(g: Arc<Ground>) -> anyhow::Result<()> {
    let entry = |entry: Option<WireKind>| pb::Entry { entry };
    check_batch(&g, "no entries", "malformed", |m| m.batch(&g.domain, 3, &[])).await?;
    check_batch(&g, "number 0", "malformed", |m| m.batch(&g.domain, 0, &[says("m", "n", "x")])).await?;
    check_batch(&g, "numbers beyond all", "malformed", |m| m.batch(&g.domain, u64::MAX, &[says("m", "n", "x")])).await?;
    check_batch(&g, "an empty item", "malformed", |m| m.batch(&g.domain, 3, &[Bytes::new()])).await?;
    check_batch(&g, "an empty entry", "malformed", |m| pb::Batch { entries: vec![entry(None)], ..third(m, &g) }).await?;
    for length in [0, 31, 33] {
        let withheld = || entry(Some(WireKind::Withheld(vec![1; length].into())));
        check_batch(&g, "a hash", "malformed", |m| pb::Batch { entries: vec![withheld()], ..third(m, &g) }).await?;
    }
    for length in [0, 63, 65] {
        check_batch(&g, "a signature", "malformed", |m| pb::Batch { signature: vec![1; length].into(), ..third(m, &g) }).await?;
    }
    for length in [0, 31, 33] {
        check_batch(&g, "a key", "malformed", |m| pb::Batch { link_key: vec![1; length].into(), ..third(m, &g) }).await?;
    }
    Ok(())
}

async fn too_many(g: Arc<Ground>) -> anyhow::Result<()> {
    let items: Vec<Bytes> = (0..65).map(|_| says("m", "n", "x")).collect();
    check_batch(&g, "65 entries", "too-many", |m| m.batch(&g.domain, 3, &items)).await?;
    // A frame full of entries of two bytes: counted before it is decoded.
    let nothing = vec![pb::Entry { entry: None }; 300_000];
    check_batch(&g, "300,000 entries", "too-many", |m| pb::Batch { entries: nothing.clone(), ..third(m, &g) }).await
}

async fn too_large(g: Arc<Ground>) -> anyhow::Result<()> {
    check_batch(&g, "an item", "too-large", |m| m.batch(&g.domain, 3, &[vec![1; 196_609].into()])).await
}

async fn order(g: Arc<Ground>) -> anyhow::Result<()> {
    let wrong = |m: &Mallory| {
        let mut other = Mallory { link: key(3), ..m.clone() };
        other.begin_epoch();
        pb::Batch { signature: vec![1; 64].into(), ..other.batch(&g.domain, 9, &[says("m", "n", "x")]) }
    };
    check_batch(&g, "form before epoch", "malformed", |m| pb::Batch { first_sequence: 0, ..wrong(m) }).await?;
    check_batch(&g, "epoch before key", "malformed", wrong).await?;
    let own_epoch = |m: &Mallory| pb::Batch { epoch: m.sent.epoch.to_vec().into(), ..wrong(m) };
    check_batch(&g, "key before signature", "wrong-key", own_epoch).await?;
    check_batch(&g, "signature before order", "bad-signature", |m| pb::Batch { link_key: public(&m.link), ..own_epoch(m) }).await
}

async fn withheld(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    let (erased, whole) = (says("mallory", alice.name(), "erased"), says("mallory", alice.name(), "whole"));
    let entries = vec![WireKind::Withheld(item_hash(&erased).to_vec().into()), WireKind::Item(whole)];
    let hashes: Vec<_> = entries.iter().map(hash_of).collect();
    ensure!(hashes[0] == item_hash(&erased), "an erased entry counts with the hash of its item");
    let last = line.send_entries(entries).await;
    while line.acked < last {
        line.pump().await?;
    }
    ensure!(line.refused.is_empty(), "an erased entry is closed, not refused: {:?}", line.refused);
    let mallory = line.leave();
    let words = alice.words(&format!("mallory@{}", mallory.domain)).await?;
    ensure!(words == ["hello", "whole"], "{words:?}");
    let line = g.link(mallory).await?;
    ensure!(line.hello.received == Some(position(&line.mallory.sent)), "the running hash is another");
    Ok(())
}

/// Fields in one another that nobody knows are skipped, however deep; groups, deeper than any decoder goes, are no item.
async fn nested(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut deep = Vec::new();
    for _ in 0..2000 {
        let mut outer = vec![5 << 3 | 2];
        prost::encode_length_delimiter(deep.len(), &mut outer)?;
        outer.extend_from_slice(&deep);
        deep = outer;
    }
    let groups = [[9 << 3 | 3].repeat(50_000), [9 << 3 | 4].repeat(50_000)].concat();
    let mut line = g.link(Mallory::stranger()).await?;
    check("an item of nothing but depth", &line.give(deep.into()).await?, "bad-name")?;
    check("an item of nothing but groups", &line.give(groups.clone().into()).await?, "malformed")?;
    let content = startalk_hostile::items::message_of("m", "n", startalk_hostile::items::new_id(), groups.clone().into());
    check("a content of nothing but groups", &line.give(content).await?, "malformed")?;
    line.connection.say_bytes(startalk_hostile::connection::with_length(&groups)).await;
    check("a frame of nothing but groups", &line.closed().await?.code, "malformed")
}

async fn full(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let items: Vec<Bytes> = (0..64).map(|_| says("mallory", "nobody", "x")).collect();
    let refused = line.deliver(&items).await?;
    ensure!(refused.is_empty(), "{refused:?}");
    // The largest item there may be, which says nothing that could be understood.
    check("an item of 196,608 bytes", &line.give(vec![0xff; 196_608].into()).await?, "malformed")
}
