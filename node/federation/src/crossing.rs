//! Following items over a link, when `STARTALK_LOG=startalk=trace` asks for that: a span from when items are put on the link
//! until the peer has acknowledged the last of them. Says numbers, never what is in them.

use std::collections::VecDeque;

use tracing::{Span, trace, trace_span};

/// What is on the link and not acknowledged yet. Empty while nobody asks.
#[derive(Default)]
pub(crate) struct Crossing {
    /// By the number of their last item, in order; no more than the link's window has items.
    items: VecDeque<(u64, Span)>,
}

impl Crossing {
    /// The link took so many items, the first of which has this number.
    pub(crate) fn began(&mut self, peer: u64, first: u64, count: u64) {
        if count == 0 {
            return;
        }
        let span = trace_span!("crossing", peer, first, count);
        if !span.is_disabled() {
            span.in_scope(|| trace!("items: put on the link"));
            self.items.push_back((first + count - 1, span));
        }
    }

    /// The peer has everything up to here.
    pub(crate) fn acknowledged(&mut self, up_to: u64) {
        while let Some((_, span)) = self.items.pop_front_if(|(last, _)| *last <= up_to) {
            span.in_scope(|| trace!("items: acknowledged by the peer"));
        }
    }
}
