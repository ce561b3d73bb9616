//! One open link, from its hello to its end: answers every event of the state machine, keeps both directions going, and
//! listens to what others want of this peer meanwhile.
//!
//! Runs inside the peer's task; decides nothing about the domain. Invariant: it returns only after everything that it
//! submitted to the sequencer is answered, so that the next link begins where the views say.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use startalk_domain::{Command, directory, outbox};
use startalk_link::{Event, Other, Position};
use startalk_net::Found;
use startalk_protocol::{
    Code, Error, UserId,
    pb::link::Ephemeral,
};
use tracing::{debug, info};

use crate::{
    config::{EPHEMERALS_PER_SECOND, EphemeralIn, LINKS_IDLE_MAX},
    opening::Arrived,
    receiving::Receiving,
    second::{self, Outcome, Probe, second_error},
    sending::{Acks, Sending, Stop},
    shared::{Shared, millis},
    slot::Slot,
    status::{Direction, State},
    trust::{self, Judged},
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
    /// Our outbox has a new epoch, or our own history was found to be cut: to be opened again at once.
    OtherEpoch,
    /// The peer has this of ours, and we do not.
    WeWentBack { theirs: Position, epoch: [u8; 16] },
    /// The node stops.
    Stopped,
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
    /// The peer's epoch, once both agreed.
    theirs: [u8; 16],
    ready: bool,
    probe: Option<Probe>,
    /// When keys and records are to be compared again.
    ends_ms: u64,
    traffic_ms: u64,
    ephemerals: (u64, u64),
    went_back: Option<Position>,
}

/// Runs a link to its end. Says when it became ready, if it did.
pub(crate) async fn run(lent: Lent<'_>, wire: Box<Wire>, origin: Origin) -> (End, Option<u64>) {
    let Lent { shared, slot, acks } = lent;
    let number = slot.number();
    let store = &*shared.config.views.store;
    let ours = outbox::outbox(store, number);
    let inbox = outbox::inbox(store, number);
    let sent = Position { epoch: ours.epoch, sequence: ours.head(), running: ours.running };
    let received = (inbox.epoch != [0; 16]).then_some(Position { epoch: inbox.epoch, sequence: inbox.sequence, running: inbox.running });
    let now_ms = shared.now();
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
        theirs: [0; 16],
        ready: false,
        probe: None,
        ends_ms: now_ms + millis(shared.config.timings.link_age),
        traffic_ms: now_ms,
        ephemerals: (0, 0),
        went_back: None,
    };
    match origin {
        Origin::Dialed(found) => live.found = found,
        Origin::Arrived { judged, instance } => {
            live.direction = Direction::Accepted;
            live.instance = Some(instance);
            live.accepted(&judged);
        }
    }
    live.wire.link.open(sent, received);
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
                *ready_ms = Some(self.shared.now());
            }
            if let Some(why) = self.wire.lost_error(&self.slot.domain) {
                return End::Lost(why);
            }
            if let Some(end) = self.signals().or_else(|| self.timers()).or_else(|| self.push()) {
                return end;
            }
            let reading = self.reading();
            let wait = Duration::from_millis(self.due_ms().saturating_sub(self.shared.now()));
            tokio::select! {
                () = self.wire.turn(reading) => {}
                () = self.slot.wake.notified() => {}
                () = self.receiving.answered() => {}
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
        let Self { shared, slot, mut wire, receiving, probe, .. } = self;
        let farewell = shared.config.timings.farewell;
        match &end {
            End::Closed { .. } | End::Lost(_) => {}
            End::Replaced(_) => wire.link.close(second_error(slot)),
            End::OtherEpoch | End::WeWentBack { .. } => {
                wire.link.close(Error::new(Code::WentBack).with("domain", &shared.config.domain));
            }
            End::Retired => wire.link.close(Code::IdleTimeout.into()),
            End::Stopped => wire.link.close(Code::Stopping.into()),
        }
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

    async fn events(&mut self) -> Option<End> {
        while let Some(event) = self.wire.link.event() {
            match event {
                Event::Hello { from, record, instance, .. } => {
                    self.instance = Some(instance);
                    let verdict = trust::judge(self.shared, &from, &record, &self.wire.tls_key, self.found.as_ref()).await;
                    let verdict = verdict.map(|judged| {
                        self.accepted(&judged);
                        judged.keys
                    });
                    self.wire.link.judge(verdict);
                }
                Event::CompareHistory { position } => {
                    let views = &self.shared.config.views;
                    match outbox::running_at(&*views.store, &*views.journal, self.number, position.sequence) {
                        Ok(running) => self.wire.link.history(running),
                        Err(error) => self.wire.link.close(error),
                    }
                }
                Event::NewPeerEpoch { was, epoch } => {
                    info!(domain = %self.slot.domain, "the peer begins a new epoch after item {}", was.sequence);
                    self.slot.status.lock().went_back_ms = Some(self.shared.now());
                    self.begin_peer_epoch(epoch);
                }
                Event::Ready { send_from, receiving, .. } => {
                    if let Some(end) = self.opened(send_from, receiving) {
                        return Some(end);
                    }
                }
                Event::WeWentBack { theirs } => self.went_back = Some(theirs),
                Event::PeerWentBack { theirs, ours } => {
                    info!(domain = %self.slot.domain, "the peer went back: it says to have sent {}, we have {}", theirs.sequence, ours.sequence);
                    self.slot.status.lock().went_back_ms = Some(self.shared.now());
                }
                Event::Items { epoch, items, .. } => {
                    self.traffic_ms = self.shared.now();
                    let bytes: usize = items.iter().map(|i| if let startalk_link::Entry::Item(b) = &i.entry { b.len() } else { 32 }).sum();
                    self.slot.used.lock().add(items.len() as u64, bytes as u64, self.traffic_ms);
                    self.receiving.submit(&self.shared.config.handle, self.number, epoch, items);
                }
                Event::Acked { up_to, refused } => self.acked(up_to, refused),
                Event::Ephemeral(ephemeral) => self.ephemeral(ephemeral),
                Event::Closed { by_peer, error } => {
                    return Some(match self.went_back {
                        Some(theirs) => End::WeWentBack { theirs, epoch: self.sending.epoch() },
                        None => End::Closed { by_peer, error },
                    });
                }
            }
        }
        None
    }

    fn accepted(&mut self, judged: &Judged) {
        self.slot.known.lock().endpoints.clone_from(&judged.endpoints);
        self.slot.status.lock().last_contact_ms = Some(self.shared.now());
        self.ends_ms = self.ends_ms.min(judged.key_ends_ms);
        assert_eq!(judged.number, self.number, "one domain has one number");
    }

    fn begin_peer_epoch(&mut self, epoch: [u8; 16]) {
        self.theirs = epoch;
        self.receiving.begin_epoch(&self.shared.config.handle, self.number, epoch);
    }

    fn opened(&mut self, send_from: u64, receiving: Position) -> Option<End> {
        let now_ms = self.shared.now();
        self.ready = true;
        self.shared.links.fetch_add(1, Ordering::Relaxed);
        if self.theirs != receiving.epoch {
            self.theirs = receiving.epoch;
            if outbox::inbox(&*self.shared.config.views.store, self.number).epoch != receiving.epoch {
                self.begin_peer_epoch(receiving.epoch);
            }
        }
        let mut status = self.slot.status.lock();
        status.state = State::Connected;
        status.link = Some((self.direction, self.wire.transport));
        status.last_contact_ms = Some(now_ms);
        drop(status);
        info!(domain = %self.slot.domain, direction = ?self.direction, transport = ?self.wire.transport, "linked");
        self.acks.moved(self.slot, self.sending.epoch(), send_from - 1, now_ms);
        let again = self.slot.refused.lock().up_to(receiving.epoch, receiving.sequence);
        self.wire.link.recorded(receiving.sequence, again);
        self.sending.look(self.shared).err().map(|_| End::OtherEpoch)
    }

    fn acked(&mut self, up_to: u64, refused: Vec<(u64, Error)>) {
        self.traffic_ms = self.shared.now();
        self.acks.moved(self.slot, self.sending.epoch(), up_to, self.traffic_ms);
        for (sequence, error) in refused {
            debug!(domain = %self.slot.domain, sequence, "an item of ours was refused: {error}");
            let code = error.code.as_str().to_owned();
            let command = Command::PeerRefused { peer: self.number, epoch: self.sending.epoch(), sequence, code };
            // If it is not recorded now, the peer tells it again with the next link.
            self.shared.config.handle.submit(command, |_| {});
        }
    }

    fn ephemeral(&mut self, ephemeral: Ephemeral) {
        let second = self.shared.now() / 1000;
        if self.ephemerals.0 != second {
            self.ephemerals = (second, 0);
        }
        self.ephemerals.1 += 1;
        let (Ok(name), Ok(to), Some(kind)) = (ephemeral.from.parse(), ephemeral.to.parse(), ephemeral.kind) else { return };
        if self.ephemerals.1 <= EPHEMERALS_PER_SECOND {
            let from = UserId { name, domain: self.slot.domain.clone() };
            (self.shared.config.on_ephemeral)(EphemeralIn { from, to, kind });
        }
    }

    /// What others want of this peer.
    fn signals(&mut self) -> Option<End> {
        if self.slot.stopping() {
            return Some(End::Stopped);
        }
        if self.slot.take_changed() {
            let store = &*self.shared.config.views.store;
            if directory::peer(store, self.number).is_some_and(|p| p.state == directory::PeerState::Denied) {
                let error = Error::new(Code::DomainDenied).with("domain", &self.slot.domain);
                self.wire.link.close(error.clone());
                return Some(End::Closed { by_peer: false, error });
            }
            if outbox::outbox(store, self.number).epoch != self.sending.epoch() {
                return Some(End::OtherEpoch);
            }
        }
        while let Some(new) = self.slot.take_arrived() {
            let other = Other { dialed_by_us: self.direction == Direction::Dialed, instance: self.instance.filter(|_| self.ready) };
            let outcome = second::arrived(self.shared, self.slot, &mut self.wire.link, &other, self.probe.is_some(), new);
            if let Some(end) = self.second(outcome) {
                return Some(end);
            }
        }
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
        let now_ms = self.shared.now();
        let idle = now_ms >= self.traffic_ms + millis(self.shared.config.timings.idle);
        let crowded = idle && self.shared.links.load(Ordering::Relaxed) > LINKS_IDLE_MAX;
        if now_ms >= self.ends_ms || (crowded && self.ready) {
            return Some(End::Retired);
        }
        None
    }

    fn due_ms(&self) -> u64 {
        let dues = [self.sending.due_ms(), self.acks.due_ms(self.shared), self.probe.as_ref().map(Probe::due_ms)];
        let idle = self.traffic_ms + millis(self.shared.config.timings.idle);
        // What is due already was looked at just now and waits for something else.
        let now_ms = self.shared.now();
        dues.into_iter().flatten().chain([idle]).filter(|due| *due > now_ms).fold(self.ends_ms, u64::min)
    }

    fn push(&mut self) -> Option<End> {
        if !self.ready {
            return None;
        }
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

    /// What the sequencer made of the peer's items.
    fn recorded(&mut self) -> Option<End> {
        match self.receiving.news() {
            Ok(None) => None,
            Ok(Some(news)) => {
                let mut lately = self.slot.refused.lock();
                for (sequence, error) in &news.refused {
                    lately.add(self.theirs, *sequence, error.clone());
                }
                drop(lately);
                if news.up_to > 0 {
                    self.wire.link.recorded(news.up_to, news.refused);
                }
                None
            }
            Err(error) => {
                self.wire.link.close(error.clone());
                Some(End::Closed { by_peer: false, error })
            }
        }
    }

    /// Whether the peer may send more today.
    fn reading(&self) -> bool {
        let until = self.slot.used.lock().spent_until(&self.shared.config.quota, self.shared.now());
        let mut status = self.slot.status.lock();
        if until.is_some() && status.over_quota_until_ms.is_none() {
            tracing::warn!(domain = %self.slot.domain, "the peer has sent a day's quota; its link is not read until tomorrow");
        }
        status.over_quota_until_ms = until;
        until.is_none()
    }
}
