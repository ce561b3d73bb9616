//! Every build opens the data folders of every release, and refuses those of later ones by name. `fixtures/folder-1` is a
//! backup of a domain of format 1, with messages, edits, recalls, a deleted account and another domain. Its keys belong
//! to nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

const DOMAIN: &str = "bo7nvqw44gmfkrtaymmy5ztyz2.startalk.alt";

fn copied(name: &str) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let to = root.path().join("data");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), &to);
    (root, to)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::write(target, fs::read(entry.path()).unwrap()).unwrap()
        }
    }
}

fn startalk(data: &Path, verb: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_startalk"))
        .arg("--data")
        .arg(data)
        .args(["--json", "--lang", "en"])
        .args(verb)
        .output()
        .unwrap()
}

fn json(data: &Path, verb: &[&str]) -> Value {
    let out = startalk(data, verb);
    assert!(out.status.success(), "{verb:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn the_first_released_folder_opens_with_all_that_was_in_it() {
    let (_root, data) = copied("folder-1");
    let policy = json(&data, &["policy"]);
    assert_eq!(
        (policy["domain"].as_str(), policy["records"].as_u64(), policy["epoch"].as_u64()),
        (Some(DOMAIN), Some(114), Some(1))
    );
    let users = json(&data, &["user", "list"]);
    let mut names: Vec<&str> = users["users"].as_array().unwrap().iter().map(|u| u["user"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, [format!("alice@{DOMAIN}"), format!("bob@{DOMAIN}")]);
    let alice = users["users"].as_array().unwrap().iter().find(|u| u["user"].as_str().unwrap().starts_with("alice")).unwrap();
    assert_eq!(
        (alice["conversations"].as_u64(), alice["devices"].as_u64(), &alice["administrator"]),
        (Some(2), Some(1), &Value::Bool(true))
    );
    let peers = json(&data, &["peers"]);
    let rules: Vec<_> =
        peers["peers"].as_array().unwrap().iter().map(|p| (p["domain"].as_str().unwrap(), p["rule"].as_str().unwrap())).collect();
    assert_eq!(rules, [("elsewhere.example", "unset"), ("bad.example", "denied")]);
    for finding in json(&data, &["doctor"])["findings"].as_array().unwrap() {
        let about_bytes = ["journal", "views"].contains(&finding["check"].as_str().unwrap());
        assert!(!about_bytes || finding["state"] == "good", "{finding}");
    }
    json(&data, &["user", "add", "carol"]);
    assert_eq!(json(&data, &["rebuild"])["rebuilt"], json(&data, &["policy"])["records"]);
}

#[test]
fn a_folder_of_a_later_format_is_refused_by_name() {
    let (_root, data) = copied("folder-1");
    fs::write(data.join("FORMAT"), "2\n").unwrap();
    let out = startalk(&data, &["policy"]);
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && words.contains("has format 2") && words.contains("formats up to 1"), "{words}");
    assert!(!data.join("views").exists(), "nothing was touched");
}
