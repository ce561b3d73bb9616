//! What a process holds once things are quiet: memory and open files, cycle after cycle, and whether it stays so.

use anyhow::Context as _;
use serde_json::{Value, json};

/// Files that a process may have open more than after the first cycle: a segment of the journal, a link over both
/// transports, files of the search's index that are being merged.
pub const FILES_MORE_MAX: u64 = 16;
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
    /// Open files, sockets included.
    pub files: u64,
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
        Ok(Self { process, resident: bytes("Rss:"), own: bytes("Anonymous:"), files: files(process)? })
    }
}

/// How many files a process has open.
///
/// # Errors
/// If it is gone.
pub fn files(process: u32) -> anyhow::Result<u64> {
    let folder = std::fs::read_dir(format!("/proc/{process}/fd")).with_context(|| format!("process {process}"))?;
    Ok(folder.count() as u64)
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
            sample.map(|s| json!({ "resident": s.resident, "own": s.own, "files": s.files })).unwrap_or_default()
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
        let samples = own.iter().zip(files).map(|(own, files)| Sample { process: 1, resident: 0, own: *own, files: *files });
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
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let before = files(std::process::id()).unwrap();
        let held: Vec<_> = (0..5).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let sample = Sample::of(std::process::id()).unwrap();
        assert!(sample.own > 0 && sample.resident >= sample.own, "{sample:?}");
        assert!(sample.files >= before.saturating_sub(2) + held.len() as u64 - 2, "{sample:?}, {before} before");
    }
}
