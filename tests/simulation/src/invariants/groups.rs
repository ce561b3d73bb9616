//! Groups: one order everywhere, read only by who was in, each submission once, and "failed" never said of what arrives.
//!
//! Compares every node with the group's home, as the oracle has both. A group whose home was restored has lost a part of its
//! log with the home's disk, which no rule brings back; those are looked at only for what cannot be lost.

use std::collections::BTreeSet;

use startalk_domain::conversations;
use startalk_protocol::Code;

use crate::{node::Node, oracle::Group, people::home_of, words, world::World};

/// At any time.
pub fn always(world: &World) {
    for node in world.nodes.iter().filter(|n| n.core.is_some() && !n.disk.is_off()) {
        for (number, group) in &node.model.groups.all {
            let Some(home) = home_of_group(world, group) else { continue };
            same_log(node, *number, group, home);
            pages(node, *number, home);
        }
    }
}

/// When everything has come to rest, besides.
pub fn at_rest(world: &World) {
    always(world);
    for node in &world.nodes {
        for (number, group) in &node.model.groups.all {
            let Some(home) = home_of_group(world, group) else { continue };
            if group.home == node.place {
                submitted_once(node, *number, group);
            } else if !world.ledger.restored.contains_key(&node.place) {
                failed_is_true(node, group, home);
            }
            assert!(!group.equivocated, "node {}: the home of {} told no two stories", node.place, group.id);
            follows(node, *number, group, home);
        }
    }
    for (place, conversation, sequence, message) in &world.ledger.heard_in_groups {
        if !world.ledger.restored.contains_key(place) {
            let entry = world.nodes[*place].model.groups.all[conversation].entries.get(sequence);
            let found = entry.and_then(|e| e.message);
            assert_eq!(found, Some(*message), "node {place}: a message of group {conversation} was acknowledged and is lost");
        }
    }
}

/// The group at its home; `None` if that was restored, or lies.
fn home_of_group<'a>(world: &'a World, group: &Group) -> Option<&'a Group> {
    if world.ledger.restored.contains_key(&group.home) || world.nodes[group.home].lies {
        return None;
    }
    world.nodes[group.home].model.groups.all.values().find(|g| g.id == group.id)
}

fn same_log(node: &Node, number: u64, group: &Group, home: &Group) {
    for (sequence, entry) in &group.entries {
        let at = format!("node {} group {number} sequence {sequence}", node.place);
        let Some(original) = home.entries.get(sequence) else { panic!("{at}: its home {} has no such entry", group.home) };
        assert_eq!(entry.submission, original.submission, "{at}: another entry than at home");
        assert_eq!(entry.decided, original.decided, "{at}: decided otherwise than at home");
        if let (Some(here), Some(there)) = (entry.message, original.message) {
            assert_eq!(here, there, "{at}: says something else than at home");
        }
    }
}

/// Everybody here sees what was said while they were in, and nothing else.
fn pages(node: &Node, number: u64, home: &Group) {
    let views = node.views().expect("it runs");
    for (account, person) in node.model.persons.iter().filter(|(_, p)| home_of(**p) == node.place) {
        let mut from = 1;
        loop {
            let page = match conversations::page(&views.store, &*views.journal, *account, number, from..=u64::MAX, false) {
                Ok(page) => page,
                Err(error) => {
                    assert_eq!(error.code, Code::NoSuchConversation);
                    break;
                }
            };
            for message in &page.messages {
                let at = format!("node {} group {number} sequence {}", node.place, message.sequence);
                assert!(home.was_in(*person, message.sequence), "{at}: p{person} was not in and reads it");
                if let (Some(content), Some(said)) = (&message.content, home.entries[&message.sequence].message) {
                    assert_eq!(words::message_of(&words::words(content)), said, "{at}: what it says");
                }
            }
            if page.last >= page.head || page.messages.is_empty() {
                break;
            }
            from = page.last + 1;
        }
    }
}

fn submitted_once(node: &Node, number: u64, group: &Group) {
    let mut seen = BTreeSet::new();
    for (sequence, entry) in group.entries.iter().filter(|(_, e)| e.number != 0) {
        let is_new = seen.insert((entry.origin, entry.number));
        assert!(is_new, "node {} group {number} sequence {sequence}: a submission was recorded twice", node.place);
    }
}

fn failed_is_true(node: &Node, group: &Group, home: &Group) {
    for number in &group.failed {
        let arrived = home.entries.iter().find(|(_, e)| e.origin == node.place && e.number == *number);
        assert!(arrived.is_none(), "node {}: submission {number} of {} failed, it was said, and arrived", node.place, group.id);
    }
}

/// Whoever has members in has the whole log since.
fn follows(node: &Node, number: u64, group: &Group, home: &Group) {
    if group.home == node.place || !home.has_members_of(node.place) {
        return;
    }
    let (here, there) = (group.entries.keys().next_back(), home.entries.keys().next_back());
    assert_eq!(here, there, "node {} group {number}: the replica ends elsewhere than the log of {}", node.place, group.home);
}
