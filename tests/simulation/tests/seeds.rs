//! A bounded run with fixed seeds, and that a seed is all there is.
//!
//! `STARTALK_SIMULATION_SEEDS=from-to` chooses others.

use startalk_simulation::{Options, run};

const OPTIONS: Options = Options { steps: 500, nodes: None, trace: false };

/// From the environment, or those fixed here.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let Ok(text) = std::env::var("STARTALK_SIMULATION_SEEDS") else { return 101..=120 };
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    from.trim().parse().expect("a first seed")..=to.trim().parse().expect("a last seed")
}

#[test]
fn whatever_goes_wrong_nothing_acknowledged_is_lost_and_nobody_sees_what_is_not_theirs() {
    let (mut failed, mut accepted, mut faults) = (Vec::new(), 0, 0);
    println!("seeds {:?}", seeds());
    for seed in seeds() {
        let outcome = run(seed, &OPTIONS);
        accepted += outcome.accepted;
        faults += outcome.faults;
        if let Some(failure) = outcome.failure {
            let last = outcome.last.join("\n  ");
            failed.push(format!("seed {seed} of {} steps: {failure}\n  {last}", OPTIONS.steps));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(accepted > 0 && faults > 0, "something happened");
}

/// Seeds that failed once, each for another reason: 203, a recall that a restored node had lost came too late to be taken
/// again; 255, an account was deleted and came back with an older copy of its home, as the oracle had not foreseen; 167, two
/// nodes that had each seen two copies of the other told each other so for ever.
#[test]
fn what_failed_once_holds() {
    for seed in [167, 203, 255] {
        let outcome = run(seed, &Options { steps: 600, ..OPTIONS });
        assert_eq!(outcome.failure, None, "seed {seed}");
    }
}

/// What `tests/sabotage` runs with each switch.
#[test]
fn a_few_seeds_hold() {
    for seed in 1..=7 {
        let outcome = run(seed, &Options { steps: 600, ..OPTIONS });
        assert_eq!(outcome.failure, None, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_every_disk() {
    let options = Options { steps: 300, ..OPTIONS };
    let (one, again, other) = (run(3, &options), run(3, &options), run(5, &options));
    assert_eq!((one.failure, other.failure), (None, None));
    assert_eq!((one.hash, one.events, one.last), (again.hash, again.events, again.last));
    assert_ne!(one.hash, other.hash);
}
