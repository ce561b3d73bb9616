//! What is one's own, as JSON: what is kept about people, and what one has said of oneself.

use serde::Deserialize;
use serde_json::{Value, json};
use startalk_client::{
    ClientError, Session,
    wire_types::{ArrangeConversation, AutoReply, Availability, KeepPerson, Openness, Own, PersonKept, Schedule, Span},
};

use super::Command;

/// A stretch of a weekly schedule.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    days: u32,
    from_min: u32,
    until_min: u32,
}

/// Carries one of these commands out; `None`: it is another one.
pub(super) async fn carry_out(session: &Session, command: &Command) -> Option<Result<Value, ClientError>> {
    let done = |()| json!({});
    Some(match command.clone() {
        Command::ArrangeConversation { conversation, pinned, hidden, unread } => {
            session.arrange_conversation(ArrangeConversation { conversation, pinned, hidden, unread }).await.map(done)
        }
        Command::KeepPerson { user, remark, starred } => {
            session.keep_person(KeepPerson { user, remark, starred }).await.map(done)
        }
        Command::SetAvailability { state, until_ms, text } => {
            session.set_availability(Availability { state, until_ms, text }).await.map(done)
        }
        Command::SetSchedule { zone, spans } => {
            let span = |s: &Stretch| Span { days: s.days, from_min: s.from_min, until_min: s.until_min };
            session.set_schedule(Schedule { zone, spans: spans.iter().map(span).collect() }).await.map(done)
        }
        Command::SetAutoReply { text, when_dnd, when_away, when_scheduled } => {
            session.set_auto_reply(AutoReply { text, when_dnd, when_away, when_scheduled }).await.map(done)
        }
        Command::SetOpenness { first_contact, question, answer, presence, last_seen } => {
            session.set_openness(Openness { first_contact, question, answer, presence, last_seen }).await.map(done)
        }
        Command::Own {} => session.own().await.map(|own| self::own(&own)),
        _ => return None,
    })
}

/// What is kept about somebody.
pub(super) fn person(p: &PersonKept) -> Value {
    json!({ "user": p.user, "remark": p.remark, "starred": p.starred })
}

/// What an account has said of itself.
pub(super) fn own(own: &Own) -> Value {
    let (said, schedule) = (own.availability.clone().unwrap_or_default(), own.schedule.clone().unwrap_or_default());
    let (reply, open) = (own.reply.clone().unwrap_or_default(), own.openness.clone().unwrap_or_default());
    let span = |s: &Span| json!({ "days": s.days, "from_min": s.from_min, "until_min": s.until_min });
    json!({
        "availability": { "state": said.state, "until_ms": said.until_ms, "text": said.text },
        "schedule": { "zone": schedule.zone, "spans": schedule.spans.iter().map(span).collect::<Vec<_>>() },
        "auto_reply": {
            "text": reply.text,
            "when_dnd": reply.when_dnd,
            "when_away": reply.when_away,
            "when_scheduled": reply.when_scheduled,
        },
        "openness": {
            "first_contact": open.first_contact,
            "question": open.question,
            "answer": open.answer,
            "presence": open.presence,
            "last_seen": open.last_seen,
        },
        "ends_ms": own.ends_ms,
    })
}
