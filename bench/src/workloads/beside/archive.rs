//! What was said is read later: everybody comes back in the same moment and has everything that they missed; and then some read
//! their conversations from the newest page to the oldest.

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::{
    findings::Findings,
    reader::{Place, Reader, SCREEN},
    system::{Running, System, address, back_on_xmpp, new_on_xmpp},
};
use crate::{
    client::Server,
    clock::{self, Watch},
    load::{self, Length, Speed},
    peer::{Authors, Part, Peer},
    peers::DOMAIN,
    proc,
    report::{Report, mb},
    tally::{Faults, Times},
    text::Script,
    workloads::{
        Bench,
        reconnect::{self, OUTSTANDING, PAGE, WRITERS},
        setup,
    },
};

/// Those who read at once.
const READERS: usize = 4;
/// How often each reads all of it.
const READINGS: usize = 10;

/// Runs both on one server.
pub async fn run(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    let settings = &bench.settings;
    let (away, unread) = (settings.returning.max(1).next_multiple_of(WRITERS), settings.unread.max(1));
    let folder = format!("archive-{}", system.name());
    let running = system.start(bench, &folder, WRITERS + away, 0, false)?;
    let (server, pids) = (running.server()?, running.pids());
    let (writers, cursors) = match &running {
        Running::Startalk(node, _) => {
            let cursors = setup::for_each(WRITERS..WRITERS + away, |number| reconnect::was_here(server.clone(), number)).await?;
            (reconnect::writers(&server, node.said("domain")?, away, unread).await?, cursors)
        }
        _ => (writers_on_xmpp(&server, away, unread).await?, Vec::new()),
    };
    let (outstanding, length) = (Speed::Outstanding(OUTSTANDING), Length::Messages(unread * away as u64));
    let (writers, said) = load::run(writers, outstanding, length, settings.patience, &pids).await?;
    drop(writers);
    report.faults(&said.faults);

    let (before, watch) = (proc::cpu_of_all(&pids)?, Watch::start());
    let mut returning = JoinSet::new();
    for nth in 0..away {
        let (server, cursor) = (server.clone(), cursors.get(nth).cloned());
        returning.spawn(async move {
            if let Some(cursor) = cursor {
                let back = reconnect::come_back(server, WRITERS + nth, nth % WRITERS, cursor, unread).await?;
                return anyhow::Ok((back.faults, back.micros));
            }
            come_back_on_xmpp(&server, WRITERS + nth, nth % WRITERS, unread).await
        });
    }
    let (mut faults, mut micros) = (Faults::default(), Vec::new());
    while let Some(one) = returning.join_next().await {
        let (its, took) = one??;
        faults.add(&its);
        micros.push(took);
    }
    let seconds = watch.elapsed().as_secs_f64();
    let (times, cpu) = (Times::of(micros), proc::cpu_of_all(&pids)? - before);
    let peak: u64 = pids.iter().filter_map(|pid| proc::memory_peak(*pid).ok()).sum();
    let cpu_ms = cpu.as_secs_f64() * 1e3 / away as f64;
    report.line(format!(
        "reconnect, {}: {away} with {unread} unread each in {seconds:.2} s, {cpu_ms:.2} ms CPU each; has everything {times}; {:.0} MB at the most",
        system.name(),
        mb(peak)
    ));
    report.faults(&faults);
    findings.put("reconnect", "cpu_ms", "ms", system, cpu_ms);
    findings.put("reconnect", "seconds", "s", system, seconds);
    findings.put("reconnect", "p99", "ms", system, times.p99);

    let before = proc::cpu_of_all(&pids)?;
    let place = Place::of(&running)?;
    let pages = setup::for_each(0..READERS.min(away), |reader| {
        let place = place.clone();
        async move { read_all(place.reader(WRITERS + reader, reader % WRITERS).await?, unread).await }
    })
    .await?;
    let cpu = proc::cpu_of_all(&pids)? - before;
    let times = Times::of(pages.into_iter().flatten().collect());
    let cpu_us = cpu.as_secs_f64() * 1e6 / times.count.max(1) as f64;
    report.line(format!("history, {}: {} pages of {SCREEN}, {cpu_us:.0} µs CPU each; {times}", system.name(), times.count));
    findings.put("history", "cpu_us", "µs", system, cpu_us);
    findings.put("history", "p99", "ms", system, times.p99);
    drop(running);
    bench.clear(&folder);
    Ok(())
}

/// Those who are away have their accounts, and are not there. Whoever writes to them has an acknowledgement for each message.
async fn writers_on_xmpp(server: &Server, away: usize, unread: u64) -> Result<Vec<Peer>> {
    setup::for_each(WRITERS..WRITERS + away, |number| {
        let server = server.clone();
        async move { new_on_xmpp(&server, number).await.map(|_| ()) }
    })
    .await?;
    setup::for_each(0..WRITERS, |writer| {
        let server = server.clone();
        async move {
            let to = (writer..away).step_by(WRITERS).map(|nth| address(WRITERS + nth, DOMAIN));
            let line = new_on_xmpp(&server, writer).await?.in_pairs(to).await?;
            let part = Part { audience: Some(0), ..Part::default() };
            Ok(Peer::on(line, Script::plain(writer), writer, Authors::plain([]), part).saying_to_each(unread))
        }
    })
    .await
}

async fn come_back_on_xmpp(server: &Server, number: usize, writer: usize, unread: u64) -> Result<(Faults, u32)> {
    let begun = clock::micros();
    let mut client = back_on_xmpp(server, number).await.with_context(|| format!("client {number}"))?;
    let (with, most) = (address(writer, DOMAIN), usize::try_from(PAGE)?);
    let (mut bodies, mut after) = (Vec::new(), Some("0".to_owned()));
    while let Some(place) = after {
        let page = client.page(&with, Some(&place), None, most).await?;
        bodies.extend(page.bodies);
        after = page.ends.map(|(_, last)| last).filter(|_| !page.complete);
    }
    let micros = u32::try_from(clock::micros() - begun).unwrap_or(u32::MAX);
    Ok((reconnect::check_contents(bodies.iter().map(|b| &b[..]), &Authors::plain([writer]), unread), micros))
}

/// How long each page took, in microseconds, from the newest to the oldest.
async fn read_all(mut reader: Reader, unread: u64) -> Result<Vec<u32>> {
    let mut times = Vec::new();
    for _ in 0..READINGS {
        let mut seen = 0;
        reader.begin_again();
        while seen < unread {
            let begun = clock::micros();
            seen += reader.page().await?;
            times.push(u32::try_from(clock::micros() - begun).unwrap_or(u32::MAX));
        }
    }
    Ok(times)
}
