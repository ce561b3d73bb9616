//! federation-spec/proto is what this crate compiles, so that the specification is whole without the code.
//!
//! `STARTALK_WRITE_VECTORS=1` copies the files after a deliberate change.

use std::path::PathBuf;

/// What domains say to each other. A node's own journal and its clients are no part of the specification.
const FILES: [&str; 5] = ["content", "group", "link", "tether", "trust"];

#[test]
fn the_specification_has_the_messages_that_the_code_compiles() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let spec = root.join("../../federation-spec/proto");
    for name in FILES.map(|name| format!("{name}.proto")) {
        let ours = std::fs::read_to_string(root.join("proto/startalk").join(&name)).unwrap();
        if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
            std::fs::write(spec.join(&name), &ours).unwrap();
        }
        let theirs = std::fs::read_to_string(spec.join(&name)).unwrap_or_default();
        assert!(ours == theirs, "federation-spec/proto/{name} is another: run with STARTALK_WRITE_VECTORS=1 to copy it");
    }
    assert_eq!(std::fs::read_dir(&spec).unwrap().count(), FILES.len(), "nothing else lies in federation-spec/proto");
}
