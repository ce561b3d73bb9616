//! Everything that the state machine of an open link tells, and its answers.
//!
//! One method for each; each does what the event asks for and nothing that could wait.

use std::sync::atomic::Ordering;

use startalk_domain::{Command, command::SubmissionProof, directory, outbox};
use startalk_link::{Entry, Event, Incoming, Position, Stand};
use startalk_protocol::{Code, Error, UserId, pb::link::Ephemeral};
use tracing::{debug, info};

use super::{Apart, End, Live};
use crate::{
    config::{EPHEMERALS_PER_SECOND, EphemeralIn},
    history,
    status::State,
    trust::{self, Judged, Reached},
};

impl Live<'_> {
    /// Answers until there is nothing more to answer.
    pub(super) async fn events(&mut self) -> Option<End> {
        while let Some(event) = self.wire.link.event() {
            match event {
                Event::Hello { from, record, instance, .. } => {
                    self.instance = Some(instance);
                    let reached = Reached::Dialed(self.found.as_ref());
                    let verdict = trust::judge(self.shared, &from, &record, &self.wire.tls_key, reached).await;
                    let verdict = verdict.map(|judged| {
                        self.accepted(&judged);
                        judged.keys
                    });
                    self.wire.link.judge(verdict);
                }
                Event::CompareHistory { received, known } => self.compare(received, known).await,
                Event::NewPeerEpoch { was, epoch } => {
                    info!(domain = %self.slot.domain, "the peer begins a new epoch after item {}", was.sequence);
                    self.slot.status.lock().went_back_ms = Some(self.shared.wall_ms());
                    self.begin_peer_epoch(epoch);
                }
                Event::Ready { send_from, receiving, features, .. } => {
                    self.groups.ready(self.shared, &features);
                    if let Some(end) = self.opened(send_from, receiving) {
                        return Some(end);
                    }
                }
                Event::Apart { theirs, after, went_back } => self.apart = Some(Apart { theirs, after, went_back }),
                Event::PeerWentBack { theirs, ours } => {
                    info!(domain = %self.slot.domain, "the peer went back: it says to have sent {}, we have {}", theirs.sequence, ours.sequence);
                    self.slot.status.lock().went_back_ms = Some(self.shared.wall_ms());
                }
                Event::Items { epoch, items, link_key, submissions, .. } => {
                    self.traffic_ms = self.shared.steady_ms();
                    self.slot.used.lock().add(items.len() as u64, bytes_of(&items), self.shared.wall_ms());
                    let proof = submissions.map(|s| SubmissionProof { link_key, hashes: s.hashes, signature: s.signature });
                    self.receiving.submit(&self.shared.config.handle, self.number, epoch, items, proof);
                }
                Event::Acked { up_to, refused } => self.acked(up_to, refused),
                Event::Ephemeral(ephemeral) => self.ephemeral(ephemeral),
                Event::Asked { id, what } => {
                    self.traffic_ms = self.shared.steady_ms();
                    self.groups.asked(self.shared, &mut self.wire.link, id, &what);
                }
                Event::Answered { id, answer } => {
                    self.traffic_ms = self.shared.steady_ms();
                    let bytes = answer.as_ref().map_or(0, |b| b.len() as u64);
                    self.slot.used.lock().add(1, bytes, self.shared.wall_ms());
                    self.groups.answered(self.shared, &mut self.wire.link, id, answer);
                }
                Event::Noted(what) => {
                    self.traffic_ms = self.shared.steady_ms();
                    self.slot.used.lock().add(1, what.len() as u64, self.shared.wall_ms());
                    self.groups.noted(self.shared, &what);
                }
                Event::Closed { by_peer, error } => {
                    return Some(match self.apart.take() {
                        Some(apart) => End::Apart { apart, epoch: self.sending.epoch() },
                        None => End::Closed { by_peer, error },
                    });
                }
            }
        }
        None
    }

    pub(super) fn accepted(&mut self, judged: &Judged) {
        self.slot.known.lock().endpoints.clone_from(&judged.endpoints);
        self.slot.status.lock().last_contact_ms = Some(self.shared.wall_ms());
        self.key_ends_ms = judged.key_ends_ms;
        assert_eq!(judged.number, self.number, "one domain has one number");
        if directory::peer(&*self.shared.config.views.store, self.number).is_some_and(|p| p.silent_since_ms != 0) {
            // If it is not recorded now, the next contact says it again.
            self.shared.config.handle.submit(Command::PeerHeard { peer: self.number }, |_| {});
        }
    }

    /// Where the peer stands in what we sent; reads more than a little only where histories differ.
    async fn compare(&mut self, received: Option<Position>, known: Option<Vec<Position>>) {
        let (views, number) = (self.shared.config.views.clone(), self.number);
        let standing = tokio::task::spawn_blocking(move || history::standing(&views, number, received, known.as_deref()));
        match standing.await.unwrap_or(Err(Code::Internal.into())) {
            Ok(stand) => {
                if let Stand::At { has, .. } = stand {
                    self.sending.has(has);
                }
                self.wire.link.history(stand);
            }
            Err(error) => self.wire.link.close(error),
        }
    }

    fn begin_peer_epoch(&mut self, epoch: [u8; 16]) {
        self.theirs = epoch;
        self.receiving.begin_epoch(&self.shared.config.handle, self.number, epoch);
    }

    fn opened(&mut self, send_from: u64, receiving: Position) -> Option<End> {
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
        status.last_contact_ms = Some(self.shared.wall_ms());
        drop(status);
        info!(domain = %self.slot.domain, direction = ?self.direction, transport = ?self.wire.transport, "linked");
        self.acks.stands(self.slot, self.sending.epoch(), send_from - 1, self.shared.steady_ms());
        let again = self.slot.refused.lock().up_to(receiving.epoch, receiving.sequence);
        self.wire.link.recorded(receiving.sequence, again);
        self.sending.look(self.shared).err().map(|_| End::OtherEpoch)
    }

    fn acked(&mut self, up_to: u64, refused: Vec<(u64, Error)>) {
        self.traffic_ms = self.shared.steady_ms();
        self.sending.crossing.acknowledged(up_to);
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
        let second = self.shared.steady_ms() / 1000;
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

    /// What the sequencer made of the peer's items.
    pub(super) fn recorded(&mut self) -> Option<End> {
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
}

fn bytes_of(items: &[Incoming]) -> u64 {
    let bytes = |item: &Incoming| match &item.entry {
        Entry::Item(bytes) | Entry::Submission(bytes, _) => bytes.len() as u64,
        Entry::Withheld(hash) => hash.len() as u64,
    };
    items.iter().map(bytes).sum()
}
