//! What people of one domain can and cannot do.

mod harness;

use harness::{Node, plain, send, text, user};
use startalk_domain::{
    Actor, Answer, Command, accounts,
    command::{Admission, MarkMove, NewDevice, PasswordBy, Target},
    delivery, directory,
    governance::{NewPolicy, Registration},
    sync,
};

#[test]
fn two_people_talk_and_both_see_one_order() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, first, _) = node.say(alice, "bob@a.example", 1, "hello");
    let (same, second, _) = node.say(bob, "alice@a.example", 1, "你好");
    assert_eq!((same, first, second), (conversation, 1, 2));
    for account in [alice.account, bob.account] {
        assert_eq!(node.texts(account, conversation), ["hello", "你好"]);
    }
    let stranger = node.person("carol");
    let page = startalk_domain::conversations::page(&node.store, &*node.journal, stranger.account, conversation, 1..=9, true);
    assert_eq!(page.unwrap_err().code.as_str(), "no-such-conversation");
}

#[test]
fn a_command_sent_again_is_answered_and_not_executed_again() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let first = node.ok(send(alice, "bob@a.example", 1, "once"));
    let events = node.events().len();
    assert_eq!(node.ok(send(alice, "bob@a.example", 1, "once")), first);
    assert_eq!(node.events().len(), events);
    assert_eq!(node.refused(send(alice, "bob@a.example", 1, "twice")), "conflict");
    for counter in 2..=300 {
        node.say(alice, "bob@a.example", counter, "more");
    }
    assert_eq!(node.refused(send(alice, "bob@a.example", 1, "once")), "too-old");
    assert_eq!(node.ok(send(alice, "bob@a.example", 300, "more")), node.ok(send(alice, "bob@a.example", 300, "more")));
    let Answer::Sent { conversation, .. } = first else { panic!() };
    assert_eq!(node.messages(bob.account, conversation).len(), 200, "a page");
    assert_eq!(delivery::top(&node.store, alice.device), 300);
}

#[test]
fn the_same_command_twice_in_one_batch_is_one_message() {
    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    let answers = node.batch(vec![
        send(alice, "bob@a.example", 1, "x"),
        send(alice, "bob@a.example", 1, "x"),
        send(alice, "bob@a.example", 2, "y"),
    ]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(node.events().iter().filter(|e| **e == "MessageAdded").count(), 2);
}

#[test]
fn a_refused_command_in_the_middle_of_a_batch_leaves_no_trace() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let answers = node.batch(vec![
        send(alice, "bob@a.example", 1, "one"),
        send(alice, "nobody@a.example", 2, "two"),
        send(alice, "bob@a.example", 2, "three"),
    ]);
    assert_eq!(answers[1].as_ref().unwrap_err().code.as_str(), "no-such-user");
    let Ok(Answer::Sent { conversation, sequence, .. }) = answers[2] else { panic!() };
    assert_eq!(sequence, 2);
    assert_eq!(node.texts(bob.account, conversation), ["one", "three"]);
}

#[test]
fn a_command_that_fails_half_way_is_undone() {
    let mut node = Node::new("a.example");
    // The account is decided on before the name of its device turns out to be too long.
    let device = NewDevice { name: "x".repeat(200), token_hash: [1; 32] };
    let create = |device| Command::CreateAccount {
        name: "alice".parse().unwrap(),
        display_name: String::new(),
        password_hash: "h".into(),
        recovery_hashes: vec![],
        admission: Admission::Operator { administrator: true },
        device: Some(device),
    };
    assert_eq!(node.refused(create(device)), "bad-value");
    assert!(accounts::by_name(&node.store, &"alice".parse().unwrap()).is_none());
    assert!(!accounts::has_administrator(&node.store));
    node.ok(create(NewDevice { name: "x".into(), token_hash: [1; 32] }));
}

#[test]
fn authors_edit_and_recall_within_their_windows_and_nobody_else_does() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(alice, "bob@a.example", 1, "helo");
    let edit = |actor: Actor, counter, words| Command::Edit { actor, conversation, sequence, counter, content: text(words) };
    let recall = |actor: Actor, counter| Command::Recall { actor, conversation, sequence, counter };
    node.now_ms += 1000;
    node.ok(edit(alice, 2, "hello"));
    assert_eq!(node.texts(bob.account, conversation), ["hello"]);
    assert_eq!(node.refused(edit(bob, 1, "mine")), "forbidden");
    assert_eq!(node.refused(recall(bob, 1)), "forbidden");
    node.ok(recall(alice, 3));
    node.ok(recall(alice, 3)); // again: the same answer
    let message = node.messages(bob.account, conversation).remove(0);
    assert!(message.recalled && message.content.is_none());
    assert_eq!(node.refused(edit(alice, 4, "again")), "recalled");
    let bodies = node
        .journal
        .0
        .lock()
        .unwrap()
        .iter()
        .filter(|r| matches!(&r.body, startalk_journal::Body::Present(b) if plain_or_none(b).is_some()))
        .count();
    assert_eq!(bodies, 0, "nothing of what was recalled is left in the journal");

    let (_, late, _) = node.say(alice, "bob@a.example", 5, "late");
    node.now_ms += 120_001;
    assert_eq!(node.refused(Command::Recall { actor: alice, conversation, sequence: late, counter: 6 }), "too-late");
}

#[test]
fn a_recall_that_may_have_been_lost_with_the_history_is_taken_after_its_window_too() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, early, _) = node.say(alice, "bob@a.example", 1, "early");
    node.now_ms += 120_001;
    let (_, secret, _) = node.say(alice, "bob@a.example", 2, "secret");
    node.now_ms += 120_000;
    let (_, other, _) = node.say(alice, "bob@a.example", 3, "other");
    let copy = startalk_journal::ReadJournal::head(&*node.journal).position;
    let recall = |sequence, counter| Command::Recall { actor: alice, conversation, sequence, counter };
    node.ok(recall(secret, 4));

    let mut restored = node.restored_to(copy);
    restored.now_ms += 86_400_000;
    assert_eq!(restored.refused(recall(secret, 4)), "too-late", "nothing was lost that it knows of");
    restored.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
    let (_, later, _) = restored.say(alice, "bob@a.example", 5, "later");
    restored.now_ms += 120_001;
    assert_eq!(restored.refused(recall(early, 6)), "too-late", "its window was over before the copy was made");
    assert_eq!(restored.refused(recall(later, 6)), "too-late", "nothing was lost after it");
    restored.say(alice, "bob@a.example", 6, "last");
    restored.ok(Command::BeginEpoch { epoch: 3, reason: "restored again".into() });
    restored.ok(recall(secret, 7));
    assert_eq!(restored.refused(recall(secret, 8)), "recalled");
    assert_eq!(restored.refused(recall(later, 8)), "too-late", "its window was over before the second cut");
    restored.ok(recall(other, 8));
    assert_eq!(restored.texts(bob.account, conversation), ["early", "(gone)", "(gone)", "later", "last"]);
}

fn plain_or_none(body: &bytes::Bytes) -> Option<String> {
    use prost::Message as _;
    let content = startalk_protocol::pb::content::Content::decode(body.slice(16..)).ok()?;
    content.kind.is_some().then(|| plain(&body.slice(16..)))
}

#[test]
fn marks_only_grow_and_never_beyond_the_head() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, ..) = node.say(alice, "bob@a.example", 1, "1");
    node.say(alice, "bob@a.example", 2, "2");
    let moved =
        |account, delivered, read| Command::MoveMarks { marks: vec![MarkMove { account, conversation, delivered, read }] };
    node.ok(moved(bob.account, 99, 1));
    let marks = |node: &Node| delivery::marks_of(&node.store, conversation, bob.account);
    assert_eq!((marks(&node).delivered, marks(&node).read), (2, 1));
    let events = node.events().len();
    node.ok(moved(bob.account, 1, 0));
    assert_eq!(node.events().len(), events, "nothing moved, nothing written");
    node.ok(moved(bob.account, 0, 2));
    assert_eq!((marks(&node).delivered, marks(&node).read), (2, 2));
}

#[test]
fn a_blocked_sender_is_told() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    node.say(alice, "bob@a.example", 1, "before");
    let block = |blocked| Command::BlockUser { account: bob.account, user: user("alice@a.example"), blocked };
    node.ok(block(true));
    assert_eq!(node.refused(send(alice, "bob@a.example", 2, "after")), "blocked");
    node.ok(block(false));
    node.ok(send(alice, "bob@a.example", 2, "after"));
}

#[test]
fn registration_follows_the_policy() {
    let mut node = Node::new("a.example");
    let create = |name: &str, admission| Command::CreateAccount {
        name: name.parse().unwrap(),
        display_name: String::new(),
        password_hash: "h".into(),
        recovery_hashes: vec![],
        admission,
        device: None,
    };
    assert_eq!(node.refused(create("a", Admission::Open)), "invitation-needed");
    let invite =
        Command::MakeInvitation { maker: 0, token_hash: [9; 32], uses: 1, valid_ms: 1000, administrator: true, groups: vec![] };
    node.ok(invite.clone());
    let Answer::Account { administrator, .. } = node.ok(create("root", Admission::Invitation([9; 32]))) else { panic!() };
    assert!(administrator && accounts::has_administrator(&node.store));
    assert_eq!(node.refused(create("b", Admission::Invitation([9; 32]))), "invitation-invalid");
    node.ok(Command::MakeInvitation {
        maker: 0,
        token_hash: [8; 32],
        uses: 2,
        valid_ms: 1000,
        administrator: false,
        groups: vec![],
    });
    node.now_ms += 1001;
    assert_eq!(node.refused(create("b", Admission::Invitation([8; 32]))), "invitation-invalid");
    let policy = |registration| Command::SetPolicy(NewPolicy { registration: Some(registration), ..NewPolicy::default() });
    node.ok(policy(Registration::Open));
    node.ok(create("b", Admission::Open));
    assert_eq!(node.refused(create("b", Admission::Open)), "name-taken");
    assert_eq!(node.refused(create("admin", Admission::Open)), "name-taken");
    node.ok(policy(Registration::Closed));
    assert_eq!(node.refused(create("c", Admission::Open)), "registration-closed");
}

#[test]
fn a_changed_password_ends_what_the_old_one_had_begun() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    let version = accounts::account(&node.store, alice.account).unwrap().password.position;
    let set = |by| Command::SetPassword { account: alice.account, password_hash: "new".into(), by };
    node.ok(set(PasswordBy::Old { version }));
    assert_eq!(node.refused(set(PasswordBy::Old { version })), "wrong-credentials");
    let device = NewDevice { name: "late".into(), token_hash: [3; 32] };
    assert_eq!(
        node.refused(Command::AddDevice { account: alice.account, password_version: version, device: device.clone() }),
        "wrong-credentials"
    );
    let recover = |hash| PasswordBy::Recovery { hash, device: device.clone() };
    assert_eq!(node.refused(set(recover([2; 32]))), "wrong-credentials");
    node.ok(set(recover([1; 32])));
    assert_eq!(node.refused(set(recover([1; 32]))), "wrong-credentials");
    let actor = accounts::by_token_hash(&node.store, &[3; 32]).unwrap();
    node.ok(Command::RevokeDevice { account: alice.account, device: actor.device });
    assert_eq!(accounts::by_token_hash(&node.store, &[3; 32]), None);
    assert_eq!(node.refused(send(actor, "alice@a.example", 1, "x")), "token-revoked");
}

#[test]
fn a_deleted_account_leaves_a_number_and_no_name() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, ..) = node.say(alice, "bob@a.example", 1, "mine");
    node.say(bob, "alice@a.example", 1, "yours");
    node.ok(Command::DeleteAccount { account: alice.account });
    node.ok(Command::EraseAuthored { account: alice.account, conversation, from: 1 });
    assert_eq!(node.texts(bob.account, conversation), ["(gone)", "yours"]);
    assert!(directory::user_id(&node.store, alice.account).is_none());
    assert_eq!(node.refused(send(bob, "alice@a.example", 2, "hello?")), "no-such-user");
    let all = node.journal.0.lock().unwrap();
    let kept: Vec<_> = all
        .iter()
        .filter(
            |r| matches!(&r.body, startalk_journal::Body::Present(b) if b.windows(5).any(|w| w.eq_ignore_ascii_case(b"alice"))),
        )
        .collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_full_disk_refuses_what_adds_and_lets_go_what_frees() {
    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(alice, "bob@a.example", 1, "x");
    node.disk_low = true;
    assert_eq!(node.refused(send(alice, "bob@a.example", 2, "y")), "disk-full");
    node.ok(Command::Recall { actor: alice, conversation, sequence, counter: 2 });
}

#[test]
fn a_device_hears_what_lies_beyond_its_cursor() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let carol = node.person("carol");
    let (with_bob, ..) = node.say(alice, "bob@a.example", 1, "1");
    let (with_carol, ..) = node.say(alice, "carol@a.example", 2, "2");
    use startalk_journal::ReadJournal;
    let cursor = node.journal.head().position;
    assert!(sync::changed_conversations(&node.store, alice.account, cursor).is_empty());
    node.say(carol, "alice@a.example", 1, "3");
    assert_eq!(sync::changed_conversations(&node.store, alice.account, cursor), [with_carol]);
    assert!(sync::changed_conversations(&node.store, bob.account, cursor).is_empty());
    let heard = sync::conversation(&node.store, &*node.journal, alice.account, with_carol, cursor).unwrap();
    assert_eq!(heard.messages.iter().map(|m| m.sequence).collect::<Vec<_>>(), [2]);
    let all = sync::changed_conversations(&node.store, alice.account, 0);
    assert_eq!(all, [with_carol, with_bob], "the newest first");
    node.ok(Command::Edit { actor: alice, conversation: with_bob, sequence: 1, counter: 3, content: text("1!") });
    let heard = sync::conversation(&node.store, &*node.journal, bob.account, with_bob, cursor).unwrap();
    assert_eq!(heard.changed.iter().map(|m| m.sequence).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_cursor_that_does_not_fit_the_journal_is_noticed() {
    use startalk_domain::sync::{CursorKey, Standing, cursor_at, standing};
    use startalk_journal::ReadJournal;
    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    node.say(alice, "bob@a.example", 1, "1");
    let head = node.journal.head().position;
    let key = CursorKey::new([5; 32]);
    let cursor = key.open(&key.seal(&cursor_at(&*node.journal, head).unwrap(), [1; 12])).unwrap();
    assert_eq!(standing(&*node.journal, &cursor).unwrap(), Standing::GoesOn(head));
    let beyond = sync::Cursor { position: head + 1, ..cursor };
    let other_history = sync::Cursor { chain_tag: [9; 8], ..cursor };
    let other_journal = sync::Cursor { journal: [2; 16], ..cursor };
    let other_epoch = sync::Cursor { epoch: 7, ..cursor };
    for cursor in [beyond, other_history, other_journal, other_epoch] {
        assert_eq!(standing(&*node.journal, &cursor).unwrap(), Standing::WentBack, "{cursor:?}");
    }
    assert_eq!(sync::proves_going_back(&node.store, &*node.journal, &cursor).unwrap(), None);
    assert_eq!(sync::proves_going_back(&node.store, &*node.journal, &beyond).unwrap(), Some(1));
    assert_eq!(sync::proves_going_back(&node.store, &*node.journal, &other_history).unwrap(), Some(1));
    assert_eq!(sync::proves_going_back(&node.store, &*node.journal, &other_journal).unwrap(), None, "says nothing of ours");
    assert_eq!(sync::proves_going_back(&node.store, &*node.journal, &other_epoch).unwrap(), None, "noticed already");
    assert!(CursorKey::new([6; 32]).open(&key.seal(&cursor, [1; 12])).is_err(), "only the node that made it reads it");
    assert!(key.open(b"short").is_err());
}

#[test]
fn what_people_write_has_limits() {
    use prost::Message as _;
    use startalk_protocol::pb::content::{Block, Code, Content, Inline, System, Text, content::Kind};
    let mut node = Node::new("a.example");
    let (alice, _) = (node.person("alice"), node.person("bob"));
    let mut check = |kind: Option<Kind>, fallback: &str, expected: &str| {
        let content = Content { fallback: fallback.into(), kind, ..Content::default() }.encode_to_vec().into();
        let command = Command::Send {
            actor: alice,
            to: Target::User(user("bob@a.example")),
            counter: 1,
            content,
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        };
        assert_eq!(node.refused(command), expected);
    };
    let inline = |inline: Inline| Some(Kind::Text(Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] }));
    check(None, "", "bad-value");
    check(inline(Inline::default()), "", "bad-value");
    check(inline(Inline { text: "x".repeat(65 * 1024), ..Inline::default() }), "", "too-large");
    check(inline(Inline { text: "a\u{7}".into(), ..Inline::default() }), "", "bad-value");
    check(inline(Inline { text: "a".into(), link: "javascript:alert(1)".into(), ..Inline::default() }), "", "bad-value");
    check(inline(Inline { text: "a".into(), mention: "nobody".into(), ..Inline::default() }), "", "bad-value");
    check(inline(Inline { text: "a".into(), marks: 16, ..Inline::default() }), "", "bad-value");
    check(Some(Kind::System(System::default())), "", "bad-value");
    check(Some(Kind::Code(Code { language: "rust".into(), source: String::new() })), "", "bad-value");
}
