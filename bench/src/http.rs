//! HTTP/1.1 and HTTP/2 over TLS, as programs and browsers speak them, and bodies that are made while they are sent and
//! compared while they arrive: of a file there is a megabyte in memory, however large it is.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::{http1, http2},
    header,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use startalk_net::{ALPN_HTTP1, ALPN_HTTP2, Verify, verify::client_config};
use tokio::{net::TcpStream, sync::Barrier, task::JoinSet};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Bytes after which a pattern repeats.
const PERIOD: usize = 1 << 20;
/// Bytes of a body that are given at once.
const PIECE: usize = 64 * 1024;
/// Bytes of an answer that is no file.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Which HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::One { "HTTP/1.1" } else { "HTTP/2" })
    }
}

/// What a file has in it: bytes that no compression shortens, the same for the same seed.
#[derive(Clone)]
pub struct Pattern(Bytes);

impl Pattern {
    /// By splitmix64.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut bytes: Vec<u8> = Vec::with_capacity(PERIOD + PIECE);
        while bytes.len() < PERIOD {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
        }
        bytes.extend_from_within(..PIECE);
        Self(bytes.into())
    }

    fn piece(&self, at: u64, most: u64) -> Bytes {
        let from = (at % PERIOD as u64) as usize;
        self.0.slice(from..from + most.min(PIECE as u64) as usize)
    }

    /// Whether these bytes are those at `at`.
    pub fn is_at(&self, mut at: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(PIECE));
            if self.piece(at, now.len() as u64) != now {
                return false;
            }
            (at, bytes) = (at + now.len() as u64, rest);
        }
        true
    }
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A body that is brought.
pub struct Brought {
    from: Source,
    at: u64,
    size: u64,
    /// After the first piece it waits here, for all the others.
    meeting: Option<Waiting>,
}

enum Source {
    Pattern(Pattern),
    Whole(Bytes),
}

impl Brought {
    /// Nothing.
    pub fn nothing() -> Self {
        Self::whole(Bytes::new())
    }

    /// What is in memory.
    pub fn whole(bytes: Bytes) -> Self {
        Self { size: bytes.len() as u64, from: Source::Whole(bytes), at: 0, meeting: None }
    }

    /// So many bytes of a pattern.
    pub fn pattern(pattern: &Pattern, size: u64) -> Self {
        Self { from: Source::Pattern(pattern.clone()), at: 0, size, meeting: None }
    }

    /// Goes on after its first piece only when the others have brought theirs.
    pub fn together(mut self, others: Arc<Barrier>) -> Self {
        self.meeting = Some(Box::pin(async move {
            others.wait().await;
        }));
        self
    }
}

impl Body for Brought {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.at > 0
            && let Some(meeting) = &mut self.meeting
        {
            ready!(meeting.as_mut().poll(context));
            self.meeting = None;
        }
        let missing = self.size - self.at;
        if missing == 0 {
            return Poll::Ready(None);
        }
        let piece = match &self.from {
            Source::Pattern(pattern) => pattern.piece(self.at, missing),
            Source::Whole(bytes) => bytes.slice(self.at as usize..),
        };
        self.at += piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.size
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size - self.at)
    }
}

enum Sender {
    One(http1::SendRequest<Brought>),
    Two(http2::SendRequest<Brought>),
}

/// A connection.
pub struct Connection {
    sender: Sender,
    address: SocketAddr,
    bearer: Option<String>,
    /// What both sides agreed on.
    pub cipher: String,
    _driver: JoinSet<()>,
}

impl Connection {
    /// Opens one; certificates on loopback are self-made, and not judged.
    pub async fn open(address: SocketAddr, version: Version, bearer: Option<String>) -> Result<Self> {
        let alpn = if version == Version::One { ALPN_HTTP1 } else { ALPN_HTTP2 };
        let config = Arc::new(client_config(&Verify::AnyCertificate, &[alpn], None)?);
        let tcp = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::IpAddress(address.ip().into());
        let stream = TlsConnector::from(config).connect(name, tcp).await.context("the TLS handshake")?;
        let agreed = stream.get_ref().1;
        ensure!(agreed.alpn_protocol() == Some(alpn), "the server speaks no {version}");
        let cipher = format!("{:?}", agreed.negotiated_cipher_suite().context("no cipher")?.suite());
        let (io, mut driver) = (TokioIo::new(stream), JoinSet::new());
        let sender = match version {
            Version::One => {
                let (sender, connection) = http1::handshake(io).await?;
                driver.spawn(async move { drop(connection.await) });
                Sender::One(sender)
            }
            Version::Two => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                driver.spawn(async move { drop(connection.await) });
                Sender::Two(sender)
            }
        };
        Ok(Self { sender, address, bearer, cipher, _driver: driver })
    }

    /// Asks; the answer's body is still to be read.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Brought,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder().method(method);
        request = match self.sender {
            Sender::One(_) => request.uri(path).header(header::HOST, self.address.to_string()),
            Sender::Two(_) => request.uri(format!("https://{}{path}", self.address)),
        };
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body)?;
        Ok(match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }

    /// Asks, and reads the answer, which is small; an error if it is not one of these.
    pub async fn told(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Brought,
        good: &[StatusCode],
    ) -> Result<Response<Bytes>> {
        let (head, body) = self.ask(method, path, headers, body).await?.into_parts();
        let body = http_body_util::Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|e| anyhow::anyhow!("{path}: {e}"))?.to_bytes();
        ensure!(good.contains(&head.status), "{path}: {}: {}", head.status, String::from_utf8_lossy(&body));
        Ok(Response::from_parts(head, body))
    }

    /// Asks for JSON.
    pub async fn json(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Result<Value> {
        let answer = self.told(method, path, headers, Brought::nothing(), &[StatusCode::OK]).await?;
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// Fetches a file, every byte of which is compared.
    pub async fn fetch(&mut self, path: &str, pattern: &Pattern, size: u64) -> Result<()> {
        let answer = self.ask(Method::GET, path, &[], Brought::nothing()).await?;
        ensure!(answer.status() == StatusCode::OK, "{path}: {}", answer.status());
        let (mut body, mut at) = (answer.into_body(), 0);
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame?.into_data() else { continue };
            ensure!(pattern.is_at(at, &bytes), "{path}: wrong bytes after {at}");
            at += bytes.len() as u64;
        }
        ensure!(at == size, "{path}: {at} bytes of {size}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_its_pattern_and_another_is_noticed() {
        let (pattern, other) = (Pattern::new(1), Pattern::new(2));
        let size = 3 * PERIOD as u64 + 12_345;
        let all = Brought::pattern(&pattern, size).collect().await.unwrap().to_bytes();
        assert_eq!(all.len() as u64, size);
        assert!(pattern.is_at(0, &all) && pattern.is_at(777, &all[777..]));
        assert!(!other.is_at(0, &all) && !pattern.is_at(1, &all));
        let mut spoilt = all.to_vec();
        spoilt[2_000_000] ^= 1;
        assert!(!pattern.is_at(0, &spoilt));
    }
}
