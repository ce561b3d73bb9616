//! What happens later, and what one keeps for oneself, as JSON.

use serde_json::{Value, json};
use startalk_client::{
    ClientError, Session, content,
    wire_types::{
        ChangeScheduled, Message, MessagePlace, OwnSticker, Reminder, Saved, ScheduleMessage, Scheduled, ScheduledEnded,
        SetReminder, StickerOrder, StickersChanged, change_stickers::Change,
    },
};

use super::{
    Command,
    account::{content_of, unhex, user_of},
    shape::{hex, message},
};

/// Carries one of these commands out; `None`: it is another one.
pub(super) async fn carry_out(session: &Session, command: &Command) -> Option<Result<Value, ClientError>> {
    let done = |()| json!({});
    Some(match command.clone() {
        Command::Schedule { to, conversation, text, code, language, at_ms, burn_s, reply_to, reply_sequence, key } => {
            let message = (|| {
                let to = if to.is_empty() { String::new() } else { user_of(&to, session)?.to_string() };
                let content = content::burning(&content_of(text, code, &language, None)?, burn_s);
                let key = if key.is_empty() { startalk_client::new_key() } else { unhex(&key)? };
                let reply_to = unhex(&reply_to)?;
                Ok(ScheduleMessage { conversation, to, content, reply_to, reply_sequence, at_ms, key })
            })();
            match message {
                Ok(message) => session.schedule_message(message).await.map(|s| scheduled(&s)),
                Err(e) => Err(e),
            }
        }
        Command::ChangeScheduled { number, at_ms, text, code, language, burn_s } => {
            let content = match (&text, &code) {
                (None, None) => Ok(None),
                _ => content_of(text, code, &language, None).map(|c| Some(content::burning(&c, burn_s))),
            };
            match content {
                Ok(content) => session.change_scheduled(ChangeScheduled { number, at_ms, content }).await.map(|s| scheduled(&s)),
                Err(e) => Err(e),
            }
        }
        Command::CancelScheduled { number } => session.cancel_scheduled(number).await.map(done),
        Command::SendScheduled { number } => session.send_scheduled(number).await.map(
            |s| json!({ "conversation": s.conversation, "sequence": s.sequence, "message_id": hex(&s.id), "time_ms": s.time_ms }),
        ),
        Command::Scheduled { after } => session
            .scheduled(after)
            .await
            .map(|l| json!({ "scheduled": l.scheduled.iter().map(scheduled).collect::<Vec<_>>(), "next": l.next })),
        Command::SetReminder { number, conversation, sequence, at_ms, note } => {
            session.set_reminder(SetReminder { number, conversation, sequence, at_ms, note }).await.map(|r| reminder(&r))
        }
        Command::EndReminder { number } => session.end_reminder(number).await.map(done),
        Command::Reminders { after } => session
            .reminders(after)
            .await
            .map(|l| json!({ "reminders": l.reminders.iter().map(reminder).collect::<Vec<_>>(), "next": l.next })),
        Command::SaveMessage { conversation, sequence, note } => {
            session.save_message(conversation, sequence, &note).await.map(|s| saved(&s))
        }
        Command::RemoveSaved { number } => session.remove_saved(number).await.map(done),
        Command::Saved { before, limit } => session
            .saved(before, limit)
            .await
            .map(|p| json!({ "saved": p.saved.iter().map(saved).collect::<Vec<_>>(), "next": p.next, "count": p.count })),
        Command::AddSticker { conversation, sequence } => {
            session.change_stickers(Change::FromMessage(MessagePlace { conversation, sequence })).await.map(done)
        }
        Command::RemoveSticker { number } => session.change_stickers(Change::Remove(number)).await.map(done),
        Command::OrderStickers { numbers } => session.change_stickers(Change::Order(StickerOrder { numbers })).await.map(done),
        Command::Stickers { skip } => session
            .stickers(skip)
            .await
            .map(|s| json!({ "stickers": s.stickers.iter().map(sticker).collect::<Vec<_>>(), "next": s.next })),
        Command::OpenMessage { conversation, sequence } => session.open_message(conversation, sequence).await.map(done),
        Command::MarkPlayed { conversation, sequences } => session.mark_played(conversation, &sequences).await.map(done),
        _ => return None,
    })
}

/// What waits to be said.
pub(super) fn scheduled(s: &Scheduled) -> Value {
    let mut value = json!({
        "number": s.number,
        "conversation": s.conversation,
        "to": s.to,
        "reply_to": hex(&s.reply_to),
        "reply_sequence": s.reply_sequence,
        "at_ms": s.at_ms,
        "failed": s.failed,
    });
    super::shape::content(&s.content, "", &mut value);
    value
}

/// What became of it.
pub(super) fn scheduled_ended(s: &ScheduledEnded) -> Value {
    json!({ "number": s.number, "said": s.said, "conversation": s.conversation, "sequence": s.sequence })
}

/// Something to be reminded of.
pub(super) fn reminder(r: &Reminder) -> Value {
    json!({
        "number": r.number,
        "conversation": r.conversation,
        "sequence": r.sequence,
        "at_ms": r.at_ms,
        "note": r.note,
        "due": r.due,
        "message": shown(r.message.as_ref()),
    })
}

/// A message that one keeps.
pub(super) fn saved(s: &Saved) -> Value {
    json!({
        "number": s.number,
        "conversation": s.conversation,
        "sequence": s.sequence,
        "saved_ms": s.saved_ms,
        "note": s.note,
        "state": s.state,
        "message": shown(s.message.as_ref()),
    })
}

fn shown(m: Option<&Message>) -> Value {
    m.map_or(Value::Null, message)
}

fn sticker(s: &OwnSticker) -> Value {
    let shown = content::sticker(&s.sticker);
    json!({ "number": s.number, "hash": hex(&shown.hash), "name": shown.name, "code": shown.code, "pack": shown.pack })
}

/// What changed among the stickers.
pub(super) fn stickers(s: &StickersChanged) -> Value {
    json!({ "added": s.added.as_ref().map(sticker), "removed": s.removed, "order": s.order })
}
