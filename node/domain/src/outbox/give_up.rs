//! What waits for a domain that has been silent for a month, or is no more: its senders are told, and it is not sent any more.
//!
//! Only messages are given up, and they stay at their place in the outbox, as hashes. Recalls, deleted accounts and
//! marks go on waiting: they are what a domain that comes back must still hear. docs/decisions/0014-silent-peers.md

use startalk_protocol::{Code, Error, pb::events as pb};

use super::{epochs::record_at, outbox, past, positions_ever};
use crate::{
    command::Answer,
    context::Ctx,
    conversations, directory,
    event::{Event, Recorded},
    store::{New, Read, Tx},
};

/// Items looked at by one command; it is repeated until it is through.
const STEP: u64 = 500;

/// Items ever that were given up with their messages.
pub fn given_up(read: &impl Read, peer: u64) -> u64 {
    past(read, peer).given_up
}

/// Marks a stretch of what waits, and says where to go on; at the end, that it was given up.
pub(crate) fn give_up(tx: &mut Tx, ctx: &Ctx, peer: u64, from: u64) -> Result<Answer, Error> {
    let Some(known) = directory::peer(tx, peer) else { return Ok(Answer::Done) };
    let code = match (known.gone_at != 0, known.silent_since_ms != 0) {
        (true, _) => Code::DomainGone,
        (false, true) => Code::DomainDead,
        (false, false) => return Ok(Answer::Done), // heard meanwhile
    };
    let outbox = outbox(tx, peer);
    let first = from.max(outbox.skipped + outbox.acked + 1).max(given_up(tx, peer) + 1);
    let last = outbox.total.min(first + STEP - 1);
    for position in positions_ever(tx, peer, &outbox, first, last) {
        if let Event::MessageAdded(..) = record_at(tx, ctx.journal, position)?.event {
            conversations::refused(tx, ctx, peer, position, code.as_str())?;
        }
    }
    if last < outbox.total {
        return Ok(Answer::More { conversation: 0, from: last + 1 });
    }
    let since_ms = if known.silent_since_ms == 0 { ctx.now_ms } else { known.silent_since_ms };
    if first <= last || !known.given_up {
        let facts = pb::PeerSilent { peer, since_ms, given_up: true };
        tx.emit(New { conversation: 0, event: Event::PeerSilent(facts, None) });
    }
    Ok(Answer::Done)
}

/// Whether an item was given up: its message is marked so, and its sender was told.
pub(super) fn is_given_up(read: &impl Read, record: &Recorded) -> bool {
    let refused = |c: conversations::Change| [Code::DomainDead, Code::DomainGone].iter().any(|code| c.refused == code.as_str());
    matches!(record.event, Event::MessageAdded(..))
        && conversations::change_of(read, record.conversation, record.sequence).is_some_and(refused)
}
