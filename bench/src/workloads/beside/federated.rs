//! Two domains on loopback, each a server of its own. Pairs across: what a message costs both servers together. Then as many
//! pairs within a domain beside them, so that half of the messages cross, at a speed that is given: how long those take.
//!
//! Nodes find each other by a hub, whose CPU counts as well; XMPP servers by addresses as names, and speak TLS to each other.

use anyhow::{Context as _, Result, bail};

use super::{
    findings::Findings,
    system::{System, address},
};
use crate::{
    client::Server,
    daemon,
    load::{self, Length, Speed},
    peer::{Authors, Part, Peer},
    peers::{self, Place, xmpp},
    programs::Process,
    report::Report,
    text::Script,
    workloads::{Bench, setup},
};

/// Names of the domains of XMPP servers, which are where they listen for each other.
const DOMAINS: [&str; 2] = ["127.0.0.2", "127.0.0.3"];

/// Messages of each before it is measured.
const FIRST: u64 = 4;
/// Messages of each that are measured, for each of `--unread`: enough for CPU time that is counted in hundredths of a second.
const MEASURED: u64 = 2;

/// Both servers; ended when dropped.
enum Linked {
    /// Nodes, and the hub by which they find each other.
    Startalk(Box<[Process; 2]>, Process),
    /// XMPP servers.
    Xmpp(Box<[peers::Peer; 2]>),
}

/// Runs it; nothing where a system cannot be linked.
pub async fn run(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    let (settings, what) = (&bench.settings, "federated");
    let folders = ["first", "second"].map(|which| format!("{what}-{which}-{}", system.name()));
    let linked = Linked::start(bench, system, &folders)?;
    let pids = linked.pids();
    let crossing = linked.pairs(settings.pairs.div_ceil(2), 0, true).await?;
    let (outstanding, people) = (Speed::Outstanding(settings.outstanding), crossing.len() as u64);
    // The servers find and open their links. Then so many that all of them arrive in the measured time: an author's server answers
    // before the message is in the other domain, so those that wait in between would be in one count and not in the other.
    let (crossing, _) = load::run(crossing, outstanding, Length::Messages(FIRST * people), settings.patience, &pids).await?;
    let length = Length::Messages(settings.messages.unwrap_or(MEASURED * settings.unread.max(1) * people));
    let (mut peers, fast) = load::run(crossing, outstanding, length, settings.patience, &pids).await?;
    report.run(&format!("{what}, {}, all across, as fast as answered", system.name()), &fast);
    findings.cost(what, system, &fast);
    let count = peers.len();
    peers.extend(linked.pairs(count / 2, count, false).await?);
    // In all half of what was possible across.
    let rate = settings.rate.unwrap_or(fast.per_second() / 2.0);
    let (peers, steady) = load::run(peers, Speed::PerSecond(rate), settings.length(), settings.patience, &pids).await?;
    report.run(&format!("{what}, {}, half across, {}", system.name(), settings.rate_words()), &steady);
    findings.times(what, system, &steady);
    drop((peers, linked));
    folders.iter().for_each(|folder| bench.clear(folder));
    Ok(())
}

impl Linked {
    fn start(bench: &Bench, system: &System, folders: &[String; 2]) -> Result<Self> {
        Ok(match system {
            System::Startalk => {
                let hub = bench.programs.start_hub(&bench.folder.path().join("federated-hub.log"))?;
                let at = ["--hub", hub.said("hub_url")?];
                Self::Startalk(Box::new([bench.open_node(&folders[0], &at)?, bench.open_node(&folders[1], &at)?]), hub)
            }
            System::Other { setup, .. } => {
                let s2s_port = daemon::free_port()?.port();
                let start = |n: usize| {
                    let place = Place { domain: DOMAINS[n], s2s_port };
                    setup.start_at(&bench.folder.path().join(&folders[n]), Some(&place)).context(DOMAINS[n])
                };
                Self::Xmpp(Box::new([start(0)?, start(1)?]))
            }
            System::Limit => bail!("the limit has no domain"),
        })
    }

    fn pids(&self) -> Vec<u32> {
        match self {
            Self::Startalk(nodes, hub) => nodes.iter().chain([hub]).map(Process::pid).collect(),
            Self::Xmpp(peers) => peers.iter().flat_map(peers::Peer::pids).collect(),
        }
    }

    /// New pairs, numbered from `first`: across, or each within one of the domains.
    async fn pairs(&self, count: usize, first: usize, across: bool) -> Result<Vec<Peer>> {
        match self {
            Self::Startalk(nodes, _) if across => setup::pairs([&nodes[0], &nodes[1]], count).await,
            Self::Startalk(nodes, _) => {
                let (in_a, mut peers) = (count.div_ceil(2), Vec::new());
                for (node, count, first) in [(&nodes[0], in_a, first), (&nodes[1], count - in_a, first + 2 * in_a)] {
                    let at = node.server()?;
                    peers.extend(setup::pairs_at([at.clone(), at], [node, node], count, first).await?);
                }
                Ok(peers)
            }
            Self::Xmpp(both) => {
                let servers = [both[0].server()?, both[1].server()?];
                let home = move |number: usize| if across { number % 2 } else { (number / 2) % 2 };
                setup::for_each(first..first + 2 * count, move |number| {
                    pair_on_xmpp(servers[home(number)].clone(), number, DOMAINS[home(number)], DOMAINS[home(number ^ 1)])
                })
                .await
            }
        }
    }
}

/// Somebody new in one domain who writes to the one beside in the other, or the same.
async fn pair_on_xmpp(at: Server, number: usize, domain: &'static str, partners: &'static str) -> Result<Peer> {
    let mut client = xmpp::Client::connect(&at, domain, number).await?;
    client.register(&setup::name(number)).await?;
    client.sign_in(&setup::name(number)).await?;
    let line = client.in_pairs([address(number ^ 1, partners)]).await?;
    let part = Part { audience: Some(1), ..Part::default() };
    Ok(Peer::on(line, Script::plain(number), number, Authors::plain([number ^ 1]), part))
}
