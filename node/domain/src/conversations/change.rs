//! Editing and taking back: by the author, within the windows of the author's domain.

use bytes::Bytes;
use startalk_protocol::{Code, Error, MessageId, pb::events as pb};

use super::{
    Direct, change_of, content, of_member,
    send::{check_actor, may_write, record_at, record_of},
    window::in_time,
};
use crate::{
    command::{Actor, Answer},
    context::Ctx,
    delivery::{self, Numbered},
    directory::HERE,
    erasure,
    event::{Event, Raw, Recorded},
    files, governance, groups, outbox, quotas,
    store::{New, Tx},
    timeline,
};

/// Records looked at by one [`erase_authored`]; the command is repeated until it is through.
const ERASE_STEP: u64 = 2000;

/// Which message, by which command.
#[derive(Clone, Copy)]
pub(crate) struct Which {
    pub conversation: u64,
    pub sequence: u64,
    pub counter: u64,
}

pub(crate) fn edit(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, which: Which, content: Bytes) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    if groups::group(tx, which.conversation).is_some() {
        return groups::edit(tx, ctx, actor, which, content);
    }
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, which.counter)? {
        return same_again(tx, ctx, position, which, Some(&content));
    }
    let direct = (*of_member(tx, which.conversation, actor.account)?).clone();
    let stranger = direct.peer == HERE && direct.request && direct.b == actor.account;
    let held = content::check(&content, if stranger { content::Kinds::TextOnly } else { content::Kinds::All })?;
    may_write(tx, ctx, &direct, actor.account)?;
    let (id, position) = own_message(tx, ctx, actor, which, governance::realm(tx).edit_window_ms)?;
    files::stay(tx, ctx, position, &held.files)?;
    super::burn::check_same(&record_at(tx, ctx, position).ok_or(Code::Internal)?, &content)?;
    let said_bytes = quotas::counted(tx, ctx, actor.account, 0, &content)?;
    let body = ctx.salted(Raw(content));
    let out = (direct.peer != HERE).then(|| {
        let item = outbox::edit_item(tx, &direct, actor.account, id, &body, ctx.now_ms);
        outbox::next(tx, direct.peer, &item)
    });
    let facts = pb::MessageEdited {
        target: which.sequence,
        author: actor.account,
        device: actor.device,
        counter: which.counter,
        r#in: None,
        out,
        said_bytes,
    };
    let record = tx.emit(New { conversation: which.conversation, event: Event::MessageEdited(facts, Some(body)) });
    Ok(Answer::Sent { conversation: which.conversation, sequence: record.sequence, id, time_ms: record.time_ms })
}

pub(crate) fn recall(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, which: Which) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    if groups::group(tx, which.conversation).is_some() {
        return groups::recall(tx, ctx, actor, which);
    }
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, which.counter)? {
        return same_again(tx, ctx, position, which, None);
    }
    let direct = of_member(tx, which.conversation, actor.account)?;
    let (id, original) = own_message(tx, ctx, actor, which, governance::realm(tx).recall_window_ms)?;
    let out = (direct.peer != HERE).then(|| {
        let item = outbox::recall_item(tx, &direct, actor.account, id, ctx.now_ms);
        outbox::next(tx, direct.peer, &item)
    });
    let facts = pb::MessageRecalled {
        target: which.sequence,
        author: actor.account,
        device: actor.device,
        counter: which.counter,
        r#in: None,
        out,
    };
    let record = tx.emit(New { conversation: which.conversation, event: Event::MessageRecalled(facts, None) });
    let answer = Answer::Sent { conversation: which.conversation, sequence: record.sequence, id, time_ms: record.time_ms };
    erasure::erase(tx, bodies(tx, which.conversation, which.sequence, original), "recalled");
    Ok(answer)
}

/// Positions of everything that a message ever said.
pub(super) fn bodies(tx: &Tx, conversation: u64, sequence: u64, original: u64) -> Vec<u64> {
    let mut positions = vec![original];
    if let Some(change) = change_of(tx, conversation, sequence) {
        positions.extend(change.older_edits);
        positions.extend((change.edit != 0).then_some(change.edit));
    }
    positions
}

/// Id and position of the actor's own message, if it may still be changed.
fn own_message(tx: &Tx, ctx: &Ctx, actor: Actor, which: Which, window_ms: i64) -> Result<(MessageId, u64), Error> {
    let record = record_of(tx, ctx, which.conversation, which.sequence).ok_or(Code::NoSuchMessage)?;
    let Event::MessageAdded(facts, _) = &record.event else { return Err(Code::NoSuchMessage.into()) };
    if facts.author != actor.account {
        return Err(Code::Forbidden.into());
    }
    if change_of(tx, which.conversation, which.sequence).is_some_and(|c| c.recalled || c.burnt) {
        return Err(Code::Recalled.into());
    }
    in_time(ctx, &record, window_ms)?;
    let id = MessageId::from_slice(&facts.id).map_err(|_| Code::Internal)?;
    Ok((id, record.position))
}

fn same_again(tx: &Tx, ctx: &Ctx, position: u64, which: Which, content: Option<&Bytes>) -> Result<Answer, Error> {
    let conflict = || Error::new(Code::Conflict).with("counter", which.counter);
    let record = record_at(tx, ctx, position).ok_or(Code::Internal)?;
    let target = match (&record.event, content) {
        (Event::MessageEdited(f, body), Some(content)) if body.as_ref().is_none_or(|b| b.value.0 == *content) => f.target,
        (Event::MessageRecalled(f, _), None) => f.target,
        _ => return Err(conflict()),
    };
    if (record.conversation, target) != (which.conversation, which.sequence) {
        return Err(conflict());
    }
    let original = record_of(tx, ctx, which.conversation, target).ok_or(Code::Internal)?;
    let Event::MessageAdded(facts, _) = &original.event else { return Err(conflict()) };
    let id = MessageId::from_slice(&facts.id).map_err(|_| Code::Internal)?;
    Ok(Answer::Sent { conversation: record.conversation, sequence: record.sequence, id, time_ms: record.time_ms })
}

/// The other domain refused an item of ours: the author sees it at the message.
pub(crate) fn refused(tx: &mut Tx, ctx: &Ctx, peer: u64, position: u64, code: &str) -> Result<Answer, Error> {
    let record = record_at(tx, ctx, position).ok_or(Code::Internal)?;
    let target = match &record.event {
        Event::MessageAdded(..) => record.sequence,
        Event::MessageEdited(f, _) => f.target,
        Event::MessageRecalled(f, _) => f.target,
        Event::GroupSubmitted(f, _) => return groups::refused(tx, f, code),
        _ => return Ok(Answer::Done),
    };
    if change_of(tx, record.conversation, target).is_none_or(|c| c.refused.is_empty()) {
        let facts = pb::ItemRefused { peer, target, code: code.into() };
        tx.emit(New { conversation: record.conversation, event: Event::ItemRefused(facts, None) });
    }
    Ok(Answer::Done)
}

/// Erases what a deleted account wrote, a stretch of one conversation at a time.
pub(crate) fn erase_authored(tx: &mut Tx, ctx: &Ctx, account: u64, direct: &Direct, from: u64) -> Result<Answer, Error> {
    let conversation = direct.conversation;
    let head = timeline::head(tx, conversation).sequence;
    let last = head.min(from + ERASE_STEP - 1);
    let mut positions = Vec::new();
    for position in timeline::positions(tx, conversation, from, last) {
        let Some(record) = record_at(tx, ctx, position) else { continue };
        let author = match &record.event {
            Event::MessageAdded(f, Some(_)) => f.author,
            Event::MessageEdited(f, Some(_)) => f.author,
            _ => continue,
        };
        if author == account {
            positions.push(position);
        }
    }
    erasure::erase(tx, positions, "account deleted");
    Ok(if last < head { Answer::More { conversation, from: last + 1 } } else { Answer::Done })
}

/// What [`Recorded`] says of an author's change to a message of another domain; see [`super::receive`].
pub(super) fn is_message_by(record: &Recorded, author: u64) -> bool {
    matches!(&record.event, Event::MessageAdded(f, _) if f.author == author)
}
