//! One open link, from its hello to its end, over the virtual network.
//!
//! Mirrors `node/federation`: `live::run`, `drive`, `signals`, `timers`, `recorded` and `live::events` (what each event is
//! answered with), `sending::Sending` (`look`, `push`, `give`, `check`), `receiving::Receiving`, `second` and `Probe`.
//! Left out: quotas, ephemerals, idle links, the age of keys. Reads short ranges at once, never on another thread.
//! Invariant: a link is over only when everything that it submitted is answered.

use std::sync::Arc;

use startalk_domain::{
    Answer, Command, Views,
    command::{LinkItem, SubmissionProof},
    directory,
    outbox::{self, Outgoing},
};
use startalk_link::{Entry, Event, Incoming, Link, Other, Position, Second, Stand, second_link};
use startalk_protocol::{
    Code, DomainName, Error,
    limits::{LINK_BATCH_ITEMS_MAX, LINK_FRAME_BYTES_MAX, LINK_PROBE_MS},
    signing::SecretKey,
};
use startalk_sequencer::Work;

use super::{Desk, Ticket, groups::Groups, peer::Peer};
use crate::{
    chance::Chance,
    network::{Arrival, Network, Port},
};

/// A link is made anew after so long.
const AGE_MS: u64 = 12 * 3600 * 1000;
/// How long a few items wait for more.
const LINGER_MS: u64 = 1;
/// Items read at once.
const READ_ITEMS_MAX: u64 = 256;
/// Bytes read at once, about.
const READ_BYTES_MAX: usize = 512 * 1024;

/// What a driver may use during one turn.
pub struct World<'a> {
    /// This node's place in the network.
    pub node: usize,
    /// Its name.
    pub domain: &'a DomainName,
    /// For reading.
    pub views: &'a Views,
    /// For changing anything.
    pub work: &'a mut Work,
    /// Where answers come back to.
    pub desk: &'a Desk,
    /// The network.
    pub network: &'a mut Network,
    /// Chance.
    pub chance: &'a mut Chance,
    /// The true time, by which the network delivers.
    pub true_ms: u64,
    /// The node's clock for waits, which only ever passes.
    pub now_ms: u64,
    /// Link keys by domain: who is who.
    pub keys: &'a [(DomainName, [u8; 32])],
    /// Our own.
    pub key: &'a SecretKey,
    /// The node's clock as it is set.
    pub wall_ms: u64,
    /// Number of the next link of this process.
    pub links: &'a mut u64,
    /// Items of peers that were handed to the write loop.
    pub submitted: &'a mut super::Submitted,
    /// As a home, it tells what is not so.
    pub lies: bool,
}

impl World<'_> {
    /// Asks the write loop.
    pub fn submit(&mut self, command: Command, ticket: Ticket) {
        let desk = self.desk.clone();
        self.work.push(command, move |answer| desk.lock().push_back((ticket, answer)));
    }
}

/// A link and the connection under it.
pub struct Wire {
    /// The state machine.
    pub link: Link,
    /// Our end of the connection.
    pub port: Port,
    /// Nothing comes any more.
    pub lost: Option<&'static str>,
}

impl Wire {
    /// Takes what has come, as far as the link wants it, and lets its time pass.
    pub fn hear(&mut self, network: &mut Network, true_ms: u64, now_ms: u64) {
        while self.lost.is_none() && self.link.wants_bytes() {
            match network.receive(self.port, LINK_FRAME_BYTES_MAX, true_ms) {
                Arrival::Bytes(bytes) => self.link.receive(&bytes, now_ms),
                Arrival::Nothing => break,
                Arrival::End(why) => self.lost = Some(why),
            }
        }
        self.link.tick(now_ms);
    }

    /// Gives the network what there is to send.
    pub fn speak(&mut self, network: &mut Network, true_ms: u64, chance: &mut Chance) {
        while let Some(bytes) = self.link.transmit() {
            network.send(self.port, bytes, true_ms, chance);
        }
    }

    /// Sends what is left and closes.
    pub fn farewell(mut self, network: &mut Network, true_ms: u64, chance: &mut Chance) {
        self.speak(network, true_ms, chance);
        network.finish(self.port, true_ms);
    }

    /// Ends the link with a reason.
    pub fn dismiss(mut self, error: Error, world: &mut World) {
        self.link.close(error);
        self.farewell(world.network, world.true_ms, world.chance);
    }
}

/// A judged link that waits for the peer's task.
pub struct Arrived {
    /// The link.
    pub wire: Wire,
    /// Of the process at the other end.
    pub instance: [u8; 16],
}

/// Why a link ended.
pub enum End {
    /// Somebody said why.
    Closed { by_peer: bool, error: Error },
    /// The connection is gone.
    Lost,
    /// Another link takes its place.
    Replaced(Box<Arrived>),
    /// It had served its time.
    Retired,
    /// Our outbox has a new epoch.
    OtherEpoch,
    /// What the peer has is no place of `epoch`, which is our present one: a new one begins after this item.
    Apart { after: Option<u64>, epoch: [u8; 16] },
}

struct Probe {
    arrived: Arrived,
    nonce: u64,
    until_ms: u64,
}

/// One link.
pub struct Live {
    /// Its number in this process.
    pub id: u64,
    wire: Wire,
    number: u64,
    dialed: bool,
    instance: Option<[u8; 16]>,
    epoch: [u8; 16],
    head: u64,
    push_at_ms: Option<u64>,
    theirs: [u8; 16],
    ready_ms: Option<u64>,
    probe: Option<Probe>,
    ends_ms: u64,
    /// Histories differ: where a new epoch begins.
    apart: Option<Option<u64>>,
    /// Up to here the peer has what the items do: they go as hashes.
    has: u64,
    replies: Replies,
    groups: Groups,
}

/// What the write loop made of what a link submitted.
#[derive(Default)]
pub struct Replies {
    /// Not answered yet.
    pub outstanding: u64,
    up_to: u64,
    refused: Vec<(u64, Error)>,
    failed: Option<Error>,
    news: bool,
}

impl Replies {
    /// One answer.
    pub fn answered(&mut self, sequence: u64, answer: Result<Answer, Error>) {
        self.outstanding -= 1;
        match answer {
            Ok(answer) => {
                if let Answer::Item { refused: Some(error) } = answer {
                    self.refused.push((sequence, error));
                }
                self.up_to = self.up_to.max(sequence);
                self.news = true;
            }
            Err(error) => {
                self.failed.get_or_insert(error);
            }
        }
    }
}

impl Live {
    /// Begins: says where both directions stand.
    pub fn begin(world: &mut World, peer: &Peer, mut wire: Wire, instance: Option<[u8; 16]>) -> Self {
        let store = &*world.views.store;
        let ours = outbox::outbox(store, peer.number);
        let inbox = outbox::inbox(store, peer.number);
        let sent = Position { epoch: ours.epoch, sequence: ours.head(), running: ours.running };
        let at = |p: &outbox::Inbox| Position { epoch: p.epoch, sequence: p.sequence, running: p.running };
        let received = (inbox.epoch != [0; 16]).then(|| at(&inbox));
        let known = outbox::known(store, peer.number).iter().rev().map(at).collect();
        wire.link.open(sent, received, known);
        *world.links += 1;
        Self {
            id: *world.links,
            wire,
            number: peer.number,
            dialed: instance.is_none(),
            instance,
            epoch: ours.epoch,
            head: 0,
            push_at_ms: None,
            theirs: [0; 16],
            ready_ms: None,
            probe: None,
            ends_ms: world.now_ms + AGE_MS,
            apart: None,
            has: 0,
            replies: Replies::default(),
            groups: Groups::new(peer.number, *world.links),
        }
    }

    /// When both sides had agreed.
    pub fn ready_ms(&self) -> Option<u64> {
        self.ready_ms
    }

    /// The answers to what this link submitted.
    pub fn replies(&mut self) -> &mut Replies {
        &mut self.replies
    }

    /// Our end of the connection.
    pub fn port(&self) -> Port {
        self.wire.port
    }

    /// How groups stand, for people to read.
    pub fn groups_shown(&self) -> String {
        self.groups.shown()
    }

    /// Whether something of groups is on its way.
    pub fn is_busy(&self) -> bool {
        self.groups.is_busy()
    }

    /// When it wants a turn by the node's clock.
    pub fn due_ms(&self) -> u64 {
        let probe = self.probe.as_ref().map(|p| p.until_ms);
        let dues = [self.wire.link.deadline(), self.push_at_ms, probe, self.groups.due_ms()];
        dues.into_iter().flatten().fold(self.ends_ms, u64::min)
    }

    /// Does everything that can be done now.
    pub fn turn(&mut self, world: &mut World, peer: &mut Peer) -> Option<End> {
        if let Some(end) = self.recorded(world, peer) {
            return Some(end);
        }
        for (link, job, result) in std::mem::take(&mut peer.group_done) {
            if link == self.id {
                self.groups.done(world, &mut self.wire.link, job, result);
            }
        }
        self.wire.hear(world.network, world.true_ms, world.now_ms);
        if let Some(end) = self.events(world, peer) {
            return Some(end);
        }
        if self.wire.lost.is_some() {
            return Some(End::Lost);
        }
        if let Some(end) = self.signals(world, peer).or_else(|| self.timers(world, peer)).or_else(|| self.push(world)) {
            return Some(end);
        }
        self.wire.speak(world.network, world.true_ms, world.chance);
        None
    }

    /// Says farewell; what was submitted is still to be answered.
    pub fn finish(self, world: &mut World, peer: &mut Peer, end: End) -> (End, u64) {
        let Self { mut wire, probe, replies, groups, .. } = self;
        peer.groups.append(&mut groups.left(world.now_ms));
        let second = || Error::new(Code::SecondLink).with("domain", &peer.domain);
        match &end {
            End::Closed { .. } | End::Lost => {}
            End::Replaced(_) => wire.link.close(second()),
            End::OtherEpoch | End::Apart { .. } => {
                wire.link.close(Error::new(Code::WentBack).with("domain", world.domain));
            }
            End::Retired => wire.link.close(Code::IdleTimeout.into()),
        }
        wire.farewell(world.network, world.true_ms, world.chance);
        let end = match (end, probe) {
            (End::Closed { .. } | End::Lost, Some(probe)) => End::Replaced(Box::new(probe.arrived)),
            (end, Some(probe)) => {
                probe.arrived.wire.dismiss(second(), world);
                end
            }
            (end, None) => end,
        };
        (end, replies.outstanding)
    }

    fn events(&mut self, world: &mut World, peer: &mut Peer) -> Option<End> {
        while let Some(event) = self.wire.link.event() {
            match event {
                Event::Hello { from, record, instance, .. } => {
                    self.instance = Some(instance);
                    let verdict = super::judge(world, &from, &record).map(|(_, keys)| keys);
                    self.wire.link.judge(verdict);
                }
                Event::CompareHistory { received, known } => {
                    match super::history::standing(world.views, self.number, received, known.as_deref()) {
                        Ok(stand) => {
                            if let Stand::At { has, .. } = stand {
                                self.has = has;
                            }
                            self.wire.link.history(stand);
                        }
                        Err(error) => self.wire.link.close(error),
                    }
                }
                Event::NewPeerEpoch { epoch, .. } => self.begin_peer_epoch(world, epoch),
                Event::Ready { send_from, receiving, features, .. } => {
                    self.groups.ready(&world.views.store, &features);
                    if let Some(end) = self.opened(world, peer, send_from, receiving) {
                        return Some(end);
                    }
                }
                Event::Apart { after, .. } => self.apart = Some(after),
                Event::PeerWentBack { .. } | Event::Ephemeral(_) => {}
                Event::Items { epoch, items, link_key, submissions, .. } => {
                    let proof =
                        submissions.map(|s| Arc::new(SubmissionProof { link_key, hashes: s.hashes, signature: s.signature }));
                    self.submit(world, epoch, items, proof);
                }
                Event::Asked { id, what } => self.groups.asked(world, &mut self.wire.link, id, &what),
                Event::Answered { id, answer } => self.groups.answered(world, &mut self.wire.link, id, answer),
                Event::Noted(what) => self.groups.noted(world, &what),
                Event::Acked { up_to, refused } => {
                    peer.acks.moved(self.epoch, up_to, world.now_ms);
                    for (sequence, error) in refused {
                        let code = error.code.as_str().to_owned();
                        let command = Command::PeerRefused { peer: self.number, epoch: self.epoch, sequence, code };
                        world.submit(command, Ticket::Nobody);
                    }
                }
                Event::Closed { by_peer, error } => {
                    return Some(match self.apart.take() {
                        Some(after) => End::Apart { after, epoch: self.epoch },
                        None => End::Closed { by_peer, error },
                    });
                }
            }
        }
        None
    }

    fn begin_peer_epoch(&mut self, world: &mut World, epoch: [u8; 16]) {
        self.theirs = epoch;
        self.replies.outstanding += 1;
        let ticket = Ticket::Item { peer: self.number, link: self.id, sequence: 0 };
        world.submit(Command::BeginPeerEpoch { peer: self.number, epoch }, ticket);
    }

    fn opened(&mut self, world: &mut World, peer: &mut Peer, send_from: u64, receiving: Position) -> Option<End> {
        self.ready_ms = Some(world.now_ms);
        if self.theirs != receiving.epoch {
            self.theirs = receiving.epoch;
            if outbox::inbox(&*world.views.store, self.number).epoch != receiving.epoch {
                self.begin_peer_epoch(world, receiving.epoch);
            }
        }
        peer.acks.stands(self.epoch, send_from - 1, world.now_ms);
        let again = peer.refused_lately.up_to(receiving.epoch, receiving.sequence);
        self.wire.link.recorded(receiving.sequence, again);
        self.look(world).err()
    }

    fn submit(&mut self, world: &mut World, epoch: [u8; 16], items: Vec<Incoming>, proof: Option<Arc<SubmissionProof>>) {
        for Incoming { sequence, entry, running } in items {
            let item = match entry {
                Entry::Item(bytes) | Entry::Submission(bytes, _) => Some(bytes),
                Entry::Withheld(_) => None,
            };
            self.replies.outstanding += 1;
            world.submitted.insert((self.number, epoch, sequence), item.clone());
            let ticket = Ticket::Item { peer: self.number, link: self.id, sequence };
            world.submit(
                Command::ReceiveItem {
                    peer: self.number,
                    epoch,
                    item: LinkItem { sequence, running, item, proof: proof.clone() },
                },
                ticket,
            );
        }
    }

    fn recorded(&mut self, _world: &mut World, peer: &mut Peer) -> Option<End> {
        if let Some(error) = self.replies.failed.clone() {
            self.wire.link.close(error.clone());
            return Some(End::Closed { by_peer: false, error });
        }
        if std::mem::take(&mut self.replies.news) {
            let refused = std::mem::take(&mut self.replies.refused);
            for (sequence, error) in &refused {
                peer.refused_lately.add(self.theirs, *sequence, error.clone());
            }
            if self.replies.up_to > 0 {
                self.wire.link.recorded(self.replies.up_to, refused);
            }
        }
        None
    }

    fn signals(&mut self, world: &mut World, peer: &mut Peer) -> Option<End> {
        if std::mem::take(&mut peer.changed) {
            let store = &*world.views.store;
            if directory::peer(store, self.number).is_some_and(|p| p.state == directory::PeerState::Denied) {
                let error = Error::new(Code::DomainDenied).with("domain", &peer.domain);
                self.wire.link.close(error.clone());
                return Some(End::Closed { by_peer: false, error });
            }
            if outbox::outbox(store, self.number).epoch != self.epoch {
                return Some(End::OtherEpoch);
            }
        }
        while let Some(new) = peer.arrived.pop_front() {
            let instance = self.instance.filter(|_| self.ready_ms.is_some());
            let other = Other { dialed_by_us: self.dialed, instance };
            match second_link(world.domain, &peer.domain, &other, &new.instance) {
                Second::Replace => return Some(End::Replaced(Box::new(new))),
                Second::Probe if self.probe.is_none() => {
                    let nonce = self.wire.link.probe(world.now_ms);
                    self.probe = Some(Probe { arrived: new, nonce, until_ms: world.now_ms + LINK_PROBE_MS });
                }
                Second::Probe | Second::Refuse => {
                    new.wire.dismiss(Error::new(Code::SecondLink).with("domain", &peer.domain), world);
                }
            }
        }
        peer.reconnect = false;
        self.groups.changed(&world.views.store, peer);
        if std::mem::take(&mut peer.items) && self.ready_ms.is_some() {
            return self.look(world).err();
        }
        None
    }

    fn timers(&mut self, world: &mut World, peer: &mut Peer) -> Option<End> {
        if let Some(probe) = self.probe.take() {
            let answered = self.wire.link.answered().is_some_and(|n| probe.nonce > 0 && n >= probe.nonce);
            if answered && self.instance == Some(probe.arrived.instance) {
                probe.arrived.wire.dismiss(Error::new(Code::SecondLink).with("domain", &peer.domain), world);
            } else if answered {
                let error = Error::new(Code::TwoCopies).with("domain", &peer.domain);
                probe.arrived.wire.dismiss(error.clone(), world);
                self.wire.link.close(error.clone());
                return Some(End::Closed { by_peer: false, error });
            } else if world.now_ms >= probe.until_ms {
                return Some(End::Replaced(Box::new(probe.arrived)));
            } else {
                self.probe = Some(probe);
            }
        }
        peer.acks.write_if_due(world, self.number);
        (world.now_ms >= self.ends_ms).then_some(End::Retired)
    }

    fn look(&mut self, world: &World) -> Result<(), End> {
        let outbox = outbox::outbox(&*world.views.store, self.number);
        if outbox.epoch != self.epoch {
            return Err(End::OtherEpoch);
        }
        self.head = outbox.head();
        Ok(())
    }

    fn push(&mut self, world: &mut World) -> Option<End> {
        self.ready_ms?;
        self.groups.push(world, &mut self.wire.link);
        while let Some(next) = self.wire.link.next_to_push()
            && next <= self.head
        {
            let room = self.wire.link.can_push();
            if room == 0 {
                return None;
            }
            let waiting = self.head - next + 1;
            let lingered = world.now_ms >= *self.push_at_ms.get_or_insert(world.now_ms + LINGER_MS);
            if waiting < LINK_BATCH_ITEMS_MAX as u64 && !lingered {
                return None;
            }
            self.push_at_ms = None;
            let to = self.head.min(next + room.min(READ_ITEMS_MAX) - 1);
            let items = outbox::items(&*world.views.store, &*world.views.journal, self.number, next, to, READ_BYTES_MAX);
            if let Err(end) = items.map_err(|error| self.failed(error)).and_then(|items| self.give(world, next, items)) {
                return Some(end);
            }
        }
        None
    }

    fn failed(&mut self, error: Error) -> End {
        self.wire.link.close(error.clone());
        End::Closed { by_peer: false, error }
    }

    fn give(&mut self, world: &World, first: u64, items: Vec<Outgoing>) -> Result<(), End> {
        self.look(world)?;
        let entry = |(sequence, item)| match item {
            Outgoing::Item(bytes) | Outgoing::Submission(bytes, _) if sequence <= self.has => {
                Entry::Withheld(startalk_link::item_hash(&bytes))
            }
            Outgoing::Item(bytes) => Entry::Item(bytes),
            Outgoing::Submission(bytes, hash) => Entry::Submission(bytes, hash),
            Outgoing::Withheld(hash) => Entry::Withheld(hash),
        };
        let taken = self.wire.link.push(first, (first..).zip(items).map(entry));
        assert!(taken > 0 || self.wire.link.can_push() == 0, "the outbox has an item where it should have one");
        let outbox = outbox::outbox(&*world.views.store, self.number);
        if let Some(pushed) = self.wire.link.pushed()
            && pushed.epoch == outbox.epoch
            && pushed.sequence == outbox.head()
        {
            assert_eq!(pushed.running, outbox.running, "the outbox has the running hash of what was sent");
        }
        Ok(())
    }
}
