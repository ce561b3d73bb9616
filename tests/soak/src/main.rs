//! Runs for some minutes, or hours, and says what happened. docs/overload.md

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use startalk_soak::{Options, Trouble, run};

/// Two nodes and a hub under mixed load and every trouble there is.
#[derive(Parser)]
struct Flags {
    /// No further cycle of troubles is begun after so many minutes; there are two at least.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Exactly so many cycles, however long they take.
    #[arg(long)]
    cycles: Option<u64>,
    /// Only this trouble, to look at it closely; may be given several times.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Trouble::NAMES))]
    only: Vec<String>,
    /// Of all chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where `startalk` and `startalk-hub` are; otherwise beside this program.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// The summary as JSON on standard output; what happens meanwhile goes to standard error.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Flags { minutes, cycles, only, seed, binaries, json } = Flags::parse();
    let say = |line: &str| if json { eprintln!("{line}") } else { println!("{line}") };
    say(&format!("seed {seed}"));
    let outcome = run(Options { minutes, cycles, only, seed, binaries }, &say).await;
    outcome.lines().iter().for_each(|line| say(line));
    if json {
        println!("{}", outcome.json());
    }
    if outcome.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
