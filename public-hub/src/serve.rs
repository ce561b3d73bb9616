//! Listening and serving: HTTPS and plain HTTP, under limits, until told to stop.
//!
//! Owns the sockets and the tasks of connections; what is answered is `api`'s business.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use startalk_net::{Doorstep, Prefixed, Protocol, QuicGate, ServerTls, Step, server::HANDSHAKE_TIMEOUT};
use startalk_tether::{Control, Io};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    Hub,
    api::{self, Asker},
    limits::{CONNECTIONS_MAX, HEADER_TIMEOUT, KEEP_ALIVE, STOP_TIMEOUT},
    relay::{self, hello},
};

/// One listening socket; with TLS, or plain.
pub struct Door {
    /// Bound.
    pub listener: TcpListener,
    /// Absent on loopback only, which `settings` sees to.
    pub tls: Option<ServerTls>,
    /// For tethers; on the same port.
    pub quic: Option<quinn::Endpoint>,
}

/// Serves on every door until `stop` becomes true; then lets open requests finish for a few seconds.
pub async fn serve(doors: Vec<Door>, hub: Hub, stop: watch::Receiver<bool>) {
    let serving = Serving { router: api::router(hub.clone()), stop };
    let (room, step) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Doorstep::default());
    let mut accepting = JoinSet::new();
    for door in doors {
        accepting.spawn(accept(door, hub.clone(), serving.clone(), room.clone(), step.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

/// What answers HTTP, and until when.
#[derive(Clone)]
struct Serving {
    router: Router,
    stop: watch::Receiver<bool>,
}

async fn accept(door: Door, hub: Hub, serving: Serving, room: Arc<Semaphore>, step: Doorstep) {
    let (mut connections, mut stop) = (JoinSet::new(), serving.stop.clone());
    let tethers = door.quic.clone().map(|endpoint| tokio::spawn(accept_quic(endpoint, hub.clone())));
    loop {
        // Waits for room first: what cannot be served stays in the system's queue.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = door.listener.accept() => accepted,
            () = told(&mut stop) => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                // Those who only stand there must not take the room of all others.
                let Some(step) = step.enter(from.ip()) else { continue };
                connections.spawn(connection(stream, from, door.tls.clone(), hub.clone(), serving.clone(), (permit, step)));
            }
            Err(error) => {
                // Out of file descriptors, most likely: give others time to close.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
    drop(door.listener);
    if let Some(tethers) = tethers {
        tethers.abort();
    }
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIMEOUT, finish).await.is_err() {
        tracing::info!(open = connections.len(), "connections cut off");
    }
    if let Some(endpoint) = door.quic {
        endpoint.close(0_u32.into(), b"stopping");
    }
}

/// What a connection holds while it is served here, and not while it is forwarded.
type Room = tokio::sync::OwnedSemaphorePermit;

async fn connection(
    mut stream: TcpStream,
    from: SocketAddr,
    tls: Option<ServerTls>,
    hub: Hub,
    serving: Serving,
    (room, step): (Room, Step),
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        drop(step); // HTTP has limits of its own
        return http(stream, from, serving).await;
    };
    // A failed handshake is the caller's affair; there are many, and nothing to do about them.
    let Ok(Ok((first, name))) = tokio::time::timeout(HANDSHAKE_TIMEOUT, hello::read(&mut stream)).await else { return };
    let stream_from_its_beginning = |stream| Prefixed::new(first, stream);
    if let Some(name) = name
        && let Some(node) = hub.0.relay.of(&name)
    {
        drop((room, step));
        keep_alive(&stream);
        return hub.0.relay.forward(node, stream_from_its_beginning(stream), from.ip().to_canonical(), name).await;
    }
    if let Ok(accepted) = Box::pin(tls.accept(stream_from_its_beginning(stream))).await {
        drop(step);
        match accepted.protocol {
            Protocol::Tether => {
                let control = Control::new(Box::new(accepted.stream) as Box<dyn Io>);
                relay::serve(hub, control, accepted.peer_key, from, None, Some(room)).await;
            }
            _ => http(accepted.stream, from, serving).await,
        }
    }
}

/// What is forwarded may be silent for long, and whoever is gone is to be noticed.
fn keep_alive(stream: &TcpStream) {
    let settings = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&settings); // without, it is noticed later
}

/// Takes in tethers over QUIC, until the endpoint closes.
async fn accept_quic(endpoint: quinn::Endpoint, hub: Hub) {
    let gate = QuicGate::default();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Some(handshake) = gate.next(&endpoint).await {
        let Ok(room) = room.clone().try_acquire_owned() else { continue }; // dropped: refused
        let hub = hub.clone();
        tokio::spawn(async move {
            let Ok(accepted) = handshake.finish().await else { return };
            let (connection, key) = (accepted.stream, accepted.peer_key);
            let from = connection.remote_address();
            let Ok(Ok((send, receive))) = tokio::time::timeout(HANDSHAKE_TIMEOUT, connection.accept_bi()).await else { return };
            let control = Control::new(Box::new(tokio::io::join(receive, send)) as Box<dyn Io>);
            relay::serve(hub, control, key, from, Some(connection.clone()), Some(room)).await;
            connection.close(0_u32.into(), b"");
        });
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, from: SocketAddr, serving: Serving) {
    let Serving { router, mut stop } = serving;
    let service = TowerToHyperService::new(router.layer(Extension(Asker(from))));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let finished = tokio::select! {
        result = &mut connection => Some(result),
        () = told(&mut stop) => None,
    };
    let result = match finished {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

/// Until `stop` is true, or nobody is left who could make it so.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
