//! What is one's own: how conversations stand in one's list, what one keeps about people, how one is there, what is
//! answered meanwhile, and who may write first. One rule for people of the domain and of others.

mod harness;

use harness::{Node, deliver, send, text, user};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Recorded,
    availability::{self, AutoReply, Said, Schedule, Span},
    command::{MarkMove, Target},
    contacts::{self, Arrangement, Audience, FirstContact, Openness},
    context::utc_only,
    conversations, directory, notify, sync,
};
use startalk_journal::{Body, ReadJournal as _};
use startalk_protocol::{limits, pb::content::Content};

const HOUR_MS: u64 = 3_600_000;

fn arrange(actor: Actor, conversation: u64, arrangement: Arrangement) -> Command {
    Command::ArrangeConversation { account: actor.account, conversation, arrangement }
}

fn keep(actor: Actor, who: &str, remark: Option<&str>, starred: Option<bool>) -> Command {
    Command::KeepPerson { account: actor.account, user: user(who), remark: remark.map(str::to_owned), starred }
}

fn say_of_oneself(actor: Actor, state: &str, until_ms: i64) -> Command {
    let said = Said { state: state.into(), until_ms, text: String::new(), position: 0 };
    Command::SetAvailability { account: actor.account, said }
}

fn reply(actor: Actor, words: &str) -> Command {
    let reply = AutoReply { text: words.into(), when_dnd: true, when_away: true, when_scheduled: true, position: 0 };
    Command::SetAutoReply { account: actor.account, reply }
}

fn open_to(actor: Actor, first_contact: FirstContact) -> Command {
    let (question, answer) = ("Who sent you?".to_owned(), "Carol 王".to_owned());
    Command::SetOpenness { account: actor.account, openness: Openness { first_contact, question, answer, ..Openness::default() } }
}

/// Bodies of records of this kind that are still there.
fn bodies(node: &Node, name: &str) -> usize {
    let records = (1..=node.journal.head().position).map(|p| node.journal.read(p).unwrap());
    records.filter(|r| Recorded::read(r).unwrap().event.name() == name && matches!(r.body, Body::Present(_))).count()
}

fn count(node: &Node, name: &str) -> usize {
    node.events().iter().filter(|e| **e == name).count()
}

fn is_hidden(node: &Node, account: u64, conversation: u64) -> bool {
    let head = sync::view(&node.store.snapshot(), account, conversation).unwrap().head();
    contacts::arranged(&*node.store, account, conversation).hidden_until > head
}

#[test]
fn a_conversation_is_pinned_and_hidden_until_something_is_said_and_other_devices_hear_of_it() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, ..) = node.say(bob, "alice@a.example", 1, "hello");
    let before = node.journal.head().position;
    let all = Arrangement { pinned: Some(true), hidden: Some(true), unread: Some(true) };
    node.ok(arrange(alice, conversation, all));
    let records = node.events().len();
    node.ok(arrange(alice, conversation, all));
    node.ok(arrange(alice, conversation, Arrangement::default()));
    assert_eq!(node.events().len(), records, "the same again is nothing new");
    assert_eq!(sync::changed_conversations(&node.store, alice.account, before), [conversation]);
    assert!(sync::changed_conversations(&node.store, bob.account, before).is_empty(), "nobody else is told");
    assert!(is_hidden(&node, alice.account, conversation));
    node.ok(arrange(alice, conversation, Arrangement { unread: Some(false), ..Arrangement::default() }));
    assert!(is_hidden(&node, alice.account, conversation), "what is not said stays as it is");
    node.say(bob, "alice@a.example", 2, "are you there?");
    assert!(!is_hidden(&node, alice.account, conversation));
    let now = contacts::arranged(&*node.store, alice.account, conversation);
    assert!(now.pinned && !now.unread);
    assert!(!contacts::arranged(&*node.store, bob.account, conversation).pinned);
    let carol = node.person("carol");
    assert_eq!(node.refused(arrange(carol, conversation, all)), "no-such-conversation");
}

#[test]
fn so_many_conversations_can_be_pinned_and_no_more() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    let pin = |c| arrange(alice, c, Arrangement { pinned: Some(true), ..Arrangement::default() });
    let mut last = 0;
    for n in 0..=limits::PINNED_MAX {
        let other = node.person(&format!("p{n}"));
        last = node.say(other, "alice@a.example", 1, "x").0;
        if n < limits::PINNED_MAX {
            node.ok(pin(last));
        }
    }
    assert_eq!(node.refused(pin(last)), "too-many");
}

#[test]
fn a_remark_is_its_owners_alone_and_is_erased_when_it_is_replaced_or_its_owner_goes() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    node.person("carol");
    node.ok(Command::SetRole { account: bob.account, role: startalk_domain::accounts::Role::Administrator });
    let before = node.journal.head().position;
    node.ok(keep(alice, "bob@a.example", Some(" 楼下的小王 "), None));
    node.ok(keep(alice, "bob@a.example", None, Some(true)));
    let kept = contacts::kept(&*node.store, alice.account, bob.account).unwrap();
    assert_eq!((kept.remark.as_str(), kept.starred), ("楼下的小王", true));
    assert_eq!(contacts::kept(&*node.store, bob.account, alice.account), None);
    assert_eq!(sync::changed_persons(&node.store, alice.account, before).len(), 1);
    assert_eq!(bodies(&node, "PersonKept"), 1, "the one before is erased");
    node.ok(keep(alice, "carol@a.example", Some("Caro"), None));
    node.ok(keep(alice, "carol@a.example", Some(""), None));
    assert_eq!(bodies(&node, "PersonKept"), 1, "taken away is erased");
    let (since, ever) =
        (sync::changed_persons(&node.store, alice.account, before), sync::changed_persons(&node.store, alice.account, 0));
    assert_eq!((since.len(), ever.len()), (2, 1), "other devices hear that there is none any more; new ones need not");
    assert_eq!(node.refused(keep(alice, "nobody@a.example", Some("x"), None)), "no-such-user");
    assert_eq!(node.refused(keep(alice, "eve@b.example", Some("x"), None)), "no-such-user");
    assert_eq!(node.refused(keep(alice, "bob@a.example", Some("a\u{202e}b"), None)), "bad-value");
    node.ok(Command::DeleteAccount { account: alice.account });
    assert_eq!(bodies(&node, "PersonKept"), 0);
    assert!(contacts::all_kept(&*node.store, alice.account).is_empty());
}

#[test]
fn what_somebody_says_of_their_presence_is_judged_and_erased_with_what_replaces_it() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    for state in ["online", "away", "busy", "dnd", "offline", ""] {
        node.ok(say_of_oneself(alice, state, 7));
    }
    assert_eq!(bodies(&node, "AvailabilitySet"), 1);
    assert_eq!(node.refused(say_of_oneself(alice, "asleep", 0)), "bad-value");
    assert_eq!(node.refused(say_of_oneself(alice, "dnd", -1)), "bad-value");
    let schedule = |zone: &str, spans: Vec<Span>| Command::SetSchedule {
        account: alice.account,
        schedule: Schedule { zone: zone.into(), spans, position: 0 },
    };
    let span = |days, from_min, until_min| Span { days, from_min, until_min };
    node.ok(schedule("UTC", vec![span(127, 0, 1440)]));
    assert_eq!(node.refused(schedule("Mars/Olympus", vec![span(1, 0, 1)])), "bad-value");
    for bad in [span(0, 0, 1), span(128, 0, 1), span(1, 1440, 1), span(1, 0, 1441)] {
        assert_eq!(node.refused(schedule("UTC", vec![bad])), "bad-value", "{bad:?}");
    }
    assert_eq!(node.refused(schedule("UTC", vec![span(1, 0, 1); limits::SCHEDULE_SPANS_MAX + 1])), "too-many");
    assert!(availability::standing(&*node.store, utc_only, alice.account, node.now_ms).is_dnd());
    node.ok(schedule("", Vec::new()));
    assert!(!availability::standing(&*node.store, utc_only, alice.account, node.now_ms).is_dnd());
    assert_eq!(bodies(&node, "ScheduleSet"), 1);
    assert_eq!(node.refused(reply(alice, &"x".repeat(1001))), "bad-value");
}

#[test]
fn quiet_hours_of_before_count_until_there_is_a_schedule() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    let day = node.now_ms / (24 * HOUR_MS) * 24 * HOUR_MS;
    let quiet =
        notify::Settings { quiet: true, quiet_from_min: 22 * 60, quiet_until_min: 7 * 60, offset_min: 480, ..Default::default() };
    node.ok(Command::SetNotify { account: alice.account, settings: quiet });
    let dnd = |node: &Node, hour| availability::standing(&*node.store, utc_only, alice.account, day + hour * HOUR_MS).is_dnd();
    // 22:00 there is 14:00 by UTC, and 07:00 is 23:00.
    assert_eq!([13, 14, 22, 23].map(|hour| dnd(&node, hour)), [false, true, true, false]);
    let schedule = Schedule { zone: "UTC".into(), spans: vec![Span { days: 127, from_min: 0, until_min: 60 }], position: 0 };
    node.ok(Command::SetSchedule { account: alice.account, schedule });
    assert_eq!([0, 1, 14].map(|hour| dnd(&node, hour)), [true, false, false]);
}

#[test]
fn who_is_not_to_be_disturbed_is_not_told() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(bob, "alice@a.example", 1, "hello");
    let told = |node: &Node| {
        notify::notice(&node.store, &*node.journal, alice.account, conversation, sequence, (node.now_ms, utc_only)).is_some()
    };
    assert!(told(&node));
    node.ok(keep(alice, "bob@a.example", Some("小王"), None));
    let notice = notify::notice(&node.store, &*node.journal, alice.account, conversation, sequence, (node.now_ms, utc_only));
    assert_eq!(notice.unwrap().sender, "小王", "as she calls him");
    let until = i64::try_from(node.now_ms + HOUR_MS).unwrap();
    node.ok(say_of_oneself(alice, "dnd", until));
    assert!(!told(&node));
    node.now_ms += HOUR_MS;
    assert!(told(&node), "its time is over");
}

#[test]
fn an_answer_is_given_once_a_day_and_never_to_an_answer() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    let (at_a, ..) = a.say(alice, "bob@b.example", 1, "hello");
    deliver(&a, &mut b);
    let at_b = contacts::conversations(&*b.store, bob.account)[0];
    for (node, actor, words) in [(&mut a, alice, "Alice is away"), (&mut b, bob, "Bob is away")] {
        node.ok(say_of_oneself(actor, "away", 0));
        node.ok(reply(actor, words));
    }
    a.say(alice, "bob@b.example", 2, "a stranger's");
    deliver(&a, &mut b);
    assert_eq!(count(&b, "AutoReplied"), 0, "nobody answers before they have decided");
    b.ok(Command::DecideRequest { account: bob.account, conversation: at_b, accept: true });
    for round in 0..3 {
        a.say(alice, "bob@b.example", 3 + round, "are you there?");
        for _ in 0..3 {
            deliver(&a, &mut b);
            deliver(&b, &mut a);
        }
    }
    assert_eq!((count(&a, "AutoReplied"), count(&b, "AutoReplied")), (0, 1), "the answer is not answered");
    assert_eq!(a.texts(alice.account, at_a).iter().filter(|t| *t == "Bob is away").count(), 1);
    let answered = a.messages(alice.account, at_a).into_iter().find(|m| m.author != alice.account).unwrap();
    assert!(Content::decode(answered.content.unwrap()).unwrap().automatic);
    b.say(bob, "alice@a.example", 1, "yes");
    deliver(&b, &mut a);
    deliver(&a, &mut b);
    assert_eq!((count(&a, "AutoReplied"), count(&b, "AutoReplied")), (1, 1));
    a.now_ms += 24 * HOUR_MS;
    b.now_ms += 24 * HOUR_MS;
    a.say(alice, "bob@b.example", 9, "good morning");
    deliver(&a, &mut b);
    assert_eq!(count(&b, "AutoReplied"), 2, "another day");
    b.ok(say_of_oneself(bob, "online", 0));
    b.now_ms += 24 * HOUR_MS;
    a.say(alice, "bob@b.example", 10, "good evening");
    deliver(&a, &mut b);
    assert_eq!(count(&b, "AutoReplied"), 2, "who is there answers themselves");
}

#[test]
fn an_answer_stands_in_the_batch_of_what_it_answers_and_not_in_groups() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    node.ok(say_of_oneself(bob, "dnd", 0));
    node.ok(reply(bob, "later"));
    let first = node.journal.head().position + 1;
    let (conversation, ..) = node.say(alice, "bob@a.example", 1, "hello");
    let names = &node.events()[usize::try_from(first).unwrap() - 1..];
    assert_eq!(names, ["DirectOpened", "MessageAdded", "MessageAdded", "AutoReplied"]);
    assert_eq!(node.texts(alice.account, conversation), ["hello", "later"]);
    // The same command again, as after a connection that broke, is the same message and no second answer.
    node.ok(send(alice, "bob@a.example", 1, "hello"));
    assert_eq!(count(&node, "AutoReplied"), 1);
    let Answer::Sent { conversation: group, .. } =
        node.ok(Command::CreateGroup { actor: alice, counter: 2, name: "g".into(), members: vec![user("bob@a.example")] })
    else {
        panic!("a group")
    };
    node.now_ms += 48 * HOUR_MS;
    let to = Target::Conversation(group);
    let (reply_to, known_id) = (None, None);
    node.ok(Command::Send { actor: alice, to, counter: 3, content: text("all?"), reply_to, reply_sequence: 0, known_id });
    assert_eq!(count(&node, "AutoReplied"), 1);
}

/// How a first message by alice fares with bob, if he lets come whom he lets come.
fn first_contact(first_contact: FirstContact, words: &str, local: bool) -> &'static str {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    if local {
        let (alice, bob) = (a.person("alice"), a.person("bob"));
        a.ok(open_to(bob, first_contact));
        let answer = a.run(send(alice, "bob@a.example", 1, words));
        return answer.map_or_else(|e| e.code.as_str(), |_| stands(&a, bob.account));
    }
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    b.ok(open_to(bob, first_contact));
    a.say(alice, "bob@b.example", 1, words);
    assert!(deliver(&a, &mut b).is_empty(), "another domain learns nothing by it");
    stands(&b, bob.account)
}

fn stands(node: &Node, account: u64) -> &'static str {
    let Some(conversation) = contacts::conversations(&*node.store, account).first().copied() else { return "nothing" };
    let direct = conversations::direct(&*node.store, conversation).unwrap();
    let request = sync::overview(&node.store.snapshot(), account, conversation).unwrap().request;
    assert_eq!(request, direct.request, "it is the one addressed who decides");
    if request { "request" } else { "open" }
}

#[test]
fn who_may_write_first_is_one_rule_for_people_here_and_elsewhere() {
    use FirstContact::{Anyone, Ask, Nobody, Question, Unsaid};
    for (policy, words, here, elsewhere) in [
        (Unsaid, "hello", "open", "request"),
        (Anyone, "hello", "open", "open"),
        (Ask, "hello", "request", "request"),
        (Question, "hello", "request", "request"),
        (Question, "ＣＡＲＯＬ王 ", "open", "open"),
        (Ask, "Carol 王", "request", "request"),
        (Nobody, "Carol 王", "not-accepting", "nothing"),
    ] {
        assert_eq!(first_contact(policy, words, true), here, "{policy:?} {words}, here");
        assert_eq!(first_contact(policy, words, false), elsewhere, "{policy:?} {words}, elsewhere");
    }
    let mut node = Node::new("a.example");
    let bob = node.person("bob");
    let empty = Openness { first_contact: Question, question: "x".into(), answer: " ".into(), ..Openness::default() };
    assert_eq!(node.refused(Command::SetOpenness { account: bob.account, openness: empty }), "bad-value");
}

#[test]
fn a_neighbour_who_waits_says_a_few_texts_and_is_told_nothing() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    node.ok(open_to(bob, FirstContact::Ask));
    let (conversation, sequence, _) = node.say(alice, "bob@a.example", 1, "hello");
    node.ok(Command::MoveMarks {
        marks: vec![MarkMove { account: bob.account, conversation, delivered: sequence, read: sequence }],
    });
    let seen = |node: &Node| sync::overview(&node.store.snapshot(), alice.account, conversation).unwrap().other_marks.read;
    assert_eq!(seen(&node), 0, "whoever waits is not told that they were read");
    for counter in 2..=20 {
        node.say(alice, "bob@a.example", counter, "please");
    }
    assert_eq!(node.refused(send(alice, "bob@a.example", 21, "please")), "too-many");
    node.ok(Command::DecideRequest { account: bob.account, conversation, accept: false });
    let (mine, theirs) = (
        sync::overview(&node.store.snapshot(), bob.account, conversation).unwrap(),
        sync::overview(&node.store.snapshot(), alice.account, conversation).unwrap(),
    );
    assert!(mine.refused && mine.blocked, "refused is known on all devices");
    assert!(!theirs.refused && !theirs.blocked, "of the other it is nobody's business");
    assert_eq!(node.refused(send(alice, "bob@a.example", 21, "please")), "blocked", "the sender is told");
    node.say(bob, "alice@a.example", 1, "well then");
    assert_eq!(seen(&node), sequence);
    node.say(alice, "bob@a.example", 21, "thanks");
}

#[test]
fn presence_is_told_to_whom_it_is_meant_for() {
    for (audience, here, elsewhere) in
        [(Audience::Everyone, true, true), (Audience::Domain, true, false), (Audience::Nobody, false, false)]
    {
        assert_eq!((audience.has(directory::HERE), audience.has(7)), (here, elsewhere), "{audience:?}");
        assert_eq!(Audience::of(audience.as_str()), Some(audience));
    }
}
