//! Files: one large one up and down over TLS, beside nginx; copies of pictures by the worker; memory while many come at once.
//!
//! nginx gets the same bytes from the same client with the same cipher, in the same rounds, and each goes first in every other
//! one. The node hashes what it takes and makes it durable before it says that it has it; nginx does neither, so its time until
//! the file is synced as well is told beside. Every byte that is fetched is compared.

use std::{collections::BTreeMap, fs::File, path::Path};

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64URL_NOPAD;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Bench, setup};
use crate::{
    clock::Watch,
    daemon,
    http::{Brought, Connection, Pattern, Version},
    nginx::Nginx,
    proc,
    programs::Process,
    report::{Report, mb},
};

/// Whose uploads they are: a node takes eight at once of each.
pub const ACCOUNTS: usize = 20;
const OFFSET: (&str, &str) = ("content-type", "application/offset+octet-stream");

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let (node, _) = bench.populated_node("files", ACCOUNTS, 0, &[])?;
    bench.programs.allow_large_files(&bench.folder.path().join("files"))?;
    let nginx = match daemon::find("nginx") {
        Some(program) => Some(Nginx::start(&program, &bench.folder("nginx")?)?),
        None => {
            report.line("nginx: not installed, left out (apt-get install nginx)");
            None
        }
    };
    one_large_file(bench, report, &node, nginx.as_ref()).await?;
    super::pictures::run(bench, report, &node).await?;
    super::uploads::run(bench, report, &node, nginx.as_ref()).await?;
    node.stop()
}

/// An account's way to its files.
pub struct Holder {
    /// The connection.
    pub door: Connection,
    device: u64,
}

impl Holder {
    /// Of account `number`.
    pub async fn open(node: &Process, number: usize, version: Version) -> Result<Self> {
        let bearer = format!("Bearer {}", BASE64URL_NOPAD.encode(&setup::token(number)));
        let mut door = Connection::open(node.server()?.address, version, Some(bearer)).await?;
        let device = door.json(Method::POST, "/files/session", &[]).await?["device"].as_u64().context("no device")?;
        Ok(Self { door, device })
    }

    /// Begins an upload of this purpose (base64).
    pub async fn begin(&mut self, size: u64, purpose: &str) -> Result<String> {
        let (size, metadata) = (size.to_string(), format!("filename YQ==,purpose {purpose}"));
        let headers = [("upload-length", size.as_str()), ("upload-metadata", metadata.as_str())];
        let begun = self.door.told(Method::POST, "/files/uploads", &headers, Brought::nothing(), &[StatusCode::CREATED]).await?;
        Ok(begun.headers().get("location").context("no location")?.to_str()?.to_owned())
    }

    /// Brings all bytes, and waits until the account holds the file; its description.
    pub async fn bring(&mut self, place: &str, body: Brought) -> Result<Value> {
        self.door.told(Method::PATCH, place, &[OFFSET, ("upload-offset", "0")], body, &[StatusCode::NO_CONTENT]).await?;
        loop {
            let told = self.door.json(Method::GET, place, &[]).await?;
            match told["state"].as_str() {
                Some("ready") => return Ok(told),
                Some("working") => {}
                _ => anyhow::bail!("an upload became {told}"),
            }
        }
    }

    /// Where its file is.
    pub fn path(&self, described: &Value) -> Result<String> {
        let hash = described["file"]["hash"].as_str().with_context(|| format!("no hash in {described}"))?;
        Ok(format!("/files/{}/own/{hash}/a", self.device))
    }
}

/// `file`, as metadata says it.
pub const FILE: &str = "ZmlsZQ==";
/// `original`.
pub const ORIGINAL: &str = "b3JpZ2luYWw=";

/// Which server and what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    NodeTakes,
    NodeGives,
    NginxTakes,
    /// And the file is on the disk.
    NginxKeeps,
    NginxGives,
}

/// Seconds, and those of the server's CPU.
type Took = (f64, f64);

async fn timed<T>(pid: u32, what: impl Future<Output = Result<T>>) -> Result<(T, Took)> {
    rustix::fs::sync(); // what was written before is not paid for here
    let (before, watch) = (proc::cpu_of_all(&[pid])?, Watch::start());
    let came = what.await?;
    let seconds = watch.elapsed().as_secs_f64();
    Ok((came, (seconds, (proc::cpu_of_all(&[pid])? - before).as_secs_f64())))
}

async fn one_large_file(bench: &Bench, report: &mut Report, node: &Process, nginx: Option<&Nginx>) -> Result<()> {
    let (size, rounds) = (bench.settings.file_bytes, bench.settings.rounds);
    report.line(format!("files: {:.0} MB up and down, {rounds} rounds", mb(size)));
    for version in [Version::One, Version::Two] {
        let mut all: BTreeMap<Done, Vec<Took>> = BTreeMap::new();
        let mut ciphers = Vec::new();
        for round in 0..rounds {
            let pattern = Pattern::new((round as u64) << 8 | version as u64);
            for is_node in [round % 2 == 0, round % 2 != 0] {
                let put = |done: Done, took: Took, all: &mut BTreeMap<Done, Vec<Took>>| all.entry(done).or_default().push(took);
                if is_node {
                    let mut holder = Holder::open(node, 0, version).await?;
                    ciphers.push(holder.door.cipher.clone());
                    let place = holder.begin(size, FILE).await?;
                    let (described, took) = timed(node.pid(), holder.bring(&place, Brought::pattern(&pattern, size))).await?;
                    put(Done::NodeTakes, took, &mut all);
                    let path = holder.path(&described)?;
                    put(Done::NodeGives, timed(node.pid(), holder.door.fetch(&path, &pattern, size)).await?.1, &mut all);
                } else if let Some(nginx) = nginx {
                    let mut door = Connection::open(nginx.address, version, None).await?;
                    ciphers.push(door.cipher.clone());
                    let path = format!("/{round}");
                    let file = nginx.root.join(&path[1..]);
                    let body = Brought::pattern(&pattern, size);
                    let good = [StatusCode::CREATED, StatusCode::NO_CONTENT];
                    let (_, took) = timed(nginx.pid(), door.told(Method::PUT, &path, &[], body, &good)).await?;
                    let synced = sync(&file)?;
                    put(Done::NginxTakes, took, &mut all);
                    put(Done::NginxKeeps, (took.0 + synced, took.1), &mut all);
                    put(Done::NginxGives, timed(nginx.pid(), door.fetch(&path, &pattern, size)).await?.1, &mut all);
                    std::fs::remove_file(file)?;
                }
            }
        }
        ciphers.dedup();
        ensure!(ciphers.len() == 1, "one cipher for all, not {ciphers:?}");
        told(report, version, &ciphers[0], size, &all);
    }
    Ok(())
}

fn sync(file: &Path) -> Result<f64> {
    let watch = Watch::start();
    File::open(file)?.sync_all()?;
    Ok(watch.elapsed().as_secs_f64())
}

fn told(report: &mut Report, version: Version, cipher: &str, size: u64, all: &BTreeMap<Done, Vec<Took>>) {
    report.line(format!("{version}, {cipher}: MB/s, median (slowest–fastest); seconds of the server's CPU for each GB"));
    let mut figures = Vec::new();
    for (done, took) in all {
        let mut speeds: Vec<f64> = took.iter().map(|(seconds, _)| mb(size) / seconds).collect();
        let mut cpu: Vec<f64> = took.iter().map(|(_, cpu)| cpu / (size as f64 / 1e9)).collect();
        let words = match done {
            Done::NodeTakes => "up, node: hashed, durable, held",
            Done::NodeGives => "down, node",
            Done::NginxTakes => "up, nginx",
            Done::NginxKeeps => "up, nginx, and then synced",
            Done::NginxGives => "down, nginx",
        };
        let (middle, cpu) = (median(&mut speeds), median(&mut cpu));
        let (slowest, fastest) = (speeds[0], speeds[speeds.len() - 1]);
        report.line(format!("  {words:<32} {middle:>6.0} ({slowest:.0}–{fastest:.0}), {cpu:.2} s"));
        figures.push(json!({ "what": words, "rounds": took.len(), "mb_per_second": middle, "slowest": slowest, "fastest": fastest, "cpu_s_per_gb": cpu }));
    }
    for (words, node, other) in [
        ("up", Done::NodeTakes, Done::NginxTakes),
        ("up, synced", Done::NodeTakes, Done::NginxKeeps),
        ("down", Done::NodeGives, Done::NginxGives),
    ] {
        let (Some(node), Some(other)) = (all.get(&node), all.get(&other)) else { continue };
        let mut ratios: Vec<f64> = node.iter().zip(other).map(|(n, o)| o.0 / n.0).collect();
        let middle = median(&mut ratios);
        report.line(format!(
            "  {words}: the node has {middle:.2} of nginx's speed, by rounds {:.2}–{:.2}",
            ratios[0],
            ratios[ratios.len() - 1]
        ));
        figures.push(json!({ "what": format!("{words}, of nginx"), "ratio": middle }));
    }
    report.put(&format!("files, {version}"), json!({ "cipher": cipher, "bytes": size, "figures": figures }));
}

/// The middle of them, which are in order afterwards.
pub fn median(of: &mut [f64]) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}
