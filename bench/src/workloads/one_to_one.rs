//! One domain, pairs of people writing to each other at the same time: first as fast as answers come, then at a given
//! speed for the times, then what it took on the disk; and the same messages through the limit, in the same run.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Bench, limit, setup};
use crate::{
    journal::{self, Usage},
    load::{self, Speed},
    proc,
    report::{Figure, Report, mb},
    text::TEXT_BYTES,
};

/// Messages a second that a node should do on two cores shared with the generator.
const SPEED_ASKED: f64 = 20_000.0;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    let data = bench.folder.path().join("one-to-one");
    let node = bench.open_node("one-to-one", &[])?;
    let pids = [node.pid()];
    let peers = setup::pairs([&node, &node], settings.pairs).await?;
    let (peers, fast) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.length(), settings.patience, &pids).await?;
    report.run("one-to-one, as fast as answered", &fast);
    let rate = settings.rate.unwrap_or(fast.per_second() / 2.0);
    let (peers, steady) = load::run(peers, Speed::PerSecond(rate), settings.length(), settings.patience, &pids).await?;
    report.run(&format!("one-to-one, {}", settings.rate_words()), &steady);
    // The machine is full then, generator and all. What people feel is how it is at a speed that leaves it room.
    let asked = SPEED_ASKED / 2.0;
    let (peers, usual) = load::run(peers, Speed::PerSecond(asked), settings.length(), settings.patience, &pids).await?;
    report.run("one-to-one, half of the speed asked for", &usual);
    let memory = proc::memory(node.pid())?;
    report.line(format!(
        "memory under load: {:.1} MB resident, {:.1} PSS, {:.1} anonymous",
        mb(memory.rss),
        mb(memory.pss),
        mb(memory.anonymous)
    ));
    report.put("one-to-one, memory", json!({ "rss": memory.rss, "pss": memory.pss, "anonymous": memory.anonymous }));
    drop(peers);
    node.stop()?;
    let usage = disk(&data, report)?;

    let record_bytes = usage.messages.bytes().div_ceil(usage.messages.count.max(1));
    let (limit, limit_steady) = limit::measure(bench, report, record_bytes, Some(rate)).await?;
    let limit_steady = limit_steady.context("a speed was given")?;
    let (ratio, ratio_steady) = (fast.cpu_us() / limit.cpu_us(), steady.cpu_us() / limit_steady.cpu_us());
    let speed_ratio = fast.per_second() / limit.per_second();
    report.line(format!(
        "beside the limit, each as fast as it can: {ratio:.2} times its CPU, {speed_ratio:.2} of its speed; \
         both at {rate:.0}/s: {ratio_steady:.2} times its CPU"
    ));
    report.figure(Figure::at_most("one to one, CPU per durable delivered message", fast.cpu_us(), 35.0, "µs"));
    report.figure(Figure::at_least("one to one, messages a second", fast.per_second(), SPEED_ASKED, "/s"));
    report.figure(Figure::at_most("one to one, p99 of acknowledgements at half of that", usual.acknowledged.p99, 10.0, "ms"));
    report.figure(Figure::at_most("CPU beside the limit, each as fast as it can", ratio, 2.0, "×"));
    report.figure(Figure::at_most("CPU beside the limit, both at the same speed", ratio_steady, 2.0, "×"));
    report.closing(format!(
        "one-to-one cpu_us startalk={:.1} limit={:.1} ratio={ratio:.2} ratio_at_same_speed={ratio_steady:.2} per_second={:.0} p99_ms={:.2}",
        fast.cpu_us(),
        limit.cpu_us(),
        fast.per_second(),
        usual.acknowledged.p99,
    ));
    Ok(())
}

/// What the messages take on the disk, after a clean stop.
fn disk(data: &Path, report: &mut Report) -> Result<Usage> {
    let usage = journal::usage(&data.join("journal"))?;
    let (_, views) = proc::folder_bytes(&data.join("views"))?;
    let messages = usage.messages.count.max(1) as f64;
    let each = |bytes: u64| bytes as f64 / messages;
    let parts = &usage.messages;
    report.line(format!(
        "disk: {} messages in {} records, after a clean stop; bytes per message of {TEXT_BYTES} bytes of text:",
        parts.count, usage.all.count
    ));
    report.line(format!(
        "  message records {:.1} = header {:.1} + facts {:.1} + body {:.1}; all records {:.1}; segments' own {:.1}",
        each(parts.bytes()),
        each(parts.header),
        each(parts.facts),
        each(parts.body),
        each(usage.all.bytes()),
        each(usage.frame_bytes),
    ));
    report.line(format!(
        "  journal in use {:.1} MB of {:.1} MB of files; views {:.1} MB = {:.1} bytes per message",
        mb(usage.in_use()),
        mb(usage.file_bytes),
        mb(views),
        each(views),
    ));
    let mut at = 0;
    for (name, bytes) in &usage.example {
        report.line(format!("  {at:>5}  {bytes:>4}  {name}"));
        at += bytes;
    }
    report.line(format!("  {at:>5}        in all: the last message's record"));
    let total = each(usage.in_use() + views);
    report.put("one-to-one, disk", json!({
        "messages": parts.count, "records": usage.all.count, "message_record_bytes": each(parts.bytes()), "header": each(parts.header),
        "facts": each(parts.facts), "body": each(parts.body), "journal_in_use": usage.in_use(), "journal_files": usage.file_bytes,
        "views": views, "bytes_per_message": total, "example": usage.example,
    }));
    // A few messages say nothing about tables that are made ready for many.
    if parts.count >= 10_000 {
        report.figure(Figure::at_most("disk per message, journal in use and views", total, 350.0, "B"));
    }
    Ok(usage)
}
