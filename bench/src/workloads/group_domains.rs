//! A group over two domains and a hub, half of its members in each, all connected; one speaks in the group's home and one
//! in the other domain, whose words go to the home first. CPU is that of both nodes.

use anyhow::{Context as _, Result, ensure};
use tokio::time::{Duration, sleep};

use super::{Bench, setup};
use crate::{
    client::Client,
    clock::Watch,
    load::{self, Speed},
    peer::{Authors, Part, Peer},
    programs::Process,
    report::Report,
};

/// How long a replica may take to hear what its home has recorded.
const REPLICA_WAIT: Duration = Duration::from_secs(60);

/// Runs it for each size.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    for members in bench.settings.members.clone() {
        measure(bench, report, members).await?;
    }
    Ok(())
}

/// A group whose home is the first of two domains, with people of both in it.
pub struct Shared {
    /// The home, first.
    pub nodes: [Process; 2],
    /// Connected members of each.
    pub clients: [Vec<Client>; 2],
    /// The group's conversation at each.
    pub conversations: [u64; 2],
    /// The last record of those that made the group.
    pub base: u64,
}

/// Makes it, with so many members in each domain. Those of the second come in by a link, one after the other, and nobody
/// else is connected meanwhile: everybody there would be told of everybody who comes.
pub async fn shared(bench: &Bench, name: &str, hub: &Process, members: [usize; 2]) -> Result<Shared> {
    let more = ["--hub", hub.said("hub_url")?];
    let (home, group) = bench.populated_node(&format!("{name}-home"), members[0], members[0], &more)?;
    let (other, _) = bench.populated_node(&format!("{name}-other"), members[1], 0, &more)?;
    let servers = [home.server()?, other.server()?];
    let mut owner = setup::resume(&servers[0], 0).await?;
    let link = owner.group_link(group).await?;
    let joined = setup::for_each(0..members[1], |number| {
        let (at, link) = (servers[1].clone(), link.clone());
        async move {
            let mut client = setup::resume(&at, number).await?;
            client.sync().await?;
            client.join_group(&link).await
        }
    })
    .await?;
    let replica = *joined.first().context("somebody joins")?;
    let base = owner.history(group, 0, 0, 1).await?.head;
    drop(owner);
    let mut clients = [Vec::new(), Vec::new()];
    for half in [0, 1] {
        clients[half] = setup::for_each(0..members[half], |number| setup::resume_and_sync(servers[half].clone(), number)).await?;
    }
    let watch = Watch::start();
    while clients[1][0].history(replica, 0, 0, 1).await?.head < base {
        ensure!(watch.elapsed() < REPLICA_WAIT, "the replica does not hear of record {base} of its group");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(Shared { nodes: [home, other], clients, conversations: [group, replica], base })
}

async fn measure(bench: &Bench, report: &mut Report, members: usize) -> Result<()> {
    let settings = &bench.settings;
    let name = format!("group of {members} over two domains");
    let halves = [members.div_ceil(2).max(1), (members / 2).max(1)];
    let hub = bench.programs.start_hub(&bench.folder.path().join("hub.log"))?;
    let folder = format!("group-two-{members}");
    let Shared { nodes, clients, conversations, base } = shared(bench, &folder, &hub, halves).await?;
    let pids = [nodes[0].pid(), nodes[1].pid()];
    // Those of the second domain are numbered after those of the first; the first of each half speaks.
    let authors = Authors::new([0, halves[0]]);
    let all = (halves[0] + halves[1]) as u64;
    let mut peers = Vec::new();
    for (half, clients) in clients.into_iter().enumerate() {
        for (number, client) in clients.into_iter().enumerate() {
            // Whoever speaks in the other domain hears of their own words too, from the home.
            let audience = (number == 0).then_some(all - 1 + half as u64);
            let part = Part { base, audience, placed_later: half == 1, counts: true, ..Part::default() };
            peers.push(Peer::with(client, vec![conversations[half]], half * halves[0] + number, authors.clone(), part));
        }
    }
    let (peers, fast) =
        load::run(peers, Speed::Outstanding(settings.outstanding), settings.group_length(), settings.patience, &pids).await?;
    report.run(&format!("{name}, as fast as answered"), &fast);
    let rate = settings.rate.unwrap_or(fast.spoken_per_second() / 2.0);
    let (peers, steady) = load::run(peers, Speed::PerSecond(rate), settings.group_length(), settings.patience, &pids).await?;
    report.run(&format!("{name}, {}", settings.rate_words()), &steady);
    drop(peers);
    for node in nodes {
        node.stop()?;
    }
    hub.stop()?;
    report.closing(format!(
        "group-two-domains-{members} cpu_us={:.2} per_second={:.0} p50_ms={:.2} p99_ms={:.2}",
        fast.cpu_us(),
        fast.per_second(),
        steady.delivered.p50,
        steady.delivered.p99,
    ));
    Ok(())
}
