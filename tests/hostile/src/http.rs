//! Plain HTTP by hand: requests from any address of this machine, and answers as bytes.
//!
//! For a hub behind `http://127.0.0.1`, and for a node's well-known address.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use startalk_net::ALPN_HTTP1;
use startalk_protocol::DomainName;

use crate::{Address, connection::Io};

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// 200 and so on.
    pub status: u16,
    /// Everything before the body, in lower case.
    pub head: String,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The code of an error in JSON; empty if it is none.
    pub fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let after = text.split("\"code\":\"").nth(1).unwrap_or_default();
        after.split('"').next().unwrap_or_default().to_owned()
    }
}

/// Asks from this address of the machine.
///
/// # Errors
/// If there is no answer, or it is none.
pub async fn ask(from: Ipv4Addr, at: &Address, method: &str, path: &str, host: &str, body: &[u8]) -> anyhow::Result<Answer> {
    let to: SocketAddr = tokio::net::lookup_host((at.host.as_str(), at.port)).await?.next().context("an address")?;
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if to.ip().is_loopback() && to.is_ipv4() {
        socket.bind((from, 0).into())?;
    }
    let stream = socket.connect(to).await?;
    ask_over(stream, method, path, host, body).await
}

/// Asks over TLS, whatever certificate is shown, as one asks a domain's endpoint.
///
/// # Errors
/// If there is no answer, or it is none.
pub async fn ask_tls(at: &Address, domain: &DomainName, path: &str) -> anyhow::Result<Answer> {
    let stream = crate::connection::tls(at, domain, None, ALPN_HTTP1).await?;
    ask_over(stream, "GET", path, domain.as_str(), b"").await
}

async fn ask_over(mut stream: impl Io, method: &str, path: &str, host: &str, body: &[u8]) -> anyhow::Result<Answer> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    // Who refuses a long body may close before it has read it.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    while let Ok(read) = stream.read_buf(&mut answer).await {
        if read == 0 {
            break;
        }
    }
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").context("no answer")? + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).context("a status")?;
    ensure!(!head.contains("transfer-encoding"), "an answer in pieces");
    Ok(Answer { status, head, body: Bytes::from(answer).slice(end..) })
}

/// A whole answer, for [`crate::Station::serve`]; `headers` end with a line break each.
pub fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
