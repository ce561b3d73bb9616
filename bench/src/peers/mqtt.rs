//! A client of an MQTT 5 broker: the packets that a load needs. Messages go to the broker at QoS 1, so that it says that it has
//! them, and come from it at QoS 0; nothing is stored.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{
    client::{Server, connect_tls},
    peer::Line,
    tongue::{Heard, Tongue},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a packet at most.
const PACKET_BYTES_MAX: usize = 1 << 20;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBLISH_ACKNOWLEDGED: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
/// What one says oneself does not come back (MQTT 5 §3.8.3.1), at QoS 0.
const NO_LOCAL: u8 = 0x04;

/// See the module.
pub struct Client {
    stream: TlsStream<TcpStream>,
    input: BytesMut,
}

impl Client {
    /// Connects as the `number`th client.
    pub async fn connect(server: &Server, number: usize) -> Result<Self> {
        let stream = connect_tls(server, number, server.tls()).await?;
        let mut this = Self { stream, input: BytesMut::new() };
        // Protocol 5, a clean start, no keep-alive, no properties.
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0];
        put_text(&mut body, &format!("client{number}"));
        let answer = this.ask(CONNECT, &body, CONNACK).await?;
        ensure!(answer.get(1) == Some(&0), "the broker does not let clients in: {answer:02x?}");
        Ok(this)
    }

    /// Hears a topic.
    pub async fn subscribe(&mut self, topic: &str) -> Result<()> {
        let mut body = vec![0, 1, 0];
        put_text(&mut body, topic);
        body.push(NO_LOCAL);
        let answer = self.ask(SUBSCRIBE, &body, SUBACK).await?;
        ensure!(answer.last() == Some(&0), "the broker does not let {topic} be heard: {answer:02x?}");
        Ok(())
    }

    async fn ask(&mut self, kind: u8, body: &[u8], wanted: u8) -> Result<Vec<u8>> {
        let mut packet = Vec::new();
        put_packet(&mut packet, kind, body);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await?;
        let (kind, body) = timeout(PATIENCE, self.next()).await.context("the broker does not answer")??;
        ensure!(kind == wanted, "expected a packet of kind {wanted:#x}, got {kind:#x}");
        Ok(body)
    }

    async fn next(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let Some((bytes, kind, body)) = whole(&self.input)? {
                let body = body.to_vec();
                self.input.advance(bytes);
                return Ok((kind, body));
            }
            ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the broker closed the connection");
        }
    }

    /// Ready for the load, saying everything to this topic.
    pub fn speaking_to(self, topic: &str) -> Line {
        let mut head = Vec::new();
        put_text(&mut head, topic);
        Line { stream: self.stream, input: self.input, tongue: Box::new(Speech { head, sent: 0 }) }
    }
}

/// What is said under load.
struct Speech {
    /// The topic.
    head: Vec<u8>,
    sent: u64,
}

impl Tongue for Speech {
    fn put(&mut self, out: &mut Vec<u8>, _to: usize, content: &[u8]) -> u64 {
        let id = u16::try_from(self.sent % u64::from(u16::MAX)).unwrap_or(0) + 1;
        self.sent += 1;
        out.push(PUBLISH_ACKNOWLEDGED);
        put_length(out, self.head.len() + 3 + content.len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&id.to_be_bytes());
        out.push(0); // no properties
        out.extend_from_slice(content);
        u64::from(id)
    }

    fn take<'a>(&mut self, input: &'a [u8], _out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>> {
        let Some((bytes, kind, body)) = whole(input)? else { return Ok(None) };
        let heard = match kind {
            PUBACK => {
                let id = body.first_chunk::<2>().context("an acknowledgement without a number")?;
                ensure!(body.get(2).is_none_or(|reason| *reason < 0x80), "refused: {body:02x?}");
                Heard::Sent { name: u64::from(u16::from_be_bytes(*id)), sequence: 0 }
            }
            PUBLISH => Heard::Message { sequence: 0, content: payload(body).context("a message without a topic")? },
            kind => bail!("a packet of kind {kind:#x}: {body:02x?}"),
        };
        Ok(Some((bytes, heard)))
    }
}

/// After the topic and the properties of a message at QoS 0.
fn payload(body: &[u8]) -> Option<&[u8]> {
    let topic = usize::from(u16::from_be_bytes(*body.first_chunk::<2>()?));
    let rest = body.get(2 + topic..)?;
    let (properties, bytes) = length(rest)?;
    rest.get(bytes + properties..)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_packet(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    put_length(out, body.len());
    out.extend_from_slice(body);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    crate::wire::put_varint(out, length as u64);
}

/// A variable byte integer and how many bytes it has (MQTT 5 §1.5.5); `None` if it is not whole.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut rest = &bytes[..bytes.len().min(4)];
    let before = rest.len();
    let value = crate::wire::take_varint(&mut rest)?;
    Some((usize::try_from(value).ok()?, before - rest.len()))
}

/// The first packet: its bytes, its first byte, what follows its length.
fn whole(input: &[u8]) -> Result<Option<(usize, u8, &[u8])>> {
    let Some((kind, rest)) = input.split_first() else { return Ok(None) };
    let Some((length, bytes)) = length(rest) else {
        ensure!(rest.len() < 4, "a packet whose length has no end");
        return Ok(None);
    };
    ensure!(length <= PACKET_BYTES_MAX, "a packet of {length} bytes");
    Ok(rest.get(bytes..bytes + length).map(|body| (1 + bytes + length, *kind, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_what_a_broker_passes_on_but_for_its_number() {
        let mut head = Vec::new();
        put_text(&mut head, "to/1");
        let (mut speech, mut out) = (Speech { head, sent: 65_535 }, Vec::new());
        let content = vec![b'x'; 200];
        assert_eq!(speech.put(&mut out, 0, &content), 1);
        let (bytes, kind, body) = whole(&out).unwrap().unwrap();
        assert_eq!((bytes, kind), (out.len(), PUBLISH_ACKNOWLEDGED));
        let mut passed = Vec::new();
        put_packet(&mut passed, PUBLISH, &[&body[..6], &body[8..]].concat());
        let mut nothing = Vec::new();
        assert_eq!(
            speech.take(&passed, &mut nothing).unwrap().unwrap(),
            (passed.len(), Heard::Message { sequence: 0, content: &content })
        );
        assert_eq!(speech.take(&passed[..passed.len() - 1], &mut nothing).unwrap(), None);
        let taken = speech.take(&[PUBACK, 2, 1, 2], &mut nothing).unwrap().unwrap();
        assert_eq!(taken, (4, Heard::Sent { name: 258, sequence: 0 }));
        assert!(speech.take(&[PUBACK, 3, 1, 2, 0x97], &mut nothing).is_err());
        assert!(speech.take(&[PUBLISH, 0xff, 0xff, 0xff, 0xff], &mut nothing).is_err());
    }
}
