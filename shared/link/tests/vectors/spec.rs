//! The limits in federation-spec/03-link.md are those of the code.

use std::fs;

use startalk_protocol::limits::*;

#[test]
fn the_spec_has_the_limits_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../federation-spec/03-link.md");
    let spec = fs::read_to_string(path).expect("the chapter");
    let limits = spec.split("## 3.11").nth(1).expect("a table of limits");
    let limits = limits.split("## ").next().expect("text");
    let rows = [
        ("bytes of a frame", LINK_FRAME_BYTES_MAX as u64),
        ("bytes of a frame that is not a batch, an answer or a note", LINK_SMALL_FRAME_BYTES_MAX as u64),
        ("bytes of the first frame", LINK_HELLO_BYTES_MAX as u64),
        ("bytes of a record", RECORD_BYTES_MAX as u64),
        ("bytes of an item", LINK_ITEM_BYTES_MAX as u64),
        ("entries in a batch", LINK_BATCH_ITEMS_MAX as u64),
        ("entries sent and not acknowledged", LINK_ITEMS_OUTSTANDING_MAX),
        ("refusals in an ack", LINK_REFUSED_MAX as u64),
        ("features", LINK_FEATURES_MAX as u64),
        ("bytes of a feature's name", LINK_FEATURE_BYTES_MAX as u64),
        ("known positions", LINK_KNOWN_MAX as u64),
        ("parameters of an error", LINK_ERROR_PARAMS_MAX as u64),
        ("bytes of a code, or of a parameter's name or value", LINK_ERROR_TEXT_BYTES_MAX as u64),
        ("bytes of an ephemeral's `Frame`", LINK_EPHEMERAL_BYTES_MAX as u64),
        ("questions without an answer, each way", LINK_ASKS_MAX as u64),
        ("bytes of what is asked", LINK_ASK_BYTES_MAX as u64),
        ("bytes of an `answer` or `note` frame", LINK_FRAME_BYTES_MAX as u64),
        ("bytes of a presence", LINK_PRESENCE_BYTES_MAX as u64),
        ("bytes of the entries of a batch, about", LINK_BATCH_BYTES_MAX as u64),
        ("milliseconds until the hello", LINK_HELLO_MS_MAX),
        ("milliseconds until ready", LINK_OPENING_MS_MAX),
        ("milliseconds of silence until a ping", LINK_PING_MS),
        ("milliseconds of silence until dead", LINK_DEAD_MS),
        ("milliseconds to answer a probe", LINK_PROBE_MS),
    ];
    for (name, value) in rows {
        assert!(limits.contains(&format!("\n| {name} | {value} |\n")), "{name}: {value}");
    }
    assert_eq!(limits.matches("\n|").count(), rows.len() + 2, "and no others");
}
