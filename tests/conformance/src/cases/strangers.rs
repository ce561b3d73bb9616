//! Chapter 5 §3: first contact, and what a stranger does not learn.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use startalk_e2e::until;
use startalk_hostile::{
    Line, Mallory,
    items::{code, marks, message_of, new_id, says, text},
    mallory::now_ms,
};
use startalk_protocol::{MessageId, pb::link::item::Kind};

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("stranger-learns-nothing", &["strangers.learn-nothing"], nothing).needs(Needs::Person),
        case("stranger-learns-nothing-of-accounts-that-were", &["strangers.learn-nothing"], nothing_of_the_gone)
            .needs(Needs::Own("disables and deletes accounts")),
        case("stranger-who-was-turned-down", &["strangers.learn-nothing"], turned_down).needs(Needs::Person),
        case("stranger-with-more-than-twenty-messages", &["requests.messages"], many_messages).needs(Needs::Person),
        case("stranger-domain-with-more-than-twenty-requests", &["requests.open"], many_requests).needs(Needs::Person),
        case("stranger-sends-other-than-text", &["requests.text"], other_than_text).needs(Needs::Person),
        case("stranger-is-not-told-what-was-seen", &["requests.no-marks"], no_marks).needs(Needs::Person),
    ]
}

/// What becomes of one thing of each sort, sent to this name by a new person each time.
async fn probe(line: &mut Line, to: &str) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let from = format!("m{}", u64::from_be_bytes(startalk_hostile::mallory::random()));
    let future = MessageId::new(now_ms().unsigned_abs() + 3_600_000, 0, [1; 8]);
    let probes: [(&str, Bytes); 7] = [
        ("code", message_of(&from, to, new_id(), code("fn"))),
        ("nothing", message_of(&from, to, new_id(), Bytes::new())),
        ("a bell", message_of(&from, to, new_id(), text("\u{7}"))),
        ("the future", message_of(&from, to, future, text("hi"))),
        ("text", says(&from, to, "hi")),
        ("more text", says(&from, to, "hi again")),
        ("marks", marks(&from, to, new_id().0.to_vec().into(), Bytes::new())),
    ];
    let mut out = BTreeMap::new();
    for (what, item) in probes {
        out.insert(what, line.give(item).await?);
    }
    Ok(out)
}

async fn nothing(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let to_alice = probe(&mut line, g.alice().name()).await?;
    check("a text to somebody", &to_alice["text"], "")?;
    let elsewhere = format!("{}@{}", g.alice().name(), g.domain);
    for to in ["nobody-has-this-name", "", "Not A Name", &elsewhere, &"a".repeat(1000)] {
        let to_nobody = probe(&mut line, to).await?;
        ensure!(to_nobody == to_alice, "to {to:?} it is answered {to_nobody:?}, to somebody {to_alice:?}");
    }
    // And to somebody who has blocked the whole domain.
    g.alice().session.block(&format!("@{}", line.mallory.domain), true).await?;
    let blocked = probe(&mut line, g.alice().name()).await?;
    ensure!(blocked == to_alice, "to somebody who has blocked it, it is answered {blocked:?}, to others {to_alice:?}");
    Ok(())
}

async fn nothing_of_the_gone(g: Arc<Ground>) -> anyhow::Result<()> {
    let node = &g.own_node().node;
    for name in ["disabled", "deleted"] {
        node.ask(&["user", "add", name])?;
    }
    node.ask(&["user", "disable", "disabled"])?;
    node.ask(&["user", "delete", "deleted"])?;
    let mut line = g.link(Mallory::stranger()).await?;
    let to_alice = probe(&mut line, g.alice().name()).await?;
    for to in ["disabled", "deleted"] {
        let there = probe(&mut line, to).await?;
        ensure!(there == to_alice, "to the {to} it is answered {there:?}, to others {to_alice:?}");
    }
    Ok(())
}

async fn turned_down(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    check("a request", &line.give(says("mallory", alice.name(), "1")).await?, "")?;
    let conversation = alice.conversation_told(&user).await?;
    ensure!(conversation.request, "a first contact is a request");
    alice.session.decide_request(conversation.conversation, false).await?;
    check("after it was turned down", &line.give(says("mallory", alice.name(), "2")).await?, "")?;
    alice.session.decide_request(conversation.conversation, true).await?;
    check("after it was accepted", &line.give(says("mallory", alice.name(), "3")).await?, "")?;
    let page = alice.session.history(conversation.conversation, 0, 0, 100).await?;
    let words: Vec<String> = page.messages.iter().map(crate::witness::words).collect();
    ensure!(words == ["1", "3"], "{words:?}");
    Ok(())
}

async fn many_messages(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    let items: Vec<Bytes> = (1..=30).map(|n| says("mallory", alice.name(), &format!("{n}"))).collect();
    let refused = line.deliver(&items).await?;
    ensure!(refused.is_empty(), "what is too much for a request is closed, not refused: {refused:?}");
    alice.conversation_told(&user).await?;
    let expected: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    let words = alice.words(&user).await?;
    ensure!(words == expected, "{words:?}");
    Ok(())
}

async fn many_requests(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let bob = g.bob();
    let items: Vec<Bytes> = (1..=30).map(|n| says(&format!("m{n}"), bob.name(), "hi")).collect();
    let refused = line.deliver(&items).await?;
    ensure!(refused.is_empty(), "what is one request too many is closed, not refused: {refused:?}");
    // Somebody else's comes after them, and is told after them.
    let mut other = g.link(Mallory::stranger()).await?;
    check("another domain", &other.give(says("other", bob.name(), "hi")).await?, "")?;
    bob.conversation_told(&format!("other@{}", other.mallory.domain)).await?;
    let of_domain = format!("@{}", line.mallory.domain);
    let all = bob.session.conversations().await?;
    let open = all.iter().filter(|c| c.peer.as_ref().is_some_and(|p| p.user.ends_with(&of_domain))).count();
    ensure!(open == 20, "{open} open requests of one domain");
    // Messages in those that are open still come.
    check("in one that is open", &line.give(says("m1", bob.name(), "again")).await?, "")?;
    let words = bob.words(&format!("m1{of_domain}")).await?;
    ensure!(words == ["hi", "again"], "{words:?}");
    Ok(())
}

async fn other_than_text(g: Arc<Ground>) -> anyhow::Result<()> {
    use startalk_protocol::pb::content::{Content, System, content::Kind as ContentKind};
    let content = |content: Content| prost::Message::encode_to_vec(&content).into();
    let unknown: Bytes = content(Content { fallback: "a poll".to_owned(), kind: None, ..Content::default() });
    let system =
        content(Content { fallback: "x".to_owned(), kind: Some(ContentKind::System(System::default())), ..Content::default() });
    let mut line = g.link(Mallory::stranger()).await?;
    let alice = g.alice();
    check("a request", &line.give(says("mallory", alice.name(), "text")).await?, "")?;
    let given = [("code", code("fn")), ("an unknown kind", unknown.clone()), ("a system line", system)];
    for (what, content) in given.clone() {
        let given = line.give(message_of("mallory", alice.name(), new_id(), content)).await?;
        check(&format!("{what} in a request"), &given, "bad-value")?;
    }
    let edit = startalk_hostile::items::edits("mallory", alice.name(), new_id(), code("fn"));
    check("an edit of what is not there", &line.give(edit).await?, "")?;
    let user = format!("mallory@{}", line.mallory.domain);
    alice.accepts(&user).await?;
    for ((what, content), expected) in given.into_iter().zip(["", "", "bad-value"]) {
        let given = line.give(message_of("mallory", alice.name(), new_id(), content)).await?;
        check(&format!("{what} after it was accepted"), &given, expected)?;
    }
    let kept = alice.messages(&user).await?;
    ensure!(kept.last().is_some_and(|m| m.content == unknown), "a kind that is not known is kept as it came");
    Ok(())
}

/// Alice looks at a request, and writes in it to nobody. What she saw elsewhere is told; of the request, nothing.
async fn no_marks(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "friend").await?;
    let alice = g.alice();
    check("a request", &line.give(says("mallory", alice.name(), "seen?")).await?, "")?;
    check("a message", &line.give(says("friend", alice.name(), "seen?")).await?, "")?;
    let (user, friend) = (format!("mallory@{}", line.mallory.domain), format!("friend@{}", line.mallory.domain));
    let request = alice.conversation_told(&user).await?.conversation;
    let known = alice.conversation_told(&friend).await?.conversation;
    until("both to be told", || async {
        let heads = |c| async move { alice.session.history(c, 0, 0, 10).await.map_or(0, |p| p.head) };
        let (one, two) = (heads(request).await, heads(known).await);
        (one >= 1 && two >= 2, one + two)
    })
    .await?;
    alice.session.typing(request, true).await?;
    alice.session.mark(request, 1, 1).await?;
    alice.session.typing(known, true).await?;
    alice.session.mark(known, 2, 2).await?;
    loop {
        let (_, item) = line.item().await?;
        ensure!(item.to != "mallory", "something was sent to a stranger: {item:?}");
        if let Some(Kind::Marks(marks)) = item.kind
            && !marks.read.is_empty()
        {
            break;
        }
    }
    let typing = line.ephemerals.iter().find(|e| e.to == "mallory");
    ensure!(typing.is_none(), "typing was shown to a stranger");
    // And afterwards it is as with everybody.
    alice.accepts(&user).await.context("afterwards")?;
    alice.says(&user, "now I know you").await?;
    while line.item().await?.1.to != "mallory" {}
    Ok(())
}
