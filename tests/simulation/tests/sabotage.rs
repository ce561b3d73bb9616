//! The simulation notices what is broken on purpose, each switch within 200 seeds. Left out are the switches that need a
//! peer that is hostile on the link or a damaged tree of views, which it does not have, and two lies of homes that it tells
//! too seldom.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

const SWITCHES: &[&str] = &[
    "acknowledge-before-sync",
    "no-dedupe",
    "items-twice",
    "items-forgotten",
    "no-membership-check",
    "bodies-not-erased",
    "went-back-unnoticed",
    "no-disk-reserve",
    "no-rollback",
    "intervals-not-checked",
    "authors-not-checked",
    "heads-not-checked",
    "group-rights-not-checked",
    "failed-too-soon",
    "former-epochs-forgotten",
];

/// How many run at once; each is one process with one thread.
const AT_ONCE: usize = 2;

#[test]
fn each_switch_is_noticed_within_200_seeds() {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(switch) = SWITCHES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let program = env!("CARGO_BIN_EXE_startalk-simulation");
            let output = Command::new(program).args(["--seeds", "200", "--sabotage", switch]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
            print!("{text}");
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
}
