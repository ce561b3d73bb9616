//! Messages that burn: so many seconds after the reader has opened one, it is gone on both sides, as if it had been recalled.
//! Each side erases its own copy; the reader's domain tells the author's when it was opened. federation-spec/05

use bytes::Bytes;
use startalk_protocol::{
    Code, Error, MessageId,
    pb::{events as pb, link},
    sabotage::{self, Switch},
};

use super::{
    change::bodies,
    change_of, content, of_member,
    receive::{Closed, Origin, conversation, message_id},
    send::{record_at, record_of},
};
use crate::{
    command::Answer,
    context::Ctx,
    directory::HERE,
    erasure,
    event::{Event, Recorded},
    outbox,
    retention::{self, Kind},
    store::{New, Tx},
};

/// The seconds after which a message burns, once it is opened; 0: it does not, or it cannot be known any more.
pub(super) fn burn_s(record: &Recorded) -> u32 {
    match &record.event {
        Event::MessageAdded(_, Some(body)) => content::burn_s(&body.value.0),
        _ => 0,
    }
}

/// The reader has opened a message; what was opened is opened. `clock_ms`: the clock, which journal time may be ahead of.
pub(crate) fn open(
    tx: &mut Tx,
    ctx: &mut Ctx,
    account: u64,
    conversation: u64,
    sequence: u64,
    clock_ms: u64,
) -> Result<Answer, Error> {
    let direct = of_member(tx, conversation, account)?;
    let record = record_of(tx, ctx, conversation, sequence).ok_or(Code::NoSuchMessage)?;
    let Event::MessageAdded(facts, _) = &record.event else { return Err(Code::NoSuchMessage.into()) };
    if facts.author == account && direct.a != direct.b {
        return Err(Code::Forbidden.into());
    }
    let change = change_of(tx, conversation, sequence).unwrap_or_default();
    if change.recalled {
        return Err(Code::Recalled.into());
    }
    if change.burnt || change.burn_at_ms != 0 {
        return Ok(Answer::Done);
    }
    let burn_s = burn_s(&record);
    if burn_s == 0 || retention::is_gone(tx, Kind::Direct, record.position) {
        return Err(Error::new(Code::BadValue).with("field", "sequence").with("expected", "a message that burns"));
    }
    let id = MessageId::from_slice(&facts.id).map_err(|_| Code::Internal)?;
    let out = (direct.peer != HERE).then(|| {
        let item = outbox::opened_item(tx, &direct, account, id, ctx.now_ms);
        outbox::next(tx, direct.peer, &item)
    });
    opened(
        tx,
        conversation,
        pb::MessageOpened {
            target: sequence,
            reader: account,
            burn_at_ms: burns_at(clock_ms.min(ctx.now_ms), burn_s),
            r#in: None,
            out,
        },
    );
    Ok(Answer::Done)
}

fn burns_at(opened_ms: u64, burn_s: u32) -> u64 {
    opened_ms.saturating_add(u64::from(burn_s) * 1000)
}

fn opened(tx: &mut Tx, conversation: u64, facts: pb::MessageOpened) {
    tx.emit(New { conversation, event: Event::MessageOpened(facts, None) });
}

/// The reader of another domain has opened a message of ours. Its time runs from when that domain says, but not from later
/// than now.
pub(super) fn opened_elsewhere(tx: &mut Tx, ctx: &mut Ctx, origin: &Origin, item: &link::Opened) -> Result<(), Closed> {
    let id = message_id(&item.id)?;
    let (direct, reader) = conversation(tx, origin)?;
    let found = super::locate(tx, |p| record_at(tx, ctx, p), direct.conversation, direct.a, id);
    let target = found.ok_or(Closed::Silently)?;
    let record = record_of(tx, ctx, direct.conversation, target).ok_or(Code::Internal)?;
    let change = change_of(tx, direct.conversation, target).unwrap_or_default();
    let burn_s = burn_s(&record);
    if burn_s == 0 || change.recalled || change.burnt || change.burn_at_ms != 0 {
        return Err(Closed::Silently);
    }
    let now = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX);
    let opened_ms = u64::try_from(origin.time_ms.clamp(1, now)).unwrap_or(1);
    let link_in = Some(origin.link_in.clone());
    let burn_at_ms = burns_at(opened_ms, burn_s);
    opened(tx, direct.conversation, pb::MessageOpened { target, reader, burn_at_ms, r#in: link_in, out: None });
    Ok(())
}

/// The time of an opened message is over.
pub(crate) fn burn(tx: &mut Tx, ctx: &Ctx, conversation: u64, target: u64, burn_at_ms: u64) {
    tx.emit(New { conversation, event: Event::MessageBurnt(pb::MessageBurnt { target, burn_at_ms }, None) });
    if sabotage::is(Switch::BurntShownAgain) || change_of(tx, conversation, target).is_some_and(|c| c.recalled) {
        return;
    }
    let Some(record) = record_of(tx, ctx, conversation, target) else { return };
    erasure::erase(tx, bodies(tx, conversation, target, record.position), "burnt");
}

/// An edit changes what a message says, not that it burns.
///
/// # Errors
/// `bad-value`.
pub(super) fn check_same(original: &Recorded, edited: &Bytes) -> Result<(), Error> {
    let before = match &original.event {
        Event::MessageAdded(_, Some(_)) => burn_s(original),
        _ => return Ok(()), // gone: nothing of it is shown again
    };
    if content::burn_s(edited) == before {
        return Ok(());
    }
    Err(Error::new(Code::BadValue).with("field", "burn_s").with("expected", "as in the message that is edited"))
}
