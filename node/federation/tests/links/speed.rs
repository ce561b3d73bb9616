//! How fast two nodes exchange messages, on a real disk. Run by hand:
//! `cargo test --release -p startalk-federation --test links -- --ignored --nocapture`

use std::{sync::Arc, time::Instant};

use startalk_journal::{FolderDisk, Options};

use crate::{
    node::{Node, Who},
    world::*,
};

const MESSAGES: usize = 40_000;
const OUTSTANDING: usize = 2_000;

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "the edge: a measurement takes real time")]
fn items_in_a_second() {
    trace();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let who = [Who::new(1), Who::new(2)];
    let [a, b] = [0, 1].map(|n| {
        let disk = Arc::new(FolderDisk::new(folders[n].path()).unwrap());
        Node::start_on(who[n].clone(), disk, Options::default(), &who)
    });
    let (mut alice, mut bob) = (person(&a, "alice"), person(&b, "bob"));
    befriend(&a, &mut alice, &b, &mut bob);
    let (acked, acks) = std::sync::mpsc::channel();
    let cpu = cpu_ms();
    let start = Instant::now();
    for n in 0..MESSAGES {
        alice.say_soon(&a, &bob.id, format!("number {n}: as long as people write on average, about so much, not more"), &acked);
        if n >= OUTSTANDING {
            acks.recv().unwrap();
        }
    }
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0 && s.outbox_head > MESSAGES as u64);
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_ms() - cpu);
    println!(
        "{MESSAGES} messages in {seconds:.2} s: {:.0}/s; {:.1} µs of CPU each, both nodes and the test",
        MESSAGES as f64 / seconds,
        cpu * 1e3 / MESSAGES as f64
    );
    let start = Instant::now();
    for n in 0..200 {
        alice.say(&a, &bob.id, &format!("single {n}"));
        until_status(&a, &b, "it is acknowledged", |s| s.lag == 0);
    }
    println!("one at a time, to the author's knowledge: {:.1} ms (polled every 5)", start.elapsed().as_secs_f64() * 1e3 / 200.0);
}

/// User and system time of this process, milliseconds.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: u64 =
        stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    ticks as f64 * 10.0
}
