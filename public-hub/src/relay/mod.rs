//! Connections for nodes that cannot be reached from outside: what arrives here for a tethered name is forwarded to the
//! node, and not read. federation-spec/09-relaying.md
//!
//! Owns, in memory: who is tethered, under which names, and what waits to be fetched. A connection is sorted by the server
//! name in its ClientHello; its TLS is between its two ends.
//!
//! Invariants: nothing is forwarded to anybody but a tethered node whose key was proven on its tether; a name stands for
//! one domain at a time; and one domain's connections leave room for others'.

pub mod hello;
mod pace;
mod splice;
mod table;
#[cfg(test)]
mod tests;
mod tether;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use startalk_protocol::pb::tether::{self as pb, frame::Frame};
use startalk_tether::{
    Control, Io,
    limits::{FIRST_FRAME, TICKET_BYTES},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

pub use pace::Meter;
pub use splice::splice;
pub use table::{Limits, Refusal};
pub(crate) use tether::serve;

use table::{Table, Tethered, Way};

/// What a hub forwards. Cheap to clone.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    table: Mutex<Table>,
    /// The hub's own host names, in lower case: under each, a domain has an address for browsers.
    hosts: RwLock<Vec<String>>,
    figures: Figures,
}

/// Counted since the start.
#[derive(Debug, Default)]
struct Figures {
    forwarded: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
}

/// How much a hub forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Tethers on QUIC.
    pub tethers_quic: usize,
    /// Tethers on TLS.
    pub tethers_tls: usize,
    /// Connections open at the moment.
    pub open: usize,
    /// Connections forwarded so far.
    pub forwarded: u64,
    /// Connections for which there was no room.
    pub refused: u64,
    /// Connections that the node did not take in time.
    pub lost: u64,
    /// Bytes, both ways, of tethers that are there.
    pub bytes: u64,
}

impl Relay {
    /// Nobody is tethered yet.
    pub fn new(hosts: &[String], limits: Limits) -> Self {
        let relay = Self(Arc::new(Inner {
            table: Mutex::new(Table::new(limits)),
            hosts: RwLock::default(),
            figures: Figures::default(),
        }));
        relay.reconfigure(hosts, limits);
        relay
    }

    /// Other names and limits from now on; tethers stay, and learn their new names with their next record.
    pub fn reconfigure(&self, hosts: &[String], limits: Limits) {
        // An address has no names under it.
        let named = hosts.iter().filter(|h| h.parse::<IpAddr>().is_err());
        *self.0.hosts.write() = named.map(|h| h.trim_end_matches('.').to_ascii_lowercase()).collect();
        self.0.table.lock().limits = limits;
    }

    /// Who is tethered under this server name.
    pub(crate) fn of(&self, server_name: &str) -> Option<Arc<Tethered>> {
        self.0.table.lock().of(server_name)
    }

    /// Whether this is an address for browsers under one of the hub's names, whoever has it.
    pub(crate) fn is_an_address(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.hosts.read().iter().any(|own| {
            let label = host.strip_suffix(own.as_str()).and_then(|rest| rest.strip_suffix('.'));
            label.is_some_and(|l| format!("{l}.startalk.alt").parse::<startalk_protocol::DomainName>().is_ok())
        })
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let (tethers_quic, tethers_tls, open, bytes) = self.0.table.lock().count();
        let figures = &self.0.figures;
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Standing {
            tethers_quic,
            tethers_tls,
            open,
            forwarded: read(&figures.forwarded),
            refused: read(&figures.refused),
            lost: read(&figures.lost),
            bytes,
        }
    }

    /// Forwards one connection, until it ends.
    pub(crate) async fn forward<S>(&self, to: Arc<Tethered>, stream: S, from: IpAddr, server_name: String)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let figures = &self.0.figures;
        let placed = self.0.table.lock().place(&to, from);
        let _place = match placed.map(|()| Place { relay: self, to: &to, from }) {
            Ok(place) => place,
            Err(refusal) => {
                figures.refused.fetch_add(1, Ordering::Relaxed);
                return tracing::debug!(?refusal, "not forwarded");
            }
        };
        figures.forwarded.fetch_add(1, Ordering::Relaxed);
        let opened = Frame::Opened(pb::Opened { address: from.to_string(), server_name });
        let Ok(Some(node)) = timeout(FIRST_FRAME, self.reach(&to, opened)).await else {
            figures.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let ended = splice(stream, node, to.meter()).await;
        tracing::debug!(?ended, "a forwarded connection ended");
    }

    /// A stream to the node, on which `opened` was said.
    async fn reach(&self, to: &Tethered, opened: Frame) -> Option<Box<dyn Io>> {
        match to.way() {
            Way::Quic(connection) => {
                let (send, receive) = connection.open_bi().await.ok()?;
                let mut control = Control::new(tokio::io::join(receive, send));
                control.say(opened).await.ok()?;
                Some(Box::new(control.into_stream()))
            }
            Way::Tls(frames) => {
                let (number, claimed) = self.0.table.lock().ticket(to);
                let _ticket = Ticket { relay: self, number };
                let incoming = pb::Incoming { ticket: Bytes::copy_from_slice(&number) };
                // Full: the node does not read, and fetches nothing either.
                frames.try_send(Frame::Incoming(incoming)).ok()?;
                let mut control = claimed.await.ok()?;
                control.say(opened).await.ok()?;
                Some(Box::new(control.into_stream()))
            }
        }
    }
}

/// A connection that is counted until it is dropped.
struct Place<'a> {
    relay: &'a Relay,
    to: &'a Tethered,
    from: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.relay.0.table.lock().leave(self.to, self.from);
    }
}

/// A ticket that is good until it is dropped.
struct Ticket<'a> {
    relay: &'a Relay,
    number: [u8; TICKET_BYTES],
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.relay.0.table.lock().forget(&self.number);
    }
}
