//! Cycle after cycle until the time is over: every trouble once, in an order by chance; then quiet, and everything is counted.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rand::{SeedableRng as _, rngs::StdRng};
use startalk_e2e::{person, until};

use crate::{
    ground::Ground,
    sample::{FILES_MORE_MAX, History, Sample, mib},
    trouble::Trouble,
};

/// Cycles of a run at least: of one alone nothing can be said about what grows.
const CYCLES_MIN: u64 = 2;
/// Looks at memory and files when things are quiet, of which the least counts: what ends a moment later is not held.
const LOOKS: usize = 10;
/// Between two of them.
const LOOK: Duration = Duration::from_millis(100);

/// What a run is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// No cycle begins after so many minutes.
    pub minutes: u64,
    /// Instead: exactly so many cycles.
    pub cycles: Option<u64>,
    /// Only these troubles, by their names; all if there is none.
    pub only: Vec<String>,
    /// Of all chance.
    pub seed: u64,
    /// Where the programs are; `None`: beside this one.
    pub binaries: Option<PathBuf>,
}

/// What came of it.
pub struct Outcome {
    /// As it was asked for.
    pub seed: u64,
    /// Whole ones.
    pub cycles: u64,
    /// How often each trouble happened; what was skipped did not.
    pub troubles: BTreeMap<&'static str, u64>,
    /// What was skipped, and why.
    pub skipped: Vec<String>,
    /// Messages said by people through the SDK, all of which were held against what arrived.
    pub messages: u64,
    /// What the programs hold.
    pub histories: Vec<History>,
    /// What is wrong; nothing if all is well.
    pub faults: Vec<String>,
}

/// Runs; `say` is told in a line what happens.
pub async fn run(options: Options, say: &(dyn Fn(&str) + Sync)) -> Outcome {
    let mut outcome = Outcome {
        seed: options.seed,
        cycles: 0,
        troubles: Trouble::NAMES.into_iter().map(|name| (name, 0)).collect(),
        skipped: Vec::new(),
        messages: 0,
        histories: Vec::new(),
        faults: Vec::new(),
    };
    match Ground::new(options.binaries.clone(), options.minutes).await {
        Ok(mut ground) => {
            if let Err(fault) = cycles(&options, &mut ground, &mut outcome, say).await {
                outcome.faults.push(format!("{fault:#}"));
            }
            outcome.histories = ground.histories.to_vec();
            // With a fault the folder stays, to be looked at.
            let Ground { world, a, b, disk, voices, .. } = ground;
            drop((voices, a, b, disk));
            if outcome.faults.is_empty() {
                world.done();
            }
        }
        Err(error) => outcome.faults.push(format!("it could not begin: {error:#}")),
    }
    outcome
}

async fn cycles(
    options: &Options,
    ground: &mut Ground,
    outcome: &mut Outcome,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let end = now() + Duration::from_secs(60 * options.minutes);
    loop {
        let number = outcome.cycles + 1;
        let goes_on = options.cycles.map_or(number <= CYCLES_MIN || now() < end, |cycles| number <= cycles);
        if !goes_on {
            break;
        }
        for trouble in Trouble::cycle(number, &options.only, &mut random) {
            let line = trouble.happen(ground).await.with_context(|| format!("cycle {number}, {}", trouble.name()))?;
            say(&format!("  {:<12} {line}", trouble.name()));
            if line.starts_with("SKIPPED") {
                outcome.skipped.push(format!("{}: {line}", trouble.name()));
            } else {
                *outcome.troubles.entry(trouble.name()).or_default() += 1;
            }
        }
        let messages = quiet(ground, &mut outcome.faults).await.with_context(|| format!("cycle {number}, at its end"))?;
        outcome.messages += messages;
        outcome.cycles = number;
        say(&line(number, messages, &ground.histories));
        outcome.faults.extend(ground.histories.iter().flat_map(History::wrong));
        if !outcome.faults.is_empty() {
            return Ok(());
        }
    }
    // The nodes have the conversation between the domains alike, by ids.
    let (alice, bob) = (ground.voices.across[0].from.clone(), ground.voices.across[0].to.clone());
    let _silent = (ground.voices.across[0].silence().await, ground.voices.across[1].silence().await);
    arrived(ground).await?;
    let compared = tokio::spawn(async move { person::agree_on_ids(&alice, &bob).await });
    match compared.await {
        Ok(Ok(count)) => say(&format!("both nodes have the same {count} messages between alice and bob")),
        Ok(Err(error)) => outcome.faults.push(format!("the histories could not be compared: {error:#}")),
        Err(panic) => outcome.faults.push(format!("the histories differ: {panic}")),
    }
    Ok(())
}

/// Everybody is silent, and everything has arrived: it is held against what was said, and forgotten; then the programs are
/// looked at. How many messages it was.
async fn quiet(ground: &mut Ground, faults: &mut Vec<String>) -> anyhow::Result<u64> {
    let mut silent = Vec::new();
    for voice in ground.voices.all() {
        silent.push(voice.silence().await);
    }
    arrived(ground).await?;
    let mut messages = 0;
    for voice in ground.voices.all() {
        faults.extend(voice.wrong());
        let user = &voice.from.user;
        voice.from.with(|heard| {
            let acknowledged = heard.acknowledged.len() as u64;
            if acknowledged != voice.from.said_count() {
                faults.push(format!("{user}: {acknowledged} acknowledged, {} said", voice.from.said_count()));
            }
            let strange = (&heard.failed, &heard.refused, &heard.gaps, heard.went_back);
            if !(heard.failed.is_empty() && heard.refused.is_empty() && heard.gaps.is_empty() && heard.went_back == 0) {
                faults.push(format!("{user}: (failed, refused, gaps, went back) {strange:?}"));
            }
            heard.acknowledged.clear();
        });
        messages += voice.forget();
    }
    let samples = settled(ground).await?;
    for (history, sample) in ground.histories.iter_mut().zip(samples) {
        history.samples.push(sample);
    }
    Ok(messages)
}

async fn arrived(ground: &Ground) -> anyhow::Result<()> {
    for voice in ground.voices.all() {
        let what = format!("everything that {} said to {}", voice.from.user.name, voice.to.user.name);
        until(&what, || {
            let (under_way, unanswered) = (voice.under_way(), voice.unanswered());
            std::future::ready((under_way == 0 && unanswered == 0, voice.arrived().wrapping_sub(unanswered)))
        })
        .await?;
    }
    Ok(())
}

/// The least of some looks, after what a trouble left open has been closed.
async fn settled(ground: &mut Ground) -> anyhow::Result<[Sample; 3]> {
    let most = [0, 1, 2].map(|at| ground.histories[at].samples.first().map_or(u64::MAX, |first| first.files + FILES_MORE_MAX));
    let processes = ground.processes();
    for (most, process) in most.into_iter().zip(processes) {
        // If they are not closed in time, the sample says so.
        let closed = until("files to be closed", || {
            let files = crate::sample::files(process).unwrap_or(0);
            std::future::ready((files <= most, files))
        });
        drop(closed.await);
    }
    let mut least = ground.sample()?;
    for _ in 1..LOOKS {
        tokio::time::sleep(LOOK).await;
        for (least, sample) in least.iter_mut().zip(ground.sample()?) {
            least.files = least.files.min(sample.files);
            least.segments = least.segments.min(sample.segments);
            least.own = least.own.min(sample.own);
            least.resident = least.resident.min(sample.resident);
        }
    }
    Ok(least)
}

/// A cycle in one line.
fn line(number: u64, messages: u64, histories: &[History]) -> String {
    let held = histories.iter().filter_map(|history| {
        let sample = history.samples.last()?;
        let (own, resident) = (mib(sample.own), mib(sample.resident));
        Some(format!("{} {own} MiB ({resident} resident) {}+{} files", history.name, sample.files, sample.segments))
    });
    format!("cycle {number}: {messages} messages, all there once; {}", held.collect::<Vec<_>>().join("; "))
}

#[expect(clippy::disallowed_methods, reason = "the edge: how long to go on is asked for in minutes")]
fn now() -> Instant {
    Instant::now()
}
