//! Groups: one domain, and a home with followers. Rights, stretches of membership, exactly-once submissions, and what a
//! home cannot do.

mod harness;

use harness::{Node, deliver, follow, served, text, user};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Event, Recorded,
    command::Target,
    conversations::{self, Message},
    directory,
    domain::{COMMAND_RECORDS_MAX, unfinished},
    groups::{self, Banned, GroupAct, GroupLink, Joining, Rights, Role, Standing, Text, Who},
    sync, timeline,
};
use startalk_protocol::{
    Code, GroupId,
    group::{self as chain, sign_head},
    limits,
    pb::{
        content::{Content, content::Kind},
        group::{self as wire, Applicant, Decided, Entry, Range, Submission, entry::Body, submission::Action},
    },
};

/// Somebody with a device, and the numbers of their commands.
struct Person {
    actor: Actor,
    counter: u64,
}

impl Person {
    fn at(node: &mut Node, name: &str) -> Self {
        Self { actor: node.person(name), counter: 0 }
    }

    fn create(&mut self, node: &mut Node, members: &[&str]) -> u64 {
        self.counter += 1;
        let members = members.iter().map(|m| user(m)).collect();
        let create = Command::CreateGroup { actor: self.actor, counter: self.counter, name: "Weekend".into(), members };
        let Answer::Sent { conversation, .. } = node.ok(create) else { panic!() };
        conversation
    }

    fn say(&mut self, conversation: u64, words: &str) -> Command {
        self.counter += 1;
        Command::Send {
            actor: self.actor,
            to: Target::Conversation(conversation),
            counter: self.counter,
            content: text(words),
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        }
    }

    fn act(&mut self, conversation: u64, act: GroupAct) -> Command {
        self.counter += 1;
        Command::ActInGroup { actor: self.actor, conversation, counter: self.counter, act }
    }

    fn join(&mut self, link: &GroupLink) -> Command {
        self.counter += 1;
        Command::JoinGroup { actor: self.actor, counter: self.counter, link: link.clone(), word: "let me in".into() }
    }

    fn accept(&mut self, group: &str) -> Command {
        self.counter += 1;
        let group = group.parse().unwrap();
        Command::DecideGroupInvitation { actor: self.actor, counter: self.counter, group, accept: true }
    }
}

/// What somebody reads: words, and system lines by their code.
fn lines(node: &Node, account: u64, conversation: u64) -> Vec<String> {
    let line = |m: &Message| match m.content.clone().map(|c| Content::decode(c).unwrap().kind) {
        Some(Some(Kind::System(s))) => s.code,
        Some(_) => harness::plain(m.content.as_ref().unwrap()),
        None => "(gone)".into(),
    };
    node.messages(account, conversation).iter().map(line).collect()
}

fn said(node: &Node, account: u64, conversation: u64) -> Vec<String> {
    lines(node, account, conversation).into_iter().filter(|l| !l.starts_with("group-")).collect()
}

fn standing(node: &Node, account: u64, conversation: u64) -> &'static str {
    groups::overview(&node.store, account, conversation).unwrap().standing()
}

fn id_of(node: &Node, conversation: u64) -> String {
    groups::group(&node.store, conversation).unwrap().id.clone()
}

#[test]
fn many_talk_in_one_order_and_only_they() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob, carol) =
        (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"), Person::at(&mut node, "carol"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    node.ok(alice.say(group, "one"));
    node.ok(bob.say(group, "two"));
    assert_eq!(lines(&node, alice.actor.account, group), ["group-created", "group-name", "group-added", "one", "two"]);
    // Bob was brought in by the third record, and reads from there.
    assert_eq!(lines(&node, bob.actor.account, group), ["group-added", "one", "two"]);
    let none = conversations::page(&node.store, &*node.journal, carol.actor.account, group, 1..=100, false);
    assert_eq!(none.unwrap_err().code, Code::NoSuchConversation);
    let mut carol = carol;
    assert_eq!(node.refused(carol.say(group, "me too")), "no-such-conversation");
    // Sent again: the same answer, and nothing new.
    let again = Command::Send {
        actor: bob.actor,
        to: Target::Conversation(group),
        counter: 1,
        content: text("two"),
        reply_to: None,
        reply_sequence: 0,
        known_id: None,
    };
    let Answer::Sent { sequence, .. } = node.ok(again) else { panic!() };
    assert_eq!(sequence, 5);
    assert_eq!(timeline::head(&node.store, group).sequence, 5);
}

#[test]
fn a_group_does_not_begin_with_more_than_fits_into_a_batch() {
    let mut node = Node::new("a.example");
    let mut alice = Person::at(&mut node, "alice");
    // Nobody ever heard of them or of their domains, which is the most that is written of anybody.
    let strangers: Vec<String> = (0..=limits::GROUP_BEGUN_WITH_MAX).map(|n| format!("x@d{n}.example")).collect();
    let all: Vec<&str> = strangers.iter().map(String::as_str).collect();
    let members = all.iter().map(|m| user(m)).collect();
    let create = Command::CreateGroup { actor: alice.actor, counter: 1, name: "All".into(), members };
    assert_eq!(node.refused(create), "too-many");
    let before = node.journal.0.lock().unwrap().len();
    alice.create(&mut node, &all[1..]);
    let written = node.journal.0.lock().unwrap().len() - before;
    assert!(written > limits::GROUP_BEGUN_WITH_MAX && written <= COMMAND_RECORDS_MAX, "{written} records");
}

#[test]
fn who_was_away_reads_nothing_of_what_was_said_meanwhile() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    node.ok(alice.say(group, "before"));
    node.ok(alice.act(group, GroupAct::Remove(user("bob@a.example"))));
    node.ok(alice.say(group, "secret"));
    assert_eq!(node.refused(bob.say(group, "what?")), "not-a-member");
    assert_eq!(said(&node, bob.actor.account, group), ["before"]);
    assert_eq!(standing(&node, bob.actor.account, group), "removed");
    node.ok(alice.act(group, GroupAct::Add(user("bob@a.example"))));
    node.ok(alice.say(group, "after"));
    assert_eq!(said(&node, bob.actor.account, group), ["before", "after"]);
    let secret = 6;
    for range in [secret..=secret, 1..=secret, secret..=100] {
        let page = conversations::page(&node.store, &*node.journal, bob.actor.account, group, range, true).unwrap();
        assert!(page.messages.iter().all(|m| m.sequence != secret));
    }
    let synced = sync::conversation(&node.store, &*node.journal, bob.actor.account, group, 0).unwrap();
    assert!(synced.messages.iter().all(|m| m.sequence != secret));
    // Nor what an older message became meanwhile.
    let before = sync::conversation(&node.store, &*node.journal, bob.actor.account, group, 0).unwrap();
    let before = before.messages.iter().find(|m| m.content.as_ref().map(harness::plain).as_deref() == Some("before")).unwrap();
    node.ok(alice.act(group, GroupAct::Remove(user("bob@a.example"))));
    alice.counter += 1;
    let (actor, counter, content) = (alice.actor, alice.counter, text("secret too"));
    node.ok(Command::Edit { actor, conversation: group, sequence: before.sequence, counter, content });
    node.ok(alice.act(group, GroupAct::Add(user("bob@a.example"))));
    assert_eq!(said(&node, bob.actor.account, group), ["before", "after"]);
    assert_eq!(said(&node, alice.actor.account, group), ["secret too", "secret", "after"]);
    let synced = sync::conversation(&node.store, &*node.journal, bob.actor.account, group, 1).unwrap();
    let words = |m: &Message| m.content.as_ref().map(harness::plain);
    assert!(synced.changed.iter().chain(&synced.messages).filter_map(words).all(|w| !w.contains("secret")));
    // Nor can he refer to it, or react to it.
    let react = GroupAct::React { sequence: secret, emoji: "👍".into(), remove: false };
    assert_eq!(node.refused(bob.act(group, react)), "no-such-message");
}

#[test]
fn roles_and_rights_hold() {
    let mut node = Node::new("a.example");
    let names = ["owner", "helper", "member", "other"];
    let mut people: Vec<Person> = names.iter().map(|n| Person::at(&mut node, n)).collect();
    let id = |n: &str| user(&format!("{n}@a.example"));
    let group = people[0].create(&mut node, &["helper@a.example", "member@a.example", "other@a.example"]);
    node.ok(people[0].act(group, GroupAct::SetRole { user: id("helper"), role: Role::Administrator }));
    let refused = |node: &mut Node, who: &mut Person, act: GroupAct| node.refused(who.act(group, act));
    assert_eq!(refused(&mut node, &mut people[2], GroupAct::Remove(id("other"))), "forbidden");
    assert_eq!(refused(&mut node, &mut people[1], GroupAct::Remove(id("owner"))), "forbidden");
    assert_eq!(
        refused(&mut node, &mut people[1], GroupAct::SetRole { user: id("member"), role: Role::Administrator }),
        "forbidden"
    );
    assert_eq!(refused(&mut node, &mut people[2], GroupAct::SetText { text: Text::Notice, value: "x".into() }), "forbidden");
    assert_eq!(refused(&mut node, &mut people[1], GroupAct::Destroy), "forbidden");
    assert_eq!(refused(&mut node, &mut people[0], GroupAct::Leave), "owner-stays");
    assert_eq!(refused(&mut node, &mut people[0], GroupAct::SetText { text: Text::Name, value: " ".into() }), "bad-value");

    node.ok(people[1].act(group, GroupAct::Mute { user: id("member"), until_ms: i64::MAX }));
    assert_eq!(node.refused(people[2].say(group, "hm")), "muted");
    node.ok(people[1].act(group, GroupAct::Mute { user: id("member"), until_ms: 0 }));
    node.ok(people[2].say(group, "thanks"));
    node.ok(people[1].act(group, GroupAct::SetRights(Rights { post: Who::Administrators, ..Rights::default() })));
    assert_eq!(node.refused(people[2].say(group, "hm")), "muted");
    node.ok(people[1].say(group, "all are muted"));
    node.ok(people[1].act(group, GroupAct::SetRights(Rights::default())));

    // Administrators take back what members say, not the other way round.
    let Answer::Sent { sequence, .. } = node.ok(people[2].say(group, "rude")) else { panic!() };
    let recall = |who: &mut Person, sequence| {
        who.counter += 1;
        Command::Recall { actor: who.actor, conversation: group, sequence, counter: who.counter }
    };
    assert_eq!(node.refused(recall(&mut people[3], sequence)), "forbidden");
    node.ok(recall(&mut people[1], sequence));
    assert!(lines(&node, people[3].actor.account, group).contains(&"(gone)".to_owned()));
    let Answer::Sent { sequence, .. } = node.ok(people[0].say(group, "law")) else { panic!() };
    assert_eq!(node.refused(recall(&mut people[1], sequence)), "forbidden");

    node.ok(people[0].act(group, GroupAct::SetRole { user: id("helper"), role: Role::Owner }));
    assert_eq!(refused(&mut node, &mut people[0], GroupAct::Destroy), "forbidden");
    node.ok(people[0].act(group, GroupAct::Leave));
    node.ok(people[1].act(group, GroupAct::Ban { who: Banned::User(id("other")), lift: false }));
    assert_eq!(refused(&mut node, &mut people[1], GroupAct::Add(id("other"))), "banned-from-group");
    node.ok(people[1].act(group, GroupAct::Ban { who: Banned::User(id("other")), lift: true }));
    node.ok(people[1].act(group, GroupAct::Add(id("other"))));
    node.ok(people[1].act(group, GroupAct::Destroy));
    assert_eq!(node.refused(people[2].say(group, "hm")), "group-over");
    assert_eq!(standing(&node, people[2].actor.account, group), "destroyed");
}

#[test]
fn links_let_in_as_often_and_as_long_as_they_say_and_with_approval_somebody_decides() {
    let mut node = Node::new("a.example");
    let mut alice = Person::at(&mut node, "alice");
    let mut others: Vec<Person> = ["b", "c", "d", "e"].iter().map(|n| Person::at(&mut node, n)).collect();
    let group = alice.create(&mut node, &[]);
    let link = |secret: &str| GroupLink {
        home: "a.example".parse().unwrap(),
        group: id_of(&node, group).parse().unwrap(),
        secret: secret.into(),
    };
    let (once, approval) = (link("once"), link("approval"));
    let make = |secret: &str, uses: u32| GroupAct::MakeLink {
        secret_hash: *blake3::hash(secret.as_bytes()).as_bytes(),
        uses,
        not_after_ms: 0,
    };
    node.ok(alice.act(group, make("once", 1)));
    assert_eq!(node.refused(others[0].join(&approval)), "group-link-invalid");
    node.ok(others[0].join(&once));
    assert_eq!(node.refused(others[1].join(&once)), "group-link-invalid");
    node.ok(alice.act(group, make("approval", 0)));
    node.ok(alice.act(group, GroupAct::SetRights(Rights { joining: Joining::WithApproval, ..Rights::default() })));
    for other in &mut others[1..3] {
        node.ok(other.join(&approval));
    }
    assert_eq!(standing(&node, others[1].actor.account, group), "asked");
    assert_eq!(node.refused(others[1].say(group, "hello")), "not-a-member");
    assert!(lines(&node, others[1].actor.account, group).is_empty());
    node.ok(alice.act(group, GroupAct::Admit { user: user("c@a.example"), refuse: false }));
    node.ok(alice.act(group, GroupAct::Admit { user: user("d@a.example"), refuse: true }));
    node.ok(others[1].say(group, "hello"));
    assert_eq!(standing(&node, others[2].actor.account, group), "refused");
    let asked = groups::group(&node.store, group).unwrap().asked;
    assert_eq!(asked, 0);
    let number = groups::group(&node.store, group).unwrap().links.last().unwrap().link;
    node.ok(alice.act(group, GroupAct::RevokeLink(number)));
    assert_eq!(node.refused(others[3].join(&approval)), "group-link-invalid");
}

#[test]
fn reactions_pins_edits_and_replies_show_what_is_now() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    let Answer::Sent { sequence, .. } = node.ok(alice.say(group, "first")) else { panic!() };
    let react = |emoji: &str, remove| GroupAct::React { sequence, emoji: emoji.into(), remove };
    node.ok(bob.act(group, react("👍", false)));
    node.ok(alice.act(group, react("👍", false)));
    node.ok(alice.act(group, react("🎉", false)));
    node.ok(alice.act(group, react("🎉", true)));
    assert_eq!(node.refused(bob.act(group, react("", false))), "bad-value");
    assert_eq!(node.refused(bob.act(group, GroupAct::Pin { sequence, remove: false })), "forbidden");
    node.ok(alice.act(group, GroupAct::Pin { sequence, remove: false }));
    let now = |node: &Node| conversations::single(&node.store, &*node.journal, group, sequence).unwrap();
    let shown = now(&node);
    assert_eq!((shown.reactions.len(), shown.reactions[0].count, shown.pinned), (1, 2, true));
    alice.counter += 1;
    let edit =
        Command::Edit { actor: alice.actor, conversation: group, sequence, counter: alice.counter, content: text("better") };
    node.ok(edit);
    assert_eq!(now(&node).content.as_ref().map(harness::plain).as_deref(), Some("better"));
    let mut reply = bob.say(group, "yes");
    if let Command::Send { reply_sequence, .. } = &mut reply {
        *reply_sequence = sequence;
    }
    let Answer::Sent { sequence: answer, .. } = node.ok(reply) else { panic!() };
    assert_eq!(conversations::single(&node.store, &*node.journal, group, answer).unwrap().reply_sequence, sequence);
    alice.counter += 1;
    node.ok(Command::Recall { actor: alice.actor, conversation: group, sequence, counter: alice.counter });
    let shown = now(&node);
    assert_eq!((shown.content, shown.recalled, shown.pinned), (None, true, false));
}

/// a.example is home, b.example and c.example follow.
struct Town {
    a: Node,
    b: Node,
    alice: Person,
    bob: Person,
    group_a: u64,
    group_b: u64,
    id: String,
}

impl Town {
    fn new() -> Self {
        let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
        a.meet(&b);
        b.meet(&a);
        let charter = b.charter();
        b.ok(Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() });
        let (mut alice, mut bob) = (Person::at(&mut a, "alice"), Person::at(&mut b, "bob"));
        let group_a = alice.create(&mut a, &["bob@b.example"]);
        let id = id_of(&a, group_a);
        a.ok(alice.say(group_a, "before bob"));
        assert_eq!(deliver(&a, &mut b), []);
        assert_eq!(groups::invitations(&b.store, bob.actor.account).len(), 1);
        b.ok(bob.accept(&id));
        let group_b = groups::by_id(&b.store, &id.parse().unwrap()).unwrap();
        assert_eq!(standing(&b, bob.actor.account, group_b), "joining");
        assert_eq!(deliver(&b, &mut a), []);
        follow(&a, &mut b, &id);
        Self { a, b, alice, bob, group_a, group_b, id }
    }

    fn exchange(&mut self) -> Vec<(u64, &'static str)> {
        deliver(&self.a, &mut self.b);
        let refused = deliver(&self.b, &mut self.a);
        follow(&self.a, &mut self.b, &self.id);
        refused
    }
}

#[test]
fn two_domains_see_one_order_and_the_replica_begins_where_its_people_came_in() {
    let mut town = Town::new();
    let (alice, bob) = (town.alice.actor.account, town.bob.actor.account);
    assert_eq!(standing(&town.b, bob, town.group_b), "member");
    assert_eq!(lines(&town.b, bob, town.group_b), ["group-joined"]);
    town.a.ok(town.alice.say(town.group_a, "welcome"));
    let Answer::Sent { sequence: 0, id, .. } = town.b.ok(town.bob.say(town.group_b, "hello")) else { panic!("it waits") };
    let waiting = groups::waiting_messages(&town.b.store, &*town.b.journal, town.group_b, bob);
    assert_eq!((waiting.len(), waiting[0].id), (1, id));
    assert_eq!(town.exchange(), []);
    assert!(groups::waiting_messages(&town.b.store, &*town.b.journal, town.group_b, bob).is_empty());
    assert_eq!(said(&town.a, alice, town.group_a), ["before bob", "welcome", "hello"]);
    assert_eq!(said(&town.b, bob, town.group_b), ["welcome", "hello"]);
    let head = |n: &Node, c| (timeline::head(&n.store, c).sequence, groups::log(&n.store, c).chain);
    assert_eq!(head(&town.a, town.group_a), head(&town.b, town.group_b));
    let own = town.b.messages(bob, town.group_b).into_iter().find(|m| m.id == id).unwrap();
    assert_eq!((own.device, own.counter), (town.bob.actor.device, town.bob.counter));

    // Edits, reactions and recalls go both ways.
    let (of_bob, of_alice) = (own.sequence, own.sequence - 1);
    town.bob.counter += 1;
    let (actor, counter) = (town.bob.actor, town.bob.counter);
    town.b.ok(Command::Edit { actor, conversation: town.group_b, sequence: of_bob, counter, content: text("hi") });
    town.b.ok(town.bob.act(town.group_b, GroupAct::React { sequence: of_alice, emoji: "👋".into(), remove: false }));
    town.alice.counter += 1;
    let (actor, counter) = (town.alice.actor, town.alice.counter);
    town.exchange();
    town.a.ok(Command::Recall { actor, conversation: town.group_a, sequence: of_alice, counter });
    town.exchange();
    for (node, account, group) in [(&town.a, alice, town.group_a), (&town.b, bob, town.group_b)] {
        let single = |s| conversations::single(&node.store, &*node.journal, group, s).unwrap();
        assert_eq!(harness::plain(single(of_bob).content.as_ref().unwrap()), "hi");
        assert_eq!((single(of_alice).recalled, single(of_alice).reactions.len()), (true, 0));
        assert!(said(node, account, group).contains(&"(gone)".to_owned()));
    }
}

/// A group of a.example that admits; nobody of b.example is in.
struct Gate {
    a: Node,
    b: Node,
    alice: Person,
    group_a: u64,
    link: GroupLink,
}

impl Gate {
    fn new() -> Self {
        let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
        a.meet(&b);
        b.meet(&a);
        let charter = b.charter();
        b.ok(Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() });
        let mut alice = Person::at(&mut a, "alice");
        let group_a = alice.create(&mut a, &[]);
        let secret_hash = *blake3::hash(b"open").as_bytes();
        a.ok(alice.act(group_a, GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 }));
        a.ok(alice.act(group_a, GroupAct::SetRights(Rights { joining: Joining::WithApproval, ..Rights::default() })));
        let group = id_of(&a, group_a).parse().unwrap();
        let link = GroupLink { home: "a.example".parse().unwrap(), group, secret: "open".into() };
        Self { a, b, alice, group_a, link }
    }

    fn group_b(&self) -> u64 {
        groups::by_id(&self.b.store, &self.link.group).unwrap()
    }

    fn ask(&mut self, person: &mut Person) {
        self.b.ok(person.join(&self.link));
        assert_eq!(deliver(&self.b, &mut self.a), []);
    }

    fn admit(&mut self, name: &str, refuse: bool) {
        self.a.ok(self.alice.act(self.group_a, GroupAct::Admit { user: user(&format!("{name}@b.example")), refuse }));
    }

    fn look(&mut self) {
        follow(&self.a, &mut self.b, self.link.group.as_str());
    }

    fn standing(&self, person: &Person) -> &'static str {
        standing(&self.b, person.actor.account, self.group_b())
    }
}

#[test]
fn whoever_waits_to_be_admitted_elsewhere_is_told_so_and_what_became_of_it() {
    let mut gate = Gate::new();
    let (mut bob, mut carol) = (Person::at(&mut gate.b, "bob"), Person::at(&mut gate.b, "carol"));
    gate.ask(&mut bob);
    gate.ask(&mut carol);
    assert_eq!(gate.standing(&bob), "joining", "the home has not been heard");
    gate.look();
    assert_eq!((gate.standing(&bob), gate.standing(&carol)), ("asked", "asked"));
    let written = gate.b.journal.0.lock().unwrap().len();
    gate.look();
    assert_eq!(gate.b.journal.0.lock().unwrap().len(), written, "what is known is not written again");
    assert_eq!(gate.b.refused(bob.join(&gate.link)), "already-a-member");

    gate.admit("bob", true);
    gate.look();
    assert_eq!((gate.standing(&bob), gate.standing(&carol)), ("refused", "asked"));
    let told = |r: &Recorded| matches!(&r.event, Event::GroupSubmissionEnded(f, _) if f.code == "not-admitted" && f.device == bob.actor.device);
    let ended = gate.b.journal.0.lock().unwrap().iter().any(|r| told(&Recorded::read(r).unwrap()));
    assert!(ended, "the device that asked is told");
    // Who was refused may ask again, and is not told of the first time.
    gate.b.ok(bob.join(&gate.link));
    gate.look();
    assert_eq!(gate.standing(&bob), "joining");
    deliver(&gate.b, &mut gate.a);
    gate.look();
    assert_eq!(gate.standing(&bob), "asked");
    gate.admit("carol", false);
    gate.look();
    assert_eq!((gate.standing(&bob), gate.standing(&carol)), ("asked", "member"));
    gate.b.ok(carol.say(gate.group_b(), "here"));
    // From now on the replica says it.
    gate.admit("bob", true);
    gate.look();
    assert_eq!(gate.standing(&bob), "refused");
    gate.ask(&mut bob);
    gate.look();
    assert_eq!(gate.standing(&bob), "asked");
    gate.admit("bob", false);
    gate.look();
    assert_eq!(gate.standing(&bob), "member");
    let waits = groups::waiting(&gate.b.store, gate.group_b());
    assert_eq!(waits.iter().filter(|w| w.joins).count(), 0, "{waits:?}");
}

#[test]
fn who_was_refused_while_their_domain_was_away_is_told_when_its_replica_begins() {
    let mut gate = Gate::new();
    let (mut bob, mut carol) = (Person::at(&mut gate.b, "bob"), Person::at(&mut gate.b, "carol"));
    let mut dave = Person::at(&mut gate.b, "dave");
    for person in [&mut bob, &mut carol, &mut dave] {
        gate.ask(person);
    }
    gate.admit("bob", true);
    gate.admit("carol", false);
    gate.look();
    let now = [gate.standing(&bob), gate.standing(&carol), gate.standing(&dave)];
    assert_eq!(now, ["refused", "member", "asked"]);
    // Carol goes and comes again: nothing of hers waits any more.
    gate.b.ok(carol.act(gate.group_b(), GroupAct::Leave));
    deliver(&gate.b, &mut gate.a);
    gate.look();
    assert_eq!(gate.standing(&carol), "left");
    gate.ask(&mut carol);
    gate.look();
    assert_eq!(gate.standing(&carol), "asked");
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
fn who_comes_in_by_a_link_when_their_domain_has_its_replica_already_is_known_there() {
    let mut town = Town::new();
    let mut carol = Person::at(&mut town.b, "carol");
    let secret_hash = *blake3::hash(b"come in").as_bytes();
    town.a.ok(town.alice.act(town.group_a, GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 }));
    town.exchange();
    let link = GroupLink { home: "a.example".parse().unwrap(), group: town.id.parse().unwrap(), secret: "come in".into() };
    town.b.ok(carol.join(&link));
    assert_eq!(standing(&town.b, carol.actor.account, town.group_b), "joining");
    assert_eq!(town.exchange(), []);
    assert_eq!(standing(&town.b, carol.actor.account, town.group_b), "member");
    town.b.ok(carol.say(town.group_b, "here I am"));
    // Whom somebody here brings in is known here too, wherever they are from.
    town.a.person("dave");
    town.b.ok(town.bob.act(town.group_b, GroupAct::Add(user("dave@a.example"))));
    assert_eq!(town.exchange(), []);
    let (members, _) = groups::members_from(&town.b.store, town.group_b, 0, usize::MAX, groups::Member::is_in);
    assert_eq!(members.len(), 4);
    assert!(members.iter().all(|m| m.person != 0), "{members:?}");
    assert_eq!(said(&town.a, town.alice.actor.account, town.group_a), ["before bob", "here I am"]);
}

#[test]
fn what_is_submitted_again_is_recorded_once_and_other_words_under_its_number_never() {
    let mut town = Town::new();
    town.b.ok(town.bob.say(town.group_b, "once"));
    town.exchange();
    let head = timeline::head(&town.a.store, town.group_a).sequence;
    // b forgets what a has of its outbox, as after a restore, and sends all again in a new epoch.
    town.b.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
    assert_eq!(town.exchange(), []);
    assert_eq!(timeline::head(&town.a.store, town.group_a).sequence, head);
    town.b.ok(town.bob.say(town.group_b, "twice"));
    assert_eq!(town.exchange(), []);
    assert_eq!(said(&town.a, town.alice.actor.account, town.group_a), ["before bob", "once", "twice"]);
}

#[test]
fn the_home_decides_and_a_refusal_is_told() {
    let mut town = Town::new();
    town.a.ok(town.alice.act(town.group_a, GroupAct::Mute { user: user("bob@b.example"), until_ms: i64::MAX }));
    // b does not know yet.
    town.b.ok(town.bob.say(town.group_b, "hm"));
    let refused = deliver(&town.b, &mut town.a);
    assert_eq!(refused.iter().map(|r| r.1).collect::<Vec<_>>(), ["muted"]);
    let out = startalk_domain::outbox::outbox(&town.b.store, 1);
    town.b.ok(Command::PeerRefused { peer: 1, epoch: out.epoch, sequence: refused[0].0, code: "muted".into() });
    assert!(groups::waiting(&town.b.store, town.group_b).is_empty());
    follow(&town.a, &mut town.b, &town.id);
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "hm")), "muted");
}

#[test]
fn failed_is_said_when_it_is_certain_and_not_before() {
    let mut town = Town::new();
    town.b.ok(town.bob.say(town.group_b, "late"));
    // The home hears nothing for a day; its people talk.
    town.a.now_ms += 23 * 3600 * 1000;
    town.a.ok(town.alice.say(town.group_a, "still in time"));
    follow(&town.a, &mut town.b, &town.id);
    assert_eq!(groups::waiting(&town.b.store, town.group_b).len(), 1);
    town.a.now_ms += 2 * 3600 * 1000;
    town.a.ok(Command::TellTime);
    follow(&town.a, &mut town.b, &town.id);
    assert!(groups::waiting(&town.b.store, town.group_b).is_empty());
    assert!(town.b.events().contains(&"GroupSubmissionEnded"));
    let refused = deliver(&town.b, &mut town.a);
    assert_eq!(refused.iter().map(|r| r.1).collect::<Vec<_>>(), ["expired"], "and the home never takes it any more");
    // A home that recorded it after all, with an earlier time than it has sworn to, is not believed.
    town.a.ok(town.alice.say(town.group_a, "later"));
    let after = timeline::head(&town.b.store, town.group_b).sequence;
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let mut earlier = served(&town.a, at_home, &town.id, after);
    earlier.entries[0].time_ms -= 24 * 3600 * 1000;
    let give = Command::FollowGroup { peer: 1, group: town.id.clone(), range: Box::new(earlier) };
    assert_eq!(town.b.run(give).unwrap_err().code, Code::Malformed);
}

#[test]
fn a_replica_goes_on_however_much_has_failed_meanwhile() {
    let mut town = Town::new();
    for n in 0..limits::GROUP_WAITING_MAX {
        town.b.ok(town.bob.say(town.group_b, &format!("late {n}")));
    }
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "one too many")), "too-many");
    town.a.now_ms += 25 * 3600 * 1000;
    town.a.ok(town.alice.say(town.group_a, "is anybody there?"));
    // Entries and endings are more than one command may write: what is left ends with the next look.
    for _ in 0..2 {
        follow(&town.a, &mut town.b, &town.id);
    }
    assert!(groups::waiting(&town.b.store, town.group_b).is_empty());
    assert_eq!(said(&town.b, town.bob.actor.account, town.group_b), ["is anybody there?"]);
}

#[test]
fn leaving_works_at_once_and_the_replica_goes_on_where_somebody_comes_in_again() {
    let mut town = Town::new();
    let bob = town.bob.actor.account;
    town.b.ok(town.bob.act(town.group_b, GroupAct::Leave));
    assert_eq!(standing(&town.b, bob, town.group_b), "leaving");
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "psst")), "not-a-member");
    town.exchange();
    assert_eq!(standing(&town.b, bob, town.group_b), "left");
    for n in 0..100 {
        town.a.ok(town.alice.say(town.group_a, &format!("not for b {n}")));
    }
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let views = startalk_domain::Views { store: town.a.store.clone(), journal: town.a.journal.clone() };
    let left = timeline::head(&town.b.store, town.group_b).sequence;
    assert_eq!(groups::range(&views, at_home, &town.id, left + 1).unwrap_err().code, Code::NoSuchConversation);
    assert!(groups::range(&views, at_home, &town.id, left).unwrap().entries.is_empty());
    town.a.ok(town.alice.act(town.group_a, GroupAct::Add(user("bob@b.example"))));
    deliver(&town.a, &mut town.b);
    town.b.ok(town.bob.accept(&town.id));
    town.exchange();
    town.a.ok(town.alice.say(town.group_a, "back again"));
    town.exchange();
    assert_eq!(said(&town.b, bob, town.group_b), ["back again"]);
    assert_eq!(standing(&town.b, bob, town.group_b), "member");
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
    assert!(groups::overview(&town.b.store, carol.actor.account, town.group_b).is_err());
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
        assert!(groups::overview(&town.b.store, carol, town.group_b).is_err(), "{action:?}");
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

#[test]
fn who_is_deleted_leaves_and_hands_over() {
    let mut node = Node::new("a.example");
    let (mut alice, bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    node.ok(Command::DeleteAccount { account: alice.actor.account });
    let member = groups::member_of(&node.store, group, bob.actor.account).unwrap();
    assert_eq!((member.role, groups::group(&node.store, group).unwrap().members), (Role::Owner, 1));
    let gone = groups::member_of(&node.store, group, alice.actor.account).unwrap();
    assert_eq!(gone.standing, Standing::Left);
}

#[test]
fn a_home_that_went_back_and_its_followers_go_on_and_what_it_lost_stays_readable() {
    for knows in [true, false] {
        let mut town = Town::new();
        town.b.ok(town.bob.say(town.group_b, "kept"));
        town.exchange();
        let copy = startalk_journal::ReadJournal::head(&*town.a.journal).position;
        town.a.ok(town.alice.say(town.group_a, "lost at home"));
        town.b.ok(town.bob.say(town.group_b, "lost at home too"));
        town.exchange();
        let bob = town.bob.actor.account;
        let everything = ["kept", "lost at home", "lost at home too"];
        assert_eq!(said(&town.b, bob, town.group_b), everything);

        town.a = town.a.restored_to(copy);
        if knows {
            town.a.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
        } else {
            let peer = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
            let after = timeline::head(&town.b.store, town.group_b).sequence;
            town.a.ok(Command::GroupBehind { peer, group: town.id.clone(), after });
            town.a.ok(Command::GroupBehind { peer, group: town.id.clone(), after });
        }
        town.alice.counter += 10;
        town.a.ok(town.alice.say(town.group_a, "after"));
        follow(&town.a, &mut town.b, &town.id);
        let renewed = groups::by_id(&town.b.store, &town.id.parse().unwrap()).unwrap();
        assert_ne!(renewed, town.group_b);
        follow(&town.a, &mut town.b, &town.id);
        assert_eq!(said(&town.b, bob, town.group_b), everything, "nothing that bob had is gone");
        assert_eq!(standing(&town.b, bob, town.group_b), "renewed");
        assert_eq!(said(&town.b, bob, renewed), ["kept", "after"]);
        assert_eq!(town.b.refused(town.bob.say(town.group_b, "hm")), "not-allowed-here");
        town.b.ok(town.bob.say(renewed, "hello again"));
        let items = startalk_domain::outbox::outbox(&town.b.store, 1);
        assert!(items.head() > 0);
        let events = town.a.events();
        assert_eq!(events.iter().filter(|e| **e == "GroupEquivocated").count(), 0);

        // Who is deleted leaves where the group goes on, once; of what was lost nobody would ever hear.
        let waits = |node: &Node, group| groups::waiting(&node.store, group).len();
        let before = waits(&town.b, renewed);
        town.b.ok(Command::DeleteAccount { account: bob });
        assert_eq!((waits(&town.b, town.group_b), waits(&town.b, renewed)), (0, before + 1));
    }
}

/// One step of what was begun, as the write loop gives it to itself; whether there was one.
fn go_on(node: &mut Node) -> bool {
    let command = unfinished(&*node.store);
    command.map(|command| node.ok(command)).is_some()
}

#[test]
fn an_account_that_is_deleted_leaves_all_its_groups_however_many_and_over_a_kill() {
    let mut node = Node::new("a.example");
    let (mut alice, bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let all: Vec<u64> = (0..600).map(|_| alice.create(&mut node, &["bob@a.example"])).collect();
    let alice = alice.actor.account;
    let stays = |node: &Node| all.iter().filter(|g| groups::is_member(&node.store, **g, alice)).count();
    node.ok(Command::DeleteAccount { account: alice });
    assert!((1..600).contains(&stays(&node)), "more than one command can leave");
    let refused = node.refused(Command::OpenDirect { actor: Actor { account: alice, device: 1 }, user: user("bob@a.example") });
    assert_eq!(refused, "token-revoked", "it can do nothing more");
    assert!(go_on(&mut node));
    // Killed in the middle: what is left to do stands in the journal.
    let left = stays(&node);
    let mut node = node.restored_to(u64::MAX);
    assert_eq!(stays(&node), left);
    let mut steps = 0;
    while go_on(&mut node) {
        steps += 1;
        assert!(steps < 20, "it comes to an end");
    }
    assert_eq!(stays(&node), 0);
    for group in &all {
        let group = groups::group(&node.store, *group).unwrap();
        let owner = groups::member(&node.store, group.conversation, group.owner).unwrap();
        assert_eq!(owner.person, bob.actor.account, "handed over");
    }
    assert!(startalk_domain::accounts::account(&node.store, alice).unwrap().deleted);
    assert!(directory::person(&node.store, alice).is_none_or(|p| p.name.is_empty()));
}

#[test]
fn who_is_deleted_leaves_groups_elsewhere_too_and_is_named_until_their_homes_know() {
    let mut town = Town::new();
    let bob = town.bob.actor.account;
    town.b.ok(town.bob.say(town.group_b, "my last words"));
    town.b.ok(Command::DeleteAccount { account: bob });
    assert_eq!(deliver(&town.b, &mut town.a), []);
    let at_home = groups::members_from(&town.a.store, town.group_a, 0, usize::MAX, groups::Member::is_in).0;
    assert_eq!(at_home.len(), 1, "{at_home:?}");
    assert_eq!(said(&town.a, town.alice.actor.account, town.group_a), ["before bob", "my last words"]);
    follow(&town.a, &mut town.b, &town.id);
    // Then the name goes here, too.
    let named = |node: &Node| {
        let journal = node.journal.0.lock().unwrap();
        let named = |r: &Recorded| matches!(&r.event, Event::AccountDeleted(_, Some(body)) if body.value.name == "bob");
        journal.iter().filter(|r| named(&Recorded::read(r).unwrap())).count()
    };
    assert_eq!(named(&town.b), 1);
    let peer = directory::peer_number(&town.b.store, &"a.example".parse().unwrap()).unwrap();
    let outbox = startalk_domain::outbox::outbox(&town.b.store, peer);
    town.b.ok(Command::PeerRecorded { peer, epoch: outbox.epoch, sequence: outbox.head() });
    assert_eq!(named(&town.b), 0);
}
