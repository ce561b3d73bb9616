//! `/files` over real sockets: a node with media on a folder, and HTTP/1.1 written out byte by byte.

mod access;
mod reading;
mod uploads;

use std::{net::SocketAddr, ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::Value;
use startalk_domain::Command;
use startalk_media::{Domain, Media, MediaConfig, StoreConfig, WorkerProgram};
use startalk_protocol::Code;
use startalk_sequencer::Handle;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Client, Node};

/// How long a test waits for what must come; it fails on nothing but that.
const WAIT: Duration = Duration::from_secs(30);

/// A node that is listened at.
pub struct Served {
    node: Node,
    address: SocketAddr,
    root: tempfile::TempDir,
}

impl Deref for Served {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.node
    }
}

fn media(root: PathBuf, views: startalk_domain::Views, handle: Handle, clock: startalk_media::Clock) -> Media {
    let submit = move |command: Command| -> startalk_media::Later<_> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        handle.submit(command, move |result| drop(reply.send(result)));
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(Code::Stopping.into())) })
    };
    let counter = std::sync::atomic::AtomicU64::new(0);
    Media::start(MediaConfig {
        folder: root,
        store: StoreConfig::Disk,
        ledger: Arc::new(Domain { views, submit: Arc::new(submit) }),
        // No picture is uploaded here: what is made of them is tested where it is made.
        worker: WorkerProgram { program: "/nonexistent".into(), args: Vec::new(), patience: WAIT },
        clock,
        random: Arc::new(move |out: &mut [u8]| {
            let hash = blake3::hash(&counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_be_bytes());
            out.copy_from_slice(&hash.as_bytes()[..out.len()]);
        }),
        outbound: None,
        reserve_bytes: 0,
        sweeps: false,
    })
    .unwrap()
}

impl Served {
    pub async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("files");
        let node = Node::with(|config| {
            config.media = Some(media(folder, config.views.clone(), config.handle.clone(), config.clock.clone()));
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, gateway) = (listener.local_addr().unwrap(), node.gateway.clone());
        tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let gateway = gateway.clone();
                tokio::spawn(async move { gateway.serve_http(stream, from.ip(), true).await });
            }
        });
        Self { node, address, root }
    }

    /// A new account's new device.
    pub async fn person(&self, name: &str) -> Person {
        let account = self.node.account(name);
        self.device(account, name).await
    }

    /// Another device of an account.
    pub async fn device(&self, account: u64, name: &str) -> Person {
        let client = self.node.client(name).await;
        Person { account, device: client.me.device, token: client.me.token.clone(), client }
    }

    /// Sends what is given, and reads until the other side closes.
    pub async fn raw(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // The other side may have said no and closed before it took everything.
        let _ = stream.write_all(body).await;
        read(&mut stream).await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A request with these further headers, each ended by CR LF.
    pub async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.raw(&head(method, path, headers, body.len()), body).await
    }

    pub async fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask("GET", path, headers, b"").await
    }

    /// Begins an upload; its address.
    pub async fn begin(&self, person: &Person, name: &str, size: usize) -> String {
        let said = format!(
            "{}Upload-Length: {size}\r\nUpload-Metadata: filename {}\r\n",
            person.bearer(),
            BASE64.encode(name.as_bytes())
        );
        let answer = self.ask("POST", "/files/uploads", &said, b"").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("location").to_owned()
    }

    pub async fn patch(&self, person: &Person, place: &str, offset: usize, bytes: &[u8]) -> Answer {
        self.ask("PATCH", place, &patching(person, offset), bytes).await
    }

    /// Uploads; the hash.
    pub async fn upload(&self, person: &Person, name: &str, bytes: &[u8]) -> String {
        let place = self.begin(person, name, bytes.len()).await;
        if !bytes.is_empty() {
            assert_eq!(self.patch(person, &place, 0, bytes).await.status, 204);
        }
        let told = self.get(&place, &person.bearer()).await.json();
        assert_eq!(told["state"], "ready", "{told}");
        told["file"]["hash"].as_str().unwrap().to_owned()
    }

    /// Where an upload stands.
    pub async fn offset(&self, person: &Person, place: &str) -> usize {
        let answer = self.ask("HEAD", place, &person.bearer(), b"").await;
        answer.header("upload-offset").parse().unwrap()
    }

    /// Asks again until it stands there.
    pub async fn stands_at(&self, person: &Person, place: &str, offset: usize) {
        let reached = async {
            while self.offset(person, place).await != offset {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WAIT, reached).await.expect("the upload gets there");
    }

    /// Files in media's folder.
    pub fn staged(&self) -> usize {
        std::fs::read_dir(self.root.path().join("files/uploads")).unwrap().count()
    }
}

pub fn head(method: &str, path: &str, headers: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: home.example\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n")
}

pub fn patching(person: &Person, offset: usize) -> String {
    format!("{}Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n", person.bearer())
}

/// Somebody's device.
pub struct Person {
    pub account: u64,
    pub device: u64,
    pub token: Bytes,
    pub client: Client,
}

impl Person {
    pub fn bearer(&self) -> String {
        bearer(&BASE64URL_NOPAD.encode(&self.token))
    }

    /// Where one's own file is.
    pub fn own(&self, hash: &str, name: &str) -> String {
        format!("/files/{}/own/{hash}/{name}", self.device)
    }
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Of an error.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Reads to the end of the connection.
pub async fn read(stream: &mut TcpStream) -> Answer {
    let (mut answer, rest) = read_head(stream).await;
    answer.body = rest;
    let length = answer.header("content-length").parse::<usize>().ok();
    let all = tokio::time::timeout(WAIT, stream.read_to_end(&mut answer.body)).await.expect("an end");
    if length.is_none_or(|length| length > answer.body.len()) {
        all.unwrap();
    }
    answer
}

/// Reads a head; and what came with it.
pub async fn read_head(stream: &mut TcpStream) -> (Answer, Vec<u8>) {
    let (mut input, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = input.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        let read = tokio::time::timeout(WAIT, stream.read(&mut piece)).await.expect("a head").unwrap();
        assert!(read > 0, "the end came before a head: {}", String::from_utf8_lossy(&input));
        input.extend_from_slice(&piece[..read]);
    };
    let text = std::str::from_utf8(&input[..end]).unwrap();
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|l| l.split_once(": ").unwrap()).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).collect();
    let rest = input[end + 4..].to_vec();
    (Answer { status, headers, body: Vec::new() }, rest)
}

/// Bytes that differ from place to place.
pub fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut out);
    out
}
