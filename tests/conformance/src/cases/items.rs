//! Chapter 5 §1, §2 and §4: items and messages that come over a good link.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use prost::Message as _;
use startalk_hostile::{
    Mallory,
    items::{bytes, item, message_of, new_id, says, text, unknown_field},
    mallory::{now_ms, random},
};
use startalk_protocol::{
    MessageId,
    pb::link::{self as pb, item::Kind},
};

use super::{acquainted, check};
use crate::{
    Case, Ground,
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("item-poison-does-not-stop-the-others", &["items.go-on", "items.decodes"], poison).needs(Needs::Person),
        case("item-of-no-kind-that-is-known", &["items.kind"], unknown_kind),
        case("item-from-no-account-name", &["items.own-people", "names.form"], other_names),
        case("item-with-fields-that-nobody-knows", &["overview.unknown-fields"], more_fields).needs(Needs::Person),
        case("message-twice-under-one-id", &["items.message"], duplicates).needs(Needs::Person),
        case("message-ids-that-are-none", &["items.message"], bad_ids),
        case("message-ids-of-the-future", &["ids.future"], future).needs(Needs::Person),
        case("message-ids-that-do-not-grow", &["ids.exceptions"], exceptions).needs(Needs::Person),
        case("message-ids-of-the-nodes-people-grow", &["ids.grow"], grow).needs(Needs::Person),
        case("message-time-of-the-future", &["items.times"], times).needs(Needs::Person),
        case("message-to-who-has-blocked", &["items.blocked", "changes.recall-blocked"], blocked).needs(Needs::Person),
        case("error-carries-no-content", &["errors.no-content", "errors.limits"], no_content),
        case("error-with-what-nobody-knows", &["errors.unknown-params"], unknown_error).needs(Needs::Person),
    ]
}

async fn poison(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    let items = [
        Bytes::from(random::<32>().map(|b| b | 0x80).to_vec()),
        bytes(&pb::Item { from: "mallory".to_owned(), to: alice.name().to_owned(), ..pb::Item::default() }),
        says("mallory", alice.name(), "between"),
        says("@@@", alice.name(), "from nobody"),
        message_of("mallory", alice.name(), new_id(), Bytes::new()),
        says("mallory", alice.name(), "behind"),
    ];
    let refused = line.deliver(&items).await?;
    let seen: Vec<(usize, &str)> = refused.iter().map(|(n, code)| (*n, code.as_str())).collect();
    ensure!(seen == [(0, "malformed"), (1, "malformed"), (3, "bad-name"), (4, "bad-value")], "{seen:?}");
    let words = alice.words(&format!("mallory@{}", line.mallory.domain)).await?;
    ensure!(words == ["hello", "between", "behind"], "{words:?}");
    line.lives().await
}

async fn unknown_kind(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let none = pb::Item { kind: None, ..item("mallory", "nobody", Kind::AccountGone(pb::AccountGone {})) };
    check("no kind", &line.give(bytes(&none)).await?, "malformed")?;
    let later = [none.encode_to_vec(), vec![0xfa, 0x3e, 0]].concat();
    check("a kind of a later version", &line.give(later.into()).await?, "malformed")?;
    line.lives().await
}

/// A domain speaks for its own people: a name with a domain in it is none.
async fn other_names(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let victim = format!("alice@{}", g.domain);
    let long = "a".repeat(65);
    for from in ["", &victim, "Mallory", ".mallory", "mallory-", "mal lory", "\u{661f}", &long, "a/b", "a\0b"] {
        check(&format!("from {from:?}"), &line.give(says(from, "nobody", "hi")).await?, "bad-name")?;
    }
    check("a name of 64", &line.give(says(&long[..64], "nobody", "hi")).await?, "")
}

async fn more_fields(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let item = [&says("mallory", g.alice().name(), "with more")[..], &unknown_field()].concat();
    check("the item", &line.give(item.into()).await?, "")?;
    let words = g.alice().words(&format!("mallory@{}", line.mallory.domain)).await?;
    ensure!(words == ["hello", "with more"], "{words:?}");
    Ok(())
}

async fn duplicates(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, id) = (g.alice(), new_id());
    let said = |words: &str| message_of("mallory", alice.name(), id, text(words));
    let between = says("mallory", alice.name(), "between");
    let refused = line.deliver(&[said("once"), said("once"), between, said("instead")]).await?;
    ensure!(refused.is_empty(), "what was had already is refused: {refused:?}");
    let words = alice.words(&format!("mallory@{}", line.mallory.domain)).await?;
    ensure!(words == ["hello", "once", "between"], "{words:?}");
    // Of another author the same id is another message.
    let other = message_of("eve", alice.name(), id, text("mine"));
    check("another author", &line.give(other).await?, "")?;
    let eve = format!("eve@{}", line.mallory.domain);
    alice.conversation_told(&eve).await?;
    ensure!(alice.words(&eve).await? == ["mine"]);
    Ok(())
}

async fn bad_ids(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let message = |id: Vec<u8>, reply_to: Vec<u8>| {
        let message = pb::Message { id: id.into(), content: text("hi"), reply_to: reply_to.into() };
        bytes(&item("mallory", "nobody", Kind::Message(message)))
    };
    for length in [0, 15, 17, 1000] {
        check(&format!("an id of {length} bytes"), &line.give(message(vec![1; length], Vec::new())).await?, "malformed")?;
    }
    for length in [1, 15, 17] {
        let item = message(new_id().0.to_vec(), vec![1; length]);
        check(&format!("an answer to an id of {length} bytes"), &line.give(item).await?, "malformed")?;
    }
    check("an answer to what nobody has", &line.give(message(new_id().0.to_vec(), vec![1; 16])).await?, "")
}

async fn future(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    let at = |minutes: u64| MessageId::new(now_ms().unsigned_abs() + minutes * 60_000, 0, [1; 8]);
    for (id, word) in [(at(3), "soon"), (at(24 * 60), "a day"), (MessageId([0xff; 16]), "the last"), (new_id(), "now")] {
        let given = line.give(message_of("mallory", alice.name(), id, text(word))).await?;
        check(&format!("an id of {} ms", id.time_ms()), &given, "")?;
    }
    let words = alice.words(&format!("mallory@{}", line.mallory.domain)).await?;
    ensure!(words == ["hello", "soon", "a day", "the last", "now"], "{words:?}");
    Ok(())
}

async fn exceptions(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let (alice, now) = (g.alice(), now_ms().unsigned_abs());
    // The first message has the highest id so far; these are lower, each lower than the one before.
    let lower: Vec<Bytes> = (1..=64_u64)
        .map(|n| message_of("mallory", alice.name(), MessageId::new(now - n * 1000, 0, [1; 8]), text(&format!("{n}"))))
        .collect();
    let refused = line.deliver(&lower).await?;
    ensure!(refused.is_empty(), "64 exceptions are to be taken, refused were {refused:?}");
    let words = alice.words(&format!("mallory@{}", line.mallory.domain)).await?;
    let expected: Vec<String> = ["hello".to_owned()].into_iter().chain((1..=64).map(|n| n.to_string())).collect();
    ensure!(words == expected, "{words:?}");
    line.lives().await
}

async fn grow(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    for n in 0..10 {
        g.alice().says(&user, &format!("{n}")).await?;
    }
    let mut ids = Vec::new();
    while ids.len() < 10 {
        if let (_, pb::Item { kind: Some(Kind::Message(message)), from, to, salt, .. }) = line.item().await? {
            ensure!(from == g.alice().name() && to == "mallory" && salt.len() == 16, "from {from} to {to}");
            ids.push(message.id);
        }
    }
    ensure!(ids.is_sorted() && ids.windows(2).all(|two| two[0] != two[1]), "{ids:?}");
    ensure!(ids.iter().all(|id| id.len() == 16 && id[6] >> 4 == 7 && id[8] >> 6 == 2), "not of the form: {ids:x?}");
    Ok(())
}

async fn times(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    for time_ms in [i64::MAX, now_ms() + 86_400_000, 0, -1, i64::MIN] {
        let message = pb::Message { id: new_id().0.to_vec().into(), content: text("when?"), ..pb::Message::default() };
        let item = pb::Item { time_ms, ..item("mallory", alice.name(), Kind::Message(message)) };
        check(&format!("at {time_ms}"), &line.give(bytes(&item)).await?, "")?;
    }
    for message in alice.messages(&format!("mallory@{}", line.mallory.domain)).await? {
        ensure!(message.sent_ms <= message.time_ms, "shown as written at {} and come at {}", message.sent_ms, message.time_ms);
    }
    Ok(())
}

async fn blocked(g: Arc<Ground>) -> anyhow::Result<()> {
    use startalk_hostile::items::{edits, recalls};
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let alice = g.alice();
    let (user, domain) = (format!("mallory@{}", line.mallory.domain), format!("@{}", line.mallory.domain));
    for blocked in [user.as_str(), domain.as_str()] {
        let id = new_id();
        check("before", &line.give(message_of("mallory", alice.name(), id, text("before"))).await?, "")?;
        alice.session.block(blocked, true).await?;
        check(&format!("{blocked} is blocked"), &line.give(says("mallory", alice.name(), "no")).await?, "blocked")?;
        check("an edit", &line.give(edits("mallory", alice.name(), id, text("no"))).await?, "")?;
        let seen = alice.words(&user).await?;
        ensure!(seen.last().is_some_and(|w| w == "before"), "edited by somebody blocked: {seen:?}");
        check("a recall", &line.give(recalls("mallory", alice.name(), id)).await?, "")?;
        let seen = alice.words(&user).await?;
        ensure!(seen.last().is_some_and(String::is_empty), "a recall of somebody blocked has no effect: {seen:?}");
        alice.session.block(blocked, false).await?;
    }
    // To a stranger nobody tells that he is blocked.
    alice.session.block(&format!("eve@{}", line.mallory.domain), true).await?;
    check("a stranger who is blocked", &line.give(says("eve", alice.name(), "hi")).await?, "")?;
    check("afterwards", &line.give(says("mallory", alice.name(), "yes")).await?, "")
}

/// What a refused item says does not come back, and neither does more than 256 bytes of a name.
async fn no_content(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let secret = "the treasure is under the old oak";
    let bad = message_of("mallory", "nobody", new_id(), text(&format!("{secret}\u{7}")));
    check("a text with a bell", &line.give(bad).await?, "bad-value")?;
    let long = format!("@{}", "x".repeat(10_000));
    check("a name without end", &line.give(says(&long, "nobody", secret)).await?, "bad-name")?;
    for error in line.refused.values() {
        ensure!(!format!("{error:?}").contains("treasure"), "{error:?}");
    }
    Ok(())
}

/// An ack with a code of a later version and more parameters than anybody sends.
async fn unknown_error(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = acquainted(&g, Mallory::stranger(), "mallory").await?;
    let user = format!("mallory@{}", line.mallory.domain);
    g.alice().says(&user, "take it or leave it").await?;
    let (sequence, _) = line.item().await?;
    let params = (0..100).map(|n| (format!("{n}"), "\u{661f}".repeat(500))).collect();
    let error = Some(pb::Error { code: "of-a-later-version".to_owned(), params });
    line.acknowledge_with(vec![pb::Refused { sequence, error }]).await;
    line.lives().await?;
    let refused = |event: &startalk_client::Event| match event {
        startalk_client::Event::Changed { message, .. } if !message.refused.is_empty() => {
            (crate::witness::words(message) == "take it or leave it").then(|| message.refused.clone())
        }
        _ => None,
    };
    check("an unknown code", &g.alice().hears("the refusal", refused).await?, "internal")
}
