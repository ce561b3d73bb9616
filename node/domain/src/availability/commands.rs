//! Decisions about what an account says of its presence.

use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::{AutoReply, Said, Schedule, auto_reply, reply, said, schedule};
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    directory, erasure,
    event::Event,
    store::{New, Read, Tx},
};

const STATES: &[&str] = &["", "online", "away", "busy", "dnd", "offline"];
const DAY_MIN: u32 = 24 * 60;

fn stream(read: &impl Read, account: u64) -> Result<u64, Error> {
    Ok(accounts::account(read, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream)
}

fn bad(field: &str, expected: impl std::fmt::Display) -> Error {
    Error::new(Code::BadValue).with("field", field).with("expected", expected)
}

fn superseded(tx: &mut Tx, position: u64) {
    if position != 0 {
        erasure::erase(tx, vec![position], "superseded");
    }
}

pub(crate) fn set(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: Said) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    if !STATES.contains(&new.state.as_str()) {
        return Err(bad("state", "online, away, busy, dnd, offline, or none"));
    }
    if new.until_ms < 0 {
        return Err(bad("until_ms", "milliseconds since 1970, or 0"));
    }
    let text = new.text.trim().to_owned();
    if text.chars().count() > limits::STATUS_CHARS_MAX || !text.chars().all(directory::is_harmless) {
        return Err(bad("text", format!("at most {} characters of plain text", limits::STATUS_CHARS_MAX)));
    }
    let old = said(tx, account);
    let new = Said { text, position: old.position, ..new };
    if new == *old {
        return Ok(Answer::Done);
    }
    let facts = pb::AvailabilitySet { account, state: new.state, until_ms: new.until_ms, replaces: old.position };
    let body = ctx.salted(pb::AvailabilitySetBody { text: new.text });
    tx.emit(New { conversation: stream, event: Event::AvailabilitySet(facts, Some(body)) });
    superseded(tx, old.position);
    Ok(Answer::Done)
}

pub(crate) fn set_schedule(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: Schedule) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    if new.spans.len() > limits::SCHEDULE_SPANS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "spans").with("max", limits::SCHEDULE_SPANS_MAX));
    }
    let good = |s: &super::Span| (1..128).contains(&s.days) && s.from_min < DAY_MIN && s.until_min <= DAY_MIN;
    if !new.spans.iter().all(good) {
        return Err(bad("spans", "days 1 to 127, minutes of the day"));
    }
    let known = new.zone.len() <= limits::ZONE_BYTES_MAX && (ctx.zones)(&new.zone, ctx.now_ms).is_some();
    let none = new.zone.is_empty() && new.spans.is_empty();
    if !(known || none) {
        return Err(bad("zone", "a time zone such as Europe/Berlin"));
    }
    let old = schedule(tx, account);
    let new = Schedule { position: old.position, ..new };
    if new == *old && old.position != 0 {
        return Ok(Answer::Done);
    }
    let span = |s: &super::Span| pb::ScheduleSpan { days: s.days, from_min: s.from_min, until_min: s.until_min };
    let body = ctx.salted(pb::ScheduleSetBody { zone: new.zone, spans: new.spans.iter().map(span).collect() });
    let facts = pb::ScheduleSet { account, replaces: old.position };
    tx.emit(New { conversation: stream, event: Event::ScheduleSet(facts, Some(body)) });
    superseded(tx, old.position);
    Ok(Answer::Done)
}

pub(crate) fn set_auto_reply(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: AutoReply) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    let text = new.text.trim().to_owned();
    let plain = text.chars().all(|c| c == '\n' || directory::is_harmless(c));
    if text.chars().count() > limits::AUTO_REPLY_CHARS_MAX || !plain {
        return Err(bad("text", format!("at most {} characters of plain text", limits::AUTO_REPLY_CHARS_MAX)));
    }
    let old = auto_reply(tx, account);
    let new = AutoReply { text, position: old.position, ..new };
    if new == *old {
        return Ok(Answer::Done);
    }
    let facts = pb::AutoReplySet { account, when: reply::bits(&new), replaces: old.position };
    let body = ctx.salted(pb::AutoReplySetBody { text: new.text });
    tx.emit(New { conversation: stream, event: Event::AutoReplySet(facts, Some(body)) });
    superseded(tx, old.position);
    Ok(Answer::Done)
}
