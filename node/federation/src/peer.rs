//! The task of one peer: waits until there is a reason for a link, makes one or takes one in, and decides when to try
//! again.
//!
//! One link at a time. Everything that it remembers begins anew with the process.

use std::{sync::Arc, time::Duration};

use startalk_domain::{Answer, Command, directory, outbox};
use startalk_protocol::{Code, Error, error::Language};
use tracing::{debug, error, info, warn};

use crate::{
    ask::ask,
    backoff::Backoff,
    config::Timings,
    dial,
    live::{self, Apart, End, Lent, Origin},
    opening::Arrived,
    sending::Acks,
    shared::{Shared, millis},
    slot::Slot,
    status::{State, is_refusal},
    wire::Wire,
};

/// The longest sleep of a task that waits for nothing but time.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

struct Peer {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    backoff: Backoff,
    acks: Acks,
    /// Not before then; this and all that follow by the steady clock.
    next_ms: u64,
    /// The last failure was a refusal.
    refused: bool,
    /// No link before then, also none that comes: two copies were seen, or it names what fits nothing once too often.
    held_until_ms: u64,
    /// Why.
    held_for: Error,
    /// A link is wanted although there may be nothing to send.
    wanted: bool,
    /// Tried in vain since then.
    vain_since_ms: Option<u64>,
    /// When it was tried last.
    tried_ms: u64,
    /// An attempt has failed or something was decided, and nobody has looked yet at what waits.
    to_look: bool,
}

enum Next {
    Dial,
    Arrived(Arrived),
    Stop,
}

/// Runs until the node stops. A panic is a bug, and no reason never to speak with this peer again.
pub(crate) async fn keep_running(shared: Arc<Shared>, slot: Arc<Slot>) {
    while let Err(ended) = tokio::spawn(run(shared.clone(), slot.clone())).await {
        error!(domain = %slot.domain, "the peer's task ended unexpectedly: {ended}");
        if slot.stopping() || ended.is_cancelled() {
            return;
        }
        tokio::time::sleep(shared.config.timings.backoff_most).await;
    }
}

async fn run(shared: Arc<Shared>, slot: Arc<Slot>) {
    let vain_since_ms = silent_since(&shared, &slot);
    let mut peer = Peer {
        shared,
        slot,
        backoff: Backoff::default(),
        acks: Acks::default(),
        next_ms: 0,
        refused: false,
        held_until_ms: 0,
        held_for: Code::TwoCopies.into(),
        wanted: false,
        vain_since_ms,
        tried_ms: 0,
        to_look: true,
    };
    loop {
        let mut link = match peer.next().await {
            Next::Stop => break,
            Next::Dial => peer.dial().await,
            Next::Arrived(arrived) => peer.take_in(arrived),
        };
        while let Some((wire, origin)) = link.take() {
            let lent = Lent { shared: &peer.shared, slot: &peer.slot, acks: &mut peer.acks };
            // Apart: most peers have no link most of the time, and what they hold then should be small.
            let (end, ready_ms) = Box::pin(live::run(lent, wire, origin)).await;
            link = peer.ended(end, ready_ms).await;
        }
    }
    peer.acks.write(&peer.shared, peer.slot.number()).await;
    peer.slot.status.lock().state = State::Idle;
}

/// As the journal has it. A peer that was not given up has some time left, however long we were not there ourselves.
fn silent_since(shared: &Shared, slot: &Slot) -> Option<u64> {
    let known = directory::peer(&*shared.config.views.store, slot.number()).filter(|p| p.silent_since_ms != 0)?;
    let timings = &shared.config.timings;
    let silent_ms = shared.wall_ms().saturating_sub(known.silent_since_ms);
    let most_ms = millis(timings.dead_after).saturating_sub(millis(timings.silent_after));
    Some(shared.steady_ms().saturating_sub(if known.given_up { silent_ms } else { silent_ms.min(most_ms) }))
}

impl Peer {
    fn timings(&self) -> &Timings {
        &self.shared.config.timings
    }

    /// Waits for a reason to do something.
    async fn next(&mut self) -> Next {
        loop {
            if self.slot.stopping() {
                return Next::Stop;
            }
            if let Some(arrived) = self.slot.take_arrived() {
                return Next::Arrived(arrived);
            }
            if self.slot.take_reconnect() {
                self.backoff.reset();
                (self.next_ms, self.held_until_ms, self.wanted) = (0, 0, true);
            }
            if self.slot.take_items() && self.vain_ms() >= millis(self.timings().dormant_after) {
                // Somebody has written: that is worth an attempt now, but not one for every message.
                self.next_ms = self.next_ms.min(self.tried_ms + millis(self.timings().refused_first));
            }
            self.to_look |= self.slot.take_changed();
            self.slot.take_ephemerals(); // no link: dropped
            self.acks.write_if_due(&self.shared, self.slot.number());
            if std::mem::take(&mut self.to_look) {
                Box::pin(self.look_at_silence()).await;
            }
            let now_ms = self.shared.steady_ms();
            let (state, dial_ms) = self.outlook();
            if dial_ms.is_some_and(|at| at <= now_ms) {
                return Next::Dial;
            }
            {
                let mut status = self.slot.status.lock();
                status.state = state;
                status.link = None;
            }
            let due = dial_ms.into_iter().chain(self.acks.due_ms(&self.shared)).min();
            let wait = due.map_or(SLEEP_MAX, |due| Duration::from_millis(due.saturating_sub(now_ms).max(1)).min(SLEEP_MAX));
            tokio::select! {
                () = self.slot.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// How things stand without a link, and when it is dialed, if at all.
    fn outlook(&self) -> (State, Option<u64>) {
        let store = &*self.shared.config.views.store;
        let number = self.slot.number();
        let known = directory::peer(store, number);
        if directory::is_denied(store, &self.slot.domain) {
            return (State::Denied, None);
        }
        let given_up = known.as_ref().is_some_and(|p| p.given_up);
        if known.is_some_and(|p| p.gone_at != 0) && !self.wanted {
            return (State::Gone, None);
        }
        let outbox = outbox::outbox(store, number);
        let unacked = outbox.head() > self.acks.up_to(outbox.epoch).unwrap_or(outbox.acked);
        if !unacked && !self.wanted && !self.slot.has_groups() && !self.slot.has_questions() {
            return (State::Idle, None);
        }
        let at = self.next_ms.max(self.held_until_ms);
        let next_attempt_ms = self.shared.shown_ms(at);
        let vain_ms = self.vain_ms();
        let state = match () {
            () if given_up || vain_ms >= millis(self.timings().dead_after) => State::Dead { next_attempt_ms },
            () if vain_ms >= millis(self.timings().dormant_after) => State::Dormant { next_attempt_ms },
            () if self.refused => State::Refused { next_attempt_ms },
            () => State::BackingOff { next_attempt_ms },
        };
        (state, Some(at))
    }

    async fn dial(&mut self) -> Option<(Box<Wire>, Origin)> {
        self.wanted = false;
        self.tried_ms = self.shared.steady_ms();
        self.slot.status.lock().state = State::Dialing;
        let (shared, slot) = (self.shared.clone(), self.slot.clone());
        let mut dialing = Box::pin(dial::dial(&shared, &slot));
        let dialed = loop {
            tokio::select! {
                dialed = &mut dialing => break dialed,
                // Nobody has heard of this attempt yet, so it gives way to a link that is there.
                () = self.slot.wake.notified() => if self.slot.interrupts() {
                    return None;
                }
            }
        };
        match dialed {
            // A link that came meanwhile is there already: ours is dropped without a hello.
            Ok(_) if self.slot.interrupts() => None,
            Ok(dialed) => Some((dialed.wire, Origin::Dialed(dialed.found))),
            Err(error) => {
                self.failed(error);
                None
            }
        }
    }

    fn take_in(&mut self, arrived: Arrived) -> Option<(Box<Wire>, Origin)> {
        let now_ms = self.shared.steady_ms();
        self.vain_since_ms = None;
        self.backoff.reset();
        if now_ms < self.held_until_ms {
            let error = self.held_for.clone();
            self.slot.status.lock().failed(&self.slot.domain, error.clone(), self.shared.wall_ms());
            arrived.wire.dismiss(error, self.timings().farewell);
            return None;
        }
        let Arrived { wire, judged, instance } = arrived;
        Some((wire, Origin::Arrived { judged, instance }))
    }

    /// After a link: what was learned, and the link that takes its place, if there is one.
    async fn ended(&mut self, end: End, ready_ms: Option<u64>) -> Option<(Box<Wire>, Origin)> {
        let now_ms = self.shared.steady_ms();
        self.slot.status.lock().link = None;
        if let Some(ready_ms) = ready_ms {
            self.vain_since_ms = None;
            self.refused = false;
            if now_ms >= ready_ms + millis(self.timings().steady) {
                self.backoff.reset();
            }
        } else {
            self.slot.known.lock().found = None;
        }
        match end {
            End::Stopped => None,
            End::Retired | End::KeyEnded => {
                self.next_ms = now_ms;
                None
            }
            End::Replaced(arrived) => self.take_in(arrived),
            End::OtherEpoch | End::Better => {
                (self.next_ms, self.wanted) = (0, true);
                None
            }
            End::Apart { apart, epoch } => {
                Box::pin(self.restart_link(apart, epoch)).await;
                None
            }
            End::Lost(error) => {
                self.failed(error);
                None
            }
            End::Closed { by_peer, error } => {
                self.closed(by_peer, error, ready_ms.is_some());
                None
            }
        }
    }

    fn closed(&mut self, by_peer: bool, error: Error, was_ready: bool) {
        debug!(domain = %self.slot.domain, by_peer, "link closed: {error}");
        match error.code {
            // Nothing went wrong; whoever has something to send dials again.
            Code::SecondLink | Code::Stopping | Code::WentBack => self.again(error),
            Code::IdleTimeout if by_peer && was_ready => self.again(error),
            // Only who saw them: if who is told refused links too, two that each saw the other twice would tell each other so
            // for ever, each attempt within the other's refusal.
            Code::TwoCopies if !by_peer => {
                self.held_until_ms = self.shared.steady_ms() + millis(self.timings().two_copies);
                self.held_for = Error::new(Code::TwoCopies).with("domain", &self.slot.domain);
                self.failed(error);
            }
            Code::OlderRecord if by_peer => {
                self.shared.config.identity.outdated();
                self.failed(error);
            }
            _ => self.failed(error),
        }
    }

    /// To be tried again after a moment.
    fn again(&mut self, error: Error) {
        let (now_ms, wait_ms) = (self.shared.steady_ms(), millis(self.timings().backoff_first));
        self.next_ms = now_ms + wait_ms / 2 + u64::from(self.shared.chance()) % (wait_ms / 2 + 1);
        self.refused = false;
        if error.code == Code::WentBack {
            self.slot.status.lock().failed(&self.slot.domain, error, self.shared.wall_ms());
        }
    }

    /// How long it has been tried in vain.
    fn vain_ms(&self) -> u64 {
        self.vain_since_ms.map_or(0, |since| self.shared.steady_ms().saturating_sub(since))
    }

    /// After a failure: what is to be remembered of the silence, and what waits is given up in the end.
    async fn look_at_silence(&mut self) {
        let (handle, store) = (&self.shared.config.handle, &*self.shared.config.views.store);
        let number = self.slot.number();
        let Some(known) = directory::peer(store, number) else { return };
        if let Some(since_ms) = self.vain_since_ms
            && known.silent_since_ms == 0
            && self.vain_ms() >= millis(self.timings().silent_after)
        {
            // If it is not recorded now, the next failure says it again.
            let since_ms = self.shared.shown_ms(since_ms);
            let _ = ask(handle, Command::PeerSilent { peer: number, since_ms }).await;
        }
        let over = known.gone_at != 0 || self.vain_ms() >= millis(self.timings().dead_after);
        let present = outbox::epochs(store, number)[0];
        if !over || (known.given_up && outbox::given_up(store, number) >= present.before + present.count) {
            return;
        }
        warn!(domain = %self.slot.domain, "it has been silent for too long, or is no more: what waits for it is given up");
        let mut from = 0;
        while let Ok(Answer::More { from: next, .. }) = ask(handle, Command::GiveUpPeer { peer: number, from }).await {
            from = next;
        }
    }

    /// Keeps why, and when to try again.
    fn failed(&mut self, error: Error) {
        let now_ms = self.shared.steady_ms();
        self.refused = is_refusal(error.code);
        let first = if self.refused { self.timings().refused_first } else { self.timings().backoff_first };
        let most = self.timings().backoff_most;
        let chance = self.shared.chance();
        self.to_look = true;
        self.vain_since_ms.get_or_insert(now_ms);
        let wait = match self.vain_ms() {
            vain if vain >= millis(self.timings().dead_after) => self.timings().dead_retry,
            vain if vain >= millis(self.timings().dormant_after) => self.timings().dormant_retry,
            _ => self.backoff.next(first, most, chance),
        };
        self.next_ms = now_ms + millis(wait);
        debug!(domain = %self.slot.domain, code = error.code.as_str(), ?wait, "no link: {}", error.words(Language::English));
        self.slot.status.lock().failed(&self.slot.domain, error, self.shared.wall_ms());
    }

    /// What the peer says to have is no place of our present epoch: our outbox to it, and to nobody else, begins a new one,
    /// where both histories parted. That is its word only, so it is believed a few times a day. Whether the whole domain went back, our own devices prove.
    async fn restart_link(&mut self, apart: Apart, epoch: [u8; 16]) {
        let shared = self.shared.clone();
        let number = self.slot.number();
        let views = shared.config.views.clone();
        let after =
            tokio::task::spawn_blocking(move || outbox::restart_after(&*views.store, &*views.journal, number, apart.after)).await;
        let restarted = match after.unwrap_or(Err(Code::Internal.into())) {
            Ok(restart) => ask(&shared.config.handle, Command::RestartLink { peer: number, shown: epoch, restart }).await,
            Err(error) => Err(error),
        };
        if let Err(error) = restarted {
            let theirs = apart.theirs.map_or(0, |t| t.sequence);
            warn!(domain = %self.slot.domain, "it says to have {theirs} items of ours, which fits nothing here; no new epoch: {error}");
            // Looking for it costs us more than asking costs the peer.
            self.held_until_ms = self.shared.steady_ms() + millis(self.timings().refused_first);
            self.held_for = error.clone();
            return self.failed(error);
        }
        if apart.went_back {
            (shared.config.on_went_back)(&self.slot.domain);
        }
        info!(domain = %self.slot.domain, "linking again with a new epoch");
        (self.next_ms, self.wanted) = (0, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_waits_holds_little() {
        fn bytes<F: Future>(_: impl Fn(Arc<Shared>, Arc<Slot>) -> F) -> usize {
            size_of::<F>()
        }
        let held = bytes(run) + bytes(keep_running) + size_of::<Slot>();
        assert!(held <= 2048, "{held} bytes");
    }
}
