//! Who is tethered, what they are called, and how much each has open.
//!
//! Pure but for the drawing of tickets: no socket, no time. Owns the rule who gets a place.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use startalk_protocol::{Code, DomainName, Error, pb::tether::frame::Frame};
use startalk_tether::{Control, Io, limits::TICKET_BYTES};
use tokio::sync::{Notify, mpsc, oneshot};

use super::Meter;
use crate::rate::Asker;

/// How much may be forwarded; the operator's to change while the hub runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tethers in all.
    pub tethers: usize,
    /// Tethers from one address: nodes behind one router.
    pub tethers_per_address: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections to one domain.
    pub connections_per_domain: usize,
    /// Connections from one address, to whatever domains.
    pub connections_per_address: usize,
    /// Bytes a second of one domain, both ways together; 0: no limit.
    pub bytes_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tethers: 10_000,
            tethers_per_address: 64,
            connections: 16_384,
            connections_per_domain: 4_096,
            connections_per_address: 512,
            bytes_per_second: 25_000_000, // 200 Mbit/s
        }
    }
}

/// Connections that a domain has in any case, however many domains share a full hub.
const SHARE_MIN: usize = 16;

/// Why a connection gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The hub is full.
    Full,
    /// The domain has its share.
    Domain,
    /// The address has its share.
    Address,
}

/// A domain, by its name and the first root key that stands for it.
pub(super) type Owner = (DomainName, [u8; 32]);

/// How the node is reached.
pub(super) enum Way {
    /// A stream each.
    Quic(quinn::Connection),
    /// It is told, and fetches.
    Tls(mpsc::Sender<Frame>),
}

/// A tethered node.
pub(crate) struct Tethered {
    owner: Owner,
    /// The key of its connection.
    key: [u8; 32],
    way: Way,
    from: Asker,
    open: AtomicUsize,
    meter: Meter,
    names: Mutex<Vec<String>>,
    /// Told when another takes its place.
    pub(super) replaced: Notify,
}

impl Tethered {
    pub(super) fn new(owner: Owner, key: [u8; 32], way: Way, from: IpAddr, bytes_per_second: u64) -> Arc<Self> {
        Arc::new(Self {
            owner,
            key,
            way,
            from: Asker::of(from),
            open: AtomicUsize::new(0),
            meter: Meter::new(bytes_per_second),
            names: Mutex::default(),
            replaced: Notify::new(),
        })
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }
}

struct Waiting {
    key: [u8; 32],
    claimed: oneshot::Sender<Control<Box<dyn Io>>>,
}

pub(super) struct Table {
    pub(super) limits: Limits,
    owners: HashMap<Owner, Arc<Tethered>>,
    names: HashMap<String, Arc<Tethered>>,
    tethers_from: HashMap<Asker, usize>,
    open: usize,
    /// Domains with anything open.
    busy: usize,
    open_from: HashMap<Asker, usize>,
    tickets: HashMap<[u8; TICKET_BYTES], Waiting>,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            owners: HashMap::new(),
            names: HashMap::new(),
            tethers_from: HashMap::new(),
            open: 0,
            busy: 0,
            open_from: HashMap::new(),
            tickets: HashMap::new(),
        }
    }

    pub(super) fn of(&self, name: &str) -> Option<Arc<Tethered>> {
        self.names.get(name).cloned()
    }

    /// Takes a node in; it takes the place of an older tether of the same domain.
    ///
    /// # Errors
    /// `too-many`: in all, or from its address.
    pub(super) fn admit(&mut self, tethered: &Arc<Tethered>) -> Result<(), Error> {
        let too_many = |what: &str, max: usize| Error::new(Code::TooMany).with("what", what).with("max", max);
        let older = self.owners.get(&tethered.owner).cloned();
        if older.is_none() && self.owners.len() >= self.limits.tethers {
            return Err(too_many("tethers", self.limits.tethers));
        }
        let beside = self.tethers_from.get(&tethered.from).copied().unwrap_or(0);
        let own = usize::from(older.as_ref().is_some_and(|o| o.from == tethered.from));
        if beside - own >= self.limits.tethers_per_address {
            return Err(too_many("tethers of one address", self.limits.tethers_per_address));
        }
        if let Some(older) = older {
            self.remove(&older);
            older.replaced.notify_one();
        }
        *self.tethers_from.entry(tethered.from).or_default() += 1;
        self.owners.insert(tethered.owner.clone(), tethered.clone());
        Ok(())
    }

    /// Lets go of a node, unless another has taken its place.
    pub(super) fn remove(&mut self, tethered: &Arc<Tethered>) {
        if !self.owners.get(&tethered.owner).is_some_and(|t| Arc::ptr_eq(t, tethered)) {
            return;
        }
        self.owners.remove(&tethered.owner);
        for name in std::mem::take(&mut *tethered.names.lock()) {
            self.names.remove(&name);
        }
        subtract(&mut self.tethers_from, tethered.from);
    }

    /// It is called so; but for names under which another is tethered. What it is called now.
    pub(super) fn call(&mut self, tethered: &Arc<Tethered>, names: impl IntoIterator<Item = String>) -> Vec<String> {
        let current = self.owners.get(&tethered.owner).is_some_and(|t| Arc::ptr_eq(t, tethered));
        let mut own = tethered.names.lock();
        for name in names {
            if current && !self.names.contains_key(&name) {
                self.names.insert(name.clone(), tethered.clone());
                own.push(name);
            }
        }
        own.clone()
    }

    /// It is called so no more. What it is called now.
    pub(super) fn uncall(&mut self, tethered: &Arc<Tethered>, name: &str) -> Vec<String> {
        let mut own = tethered.names.lock();
        if own.iter().any(|n| n == name) {
            own.retain(|n| n != name);
            self.names.remove(name);
        }
        own.clone()
    }

    /// A place for one more connection.
    pub(super) fn place(&mut self, to: &Tethered, from: IpAddr) -> Result<(), Refusal> {
        let (limits, from) = (self.limits, Asker::of(from));
        let (of_domain, of_address) = (to.open.load(Ordering::Relaxed), self.open_from.get(&from).copied().unwrap_or(0));
        // In the fuller half, nobody gets more than an equal share of it.
        let crowded = self.open >= limits.connections / 2;
        let share = if crowded { (limits.connections / 2 / (self.busy + 1)).max(SHARE_MIN) } else { usize::MAX };
        if self.open >= limits.connections {
            return Err(Refusal::Full);
        }
        if of_domain >= limits.connections_per_domain.min(share) {
            return Err(Refusal::Domain);
        }
        if of_address >= limits.connections_per_address {
            return Err(Refusal::Address);
        }
        self.open += 1;
        self.busy += usize::from(to.open.fetch_add(1, Ordering::Relaxed) == 0);
        *self.open_from.entry(from).or_default() += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self, to: &Tethered, from: IpAddr) {
        self.open -= 1;
        self.busy -= usize::from(to.open.fetch_sub(1, Ordering::Relaxed) == 1);
        subtract(&mut self.open_from, Asker::of(from));
    }

    /// For a connection that waits until the node fetches it.
    pub(super) fn ticket(&mut self, to: &Tethered) -> ([u8; TICKET_BYTES], oneshot::Receiver<Control<Box<dyn Io>>>) {
        let number: [u8; TICKET_BYTES] = rand::random();
        let (claimed, receiver) = oneshot::channel();
        self.tickets.insert(number, Waiting { key: to.key, claimed });
        (number, receiver)
    }

    pub(super) fn forget(&mut self, number: &[u8; TICKET_BYTES]) {
        self.tickets.remove(number);
    }

    /// Hands over what a node fetches a connection with; gives it back if there is no such ticket for this key.
    pub(super) fn claim(&mut self, number: &[u8], key: [u8; 32], with: Control<Box<dyn Io>>) -> Result<(), Control<Box<dyn Io>>> {
        let Ok(number) = <[u8; TICKET_BYTES]>::try_from(number) else { return Err(with) };
        if self.tickets.get(&number).is_none_or(|w| w.key != key) {
            return Err(with);
        }
        match self.tickets.remove(&number) {
            Some(waiting) => waiting.claimed.send(with),
            None => Err(with),
        }
    }

    /// Tethers on QUIC, on TLS, connections open, bytes.
    pub(super) fn count(&self) -> (usize, usize, usize, u64) {
        let quic = self.owners.values().filter(|t| matches!(t.way, Way::Quic(_))).count();
        (quic, self.owners.len() - quic, self.open, self.owners.values().map(|t| t.meter.bytes()).sum())
    }
}

fn subtract(counts: &mut HashMap<Asker, usize>, from: Asker) {
    if let Some(count) = counts.get_mut(&from) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tethered(n: u8, from: &str) -> Arc<Tethered> {
        let (sender, _) = mpsc::channel(1);
        Tethered::new((DomainName::of_key(&[n; 32]), [n; 32]), [n; 32], Way::Tls(sender), from.parse().unwrap(), 0)
    }

    fn limits() -> Limits {
        Limits {
            tethers: 3,
            tethers_per_address: 2,
            connections: 100,
            connections_per_domain: 90,
            connections_per_address: 60,
            bytes_per_second: 0,
        }
    }

    #[test]
    fn tethers_are_bounded_in_all_and_by_address_and_a_newer_one_takes_the_place() {
        let mut table = Table::new(limits());
        let (a, b, c) = (tethered(1, "192.0.2.1"), tethered(2, "192.0.2.1"), tethered(3, "192.0.2.1"));
        assert!(table.admit(&a).is_ok() && table.admit(&b).is_ok());
        assert_eq!(table.admit(&c).unwrap_err().params["what"], "tethers of one address");
        assert!(table.admit(&tethered(3, "192.0.2.2")).is_ok());
        assert_eq!(table.admit(&tethered(4, "192.0.2.3")).unwrap_err().params["what"], "tethers");
        assert_eq!(table.call(&a, ["a".to_owned(), "x".to_owned()]), ["a", "x"]);
        assert_eq!(table.call(&b, ["x".to_owned(), "b".to_owned()]), ["b"], "x is another's");
        let again = tethered(1, "192.0.2.1");
        assert!(table.admit(&again).is_ok(), "in the place of the older one");
        assert!(table.of("a").is_none());
        assert!(table.call(&a, ["a".to_owned()]).is_empty(), "the older one is called nothing any more");
        assert_eq!(table.call(&again, ["a".to_owned()]), ["a"]);
        assert_eq!(table.call(&again, ["dns".to_owned()]), ["a", "dns"]);
        assert_eq!(table.uncall(&b, "dns"), ["b"], "not its own");
        assert!(table.of("dns").is_some());
        assert_eq!(table.uncall(&again, "dns"), ["a"]);
        assert!(table.of("dns").is_none());
        table.remove(&a);
        assert!(table.of("a").is_some(), "an older one that ends takes nothing with it");
        table.remove(&again);
        assert!(table.of("a").is_none() && table.tethers_from[&Asker::of("192.0.2.1".parse().unwrap())] == 1);
    }

    #[test]
    fn a_full_hub_keeps_room_for_every_domain() {
        let mut table = Table::new(limits());
        let (greedy, other) = (tethered(1, "192.0.2.1"), tethered(2, "192.0.2.2"));
        let address = |n: usize| IpAddr::from([198, 51, 100, u8::try_from(n).unwrap()]);
        let mut got = 0;
        while table.place(&greedy, address(got)).is_ok() {
            got += 1;
        }
        assert_eq!(got, 50, "half of it is one domain's at most");
        assert!(table.place(&other, address(1)).is_ok());
        assert_eq!(table.place(&greedy, address(2)), Err(Refusal::Domain));
        for n in 0..got {
            table.leave(&greedy, address(n));
        }
        assert_eq!((table.open, table.busy, table.open_from.len()), (1, 1, 1));
        let mut roomy = Table::new(Limits { connections: 1000, ..limits() });
        for _ in 0..60 {
            roomy.place(&greedy, address(7)).unwrap();
        }
        assert_eq!(roomy.place(&other, address(7)), Err(Refusal::Address));
        assert_eq!(roomy.place(&other, address(8)), Ok(()));
    }

    #[tokio::test]
    async fn a_ticket_is_good_once_for_its_key() {
        let mut table = Table::new(limits());
        let node = tethered(1, "192.0.2.1");
        let with = || Control::new(Box::new(tokio::io::duplex(1).0) as Box<dyn Io>);
        let (number, mut claimed) = table.ticket(&node);
        assert!(table.claim(&number, [9; 32], with()).is_err(), "another's key");
        assert!(table.claim(&[0; 16], [1; 32], with()).is_err());
        assert!(table.claim(b"short", [1; 32], with()).is_err());
        assert!(claimed.try_recv().is_err());
        assert!(table.claim(&number, [1; 32], with()).is_ok());
        assert!(claimed.try_recv().is_ok());
        assert!(table.claim(&number, [1; 32], with()).is_err(), "once");
    }
}
