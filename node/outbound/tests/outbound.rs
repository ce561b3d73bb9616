//! What the node may be made to fetch, and what not, against servers on loopback.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use startalk_outbound::{HeaderMap, HttpError, OutboundClient, OutboundConfig, OutboundError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers each path of a list, and 404 to others.
async fn server(answers: Vec<(&'static str, String)>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            let answer =
                answers.iter().find(|(p, _)| *p == path).map_or("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", |(_, a)| a);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

fn client(allow_private_addresses: bool) -> OutboundClient {
    startalk_net::install_crypto();
    OutboundClient::new(OutboundConfig {
        allow_private_addresses,
        allow_plain_http: true,
        timeout: Duration::from_secs(5),
        ..OutboundConfig::default()
    })
}

#[tokio::test]
async fn redirects_are_followed_a_few_times() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_owned();
    let address = server(vec![("/a", to("/b")), ("/b", to("c")), ("/c", ok), ("/loop", to("/loop"))]).await;
    let fetched = client(true).get(&format!("http://{address}/a"), HeaderMap::new(), 10).await.unwrap();
    assert_eq!((fetched.url.path(), &fetched.body[..]), ("/c", &b"hi"[..]));
    let endless = client(true).get(&format!("http://{address}/loop"), HeaderMap::new(), 10).await;
    assert_eq!(endless.unwrap_err(), OutboundError::Redirected);
    let posted = client(true).post(&format!("http://{address}/a"), HeaderMap::new(), Bytes::new(), 10).await.unwrap();
    assert_eq!(posted.status.as_u16(), 302, "a POST is not redirected");
    let large = client(true).get(&format!("http://{address}/c"), HeaderMap::new(), 1).await;
    assert_eq!(large.unwrap_err(), OutboundError::Http(HttpError::TooLarge { max: 1 }));
}

#[tokio::test]
async fn private_addresses_are_refused_by_name_and_by_number() {
    for inside in [
        "http://127.0.0.1:8080/",
        "http://localhost:8080/",
        "http://[::1]:8080/",
        "http://169.254.169.254/",
        "http://[::ffff:10.0.0.1]:8080/",
    ] {
        let error = client(false).get(inside, HeaderMap::new(), 10).await.unwrap_err();
        assert!(error.to_string().contains("private address"), "{inside}: {error}");
    }
}

#[tokio::test]
async fn strange_urls_are_refused() {
    let long = format!("https://a.example/{}", "x".repeat(2048));
    for bad in [
        "",
        "a.example",
        "file:///etc/passwd",
        "https://user:pw@a.example/",
        "https://a.example:25/",
        "gopher://a.example/",
        &long,
    ] {
        assert_eq!(client(true).get(bad, HeaderMap::new(), 10).await.unwrap_err(), OutboundError::BadUrl, "{bad}");
    }
    let strict = OutboundClient::new(OutboundConfig::default());
    assert_eq!(strict.get("http://a.example/", HeaderMap::new(), 10).await.unwrap_err(), OutboundError::BadUrl);
}
