//! What an account keeps for itself: saved messages, stickers, and what it has listened to.

mod harness;

use bytes::Bytes;
use harness::{Node, START_MS, plain, send, town::Person, user};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command,
    command::Target,
    conversations,
    files::{self, NewFile},
    groups::GroupAct,
    kept::{self, PlayedMove, State},
    stickers::{self, StickerChange},
    sync,
};
use startalk_journal::{Body, ReadJournal as _};
use startalk_protocol::{
    limits,
    pb::content::{Content, File, Sticker, content::Kind},
};

fn save(actor: Actor, conversation: u64, sequence: u64, note: &str) -> Command {
    Command::SaveMessage { account: actor.account, conversation, sequence, note: note.into() }
}

fn sticker(n: u8, code: &str) -> Bytes {
    let file = File { hash: vec![n; 32].into(), size: 9, r#type: "image/webp".into(), name: "a.webp".into() };
    Sticker { file: Some(file), width: 9, height: 9, code: code.into(), pack: String::new() }.encode_to_vec().into()
}

fn hold(node: &mut Node, actor: Actor, n: u8) {
    let file = NewFile { hash: [n; 32], size: 9, media_type: "image/webp".into(), picture: None };
    node.ok(Command::HoldFiles { account: actor.account, files: vec![file] });
}

fn shows(node: &Node, actor: Actor, number: u64) -> (State, Option<String>) {
    let entry = kept::saved_one(&*node.store, actor.account, number).unwrap();
    let (state, message) = kept::state(&node.store, &*node.journal, actor.account, entry.conversation, entry.sequence);
    (state, message.and_then(|m| m.content).map(|c| plain(&c)))
}

fn bodies(node: &Node, kind: u16) -> usize {
    let records = (1..=node.journal.head().position).map(|p| node.journal.read(p).unwrap());
    records.filter(|r| r.header.kind == kind && matches!(r.body, Body::Present(_))).count()
}

#[test]
fn a_message_is_saved_once_with_a_note_and_removed() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(bob, "alice@a.example", 1, "the recipe");
    let Answer::Number(number) = node.ok(save(alice, conversation, sequence, "soup")) else { panic!() };
    assert_eq!(node.ok(save(alice, conversation, sequence, "soup")), Answer::Number(number));
    assert_eq!(node.ok(save(alice, conversation, sequence, "good soup")), Answer::Number(number), "it gets the note");
    let page = kept::saved(&*node.store, alice.account, 0, 10);
    assert_eq!((page.count, page.entries.len(), page.next), (1, 1, 0));
    assert_eq!(kept::note(&*node.journal, &page.entries[0]), "good soup");
    assert_eq!(page.entries[0].saved_ms, START_MS);
    assert_eq!(shows(&node, alice, number), (State::Here, Some("the recipe".to_owned())));
    assert!(kept::saved(&*node.store, bob.account, 0, 10).entries.is_empty());
    let before = node.journal.head().position;
    node.ok(Command::RemoveSaved { account: alice.account, number });
    assert_eq!(sync::changed_lists(&*node.store, alice.account, before), ["saved"]);
    assert_eq!((kept::saved(&*node.store, alice.account, 0, 10).count, bodies(&node, 167)), (0, 0));
    assert_eq!(node.refused(Command::RemoveSaved { account: alice.account, number }), "no-such-thing");
    assert_eq!(node.ok(save(alice, conversation, sequence, "")), Answer::Number(number + 1));
    let carol = node.person("carol");
    assert_eq!(node.refused(save(carol, conversation, sequence, "")), "no-such-conversation");
    assert_eq!(node.refused(save(alice, conversation, 99, "")), "no-such-message");
}

#[test]
fn what_is_not_to_be_read_any_more_is_said_to_be_so_and_not_shown() {
    let mut node = Node::new("a.example");
    let (mut alice, mut bob) = (Person::at(&mut node, "alice"), Person::at(&mut node, "bob"));
    let group = alice.create(&mut node, &["bob@a.example"]);
    let Answer::Sent { sequence: early, .. } = node.ok(alice.say(group, "early")) else { panic!() };
    let Answer::Sent { sequence: recalled, .. } = node.ok(alice.say(group, "recalled")) else { panic!() };
    let me = bob.actor;
    let numbers: Vec<u64> = [early, recalled]
        .into_iter()
        .map(|sequence| match node.ok(save(me, group, sequence, "")) {
            Answer::Number(number) => number,
            other => panic!("{other:?}"),
        })
        .collect();
    alice.counter += 1;
    node.ok(Command::Recall { actor: alice.actor, conversation: group, sequence: recalled, counter: alice.counter });
    assert_eq!(shows(&node, me, numbers[0]), (State::Here, Some("early".to_owned())));
    assert_eq!(shows(&node, me, numbers[1]), (State::Recalled, None));
    node.ok(bob.act(group, GroupAct::Leave));
    let Answer::Sent { sequence: after, .. } = node.ok(alice.say(group, "after bob")) else { panic!() };
    assert_eq!(shows(&node, me, numbers[0]).0, State::Here, "what was said while one was in stays one's to read");
    assert!(node.run(save(me, group, after, "")).is_err(), "what comes after does not become so");
    node.ok(Command::DeleteAccount { account: me.account });
    assert!(kept::saved(&*node.store, me.account, 0, 9).entries.is_empty());
}

#[test]
fn pages_come_newest_first_and_no_more_are_saved_than_may_be() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    let (conversation, ..) = node.say(alice, "alice@a.example", 1, "note 1");
    for counter in 2..=700 {
        node.say(alice, "alice@a.example", counter, "note");
    }
    for sequence in 1..=700 {
        node.ok(save(alice, conversation, sequence, ""));
    }
    for number in (1..=700).filter(|n| n % 7 == 0 || (256..=511).contains(n)) {
        node.ok(Command::RemoveSaved { account: alice.account, number });
    }
    let expected: Vec<u64> = (1..=700).rev().filter(|n| n % 7 != 0 && !(256..=511).contains(n)).collect();
    let (mut seen, mut before) = (Vec::new(), 0);
    loop {
        let page = kept::saved(&*node.store, alice.account, before, 50);
        assert_eq!(page.count, expected.len() as u64);
        seen.extend(page.entries.iter().map(|e| e.number));
        before = page.next;
        if before == 0 {
            break;
        }
        assert_eq!(page.entries.len(), 50);
    }
    assert_eq!(seen, expected);
    assert_eq!(limits::SAVED_MAX, 10_000);
}

#[test]
fn stickers_are_added_ordered_and_removed_and_keep_their_files() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    hold(&mut node, bob, 1);
    let content = Content { kind: Some(Kind::Sticker(Sticker::decode(sticker(1, ":wave:")).unwrap())), ..Content::default() };
    let said = Command::Send {
        actor: bob,
        to: Target::User(user("alice@a.example")),
        counter: 1,
        content: content.encode_to_vec().into(),
        reply_to: None,
        reply_sequence: 0,
        known_id: None,
    };
    let Answer::Sent { conversation, sequence, .. } = node.ok(said) else { panic!() };
    let change = |change| Command::ChangeStickers { account: alice.account, change };
    let from = |conversation, sequence| StickerChange::FromMessage { conversation, sequence };
    node.ok(change(from(conversation, sequence)));
    let all = |node: &Node| {
        let entries = &stickers::stickers(&*node.store, alice.account).entries;
        entries.iter().map(|s| s.number).collect::<Vec<_>>()
    };
    assert_eq!(all(&node), [1]);
    node.ok(change(from(conversation, sequence)));
    assert_eq!(all(&node), [1], "the same picture is there once");
    assert!(stickers::keeps(&*node.store, alice.account, &[1; 32]) && !stickers::keeps(&*node.store, alice.account, &[2; 32]));
    assert!(!stickers::keeps(&*node.store, bob.account, &[1; 32]));
    let entry = stickers::stickers(&*node.store, alice.account).entries[0].clone();
    assert_eq!(stickers::sticker(&*node.journal, &entry), sticker(1, ":wave:"));
    let (_, words, _) = node.say(bob, "alice@a.example", 2, "no sticker");
    assert_eq!(node.refused(change(from(conversation, words))), "bad-value");
    node.ok(Command::Recall { actor: bob, conversation, sequence, counter: 3 });
    assert_eq!(node.refused(change(from(conversation, sequence))), "no-such-message");
    // Days later nobody refers to the picture but the sticker.
    node.now_ms += 7 * 24 * 3_600_000;
    node.ok(Command::CollectFiles { from: 0 });
    assert!(files::own(&*node.store, alice.account, &[1; 32]).is_some(), "it is alice's to read and to send");
    assert!(files::own(&*node.store, bob.account, &[1; 32]).is_none());
    assert_eq!(node.refused(change(StickerChange::Own(sticker(2, "")))), "no-such-file", "not what one may not read");
    hold(&mut node, alice, 2);
    node.ok(change(StickerChange::Own(sticker(2, "🙂"))));
    node.ok(change(StickerChange::Order(vec![2, 1])));
    assert_eq!(all(&node), [2, 1]);
    node.ok(change(StickerChange::Remove(2)));
    assert_eq!(node.refused(change(StickerChange::Order(vec![1, 1]))), "bad-value");
    node.ok(change(StickerChange::Remove(1)));
    assert!(!stickers::keeps(&*node.store, alice.account, &[1; 32]));
    assert_eq!((node.refused(change(StickerChange::Remove(1))), bodies(&node, 168)), ("no-such-thing", 0));
    node.ok(Command::CollectFiles { from: 0 });
    assert!(files::own(&*node.store, alice.account, &[1; 32]).is_none());
}

#[test]
fn what_was_listened_to_is_marked_on_all_own_devices_and_for_nobody_else() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, ..) = node.say(bob, "alice@a.example", 1, "listen");
    for counter in 2..=300 {
        node.ok(send(bob, "alice@a.example", counter, "listen"));
    }
    let before = node.journal.head().position;
    let played = |sequences: &[u64]| Command::MarkPlayed {
        played: vec![PlayedMove { account: alice.account, conversation, sequences: sequences.to_vec() }],
    };
    node.ok(played(&[3, 299, 999]));
    let records = node.events().len();
    node.ok(played(&[3, 299]));
    assert_eq!(node.events().len(), records, "the same again is nothing new");
    assert_eq!(sync::changed_conversations(&node.store, alice.account, before), [conversation]);
    assert!(sync::changed_conversations(&node.store, bob.account, before).is_empty());
    let synced = sync::conversation(&node.store, &*node.journal, alice.account, conversation, before).unwrap();
    assert_eq!(synced.played, [3, 299]);
    let is_played = |actor: Actor, sequence| {
        conversations::single_for(&node.store, &*node.journal, actor.account, conversation, sequence).unwrap().played
    };
    assert!(is_played(alice, 3) && is_played(alice, 299) && !is_played(alice, 4) && !is_played(bob, 3));
}
