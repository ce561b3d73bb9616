//! What idle connections cost: the guard against a standing buffer that nobody meant to have (a WebSocket library's
//! default of 128 KiB each, or whatever once carried a large frame). Counted as resident memory of this process, which
//! is why the test has one to itself. docs/design.md §6

use std::{net::IpAddr, sync::Arc, time::Duration};

use prost::Message as _;
use startalk_domain::{
    Command,
    command::{Admission, Target},
    context::Random,
    store::Store,
};
use startalk_gateway::{Gateway, GatewayConfig, PasswordCost, secrets};
use startalk_journal::{Journal, Options, fault::FaultDisk};
use startalk_protocol::{
    framing,
    pb::{
        client::{self as pb, client_frame::Frame as Asked, server_frame::Frame},
        content::{Block, Content, Inline, Text, content::Kind},
    },
};
use startalk_sequencer::{Handle, Sequencer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const CONNECTIONS: usize = 500;
/// Bytes that one idle connection may cost here, its in-memory pipe included; TLS comes on top, buffers may not.
const BYTES_MAX: usize = 12 * 1024;
/// The pipe's buffers are taken as needed, up to this.
const PIPE: usize = 4096;

struct Zigzag(u8);

impl Random for Zigzag {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(13).wrapping_add(7);
            *byte = self.0;
        }
    }
}

fn node() -> Gateway {
    let journal =
        Journal::create(FaultDisk::new().arc(), [1; 16], Options { segment_bytes: 4 << 20, ..Options::default() }).unwrap();
    let views = startalk_sequencer::views(Store::temporary().unwrap(), Arc::new(journal.reader()));
    let domain: startalk_protocol::DomainName = "home.example".parse().unwrap();
    let mut sequencer = Sequencer::open(journal, views.clone(), domain.clone(), |_, _| {}).unwrap();
    sequencer.set_reserve(0);
    let handle = Handle::new();
    let mut config = GatewayConfig::new(domain, views, handle.clone(), [7; 32], "https://home.example");
    config.passwords = PasswordCost::CHEAP;
    config.limits.sessions_per_account = 10_000;
    config.limits.connections_per_address = 10_000;
    let gateway = Gateway::new(config);
    let (pushes, work) = (gateway.clone(), handle.clone());
    std::thread::spawn(move || {
        let mut now_ms = 1_800_000_000_000;
        while let Some(mut batch) = work.take(Duration::from_millis(50)) {
            while !batch.is_empty() {
                now_ms += 1;
                let records = sequencer.step(&mut batch, now_ms, &mut Zigzag(1)).unwrap();
                pushes.committed(&records);
            }
        }
    });
    handle.submit(Command::Begin { root_key: [3; 32] }, |r| assert!(r.is_ok()));
    let (tx, rx) = std::sync::mpsc::channel();
    let account = Command::CreateAccount {
        name: "alice".parse().unwrap(),
        display_name: String::new(),
        password_hash: secrets::hash_password("correct horse", [1; 16], PasswordCost::CHEAP).unwrap(),
        recovery_hashes: Vec::new(),
        admission: Admission::Operator { administrator: false },
        device: Some(startalk_domain::command::NewDevice { name: String::new(), token_hash: secrets::token_hash(&[5; 32]) }),
    };
    let made = tx.clone();
    handle.submit(account, move |r| made.send(r.is_ok()).unwrap());
    assert!(rx.recv().unwrap());
    // Notes to oneself: every sync carries a page of 120 KB, of which nothing may stay.
    for counter in 1..=2 {
        let actor = startalk_domain::Actor { account: 1, device: 1 };
        let to = Target::User("alice@home.example".parse().unwrap());
        let content = content(&"x".repeat(60_000));
        let sent = tx.clone();
        let send = Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None };
        handle.submit(send, move |r| sent.send(r.is_ok()).unwrap());
        assert!(rx.recv().unwrap());
    }
    gateway
}

fn content(text: &str) -> bytes::Bytes {
    let inline = Inline { text: text.into(), ..Default::default() };
    let block = Block { inlines: vec![inline], ..Default::default() };
    Content { fallback: String::new(), kind: Some(Kind::Text(Text { blocks: vec![block] })), ..Content::default() }
        .encode_to_vec()
        .into()
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Hello, resume, sync: what a client says first.
fn opening() -> Vec<pb::ClientFrame> {
    let asked = [
        Asked::Hello(pb::Hello { version_min: 1, version_max: 1, ..Default::default() }),
        Asked::Resume(pb::Resume { token: vec![5; 32].into() }),
        Asked::Sync(pb::Sync::default()),
    ];
    asked.into_iter().zip(1..).map(|(frame, id)| pb::ClientFrame { id, frame: Some(frame) }).collect()
}

async fn native(gateway: &Gateway, from: IpAddr) -> DuplexStream {
    let (mut ours, theirs) = tokio::io::duplex(PIPE);
    let gateway = gateway.clone();
    tokio::spawn(async move { gateway.serve_frames(theirs, from, startalk_gateway::Transport::Tls).await });
    for frame in opening() {
        ours.write_all(&framing::encode(&frame)).await.unwrap();
    }
    loop {
        let mut length = [0; 4];
        ours.read_exact(&mut length).await.unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        ours.read_exact(&mut frame).await.unwrap();
        if is_last(&frame) {
            return ours;
        }
    }
}

async fn browser(gateway: &Gateway, from: IpAddr) -> DuplexStream {
    let (mut ours, theirs) = tokio::io::duplex(PIPE);
    let gateway = gateway.clone();
    tokio::spawn(async move { gateway.serve_http(theirs, from, true).await });
    let request = "GET /v1/ws HTTP/1.1\r\nHost: home.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    ours.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(ours.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    for frame in opening() {
        let payload = frame.encode_to_vec();
        let mut bytes = vec![0x82, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        bytes.extend(payload);
        ours.write_all(&bytes).await.unwrap();
    }
    loop {
        assert_eq!(ours.read_u8().await.unwrap(), 0x82);
        let length = match ours.read_u8().await.unwrap() {
            126 => ours.read_u16().await.unwrap().into(),
            127 => usize::try_from(ours.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut frame = vec![0; length];
        ours.read_exact(&mut frame).await.unwrap();
        if is_last(&frame) {
            return ours;
        }
    }
}

fn is_last(frame: &[u8]) -> bool {
    let frame = pb::ServerFrame::decode(frame).unwrap().frame;
    assert!(!matches!(&frame, Some(Frame::Error(_) | Frame::Close(_))), "{frame:?}");
    let Some(Frame::SyncPage(page)) = frame else { return false };
    assert!(page.last && page.conversations.len() == 1, "one conversation in one page");
    true
}

#[tokio::test]
async fn an_idle_connection_keeps_no_buffers() {
    let gateway = node();
    let from: IpAddr = [192, 0, 2, 1].into();
    // What is made once (the router, pools of threads, the allocator's own) is not counted.
    let mut warm = Vec::new();
    for _ in 0..50 {
        warm.push(native(&gateway, from).await);
        warm.push(browser(&gateway, from).await);
    }
    for (what, is_browser) in [("TLS frames", false), ("WebSocket", true)] {
        let before = resident();
        let mut kept = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            kept.push(if is_browser { browser(&gateway, from).await } else { native(&gateway, from).await });
        }
        let each = resident().saturating_sub(before) / CONNECTIONS;
        println!("{what}: {each} bytes for each idle connection");
        assert!(each <= BYTES_MAX, "{what}: {each} bytes for each idle connection, at most {BYTES_MAX}");
        warm.append(&mut kept);
    }
}
