//! What goes wrong: connections, networks, power, disks, clocks, and copies of disks put back.
//!
//! Owns how often. A fault is done to the world from outside; nothing here reaches into a node's rules.

use startalk_journal::fault::Faults;

use crate::world::World;

/// What is wrong for a while.
#[derive(Default)]
pub struct Troubles {
    parted: Vec<(usize, usize)>,
    full: Vec<usize>,
    /// Nodes whose disk will fail, or whose power will go off, during some write to come.
    doomed: Vec<usize>,
}

/// Copies kept of one node at most.
const BACKUPS_MAX: usize = 3;

/// Perhaps something goes wrong, or is right again.
pub fn strike(world: &mut World) {
    let place = world.chance.index(world.nodes.len());
    match world.chance.below(220) {
        0..=11 => cut(world),
        12..=15 => part(world),
        16..=19 => power_off(world, place),
        20..=22 => kill(world, place),
        23 | 24 => fail_sync(world, place),
        25..=31 => back_up(world, place),
        32 | 33 => restore(world, place),
        34..=36 => jump(world, place),
        37 | 38 => fill(world, place),
        _ => {}
    }
    if world.chance.one_in(15) {
        join(world);
    }
    if world.chance.one_in(25) {
        empty(world);
    }
}

fn cut(world: &mut World) {
    if let Some([a, b]) = world.network.cut_one(world.now_ms, &mut world.chance) {
        world.faults += 1;
        world.trace(|| format!("a connection of {a} and {b} breaks"));
    }
}

fn part(world: &mut World) {
    let (a, b) = (world.chance.index(world.nodes.len()), world.chance.index(world.nodes.len()));
    if a != b {
        world.faults += 1;
        world.trace(|| format!("{a} and {b} do not reach each other"));
        world.network.part(a, b, true);
        world.troubles.parted.push((a, b));
    }
}

fn join(world: &mut World) {
    if let Some((a, b)) = world.troubles.parted.pop() {
        world.trace(|| format!("{a} and {b} reach each other again"));
        world.network.part(a, b, false);
    }
}

fn power_off(world: &mut World, place: usize) {
    if world.nodes[place].core.is_none() {
        return;
    }
    if world.chance.one_in(3) {
        return fall(world, place, false, "the power goes off");
    }
    let power_off = Some(world.chance.between(1, 40));
    world.nodes[place].disk.set_faults(Faults { power_off, ..Faults::default() });
    world.troubles.doomed.push(place);
}

fn kill(world: &mut World, place: usize) {
    if world.nodes[place].core.is_some() {
        fall(world, place, true, "the process is killed");
    }
}

fn fail_sync(world: &mut World, place: usize) {
    if world.nodes[place].core.is_none() {
        return;
    }
    let drop_dirty = world.chance.one_in(2);
    let faults = if world.chance.one_in(4) {
        Faults { fail_write: Some(world.chance.between(1, 6)), ..Faults::default() }
    } else {
        Faults { fail_sync: Some(world.chance.between(1, 4)), drop_dirty, ..Faults::default() }
    };
    world.nodes[place].disk.set_faults(faults);
    world.troubles.doomed.push(place);
}

/// The process ends, and is started again after a while.
fn fall(world: &mut World, place: usize, disk_lives: bool, why: &str) {
    world.faults += 1;
    world.trace(|| format!("node {place}: {why}"));
    let is_heard = disk_lives || world.chance.one_in(3);
    let now_ms = world.now_ms;
    let node = &mut world.nodes[place];
    node.vanish(&mut world.network, is_heard, now_ms);
    if disk_lives {
        node.disk.restart();
    } else {
        node.disk = node.disk.crash(world.chance.next());
    }
    let down_ms = if world.chance.one_in(5) { world.chance.between(1_000, 90_000) } else { world.chance.between(20, 2_000) };
    world.nodes[place].starts_ms = now_ms + down_ms;
    world.troubles.doomed.retain(|p| *p != place);
}

/// A node's write loop could not go on.
pub fn ended(world: &mut World, place: usize, why: &str) {
    assert!(world.troubles.doomed.contains(&place), "node {place} ended without a fault: {why}");
    let disk_lives = !world.nodes[place].disk.is_off() && world.chance.one_in(2);
    fall(world, place, disk_lives, why);
}

/// A node is started, if its disk allows.
pub fn start(world: &mut World, place: usize) {
    let now_ms = world.now_ms;
    world.trace(|| format!("node {place} starts"));
    if let Err(why) = world.nodes[place].start(&mut world.network, now_ms) {
        assert!(world.troubles.full.contains(&place), "node {place} cannot start: {why}");
        world.nodes[place].starts_ms = now_ms + 1_000;
    }
}

fn back_up(world: &mut World, place: usize) {
    let node = &mut world.nodes[place];
    if node.core.is_some() && !node.disk.is_off() {
        if node.backups.len() >= BACKUPS_MAX {
            let gone = world.chance.index(BACKUPS_MAX);
            node.backups.remove(gone);
        }
        node.back_up();
        world.trace(|| format!("node {place} is copied"));
    }
}

fn restore(world: &mut World, place: usize) {
    if world.nodes[place].backups.is_empty() {
        return;
    }
    if world.nodes[place].core.is_some() {
        fall(world, place, false, "stopped, to be restored");
    }
    let backup = world.chance.index(world.nodes[place].backups.len());
    let by_verb = world.chance.one_in(3);
    let before = world.nodes[place].restore(backup, by_verb);
    world.troubles.full.retain(|p| *p != place);
    let after = &world.nodes[place].model;
    for (message, places) in &before.places {
        let differs = |(conversation, sequence): &(u64, u64)| {
            let at = |model: &crate::oracle::Model| {
                model.conversations.get(conversation).and_then(|c| c.messages.get(sequence)).cloned()
            };
            at(&before) != at(after)
        };
        // Nothing of it would go to another node: it was erased, or one of the two is gone and has no name.
        let withheld = |model: &crate::oracle::Model| {
            let (conversation, sequence) = model.places.get(message).and_then(|places| places.last())?;
            let conversation = &model.conversations[conversation];
            let gone = model.deleted.contains(&conversation.a) || model.deleted.contains(&conversation.b);
            Some(gone || conversation.messages[sequence].texts[0].is_none())
        };
        if withheld(&before) == Some(true) && withheld(after) == Some(false) {
            world.ledger.unerased.insert((place, *message));
        }
        if after.places.get(message) != Some(places) || places.iter().any(differs) {
            world.ledger.cut.insert((place, *message));
        }
    }
    *world.ledger.restored.entry(place).or_default() += 1;
    world.faults += 1;
    world.trace(|| format!("node {place} is restored from copy {backup}, by the verb: {by_verb}"));
}

fn jump(world: &mut World, place: usize) {
    let size = *world.chance.one_of(&[500_i64, 20_000, 600_000, 7_200_000, 90_000_000]).expect("some");
    let size = size / 2 + i64::try_from(world.chance.below(size.unsigned_abs())).expect("small");
    let error = match world.chance.below(3) {
        0 => 0,
        1 => size,
        _ => -size,
    };
    world.nodes[place].clock_error_ms = error;
    world.faults += 1;
    world.trace(|| format!("the clock of {place} is wrong by {error} ms"));
}

fn fill(world: &mut World, place: usize) {
    let room = world.chance.between(0, 2) * crate::node::RESERVE / 2 + world.chance.below(20_000);
    let node = &world.nodes[place];
    node.disk.set_capacity(Some(node.disk.used_bytes() + room));
    world.troubles.full.push(place);
    world.faults += 1;
    world.trace(|| format!("the disk of {place} has {room} bytes left"));
}

fn empty(world: &mut World) {
    if let Some(place) = world.troubles.full.pop()
        && !world.troubles.full.contains(&place)
    {
        world.nodes[place].disk.set_capacity(None);
        world.trace(|| format!("the disk of {place} has room again"));
    }
}

/// Everything is right again.
pub fn end_all(world: &mut World) {
    while !world.troubles.parted.is_empty() {
        join(world);
    }
    while !world.troubles.full.is_empty() {
        empty(world);
    }
    for place in std::mem::take(&mut world.troubles.doomed) {
        // It may have met the failure already, in an erasure, which is not told before the next batch.
        let disk_lives = !world.nodes[place].disk.is_off();
        fall(world, place, disk_lives, "stopped with a disk that fails");
    }
    for node in &mut world.nodes {
        node.clock_error_ms = 0;
    }
}
