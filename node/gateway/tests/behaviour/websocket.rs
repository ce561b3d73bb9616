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

    async fn signed_in(node: &Node, name: &str) -> Self {
        let mut socket = Self(open(node, Some("https://home.example")).await.unwrap(), 0);
        let welcome = socket.ask(Asked::Hello(pb::Hello { version_min: 1, version_max: 1, ..Default::default() })).await;
        assert!(matches!(welcome, Frame::Welcome(_)));
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
async fn pages_of_others_open_none() {
    let node = Node::start();
    assert_eq!(open(&node, Some("https://evil.example")).await.err(), Some(403));
    assert!(open(&node, None).await.is_ok());
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
