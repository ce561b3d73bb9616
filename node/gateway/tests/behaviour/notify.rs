//! Being told while nobody looks: what a device says of its push service, settings that are the same on all devices, and
//! who counts as being there.

use bytes::Bytes;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, pushed::What, server_frame::Frame};

use crate::support::{Node, code};

fn subscribe() -> Asked {
    let p256dh = [vec![4], vec![1; 64]].concat().into();
    let auth = vec![2; 16].into();
    Asked::SubscribePush(pb::SubscribePush { endpoint: "https://push.example/1".into(), p256dh, auth })
}

fn of(frame: Frame) -> pb::Notify {
    let Frame::Notify(notify) = frame else { panic!("{frame:?}") };
    notify
}

async fn pushed(client: &mut crate::support::Client) -> pb::Notify {
    client
        .expect("the settings", |f| match f {
            Frame::Pushed(pb::Pushed { what: Some(What::Notify(n)), .. }) => Some(n.clone()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn settings_are_heard_by_all_devices_and_a_subscription_is_its_own_devices() {
    let node = Node::with(|c| c.push_key = Bytes::from_static(&[4; 65]));
    node.account("alice");
    let (mut phone, mut desk) = (node.client("alice").await, node.client("alice").await);
    phone.sync(&Bytes::new()).await;
    desk.sync(&Bytes::new()).await;
    assert_eq!(code(phone.ask(subscribe()).await), "ok");
    assert_eq!(pushed(&mut desk).await.endpoint, "", "that is another device");
    let now = of(phone.ask(Asked::GetNotify(pb::GetNotify {})).await.unwrap());
    assert_eq!((now.endpoint.as_str(), now.key.len()), ("https://push.example/1", 65));
    let settings = pb::NotifySettings { hidden: true, keywords: vec!["budget".into()], ..pb::NotifySettings::default() };
    assert_eq!(code(desk.ask(Asked::SetNotify(pb::SetNotify { settings: Some(settings.clone()) })).await), "ok");
    let mut heard = pushed(&mut phone).await;
    while heard.settings != Some(settings.clone()) {
        heard = pushed(&mut phone).await; // of its own subscription
    }
    assert_eq!(heard.endpoint, "https://push.example/1");
    assert_eq!(code(desk.ask(Asked::SetNotify(pb::SetNotify { settings: None })).await), "bad-value");
    assert_eq!(code(phone.ask(Asked::UnsubscribePush(pb::UnsubscribePush {})).await), "ok");
    assert_eq!(of(phone.ask(Asked::GetNotify(pb::GetNotify {})).await.unwrap()).endpoint, "");
}

#[tokio::test]
async fn a_node_that_does_not_push_takes_no_subscription() {
    let node = Node::start();
    node.account("alice");
    let mut alice = node.client("alice").await;
    assert_eq!(code(alice.ask(subscribe()).await), "not-allowed-here");
}

#[tokio::test]
async fn who_did_something_is_there_for_a_while_and_a_program_alone_is_not() {
    let node = Node::start();
    let account = node.account("alice");
    node.account("bob");
    let mut alice = node.client("alice").await;
    alice.sync(&Bytes::new()).await;
    assert_eq!(code(alice.ask(Asked::ListDevices(pb::ListDevices {})).await), "ok");
    assert!(!node.gateway.is_active(account), "her program is connected");
    alice.send("bob", "hello").await.unwrap();
    assert!(node.gateway.is_active(account));
    node.advance(2 * 60 * 1000);
    assert!(!node.gateway.is_active(account), "that was long ago");
    alice.send("bob", "hello again").await.unwrap();
    assert!(node.gateway.is_active(account));
    drop(alice);
    for _ in 0..1000 {
        if !node.gateway.is_active(account) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("she is gone, and counts as being there");
}
