//! What is left of the fault disk when the power goes off.
//!
//! Owns the choice, by seed, among everything that a real disk and filesystem may do with writes that were not synced.
//! Never touches what was synced.
//!
//! Invariant: each of "everything kept", "everything lost", "cut in the middle" and "any mixture" comes up often.

use super::node::{Change, NameChange, Node, apply, write};
use super::{SECTOR, SplitMix64, World};

/// How the changes of one file fared.
enum Fate {
    AllKept,
    AllLost,
    /// In order up to one, which is torn.
    Prefix,
    /// Each by itself, some in another order.
    Mixture,
}

pub fn crash(world: &World, seed: u64) -> World {
    let mut random = SplitMix64::new(seed);
    let nodes = world.nodes.iter().map(|node| Node::durable(survive(node, &mut random))).collect();
    let mut names = world.durable_names.clone();
    let all = random.one_in(3);
    for change in &world.name_changes {
        if !all && random.one_in(2) {
            continue;
        }
        match change {
            NameChange::Link { name, id } => {
                names.insert(name.clone(), *id);
            }
            NameChange::Rename { from, to, id } => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
            NameChange::Remove { name } => {
                names.remove(name);
            }
        }
    }
    World { nodes, durable_names: names.clone(), names, capacity: world.capacity, ..World::default() }
}

fn survive(node: &Node, random: &mut SplitMix64) -> Vec<u8> {
    let mut content = node.durable.clone();
    let fate = match random.below(5) {
        0 => Fate::AllKept,
        1 => Fate::AllLost,
        2 => Fate::Prefix,
        _ => Fate::Mixture,
    };
    match fate {
        Fate::AllKept => node.pending.iter().for_each(|change| apply(&mut content, change)),
        Fate::AllLost => {}
        Fate::Prefix => {
            let kept = random.below(node.pending.len() as u64 + 1) as usize;
            node.pending[..kept].iter().for_each(|change| apply(&mut content, change));
            if let Some(change) = node.pending.get(kept) {
                tear(&mut content, change, random);
            }
        }
        Fate::Mixture => {
            let mut order: Vec<&Change> = node.pending.iter().collect();
            if order.len() > 1 && random.one_in(2) {
                for last in (1..order.len()).rev() {
                    order.swap(last, random.below(last as u64 + 1) as usize);
                }
            }
            for change in order {
                match random.below(4) {
                    0 => {}
                    1 => tear(&mut content, change, random),
                    _ => apply(&mut content, change),
                }
            }
        }
    }
    content
}

/// Applies a part of a write: up to or from any byte, or any of its sectors.
fn tear(content: &mut Vec<u8>, change: &Change, random: &mut SplitMix64) {
    let Change::Write { offset, bytes } = change else {
        return;
    };
    let at = random.below(bytes.len() as u64 + 1) as usize;
    match random.below(4) {
        0 => write(content, *offset, &bytes[..at]),
        1 => write(content, offset + at as u64, &bytes[at..]),
        _ => {
            let mut start = 0;
            while start < bytes.len() {
                let sector = SECTOR - (*offset as usize + start) % SECTOR;
                let end = bytes.len().min(start + sector);
                if random.one_in(2) {
                    write(content, offset + start as u64, &bytes[start..end]);
                }
                start = end;
            }
        }
    }
}
