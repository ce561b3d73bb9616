//! Accounts of a domain for trying end when they were said to end, nobody ends untold, and a clock that leaps ends nobody.

mod harness;

use harness::Node;
use startalk_domain::{Actor, Answer, Command, accounts, governance::NewPolicy, later, trial};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn days(node: &mut Node, days: u32) {
    node.ok(Command::SetPolicy(NewPolicy { trial_days: Some(days), ..NewPolicy::default() }));
}

/// One look by this clock, to its end.
fn look(node: &mut Node, clock_ms: u64) {
    let mut from = 0;
    loop {
        node.now_ms = clock_ms.max(startalk_journal::ReadJournal::head(&*node.journal).time_ms);
        match node.ok(Command::LookAtTrials { clock_ms, from, words: ["a week".into(), "a day".into()] }) {
            Answer::Done => break,
            Answer::More { from: next, .. } => from = next,
            other => panic!("{other:?}"),
        }
    }
    while let Some(command) = startalk_domain::domain::unfinished(&*node.store) {
        node.ok(command);
    }
}

/// Time passes as it does while a node runs.
fn pass(node: &mut Node, hours: u64) {
    for _ in 0..hours {
        let clock = node.now_ms + HOUR;
        look(node, clock);
    }
}

fn is_there(node: &Node, who: Actor) -> bool {
    accounts::account(&*node.store, who.account).is_some_and(|a| !a.deleted)
}

fn noticed(node: &Node) -> usize {
    node.events().iter().filter(|e| **e == "TrialNoticed").count()
}

fn reminders(node: &Node, who: Actor) -> usize {
    later::reminders(&*node.store, who.account).entries.iter().filter(|e| e.due_at != 0).count()
}

#[test]
fn an_account_is_told_a_week_and_a_day_before_it_ends_and_who_administers_stays() {
    let mut node = Node::new("a.example");
    let (ruth, alice) = (node.person("ruth"), node.person("alice"));
    node.ok(Command::SetRole { account: ruth.account, role: accounts::Role::Administrator });
    days(&mut node, 30);
    let made = accounts::account(&*node.store, alice.account).unwrap().created_ms;
    assert_eq!(trial::ends_ms(&*node.store, alice.account), Some(made + 30 * DAY));
    assert_eq!(trial::ends_ms(&*node.store, ruth.account), None);
    pass(&mut node, 22 * 24);
    assert_eq!(noticed(&node), 0);
    pass(&mut node, 26);
    assert_eq!((noticed(&node), reminders(&node, alice)), (1, 1));
    pass(&mut node, 5 * 24);
    assert_eq!(noticed(&node), 1);
    pass(&mut node, 25);
    assert_eq!((noticed(&node), reminders(&node, alice)), (2, 2));
    let ends = trial::ends_ms(&*node.store, alice.account).unwrap();
    assert!(ends >= made + 30 * DAY && ends <= made + 30 * DAY + 2 * HOUR, "{ends}");
    let left = (ends - node.now_ms) / HOUR - 1;
    pass(&mut node, left);
    assert!(is_there(&node, alice));
    pass(&mut node, 3);
    assert!(!is_there(&node, alice) && is_there(&node, ruth));
    assert_eq!(trial::ends_ms(&*node.store, alice.account), None);
}

#[test]
fn a_domain_that_becomes_one_for_trying_gives_a_week_to_who_has_been_there_for_long() {
    let mut node = Node::new("a.example");
    let alice = node.person("alice");
    node.now_ms += 400 * DAY;
    days(&mut node, 30);
    let clock = node.now_ms;
    look(&mut node, clock);
    assert_eq!((noticed(&node), trial::ends_ms(&*node.store, alice.account)), (1, Some(clock + 7 * DAY)));
    pass(&mut node, 7 * 24 - 1);
    assert!(is_there(&node, alice));
    // It ceases to be one for a while: what was told holds no more.
    days(&mut node, 0);
    pass(&mut node, 48);
    days(&mut node, 30);
    pass(&mut node, 7 * 24 - 1);
    assert!(is_there(&node, alice));
    pass(&mut node, 3);
    assert!(!is_there(&node, alice));
}

#[test]
fn a_clock_that_leaps_for_a_moment_tells_nobody_and_ends_nobody() {
    let mut node = Node::new("a.example");
    let people: Vec<Actor> = ["alice", "bob", "carol"].map(|n| node.person(n)).into();
    days(&mut node, 30);
    pass(&mut node, 24 * 24);
    assert_eq!(noticed(&node), 3, "all were told that they have a week");
    let right = node.now_ms;
    for hour in 0..5 {
        look(&mut node, right + 3650 * DAY + hour * HOUR);
    }
    assert!(people.iter().all(|p| is_there(&node, *p)));
    assert_eq!(noticed(&node), 3);
    // The clock is right again, and journal time stands.
    for hour in 1..6 * 24 {
        look(&mut node, right + hour * HOUR - 24 * HOUR);
    }
    assert!(people.iter().all(|p| is_there(&node, *p)));
}

#[test]
fn many_end_by_many_steps() {
    let mut node = Node::new("a.example");
    let people: Vec<Actor> = (0..50).map(|n| node.person(&format!("p{n}"))).collect();
    days(&mut node, 8);
    pass(&mut node, 9 * 24);
    assert!(people.iter().all(|p| !is_there(&node, *p)));
    assert_eq!(noticed(&node), 100);
}
