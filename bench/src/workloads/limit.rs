//! The limit under the same load.

use anyhow::Result;

use super::{Bench, setup};
use crate::{
    load::{self, Measured, Speed},
    report::Report,
    text::Script,
};

/// Bytes of a message's record if no node was measured before: docs/journal-format.md.
const RECORD_BYTES: u64 = 250;

/// Runs it alone.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let limit = measure(bench, report, RECORD_BYTES, bench.settings.rate).await?;
    report.closing(format!("limit cpu_us={:.1} per_second={:.0}", limit.cpu_us(), limit.per_second()));
    Ok(())
}

/// As fast as answers come, with records of this size; and, for the times, at a given speed.
pub async fn measure(bench: &Bench, report: &mut Report, record_bytes: u64, rate: Option<f64>) -> Result<Measured> {
    let settings = &bench.settings;
    let content_bytes = Script::new(0).content_bytes();
    let server = bench.programs.start_limit(&bench.folder("limit")?, record_bytes, content_bytes, settings.spoil)?;
    let (pids, length) = ([server.pid()], settings.length());
    let peers = setup::limit_pairs(&server, settings.pairs).await?;
    let (peers, limit) = load::run(peers, Speed::Outstanding(settings.outstanding), length, settings.patience, &pids).await?;
    report.run("limit, as fast as answered", &limit);
    if let Some(rate) = rate {
        let (_, steady) = load::run(peers, Speed::PerSecond(rate), length, settings.patience, &pids).await?;
        report.run("limit, at the node's speed", &steady);
    }
    Ok(limit)
}
