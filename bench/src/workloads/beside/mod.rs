//! Startalk and others side by side: the same people, messages and checks, on the same machine in the same run, each system
//! alone at a time, started anew for each workload. Rounds are repeated in another order.

mod archive;
mod connections;
mod day;
mod federated;
pub mod findings;
mod plot;
mod reader;
mod recovery;
pub mod results;
pub mod system;

use std::time::Duration;

use anyhow::Result;

use self::{findings::Findings, system::System};
use super::Bench;
use crate::{
    load::{self, Speed},
    peers, proc,
    report::Report,
};

/// So long it is waited until a server, or the disk, is quiet again.
const QUIET_WITHIN: Duration = Duration::from_secs(60);

/// The name of the fair peer, whose figure the ratio is of.
pub const FAIR: &str = "ejabberd-postgresql";

/// Runs it, for the systems that are named, or for all.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<Findings> {
    let systems = systems(bench, report)?;
    let mut findings = Findings::new(&systems);
    for round in 0..bench.settings.repeats {
        let mut order: Vec<&System> = systems.iter().collect();
        order.rotate_left(round % systems.len().max(1));
        for system in order {
            report.line(format!("\nround {} of {}: {}", round + 1, bench.settings.repeats, system.name()));
            measure(bench, report, &mut findings, system).await?;
        }
    }
    findings.lines().into_iter().for_each(|line| report.closing(line));
    report.put("beside", findings.json());
    Ok(findings)
}

/// Those that can be started here.
fn systems(bench: &Bench, report: &Report) -> Result<Vec<System>> {
    let wanted = &bench.settings.systems;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let mut all = vec![System::Startalk, System::Limit];
    let file = bench.settings.peers.clone().unwrap_or_else(peers::usual_file);
    for (name, setup) in peers::read(&file)? {
        if is_wanted(&name) && !setup.is_installed() {
            report.line(format!("{name}: not installed, left out (bench/run installs it from Debian)"));
            continue;
        }
        all.push(System::Other { name, setup: Box::new(setup) });
    }
    all.retain(|system| is_wanted(system.name()));
    Ok(all)
}

/// One round of one system.
async fn measure(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    if bench.settings.measures("one-to-one") {
        one_to_one(bench, report, findings, system).await?;
    }
    let groups = if bench.settings.measures("groups") { bench.settings.members.clone() } else { Vec::new() };
    for members in groups {
        if system.members_max().is_some_and(|most| members > most) {
            report.line(format!("group-{members}, {}: left out, see members_max in peers.toml", system.name()));
            continue;
        }
        for senders in bench.settings.senders.clone() {
            group(bench, report, findings, system, members, senders.clamp(1, members)).await?;
        }
    }
    if !matches!(system, System::Limit) && bench.settings.measures("connections") {
        connections::run(bench, report, findings, system).await?;
    }
    if system.has_people() && system.has_archive() && bench.settings.measures("archive") {
        archive::run(bench, report, findings, system).await?;
    }
    if system.has_people() && bench.settings.measures("day") {
        day::run(bench, report, findings, system).await?;
    }
    // mosquitto and the limit keep neither people nor messages that one could come back to.
    if system.has_people() && bench.settings.measures("recovery") {
        recovery::run(bench, report, findings, system).await?;
    }
    if system.can_federate() && bench.settings.measures("federated") {
        federated::run(bench, report, findings, system).await?;
    }
    Ok(())
}

impl Bench {
    /// Removes what a workload left; a node of ten thousand people is large.
    fn clear(&self, folder: &str) {
        let _ = std::fs::remove_dir_all(self.folder.path().join(folder));
    }
}

async fn one_to_one(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    let (settings, what) = (&bench.settings, "one-to-one");
    let folder = format!("{what}-{}", system.name());
    let running = system.start(bench, &folder, 2 * settings.pairs, 0, false)?;
    let pids = running.pids();
    let peers = running.pairs(0, settings.pairs).await?;
    let indexed = running.indexing();
    let (peers, fast) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.length(), settings.patience, &pids).await?;
    report.run(&format!("{what}, {}, as fast as answered", system.name()), &fast);
    findings.cost(what, system, &fast);
    // What a server leaves for later is its cost, too, and must not slow down what is measured next.
    let later = fast.each_us(proc::until_quiet(&pids, QUIET_WITHIN).await?);
    let indexing = fast.each_us(running.indexing().saturating_sub(indexed));
    report.line(format!("  CPU afterwards, until it is quiet: {later:.1} µs each"));
    findings.put(what, "later_us", "µs", system, later);
    if indexing > 0.0 {
        report.line(format!("  of both {indexing:.1} µs each went into the search index"));
        findings.put(what, "index_us", "µs", system, indexing);
    }
    proc::until_disk_is_quiet(bench.folder.path(), QUIET_WITHIN)?;
    let half = settings.rate.unwrap_or(fast.per_second() / 2.0);
    let (_, steady) = load::run(peers, Speed::PerSecond(half), settings.length(), settings.patience, &pids).await?;
    report.run(&format!("{what}, {}, {}", system.name(), settings.rate_words()), &steady);
    findings.times(what, system, &steady);
    drop(running);
    bench.clear(&folder);
    Ok(())
}

async fn group(
    bench: &Bench,
    report: &mut Report,
    findings: &mut Findings,
    system: &System,
    members: usize,
    senders: usize,
) -> Result<()> {
    let settings = &bench.settings;
    let what = format!("group-{members}{}", if senders == 1 { String::new() } else { format!("-{senders}-speaking") });
    let folder = format!("{what}-{}", system.name());
    let running = system.start(bench, &folder, members, members, true)?;
    let pids = running.pids();
    let peers = running.crowd(members, senders).await?;
    let length = settings.group_length();
    let (peers, fast) = load::run(peers, Speed::Outstanding(settings.outstanding), length, settings.patience, &pids).await?;
    report.run(&format!("{what}, {}, as fast as answered", system.name()), &fast);
    findings.cost(&what, system, &fast);
    let half = settings.rate.unwrap_or(fast.spoken_per_second() / 2.0);
    let (_, steady) = load::run(peers, Speed::PerSecond(half), length, settings.patience, &pids).await?;
    report.run(&format!("{what}, {}, {}", system.name(), settings.rate_words()), &steady);
    findings.times(&what, system, &steady);
    drop(running);
    bench.clear(&folder);
    Ok(())
}
