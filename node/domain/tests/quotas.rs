//! What one account may say in a day and own, and how many accounts there may be: by every way in, and in what words.

mod harness;

use harness::town::Person;
use harness::{Node, deliver, send, text, user};
use startalk_domain::{
    Actor, Answer, Command,
    accounts::{self, Arrival, Role, Source},
    command::Admission,
    domain::LAYOUT,
    governance::NewPolicy,
    groups::{self, GroupAct},
    quotas, replay,
    store::Store,
};
use startalk_journal::ReadJournal as _;

const DAY: u64 = 24 * 3_600_000;

fn policy(node: &mut Node, new: NewPolicy) {
    node.ok(Command::SetPolicy(new));
}

fn create(name: &str, admission: Admission) -> Command {
    Command::CreateAccount {
        name: name.parse().unwrap(),
        display_name: String::new(),
        password_hash: "$argon2id$".into(),
        recovery_hashes: vec![],
        admission,
        device: None,
    }
}

#[test]
fn no_more_accounts_than_there_may_be_whichever_way_they_come() {
    let mut node = Node::new("a.example");
    let first = node.person("first");
    node.person("second");
    policy(&mut node, NewPolicy { registration: Some("open".parse().unwrap()), accounts_max: Some(3), ..NewPolicy::default() });
    let invitation = Command::MakeInvitation {
        maker: 0,
        token_hash: [1; 32],
        uses: 5,
        valid_ms: 1_000_000,
        administrator: false,
        groups: vec![],
    };
    node.ok(invitation);
    node.ok(create("third", Admission::Open));
    let arrival = || Arrival {
        maker: 0,
        source: Source::file(),
        external_id: "4".into(),
        name: "fourth".parse().unwrap(),
        display_name: None,
        role: None,
        disabled: None,
        groups: vec![],
    };
    for command in [
        create("fourth", Admission::Open),
        create("fourth", Admission::Invitation([1; 32])),
        create("fourth", Admission::Operator { administrator: false }),
        create("fourth", Admission::Provider),
        Command::Arrive(Box::new(arrival())),
    ] {
        assert_eq!(node.refused(command), "accounts-full");
    }
    node.ok(Command::SetRole { account: node_account(&node, "second"), role: Role::Administrator });
    node.ok(Command::DeleteAccount { account: first.account });
    node.ok(create("fourth", Admission::Invitation([1; 32])));
    assert_eq!(node.refused(create("fifth", Admission::Open)), "accounts-full");
}

fn node_account(node: &Node, name: &str) -> u64 {
    accounts::by_name(&*node.store, &name.parse().unwrap()).unwrap().account
}

#[test]
fn a_day_has_so_many_messages_in_all_conversations_and_the_next_one_as_many() {
    let (mut node, b) = (Node::new("a.example"), Node::new("b.example"));
    let (mut alice, bob) = (Person::at(&mut node, "alice"), node.person("bob"));
    node.meet(&b);
    let group = alice.create(&mut node, &["bob@a.example"]);
    policy(&mut node, NewPolicy { messages_per_day: Some(3), ..NewPolicy::default() });
    node.ok(alice.say(group, "one"));
    for to in ["bob@a.example", "carol@b.example"] {
        alice.counter += 1;
        node.ok(send(alice.actor, to, alice.counter, "two"));
    }
    assert_eq!(node.refused(alice.say(group, "four")), "daily-limit");
    let error = node.run(send(alice.actor, "bob@a.example", 90, "four")).unwrap_err();
    let until: u64 = error.params["until_ms"].parse().unwrap();
    assert!(until > node.now_ms && until - node.now_ms <= DAY && until.is_multiple_of(DAY));
    assert!(!error.words(startalk_protocol::error::Language::English).contains('{'), "{error:?}");
    assert!(!error.words(startalk_protocol::error::Language::Chinese).contains('{'), "{error:?}");
    // What was said already is answered as before, and others are not kept from anything.
    node.ok(send(alice.actor, "carol@b.example", alice.counter - 1, "two"));
    node.ok(send(bob, "alice@a.example", 1, "hello"));
    let said = quotas::today(&*node.store, alice.actor.account, node.now_ms);
    assert_eq!(said.messages, 3);
    // Changing, reacting and taking back are no messages.
    let Answer::Sent { sequence, .. } = node.ok(send(bob, "alice@a.example", 2, "more")) else { panic!() };
    assert!(sequence > 0);
    node.ok(alice.act(group, GroupAct::React { sequence: 4, emoji: "👍".into(), remove: false }));
    node.now_ms = until - 1;
    assert_eq!(node.refused(send(alice.actor, "bob@a.example", 91, "four")), "daily-limit");
    node.now_ms = until;
    node.ok(send(alice.actor, "bob@a.example", 92, "four"));
    assert_eq!(quotas::today(&*node.store, alice.actor.account, node.now_ms).messages, 1);
    // Who administers is free.
    node.ok(Command::SetRole { account: bob.account, role: Role::Administrator });
    (3..20).for_each(|n| drop(node.ok(send(bob, "alice@a.example", n, "notice"))));
    the_same_when_rebuilt(&node);
}

#[test]
fn bytes_count_with_edits_and_in_groups_elsewhere() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (mut alice, mut bob) = (Person::at(&mut a, "alice"), Person::at(&mut b, "bob"));
    a.meet(&b);
    b.meet(&a);
    let group = alice.create(&mut a, &["bob@b.example"]);
    let id = harness::town::id_of(&a, group);
    deliver(&a, &mut b);
    b.ok(bob.accept(&id));
    deliver(&b, &mut a);
    harness::follow(&a, &mut b, &id);
    let at_b = groups::by_id(&b.store, &id.parse().unwrap()).unwrap();
    let long = "x".repeat(400);
    policy(&mut b, NewPolicy { bytes_per_day: Some(1500), ..NewPolicy::default() });
    policy(&mut a, NewPolicy { bytes_per_day: Some(1500), ..NewPolicy::default() });
    b.ok(bob.say(at_b, &long));
    b.ok(bob.say(at_b, &long));
    b.ok(bob.say(at_b, &long));
    assert_eq!(b.refused(bob.say(at_b, &long)), "daily-limit");
    let said = quotas::today(&*b.store, bob.actor.account, b.now_ms);
    assert!(said.messages == 3 && said.bytes > 1200, "{said:?}");
    // The home counts its own people, not those of others.
    deliver(&b, &mut a);
    assert_eq!(quotas::today(&*a.store, alice.actor.account, a.now_ms), quotas::today(&*a.store, 999, a.now_ms));
    let Answer::Sent { sequence, .. } = a.ok(alice.say(group, "short")) else { panic!() };
    let edit = |actor: Actor, counter, words: &str| Command::Edit {
        actor,
        conversation: group,
        sequence,
        counter,
        content: text(words),
    };
    a.ok(edit(alice.actor, 60, &long));
    a.ok(edit(alice.actor, 61, &long));
    assert_eq!(quotas::today(&*a.store, alice.actor.account, a.now_ms).messages, 1);
    a.ok(edit(alice.actor, 62, &long));
    assert_eq!(a.refused(edit(alice.actor, 63, &long)), "daily-limit");
    alice.counter = 63;
    assert_eq!(a.refused(alice.say(group, &long)), "daily-limit");
    the_same_when_rebuilt(&a);
    the_same_when_rebuilt(&b);
}

#[test]
fn an_account_owns_so_many_groups_and_is_given_no_more() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    policy(&mut node, NewPolicy { groups_per_account: Some(2), ..NewPolicy::default() });
    let first = alice.create(&mut node, &["bob@a.example"]);
    alice.create(&mut node, &[]);
    let another = |who: &mut Person| {
        who.counter += 1;
        Command::CreateGroup { actor: who.actor, counter: who.counter, name: "more".into(), members: vec![] }
    };
    assert_eq!(node.refused(another(&mut alice)), "too-many-groups");
    bob.create(&mut node, &[]);
    node.ok(alice.act(first, GroupAct::SetRole { user: user("bob@a.example"), role: groups::Role::Owner }));
    node.ok(another(&mut alice));
    assert_eq!(node.refused(another(&mut bob)), "too-many-groups");
    let mut carol = Person::at(&mut node, "carol");
    node.ok(another(&mut carol));
}

fn the_same_when_rebuilt(node: &Node) {
    let head = node.journal.head().position;
    let digest = |store: &Store| {
        store.flush(head, [0; 8], LAYOUT).unwrap();
        store.meta().digest
    };
    let rebuilt = Store::temporary().unwrap();
    replay(&rebuilt, &*node.journal, |_, _| {}).unwrap();
    assert_eq!(digest(&rebuilt), digest(&node.store));
}
