//! Does anything become slower while messages gather? Pairs write as fast as answers come, at the beginning and after each stretch of
//! filling; then somebody reads pages all over a conversation, at once, while the search index catches up, and again when it has.
//! In the end the node is started again.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    Bench,
    beside::system::{Running, System, address},
    setup,
};
use crate::{
    client::Server,
    clock::{self, Watch},
    load::{self, Length, Speed},
    proc,
    report::{Figure, Report, mb},
    tally::Times,
};

/// Pages that are read at each stage.
const PAGES: u64 = 200;
/// Messages of a page.
const SCREEN: u32 = 50;
/// So long the search index may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(900);
/// Parts of the whole at which is measured.
const STAGES: [f64; 4] = [0.0, 0.1, 0.4, 1.0];

/// Runs it, to `--stored` messages.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let (settings, stored) = (&bench.settings, bench.settings.stored);
    let running = System::Startalk.start(bench, "growth", 2 * settings.pairs, 0, false)?;
    let pids = running.pids();
    let server = running.server()?;
    let Running::Startalk(node, _) = &running else { anyhow::bail!("a node was started") };
    let domain = node.said("domain")?.to_owned();
    let mut peers = running.pairs(0, settings.pairs).await?;
    let (mut said, mut rates, mut stages) = (0_u64, Vec::new(), Vec::new());
    for part in STAGES {
        let missing = ((stored as f64 * part) as u64).saturating_sub(said);
        if missing > 0 {
            let watch = Watch::start();
            let length = Length::Messages(missing);
            let (back, filled) =
                load::run(peers, Speed::Outstanding(settings.outstanding), length, settings.patience, &pids).await?;
            report.line(format!("{} stored; {} more in {:.0} s", said, filled.said, watch.elapsed().as_secs_f64()));
            report.faults(&filled.faults);
            (peers, said) = (back, said + filled.said);
        }
        let (at, indexed) = (said, running.indexing());
        let (back, run) =
            load::run(peers, Speed::Outstanding(settings.outstanding), settings.length(), settings.patience, &pids).await?;
        report.run(&format!("growth, {at} stored"), &run);
        let indexing = run.each_us(running.indexing().saturating_sub(indexed));
        report.line(format!("  of the CPU at least {indexing:.1} µs each went into the search index"));
        (peers, said) = (back, said + run.said);
        let busy = read_pages(&server, &address(1, &domain)).await?;
        let watch = Watch::start();
        ensure!(proc::until_at_rest(node.pid(), CATCH_UP).await?, "the index has not caught up in {} s", CATCH_UP.as_secs());
        let behind = watch.elapsed().as_secs_f64();
        let pages = read_pages(&server, &address(1, &domain)).await?;
        let memory = proc::memory(node.pid())?;
        report.line(format!("  pages of {SCREEN} {busy} while the index catches up, which took {behind:.0} s more"));
        report.line(format!(
            "  pages of {SCREEN} {pages} then; {:.0} MB resident, {:.0} MB anonymous",
            mb(memory.rss),
            mb(memory.anonymous)
        ));
        rates.push((at, run.per_second(), run.cpu_us(), (busy.p99, pages.p99)));
        stages.push(json!({
            "stored": at, "per_second": run.per_second(), "cpu_us": run.cpu_us(),
            "ack_p50_ms": run.acknowledged.p50, "ack_p99_ms": run.acknowledged.p99,
            "page_p50_ms": pages.p50, "page_p99_ms": pages.p99, "busy_page_p50_ms": busy.p50, "busy_page_p99_ms": busy.p99,
            "behind_s": behind, "rss": memory.rss, "anonymous": memory.anonymous,
        }));
    }
    drop(peers);
    let Running::Startalk(node, _) = running else { anyhow::bail!("a node was started") };
    node.stop()?;
    let data = bench.folder.path().join("growth");
    let (_, taken) = proc::folder_bytes(&data)?;
    let again = bench.programs.start_node(&data, &[])?;
    let clean_ms = again.ready_after.as_secs_f64() * 1e3;
    again.kill()?;
    let again = bench.programs.start_node(&data, &[])?;
    let killed_ms = again.ready_after.as_secs_f64() * 1e3;
    again.stop()?;
    report.line(format!("{said} stored in {:.0} MB; start {clean_ms:.0} ms, after a kill {killed_ms:.0} ms", mb(taken)));
    report.put(
        "growth",
        json!({
            "stages": stages, "stored": said, "disk_bytes": taken, "start_ms": clean_ms, "start_after_kill_ms": killed_ms,
        }),
    );
    let (first, last) = (rates[0], rates[rates.len() - 1]);
    let slower = first.1 / last.1;
    report.figure(Figure::at_most("growth: times as slow when full", slower, 1.2, "×"));
    report.figure(Figure::at_most("growth: p99 of a page while the index catches up", last.3.0, 5.0, "ms"));
    report.figure(Figure::at_most("growth: p99 of a page", last.3.1, 5.0, "ms"));
    report.figure(Figure::at_most("growth: start after a clean stop", clean_ms, 1000.0, "ms"));
    report.closing(format!(
        "growth stored={said} cpu_us={:.1} empty={:.1} slower={slower:.2} page_p99_ms={:.2} busy_page_p99_ms={:.2} start_ms={clean_ms:.0} mb={:.0}",
        last.2,
        first.2,
        last.3.1,
        last.3.0,
        mb(taken)
    ));
    Ok(())
}

/// Pages all over the conversation of the first two.
async fn read_pages(server: &Server, partner: &str) -> Result<Times> {
    let mut client = setup::resume_as(server, 0, 0).await?;
    let conversation = client.open_conversation(partner).await?;
    let head = client.history(conversation, 0, 0, 1).await?.head;
    let mut micros = Vec::new();
    for n in 0..PAGES {
        // A step that shares no factor with most lengths: all parts are visited, in no order.
        let before = 1 + (n.wrapping_mul(7_919 * (head / PAGES + 1))) % head.max(1);
        let begun = clock::micros();
        client.history(conversation, before, 0, SCREEN).await?;
        micros.push(u32::try_from(clock::micros() - begun).unwrap_or(u32::MAX));
    }
    Ok(Times::of(micros))
}
