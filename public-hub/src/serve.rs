//! Listening and serving: HTTPS and plain HTTP, under limits, until told to stop.
//!
//! Owns the sockets and the tasks of connections; what is answered is `api`'s business.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use startalk_net::ServerTls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    api::Asker,
    limits::{CONNECTIONS_MAX, HEADER_TIMEOUT, STOP_TIMEOUT},
};

/// One listening socket; with TLS, or plain.
pub struct Door {
    /// Bound.
    pub listener: TcpListener,
    /// Absent on loopback only, which `settings` sees to.
    pub tls: Option<ServerTls>,
}

/// Serves on every door until `stop` becomes true; then lets open requests finish for a few seconds.
pub async fn serve(doors: Vec<Door>, router: Router, stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut accepting = JoinSet::new();
    for door in doors {
        accepting.spawn(accept(door, router.clone(), room.clone(), stop.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(door: Door, router: Router, room: Arc<Semaphore>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
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
                let (router, tls, stop) = (router.clone(), door.tls.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, from, tls, router, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give others time to close.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
    drop(door.listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIMEOUT, finish).await.is_err() {
        tracing::info!(open = connections.len(), "connections cut off");
    }
}

async fn connection(stream: TcpStream, from: SocketAddr, tls: Option<ServerTls>, router: Router, stop: watch::Receiver<bool>) {
    match tls {
        None => http(stream, from, router, stop).await,
        // A failed handshake is the caller's affair; there are many, and nothing to do about them.
        Some(tls) => {
            if let Ok(accepted) = tls.accept(stream).await {
                http(accepted.stream, from, router, stop).await;
            }
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    from: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
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
