//! The domain: commands in, events out, views derived. One `handle`, one `apply`, for everybody.
//!
//! Owns the order of modules. Never reads a clock, a socket or a file; never blocks but on the views' own tree.

use std::sync::Arc;

use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error,
    sabotage::{self, Switch},
};

use crate::{
    accounts, administration, availability,
    command::{Answer, Command},
    contacts,
    context::Ctx,
    conversations, delivery, directory,
    event::{EventError, Recorded},
    files, governance, groups, kept, later, notify, outbox, quotas, retention, stickers,
    store::{Changes, Read, Store, TreeError, Tx},
    timeline, trial, ways,
};

/// Bumped when any module's views change their layout; the views are then rebuilt.
pub const LAYOUT: u32 = 11;
/// Records of one command at most: beside a batch that is as full as it may be, they fit into what the journal takes.
pub const COMMAND_RECORDS_MAX: usize = 1000;
/// Records whose changes wait in memory at most: while a checkpoint is written, which is given up beyond them, or at a start
/// without room on the disk.
pub const HELD_RECORDS_MAX: u64 = 100_000;
/// Records applied between two flushes while rebuilding.
const REBUILD_STEP: usize = 4096;
/// Bytes of records read at once while rebuilding.
const REBUILD_BYTES: usize = 4 * 1024 * 1024;

/// Decides one command in the batch being made. What it emitted stays in `tx` if it succeeds, and is undone if not.
///
/// # Errors
/// Why it cannot be; nothing has changed then.
pub fn handle(tx: &mut Tx, ctx: &mut Ctx, command: Command) -> Result<Answer, Error> {
    tx.begin();
    if ctx.disk_low && command.adds() && !sabotage::is(Switch::NoDiskReserve) {
        return Err(Code::DiskFull.into());
    }
    let splits = !matches!(command, Command::BeginEpoch { .. });
    let mut result = administration::decide(tx, ctx, command, decide);
    if splits && tx.records_of_command().len() > COMMAND_RECORDS_MAX {
        // More than a batch can hold would end the node; so much in one command is a fault of whoever made it.
        result = Err(Error::new(Code::TooMany).with("what", "records of one command").with("max", COMMAND_RECORDS_MAX));
    }
    if result.is_err() && !sabotage::is(Switch::NoRollback) {
        tx.rollback();
    }
    result
}

fn decide(tx: &mut Tx, ctx: &mut Ctx, command: Command) -> Result<Answer, Error> {
    use conversations::{Said, Which};
    match command {
        Command::Begin { root_key } => governance::begin(tx, ctx, root_key),
        Command::BeginEpoch { epoch, reason } => governance::begin_epoch(tx, ctx, epoch, reason),
        Command::SetOwnCharter { charter, sequence } => governance::set_own_charter(tx, charter, sequence),
        Command::SetPolicy(new) => governance::set_policy(tx, new),
        // One act in another is none.
        Command::Administer { .. } => Err(Error::new(Code::NotAllowedHere).with("what", "an act in an act")),
        Command::Tend(tended) => administration::tend(tx, ctx, tended),
        Command::MakeToken { maker, name, token_hash, scopes, valid_ms } => {
            administration::make_token(tx, ctx, maker, name, token_hash, scopes, valid_ms)
        }
        Command::RevokeToken { token } => administration::revoke_token(tx, token),
        Command::CreateAccount { name, display_name, password_hash, recovery_hashes, admission, device } => {
            let password_hash = Some(password_hash);
            let new = accounts::NewAccount { name, display_name, password_hash, recovery_hashes, admission, device };
            accounts::create(tx, ctx, new)
        }
        Command::AddDevice { account, password_version, device } => {
            accounts::add_device(tx, ctx, account, password_version, device)
        }
        Command::EnterByIdentity { identity, newcomer, device } => ways::enter_by_identity(tx, ctx, identity, newcomer, device),
        Command::LinkIdentity { account, identity } => ways::link_identity(tx, ctx, account, identity),
        Command::UnlinkIdentity { account, link } => ways::unlink_identity(tx, ctx, account, link),
        Command::AddPasskey { account, passkey } => ways::add_passkey(tx, ctx, account, passkey),
        Command::RemovePasskey { account, passkey } => ways::remove_passkey(tx, ctx, account, passkey),
        Command::EnterByPasskey { used, device } => ways::enter_by_passkey(tx, ctx, used, device),
        Command::SuspectPasskey { account, passkey } => ways::suspect_passkey(tx, ctx, account, passkey),
        Command::RevokeDevice { account, device } => accounts::revoke_device(tx, account, device),
        Command::SetPassword { account, password_hash, by } => accounts::set_password(tx, ctx, account, password_hash, by),
        Command::SetRecoveryCodes { account, hashes } => accounts::set_recovery_codes(tx, ctx, account, &hashes),
        Command::SetDisabled { account, disabled } => accounts::set_disabled(tx, account, disabled),
        Command::SetRole { account, role } => accounts::set_role(tx, account, role),
        Command::DeleteAccount { account } => accounts::delete(tx, ctx, account),
        Command::EndAccount { account } => accounts::go_on_ending(tx, ctx, account),
        Command::EraseAuthored { account, conversation, from } => match conversations::direct(tx, conversation) {
            Some(direct) if direct.has(account) => conversations::erase_authored(tx, ctx, account, &direct, from),
            _ => groups::erase_authored(tx, ctx, account, conversation, from),
        },
        Command::MakeInvitation { maker, token_hash, uses, valid_ms, administrator, groups } => {
            let wanted = accounts::WantedInvitation { maker, token_hash, uses, valid_ms, administrator, groups };
            accounts::make_invitation(tx, ctx, wanted)
        }
        Command::Arrive(new) => accounts::arrive(tx, ctx, *new),
        Command::SetAbsent { account, source } => accounts::set_absent(tx, account, &source),
        Command::MakeSignInLink { account, token_hash, valid_ms } => {
            accounts::make_sign_in_link(tx, ctx, account, token_hash, valid_ms)
        }
        Command::RevokeInvitation { invitation } => accounts::revoke_invitation(tx, ctx, invitation),
        Command::SetProfile { account, display_name, avatar, signature } => {
            accounts::set_profile(tx, ctx, account, display_name, avatar, signature)
        }
        Command::OpenDirect { actor, user } => conversations::open(tx, ctx, actor, &user),
        Command::Send { actor, to, counter, content, reply_to, reply_sequence, known_id } => {
            conversations::send(tx, ctx, actor, &to, counter, Said { content, reply_to, reply_sequence, known_id })
        }
        Command::Edit { actor, conversation, sequence, counter, content } => {
            conversations::edit(tx, ctx, actor, Which { conversation, sequence, counter }, content)
        }
        Command::Recall { actor, conversation, sequence, counter } => {
            conversations::recall(tx, ctx, actor, Which { conversation, sequence, counter })
        }
        Command::MoveMarks { marks } => conversations::move_marks(tx, ctx, &marks),
        Command::DecideRequest { account, conversation, accept } => conversations::decide(tx, account, conversation, accept),
        Command::BlockUser { account, user, blocked } => contacts::block_user(tx, ctx, account, &user, blocked),
        Command::BlockDomain { account, domain, blocked } => contacts::block_domain(tx, ctx, account, &domain, blocked),
        Command::SetConversation { account, conversation, muted_until_ms, mentions_only } => {
            contacts::set_conversation(tx, account, conversation, muted_until_ms, mentions_only)
        }
        Command::ArrangeConversation { account, conversation, arrangement } => {
            contacts::arrange(tx, account, conversation, arrangement)
        }
        Command::KeepPerson { account, user, remark, starred } => contacts::keep_person(tx, ctx, account, &user, remark, starred),
        Command::SetOpenness { account, openness } => contacts::set_openness(tx, ctx, account, openness),
        Command::SetAvailability { account, said } => availability::set(tx, ctx, account, said),
        Command::SetSchedule { account, schedule } => availability::set_schedule(tx, ctx, account, schedule),
        Command::SetAutoReply { account, reply } => availability::set_auto_reply(tx, ctx, account, reply),
        Command::SubscribePush { account, device, subscription } => notify::subscribe(tx, ctx, account, device, subscription),
        Command::UnsubscribePush { account, device, position, why } => notify::unsubscribe(tx, account, device, position, why),
        Command::SetNotify { account, settings } => notify::set(tx, ctx, account, settings),
        Command::CreateGroup { actor, counter, name, members } => groups::create(tx, ctx, actor, counter, name, &members),
        Command::ActInGroup { actor, conversation, counter, act } => groups::act(tx, ctx, actor, conversation, counter, act),
        Command::JoinGroup { actor, counter, link, word } => groups::join(tx, ctx, actor, counter, &link, word),
        Command::DecideGroupInvitation { actor, counter, group, accept } => {
            groups::decide_invitation(tx, ctx, actor, counter, &group, accept)
        }
        Command::BeginReplica { peer, group, page } => groups::begin_replica(tx, ctx, peer, &group, &page),
        Command::LearnMembers { peer, group, page } => groups::learn_members(tx, ctx, peer, &group, &page),
        Command::LearnApplicants { peer, group, applicants } => groups::learn_applicants(tx, peer, &group, &applicants),
        Command::FollowGroup { peer, group, range } => groups::follow(tx, ctx, peer, &group, *range),
        Command::GroupBehind { peer, group, after } => groups::behind(tx, ctx, peer, &group, after),
        Command::MoveGroupMarks { peer, group, marks } => conversations::move_group_marks(tx, peer, &group, &marks),
        Command::TellTime => governance::tell_time(tx, ctx),
        Command::Retain { clock_ms } => retention::retain(tx, ctx, clock_ms),
        Command::LookAtTrials { clock_ms, from, words } => trial::look(tx, ctx, clock_ms, from, &words),
        Command::Schedule { account, new } => later::schedule(tx, ctx, account, new),
        Command::ChangeScheduled { account, number, at_ms, content } => later::change(tx, ctx, account, number, at_ms, content),
        Command::CancelScheduled { account, number } => later::cancel(tx, account, number),
        Command::SendScheduled { account, number } => later::send_now(tx, ctx, account, number),
        Command::SetReminder { account, new } => later::set_reminder(tx, ctx, account, new),
        Command::EndReminder { account, number } => later::end_reminder(tx, account, number),
        Command::OpenMessage { account, conversation, sequence, clock_ms } => {
            conversations::open_message(tx, ctx, account, conversation, sequence, clock_ms)
        }
        Command::WorkDue { clock_ms } => later::work(tx, ctx, clock_ms),
        Command::SaveMessage { account, conversation, sequence, note } => {
            kept::save(tx, ctx, account, conversation, sequence, note)
        }
        Command::RemoveSaved { account, number } => kept::remove_saved(tx, account, number),
        Command::ChangeStickers { account, change } => stickers::change(tx, ctx, account, change),
        Command::MarkPlayed { played } => kept::mark_played(tx, &played),
        Command::MeetPeer { record, proof } => directory::meet(tx, ctx, &record, proof),
        Command::TendGroup { conversation, tended } => groups::tend(tx, ctx, conversation, tended),
        Command::SetPeerRule { domain, rule, forget_key } => directory::set_rule(tx, ctx, &domain, rule, forget_key),
        Command::BeginPeerEpoch { peer, epoch } => directory::begin_peer(tx, peer, epoch),
        Command::ReceiveItem { peer, epoch, item } => conversations::receive(tx, ctx, peer, epoch, &item),
        Command::PeerRecorded { peer, epoch, sequence } => outbox::recorded(tx, peer, epoch, sequence),
        Command::PeerRefused { peer, epoch, sequence, code } => outbox::refused(tx, ctx, peer, epoch, sequence, &code),
        Command::PeerSilent { peer, since_ms } => directory::silent(tx, peer, since_ms),
        Command::GiveUpPeer { peer, from } => outbox::give_up(tx, ctx, peer, from),
        Command::HoldFiles { account, files } => files::hold(tx, ctx, account, files),
        Command::CollectFiles { from } => files::collect(tx, ctx, from),
        Command::FilesGone { files } => files::gone(tx, &files),
        Command::PeerHeard { peer } => directory::heard(tx, peer),
        Command::RestartLink { peer, shown, restart } => outbox::restart(tx, ctx, peer, shown, &restart),
    }
}

/// What was begun by a command and takes more of them, if there is anything: the write loop gives it to itself until there
/// is nothing, also after a start.
pub fn unfinished(read: &impl Read) -> Option<Command> {
    accounts::ending(read).map(|account| Command::EndAccount { account })
}

/// Finishes a new epoch that the process began and did not come to the end of, if there is one; to be called before
/// anything else is decided or anybody can look. Whether there was one.
///
/// # Errors
/// If the journal cannot be read.
pub fn finish_epoch(tx: &mut Tx, journal: &dyn ReadJournal) -> Result<bool, Error> {
    if !outbox::is_half_begun(tx) {
        return Ok(false);
    }
    tx.begin();
    outbox::restart_all(tx, journal).map(|()| true)
}

/// Brings every module's views up to date with one event. Checks no right, cannot fail.
pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    governance::apply(tx, record);
    directory::apply(tx, record);
    accounts::apply(tx, record);
    contacts::apply(tx, record);
    timeline::apply(tx, record);
    conversations::apply(tx, record);
    groups::apply(tx, record);
    notify::apply(tx, record);
    availability::apply(tx, record);
    ways::apply(tx, record);
    delivery::apply(tx, record);
    outbox::apply(tx, record);
    administration::apply(tx, record);
    retention::apply(tx, record);
    trial::apply(tx, record);
    quotas::apply(tx, record);
    files::apply(tx, record);
    later::apply(tx, record);
    kept::apply(tx, record);
}

/// A batch that was decided on: to be appended to the journal, then committed to the views.
pub struct Decided {
    /// In the order of the journal.
    pub records: Vec<Recorded>,
    changes: Changes,
}

impl Decided {
    /// Ends the batch.
    pub fn of(tx: Tx) -> Self {
        let (records, changes) = tx.finish();
        Self { records, changes }
    }

    /// Makes the batch visible. To be called when the journal has it durably, and not before.
    pub fn commit(self, store: &Store) -> Vec<Recorded> {
        self.changes.commit(store);
        self.records
    }
}

/// Why views could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] startalk_journal::ReadError),
    /// A record of a later version.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The views' tree failed.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// As [`replay_within`] on a disk that has room.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(store: &Store, journal: &dyn ReadJournal, progress: impl FnMut(u64, u64)) -> Result<u64, ReplayError> {
    replay_within(store, journal, || true, progress)
}

/// Applies what the journal has beyond the views' position, and returns how many records that were. `progress` hears
/// (position, head). Without room on the disk the tree is not written; what would be written is kept, up to
/// [`HELD_RECORDS_MAX`].
///
/// # Errors
/// [`ReplayError`]; the views stay at the last flush.
pub fn replay_within(
    store: &Store,
    journal: &dyn ReadJournal,
    has_room: impl Fn() -> bool,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, ReplayError> {
    let head = journal.head().position;
    let mut position = store.meta().position;
    let (mut applied, mut held) = (0, 0);
    while position < head {
        let records = journal.read_from(position + 1, REBUILD_STEP, REBUILD_BYTES)?;
        for record in &records {
            let recorded = Recorded::read(record)?;
            let mut tx = Tx::new(store, recorded.position, recorded.time_ms);
            apply(&mut tx, &recorded);
            Decided::of(tx).commit(store);
            position = recorded.position;
            applied += 1;
            held += 1;
        }
        let Some(last) = records.last() else { break };
        if has_room() {
            store.flush(position, last.header.chain_tag, LAYOUT)?;
            held = 0;
        } else if held > HELD_RECORDS_MAX {
            return Err(TreeError::Full.into());
        }
        progress(position, head);
    }
    Ok(applied)
}

/// What a view of the domain needs: shared by whoever asks questions.
#[derive(Clone)]
pub struct Views {
    /// The views.
    pub store: Arc<Store>,
    /// The journal's past.
    pub journal: Arc<dyn ReadJournal>,
}
