//! What lies between two domains: a forwarder of TCP and UDP that a test cuts, heals and makes slow.
//!
//! Cut, it drops every datagram, ends every connection and takes none. Slow, it loses one datagram in [`LOST_EVERY`] and
//! passes everything else in small pieces with a pause between them. Everything ends when it is dropped.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Of a slow way, one datagram in so many is lost.
const LOST_EVERY: u64 = 16;
/// Bytes that pass at once on a slow connection.
const SLOW_BYTES: usize = 2048;
/// The pause after each datagram or piece on a slow way.
const SLOW_PAUSE: Duration = Duration::from_millis(2);
/// Bytes of a datagram at most.
const DATAGRAM_BYTES: usize = 64 * 1024;
/// Senders of datagrams that are remembered; nodes are one each.
const FLOWS_MAX: usize = 64;
/// Attempts to find a port that is free for both.
const ATTEMPTS: usize = 32;

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As loopback is.
    Open,
    /// Slow, and losing some.
    Slow,
    /// Nothing passes.
    Cut,
}

/// One forwarder.
pub struct Relay {
    /// Where it listens, on loopback.
    pub port: u16,
    /// What it dropped: datagrams and connections.
    pub dropped: Arc<AtomicU64>,
    target: Arc<AtomicU16>,
    way: watch::Sender<Way>,
    tasks: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Listens on one port for both; leads nowhere yet.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn open() -> anyhow::Result<Self> {
        let (tcp, udp, port) = listen().await?;
        let (way, seen) = watch::channel(Way::Open);
        let passage = Passage { target: Arc::default(), dropped: Arc::default(), way: seen };
        let (target, dropped) = (passage.target.clone(), passage.dropped.clone());
        let tasks = vec![tokio::spawn(passage.clone().connections(tcp)), tokio::spawn(passage.datagrams(udp))];
        Ok(Self { port, dropped, target, way, tasks })
    }

    /// It leads to this port of this machine from now on.
    pub fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::Release);
    }

    /// The way is like this from now on.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn listen() -> anyhow::Result<(TcpListener, UdpSocket, u16)> {
    for _ in 0..ATTEMPTS {
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = tcp.local_addr()?.port();
        if let Ok(udp) = UdpSocket::bind(("127.0.0.1", port)).await {
            return Ok((tcp, udp, port));
        }
    }
    bail!("no port is free for both TCP and UDP");
}

#[derive(Clone)]
struct Passage {
    target: Arc<AtomicU16>,
    dropped: Arc<AtomicU64>,
    way: watch::Receiver<Way>,
}

impl Passage {
    fn target(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.target.load(Ordering::Acquire)).into()
    }

    fn way(&self) -> Way {
        *self.way.borrow()
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    async fn connections(mut self, listener: TcpListener) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((near, _)) if self.way() != Way::Cut => {
                        let passage = self.clone();
                        open.spawn(async move { passage.connection(near).await });
                    }
                    Ok(_) => self.drop_one(),
                    Err(_) => tokio::time::sleep(SLOW_PAUSE).await,
                },
                Ok(()) = self.way.changed() => if self.way() == Way::Cut {
                    while open.try_join_next().is_some() {}
                    self.dropped.fetch_add(open.len() as u64, Ordering::Relaxed);
                    open.shutdown().await;
                },
                Some(_) = open.join_next() => {}
            }
        }
    }

    async fn connection(self, near: TcpStream) {
        let Ok(far) = TcpStream::connect(self.target()).await else { return };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(self.pass(near_in, far_out), self.pass(far_in, near_out));
    }

    async fn pass(&self, mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let mut piece = vec![0; DATAGRAM_BYTES];
        loop {
            let slow = self.way() == Way::Slow;
            let most = if slow { SLOW_BYTES } else { piece.len() };
            match from.read(&mut piece[..most]).await {
                Ok(bytes) if bytes > 0 => {
                    if to.write_all(&piece[..bytes]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            }
            if slow {
                tokio::time::sleep(SLOW_PAUSE).await;
            }
        }
    }

    async fn datagrams(self, near: UdpSocket) {
        let near = Arc::new(near);
        let mut flows: HashMap<SocketAddr, (Arc<UdpSocket>, JoinHandle<()>)> = HashMap::new();
        let (mut datagram, mut count) = (vec![0; DATAGRAM_BYTES], 0);
        loop {
            // An error is the answer to an earlier datagram that nobody took.
            let Ok((bytes, from)) = near.recv_from(&mut datagram).await else { continue };
            if !self.passes(&mut count).await {
                continue;
            }
            if !flows.contains_key(&from) {
                if flows.len() >= FLOWS_MAX {
                    flows.drain().for_each(|(_, (_, back))| back.abort());
                }
                let Ok(far) = UdpSocket::bind(("127.0.0.1", 0)).await else { continue };
                let far = Arc::new(far);
                let back = tokio::spawn(self.clone().back(far.clone(), near.clone(), from));
                flows.insert(from, (far, back));
            }
            if let Some((far, _)) = flows.get(&from) {
                let _ = far.send_to(&datagram[..bytes], self.target()).await;
            }
        }
    }

    async fn back(self, far: Arc<UdpSocket>, near: Arc<UdpSocket>, to: SocketAddr) {
        let (mut datagram, mut count) = (vec![0; DATAGRAM_BYTES], 0);
        loop {
            let Ok((bytes, _)) = far.recv_from(&mut datagram).await else { continue };
            if self.passes(&mut count).await {
                let _ = near.send_to(&datagram[..bytes], to).await;
            }
        }
    }

    /// Whether a datagram goes on, after what a slow way makes it wait.
    async fn passes(&self, count: &mut u64) -> bool {
        *count += 1;
        match self.way() {
            Way::Open => return true,
            Way::Slow if !count.is_multiple_of(LOST_EVERY) => {
                tokio::time::sleep(SLOW_PAUSE).await;
                return true;
            }
            Way::Slow | Way::Cut => self.drop_one(),
        }
        false
    }
}
