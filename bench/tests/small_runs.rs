//! Each workload with a few hundred messages, so that the generator cannot rot. Fails on a count, never on a duration.
//!
//! The node, the hub and what fills a folder are taken from beside this crate's own binary; where they were not built,
//! those runs are left out, and say so.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use startalk_load::proc;

const BENCH: &str = env!("CARGO_BIN_EXE_startalk-bench");

fn bench(args: &[&str]) -> Output {
    // Without CARGO it builds nothing: a test must not wait for the build that runs it.
    Command::new(BENCH).args(args).arg("--json").env_remove("CARGO").output().unwrap()
}

fn report(args: &[&str]) -> Value {
    report_of(&bench(args), args)
}

fn report_of(output: &Output, args: &[&str]) -> Value {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
}

/// A run of a workload, if the programs that it needs were built.
fn ran(workload: &str, args: &[&str]) -> Option<Output> {
    is_built(workload).then(|| bench(&[&[workload], args].concat()))
}

fn is_built(workload: &str) -> bool {
    let missing = ["startalk", "startalk-hub", "examples/populate", "examples/photo"]
        .into_iter()
        .find(|n| !Path::new(BENCH).with_file_name(n).is_file());
    if let Some(missing) = missing {
        eprintln!("{workload}: left out, {missing} was not built");
    }
    missing.is_none()
}

/// A run of a workload that goes on, likewise.
fn started(workload: &str, args: &[&str]) -> Option<Child> {
    is_built(workload).then(|| {
        let mut command = Command::new(BENCH);
        command.arg(workload).args(args).env_remove("CARGO").stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    })
}

/// Of a process that has not ended, the name of its program.
fn name(pid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|text| text.trim_end().to_owned())
}

/// What a small run of a workload came to.
fn measured(workload: &str, args: &[&str]) -> Option<Value> {
    ran(workload, args).map(|output| report_of(&output, args))
}

fn complete(run: &Value, messages: u64) {
    assert_eq!(run["messages"], messages, "{run}");
    assert_eq!(run["said"], messages, "{run}");
    assert_eq!(run["acknowledged"]["count"], messages, "{run}");
    assert_eq!(run["delivered"]["count"], messages, "{run}");
}

/// Everybody but its author heard each message.
fn crowded(run: &Value, said: u64, others: u64) {
    assert_eq!(run["said"], said, "{run}");
    assert_eq!(run["acknowledged"]["count"], said, "{run}");
    assert_eq!(run["messages"], said * others, "{run}");
    assert_eq!(run["delivered"]["count"], said * others, "{run}");
}

#[test]
fn one_to_one() {
    let Some(report) = measured("one-to-one", &["--pairs", "3", "--messages", "300", "--rate", "3000"]) else { return };
    complete(&report["one-to-one, as fast as answered"], 300);
    complete(&report["one-to-one, given speed"], 300);
    complete(&report["limit, as fast as answered"], 300);
    complete(&report["one-to-one, half of the speed asked for"], 300);
    let disk = &report["one-to-one, disk"];
    assert_eq!(disk["messages"], 900, "the journal holds them all: {disk}");
    let example: u64 = disk["example"].as_array().unwrap().iter().map(|part| part[1].as_u64().unwrap()).sum();
    assert!((200..=260).contains(&example), "a message's record has {example} bytes");
}

#[test]
fn systems_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("RESULTS.md");
    let small = [
        "--pairs",
        "2",
        "--members",
        "4",
        "--senders",
        "1",
        "--messages",
        "100",
        "--rate",
        "2000",
        "--connections",
        "3",
        "--idle-seconds",
        "0.1",
        "--returning",
        "10",
        "--unread",
        "60",
        "--repeats",
        "2",
        "--results",
        results.to_str().unwrap(),
    ];
    let Some(report) = measured("beside", &small) else { return };
    // Peers take part where they are installed, and pass the same checks.
    let systems = report["beside"]["systems"].as_array().unwrap();
    assert!(systems.iter().any(|s| s[0] == "startalk") && systems.iter().any(|s| s[0] == "limit"), "{systems:?}");
    for system in systems {
        let name = system[0].as_str().unwrap();
        complete(&report[&format!("one-to-one, {name}, as fast as answered")], 100);
        crowded(&report[&format!("group-4, {name}, as fast as answered")], 100, 3);
        if name != "limit" && name != "mosquitto" {
            complete(&report[&format!("day, {name}, in pairs")], 100);
            crowded(&report[&format!("day, {name}, in a group")], 100, 29);
            complete(&report[&format!("federated, {name}, all across, as fast as answered")], 100);
            complete(&report[&format!("federated, {name}, half across, given speed")], 100);
        }
    }
    let rows = report["beside"]["rows"].as_array().unwrap();
    for (workload, figure) in [
        ("one-to-one", "cpu_us"),
        ("sign-in", "cpu_us"),
        ("reconnect", "cpu_ms"),
        ("history", "p99"),
        ("day", "cpu_ms_s"),
        ("day", "back_p99"),
        ("day", "page_p99"),
        ("recovery", "lost"),
        ("federated", "cpu_us"),
    ] {
        let row = rows.iter().find(|r| r["workload"] == workload && r["figure"] == figure);
        assert_eq!(
            row.map(|r| r["values"]["startalk"].as_array().map(Vec::len)),
            Some(Some(2)),
            "{workload} {figure} has both rounds"
        );
    }
    let text = std::fs::read_to_string(&results).unwrap();
    assert!(text.contains("## one-to-one") && folder.path().join("results/one-to-one.svg").is_file(), "{text}");
}

#[test]
fn the_disk_itself() {
    let report = report(&["disk", "--seconds", "0.3"]);
    for what in ["disk, alone", "disk, 512k", "disk, 16m", "disk, never"] {
        assert!(report[what]["times"]["count"].as_u64() > Some(0), "{report}");
    }
}

#[test]
fn growth() {
    let Some(report) = measured("growth", &["--pairs", "2", "--stored", "1000", "--seconds", "0.2"]) else { return };
    let growth = &report["growth"];
    let stages: Vec<u64> = growth["stages"].as_array().unwrap().iter().map(|s| s["stored"].as_u64().unwrap()).collect();
    assert!(stages[0] == 0 && stages.is_sorted() && *stages.last().unwrap() >= 1000, "{growth}");
    assert!(growth["stored"].as_u64() >= stages.last().copied(), "{growth}");
}

#[test]
fn files() {
    let small = ["--file-mb", "3", "--rounds", "2", "--pictures", "2", "--uploads", "21", "--upload-mb", "1"];
    let Some(report) = measured("files", &small) else { return };
    for version in ["files, HTTP/1.1", "files, HTTP/2"] {
        let figures = report[version]["figures"].as_array().unwrap();
        for what in ["up, node: hashed, durable, held", "down, node"] {
            assert!(figures.iter().any(|f| f["what"] == what && f["rounds"] == 2), "{what}: {figures:?}");
        }
    }
    assert_eq!(report["pictures"]["count"], 2, "{report}");
    assert!(report["pictures"]["worker_rss_peak"].as_u64() > Some(0), "{report}");
    assert_eq!((&report["uploads"]["count"], &report["uploads"]["checked"]), (&21.into(), &21.into()), "{report}");
}

/// By system, of each round.
fn found(report: &Value, workload: &str, figure: &str) -> Value {
    let rows = report["beside"]["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["workload"] == workload && r["figure"] == figure);
    row.unwrap_or_else(|| panic!("no {figure} of {workload}: {report}"))["values"].clone()
}

#[test]
fn a_node_that_forgets_what_it_acknowledged_is_noticed_and_fails_the_run() {
    let small = ["--systems", "startalk", "--only", "recovery", "--pairs", "2", "--unread", "60", "--patience", "1"];
    let Some(report) = measured("beside", &small) else { return };
    assert!(found(&report, "recovery", "acknowledged")["startalk"][0].as_f64() >= Some(240.0), "{report}");
    for figure in ["absent", "missing", "lost"] {
        assert_eq!(found(&report, "recovery", figure)["startalk"], serde_json::json!([0.0]), "{report}");
    }
    let Some(output) = ran("beside", &[&small[..], &["--forget"]].concat()) else { return };
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (missing, acknowledged) = (found(&report, "recovery", "missing"), found(&report, "recovery", "acknowledged"));
    assert_eq!((&missing, &found(&report, "recovery", "lost")), (&acknowledged, &acknowledged), "all of it: {report}");
    assert_eq!(found(&report, "recovery", "absent")["startalk"], serde_json::json!([4.0]), "{report}");
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
    assert!(report["idle"]["tls_rss"].as_u64().unwrap() > 0);
    assert!(report["idle"]["websocket_rss"].as_u64().unwrap() > 0);
}

#[test]
fn through_a_hub() {
    let args = [
        "--pairs",
        "3",
        "--messages",
        "300",
        "--rate",
        "1500",
        "--file-mb",
        "3",
        "--rounds",
        "2",
        "--connections",
        "210",
        "--idle-seconds",
        "0.2",
    ];
    let Some(report) = measured("relay", &args) else { return };
    for way in ["direct", "through the hub"] {
        complete(&report[format!("relay, {way}, as fast as answered")], 300);
        complete(&report[format!("relay, {way}, given speed")], 300);
    }
    assert_eq!(report["relay, bytes"]["rounds"], 2, "{report}");
    assert_eq!(report["relay, tethers over QUIC"]["tethers"], 210, "{report}");
    assert_eq!(report["relay, tethers over TLS"]["tethers"], 200, "{report}");
}

#[test]
fn groups() {
    let args = ["--members", "5,300", "--senders", "1,3", "--messages", "60", "--rate", "60"];
    let Some(report) = measured("groups", &args) else { return };
    for (members, speaking) in [(5, 1), (5, 3), (300, 1), (300, 3)] {
        let name = format!("group of {members}, {speaking} speaking");
        crowded(&report[format!("{name}, as fast as answered")], 60, members - 1);
        crowded(&report[format!("{name}, given speed")], 60, members - 1);
        crowded(&report[format!("limit with {members}, {speaking} speaking")], 60, members - 1);
    }
}

#[test]
fn a_group_over_two_domains() {
    // More than join at a time, so that some come in when the replica is there already.
    let args = ["--members", "24", "--messages", "100", "--rate", "100"];
    let Some(report) = measured("group-domains", &args) else { return };
    for speed in ["as fast as answered", "given speed"] {
        let run = &report[format!("group of 24 over two domains, {speed}")];
        assert_eq!(run["said"], 100, "{run}");
        // Half of them by who hears of their own words from the home, as all others do; the others' are heard by 23.
        assert_eq!(run["messages"], 50 * 23 + 50 * 24, "{run}");
        assert_eq!(run["acknowledged"]["count"], 100, "{run}");
    }
}

#[test]
fn a_follower_that_was_away() {
    let Some(report) = measured("follower", &["--missed", "700"]) else { return };
    assert_eq!(report["follower"]["missed"], 700);
    assert_eq!(report["good"], true, "{report}");
}

#[test]
fn clients_that_come_back_at_once() {
    // More than a sync brings, and more than one page of history.
    let Some(report) = measured("reconnect", &["--returning", "20", "--unread", "270"]) else { return };
    assert_eq!(report["reconnect"]["clients"], 20);
    assert_eq!(report["reconnect"]["unread"], 270);
    assert_eq!(report["good"], true, "{report}");
}

#[test]
fn faults_in_a_group_are_noticed_and_fail_the_run() {
    for (spoil, field) in [("lose", "lost"), ("double", "doubled"), ("swap", "out_of_order"), ("acknowledge", "acks")] {
        let args = ["--members", "5", "--senders", "2", "--messages", "300", "--patience", "0.5", "--spoil", spoil];
        let Some(output) = ran("groups", &args) else { return };
        assert!(!output.status.success(), "{spoil}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["group of 5, 2 speaking, as fast as answered"]["faults"]["lost"], 0, "the node makes none");
        let faults = report["limit with 5, 2 speaking"]["faults"].as_object().unwrap();
        for (name, count) in faults {
            assert_eq!(count.as_u64().unwrap() > 0, name == field, "{spoil}: {faults:?}");
        }
    }
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

#[test]
fn who_interrupts_a_run_is_left_with_no_server() {
    let Some(mut run) = started("one-to-one", &["--pairs", "2", "--seconds", "600"]) else { return };
    let servers = loop {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        // Its name is the program's once it is more than a copy of who starts it.
        let servers: Vec<_> =
            proc::children(run.id()).into_iter().filter(|s| name(*s).is_some_and(|n| n == "startalk")).collect();
        if !servers.is_empty() {
            break servers;
        }
        thread::sleep(Duration::from_millis(5));
    };
    kill_process(Pid::from_raw(run.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    assert!(!run.wait().unwrap().success());
    let left: Vec<_> = servers.into_iter().filter_map(name).collect();
    assert!(left.is_empty(), "{left:?}");
}
