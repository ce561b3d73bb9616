//! Groups: beginning them, talking in them, coming and going, and what their administrators do.

use startalk_domain::{
    Actor, Command,
    command::Target,
    groups::{Banned, GroupAct, GroupLink, Role, Text, invitations},
};

use crate::{
    people::{self, Deed, WAITING_MAX, home_of},
    words,
    world::World,
};

/// Filled in when the device asks.
const NOBODY: Actor = Actor { account: 0, device: 0 };

/// Somebody does something in a group, or to have one.
pub fn act(world: &mut World) {
    let Some((at, device)) = world.any_device() else { return };
    if world.people[at].devices[device].waiting.len() >= WAITING_MAX {
        return;
    }
    let person = world.people[at].person;
    // A device speaks of numbers that it was told.
    let node = &world.nodes[home_of(person)];
    if node.core.is_none() || world.people[at].devices[device].session != Some(node.starts) {
        return;
    }
    world.people[at].devices[device].hear(node);
    let made = match world.chance.below(40) {
        0 | 1 => create(world).map(|c| (c, None)),
        2..=5 => decide(world, person).map(|c| (c, None)),
        6..=8 => join(world).map(|c| (c, None)),
        9..=26 => say(world, person),
        27 | 28 => change(world, person).map(|c| (c, None)),
        _ => administer(world, person).map(|c| (c, None)),
    };
    if let Some((command, message)) = made {
        world.trace(|| format!("p{person} device {device} wants {command:?}"));
        world.people[at].devices[device].queue(Deed::Group { command: Box::new(command), message });
    }
}

fn anybody(world: &mut World) -> startalk_protocol::UserId {
    let at = world.chance.index(world.people.len());
    people::user_of(world.people[at].person)
}

/// A group that the person's node knows, theirs or not.
fn any_group(world: &mut World, person: usize) -> Option<u64> {
    let all: Vec<u64> = world.nodes[home_of(person)].model.groups.all.keys().copied().collect();
    world.chance.one_of(&all).copied()
}

fn create(world: &mut World) -> Option<Command> {
    let count = world.chance.index(4);
    let members = (0..count).map(|_| anybody(world)).collect();
    Some(Command::CreateGroup { actor: NOBODY, counter: 0, name: format!("group {}", world.chance.below(9)), members })
}

fn decide(world: &mut World, person: usize) -> Option<Command> {
    let node = &world.nodes[home_of(person)];
    let account = node.model.number_of(person)?;
    let all = invitations(&*node.views()?.store, account);
    let group = world.chance.one_of(&all)?.group.parse().ok()?;
    let accept = !world.chance.one_in(6);
    Some(Command::DecideGroupInvitation { actor: NOBODY, counter: 0, group, accept })
}

fn join(world: &mut World) -> Option<Command> {
    let link = world.chance.one_of(&world.ways).cloned()?;
    Some(Command::JoinGroup { actor: NOBODY, counter: 0, link, word: "please".into() })
}

fn say(world: &mut World, person: usize) -> Option<(Command, Option<u64>)> {
    let conversation = any_group(world, person)?;
    let message = world.ledger.say_in_group(person);
    let content = words::content(&words::text(message, 0, world.chance.index(60)), false);
    let reply_sequence = if world.chance.one_in(5) { world.chance.below(20) } else { 0 };
    let to = Target::Conversation(conversation);
    let command = Command::Send { actor: NOBODY, to, counter: 0, content, reply_to: None, reply_sequence, known_id: None };
    Some((command, Some(message)))
}

fn change(world: &mut World, person: usize) -> Option<Command> {
    let conversation = any_group(world, person)?;
    let group = &world.nodes[home_of(person)].model.groups.all[&conversation];
    let said: Vec<(u64, u64)> = group.entries.iter().filter_map(|(s, e)| Some((*s, e.message?))).collect();
    let (sequence, message) = world.chance.one_of(&said).copied()?;
    if world.chance.one_in(2) {
        return Some(Command::Recall { actor: NOBODY, conversation, sequence, counter: 0 });
    }
    world.edits += 1;
    let content = words::content(&words::text(message, world.edits, 3), false);
    Some(Command::Edit { actor: NOBODY, conversation, sequence, counter: 0, content })
}

fn administer(world: &mut World, person: usize) -> Option<Command> {
    let conversation = any_group(world, person)?;
    let user = anybody(world);
    let sequence = world.chance.between(1, 20);
    let remove = world.chance.one_in(4);
    let act = match world.chance.below(20) {
        0..=6 => GroupAct::Add(user),
        7 => GroupAct::Leave,
        8 | 9 => GroupAct::Remove(user),
        10 => GroupAct::Ban { who: Banned::User(user), lift: remove },
        11 => {
            let role = *world.chance.one_of(&[Role::Member, Role::Administrator, Role::Owner]).expect("some");
            GroupAct::SetRole { user, role }
        }
        12 => {
            let until_ms = if remove { 0 } else { i64::try_from(world.now_ms + 60_000).expect("a time") };
            GroupAct::Mute { user, until_ms }
        }
        13 => GroupAct::SetText { text: Text::Notice, value: format!("notice {sequence}") },
        14 | 15 => GroupAct::React { sequence, emoji: "👍".into(), remove },
        16 => GroupAct::Pin { sequence, remove },
        17 | 18 => return make_link(world, person, conversation),
        _ if world.chance.one_in(10) => GroupAct::Destroy,
        _ => GroupAct::Admit { user, refuse: remove },
    };
    Some(Command::ActInGroup { actor: NOBODY, conversation, counter: 0, act })
}

fn make_link(world: &mut World, person: usize, conversation: u64) -> Option<Command> {
    let group = &world.nodes[home_of(person)].model.groups.all[&conversation];
    let secret = format!("s{}", world.chance.next());
    let link = GroupLink { home: crate::node::domain(group.home), group: group.id.parse().ok()?, secret: secret.clone() };
    world.ways.push(link);
    let secret_hash = *blake3::hash(secret.as_bytes()).as_bytes();
    let act = GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 };
    Some(Command::ActInGroup { actor: NOBODY, conversation, counter: 0, act })
}
