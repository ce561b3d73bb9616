//! Following one message through the node: what the write loop says of it when `STARTALK_LOG=startalk=trace` asks for that.
//!
//! Says ids and numbers, never a name or what was written. Costs one comparison a batch while nobody asks.

use data_encoding::HEXLOWER;
use startalk_domain::{Event, Recorded};

/// These records are durable and visible. The number on the link is what its other lines speak of.
pub fn durable(records: &[Recorded]) {
    if !tracing::enabled!(tracing::Level::TRACE) {
        return;
    }
    for record in records {
        let Event::MessageAdded(facts, _) = &record.event else { continue };
        let came = facts.r#in.as_ref().map(|link| (link.peer, link.sequence));
        let goes = facts.out.as_ref().map(|link| (link.peer, link.sequence));
        let (id, conversation, sequence) = (HEXLOWER.encode(&facts.id), record.conversation, record.sequence);
        tracing::trace!(%id, conversation, sequence, position = record.position, ?came, ?goes, "message: decided and synced");
    }
}
