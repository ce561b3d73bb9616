//! What this machine has, as far as a node on it may use it.

use std::{fs, path::Path};

use startalk_load::proc;

use super::model::Machine;

/// As the system says. To be asked before this process raises its own limits.
pub fn look() -> Machine {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let total = memory_total(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let memory_bytes = total.min(group_limit(Path::new("/sys/fs/cgroup"), &group));
    Machine { cores: cores as f64, memory_bytes, files_limit: proc::files_allowed() }
}

fn memory_total(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The least that a control group above this process allows: a container's or a unit's.
fn group_limit(root: &Path, own: &str) -> u64 {
    let below = own.lines().find_map(|l| l.strip_prefix("0::/")).unwrap_or_default();
    let folder = root.join(below);
    let limits = folder.ancestors().take_while(|f| f.starts_with(root));
    let limit = |folder: &Path| fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse::<u64>().ok();
    limits.filter_map(limit).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_the_machine_has_and_the_group_allows() {
        assert_eq!(memory_total("MemTotal:        8000000 kB\nMemFree: 5 kB\n"), 8_192_000_000);
        let root = tempfile::tempdir().unwrap();
        let unit = root.path().join("system.slice/startalk.service");
        fs::create_dir_all(&unit).unwrap();
        assert_eq!(group_limit(root.path(), "0::/system.slice/startalk.service\n"), u64::MAX);
        fs::write(unit.join("memory.max"), "max\n").unwrap();
        fs::write(root.path().join("system.slice/memory.max"), "536870912\n").unwrap();
        assert_eq!(group_limit(root.path(), "0::/system.slice/startalk.service\n"), 1 << 29);
        assert_eq!(group_limit(root.path(), "7:cpu:/of-version-1\n"), u64::MAX);
        let machine = look();
        assert!(machine.cores >= 1.0 && machine.memory_bytes > 0 && machine.files_limit > 0, "{machine:?}");
    }
}
