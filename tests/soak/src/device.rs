//! A client that speaks docs/client-protocol.md frame by frame: for what the SDK never does, such as not reading, or
//! asking without waiting.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use startalk_net::{ALPN_CLIENT, Verify, verify::client_config};
use startalk_protocol::{
    framing,
    limits::CLIENT_FRAME_BYTES_MAX,
    pb::client::{self as pb, ClientFrame, ServerFrame, client_frame::Frame as Asked, server_frame::Frame},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

/// What a device keeps while it is not connected.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The port of its node, on loopback.
    pub port: u16,
    /// Shows whose it is.
    pub token: Bytes,
    /// Up to where it has heard.
    pub cursor: Bytes,
}

/// What a node says.
pub struct Ear {
    half: ReadHalf<TlsStream<TcpStream>>,
    buffer: BytesMut,
}

/// What is said to a node.
pub struct Mouth {
    half: WriteHalf<TlsStream<TcpStream>>,
    /// The id of the last frame.
    pub id: u64,
}

/// A connection.
pub struct Device {
    /// What is heard.
    pub ear: Ear,
    /// What is said.
    pub mouth: Mouth,
    /// The highest number of a command that the node has of this device.
    pub counter: u64,
}

/// A connection after the TLS handshake, on which nothing was said. `receive_bytes`: of the system's buffer, about.
///
/// # Errors
/// If there is none.
pub async fn connect(port: u16, receive_bytes: Option<u32>) -> anyhow::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let tcp = socket.connect(([127, 0, 0, 1], port).into()).await?;
    tcp.set_nodelay(true)?;
    let tls = client_config(&Verify::AnyCertificate, &[ALPN_CLIENT], None)?;
    let name = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
    TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.context("the TLS handshake")
}

/// The first frame.
pub fn hello() -> Asked {
    Asked::Hello(pb::Hello { version_min: 1, version_max: 1, client: "soak".to_owned(), language: "en".to_owned() })
}

impl Device {
    /// Connects and says hello.
    ///
    /// # Errors
    /// If the node does not welcome it.
    pub async fn new(port: u16, receive_bytes: Option<u32>) -> anyhow::Result<Self> {
        let (read, write) = tokio::io::split(connect(port, receive_bytes).await?);
        let (ear, mouth) = (Ear { half: read, buffer: BytesMut::new() }, Mouth { half: write, id: 0 });
        let mut device = Self { ear, mouth, counter: 0 };
        match device.ask(hello()).await? {
            Frame::Welcome(_) => Ok(device),
            other => bail!("expected a welcome, heard {other:?}"),
        }
    }

    /// A new device, by a password; what it keeps.
    ///
    /// # Errors
    /// If the node does not let it in.
    pub async fn sign_in(port: u16, name: &str, password: &str) -> anyhow::Result<Kept> {
        let mut device = Self::new(port, None).await?;
        let (name, password, device_name) = (name.to_owned(), password.to_owned(), "soak".to_owned());
        match device.ask(Asked::SignIn(pb::SignIn { name, password, device_name })).await? {
            Frame::SignedIn(signed_in) => Ok(Kept { port, token: signed_in.token, cursor: Bytes::new() }),
            other => bail!("expected to be signed in, heard {other:?}"),
        }
    }

    /// Goes on as a device that was here before.
    ///
    /// # Errors
    /// If the node does not know it.
    pub async fn resume(kept: &Kept, receive_bytes: Option<u32>) -> anyhow::Result<Self> {
        let mut device = Self::new(kept.port, receive_bytes).await?;
        match device.ask(Asked::Resume(pb::Resume { token: kept.token.clone() })).await? {
            Frame::SignedIn(signed_in) => device.counter = signed_in.counter,
            other => bail!("expected to be known, heard {other:?}"),
        }
        Ok(device)
    }

    /// Hears everything after the cursor, which moves, and is told from now on what happens. The conversations that changed.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn sync(&mut self, kept: &mut Kept) -> anyhow::Result<Vec<pb::Conversation>> {
        let id = self.mouth.say(Asked::Sync(pb::Sync { cursor: kept.cursor.clone() })).await?;
        let mut all = Vec::new();
        loop {
            match self.ear.answer(id).await? {
                Frame::SyncPage(page) => {
                    all.extend(page.conversations.into_iter().filter_map(|c| c.conversation));
                    if page.last {
                        kept.cursor = page.cursor;
                        return Ok(all);
                    }
                }
                other => bail!("expected a page of a sync, heard {other:?}"),
            }
        }
    }

    /// Asks, and hears the answer; what is pushed meanwhile is let go.
    ///
    /// # Errors
    /// If the connection ends.
    pub async fn ask(&mut self, asked: Asked) -> anyhow::Result<Frame> {
        let id = self.mouth.say(asked).await?;
        self.ear.answer(id).await
    }
}

impl Mouth {
    /// Says it; waits only until the system has taken it. Its id.
    ///
    /// # Errors
    /// If the connection ends.
    pub async fn say(&mut self, asked: Asked) -> anyhow::Result<u64> {
        self.id += 1;
        let frame = ClientFrame { id: self.id, frame: Some(asked) };
        self.half.write_all(&framing::encode(&frame)).await?;
        self.half.flush().await?;
        Ok(self.id)
    }
}

impl Ear {
    /// The next frame; `None` when the connection has ended.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn hear(&mut self) -> anyhow::Result<Option<ServerFrame>> {
        loop {
            if let Some(frame) = framing::take(&mut self.buffer, CLIENT_FRAME_BYTES_MAX)? {
                return Ok(Some(framing::decode(frame, "server frame")?));
            }
            // However it ended: what was said before it was heard.
            if !self.half.read_buf(&mut self.buffer).await.is_ok_and(|bytes| bytes > 0) {
                return Ok(None);
            }
        }
    }

    async fn answer(&mut self, id: u64) -> anyhow::Result<Frame> {
        loop {
            let ServerFrame { reply_to, frame } = self.hear().await?.context("the node closed the connection")?;
            match frame.context("an empty frame")? {
                Frame::Close(close) => bail!("the node closed with {:?}", close.error.unwrap_or_default()),
                frame if reply_to == id => return Ok(frame),
                _ => {}
            }
        }
    }
}
