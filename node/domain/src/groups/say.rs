//! Saying something in a group, changing it, taking it back.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Code, Error, MessageId,
    pb::group::{Edit, Message, Recall, Submission, submission::Action},
};

use super::{
    Group, Member, change_of,
    decide::author_of,
    member_of, of_reader, rights,
    submit::{By, Deed, perform},
};
use crate::{
    command::{Actor, Answer},
    context::Ctx,
    conversations::{Said, Which, content, in_time, record_at, record_of},
    delivery::{self, Numbered},
    erasure,
    event::{Event, Recorded},
    files, governance, quotas, retention,
    store::Tx,
    timeline,
};

/// Records looked at for a message that a device says it was told the id of, before the home went back.
const KNOWN_LOOK_BACK: u64 = 4096;
/// Records looked at by one [`erase_authored`]; the command is repeated until it is through.
const ERASE_STEP: u64 = 2000;

/// A message.
pub(crate) fn send(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, group: &Group, counter: u64, said: Said) -> Result<Answer, Error> {
    let by = By { actor, counter };
    let action = said_as(&said, MessageId([0; 16]));
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, counter)? {
        return same_again(tx, ctx, position, by, group.conversation, &action, Some(&said.content));
    }
    say(tx, ctx, actor, group, counter, said)
}

fn said_as(said: &Said, id: MessageId) -> Action {
    let (reply_to, at_all) = (said.reply_sequence, content::calls_everybody(&said.content));
    Action::Message(Message { id: Bytes::copy_from_slice(&id.0), reply_to, at_all })
}

/// The same, by a number that was not used before; device 0: none, what was scheduled is said.
pub(crate) fn say(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, group: &Group, counter: u64, said: Said) -> Result<Answer, Error> {
    let by = By { actor, counter };
    let me = me(tx, group, actor)?;
    if let Some(known) = said.known_id
        && let Some(recorded) = known_message(tx, ctx, group, &me, known)
    {
        let (conversation, sequence) = (group.conversation, recorded.sequence);
        return Ok(Answer::Sent { conversation, sequence, id: known, time_ms: recorded.time_ms });
    }
    let id = said.known_id.unwrap_or_else(|| ctx.message_id());
    let said_bytes = quotas::counted(tx, ctx, actor.account, 1, &said.content)?;
    let deed = Deed { said_bytes, ..Deed::new(said_as(&said, id), Some(said.content)) };
    perform(tx, ctx, group, Some(&me), by, deed)
}

/// What a record of a group's log says, if it is a message that was neither changed nor taken back.
pub(crate) fn said_in(tx: &Tx, ctx: &Ctx, record: &Recorded) -> Option<Bytes> {
    let Event::GroupRecorded(f, body) = &record.event else { return None };
    let submission = Submission::decode(f.submission.as_ref()).ok()?;
    let changed = change_of(tx, record.conversation, record.sequence).is_some_and(|c| c.recalled_by != 0 || !c.edits.is_empty());
    let gone = changed || retention::is_gone(tx, retention::Kind::Group, record.position);
    if gone || !matches!(submission.action, Some(Action::Message(_))) {
        return None;
    }
    if f.submitted_at == 0 {
        return body.as_ref().map(|b| b.value.0.clone());
    }
    match record_at(tx, ctx, f.submitted_at)?.event {
        Event::GroupSubmitted(_, Some(body)) => Some(body.value.written),
        _ => None,
    }
}

/// Another content for an own message.
pub(crate) fn edit(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, which: Which, content: Bytes) -> Result<Answer, Error> {
    let (by, group) = (By { actor, counter: which.counter }, of_reader(tx, which.conversation, actor.account)?.0);
    let action = Action::Edit(Edit { target: which.sequence });
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, which.counter)? {
        return same_again(tx, ctx, position, by, which.conversation, &action, Some(&content));
    }
    let me = me(tx, &group, actor)?;
    if author_of(tx, ctx, &group, which.sequence)? != me.member {
        return Err(Code::Forbidden.into());
    }
    still_open(tx, ctx, which, governance::realm(tx).edit_window_ms)?;
    let original = timeline::position(tx, which.conversation, which.sequence).ok_or(Code::NoSuchMessage)?;
    files::stay(tx, ctx, original, &content::held(&content).files)?;
    let said_bytes = quotas::counted(tx, ctx, actor.account, 0, &content)?;
    let deed = Deed { said_bytes, ..Deed::new(action, Some(content)) };
    perform(tx, ctx, &group, Some(&me), by, deed)
}

/// Takes a message back: one's own within the window, or another's who stands below.
pub(crate) fn recall(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, which: Which) -> Result<Answer, Error> {
    let (by, group) = (By { actor, counter: which.counter }, of_reader(tx, which.conversation, actor.account)?.0);
    let action = Action::Recall(Recall { target: which.sequence });
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, which.counter)? {
        return same_again(tx, ctx, position, by, which.conversation, &action, None);
    }
    let me = me(tx, &group, actor)?;
    let author = author_of(tx, ctx, &group, which.sequence)?;
    let others = author != me.member;
    if others && !rights::may_take_back(&me, super::member(tx, which.conversation, author).as_ref()) {
        return Err(Code::Forbidden.into());
    }
    if !others && me.role == super::Role::Member {
        still_open(tx, ctx, which, governance::realm(tx).recall_window_ms)?;
    }
    perform(tx, ctx, &group, Some(&me), by, Deed::new(action, None))
}

fn still_open(tx: &Tx, ctx: &Ctx, which: Which, window_ms: i64) -> Result<(), Error> {
    if change_of(tx, which.conversation, which.sequence).is_some_and(|c| c.recalled_by != 0) {
        return Err(Code::Recalled.into());
    }
    let record = record_of(tx, ctx, which.conversation, which.sequence).ok_or(Code::NoSuchMessage)?;
    in_time(ctx, &record, window_ms)
}

pub(super) fn me(tx: &Tx, group: &Group, actor: Actor) -> Result<Member, Error> {
    member_of(tx, group.conversation, actor.account).ok_or_else(|| Code::NotMember.into())
}

/// The message with this id by this member among the last ones.
fn known_message(tx: &Tx, ctx: &Ctx, group: &Group, me: &Member, id: MessageId) -> Option<Recorded> {
    let head = timeline::head(tx, group.conversation).sequence;
    let from = head.saturating_sub(KNOWN_LOOK_BACK).max(1);
    (from..=head).rev().filter_map(|s| record_of(tx, ctx, group.conversation, s)).find(|record| {
        let Event::GroupRecorded(f, _) = &record.event else { return false };
        let Ok(submission) = Submission::decode(f.submission.as_ref()) else { return false };
        submission.author == me.member && matches!(submission.action, Some(Action::Message(m)) if m.id == id.0[..])
    })
}

/// The command was executed before: the same answer, if it is the same command.
pub(super) fn same_again(
    tx: &Tx,
    ctx: &Ctx,
    position: u64,
    by: By,
    conversation: u64,
    action: &Action,
    written: Option<&[u8]>,
) -> Result<Answer, Error> {
    let conflict = || Error::new(Code::Conflict).with("counter", by.counter);
    let record = record_at(tx, ctx, position).ok_or(Code::Internal)?;
    let (there, submission, said, sequence) = match &record.event {
        Event::GroupRecorded(f, body) => {
            (record.conversation, &f.submission, body.as_ref().map(|b| b.value.0.clone()), record.sequence)
        }
        Event::GroupSubmitted(f, body) => (f.conversation, &f.submission, body.as_ref().map(|b| b.value.written.clone()), 0),
        _ => return Err(conflict()),
    };
    let submission = Submission::decode(submission.as_ref()).map_err(|_| Code::Internal)?;
    let mut done = submission.action.ok_or(Code::Internal)?;
    let mut id = MessageId([0; 16]);
    if let Action::Message(m) = &mut done {
        id = MessageId::from_slice(&m.id).map_err(|_| Code::Internal)?;
        m.id = Bytes::copy_from_slice(&[0; 16]);
    }
    if let (Action::MakeLink(link), Action::MakeLink(asked)) = (&mut done, action) {
        link.not_after_ms = asked.not_after_ms; // reckoned from the moment of asking
    }
    // What was written may be erased by now; then the rest decides.
    let differs = said.is_some_and(|said| written.is_some_and(|written| said != written));
    if there != conversation || done != *action || differs {
        return Err(conflict());
    }
    Ok(Answer::Sent { conversation, sequence, id, time_ms: record.time_ms })
}

/// Erases what a deleted account wrote in a group, a stretch at a time.
pub(crate) fn erase_authored(tx: &mut Tx, ctx: &mut Ctx, account: u64, conversation: u64, from: u64) -> Result<Answer, Error> {
    let me = member_of(tx, conversation, account).ok_or(Code::NoSuchConversation)?;
    let head = timeline::head(tx, conversation).sequence;
    let last = head.min(from + ERASE_STEP - 1);
    let mut positions = Vec::new();
    for position in timeline::positions(tx, conversation, from, last).into_iter().filter(|p| *p != 0) {
        let Some(record) = record_at(tx, ctx, position) else { continue };
        let Event::GroupRecorded(f, body) = &record.event else { continue };
        let Ok(submission) = Submission::decode(f.submission.as_ref()) else { continue };
        let theirs = submission.author == me.member && matches!(submission.action, Some(Action::Message(_) | Action::Edit(_)));
        if theirs && (body.is_some() || f.submitted_at != 0) {
            positions.push(super::apply::body_at(&record, f));
        }
    }
    erasure::erase(tx, positions, "account deleted");
    Ok(if last < head { Answer::More { conversation, from: last + 1 } } else { Answer::Done })
}
