//! What a hub promises, over real sockets on loopback, with a clock that the tests move.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use startalk_hub::{Hub, Relay, limits, relay::Limits, serve};
use startalk_net::{
    AddressGuard, Discovery, DiscoveryConfig, HubClient, HubUrl, Listen, Names, bind_tcp,
    discovery::Peer,
    http::{HttpAnswer, HttpClient, HttpRequest, PlainHttp, header},
    hub::{Announced, HubError},
};
use startalk_protocol::{
    Code, DomainName,
    signing::SecretKey,
    trust::{
        CharterDraft, DomainRecord, Endpoint, Fingerprint, LinkKey, NavigationDocument, NavigationEndpoint, RecordDraft,
        Registration, SignedRecord, VerifiedRecord, recovery_hash, sign_charter, sign_record,
    },
};

const START: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn key_name(root: u8) -> DomainName {
    DomainName::of_key(&key(root).public())
}

struct Draft {
    root: u8,
    domain: DomainName,
    sequence: u64,
    listed: bool,
    name: String,
}

fn draft(root: u8) -> Draft {
    Draft { root, domain: key_name(root), sequence: 1, listed: true, name: format!("Domain {root}") }
}

fn signed(draft: &Draft, now_ms: i64) -> VerifiedRecord {
    let charter = CharterDraft {
        domain: draft.domain.clone(),
        line: Vec::new(),
        link_keys: vec![LinkKey {
            key: key(100).public().to_vec().into(),
            not_before_ms: START - HOUR,
            not_after_ms: START + 80 * 24 * HOUR,
        }],
        recovery_hash: recovery_hash(&key(200).public()),
        sequence: 1,
        gone: false,
    };
    let record = RecordDraft {
        endpoints: vec![Endpoint { host: "198.51.100.1".into(), port: 8443 }],
        sequence: draft.sequence,
        not_after_ms: now_ms + 24 * HOUR,
        display_name: draft.name.clone(),
        description: "A <b>place</b> & more.".into(),
        listed: draft.listed,
        registration: Registration::Open,
        sign_in: Vec::new(),
        navigation: None,
    };
    sign_record(&key(100), &sign_charter(&key(draft.root), charter).unwrap(), record, now_ms).unwrap()
}

struct Running {
    url: HubUrl,
    address: SocketAddr,
    clock: Arc<AtomicI64>,
    client: HubClient,
    stop: tokio::sync::watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
}

fn discovery(config: DiscoveryConfig) -> Discovery {
    // No name server answers at this address: nothing is asked outside.
    Discovery::new(DiscoveryConfig {
        name_servers: Some(vec!["127.0.0.1:1".parse().unwrap()]),
        timeout: Duration::from_secs(2),
        ..config
    })
    .unwrap()
}

async fn hub_with(config: DiscoveryConfig, behind_proxy: bool) -> Running {
    startalk_net::install_crypto();
    let clock = Arc::new(AtomicI64::new(START));
    let read = clock.clone();
    let (listener, address) = bind_tcp(Listen::Address("127.0.0.1:0".parse().unwrap())).unwrap();
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let relay = Relay::new(&[], Limits::default());
    let hub = Hub::new(discovery(config), Arc::new(move || read.load(Ordering::Relaxed)), behind_proxy, relay, stopping.clone());
    let served = tokio::spawn(serve::serve(vec![serve::Door { listener, tls: None, quic: None }], hub, stopping));
    let client = HubClient::new(Names::system(), Vec::new(), Duration::from_secs(5));
    Running { url: format!("http://{address}").parse().unwrap(), address, clock, client, stop, served }
}

async fn hub() -> Running {
    hub_with(DiscoveryConfig::default(), false).await
}

impl Running {
    async fn announce(&self, draft: &Draft) -> Result<Announced, HubError> {
        let record = signed(draft, self.clock.load(Ordering::Relaxed));
        self.client.announce(&self.url, record.bytes().clone()).await
    }

    async fn get(&self, path: &str, language: &str) -> HttpAnswer {
        let http = HttpClient {
            names: Names::system(),
            guard: AddressGuard::AllowPrivate,
            plain: PlainHttp::Loopback,
            timeout: Duration::from_secs(5),
            answer_bytes_max: 1 << 20,
        };
        let mut request = HttpRequest::get(format!("http://{}{path}", self.address).parse().unwrap());
        request.headers.insert(header::ACCEPT_LANGUAGE, language.parse().unwrap());
        http.send(request).await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        String::from_utf8(self.get(path, "en").await.body.to_vec()).unwrap()
    }

    fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }
}

fn code(result: Result<Announced, HubError>) -> Code {
    match result {
        Err(HubError::Refused(error)) => error.code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn what_is_announced_is_found_until_it_expires() {
    let hub = hub().await;
    assert_eq!(hub.client.lookup(&hub.url, &key_name(1)).await, Ok(None));
    assert_eq!(hub.announce(&draft(1)).await, Ok(Announced::Accepted));
    let bytes = hub.client.lookup(&hub.url, &key_name(1)).await.unwrap().unwrap();
    assert_eq!(DomainRecord::decode_signed(&bytes, START).unwrap(), signed(&draft(1), START));
    hub.pass(24 * HOUR - 1);
    assert!(hub.client.lookup(&hub.url, &key_name(1)).await.unwrap().is_some());
    hub.pass(1);
    assert_eq!(hub.client.lookup(&hub.url, &key_name(1)).await, Ok(None));
    assert!(!hub.page("/").await.contains("Domain 1"));
}

#[tokio::test]
async fn forged_and_older_records_are_refused() {
    let hub = hub().await;
    hub.announce(&Draft { sequence: 5, ..draft(1) }).await.unwrap();
    assert_eq!(code(hub.announce(&Draft { sequence: 4, ..draft(1) }).await), Code::OlderRecord);
    assert_eq!(hub.announce(&Draft { sequence: 5, ..draft(1) }).await, Ok(Announced::Accepted), "the same again");
    let good = signed(&draft(1), START);
    let mut forged: SignedRecord = prost_decode(good.bytes());
    forged.signature = forged.signature.iter().map(|b| b ^ 1).collect();
    assert_eq!(code(hub.client.announce(&hub.url, prost_encode(&forged)).await), Code::BadSignature);
    assert_eq!(code(hub.client.announce(&hub.url, Bytes::from_static(b"\xff")).await), Code::Malformed);
    assert_eq!(code(hub.client.announce(&hub.url, Bytes::from(vec![0; 17 * 1024])).await), Code::TooLarge);
    let late = signed(&draft(2), START);
    hub.pass(25 * HOUR);
    assert_eq!(code(hub.client.announce(&hub.url, late.bytes().clone()).await), Code::Expired);
}

fn prost_decode(bytes: &Bytes) -> SignedRecord {
    prost::Message::decode(bytes.clone()).unwrap()
}

fn prost_encode(record: &SignedRecord) -> Bytes {
    prost::Message::encode_to_vec(record).into()
}

#[tokio::test]
async fn a_floods_cost_is_bounded() {
    let hub = hub().await;
    let mut refused = 0;
    for _ in 0..2 * limits::ANNOUNCES_PER_MINUTE {
        match hub.client.announce(&hub.url, Bytes::from_static(b"junk")).await {
            Err(HubError::Refused(e)) if e.code == Code::SlowDown => refused += 1,
            Err(HubError::Refused(e)) => assert_eq!(e.code, Code::Malformed),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, limits::ANNOUNCES_PER_MINUTE);
    // Questions are counted apart, and a minute later all is well.
    assert_eq!(hub.client.lookup(&hub.url, &key_name(1)).await, Ok(None));
    hub.pass(60_000);
    for sequence in 1..=u64::from(limits::DOMAIN_ANNOUNCES_PER_MINUTE) {
        hub.announce(&Draft { sequence, ..draft(1) }).await.unwrap();
    }
    assert_eq!(code(hub.announce(&Draft { sequence: 99, ..draft(1) }).await), Code::SlowDown, "one domain");
    assert_eq!(hub.announce(&draft(2)).await, Ok(Announced::Accepted), "not another");
}

#[tokio::test]
async fn the_page_lists_who_asked_and_proved() {
    let hub = hub().await;
    hub.announce(&draft(1)).await.unwrap();
    hub.announce(&Draft { listed: false, ..draft(2) }).await.unwrap();
    // A DNS name that nothing proves: found by name, not listed.
    let dns = Draft { domain: "claimed.example".parse().unwrap(), ..draft(3) };
    assert_eq!(hub.announce(&dns).await, Ok(Announced::Accepted));
    hub.announce(&Draft { name: "<script>".into(), ..draft(4) }).await.unwrap();
    let page = hub.page("/").await;
    assert!(page.contains("Domain 1") && page.contains("A &lt;b&gt;place&lt;/b&gt; &amp; more."), "{page}");
    assert!(!page.contains("Domain 2") && !page.contains("Domain 3") && !page.contains("<script"), "{page}");
    assert!(hub.client.lookup(&hub.url, &dns.domain).await.unwrap().is_some());
    assert!(!hub.page("/?q=nothing").await.contains("Domain 1"));
    assert!(hub.page("/?q=domain%201").await.contains("Domain 1"));
    let chinese = hub.get("/", "zh-CN,zh;q=0.9").await;
    assert!(String::from_utf8_lossy(&chinese.body).contains("星语域名录"));
    assert!(hub.page("/?lang=zh").await.contains("开放注册"));
    let policy = chinese.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    assert_eq!(hub.get("/style.css", "en").await.status, 200);
    assert_eq!(hub.page("/healthz").await, "ok\n");
}

#[tokio::test]
async fn a_proven_name_is_listed_and_no_stranger_replaces_it() {
    // The proof here is the configuration; discovery's own tests have DNSSEC and well-known.
    let domain: DomainName = "proven.example".parse().unwrap();
    let peer =
        Peer { endpoint: Endpoint { host: "127.0.0.1".into(), port: 1 }, root: Some(Fingerprint::of_key(&key(1).public())) };
    let hub = hub_with(DiscoveryConfig { peers: [(domain.clone(), peer)].into(), ..DiscoveryConfig::default() }, false).await;
    // The stranger is first.
    let stranger = Draft { domain: domain.clone(), name: "Stranger".into(), ..draft(9) };
    let owner = Draft { domain: domain.clone(), name: "Owner".into(), ..draft(1) };
    assert_eq!(hub.announce(&stranger).await, Ok(Announced::Accepted));
    assert_eq!(hub.announce(&owner).await, Ok(Announced::Pending));
    let found = async || hub.client.lookup(&hub.url, &domain).await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while found().await != signed(&owner, START).bytes() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the owner is proven and replaces the stranger");
    assert!(hub.page("/").await.contains("Owner"));
    assert_eq!(code(hub.announce(&Draft { sequence: 9, ..stranger }).await), Code::RootKeyChanged);
    assert_eq!(hub.announce(&Draft { sequence: 2, ..owner }).await, Ok(Announced::Accepted));
}

#[tokio::test]
async fn clients_get_navigation_that_they_can_verify() {
    let hub = hub().await;
    hub.announce(&draft(1)).await.unwrap();
    let answer = hub.get(&format!("/v1/navigation/{}", key_name(1)), "en").await;
    let navigation: NavigationDocument = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (navigation.display_name.as_str(), navigation.registration.as_str(), navigation.proof.as_deref()),
        ("Domain 1", "open", Some("key-name"))
    );
    assert_eq!(navigation.endpoints, [NavigationEndpoint { host: "198.51.100.1".into(), port: 8443 }]);
    let record = data_encoding::BASE64.decode(navigation.record.as_bytes()).unwrap();
    assert!(DomainRecord::decode_signed(&record, START).is_ok());
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let unknown = hub.get("/v1/navigation/nobody.example", "en").await;
    assert_eq!(
        (&answer.headers[header::CACHE_CONTROL], &unknown.headers[header::CACHE_CONTROL]),
        (&"public, max-age=60".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert_eq!((unknown.status.as_u16(), &unknown.body[..16]), (404, &b"{\"code\":\"unknown"[..]));
    assert_eq!(hub.get("/v1/navigation/..%2f..", "en").await.status, 400);
}

#[tokio::test]
async fn behind_a_proxy_askers_are_told_apart() {
    let hub = hub_with(DiscoveryConfig::default(), true).await;
    let ask = async |from: &str| {
        let http = HttpClient {
            names: Names::system(),
            guard: AddressGuard::AllowPrivate,
            plain: PlainHttp::Loopback,
            timeout: Duration::from_secs(5),
            answer_bytes_max: 4096,
        };
        let mut request =
            HttpRequest::post(format!("http://{}/v1/announce", hub.address).parse().unwrap(), Bytes::from_static(b"junk"));
        request.headers.insert("x-forwarded-for", from.parse().unwrap());
        http.send(request).await.unwrap().status.as_u16()
    };
    for _ in 0..limits::ANNOUNCES_PER_MINUTE {
        assert_eq!(ask("203.0.113.1").await, 400);
    }
    assert_eq!(ask("203.0.113.1").await, 429);
    assert_eq!(ask("203.0.113.2, 203.0.113.1").await, 429, "the last is the proxy's own word");
    assert_eq!(ask("203.0.113.1, 203.0.113.2").await, 400);
}

#[tokio::test]
async fn it_stops_when_told_although_connections_are_open() {
    let hub = hub().await;
    let idle = tokio::net::TcpStream::connect(hub.address).await.unwrap();
    hub.get("/healthz", "en").await;
    hub.stop.send(true).unwrap();
    tokio::time::timeout(limits::STOP_TIMEOUT + Duration::from_secs(2), hub.served).await.expect("stops in time").unwrap();
    assert!(tokio::net::TcpStream::connect(hub.address).await.is_err());
    drop(idle);
}
