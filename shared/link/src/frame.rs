//! Frames as they come off the stream, with their lists counted before anything is decoded; and errors made fit to
//! travel. federation-spec/03-link.md §2
//!
//! Two bytes on the wire can be a hundred in memory, so a list that is too long is refused by counting its fields
//! first.

use bytes::{Bytes, BytesMut};
use startalk_protocol::{
    Code, Error,
    framing::{self, FrameError},
    limits::{
        LINK_BATCH_ITEMS_MAX, LINK_ERROR_PARAMS_MAX, LINK_ERROR_TEXT_BYTES_MAX, LINK_FEATURES_MAX, LINK_REFUSED_MAX,
        LINK_SMALL_FRAME_BYTES_MAX,
    },
    pb::link::{self, frame::Frame as Kind},
};

const HELLO: u64 = 1;
const BATCH: u64 = 2;
const ACK: u64 = 3;
const ANSWER: u64 = 9;
const NOTE: u64 = 10;

pub(crate) fn malformed(expected: &'static str) -> Error {
    Error::new(Code::Malformed).with("expected", expected)
}

/// Takes the next whole frame off the buffer.
pub(crate) fn take(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Kind>, Error> {
    let Some(bytes) = framing::take(buffer, bytes_max).map_err(|e| match e {
        FrameError::TooLarge { length, max } => too_large("A frame", length, max),
        FrameError::Malformed { expected, .. } => malformed(expected),
    })?
    else {
        return Ok(None);
    };
    read(bytes).map(Some)
}

/// Reads one frame without its length.
pub(crate) fn read(bytes: Bytes) -> Result<Kind, Error> {
    count_lists(&bytes)?;
    let frame: link::Frame = framing::decode(bytes, "frame").map_err(|_| malformed("a link frame"))?;
    frame.frame.ok_or_else(|| malformed("a link frame of version 1"))
}

/// A frame with its length, as it goes out on the stream.
pub(crate) fn encode(kind: Kind) -> Bytes {
    framing::encode(&link::Frame { frame: Some(kind) })
}

fn too_large(what: &str, got: usize, max: usize) -> Error {
    Error::new(Code::TooLarge).with("what", what).with("got", got).with("max", max)
}

/// A frame holds exactly one field. Counts the list in it that could be long.
fn count_lists(frame: &[u8]) -> Result<(), Error> {
    let mut rest = frame;
    let Some((kind, Some(inner))) = field(&mut rest) else { return Err(malformed("a link frame")) };
    if !rest.is_empty() {
        return Err(malformed("a link frame with one field"));
    }
    if !matches!(kind, BATCH | ANSWER | NOTE) && frame.len() > LINK_SMALL_FRAME_BYTES_MAX {
        return Err(too_large("A frame", frame.len(), LINK_SMALL_FRAME_BYTES_MAX));
    }
    let (number, max, what) = match kind {
        HELLO => (7, LINK_FEATURES_MAX, "features"),
        BATCH => (3, LINK_BATCH_ITEMS_MAX, "items in a batch"),
        ACK => (3, LINK_REFUSED_MAX, "refusals in an ack"),
        _ => return Ok(()),
    };
    let (mut rest, mut count) = (inner, 0);
    while !rest.is_empty() {
        let (found, _) = field(&mut rest).ok_or_else(|| malformed("a link frame"))?;
        count += usize::from(found == number);
    }
    if count > max { Err(Error::new(Code::TooMany).with("what", what).with("max", max)) } else { Ok(()) }
}

/// Takes one protobuf field off the front: its number, and its bytes if it has a length. `None` if it is broken or a
/// group.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = varint(rest)?;
    let skip = match key & 7 {
        0 => {
            varint(rest)?;
            return Some((key >> 3, None));
        }
        1 => 8,
        5 => 4,
        2 => usize::try_from(varint(rest)?).ok()?,
        _ => return None,
    };
    let (bytes, after) = rest.split_at_checked(skip)?;
    *rest = after;
    Some((key >> 3, (key & 7 == 2).then_some(bytes)))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// An error from the peer, cut to what is allowed.
pub(crate) fn error_in(wire: link::Error) -> Error {
    let code = cut(&wire.code);
    fit(Error::from_wire(code, wire.params))
}

/// An error for the peer, cut to what is allowed.
pub(crate) fn error_out(error: Error) -> link::Error {
    fit(error).into()
}

fn fit(error: Error) -> Error {
    let short = |(name, value): (&String, &String)| (cut(name).to_owned(), cut(value).to_owned());
    Error { code: error.code, params: error.params.iter().take(LINK_ERROR_PARAMS_MAX).map(short).collect() }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LINK_ERROR_TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<(), Code>) {
        assert_eq!(read(Bytes::copy_from_slice(bytes)).map(|_| ()).map_err(|e| e.code), expected, "{bytes:?}");
    }

    #[test]
    fn a_frame_is_exactly_one_known_field() {
        check(&[5 << 3 | 2, 0], Ok(()));
        check(&[5 << 3 | 2, 2, 8, 7], Ok(()));
        check(&[], Err(Code::Malformed));
        check(&[5 << 3 | 2, 0, 5 << 3 | 2, 0], Err(Code::Malformed));
        check(&[5 << 3 | 2, 1], Err(Code::Malformed));
        check(&[15 << 3 | 2, 0], Err(Code::Malformed));
        check(&[5 << 3, 1], Err(Code::Malformed));
        check(&[0xff; 16], Err(Code::Malformed));
    }

    #[test]
    fn a_long_list_of_nothing_is_refused_before_it_is_decoded() {
        let mut inner = [3 << 3 | 2, 0].repeat(LINK_BATCH_ITEMS_MAX + 1);
        let mut frame = vec![2 << 3 | 2, inner.len() as u8 | 0x80, (inner.len() >> 7) as u8];
        frame.append(&mut inner);
        check(&frame, Err(Code::TooMany));
        frame[0] = 3 << 3 | 2;
        check(&frame, Err(Code::TooMany));
    }

    #[test]
    fn errors_are_cut_at_a_character() {
        let long = "星".repeat(200);
        let mut error = Error::new(Code::Forbidden);
        for n in 0..20 {
            error = error.with(&format!("{n:02}"), &long);
        }
        let wire = error_out(error);
        assert_eq!(wire.params.len(), LINK_ERROR_PARAMS_MAX);
        assert_eq!(wire.params["00"], "星".repeat(LINK_ERROR_TEXT_BYTES_MAX / 3));
    }
}
