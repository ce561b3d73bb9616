//! A small HTTP/1.1 client for answers of known size: TLS by choice of verifier, the address guard at connect time,
//! a limit on every answer, a timeout over everything, no redirects, no cookies, no proxy, one connection per request.
//!
//! For discovery and hubs here, and under node/outbound for previews, webhooks and push.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
pub use hyper::{HeaderMap, Method, StatusCode, Uri, header};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use startalk_protocol::{error::Language, trust::Endpoint};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{ALPN_HTTP1, AddressGuard, Connect, ConnectError, Names, Verify, connect::connect_tcp, connect_tls, reason::Reason};

/// Bytes of the headers of an answer.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Headers of an answer.
const HEADERS_MAX: usize = 64;

/// Where plain `http://` is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Nowhere.
    Never,
    /// To addresses of this machine (the host must be a loopback address, not a name).
    Loopback,
    /// Everywhere that the guard allows.
    Allowed,
}

/// What to ask.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// GET, POST …
    pub method: Method,
    /// `https://…` or, where allowed, `http://…`.
    pub url: Uri,
    /// Connect to this instead of to the URL's host; the URL's host is still the one asked for.
    pub at: Option<Endpoint>,
    /// Whom to accept.
    pub verify: Verify,
    /// Besides Host and Content-Length.
    pub headers: HeaderMap,
    /// May be empty.
    pub body: Bytes,
}

impl HttpRequest {
    /// GET with the public web's rules.
    pub fn get(url: Uri) -> Self {
        Self { method: Method::GET, url, at: None, verify: Verify::web(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// POST with the public web's rules.
    pub fn post(url: Uri, body: Bytes) -> Self {
        Self { method: Method::POST, body, ..Self::get(url) }
    }
}

/// What came back; any status.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// 200, 404 …
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    /// At most the client's limit.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The URL cannot be used here: expected `https://host…`, or plain `http://` where that is allowed.
    #[error("not a URL that may be asked here")]
    BadUrl,
    /// The answer is larger than allowed.
    #[error("the answer is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// No whole answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// Something that is not HTTP came back, or the connection broke.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl HttpError {
    /// In words.
    pub fn words(&self, language: Language) -> String {
        if language == Language::English {
            return self.to_string();
        }
        match self {
            Self::Connect(e) => e.words(language),
            Self::BadUrl => "此处不能请求这样的网址".to_owned(),
            Self::TooLarge { max } => format!("应答超过 {max} 字节"),
            Self::TimedOut => Reason::TimedOut.words(language),
            Self::Broken(why) => format!("应答中断：{why}"),
        }
    }
}

/// The client: limits and rules, no state. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    /// How host names are resolved.
    pub names: Names,
    /// Which addresses are allowed.
    pub guard: AddressGuard,
    /// Where plain HTTP is allowed.
    pub plain: PlainHttp,
    /// For connecting, sending and receiving together.
    pub timeout: Duration,
    /// Bytes of an answer.
    pub answer_bytes_max: usize,
}

impl HttpClient {
    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// Why there is no answer. A status of any kind is an answer, a redirect too; it is not followed.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpError> {
        tokio::time::timeout(self.timeout, self.exchange(request)).await.unwrap_or(Err(HttpError::TimedOut))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, HttpError> {
        let host = request.url.host().filter(|h| !h.is_empty()).ok_or(HttpError::BadUrl)?.to_owned();
        let tls = match request.url.scheme_str() {
            Some("https") => true,
            Some("http") if self.plain_allowed(&host) => false,
            _ => return Err(HttpError::BadUrl),
        };
        let port = request.url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let endpoint = request.at.clone().unwrap_or(Endpoint { host: host.clone(), port: u32::from(port) });
        let connect = Connect {
            endpoints: std::slice::from_ref(&endpoint),
            server_name: &host,
            verify: request.verify.clone(),
            alpn: &[ALPN_HTTP1],
            certificate: None,
            guard: self.guard,
            names: &self.names,
            timeout: self.timeout,
        };
        if tls {
            let stream = connect_tls(&connect).await?.stream;
            self.over(stream, request).await
        } else {
            let stream = connect_tcp(&connect).await?;
            self.over(stream, request).await
        }
    }

    fn plain_allowed(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        match self.plain {
            PlainHttp::Never => false,
            PlainHttp::Loopback => bare.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback()),
            PlainHttp::Allowed => true,
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: HttpRequest,
    ) -> Result<HttpAnswer, HttpError> {
        let broken = |e: hyper::Error| HttpError::Broken(e.to_string());
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // Ends with this function: whoever stops waiting closes the connection.
        let mut driver = tokio::task::JoinSet::new();
        driver.spawn(connection);
        let answer = sender.send_request(build(request)?).await.map_err(broken)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, self.answer_bytes_max).collect().await.map_err(|e| {
            if e.is::<LengthLimitError>() {
                HttpError::TooLarge { max: self.answer_bytes_max }
            } else {
                HttpError::Broken(e.to_string())
            }
        })?;
        Ok(HttpAnswer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
}

fn build(request: HttpRequest) -> Result<Request<Full<Bytes>>, HttpError> {
    let authority = request.url.authority().ok_or(HttpError::BadUrl)?;
    // Never the user name and password that a URL may carry.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let path = request.url.path_and_query().map_or("/", |p| p.as_str());
    let mut out = Request::builder()
        .method(request.method)
        .uri(path)
        .header(header::HOST, host)
        .body(Full::new(request.body))
        .map_err(|_| HttpError::BadUrl)?;
    for (name, value) in &request.headers {
        if name != header::HOST && name != header::CONTENT_LENGTH {
            out.headers_mut().append(name, value.clone());
        }
    }
    out.headers_mut().entry(header::USER_AGENT).or_insert(header::HeaderValue::from_static("Startalk"));
    Ok(out)
}
