//! What happens later: scheduled messages and reminders. Time is what the clock is said to show.

mod harness;

use bytes::Bytes;
use harness::{
    Node, START_MS, deliver, text,
    town::{Person, Town, said},
    user,
};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Recorded,
    availability::Said,
    command::Target,
    context::utc_only,
    conversations,
    files::{self, NewFile},
    governance::NewPolicy,
    later::{self, NewReminder, NewScheduled},
    notify::{self, Because, Heard, NewSubscription},
    sync,
};
use startalk_journal::{Body, ReadJournal as _};
use startalk_protocol::{
    limits,
    pb::content::{Attachment, Content, File, content::Kind},
};

const MINUTE: u64 = 60_000;

fn scheduled(to: Target, words: &str, at_ms: u64, key: u8) -> NewScheduled {
    NewScheduled { to, content: text(words), reply_to: None, reply_sequence: 0, at_ms, key: [key; 16] }
}

fn to(name: &str) -> Target {
    Target::User(user(name))
}

fn schedule(node: &mut Node, actor: Actor, new: NewScheduled) -> u64 {
    match node.ok(Command::Schedule { account: actor.account, new }) {
        Answer::Number(number) => number,
        other => panic!("{other:?}"),
    }
}

/// What the node's timer does when the clock shows this.
fn clock(node: &mut Node, clock_ms: u64) {
    node.now_ms = node.now_ms.max(clock_ms);
    while matches!(node.ok(Command::WorkDue { clock_ms }), Answer::More { .. }) {}
}

/// (number, code of its failure) of what an account has scheduled.
fn waiting(node: &Node, actor: Actor) -> Vec<(u64, String)> {
    let all = later::scheduled(&*node.store, actor.account);
    all.entries.iter().map(|e| (e.number, e.failed.clone())).collect()
}

fn between(node: &Node, a: Actor, b: u64) -> u64 {
    conversations::between(&*node.store, a.account, b).unwrap()
}

/// Bodies of scheduled messages that are still in the journal.
fn bodies(node: &Node) -> usize {
    let records = (1..=node.journal.head().position).map(|p| node.journal.read(p).unwrap());
    records.filter(|r| r.header.kind == 140 && matches!(r.body, Body::Present(_))).count()
}

#[test]
fn a_scheduled_message_is_said_at_its_time_once_and_by_its_author() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let at = START_MS + 5 * MINUTE;
    let number = schedule(&mut node, alice, scheduled(to("bob@a.example"), "good morning", at, 1));
    assert_eq!(later::next_ms(&*node.store), Some(at));
    assert!(conversations::between(&*node.store, alice.account, bob.account).is_none(), "nobody is told before");
    clock(&mut node, at - 1);
    assert_eq!(waiting(&node, alice), [(number, String::new())]);
    clock(&mut node, at);
    clock(&mut node, at + 1);
    let conversation = between(&node, alice, bob.account);
    let messages = node.messages(bob.account, conversation);
    assert_eq!(node.texts(bob.account, conversation), ["good morning"], "once");
    assert_eq!((messages[0].author, messages[0].time_ms, messages[0].device), (alice.account, at, 0));
    assert!(waiting(&node, alice).is_empty() && later::next_ms(&*node.store).is_none());
    assert_eq!(bodies(&node), 0, "its words are kept where it was said, and nowhere else");
}

#[test]
fn what_is_asked_for_again_is_scheduled_once_even_after_it_was_said() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let new = scheduled(to("bob@a.example"), "once", START_MS + 1, 1);
    let number = schedule(&mut node, alice, new.clone());
    assert_eq!(schedule(&mut node, alice, new.clone()), number);
    clock(&mut node, START_MS + 1);
    assert_eq!(schedule(&mut node, alice, new), number);
    clock(&mut node, START_MS + 2);
    assert_eq!(node.texts(bob.account, between(&node, alice, bob.account)), ["once"]);
}

#[test]
fn it_is_changed_cancelled_and_sent_at_once() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let at = START_MS + MINUTE;
    let numbers: Vec<u64> =
        (1..=3).map(|key| schedule(&mut node, alice, scheduled(to("bob@a.example"), &format!("no {key}"), at, key))).collect();
    let account = alice.account;
    let change =
        |number, at_ms, words: Option<&str>| Command::ChangeScheduled { account, number, at_ms, content: words.map(text) };
    node.ok(change(numbers[0], Some(at + MINUTE), Some("later")));
    let records = node.events().len();
    node.ok(change(numbers[0], Some(at + MINUTE), Some("later")));
    assert_eq!(node.events().len(), records, "the same again is nothing new");
    node.ok(Command::CancelScheduled { account, number: numbers[1] });
    assert_eq!(node.refused(Command::CancelScheduled { account, number: numbers[1] }), "no-such-thing");
    let Answer::Sent { conversation, .. } = node.ok(Command::SendScheduled { account, number: numbers[2] }) else { panic!() };
    assert_eq!(node.refused(Command::SendScheduled { account, number: numbers[2] }), "no-such-thing");
    clock(&mut node, at);
    assert_eq!(node.texts(bob.account, conversation), ["no 3"]);
    clock(&mut node, at + MINUTE);
    assert_eq!(node.texts(bob.account, conversation), ["no 3", "later"]);
    assert_eq!(node.refused(Command::SendScheduled { account: bob.account, number: numbers[0] }), "no-such-thing");
    assert_eq!(bodies(&node), 0);
}

#[test]
fn the_rules_of_that_moment_decide_and_what_cannot_be_said_stays_with_the_reason() {
    let mut node = Node::new("a.example");
    let (alice, bob, carol) = (node.person("alice"), node.person("bob"), node.person("carol"));
    let at = START_MS + MINUTE;
    let first = schedule(&mut node, alice, scheduled(to("bob@a.example"), "for bob", at, 1));
    schedule(&mut node, alice, scheduled(to("carol@a.example"), "for carol", at, 2));
    schedule(&mut node, alice, scheduled(to("nobody@a.example"), "for nobody", at, 3));
    let block = |blocked| Command::BlockUser { account: bob.account, user: user("alice@a.example"), blocked };
    node.ok(block(true));
    clock(&mut node, at);
    let failed = [(first, "blocked".to_owned()), (first + 2, "no-such-user".to_owned())];
    assert_eq!(waiting(&node, alice), failed);
    assert_eq!(node.texts(carol.account, between(&node, alice, carol.account)), ["for carol"], "the others are said");
    assert!(conversations::between(&*node.store, alice.account, bob.account).is_none(), "what failed leaves nothing");
    clock(&mut node, at + MINUTE);
    assert_eq!(waiting(&node, alice), failed, "and is not tried again by itself");
    node.ok(block(false));
    node.ok(Command::ChangeScheduled { account: alice.account, number: first, at_ms: Some(at + 2 * MINUTE), content: None });
    clock(&mut node, at + 2 * MINUTE);
    assert_eq!(node.texts(bob.account, between(&node, alice, bob.account)), ["for bob"]);
}

#[test]
fn quotas_count_it_on_its_day_and_a_full_disk_lets_it_wait() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    node.ok(Command::SetPolicy(NewPolicy { messages_per_day: Some(1), ..NewPolicy::default() }));
    for key in 1..=2 {
        schedule(&mut node, alice, scheduled(to("bob@a.example"), "hello", START_MS + MINUTE, key));
    }
    node.disk_low = true;
    clock(&mut node, START_MS + MINUTE);
    assert_eq!(waiting(&node, alice).len(), 2, "nothing is lost, nothing has failed");
    node.disk_low = false;
    clock(&mut node, START_MS + MINUTE);
    assert_eq!(waiting(&node, alice), [(2, "daily-limit".to_owned())]);
    assert_eq!(node.texts(bob.account, between(&node, alice, bob.account)), ["hello"]);
}

#[test]
fn whoever_cannot_speak_any_more_does_not_speak_later_and_a_deleted_account_leaves_nothing() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let at = START_MS + MINUTE;
    schedule(&mut node, alice, scheduled(to("bob@a.example"), "I am disabled", at, 1));
    node.ok(Command::SetDisabled { account: alice.account, disabled: true });
    clock(&mut node, at);
    assert_eq!(waiting(&node, alice), [(1, "account-disabled".to_owned())]);
    let carol = node.person("carol");
    schedule(&mut node, carol, scheduled(to("bob@a.example"), "I am gone", at + MINUTE, 1));
    let remind = NewReminder { at_ms: at + MINUTE, note: "to go".into(), ..NewReminder::default() };
    node.ok(Command::SetReminder { account: carol.account, new: remind });
    node.ok(Command::DeleteAccount { account: carol.account });
    assert!(later::next_ms(&*node.store).is_none());
    clock(&mut node, at + MINUTE);
    assert!(conversations::between(&*node.store, carol.account, bob.account).is_none());
    assert_eq!(bodies(&node), 1, "alice's alone");
}

#[test]
fn limits_are_kept() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    node.person("bob");
    let mut try_at = |at_ms| {
        let new = scheduled(to("bob@a.example"), "hello", at_ms, 200);
        node.refused(Command::Schedule { account: alice.account, new })
    };
    assert_eq!(try_at(0), "bad-value");
    assert_eq!(try_at(START_MS + limits::LATER_MS_MAX + 1), "bad-value");
    let empty = NewScheduled { content: Bytes::new(), ..scheduled(to("bob@a.example"), "", START_MS + 1, 201) };
    assert_eq!(node.refused(Command::Schedule { account: alice.account, new: empty }), "bad-value");
    for key in 0..limits::SCHEDULED_MAX {
        schedule(&mut node, alice, scheduled(to("bob@a.example"), "hello", START_MS + MINUTE, key as u8));
    }
    let over = scheduled(to("bob@a.example"), "hello", START_MS + MINUTE, 202);
    assert_eq!(node.refused(Command::Schedule { account: alice.account, new: over }), "too-many");
    let foreign = scheduled(Target::Conversation(99), "hello", START_MS + MINUTE, 203);
    assert_eq!(node.refused(Command::Schedule { account: alice.account, new: foreign }), "no-such-conversation");
    clock(&mut node, START_MS + MINUTE);
    assert!(waiting(&node, alice).is_empty(), "a hundred at once, in a few batches");
}

#[test]
fn a_time_that_is_past_is_at_once_and_journal_time_ahead_of_the_clock_is_not_waited_for() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    // The clock was a day ahead, and was put right: journal time stands there.
    node.now_ms += 24 * 60 * MINUTE;
    node.say(alice, "bob@a.example", 1, "said while the clock was wrong");
    let conversation = between(&node, alice, bob.account);
    schedule(&mut node, alice, scheduled(Target::Conversation(conversation), "in an hour", START_MS + 60 * MINUTE, 1));
    schedule(&mut node, alice, scheduled(Target::Conversation(conversation), "at once", START_MS - MINUTE, 2));
    node.ok(Command::WorkDue { clock_ms: START_MS + 1 });
    assert_eq!(node.texts(bob.account, conversation)[1..], ["at once"]);
    node.ok(Command::WorkDue { clock_ms: START_MS + 60 * MINUTE });
    assert_eq!(node.texts(bob.account, conversation)[2..], ["in an hour"]);
}

#[test]
fn the_files_of_a_scheduled_message_wait_with_it() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let hash = Bytes::from_static(&[7; 32]);
    let new = NewFile { hash: [7; 32], size: 9, media_type: "text/plain".into(), picture: None };
    let file = File { hash, size: 9, r#type: "text/plain".into(), name: "a.txt".into() };
    let attachment = Attachment { file: Some(file), caption: None };
    let content = Content { kind: Some(Kind::Attachment(attachment)), ..Content::default() }.encode_to_vec().into();
    let at = START_MS + 10 * 24 * 60 * MINUTE;
    let later = NewScheduled { content, ..scheduled(to("bob@a.example"), "", at, 1) };
    let command = Command::Schedule { account: alice.account, new: later.clone() };
    assert_eq!(node.refused(command), "no-such-file");
    node.ok(Command::HoldFiles { account: alice.account, files: vec![new] });
    schedule(&mut node, alice, later);
    node.now_ms = at - MINUTE;
    node.ok(Command::CollectFiles { from: 0 });
    clock(&mut node, at);
    let conversation = between(&node, alice, bob.account);
    let through = files::through(&node.store, &*node.journal, bob.account, conversation, 1, &[7; 32]);
    assert_eq!(through.unwrap().size, 9);
}

#[test]
fn groups_here_and_elsewhere_and_people_of_other_domains_hear_it() {
    let mut t = Town::new();
    let at = START_MS + MINUTE;
    let (alice, bob) = (t.alice.actor, t.bob.actor);
    schedule(&mut t.a, alice, scheduled(Target::Conversation(t.group_a), "from alice", at, 1));
    schedule(&mut t.b, bob, scheduled(Target::Conversation(t.group_b), "from bob", at, 1));
    schedule(&mut t.b, bob, scheduled(to("alice@a.example"), "to you alone", at, 2));
    clock(&mut t.a, at);
    clock(&mut t.b, at);
    assert_eq!(t.exchange(), []);
    assert_eq!(t.exchange(), []);
    let both = ["from alice", "from bob"];
    assert_eq!(said(&t.a, alice.account, t.group_a)[1..], both);
    assert_eq!(said(&t.b, bob.account, t.group_b), both);
    let requests = startalk_domain::contacts::conversations(&*t.a.store, alice.account);
    let direct = requests.into_iter().find(|c| conversations::direct(&*t.a.store, *c).is_some()).unwrap();
    assert_eq!(t.a.texts(alice.account, direct), ["to you alone"]);
    assert!(waiting(&t.a, alice).is_empty() && waiting(&t.b, bob).is_empty());
}

#[test]
fn who_left_the_group_does_not_speak_in_it() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    schedule(&mut node, bob.actor, scheduled(Target::Conversation(group), "I am still here", START_MS + MINUTE, 1));
    let leave = bob.act(group, startalk_domain::groups::GroupAct::Leave);
    node.ok(leave);
    clock(&mut node, START_MS + MINUTE);
    assert_eq!(waiting(&node, bob.actor).len(), 1);
    assert_ne!(waiting(&node, bob.actor)[0].1, "");
    assert!(said(&node, alice.actor.account, group).is_empty());
}

#[test]
fn a_reminder_comes_due_is_put_off_and_ended() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(bob, "alice@a.example", 1, "call me");
    let at = START_MS + MINUTE;
    let new = NewReminder { conversation, sequence, at_ms: at, note: " soon ".into(), number: 0 };
    let account = alice.account;
    let set = |new: &NewReminder| Command::SetReminder { account, new: new.clone() };
    let Answer::Number(number) = node.ok(set(&new)) else { panic!() };
    assert_eq!(node.ok(set(&new)), Answer::Number(number), "the same again is the same");
    let all = |node: &Node| later::reminders(&*node.store, account);
    let note = |node: &Node| later::note(&*node.journal, &all(node).entries[0]);
    assert_eq!((all(&node).entries.len(), note(&node)), (1, "soon".to_owned()));
    let before = node.journal.head().position;
    clock(&mut node, at);
    assert_ne!(all(&node).entries[0].due_at, 0);
    assert_eq!(sync::changed_lists(&*node.store, account, before), ["reminders"]);
    let records = node.events().len();
    clock(&mut node, at + MINUTE);
    assert_eq!(node.events().len(), records, "once");
    node.ok(set(&NewReminder { number, at_ms: at + 5 * MINUTE, ..new.clone() }));
    assert_eq!((all(&node).entries[0].due_at, later::next_ms(&*node.store)), (0, Some(at + 5 * MINUTE)));
    node.ok(Command::EndReminder { account, number });
    assert!(all(&node).entries.is_empty() && later::next_ms(&*node.store).is_none());
    assert_eq!(node.refused(Command::EndReminder { account, number }), "no-such-thing");
}

#[test]
fn who_does_not_look_is_told_of_a_reminder_by_its_note_or_its_message() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(bob, "alice@a.example", 1, "call me");
    let account = alice.account;
    let (endpoint, p256dh, auth) = ("https://push.example/1".to_owned(), vec![4; 65], vec![7; 16]);
    let subscription = NewSubscription { endpoint, p256dh, auth };
    node.ok(Command::SubscribePush { account, device: alice.device, subscription });
    let said = Said { state: "dnd".into(), ..Said::default() };
    node.ok(Command::SetAvailability { account, said });
    for note in ["", "Bob"] {
        let new = NewReminder { conversation, sequence, at_ms: START_MS + MINUTE, note: note.into(), number: 0 };
        node.ok(Command::SetReminder { account, new });
    }
    let before = node.journal.head().position;
    clock(&mut node, START_MS + MINUTE);
    let records = node.journal.read_from(before + 1, 99, usize::MAX).unwrap();
    let records: Vec<_> = records.iter().map(|r| Recorded::read(r).unwrap()).collect();
    let heard: Vec<_> = records.iter().flat_map(|r| notify::heard(&*node.store, r)).collect();
    assert_eq!(heard, [1, 2].map(|number| Heard::Reminded { account, number }));
    let told = |node: &Node, number: u64| {
        let (place, position) = (notify::reminder_place(number), before + number);
        notify::notice(&node.store, &*node.journal, account, place, position, (node.now_ms, utc_only))
    };
    let notice = told(&node, 1).unwrap();
    assert_eq!((notice.text.as_str(), notice.because, notice.reminder), ("call me", Because::Reminder, 1));
    assert_eq!((notice.conversation, notice.sequence), (conversation, sequence));
    assert_eq!(told(&node, 2).unwrap().text, "Bob");
    node.ok(Command::Recall { actor: bob, conversation, sequence, counter: 2 });
    assert_eq!(told(&node, 1).unwrap().text, "", "what was taken back is not told");
    node.ok(Command::EndReminder { account, number: 1 });
    assert_eq!(told(&node, 1), None);
}

#[test]
fn reminders_are_of_what_one_may_read_or_of_a_note() {
    let mut node = Node::new("a.example");
    let (alice, bob, carol) = (node.person("alice"), node.person("bob"), node.person("carol"));
    let (conversation, sequence, _) = node.say(bob, "alice@a.example", 1, "between us");
    let at_ms = START_MS + MINUTE;
    let set = |actor: Actor, conversation, sequence, note: String| Command::SetReminder {
        account: actor.account,
        new: NewReminder { conversation, sequence, at_ms, note, number: 0 },
    };
    assert_eq!(node.refused(set(carol, conversation, sequence, String::new())), "no-such-conversation");
    assert_eq!(node.refused(set(alice, conversation, 9, String::new())), "no-such-message");
    assert_eq!(node.refused(set(alice, 0, 0, " ".into())), "bad-value");
    assert_eq!(node.refused(set(alice, 0, 0, "x".repeat(limits::NOTE_CHARS_MAX + 1))), "bad-value");
    for n in 0..limits::REMINDERS_MAX {
        node.ok(set(alice, 0, 0, format!("note {n}")));
    }
    assert_eq!(node.refused(set(alice, 0, 0, "one more".into())), "too-many");
    assert_eq!(deliver(&node, &mut Node::new("b.example")), [], "nobody else is told");
}
