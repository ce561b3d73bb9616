//! The domain itself: its name and epoch, its charter, its policies, and the numbers given so far.
//!
//! Owns prefix `g`. Events: DomainBegan, EpochBegan, OwnCharterSigned, PolicySet, Erased (nothing kept); it also
//! counts the numbers that AccountCreated, PersonMet, DeviceAdded, DirectOpened, GroupBegan, GroupForked, PeerMet, InvitationMade,
//! TokenMade and FilesMet give.
//! Invariant: a number is given once, to one thing, and never again.

mod policy;

use serde::{Deserialize, Serialize};
pub use startalk_protocol::trust::Registration;
use startalk_protocol::{Code, Error, limits, pb::events as pb};

pub use policy::{FileLimits, GroupCreation, NewPolicy, Openness, Quotas, RetentionOf};
pub(crate) use policy::{policies, set_policy};

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
    /// Who may begin groups.
    pub group_creation: GroupCreation,
    /// Characters of a new password at least.
    pub password_chars_min: u32,
    /// With which domains it talks.
    pub federation: Openness,
    /// For how many days messages are kept; 0: for ever.
    pub retention_days: u32,
    /// In which conversations.
    pub retention_of: RetentionOf,
    /// What one account, and all together, may use at most.
    pub quotas: Quotas,
    /// What files may take.
    pub files: FileLimits,
    /// Whether the node may look at pages that its people link to.
    pub link_previews: bool,
    /// A line or two about the domain.
    pub description: String,
    /// `#rrggbb`, or none.
    pub colour: String,
    /// Days after which an account of who does not administer ends; 0: it does not.
    pub trial_days: u32,
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
            group_creation: GroupCreation::default(),
            password_chars_min: policy::PASSWORD_CHARS_MIN,
            federation: Openness::default(),
            retention_days: 0,
            retention_of: RetentionOf::default(),
            quotas: Quotas::default(),
            files: FileLimits::default(),
            link_previews: false,
            description: String::new(),
            colour: String::new(),
            trial_days: 0,
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
    /// Tokens for administration.
    pub token: u64,
    /// Files, its own and others'.
    pub file: u64,
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
        Event::PolicySet(f, _) => tx.change(realm_key(), |r: &mut Realm| policy::learn(r, f)),
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
        Event::FilesMet(f, _) => {
            let last = (f.first + f.sizes.len() as u64).saturating_sub(1);
            tx.change(numbers_key(), |n: &mut Numbers| n.file = n.file.max(last));
        }
        Event::TokenMade(f, _) => tx.change(numbers_key(), |n: &mut Numbers| n.token = n.token.max(f.token)),
        _ => {}
    }
}

/// Bytes of a fixed length out of facts; zeros if a record of ours had another length, which no handler writes.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}
