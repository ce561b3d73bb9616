//! Two connections made one: what comes from either goes to the other, until both have ended.
//!
//! Keeps bytes only while the other side does not take them: an idle pair has no buffers. Waits where a domain's rate
//! says so.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::pace::Meter;

/// Bytes taken at once.
const CHUNK: usize = 16 * 1024;

thread_local! {
    /// Nothing waits in it between two polls: one for all connections of a thread.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Until both directions have ended, or one of them fails.
///
/// # Errors
/// A connection broke.
pub async fn splice<A, B>(mut a: A, mut b: B, meter: &Meter) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Direction::default(), Direction::default());
    poll_fn(|context| {
        let first = there.poll(context, &mut a, &mut b, meter)?;
        let second = back.poll(context, &mut b, &mut a, meter)?;
        if first.is_ready() && second.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

#[derive(Default)]
struct Direction {
    /// What the writer has not taken.
    rest: BytesMut,
    /// The reader has ended.
    ended: bool,
    /// And the writer was told so.
    done: bool,
    unflushed: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Direction {
    fn poll<R, W>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W, meter: &Meter) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (mut from, mut to) = (Pin::new(from), Pin::new(to));
        loop {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            while !self.rest.is_empty() {
                let written = ready!(to.as_mut().poll_write(context, &self.rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.rest.advance(written);
            }
            self.rest = BytesMut::new();
            if self.ended {
                ready!(to.as_mut().poll_shutdown(context))?;
                self.done = true;
                continue;
            }
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let taken = SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                match from.as_mut().poll_read(context, &mut buffer)? {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => Poll::Ready(self.put(context, buffer.filled(), to.as_mut())),
                }
            });
            match taken {
                Poll::Ready(taken) => {
                    let taken = taken?;
                    self.ended = taken == 0;
                    self.pause = meter.took(taken).map(|wait| Box::pin(sleep(wait)));
                }
                Poll::Pending => {
                    if self.unflushed {
                        ready!(to.as_mut().poll_flush(context))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes what it can; keeps the rest. How much that is together.
    fn put<W: AsyncWrite>(&mut self, context: &mut Context<'_>, bytes: &[u8], to: Pin<&mut W>) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.unflushed = true;
        match to.poll_write(context, bytes) {
            Poll::Ready(written) => self.rest.extend_from_slice(&bytes[written?..]),
            Poll::Pending => self.rest.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::{Duration, Instant},
    };

    use super::*;

    #[tokio::test]
    async fn all_bytes_pass_both_ways_and_each_end_is_passed_on() {
        let ((mut client, a), (mut node, b)) = (duplex(100), duplex(33));
        let meter = Meter::new(0);
        let counted = meter.clone();
        let spliced = tokio::spawn(async move { splice(a, b, &meter).await });
        let sent: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let upload = sent.clone();
        let writing = tokio::spawn(async move {
            client.write_all(&upload).await.unwrap();
            client.shutdown().await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        });
        let mut got = Vec::new();
        node.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, sent);
        node.write_all(b"still answered after the client's end").await.unwrap();
        node.shutdown().await.unwrap();
        assert_eq!(writing.await.unwrap(), "still answered after the client's end");
        spliced.await.unwrap().unwrap();
        assert_eq!(counted.bytes(), 100_000 + 37);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept() {
        let ((mut client, a), (mut node, b)) = (duplex(64 * 1024), duplex(64 * 1024));
        let meter = Meter::new(1_000_000);
        tokio::spawn(async move { splice(a, b, &meter).await });
        let began = Instant::now();
        tokio::spawn(async move {
            client.write_all(&vec![1; 5_000_000]).await.unwrap();
            client.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        node.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), 5_000_000);
        // Virtual time: a second's worth may pass at once, and then a megabyte a second.
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(3_900) && took <= Duration::from_millis(4_200), "{took:?}");
    }
}
