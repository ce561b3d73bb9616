//! `startalk bench`: how many people this machine carries, measured with a node of its own in a folder of its own.
//!
//! Owns the way from the command line to the answer. A node that runs does not know of it.

mod ladder;
mod machine;
mod measure;
mod meter;
mod model;
mod place;
mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use startalk_load::{clock::Watch, proc, stopped::stopped};
use startalk_protocol::error::Language;

use self::{
    measure::{Measurements, Size, measure},
    meter::Meter,
    model::{Capacity, Costs, Habits, Machine},
};

/// How to measure.
#[derive(Args, Debug)]
pub struct Flags {
    /// For about so many minutes / 大约持续的分钟数
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = minutes, conflicts_with = "quick")]
    minutes: f64,
    /// In about 20 seconds, less exactly / 约 20 秒完成，结果较粗略
    #[arg(long)]
    quick: bool,
    /// On the disk of this folder; default: the data folder's disk / 在此文件夹所在的磁盘上测量，默认为数据文件夹所在的磁盘
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// For tests: so short that it says little.
    #[arg(long, hide = true, value_name = "N", conflicts_with_all = ["minutes", "quick"])]
    seconds: Option<f64>,
    /// For tests, which judge no duration.
    #[arg(long, hide = true, value_name = "N")]
    in_time_ms: Option<f64>,
}

fn minutes(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n| (0.3..=60.0).contains(n)).ok_or_else(|| "0.3 – 60".to_owned())
}

impl Flags {
    fn size(&self) -> Size {
        let size = Size::of(self.seconds.unwrap_or(if self.quick { 20.0 } else { self.minutes * 60.0 }));
        Size { in_time_ms: self.in_time_ms.unwrap_or(size.in_time_ms), ..size }
    }
}

/// Everything that is said.
#[derive(Debug, Serialize)]
pub struct Answer {
    capacity: Capacity,
    machine: Machine,
    system: String,
    folder: String,
    #[serde(flatten)]
    measured: Measurements,
    assumed: Habits,
    /// How long it took.
    seconds: f64,
}

/// Measures on the disk of `data`, or of the folder that was asked for, and says what came of it.
///
/// # Errors
/// If there is no place for it, something does not start, messages were lost, or it was stopped by a signal; nothing is left
/// behind in any case.
pub fn run(flags: &Flags, data: &Path, json: bool, language: Language) -> anyhow::Result<()> {
    let size = flags.size();
    let place = place::make(flags.folder.as_deref(), data, size.seconds, language)?;
    let machine = machine::look();
    let allowed = usize::try_from(proc::allow_many_files()?).unwrap_or(usize::MAX);
    let size = Size { connections: size.connections.min(allowed.saturating_sub(400)), ..size };
    let program = std::env::current_exe()?;
    // The node needs the processors, too.
    let threads = (machine.cores as usize / 2).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let watch = Watch::start();
    let measured = runtime.block_on(async {
        let meter = Meter::start(size.seconds, json);
        tokio::select! {
            biased;
            stopped = stopped() => Err(stopped.err().map_or_else(|| anyhow::anyhow!("{}", words::stopped(language)), Into::into)),
            measured = measure(place.path(), &program, size, machine.cores, &meter, language) => {
                measured.map_err(|e| e.context(words::broken_off(language)))
            }
        }
    });
    drop(runtime);
    let folder = place.path().parent().unwrap_or(data).display().to_string();
    place.close()?;
    let measured = measured?;
    let (assumed, system, seconds) = (Habits::default(), proc::machine(), watch.elapsed().as_secs_f64());
    let capacity = model::capacity(&machine, &costs(&measured), &assumed);
    let answer = Answer { capacity, machine, system, folder, measured, assumed, seconds };
    if json {
        println!("{}", serde_json::to_string(&answer)?);
    } else {
        print!("{}", words::answer(&answer, language));
    }
    let faults = answer.measured.one_to_one.messages.faults + answer.measured.group.messages.faults;
    anyhow::ensure!(faults == 0, "{}: {faults}", words::faults(language));
    Ok(())
}

fn costs(measured: &Measurements) -> Costs {
    Costs {
        message_cpu_us: measured.one_to_one.cpu_us,
        delivery_cpu_us: measured.group.cpu_us,
        idle_bytes: measured.memory.idle_bytes,
        connection_bytes: measured.memory.bytes_per_connection,
        held_per_second: measured.one_to_one.held_per_second,
        stopped_by: measured.one_to_one.stopped_by,
    }
}
