//! A link that both sides hold for good, from Mallory's side: numbers and signs what is sent, and checks what the node
//! sends: whose key, which signature, which number.
//!
//! Answers pings by itself; acknowledges only what it is told to.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use prost::Message as _;
use startalk_link::{Position, batch::signed_bytes};
use startalk_protocol::{
    DomainName,
    pb::{
        group::Proof,
        link::{self as pb, entry::Entry as WireKind, frame::Frame as Kind},
        trust::{Charter, Record, SignedCharter, SignedRecord},
    },
    signing::{PublicKey, Purpose},
};

use crate::{
    Address, Connection, Mallory, Over,
    connection::{name, within_limits},
    groups::submissions_bytes,
    mallory::hash_of,
};

/// One link.
pub struct Line {
    /// To say what is not foreseen here.
    pub connection: Connection,
    /// Whose it is; its positions move with what goes over the link.
    pub mallory: Mallory,
    /// The node's domain.
    pub node: DomainName,
    /// The node's hello.
    pub hello: pb::Hello,
    /// After the last entry heard of the node.
    pub theirs: Position,
    /// Entries heard and not asked for yet, each with its number.
    pub heard: VecDeque<(u64, WireKind)>,
    /// The node has acknowledged so much.
    pub acked: u64,
    /// The node has refused these.
    pub refused: BTreeMap<u64, pb::Error>,
    /// An ack went past a refusal that was told only later.
    pub overtaken: bool,
    /// Pings and pongs heard, in order: (is a ping, nonce).
    pub beats: Vec<(bool, u64)>,
    /// Ephemerals heard.
    pub ephemerals: Vec<pb::Ephemeral>,
    /// Questions heard.
    pub asks: VecDeque<pb::Ask>,
    /// Answers heard, by the number of the question.
    pub answers: BTreeMap<u64, pb::answer::Answer>,
    /// Notes heard.
    pub notes: Vec<Bytes>,
    /// Whether this side said that it knows groups.
    pub groups: bool,
    /// What the node signed of its submissions to groups.
    pub proofs: Vec<Proof>,
    keys: Vec<Bytes>,
}

impl Mallory {
    /// Dials, says hello and hears the node's.
    ///
    /// # Errors
    /// If the node says something else.
    pub async fn link(self, over: Over, address: &Address, node: &DomainName) -> anyhow::Result<Line> {
        let hello = self.hello(node, self.record_now());
        self.link_with(over, address, node, hello).await
    }

    /// The same with this hello.
    ///
    /// # Errors
    /// If the node says something else than a hello.
    pub async fn link_with(self, over: Over, address: &Address, node: &DomainName, hello: pb::Hello) -> anyhow::Result<Line> {
        let mut connection = Connection::dial(over, address, node, &self.link).await?;
        connection.say(Kind::Hello(hello)).await;
        let hello = connection.welcomed().await?;
        Line::opened(connection, self, node.clone(), hello)
    }
}

impl Line {
    /// After both hellos.
    ///
    /// # Errors
    /// If the node's hello is not as it should be.
    pub fn opened(connection: Connection, mallory: Mallory, node: DomainName, hello: pb::Hello) -> anyhow::Result<Self> {
        ensure!(hello.from == node.as_str() && hello.to == mallory.domain.as_str(), "the node's hello is between others");
        ensure!(hello.instance.len() == 16, "an instance of {} bytes", hello.instance.len());
        let keys = keys_of(&hello.record).context("the node's record")?;
        let sent = hello.sent.as_ref().context("the node does not say where its outbox ends")?;
        let epoch: [u8; 16] = sent.epoch.as_ref().try_into().context("the node's epoch")?;
        let theirs = mallory.received.filter(|r| r.epoch == epoch).unwrap_or(Position::start(epoch));
        Ok(Self {
            connection,
            mallory,
            node,
            hello,
            theirs,
            heard: VecDeque::new(),
            acked: 0,
            refused: BTreeMap::new(),
            overtaken: false,
            beats: Vec::new(),
            ephemerals: Vec::new(),
            asks: VecDeque::new(),
            answers: BTreeMap::new(),
            notes: Vec::new(),
            groups: false,
            proofs: Vec::new(),
            keys,
        })
    }

    /// Sends items in one batch; they are in Mallory's outbox from now on. Returns the number of the last.
    pub async fn send(&mut self, items: &[Bytes]) -> u64 {
        self.send_entries(items.iter().cloned().map(WireKind::Item).collect()).await
    }

    /// Sends entries in one batch.
    pub async fn send_entries(&mut self, entries: Vec<WireKind>) -> u64 {
        let batch = self.mallory.batch_of(&self.node, self.mallory.sent.sequence + 1, entries.clone());
        for entry in &entries {
            self.mallory.sent = self.mallory.sent.after(&hash_of(entry));
        }
        self.connection.say(Kind::Batch(batch)).await;
        self.mallory.sent.sequence
    }

    /// Sends items, in as many batches as it needs, and waits until they are acknowledged. What was refused of them, by
    /// index.
    ///
    /// # Errors
    /// If the node closes the link.
    pub async fn deliver(&mut self, items: &[Bytes]) -> anyhow::Result<BTreeMap<usize, String>> {
        let first = self.mallory.sent.sequence + 1;
        for chunk in items.chunks(64) {
            self.send(chunk).await;
        }
        let last = self.mallory.sent.sequence;
        while self.acked < last {
            self.pump().await?;
        }
        let index = |sequence: &u64| usize::try_from(sequence - first).unwrap_or(usize::MAX);
        Ok(self.refused.range(first..=last).map(|(sequence, error)| (index(sequence), error.code.clone())).collect())
    }

    /// Asks something, and hears the answer.
    ///
    /// # Errors
    /// If the node closes the link instead.
    pub async fn ask(&mut self, id: u64, what: Bytes) -> anyhow::Result<pb::answer::Answer> {
        self.connection.say(Kind::Ask(pb::Ask { id, what })).await;
        loop {
            if let Some(answer) = self.answers.get(&id) {
                return Ok(answer.clone());
            }
            self.pump().await?;
        }
    }

    /// Sends submissions to groups in one batch, with this signature beside it, and waits until they are acknowledged.
    /// The code with which each is refused; empty: it is not.
    ///
    /// # Errors
    /// If the node closes the link.
    pub async fn submit(&mut self, items: &[Bytes], submissions: Option<pb::Submissions>) -> anyhow::Result<Vec<String>> {
        let first = self.mallory.sent.sequence + 1;
        let batch = pb::Batch { submissions, ..self.mallory.batch(&self.node, first, items) };
        items.iter().for_each(|item| self.mallory.wrote(item));
        self.connection.say(Kind::Batch(batch)).await;
        let last = self.mallory.sent.sequence;
        while self.acked < last {
            self.pump().await?;
        }
        Ok((first..=last).map(|n| self.refused.get(&n).map_or_else(String::new, |e| e.code.clone())).collect())
    }

    /// What becomes of one item: empty, or the code with which it is refused.
    ///
    /// # Errors
    /// If the node closes the link.
    pub async fn give(&mut self, item: Bytes) -> anyhow::Result<String> {
        Ok(self.deliver(&[item]).await?.remove(&0).unwrap_or_default())
    }

    /// The next item of the node, with its number.
    ///
    /// # Errors
    /// If the node closes the link, or it is none.
    pub async fn item(&mut self) -> anyhow::Result<(u64, pb::Item)> {
        loop {
            match self.heard.pop_front() {
                Some((sequence, WireKind::Item(bytes))) => return Ok((sequence, pb::Item::decode(bytes)?)),
                Some((_, WireKind::Withheld(_))) => {}
                None => self.pump().await?,
            }
        }
    }

    /// Acknowledges everything heard.
    pub async fn acknowledge(&mut self) {
        self.acknowledge_with(Vec::new()).await;
    }

    /// Acknowledges everything heard, with refusals.
    pub async fn acknowledge_with(&mut self, refused: Vec<pb::Refused>) {
        let ack = pb::Ack { epoch: self.theirs.epoch.to_vec().into(), sequence: self.theirs.sequence, refused };
        self.mallory.received = Some(self.theirs);
        self.connection.say(Kind::Ack(ack)).await;
    }

    /// Asks whether the link is open, and hears that it is.
    ///
    /// # Errors
    /// If the node closes it instead.
    pub async fn lives(&mut self) -> anyhow::Result<()> {
        let nonce = u64::from_be_bytes(crate::mallory::random());
        self.connection.say(Kind::Ping(pb::Ping { nonce })).await;
        while !self.beats.contains(&(false, nonce)) {
            self.pump().await?;
        }
        Ok(())
    }

    /// The error with which the node closes the link.
    ///
    /// # Errors
    /// If it does not.
    pub async fn closed(&mut self) -> anyhow::Result<pb::Error> {
        self.connection.closed().await
    }

    /// Goes away without a word; what was sent and acknowledged stays so.
    pub fn leave(self) -> Mallory {
        self.connection.vanish();
        self.mallory
    }

    /// Hears one frame.
    ///
    /// # Errors
    /// If it is a close, there is none any more, or it is not as it must be.
    pub async fn pump(&mut self) -> anyhow::Result<()> {
        match self.connection.hear().await?.context("the node closed the connection without a word")? {
            Kind::Batch(batch) => self.take(batch)?,
            Kind::Ack(ack) => self.take_ack(ack)?,
            Kind::Ephemeral(ephemeral) => self.ephemerals.push(ephemeral),
            Kind::Ping(pb::Ping { nonce }) => {
                self.beats.push((true, nonce));
                self.connection.say(Kind::Pong(pb::Pong { nonce })).await;
            }
            Kind::Pong(pong) => self.beats.push((false, pong.nonce)),
            Kind::Close(close) => anyhow::bail!("the node closed the link: {:?}", close.error.unwrap_or_default()),
            Kind::Ask(ask) if self.groups => self.asks.push_back(ask),
            Kind::Note(note) if self.groups => self.notes.push(note.what),
            Kind::Answer(pb::Answer { id, answer }) if self.groups => {
                ensure!(!self.answers.contains_key(&id), "two answers to question {id}");
                self.answers.insert(id, answer.context("an answer of nothing")?);
            }
            other => anyhow::bail!("the node said {} on a link that is open", name(&other)),
        }
        Ok(())
    }

    fn take_ack(&mut self, ack: pb::Ack) -> anyhow::Result<()> {
        ensure!(ack.epoch == self.mallory.sent.epoch[..], "an ack of another epoch");
        ensure!(ack.sequence <= self.mallory.sent.sequence, "an ack of {}, which was never sent", ack.sequence);
        ensure!(ack.refused.len() <= 64, "{} refusals in an ack", ack.refused.len());
        let mut before = 0;
        for refused in &ack.refused {
            ensure!(refused.sequence > before && refused.sequence <= ack.sequence, "refusals out of order");
            before = refused.sequence;
            within_limits(refused.error.as_ref().context("a refusal without an error")?)?;
        }
        self.overtaken |= ack.refused.iter().any(|r| r.sequence <= self.acked && !self.refused.contains_key(&r.sequence));
        self.refused.extend(ack.refused.into_iter().filter_map(|r| Some((r.sequence, r.error?))));
        self.acked = self.acked.max(ack.sequence);
        Ok(())
    }

    fn take(&mut self, batch: pb::Batch) -> anyhow::Result<()> {
        ensure!((1..=64).contains(&batch.entries.len()), "a batch of {} entries", batch.entries.len());
        ensure!(batch.epoch == self.theirs.epoch[..], "a batch of another epoch");
        ensure!(
            batch.first_sequence == self.theirs.sequence + 1,
            "a batch from {} after {}",
            batch.first_sequence,
            self.theirs.sequence
        );
        ensure!(self.keys.contains(&batch.link_key), "a batch by a key that is not the node's");
        let key = PublicKey::from_bytes(&batch.link_key).context("a key")?;
        let entries: Vec<WireKind> =
            batch.entries.into_iter().map(|e| e.entry.context("an empty entry")).collect::<Result<_, _>>()?;
        let hashes: Vec<[u8; 32]> = entries.iter().map(hash_of).collect();
        let signed = signed_bytes(&self.node, &self.mallory.domain, &self.theirs.epoch, batch.first_sequence, &hashes);
        ensure!(key.verify(Purpose::LinkBatch, &signed, &batch.signature), "a batch with a wrong signature");
        if let Some(submissions) = batch.submissions {
            let good = key.verify(Purpose::GroupSubmissions, &submissions_bytes(&submissions.hashes), &submissions.signature);
            ensure!(good, "submissions with a wrong signature");
            let (domain, link_key) = (self.node.to_string(), batch.link_key);
            self.proofs.push(Proof { domain, link_key, hashes: submissions.hashes, signature: submissions.signature });
        }
        for (entry, hash) in entries.into_iter().zip(hashes) {
            self.theirs = self.theirs.after(&hash);
            self.heard.push_back((self.theirs.sequence, entry));
        }
        Ok(())
    }
}

/// The link keys of a record, as it says.
fn keys_of(record: &[u8]) -> anyhow::Result<Vec<Bytes>> {
    let record = Record::decode(SignedRecord::decode(record)?.record)?;
    let charter = Charter::decode(SignedCharter::decode(record.charter)?.charter)?;
    Ok(charter.link_keys.into_iter().map(|k| k.key).collect())
}
