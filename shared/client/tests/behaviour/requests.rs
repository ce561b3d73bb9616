//! Requests and the end of a session: what waits is answered, whatever happens.

use std::time::Duration;

use startalk_client::{ClientError, Code, Event, MemoryStore, Session, State, Store, content};

use crate::fake::{Faults, Node, account, options, until};

#[tokio::test]
async fn a_request_waits_for_a_connection_and_then_fails_as_offline() {
    let (node, mut store) = (Node::new(1, Faults { refuse_dial: 1000, ..Faults::default() }), MemoryStore::default());
    store.set_account(Some(&account())).unwrap();
    let options = startalk_client::Options { request_wait: Duration::from_millis(50), ..options() };
    let (session, mut events) = Session::resume_with(options, Box::new(store), node.dial()).unwrap();
    assert_eq!(session.profile("bob@fake.example").await, Err(ClientError::Offline));
    until(&mut events, |e| matches!(e, Event::State(State::RetryIn { .. }))).await;
    node.state().faults.refuse_dial = 0;
    assert!(session.profile("bob@fake.example").await.is_ok());
    session.close().await;
    assert_eq!(session.profile("bob@fake.example").await, Err(ClientError::Ended));
}

#[tokio::test]
async fn a_harmless_request_is_asked_again_after_a_cut() {
    let (node, store) = (Node::new(1, Faults::default()), MemoryStore::default());
    node.hear("bob@fake.example", "hi");
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    for _ in 0..20 {
        node.cut();
        assert_eq!(session.history(1, 0, 0, 10).await.unwrap().messages.len(), 1);
    }
}

#[tokio::test]
async fn a_revoked_device_is_signed_out_and_says_so() {
    let (node, store) = (Node::new(1, Faults::default()), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    node.state().revoked = true;
    node.cut();
    let told = until(&mut events, |e| matches!(e, Event::SignedOut(_))).await;
    assert!(matches!(told.last(), Some(Event::SignedOut(Some(e))) if e.code == Code::TokenRevoked));
    assert_eq!(events.next().await, None);
    let sent = session.send(1, content::text("x"), bytes::Bytes::new()).await;
    assert_eq!(sent, Err(ClientError::Ended));
    assert!(session.status().ended);
}

#[tokio::test]
async fn signing_out_forgets_the_account() {
    let (node, store) = (Node::new(1, Faults::default()), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    session.sign_out().await.unwrap();
    until(&mut events, |e| *e == Event::SignedOut(None)).await;
    assert!(store.account().is_none());
}

#[tokio::test]
async fn events_that_nobody_takes_stop_the_reading_and_nothing_else() {
    let (node, store) = (Node::new(1, Faults::default()), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    for i in 0..5000 {
        node.hear("bob@fake.example", &format!("m{i}"));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(session.send(1, content::text("x"), bytes::Bytes::new()).await.is_ok());
    let mut heard = 0;
    until(&mut events, |e| {
        heard += usize::from(matches!(e, Event::Message { .. }));
        heard == 5000
    })
    .await;
    session.drained().await;
}
