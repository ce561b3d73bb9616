//! One link with the connection that it runs over: moves bytes, datagrams and time between them.
//!
//! Decides nothing. Invariant: [`Wire::turn`] may be dropped at any time without losing or doubling a byte.

use std::{io, time::Duration};

use bytes::Bytes;
use startalk_link::{Config, HISTORY, Link, Role};
use startalk_net::LinkStream;
use startalk_protocol::{Code, DomainName, Error, limits::LINK_PING_MS};

use crate::{
    config::{Clock, LinkIdentity, WRITE_BYTES_MAX},
    shared::Shared,
    status::Transport,
    transport::{Io, Reader, Sender, Writer, split_tls},
};

/// What this node can do beyond the version.
const FEATURES: [&str; 4] = [crate::config::GROUPS, crate::config::FILES, crate::config::BURN, HISTORY];

/// A link and its connection.
pub(crate) struct Wire {
    pub(crate) link: Link,
    pub(crate) transport: Transport,
    /// The key that the peer proved to hold.
    pub(crate) tls_key: [u8; 32],
    /// Why no more bytes come or go.
    pub(crate) lost: Option<String>,
    reader: Reader,
    writer: Writer,
    connection: Option<quinn::Connection>,
    datagrams: bool,
    steady: Clock,
}

impl Wire {
    /// Over QUIC, with its stream already open.
    pub(crate) fn quic(
        shared: &Shared,
        identity: &LinkIdentity,
        role: Role,
        connection: quinn::Connection,
        stream: LinkStream,
        tls_key: [u8; 32],
    ) -> Self {
        let datagrams = connection.max_datagram_size().is_some();
        let (sender, receiver) = stream.split();
        let io = (Reader::Quic(receiver), Sender::Quic(sender));
        Self::new(shared, identity, role, tls_key, Transport::Quic, io, Some(connection), datagrams)
    }

    /// Over TLS on TCP.
    pub(crate) fn tls(
        shared: &Shared,
        identity: &LinkIdentity,
        role: Role,
        stream: impl Io + 'static,
        tls_key: [u8; 32],
    ) -> Self {
        Self::new(shared, identity, role, tls_key, Transport::Tls, split_tls(stream), None, false)
    }

    #[allow(clippy::too_many_arguments, reason = "the one place that both ways lead to")]
    fn new(
        shared: &Shared,
        identity: &LinkIdentity,
        role: Role,
        tls_key: [u8; 32],
        transport: Transport,
        (reader, sender): (Reader, Sender),
        connection: Option<quinn::Connection>,
        datagrams: bool,
    ) -> Self {
        let config = Config {
            domain: shared.config.domain.clone(),
            record: identity.record.clone(),
            key: identity.key.clone(),
            instance: shared.config.instance,
            features: FEATURES.map(str::to_owned).to_vec(),
            role,
            tls_peer_key: Some(tls_key),
            datagrams,
        };
        let steady = shared.config.steady.clone();
        let link = Link::new(config, steady());
        Self { link, transport, tls_key, lost: None, reader, writer: Writer::Idle(sender), connection, datagrams, steady }
    }

    /// Moves what can be moved and waits until something has come, gone or fallen due. Without `reading`, what the peer
    /// sends stays where it is, and the peer still hears that we live.
    pub(crate) async fn turn(&mut self, reading: bool) {
        self.begin_write();
        let now_ms = (self.steady)();
        let wait_ms = match self.link.deadline() {
            _ if !reading => LINK_PING_MS,
            Some(deadline) => deadline.saturating_sub(now_ms),
            None => u64::from(u32::MAX),
        };
        let wants_bytes = reading && self.link.wants_bytes() && self.lost.is_none();
        let listens = self.datagrams;
        tokio::select! {
            written = self.writer.done(), if self.writer.is_busy() => {
                if let Err(error) = written {
                    self.lose(&error);
                }
            }
            read = self.reader.read(), if wants_bytes => match read {
                Ok(Some(bytes)) => self.link.receive(&bytes, (self.steady)()),
                Ok(None) => self.lost = Some("the other side closed the connection".to_owned()),
                Err(error) => self.lose(&error),
            },
            datagram = next_datagram(self.connection.as_ref()), if listens => match datagram {
                Ok(bytes) => self.link.receive_datagram(&bytes, (self.steady)()),
                // What has arrived on the stream can still be read, so that it says when it is over.
                Err(_) if reading => self.datagrams = false,
                Err(error) => self.lose(&error.into()),
            },
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {
                if reading {
                    self.link.tick((self.steady)());
                } else {
                    self.link.probe((self.steady)());
                }
            }
        }
    }

    /// Sends what is left, waits a moment until the peer has it, and closes the connection.
    pub(crate) async fn farewell(mut self, for_at_most: Duration) {
        let by_peer = self.link.is_closed() && !self.has_more();
        let last_words = async {
            while self.writer.is_busy() || self.has_more() {
                self.writer.done().await?;
                self.begin_write();
            }
            if let Writer::Idle(sender) = &mut self.writer {
                sender.finish().await;
            }
            if !by_peer {
                match &self.connection {
                    Some(connection) => drop(connection.closed().await),
                    None => while self.reader.read().await?.is_some() {},
                }
            }
            io::Result::Ok(())
        };
        // Whoever does not listen any more does not hear why.
        let _ = tokio::time::timeout(for_at_most, last_words).await;
        if let Some(connection) = &self.connection {
            connection.close(0_u32.into(), b"");
        }
    }

    /// Ends the link with a reason and sees to it that the peer hears it.
    pub(crate) fn dismiss(mut self, error: Error, for_at_most: Duration) {
        self.link.close(error);
        tokio::spawn(self.farewell(for_at_most));
    }

    /// As an error, for who asks why there is no link any more.
    pub(crate) fn lost_error(&self, domain: &DomainName) -> Option<Error> {
        let why = self.lost.as_ref()?;
        Some(Error::new(Code::Unreachable).with("what", domain).with("why", why))
    }

    fn lose(&mut self, error: &io::Error) {
        self.lost = Some(error.to_string());
    }

    fn begin_write(&mut self) {
        if let Some(connection) = &self.connection {
            while let Some(datagram) = self.link.datagram() {
                // A full or missing datagram buffer loses it, as it may be lost on the way.
                let _ = connection.send_datagram(datagram);
            }
        }
        if self.writer.is_idle() {
            let chunks = self.gather();
            if !chunks.is_empty() {
                self.writer.begin(chunks);
            }
        }
    }

    fn gather(&mut self) -> Vec<Bytes> {
        let (mut chunks, mut bytes) = (Vec::new(), 0);
        while bytes < WRITE_BYTES_MAX
            && let Some(chunk) = self.link.transmit()
        {
            bytes += chunk.len();
            chunks.push(chunk);
        }
        chunks
    }

    /// Begins to write what the link still has; whether there is or was anything.
    fn has_more(&mut self) -> bool {
        if self.writer.is_idle() {
            self.begin_write();
        }
        self.writer.is_busy()
    }
}

async fn next_datagram(connection: Option<&quinn::Connection>) -> Result<Bytes, quinn::ConnectionError> {
    match connection {
        Some(connection) => connection.read_datagram().await,
        None => std::future::pending().await,
    }
}
