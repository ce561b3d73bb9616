//! What a client should not send, and too much of it.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use startalk_gateway::{Limits, check};
use startalk_protocol::{
    framing,
    limits::{CLIENT_FRAME_BYTES_MAX, OUTSTANDING_MAX},
    pb::client::{self as pb, client_frame::Frame as Asked, server_frame::Frame},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Node, content, quick_limits};

#[tokio::test]
async fn frames_that_cannot_be_followed_end_the_session_with_a_reason() {
    let node = Node::start();
    let oversize = u32::try_from(CLIENT_FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
    let garbage = [&5u32.to_be_bytes()[..], &[0xff; 5]].concat();
    let unknown_kind = framing::encode(&pb::ClientFrame { id: 1, frame: None }).to_vec();
    let no_id = framing::encode(&pb::ClientFrame { id: 0, frame: Some(Asked::Ping(pb::Ping {})) }).to_vec();
    for (bytes, expected) in [(oversize, "too-large"), (garbage, "malformed"), (unknown_kind, "malformed"), (no_id, "malformed")]
    {
        let mut client = node.greeted().await;
        client.stream.write_all(&bytes).await.unwrap();
        let said = client.expect("the error", |f| if let Frame::Error(e) = f { Some(e.code.clone()) } else { None });
        assert_eq!(said.await, expected);
        assert_eq!(client.closed().await, expected);
    }
    let mut client = node.greeted().await;
    client.ask(Asked::Hello(pb::Hello { version_min: 1, version_max: 1, ..Default::default() })).await.unwrap_err();
    assert_eq!(client.closed().await, "malformed");
}

#[tokio::test]
async fn no_more_is_read_than_may_be_outstanding() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let mut alice = node.client("alice").await;
    // The write loop is kept busy, so that no answer comes.
    let (release, wait) = std::sync::mpsc::channel::<()>();
    node.handle.submit(startalk_domain::Command::MoveMarks { marks: Vec::new() }, move |_| {
        let _ = wait.recv();
    });
    while node.handle.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let mut frames = Vec::new();
    for n in 1..=200u64 {
        let send = pb::Send { to: "bob".into(), counter: n, content: content("x"), ..Default::default() };
        frames.extend_from_slice(&framing::encode(&pb::ClientFrame { id: 1000 + n, frame: Some(Asked::Send(send)) }));
    }
    alice.stream.write_all(&frames).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(node.handle.waiting(), OUTSTANDING_MAX);
    release.send(()).unwrap();
    let mut sent = Vec::new();
    while sent.len() < 200 {
        if let Some(Frame::Sent(s)) = alice.read().await.unwrap().frame {
            sent.push(s.sequence);
        }
    }
    assert_eq!(sent, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_does_not_read_answers_is_not_read_either() {
    let node = Node::start();
    node.account("alice");
    let mut alice = node.client("alice").await;
    let request = framing::encode(&pb::ClientFrame { id: 9, frame: Some(Asked::ListDevices(pb::ListDevices {})) });
    let flood: Vec<u8> = request.iter().copied().cycle().take(request.len() * 100_000).collect();
    let taken = tokio::time::timeout(Duration::from_millis(500), alice.stream.write_all(&flood)).await;
    assert!(taken.is_err(), "the flood was not taken");
}

#[tokio::test]
async fn silence_ends_a_session() {
    let node = Node::with(|c| c.limits = Limits { idle: Duration::from_millis(200), ..quick_limits() });
    let mut client = node.greeted().await;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.ask(Asked::Ping(pb::Ping {})).await.unwrap();
    }
    assert_eq!(client.closed().await, "idle-timeout");
}

#[tokio::test]
async fn an_address_and_an_account_have_so_many_connections() {
    let node = Node::with(|c| c.limits = Limits { connections_per_address: 3, sessions_per_account: 2, ..quick_limits() });
    node.account("alice");
    let _one = node.client("alice").await;
    let _two = node.client("alice").await;
    let mut three = node.greeted().await;
    assert_eq!(three.sign_in("alice", crate::support::PASSWORD).await.unwrap_err().code, "too-many");
    assert_eq!(three.closed().await, "too-many");
    drop(three);
    let _three = node.connect();
    while node.gateway.connections() < 3 {
        tokio::task::yield_now().await;
    }
    assert!(node.connect().read().await.is_none());
    node.connect_from([127, 0, 0, 1].into(), 4096).hello().await;
}

/// A small generator: the same bytes on every machine.
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match self.below(5) {
                _ if bytes.is_empty() => bytes.push(self.next() as u8),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.next() as u8,
                2 => bytes.truncate(at),
                3 => {
                    let piece = bytes[at..].to_vec();
                    bytes.extend_from_slice(&piece[..piece.len().min(300)]);
                }
                _ => bytes.insert(at, self.next() as u8),
            }
        }
    }
}

/// Frames of every kind, in both framings.
fn samples() -> Vec<Vec<u8>> {
    let text = content("hello");
    let asked = vec![
        Asked::Hello(pb::Hello { version_min: 1, version_max: 1, client: "x".into(), language: "zh".into() }),
        Asked::SignIn(pb::SignIn { name: "alice".into(), password: "correct horse".into(), device_name: "d".into() }),
        Asked::Resume(pb::Resume { token: Bytes::from(vec![7; 32]) }),
        Asked::Sync(pb::Sync { cursor: Bytes::from(vec![9; 64]) }),
        Asked::Send(pb::Send {
            to: "bob".into(),
            counter: 1,
            content: text.clone(),
            reply_to: Bytes::from(vec![1; 16]),
            ..Default::default()
        }),
        Asked::Edit(pb::Edit { conversation: 3, sequence: 1, counter: 2, content: text }),
        Asked::Mark(pb::Mark { conversation: 3, delivered: 1, read: 1 }),
        Asked::History(pb::History { conversation: 3, before: 9, after: 0, limit: 5 }),
        Asked::Block(pb::Block { user: "@far.example".into(), blocked: true }),
        Asked::SetProfile(pb::SetProfile { display_name: "A".into(), avatar: "b".into(), signature: "c".into() }),
    ];
    let mut all = Vec::new();
    for (id, frame) in asked.into_iter().enumerate() {
        let frame = pb::ClientFrame { id: id as u64 + 1, frame: Some(frame) };
        all.push(framing::encode(&frame).to_vec());
        let payload = frame.encode_to_vec();
        let mut socket = vec![0x82, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        assert!(payload.len() < 126);
        socket.extend_from_slice(&payload);
        all.push(socket);
    }
    all
}

#[test]
fn mutated_bytes_never_panic_the_decoder() {
    let samples = samples();
    for seed in 1..=5_000u64 {
        let mut bits = Bits(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes: Vec<u8> = (0..1 + bits.below(3)).flat_map(|_| samples[bits.below(samples.len())].clone()).collect();
        bits.mutate(&mut bytes);
        check(&bytes);
    }
}

#[tokio::test]
async fn mutated_frames_never_take_a_session_or_the_node_down() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let mut token = node.client("alice").await.me.token;
    let samples: Vec<Vec<u8>> = samples().into_iter().step_by(2).collect();
    for seed in 1..=300u64 {
        let mut bits = Bits(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut client = node.greeted().await;
        if client.resume(&token).await.is_err() {
            client.sign_in("alice", crate::support::PASSWORD).await.unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            token = client.me.token.clone();
        }
        for _ in 0..20 {
            let mut bytes = samples[bits.below(samples.len())].clone();
            bits.mutate(&mut bytes);
            if client.stream.write_all(&bytes).await.is_err() {
                break;
            }
        }
        client.stream.shutdown().await.ok();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), client.stream.read_to_end(&mut rest))
            .await
            .unwrap_or_else(|_| panic!("seed {seed}: stuck"));
    }
    let mut bob = node.client("bob").await;
    bob.sync(&Bytes::new()).await;
}
