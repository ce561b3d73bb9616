//! Two cycles of all troubles, as a program: nothing is lost, nothing grows, and every trouble happened.

use std::process::Command;

use serde_json::Value;

#[test]
fn two_cycles_of_every_trouble_leave_everything_there_once_and_nothing_grown() {
    let output = Command::new(env!("CARGO_BIN_EXE_startalk-soak")).args(["--json", "--cycles", "2"]).output().unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    print!("{said}");
    assert!(output.status.success(), "{said}\n{told}");
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!((told["cycles"].as_u64(), told["faults"].as_array().map(Vec::len)), (Some(2), Some(0)), "{told:#}");
    assert!(told["messages"].as_u64().is_some_and(|messages| messages > 500), "{told:#}");
    let skipped = told["skipped"].as_array().map_or(0, Vec::len);
    for (trouble, times) in told["troubles"].as_object().unwrap() {
        let may_be_skipped = trouble == "full disk" && skipped == 2;
        assert!(times.as_u64() >= Some(2) || may_be_skipped, "{trouble}: {times}");
    }
    assert!(told["troubles"]["kill"].as_u64() >= Some(4), "all three, and one again");
}
