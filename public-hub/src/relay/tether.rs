//! One tether, from its first frame to its end.
//!
//! Owns the rule what a node is called here: the names made of its key always; a DNS name only while DNS names its root
//! key, or the hub has proven it. The names of a hub lead to it, so whoever is called by one can have a certificate made
//! for it: as much is asked here as a certificate authority asks for.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use startalk_protocol::{
    Code, DomainName, Error,
    pb::tether::{self as pb, frame::Frame},
    trust::{DomainRecord, VerifiedRecord},
};
use startalk_tether::{
    Control, Io,
    frames::ControlError,
    limits::{PING_EVERY, SILENCE_MAX},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

use super::table::{Tethered, Way};
use crate::{Hub, api};

/// Frames waiting to be said on a tether; a node that does not read them is not there.
const FRAMES_WAITING_MAX: usize = 256;
/// Whether a DNS name names the node's key is looked up this often.
const DNS_AGAIN: Duration = Duration::from_secs(300);

/// Serves what a node opened with [`startalk_net::ALPN_TETHER`] and this key, until it ends: its tether, or on TLS a
/// connection that it fetches. `quic`: its connection, if this is a stream of it. `room` is held until it is known what it
/// is: what is tethered or fetched is counted otherwise.
pub(crate) async fn serve(
    hub: Hub,
    mut control: Control<Box<dyn Io>>,
    key: Option<[u8; 32]>,
    from: SocketAddr,
    quic: Option<quinn::Connection>,
    room: Option<OwnedSemaphorePermit>,
) {
    let from = canonical(from);
    let first = match (control.first().await, key) {
        (Err(error), _) => return tracing::debug!(%error, "no first frame on a tether"),
        (Ok(_), None) => {
            return refuse(control, Error::new(Code::WrongKey).with("what", "The connection").with("domain", "?")).await;
        }
        (Ok(frame), Some(key)) => (frame, key),
    };
    match first {
        (Frame::Claim(claim), key) if quic.is_none() => {
            let claimed = hub.0.relay.0.table.lock().claim(&claim.ticket, key, control);
            if let Err(control) = claimed {
                refuse(control, Error::new(Code::Expired).with("what", "ticket")).await;
            }
        }
        (Frame::Hello(hello), key) => match known(&hub, &hello, key, from) {
            Ok(record) => tethered(hub, control, record, key, from, quic, room).await,
            Err(error) => refuse(control, error).await,
        },
        _ => refuse(control, Error::new(Code::Malformed).with("expected", "hello or claim")).await,
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

async fn refuse(mut control: Control<Box<dyn Io>>, error: Error) {
    tracing::debug!(%error, "a tether refused");
    let refused = pb::Refused { code: error.code.as_str().to_owned(), params: error.params.into_iter().collect() };
    if control.say(Frame::Refused(refused)).await.is_ok() {
        control.close().await;
        // What is closed at once may be lost before it is read: the node closes first, or has had its time.
        let _ = control.first().await;
    }
}

/// The record that a node shows, if the connection's key is one of its link keys; announced by the way.
fn known(hub: &Hub, hello: &pb::Hello, key: [u8; 32], from: SocketAddr) -> Result<VerifiedRecord, Error> {
    let now_ms = hub.now_ms();
    hub.0.rates.tether(from.ip(), now_ms)?;
    let record = DomainRecord::decode_signed(&hello.record, now_ms)?;
    let domain = record.domain().clone();
    if !record.charter().link_keys().iter().any(|k| k.key == key && k.valid(now_ms)) {
        return Err(Error::new(Code::WrongKey).with("what", "The connection").with("domain", &domain));
    }
    if record.charter().gone() {
        return Err(Error::new(Code::DomainGone).with("domain", &domain));
    }
    // That a hub knows a newer record, or that another has the name until it is proven, is no reason not to forward.
    if let Err(error) = api::take(hub, record.clone(), now_ms) {
        tracing::debug!(%domain, %error, "not announced by its tether");
    }
    Ok(record)
}

async fn tethered(
    hub: Hub,
    mut control: Control<Box<dyn Io>>,
    record: VerifiedRecord,
    key: [u8; 32],
    from: SocketAddr,
    quic: Option<quinn::Connection>,
    room: Option<OwnedSemaphorePermit>,
) {
    let (frames, mut waiting) = mpsc::channel(FRAMES_WAITING_MAX);
    let way = match &quic {
        Some(connection) => Way::Quic(connection.clone()),
        None => Way::Tls(frames.clone()),
    };
    let owner = (record.domain().clone(), record.charter().first_root_key());
    let node = {
        let mut table = hub.0.relay.0.table.lock();
        let rate = table.limits.bytes_per_second;
        let node = Tethered::new(owner.clone(), key, way, from.ip(), rate);
        table.admit(&node).map(|()| node)
    };
    let node = match node {
        Ok(node) => node,
        Err(error) => return refuse(control, error).await,
    };
    drop(room);
    tracing::info!(domain = %record.domain(), quic = quic.is_some(), "tethered");
    let _gone = Gone { hub: &hub, node: &node };
    welcome(&hub, &node, &record, from, &frames);
    let mut look_again = tokio::time::interval_at(Instant::now() + DNS_AGAIN, DNS_AGAIN);
    let (mut shown, mut seen) = (record, from);
    let (mut heard, mut ping) = (Instant::now(), tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY));
    let ended = loop {
        let said = tokio::select! {
            frame = control.next() => {
                heard = Instant::now();
                match frame {
                    Ok(Frame::Hello(hello)) => match known(&hub, &hello, key, from) {
                        Ok(newer) if (newer.domain(), newer.charter().first_root_key()) == (&owner.0, owner.1) => {
                            welcome(&hub, &node, &newer, from, &frames);
                            shown = newer;
                            continue;
                        }
                        Ok(_) => return refuse(control, Error::new(Code::WrongDomain).with("domain", &owner.0).with("asked", "?")).await,
                        Err(error) => return refuse(control, error).await,
                    },
                    Ok(_) | Err(ControlError::Unknown) => continue,
                    Err(error) => break error.to_string(),
                }
            }
            Some(frame) = waiting.recv() => frame,
            () = node.replaced.notified() => break "replaced".to_owned(),
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    break ControlError::Silent.to_string();
                }
                let now = quic.as_ref().map_or(seen, |c| canonical(c.remote_address()));
                if now == seen {
                    Frame::Ping(pb::Ping {})
                } else {
                    // Its router has another address, or another port for it: the connection went with it.
                    seen = now;
                    let names = hub.0.relay.0.table.lock().call(&node, []);
                    Frame::Welcome(pb::Welcome { names, address: seen.to_string() })
                }
            }
            _ = look_again.tick() => {
                look_up(&hub, &node, &shown, from, &frames);
                continue;
            }
            () = hub.stopping() => return refuse(control, Error::new(Code::Stopping)).await,
        };
        if let Err(error) = control.say(said).await {
            break error.to_string();
        }
    };
    tracing::info!(domain = %owner.0, %ended, "a tether ended");
}

/// Whatever happens, what is gone is not forwarded to.
struct Gone<'a> {
    hub: &'a Hub,
    node: &'a Arc<Tethered>,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.hub.0.relay.0.table.lock().remove(self.node);
    }
}

/// Calls the node by its names, and tells it.
fn welcome(hub: &Hub, node: &Arc<Tethered>, record: &VerifiedRecord, from: SocketAddr, frames: &mpsc::Sender<Frame>) {
    let relay = &hub.0.relay;
    let of_key = DomainName::of_key(&record.charter().first_root_key());
    let label = of_key.as_str().split('.').next().unwrap_or_default();
    let mut names = vec![of_key.to_string()];
    names.extend(relay.0.hosts.read().iter().map(|host| format!("{label}.{host}")));
    let called = relay.0.table.lock().call(node, names);
    say(frames, called, from);
    look_up(hub, node, record, from, frames);
}

fn say(frames: &mpsc::Sender<Frame>, names: Vec<String>, from: SocketAddr) {
    let _ = frames.try_send(Frame::Welcome(pb::Welcome { names, address: from.to_string() })); // full: it does not read
}

/// Calls the node by its DNS name, if it has one and DNS says so; and no more, if DNS says otherwise.
fn look_up(hub: &Hub, node: &Arc<Tethered>, record: &VerifiedRecord, from: SocketAddr, frames: &mpsc::Sender<Frame>) {
    let domain = record.domain().clone();
    if domain.is_key_name() {
        return;
    }
    let (hub, node, record, frames) = (Arc::downgrade(&hub.0), Arc::downgrade(node), record.clone(), frames.downgrade());
    tokio::spawn(async move {
        let Some(discovery) = hub.upgrade().map(|hub| hub.discovery.clone()) else { return };
        let named = discovery.is_named_by_dns(&record).await;
        let (Some(state), Some(node), Some(frames)) = (hub.upgrade(), node.upgrade(), frames.upgrade()) else { return };
        let hub = Hub(state);
        let root = record.charter().root_key();
        let proven = hub
            .0
            .directory
            .lock()
            .lookup(&domain, hub.now_ms())
            .is_some_and(|e| e.proof.is_some() && e.record.charter().root_key() == root);
        let (is_called, names) = {
            let mut table = hub.0.relay.0.table.lock();
            let is_called = table.of(domain.as_str()).is_some_and(|t| Arc::ptr_eq(&t, &node));
            let names = match (named, is_called) {
                (Some(true), false) => table.call(&node, [domain.to_string()]),
                (Some(false) | None, false) if proven => table.call(&node, [domain.to_string()]),
                // DNS names another key, or none: another may have the name now.
                (Some(false), true) if !proven => table.uncall(&node, domain.as_str()),
                _ => return,
            };
            (is_called, names)
        };
        tracing::info!(%domain, forwarded = !is_called, "its DNS name");
        say(&frames, names, from);
    });
}
