//! Messages that are said at a time: scheduling, changing, cancelling, and saying them.

use bytes::Bytes;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error, MessageId, limits,
    pb::events as pb,
    sabotage::{self, Switch},
};

use super::{AllScheduled, Scheduled, scheduled, stream};
use crate::{
    command::{Answer, Target},
    context::Ctx,
    conversations::{
        self, Said,
        content::{self, Holds},
        record_at,
    },
    erasure,
    event::{Event, Recorded},
    files, groups,
    store::{New, Read, Tx},
};

/// What is to be said, where and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScheduled {
    /// Where.
    pub to: Target,
    /// What: content.Content.
    pub content: Bytes,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// In a group instead; 0: none.
    pub reply_sequence: u64,
    /// When, milliseconds since 1970. A time that is past is at once.
    pub at_ms: u64,
    /// Chosen by whoever asks: the same again is the same message.
    pub key: [u8; 16],
}

/// What a scheduled message says, and to whom if it has no conversation yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// name@domain, or empty.
    pub to: String,
    /// content.Content
    pub content: Bytes,
}

/// What this one says; `None` if it cannot be read.
pub fn written(journal: &dyn ReadJournal, entry: &Scheduled) -> Option<Written> {
    written_in(Recorded::read(&journal.read(entry.position).ok()?).ok()?)
}

fn written_in(record: Recorded) -> Option<Written> {
    let Event::MessageScheduled(_, Some(body)) = record.event else { return None };
    Some(Written { to: body.value.to, content: body.value.content })
}

fn entry(all: &AllScheduled, number: u64) -> Result<Scheduled, Error> {
    all.entries.iter().find(|e| e.number == number).cloned().ok_or_else(|| Code::NoSuchThing.into())
}

/// Milliseconds since 1970 of something that is to happen by itself: not so far ahead that nobody knows of it any more.
pub(super) fn check_time(ctx: &Ctx, at_ms: u64) -> Result<(), Error> {
    let last_ms = ctx.now_ms.saturating_add(limits::LATER_MS_MAX);
    if (1..=last_ms).contains(&at_ms) {
        return Ok(());
    }
    Err(Error::new(Code::BadValue).with("field", "at_ms").with("expected", "a time within a year"))
}

/// Has something said at a time.
pub(crate) fn schedule(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: NewScheduled) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let all = scheduled(tx, account);
    if let Some((_, number)) = all.keys.iter().find(|(key, _)| *key == new.key) {
        return Ok(Answer::Number(*number));
    }
    check_time(ctx, new.at_ms)?;
    let (conversation, to) = match &new.to {
        Target::Conversation(number) => (*number, String::new()),
        Target::User(user) => (0, user.to_string()),
    };
    if conversation != 0 {
        conversations::reader(tx, conversation, account)?;
    }
    let held = check(tx, conversation, &new.content)?;
    let files = files::to_say(tx, ctx, account, &held.files)?;
    if all.entries.len() >= limits::SCHEDULED_MAX {
        return Err(Error::new(Code::TooMany).with("what", "scheduled messages").with("max", limits::SCHEDULED_MAX));
    }
    let number = all.last + 1;
    let facts = pb::MessageScheduled {
        account,
        number,
        at_ms: new.at_ms,
        conversation,
        reply_to: new.reply_to.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.0)),
        reply_sequence: new.reply_sequence,
        key: Bytes::copy_from_slice(&new.key),
        replaces: 0,
        files,
    };
    let body = ctx.salted(pb::MessageScheduledBody { to, content: new.content });
    tx.emit(New { conversation: stream, event: Event::MessageScheduled(facts, Some(body)) });
    Ok(Answer::Number(number))
}

/// Judged now, so that whoever writes it is told at once; when it is said it is judged again.
fn check(read: &impl Read, conversation: u64, content: &[u8]) -> Result<Holds, Error> {
    match groups::group(read, conversation) {
        Some(_) => content::check_in_group(content),
        None => content::check(content, content::Kinds::All),
    }
}

/// Another time, or other words; what had failed waits again.
pub(crate) fn change(
    tx: &mut Tx,
    ctx: &mut Ctx,
    account: u64,
    number: u64,
    at_ms: Option<u64>,
    content: Option<Bytes>,
) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let old = entry(&scheduled(tx, account), number)?;
    let before = record_at(tx, ctx, old.position).and_then(written_in).ok_or(Code::Internal)?;
    let (at_ms, new) = (at_ms.unwrap_or(old.at_ms), content.unwrap_or_else(|| before.content.clone()));
    if at_ms == old.at_ms && new == before.content && old.failed.is_empty() {
        return Ok(Answer::Number(number));
    }
    check_time(ctx, at_ms)?;
    let held = check(tx, old.conversation, &new)?;
    let files = files::to_say(tx, ctx, account, &held.files)?;
    let facts = pb::MessageScheduled {
        account,
        number,
        at_ms,
        conversation: old.conversation,
        reply_to: old.reply_to.clone().into(),
        reply_sequence: old.reply_sequence,
        key: Bytes::new(),
        replaces: old.position,
        files,
    };
    let body = ctx.salted(pb::MessageScheduledBody { to: before.to, content: new });
    tx.emit(New { conversation: stream, event: Event::MessageScheduled(facts, Some(body)) });
    erasure::erase(tx, vec![old.position], "superseded");
    Ok(Answer::Number(number))
}

/// It is not said.
pub(crate) fn cancel(tx: &mut Tx, account: u64, number: u64) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let old = entry(&scheduled(tx, account), number)?;
    let facts = pb::ScheduledEnded { account, number, ..pb::ScheduledEnded::default() };
    tx.emit(New { conversation: stream, event: Event::ScheduledEnded(facts, None) });
    erasure::erase(tx, vec![old.position], "cancelled");
    Ok(Answer::Done)
}

/// It is said now; if it cannot be, it stays as it is.
pub(crate) fn send_now(tx: &mut Tx, ctx: &mut Ctx, account: u64, number: u64) -> Result<Answer, Error> {
    let entry = entry(&scheduled(tx, account), number)?;
    say(tx, ctx, account, &entry)
}

/// Its time has come: it is said, or it stays with the reason why not.
pub(super) fn is_due(tx: &mut Tx, ctx: &mut Ctx, account: u64, number: u64) {
    let Ok(entry) = entry(&scheduled(tx, account), number) else { return };
    let before = tx.savepoint();
    if let Err(error) = say(tx, ctx, account, &entry) {
        tx.undo_to(before);
        let stream = crate::accounts::account(tx, account).map_or(0, |a| a.stream);
        let facts = pb::ScheduledFailed { account, number, code: error.code.as_str().to_owned() };
        tx.emit(New { conversation: stream, event: Event::ScheduledFailed(facts, None) });
    }
}

/// Says it, by the rules of this moment, and ends the entry with it.
fn say(tx: &mut Tx, ctx: &mut Ctx, account: u64, entry: &Scheduled) -> Result<Answer, Error> {
    let stream = stream(tx, account).map_err(|_| Error::new(Code::AccountDisabled).with("domain", ctx.domain))?;
    let Written { to, content } = record_at(tx, ctx, entry.position).and_then(written_in).ok_or(Code::Internal)?;
    let to = match entry.conversation {
        0 => Target::User(to.parse().map_err(|_| Code::Internal)?),
        number => Target::Conversation(number),
    };
    let reply_to = MessageId::from_slice(&entry.reply_to).ok();
    let said = Said { content, reply_to, reply_sequence: entry.reply_sequence, known_id: None };
    let answer = conversations::send_later(tx, ctx, account, &to, entry.number, said)?;
    let Answer::Sent { conversation, sequence, .. } = answer else { return Err(Code::Internal.into()) };
    if !sabotage::is(Switch::ScheduledTwice) {
        let facts = pb::ScheduledEnded { account, number: entry.number, said: true, conversation, sequence };
        tx.emit(New { conversation: stream, event: Event::ScheduledEnded(facts, None) });
        erasure::erase(tx, vec![entry.position], "said");
    }
    Ok(answer)
}
