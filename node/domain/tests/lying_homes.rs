//! What a group's home cannot make its followers believe.

mod harness;

use harness::town::{Person, Town, said, standing};
use harness::{Node, deliver, follow, served, text, user};
use prost::Message as _;
use startalk_domain::{
    Command, directory,
    groups::{self, GroupAct, GroupLink},
    timeline,
};
use startalk_protocol::{
    Code, GroupId,
    group::{self as chain, sign_head},
    limits,
    pb::group::{self as wire, Applicant, Decided, Entry, Range, Submission, entry::Body, submission::Action},
};

/// What the home gives b after what it has, with other entries, chained and signed as if they had been recorded.
fn chained(town: &Town, spoil: impl FnOnce(&mut Range)) -> Range {
    let id: GroupId = town.id.parse().unwrap();
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let after = timeline::head(&town.b.store, town.group_b).sequence;
    let mut range = served(&town.a, at_home, &town.id, after);
    // b may have been told more than there is.
    let from = range.from.as_mut().unwrap();
    (from.sequence, from.chain) = (after, groups::log(&town.b.store, town.group_b).chain.to_vec().into());
    sign_head(from, &town.a.key);
    spoil(&mut range);
    let from = range.from.as_ref().unwrap();
    let (mut chain, epoch) = (<[u8; 32]>::try_from(from.chain.as_ref()).unwrap(), from.home_epoch);
    for (sequence, entry) in (after + 1..).zip(&mut range.entries) {
        entry.time_ms = entry.time_ms.max(range.at.as_ref().unwrap().time_ms);
        let hash = chain::submission_hash(&id, &entry.submission, &chain::body_hash_of(entry).unwrap());
        let (time_ms, origin, decided) = (entry.time_ms, entry.origin.as_str(), entry.decided.as_ref());
        chain = chain::chain_after(&chain, &chain::Place { group: &id, epoch, sequence, time_ms, origin, hash, decided });
    }
    let (at, entries) = (range.at.as_mut().unwrap(), range.entries.len() as u64);
    (at.sequence, at.chain) = (after + entries, chain.to_vec().into());
    sign_head(at, &town.a.key);
    range
}

/// An entry by somebody of the home.
fn entry(author: u64, action: Action, written: &[u8], member: u64) -> Entry {
    let submission = Submission { author, action: Some(action), ..Submission::default() };
    let body = (!written.is_empty()).then(|| Body::Written([&[7; 16][..], written].concat().into()));
    let decided = Decided { member, ..Decided::default() };
    Entry { submission: submission.encode_to_vec().into(), decided: decided.encode_to_vec().into(), body, ..Entry::default() }
}

#[test]
fn a_home_can_end_nothing_but_a_joining_by_what_it_says_of_applicants() {
    let mut town = Town::new();
    town.b.ok(town.bob.say(town.group_b, "waits"));
    let waits = groups::waiting(&town.b.store, town.group_b)[0].clone();
    let peer = directory::peer_number(&town.b.store, &"a.example".parse().unwrap()).unwrap();
    let applicants = vec![Applicant { number: waits.number, member: 2, refused: true }];
    town.b.ok(Command::LearnApplicants { peer, group: town.id.clone(), applicants });
    assert_eq!(groups::waiting(&town.b.store, town.group_b).len(), 1);
    assert_eq!(standing(&town.b, town.bob.actor.account, town.group_b), "member");
    // Nor does it make one person out of another.
    let mut carol = Person::at(&mut town.b, "carol");
    let link = GroupLink { home: "a.example".parse().unwrap(), group: town.id.parse().unwrap(), secret: "x".into() };
    town.b.ok(carol.join(&link));
    let number = groups::waiting(&town.b.store, town.group_b).last().unwrap().number;
    let applicants = vec![Applicant { number, member: 2, refused: true }];
    town.b.ok(Command::LearnApplicants { peer, group: town.id.clone(), applicants });
    assert_eq!(standing(&town.b, town.bob.actor.account, town.group_b), "member");
    assert_eq!(standing(&town.b, carol.actor.account, town.group_b), "joining");
}

#[test]
fn a_home_can_neither_invent_nor_change_nor_tell_two_stories() {
    let mut town = Town::new();
    town.b.ok(town.bob.say(town.group_b, "mine"));
    deliver(&town.b, &mut town.a);
    town.a.ok(town.alice.say(town.group_a, "hers"));
    let peer = startalk_domain::directory::peer_number(&town.b.store, &town.a.name).unwrap();
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let after = timeline::head(&town.b.store, town.group_b).sequence;
    let good = served(&town.a, at_home, &town.id, after);
    let give = |town: &mut Town, range: startalk_protocol::pb::group::Range| {
        town.b.run(Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) }).map_err(|e| e.code.as_str())
    };
    let mut unsigned = good.clone();
    unsigned.at.as_mut().unwrap().time_ms += 1;
    assert_eq!(give(&mut town, unsigned), Err("bad-signature"));
    let mut by_another = good.clone();
    let mallory = Node::new("mallory.example");
    sign_head(by_another.at.as_mut().unwrap(), &mallory.key);
    assert_eq!(give(&mut town, by_another), Err("wrong-key"));
    let mut other_words = good.clone();
    other_words.entries[1].body = Some(Body::Written([&[7; 16][..], &text("forged")].concat().into()));
    assert_eq!(give(&mut town, other_words), Err("bad-signature"));
    let mut shorter = good.clone();
    shorter.entries.remove(0);
    assert!(give(&mut town, shorter).is_err());
    let mut gap = good.clone();
    gap.from = gap.at.clone();
    assert_eq!(give(&mut town, gap), Err("out-of-order"));
    assert_eq!(timeline::head(&town.b.store, town.group_b).sequence, after, "nothing of it was taken");
    assert!(give(&mut town, good).is_ok());
    // A history that forks behind what b has, signed: both heads are kept, and nothing more is taken.
    let now = timeline::head(&town.b.store, town.group_b).sequence;
    let mut fork = served(&town.a, at_home, &town.id, now);
    for head in [fork.from.as_mut().unwrap(), fork.at.as_mut().unwrap()] {
        head.chain = vec![9; 32].into();
        sign_head(head, &town.a.key);
    }
    assert!(give(&mut town, fork).is_ok());
    assert_eq!(standing(&town.b, town.bob.actor.account, town.group_b), "suspect");
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "hm")), "equivocation");
}

#[test]
fn a_home_does_not_speak_for_those_of_others() {
    let mut town = Town::new();
    let carol = Person::at(&mut town.b, "carol");
    let (bob, peer) = (town.bob.actor.account, startalk_domain::directory::peer_number(&town.b.store, &town.a.name).unwrap());
    town.b.ok(town.bob.say(town.group_b, "mine"));
    deliver(&town.b, &mut town.a);
    let recorded = chained(&town, |_| {});
    follow(&town.a, &mut town.b, &town.id);
    let (mine, proofs) = (timeline::head(&town.b.store, town.group_b).sequence, recorded.proofs);
    let again = recorded.entries.last().unwrap().clone();
    let message = || Action::Message(wire::Message { id: vec![7; 16].into(), ..wire::Message::default() });
    let person = |name: &str, domain: &str| {
        wire::Person { name: name.into(), domain: domain.into(), ..wire::Person::default() }.encode_to_vec()
    };
    let add = |name: &str, domain: &str, member| entry(1, Action::Add(wire::Add {}), &person(name, domain), member);
    let head = timeline::head(&town.b.store, town.group_b).sequence;
    for (what, entry, expected) in [
        ("in bob's name", entry(2, message(), &text("forged"), 0), "bad-signature"),
        ("bob leaves", entry(2, Action::Leave(wire::Leave {}), b"", 0), "bad-signature"),
        ("bob's message is another", entry(1, Action::Edit(wire::Edit { target: mine }), &text("forged"), 0), "bad-signature"),
        ("bob says it twice", again, "conflict"),
        ("carol never asked", add("carol", "b.example", 3), "malformed"),
        ("dave has bob's number", add("dave", "a.example", 2), "malformed"),
        ("alice has a second number", add("alice", "a.example", 9), "malformed"),
        ("nobody's number", add("dave", "a.example", 0), "malformed"),
        ("a number out of reach", add("dave", "a.example", u64::MAX), "malformed"),
        ("one out of reach is muted", entry(1, Action::Mute(wire::Mute { member: u64::MAX, until_ms: 1 }), b"", 0), "malformed"),
        (
            "one out of reach is admitted",
            entry(1, Action::Admit(wire::Admit { member: 1 << 40, refuse: false }), b"", 0),
            "malformed",
        ),
        ("it is begun again", entry(0, Action::Create(wire::Create::default()), &person("bob", "b.example"), 2), "malformed"),
    ] {
        let range = chained(&town, |range| (range.entries, range.proofs) = (vec![entry], proofs.clone()));
        let give = Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) };
        assert_eq!(town.b.run(give).map_err(|e| e.code.as_str()).err(), Some(expected), "{what}");
    }
    assert_eq!(timeline::head(&town.b.store, town.group_b).sequence, head, "nothing of it was taken");
    assert_eq!(said(&town.b, bob, town.group_b), ["mine"]);
    assert!(groups::overview(&town.b.store.snapshot(), carol.actor.account, town.group_b).is_err());
    // What is written and has no form is nobody's to see; the log goes on.
    let name = Action::SetText(wire::SetText { text: wire::Text::Name.into() });
    let long = [b'x'; 60_000];
    let odd = vec![entry(1, name, &long, 0), entry(1, message(), b"\xff", 0), entry(1, message(), &text("and on"), 0)];
    let range = chained(&town, |range| range.entries = odd);
    town.b.ok(Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) });
    assert_eq!(said(&town.b, bob, town.group_b), ["mine", "(gone)", "and on"]);
    assert_eq!(groups::group(&town.b.store, town.group_b).unwrap().name, "");
}

#[test]
fn who_never_asked_does_not_find_a_group_among_theirs() {
    let mut town = Town::new();
    let carol = Person::at(&mut town.b, "carol").actor.account;
    let peer = startalk_domain::directory::peer_number(&town.b.store, &town.a.name).unwrap();
    // The replica begins anew, and the home says that carol was in.
    town.b.ok(town.bob.act(town.group_b, GroupAct::Leave));
    town.exchange();
    town.a.ok(town.alice.act(town.group_a, GroupAct::Add(user("bob@b.example"))));
    deliver(&town.a, &mut town.b);
    town.b.ok(town.bob.accept(&town.id));
    deliver(&town.b, &mut town.a);
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let views = startalk_domain::Views { store: town.a.store.clone(), journal: town.a.journal.clone() };
    let mut page = groups::beginning(&views, at_home, &town.id, 0).unwrap();
    let named = wire::Member { member: 3, name: "carol".into(), domain: "b.example".into(), ..wire::Member::default() };
    page.members.push(named);
    sign_head(page.base.as_mut().unwrap(), &town.a.key);
    town.b.ok(Command::BeginReplica { peer, group: town.id.clone(), page: Box::new(page) });
    follow(&town.a, &mut town.b, &town.id);
    assert_eq!(standing(&town.b, town.bob.actor.account, town.group_b), "member");
    for (action, taken) in [
        (Action::Admit(wire::Admit { member: 3, refuse: false }), false),
        (Action::Admit(wire::Admit { member: 3, refuse: true }), false),
        (Action::Remove(wire::Remove { member: 3 }), true),
        (Action::Ban(wire::Ban { member: 3, lift: false }), true),
    ] {
        let range = chained(&town, |range| range.entries = vec![entry(1, action.clone(), b"", 0)]);
        let give = Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) };
        assert_eq!(town.b.run(give).is_ok(), taken, "{action:?}");
        assert!(groups::overview(&town.b.store.snapshot(), carol, town.group_b).is_err(), "{action:?}");
    }
}

#[test]
fn what_is_nobodys_when_it_is_said_is_never_anybody_elses() {
    let mut town = Town::new();
    let peer = startalk_domain::directory::peer_number(&town.b.store, &town.a.name).unwrap();
    let mut carol = Person::at(&mut town.b, "carol");
    let secret_hash = *blake3::hash(b"come in").as_bytes();
    town.a.ok(town.alice.act(town.group_a, GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 }));
    follow(&town.a, &mut town.b, &town.id);
    let message = Action::Message(wire::Message { id: vec![7; 16].into(), ..wire::Message::default() });
    let range = chained(&town, |range| range.entries = vec![entry(3, message, &text("by three"), 0)]);
    town.b.ok(Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) });
    let link = GroupLink { home: "a.example".parse().unwrap(), group: town.id.parse().unwrap(), secret: "come in".into() };
    town.b.ok(carol.join(&link));
    deliver(&town.b, &mut town.a);
    // The home has given carol the number 3.
    let mut joined = Vec::new();
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let there = served(&town.a, at_home, &town.id, timeline::head(&town.b.store, town.group_b).sequence - 1);
    joined.extend(there.entries.last().cloned());
    let range = chained(&town, |range| (range.entries, range.proofs) = (joined, there.proofs));
    town.b.ok(Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) });
    assert_eq!(groups::member_of(&town.b.store, town.group_b, carol.actor.account).unwrap().member, 3);
    let by_three = town.b.messages(town.bob.actor.account, town.group_b);
    let by_three = by_three.iter().find(|m| m.content.as_ref() == Some(&text("by three"))).unwrap();
    assert_eq!(by_three.author_id, None, "carol has said nothing");
}

#[test]
fn a_head_of_long_ago_is_signed_by_the_key_of_today_and_none_by_a_key_that_had_ended() {
    let mut town = Town::new();
    town.a.ok(town.alice.say(town.group_a, "hers"));
    let peer = startalk_domain::directory::peer_number(&town.b.store, &town.a.name).unwrap();
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let after = timeline::head(&town.b.store, town.group_b).sequence;
    let give = |town: &mut Town, range: startalk_protocol::pb::group::Range| {
        town.b.run(Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) }).map_err(|e| e.code.as_str())
    };
    let good = served(&town.a, at_home, &town.id, after);
    let mut ended = good.clone();
    let at = ended.at.as_mut().unwrap();
    at.time_ms = town.a.charter().link_keys()[0].not_after_ms + limits::CLOCK_SKEW_MS_MAX;
    sign_head(at, &town.a.key);
    assert_eq!(give(&mut town, ended), Err("wrong-key"));
    let mut old = good;
    let from = old.from.as_mut().unwrap();
    from.time_ms = town.a.charter().link_keys()[0].not_before_ms - 24 * 3_600_000;
    sign_head(from, &town.a.key);
    assert_eq!(give(&mut town, old).err(), None);
    assert_eq!(timeline::head(&town.b.store, town.group_b).sequence, after + 1);
}

#[test]
fn a_third_domain_believes_no_home_what_it_says_of_others() {
    let mut town = Town::new();
    let mut c = Node::new("c.example");
    town.a.meet(&c);
    c.meet(&town.a);
    c.meet(&town.b);
    let mut carol = Person::at(&mut c, "carol");
    town.a.ok(town.alice.act(town.group_a, GroupAct::Add(user("carol@c.example"))));
    deliver(&town.a, &mut c);
    c.ok(carol.accept(&town.id));
    deliver(&c, &mut town.a);
    follow(&town.a, &mut c, &town.id);
    let group_c = groups::by_id(&c.store, &town.id.parse::<GroupId>().unwrap()).unwrap();
    town.exchange();
    town.b.ok(town.bob.say(town.group_b, "to all three"));
    deliver(&town.b, &mut town.a);
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &c.name).unwrap();
    let peer = startalk_domain::directory::peer_number(&c.store, &town.a.name).unwrap();
    let after = timeline::head(&c.store, group_c).sequence;
    let good = served(&town.a, at_home, &town.id, after);
    assert_eq!((good.proofs.len(), good.entries.last().unwrap().origin.as_str()), (1, "b.example"));
    // The home signs what it made up in bob's name, with a chain that fits.
    let mut forged = good.clone();
    forged.proofs[0].signature = vec![1; 64].into();
    let give = |c: &mut Node, range| c.run(Command::FollowGroup { peer, group: town.id.clone(), range: Box::new(range) });
    assert_eq!(give(&mut c, forged).unwrap_err().code, Code::BadSignature);
    let mut unproven = good.clone();
    unproven.entries.last_mut().unwrap().proof = 0;
    assert_eq!(give(&mut c, unproven).unwrap_err().code, Code::BadSignature);
    give(&mut c, good).unwrap();
    assert_eq!(said(&c, carol.actor.account, group_c), ["to all three"]);
    let author = c.messages(carol.actor.account, group_c).pop().unwrap().author_id.unwrap();
    assert_eq!(author.to_string(), "bob@b.example");
}
