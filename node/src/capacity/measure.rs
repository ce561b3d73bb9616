//! The measuring: a node of its own as a process, people over real TLS, and what it costs. Every message is checked at everybody
//! who hears it.
//!
//! The generator is on the same machine: its CPU is told apart from the node's, and what went through beside it is a lower
//! bound of what the machine can do.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde::Serialize;
use startalk_load::{
    client::{Client, Server},
    clock::Watch,
    load::{self, Length, Measured, Speed},
    peer::{Authors, Part, Peer},
    people::{for_each, name, register},
    proc,
    process::Process,
    tally::{Faults, Times},
};
use startalk_protocol::{error::Language, limits::DEVICES_MAX};
use tokio::{task::JoinSet, time::sleep};

use super::{ladder::Ladder, meter::Meter, model::Stop, words};
use crate::admin::{Request, control};

/// Acknowledgements have to come within so many milliseconds, 99 of 100, counted from when a message was to be sent.
pub const IN_TIME_MS: f64 = 100.0;
/// What is on its way after the last word may take so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Members of the group who write, and how many messages each has on its way.
const SPEAKERS: usize = 4;
const OUTSTANDING: usize = 2;
/// Memory is looked at after each of so many parts of the idle connections.
const PARTS: usize = 8;
/// Passwords that are tried at once: more than a node computes.
const SIGN_INS_AT_ONCE: usize = 4;
/// Of the speed that was asked for, what has to have been said.
const KEPT_UP: f64 = 0.95;
/// From this on something is called busy all the time.
const FULL: f64 = 0.9;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Pairs of people who write to each other; all of them are in the group.
    pub pairs: usize,
    /// Members of the group, all connected.
    pub members: usize,
    /// Connections that say nothing.
    pub connections: usize,
    /// About how long it takes in all.
    pub seconds: f64,
    /// See [`IN_TIME_MS`].
    pub in_time_ms: f64,
}

impl Size {
    /// For about so many seconds.
    pub fn of(seconds: f64) -> Self {
        let (pairs, members, connections) = match seconds {
            s if s < 10.0 => (3, 5, 24),
            s if s < 40.0 => (15, 30, 400),
            _ => (20, 30, 1000),
        };
        Self { pairs, members, connections, seconds, in_time_ms: IN_TIME_MS }
    }

    fn people(self) -> usize {
        self.pairs * 2
    }

    /// Of each speed that is tried; about twelve are, some of them twice.
    fn rung(self) -> f64 {
        (self.seconds * 0.03).max(0.1)
    }
}

/// What the process and the machine had used at a moment.
struct Used {
    at: Watch,
    machine: (Duration, Duration),
    threads: Vec<(u32, Duration)>,
    syncs_seconds: f64,
}

/// What was busy between two moments, as parts of the time, 0 to 1.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Busy {
    /// All processors, whoever used them.
    pub machine: f64,
    /// The node's busiest thread.
    pub thread: f64,
    /// The write loop's waiting for the disk.
    pub disk: f64,
}

/// One speed.
#[derive(Clone, Debug, Serialize)]
pub struct Rung {
    /// Messages a second that were to be written.
    pub asked_per_second: f64,
    /// And were.
    pub per_second: f64,
    /// 99 of 100 acknowledgements came within so many milliseconds; half of them in the second.
    pub p99_ms: f64,
    /// See [`Rung::p99_ms`].
    pub p50_ms: f64,
    /// The node's CPU for each.
    pub cpu_us: f64,
    /// This program's.
    pub generator_cpu_us: f64,
    /// What was busy meanwhile.
    pub busy: Busy,
    /// In time, and all of it.
    pub held: bool,
}

/// Messages of one kind, over all runs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Written.
    pub said: u64,
    /// To be delivered, one for each who hears it.
    pub to_deliver: u64,
    /// Lost, doubled, out of order, without an answer, of nobody, or without a place.
    pub faults: u64,
}

/// One-to-one messages.
#[derive(Debug, Serialize)]
pub struct OneToOne {
    /// What was asked of acknowledgements.
    pub in_time_ms: f64,
    /// The fastest that held; 0 if none did.
    pub held_per_second: f64,
    /// Its times.
    pub p50_ms: f64,
    /// Its times.
    pub p99_ms: f64,
    /// The node's CPU for a message, at the speed nearest to half of that.
    pub cpu_us: f64,
    /// This program's for the same.
    pub generator_cpu_us: f64,
    /// Why not faster.
    pub stopped_by: Stop,
    /// All that were tried, in this order.
    pub speeds: Vec<Rung>,
    /// All of them together.
    pub messages: Counts,
}

/// A group in which everybody is connected, as fast as answers come.
#[derive(Debug, Serialize)]
pub struct Group {
    /// Members.
    pub members: usize,
    /// To members other than the author.
    pub deliveries_per_second: f64,
    /// The node's CPU for a delivery, its share of writing the message in it.
    pub cpu_us: f64,
    /// From being written to being delivered.
    pub p50_ms: f64,
    /// From being written to being delivered.
    pub p99_ms: f64,
    /// All together.
    pub messages: Counts,
}

/// 4 KiB written and made durable.
#[derive(Debug, Serialize)]
pub struct Disk {
    /// Half are quicker.
    pub sync_p50_ms: f64,
    /// 99 of 100 are quicker.
    pub sync_p99_ms: f64,
}

/// The node's memory.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// With nobody connected.
    pub idle_bytes: u64,
    /// Connections that said nothing.
    pub connections: usize,
    /// Each of them.
    pub bytes_per_connection: f64,
}

/// By password: each costs what Argon2 asks for.
#[derive(Debug, Serialize)]
pub struct SignIns {
    /// How many.
    pub count: usize,
    /// A second.
    pub per_second: f64,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Measurements {
    pub disk: Disk,
    pub memory: Memory,
    pub one_to_one: OneToOne,
    pub group: Group,
    pub sign_in: SignIns,
    /// Of the processors' time, what was used neither by the node nor by this program while messages were written, 0 to 1.
    pub others_cpu: f64,
}

/// CPU over all runs, to tell what others used.
#[derive(Default)]
struct Shares {
    machine_used: f64,
    machine_all: f64,
    ours: f64,
}

/// Measures in `folder`, which is empty, with the program of a node.
///
/// # Errors
/// If something does not start or breaks off.
pub async fn measure(
    folder: &Path,
    program: &Path,
    size: Size,
    cores: f64,
    meter: &Meter,
    language: Language,
) -> Result<Measurements> {
    let t = |en: &str, zh: &str| words::say(language, en, zh).to_owned();
    meter.step(size.seconds * 0.03, t("disk", "磁盘"));
    let syncs = proc::sync_times(folder)?;
    meter.step(size.seconds * 0.07, t("people come in", "人员进入"));
    let data = folder.join("node");
    let node = start(program, &data)?;
    let (server, domain) = (node.server()?, node.said("domain")?.to_owned());
    let (tokens, group) = people(&server, size).await?;
    node.stop()?;
    // Without the memory that passwords took.
    let node = start(program, &data)?;
    let server = node.server()?;
    meter.step(size.seconds * 0.12, t("idle connections", "空闲连接"));
    let memory = idle(&node, &server, &tokens, size).await?;
    let mut shares = Shares::default();
    meter.step(size.seconds * 0.48, t("messages", "消息"));
    let one_to_one = one_to_one(&Running { node: &node, data: &data, cores }, &domain, &tokens, size, &mut shares, &|rate| {
        meter.say(words::at_speed(rate, language));
    })
    .await?;
    meter.step(size.seconds * 0.15, t("a group", "群"));
    let group = group_deliveries(&node, &tokens, group, size).await?;
    meter.step(size.seconds * 0.15, t("passwords", "密码登录"));
    let sign_in = sign_ins(&server, size).await?;
    node.stop()?;
    let others_cpu = ((shares.machine_used - shares.ours) / shares.machine_all.max(1e-9)).clamp(0.0, 1.0);
    Ok(Measurements {
        disk: Disk { sync_p50_ms: syncs.p50, sync_p99_ms: syncs.p99 },
        memory,
        one_to_one,
        group,
        sign_in,
        others_cpu,
    })
}

/// A node on an empty folder or on one of its own, that anybody on this machine may register at.
fn start(program: &Path, data: &PathBuf) -> Result<Process> {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    command.arg("--data").arg(data).args(["--json", "up", "--listen", "127.0.0.1:0", "--registration", "open"]);
    // Ctrl-C is for this program, which then ends the node.
    command.process_group(0);
    Process::start(command, &data.with_extension("log"))
}

/// Everybody's token, and the conversation of the group that the first of them are in.
async fn people(server: &Server, size: Size) -> Result<(Vec<Bytes>, u64)> {
    let mut made = for_each(0..size.people(), |number| register(server.clone(), number)).await?;
    let (first, others) = made.split_first_mut().context("there are people")?;
    let group = first.0.create_group("bench").await?;
    let link = first.0.group_link(group).await?;
    for (client, _) in others.iter_mut().take(size.members - 1) {
        client.join_group(&link).await?;
    }
    Ok((made.into_iter().map(|(_, token)| token).collect(), group))
}

/// The `number`th connection, by a token, up to date.
async fn connect(server: Server, number: usize, token: Bytes) -> Result<Client> {
    let mut client = Client::connect(&server, number).await?;
    client.hello("bench").await?;
    client.resume(token).await?;
    client.sync().await?;
    Ok(client)
}

async fn idle(node: &Process, server: &Server, tokens: &[Bytes], size: Size) -> Result<Memory> {
    let pause = Duration::from_secs_f64(size.seconds * 0.03);
    sleep(pause).await;
    let idle_bytes = proc::memory(node.pid())?.rss;
    let connect = |number| connect(server.clone(), number, tokens[number % tokens.len()].clone());
    let (mut all, mut growth, mut before) = (Vec::new(), Vec::new(), proc::memory(node.pid())?.anonymous);
    for part in 1..=PARTS {
        let more = for_each(all.len()..size.connections * part / PARTS, connect).await?;
        sleep(pause / 4).await;
        let now = proc::memory(node.pid())?.anonymous;
        growth.push((now as f64 - before as f64) / more.len().max(1) as f64);
        before = now;
        all.extend(more);
    }
    Ok(Memory { idle_bytes, connections: all.len(), bytes_per_connection: median(growth).max(0.0) })
}

/// The one in the middle: what a node takes or gives back by itself meanwhile is in few of them.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// The node that is measured.
struct Running<'a> {
    node: &'a Process,
    data: &'a Path,
    cores: f64,
}

impl Running<'_> {
    async fn used(&self) -> Used {
        let data = self.data.to_path_buf();
        let page = tokio::task::spawn_blocking(move || control::ask(&data, &Request::Metrics, &(Arc::new(|_, _| {}) as _))).await;
        let page = page.ok().flatten().and_then(Result::ok).unwrap_or_default();
        let sum =
            page["metrics"].as_str().and_then(|page| page.lines().find_map(|l| l.strip_prefix("startalk_sync_seconds_sum ")));
        Used {
            at: Watch::start(),
            machine: proc::machine_time(),
            threads: proc::cpu_of_threads(self.node.pid()),
            syncs_seconds: sum.and_then(|sum| sum.trim().parse().ok()).unwrap_or(0.0),
        }
    }

    /// One speed: the people go on to the next.
    async fn rung(&self, peers: Vec<Peer>, rate: f64, size: Size, shares: &mut Shares) -> Result<(Vec<Peer>, Measured, Rung)> {
        let seconds = size.rung();
        let length = Length::Seconds { warm: seconds * 0.25, measured: seconds };
        let before = self.used().await;
        let (peers, run) = load::run(peers, Speed::PerSecond(rate), length, PATIENCE, &[self.node.pid()]).await?;
        let after = self.used().await;
        let busy = busy(&before, &after);
        let (server, own) = (run.cpu.iter().sum::<Duration>().as_secs_f64(), run.own_cpu.as_secs_f64());
        let machine_all = (after.machine.1 - before.machine.1).as_secs_f64();
        let part = run.seconds / before.at.elapsed().as_secs_f64().max(1e-9);
        shares.machine_used += busy.machine * machine_all * part;
        shares.machine_all += machine_all * part;
        shares.ours += server + own;
        let said = run.spoken as f64;
        // A few that were due just before the end are said just after it.
        let kept_up = said + peers.len() as f64 >= rate * run.seconds * KEPT_UP;
        let each = |cpu: f64| cpu * 1e6 / said.max(1.0);
        let rung = Rung {
            asked_per_second: rate,
            per_second: said / run.seconds,
            p99_ms: run.acknowledged.p99,
            p50_ms: run.acknowledged.p50,
            cpu_us: each(server),
            generator_cpu_us: each(own),
            busy,
            held: kept_up && run.acknowledged.count > 0 && run.acknowledged.p99 <= size.in_time_ms,
        };
        Ok((peers, run, rung))
    }
}

fn busy(before: &Used, after: &Used) -> Busy {
    let seconds = (before.at.elapsed() - after.at.elapsed()).as_secs_f64().max(1e-9);
    let (used, all) = (after.machine.0 - before.machine.0, after.machine.1 - before.machine.1);
    let since = |(thread, now): &(u32, Duration)| {
        let then = before.threads.iter().find(|(t, _)| t == thread).map_or(Duration::ZERO, |(_, then)| *then);
        now.saturating_sub(then).as_secs_f64()
    };
    Busy {
        machine: used.as_secs_f64() / all.as_secs_f64().max(1e-9),
        thread: after.threads.iter().map(since).fold(0.0, f64::max) / seconds,
        disk: (after.syncs_seconds - before.syncs_seconds) / seconds,
    }
}

/// Why a speed did not hold.
fn why(rung: &Rung, cores: f64) -> Stop {
    let ours = (rung.cpu_us + rung.generator_cpu_us) * rung.per_second / 1e6;
    if rung.busy.machine >= FULL || ours >= cores * FULL {
        Stop::Cpu
    } else if rung.busy.disk >= 0.5 {
        Stop::Disk
    } else if rung.busy.thread >= 0.8 {
        Stop::Core
    } else if rung.generator_cpu_us * rung.per_second / 1e6 >= 0.8 {
        Stop::Generator
    } else if rung.busy.machine >= 0.7 {
        Stop::Cpu
    } else {
        Stop::Disk
    }
}

async fn one_to_one(
    running: &Running<'_>,
    domain: &str,
    tokens: &[Bytes],
    size: Size,
    shares: &mut Shares,
    say: &dyn Fn(f64),
) -> Result<OneToOne> {
    let server = running.node.server()?;
    let clients = for_each(0..tokens.len(), |number| connect(server.clone(), number, tokens[number].clone())).await?;
    let mut peers = Vec::with_capacity(clients.len());
    for (number, mut client) in clients.into_iter().enumerate() {
        let partner = number ^ 1;
        let conversation = client.open_conversation(&format!("{}@{domain}", name(partner))).await?;
        peers.push(Peer::new(client, conversation, number, partner, true));
    }
    let (mut ladder, mut speeds, mut messages) = (Ladder::default(), Vec::<Rung>::new(), Counts::default());
    while let Some(rate) = ladder.next() {
        say(rate);
        let mut held = false;
        // What fails once may have met something else on the machine; what fails twice is believed.
        for _ in 0..2 {
            let (again, run, rung) = running.rung(peers, rate, size, shares).await?;
            peers = again;
            count(&mut messages, &run, 1);
            held = rung.held;
            speeds.push(rung);
            if held {
                break;
            }
        }
        ladder.tried(rate, held);
    }
    let best = speeds.iter().filter(|r| r.held).max_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let slowest_failed = failed(&speeds);
    let held = best.map_or(0.0, |r| r.per_second);
    let distance = |r: &&Rung| (r.per_second - held / 2.0).abs();
    let near_half = speeds.iter().filter(|r| r.held).min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let usual = near_half.or(slowest_failed).context("some speed was tried")?;
    let shown = best.unwrap_or(usual);
    Ok(OneToOne {
        in_time_ms: size.in_time_ms,
        held_per_second: held,
        p50_ms: shown.p50_ms,
        p99_ms: shown.p99_ms,
        cpu_us: usual.cpu_us,
        generator_cpu_us: usual.generator_cpu_us,
        stopped_by: slowest_failed.map_or(Stop::Generator, |rung| why(rung, running.cores)),
        messages,
        speeds,
    })
}

/// The slowest speed that did not hold, also when it was tried again; as the last time.
pub fn failed(speeds: &[Rung]) -> Option<&Rung> {
    let held = |rate: f64| speeds.iter().any(|r| r.held && r.asked_per_second == rate);
    let failed = speeds.iter().rev().filter(|r| !r.held && !held(r.asked_per_second));
    failed.min_by(|a, b| a.asked_per_second.total_cmp(&b.asked_per_second))
}

/// Adds a run, in which each message is heard by so many.
fn count(counts: &mut Counts, run: &Measured, hearers: u64) {
    let Faults { lost, doubled, out_of_order, acks, foreign, sequence } = run.faults;
    // Peers count from their beginning, over all runs: the last says all.
    counts.faults = lost + doubled + out_of_order + acks + foreign + sequence;
    counts.said += run.said;
    counts.to_deliver += run.said * hearers;
}

async fn group_deliveries(node: &Process, tokens: &[Bytes], group: u64, size: Size) -> Result<Group> {
    let server = node.server()?;
    let mut clients = for_each(0..size.members, |number| connect(server.clone(), number, tokens[number].clone())).await?;
    let base = clients.first_mut().context("a group has members")?.history(group, 0, 0, 1).await?.head;
    let (authors, hearers) = (Authors::new(0..SPEAKERS), clients.len() as u64 - 1);
    let peer = |(number, client)| {
        let audience = (number < SPEAKERS).then_some(hearers);
        Peer::with(client, vec![group], number, authors.clone(), Part { base, counts: true, audience, ..Part::default() })
    };
    let peers = clients.into_iter().enumerate().map(peer).collect();
    let length = Length::Seconds { warm: size.seconds * 0.02, measured: size.seconds * 0.12 };
    let (_, run) = load::run(peers, Speed::Outstanding(OUTSTANDING), length, PATIENCE, &[node.pid()]).await?;
    let mut messages = Counts::default();
    count(&mut messages, &run, hearers);
    let Times { p50, p99, .. } = run.delivered;
    let (deliveries_per_second, cpu_us) = (run.per_second(), run.cpu_us());
    Ok(Group { members: size.members, deliveries_per_second, cpu_us, p50_ms: p50, p99_ms: p99, messages })
}

async fn sign_ins(server: &Server, size: Size) -> Result<SignIns> {
    // Addresses that nobody signed in from yet, so that the limit on attempts is not what is measured; and devices are limited.
    let next = Arc::new(AtomicUsize::new(0));
    let most = size.people() * (DEVICES_MAX - 4);
    let watch = Arc::new(Watch::start());
    let enough = Duration::from_secs_f64(size.seconds * 0.13);
    let mut tasks = JoinSet::new();
    for _ in 0..SIGN_INS_AT_ONCE {
        let (server, next, watch) = (server.clone(), next.clone(), watch.clone());
        tasks.spawn(async move {
            let mut done = 0;
            while watch.elapsed() < enough {
                let number = next.fetch_add(1, Relaxed);
                if number >= most {
                    break;
                }
                let mut client = Client::connect(&server, size.connections + size.people() + number).await?;
                client.hello("bench").await?;
                client.sign_in(&name(number % size.people())).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(SignIns { count, per_second: count as f64 / watch.elapsed().as_secs_f64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(asked_per_second: f64, held: bool, busy: Busy) -> Rung {
        let (p50_ms, p99_ms) = (10.0, if held { 20.0 } else { 200.0 });
        Rung { asked_per_second, per_second: asked_per_second, p99_ms, p50_ms, cpu_us: 100.0, generator_cpu_us: 50.0, busy, held }
    }

    #[test]
    fn why_it_was_not_faster_is_told_from_what_was_busy() {
        let why_of = |rate, [machine, thread, disk]: [f64; 3]| why(&rung(rate, false, Busy { machine, thread, disk }), 4.0);
        assert_eq!(why_of(1000.0, [0.95, 0.9, 0.9]), Stop::Cpu);
        // Of a part of the machine, such as a container has: 150 µs of each message on 4 cores.
        assert_eq!(why_of(25_000.0, [0.3, 0.9, 0.9]), Stop::Cpu);
        assert_eq!(why_of(1000.0, [0.3, 0.9, 0.6]), Stop::Disk);
        assert_eq!(why_of(1000.0, [0.3, 0.9, 0.1]), Stop::Core);
        assert_eq!(why_of(17_000.0, [0.5, 0.3, 0.1]), Stop::Generator);
        assert_eq!(why_of(1000.0, [0.75, 0.3, 0.1]), Stop::Cpu);
        // Nothing was busy: it waited, and there is nothing to wait for but the disk.
        assert_eq!(why_of(1000.0, [0.1, 0.1, 0.1]), Stop::Disk);
    }

    #[test]
    fn what_held_when_it_was_tried_again_did_not_fail() {
        let tried = |all: &[(f64, bool)]| all.iter().map(|(rate, held)| rung(*rate, *held, Busy::default())).collect::<Vec<_>>();
        let found = |all: &[(f64, bool)]| failed(&tried(all)).map(|r| r.asked_per_second);
        assert_eq!(found(&[(250.0, false), (250.0, true), (500.0, false), (500.0, false), (353.0, true)]), Some(500.0));
        assert_eq!(found(&[(250.0, true)]), None);
    }

    #[test]
    fn a_lump_does_not_move_the_middle() {
        assert_eq!(median(vec![9.0, -9000.0, 10.0, 90_000.0, 11.0]), 10.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
