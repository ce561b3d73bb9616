//! What an account keeps for itself: saved messages, stickers, and what it has listened to. Frames to commands, and how it is
//! now.
//!
//! Owns the marks of what was listened to that are not journaled yet: as with other marks, they are pushed at once and
//! journaled every few seconds (`marks.rs`).

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use startalk_domain::{
    Actor, Answer, Command, Recorded, conversations,
    kept::{self, PlayedMove, Saved, State},
    stickers::{self, StickerChange},
};
use startalk_protocol::{
    Code, Error, limits,
    pb::{
        client::{self as pb, change_stickers::Change, pushed::What, server_frame::Frame},
        events,
    },
};

use crate::{
    conversation::{bad, done},
    convert,
    gateway::Inner,
    later::page,
    session::{Identity, Session},
};

/// Entries of a page of saved messages that does not say how many, and of any.
const SAVED_DEFAULT: u32 = 50;

/// What was listened to and is not journaled yet, by account and conversation.
#[derive(Default)]
pub(crate) struct PlayedMarks(Mutex<HashMap<(u64, u64), BTreeSet<u64>>>);

impl PlayedMarks {
    fn put(&self, account: u64, conversation: u64, sequences: &[u64]) {
        self.0.lock().entry((account, conversation)).or_default().extend(sequences);
    }

    /// As commands that are not too large.
    fn take(&self) -> Vec<Command> {
        let all = std::mem::take(&mut *self.0.lock());
        let moves = all.into_iter().flat_map(|((account, conversation), sequences)| {
            let sequences: Vec<u64> = sequences.into_iter().collect();
            let piece = move |s: &[u64]| PlayedMove { account, conversation, sequences: s.to_vec() };
            sequences.chunks(limits::PLAYED_AT_ONCE_MAX).map(piece).collect::<Vec<_>>()
        });
        let (mut commands, mut played, mut count) = (Vec::new(), Vec::new(), 0);
        for one in moves {
            if count + one.sequences.len() > limits::PLAYED_AT_ONCE_MAX {
                commands.push(Command::MarkPlayed { played: std::mem::take(&mut played) });
                count = 0;
            }
            count += one.sequences.len();
            played.push(one);
        }
        commands.extend((!played.is_empty()).then_some(Command::MarkPlayed { played }));
        commands
    }
}

impl Inner {
    /// Keeps a message.
    pub(crate) fn save_message(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::SaveMessage) {
        let pb::SaveMessage { conversation, sequence, note } = request;
        let command = Command::SaveMessage { account: me.account, conversation, sequence, note };
        let (gateway, to) = (self.clone(), session.clone());
        self.config.handle.submit(command, move |result| {
            let entry = |answer| {
                let Answer::Number(number) = answer else { return Err(Error::from(Code::Internal)) };
                let entry = kept::saved_one(gateway.store(), me.account, number).ok_or(Code::Internal)?;
                Ok(Frame::Saved(gateway.saved(me.account, &entry)))
            };
            to.answered(id, result.and_then(entry));
        });
    }

    /// Not any more.
    pub(crate) fn remove_saved(&self, session: &Arc<Session>, me: Actor, id: u64, number: u64) {
        self.submit(session, id, Command::RemoveSaved { account: me.account, number }, done);
    }

    /// A page, the newest first.
    pub(crate) fn list_saved(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::ListSaved) {
        self.read(session, id, move |gateway| {
            let limit = if request.limit == 0 { SAVED_DEFAULT } else { request.limit.min(SAVED_DEFAULT) };
            let found = kept::saved(&*gateway.config.views.store, me.account, request.before, limit as usize);
            let (saved, more) = page(found.entries.iter().map(|e| gateway.saved(me.account, e)));
            let next = if more { saved.last().map_or(0, |e| e.number) } else { found.next };
            Ok(Frame::SavedPage(pb::SavedPage { saved, next, count: found.count }))
        });
    }

    fn saved(&self, account: u64, entry: &Saved) -> pb::Saved {
        let views = &self.config.views;
        let (state, message) = kept::state(&views.store, &*views.journal, account, entry.conversation, entry.sequence);
        pb::Saved {
            number: entry.number,
            conversation: entry.conversation,
            sequence: entry.sequence,
            saved_ms: convert::signed(entry.saved_ms),
            note: kept::note(&*views.journal, entry),
            state: state.as_str().to_owned(),
            message: message.filter(|_| state == State::Here).map(|m| convert::message(m, account)),
        }
    }

    /// Adds, takes away or orders stickers.
    pub(crate) fn change_stickers(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::ChangeStickers) {
        let change = match request.change {
            Some(Change::FromMessage(place)) => {
                StickerChange::FromMessage { conversation: place.conversation, sequence: place.sequence }
            }
            Some(Change::Sticker(bytes)) => StickerChange::Own(bytes),
            Some(Change::Remove(number)) => StickerChange::Remove(number),
            Some(Change::Order(order)) => StickerChange::Order(order.numbers),
            None => return session.answered(id, Err(bad("change", "what is to be done with stickers"))),
        };
        self.submit(session, id, Command::ChangeStickers { account: me.account, change }, done);
    }

    /// All of the account's, in its order.
    pub(crate) fn list_stickers(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, skip: u32) {
        self.read(session, id, move |gateway| {
            let views = &gateway.config.views;
            let all = stickers::stickers(&*views.store, me.account);
            let one = |s: &stickers::Sticker| pb::OwnSticker { number: s.number, sticker: stickers::sticker(&*views.journal, s) };
            let (stickers, more) = page(all.entries.iter().skip(skip as usize).map(one));
            let next = if more { skip.saturating_add(u32::try_from(stickers.len()).unwrap_or(u32::MAX)) } else { 0 };
            Ok(Frame::Stickers(pb::Stickers { stickers, next }))
        });
    }

    /// The person has listened to these.
    pub(crate) fn mark_played(
        self: &Arc<Self>,
        session: &Session,
        identity: &Identity,
        request: &pb::MarkPlayed,
    ) -> Result<Frame, Error> {
        let pb::MarkPlayed { conversation, sequences } = request;
        let (account, store) = (identity.actor.account, self.store());
        if sequences.len() > limits::PLAYED_AT_ONCE_MAX {
            return Err(Error::new(Code::TooMany).with("what", "marks").with("max", limits::PLAYED_AT_ONCE_MAX));
        }
        let reader = conversations::reader(&store.snapshot(), *conversation, account)?;
        let is_new = |s: &&u64| reader.may_read(**s) && !kept::has_played(store, account, *conversation, **s);
        let new: Vec<u64> = sequences.iter().filter(is_new).copied().collect();
        if !new.is_empty() {
            self.played.put(account, *conversation, &new);
            let frame = convert::pushed(*conversation, What::Played(pb::Played { sequences: new }));
            self.registry.each(account, |other| {
                if other.number != session.number {
                    other.push(&frame, self.config.limits.outbox_bytes);
                }
            });
        }
        Ok(Frame::Done(pb::Done {}))
    }

    /// What waits to be journaled.
    pub(crate) fn take_played(&self) -> Vec<Command> {
        self.played.take()
    }

    /// What was listened to, with a position: for those who connected meanwhile.
    pub(crate) fn played_marked(&self, f: &events::PlayedMarked) {
        for played in &f.played {
            let frame = convert::pushed(played.conversation, What::Played(pb::Played { sequences: played.sequences.clone() }));
            self.push_to(played.account, &frame);
        }
    }

    pub(crate) fn saved_set(&self, f: &events::SavedSet) {
        if !self.registry.has(f.account) {
            return;
        }
        let entry = if f.removed { None } else { kept::saved_one(self.store(), f.account, f.number) };
        let what = entry.map_or(What::SavedRemoved(f.number), |e| What::Saved(self.saved(f.account, &e)));
        self.push_to(f.account, &convert::pushed(0, what));
    }

    pub(crate) fn stickers_set(&self, record: &Recorded) {
        let startalk_domain::Event::StickersSet(f, body) = &record.event else { return };
        let sticker = body.as_ref().map(|b| b.value.sticker.clone()).unwrap_or_default();
        let added = (f.number != 0).then_some(pb::OwnSticker { number: f.number, sticker });
        let changed = pb::StickersChanged { added, removed: f.removed.clone(), order: f.order.clone() };
        self.push_to(f.account, &convert::pushed(0, What::Stickers(changed)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_journaled_once_and_in_commands_that_are_not_too_large() {
        let marks = PlayedMarks::default();
        for conversation in 1..=3 {
            for sequence in 1..=200 {
                marks.put(1, conversation, &[sequence, sequence]);
            }
        }
        let sizes: Vec<usize> = marks
            .take()
            .into_iter()
            .map(|command| match command {
                Command::MarkPlayed { played } => played.iter().map(|m| m.sequences.len()).sum(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [200, 200, 200]);
        assert!(marks.take().is_empty());
    }
}
