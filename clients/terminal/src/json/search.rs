//! A search as it is asked in JSON, and what was found. docs/json-client.md

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};
use startalk_client::wire_types::{Found, Range, Search};

use super::shape::hex;

/// The SDK's own question, field by field; only `query` has to be there.
#[derive(Deserialize)]
#[serde(remote = "Search", deny_unknown_fields)]
pub(super) struct Question {
    query: String,
    #[serde(default)]
    people: bool,
    #[serde(default)]
    groups: bool,
    #[serde(default)]
    messages: bool,
    #[serde(default)]
    conversation: u64,
    #[serde(default)]
    from: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    after_ms: i64,
    #[serde(default)]
    before_ms: i64,
    #[serde(default)]
    utc_offset_min: i32,
    #[serde(default)]
    limit: u32,
    #[serde(default, deserialize_with = "next")]
    next: bytes::Bytes,
}

/// Where the page before ended, as [`found`] showed it.
fn next<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bytes::Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let byte = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.map(Into::into).ok_or_else(|| D::Error::custom("next: expected it as the answer before gave it"))
}

fn ranges(all: &[Range]) -> Vec<[u32; 2]> {
    all.iter().map(|r| [r.start, r.length]).collect()
}

/// People, groups and messages.
pub(super) fn found(f: &Found) -> Value {
    let people: Vec<Value> = f
        .people
        .iter()
        .map(|p| json!({ "user": p.user, "display_name": p.display_name, "ranges": ranges(&p.ranges), "conversation": p.conversation, "remark": p.remark, "remark_ranges": ranges(&p.remark_ranges) }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::command::{Command, parse};

    #[test]
    fn a_question_is_the_sdks_with_its_fields_and_no_others() {
        let line = br#"{"id":1,"command":"search","query":"x","messages":true,"conversation":7,"limit":3,"next":"01ff"}"#;
        let Ok((_, Command::Search(question))) = parse(line) else { panic!() };
        let next = vec![1, 255].into();
        assert_eq!(question, Search { query: "x".into(), messages: true, conversation: 7, limit: 3, next, ..Search::default() });
        for wrong in
            [r#""query":"x","next":"0""#, r#""query":"x","next":"zz""#, r#""query":"x","pepole":true"#, r#""people":true"#]
        {
            assert!(parse(format!(r#"{{"id":1,"command":"search",{wrong}}}"#).as_bytes()).is_err(), "{wrong}");
        }
    }
}
