//! The public hub: answers "where is domain X?" for many domains. federation-spec/04-discovery-and-hubs.md §4
//!
//! Owns nothing but memory: a directory of signed records until they expire. Kill it, start it on an empty disk, run five
//! of them: nothing is lost. What it says is a hint that everybody verifies; it lists in public only who asked for it and
//! proved the name. It never writes a file, and stores no address of anybody who asks.

pub mod api;
mod check;
pub mod directory;
pub mod limits;
pub mod page;
pub mod prover;
pub mod rate;
pub mod relay;
pub mod serve;
pub mod settings;

use std::sync::Arc;

use parking_lot::Mutex;
use startalk_net::Discovery;

pub use directory::Directory;
pub use rate::Rates;
pub use relay::Relay;
use tokio::sync::{Semaphore, watch};

/// The time in milliseconds since 1970; passed in, so that tests can make it pass.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A running hub's state; cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<State>);

pub(crate) struct State {
    pub(crate) directory: Mutex<Directory>,
    pub(crate) rates: Rates,
    pub(crate) clock: Clock,
    pub(crate) prover: prover::Queue,
    pub(crate) discovery: Discovery,
    pub(crate) relay: Relay,
    /// Looks at servers that may run at once.
    pub(crate) checks: Semaphore,
    stop: watch::Receiver<bool>,
    /// Take the asker's address from X-Forwarded-For when the connection comes from this machine.
    pub(crate) behind_proxy: bool,
}

impl Hub {
    /// A hub that knows nothing yet. Spawns the tasks that look for proofs and that forget what expired; they end with
    /// the last clone of the hub. Must be called inside a tokio runtime.
    ///
    /// When `stop` becomes true, tethers are told so and end.
    pub fn new(discovery: Discovery, clock: Clock, behind_proxy: bool, relay: Relay, stop: watch::Receiver<bool>) -> Self {
        let (queue, asked) = prover::Queue::new();
        let state = State {
            directory: Mutex::default(),
            rates: Rates::default(),
            clock,
            prover: queue,
            discovery: discovery.clone(),
            relay,
            checks: Semaphore::new(limits::CHECKS_AT_ONCE),
            stop,
            behind_proxy,
        };
        let hub = Self(Arc::new(state));
        prover::spawn(&hub, discovery, asked);
        tokio::spawn(forget(Arc::downgrade(&hub.0)));
        hub
    }

    /// Until the hub is told to stop.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.0.stop.clone();
        let _ = stop.wait_for(|stop| *stop).await; // an error: nobody is left who could make it so
    }

    /// What it forwards.
    pub fn relay(&self) -> &Relay {
        &self.0.relay
    }

    /// The present time of its clock.
    pub fn now_ms(&self) -> i64 {
        (self.0.clock)()
    }
}

async fn forget(hub: std::sync::Weak<State>) {
    loop {
        tokio::time::sleep(limits::FORGET_EVERY).await;
        let Some(hub) = hub.upgrade() else { return };
        let now_ms = (hub.clock)();
        hub.directory.lock().expire(now_ms);
        hub.rates.forget(now_ms);
    }
}
