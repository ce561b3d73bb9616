//! Memory of a node that has nothing to do: alone, and with connections that say nothing, over TLS, WebSocket and QUIC, each
//! sort on a node of its own. Each is signed in and hears what happens. The kernel's part of a socket (about 4 kB at each
//! end) is in no process's memory and not counted.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::{Bench, setup};
use crate::{
    browser,
    proc::{self, Memory},
    programs::Process,
    quic::Sockets,
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
    let again = || bench.programs.start_node(&bench.folder.path().join("idle"), &[]);
    let token = |number| setup::token(number / CONNECTIONS_PER_ACCOUNT);

    let server = node.server()?;
    let tls = grown(bench, report, node, "TLS", |number| {
        let server = server.clone();
        async move {
            let mut client = setup::resume_as(&server, number, number / CONNECTIONS_PER_ACCOUNT).await?;
            client.sync().await?;
            Ok(client)
        }
    })
    .await?;

    let node = again()?;
    let server = node.server()?;
    let websocket = grown(bench, report, node, "WebSocket", |number| {
        let server = server.clone();
        async move { browser::idle(&server, number, token(number)).await }
    })
    .await?;

    let node = again()?;
    let (server, sockets) = (node.server()?, Arc::new(Sockets::of(settings.connections)?));
    let quic = grown(bench, report, node, "QUIC", |number| {
        let (server, sockets) = (server.clone(), sockets.clone());
        async move { sockets.idle(&server, number, token(number)).await }
    })
    .await?;

    report.put(
        "idle",
        json!({
            "alone_rss": alone.rss, "alone_pss": alone.pss, "connections": settings.connections,
            "tls_rss": tls.rss, "tls_kb_per_connection": tls.each_kb, "tls_cpu_ms_per_second": tls.cpu_ms,
            "websocket_rss": websocket.rss, "websocket_kb_per_connection": websocket.each_kb,
            "websocket_cpu_ms_per_second": websocket.cpu_ms,
            "quic_rss": quic.rss, "quic_kb_per_connection": quic.each_kb, "quic_cpu_ms_per_second": quic.cpu_ms,
        }),
    );
    report.figure(Figure::at_most("resident when idle", mb(alone.rss), 40.0, "MB"));
    report.figure(Figure::at_most("idle connection over TLS", tls.each_kb, 12.0, "kB"));
    report.figure(Figure::at_most("idle connection over WebSocket", websocket.each_kb, 12.0, "kB"));
    report.figure(Figure::at_most("idle connection over QUIC", quic.each_kb, 32.0, "kB"));
    report.closing(format!(
        "idle rss_mb={:.1} tls_kb={:.1} websocket_kb={:.1} quic_kb={:.1}",
        mb(alone.rss),
        tls.each_kb,
        websocket.each_kb,
        quic.each_kb
    ));
    Ok(())
}

/// Connects all, looks at the node, and ends it.
async fn grown<C, Coming>(
    bench: &Bench,
    report: &Report,
    node: Process,
    what: &str,
    connect: impl Fn(usize) -> Coming,
) -> Result<Idle>
where
    C: Send + 'static,
    Coming: Future<Output = Result<C>> + Send + 'static,
{
    let mut kept = Vec::new();
    let mut before = proc::memory(node.pid())?;
    for go in setup::goes(bench.settings.connections) {
        sleep(Duration::from_secs_f64(bench.settings.idle_seconds)).await;
        before = proc::memory(node.pid())?;
        kept.extend(setup::for_each(go, &connect).await?);
    }
    let idle = looked_at(bench, report, &node, before, what).await?;
    drop(kept);
    node.stop()?;
    Ok(idle)
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
