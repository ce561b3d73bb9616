//! Passwords that a directory knows: a node in front of a real OpenLDAP server, which is right, wrong, away, not who it
//! should be, or knows two people by one name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;
use startalk_client::{ClientError, Code};
use startalk_e2e::{
    Node, Person, World,
    person::PASSWORD,
    slapd::{self, Slapd, somebody, unit},
    until,
};
use startalk_identity::ldap::{Attributes, Directory, DirectoryConfig};

/// The directory's people: ann; bob, who has an account here already; and two by one name.
fn people() -> String {
    [
        unit("north"),
        unit("south"),
        somebody("ann", "Ann Li", "ann-at-the-directory", ""),
        somebody("bob", "Bob", "bob-at-the-directory", ""),
        somebody("twin", "North Twin", "twin-at-the-directory", "ou=north,"),
        somebody("twin", "South Twin", "twin-at-the-directory", "ou=south,"),
    ]
    .concat()
}

/// The code with which a person is not let in.
async fn refused(node: &Node, name: &str, password: &str) -> Option<Code> {
    match Person::sign_in(node.port, name, password).await {
        Err(ClientError::Refused(error)) => Some(error.code),
        Err(other) => panic!("{name}: {other}"),
        Ok(_) => None,
    }
}

fn users(node: &Node) -> anyhow::Result<Vec<Value>> {
    Ok(node.ask(&["user", "list"])?["users"].as_array().context("users")?.clone())
}

fn user(node: &Node, name: &str) -> anyhow::Result<Value> {
    let all = users(node)?;
    let is = |u: &&Value| u["user"].as_str().is_some_and(|u| u.starts_with(&format!("{name}@")));
    all.iter().find(is).cloned().with_context(|| format!("{name} in {all:?}"))
}

/// What `startalk doctor` finds of the directory.
fn finding(node: &Node) -> anyhow::Result<String> {
    let answer = node.ask(&["doctor"])?;
    let all = answer["findings"].as_array().context("findings")?;
    let found = all.iter().find(|f| f["check"] == "directory").with_context(|| format!("directory in {answer}"))?;
    Ok(found["state"].as_str().unwrap_or_default().to_owned())
}

/// A node that is not started, and its settings file.
fn node(world: &World, settings: &str) -> anyhow::Result<(Node, PathBuf)> {
    let file = world.folder.join("startalk.toml");
    std::fs::write(&file, settings)?;
    let mut node = world.unstarted("a", &["--config", file.to_str().context("a path")?]);
    node.environment.push(("STARTALK_LOG".into(), "trace".into())); // whatever is said anywhere is looked through
    Ok((node, file))
}

fn set(node: &mut Node, file: &Path, settings: &str) -> anyhow::Result<()> {
    node.stop()?;
    std::fs::write(file, settings)?;
    node.start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_of_the_directory_lets_in_whom_it_finds() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut directory = Slapd::new(world.folder.join("directory"), &people())?;
    directory.start()?;
    let (mut a, _) = node(&world, &directory.settings(&directory.url("ldap"), "register = true")?)?;
    a.start()?;
    Person::register(&a.first_link, "bob").await?;

    // The first time makes the account; the second, however the name is written, comes into the same.
    let ann = Person::sign_in(a.port, "ann", "ann-at-the-directory").await?;
    assert_eq!(ann.user.to_string(), format!("ann@{}", a.domain));
    let again = Person::sign_in(a.port, "ANN", "ann-at-the-directory").await?;
    assert_eq!(again.user, ann.user);
    let made = user(&a, "ann")?;
    assert_eq!((&made["display_name"], &made["devices"]), (&"Ann Li".into(), &2.into()));
    assert_eq!(users(&a)?.len(), 2);

    let right = "ann-at-the-directory";
    for (name, password) in [("ann", "wrong"), ("ann", ""), ("carol", right)] {
        assert_eq!(refused(&a, name, password).await, Some(Code::WrongCredentials), "{name}: {password}");
    }
    // Of two nobody knows who is meant.
    assert_eq!(refused(&a, "twin", "twin-at-the-directory").await, Some(Code::WrongCredentials));

    // Who has a password here uses it; the directory's bob is not taken for them, and is told so.
    assert_eq!(refused(&a, "bob", PASSWORD).await, None);
    assert_eq!(refused(&a, "bob", "bob-at-the-directory").await, Some(Code::DirectoryNameTaken));
    assert_eq!(refused(&a, "bob", "wrong").await, Some(Code::WrongCredentials));

    // Disabled here is disabled, whatever the directory says.
    a.ask(&["user", "disable", "ann"])?;
    assert_eq!(refused(&a, "ann", right).await, Some(Code::AccountDisabled));
    assert_eq!(refused(&a, "ann", "wrong").await, Some(Code::WrongCredentials));
    a.ask(&["user", "enable", "ann"])?;
    assert_eq!(refused(&a, "ann", right).await, None);
    assert_eq!(users(&a)?.len(), 2, "nobody else has come");

    a.stop()?;
    for secret in [right, "bob-at-the-directory", "twin-at-the-directory", slapd::READER_PASSWORD] {
        assert!(!a.said().contains(secret), "{secret} stands in the node's log");
    }
    world.done();
    Ok(())
}

/// What the node's room for directories makes of names that the node itself would not ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_means_nothing_but_a_name_and_no_password_is_none() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut slapd = Slapd::new(world.folder.join("directory"), &people())?;
    slapd.start()?;
    let tls = startalk_net::verify::client_config(&startalk_net::Verify::Web { extra_roots: Vec::new() }, &[], None)?;
    let text = str::to_owned;
    let directory = Directory::new(DirectoryConfig {
        id: text("company"),
        display_name: text("Company"),
        url: slapd.url("ldap"),
        start_tls: false,
        allow_plain: false,
        tls: Arc::new(tls),
        bind_dn: text(slapd::READER),
        bind_password: text(slapd::READER_PASSWORD),
        base: text(slapd::BASE),
        filter: text("(&(objectClass=person)(uid={name}))"),
        import_filter: None,
        attributes: Attributes { id: text("entryUUID"), name: text("uid"), display_name: text("cn"), mail: text("mail") },
        groups: BTreeMap::new(),
        register: true,
        timeout: Duration::from_secs(20),
    })?;
    let right = "ann-at-the-directory";
    let ann = directory.sign_in("ann", right).await?.context("ann")?;
    assert_eq!((ann.issuer.as_str(), ann.label.as_str(), ann.subject.len()), ("ldap:company", "Ann Li", 36));
    assert_eq!(directory.sign_in("ANN", right).await?.map(|p| p.subject), Some(ann.subject));
    for name in ["*", "an*", "ann)(uid=*", ")(uid=*", "ann))(|(uid=*", "ann\0", "\\61nn", "", "uid=ann"] {
        assert_eq!(directory.sign_in(name, right).await?, None, "{name:?}");
    }
    // The directory would take it for a bind as nobody, and say that it is good.
    assert_eq!(directory.sign_in("ann", "").await?, None);
    assert_eq!(directory.sign_in("twin", "twin-at-the-directory").await?, None, "of two nobody knows who is meant");
    directory.probe().await?;
    slapd.stop()?;
    let away = directory.probe().await.expect_err("it is away");
    assert_eq!((away.code, away.params["what"].as_str()), (Code::Unreachable, "Company"));
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_away_keeps_out_nobody_with_a_password_here() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut directory = Slapd::new(world.folder.join("directory"), &people())?;
    // Whoever is not known already gets no account.
    let (mut a, file) = node(&world, &directory.settings(&directory.url("ldap"), "")?)?;
    a.start()?;
    Person::register(&a.first_link, "bob").await?;
    for name in ["ann", "bob", "carol"] {
        assert_eq!(refused(&a, name, "ann-at-the-directory").await, Some(Code::DirectoryAway), "{name}: no name tells itself");
    }
    assert_eq!(refused(&a, "bob", PASSWORD).await, None);
    directory.start()?;
    assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, Some(Code::DirectoryUnknown));
    set(&mut a, &file, &directory.settings(&directory.url("ldap"), "register = true")?)?;
    assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, None);
    assert_eq!(finding(&a)?, "good");
    directory.stop()?;
    assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, Some(Code::DirectoryAway));
    assert_eq!(finding(&a)?, "bad");
    directory.start()?;
    assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, None);
    world.done();
    Ok(())
}

/// Of an import: new, changed, disabled, and how many errors.
fn counts(answer: &Value) -> [u64; 4] {
    let plan = &answer["plan"];
    let number = |name: &str| plan[name].as_u64().unwrap_or(u64::MAX);
    [number("added"), number("changed"), number("disabled"), plan["errors"].as_array().map_or(u64::MAX, |all| all.len() as u64)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_of_a_directory_comes_in_and_goes_with_it() -> anyhow::Result<()> {
    const PEOPLE: usize = 1200;
    let world = World::new()?;
    let many = |n: usize| somebody(&format!("p{n}"), &format!("Person {n}"), &format!("password {n}"), "ou=people,");
    let entries =
        unit("people") + &(1..=PEOPLE).map(many).collect::<String>() + &somebody("no-name.", "Nobody", "x", "ou=people,");
    let mut directory = Slapd::new(world.folder.join("directory"), &entries)?;
    directory.start()?;
    let (mut a, _) = node(&world, &directory.settings(&directory.url("ldap"), "")?)?;
    a.environment.clear(); // so many people say a lot
    a.start()?;
    Person::register(&a.first_link, "root").await?;
    Person::register(a.ask(&["invite"])?["link"].as_str().context("a link")?, "p7").await?;
    let import = |more: &[&str]| a.ask(&[&["user", "import", "--directory", "company"], more].concat());
    let people = |a: &Node| anyhow::Ok(users(a)?.len());

    // Looked at: more than the directory gives out at once, p7 who is here already, and an entry that can be nobody.
    assert_eq!(counts(&import(&["--dry-run", "--everyone"])?), [PEOPLE as u64 - 1, 1, 0, 1]);
    assert_eq!(people(&a)?, 2);
    assert_eq!(refused(&a, "p8", "password 8").await, Some(Code::DirectoryUnknown));
    let done = import(&["--everyone"])?;
    assert_eq!(
        (counts(&done), &done["links"], &done["refused_rows"]),
        ([PEOPLE as u64 - 1, 1, 0, 1], &Value::Null, &serde_json::json!([]))
    );
    assert_eq!(people(&a)?, PEOPLE + 1);
    assert_eq!(counts(&import(&["--everyone"])?), [0, 0, 0, 1], "twice is once");

    // They bind; p7, who is the directory's now, by either password.
    let eight = Person::sign_in(a.port, "p8", "password 8").await?;
    assert_eq!(user(&a, "p8")?["display_name"], "Person 8");
    assert_eq!(refused(&a, "p7", PASSWORD).await, None);
    assert_eq!(refused(&a, "p7", "password 7").await, None);

    // One has gone, one is locked there for good, one has another name shown.
    directory.change(&format!(
        "dn: uid=p8,ou=people,{}\nchangetype: delete\n\ndn: uid=p9,ou=people,{}\nchangetype: modify\nreplace: cn\ncn: 人 9\n",
        slapd::BASE,
        slapd::BASE
    ))?;
    assert_eq!(refused(&a, "p8", "password 8").await, Some(Code::WrongCredentials));
    assert_eq!(counts(&import(&["--dry-run"])?), [0, 1, 0, 1], "who is not named is left alone, unless all are");
    assert_eq!(counts(&import(&["--everyone"])?), [0, 1, 1, 1]);
    until("p8 to be let out", || std::future::ready((eight.session.status().state != startalk_client::State::Online, 0))).await?;
    assert_eq!((&user(&a, "p9")?["display_name"], &user(&a, "p8")?["disabled"]), (&"人 9".into(), &true.into()));

    // Half of them gone is a mistake, unless the number is said.
    let gone: String =
        (601..=PEOPLE).map(|n| format!("dn: uid=p{n},ou=people,{}\nchangetype: delete\n\n", slapd::BASE)).collect();
    directory.change(&gone)?;
    assert!(a.refusal(&["user", "import", "--directory", "company", "--everyone"])?.contains("600"));
    assert_eq!(counts(&import(&["--everyone", "--disable", "600"])?), [0, 0, 600, 1]);
    assert_eq!(refused(&a, "p700", "password 700").await, Some(Code::WrongCredentials));

    // Disabled here stays disabled, whatever the directory says.
    a.ask(&["user", "disable", "p10"])?;
    assert_eq!(counts(&import(&["--everyone"])?), [0, 0, 0, 1]);
    assert_eq!(refused(&a, "p10", "password 10").await, Some(Code::AccountDisabled));

    assert!(a.refusal(&["user", "import", "--directory", "school"])?.contains("school"));
    directory.stop()?;
    assert!(a.refusal(&["user", "import", "--directory", "company", "--dry-run"])?.contains("Company"));
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_shows_the_right_certificate_is_the_directory() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut directory = Slapd::new(world.folder.join("directory"), &people())?;
    let other = Slapd::new(world.folder.join("other"), "")?;
    directory.start()?;
    let with = |scheme: &str, more: &str, root: &Path| {
        directory.settings(&directory.url(scheme), &format!("register = true\n{more}\nroots = \"{}\"", root.display()))
    };
    let (mut a, file) = node(&world, &with("ldap", "start_tls = true", &directory.root())?)?;
    a.start()?;
    assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, None, "StartTLS");
    set(&mut a, &file, &with("ldaps", "", &directory.root())?)?;
    assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, None, "ldaps");
    for (scheme, more) in [("ldap", "start_tls = true"), ("ldaps", "")] {
        set(&mut a, &file, &with(scheme, more, &other.root())?)?;
        assert_eq!(refused(&a, "ann", "ann-at-the-directory").await, Some(Code::DirectoryAway), "{scheme}: another's root");
        assert!(a.said().contains("certificate"), "why is in the log");
    }
    // Settings that would let passwords be read on the way do not start a node.
    a.stop()?;
    std::fs::write(&file, directory.settings("ldap://directory.example", "")?)?;
    let said = a.start().err().context("refused settings")?;
    assert!(format!("{said:#} {}", a.said()).contains("[[ldap]] company"), "{said:#}");
    world.done();
    Ok(())
}
