//! Groups in one domain: rights, stretches of membership, links, what is shown now.

mod harness;

use harness::town::{Person, go_on, id_of, lines, said, standing};
use harness::{Node, text, user};
use startalk_domain::{
    Actor, Answer, Command,
    command::Target,
    conversations::{self, Message},
    directory,
    domain::COMMAND_RECORDS_MAX,
    groups::{self, Banned, GroupAct, GroupLink, Joining, Rights, Role, Standing, Text, Who},
    sync, timeline,
};
use startalk_protocol::{Code, limits};

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
