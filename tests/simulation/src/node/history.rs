//! Where a peer stands in what we sent it, over all epochs of its outbox.
//!
//! Mirrors `node/federation/src/history.rs`: our outbox as the `History` that `startalk_link::stand` asks.

use startalk_domain::{Views, outbox};
use startalk_link::{History, Numbering, Position, Stand, stand};
use startalk_protocol::Error;

struct Outbox<'a> {
    views: &'a Views,
    peer: u64,
    numberings: Vec<Numbering>,
}

impl History for Outbox<'_> {
    fn numberings(&self) -> &[Numbering] {
        &self.numberings
    }

    fn running_at(&self, numbering: &Numbering, sequences: &[u64]) -> Result<Vec<[u8; 32]>, Error> {
        let epoch = outbox::Epoch { epoch: numbering.epoch, before: numbering.before, count: numbering.count };
        outbox::running_of(&*self.views.store, &*self.views.journal, self.peer, &epoch, sequences)
    }
}

/// Compares.
pub fn standing(views: &Views, peer: u64, received: Option<Position>, known: Option<&[Position]>) -> Result<Stand, Error> {
    let numbering = |e: outbox::Epoch| Numbering { epoch: e.epoch, before: e.before, count: e.count };
    let numberings = outbox::epochs(&*views.store, peer).into_iter().map(numbering).collect();
    stand(&Outbox { views, peer, numberings }, received, known)
}
