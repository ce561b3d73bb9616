//! What was found, as JSON. docs/json-client.md

use serde_json::{Value, json};
use startalk_client::{
    ClientError,
    wire_types::{Found, Range},
};

use super::shape::hex;

/// Where the page before ended, as [`found`] showed it.
pub(super) fn next_of(text: &str) -> Result<bytes::Bytes, ClientError> {
    let byte = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.map(Into::into).ok_or_else(|| ClientError::Input("next as the answer before gave it".to_owned()))
}

fn ranges(all: &[Range]) -> Vec<[u32; 2]> {
    all.iter().map(|r| [r.start, r.length]).collect()
}

/// People, groups and messages.
pub(super) fn found(f: &Found) -> Value {
    let people: Vec<Value> = f
        .people
        .iter()
        .map(|p| json!({ "user": p.user, "display_name": p.display_name, "ranges": ranges(&p.ranges), "conversation": p.conversation }))
        .collect();
    let groups: Vec<Value> = f
        .groups
        .iter()
        .map(|g| json!({ "conversation": g.conversation, "name": g.name, "ranges": ranges(&g.ranges), "members": g.members }))
        .collect();
    let messages: Vec<Value> = f
        .messages
        .iter()
        .map(|m| {
            json!({
                "conversation": m.conversation, "sequence": m.sequence, "author": m.author, "time_ms": m.time_ms,
                "text": m.text, "ranges": ranges(&m.ranges), "more_before": m.more_before, "more_after": m.more_after,
            })
        })
        .collect();
    json!({
        "people": people, "groups": groups, "messages": messages,
        "next": hex(&f.next), "building": f.building, "percent": f.percent,
    })
}
