//! Looking for proofs of announced DNS names, in the background and a few at a time.
//!
//! Owns the queue; the rule is `startalk_net::discovery`'s, the consequence is the directory's.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use startalk_net::Discovery;
use startalk_protocol::DomainName;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    Hub, State,
    limits::{PROOFS_AT_ONCE, PROOFS_WAITING_MAX},
};

/// Names to look at; each at most once.
pub(crate) struct Queue {
    sender: mpsc::Sender<DomainName>,
    waiting: Arc<Mutex<BTreeSet<DomainName>>>,
}

impl Queue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<DomainName>) {
        let (sender, receiver) = mpsc::channel(PROOFS_WAITING_MAX);
        (Self { sender, waiting: Arc::default() }, receiver)
    }

    /// Asks for a look; forgotten if too many wait already.
    pub(crate) fn ask(&self, domain: &DomainName) {
        let mut waiting = self.waiting.lock();
        if !waiting.contains(domain) && self.sender.try_send(domain.clone()).is_ok() {
            waiting.insert(domain.clone());
        }
    }
}

pub(crate) fn spawn(hub: &Hub, discovery: Discovery, mut asked: mpsc::Receiver<DomainName>) {
    let (state, waiting) = (Arc::downgrade(&hub.0), hub.0.prover.waiting.clone());
    let at_once = Arc::new(Semaphore::new(PROOFS_AT_ONCE));
    tokio::spawn(async move {
        // Ends when the hub, and with it the sender, is gone.
        while let Some(domain) = asked.recv().await {
            let Ok(permit) = at_once.clone().acquire_owned().await else { return };
            // From here on it may be asked for again: what is announced now was perhaps not looked at.
            waiting.lock().remove(&domain);
            let (state, discovery) = (state.clone(), discovery.clone());
            tokio::spawn(async move {
                look(&state, &discovery, &domain).await;
                drop(permit);
            });
        }
    });
}

async fn look(state: &Weak<State>, discovery: &Discovery, domain: &DomainName) {
    let Some(records) = state.upgrade().map(|s| s.directory.lock().to_prove(domain, (s.clock)())) else { return };
    for record in records {
        let Some(now_ms) = state.upgrade().map(|s| (s.clock)()) else { return };
        let result = discovery.prove(&record, now_ms).await;
        let Some(state) = state.upgrade() else { return };
        match result {
            Ok(proof) => {
                tracing::info!(%domain, proof = proof.as_str(), "proven");
                state.directory.lock().proven(&record, proof, now_ms);
                return;
            }
            Err(not_found) => {
                tracing::info!(%domain, steps = %not_found.words(startalk_protocol::error::Language::English), "not proven");
                state.directory.lock().not_proven(&record, not_found.contradicted());
            }
        }
    }
}
