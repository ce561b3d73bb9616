//! Everything that can be asked of a domain, as one closed list: by its own clients, by other domains, by the
//! operator, by consumers. And the answers.

use std::sync::Arc;

use bytes::Bytes;
use startalk_protocol::{
    AccountName, DomainName, GroupId, MessageId, UserId,
    pb::group::{Applicant, Beginning, Range},
    trust::VerifiedRecord,
};

pub use crate::administration::{By, Scopes, Tended};
use crate::{
    accounts::{Arrival, Role, Source},
    availability::{AutoReply, Said, Schedule},
    contacts::{Arrangement, Openness},
    files::NewFile,
    governance::NewPolicy,
    groups::{GroupAct, GroupLink, GroupTended},
    kept::PlayedMove,
    later::{NewReminder, NewScheduled},
    notify::{self, NewSubscription, Unreached},
    outbox::Restart,
    stickers::StickerChange,
    ways::{Identity, NewPasskey, Newcomer, PasskeyUse},
};

/// A signed-in device, checked by whoever holds its connection and again by the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The account's number.
    pub account: u64,
    /// The device's number.
    pub device: u64,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An existing conversation.
    Conversation(u64),
    /// The direct conversation with this person, begun if there is none.
    User(UserId),
}

/// A new device's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Shown in the list of devices.
    pub name: String,
    /// BLAKE3 of the token.
    pub token_hash: [u8; 32],
}

/// How a new account is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Registration is open.
    Open,
    /// With an invitation: BLAKE3 of its secret.
    Invitation([u8; 32]),
    /// By the operator.
    Operator { administrator: bool },
    /// A provider of the settings named whom it is for, and the settings say that such people get one.
    Provider,
}

/// One item of a link batch, verified by the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkItem {
    /// Its number on the link.
    pub sequence: u64,
    /// Running hash after it.
    pub running: [u8; 32],
    /// The item's bytes; `None`: withheld, because erased.
    pub item: Option<Bytes>,
    /// The peer's signature over the group submissions of the batch, checked by the link.
    pub proof: Option<Arc<SubmissionProof>>,
}

/// A domain's signature over what it submits to groups elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionProof {
    /// By this key.
    pub link_key: [u8; 32],
    /// Hashes of the submissions.
    pub hashes: Vec<[u8; 32]>,
    /// The signature.
    pub signature: [u8; 64],
}

/// What is asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    // The node itself
    Begin {
        root_key: [u8; 32],
    },
    /// The node went back in time. `epoch`: the one in which it was noticed (a second notice of the same does nothing);
    /// 0: in any case. The sequencer puts the new one there.
    BeginEpoch {
        epoch: u32,
        reason: String,
    },
    SetOwnCharter {
        charter: Bytes,
        sequence: u64,
    },
    SetPolicy(NewPolicy),
    // Administration
    /// An administrative command, by somebody who is asked for the right to it.
    Administer {
        by: By,
        command: Box<Command>,
    },
    /// What an operator does to the node itself, to be recorded.
    Tend(Tended),
    MakeToken {
        maker: u64,
        name: String,
        token_hash: [u8; 32],
        scopes: Scopes,
        valid_ms: i64,
    },
    RevokeToken {
        token: u64,
    },
    // Accounts
    CreateAccount {
        name: AccountName,
        display_name: String,
        password_hash: String,
        recovery_hashes: Vec<[u8; 32]>,
        admission: Admission,
        device: Option<NewDevice>,
    },
    AddDevice {
        account: u64,
        password_version: u64,
        device: NewDevice,
    },
    RevokeDevice {
        account: u64,
        device: u64,
    },
    // Other ways in
    /// A device for whom a provider named; `newcomer`: who gets an account if no account is theirs.
    EnterByIdentity {
        identity: Identity,
        newcomer: Option<Newcomer>,
        device: NewDevice,
    },
    LinkIdentity {
        account: u64,
        identity: Identity,
    },
    UnlinkIdentity {
        account: u64,
        link: u64,
    },
    AddPasskey {
        account: u64,
        passkey: NewPasskey,
    },
    RemovePasskey {
        account: u64,
        passkey: u64,
    },
    EnterByPasskey {
        used: PasskeyUse,
        device: NewDevice,
    },
    /// It counted backwards, and nobody was let in.
    SuspectPasskey {
        account: u64,
        passkey: u64,
    },
    SetPassword {
        account: u64,
        password_hash: String,
        by: PasswordBy,
    },
    SetRecoveryCodes {
        account: u64,
        hashes: Vec<[u8; 32]>,
    },
    SetDisabled {
        account: u64,
        disabled: bool,
    },
    SetRole {
        account: u64,
        role: Role,
    },
    /// Somebody of a file or a directory: taken in, or brought up to date.
    Arrive(Box<Arrival>),
    /// Somebody whom their source does not name any more: disabled.
    SetAbsent {
        account: u64,
        source: Source,
    },
    MakeSignInLink {
        account: u64,
        token_hash: [u8; 32],
        valid_ms: i64,
    },
    DeleteAccount {
        account: u64,
    },
    /// Leaves further groups of an account that is to be deleted, and deletes it after the last. The write loop's own.
    EndAccount {
        account: u64,
    },
    EraseAuthored {
        account: u64,
        conversation: u64,
        from: u64,
    },
    MakeInvitation {
        maker: u64,
        token_hash: [u8; 32],
        uses: u32,
        valid_ms: i64,
        administrator: bool,
        /// Groups of this domain into which its maker brings whoever comes with it, by their conversations.
        groups: Vec<u64>,
    },
    RevokeInvitation {
        invitation: u64,
    },
    SetProfile {
        account: u64,
        display_name: String,
        avatar: String,
        signature: String,
    },
    // Conversations
    OpenDirect {
        actor: Actor,
        user: UserId,
    },
    Send {
        actor: Actor,
        to: Target,
        counter: u64,
        content: Bytes,
        reply_to: Option<MessageId>,
        /// In a group instead of `reply_to`; 0: none.
        reply_sequence: u64,
        known_id: Option<MessageId>,
    },
    Edit {
        actor: Actor,
        conversation: u64,
        sequence: u64,
        counter: u64,
        content: Bytes,
    },
    Recall {
        actor: Actor,
        conversation: u64,
        sequence: u64,
        counter: u64,
    },
    MoveMarks {
        marks: Vec<MarkMove>,
    },
    DecideRequest {
        account: u64,
        conversation: u64,
        accept: bool,
    },
    BlockUser {
        account: u64,
        user: UserId,
        blocked: bool,
    },
    BlockDomain {
        account: u64,
        domain: DomainName,
        blocked: bool,
    },
    /// How an account wants to hear of a conversation.
    SetConversation {
        account: u64,
        conversation: u64,
        muted_until_ms: i64,
        mentions_only: bool,
    },
    /// Where a conversation stands in one's own list.
    ArrangeConversation {
        account: u64,
        conversation: u64,
        arrangement: Arrangement,
    },
    /// What an account keeps about somebody: `None`: as before.
    KeepPerson {
        account: u64,
        user: UserId,
        remark: Option<String>,
        starred: Option<bool>,
    },
    /// Who may write first, and who sees presence.
    SetOpenness {
        account: u64,
        openness: Openness,
    },
    SetAvailability {
        account: u64,
        said: Said,
    },
    SetSchedule {
        account: u64,
        schedule: Schedule,
    },
    SetAutoReply {
        account: u64,
        reply: AutoReply,
    },
    // Being told while one does not look
    /// A push service reaches this device.
    SubscribePush {
        account: u64,
        device: u64,
        subscription: NewSubscription,
    },
    /// It does not any more. `position`: of the subscription that is meant; 0: whichever it is.
    UnsubscribePush {
        account: u64,
        device: u64,
        position: u64,
        why: Unreached,
    },
    SetNotify {
        account: u64,
        settings: notify::Settings,
    },
    // Files
    /// An account has put these into the store (smaller copies before the picture that they are of), and they are there durably.
    HoldFiles {
        account: u64,
        files: Vec<NewFile>,
    },
    /// A step of forgetting files that nothing refers to, after this number; `More` says from where to go on.
    CollectFiles {
        from: u64,
    },
    /// The bytes of these are gone.
    FilesGone {
        files: Vec<u64>,
    },
    // Groups
    CreateGroup {
        actor: Actor,
        counter: u64,
        name: String,
        members: Vec<UserId>,
    },
    ActInGroup {
        actor: Actor,
        conversation: u64,
        counter: u64,
        act: GroupAct,
    },
    JoinGroup {
        actor: Actor,
        counter: u64,
        link: GroupLink,
        word: String,
    },
    DecideGroupInvitation {
        actor: Actor,
        counter: u64,
        group: GroupId,
        accept: bool,
    },
    /// What a replica begins with, and its first members.
    BeginReplica {
        peer: u64,
        group: String,
        page: Box<Beginning>,
    },
    /// More of its members; with the last of them it begins.
    LearnMembers {
        peer: u64,
        group: String,
        page: Box<Beginning>,
    },
    /// How the home of a group says that it stands with those here who asked to be admitted.
    LearnApplicants {
        peer: u64,
        group: String,
        applicants: Vec<Applicant>,
    },
    /// A stretch of a group's log from its home.
    FollowGroup {
        peer: u64,
        group: String,
        range: Box<Range>,
    },
    /// The peer has entries of a group of this home beyond the log's end.
    GroupBehind {
        peer: u64,
        group: String,
        after: u64,
    },
    /// How far members of the peer's have read in a group of this home: (member, sequence).
    MoveGroupMarks {
        peer: u64,
        group: String,
        marks: Vec<(u64, u64)>,
    },
    /// Journal time is to go on although nothing happens: somebody waits to know that it is later.
    TellTime,
    /// A step of erasing what is older than messages are kept for. `clock_ms`: the clock itself, which journal time may be
    /// ahead of; `More`: there is another step.
    Retain {
        clock_ms: u64,
    },
    /// A step of telling and ending accounts of a domain for trying, from the `from`-th account on. `words`: what is said by
    /// the first notice and by the last; `More`: there is another step.
    LookAtTrials {
        clock_ms: u64,
        from: u64,
        words: [String; 2],
    },
    // Later
    /// Has something said at a time.
    Schedule {
        account: u64,
        new: NewScheduled,
    },
    /// Another time, or other words, for it; `None`: as before.
    ChangeScheduled {
        account: u64,
        number: u64,
        at_ms: Option<u64>,
        content: Option<Bytes>,
    },
    CancelScheduled {
        account: u64,
        number: u64,
    },
    SendScheduled {
        account: u64,
        number: u64,
    },
    SetReminder {
        account: u64,
        new: NewReminder,
    },
    EndReminder {
        account: u64,
        number: u64,
    },
    /// The reader has opened a message that burns. `clock_ms`: the clock itself, which journal time may be ahead of.
    OpenMessage {
        account: u64,
        conversation: u64,
        sequence: u64,
        clock_ms: u64,
    },
    /// Does what is due by this time of the clock; `More`: there is more of it.
    WorkDue {
        clock_ms: u64,
    },
    // What an account keeps for itself
    SaveMessage {
        account: u64,
        conversation: u64,
        sequence: u64,
        note: String,
    },
    RemoveSaved {
        account: u64,
        number: u64,
    },
    ChangeStickers {
        account: u64,
        change: StickerChange,
    },
    /// What accounts have listened to.
    MarkPlayed {
        played: Vec<PlayedMove>,
    },
    // Other domains
    MeetPeer {
        record: Box<VerifiedRecord>,
        proof: String,
    },
    /// To a group that this domain keeps.
    TendGroup {
        conversation: u64,
        tended: GroupTended,
    },
    SetPeerRule {
        domain: DomainName,
        rule: PeerRule,
        forget_key: bool,
    },
    BeginPeerEpoch {
        peer: u64,
        epoch: [u8; 16],
    },
    ReceiveItem {
        peer: u64,
        epoch: [u8; 16],
        item: LinkItem,
    },
    PeerRecorded {
        peer: u64,
        epoch: [u8; 16],
        sequence: u64,
    },
    PeerRefused {
        peer: u64,
        epoch: [u8; 16],
        sequence: u64,
        code: String,
    },
    /// The peer has been tried in vain since then, in milliseconds.
    PeerSilent {
        peer: u64,
        since_ms: u64,
    },
    /// What waits for a peer that is silent or gone is given up, from this item ever; `More` says from where to go on.
    GiveUpPeer {
        peer: u64,
        from: u64,
    },
    /// The peer has been heard.
    PeerHeard {
        peer: u64,
    },
    /// What the peer says to have of ours does not fit the epoch `shown` to it: its outbox, and no other, takes a new one.
    RestartLink {
        peer: u64,
        shown: [u8; 16],
        restart: Restart,
    },
}

/// A member's marks in one conversation; each only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkMove {
    /// Whose.
    pub account: u64,
    /// Where.
    pub conversation: u64,
    /// Arrived at one of the account's devices.
    pub delivered: u64,
    /// Seen.
    pub read: u64,
}

/// What allows a change of password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordBy {
    /// The old password was checked when it had this version (position of its record).
    Old { version: u64 },
    /// A recovery code: its BLAKE3; used up. The new device signs in with it.
    Recovery { hash: [u8; 32], device: NewDevice },
    /// A sign-in link: BLAKE3 of its secret; void after it. The new device signs in with it.
    Link { hash: [u8; 32], device: NewDevice },
    /// The operator.
    Operator,
}

/// What an administrator says of another domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRule {
    /// Talk to it.
    Allow,
    /// Never.
    Deny,
    /// As policy says.
    Unset,
}

impl Command {
    /// Whether it adds to the journal what could be said later, and so waits while the disk is nearly full. Recalls,
    /// deletions, marks of what arrived and the node's own acts go on out of the reserve.
    pub fn adds(&self) -> bool {
        if let Self::Administer { command, .. } = self {
            return command.adds();
        }
        matches!(
            self,
            Self::CreateAccount { .. }
                | Self::AddDevice { .. }
                | Self::EnterByIdentity { .. }
                | Self::LinkIdentity { .. }
                | Self::AddPasskey { .. }
                | Self::EnterByPasskey { .. }
                | Self::MakeInvitation { .. }
                | Self::Arrive(_)
                | Self::MakeSignInLink { .. }
                | Self::SubscribePush { .. }
                | Self::SetNotify { .. }
                | Self::KeepPerson { .. }
                | Self::SetOpenness { .. }
                | Self::SetAvailability { .. }
                | Self::SetSchedule { .. }
                | Self::SetAutoReply { .. }
                | Self::SetProfile { .. }
                | Self::HoldFiles { .. }
                | Self::OpenDirect { .. }
                | Self::Send { .. }
                | Self::Edit { .. }
                | Self::ReceiveItem { .. }
                | Self::Schedule { .. }
                | Self::ChangeScheduled { .. }
                | Self::SendScheduled { .. }
                | Self::SetReminder { .. }
                | Self::SaveMessage { .. }
                | Self::ChangeStickers { .. }
                | Self::CreateGroup { .. }
                | Self::ActInGroup { .. }
                | Self::JoinGroup { .. }
                | Self::BeginReplica { .. }
                | Self::LearnMembers { .. }
                | Self::FollowGroup { .. }
        )
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Answer {
    Done,
    Sent {
        conversation: u64,
        sequence: u64,
        id: MessageId,
        time_ms: u64,
    },
    Account {
        account: u64,
        device: Option<u64>,
        administrator: bool,
    },
    Device {
        device: u64,
    },
    Conversation(u64),
    /// Of an entry of a list of the account's.
    Number(u64),
    Peer(u64),
    Invitation {
        invitation: u64,
        not_after_ms: i64,
    },
    Token {
        token: u64,
        not_after_ms: i64,
    },
    SignInLink {
        not_after_ms: i64,
    },
    /// What a link item came to: recorded; or refused, to be told to the sender.
    Item {
        refused: Option<startalk_protocol::Error>,
    },
    /// Work left: send the command again from here.
    More {
        conversation: u64,
        from: u64,
    },
}
