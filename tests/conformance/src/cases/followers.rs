//! Chapter 7 §5: what a follower takes of a home, and what not: signatures, places, times, two histories, a home that went
//! back, and one that says nothing.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use prost::Message as _;
use startalk_hostile::{
    Mallory,
    groups::{Log, invites, written},
    items,
    mallory::now_ms,
};
use startalk_protocol::pb::{
    client::{self, client_frame::Frame as Tell, server_frame::Frame as Told},
    content::{Content, content::Kind as ContentKind},
    group::{self, Answer, Entry, Head, Range, Readers, answer, ask, entry::Body},
    link::{self as pb, answer::Answer as Reply},
};

use super::{check, groups::Running};
use crate::{
    Case, Ground,
    away::{Away, Goal, knows_groups},
    case::{Needs, case},
};

pub(super) fn cases() -> Vec<Case> {
    let person = |name, tags, run: fn(Arc<Ground>) -> Running| case(name, tags, run).needs(Needs::Person);
    vec![
        person("group-follower-takes-what-its-home-signed", &["groups.range"], |g| Box::pin(signed(g))),
        person("group-follower-takes-what-follows-on", &["groups.range"], |g| Box::pin(follows_on(g))),
        person("group-follower-takes-answers-of-their-form", &["groups.range"], |g| Box::pin(forms(g))),
        person("group-follower-keeps-what-it-does-not-know", &["groups.unknown-action"], |g| Box::pin(unknown_action(g))),
        person("group-home-that-tells-two-histories", &["groups.equivocation"], |g| Box::pin(equivocates(g))),
        person("group-home-that-went-back", &["groups.went-back"], |g| Box::pin(went_back(g))),
        person("group-follower-waits-for-its-home", &["groups.waits"], |g| Box::pin(waits(g))),
        person("group-home-that-does-not-acknowledge", &["groups.waits"], |g| Box::pin(not_acknowledged(g))),
        person("group-home-that-answers-nothing", &["groups.waits"], |g| Box::pin(silent(g))),
        person("group-link-to-a-home-that-lies", &["groups.range"], |g| Box::pin(lying_link(g))),
    ]
}

/// In, and having read one message.
async fn welcomed(g: &Ground) -> anyhow::Result<Away> {
    let mut away = Away::new(g).await?;
    away.log.owner_says("welcome");
    away.reads("welcome").await?;
    Ok(away)
}

/// After all lies the truth is taken, and nothing else was.
async fn ends_well(mut away: Away) -> anyhow::Result<()> {
    away.log.owner_says("the truth");
    away.reads("the truth").await?;
    let words = away.words().await?;
    ensure!(!words.iter().any(|w| w.contains("lie")), "what must not be taken is read: {words:?}");
    Ok(())
}

async fn signed(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = welcomed(&g).await?;
    let (mallory, stranger) = (away.line.mallory.clone(), Mallory::stranger());
    let good = away.lie(|_| {});
    let (from, at) = (good.from.clone().context("a head")?, good.at.clone().context("a head")?);
    let sign = |by: &Mallory, head: Head| away.log.sign(by, head);
    let by_root = Mallory { link: mallory.root.clone(), ..mallory.clone() };
    let later = now_ms() + 48 * 3_600_000;
    let other_group = Log::begin(&mallory, "owner").group;
    let heads = [
        ("of zeros", Head { signature: vec![0; 64].into(), ..at.clone() }),
        ("of another length", Head { signature: at.signature.slice(..63), ..at.clone() }),
        ("of another time", Head { time_ms: at.time_ms + 1, ..at.clone() }),
        ("by another domain's key", sign(&stranger, at.clone())),
        ("by the root key", sign(&by_root, at.clone())),
        ("by a key that is not valid then", sign(&mallory, Head { time_ms: later, ..at.clone() })),
        ("with a chain of something else", sign(&mallory, Head { chain: vec![7; 32].into(), ..at.clone() })),
        ("with half a chain", Head { chain: at.chain.slice(..16), ..at.clone() }),
        ("of another epoch", sign(&mallory, Head { home_epoch: 0, ..at.clone() })),
        ("further on", sign(&mallory, Head { sequence: at.sequence + 1, ..at.clone() })),
        ("before the entry", sign(&mallory, Head { time_ms: at.time_ms - 1, ..at.clone() })),
        ("of another group", Head { group: other_group.clone(), ..at.clone() }),
        ("of no group", Head { group: "x".to_owned(), ..at.clone() }),
    ];
    let mut lies: Vec<(String, Range)> =
        heads.into_iter().map(|(what, at)| (format!("a head {what}"), Range { at: Some(at), ..good.clone() })).collect();
    lies.push(("a beginning by another".to_owned(), Range { from: Some(sign(&stranger, from)), ..good.clone() }));
    lies.push(("without a beginning".to_owned(), Range { from: None, ..good.clone() }));
    lies.push(("without an end".to_owned(), Range { at: None, ..good.clone() }));
    for (what, range) in lies {
        away.refuses(&what, range).await?;
    }
    ends_well(away).await
}

async fn follows_on(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = welcomed(&g).await?;
    let (mallory, here) = (away.line.mallory.clone(), away.end());
    let two = {
        let mut log = away.log.clone();
        (0..2).for_each(|n| log.owner_says(&format!("lie {n}")));
        log
    };
    let good = two.range(&mallory, here);
    let swapped = Range { entries: good.entries.iter().rev().cloned().collect(), ..good.clone() };
    let fewer = Range { entries: good.entries[..1].to_vec(), ..good.clone() };
    let more = Range { entries: good.entries.iter().chain(&good.entries[..1]).cloned().collect(), ..good.clone() };
    let with_entry = |change: &dyn Fn(&mut Entry)| {
        let mut range = good.clone();
        change(&mut range.entries[0]);
        range
    };
    // Another group's log has its entries at the same places.
    let mut other = Log::begin(&mallory, "owner");
    (other.entries.len() as u64..=here).for_each(|_| other.owner_says("a lie"));
    let mut back = away.log.clone();
    back.owner_says("a lie");
    let mut early = back.pop().context("an entry")?;
    early.time_ms = 1_000;
    back.add(early);
    let mut many = away.log.clone();
    (0..257).for_each(|_| many.owner_says("a lie"));
    let large = away.lie(|log| {
        let message = group::Message { id: items::new_id().0.to_vec().into(), ..group::Message::default() };
        log.acts(1, group::submission::Action::Message(message), &vec![b'x'; 131_073], 0);
    });
    for (what, range) in [
        ("entries in another order", swapped),
        ("an entry less", fewer),
        ("an entry more", more),
        ("no entries", Range { entries: Vec::new(), ..good.clone() }),
        ("other words", with_entry(&|e| e.body = Some(Body::Written(written(b"a lie"))))),
        ("no words", with_entry(&|e| e.body = None)),
        ("another author's domain", with_entry(&|e| e.origin = "other.example".to_owned())),
        ("another decision", with_entry(&|e| e.decided = vec![8, 5].into())),
        ("a gap", two.range(&mallory, here + 1)),
        ("what was before they came in", two.range(&mallory, 0)),
        ("from before what it has", two.range(&mallory, here - 1)),
        ("another group's log", other.range(&mallory, here)),
        ("another group's log from its beginning", other.range(&mallory, 2)),
        ("times that go back", back.range(&mallory, here)),
        ("257 entries", many.range(&mallory, here)),
        ("a body of 131073 bytes", large),
    ] {
        away.refuses(what, range).await?;
    }
    // An older head that is true proves nothing, and takes nothing back.
    let older = away.log.head(&mallory, here - 1);
    away.refuses("an older head", Range { from: Some(older.clone()), at: Some(older), end: here - 1, ..Range::default() })
        .await?;
    // The same as news.
    away.news(Range { entries: good.entries[..1].to_vec(), ..good }).await;
    ends_well(away).await
}

async fn forms(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = welcomed(&g).await?;
    let readers = Answer { answer: Some(answer::Answer::Readers(Readers::default())) };
    let beginning = Answer { answer: Some(answer::Answer::Beginning(away.log.beginning(&away.line.mallory))) };
    let error = pb::Error { code: "internal".to_owned(), ..pb::Error::default() };
    for (what, reply) in [
        ("nothing", Reply::What(Bytes::new())),
        ("what is no answer", Reply::What(vec![0xff; 1000].into())),
        ("a long answer of nothing", Reply::What(vec![0; 1_000_000].into())),
        ("readers", Reply::What(readers.encode_to_vec().into())),
        ("a beginning", Reply::What(beginning.encode_to_vec().into())),
        ("an error", Reply::Error(error)),
    ] {
        away.refuses_answer(what, reply).await?;
    }
    let lies = {
        let raw =
            |submission: &[u8], written: Bytes| away.lie(|log| log.push(Bytes::copy_from_slice(submission), written, 0, ""));
        [
            ("what is no submission", raw(&[0xff; 20], Bytes::new())),
            ("a salt of zeros", raw(b"", vec![0; 30].into())),
            ("half a salt", raw(b"", vec![1; 8].into())),
        ]
    };
    for (what, range) in lies {
        away.refuses(what, range).await?;
    }
    ends_well(away).await
}

async fn unknown_action(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = welcomed(&g).await?;
    let by_owner = group::Submission { author: 1, ..group::Submission::default() }.encode_to_vec();
    // Field 100, an empty message: an action of a later version. Its body is nothing that is known.
    let unknown = [by_owner, vec![0xa2, 0x06, 0]].concat();
    away.log.push(unknown.into(), written(b"\xff\xfe"), 0, "");
    away.log.owner_says("and on");
    away.reads("and on").await?;
    let codes = |m: &client::Message| match Content::decode(m.content.clone()).ok()?.kind? {
        ContentKind::System(system) => Some(system.code),
        _ => None,
    };
    let history = away.device.history(away.conversation).await?;
    let codes: Vec<String> = history.iter().filter_map(codes).collect();
    ensure!(codes.iter().any(|c| c == "group-unknown"), "an act that it does not know is not shown: {codes:?}");
    Ok(())
}

async fn equivocates(g: Arc<Ground>) -> anyhow::Result<()> {
    for later in [false, true] {
        let mut away = Away::new(&g).await?;
        let (mut other, here) = (away.log.clone(), away.end());
        away.log.owner_says("one story");
        away.reads("one story").await?;
        other.owner_says("another story");
        let mallory = away.line.mallory.clone();
        if later {
            // It goes on behind the place where it differs: `from` is the head that proves it.
            other.owner_says("and on");
        }
        away.tells(other.range(&mallory, here + u64::from(later))).await?;
        away.until(Goal::Standing("suspect")).await.context("two histories are shown")?;
        // Nothing more is taken, of neither, and nothing said in it.
        away.log.owner_says("and on");
        let range = away.log.range(&mallory, here + 1);
        away.news(range).await;
        away.hint().await;
        away.line.lives().await?;
        match away.says("hm").await? {
            Told::Error(error) => check("somebody writes", &error.code, "equivocation")?,
            other => bail!("somebody writes: expected `equivocation`, heard {other:?}"),
        }
        away.line.lives().await?;
        ensure!(away.line.asks.is_empty(), "it asks for more of what it does not believe");
        let words = away.words().await?;
        ensure!(words == ["one story"], "{words:?}");
    }
    Ok(())
}

/// A home that was restored says so in a new epoch: what it lost stays readable, and nobody is suspected.
async fn went_back(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = welcomed(&g).await?;
    let kept = away.log.entries.len();
    away.log.owner_says("lost at home");
    away.log.owner_says("lost too");
    away.reads("lost too").await?;
    let before = away.conversation;
    away.log.went_back_to(kept);
    away.log.owner_says("after");
    // The node has more than there is: the home says where its log ends.
    let mallory = away.line.mallory.clone();
    let at = away.log.head(&mallory, away.end());
    away.news(Range { from: Some(at.clone()), at: Some(at), end: away.end(), ..Range::default() }).await;
    away.hint().await;
    let standing = |all: &[client::Conversation], conversation: u64| {
        let there = all.iter().find(|c| c.conversation == conversation)?;
        Some(there.group.as_ref()?.standing.clone())
    };
    loop {
        let all = away.device.conversations().await?;
        match standing(&all, before).as_deref() {
            Some("renewed") => break,
            Some("suspect") => bail!("a home that was restored is suspected"),
            _ => {}
        }
        away.line.lives().await?;
        while let Some(asked) = away.line.asks.pop_front() {
            let answer = away.log.answer(&mallory, &asked.what).context("a question about the group")?;
            away.reply(asked.id, Reply::What(answer.encode_to_vec().into())).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let words = away.device.words(before).await?;
    ensure!(words == ["welcome", "lost at home", "lost too"], "what the home has lost is gone here too: {words:?}");
    Ok(())
}

/// What was submitted and is not in the log waits, and is there when the home has recorded it; what the home refuses
/// waits no more.
async fn waits(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = Away::new(&g).await?;
    let Told::Sent(sent) = away.says("patient").await? else { bail!("expected that it was sent") };
    ensure!(sent.sequence == 0, "it has the place {} before its home has recorded it", sent.sequence);
    let submission = away.submission().await?;
    // It was received; it is not recorded, and others are. A head is later than now, and not than it may be recorded.
    away.line.acknowledge().await;
    away.log.owner_says("meanwhile");
    away.reads("meanwhile").await?;
    let mallory = away.line.mallory.clone();
    let range = away.log.range(&mallory, away.end());
    let at = away.log.sign(&mallory, Head { time_ms: now_ms() + 60_000, ..away.log.head(&mallory, away.end()) });
    away.refuses("a later head without entries", Range { at: Some(at), ..range }).await?;
    let waiting = away.waiting().await?;
    ensure!(waiting == 1, "{waiting} messages wait for the home");
    away.record(&submission, 0)?;
    let mut entry = away.log.pop().context("an entry")?;
    entry.time_ms = now_ms() + 120_000;
    away.log.add(entry);
    away.reads("patient").await?;
    let words = away.words().await?;
    ensure!(words == ["meanwhile", "patient"], "{words:?}");
    // Refused by the home: over.
    let Told::Sent(_) = away.says("in vain").await? else { bail!("expected that it was sent") };
    away.submission().await?;
    let error = pb::Error { code: "muted".to_owned(), ..pb::Error::default() };
    let refused = pb::Refused { sequence: away.line.theirs.sequence, error: Some(error) };
    away.line.acknowledge_with(vec![refused]).await;
    while away.waiting().await? > 0 {
        away.line.lives().await?;
    }
    let words = away.words().await?;
    ensure!(words == ["meanwhile", "patient"], "{words:?}");
    Ok(())
}

/// Acks that were lost: the same comes again, with the same bytes, and is there once when it was recorded the first time.
async fn not_acknowledged(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = welcomed(&g).await?;
    let Told::Sent(_) = away.says("once").await? else { bail!("expected that it was sent") };
    let first = away.submission().await?;
    away.record(&first, 0)?;
    for _ in 0..3 {
        let mallory = std::mem::replace(&mut away.line, knows_groups(&g, Mallory::stranger()).await?).leave();
        away.line = knows_groups(&g, mallory).await?;
        let again = away.submission().await?;
        ensure!(again == first, "what comes again is not the same");
    }
    away.line.acknowledge().await;
    away.reads("once").await?;
    let mallory = std::mem::replace(&mut away.line, knows_groups(&g, Mallory::stranger()).await?).leave();
    away.line = knows_groups(&g, mallory).await?;
    away.log.owner_says("and on");
    away.reads("and on").await?;
    ensure!(away.line.heard.is_empty(), "what was acknowledged comes again");
    let (words, waiting) = (away.words().await?, away.waiting().await?);
    ensure!(words == ["welcome", "once", "and on"] && waiting == 0, "{words:?}, {waiting} wait");
    Ok(())
}

/// Neither questions nor submissions are answered: what waits, waits, and everything else goes on.
async fn silent(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = Away::invited(&g).await?;
    away.submission().await?;
    for _ in 0..3 {
        away.hint().await;
        away.line.lives().await?;
    }
    let there = away.device.group(&away.log.group).await?.and_then(|c| c.group).context("the group")?;
    check("how they stand", &there.standing, "joining")?;
    // The link carries other things, the person does other things, and other groups of the same home go on.
    let words = items::says("owner", away.device.name(), "hello");
    check("a message", &away.line.give(words).await?, "")?;
    let counter = away.device.number();
    let create = client::CreateGroup { counter, name: "ours".to_owned(), members: Vec::new() };
    away.device.done(Tell::CreateGroup(create)).await?;
    let other = Log::begin(&away.line.mallory, "owner");
    let inviter = format!("owner@{}", away.line.mallory.domain);
    check("an invitation", &away.line.give(invites(&other.group, away.device.name(), &other.group, &inviter)).await?, "")?;
    let counter = away.device.number();
    let accept = client::DecideGroupInvitation { counter, group: other.group.clone(), accept: true };
    away.device.done(Tell::DecideGroupInvitation(accept)).await?;
    let charters = away.log.charters.clone();
    let silent = std::mem::replace(&mut away.log, Log { charters, ..other });
    let joins = loop {
        let submission = away.submission().await?;
        if submission.group == away.log.group {
            break submission;
        }
    };
    away.record(&joins, 2)?;
    away.line.acknowledge().await;
    away.until(Goal::Standing("member")).await?;
    let there = away.device.group(&silent.group).await?.and_then(|c| c.group).context("the group")?;
    check("how they stand in the other", &there.standing, "joining")
}

/// Somebody follows a link to a home that lies about how its group stands. Then it tells the truth.
async fn lying_link(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = Away::unknown(&g).await?;
    let link = format!("https://{}/group/{}#secret", away.line.mallory.domain, away.log.group);
    let counter = away.device.number();
    away.device.done(Tell::JoinGroup(client::JoinGroup { counter, link, word: String::new() })).await?;
    let joins = away.submission().await?;
    check("the link's secret", &String::from_utf8_lossy(&joins.secret), "secret")?;
    away.record(&joins, 2)?;
    away.line.acknowledge().await;
    let (mallory, stranger) = (away.line.mallory.clone(), Mallory::stranger());
    let good = away.log.beginning(&mallory);
    let base = good.base.clone().context("a base")?;
    let with_base = |base: Head| group::Beginning { base: Some(base), ..good.clone() };
    let member = good.members.first().cloned().context("a member")?;
    let with_members = |members: Vec<group::Member>| group::Beginning { members, ..good.clone() };
    let lies = [
        ("another group", with_base(Log::begin(&mallory, "owner").head(&mallory, 2))),
        ("not signed", with_base(Head { signature: vec![1; 64].into(), ..base.clone() })),
        ("signed by another", with_base(away.log.sign(&stranger, base.clone()))),
        ("without a base", group::Beginning { base: None, ..good.clone() }),
        ("a name that goes over lines", group::Beginning { name: "a\u{202e}b".to_owned(), ..good.clone() }),
        ("a long notice", group::Beginning { notice: "x".repeat(10_000), ..good.clone() }),
        ("257 members", with_members(vec![member.clone(); 257])),
        ("a number out of reach", with_members(vec![group::Member { member: u64::MAX, ..member.clone() }])),
        ("a member without a number", with_members(vec![group::Member { member: 0, ..member }])),
    ];
    for (what, beginning) in lies {
        let id = begins(&mut away, what).await?;
        let answer = Answer { answer: Some(answer::Answer::Beginning(beginning)) };
        away.reply(id, Reply::What(answer.encode_to_vec().into())).await;
    }
    // Pages that never end are asked for so often and no more.
    let mut id = begins(&mut away, "pages without end").await?;
    for pages in 1.. {
        ensure!(pages < 1000, "it asks for {pages} pages of members");
        let page = group::Beginning { next_member: 1, members: Vec::new(), ..good.clone() };
        away.reply(id, Reply::What(Answer { answer: Some(answer::Answer::Beginning(page)) }.encode_to_vec().into())).await;
        away.line.lives().await?;
        match away.line.asks.pop_front() {
            Some(asked) => id = asked.id,
            None => break,
        }
    }
    away.until(Goal::Standing("member")).await?;
    ends_well(away).await
}

/// The node asks to begin.
async fn begins(away: &mut Away, what: &str) -> anyhow::Result<u64> {
    away.hint().await;
    match away.asked().await? {
        (id, ask::Ask::Begin(begin)) if begin.from_member == 0 => Ok(id),
        (_, other) => bail!("{what}: expected to be asked to begin, heard {other:?}"),
    }
}
