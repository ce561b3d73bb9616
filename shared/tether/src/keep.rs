//! The node's side: a tether to one hub, for ever. QUIC, or TLS on TCP where UDP does not pass, and back to QUIC when it
//! does.
//!
//! Owns the waiting between attempts; who serves what is forwarded is the caller's business.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use startalk_net::{
    ALPN_TETHER, AddressGuard, Connect, Either, HubUrl, LinkCertificate, Names, Neither, QuicConnection, RootCertificate,
    TlsConnection, connect_either, connect_quic_with, connect_tls,
};
use startalk_protocol::{
    Error,
    error::Language,
    pb::tether::{self as pb, frame::Frame},
    trust::Endpoint,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    Io,
    frames::{Control, ControlError},
    limits::{PING_EVERY, SILENCE_MAX},
    transport,
};

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// For a connection to the hub.
    pub connect: Duration,
    /// TLS on TCP is tried beside QUIC after so long.
    pub quic_head_start: Duration,
    /// While the tether is on TCP, QUIC is tried this often.
    pub quic_again: Duration,
    /// After a failure, at first; it doubles.
    pub wait_first: Duration,
    /// And at most.
    pub wait_most: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(15),
            quic_head_start: seconds(2),
            quic_again: seconds(600),
            wait_first: seconds(1),
            wait_most: seconds(60),
        }
    }
}

/// What a tether needs.
#[derive(Clone)]
pub struct Config {
    /// Where to.
    pub hub: HubUrl,
    /// How its host is resolved.
    pub names: Names,
    /// From where; the listening endpoint, so that all goes through one hole in a router.
    pub endpoint: quinn::Endpoint,
    /// Trusted for hubs besides the public web's.
    pub extra_roots: Vec<RootCertificate>,
    /// The link certificate as it is now.
    pub certificate: Arc<dyn Fn() -> LinkCertificate + Send + Sync>,
    /// The node's SignedRecord, whenever it changes.
    pub records: watch::Receiver<Bytes>,
    /// Takes what is forwarded; must not block.
    pub serve: Arc<dyn Fn(Forwarded) + Send + Sync>,
    /// Any number, for waiting not all at once.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// How long things take.
    pub timings: Timings,
}

/// A connection that the hub forwards.
pub struct Forwarded {
    /// To read and write; begins with a TLS handshake.
    pub stream: Box<dyn Io>,
    /// Where its other end is, as the hub says.
    pub from: IpAddr,
    /// What it asked for.
    pub server_name: String,
}

/// What a tether runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Each forwarded connection is a stream.
    Quic,
    /// Each forwarded connection is one more connection from the node to the hub.
    Tls,
}

/// Why there is no tether.
#[derive(Clone, Debug)]
pub enum Down {
    /// The hub cannot be reached.
    Unreachable(Box<Neither>),
    /// The hub says no, or that it stops.
    Refused(Error),
    /// It was there, and ended.
    Lost(String),
    /// The hub's URL is plain HTTP: nothing is forwarded without TLS.
    Plain,
}

impl Down {
    /// In words.
    pub fn words(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        match self {
            Self::Unreachable(neither) => neither.words(language),
            Self::Refused(error) => error.words(language),
            Self::Lost(why) if zh => format!("连接中断（{why}）"),
            Self::Lost(why) => format!("the connection was lost ({why})"),
            Self::Plain if zh => "经由枢纽需要 https:// 地址".to_owned(),
            Self::Plain => "a tether needs an https:// address".to_owned(),
        }
    }
}

/// How it stands with a tether.
#[derive(Clone, Debug)]
pub enum State {
    /// On the way.
    Trying,
    /// There.
    Up {
        /// What it runs over.
        over: Over,
        /// TLS server names that the hub forwards.
        names: Vec<String>,
        /// Where the hub sees this node.
        address: String,
    },
    /// Not there, and why; it is tried again.
    Down(Down),
}

/// Keeps a tether until the task is dropped; says in `state` how it stands.
pub async fn keep(config: Config, state: watch::Sender<State>) {
    if config.hub.is_plain() {
        state.send_replace(State::Down(Down::Plain));
        return;
    }
    let mut wait = config.timings.wait_first;
    let mut next = None;
    loop {
        let opened = match next.take() {
            Some(way) => Ok(way),
            None => open(&config).await,
        };
        let down = match opened {
            Ok(way) => {
                let began = Instant::now();
                let ended = hold(&config, way, &state).await;
                if began.elapsed() > config.timings.wait_most {
                    wait = config.timings.wait_first;
                }
                match ended {
                    Ended::Better(connection) => {
                        next = Some(Either::Quic(connection));
                        continue;
                    }
                    Ended::Down(down) => down,
                }
            }
            Err(down) => down,
        };
        tracing::warn!(hub = config.hub.name(), why = %down.words(Language::English), "not tethered");
        state.send_replace(State::Down(down));
        // Between half and all of it: those who lost one hub together do not come back together.
        let part = 500 + u32::try_from((config.random)() % 501).unwrap_or(0);
        sleep(wait * part / 1000).await;
        wait = (wait * 2).min(config.timings.wait_most);
    }
}

async fn open(config: &Config) -> Result<Either, Down> {
    let endpoints = [config.hub.endpoint()];
    let certificate = (config.certificate)();
    let what = connect(config, &endpoints, &certificate);
    connect_either(&config.endpoint, &what, transport(), config.timings.quic_head_start).await.map_err(Down::Unreachable)
}

fn connect<'a>(config: &'a Config, endpoints: &'a [Endpoint], certificate: &'a LinkCertificate) -> Connect<'a> {
    Connect {
        endpoints,
        server_name: config.hub.host(),
        verify: config.hub.verify(&config.extra_roots),
        alpn: &[ALPN_TETHER],
        certificate: Some(certificate),
        guard: AddressGuard::AllowPrivate, // the administrator wrote it down
        names: &config.names,
        timeout: config.timings.connect,
    }
}

enum Ended {
    /// QUIC gets through now.
    Better(QuicConnection),
    Down(Down),
}

async fn hold(config: &Config, way: Either, state: &watch::Sender<State>) -> Ended {
    match way {
        Either::Quic(QuicConnection { connection, .. }) => {
            let control = match connection.open_bi().await {
                Ok((send, receive)) => Control::new(tokio::io::join(receive, send)),
                Err(error) => return Ended::Down(Down::Lost(error.to_string())),
            };
            let ended = tokio::select! {
                ended = talk(config, control, Over::Quic, None, state) => ended,
                ended = take_streams(&connection, &config.serve) => Down::Lost(ended.to_string()),
            };
            connection.close(0_u32.into(), b"");
            Ended::Down(ended)
        }
        Either::Tls(connection) => {
            let TlsConnection { stream, address, .. } = *connection;
            tokio::select! {
                ended = talk(config, Control::new(stream), Over::Tls, Some(address), state) => Ended::Down(ended),
                better = quic_again(config) => Ended::Better(better),
            }
        }
    }
}

/// Until QUIC gets through.
async fn quic_again(config: &Config) -> QuicConnection {
    loop {
        sleep(config.timings.quic_again).await;
        let (endpoints, certificate) = ([config.hub.endpoint()], (config.certificate)());
        let what = connect(config, &endpoints, &certificate);
        if let Ok(found) = connect_quic_with(&config.endpoint, &what, transport()).await {
            return found;
        }
    }
}

/// Each stream that the hub opens is a connection.
async fn take_streams(connection: &quinn::Connection, serve: &Arc<dyn Fn(Forwarded) + Send + Sync>) -> quinn::ConnectionError {
    loop {
        match connection.accept_bi().await {
            Ok((send, receive)) => {
                let serve = serve.clone();
                tokio::spawn(async move {
                    let mut control = Control::new(tokio::io::join(receive, send));
                    if let Ok(Frame::Opened(opened)) = control.first().await {
                        forwarded(opened, control, &serve);
                    }
                });
            }
            Err(error) => return error,
        }
    }
}

fn forwarded(opened: pb::Opened, control: Control<impl Io + 'static>, serve: &Arc<dyn Fn(Forwarded) + Send + Sync>) {
    let Ok(from) = opened.address.parse::<IpAddr>() else { return };
    let stream = Box::new(control.into_stream());
    serve(Forwarded { stream, from: from.to_canonical(), server_name: opened.server_name });
}

/// What is said on the control stream, until it ends. `hub`: where connections that wait are fetched.
pub async fn talk(
    config: &Config,
    mut control: Control<impl Io>,
    over: Over,
    hub: Option<SocketAddr>,
    state: &watch::Sender<State>,
) -> Down {
    let mut records = config.records.clone();
    let hello = |record: Bytes| Frame::Hello(pb::Hello { record });
    let record = records.borrow_and_update().clone();
    if let Err(error) = control.say(hello(record)).await {
        return Down::Lost(error.to_string());
    }
    let mut heard = Instant::now();
    let mut ping = tokio::time::interval_at(heard + PING_EVERY, PING_EVERY);
    loop {
        let said = tokio::select! {
            frame = control.next() => {
                heard = Instant::now();
                match frame {
                    Ok(frame) => {
                        if let Some(down) = on_frame(config, frame, over, hub, state) {
                            return down;
                        }
                        continue;
                    }
                    Err(ControlError::Unknown) => continue, // of a newer hub
                    Err(error) => return Down::Lost(error.to_string()),
                }
            }
            changed = records.changed() => match changed {
                Ok(()) => hello(records.borrow_and_update().clone()),
                Err(_) => return Down::Lost("stopping".to_owned()),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return Down::Lost(ControlError::Silent.to_string());
                }
                Frame::Ping(pb::Ping {})
            }
        };
        if let Err(error) = control.say(said).await {
            return Down::Lost(error.to_string());
        }
    }
}

fn on_frame(config: &Config, frame: Frame, over: Over, hub: Option<SocketAddr>, state: &watch::Sender<State>) -> Option<Down> {
    match frame {
        Frame::Welcome(pb::Welcome { names, address }) => {
            tracing::info!(hub = config.hub.name(), ?over, ?names, "tethered");
            state.send_replace(State::Up { over, names, address });
        }
        Frame::Incoming(pb::Incoming { ticket }) => {
            if let Some(hub) = hub {
                tokio::spawn(claim(config.clone(), hub, ticket));
            }
        }
        Frame::Refused(refused) => return Some(Down::Refused(Error::from_wire(&refused.code, refused.params))),
        Frame::Ping(_) | Frame::Hello(_) | Frame::Claim(_) | Frame::Opened(_) => {}
    }
    None
}

/// Fetches a connection that waits, at the very machine that said so.
async fn claim(config: Config, hub: SocketAddr, ticket: Bytes) {
    let certificate = (config.certificate)();
    let endpoints = [Endpoint { host: hub.ip().to_string(), port: hub.port().into() }];
    let Ok(TlsConnection { stream, .. }) = connect_tls(&connect(&config, &endpoints, &certificate)).await else { return };
    let mut control = Control::new(stream);
    if control.say(Frame::Claim(pb::Claim { ticket })).await.is_err() {
        return;
    }
    if let Ok(Frame::Opened(opened)) = control.first().await {
        forwarded(opened, control, &config.serve);
    }
}
