//! Who is connected: sessions by account, in shards so that a sign-in does not hold up the write loop's pushes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::session::Session;

const SHARDS: usize = 16;
/// Accounts that came or went and are remembered, for those who keep a selection of the connected.
const LATELY_MAX: usize = 1024;

/// Sessions by account.
#[derive(Default)]
pub(crate) struct Registry {
    shards: [RwLock<HashMap<u64, Vec<Arc<Session>>>>; SHARDS],
    /// Grows when an account comes or goes.
    generation: AtomicU64,
    /// The accounts that came or went last; the last one made the generation what it is.
    lately: Mutex<VecDeque<u64>>,
}

impl Registry {
    fn shard(&self, account: u64) -> &RwLock<HashMap<u64, Vec<Arc<Session>>>> {
        &self.shards[(account % SHARDS as u64) as usize]
    }

    /// Adds a session of `account`; false if it has `max` already.
    pub(crate) fn add(&self, account: u64, session: &Arc<Session>, max: usize) -> bool {
        let mut shard = self.shard(account).write();
        let sessions = shard.entry(account).or_default();
        if sessions.len() >= max {
            return false;
        }
        sessions.push(session.clone());
        if sessions.len() == 1 {
            self.moved(account);
        }
        true
    }

    /// Removes a session; true if it was the account's last.
    pub(crate) fn remove(&self, account: u64, session: &Session) -> bool {
        let mut shard = self.shard(account).write();
        let Some(sessions) = shard.get_mut(&account) else { return false };
        let before = sessions.len();
        sessions.retain(|s| s.number != session.number);
        let removed = sessions.len() < before;
        let empty = sessions.is_empty();
        if empty {
            shard.remove(&account);
            self.moved(account);
        }
        removed && empty
    }

    /// Calls `each` with every session of `account`; it must not block, nor come back here to write.
    pub(crate) fn each(&self, account: u64, mut each: impl FnMut(&Arc<Session>)) {
        if let Some(sessions) = self.shard(account).read().get(&account) {
            sessions.iter().for_each(&mut each);
        }
    }

    /// Calls `each` with every session; as with [`each`](Self::each).
    pub(crate) fn all(&self, mut each: impl FnMut(&Arc<Session>)) {
        for shard in &self.shards {
            shard.read().values().flatten().for_each(&mut each);
        }
    }

    /// Another number whenever another set of accounts is connected.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whoever came or went since that generation; `None` if those were too many.
    pub(crate) fn moved_since(&self, generation: u64) -> Option<Vec<u64>> {
        let lately = self.lately.lock();
        let moved = usize::try_from(self.generation().checked_sub(generation)?).ok()?;
        let first = lately.len().checked_sub(moved)?;
        Some(lately.iter().skip(first).copied().collect())
    }

    fn moved(&self, account: u64) {
        let mut lately = self.lately.lock();
        if lately.len() == LATELY_MAX {
            lately.pop_front();
        }
        lately.push_back(account);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether anybody of `account` is connected.
    pub(crate) fn has(&self, account: u64) -> bool {
        self.shard(account).read().contains_key(&account)
    }
}
