//! Our outbox to a peer, as the link asks for it when the peer says what it has of ours. federation-spec/03-link.md §4
//!
//! Only reads; may block for as long as many records take to be read.

use startalk_domain::{Views, outbox};
use startalk_link::{History, Numbering, Position, Stand, stand};
use startalk_protocol::Error;

/// The outbox as it is at one moment: epochs and counts may grow later, what they number does not change.
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

/// Where the peer stands in what we sent.
pub(crate) fn standing(views: &Views, peer: u64, received: Option<Position>, known: Option<&[Position]>) -> Result<Stand, Error> {
    let numbering = |e: outbox::Epoch| Numbering { epoch: e.epoch, before: e.before, count: e.count };
    let numberings = outbox::epochs(&*views.store, peer).into_iter().map(numbering).collect();
    stand(&Outbox { views, peer, numberings }, received, known)
}
