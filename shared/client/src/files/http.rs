//! One connection for HTTP/1.1 to the node, opened when it is needed; and what an answer that is none means.
//!
//! Every request shows the device's token. Nothing waits for ever: a request is given up when nothing has moved for
//! [`STILL`].

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use startalk_protocol::{Code, Error};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::Transfers;
use crate::{ClientError, DialError, session::now_ms};

/// Nothing has moved for so long: the connection is given up.
pub(super) const STILL: Duration = Duration::from_secs(60);
/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// Bytes of an answer that is JSON.
const JSON_BYTES_MAX: usize = 64 * 1024;
/// Bytes and number of an answer's headers.
const HEADER_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;

pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

pub(super) fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn whole(bytes: Vec<u8>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Why it did not work, and what follows.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another attempt may help.
    Again(ClientError),
    /// It is on its way to the node from another domain.
    Coming(ClientError),
    /// Nothing will help.
    Over(ClientError),
}

impl Trouble {
    pub fn error(self) -> ClientError {
        match self {
            Self::Again(e) | Self::Coming(e) | Self::Over(e) => e,
        }
    }

    pub fn broken(why: impl std::fmt::Display) -> Self {
        Self::Again(ClientError::Dial(DialError::Closed(why.to_string())))
    }

    pub fn protocol(why: &str) -> Self {
        Self::Again(ClientError::Protocol(why.to_owned()))
    }
}

/// An answer that says no.
#[derive(Debug)]
pub(super) struct Refused {
    pub status: StatusCode,
    code: String,
    error: Error,
}

#[derive(Deserialize)]
struct Told {
    error: ToldError,
}

/// An error as the node tells it in JSON.
#[derive(Deserialize)]
pub(super) struct ToldError {
    pub code: String,
    #[serde(default)]
    pub params: std::collections::BTreeMap<String, String>,
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        let Refused { status, code, error } = refused;
        let passes = matches!(
            status,
            StatusCode::CONFLICT
                | StatusCode::LOCKED
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let error = ClientError::Refused(error);
        if code == "file-coming" {
            Self::Coming(error)
        } else if passes || code.parse::<Code>().is_ok_and(Code::retry_helps) {
            Self::Again(error)
        } else {
            Self::Over(error)
        }
    }
}

/// The way to the node. Closes when it is dropped.
pub(super) struct Door<'a> {
    transfers: &'a Transfers,
    open: Option<(SendRequest<Body>, JoinSet<()>)>,
}

impl<'a> Door<'a> {
    pub fn new(transfers: &'a Transfers) -> Self {
        Self { transfers, open: None }
    }

    /// The next request has a connection of its own.
    pub fn close(&mut self) {
        self.open = None;
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Body>, Trouble> {
        if let Some((sender, _)) = &mut self.open
            && sender.ready().await.is_err()
        {
            self.open = None;
        }
        if self.open.is_none() {
            let http = self.transfers.http.as_ref();
            let http = http
                .ok_or_else(|| Trouble::Over(ClientError::Input("a session that can open connections for files".to_owned())))?;
            let stream = http.dial_http(now_ms()).await.map_err(Trouble::Again)?;
            let (sender, connection) = http1::Builder::new()
                .max_headers(HEADERS_MAX)
                .max_buf_size(HEADER_BYTES_MAX)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(Trouble::broken)?;
            let mut driver = JoinSet::new();
            driver.spawn(async { drop(connection.await) });
            self.open = Some((sender, driver));
        }
        self.open.as_mut().map(|(sender, _)| sender).ok_or_else(|| Trouble::broken("closed"))
    }

    /// Asks; any status is an answer.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
        body: Body,
    ) -> Result<Response<Incoming>, Trouble> {
        let invalid = |_| Trouble::Over(ClientError::Input("what can stand in a request".to_owned()));
        let mut request = Request::builder().method(method).uri(path).body(body).map_err(|_| invalid(()))?;
        let said = request.headers_mut();
        said.insert(header::HOST, HeaderValue::try_from(&self.transfers.domain).map_err(|_| invalid(()))?);
        let mut token = HeaderValue::try_from(format!("Bearer {}", self.transfers.token)).map_err(|_| invalid(()))?;
        token.set_sensitive(true);
        said.insert(header::AUTHORIZATION, token);
        for (name, value) in headers {
            said.insert(name, HeaderValue::try_from(value).map_err(|_| invalid(()))?);
        }
        let answer = self.sender().await?.send_request(request).await;
        if answer.is_err() {
            self.open = None;
        }
        answer.map_err(Trouble::broken)
    }

    /// The same, without a body, and given up when no answer comes.
    pub async fn ask_shortly(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<Response<Incoming>, Trouble> {
        watched(self.ask(method, path, headers, nothing()), &AtomicU64::new(0), &mut |_| {}).await
    }
}

/// Waits for `doing`, tells how far `count` has got, and gives up when that stands still.
pub(super) async fn watched<T>(
    doing: impl Future<Output = Result<T, Trouble>>,
    count: &AtomicU64,
    moved: &mut (dyn FnMut(u64) + Send),
) -> Result<T, Trouble> {
    let (mut doing, mut last, mut since) = (pin!(doing), count.load(Ordering::Relaxed), Instant::now());
    loop {
        tokio::select! {
            done = &mut doing => return done,
            () = sleep(TOLD_EVERY) => {
                let now = count.load(Ordering::Relaxed);
                if now != last {
                    (last, since) = (now, Instant::now());
                    moved(now);
                } else if since.elapsed() > STILL {
                    return Err(Trouble::broken("nothing moved for a minute"));
                }
            }
        }
    }
}

/// The answer if it is a good one.
pub(super) async fn good(answer: Response<Incoming>) -> Result<Response<Incoming>, Refused> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let told = json(answer).await.ok().and_then(|bytes| serde_json::from_slice::<Told>(&bytes).ok());
    let (code, params) = told.map(|t| (t.error.code, t.error.params)).unwrap_or_default();
    let error = if code.is_empty() {
        Error::new(Code::Internal).with("status", status.as_u16())
    } else {
        Error::from_wire(&code, params)
    };
    Err(Refused { status, code, error })
}

/// The body of a small answer.
pub(super) async fn json(answer: Response<Incoming>) -> Result<Bytes, Trouble> {
    let reading = async {
        let body = Limited::new(answer.into_body(), JSON_BYTES_MAX).collect().await;
        body.map(|b| b.to_bytes()).map_err(Trouble::broken)
    };
    watched(reading, &AtomicU64::new(0), &mut |_| {}).await
}

/// A number in a header.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// A counter that a body and who watches it share.
pub(super) fn counter() -> Arc<AtomicU64> {
    Arc::default()
}
