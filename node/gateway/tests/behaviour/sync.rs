//! Hearing everything, once the doubles are told: cursors, cuts, pages, going back, slow readers.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use startalk_journal::fault::FaultDisk;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, pushed::What, server_frame::Frame};

use crate::support::{Client, Node, content, text};

/// Messages by sequence, out of pages and pushes, as a client keeps them.
#[derive(Default)]
struct Heard(BTreeMap<u64, String>);

impl Heard {
    fn pages(&mut self, pages: &[pb::SyncPage]) {
        for message in pages.iter().flat_map(|p| &p.conversations).flat_map(|c| c.messages.iter().chain(&c.changed)) {
            self.0.insert(message.sequence, text(&message.content));
        }
    }

    fn frame(&mut self, frame: &Frame) {
        if let Frame::Pushed(pb::Pushed { what: Some(What::Message(m) | What::Changed(m)), .. }) = frame {
            self.0.insert(m.sequence, text(&m.content));
        }
    }
}

impl Heard {
    /// History from above `before` to below `first`.
    async fn between(&mut self, client: &mut Client, conversation: u64, before: u64, first: u64) {
        let mut after = before;
        while after + 1 < first {
            let asked = Asked::History(pb::History { conversation, before: 0, after, limit: 20 });
            let Ok(Frame::Page(page)) = client.ask(asked).await else { panic!("no page") };
            assert_eq!(page.first, after + 1);
            for message in &page.messages {
                self.0.insert(message.sequence, text(&message.content));
            }
            after = page.last;
        }
    }
}

/// The last cursor told, when no further one comes.
async fn cursor(client: &mut Client) -> Bytes {
    let one = |f: &Frame| if let Frame::Cursor(c) = f { Some(c.cursor.clone()) } else { None };
    let mut last = client.expect("a cursor", one).await;
    let pause = Duration::from_millis(300);
    while let Ok(later) = tokio::time::timeout(pause, client.expect("a cursor", one)).await {
        last = later;
    }
    last
}

#[tokio::test]
async fn after_a_cut_exactly_what_was_missed_comes() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    let pages = bob.sync(&Bytes::new()).await;
    assert!(pages[0].me.as_ref().is_some_and(|me| me.user == "bob@home.example"));
    let conversation = alice.send("bob", "1").await.unwrap().conversation;
    alice.send("bob", "2").await.unwrap();
    bob.message().await;
    bob.message().await;
    let heard_to = cursor(&mut bob).await;
    drop(bob.stream);
    alice.send("bob", "3").await.unwrap();
    let edit = pb::Edit { conversation, sequence: 1, counter: 4, content: content("one") };
    alice.counter = 4;
    alice.ask(Asked::Edit(edit)).await.unwrap();
    node.settled();
    let mut bob = node.resumed(&bob.me.token).await;
    let pages = bob.sync(&heard_to).await;
    assert_eq!(pages.len(), 1);
    assert!(!pages[0].went_back);
    let page = &pages[0].conversations[0];
    let said: Vec<_> = page.messages.iter().map(|m| (m.sequence, text(&m.content))).collect();
    assert_eq!(said, [(3, "3".to_owned())]);
    assert_eq!((page.changed.len(), text(&page.changed[0].content).as_str()), (1, "one"));
    let pages = bob.sync(&pages[0].cursor).await;
    assert!(pages[0].conversations.is_empty(), "the cursor at the end covers the pages");
    // The sender's own device is told a cursor too, or it would hear its own words again.
    alice.sync(&Bytes::new()).await;
    alice.send("bob", "5").await.unwrap();
    let own = cursor(&mut alice).await;
    let pages = node.resumed(&alice.me.token).await.sync(&own).await;
    assert!(pages[0].conversations.is_empty(), "{pages:?}");
}

#[tokio::test]
async fn what_changed_about_people_is_synced_too() {
    let node = Node::start();
    for name in ["alice", "bob", "carol", "dave"] {
        node.account(name);
    }
    let (mut alice, mut carol) = (node.client("alice").await, node.client("carol").await);
    for name in ["bob", "carol", "dave"] {
        alice.send(name, "hello").await.unwrap();
    }
    node.settled();
    let at = alice.sync(&Bytes::new()).await.pop().unwrap().cursor;
    drop(alice.stream);
    let profile = pb::SetProfile { display_name: "Caroline".into(), ..Default::default() };
    carol.ask(Asked::SetProfile(profile)).await.unwrap();
    let mut tablet = node.client("alice").await;
    tablet.ask(Asked::Block(pb::Block { user: "bob".into(), blocked: true })).await.unwrap();
    let mut alice = node.resumed(&alice.me.token).await;
    let pages = alice.sync(&at).await;
    let infos: Vec<_> = pages[0].conversations.iter().map(|c| c.conversation.clone().unwrap()).collect();
    let mut seen: Vec<_> = infos.iter().map(|i| (i.peer.as_ref().unwrap().display_name.as_str(), i.blocked)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [("BOB", true), ("Caroline", false)]);
    assert!(pages[0].conversations.iter().all(|c| c.messages.is_empty() && c.changed.is_empty()));
}

#[tokio::test]
async fn cuts_at_any_moment_lose_nothing() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    let token = bob.me.token.clone();
    let writer = tokio::spawn(async move {
        for n in 0..300 {
            alice.send("bob", &n.to_string()).await.unwrap();
        }
    });
    let (mut heard, mut at) = (Heard::default(), Bytes::new());
    let (mut cuts, mut rounds_after) = (0, 0);
    while rounds_after < 2 {
        rounds_after += usize::from(writer.is_finished());
        let before = heard.0.keys().next_back().copied().unwrap_or(0);
        let pages = bob.sync(&at).await;
        at = pages.last().unwrap().cursor.clone();
        heard.pages(&pages);
        // A sync has the newest thirty; what lies between is history.
        if let Some(page) = pages.iter().flat_map(|p| &p.conversations).next()
            && let Some(first) = page.messages.first()
        {
            let conversation = page.conversation.as_ref().unwrap().conversation;
            heard.between(&mut bob, conversation, before, first.sequence).await;
        }
        // Frames that came before the last page of the sync were heard, too.
        for frame in std::mem::take(&mut bob.pushed) {
            heard.frame(frame.frame.as_ref().unwrap());
        }
        for _ in 0..7 + cuts % 13 {
            let Ok(frame) = tokio::time::timeout(Duration::from_millis(30), bob.read()).await else { break };
            let frame = frame.unwrap().frame.unwrap();
            heard.frame(&frame);
            if let Frame::Cursor(c) = frame {
                at = c.cursor;
            }
        }
        bob = node.resumed(&token).await;
        cuts += 1;
    }
    writer.await.unwrap();
    let missing: Vec<u64> = (1..=300).filter(|s| !heard.0.contains_key(s)).collect();
    assert!(missing.is_empty(), "after {cuts} cuts {missing:?} are missing");
    assert_eq!(heard.0.into_values().collect::<Vec<_>>(), (0..300).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn many_conversations_come_in_pages() {
    let node = Node::start();
    node.account("alice");
    let mut alice = node.client("alice").await;
    for n in 0..120 {
        let name = format!("friend{n}");
        node.account(&name);
        alice.send(&name, &"x".repeat(3000)).await.unwrap();
    }
    let mut second = node.client("alice").await;
    let pages = second.sync(&Bytes::new()).await;
    assert!(pages.len() >= 3, "{} pages", pages.len());
    assert!(pages.iter().all(|p| p.conversations.len() <= 50));
    let (last, before) = pages.split_last().unwrap();
    assert!(!last.cursor.is_empty() && before.iter().all(|p| p.cursor.is_empty() && !p.last));
    let mut seen: Vec<u64> =
        pages.iter().flat_map(|p| &p.conversations).map(|c| c.conversation.as_ref().unwrap().conversation).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 120);
}

#[tokio::test]
async fn no_cursor_overtakes_the_pages_of_a_sync() {
    let node = Node::start();
    node.account("alice");
    let mut alice = node.client("alice").await;
    for n in 0..40 {
        let name = format!("friend{n}");
        node.account(&name);
        alice.send(&name, &"x".repeat(20_000)).await.unwrap();
    }
    let mut second = node.connect_from([192, 0, 2, 1].into(), 4096);
    second.hello().await;
    second.resume(&alice.me.token).await.unwrap();
    second.write(Asked::Sync(pb::Sync::default())).await;
    let mut pages = 0;
    loop {
        // Something is pushed all the while, and ticks pass.
        alice.send("friend1", "y").await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        match second.read().await.unwrap().frame.unwrap() {
            Frame::SyncPage(page) if page.last => break,
            Frame::SyncPage(_) => pages += 1,
            Frame::Cursor(_) => panic!("a cursor after {pages} pages, before the last"),
            _ => {}
        }
    }
    assert!(pages >= 3, "{pages} pages");
    cursor(&mut second).await;
}

#[tokio::test]
async fn large_messages_and_many_changes_fit_frames() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    let at = bob.sync(&Bytes::new()).await.pop().unwrap().cursor;
    let mut conversation = 0;
    for n in 0..60 {
        conversation = alice.send("bob", &n.to_string()).await.unwrap().conversation;
    }
    drop(bob.stream);
    let mut resumed = node.resumed(&bob.me.token).await;
    node.settled();
    let at = resumed.sync(&at).await.pop().unwrap().cursor;
    drop(resumed.stream);
    let long = "y".repeat(60_000);
    for sequence in 1..=40 {
        alice.counter += 1;
        let edit = pb::Edit { conversation, sequence, counter: alice.counter, content: content(&long) };
        alice.ask(Asked::Edit(edit)).await.unwrap();
    }
    let mut bob = node.resumed(&bob.me.token).await;
    let pages = bob.sync(&at).await;
    let changed: BTreeMap<u64, usize> =
        pages.iter().flat_map(|p| &p.conversations).flat_map(|c| &c.changed).map(|m| (m.sequence, m.content.len())).collect();
    assert_eq!(changed.keys().copied().collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert!(changed.values().all(|len| *len > 60_000));
    assert!(pages.len() > 10, "2.4 MB in {} pages", pages.len());
}

#[tokio::test]
async fn a_cursor_from_a_future_that_is_gone_starts_anew() {
    let disk = FaultDisk::new();
    let node = Node::on(disk.clone(), |_| {});
    node.account("alice");
    node.account("bob");
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    alice.send("bob", "1").await.unwrap();
    let at = bob.sync(&Bytes::new()).await.pop().unwrap().cursor;
    for forged in [Bytes::from_static(b"not a cursor"), Bytes::from([&at[..at.len() - 1], b"?"].concat())] {
        let pages = bob.sync(&forged).await;
        assert!(pages[0].went_back && pages[0].conversations.len() == 1);
    }
    let before = copy(&disk, &node);
    let sent = alice.send("bob", "2").await.unwrap();
    node.settled();
    let later = bob.sync(&at).await.pop().unwrap().cursor;
    drop(node);
    let node = Node::on(before, |_| {});
    let mut bob = node.resumed(&bob.me.token).await;
    let pages = bob.sync(&later).await;
    assert!(pages[0].went_back, "the node was restored from before");
    assert_eq!(node.epoch(), 2, "and has noticed");
    assert!(bob.sync(&later).await[0].went_back);
    assert_eq!(node.epoch(), 2, "once");
    assert!(!bob.sync(&at).await[0].went_back);
    // What the author still has is offered again under its old name.
    let mut alice = node.resumed(&alice.me.token).await;
    assert_eq!(alice.me.counter, 1);
    let mut send = alice.said("bob", "2");
    send.known_id = sent.id.clone();
    let again = alice.send_frame(send).await.unwrap();
    assert_eq!(again.id, sent.id);
    assert_eq!(bob.message().await.1.id, sent.id);
}

/// The disk as it is now, as a backup would have it.
fn copy(disk: &FaultDisk, node: &Node) -> FaultDisk {
    node.settled();
    let copy = FaultDisk::new();
    for name in startalk_journal::Disk::list(disk).unwrap() {
        copy.put(&name, &disk.file(&name).unwrap());
    }
    copy
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_loses_nothing() {
    let node = Node::with(|config| config.limits.outbox_bytes = 64 * 1024);
    node.account("alice");
    node.account("bob");
    let mut alice = node.client("alice").await;
    let mut bob = node.connect_from([192, 0, 2, 1].into(), 2048);
    bob.hello().await;
    bob.sign_in("bob", crate::support::PASSWORD).await.unwrap();
    let mut heard = Heard::default();
    let pages = bob.sync(&Bytes::new()).await;
    let mut at = pages.last().unwrap().cursor.clone();
    for n in 0..100 {
        alice.send("bob", &format!("{n} {}", "z".repeat(3000))).await.unwrap();
    }
    // Only now does it read: what had gone out, and why it was cut.
    let mut code = String::new();
    while let Some(frame) = bob.read().await {
        match frame.frame.unwrap() {
            Frame::Close(close) => code = close.error.unwrap().code,
            Frame::Cursor(c) => at = c.cursor,
            other => heard.frame(&other),
        }
    }
    assert_eq!(code, "slow-reader");
    assert!(heard.0.len() < 100);
    let mut bob = node.resumed(&bob.me.token).await;
    let pages = bob.sync(&at).await;
    heard.pages(&pages);
    let conversation = pages[0].conversations[0].conversation.as_ref().unwrap().conversation;
    let mut before = pages[0].conversations[0].messages[0].sequence;
    while before > 1 {
        let page = bob.ask(Asked::History(pb::History { conversation, before, ..Default::default() })).await;
        let Ok(Frame::Page(page)) = page else { panic!("{page:?}") };
        for message in &page.messages {
            heard.0.insert(message.sequence, text(&message.content));
        }
        before = page.first;
    }
    assert_eq!(heard.0.len(), 100);
    assert!(heard.0.values().enumerate().all(|(n, said)| said.starts_with(&format!("{n} "))));
}
