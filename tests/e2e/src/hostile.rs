//! A domain that does not keep to the rules: dials a node over QUIC or TLS with whatever certificate, record and frames it
//! likes, and hears what the node says to that.
//!
//! Frames are made by hand; nothing here checks what it sends.

use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use startalk_client::Duplex;
use startalk_link::{Position, batch::signed_bytes, item_hash};
use startalk_net::{
    ALPN_LINK, AddressGuard, Connect, LinkCertificate, LinkStream, Names, Verify, client_endpoint, connect_quic, connect_tls,
};
use startalk_protocol::{
    DomainName, MessageId, framing,
    limits::LINK_FRAME_BYTES_MAX,
    pb::{
        link::{self as pb, Frame, entry::Entry as WireKind, frame::Frame as Kind},
        trust::{Endpoint, LinkKey},
    },
    signing::{Purpose, SecretKey},
    trust::{CharterDraft, RecordDraft, Registration, recovery_hash, sign_charter, sign_record},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long the node may take to say something: longer than any of its own limits.
const PATIENCE: Duration = Duration::from_secs(90);

/// Over what to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// QUIC.
    Quic,
    /// TLS on TCP.
    Tls,
}

/// A key of whom nobody else knows.
pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32])
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the edge: records are signed for now")]
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A domain of its own, with a key name, that nobody has met.
pub struct Mallory {
    /// Its name.
    pub domain: DomainName,
    /// Signs its charter.
    pub root: SecretKey,
    /// Signs its records and batches.
    pub link: SecretKey,
    /// Of its outbox.
    pub epoch: [u8; 16],
}

impl Mallory {
    /// The domain with this number.
    pub fn new(number: u8) -> Self {
        let root = key(number);
        Self { domain: DomainName::of_key(&root.public()), root, link: key(number.wrapping_add(100)), epoch: [number; 16] }
    }

    /// Its true record, with this sequence.
    pub fn record(&self, sequence: u64) -> Bytes {
        let now = now_ms();
        let (not_before_ms, not_after_ms) = (now - 3_600_000, now + 24 * 3_600_000);
        let link_keys = vec![LinkKey { key: self.link.public().to_vec().into(), not_before_ms, not_after_ms }];
        let recovery_hash = recovery_hash(&key(250).public());
        let draft =
            CharterDraft { domain: self.domain.clone(), line: Vec::new(), link_keys, recovery_hash, sequence: 1, gone: false };
        let charter = sign_charter(&self.root, draft).expect("a good charter");
        let draft = RecordDraft {
            endpoints: vec![Endpoint { host: "127.0.0.1".to_owned(), port: 9 }],
            sequence,
            not_after_ms: now + 3_600_000,
            display_name: "Mallory".to_owned(),
            description: String::new(),
            listed: false,
            registration: Registration::Closed,
        };
        sign_record(&self.link, &charter, draft, now).expect("a good record").bytes().clone()
    }

    /// A hello of its own to a node that has never heard it, with everything as it should be.
    pub fn hello(&self, to: &DomainName, record: Bytes) -> pb::Hello {
        let start = Position::start(self.epoch);
        pb::Hello {
            version_min: 1,
            version_max: 1,
            from: self.domain.to_string(),
            to: to.to_string(),
            record,
            instance: Bytes::from_static(&[9; 16]),
            features: Vec::new(),
            known: Vec::new(),
            sent: Some(position(&start)),
            received: None,
        }
    }

    /// A batch as it should be.
    pub fn batch(&self, to: &DomainName, first: u64, items: &[Bytes]) -> pb::Batch {
        let hashes: Vec<[u8; 32]> = items.iter().map(|i| item_hash(i)).collect();
        let signed = signed_bytes(&self.domain, to, &self.epoch, first, &hashes);
        pb::Batch {
            submissions: None,
            epoch: self.epoch.to_vec().into(),
            first_sequence: first,
            entries: items.iter().map(|i| pb::Entry { entry: Some(WireKind::Item(i.clone())) }).collect(),
            link_key: self.link.public().to_vec().into(),
            signature: self.link.sign(Purpose::LinkBatch, &signed).to_vec().into(),
        }
    }
}

/// A message of a person there to one of the node's.
pub fn message(number: u8, from: &str, to: &str, text: &str) -> Bytes {
    let id = MessageId::new(u64::try_from(now_ms()).unwrap_or(0), 0, [number; 8]);
    let message = pb::Message { id: id.0.to_vec().into(), content: startalk_client::content::text(text), reply_to: Bytes::new() };
    let item = pb::Item {
        salt: vec![number; 16].into(),
        from: from.to_owned(),
        to: to.to_owned(),
        time_ms: now_ms(),
        kind: Some(pb::item::Kind::Message(message)),
    };
    item.encode_to_vec().into()
}

/// A position as it travels.
pub fn position(position: &Position) -> pb::StreamPosition {
    pb::StreamPosition {
        epoch: position.epoch.to_vec().into(),
        sequence: position.sequence,
        running: position.running.to_vec().into(),
    }
}

/// A connection to a node on which nothing has been said yet.
pub struct Dialed {
    stream: Stream,
    buffer: BytesMut,
}

enum Stream {
    Quic { stream: LinkStream, connection: quinn::Connection, _endpoint: quinn::Endpoint },
    Tls(Duplex),
}

impl Dialed {
    /// Connects with a certificate of this key, whoever is there.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn new(over: Over, port: u64, domain: &DomainName, certificate: &SecretKey) -> anyhow::Result<Self> {
        let (names, certificate) = (Names::system(), LinkCertificate::new(certificate)?);
        let endpoints = [Endpoint { host: "127.0.0.1".to_owned(), port: u32::try_from(port)? }];
        let what = Connect {
            endpoints: &endpoints,
            server_name: domain.as_str(),
            verify: Verify::AnyCertificate,
            alpn: &[ALPN_LINK],
            certificate: Some(&certificate),
            guard: AddressGuard::AllowPrivate,
            names: &names,
            timeout: PATIENCE,
        };
        let failed = |e: startalk_net::ConnectError| anyhow::anyhow!(e.words(startalk_client::Language::English));
        let stream = match over {
            Over::Tls => Stream::Tls(Box::new(connect_tls(&what).await.map_err(failed)?.stream)),
            Over::Quic => {
                let endpoint = client_endpoint()?;
                let connection = connect_quic(&endpoint, &what).await.map_err(failed)?.connection;
                Stream::Quic { stream: LinkStream::open(&connection).await?, connection, _endpoint: endpoint }
            }
        };
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    /// Says bytes. That the node has closed the connection is no error: what it said is still to be heard.
    pub async fn say_bytes(&mut self, bytes: Bytes) {
        let _ = match &mut self.stream {
            Stream::Quic { stream, .. } => stream.write(bytes).await,
            Stream::Tls(stream) => stream.write_all(&bytes).await.and(stream.flush().await),
        };
    }

    /// Says a frame.
    pub async fn say(&mut self, frame: Kind) {
        self.say_bytes(framing::encode(&Frame { frame: Some(frame) })).await;
    }

    /// The next frame; `None` when the node has closed the connection.
    ///
    /// # Errors
    /// If the node says nothing and closes nothing.
    pub async fn hear(&mut self) -> anyhow::Result<Option<Kind>> {
        loop {
            if let Some(frame) = framing::take(&mut self.buffer, LINK_FRAME_BYTES_MAX)? {
                let frame: Frame = framing::decode(frame, "frame")?;
                return Ok(Some(frame.frame.context("an empty frame")?));
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
    /// As [`Dialed::hear`].
    pub async fn closed_with(&mut self) -> anyhow::Result<String> {
        while let Some(frame) = self.hear().await? {
            if let Kind::Close(close) = frame {
                return Ok(close.error.unwrap_or_default().code);
            }
        }
        Ok(String::new())
    }

    /// Hears on until the node has said hello, and returns it.
    ///
    /// # Errors
    /// If it says something else.
    pub async fn welcomed(&mut self) -> anyhow::Result<pb::Hello> {
        match self.hear().await? {
            Some(Kind::Hello(hello)) => Ok(hello),
            other => anyhow::bail!("expected a hello, heard {other:?}"),
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
