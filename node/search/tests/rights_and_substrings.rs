//! After any history of joins, leaves, edits, recalls and deleted accounts: every part of a message that somebody may read
//! finds it, and nothing comes out that they may not read; the same when the index was deleted and made again.

#[path = "../../domain/tests/harness/mod.rs"]
mod harness;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use harness::{Node, Seeded, plain, send, text, town::Person, user};
use proptest::prelude::*;
use startalk_domain::{
    Answer, Command, Views, accounts, contacts, conversations, directory, governance::NewPolicy, groups::GroupAct,
};
use startalk_journal::ReadJournal as _;
use startalk_search::{PAGE_MAX, Question, Search};

/// Few characters, so that everything is found in many places; in both scripts.
const ALPHABET: [char; 12] = ['星', '语', '語', '汉', '漢', '发', '發', '髮', '国', '國', '，', 'a'];
const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// The same character in the script that the search compares in: told here once more, to see that it is right.
fn simple(text: &str) -> String {
    let fold = |c| match c {
        '語' => '语',
        '漢' => '汉',
        '發' | '髮' => '发',
        '國' => '国',
        c => c,
    };
    text.chars().map(fold).collect()
}

struct World {
    node: Node,
    people: Vec<Person>,
    conversations: BTreeSet<u64>,
    random: Seeded,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut node = Node::new("a.example");
        let mut people: Vec<Person> = NAMES.iter().map(|n| Person::at(&mut node, n)).collect();
        let conversations = [people[0].create(&mut node, &["bob@a.example"]), people[1].create(&mut node, &[])].into();
        Self { node, people, conversations, random: Seeded(seed) }
    }

    fn words(&mut self) -> String {
        let length = 1 + self.random.below(9);
        (0..length).map(|_| ALPHABET[usize::try_from(self.random.below(ALPHABET.len() as u64)).unwrap()]).collect()
    }

    fn step(&mut self) {
        let who = usize::try_from(self.random.below(self.people.len() as u64)).unwrap();
        let other = usize::try_from(self.random.below(self.people.len() as u64)).unwrap();
        let all: Vec<u64> = self.conversations.iter().copied().collect();
        let conversation = all[usize::try_from(self.random.below(all.len() as u64)).unwrap()];
        let words = self.words();
        let actor = self.people[who].actor;
        let id = user(&format!("{}@a.example", NAMES[other]));
        let kind = self.random.below(20);
        let result = match kind {
            0..=7 => {
                let say = self.people[who].say(conversation, &words);
                self.node.run(say)
            }
            8 => {
                self.people[who].counter += 1;
                let command = send(actor, &id.to_string(), self.people[who].counter, &words);
                self.node.run(command)
            }
            9..=11 => {
                let act = self.people[who].act(conversation, GroupAct::Add(id));
                self.node.run(act)
            }
            12 => {
                let act = self.people[who].act(conversation, GroupAct::Leave);
                self.node.run(act)
            }
            13 => {
                let act = self.people[who].act(conversation, GroupAct::Remove(id));
                self.node.run(act)
            }
            14..=18 => {
                let head = startalk_domain::timeline::head(&*self.node.store, conversation).sequence;
                let sequence = 1 + self.random.below(head.max(1));
                self.people[who].counter += 1;
                let counter = self.people[who].counter;
                self.node.run(if kind < 18 {
                    Command::Edit { actor, conversation, sequence, counter, content: text(&words) }
                } else {
                    Command::Recall { actor, conversation, sequence, counter }
                })
            }
            _ if self.random.below(6) == 0 => {
                self.delete(who);
                return;
            }
            _ => return,
        };
        if let Ok(Answer::Sent { conversation, .. }) = result {
            self.conversations.insert(conversation);
        }
    }

    fn delete(&mut self, who: usize) {
        let account = self.people[who].actor.account;
        let all = contacts::conversations(&*self.node.store, account);
        if self.node.run(Command::DeleteAccount { account }).is_err() {
            return;
        }
        while harness::town::go_on(&mut self.node) {}
        for conversation in all {
            let mut from = 1;
            while let Ok(Answer::More { from: next, .. }) = self.node.run(Command::EraseAuthored { account, conversation, from })
            {
                from = next;
            }
        }
    }

    fn views(&self) -> Views {
        Views { store: self.node.store.clone(), journal: self.node.journal.clone() }
    }
}

fn started(world: &World, folder: &Path) -> Arc<Search> {
    Search::start(world.views(), folder.to_path_buf()).unwrap()
}

fn wait(world: &World, search: &Search) {
    search.committed(world.node.journal.head().position);
    for _ in 0..6_000 {
        let (read_to, head) = search.progress();
        if read_to == head {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the index does not come to the head: {:?}", search.progress());
}

/// Files that were being merged when the search was stopped may still be written.
fn remove(folder: &Path) {
    while folder.exists() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// All hits, over all pages: conversation and sequence.
fn found(search: &Search, account: u64, query: &str, limit: usize) -> Vec<(u64, u64, String)> {
    let (mut all, mut next) = (Vec::new(), Vec::new());
    loop {
        let question = Question { query: query.into(), messages: true, limit, next, ..Question::default() };
        let page = search.find(account, &question).unwrap();
        assert!(page.messages.len() <= limit);
        assert!(page.next.is_empty() || page.messages.len() == limit, "a page says nothing of what was left out");
        all.extend(
            page.messages.iter().map(|m| (m.conversation, m.message.sequence, plain(m.message.content.as_ref().unwrap()))),
        );
        next = page.next;
        if next.is_empty() {
            return all;
        }
    }
}

/// What an account may read, and whether what it says now is theirs too.
fn readable(world: &World, account: u64) -> BTreeMap<(u64, u64), (String, bool)> {
    let (store, journal) = (&world.node.store, &*world.node.journal);
    let mut all = BTreeMap::new();
    for conversation in contacts::conversations(&**store, account) {
        let Ok(reader) = conversations::reader(&store.snapshot(), conversation, account) else { continue };
        for message in world.node.messages(account, conversation) {
            let words = message.content.as_ref().map(plain).unwrap_or_default();
            if words.is_empty() || words.starts_with("Some(System") {
                continue;
            }
            let latest = conversations::latest(store, journal, conversation, message.sequence, None).unwrap().unwrap();
            all.insert((conversation, message.sequence), (words, reader.may_read(latest.said_at)));
        }
    }
    all
}

fn check(world: &World, search: &Search) {
    for person in &world.people {
        let account = person.actor.account;
        let mine = readable(world, account);
        let live = accounts::account(&*world.node.store, account).is_some_and(|a| a.is_live());
        if !live {
            continue;
        }
        let mut parts = BTreeSet::new();
        for (words, _) in mine.values() {
            let chars: Vec<char> = words.chars().collect();
            for from in 0..chars.len() {
                for to in from + 2..=chars.len() {
                    if chars[from..to].iter().all(|c| !matches!(c, '，' | 'a')) {
                        parts.insert(chars[from..to].iter().collect::<String>());
                    }
                }
            }
        }
        // Also what nobody or somebody else has said.
        parts.extend(["国国", "漢語", "发星", "語語語"].map(str::to_owned));
        for part in &parts {
            let hits = found(search, account, part, if part.chars().count() == 2 { 3 } else { PAGE_MAX });
            let expected: BTreeSet<(u64, u64)> =
                mine.iter().filter(|(_, (w, now))| *now && simple(w).contains(&simple(part))).map(|(k, _)| *k).collect();
            let got: BTreeSet<(u64, u64)> = hits.iter().map(|(c, s, _)| (*c, *s)).collect();
            assert_eq!(got.len(), hits.len(), "nothing comes twice");
            assert_eq!(got, expected, "{part} for {account}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_part_of_what_one_may_read_finds_it_and_nothing_else_comes_out(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("search");
        (0..60).for_each(|_| world.step());
        let search = started(&world, &path);
        wait(&world, &search);
        check(&world, &search);
        (0..60).for_each(|_| world.step());
        wait(&world, &search);
        check(&world, &search);
        search.stop();
        (0..20).for_each(|_| world.step());
        let search = started(&world, &path);
        wait(&world, &search);
        check(&world, &search);
        search.stop();
        remove(&path);
        let search = started(&world, &path);
        wait(&world, &search);
        check(&world, &search);
    }
}

#[test]
fn an_edit_made_while_one_was_away_is_not_found_by_them() {
    let mut world = World::new(1);
    let group = *world.conversations.first().unwrap();
    let say = world.people[0].say(group, "星语");
    let Answer::Sent { sequence, .. } = world.node.ok(say) else { panic!() };
    let leave = world.people[1].act(group, GroupAct::Leave);
    world.node.ok(leave);
    let actor = world.people[0].actor;
    world.people[0].counter += 1;
    let counter = world.people[0].counter;
    world.node.ok(Command::Edit { actor, conversation: group, sequence, counter, content: text("秘密") });
    let folder = tempfile::tempdir().unwrap();
    let search = started(&world, &folder.path().join("search"));
    wait(&world, &search);
    assert_eq!(found(&search, world.people[0].actor.account, "秘密", 5).len(), 1);
    assert_eq!(found(&search, world.people[1].actor.account, "秘密", 5), []);
}

#[test]
fn people_and_groups_are_found_by_name_pinyin_initials_and_id_and_strangers_are_not() {
    let mut world = World::new(2);
    let account = world.people[2].actor.account;
    let (avatar, signature) = (String::new(), String::new());
    world.node.ok(Command::SetProfile { account, display_name: "张三".into(), avatar, signature });
    let folder = tempfile::tempdir().unwrap();
    let search = started(&world, &folder.path().join("search"));
    wait(&world, &search);
    let alice = world.people[0].actor.account;
    let people = |query: &str| {
        let found = search.find(alice, &Question { query: query.into(), ..Question::default() }).unwrap();
        found.people.into_iter().map(|p| p.user.name.to_string()).collect::<Vec<_>>()
    };
    for query in ["张三", "張三", "三", "zhangsan", "zhangs", "zs", "carol", "car", "carol@a.example", "ZS"] {
        assert_eq!(people(query), ["carol"], "{query}");
    }
    assert_eq!(people("from:me zs"), Vec::<String>::new());
    let groups = search.find(alice, &Question { query: "week".into(), ..Question::default() }).unwrap().groups;
    assert_eq!(groups.iter().map(|g| g.conversation).collect::<Vec<_>>(), [*world.conversations.first().unwrap()]);
    // Where anybody may register, strangers are not listed; whom one is in a group with is found.
    let registration = Some(startalk_protocol::trust::Registration::Open);
    let policy = Command::SetPolicy(NewPolicy { registration, ..NewPolicy::default() });
    world.node.ok(policy);
    assert_eq!(people("zs"), Vec::<String>::new());
    assert_eq!(people("bob"), ["bob"]);
    // Whoever is gone is not found.
    world.delete(1);
    wait(&world, &search);
    assert_eq!(people("bob"), Vec::<String>::new());
    assert!(directory::is_gone(&*world.node.store, world.people[1].actor.account));
}

#[test]
fn a_remark_finds_somebody_for_its_owner_alone() {
    let mut world = World::new(7);
    let folder = tempfile::tempdir().unwrap();
    let [owner, other] = [0, 1].map(|n| world.people[n].actor.account);
    let subject = user(&format!("{}@a.example", NAMES[2]));
    let keep = |remark: &str| Command::KeepPerson {
        account: owner,
        user: subject.clone(),
        remark: Some(remark.to_owned()),
        starred: None,
    };
    world.node.ok(keep("楼下的小王"));
    let search = started(&world, folder.path());
    wait(&world, &search);
    let people = |account: u64, query: &str| {
        let question = Question { query: query.into(), people: true, ..Question::default() };
        search.find(account, &question).unwrap().people
    };
    for query in ["小王", "樓下", "xiaowang", "xw", "lx", "wx"] {
        let all = people(owner, query);
        let found = all.iter().find(|p| p.user == subject);
        assert_eq!(found.is_some(), query != "wx", "{query}");
        if let Some(found) = found {
            assert_eq!(found.remark, "楼下的小王");
            assert!(!found.remark_ranges.is_empty(), "{query}");
        }
        assert!(people(other, query).iter().all(|p| p.user != subject), "{query} is nobody else's");
    }
    let group = *world.conversations.first().unwrap();
    let in_group = || {
        let question = Question { query: "小王".into(), people: true, conversation: group, ..Question::default() };
        search.find(owner, &question).unwrap().people.len()
    };
    assert_eq!(in_group(), 0, "of a group its members are found");
    let add = world.people[0].act(group, GroupAct::Add(subject.clone()));
    world.node.ok(add);
    assert_eq!(in_group(), 1);
    world.node.ok(keep(""));
    assert!(people(owner, "小王").iter().all(|p| p.user != subject), "taken away");
}

#[test]
fn a_damaged_index_and_one_of_a_journal_that_went_back_are_built_again() {
    let mut world = World::new(3);
    let say = world.people[0].say(*world.conversations.first().unwrap(), "星语漢語");
    world.node.ok(say);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search");
    let alice = world.people[0].actor.account;
    let rebuilt = |world: &World| {
        let search = started(world, &path);
        wait(world, &search);
        assert_eq!(found(&search, alice, "语汉", 5).len(), 1);
        search.stop();
    };
    rebuilt(&world);
    // A file of what is committed: beside it there may be one of a merge that was given up, empty as it was left.
    let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("meta.json")).unwrap()).unwrap();
    let segment = meta["segments"][0]["segment_id"].as_str().unwrap().replace('-', "");
    let words = path.join(format!("{segment}.idx"));
    let mut bytes = std::fs::read(&words).unwrap();
    bytes[0] ^= 0xff;
    // Put in its place, not written into: that merge may still read the file, which is mapped.
    std::fs::write(path.join("damaged"), bytes).unwrap();
    std::fs::rename(path.join("damaged"), &words).unwrap();
    let _ = std::fs::remove_file(path.join("CLEAN"));
    rebuilt(&world);
    std::fs::write(path.join("meta.json"), b"{").unwrap();
    rebuilt(&world);
    // The end of the journal is lost, and others write in its place.
    let head = world.node.journal.0.lock().unwrap().len();
    let say = world.people[0].say(*world.conversations.first().unwrap(), "丢了的话");
    world.node.ok(say);
    rebuilt(&world);
    world.node = world.node.restored_to(u64::try_from(head).unwrap());
    let search = started(&world, &path);
    wait(&world, &search);
    assert_eq!(found(&search, alice, "丢了", 5), []);
    assert_eq!(found(&search, alice, "语汉", 5).len(), 1);
}

#[test]
fn foreign_bytes_are_judged_and_never_break_anything() {
    let mut random = Seeded(7);
    let corpus =
        ["from:a in:\"b c\" 星语 kind:code before:2026-01-01", "on:9999-12-31 来自:张三 ＡＢ", "\u{fffd}\u{202e}：：", ""];
    for seed in corpus {
        startalk_search::check(seed.as_bytes());
        for _ in 0..1_000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..1 + random.below(4) {
                let at = usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap();
                match random.below(3) {
                    0 => bytes.insert(at, u8::try_from(random.below(256)).unwrap()),
                    1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            startalk_search::check(&bytes);
        }
    }
}

#[test]
fn members_of_a_group_are_found_in_it_by_who_is_in_it_and_nobody_else_is() {
    let mut world = World::new(3);
    let group = *world.conversations.first().unwrap();
    let bob = world.people[1].actor.account;
    let (avatar, signature) = (String::new(), String::new());
    world.node.ok(Command::SetProfile { account: bob, display_name: "张三".into(), avatar, signature });
    let folder = tempfile::tempdir().unwrap();
    let search = started(&world, &folder.path().join("search"));
    wait(&world, &search);
    let people = |who: &Person, query: &str| {
        let question = Question { query: query.into(), people: true, conversation: group, ..Question::default() };
        let found = search.find(who.actor.account, &question).unwrap();
        assert!(found.groups.is_empty() && found.messages.is_empty());
        found.people.into_iter().map(|p| p.user.name.to_string()).collect::<Vec<_>>()
    };
    for query in ["zs", "sanz", "張三", "bob", "san"] {
        let expected: &[&str] = if query == "sanz" { &[] } else { &["bob"] };
        assert_eq!(people(&world.people[0], query), expected, "{query}");
    }
    // Carol is not in it: she is no answer, and gets none.
    assert_eq!(people(&world.people[0], "carol"), Vec::<String>::new());
    assert_eq!(people(&world.people[2], "zs"), Vec::<String>::new());
    // Who left is not offered, and knows of nobody any more.
    let leave = world.people[1].act(group, GroupAct::Leave);
    world.node.ok(leave);
    assert_eq!(people(&world.people[0], "zs"), Vec::<String>::new());
    assert_eq!(people(&world.people[1], "alice"), Vec::<String>::new());
    // A question about a conversation that names no sort is about its messages.
    let question = Question { query: "bob".into(), conversation: group, ..Question::default() };
    assert!(search.find(world.people[0].actor.account, &question).unwrap().people.is_empty());
}
