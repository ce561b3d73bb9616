//! Following one message: what the write loop says of it when `STARTALK_LOG=startalk=trace` asks for that.
//!
//! Says ids and numbers, never a name or what was written. A batch is a span with one for each of its stages: `rules`,
//! `sync`, `show` (the views), `answer`. While nobody asks, a batch costs a comparison for each of these.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use prost::Message as _;
use startalk_domain::{Event, Recorded};
use startalk_protocol::pb::group::{Submission, submission::Action};
use tracing::field::Empty;

/// One batch, from its first command to its last answer.
pub(crate) fn batch() -> tracing::Span {
    tracing::trace_span!("batch", commands = Empty, records = Empty)
}

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
        if let Some(id) = message_id(&record.event) {
            say(&HEXLOWER.encode(&id), record);
        }
    }
}

/// Of a message that is said, or in a group waits for its place, or gets it.
fn message_id(event: &Event) -> Option<Bytes> {
    let submission = match event {
        Event::MessageAdded(facts, _) => return Some(facts.id.clone()),
        Event::GroupSubmitted(facts, _) => &facts.submission,
        Event::GroupRecorded(facts, _) => &facts.submission,
        _ => return None,
    };
    match Submission::decode(submission.as_ref()).ok()?.action? {
        Action::Message(message) => Some(message.id),
        _ => None,
    }
}
