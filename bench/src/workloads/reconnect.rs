//! Everybody comes back at once, as after a node was started again: thousands of clients connect in the same moment, resume
//! with their tokens, sync from where they were, and page what a sync leaves out, until each has all that it missed. Every
//! message is checked.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde_json::json;
use startalk_protocol::pb::client as pb;
use tokio::task::JoinSet;

use super::{Bench, setup};
use crate::{
    client::{Client, Server},
    clock::{self, Watch},
    load::{self, Length, Speed},
    peer::{Authors, Part, Peer},
    proc,
    report::{Report, mb},
    tally::{Faults, Seen, Times},
};

/// Messages that each who speaks has on the way.
pub const OUTSTANDING: usize = 64;
/// People who write to those who are away.
pub const WRITERS: usize = 10;
/// Messages of one page.
pub const PAGE: u32 = 200;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = &bench.settings;
    // Each of those who write has as many to write to.
    let (away, unread) = (settings.returning.max(1).next_multiple_of(WRITERS), settings.unread.max(1));
    let (node, _) = bench.populated_node("reconnect", WRITERS + away, 0, &[])?;
    let server = node.server()?;
    let cursors = setup::for_each(WRITERS..WRITERS + away, |number| was_here(server.clone(), number)).await?;
    let domain = node.said("domain")?.to_owned();
    let peers = writers(&server, &domain, away, unread).await?;
    let (outstanding, length) = (Speed::Outstanding(OUTSTANDING), Length::Messages(unread * away as u64));
    let (peers, said) = load::run(peers, outstanding, length, settings.patience, &[node.pid()]).await?;
    drop(peers);
    report.line(format!("said while everybody is away: {} in {:.2} s", said.said, said.seconds));
    report.faults(&said.faults);
    node.stop()?;

    let node = bench.programs.start_node(&bench.folder.path().join("reconnect"), &[])?;
    let server = node.server()?;
    let before = proc::memory(node.pid())?;
    let cpu_before = proc::cpu(node.pid())?;
    let watch = Watch::start();
    let mut returning = JoinSet::new();
    for (nth, cursor) in cursors.into_iter().enumerate() {
        returning.spawn(come_back(server.clone(), WRITERS + nth, nth % WRITERS, cursor, unread));
    }
    let (mut back, mut faults, mut micros) = (Vec::new(), Faults::default(), Vec::new());
    while let Some(one) = returning.join_next().await {
        let one = one??;
        faults.add(&one.faults);
        micros.push(one.micros);
        back.push(one.client);
    }
    let took = watch.elapsed().as_secs_f64();
    let cpu = proc::cpu(node.pid())? - cpu_before;
    let (with, peak) = (proc::memory(node.pid())?, proc::memory_peak(node.pid())?);
    let times = Times::of(micros);
    let cpu_ms = cpu.as_secs_f64() * 1000.0 / away.max(1) as f64;
    report.line(format!(
        "reconnection of {away} with {unread} unread each: {took:.2} s, {:.2} s CPU, {cpu_ms:.2} ms each",
        cpu.as_secs_f64()
    ));
    report.line(format!("  has everything  {times}"));
    report.line(format!(
        "  memory: {:.1} MB resident before, {:.1} at the most, {:.1} after",
        mb(before.rss),
        mb(peak),
        mb(with.rss)
    ));
    report.faults(&faults);
    report.put(
        "reconnect",
        json!({
            "clients": back.len(), "unread": unread, "seconds": took, "cpu_ms_each": cpu_ms, "times": times.json(),
            "rss_before": before.rss, "rss_peak": peak, "rss_after": with.rss, "faults": faults.json(),
        }),
    );
    drop(back);
    node.stop()?;
    report.closing(format!(
        "reconnect clients={away} unread={unread} seconds={took:.2} cpu_ms={cpu_ms:.2} peak_mb={:.0} p99_ms={:.0}",
        mb(peak),
        times.p99
    ));
    Ok(())
}

/// Somebody who has heard everything until now. Their cursor.
pub async fn was_here(server: Server, number: usize) -> Result<Bytes> {
    let pages = setup::resume(&server, number).await?.sync_from(Bytes::new()).await?;
    Ok(pages.last().context("a sync has a last page")?.cursor.clone())
}

/// Those who write to everybody who is away, one conversation after the other.
pub async fn writers(server: &Server, domain: &str, away: usize, unread: u64) -> Result<Vec<Peer>> {
    let ready = setup::for_each(0..WRITERS, |writer| {
        let (server, domain) = (server.clone(), domain.to_owned());
        async move {
            let mut client = setup::resume(&server, writer).await?;
            let mut conversations = Vec::new();
            for nth in (writer..away).step_by(WRITERS) {
                conversations.push(client.open_conversation(&format!("{}@{domain}", setup::name(WRITERS + nth))).await?);
            }
            // Nobody hears it now: all that is checked meanwhile is that it is acknowledged.
            let part = Part { audience: Some(0), ..Part::default() };
            Ok(Peer::with(client, conversations, writer, Authors::new([]), part).saying_to_each(unread))
        }
    });
    ready.await
}

/// A client that is back, and what it found.
pub struct Back {
    /// Connected.
    pub client: Client,
    /// What must not happen.
    pub faults: Faults,
    /// From connecting to having everything.
    pub micros: u32,
}

/// From connecting to having everything.
pub async fn come_back(server: Server, number: usize, writer: usize, cursor: Bytes, unread: u64) -> Result<Back> {
    let begun = clock::micros();
    let mut client = setup::resume(&server, number).await.with_context(|| format!("client {number}"))?;
    let pages = client.sync_from(cursor).await?;
    let mut messages: Vec<pb::Message> = Vec::new();
    let mut conversation = 0;
    for page in pages.into_iter().flat_map(|p| p.conversations) {
        conversation = page.conversation.map_or(conversation, |c| c.conversation);
        messages.extend(page.messages);
    }
    // A sync has the newest of each conversation; what is older is asked for.
    while (messages.len() as u64) < unread {
        let before = messages.first().context("a sync with the newest messages")?.sequence;
        let page = client.history(conversation, before, 0, PAGE).await?;
        if page.messages.is_empty() {
            break;
        }
        messages.splice(0..0, page.messages);
    }
    let micros = u32::try_from(clock::micros() - begun).unwrap_or(u32::MAX);
    Ok(Back { client, faults: check(&messages, writer, unread), micros })
}

/// One author's messages, all of them, in order. Numbers are the author's, to several people: each has a stretch.
fn check(messages: &[pb::Message], writer: usize, unread: u64) -> Faults {
    let mut faults = check_contents(messages.iter().map(|m| &m.content[..]), &Authors::new([writer]), unread);
    let mut sequences = Seen::default();
    messages.iter().for_each(|message| sequences.put(message.sequence.saturating_sub(1)));
    faults.out_of_order += sequences.late;
    faults.sequence += sequences.gaps() + sequences.count().abs_diff(unread);
    faults
}

/// The same, where the server counts nothing.
pub fn check_contents<'a>(contents: impl Iterator<Item = &'a [u8]>, authors: &Authors, unread: u64) -> Faults {
    let (mut heard, mut first, mut faults) = (Seen::default(), None, Faults::default());
    for content in contents {
        match authors.recognise(content) {
            Some((_, number, _)) => heard.put(number.saturating_sub(*first.get_or_insert(number))),
            None => faults.foreign += 1,
        }
    }
    faults.lost = unread.saturating_sub(heard.count());
    faults.doubled = heard.doubled + heard.count().saturating_sub(unread);
    faults.out_of_order = heard.late;
    faults.sequence = heard.gaps();
    faults
}
