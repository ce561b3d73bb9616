//! Frames on a byte stream: a 4-byte big-endian length, then that many bytes. federation-spec/03-link.md
//!
//! Never allocates more than has arrived; a length over the limit is an error before anything is read.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

/// Bytes of the length before each frame.
pub const LENGTH_BYTES: usize = 4;

/// Why a stream of frames cannot go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// The sender announced more than is allowed here.
    #[error("a frame of {length} bytes, expected at most {max}")]
    TooLarge { length: usize, max: usize },
    /// The bytes are not the message that was expected.
    #[error("expected a {expected}: {why}")]
    Malformed { expected: &'static str, why: String },
}

/// Takes the next whole frame off the front of `buffer`, if it has arrived.
///
/// # Errors
/// [`FrameError::TooLarge`] as soon as the length is known.
pub fn take(buffer: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FrameError> {
    if buffer.len() < LENGTH_BYTES {
        return Ok(None);
    }
    let length = u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
    if length > max {
        return Err(FrameError::TooLarge { length, max });
    }
    if buffer.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    buffer.advance(LENGTH_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Appends `message` with its length before it.
pub fn put(buffer: &mut BytesMut, message: &impl Message) {
    let length = message.encoded_len();
    buffer.reserve(LENGTH_BYTES + length);
    buffer.put_u32(u32::try_from(length).expect("a frame is bounded far below 4 GiB"));
    message.encode(buffer).expect("BytesMut grows");
}

/// One framed message as shared bytes.
pub fn encode(message: &impl Message) -> Bytes {
    let mut buffer = BytesMut::new();
    put(&mut buffer, message);
    buffer.freeze()
}

/// Decodes the bytes of one frame.
///
/// # Errors
/// [`FrameError::Malformed`], naming `expected`.
pub fn decode<M: Message + Default>(bytes: impl Buf, expected: &'static str) -> Result<M, FrameError> {
    M::decode(bytes).map_err(|e| FrameError::Malformed { expected, why: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::client::{ClientFrame, Ping, client_frame::Frame};

    #[test]
    fn a_frame_arrives_in_pieces() {
        let whole = encode(&ClientFrame { id: 7, frame: Some(Frame::Ping(Ping {})) });
        let mut buffer = BytesMut::new();
        for (i, byte) in whole.iter().enumerate() {
            assert_eq!(take(&mut buffer, 100).unwrap(), None, "after {i} bytes");
            buffer.put_u8(*byte);
        }
        let frame = take(&mut buffer, 100).unwrap().unwrap();
        assert_eq!(decode::<ClientFrame>(frame, "frame").unwrap().id, 7);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
        let mut buffer = BytesMut::from(&[0, 0, 1, 1][..]);
        assert_eq!(take(&mut buffer, 256), Err(FrameError::TooLarge { length: 257, max: 256 }));
    }
}
