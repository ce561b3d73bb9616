//! Memory of a node that has nothing to do: alone, and with connections that say nothing, over TLS and over WebSocket, each
//! sort on a node of its own. Each is signed in and hears what happens. The kernel's part of a socket (about 4 kB at each
//! end) is in no process's memory and not counted.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::{Bench, setup};
use crate::{
    browser,
    proc::{self, Memory},
    programs::Process,
    report::{Figure, Report, mb},
};

/// Connections of one account: a node allows 128.
const CONNECTIONS_PER_ACCOUNT: usize = 100;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    let accounts = settings.connections.div_ceil(CONNECTIONS_PER_ACCOUNT);
    let (node, _) = bench.populated_node("idle", accounts, 0, &[])?;
    sleep(Duration::from_secs_f64(settings.idle_seconds)).await;
    let alone = proc::memory(node.pid())?;
    show(report, "alone", alone);
    let server = node.server()?;
    let (mut native, mut before) = (Vec::new(), alone);
    for go in setup::goes(settings.connections) {
        sleep(Duration::from_secs_f64(settings.idle_seconds)).await;
        before = proc::memory(node.pid())?;
        native.extend(
            setup::for_each(go, |number| {
                let server = server.clone();
                async move {
                    let mut client = setup::resume_as(&server, number, number / CONNECTIONS_PER_ACCOUNT).await?;
                    client.sync().await?;
                    Ok(client)
                }
            })
            .await?,
        );
    }
    let tls = looked_at(bench, report, &node, before, "TLS").await?;
    drop(native);
    node.stop()?;

    let node = bench.programs.start_node(&bench.folder.path().join("idle"), &[])?;
    let server = node.server()?;
    let mut browsers = Vec::new();
    for go in setup::goes(settings.connections) {
        sleep(Duration::from_secs_f64(settings.idle_seconds)).await;
        before = proc::memory(node.pid())?;
        browsers.extend(
            setup::for_each(go, |number| {
                let (server, token) = (server.clone(), setup::token(number / CONNECTIONS_PER_ACCOUNT));
                async move { browser::idle(&server, number, token).await }
            })
            .await?,
        );
    }
    let websocket = looked_at(bench, report, &node, before, "WebSocket").await?;
    drop(browsers);
    node.stop()?;

    report.put(
        "idle",
        json!({
            "alone_rss": alone.rss, "alone_pss": alone.pss, "connections": settings.connections,
            "tls_rss": tls.rss, "tls_kb_per_connection": tls.each_kb, "tls_cpu_ms_per_second": tls.cpu_ms,
            "websocket_rss": websocket.rss, "websocket_kb_per_connection": websocket.each_kb,
            "websocket_cpu_ms_per_second": websocket.cpu_ms,
        }),
    );
    report.figure(Figure::at_most("resident when idle", mb(alone.rss), 40.0, "MB"));
    report.figure(Figure::at_most("idle connection over TLS", tls.each_kb, 12.0, "kB"));
    report.figure(Figure::at_most("idle connection over WebSocket", websocket.each_kb, 12.0, "kB"));
    report.closing(format!("idle rss_mb={:.1} tls_kb={:.1} websocket_kb={:.1}", mb(alone.rss), tls.each_kb, websocket.each_kb));
    Ok(())
}

/// What connections of one sort came to.
struct Idle {
    rss: u64,
    each_kb: f64,
    cpu_ms: f64,
}

/// How much the node has grown by the last connections, after a pause.
async fn looked_at(bench: &Bench, report: &Report, node: &Process, before: Memory, what: &str) -> Result<Idle> {
    let settings = &bench.settings;
    let cpu_before = proc::cpu(node.pid())?;
    sleep(Duration::from_secs_f64(settings.idle_seconds)).await;
    let cpu = proc::cpu(node.pid())? - cpu_before;
    let with = proc::memory(node.pid())?;
    show(report, &format!("with {} idle connections over {what}", settings.connections), with);
    let counted = setup::goes(settings.connections)[2].len().max(1);
    let each_kb = with.rss.saturating_sub(before.rss) as f64 / 1024.0 / counted as f64;
    let cpu_ms = cpu.as_secs_f64() * 1000.0 / settings.idle_seconds;
    report.line(format!("  {each_kb:.1} kB per connection; {cpu_ms:.1} ms CPU a second with all of them"));
    Ok(Idle { rss: with.rss, each_kb, cpu_ms })
}

fn show(report: &Report, what: &str, memory: Memory) {
    report.line(format!(
        "idle, {what}: {:.1} MB resident, {:.1} PSS, {:.1} anonymous",
        mb(memory.rss),
        mb(memory.pss),
        mb(memory.anonymous)
    ));
}
