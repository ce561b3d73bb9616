//! The same rules between domains: first contact, exactly once, going back, speaking for one's own people only.

mod harness;

use harness::{List, Node, deliver, send, text, user};
use startalk_domain::{
    Answer, Command, Event,
    command::{LinkItem, MarkMove, PeerRule},
    conversations, delivery, directory, outbox, sync,
};
use startalk_journal::{Head, Header, ReadError, ReadJournal, Record};
use startalk_protocol::{Code, limits, pb::events::PeerMet};

fn pair() -> (Node, Node) {
    (Node::new("a.example"), Node::new("b.example"))
}

#[test]
fn a_first_contact_waits_and_then_both_talk() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let (at_a, ..) = a.say(alice, "bob@b.example", 1, "hello");
    assert!(deliver(&a, &mut b).is_empty());
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    assert!(conversations::direct(&b.store, at_b).unwrap().request);
    assert_eq!(b.texts(bob.account, at_b), ["hello"]);
    b.ok(Command::DecideRequest { account: bob.account, conversation: at_b, accept: true });
    b.say(bob, "alice@a.example", 1, "hi");
    deliver(&b, &mut a);
    assert_eq!(a.texts(alice.account, at_a), ["hello", "hi"]);
    assert!(!conversations::direct(&a.store, at_a).unwrap().request, "who wrote first has accepted");
    let author = &a.messages(alice.account, at_a)[1].author_id;
    assert_eq!(author.as_ref().unwrap().to_string(), "bob@b.example");
}

#[test]
fn both_learn_each_others_names_at_the_first_message() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "hello");
    deliver(&a, &mut b);
    b.say(bob, "alice@a.example", 1, "hi");
    deliver(&b, &mut a);
    for (node, name, shown) in [(&a, "bob", "BOB"), (&b, "alice", "ALICE")] {
        let person = directory::person_number(&node.store, 1, &name.parse().unwrap()).unwrap();
        assert_eq!(directory::person(&node.store, person).unwrap().profile.display_name, shown);
    }
    let left = |node: &Node| {
        node.journal
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|r| matches!(&r.body, startalk_journal::Body::Present(b) if b.windows(5).any(|w| w == b"ALICE")))
            .count()
    };
    assert_eq!(left(&a), 2, "as it was set, and as it went");
    a.ok(Command::SetProfile {
        account: alice.account,
        display_name: "New".into(),
        avatar: String::new(),
        signature: String::new(),
    });
    assert_eq!(left(&a), 1, "the account's own record is erased with the account");
}

#[test]
fn who_refused_and_then_writes_has_accepted() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "hello");
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    b.ok(Command::DecideRequest { account: bob.account, conversation: at_b, accept: false });
    a.say(alice, "bob@b.example", 2, "please");
    deliver(&a, &mut b);
    assert_eq!(b.texts(bob.account, at_b), ["hello"]);
    b.say(bob, "alice@a.example", 1, "well then");
    deliver(&b, &mut a);
    a.say(alice, "bob@b.example", 3, "thanks");
    deliver(&a, &mut b);
    assert_eq!(b.texts(bob.account, at_b), ["hello", "well then", "thanks"]);
}

#[test]
fn past_a_hundred_thousand_domains_only_those_come_that_somebody_here_wants() {
    let (mut a, b) = pair();
    let alice = a.person("alice");
    let known = Node::new("known.example");
    a.meet(&known);
    a.emit(Event::PeerMet(PeerMet { peer: limits::DOMAINS_UNASKED_MAX, domain: "last.example".into() }, None));
    assert_eq!(a.refused(a.meeting(&b)), "too-many");
    a.meet(&known);
    a.say(alice, "bob@b.example", 1, "hello");
    a.meet(&b);
    let allowed = Node::new("c.example");
    a.ok(Command::SetPeerRule { domain: allowed.name.clone(), rule: PeerRule::Allow, forget_key: false });
    a.meet(&allowed);
}

#[test]
fn bad_content_is_answered_alike_whoever_it_is_for() {
    let (mut a, mut b) = pair();
    let alice = a.person("alice");
    b.person("bob");
    for (counter, to) in [(1, "bob@b.example"), (2, "nobody@b.example")] {
        let code = startalk_protocol::pb::content::Code { language: "c".into(), source: "x".into() };
        let kind = startalk_protocol::pb::content::content::Kind::Code(code);
        let content = startalk_protocol::pb::content::Content { fallback: String::new(), kind: Some(kind), ..Default::default() };
        let content = prost::Message::encode_to_vec(&content).into();
        let to = startalk_domain::command::Target::User(user(to));
        a.ok(Command::Send { actor: alice, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None });
    }
    let refused: Vec<_> = deliver(&a, &mut b).into_iter().map(|r| r.1).collect();
    assert_eq!(refused, ["bad-value", "bad-value"]);
}

#[test]
fn a_farewell_outlives_an_epoch_and_ends() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "bye");
    deliver(&a, &mut b);
    b.say(bob, "alice@a.example", 1, "hi");
    let out = outbox::outbox(&a.store, 1);
    a.ok(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() });
    a.ok(Command::DeleteAccount { account: alice.account });
    a.ok(Command::BeginEpoch { epoch: 2, reason: "test".into() });
    deliver(&a, &mut b);
    let out = outbox::outbox(&a.store, 1);
    a.ok(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() });
    let all = a.journal.0.lock().unwrap();
    assert!(!all.iter().any(
        |r| matches!(&r.body, startalk_journal::Body::Present(b) if b.windows(5).any(|w| w.eq_ignore_ascii_case(b"alice")))
    ));
}

#[test]
fn edits_recalls_marks_and_profiles_cross() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let (at_a, first, _) = a.say(alice, "bob@b.example", 1, "one");
    let (_, second, _) = a.say(alice, "bob@b.example", 2, "two");
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    b.say(bob, "alice@a.example", 1, "ok");
    deliver(&b, &mut a);
    a.ok(Command::Edit { actor: alice, conversation: at_a, sequence: first, counter: 3, content: text("ONE") });
    a.ok(Command::Recall { actor: alice, conversation: at_a, sequence: second, counter: 4 });
    a.ok(Command::SetProfile {
        account: alice.account,
        display_name: "爱丽丝".into(),
        avatar: String::new(),
        signature: String::new(),
    });
    deliver(&a, &mut b);
    assert_eq!(b.texts(bob.account, at_b), ["ONE", "(gone)", "ok"]);
    let person = directory::person_number(&b.store, 1, &"alice".parse().unwrap()).unwrap();
    assert_eq!(directory::person(&b.store, person).unwrap().profile.display_name, "爱丽丝");
    b.ok(Command::MoveMarks { marks: vec![MarkMove { account: bob.account, conversation: at_b, delivered: 5, read: 1 }] });
    deliver(&b, &mut a);
    let bob_at_a = directory::person_number(&a.store, 1, &"bob".parse().unwrap()).unwrap();
    let marks = delivery::marks_of(&a.store, at_a, bob_at_a);
    assert_eq!((marks.delivered, marks.read), (second, first));
}

#[test]
fn an_item_takes_effect_once_and_in_its_place() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "one");
    a.say(alice, "bob@b.example", 2, "two");
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    let peer = directory::peer_number(&a.store, &b.name).unwrap();
    let epoch = outbox::outbox(&a.store, peer).epoch;
    let outbox::Outgoing::Item(again) = outbox::items(&a.store, &*a.journal, peer, 2, 2, 1000).unwrap().remove(0) else {
        panic!()
    };
    let events = b.events().len();
    let item = |sequence| Command::ReceiveItem {
        peer: 1,
        epoch,
        item: LinkItem { sequence, running: [0; 32], item: Some(again.clone()), proof: None },
    };
    assert_eq!(b.ok(item(2)), Answer::Item { refused: None });
    assert_eq!(b.events().len(), events, "had already");
    assert_eq!(b.refused(item(9)), "out-of-order");
    assert_eq!(b.texts(bob.account, at_b), ["one", "two"]);
}

#[test]
fn strangers_learn_nothing_and_friends_are_told() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    b.ok(Command::BlockDomain { account: bob.account, domain: "a.example".parse().unwrap(), blocked: true });
    a.say(alice, "bob@b.example", 1, "blocked by domain");
    a.say(alice, "nobody@b.example", 2, "no such person");
    assert!(deliver(&a, &mut b).is_empty(), "both are answered alike: not at all");
    assert!(startalk_domain::contacts::conversations(&b.store, bob.account).is_empty());
    b.ok(Command::BlockDomain { account: bob.account, domain: "a.example".parse().unwrap(), blocked: false });
    let (at_a, ..) = a.say(alice, "bob@b.example", 3, "hello");
    deliver(&a, &mut b);
    b.say(bob, "alice@a.example", 1, "hi");
    deliver(&b, &mut a);
    b.ok(Command::BlockUser { account: bob.account, user: user("alice@a.example"), blocked: true });
    let (_, sequence, _) = a.say(alice, "bob@b.example", 4, "still there?");
    let refused = deliver(&a, &mut b);
    assert_eq!(refused.iter().map(|r| r.1).collect::<Vec<_>>(), ["blocked"]);
    let epoch = outbox::outbox(&a.store, 1).epoch;
    a.ok(Command::PeerRefused { peer: 1, epoch, sequence: refused[0].0, code: "blocked".into() });
    let told = a.messages(alice.account, at_a).into_iter().find(|m| m.sequence == sequence).unwrap();
    assert_eq!(told.refused, "blocked");
}

#[test]
fn open_requests_and_what_strangers_may_leave_are_limited() {
    let (mut a, mut b) = pair();
    let bob = b.person("bob");
    for n in 0..25 {
        let actor = a.person(&format!("p{n}"));
        a.say(actor, "bob@b.example", 1, "hi");
    }
    deliver(&a, &mut b);
    assert_eq!(startalk_domain::contacts::conversations(&b.store, bob.account).len(), 20);
    let first = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    b.ok(Command::DecideRequest { account: bob.account, conversation: first, accept: false });
    let chatty = a.person("chatty");
    for n in 1..=25 {
        a.say(chatty, "bob@b.example", n, "me again");
    }
    deliver(&a, &mut b);
    let all = startalk_domain::contacts::conversations(&b.store, bob.account);
    assert_eq!(all.len(), 21, "a decision made room for one");
    assert_eq!(b.texts(bob.account, all[20]).len(), 20);
}

#[test]
fn a_denied_domain_is_not_written_to() {
    let (mut a, _) = pair();
    let alice = a.person("alice");
    a.ok(Command::SetPeerRule { domain: "b.example".parse().unwrap(), rule: PeerRule::Deny, forget_key: false });
    assert_eq!(a.refused(send(alice, "bob@b.example", 1, "x")), "domain-denied");
}

#[test]
fn after_going_back_everything_is_sent_again_and_nothing_doubles() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    for n in 1..=5 {
        a.say(alice, "bob@b.example", n, &n.to_string());
    }
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    a.ok(Command::BeginEpoch { epoch: 2, reason: "test".into() });
    a.say(alice, "bob@b.example", 6, "6");
    let out = outbox::outbox(&a.store, 1);
    assert_eq!(out.head(), 7, "profile, five messages and the new one: none was known to be recorded there");
    deliver(&a, &mut b);
    assert_eq!(b.texts(bob.account, at_b), ["1", "2", "3", "4", "5", "6"]);
    let present = outbox::epochs(&a.store, 1)[0];
    assert_eq!(outbox::running_of(&a.store, &*a.journal, 1, &present, &[out.head()]).unwrap(), [out.running]);
}

#[test]
fn an_outbox_knows_its_former_epochs_and_a_peers_word_begins_few_new_ones() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (alice, _) = (a.person("alice"), b.person("bob"));
    for n in 1..=200 {
        a.say(alice, "bob@b.example", n, &n.to_string());
    }
    deliver(&a, &mut b);
    // Of what came, b has kept places by which a finds them again.
    let first = outbox::epochs(&a.store, 1)[0];
    let known = outbox::known(&b.store, 1);
    let running = |a: &Node, epoch: &outbox::Epoch, at: &[u64]| outbox::running_of(&a.store, &*a.journal, 1, epoch, at).unwrap();
    let sequences: Vec<u64> = known.iter().map(|k| k.sequence).collect();
    assert_eq!(sequences, [64, 96, 128, 144, 160, 176, 192]);
    assert_eq!(running(&a, &first, &sequences), known.iter().map(|k| k.running).collect::<Vec<_>>());

    let word = |a: &mut Node, after| {
        let restart = outbox::restart_after(&a.store, &*a.journal, 1, after).unwrap();
        let shown = outbox::outbox(&a.store, 1).epoch;
        a.say(alice, "bob@b.example", 1000 + a.now_ms % 1000, "meanwhile"); // after it was summed up
        a.run(Command::RestartLink { peer: 1, shown, restart })
    };
    // Epochs that begin after an ack, before it, and at the very beginning: the numbers of each are found in all.
    for after in [Some(150), Some(30), Some(0), None] {
        a.now_ms += 1;
        word(&mut a, after).unwrap();
        let [present, former, ..] = outbox::epochs(&a.store, 1)[..] else { panic!() };
        let out = outbox::outbox(&a.store, 1);
        assert_eq!(
            (present.epoch, present.before, present.before + present.count),
            (out.epoch, after.unwrap_or(0), former.before + former.count)
        );
        assert_eq!(running(&a, &present, &[present.count, 1]).first(), Some(&out.running));
        assert_eq!(outbox::epochs(&a.store, 1).last().map(|e| (e.epoch, e.before)), Some((first.epoch, 0)));
        assert_eq!(running(&a, &first, &sequences), known.iter().map(|k| k.running).collect::<Vec<_>>());
    }
    assert_eq!(outbox::restarts(&a.store, 1).len(), 4);
    assert_eq!(word(&mut a, None).unwrap_err().code.as_str(), "too-many");
    for pause in [1, 2, 4] {
        a.now_ms += pause * limits::LINK_RESTART_PAUSE_MS - 1;
        assert_eq!(word(&mut a, None).unwrap_err().code.as_str(), "too-many", "the pause doubles");
        a.now_ms += 1;
        word(&mut a, None).unwrap();
    }
    a.now_ms += limits::LINK_RESTARTS_MS;
    word(&mut a, Some(100)).unwrap();
    let stale = Command::RestartLink {
        peer: 1,
        shown: first.epoch,
        restart: outbox::restart_after(&a.store, &*a.journal, 1, None).unwrap(),
    };
    let head = a.journal.head().position;
    a.ok(stale);
    assert_eq!(a.journal.head().position, head, "it has another epoch by then");
    a.now_ms += 1;
    deliver(&a, &mut b);
}

/// Gives up what waits for peer 1, in as many steps as it takes.
fn give_up(node: &mut Node) -> usize {
    let (mut from, mut steps) = (0, 1);
    while let Answer::More { from: next, .. } = node.ok(Command::GiveUpPeer { peer: 1, from }) {
        (from, steps) = (next, steps + 1);
    }
    steps
}

#[test]
fn what_waits_for_a_silent_domain_is_given_up_and_what_it_must_hear_is_kept() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let (at_a, first, _) = a.say(alice, "bob@b.example", 1, "arrives");
    deliver(&a, &mut b);
    let out = outbox::outbox(&a.store, 1);
    a.ok(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() });
    for n in 2..=15 {
        a.say(alice, "bob@b.example", n, &format!("waits {n}"));
    }
    a.ok(Command::Recall { actor: alice, conversation: at_a, sequence: first, counter: 16 });
    let events = |node: &Node, name: &str| node.events().iter().filter(|e| **e == name).count();

    assert_eq!((give_up(&mut a), events(&a, "ItemRefused")), (1, 0), "it is not known to be silent");
    a.ok(Command::PeerSilent { peer: 1, since_ms: 5 });
    a.ok(Command::PeerSilent { peer: 1, since_ms: 9 });
    assert_eq!(directory::peer(&a.store, 1).unwrap().silent_since_ms, 5);
    give_up(&mut a);
    give_up(&mut a);
    assert_eq!((events(&a, "ItemRefused"), events(&a, "PeerSilent")), (14, 2), "each sender is told once");
    let refused = |a: &Node| a.messages(alice.account, at_a).iter().map(|m| m.refused.clone()).collect::<Vec<_>>();
    assert_eq!(refused(&a), [vec![""], vec!["domain-dead"; 14]].concat());

    // One more waits, and so was not given up when it comes back.
    a.say(alice, "bob@b.example", 17, "still there?");
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    assert_eq!(b.texts(bob.account, at_b), ["(gone)", "still there?"], "the recall came, the messages given up did not");
    a.ok(Command::PeerHeard { peer: 1 });
    a.ok(Command::PeerHeard { peer: 1 });
    let peer = directory::peer(&a.store, 1).unwrap();
    assert_eq!((peer.silent_since_ms, peer.given_up, events(&a, "PeerHeard")), (0, false, 1));
    a.say(alice, "bob@b.example", 18, "good to see you");
    deliver(&a, &mut b);
    assert_eq!(b.texts(bob.account, at_b).last().unwrap(), "good to see you");
}

#[test]
fn a_long_queue_is_given_up_in_steps() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    for n in 1..=1200 {
        a.say(alice, "bob@b.example", n, "waits");
    }
    a.ok(Command::PeerSilent { peer: 1, since_ms: 5 });
    assert_eq!(give_up(&mut a), 3);
    assert_eq!(a.events().iter().filter(|e| **e == "ItemRefused").count(), 1200);
    assert!(directory::peer(&a.store, 1).unwrap().given_up);
}

#[test]
fn a_message_offered_again_keeps_its_id_and_is_not_doubled() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let mut kept = Vec::new();
    for n in 1..=4 {
        kept.push(a.say(alice, "bob@b.example", n, &n.to_string()).2);
    }
    deliver(&a, &mut b);
    // a is restored from before the third message; its device offers again what it had sent.
    let mut restored = Node::new("a.example");
    let alice = restored.person("alice");
    for n in 1..=2 {
        offer(&mut restored, alice, n, Some(kept[n as usize - 1]));
    }
    restored.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
    restored.now_ms += 60_000;
    offer(&mut restored, alice, 3, None); // something new is said first
    for n in [3, 4u64] {
        offer(&mut restored, alice, n + 1, Some(kept[n as usize - 1]));
        offer(&mut restored, alice, n + 11, Some(kept[n as usize - 1])); // twice
    }
    deliver(&restored, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    assert_eq!(b.texts(bob.account, at_b), ["1", "2", "3", "4", "new"]);
    let at_a = startalk_domain::contacts::conversations(&restored.store, alice.account)[0];
    assert_eq!(restored.texts(alice.account, at_a), ["1", "2", "new", "3", "4"]);
}

#[test]
fn what_is_said_while_a_clock_is_wrong_arrives_and_so_does_what_follows() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.now_ms += 24 * 3_600_000;
    let (at_a, early, id) = a.say(alice, "bob@b.example", 1, "a day ahead");
    assert!(id.time_ms() > b.now_ms + 3_600_000);
    deliver(&a, &mut b);
    // The clock is put right; journal time stands still until it has caught up.
    a.say(alice, "bob@b.example", 2, "put right");
    a.ok(Command::Edit { actor: alice, conversation: at_a, sequence: early, counter: 3, content: text("early") });
    deliver(&a, &mut b);
    // And b's is a day late, as after a start without a network.
    b.say(bob, "alice@a.example", 1, "late");
    deliver(&b, &mut a);
    let (_, taken_back, _) = a.say(alice, "bob@b.example", 4, "no");
    deliver(&a, &mut b);
    a.ok(Command::Recall { actor: alice, conversation: at_a, sequence: taken_back, counter: 5 });
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    assert_eq!(b.texts(bob.account, at_b), ["early", "put right", "late", "(gone)"]);
    assert_eq!(a.texts(alice.account, at_a), ["early", "put right", "late", "(gone)"]);
    let shown = &b.messages(bob.account, at_b)[0];
    assert!(shown.time_ms <= b.now_ms, "what is shown is never later than arrival");
}

#[test]
fn an_id_given_while_the_clock_was_ahead_is_taken_again_after_a_restore() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "1");
    let before = a.journal.head().position;
    a.now_ms += 24 * 3_600_000;
    let (_, _, id) = a.say(alice, "bob@b.example", 2, "2");
    deliver(&a, &mut b);
    let mut restored = a.restored_to(before);
    restored.now_ms -= 24 * 3_600_000;
    restored.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
    offer(&mut restored, alice, 2, Some(id));
    deliver(&restored, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    assert_eq!(b.texts(bob.account, at_b), ["1", "2"]);
}

fn offer(node: &mut Node, actor: startalk_domain::Actor, counter: u64, known_id: Option<startalk_protocol::MessageId>) {
    let words = match (counter, known_id) {
        (_, None) => "new".to_owned(),
        (n, Some(_)) if n <= 2 => n.to_string(),
        (n, Some(_)) => ((n - 1) % 10).to_string(),
    };
    let to = startalk_domain::command::Target::User(user("bob@b.example"));
    node.ok(Command::Send { actor, to, counter, content: text(&words), reply_to: None, reply_sequence: 0, known_id });
}

#[test]
fn a_deleted_account_is_told_of_and_then_forgotten() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "bye");
    deliver(&a, &mut b);
    b.say(bob, "alice@a.example", 1, "hi");
    a.ok(Command::DeleteAccount { account: alice.account });
    deliver(&a, &mut b);
    let person = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    let other = conversations::direct(&b.store, person).unwrap().b;
    assert!(directory::person(&b.store, other).unwrap().gone);
    let to = startalk_domain::command::Target::Conversation(person);
    let command =
        Command::Send { actor: bob, to, counter: 2, content: text("?"), reply_to: None, reply_sequence: 0, known_id: None };
    assert_eq!(b.refused(command), "no-such-user");
    let out = outbox::outbox(&a.store, 1);
    a.ok(Command::PeerRecorded { peer: 1, epoch: out.epoch, sequence: out.head() });
    let all = a.journal.0.lock().unwrap();
    assert!(!all.iter().any(
        |r| matches!(&r.body, startalk_journal::Body::Present(b) if b.windows(5).any(|w| w.eq_ignore_ascii_case(b"alice")))
    ));
}

#[test]
fn what_was_erased_before_it_went_is_withheld() {
    let (mut a, mut b) = pair();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let (at_a, first, _) = a.say(alice, "bob@b.example", 1, "secret");
    a.say(alice, "bob@b.example", 2, "public");
    a.ok(Command::Recall { actor: alice, conversation: at_a, sequence: first, counter: 3 });
    deliver(&a, &mut b);
    let at_b = startalk_domain::contacts::conversations(&b.store, bob.account)[0];
    assert_eq!(b.texts(bob.account, at_b), ["public"]);
}

/// A journal of which one record cannot be read at the moment.
struct Unreadable<'a>(&'a List, u64);

impl ReadJournal for Unreadable<'_> {
    fn head(&self) -> Head {
        self.0.head()
    }
    fn read(&self, position: u64) -> Result<Record, ReadError> {
        let source = std::io::Error::other("this read fails");
        if position == self.1 { Err(ReadError::Io { doing: "reading", segment: 1, source }) } else { self.0.read(position) }
    }
    fn read_from(&self, from: u64, max_records: usize, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        self.0.read_from(from, max_records, max_bytes)
    }
    fn header(&self, position: u64) -> Result<Header, ReadError> {
        self.read(position).map(|r| r.header)
    }
}

#[test]
fn what_cannot_be_read_now_is_not_withheld_for_ever() {
    let (mut a, _) = pair();
    let alice = a.person("alice");
    let (at_a, first, _) = a.say(alice, "bob@b.example", 1, "secret");
    a.ok(Command::Recall { actor: alice, conversation: at_a, sequence: first, counter: 2 });
    let message = startalk_domain::timeline::position(&a.store, at_a, first).unwrap();
    let head = outbox::outbox(&a.store, 1).head();
    let broken = Unreadable(&a.journal, message);
    assert_eq!(outbox::items(&a.store, &broken, 1, head, head, 1).unwrap_err().code, Code::Internal, "the recall names it");
    let items = outbox::items(&a.store, &*a.journal, 1, head, head, 1).unwrap();
    assert!(matches!(items[..], [outbox::Outgoing::Item(_)]), "and goes when it can be read again");
}

#[test]
fn what_cannot_be_read_now_is_neither_left_out_nor_a_proof_of_going_back() {
    let mut a = Node::new("a.example");
    let (alice, _) = (a.person("alice"), a.person("bob"));
    let (conversation, first, _) = a.say(alice, "bob@a.example", 1, "one");
    a.say(alice, "bob@a.example", 2, "two");
    let position = startalk_domain::timeline::position(&a.store, conversation, first).unwrap();
    let broken = Unreadable(&a.journal, position);
    let page = conversations::page(&a.store, &broken, alice.account, conversation, 1..=9, false);
    assert_eq!(page.unwrap_err().code, Code::Internal, "a page without it would say that it is gone");
    let cursor = sync::cursor_at(&*a.journal, position).unwrap();
    assert_eq!(sync::standing(&broken, &cursor).unwrap_err().code, Code::Internal);
    assert_eq!(sync::proves_going_back(&a.store, &broken, &cursor).unwrap_err().code, Code::Internal);
    assert_eq!(sync::standing(&*a.journal, &cursor).unwrap(), sync::Standing::GoesOn(position));
}
