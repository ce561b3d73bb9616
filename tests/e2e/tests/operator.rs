//! What an operator does: every verb of the command line, against a running and against a stopped node, and what each says
//! when it is used wrongly; the first administrator by the form in the browser.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use anyhow::Context as _;
use serde_json::Value;
use startalk_client::{ClientError, Code, JoinLink, content};
use startalk_e2e::{Node, Person, World, person, until};

/// The code with which a person is not let in.
async fn refused(port: u64, name: &str, password: &str) -> Option<Code> {
    match Person::sign_in(port, name, password).await {
        Err(ClientError::Refused(error)) => Some(error.code),
        Err(other) => panic!("{name}: {other}"),
        Ok(_) => None,
    }
}

fn user<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list["users"].as_array()?.iter().find(|u| u["user"].as_str().is_some_and(|u| u.starts_with(&format!("{name}@"))))
}

fn password_of(answer: &Value) -> anyhow::Result<String> {
    Ok(answer["password"].as_str().with_context(|| format!("a password in {answer}"))?.to_owned())
}

/// What the check says: good, warning or bad, and in which words.
fn finding(node: &Node, check: &str) -> anyhow::Result<(String, String)> {
    let answer = node.ask(&["doctor"])?;
    let found = answer["findings"].as_array().and_then(|all| all.iter().find(|f| f["check"] == check)).cloned();
    let found = found.with_context(|| format!("{check} in {answer}"))?;
    assert!(!found["words"]["zh"].as_str().unwrap_or_default().is_ascii(), "words in Chinese too: {found}");
    Ok((found["state"].as_str().unwrap_or_default().to_owned(), found["words"]["en"].as_str().unwrap_or_default().to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_while_the_node_runs() -> anyhow::Result<()> {
    let world = World::new()?;
    let a = world.node("a")?;
    let administrator = Person::register(&a.first_link, "root").await?;
    let added = a.ask(&["user", "add", "carol", "--display-name", "卡罗"])?;
    assert_eq!(added["user"], format!("carol@{}", a.domain));
    let password = password_of(&added)?;
    let list = a.ask(&["user", "list"])?;
    let (root, carol) = (user(&list, "root").context("root")?, user(&list, "carol").context("carol")?);
    assert_eq!((&root["administrator"], &root["devices"]), (&true.into(), &1.into()));
    assert_eq!((&carol["display_name"], &carol["administrator"], &carol["devices"]), (&"卡罗".into(), &false.into(), &0.into()));

    let carol = Person::sign_in(a.port, "carol", &password).await?;
    carol.say(&administrator.user).await?;
    administrator.hears_all_of(&carol).await?;

    // Disabled: whoever is connected is let out, and nobody gets in.
    a.ask(&["user", "disable", "carol"])?;
    until("carol to be let out", || std::future::ready((carol.session.status().state != startalk_client::State::Online, 0)))
        .await?;
    assert_eq!(refused(a.port, "carol", &password).await, Some(Code::AccountDisabled));
    assert_eq!(user(&a.ask(&["user", "list"])?, "carol").context("carol")?["disabled"], true);
    a.ask(&["user", "enable", "carol"])?;
    assert_eq!(refused(a.port, "carol", &password).await, None);

    let renewed = password_of(&a.ask(&["user", "reset-password", "carol"])?)?;
    assert_ne!(renewed, password);
    assert_eq!(refused(a.port, "carol", &password).await, Some(Code::WrongCredentials));
    assert_eq!(refused(a.port, "carol", &renewed).await, None);

    // Deleted: gone from the list, and nothing of the name is left to sign in with.
    let conversation = administrator.conversation(&carol.user).await?;
    assert_eq!(administrator.history_of(conversation).await?.iter().filter(|m| !m.content.is_empty()).count(), 1);
    a.ask(&["user", "delete", "carol", "--erase-messages"])?;
    assert!(user(&a.ask(&["user", "list"])?, "carol").is_none());
    assert_eq!(refused(a.port, "carol", &renewed).await, Some(Code::WrongCredentials));
    let history = administrator.history_of(conversation).await?;
    assert!(history.iter().all(|m| m.content.is_empty()), "erased: {history:?}");

    for verb in ["disable", "enable", "delete", "reset-password"] {
        let why = a.refusal(&["user", verb, "nobody"])?;
        assert!(why.contains("nobody"), "{verb}: {why}");
    }
    let why = a.refusal(&["user", "add", "root"])?;
    assert!(why.contains("root is taken"), "{why}");

    // One link for two people, and not for a third.
    let invitation = a.ask(&["invite", "--uses", "2", "--hours", "1"])?;
    let link = invitation["link"].as_str().context("link")?;
    Person::register(link, "dave").await?;
    Person::register(link, "erin").await?;
    let third = Person::register(link, "frank").await.err().context("a third use")?;
    assert!(
        matches!(third.downcast_ref::<ClientError>(), Some(ClientError::Refused(e)) if e.code == Code::InvitationInvalid),
        "{third:#}"
    );
    let link = a.ask(&["invite", "--administrator"])?["link"].as_str().context("link")?.to_owned();
    Person::register(&link, "grace").await?;
    assert_eq!(user(&a.ask(&["user", "list"])?, "grace").context("grace")?["administrator"], true);
    world.done();
    Ok(())
}

/// What collectors read: by the verb, and over the control socket as HTTP; not at the port that everybody may ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_a_running_node() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = Person::register(&b.first_link, "bob").await?;
    alice.say_many(&bob.user, 5).await?;
    bob.hears_all_of(&alice).await?;
    let page = || -> anyhow::Result<String> { Ok(a.ask(&["metrics"])?["metrics"].as_str().context("a page")?.to_owned()) };
    let value = |page: &str, name: &str| {
        let line = page.lines().find(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|l| l.rsplit_once(' ')?.1.parse::<f64>().ok())
    };
    let peer = |name: &str, more: &str| format!("startalk_peer_{name}{{domain=\"{}\"{more}}}", b.domain);
    until("all is acknowledged", || {
        let waiting = page().ok().and_then(|p| value(&p, &peer("waiting_items", "")));
        std::future::ready((waiting == Some(0.0), 0))
    })
    .await?;
    let now = page()?;
    let records = a.ask(&["policy"])?["records"].as_f64();
    assert!(
        value(&now, "startalk_journal_position") <= records && value(&now, "startalk_journal_position") > Some(10.0),
        "{now}"
    );
    assert_eq!((value(&now, "startalk_connections"), value(&now, "startalk_epoch")), (Some(1.0), Some(1.0)), "{now}");
    assert_eq!(value(&now, &peer("state", ",state=\"connected\"")), Some(1.0), "{now}");
    assert_eq!(value(&now, "startalk_peers{state=\"connected\"}"), Some(1.0));
    assert!(value(&now, &peer("last_contact_seconds", "")) > Some(1.7e9));
    assert!(value(&now, "startalk_queue_commands").is_some());
    let (count, all) = (value(&now, "startalk_batch_records_count"), value(&now, "startalk_batch_records_bucket{le=\"+Inf\"}"));
    assert!(count == all && count >= Some(2.0) && value(&now, "startalk_batch_records_sum") >= count, "{now}");

    let mut socket = std::os::unix::net::UnixStream::connect(a.data.join("control.sock"))?;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: startalk\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("a head")?;
    assert!(head.starts_with("HTTP/1.0 200 OK") && head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert_eq!(value(body, "startalk_epoch"), Some(1.0));
    let (status, public) = http(a.port, "GET /metrics", "")?;
    // The page of the web client at most, as for every address that it may have.
    assert!((status != 200 || public.contains("<!doctype html>")) && !public.contains("startalk_"), "{status} {public}");
    a.stop()?;
    assert!(a.refusal(&["metrics"])?.contains("the node is stopped"));
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_verbs_on_a_stopped_node() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = Person::register(&b.first_link, "bob").await?;
    alice.say_many(&bob.user, 5).await?;
    bob.hears_all_of(&alice).await?;
    a.stop()?;

    let password = password_of(&a.ask(&["user", "add", "carol"])?)?;
    a.ask(&["user", "add", "dave"])?;
    a.ask(&["user", "disable", "dave"])?;
    a.ask(&["user", "enable", "dave"])?;
    let renewed = password_of(&a.ask(&["user", "reset-password", "dave"])?)?;
    a.ask(&["user", "add", "erin"])?;
    a.ask(&["user", "delete", "erin"])?;
    a.ask(&["user", "disable", "carol"])?;
    let list = a.ask(&["user", "list"])?;
    assert_eq!(list["users"].as_array().map(Vec::len), Some(3), "{list}");
    let link = a.ask(&["invite"])?["link"].as_str().context("link")?.to_owned();
    let peers = a.ask(&["peers"])?;
    assert_eq!(peers["peers"][0]["domain"], b.domain.as_str(), "{peers}");
    a.ask(&["domain", "deny", "evil.example"])?;
    let rule = |peers: &Value| {
        let all = peers["peers"].as_array().cloned().unwrap_or_default();
        all.iter().find(|p| p["domain"] == "evil.example").map(|p| p["rule"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(rule(&a.ask(&["peers"])?).as_deref(), Some("denied"));
    a.ask(&["domain", "allow", "evil.example"])?;
    assert_eq!(rule(&a.ask(&["peers"])?).as_deref(), Some("allowed"));
    let policy = a.ask(&["policy", "--display-name", "甲", "--recall-seconds", "77"])?;
    assert_eq!((&policy["display_name"], &policy["recall_seconds"]), (&"甲".into(), &77.into()));
    let root_key = a.ask(&["keys", "export"])?["root_key"].as_str().context("root_key")?.to_owned();
    a.ask(&["keys", "rotate"])?;
    let copy = world.folder.join("backup");
    a.ask(&["backup", &copy.display().to_string()])?;
    for check in ["journal", "views", "keys", "disk"] {
        assert_eq!(finding(&a, check)?.0, "good", "{check}");
    }
    let rebuilt = a.ask(&["rebuild"])?;
    assert!(rebuilt["rebuilt"].as_u64() > Some(10), "{rebuilt}");

    a.start()?;
    assert_eq!(a.ask(&["keys", "export"])?["root_key"], root_key.as_str());
    assert_eq!(refused(a.port, "carol", &password).await, Some(Code::AccountDisabled));
    assert_eq!(refused(a.port, "dave", &renewed).await, None);
    Person::register(&link, "frank").await.context("a link made while the node was stopped")?;
    assert_eq!(a.ask(&["policy"])?["recall_seconds"], 77);
    // The link goes on with the key that was made meanwhile.
    alice.say_many(&bob.user, 5).await?;
    bob.say_many(&alice.user, 5).await?;
    bob.hears_all_of(&alice).await?;
    alice.hears_all_of(&bob).await?;
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_is_denied_and_keys_are_replaced_while_links_run() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = Person::register(&b.first_link, "bob").await?;
    let both = async || {
        alice.say_many(&bob.user, 20).await?;
        bob.say_many(&alice.user, 20).await?;
        bob.hears_all_of(&alice).await?;
        alice.hears_all_of(&bob).await
    };
    both().await?;

    a.ask(&["domain", "deny", &b.domain])?;
    until("the link to end", || std::future::ready((a.link(&b.domain).is_ok_and(|l| l["state"] == "denied"), 0))).await?;
    assert_eq!(alice.try_to_say(&bob.user).await?, Err("domain-denied".to_owned()));
    bob.say_many(&alice.user, 5).await?;
    until("b to show why", || {
        std::future::ready((b.link(&a.domain).is_ok_and(|l| l["last_error"]["code"] == "domain-denied"), 0))
    })
    .await?;
    a.ask(&["domain", "allow", &b.domain])?;
    both().await?;

    let link_key = a.process().told["link_key"].clone();
    a.ask(&["keys", "rotate"])?;
    both().await?;
    a.ask(&["keys", "rotate"])?;
    both().await?;
    a.stop()?;
    a.start()?;
    assert_ne!(a.process().told["link_key"], link_key);
    both().await?;
    person::agree(&alice, &bob).await?;
    bob.tally(&alice.user).check("at bob", &alice.said.lock().expect("no panic"));
    alice.tally(&bob.user).check("at alice", &bob.said.lock().expect("no panic"));
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_are_whole_and_never_in_the_way() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let carol = password_of(&a.ask(&["user", "add", "carol", "--display-name", "root_of_all"])?)?;
    let carol = Person::sign_in(a.port, "carol", &carol).await?;
    alice.say_many(&carol.user, 50).await?;
    carol.hears_all_of(&alice).await?;
    let (copy, other) = (world.folder.join("copy"), world.folder.join("other"));
    let text_of = |path: &Path| path.display().to_string();
    a.ask(&["backup", &text_of(&copy)])?;
    let why = a.refusal(&["backup", &text_of(&copy)])?;
    assert!(why.contains("copy is not empty"), "{why}");
    // A folder that holds a domain is not overwritten, running or stopped; nothing is restored from nothing.
    let why = a.refusal(&["restore", &text_of(&copy)])?;
    assert!(why.contains("holds a domain already"), "{why}");
    let restored = a.beside(other.clone());
    let why = restored.refusal(&["restore", &text_of(&world.folder.join("nothing"))])?;
    assert!(why.contains("nothing holds no domain"), "{why}");
    let why = a.refusal(&["rebuild"])?;
    assert!(why.contains("in use by a running startalk"), "{why}");
    let why = a.refusal(&["up", "--listen", "0"])?;
    assert!(why.contains("in use by a running startalk"), "{why}");

    // One bit of the copy flips: it is not restored, and the place is named. At its very end, too, where it looks like a
    // batch that nobody was told of.
    for (name, text) in [("middle", "root_of_all"), ("end", "alice 50:")] {
        let damaged = world.folder.join(name);
        startalk_e2e::node::copy_folder(&copy, &damaged)?;
        flip(&damaged, text)?;
        let why = a.beside(world.folder.join(format!("never-{name}"))).refusal(&["restore", &text_of(&damaged)])?;
        assert!(why.contains("damaged"), "{why}");
        let why = a.beside(damaged).refusal(&["up", "--listen", "127.0.0.1:0"])?;
        assert!(why.contains("damaged"), "{why}");
    }

    a.stop()?;
    assert!(restored.ask(&["restore", &text_of(&copy)])?["restored"].as_u64() > Some(50));
    let mut restored = restored;
    restored.port = a.port;
    restored.start()?;
    assert_eq!(restored.domain, a.domain);
    alice.say_many(&carol.user, 5).await?;
    carol.has_again(&alice).await?;
    person::agree(&carol, &alice).await?;
    world.done();
    Ok(())
}

/// Flips one bit of a text in the journal of a folder. Returns the file, the place and the byte as it was.
fn flip(data: &Path, text: &str) -> anyhow::Result<(std::path::PathBuf, usize)> {
    for entry in fs::read_dir(data.join("journal"))? {
        let path = entry?.path();
        let mut bytes = fs::read(&path)?;
        if let Some(at) = bytes.windows(text.len()).position(|w| w == text.as_bytes()) {
            bytes[at + 2] ^= 1;
            write_at(&path, at + 2, &bytes[at + 2..=at + 2])?;
            return Ok((path, at + 2));
        }
    }
    anyhow::bail!("{text} is not in the journal of {}", data.display())
}

/// In place, as a disk would: the program has the file open.
fn write_at(path: &Path, at: usize, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::FileExt as _;
    Ok(fs::OpenOptions::new().write(true).open(path)?.write_all_at(bytes, at as u64)?)
}

fn flip_at(path: &Path, at: usize) -> anyhow::Result<()> {
    let bytes = fs::read(path)?;
    write_at(path, at, &[bytes[at] ^ 1])
}

/// Bytes of a large text.
const LARGE_BYTES: usize = 60_000;
/// So many of them that the first segment (64 MiB) is full.
const LARGE_MESSAGES: u64 = 1150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_finds_a_flipped_bit_in_a_sealed_and_in_the_active_segment() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let carol = password_of(&a.ask(&["user", "add", "carol"])?)?;
    let carol = Person::sign_in(a.port, "carol", &carol).await?;
    alice.say_many(&carol.user, 30).await?;
    let large = content::text(&"0123456789".repeat(LARGE_BYTES / 10));
    for _ in 0..LARGE_MESSAGES {
        alice.session.send(carol.user.clone(), large.clone(), bytes::Bytes::new()).await?;
    }
    alice.say_many(&carol.user, 30).await?;
    until("everything to be taken", || {
        let pending = alice.session.status().pending as u64;
        std::future::ready((pending == 0, pending))
    })
    .await?;
    let segments =
        fs::read_dir(a.data.join("journal"))?.filter(|e| e.as_ref().is_ok_and(|e| e.path().extension().is_some())).count();
    assert_eq!(segments, 2, "a sealed segment and the active one");
    assert_eq!(finding(&a, "journal")?.0, "good");
    for text in ["alice 7:", "alice 47:"] {
        let (path, at) = flip(&a.data, text)?;
        let (state, words) = finding(&a, "journal")?;
        let name = path.file_stem().context("a name")?.to_string_lossy().trim_start_matches('0').to_owned();
        assert!(
            state == "bad"
                && words.contains("damaged in segment")
                && words.contains(&name)
                && words.contains("restore the last good backup"),
            "{text}: {state} {words}"
        );
        flip_at(&path, at)?;
        assert_eq!(finding(&a, "journal")?.0, "good", "{text}");
    }
    // The same on the stopped folder; and a page that cannot be read is no page that lies.
    a.stop()?;
    let (path, at) = flip(&a.data, "alice 7:")?;
    let (state, words) = finding(&a, "journal")?;
    assert!(state == "bad" && words.contains("damaged in segment 1 at byte"), "{state} {words}");
    flip_at(&path, at)?;
    assert_eq!(finding(&a, "journal")?.0, "good");
    world.done();
    Ok(())
}

/// As sled may: entries are gone, and nothing says so.
fn lose_pages(node: &Node) -> anyhow::Result<()> {
    let tree = sled::open(node.data.join("views"))?;
    let some = tree.iter().keys().step_by(5).collect::<Result<Vec<_>, _>>()?;
    assert!(some.len() > 2);
    for key in some {
        tree.remove(key)?;
    }
    tree.flush()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_lost_a_page_are_found_and_made_anew() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let carol = password_of(&a.ask(&["user", "add", "carol"])?)?;
    let carol = Person::sign_in(a.port, "carol", &carol).await?;
    alice.say_many(&carol.user, 300).await?;
    carol.hears_all_of(&alice).await?;
    let whole = async || -> anyhow::Result<()> {
        assert_eq!(alice.history(&carol.user).await?.len(), 300);
        person::agree(&alice, &carol).await?;
        Ok(())
    };
    // Even the mark of a clean stop does not keep doctor from looking.
    a.stop()?;
    lose_pages(&a)?;
    let (state, words) = finding(&a, "views")?;
    assert!(state == "warning" && words.contains("made anew"), "{state} {words}");
    assert_eq!(finding(&a, "views")?.0, "good");
    a.start()?;
    whole().await?;

    a.stop()?;
    lose_pages(&a)?;
    a.ask(&["rebuild"])?;
    assert_eq!(finding(&a, "views")?.0, "good");
    a.start()?;
    assert_eq!(finding(&a, "views")?.0, "good");
    whole().await?;

    a.kill()?;
    lose_pages(&a)?;
    assert!(!a.said().contains("made anew"), "{}", a.said());
    a.start()?;
    assert!(a.said().contains("made anew"), "{}", a.said());
    whole().await?;

    a.stop()?;
    fs::remove_dir_all(a.data.join("views"))?;
    a.start()?;
    assert!(a.said().contains("they were missing"), "{}", a.said());
    whole().await?;
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_value_is_named_with_what_was_expected() -> anyhow::Result<()> {
    let world = World::new()?;
    let a = world.node("a")?;
    let fresh = world.unstarted("fresh", &[]);
    for (arguments, named) in [
        (&["up", "--listen", "many"][..], &["--listen", "many", "expected a port"][..]),
        (&["up", "--domain", "two words"], &["--domain two words"]),
        (&["up", "--hub", "ftp://x"], &["--hub ftp://x"]),
        (&["up", "--peer", "a.example"], &["--peer a.example", "expected domain=host:port"]),
        (&["up", "--public", "host"], &["--public host", "expected host:port"]),
        (&["up", "--registration", "maybe"], &["--registration maybe", "closed, invitation or open"]),
        (&["up", "--cert", "/nonexistent.pem"], &["--key"]),
        (&["up", "--config", "/nonexistent.toml"], &["/nonexistent.toml"]),
        (&["up", "--name-server", "dns"], &["--name-server dns", "expected address:port"]),
        (&["up", "--colour", "red"], &["--colour"]),
        (&["user", "add"], &["<NAME>"]),
        (&["paint"], &["paint"]),
    ] {
        let why = fresh.refusal(arguments)?;
        assert!(named.iter().all(|n| why.contains(n)), "{arguments:?}: {why}");
    }
    assert!(!fresh.data.exists(), "everything is checked before anything starts");
    for verb in [&["user", "list"][..], &["doctor"], &["rebuild"], &["keys", "export"], &["peers"]] {
        let why = fresh.refusal(verb)?;
        assert!(why.contains("fresh holds no domain") && why.contains("startalk up"), "{verb:?}: {why}");
    }
    for (arguments, named) in [
        (&["user", "add", "Not A Name"][..], &["Not A Name", "expected"][..]),
        (&["domain", "deny", "not a domain"], &["domain", "expected a domain name"]),
        (&["policy", "--registration", "maybe"], &["closed, invitation or open"]),
        (&["policy", "--recall-seconds=-5"], &["recall"]),
        (&["invite", "--uses", "0"], &["uses"]),
        (&["invite", "--uses", "many"], &["--uses", "many"]),
    ] {
        let why = a.refusal(arguments)?;
        assert!(named.iter().all(|n| why.contains(n)), "{arguments:?}: {why}");
    }
    world.done();
    Ok(())
}

/// A request over plain HTTP; the status and the whole answer.
fn http(port: u64, request: &str, fields: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port)?))?;
    let length = fields.len();
    let kind = "Content-Type: application/x-www-form-urlencoded";
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n{kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{fields}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).with_context(|| answer.clone())?;
    Ok((status, answer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_by_the_form() -> anyhow::Result<()> {
    let world = World::new()?;
    let a = world.node("a")?;
    let link = a.first_link.clone();
    let path = link.strip_prefix(&format!("http://127.0.0.1:{}", a.port)).with_context(|| link.clone())?;
    assert_eq!(link.parse::<JoinLink>()?.invitation.len(), path.len() - "/join/".len(), "{link}");
    let (status, page) = http(a.port, "GET /", "")?;
    assert_eq!(status, 200, "{page}");
    let (status, page) = http(a.port, &format!("GET {path}?plain"), "")?;
    assert!(status == 200 && page.contains("<form") && page.contains(&a.domain), "{page}");
    assert!(page.to_lowercase().contains("content-security-policy"), "{page}");
    assert_eq!(http(a.port, "GET /join/wrongwrongwrong?plain", "")?.0, 404);
    let fields = |name: &str, password: &str| {
        format!("name={name}&display_name=Root&password={password}&password_again={}", person::PASSWORD.replace(' ', "+"))
    };
    let good = person::PASSWORD.replace(' ', "+");
    let (status, page) = http(a.port, &format!("POST {path}"), &fields("root", "different"))?;
    assert!(status == 422 && page.contains("role=\"alert\""), "{page}");
    let (status, page) = http(a.port, &format!("POST {path}"), &fields("Not+A+Name", &good))?;
    assert!(status == 422 && page.contains("role=\"alert\""), "{page}");
    assert!(a.ask(&["user", "list"])?["users"].as_array().is_some_and(Vec::is_empty), "nobody yet");
    let (status, page) = http(a.port, &format!("POST {path}"), &fields("root", &good))?;
    assert!(status == 200 && page.contains(&format!("root@{}", a.domain)), "{page}");
    let list = a.ask(&["user", "list"])?;
    assert_eq!(user(&list, "root").context("root")?["administrator"], true);
    assert_eq!(http(a.port, &format!("POST {path}"), &fields("second", &good))?.0, 404, "the link is used up");
    assert_eq!(refused(a.port, "root", person::PASSWORD).await, None);
    world.done();
    Ok(())
}
