//! Looking at the hub from outside: what passes on its wire, and what is in its memory.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::Context as _;
use startalk_e2e::until;

use crate::wan::Wan;

/// Bytes of memory looked at together.
const CHUNK: usize = 1024 * 1024;

/// Everything on the hub's wire, being written to a file.
pub struct Capture {
    child: Child,
    file: PathBuf,
}

impl Wan {
    /// Captures from now on.
    pub async fn capture(&self) -> anyhow::Result<Capture> {
        let file = self.world.folder.join("hub.pcap");
        let mut command = self.hub.space.command("tcpdump");
        command.args(["-i", "wan", "-U", "-s", "0", "-Z", "root", "-w"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let capture = Capture { child: command.spawn().context("tcpdump")?, file };
        // Its header is there when it listens.
        until("tcpdump", || std::future::ready((fs::metadata(&capture.file).is_ok_and(|m| m.len() > 0), 0))).await?;
        Ok(capture)
    }
}

impl Capture {
    /// What was captured.
    pub fn end(mut self) -> anyhow::Result<Vec<u8>> {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).context("a process id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(fs::read(&self.file)?)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether these bytes are anywhere in the memory of a process that it may write.
pub fn memory_holds(process: u32, wanted: &[u8]) -> anyhow::Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut memory = fs::File::open(format!("/proc/{process}/mem"))?;
    for line in maps.lines().filter(|l| l.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).context("a range")?;
        let (mut at, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut kept: Vec<u8> = Vec::new();
        while at < to {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(to - at)?)];
            memory.seek(SeekFrom::Start(at))?;
            // What cannot be read (a guard page, what was unmapped meanwhile) holds nothing.
            if memory.read_exact(&mut chunk).is_err() {
                break;
            }
            kept.extend_from_slice(&chunk);
            if kept.windows(wanted.len()).any(|w| w == wanted) {
                return Ok(true);
            }
            kept.drain(..kept.len() - wanted.len().min(kept.len()));
            at += chunk.len() as u64;
        }
    }
    Ok(false)
}
