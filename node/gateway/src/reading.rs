//! Who may read the past now: a few at once over all sessions, and of one account fewer still.
//!
//! All others of an account wait for its own first, and stand in the common line only then: however much somebody asks, whoever
//! asks once has at most [`OF_ACCOUNT_MAX`] of theirs before them. Owns nothing but places.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads of the past (pages, syncs) at once.
const AT_ONCE_MAX: usize = 4;
/// Of one account: read, or waiting in the common line.
const OF_ACCOUNT_MAX: usize = 2;
/// Accounts from which on those who read no more are let go.
const ACCOUNTS_KEPT: usize = 256;

/// The places.
pub(crate) struct Reading {
    all: Arc<Semaphore>,
    by_account: Mutex<HashMap<u64, Weak<Semaphore>>>,
    /// Held by each read that waits for a place, or has one.
    wanted: Arc<()>,
}

/// One of them, until it is dropped.
pub(crate) struct Place {
    /// Given back first, so that the account's next one stands at the end of the line.
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _wanted: Arc<()>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE_MAX)), by_account: Mutex::default(), wanted: Arc::default() }
    }
}

impl Reading {
    /// Waits for a place of `account`; `None` when the gateway is gone.
    pub(crate) async fn place(&self, account: u64) -> Option<Place> {
        let wanted = self.wanted.clone();
        let own = self.of(account).acquire_owned().await.ok()?;
        let all = self.all.clone().acquire_owned().await.ok()?;
        Some(Place { _all: all, _own: own, _wanted: wanted })
    }

    /// Reads that wait or are under way.
    pub(crate) fn wanted(&self) -> usize {
        Arc::strong_count(&self.wanted) - 1
    }

    fn of(&self, account: u64) -> Arc<Semaphore> {
        let mut all = self.by_account.lock();
        if let Some(own) = all.get(&account).and_then(Weak::upgrade) {
            return own;
        }
        if all.len() >= ACCOUNTS_KEPT {
            all.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(OF_ACCOUNT_MAX));
        all.insert(account, Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn who_reads_once_does_not_wait_behind_all_that_somebody_else_reads() {
        let reading = Reading::default();
        let mut context = Context::from_waker(Waker::noop());
        // Two that read and never end, besides.
        let _others = (reading.place(8).await, reading.place(9).await);
        let mut many: Vec<_> = (0..100).map(|_| Box::pin(reading.place(1))).collect();
        let mut first: Vec<_> = many.iter_mut().map(|place| place.as_mut().poll(&mut context)).collect();
        assert_eq!(first.iter().filter(|place| place.is_ready()).count(), OF_ACCOUNT_MAX);
        let mut once = Box::pin(reading.place(2));
        assert!(once.as_mut().poll(&mut context).is_pending(), "all places are taken");
        assert_eq!(reading.wanted(), 2 + 100 + 1);
        let ended = first.iter_mut().find(|place| place.is_ready()).unwrap();
        *ended = Poll::Pending;
        assert!(once.as_mut().poll(&mut context).is_ready(), "the next place is theirs, before the other 98");
    }

    #[tokio::test]
    async fn accounts_that_read_no_more_are_forgotten() {
        let reading = Reading::default();
        for account in 0..10 * ACCOUNTS_KEPT as u64 {
            drop(reading.place(account).await);
        }
        assert!(reading.by_account.lock().len() <= ACCOUNTS_KEPT);
    }
}
