//! What a home that lies cannot make the others believe: words and acts of other domains' people, submissions twice, what it did
//! not sign; and two stories are noticed.
//!
//! Looks at replicas of its groups only; what a home says of its own people may be taken.

use std::collections::BTreeSet;

use startalk_domain::conversations;

use crate::{
    node::{Node, place_of},
    oracle::{Entry, Group},
    people::home_of,
    words::{self, FORGED, UNSIGNED},
    world::World,
};

/// At any time.
pub fn always(world: &World) {
    for node in world.nodes.iter().filter(|n| n.core.is_some() && !n.disk.is_off() && !n.lies) {
        for (number, group) in node.model.groups.all.iter().filter(|(_, g)| world.nodes[g.home].lies) {
            let mut seen = BTreeSet::new();
            for (sequence, entry) in &group.entries {
                let at = format!("node {} group {number} sequence {sequence}", node.place);
                taken(&at, group, entry);
                let again = entry.origin != group.home && !seen.insert((entry.origin, entry.number));
                assert!(!again, "{at}: a submission was taken twice");
            }
            pages(node, *number, group);
        }
    }
}

/// When everything has come to rest, besides: the home has said what is so, and whoever has another story has noticed.
pub fn at_rest(world: &World) {
    for node in world.nodes.iter().filter(|n| !n.lies) {
        for (number, group) in node.model.groups.all.iter().filter(|(_, g)| world.nodes[g.home].lies) {
            let home = &world.nodes[group.home];
            if world.ledger.restored.contains_key(&home.place) || group.equivocated || group.forked {
                continue;
            }
            let there = home.model.groups.all.values().find(|g| g.id == group.id && g.has_members_of(node.place));
            let Some(there) = there else { continue }; // nobody asks any more
            for (sequence, entry) in &group.entries {
                let same = there.entries.get(sequence).is_none_or(|e| e.submission == entry.submission);
                assert!(same, "node {} group {number}: two stories of {sequence} were not noticed", node.place);
            }
        }
    }
}

fn taken(at: &str, group: &Group, entry: &Entry) {
    assert_ne!(entry.message, Some(UNSIGNED), "{at}: it was taken without the home's signature");
    if entry.origin != group.home {
        assert_ne!(entry.message, Some(FORGED), "{at}: it was taken without the signature of its author's domain");
    }
    let speaks_for = entry.author.filter(|author| home_of(*author) != entry.origin);
    assert_eq!(speaks_for, None, "{at}: node {} speaks for another's person", entry.origin);
}

/// Nobody is shown words in the name of somebody who never said them.
fn pages(node: &Node, number: u64, group: &Group) {
    let views = node.views().expect("it runs");
    for account in node.model.persons.iter().filter(|(_, p)| home_of(**p) == node.place).map(|(account, _)| *account) {
        let all = 1..=u64::MAX;
        let Ok(page) = conversations::page(&views.store, &*views.journal, account, number, all, true) else { continue };
        for message in page.messages {
            let author = message.author_id.as_ref().and_then(|user| place_of(&user.domain));
            if let (Some(content), Some(author)) = (&message.content, author)
                && author != group.home
            {
                assert_ne!(
                    words::said(content),
                    Some(FORGED),
                    "node {} group {number}: {:?} never said it",
                    node.place,
                    message.author_id
                );
            }
        }
    }
}
