//! Connections that break anywhere: everything accepted is done exactly once, and everything is heard exactly once.

use std::collections::HashMap;

use startalk_client::{Event, MemoryStore, Target, content};

use crate::fake::{Faults, Node, until};

const HOSTILE: Faults = Faults {
    cut_before: 15,
    cut_after: 15,
    cut_inside: 20,
    late: 200,
    repeat: 300,
    refuse_dial: 100,
    stopping: 2,
    few_cursors: false,
};
const PEER: &str = "bob@fake.example";

fn peer() -> Target {
    Target::User(PEER.parse().unwrap())
}

async fn exactly_once(seed: u64, messages: usize, faults: Faults) {
    let (node, store) = (Node::new(seed, faults), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    let sender = tokio::spawn({
        let session = session.clone();
        async move {
            for i in 0..messages {
                session.send(peer(), content::text(&format!("m{i}")), bytes::Bytes::new()).await.unwrap();
            }
        }
    });
    let mut outcomes: HashMap<u64, usize> = HashMap::new();
    let mut left = messages;
    until(&mut events, |event| {
        match event {
            Event::Sent { counter, .. } => {
                *outcomes.entry(*counter).or_default() += 1;
                left -= 1;
            }
            Event::Failed { error, .. } => panic!("seed {seed}: {error}"),
            Event::Message { message, .. } => panic!("seed {seed}: an own message told as another's: {message:?}"),
            _ => {}
        }
        left == 0
    })
    .await;
    sender.await.unwrap();
    assert!(outcomes.values().all(|n| *n == 1), "seed {seed}");
    assert_eq!(node.state().violations, Vec::<String>::new(), "seed {seed}");
    let (mut texts, expected): (Vec<String>, Vec<String>) = (node.texts(PEER), (0..messages).map(|i| format!("m{i}")).collect());
    if faults.stopping > 0 {
        // What was told to come later comes later.
        texts.sort_by_key(|t| t[1..].parse::<usize>().unwrap());
    }
    assert_eq!(texts, expected, "seed {seed}");
    assert_eq!(session.status().pending, 0);
    session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_accepted_is_done_exactly_once_and_in_order() {
    for seed in 0..40 {
        exactly_once(seed, 300, Faults { stopping: 0, ..HOSTILE }).await;
    }
    for seed in 100..105 {
        exactly_once(seed, 200, HOSTILE).await;
    }
}

#[tokio::test]
async fn without_faults_thousands_go_through() {
    exactly_once(1, 5000, Faults::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_said_to_us_is_heard_once_and_in_order() {
    for seed in 0..30 {
        let faults = Faults { repeat: 300, refuse_dial: 200, ..Faults::default() };
        let (node, store) = (Node::new(seed, faults), MemoryStore::default());
        node.hear(PEER, "before");
        let (session, mut events) = node.session(&store);
        until(&mut events, |e| *e == Event::SyncDone).await;
        let speaker = tokio::spawn({
            let node = node.clone();
            async move {
                let mut random = crate::fake::Random::new(seed);
                for i in 0..200 {
                    node.hear(PEER, &format!("m{i}"));
                    if random.chance(200) {
                        node.pass(PEER);
                    }
                    if random.chance(60) {
                        node.cut();
                    }
                    if random.chance(300) {
                        tokio::task::yield_now().await;
                    }
                }
                node.hear(PEER, "end");
            }
        });
        let mut heard = Vec::new();
        until(&mut events, |event| {
            if let Event::Message { message, .. } = event {
                heard.push((
                    message.sequence,
                    content::show(&message.content, startalk_client::Language::English).plain().to_owned(),
                ));
            }
            heard.last().is_some_and(|(_, t)| t == "end")
        })
        .await;
        speaker.await.unwrap();
        assert!(heard.is_sorted(), "seed {seed}: {heard:?}");
        let texts: Vec<String> = heard.into_iter().map(|(_, t)| t).collect();
        let expected: Vec<String> = (0..200).map(|i| format!("m{i}")).chain(["end".to_owned()]).collect();
        let differ = (0..expected.len().max(texts.len())).find(|i| texts.get(*i) != expected.get(*i));
        assert_eq!(differ, None, "seed {seed}: {:?}", differ.map(|d| &texts[d.saturating_sub(2)..(d + 5).min(texts.len())]));
        session.close().await;
    }
}

#[tokio::test]
async fn what_arrived_is_marked_delivered() {
    let (node, store) = (Node::new(1, Faults::default()), MemoryStore::default());
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    let sequence = node.hear(PEER, "hello");
    until(&mut events, |e| matches!(e, Event::Message { .. })).await;
    session.mark(1, 0, sequence).await.unwrap();
    for _ in 0..200 {
        if node.state().journal.marks.get(&1) == Some(&(1, 1)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no mark came: {:?}", node.state().journal.marks);
}
