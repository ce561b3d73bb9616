//! A model of a driver: what a node keeps durably for one peer, what it loses in a crash, and how it answers events.
//!
//! It checks on the way what a driver may rely on: items come in order, once, with running hashes that fit.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use startalk_link::{Config, Entry, Event, Incoming, Link, Position, Role, running_after};
use startalk_protocol::{Code, DomainName, Error, limits::LINK_ITEMS_OUTSTANDING_MAX, signing::SecretKey};

/// What survives a crash; a copy of it is a backup.
#[derive(Clone)]
pub struct Durable {
    pub epoch: [u8; 16],
    pub outbox: Vec<Entry>,
    pub cursor: Option<Position>,
    /// Items that had their effect, by content, each once.
    pub effects: Vec<Bytes>,
    seen: HashSet<Bytes>,
    pub withheld: u64,
    pub refused: BTreeMap<u64, Error>,
    /// What the peer told us to have refused.
    pub told: BTreeMap<u64, Code>,
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
                cursor: None,
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
            features: vec!["ephemeral".to_owned()],
            datagrams: false,
            log: Vec::new(),
            epochs_begun: 0,
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
            link.open(self.sent(), self.durable.cursor);
        }
        link
    }

    pub fn write(&mut self, text: impl Into<String>) {
        self.durable.outbox.push(Entry::Item(Bytes::from(text.into())));
    }

    pub fn sent(&self) -> Position {
        self.at(self.durable.outbox.len() as u64).expect("the head")
    }

    /// Our outbox up to `sequence`, if it reaches so far.
    pub fn at(&self, sequence: u64) -> Option<Position> {
        let entries = self.durable.outbox.get(..usize::try_from(sequence).ok()?)?;
        let running = entries.iter().fold([0; 32], |running, e| running_after(&running, &e.hash()));
        Some(Position { epoch: self.durable.epoch, sequence, running })
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
            && first <= self.durable.outbox.len() as u64
        {
            let from = first as usize - 1;
            let to = self.durable.outbox.len().min(from + 500);
            let taken = link.push(first, self.durable.outbox[from..to].to_vec());
            assert!(taken > 0, "what can be pushed is taken");
        }
    }

    fn answer(&mut self, link: &mut Link, event: Event) {
        match event {
            Event::Hello { .. } => {
                link.judge(self.verdict.clone());
                link.open(self.sent(), self.durable.cursor); // does nothing at a dialer, which has opened
            }
            Event::CompareHistory { position } => link.history(self.at(position.sequence).map(|p| p.running)),
            Event::NewPeerEpoch { was, epoch } => {
                assert_eq!(Some(was), self.durable.cursor);
                self.durable.cursor = Some(Position::start(epoch));
                self.durable.refused.clear();
            }
            Event::Ready { receiving, .. } => {
                assert_eq!(self.durable.cursor.unwrap_or(Position::start(receiving.epoch)), receiving);
                let from = receiving.sequence.saturating_sub(LINK_ITEMS_OUTSTANDING_MAX) + 1;
                let again = self.durable.refused.range(from..).map(|(n, e)| (*n, e.clone())).collect();
                link.recorded(receiving.sequence, again);
            }
            Event::WeWentBack { .. } => {
                self.epochs_begun += 1;
                let mut epoch = self.durable.epoch;
                epoch[15] = epoch[15].wrapping_add(1 + self.instance);
                epoch[0] = epoch[0].wrapping_add(self.epochs_begun);
                self.durable.epoch = epoch;
                self.durable.told.clear();
            }
            Event::Items { epoch, first, items, .. } => {
                assert_eq!(first, items[0].sequence);
                self.volatile.extend(items.into_iter().map(|i| (epoch, i)));
                if self.syncs_at_once {
                    self.sync(Some(link));
                }
            }
            Event::Acked { refused, .. } => {
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
            match incoming.entry {
                Entry::Item(item) if item.starts_with(b"bad") => {
                    let error = Error::new(Code::Blocked).with("user", "bob");
                    self.durable.refused.insert(incoming.sequence, error.clone());
                    refused.push((incoming.sequence, error));
                }
                Entry::Item(item) | Entry::Submission(item, _) => {
                    if self.durable.seen.insert(item.clone()) {
                        self.durable.effects.push(item);
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
