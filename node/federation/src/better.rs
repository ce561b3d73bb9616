//! While a link that we dialed runs over TLS on TCP, perhaps through a hub: whether QUIC gets through by now, which is looked at
//! now and then. Then the link is made anew, over the better way.
//!
//! A hub forwards links over TLS alone, so QUIC that gets through is a direct path.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{
    dial,
    shared::{Shared, millis},
    slot::Slot,
};

/// See the module.
pub(crate) struct Better {
    /// By the steady clock.
    next_ms: u64,
    looking: Option<oneshot::Receiver<bool>>,
}

impl Better {
    /// For a link that was just made.
    pub(crate) fn new(shared: &Shared) -> Self {
        Self { next_ms: shared.steady_ms() + millis(shared.config.timings.quic_again), looking: None }
    }

    /// When there is something to do next; while one looks, the peer's task is woken.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.looking.is_none().then_some(self.next_ms)
    }

    /// Begins a look if it is time. True: QUIC gets through.
    pub(crate) fn look(&mut self, shared: &Arc<Shared>, slot: &Arc<Slot>) -> bool {
        match self.looking.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(found)) => {
                *self = Self::new(shared);
                return found;
            }
            Some(Err(oneshot::error::TryRecvError::Empty)) => return false,
            // Given up without a word: as if there were nothing better.
            Some(Err(oneshot::error::TryRecvError::Closed)) => *self = Self::new(shared),
            None => {}
        }
        if shared.steady_ms() >= self.next_ms {
            let (tell, told) = oneshot::channel();
            tracing::debug!(domain = %slot.domain, "looking whether QUIC gets through");
            self.looking = Some(told);
            let (shared, slot) = (shared.clone(), slot.clone());
            tokio::spawn(async move {
                let found = dial::quic_gets_through(&shared, &slot).await;
                let _ = tell.send(found); // the link may have ended meanwhile
                slot.wake.notify_one();
            });
        }
        false
    }
}
