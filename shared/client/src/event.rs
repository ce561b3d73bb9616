//! What a session tells: one closed list.
//!
//! Messages and conversations are the wire's own types, so that nothing that a node says is lost on the way.

use startalk_protocol::{
    Error, MessageId,
    pb::client::{
        Conversation, GroupInvitation, Invitation, Kept, Message, Own, PersonKept, Profile, Reminder, Saved, Scheduled,
        ScheduledEnded, StickersChanged,
    },
};

use crate::ClientError;

/// Whether there is a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Looking for the domain, connecting, or signing in.
    Connecting,
    /// Signed in.
    Online,
    /// No connection; the next attempt is in so many milliseconds.
    RetryIn {
        /// From now.
        ms: u64,
        /// Why the last attempt or connection ended.
        error: ClientError,
    },
}

/// What was asked of the node under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// A message.
    Send,
    /// Another content for a message.
    Edit,
    /// Taking a message back.
    Recall,
    /// A new group.
    CreateGroup,
    /// Something done in a group.
    Act,
    /// Coming into a group by a link.
    JoinGroup,
    /// Following an invitation into a group, or not.
    DecideGroupInvitation,
}

impl CommandKind {
    /// For machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Edit => "edit",
            Self::Recall => "recall",
            Self::CreateGroup => "create_group",
            Self::Act => "act",
            Self::JoinGroup => "join_group",
            Self::DecideGroupInvitation => "decide_group_invitation",
        }
    }
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The connection.
    State(State),
    /// A message, told once per process; own ones too, from this device or another.
    Message {
        /// Where.
        conversation: u64,
        /// What.
        message: Message,
    },
    /// A message of another device of this account that the group's home has not recorded yet: sequence 0, known by
    /// device and number. It comes again as a message, or as [`Event::Ended`].
    Waiting {
        /// Where.
        conversation: u64,
        /// What.
        message: Message,
    },
    /// What another device of this account did in a group will never be recorded.
    Ended {
        /// Where.
        conversation: u64,
        /// Which device.
        device: u64,
        /// Its number of the command.
        counter: u64,
        /// Why.
        error: Error,
    },
    /// Somebody of another domain invites to a group.
    GroupInvitation(GroupInvitation),
    /// A link into a group was made by a command of this device.
    GroupLink {
        /// The command's number.
        counter: u64,
        /// Which group.
        conversation: u64,
        /// The link, and how long it is good.
        invitation: Invitation,
    },
    /// A message as it is now: edited, recalled, refused, reacted to or pinned.
    Changed {
        /// Where.
        conversation: u64,
        /// As it is now.
        message: Message,
    },
    /// Somebody's marks moved; each only grows.
    Marks {
        /// Where.
        conversation: u64,
        /// Whose.
        user: String,
        /// Up to here arrived at a device of theirs.
        delivered: u64,
        /// Up to here seen.
        read: u64,
    },
    /// A conversation is new, or is otherwise than before.
    Conversation(Conversation),
    /// Messages between the two sequences were not fetched, because they are too many: ask history for them.
    Gap {
        /// Where.
        conversation: u64,
        /// Everything up to here was told.
        after: u64,
        /// Everything from here was told.
        before: u64,
    },
    /// Somebody's profile, or one's own.
    Profile(Profile),
    /// Somebody writes, or stopped.
    Typing {
        /// Where.
        conversation: u64,
        /// Who.
        user: String,
        /// Whether they write.
        typing: bool,
    },
    /// Somebody's presence.
    Presence {
        /// Who.
        user: String,
        /// In the node's words: online, away …
        state: String,
        /// What they say beside it.
        text: String,
        /// Of who is offline, when they were last there, milliseconds since 1970; 0: not known, or not told.
        seen_ms: i64,
    },
    /// What this account keeps about somebody, as it is now: neither remark nor star is nothing any more.
    Person(PersonKept),
    /// What this account has said of itself, as it is now.
    Own(Own),
    /// A message that waits to be said at its time, as it is now.
    Scheduled(Scheduled),
    /// It waits no longer: it was said, or cancelled.
    ScheduledEnded(ScheduledEnded),
    /// Something to be reminded of, as it is now. When `due` is new, the person is to be told.
    Reminder(Reminder),
    /// It is done with.
    ReminderEnded {
        /// Its number.
        number: u64,
    },
    /// A message that this account keeps for itself, as it is now.
    Saved(Box<Saved>),
    /// Not any more.
    SavedRemoved {
        /// Its number.
        number: u64,
    },
    /// The account's stickers changed.
    Stickers(StickersChanged),
    /// This account has listened to these, at another device.
    Played {
        /// Where.
        conversation: u64,
        /// Which.
        sequences: Vec<u64>,
    },
    /// These lists ("scheduled", "reminders", "saved", "stickers") changed while there was no connection: ask for them again.
    Stale(Vec<String>),
    /// For how long the node keeps messages, and before when they are gone there: copies are to go, too. What was edited since
    /// stays.
    Kept(Kept),
    /// The domain says something else of itself than this process was told before: [`crate::Session::navigation`].
    Navigation {
        /// Of the record that says it.
        sequence: u64,
    },
    /// Everything that happened while there was no connection has been told.
    SyncDone,
    /// The node was restored from an older copy. Conversations and their numbers are told anew; forget the old ones.
    WentBack,
    /// A device of this account was signed out.
    DeviceRevoked {
        /// Its number.
        device: u64,
    },
    /// A command of this device was done.
    Sent {
        /// Its number, as `send` returned it.
        counter: u64,
        /// What it was.
        kind: CommandKind,
        /// Where.
        conversation: u64,
        /// Of the message, or of the record of the change. 0: this domain has it, and the group's home, another domain,
        /// has not recorded it yet; it is told again with its place, or as failed.
        sequence: u64,
        /// Of the message.
        id: Option<MessageId>,
        /// The node's time.
        time_ms: i64,
        /// The message was known to the node before, lost in a restore, and is offered again.
        again: bool,
    },
    /// A command of this device was refused; it will not be tried again.
    Failed {
        /// Its number.
        counter: u64,
        /// What it was.
        kind: CommandKind,
        /// Where to, if it was sent to a conversation by number.
        conversation: u64,
        /// Where to, if it was sent to a person.
        to: String,
        /// Why.
        error: Error,
        /// Whether it may have been done nevertheless.
        unconfirmed: bool,
    },
    /// The session is over: this device is not signed in any more. `None`: as asked.
    SignedOut(Option<Error>),
}
