//! What is measured side by side, and its people.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    client::Server,
    peer::{Authors, Part, Peer},
    peers::{self, DOMAIN, Setup, Speaks, mqtt, xmpp},
    proc,
    programs::Process,
    text::Script,
    workloads::{Bench, group, limit::RECORD_BYTES, setup},
};

/// Where everybody of a group is, on an XMPP server and on a broker.
const ROOM: &str = "bench@conference.localhost";
const TOPIC: &str = "group";

/// A server, not started.
#[derive(Clone)]
pub enum System {
    /// Ours.
    Startalk,
    /// The program that does nothing but the sockets and the disk.
    Limit,
    /// Somebody else's.
    Other { name: String, setup: Box<Setup> },
}

/// A running one; ended when it is dropped.
pub enum Running {
    /// A node; and the conversation of the group that it was filled with.
    Startalk(Process, u64),
    /// The limit.
    Limit(Process),
    /// An XMPP server.
    Xmpp(peers::Peer),
    /// A broker.
    Mqtt(peers::Peer),
}

/// One that was killed.
pub enum Dead {
    /// A node; and its group's conversation.
    Startalk(u64),
    /// An XMPP server.
    Xmpp(Box<peers::Peer>),
}

impl Dead {
    /// Starts it on what it has, which for a node is in the folder of this name; returns when it listens.
    pub fn start_again(self, bench: &Bench, name: &str) -> Result<Running> {
        Ok(match self {
            Self::Startalk(conversation) => {
                Running::Startalk(bench.programs.start_node(&bench.folder.path().join(name), &[])?, conversation)
            }
            Self::Xmpp(mut peer) => {
                peer.start()?;
                Running::Xmpp(*peer)
            }
        })
    }
}

impl System {
    /// As it is called in lines and tables.
    pub fn name(&self) -> &str {
        match self {
            Self::Startalk => "startalk",
            Self::Limit => "limit",
            Self::Other { name, .. } => name,
        }
    }

    /// What it keeps of messages.
    pub fn stores(&self) -> &str {
        match self {
            Self::Startalk => "messages, synced before they are acknowledged",
            Self::Limit => "the same bytes, synced before they are acknowledged",
            Self::Other { setup, .. } => &setup.stores,
        }
    }

    /// Which one it is.
    pub fn version(&self) -> String {
        match self {
            Self::Startalk | Self::Limit => env!("CARGO_PKG_VERSION").to_owned(),
            Self::Other { name, setup, .. } => setup.version(name),
        }
    }

    /// Whether it has accounts.
    pub fn has_people(&self) -> bool {
        matches!(self, Self::Startalk) || matches!(self, Self::Other { setup, .. } if setup.speaks == Speaks::Xmpp)
    }

    /// Whether what was said can be read later.
    pub fn has_archive(&self) -> bool {
        match self {
            Self::Startalk => true,
            Self::Limit => false,
            Self::Other { setup, .. } => setup.has_archive(),
        }
    }

    /// Members of the largest group that it is measured with; `None`: any.
    pub fn members_max(&self) -> Option<usize> {
        if let Self::Other { setup, .. } = self { setup.members_max } else { None }
    }

    /// Whether two of them can serve two linked domains.
    pub fn can_federate(&self) -> bool {
        matches!(self, Self::Startalk) || matches!(self, Self::Other { setup, .. } if setup.can_federate())
    }

    /// Starts it on a new folder, which is `name`; a node is filled with so many accounts and a group of the first of them.
    pub fn start(&self, bench: &Bench, name: &str, accounts: usize, members: usize, group: bool) -> Result<Running> {
        Ok(match self {
            Self::Startalk => {
                let (node, conversation) = bench.populated_node(name, accounts, members, &[])?;
                Running::Startalk(node, conversation)
            }
            Self::Limit => Running::Limit(bench.start_limit(RECORD_BYTES, group)?),
            Self::Other { setup, .. } => {
                let peer = setup.start(&bench.folder.path().join(name))?;
                match setup.speaks {
                    Speaks::Xmpp => Running::Xmpp(peer),
                    Speaks::Mqtt => Running::Mqtt(peer),
                }
            }
        })
    }
}

/// Threads of a node that keep its search index.
const INDEXING: &[&str] = &["search", "thrd-tantivy", "merge_thread", "segment_updat"];

impl Running {
    /// CPU time that has gone into the search index up to now. At least: threads of tantivy end with each
    /// segment, and what those did is not in it any more.
    pub fn indexing(&self) -> Duration {
        let Running::Startalk(node, _) = self else { return Duration::ZERO };
        proc::cpu_of_named_threads(node.pid(), INDEXING)
    }

    /// Ends all of it by SIGKILL; what it has on the disk stays, and [`Dead::start_again`] starts it on that.
    pub fn kill(self) -> Result<Dead> {
        Ok(match self {
            Self::Startalk(process, conversation) => {
                process.kill()?;
                Dead::Startalk(conversation)
            }
            Self::Xmpp(mut peer) => {
                peer.kill()?;
                Dead::Xmpp(Box::new(peer))
            }
            Self::Limit(_) | Self::Mqtt(_) => bail!("it keeps nothing"),
        })
    }

    /// Its first processes.
    pub fn pids(&self) -> Vec<u32> {
        match self {
            Self::Startalk(process, _) | Self::Limit(process) => vec![process.pid()],
            Self::Xmpp(peer) | Self::Mqtt(peer) => peer.pids(),
        }
    }

    /// How to connect to it.
    pub fn server(&self) -> Result<Server> {
        match self {
            Self::Startalk(process, _) | Self::Limit(process) => process.server(),
            Self::Xmpp(peer) | Self::Mqtt(peer) => peer.server(),
        }
    }

    /// Accounts for these numbers, whose devices are away. A node was filled with them.
    pub async fn accounts(&self, numbers: std::ops::Range<usize>) -> Result<()> {
        let Self::Xmpp(peer) = self else { return Ok(()) };
        let server = peer.server()?;
        setup::for_each(numbers, |number| {
            let server = server.clone();
            async move {
                let mut client = xmpp::Client::connect(&server, DOMAIN, number).await?;
                client.register(&setup::name(number)).await
            }
        })
        .await
        .map(drop)
    }

    /// Pairs of people who write to each other, numbered from `first`, which is even. A node was filled with as many accounts.
    pub async fn pairs(&self, first: usize, count: usize) -> Result<Vec<Peer>> {
        let (at, numbers) = (self.server()?, first..first + 2 * count);
        match self {
            Self::Limit(process) => setup::limit_pairs(process, count).await,
            Self::Startalk(node, _) => {
                let domain = node.said("domain")?;
                setup::for_each(numbers, |number| {
                    let (at, to) = (at.clone(), address(number ^ 1, domain));
                    async move {
                        let mut client = setup::resume_and_sync(at, number).await?;
                        let conversation = client.open_conversation(&to).await?;
                        Ok(Peer::new(client, conversation, number, number ^ 1, true))
                    }
                })
                .await
            }
            Self::Xmpp(_) => {
                setup::for_each(numbers, |number| {
                    let at = at.clone();
                    async move {
                        let client = new_on_xmpp(&at, number).await?;
                        let line = client.in_pairs([address(number ^ 1, DOMAIN)]).await?;
                        let part = Part { audience: Some(1), ..Part::default() };
                        Ok(Peer::on(line, Script::plain(number), number, Authors::plain([number ^ 1]), part))
                    }
                })
                .await
            }
            Self::Mqtt(_) => {
                setup::for_each(numbers, |number| {
                    let at = at.clone();
                    async move {
                        let mut client = mqtt::Client::connect(&at, number).await?;
                        client.subscribe(&format!("to/{number}")).await?;
                        let line = client.speaking_to(&format!("to/{}", number ^ 1));
                        let part = Part { audience: Some(1), ..Part::default() };
                        Ok(Peer::on(line, Script::plain(number), number, Authors::plain([number ^ 1]), part))
                    }
                })
                .await
            }
        }
    }

    /// Members of one group, all connected, of whom the first ones speak. A node was filled with them.
    pub async fn crowd(&self, members: usize, senders: usize) -> Result<Vec<Peer>> {
        let at = self.server()?;
        let authors = Authors::plain(0..senders);
        let part = |number: usize, echoed| Part {
            audience: (number < senders).then_some(members as u64 - 1),
            echoed,
            ..Part::default()
        };
        match self {
            Self::Limit(process) => {
                Ok(group::crowd(setup::limit_clients(process, members).await?, senders, 150, Part::default()))
            }
            Self::Startalk(_, conversation) => {
                let mut clients = setup::for_each(0..members, |number| setup::resume_and_sync(at.clone(), number)).await?;
                let base = clients.first_mut().context("a group has members")?.history(*conversation, 0, 0, 1).await?.head;
                Ok(group::crowd(clients, senders, *conversation, Part { base, counts: true, ..Part::default() }))
            }
            Self::Xmpp(_) => {
                // Whoever comes first makes the room.
                let mut first = new_on_xmpp(&at, 0).await?;
                first.join(ROOM, &setup::name(0)).await?;
                first.open_room(ROOM).await?;
                let others = setup::for_each(1..members, |number| {
                    let at = at.clone();
                    async move {
                        let mut client = new_on_xmpp(&at, number).await?;
                        client.join(ROOM, &setup::name(number)).await?;
                        Ok(client)
                    }
                })
                .await?;
                let all = std::iter::once(first).chain(others).enumerate();
                Ok(all
                    .map(|(n, client)| Peer::on(client.in_room(ROOM), Script::plain(n), n, Arc::clone(&authors), part(n, true)))
                    .collect())
            }
            Self::Mqtt(_) => {
                setup::for_each(0..members, |number| {
                    let (at, authors, part) = (at.clone(), Arc::clone(&authors), part(number, false));
                    async move {
                        let mut client = mqtt::Client::connect(&at, number).await?;
                        client.subscribe(TOPIC).await?;
                        Ok(Peer::on(client.speaking_to(TOPIC), Script::plain(number), number, authors, part))
                    }
                })
                .await
            }
        }
    }
}

/// A person's address.
pub fn address(number: usize, domain: &str) -> String {
    format!("{}@{domain}", setup::name(number))
}

/// Somebody new on an XMPP server, signed in.
pub async fn new_on_xmpp(at: &Server, number: usize) -> Result<xmpp::Client> {
    let mut client = xmpp::Client::connect(at, DOMAIN, number).await?;
    client.register(&setup::name(number)).await?;
    client.sign_in(&setup::name(number)).await?;
    Ok(client)
}

/// Somebody who has an account there, signed in.
pub async fn back_on_xmpp(at: &Server, number: usize) -> Result<xmpp::Client> {
    let mut client = xmpp::Client::connect(at, DOMAIN, number).await?;
    client.sign_in(&setup::name(number)).await?;
    Ok(client)
}
