//! Everything that can happen in a domain, as one closed list, and its bytes in the journal.
//!
//! An event states a decision with all its results. Its meaning never changes: a new meaning is a new kind or
//! version, brought up to date in [`Event::upcast`]. Facts are for ever; a body is what people wrote and may be gone
//! when the event is read again, so `apply` never depends on it. docs/adding-an-event.md

use bytes::Bytes;
use prost::Message;
use startalk_journal::{Body, Draft, Record};
use startalk_protocol::pb::events as pb;

/// Bytes of the random salt at the beginning of every body: its hash says nothing about it.
pub const SALT_BYTES: usize = 16;
/// The version written for every kind so far.
const VERSION: u8 = 1;

/// A record that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Written by a later version.
    #[error("position {position}: kind {kind} version {version} is unknown to this version of startalk; run the later one")]
    Unknown { position: u64, kind: u16, version: u8 },
    /// Checks held, but the bytes are not the message.
    #[error("position {position}: the facts of kind {kind} cannot be read: {why}")]
    Facts { position: u64, kind: u16, why: String },
}

/// What people wrote, with the salt before it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Salted<B> {
    /// Random, never all zero.
    pub salt: [u8; SALT_BYTES],
    /// The content.
    pub value: B,
}

/// A body that is raw bytes (content), as opposed to a protobuf message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Raw(pub Bytes);

/// Kinds without a body.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Nothing {
    /// There is none.
    #[default]
    None,
}

trait BodyBytes: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(bytes: Bytes) -> Option<Self>;
}

impl BodyBytes for Raw {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn take(bytes: Bytes) -> Option<Self> {
        Some(Self(bytes))
    }
}

impl BodyBytes for Nothing {
    fn put(&self, _: &mut Vec<u8>) {}
    fn take(_: Bytes) -> Option<Self> {
        None
    }
}

macro_rules! message_bodies {
    ($($body:ty),*) => { $(
        impl BodyBytes for $body {
            fn put(&self, out: &mut Vec<u8>) {
                self.encode(out).expect("Vec grows");
            }
            fn take(bytes: Bytes) -> Option<Self> {
                Self::decode(bytes).ok()
            }
        }
    )* };
}
message_bodies!(
    pb::AccountCreatedBody,
    pb::SecretSetBody,
    pb::ProfileSetBody,
    pb::DeviceAddedBody,
    pb::InvitationMadeBody,
    pb::PersonMetBody,
    pb::AccountDeletedBody,
    pb::GroupSubmittedBody,
    pb::GroupInvitedBody,
    pb::GroupReplicaBeganBody,
    pb::GroupInviteSentBody,
    pb::PushSubscribedBody,
    pb::NotifySetBody,
    pb::ExternalIdSetBody,
    pb::SignInLinkMadeBody,
    pb::TokenMadeBody,
    pb::BackupMadeBody,
    pb::PersonKeptBody,
    pb::AvailabilitySetBody,
    pb::ScheduleSetBody,
    pb::AutoReplySetBody,
    pb::OpennessSetBody,
    pb::IdentityLinkedBody,
    pb::PasskeyAddedBody,
    pb::FilesMetBody,
    pb::MessageScheduledBody,
    pb::ReminderSetBody,
    pb::SavedSetBody,
    pb::StickersSetBody
);

fn unsalt<B: BodyBytes>(bytes: Bytes) -> Option<Salted<B>> {
    let salt = *bytes.first_chunk()?;
    B::take(bytes.slice(SALT_BYTES..)).map(|value| Salted { salt, value })
}

macro_rules! events {
    ($($kind:literal $name:ident $body:ty;)*) => {
        /// What happened: facts, and the body unless it was erased (or the kind has none).
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Event { $($name(pb::$name, Option<Salted<$body>>),)* }

        impl Event {
            /// Every kind ever written.
            pub const KINDS: &'static [(u16, &'static str)] = &[$(($kind, stringify!($name)),)*];

            /// The number in the record's header.
            pub fn kind(&self) -> u16 {
                match self { $(Self::$name(..) => $kind,)* }
            }

            /// The kind's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(..) => stringify!($name),)* }
            }

            fn facts(&self) -> Vec<u8> {
                match self { $(Self::$name(facts, _) => facts.encode_to_vec(),)* }
            }

            pub(crate) fn body(&self) -> Option<Vec<u8>> {
                match self { $(Self::$name(_, body) => body.as_ref().map(|body| {
                    let mut out = Vec::with_capacity(192);
                    out.extend_from_slice(&body.salt);
                    BodyBytes::put(&body.value, &mut out);
                    out
                }),)* }
            }

            fn parse(kind: u16, facts: Bytes, body: Option<Bytes>) -> Result<Option<Self>, prost::DecodeError> {
                Ok(Some(match kind {
                    $($kind => Self::$name(pb::$name::decode(facts)?, body.and_then(unsalt::<$body>)),)*
                    _ => return Ok(None),
                }))
            }
        }
    };
}

events! {
    1 DomainBegan Nothing;
    2 EpochBegan Nothing;
    3 Erased Nothing;
    4 OwnCharterSigned Nothing;
    5 PolicySet Nothing;
    6 TimeTold Nothing;
    10 PeerMet Nothing;
    11 PeerPinned Nothing;
    12 PeerRuleSet Nothing;
    13 LinkItemClosed Nothing;
    14 LinkAcked Nothing;
    15 LinkRestarted Nothing;
    16 PeerEpochBegan Nothing;
    17 PeerSilent Nothing;
    18 PeerHeard Nothing;
    20 AccountCreated pb::AccountCreatedBody;
    21 SecretSet pb::SecretSetBody;
    22 ProfileSet pb::ProfileSetBody;
    23 DeviceAdded pb::DeviceAddedBody;
    24 DeviceRevoked Nothing;
    25 AccountDisabled Nothing;
    26 AccountDeleted pb::AccountDeletedBody;
    27 InvitationMade pb::InvitationMadeBody;
    28 RecoveryCodeUsed Nothing;
    29 AccountEnding Nothing;
    40 PersonMet pb::PersonMetBody;
    41 PersonGone Nothing;
    50 DirectOpened Nothing;
    51 MessageAdded Raw;
    52 MessageEdited Raw;
    53 MessageRecalled Nothing;
    54 MarksMoved Nothing;
    55 MarksSent Nothing;
    56 RequestDecided Nothing;
    57 BlockSet Nothing;
    58 ItemRefused Nothing;
    59 ProfileSent pb::ProfileSetBody;
    60 GroupBegan Nothing;
    61 GroupRecorded Raw;
    62 GroupMembersLearned Nothing;
    63 GroupSubmitted pb::GroupSubmittedBody;
    64 GroupSubmissionEnded Nothing;
    65 GroupProven Nothing;
    66 GroupInvited pb::GroupInvitedBody;
    67 GroupInvitationDecided Nothing;
    68 GroupReplicaBegan pb::GroupReplicaBeganBody;
    69 GroupSubmissionRefused Nothing;
    70 GroupLeaving Nothing;
    71 ConversationSet Nothing;
    72 GroupEquivocated Nothing;
    73 GroupInviteSent pb::GroupInviteSentBody;
    74 GroupForked Nothing;
    75 GroupApplicantTold Nothing;
    80 Administered Nothing;
    81 RoleSet Nothing;
    82 InvitationRevoked Nothing;
    83 TokenMade pb::TokenMadeBody;
    84 TokenRevoked Nothing;
    85 BackupMade pb::BackupMadeBody;
    100 ConversationArranged Nothing;
    101 PersonKept pb::PersonKeptBody;
    102 AvailabilitySet pb::AvailabilitySetBody;
    103 ScheduleSet pb::ScheduleSetBody;
    104 AutoReplySet pb::AutoReplySetBody;
    105 AutoReplied Nothing;
    106 OpennessSet pb::OpennessSetBody;
    110 PushSubscribed pb::PushSubscribedBody;
    111 PushUnsubscribed Nothing;
    112 NotifySet pb::NotifySetBody;
    120 ExternalIdSet pb::ExternalIdSetBody;
    121 SignInLinkMade pb::SignInLinkMadeBody;
    130 IdentityLinked pb::IdentityLinkedBody;
    131 IdentityUnlinked Nothing;
    132 PasskeyAdded pb::PasskeyAddedBody;
    133 PasskeyRemoved Nothing;
    134 PasskeyUsed Nothing;
    140 MessageScheduled pb::MessageScheduledBody;
    141 ScheduledEnded Nothing;
    142 ScheduledFailed Nothing;
    143 ReminderSet pb::ReminderSetBody;
    144 ReminderMoved Nothing;
    150 RetentionMoved Nothing;
    151 ClockSeen Nothing;
    160 FilesMet pb::FilesMetBody;
    161 FilesHeld Nothing;
    162 FilesReleased Nothing;
    163 FilesForgotten Nothing;
    164 FilesGone Nothing;
    165 MessageOpened Nothing;
    166 MessageBurnt Nothing;
    167 SavedSet pb::SavedSetBody;
    168 StickersSet pb::StickersSetBody;
    169 PlayedMarked Nothing;
    170 TrialNoticed Nothing;
}

impl Event {
    /// Whether other domains chain the body's hash.
    pub(crate) fn is_chained(&self) -> bool {
        matches!(self, Self::GroupRecorded(..))
    }

    /// Whether the kind takes a number in its conversation: what is said in it, and changes of that.
    pub fn is_numbered(&self) -> bool {
        !matches!(
            self,
            Self::MarksMoved(..)
                | Self::MarksSent(..)
                | Self::Erased(..)
                | Self::ItemRefused(..)
                | Self::MessageOpened(..)
                | Self::MessageBurnt(..)
        )
    }

    /// The one place where kinds and versions of the past become those of today; so far there is nothing to do.
    fn upcast(version: u8, kind: u16, facts: Bytes, body: Option<Bytes>) -> Result<Option<Self>, prost::DecodeError> {
        if version == VERSION { Self::parse(kind, facts, body) } else { Ok(None) }
    }

    /// Where on links it goes, if anywhere.
    pub fn link_outs(&self) -> &[pb::LinkOut] {
        match self {
            Self::MessageAdded(pb::MessageAdded { out, .. }, _)
            | Self::MessageEdited(pb::MessageEdited { out, .. }, _)
            | Self::MessageRecalled(pb::MessageRecalled { out, .. }, _)
            | Self::MarksSent(pb::MarksSent { out, .. }, _)
            | Self::ProfileSent(pb::ProfileSent { out, .. }, _)
            | Self::GroupInviteSent(pb::GroupInviteSent { out, .. }, _)
            | Self::MessageOpened(pb::MessageOpened { out, .. }, _)
            | Self::GroupSubmitted(pb::GroupSubmitted { out, .. }, _) => out.as_slice(),
            Self::ProfileSet(pb::ProfileSet { out, .. }, _) | Self::AccountDeleted(pb::AccountDeleted { out, .. }, _) => out,
            _ => &[],
        }
    }

    /// Where on a link it came from, if it did.
    pub fn link_in(&self) -> Option<&pb::LinkIn> {
        match self {
            Self::LinkItemClosed(pb::LinkItemClosed { r#in, .. }, _)
            | Self::ProfileSet(pb::ProfileSet { r#in, .. }, _)
            | Self::PersonGone(pb::PersonGone { r#in, .. }, _)
            | Self::MessageAdded(pb::MessageAdded { r#in, .. }, _)
            | Self::MessageEdited(pb::MessageEdited { r#in, .. }, _)
            | Self::MessageRecalled(pb::MessageRecalled { r#in, .. }, _)
            | Self::MarksMoved(pb::MarksMoved { r#in, .. }, _)
            | Self::MessageOpened(pb::MessageOpened { r#in, .. }, _)
            | Self::GroupRecorded(pb::GroupRecorded { r#in, .. }, _)
            | Self::GroupInvited(pb::GroupInvited { r#in, .. }, _)
            | Self::GroupSubmissionRefused(pb::GroupSubmissionRefused { r#in, .. }, _) => r#in.as_ref(),
            _ => None,
        }
    }
}

/// An event at its place in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Ordinal in the journal, from 1.
    pub position: u64,
    /// Journal time, milliseconds since 1970.
    pub time_ms: u64,
    /// Conversation or account stream; 0: none.
    pub conversation: u64,
    /// Its number there; 0: not numbered.
    pub sequence: u64,
    /// Position of the record before it there; 0: none.
    pub previous: u64,
    /// What happened.
    pub event: Event,
    /// Of the body, erased or not, for those who chain it; zeros if there never was one. Before the record is in the
    /// journal only groups' records have it.
    pub body_hash: [u8; 24],
}

impl Recorded {
    /// Salt and body, as they are in the journal; `None` if they were erased, or never were.
    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        self.event.body()
    }

    /// The record's bytes for the journal.
    pub fn draft(&self) -> Draft {
        Draft {
            kind: self.event.kind(),
            version: VERSION,
            time_ms: self.time_ms,
            conversation: self.conversation,
            sequence: self.sequence,
            previous: self.previous,
            facts: self.event.facts(),
            body: self.event.body(),
        }
    }

    /// Back from the journal.
    ///
    /// # Errors
    /// [`EventError`], naming position and kind: a downgrade stops the node, nothing is skipped.
    pub fn read(record: &Record) -> Result<Self, EventError> {
        let header = &record.header;
        let (position, kind, version) = (header.position, header.kind, header.version);
        let body = match &record.body {
            Body::Present(bytes) => Some(bytes.clone()),
            Body::None | Body::Erased => None,
        };
        let event = Event::upcast(version, kind, record.facts.clone(), body)
            .map_err(|e| EventError::Facts { position, kind, why: e.to_string() })?
            .ok_or(EventError::Unknown { position, kind, version })?;
        Ok(Self {
            position,
            time_ms: header.time_ms,
            conversation: header.conversation,
            sequence: header.sequence,
            previous: header.previous,
            event,
            body_hash: header.body_hash,
        })
    }
}
