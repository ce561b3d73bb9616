//! Memory while many people upload at once: nobody goes on before everybody has begun. Beside nginx.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use super::{
    Bench,
    files::{ACCOUNTS, FILE, Holder},
};
use crate::{
    clock::Watch,
    http::{Brought, Connection, Pattern, Version},
    nginx::Nginx,
    proc,
    programs::Process,
    report::{Report, mb},
    watched::Watched,
};

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report, node: &Process, nginx: Option<&Nginx>) -> Result<()> {
    let (count, size) = (bench.settings.uploads, bench.settings.upload_bytes);
    let before = proc::resident(node.pid());
    let watched = Watched::start(node.pid());
    let mut holders = Vec::new();
    for number in 0..count {
        let mut holder = Holder::open(node, number % ACCOUNTS, Version::One).await?;
        let place = holder.begin(size, FILE).await?;
        holders.push((number, holder, place, Pattern::new(0x0070_6c75 + number as u64)));
    }
    let (watch, meeting, mut tasks) = (Watch::start(), Arc::new(Barrier::new(count)), JoinSet::new());
    for (number, mut holder, place, pattern) in holders {
        let body = Brought::pattern(&pattern, size).together(meeting.clone());
        tasks.spawn(async move {
            let described = holder.bring(&place, body).await?;
            anyhow::Ok((number, described, pattern))
        });
    }
    let mut brought = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        brought.push(ended??);
    }
    let (seconds, peak) = (watch.elapsed().as_secs_f64(), watched.peak());
    drop(watched);
    for (number, described, pattern) in &brought {
        // Theirs may have been closed by now, for they were idle.
        let mut holder = Holder::open(node, number % ACCOUNTS, Version::One).await?;
        let path = holder.path(described)?;
        holder.door.fetch(&path, pattern, size).await?;
    }
    let all = mb(size) * count as f64;
    report.line(format!(
        "uploads: {count} at once of {:.0} MB each in {seconds:.1} s, {:.0} MB/s; the node had {:.0} MB resident before and {:.0} at the most, its workers {:.0}",
        mb(size),
        all / seconds,
        mb(before),
        mb(peak.own),
        mb(peak.children)
    ));
    let mut figures = json!({
        "count": count, "bytes": size, "seconds": seconds, "checked": brought.len(),
        "node_rss_before": before, "node_rss_peak": peak.own, "workers_rss_peak": peak.children,
    });
    if let Some(nginx) = nginx {
        let (seconds, peak) = beside(nginx.pid(), nginx.address, count, size).await?;
        report.line(format!("  nginx: {:.0} MB/s, at most {:.0} MB resident in all its processes", all / seconds, mb(peak)));
        figures["nginx_seconds"] = json!(seconds);
        figures["nginx_rss_peak"] = json!(peak);
    }
    report.put("uploads", figures);
    Ok(())
}

async fn beside(pid: u32, address: SocketAddr, count: usize, size: u64) -> Result<(f64, u64)> {
    let watched = Watched::start(pid);
    let mut doors = Vec::new();
    for _ in 0..count {
        doors.push(Connection::open(address, Version::One, None).await?);
    }
    let (watch, meeting, mut tasks) = (Watch::start(), Arc::new(Barrier::new(count)), JoinSet::new());
    let pattern = Pattern::new(7);
    for (number, mut door) in doors.into_iter().enumerate() {
        let body = Brought::pattern(&pattern, size).together(meeting.clone());
        tasks.spawn(
            async move { door.told(Method::PUT, &format!("/u{number}"), &[], body, &[StatusCode::CREATED]).await.map(drop) },
        );
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let (seconds, peak) = (watch.elapsed().as_secs_f64(), watched.peak());
    Ok((seconds, peak.own + peak.children))
}
