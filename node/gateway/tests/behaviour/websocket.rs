//! The same frames over WebSocket, spoken by another implementation.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, server_frame::Frame};
use tokio::io::DuplexStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use crate::support::{Node, PASSWORD, content, text};

async fn open(node: &Node, origin: Option<&str>) -> Result<WebSocketStream<DuplexStream>, u16> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let gateway = node.gateway.clone();
    tokio::spawn(async move { gateway.serve_http(theirs, [192, 0, 2, 9].into(), true).await });
    let mut request = "ws://home.example/v1/ws".into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    match client_async(request, ours).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

struct Socket(WebSocketStream<DuplexStream>, u64);

impl Socket {
    async fn ask(&mut self, asked: Asked) -> Frame {
        self.1 += 1;
        let bytes = pb::ClientFrame { id: self.1, frame: Some(asked) }.encode_to_vec();
        self.0.send(Message::binary(bytes)).await.unwrap();
        loop {
            let frame = self.read().await;
            if frame.reply_to == self.1 {
                return frame.frame.unwrap();
            }
        }
    }

    async fn read(&mut self) -> pb::ServerFrame {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Binary(bytes) => return pb::ServerFrame::decode(bytes).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn greeted(node: &Node, origin: &str) -> Self {
        let mut socket = Self(open(node, Some(origin)).await.unwrap(), 0);
        let welcome = socket.ask(Asked::Hello(pb::Hello { version_min: 1, version_max: 1, ..Default::default() })).await;
        assert!(matches!(welcome, Frame::Welcome(_)));
        socket
    }

    async fn signed_in(node: &Node, name: &str) -> Self {
        let mut socket = Self::greeted(node, "https://home.example").await;
        let sign_in = pb::SignIn { name: name.into(), password: PASSWORD.into(), device_name: "browser".into() };
        assert!(matches!(socket.ask(Asked::SignIn(sign_in)).await, Frame::SignedIn(_)));
        socket
    }
}

#[tokio::test]
async fn a_browser_chats_with_a_native_client() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let mut browser = Socket::signed_in(&node, "alice").await;
    let mut native = node.client("bob").await;
    native.sync(&Bytes::new()).await;
    assert!(matches!(browser.ask(Asked::Sync(pb::Sync::default())).await, Frame::SyncPage(p) if p.last));
    // 40 KiB: the length of the WebSocket frame takes its second form; and in pieces.
    let long = "星".repeat(13_000);
    let send = pb::Send { to: "bob".into(), counter: 1, content: content(&long), ..Default::default() };
    assert!(matches!(browser.ask(Asked::Send(send)).await, Frame::Sent(_)));
    assert_eq!(text(&native.message().await.1.content), long);
    native.send("alice", &long).await.unwrap();
    let pushed = loop {
        if let Some(Frame::Pushed(pb::Pushed { what: Some(pb::pushed::What::Message(m)), .. })) = browser.read().await.frame {
            break m;
        }
    };
    assert_eq!(text(&pushed.content), long);
    browser.0.send(Message::Ping(Bytes::from_static(b"hm"))).await.unwrap();
    let pong = loop {
        match browser.0.next().await.unwrap().unwrap() {
            Message::Binary(_) => {} // a cursor
            other => break other,
        }
    };
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"hm")));
    browser.0.close(None).await.unwrap();
    while let Some(Ok(message)) = browser.0.next().await {
        assert!(matches!(message, Message::Close(_) | Message::Binary(_)));
    }
    while node.gateway.connections() > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_before_the_end() {
    let node = Node::start();
    for (message, expected) in [
        (Message::text("hi"), "malformed"),
        (Message::binary(vec![0xff; 40]), "malformed"),
        (Message::binary(vec![0; 300_000]), "too-large"),
    ] {
        let mut socket = Socket(open(&node, None).await.unwrap(), 0);
        // Too much to take: the end may come while we are still talking.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(500), socket.0.send(message)).await;
        assert!(matches!(socket.read().await.frame, Some(Frame::Error(e)) if e.code == expected), "{expected}");
        assert!(matches!(socket.read().await.frame, Some(Frame::Close(_))));
        match socket.0.next().await {
            Some(Ok(Message::Close(Some(close)))) => assert_eq!(close.code, CloseCode::Normal),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn only_pages_over_tls_open_one() {
    let node = Node::start();
    for origin in [None, Some("https://home.example"), Some("https://other.example"), Some("https://[::1]:8443")] {
        assert!(open(&node, origin).await.is_ok(), "{origin:?}");
    }
    for origin in ["http://other.example", "null", "file://", "https://", "https://a/b", "https://a b", "chrome-extension://abc"]
    {
        assert_eq!(open(&node, Some(origin)).await.err(), Some(403), "{origin}");
    }
}

#[tokio::test]
async fn the_page_of_a_denied_domain_opens_none() {
    let node = Node::start();
    let (domain, rule) = ("evil.example".parse().unwrap(), startalk_domain::command::PeerRule::Deny);
    node.ask(startalk_domain::Command::SetPeerRule { domain, rule, forget_key: false });
    assert_eq!(open(&node, Some("https://evil.example")).await.err(), Some(403));
    assert_eq!(open(&node, Some("https://evil.example:8443")).await.err(), Some(403));
    assert!(open(&node, Some("https://not.evil.example")).await.is_ok());
}

#[tokio::test]
async fn another_servers_page_signs_in_and_makes_no_accounts() {
    let node = Node::with(|config| config.limits.sign_ins_per_foreign_host = startalk_net::Rate::new(2, 60));
    node.account("alice");
    node.registration(startalk_domain::governance::Registration::Open);
    let mut page = Socket::greeted(&node, "https://other.example").await;
    let register = pb::Register { name: "bob".into(), password: PASSWORD.into(), ..Default::default() };
    assert_eq!(code_of(page.ask(Asked::Register(register.clone())).await), "not-allowed-here");
    let recover =
        pb::Recover { name: "alice".into(), code: "aaaa-aaaa-aaaa".into(), new_password: PASSWORD.into(), ..Default::default() };
    assert_eq!(code_of(page.ask(Asked::Recover(recover)).await), "not-allowed-here");
    // Guesses by one server's page are counted together, whoever visits it; what is right is not counted.
    for name in ["x", "y"] {
        assert_eq!(code_of(page.ask(sign_in(name, "a wrong one")).await), "wrong-credentials");
    }
    assert_eq!(code_of(page.ask(sign_in("alice", PASSWORD)).await), "slow-down");
    let mut again = Socket::greeted(&node, "https://other.example").await;
    assert_eq!(code_of(again.ask(sign_in("alice", PASSWORD)).await), "slow-down");
    for _ in 0..4 {
        let mut third = Socket::greeted(&node, "https://third.example").await;
        assert!(matches!(third.ask(sign_in("alice", PASSWORD)).await, Frame::SignedIn(_)));
    }
    let mut own = Socket::greeted(&node, "https://home.example").await;
    assert!(matches!(own.ask(Asked::Register(register)).await, Frame::SignedIn(_)));
}

fn sign_in(name: &str, password: &str) -> Asked {
    Asked::SignIn(pb::SignIn { name: name.into(), password: password.into(), device_name: "browser".into() })
}

fn code_of(frame: Frame) -> String {
    match frame {
        Frame::Error(error) => error.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stop_is_said() {
    let node = Node::start();
    node.account("alice");
    let mut browser = Socket::signed_in(&node, "alice").await;
    let mut native = node.client("alice").await;
    let gateway = node.gateway.clone();
    let stop = tokio::spawn(async move { gateway.stop().await });
    assert_eq!(native.closed().await, "stopping");
    drop(native);
    assert!(
        matches!(browser.read().await.frame, Some(Frame::Close(c)) if c.error.as_ref().is_some_and(|e| e.code == "stopping"))
    );
    drop(browser);
    stop.await.unwrap();
    assert_eq!(node.gateway.connections(), 0);
    assert_eq!(node.connect().closed().await, "stopping");
}
