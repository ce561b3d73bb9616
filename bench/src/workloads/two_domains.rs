//! Two domains and a hub: half of the pairs, each across, both directions at once. CPU is that of both nodes.

use anyhow::Result;

use super::{Bench, setup};
use crate::{
    load::{self, Speed},
    report::{Figure, Report},
};

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    let hub = bench.programs.start_hub(&bench.folder.path().join("hub.log"))?;
    let at = ["--hub", hub.said("hub_url")?];
    let (first, second) = (bench.open_node("first", &at)?, bench.open_node("second", &at)?);
    let pids = [first.pid(), second.pid()];
    let peers = setup::pairs([&first, &second], settings.pairs.div_ceil(2)).await?;
    let (peers, fast) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.length(), settings.patience, &pids).await?;
    report.run("two domains, as fast as answered", &fast);
    let rate = settings.rate.unwrap_or(fast.per_second() / 2.0);
    let (peers, steady) = load::run(peers, Speed::PerSecond(rate), settings.length(), settings.patience, &pids).await?;
    report.run(&format!("two domains, {}", settings.rate_words()), &steady);
    drop(peers);
    first.stop()?;
    second.stop()?;
    hub.stop()?;
    report.figure(Figure::at_least("between two domains, messages a second in all", fast.per_second(), 5_000.0, "/s"));
    report.closing(format!(
        "two-domains cpu_us={:.1} per_second={:.0} delivery_p99_ms={:.2}",
        fast.cpu_us(),
        fast.per_second(),
        steady.delivered.p99,
    ));
    Ok(())
}
