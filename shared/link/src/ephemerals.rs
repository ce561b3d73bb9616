//! Typing and presence in both directions: small, bounded, and dropped whenever that is easier.
//! federation-spec/03-link.md §8
//!
//! Nothing here ever closes a link or delays an item.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message;
use startalk_protocol::{
    AccountName,
    limits::{LINK_EPHEMERAL_BYTES_MAX, LINK_EPHEMERALS_QUEUED_MAX, LINK_PRESENCE_BYTES_MAX},
    pb::link::{Ephemeral, Frame, ephemeral::Kind as What, frame::Frame as Kind},
};

use crate::frame;

#[derive(Debug, Default)]
pub(crate) struct Ephemerals {
    incoming: VecDeque<Ephemeral>,
    outgoing: VecDeque<Bytes>,
}

impl Ephemerals {
    pub(crate) fn send(&mut self, ephemeral: Ephemeral) {
        let bytes = Frame { frame: Some(Kind::Ephemeral(ephemeral)) }.encode_to_vec();
        if bytes.len() <= LINK_EPHEMERAL_BYTES_MAX {
            push(&mut self.outgoing, bytes.into());
        }
    }

    pub(crate) fn received(&mut self, ephemeral: Ephemeral) {
        if is_good(&ephemeral) {
            push(&mut self.incoming, ephemeral);
        }
    }

    pub(crate) fn received_datagram(&mut self, bytes: &[u8]) {
        if bytes.len() <= LINK_EPHEMERAL_BYTES_MAX
            && let Ok(Kind::Ephemeral(ephemeral)) = frame::read(Bytes::copy_from_slice(bytes))
        {
            self.received(ephemeral);
        }
    }

    /// The next frame to send, without its length.
    pub(crate) fn next_out(&mut self) -> Option<Bytes> {
        self.outgoing.pop_front()
    }

    pub(crate) fn next_in(&mut self) -> Option<Ephemeral> {
        self.incoming.pop_front()
    }
}

fn push<T>(queue: &mut VecDeque<T>, one: T) {
    if queue.len() >= LINK_EPHEMERALS_QUEUED_MAX {
        queue.pop_front();
    }
    queue.push_back(one);
}

fn is_good(ephemeral: &Ephemeral) -> bool {
    let name = |s: &str| s.parse::<AccountName>().is_ok_and(|n| n.as_str() == s);
    let kind = match &ephemeral.kind {
        Some(What::Presence(presence)) => presence.len() <= LINK_PRESENCE_BYTES_MAX,
        Some(What::Typing(_) | What::PresenceWanted(_)) => true,
        None => false,
    };
    kind && name(&ephemeral.from) && name(&ephemeral.to)
}
