//! Each switch, alone, makes its test fail; without a switch the same test passes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use startalk_protocol::sabotage::Switch;
use startalk_sabotage::{Caught, LIST};

/// The test binaries of the workspace as they were built for this run: (package, target) → file.
fn binaries() -> BTreeMap<(String, String), PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--no-run", "--message-format", "json", "--quiet"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut found = BTreeMap::new();
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let (Some(file), Some(target)) = (message["executable"].as_str(), message["target"]["name"].as_str()) else { continue };
        if message["profile"]["test"] != true {
            continue;
        }
        let id = message["package_id"].as_str().unwrap_or_default();
        let manifest = message["manifest_path"].as_str().unwrap_or_default();
        let package = std::fs::read_to_string(manifest)
            .ok()
            .and_then(|t| t.lines().find_map(|l| l.strip_prefix("name = ").map(|n| n.trim_matches('"').to_owned())))
            .unwrap_or_else(|| id.to_owned());
        found.insert((package, target.to_owned()), PathBuf::from(file));
    }
    found
}

/// How many tests run at once: one that misses what does not come only waits.
const AT_ONCE: usize = 4;

/// What is wrong: it fails as it is, or does not with the switch.
fn wrong(caught: &Caught, file: &Path) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = |switch: &str| {
        let out = Command::new(file)
            .args(["--exact", caught.test])
            .env("STARTALK_SABOTAGE", switch)
            .env("RUST_BACKTRACE", "0")
            .current_dir(&root)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(text.contains("running 1 test"), "{} has no test {}", caught.binary, caught.test);
        out.status.success()
    };
    if !run("") {
        return Some(format!("{} fails without any switch", caught.test));
    }
    run(caught.switch.as_str()).then(|| format!("{} does not notice `{}`", caught.test, caught.switch.as_str()))
}

#[test]
fn every_switch_is_caught_by_its_test() {
    let binaries = binaries();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(caught) = LIST.get(next.fetch_add(1, Ordering::Relaxed)) {
            let file = &binaries[&(caught.package.to_owned(), caught.binary.to_owned())];
            let wrong = wrong(caught, file);
            failed.lock().unwrap().extend(wrong);
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_switch_is_on_the_list() {
    for switch in Switch::ALL {
        assert!(LIST.iter().any(|c| c.switch == *switch), "no test is named for `{}`", switch.as_str());
    }
}
