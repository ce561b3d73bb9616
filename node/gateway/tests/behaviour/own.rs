//! What is one's own, on all of one's devices: pushed as it changes, found again by a sync from any cursor, and shown to
//! others as far as it is meant for them.

use bytes::Bytes;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, pushed::What, server_frame::Frame};

use crate::support::{Client, Node, code};

async fn done(client: &mut Client, asked: Asked) {
    assert_eq!(code(client.ask(asked).await), "ok");
}

async fn synced(node: &Node, name: &str) -> Client {
    let mut client = node.client(name).await;
    client.sync(&Bytes::new()).await;
    client
}

fn arrange(conversation: u64, pinned: Option<bool>, hidden: Option<bool>, unread: Option<bool>) -> Asked {
    Asked::ArrangeConversation(pb::ArrangeConversation { conversation, pinned, hidden, unread })
}

fn keep(user: &str, remark: &str, starred: bool) -> Asked {
    Asked::KeepPerson(pb::KeepPerson { user: user.into(), remark: Some(remark.into()), starred: Some(starred) })
}

fn say(state: &str, text: &str) -> Asked {
    let availability = pb::Availability { state: state.into(), until_ms: 0, text: text.into() };
    Asked::SetAvailability(pb::SetAvailability { availability: Some(availability) })
}

fn show_presence_to(whom: &str) -> Asked {
    let openness = pb::Openness { presence: whom.into(), last_seen: whom.into(), ..pb::Openness::default() };
    Asked::SetOpenness(pb::SetOpenness { openness: Some(openness) })
}

async fn info(client: &mut Client, wanted: impl Fn(&pb::Conversation) -> bool) -> pb::Conversation {
    let pick = |f: &Frame| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Info(c)), .. }) if wanted(c) => Some(c.clone()),
        _ => None,
    };
    client.expect("a conversation", pick).await
}

async fn presence(client: &mut Client, wanted: &str) -> pb::Presence {
    let pick = |f: &Frame| match f {
        Frame::Presence(p) if p.state == wanted => Some(p.clone()),
        _ => None,
    };
    client.expect("a presence", pick).await
}

fn conversations(pages: &[pb::SyncPage]) -> Vec<pb::Conversation> {
    pages.iter().flat_map(|p| &p.conversations).filter_map(|c| c.conversation.clone()).collect()
}

#[tokio::test]
async fn how_a_conversation_stands_in_the_list_is_the_same_on_all_devices() {
    let node = Node::start();
    ["alice", "bob"].into_iter().for_each(|name| _ = node.account(name));
    let (mut desk, mut phone, mut bob) = (synced(&node, "alice").await, synced(&node, "alice").await, synced(&node, "bob").await);
    let conversation = bob.send("alice", "hello").await.unwrap().conversation;
    let first = phone.sync(&Bytes::new()).await;
    let cursor = first.last().unwrap().cursor.clone();
    done(&mut desk, arrange(conversation, Some(true), Some(true), Some(true))).await;
    let now = info(&mut phone, |c| c.pinned).await;
    assert_eq!((now.pinned, now.hidden_until, now.marked_unread), (true, 2, true));
    let pages = phone.sync(&cursor).await;
    assert_eq!(conversations(&pages), vec![now], "and a device that was away hears of it");
    bob.send("alice", "hello again").await.unwrap();
    let pages = phone.sync(&Bytes::new()).await;
    let shown = &conversations(&pages)[0];
    assert!(shown.head >= shown.hidden_until, "it is shown again");
    assert_eq!(code(bob.ask(arrange(999, Some(true), None, None)).await), "no-such-conversation");
}

#[tokio::test]
async fn what_one_keeps_about_people_is_heard_by_ones_own_devices_alone() {
    let node = Node::start();
    ["alice", "bob"].into_iter().for_each(|name| _ = node.account(name));
    let (mut desk, mut phone, mut bob) = (synced(&node, "alice").await, synced(&node, "alice").await, synced(&node, "bob").await);
    let cursor = phone.sync(&Bytes::new()).await.last().unwrap().cursor.clone();
    done(&mut desk, keep("bob", "楼下的小王", true)).await;
    let kept = phone.expect("a remark", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Person(p)), .. }) => Some(p.clone()),
        _ => None,
    });
    let kept = kept.await;
    assert_eq!(kept, pb::PersonKept { user: "bob@home.example".into(), remark: "楼下的小王".into(), starred: true });
    let people = |pages: &[pb::SyncPage]| pages.iter().flat_map(|p| p.people.clone()).collect::<Vec<_>>();
    assert_eq!(people(&phone.sync(&cursor).await), vec![kept.clone()]);
    done(&mut desk, keep("bob", "", false)).await;
    let nothing = pb::PersonKept { user: kept.user, ..pb::PersonKept::default() };
    assert_eq!(people(&phone.sync(&cursor).await), [nothing], "that there is none any more is told, too");
    assert!(people(&phone.sync(&Bytes::new()).await).is_empty());
    bob.quiet().await;
}

#[tokio::test]
async fn many_remarks_come_in_pages_that_fit() {
    let node = Node::start();
    node.account("alice");
    let mut alice = synced(&node, "alice").await;
    for n in 0..400 {
        let name = format!("somebody-with-a-name-as-long-as-names-get-{n:03}");
        node.account(&name);
        done(&mut alice, keep(&name, &"长".repeat(64), true)).await;
    }
    alice.send("alice", "a note").await.unwrap();
    let pages = alice.sync(&Bytes::new()).await;
    assert_eq!(pages.iter().map(|p| p.people.len()).sum::<usize>(), 400);
    assert_eq!(conversations(&pages).len(), 1);
    assert!(pages.iter().all(|p| prost::Message::encoded_len(p) < 200_000));
}

#[tokio::test]
async fn presence_said_by_hand_is_seen_by_those_who_may_and_the_same_on_all_devices() {
    let node = Node::start();
    ["alice", "bob"].into_iter().for_each(|name| _ = node.account(name));
    let (mut desk, mut phone, mut bob) = (synced(&node, "alice").await, synced(&node, "alice").await, synced(&node, "bob").await);
    bob.send("alice", "hello").await.unwrap();
    done(&mut desk, say("busy", "in a meeting")).await;
    let own = phone.expect("what was set", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Own(o)), .. }) => Some(o.clone()),
        _ => None,
    });
    assert_eq!(own.await.availability.unwrap().text, "in a meeting");
    let seen = presence(&mut bob, "busy").await;
    assert_eq!((seen.user.as_str(), seen.text.as_str()), ("alice@home.example", "in a meeting"));
    done(&mut desk, say("offline", "hidden")).await;
    assert_eq!(presence(&mut bob, "offline").await.text, "");
    let own = desk.ask(Asked::GetOwn(pb::GetOwn {})).await;
    assert!(matches!(own, Ok(Frame::Own(o)) if o.availability.as_ref().unwrap().state == "offline"));
    done(&mut desk, say("", "")).await;
    presence(&mut bob, "online").await;
    let day = pb::Span { days: 127, from_min: 0, until_min: 1440 };
    let schedule = |spans| Asked::SetSchedule(pb::SetSchedule { schedule: Some(pb::Schedule { zone: "UTC".into(), spans }) });
    done(&mut desk, schedule(vec![day])).await;
    presence(&mut bob, "dnd").await;
    done(&mut desk, schedule(Vec::new())).await;
    presence(&mut bob, "online").await;
    done(&mut desk, show_presence_to("nobody")).await;
    presence(&mut bob, "offline").await;
    bob.pushed.clear(); // who was there when he came
    done(&mut desk, say("away", "")).await;
    let asked = bob.ask(Asked::GetProfile(pb::GetProfile { user: "alice".into() })).await;
    assert!(matches!(asked, Ok(Frame::Profile(p)) if p.presence.as_ref().unwrap().state == "offline"));
    bob.send("alice", "still there?").await.unwrap();
    let of_alice = |f: &pb::ServerFrame| match &f.frame {
        Some(Frame::Presence(p)) if p.user.starts_with("alice@") => Some(p.state.clone()),
        _ => None,
    };
    let heard: Vec<String> = bob.pushed.iter().filter_map(of_alice).collect();
    assert_eq!(heard, Vec::<String>::new(), "whoever is not to see it is not told that it changed");
    assert_eq!(code(desk.ask(say("asleep", "")).await), "bad-value");
    assert_eq!(code(desk.ask(show_presence_to("friends")).await), "bad-value");
}

#[tokio::test]
async fn that_a_request_was_refused_is_known_on_all_devices() {
    let node = Node::start();
    ["alice", "bob"].into_iter().for_each(|name| _ = node.account(name));
    let (mut desk, mut phone, mut bob) = (synced(&node, "alice").await, synced(&node, "alice").await, synced(&node, "bob").await);
    let openness = pb::Openness { first_contact: "ask".into(), ..pb::Openness::default() };
    done(&mut desk, Asked::SetOpenness(pb::SetOpenness { openness: Some(openness) })).await;
    let conversation = bob.send("alice", "hello").await.unwrap().conversation;
    assert!(info(&mut phone, |c| c.request).await.request);
    info(&mut bob, |c| c.conversation == conversation).await;
    let read = pb::Mark { conversation, delivered: 1, read: 1 };
    done(&mut phone, Asked::Mark(read)).await;
    bob.quiet().await;
    done(&mut desk, Asked::DecideRequest(pb::DecideRequest { conversation, accept: false })).await;
    let refused = info(&mut phone, |c| c.refused).await;
    assert!(refused.blocked && !refused.request);
    bob.quiet().await;
    assert_eq!(code(bob.send("alice", "please").await), "blocked");
    done(&mut desk, Asked::DecideRequest(pb::DecideRequest { conversation, accept: true })).await;
    let let_in = info(&mut bob, |c| !c.refused).await;
    assert_eq!(let_in.peer.unwrap().read, 1, "now it may be known that it was read");
}
