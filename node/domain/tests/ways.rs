//! Other ways into an account: whose account somebody enters whom a provider named, and what a passkey opens.

mod harness;

use harness::Node;
use startalk_domain::{
    Answer, Command, Recorded, accounts,
    accounts::{Arrival, Role},
    command::NewDevice,
    ways::{self, Identity, NewPasskey, Newcomer, PasskeyUse},
};
use startalk_journal::{Body, ReadJournal as _};

fn identity(subject: &str) -> Identity {
    Identity {
        provider: "company".into(),
        issuer: "https://login.example".into(),
        subject: subject.into(),
        label: format!("{subject}@company.example"),
    }
}

fn device(n: u8) -> NewDevice {
    NewDevice { name: "browser".into(), token_hash: [n; 32] }
}

fn enter(subject: &str, newcomer: Option<&str>, n: u8) -> Command {
    let newcomer = newcomer.map(|name| Newcomer { name: name.parse().unwrap(), display_name: "Ann\u{202e}  Li ".into() });
    Command::EnterByIdentity { identity: identity(subject), newcomer, device: device(n) }
}

fn passkey(id: u8) -> NewPasskey {
    NewPasskey { credential_id: vec![id; 16], credential: b"{}".to_vec(), name: " phone ".into() }
}

fn used(account: u64, passkey: u64, counter_before: u32, counter: u32, n: u8) -> Command {
    Command::EnterByPasskey { used: PasskeyUse { account, passkey, counter_before, counter }, device: device(n) }
}

/// Whether the bodies of the records of a kind are there still.
fn bodies(node: &Node, name: &str) -> Vec<bool> {
    let all = (1..=node.journal.head().position).map(|p| node.journal.read(p).unwrap());
    let of_kind = all.filter(|r| Recorded::read(r).unwrap().event.name() == name);
    of_kind.map(|r| matches!(r.body, Body::Present(_))).collect()
}

#[test]
fn who_is_named_for_the_first_time_is_registered_and_comes_into_the_same_account_again() {
    let mut node = Node::new("a.example");
    assert_eq!(node.refused(enter("1", None, 1)), "identity-unknown");
    let Answer::Account { account, device: Some(first), administrator: false } = node.ok(enter("1", Some("ann"), 1)) else {
        panic!("an account")
    };
    let Answer::Account { account: again, device: Some(second), .. } = node.ok(enter("1", Some("other"), 2)) else { panic!() };
    assert_eq!((again, second > first), (account, true));
    let there = accounts::account(&*node.store, account).unwrap();
    assert!(there.password.hashes.is_empty() && there.recovery.hashes.is_empty());
    assert_eq!(accounts::by_token_hash(&*node.store, &[2; 32]).map(|a| a.account), Some(account));
    let person = startalk_domain::directory::person(&*node.store, account).unwrap();
    assert_eq!((person.name.as_str(), person.profile.display_name.as_str()), ("ann", "Ann  Li"));
    // Another subject, and the same subject of another issuer, are somebody else.
    assert_eq!(node.refused(enter("2", None, 3)), "identity-unknown");
    let elsewhere = Identity { issuer: "https://other.example".into(), ..identity("1") };
    assert_eq!(
        node.refused(Command::EnterByIdentity { identity: elsewhere, newcomer: None, device: device(3) }),
        "identity-unknown"
    );
}

#[test]
fn a_name_that_somebody_has_is_no_proof_of_being_them() {
    let mut node = Node::new("a.example");
    let bob = node.person("bob");
    assert_eq!(node.refused(enter("1", Some("bob"), 1)), "identity-name-taken");
    assert_eq!(node.refused(enter("1", Some("admin"), 1)), "identity-name-taken");
    node.ok(Command::LinkIdentity { account: bob.account, identity: identity("1") });
    let Answer::Account { account, .. } = node.ok(enter("1", Some("bob"), 1)) else { panic!() };
    assert_eq!(account, bob.account);
    // One identity opens one account.
    let carol = node.person("carol");
    assert_eq!(node.refused(Command::LinkIdentity { account: carol.account, identity: identity("1") }), "identity-taken");
    let before = node.events().len();
    node.ok(Command::LinkIdentity { account: bob.account, identity: identity("1") });
    assert_eq!(node.events().len(), before, "linked already");
}

#[test]
fn a_device_that_has_just_come_shows_whose_it_is_and_an_older_one_does_not() {
    let mut node = Node::new("a.example");
    let Answer::Account { account, device: Some(first), .. } = node.ok(enter("1", Some("ann"), 1)) else { panic!() };
    let came_ms = accounts::account(&*node.store, account).unwrap().devices[0].added_ms;
    let at = |node: &Node, device: u64, now_ms: u64| {
        accounts::has_just_come(&accounts::account(&*node.store, account).unwrap(), device, now_ms)
    };
    assert!(at(&node, first, came_ms) && at(&node, first, came_ms + 600_000));
    assert!(!at(&node, first, came_ms + 600_001), "ten minutes");
    assert!(!at(&node, first + 1, came_ms), "not its device");
    node.now_ms = came_ms + 3_600_000;
    let Answer::Account { device: Some(second), .. } = node.ok(enter("1", None, 2)) else { panic!() };
    assert!(at(&node, second, node.now_ms) && !at(&node, first, node.now_ms), "it signed in again");
}

#[test]
fn who_is_disabled_or_gone_comes_in_by_no_way() {
    let mut node = Node::new("a.example");
    let root = node.person("root-of-it");
    node.ok(Command::SetRole { account: root.account, role: Role::Administrator });
    let Answer::Account { account, .. } = node.ok(enter("1", Some("ann"), 1)) else { panic!() };
    node.ok(Command::AddPasskey { account, passkey: passkey(7) });
    node.ok(Command::SetDisabled { account, disabled: true });
    assert_eq!(node.refused(enter("1", Some("ann"), 2)), "account-disabled");
    assert_eq!(node.refused(used(account, 2, 0, 1, 2)), "account-disabled");
    node.ok(Command::SetDisabled { account, disabled: false });
    node.ok(enter("1", None, 2));
    node.ok(Command::DeleteAccount { account });
    assert_eq!((bodies(&node, "IdentityLinked"), bodies(&node, "PasskeyAdded")), (vec![false], vec![false]));
    assert_eq!(ways::by_identity(&*node.store, "https://login.example", "1"), None);
    assert!(ways::by_credential(&*node.store, &[7; 16]).is_none());
    assert_eq!(node.refused(enter("1", None, 3)), "identity-unknown");
    assert_eq!(node.refused(used(account, 2, 0, 1, 3)), "not-signed-in");
}

#[test]
fn the_last_way_in_stays_and_what_goes_is_erased() {
    let mut node = Node::new("a.example");
    let Answer::Account { account, .. } = node.ok(enter("1", Some("ann"), 1)) else { panic!() };
    assert_eq!(node.refused(Command::UnlinkIdentity { account, link: 1 }), "last-way-in");
    assert_eq!(node.refused(Command::UnlinkIdentity { account, link: 9 }), "no-such-thing");
    node.ok(Command::AddPasskey { account, passkey: passkey(7) });
    node.ok(Command::UnlinkIdentity { account, link: 1 });
    assert_eq!(bodies(&node, "IdentityLinked"), [false]);
    assert_eq!(node.refused(Command::RemovePasskey { account, passkey: 2 }), "last-way-in");
    // Nobody can use the version of a password that there is not.
    let none = Command::AddDevice { account, password_version: 0, device: device(5) };
    assert_eq!(node.refused(none), "wrong-credentials");
    let by = startalk_domain::command::PasswordBy::Old { version: 0 };
    assert_eq!(node.refused(Command::SetPassword { account, password_hash: "$x$".into(), by }), "no-password");
    // With a password all others may go.
    let by = startalk_domain::command::PasswordBy::Operator;
    node.ok(Command::SetPassword { account, password_hash: "$x$".into(), by });
    node.ok(Command::RemovePasskey { account, passkey: 2 });
    assert_eq!(bodies(&node, "PasskeyAdded"), [false]);
    assert_eq!(ways::ways(&*node.store, account).count(), 0);
}

#[test]
fn a_passkey_opens_one_account_and_counts_upwards() {
    let mut node = Node::new("a.example");
    let (ann, bob) = (node.person("ann"), node.person("bob"));
    node.ok(Command::AddPasskey { account: ann.account, passkey: passkey(7) });
    assert_eq!(node.refused(Command::AddPasskey { account: bob.account, passkey: passkey(7) }), "passkey-refused");
    let (account, added) = ways::by_credential(&*node.store, &[7; 16]).unwrap();
    assert_eq!((account, added.passkey, added.name.as_str()), (ann.account, 1, "phone"));
    // One that never counts is good; one that counts only upwards, and once for each count.
    node.ok(used(account, 1, 0, 0, 1));
    node.ok(used(account, 1, 0, 5, 2));
    assert_eq!(node.refused(used(account, 1, 0, 6, 3)), "passkey-refused");
    assert_eq!(node.refused(used(account, 1, 5, 5, 3)), "passkey-refused");
    assert_eq!(node.refused(used(account, 1, 5, 0, 3)), "passkey-refused");
    assert_eq!(node.refused(used(bob.account, 1, 0, 1, 3)), "passkey-refused");
    node.ok(Command::SuspectPasskey { account, passkey: 1 });
    let before = node.events().len();
    node.ok(Command::SuspectPasskey { account, passkey: 1 });
    assert_eq!(node.events().len(), before, "said once");
    let (_, now) = ways::by_credential(&*node.store, &[7; 16]).unwrap();
    assert_eq!((now.counter, now.suspect, now.used_ms > 0), (5, true, true));
    node.ok(Command::RemovePasskey { account, passkey: 1 });
    assert_eq!(node.refused(used(account, 1, 5, 6, 3)), "passkey-refused");
}

/// Somebody whom the directory `company` named, by its id there.
fn of_directory(subject: &str, newcomer: Option<&str>, n: u8) -> Command {
    let identity = Identity { issuer: "ldap:company".into(), ..identity(subject) };
    let newcomer = newcomer.map(|name| Newcomer { name: name.parse().unwrap(), display_name: "Ann Li".into() });
    Command::EnterByIdentity { identity, newcomer, device: device(n) }
}

fn arrival(source: &str, id: &str, name: &str) -> Command {
    Command::Arrive(Box::new(Arrival {
        maker: 0,
        source: source.parse().unwrap(),
        external_id: id.into(),
        name: name.parse().unwrap(),
        display_name: None,
        role: None,
        disabled: None,
        groups: Vec::new(),
    }))
}

#[test]
fn who_came_from_a_directory_is_entered_by_their_id_there() {
    let mut node = Node::new("a.example");
    let Answer::Account { account, .. } = node.ok(arrival("ldap:company", "u-1", "ann")) else { panic!() };
    let Answer::Account { account: entered, .. } = node.ok(of_directory("u-1", Some("other"), 1)) else { panic!() };
    assert_eq!((entered, ways::ways(&*node.store, account).identities.len()), (account, 1));
    node.ok(of_directory("u-1", None, 2));
    assert_eq!(ways::ways(&*node.store, account).identities.len(), 1, "linked once");
    // It is the directory's account: that way in stays, whatever others there are.
    node.ok(Command::AddPasskey { account, passkey: passkey(7) });
    assert_eq!(node.refused(Command::UnlinkIdentity { account, link: 1 }), "forbidden");
    // The same id of another directory, of a file and of a provider is somebody else.
    node.ok(arrival("ldap:school", "u-2", "bob"));
    node.ok(arrival("file", "u-3", "carol"));
    for subject in ["u-2", "u-3"] {
        assert_eq!(node.refused(of_directory(subject, None, 3)), "directory-unknown");
    }
    assert_eq!(node.refused(enter("u-1", None, 3)), "identity-unknown");
    node.ok(Command::SetDisabled { account, disabled: true });
    assert_eq!(node.refused(of_directory("u-1", Some("ann"), 4)), "account-disabled");
}

#[test]
fn who_a_directory_names_first_is_one_of_its_people_and_takes_nobodys_name() {
    let mut node = Node::new("a.example");
    let bob = node.person("bob");
    assert_eq!(node.refused(of_directory("u-2", Some("bob"), 1)), "directory-name-taken");
    assert_eq!(node.refused(of_directory("u-3", Some("admin"), 1)), "directory-name-taken");
    let Answer::Account { account, .. } = node.ok(of_directory("u-1", Some("ann"), 2)) else { panic!() };
    let external = accounts::account(&*node.store, account).unwrap().external.clone().unwrap();
    assert_eq!((external.source.as_str(), external.id.as_str()), ("ldap:company", "u-1"));
    // The next import knows them, and nobody else there gets their name.
    let Answer::Account { account: known, .. } = node.ok(arrival("ldap:company", "u-1", "ann")) else { panic!() };
    assert_eq!(known, account);
    assert_eq!(node.refused(of_directory("u-4", Some("ann"), 3)), "directory-name-taken");
    // An administrator's import makes an account the directory's, but none that administers.
    node.ok(arrival("ldap:company", "u-2", "bob"));
    let Answer::Account { account: entered, .. } = node.ok(of_directory("u-2", Some("bob"), 4)) else { panic!() };
    assert_eq!(entered, bob.account);
    let root = node.person("root-of-it");
    node.ok(Command::SetRole { account: root.account, role: Role::Administrator });
    assert_eq!(node.refused(arrival("ldap:company", "u-5", "root-of-it")), "name-taken");
    node.ok(arrival("file", "u-5", "root-of-it"));
}
