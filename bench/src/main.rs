//! `startalk-bench`: measures Startalk by its real programs, and says what a message costs beside what it must cost.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, anyhow};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use startalk_bench::{
    limit::{self, Likeness, Spoil},
    proc,
    programs::Programs,
    report::Report,
    workloads::{self, Bench, Settings},
};
use startalk_load::{stopped::stopped, tally::Times};
use startalk_protocol::limits::GROUP_MEMBERS_MAX;

/// Measures Startalk by its real programs. Fails if any message is lost, doubled or out of order; never by a time.
#[derive(Parser)]
#[command(name = "startalk-bench", version, max_term_width = 100)]
struct Options {
    #[command(flatten)]
    how: How,
    #[command(subcommand)]
    what: What,
}

#[derive(Args)]
struct How {
    /// Pairs of people; between two domains half as many
    #[arg(long, global = true, default_value_t = 100)]
    pairs: usize,
    /// Messages that each has on the way
    #[arg(long, global = true, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    outstanding: u64,
    /// Measured seconds of each run; of a group's run half as many
    #[arg(long, global = true, default_value_t = 10.0)]
    seconds: f64,
    /// So many messages instead, over all
    #[arg(long, global = true)]
    messages: Option<u64>,
    /// Messages a second where the speed is given; default: half of what was possible
    #[arg(long, global = true)]
    rate: Option<f64>,
    /// Idle connections
    #[arg(long, global = true, default_value_t = 1000)]
    connections: usize,
    /// Seconds before memory is looked at
    #[arg(long, global = true, default_value_t = 10.0)]
    idle_seconds: f64,
    /// Messages in the folder that is started again
    #[arg(long, global = true, default_value_t = 100_000)]
    history: u64,
    /// Starts on an empty folder
    #[arg(long, global = true, default_value_t = 9)]
    starts: usize,
    /// Members of a group, all connected; one group after the other
    #[arg(long, global = true, value_delimiter = ',', default_value = "100,1000", value_parser = member_count)]
    members: Vec<usize>,
    /// Members who speak, each number in turn
    #[arg(long, global = true, value_delimiter = ',', default_value = "1,10")]
    senders: Vec<usize>,
    /// Messages of a group that a domain was away for
    #[arg(long, global = true, default_value_t = 20_000)]
    missed: u64,
    /// Clients that come back at once
    #[arg(long, global = true, default_value_t = 500)]
    returning: usize,
    /// Messages that each of them has not heard
    #[arg(long, global = true, default_value_t = 200)]
    unread: u64,
    /// Megabytes (2^20) of the large file
    #[arg(long, global = true, default_value_t = 512)]
    file_mb: u64,
    /// Rounds of the large file: up and down, of each version of HTTP, to each server
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
    /// Pictures of 12 megapixels
    #[arg(long, global = true, default_value_t = 40)]
    pictures: usize,
    /// Uploads at once
    #[arg(long, global = true, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=160))]
    uploads: u64,
    /// Megabytes (2^20) of each of them
    #[arg(long, global = true, default_value_t = 50)]
    upload_mb: u64,
    /// Rounds of `beside`
    #[arg(long, global = true, default_value_t = 1)]
    repeats: usize,
    /// Messages that are stored in the end by `growth`
    #[arg(long, global = true, default_value_t = 10_000_000)]
    stored: u64,
    /// Write what `beside` found into this file, pictures beside it
    #[arg(long, global = true, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Systems that `beside` measures: startalk, limit, or peers by name; default: all that are installed
    #[arg(long, global = true, value_delimiter = ',')]
    systems: Vec<String>,
    /// What `beside` measures; default: all
    #[arg(long, global = true, value_delimiter = ',', value_parser = ["one-to-one", "groups", "connections", "archive", "day", "recovery", "federated"])]
    only: Vec<String>,
    /// How the peers are set up; default: bench/peers.toml
    #[arg(long, global = true, value_name = "FILE")]
    peers: Option<PathBuf>,
    /// Where the programs are; default: beside this one, built first if cargo runs it
    #[arg(long, global = true, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Where data folders are made, which decides the disk; default: the system's place for such
    #[arg(long, global = true, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Seconds that what is on its way may take after the last word
    #[arg(long, global = true, default_value_t = 30.0)]
    patience: f64,
    /// The node's folder is removed while it is dead, which `recovery` must notice
    #[arg(long, global = true, hide = true)]
    forget: bool,
    /// The limit makes this fault, which the generator must notice
    #[arg(long, global = true, hide = true)]
    spoil: Option<Spoil>,
    /// One JSON object instead of lines
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Clone, Copy, PartialEq, Eq)]
enum Workload {
    /// One domain: throughput, CPU, times, disk; the limit beside it
    OneToOne,
    /// Two domains and a hub
    TwoDomains,
    /// The limit alone
    Limit,
    /// From starting to listening
    Start,
    /// Memory with nothing to do: alone, and each connection over TLS, WebSocket and QUIC
    Idle,
    /// A group in one domain, every member connected; the limit beside it
    Groups,
    /// A group over two domains and a hub, half of the members in each
    GroupDomains,
    /// A domain that was away while much was said in a group elsewhere
    Follower,
    /// Thousands of clients that come back at once
    Reconnect,
    /// Through a hub beside the direct way: messages and bytes; memory of a hub by idle tethers, as many as --connections
    Relay,
    /// A large file up and down beside nginx, copies of pictures, memory while many upload at once; not among `all`
    Files,
    /// What the disk alone takes for appends like a journal's, and while something else writes; not among `all`
    Disk,
    /// From an empty folder to --stored messages: does anything become slower? Not among `all`
    Growth,
    /// Startalk beside other servers: bench/peers.toml; not among `all`
    Beside,
    /// All of these but files, disk, growth and beside
    All,
}

#[derive(Subcommand)]
enum What {
    #[command(flatten)]
    Measure(Workload),
    /// The limit itself, started by the others
    #[command(hide = true)]
    LimitServer {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        record_bytes: usize,
        #[arg(long)]
        content_bytes: usize,
        #[arg(long)]
        group: bool,
    },
}

/// What a group may have, and one more than its author, who hears nothing.
fn member_count(text: &str) -> Result<usize, String> {
    let most = usize::try_from(GROUP_MEMBERS_MAX).unwrap_or(usize::MAX);
    text.parse().ok().filter(|n| (2..=most).contains(n)).ok_or_else(|| format!("expected 2 to {most} members"))
}

fn main() -> ExitCode {
    startalk_net::install_crypto();
    let options = Options::parse();
    let result = match options.what {
        What::LimitServer { folder, record_bytes, content_bytes, group } => {
            let spoil = options.how.spoil;
            limit::serve(&folder, Likeness { record_bytes, content_bytes, group, spoil }).map(|()| true)
        }
        What::Measure(workload) => measure(workload, options.how),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("startalk-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False if something happened that must not.
fn measure(workload: Workload, how: How) -> Result<bool> {
    let settings = Settings {
        pairs: how.pairs.max(1),
        outstanding: usize::try_from(how.outstanding)?,
        seconds: how.seconds,
        messages: how.messages,
        rate: how.rate,
        connections: how.connections,
        idle_seconds: how.idle_seconds,
        history: how.history,
        starts: how.starts,
        members: how.members,
        senders: how.senders,
        missed: how.missed.max(1),
        returning: how.returning,
        unread: how.unread,
        file_bytes: how.file_mb << 20,
        rounds: how.rounds.max(1),
        pictures: how.pictures.max(1),
        uploads: usize::try_from(how.uploads)?,
        upload_bytes: how.upload_mb << 20,
        repeats: how.repeats.max(1),
        stored: how.stored,
        results: how.results,
        systems: how.systems,
        peers: how.peers,
        patience: Duration::from_secs_f64(how.patience),
        only: how.only,
        forget: how.forget,
        spoil: how.spoil,
    };
    let folder = tempfile::Builder::new().prefix("startalk-bench-").tempdir_in(how.scratch.unwrap_or_else(std::env::temp_dir))?;
    let bench = Bench { programs: Programs::find(how.programs)?, folder, settings };
    let mut report = Report::new(how.json);
    proc::allow_many_files()?;
    let syncs = proc::sync_times(bench.folder.path())?;
    report.line(format!("disk: 4 KiB written and synced in {syncs}"));
    report.put("sync", syncs.json());
    let Settings { pairs, outstanding, seconds, messages, members, senders, .. } = &bench.settings;
    report.put("settings", json!({
        "pairs": pairs, "outstanding": outstanding, "seconds": seconds, "messages": messages, "members": members, "senders": senders,
    }));
    if workload == Workload::Disk {
        workloads::disk::run(&bench, &mut report)?;
        return Ok(report.finish());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            // What is dropped then ends the servers that it started.
            stopped = stopped() => Err(stopped.err().map_or_else(|| anyhow!("stopped before the end"), Into::into)),
            done = run(workload, &bench, &mut report, &syncs) => done,
        }
    })?;
    Ok(report.finish())
}

async fn run(workload: Workload, bench: &Bench, report: &mut Report, syncs: &Times) -> Result<()> {
    let is = |w| workload == w || workload == Workload::All;
    if is(Workload::OneToOne) {
        workloads::one_to_one::run(bench, report).await?;
    }
    if is(Workload::TwoDomains) {
        workloads::two_domains::run(bench, report).await?;
    }
    if workload == Workload::Limit {
        workloads::limit::run(bench, report).await?;
    }
    if is(Workload::Start) {
        workloads::start::run(bench, report).await?;
    }
    if is(Workload::Idle) {
        workloads::idle::run(bench, report).await?;
    }
    if is(Workload::Groups) {
        workloads::group::run(bench, report).await?;
    }
    if is(Workload::GroupDomains) {
        workloads::group_domains::run(bench, report).await?;
    }
    if is(Workload::Follower) {
        workloads::follower::run(bench, report).await?;
    }
    if is(Workload::Reconnect) {
        workloads::reconnect::run(bench, report).await?;
    }
    if is(Workload::Relay) {
        workloads::relay::run(bench, report).await?;
    }
    if workload == Workload::Files {
        workloads::files::run(bench, report).await?;
    }
    if workload == Workload::Growth {
        workloads::growth::run(bench, report).await?;
    }
    if workload == Workload::Beside {
        let findings = workloads::beside::run(bench, report).await?;
        if let Some(file) = bench.settings.results.as_ref().filter(|_| report.is_good()) {
            workloads::beside::results::write(&findings, &bench.settings, syncs, file)?;
        }
    }
    Ok(())
}
