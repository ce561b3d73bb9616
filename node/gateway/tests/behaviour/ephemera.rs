//! Typing and presence across domains: what leaves by [`RemoteEphemera`] and what comes in.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use startalk_gateway::RemoteEphemera;
use startalk_protocol::{
    AccountName, UserId,
    pb::client::{self as pb, client_frame::Frame as Asked, server_frame::Frame},
};

use crate::support::{Node, code};

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl RemoteEphemera for Told {
    fn typing(&self, from: &AccountName, to: &UserId, typing: bool) {
        self.0.lock().unwrap().push(format!("{from} typing {typing} to {to}"));
    }
    fn presence(&self, from: &AccountName, to: &UserId, state: &str) {
        self.0.lock().unwrap().push(format!("{from} {state} to {to}"));
    }
}

#[tokio::test]
async fn typing_goes_out_and_comes_in() {
    let told = Told::default();
    let remote = told.clone();
    let node = Node::with(move |c| c.remote = Arc::new(remote));
    node.account("alice");
    let mut alice = node.client("alice").await;
    alice.sync(&Bytes::new()).await;
    let conversation = alice.send("bob@far.example", "hello").await.unwrap().conversation;
    let typing = |typing| Asked::Typing(pb::Typing { conversation, typing });
    for (ms, on) in [(0, true), (100, true), (1000, true), (0, false), (0, false)] {
        node.advance(ms);
        assert_eq!(code(alice.ask(typing(on)).await), "ok");
    }
    let expected = [
        "alice typing true to bob@far.example",
        "alice online to bob@far.example",
        "alice typing true to bob@far.example",
        "alice typing false to bob@far.example",
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
    told.0.lock().unwrap().clear();

    let (bob, name): (UserId, AccountName) = ("bob@far.example".parse().unwrap(), "alice".parse().unwrap());
    node.gateway.remote_typing(&bob, &name, true);
    let now = alice.expect("typing", |f| if let Frame::TypingNow(t) = f { Some(t.clone()) } else { None }).await;
    assert_eq!((now.user.as_str(), now.conversation, now.typing), ("bob@far.example", conversation, true));
    alice.pushed.clear();
    node.gateway.remote_presence(&bob, &name, "away");
    let state = alice
        .expect("presence", |f| if let Frame::Presence(p) = f { Some((p.user.clone(), p.state.clone())) } else { None })
        .await;
    assert_eq!(state, ("bob@far.example".into(), "away".into()));
    assert!(told.0.lock().unwrap().is_empty(), "it was told ours a second ago");
    node.advance(61_000);
    node.gateway.remote_presence(&bob, &name, "online");
    assert_eq!(*told.0.lock().unwrap(), ["alice online to bob@far.example"]);

    node.gateway.remote_presence(&bob, &name, "hacked");
    node.gateway.remote_typing(&"eve@far.example".parse().unwrap(), &name, true);
    alice.ask(Asked::Block(pb::Block { user: "bob@far.example".into(), blocked: true })).await.unwrap();
    alice.pushed.clear();
    node.gateway.remote_typing(&bob, &name, true);
    assert_eq!(code(alice.ask(typing(true)).await), "ok");
    assert!(!alice.pushed.iter().any(|f| matches!(f.frame, Some(Frame::TypingNow(_)))));
    assert_eq!(told.0.lock().unwrap().len(), 1);
}
