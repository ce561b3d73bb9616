//! Direct conversations: writing, changing, taking back; marks, requests and blocks.

use startalk_domain::{Command, command::MarkMove, contacts};

use crate::{
    node::Ticket,
    people::{self, Deed, WAITING_MAX},
    words,
    world::World,
};

/// Somebody writes, changes or takes back.
pub fn act(world: &mut World) {
    let Some((at, device)) = world.any_device() else { return };
    if world.people[at].devices[device].waiting.len() >= WAITING_MAX {
        return;
    }
    let deed = match world.chance.below(20) {
        0..=15 => send(world, at),
        16 | 17 => edit(world, at, device),
        _ => recall(world, at, device),
    };
    let person = world.people[at].person;
    if let Some(deed) = deed {
        world.trace(|| format!("p{person} device {device} wants {deed:?}"));
        world.people[at].devices[device].queue(deed);
    }
}

fn send(world: &mut World, at: usize) -> Option<Deed> {
    let author = world.people[at].person;
    let to = if world.chance.one_in(60) {
        people::person(world.chance.index(world.nodes.len()), 900) // nobody
    } else if world.chance.one_in(3) {
        world.people[world.chance.index(world.people.len())].person
    } else {
        // Most people write to few.
        let near = (at + 1 + world.chance.index(3)) % world.people.len();
        world.people[near].person
    };
    let message = world.ledger.say(author, to);
    let filler = if world.chance.one_in(30) { world.chance.index(3000) } else { world.chance.index(60) };
    let code = world.chance.one_in(25);
    Some(Deed::Send { message, to, words: words::text(message, 0, filler), code, known: None })
}

fn edit(world: &mut World, at: usize, device: usize) -> Option<Deed> {
    world.edits += 1;
    let edit = world.edits;
    let own = &world.people[at].devices[device].ring;
    let remembered = if world.chance.one_in(8) { None } else { world.chance.one_of(own) };
    let (message, conversation, sequence) = match remembered {
        Some(r) => (r.message, r.heard.conversation, r.heard.sequence),
        None => {
            // Most probably somebody else's. A device speaks of numbers that it was told.
            let node = &world.nodes[people::home_of(world.people[at].person)];
            let device = &mut world.people[at].devices[device];
            if node.core.is_none() || device.session != Some(node.starts) {
                return None;
            }
            device.hear(node);
            let model = &node.model;
            let all: Vec<_> = model.conversations.iter().filter(|(_, c)| !c.messages.is_empty()).collect();
            let (number, conversation) = world.chance.one_of(&all)?;
            let messages: Vec<_> = conversation.messages.iter().collect();
            let (sequence, message) = world.chance.one_of(&messages)?;
            (message.message, **number, **sequence)
        }
    };
    Some(Deed::Edit { conversation, sequence, words: words::text(message, edit, world.chance.index(30)) })
}

fn recall(world: &mut World, at: usize, device: usize) -> Option<Deed> {
    let own = &world.people[at].devices[device].ring;
    let remembered = world.chance.one_of(own)?;
    Some(Deed::Recall {
        message: remembered.message,
        conversation: remembered.heard.conversation,
        sequence: remembered.heard.sequence,
    })
}

/// Somebody moves marks, decides a request, blocks or hears again.
pub fn look_on(world: &mut World) {
    let Some((at, _)) = world.any_device() else { return };
    let person = world.people[at].person;
    let home = people::home_of(person);
    let Some(account) = world.nodes[home].model.number_of(person) else { return };
    let Some(views) = world.nodes[home].views() else { return };
    let own = contacts::conversations(&*views.store, account);
    let conversation =
        if world.chance.one_in(10) { world.chance.between(1, 40) } else { world.chance.one_of(&own).copied().unwrap_or(1) };
    let other = world.people[world.chance.index(world.people.len())].person;
    let command = match world.chance.below(12) {
        0..=5 => {
            let delivered = world.chance.between(1, 40);
            Command::MoveMarks { marks: vec![MarkMove { account, conversation, delivered, read: delivered / 2 }] }
        }
        6..=9 => Command::DecideRequest { account, conversation, accept: !world.chance.one_in(6) },
        10 => Command::BlockUser { account, user: people::user_of(other), blocked: world.chance.one_in(3) },
        _ => {
            Command::BlockDomain { account, domain: crate::node::domain(people::home_of(other)), blocked: world.chance.one_in(4) }
        }
    };
    world.trace(|| format!("p{person} {command:?}"));
    world.nodes[home].submit(command, Ticket::Nobody);
}
