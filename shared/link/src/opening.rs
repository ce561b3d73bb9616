//! The opening of a link: hellos, the driver's judgement, and the comparison of both histories.
//! federation-spec/03-link.md §3, §4
//!
//! Our own history is compared first and always: if both sides had gone back and each told only the other, neither
//! would begin a new epoch.

use startalk_protocol::{
    Code, DomainName, Error,
    limits::{LINK_HELLO_MS_MAX, LINK_OPENING_MS_MAX},
    pb::link::Hello,
    sabotage::{self, Switch},
};

use crate::{
    batch::{Direction, Keys},
    config::{Config, FEATURE_GROUPS, Role},
    event::Event,
    hello::{self, PeerHello, Positions},
    position::Position,
    receiving::Receiving,
    sending::Sending,
    session::Session,
    stand::Stand,
};

#[derive(Debug)]
pub(crate) struct Opening {
    started_ms: u64,
    positions: Option<Positions>,
    hello: Option<PeerHello>,
    keys: Option<Keys>,
    hello_sent: bool,
    our_history: OurHistory,
}

/// What the peer's cursor says about what we sent.
#[derive(Clone, Copy, Debug)]
enum OurHistory {
    Unknown,
    Asked,
    /// It agrees up to here, and the peer has nothing after it.
    Same(Position),
    /// What the peer has is no place of our present epoch.
    Apart {
        after: Option<u64>,
        went_back: bool,
    },
}

/// How an opening went on.
pub(crate) enum Step {
    Wait,
    Ready(Box<Session>),
    Close(Error),
}

impl Opening {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { started_ms: now_ms, positions: None, hello: None, keys: None, hello_sent: false, our_history: OurHistory::Unknown }
    }

    pub(crate) fn deadline_ms(&self, role: &Role) -> u64 {
        let hello_awaited = self.hello.is_none() && *role == Role::Acceptor;
        self.started_ms + if hello_awaited { LINK_HELLO_MS_MAX } else { LINK_OPENING_MS_MAX }
    }

    pub(crate) fn peer_hello(&self) -> Option<&PeerHello> {
        self.hello.as_ref()
    }

    pub(crate) fn heard_hello(&mut self, hello: PeerHello) {
        self.hello = Some(hello);
    }

    pub(crate) fn open(&mut self, positions: Positions) {
        self.positions.get_or_insert(positions);
    }

    /// The keys of a peer that was found good; wrong if the one that TLS showed is not among them.
    pub(crate) fn judged(&mut self, config: &Config, keys: &[[u8; 32]]) -> Result<(), Error> {
        let Some(hello) = &self.hello else { return Ok(()) };
        self.keys = Some(checked_keys(config, &hello.from, keys)?);
        Ok(())
    }

    pub(crate) fn answered(&mut self, stand: Stand) {
        if let OurHistory::Asked = self.our_history {
            self.our_history = match stand {
                Stand::At { position, .. } => OurHistory::Same(position),
                Stand::Apart { after, went_back } => OurHistory::Apart { after, went_back },
            };
        }
    }

    /// Our hello, once: a dialer's at once, an acceptor's only to a peer that was judged.
    pub(crate) fn hello_due(&mut self, config: &Config) -> Option<Hello> {
        let positions = self.positions.as_ref().filter(|_| !self.hello_sent)?;
        let to = match &config.role {
            Role::Dialer { peer } => peer,
            Role::Acceptor => &self.hello.as_ref().filter(|_| self.keys.is_some())?.from,
        };
        let hello = hello::build(config, to, positions);
        self.hello_sent = true;
        Some(hello)
    }

    /// Goes on as far as possible once both hellos are out and the peer is judged.
    pub(crate) fn step(&mut self, config: &Config, now_ms: u64, events: &mut impl Extend<Event>) -> Step {
        let (Some(positions), Some(hello), Some(keys), true) = (&self.positions, &self.hello, &self.keys, self.hello_sent) else {
            return Step::Wait;
        };
        let (sent, received) = (positions.sent, positions.received);
        if let OurHistory::Unknown = self.our_history {
            self.our_history = compare_ours(&sent, hello);
            if let OurHistory::Asked = self.our_history {
                events.extend([Event::CompareHistory { received: hello.received, known: hello.known.clone() }]);
            }
        }
        let ours = match self.our_history {
            OurHistory::Unknown | OurHistory::Asked => return Step::Wait,
            OurHistory::Same(position) => Ok(position),
            OurHistory::Apart { after, went_back: cut } => {
                let theirs = hello.received;
                events.extend([Event::Apart { theirs, after, went_back: cut }]);
                let who = if cut { &config.domain } else { &hello.from };
                Err(went_back(who, &sent, &theirs.unwrap_or(Position::start(sent.epoch))))
            }
        };
        let theirs = compare_theirs(&hello.from, &hello.sent, received, events);
        let (Ok(send_from), Ok(receiving)) = (&ours, &theirs) else {
            return Step::Close(ours.and(theirs).expect_err("one of the two went back"));
        };
        let features = hello.common_features(&config.features);
        let groups = features.iter().any(|f| f == FEATURE_GROUPS);
        let (us, peer) = (config.domain.clone(), hello.from.clone());
        let outward = Direction { from: us.clone(), to: peer.clone(), epoch: sent.epoch };
        let inward = Direction { from: peer, to: us, epoch: hello.sent.epoch };
        let ready = Event::Ready { version: hello.version, features, send_from: send_from.sequence + 1, receiving: *receiving };
        events.extend([ready]);
        let sending = Sending::new(outward, config.key.clone(), *send_from);
        Step::Ready(Box::new(Session::new(keys.clone(), sending, Receiving::new(inward, *receiving), groups, now_ms)))
    }
}

/// Decodes the peer's keys.
pub(crate) fn checked_keys(config: &Config, peer: &DomainName, keys: &[[u8; 32]]) -> Result<Keys, Error> {
    let wrong = || Error::new(Code::WrongKey).with("what", "The connection").with("domain", peer);
    let keys = Keys::new(keys).ok_or_else(wrong)?;
    match &config.tls_peer_key {
        Some(key) if keys.get(key).is_none() && !sabotage::is(Switch::ClaimAnyDomain) => Err(wrong()),
        _ => Ok(keys),
    }
}

/// The head that we said may be outdated by now, so beyond it the journal is asked too.
fn compare_ours(sent: &Position, hello: &PeerHello) -> OurHistory {
    match hello.received {
        Some(theirs) if theirs == *sent && theirs.sequence > 0 => OurHistory::Same(theirs),
        Some(theirs) if theirs.sequence > 0 => OurHistory::Asked,
        _ if hello.known.is_some() => OurHistory::Asked,
        _ => OurHistory::Same(Position::start(sent.epoch)),
    }
}

/// Where reception goes on.
fn compare_theirs(
    peer: &DomainName,
    theirs: &Position,
    ours: Option<Position>,
    events: &mut impl Extend<Event>,
) -> Result<Position, Error> {
    match ours {
        Some(ours) if ours.epoch != theirs.epoch => {
            events.extend([Event::NewPeerEpoch { was: ours, epoch: theirs.epoch }]);
            Ok(Position::start(theirs.epoch))
        }
        Some(ours) => {
            let differs = theirs.sequence == ours.sequence && theirs.running != ours.running;
            if theirs.sequence < ours.sequence || differs {
                events.extend([Event::PeerWentBack { theirs: *theirs, ours }]);
                return Err(went_back(peer, theirs, &ours));
            }
            Ok(ours)
        }
        None => Ok(Position::start(theirs.epoch)),
    }
}

/// `domain` went back: its history ends at `head` (or is another one), and the other side has it up to `cursor`.
fn went_back(domain: &DomainName, head: &Position, cursor: &Position) -> Error {
    Error::new(Code::WentBack).with("domain", domain).with("head", head.sequence).with("cursor", cursor.sequence)
}
