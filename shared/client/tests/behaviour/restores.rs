//! A node restored from an older copy: what it lost of ours is offered again, once, and nothing goes to somebody else.

use startalk_client::{Event, MemoryStore, Target, content};

use crate::fake::{Faults, Node, until};

fn to(user: &str) -> Target {
    Target::User(user.parse().unwrap())
}

async fn say(session: &startalk_client::Session, user: &str, text: &str) -> u64 {
    session.send(to(user), content::text(text), bytes::Bytes::new()).await.unwrap()
}

const BOB: &str = "bob@fake.example";
const CAROL: &str = "carol@fake.example";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_node_lost_is_offered_again_once() {
    for (seed, cuts) in (0..20).flat_map(|s| [(s, 0), (s, 30)]) {
        let faults = Faults { cut_after: cuts, cut_before: cuts, cut_inside: cuts, refuse_dial: cuts, ..Faults::default() };
        let (node, store) = (Node::new(seed, faults), MemoryStore::default());
        let (session, mut events) = node.session(&store);
        for i in 0..50 {
            say(&session, BOB, &format!("a{i}")).await;
        }
        session.drained().await;
        let backup = node.backup();
        for i in 0..50 {
            say(&session, BOB, &format!("b{i}")).await;
            say(&session, CAROL, &format!("c{i}")).await;
        }
        session.drained().await;
        node.restore(backup);
        // After the restore the first new conversation gets the number that Carol's had.
        node.hear("dave@fake.example", "hi");
        say(&session, BOB, "after").await;
        until(&mut events, |e| *e == Event::WentBack).await;
        until(&mut events, |e| matches!(e, Event::Sent { again: true, .. })).await;
        session.drained().await;
        let texts = |prefix: &str, n: usize| -> Vec<String> { (0..n).map(|i| format!("{prefix}{i}")).collect() };
        let expected: Vec<String> = [texts("a", 50), texts("b", 50), vec!["after".to_owned()]].concat();
        assert_eq!(node.texts(BOB), expected, "seed {seed}");
        assert_eq!(node.texts(CAROL), texts("c", 50), "seed {seed}");
        assert_eq!(node.texts("dave@fake.example"), ["hi"], "seed {seed}");
        assert_eq!(node.state().violations, Vec::<String>::new(), "seed {seed}");
        session.close().await;
    }
}

#[tokio::test]
async fn a_restore_while_the_process_was_away_is_noticed() {
    let (node, store) = (Node::new(3, Faults::default()), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    say(&session, BOB, "one").await;
    session.drained().await;
    let backup = node.backup();
    say(&session, BOB, "two").await;
    let recalled = say(&session, BOB, "three").await;
    until(&mut events, |e| matches!(e, Event::Sent { counter, .. } if *counter == recalled)).await;
    // How far was heard is kept once a second, when what was told has been taken.
    let taking = tokio::spawn(async move { while events.next().await.is_some() {} });
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    session.recall(1, 3).await.unwrap();
    session.drained().await;
    session.close().await;
    taking.await.unwrap();
    node.restore(backup);
    let (session, mut events) = node.session(&store);
    let told = until(&mut events, |e| matches!(e, Event::Sent { again: true, .. })).await;
    assert!(told.contains(&Event::WentBack));
    session.drained().await;
    assert_eq!(node.texts(BOB), ["one", "two"], "what was recalled is not offered again");
}

#[tokio::test]
async fn a_message_recalled_after_the_copy_was_made_is_recalled_again() {
    let (node, store) = (Node::new(4, Faults::default()), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    say(&session, BOB, "secret").await;
    say(&session, BOB, "kept").await;
    session.drained().await;
    let backup = node.backup();
    session.recall(1, 1).await.unwrap();
    session.drained().await;
    node.restore(backup);
    until(&mut events, |e| *e == Event::WentBack).await;
    until(&mut events, |e| matches!(e, Event::Sent { .. })).await;
    assert_eq!(node.texts(BOB), ["", "kept"]);
}

#[tokio::test]
async fn a_copy_newer_than_our_cursor_is_noticed_by_the_numbers() {
    let (node, store) = (Node::new(5, Faults { few_cursors: true, ..Faults::default() }), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    say(&session, BOB, "one").await;
    session.drained().await;
    let backup = node.backup();
    say(&session, BOB, "two").await;
    session.drained().await;
    node.restore_unnoticed(backup);
    say(&session, BOB, "three").await;
    let told = until(&mut events, |e| matches!(e, Event::Sent { again: true, .. })).await;
    assert!(told.contains(&Event::WentBack));
    session.drained().await;
    assert_eq!(node.texts(BOB), ["one", "two", "three"]);
    assert_eq!(node.state().violations, Vec::<String>::new());
    // Once: from here on nothing is missing.
    node.cut();
    let told = until(&mut events, |e| *e == Event::SyncDone).await;
    assert!(!told.contains(&Event::WentBack));
}
