//! What must hold: at any time, and when everything has come to rest.
//!
//! Owns the comparison of what people see with what the oracle knows. Changes nothing.

mod groups;
mod lies;

use std::collections::BTreeMap;

use startalk_domain::conversations;
use startalk_protocol::Code;

use crate::{
    node::Node,
    oracle::{Conversation, Ledger},
    people::{Device, Person, home_of},
    words,
    world::World,
};

/// At any time: who may read sees exactly what was recorded, nobody else sees anything, nothing is there twice.
pub fn always(world: &World) {
    for node in world.nodes.iter().filter(|n| n.core.is_some() && !n.disk.is_off()) {
        pages(node, &world.ledger);
        doubles(node, world);
    }
    groups::always(world);
    lies::always(world);
}

/// When everything has come to rest, besides.
pub fn at_rest(world: &World) {
    always(world);
    for node in &world.nodes {
        node.check_views();
    }
    lost(world);
    copies(world);
    order(world);
    groups::at_rest(world);
    lies::at_rest(world);
}

fn pages(node: &Node, ledger: &Ledger) {
    let views = node.views().expect("it runs");
    let last = node.model.conversations.keys().next_back().copied().unwrap_or(0);
    for (account, person) in node.model.persons.iter().filter(|(_, p)| home_of(**p) == node.place) {
        for number in (1..=last + 1).filter(|n| !node.model.groups.all.contains_key(n)) {
            let conversation = node.model.conversations.get(&number).filter(|c| c.a == *account || c.b == *account);
            let (mut from, mut seen) = (1, Vec::new());
            loop {
                match conversations::page(&views.store, &*views.journal, *account, number, from..=u64::MAX, false) {
                    Err(error) => {
                        assert_eq!(error.code, Code::NoSuchConversation);
                        assert!(conversation.is_none(), "node {}: a member cannot read conversation {number}", node.place);
                        break;
                    }
                    Ok(page) => {
                        let Some(_) = conversation else {
                            panic!(
                                "node {}: p{person} ({account}) reads conversation {number} of others: {:?}, group {}, model {:?}",
                                node.place,
                                conversations::direct(&*views.store, number).map(|d| (d.a, d.b, d.peer)),
                                startalk_domain::groups::group(&*views.store, number).is_some(),
                                node.model.conversations.get(&number).map(|c| (c.a, c.b, c.peer))
                            )
                        };
                        seen.extend(page.messages);
                        if page.last >= page.head {
                            break;
                        }
                        from = page.last + 1;
                    }
                }
            }
            let Some(conversation) = conversation else { continue };
            compare(node, ledger, *person, number, conversation, &seen);
        }
    }
}

fn compare(
    node: &Node,
    ledger: &Ledger,
    person: usize,
    number: u64,
    conversation: &Conversation,
    seen: &[conversations::Message],
) {
    let at = |sequence| format!("node {} conversation {number} sequence {sequence}", node.place);
    let sequences: Vec<u64> = seen.iter().map(|m| m.sequence).collect();
    let expected: Vec<u64> = conversation.messages.keys().copied().collect();
    assert_eq!(sequences, expected, "node {} conversation {number}: what p{person} sees", node.place);
    for (message, known) in seen.iter().zip(conversation.messages.values()) {
        let text = message.content.as_ref().map(|c| words::words(c));
        assert_eq!(text.as_ref(), known.shown(), "{}: what it says", at(message.sequence));
        assert_eq!(message.recalled, known.recalled, "{}: whether it was taken back", at(message.sequence));
        assert_eq!(message.id, known.id, "{}: its id", at(message.sequence));
        let said = &ledger.said[&known.message];
        assert!(person == said.author || person == said.to, "{}: p{person} reads what is not theirs", at(message.sequence));
    }
}

fn doubles(node: &Node, world: &World) {
    for (message, places) in node.model.places.iter().filter(|(_, places)| places.len() > 1) {
        let said = &world.ledger.said[message];
        let home = home_of(said.author);
        let found: Vec<_> =
            places.iter().map(|(conversation, sequence)| &node.model.conversations[conversation].messages[sequence]).collect();
        let author_restored = world.ledger.restored.contains_key(&home);
        let is_gone = |conversation| node.model.deleted.contains(&node.model.conversations[&conversation].b);
        for (n, one) in found.iter().enumerate() {
            for (m, other) in found[..n].iter().enumerate() {
                // Known as two: its author's node forgot that it had it before anybody was told its id.
                let two_ids = one.id != other.id && author_restored && node.place != home;
                // The author's account was gone and came back with an older copy: a person that was not known before.
                let two_persons = one.author != other.author && author_restored;
                // At its author's home: offered again to somebody who was known to be gone, and who is known anew.
                let two_addressees = author_restored && node.place == home && is_gone(places[n].0) != is_gone(places[m].0);
                assert!(
                    two_ids || two_persons || two_addressees,
                    "node {}: message {message} is there twice: {places:?}",
                    node.place
                );
            }
        }
    }
}

/// What was acknowledged is there.
fn lost(world: &World) {
    for (message, said) in &world.ledger.said {
        let home = home_of(said.author);
        let Some(heard) = said.heard else { continue };
        let model = &world.nodes[home].model;
        let there = model.places.get(message).into_iter().flatten();
        let mut there = there.filter(|(c, s)| model.conversations[c].messages[s].id == heard.id);
        if there.next().is_some() {
            continue;
        }
        assert!(world.ledger.cut.contains(&(home, *message)), "message {message} was acknowledged and is lost");
        let gone = world.people.iter().any(|p| p.person == said.author && p.gone);
        assert!(gone || said.given_up.is_some(), "message {message} was acknowledged, and not offered again after a restore");
    }
}

/// Both copies hold the same.
fn copies(world: &World) {
    for (message, said) in &world.ledger.said {
        let (home, there) = (home_of(said.author), home_of(said.to));
        if home == there {
            continue;
        }
        let (ours, theirs) = (&world.nodes[home].model, &world.nodes[there].model);
        let cut_here = world.ledger.cut.contains(&(home, *message));
        let find = |model: &crate::oracle::Model| {
            let places = model.places.get(message)?;
            let (conversation, sequence) = places.last()?;
            Some(model.conversations[conversation].messages[sequence].clone())
        };
        let closed: &[_] = theirs.closed.get(message).map_or(&[], Vec::as_slice);
        let excused = closed.iter().any(|c| c.why != "had already");
        match (find(ours), find(theirs)) {
            (None, None) => {}
            (None, Some(_)) => assert!(cut_here, "message {message} is at node {there} alone, and nothing took it from {home}"),
            (Some(one), None) => {
                let gone = |person| ours.persons.iter().any(|(n, p)| *p == person && ours.deleted.contains(n));
                // An item is made from its names too: when one is erased, it is withheld.
                let withheld = one.texts[0].is_none() || gone(said.author) || gone(said.to);
                // It was erased before it went, and is there again with an older copy, and no device knows better, or it was
                // too late to say so.
                let recalled = |d: &Device| d.ring.iter().any(|r| r.message == *message && r.recalled && !r.stays);
                let knows_better = |p: &Person| !p.gone && p.devices.iter().any(recalled);
                let unerased = world.ledger.unerased.contains(&(home, *message)) && !world.people.iter().any(knows_better);
                let fine = excused || withheld || unerased;
                assert!(fine, "message {message} did not arrive at node {there}: {one:?}, closed {closed:?}");
            }
            (Some(one), Some(other)) => {
                let addressee_gone = theirs.persons.iter().any(|(n, p)| *p == said.to && theirs.deleted.contains(n));
                // Who is known to be gone has no name any more, and an item is made from names.
                let known_gone = ours.persons.iter().any(|(n, p)| *p == said.to && ours.deleted.contains(n));
                // Deleted, told to the other node, and there again by an older copy of the home: over there gone for ever.
                let back_again = theirs.deleted.contains(&other.author)
                    && world.ledger.restored.contains_key(&home)
                    && world.people.iter().any(|p| p.person == said.author && p.gone);
                let somebody_gone = ours.deleted.contains(&one.author) || addressee_gone || known_gone || back_again;
                let fine = excused || cut_here || somebody_gone;
                if !fine {
                    assert_eq!(one.recalled, other.recalled, "message {message}: taken back at one node only");
                    assert_eq!(one.shown(), other.shown(), "message {message}: the nodes {home} and {there} differ");
                }
            }
        }
    }
}

/// Each author's own order holds in every copy.
fn order(world: &World) {
    for node in &world.nodes {
        for (number, conversation) in node.model.conversations.iter().filter(|(_, c)| c.peer != 0) {
            let Some(home) = node.model.persons.get(&conversation.b).map(|p| home_of(*p)) else { continue };
            if world.ledger.restored.contains_key(&home) {
                continue; // what it lost was offered again, later
            }
            let mut last: BTreeMap<u64, u64> = BTreeMap::new();
            for message in conversation.messages.values().filter(|m| m.author == conversation.b) {
                for (there, sequence) in world.nodes[home].model.places.get(&message.message).into_iter().flatten() {
                    let before = last.insert(*there, *sequence).unwrap_or(0);
                    assert!(
                        *sequence > before,
                        "node {} conversation {number}: message {} overtook one of the same author",
                        node.place,
                        message.message
                    );
                }
            }
        }
    }
}
