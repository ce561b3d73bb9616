//! What somebody here does in a group whose home is elsewhere: judged here as far as we know, sent to the home, and waiting
//! until its log has it, or never can.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Code, Error, MessageId, group as chain, limits,
    pb::{
        events as pb,
        group::{Submission, submission::Action},
    },
    sabotage::{self, Switch},
};

use super::{
    Group, Member, number_key,
    record::record,
    record::{Said, Submitted},
    rights, views,
};
use crate::{
    command::{Actor, Answer},
    context::Ctx,
    directory::{self, HERE},
    domain::COMMAND_RECORDS_MAX,
    event::{Event, Raw},
    files, outbox,
    store::{New, Read, Tx},
};

/// Numbers in a millisecond. The time stands above, so that a node that was restored from an older copy does not use a
/// number again, whether it knows that it was or not.
const NUMBERS_PER_MS: u64 = 1 << 16;

/// Who does it, by which command.
#[derive(Clone, Copy)]
pub(super) struct By {
    pub(super) actor: Actor,
    pub(super) counter: u64,
}

/// What is done.
pub(super) struct Deed {
    pub(super) action: Action,
    /// What is written with it.
    pub(super) written: Option<Bytes>,
    /// Of a link.
    pub(super) secret: Bytes,
    /// The home is asked whatever we know here.
    pub(super) in_any_case: bool,
    /// Bytes that count to the author's day.
    pub(super) said_bytes: u64,
}

impl Deed {
    pub(super) fn new(action: Action, written: Option<Bytes>) -> Self {
        Self { action, written, secret: Bytes::new(), in_any_case: false, said_bytes: 0 }
    }

    fn id(&self) -> MessageId {
        match &self.action {
            Action::Message(m) => MessageId::from_slice(&m.id).unwrap_or(MessageId([0; 16])),
            _ => MessageId([0; 16]),
        }
    }
}

/// Does it: records it if this domain is the home, submits it if not. `me`: the member; `None` for who joins.
///
/// # Errors
/// Why it may not be done.
pub(super) fn perform(
    tx: &mut Tx,
    ctx: &mut Ctx,
    group: &Group,
    me: Option<&Member>,
    by: By,
    deed: Deed,
) -> Result<Answer, Error> {
    let (id, author) = (deed.id(), me.map_or(0, |m| m.member));
    let Deed { action, written, secret, in_any_case, said_bytes } = deed;
    let said_edit = said_bytes != 0 && matches!(action, Action::Edit(_));
    if group.is_home() {
        let submission = Submission { author, action: Some(action), ..Submission::default() };
        let written = written.map(|w| ctx.salted(Raw(w)));
        let mut submitted = Submitted::here(submission, written, by.actor.device, by.counter);
        submitted.secret = secret;
        submitted.said = Said { by: by.actor.account, bytes: said_bytes, edit: said_edit };
        let recorded = record(tx, ctx, group, submitted)?;
        let (conversation, sequence, time_ms) = (group.conversation, recorded.sequence, recorded.time_ms);
        return Ok(Answer::Sent { conversation, sequence, id, time_ms });
    }
    if !in_any_case {
        may_submit(tx, ctx, group, me, &action, written.as_deref())?;
    }
    let (files, holds) = files::in_group(tx, ctx, HERE, by.actor.account, Some(&action), written.as_deref())?;
    // Who leaves, leaves, and who joins, waits, however long the home is away.
    let patient = matches!(action, Action::Leave(_) | Action::Join(_));
    let leaves = matches!(action, Action::Leave(_));
    let now_ms = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX);
    let submission = Submission {
        number: next_number(tx, ctx, group.conversation),
        not_after_ms: if patient { 0 } else { now_ms.saturating_add(limits::GROUP_SUBMISSION_MS) },
        author,
        action: Some(action),
    };
    let bytes = Bytes::from(submission.encode_to_vec());
    let body = (written.is_some() || !secret.is_empty())
        .then(|| ctx.salted(pb::GroupSubmittedBody { written: written.unwrap_or_default(), secret }));
    let from = directory::person(tx, by.actor.account).map(|p| p.name.clone()).unwrap_or_default();
    let item = outbox::group_submission_item(from, &group.id, &bytes, body.as_ref(), ctx.now_ms);
    let facts = pb::GroupSubmitted {
        conversation: group.conversation,
        submission: bytes,
        account: by.actor.account,
        device: by.actor.device,
        counter: by.counter,
        out: Some(outbox::next(tx, group.home, &item)),
        said_bytes,
        said_edit,
        files,
        holds,
    };
    tx.emit(New { conversation: 0, event: Event::GroupSubmitted(facts, body) });
    if leaves {
        let facts = pb::GroupLeaving { conversation: group.conversation, account: by.actor.account };
        tx.emit(New { conversation: 0, event: Event::GroupLeaving(facts, None) });
    }
    Ok(Answer::Sent { conversation: group.conversation, sequence: 0, id, time_ms: ctx.now_ms })
}

/// What we know may be outdated, so this only spares the way to the home; the home decides.
fn may_submit(
    tx: &Tx,
    ctx: &Ctx,
    group: &Group,
    me: Option<&Member>,
    action: &Action,
    written: Option<&[u8]>,
) -> Result<(), Error> {
    rights::check_written(action, written)?;
    let home = directory::domain_of(tx, group.home).ok_or(Code::Internal)?;
    if group.equivocated && !matches!(action, Action::Leave(_)) {
        return Err(Error::new(Code::Equivocation).with("domain", &home));
    }
    directory::number_or_refuse(tx, ctx, &home)?;
    if views::waiting(tx, group.conversation).len() >= limits::GROUP_WAITING_MAX {
        return Err(Error::new(Code::TooMany).with("what", "waiting").with("max", limits::GROUP_WAITING_MAX));
    }
    if group.renewed_as != 0 {
        return Err(Error::new(Code::NotAllowedHere).with("what", "writing in the part of a group that its home has lost"));
    }
    match me {
        Some(_) if !group.begun => Err(Error::new(Code::HomeUnknown).with("domain", home)),
        Some(me) if group.leaving.contains(&me.person) => Err(Code::NotMember.into()),
        Some(me) => rights::may(tx, group, me, action, i64::try_from(ctx.now_ms).unwrap_or(i64::MAX)),
        None if matches!(action, Action::Join(_)) => Ok(()),
        None => Err(Code::NotMember.into()),
    }
}

fn next_number(read: &impl Read, ctx: &Ctx, conversation: u64) -> u64 {
    let last = read.get::<u64>(&number_key(conversation)).map_or(0, |n| *n);
    (last + 1).max(ctx.now_ms.saturating_mul(NUMBERS_PER_MS))
}

/// What the home will have chained, of a submission of ours.
pub(super) fn hash(group: &Group, submission: &[u8], written: &[u8]) -> Option<[u8; 32]> {
    let id = group.id.parse().ok()?;
    Some(chain::submission_hash(&id, submission, &chain::body_hash(written)))
}

/// The home refused our submission at this position of the journal.
pub(crate) fn refused(tx: &mut Tx, facts: &pb::GroupSubmitted, code: &str) -> Result<Answer, Error> {
    let number = Submission::decode(facts.submission.as_ref()).map_err(|_| Code::Internal)?.number;
    end(tx, facts.conversation, number, code, 0);
    Ok(Answer::Done)
}

/// Ends what the log of the home, as it stands now, can never have any more: its time has passed, and it is not there.
pub(crate) fn ended(tx: &mut Tx, conversation: u64, home_time_ms: i64) {
    for waits in views::waiting(tx, conversation).iter() {
        // A command that would write too much is refused whole, the entries with the endings, each time anew.
        if tx.records_of_command().len() >= COMMAND_RECORDS_MAX {
            return; // the others end with the next look at the home's log
        }
        let over = waits.not_after_ms != 0 && home_time_ms > waits.not_after_ms;
        if over || sabotage::is(Switch::FailedTooSoon) {
            end(tx, conversation, waits.number, Code::Expired.as_str(), home_time_ms);
        }
    }
}

pub(super) fn end(tx: &mut Tx, conversation: u64, number: u64, code: &str, home_time_ms: i64) {
    if let Some(waits) = views::waiting(tx, conversation).iter().find(|w| w.number == number) {
        let (account, device, counter) = (waits.account, waits.device, waits.counter);
        let code = code.to_owned();
        let facts = pb::GroupSubmissionEnded { conversation, number, code, account, device, counter, home_time_ms };
        tx.emit(New { conversation: 0, event: Event::GroupSubmissionEnded(facts, None) });
    }
}
