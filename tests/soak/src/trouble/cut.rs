//! Nothing passes between the domains, or little: what is said meanwhile waits at its node, acknowledged.

use std::sync::atomic::Ordering;

use anyhow::ensure;
use startalk_e2e::until;

use crate::{
    ground::Ground,
    relay::{Relay, Way},
    trouble::kill::more_arrive,
};

/// Messages of the bystander while nothing passes.
const MEANWHILE: u64 = 25;
/// Messages of each voice over the slow way.
const SLOWLY: u64 = 40;

pub(super) async fn happen(ground: &mut Ground) -> anyhow::Result<String> {
    set(ground, Way::Cut);
    let voice = &ground.voices.bystander_across;
    let before = voice.arrived();
    voice.from.say_many(&voice.to.user, MEANWHILE).await?;
    until("what is said meanwhile to be acknowledged", || std::future::ready((voice.unanswered() == 0, voice.unanswered())))
        .await?;
    ensure!(voice.arrived() == before, "{} messages came through a way that is cut", voice.arrived() - before);
    set(ground, Way::Open);
    more_arrive(&ground.voices.across, 1).await?;
    all_of(ground).await?;
    let dropped: u64 = ground.relays.iter().map(dropped).sum();
    Ok(format!(
        "{MEANWHILE} messages acknowledged at home meanwhile, and here when it was healed; {dropped} datagrams and connections dropped so far"
    ))
}

pub(super) async fn slow(ground: &mut Ground) -> anyhow::Result<String> {
    let before: u64 = ground.relays.iter().map(dropped).sum();
    set(ground, Way::Slow);
    let done = more_arrive(&ground.voices.across, SLOWLY).await;
    set(ground, Way::Open);
    done?;
    let lost = ground.relays.iter().map(dropped).sum::<u64>() - before;
    Ok(format!("{SLOWLY} messages of each voice arrived over it; {lost} datagrams lost"))
}

async fn all_of(ground: &Ground) -> anyhow::Result<()> {
    let voice = &ground.voices.bystander_across;
    until("what was said meanwhile", || std::future::ready((voice.under_way() == 0, voice.arrived()))).await
}

/// Both ways between the domains are like this from now on.
pub(super) fn set(ground: &Ground, way: Way) {
    ground.relays.iter().for_each(|relay| relay.set(way));
}

fn dropped(relay: &Relay) -> u64 {
    relay.dropped.load(Ordering::Relaxed)
}
