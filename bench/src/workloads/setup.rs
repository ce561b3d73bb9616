//! People: made, signed in and paired before a load begins.

use std::{ops::Range, path::PathBuf};

use anyhow::Result;
use bytes::Bytes;
pub use startalk_load::people::{for_each, name, register};

use super::Bench;
use crate::{
    client::{Client, Server},
    limit,
    peer::Peer,
    programs::Process,
};

impl Bench {
    /// A new folder.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A node that anybody may register at.
    pub fn open_node(&self, name: &str, more: &[&str]) -> Result<Process> {
        self.programs.start_node(&self.folder.path().join(name), &[&["--registration", "open"], more].concat())
    }

    /// A node with accounts that are signed in by [`token`], and a group of the first of them; and the group's conversation.
    pub fn populated_node(&self, name: &str, accounts: usize, members: usize, more: &[&str]) -> Result<(Process, u64)> {
        let data = self.folder.path().join(name);
        self.programs.start_node(&data, &[])?.stop()?; // makes the keys, and begins the domain
        let group = self.programs.populate(&data, accounts, members)?;
        Ok((self.programs.start_node(&data, more)?, group))
    }
}

/// In which numbers connections come whose memory is looked at: what counts is what the last go adds. A part comes first, so that what a
/// server takes once is not counted; in two goes, because what an allocator has left of a server's start it may give back only when
/// there is something to do again (a node: 18 MB, with the first of the second go).
pub fn goes(count: usize) -> [Range<usize>; 3] {
    let first = count.div_ceil(5);
    [0..first / 2, first / 2..first, first..count]
}

/// The token of the only device of an account of [`Bench::populated_node`], as `populate` makes it.
pub fn token(number: usize) -> Bytes {
    format!("token of account {number:015}").into()
}

/// Account `number` of a populated node, signed in; it has heard nothing yet.
pub async fn resume(server: &Server, number: usize) -> Result<Client> {
    resume_as(server, number, number).await
}

/// As [`resume`]; and it has heard everything, and hears what happens.
pub async fn resume_and_sync(server: Server, number: usize) -> Result<Client> {
    let mut client = resume(&server, number).await?;
    client.sync().await?;
    Ok(client)
}

/// The `number`th client, signed in to this account of a populated node.
pub async fn resume_as(server: &Server, number: usize, account: usize) -> Result<Client> {
    let mut client = Client::connect(server, number).await?;
    client.hello("bench").await?;
    client.resume(token(account)).await?;
    Ok(client)
}

/// Pairs of new people: the first of each at the first server, the second at the second.
pub async fn pairs(servers: [&Process; 2], count: usize) -> Result<Vec<Peer>> {
    pairs_at([servers[0].server()?, servers[1].server()?], servers, count, 0).await
}

/// As [`pairs`], connected to the servers by these ways; `first`: the number of the first, as many as are there already.
pub async fn pairs_at(at: [Server; 2], servers: [&Process; 2], count: usize, first: usize) -> Result<Vec<Peer>> {
    let clients = for_each(first..first + 2 * count, |number| register(at[number % 2].clone(), number)).await?;
    let domains = [servers[0].said("domain")?.to_owned(), servers[1].said("domain")?.to_owned()];
    let mut peers = Vec::with_capacity(clients.len());
    for ((mut client, _), number) in clients.into_iter().zip(first..) {
        let partner = number ^ 1;
        // Both begin it, so that between two domains neither is a stranger to the other.
        let conversation = client.open_conversation(&format!("{}@{}", name(partner), domains[partner % 2])).await?;
        peers.push(Peer::new(client, conversation, number, partner, true));
    }
    Ok(peers)
}

/// The same number of connections to the limit.
pub async fn limit_pairs(server: &Process, count: usize) -> Result<Vec<Peer>> {
    let clients = limit_clients(server, 2 * count).await?;
    Ok(clients.into_iter().enumerate().map(|(number, client)| Peer::new(client, 150, number, number ^ 1, false)).collect())
}

/// Connections to the limit.
pub async fn limit_clients(server: &Process, count: usize) -> Result<Vec<Client>> {
    let at = server.server()?;
    let connect = |number| {
        let at = at.clone();
        async move {
            let mut client = Client::connect(&at, number).await?;
            client.hello(&format!("{}{number}", limit::CLIENT)).await?;
            Ok(client)
        }
    };
    for_each(0..count, connect).await
}
