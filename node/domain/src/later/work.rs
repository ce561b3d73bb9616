//! What is due, done: a few things with each command of the node's timer.

use startalk_protocol::Error;

use super::{
    index::{self, What},
    reminders, scheduled,
};
use crate::{command::Answer, context::Ctx, conversations, store::Tx};

/// Things done by one command: a batch has room for what they write.
const AT_ONCE: usize = 32;

/// Does what is due by this time of the clock; `More`: there is more.
pub(crate) fn work(tx: &mut Tx, ctx: &mut Ctx, clock_ms: u64) -> Result<Answer, Error> {
    // While the disk is nearly full, nothing is added; what is to go goes all the same.
    let disk_low = ctx.disk_low;
    let wanted = |what: &What| !disk_low || matches!(what, What::Burn { .. });
    let due = index::due(tx, clock_ms, wanted, AT_ONCE);
    for entry in &due {
        match entry.what {
            What::Scheduled { account, number } => scheduled::is_due(tx, ctx, account, number),
            What::Reminder { account, number } => reminders::is_due(tx, account, number),
            What::Burn { conversation, sequence } => conversations::burn(tx, ctx, conversation, sequence, entry.at_ms),
        }
    }
    Ok(if due.len() == AT_ONCE { Answer::More { conversation: 0, from: 0 } } else { Answer::Done })
}
