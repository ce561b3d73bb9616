//! Memory of a node that has nothing to do: alone, and with connections that say nothing. Each is signed in and hears
//! what happens. The kernel's part of a socket (about 4 kB at each end) is in no process's memory and not counted.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::{Bench, setup};
use crate::{
    client::Client,
    proc::{self, Memory},
    report::{Figure, Report, mb},
};

/// Connections of one account: a node allows 128.
const CONNECTIONS_PER_ACCOUNT: usize = 100;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    let node = bench.open_node("idle", &[])?;
    let pause = || sleep(Duration::from_secs_f64(settings.idle_seconds));
    pause().await;
    let alone = proc::memory(node.pid())?;
    show(report, "alone", alone);

    let server = node.server()?;
    let accounts = settings.connections.div_ceil(CONNECTIONS_PER_ACCOUNT);
    let made = setup::for_each(0..accounts, |number| setup::register(server.clone(), number)).await?;
    let tokens: Vec<_> = made.into_iter().map(|(_, token)| token).collect();
    pause().await;
    let before = proc::memory(node.pid())?;
    show(report, &format!("after {accounts} accounts were made"), before);

    let connect = |number: usize| {
        let (server, token) = (server.clone(), tokens[number / CONNECTIONS_PER_ACCOUNT].clone());
        async move {
            let mut client = Client::connect(&server, number).await?;
            client.hello("bench").await?;
            client.resume(token).await?;
            client.sync().await?;
            Ok(client)
        }
    };
    let connected = setup::for_each(0..settings.connections, connect).await?;
    let cpu_before = proc::cpu(node.pid())?;
    pause().await;
    let cpu = proc::cpu(node.pid())? - cpu_before;
    let with = proc::memory(node.pid())?;
    show(report, &format!("with {} idle connections", connected.len()), with);
    let each_kb = (with.pss.saturating_sub(before.pss)) as f64 / 1024.0 / connected.len() as f64;
    let cpu_ms = cpu.as_secs_f64() * 1000.0 / settings.idle_seconds;
    report.line(format!("  {each_kb:.1} kB per connection; {cpu_ms:.1} ms CPU a second with all of them"));
    drop(connected);
    node.stop()?;
    report.put(
        "idle",
        json!({
            "alone_rss": alone.rss, "alone_pss": alone.pss, "accounts_rss": before.rss, "connected_rss": with.rss,
            "connections": settings.connections, "kb_per_connection": each_kb, "cpu_ms_per_second": cpu_ms,
        }),
    );
    report.figure(Figure::at_most("resident when idle", mb(alone.rss), 40.0, "MB"));
    report.figure(Figure::at_most("idle connection", each_kb, 12.0, "kB"));
    report.closing(format!("idle rss_mb={:.1} kb_per_connection={each_kb:.1}", mb(alone.rss)));
    Ok(())
}

fn show(report: &Report, what: &str, memory: Memory) {
    report.line(format!(
        "idle, {what}: {:.1} MB resident, {:.1} PSS, {:.1} anonymous",
        mb(memory.rss),
        mb(memory.pss),
        mb(memory.anonymous)
    ));
}
