//! Chapter 4 §1 to §3 and §5, and chapter 2 §2: where the node looks for a domain, what it believes, and where it goes.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use startalk_client::Error;
use startalk_e2e::{Node, until};
use startalk_hostile::{Mallory, Over, Station, http, mallory::new_key};
use startalk_protocol::{
    DomainName,
    error::Language,
    pb::link::frame::Frame as Kind,
    trust::{DomainRecord, Fingerprint},
};

use super::{check, refusal};
use crate::{
    Case, Ground,
    case::{Needs, case},
    witness::Witness,
};

const PEERS: Needs = Needs::Own("startalk peers says what was tried");
const CONFIGURED: Needs = Needs::Own("another node is configured");

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("discovery-by-a-hub", &["hello.ready", "histories.cursor"], by_hub).needs(Needs::PersonAndHub),
        case("discovery-dialed-peer-is-somebody-else", &["hello.wrong-domain"], somebody_else).needs(Needs::PersonAndHub),
        case("discovery-another-key-at-the-place", &["transport.tls-key"], other_key).needs(PEERS),
        case("discovery-key-names-are-not-asked-of-dns", &["names.key-name-not-asked"], not_asked)
            .needs(Needs::Own("its name server is ours")),
        case("discovery-unproven-name-dials", &["proof.unproven"], unproven_dials),
        case("discovery-unproven-name-is-not-dialed", &["proof.unproven"], unproven_at_hub).needs(PEERS),
        case("discovery-contradicted-name", &["proof.contradicted"], contradicted).needs(Needs::Own("its name server is ours")),
        case("discovery-configured-fingerprints", &["names.fingerprints"], fingerprints).needs(CONFIGURED),
        case("discovery-answers-of-a-domain", &["well-known.fetched", "discovery.other-domain", "proof.contradicted"], answers)
            .needs(CONFIGURED),
        case("discovery-private-addresses", &["addresses.private"], private).needs(CONFIGURED),
        case("well-known-is-served", &["well-known.served", "record.form"], served),
    ]
}

async fn by_hub(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, mut station) = g.stationed(20).await?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "found you").await?;
    let mut line = station.link(mallory).await?;
    loop {
        let (_, item) = line.item().await?;
        if item.to == "mallory" {
            ensure!(item.from == g.alice().name(), "from {}", item.from);
            break;
        }
    }
    line.acknowledge().await;
    line.lives().await
}

/// The key in TLS is the right one, and the hello is somebody else's.
async fn somebody_else(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, mut station) = g.stationed(21).await?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "who are you?").await?;
    let mut connection = station.arrival().await?;
    connection.welcomed().await?;
    let other = Mallory { link: mallory.link.clone(), ..Mallory::stranger() };
    connection.say(Kind::Hello(other.hello(&g.domain, other.record_now()))).await;
    check("another than was dialed", &connection.refused().await?.code, "wrong-domain")
}

/// The record is true, and whoever is at its place does not have its key.
async fn other_key(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut mallory = Mallory::stranger();
    let station = Station::open(&new_key())?;
    mallory.endpoints = vec![station.address.endpoint()];
    check("the hub", &g.announce(22, &mallory.record_now()).await?.status.to_string(), "200")?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "is that you?").await?;
    g.own_node().shows(&mallory.domain, "wrong-key").await?;
    ensure!(station.links() == 0, "the node said something to a key that it does not know");
    Ok(())
}

async fn not_asked(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, mut station) = g.stationed(23).await?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "hello").await?;
    station.link(mallory).await?.lives().await?;
    let asked = g.own_node().names.asked();
    let names: Vec<_> = asked.iter().filter(|name| name.contains("alt")).collect();
    ensure!(names.is_empty(), "DNS was asked for {names:?}");
    Ok(())
}

/// A domain with a DNS name that nobody has ever registered.
fn named() -> anyhow::Result<Mallory> {
    let name = format!("m{:016x}.example", u64::from_be_bytes(startalk_hostile::mallory::random()));
    Ok(Mallory { domain: name.parse()?, ..Mallory::stranger() })
}

async fn unproven_dials(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = named()?;
    let other = Mallory { domain: mallory.domain.clone(), ..Mallory::stranger() };
    // Whoever came first is not pinned: the second is unproven as well, not another than before.
    for one in [&mallory, &other, &mallory] {
        let error = refusal(&g, Over::Quic, &one.link, one.hello(&g.domain, one.record_now())).await?;
        check("a name that nothing proves", &error.code, "not-proven")?;
    }
    Ok(())
}

async fn unproven_at_hub(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut mallory = named()?;
    let station = Station::open(&mallory.link)?;
    mallory.endpoints = vec![station.address.endpoint()];
    check("the hub", &g.announce(24, &mallory.record_now()).await?.status.to_string(), "200")?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "are you real?").await?;
    g.own_node().shows(&mallory.domain, "not-proven").await?;
    ensure!(station.links() == 0, "the node dialed a name that nothing proves");
    Ok(())
}

async fn contradicted(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut mallory = named()?;
    let station = Station::open(&mallory.link)?;
    mallory.endpoints = vec![station.address.endpoint()];
    let other = Fingerprint::of_key(&new_key().public());
    g.own_node().names.text(&format!("_startalk.{}", mallory.domain), &format!("startalk-root={other}"));
    let error = refusal(&g, Over::Tls, &mallory.link, mallory.hello(&g.domain, mallory.record_now())).await?;
    check("a name that DNS gives to another key", &error.code, "not-proven")?;
    check("the hub", &g.announce(25, &mallory.record_now()).await?.status.to_string(), "200")?;
    g.alice().says(&format!("mallory@{}", mallory.domain), "are you real?").await?;
    g.own_node().shows(&mallory.domain, "not-proven").await?;
    ensure!(station.links() == 0, "the node dialed a name that DNS gives to another key");
    Ok(())
}

/// What a domain serves at its configured place, and what the node thinks of it.
struct Served {
    mallory: Mallory,
    station: Station,
}

impl Served {
    fn new() -> anyhow::Result<Self> {
        let mut mallory = named()?;
        let station = Station::open(&mallory.link)?;
        mallory.endpoints = vec![station.address.endpoint()];
        station.serve(http::answer(200, "Content-Type: application/x-protobuf\r\n", &mallory.record_now()));
        Ok(Self { mallory, station })
    }

    fn flag(&self, fingerprint: &str) -> String {
        let at = &self.station.address;
        format!("{}={}:{}{fingerprint}", self.mallory.domain, at.host, at.port)
    }

    /// Somebody writes there, and the node gives the code for why it does not get through.
    async fn not_linked(&self, node: &Node, person: &Witness) -> anyhow::Result<String> {
        person.says(&format!("mallory@{}", self.mallory.domain), "hello").await?;
        let mut code = String::new();
        until("why there is no link", || {
            let link = node.link(self.mallory.domain.as_str()).unwrap_or_default();
            link["last_error"]["code"].as_str().unwrap_or_default().clone_into(&mut code);
            std::future::ready((!code.is_empty(), 0))
        })
        .await?;
        ensure!(self.station.links() == 0, "the node dialed {}", self.mallory.domain);
        Ok(code)
    }
}

async fn fingerprints(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut all = Vec::new();
    let mut flags = Vec::new();
    for n in 0..4 {
        let served = Served::new()?;
        let root = served.mallory.root.public();
        let letters = Fingerprint::of_key(&root).to_string();
        let hex: String = startalk_hostile::mallory::hash(&root).iter().map(|b| format!("{b:02x}")).collect();
        let print = [letters.clone(), letters.to_uppercase(), hex.clone(), hex.to_uppercase()][n].clone();
        flags.extend(["--peer".to_owned(), served.flag(&format!("#{print}"))]);
        all.push((print, served));
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (_node, carol) = g.own_node().another("configured", &flags).await?;
    for (print, served) in &mut all {
        carol.says(&format!("mallory@{}", served.mallory.domain), "hello").await?;
        let line = served.station.link(served.mallory.clone()).await;
        line.with_context(|| format!("configured with the fingerprint {print}"))?.lives().await?;
    }
    Ok(())
}

async fn answers(g: Arc<Ground>) -> anyhow::Result<()> {
    let served: Vec<Served> = (0..5).map(|_| Served::new()).collect::<Result<_, _>>()?;
    let [moved, long, other, wrong_print, status] = &served[..] else { anyhow::bail!("five of them") };
    let elsewhere = Station::open(&new_key())?;
    elsewhere.serve(http::answer(200, "", &moved.mallory.record_now()));
    let location = format!("Location: https://127.0.0.1:{}/.well-known/startalk/domain\r\n", elsewhere.address.port);
    moved.station.serve(http::answer(302, &location, b""));
    long.station.serve(http::answer(200, "", &[&long.mallory.record_now()[..], &[0; 20_000]].concat()));
    other.station.serve(http::answer(200, "", &wrong_print.mallory.record_now()));
    status.station.serve(http::answer(500, "", &status.mallory.record_now()));
    let mut flags = Vec::new();
    for one in &served {
        let print = Fingerprint::of_key(&if one.mallory.domain == wrong_print.mallory.domain {
            new_key().public()
        } else {
            one.mallory.root.public()
        });
        flags.extend(["--peer".to_owned(), one.flag(&format!("#{print}"))]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (node, carol) = g.own_node().another("answers", &flags).await?;
    for (what, one, expected) in [
        ("a redirect", moved, "unknown-domain"),
        ("an answer of 20 kB", long, "unknown-domain"),
        ("the record of another domain", other, "unknown-domain"),
        ("another key than was configured", wrong_print, "not-proven"),
        ("a failure", status, "unknown-domain"),
    ] {
        check(what, &one.not_linked(&node, &carol).await?, expected)?;
    }
    ensure!(elsewhere.requests() == 0, "a redirect was followed");
    Ok(())
}

/// A node that was not told that it may: a stranger's record leads it to this machine.
async fn private(g: Arc<Ground>) -> anyhow::Result<()> {
    let (mallory, station) = g.stationed(26).await?;
    let (node, carol) = g.own_node().another("public", &[]).await?;
    let served = Served { mallory, station };
    check("a private address", &served.not_linked(&node, &carol).await?, "unreachable")?;
    ensure!(served.station.requests() == 0, "the node connected to a private address");
    Ok(())
}

async fn served(g: Arc<Ground>) -> anyhow::Result<()> {
    let answer = http::ask_tls(&g.address, &g.domain, "/.well-known/startalk/domain").await?;
    ensure!(answer.status == 200, "status {}", answer.status);
    ensure!(answer.head.contains("content-type: application/x-protobuf\r\n"), "{}", answer.head);
    let record = DomainRecord::decode_signed(&answer.body, startalk_hostile::now_ms())
        .map_err(|e: Error| anyhow::anyhow!("the record: {}", e.words(Language::English)))?;
    let domain: &DomainName = record.domain();
    ensure!(*domain == g.domain, "the record of {domain}");
    Ok(())
}
