//! What a process holds once things are quiet: memory and open files, cycle after cycle, and whether it stays so.

use anyhow::Context as _;
use serde_json::{Value, json};

/// Files that a process may have open more than after the first cycle: a link over both transports, files of the search's
/// index that are being merged.
pub const FILES_MORE_MAX: u64 = 16;
/// Segments of its journal that a process may have open: those in which readers are, however long the journal, the one that is
/// written, and one that is being rewritten.
const SEGMENTS_MAX: u64 = 64 + 2;
/// Bytes of memory that a process may have more than after the first cycle, besides a half of that: what has been said is in
/// views and caches, and an allocator keeps what was needed once.
pub const MEMORY_MORE_MAX: u64 = 48 << 20;

/// What one process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Its number.
    pub process: u32,
    /// Bytes resident.
    pub resident: u64,
    /// Bytes of it that are its own, and no part of a file: what is judged.
    pub own: u64,
    /// Open files, sockets included, but for the journal's segments.
    pub files: u64,
    /// Open segments of the journal.
    pub segments: u64,
}

impl Sample {
    /// As it is now.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn of(process: u32) -> anyhow::Result<Self> {
        let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
        let rollup = rollup.with_context(|| format!("process {process}"))?;
        let bytes = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        let (segments, files) = open(process)?;
        Ok(Self { process, resident: bytes("Rss:"), own: bytes("Anonymous:"), files, segments })
    }
}

/// How many files a process has open, but for the journal's segments.
///
/// # Errors
/// If it is gone.
pub fn files(process: u32) -> anyhow::Result<u64> {
    Ok(open(process)?.1)
}

/// How many segments of the journal and how many other files a process has open.
fn open(process: u32) -> anyhow::Result<(u64, u64)> {
    let folder = std::fs::read_dir(format!("/proc/{process}/fd")).with_context(|| format!("process {process}"))?;
    let (mut segments, mut files) = (0, 0);
    for entry in folder {
        // One that was closed meanwhile leads nowhere.
        let Some(path) = entry.ok().and_then(|entry| entry.path().read_link().ok()) else { continue };
        let count = if path.extension().is_some_and(|kind| kind == "segment") { &mut segments } else { &mut files };
        *count += 1;
    }
    Ok((segments, files))
}

/// The samples of one program, one for each cycle.
#[derive(Clone, Debug)]
pub struct History {
    /// Which.
    pub name: &'static str,
    /// By cycle.
    pub samples: Vec<Sample>,
}

impl History {
    /// Of this program.
    pub fn new(name: &'static str) -> Self {
        Self { name, samples: Vec::new() }
    }

    /// What is wrong with the last sample, against the first one.
    pub fn wrong(&self) -> Vec<String> {
        let (Some(first), Some(last)) = (self.samples.first(), self.samples.last()) else { return Vec::new() };
        let mut wrong = Vec::new();
        if last.files > first.files + FILES_MORE_MAX {
            wrong.push(format!("{}: {} open files, {} after the first cycle", self.name, last.files, first.files));
        }
        if last.segments > SEGMENTS_MAX {
            wrong.push(format!("{}: {} open segments of the journal, at most {SEGMENTS_MAX}", self.name, last.segments));
        }
        if last.own > first.own + first.own / 2 + MEMORY_MORE_MAX {
            wrong.push(format!("{}: {} MiB of memory, {} after the first cycle", self.name, mib(last.own), mib(first.own)));
        }
        wrong
    }

    /// Bytes of memory that came with each cycle, by least squares over the last life of the process; `None` if that had too
    /// few.
    pub fn slope(&self) -> Option<f64> {
        let life = self.samples.last()?.process;
        let own: Vec<f64> = self.samples.iter().filter(|s| s.process == life).map(|s| real(s.own)).collect();
        let count = real(own.len() as u64);
        if own.len() < 3 {
            return None;
        }
        let (middle, mean) = ((count - 1.0) / 2.0, own.iter().sum::<f64>() / count);
        let (mut with, mut of) = (0.0, 0.0);
        for (at, own) in (0_u64..).zip(&own) {
            let away = real(at) - middle;
            with += away * (own - mean);
            of += away * away;
        }
        Some(with / of)
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let of = |sample: Option<&Sample>| {
            sample
                .map(|s| json!({ "resident": s.resident, "own": s.own, "files": s.files, "segments": s.segments }))
                .unwrap_or_default()
        };
        json!({
            "first": of(self.samples.first()),
            "last": of(self.samples.last()),
            "bytes_per_cycle": self.slope(),
        })
    }
}

/// MiB, rounded down.
pub fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

/// As a number with a fraction; what is counted here is far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "bytes of memory and counts of cycles are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(own: &[u64], files: &[u64]) -> History {
        let sample = |(own, files): (&u64, &u64)| Sample { process: 1, own: *own, files: *files, ..Sample::default() };
        let samples = own.iter().zip(files).map(sample);
        History { name: "x", samples: samples.collect() }
    }

    #[test]
    fn what_grows_beyond_the_bound_is_a_fault() {
        let flat = history(&[100 << 20, 110 << 20, 120 << 20, 130 << 20], &[40, 41, 50, 44]);
        assert!(flat.wrong().is_empty());
        let slope = flat.slope().unwrap();
        assert!((slope - real(10 << 20)).abs() < 1.0, "{slope}");
        assert_eq!(history(&[100 << 20, 199 << 20], &[40, 40]).wrong().len(), 1);
        assert_eq!(history(&[1, 1], &[40, 57]).wrong().len(), 1);
        assert_eq!(history(&[1, 1], &[40, 56]).slope(), None);
        let mut long = history(&[1, 1], &[40, 40]);
        long.samples[1].segments = SEGMENTS_MAX;
        assert!(long.wrong().is_empty());
        long.samples[1].segments += 1;
        assert_eq!(long.wrong().len(), 1);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let before = files(std::process::id()).unwrap();
        let held: Vec<_> = (0..5).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let sample = Sample::of(std::process::id()).unwrap();
        assert!(sample.own > 0 && sample.resident >= sample.own, "{sample:?}");
        assert!(sample.files >= before.saturating_sub(2) + held.len() as u64 - 2, "{sample:?}, {before} before");
        let folder = std::env::temp_dir().join(format!("startalk-soak-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let segment = std::fs::File::create(folder.join("1.segment")).unwrap();
        assert_eq!(Sample::of(std::process::id()).unwrap().segments, 1);
        drop(segment);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
