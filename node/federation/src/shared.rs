//! What all tasks of the federation share: the configuration, the peers by name and number, and a few brakes.
//!
//! Locks are held for a lookup only, never over an `.await`.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use startalk_domain::directory;
use startalk_protocol::{Code, DomainName, Error};
use tokio::{sync::Semaphore, task::JoinHandle};
use tracing::debug;

use crate::{
    config::{FederationConfig, OPENINGS_MAX, PROOFS_MAX, STRANGERS_MAX},
    newcomers::Newcomers,
    peer,
    slot::Slot,
    status::{Refusal, adopt, note},
};

pub(crate) struct Shared {
    pub(crate) config: FederationConfig,
    runtime: tokio::runtime::Handle,
    slots: RwLock<Slots>,
    /// Domains that claimed to be somebody whom we do not know, and were not believed.
    strangers: Mutex<VecDeque<(DomainName, Vec<Refusal>)>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    pub(crate) openings: Semaphore,
    pub(crate) proofs: Semaphore,
    /// Who may become known.
    pub(crate) newcomers: Newcomers,
    /// Links that are open.
    pub(crate) links: AtomicUsize,
}

#[derive(Default)]
struct Slots {
    by_number: HashMap<u64, Arc<Slot>>,
    by_domain: HashMap<DomainName, Arc<Slot>>,
    stopping: bool,
}

impl Shared {
    pub(crate) fn new(config: FederationConfig) -> Self {
        Self {
            config,
            runtime: tokio::runtime::Handle::current(),
            slots: RwLock::default(),
            strangers: Mutex::default(),
            tasks: Mutex::default(),
            openings: Semaphore::new(OPENINGS_MAX),
            proofs: Semaphore::new(PROOFS_MAX),
            newcomers: Newcomers::default(),
            links: AtomicUsize::new(0),
        }
    }

    /// Now, for every wait: a clock that is put right must not make anything wait for as long as it was wrong.
    pub(crate) fn steady_ms(&self) -> u64 {
        (self.config.steady)()
    }

    /// Now, as it is written and shown.
    pub(crate) fn wall_ms(&self) -> u64 {
        (self.config.clock)()
    }

    /// The same, as trust compares it.
    pub(crate) fn wall_signed(&self) -> i64 {
        i64::try_from(self.wall_ms()).unwrap_or(i64::MAX)
    }

    /// A moment of the steady clock, as it is written and shown now.
    pub(crate) fn shown_ms(&self, steady_ms: u64) -> u64 {
        let (now_ms, wall_ms) = (self.steady_ms(), self.wall_ms());
        wall_ms.saturating_add(steady_ms.saturating_sub(now_ms)).saturating_sub(now_ms.saturating_sub(steady_ms))
    }

    pub(crate) fn chance(&self) -> u32 {
        let mut bytes = [0; 4];
        (self.config.random)(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// The peer with this number, and its task; `None` if there is no such peer or all is stopping.
    pub(crate) fn slot(self: &Arc<Self>, number: u64) -> Option<Arc<Slot>> {
        if let Some(slot) = self.slots.read().by_number.get(&number) {
            return Some(slot.clone());
        }
        if number == directory::HERE {
            return None;
        }
        let domain = directory::domain_of(&*self.config.views.store, number)?;
        let mut slots = self.slots.write();
        if slots.stopping {
            return None;
        }
        if let Some(slot) = slots.by_number.get(&number) {
            return Some(slot.clone());
        }
        let slot = Slot::new(domain.clone(), number);
        slots.by_number.insert(number, slot.clone());
        slots.by_domain.insert(domain, slot.clone());
        let mut tasks = self.tasks.lock();
        tasks.push(self.runtime.spawn(peer::keep_running(self.clone(), slot.clone())));
        Some(slot)
    }

    /// The peer with this name, if it has a task.
    pub(crate) fn slot_of(&self, domain: &DomainName) -> Option<Arc<Slot>> {
        self.slots.read().by_domain.get(domain).cloned()
    }

    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.read().by_number.values().cloned().collect()
    }

    /// Tells all tasks to stop; they are returned, to be waited for.
    pub(crate) fn stop(&self) -> Vec<JoinHandle<()>> {
        self.slots.write().stopping = true;
        self.slots().iter().for_each(|slot| slot.stop());
        std::mem::take(&mut *self.tasks.lock())
    }

    /// Keeps why somebody who said to be `domain` was not believed.
    pub(crate) fn refused(&self, domain: &DomainName, error: Error) {
        let now_ms = self.wall_ms();
        if let Some(slot) = self.slot_of(domain) {
            // Not the peer's own last error: somebody else may have used its name.
            return note(&mut slot.status.lock().refusals, domain, &error, now_ms);
        }
        let mut strangers = self.strangers.lock();
        let at = strangers.iter().position(|(d, _)| d == domain);
        let mut stranger = at.and_then(|at| strangers.remove(at)).unwrap_or_else(|| (domain.clone(), Vec::new()));
        note(&mut stranger.1, domain, &error, now_ms);
        if strangers.len() >= STRANGERS_MAX {
            strangers.pop_front();
        }
        strangers.push_back(stranger);
    }

    pub(crate) fn strangers(&self) -> Vec<(DomainName, Vec<Refusal>)> {
        self.strangers.lock().iter().cloned().collect()
    }

    /// A stranger is known now: what was refused to whoever used its name before stays told, under its name.
    pub(crate) fn know_stranger(self: &Arc<Self>, number: u64, domain: &DomainName) {
        let mut strangers = self.strangers.lock();
        let Some(at) = strangers.iter().position(|(d, _)| d == domain) else { return };
        let earlier = strangers.remove(at).map(|(_, refusals)| refusals).unwrap_or_default();
        drop(strangers);
        if let Some(slot) = self.slot(number) {
            adopt(&mut slot.status.lock().refusals, earlier);
        }
    }
}

/// A connection without what a link needs, named in the log only: nobody said who it is.
pub(crate) fn nameless(why: &str) {
    debug!("an incoming connection was not used: {why}");
}

/// `what` could not be reached, with why.
pub(crate) fn unreachable(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
    Error::new(Code::Unreachable).with("what", what).with("why", why)
}

/// A wait in the clocks' unit.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}
