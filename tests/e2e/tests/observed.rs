//! What who watches a node sees: metrics as Prometheus reads them, whether it lives and whether it serves.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, ensure};
use data_encoding::HEXLOWER;
use prometheus_parse::{Scrape, Value};
use serde_json::json;
use startalk_client::{ClientError, Code, content};
use startalk_e2e::{Node, Person, World, until};

/// More than one round of the write loop has.
const MESSAGES: u64 = 40;

/// The page, and what a real parser makes of it.
fn scrape(node: &Node) -> anyhow::Result<(String, Scrape)> {
    let page = node.ask(&["metrics"])?["metrics"].as_str().context("a page")?.to_owned();
    let scrape = Scrape::parse(page.lines().map(|line| Ok(line.to_owned())))?;
    Ok((page, scrape))
}

/// The one value of this name with this label.
fn value(scrape: &Scrape, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
    let is_it = |s: &&prometheus_parse::Sample| s.metric == name && label.is_none_or(|(key, v)| s.labels.get(key) == Some(v));
    match scrape.samples.iter().find(is_it)?.value {
        Value::Counter(v) | Value::Gauge(v) | Value::Untyped(v) => Some(v),
        _ => None,
    }
}

/// How many were at most each bound, the last being all.
fn histogram(scrape: &Scrape, name: &str) -> anyhow::Result<Vec<(f64, f64)>> {
    let sample = scrape.samples.iter().find(|s| s.metric == name).with_context(|| name.to_owned())?;
    let Value::Histogram(buckets) = &sample.value else { anyhow::bail!("{name} is {:?}", sample.value) };
    let buckets: Vec<(f64, f64)> = buckets.iter().map(|b| (b.less_than, b.count)).collect();
    ensure!(buckets.is_sorted() && buckets.is_sorted_by_key(|(_, count)| *count), "{name}: {buckets:?}");
    let (bound, all) = *buckets.last().context("buckets")?;
    ensure!(bound.is_infinite() && value(scrape, &format!("{name}_count"), None) == Some(all), "{name}: {buckets:?}");
    Ok(buckets)
}

/// All that were counted.
fn count(scrape: &Scrape, name: &str) -> anyhow::Result<f64> {
    Ok(histogram(scrape, name)?.last().map_or(0.0, |(_, all)| *all))
}

/// Names and types by Prometheus' conventions, and each explained.
fn is_conventional(page: &str) -> anyhow::Result<()> {
    let (mut types, mut helped) = (HashMap::new(), HashMap::new());
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            ensure!(help.ends_with('.') && helped.insert(name, help).is_none(), "once, as a sentence: {line}");
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            ensure!(types.insert(name, kind).is_none(), "twice: {line}");
            let plain = name.strip_prefix("startalk_").context("our own name")?;
            ensure!(plain.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            ensure!((kind == "counter") == name.ends_with("_total"), "{name} is a {kind}");
            for unit in ["_ms", "_us", "_milliseconds", "_kb", "_count", "_sum", "_bucket"] {
                ensure!(!name.ends_with(unit), "{name}: base units, and no name of a histogram's part");
            }
        } else {
            let name = line.split(['{', ' ']).next().context("a name")?;
            let of = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let kind = types.get(name).or_else(|| types.get(of?).filter(|kind| **kind == "histogram"));
            ensure!(kind.is_some(), "TYPE before {line}");
            ensure!(helped.contains_key(name) || of.is_some_and(|of| helped.contains_key(of)), "HELP before {line}");
        }
    }
    Ok(())
}

/// What operators are given to put into Prometheus and Grafana.
const MONITORING: [&str; 2] =
    [include_str!("../../../packaging/monitoring/alerts.yml"), include_str!("../../../packaging/monitoring/dashboard.json")];

/// Metrics by their names, wherever they stand in a text.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let of_a_name = |c: char| c.is_ascii_lowercase() || c == '_';
    text.match_indices("startalk_").map(move |(at, _)| text[at..].split(|c| !of_a_name(c)).next().unwrap_or_default())
}

/// Whether alarms and dashboard ask for nothing that is not there. Only a node that asks for certificates has those.
fn is_monitored(page: &str, manual: &str) -> anyhow::Result<()> {
    for name in MONITORING.into_iter().flat_map(named) {
        let plain = name.strip_suffix("_bucket").unwrap_or(name);
        ensure!(page.contains(&format!("# TYPE {plain} ")) || plain.starts_with("startalk_certificate_"), "{name} is not there");
        let short = plain.trim_start_matches("startalk_");
        ensure!(
            manual.contains(&format!("`{short}`")) || manual.contains(&format!("`{short}{{")),
            "{name} is not in operations.md"
        );
    }
    Ok(())
}

/// An answer over plain HTTP, from this machine.
fn http(port: u64, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port)?))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| answer.clone())?;
    Ok((head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("a status")?, body.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_and_every_metric_is_explained() -> anyhow::Result<()> {
    let world = World::new()?;
    let node = world.node("a")?;
    let alice = Person::register(&node.first_link, "alice").await?;
    let bob = Person::register(node.ask(&["invite"])?["link"].as_str().context("a link")?, "bob").await?;
    let (page, before) = scrape(&node)?;
    is_conventional(&page)?;
    let wrong = Person::sign_in(node.port, "bob", "not his password").await;
    ensure!(matches!(wrong, Err(ClientError::Refused(e)) if e.code == Code::WrongCredentials));
    for _ in 0..MESSAGES {
        alice.say(&bob.user).await?;
    }
    bob.hears_all_of(&alice).await?;
    let (page, after) = scrape(&node)?;
    is_conventional(&page)?;
    is_monitored(&page, include_str!("../../../docs/operations.md"))?;

    let grown = |name: &str| Ok::<f64, anyhow::Error>(count(&after, name)? - count(&before, name)?);
    let messages = MESSAGES as f64;
    ensure!(grown("startalk_acknowledgement_seconds")? >= messages, "each was acknowledged\n{page}");
    let batches = grown("startalk_batch_records")?;
    ensure!((1.0..=4.0 * messages).contains(&batches), "{batches}");
    ensure!(grown("startalk_sync_seconds")? >= batches, "a batch is one sync at least\n{page}");
    // The bound below which 99 of 100 lie is there to be found.
    let answered = histogram(&after, "startalk_acknowledgement_seconds")?;
    let all = answered.last().map_or(0.0, |(_, count)| *count);
    let p99 = answered.iter().find(|(_, count)| *count >= 0.99 * all).map(|(bound, _)| *bound);
    ensure!(p99.is_some_and(f64::is_finite), "{answered:?}");
    let sum = value(&after, "startalk_acknowledgement_seconds_sum", None).context("a sum")?;
    ensure!(sum > 0.0, "{page}");

    let error = ("code", "wrong-credentials");
    ensure!(value(&after, "startalk_errors_total", Some(error)) == Some(1.0), "{page}");
    ensure!(value(&before, "startalk_errors_total", Some(error)).is_none());
    let over = |transport| value(&after, "startalk_transport_connections", Some(("transport", transport)));
    let all = value(&after, "startalk_connections", None);
    ensure!(
        (all, over("tls")) == (Some(2.0), Some(2.0)) && over("quic") == Some(0.0) && over("websocket") == Some(0.0),
        "{page}"
    );
    for queue in ["queue_commands", "outbox_bytes", "push_waiting"] {
        let name = format!("startalk_{queue}");
        let (now, limit) = (value(&after, &name, None), value(&after, &format!("{name}_limit"), None));
        ensure!(now.is_some() && now < limit, "{queue}: {now:?} of {limit:?}");
    }
    ensure!(value(&after, "startalk_search_waiting_records", None).is_some(), "{page}");
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_says_that_it_lives_and_that_it_serves_or_why_not() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut node = world.node("a")?;
    for path in ["/health", "/healthz"] {
        ensure!(http(node.port, path)? == (200, "ok\n".to_owned()), "{path}");
    }
    let (status, said) = http(node.port, "/ready")?;
    ensure!((status, serde_json::from_str::<serde_json::Value>(&said)?) == (200, json!({ "ready": true })), "{status} {said}");
    let port = node.port;
    node.stop()?;
    ensure!(TcpStream::connect(("127.0.0.1", u16::try_from(port)?)).is_err(), "who is not there does not answer");
    world.done();
    Ok(())
}

/// The places in a log of lines that say all of this, each after the one before.
fn in_order(said: &str, lines: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut rest = said.lines();
    for (what, containing) in lines {
        let found = rest.any(|line| line.contains(what) && line.contains(containing));
        ensure!(found, "{what} {containing} in its place in\n{said}");
    }
    Ok(())
}

/// A group of alice's in which bob of another domain says something; `id=` and what it has there, once both have it in its place.
async fn in_a_group(alice: &Person, bob: &Person) -> anyhow::Result<String> {
    alice.session.create_group("garden", std::slice::from_ref(&bob.user)).await?;
    let asked = async || bob.session.group_invitations().await.unwrap_or_default();
    until("bob to be asked", async || (!asked().await.is_empty(), 0)).await?;
    bob.session.decide_group_invitation(&asked().await[0].group, true).await?;
    let group_of = async |person: &Person| -> anyhow::Result<u64> {
        let find = async || {
            let all = person.session.conversations().await.unwrap_or_default();
            all.into_iter().find(|c| c.group.as_ref().is_some_and(|g| g.standing == "member" && g.members == 2))
        };
        until("both to be in the group", async || (find().await.is_some(), 0)).await?;
        Ok(find().await.context("the group")?.conversation)
    };
    let groups = [(alice, group_of(alice).await?), (bob, group_of(bob).await?)];
    let words = content::text("no log has this");
    bob.session.send_in_group(groups[1].1, words.clone(), 0).await?;
    let mut id = String::new();
    for (person, group) in groups {
        let said = async || {
            let history = person.history_of(group).await.unwrap_or_default();
            history.into_iter().find(|m| m.content == words && m.sequence != 0)
        };
        until("bob's message in its place", async || (said().await.is_some(), 0)).await?;
        id = format!("id={}", HEXLOWER.encode(&said().await.context("the message")?.id));
    }
    Ok(id)
}

/// Whether it says how long this span took.
fn took(said: &str, span: &str) -> bool {
    said.lines().any(|line| line.contains(span) && line.contains(": close time.busy="))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_can_be_followed_through_two_domains_and_nothing_of_it_is_said() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        let mut node = world.unstarted(name, &["--hub", &world.hub_url, "--allow-private-addresses"]);
        node.environment.push(("STARTALK_LOG".into(), "startalk=trace".into()));
        node.start()?;
        nodes.push(node);
    }
    let [a, b] = &nodes[..] else { anyhow::bail!("two nodes") };
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = Person::register(&b.first_link, "bob").await?;
    alice.say(&bob.user).await?;
    bob.hears_all_of(&alice).await?;
    // Bob may have it before his node has let go of it, and before alice's knows that he does.
    for (node, last) in [(a, "crossing{peer="), (b, "recording{peer=")] {
        until(last, || std::future::ready((took(&node.said(), last), node.said().len() as u64))).await?;
    }

    let said = a.said();
    let decided = said.lines().find(|l| l.contains("message: decided")).context("a message")?;
    let field = |line: &str, name: &str| {
        let value = line.split(&format!("{name}=")).nth(1).and_then(|rest| rest.split(' ').next());
        value.map(str::to_owned).with_context(|| format!("{name} in {line}"))
    };
    let id = format!("id={}", field(decided, "id")?);
    let conversation = format!("conversation={}", field(decided, "conversation")?);
    ensure!(decided.contains("came=None") && decided.contains("goes=[("), "{decided}");
    in_order(
        &said,
        &[
            ("message: received from a client", "device="),
            ("message: decided", &id),
            ("message: synced", &id),
            ("message: acknowledged", &id),
            ("items: put on the link", "first=1 "),
            ("items: acknowledged by the peer", "crossing{peer="),
        ],
    )?;
    for span in
        ["message{session=", "crossing{peer=", "batch:rules", "}:sync", "}:show", "}:answer", " batch{commands=1 records=1}"]
    {
        ensure!(took(&said, span), "how long {span} took is not in\n{said}");
    }
    ensure!(said.lines().any(|l| l.contains("message: acknowledged") && l.contains(&conversation)), "{said}");
    let there = b.said();
    in_order(
        &there,
        &[
            ("items: received on the link", "first=1 "),
            ("message: decided", &id),
            ("message: synced", &id),
            ("message: pushed", &id),
        ],
    )?;
    ensure!(there.lines().any(|l| l.contains("message: decided") && l.contains("came=Some(")), "{there}");
    ensure!(took(&there, "recording{peer="), "{there}");
    for text in alice.said.lock().expect("no panic").iter() {
        ensure!(!said.contains(text) && !there.contains(text), "what was written is in no log");
    }
    let id = in_a_group(&alice, &bob).await.context("a group of both domains")?;
    // Bob's node has it until alice's, the group's home, gives it its place.
    let (home, there) = (a.said(), b.said());
    in_order(
        &there,
        &[
            ("message: decided", &id),
            ("message: synced", &id),
            ("message: acknowledged", &id),
            ("message: decided", &id),
            ("message: synced", &id),
        ],
    )?;
    in_order(&home, &[("message: decided", &id), ("message: synced", &id), ("message: pushed", &id)])?;
    ensure!(!home.contains("no log has this") && !there.contains("no log has this"), "what was written is in no log");
    // Who does not ask hears nothing of it.
    let quiet = world.node("c")?;
    let carol = Person::register(&quiet.first_link, "carol").await?;
    let dave = Person::register(quiet.ask(&["invite"])?["link"].as_str().context("a link")?, "dave").await?;
    carol.say(&dave.user).await?;
    dave.hears_all_of(&carol).await?;
    ensure!(!quiet.said().contains("message: ") && !quiet.said().contains("time.busy"), "{}", quiet.said());
    world.done();
    Ok(())
}

/// What of its environment says for how long free memory is kept.
fn kept_free(node: &mut Node) -> anyhow::Result<Vec<String>> {
    let environment = std::fs::read(format!("/proc/{}/environ", node.process().id()))?;
    let all = environment.split(|byte| *byte == 0).map(|variable| String::from_utf8_lossy(variable).into_owned());
    Ok(all.filter(|variable| variable.starts_with("MIMALLOC_")).collect())
}

#[test]
fn a_node_gives_free_memory_back_unless_its_operator_says_for_how_long_it_is_kept() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    assert_eq!(kept_free(&mut a)?, ["MIMALLOC_PURGE_DELAY=10"]);
    a.stop()?;
    a.environment.push(("MIMALLOC_PURGE_DELAY".to_owned(), "500".to_owned()));
    a.start()?;
    assert_eq!(kept_free(&mut a)?, ["MIMALLOC_PURGE_DELAY=500"]);
    world.done();
    Ok(())
}
