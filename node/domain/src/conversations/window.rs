//! How long an author may change what was said. Owns nothing that is kept.
//!
//! The window is that of the author's domain, and judged here alone (federation-spec 5.5). A node that went back in
//! time may have acknowledged a change and lost it; the author's device offers it again, perhaps days later. So a window
//! that was open when the history was lost stays open.

use startalk_protocol::{Code, Error};

use crate::{context::Ctx, event::Recorded};

/// Whether what `said` records may be changed now. `too-late` if not.
pub(crate) fn in_time(ctx: &Ctx, said: &Recorded, window_ms: i64) -> Result<(), Error> {
    let is_open_at = |now_ms: u64| i64::try_from(now_ms.saturating_sub(said.time_ms)).is_ok_and(|age| age <= window_ms);
    if is_open_at(ctx.now_ms) || history_lost_after(ctx, said.position)?.is_some_and(is_open_at) {
        return Ok(());
    }
    Err(Error::new(Code::TooLate).with("seconds", window_ms / 1000))
}

/// The time of the last record that was left when this node first went back after the record at `position`; `None` if it
/// never did. The first time decides: at a later one more of the window had passed.
fn history_lost_after(ctx: &Ctx, position: u64) -> Result<Option<u64>, Error> {
    let header = |position| ctx.journal.header(position).map_err(|_| Error::from(Code::Internal));
    let head = ctx.journal.head().position;
    if position >= head {
        return Ok(None);
    }
    let epoch = header(position)?.epoch;
    if header(head)?.epoch == epoch {
        return Ok(None);
    }
    // Epochs only grow along the journal.
    let (mut before, mut after) = (position, head);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        *(if header(middle)?.epoch == epoch { &mut before } else { &mut after }) = middle;
    }
    Ok(Some(header(before)?.time_ms))
}
