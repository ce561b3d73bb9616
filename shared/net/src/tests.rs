//! Handshakes between real sockets on loopback: who is let in, who is not, and what is said about it.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use rustls::sign::CertifiedKey;
use startalk_protocol::{error::Language, signing::SecretKey, trust::Endpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    http::{HttpClient, HttpError, HttpRequest, PlainHttp, StatusCode},
    *,
};

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn link(n: u8) -> LinkCertificate {
    LinkCertificate::new(&key(n)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "rustls compares with the real clock")]
fn web() -> WebCertificate {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now_ms = i64::try_from(now.as_millis()).unwrap();
    WebCertificate::self_made(vec!["node.example".into(), "localhost".into(), "127.0.0.1".into()], now_ms).unwrap()
}

struct Server {
    address: SocketAddr,
    gate: QuicGate,
    resolver: Arc<CertResolver>,
    web: WebCertificate,
    /// What each accepted connection was.
    seen: tokio::sync::mpsc::UnboundedReceiver<(Protocol, Option<[u8; 32]>)>,
}

/// Accepts on TCP and QUIC and says what it accepted; on TLS it answers with five bytes.
fn server() -> Server {
    install_crypto();
    let web = web();
    let resolver = CertResolver::new(Some(&link(1)), Some(&web));
    let tls = ServerTls::new(&resolver, false).unwrap();
    let listeners = bind(Listen::Address("127.0.0.1:0".parse().unwrap()), Some(tls.quic().unwrap())).unwrap();
    let (saw, seen) = tokio::sync::mpsc::unbounded_channel();
    let (address, tcp, quic) = (listeners.address, listeners.tcp, listeners.quic);
    let saw_tcp = saw.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = tcp.accept().await {
            let (tls, saw) = (tls.clone(), saw_tcp.clone());
            tokio::spawn(async move {
                if let Ok(mut accepted) = tls.accept(stream).await {
                    let _ = saw.send((accepted.protocol, accepted.peer_key));
                    let _ = accepted.stream.write_all(b"hello").await;
                    let _ = accepted.stream.shutdown().await;
                }
            });
        }
    });
    let gate = QuicGate::default();
    let letting_in = gate.clone();
    tokio::spawn(async move {
        let gate = letting_in;
        while let Some(handshake) = gate.next(&quic).await {
            let saw = saw.clone();
            tokio::spawn(async move {
                let Ok(accepted) = handshake.finish().await else { return };
                let _ = saw.send((accepted.protocol, accepted.peer_key));
                let mut stream = LinkStream::accept(&accepted.stream).await.unwrap();
                while let Ok(Some(bytes)) = stream.read().await {
                    stream.write(bytes).await.unwrap();
                }
                stream.sender.finish();
                accepted.stream.closed().await;
            });
        }
    });
    Server { address, gate, resolver, web, seen }
}

async fn seen(server: &mut Server) -> (Protocol, Option<[u8; 32]>) {
    tokio::time::timeout(Duration::from_secs(5), server.seen.recv()).await.unwrap().unwrap()
}

fn endpoint(address: SocketAddr) -> Vec<Endpoint> {
    vec![Endpoint { host: address.ip().to_string(), port: u32::from(address.port()) }]
}

fn pinned(n: u8) -> Verify {
    Verify::Pinned(BTreeSet::from([key(n).public()]))
}

async fn try_tls(
    to: &[Endpoint],
    verify: Verify,
    alpn: &[u8],
    certificate: Option<&LinkCertificate>,
) -> Result<TlsConnection, ConnectError> {
    connect_tls(&connect(to, verify, &[alpn], certificate, &Names::system())).await
}

fn connect<'a>(
    to: &'a [Endpoint],
    verify: Verify,
    alpn: &'a [&'a [u8]],
    certificate: Option<&'a LinkCertificate>,
    names: &'a Names,
) -> Connect<'a> {
    Connect {
        endpoints: to,
        server_name: "node.example",
        verify,
        alpn,
        certificate,
        guard: AddressGuard::AllowPrivate,
        names,
        timeout: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn a_link_over_tls_knows_both_keys() {
    let mut server = server();
    let to = endpoint(server.address);
    let mut connection = try_tls(&to, pinned(1), ALPN_LINK, Some(&link(2))).await.unwrap();
    assert_eq!(connection.peer_key, Some(key(1).public()));
    let exchanged = connection.stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(exchanged, rustls::NamedGroup::X25519MLKEM768, "hybrid post-quantum first");
    let mut hello = [0; 5];
    connection.stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(seen(&mut server).await, (Protocol::Link, Some(key(2).public())));
    let captured = try_tls(&to, Verify::Capture, ALPN_CLIENT, None).await.unwrap();
    assert_eq!(captured.peer_key, Some(key(1).public()));
    assert_eq!(seen(&mut server).await, (Protocol::Client, None));
    // HTTP with the link key in place of a web certificate, for programs that know the domain by its key.
    let http = try_tls(&to, pinned(1), ALPN_CLIENT_HTTP, None).await.unwrap();
    assert_eq!(http.peer_key, Some(key(1).public()));
    assert_eq!(seen(&mut server).await, (Protocol::Http1, None));
    assert!(try_tls(&to, pinned(7), ALPN_CLIENT_HTTP, None).await.is_err());
}

#[tokio::test]
async fn another_key_is_refused_by_name() {
    let server = server();
    let error = try_tls(&endpoint(server.address), pinned(9), ALPN_LINK, None).await.unwrap_err();
    assert_eq!(error.attempts, [Attempt { what: server.address.to_string(), reason: Reason::WrongKey }]);
    assert!(error.words(Language::Chinese).contains("密钥"), "{}", error.words(Language::Chinese));
    let quic = client_endpoint().unwrap();
    let names = Names::system();
    let to = endpoint(server.address);
    let error = connect_quic(&quic, &connect(&to, pinned(9), &[ALPN_LINK], None, &names)).await.unwrap_err();
    assert_eq!(error.attempts[0].reason, Reason::WrongKey, "{error}");
}

#[tokio::test]
async fn a_certificate_without_its_key_is_nobody() {
    let mut server = server();
    // Key 2's certificate, signed with by key 3: what a thief of a certificate could do.
    let stolen = CertifiedKey::new(link(2).certified.cert.clone(), link(3).certified.key.clone());
    let mut thief = link(2);
    thief.certified = Arc::new(stolen);
    let connected = try_tls(&endpoint(server.address), pinned(1), ALPN_LINK, Some(&thief)).await;
    // In TLS 1.3 the client's own part is over before the server judged; the server must have dropped it.
    if let Ok(mut connection) = connected {
        assert!(connection.stream.read_exact(&mut [0; 5]).await.is_err());
    }
    assert!(server.seen.try_recv().is_err());
    // And as a server.
    let resolver = CertResolver::new(Some(&thief), None);
    let tls = ServerTls::new(&resolver, false).unwrap();
    let listeners = bind(Listen::Address("127.0.0.1:0".parse().unwrap()), None).unwrap();
    let address = listeners.address;
    tokio::spawn(async move { tls.accept(listeners.tcp.accept().await.unwrap().0).await.map(|_| ()) });
    assert!(try_tls(&endpoint(address), pinned(2), ALPN_LINK, None).await.is_err());
}

#[tokio::test]
async fn browsers_get_the_web_certificate() {
    let mut server = server();
    let to = endpoint(server.address);
    let trusted = Verify::Web { extra_roots: vec![server.web.certificate().clone()] };
    assert!(try_tls(&to, trusted, ALPN_HTTP1, None).await.is_ok());
    assert_eq!(seen(&mut server).await, (Protocol::Http1, None));
    assert!(try_tls(&to, Verify::CertificateHash(server.web.fingerprint()), ALPN_HTTP1, None).await.is_ok());
    assert!(try_tls(&to, Verify::CertificateHash([0; 32]), ALPN_HTTP1, None).await.is_err());
    let error = try_tls(&to, Verify::web(), ALPN_HTTP1, None).await.unwrap_err();
    assert!(matches!(error.attempts[0].reason, Reason::Tls(_)), "{error}");
}

#[tokio::test]
async fn certificates_are_replaced_while_running() {
    let server = server();
    let to = endpoint(server.address);
    server.resolver.replace_link(&link(7));
    assert!(try_tls(&to, pinned(1), ALPN_LINK, None).await.is_err());
    assert!(try_tls(&to, pinned(7), ALPN_LINK, None).await.is_ok());
    let new = web();
    server.resolver.replace_web(&new);
    assert!(try_tls(&to, Verify::CertificateHash(new.fingerprint()), ALPN_HTTP1, None).await.is_ok());
    let (chain, pem_key) = new.pem().unwrap();
    assert_eq!(WebCertificate::from_pem(chain, pem_key).unwrap().fingerprint(), new.fingerprint());
    let other = web();
    assert!(WebCertificate::from_pem(chain, other.pem().unwrap().1).is_err(), "a key of another certificate");
}

#[tokio::test]
async fn a_link_over_quic_carries_bytes_and_both_keys() {
    let mut server = server();
    let (to, quic, names, certificate) = (endpoint(server.address), client_endpoint().unwrap(), Names::system(), link(2));
    let connected = connect_quic(&quic, &connect(&to, pinned(1), &[ALPN_LINK], Some(&certificate), &names)).await.unwrap();
    assert_eq!(connected.peer_key, Some(key(1).public()));
    let mut stream = LinkStream::open(&connected.connection).await.unwrap();
    let sent = Bytes::from(vec![5; 300_000]);
    stream.sender.write_all(&mut [sent.clone(), sent]).await.unwrap();
    stream.sender.finish();
    let mut back = 0;
    while let Some(bytes) = stream.read().await.unwrap() {
        back += bytes.len();
    }
    assert_eq!(back, 600_000);
    assert_eq!(seen(&mut server).await, (Protocol::Link, Some(key(2).public())));
    let error = connect_quic(&quic, &connect(&to, pinned(1), &[b"other"], None, &names)).await.unwrap_err();
    assert_eq!(error.attempts[0].reason, Reason::NoProtocol, "{error}");
}

#[tokio::test]
async fn under_load_addresses_prove_themselves_and_above_the_limit_are_refused() {
    let server = server();
    let (to, quic, names) = (endpoint(server.address), client_endpoint().unwrap(), Names::system());
    let load = |n| server.gate.handshakes.store(n, std::sync::atomic::Ordering::Relaxed);
    load(server::HANDSHAKES_BEFORE_RETRY);
    connect_quic(&quic, &connect(&to, pinned(1), &[ALPN_LINK], None, &names)).await.unwrap();
    assert_eq!(server.gate.retries(), 1);
    // More than the limit, because the handshake before may not be counted off yet.
    load(server::HANDSHAKES_MAX + 8);
    let error = connect_quic(&quic, &connect(&to, pinned(1), &[ALPN_LINK], None, &names)).await.unwrap_err();
    assert_eq!(error.attempts[0].reason, Reason::Refused, "{error}");
}

#[tokio::test]
async fn every_address_is_tried_and_named() {
    let server = server();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut to = endpoint(closed);
    to.extend(endpoint(server.address));
    assert_eq!(try_tls(&to, pinned(1), ALPN_LINK, None).await.unwrap().address, server.address);
    to.truncate(1);
    let error = try_tls(&to, pinned(1), ALPN_LINK, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{closed}: connection refused"));
    let names = Names::system();
    let guarded = Connect { guard: AddressGuard::PublicOnly, ..connect(&to, pinned(1), &[ALPN_LINK], None, &names) };
    assert_eq!(connect_tls(&guarded).await.unwrap_err().attempts[0].reason, Reason::PrivateAddress);
    let nothing = connect_tls(&Connect { endpoints: &[], ..guarded }).await.unwrap_err();
    assert_eq!(nothing.to_string(), "no address to try");
}

#[tokio::test]
async fn a_silent_address_does_not_hold_up_the_next() {
    let server = server();
    // Listens and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut to = endpoint(silent.local_addr().unwrap());
    to.extend(endpoint(server.address));
    let (names, alpn) = (Names::system(), [ALPN_LINK]);
    let connected =
        connect_tls(&Connect { timeout: Duration::from_secs(4), ..connect(&to, pinned(1), &alpn, None, &names) }).await.unwrap();
    assert_eq!(connected.address, server.address);
    to.truncate(1);
    let error = connect_tls(&Connect { timeout: Duration::from_millis(300), ..connect(&to, pinned(1), &alpn, None, &names) })
        .await
        .unwrap_err();
    assert_eq!(error.attempts[0].reason, Reason::TimedOut);
}

#[tokio::test]
async fn one_port_serves_tcp_and_udp_on_both_families() {
    let listeners = bind(Listen::Port(0), None).unwrap();
    assert_eq!(listeners.quic.local_addr().unwrap().port(), listeners.port);
    assert_eq!(listeners.tcp.local_addr().unwrap().port(), listeners.port);
    tokio::net::TcpStream::connect(("127.0.0.1", listeners.port)).await.unwrap();
    let error = bind(Listen::Port(listeners.port), None).unwrap_err();
    assert!(error.to_string().contains(&listeners.port.to_string()), "{error}");
    assert_eq!("8443".parse::<Listen>(), Ok(Listen::Port(8443)));
    assert!("example.org:443".parse::<Listen>().is_err());
}

/// A plain HTTP server that answers every request with the same bytes.
async fn plain(answer: &'static [u8]) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
        }
    });
    address
}

fn client() -> HttpClient {
    HttpClient {
        names: Names::system(),
        guard: AddressGuard::AllowPrivate,
        plain: PlainHttp::Loopback,
        timeout: Duration::from_secs(5),
        answer_bytes_max: 100,
    }
}

#[tokio::test]
async fn answers_are_limited_and_redirects_not_followed() {
    let url = |address: SocketAddr| format!("http://{address}/x").parse().unwrap();
    let ok = plain(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    assert_eq!(client().send(HttpRequest::get(url(ok))).await.unwrap().body, "hi");
    let redirect = plain(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(client().send(HttpRequest::get(url(redirect))).await.unwrap().status, StatusCode::FOUND);
    let endless = plain(b"HTTP/1.1 200 OK\r\ncontent-length: 4000000000\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx").await;
    assert_eq!(client().send(HttpRequest::get(url(endless))).await.unwrap_err(), HttpError::TooLarge { max: 100 });
    let nonsense = plain(b"SSH-2.0-x\r\n").await;
    assert!(matches!(client().send(HttpRequest::get(url(nonsense))).await, Err(HttpError::Broken(_))));
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    for refused in ["http://localhost/", "http://192.0.2.1/", "ftp://127.0.0.1/", "http://127.0.0.1.example/"] {
        assert_eq!(client().send(HttpRequest::get(refused.parse().unwrap())).await.unwrap_err(), HttpError::BadUrl, "{refused}");
    }
    let guarded = HttpClient { guard: AddressGuard::PublicOnly, plain: PlainHttp::Allowed, ..client() };
    let error = guarded.send(HttpRequest::get("http://localhost:1/".parse().unwrap())).await.unwrap_err();
    assert!(error.words(Language::Chinese).contains("内网地址"), "{error}");
}

/// Takes whatever is shown: an authority reads the certificate of a challenge itself, for its extension is critical.
#[derive(Debug)]
struct TakesAll;

impl rustls::client::danger::ServerCertVerifier for TakesAll {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A handshake at `server` that offers these protocols for this name: what was shown.
async fn shown(server: &Server, name: &'static str, alpn: &[&[u8]]) -> std::io::Result<Vec<u8>> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAll))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let tcp = tokio::net::TcpStream::connect(server.address).await?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name.try_into().unwrap(), tcp).await?;
    let connection = stream.get_ref().1;
    assert!(alpn.contains(&connection.alpn_protocol().unwrap()));
    Ok(connection.peer_certificates().unwrap()[0].to_vec())
}

/// RFC 8737 §3: whoever offers `acme-tls/1` alone gets the answer for the name, or nothing; everybody else is served as ever.
#[tokio::test]
async fn a_challenge_is_answered_to_those_who_ask_for_it_alone_while_it_lasts() {
    let mut server = server();
    let web = server.web.certificate().to_vec();
    let acme: &[&[u8]] = &[ALPN_ACME];
    assert!(shown(&server, "node.example", acme).await.is_err(), "there is no challenge yet");

    let challenge = ChallengeCertificate::new("node.example", &[7; 32]).unwrap();
    let answered = server.resolver.answer_challenge("node.example", challenge);
    let answer = shown(&server, "node.example", acme).await.unwrap();
    assert_ne!(answer, web);
    // id-pe-acmeIdentifier, critical, an octet string of 32 bytes in an octet string.
    let identifier = [&[6, 8, 43, 6, 1, 5, 5, 7, 1, 31, 1, 1, 255, 4, 34, 4, 32][..], &[7; 32]].concat();
    assert!(answer.windows(identifier.len()).any(|w| w == identifier));
    assert_eq!(server.seen.recv().await.unwrap().0, Protocol::Challenge);
    assert!(shown(&server, "other.example", acme).await.is_err(), "another name");

    assert_eq!(shown(&server, "node.example", &[ALPN_HTTP1]).await.unwrap(), web);
    assert_eq!(shown(&server, "node.example", &[ALPN_ACME, ALPN_HTTP1]).await.unwrap(), web, "not alone");

    drop(answered);
    assert!(shown(&server, "node.example", acme).await.is_err(), "it is over");
}

#[test]
fn a_web_certificate_says_for_whom_and_how_long_it_is() {
    install_crypto();
    let now_ms = 1_800_000_000_000;
    let made = WebCertificate::self_made(vec!["node.example".into(), "127.0.0.1".into()], now_ms).unwrap();
    let says = made.says().unwrap();
    assert_eq!(says.names, ["node.example"]);
    assert_eq!((says.not_before_ms, says.not_after_ms), (now_ms - 86_400_000, now_ms + 397 * 86_400_000));
}
