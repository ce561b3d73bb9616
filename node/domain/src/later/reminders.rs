//! Reminders: of a message, or of what a note says.

use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::{Reminder, reminders, scheduled::check_time, stream};
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    conversations::{self, record_at},
    directory, erasure,
    event::{Event, Recorded},
    store::{New, Tx},
};

/// What somebody wants to be reminded of, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewReminder {
    /// One that is there; 0: a new one.
    pub number: u64,
    /// Of a message; 0: of none.
    pub conversation: u64,
    /// Its number there.
    pub sequence: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// One's own words.
    pub note: String,
}

fn note_in(record: Recorded) -> Option<String> {
    let Event::ReminderSet(_, Some(body)) = record.event else { return None };
    Some(body.value.note)
}

/// A note that one makes for oneself.
///
/// # Errors
/// `bad-value`.
pub(crate) fn check_note(note: &str) -> Result<(), Error> {
    let plain = note.chars().all(|c| c == '\n' || directory::is_harmless(c));
    if plain && note.chars().count() <= limits::NOTE_CHARS_MAX {
        return Ok(());
    }
    let expected = format!("at most {} characters of plain text", limits::NOTE_CHARS_MAX);
    Err(Error::new(Code::BadValue).with("field", "note").with("expected", expected))
}

/// Sets a new one, or another time or note; one that was due waits again.
pub(crate) fn set(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: NewReminder) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let NewReminder { number, conversation, sequence, at_ms, note } = new;
    let note = note.trim().to_owned();
    check_time(ctx, at_ms)?;
    check_note(&note)?;
    if conversation != 0 {
        conversations::check_readable(tx, account, conversation, sequence)?;
    } else if note.is_empty() {
        return Err(Error::new(Code::BadValue).with("field", "note").with("expected", "a note, or a message"));
    }
    let all = reminders(tx, account);
    let same = |e: &&Reminder| {
        (e.conversation, e.sequence, e.at_ms, e.due_at) == (conversation, sequence, at_ms, 0)
            && record_at(tx, ctx, e.position).and_then(note_in).as_ref() == Some(&note)
    };
    if let Some(there) = all.entries.iter().filter(|e| number == 0 || e.number == number).find(same) {
        return Ok(Answer::Number(there.number));
    }
    let old = all.entries.iter().find(|e| e.number == number);
    if number != 0 && old.is_none() {
        return Err(Code::NoSuchThing.into());
    }
    if old.is_none() && all.entries.len() >= limits::REMINDERS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "reminders").with("max", limits::REMINDERS_MAX));
    }
    let (number, replaces) = old.map_or((all.last + 1, 0), |old| (number, old.position));
    let facts = pb::ReminderSet { account, number, at_ms, conversation, sequence, replaces };
    let body = ctx.salted(pb::ReminderSetBody { note });
    tx.emit(New { conversation: stream, event: Event::ReminderSet(facts, Some(body)) });
    if replaces != 0 {
        erasure::erase(tx, vec![replaces], "superseded");
    }
    Ok(Answer::Number(number))
}

/// It is done with.
pub(crate) fn end(tx: &mut Tx, account: u64, number: u64) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let all = reminders(tx, account);
    let old = all.entries.iter().find(|e| e.number == number).ok_or(Code::NoSuchThing)?;
    tx.emit(New { conversation: stream, event: Event::ReminderMoved(pb::ReminderMoved { account, number, due: false }, None) });
    erasure::erase(tx, vec![old.position], "done");
    Ok(Answer::Done)
}

/// Its time has come.
pub(super) fn is_due(tx: &mut Tx, account: u64, number: u64) {
    let stream = accounts::account(tx, account).map_or(0, |a| a.stream);
    tx.emit(New { conversation: stream, event: Event::ReminderMoved(pb::ReminderMoved { account, number, due: true }, None) });
}

/// Reminds an account at once of what is said, where it has room for one more: for what the domain has to say to somebody.
pub(crate) fn remind_now(tx: &mut Tx, ctx: &mut Ctx, account: u64, note: &str) {
    let new = NewReminder { at_ms: ctx.now_ms, note: note.to_owned(), ..NewReminder::default() };
    if let Ok(Answer::Number(number)) = set(tx, ctx, account, new) {
        is_due(tx, account, number);
    }
}
