//! Who may read a file, and when one is forgotten.

mod harness;

use bytes::Bytes;
use harness::{
    Node, deliver, text,
    town::{Person, Town},
};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Event, Recorded, command::Target, contacts, conversations::content::holds, domain::LAYOUT, files,
    files::NewFile, governance::NewPolicy, groups::GroupAct, replay, store::Store,
};
use startalk_protocol::pb::content::{Album, Attachment, Content, File, Line, Picture, Shake, Transcript, content::Kind};

const DAY: u64 = 24 * 3_600_000;

fn hash(of: &str) -> [u8; 32] {
    *blake3::hash(of.as_bytes()).as_bytes()
}

fn file_ref(of: &str) -> File {
    File {
        hash: Bytes::copy_from_slice(&hash(of)),
        size: of.len() as u64,
        r#type: "text/plain".into(),
        name: format!("{of}.txt"),
    }
}

fn said(kind: Kind) -> Bytes {
    Content { kind: Some(kind), ..Content::default() }.encode_to_vec().into()
}

fn attachment(of: &str) -> Bytes {
    said(Kind::Attachment(Attachment { file: Some(file_ref(of)), caption: None }))
}

fn put(node: &mut Node, actor: Actor, of: &str) {
    let file = NewFile { hash: hash(of), size: of.len() as u64, media_type: "text/plain".into(), picture: None };
    node.ok(Command::HoldFiles { account: actor.account, files: vec![file] });
}

fn send(actor: Actor, to: &str, counter: u64, content: Bytes) -> Command {
    let to = Target::User(to.parse().unwrap());
    Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None }
}

fn sent(node: &mut Node, command: Command) -> (u64, u64) {
    match node.ok(command) {
        Answer::Sent { conversation, sequence, .. } => (conversation, sequence),
        other => panic!("{other:?}"),
    }
}

fn reads(node: &Node, account: u64, place: (u64, u64), of: &str) -> bool {
    files::through(&node.store, &*node.journal, account, place.0, place.1, &hash(of)).is_ok()
}

/// All steps of forgetting, and the bytes deleted as `node/media` does; hashes of what went.
fn collect(node: &mut Node) -> Vec<[u8; 32]> {
    let mut from = 0;
    while let Answer::More { from: next, .. } = node.ok(Command::CollectFiles { from }) {
        from = next;
    }
    let gone = files::forgotten(&node.store);
    node.ok(Command::FilesGone { files: gone.iter().map(|f| f.file).collect() });
    gone.iter().map(|f| f.hash).collect()
}

fn rebuilt_alike(node: &Node) {
    let again = Store::temporary().unwrap();
    replay(&again, &*node.journal, |_, _| {}).unwrap();
    let all = |store: &Store| {
        store.flush(node.journal.0.lock().unwrap().len() as u64, [0; 8], LAYOUT).unwrap();
        store.meta().digest
    };
    assert_eq!(all(&again), all(&node.store), "views are a function of the journal");
}

#[test]
fn a_file_is_read_through_a_message_and_by_nobody_else() {
    let mut a = Node::new("a.example");
    let (alice, bob, eve) = (a.person("alice"), a.person("bob"), a.person("eve"));
    put(&mut a, alice, "plan");
    assert_eq!(files::used(&*a.store, alice.account).bytes, 4);
    let place = sent(&mut a, send(alice, "bob@a.example", 1, attachment("plan")));
    assert!(reads(&a, alice.account, place, "plan") && reads(&a, bob.account, place, "plan"));
    assert!(!reads(&a, eve.account, place, "plan"), "she is not in the conversation");
    let other = sent(&mut a, send(alice, "bob@a.example", 2, text("hello")));
    assert!(!reads(&a, bob.account, other, "plan"), "that message refers to no file");
    a.ok(Command::Recall { actor: alice, conversation: place.0, sequence: place.1, counter: 3 });
    assert!(!reads(&a, bob.account, place, "plan") && !reads(&a, alice.account, place, "plan"), "it was taken back");
    assert!(files::own(&*a.store, alice.account, &hash("plan")).is_some(), "she has put it here");
    rebuilt_alike(&a);
}

#[test]
fn a_hash_that_somebody_knows_gives_nothing() {
    let mut a = Node::new("a.example");
    let (alice, bob, eve) = (a.person("alice"), a.person("bob"), a.person("eve"));
    put(&mut a, alice, "secret");
    sent(&mut a, send(alice, "bob@a.example", 1, attachment("secret")));
    let may = |a: &Node, who: Actor| files::may_read(&a.store, &*a.journal, who.account, &hash("secret")).is_some();
    assert!(may(&a, alice) && may(&a, bob));
    assert!(!may(&a, eve), "asked by hash: she has it not");
    assert_eq!(a.refused(send(eve, "eve@a.example", 1, attachment("secret"))), "no-such-file");
    let nested = Transcript { title: "x".into(), lines: vec![Line { content: attachment("secret"), ..Line::default() }] };
    assert_eq!(a.refused(send(eve, "eve@a.example", 1, said(Kind::Transcript(nested.clone())))), "no-such-file");
    // Who may read it may send it on, and who got it so may, too.
    sent(&mut a, send(bob, "eve@a.example", 1, said(Kind::Transcript(nested))));
    assert!(may(&a, eve));
    // The size is what it is.
    let lie = File { size: 5, ..file_ref("secret") };
    let lie = said(Kind::Attachment(Attachment { file: Some(lie), caption: None }));
    assert_eq!(a.refused(send(alice, "bob@a.example", 2, lie)), "bad-value");
}

#[test]
fn what_another_domain_names_is_not_taken_from_what_is_here() {
    let (mut a, mut b) = harness::town::neighbours();
    let (alice, bob, carol) = (a.person("alice"), b.person("bob"), a.person("carol"));
    put(&mut a, carol, "secret");
    // Bob knows the hash of Carol's file, and names it to Alice, who conspires with him.
    put(&mut b, bob, "secret");
    sent(&mut a, send(alice, "bob@b.example", 1, text("hello")));
    deliver(&a, &mut b);
    sent(&mut b, send(bob, "alice@a.example", 1, attachment("secret")));
    deliver(&b, &mut a);
    let conversation = contacts::conversations(&*a.store, alice.account)[0];
    let here = files::through(&a.store, &*a.journal, alice.account, conversation, 2, &hash("secret")).unwrap();
    assert_ne!(here.origin, 0, "it is Bob's domain that is asked for the bytes");
    assert_eq!(files::source(&a.store, &*a.journal, here.file), Some((conversation, 2)));
    assert!(files::own(&*a.store, alice.account, &hash("secret")).is_none());
    // She sends it on: the copy stays, whatever becomes of the cache.
    assert!(!files::is_pinned(&*a.store, here.file));
    let on = sent(&mut a, send(alice, "carol@a.example", 2, attachment("secret")));
    let through = files::through(&a.store, &*a.journal, carol.account, on.0, on.1, &hash("secret")).unwrap();
    assert_eq!(through.file, here.file, "Alice had it from Bob, and so has Carol, though she holds the same bytes");
    assert!(files::is_pinned(&*a.store, here.file));
    rebuilt_alike(&a);
}

#[test]
fn a_group_file_follows_the_intervals_of_membership() {
    let mut a = Node::new("a.example");
    let (mut alice, bob, carol) = (Person::at(&mut a, "alice"), Person::at(&mut a, "bob"), Person::at(&mut a, "carol"));
    let group = alice.create(&mut a, &["bob@a.example"]);
    let say = |alice: &mut Person, a: &mut Node, of: &str| {
        put(a, alice.actor, of);
        alice.counter += 1;
        let (actor, counter, to) = (alice.actor, alice.counter, Target::Conversation(group));
        let content = attachment(of);
        sent(a, Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None })
    };
    let first = say(&mut alice, &mut a, "early");
    let add = alice.act(group, GroupAct::Add("carol@a.example".parse().unwrap()));
    a.ok(add);
    let second = say(&mut alice, &mut a, "between");
    let remove = alice.act(group, GroupAct::Remove("bob@a.example".parse().unwrap()));
    a.ok(remove);
    let third = say(&mut alice, &mut a, "late");
    let read = |who: &Person| {
        [(first, "early"), (second, "between"), (third, "late")].map(|(p, of)| reads(&a, who.actor.account, p, of))
    };
    assert_eq!(read(&alice), [true, true, true]);
    assert_eq!(read(&bob), [true, true, false], "he was removed before the last");
    assert_eq!(read(&carol), [false, true, true], "she came after the first");
    let listed = |who: &Person| {
        let (all, whole) = files::listed(&a.store, &*a.journal, who.actor.account, group, holds::FILE, 0, 10).unwrap();
        assert!(whole);
        all.iter().map(|m| m.sequence).collect::<Vec<_>>()
    };
    assert_eq!(listed(&alice), [third.1, second.1, first.1]);
    assert_eq!((listed(&bob), listed(&carol)), (vec![second.1, first.1], vec![third.1, second.1]));
    rebuilt_alike(&a);
}

#[test]
fn a_group_of_two_domains_knows_whose_files_they_are() {
    let mut town = Town::new();
    put(&mut town.b, town.bob.actor, "from bob");
    put(&mut town.a, town.alice.actor, "from alice");
    let say = |person: &mut Person, group, of| {
        person.counter += 1;
        let (actor, counter, to) = (person.actor, person.counter, Target::Conversation(group));
        Command::Send { actor, to, counter, content: attachment(of), reply_to: None, reply_sequence: 0, known_id: None }
    };
    let command = say(&mut town.bob, town.group_b, "from bob");
    town.b.ok(command);
    let command = say(&mut town.alice, town.group_a, "from alice");
    town.a.ok(command);
    assert_eq!(town.exchange(), []);
    let origin = |node: &Node, account: u64, group: u64, of: &str| {
        let place = node.messages(account, group).iter().find(|m| m.content == Some(attachment(of))).unwrap().sequence;
        files::through(&node.store, &*node.journal, account, group, place, &hash(of)).unwrap().origin
    };
    let (alice, bob) = (town.alice.actor.account, town.bob.actor.account);
    assert_eq!(origin(&town.a, alice, town.group_a, "from alice"), 0);
    assert_ne!(origin(&town.a, alice, town.group_a, "from bob"), 0);
    assert_eq!(origin(&town.b, bob, town.group_b, "from bob"), 0, "his own, also as the home has recorded it");
    assert_ne!(origin(&town.b, bob, town.group_b, "from alice"), 0);
    for node in [&town.a, &town.b] {
        rebuilt_alike(node);
    }
}

#[test]
fn a_file_is_forgotten_when_nothing_refers_to_it() {
    let mut a = Node::new("a.example");
    let (alice, bob) = (a.person("alice"), a.person("bob"));
    put(&mut a, alice, "sent");
    put(&mut a, alice, "not sent");
    put(&mut a, bob, "sent");
    let place = sent(&mut a, send(alice, "bob@a.example", 1, attachment("sent")));
    let on = sent(&mut a, send(bob, "bob@a.example", 1, attachment("sent")));
    assert!(collect(&mut a).is_empty(), "what was put here today is held");
    a.now_ms += DAY + 1;
    assert_eq!(collect(&mut a), [hash("not sent")]);
    assert_eq!(files::used(&*a.store, alice.account).bytes, 4, "what her message refers to counts");
    // The window of recalling is over; the account's messages go with it.
    a.ok(Command::EraseAuthored { account: alice.account, conversation: place.0, from: 1 });
    assert!(collect(&mut a).is_empty(), "Bob has it in his notes");
    assert_eq!(files::used(&*a.store, alice.account), files::Used::default());
    assert!(reads(&a, bob.account, on, "sent"));
    assert!(files::is_stored(&*a.store, &hash("sent")));
    a.ok(Command::EraseAuthored { account: bob.account, conversation: on.0, from: 1 });
    assert_eq!(collect(&mut a), [hash("sent")]);
    assert!(!files::is_stored(&*a.store, &hash("sent")));
    assert!(
        !a.journal
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|r| matches!(&r.body, startalk_journal::Body::Present(b) if b.windows(32).any(|w| w == hash("sent")))),
        "nothing says any more that somebody once had these bytes"
    );
    rebuilt_alike(&a);
    // The same bytes again are a new file.
    put(&mut a, alice, "sent");
    assert!(files::is_stored(&*a.store, &hash("sent")));
}

#[test]
fn bytes_that_come_again_while_they_are_to_go_are_stored() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    put(&mut a, alice, "again");
    a.now_ms += DAY + 1;
    a.ok(Command::CollectFiles { from: 0 });
    let to_go = files::forgotten(&*a.store);
    assert_eq!((to_go.len(), files::is_stored(&*a.store, &hash("again"))), (1, false));
    put(&mut a, alice, "again");
    assert!(files::is_stored(&*a.store, &hash("again")), "whoever deletes asks this first");
    a.ok(Command::FilesGone { files: vec![to_go[0].file] });
    assert!(files::own(&*a.store, alice.account, &hash("again")).is_some());
    assert_eq!(files::used(&*a.store, alice.account).files, 1);
    rebuilt_alike(&a);
}

#[test]
fn files_have_limits_and_an_account_a_quota() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    let limit = NewPolicy { file_bytes_max: Some(100), files_bytes_per_account: Some(150), ..NewPolicy::default() };
    a.ok(Command::SetPolicy(limit));
    let new = |of: &str, size| NewFile { hash: hash(of), size, media_type: String::new(), picture: None };
    let hold = |files| Command::HoldFiles { account: alice.account, files };
    assert_eq!(a.refused(hold(vec![new("a", 101)])), "file-too-large");
    a.ok(hold(vec![new("a", 100)]));
    a.ok(hold(vec![new("a", 100)])); // held already, and counted once
    assert_eq!(a.refused(hold(vec![new("b", 51)])), "over-file-quota");
    assert_eq!(files::may_upload(&*a.store, alice.account, 51).unwrap_err().code.as_str(), "over-file-quota");
    a.ok(hold(vec![new("b", 50)]));
    assert_eq!(files::used(&*a.store, alice.account), files::Used { files: 2, bytes: 150 });
    a.ok(Command::SetPolicy(NewPolicy { files_bytes_per_account: Some(0), ..NewPolicy::default() }));
    a.ok(hold(vec![new("c", 100)]));
    rebuilt_alike(&a);
}

#[test]
fn an_edit_brings_no_file_in() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    put(&mut a, alice, "one");
    put(&mut a, alice, "two");
    let place = sent(&mut a, send(alice, "alice@a.example", 1, attachment("one")));
    let edit = |counter, content| Command::Edit { actor: alice, conversation: place.0, sequence: place.1, counter, content };
    assert_eq!(a.refused(edit(2, attachment("two"))), "bad-value");
    let captioned = |caption: &str| {
        let Some(Kind::Text(caption)) = Content::decode(text(caption)).unwrap().kind else { unreachable!() };
        said(Kind::Attachment(Attachment { file: Some(file_ref("one")), caption: Some(caption) }))
    };
    a.ok(edit(2, captioned("which it is")));
    assert!(reads(&a, alice.account, place, "one"));
    a.ok(edit(3, text("never mind")));
    assert!(!reads(&a, alice.account, place, "one"), "what it says now refers to no file");
}

#[test]
fn the_form_of_every_kind_is_judged() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    put(&mut a, alice, "x");
    let picture = |width| Picture { file: Some(file_ref("x")), width, height: 3, ..Picture::default() };
    let album = |pictures| said(Kind::Album(Album { pictures, caption: None }));
    let mut counter = 0;
    let mut says = |content: Bytes| {
        counter += 1;
        a.run(send(alice, "alice@a.example", counter, content)).err().map(|e| e.code.as_str())
    };
    assert_eq!(says(album(vec![picture(4)])), None);
    assert_eq!(says(album(Vec::new())), Some("bad-value"));
    assert_eq!(says(album(vec![picture(4); 31])), Some("bad-value"));
    assert_eq!(says(album(vec![picture(65_536)])), Some("bad-value"));
    let named = |name: &str| {
        said(Kind::Attachment(Attachment { file: Some(File { name: name.into(), ..file_ref("x") }), caption: None }))
    };
    assert_eq!(says(named("../../etc/passwd")), Some("bad-value"));
    assert_eq!(says(named("gnp.\u{202e}exe")), Some("bad-value"));
    assert_eq!(says(named("报告 v2.pdf")), None);
    let mut deep = attachment("x");
    for _ in 0..3 {
        deep = said(Kind::Transcript(Transcript { title: "t".into(), lines: vec![Line { content: deep, ..Line::default() }] }));
    }
    assert_eq!(says(deep.clone()), None, "three in each other");
    deep = said(Kind::Transcript(Transcript { title: "t".into(), lines: vec![Line { content: deep, ..Line::default() }] }));
    assert_eq!(says(deep), Some("bad-value"));
    let burning = Content { burn_s: 5, ..Content::decode(attachment("x")).unwrap() };
    let line = Line { content: burning.encode_to_vec().into(), ..Line::default() };
    assert_eq!(says(said(Kind::Transcript(Transcript { title: "t".into(), lines: vec![line] }))), Some("bad-value"));
    assert_eq!(says(said(Kind::Shake(Shake {}))), None);
    assert_eq!(says(said(Kind::Shake(Shake {}))), Some("slow-down"));
}

#[test]
fn what_refers_to_files_says_so_in_its_facts() {
    let mut a = Node::new("a.example");
    let alice = a.person("alice");
    put(&mut a, alice, "x");
    sent(&mut a, send(alice, "alice@a.example", 1, attachment("x")));
    let last = a.journal.0.lock().unwrap().last().cloned().unwrap();
    let Event::MessageAdded(facts, _) = Recorded::read(&last).unwrap().event else { panic!("a message is last") };
    assert_eq!((facts.files, facts.holds), (vec![1], holds::FILE));
}
