//! One domain without disk, sockets or clock: commands go in, the journal is a list, time passes when told.

#![allow(dead_code)] // each test binary uses its part

pub mod town;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Decided, Recorded, Views,
    command::{Admission, LinkItem, NewDevice, SubmissionProof, Target},
    context::{Ctx, IdCount, Random},
    conversations::{self, Message},
    directory, groups, handle, outbox,
    store::{New, Store, Tx},
    timeline,
};
use startalk_journal::{Body, Head, Header, ReadError, ReadJournal, Record};
use startalk_protocol::{
    DomainName, Error, MessageId, UserId,
    group::{sign_head, submissions_bytes},
    limits::LINK_KEY_VALID_MS_MAX,
    pb::{
        content::{Block, Content, Inline, Text, content::Kind},
        group::Range,
    },
    signing::{Purpose, SecretKey},
    trust::{CharterDraft, Endpoint, LinkKey, RecordDraft, Registration, VerifiedCharter, sign_charter, sign_record},
};

/// A seeded source of bytes (splitmix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The journal as a list.
#[derive(Default)]
pub struct List(pub Mutex<Vec<Record>>);

impl ReadJournal for List {
    fn head(&self) -> Head {
        let all = self.0.lock().unwrap();
        let (position, time_ms) = all.last().map_or((0, 0), |r| (r.header.position, r.header.time_ms));
        let epoch = all.last().map_or(1, |r| r.header.epoch);
        Head { journal_id: [1; 16], epoch, batch: position, position, time_ms, chain: [0; 32] }
    }
    fn read(&self, position: u64) -> Result<Record, ReadError> {
        let all = self.0.lock().unwrap();
        let at = usize::try_from(position).unwrap().checked_sub(1).unwrap();
        Ok(all.get(at).unwrap_or_else(|| panic!("position {position} of {}", all.len())).clone())
    }
    fn read_from(&self, from: u64, max_records: usize, _: usize) -> Result<Vec<Record>, ReadError> {
        let all = self.0.lock().unwrap();
        Ok(all.iter().skip(usize::try_from(from.max(1) - 1).unwrap()).take(max_records).cloned().collect())
    }
    fn header(&self, position: u64) -> Result<Header, ReadError> {
        self.read(position).map(|r| r.header)
    }
}

/// Where all clocks begin.
pub const START_MS: u64 = 1_800_000_000_000;

pub struct Node {
    pub name: DomainName,
    pub store: Arc<Store>,
    pub journal: Arc<List>,
    pub random: Seeded,
    pub ids: IdCount,
    pub now_ms: u64,
    pub disk_low: bool,
    /// The link key.
    pub key: SecretKey,
    root: SecretKey,
    /// How many link keys there were before this one.
    rotations: u64,
}

impl Node {
    pub fn new(name: &str) -> Self {
        let mut node = Self {
            name: name.parse().unwrap(),
            store: Arc::new(Store::temporary().unwrap()),
            journal: Arc::default(),
            random: Seeded(name.len() as u64),
            ids: IdCount::default(),
            now_ms: START_MS,
            disk_low: false,
            key: SecretKey::from_seed(*blake3::hash(name.as_bytes()).as_bytes()),
            root: SecretKey::from_seed(*blake3::hash(format!("root of {name}").as_bytes()).as_bytes()),
            rotations: 0,
        };
        node.ok(Command::Begin { root_key: node.root.public() });
        node
    }

    /// The same node, put back to an older copy of its journal, which it does not know.
    pub fn restored_to(&self, position: u64) -> Self {
        let mut old = Self::new(self.name.as_str());
        let kept: Vec<Record> = self.journal.0.lock().unwrap().iter().take(usize::try_from(position).unwrap()).cloned().collect();
        (old.journal, old.store) = (Arc::new(List(Mutex::new(kept))), Arc::new(Store::temporary().unwrap()));
        startalk_domain::replay(&old.store, &*old.journal, |_, _| {}).unwrap();
        old.now_ms = self.now_ms + 1000;
        old
    }

    pub fn charter(&self) -> VerifiedCharter {
        let from = i64::try_from(START_MS).unwrap() - 3_600_000;
        let draft = CharterDraft {
            domain: self.name.clone(),
            line: Vec::new(),
            link_keys: vec![LinkKey {
                key: Bytes::copy_from_slice(&self.key.public()),
                not_before_ms: from,
                not_after_ms: from + LINK_KEY_VALID_MS_MAX,
            }],
            recovery_hash: [9; 32],
            sequence: 1 + self.rotations,
            gone: false,
        };
        sign_charter(&self.root, draft).unwrap()
    }

    /// Another link key; the charter does not list the one before.
    pub fn rotate(&mut self) {
        self.rotations += 1;
        self.key = SecretKey::from_seed(*blake3::hash(format!("{} {}", self.name, self.rotations).as_bytes()).as_bytes());
        let charter = self.charter();
        self.ok(Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() });
    }

    /// As if the other had been found and proven; its number.
    pub fn meet(&mut self, other: &Node) -> u64 {
        match self.ok(self.meeting(other)) {
            Answer::Peer(number) => number,
            other => panic!("{other:?}"),
        }
    }

    pub fn meeting(&self, other: &Node) -> Command {
        let now = i64::try_from(self.now_ms).unwrap();
        let draft = RecordDraft {
            endpoints: vec![Endpoint { host: other.name.to_string(), port: 443 }],
            sequence: 1,
            not_after_ms: now + 3_600_000,
            display_name: String::new(),
            description: String::new(),
            listed: false,
            registration: Registration::Closed,
            sign_in: Vec::new(),
            navigation: None,
        };
        let record = sign_record(&other.key, &other.charter(), draft, now).unwrap();
        Command::MeetPeer { record: Box::new(record), proof: "configured".into() }
    }

    /// Several commands in one batch.
    pub fn batch(&mut self, commands: Vec<Command>) -> Vec<Result<Answer, Error>> {
        let store = self.store.clone();
        let mut tx = Tx::new(&store, self.journal.head().position + 1, self.now_ms);
        let mut results = Vec::new();
        for command in commands {
            let mut ctx = Ctx {
                domain: &self.name,
                now_ms: self.now_ms,
                journal: &*self.journal,
                random: &mut self.random,
                zones: startalk_domain::context::utc_only,
                ids: &mut self.ids,
                disk_low: self.disk_low,
            };
            results.push(handle(&mut tx, &mut ctx, command));
        }
        self.record(Decided::of(tx));
        results
    }

    /// As if this had been decided.
    pub fn emit(&mut self, event: startalk_domain::Event) {
        let store = self.store.clone();
        let mut tx = Tx::new(&store, self.journal.head().position + 1, self.now_ms);
        tx.emit(New { conversation: 0, event });
        self.record(Decided::of(tx));
    }

    fn record(&mut self, decided: Decided) {
        for record in &decided.records {
            let mut all = self.journal.0.lock().unwrap();
            let epoch = match &record.event {
                startalk_domain::Event::EpochBegan(f, _) => f.epoch,
                _ => all.last().map_or(1, |r| r.header.epoch),
            };
            all.push(stored(record, epoch));
        }
        for record in decided.commit(&self.store) {
            if let startalk_domain::Event::Erased(f, _) = &record.event {
                let mut all = self.journal.0.lock().unwrap();
                for p in &f.positions {
                    all[usize::try_from(*p).unwrap() - 1].body = Body::Erased;
                }
            }
        }
        assert!(!self.store.is_damaged());
    }

    pub fn run(&mut self, command: Command) -> Result<Answer, Error> {
        self.batch(vec![command]).remove(0)
    }

    pub fn ok(&mut self, command: Command) -> Answer {
        let shown = format!("{command:?}");
        self.run(command).unwrap_or_else(|e| panic!("{shown}: {e}"))
    }

    pub fn refused(&mut self, command: Command) -> &'static str {
        let before = self.journal.head().position;
        let error = self.run(command).expect_err("should be refused");
        assert_eq!(before, self.journal.head().position, "what is refused writes nothing");
        error.code.as_str()
    }

    /// An account with one device.
    pub fn person(&mut self, name: &str) -> Actor {
        let device =
            NewDevice { name: "test".into(), token_hash: *blake3::hash(format!("{name}@{}", self.name).as_bytes()).as_bytes() };
        let create = Command::CreateAccount {
            name: name.parse().unwrap(),
            display_name: name.to_uppercase(),
            password_hash: "$argon2id$".into(),
            recovery_hashes: vec![[1; 32]],
            admission: Admission::Operator { administrator: false },
            device: Some(device),
        };
        match self.ok(create) {
            Answer::Account { account, device: Some(device), .. } => Actor { account, device },
            other => panic!("{other:?}"),
        }
    }

    pub fn say(&mut self, actor: Actor, to: &str, counter: u64, text_: &str) -> (u64, u64, MessageId) {
        match self.ok(send(actor, to, counter, text_)) {
            Answer::Sent { conversation, sequence, id, .. } => (conversation, sequence, id),
            other => panic!("{other:?}"),
        }
    }

    pub fn messages(&self, account: u64, conversation: u64) -> Vec<Message> {
        conversations::page(&self.store, &*self.journal, account, conversation, 1..=u64::MAX, false).unwrap().messages
    }

    pub fn texts(&self, account: u64, conversation: u64) -> Vec<String> {
        self.messages(account, conversation).iter().map(|m| m.content.as_ref().map_or("(gone)".into(), plain)).collect()
    }

    /// All events, by name.
    pub fn events(&self) -> Vec<&'static str> {
        self.journal.0.lock().unwrap().iter().map(|r| Recorded::read(r).unwrap().event.name()).collect()
    }
}

fn stored(record: &Recorded, epoch: u32) -> Record {
    let draft = record.draft();
    let header = Header {
        position: record.position,
        batch: record.position,
        remaining_in_batch: 0,
        epoch,
        time_ms: record.time_ms,
        kind: draft.kind,
        version: draft.version,
        conversation: draft.conversation,
        sequence: draft.sequence,
        previous: draft.previous,
        facts_hash: [0; 24],
        body_hash: draft.body.as_ref().map(|b| startalk_journal::content_hash(b)).unwrap_or_default(),
        chain_tag: record.position.to_le_bytes(),
        facts_len: u32::try_from(draft.facts.len()).unwrap(),
        body_len: u32::try_from(draft.body.as_ref().map_or(0, Vec::len)).unwrap(),
    };
    Record { header, facts: draft.facts.into(), body: draft.body.map_or(Body::None, |b| Body::Present(b.into())) }
}

pub fn text(words: &str) -> Bytes {
    let inline = Inline { text: words.into(), ..Inline::default() };
    let text = Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] };
    Content { fallback: String::new(), kind: Some(Kind::Text(text)), ..Content::default() }.encode_to_vec().into()
}

pub fn plain(content: &Bytes) -> String {
    match Content::decode(content.clone()).unwrap().kind {
        Some(Kind::Text(t)) => t.blocks.iter().flat_map(|b| &b.inlines).map(|i| i.text.as_str()).collect(),
        other => format!("{other:?}"),
    }
}

pub fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

pub fn send(actor: Actor, to: &str, counter: u64, words: &str) -> Command {
    Command::Send {
        actor,
        to: Target::User(user(to)),
        counter,
        content: text(words),
        reply_to: None,
        reply_sequence: 0,
        known_id: None,
    }
}

/// Gives `to` everything that `from` has for it, as the link would; answers what was refused.
pub fn deliver(from: &Node, to: &mut Node) -> Vec<(u64, &'static str)> {
    let from_number = match to.ok(Command::SetPeerRule {
        domain: from.name.clone(),
        rule: startalk_domain::command::PeerRule::Unset,
        forget_key: false,
    }) {
        Answer::Peer(n) => n,
        other => panic!("{other:?}"),
    };
    let Some(peer) = startalk_domain::directory::peer_number(&from.store, &to.name) else { return vec![] };
    let out = outbox::outbox(&from.store, peer);
    to.ok(Command::BeginPeerEpoch { peer: from_number, epoch: out.epoch });
    let cursor = outbox::inbox(&to.store, from_number);
    let items = outbox::items(&from.store, &*from.journal, peer, cursor.sequence + 1, out.head(), usize::MAX).unwrap();
    let (mut running, mut refused) = (cursor.running, Vec::new());
    for (sequence, item) in (cursor.sequence + 1..).zip(items) {
        // The link checks the signature over submissions before the domain sees it.
        let signed = |hash: [u8; 32]| {
            let signature = from.key.sign(Purpose::GroupSubmissions, &submissions_bytes([hash].iter()));
            Some(Arc::new(SubmissionProof { link_key: from.key.public(), hashes: vec![hash], signature }))
        };
        let (hash, item, proof) = match item {
            outbox::Outgoing::Item(bytes) => (*blake3::hash(&bytes).as_bytes(), Some(bytes), None),
            outbox::Outgoing::Submission(bytes, hash) => (*blake3::hash(&bytes).as_bytes(), Some(bytes), signed(hash)),
            outbox::Outgoing::Withheld(hash) => (hash, None, None),
        };
        running = outbox::running_after(&running, &hash);
        let command =
            Command::ReceiveItem { peer: from_number, epoch: out.epoch, item: LinkItem { sequence, running, item, proof } };
        match to.ok(command) {
            Answer::Item { refused: Some(error) } => refused.push((sequence, error.code.as_str())),
            Answer::Item { refused: None } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(running, out.running, "both ends have the same running hash");
    refused
}

/// What the home gives a follower after what it has, signed as it is sent.
pub fn served(home: &Node, peer: u64, id: &str, after: u64) -> Range {
    let views = Views { store: home.store.clone(), journal: home.journal.clone() };
    let mut range = groups::range(&views, peer, id, after).unwrap();
    sign_head(range.from.as_mut().unwrap(), &home.key);
    sign_head(range.at.as_mut().unwrap(), &home.key);
    range
}

/// The follower takes everything that the home has for it, beginning its replica first if it must.
pub fn follow(home: &Node, follower: &mut Node, id: &str) {
    let Some(at_home) = directory::peer_number(&home.store, &follower.name) else { return };
    let peer = directory::peer_number(&follower.store, &home.name).unwrap();
    let conversation = groups::by_id(&follower.store, &id.parse().unwrap()).unwrap();
    let begun = groups::group(&follower.store, conversation).unwrap().begun;
    if !begun {
        let views = Views { store: home.store.clone(), journal: home.journal.clone() };
        let (mut pages, mut from) = (Vec::new(), 0);
        loop {
            let Ok(mut page) = groups::beginning(&views, at_home, id, from) else {
                return learn(follower, peer, id, groups::applicants(&home.store, at_home, id));
            };
            learn(follower, peer, id, page.applicants.clone());
            sign_head(page.base.as_mut().unwrap(), &home.key);
            from = page.next_member;
            pages.push(page);
            if from == 0 {
                break;
            }
        }
        for (index, page) in pages.into_iter().enumerate() {
            let (group, page) = (id.to_owned(), Box::new(page));
            follower.ok(match index {
                0 => Command::BeginReplica { peer, group, page },
                _ => Command::LearnMembers { peer, group, page },
            });
        }
    }
    loop {
        let after = timeline::head(&follower.store, conversation).sequence;
        let views = Views { store: home.store.clone(), journal: home.journal.clone() };
        if groups::range(&views, at_home, id, after).is_err() {
            return; // nothing of it is this domain's
        }
        let range = served(home, at_home, id, after);
        let (at, end) = (range.at.as_ref().unwrap().sequence, range.end);
        follower.ok(Command::FollowGroup { peer, group: id.to_owned(), range: Box::new(range) });
        if at >= end {
            return;
        }
    }
}

/// What the home says of those who asked to be admitted.
fn learn(follower: &mut Node, peer: u64, id: &str, applicants: Vec<startalk_protocol::pb::group::Applicant>) {
    follower.ok(Command::LearnApplicants { peer, group: id.to_owned(), applicants });
}
