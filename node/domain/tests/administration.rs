//! Administration: who may do what, that every act is recorded, and that a domain keeps an administrator.

mod harness;

use harness::{Node, deliver, send, user};
use startalk_domain::{
    Actor, Answer, Command,
    accounts::{self, Role},
    administration::{self, Acted, Area, By, Scopes, Tended, may},
    command::{Admission, PasswordBy, PeerRule},
    directory,
    governance::{GroupCreation, NewPolicy, Openness, Registration},
};
use startalk_protocol::{Error, limits};

const DAY_MS: i64 = 86_400_000;

fn administer(by: By, command: Command) -> Command {
    Command::Administer { by, command: Box::new(command) }
}

fn role(account: u64, role: Role) -> Command {
    Command::SetRole { account, role }
}

fn token(node: &mut Node, by: By, scopes: Scopes, hash: u8) -> By {
    let make = Command::MakeToken { maker: 0, name: "a program".into(), token_hash: [hash; 32], scopes, valid_ms: DAY_MS };
    match node.ok(administer(by, make)) {
        Answer::Token { token, .. } => By::Token(token),
        other => panic!("{other:?}"),
    }
}

fn invite(hash: u8, administrator: bool) -> Command {
    Command::MakeInvitation { maker: 0, token_hash: [hash; 32], uses: 1, valid_ms: DAY_MS, administrator, groups: vec![] }
}

fn add(name: &str, administrator: bool) -> Command {
    Command::CreateAccount {
        name: name.parse().unwrap(),
        display_name: String::new(),
        password_hash: "h".into(),
        recovery_hashes: vec![],
        admission: Admission::Operator { administrator },
        device: None,
    }
}

fn arrive(name: &str, id: &str) -> Command {
    Command::Arrive(Box::new(accounts::Arrival {
        maker: 0,
        source: accounts::Source::file(),
        external_id: id.into(),
        name: name.parse().unwrap(),
        display_name: None,
        role: None,
        disabled: None,
        groups: vec![],
    }))
}

fn rule(rule: PeerRule) -> Command {
    Command::SetPeerRule { domain: "b.example".parse().unwrap(), rule, forget_key: false }
}

fn registration(registration: Registration) -> Command {
    Command::SetPolicy(NewPolicy { registration: Some(registration), ..NewPolicy::default() })
}

fn password(account: u64) -> Command {
    Command::SetPassword { account, password_hash: "new".into(), by: PasswordBy::Operator }
}

fn newest(node: &Node) -> Acted {
    administration::acted(&*node.store, &*node.journal, 0, 1).unwrap().remove(0)
}

/// A domain with an administrator and a member.
fn domain() -> (Node, Actor, Actor) {
    let mut node = Node::new("a.example");
    let (root, bob) = (node.person("root1"), node.person("bob"));
    node.ok(role(root.account, Role::Administrator));
    (node, root, bob)
}

/// One of every sort of act on this domain, in an order in which each changes something.
fn every_act(bob: Actor) -> Vec<Command> {
    vec![
        registration(Registration::Open),
        add("carol", false),
        password(bob.account),
        Command::SetDisabled { account: bob.account, disabled: true },
        Command::SetDisabled { account: bob.account, disabled: false },
        Command::MakeSignInLink { account: bob.account, token_hash: [4; 32], valid_ms: DAY_MS },
        arrive("zoe", "z"),
        arrive("bob", "b"),
        role(bob.account, Role::Auditor),
        invite(1, false),
        Command::RevokeInvitation { invitation: 1 },
        rule(PeerRule::Deny),
        Command::MakeToken { maker: 0, name: "t".into(), token_hash: [2; 32], scopes: Scopes::READ, valid_ms: DAY_MS },
        Command::RevokeToken { token: 1 },
        Command::Tend(Tended::KeysReplaced),
        Command::Tend(Tended::Compacted),
        Command::Tend(Tended::BackedUp { records: 9, bytes: 10, verified: true, place: "/b".into() }),
        Command::RevokeDevice { account: bob.account, device: bob.device },
        Command::DeleteAccount { account: bob.account },
    ]
}

#[test]
fn every_act_leaves_its_record_and_says_whose_it_was() {
    for by_root in [true, false] {
        let (mut node, root, bob) = domain();
        let by = if by_root { By::Account(root) } else { By::Operator };
        let mut names = Vec::new();
        for command in every_act(bob) {
            let before = administration::acts(&*node.store);
            // What only becomes an act by being wrapped is wrapped; the rest counts as the operator's by itself.
            let bare = !by_root && administration::is_administration(&command);
            node.ok(if bare { command.clone() } else { administer(by, command.clone()) });
            assert_eq!(administration::acts(&*node.store), before + 1, "{command:?}");
            assert_eq!(node.events().last(), Some(&"Administered"), "{command:?}");
            let facts = newest(&node).facts;
            let expected = if by_root { ("account", root.account, root.device) } else { ("operator", 0, 0) };
            assert_eq!((facts.by.as_str(), facts.number, facts.device), expected, "{command:?}");
            names.push(facts.act);
        }
        // Somebody who comes from a file is added as others are.
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len() + 1, every_act(bob).len(), "each has its own name: {names:?}");
    }
}

#[test]
fn the_record_says_to_whom_and_what_was_changed_and_nothing_of_what_stayed() {
    let (mut node, root, bob) = domain();
    node.ok(administer(By::Account(root), role(bob.account, Role::Auditor)));
    let facts = newest(&node).facts;
    let change = &facts.changes[0];
    assert_eq!((facts.account, change.before.as_str(), change.after.as_str()), (bob.account, "member", "auditor"));
    node.ok(registration(Registration::Open));
    let changes = newest(&node).facts.changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].field.as_str(), changes[0].before.as_str(), changes[0].after.as_str()),
        ("registration", "invitation", "open")
    );
    let before = node.events().len();
    node.ok(registration(Registration::Open));
    node.ok(administer(By::Account(root), role(bob.account, Role::Auditor)));
    assert_eq!(node.events().len(), before, "what changes nothing is not recorded");
    // Pages go back without gaps.
    let (mut numbers, mut from) = (Vec::new(), 0);
    loop {
        let page = administration::acted(&*node.store, &*node.journal, from, 2).unwrap();
        let Some(last) = page.last() else { break };
        from = last.number;
        numbers.extend(page.iter().map(|a| a.number));
    }
    let expected: Vec<u64> = (1..=administration::acts(&*node.store)).rev().collect();
    assert_eq!(numbers, expected);
}

#[test]
fn who_may_administer_is_asked_of_the_role_and_of_the_scopes() {
    let (mut node, root, bob) = domain();
    let auditor = node.person("audrey");
    node.ok(role(auditor.account, Role::Auditor));
    let by = By::Account(root);
    let everything = [Scopes::READ, Scopes::PEOPLE, Scopes::DOMAINS, Scopes::POLICIES, Scopes::ALL];
    let tokens: Vec<By> = everything.into_iter().zip(10..).map(|(s, hash)| token(&mut node, by, s, hash)).collect();
    // (who, area) → whether they may change it.
    let commands = [
        (Area::People, add("x", false)),
        (Area::Domains, rule(PeerRule::Deny)),
        (Area::Policies, registration(Registration::Closed)),
        (Area::Node, Command::Tend(Tended::Compacted)),
    ];
    let reads = |node: &Node, by, area| may(&*node.store, by, area, false, node.now_ms).is_ok();
    let table = [
        (By::Account(bob), [false; 4], [false; 4]),
        (By::Account(auditor), [true; 4], [false; 4]),
        (by, [true; 4], [true; 4]),
        (By::Operator, [true; 4], [true; 4]),
        (tokens[0], [true; 4], [false; 4]),
        (tokens[1], [true, false, false, false], [true, false, false, false]),
        (tokens[2], [false, true, false, false], [false, true, false, false]),
        (tokens[3], [false, false, true, false], [false, false, true, false]),
        (tokens[4], [true; 4], [true; 4]),
    ];
    for (number, (who, may_read, may_change)) in table.into_iter().enumerate() {
        for (index, (area, command)) in commands.iter().enumerate() {
            assert_eq!(reads(&node, who, *area), may_read[index], "{who:?} reads {area:?}");
            let mut command = command.clone();
            if let Command::CreateAccount { name, .. } = &mut command {
                *name = format!("x{number}").parse().unwrap();
            }
            let result: Result<Answer, Error> = node.run(administer(who, command));
            match may_change[index] {
                true => drop(result.unwrap()),
                false => assert_eq!(result.unwrap_err().code.as_str(), "forbidden", "{who:?} changes {area:?}"),
            }
        }
    }
    // Who only looks after people cannot make administrators, or become one.
    let people = tokens[1];
    for command in [
        add("y", true),
        invite(30, true),
        role(bob.account, Role::Administrator),
        password(root.account),
        password(auditor.account),
        Command::SetDisabled { account: auditor.account, disabled: true },
        Command::DeleteAccount { account: root.account },
        Command::RevokeDevice { account: root.account, device: root.device },
        Command::MakeToken { maker: 0, name: "t".into(), token_hash: [31; 32], scopes: Scopes::ALL, valid_ms: DAY_MS },
    ] {
        assert_eq!(node.refused(administer(people, command.clone())), "forbidden", "{command:?}");
    }
    node.ok(administer(people, password(bob.account)));
    node.ok(administer(people, invite(32, false)));
}

#[test]
fn an_act_is_of_the_list_and_not_in_another() {
    let (mut node, root, bob) = domain();
    let by = By::Account(root);
    assert_eq!(node.refused(administer(by, send(bob, "root1@a.example", 1, "as bob"))), "not-allowed-here");
    assert_eq!(node.refused(administer(by, Command::TellTime)), "not-allowed-here");
    assert_eq!(node.refused(administer(by, administer(By::Operator, registration(Registration::Open)))), "not-allowed-here");
}

#[test]
fn a_token_ends_by_time_by_hand_and_with_its_maker() {
    let (mut node, root, _) = domain();
    let second = node.person("second");
    node.ok(role(second.account, Role::Administrator));
    let act = |by| administer(by, registration(Registration::Closed));
    let mine = token(&mut node, By::Account(root), Scopes::ALL, 101);
    let theirs = token(&mut node, mine, Scopes::ALL, 102); // made by a token: with the rights of its maker
    node.ok(role(root.account, Role::Member));
    for dead in [mine, theirs] {
        assert_eq!(node.refused(act(dead)), "not-signed-in");
    }
    assert_eq!(administration::by_token_hash(&*node.store, &[101; 32], node.now_ms), None);
    node.ok(role(root.account, Role::Administrator));
    node.ok(act(mine));
    let By::Token(number) = mine else { panic!() };
    node.ok(Command::RevokeToken { token: number });
    assert_eq!(node.refused(act(mine)), "not-signed-in");
    assert_eq!(node.refused(Command::RevokeToken { token: number }), "no-such-thing");
    assert!(administration::by_token_hash(&*node.store, &[102; 32], node.now_ms).is_some());
    node.now_ms += u64::try_from(DAY_MS).unwrap();
    assert_eq!(node.refused(act(theirs)), "not-signed-in");
    assert_eq!(administration::by_token_hash(&*node.store, &[102; 32], node.now_ms), None);
    // Nothing of either is left once another is made.
    token(&mut node, By::Operator, Scopes::READ, 103);
    assert_eq!(administration::tokens(&*node.store).len(), 1);
    let kept = |hash: u8| {
        let all = node.journal.0.lock().unwrap();
        all.iter().any(|r| matches!(&r.body, startalk_journal::Body::Present(b) if b.windows(32).any(|w| w == [hash; 32])))
    };
    assert!(!kept(101) && !kept(102) && kept(103));
    let make =
        |name: &str, scopes, valid_ms| Command::MakeToken { maker: 0, name: name.into(), token_hash: [9; 32], scopes, valid_ms };
    for bad in [
        make("", Scopes::ALL, 1),
        make(&"x".repeat(65), Scopes::ALL, 1),
        make("a\u{202e}b", Scopes::ALL, 1),
        make("t", Scopes::default(), 1),
        make("t", Scopes::ALL, 0),
        make("t", Scopes::ALL, limits::ADMIN_TOKEN_VALID_MS_MAX + 1),
    ] {
        assert_eq!(node.refused(bad), "bad-value");
    }
    for hash in 10..9 + u8::try_from(limits::ADMIN_TOKENS_MAX).unwrap() {
        token(&mut node, By::Operator, Scopes::READ, hash);
    }
    assert_eq!(node.refused(make("one more", Scopes::ALL, 1)), "too-many");
}

#[test]
fn a_domain_keeps_an_administrator() {
    let (mut node, root, bob) = domain();
    for command in [
        Command::SetDisabled { account: root.account, disabled: true },
        Command::DeleteAccount { account: root.account },
        role(root.account, Role::Auditor),
        administer(By::Account(root), role(root.account, Role::Member)),
    ] {
        assert_eq!(node.refused(command), "last-administrator");
    }
    node.ok(role(bob.account, Role::Administrator));
    node.ok(Command::SetDisabled { account: root.account, disabled: true });
    assert_eq!(node.refused(Command::DeleteAccount { account: bob.account }), "last-administrator");
    node.ok(Command::SetDisabled { account: root.account, disabled: false });
    node.ok(Command::DeleteAccount { account: bob.account });
    assert!(accounts::has_administrator(&*node.store));
}

#[test]
fn a_revoked_invitation_is_as_one_that_was_used() {
    let (mut node, ..) = domain();
    let Answer::Invitation { invitation, .. } = node.ok(invite(7, true)) else { panic!() };
    node.ok(Command::RevokeInvitation { invitation });
    let mut join = add("late", false);
    if let Command::CreateAccount { admission, .. } = &mut join {
        *admission = Admission::Invitation([7; 32]);
    }
    assert_eq!(node.refused(join), "invitation-invalid");
    assert_eq!(node.refused(Command::RevokeInvitation { invitation }), "no-such-thing");
}

#[test]
fn policies_on_groups_and_on_other_domains_hold() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    let (root, bob, carol) = (a.person("root1"), a.person("bob"), b.person("carol"));
    a.ok(role(root.account, Role::Administrator));
    let policy = |new| Command::SetPolicy(new);
    let group = |actor, counter| Command::CreateGroup { actor, counter, name: "g".into(), members: vec![] };
    a.ok(policy(NewPolicy { group_creation: Some(GroupCreation::Administrators), ..NewPolicy::default() }));
    assert_eq!(a.refused(group(bob, 1)), "forbidden");
    a.ok(group(root, 1));
    a.ok(policy(NewPolicy { group_creation: Some(GroupCreation::Everybody), ..NewPolicy::default() }));
    a.ok(group(bob, 1));
    for n in [7, limits::PASSWORD_CHARS_MIN_MAX + 1] {
        assert_eq!(a.refused(policy(NewPolicy { password_chars_min: Some(n), ..NewPolicy::default() })), "bad-value");
    }

    a.ok(policy(NewPolicy { federation: Some(Openness::Allowed), ..NewPolicy::default() }));
    assert_eq!(a.refused(send(bob, "carol@b.example", 2, "hello")), "domain-denied");
    assert_eq!(directory::peer_number(&*a.store, &b.name), None, "who is not talked to is not met");
    // Blocking whom one cannot talk to is no talking.
    a.ok(Command::BlockUser { account: bob.account, user: user("x@c.example"), blocked: true });
    a.ok(rule(PeerRule::Allow));
    a.ok(send(bob, "carol@b.example", 2, "hello"));
    assert!(deliver(&a, &mut b).is_empty());
    b.ok(send(carol, "bob@a.example", 1, "hello"));
    a.ok(Command::SetPeerRule { domain: b.name.clone(), rule: PeerRule::Unset, forget_key: false });
    assert!(directory::is_denied(&*a.store, &b.name));
    assert_eq!(a.refused(send(bob, "carol@b.example", 3, "again")), "domain-denied");
}
