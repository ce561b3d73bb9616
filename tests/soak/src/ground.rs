//! Where it happens: a hub, two nodes with a relay before each, the people, and a domain that keeps to no rule.
//!
//! Clients go to the nodes themselves, links through the relays.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use startalk_e2e::{Node, Person, SmallDisk, World, person::PASSWORD, until};
use startalk_hostile::Mallory;

use crate::{
    device::{Device, Kept},
    relay::Relay,
    sample::{History, Sample},
    voice::Voice,
};

/// Devices with which one person floods.
const FLOOD_DEVICES: usize = 4;
/// Bytes of the small disk: 64 MiB above the reserve of 256 MiB, for the journal's first segment and the views.
const DISK_BYTES: u64 = 352 << 20;
/// Bytes more of it for each minute.
const DISK_BYTES_PER_MINUTE: u64 = 16 << 20;

/// What a run is made of.
pub struct Ground {
    /// The hub, the programs, the folder.
    pub world: World,
    /// Where everybody but bob is.
    pub a: Node,
    /// Where bob is.
    pub b: Node,
    /// Before a and b.
    pub relays: [Relay; 2],
    /// Where b is, if one could be made.
    pub disk: Option<SmallDisk>,
    /// Why there is none.
    pub no_disk: String,
    /// Everybody who says something.
    pub voices: Voices,
    /// Devices of somebody who floods.
    pub flooders: Vec<Kept>,
    /// A second device of carol's, which is slow.
    pub slow: Kept,
    /// The domain that floods.
    pub mallory: Mallory,
    /// What a, b and the hub hold.
    pub histories: [History; 3],
}

/// Who says something.
pub struct Voices {
    /// alice at a and bob at b, to each other, all the time.
    pub across: [Voice; 2],
    /// carol and dave, both at a, to each other, all the time.
    pub within: [Voice; 2],
    /// eve at a to bob: only what she is told to.
    pub bystander_across: Voice,
    /// fred at a to carol: only what he is told to.
    pub bystander_within: Voice,
}

impl Voices {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Voice> {
        self.across.iter().chain(&self.within).chain([&self.bystander_across, &self.bystander_within])
    }

    /// Both bystanders.
    pub fn bystanders(&self) -> [&Voice; 2] {
        [&self.bystander_across, &self.bystander_within]
    }
}

impl Ground {
    /// Starts everything and lets everybody in; when it returns, everybody has been heard once.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn new(binaries: Option<PathBuf>, minutes: u64) -> anyhow::Result<Self> {
        let world = match binaries {
            Some(folder) => World::with(folder)?,
            None => World::new()?,
        };
        let relays = [Relay::open().await?, Relay::open().await?];
        let (disk, no_disk) = match SmallDisk::new(&world.folder.join("small"), DISK_BYTES + minutes * DISK_BYTES_PER_MINUTE) {
            Ok(disk) => (Some(disk), String::new()),
            Err(why) => (None, why),
        };
        let (mut a, mut b) = (node(&world, "a", &relays[0]), node(&world, "b", &relays[1]));
        if let Some(disk) = &disk {
            b.data = disk.path.join("b");
        }
        for (node, relay) in [(&mut a, &relays[0]), (&mut b, &relays[1])] {
            node.start()?;
            relay.lead_to(u16::try_from(node.port)?);
        }
        let bob = Arc::new(Person::register(&b.first_link, "bob").await?);
        let alice = Arc::new(Person::register(&a.first_link, "alice").await?);
        let [carol, dave, eve, fred] =
            [enter(&a, "carol").await?, enter(&a, "dave").await?, enter(&a, "eve").await?, enter(&a, "fred").await?];
        // Those who only have raw devices.
        drop((enter(&a, "flo").await?, enter(&a, "sink").await?));
        let port = u16::try_from(a.port)?;
        let mut flooders = Vec::new();
        for _ in 0..FLOOD_DEVICES {
            flooders.push(Device::sign_in(port, "flo", PASSWORD).await?);
        }
        let voices = Voices {
            across: [Voice::talking(&alice, &bob), Voice::talking(&bob, &alice)],
            within: [Voice::talking(&carol, &dave), Voice::talking(&dave, &carol)],
            bystander_across: Voice::quiet(&eve, &bob),
            bystander_within: Voice::quiet(&fred, &carol),
        };
        for voice in voices.bystanders() {
            voice.from.say(&voice.to.user).await?;
        }
        for voice in voices.all() {
            until("everybody to be heard once", || std::future::ready((voice.arrived() > 0, voice.arrived()))).await?;
        }
        let mut slow = Device::sign_in(port, "carol", PASSWORD).await?;
        Device::resume(&slow, None).await?.sync(&mut slow).await?;
        let histories = [History::new("node a"), History::new("node b"), History::new("hub")];
        let mallory = Mallory::stranger();
        Ok(Self { world, a, b, relays, disk, no_disk, voices, flooders, slow, mallory, histories })
    }

    /// The three processes.
    pub fn processes(&mut self) -> [u32; 3] {
        [self.a.process().id(), self.b.process().id(), self.world.hub_process()]
    }

    /// Samples the three; to be called when things are quiet.
    ///
    /// # Errors
    /// If one of them is gone.
    pub fn sample(&mut self) -> anyhow::Result<[Sample; 3]> {
        let [a, b, hub] = self.processes();
        Ok([Sample::of(a)?, Sample::of(b)?, Sample::of(hub)?])
    }
}

fn node(world: &World, name: &str, relay: &Relay) -> Node {
    let public = format!("127.0.0.1:{}", relay.port);
    let mut node = world.unstarted(name, &["--hub", &world.hub_url, "--allow-private-addresses", "--public", &public]);
    // Whom the gateway cuts is said there.
    node.environment.push(("STARTALK_LOG".to_owned(), "info,startalk_gateway=debug".to_owned()));
    node
}

async fn enter(node: &Node, name: &str) -> anyhow::Result<Arc<Person>> {
    let invitation = node.ask(&["invite"])?;
    let link = invitation["link"].as_str().context("a link")?;
    // The link leads people through the relay; these come to the node itself.
    let secret = link.rsplit('/').next().context("a secret")?;
    let link = format!("http://127.0.0.1:{}/join/{secret}", node.port);
    Ok(Arc::new(Person::register(&link, name).await?))
}
