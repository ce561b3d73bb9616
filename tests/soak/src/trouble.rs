//! The troubles, one file each: each happens amid traffic, and says in one line what happened, or why it is a fault.

mod connections;
mod cut;
mod disk;
mod flood;
mod kill;
mod slow_client;

use rand::{RngExt as _, rngs::StdRng, seq::SliceRandom as _};

use crate::ground::Ground;
pub use kill::Victim;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A program is killed (SIGKILL) and started again.
    Kill(Victim),
    /// Nothing passes between the domains, and then it does.
    Cut,
    /// What passes between them is slow, and some is lost.
    SlowPeer,
    /// A node's disk is full, and then it is not.
    FullDisk,
    /// A client does not read what it is told.
    SlowClient,
    /// A person and a domain say as much as they can.
    Flood,
    /// Connections come and go, half of them in the middle of a handshake.
    Connections,
}

impl Trouble {
    /// As it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Cut => "cut",
            Self::SlowPeer => "slow peer",
            Self::FullDisk => "full disk",
            Self::SlowClient => "slow client",
            Self::Flood => "flood",
            Self::Connections => "connections",
        }
    }

    /// The names of all.
    pub const NAMES: [&'static str; 7] = ["kill", "cut", "slow peer", "full disk", "slow client", "flood", "connections"];

    /// What happens in a cycle, in an order by chance: each once. In the first one all three programs are killed; later one
    /// of them, so that the others grow old. Of `only`, unless that is empty.
    pub fn cycle(number: u64, only: &[String], random: &mut StdRng) -> Vec<Self> {
        let mut all = vec![Self::Cut, Self::SlowPeer, Self::FullDisk, Self::SlowClient, Self::Flood, Self::Connections];
        match number {
            1 => all.extend(Victim::ALL.map(Self::Kill)),
            _ => all.push(Self::Kill(Victim::ALL[random.random_range(0..Victim::ALL.len())])),
        }
        all.retain(|trouble| only.is_empty() || only.iter().any(|name| name == trouble.name()));
        all.shuffle(random);
        all
    }

    /// Lets it happen. What happened, in a line.
    ///
    /// # Errors
    /// The fault.
    pub async fn happen(self, ground: &mut Ground) -> anyhow::Result<String> {
        match self {
            Self::Kill(victim) => kill::happen(ground, victim).await,
            Self::Cut => cut::happen(ground).await,
            Self::SlowPeer => cut::slow(ground).await,
            Self::FullDisk => disk::happen(ground).await,
            Self::SlowClient => slow_client::happen(ground).await,
            Self::Flood => flood::happen(ground).await,
            Self::Connections => connections::happen(ground).await,
        }
    }
}
