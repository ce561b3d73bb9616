//! What one can ask of a session.
//!
//! Every method passes one command to the session's task; none touches a socket or a file.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Code, Error, UserId,
    pb::client::{
        self as pb, Conversation, Device, GroupInvitation, GroupLink, History, Invitation, Members, Message, Page, Profile,
        Readers, act_in_group::Act, client_frame::Frame as Ask, server_frame::Frame as Answer,
    },
    trust::{DomainRecord, VerifiedRecord},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Status, engine::Command, now_ms};
use crate::{
    Account, ClientError,
    event::CommandKind,
    files::Transfers,
    outbox::{Outgoing, number_of},
    store::Queued,
};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A conversation by its number.
    Conversation(u64),
    /// A person; the conversation begins with the first message.
    User(UserId),
}

impl From<u64> for Target {
    fn from(conversation: u64) -> Self {
        Self::Conversation(conversation)
    }
}

impl From<UserId> for Target {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

/// A signed-in device. When the last clone is dropped, the session closes; what it accepted stays in the store.
#[derive(Clone)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    /// What is to be sent goes its own way: it waits while the outbox is full, and nothing else does.
    outbox: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    account: Account,
    files: Transfers,
}

macro_rules! asks {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $out:ty = $ask:expr => $answer:pat => $value:expr;)*) => {
        impl Session { $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The node's reason, or `offline`.
            pub async fn $name(&self, $($arg: $type),*) -> Result<$out, ClientError> {
                #[allow(unreachable_patterns, reason = "where any answer will do")]
                match self.ask($ask).await? {
                    $answer => Ok($value),
                    _ => Err(ClientError::Protocol(concat!("expected another answer to ", stringify!($name)).to_owned())),
                }
            }
        )* }
    };
}

asks! {
    /// Messages before a sequence or after one (both 0: the newest), in ascending order, as they are now. The page covers
    /// `first` to `last`; `head` is the conversation's last sequence.
    history(conversation: u64, before: u64, after: u64, limit: u32) -> Page
        = Ask::History(History { conversation, before, after, limit })
        => Answer::Page(page) => page;
    /// Begins, or finds, the conversation with a person.
    open_conversation(user: &UserId) -> Conversation
        = Ask::OpenConversation(pb::OpenConversation { user: user.to_string() }) => Answer::Conversation(c) => c;
    /// Accepts or refuses a first contact.
    decide_request(conversation: u64, accept: bool) -> ()
        = Ask::DecideRequest(pb::DecideRequest { conversation, accept }) => _ => ();
    /// Blocks `name@domain`, or `@domain` as a whole; or unblocks.
    block(user: &str, blocked: bool) -> () = Ask::Block(pb::Block { user: user.to_owned(), blocked }) => _ => ();
    /// Who is blocked.
    blocked() -> Vec<String> = Ask::ListBlocked(pb::ListBlocked {}) => Answer::Blocked(b) => b.users;
    /// This account's devices.
    devices() -> Vec<Device> = Ask::ListDevices(pb::ListDevices {}) => Answer::Devices(d) => d.devices;
    /// Signs a device out.
    revoke_device(device: u64) -> () = Ask::RevokeDevice(pb::RevokeDevice { device }) => Answer::Done(_) => ();
    /// Changes the password.
    change_password(old: &str, new: &str) -> ()
        = Ask::ChangePassword(pb::ChangePassword { old_password: old.to_owned(), new_password: new.to_owned() }) => Answer::Done(_) => ();
    /// New recovery codes; the old ones are worth nothing from then on.
    new_recovery_codes(password: &str) -> Vec<String>
        = Ask::NewRecoveryCodes(pb::NewRecoveryCodes { password: password.to_owned() }) => Answer::RecoveryCodes(r) => r.codes;
    /// Sets one's own profile, whole.
    set_profile(display_name: &str, avatar: &str, signature: &str) -> ()
        = Ask::SetProfile(pb::SetProfile { display_name: display_name.to_owned(), avatar: avatar.to_owned(), signature: signature.to_owned() }) => _ => ();
    /// Somebody's profile.
    profile(user: &str) -> Profile = Ask::GetProfile(pb::GetProfile { user: user.to_owned() }) => Answer::Profile(p) => p;
    /// A link that lets people in, and into these groups, which this domain keeps.
    make_invitation(uses: u32, valid_ms: i64, groups: &[u64]) -> Invitation
        = Ask::MakeInvitation(pb::MakeInvitation { uses, valid_ms, groups: groups.to_vec() }) => Answer::Invitation(i) => i;
    /// Invitations into groups that wait for a decision.
    group_invitations() -> Vec<GroupInvitation>
        = Ask::ListGroupInvitations(pb::ListGroupInvitations {}) => Answer::GroupInvitations(i) => i.invitations;
    /// Who is in a group, from a member number on; or, with `asked`, who waits to be admitted.
    members(conversation: u64, from: u64, limit: u32, asked: bool) -> Members
        = Ask::ListMembers(pb::ListMembers { conversation, from, limit, asked }) => Answer::Members(m) => m;
    /// What is pinned in a group, the oldest pin first.
    pins(conversation: u64) -> Vec<Message> = Ask::ListPins(pb::ListPins { conversation }) => Answer::Pins(p) => p.messages;
    /// Links into a group.
    group_links(conversation: u64) -> Vec<GroupLink>
        = Ask::ListGroupLinks(pb::ListGroupLinks { conversation }) => Answer::GroupLinks(l) => l.links;
    /// Who has read a message of a group.
    readers(conversation: u64, sequence: u64) -> Readers
        = Ask::GetReaders(pb::GetReaders { conversation, sequence }) => Answer::Readers(r) => r;
    /// People, groups and messages, as far as they are this account's to see.
    search(question: pb::Search) -> pb::Found = Ask::Search(question) => Answer::Found(f) => f;
    /// Messages of a conversation that refer to files or pages, the newest first, before a sequence (0: from the end). `kinds`: a sum
    /// of 1 pictures, 2 videos, 4 voice, 8 files, 16 links; `limit` at most 100, 0: 50.
    list_files(conversation: u64, kinds: u32, before: u64, limit: u32) -> pb::FileList
        = Ask::ListFiles(pb::ListFiles { conversation, kinds, before, limit }) => Answer::FileList(list) => list;
    /// How many files the account holds, how many bytes they are, and how many it may (0: any).
    storage() -> pb::Storage = Ask::GetStorage(pb::GetStorage {}) => Answer::Storage(s) => s;
    /// Sets how one wants to hear of a conversation.
    set_conversation(conversation: u64, muted_until_ms: i64, mentions_only: bool) -> ()
        = Ask::SetConversation(pb::SetConversation { conversation, muted_until_ms, mentions_only }) => _ => ();
    /// Sets where a conversation stands in one's own list, on all devices; what is `None` stays as it is.
    arrange_conversation(arrangement: pb::ArrangeConversation) -> () = Ask::ArrangeConversation(arrangement) => _ => ();
    /// Keeps a remark or a star about somebody, on all devices; what is `None` stays as it is.
    keep_person(about: pb::KeepPerson) -> () = Ask::KeepPerson(about) => _ => ();
    /// Says by hand how one is there, on all devices.
    set_availability(said: pb::Availability) -> ()
        = Ask::SetAvailability(pb::SetAvailability { availability: Some(said) }) => _ => ();
    /// Sets weekly hours in which one is not to be disturbed.
    set_schedule(schedule: pb::Schedule) -> () = Ask::SetSchedule(pb::SetSchedule { schedule: Some(schedule) }) => _ => ();
    /// Sets what is answered in one's absence.
    set_auto_reply(reply: pb::AutoReply) -> () = Ask::SetAutoReply(pb::SetAutoReply { reply: Some(reply) }) => _ => ();
    /// Sets who may write first, and who sees whether one is there.
    set_openness(openness: pb::Openness) -> () = Ask::SetOpenness(pb::SetOpenness { openness: Some(openness) }) => _ => ();
    /// All that one has said of oneself.
    own() -> pb::Own = Ask::GetOwn(pb::GetOwn {}) => Answer::Own(own) => own;
    /// Has something said at a time, as if it were sent then. Asked for again with the same key, it is scheduled once.
    schedule_message(message: pb::ScheduleMessage) -> pb::Scheduled = Ask::ScheduleMessage(message) => Answer::Scheduled(s) => s;
    /// Another time, or other words; what is `None` stays as it is.
    change_scheduled(change: pb::ChangeScheduled) -> pb::Scheduled = Ask::ChangeScheduled(change) => Answer::Scheduled(s) => s;
    /// It is not said.
    cancel_scheduled(number: u64) -> () = Ask::CancelScheduled(pb::CancelScheduled { number }) => Answer::Done(_) => ();
    /// It is said now.
    send_scheduled(number: u64) -> pb::Sent = Ask::SendScheduled(pb::SendScheduled { number }) => Answer::Sent(s) => s;
    /// What waits to be said, with numbers above `after`: a page, and where the next begins (0: there is none).
    scheduled(after: u64) -> pb::ScheduledList = Ask::ListScheduled(pb::ListScheduled { after }) => Answer::ScheduledList(l) => l;
    /// Sets a reminder, of a message or of what its note says.
    set_reminder(reminder: pb::SetReminder) -> pb::Reminder = Ask::SetReminder(reminder) => Answer::Reminder(r) => r;
    /// It is done with.
    end_reminder(number: u64) -> () = Ask::EndReminder(pb::EndReminder { number }) => Answer::Done(_) => ();
    /// Reminders with numbers above `after`: a page, and where the next begins (0: there is none).
    reminders(after: u64) -> pb::Reminders = Ask::ListReminders(pb::ListReminders { after }) => Answer::Reminders(r) => r;
    /// Keeps a message for oneself; one that is kept already gets this note.
    save_message(conversation: u64, sequence: u64, note: &str) -> pb::Saved
        = Ask::SaveMessage(pb::SaveMessage { conversation, sequence, note: note.to_owned() }) => Answer::Saved(s) => s;
    /// Not any more.
    remove_saved(number: u64) -> () = Ask::RemoveSaved(pb::RemoveSaved { number }) => Answer::Done(_) => ();
    /// Saved messages with numbers below `before` (0: from the newest), the newest first.
    saved(before: u64, limit: u32) -> pb::SavedPage = Ask::ListSaved(pb::ListSaved { before, limit }) => Answer::SavedPage(p) => p;
    /// Adds, takes away or orders stickers.
    change_stickers(change: pb::change_stickers::Change) -> ()
        = Ask::ChangeStickers(pb::ChangeStickers { change: Some(change) }) => Answer::Done(_) => ();
    /// The account's stickers after the first so many: a page, and where the next begins (0: there is none).
    stickers(skip: u32) -> pb::Stickers = Ask::ListStickers(pb::ListStickers { skip }) => Answer::Stickers(s) => s;
    /// The person has opened a message that burns: its time runs from now on.
    open_message(conversation: u64, sequence: u64) -> ()
        = Ask::OpenMessage(pb::OpenMessage { conversation, sequence }) => Answer::Done(_) => ();
    /// The person has listened to these messages.
    mark_played(conversation: u64, sequences: &[u64]) -> ()
        = Ask::MarkPlayed(pb::MarkPlayed { conversation, sequences: sequences.to_vec() }) => Answer::Done(_) => ();
    /// Has a push service reach this device from now on (RFC 8030, 8291): its URL, and the device's keys for it.
    subscribe_push(endpoint: &str, p256dh: Bytes, auth: Bytes) -> ()
        = Ask::SubscribePush(pb::SubscribePush { endpoint: endpoint.to_owned(), p256dh, auth }) => _ => ();
    /// Not any more.
    unsubscribe_push() -> () = Ask::UnsubscribePush(pb::UnsubscribePush {}) => _ => ();
    /// How one wants to be told while one does not look, where this device is reached, and the node's key for push services.
    notify() -> pb::Notify = Ask::GetNotify(pb::GetNotify {}) => Answer::Notify(n) => n;
    /// Sets how, whole.
    set_notify(settings: pb::NotifySettings) -> () = Ask::SetNotify(pb::SetNotify { settings: Some(settings) }) => _ => ();
    /// Deletes the account.
    delete_account(password: &str, erase_messages: bool) -> ()
        = Ask::DeleteAccount(pb::DeleteAccount { password: password.to_owned(), erase_messages }) => Answer::Done(_) => ();
}

impl Session {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        outbox: mpsc::Sender<Command>,
        status: watch::Receiver<Status>,
        account: Account,
        files: Transfers,
    ) -> Self {
        Self { commands, outbox, status, account, files }
    }

    /// Files: uploads and downloads, over HTTP beside the session's connection.
    pub fn files(&self) -> &Transfers {
        &self.files
    }

    /// Who this is.
    pub fn user(&self) -> &str {
        &self.account.user
    }

    /// This device's number.
    pub fn device(&self) -> u64 {
        self.account.device
    }

    /// How the session is now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Accepts a message and returns its number: it is in the store then, and will be sent exactly once.
    /// [`crate::Event::Sent`] or [`crate::Event::Failed`] tells what became of it.
    ///
    /// # Errors
    /// `store`: it was not accepted. `ended`.
    pub async fn send(&self, target: impl Into<Target>, content: Bytes, reply_to: Bytes) -> Result<u64, ClientError> {
        let (conversation, to) = match target.into() {
            Target::Conversation(number) => (number, String::new()),
            Target::User(user) => (0, user.to_string()),
        };
        self.accept(CommandKind::Send, Queued { conversation, to, content, reply_to, ..Queued::default() }).await
    }

    /// Accepts another content for an own message.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn edit(&self, conversation: u64, sequence: u64, content: Bytes) -> Result<u64, ClientError> {
        self.accept(CommandKind::Edit, Queued { conversation, target: sequence, content, ..Queued::default() }).await
    }

    /// Accepts taking an own message back.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn recall(&self, conversation: u64, sequence: u64) -> Result<u64, ClientError> {
        self.accept(CommandKind::Recall, Queued { conversation, target: sequence, ..Queued::default() }).await
    }

    /// Accepts a message in a group that answers the one at a sequence (0: none).
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn send_in_group(&self, conversation: u64, content: Bytes, reply_sequence: u64) -> Result<u64, ClientError> {
        self.accept(CommandKind::Send, Queued { conversation, content, reply_sequence, ..Queued::default() }).await
    }

    /// Accepts beginning a group with these people.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn create_group(&self, name: &str, members: &[UserId]) -> Result<u64, ClientError> {
        let members = members.iter().map(ToString::to_string).collect();
        let command = pb::CreateGroup { counter: 0, name: name.to_owned(), members }.encode_to_vec().into();
        self.accept(CommandKind::CreateGroup, Queued { command, ..Queued::default() }).await
    }

    /// Accepts something to be done in a group.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn act(&self, conversation: u64, act: Act) -> Result<u64, ClientError> {
        let command = pb::ActInGroup { conversation, counter: 0, act: Some(act) }.encode_to_vec().into();
        self.accept(CommandKind::Act, Queued { conversation, command, ..Queued::default() }).await
    }

    /// Accepts coming into a group by a link; `word` is for who decides.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn join_group(&self, link: &str, word: &str) -> Result<u64, ClientError> {
        let command = pb::JoinGroup { counter: 0, link: link.trim().to_owned(), word: word.to_owned() }.encode_to_vec().into();
        self.accept(CommandKind::JoinGroup, Queued { command, ..Queued::default() }).await
    }

    /// Accepts following an invitation into a group, or letting it go.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn decide_group_invitation(&self, group: &str, accept: bool) -> Result<u64, ClientError> {
        let command = pb::DecideGroupInvitation { counter: 0, group: group.to_owned(), accept }.encode_to_vec().into();
        self.accept(CommandKind::DecideGroupInvitation, Queued { command, ..Queued::default() }).await
    }

    async fn accept(&self, kind: CommandKind, mut queued: Queued) -> Result<u64, ClientError> {
        queued.kind = number_of(kind);
        let (reply, answer) = oneshot::channel();
        self.outbox.send(Command::Accept { queued, reply }).await.map_err(|_| ClientError::Ended)?;
        answer.await.map_err(|_| ClientError::Ended)?
    }

    /// Moves one's own marks; told to the node as soon as there is a connection, the latest value only.
    ///
    /// # Errors
    /// `ended`.
    pub async fn mark(&self, conversation: u64, delivered: u64, read: u64) -> Result<(), ClientError> {
        self.pass(Command::Mark { conversation, delivered, read }).await
    }

    /// Tells the other side that one writes; forgotten if there is no connection.
    ///
    /// # Errors
    /// `ended`.
    pub async fn typing(&self, conversation: u64, typing: bool) -> Result<(), ClientError> {
        self.pass(Command::Hint(Ask::Typing(pb::Typing { conversation, typing }))).await
    }

    /// Sets one's presence; forgotten if there is no connection.
    ///
    /// # Errors
    /// `ended`.
    pub async fn set_presence(&self, state: &str) -> Result<(), ClientError> {
        self.pass(Command::Hint(Ask::SetPresence(pb::SetPresence { state: state.to_owned() }))).await
    }

    /// All conversations as last heard, the newest first; requests among them.
    ///
    /// # Errors
    /// `ended`.
    pub async fn conversations(&self) -> Result<Vec<Conversation>, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.pass(Command::Conversations(reply)).await?;
        answer.await.map_err(|_| ClientError::Ended)
    }

    /// What was accepted and has no answer yet.
    ///
    /// # Errors
    /// `ended`.
    pub async fn outbox(&self) -> Result<Vec<Outgoing>, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.pass(Command::Outbox(reply)).await?;
        answer.await.map_err(|_| ClientError::Ended)
    }

    /// Waits until everything accepted is answered, or the session is over.
    pub async fn drained(&self) {
        self.barrier().await;
        let _ = self.status.clone().wait_for(|s| s.pending == 0 || s.ended).await;
    }

    /// Waits until everything missed has been told, or the session is over.
    pub async fn synced(&self) {
        self.barrier().await;
        let _ = self.status.clone().wait_for(|s| s.synced || s.ended).await;
    }

    /// From here on, the status knows of everything that was asked before.
    async fn barrier(&self) {
        let (reply, answer) = oneshot::channel();
        if self.pass(Command::Barrier(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// What the domain says of itself: where it is, how people sign in, what is allowed; verified, and of no other domain.
    ///
    /// # Errors
    /// The node's reason, or `offline`; what is wrong with the record.
    pub async fn navigation(&self) -> Result<VerifiedRecord, ClientError> {
        let Answer::Navigation(navigation) = self.ask(Ask::GetNavigation(pb::GetNavigation {})).await? else {
            return Err(ClientError::Protocol("expected the domain's record".to_owned()));
        };
        let record = DomainRecord::decode_signed(&navigation.record, now_ms()).map_err(ClientError::Refused)?;
        let home = self.account.user.rsplit_once('@').map_or("", |(_, domain)| domain);
        if record.domain().as_str() != home {
            let other = Error::new(Code::WrongDomain).with("domain", record.domain()).with("asked", home);
            return Err(ClientError::Refused(other));
        }
        Ok(record)
    }

    /// Signs this device out; the store forgets the account.
    ///
    /// # Errors
    /// The node's reason, or `offline`.
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        self.ask(Ask::SignOut(pb::SignOut {})).await.map(|_| ())
    }

    /// Ends the session; the device stays signed in, and what was accepted stays in the store.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.pass(Command::Close(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    async fn ask(&self, frame: Ask) -> Result<Answer, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.pass(Command::Ask { frame, reply }).await?;
        answer.await.map_err(|_| ClientError::Ended)?
    }

    async fn pass(&self, command: Command) -> Result<(), ClientError> {
        self.commands.send(command).await.map_err(|_| ClientError::Ended)
    }
}
