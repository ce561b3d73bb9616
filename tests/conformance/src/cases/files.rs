//! Chapter 8: bytes of files are given by a message that the asker's people may read, and otherwise not.

use std::sync::Arc;

use startalk_hostile::Mallory;
use startalk_protocol::pb::group::{FileRange, ask::Ask};

use super::{
    check,
    groups::{code, question},
};
use crate::{Case, Ground, away::knows_groups, case::case};

pub(super) fn cases() -> Vec<Case> {
    vec![case("files-of-strangers", &["files.refused"], strangers)]
}

/// Whoever has been told nothing gets nothing, and learns not why.
async fn strangers(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut line = knows_groups(&g, Mallory::stranger()).await?;
    let of_person = |author: &str, reader: &str, hash: usize, id: usize| FileRange {
        hash: vec![7; hash].into(),
        length: 1 << 20,
        reader: reader.to_owned(),
        author: author.to_owned(),
        id: vec![9; id].into(),
        ..FileRange::default()
    };
    let group = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let asked = [
        ("by somebody unknown", "", of_person("nobody", "mallory", 32, 16), "no-such-file"),
        ("of a group that is not there", group, FileRange { sequence: 1, ..of_person("", "mallory", 32, 0) }, "no-such-file"),
        ("with a short hash", "", of_person("nobody", "mallory", 31, 16), "malformed"),
        ("for a reader that is no name", "", of_person("nobody", "Mallory!", 32, 16), "malformed"),
        ("far behind any end", "", FileRange { offset: u64::MAX, ..of_person("nobody", "mallory", 32, 16) }, "no-such-file"),
    ];
    for (id, (what, group, range, expected)) in (1..).zip(asked) {
        check(what, code(&line.ask(id, question(group, Ask::File(range))).await?), expected)?;
    }
    line.lives().await
}
