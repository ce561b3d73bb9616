//! Talking: messages, resending, edits and recalls, history, marks, typing, presence, blocking.

use bytes::Bytes;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, pushed::What, server_frame::Frame};

use crate::support::{Client, Node, code, content, text};

async fn two(node: &Node) -> (Client, Client) {
    node.account("alice");
    node.account("bob");
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    alice.sync(&Bytes::new()).await;
    bob.sync(&Bytes::new()).await;
    (alice, bob)
}

async fn history(client: &mut Client, request: pb::History) -> pb::Page {
    match client.ask(Asked::History(request)).await {
        Ok(Frame::Page(page)) => page,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_accounts_chat_and_own_devices_follow() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let mut tablet = node.client("alice").await;
    tablet.sync(&Bytes::new()).await;
    let sent = alice.send("bob", "hello").await.unwrap();
    let (conversation, message) = bob.message().await;
    assert_eq!((conversation, message.sequence, &message.id), (sent.conversation, sent.sequence, &sent.id));
    assert_eq!((message.author.as_str(), text(&message.content).as_str()), ("alice@home.example", "hello"));
    assert_eq!((message.device, message.counter), (0, 0), "where it came from is nobody else's business");
    let (_, own) = tablet.message().await;
    assert_eq!((own.device, own.counter), (alice.me.device, 1));
    let reply = pb::Send { conversation, counter: 1, content: content("hi"), reply_to: sent.id, ..Default::default() };
    bob.counter = 1;
    let second = bob.send_frame(reply).await.unwrap();
    assert_eq!(second.sequence, sent.sequence + 1);
    assert_eq!(alice.message().await.1.reply_to, message.id);
    assert!(!alice.pushed.iter().any(|f| matches!(&f.frame, Some(Frame::Pushed(p)) if matches!(p.what, Some(What::Message(_))))));
}

#[tokio::test]
async fn the_same_command_again_gets_the_same_answer_and_is_one_message() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let send = alice.said("bob", "once");
    let first = alice.send_frame(send.clone()).await.unwrap();
    let mut again = node.resumed(&alice.me.token).await;
    assert_eq!(again.me.counter, 1);
    assert_eq!(again.send_frame(send.clone()).await.unwrap(), first);
    let other = pb::Send { content: content("twice"), ..send };
    assert_eq!(code(again.send_frame(other).await), "conflict");
    assert_eq!(text(&bob.message().await.1.content), "once");
    bob.quiet().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_said() {
    let node = Node::start();
    let (mut alice, _bob) = two(&node).await;
    assert_eq!(code(alice.send("nobody", "?").await), "no-such-user");
    assert_eq!(code(alice.send("not a name", "?").await), "bad-value");
    let mut send = alice.said("bob", "?");
    send.conversation = 3;
    assert_eq!(code(alice.send_frame(send).await), "bad-value");
    let send = pb::Send { conversation: 999, counter: 77, content: content("?"), ..Default::default() };
    assert_eq!(code(alice.send_frame(send).await), "no-such-conversation");
    let send = pb::Send { to: "bob".into(), counter: 78, content: Bytes::from_static(b"\xff\xff"), ..Default::default() };
    assert_eq!(code(alice.send_frame(send).await), "malformed");
}

#[tokio::test]
async fn edits_and_recalls_reach_everybody() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let sent = alice.send("bob", "helo").await.unwrap();
    bob.message().await;
    let (conversation, sequence) = (sent.conversation, sent.sequence);
    let edit = pb::Edit { conversation, sequence, counter: 2, content: content("hello") };
    assert_eq!(code(alice.ask(Asked::Edit(edit.clone())).await), "ok");
    let changed = bob.changed().await;
    assert_eq!((changed.sequence, text(&changed.content).as_str()), (sequence, "hello"));
    assert!(changed.edited_ms > 0);
    assert_eq!(code(bob.ask(Asked::Edit(pb::Edit { counter: 1, ..edit })).await), "forbidden");
    let recall = Asked::Recall(pb::Recall { conversation, sequence, counter: 3 });
    assert_eq!(code(alice.ask(recall).await), "ok");
    let changed = bob.changed().await;
    assert_eq!((changed.recalled, changed.content.len()), (true, 0));
    let page = history(&mut bob, pb::History { conversation, ..Default::default() }).await;
    assert_eq!((page.messages.len(), page.head, page.messages[0].recalled), (1, 3, true));
    assert_eq!(alice.changed().await.counter, 1, "one's own device hears it too");
}

#[tokio::test]
async fn history_goes_both_ways() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let conversation = alice.send("bob", "1").await.unwrap().conversation;
    for n in 2..=120 {
        alice.send("bob", &n.to_string()).await.unwrap();
    }
    let ask = |before, after, limit| pb::History { conversation, before, after, limit };
    let sequences = |page: &pb::Page| page.messages.iter().map(|m| m.sequence).collect::<Vec<_>>();
    let newest = history(&mut bob, ask(0, 0, 0)).await;
    assert_eq!(sequences(&newest), (71..=120).collect::<Vec<_>>());
    assert_eq!((newest.first, newest.last, newest.head), (71, 120, 120));
    let older = history(&mut bob, ask(newest.first, 0, 70)).await;
    assert_eq!(sequences(&older), (1..=70).collect::<Vec<_>>());
    assert_eq!(sequences(&history(&mut bob, ask(0, 118, 10)).await), [119, 120]);
    assert_eq!(sequences(&history(&mut bob, ask(1, 0, 10)).await), [0u64; 0]);
    assert_eq!(sequences(&history(&mut bob, ask(0, 120, 10)).await), [0u64; 0]);
    assert_eq!(history(&mut bob, ask(0, 0, 9999)).await.messages.len(), 120);
    assert_eq!(code(bob.ask(Asked::History(ask(5, 5, 1))).await), "bad-value");
    node.account("carol");
    let mut carol = node.client("carol").await;
    assert_eq!(code(carol.ask(Asked::History(ask(0, 0, 1))).await), "no-such-conversation");
}

async fn marks(client: &mut Client) -> (String, u64, u64) {
    client
        .expect("marks", |f| match f {
            Frame::Pushed(pb::Pushed { what: Some(What::Marks(m)), .. }) => Some((m.user.clone(), m.delivered, m.read)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn marks_are_told_at_once_and_kept() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let mut second = node.client("bob").await;
    second.sync(&Bytes::new()).await;
    let conversation = alice.send("bob", "1").await.unwrap().conversation;
    alice.send("bob", "2").await.unwrap();
    let mark = |delivered, read| Asked::Mark(pb::Mark { conversation, delivered, read });
    assert_eq!(code(bob.ask(mark(2, 1)).await), "ok");
    let expected = ("bob@home.example".to_owned(), 2, 1);
    assert_eq!(marks(&mut alice).await, expected);
    assert_eq!(marks(&mut second).await, expected);
    assert_eq!(code(bob.ask(mark(1, 0)).await), "ok", "marks only grow");
    assert_eq!(code(bob.ask(mark(99, 99)).await), "ok", "not beyond the head");
    loop {
        let (user, delivered, read) = marks(&mut alice).await;
        assert!(delivered <= 2 && user == "bob@home.example");
        if read == 2 {
            break;
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let mut fresh = node.client("alice").await;
    let pages = fresh.sync(&Bytes::new()).await;
    let info = pages[0].conversations[0].conversation.clone().unwrap();
    let peer = info.peer.unwrap();
    assert_eq!((peer.user.as_str(), peer.display_name.as_str(), peer.delivered, peer.read), ("bob@home.example", "BOB", 2, 2));
    assert_eq!(code(bob.ask(Asked::Mark(pb::Mark { conversation: 999, ..Default::default() })).await), "no-such-conversation");
}

#[tokio::test]
async fn typing_is_told_to_the_other_unless_blocked() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let conversation = alice.send("bob", "1").await.unwrap().conversation;
    let typing = |typing| Asked::Typing(pb::Typing { conversation, typing });
    for on in [true, false] {
        assert_eq!(code(alice.ask(typing(on)).await), "ok");
        let told = bob.expect("typing", |f| if let Frame::TypingNow(t) = f { Some(t.clone()) } else { None }).await;
        assert_eq!((told.user.as_str(), told.typing, told.conversation), ("alice@home.example", on, conversation));
    }
    let block = |blocked| Asked::Block(pb::Block { user: "alice@home.example".into(), blocked });
    assert_eq!(code(bob.ask(block(true)).await), "ok");
    let blocked = bob.expect("the block", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Info(i)), .. }) => Some(i.blocked).filter(|b| *b),
        _ => None,
    });
    assert!(blocked.await);
    bob.pushed.clear();
    node.advance(10_000);
    assert_eq!(code(alice.ask(typing(true)).await), "ok", "the blocked are not told");
    assert_eq!(code(alice.send("bob", "?").await), "blocked");
    bob.quiet().await;
    let listed = bob.ask(Asked::ListBlocked(pb::ListBlocked {})).await;
    assert!(matches!(listed, Ok(Frame::Blocked(b)) if b.users == ["alice@home.example"]));
    assert_eq!(code(bob.ask(block(false)).await), "ok");
    assert_eq!(code(bob.ask(Asked::Block(pb::Block { user: "@home.example".into(), blocked: true })).await), "not-allowed-here");
}

async fn presence(client: &mut Client) -> (String, String) {
    client.expect("presence", |f| if let Frame::Presence(p) = f { Some((p.user.clone(), p.state.clone())) } else { None }).await
}

#[tokio::test]
async fn presence_is_told_to_partners() {
    let node = Node::start();
    let (mut alice, bob) = two(&node).await;
    alice.send("bob", "1").await.unwrap();
    drop(bob);
    let mut bob = node.client("bob").await;
    bob.sync(&Bytes::new()).await;
    assert_eq!(presence(&mut bob).await, ("alice@home.example".into(), "online".into()));
    assert_eq!(code(bob.ask(Asked::SetPresence(pb::SetPresence { state: "dnd".into() })).await), "ok");
    while presence(&mut alice).await != ("bob@home.example".to_owned(), "dnd".to_owned()) {}
    assert_eq!(code(bob.ask(Asked::SetPresence(pb::SetPresence { state: "sleepy".into() })).await), "bad-value");
    let mut carol = {
        node.account("carol");
        node.client("carol").await
    };
    carol.sync(&Bytes::new()).await;
    carol.quiet().await;
}

#[tokio::test]
async fn profiles_are_told_and_asked_for() {
    let node = Node::start();
    let (mut alice, mut bob) = two(&node).await;
    let opened = alice.ask(Asked::OpenConversation(pb::OpenConversation { user: "bob".into() })).await;
    let Ok(Frame::Conversation(opened)) = opened else { panic!("{opened:?}") };
    assert_eq!(opened.peer.unwrap().user, "bob@home.example");
    let set = pb::SetProfile { display_name: "Alice 爱丽丝".into(), signature: "hm".into(), ..Default::default() };
    assert_eq!(code(alice.ask(Asked::SetProfile(set)).await), "ok");
    let told = bob.expect("a profile", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Profile(p)), .. }) => Some(p.clone()),
        _ => None,
    });
    let told = told.await;
    assert_eq!((told.user.as_str(), told.display_name.as_str(), told.revision), ("alice@home.example", "Alice 爱丽丝", 1));
    let asked = bob.ask(Asked::GetProfile(pb::GetProfile { user: "alice@home.example".into() })).await;
    assert!(
        matches!(asked, Ok(Frame::Profile(p)) if pb::Profile { presence: None, ..p.clone() } == told && p.presence.is_some())
    );
    assert_eq!(code(bob.ask(Asked::GetProfile(pb::GetProfile { user: "x@far.example".into() })).await), "no-such-user");
    let bad = pb::SetProfile { display_name: "a\u{202e}b".into(), ..Default::default() };
    assert_eq!(code(alice.ask(Asked::SetProfile(bad)).await), "bad-value");
}
