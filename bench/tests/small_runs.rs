//! Each workload with a few hundred messages, so that the generator cannot rot. Fails on a count, never on a duration.
//!
//! The node and the hub are taken from beside this crate's own binary; where they were not built, those runs are left
//! out, and say so.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_startalk-bench");

fn bench(args: &[&str]) -> Output {
    // Without CARGO it builds nothing: a test must not wait for the build that runs it.
    Command::new(BENCH).args(args).arg("--json").env_remove("CARGO").output().unwrap()
}

fn report(args: &[&str]) -> Value {
    let output = bench(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
}

/// What a small run of a workload came to, if the programs that it measures were built.
fn measured(workload: &str, args: &[&str]) -> Option<Value> {
    let built = ["startalk", "startalk-hub"].iter().all(|name| Path::new(BENCH).with_file_name(name).is_file());
    if !built {
        eprintln!("{workload}: left out, startalk or startalk-hub was not built");
        return None;
    }
    Some(report(&[&[workload], args].concat()))
}

fn complete(run: &Value, messages: u64) {
    assert_eq!(run["messages"], messages, "{run}");
    assert_eq!(run["said"], messages, "{run}");
    assert_eq!(run["acknowledged"]["count"], messages, "{run}");
    assert_eq!(run["delivered"]["count"], messages, "{run}");
}

#[test]
fn one_to_one() {
    let Some(report) = measured("one-to-one", &["--pairs", "3", "--messages", "300", "--rate", "3000"]) else { return };
    complete(&report["one-to-one, as fast as answered"], 300);
    complete(&report["one-to-one, given speed"], 300);
    complete(&report["limit, as fast as answered"], 300);
    let disk = &report["one-to-one, disk"];
    assert_eq!(disk["messages"], 600, "the journal holds them all: {disk}");
    let example: u64 = disk["example"].as_array().unwrap().iter().map(|part| part[1].as_u64().unwrap()).sum();
    assert!((200..=260).contains(&example), "a message's record has {example} bytes");
}

#[test]
fn two_domains() {
    let Some(report) = measured("two-domains", &["--pairs", "4", "--messages", "300", "--rate", "1500"]) else { return };
    complete(&report["two domains, as fast as answered"], 300);
    complete(&report["two domains, given speed"], 300);
}

#[test]
fn start() {
    let Some(report) = measured("start", &["--history", "300", "--starts", "2", "--pairs", "3"]) else { return };
    assert_eq!(report["start"]["messages"], 300);
    assert_eq!(report["start"]["empty"]["count"], 2);
}

#[test]
fn idle() {
    let Some(report) = measured("idle", &["--connections", "20", "--idle-seconds", "0.2"]) else { return };
    assert_eq!(report["idle"]["connections"], 20);
    assert!(report["idle"]["connected_rss"].as_u64().unwrap() > 0);
}

#[test]
fn faults_are_noticed_and_fail_the_run() {
    complete(&report(&["limit", "--pairs", "2", "--messages", "300"])["limit, as fast as answered"], 300);
    for (spoil, field) in [("lose", "lost"), ("double", "doubled"), ("swap", "out_of_order"), ("acknowledge", "acks")] {
        let output = bench(&["limit", "--pairs", "2", "--messages", "300", "--patience", "0.5", "--spoil", spoil]);
        assert!(!output.status.success(), "{spoil}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let faults = report["limit, as fast as answered"]["faults"].as_object().unwrap();
        for (name, count) in faults {
            assert_eq!(count.as_u64().unwrap() > 0, name == field, "{spoil}: {faults:?}");
        }
    }
}
