//! How long the disk lets an append wait: what a journal does, a few hundred bytes behind the last and made durable, over and over;
//! first alone, then while something else writes, as a search index does: made durable in small pieces, in large ones, or whenever the
//! system thinks fit. No program can acknowledge sooner than this.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};
use serde_json::json;

use super::{Bench, limit::RECORD_BYTES};
use crate::{clock::Watch, report::Report, tally::Times};

/// Records of an append: what waits while the one before is made durable.
const RECORDS: u64 = 3;
/// Bytes of the file of appends: it has its space, as a journal's segment has, and is begun again.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes a second that something else writes, in pieces; bytes of its file.
const BESIDE_PER_SECOND: u64 = 30_000_000;
const PIECE_BYTES: usize = 128 << 10;
const BESIDE_BYTES: u64 = 256 << 20;
/// After how many bytes that is made durable, as a name and in words; the first is what a node does (`node/paced`).
const DURABLE_EVERY: [(&str, u64, &str); 3] = [
    ("512k", 512 << 10, "made durable every 512 KiB"),
    ("16m", 16 << 20, "made durable every 16 MiB"),
    ("never", u64::MAX, "left to the system"),
];
/// A wait that people would notice.
const LONG: Duration = Duration::from_millis(30);

/// Runs it: each part as long as a run is.
pub fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let (folder, time) = (bench.folder("disk")?, Duration::from_secs_f64(bench.settings.seconds));
    let mut ways = vec![("alone", "alone".to_owned(), appends(&folder, time)?)];
    for (name, every, words) in DURABLE_EVERY {
        let what = format!("beside 30 MB a second, {words}");
        ways.push((name, what, appends_beside(&folder, time, every)?));
    }
    for (name, what, (times, long)) in &ways {
        report.line(format!("disk, appends made durable, {what}: {times}; {} in all, {long} took over {LONG:?}", times.count));
        report.put(&format!("disk, {name}"), json!({ "times": times.json(), "over_30_ms": long }));
    }
    let each = |figure: fn(&Times) -> f64| {
        let each = ways.iter().map(|(name, _, (times, _))| format!("{name}={:.2}", figure(times)));
        each.collect::<Vec<_>>().join(" ")
    };
    report.closing(format!("disk append_p99_ms {} max_ms {}", each(|t| t.p99), each(|t| t.max)));
    Ok(())
}

/// As [`appends`], while something else writes.
fn appends_beside(folder: &Path, time: Duration, durable_every: u64) -> Result<(Times, usize)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| write_beside(folder, durable_every, &over));
        let appended = appends(folder, time);
        over.store(true, Ordering::Relaxed);
        writer.join().map_err(|_| anyhow!("the thread beside panicked"))??;
        appended
    })
}

/// Times of appends, one after the other; and how many of them were long.
fn appends(folder: &Path, time: Duration) -> Result<(Times, usize)> {
    let file = File::create(folder.join("appends"))?;
    let zeros = vec![0; 1 << 20];
    (0..SEGMENT_BYTES).step_by(zeros.len()).try_for_each(|at| file.write_all_at(&zeros, at))?;
    file.sync_all()?;
    let (bytes, whole) = (vec![0xa5; usize::try_from(RECORDS * RECORD_BYTES)?], Watch::start());
    let (mut at, mut micros) = (0, Vec::new());
    while whole.elapsed() < time {
        let watch = Watch::start();
        file.write_all_at(&bytes, at)?;
        file.sync_data()?;
        micros.push(u32::try_from(watch.elapsed().as_micros()).unwrap_or(u32::MAX));
        at = (at + bytes.len() as u64) % (SEGMENT_BYTES - bytes.len() as u64);
    }
    let long = micros.iter().filter(|m| u128::from(**m) > LONG.as_micros()).count();
    Ok((Times::of(micros), long))
}

/// Writes evenly until it is over.
fn write_beside(folder: &Path, durable_every: u64, over: &AtomicBool) -> Result<()> {
    let file = File::create(folder.join("beside"))?;
    let (piece, watch, mut written) = (vec![0x5a; PIECE_BYTES], Watch::start(), 0_u64);
    while !over.load(Ordering::Relaxed) {
        if written as f64 >= watch.elapsed().as_secs_f64() * BESIDE_PER_SECOND as f64 {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        file.write_all_at(&piece, written % BESIDE_BYTES)?;
        written += piece.len() as u64;
        if written.is_multiple_of(durable_every) {
            file.sync_data()?;
        }
    }
    Ok(())
}
