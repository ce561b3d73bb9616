//! The two things that link frames run over, as one reader and one writer: a QUIC stream pair, and TLS on TCP.
//!
//! Knows no frame. Reading may be cancelled at any time; a write is a future that is kept until it is done.

use std::{io, pin::Pin};

use bytes::{Bytes, BytesMut};
use startalk_net::link_stream::{LinkReceiver, LinkSender};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

/// Bytes read from TLS at once.
const READ_BYTES: usize = 16 * 1024;

/// A byte stream in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) enum Reader {
    Quic(LinkReceiver),
    Tls(ReadHalf<Box<dyn Io>>),
}

impl Reader {
    /// The next bytes; `None` at the end. Safe to cancel.
    pub(crate) async fn read(&mut self) -> io::Result<Option<Bytes>> {
        match self {
            Self::Quic(receiver) => receiver.read().await,
            Self::Tls(stream) => {
                let mut buffer = BytesMut::with_capacity(READ_BYTES);
                let read = stream.read_buf(&mut buffer).await?;
                Ok((read > 0).then(|| buffer.freeze()))
            }
        }
    }
}

pub(crate) enum Sender {
    Quic(LinkSender),
    Tls(WriteHalf<Box<dyn Io>>),
}

impl Sender {
    async fn write(&mut self, mut chunks: Vec<Bytes>) -> io::Result<()> {
        match self {
            Self::Quic(sender) => sender.write_all(&mut chunks).await,
            Self::Tls(stream) => {
                // One write for all: each one is a record of its own in TLS and a call to the system.
                stream.write_all(&chunks.concat()).await?;
                stream.flush().await
            }
        }
    }

    /// Says that nothing more comes.
    pub(crate) async fn finish(&mut self) {
        match self {
            Self::Quic(sender) => sender.finish(),
            Self::Tls(stream) => {
                // An error says that the other side is gone.
                let _ = stream.shutdown().await;
            }
        }
    }
}

type Write = Pin<Box<dyn Future<Output = (Sender, io::Result<()>)> + Send>>;

/// The writing side: at most one write at a time.
pub(crate) enum Writer {
    Idle(Sender),
    Busy(Write),
    Broken,
}

impl Writer {
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle(_))
    }

    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    /// Begins to write; to be called while idle.
    pub(crate) fn begin(&mut self, chunks: Vec<Bytes>) {
        match std::mem::replace(self, Self::Broken) {
            Self::Idle(mut sender) => {
                *self = Self::Busy(Box::pin(async move {
                    let result = sender.write(chunks).await;
                    (sender, result)
                }));
            }
            other => *self = other,
        }
    }

    /// Waits until the write is done. Safe to cancel: the write goes on with the next call.
    pub(crate) async fn done(&mut self) -> io::Result<()> {
        let Self::Busy(write) = self else { return Ok(()) };
        let (sender, result) = write.await;
        *self = if result.is_ok() { Self::Idle(sender) } else { Self::Broken };
        result
    }
}

/// Both halves of a TLS stream.
pub(crate) fn split_tls(stream: impl Io + 'static) -> (Reader, Sender) {
    let (read, write) = tokio::io::split(Box::new(stream) as Box<dyn Io>);
    (Reader::Tls(read), Sender::Tls(write))
}
