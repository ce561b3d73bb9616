//! Who is told of what while they do not look, and how a device comes to be reached and ceases to be.

mod harness;

use harness::{Node, send, text, town::Person};
use startalk_domain::{
    Actor, Command, Recorded,
    command::{MarkMove, Target},
    groups::GroupAct,
    notify::{self, Because, Heard, NewSubscription, Notice, Settings, Unreached, heard},
};
use startalk_journal::{Body, ReadJournal as _};

fn subscription(endpoint: &str) -> NewSubscription {
    NewSubscription { endpoint: endpoint.to_owned(), p256dh: [vec![4], vec![1; 64]].concat(), auth: vec![2; 16] }
}

fn subscribe(actor: Actor, endpoint: &str) -> Command {
    Command::SubscribePush { account: actor.account, device: actor.device, subscription: subscription(endpoint) }
}

fn notice(node: &Node, account: u64, conversation: u64, sequence: u64) -> Option<Notice> {
    notify::notice(
        &node.store,
        &*node.journal,
        account,
        conversation,
        sequence,
        (node.now_ms, startalk_domain::context::utc_only),
    )
}

/// What the newest record means that means anything.
fn last_heard(node: &Node) -> Vec<Heard> {
    let head = node.journal.head().position;
    let all = (1..=head).rev().map(|p| heard(&node.store, &Recorded::read(&node.journal.read(p).unwrap()).unwrap()));
    all.into_iter().find(|h| !h.is_empty()).unwrap_or_default()
}

/// Whether the bodies of all subscriptions and settings but those at the end of each device are erased.
fn bodies(node: &Node, name: &str) -> Vec<bool> {
    let head = node.journal.head().position;
    let records = (1..=head).map(|p| node.journal.read(p).unwrap());
    let of_kind = records.filter(|r| Recorded::read(r).unwrap().event.name() == name);
    of_kind.map(|r| matches!(r.body, Body::Present(_))).collect()
}

#[test]
fn a_device_has_one_subscription_and_the_body_of_the_one_before_is_erased() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    node.ok(subscribe(alice, "https://push.example/1"));
    let records = node.events().len();
    node.ok(subscribe(alice, "https://push.example/1"));
    assert_eq!(node.events().len(), records, "the same again is nothing new");
    node.ok(subscribe(alice, "https://push.example/2"));
    node.ok(subscribe(bob, "https://push.example/2"));
    assert_eq!(notify::reached_devices(&*node.store), 2);
    let endpoints: Vec<String> = notify::subscriptions(&*node.store, alice.account).iter().map(|s| s.endpoint.clone()).collect();
    assert_eq!(endpoints, ["https://push.example/2"]);
    assert_eq!(bodies(&node, "PushSubscribed"), [false, true, true]);
}

#[test]
fn what_a_device_says_of_its_push_service_is_judged() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    let long = format!("https://push.example/{}", "x".repeat(1024));
    for endpoint in [
        "",
        "http://push.example/1",
        "https://",
        "https:///x",
        "https://a@b.example/",
        "https://a.example/#x",
        "https://a.example/ x",
        "https://é.example/",
        &long,
    ] {
        assert_eq!(node.refused(subscribe(alice, endpoint)), "bad-value", "{endpoint}");
    }
    let with = |p256dh: Vec<u8>, auth: Vec<u8>| Command::SubscribePush {
        account: alice.account,
        device: alice.device,
        subscription: NewSubscription { endpoint: "https://push.example/1".into(), p256dh, auth },
    };
    for (p256dh, auth) in
        [(vec![4; 64], vec![0; 16]), (vec![], vec![0; 16]), (vec![2; 65], vec![0; 16]), (vec![4; 65], vec![0; 15])]
    {
        assert_eq!(node.refused(with(p256dh, auth)), "bad-value");
    }
    let nobodys = Command::SubscribePush { account: alice.account, device: 99, subscription: subscription("https://x.example/") };
    assert_eq!(node.refused(nobodys), "no-such-device");
    assert_eq!(notify::reached_devices(&*node.store), 0);
}

#[test]
fn an_endpoint_that_went_ends_only_the_subscription_that_was_meant() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    node.ok(subscribe(alice, "https://push.example/1"));
    let old = notify::subscription(&*node.store, alice.account, alice.device).unwrap().position;
    node.ok(subscribe(alice, "https://push.example/2"));
    let gone =
        |position| Command::UnsubscribePush { account: alice.account, device: alice.device, position, why: Unreached::Gone };
    node.ok(gone(old));
    assert_eq!(notify::reached_devices(&*node.store), 1, "a later one is not meant");
    let new = notify::subscription(&*node.store, alice.account, alice.device).unwrap().position;
    node.ok(gone(new));
    node.ok(gone(new));
    assert_eq!(notify::reached_devices(&*node.store), 0);
    assert!(!notify::is_reached(&*node.store, alice.account));
    assert_eq!(bodies(&node, "PushSubscribed"), [false, false]);
}

#[test]
fn a_device_that_is_signed_out_and_an_account_that_is_deleted_leave_nothing() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let settings = Settings { keywords: vec!["secret".into()], ..Settings::default() };
    for who in [alice, bob] {
        node.ok(subscribe(who, "https://push.example/1"));
        node.ok(Command::SetNotify { account: who.account, settings: settings.clone() });
    }
    node.ok(Command::RevokeDevice { account: alice.account, device: alice.device });
    node.ok(Command::DeleteAccount { account: bob.account });
    assert_eq!(notify::reached_devices(&*node.store), 0);
    assert_eq!(bodies(&node, "PushSubscribed"), [false, false]);
    assert_eq!(bodies(&node, "NotifySet"), [true, false], "the first is still an account's");
    assert_eq!(*notify::settings(&*node.store, bob.account), Settings::default());
}

#[test]
fn settings_are_judged_and_what_was_said_before_is_erased() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    let set = |settings| Command::SetNotify { account: alice.account, settings };
    for wrong in [
        Settings { quiet_from_min: 1440, ..Settings::default() },
        Settings { offset_min: 841, ..Settings::default() },
        Settings { keywords: vec![" ".into()], ..Settings::default() },
        Settings { keywords: vec!["x".repeat(65)], ..Settings::default() },
        Settings { keywords: vec!["a\u{202e}b".into()], ..Settings::default() },
    ] {
        assert_eq!(node.refused(set(wrong)), "bad-value");
    }
    let many = (0..51).map(|n| n.to_string()).collect();
    assert_eq!(node.refused(set(Settings { keywords: many, ..Settings::default() })), "too-many");
    node.ok(set(Settings { keywords: vec![" a ".into(), "a".into()], ..Settings::default() }));
    assert_eq!(notify::settings(&*node.store, alice.account).keywords, ["a"]);
    node.ok(set(Settings { hidden: true, ..Settings::default() }));
    assert_eq!(bodies(&node, "NotifySet"), [false, true]);
}

#[test]
fn a_message_is_told_until_it_is_read_taken_back_or_muted() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, id) = node.say(alice, "bob@a.example", 1, "hello");
    assert_eq!(last_heard(&node), [], "nobody is reached");
    node.ok(subscribe(bob, "https://push.example/1"));
    node.ok(subscribe(alice, "https://push.example/2"));
    let (_, second, _) = node.say(alice, "bob@a.example", 2, "你好");
    assert_eq!(last_heard(&node), [Heard::Said { conversation, sequence: second, accounts: vec![bob.account] }]);
    let told = notice(&node, bob.account, conversation, sequence).unwrap();
    assert_eq!((told.text.as_str(), told.id, told.because), ("hello", id, Because::Message));
    assert_eq!((told.badge, told.unread, told.is_group, told.hidden), (2, 2, false, false));
    assert_eq!(told.from.unwrap().to_string(), "alice@a.example");
    assert_eq!(notice(&node, alice.account, conversation, sequence), None, "one's own");
    let carol = node.person("carol");
    assert_eq!(notice(&node, carol.account, conversation, sequence), None, "none of hers");

    let mark = MarkMove { account: bob.account, conversation, delivered: sequence, read: sequence };
    node.ok(Command::MoveMarks { marks: vec![mark] });
    assert_eq!(last_heard(&node), [Heard::Read { account: bob.account, conversation, sequence }]);
    assert_eq!(notice(&node, bob.account, conversation, sequence), None);
    assert_eq!(notice(&node, bob.account, conversation, second).unwrap().badge, 1);

    let muted =
        |muted_until_ms| Command::SetConversation { account: bob.account, conversation, muted_until_ms, mentions_only: false };
    node.ok(muted(i64::MAX));
    assert_eq!(notice(&node, bob.account, conversation, second), None);
    node.ok(muted(0));
    node.ok(Command::Recall { actor: alice, conversation, sequence: second, counter: 3 });
    assert_eq!(last_heard(&node), [Heard::Recalled { conversation, sequence: second, accounts: vec![bob.account] }]);
    assert_eq!(notice(&node, bob.account, conversation, second), None);

    let (_, third, _) = node.say(alice, "bob@a.example", 4, "more");
    assert!(notice(&node, bob.account, conversation, third).is_some());
    node.ok(Command::BlockUser { account: bob.account, user: harness::user("alice@a.example"), blocked: true });
    assert_eq!(notice(&node, bob.account, conversation, third), None);
}

#[test]
fn an_edited_message_is_told_as_it_is_now_and_hidden_content_says_so() {
    let mut node = Node::new("a.example");
    let (alice, bob) = (node.person("alice"), node.person("bob"));
    let (conversation, sequence, _) = node.say(alice, "bob@a.example", 1, "first");
    node.ok(Command::Edit { actor: alice, conversation, sequence, counter: 2, content: text("second") });
    node.ok(Command::SetNotify { account: bob.account, settings: Settings { hidden: true, ..Settings::default() } });
    let told = notice(&node, bob.account, conversation, sequence).unwrap();
    assert_eq!((told.text.as_str(), told.hidden, told.badge), ("second", true, 1));
}

#[test]
fn in_a_group_those_are_told_who_may_read_the_message() {
    let mut node = Node::new("a.example");
    let mut alice = Person::at(&mut node, "alice");
    let (bob, carol) = (node.person("bob"), node.person("carol"));
    for who in [alice.actor, bob, carol] {
        node.ok(subscribe(who, "https://push.example/1"));
    }
    let group = alice.create(&mut node, &["bob@a.example"]);
    assert_eq!(last_heard(&node).len(), 1, "that somebody came in is told nobody");
    let Heard::Otherwise { .. } = &last_heard(&node)[0] else { panic!() };
    node.ok(alice.say(group, "before"));
    let before = startalk_domain::timeline::head(&*node.store, group).sequence;
    assert_eq!(last_heard(&node), [Heard::Said { conversation: group, sequence: before, accounts: vec![bob.account] }]);
    node.ok(alice.act(group, GroupAct::Add(harness::user("carol@a.example"))));
    node.ok(alice.say(group, "after"));
    let after = startalk_domain::timeline::head(&*node.store, group).sequence;
    assert!(notice(&node, carol.account, group, before).is_none(), "she was not in");
    let told = notice(&node, carol.account, group, after).unwrap();
    assert_eq!((told.is_group, told.text.as_str(), told.unread), (true, "after", 1));
    node.ok(alice.act(group, GroupAct::Remove(harness::user("bob@a.example"))));
    assert!(notice(&node, bob.account, group, before).is_none(), "he is out");
    assert!(notice(&node, carol.account, group, after + 1).is_none(), "a line of the system");
}

#[test]
fn a_stranger_of_another_domain_is_told_by_address_alone() {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    a.meet(&b);
    b.meet(&a);
    let (alice, bob) = (a.person("alice"), b.person("bob"));
    b.ok(subscribe(bob, "https://push.example/1"));
    a.ok(send(alice, "bob@b.example", 1, "win a prize"));
    harness::deliver(&a, &mut b);
    let conversation = startalk_domain::contacts::conversations(&*b.store, bob.account)[0];
    let told = notice(&b, bob.account, conversation, 1).unwrap();
    assert_eq!((told.because, told.text.as_str(), told.sender.as_str(), told.badge), (Because::Request, "", "", 0));
    assert_eq!(told.from.unwrap().to_string(), "alice@a.example");
    b.ok(Command::DecideRequest { account: bob.account, conversation, accept: true });
    let told = notice(&b, bob.account, conversation, 1).unwrap();
    assert_eq!((told.because, told.text.as_str(), told.badge), (Because::Message, "win a prize", 1));
    let reply = Command::Send {
        actor: bob,
        to: Target::Conversation(conversation),
        counter: 1,
        content: text("no"),
        reply_to: None,
        reply_sequence: 0,
        known_id: None,
    };
    b.ok(reply);
    assert_eq!(notice(&b, bob.account, conversation, 2), None);
}

#[test]
fn an_invitation_from_elsewhere_is_told_by_who_invites_until_it_is_decided() {
    let (mut a, mut b) = harness::town::neighbours();
    let (mut alice, mut bob) = (Person::at(&mut a, "alice"), Person::at(&mut b, "bob"));
    let account = bob.actor.account;
    b.ok(subscribe(bob.actor, "https://push.example/1"));
    let groups = [alice.create(&mut a, &["bob@b.example"]), alice.create(&mut a, &["bob@b.example"])];
    harness::deliver(&a, &mut b);
    let heard = last_heard(&b);
    let [Heard::Said { conversation, sequence, accounts }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((*conversation, &accounts[..]), (notify::NO_CONVERSATION, &[account][..]));
    let told = notice(&b, account, *conversation, *sequence).unwrap();
    assert_eq!((told.because, told.group.as_str(), told.unread, told.badge), (Because::Invitation, "", 2, 0));
    assert_eq!(told.from.unwrap().to_string(), "alice@a.example");
    assert_eq!(notice(&b, account, *conversation, *sequence + 1), None);
    b.ok(bob.accept(&harness::town::id_of(&a, groups[1])));
    assert_eq!(notice(&b, account, *conversation, *sequence), None, "it was decided");
    assert_eq!(last_heard(&b), heard, "another one waits");
    b.ok(bob.accept(&harness::town::id_of(&a, groups[0])));
    let decided = b.journal.head().position;
    let over = last_heard(&b);
    let [Heard::Read { conversation, sequence, .. }] = &over[..] else { panic!("{over:?}") };
    assert!(*conversation == notify::NO_CONVERSATION && *sequence <= decided, "{over:?}");
}

#[test]
fn no_bytes_make_the_judge_of_endpoints_panic() {
    let corpus: [&[u8]; 4] =
        [b"https://push.example/a?b", b"https://[::1]:8443/x", "https://\u{e9}.example/".as_bytes(), b"https://a@b.example/#x"];
    let mut random = harness::Seeded(5);
    for _ in 0..6000 {
        let mut bytes = corpus[random.below(4) as usize].to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes.insert(at, random.below(256) as u8),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes[at] = random.below(256) as u8,
            }
        }
        notify::check(&bytes);
    }
}
