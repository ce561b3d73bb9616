//! A connection to or from a node, over QUIC or TLS: frames made by hand go out, what the node says comes in.
//!
//! An error that the node says is held to the limits of chapter 3 §11, whatever it is about.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use startalk_net::{
    ALPN_LINK, AddressGuard, Connect, ConnectError, LinkCertificate, LinkStream, Names, Verify, client_endpoint, connect_quic,
    connect_tls,
};
use startalk_protocol::{
    DomainName,
    error::Language,
    framing,
    limits::{LINK_ERROR_PARAMS_MAX, LINK_ERROR_TEXT_BYTES_MAX, LINK_FRAME_BYTES_MAX},
    pb::{
        link::{self as pb, Frame, frame::Frame as Kind},
        trust::Endpoint,
    },
    signing::SecretKey,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::Address;

/// How long the node may take to say something: longer than any of its own limits.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Over what to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// QUIC.
    Quic,
    /// TLS on TCP.
    Tls,
}

/// Both.
pub const BOTH: [Over; 2] = [Over::Quic, Over::Tls];

/// What TLS runs over.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection on which anything can be said.
pub struct Connection {
    stream: Stream,
    buffer: BytesMut,
}

enum Stream {
    Quic { stream: LinkStream, connection: quinn::Connection, _endpoint: Option<quinn::Endpoint> },
    Tls(Box<dyn Io>),
}

impl Connection {
    /// Connects with a certificate of this key, whoever is there. Nothing is said yet.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn dial(over: Over, address: &Address, domain: &DomainName, certificate: &SecretKey) -> anyhow::Result<Self> {
        Self::dial_as(over, address, domain, Some(certificate), ALPN_LINK).await
    }

    /// The same with any certificate or none, and any protocol.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn dial_as(
        over: Over,
        address: &Address,
        domain: &DomainName,
        certificate: Option<&SecretKey>,
        alpn: &[u8],
    ) -> anyhow::Result<Self> {
        let stream = match over {
            Over::Tls => Stream::Tls(Box::new(tls(address, domain, certificate, alpn).await?)),
            Over::Quic => {
                let endpoint = client_endpoint()?;
                let (names, certificate) = (Names::system(), certificate.map(LinkCertificate::new).transpose()?);
                let (endpoints, alpn) = ([address.endpoint()], [alpn]);
                let what = what(&endpoints, domain, certificate.as_ref(), &alpn, &names);
                let connection = connect_quic(&endpoint, &what).await.map_err(failed)?.connection;
                Stream::Quic { stream: LinkStream::open(&connection).await?, connection, _endpoint: Some(endpoint) }
            }
        };
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    /// One that came over QUIC.
    pub(crate) fn accepted_quic(connection: quinn::Connection, stream: LinkStream) -> Self {
        Self { stream: Stream::Quic { stream, connection, _endpoint: None }, buffer: BytesMut::new() }
    }

    /// One that came over TLS.
    pub(crate) fn accepted_tls(stream: impl Io + 'static) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), buffer: BytesMut::new() }
    }

    /// Says bytes. That the node has closed the connection is no error: what it said is still to be heard.
    pub async fn say_bytes(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let _ = match &mut self.stream {
            Stream::Quic { stream, .. } => stream.write(bytes).await,
            Stream::Tls(stream) => stream.write_all(&bytes).await.and(stream.flush().await),
        };
    }

    /// Says a frame.
    pub async fn say(&mut self, frame: Kind) {
        self.say_bytes(framed(frame)).await;
    }

    /// Says a datagram, where there are any.
    pub fn say_datagram(&mut self, bytes: impl Into<Bytes>) {
        if let Stream::Quic { connection, .. } = &self.stream {
            // That it is too large for the path is as if it was lost.
            let _ = connection.send_datagram(bytes.into());
        }
    }

    /// Says that nothing more will come, and still hears.
    pub async fn finish(&mut self) {
        match &mut self.stream {
            Stream::Quic { stream, .. } => stream.sender.finish(),
            Stream::Tls(stream) => drop(stream.shutdown().await),
        }
    }

    /// The next frame; `None` when the node has closed the connection.
    ///
    /// # Errors
    /// If the node says nothing and closes nothing, or what no node may say.
    pub async fn hear(&mut self) -> anyhow::Result<Option<Kind>> {
        loop {
            if let Some(frame) = framing::take(&mut self.buffer, LINK_FRAME_BYTES_MAX)? {
                let frame: Frame = framing::decode(frame, "frame")?;
                let kind = frame.frame.context("an empty frame")?;
                if let Kind::Close(pb::Close { error }) = &kind {
                    within_limits(error.as_ref().context("a close without an error")?)?;
                }
                return Ok(Some(kind));
            }
            let read = async {
                match &mut self.stream {
                    Stream::Quic { stream, .. } => match stream.read().await {
                        Ok(Some(bytes)) => {
                            self.buffer.extend_from_slice(&bytes);
                            true
                        }
                        _ => false,
                    },
                    Stream::Tls(stream) => stream.read_buf(&mut self.buffer).await.is_ok_and(|n| n > 0),
                }
            };
            if !tokio::time::timeout(PATIENCE, read).await.context("the node says nothing and does not close")? {
                return Ok(None);
            }
        }
    }

    /// Hears on until the node closes, and returns the code with which it did; empty if it said none.
    ///
    /// # Errors
    /// As [`Connection::hear`].
    pub async fn closed_with(&mut self) -> anyhow::Result<String> {
        Ok(self.closed().await?.code)
    }

    /// Hears on until the node closes, and returns the error with which it did.
    ///
    /// # Errors
    /// As [`Connection::hear`].
    pub async fn closed(&mut self) -> anyhow::Result<pb::Error> {
        while let Some(frame) = self.hear().await? {
            if let Kind::Close(close) = frame {
                return Ok(close.error.unwrap_or_default());
            }
        }
        Ok(pb::Error::default())
    }

    /// The error with which the node refuses: it must say nothing else before.
    ///
    /// # Errors
    /// If it says something else.
    pub async fn refused(&mut self) -> anyhow::Result<pb::Error> {
        match self.hear().await? {
            Some(Kind::Close(close)) => Ok(close.error.unwrap_or_default()),
            None => Ok(pb::Error::default()),
            Some(other) => anyhow::bail!("expected a close, heard {}", name(&other)),
        }
    }

    /// Hears on until the node has said hello, and returns it.
    ///
    /// # Errors
    /// If it says something else.
    pub async fn welcomed(&mut self) -> anyhow::Result<pb::Hello> {
        match self.hear().await? {
            Some(Kind::Hello(hello)) => Ok(hello),
            Some(Kind::Close(close)) => anyhow::bail!("expected a hello, heard {:?}", close.error.unwrap_or_default()),
            Some(other) => anyhow::bail!("expected a hello, heard {}", name(&other)),
            None => anyhow::bail!("expected a hello, and the node closed the connection"),
        }
    }

    /// Hears on until the node has acknowledged this much.
    ///
    /// # Errors
    /// If it closes before.
    pub async fn acknowledged(&mut self, up_to: u64) -> anyhow::Result<pb::Ack> {
        loop {
            match self.hear().await? {
                Some(Kind::Ack(ack)) if ack.sequence >= up_to => return Ok(ack),
                Some(Kind::Close(close)) => anyhow::bail!("closed with {close:?}"),
                None => anyhow::bail!("closed"),
                _ => {}
            }
        }
    }

    /// Goes away without a word.
    pub fn vanish(self) {
        if let Stream::Quic { connection, .. } = &self.stream {
            connection.close(0_u32.into(), b"");
        }
    }
}

/// A TLS connection to whoever is there.
///
/// # Errors
/// If there is no connection.
pub async fn tls(
    address: &Address,
    domain: &DomainName,
    certificate: Option<&SecretKey>,
    alpn: &[u8],
) -> anyhow::Result<impl Io + use<>> {
    let (names, certificate) = (Names::system(), certificate.map(LinkCertificate::new).transpose()?);
    let (endpoints, alpn) = ([address.endpoint()], [alpn]);
    let what = what(&endpoints, domain, certificate.as_ref(), &alpn, &names);
    Ok(connect_tls(&what).await.map_err(failed)?.stream)
}

fn what<'a>(
    endpoints: &'a [Endpoint],
    domain: &'a DomainName,
    certificate: Option<&'a LinkCertificate>,
    alpn: &'a [&'a [u8]],
    names: &'a Names,
) -> Connect<'a> {
    let (verify, guard) = (Verify::AnyCertificate, AddressGuard::AllowPrivate);
    Connect { endpoints, server_name: domain.as_str(), verify, alpn, certificate, guard, names, timeout: PATIENCE }
}

fn failed(error: ConnectError) -> anyhow::Error {
    anyhow::anyhow!(error.words(Language::English))
}

/// A frame with its length.
pub fn framed(frame: Kind) -> Bytes {
    framing::encode(&Frame { frame: Some(frame) })
}

/// A frame with its length, and with these bytes behind the message inside of it: fields that nobody knows.
pub fn framed_with(frame: Kind, more: &[u8]) -> Bytes {
    let encoded = Frame { frame: Some(frame) }.encode_to_vec();
    // One field with a length: its key, its length, the message.
    let (key, rest) = encoded.split_first().expect("a frame has a field");
    let mut inner = rest;
    let length = prost::decode_length_delimiter(&mut inner).expect("a length");
    let mut out = vec![*key];
    prost::encode_length_delimiter(length + more.len(), &mut out).expect("a vector grows");
    out.extend_from_slice(inner);
    out.extend_from_slice(more);
    with_length(&out)
}

/// Any bytes as a frame.
pub fn with_length(bytes: &[u8]) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat().into()
}

/// What kind of frame it is.
pub fn name(frame: &Kind) -> &'static str {
    match frame {
        Kind::Hello(_) => "a hello",
        Kind::Batch(_) => "a batch",
        Kind::Ack(_) => "an ack",
        Kind::Ephemeral(_) => "an ephemeral",
        Kind::Ping(_) => "a ping",
        Kind::Pong(_) => "a pong",
        Kind::Close(_) => "a close",
        Kind::Ask(_) => "a question",
        Kind::Answer(_) => "an answer",
        Kind::Note(_) => "a note",
    }
}

/// # Errors
/// If an error has more, or longer, parts than chapter 3 §11 allows.
pub fn within_limits(error: &pb::Error) -> anyhow::Result<()> {
    let texts = error.params.iter().flat_map(|(name, value)| [name, value]).chain([&error.code]);
    let longest = texts.map(String::len).max().unwrap_or(0);
    ensure!(!error.code.is_empty(), "an error without a code");
    ensure!(error.params.len() <= LINK_ERROR_PARAMS_MAX, "an error with {} parameters: {error:?}", error.params.len());
    ensure!(longest <= LINK_ERROR_TEXT_BYTES_MAX, "an error with a text of {longest} bytes: {}", error.code);
    Ok(())
}
