//! A program is killed (SIGKILL) amid traffic and started again on the same folder and port.

use startalk_e2e::until;

use crate::{ground::Ground, relay::Way, trouble::cut::set, voice::Voice};

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Node a.
    A,
    /// Node b.
    B,
    /// The hub.
    Hub,
}

impl Victim {
    /// All three.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::Hub];
}

/// Messages under way between the domains, in both directions together, when they begin to arrive and something is killed: at
/// least.
const UNDER_WAY_MIN: u64 = 20;
/// Messages that arrive afterwards, of each voice between the domains.
const AFTERWARDS: u64 = 40;

pub(super) async fn happen(ground: &mut Ground, victim: Victim) -> anyhow::Result<String> {
    // Nodes that keep up have hardly ever so many under way: they wait before a way that is cut, and it is opened.
    set(ground, Way::Cut);
    let mut under_way = 0;
    until("messages under way", || {
        under_way = ground.voices.across.iter().map(Voice::under_way).sum();
        std::future::ready((under_way >= UNDER_WAY_MIN, under_way))
    })
    .await?;
    let arrived: Vec<u64> = ground.voices.across.iter().map(Voice::arrived).collect();
    set(ground, Way::Open);
    until("the first of them", || {
        let now: Vec<u64> = ground.voices.across.iter().map(Voice::arrived).collect();
        std::future::ready((now != arrived, now.iter().sum()))
    })
    .await?;
    let name = match victim {
        Victim::A => {
            ground.a.kill()?;
            ground.a.start()?;
            "node a"
        }
        Victim::B => {
            ground.b.kill()?;
            ground.b.start()?;
            "node b"
        }
        Victim::Hub => {
            ground.world.kill_hub()?;
            ground.world.start_hub()?;
            "the hub"
        }
    };
    more_arrive(&ground.voices.across, AFTERWARDS).await?;
    Ok(format!("{name} killed when the first of {under_way} messages arrived"))
}

/// Waits until so many more of each have arrived.
pub(super) async fn more_arrive(voices: &[Voice], more: u64) -> anyhow::Result<()> {
    for voice in voices {
        let enough = voice.arrived() + more;
        until("more messages", || std::future::ready((voice.arrived() >= enough, voice.arrived()))).await?;
    }
    Ok(())
}
