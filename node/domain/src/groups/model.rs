//! What a group is, as its domain or a replica keeps it: settings, members with the stretches in which they were in,
//! and where its log stands.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use startalk_protocol::pb::group as wire;

use crate::directory::HERE;

/// What somebody may do beyond a member's rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// As the rights say.
    #[default]
    Member,
    /// Named by the owner.
    Administrator,
    /// One at a time.
    Owner,
}

impl Role {
    /// From a wire's number; anything unknown is the least.
    pub(crate) fn of(number: i32) -> Self {
        match wire::Role::try_from(number) {
            Ok(wire::Role::Owner) => Self::Owner,
            Ok(wire::Role::Administrator) => Self::Administrator,
            _ => Self::Member,
        }
    }

    /// For a wire.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Member => wire::Role::Member as i32,
            Self::Administrator => wire::Role::Administrator as i32,
            Self::Owner => wire::Role::Owner as i32,
        }
    }
}

/// Who may do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Everybody in the group.
    #[default]
    Members,
    /// Administrators and the owner.
    Administrators,
    /// The owner alone.
    Owner,
}

impl Who {
    /// Whether somebody with this role is among them.
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Members => true,
            Self::Administrators => role >= Role::Administrator,
            Self::Owner => role == Role::Owner,
        }
    }

    fn of(number: i32) -> Self {
        match wire::Who::try_from(number) {
            Ok(wire::Who::Members) => Self::Members,
            Ok(wire::Who::Administrators) => Self::Administrators,
            _ => Self::Owner, // unknown: of a later version, and rather too few than too many
        }
    }

    fn number(self) -> i32 {
        match self {
            Self::Members => wire::Who::Members as i32,
            Self::Administrators => wire::Who::Administrators as i32,
            Self::Owner => wire::Who::OwnerAlone as i32,
        }
    }
}

/// How one gets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joining {
    /// Added by a member who may, or by link.
    #[default]
    ByInvitation,
    /// By link, when an administrator has admitted them.
    WithApproval,
    /// Not by link, and nobody is added.
    Closed,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Say something, react.
    pub post: Who,
    /// Bring somebody in, make a link.
    pub add: Who,
    /// Call everybody.
    pub at_all: Who,
    /// Pin a message.
    pub pin: Who,
    /// Change name, notice, description, picture.
    pub texts: Who,
    /// How one gets in.
    pub joining: Joining,
}

impl Default for Rights {
    /// Those of a new group.
    fn default() -> Self {
        Self {
            post: Who::Members,
            add: Who::Members,
            at_all: Who::Administrators,
            pin: Who::Administrators,
            texts: Who::Administrators,
            joining: Joining::ByInvitation,
        }
    }
}

impl Rights {
    /// From a wire.
    pub(crate) fn of(rights: &wire::Rights) -> Self {
        let joining = match wire::Joining::try_from(rights.joining) {
            Ok(wire::Joining::ByInvitation) => Joining::ByInvitation,
            Ok(wire::Joining::WithApproval) => Joining::WithApproval,
            _ => Joining::Closed,
        };
        Self {
            post: Who::of(rights.post),
            add: Who::of(rights.add),
            at_all: Who::of(rights.at_all),
            pin: Who::of(rights.pin),
            texts: Who::of(rights.texts),
            joining,
        }
    }

    /// For a wire.
    pub(crate) fn wire(&self) -> wire::Rights {
        let joining = match self.joining {
            Joining::ByInvitation => wire::Joining::ByInvitation,
            Joining::WithApproval => wire::Joining::WithApproval,
            Joining::Closed => wire::Joining::Closed,
        };
        wire::Rights {
            post: self.post.number(),
            add: self.add.number(),
            at_all: self.at_all.number(),
            pin: self.pin.number(),
            texts: self.texts.number(),
            joining: joining as i32,
        }
    }
}

/// How somebody stands to a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// In.
    #[default]
    In,
    /// Waits to be admitted.
    Asked,
    /// Was not admitted.
    Refused,
    /// Went.
    Left,
    /// Was removed.
    Removed,
    /// Was removed and may not come back.
    Banned,
}

/// Somebody who is or was in a group, or wants to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Their number in the group; never given twice.
    pub member: u64,
    /// Their number here.
    pub person: u64,
    /// Their domain; [`HERE`] for accounts of this one.
    pub peer: u64,
    /// Their role.
    pub role: Role,
    /// How they stand.
    pub standing: Standing,
    /// Until then they may not post, milliseconds since 1970.
    pub muted_until_ms: i64,
    /// Sequences `[joined, left)`, `left` 0 while they are in: only what is inside is theirs to read.
    pub stints: Vec<(u64, u64)>,
    /// Sequence of the last change of this entry.
    pub changed: u64,
    /// Positions of the bodies that name them; to be erased when they are gone.
    pub named_at: Vec<u64>,
    /// Of their domain's submission with which they asked to be admitted; 0: they did not, or came in since.
    pub asked_by: u64,
}

impl Member {
    /// Whether they are in now.
    pub fn is_in(&self) -> bool {
        self.standing == Standing::In
    }

    /// Whether they were ever in or asked to be. Of those of a follower's domain a home only says that they were, and whoever
    /// never was is not to find its group among theirs.
    pub fn had_to_do(&self) -> bool {
        let asks = matches!(self.standing, Standing::Asked | Standing::Refused);
        !self.stints.is_empty() || !self.named_at.is_empty() || asks
    }

    /// Whether this record is theirs to read.
    pub fn may_read(&self, sequence: u64) -> bool {
        self.stints.iter().any(|(joined, left)| sequence >= *joined && (*left == 0 || sequence < *left))
    }

    /// The stretches that are theirs to read of a log that ends at `head`, oldest first.
    pub fn readable(&self, head: u64) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + '_ {
        self.stints.iter().map(move |(joined, left)| *joined..=if *left == 0 { head } else { left - 1 }).filter(|r| !r.is_empty())
    }

    /// The last sequence that is theirs to read, of a log that ends at `head`; 0: none.
    pub fn last_readable(&self, head: u64) -> u64 {
        self.readable(head).next_back().map_or(0, |r| *r.end())
    }
}

/// A way in that anybody who knows its secret may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Sequence of its record, which is its number.
    pub link: u64,
    /// Member who made it.
    pub maker: u64,
    /// 0: without limit.
    pub uses: u32,
    /// How often it was used.
    pub used: u32,
    /// 0: for ever.
    pub not_after_ms: i64,
    /// BLAKE3 of its secret; empty when erased.
    pub secret_hash: Vec<u8>,
    /// Of its record.
    pub position: u64,
}

/// A domain with members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerIn {
    /// Its number.
    pub peer: u64,
    /// Members that are in.
    pub members: u64,
    /// Sequences `[first, last]` that it may have, `last` 0 while it has members. The last one tells it that it has none.
    pub stints: Vec<(u64, u64)>,
}

impl PeerIn {
    /// Whether the domain may have this record.
    pub fn may_have(&self, sequence: u64) -> bool {
        self.stints.iter().any(|(first, last)| sequence >= *first && (*last == 0 || sequence <= *last))
    }
}

/// A group, its state without what changes with every message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its number here.
    pub conversation: u64,
    /// Its id, 26 letters.
    pub id: String,
    /// The domain that keeps its log; [`HERE`] if this one does.
    pub home: u64,
    /// The log is kept here, or followed: not yet while the first person here is joining, nor after the last one left.
    pub begun: bool,
    /// Members that are accounts here.
    pub here: u64,
    /// Its name and other texts; empty when erased.
    pub name: String,
    /// Shown on top.
    pub notice: String,
    /// What it is about.
    pub description: String,
    /// Reference to a picture; empty: made of its members'.
    pub avatar: String,
    /// Positions of the bodies of the four texts.
    pub texts_at: [u64; 4],
    /// Who may do what.
    pub rights: Rights,
    /// Members that are in.
    pub members: u64,
    /// The highest member number given.
    pub last_member: u64,
    /// Member number of the owner.
    pub owner: u64,
    /// How many wait to be admitted.
    pub asked: u64,
    /// Over for good.
    pub destroyed: bool,
    /// Its home signed two histories; the replica goes no further.
    pub equivocated: bool,
    /// Its home went back in time behind this replica: the group goes on in this conversation; 0: it did not.
    pub renewed_as: u64,
    /// This replica takes the place of one whose home went back: it is to begin although nobody here is joining.
    pub renewed: bool,
    /// Sequences of pinned messages, oldest pin first.
    pub pins: Vec<u64>,
    /// Ways in.
    pub links: Vec<Link>,
    /// Persons of other domains who were invited and may join, the latest last.
    pub invited: Vec<u64>,
    /// Persons who may not come in.
    pub banned: Vec<u64>,
    /// Domains whose people may not come in.
    pub banned_peers: Vec<u64>,
    /// Domains with members, this one not among them.
    pub peers: Vec<PeerIn>,
    /// Accounts here whose leaving the home has not recorded.
    pub leaving: Vec<u64>,
    /// Position of the last change of this state.
    pub position: u64,
}

impl Group {
    /// Whether this domain orders it.
    pub fn is_home(&self) -> bool {
        self.home == HERE
    }
}

/// Where a group's log stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Grows when the home finds that it went back in time.
    pub epoch: u32,
    /// After the last record.
    pub chain: [u8; 32],
    /// Home time of the last record; of a replica: the home has said that no later record is earlier than this.
    pub time_ms: i64,
    /// Home: the domain's epoch when the log's began; if the domain has another by now, it went back in time since.
    pub realm: u32,
    /// Replica: bytes of the last head that the home signed; empty at home.
    pub signed: Vec<u8>,
}

/// Something that an account here did in a group elsewhere, not recorded there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Of the submission.
    pub number: u64,
    /// Of its GroupSubmitted.
    pub position: u64,
    /// Who, by which device and which of its commands.
    pub account: u64,
    pub device: u64,
    pub counter: u64,
    /// After this the home does not record it; 0: never too late.
    pub not_after_ms: i64,
    /// They want to come in.
    pub joins: bool,
    /// The home has recorded that, and an administrator is to admit them.
    pub asked: bool,
}

/// What a message of a group has become.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The edits: sequence, position and time in milliseconds of their records, the newest last.
    pub edits: Vec<(u64, u64, u64)>,
    /// Positions of the bodies of all edits.
    pub edits_at: Vec<u64>,
    /// Taken back; by this member.
    pub recalled_by: u64,
    /// Emoji and the members who chose it, in the order in which they came.
    pub reactions: Vec<(String, Vec<u64>)>,
    /// Positions of the bodies of reactions.
    pub reactions_at: Vec<u64>,
    /// Position of the last change, for sync.
    pub position: u64,
}
