//! Accounts that come from elsewhere: found by the id that they have there, brought up to date, let in by a link for once.
//! And invitations that bring whoever comes into groups.

mod harness;

use harness::town::Person;
use harness::{Node, user};
use startalk_domain::{
    Actor, Answer, Command,
    accounts::{self, Arrival, Role, Source},
    administration::{self, By, Scopes},
    command::{Admission, NewDevice, PasswordBy},
    directory,
    groups::{self, GroupAct, Joining, Rights, Who},
};
use startalk_protocol::{Code, limits};

const DAY_MS: i64 = 86_400_000;

fn arrival(id: &str, name: &str) -> Arrival {
    Arrival {
        maker: 0,
        source: Source::file(),
        external_id: id.into(),
        name: name.parse().unwrap(),
        display_name: Some(format!("{name} 的名字")),
        role: None,
        disabled: None,
        groups: vec![],
    }
}

fn arrive(new: Arrival) -> Command {
    Command::Arrive(Box::new(new))
}

fn account(node: &Node, id: &str) -> accounts::Account {
    (*accounts::by_external_id(&*node.store, &Source::file(), id).unwrap()).clone()
}

fn as_root(root: Actor, command: Command) -> Command {
    Command::Administer { by: By::Account(root), command: Box::new(command) }
}

fn domain() -> (Node, Actor) {
    let mut node = Node::new("a.example");
    let root = node.person("root1");
    node.ok(Command::SetRole { account: root.account, role: Role::Administrator });
    (node, root)
}

#[test]
fn an_arrival_is_found_again_by_its_id_and_what_did_not_change_writes_nothing() {
    let (mut node, root) = domain();
    let Answer::Account { account: number, .. } = node.ok(as_root(root, arrive(arrival("007", "zhang.san")))) else { panic!() };
    let made = account(&node, "007");
    assert_eq!((made.account, made.is_awaited(), made.password.hashes.len()), (number, true, 0));
    let act = administration::acted(&*node.store, &*node.journal, 0, 1).unwrap().remove(0).facts;
    assert_eq!((act.act.as_str(), act.account, act.changes.len()), ("account-added", number, 2), "{act:?}");
    let before = node.events().len();
    node.ok(as_root(root, arrive(arrival("007", "zhang.san"))));
    assert_eq!(node.events().len(), before, "the same again changes nothing, and is no act");
    let changed = Arrival {
        display_name: Some("张三".into()),
        role: Some(Role::Auditor),
        disabled: Some(true),
        ..arrival("007", "zhang.san")
    };
    node.ok(as_root(root, arrive(changed)));
    let now = account(&node, "007");
    assert_eq!((now.account, now.role, now.disabled, now.absent), (number, Role::Auditor, true, false));
    assert_eq!(directory::person(&*node.store, number).unwrap().profile.display_name, "张三");
    // What is not said stays.
    node.ok(arrive(Arrival { display_name: None, ..arrival("007", "zhang.san") }));
    assert_eq!((account(&node, "007").role, account(&node, "007").disabled), (Role::Auditor, true));
}

#[test]
fn an_id_has_one_account_and_an_account_one_source() {
    let (mut node, root) = domain();
    node.ok(arrive(arrival("1", "ann")));
    assert_eq!(node.refused(arrive(arrival("1", "bob"))), "name-stays");
    assert_eq!(node.refused(arrive(arrival("2", "ann"))), "name-taken");
    let elsewhere = Arrival { source: "ldap:corp".parse().unwrap(), ..arrival("1", "ann") };
    assert_eq!(node.refused(arrive(elsewhere.clone())), "of-another-source");
    node.ok(arrive(Arrival { name: "cid".parse().unwrap(), ..elsewhere }));
    assert_eq!(node.refused(arrive(arrival("3", "postmaster"))), "name-taken");
    for id in ["", " 1", "a\nb", &"x".repeat(limits::EXTERNAL_ID_CHARS_MAX + 1)] {
        assert_eq!(node.refused(arrive(arrival(id, "dan"))), "bad-value", "{id:?}");
    }
    // Who was made by hand becomes theirs, and stays who they were.
    node.ok(arrive(arrival("root-id", "root1")));
    assert_eq!(account(&node, "root-id").account, root.account);
    assert_eq!(account(&node, "root-id").role, Role::Administrator);
    // Deleted, the id is free, and what it said is gone.
    let ann = account(&node, "1");
    node.ok(Command::DeleteAccount { account: ann.account });
    assert!(accounts::by_external_id(&*node.store, &Source::file(), "1").is_none());
    let position = ann.external.unwrap().position;
    assert!(node.journal.0.lock().unwrap()[usize::try_from(position).unwrap() - 1].body == startalk_journal::Body::Erased);
    node.ok(arrive(arrival("1", "ann2")));
}

#[test]
fn a_program_for_people_makes_and_changes_nobody_with_power() {
    let (mut node, root) = domain();
    let make = Command::MakeToken { maker: 0, name: "hr".into(), token_hash: [1; 32], scopes: Scopes::PEOPLE, valid_ms: DAY_MS };
    let Answer::Token { token, .. } = node.ok(as_root(root, make)) else { panic!() };
    let mut by_token = |command: Command| {
        let result = node.run(Command::Administer { by: By::Token(token), command: Box::new(command) });
        result.map_or_else(|e| e.code.as_str(), |_| "done")
    };
    assert_eq!(by_token(arrive(arrival("1", "ann"))), "done");
    assert_eq!(by_token(arrive(Arrival { role: Some(Role::Administrator), ..arrival("2", "bob") })), "forbidden");
    assert_eq!(by_token(arrive(Arrival { disabled: Some(true), ..arrival("9", "root1") })), "forbidden");
    assert_eq!(by_token(Command::MakeSignInLink { account: root.account, token_hash: [1; 32], valid_ms: DAY_MS }), "forbidden");
}

#[test]
fn who_is_absent_is_disabled_and_comes_back() {
    let (mut node, root) = domain();
    node.ok(arrive(arrival("1", "ann")));
    node.ok(arrive(arrival("9", "root1")));
    let ann = account(&node, "1").account;
    let other = Command::SetAbsent { account: ann, source: "ldap:corp".parse().unwrap() };
    assert_eq!(node.refused(other), "forbidden", "they are not of that source");
    assert_eq!(node.refused(Command::SetAbsent { account: root.account, source: Source::file() }), "forbidden");
    node.ok(Command::SetAbsent { account: ann, source: Source::file() });
    assert_eq!((account(&node, "1").disabled, account(&node, "1").absent), (true, true));
    node.ok(arrive(Arrival { disabled: Some(false), ..arrival("1", "ann") }));
    assert_eq!((account(&node, "1").disabled, account(&node, "1").absent), (false, false));
    node.ok(Command::SetDisabled { account: ann, disabled: true });
    assert!(!account(&node, "1").absent, "an administrator's word is not the file's");
}

#[test]
fn a_sign_in_link_opens_once_in_its_time_and_the_newest_alone() {
    let (mut node, _) = domain();
    node.ok(arrive(arrival("1", "ann")));
    let ann = account(&node, "1").account;
    let link = |hash: u8| Command::MakeSignInLink { account: ann, token_hash: [hash; 32], valid_ms: DAY_MS };
    let open = |hash: u8| {
        let device = NewDevice { name: "phone".into(), token_hash: [hash + 100; 32] };
        let by = PasswordBy::Link { hash: [hash; 32], device };
        Command::SetPassword { account: ann, password_hash: "own".into(), by }
    };
    assert_eq!(node.refused(open(0)), "wrong-credentials", "there is none");
    node.ok(link(1));
    let first = account(&node, "1").link.unwrap().position;
    node.ok(link(2));
    assert!(node.journal.0.lock().unwrap()[usize::try_from(first).unwrap() - 1].body == startalk_journal::Body::Erased);
    assert_eq!(node.refused(open(1)), "wrong-credentials");
    assert!(matches!(node.ok(open(2)), Answer::Device { .. }));
    assert!(!account(&node, "1").is_awaited());
    assert_eq!(node.refused(open(2)), "wrong-credentials", "used");
    node.ok(link(3));
    node.now_ms += u64::try_from(DAY_MS).unwrap();
    assert_eq!(node.refused(open(3)), "wrong-credentials", "too late");
    node.ok(link(4));
    node.ok(Command::SetPassword { account: ann, password_hash: "by hand".into(), by: PasswordBy::Operator });
    assert_eq!(node.refused(open(4)), "wrong-credentials", "another way in was given since");
    node.ok(Command::SetDisabled { account: ann, disabled: true });
    assert_eq!(node.refused(link(5)), "account-disabled");
}

fn register(name: &str, hash: u8) -> Command {
    Command::CreateAccount {
        name: name.parse().unwrap(),
        display_name: String::new(),
        password_hash: "h".into(),
        recovery_hashes: vec![],
        admission: Admission::Invitation([hash; 32]),
        device: None,
    }
}

fn invite(hash: u8, groups: Vec<u64>) -> Command {
    Command::MakeInvitation { maker: 0, token_hash: [hash; 32], uses: 5, valid_ms: DAY_MS, administrator: false, groups }
}

#[test]
fn who_comes_by_an_invitation_is_brought_into_its_groups_by_its_maker() {
    let (mut node, root) = domain();
    let mut ann = Person { actor: root, counter: 0 };
    let (family, other) = (ann.create(&mut node, &[]), ann.create(&mut node, &[]));
    node.ok(as_root(root, invite(1, vec![family, other])));
    let Answer::Account { account, .. } = node.ok(register("kid", 1)) else { panic!() };
    assert!(groups::is_member(&*node.store, family, account) && groups::is_member(&*node.store, other, account));
    // What has become impossible since keeps nobody out of the domain, nor out of the other group.
    let closed = Rights { joining: Joining::Closed, add: Who::Owner, ..Rights::default() };
    node.ok(ann.act(family, GroupAct::SetRole { user: user("kid@a.example"), role: groups::Role::Owner }));
    node.ok(ann.act(family, GroupAct::SetRights(closed)));
    let Answer::Account { account, .. } = node.ok(register("aunt", 1)) else { panic!() };
    assert!(!groups::is_member(&*node.store, family, account) && groups::is_member(&*node.store, other, account));
}

#[test]
fn only_who_may_add_people_makes_an_invitation_into_a_group() {
    let (mut node, root) = domain();
    let mut bob = Person::at(&mut node, "bob");
    let private = bob.create(&mut node, &[]);
    assert_eq!(node.refused(as_root(root, invite(1, vec![private]))), "group-not-yours", "not even an administrator");
    assert_eq!(node.refused(invite(1, vec![private])), "group-not-yours", "nor the operator, who is nobody there");
    assert_eq!(node.refused(invite(1, vec![999])), "group-not-yours");
    assert_eq!(node.refused(invite(1, vec![private; limits::GROUPS_TO_JOIN_MAX + 1])), "too-many");
    let of_bob = Command::MakeInvitation {
        maker: bob.actor.account,
        token_hash: [2; 32],
        uses: 1,
        valid_ms: DAY_MS,
        administrator: false,
        groups: vec![private],
    };
    node.ok(of_bob);
    let Answer::Account { account, .. } = node.ok(register("eve", 2)) else { panic!() };
    assert!(groups::is_member(&*node.store, private, account));
    // A list that names a group is refused for whoever may not fill it, and nothing of that line is done.
    let result = node.run(as_root(root, arrive(Arrival { groups: vec![private], ..arrival("1", "ann") })));
    assert_eq!(result.unwrap_err().code, Code::GroupNotYours);
    assert!(accounts::by_external_id(&*node.store, &Source::file(), "1").is_none());
}
