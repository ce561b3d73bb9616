//! Groups by hand (chapter 7): submissions with and without a good signature, and the log of a group whose home lies.
//!
//! Hashes and chains are computed here once more, from the specification, and not by the code that nodes use.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    pb::{
        group::{
            Answer, Ask, Beginning, Create, Entry, Head, Join, Member, Message, NewEpoch, Note, Person, Proof, Range, Role,
            SetText, Submission, Text, answer, ask, entry::Body, note, submission::Action,
        },
        link::{self as pb, item::Kind},
    },
    signing::Purpose,
};

use crate::{
    Mallory, items,
    mallory::{now_ms, public, random, signature},
};

/// Salt and body, as they travel.
pub fn written(body: &[u8]) -> Bytes {
    [&random::<16>()[..], body].concat().into()
}

/// The hash of a body, salt and all.
fn body_hash(written: &[u8]) -> [u8; 24] {
    let mut hash = [0; 24];
    if !written.is_empty() {
        hash.copy_from_slice(&blake3::hash(written).as_bytes()[..24]);
    }
    hash
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    *blake3::hash(&parts.concat()).as_bytes()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// What names a submission for good.
pub fn submission_hash(group: &str, submission: &[u8], written: &[u8]) -> [u8; 32] {
    hash(&[b"startalk group submission v1\0", group.as_bytes(), &length(submission), submission, &body_hash(written)])
}

/// The id of a group that begins with this submission.
pub fn id_of(first: &[u8]) -> String {
    let bits = hash(&[b"startalk group v1\0", first]);
    let bit = |n: usize| usize::from(bits[n / 8] >> (7 - n % 8) & 1);
    let letter = |n: usize| (0..5).fold(0, |sum, b| sum << 1 | bit(5 * n + b));
    (0..26).map(|n| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[letter(n)])).collect()
}

/// A submission on its way to a group's home.
#[derive(Clone)]
pub struct Submitted {
    /// Where to.
    pub group: String,
    /// Whose act it is.
    pub from: String,
    /// What.
    pub submission: Submission,
    /// Salt and body; may be empty.
    pub written: Bytes,
    /// Of a link.
    pub secret: Bytes,
}

impl Submitted {
    /// Somebody of this domain joins.
    pub fn joins(mallory: &Mallory, group: &str, name: &str, number: u64) -> Self {
        let person = Person { name: name.to_owned(), domain: mallory.domain.to_string(), ..Person::default() };
        let submission = Submission { number, action: Some(Action::Join(Join {})), ..Submission::default() };
        let (group, from, written) = (group.to_owned(), name.to_owned(), written(&person.encode_to_vec()));
        Self { group, from, submission, written, secret: Bytes::new() }
    }

    /// A member says something.
    pub fn says(group: &str, name: &str, author: u64, number: u64, words: &str) -> Self {
        let message = Message { id: items::new_id().0.to_vec().into(), ..Message::default() };
        let submission = Submission { number, author, action: Some(Action::Message(message)), ..Submission::default() };
        let written = written(&items::text(words));
        Self { group: group.to_owned(), from: name.to_owned(), submission, written, secret: Bytes::new() }
    }

    /// What its domain signs.
    pub fn hash(&self) -> [u8; 32] {
        submission_hash(&self.group, &self.submission.encode_to_vec(), &self.written)
    }

    /// As it travels.
    pub fn wire(&self) -> pb::GroupSubmission {
        pb::GroupSubmission {
            group: self.group.clone(),
            submission: self.submission.encode_to_vec().into(),
            written: self.written.clone(),
            secret: self.secret.clone(),
        }
    }

    /// The item.
    pub fn item(&self) -> Bytes {
        items::bytes(&items::item(&self.from, "", Kind::GroupSubmission(self.wire())))
    }
}

/// What a domain signs of its submissions.
pub fn submissions_bytes(hashes: &[Bytes]) -> Vec<u8> {
    let count = u32::try_from(hashes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&count[..], &hashes.concat()].concat()
}

/// The signature of a domain over its submissions.
pub fn signed(mallory: &Mallory, hashes: &[[u8; 32]]) -> pb::Submissions {
    let hashes: Vec<Bytes> = hashes.iter().map(|h| h.to_vec().into()).collect();
    let signature = signature(&mallory.link, Purpose::GroupSubmissions, &submissions_bytes(&hashes));
    pb::Submissions { hashes, signature }
}

/// That this domain has submitted it.
pub fn proof(mallory: &Mallory, submitted: &Submitted) -> Proof {
    let pb::Submissions { hashes, signature } = signed(mallory, &[submitted.hash()]);
    Proof { domain: mallory.domain.to_string(), link_key: public(&mallory.link), hashes, signature }
}

/// An invitation to a group.
pub fn invites(from: &str, to: &str, group: &str, inviter: &str) -> Bytes {
    let invite = pb::GroupInvite { group: group.to_owned(), name: "the group".to_owned(), inviter: inviter.to_owned() };
    items::bytes(&items::item(from, to, Kind::GroupInvite(invite)))
}

/// The log of a group of Mallory's.
#[derive(Clone)]
pub struct Log {
    /// Its id.
    pub group: String,
    /// What is in it.
    pub entries: Vec<Entry>,
    /// After each entry; the first is before all.
    pub chains: Vec<[u8; 32]>,
    /// The home's epoch after each entry; the first is before all.
    pub epochs: Vec<u32>,
    /// The domain with followers sees it from here on.
    pub base: u64,
    /// What other domains signed.
    pub proofs: Vec<Proof>,
    /// Of those domains.
    pub charters: Vec<Bytes>,
}

impl Log {
    /// A group of somebody called `owner`.
    pub fn begin(mallory: &Mallory, owner: &str) -> Self {
        let create = Create { home: mallory.domain.to_string(), nonce: random::<16>().to_vec().into(), rights: None };
        let create = Submission { author: 0, action: Some(Action::Create(create)), ..Submission::default() }.encode_to_vec();
        let mut log = Self {
            group: id_of(&create),
            entries: Vec::new(),
            chains: vec![[0; 32]],
            epochs: vec![1],
            base: 0,
            proofs: Vec::new(),
            charters: Vec::new(),
        };
        let person = Person { name: owner.to_owned(), domain: mallory.domain.to_string(), ..Person::default() };
        log.push(create.into(), written(&person.encode_to_vec()), 1, "");
        let name = Action::SetText(SetText { text: Text::Name.into() });
        let name = Submission { author: 1, action: Some(name), ..Submission::default() };
        log.push(name.encode_to_vec().into(), written(b"the group"), 0, "");
        log.base = 2;
        log
    }

    /// One more entry; `member` that it brings in, or 0.
    pub fn push(&mut self, submission: Bytes, written: Bytes, member: u64, origin: &str) {
        let decided = startalk_protocol::pb::group::Decided { member, ..Default::default() }.encode_to_vec();
        let time_ms = now_ms().max(self.entries.last().map_or(0, |e| e.time_ms));
        let body = (!written.is_empty()).then_some(Body::Written(written));
        let entry = Entry { submission, decided: decided.into(), origin: origin.to_owned(), time_ms, body, proof: 0 };
        self.add(entry);
    }

    /// One more entry as it is.
    pub fn add(&mut self, entry: Entry) {
        let sequence = self.entries.len() as u64 + 1;
        let before = self.chains.last().copied().unwrap_or_default();
        let epoch = self.epochs.last().copied().unwrap_or_default();
        let written = match &entry.body {
            Some(Body::Written(written)) => written.clone(),
            _ => Bytes::new(),
        };
        let chain = hash(&[
            b"startalk group chain v1\0",
            &before,
            self.group.as_bytes(),
            &epoch.to_be_bytes(),
            &sequence.to_be_bytes(),
            &entry.time_ms.to_be_bytes(),
            &length(entry.origin.as_bytes()),
            entry.origin.as_bytes(),
            &submission_hash(&self.group, &entry.submission, &written),
            &length(&entry.decided),
            &entry.decided,
        ]);
        let action = Submission::decode(entry.submission.clone()).ok().and_then(|s| s.action);
        self.epochs.push(epoch + u32::from(matches!(action, Some(Action::NewEpoch(_)))));
        self.entries.push(entry);
        self.chains.push(chain);
    }

    /// Takes the last entry back.
    pub fn pop(&mut self) -> Option<Entry> {
        self.chains.truncate(self.entries.len());
        self.epochs.truncate(self.entries.len());
        self.entries.pop()
    }

    /// As of a home that was restored from a copy of when the log had so many entries, and says so.
    pub fn went_back_to(&mut self, entries: usize) {
        self.entries.truncate(entries);
        self.chains.truncate(entries + 1);
        self.epochs.truncate(entries + 1);
        self.acts(0, Action::NewEpoch(NewEpoch {}), b"", 0);
    }

    /// Records what somebody of another domain submitted, with the domain's signature; `member`: whom it brings in, or 0.
    pub fn record(&mut self, submission: &pb::GroupSubmission, member: u64, proof: Proof) {
        self.push(submission.submission.clone(), submission.written.clone(), member, &proof.domain.clone());
        self.proofs.push(proof);
        let number = u32::try_from(self.proofs.len()).unwrap_or(0);
        if let Some(last) = self.entries.last_mut() {
            last.proof = number;
        }
    }

    /// The home records something as its own; `member` that it brings in, or 0.
    pub fn acts(&mut self, author: u64, action: Action, body: &[u8], member: u64) {
        let submission = Submission { author, action: Some(action), ..Submission::default() };
        let written = if body.is_empty() { Bytes::new() } else { written(body) };
        self.push(submission.encode_to_vec().into(), written, member, "");
    }

    /// The home records words under this number.
    pub fn says(&mut self, author: u64, words: &str) {
        let message = Message { id: items::new_id().0.to_vec().into(), ..Message::default() };
        self.acts(author, Action::Message(message), &items::text(words), 0);
    }

    /// The owner says something.
    pub fn owner_says(&mut self, words: &str) {
        self.says(1, words);
    }

    /// Where the log stood after this sequence, signed.
    pub fn head(&self, mallory: &Mallory, sequence: u64) -> Head {
        let at = usize::try_from(sequence).unwrap_or(usize::MAX);
        let time_ms = at.checked_sub(1).and_then(|n| self.entries.get(n)).map_or(0, |e| e.time_ms);
        let chain = self.chains.get(at).copied().unwrap_or_default();
        let home_epoch = self.epochs.get(at).copied().unwrap_or_default();
        self.sign(mallory, Head { home_epoch, sequence, chain: chain.to_vec().into(), time_ms, ..Head::default() })
    }

    /// A head, signed as it is.
    pub fn sign(&self, mallory: &Mallory, head: Head) -> Head {
        let bytes = [
            self.group.as_bytes(),
            &head.home_epoch.to_be_bytes(),
            &head.sequence.to_be_bytes(),
            &head.chain,
            &head.time_ms.to_be_bytes(),
        ]
        .concat();
        let signature = signature(&mallory.link, Purpose::GroupHead, &bytes);
        Head { group: self.group.clone(), link_key: public(&mallory.link), signature, ..head }
    }

    /// What is after this sequence, whole.
    pub fn range(&self, mallory: &Mallory, after: u64) -> Range {
        let end = self.entries.len() as u64;
        let from = after.min(end);
        Range {
            from: Some(self.head(mallory, from)),
            entries: self.entries[usize::try_from(from).unwrap_or(0)..].to_vec(),
            at: Some(self.head(mallory, end)),
            end,
            proofs: self.proofs.clone(),
            charters: self.charters.clone(),
        }
    }

    /// The same as news.
    pub fn news(&self, range: Range) -> pb::Note {
        pb::Note { what: Note { group: self.group.clone(), note: Some(note::Note::Range(range)) }.encode_to_vec().into() }
    }

    /// What a replica begins with.
    pub fn beginning(&self, mallory: &Mallory) -> Beginning {
        let owner = Member {
            member: 1,
            name: "owner".to_owned(),
            domain: mallory.domain.to_string(),
            role: Role::Owner.into(),
            changed: 1,
            ..Member::default()
        };
        Beginning {
            base: Some(self.head(mallory, self.base)),
            name: "the group".to_owned(),
            members: vec![owner],
            ..Beginning::default()
        }
    }

    /// The answer to a question about the group; nothing to what is no such question.
    pub fn answer(&self, mallory: &Mallory, what: &Bytes) -> Option<Answer> {
        let answer = match Ask::decode(what.clone()).ok().filter(|a| a.group == self.group)?.ask? {
            ask::Ask::Follow(follow) => answer::Answer::Range(self.range(mallory, follow.after)),
            ask::Ask::Begin(_) => answer::Answer::Beginning(self.beginning(mallory)),
            ask::Ask::ReadBy(_) | ask::Ask::File(_) => return None,
        };
        Some(Answer { answer: Some(answer) })
    }
}
