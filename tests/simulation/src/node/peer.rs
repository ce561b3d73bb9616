//! The task of one peer: waits until there is a reason for a link, makes one or takes one in, and decides when to try
//! again.
//!
//! Mirrors `node/federation`: `peer::Peer` (`next`, `outlook`, `dial`, `take_in`, `ended`, `closed`, `again`, `failed`,
//! `restart_link`), `backoff::Backoff`, `sending::Acks`, `slot::RefusedLately`. One link at a time. Left out: what is
//! remembered of a peer that is silent for days, and that it is given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use startalk_domain::{Command, directory, outbox};
use startalk_link::{Config, Link, Role};
use startalk_protocol::{Code, DomainName, Error, limits::LINK_ITEMS_OUTSTANDING_MAX};

use super::{
    Process, Ticket,
    live::{Arrived, End, Live, Wire, World},
};
use crate::network::{CONNECT_MS, Port};

const BACKOFF_FIRST_MS: u64 = 1000;
const BACKOFF_MOST_MS: u64 = 5 * 60_000;
const REFUSED_FIRST_MS: u64 = 60_000;
const ACK_EVERY_MS: u64 = 60_000;
const ACK_IDLE_MS: u64 = 5000;
const TWO_COPIES_MS: u64 = 2 * 60_000;
const STEADY_MS: u64 = 10_000;
const INCOMING_MAX: usize = 4;
/// As `status::is_refusal` has them.
const REFUSALS: [Code; 15] = [
    Code::WrongKey,
    Code::BadSignature,
    Code::OlderRecord,
    Code::RootKeyChanged,
    Code::WrongDomain,
    Code::NotProven,
    Code::DomainDenied,
    Code::TwoCopies,
    Code::OutOfOrder,
    Code::Malformed,
    Code::TooLarge,
    Code::TooMany,
    Code::UnsupportedVersion,
    Code::Expired,
    Code::DomainGone,
];

/// One peer.
pub struct Peer {
    /// Its number here.
    pub number: u64,
    /// Its name.
    pub domain: DomainName,
    /// Where it is in the network.
    pub place: usize,
    /// What it has of ours.
    pub acks: Acks,
    /// What was refused among its last items.
    pub refused_lately: RefusedLately,
    /// There may be more in the outbox.
    pub items: bool,
    /// What decides about the link may have changed.
    pub changed: bool,
    /// A link is wanted now.
    pub reconnect: bool,
    /// Groups that the peer has to hear of, or we of.
    pub groups: BTreeSet<u64>,
    /// Groups of the peer's in which somebody here has read on.
    pub group_marks: BTreeSet<u64>,
    /// Answers to what a link's groups asked for: link, job, what became of it.
    pub group_done: Vec<(u64, u64, Result<(), Code>)>,
    /// Judged links that wait.
    pub arrived: VecDeque<Arrived>,
    failures: u32,
    next_ms: u64,
    refused: bool,
    held_until_ms: u64,
    /// Why.
    held_for: Error,
    wanted: bool,
    contact_ms: u64,
    doing: Doing,
}

enum Doing {
    Nothing,
    /// Until the true time.
    Dialing {
        done_ms: u64,
        reaches: bool,
    },
    Live(Box<Live>),
    /// A link ended; what it submitted is not answered yet.
    Draining {
        link: u64,
        outstanding: u64,
        ready_ms: Option<u64>,
        end: End,
    },
    /// A new epoch is being begun by this peer's task.
    BeginsEpoch,
}

impl Peer {
    /// A peer that nothing is known of.
    pub fn new(number: u64, domain: DomainName, place: usize, now_ms: u64) -> Self {
        Self {
            number,
            domain,
            place,
            acks: Acks::default(),
            refused_lately: RefusedLately::default(),
            items: true,
            changed: false,
            reconnect: false,
            groups: BTreeSet::new(),
            group_marks: BTreeSet::new(),
            group_done: Vec::new(),
            arrived: VecDeque::new(),
            failures: 0,
            next_ms: 0,
            refused: false,
            held_until_ms: 0,
            held_for: Code::TwoCopies.into(),
            wanted: false,
            contact_ms: now_ms,
            doing: Doing::Nothing,
        }
    }

    /// A judged link came.
    pub fn arrive(&mut self, world: &mut World, arrived: Arrived) {
        if self.arrived.len() >= INCOMING_MAX {
            return arrived.wire.dismiss(Error::new(Code::SlowDown).with("seconds", 1), world);
        }
        self.arrived.push_back(arrived);
    }

    /// Connections that this peer's task holds, to vanish with the process.
    pub fn ports(&self) -> Vec<Port> {
        let live = if let Doing::Live(live) = &self.doing { Some(live.port()) } else { None };
        live.into_iter().chain(self.arrived.iter().map(|a| a.wire.port)).collect()
    }

    /// An answer to what a link submitted.
    pub fn answered(&mut self, link: u64, sequence: u64, answer: Result<startalk_domain::Answer, Error>) {
        match &mut self.doing {
            Doing::Live(live) if live.id == link => live.replies().answered(sequence, answer),
            Doing::Draining { link: id, outstanding, .. } if *id == link => *outstanding -= 1,
            _ => panic!("link {link} is over although it was not answered"),
        }
    }

    /// The new epoch was begun, or not.
    pub fn epoch_begun(&mut self, result: Result<startalk_domain::Answer, Error>, now_ms: u64, chance: u64) {
        assert!(matches!(self.doing, Doing::BeginsEpoch));
        self.doing = Doing::Nothing;
        match result {
            Ok(_) => (self.next_ms, self.wanted) = (0, true),
            Err(error) => self.not_restarted(&error, now_ms, chance),
        }
    }

    /// Whether something of groups is left to say or hear.
    pub fn is_busy(&self) -> bool {
        !self.groups.is_empty() || matches!(&self.doing, Doing::Live(live) if live.is_busy())
    }

    /// How it stands, for people to read.
    pub fn shown(&self) -> String {
        let doing = match &self.doing {
            Doing::Nothing => "idle".to_owned(),
            Doing::Dialing { done_ms, .. } => format!("dialing until {done_ms}"),
            Doing::Live(live) => format!("live, ready {:?}, due {}, {}", live.ready_ms(), live.due_ms(), live.groups_shown()),
            Doing::Draining { outstanding, .. } => format!("{outstanding} outstanding"),
            Doing::BeginsEpoch => "begins an epoch".to_owned(),
        };
        format!("{doing}, up to {}, next {}, contact {}", self.acks.up_to, self.next_ms, self.contact_ms)
    }

    /// When it wants a turn: by the node's clock, and by the true time.
    pub fn due_ms(&self, world: &World) -> (Option<u64>, Option<u64>) {
        match &self.doing {
            Doing::Live(live) => {
                let acks = self.acks.due_ms();
                (Some(acks.map_or(live.due_ms(), |a| a.min(live.due_ms()))), world.network.due_ms(live.port()))
            }
            Doing::Dialing { done_ms, .. } => (None, Some(*done_ms)),
            Doing::Nothing => (self.outlook(world).into_iter().chain(self.acks.due_ms()).min(), None),
            Doing::Draining { .. } | Doing::BeginsEpoch => (None, None),
        }
    }

    /// Does everything that can be done now.
    pub fn turn(&mut self, world: &mut World, process: &Process) {
        for _ in 0..8 {
            match std::mem::replace(&mut self.doing, Doing::Nothing) {
                Doing::Nothing => {
                    if !self.idle(world) {
                        return;
                    }
                }
                Doing::Dialing { done_ms, reaches } => {
                    if !self.dialing(world, process, done_ms, reaches) {
                        return;
                    }
                }
                Doing::Live(mut live) => match live.turn(world, self) {
                    None => {
                        self.doing = Doing::Live(live);
                        return;
                    }
                    Some(end) => {
                        let (link, ready_ms) = (live.id, live.ready_ms());
                        let (end, outstanding) = live.finish(world, self, end);
                        self.doing = Doing::Draining { link, outstanding, ready_ms, end };
                    }
                },
                Doing::Draining { outstanding: 0, ready_ms, end, .. } => self.ended(world, end, ready_ms),
                waiting @ (Doing::Draining { .. } | Doing::BeginsEpoch) => {
                    self.doing = waiting;
                    return;
                }
            }
        }
    }

    /// Whether there was something to do.
    fn idle(&mut self, world: &mut World) -> bool {
        if let Some(arrived) = self.arrived.pop_front() {
            self.take_in(world, arrived);
            return true;
        }
        if std::mem::take(&mut self.reconnect) {
            self.failures = 0;
            (self.next_ms, self.held_until_ms, self.wanted) = (0, 0, true);
            self.contact_ms = world.now_ms;
        }
        (self.items, self.changed) = (false, false);
        self.acks.write_if_due(world, self.number);
        if self.outlook(world).is_none_or(|at| at > world.now_ms) {
            return false;
        }
        self.wanted = false;
        let reaches = world.network.reaches(world.node, self.place);
        let wait = if reaches { world.chance.between(5, 500) } else { CONNECT_MS };
        self.doing = Doing::Dialing { done_ms: world.true_ms + wait, reaches };
        true
    }

    /// When it is dialed without a link, if at all.
    fn outlook(&self, world: &World) -> Option<u64> {
        let store = &*world.views.store;
        if directory::peer(store, self.number).is_some_and(|p| p.state == directory::PeerState::Denied) {
            return None;
        }
        let outbox = outbox::outbox(store, self.number);
        let unacked = outbox.head() > self.acks.up_to(outbox.epoch).unwrap_or(outbox.acked);
        if !unacked && !self.wanted && !self.reconnect && self.groups.is_empty() {
            return None;
        }
        Some(if self.reconnect { world.now_ms } else { self.next_ms.max(self.held_until_ms) })
    }

    fn dialing(&mut self, world: &mut World, process: &Process, done_ms: u64, reaches: bool) -> bool {
        if !self.arrived.is_empty() {
            return true; // gives way to a link that is there
        }
        if world.true_ms < done_ms {
            self.doing = Doing::Dialing { done_ms, reaches };
            return false;
        }
        let port = if reaches { world.network.connect(world.node, self.place, world.true_ms, world.chance) } else { None };
        match port {
            None => {
                let chance = world.chance.next();
                self.failed(&Error::new(Code::Unreachable).with("what", &self.domain), world.now_ms, chance);
            }
            Some(port) => {
                let link = new_link(world, process, Role::Dialer { peer: self.domain.clone() }, self.place);
                let live = Live::begin(world, self, Wire { link, port, lost: None }, None);
                self.doing = Doing::Live(Box::new(live));
            }
        }
        true
    }

    fn take_in(&mut self, world: &mut World, arrived: Arrived) {
        self.contact_ms = world.now_ms;
        self.failures = 0;
        if world.now_ms < self.held_until_ms {
            return arrived.wire.dismiss(self.held_for.clone(), world);
        }
        let live = Live::begin(world, self, arrived.wire, Some(arrived.instance));
        self.doing = Doing::Live(Box::new(live));
    }

    fn ended(&mut self, world: &mut World, end: End, ready_ms: Option<u64>) {
        let now_ms = world.now_ms;
        if let Some(ready_ms) = ready_ms {
            self.contact_ms = now_ms;
            self.refused = false;
            if now_ms >= ready_ms + STEADY_MS {
                self.failures = 0;
            }
        }
        let chance = world.chance.next();
        match end {
            End::Retired => self.next_ms = now_ms,
            End::Replaced(arrived) => self.take_in(world, *arrived),
            End::OtherEpoch => (self.next_ms, self.wanted) = (0, true),
            End::Apart { after, epoch } => self.restart_link(world, after, epoch),
            End::Lost => self.failed(&Error::new(Code::Unreachable).with("what", &self.domain), now_ms, chance),
            End::Closed { by_peer, error } => self.closed(by_peer, &error, ready_ms.is_some(), now_ms, chance),
        }
    }

    fn closed(&mut self, by_peer: bool, error: &Error, was_ready: bool, now_ms: u64, chance: u64) {
        match error.code {
            Code::SecondLink | Code::Stopping | Code::WentBack => self.again(now_ms, chance),
            Code::IdleTimeout if by_peer && was_ready => self.again(now_ms, chance),
            Code::TwoCopies if !by_peer => {
                self.held_until_ms = now_ms + TWO_COPIES_MS;
                self.held_for = Error::new(Code::TwoCopies).with("domain", &self.domain);
                self.failed(error, now_ms, chance);
            }
            _ => self.failed(error, now_ms, chance),
        }
    }

    fn again(&mut self, now_ms: u64, chance: u64) {
        self.next_ms = now_ms + BACKOFF_FIRST_MS / 2 + chance % (BACKOFF_FIRST_MS / 2 + 1);
        self.refused = false;
    }

    fn failed(&mut self, error: &Error, now_ms: u64, chance: u64) {
        self.refused = REFUSALS.contains(&error.code);
        let first = if self.refused { REFUSED_FIRST_MS } else { BACKOFF_FIRST_MS };
        let whole = first.saturating_mul(1 << self.failures.min(20)).min(BACKOFF_MOST_MS);
        self.failures = self.failures.saturating_add(1);
        self.next_ms = now_ms + whole / 2 + chance % (whole / 2 + 1);
    }

    /// What the peer says to have is no place of our present epoch: our outbox to it begins a new one.
    fn restart_link(&mut self, world: &mut World, after: Option<u64>, epoch: [u8; 16]) {
        let views = world.views;
        match outbox::restart_after(&*views.store, &*views.journal, self.number, after) {
            Ok(restart) => {
                self.doing = Doing::BeginsEpoch;
                let command = Command::RestartLink { peer: self.number, shown: epoch, restart };
                world.submit(command, Ticket::EpochBegun { peer: self.number });
            }
            Err(error) => {
                let chance = world.chance.next();
                self.not_restarted(&error, world.now_ms, chance);
            }
        }
    }

    fn not_restarted(&mut self, error: &Error, now_ms: u64, chance: u64) {
        self.held_until_ms = now_ms + REFUSED_FIRST_MS;
        self.held_for = error.clone();
        self.failed(error, now_ms, chance);
    }
}

/// A link over a connection that has just been made with the node at `place`.
pub fn new_link(world: &World, process: &Process, role: Role, place: usize) -> Link {
    let config = Config {
        domain: world.domain.clone(),
        record: bytes::Bytes::copy_from_slice(world.domain.as_str().as_bytes()),
        key: process.key.clone(),
        instance: process.instance,
        features: vec![super::groups::FEATURE.to_owned(), startalk_link::HISTORY.to_owned()],
        role,
        tls_peer_key: Some(world.keys[place].1),
        datagrams: false,
    };
    Link::new(config, world.now_ms)
}

/// What the peer has acknowledged: in memory at once, in the journal now and then.
#[derive(Default)]
pub struct Acks {
    epoch: [u8; 16],
    up_to: u64,
    moved_ms: u64,
    since_ms: u64,
    written: u64,
    written_ms: u64,
}

impl Acks {
    /// The peer has this much.
    pub fn moved(&mut self, epoch: [u8; 16], up_to: u64, now_ms: u64) {
        if self.epoch != epoch {
            *self = Self { epoch, written_ms: self.written_ms, ..Self::default() };
        }
        if up_to > self.up_to {
            if self.up_to <= self.written {
                self.since_ms = now_ms;
            }
            (self.up_to, self.moved_ms) = (up_to, now_ms);
        }
    }

    /// What the peer says to have at the beginning of a link.
    pub fn stands(&mut self, epoch: [u8; 16], up_to: u64, now_ms: u64) {
        if self.epoch == epoch {
            self.up_to = self.up_to.min(up_to);
        }
        self.moved(epoch, up_to, now_ms);
    }

    /// What the peer has, if it has said so in this epoch since the process started.
    pub fn up_to(&self, epoch: [u8; 16]) -> Option<u64> {
        (self.epoch == epoch).then_some(self.up_to)
    }

    /// When it is to be written.
    pub fn due_ms(&self) -> Option<u64> {
        let quiet = (self.moved_ms + ACK_IDLE_MS).min(self.since_ms + ACK_EVERY_MS);
        (self.up_to > self.written).then(|| quiet.max(self.written_ms + ACK_EVERY_MS))
    }

    /// Writes it if it is time.
    pub fn write_if_due(&mut self, world: &mut World, number: u64) {
        if self.due_ms().is_some_and(|due| world.now_ms >= due) {
            (self.written, self.written_ms) = (self.up_to, world.now_ms);
            let command = Command::PeerRecorded { peer: number, epoch: self.epoch, sequence: self.up_to };
            world.submit(command, Ticket::Nobody);
        }
    }
}

/// What was refused among the last items of the peer, which may not have heard it.
#[derive(Default)]
pub struct RefusedLately {
    epoch: [u8; 16],
    errors: BTreeMap<u64, Error>,
}

impl RefusedLately {
    /// One more.
    pub fn add(&mut self, epoch: [u8; 16], sequence: u64, error: Error) {
        if self.epoch != epoch {
            *self = Self { epoch, ..Self::default() };
        }
        self.errors.insert(sequence, error);
        let from = sequence.saturating_sub(LINK_ITEMS_OUTSTANDING_MAX);
        while self.errors.first_key_value().is_some_and(|(first, _)| *first <= from) {
            self.errors.pop_first();
        }
    }

    /// Those that the peer may not have heard.
    pub fn up_to(&self, epoch: [u8; 16], recorded: u64) -> Vec<(u64, Error)> {
        if self.epoch != epoch {
            return Vec::new();
        }
        let from = recorded.saturating_sub(LINK_ITEMS_OUTSTANDING_MAX) + 1;
        if from > recorded {
            return Vec::new();
        }
        self.errors.range(from..=recorded).map(|(n, e)| (*n, e.clone())).collect()
    }
}
