//! Runs seeds and says which fail. docs/simulation.md

use std::{
    io::Write as _,
    process::{Command, ExitCode, Stdio},
};

use clap::Parser;
use startalk_simulation::{Options, run};

/// Many nodes in one process, with everything that goes wrong, out of a seed.
#[derive(Parser)]
struct Flags {
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Steps of each before everything heals.
    #[arg(long, default_value_t = 600)]
    steps: u64,
    /// Nodes; without it 3 to 6, by the seed.
    #[arg(long)]
    nodes: Option<usize>,
    /// Break the program with this switch (`startalk_protocol::sabotage`), and expect a seed to fail.
    #[arg(long)]
    sabotage: Option<String>,
    /// Print everything that happens.
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    if let Some(switch) = &flags.sabotage {
        return sabotage(switch, &flags);
    }
    let options = Options { steps: flags.steps, nodes: flags.nodes, trace: flags.trace };
    let (mut failed, mut events, mut faults, mut accepted) = (0_u64, 0, 0, 0);
    for (done, seed) in (flags.from..flags.from.saturating_add(flags.seeds)).enumerate() {
        let outcome = run(seed, &options);
        events += outcome.events;
        faults += outcome.faults;
        accepted += outcome.accepted;
        if let Some(failure) = outcome.failure {
            failed += 1;
            println!("\nseed {seed} failed: {failure}");
            outcome.last.iter().for_each(|line| println!("  {line}"));
            let nodes = flags.nodes.map_or_else(String::new, |n| format!(" --nodes {n}"));
            println!("again: --seeds 1 --from {seed} --steps {}{nodes} --trace", flags.steps);
        }
        eprint!("\r{} of {} seeds, {failed} failed, {events} events, {faults} faults ", done + 1, flags.seeds);
        let _ = std::io::stderr().flush();
    }
    eprintln!();
    println!("seeds {} failed {failed} events {events} faults {faults} accepted {accepted}", flags.seeds);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs this program again, seed by seed, with the switch on, until one fails: then the simulation has noticed.
fn sabotage(switch: &str, flags: &Flags) -> ExitCode {
    if !startalk_protocol::sabotage::Switch::ALL.iter().any(|s| s.as_str() == switch) {
        eprintln!("there is no switch {switch}");
        return ExitCode::FAILURE;
    }
    let program = std::env::current_exe().expect("this program is somewhere");
    for seed in flags.from..flags.from.saturating_add(flags.seeds) {
        let mut command = Command::new(&program);
        command.args(["--seeds", "1", "--from", &seed.to_string(), "--steps", &flags.steps.to_string()]);
        command.args(flags.nodes.into_iter().flat_map(|n| ["--nodes".to_owned(), n.to_string()]));
        let output = command.env("STARTALK_SABOTAGE", switch).stderr(Stdio::null()).output().expect("this program runs");
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            let why: Vec<&str> = text.lines().filter(|l| !l.is_empty() && !l.starts_with("  ")).take(3).collect();
            println!("{switch}: noticed by seed {seed}: {}", why.join(" | "));
            return ExitCode::SUCCESS;
        }
    }
    println!("{switch}: not noticed by {} seeds", flags.seeds);
    ExitCode::FAILURE
}
