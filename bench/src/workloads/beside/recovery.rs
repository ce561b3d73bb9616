//! A server is killed (SIGKILL) while everybody writes, and started again on what it has: how long until somebody is in, until
//! everybody is back and has read all there is, and how much of what it had acknowledged is gone.
//!
//! Two counts, both of what the server had acknowledged. Where there is an archive, whatever arrived before the kill: missing is
//! what is not in the archive of whom it was written to, and lost the part of it that is not in its author's archive either.
//! Where there is none, both are what did not arrive before the kill: nothing is delivered later, for `bench/peers.toml` lets
//! those servers keep no messages for people who are away. Every system is killed after the same number of acknowledgements, so
//! that there is as much to read for all.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Buf as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::sleep,
};

use super::{
    findings::Findings,
    system::{Dead, Running, System, address, back_on_xmpp, new_on_xmpp},
};
use crate::{
    client::Server,
    clock::Watch,
    load::Count,
    peer::{Authors, Line},
    peers::DOMAIN,
    report::Report,
    tally::Faults,
    text::Script,
    tongue::{Heard, Startalk},
    workloads::{Bench, reconnect::PAGE, setup},
};

/// How long the acknowledgements may take after which the server is killed.
const SPEAKING_WAIT: Duration = Duration::from_secs(300);
/// How often one looks, and tries to sign in.
const LOOK: Duration = Duration::from_millis(2);

/// Somebody who writes to a partner, and hears them, until the connection breaks.
struct Speaker {
    line: Line,
    script: Script,
    /// The partner alone.
    authors: Arc<Authors>,
    outstanding: usize,
    said: u64,
    /// The name by which the answer will speak of it, and its number.
    unanswered: VecDeque<(u64, u64)>,
    told: Told,
}

/// What somebody knows of the conversation when the server is dead.
#[derive(Default)]
struct Told {
    /// Numbers of own messages that the server has answered for.
    acknowledged: Vec<u64>,
    /// Numbers of the partner's that arrived.
    heard: BTreeSet<u64>,
}

/// What all look at.
#[derive(Default)]
struct Shared {
    acknowledged: Count,
    killed: AtomicBool,
}

/// What the archive of somebody has of the conversation.
#[derive(Default)]
struct Archive {
    /// Numbers of the partner's messages.
    partners: BTreeSet<u64>,
    /// Numbers of the own.
    own: BTreeSet<u64>,
}

impl Archive {
    /// Puts a message in; `authors`: the partner, and oneself.
    fn put(&mut self, authors: &Authors, content: &[u8]) {
        match authors.recognise(content) {
            Some((0, number, _)) => self.partners.insert(number),
            Some((_, number, _)) => self.own.insert(number),
            None => false,
        };
    }
}

/// How somebody comes back, and reads.
#[derive(Clone, Copy)]
enum Way {
    /// A node's conversation.
    Ours(u64),
    /// An XMPP server; whether it has an archive.
    Xmpp { archive: bool },
}

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report, findings: &mut Findings, system: &System) -> Result<()> {
    let settings = &bench.settings;
    let people = 2 * settings.pairs;
    let folder = format!("recovery-{}", system.name());
    let running = system.start(bench, &folder, people, 0, false)?;
    let (speakers, ways): (Vec<_>, Vec<_>) = speakers(bench, &running, system, people).await?.into_iter().unzip();

    let (shared, enough) = (Arc::new(Shared::default()), settings.unread.max(1) * people as u64);
    let mut tasks = JoinSet::new();
    for (number, speaker) in speakers.into_iter().enumerate() {
        let shared = shared.clone();
        tasks.spawn(
            async move { anyhow::Ok((number, speaker.speak(&shared).await.with_context(|| format!("client {number}"))?)) },
        );
    }
    let watch = Watch::start();
    while shared.acknowledged.get() < enough {
        if let Some(ended) = tasks.try_join_next() {
            bail!("client {} ended early", ended??.0);
        }
        ensure!(watch.elapsed() < SPEAKING_WAIT, "{} of {enough} acknowledged", shared.acknowledged.get());
        sleep(LOOK).await;
    }
    shared.killed.store(true, Ordering::Relaxed);
    let dead = running.kill()?;
    let mut told: Vec<Told> = (0..people).map(|_| Told::default()).collect();
    while let Some(one) = tasks.join_next().await {
        let (number, one) = one??;
        told[number] = one;
    }
    if settings.forget {
        ensure!(matches!(dead, Dead::Startalk(_)), "only a node's folder is all that it has");
        std::fs::remove_dir_all(bench.folder.path().join(&folder))?;
    }

    let watch = Arc::new(Watch::start());
    let running = dead.start_again(bench, &folder)?;
    let (listening, server) = (watch.elapsed(), running.server()?);
    let mut returning = JoinSet::new();
    for (number, way) in ways.iter().copied().enumerate() {
        let (server, watch, patience) = (server.clone(), watch.clone(), settings.patience);
        returning.spawn(async move { (number, come_back(way, &server, number, &watch, listening + patience).await) });
    }
    let (mut first, mut last, mut absent) = (None::<Duration>, Duration::ZERO, 0_u64);
    let mut archives: Vec<Archive> = (0..people).map(|_| Archive::default()).collect();
    while let Some(one) = returning.join_next().await {
        let (number, back) = one?;
        match back {
            Ok(Back { archive, signed_in, has_all }) => {
                first = first.into_iter().chain([signed_in]).min();
                last = last.max(has_all);
                archives[number] = archive;
            }
            Err(error) => {
                absent += 1;
                report.line(format!("  client {number} did not come back: {error:#}"));
            }
        }
    }
    let (mut acknowledged, mut missing, mut lost) = (0_u64, 0_u64, 0_u64);
    for number in 0..people {
        let (author, has_archive) = (number ^ 1, system.has_archive());
        for message in &told[author].acknowledged {
            let arrived = told[number].heard.contains(message);
            let is_there = if has_archive { archives[number].partners.contains(message) } else { arrived };
            acknowledged += 1;
            missing += u64::from(!is_there);
            lost += u64::from(!is_there && !archives[author].own.contains(message));
        }
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    report.line(format!(
        "recovery, {}: listens after {:.0} ms, somebody is in after {:.0} ms, {} of {people} are back and have everything after {:.0} ms; \
         of {acknowledged} acknowledged {missing} are missing, {lost} lost",
        system.name(),
        ms(listening),
        ms(first.unwrap_or_default()),
        people as u64 - absent,
        ms(last),
    ));
    // A peer may lose what it has acknowledged: that is what is measured of it. A node of ours may not.
    if matches!(system, System::Startalk) {
        report.faults(&Faults { lost: missing, ..Faults::default() });
    }
    if let Some(first) = first {
        findings.put("recovery", "ms", "ms", system, ms(first));
        findings.put("recovery", "everybody_ms", "ms", system, ms(last));
    }
    findings.put("recovery", "absent", "", system, absent as f64);
    findings.put("recovery", "acknowledged", "", system, acknowledged as f64);
    findings.put("recovery", "missing", "", system, missing as f64);
    findings.put("recovery", "lost", "", system, lost as f64);
    drop(running);
    bench.clear(&folder);
    Ok(())
}

/// Everybody, each writing to the one beside; and how they come back.
async fn speakers(bench: &Bench, running: &Running, system: &System, people: usize) -> Result<Vec<(Speaker, Way)>> {
    let (server, outstanding) = (running.server()?, bench.settings.outstanding);
    let domain = match running {
        Running::Startalk(node, _) => Some(node.said("domain")?.to_owned()),
        Running::Xmpp(_) => None,
        Running::Limit(_) | Running::Mqtt(_) => bail!("{} has no people", system.name()),
    };
    let archive = system.has_archive();
    setup::for_each(0..people, |number| {
        let (server, domain) = (server.clone(), domain.clone());
        async move {
            let partner = number ^ 1;
            let (line, script, authors, way) = if let Some(domain) = domain {
                let mut client = setup::resume_and_sync(server, number).await?;
                let conversation = client.open_conversation(&address(partner, &domain)).await?;
                let counter = client.counter;
                let (stream, input, id) = client.into_parts();
                let line = Line { stream, input, tongue: Box::new(Startalk::new(id, counter, vec![conversation])) };
                (line, Script::new(number), Authors::new([partner]), Way::Ours(conversation))
            } else {
                let line = new_on_xmpp(&server, number).await?.in_pairs([address(partner, DOMAIN)]).await?;
                (line, Script::plain(number), Authors::plain([partner]), Way::Xmpp { archive })
            };
            let (unanswered, told) = (VecDeque::new(), Told::default());
            Ok((Speaker { line, script, authors, outstanding, said: 0, unanswered, told }, way))
        }
    })
    .await
}

impl Speaker {
    /// Until the server is killed; an error if the connection breaks before, or if something is refused.
    async fn speak(mut self, shared: &Shared) -> Result<Told> {
        loop {
            if let Err(error) = self.turn(shared).await {
                return if shared.killed.load(Ordering::Relaxed) { Ok(self.told) } else { Err(error) };
            }
        }
    }

    /// Says what may be said, waits for something, hears it.
    async fn turn(&mut self, shared: &Shared) -> Result<()> {
        let mut out = Vec::new();
        while self.unanswered.len() < self.outstanding {
            let content = self.script.say(self.said, 0);
            let name = self.line.tongue.put(&mut out, 0, content);
            self.unanswered.push_back((name, self.said));
            self.said += 1;
        }
        if !out.is_empty() {
            self.line.tongue.end(&mut out);
        }
        self.hear(&mut out, shared)?;
        // What came with the end is read, whether or not anything can be written.
        let wrote = async {
            self.line.stream.write_all(&out).await?;
            self.line.stream.flush().await
        }
        .await;
        let read = self.line.stream.read_buf(&mut self.line.input).await;
        self.hear(&mut Vec::new(), shared)?;
        ensure!(read? > 0, "the server closed the connection");
        Ok(wrote?)
    }

    fn hear(&mut self, out: &mut Vec<u8>, shared: &Shared) -> Result<()> {
        while let Some((bytes, heard)) = self.line.tongue.take(&self.line.input, out)? {
            match heard {
                Heard::Sent { name, .. } => {
                    let at = self.unanswered.iter().position(|(n, _)| *n == name).context("an answer to nothing")?;
                    let answered = self.unanswered.remove(at).map(|(_, number)| number);
                    self.told.acknowledged.extend(answered);
                    shared.acknowledged.add(1);
                }
                Heard::SentUpTo(name) => {
                    while let Some((_, number)) = self.unanswered.pop_front_if(|(n, _)| *n <= name) {
                        self.told.acknowledged.push(number);
                        shared.acknowledged.add(1);
                    }
                }
                Heard::Message { content, .. } => self.told.heard.extend(self.authors.recognise(content).map(|(_, n, _)| n)),
                Heard::Other => {}
            }
            self.line.input.advance(bytes);
        }
        Ok(())
    }
}

/// Somebody who is back.
struct Back {
    /// Empty where there is none.
    archive: Archive,
    /// Since the server was started again.
    signed_in: Duration,
    /// The same, and everything was read.
    has_all: Duration,
}

/// Tries until it works, or until so long after the start.
async fn come_back(way: Way, server: &Server, number: usize, watch: &Watch, until: Duration) -> Result<Back> {
    loop {
        match come_back_once(way, server, number, watch).await {
            Ok(back) => return Ok(back),
            // Whose account is gone does not wait for it.
            Err(error) if watch.elapsed() > until || format!("{error:#}").contains("<not-authorized") => return Err(error),
            Err(_) => sleep(LOOK).await,
        }
    }
}

async fn come_back_once(way: Way, server: &Server, number: usize, watch: &Watch) -> Result<Back> {
    let (partner, mut found) = (number ^ 1, Archive::default());
    let signed_in = match way {
        Way::Ours(conversation) => {
            let mut client = setup::resume_and_sync(server.clone(), number).await?;
            let (signed_in, authors) = (watch.elapsed(), Authors::new([partner, number]));
            let mut before = 0;
            loop {
                let page = client.history(conversation, before, 0, PAGE).await?;
                page.messages.iter().for_each(|m| found.put(&authors, &m.content));
                match page.messages.first() {
                    Some(first) if first.sequence > 1 => before = first.sequence,
                    _ => break,
                }
            }
            signed_in
        }
        Way::Xmpp { archive } => {
            let mut client = back_on_xmpp(server, number).await?;
            let (signed_in, authors) = (watch.elapsed(), Authors::plain([partner, number]));
            let (with, most) = (address(partner, DOMAIN), usize::try_from(PAGE)?);
            let mut after = archive.then(|| "0".to_owned());
            while let Some(place) = after {
                let page = client.page(&with, Some(&place), None, most).await?;
                page.bodies.iter().for_each(|body| found.put(&authors, body));
                after = page.ends.map(|(_, last)| last).filter(|_| !page.complete);
            }
            signed_in
        }
    };
    Ok(Back { archive: found, signed_in, has_all: watch.elapsed() })
}
