//! A program's connection over QUIC: the client's frames on one stream, and of that only what an idle connection needs.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::{Bytes, BytesMut};
use quinn::crypto::rustls::QuicClientConfig;
use startalk_net::server::transport;
use startalk_protocol::{framing, limits::CLIENT_FRAME_BYTES_MAX, pb::client as pb};

use crate::client::{CLIENTS_PER_ADDRESS, Server, address_of, answer_to, is_last, opening};

/// Where clients connect from: a socket for those that share an address.
pub struct Sockets(Vec<quinn::Endpoint>);

impl Sockets {
    /// For so many clients. Must be called inside a tokio runtime.
    pub fn of(clients: usize) -> Result<Self> {
        let from = |number| Ok(quinn::Endpoint::client(SocketAddr::from((address_of(number)?, 0)))?);
        (0..clients).step_by(CLIENTS_PER_ADDRESS).map(from).collect::<Result<_>>().map(Self)
    }

    /// Connects as the `number`th client, resumes with this token, and hears everything. What is returned keeps it open.
    pub async fn idle(&self, server: &Server, number: usize, token: Bytes) -> Result<Idle> {
        let crypto = QuicClientConfig::try_from(server.tls().clone())?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(transport()));
        let endpoint = self.0.get(number / CLIENTS_PER_ADDRESS).context("a socket")?;
        let name = server.address.ip().to_string();
        let connection = endpoint.connect_with(config, server.address, &name)?.await.context("the QUIC handshake")?;
        let (send, receive) = connection.open_bi().await?;
        let mut idle = Idle { send, receive, input: BytesMut::new(), _connection: connection };
        for (id, asked) in (1..).zip(opening("bench", token)) {
            let frame = pb::ClientFrame { id, frame: Some(asked) };
            idle.send.write_all(&framing::encode(&frame)).await?;
            idle.answered(id).await?;
        }
        Ok(idle)
    }
}

/// A connection that says nothing more.
pub struct Idle {
    send: quinn::SendStream,
    receive: quinn::RecvStream,
    input: BytesMut,
    _connection: quinn::Connection,
}

impl Idle {
    /// Reads until the answer, or the last page of a sync.
    async fn answered(&mut self, id: u64) -> Result<()> {
        loop {
            while let Some(frame) = framing::take(&mut self.input, CLIENT_FRAME_BYTES_MAX)? {
                let frame: pb::ServerFrame = framing::decode(frame, "server frame")?;
                if answer_to(id, frame)?.as_ref().is_some_and(is_last) {
                    return Ok(());
                }
            }
            let chunk = self.receive.read_chunk(usize::MAX, true).await?.context("the server ended the stream")?;
            self.input.extend_from_slice(&chunk.bytes);
        }
    }
}
