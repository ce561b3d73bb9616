//! From starting the process to the line that says that it listens: on an empty folder, and on one with a history,
//! after a clean stop, after a kill, and without views.

use anyhow::Result;
use serde_json::json;

use super::{Bench, setup};
use crate::{
    load::{self, Length, Speed},
    report::{Figure, Report},
    tally::Times,
};

/// Pairs that write the history.
const PAIRS: usize = 10;
/// Messages that each has on the way meanwhile.
const OUTSTANDING: usize = 32;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    let mut micros = Vec::new();
    for n in 0..settings.starts {
        let node = bench.programs.start_node(&bench.folder.path().join(format!("start-{n}")), &[])?;
        micros.push(u32::try_from(node.ready_after.as_micros())?);
        node.kill()?;
    }
    let empty = Times::of(micros);
    report.line(format!("start on an empty folder, {} times: {empty}", settings.starts));

    let data = bench.folder.path().join("restart");
    let node = bench.open_node("restart", &[])?;
    let peers = setup::pairs([&node, &node], PAIRS.min(settings.pairs)).await?;
    let (peers, written) =
        load::run(peers, Speed::Outstanding(OUTSTANDING), Length::Messages(settings.history), settings.patience, &[]).await?;
    report.run("history", &written);
    drop(peers);
    node.stop()?;
    let again = |what: &str| -> Result<(f64, crate::programs::Process)> {
        let node = bench.programs.start_node(&data, &[])?;
        let ms = node.ready_after.as_secs_f64() * 1000.0;
        report.line(format!("start with {} messages, {what}: {ms:.0} ms", written.said));
        Ok((ms, node))
    };
    let (clean, node) = again("after a clean stop")?;
    node.kill()?;
    let (killed, node) = again("after a kill")?;
    node.kill()?;
    std::fs::remove_dir_all(data.join("views"))?;
    let (rebuilt, node) = again("without views")?;
    node.kill()?;
    report.put("start", json!({ "empty": empty.json(), "messages": written.said, "clean_ms": clean, "killed_ms": killed, "without_views_ms": rebuilt }));
    report.figure(Figure::at_most("start on an empty folder, half of the times", empty.p50, 200.0, "ms"));
    report.closing(format!(
        "start empty_ms={:.0} clean_ms={clean:.0} killed_ms={killed:.0} without_views_ms={rebuilt:.0}",
        empty.p50
    ));
    Ok(())
}
