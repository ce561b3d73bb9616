//! What the system says of processes, files and the machine.

use std::{fs, io, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use crate::{clock::Watch, tally::Times};

/// Linux counts CPU time in hundredths of a second on every machine that this runs on.
const TICK: Duration = Duration::from_millis(10);

/// Linux counts what goes to a disk in these, whatever the disk's own are.
const SECTOR_BYTES: u64 = 512;

/// CPU time that a process has used, in user code and in the kernel.
pub fn cpu(pid: u32) -> Result<Duration> {
    times(pid, &[11, 12])
}

fn cpu_of_thread(pid: u32, thread: u32) -> Option<Duration> {
    sum_of(&fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).ok()?, &[11, 12]).ok()
}

/// Waits until processes do almost nothing, or for so long; the CPU time that they used meanwhile.
///
/// # Errors
/// One of them is gone.
pub async fn until_quiet(pids: &[u32], within: Duration) -> Result<Duration> {
    const LOOK: Duration = Duration::from_millis(500);
    let (watch, from) = (Watch::start(), cpu_of_all(pids)?);
    let mut before = from;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = cpu_of_all(pids)?;
        // Two ticks: what a server does by itself.
        if now.saturating_sub(before) <= 2 * TICK || watch.elapsed() > within {
            return Ok(now.saturating_sub(from));
        }
        before = now;
    }
}

/// CPU time of a process's threads whose names begin with one of these.
pub fn cpu_of_named_threads(pid: u32, names: &[&str]) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let own = threads.filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let is_one = names.iter().any(|begin| name.starts_with(begin));
        is_one.then(|| cpu_of_thread(pid, thread.file_name().to_str()?.parse().ok()?)).flatten()
    });
    own.sum()
}

/// The sum of these places of its line, which are times: 11 and 12 its own, 13 and 14 of children that have ended.
fn times(pid: u32, places: &[usize]) -> Result<Duration> {
    sum_of(&fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?, places)
}

fn sum_of(stat: &str, places: &[usize]) -> Result<Duration> {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u32>().ok()).context("/proc: expected CPU times");
    places.iter().map(|at| Ok(TICK * ticks(*at)?)).sum()
}

/// The processes that a process has started and that have not ended.
pub fn children(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    // Each thread has those that it started.
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        all.extend(text.split_whitespace().filter_map(|n| n.parse::<u32>().ok()));
    }
    all
}

/// CPU time of processes and of all that they started, those that have ended too.
pub fn cpu_of_all(pids: &[u32]) -> Result<Duration> {
    let each =
        |pid: &u32| -> Result<Duration> { Ok(times(*pid, &[11, 12, 13, 14])? + cpu_of_all(&children(*pid)).unwrap_or_default()) };
    pids.iter().map(each).sum()
}

/// Processes and all that they started.
pub fn with_children(pids: &[u32]) -> Vec<u32> {
    pids.iter().flat_map(|pid| std::iter::once(*pid).chain(with_children(&children(*pid)))).collect()
}

/// The memory of processes and of all that they started, shared pages counted in part.
pub fn pss_of_all(pids: &[u32]) -> u64 {
    with_children(pids).into_iter().filter_map(|pid| memory(pid).ok()).map(|m| m.pss).sum()
}

/// Bytes that went to this machine's disks since it started, everybody's. What `/proc/PID/io` says of a process counts whole
/// folios of the page cache, up to megabytes for a few bytes.
pub fn written() -> u64 {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    // Those without a device below them are made of others, or of memory.
    let real = disks.filter(|disk| disk.path().join("device").exists());
    let sectors = |disk: fs::DirEntry| {
        let stat = fs::read_to_string(disk.path().join("stat")).unwrap_or_default();
        stat.split_whitespace().nth(6).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
    };
    real.map(sectors).sum::<u64>() * SECTOR_BYTES
}

/// Bytes that went over loopback since the machine started; headers count.
pub fn on_the_wire() -> u64 {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|l| l.trim_start().strip_prefix("lo:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// What a process has resident, in bytes; 0 if it has ended. Quicker than [`memory`].
pub fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// A process's memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// Resident, shared pages counted in part.
    pub pss: u64,
    /// Of its own, not backed by a file.
    pub anonymous: u64,
}

/// The memory of a process.
pub fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).with_context(|| format!("process {pid}"))?;
    let of = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok()).map_or(0, |kb| kb * 1024)
    };
    Ok(Memory { rss: of("Rss:"), pss: of("Pss:"), anonymous: of("Anonymous:") })
}

/// The most memory that a process has had resident since it began, in bytes.
pub fn memory_peak(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("/proc: expected VmHWM")?;
    Ok(line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).context("/proc: expected kB")? * 1024)
}

/// CPU time of each thread of a process, by its number: what one thread does cannot be spread over cores.
pub fn cpu_of_threads(pid: u32) -> Vec<(u32, Duration)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let number = |thread: fs::DirEntry| thread.file_name().to_str().and_then(|n| n.parse::<u32>().ok());
    threads.filter_map(number).filter_map(|thread| Some((thread, cpu_of_thread(pid, thread)?))).collect()
}

/// Time of all cores since the machine started: (used by anybody, all of it).
pub fn machine_time() -> (Duration, Duration) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guests are counted among the first two.
    let ticks: Vec<u32> = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let all: u32 = ticks.iter().sum();
    let idle = ticks.get(3).copied().unwrap_or(0) + ticks.get(4).copied().unwrap_or(0);
    (TICK * (all - idle), TICK * all)
}

/// How many files and connections a process that is started from here may have open.
pub fn files_allowed() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Lets this process and those that it starts have as many files and connections open as the system allows: ten thousand
/// clients are more than the usual limit. How many.
pub fn allow_many_files() -> Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum.unwrap_or(u64::MAX))
}

/// Bytes of the files in a folder and below: (as long as they are, as much as they take).
pub fn folder_bytes(folder: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let (mut long, mut taken) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let (path, data) = entry.and_then(|e| Ok((e.path(), e.metadata()?)))?;
        let (l, t) = if data.is_dir() { folder_bytes(&path)? } else { (data.len(), data.blocks() * 512) };
        (long, taken) = (long + l, taken + t);
    }
    Ok((long, taken))
}

/// The machine, in general terms.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: Vec<&str> = kernel.split(['.', '-']).take(2).collect();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kb = memory.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    format!("{cores} cores, {:.0} GB, Linux {}", kb / 1e6, kernel.join("."))
}

/// The load average of the last minute.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

/// How long the disk takes to make 4 KiB durable in a file that has its space.
pub fn sync_times(folder: &Path) -> Result<Times> {
    use std::os::unix::fs::FileExt as _;
    let file = tempfile::tempfile_in(folder)?;
    file.write_all_at(&vec![0; 1 << 20], 0)?;
    file.sync_all()?;
    let mut micros = Vec::new();
    for n in 0..200_u64 {
        let watch = Watch::start();
        file.write_all_at(&[1; 4096], n * 4096)?;
        file.sync_data()?;
        micros.push(u32::try_from(watch.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(Times::of(micros))
}

/// Waits until appends are made durable without a long wait, or for so long. What was written before may reach the disk later (that of a
/// virtual machine is kept by its host at first), and is not to be charged to what is measured next.
///
/// # Errors
/// The disk's.
pub fn until_disk_is_quiet(folder: &Path, within: Duration) -> Result<()> {
    use std::os::unix::fs::FileExt as _;
    /// So long no append may take longer than the second.
    const QUIET: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(10)];
    let file = tempfile::tempfile_in(folder)?;
    file.write_all_at(&[0; 4096], 0)?;
    file.sync_all()?;
    let (whole, mut quiet) = (Watch::start(), Watch::start());
    while quiet.elapsed() < QUIET[0] && whole.elapsed() < within {
        let append = Watch::start();
        file.write_all_at(&[1; 4096], 0)?;
        file.sync_data()?;
        if append.elapsed() > QUIET[1] {
            quiet = Watch::start();
        }
    }
    Ok(())
}

/// Waits until a process has hardly worked for two seconds, though no longer than `within`: what it still had to do after
/// everybody was answered is done then. Whether it came to that.
///
/// # Errors
/// There is no such process.
pub async fn until_at_rest(pid: u32, within: Duration) -> Result<bool> {
    /// Looks one after the other, and what may have been worked between two of them.
    const REST: (u32, Duration, Duration) = (4, Duration::from_millis(500), Duration::from_millis(20));
    let (watch, mut quiet) = (Watch::start(), 0);
    let mut before = cpu(pid)?;
    while quiet < REST.0 && watch.elapsed() < within {
        tokio::time::sleep(REST.1).await;
        let now = cpu(pid)?;
        quiet = if now.saturating_sub(before) <= REST.2 { quiet + 1 } else { 0 };
        before = now;
    }
    Ok(quiet == REST.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_the_cpu() {
        let pid = std::process::id();
        let before = cpu(pid).unwrap();
        while cpu(pid).unwrap() == before {}
        let memory = memory(pid).unwrap();
        assert!(memory.rss >= memory.pss && memory.pss > 0, "{memory:?}");
        assert!(memory_peak(pid).unwrap() >= memory.rss / 2);
        assert!(resident(pid) >= memory.rss / 2 && resident(u32::MAX) == 0);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(
            children(pid).contains(&child.id())
                && cpu_of_all(&[pid]).unwrap() >= cpu(pid).unwrap()
                && with_children(&[pid]).contains(&child.id())
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(machine().contains("Linux"), "{}", machine());
        assert!(cpu_of_threads(pid).len() >= 2, "the test's own and the first");
        while cpu_of_threads(pid).iter().all(|(_, used)| used.is_zero()) {}
        let (used, all) = machine_time();
        assert!(used > Duration::ZERO && used < all && files_allowed() > 0);
    }
}
