//! A client's connection until the load begins: connecting, signing in, opening a conversation; one question at a time.
//!
//! A node limits attempts by address (`127.0.0.1` is one), so clients come from many addresses of `127/8`, as people do.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use startalk_net::{ALPN_CLIENT, ALPN_HTTP1, Verify, verify::client_config};
use startalk_protocol::{
    Error, framing,
    limits::CLIENT_FRAME_BYTES_MAX,
    pb::client::{self as pb, act_in_group::Act, client_frame::Frame as Asked, server_frame::Frame},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};

use crate::clock::Watch;

/// Clients that share one address.
pub const CLIENTS_PER_ADDRESS: usize = 8;

/// How long a group's home, another domain, may take to let somebody in.
const JOIN_WAIT: Duration = Duration::from_secs(60);
/// How often one looks meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// A server, and how to know it.
#[derive(Clone)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whom to ask for there.
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    /// How a browser connects to it.
    pub browser: Arc<ClientConfig>,
}

impl Server {
    /// At `address`, holding this ed25519 key.
    pub fn new(address: SocketAddr, key: [u8; 32]) -> Result<Self> {
        let tls = client_config(&Verify::Pinned(BTreeSet::from([key])), &[ALPN_CLIENT], None)?;
        let browser = client_config(&Verify::AnyCertificate, &[ALPN_HTTP1], None)?;
        let name = ServerName::IpAddress(address.ip().into());
        Ok(Self { address, name, tls: Arc::new(tls), browser: Arc::new(browser) })
    }

    /// Somebody else's, with a certificate of its own making, at `address`, asked for by this name.
    pub fn of_others(address: SocketAddr, name: &str) -> Result<Self> {
        let tls = Arc::new(client_config(&Verify::AnyCertificate, &[], None)?);
        Ok(Self { address, name: ServerName::try_from(name.to_owned())?, browser: tls.clone(), tls })
    }

    /// The same, asked for by its domain's name at another address: a hub's.
    pub fn through(&self, address: SocketAddr, domain: &str) -> Result<Self> {
        Ok(Self { address, name: ServerName::try_from(domain.to_owned())?, ..self.clone() })
    }

    /// How a program of ours connects to it.
    pub fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }
}

/// Where the `number`th client connects from.
///
/// # Errors
/// If there are more than addresses.
pub fn address_of(number: usize) -> Result<Ipv4Addr> {
    let [_, b, c, d] = u32::try_from(0x0040_0001 + number / CLIENTS_PER_ADDRESS)?.to_be_bytes();
    Ok(Ipv4Addr::new(127, b, c, d))
}

/// A connection of the `number`th client, after the TLS handshake.
pub async fn connect_tls(server: &Server, number: usize, config: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((address_of(number)?, 0)))?;
    let tcp = socket.connect(server.address).await.with_context(|| format!("connecting to {}", server.address))?;
    tcp.set_nodelay(true)?;
    TlsConnector::from(config.clone()).connect(server.name.clone(), tcp).await.context("the TLS handshake")
}

/// What a device says first: hello, its token, and that it wants to hear everything.
pub fn opening(name: &str, token: Bytes) -> [Asked; 3] {
    [Asked::Hello(hello(name)), Asked::Resume(pb::Resume { token }), Asked::Sync(pb::Sync::default())]
}

/// What this frame answers to the frame `id`; `None` if it answers none or another.
///
/// # Errors
/// If that was refused, or the server ends the connection.
pub fn answer_to(id: u64, frame: pb::ServerFrame) -> Result<Option<Frame>> {
    match frame.frame.context("a frame of an unknown kind")? {
        Frame::Error(e) if frame.reply_to == id => bail!("refused: {}", words(e)),
        Frame::Close(close) => bail!("the server ends the connection: {}", words(close.error.unwrap_or_default())),
        answer => Ok(Some(answer).filter(|_| frame.reply_to == id)),
    }
}

/// Whether nothing more is said after it to what was asked: it is no page of a sync that others follow.
pub fn is_last(answer: &Frame) -> bool {
    !matches!(answer, Frame::SyncPage(page) if !page.last)
}

fn password(name: &str) -> String {
    format!("{name} has a long password")
}

fn hello(name: &str) -> pb::Hello {
    pb::Hello { version_min: 1, version_max: 1, client: name.to_owned(), language: "en".to_owned() }
}

/// See the module.
pub struct Client {
    /// After the TLS handshake.
    pub stream: TlsStream<TcpStream>,
    /// The id of the last frame.
    pub id: u64,
    /// The highest number of a command that the node has of this device.
    pub counter: u64,
    input: BytesMut,
}

impl Client {
    /// Connects as the `number`th client.
    pub async fn connect(server: &Server, number: usize) -> Result<Self> {
        let stream = connect_tls(server, number, &server.tls).await?;
        Ok(Self { stream, id: 0, counter: 0, input: BytesMut::new() })
    }

    /// Asks, and waits for the answer; what is pushed meanwhile is let go.
    pub async fn ask(&mut self, asked: Asked) -> Result<Frame> {
        self.say(asked).await?;
        self.answer().await
    }

    async fn say(&mut self, asked: Asked) -> Result<()> {
        self.id += 1;
        let frame = pb::ClientFrame { id: self.id, frame: Some(asked) };
        self.stream.write_all(&framing::encode(&frame)).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next answer to what was asked last.
    async fn answer(&mut self) -> Result<Frame> {
        loop {
            if let Some(answer) = answer_to(self.id, self.next().await?)? {
                return Ok(answer);
            }
        }
    }

    async fn next(&mut self) -> Result<pb::ServerFrame> {
        loop {
            if let Some(frame) = framing::take(&mut self.input, CLIENT_FRAME_BYTES_MAX)? {
                return Ok(framing::decode(frame, "server frame")?);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    /// Says hello.
    pub async fn hello(&mut self, name: &str) -> Result<()> {
        match self.ask(Asked::Hello(hello(name))).await? {
            Frame::Welcome(_) => Ok(()),
            other => bail!("expected a welcome, got {other:?}"),
        }
    }

    /// Makes an account. Returns the device's token.
    pub async fn register(&mut self, name: &str) -> Result<Bytes> {
        let (name, password) = (name.to_owned(), password(name));
        let request = pb::Register { name, password, device_name: "bench".to_owned(), ..pb::Register::default() };
        self.signed_in(Asked::Register(request)).await
    }

    /// Signs in with the password of [`Client::register`]: a new device.
    pub async fn sign_in(&mut self, name: &str) -> Result<()> {
        let (name, password) = (name.to_owned(), password(name));
        self.signed_in(Asked::SignIn(pb::SignIn { name, password, device_name: "bench".to_owned() })).await.map(|_| ())
    }

    /// Signs in with a token.
    pub async fn resume(&mut self, token: Bytes) -> Result<()> {
        self.signed_in(Asked::Resume(pb::Resume { token })).await.map(|_| ())
    }

    async fn signed_in(&mut self, asked: Asked) -> Result<Bytes> {
        match self.ask(asked).await? {
            Frame::SignedIn(signed_in) => {
                self.counter = signed_in.counter;
                Ok(signed_in.token)
            }
            other => bail!("expected to be signed in, got {other:?}"),
        }
    }

    /// Hears everything there is, and from now on what happens.
    pub async fn sync(&mut self) -> Result<()> {
        self.sync_from(Bytes::new()).await.map(|_| ())
    }

    /// Hears everything after the cursor, and from now on what happens: all pages.
    pub async fn sync_from(&mut self, cursor: Bytes) -> Result<Vec<pb::SyncPage>> {
        self.say(Asked::Sync(pb::Sync { cursor })).await?;
        let mut pages = Vec::new();
        loop {
            match self.answer().await? {
                Frame::SyncPage(page) if page.last => {
                    pages.push(page);
                    return Ok(pages);
                }
                Frame::SyncPage(page) => pages.push(page),
                other => bail!("expected a page of a sync, got {other:?}"),
            }
        }
    }

    /// A page of the past: messages before `before`, or after `after`; with both 0 the newest.
    pub async fn history(&mut self, conversation: u64, before: u64, after: u64, limit: u32) -> Result<pb::Page> {
        match self.ask(Asked::History(pb::History { conversation, before, after, limit })).await? {
            Frame::Page(page) => Ok(page),
            other => bail!("expected a page, got {other:?}"),
        }
    }

    /// Begins a group, alone. Its conversation.
    pub async fn create_group(&mut self, name: &str) -> Result<u64> {
        self.counter += 1;
        let create = pb::CreateGroup { counter: self.counter, name: name.to_owned(), ..pb::CreateGroup::default() };
        match self.ask(Asked::CreateGroup(create)).await? {
            Frame::Sent(sent) => Ok(sent.conversation),
            other => bail!("expected to have a group, got {other:?}"),
        }
    }

    /// A link into a group, that anybody may use.
    pub async fn group_link(&mut self, conversation: u64) -> Result<String> {
        self.counter += 1;
        let act = Some(Act::MakeLink(pb::MakeGroupLink::default()));
        match self.ask(Asked::ActInGroup(pb::ActInGroup { conversation, counter: self.counter, act })).await? {
            Frame::Invitation(invitation) => Ok(invitation.link),
            other => bail!("expected a link, got {other:?}"),
        }
    }

    /// Comes into a group by a link, and waits until its home has said yes. The group's conversation here.
    pub async fn join_group(&mut self, link: &str) -> Result<u64> {
        self.counter += 1;
        let join = pb::JoinGroup { counter: self.counter, link: link.to_owned(), word: String::new() };
        let Frame::Sent(sent) = self.ask(Asked::JoinGroup(join)).await? else { bail!("expected to be joining") };
        let watch = Watch::start();
        // Whoever is only joining may read nothing.
        while self.history(sent.conversation, 0, 0, 1).await?.head == 0 {
            ensure!(watch.elapsed() < JOIN_WAIT, "the group's home does not say whether somebody is in");
            sleep(LOOK).await;
        }
        Ok(sent.conversation)
    }

    /// Begins, or finds, the conversation with `user`.
    pub async fn open_conversation(&mut self, user: &str) -> Result<u64> {
        match self.ask(Asked::OpenConversation(pb::OpenConversation { user: user.to_owned() })).await? {
            Frame::Conversation(conversation) => Ok(conversation.conversation),
            other => bail!("expected a conversation, got {other:?}"),
        }
    }

    /// The bytes that came and were not looked at, when the load takes over.
    pub fn into_parts(self) -> (TlsStream<TcpStream>, BytesMut, u64) {
        (self.stream, self.input, self.id)
    }
}

/// An error as people read it.
pub fn words(error: pb::Error) -> String {
    Error::from(error).to_string()
}
