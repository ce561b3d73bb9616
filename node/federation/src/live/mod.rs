//! One open link, from its hello to its end: keeps both directions going and listens to what others want of this peer
//! meanwhile. What the state machine tells is answered in `events`.
//!
//! Runs inside the peer's task; decides nothing about the domain. Invariant: it returns only after everything that it
//! submitted to the sequencer is answered, so that the next link begins where the views say.

mod events;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use startalk_domain::{directory, outbox};
use startalk_link::{Other, Position};
use startalk_net::Found;
use startalk_protocol::{Code, Error};

use crate::{
    better::Better,
    config::LINKS_IDLE_MAX,
    groups::Groups,
    opening::Arrived,
    receiving::Receiving,
    second::{self, Outcome, Probe, second_error},
    sending::{Acks, Sending, Stop},
    shared::{Shared, millis},
    slot::Slot,
    status::{Direction, Transport},
    trust::Judged,
    wire::Wire,
};

/// How long the sequencer may take to answer what a link submitted, when the node is stopping.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Why a link ended.
pub(crate) enum End {
    /// Somebody said why.
    Closed { by_peer: bool, error: Error },
    /// The connection is gone.
    Lost(Error),
    /// Another link of the same peer takes its place.
    Replaced(Arrived),
    /// It had served its time, or nobody used it and there are many.
    Retired,
    /// QUIC gets through by now: to be opened again at once.
    Better,
    /// The key that the peer showed in TLS is valid no more.
    KeyEnded,
    /// Our outbox has a new epoch: to be opened again at once.
    OtherEpoch,
    /// What the peer has is no place of `epoch`, which is our present one.
    Apart { apart: Apart, epoch: [u8; 16] },
    /// The node stops.
    Stopped,
}

/// As the link says it.
pub(crate) struct Apart {
    /// What the peer has of ours.
    pub(crate) theirs: Option<Position>,
    /// A new epoch is to begin after this item; `None`: after the last known ack.
    pub(crate) after: Option<u64>,
    /// The peer has what we do not.
    pub(crate) went_back: bool,
}

/// What the peer's task lends to a link.
pub(crate) struct Lent<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) slot: &'a Arc<Slot>,
    pub(crate) acks: &'a mut Acks,
}

/// How the link came to be.
pub(crate) enum Origin {
    Dialed(Option<Found>),
    Arrived { judged: Judged, instance: [u8; 16] },
}

struct Live<'a> {
    shared: &'a Arc<Shared>,
    slot: &'a Arc<Slot>,
    acks: &'a mut Acks,
    wire: Box<Wire>,
    number: u64,
    found: Option<Found>,
    direction: Direction,
    instance: Option<[u8; 16]>,
    sending: Sending,
    receiving: Receiving,
    groups: Groups,
    /// The peer's epoch, once both agreed.
    theirs: [u8; 16],
    ready: bool,
    probe: Option<Probe>,
    /// Of a link that runs over TCP.
    better: Option<Better>,
    /// When keys and records are to be compared again.
    ends_ms: u64,
    /// When the key that the peer showed ends, by the wall clock.
    key_ends_ms: u64,
    traffic_ms: u64,
    ephemerals: (u64, u64),
    apart: Option<Apart>,
}

/// Runs a link to its end. Says when it became ready, if it did.
pub(crate) async fn run(lent: Lent<'_>, wire: Box<Wire>, origin: Origin) -> (End, Option<u64>) {
    let Lent { shared, slot, acks } = lent;
    let number = slot.number();
    let store = &*shared.config.views.store;
    let ours = outbox::outbox(store, number);
    let inbox = outbox::inbox(store, number);
    let sent = Position { epoch: ours.epoch, sequence: ours.head(), running: ours.running };
    let place = |p: &outbox::Inbox| Position { epoch: p.epoch, sequence: p.sequence, running: p.running };
    let received = (inbox.epoch != [0; 16]).then(|| place(&inbox));
    let known = outbox::known(store, number).iter().rev().map(place).collect();
    let now_ms = shared.steady_ms();
    let mut live = Live {
        shared,
        slot,
        acks,
        wire,
        number,
        found: None,
        direction: Direction::Dialed,
        instance: None,
        sending: Sending::new(number, ours.epoch),
        receiving: Receiving::default(),
        groups: Groups::new(number),
        theirs: [0; 16],
        ready: false,
        probe: None,
        better: None,
        ends_ms: now_ms + millis(shared.config.timings.link_age),
        key_ends_ms: u64::MAX,
        traffic_ms: now_ms,
        ephemerals: (0, 0),
        apart: None,
    };
    match origin {
        Origin::Dialed(found) => {
            live.found = found;
            live.better = (live.wire.transport == Transport::Tls).then(|| Better::new(shared));
        }
        Origin::Arrived { judged, instance } => {
            live.direction = Direction::Accepted;
            live.instance = Some(instance);
            live.accepted(&judged);
        }
    }
    live.wire.link.open(sent, received, known);
    let mut ready_ms = None;
    let end = live.drive(&mut ready_ms).await;
    shared.links.fetch_sub(usize::from(live.ready), Ordering::Relaxed);
    let end = live.finish(end).await;
    (end, ready_ms)
}

impl Live<'_> {
    async fn drive(&mut self, ready_ms: &mut Option<u64>) -> End {
        loop {
            if let Some(end) = self.events().await {
                return end;
            }
            if self.ready && ready_ms.is_none() {
                *ready_ms = Some(self.shared.steady_ms());
            }
            if let Some(why) = self.wire.lost_error(&self.slot.domain) {
                return End::Lost(why);
            }
            if let Some(end) = self.signals().or_else(|| self.timers()).or_else(|| self.push()) {
                return end;
            }
            let reading = self.reading();
            let wait = Duration::from_millis(self.due_ms().saturating_sub(self.shared.steady_ms()));
            tokio::select! {
                () = self.wire.turn(reading) => {}
                () = self.slot.wake.notified() => {}
                () = self.receiving.answered() => {}
                job = self.groups.job() => self.groups.done(self.shared, self.slot, &mut self.wire.link, job),
                (first, items) = self.sending.read() => {
                    let given = items.map_err(Stop::from).and_then(|items| self.sending.give(self.shared, &mut self.wire.link, first, items));
                    if let Err(stop) = given {
                        return self.stopped(stop);
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
            if let Some(end) = self.recorded() {
                return end;
            }
        }
    }

    /// Says farewell, waits for the sequencer, and hands on a link that was waiting.
    async fn finish(self, end: End) -> End {
        let Self { shared, slot, mut wire, receiving, groups, probe, .. } = self;
        let farewell = shared.config.timings.farewell;
        match &end {
            End::Closed { .. } | End::Lost(_) => {}
            End::Replaced(_) => wire.link.close(second_error(slot)),
            End::OtherEpoch | End::Apart { .. } => {
                wire.link.close(Error::new(Code::WentBack).with("domain", &shared.config.domain));
            }
            End::Retired | End::Better => wire.link.close(Code::IdleTimeout.into()),
            End::KeyEnded => {
                wire.link.close(Error::new(Code::WrongKey).with("what", "The connection").with("domain", &slot.domain));
            }
            End::Stopped => wire.link.close(Code::Stopping.into()),
        }
        groups.left(shared.steady_ms()).into_iter().for_each(|conversation| slot.group(conversation));
        let said = tokio::spawn(wire.farewell(farewell));
        // The sequencer answers everything; only one that has died does not.
        let _ = tokio::time::timeout(DRAIN_MAX, receiving.drained()).await;
        if let End::Stopped = end {
            let _ = said.await;
        }
        match (end, probe) {
            (End::Closed { .. } | End::Lost(_), Some(probe)) => End::Replaced(probe.into_arrived()),
            (end, probe) => {
                if let Some(probe) = probe {
                    probe.into_arrived().wire.dismiss(second_error(slot), farewell);
                }
                end
            }
        }
    }

    /// What others want of this peer.
    fn signals(&mut self) -> Option<End> {
        if self.slot.stopping() {
            return Some(End::Stopped);
        }
        if self.slot.take_changed() {
            let store = &*self.shared.config.views.store;
            let known = directory::peer(store, self.number);
            let denied = directory::is_denied(store, &self.slot.domain);
            if denied || known.is_some_and(|p| p.gone_at != 0) {
                let code = if denied { Code::DomainDenied } else { Code::DomainGone };
                let error = Error::new(code).with("domain", &self.slot.domain);
                self.wire.link.close(error.clone());
                return Some(End::Closed { by_peer: false, error });
            }
            if outbox::outbox(store, self.number).epoch != self.sending.epoch() {
                return Some(End::OtherEpoch);
            }
        }
        while let Some(new) = self.slot.take_arrived() {
            let other =
                Other { dialed_by_us: self.direction == Direction::Dialed, instance: self.instance.filter(|_| self.ready) };
            let outcome = second::arrived(self.shared, self.slot, &mut self.wire.link, &other, self.probe.is_some(), new);
            if let Some(end) = self.second(outcome) {
                return Some(end);
            }
        }
        self.groups.changed(self.shared, self.slot);
        for ephemeral in self.slot.take_ephemerals() {
            self.wire.link.ephemeral(ephemeral);
        }
        // A link that is open is the answer to "connect again".
        self.slot.take_reconnect();
        if self.slot.take_items() && self.ready && self.sending.look(self.shared).is_err() {
            return Some(End::OtherEpoch);
        }
        None
    }

    fn second(&mut self, outcome: Outcome) -> Option<End> {
        match outcome {
            Outcome::Stays => None,
            Outcome::Probing(probe) => {
                self.probe = Some(probe);
                None
            }
            Outcome::Replaced(arrived) => Some(End::Replaced(arrived)),
            Outcome::TwoCopies => {
                let error = Error::new(Code::TwoCopies).with("domain", &self.slot.domain);
                self.wire.link.close(error.clone());
                Some(End::Closed { by_peer: false, error })
            }
        }
    }

    fn timers(&mut self) -> Option<End> {
        if let Some(probe) = self.probe.take() {
            match probe.look(self.shared, self.slot, &self.wire.link, self.instance) {
                Err(probe) => self.probe = Some(probe),
                Ok(outcome) => {
                    if let Some(end) = self.second(outcome) {
                        return Some(end);
                    }
                }
            }
        }
        self.acks.write_if_due(self.shared, self.number);
        let now_ms = self.shared.steady_ms();
        let idle = now_ms >= self.traffic_ms + millis(self.shared.config.timings.idle);
        let crowded = idle && self.shared.links.load(Ordering::Relaxed) > LINKS_IDLE_MAX;
        if self.shared.wall_ms() >= self.key_ends_ms {
            return Some(End::KeyEnded);
        }
        if self.ready && self.better.as_mut().is_some_and(|b| b.look(self.shared, self.slot)) {
            return Some(End::Better);
        }
        if now_ms >= self.ends_ms || (crowded && self.ready) {
            return Some(End::Retired);
        }
        None
    }

    fn due_ms(&self) -> u64 {
        let now_ms = self.shared.steady_ms();
        let dues = [
            self.groups.due_ms(),
            self.sending.due_ms(),
            self.acks.due_ms(self.shared),
            self.probe.as_ref().map(Probe::due_ms),
            self.better.as_ref().and_then(Better::due_ms),
        ];
        let idle = self.traffic_ms + millis(self.shared.config.timings.idle);
        let key_ends = now_ms.saturating_add(self.key_ends_ms.saturating_sub(self.shared.wall_ms()));
        // What is due already was looked at just now and waits for something else.
        dues.into_iter().flatten().chain([idle, key_ends]).filter(|due| *due > now_ms).fold(self.ends_ms, u64::min)
    }

    fn push(&mut self) -> Option<End> {
        if !self.ready {
            return None;
        }
        self.groups.push(self.shared, &mut self.wire.link);
        self.sending.push(self.shared, &mut self.wire.link).err().map(|stop| self.stopped(stop))
    }

    fn stopped(&mut self, stop: Stop) -> End {
        match stop {
            Stop::OtherEpoch => End::OtherEpoch,
            Stop::Failed(error) => {
                self.wire.link.close(error.clone());
                End::Closed { by_peer: false, error }
            }
        }
    }

    /// Whether the peer may send more today.
    fn reading(&self) -> bool {
        let until = self.slot.used.lock().spent_until(&self.shared.config.quota, self.shared.wall_ms());
        let mut status = self.slot.status.lock();
        if until.is_some() && status.over_quota_until_ms.is_none() {
            tracing::warn!(domain = %self.slot.domain, "the peer has sent a day's quota; its link is not read until tomorrow");
        }
        status.over_quota_until_ms = until;
        until.is_none()
    }
}
