//! The one stream pair of a link on QUIC: ordered bytes in both directions, in chunks that are shared and not copied.
//!
//! Knows nothing of frames. Who connected opens the stream; the other side sees it with the first bytes written.

use std::io;

use bytes::Bytes;

/// Bytes taken from the stream at once.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// A bidirectional stream. Both halves may be used from two tasks: see [`LinkStream::split`].
#[derive(Debug)]
pub struct LinkStream {
    /// Writes.
    pub sender: LinkSender,
    /// Reads.
    pub receiver: LinkReceiver,
}

/// The writing half.
#[derive(Debug)]
pub struct LinkSender(quinn::SendStream);

/// The reading half.
#[derive(Debug)]
pub struct LinkReceiver(quinn::RecvStream);

impl LinkStream {
    /// Opens the stream, on the side that connected.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn open(connection: &quinn::Connection) -> io::Result<Self> {
        connection.open_bi().await.map(Self::of).map_err(io::Error::from)
    }

    /// Waits for the stream, on the side that accepted.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn accept(connection: &quinn::Connection) -> io::Result<Self> {
        connection.accept_bi().await.map(Self::of).map_err(io::Error::from)
    }

    fn of((send, receive): (quinn::SendStream, quinn::RecvStream)) -> Self {
        Self { sender: LinkSender(send), receiver: LinkReceiver(receive) }
    }

    /// Both halves.
    pub fn split(self) -> (LinkSender, LinkReceiver) {
        (self.sender, self.receiver)
    }

    /// As [`LinkReceiver::read`].
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        self.receiver.read().await
    }

    /// As [`LinkSender::write`].
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.sender.write(bytes).await
    }
}

impl LinkSender {
    /// Writes all of `bytes`, waiting while the peer's window is full. Not safe to cancel halfway.
    ///
    /// # Errors
    /// If the connection is lost or the peer stopped reading.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.0.write_chunk(bytes).await.map_err(io::Error::from)
    }

    /// Writes all of several chunks.
    ///
    /// # Errors
    /// If the connection is lost or the peer stopped reading.
    pub async fn write_all(&mut self, chunks: &mut [Bytes]) -> io::Result<()> {
        self.0.write_all_chunks(chunks).await.map_err(io::Error::from)
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        // An error says that the stream is closed already.
        let _ = self.0.finish();
    }
}

impl LinkReceiver {
    /// The next bytes, as many as there are up to [`CHUNK_BYTES_MAX`]; `None` when the peer has finished. Safe to cancel.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.0.read_chunk(CHUNK_BYTES_MAX, true).await.map_err(io::Error::from)?;
        Ok(chunk.map(|c| c.bytes))
    }
}
