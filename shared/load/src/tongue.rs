//! What a person under load speaks: the protocol of the server that is measured, as far as every message goes through it.

use anyhow::{Result, bail, ensure};
use startalk_protocol::{
    framing::{self, LENGTH_BYTES},
    limits::CLIENT_FRAME_BYTES_MAX,
    pb::client::{ServerFrame, server_frame::Frame},
};

use crate::{
    client::words,
    wire::{self, Heard as Told},
};

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// It answers for the message of this name; and where in the conversation it is, 0 if it does not say.
    Sent { name: u64, sequence: u64 },
    /// It answers for all whose names are not greater.
    SentUpTo(u64),
    /// Somebody's message; `sequence` is 0 if the server counts none.
    Message { sequence: u64, content: &'a [u8] },
    /// Nothing that a load looks at.
    Other,
}

/// A protocol. One client's: it may count.
pub trait Tongue: Send {
    /// Appends a message to the `to`th of those whom this client writes to. The name by which its answer speaks of it.
    fn put(&mut self, out: &mut Vec<u8>, to: usize, content: &[u8]) -> u64;

    /// Called after the messages of one write.
    fn end(&mut self, _out: &mut Vec<u8>) {}

    /// What is first in the input and how many bytes it has; `None` if it is not whole. What must be answered at once is
    /// appended to `out`. An error if the server refuses something, or says what nobody understands.
    fn take<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>>;
}

/// Startalk's own.
pub struct Startalk {
    /// The id of the last frame.
    id: u64,
    /// Commands of this device until now.
    counter: u64,
    conversations: Vec<u64>,
}

impl Startalk {
    /// Goes on after these numbers, in these conversations.
    pub fn new(id: u64, counter: u64, conversations: Vec<u64>) -> Self {
        Self { id, counter, conversations }
    }
}

impl Tongue for Startalk {
    fn put(&mut self, out: &mut Vec<u8>, to: usize, content: &[u8]) -> u64 {
        self.id += 1;
        self.counter += 1;
        wire::put_send(out, self.id, self.conversations[to], self.counter, content);
        self.id
    }

    fn take<'a>(&mut self, input: &'a [u8], _out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>> {
        let Some(length) = input.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        ensure!(length <= 2 * CLIENT_FRAME_BYTES_MAX, "a frame of {length} bytes");
        let Some(frame) = input.get(LENGTH_BYTES..LENGTH_BYTES + length) else { return Ok(None) };
        let heard = match wire::read(frame) {
            Told::Sent { reply_to: name, sequence } => Heard::Sent { name, sequence },
            Told::Message { sequence, content } => Heard::Message { sequence, content },
            Told::Other => Heard::Other,
            Told::Refused => bail!("{}", refusal(frame)),
            Told::Broken => bail!("a frame that is none: {frame:02x?}"),
        };
        Ok(Some((LENGTH_BYTES + length, heard)))
    }
}

fn refusal(frame: &[u8]) -> String {
    let error = match framing::decode::<ServerFrame>(frame, "server frame").map(|f| f.frame) {
        Ok(Some(Frame::Error(error))) => Some(error),
        Ok(Some(Frame::Close(close))) => close.error,
        _ => None,
    };
    error.map_or_else(|| "refused".to_owned(), |e| format!("refused: {}", words(e)))
}
