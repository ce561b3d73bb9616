//! Devices that have an account come back, one after the other (a few at a time), and then say nothing.
//!
//! Memory is that of the later ones: a part comes first, so that what a server takes once (and what it gives back of its start) is not
//! counted as theirs.

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
    peers::{DOMAIN, mqtt, xmpp},
    proc,
    report::Report,
    workloads::{Bench, setup},
};

/// One in so many comes before memory is looked at.
const FIRST: usize = 5;

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
    if way == Way::Xmpp {
        setup::for_each(0..count, |number| {
            let server = server.clone();
            async move {
                let mut client = xmpp::Client::connect(&server, DOMAIN, number).await?;
                client.register(&setup::name(number)).await
            }
        })
        .await?;
    }
    let quiet = Duration::from_secs_f64(settings.idle_seconds);
    sleep(quiet).await;
    let pids = running.pids();
    let first = count.div_ceil(FIRST);
    let (cpu, watch) = (proc::cpu_of_all(&pids)?, Watch::start());
    let held = setup::for_each(0..first, |number| connect(way, server.clone(), number)).await?;
    let (seconds, spent) = (watch.elapsed().as_secs_f64(), proc::cpu_of_all(&pids)? - cpu);
    sleep(quiet).await;
    let memory = proc::pss_of_all(&pids);
    let (cpu, watch) = (proc::cpu_of_all(&pids)?, Watch::start());
    let others = setup::for_each(first..count, |number| connect(way, server.clone(), number)).await?;
    let (seconds, spent) = (seconds + watch.elapsed().as_secs_f64(), spent + proc::cpu_of_all(&pids)? - cpu);
    let each = count.max(1) as f64;
    let cpu_us = spent.as_secs_f64() * 1e6 / each;
    report.line(format!(
        "sign-in, {}: {count} in {seconds:.2} s: {:.0}/s, {cpu_us:.0} µs CPU each",
        system.name(),
        each / seconds
    ));
    findings.put("sign-in", "cpu_us", "µs", system, cpu_us);
    findings.put("sign-in", "per_second", "/s", system, each / seconds);
    sleep(quiet).await;
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
    drop((held, others, running));
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
