//! Whether the clock is to be believed before anything is erased by it.
//!
//! A clock that leaps ten years ahead, for a moment or for good, makes everything old at once, and what is erased does not
//! come back. So whoever erases has seen the clock go on by small steps: the time of the records is followed, and where
//! it leaps by more than a day the clock counts for nothing until a further day has passed from there, by itself. A clock that
//! was set back meanwhile has shown that the leap was false, and is followed at once. While journal time stands ahead of
//! the clock (0001), what the clock says is written down now and then, so that a leap is seen there too.

use serde::{Deserialize, Serialize};
use startalk_protocol::pb::events as pb;

use super::PREFIX;
use crate::{
    context::Ctx,
    event::{Event, Recorded},
    governance::RetentionOf,
    store::{Key, New, Read, Tx},
};

const HOUR_MS: u64 = 3600 * 1000;
/// Journal time is followed in steps of this size, not with every record.
const STEP_MS: u64 = HOUR_MS / 6;
/// A greater step than this is a leap. A node that runs writes something every hour.
const LEAP_MS: u64 = 25 * HOUR_MS;
/// For how long the clock has to go on after a leap.
const DOUBT_MS: u64 = 24 * HOUR_MS;
/// How often the clock is written down while journal time stands.
const SEEN_EVERY_MS: u64 = 12 * HOUR_MS;

/// What is known of the time; there is none without a policy that goes by it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Watch {
    /// The policy that it is kept for.
    days: u32,
    of: RetentionOf,
    trial_days: u32,
    /// Journal time, as far as it was followed.
    journal_ms: u64,
    /// What the clock said last.
    seen_ms: u64,
    /// What it leapt to; 0: never.
    doubted_ms: u64,
}

impl Watch {
    fn sees(&mut self, clock_ms: u64) {
        if clock_ms > self.seen_ms + LEAP_MS {
            self.doubted_ms = clock_ms;
        }
        self.seen_ms = clock_ms;
    }
}

fn watch_key() -> Key {
    Key::numbers(PREFIX, b'w', &[])
}

/// Since when the clock is doubted, if it is when it says this.
pub(super) fn doubted(read: &impl Read, clock_ms: u64) -> Option<u64> {
    let since = read.get::<Watch>(&watch_key())?.doubted_ms;
    let leapt = since != 0 && clock_ms + HOUR_MS >= since;
    (leapt && clock_ms < since + DOUBT_MS).then_some(since)
}

/// Whether anything may be erased by this clock. Writes down what it says, where that would be forgotten.
pub(super) fn is_believed(tx: &mut Tx, ctx: &Ctx, clock_ms: u64) -> bool {
    let head_ms = ctx.journal.head().time_ms;
    let seen_ms = tx.get::<Watch>(&watch_key()).map_or(0, |w| w.seen_ms);
    if head_ms > clock_ms + HOUR_MS {
        if clock_ms.abs_diff(seen_ms) >= SEEN_EVERY_MS {
            tx.emit(New { conversation: 0, event: Event::ClockSeen(pb::ClockSeen { clock_ms }, None) });
        }
    } else if clock_ms >= head_ms + HOUR_MS && tx.records().is_empty() {
        tx.emit(New { conversation: 0, event: Event::TimeTold(pb::TimeTold {}, None) });
    }
    doubted(tx, clock_ms).is_none()
}

pub(super) fn apply(tx: &mut Tx, record: &Recorded) {
    let time_ms = record.time_ms;
    if let Event::PolicySet(f, _) = &record.event {
        return policy_set(tx, time_ms, f);
    }
    let Some(watch) = tx.get::<Watch>(&watch_key()) else { return };
    if let Event::ClockSeen(f, _) = &record.event {
        tx.change(watch_key(), |w: &mut Watch| w.sees(f.clock_ms));
    } else if time_ms >= watch.journal_ms + STEP_MS {
        tx.change(watch_key(), |w: &mut Watch| {
            w.journal_ms = time_ms;
            w.sees(time_ms);
        });
    }
}

/// Who sets the policy was shown what would go, and the time then is as good as any.
fn policy_set(tx: &mut Tx, time_ms: u64, f: &pb::PolicySet) {
    let (days, of, trial_days) = (f.retention_days, f.retention_of.parse().unwrap_or_default(), f.trial_days);
    let known = tx.get::<Watch>(&watch_key());
    if (days, trial_days) == (0, 0) {
        if known.is_some() {
            tx.remove(watch_key());
        }
    } else if known.is_none_or(|w| (w.days, w.of, w.trial_days) != (days, of, trial_days)) {
        tx.put(watch_key(), Watch { days, of, trial_days, journal_ms: time_ms, seen_ms: time_ms, doubted_ms: 0 });
    }
}
