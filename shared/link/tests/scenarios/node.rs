//! A model of a driver: what a node keeps durably for one peer, what it loses in a crash, and how it answers events.
//!
//! It checks on the way what a driver may rely on: items come in order, once, with running hashes that fit.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use startalk_link::{
    Config, Entry, Event, HISTORY, History, Incoming, Link, Numbering, Position, Role, Stand, running_after, stand,
};
use startalk_protocol::{
    Code, DomainName, Error,
    limits::{LINK_ITEMS_OUTSTANDING_MAX, LINK_KNOWN_MAX},
    signing::SecretKey,
};

/// Items between two places of the peer's history that are kept.
pub const KEPT_EVERY: u64 = 4;

/// What survives a crash; a copy of it is a backup.
#[derive(Clone)]
pub struct Durable {
    pub epoch: [u8; 16],
    /// Every item ever.
    pub outbox: Vec<Entry>,
    /// Items before the first of the present epoch.
    pub before: u64,
    pub former: Vec<Numbering>,
    /// Acknowledged in the present epoch, as of the last time that it was recorded.
    pub acked: u64,
    pub cursor: Option<Position>,
    /// Places of the peer's history, the oldest first.
    pub known: Vec<Position>,
    /// Items that came a second time, whole.
    pub repeated: u64,
    /// Items that had their effect, by content, each once.
    pub effects: Vec<Bytes>,
    seen: HashSet<Bytes>,
    pub withheld: u64,
    pub refused: BTreeMap<u64, Error>,
    /// What the peer told us to have refused.
    pub told: BTreeMap<u64, Code>,
}

impl Durable {
    pub fn present(&self) -> Numbering {
        Numbering { epoch: self.epoch, before: self.before, count: self.outbox.len() as u64 - self.before }
    }

    fn running(&self, of: &Numbering, sequence: u64) -> [u8; 32] {
        let items = &self.outbox[of.before as usize..(of.before + sequence) as usize];
        items.iter().fold([0; 32], |running, e| running_after(&running, &e.hash()))
    }

    pub fn epochs(&self) -> Epochs<'_> {
        Epochs { of: self, all: [self.present()].into_iter().chain(self.former.iter().rev().copied()).collect() }
    }

    fn keep(&mut self, place: Position) {
        if place.sequence > 0 && self.known.last() != Some(&place) {
            self.known.push(place);
        }
    }
}

pub struct Epochs<'a> {
    of: &'a Durable,
    all: Vec<Numbering>,
}

impl History for Epochs<'_> {
    fn numberings(&self) -> &[Numbering] {
        &self.all
    }

    fn running_at(&self, numbering: &Numbering, sequences: &[u64]) -> Result<Vec<[u8; 32]>, Error> {
        Ok(sequences.iter().map(|s| self.of.running(numbering, *s)).collect())
    }
}

pub struct Node {
    pub domain: DomainName,
    pub key: SecretKey,
    pub instance: u8,
    pub durable: Durable,
    /// Received and not synced.
    pub volatile: Vec<([u8; 16], Incoming)>,
    /// Whether every item is synced at once.
    pub syncs_at_once: bool,
    /// What it finds of the peer.
    pub verdict: Result<Vec<[u8; 32]>, Error>,
    pub tls_peer_key: Option<[u8; 32]>,
    pub features: Vec<String>,
    pub datagrams: bool,
    pub log: Vec<Event>,
    pub epochs_begun: u8,
    /// The peer has items up to this sequence from a former epoch.
    has: u64,
}

impl Node {
    /// `letter` makes its domain, key, instance and first epoch.
    pub fn new(letter: u8, peer: u8) -> Self {
        let peer_key = SecretKey::from_seed([peer; 32]).public();
        Self {
            domain: domain(letter),
            key: SecretKey::from_seed([letter; 32]),
            instance: letter,
            durable: Durable {
                epoch: [letter; 16],
                outbox: Vec::new(),
                before: 0,
                former: Vec::new(),
                acked: 0,
                cursor: None,
                known: Vec::new(),
                repeated: 0,
                effects: Vec::new(),
                seen: HashSet::new(),
                withheld: 0,
                refused: BTreeMap::new(),
                told: BTreeMap::new(),
            },
            volatile: Vec::new(),
            syncs_at_once: true,
            verdict: Ok(vec![peer_key]),
            tls_peer_key: Some(peer_key),
            features: vec!["ephemeral".to_owned(), HISTORY.to_owned()],
            datagrams: false,
            log: Vec::new(),
            epochs_begun: 0,
            has: 0,
        }
    }

    pub fn link(&self, role: Role, now_ms: u64) -> Link {
        let config = Config {
            domain: self.domain.clone(),
            record: Bytes::from(format!("record of {}", self.domain)),
            key: self.key.clone(),
            instance: [self.instance; 16],
            features: self.features.clone(),
            role: role.clone(),
            tls_peer_key: self.tls_peer_key,
            datagrams: self.datagrams,
        };
        let mut link = Link::new(config, now_ms);
        if let Role::Dialer { .. } = role {
            link.open(self.sent(), self.durable.cursor, self.known());
        }
        link
    }

    pub fn write(&mut self, text: impl Into<String>) {
        self.durable.outbox.push(Entry::Item(Bytes::from(text.into())));
    }

    pub fn sent(&self) -> Position {
        let present = self.durable.present();
        let running = self.durable.running(&present, present.count);
        Position { epoch: present.epoch, sequence: present.count, running }
    }

    fn known(&self) -> Vec<Position> {
        self.durable.known.iter().rev().take(LINK_KNOWN_MAX).copied().collect()
    }

    /// A new epoch that begins after this many items ever.
    pub fn begin_epoch(&mut self, after: u64) {
        let present = self.durable.present();
        if present.count > 0 {
            self.durable.former.push(present);
        }
        self.epochs_begun += 1;
        let fresh = [self.durable.epoch.as_slice(), &[self.instance, self.epochs_begun]].concat();
        self.durable.epoch.copy_from_slice(&startalk_link::item_hash(&fresh)[..16]);
        (self.durable.before, self.durable.acked) = (after, 0);
        self.durable.told.clear();
    }

    /// Answers everything and pushes what there is.
    pub fn drive(&mut self, link: &mut Link) {
        while let Some(event) = link.event() {
            self.log.push(event.clone());
            self.answer(link, event);
        }
        self.push(link);
    }

    pub fn push(&mut self, link: &mut Link) {
        while link.can_push() > 0
            && let Some(first) = link.next_to_push()
            && first <= self.durable.present().count
        {
            let from = (self.durable.before + first) as usize - 1;
            let to = self.durable.outbox.len().min(from + 500);
            let whole = self.has.saturating_sub(first - 1) as usize;
            let entry = |(n, e): (usize, &Entry)| if n < whole { Entry::Withheld(e.hash()) } else { e.clone() };
            let taken = link.push(first, self.durable.outbox[from..to].iter().enumerate().map(entry));
            assert!(taken > 0, "what can be pushed is taken");
        }
    }

    fn answer(&mut self, link: &mut Link, event: Event) {
        match event {
            Event::Hello { .. } => {
                link.judge(self.verdict.clone());
                link.open(self.sent(), self.durable.cursor, self.known()); // does nothing at a dialer, which has opened
            }
            Event::CompareHistory { received, known } => {
                let stand = stand(&self.durable.epochs(), received, known.as_deref()).expect("readable");
                self.has = if let Stand::At { has, .. } = stand { has } else { 0 };
                link.history(stand);
            }
            Event::NewPeerEpoch { was, epoch } => {
                assert_eq!(Some(was), self.durable.cursor);
                self.durable.keep(was);
                self.durable.cursor = Some(Position::start(epoch));
                self.durable.refused.clear();
            }
            Event::Ready { receiving, send_from, .. } => {
                self.durable.acked = send_from - 1;
                assert_eq!(self.durable.cursor.unwrap_or(Position::start(receiving.epoch)), receiving);
                let from = receiving.sequence.saturating_sub(LINK_ITEMS_OUTSTANDING_MAX) + 1;
                let again = self.durable.refused.range(from..).map(|(n, e)| (*n, e.clone())).collect();
                link.recorded(receiving.sequence, again);
            }
            Event::Apart { after, .. } => self.begin_epoch(after.unwrap_or(self.durable.before + self.durable.acked)),
            Event::Items { epoch, first, items, .. } => {
                assert_eq!(first, items[0].sequence);
                self.volatile.extend(items.into_iter().map(|i| (epoch, i)));
                if self.syncs_at_once {
                    self.sync(Some(link));
                }
            }
            Event::Acked { refused, up_to } => {
                self.durable.acked = up_to;
                self.durable.told.extend(refused.into_iter().map(|(n, e)| (n, e.code)));
            }
            Event::Asked { id, what } => link.answer(id, Ok(what)),
            Event::PeerWentBack { .. }
            | Event::Answered { .. }
            | Event::Noted(_)
            | Event::Ephemeral(_)
            | Event::Closed { .. } => {}
        }
    }

    /// Makes durable what was received, each effect together with its cursor; then tells the link.
    pub fn sync(&mut self, link: Option<&mut Link>) {
        let mut refused = Vec::new();
        for (epoch, incoming) in std::mem::take(&mut self.volatile) {
            let before = self.durable.cursor.unwrap_or(Position::start(epoch));
            let cursor = before.after(&incoming.entry.hash());
            assert_eq!((cursor.epoch, cursor.sequence, cursor.running), (epoch, incoming.sequence, incoming.running));
            self.durable.cursor = Some(cursor);
            if cursor.sequence.is_multiple_of(KEPT_EVERY) {
                self.durable.keep(cursor);
            }
            match incoming.entry {
                Entry::Item(item) if item.starts_with(b"bad") => {
                    let error = Error::new(Code::Blocked).with("user", "bob");
                    self.durable.refused.insert(incoming.sequence, error.clone());
                    refused.push((incoming.sequence, error));
                }
                Entry::Item(item) | Entry::Submission(item, _) => {
                    if self.durable.seen.insert(item.clone()) {
                        self.durable.effects.push(item);
                    } else {
                        self.durable.repeated += 1;
                    }
                }
                Entry::Withheld(_) => self.durable.withheld += 1,
            }
        }
        if let (Some(link), Some(cursor)) = (link, self.durable.cursor) {
            link.recorded(cursor.sequence, refused);
        }
    }

    pub fn crash(&mut self) {
        self.volatile.clear();
        self.instance = self.instance.wrapping_add(2);
    }

    /// How the last link ended, as far as we know.
    pub fn closed(&self) -> Option<(bool, Code)> {
        self.log.iter().rev().find_map(|e| match e {
            Event::Closed { by_peer, error } => Some((*by_peer, error.code)),
            _ => None,
        })
    }

    pub fn saw(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.log.iter().any(what)
    }

    pub fn texts(&self) -> Vec<String> {
        self.durable.effects.iter().map(|i| String::from_utf8_lossy(i).into_owned()).collect()
    }
}

pub fn domain(letter: u8) -> DomainName {
    format!("{}.example", char::from(letter)).parse().expect("a domain")
}
