//! Devices that have an account come back, one after the other (a few at a time), and then say nothing.
//!
//! Memory is that of the later ones, see [`setup::goes`].

use std::{any::Any, time::Duration};

use anyhow::Result;
use tokio::time::sleep;

use super::{
    findings::Findings,
    system::{Running, System, back_on_xmpp},
};
use crate::{
    client::Server,
    clock::Watch,
    peers::mqtt,
    proc,
    report::Report,
    workloads::{Bench, setup},
};

/// What keeps a connection open.
type Held = Box<dyn Any + Send>;

/// How somebody comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Ours,
    Xmpp,
    Mqtt,
}

/// Signs in as many as `--connections`, then looks at what they take.
pub async fn run(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    let (settings, count) = (&bench.settings, bench.settings.connections);
    let folder = format!("connections-{}", system.name());
    let running = system.start(bench, &folder, count, 0, false)?;
    let server = running.server()?;
    let way = match running {
        Running::Startalk(..) => Way::Ours,
        Running::Xmpp(_) => Way::Xmpp,
        Running::Mqtt(_) | Running::Limit(_) => Way::Mqtt,
    };
    running.accounts(0..count).await?;
    let quiet = Duration::from_secs_f64(settings.idle_seconds);
    sleep(quiet).await;
    let pids = running.pids();
    let goes = setup::goes(count);
    let first = goes[2].start;
    let (mut held, mut seconds, mut spent, mut memory) = (Vec::new(), 0.0, Duration::ZERO, 0);
    for go in goes {
        memory = proc::pss_of_all(&pids);
        let (cpu, watch) = (proc::cpu_of_all(&pids)?, Watch::start());
        held.extend(setup::for_each(go, |number| connect(way, server.clone(), number)).await?);
        seconds += watch.elapsed().as_secs_f64();
        spent += proc::cpu_of_all(&pids)? - cpu;
        sleep(quiet).await;
    }
    let each = count.max(1) as f64;
    let cpu_us = spent.as_secs_f64() * 1e6 / each;
    report.line(format!(
        "sign-in, {}: {count} in {seconds:.2} s: {:.0}/s, {cpu_us:.0} µs CPU each",
        system.name(),
        each / seconds
    ));
    findings.put("sign-in", "cpu_us", "µs", system, cpu_us);
    findings.put("sign-in", "per_second", "/s", system, each / seconds);
    let (with, idle_cpu) = (proc::pss_of_all(&pids), proc::cpu_of_all(&pids)?);
    sleep(quiet).await;
    let idle_cpu = (proc::cpu_of_all(&pids)? - idle_cpu).as_secs_f64() * 1e3 / quiet.as_secs_f64();
    let kb = with.saturating_sub(memory) as f64 / 1024.0 / (count - first).max(1) as f64;
    report.line(format!(
        "idle, {}: {kb:.1} kB each, {:.1} MB with the first {first}, {:.1} MB with all; {idle_cpu:.1} ms CPU a second",
        system.name(),
        memory as f64 / 1e6,
        with as f64 / 1e6
    ));
    findings.put("idle", "kb", "kB", system, kb);
    findings.put("idle", "mb_before", "MB", system, memory as f64 / 1e6);
    drop((held, running));
    bench.clear(&folder);
    Ok(())
}

async fn connect(way: Way, server: Server, number: usize) -> Result<Held> {
    Ok(match way {
        Way::Ours => Box::new(setup::resume_and_sync(server, number).await?),
        Way::Xmpp => Box::new(back_on_xmpp(&server, number).await?),
        Way::Mqtt => {
            let mut client = mqtt::Client::connect(&server, number).await?;
            client.subscribe(&format!("to/{number}")).await?;
            Box::new(client)
        }
    })
}
