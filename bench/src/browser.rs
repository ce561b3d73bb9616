//! A browser's connection: the client's frames as messages of a WebSocket (RFC 6455) over TLS, and of that only what an idle
//! connection needs. The certificate is self-made and on loopback, so it is not judged; the handshake costs the same.

use anyhow::{Context as _, Result, bail, ensure};
use prost::Message as _;
use startalk_protocol::pb::client as pb;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::client::{Server, answer_to, connect_tls, is_last, opening};

/// Bytes of an HTTP answer's head at most.
const HEAD_BYTES_MAX: usize = 4096;
/// A final frame of bytes.
const BINARY: u8 = 0x82;

/// Connects as the `number`th client, resumes with this token, and hears everything. What is returned keeps it open.
pub async fn idle(server: &Server, number: usize, token: bytes::Bytes) -> Result<TlsStream<TcpStream>> {
    let mut stream = connect_tls(server, number, &server.browser).await?;
    let host = server.address;
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < HEAD_BYTES_MAX, "a long answer to the handshake");
        head.push(stream.read_u8().await?);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    for (id, asked) in (1..).zip(opening("bench", token)) {
        say(&mut stream, &pb::ClientFrame { id, frame: Some(asked) }).await?;
        answered(&mut stream, id).await?;
    }
    Ok(stream)
}

async fn say(stream: &mut TlsStream<TcpStream>, frame: &pb::ClientFrame) -> Result<()> {
    let payload = frame.encode_to_vec();
    let short = u8::try_from(payload.len()).ok().filter(|length| *length < 126).context("an opening frame is short")?;
    let mut bytes = vec![BINARY, 0x80 | short, 0, 0, 0, 0]; // masked, by zeros
    bytes.extend(payload);
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads until the answer, or the last page of a sync.
async fn answered(stream: &mut TlsStream<TcpStream>, id: u64) -> Result<()> {
    loop {
        let first = stream.read_u8().await?;
        ensure!(first == BINARY, "expected a whole message of bytes, got {first:#x}");
        let length = match stream.read_u8().await? {
            126 => usize::from(stream.read_u16().await?),
            127 => bail!("a long answer"),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        if answer_to(id, pb::ServerFrame::decode(&payload[..])?)?.as_ref().is_some_and(is_last) {
            return Ok(());
        }
    }
}
