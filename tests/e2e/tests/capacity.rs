//! `startalk bench`: what it says, in JSON and in both languages, and that it leaves nothing behind, also when it is stopped in
//! the middle. So short that its figures mean nothing; counts are exact all the same.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use startalk_examples::processes::binaries;

/// Looks of 20 ms until something that must come is missed.
const LOOKS: usize = 1500;

fn bench(root: &Path, seconds: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binaries()?.join("startalk"));
    command.arg("--data").arg(root.join("data")).args(arguments).args(["bench", "--seconds", seconds, "--in-time-ms", "60000"]);
    Ok(command)
}

/// A data folder with something in it, that nobody may touch.
fn root() -> anyhow::Result<tempfile::TempDir> {
    let root = tempfile::tempdir()?;
    fs::create_dir(root.path().join("data"))?;
    fs::write(root.path().join("data/kept"), "as it was")?;
    Ok(root)
}

fn names(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    Ok(fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into())).collect::<std::io::Result<_>>()?)
}

/// Nothing came to what was there, and nothing went.
fn nothing_is_left(root: &Path) -> anyhow::Result<()> {
    assert_eq!(names(root)?, BTreeSet::from(["data".into()]));
    assert_eq!(names(&root.join("data"))?, BTreeSet::from(["kept".into()]));
    assert_eq!(fs::read_to_string(root.join("data/kept"))?, "as it was");
    Ok(())
}

fn said(output: &Output) -> anyhow::Result<String> {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{out}{err}");
    // No bar where nobody looks.
    assert_eq!(err, "");
    Ok(out.into_owned())
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {value}"))
}

#[test]
fn the_answer_has_every_field_and_every_message_arrived_once() -> anyhow::Result<()> {
    let root = root()?;
    let answer: Value = serde_json::from_str(&said(&bench(root.path(), "1", &["--json"])?.output()?)?)?;
    nothing_is_left(root.path())?;
    let fields: BTreeSet<&str> = answer.as_object().context("an object")?.keys().map(String::as_str).collect();
    let expected = [
        "assumed",
        "capacity",
        "disk",
        "folder",
        "group",
        "machine",
        "memory",
        "one_to_one",
        "others_cpu",
        "seconds",
        "sign_in",
        "system",
    ];
    assert_eq!(fields, BTreeSet::from(expected));
    for above_zero in [
        "/capacity/people",
        "/capacity/by/cpu",
        "/capacity/by/memory",
        "/capacity/by/files",
        "/capacity/by/messages",
        "/machine/cores",
        "/machine/memory_bytes",
        "/machine/files_limit",
        "/disk/sync_p50_ms",
        "/disk/sync_p99_ms",
        "/memory/idle_bytes",
        "/one_to_one/held_per_second",
        "/one_to_one/p99_ms",
        "/one_to_one/in_time_ms",
        "/group/deliveries_per_second",
        "/sign_in/count",
        "/sign_in/per_second",
        "/assumed/messages_per_day",
        "/assumed/connections_per_person",
        "/seconds",
    ] {
        assert!(number(&answer, above_zero) > 0.0, "{above_zero} in {answer}");
    }
    for there in
        ["/memory/bytes_per_connection", "/one_to_one/cpu_us", "/one_to_one/generator_cpu_us", "/group/cpu_us", "/others_cpu"]
    {
        assert!(number(&answer, there) >= 0.0, "{there} in {answer}");
    }
    assert_eq!(answer["folder"], root.path().to_str().context("a path in UTF-8")?);
    assert_eq!(answer["memory"]["connections"], 24);
    let least = ["cpu", "memory", "files", "messages"].map(|part| answer["capacity"]["by"][part].as_u64());
    assert_eq!(answer["capacity"]["people"].as_u64(), *least.iter().min().context("parts")?);
    let bounds = ["cpu", "core", "memory", "files", "disk", "generator"];
    assert!(bounds.contains(&answer["capacity"]["bound"].as_str().unwrap_or_default()), "{answer}");

    // Everybody heard their partner at every speed, and the others of the group.
    let (one, group) = (&answer["one_to_one"]["messages"], &answer["group"]["messages"]);
    assert!(number(one, "/said") >= 6.0 && number(group, "/said") >= 4.0, "{answer}");
    assert_eq!((&one["faults"], &one["to_deliver"]), (&0.into(), &one["said"]));
    assert_eq!(answer["group"]["members"], 5);
    assert_eq!((group["faults"].as_u64(), group["to_deliver"].as_u64()), (Some(0), group["said"].as_u64().map(|said| said * 4)));
    let speeds = answer["one_to_one"]["speeds"].as_array().context("speeds")?;
    assert!(speeds.iter().any(|s| s["held"] == true) && speeds.iter().any(|s| s["held"] == false), "{answer}");
    for speed in speeds {
        for busy in ["machine", "thread", "disk"] {
            assert!(number(speed, &format!("/busy/{busy}")) >= 0.0, "{speed}");
        }
        assert!(
            number(speed, "/asked_per_second") > 0.0 && (speed["held"] == false || number(speed, "/per_second") > 0.0),
            "{speed}"
        );
    }
    Ok(())
}

#[test]
fn it_is_said_in_chinese_and_english() -> anyhow::Result<()> {
    let root = root()?;
    let english = said(&bench(root.path(), "1", &["--lang", "en"])?.output()?)?;
    for words in [
        "This machine carries about ",
        "The bound is: ",
        "What each part would carry",
        "← the bound",
        "Measured",
        "passwords",
        "all acknowledged",
        "each once",
        "Assumed",
        "60 messages a day",
        "kept free",
    ] {
        assert!(english.contains(words), "{words} in {english}");
    }
    let chinese = said(&bench(root.path(), "1", &["--lang", "zh"])?.output()?)?;
    for words in [
        "这台机器大约可供",
        "瓶颈：",
        "各部分可支撑的人数",
        "← 瓶颈",
        "实测",
        "密码登录",
        "全部确认",
        "假定",
        "60 条消息",
        "留出",
    ] {
        assert!(chinese.contains(words), "{words} in {chinese}");
    }
    for line in english.lines().chain(chinese.lines()).filter(|l| !l.contains(&root.path().display().to_string())) {
        // Chinese characters take two.
        let columns: usize = line.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
        assert!(columns <= 80, "{columns} columns: {line}");
    }
    nothing_is_left(root.path())
}

/// All that it has started and that has not ended.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    let own: Vec<u32> =
        threads.flat_map(|t| of(t).split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>()).collect();
    own.iter().flat_map(|child| std::iter::once(*child).chain(children(*child))).collect()
}

/// Waits until the node that it started serves.
fn serving(bench: &Child, root: &Path) -> anyhow::Result<Vec<u32>> {
    for _ in 0..LOOKS {
        let folder = names(root)?.into_iter().find(|name| name.to_string_lossy().starts_with(".startalk-bench-"));
        if folder.is_some_and(|folder| root.join(folder).join("node/URL").exists()) {
            let children = children(bench.id());
            if !children.is_empty() {
                return Ok(children);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("its node did not start")
}

#[test]
fn stopped_in_the_middle_it_leaves_no_process_and_no_folder() -> anyhow::Result<()> {
    for (signal, language, words) in
        [(Signal::INT, "en", "stopped; nothing is left of it"), (Signal::TERM, "zh", "已中止，没有留下任何东西")]
    {
        let root = root()?;
        // Long enough that it is still at it.
        let child = bench(root.path(), "300", &["--lang", language])?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id())?).context("a process has a number")?;
        let children = serving(&child, root.path())?;
        kill_process(pid, signal)?;
        let output = child.wait_with_output()?;
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
        let left: Vec<u32> = children.into_iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
        assert!(left.is_empty(), "{left:?} are still there");
        nothing_is_left(root.path())?;
    }
    Ok(())
}
