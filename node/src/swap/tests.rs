//! A restore ends at each of its steps, as by a kill, and the folder is opened again.

use std::collections::BTreeMap;

use super::*;
use crate::folder::Folder;

/// What is in a folder, by path.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.metadata().unwrap().is_dir() {
                folders.push(entry.path());
            } else if name != "LOCK" {
                all.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    all
}

fn put(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }
}

fn ends_at(step: usize, kind: io::ErrorKind) -> Steps {
    Steps { done: 0, last: Some((step, kind)) }
}

fn plan() -> Plan {
    Plan { name: "then".into(), from: "a-1".into(), records: 3, replaced_records: 9, asked_ms: 5, ..Plan::default() }
}

/// A folder with an old domain and a new one that was prepared; `BACKUP` as of a copy that was used as it is.
fn prepared(root: &Path) {
    drop(Folder::create(root).unwrap());
    put(
        root,
        &[
            ("journal/1", "old journal"),
            ("keys/node.secret", "old key"),
            ("files/blobs/aa/1", "old file"),
            ("files/cache/7", "a copy of another domain's file"),
            ("views/db", "old views"),
            ("search/index", "old search"),
            ("checkpoints/9.checkpoint", "old checkpoint"),
            ("views.clean", ""),
            ("BACKUP", "9 aa"),
            ("URL", "https://a.example"),
            ("backups/a-1/journal/1", "a backup"),
            ("restoring/journal/1", "new journal"),
            ("restoring/keys/node.secret", "new key"),
            ("restoring/files/blobs/bb/2", "new file"),
            ("restoring/views/db", "new views"),
            ("restoring/views.clean", ""),
            ("restoring/FORMAT", "1\n"),
        ],
    );
}

fn new_domain() -> BTreeMap<String, String> {
    let told = serde_json::to_string(&plan()).unwrap();
    let files = [
        ("FORMAT", "1\n"),
        ("URL", "https://a.example"),
        ("backups/a-1/journal/1", "a backup"),
        ("journal/1", "new journal"),
        ("keys/node.secret", "new key"),
        ("files/blobs/bb/2", "new file"),
        ("views/db", "new views"),
        ("views.clean", ""),
        ("replaced/then/FORMAT", "1\n"),
        ("replaced/then/BACKUP", "9 aa"),
        ("replaced/then/REPLACED", &told),
        ("replaced/then/journal/1", "old journal"),
        ("replaced/then/keys/node.secret", "old key"),
        ("replaced/then/files/blobs/aa/1", "old file"),
        ("replaced/then/files/cache/7", "a copy of another domain's file"),
    ];
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn what_was_not_committed_is_removed_and_the_old_domain_stays() {
    let root = tempfile::tempdir().unwrap();
    prepared(root.path());
    let mut old = tree(root.path());
    old.retain(|name, _| !name.starts_with("restoring"));
    assert_eq!(finish(root.path()).unwrap(), None);
    assert_eq!(tree(root.path()), old);
}

#[test]
fn what_was_committed_takes_its_place_wherever_it_was_cut_short() {
    let mut ends = 0;
    for last in 0.. {
        let root = tempfile::tempdir().unwrap();
        prepared(root.path());
        commit(root.path(), &plan()).unwrap();
        let cut = go_on(root.path(), &mut ends_at(last, io::ErrorKind::Interrupted));
        let whole = cut.is_ok();
        if !whole {
            assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::Interrupted);
            ends += 1;
            let journals = [root.path().to_path_buf(), replaced(root.path()).join("then"), stage(root.path())];
            let there = journals.iter().filter(|j| j.join("journal/1").exists()).count();
            assert_eq!(there, 2, "both journals are somewhere after {last} steps");
        }
        // As the next start does it, or the next verb; which may be cut short as well.
        let _ = go_on(root.path(), &mut ends_at(2, io::ErrorKind::Interrupted));
        drop(Folder::open(root.path()).unwrap());
        assert_eq!(tree(root.path()), new_domain(), "after {last} steps");
        assert_eq!(list(root.path()), [plan()]);
        drop(Folder::open(root.path()).unwrap());
        assert_eq!(tree(root.path()), new_domain(), "and opening it again changes nothing");
        if whole {
            break;
        }
    }
    assert!(ends > 20, "{ends} places to end at");
}

#[test]
fn what_cannot_be_moved_stays_and_why_is_told() {
    let (mut given_up, mut went_on) = (0, 0);
    for step in 0.. {
        let root = tempfile::tempdir().unwrap();
        prepared(root.path());
        let before = tree(root.path());
        commit(root.path(), &plan()).unwrap();
        match go_on(root.path(), &mut ends_at(step, io::ErrorKind::PermissionDenied)) {
            Ok(None) => {
                let told = failed(root.path()).unwrap();
                assert_eq!((told.plan, told.why.as_str()), (plan(), "the process ends here"));
                assert!(!plan_path(root.path()).exists() && !stage(root.path()).exists() && list(root.path()).is_empty());
                let old = |name: &str| name.starts_with("journal") || name.starts_with("keys") || name == "BACKUP";
                let mut now = tree(root.path());
                now.retain(|name, _| old(name));
                assert_eq!(now, before.into_iter().filter(|(name, _)| old(name)).collect(), "given up at step {step}");
                given_up += 1;
            }
            Ok(Some(_)) => break,
            // The journal has moved: the next start goes on.
            Err(_) => {
                drop(Folder::open(root.path()).unwrap());
                assert_eq!(tree(root.path()), new_domain(), "went on from step {step}");
                went_on += 1;
            }
        }
    }
    assert!(given_up > 8 && went_on > 8, "{given_up} given up, {went_on} went on");
}

#[test]
fn what_waits_for_its_place_is_not_cleared_and_what_is_missing_replaces_nothing() {
    let root = tempfile::tempdir().unwrap();
    prepared(root.path());
    commit(root.path(), &plan()).unwrap();
    assert_eq!(clear_stage(root.path()).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    fs::remove_dir_all(stage(root.path())).unwrap();
    drop(Folder::open(root.path()).unwrap());
    assert_eq!(fs::read_to_string(root.path().join("journal/1")).unwrap(), "old journal");
    assert_eq!(fs::read_to_string(root.path().join("BACKUP")).unwrap(), "9 aa");
    assert_eq!(failed(root.path()).unwrap().why, "what was prepared is not there");
    assert!(list(root.path()).is_empty());
}

#[test]
fn a_place_that_cannot_be_made_leaves_everything_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    prepared(root.path());
    put(root.path(), &[("replaced", "not a folder")]);
    commit(root.path(), &plan()).unwrap();
    drop(Folder::open(root.path()).unwrap());
    assert_eq!(fs::read_to_string(root.path().join("journal/1")).unwrap(), "old journal");
    assert_eq!(failed(root.path()).unwrap().plan, plan());
}

#[test]
fn names_from_outside_lead_nowhere_else() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("backups/a-1")).unwrap();
    fs::create_dir_all(root.path().join("secret")).unwrap();
    std::os::unix::fs::symlink(root.path().join("secret"), root.path().join("backups/link")).unwrap();
    let backups = root.path().join("backups");
    assert_eq!(inside(&backups, "a-1"), Some(backups.join("a-1")));
    for name in ["", ".", "..", "../secret", "a-1/../../secret", "/etc", "link", "a-2", "a\u{0}b", ".hidden", "a-1/"] {
        assert_eq!(inside(&backups, name), None, "{name:?}");
    }
    let name = new_name(root.path(), 1_795_753_831_000);
    assert_eq!(name, "2026-11-27T04-30-31Z");
    fs::create_dir_all(replaced(root.path()).join(&name)).unwrap();
    assert_eq!(new_name(root.path(), 1_795_753_831_000), "2026-11-27T04-30-31Z.2");
}
