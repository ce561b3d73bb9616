//! Many nodes in one process: the real domain, the real write loop over the real journal on a disk that loses, and the
//! real state machine of links, in virtual time, on one thread, everything out of one seed. docs/simulation.md
//!
//! Owns the running of one seed. Never reads a clock or draws chance from elsewhere.
//! Invariant: the same seed and options give the same bytes on every disk.

#![warn(missing_docs)]

mod actions;
mod chance;
mod faults;
mod invariants;
mod network;
mod node;
mod oracle;
mod people;
mod trace;
mod words;
mod world;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use chance::Chance;
use trace::Trace;
use world::World;

/// How one seed is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps before everything heals.
    pub steps: u64,
    /// Nodes; `None`: 3 to 6, by the seed.
    pub nodes: Option<usize>,
    /// Prints every line of the trace.
    pub trace: bool,
}

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What did not hold, if anything.
    pub failure: Option<String>,
    /// What happened last.
    pub last: Vec<String>,
    /// Records written on all nodes, over all histories.
    pub events: u64,
    /// Faults.
    pub faults: u64,
    /// Answers that said yes.
    pub accepted: u64,
    /// Over the disks of all nodes.
    pub hash: [u8; 32],
}

/// Runs one seed from the beginning to rest.
pub fn run(seed: u64, options: &Options) -> Outcome {
    let trace = Trace::new(options.trace);
    let nodes = options.nodes.unwrap_or_else(|| 3 + Chance::new(seed ^ 0x6e6f_6465).index(4)).clamp(2, node::NODES_MAX);
    let world = RefCell::new(None);
    let ran = quietly(|| {
        let mut world = world.borrow_mut();
        let world = world.insert(World::new(seed, nodes, trace.clone()));
        for _ in 0..options.steps {
            world.step();
        }
        world.heal();
        invariants::at_rest(world);
    });
    let world = world.into_inner();
    let mut hasher = blake3::Hasher::new();
    let (mut events, mut faults, mut accepted) = (0, 0, 0);
    if let Some(world) = &world {
        events = world.nodes.iter().map(|n| n.model.records).sum();
        (faults, accepted) = (world.faults, world.ledger.accepted);
        if ran.is_ok() {
            for node in &world.nodes {
                hasher.update(&node.disk_hash());
            }
        }
    }
    Outcome { seed, failure: ran.err(), last: trace.last(), events, faults, accepted, hash: *hasher.finalize().as_bytes() }
}

thread_local! {
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
    static CATCHING: RefCell<bool> = const { RefCell::new(false) };
}

/// Runs `what`; a panic in it, with its place, is what is returned and not printed.
fn quietly(what: impl FnOnce()) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CATCHING.with_borrow(|c| *c) {
                CAUGHT.set(Some(info.to_string()));
            } else {
                before(info);
            }
        }));
    });
    CATCHING.set(true);
    let ran = catch_unwind(AssertUnwindSafe(what));
    CATCHING.set(false);
    ran.map_err(|_| CAUGHT.take().unwrap_or_else(|| "it panicked".to_owned()))
}
