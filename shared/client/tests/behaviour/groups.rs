//! Groups: what waits for a group's home, acts exactly once, and logs written before there were groups.

use startalk_client::{
    Code, CommandKind, Event, MemoryStore, Session, Store, Target, content,
    wire_types::{GroupRights, MakeGroupLink, React, act_in_group::Act},
};

use crate::fake::{Faults, GROUP, Node, account, until};

async fn say(session: &Session, group: u64, text: &str) -> u64 {
    session.send_in_group(group, content::text(text), 0).await.unwrap()
}

fn is_sent(event: &Event, number: u64, at: impl Fn(u64) -> bool) -> bool {
    matches!(event, Event::Sent { counter, sequence, .. } if *counter == number && at(*sequence))
}

#[tokio::test]
async fn a_message_waits_for_the_home_and_is_told_again_with_its_place() {
    let (node, store) = (Node::new(1, Faults::default()), MemoryStore::default());
    let group = node.group();
    node.state().home_is_away = true;
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    let counter = say(&session, group, "slowly").await;
    until(&mut events, |e| is_sent(e, counter, |s| s == 0)).await;
    let outbox = session.outbox().await.unwrap();
    assert_eq!(outbox.iter().map(|o| (o.counter, o.waiting)).collect::<Vec<_>>(), [(counter, true)]);
    session.close().await;
    // Another process goes on with what it finds in the store; the home comes back while it runs.
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    assert_eq!(session.outbox().await.unwrap().len(), 1);
    node.home_records();
    let told = until(&mut events, |e| is_sent(e, counter, |s| s != 0)).await;
    assert!(!told.iter().any(|e| matches!(e, Event::Message { .. } | Event::Failed { .. })), "told by its answer alone");
    assert!(session.outbox().await.unwrap().is_empty());
    session.close().await;
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    assert!(session.outbox().await.unwrap().is_empty(), "and so it is kept");
}

#[tokio::test]
async fn what_the_home_refuses_fails_with_its_reason() {
    let (node, store) = (Node::new(2, Faults::default()), MemoryStore::default());
    let group = node.group();
    node.state().home_is_away = true;
    let (session, mut events) = node.session(&store);
    let counter = say(&session, group, "muted").await;
    until(&mut events, |e| is_sent(e, counter, |s| s == 0)).await;
    node.home_refuses("muted");
    let told = until(&mut events, |e| matches!(e, Event::Failed { .. })).await;
    let Some(Event::Failed { counter: failed, kind, error, unconfirmed, .. }) = told.last() else { panic!() };
    assert_eq!((*failed, *kind, error.code, *unconfirmed), (counter, CommandKind::Send, Code::Muted, false));
    assert!(session.outbox().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_ended_while_nobody_listened_is_found_at_the_next_sync() {
    let (node, store) = (Node::new(3, Faults::default()), MemoryStore::default());
    let group = node.group();
    node.state().home_is_away = true;
    let (session, mut events) = node.session(&store);
    let (first, second) = (say(&session, group, "one").await, say(&session, group, "two").await);
    until(&mut events, |e| is_sent(e, second, |s| s == 0)).await;
    session.close().await;
    node.home_refuses("expired");
    let (session, mut events) = node.session(&store);
    for counter in [first, second] {
        let told = until(&mut events, |e| matches!(e, Event::Failed { .. })).await;
        let Some(Event::Failed { counter: failed, unconfirmed: true, .. }) = told.last() else { panic!("{told:?}") };
        assert_eq!(*failed, counter);
    }
    let third = say(&session, group, "three").await;
    until(&mut events, |e| is_sent(e, third, |s| s == 0)).await;
    session.close().await;
    node.home_records();
    let (session, mut events) = node.session(&store);
    let told = until(&mut events, |e| is_sent(e, third, |s| s != 0)).await;
    assert!(!told.iter().any(|e| matches!(e, Event::Failed { .. })), "recorded while nobody listened");
    session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_are_done_once_whatever_the_connection_does() {
    for seed in 0..20 {
        let faults = Faults { cut_before: 60, cut_after: 60, cut_inside: 30, late: 50, ..Faults::default() };
        let (node, store) = (Node::new(seed, faults), MemoryStore::default());
        let (session, mut events) = node.session(&store);
        let taking = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while let Some(event) = events.next().await {
                if let Event::Sent { counter, .. } | Event::GroupLink { counter, .. } | Event::Failed { counter, .. } = event {
                    outcomes.push(counter);
                }
            }
            outcomes
        });
        let mut numbers = vec![session.create_group("g", &["bob@fake.example".parse().unwrap()]).await.unwrap()];
        session.drained().await;
        let group = node.group();
        for n in 0..40 {
            let act = match n % 4 {
                0 => Act::Add(format!("m{n}@fake.example")),
                1 => Act::React(React { sequence: 1, emoji: "👍".to_owned(), remove: false }),
                2 => Act::MakeLink(MakeGroupLink { uses: n, valid_ms: 0 }),
                _ => Act::SetRights(GroupRights::default()),
            };
            numbers.push(session.act(group, act).await.unwrap());
            numbers.push(say(&session, group, &format!("t{n}")).await);
        }
        session.drained().await;
        session.close().await;
        let mut outcomes = taking.await.unwrap();
        outcomes.sort_unstable();
        assert_eq!(outcomes, numbers, "seed {seed}: each once");
        let texts: Vec<String> = node.texts(GROUP);
        assert_eq!(texts, (0..40).map(|n| format!("t{n}")).collect::<Vec<_>>(), "seed {seed}");
        let state = node.state();
        assert_eq!(state.violations, Vec::<String>::new(), "seed {seed}");
        assert_eq!(state.journal.executed.len(), numbers.len(), "seed {seed}");
    }
}

#[tokio::test]
async fn a_log_written_before_there_were_groups_is_read() {
    // Queued { counter 3, kind 1, to "bob@fake.example", content "old", time 5, device 7 }, and a number used: 4.
    let text = content::text("old");
    let mut queued = vec![0x08, 3, 0x10, 1, 0x22, 16];
    queued.extend_from_slice(b"bob@fake.example");
    queued.extend_from_slice(&[0x2a, u8::try_from(text.len()).unwrap()]);
    queued.extend_from_slice(&text);
    queued.extend_from_slice(&[0x48, 5, 0x50, 7]);
    let mut record = vec![0x0a, u8::try_from(queued.len()).unwrap()];
    record.extend_from_slice(&queued);
    let (node, mut store) = (Node::new(5, Faults::default()), MemoryStore::default());
    store.set_account(Some(&account())).unwrap();
    store.append(&[record, vec![0x20, 4]]).unwrap();
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| is_sent(e, 3, |s| s == 1)).await;
    let next = session.send(Target::User("bob@fake.example".parse().unwrap()), content::text("new"), bytes::Bytes::new());
    assert_eq!(next.await.unwrap(), 5);
    session.drained().await;
    assert_eq!(node.texts("bob@fake.example"), ["old", "new"]);
}

#[tokio::test]
async fn what_a_restored_node_lost_of_a_group_is_offered_again() {
    let (node, store) = (Node::new(6, Faults::default()), MemoryStore::default());
    let group = node.group();
    let (session, mut events) = node.session(&store);
    until(&mut events, |e| *e == Event::SyncDone).await;
    say(&session, group, "kept").await;
    session.drained().await;
    let backup = node.backup();
    say(&session, group, "lost").await;
    session.drained().await;
    node.restore(backup);
    until(&mut events, |e| matches!(e, Event::Sent { again: true, .. })).await;
    session.drained().await;
    assert_eq!(node.texts(GROUP), ["kept", "lost"]);
    assert_eq!(node.state().violations, Vec::<String>::new());
}
