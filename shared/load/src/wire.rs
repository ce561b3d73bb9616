//! The few frames of `client.proto` that every message goes through, written and read without allocating: what the
//! generator spends is taken from the same cores as what it measures. Everything else goes through prost.

use startalk_protocol::framing::LENGTH_BYTES;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A varint.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// Of a fixed width; none is looked at here.
    Fixed,
    /// Not protobuf; nothing follows.
    Broken,
}

/// The fields of a protobuf message, in their order.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_none() {
            self.0 = &[];
        }
        Some(read.unwrap_or((0, Value::Broken)))
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Option<(u64, Value<'a>)> {
        let key = take_varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Number(take_varint(&mut self.0)?),
            2 => {
                let length = usize::try_from(take_varint(&mut self.0)?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            width @ (1 | 5) => {
                self.0 = self.0.get(if width == 1 { 8 } else { 4 }..)?;
                Value::Fixed
            }
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

/// Takes a varint off the front.
pub fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a framed `ClientFrame { id, send: Send { conversation, counter, content } }`.
pub fn put_send(out: &mut Vec<u8>, id: u64, conversation: u64, counter: u64, content: &[u8]) {
    let content_len = content.len() as u64;
    let send = 3 + varint_len(conversation) + varint_len(counter) + varint_len(content_len) + content.len();
    let frame = 2 + varint_len(id) + varint_len(send as u64) + send;
    out.reserve(LENGTH_BYTES + frame);
    out.extend_from_slice(&u32::try_from(frame).expect("a frame is small").to_be_bytes());
    out.push(0x08);
    put_varint(out, id);
    out.push(0x52);
    put_varint(out, send as u64);
    out.push(0x08);
    put_varint(out, conversation);
    out.push(0x18);
    put_varint(out, counter);
    out.push(0x22);
    put_varint(out, content_len);
    out.extend_from_slice(content);
}

/// A server's frame, as far as the load looks at it.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The answer to a message.
    Sent { reply_to: u64, sequence: u64 },
    /// Somebody's message.
    Message { sequence: u64, content: &'a [u8] },
    /// The answer is an error, or the connection ends; to be decoded for its words.
    Refused,
    /// Cursors, presence and the like.
    Other,
    /// Not a frame.
    Broken,
}

/// Reads a server's frame.
pub fn read(frame: &[u8]) -> Heard<'_> {
    let (mut reply_to, mut inner) = (0, None);
    for field in Fields(frame) {
        match field {
            (1, Value::Number(n)) => reply_to = n,
            (2..=24, Value::Bytes(_)) => inner = Some(field),
            (_, Value::Broken) => return Heard::Broken,
            _ => {}
        }
    }
    match inner {
        Some((2 | 24, _)) => Heard::Refused,
        Some((6, Value::Bytes(sent))) => Heard::Sent { reply_to, sequence: number(sent, 2) },
        Some((20, Value::Bytes(pushed))) => match bytes(pushed, 2) {
            Some(message) => Heard::Message { sequence: number(message, 1), content: bytes(message, 6).unwrap_or_default() },
            None => Heard::Other,
        },
        Some(_) => Heard::Other,
        None => Heard::Broken,
    }
}

fn number(message: &[u8], field: u64) -> u64 {
    Fields(message).find_map(|f| if let (n, Value::Number(v)) = f { (n == field).then_some(v) } else { None }).unwrap_or(0)
}

fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    Fields(message).find_map(|f| if let (n, Value::Bytes(v)) = f { (n == field).then_some(v) } else { None })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use startalk_protocol::pb::client::{
        ClientFrame, Cursor, Error, Message, Pushed, Send, Sent, ServerFrame, client_frame, pushed::What, server_frame::Frame,
    };

    use super::*;

    #[test]
    fn what_is_written_is_what_prost_writes() {
        for n in [1, 127, 128, 16_383, 16_384, u64::MAX] {
            let content = vec![7; 100];
            let mut out = Vec::new();
            put_send(&mut out, n, n, n, &content);
            let send = Send { conversation: n, counter: n, content: content.into(), ..Send::default() };
            let frame = ClientFrame { id: n, frame: Some(client_frame::Frame::Send(send)) };
            assert_eq!(out, startalk_protocol::framing::encode(&frame));
        }
    }

    #[test]
    fn what_prost_writes_is_read() {
        let encode = |reply_to, frame| ServerFrame { reply_to, frame: Some(frame) }.encode_to_vec();
        let sent = Sent { conversation: 3, sequence: 300, id: vec![1; 16].into(), time_ms: 5 };
        assert_eq!(read(&encode(9, Frame::Sent(sent))), Heard::Sent { reply_to: 9, sequence: 300 });
        let message = Message { sequence: 7, author: "a@b".into(), content: "said".into(), ..Message::default() };
        let pushed = encode(0, Frame::Pushed(Pushed { conversation: 1, what: Some(What::Message(message)), record: 0 }));
        assert_eq!(read(&pushed), Heard::Message { sequence: 7, content: b"said" });
        assert_eq!(read(&encode(4, Frame::Error(Error::default()))), Heard::Refused);
        assert_eq!(read(&encode(0, Frame::Cursor(Cursor::default()))), Heard::Other);
        for broken in [&b"\x08"[..], b"", &pushed[..pushed.len() - 1]] {
            assert_eq!(read(broken), Heard::Broken);
        }
    }
}
