//! A group of Mallory's that somebody of the node follows: the home keeps its log as it must be, and tells of it what a case
//! wants.
//!
//! Invariant: what the node asks for shows where its replica stands, so that a lie is known to be refused without waiting.

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use prost::Message as _;
use startalk_hostile::{
    Line, Mallory, Over,
    groups::{Log, invites, submission_hash},
};
use startalk_protocol::pb::{
    client::{self, client_frame::Frame as Tell, server_frame::Frame as Told},
    group::{self, Answer, Ask, Range, answer, ask},
    link::{self as pb, answer::Answer as Reply, frame::Frame as Kind, item::Kind as ItemKind},
    trust::{Record, SignedRecord},
};

use crate::{Ground, device::Device};

/// What is waited for.
pub enum Goal<'a> {
    /// How the node's member stands in the group.
    Standing(&'a str),
    /// They read this.
    Reads(&'a str),
}

/// The group.
pub struct Away {
    /// The member, number 2 when in.
    pub device: Device,
    /// The link to the node.
    pub line: Line,
    /// As the home has it.
    pub log: Log,
    /// The group at the node.
    pub conversation: u64,
    /// A question of the node's about the log that has no answer yet.
    open: Option<u64>,
}

/// A link on which both know groups.
///
/// # Errors
/// If the node does not.
pub async fn knows_groups(g: &Ground, mallory: Mallory) -> anyhow::Result<Line> {
    let hello = pb::Hello { features: vec!["groups".to_owned()], ..mallory.hello(&g.domain, mallory.record_now()) };
    let mut line = mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?;
    ensure!(line.hello.features.iter().any(|f| f == "groups"), "the node knows no groups");
    line.groups = true;
    Ok(line)
}

impl Away {
    /// Somebody of the node was invited and has said yes; the home has not heard of it yet.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn invited(g: &Ground) -> anyhow::Result<Self> {
        let mut away = Self::unknown(g).await?;
        let inviter = format!("owner@{}", away.line.mallory.domain);
        let invitation = invites(&away.log.group, away.device.name(), &away.log.group, &inviter);
        ensure!(away.line.give(invitation).await?.is_empty(), "an invitation is refused");
        let counter = away.device.number();
        let accept = client::DecideGroupInvitation { counter, group: away.log.group.clone(), accept: true };
        away.device.done(Tell::DecideGroupInvitation(accept)).await?;
        Ok(away)
    }

    /// There is a group, and nobody of the node knows it.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn unknown(g: &Ground) -> anyhow::Result<Self> {
        let line = knows_groups(g, Mallory::stranger()).await?;
        let mut log = Log::begin(&line.mallory, "owner");
        let record = Record::decode(SignedRecord::decode(line.hello.record.clone())?.record)?;
        log.charters.push(record.charter);
        Ok(Self { device: Device::new(g).await?, line, log, conversation: 0, open: None })
    }

    /// Somebody of the node is in.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn new(g: &Ground) -> anyhow::Result<Self> {
        let mut away = Self::invited(g).await?;
        away.comes_in().await?;
        Ok(away)
    }

    /// The home records that they join.
    ///
    /// # Errors
    /// If they do not.
    pub async fn comes_in(&mut self) -> anyhow::Result<()> {
        let joins = self.submission().await?;
        self.record(&joins, 2)?;
        self.line.acknowledge().await;
        self.until(Goal::Standing("member")).await.context("the joining")
    }

    /// Where the log ends.
    pub fn end(&self) -> u64 {
        self.log.entries.len() as u64
    }

    /// The next submission of the node's people.
    ///
    /// # Errors
    /// If there is none.
    pub async fn submission(&mut self) -> anyhow::Result<pb::GroupSubmission> {
        loop {
            if let (_, pb::Item { kind: Some(ItemKind::GroupSubmission(submission)), .. }) = self.line.item().await? {
                return Ok(submission);
            }
        }
    }

    /// Records it, with the node's signature.
    ///
    /// # Errors
    /// If the node has not signed it.
    pub fn record(&mut self, submission: &pb::GroupSubmission, member: u64) -> anyhow::Result<()> {
        let hash = submission_hash(&submission.group, &submission.submission, &submission.written);
        let proof = self.line.proofs.iter().find(|p| p.hashes.iter().any(|h| h[..] == hash)).cloned();
        self.log.record(submission, member, proof.context("a submission that its domain did not sign")?);
        Ok(())
    }

    /// The member says something: the answer of the node.
    ///
    /// # Errors
    /// If there is none.
    pub async fn says(&mut self, words: &str) -> anyhow::Result<Told> {
        let (conversation, counter) = (self.conversation, self.device.number());
        let content = startalk_hostile::items::text(words);
        self.device.ask(Tell::Send(client::Send { conversation, counter, content, ..client::Send::default() })).await
    }

    /// A range after what the node has, of a log that is spoiled and then goes on with words that must not be read.
    pub fn lie(&self, spoil: impl FnOnce(&mut Log)) -> Range {
        let mut log = self.log.clone();
        spoil(&mut log);
        log.owner_says("a lie");
        log.range(&self.line.mallory, self.end())
    }

    /// The next question about this group.
    ///
    /// # Errors
    /// If there is none.
    pub async fn asked(&mut self) -> anyhow::Result<(u64, ask::Ask)> {
        loop {
            if let Some(pb::Ask { id, what }) = self.line.asks.pop_front() {
                let Ask { group, ask } = Ask::decode(what)?;
                ensure!(group == self.log.group, "a question about the group {group:?}");
                return Ok((id, ask.context("a question of nothing")?));
            }
            self.line.pump().await?;
        }
    }

    /// The node asks for what comes after this: its replica stands there.
    async fn follows(&mut self, what: &str, here: u64) -> anyhow::Result<u64> {
        if let Some(id) = self.open {
            return Ok(id);
        }
        self.hint().await;
        match self.asked().await? {
            (id, ask::Ask::Follow(follow)) if follow.after == here => {
                self.open = Some(id);
                Ok(id)
            }
            (_, other) => bail!("{what}: expected to be asked for what comes after {here}, heard {other:?}"),
        }
    }

    /// Answers the question to begin with this.
    ///
    /// # Errors
    /// If it is not asked.
    pub async fn begins_with(&mut self, beginning: group::Beginning) -> anyhow::Result<()> {
        self.hint().await;
        let (id, ask::Ask::Begin(_)) = self.asked().await? else { bail!("expected to be asked to begin") };
        self.reply(id, Reply::What(Answer { answer: Some(answer::Answer::Beginning(beginning)) }.encode_to_vec().into())).await;
        Ok(())
    }

    /// Answers with this, which the node must not take.
    ///
    /// # Errors
    /// If it does, or closes the link.
    pub async fn refuses(&mut self, what: &str, range: Range) -> anyhow::Result<()> {
        self.refuses_from(self.end(), what, range).await
    }

    /// The same of a replica that stands here.
    ///
    /// # Errors
    /// If it does, or closes the link.
    pub async fn refuses_from(&mut self, here: u64, what: &str, range: Range) -> anyhow::Result<()> {
        let answer = Answer { answer: Some(answer::Answer::Range(range)) };
        self.is_refused(here, what, Reply::What(answer.encode_to_vec().into())).await
    }

    /// The same with any answer.
    ///
    /// # Errors
    /// If it does, or closes the link.
    pub async fn refuses_answer(&mut self, what: &str, reply: Reply) -> anyhow::Result<()> {
        self.is_refused(self.end(), what, reply).await
    }

    async fn is_refused(&mut self, here: u64, what: &str, reply: Reply) -> anyhow::Result<()> {
        let id = self.follows(what, here).await?;
        self.reply(id, reply).await;
        self.open = None;
        self.follows(what, here).await.with_context(|| format!("{what}: must not be taken"))?;
        Ok(())
    }

    /// Answers with this, which the node must take; the log is then as it says.
    ///
    /// # Errors
    /// If it does not.
    pub async fn takes(&mut self, what: &str, log: Log) -> anyhow::Result<()> {
        let id = self.follows(what, self.end()).await?;
        let range = log.range(&self.line.mallory, self.end());
        self.log = log;
        self.reply(id, Reply::What(Answer { answer: Some(answer::Answer::Range(range)) }.encode_to_vec().into())).await;
        self.open = None;
        self.follows(what, self.end()).await.with_context(|| format!("{what}: must be taken"))?;
        Ok(())
    }

    /// Answers with this what the node asks next, whatever becomes of it.
    ///
    /// # Errors
    /// If it does not ask.
    pub async fn tells(&mut self, range: Range) -> anyhow::Result<()> {
        let id = self.follows("the next question", self.end()).await?;
        self.open = None;
        self.reply(id, Reply::What(Answer { answer: Some(answer::Answer::Range(range)) }.encode_to_vec().into())).await;
        Ok(())
    }

    /// Says an answer.
    pub async fn reply(&mut self, id: u64, answer: Reply) {
        self.line.connection.say(Kind::Answer(pb::Answer { id, answer: Some(answer) })).await;
    }

    /// Answers what the node asks as it must be, and tells it what is new, until it is so.
    ///
    /// # Errors
    /// If the node closes the link.
    pub async fn until(&mut self, goal: Goal<'_>) -> anyhow::Result<()> {
        loop {
            self.line.lives().await?;
            // What was left open came before the log grew: nothing is known, and it asks again.
            if let Some(id) = self.open.take() {
                self.reply(id, Reply::Error(pb::Error { code: "slow-down".to_owned(), ..pb::Error::default() })).await;
            }
            while let Some(asked) = self.line.asks.pop_front() {
                // About another group nothing is said.
                if let Some(answer) = self.log.answer(&self.line.mallory, &asked.what) {
                    self.reply(asked.id, Reply::What(answer.encode_to_vec().into())).await;
                }
            }
            if self.is_there(&goal).await? {
                return Ok(());
            }
            self.hint().await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    async fn is_there(&mut self, goal: &Goal<'_>) -> anyhow::Result<bool> {
        match goal {
            Goal::Standing(standing) => {
                let there = self.device.group(&self.log.group).await?;
                self.conversation = there.as_ref().map_or(0, |c| c.conversation);
                Ok(there.and_then(|c| c.group).is_some_and(|g| g.standing == *standing))
            }
            Goal::Reads(words) => Ok(self.words().await?.iter().any(|w| w == words)),
        }
    }

    /// What the member reads.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn words(&mut self) -> anyhow::Result<Vec<String>> {
        self.device.words(self.conversation).await
    }

    /// Tells that the log has grown.
    pub async fn hint(&mut self) {
        let hint = group::note::Note::Hint(group::Hint { sequence: self.end() + 1 });
        let note = group::Note { group: self.log.group.clone(), note: Some(hint) };
        self.line.connection.say(Kind::Note(pb::Note { what: note.encode_to_vec().into() })).await;
    }

    /// Tells a range as news.
    pub async fn news(&mut self, range: Range) {
        let note = self.log.news(range);
        self.line.connection.say(Kind::Note(note)).await;
    }

    /// Waits until these words are read.
    ///
    /// # Errors
    /// If the node closes the link.
    pub async fn reads(&mut self, words: &str) -> anyhow::Result<()> {
        self.until(Goal::Reads(words)).await
    }

    /// How many own messages wait for the home.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn waiting(&mut self) -> anyhow::Result<usize> {
        let conversation = self.conversation;
        let Told::SyncPage(page) = self.device.done(Tell::Sync(client::Sync { cursor: Bytes::new() })).await? else {
            bail!("expected a page of a sync")
        };
        let here = |c: &&client::ConversationPage| c.conversation.as_ref().is_some_and(|c| c.conversation == conversation);
        Ok(page.conversations.iter().find(here).map_or(0, |c| c.waiting.len()))
    }
}
