//! WebSocket (RFC 6455), the server's side, after the handshake: binary messages in and out, pings answered.
//!
//! Written here because sessions keep no standing buffers: a library's read and write buffers stay as large as the
//! largest frame that ever passed (a page of a sync has 200 KiB), and each message costs it a write of its own. Here a
//! frame is looked at where it was read, and goes out with all others that are ready. No extension is negotiated.

use crate::framing::{BrokenFrame, Front};
use startalk_protocol::limits::CLIENT_FRAME_BYTES_MAX;

/// Bytes that a control frame may carry (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u64 = 125;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// A close frame with code 1000; the reason is in the session's own last frame.
pub(crate) const FAREWELL: &[u8] = &[FIN | CLOSE, 2, 0x03, 0xe8];

/// The pieces of a message that is not whole yet.
#[derive(Default)]
pub(crate) struct WebSocket {
    pieces: Option<Vec<u8>>,
}

struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Where the payload begins.
    at: usize,
    length: u64,
}

impl WebSocket {
    /// See [`crate::framing::Framing::front`].
    pub(crate) fn front(&mut self, input: &mut [u8]) -> Result<Front, BrokenFrame> {
        let Some(header) = header(input)? else { return Ok(Front::Incomplete) };
        let held = self.pieces.as_ref().map_or(0, Vec::len) as u64;
        let is_control = header.opcode >= CLOSE;
        if is_control && (!header.fin || header.length > CONTROL_BYTES_MAX) {
            return Err(BrokenFrame::Malformed("a control frame in one piece of at most 125 bytes"));
        }
        if !is_control && header.length.saturating_add(held) > CLIENT_FRAME_BYTES_MAX as u64 {
            return Err(BrokenFrame::TooLarge(header.length.saturating_add(held)));
        }
        let end = header.at + usize::try_from(header.length).expect("checked against the limit");
        if input.len() < end {
            return Ok(Front::Incomplete);
        }
        let at = header.at..end;
        let payload = &mut input[at.clone()];
        unmask(payload, header.mask);
        match (header.opcode, &mut self.pieces, header.fin) {
            (BINARY, None, true) => Ok(Front::Frame { at, end }),
            (BINARY, pieces @ None, false) => {
                *pieces = Some(payload.to_vec());
                Ok(Front::Control { reply: Vec::new(), end })
            }
            (CONTINUATION, Some(pieces), false) => {
                pieces.extend_from_slice(payload);
                Ok(Front::Control { reply: Vec::new(), end })
            }
            (CONTINUATION, Some(pieces), true) => {
                pieces.extend_from_slice(payload);
                Ok(Front::Joined { frame: self.pieces.take().unwrap_or_default(), end })
            }
            (BINARY | CONTINUATION, _, _) => Err(BrokenFrame::Malformed("the pieces of a message in their order")),
            (TEXT, _, _) => Err(BrokenFrame::Malformed("a binary message, not a text")),
            (PING, _, _) => Ok(Front::Control { reply: control(PONG, payload), end }),
            (PONG, _, _) => Ok(Front::Control { reply: Vec::new(), end }),
            (CLOSE, _, _) => Ok(Front::Closed { reply: FAREWELL.to_vec() }),
            _ => Err(BrokenFrame::Malformed("a kind of WebSocket frame that RFC 6455 defines")),
        }
    }
}

fn header(input: &[u8]) -> Result<Option<Header>, BrokenFrame> {
    let &[first, second, ref rest @ ..] = input else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(BrokenFrame::Malformed("no WebSocket extension: none was agreed on"));
    }
    if second & MASKED == 0 {
        return Err(BrokenFrame::Malformed("masked WebSocket frames from a client"));
    }
    let (length, rest, before) = match second & 0x7f {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 4),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 10),
            None => return Ok(None),
        },
        short => (u64::from(short), rest, 2),
    };
    let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
    Ok(Some(Header { fin: first & FIN != 0, opcode: first & 0x0f, mask: *mask, at: before + 4, length }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let word = u32::from_ne_bytes(mask);
    let mut words = payload.chunks_exact_mut(4);
    for chunk in &mut words {
        let masked = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]) ^ word;
        chunk.copy_from_slice(&masked.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

fn control(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![FIN | opcode, u8::try_from(payload.len()).expect("a control frame has at most 125 bytes")];
    out.extend_from_slice(payload);
    out
}

/// What goes before a message of `length` bytes from the server.
pub(crate) fn put_header(out: &mut Vec<u8>, length: usize) {
    out.push(FIN | BINARY);
    if length < 126 {
        out.push(u8::try_from(length).expect("below 126"));
    } else if let Ok(short) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut out = vec![first];
        let mut header = Vec::new();
        put_header(&mut header, payload.len());
        out.push(header[1] | MASKED);
        out.extend_from_slice(&header[2..]);
        out.extend_from_slice(&mask);
        let mut body = payload.to_vec();
        unmask(&mut body, mask);
        out.extend(body);
        out
    }

    fn check(first: u8, payload: &[u8], expected: Result<&[u8], &str>) {
        let mut input = masked(first, payload);
        let got = WebSocket::default().front(&mut input);
        match (got, expected) {
            (Ok(Front::Frame { at, end }), Ok(bytes)) => {
                assert_eq!(end, input.len());
                assert_eq!(&input[at], bytes);
            }
            (Err(e), Err(words)) => assert!(e.to_string().contains(words), "{e} but expected {words}"),
            (got, expected) => panic!("{got:?} but expected {expected:?}"),
        }
    }

    #[test]
    fn messages_of_every_length_are_read() {
        for length in [0, 1, 3, 4, 125, 126, 127, 65_535, 65_536, CLIENT_FRAME_BYTES_MAX] {
            let payload: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
            check(FIN | BINARY, &payload, Ok(&payload));
        }
    }

    #[test]
    fn what_the_rules_forbid_is_refused() {
        check(FIN | TEXT, b"hi", Err("binary"));
        check(FIN | BINARY | 0x40, b"hi", Err("extension"));
        check(CLOSE, b"", Err("control"));
        check(FIN | PING, &[0; 126], Err("control"));
        check(FIN | CONTINUATION, b"", Err("order"));
        check(FIN | 3, b"", Err("RFC 6455"));
        check(FIN | BINARY, &vec![0; CLIENT_FRAME_BYTES_MAX + 1], Err("262145"));
        assert!(WebSocket::default().front(&mut [FIN | BINARY, 1, 0]).is_err(), "not masked");
    }

    #[test]
    fn pieces_are_joined_and_pings_between_them_are_answered() {
        let mut socket = WebSocket::default();
        assert_eq!(socket.front(&mut masked(BINARY, b"ab")), Ok(Front::Control { reply: vec![], end: 8 }));
        let ping = socket.front(&mut masked(FIN | PING, b"?"));
        assert_eq!(ping, Ok(Front::Control { reply: vec![FIN | PONG, 1, b'?'], end: 7 }));
        assert_eq!(socket.front(&mut masked(CONTINUATION, b"cd")), Ok(Front::Control { reply: vec![], end: 8 }));
        let mut early = masked(FIN | CONTINUATION, b"ef");
        early.pop();
        assert_eq!(socket.front(&mut early), Ok(Front::Incomplete));
        let joined = socket.front(&mut masked(FIN | CONTINUATION, b"ef"));
        assert_eq!(joined, Ok(Front::Joined { frame: b"abcdef".to_vec(), end: 8 }));
        assert!(matches!(socket.front(&mut masked(FIN | CLOSE, &[3, 232])), Ok(Front::Closed { .. })));
    }

    #[test]
    fn many_small_pieces_do_not_get_past_the_limit() {
        let mut socket = WebSocket::default();
        let piece = vec![0; 64 * 1024];
        assert!(socket.front(&mut masked(BINARY, &piece)).is_ok());
        for _ in 0..3 {
            assert!(socket.front(&mut masked(CONTINUATION, &piece)).is_ok());
        }
        assert_eq!(socket.front(&mut masked(CONTINUATION, b"x")), Err(BrokenFrame::TooLarge(CLIENT_FRAME_BYTES_MAX as u64 + 1)));
    }
}
