//! Accounts: coming, going, devices and profiles, and what an administrator does.

use startalk_domain::{
    Command, accounts,
    command::{Admission, NewDevice, PeerRule},
    governance::NewPolicy,
};

use startalk_protocol::AccountName;

use crate::{
    node::Ticket,
    people::{self, Device, Person, home_of},
    world::World,
};

/// Persons of one domain at most.
const PERSONS_MAX: usize = 7;

/// Somebody comes or goes, or changes what they show.
pub fn act(world: &mut World) {
    match world.chance.below(40) {
        0..=3 => register(world),
        4..=7 => one_more_device(world),
        8..=10 => sign_out(world),
        11 => delete(world),
        12 | 13 => disable(world),
        14 | 15 => rule(world),
        16..=18 => policy(world),
        _ => profile(world),
    }
}

fn register(world: &mut World) {
    let home = world.chance.index(world.nodes.len());
    let there = world.people.iter().filter(|p| home_of(p.person) == home).count();
    if there < PERSONS_MAX {
        let device = Device::new(world.new_device());
        world.people.push(Person { person: people::person(home, there), devices: vec![device], gone: false });
    }
}

fn one_more_device(world: &mut World) {
    let Some((at, _)) = world.any_device() else { return };
    if world.people[at].devices.len() < 3 {
        let device = Device::new(world.new_device());
        world.people[at].devices.push(device);
    }
}

fn account(world: &World, at: usize) -> Option<(usize, u64)> {
    let person = world.people[at].person;
    let home = home_of(person);
    world.nodes[home].views()?;
    Some((home, world.nodes[home].model.number_of(person)?))
}

fn sign_out(world: &mut World) {
    let Some((at, device)) = world.any_device() else { return };
    let Some((home, account)) = account(world, at) else { return };
    let hash = world.people[at].devices[device].token_hash;
    let views = world.nodes[home].views().expect("it runs");
    let Some(actor) = accounts::by_token_hash(&*views.store, &hash) else { return };
    let person = world.people[at].person;
    // Sometimes somebody else's, which must not be.
    let number = if world.chance.one_in(10) { actor.device + 1 } else { actor.device };
    world.trace(|| format!("p{person} signs out device {number}"));
    world.nodes[home].submit(Command::RevokeDevice { account, device: number }, Ticket::Nobody);
}

fn delete(world: &mut World) {
    if !world.chance.one_in(3) {
        return;
    }
    let Some((at, _)) = world.any_device() else { return };
    let Some((home, account)) = account(world, at) else { return };
    let person = world.people[at].person;
    world.trace(|| format!("p{person} deletes the account"));
    world.people[at].gone = true;
    world.nodes[home].submit(Command::DeleteAccount { account }, Ticket::Person { person });
    if world.chance.one_in(2) {
        let all: Vec<u64> = world.nodes[home].model.conversations.keys().copied().collect();
        for conversation in all {
            world.nodes[home].submit(Command::EraseAuthored { account, conversation, from: 1 }, Ticket::Nobody);
        }
    }
}

fn disable(world: &mut World) {
    let Some((at, _)) = world.any_device() else { return };
    let Some((home, account)) = account(world, at) else { return };
    let disabled = world.chance.one_in(2);
    world.nodes[home].submit(Command::SetDisabled { account, disabled }, Ticket::Nobody);
}

fn rule(world: &mut World) {
    let (a, b) = (world.chance.index(world.nodes.len()), world.chance.index(world.nodes.len()));
    let rule = if world.chance.one_in(3) { PeerRule::Deny } else { PeerRule::Allow };
    if a != b && world.nodes[a].core.is_some() {
        world.trace(|| format!("node {a} says of {b}: {rule:?}"));
        let command = Command::SetPeerRule { domain: crate::node::domain(b), rule, forget_key: false };
        world.nodes[a].submit(command, Ticket::Nobody);
    }
}

fn policy(world: &mut World) {
    let node = world.chance.index(world.nodes.len());
    let window = world.chance.one_of(&[0, 5_000, 60_000, 86_400_000]).copied();
    let command = Command::SetPolicy(NewPolicy {
        listed: Some(world.chance.one_in(2)),
        recall_window_ms: window,
        edit_window_ms: window,
        ..NewPolicy::default()
    });
    world.nodes[node].submit(command, Ticket::Nobody);
}

fn profile(world: &mut World) {
    let Some((at, _)) = world.any_device() else { return };
    let Some((home, account)) = account(world, at) else { return };
    let display_name = format!("name {}", world.chance.below(5));
    let command = Command::SetProfile { account, display_name, avatar: String::new(), signature: String::new() };
    world.nodes[home].submit(command, Ticket::Nobody);
}

/// A device that the node does not know asks to be let in: with the account that there is, or with a new one.
pub fn let_in(world: &mut World, at: usize, device: usize) {
    let person = world.people[at].person;
    let home = home_of(person);
    if world.people[at].gone || world.nodes[home].views().is_none() {
        return;
    }
    let name: AccountName = people::name_of(person).parse().expect("a name");
    let known = accounts::by_name(&*world.nodes[home].views().expect("it runs").store, &name);
    if known.as_ref().is_some_and(|a| !a.is_live()) {
        return;
    }
    // Whatever it remembered belonged to a device that is gone.
    let id = world.new_device();
    world.forget(at, device);
    world.people[at].devices[device].begin_anew(id);
    let token_hash = world.people[at].devices[device].token_hash;
    let new = NewDevice { name: "simulated".into(), token_hash };
    let command = match known {
        Some(account) => {
            Command::AddDevice { account: account.account, password_version: account.password.position, device: new }
        }
        None => Command::CreateAccount {
            name,
            display_name: format!("P{person}"),
            password_hash: "$argon2id$".into(),
            recovery_hashes: vec![[1; 32]],
            admission: Admission::Operator { administrator: false },
            device: Some(new),
        },
    };
    world.trace(|| format!("p{person} device {id} asks to be let in"));
    world.people[at].devices[device].signing_in = Some(world.nodes[home].starts);
    world.nodes[home].submit(command, Ticket::Person { person });
}
