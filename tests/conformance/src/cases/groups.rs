//! Chapter 7 and chapter 3 §8a: groups, with the node as home of one in which Mallory's people are, and invitations to
//! groups of Mallory's.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use prost::Message as _;
use startalk_hostile::{
    Line, Mallory,
    groups::{Log, Submitted, invites, signed, submission_hash},
    mallory::{key, now_ms, random},
};
use startalk_protocol::pb::{
    client::{self, client_frame::Frame as Tell, server_frame::Frame as Told},
    group::{self, Ask, Begin, Follow, ReadBy, answer, ask, submission::Action},
    link::{self as pb, answer::Answer as Reply, frame::Frame as Kind, item::Kind as ItemKind},
};

use super::check;
use crate::{
    Case, Ground,
    away::knows_groups,
    case::{Needs, case},
    device::Device,
};

pub(super) fn cases() -> Vec<Case> {
    let person = |name, tags, run: fn(Arc<Ground>) -> Running| case(name, tags, run).needs(Needs::Person);
    vec![
        case("ask-not-of-its-form", &["asks.form"], asks),
        case("ask-is-not-sent-to-who-does-not-know-groups", &["asks.feature", "overview.features"], feature).needs(Needs::Person),
        case("group-submissions-signed-wrongly", &["groups.signed"], signatures),
        case("group-that-is-not-there", &["groups.may-have", "groups.judged"], unknown),
        person("group-home-judges-submissions", &["groups.judged", "groups.signed"], |g| Box::pin(judged(g))),
        person("group-home-counts-submissions", &["groups.numbers"], |g| Box::pin(numbers(g))),
        person("group-home-serves-what-one-may-have", &["groups.may-have"], |g| Box::pin(served(g))),
        person("group-flood-of-joins", &["groups.judged"], |g| Box::pin(joins(g))),
        person("group-flood-of-invitations", &["groups.invitations"], |g| Box::pin(invitations(g))),
    ]
}

pub(super) type Running = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

pub(super) fn question(group: &str, ask: ask::Ask) -> Bytes {
    Ask { group: group.to_owned(), ask: Some(ask) }.encode_to_vec().into()
}

fn follow(group: &str, after: u64) -> Bytes {
    question(group, ask::Ask::Follow(Follow { after, waits_for_ms: 0 }))
}

/// The code of an answer that is an error; empty if it is none.
pub(super) fn code(answer: &Reply) -> &str {
    match answer {
        Reply::Error(error) => &error.code,
        Reply::What(_) => "",
    }
}

async fn asks(g: Arc<Ground>) -> anyhow::Result<()> {
    let nothing = || follow("aaaaaaaaaaaaaaaaaaaaaaaaaa", 0);
    let bad: Vec<Vec<Kind>> = vec![
        vec![Kind::Ask(pb::Ask { id: 0, what: nothing() })],
        vec![Kind::Answer(pb::Answer { id: 1, answer: Some(Reply::What(Bytes::new())) })],
        vec![Kind::Answer(pb::Answer { id: 1, answer: None })],
    ];
    for bad in bad {
        let mut line = knows_groups(&g, Mallory::stranger()).await?;
        for frame in bad {
            line.connection.say(frame).await;
        }
        check("the frame", &line.closed().await?.code, "malformed")?;
    }
    let mut line = knows_groups(&g, Mallory::stranger()).await?;
    line.connection.say(Kind::Ask(pb::Ask { id: 1, what: vec![1; 65_537].into() })).await;
    check("a long question", &line.closed().await?.code, "too-large")?;
    // What is no question is answered, and notes of nothing are not.
    let mut line = knows_groups(&g, Mallory::stranger()).await?;
    for (id, what) in [(1, Bytes::new()), (2, vec![0xff; 100].into()), (u64::MAX, vec![0; 1000].into())] {
        check("what is no question", code(&line.ask(id, what).await?), "malformed")?;
    }
    for what in [Bytes::new(), vec![0xff; 100].into(), vec![0; 200_000].into()] {
        line.connection.say(Kind::Note(pb::Note { what })).await;
    }
    line.lives().await
}

async fn feature(g: Arc<Ground>) -> anyhow::Result<()> {
    // Without the feature, a line refuses every such frame; the node has a group to tell of.
    let mut line = g.link(Mallory::stranger()).await?;
    let mut owner = Device::new(&g).await?;
    create(&mut owner, &format!("mallory@{}", line.mallory.domain)).await?;
    loop {
        if let (_, pb::Item { kind: Some(ItemKind::GroupInvite(invite)), from, .. }) = line.item().await? {
            ensure!(from == invite.group, "an invitation from {from} to {}", invite.group);
            break;
        }
    }
    line.lives().await
}

async fn signatures(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let joins = Submitted::joins(&line.mallory, "aaaaaaaaaaaaaaaaaaaaaaaaaa", "mallory", 1);
    let good = signed(&line.mallory, &[joins.hash()]);
    let by_other = signed(&Mallory { link: key(3), ..line.mallory.clone() }, &[joins.hash()]);
    let many = signed(&line.mallory, &[[1; 32]; 65]);
    let short = pb::Submissions { hashes: vec![vec![1; 31].into()], ..good.clone() };
    let other = pb::Submissions { hashes: vec![vec![1; 32].into()], ..good.clone() };
    let unsigned = pb::Submissions { signature: vec![0; 64].into(), ..good.clone() };
    for (what, submissions, expected) in [
        ("by another key", by_other, "bad-signature"),
        ("of other hashes", other, "bad-signature"),
        ("of zeros", unsigned, "bad-signature"),
        ("of 65", many, "too-many"),
        ("of a short hash", short, "malformed"),
    ] {
        let batch = line.mallory.batch(&g.domain, 1, &[joins.item()]);
        line.connection.say(Kind::Batch(pb::Batch { submissions: Some(submissions), ..batch })).await;
        check(what, &line.closed().await?.code, expected)?;
        line = g.link(line.leave()).await?;
    }
    check("a group that is not there", &line.submit(&[joins.item()], Some(good)).await?[0], "no-such-conversation")
}

async fn unknown(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = knows_groups(&g, Mallory::stranger()).await?;
    let mut id = 0;
    for group in ["", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAAAAAAAAAAAA", &"a".repeat(1000)] {
        for ask in
            [ask::Ask::Follow(Follow::default()), ask::Ask::Begin(Begin::default()), ask::Ask::ReadBy(ReadBy { sequence: 1 })]
        {
            id += 1;
            check("a group that is not there", code(&line.ask(id, question(group, ask)).await?), "no-such-conversation")?;
        }
        let joins = Submitted::joins(&line.mallory, group, "mallory", 1);
        let signed = signed(&line.mallory, &[joins.hash()]);
        check("a submission to it", &line.submit(&[joins.item()], Some(signed)).await?[0], "no-such-conversation")?;
    }
    Ok(())
}

/// A new group with one who is invited: the conversation and its id.
async fn create(owner: &mut Device, invited: &str) -> anyhow::Result<(u64, String)> {
    let counter = owner.number();
    let create = client::CreateGroup { counter, name: "a group".to_owned(), members: vec![invited.to_owned()] };
    let Told::Sent(sent) = owner.done(Tell::CreateGroup(create)).await? else { bail!("expected to hear of a new group") };
    let all = owner.conversations().await?;
    let there = all.into_iter().find(|c| c.conversation == sent.conversation).context("the new group")?;
    Ok((sent.conversation, there.group.context("a group")?.group))
}

/// A group of the node's, with somebody of Mallory's in it.
struct Home {
    owner: Device,
    conversation: u64,
    group: String,
    line: Line,
    /// Of Mallory's submissions.
    number: u64,
    /// The member's.
    member: u64,
    asked: u64,
}

impl Home {
    async fn new(g: &Ground) -> anyhow::Result<Self> {
        let line = knows_groups(g, Mallory::stranger()).await?;
        let mut owner = Device::new(g).await?;
        let (conversation, group) = create(&mut owner, &format!("mallory@{}", line.mallory.domain)).await?;
        let mut home = Self { owner, conversation, group, line, number: 0, member: 0, asked: 0 };
        while !matches!(home.line.item().await?.1.kind, Some(ItemKind::GroupInvite(_))) {}
        let joins = Submitted::joins(&home.line.mallory, &home.group, "mallory", 1);
        check("who was invited joins", &home.submit(joins).await?, "")?;
        let there = home.begin().await?;
        let own = home.line.mallory.domain.to_string();
        let me = there.members.iter().find(|m| m.domain == own);
        home.member = match me {
            Some(member) => member.member,
            // It stands in the log only.
            None => 2,
        };
        Ok(home)
    }

    async fn begin(&mut self) -> anyhow::Result<group::Beginning> {
        self.asked += 1;
        let ask = question(&self.group, ask::Ask::Begin(Begin::default()));
        match self.line.ask(self.asked, ask).await? {
            Reply::What(what) => match group::Answer::decode(what)?.answer {
                Some(answer::Answer::Beginning(beginning)) => Ok(beginning),
                other => bail!("expected a beginning, heard {other:?}"),
            },
            Reply::Error(error) => bail!("expected a beginning, heard {error:?}"),
        }
    }

    async fn range(&mut self, after: u64) -> anyhow::Result<Result<group::Range, String>> {
        self.asked += 1;
        match self.line.ask(self.asked, follow(&self.group, after)).await? {
            Reply::What(what) => match group::Answer::decode(what)?.answer {
                Some(answer::Answer::Range(range)) => Ok(Ok(range)),
                other => bail!("expected a range, heard {other:?}"),
            },
            Reply::Error(error) => Ok(Err(error.code)),
        }
    }

    /// Submits with the signature that it needs.
    async fn submit(&mut self, submitted: Submitted) -> anyhow::Result<String> {
        self.number = self.number.max(submitted.submission.number);
        let signed = signed(&self.line.mallory, &[submitted.hash()]);
        Ok(self.line.submit(&[submitted.item()], Some(signed)).await?.remove(0))
    }

    fn says(&mut self, words: &str) -> Submitted {
        self.number += 1;
        Submitted::says(&self.group, "mallory", self.member, self.number, words)
    }
}

async fn judged(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut home = Home::new(&g).await?;
    let good = home.says("good");
    check("a message", &home.submit(good).await?, "")?;
    // Not signed, or signed for something else.
    let unsigned = home.says("not signed");
    check("nothing is signed", &home.line.submit(&[unsigned.item()], None).await?[0], "bad-signature")?;
    let other = signed(&home.line.mallory, &[random()]);
    let unsigned = home.says("not signed");
    check("another is signed", &home.line.submit(&[unsigned.item()], Some(other)).await?[0], "bad-signature")?;
    let elsewhere = signed(&home.line.mallory, &[submission_hash(&home.group, b"", b"")]);
    let unsigned = home.says("not signed");
    check("nothing is signed", &home.line.submit(&[unsigned.item()], Some(elsewhere)).await?[0], "bad-signature")?;
    // As somebody else.
    for (what, spoil) in [
        ("as the owner", (|s| s.submission.author = 1) as fn(&mut Submitted)),
        ("as nobody", |s| s.submission.author = 99),
        ("by another account", |s| s.from = "eve".to_owned()),
        ("as who is no member", |s| s.submission.author = 0),
    ] {
        let mut forged = home.says(what);
        spoil(&mut forged);
        check(what, &home.submit(forged).await?, "forbidden")?;
    }
    let mut joins = Submitted::joins(&home.line.mallory, &home.group, "eve", home.number + 1);
    joins.from = "mallory".to_owned();
    check("somebody brings in another", &home.submit(joins).await?, "forbidden")?;
    let stranger = Mallory::stranger();
    let joins = Submitted::joins(&stranger, &home.group, "mallory", home.number + 1);
    check("somebody of another domain", &home.submit(joins).await?, "forbidden")?;
    // Out of form.
    for (what, spoil) in [
        ("number 0", (|s| s.submission.number = 0) as fn(&mut Submitted)),
        ("no action", |s| s.submission.action = None),
        ("a salt of zeros", |s| s.written = [&[0; 16][..], &s.written[16..]].concat().into()),
        ("half a salt", |s| s.written = s.written.slice(..8)),
    ] {
        let mut bad = home.says(what);
        spoil(&mut bad);
        check(what, &home.submit(bad).await?, "malformed")?;
    }
    let mut late = home.says("too late");
    late.submission.not_after_ms = now_ms() - 60_000;
    check("too late", &home.submit(late.clone()).await?, "expired")?;
    check("too late, again", &home.submit(late).await?, "expired")?;
    // What only the owner may.
    let mut destroy = home.says("x");
    (destroy.submission.action, destroy.written) = (Some(Action::Destroy(group::Destroy {})), Bytes::new());
    let code = home.submit(destroy).await?;
    ensure!(!code.is_empty(), "a member destroyed the group");
    let good = home.says("good again");
    check("a message", &home.submit(good).await?, "")?;
    let words = home.owner.words(home.conversation).await?;
    ensure!(words == ["good", "good again"], "{words:?}");
    Ok(())
}

async fn numbers(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut home = Home::new(&g).await?;
    home.number = 9;
    let once = home.says("once");
    check("ten", &home.submit(once.clone()).await?, "")?;
    for _ in 0..2 {
        check("ten, the same again", &home.submit(once.clone()).await?, "")?;
    }
    let instead = Submitted::says(&home.group, "mallory", home.member, 10, "instead");
    check("another ten", &home.submit(instead).await?, "conflict")?;
    let between = Submitted::says(&home.group, "mallory", home.member, 5, "between");
    let code = home.submit(between).await?;
    ensure!(["too-old", "conflict"].contains(&code.as_str()), "five behind ten: {code:?}");
    let refused = Submitted { submission: group::Submission { number: 20, not_after_ms: 1, ..once.submission.clone() }, ..once };
    for _ in 0..2 {
        check("twenty, too late", &home.submit(refused.clone()).await?, "expired")?;
    }
    home.number = 20;
    let next = home.says("next");
    check("twenty-one", &home.submit(next).await?, "")?;
    let words = home.owner.words(home.conversation).await?;
    ensure!(words == ["once", "next"], "{words:?}");
    Ok(())
}

async fn served(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut home = Home::new(&g).await?;
    let base = home.begin().await?.base.context("a base")?.sequence;
    ensure!(base >= 2, "a follower may have the log from {base} on, before anybody of it was in");
    // Before its first member came in it may have nothing.
    for after in 0..base {
        if let Ok(range) = home.range(after).await? {
            let from = range.from.context("a head")?.sequence;
            ensure!(from >= base, "after {after} it is served from {from} on, and may have what is after {base}");
        }
    }
    let range = home.range(base).await?.map_err(|code| anyhow::anyhow!("refused: {code}"))?;
    ensure!(range.entries.len() as u64 == range.end - base, "{} entries after {base}, up to {}", range.entries.len(), range.end);
    for head in [&range.from, &range.at] {
        let head = head.as_ref().context("a head")?;
        let bytes = startalk_protocol::group::head_bytes(head).context("what a head signs")?;
        let key = startalk_protocol::signing::PublicKey::from_bytes(&head.link_key).context("a key")?;
        let good = key.verify(startalk_protocol::signing::Purpose::GroupHead, &bytes, &head.signature);
        ensure!(good && head.group == home.group, "a head that is not signed");
    }
    let end = range.end;
    // A follower that has more than there is lies, or the home went back: it says where it is, and gives nothing.
    for after in [end + 1, end + 1000, u64::MAX] {
        let range = home.range(after).await?.map_err(|code| anyhow::anyhow!("after {after} of {end}: {code}"))?;
        let (from, at) = (range.from.context("a head")?, range.at.context("a head")?);
        // Both are heads of one place; each is signed anew, at its own time.
        let place = |h: &group::Head| (h.sequence, h.home_epoch, h.chain.clone());
        let where_it_ends = place(&from) == place(&at) && (end..end + 2).contains(&at.sequence) && range.end == at.sequence;
        ensure!(
            range.entries.is_empty() && where_it_ends,
            "after {after} of {end}: {} entries, {from:?}, {at:?}",
            range.entries.len()
        );
    }
    // A domain without anybody in it learns nothing, not even that there is such a group.
    let mut other = knows_groups(&g, Mallory::stranger()).await?;
    let asks = [follow(&home.group, base), question(&home.group, ask::Ask::Begin(Begin::default())), follow(&home.group, 0)];
    for (id, what) in (1..).zip(asks) {
        check("another domain", code(&other.ask(id, what).await?), "no-such-conversation")?;
    }
    ensure!(other.notes.is_empty(), "another domain is told of the group");
    Ok(())
}

/// Strangers who were not invited, with secrets that they make up.
async fn joins(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut home = Home::new(&g).await?;
    for round in 0..4 {
        let joins: Vec<Submitted> = (0..64_u64)
            .map(|n| {
                let number = home.number + n + 1;
                let joins = Submitted::joins(&home.line.mallory, &home.group, &format!("m{round}-{n}"), number);
                Submitted { secret: format!("guess{n}").into(), ..joins }
            })
            .collect();
        home.number += 64;
        let hashes: Vec<[u8; 32]> = joins.iter().map(Submitted::hash).collect();
        let items: Vec<Bytes> = joins.iter().map(Submitted::item).collect();
        let signed = signed(&home.line.mallory, &hashes);
        for code in home.line.submit(&items, Some(signed)).await? {
            check("somebody who was not invited", &code, "group-link-invalid")?;
        }
    }
    let there = home.owner.group(&home.group).await?.and_then(|c| c.group).context("the group")?;
    ensure!(there.members == 2 && there.asked == 0, "{} are in, {} wait", there.members, there.asked);
    let good = home.says("still here");
    check("a member", &home.submit(good).await?, "")
}

async fn invitations(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = g.link(Mallory::stranger()).await?;
    let mut device = Device::new(&g).await?;
    let inviter = format!("mallory@{}", line.mallory.domain);
    let groups: Vec<String> = (0..30).map(|_| Log::begin(&line.mallory, "owner").group).collect();
    let name = device.name().to_owned();
    let items: Vec<Bytes> = groups.iter().map(|group| invites(group, &name, group, &inviter)).collect();
    let refused = line.deliver(&items).await?;
    ensure!(refused.is_empty(), "what is one too many is closed, not refused: {refused:?}");
    let waiting =
        async |device: &mut Device| match device.done(Tell::ListGroupInvitations(client::ListGroupInvitations {})).await? {
            Told::GroupInvitations(all) => anyhow::Ok(all.invitations.len()),
            other => bail!("expected invitations, heard {other:?}"),
        };
    ensure!(waiting(&mut device).await? == 20, "{} invitations of one domain wait", waiting(&mut device).await?);
    // To nobody it is answered alike; what is none is refused, whoever it is for.
    let group = &groups[0];
    for to in ["nobody-has-this-name", name.as_str()] {
        check("to somebody", &line.give(invites(group, to, group, &inviter)).await?, "")?;
        check("from another than the group", &line.give(invites("mallory", to, group, &inviter)).await?, "malformed")?;
        check("to no group", &line.give(invites("group", to, "group", &inviter)).await?, "malformed")?;
        check("by nobody", &line.give(invites(group, to, group, "nobody")).await?, "malformed")?;
    }
    ensure!(waiting(&mut device).await? == 20, "the count has changed");
    Ok(())
}
