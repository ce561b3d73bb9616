//! A mixed day, at its busiest: people write to each other and in a group, devices come back, conversations are paged, all at the
//! same time and at a speed that is the same for every system, so that what they take of the machine can be compared.
//!
//! The speed is that of [`PEOPLE`] with the habits that `startalk bench` assumes and says (`node/src/capacity/model.rs`), which is a
//! small part of what a machine can do: times are those that people feel, not those of a full machine. Every message is checked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{task::JoinSet, time::sleep};

use super::{
    QUIET_WITHIN,
    findings::Findings,
    reader::{Place, Reader},
    system::System,
};
use crate::{
    clock,
    load::{self, Length, Speed},
    proc,
    report::Report,
    tally::Times,
    workloads::Bench,
};

/// Whose day it is.
const PEOPLE: f64 = 20_000.0;
/// What one of them does in a second of the busiest minutes: a fifth of the day's in one hour, thrice that hour's average.
const BUSY: f64 = 0.2 * 3.0 / 3600.0;
/// Messages that each writes in a day to somebody, and in a group.
const TO_ONE: f64 = 36.0;
const TO_GROUP: f64 = 24.0;
/// How often a device comes back in a day, and how many pages are looked at.
const BACK: f64 = 10.0;
const PAGES: f64 = 10.0;

/// Members of the group, all connected, and how many of them speak.
const MEMBERS: usize = 30;
const SPEAKERS: usize = 10;
/// Devices that come back in turn, and people who page in turn: enough that none has to wait for itself.
const DEVICES: usize = 20;
const READERS: usize = 10;
/// Messages that each of those who page later says as fast as answered, to fill what is paged.
const OUTSTANDING: usize = 16;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    let (settings, what) = (&bench.settings, "day");
    let folder = format!("{what}-{}", system.name());
    let (pairs, readers) = (MEMBERS, MEMBERS + 2 * settings.pairs);
    let devices = readers + 2 * READERS;
    let running = system.start(bench, &folder, devices + DEVICES, MEMBERS, false)?;
    let (pids, place) = (running.pids(), Place::of(&running)?);
    let crowd = running.crowd(MEMBERS, SPEAKERS).await?;
    let mut reading = Vec::new();
    if system.has_archive() {
        let length = Length::Messages(settings.unread.max(1) * 2 * READERS as u64);
        let people = running.pairs(readers, READERS).await?;
        let (people, written) = load::run(people, Speed::Outstanding(OUTSTANDING), length, settings.patience, &pids).await?;
        report.faults(&written.faults);
        drop(people);
        for number in (readers..devices).step_by(2) {
            reading.push(place.reader(number, number ^ 1).await?);
        }
    }
    let pairs = running.pairs(pairs, settings.pairs).await?;
    running.accounts(devices..devices + DEVICES).await?;

    proc::until_disk_is_quiet(bench.folder.path(), QUIET_WITHIN)?;
    let over = Arc::new(AtomicBool::new(false));
    let apart = |a_day: f64, of: usize| Duration::from_secs_f64(of as f64 / (PEOPLE * BUSY * a_day));
    let mut back = JoinSet::new();
    for nth in 0..DEVICES {
        let turns = Turns::new(nth, DEVICES, apart(BACK, DEVICES), over.clone());
        back.spawn(come_back(place.clone(), devices + nth, turns));
    }
    let mut pages = JoinSet::new();
    for (nth, reader) in reading.into_iter().enumerate() {
        let turns = Turns::new(nth, READERS, apart(PAGES, READERS), over.clone());
        pages.spawn(look(reader, 2 * settings.unread.max(1), turns));
    }
    let speed = |a_day: f64| Speed::PerSecond(PEOPLE * BUSY * a_day);
    let measured = tokio::try_join!(
        load::run(pairs, speed(TO_ONE), settings.length(), settings.patience, &pids),
        load::run(crowd, speed(TO_GROUP), settings.length(), settings.patience, &[]),
    );
    over.store(true, Ordering::Relaxed);
    let ((_, to_one), (_, to_group)) = measured?;
    let (back, pages) = (times(back).await?, times(pages).await?);

    report.run(&format!("{what}, {}, in pairs", system.name()), &to_one);
    report.run(&format!("{what}, {}, in a group", system.name()), &to_group);
    let cpu_ms = to_one.cpu.iter().sum::<Duration>().as_secs_f64() * 1e3 / to_one.seconds;
    report.line(format!("{what}, {}: {cpu_ms:.1} ms CPU in each second", system.name()));
    report.line(format!("  {} devices came back  {back}", back.count));
    findings.put(what, "cpu_ms_s", "ms", system, cpu_ms);
    findings.times(what, system, &to_one);
    findings.put(what, "back_p50", "ms", system, back.p50);
    findings.put(what, "back_p99", "ms", system, back.p99);
    if system.has_archive() {
        report.line(format!("  {} pages  {pages}", pages.count));
        findings.put(what, "page_p50", "ms", system, pages.p50);
        findings.put(what, "page_p99", "ms", system, pages.p99);
    }
    drop(running);
    bench.clear(&folder);
    Ok(())
}

async fn times(mut of: JoinSet<Result<Vec<u32>>>) -> Result<Times> {
    let mut all = Vec::new();
    while let Some(one) = of.join_next().await {
        all.extend(one??);
    }
    Ok(Times::of(all))
}

/// A device comes back, over and over.
async fn come_back(place: Place, number: usize, mut turns: Turns) -> Result<Vec<u32>> {
    while turns.next().await {
        place.come_back(number).await?;
        turns.done();
    }
    Ok(turns.took)
}

/// Pages through a conversation with so many messages, over and over.
async fn look(mut reader: Reader, messages: u64, mut turns: Turns) -> Result<Vec<u32>> {
    let mut seen = 0;
    while turns.next().await {
        if seen >= messages {
            reader.begin_again();
            seen = 0;
        }
        seen += reader.page().await?;
        turns.done();
    }
    Ok(turns.took)
}

/// When one of several has something to do, at even times, whatever the server does.
struct Turns {
    due: u64,
    apart: u64,
    over: Arc<AtomicBool>,
    /// How long each turn took, in microseconds, from when it was to begin.
    took: Vec<u32>,
}

impl Turns {
    /// The `nth` of so many, each of whom has a turn so often, until it is over.
    fn new(nth: usize, of: usize, apart: Duration, over: Arc<AtomicBool>) -> Self {
        let apart = u64::try_from(apart.as_micros()).unwrap_or(u64::MAX);
        Self { due: clock::micros() + apart * nth as u64 / of.max(1) as u64, apart, over, took: Vec::new() }
    }

    /// Waits for the next; false if there is none any more.
    async fn next(&self) -> bool {
        sleep(Duration::from_micros(self.due.saturating_sub(clock::micros()))).await;
        !self.over.load(Ordering::Relaxed)
    }

    /// What was to be done is done.
    fn done(&mut self) {
        self.took.push(u32::try_from(clock::micros().saturating_sub(self.due)).unwrap_or(u32::MAX));
        self.due += self.apart;
    }
}
