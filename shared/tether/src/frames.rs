//! Frames on a tether, and the stream that carries them.
//!
//! Reading may be cancelled at any time; what came after a frame is kept for whoever goes on with the stream.

use std::io;

use bytes::BytesMut;
use startalk_net::Prefixed;
use startalk_protocol::{
    framing::{self, FrameError},
    pb::tether::{self as pb, frame::Frame},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::limits::{FIRST_FRAME, FRAME_BYTES_MAX};

/// Bytes read at once.
const READ_BYTES: usize = 4 * 1024;

/// Why a tether's stream cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is no frame of a tether.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// A frame that says nothing known; the other side is newer.
    #[error("expected a known frame of a tether")]
    Unknown,
    /// Nothing came in time.
    #[error("nothing came for too long")]
    Silent,
    /// The other side closed.
    #[error("closed by the other side")]
    Closed,
}

/// A stream of frames.
#[derive(Debug)]
pub struct Control<S> {
    stream: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Control<S> {
    /// From its beginning.
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next frame. Safe to cancel.
    ///
    /// # Errors
    /// The connection is lost, or what came is no frame.
    pub async fn next(&mut self) -> Result<Frame, ControlError> {
        loop {
            if let Some(bytes) = framing::take(&mut self.buffer, FRAME_BYTES_MAX)? {
                if self.buffer.is_empty() {
                    self.buffer = BytesMut::new(); // an idle tether keeps no buffer
                }
                let frame: pb::Frame = framing::decode(bytes, "frame of a tether")?;
                return frame.frame.ok_or(ControlError::Unknown);
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ControlError::Closed);
            }
        }
    }

    /// The first frame, which has to come soon.
    ///
    /// # Errors
    /// As [`next`](Self::next), and [`ControlError::Silent`].
    pub async fn first(&mut self) -> Result<Frame, ControlError> {
        tokio::time::timeout(FIRST_FRAME, self.next()).await.map_err(|_| ControlError::Silent)?
    }

    /// Says something.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn say(&mut self, frame: Frame) -> io::Result<()> {
        self.stream.write_all(&framing::encode(&pb::Frame { frame: Some(frame) })).await?;
        self.stream.flush().await
    }

    /// Says that nothing more comes, after the last frame.
    pub async fn close(&mut self) {
        let _ = self.stream.shutdown().await; // the other side may be gone already
    }

    /// The stream after the frames.
    pub fn into_stream(self) -> Prefixed<S> {
        Prefixed::new(self.buffer, self.stream)
    }
}

/// Feeds foreign bytes through the parser of tethers: it answers or refuses, and takes no more memory than came.
pub fn check(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(frame)) = framing::take(&mut buffer, FRAME_BYTES_MAX) {
        let _ = framing::decode::<pb::Frame>(frame, "frame of a tether");
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn corpus() -> Vec<Frame> {
        vec![
            Frame::Hello(pb::Hello { record: Bytes::from(vec![7; 600]) }),
            Frame::Claim(pb::Claim { ticket: Bytes::from_static(b"0123456789abcdef") }),
            Frame::Ping(pb::Ping {}),
            Frame::Welcome(pb::Welcome { names: vec!["a.hub.example".into()], address: "192.0.2.1:4433".into() }),
            Frame::Incoming(pb::Incoming { ticket: Bytes::from_static(b"0123456789abcdef") }),
            Frame::Opened(pb::Opened { address: "2001:db8::1".into(), server_name: "a.hub.example".into() }),
            Frame::Refused(pb::Refused { code: "too-many".into(), params: [("max".into(), "3".into())].into() }),
        ]
    }

    #[tokio::test]
    async fn what_follows_a_frame_is_kept_for_who_goes_on() {
        let (ours, theirs) = tokio::io::duplex(64);
        let (mut ours, mut theirs) = (Control::new(ours), theirs);
        let mut bytes = framing::encode(&pb::Frame { frame: Some(corpus().remove(5)) }).to_vec();
        bytes.extend_from_slice(b"and TLS");
        theirs.write_all(&bytes).await.unwrap();
        drop(theirs);
        assert_eq!(ours.first().await.unwrap(), corpus()[5]);
        let mut rest = String::new();
        ours.into_stream().read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "and TLS");
    }

    #[tokio::test(start_paused = true)]
    async fn too_large_unknown_silent_and_closed_are_told_apart() {
        let refused = async |bytes: &[u8], keep: bool| {
            let (ours, mut theirs) = tokio::io::duplex(64);
            theirs.write_all(bytes).await.unwrap();
            let kept = keep.then_some(theirs);
            let error = Control::new(ours).first().await.unwrap_err();
            drop(kept);
            error
        };
        assert!(matches!(refused(&[0, 1, 0, 0], true).await, ControlError::Frame(FrameError::TooLarge { .. })));
        assert!(matches!(refused(&[0, 0, 0, 1, 255], true).await, ControlError::Frame(FrameError::Malformed { .. })));
        assert!(matches!(refused(&[0, 0, 0, 0], true).await, ControlError::Unknown));
        assert!(matches!(refused(&[0, 0], true).await, ControlError::Silent));
        assert!(matches!(refused(&[0, 0], false).await, ControlError::Closed));
    }

    #[test]
    fn mutated_frames_are_answered_or_refused() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let whole: Vec<u8> = corpus().into_iter().flat_map(|f| framing::encode(&pb::Frame { frame: Some(f) }).to_vec()).collect();
        check(&whole);
        for _ in 0..5_000 {
            let mut bytes = whole.clone();
            for _ in 0..=random() % 4 {
                let at = usize::try_from(random()).unwrap_or(0) % bytes.len();
                match random() % 3 {
                    0 => bytes[at] = random().to_le_bytes()[0],
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random().to_le_bytes()[1]),
                }
            }
            check(&bytes);
        }
    }
}
