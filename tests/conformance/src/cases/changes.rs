//! Chapter 5 §5 to §8: edits, recalls, marks, profiles, accounts that are gone, and what a message may contain.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use startalk_client::{Event, content};
use startalk_e2e::until;
use startalk_hostile::{
    Mallory,
    items::{bytes, edits, gone, item, marks, message_of, new_id, profile, recalls, says, text, text_of},
    mallory::now_ms,
};
use startalk_protocol::{
    MessageId,
    pb::{
        content::{Block, Content, Inline, System, content::Kind as ContentKind},
        link::{self as pb, item::Kind},
    },
};

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("change-by-who-is-not-the-author", &["changes.by-author"], not_the_author).needs(Needs::Person),
        case("change-long-after-it-was-written", &["changes.no-window"], late).needs(Needs::Person),
        case("change-after-a-recall", &["changes.recall"], recalled).needs(Needs::Person),
        case("message-that-burns", &["burn.edit", "burn.gone"], burns).needs(Needs::Person),
        case("marks-only-grow", &["marks.grow", "marks.known"], marks_grow).needs(Needs::Person),
        case("profile-by-its-revision", &["profile.revision"], profiles).needs(Needs::Person),
        case("profile-not-acceptable", &["profile.contents"], bad_profiles).needs(Needs::Person),
        case("account-gone-is-forgotten", &["gone.forgotten"], forgotten).needs(Needs::Person),
        case("account-gone-of-the-nodes-is-told", &["gone.told"], told).needs(Needs::Own("an account to delete")),
        case("content-at-its-limits", &["content.limits", "content.text"], limits).needs(Needs::Person),
        case("content-of-a-kind-that-nobody-knows", &["content.unknown-kind"], unknown_kind).needs(Needs::Person),
        case("content-of-the-nodes-own-people", &["content.own-people"], own_people).needs(Needs::Person),
    ]
}

async fn not_the_author(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "author").await?;
    let mut other = acquainted(&g, Mallory::stranger(), "author").await?;
    let (alice, id) = (g.alice(), new_id());
    let user = format!("author@{}", line.mallory.domain);
    check("a message", &line.give(message_of("author", alice.name(), id, text("mine"))).await?, "")?;
    // Another of the same domain, the same name of another domain, and alice's own by her friend.
    check("eve of the domain", &line.give(says("eve", alice.name(), "hi")).await?, "")?;
    check("an edit by eve", &line.give(edits("eve", alice.name(), id, text("not mine"))).await?, "")?;
    check("a recall by eve", &line.give(recalls("eve", alice.name(), id)).await?, "")?;
    check("an edit by another domain", &other.give(edits("author", alice.name(), id, text("not mine"))).await?, "")?;
    check("a recall by another domain", &other.give(recalls("author", alice.name(), id)).await?, "")?;
    alice.says(&user, "hers").await?;
    let hers = loop {
        if let (_, pb::Item { kind: Some(Kind::Message(message)), .. }) = line.item().await? {
            break MessageId::from_slice(&message.id)?;
        }
    };
    check("an edit of hers", &line.give(edits("author", alice.name(), hers, text("not hers"))).await?, "")?;
    check("a recall of hers", &line.give(recalls("author", alice.name(), hers)).await?, "")?;
    check("an edit of what is not there", &line.give(edits("author", alice.name(), new_id(), text("x"))).await?, "")?;
    let words = alice.words(&user).await?;
    ensure!(words == ["hello", "mine", "hers"], "{words:?}");
    // By the author it counts.
    check("an edit", &line.give(edits("author", alice.name(), id, text("mine indeed"))).await?, "")?;
    check("an edit to nothing", &line.give(edits("author", alice.name(), id, Bytes::new())).await?, "bad-value")?;
    let short = pb::Edit { id: vec![1; 15].into(), content: text("x") };
    check("an id of 15", &line.give(bytes(&item("author", alice.name(), Kind::Edit(short)))).await?, "malformed")?;
    let short = pb::Recall { id: vec![1; 17].into() };
    check("an id of 17", &line.give(bytes(&item("author", alice.name(), Kind::Recall(short)))).await?, "malformed")?;
    let words = alice.words(&user).await?;
    ensure!(words == ["hello", "mine indeed", "hers"], "{words:?}");
    Ok(())
}

/// Written three days ago by its id and its time, edited and recalled now: the author's domain has judged that.
async fn late(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    let then = now_ms() - 3 * 86_400_000;
    let ids: Vec<MessageId> = (0..2).map(|n| MessageId::new(then.unsigned_abs() + n, 0, [1; 8])).collect();
    for id in &ids {
        let message = pb::Message { id: id.0.to_vec().into(), content: text("old"), ..pb::Message::default() };
        let item = pb::Item { time_ms: then, ..item("mallory", alice.name(), Kind::Message(message)) };
        check("an old message", &line.give(bytes(&item)).await?, "")?;
    }
    check("an edit", &line.give(edits("mallory", alice.name(), ids[0], text("new"))).await?, "")?;
    check("a recall", &line.give(recalls("mallory", alice.name(), ids[1])).await?, "")?;
    alice.conversation_told(&user).await?;
    let words = alice.words(&user).await?;
    ensure!(words == ["new", ""], "{words:?}");
    Ok(())
}

async fn recalled(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, id) = (g.alice(), new_id());
    let user = format!("mallory@{}", line.mallory.domain);
    check("a message", &line.give(message_of("mallory", alice.name(), id, text("secret one"))).await?, "")?;
    check("an edit", &line.give(edits("mallory", alice.name(), id, text("secret two"))).await?, "")?;
    check("a recall", &line.give(recalls("mallory", alice.name(), id)).await?, "")?;
    check("an edit after it", &line.give(edits("mallory", alice.name(), id, text("secret three"))).await?, "")?;
    check("a recall after it", &line.give(recalls("mallory", alice.name(), id)).await?, "")?;
    check("the same message again", &line.give(message_of("mallory", alice.name(), id, text("secret four"))).await?, "")?;
    let all = alice.messages(&user).await?;
    ensure!(all.len() == 2 && all[1].recalled && all[1].content.is_empty(), "{all:?}");
    Ok(())
}

/// It stays until it is opened, and then it is gone, whatever comes after.
async fn burns(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, id) = (g.alice(), new_id());
    let user = format!("mallory@{}", line.mallory.domain);
    let burning = |words: &str, seconds: u32| content::burning(&text(words), seconds);
    let edit = |content: Bytes| edits("mallory", alice.name(), id, content);
    let forever = message_of("mallory", alice.name(), new_id(), burning("for ever", 604_801));
    check("one that burns too slowly", &line.give(forever).await?, "bad-value")?;
    check("one that burns", &line.give(message_of("mallory", alice.name(), id, burning("secret one", 1))).await?, "")?;
    check("an edit that does not burn", &line.give(edit(text("kept"))).await?, "bad-value")?;
    check("an edit that burns later", &line.give(edit(burning("kept", 600))).await?, "bad-value")?;
    check("an edit that burns as it", &line.give(edit(burning("secret two", 1))).await?, "")?;
    let (conversation, all) = (alice.conversation_told(&user).await?.conversation, alice.messages(&user).await?);
    let sequence = all.last().map_or(0, |m| m.sequence);
    alice.session.open_message(conversation, sequence).await?;
    let is_burnt = async || {
        let all = alice.messages(&user).await.unwrap_or_default();
        all.iter().any(|m| m.sequence == sequence && m.burnt && m.content.is_empty())
    };
    until("it to burn", async || (is_burnt().await, 0)).await?;
    check("an edit after it", &line.give(edit(burning("secret three", 1))).await?, "")?;
    check("a recall after it", &line.give(recalls("mallory", alice.name(), id)).await?, "")?;
    ensure!(is_burnt().await, "it came back");
    Ok(())
}

async fn marks_grow(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    let user = format!("mallory@{}", line.mallory.domain);
    let (mut sequences, mut ids) = (Vec::new(), Vec::new());
    for words in ["one", "two", "three"] {
        sequences.push(alice.says(&user, words).await?.1);
    }
    while ids.len() < 3 {
        if let (_, pb::Item { kind: Some(Kind::Message(message)), .. }) = line.item().await? {
            ids.push(message.id);
        }
    }
    let none = Bytes::new();
    let read = |id: &Bytes| marks("mallory", alice.name(), none.clone(), id.clone());
    let strange = Bytes::from(new_id().0.to_vec());
    for (what, given, expected) in [
        ("the second", read(&ids[1]), ""),
        ("back to the first", read(&ids[0]), ""),
        ("of no message", read(&strange), ""),
        ("of nothing", read(&none), ""),
        ("of three bytes", read(&Bytes::from_static(b"abc")), "malformed"),
        ("delivered of no message", marks("mallory", alice.name(), strange.clone(), none.clone()), ""),
        ("of somebody without a conversation", marks("eve", alice.name(), none.clone(), ids[2].clone()), ""),
        ("the third", read(&ids[2]), ""),
    ] {
        check(what, &line.give(given).await?, expected)?;
    }
    let of_mallory = |event: &Event| match event {
        Event::Marks { user: u, delivered, read, .. } if *u == user => Some((*delivered, *read)),
        _ => None,
    };
    startalk_e2e::until("the last mark", || {
        let all = alice.heard(of_mallory);
        std::future::ready((all.iter().any(|m| m.1 == sequences[2]), all.len() as u64))
    })
    .await?;
    let all = alice.heard(of_mallory);
    ensure!(all.is_sorted_by_key(|m| m.1) && all.iter().all(|m| m.0 >= m.1), "marks as told: {all:?}");
    ensure!(all.first().is_some_and(|m| m.1 == sequences[1]), "marks as told: {all:?}");
    Ok(())
}

async fn profiles(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    for (revision, name, shown) in [
        (5, "Mallory", "Mallory"),
        (4, "Older", "Mallory"),
        (5, "Same", "Mallory"),
        (6, "\u{661f}", "\u{661f}"),
        (0, "Zero", "\u{661f}"),
    ] {
        check(&format!("revision {revision}"), &line.give(profile("mallory", revision, name)).await?, "")?;
        let now = alice.session.profile(&user).await?.display_name;
        ensure!(now == shown, "after {name:?} of revision {revision}: {now:?}");
    }
    // Of somebody whom nobody knows, nothing is kept.
    check("of a stranger", &line.give(profile("eve", 1, "Eve")).await?, "")?;
    check("who then writes", &line.give(says("eve", alice.name(), "hi")).await?, "")?;
    let eve = format!("eve@{}", line.mallory.domain);
    alice.conversation_told(&eve).await?;
    let name = alice.session.profile(&eve).await?.display_name;
    ensure!(name != "Eve", "a profile of somebody unknown was kept");
    Ok(())
}

async fn bad_profiles(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    check("a good one", &line.give(profile("mallory", 1, "Good")).await?, "")?;
    let good = pb::Profile { revision: 2, display_name: "Bad".to_owned(), ..pb::Profile::default() };
    let bad = [
        pb::Profile { display_name: "x".repeat(65), ..good.clone() },
        pb::Profile { display_name: "a\nb".to_owned(), ..good.clone() },
        pb::Profile { display_name: "a\u{202e}b".to_owned(), ..good.clone() },
        pb::Profile { display_name: "e\u{301}".to_owned(), ..good.clone() },
        pb::Profile { avatar: "x".repeat(257), ..good.clone() },
        pb::Profile { avatar: "a\u{2066}b".to_owned(), ..good.clone() },
        pb::Profile { signature: "x".repeat(513), ..good.clone() },
        pb::Profile { signature: "a\u{7}b".to_owned(), ..good },
    ];
    for bad in bad {
        let what = format!("{bad:?}");
        check(
            &what[..what.floor_char_boundary(100)],
            &line.give(bytes(&item("mallory", "", Kind::Profile(bad)))).await?,
            "bad-value",
        )?;
    }
    let name = g.alice().session.profile(&user).await?.display_name;
    ensure!(name == "Good", "a profile that was refused is shown: {name:?}");
    Ok(())
}

async fn forgotten(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    check("a profile", &line.give(profile("mallory", 1, "Mallory Miller")).await?, "")?;
    let conversation = alice.conversation_told(&user).await?.conversation;
    check("a stranger is gone", &line.give(gone("eve")).await?, "")?;
    check("the account is gone", &line.give(gone("mallory")).await?, "")?;
    let told = |event: &Event| match event {
        Event::Conversation(c) if c.conversation == conversation => c.peer.clone().filter(|p| p.gone),
        _ => None,
    };
    let peer = alice.hears("that the account is gone", told).await?;
    ensure!(peer.display_name.is_empty(), "the name is still shown: {peer:?}");
    let page = alice.session.history(conversation, 0, 0, 10).await?;
    let words: Vec<String> = page.messages.iter().map(crate::witness::words).collect();
    ensure!(words == ["hello"], "what was written stays: {words:?}");
    ensure!(alice.session.profile(&user).await.map_or(true, |p| p.display_name.is_empty()), "the profile is still there");
    // The name may be given to another person, who is a stranger.
    check("another person of that name", &line.give(says("mallory", alice.name(), "I am new")).await?, "")?;
    let is_new = |event: &Event| match event {
        Event::Conversation(c) if c.conversation != conversation && c.peer.as_ref().is_some_and(|p| p.user == user) => {
            Some(c.request)
        }
        _ => None,
    };
    ensure!(alice.hears("a new request", is_new).await?, "another person of that name is no stranger");
    Ok(())
}

async fn told(g: Arc<Ground>) -> anyhow::Result<()> {
    let own = g.own_node();
    let carol = g.person("carol").await?;
    let mut line = g.link(Mallory::stranger()).await?;
    let user = format!("mallory@{}", line.mallory.domain);
    check("a message", &line.give(says("mallory", "carol", "hi")).await?, "")?;
    carol.accepts(&user).await?;
    carol.says(&user, "bye").await?;
    own.node.ask(&["user", "delete", "carol"])?;
    loop {
        let (_, item) = line.item().await?;
        if matches!(item.kind, Some(Kind::AccountGone(_))) {
            ensure!(item.from == "carol" && item.to.is_empty(), "from {} to {}", item.from, item.to);
            return Ok(());
        }
    }
}

async fn limits(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let of = |inlines: Vec<Inline>| text_of(vec![Block { inlines, ..Block::default() }]);
    let inline = |text: &str| Inline { text: text.to_owned(), ..Inline::default() };
    let link = |link: &str| of(vec![Inline { link: link.to_owned(), ..inline("x") }]);
    let mention = |mention: &str| of(vec![Inline { mention: mention.to_owned(), ..inline("x") }]);
    let blocks = |n: usize, last: &str| {
        let mut all = vec![Block::default(); n];
        all[n - 1].inlines.push(inline(last));
        text_of(all)
    };
    let level = |level| text_of(vec![Block { level, inlines: vec![inline("x")], ..Block::default() }]);
    let kind = |kind| text_of(vec![Block { kind, inlines: vec![inline("x")], ..Block::default() }]);
    let fallback = |n: usize| -> Bytes {
        let content = Content { fallback: "x".repeat(n), kind: None, ..Content::default() };
        prost::Message::encode_to_vec(&content).into()
    };
    let code_of = |language: usize, source: usize| -> Bytes {
        let code = startalk_protocol::pb::content::Code { language: "x".repeat(language), source: "x".repeat(source) };
        prost::Message::encode_to_vec(&Content {
            fallback: String::new(),
            kind: Some(ContentKind::Code(code)),
            ..Content::default()
        })
        .into()
    };
    let long = format!("https:{}", "x".repeat(2042));
    let contents: Vec<(&str, Bytes, &str)> = vec![
        ("nothing", Bytes::new(), "bad-value"),
        ("no content", vec![0xff; 20].into(), "malformed"),
        ("131,073 bytes", vec![0; 131_073].into(), "too-large"),
        ("a fallback of 4096", fallback(4096), ""),
        ("a fallback of 4097", fallback(4097), "too-large"),
        ("2000 blocks", blocks(2000, "x"), ""),
        ("2001 blocks", blocks(2001, "x"), "too-large"),
        ("no text", blocks(2, ""), "bad-value"),
        ("10,000 inlines", of(vec![inline("x"); 10_000]), ""),
        ("10,001 inlines", of(vec![inline("x"); 10_001]), "too-large"),
        ("65,536 bytes", of(vec![inline(&"x".repeat(65_536))]), ""),
        ("65,537 bytes", of(vec![inline(&"x".repeat(65_537))]), "too-large"),
        ("level 7", level(7), ""),
        ("level 8", level(8), "bad-value"),
        ("an unknown kind of block", kind(77), ""),
        ("a line feed and a tab", of(vec![inline("a\n\tb")]), ""),
        ("a bell", of(vec![inline("a\u{7}b")]), "bad-value"),
        ("marks of 15", of(vec![Inline { marks: 15, ..inline("x") }]), ""),
        ("marks of 16", of(vec![Inline { marks: 16, ..inline("x") }]), "bad-value"),
        ("a link", link("https://example.org/"), ""),
        ("a link to mail", link("mailto:a@example.org"), ""),
        ("a script", link("javascript:alert(1)"), "bad-value"),
        ("a link without end", link(&format!("{long}x")), "bad-value"),
        ("a long link", link(&long), ""),
        ("a link with a line feed", link("https://example.org/\n"), "bad-value"),
        ("all are meant", mention("@all"), ""),
        ("somebody is meant", mention("bob@example.org"), ""),
        ("nobody is meant", mention("@nobody"), "bad-value"),
        ("code", code_of(4096, 65_536), ""),
        ("too much code", code_of(1, 65_537), "too-large"),
        ("a long language", code_of(4097, 1), "too-large"),
        ("no code", code_of(1, 0), "bad-value"),
    ];
    for (what, content, expected) in contents {
        check(what, &line.give(message_of("mallory", g.alice().name(), new_id(), content)).await?, expected)?;
    }
    Ok(())
}

async fn unknown_kind(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    // A kind of a later version, with fields inside that nobody knows.
    let poll = Content { fallback: "a poll: tea or coffee?".to_owned(), kind: None, ..Content::default() };
    let poll: Bytes = [prost::Message::encode_to_vec(&poll), vec![0xfa, 0x3e, 3, 1, 2, 3]].concat().into();
    check("a kind of a later version", &line.give(message_of("mallory", alice.name(), new_id(), poll.clone())).await?, "")?;
    let all = alice.messages(&user).await?;
    ensure!(all.last().is_some_and(|m| m.content == poll), "its bytes were changed");
    let nameless: Bytes = vec![0xfa, 0x3e, 3, 1, 2, 3].into();
    check("the same without a fallback", &line.give(message_of("mallory", alice.name(), new_id(), nameless)).await?, "bad-value")
}

/// What a client sends that nobody may send is not put into the outbox.
async fn own_people(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, user) = (g.alice(), format!("mallory@{}", line.mallory.domain));
    let system = Content { fallback: "x".to_owned(), kind: Some(ContentKind::System(System::default())), ..Content::default() };
    let bad: [(Bytes, &str); 4] = [
        (prost::Message::encode_to_vec(&system).into(), "bad-value"),
        (text("\u{7}"), "bad-value"),
        (vec![0xff; 20].into(), "malformed"),
        (text(&"x".repeat(65_537)), "too-large"),
    ];
    for (content, expected) in bad {
        let counter = alice.session.send(user.parse::<startalk_client::UserId>()?, content, Bytes::new()).await?;
        let failed = |event: &Event| match event {
            Event::Failed { counter: c, error, .. } if *c == counter => Some(error.code.as_str().to_owned()),
            Event::Sent { counter: c, .. } if *c == counter => Some("it was sent".to_owned()),
            _ => None,
        };
        check("what alice sends", &alice.hears("it to fail", failed).await?, expected)?;
    }
    alice.says(&user, "good").await?;
    loop {
        if let (_, pb::Item { kind: Some(Kind::Message(message)), .. }) = line.item().await? {
            ensure!(message.content == startalk_client::content::text("good"), "what must not be sent was sent");
            return Ok(());
        }
    }
}
