//! What a hub forwards, to whom: over real QUIC and TLS on loopback, with a real DNS server.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use hickory_server::{
    Server as DnsServer,
    net::runtime::TokioRuntimeProvider,
    proto::rr::{Name, RData, Record, rdata},
    store::in_memory::InMemoryZoneHandler,
    zone_handler::{AxfrPolicy, Catalog, ZoneType},
};
use startalk_hub::{Hub, Relay, relay::Limits, serve};
use startalk_net::{
    CertResolver, Discovery, DiscoveryConfig, HubUrl, LinkCertificate, Listen, Names, ServerTls, WebCertificate, bind,
};
use startalk_protocol::{
    DomainName,
    signing::SecretKey,
    trust::{CharterDraft, Fingerprint, LinkKey, RecordDraft, Registration, recovery_hash, sign_charter, sign_record},
};
use startalk_tether::{Config, Over, State, Timings, keep};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

const HOUR: i64 = 3_600_000;
const START: i64 = 1_800_000_000_000;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// A DNS server that names a root key for `mine.test`, and another for `other.test`.
async fn dns(root: [u8; 32]) -> SocketAddr {
    let origin: Name = "test.".parse().unwrap();
    let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny, None);
    let soa = rdata::SOA::new("ns.test.".parse().unwrap(), "admin.test.".parse().unwrap(), 1, 3600, 600, 86_400, 60);
    zone.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 1);
    for (domain, root) in [("mine.test", root), ("other.test", [9; 32])] {
        let text = format!("startalk-root={}", Fingerprint::of_key(&root));
        let record =
            Record::from_rdata(format!("_startalk.{domain}.").parse().unwrap(), 60, RData::TXT(rdata::TXT::new(vec![text])));
        zone.upsert_mut(record, 1);
    }
    let mut catalog = Catalog::new();
    catalog.upsert(origin.into(), vec![Arc::new(zone)]);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = DnsServer::new(catalog);
    server.register_socket(socket);
    tokio::spawn(async move { server.block_until_done().await });
    address
}

struct Running {
    url: HubUrl,
    port: u16,
    relay: Relay,
    _stop: watch::Sender<bool>,
}

async fn hub(with_quic: bool) -> Running {
    hub_with(with_quic, Limits::default()).await
}

async fn hub_with(with_quic: bool, limits: Limits) -> Running {
    startalk_net::install_crypto();
    let web = WebCertificate::self_made(vec!["localhost".to_owned()], START).unwrap();
    let tls = ServerTls::of_hub(&CertResolver::new(None, Some(&web))).unwrap();
    let listeners = bind(Listen::Address("127.0.0.1:0".parse().unwrap()), Some(tls.quic().unwrap())).unwrap();
    let config = DiscoveryConfig {
        name_servers: Some(vec![dns(key(1).public()).await]),
        timeout: Duration::from_secs(2),
        well_known_port: 1, // nobody there
        ..DiscoveryConfig::default()
    };
    let (stop, stopping) = watch::channel(false);
    let relay = Relay::new(&["localhost".to_owned()], limits);
    let hub = Hub::new(Discovery::new(config).unwrap(), Arc::new(|| START), false, relay.clone(), stopping.clone());
    // Without: nobody answers on UDP, as where a network drops it.
    let quic = if with_quic { Some(listeners.quic) } else { None };
    let door = serve::Door { listener: listeners.tcp, tls: Some(tls), quic };
    tokio::spawn(serve::serve(vec![door], hub, stopping));
    let url = format!("https://localhost:{}", listeners.port);
    Running { url: HubUrl::new(&url, Some(web.fingerprint())).unwrap(), port: listeners.port, relay, _stop: stop }
}

/// Which server names were asked for, and from where.
type Served = Arc<Mutex<Vec<(String, String)>>>;

/// A node with this root key, called so; how it stands, and what reached it.
fn node(hub: &Running, root: u8, domain: &DomainName) -> (watch::Receiver<State>, Served) {
    node_that(hub, root, domain, false)
}

/// The same, which perhaps holds what reaches it as long as the other side does.
fn node_that(hub: &Running, root: u8, domain: &DomainName, holds: bool) -> (watch::Receiver<State>, Served) {
    let charter = CharterDraft {
        domain: domain.clone(),
        line: Vec::new(),
        link_keys: vec![LinkKey {
            key: key(100).public().to_vec().into(),
            not_before_ms: START,
            not_after_ms: START + 48 * HOUR,
        }],
        recovery_hash: recovery_hash(&key(200).public()),
        sequence: 1,
        gone: false,
    };
    let draft = RecordDraft {
        endpoints: Vec::new(),
        sequence: 1,
        not_after_ms: START + HOUR,
        display_name: String::new(),
        description: String::new(),
        listed: false,
        registration: Registration::Closed,
        sign_in: Vec::new(),
        navigation: None,
    };
    let record = sign_record(&key(100), &sign_charter(&key(root), charter).unwrap(), draft, START).unwrap();
    let (records, seen) = watch::channel(record.bytes().clone());
    let served: Served = Arc::default();
    let taken = served.clone();
    let config = Config {
        hub: hub.url.clone(),
        names: Names::system(),
        endpoint: startalk_net::client_endpoint().unwrap(),
        extra_roots: Vec::new(),
        certificate: Arc::new(|| LinkCertificate::new(&key(100)).unwrap()),
        records: seen,
        serve: Arc::new(move |mut forwarded| {
            let taken = taken.clone();
            tokio::spawn(async move {
                // It begins as TLS does.
                assert_eq!(forwarded.stream.read_u8().await.unwrap(), 22);
                taken.lock().unwrap().push((forwarded.server_name, forwarded.from.to_string()));
                if holds {
                    let _ = tokio::io::copy(&mut forwarded.stream, &mut tokio::io::sink()).await;
                }
            });
        }),
        random: Arc::new(|| 0),
        timings: Timings { quic_head_start: Duration::from_millis(300), ..Timings::default() },
    };
    let (state, standing) = watch::channel(State::Trying);
    tokio::spawn(async move {
        keep(config, state).await;
        drop(records);
    });
    (standing, served)
}

/// Asks for a name at the hub; it does not matter what comes of the handshake.
async fn ask(hub: &Running, name: &str) {
    use startalk_net::{ALPN_HTTP1, AddressGuard, Connect, Verify, connect_tls};
    let endpoint = startalk_protocol::trust::Endpoint { host: "127.0.0.1".into(), port: hub.port.into() };
    let what = Connect {
        endpoints: &[endpoint],
        server_name: name,
        verify: Verify::AnyCertificate,
        alpn: &[ALPN_HTTP1],
        certificate: None,
        guard: AddressGuard::AllowPrivate,
        names: &Names::system(),
        timeout: Duration::from_secs(10),
    };
    let _ = connect_tls(&what).await;
}

async fn up(state: &mut watch::Receiver<State>, with: impl Fn(&[String]) -> bool) -> (Over, Vec<String>) {
    let state =
        tokio::time::timeout(Duration::from_secs(60), state.wait_for(|s| matches!(s, State::Up { names, .. } if with(names))))
            .await
            .expect("names in time")
            .unwrap()
            .clone();
    let State::Up { over, names, .. } = state else { unreachable!() };
    (over, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_key_always_and_a_dns_name_only_while_dns_names_the_key() {
    let hub = hub(true).await;
    let of_key = DomainName::of_key(&key(1).public());
    let label = of_key.as_str().split('.').next().unwrap().to_owned();
    let (mut mine, served) = node(&hub, 1, &"mine.test".parse().unwrap());
    let (over, names) = up(&mut mine, |names| names.len() == 3).await;
    assert_eq!(over, Over::Quic);
    assert_eq!(names, [of_key.to_string(), format!("{label}.localhost"), "mine.test".to_owned()]);
    // DNS names another key for it: its own names alone.
    let (mut other, others) = node(&hub, 2, &"other.test".parse().unwrap());
    assert_eq!(up(&mut other, |_| true).await.1.len(), 2);
    for name in ["MINE.test", of_key.as_str(), &format!("{label}.localhost"), "other.test", "nobody.test"] {
        ask(&hub, name).await;
    }
    let got = served.lock().unwrap().clone();
    let expected = ["mine.test".to_owned(), of_key.to_string(), format!("{label}.localhost")];
    assert_eq!(got, expected.map(|name| (name, "127.0.0.1".to_owned())));
    assert!(others.lock().unwrap().is_empty(), "nothing for a name that is not its own: {others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_each_connection_is_fetched() {
    let hub = hub(false).await;
    let domain = DomainName::of_key(&key(1).public());
    let (mut state, served) = node(&hub, 1, &domain);
    assert_eq!(up(&mut state, |_| true).await.0, Over::Tls);
    let asked = async || ask(&hub, domain.as_str()).await;
    tokio::join!(asked(), asked(), asked());
    assert_eq!(*served.lock().unwrap(), vec![(domain.to_string(), "127.0.0.1".to_owned()); 3]);
}

/// A ClientHello for a name, and nothing after it.
async fn hold(hub: &Running, name: &str) -> TcpStream {
    let mut client = rustls::ClientConnection::new(
        Arc::new(startalk_net::verify::client_config(&startalk_net::Verify::AnyCertificate, &[], None).unwrap()),
        name.to_owned().try_into().unwrap(),
    )
    .unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", hub.port)).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_for_one_domain_is_bounded_and_leaves_room_for_another() {
    let limits = Limits { connections: 64, connections_per_domain: 1000, connections_per_address: 1000, ..Limits::default() };
    let hub = hub_with(true, limits).await;
    let [flooded, quiet] = [1, 2].map(|n| DomainName::of_key(&key(n).public()));
    let (mut first, much) = node_that(&hub, 1, &flooded, true);
    let (mut second, little) = node_that(&hub, 2, &quiet, true);
    up(&mut first, |_| true).await;
    up(&mut second, |_| true).await;
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(hold(&hub, flooded.as_str()).await);
    }
    let refused = async {
        while hub.relay.standing().refused + hub.relay.standing().forwarded < 300 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("all are judged");
    let standing = hub.relay.standing();
    assert!((16..=33).contains(&standing.open), "about half of all, with nobody else there: {standing:?}");
    held.push(hold(&hub, quiet.as_str()).await);
    let through = async {
        while little.lock().unwrap().is_empty() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), through).await.expect("there is room for the other domain");
    assert!(much.lock().unwrap().len() <= 33, "{}", much.lock().unwrap().len());
    // Who goes makes room again.
    drop(held);
    let gone = async {
        while hub.relay.standing().open > 0 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("nothing is held any more");
    let before = much.lock().unwrap().len();
    let _again = hold(&hub, flooded.as_str()).await;
    let through = async {
        while much.lock().unwrap().len() == before {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), through).await.expect("there is room again");
}
