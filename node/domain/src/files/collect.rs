//! Forgetting files that nothing refers to any more. Whatever ends a message needs to know nothing of it.

use startalk_protocol::{Error, pb::events as pb};

use super::{
    Entry, entry,
    rights::{REFERENCES_LOOKED_AT, Reference, references},
};
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    conversations::record_at,
    directory::HERE,
    erasure,
    event::Event,
    governance,
    store::{New, Tx},
};

/// Files looked at by one command.
const STEP: u64 = 500;
/// Records read by one command, about.
const STEP_RECORDS: u64 = 4000;
/// How long whoever put a file here holds it at least, although no message refers to it yet: an album is composed, a message
/// scheduled for tonight is not, for it keeps its files itself. In milliseconds.
pub const HOLD_MS: u64 = 24 * 3600 * 1000;

/// What is to become of a file.
struct Verdict {
    released: Vec<u64>,
    forgotten: bool,
    looked_at: u64,
}

/// A step of it, over the files with the next numbers after `from`.
pub(crate) fn collect(tx: &mut Tx, ctx: &mut Ctx, from: u64) -> Result<Answer, Error> {
    let last = governance::numbers(tx).file;
    let (mut number, mut read) = (from, 0);
    let (mut forgotten, mut released): (Vec<u64>, Vec<(u64, u64)>) = (Vec::new(), Vec::new());
    while number < last && number < from + STEP && read < STEP_RECORDS {
        number += 1;
        let Some(known) = entry(tx, number).filter(|e| !e.forgotten) else { continue };
        let verdict = judge(tx, ctx, number, &known);
        read += verdict.looked_at;
        released.extend(verdict.released.iter().map(|account| (*account, number)));
        if verdict.forgotten {
            forgotten.push(number);
        }
    }
    released.sort_unstable();
    for of_one in released.chunk_by(|a, b| a.0 == b.0) {
        let files = of_one.iter().map(|r| r.1).collect();
        let facts = pb::FilesReleased { account: of_one[0].0, files };
        tx.emit(New { conversation: 0, event: Event::FilesReleased(facts, None) });
    }
    if !forgotten.is_empty() {
        tx.emit(New { conversation: 0, event: Event::FilesForgotten(pb::FilesForgotten { files: forgotten }, None) });
    }
    Ok(if number < last { Answer::More { conversation: 0, from: number } } else { Answer::Done })
}

fn judge(tx: &Tx, ctx: &Ctx, number: u64, known: &Entry) -> Verdict {
    let look = |position: u64| record_at(tx, ctx, position);
    let is_live = |account: u64| accounts::account(tx, account).is_some_and(|a| a.is_live());
    let young = |account: &u64| {
        is_live(*account) && super::holding(tx, *account, number).is_some_and(|since| since + HOLD_MS > ctx.now_ms)
    };
    let mut wanted: Vec<u64> = known.holders.iter().copied().filter(|a| !young(a)).collect();
    let all_hold = wanted.is_empty() && !known.holders.is_empty();
    let (mut looked_at, mut live) = (0, known.references > REFERENCES_LOOKED_AT);
    if !all_hold {
        for position in references(tx, number) {
            looked_at += 1;
            let reference = look(position).and_then(|record| Reference::of(tx, &look, &record));
            let Some(reference) = reference.filter(|r| r.is_live) else { continue };
            live = true;
            wanted.retain(|account| *account != reference.author);
            if wanted.is_empty() {
                break;
            }
        }
        if known.references > REFERENCES_LOOKED_AT {
            wanted.clear(); // there may be one of theirs among those that were not looked at
        }
    }
    let forgotten = !live && wanted.len() == known.holders.len();
    Verdict { released: wanted, forgotten, looked_at }
}

/// The bytes of these are gone: nothing is known of them any more.
pub(crate) fn gone(tx: &mut Tx, files: &[u64]) -> Result<Answer, Error> {
    let known: Vec<(u64, Entry)> =
        files.iter().filter_map(|n| Some((*n, (*entry(tx, *n)?).clone()))).filter(|(_, e)| e.forgotten).collect();
    if known.is_empty() {
        return Ok(Answer::Done);
    }
    let facts = pb::FilesGone { files: known.iter().map(|k| k.0).collect() };
    tx.emit(New { conversation: 0, event: Event::FilesGone(facts, None) });
    let is_last = |e: &Entry| (e.met_with.0..=e.met_with.1).all(|n| entry(tx, n).is_none());
    let mut bodies: Vec<u64> = known.iter().filter(|(_, e)| is_last(e)).map(|(_, e)| e.met_at).collect();
    bodies.sort_unstable();
    bodies.dedup();
    erasure::erase(tx, bodies, "file forgotten");
    debug_assert!(known.iter().all(|(_, e)| e.origin == HERE || e.holders.is_empty()), "only files from here are held");
    Ok(Answer::Done)
}
