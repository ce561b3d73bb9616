//! A group in one domain, all of its members connected: one or several speak, everybody hears everything. Every delivery is
//! checked at its receiver, and is what figures are of: a message to a thousand members is 999 of them (its author has the
//! answer). First as fast as answers come, then at half of that for the times; and the same through the limit.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::{Bench, limit::RECORD_BYTES, setup};
use crate::{
    client::Client,
    load::{self, Measured, Speed},
    peer::{Authors, Part, Peer},
    report::{Report, mb},
};

/// Runs it for each size and number of senders.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    for members in bench.settings.members.clone() {
        for senders in bench.settings.senders.clone() {
            measure(bench, report, members, senders.clamp(1, members)).await?;
        }
    }
    Ok(())
}

async fn measure(bench: &Bench, report: &mut Report, members: usize, senders: usize) -> Result<()> {
    let settings = &bench.settings;
    let name = format!("group of {members}, {senders} speaking");
    let folder = format!("group-{members}-{senders}");
    let (node, group) = bench.populated_node(&folder, members, members, &[])?;
    let server = node.server()?;
    let pids = [node.pid()];
    let mut clients = setup::for_each(0..members, |number| setup::resume_and_sync(server.clone(), number)).await?;
    let base = clients.first_mut().context("a group has members")?.history(group, 0, 0, 1).await?.head;
    let peers = crowd(clients, senders, group, Part { base, counts: true, ..Part::default() });
    let (peers, fast) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.group_length(), settings.patience, &pids).await?;
    report.run(&format!("{name}, as fast as answered"), &fast);
    let rate = settings.rate.unwrap_or(fast.spoken_per_second() / 2.0);
    let (peers, steady) = load::run(peers, Speed::PerSecond(rate), settings.group_length(), settings.patience, &pids).await?;
    report.run(&format!("{name}, {}", settings.rate_words()), &steady);
    let memory = crate::proc::memory(node.pid())?;
    report.line(format!("  memory: {:.1} MB resident", mb(memory.rss)));
    drop(peers);
    node.stop()?;
    std::fs::remove_dir_all(bench.folder.path().join(folder))?;
    let limit = limit(bench, report, members, senders).await?;
    report.closing(format!(
        "group-{members} senders={senders} cpu_us={:.2} limit={:.2} ratio={:.2} per_second={:.0} p50_ms={:.2} p99_ms={:.2}",
        fast.cpu_us(),
        limit.cpu_us(),
        fast.cpu_us() / limit.cpu_us(),
        fast.per_second(),
        steady.delivered.p50,
        steady.delivered.p99,
    ));
    Ok(())
}

/// The same load through a program that does nothing else.
async fn limit(bench: &Bench, report: &mut Report, members: usize, senders: usize) -> Result<Measured> {
    let settings = &bench.settings;
    let server = bench.start_limit(RECORD_BYTES, true)?;
    let clients = setup::limit_clients(&server, members).await?;
    let peers = crowd(clients, senders, 150, Part::default());
    let pids = [server.pid()];
    let (_, limit) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.group_length(), settings.patience, &pids).await?;
    report.run(&format!("limit with {members}, {senders} speaking"), &limit);
    Ok(limit)
}

/// Everybody hears those who speak: the first ones. A part's audience is filled in here.
pub fn crowd(clients: Vec<Client>, senders: usize, conversation: u64, part: Part) -> Vec<Peer> {
    let authors = Authors::new(0..senders);
    let others = clients.len() as u64 - 1;
    let peer = |(number, client): (usize, Client)| {
        let audience = (number < senders).then_some(others);
        Peer::with(client, vec![conversation], number, Arc::clone(&authors), Part { audience, ..part })
    };
    clients.into_iter().enumerate().map(peer).collect()
}
