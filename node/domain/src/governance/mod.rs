//! The domain itself: its name and epoch, its charter, its policies, and the numbers given so far.
//!
//! Owns prefix `g`. Events: DomainBegan, EpochBegan, OwnCharterSigned, PolicySet, Erased (nothing kept); it also
//! counts the numbers that AccountCreated, PersonMet, DeviceAdded, DirectOpened, GroupBegan, GroupForked, PeerMet and InvitationMade
//! give.
//! Invariant: a number is given once, to one thing, and never again.

use serde::{Deserialize, Serialize};
pub use startalk_protocol::trust::Registration;
use startalk_protocol::{Code, Error, limits, pb::events as pb};

use crate::{
    command::Answer,
    context::Ctx,
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'g';
/// How long journal time stands at least before it is told for its own sake.
const TELL_TIME_MS: u64 = 10_000;

/// The domain as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Realm {
    /// Empty before [`Event::DomainBegan`].
    pub domain: String,
    /// The first root key.
    pub root_key: [u8; 32],
    /// Of the journal; from 1, one more each time the node finds that it went back.
    pub epoch: u32,
    /// The outboxes' epoch on links.
    pub link_epoch: [u8; 16],
    /// Our SignedCharter, as last signed.
    pub charter: Vec<u8>,
    /// Its sequence.
    pub charter_sequence: u64,
    /// Who may register.
    pub registration: Registration,
    /// For how long an author may recall, milliseconds.
    pub recall_window_ms: i64,
    /// For how long an author may edit, milliseconds.
    pub edit_window_ms: i64,
    /// Shown to people.
    pub display_name: String,
    /// Asks hubs to be listed.
    pub listed: bool,
}

impl Default for Realm {
    fn default() -> Self {
        Self {
            domain: String::new(),
            root_key: [0; 32],
            epoch: 0,
            link_epoch: [0; 16],
            charter: Vec::new(),
            charter_sequence: 0,
            registration: Registration::default(),
            recall_window_ms: limits::RECALL_WINDOW_MS_DEFAULT,
            edit_window_ms: limits::EDIT_WINDOW_MS_DEFAULT,
            display_name: String::new(),
            listed: false,
        }
    }
}

/// The highest number given of each sort.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Numbers {
    /// Accounts and persons of other domains share one numbering.
    pub person: u64,
    /// Over all accounts.
    pub device: u64,
    /// Conversations and account streams.
    pub conversation: u64,
    /// Other domains.
    pub peer: u64,
    /// Invitations.
    pub invitation: u64,
}

fn realm_key() -> Key {
    Key::numbers(PREFIX, b'r', &[])
}

fn numbers_key() -> Key {
    Key::numbers(PREFIX, b'n', &[])
}

/// The domain as it is now.
pub fn realm(read: &impl Read) -> std::sync::Arc<Realm> {
    read.get(&realm_key()).unwrap_or_default()
}

/// The highest numbers given.
pub fn numbers(read: &impl Read) -> Numbers {
    read.get::<Numbers>(&numbers_key()).map(|n| *n).unwrap_or_default()
}

pub(crate) fn begin(tx: &mut Tx, ctx: &mut Ctx, root_key: [u8; 32]) -> Result<Answer, Error> {
    if realm(tx).epoch != 0 {
        return Err(Error::new(Code::NotAllowedHere).with("what", "beginning a domain twice"));
    }
    let facts = pb::DomainBegan {
        domain: ctx.domain.to_string(),
        root_key: root_key.to_vec().into(),
        link_epoch: ctx.random::<16>().to_vec().into(),
    };
    tx.emit(New { conversation: 0, event: Event::DomainBegan(facts, None) });
    Ok(Answer::Done)
}

pub(crate) fn begin_epoch(tx: &mut Tx, ctx: &mut Ctx, epoch: u32, reason: String) -> Result<Answer, Error> {
    let link_epoch: [u8; 16] = ctx.random();
    let peers = numbers(tx).peer;
    let facts = pb::EpochBegan { epoch, link_epoch: link_epoch.to_vec().into(), reason, peers };
    tx.emit(New { conversation: 0, event: Event::EpochBegan(facts, None) });
    crate::outbox::restart_all(tx, ctx.journal)?;
    Ok(Answer::Done)
}

/// Time goes on in the journal, so that others may know it is later; only if it has stood for a while.
pub(crate) fn tell_time(tx: &mut Tx, ctx: &Ctx) -> Result<Answer, Error> {
    let stood = ctx.now_ms.saturating_sub(ctx.journal.head().time_ms) >= TELL_TIME_MS;
    if stood && tx.records().is_empty() {
        tx.emit(New { conversation: 0, event: Event::TimeTold(pb::TimeTold {}, None) });
    }
    Ok(Answer::Done)
}

pub(crate) fn set_own_charter(tx: &mut Tx, charter: bytes::Bytes, sequence: u64) -> Result<Answer, Error> {
    let known = realm(tx).charter_sequence;
    if sequence <= known {
        return Err(Error::new(Code::OlderRecord).with("what", "charter").with("domain", &realm(tx).domain));
    }
    tx.emit(New { conversation: 0, event: Event::OwnCharterSigned(pb::OwnCharterSigned { charter, sequence }, None) });
    Ok(Answer::Done)
}

pub(crate) fn set_policy(
    tx: &mut Tx,
    registration: Option<Registration>,
    display_name: Option<String>,
    listed: Option<bool>,
    recall_window_ms: Option<i64>,
    edit_window_ms: Option<i64>,
) -> Result<Answer, Error> {
    let now = realm(tx);
    if let Some(name) = &display_name {
        crate::directory::check_display_name(name, "display_name")?;
    }
    for (field, window) in [("recall_window", recall_window_ms), ("edit_window", edit_window_ms)] {
        if window.is_some_and(|w| w < 0) {
            return Err(Error::new(Code::BadValue).with("field", field).with("expected", "0 or more"));
        }
    }
    let facts = pb::PolicySet {
        registration: registration.unwrap_or(now.registration).as_str().into(),
        recall_window_ms: recall_window_ms.unwrap_or(now.recall_window_ms),
        edit_window_ms: edit_window_ms.unwrap_or(now.edit_window_ms),
        display_name: display_name.unwrap_or_else(|| now.display_name.clone()),
        listed: listed.unwrap_or(now.listed),
    };
    let unchanged = facts.registration == now.registration.as_str()
        && facts.recall_window_ms == now.recall_window_ms
        && facts.edit_window_ms == now.edit_window_ms
        && facts.display_name == now.display_name
        && facts.listed == now.listed;
    if !unchanged {
        tx.emit(New { conversation: 0, event: Event::PolicySet(facts, None) });
    }
    Ok(Answer::Done)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::DomainBegan(f, _) => tx.change(realm_key(), |r: &mut Realm| {
            r.domain.clone_from(&f.domain);
            r.root_key = array(&f.root_key);
            r.link_epoch = array(&f.link_epoch);
            r.epoch = 1;
        }),
        Event::EpochBegan(f, _) => tx.change(realm_key(), |r: &mut Realm| {
            r.epoch = f.epoch;
            r.link_epoch = array(&f.link_epoch);
        }),
        Event::OwnCharterSigned(f, _) => tx.change(realm_key(), |r: &mut Realm| {
            r.charter = f.charter.to_vec();
            r.charter_sequence = f.sequence;
        }),
        Event::PolicySet(f, _) => tx.change(realm_key(), |r: &mut Realm| {
            r.registration = f.registration.parse().unwrap_or(Registration::Closed);
            r.recall_window_ms = f.recall_window_ms;
            r.edit_window_ms = f.edit_window_ms;
            r.display_name.clone_from(&f.display_name);
            r.listed = f.listed;
        }),
        Event::AccountCreated(f, _) => tx.change(numbers_key(), |n: &mut Numbers| {
            n.person = n.person.max(f.account);
            n.conversation = n.conversation.max(f.stream);
        }),
        Event::PersonMet(f, _) => tx.change(numbers_key(), |n: &mut Numbers| n.person = n.person.max(f.person)),
        Event::DeviceAdded(f, _) => tx.change(numbers_key(), |n: &mut Numbers| n.device = n.device.max(f.device)),
        Event::DirectOpened(f, _) => {
            tx.change(numbers_key(), |n: &mut Numbers| n.conversation = n.conversation.max(f.conversation));
        }
        Event::GroupBegan(f, _) => {
            tx.change(numbers_key(), |n: &mut Numbers| n.conversation = n.conversation.max(f.conversation));
        }
        Event::GroupForked(f, _) => {
            tx.change(numbers_key(), |n: &mut Numbers| n.conversation = n.conversation.max(f.renewed));
        }
        Event::PeerMet(f, _) => tx.change(numbers_key(), |n: &mut Numbers| n.peer = n.peer.max(f.peer)),
        Event::InvitationMade(f, _) => {
            tx.change(numbers_key(), |n: &mut Numbers| n.invitation = n.invitation.max(f.invitation));
        }
        _ => {}
    }
}

/// Bytes of a fixed length out of facts; zeros if a record of ours had another length, which no handler writes.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}
