//! What an account keeps for itself, on all its devices: messages that it saved, stickers, and what it has listened to.
//!
//! Owns prefix `e`. Events: SavedSet, StickersSet, PlayedMarked, AccountDeleted. Nobody else is told of any of it. What is
//! saved is a reference: what the message says is read when it is shown, by the rights of that moment.

mod played;
mod saved;
pub mod stickers;

pub(crate) use played::mark_played;
pub use played::{PlayedMove, has_played, played_position, played_since};
pub use saved::{Saved, SavedPage, State, note, saved, saved_number, saved_one, saved_position, state};
pub(crate) use saved::{remove_saved, save};
use startalk_protocol::{Code, Error};

use crate::{
    accounts,
    event::{Event, Recorded},
    store::{Read, Tx},
};

const PREFIX: u8 = b'e';

/// Positions of all bodies that the module keeps of an account.
pub(crate) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    let mut all = saved::bodies(read, account);
    all.extend(stickers::bodies(read, account));
    all
}

/// The stream of a live account.
fn stream(read: &impl Read, account: u64) -> Result<u64, Error> {
    Ok(accounts::account(read, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::SavedSet(f, _) => saved::set(tx, f, record),
        Event::StickersSet(f, body) => stickers::set(tx, f, body.as_ref().map(|b| &b.value.sticker), record.position),
        Event::PlayedMarked(f, _) => f.played.iter().for_each(|p| played::played(tx, p, record.position)),
        Event::AccountDeleted(f, _) => {
            saved::forget(tx, f.account);
            stickers::forget(tx, f.account);
        }
        _ => {}
    }
}
