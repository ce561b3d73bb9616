//! Frames out of bytes and bytes around frames, for the two transports of clients: a 4-byte length (TLS, QUIC) and
//! WebSocket. The frames inside are the same.
//!
//! Works on the caller's buffer and keeps nothing but the pieces of a message that WebSocket cut up. A length over the
//! limit is an error before its bytes come.

use std::ops::Range;

use prost::Message;
use startalk_protocol::{Code, Error, framing::LENGTH_BYTES, limits::CLIENT_FRAME_BYTES_MAX, pb::client::ClientFrame};

use crate::websocket::{self, WebSocket};

/// How frames are cut on this connection.
pub(crate) enum Framing {
    /// A 4-byte big-endian length before each.
    Length,
    /// One binary message each.
    WebSocket(WebSocket),
}

/// What is at the front of the bytes that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// More bytes are needed.
    Incomplete,
    /// A frame lies there; `end` bytes are used up by it.
    Frame { at: Range<usize>, end: usize },
    /// A frame that came in pieces, the last of which used `end` bytes.
    Joined { frame: Vec<u8>, end: usize },
    /// Nothing for the session in these `end` bytes; `reply` goes back as it is.
    Control { reply: Vec<u8>, end: usize },
    /// The other side ends the connection; `reply` goes back as it is.
    Closed { reply: Vec<u8> },
}

/// Why the bytes cannot be followed any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokenFrame {
    /// Over the limit.
    #[error("a frame of {0} bytes")]
    TooLarge(u64),
    /// Not what the transport's rules say.
    #[error("expected {0}")]
    Malformed(&'static str),
}

impl From<BrokenFrame> for Error {
    fn from(broken: BrokenFrame) -> Self {
        match broken {
            BrokenFrame::TooLarge(got) => {
                Self::new(Code::TooLarge).with("what", "frame").with("got", got).with("max", CLIENT_FRAME_BYTES_MAX)
            }
            BrokenFrame::Malformed(expected) => Self::new(Code::Malformed).with("expected", expected),
        }
    }
}

impl Framing {
    /// Looks at the front of `input`; WebSocket's mask is taken off in place, once, when a frame is whole.
    pub(crate) fn front(&mut self, input: &mut [u8]) -> Result<Front, BrokenFrame> {
        match self {
            Self::Length => length_front(input),
            Self::WebSocket(socket) => socket.front(input),
        }
    }

    /// Appends a frame with what goes around it.
    pub(crate) fn put(&self, out: &mut Vec<u8>, frame: &[u8]) {
        match self {
            Self::Length => {
                let length = u32::try_from(frame.len()).expect("a frame is bounded far below 4 GiB");
                out.extend_from_slice(&length.to_be_bytes());
            }
            Self::WebSocket(_) => websocket::put_header(out, frame.len()),
        }
        out.extend_from_slice(frame);
    }

    /// The transport's own goodbye, after the last frame.
    pub(crate) fn farewell(&self) -> &'static [u8] {
        match self {
            Self::Length => &[],
            Self::WebSocket(_) => websocket::FAREWELL,
        }
    }
}

fn length_front(input: &[u8]) -> Result<Front, BrokenFrame> {
    let Some(length) = input.first_chunk::<LENGTH_BYTES>() else { return Ok(Front::Incomplete) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > CLIENT_FRAME_BYTES_MAX {
        return Err(BrokenFrame::TooLarge(length as u64));
    }
    let end = LENGTH_BYTES + length;
    Ok(if input.len() < end { Front::Incomplete } else { Front::Frame { at: LENGTH_BYTES..end, end } })
}

/// A client's frame out of its bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<ClientFrame, Error> {
    ClientFrame::decode(bytes).map_err(|_| Error::new(Code::Malformed).with("expected", "a client frame"))
}

/// For fuzzing: takes any bytes as a stream of either framing, in pieces, and decodes what is in it. Never panics, and
/// never lets a frame over the limit through.
pub fn check(bytes: &[u8]) {
    for mut framing in [Framing::Length, Framing::WebSocket(WebSocket::default())] {
        let mut input: Vec<u8> = Vec::new();
        'stream: for piece in bytes.chunks(97) {
            input.extend_from_slice(piece);
            loop {
                let end = match framing.front(&mut input) {
                    Ok(Front::Incomplete) => break,
                    Ok(Front::Frame { at, end }) => {
                        assert!(at.len() <= CLIENT_FRAME_BYTES_MAX && at.end <= end && end <= input.len());
                        let _ = decode(&input[at]);
                        end
                    }
                    Ok(Front::Joined { frame, end }) => {
                        assert!(frame.len() <= CLIENT_FRAME_BYTES_MAX);
                        let _ = decode(&frame);
                        end
                    }
                    Ok(Front::Control { end, .. }) => end,
                    Ok(Front::Closed { .. }) | Err(_) => break 'stream,
                };
                assert!(end > 0, "every frame takes bytes");
                input.drain(..end);
            }
        }
    }
}
