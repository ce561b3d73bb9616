//! The limit under the same load.

use anyhow::Result;

use super::{Bench, setup};
use crate::{
    limit::Likeness,
    load::{self, Measured, Speed},
    programs::Process,
    report::Report,
    text::Script,
};

/// Bytes of a message's record if no node was measured before: docs/journal-format.md.
pub const RECORD_BYTES: u64 = 250;

/// Runs it alone.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let (limit, _) = measure(bench, report, RECORD_BYTES, bench.settings.rate).await?;
    report.closing(format!("limit cpu_us={:.1} per_second={:.0}", limit.cpu_us(), limit.per_second()));
    Ok(())
}

impl Bench {
    /// A limit whose messages take so many bytes on the disk.
    pub fn start_limit(&self, record_bytes: u64, group: bool) -> Result<Process> {
        let (content_bytes, spoil) = (Script::new(0).content_bytes(), self.settings.spoil);
        let likeness = Likeness { record_bytes: usize::try_from(record_bytes)?, content_bytes, group, spoil };
        self.programs.start_limit(&self.folder("limit")?, likeness)
    }
}

/// As fast as answers come, with records of this size; and at a given speed, where batches are as small as a node's.
pub async fn measure(
    bench: &Bench,
    report: &mut Report,
    record_bytes: u64,
    rate: Option<f64>,
) -> Result<(Measured, Option<Measured>)> {
    let settings = &bench.settings;
    let server = bench.start_limit(record_bytes, false)?;
    let (pids, length) = ([server.pid()], settings.length());
    let peers = setup::limit_pairs(&server, settings.pairs).await?;
    let (peers, limit) = load::run(peers, Speed::Outstanding(settings.outstanding), length, settings.patience, &pids).await?;
    report.run("limit, as fast as answered", &limit);
    let Some(rate) = rate else { return Ok((limit, None)) };
    let (_, steady) = load::run(peers, Speed::PerSecond(rate), length, settings.patience, &pids).await?;
    report.run("limit, at the node's speed", &steady);
    Ok((limit, Some(steady)))
}
