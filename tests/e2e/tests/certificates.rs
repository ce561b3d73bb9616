//! Certificates that a node gets by itself, from a real ACME server: while that is away, by the node's own port, by DNS, renewed
//! in time and under open connections, and what is said when it does not go.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use startalk_e2e::{DnsHook, Node, Pebble, World, until};
use startalk_examples::processes::Process;
use startalk_net::{
    AddressGuard, Connect, Names, RootCertificate, Verify, connect_tls,
    http::{HttpClient, HttpRequest, PlainHttp},
    roots_from_pem,
};
use startalk_protocol::trust::Endpoint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const NAME: &str = "chat.company.example";
/// As long as tests take and longer.
const LONG: u64 = 90 * 24 * 3600;

/// A node that is not started, whose certificates come from `pebble`.
fn node(world: &World, pebble: &Pebble, more: &[&str]) -> anyhow::Result<Node> {
    let (directory, root) = (pebble.directory(), pebble.root());
    let flags = ["--domain", NAME, "--acme", "--acme-contact", "admin@company.example", "--acme-directory", &directory];
    let mut node = world.unstarted("a", &flags);
    node.flags.extend(["--acme-roots".to_owned(), root.to_str().context("a path")?.to_owned()]);
    node.flags.extend(more.iter().map(|f| (*f).to_owned()));
    node.environment.push(("STARTALK_TIMINGS".into(), "fast".into()));
    node.environment.push(("STARTALK_LOG".into(), "trace".into())); // whatever is said anywhere is looked through
    Ok(node)
}

/// What `startalk doctor` finds of the certificate: its state, and the words in both languages.
fn finding(node: &Node) -> anyhow::Result<(String, String)> {
    let answer = node.ask(&["doctor"])?;
    let all = answer["findings"].as_array().context("findings")?;
    let found = all.iter().find(|f| f["check"] == "certificate").with_context(|| format!("certificate in {answer}"))?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    Ok((text(&found["state"]), text(&found["words"]["en"]) + &text(&found["words"]["zh"])))
}

/// Failures in a row, and when the certificate ends, out of the metrics.
fn metric(node: &Node, name: &str) -> anyhow::Result<Option<f64>> {
    let page = node.ask(&["metrics"])?["metrics"].as_str().context("metrics")?.to_owned();
    Ok(page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()))
}

/// Waits until `doctor` says so.
async fn until_found(node: &Node, state: &str, words: &str) -> anyhow::Result<()> {
    let look = || async {
        let found = finding(node).unwrap_or_default();
        // Moves while anything is tried.
        (
            found.0 == state && found.1.contains(words),
            metric(node, "startalk_certificate_failures ").ok().flatten().unwrap_or(0.0) as u64,
        )
    };
    until(&format!("{state}: {words}"), look).await.with_context(|| format!("{:?}", finding(node)))
}

/// The root of what the authority signs.
async fn signed_by(pebble: &Pebble) -> anyhow::Result<Vec<RootCertificate>> {
    let client = HttpClient {
        names: Names::system(),
        guard: AddressGuard::new(true),
        plain: PlainHttp::Never,
        timeout: Duration::from_secs(60),
        answer_bytes_max: 65_536,
    };
    let mut request = HttpRequest::get(pebble.signing_root().parse()?);
    request.verify = Verify::Web { extra_roots: roots_from_pem(&std::fs::read(pebble.root())?)? };
    Ok(roots_from_pem(&client.send(request).await?.body)?)
}

/// A connection of a browser that trusts these roots alone besides the web's.
struct Browser {
    stream: startalk_net::TlsConnection,
}

impl Browser {
    async fn open(port: u64, roots: &[RootCertificate]) -> anyhow::Result<Self> {
        Self::asking_for(NAME, port, roots).await
    }

    async fn asking_for(name: &str, port: u64, roots: &[RootCertificate]) -> anyhow::Result<Self> {
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: u32::try_from(port)? };
        let stream = connect_tls(&Connect {
            endpoints: std::slice::from_ref(&endpoint),
            server_name: name,
            verify: Verify::Web { extra_roots: roots.to_vec() },
            alpn: &[startalk_net::ALPN_HTTP1],
            certificate: None,
            guard: AddressGuard::new(true),
            names: &Names::system(),
            timeout: Duration::from_secs(60),
        })
        .await?;
        Ok(Self { stream })
    }

    /// The certificate that it was shown, DER.
    fn shown(&self) -> Vec<u8> {
        self.stream.stream.get_ref().1.peer_certificates().and_then(|c| c.first()).map(|c| c.to_vec()).unwrap_or_default()
    }

    /// Asks something on this connection.
    async fn ask(&mut self) -> anyhow::Result<()> {
        let stream = &mut self.stream.stream;
        stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok\n") {
            ensure!(stream.read_buf(&mut answer).await? > 0, "it ended: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }
}

/// Waits until a browser with these roots is shown another certificate than `known`; gives it.
async fn shown(port: u64, roots: &[RootCertificate], known: &[u8]) -> anyhow::Result<Vec<u8>> {
    let look = || async {
        let now = Browser::open(port, roots).await.map(|b| b.shown()).unwrap_or_default();
        (!now.is_empty() && now != known, 0)
    };
    until("another certificate", look).await?;
    Ok(Browser::open(port, roots).await?.shown())
}

fn secret(node: &Node, name: &str) -> anyhow::Result<String> {
    let path = node.data.join("keys").join(name);
    ensure!(std::fs::metadata(&path)?.permissions().mode() & 0o777 == 0o600, "{name} is for its owner alone");
    Ok(std::fs::read_to_string(path)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_comes_is_renewed_under_open_connections_and_kept_over_a_restart() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut pebble = Pebble::new(world.folder.join("pebble"))?;
    let mut node = node(&world, &pebble, &[])?;
    node.start()?;

    // The authority is away: it is said, the node serves all the same, and tries again.
    until_found(&node, "bad", "the authority cannot be asked").await?;
    ensure!(finding(&node)?.1.contains("无法访问证书机构"));
    let look = || async { (metric(&node, "startalk_certificate_failures ").ok().flatten() >= Some(2.0), 0) };
    until("a second try", look).await?;

    pebble.start(node.port, 30, 20)?;
    let roots = signed_by(&pebble).await?;
    let first = shown(node.port, &roots, b"").await?;
    until_found(&node, "good", NAME).await?;
    ensure!(metric(&node, "startalk_certificate_failures ")? == Some(0.0));
    let ends = metric(&node, "startalk_certificate_expires_seconds ")?.context("when it ends")?;

    let mut open = Browser::open(node.port, &roots).await?;
    open.ask().await?;
    let second = shown(node.port, &roots, &first).await?;
    ensure!(metric(&node, "startalk_certificate_expires_seconds ")?.context("when it ends")? > ends);
    open.ask().await.context("on the connection from before")?;

    // For longer than this test takes, so that what is served after the restart is not yet another one.
    pebble.stop()?;
    pebble.start(node.port, LONG, 20)?;
    let roots = signed_by(&pebble).await?;
    let third = shown(node.port, &roots, &second).await?;
    node.stop()?;
    pebble.stop()?;
    node.start()?;
    ensure!(Browser::open(node.port, &roots).await?.shown() == third, "what was kept is served from the start");
    ensure!(finding(&node)?.0 == "good", "and nothing is asked");

    let account: Value = serde_json::from_str(&secret(&node, "acme-account.json")?)?;
    let key = account["key_pkcs8"].as_str().context("the account's key")?;
    let pem = secret(&node, "acme.pem")?;
    let own = pem.lines().skip_while(|l| !l.contains("PRIVATE KEY")).nth(1).context("the certificate's key")?;
    let said = node.said();
    ensure!(!said.contains(key) && !said.contains(own), "no key is in the log");
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_proven_is_explained_and_an_account_that_was_forgotten_is_made_anew() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut pebble = Pebble::new(world.folder.join("pebble"))?;
    let mut node = node(&world, &pebble, &[])?;
    pebble.start(1, LONG, 0)?; // where nobody listens
    node.start()?;
    until_found(&node, "bad", &format!("could not see that {NAME} is this node")).await?;
    ensure!(finding(&node)?.1.contains("443 端口"));

    let account = secret(&node, "acme-account.json")?;
    pebble.stop()?;
    pebble.start(node.port, LONG, 0)?;
    shown(node.port, &signed_by(&pebble).await?, b"").await?;
    ensure!(secret(&node, "acme-account.json")? != account);
    world.done();
    Ok(())
}

/// What the hub that forwards is called.
const RELAY: &str = "relay.example";

/// A hub that forwards, on loopback.
struct Relay {
    port: u64,
    url: String,
    _process: Process,
}

impl Relay {
    fn start(world: &World, flags: &[&str]) -> anyhow::Result<Self> {
        let command = || {
            let mut command = std::process::Command::new(world.binaries.join("startalk-hub"));
            let files = [world.folder.join("relay.pem"), world.folder.join("relay.key")];
            command.arg("--certificate").arg(&files[0]).arg("--key").arg(&files[1]).args(["--name", RELAY]);
            command
        };
        ensure!(command().arg("--make-certificate").output()?.status.success(), "the hub's certificate");
        let mut start = command();
        start.args(["--json", "--pin", "--allow-private-addresses", "--listen", "127.0.0.1:0"]).args(flags);
        let process = Process::spawn(start, &world.folder.join("relay.log"))?;
        let url = process.text("hub_url")?.to_owned();
        let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split(['/', '#']).next()?.parse().ok()).context("a port")?;
        Ok(Self { port, url, _process: process })
    }

    /// A node behind it, not started. Every name is 127.0.0.1 to its DNS, the hub's too.
    fn node(&self, world: &World, pebble: &Pebble, flags: &[&str]) -> Node {
        let name_server = pebble.name_server();
        let all = [&["--via", &self.url, "--name-server", &name_server, "--allow-private-addresses"], flags].concat();
        let mut node = world.unstarted("a", &all);
        node.environment.push(("STARTALK_TIMINGS".into(), "fast".into()));
        node
    }
}

/// What a node is told to get a certificate for a name on its own port.
fn certificate_for(name: &str, pebble: &Pebble) -> anyhow::Result<Vec<String>> {
    let (directory, root) = (pebble.directory(), pebble.root());
    let root = root.to_str().context("a path")?;
    let flags = ["--acme", "--acme-name", name, "--acme-directory", &directory, "--acme-roots", root];
    Ok(flags.map(str::to_owned).to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_a_hub_proves_its_address_through_it() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut pebble = Pebble::new(world.folder.join("pebble"))?;
    let relay = Relay::start(&world, &[])?;
    pebble.start(relay.port, LONG, 0)?;
    let mut node = relay.node(&world, &pebble, &[]);
    node.start()?;
    let address = format!("{}.{RELAY}", node.domain.split('.').next().context("a label")?);
    node.stop()?;
    node.flags.extend(certificate_for(&address, &pebble)?);
    node.start()?;

    let roots = signed_by(&pebble).await?;
    let look = || async { (Browser::asking_for(&address, relay.port, &roots).await.is_ok(), 0) };
    until("a certificate for the address under the hub", look).await.with_context(|| format!("{:?}", finding(&node)))?;
    until_found(&node, "good", &address).await?;
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_a_hub_proves_a_name_of_its_own_through_it_once_dns_says_so() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut pebble = Pebble::new(world.folder.join("pebble"))?;
    let name_server = pebble.name_server();
    let relay = Relay::start(&world, &["--name-server", &name_server])?;
    pebble.start(relay.port, LONG, 0)?;
    let mut node = relay.node(&world, &pebble, &["--domain", NAME]);
    node.flags.extend(certificate_for(NAME, &pebble)?);
    node.start()?;
    // Anybody can say to be called so: what comes for the name ends at the hub.
    until_found(&node, "bad", &format!("could not see that {NAME} is this node")).await?;
    node.stop()?;

    let root = blake3::hash(&std::fs::read(node.data.join("keys/root.pub"))?).to_hex();
    pebble.set_text(&format!("_startalk.{NAME}"), &format!("startalk-root={root}"))?;
    node.start()?;
    let roots = signed_by(&pebble).await?;
    let look = || async { (Browser::open(relay.port, &roots).await.is_ok(), 0) };
    until("a certificate for a name of its own", look).await.with_context(|| format!("{:?}", finding(&node)))?;
    Browser::open(relay.port, &roots).await?.ask().await.context("through the hub")?;
    until_found(&node, "good", NAME).await?;
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_proven_by_dns_where_the_port_cannot_be_reached() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut pebble = Pebble::new(world.folder.join("pebble"))?;
    let hook = DnsHook::new(&world.folder, &pebble)?;
    let mut node = node(&world, &pebble, &["--acme-dns-hook", &hook.program, "--acme-name", "im.company.example"])?;
    pebble.start(1, LONG, 0)?;
    node.start()?;
    until_found(&node, "bad", "the zone is locked").await?;
    hook.may()?;
    shown(node.port, &signed_by(&pebble).await?, b"").await?;
    until_found(&node, "good", "im.company.example").await?;

    // What was set is taken away again, also what failed.
    let said = hook.calls()?;
    for name in [NAME, "im.company.example"] {
        let count = |verb: &str| said.lines().filter(|l| *l == format!("{verb} _acme-challenge.{name}")).count();
        ensure!(count("present") == count("cleanup"), "{said}");
    }
    ensure!(said.lines().filter(|l| l.starts_with("present")).count() >= 3, "{said}");
    world.done();
    Ok(())
}
