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
    let limit = measure(bench, report, RECORD_BYTES).await?;
    report.closing(format!("limit cpu_us={:.1} per_second={:.0}", limit.cpu_us(), limit.per_second()));
    Ok(())
}

/// As fast as answers come, with records of this size.
pub async fn measure(bench: &Bench, report: &mut Report, record_bytes: u64) -> Result<Measured> {
    let settings = &bench.settings;
    let server =
        bench.programs.start_limit(&bench.folder("limit")?, record_bytes, Script::new(0).content_bytes(), settings.spoil)?;
    let peers = setup::limit_pairs(&server, settings.pairs).await?;
    let (_, limit) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.length(), settings.patience, &[server.pid()]).await?;
    report.run("limit, as fast as answered", &limit);
    Ok(limit)
}
