//! A connection that ends when what is written to it is not taken: who asks for a file and does not read would keep it for ever.
//!
//! While everything is taken at once this costs nothing: there is a timer only while a write waits. A connection that became a
//! WebSocket is left alone: its session has a limit of its own.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// How long a write may wait.
const STALL: Duration = Duration::from_secs(60);

/// The connection.
pub struct Stalling<S> {
    stream: S,
    waiting: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    is_over: Arc<AtomicBool>,
}

impl<S> Stalling<S> {
    /// Until `is_over` says that others look after it.
    pub fn new(stream: S, is_over: Arc<AtomicBool>) -> Self {
        Self::with(stream, is_over, STALL)
    }

    fn with(stream: S, is_over: Arc<AtomicBool>, patience: Duration) -> Self {
        Self { stream, waiting: None, patience, is_over }
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() || self.is_over.load(Ordering::Relaxed) {
            self.waiting = None;
            return poll;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, poll)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn who_does_not_read_is_not_waited_for_but_who_reads_slowly_is() {
        let (node, mut client) = tokio::io::duplex(1024);
        let mut node = Stalling::with(node, Arc::default(), LATE);
        let writing = tokio::spawn(async move { node.write_all(&[0; 8192]).await });
        for _ in 0..8 {
            tokio::time::sleep(SOON).await;
            client.read_exact(&mut [0; 1024]).await.unwrap();
        }
        writing.await.unwrap().expect("everything was taken");
        let (node, _client) = tokio::io::duplex(1024);
        let mut node = Stalling::with(node, Arc::default(), SOON);
        assert_eq!(node.write_all(&[0; 8192]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_session_is_left_alone() {
        let (node, _client) = tokio::io::duplex(1024);
        let mut node = Stalling::with(node, Arc::new(AtomicBool::new(true)), SOON);
        assert!(tokio::time::timeout(10 * SOON, node.write_all(&[0; 8192])).await.is_err(), "it waits on");
    }
}
