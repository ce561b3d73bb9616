//! Discovery against a real DNS server, real TLS servers and a real hub's answers, all on loopback.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use hickory_server::{
    Server as DnsServer,
    dnssec::NxProofKind,
    net::runtime::TokioRuntimeProvider,
    proto::{
        dnssec::{Algorithm, DnssecSigner, SigningKey, crypto::EcdsaSigningKey, rdata::DNSKEY},
        rr::{Name, RData, Record, rdata},
    },
    store::in_memory::InMemoryZoneHandler,
    zone_handler::{AxfrPolicy, Catalog, ZoneHandler, ZoneType},
};
use startalk_protocol::{
    signing::SecretKey,
    trust::{
        CharterDraft, LinkKey, RecordDraft, Registration, VerifiedRecord, recovery_hash, sign_charter, sign_record,
        succession_step,
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{CertResolver, ServerTls, WebCertificate, install_crypto};

const HOUR: i64 = 3_600_000;

#[expect(clippy::disallowed_methods, reason = "rustls and hickory compare with the real clock")]
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn record_of(root: u8, domain: &str, sequence: u64) -> VerifiedRecord {
    let now = now();
    let charter = CharterDraft {
        domain: domain.parse().unwrap(),
        line: Vec::new(),
        link_keys: vec![LinkKey {
            key: key(100).public().to_vec().into(),
            not_before_ms: now - HOUR,
            not_after_ms: now + 48 * HOUR,
        }],
        recovery_hash: recovery_hash(&key(200).public()),
        sequence: 1,
        gone: false,
    };
    let draft = RecordDraft {
        endpoints: vec![Endpoint { host: "198.51.100.1".into(), port: 443 }],
        sequence,
        not_after_ms: now + HOUR,
        display_name: String::new(),
        description: String::new(),
        listed: false,
        registration: Registration::Closed,
        sign_in: Vec::new(),
        navigation: None,
    };
    sign_record(&key(100), &sign_charter(&key(root), charter).unwrap(), draft, now).unwrap()
}

/// An HTTPS server that answers every request with `status` and `body`, and its certificate.
async fn https(status: u16, body: Bytes) -> (SocketAddr, CertificateDer<'static>) {
    install_crypto();
    let names = ["*.plain.test", "*.signed.test", "127.0.0.1"].map(str::to_owned).to_vec();
    let web = WebCertificate::self_made(names, now()).unwrap();
    let tls = ServerTls::new(&CertResolver::new(None, Some(&web)), false).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (tls, body) = (tls.clone(), body.clone());
            tokio::spawn(async move {
                let Ok(mut accepted) = tls.accept(tcp).await else { return };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(accepted.stream.read_u8().await.unwrap());
                }
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
                accepted.stream.write_all(head.as_bytes()).await.unwrap();
                accepted.stream.write_all(&body).await.unwrap();
                let _ = accepted.stream.shutdown().await;
            });
        }
    });
    (address, web.certificate().clone())
}

/// A plain HTTP hub that answers every request with `status` and `body`.
async fn hub(status: u16, body: Bytes) -> HubUrl {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut request = [0; 2048];
            let _ = tcp.read(&mut request).await;
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = tcp.write_all(head.as_bytes()).await;
            let _ = tcp.write_all(&body).await;
        }
    });
    format!("http://{address}").parse().unwrap()
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn a(host: &str) -> Record {
    Record::from_rdata(name(host), 60, RData::A(rdata::A::new(127, 0, 0, 1)))
}

fn srv(domain: &str, port: u16) -> Record {
    Record::from_rdata(
        name(&format!("_startalk._udp.{domain}")),
        60,
        RData::SRV(rdata::SRV::new(0, 0, port, name(&format!("node.{domain}")))),
    )
}

fn txt(domain: &str, root: u8) -> Record {
    let value = format!("startalk-root={}", Fingerprint::of_key(&key(root).public()));
    Record::from_rdata(name(&format!("_startalk.{domain}")), 60, RData::TXT(rdata::TXT::new(vec![value])))
}

/// A DNS server for the zones `plain.test` and `signed.test`, the second under DNSSEC with the anchor returned.
async fn dns(records: Vec<Record>) -> (SocketAddr, Arc<TrustAnchors>) {
    let mut catalog = Catalog::new();
    let mut anchors = TrustAnchors::empty();
    for zone in ["plain.test", "signed.test"] {
        let origin = name(zone);
        let mut handler = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
            origin.clone(),
            ZoneType::Primary,
            AxfrPolicy::Deny,
            Some(NxProofKind::Nsec),
        );
        let soa = rdata::SOA::new(name("ns.test"), name("admin.test"), 1, 60, 60, 60, 60);
        handler.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 0);
        for record in records.iter().filter(|r| origin.zone_of(&r.name)) {
            handler.upsert_mut(record.clone(), 0);
        }
        if zone == "signed.test" {
            let pkcs8 = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
            let signing = EcdsaSigningKey::from_pkcs8(&pkcs8, Algorithm::ECDSAP256SHA256).unwrap();
            let public = signing.to_public_key().unwrap();
            anchors.insert_with_name(&public, origin.clone().into());
            let signer =
                DnssecSigner::new(DNSKEY::from_key(&public), Box::new(signing), origin.clone(), Duration::from_secs(3600));
            handler.add_zone_signing_key_mut(signer).unwrap();
            handler.secure_zone_mut().unwrap();
        }
        let handler: Arc<dyn ZoneHandler> = Arc::new(handler);
        catalog.upsert(origin.into(), vec![handler]);
    }
    let mut server = DnsServer::new(catalog);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    server.register_socket(socket);
    tokio::spawn(async move { server.block_until_done().await });
    (address, Arc::new(anchors))
}

async fn config(records: Vec<Record>) -> DiscoveryConfig {
    install_crypto();
    let (address, anchors) = dns(records).await;
    DiscoveryConfig {
        name_servers: Some(vec![address]),
        allow_private_addresses: true,
        trust_anchors: Some(anchors),
        well_known_port: 1,
        timeout: Duration::from_secs(5),
        ..DiscoveryConfig::default()
    }
}

async fn find(config: DiscoveryConfig, domain: &str) -> Result<Found, NotFound> {
    Discovery::new(config).unwrap().find(&domain.parse().unwrap(), now()).await
}

fn contradicted(result: Result<Found, NotFound>) -> bool {
    let steps = result.expect_err("must not be used").steps;
    steps.iter().any(|s| matches!(s.outcome, Outcome::Contradicted(_)))
}

#[tokio::test]
async fn every_failed_step_is_named_in_both_languages() {
    let mut config = config(vec![a("b.plain.test")]).await;
    config.hubs = vec![hub(404, Bytes::new()).await];
    let hub_name = config.hubs[0].name().to_owned();
    let not_found = find(config, "b.plain.test").await.unwrap_err();
    assert_eq!(
        not_found.words(Language::English),
        format!("DNS: no SRV record; well-known: connection refused; hub {hub_name}: unknown domain")
    );
    assert_eq!(
        not_found.words(Language::Chinese),
        format!("DNS：没有 SRV 记录；well-known：连接被拒绝；枢纽 {hub_name}：不认识此域")
    );
    assert_eq!(not_found.steps.iter().map(|s| s.outcome.code()).collect::<Vec<_>>(), ["no-srv", "no-answer", "unknown-domain"]);
}

#[tokio::test]
async fn srv_finds_and_does_not_prove() {
    let record = record_of(1, "b.plain.test", 1);
    let (address, _) = https(200, record.bytes().clone()).await;
    let found =
        find(config(vec![a("node.b.plain.test"), srv("b.plain.test", address.port()), a("b.plain.test")]).await, "b.plain.test")
            .await
            .unwrap();
    assert_eq!(found.record, record);
    assert_eq!(found.proof, None);
    let node = Endpoint { host: "node.b.plain.test".into(), port: u32::from(address.port()) };
    assert_eq!(found.endpoints, [vec![node], record.endpoints().to_vec()].concat());
}

#[tokio::test]
async fn an_unsigned_text_vetoes_and_does_not_prove() {
    let (address, root) = https(200, record_of(1, "b.plain.test", 1).bytes().clone()).await;
    let records =
        |text| vec![a("node.b.plain.test"), srv("b.plain.test", address.port()), a("b.plain.test"), txt("b.plain.test", text)];
    assert_eq!(find(config(records(1)).await, "b.plain.test").await.unwrap().proof, None);
    assert!(contradicted(find(config(records(2)).await, "b.plain.test").await));
    // Not even publicly trusted TLS helps against it.
    let known = DiscoveryConfig { well_known_port: address.port(), extra_roots: vec![root], ..config(records(2)).await };
    assert!(contradicted(find(known, "b.plain.test").await));
}

#[tokio::test]
async fn a_text_under_dnssec_proves() {
    let (address, _) = https(200, record_of(1, "b.signed.test", 1).bytes().clone()).await;
    let records = |text| {
        vec![a("node.b.signed.test"), srv("b.signed.test", address.port()), a("b.signed.test"), txt("b.signed.test", text)]
    };
    let found = find(config(records(1)).await, "b.signed.test").await.unwrap();
    assert_eq!(found.proof, Some(Proof::DnsSec), "{:?}", found.steps);
    assert!(contradicted(find(config(records(2)).await, "b.signed.test").await));
    // Signed, but by somebody whom no anchor leads to: as good as unsigned.
    let other = config(Vec::new()).await;
    let untrusted = DiscoveryConfig { trust_anchors: other.trust_anchors, ..config(records(1)).await };
    assert_eq!(find(untrusted, "b.signed.test").await.unwrap().proof, None);
}

#[tokio::test]
async fn well_known_over_trusted_tls_proves() {
    let (address, root) = https(200, record_of(1, "b.plain.test", 1).bytes().clone()).await;
    let base = config(vec![a("b.plain.test")]).await;
    let trusted = DiscoveryConfig { well_known_port: address.port(), extra_roots: vec![root], ..base.clone() };
    assert_eq!(find(trusted, "b.plain.test").await.unwrap().proof, Some(Proof::WellKnown));
    let untrusted = DiscoveryConfig { well_known_port: address.port(), ..base };
    let words = find(untrusted, "b.plain.test").await.unwrap_err().words(Language::English);
    assert!(words.contains("well-known: TLS failed"), "{words}");
}

#[tokio::test]
async fn well_known_proves_what_srv_found() {
    let (newer, _) = https(200, record_of(1, "b.plain.test", 2).bytes().clone()).await;
    let (forged, _) = https(200, record_of(9, "b.plain.test", 3).bytes().clone()).await;
    let (known, root) = https(200, record_of(1, "b.plain.test", 1).bytes().clone()).await;
    for (port, sequence) in [(newer.port(), 2), (forged.port(), 1)] {
        let base = config(vec![a("node.b.plain.test"), srv("b.plain.test", port), a("b.plain.test")]).await;
        let config = DiscoveryConfig { well_known_port: known.port(), extra_roots: vec![root.clone()], ..base };
        let found = find(config, "b.plain.test").await.unwrap();
        assert_eq!((found.proof, found.record.sequence()), (Some(Proof::WellKnown), sequence));
        assert_eq!(found.record.charter().root_key(), key(1).public());
    }
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let (address, _) = https(200, record_of(1, "b.plain.test", 1).bytes().clone()).await;
    let base = config(vec![a("node.b.plain.test"), srv("b.plain.test", address.port()), a("b.plain.test")]).await;
    let words = find(DiscoveryConfig { allow_private_addresses: false, ..base }, "b.plain.test")
        .await
        .unwrap_err()
        .words(Language::English);
    assert_eq!(
        words,
        format!(
            "node.b.plain.test:{} named by DNS: a private address, not allowed; well-known: a private address, not allowed",
            address.port()
        )
    );
}

#[tokio::test]
async fn a_configured_peer_is_asked_first_and_proven_by_its_fingerprint() {
    let (address, _) = https(200, record_of(1, "b.plain.test", 1).bytes().clone()).await;
    let endpoint = Endpoint { host: "127.0.0.1".into(), port: u32::from(address.port()) };
    let with = |root: Option<u8>| Peer { endpoint: endpoint.clone(), root: root.map(|n| Fingerprint::of_key(&key(n).public())) };
    for (root, expected) in [(Some(1), Some(Proof::Configured)), (None, None)] {
        let peers = BTreeMap::from([("b.plain.test".parse().unwrap(), with(root))]);
        let discovery =
            Discovery::new(DiscoveryConfig { peers, allow_private_addresses: false, ..config(Vec::new()).await }).unwrap();
        let found = discovery.find(&"b.plain.test".parse().unwrap(), now()).await.unwrap();
        assert_eq!(discovery.guard(found.record.domain()), AddressGuard::AllowPrivate);
        assert_eq!(discovery.guard(&"c.plain.test".parse().unwrap()), AddressGuard::PublicOnly);
        assert_eq!(found.proof, expected);
        assert_eq!(found.endpoints[0], endpoint);
    }
    let peers = BTreeMap::from([("b.plain.test".parse().unwrap(), with(Some(2)))]);
    let result = find(DiscoveryConfig { peers, ..config(Vec::new()).await }, "b.plain.test").await;
    assert_eq!(result.unwrap_err().steps[0].outcome, Outcome::Contradicted(Contradiction::Configured));
}

#[tokio::test]
async fn a_key_name_proves_itself_from_any_hub_and_is_not_asked_of_dns() {
    let domain = DomainName::of_key(&key(1).public());
    let record = record_of(1, domain.as_str(), 1);
    let garbage = hub(200, Bytes::from_static(b"nonsense")).await;
    let good = hub(200, record.bytes().clone()).await;
    let found = find(DiscoveryConfig { hubs: vec![garbage, good], ..config(Vec::new()).await }, domain.as_str()).await.unwrap();
    assert_eq!(found.proof, Some(Proof::KeyName));
    assert_eq!(found.steps.iter().map(|s| s.outcome.code()).collect::<Vec<_>>(), ["key-name", "refused", "found"]);
}

#[tokio::test]
async fn a_hubs_word_is_never_proof() {
    let record = record_of(1, "b.plain.test", 1);
    let hubs = vec![hub(200, record.bytes().clone()).await];
    let found =
        find(DiscoveryConfig { hubs: hubs.clone(), ..config(vec![txt("b.plain.test", 1)]).await }, "b.plain.test").await.unwrap();
    assert_eq!(found.proof, None);
    assert!(contradicted(
        find(DiscoveryConfig { hubs: hubs.clone(), ..config(vec![txt("b.plain.test", 2)]).await }, "b.plain.test").await
    ));
    // Another domain's record under this name.
    let other = find(DiscoveryConfig { hubs, ..config(Vec::new()).await }, "c.plain.test").await.unwrap_err();
    assert_eq!(other.steps.last().unwrap().outcome.code(), "other-domain");
}

#[tokio::test]
async fn what_is_pinned_needs_no_proof_and_never_goes_back() {
    let old = record_of(1, "b.plain.test", 1);
    let new = record_of(1, "b.plain.test", 2);
    let config = DiscoveryConfig {
        hubs: vec![hub(200, old.bytes().clone()).await, hub(200, new.bytes().clone()).await],
        ..config(Vec::new()).await
    };
    let discovery = Discovery::new(config).unwrap();
    let found = discovery.find_pinned(old.domain(), &Pinned::of(&new), now()).await.unwrap();
    assert_eq!((found.record.sequence(), found.proof), (2, Some(Proof::Pinned)));
    let stranger = Pinned::of(&record_of(7, "b.plain.test", 0));
    let not_found = discovery.find_pinned(old.domain(), &stranger, now()).await.unwrap_err();
    assert!(not_found.words(Language::English).contains("root key"), "{}", not_found.words(Language::English));
}

#[tokio::test]
async fn a_record_from_elsewhere_is_proven_by_what_the_domain_says() {
    let (address, root) = https(200, record_of(1, "b.plain.test", 5).bytes().clone()).await;
    let base = config(vec![a("b.plain.test"), txt("b.signed.test", 1)]).await;
    let discovery = Discovery::new(DiscoveryConfig { well_known_port: address.port(), extra_roots: vec![root], ..base }).unwrap();
    let prove = async |root, domain: &str| discovery.prove(&record_of(root, domain, 1), now()).await;
    assert_eq!(prove(1, "b.plain.test").await.unwrap(), Proof::WellKnown);
    assert!(prove(2, "b.plain.test").await.unwrap_err().contradicted());
    assert_eq!(prove(1, "b.signed.test").await.unwrap(), Proof::DnsSec);
    assert!(prove(2, "b.signed.test").await.unwrap_err().contradicted());
    let silent = prove(1, "c.plain.test").await.unwrap_err();
    assert!(!silent.contradicted(), "{}", silent.words(Language::English));
    let key_name = DomainName::of_key(&key(4).public());
    assert_eq!(prove(4, key_name.as_str()).await.unwrap(), Proof::KeyName);
}

#[test]
fn the_text_may_name_any_root_key_of_the_line() {
    let now = now();
    let domain: DomainName = "b.plain.test".parse().unwrap();
    let draft = CharterDraft {
        domain: domain.clone(),
        line: vec![succession_step(&domain, &key(1), &key(2).public()), succession_step(&domain, &key(2), &key(3).public())],
        link_keys: vec![LinkKey { key: key(100).public().to_vec().into(), not_before_ms: now - HOUR, not_after_ms: now + HOUR }],
        recovery_hash: recovery_hash(&key(200).public()),
        sequence: 3,
        gone: false,
    };
    let record_draft = RecordDraft {
        endpoints: Vec::new(),
        sequence: 1,
        not_after_ms: now + HOUR,
        display_name: String::new(),
        description: String::new(),
        listed: false,
        registration: Registration::Closed,
        sign_in: Vec::new(),
        navigation: None,
    };
    let record = sign_record(&key(100), &sign_charter(&key(3), draft).unwrap(), record_draft, now).unwrap();
    for (named, expected) in [(1, true), (2, true), (3, true), (4, false)] {
        let text = RootText::Secure(vec![Fingerprint::of_key(&key(named).public()).to_string()]);
        let verdict = judge(&record, &Evidence { pinned: None, configured_root: None, text: &text, from_well_known: false });
        let want = if expected { Verdict::Proven(Proof::DnsSec) } else { Verdict::Contradicted(Contradiction::DnsText) };
        assert_eq!(verdict, want, "{named}");
    }
    let nonsense = RootText::Unsigned(vec!["not a fingerprint".into()]);
    let verdict = judge(&record, &Evidence { pinned: None, configured_root: None, text: &nonsense, from_well_known: true });
    assert_eq!(verdict, Verdict::Contradicted(Contradiction::DnsText));
}
