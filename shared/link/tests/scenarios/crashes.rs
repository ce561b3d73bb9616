//! Any history of writes, syncs, cuts, crashes, erasures and restores: every item has its effect exactly once, in
//! order. A failing seed is printed and is a bug report.

use std::collections::HashSet;

use startalk_link::Entry;

use crate::{
    node::Durable,
    world::{A, B, Rng, World},
};

/// Seeds that are run; at least 200.
const SEEDS: u64 = 300;

/// What was done so far, to compare with.
#[derive(Default)]
struct Done {
    written: [Vec<String>; 2],
    /// Hashes of items that were erased; a restore may bring them back after they went out as hashes.
    erased: HashSet<[u8; 32]>,
}

fn step(world: &mut World, rng: &mut Rng, done: &mut Done) {
    let written = &mut done.written;
    let i = rng.below(2) as usize;
    match rng.below(100) {
        0..10 => {
            for _ in 0..=rng.below(20) {
                let bad = if rng.chance(10) { "bad " } else { "" };
                let text = format!("{bad}{i} {}", written[i].len());
                world.nodes[i].write(text.clone());
                written[i].push(text);
            }
        }
        10..14 if !world.nodes[i].durable.outbox.is_empty() => {
            let at = rng.below(world.nodes[i].durable.outbox.len() as u64) as usize;
            let hash = world.nodes[i].durable.outbox[at].hash();
            world.nodes[i].durable.outbox[at] = Entry::Withheld(hash);
            done.erased.insert(hash);
        }
        14..24 => {
            let ends = world.ends.as_mut();
            world.nodes[i].sync(ends.map(|e| &mut e[i].link));
        }
        24..26 => {
            world.nodes[i].crash();
            world.ends = None;
        }
        26..28 => world.ends = None,
        28..36 if world.ends.is_none() => world.connect(i),
        36..38 => world.now_ms += rng.below(20_000),
        38..60 => {
            world.flush(i);
        }
        _ => {
            let max = 1 + rng.below(3000) as usize;
            world.deliver(i, max);
        }
    }
    let now = world.now_ms;
    if let Some(ends) = &mut world.ends {
        ends.iter_mut().for_each(|e| e.link.tick(now));
        if ends.iter().any(|e| e.link.is_closed()) {
            world.ends = None;
        }
    }
}

fn finish(world: &mut World) {
    for dialer in [A, B, A, B, A, B, A, B] {
        world.nodes.iter_mut().for_each(|n| n.syncs_at_once = true);
        world.meet(dialer);
    }
}

#[test]
fn every_item_has_its_effect_exactly_once_and_in_order() {
    for seed in 0..SEEDS {
        let (mut world, mut rng, mut done) = (World::new(), Rng(seed), Done::default());
        world.nodes.iter_mut().for_each(|n| n.syncs_at_once = false);
        for _ in 0..400 {
            step(&mut world, &mut rng, &mut done);
        }
        finish(&mut world);
        for (from, to) in [(A, B), (B, A)] {
            let (sender, receiver) = (&world.nodes[from], &world.nodes[to]);
            assert_eq!(receiver.durable.cursor, Some(sender.sent()), "seed {seed}");
            let texts = receiver.texts();
            let refused = receiver.durable.refused.len() as u64;
            let total = texts.len() as u64 + receiver.durable.withheld + refused;
            assert_eq!(total, done.written[from].len() as u64, "seed {seed}: each exactly once");
            let mut rest = done.written[from].iter();
            assert!(texts.iter().all(|t| rest.any(|w| w == t)), "seed {seed}: in order");
            let told: Vec<u64> = sender.durable.told.keys().copied().collect();
            let refused: Vec<u64> = receiver.durable.refused.keys().copied().collect();
            assert_eq!(told, refused, "seed {seed}: every refusal is told");
            assert_eq!(sender.epochs_begun, 0, "seed {seed}: a crash is no journey in time");
        }
    }
}

#[test]
fn restores_from_backups_lose_nothing_that_the_journal_still_has() {
    for seed in 1000..1000 + SEEDS {
        let (mut world, mut rng, mut done) = (World::new(), Rng(seed), Done::default());
        let mut backups: [Option<Durable>; 2] = [None, None];
        for _ in 0..400 {
            step(&mut world, &mut rng, &mut done);
            let i = rng.below(2) as usize;
            if rng.chance(60) {
                backups[i] = Some(world.nodes[i].durable.clone());
            } else if rng.chance(150)
                && let Some(backup) = backups[i].clone()
            {
                world.nodes[i].crash();
                world.nodes[i].durable = backup;
                world.ends = None;
                // Whoever restores it with the program begins an epoch after what is known to be acknowledged.
                if rng.chance(2) {
                    let durable = &world.nodes[i].durable;
                    let after = durable.before + durable.acked;
                    world.nodes[i].begin_epoch(after);
                }
            }
        }
        finish(&mut world);
        for (from, to) in [(A, B), (B, A)] {
            let (sender, receiver) = (&world.nodes[from], &world.nodes[to]);
            assert_eq!(receiver.durable.cursor, Some(sender.sent()), "seed {seed}");
            let texts = receiver.texts();
            for entry in &sender.durable.outbox {
                if let Entry::Item(item) = entry
                    && !item.starts_with(b"bad")
                    && !done.erased.contains(&entry.hash())
                {
                    let count = texts.iter().filter(|t| t.as_bytes() == &item[..]).count();
                    assert_eq!(count, 1, "seed {seed}: {item:?}");
                }
            }
        }
    }
}
