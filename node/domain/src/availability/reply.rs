//! Answering for somebody who is not there: decided in the command that took the message, and said in its batch. So it is
//! said exactly once, whatever ends the process in between.
//!
//! Never in groups, never to a stranger who was not let in, never to what was itself said automatically, and to nobody
//! twice a day: two who are both away say one thing each.

use startalk_protocol::{
    pb::events as pb,
    sabotage::{self, Switch},
};

use super::{AutoReply, auto_reply, replied_ms, standing};
use crate::{
    accounts,
    context::Ctx,
    conversations::{self, Direct, content},
    event::Event,
    store::{New, Tx},
};

/// Between two answers to the same person, milliseconds.
const EVERY_MS: u64 = 24 * 3_600_000;

const WHEN_DND: u32 = 1;
const WHEN_AWAY: u32 = 2;
const WHEN_SCHEDULED: u32 = 4;

/// The reasons as one number.
pub(super) fn bits(reply: &AutoReply) -> u32 {
    let bit = |on: bool, bit: u32| if on { bit } else { 0 };
    bit(reply.when_dnd, WHEN_DND) | bit(reply.when_away, WHEN_AWAY) | bit(reply.when_scheduled, WHEN_SCHEDULED)
}

/// And back: do not disturb, away, by schedule.
pub(super) fn when(bits: u32) -> (bool, bool, bool) {
    (bits & WHEN_DND != 0, bits & WHEN_AWAY != 0, bits & WHEN_SCHEDULED != 0)
}

/// `from` has just said `said` to an account here: answers for it, if it wants that now.
pub(crate) fn answer(tx: &mut Tx, ctx: &mut Ctx, direct: &Direct, from: u64, said: &[u8]) {
    let account = direct.other(from);
    let reply = auto_reply(tx, account);
    if reply.text.is_empty() || account == from || direct.request || direct.refused || ctx.disk_low {
        return;
    }
    if content::is_automatic(said) || !accounts::account(tx, account).is_some_and(|a| a.is_live()) {
        return;
    }
    let standing = standing(tx, ctx.zones, account, ctx.now_ms);
    let wanted = match standing.state.as_str() {
        "dnd" => reply.when_dnd,
        "away" => reply.when_away,
        _ => reply.when_scheduled && standing.is_dnd(),
    };
    let last_ms = replied_ms(tx, account, from);
    let lately = last_ms != 0 && ctx.now_ms < last_ms.saturating_add(EVERY_MS) && !sabotage::is(Switch::AnsweredEveryTime);
    if !wanted || lately {
        return;
    }
    if conversations::say_automatically(tx, ctx, direct, account, &reply.text) {
        let stream = accounts::account(tx, account).map_or(0, |a| a.stream);
        let facts = pb::AutoReplied { account, person: from, conversation: direct.conversation };
        tx.emit(New { conversation: stream, event: Event::AutoReplied(facts, None) });
    }
}
