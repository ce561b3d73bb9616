//! An incoming connection until it is known who it is: a hello under a time limit, judged, then handed to the peer's task.
//!
//! Bounded in number and time; says nothing to somebody who was not judged but why it was refused.

use std::{net::IpAddr, sync::Arc, time::Duration};

use startalk_link::{Event, Role};
use startalk_net::{Accepted, LinkStream, Protocol};
use startalk_protocol::{
    Code, Error,
    limits::{LINK_HELLO_MS_MAX, LINK_OPENING_MS_MAX},
};
use tokio::time::timeout;
use tracing::debug;

use crate::{
    shared::{Shared, nameless},
    transport::Io,
    trust::{self, Judged, Reached},
    wire::Wire,
};

/// A link that was judged and waits for the peer's task.
pub(crate) struct Arrived {
    pub(crate) wire: Box<Wire>,
    pub(crate) judged: Judged,
    /// Of the process at the other end.
    pub(crate) instance: [u8; 16],
}

/// Takes in a link over QUIC.
pub(crate) async fn accept_quic(shared: &Arc<Shared>, accepted: Accepted<quinn::Connection>) {
    let connection = accepted.stream;
    let Some(key) = accepted.peer_key.filter(|_| accepted.protocol == Protocol::Link) else {
        connection.close(0_u32.into(), b"a link shows a key");
        return nameless("it is no link or showed no key");
    };
    let Ok(_permit) = shared.openings.try_acquire() else {
        connection.close(0_u32.into(), b"too many at once");
        return nameless("too many at once");
    };
    let stream = timeout(Duration::from_millis(LINK_HELLO_MS_MAX), LinkStream::accept(&connection)).await;
    let Ok(Ok(stream)) = stream else { return nameless("it opened no stream") };
    let identity = shared.config.identity.current();
    let address = connection.remote_address().ip();
    open(shared, address, Wire::quic(shared, &identity, Role::Acceptor, connection, stream, key)).await;
}

/// Takes in a link over TLS on TCP, from `address`.
pub(crate) async fn accept_tls(shared: &Arc<Shared>, accepted: Accepted<impl Io + 'static>, address: IpAddr) {
    let Some(key) = accepted.peer_key.filter(|_| accepted.protocol == Protocol::Link) else {
        return nameless("it is no link or showed no key");
    };
    let Ok(_permit) = shared.openings.try_acquire() else { return nameless("too many at once") };
    let identity = shared.config.identity.current();
    open(shared, address, Wire::tls(shared, &identity, Role::Acceptor, accepted.stream, key)).await;
}

async fn open(shared: &Arc<Shared>, address: IpAddr, mut wire: Wire) {
    loop {
        while let Some(event) = wire.link.event() {
            match event {
                Event::Hello { from, record, instance, .. } => {
                    let judging = trust::judge(shared, &from, &record, &wire.tls_key, Reached::Came(address));
                    let verdict = timeout(Duration::from_millis(LINK_OPENING_MS_MAX), judging).await;
                    match verdict.unwrap_or_else(|_| Err(Code::IdleTimeout.into())) {
                        Ok(judged) => return hand_over(shared, Arrived { wire: Box::new(wire), judged, instance }).await,
                        Err(error) => {
                            shared.refused(&from, error.clone());
                            wire.link.judge(Err(error));
                            return wire.farewell(shared.config.timings.farewell).await;
                        }
                    }
                }
                Event::Closed { by_peer, error } => {
                    match wire.link.peer().cloned() {
                        Some(domain) if !by_peer => shared.refused(&domain, error),
                        _ => debug!("an incoming link ended before it said who it is: {error}"),
                    }
                    return wire.farewell(shared.config.timings.farewell).await;
                }
                _ => {}
            }
        }
        if let Some(why) = &wire.lost {
            return nameless(why);
        }
        wire.turn(true).await;
    }
}

async fn hand_over(shared: &Arc<Shared>, mut arrived: Arrived) {
    arrived.wire.link.judge(Ok(arrived.judged.keys.clone()));
    let rest = match shared.slot(arrived.judged.number) {
        Some(slot) => slot.arrived(arrived).err().map(|arrived| (arrived, Error::new(Code::SlowDown).with("seconds", 1))),
        None => Some((Box::new(arrived), Code::Stopping.into())),
    };
    if let Some((arrived, error)) = rest {
        arrived.wire.dismiss(error, shared.config.timings.farewell);
    }
}
