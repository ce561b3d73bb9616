//! A node in one process with others: the real write loop over the real journal on a disk that loses, and the driver of
//! its links.
//!
//! Owns the disk, the process (or none, while it is down), the clock's error and what the oracle knows to be durable.
//! Mirrors of `node/federation`: `federation::Federation` (`new`, `committed`), `opening::open` and `hand_over`, and the
//! shape of `trust::judge`. Invariant: everything that a step made durable was told to the oracle.

mod groups;
mod history;
mod identity;
mod liar;
pub mod live;
pub mod peer;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use startalk_domain::{Answer, Command, Event, Recorded, Views, directory, outbox, store::Store};
use startalk_journal::{Journal, Options, fault::FaultDisk};
use startalk_link::{Event as LinkEvent, Role};
use startalk_protocol::{Code, DomainName, Error, signing::SecretKey};
use startalk_sequencer::{Fatal, Sequencer, Work, views};

pub use self::identity::{BEGIN_MS, NODES_MAX, domain, place_of};
use self::identity::{key, keys, record};
use self::{
    live::{Arrived, Wire, World},
    peer::Peer,
};
use crate::{chance::Chance, network::Network, oracle::Model};

/// Files small enough that segments change often.
const OPTIONS: Options = Options { segment_bytes: 128 * 1024, extent_bytes: 16 * 1024 };
/// Bytes kept free for what frees: as much of a small disk as 256 MB of a large one.
pub const RESERVE: u64 = 48 * 1024;
/// The write loop looks at the free space so often at least, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// Records looked through for refusals at start.
const REFUSED_LOOK_BACK: u64 = 16 * 1024;

/// Whom an answer is for.
#[derive(Clone, Copy, Debug)]
pub enum Ticket {
    /// A device's command.
    Device { person: usize, device: u64, counter: u64 },
    /// Something else of a person.
    Person { person: usize },
    /// An item of a link, or the beginning of its epoch.
    Item { peer: u64, link: u64, sequence: u64 },
    /// What a link's groups asked for.
    Group { peer: u64, link: u64, job: u64 },
    /// The new epoch that a peer's task asked for.
    EpochBegun { peer: u64 },
    /// Nobody waits for it.
    Nobody,
}

/// Answers of the write loop, to be taken to whom they are for.
pub type Desk = Arc<Mutex<VecDeque<Told>>>;
/// An answer, and whom it is for.
pub type Told = (Ticket, Result<Answer, Error>);
/// Items of peers as they were handed to the write loop: (peer, epoch, sequence) → bytes, or nothing if withheld.
pub type Submitted = BTreeMap<(u64, [u8; 16], u64), Option<Bytes>>;

/// What lives and dies with the process.
pub struct Process {
    /// Random, new with each.
    pub instance: [u8; 16],
    /// Its link key.
    pub key: SecretKey,
}

/// A running process.
pub struct Core {
    /// The write loop.
    pub sequencer: Sequencer<Journal>,
    /// Commands that wait.
    pub work: Work,
    peers: BTreeMap<u64, Peer>,
    openings: Vec<Wire>,
    process: Process,
    desk: Desk,
    links: u64,
}

/// A copy of a node's disk, and what it held.
pub struct Backup {
    disk: FaultDisk,
    model: Model,
}

/// A node.
pub struct Node {
    /// Its place in the network, and in all lists.
    pub place: usize,
    /// Its name.
    pub domain: DomainName,
    /// How many there are.
    nodes: usize,
    /// As a home of groups, it tells others what is not so.
    pub lies: bool,
    /// It does not any more.
    pub repents: bool,
    key: SecretKey,
    /// Its disk.
    pub disk: FaultDisk,
    /// The process, if it runs.
    pub core: Option<Core>,
    /// What is durable, as the oracle knows.
    pub model: Model,
    /// Copies made so far.
    pub backups: Vec<Backup>,
    /// How far its clock is from the true time, in milliseconds.
    pub clock_error_ms: i64,
    /// When it is started again, by the true time.
    pub starts_ms: u64,
    /// How far the clock was from the true time when the process started: its timers run steadily from there.
    steady_error_ms: i64,
    /// Processes started so far.
    pub starts: u64,
    chance: Chance,
    submitted: Submitted,
    /// Told by an administrator: the node begins an epoch when it starts.
    restored_by_verb: bool,
    /// Since when its disk has been too full for anything but what frees, by a clock with the same error.
    low_since: Option<(u64, i64)>,
    /// Made durable by the last step.
    pub written: Arc<[Recorded]>,
}

impl Node {
    /// A domain that has just begun.
    pub fn new(place: usize, nodes: usize, seed: u64) -> Self {
        let disk = FaultDisk::new();
        let mut id = [9; 16];
        id[0] = u8::try_from(place).expect("few nodes");
        drop(Journal::create(disk.arc(), id, OPTIONS).expect("an empty disk"));
        Self {
            place,
            domain: domain(place),
            nodes,
            lies: false,
            repents: false,
            key: key(place),
            disk,
            core: None,
            model: Model::new(place, nodes),
            backups: Vec::new(),
            clock_error_ms: 0,
            starts_ms: 0,
            steady_error_ms: 0,
            starts: 0,
            chance: Chance::new(seed ^ (place as u64 + 1).wrapping_mul(0x9e37_79b9)),
            submitted: Submitted::new(),
            restored_by_verb: false,
            low_since: None,
            written: Arc::from([]),
        }
    }

    /// Its clock.
    pub fn now_ms(&self, true_ms: u64) -> u64 {
        true_ms.saturating_add_signed(self.clock_error_ms)
    }

    /// The clock of its timers: not put back or forward while the process lives.
    fn steady_ms(&self, true_ms: u64) -> u64 {
        true_ms.saturating_add_signed(self.steady_error_ms)
    }

    /// The views, while it runs.
    pub fn views(&self) -> Option<&Views> {
        self.core.as_ref().map(|c| c.sequencer.views())
    }

    /// Starts the process: the journal is opened, views are made, peers with unacknowledged items get their task.
    ///
    /// # Errors
    /// The journal's, if it cannot be opened.
    pub fn start(&mut self, network: &mut Network, true_ms: u64) -> Result<(), String> {
        self.steady_error_ms = self.clock_error_ms;
        let now_ms = self.steady_ms(true_ms);
        let (journal, _) = Journal::open(self.disk.arc(), OPTIONS).map_err(|e| e.to_string())?;
        let views = views(Store::temporary().expect("a tree in memory"), Arc::new(journal.reader()));
        let mut sequencer = Sequencer::open(journal, views, self.domain.clone(), |_, _| {}).expect("the views can be made");
        sequencer.set_reserve(RESERVE);
        self.model.reopened(&*sequencer.views().journal, &self.submitted);
        self.starts += 1;
        let process = Process { instance: self.chance.bytes(), key: self.key.clone() };
        let mut core = Core {
            sequencer,
            work: Work::default(),
            peers: BTreeMap::new(),
            openings: Vec::new(),
            process,
            desk: Desk::default(),
            links: 0,
        };
        if core.sequencer.head().position == 0 {
            // As at the first start; a copy may have been made before anything was written.
            core.work.push(Command::Begin { root_key: [u8::try_from(self.place).expect("few"); 32] }, |_| {});
            self.meet_all(&mut core.work);
        }
        if std::mem::take(&mut self.restored_by_verb) {
            core.work.push(Command::BeginEpoch { epoch: 0, reason: "restored".into() }, |_| {});
        }
        let views = core.sequencer.views().clone();
        let refused = outbox::refused_lately(&*views.store, &*views.journal, REFUSED_LOOK_BACK).expect("a readable journal");
        for (number, sequence, code) in refused {
            let epoch = outbox::inbox(&*views.store, number).epoch;
            if let Some(peer) = core.peer(number, now_ms) {
                peer.refused_lately.add(epoch, sequence, Error::from_wire(&code, BTreeMap::new()));
            }
        }
        for (number, _) in directory::peers(&*views.store) {
            let outbox = outbox::outbox(&*views.store, number);
            if outbox.head() > outbox.acked {
                core.peer(number, now_ms);
            }
            for conversation in startalk_domain::groups::shared_with(&*views.store, number) {
                if let Some(peer) = core.peer(number, now_ms) {
                    peer.groups.insert(conversation);
                }
            }
        }
        self.core = Some(core);
        network.set_up(self.place, true);
        Ok(())
    }

    /// The process is gone, from one moment to the next.
    pub fn vanish(&mut self, network: &mut Network, is_heard: bool, true_ms: u64) {
        network.set_up(self.place, false);
        let Some(core) = self.core.take() else { return };
        let opening = core.openings.iter().map(|w| w.port);
        let ports: Vec<_> = core.peers.values().flat_map(Peer::ports).chain(opening).collect();
        for port in ports {
            network.vanish(port, is_heard, true_ms);
        }
        while let Some(port) = network.accept(self.place) {
            network.vanish(port, is_heard, true_ms);
        }
    }

    /// Copies the disk.
    pub fn back_up(&mut self) {
        self.backups.push(Backup { disk: self.disk.copy(), model: self.model.clone() });
    }

    /// The process is gone and an older copy of the disk takes the place of the present one. What was lost is told.
    pub fn restore(&mut self, backup: usize, by_verb: bool) -> Model {
        assert!(self.core.is_none(), "nobody replaces the disk under a running process");
        self.disk = self.backups[backup].disk.copy();
        self.restored_by_verb = by_verb;
        let mut model = self.backups[backup].model.clone();
        // What was answered for once may be acknowledged for ever.
        for (message, closed) in &self.model.closed {
            let kept = model.closed.entry(*message).or_default();
            kept.extend(closed.iter().filter(|c| !kept.contains(c)).cloned().collect::<Vec<_>>());
        }
        std::mem::replace(&mut self.model, model)
    }

    /// Hands a command to the write loop.
    pub fn submit(&mut self, command: Command, ticket: Ticket) {
        let Some(core) = &mut self.core else { return };
        let desk = core.desk.clone();
        core.work.push(command, move |answer| desk.lock().push_back((ticket, answer)));
    }

    /// One batch of the write loop, if anything waits. Answers for people are returned, others delivered; `Err`: the
    /// process must end.
    pub fn step(&mut self, true_ms: u64) -> Result<Vec<Told>, Fatal> {
        let (now_ms, steady_ms) = (self.now_ms(true_ms), self.steady_ms(true_ms));
        self.written = Arc::from([]);
        let Some(core) = &mut self.core else { return Ok(Vec::new()) };
        if core.work.is_empty() && !core.sequencer.is_unfinished() {
            core.sequencer.idle(now_ms);
            return Ok(Vec::new());
        }
        let low = self.disk.arc().free_bytes().is_ok_and(|free| free < RESERVE);
        // A clock that is put back a little lets the write loop look that much later.
        let same_clock = self.low_since.filter(|(_, error)| *error == self.clock_error_ms);
        self.low_since = low.then_some(same_clock.unwrap_or((true_ms, self.clock_error_ms)));
        let records = core.sequencer.step(&mut core.work, now_ms, &mut self.chance)?;
        let is_low = self.low_since.is_some_and(|(since, _)| true_ms > since + LOOK_MS);
        for record in records.iter() {
            let adds = matches!(record.event, Event::MessageAdded(..) | Event::AccountCreated(..) | Event::DeviceAdded(..));
            assert!(!adds || !is_low, "node {}: {} although the disk is full", self.place, record.event.name());
            self.model.apply(record, &self.submitted);
        }
        self.model.reached(core.sequencer.head());
        core.committed(&records, steady_ms);
        self.written = records;
        let answers = std::mem::take(&mut *core.desk.lock());
        let mut people = Vec::new();
        for (ticket, answer) in answers {
            match ticket {
                Ticket::Device { .. } | Ticket::Person { .. } => people.push((ticket, answer)),
                Ticket::Item { peer, link, sequence } => {
                    core.peers.get_mut(&peer).expect("the peer asked").answered(link, sequence, answer);
                }
                Ticket::Group { peer, link, job } => {
                    let result = answer.map(|_| ()).map_err(|error| error.code);
                    core.peers.get_mut(&peer).expect("the peer asked").group_done.push((link, job, result));
                }
                Ticket::EpochBegun { peer } => {
                    let chance = self.chance.next();
                    core.peers.get_mut(&peer).expect("the peer asked").epoch_begun(answer, steady_ms, chance);
                }
                Ticket::Nobody => {}
            }
        }
        Ok(people)
    }

    /// The links do what they can.
    pub fn turn(&mut self, network: &mut Network, true_ms: u64) {
        let (now_ms, wall_ms) = (self.steady_ms(true_ms), self.now_ms(true_ms));
        let Some(core) = &mut self.core else { return };
        let views = core.sequencer.views().clone();
        let Core { work, peers, openings, process, desk, links, .. } = core;
        let mut world = World {
            node: self.place,
            domain: &self.domain,
            views: &views,
            work,
            desk,
            network,
            chance: &mut self.chance,
            true_ms,
            now_ms,
            keys: keys(),
            key: &self.key,
            wall_ms,
            links,
            submitted: &mut self.submitted,
            lies: self.lies && !self.repents,
        };
        while let Some(port) = world.network.accept(self.place) {
            let from = world.network.other(port);
            if let Some(from) = from {
                openings.push(Wire { link: peer::new_link(&world, process, Role::Acceptor, from), port, lost: None });
            }
        }
        for wire in std::mem::take(openings) {
            open(&mut world, peers, openings, wire);
        }
        for peer in peers.values_mut() {
            peer.turn(&mut world, process);
        }
    }

    /// Whether an item came without its bytes.
    pub fn is_withheld(&self, link_in: &startalk_protocol::pb::events::LinkIn) -> bool {
        let epoch = link_in.epoch[..].try_into().expect("16 bytes");
        matches!(self.submitted.get(&(link_in.peer, epoch, link_in.sequence)), Some(None))
    }

    /// What is not acknowledged yet, for people to read.
    pub fn unrest(&self) -> String {
        let Some(core) = &self.core else { return format!("node {} is down", self.place) };
        let store = &*core.sequencer.views().store;
        let mut all = format!("node {}: {} commands, {} openings", self.place, core.work.len(), core.openings.len());
        for (number, peer) in directory::peers(store) {
            let outbox = outbox::outbox(store, number);
            let task = core.peers.get(&number).map(Peer::shown);
            all += &format!("; {} has {} of {}: {task:?}", peer.domain, outbox.acked, outbox.head());
        }
        all
    }

    /// When it wants a turn, by the true time.
    pub fn due_ms(&mut self, network: &mut Network, true_ms: u64) -> u64 {
        let (now_ms, wall_ms) = (self.steady_ms(true_ms), self.now_ms(true_ms));
        let Some(core) = &mut self.core else { return self.starts_ms };
        if !core.work.is_empty() {
            return true_ms;
        }
        let views = core.sequencer.views().clone();
        let Core { work, peers, openings, desk, links, .. } = core;
        let world = World {
            node: self.place,
            domain: &self.domain,
            views: &views,
            work,
            desk,
            network,
            chance: &mut self.chance,
            true_ms,
            now_ms,
            keys: keys(),
            key: &self.key,
            wall_ms,
            links,
            submitted: &mut self.submitted,
            lies: self.lies && !self.repents,
        };
        let error = self.steady_error_ms;
        let by_clock = |ms: u64| ms.saturating_add_signed(-error);
        let mut due = u64::MAX;
        for peer in peers.values() {
            let (clock, truth) = peer.due_ms(&world);
            due = due.min(clock.map_or(u64::MAX, by_clock)).min(truth.unwrap_or(u64::MAX));
        }
        for wire in openings.iter() {
            due = due.min(wire.link.deadline().map_or(u64::MAX, by_clock));
            due = due.min(world.network.due_ms(wire.port).unwrap_or(u64::MAX));
        }
        due
    }

    /// Whether everything in every outbox is known to be recorded.
    pub fn is_quiet(&self) -> bool {
        let Some(core) = &self.core else { return false };
        let store = &*core.sequencer.views().store;
        core.work.is_empty()
            && core.openings.is_empty()
            && !core.peers.values().any(Peer::is_busy)
            && directory::peers(store).iter().all(|(number, _)| {
                let outbox = outbox::outbox(store, *number);
                let acked = core.peers.get(number).and_then(|p| p.acks.up_to(outbox.epoch)).unwrap_or(outbox.acked);
                acked == outbox.head()
            })
    }

    /// The commands by which it knows everybody.
    fn meet_all(&self, work: &mut Work) {
        let charter = record(self.place).charter().clone();
        work.push(Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() }, |_| {});
        for other in (0..self.nodes).filter(|other| *other != self.place) {
            work.push(Command::MeetPeer { record: Box::new(record(other)), proof: "configured".into() }, |_| {});
        }
    }

    /// A hash over all files of the disk.
    pub fn disk_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for name in self.disk.arc().list().expect("a disk that is on") {
            hasher.update(name.as_bytes());
            hasher.update(&self.disk.file(&name).expect("a listed file"));
        }
        *hasher.finalize().as_bytes()
    }

    /// Views made anew from the journal are the views that lived through it.
    pub fn check_views(&self) {
        let Some(core) = &self.core else { return };
        let views = core.sequencer.views();
        let head = views.journal.head().position;
        let digest = |store: &Store| {
            store.flush(head, [0; 8], startalk_domain::domain::LAYOUT).expect("a tree in memory");
            store.verify().expect("an undamaged tree");
            store.meta().digest
        };
        let rebuilt = Store::temporary().expect("a tree in memory");
        startalk_domain::replay(&rebuilt, &*views.journal, |_, _| {}).expect("a readable journal");
        assert_eq!(digest(&rebuilt), digest(&views.store), "{}: rebuilt views differ from live ones", self.domain);
    }
}

impl Core {
    /// The task of a peer, begun if it was not.
    fn peer(&mut self, number: u64, now_ms: u64) -> Option<&mut Peer> {
        if number == directory::HERE {
            return None;
        }
        let domain = directory::domain_of(&*self.sequencer.views().store, number)?;
        let place = place_of(&domain)?;
        Some(self.peers.entry(number).or_insert_with(|| Peer::new(number, domain, place, now_ms)))
    }

    /// Records were committed: wakes the peers that they go to.
    fn committed(&mut self, records: &[Recorded], now_ms: u64) {
        let store = self.sequencer.views().store.clone();
        for (peer, conversation) in startalk_domain::groups::hints(&*store, records) {
            if let Some(peer) = self.peer(peer, now_ms) {
                peer.groups.insert(conversation);
            }
        }
        let home = |c: u64| startalk_domain::groups::group(&*store, c).map_or(directory::HERE, |g| g.home);
        for record in records {
            for out in record.event.link_outs() {
                if let Some(peer) = self.peer(out.peer, now_ms) {
                    peer.items = true;
                }
            }
            match &record.event {
                Event::EpochBegan(..) => self.peers.values_mut().for_each(|p| p.changed = true),
                Event::GroupSubmitted(facts, _) => {
                    if let Some(peer) = self.peer(home(facts.conversation), now_ms) {
                        peer.groups.insert(facts.conversation);
                    }
                }
                Event::MarksMoved(facts, _) => {
                    for mark in facts.marks.iter().filter(|m| m.group) {
                        if let Some(peer) = self.peer(home(mark.conversation), now_ms) {
                            peer.group_marks.insert(mark.conversation);
                        }
                    }
                }
                Event::PeerRuleSet(facts, _) => {
                    if let Some(peer) = self.peer(facts.peer, now_ms) {
                        (peer.changed, peer.reconnect) = (true, true);
                    }
                }
                _ => {}
            }
        }
    }
}

/// An incoming connection until it is known who it is.
fn open(world: &mut World, peers: &mut BTreeMap<u64, Peer>, openings: &mut Vec<Wire>, mut wire: Wire) {
    wire.hear(world.network, world.true_ms, world.now_ms);
    while let Some(event) = wire.link.event() {
        match event {
            LinkEvent::Hello { from, record, instance, .. } => match judge(world, &from, &record) {
                Ok((number, keys)) => {
                    wire.link.judge(Ok(keys));
                    let place = place_of(&from).expect("a judged domain");
                    let now_ms = world.now_ms;
                    let peer = peers.entry(number).or_insert_with(|| Peer::new(number, from, place, now_ms));
                    return peer.arrive(world, Arrived { wire, instance });
                }
                Err(error) => return wire.dismiss(error, world),
            },
            LinkEvent::Closed { .. } => return wire.farewell(world.network, world.true_ms, world.chance),
            _ => {}
        }
    }
    if wire.lost.is_some() {
        return world.network.finish(wire.port, world.true_ms);
    }
    openings.push(wire);
}

/// Whether a hello is believed: keys are known by everybody from the beginning, so only the rule is looked at.
fn judge(world: &World, from: &DomainName, record: &[u8]) -> Result<(u64, Vec<[u8; 32]>), Error> {
    let store = &*world.views.store;
    let unknown = || Error::new(Code::UnknownDomain).with("domain", from).with("steps", "simulation");
    let number = directory::peer_number(store, from).ok_or_else(unknown)?;
    if directory::peer(store, number).is_some_and(|p| p.state == directory::PeerState::Denied) {
        return Err(Error::new(Code::DomainDenied).with("domain", from));
    }
    assert_eq!(record, from.as_str().as_bytes(), "the record of a simulated domain is its name");
    let keys = world.keys.iter().find(|(domain, _)| domain == from).map(|(_, key)| vec![*key]).ok_or_else(unknown)?;
    Ok((number, keys))
}
