//! Where Mallory waits for others: one port for links over QUIC and TLS and for HTTP, each answered as it is told.
//!
//! Counts who comes. What it serves over HTTP is bytes, whole answers with their heads.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context as _;
use startalk_net::{CertResolver, LinkCertificate, LinkStream, Protocol, QuicGate, ServerTls, WebCertificate, bind};
use startalk_protocol::{pb::link::frame::Frame as Kind, signing::SecretKey};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};

use crate::{Address, Connection, Line, Mallory, connection::PATIENCE, mallory::now_ms};

/// Links that have come and nobody has looked at.
const WAITING_MAX: usize = 64;

/// A port on which one waits. Everything ends when it is dropped.
pub struct Station {
    /// Where.
    pub address: Address,
    /// Links that came in.
    pub links: Arc<AtomicU64>,
    /// HTTP requests that came in.
    pub requests: Arc<AtomicU64>,
    answer: Arc<Mutex<Vec<u8>>>,
    arrived: mpsc::Receiver<Connection>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Station {
    /// Listens on a free port of this machine, with a certificate of this key for links. HTTP is answered with 404 until
    /// something else is told.
    ///
    /// # Errors
    /// If there is no port.
    pub fn open(certificate: &SecretKey) -> anyhow::Result<Self> {
        let web = WebCertificate::self_made(vec!["localhost".to_owned()], now_ms())?;
        let tls = ServerTls::new(&CertResolver::new(Some(&LinkCertificate::new(certificate)?), Some(&web)), false)?;
        let listeners = bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into(), Some(tls.quic()?))?;
        let (sender, arrived) = mpsc::channel(WAITING_MAX);
        let (links, requests) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let answer = Arc::new(Mutex::new(crate::http::answer(404, "", b"")));
        let door = Door { tls, sender, links: links.clone(), requests: requests.clone(), answer: answer.clone() };
        let tasks = vec![tokio::spawn(door.clone().accept_tcp(listeners.tcp)), tokio::spawn(door.accept_quic(listeners.quic))];
        Ok(Self { address: Address::here(listeners.port), links, requests, answer, arrived, tasks })
    }

    /// From now on HTTP is answered with these bytes.
    ///
    /// # Panics
    /// If a task panicked with it.
    pub fn serve(&self, answer: Vec<u8>) {
        *self.answer.lock().expect("nobody panics with it") = answer;
    }

    /// The next link that comes in. Nothing was said on it.
    ///
    /// # Errors
    /// If none comes.
    pub async fn arrival(&mut self) -> anyhow::Result<Connection> {
        let arrived = tokio::time::timeout(PATIENCE, self.arrived.recv()).await.context("the node does not dial")?;
        arrived.context("the door is open")
    }

    /// Takes the next link in as it should be done.
    ///
    /// # Errors
    /// If none comes or it is not one.
    pub async fn link(&mut self, mallory: Mallory) -> anyhow::Result<Line> {
        let mut connection = self.arrival().await?;
        let theirs = connection.welcomed().await?;
        let node = theirs.from.parse().context("the dialer's name")?;
        connection.say(Kind::Hello(mallory.hello(&node, mallory.record_now()))).await;
        Line::opened(connection, mallory, node, theirs)
    }

    /// How many links have come.
    pub fn links(&self) -> u64 {
        self.links.load(Ordering::Acquire)
    }

    /// How many HTTP requests have come.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[derive(Clone)]
struct Door {
    tls: ServerTls,
    sender: mpsc::Sender<Connection>,
    links: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Door {
    async fn accept_tcp(self, listener: tokio::net::TcpListener) {
        while let Ok((tcp, _)) = listener.accept().await {
            let door = self.clone();
            tokio::spawn(async move {
                let Ok(accepted) = door.tls.accept(tcp).await else { return };
                match accepted.protocol {
                    Protocol::Link => door.arrived(Connection::accepted_tls(accepted.stream)).await,
                    _ => door.http(accepted.stream).await,
                }
            });
        }
    }

    async fn accept_quic(self, endpoint: quinn::Endpoint) {
        let gate = QuicGate::default();
        while let Some(handshake) = gate.next(&endpoint).await {
            let door = self.clone();
            tokio::spawn(async move {
                let Ok(accepted) = handshake.finish().await else { return };
                // The dialer's hello opens the stream.
                let Ok(stream) = LinkStream::accept(&accepted.stream).await else { return };
                door.arrived(Connection::accepted_quic(accepted.stream, stream)).await;
            });
        }
    }

    async fn arrived(self, connection: Connection) {
        self.links.fetch_add(1, Ordering::AcqRel);
        // Nobody waits any more: the connection ends.
        let _ = self.sender.send(connection).await;
    }

    async fn http(self, mut stream: impl crate::connection::Io) {
        let mut head = Vec::new();
        while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < 16 * 1024 {
            match stream.read_buf(&mut head).await {
                Ok(n) if n > 0 => {}
                _ => return,
            }
        }
        self.requests.fetch_add(1, Ordering::AcqRel);
        let answer = self.answer.lock().expect("nobody panics with it").clone();
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }
}
