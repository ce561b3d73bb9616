//! Messages that burn: gone on both sides so many seconds after they were opened, and never shown again.

mod harness;

use bytes::Bytes;
use harness::{
    Node, START_MS, deliver, plain, text,
    town::{Person, neighbours},
    user,
};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, command::Target, context::utc_only, conversations::Message, notify, outbox, store::Store,
};
use startalk_journal::{Body, ReadJournal as _};
use startalk_protocol::{limits, pb::content::Content};

fn burning(words: &str, burn_s: u32) -> Bytes {
    let content = Content::decode(text(words)).unwrap();
    Content { burn_s, ..content }.encode_to_vec().into()
}

fn send(actor: Actor, to: Target, counter: u64, content: Bytes) -> Command {
    Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None }
}

/// (conversation, sequence) of a message that burns after ten seconds.
fn say(node: &mut Node, actor: Actor, to: &str, counter: u64) -> (u64, u64) {
    match node.ok(send(actor, Target::User(user(to)), counter, burning("between us", 10))) {
        Answer::Sent { conversation, sequence, .. } => (conversation, sequence),
        other => panic!("{other:?}"),
    }
}

fn open(actor: Actor, conversation: u64, sequence: u64, clock_ms: u64) -> Command {
    Command::OpenMessage { account: actor.account, conversation, sequence, clock_ms }
}

fn clock(node: &mut Node, clock_ms: u64) {
    node.now_ms = node.now_ms.max(clock_ms);
    node.ok(Command::WorkDue { clock_ms });
}

fn one(node: &Node, actor: Actor, conversation: u64) -> Message {
    node.messages(actor.account, conversation).pop().unwrap()
}

fn words(message: &Message) -> Option<String> {
    message.content.as_ref().map(plain)
}

/// Bodies of messages and edits that are still in the journal.
fn bodies(node: &Node) -> usize {
    let records = (1..=node.journal.head().position).map(|p| node.journal.read(p).unwrap());
    records.filter(|r| matches!(r.header.kind, 51 | 52) && matches!(r.body, Body::Present(_))).count()
}

#[test]
fn what_was_opened_is_gone_after_its_time_and_never_shown_again() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence) = say(&mut node, alice, "bob@a.example", 1);
    clock(&mut node, START_MS + 100_000);
    assert_eq!(words(&one(&node, bob, conversation)).as_deref(), Some("between us"), "it waits to be opened");
    assert_eq!(node.refused(open(alice, conversation, sequence, START_MS)), "forbidden", "its author opens nothing");
    let opened = START_MS + 100_000;
    node.ok(open(bob, conversation, sequence, opened));
    assert_eq!(one(&node, alice, conversation).burn_at_ms, opened + 10_000, "the author sees that it was opened");
    let records = node.events().len();
    node.ok(open(bob, conversation, sequence, opened + 5_000));
    assert_eq!(node.events().len(), records, "what was opened is opened");
    node.ok(Command::Edit { actor: alice, conversation, sequence, counter: 2, content: burning("still between us", 10) });
    clock(&mut node, opened + 9_999);
    assert_eq!(words(&one(&node, bob, conversation)).as_deref(), Some("still between us"));
    clock(&mut node, opened + 10_000);
    for reader in [alice, bob] {
        let message = one(&node, reader, conversation);
        assert_eq!((words(&message), message.burnt, message.recalled, message.expired), (None, true, false, false));
    }
    assert_eq!(bodies(&node), 0, "neither is there any more");
    let rebuilt = Store::temporary().unwrap();
    startalk_domain::replay(&rebuilt, &*node.journal, |_, _| {}).unwrap();
    node.store = rebuilt.into();
    let message = one(&node, bob, conversation);
    assert_eq!((words(&message), message.burnt), (None, true), "nor after a rebuild");
    let edit = Command::Edit { actor: alice, conversation, sequence, counter: 3, content: burning("again", 10) };
    assert_eq!(node.refused(edit), "recalled");
    node.ok(open(bob, conversation, sequence, opened + 20_000));
    assert!(startalk_domain::later::next_ms(&*node.store).is_none());
}

#[test]
fn what_was_recalled_meanwhile_stays_recalled() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence) = say(&mut node, alice, "bob@a.example", 1);
    node.ok(open(bob, conversation, sequence, START_MS));
    node.ok(Command::Recall { actor: alice, conversation, sequence, counter: 2 });
    clock(&mut node, START_MS + 10_000);
    assert!(one(&node, bob, conversation).recalled);
    let (_, second) = say(&mut node, alice, "bob@a.example", 3);
    node.ok(Command::Recall { actor: alice, conversation, sequence: second, counter: 4 });
    assert_eq!(node.refused(open(bob, conversation, second, START_MS)), "recalled");
}

#[test]
fn only_between_two_people_and_only_so_long() {
    let mut node = Node::new("a.example");
    let (mut alice, bob) = (Person::at(&mut node, "alice"), node.person("bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    let said = send(bob, Target::Conversation(group), 1, burning("to all", 10));
    assert_eq!(node.refused(said), "bad-value");
    let too_long = burning("for long", limits::BURN_S_MAX + 1);
    assert_eq!(node.refused(send(bob, Target::User(user("alice@a.example")), 2, too_long)), "bad-value");
    let (conversation, sequence, _) = node.say(bob, "alice@a.example", 3, "this stays");
    assert_eq!(node.refused(open(alice.actor, conversation, sequence, START_MS)), "bad-value");
    let edit = |content| Command::Edit { actor: bob, conversation, sequence, counter: 4, content };
    assert_eq!(node.refused(edit(burning("does it?", 10))), "bad-value", "an edit does not make it burn");
    let (_, burns) = say(&mut node, bob, "alice@a.example", 5);
    let edit = Command::Edit { actor: bob, conversation, sequence: burns, counter: 6, content: text("it stays") };
    assert_eq!(node.refused(edit), "bad-value", "nor does one let it stay");
    let carol = node.person("carol");
    assert_eq!(node.refused(open(carol, conversation, burns, START_MS)), "no-such-conversation");
}

#[test]
fn across_domains_both_copies_go_and_each_side_by_its_own_clock() {
    let (mut a, mut b) = neighbours();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    a.say(alice, "bob@b.example", 1, "hello");
    assert_eq!(deliver(&a, &mut b), []);
    let theirs = startalk_domain::contacts::conversations(&*b.store, bob.account)[0];
    b.ok(Command::DecideRequest { account: bob.account, conversation: theirs, accept: true });
    let (ours, _) = say(&mut a, alice, "bob@b.example", 2);
    assert_eq!(deliver(&a, &mut b), []);
    let sequence = one(&b, bob, theirs).sequence;
    let opened = START_MS + 60_000;
    (a.now_ms, b.now_ms) = (opened, opened);
    b.ok(open(bob, theirs, sequence, opened));
    a.now_ms += 4_000; // the link was slow
    assert_eq!(deliver(&b, &mut a), []);
    assert_eq!(one(&a, alice, ours).burn_at_ms, opened + 10_000, "its time runs from when it was opened");
    clock(&mut b, opened + 10_000);
    assert!(one(&b, bob, theirs).burnt && !one(&a, alice, ours).burnt);
    clock(&mut a, opened + 10_000);
    let gone = one(&a, alice, ours);
    assert_eq!((words(&gone), gone.burnt), (None, true));
    assert_eq!((bodies(&a), bodies(&b)), (1, 1), "the hello is there");
    assert_eq!((deliver(&a, &mut b), deliver(&b, &mut a)), (vec![], vec![]), "and nothing more is to be said about it");
    // The same item comes out of the record alone.
    let peer = startalk_domain::directory::peer_number(&*b.store, &a.name).unwrap();
    let out = outbox::outbox(&*b.store, peer);
    assert_eq!(outbox::items(&b.store, &*b.journal, peer, 1, out.head(), usize::MAX).unwrap().len() as u64, out.head());
}

#[test]
fn before_they_are_accepted_a_stranger_burns_nothing() {
    let (mut a, mut b) = neighbours();
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    say(&mut a, alice, "bob@b.example", 1);
    assert_eq!(deliver(&a, &mut b), [(1, "bad-value")]);
    assert!(startalk_domain::contacts::conversations(&*b.store, bob.account).is_empty());
}

#[test]
fn pushes_do_not_say_what_burns() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence) = say(&mut node, alice, "bob@a.example", 1);
    let told =
        |node: &Node| notify::notice(&node.store, &*node.journal, bob.account, conversation, sequence, (node.now_ms, utc_only));
    assert_eq!(told(&node).unwrap().text, "");
    node.ok(open(bob, conversation, sequence, START_MS));
    clock(&mut node, START_MS + 10_000);
    assert_eq!(told(&node), None, "nor that there was anything, when it is gone");
}
