//! A domain that was away while much was said in a group elsewhere: from when it is back to when its replica has all of it.
//! Nobody is connected to it meanwhile but one client that asks how far it is; afterwards that client reads the whole
//! history there, and every message is checked.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tokio::time::{Duration, sleep};

use super::{Bench, group_domains, setup};
use crate::{
    client::Client,
    clock::Watch,
    load::{self, Length, Speed},
    peer::{Authors, Part, Peer},
    proc,
    report::Report,
    tally::{Faults, Seen},
};

/// Messages that the one who speaks has on the way.
const OUTSTANDING: usize = 64;
/// How often the follower is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);
/// How long it may stand still.
const STANDS_STILL: Duration = Duration::from_secs(120);
/// Messages of one page.
const PAGE: u32 = 200;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    let hub = bench.programs.start_hub(&bench.folder.path().join("hub.log"))?;
    let shared = group_domains::shared(bench, "follower", &hub, [2, 1]).await?;
    let group_domains::Shared { nodes: [home, other], clients: [at_home, at_other], conversations, base } = shared;
    drop(at_other);
    other.stop()?;

    let authors = Authors::new([0]);
    let part = |audience| Part { base, audience, counts: true, ..Part::default() };
    let peers = at_home.into_iter().enumerate();
    let peers = peers
        .map(|(n, client)| Peer::with(client, vec![conversations[0]], n, authors.clone(), part((n == 0).then_some(1))))
        .collect();
    let length = Length::Messages(settings.missed);
    let (peers, said) = load::run(peers, Speed::Outstanding(OUTSTANDING), length, settings.patience, &[home.pid()]).await?;
    report.run("said while the follower is away", &said);
    drop(peers);

    let at = ["--hub", hub.said("hub_url")?];
    let home_cpu = proc::cpu(home.pid())?;
    let watch = Watch::start();
    let other = bench.programs.start_node(&bench.folder.path().join("follower-other"), &at)?;
    let mut client = setup::resume(&other.server()?, 0).await?;
    let last = base + said.said;
    let (mut head, mut first, mut moved) = (0, None, Watch::start());
    while head < last {
        let now = client.history(conversations[1], 0, 0, 1).await?.head;
        if now > head {
            (head, moved) = (now, Watch::start());
        }
        if head > base && first.is_none() {
            first = Some((head, watch.elapsed()));
        }
        ensure!(moved.elapsed() < STANDS_STILL, "the follower stands still at {head} of {last}");
        if head < last {
            sleep(LOOK).await;
        }
    }
    let took = watch.elapsed();
    let cpu = [proc::cpu(home.pid())? - home_cpu, proc::cpu(other.pid())?];
    // What came before it was first looked at is left out of the speed: most of that is starting and finding the home.
    let (first_head, first_at) = first.context("nothing had to be caught up with")?;
    let moving = (took - first_at).as_secs_f64();
    let per_second = if moving > 0.0 { (last - first_head) as f64 / moving } else { 0.0 };
    let faults = check(&mut client, conversations[1], base, &authors, said.said).await?;
    let cpu_us = cpu.map(|c| c.as_secs_f64() * 1e6 / said.said.max(1) as f64);
    report.line(format!(
        "follower, away for {} messages: {:.2} s from its start, the first entries after {:.2} s, then {per_second:.0}/s; CPU for each {:.1} µs at home, {:.1} µs there",
        said.said,
        took.as_secs_f64(),
        first_at.as_secs_f64(),
        cpu_us[0],
        cpu_us[1],
    ));
    report.faults(&faults);
    report.put(
        "follower",
        json!({
            "missed": said.said, "seconds": took.as_secs_f64(), "first_seconds": first_at.as_secs_f64(), "per_second": per_second,
            "home_cpu_us": cpu_us[0], "follower_cpu_us": cpu_us[1], "faults": faults.json(),
        }),
    );
    drop(client);
    other.stop()?;
    home.stop()?;
    hub.stop()?;
    report.closing(format!(
        "follower missed={} seconds={:.2} per_second={per_second:.0} home_cpu_us={:.1} follower_cpu_us={:.1}",
        said.said,
        took.as_secs_f64(),
        cpu_us[0],
        cpu_us[1],
    ));
    Ok(())
}

/// Reads the whole replica after `base` and compares it with what was said.
async fn check(client: &mut Client, conversation: u64, base: u64, authors: &Authors, said: u64) -> Result<Faults> {
    let (mut faults, mut heard, mut sequences) = (Faults::default(), Seen::default(), Seen::default());
    let mut after = base;
    while after < base + said {
        let page = client.history(conversation, 0, after, PAGE).await?;
        for message in &page.messages {
            sequences.put(message.sequence.saturating_sub(base + 1));
            match authors.recognise(&message.content) {
                Some((_, number, _)) => heard.put(number),
                None => faults.foreign += 1,
            }
        }
        if page.last <= after {
            bail!("the history stands still after {after}");
        }
        after = page.last;
    }
    faults.lost = said.saturating_sub(heard.count());
    faults.doubled = heard.doubled + heard.count().saturating_sub(said);
    faults.out_of_order = heard.late + sequences.late;
    faults.sequence = sequences.gaps() + sequences.doubled + sequences.count().abs_diff(said);
    Ok(faults)
}
