//! Chapter 7 §5: a home that speaks for others, lets in who never asked, and gives numbers and bodies that are none. All of
//! it is signed and chained as it must be.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use prost::Message as _;
use startalk_hostile::{
    Mallory,
    groups::{Log, Submitted, proof},
    items,
    mallory::{new_key, now_ms},
};
use startalk_protocol::pb::{
    client::server_frame::Frame as Told,
    group::{
        self, Add, Admit, Create, Edit, Join, MakeLink, Mute, Person, Pin, Range, Role, SetRole, SetText, Text,
        submission::Action,
    },
};

use super::groups::Running;
use crate::{
    Case, Ground,
    away::Away,
    case::{Needs, case},
    device::Device,
};

pub(super) fn cases() -> Vec<Case> {
    let person = |name, tags, run: fn(Arc<Ground>) -> Running| case(name, tags, run).needs(Needs::Person);
    vec![
        person("group-home-that-speaks-for-members", &["groups.speaks", "groups.range"], |g| Box::pin(speaks(g))),
        person("group-home-that-speaks-for-domains", &["groups.range", "groups.joins"], |g| Box::pin(third(g))),
        person("group-home-that-lets-in-who-never-asked", &["groups.unasked"], |g| Box::pin(unasked(g))),
        person("group-home-with-numbers-out-of-reach", &["groups.bounds"], |g| Box::pin(numbers(g))),
        person("group-home-with-bodies-out-of-form", &["groups.bounds"], |g| Box::pin(bodies(g))),
    ]
}

fn message() -> Action {
    Action::Message(group::Message { id: items::new_id().0.to_vec().into(), ..group::Message::default() })
}

fn named(name: &str, domain: &str) -> Vec<u8> {
    Person { name: name.to_owned(), domain: domain.to_owned(), ..Person::default() }.encode_to_vec()
}

/// In, and their own words are recorded at the last place.
async fn heard(g: &Ground) -> anyhow::Result<Away> {
    let mut away = Away::new(g).await?;
    let Told::Sent(_) = away.says("mine").await? else { bail!("expected that it was sent") };
    let submission = away.submission().await?;
    away.record(&submission, 0)?;
    away.line.acknowledge().await;
    away.reads("mine").await?;
    Ok(away)
}

async fn ends_well(mut away: Away, expected: &[&str]) -> anyhow::Result<()> {
    away.log.owner_says("the truth");
    away.reads("the truth").await?;
    let words = away.words().await?;
    ensure!(words == expected, "{words:?} instead of {expected:?}");
    Ok(())
}

async fn speaks(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = heard(&g).await?;
    let (mine, own) = (away.end(), g.domain.to_string());
    let lies = {
        let says = |number: u64| Submitted::says(&away.log.group, away.device.name(), 2, number, "a lie").wire();
        let forged = |number: u64, origin: &str| {
            let said = says(number);
            away.lie(|log| log.push(said.submission, said.written, 0, origin))
        };
        let again = away.log.entries.last().cloned().context("an entry")?;
        let again = |change: fn(&mut group::Entry)| {
            away.lie(|log| {
                let mut entry = again.clone();
                entry.time_ms = log.entries.last().map_or(0, |e| e.time_ms);
                change(&mut entry);
                log.add(entry);
            })
        };
        let with_proof = |number: u32, mut range: Range| {
            range.entries[0].proof = number;
            range
        };
        [
            ("as the home's", away.lie(|log| log.says(2, "a lie"))),
            ("as theirs, without a proof", forged(u64::MAX, &own)),
            ("as theirs, with the proof of other words", with_proof(2, forged(u64::MAX, &own))),
            ("with a proof that is not there", with_proof(99, forged(u64::MAX, &own))),
            ("as of no domain", forged(u64::MAX, "not a domain")),
            ("their words once more", again(|_| {})),
            ("their words once more, as the home's", again(|e| (e.origin, e.proof) = (String::new(), 0))),
            (
                "their words are others",
                away.lie(|log| log.acts(1, Action::Edit(Edit { target: mine }), &items::text("a lie"), 0)),
            ),
            ("they leave", away.lie(|log| log.acts(2, Action::Leave(group::Leave {}), b"", 0))),
        ]
    };
    for (what, range) in lies {
        away.refuses(what, range).await?;
    }
    ends_well(away, &["mine", "the truth"]).await
}

/// Somebody of a third domain that the node has never met: what it signed is taken, once its charter is there.
async fn third(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = heard(&g).await?;
    let third = Mallory::stranger();
    let charter = Mallory::sign_charter(&third.root, &third.charter());
    let with = |log: &mut Log, submitted: &Submitted, member: u64, by: &Mallory, knows: bool| {
        log.record(&submitted.wire(), member, group::Proof { domain: third.domain.to_string(), ..proof(by, submitted) });
        if knows {
            log.charters.push(charter.clone());
        }
    };
    let joins = Submitted::joins(&third, &away.log.group, "eve", 1);
    let of_fourth = Submitted::joins(&Mallory::stranger(), &away.log.group, "mallory", 1);
    let mut late = joins.clone();
    late.submission.not_after_ms = now_ms() - 60_000;
    let other_key = Mallory { link: new_key(), ..third.clone() };
    let lies = [
        (
            "nothing proves it",
            away.lie(|log| {
                let said = joins.wire();
                log.push(said.submission, said.written, 3, third.domain.as_str());
                log.charters.push(charter.clone());
            }),
        ),
        ("signed by the home", away.lie(|log| with(log, &joins, 3, &away.line.mallory, true))),
        ("signed by a key that is not in the charter", away.lie(|log| with(log, &joins, 3, &other_key, true))),
        ("its charter is not there", away.lie(|log| with(log, &joins, 3, &third, false))),
        ("somebody of a fourth domain", away.lie(|log| with(log, &of_fourth, 3, &third, true))),
        ("recorded too late", away.lie(|log| with(log, &late, 3, &third, true))),
    ];
    for (what, range) in lies {
        away.refuses(what, range).await?;
    }
    let mut log = away.log.clone();
    with(&mut log, &joins, 3, &third, true);
    away.takes("a third domain's member", log).await?;
    let says = |number: u64, words: &str| Submitted::says(&away.log.group, "eve", 3, number, words);
    let mut log = away.log.clone();
    with(&mut log, &says(2, "hello from a third"), 0, &third, true);
    away.takes("a third domain's words", log).await?;
    let old = Submitted::says(&away.log.group, "eve", 3, 2, "a lie");
    let of_owner = Submitted::says(&away.log.group, "owner", 1, 3, "a lie");
    let of_member = Submitted::says(&away.log.group, "x", 2, 3, "a lie");
    let lies = [
        ("a number again", away.lie(|log| with(log, &old, 0, &third, true))),
        ("the third as the owner", away.lie(|log| with(log, &of_owner, 0, &third, true))),
        ("the third as who is of the node", away.lie(|log| with(log, &of_member, 0, &third, true))),
        ("the home as the third", away.lie(|log| log.says(3, "a lie"))),
    ];
    for (what, range) in lies {
        away.refuses(what, range).await?;
    }
    ends_well(away, &["mine", "hello from a third", "the truth"]).await
}

async fn unasked(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mut away, mut other) = (heard(&g).await?, Device::new(&g).await?);
    let (name, own) = (other.name().to_owned(), g.domain.to_string());
    let third = Mallory::stranger();
    let add = || Action::Add(Add {});
    let lies = [
        ("added", away.lie(|log| log.acts(1, add(), &named(&name, &own), 3))),
        ("added under a number that is another's", away.lie(|log| log.acts(1, add(), &named(&name, &own), 2))),
        ("of a third domain, added", away.lie(|log| log.acts(1, add(), &named("eve", third.domain.as_str()), 3))),
        ("joins by the home's word", away.lie(|log| log.acts(0, Action::Join(Join {}), &named(&name, &own), 3))),
        ("is who has begun it", away.lie(|log| log.acts(0, Action::Create(Create::default()), &named(&name, &own), 3))),
        ("in already", away.lie(|log| log.acts(1, Action::Admit(Admit { member: 2, refuse: false }), b"", 0))),
    ];
    for (what, range) in lies {
        away.refuses(what, range).await?;
    }
    ensure!(other.group(&away.log.group).await?.is_none(), "somebody is in a group and never asked");
    ends_well(away, &["mine", "the truth"]).await?;
    // Named at the beginning, as if they had been in before, and admitted then.
    let mut away = Away::invited(&g).await?;
    let joins = away.submission().await?;
    away.record(&joins, 2)?;
    away.line.acknowledge().await;
    let mut beginning = away.log.beginning(&away.line.mallory);
    beginning.members.push(group::Member { member: 3, name: name.clone(), domain: own, changed: 1, ..group::Member::default() });
    away.begins_with(beginning).await?;
    let admitted = {
        let mut log = away.log.clone();
        log.acts(1, Action::Admit(Admit { member: 3, refuse: false }), b"", 0);
        log.range(&away.line.mallory, away.log.base)
    };
    away.refuses_from(away.log.base, "admitted", admitted).await?;
    away.until(crate::away::Goal::Standing("member")).await?;
    ensure!(other.group(&away.log.group).await?.is_none(), "somebody was admitted and never asked");
    Ok(())
}

async fn numbers(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = heard(&g).await?;
    let home = away.line.mallory.domain.to_string();
    let lies = {
        let add = |name: &str, member: u64| away.lie(|log| log.acts(1, Action::Add(Add {}), &named(name, &home), member));
        let acts = |action: Action| away.lie(|log| log.acts(1, action, b"", 0));
        let out = [0, 1 << 20 | 1, 1 << 40, u64::MAX];
        let mut lies = vec![
            ("a number that is another's".to_owned(), add("dave", 2)),
            ("a second number".to_owned(), add("owner", 7)),
            (
                "51 pins".to_owned(),
                away.lie(|log| (1..=51).for_each(|t| log.acts(1, Action::Pin(Pin { target: t, remove: false }), b"", 0))),
            ),
            (
                "21 links".to_owned(),
                away.lie(|log| (0..21).for_each(|_| log.acts(1, Action::MakeLink(MakeLink::default()), &[7; 32], 0))),
            ),
        ];
        for member in out {
            lies.push((format!("{member} comes in"), add("dave", member)));
            lies.push((format!("{member} is muted"), acts(Action::Mute(Mute { member, until_ms: 1 }))));
            lies.push((format!("{member} is admitted"), acts(Action::Admit(Admit { member, refuse: false }))));
            lies.push((format!("{member} is removed"), acts(Action::Remove(group::Remove { member }))));
            lies.push((format!("{member} owns it"), acts(Action::SetRole(SetRole { member, role: Role::Owner.into() }))));
        }
        let good = away.lie(|_| {});
        let proof = away.line.proofs.first().cloned().context("a proof")?;
        let charter = good.charters.first().cloned().context("a charter")?;
        lies.push(("2000 proofs".to_owned(), Range { proofs: vec![proof; 2000], ..good.clone() }));
        lies.push(("2000 charters".to_owned(), Range { charters: vec![charter; 2000], ..good }));
        lies
    };
    for (what, range) in lies {
        away.refuses(&what, range).await?;
    }
    ends_well(away, &["mine", "the truth"]).await
}

/// Signed and chained, and nothing that can be shown: taken for its hash.
async fn bodies(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut away = heard(&g).await?;
    let mine = away.end();
    let text = |text: Text| Action::SetText(SetText { text: text.into() });
    for (action, body) in [
        (message(), vec![0xff; 100]),
        (message(), vec![b'x'; 60_000]),
        (text(Text::Name), vec![b'x'; 60_000]),
        (text(Text::Notice), vec![0xff; 100]),
        (text(Text::Avatar), vec![b'x'; 1_000]),
        (Action::React(group::React { target: mine, remove: false }), vec![b'x'; 60_000]),
        (Action::Edit(Edit { target: u64::MAX }), items::text("x").to_vec()),
        (Action::Recall(group::Recall { target: u64::MAX }), Vec::new()),
        (Action::MakeLink(MakeLink::default()), vec![7; 5]),
        (Action::Add(Add {}), vec![0xff; 100]),
    ] {
        let member = if matches!(action, Action::Add(_)) { 3 } else { 0 };
        away.log.acts(1, action, &body, member);
    }
    away.log.owner_says("the truth");
    away.reads("the truth").await?;
    let there = away.device.group(&away.log.group).await?.context("the group")?;
    let shown = there.group.context("a group")?;
    ensure!(shown.name.len() < 1024, "a name of {} bytes is shown", shown.name.len());
    let history = away.device.history(away.conversation).await?;
    let longest = history.iter().map(|m| m.content.len()).max().unwrap_or(0);
    ensure!(longest < 10_000, "a content of {longest} bytes is shown");
    let reacted: usize = history.iter().map(|m| m.reactions.len()).sum();
    ensure!(reacted == 0, "what is no emoji is shown");
    Ok(())
}
