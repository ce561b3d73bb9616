//! All nodes, all people, the network and the time: one step after another, everything out of one seed.
//!
//! Owns the true time and the order of turns. Never reads a clock.

use startalk_domain::{Answer, Command, command::PeerRule};
use startalk_protocol::Error;

use crate::{
    actions,
    chance::Chance,
    faults::{self, Troubles},
    invariants,
    network::{DELAY_MS_MAX, Network},
    node::{self, BEGIN_MS, Node, Ticket},
    oracle::Ledger,
    people::{self, Connected, Deed, Device, Person, home_of},
    trace::Trace,
};

/// Persons of each domain at the beginning.
const PERSONS: usize = 4;
/// Turns between two looks at everything.
const CHECK_EVERY: u64 = 60;
/// Turns within one step at most: a loop that never rests goes on with the next step.
const TURNS_MAX: usize = 60;
/// Turns until everything must have come to rest.
const HEALING_TURNS_MAX: u64 = 60_000;
/// True time that healing may take.
const HEALING_MS_MAX: u64 = 3 * 24 * 3600 * 1000;

/// The simulated world.
pub struct World {
    /// By place.
    pub nodes: Vec<Node>,
    /// In the order in which they came.
    pub people: Vec<Person>,
    /// Between nodes.
    pub network: Network,
    /// What people did and heard.
    pub ledger: Ledger,
    /// The true time.
    pub now_ms: u64,
    /// Chance for people, network and faults.
    pub chance: Chance,
    /// What is wrong now.
    pub troubles: Troubles,
    /// Ways into groups that somebody made, or tried to.
    pub ways: Vec<startalk_domain::groups::GroupLink>,
    /// Edits so far.
    pub edits: u64,
    /// Things done to the world by faults.
    pub faults: u64,
    healing: bool,
    devices: u64,
    steps: u64,
    trace: Trace,
}

impl World {
    /// Domains that have just begun, with their first people on the way.
    pub fn new(seed: u64, nodes: usize, trace: Trace) -> Self {
        let mut world = Self {
            nodes: (0..nodes).map(|place| Node::new(place, nodes, seed)).collect(),
            people: Vec::new(),
            network: Network::new(nodes),
            ledger: Ledger::default(),
            now_ms: BEGIN_MS,
            chance: Chance::new(seed),
            troubles: Troubles::default(),
            ways: Vec::new(),
            edits: 0,
            faults: 0,
            healing: false,
            devices: 0,
            steps: 0,
            trace,
        };
        for place in 0..nodes {
            world.nodes[place].start(&mut world.network, BEGIN_MS).expect("an empty journal");
            for k in 0..PERSONS {
                let id = world.new_device();
                let devices = vec![Device::new(id)];
                world.people.push(Person { person: people::person(place, k), devices, gone: false });
            }
        }
        // In some seeds one of them is a home that lies.
        let last = world.nodes.last_mut().expect("some nodes");
        last.lies = Chance::new(seed ^ 0x6c69_6172).one_in(4);
        world.turn();
        world
    }

    /// A line of the trace.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        self.trace.add(format!("{:>5} {:>9} {}", self.steps, self.now_ms - BEGIN_MS, line()));
    }

    /// One step: time passes, something happens.
    pub fn step(&mut self) {
        self.steps += 1;
        let wait_ms = match self.chance.below(100) {
            0 => self.chance.between(5_000, 120_000),
            1..=9 => self.chance.between(200, 3_000),
            _ => self.chance.below(40),
        };
        self.pass(wait_ms);
        faults::strike(self);
        for _ in 0..self.chance.below(4) {
            actions::act(self);
        }
        self.turn();
        if self.steps.is_multiple_of(CHECK_EVERY) {
            invariants::always(self);
        }
    }

    /// Time passes, with a turn whenever somebody wants one.
    fn pass(&mut self, wait_ms: u64) {
        let until_ms = self.now_ms + wait_ms;
        for _ in 0..TURNS_MAX {
            let due_ms = self.due_ms();
            if due_ms > until_ms {
                break;
            }
            self.now_ms = self.now_ms.max(due_ms) + 1;
            self.turn();
        }
        self.now_ms = self.now_ms.max(until_ms);
    }

    fn due_ms(&mut self) -> u64 {
        let (network, now_ms) = (&mut self.network, self.now_ms);
        self.nodes.iter_mut().map(|n| n.due_ms(network, now_ms)).min().unwrap_or(u64::MAX)
    }

    /// Everybody does what they can, in any order.
    pub fn turn(&mut self) {
        let count = self.nodes.len();
        let first = self.chance.index(count);
        for offset in 0..count {
            let place = (first + offset) % count;
            if self.nodes[place].core.is_none() {
                if self.now_ms >= self.nodes[place].starts_ms {
                    faults::start(self, place);
                }
                continue;
            }
            if self.healing || !self.chance.one_in(6) {
                self.nodes[place].turn(&mut self.network, self.now_ms);
            }
            self.drive_devices(place);
            if self.healing || self.chance.one_in(2) {
                self.write(place);
            }
        }
    }

    /// One batch of a node's write loop; a node that cannot go on is gone.
    fn write(&mut self, place: usize) {
        match self.nodes[place].step(self.now_ms) {
            Ok(answers) => {
                if self.trace.prints() {
                    self.trace_records(place);
                }
                if self.nodes[place].disk.is_off() {
                    return faults::ended(self, place, "the power went off, and nobody hears its answers");
                }
                answers.into_iter().for_each(|(ticket, answer)| self.answered(ticket, &answer));
            }
            Err(fatal) => faults::ended(self, place, &fatal.to_string()),
        }
    }

    fn trace_records(&self, place: usize) {
        for record in self.nodes[place].written.iter() {
            let link = match (record.event.link_in(), record.event.link_outs()) {
                (Some(l), _) => format!(" from {} #{}", l.peer, l.sequence),
                (None, outs) => outs.iter().map(|o| format!(" to {} #{}", o.peer, o.sequence)).collect(),
            };
            let why = match &record.event {
                startalk_domain::Event::LinkItemClosed(f, _) => {
                    let withheld = self.nodes[place].is_withheld(f.r#in.as_ref().expect("an item"));
                    format!(" {:?}{}", f.code, if withheld { ", withheld" } else { "" })
                }
                _ => String::new(),
            };
            let (position, conversation, sequence) = (record.position, record.conversation, record.sequence);
            self.trace(|| format!("  node {place} {position}: {} {conversation}/{sequence}{link}{why}", record.event.name()));
        }
    }

    fn answered(&mut self, ticket: Ticket, answer: &Result<Answer, Error>) {
        match ticket {
            Ticket::Device { person, device, counter } => {
                self.trace(|| format!("p{person} device {device} #{counter}: {}", short(answer)));
                let Some(at) = self.people.iter().position(|p| p.person == person) else { return };
                if let Some(device) = self.people[at].devices.iter_mut().find(|d| d.id == device) {
                    device.answered(&mut self.ledger, home_of(person), counter, answer);
                }
            }
            Ticket::Person { person } => {
                self.trace(|| format!("p{person}: {}", short(answer)));
                self.ledger.accepted += u64::from(answer.is_ok());
                let Some(person) = self.people.iter_mut().find(|p| p.person == person) else { return };
                person.devices.iter_mut().for_each(|d| d.signing_in = None);
            }
            _ => {}
        }
    }

    fn drive_devices(&mut self, place: usize) {
        for at in 0..self.people.len() {
            if home_of(self.people[at].person) != place || self.people[at].gone {
                continue;
            }
            for device in 0..self.people[at].devices.len() {
                self.drive_device(place, at, device);
            }
        }
    }

    fn drive_device(&mut self, place: usize, at: usize, index: usize) {
        let node = &mut self.nodes[place];
        let (person, device) = (self.people[at].person, &mut self.people[at].devices[index]);
        if device.session != Some(node.starts) {
            if device.signing_in == Some(node.starts) || (!self.healing && !self.chance.one_in(4)) {
                return;
            }
            if let Connected::Unknown = device.connect(node) {
                actions::let_in(self, at, index);
            }
            return;
        }
        if !self.healing && self.chance.one_in(60) {
            device.session = None; // what is answered now is not heard
            return;
        }
        if !self.healing && self.chance.one_in(4) {
            return;
        }
        if device.waiting.iter().any(|w| !w.asked) {
            let count = self.chance.index(4) + 1;
            device.ask(person, node, count);
        } else if self.chance.one_in(10) {
            device.hear(node);
        }
    }

    /// A person who is not gone, and one of their devices: places in the lists.
    pub fn any_device(&mut self) -> Option<(usize, usize)> {
        let at = self.chance.index(self.people.len());
        let person = &self.people[at];
        if person.gone || person.devices.is_empty() {
            return None;
        }
        Some((at, self.chance.index(person.devices.len())))
    }

    /// A number for a new device.
    pub fn new_device(&mut self) -> u64 {
        self.devices += 1;
        self.devices
    }

    /// A device is no more: what it remembered nobody can offer again.
    pub fn forget(&mut self, at: usize, device: usize) {
        let device = &self.people[at].devices[device];
        let offered = device.waiting.iter().filter_map(|w| match w.deed {
            Deed::Send { message, known: Some(_), .. } => Some(message),
            _ => None,
        });
        for message in device.ring.iter().map(|r| r.message).chain(offered) {
            let said = self.ledger.said.get_mut(&message).expect("somebody said it");
            said.given_up.get_or_insert("its device is gone");
        }
    }

    /// All troubles end, and everything comes to rest.
    pub fn heal(&mut self) {
        self.trace(|| "healing".to_owned());
        self.healing = true;
        faults::end_all(self);
        self.nodes.iter_mut().for_each(|node| node.repents = true);
        for place in 0..self.nodes.len() {
            if self.nodes[place].core.is_none() {
                self.nodes[place].starts_ms = self.now_ms;
            }
        }
        self.turn();
        self.make_peace();
        let begun_ms = self.now_ms;
        let mut quiet_since_ms = begun_ms;
        for turn in 0.. {
            let rests = self.is_at_rest();
            if !rests {
                quiet_since_ms = self.now_ms;
            }
            // What is on its way may wake somebody yet.
            if self.now_ms > quiet_since_ms + 2 * DELAY_MS_MAX {
                self.trace(|| format!("at rest after {turn} turns"));
                return;
            }
            let too_long = turn > HEALING_TURNS_MAX || self.now_ms > begun_ms + HEALING_MS_MAX;
            assert!(!too_long, "it does not come to rest: {}", self.unrest());
            let due_ms = self.due_ms();
            // At rest there may be nothing but heartbeats.
            self.now_ms = if rests { self.now_ms + 50 } else { (self.now_ms + 1).max(due_ms.min(self.now_ms + 60_000)) };
            self.turn();
        }
    }

    /// Nobody is denied or disabled any more, so that what was sent arrives.
    fn make_peace(&mut self) {
        for place in 0..self.nodes.len() {
            let node = &mut self.nodes[place];
            let domains = (0..node::NODES_MAX).take(self.network.nodes()).filter(|other| *other != place);
            for other in domains {
                let command = Command::SetPeerRule { domain: node::domain(other), rule: PeerRule::Allow, forget_key: false };
                node.submit(command, Ticket::Nobody);
            }
            for account in node.model.persons.keys().copied().collect::<Vec<_>>() {
                node.submit(Command::SetDisabled { account, disabled: false }, Ticket::Nobody);
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        self.nodes.iter().all(Node::is_quiet) && self.busy_devices().next().is_none()
    }

    fn busy_devices(&self) -> impl Iterator<Item = (usize, u64, usize)> + '_ {
        self.people.iter().filter(|p| !p.gone).flat_map(|p| {
            let starts = self.nodes[home_of(p.person)].starts;
            let busy = move |d: &&Device| d.session != Some(starts) || !d.waiting.is_empty();
            p.devices.iter().filter(busy).map(move |d| (p.person, d.id, d.waiting.len()))
        })
    }

    fn unrest(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().filter(|n| !n.is_quiet()).map(Node::unrest).collect();
        format!("at {}, nodes {nodes:#?}, devices {:?}", self.now_ms, self.busy_devices().collect::<Vec<_>>())
    }
}

fn short(answer: &Result<Answer, Error>) -> String {
    match answer {
        Ok(Answer::Sent { conversation, sequence, .. }) => format!("sent {conversation}/{sequence}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("refused: {error}"),
    }
}
