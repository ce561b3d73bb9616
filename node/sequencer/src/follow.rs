//! Following one message: what the write loop says of it when `STARTALK_LOG=startalk=trace` asks for that.
//!
//! Says ids and numbers, never a name or what was written. Costs two comparisons a batch while nobody asks.

use data_encoding::HEXLOWER;
use startalk_domain::{Event, Recorded};

/// The batch's messages have their places; nothing of it is durable yet.
pub(crate) fn decided(records: &[Recorded]) {
    for_each(records, |id, record| {
        let (conversation, sequence) = (record.conversation, record.sequence);
        let came = record.event.link_in().map(|link| (link.peer, link.sequence));
        let goes: Vec<(u64, u64)> = record.event.link_outs().iter().map(|link| (link.peer, link.sequence)).collect();
        tracing::trace!(%id, conversation, sequence, position = record.position, ?came, ?goes, "message: decided");
    });
}

/// They are durable and visible, and nobody was answered yet.
pub(crate) fn synced(records: &[Recorded]) {
    for_each(records, |id, record| {
        tracing::trace!(%id, conversation = record.conversation, position = record.position, "message: synced");
    });
}

fn for_each(records: &[Recorded], say: impl Fn(&str, &Recorded)) {
    if !tracing::enabled!(tracing::Level::TRACE) {
        return;
    }
    for record in records {
        if let Event::MessageAdded(facts, _) = &record.event {
            say(&HEXLOWER.encode(&facts.id), record);
        }
    }
}
