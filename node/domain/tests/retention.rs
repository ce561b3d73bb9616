//! What is older than messages are kept for goes, by every way in which it could be read; nothing younger does, whatever
//! the clock says for a moment.

mod harness;

use std::collections::BTreeMap;

use harness::town::Person;
use harness::{List, Node, START_MS, Seeded, deliver, follow, plain, text};
use startalk_domain::{
    Actor, Answer, Command, Recorded, Views, contacts, conversations,
    domain::LAYOUT,
    governance::{NewPolicy, RetentionOf},
    groups::{self, GroupAct},
    outbox, replay, retention,
    retention::Kind,
    store::{Store, checkpoint::Incoming},
    sync,
};
use startalk_journal::{Body, ReadJournal as _};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn keep(node: &mut Node, days: u32, of: RetentionOf) {
    node.ok(Command::SetPolicy(NewPolicy { retention_days: Some(days), retention_of: Some(of), ..NewPolicy::default() }));
}

/// One look by this clock, to its end; how many commands that took.
fn retain(node: &mut Node, clock_ms: u64) -> usize {
    for step in 1.. {
        node.now_ms = clock_ms.max(node.journal.head().time_ms); // as the write loop does
        match node.ok(Command::Retain { clock_ms }) {
            Answer::Done => return step,
            Answer::More { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

/// Time passes as it does while a node runs: it looks every hour.
fn pass(node: &mut Node, hours: u64) {
    for _ in 0..hours {
        let clock = node.now_ms + HOUR;
        retain(node, clock);
    }
}

/// Every text in the bodies of the journal.
fn bodies(node: &Node) -> String {
    let all = node.journal.0.lock().unwrap();
    let present = all.iter().filter_map(|r| if let Body::Present(b) = &r.body { Some(&b[16..]) } else { None });
    present.map(|b| String::from_utf8_lossy(b).into_owned()).collect::<Vec<_>>().join(" ")
}

fn edit(actor: Actor, conversation: u64, sequence: u64, counter: u64, words: &str) -> Command {
    Command::Edit { actor, conversation, sequence, counter, content: text(words) }
}

#[test]
fn what_is_older_goes_and_what_is_younger_stays() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (talk, first, _) = node.say(alice, "bob@a.example", 1, "first");
    node.ok(edit(alice, talk, first, 2, "first, edited"));
    node.now_ms += 2 * HOUR;
    node.say(bob, "alice@a.example", 1, "second");
    assert_eq!(retain(&mut node, START_MS + 400 * DAY), 1, "no policy, and nothing happens");
    node.now_ms = START_MS + 2 * HOUR;
    keep(&mut node, 1, RetentionOf::All);
    pass(&mut node, 22);
    assert_eq!(node.texts(bob.account, talk), ["first, edited", "second"]);
    assert_eq!(retention::reached(&node.store, Kind::Direct).through, 0);
    pass(&mut node, 1);
    assert_eq!(node.texts(bob.account, talk), ["(gone)", "second"]);
    let shown = node.messages(bob.account, talk);
    assert!(shown[0].expired && !shown[0].recalled && !shown[1].expired);
    assert!(!bodies(&node).contains("first"), "the edit and what it superseded");
    let before = retention::reached(&node.store, Kind::Direct).before_ms;
    assert!((START_MS..START_MS + 2 * HOUR).contains(&before));
    pass(&mut node, 3);
    assert_eq!(node.texts(alice.account, talk), ["(gone)", "(gone)"]);
    let written = node.events().iter().filter(|e| **e == "RetentionMoved").count();
    pass(&mut node, 48);
    let later = node.events().iter().filter(|e| **e == "RetentionMoved").count();
    assert_eq!(later, written, "where there is nothing to do, nothing is written but the time");
}

#[test]
fn only_the_kinds_that_the_policy_names_go_and_others_when_it_names_them() {
    let mut node = Node::new("a.example");
    let (mut alice, bob) = (Person::at(&mut node, "alice"), node.person("bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    node.ok(alice.say(group, "to all"));
    let (talk, ..) = node.say(bob, "alice@a.example", 1, "to one");
    let shown = |node: &Node| {
        let all = node.texts(alice.actor.account, group);
        (node.texts(bob.account, talk).remove(0), all.last().unwrap().clone())
    };
    keep(&mut node, 1, RetentionOf::Direct);
    pass(&mut node, 26);
    assert_eq!(shown(&node), ("(gone)".into(), "to all".into()));
    keep(&mut node, 1, RetentionOf::Groups);
    pass(&mut node, 1);
    assert_eq!(shown(&node), ("(gone)".into(), "(gone)".into()));
    node.say(bob, "alice@a.example", 2, "again");
    pass(&mut node, 26);
    assert_eq!(node.texts(bob.account, talk), ["(gone)", "again"], "not named now");
}

#[test]
fn in_a_group_the_words_and_reactions_go_and_the_group_stays() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    let Answer::Sent { sequence, .. } = node.ok(alice.say(group, "hello")) else { panic!() };
    node.ok(bob.act(group, GroupAct::React { sequence, emoji: "🎉".into(), remove: false }));
    node.ok(alice.act(group, GroupAct::Pin { sequence, remove: false }));
    keep(&mut node, 1, RetentionOf::All);
    pass(&mut node, 12);
    node.ok(bob.act(group, GroupAct::React { sequence, emoji: "👍".into(), remove: false }));
    assert_eq!(node.messages(bob.actor.account, group).iter().find(|m| m.sequence == sequence).unwrap().reactions.len(), 2);
    pass(&mut node, 14);
    let message = node.messages(bob.actor.account, group).into_iter().find(|m| m.sequence == sequence).unwrap();
    assert!(message.expired && message.content.is_none() && message.reactions.is_empty());
    assert!(!bodies(&node).contains("hello") && !bodies(&node).contains("🎉") && !bodies(&node).contains("👍"));
    let (state, me) = groups::of_reader(&node.store.snapshot(), group, bob.actor.account).unwrap();
    assert_eq!((state.name.as_str(), state.members), ("Weekend", 2), "texts of the group and who is in are no messages");
    assert!(me.unwrap().is_in());
    // Who reacts to what is gone leaves nothing behind for longer than others do.
    node.ok(bob.act(group, GroupAct::React { sequence, emoji: "🚀".into(), remove: false }));
    pass(&mut node, 26);
    assert!(!bodies(&node).contains("🚀"));
    let message = node.messages(bob.actor.account, group).into_iter().find(|m| m.sequence == sequence).unwrap();
    assert!(message.reactions.is_empty());
    the_same_when_rebuilt(&node);
}

#[test]
fn a_clock_that_leaps_for_a_moment_erases_nothing() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    keep(&mut node, 30, RetentionOf::All);
    let (talk, ..) = node.say(alice, "bob@a.example", 1, "one");
    pass(&mut node, 5);
    let right = node.now_ms;
    // Ten years ahead, for one look or for a few; somebody speaks meanwhile, so journal time stands there from now on.
    for ahead in 0..10 {
        retain(&mut node, right + 3650 * DAY + ahead * HOUR);
        node.say(bob, "alice@a.example", 1 + ahead, "two");
    }
    assert!(node.journal.head().time_ms > right + 3650 * DAY);
    assert_eq!(retention::doubted_since(&node.store, right + 3650 * DAY + 9 * HOUR), Some(right + 3650 * DAY));
    // It is right again: what is older than thirty days by it goes, though journal time stands years ahead.
    for hours in 1..29 * 24 {
        retain(&mut node, right + hours * HOUR);
    }
    assert_eq!(node.texts(alice.account, talk)[0], "one");
    // Another leap while it stands, not as far.
    let now = right + 29 * 24 * HOUR;
    for ahead in 0..10 {
        retain(&mut node, now + 1000 * DAY + ahead * HOUR);
    }
    assert_eq!(node.texts(alice.account, talk)[0], "one");
    // Also one that begins while the node is off, and is set back before a day has passed.
    for hours in 0..72 {
        retain(&mut node, now + hours * HOUR);
    }
    let texts = node.texts(alice.account, talk);
    assert_eq!(texts[0], "(gone)");
    assert!(texts[1..].iter().all(|t| t == "two"), "what was written while journal time is ahead is kept rather too long");
}

#[test]
fn a_clock_that_was_far_behind_is_followed_with_care() {
    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    keep(&mut node, 30, RetentionOf::All);
    pass(&mut node, 30);
    let right = node.now_ms;
    let (talk, ..) = node.say(alice, "bob@a.example", 1, "one");
    // A machine without a battery begins in 1970, and learns the time after two days.
    for hours in 0..48 {
        retain(&mut node, hours * HOUR);
    }
    for hours in 0..100 {
        retain(&mut node, right + 48 * HOUR + hours * HOUR);
    }
    assert_eq!(node.texts(alice.account, talk), ["one"]);
}

#[test]
fn after_months_without_the_node_the_clock_has_to_go_on_for_a_day() {
    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    keep(&mut node, 30, RetentionOf::All);
    let (talk, ..) = node.say(alice, "bob@a.example", 1, "one");
    pass(&mut node, 1);
    let again = node.now_ms + 90 * DAY;
    for hours in 0..24 {
        retain(&mut node, again + hours * HOUR);
        assert_eq!(node.texts(alice.account, talk), ["one"], "{hours}");
    }
    // A message, before the first look after the start, does not hide the leap; nor does a restart.
    retain(&mut node, again + 24 * HOUR);
    assert_eq!(node.texts(alice.account, talk), ["(gone)"]);

    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    keep(&mut node, 30, RetentionOf::All);
    let (talk, ..) = node.say(alice, "bob@a.example", 1, "one");
    node.now_ms += 90 * DAY;
    node.say(alice, "bob@a.example", 2, "two");
    let now = node.now_ms;
    retain(&mut node, now);
    let mut restarted = reopened(&node);
    retain(&mut restarted, now + HOUR);
    assert_eq!(restarted.texts(alice.account, talk), ["one", "two"]);
}

/// The same node after a kill: nothing but its journal.
fn reopened(node: &Node) -> Node {
    let mut again = Node::new(node.name.as_str());
    again.journal = std::sync::Arc::new(List(std::sync::Mutex::new(node.journal.0.lock().unwrap().clone())));
    again.store = std::sync::Arc::new(Store::temporary().unwrap());
    replay(&again.store, &*again.journal, |_, _| {}).unwrap();
    again.now_ms = node.now_ms;
    again
}

fn the_same_when_rebuilt(node: &Node) {
    let head = node.journal.head().position;
    let digest = |store: &Store| {
        store.flush(head, [0; 8], LAYOUT).unwrap();
        store.meta().digest
    };
    assert_eq!(digest(&reopened(node).store), digest(&node.store));
}

#[test]
fn it_goes_in_small_steps_and_on_after_a_kill_between_them() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let mut talk = 0;
    for n in 1..=1700 {
        (talk, ..) = node.say(alice, "bob@a.example", n, &format!("m{n}"));
    }
    keep(&mut node, 1, RetentionOf::All);
    pass(&mut node, 24);
    node.say(bob, "alice@a.example", 1, "young");
    let clock = node.now_ms + HOUR;
    node.now_ms = clock;
    let mut erased = 0;
    for step in 0.. {
        let left = |node: &Node| bodies(node).matches('m').count();
        let before = left(&node);
        let answer = node.ok(Command::Retain { clock_ms: clock });
        let now = before - left(&node);
        assert!(now <= 500, "step {step} erased {now}");
        erased += now;
        node = reopened(&node); // a kill after each of them
        node.now_ms = clock;
        if answer == Answer::Done {
            break;
        }
        assert!(matches!(answer, Answer::More { .. }) && step < 10);
    }
    assert!(erased >= 1700, "{erased}");
    let texts = node.texts(bob.account, talk);
    assert!(texts.iter().all(|t| t == "(gone)"));
    let last = conversations::page(&node.store, &*node.journal, bob.account, talk, 1..=u64::MAX, true).unwrap().messages;
    assert_eq!(plain(last.last().unwrap().content.as_ref().unwrap()), "young");
    assert_eq!(retain(&mut node, clock), 1);
    the_same_when_rebuilt(&node);
}

#[test]
fn how_many_would_go_is_counted_before() {
    let mut node = Node::new("a.example");
    let (mut alice, _) = (Person::at(&mut node, "alice"), node.person("bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    let Answer::Sent { sequence, .. } = node.ok(alice.say(group, "one")) else { panic!() };
    node.ok(alice.say(group, "two"));
    let recall = Command::Recall { actor: alice.actor, conversation: group, sequence, counter: 50 };
    node.ok(recall);
    alice.counter = 50;
    node.say(alice.actor, "bob@a.example", 51, "three");
    node.now_ms += 3 * DAY;
    node.say(alice.actor, "bob@a.example", 52, "four");
    let views = Views { store: node.store.clone(), journal: node.journal.clone() };
    let count = |of, days| retention::would_go(&views, of, days, node.now_ms).unwrap().messages;
    assert_eq!([count(RetentionOf::All, 2), count(RetentionOf::Direct, 2), count(RetentionOf::Groups, 2)], [2, 1, 1]);
    assert_eq!([count(RetentionOf::All, 0), count(RetentionOf::All, 4)], [0, 0]);
    keep(&mut node, 2, RetentionOf::All);
    let now = node.now_ms;
    retain(&mut node, now);
    assert_eq!(retention::would_go(&views, RetentionOf::All, 2, node.now_ms).unwrap().messages, 0);
}

#[test]
fn what_another_domain_has_not_had_waits_for_it() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    keep(&mut a, 1, RetentionOf::All);
    let (at_a, first, _) = a.say(alice, "bob@b.example", 1, "hello");
    a.ok(edit(alice, at_a, first, 2, "hello!"));
    let (notes, ..) = a.say(alice, "alice@a.example", 3, "a note");
    pass(&mut a, 60);
    assert_eq!(a.texts(alice.account, notes), ["(gone)"], "who waits keeps nothing else");
    assert_eq!(a.texts(alice.account, at_a), ["hello!"]);
    the_same_when_rebuilt(&a);
    b.now_ms = a.now_ms;
    deliver(&a, &mut b);
    let at_b = contacts::conversations(&b.store, bob.account)[0];
    assert_eq!(b.texts(bob.account, at_b), ["hello!"], "nothing was lost on the way");
    let out = outbox::outbox(&a.store, 1);
    a.ok(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() });
    pass(&mut a, 1);
    assert_eq!(a.texts(alice.account, at_a), ["(gone)"]);
    assert!(!bodies(&a).contains("hello"));
    assert_eq!(b.texts(bob.account, at_b), ["hello!"], "what the other domain keeps is its own matter");
    // Sent again after going back, it is withheld as anything erased is.
    let items = outbox::items(&a.store, &*a.journal, 1, 1, out.head(), usize::MAX).unwrap();
    assert_eq!(items.iter().filter(|i| matches!(i, outbox::Outgoing::Withheld(_))).count(), 2, "the message and its edit");
    the_same_when_rebuilt(&a);
}

#[test]
fn what_was_given_up_goes_and_its_author_was_told() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    keep(&mut a, 1, RetentionOf::All);
    let (talk, ..) = a.say(alice, "bob@b.example", 1, "hello");
    pass(&mut a, 31 * 24);
    assert_eq!(a.texts(alice.account, talk), ["hello"]);
    let since_ms = START_MS;
    a.ok(Command::PeerSilent { peer: 1, since_ms });
    a.ok(Command::GiveUpPeer { peer: 1, from: 0 });
    pass(&mut a, 1);
    let message = a.messages(alice.account, talk).remove(0);
    assert_eq!((message.content.is_none(), message.refused.as_str()), (true, "domain-dead"));
    assert!(!bodies(&a).contains("hello"));
}

#[test]
fn a_follower_that_comes_later_has_the_place_of_what_its_home_keeps_no_longer() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (mut alice, mut bob) = (Person::at(&mut a, "alice"), Person::at(&mut b, "bob"));
    a.meet(&b);
    b.meet(&a);
    let group = alice.create(&mut a, &["bob@b.example"]);
    let id = harness::town::id_of(&a, group);
    deliver(&a, &mut b);
    b.ok(bob.accept(&id));
    deliver(&b, &mut a);
    follow(&a, &mut b, &id);
    let at_b = groups::by_id(&b.store, &id.parse().unwrap()).unwrap();
    a.ok(alice.say(group, "while b is away"));
    b.ok(bob.say(at_b, "by bob"));
    keep(&mut a, 1, RetentionOf::All);
    keep(&mut b, 1, RetentionOf::All);
    pass(&mut a, 30);
    pass(&mut b, 30);
    assert!(bodies(&b).contains("by bob"), "its home has not had it");
    deliver(&b, &mut a); // too late for the home to record it: bob is told so
    follow(&a, &mut b, &id);
    assert_eq!(a.texts(alice.actor.account, group).last().unwrap(), "(gone)");
    assert_eq!(b.texts(bob.actor.account, at_b).last().unwrap(), "(gone)", "a place without words, and the chain goes on");
    let out = outbox::outbox(&b.store, 1);
    b.ok(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() });
    pass(&mut b, 1);
    assert!(!bodies(&b).contains("by bob"));
    the_same_when_rebuilt(&b);
}

/// Whatever is said, changed, taken back, reacted to and delivered, and whenever it is looked: each text bears a number, and
/// it is known when it was recorded where.
#[test]
fn after_any_history_no_older_text_can_be_read_and_every_younger_one_can() {
    let (mut looked, mut gone, mut kept, mut held) = (0, 0, 0, 0);
    for seed in 0..12 {
        let mut random = Seeded(seed);
        let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
        a.meet(&b);
        b.meet(&a);
        let (mut alice, mut bob) = (Person::at(&mut a, "alice"), Person::at(&mut a, "bob"));
        let (carol, _) = (b.person("carol"), b.person("dan"));
        let group = alice.create(&mut a, &["bob@a.example"]);
        let days = 1 + random.below(3);
        keep(
            &mut a,
            u32::try_from(days).unwrap(),
            [RetentionOf::All, RetentionOf::Direct, RetentionOf::Groups][seed as usize % 3],
        );
        let mut checkpoint = Vec::new();
        for step in 0..400 {
            let words = format!("w{step}w");
            let who = if random.below(2) == 0 { &mut alice } else { &mut bob };
            let sequence = 1 + random.below(40);
            who.counter += 1;
            let (actor, counter) = (who.actor, who.counter);
            let talks = contacts::conversations(&a.store, actor.account);
            let talk = talks[random.below(talks.len() as u64) as usize];
            let to = ["alice@a.example", "bob@a.example", "carol@b.example"][random.below(3) as usize];
            let _ = match random.below(12) {
                0..=3 => a.run(harness::send(actor, to, counter, &words)),
                4..=5 => a.run(who.say(group, &words)),
                6 => a.run(edit(actor, talk, sequence, counter, &words)),
                7 => a.run(Command::Recall { actor, conversation: talk, sequence, counter }),
                8 => {
                    let act = GroupAct::React { sequence, emoji: "🎉".into(), remove: random.below(3) == 0 };
                    a.run(Command::ActInGroup { actor, conversation: group, counter, act })
                }
                9 => {
                    b.now_ms = a.now_ms;
                    b.run(harness::send(carol, "alice@a.example", 1 + step, &words))
                }
                10 if random.below(3) == 0 => {
                    deliver(&a, &mut b);
                    deliver(&b, &mut a);
                    let out = outbox::outbox(&a.store, 1);
                    a.run(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() })
                }
                _ => {
                    a.now_ms += random.below(12 * HOUR);
                    let clock = a.now_ms;
                    retain(&mut a, clock);
                    looked += 1;
                    Ok(Answer::Done)
                }
            };
            if step == 200 {
                a.store.flush(a.journal.head().position, [0; 8], LAYOUT).unwrap();
                a.store.write_checkpoint(&mut checkpoint).unwrap();
            }
        }
        let clock = a.now_ms;
        retain(&mut a, clock);
        let before_ms = clock - days * DAY;
        let rebuilt = reopened(&a);
        let mut loaded = reopened(&a);
        loaded.store = std::sync::Arc::new(Store::temporary().unwrap());
        Incoming::open(&checkpoint[..]).unwrap().load(&loaded.store).unwrap();
        replay(&loaded.store, &*loaded.journal, |_, _| {}).unwrap();
        the_same_when_rebuilt(&a);
        let of = startalk_domain::governance::realm(&*a.store).retention_of;
        let first_unsent = {
            let out = outbox::outbox(&a.store, 1);
            out.acked + 1
        };
        let unsent = outbox::items(&a.store, &*a.journal, 1, first_unsent, u64::MAX >> 1, usize::MAX).unwrap();
        assert!(unsent.iter().all(|i| !matches!(i, outbox::Outgoing::Withheld(_))) || recalled(&a), "seed {seed}");
        // What every record says, and when it was recorded.
        let mut times: BTreeMap<String, (u64, bool, bool)> = BTreeMap::new();
        for record in a.journal.0.lock().unwrap().iter() {
            let recorded = Recorded::read(record).unwrap();
            let is_group = matches!(recorded.event.name(), "GroupRecorded" | "GroupSubmitted");
            let of_kind = if is_group { of.groups() } else { of.direct() };
            let is_text = matches!(recorded.event.name(), "MessageAdded" | "MessageEdited" | "GroupRecorded");
            if !of_kind || !is_text {
                continue;
            }
            let waits = recorded.event.link_outs().iter().any(|o| o.sequence >= first_unsent);
            let old = record.header.time_ms < before_ms;
            if let Body::Present(body) = &record.body {
                let said = String::from_utf8_lossy(&body[16..]).into_owned();
                if let Some(word) = said.split('w').nth(1).filter(|n| n.parse::<u64>().is_ok()) {
                    assert!(!old || waits, "seed {seed}: {word} of {} is older than {before_ms}", record.header.time_ms);
                    held += usize::from(old);
                    times.insert(format!("w{word}w"), (record.header.time_ms, waits, is_group));
                    kept += 1;
                }
            } else if old {
                gone += 1;
            }
        }
        for node in [&a, &rebuilt, &loaded] {
            for actor in [alice.actor, bob.actor] {
                for conversation in contacts::conversations(&node.store, actor.account) {
                    let paged = node.messages(actor.account, conversation);
                    let synced = sync::conversation(&node.store, &*node.journal, actor.account, conversation, 0).unwrap();
                    for message in paged.iter().chain(&synced.messages).chain(&synced.changed) {
                        let is_group = conversation == group;
                        let of_kind = if is_group { of.groups() } else { of.direct() };
                        let Some(content) = message.content.as_ref().filter(|_| of_kind) else {
                            assert!(!message.expired || of_kind);
                            continue;
                        };
                        let said = plain(content);
                        if said.starts_with('w') {
                            let (time, waits, _) = times[&said];
                            assert!(time >= before_ms || waits, "seed {seed}: {said} is shown");
                        }
                    }
                    for message in paged.iter().filter(|m| m.expired) {
                        assert!(message.time_ms < before_ms && message.content.is_none() && message.reactions.is_empty());
                    }
                }
            }
        }
    }
    assert!(looked > 300 && gone > 300 && kept > 200 && held > 0, "{looked} {gone} {kept} {held}");
}

/// Whether something was taken back before it was sent; then its place in the outbox is empty, as ever.
fn recalled(node: &Node) -> bool {
    node.events().contains(&"MessageRecalled")
}

#[test]
fn a_days_count_of_zero_is_for_ever_and_too_many_are_refused() {
    let mut node = Node::new("a.example");
    let policy = |days| Command::SetPolicy(NewPolicy { retention_days: Some(days), ..NewPolicy::default() });
    assert_eq!(node.refused(policy(u32::MAX)), "bad-value");
    node.ok(policy(3));
    assert_eq!(retention::kept_ms(&node.store, Kind::Group), 3 * DAY);
    node.ok(policy(0));
    assert_eq!(retention::kept_ms(&node.store, Kind::Direct), 0);
}
