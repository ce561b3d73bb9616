//! One node as its journal says it must be: every record is taken in once, in order, and compared with what is allowed.
//!
//! Owns a second, simple account of the rules that decide who hears whom, made from records alone. Never asks the views.
//! Invariant: what is in the model is durable at the node.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Event, Recorded};
use startalk_journal::{Head, ReadJournal};
use startalk_protocol::{
    MessageId, limits,
    pb::link::{Item, item::Kind},
};

use crate::{node::Submitted, words};

/// Messages that a stranger may leave before the person decides.
const REQUEST_MESSAGES_MAX: u32 = 20;

/// A message as people must see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number in the run.
    pub message: u64,
    /// Its id.
    pub id: MessageId,
    /// The author's number here.
    pub author: u64,
    /// The device's number here, and its command's; 0 from elsewhere.
    pub by: (u64, u64),
    /// First what was said, then each edit; `None` where it was erased.
    pub texts: Vec<Option<String>>,
    /// Taken back.
    pub recalled: bool,
    /// The other domain refused it.
    pub refused: bool,
}

impl Message {
    /// What is shown.
    pub fn shown(&self) -> Option<&String> {
        if self.recalled {
            return None;
        }
        let (first, edits) = self.texts.split_first().expect("it was said");
        edits.last().and_then(Option::as_ref).or(first.as_ref())
    }
}

/// A direct conversation.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// An account here.
    pub a: u64,
    /// The other.
    pub b: u64,
    /// The domain of `b`; 0: here.
    pub peer: u64,
    /// By sequence.
    pub messages: BTreeMap<u64, Message>,
    request: bool,
    refused: bool,
    request_messages: u32,
}

/// What an item that had no effect was, and why that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What was told, if anything.
    pub code: String,
    /// Why the oracle agrees.
    pub why: &'static str,
}

/// One node.
#[derive(Clone, Default)]
pub struct Model {
    place: usize,
    head: u64,
    tag: [u8; 8],
    heads: BTreeMap<u64, u64>,
    /// By number.
    pub conversations: BTreeMap<u64, Conversation>,
    /// Number → the person in the run.
    pub persons: BTreeMap<u64, usize>,
    /// Number → the node.
    pub peers: BTreeMap<u64, usize>,
    /// Accounts that may hear and speak.
    pub live: BTreeSet<u64>,
    /// Accounts that are gone for ever.
    pub deleted: BTreeSet<u64>,
    blocked: BTreeSet<(u64, u64, u64)>,
    /// Position → conversation, sequence and which text.
    bodies: BTreeMap<u64, (u64, u64, usize)>,
    erased: BTreeSet<u64>,
    /// Items with a message or a change of one that had no effect here, by message.
    pub closed: BTreeMap<u64, Vec<Closed>>,
    /// Where each message stands.
    pub places: BTreeMap<u64, Vec<(u64, u64)>>,
    /// Groups.
    pub groups: super::Groups,
    /// Records so far.
    pub records: u64,
}

impl Model {
    /// A node without anything.
    pub fn new(place: usize, _nodes: usize) -> Self {
        Self { place, ..Self::default() }
    }

    /// Position of the last record.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// After a batch: the journal ends here.
    pub fn reached(&mut self, head: Head) {
        assert_eq!(head.position, self.head, "what the write loop returned is what the journal has");
        self.tag.copy_from_slice(&head.chain[..8]);
    }

    /// The journal was opened anew: it holds everything that was answered, and perhaps a last batch that nobody heard of.
    pub fn reopened(&mut self, journal: &dyn ReadJournal, submitted: &Submitted) {
        let head = journal.head();
        assert!(
            head.position >= self.head,
            "node {}: {} records were durable, {} are left",
            self.place,
            self.head,
            head.position
        );
        if self.head > 0 {
            let header = journal.header(self.head).expect("a readable journal");
            assert_eq!(header.chain_tag, self.tag, "node {}: what was durable has changed", self.place);
        }
        for position in self.head + 1..=head.position {
            let record = journal.read(position).expect("a readable journal");
            self.apply(&Recorded::read(&record).expect("a known event"), submitted);
        }
        self.tag.copy_from_slice(&head.chain[..8]);
    }

    /// One more record.
    pub fn apply(&mut self, record: &Recorded, submitted: &Submitted) {
        let at = || format!("node {} position {}", self.place, record.position);
        assert_eq!(record.position, self.head + 1, "{}: positions have no gaps", at());
        if record.sequence != 0 {
            let expected = self.heads.get(&record.conversation).copied().unwrap_or(0) + 1;
            assert_eq!(record.sequence, expected, "{}: conversation {} has a gap", at(), record.conversation);
            self.heads.insert(record.conversation, record.sequence);
        }
        self.head = record.position;
        self.records += 1;
        if let Event::GroupReplicaBegan(f, _) = &record.event {
            // What is before it this domain has no right to.
            self.heads.insert(f.conversation, f.base);
        }
        self.groups.apply(record, self.place, &self.persons, &self.peers);
        let conversation = record.conversation;
        match &record.event {
            Event::PeerMet(f, _) => {
                let place = crate::node::place_of(&f.domain.parse().expect("a domain")).expect("a simulated domain");
                self.peers.insert(f.peer, place);
            }
            Event::AccountCreated(f, body) => {
                self.live.insert(f.account);
                self.person(f.account, body.as_ref().map(|b| b.value.name.as_str()));
            }
            Event::AccountDisabled(f, _) => {
                if f.disabled {
                    self.live.remove(&f.account)
                } else {
                    self.live.insert(f.account)
                };
            }
            Event::AccountDeleted(f, _) => {
                self.live.remove(&f.account);
                self.deleted.insert(f.account);
                self.blocked.retain(|b| b.0 != f.account);
            }
            Event::PersonGone(f, _) => {
                self.deleted.insert(f.person);
            }
            Event::PersonMet(f, body) => self.person(f.person, body.as_ref().map(|b| b.value.name.as_str())),
            Event::BlockSet(f, _) => {
                let key = (f.account, f.person, f.peer);
                if f.blocked {
                    self.blocked.insert(key)
                } else {
                    self.blocked.remove(&key)
                };
            }
            Event::DirectOpened(f, _) => {
                let new = Conversation { a: f.a, b: f.b, peer: f.peer, request: f.request, ..Conversation::default() };
                let before = self.conversations.insert(f.conversation, new);
                assert!(before.is_none(), "a number is given once");
            }
            Event::RequestDecided(f, _) => {
                let Some(c) = self.conversations.get_mut(&f.conversation) else { return };
                (c.request, c.refused) = (false, !f.accepted);
            }
            Event::MessageAdded(f, body) => {
                let words = body.as_ref().map(|b| words::words(&b.value.0));
                let Some(message) = words.as_deref().map(words::message_of).or_else(|| self.said_in(f.r#in.as_ref(), submitted))
                else {
                    return; // found after a crash, and erased already
                };
                if f.r#in.is_some() {
                    self.may_receive(record, f.author);
                }
                let id = MessageId::from_slice(&f.id).expect("an id");
                let by = (f.device, f.counter);
                let c = self.conversations.get_mut(&conversation).expect("an open conversation");
                assert!(f.author == c.a || f.author == c.b, "who writes takes part");
                c.request_messages += u32::from(c.request && f.author == c.b);
                let new = Message { message, id, author: f.author, by, texts: vec![words], recalled: false, refused: false };
                c.messages.insert(record.sequence, new);
                self.places.entry(message).or_default().push((conversation, record.sequence));
                self.bodies.insert(record.position, (conversation, record.sequence, 0));
            }
            Event::MessageEdited(f, body) => {
                let words = body.as_ref().map(|b| words::words(&b.value.0));
                let Some(target) = self.target(conversation, f.target) else { return };
                assert_eq!(target.author, f.author, "only the author edits");
                if let Some(words) = &words {
                    assert_eq!(words::message_of(words), target.message, "an edit changes the message that it names");
                }
                target.texts.push(words);
                let text = target.texts.len() - 1;
                self.bodies.insert(record.position, (conversation, f.target, text));
            }
            Event::MessageRecalled(f, _) => {
                let Some(target) = self.target(conversation, f.target) else { return };
                assert_eq!(target.author, f.author, "only the author takes back");
                target.recalled = true;
            }
            Event::ItemRefused(f, _) => {
                if let Some(target) = self.target(conversation, f.target) {
                    target.refused = true;
                }
            }
            Event::Erased(f, _) => {
                for position in &f.positions {
                    self.erased.insert(*position);
                    if let Some((conversation, sequence, text)) = self.bodies.get(position).copied()
                        && let Some(message) = self.target(conversation, sequence)
                    {
                        message.texts[text] = None;
                    }
                }
            }
            Event::LinkItemClosed(f, _) => self.close(f.r#in.as_ref().expect("an item"), &f.code, submitted),
            _ => {}
        }
    }

    /// The message of the run that this is about.
    pub fn target(&mut self, conversation: u64, sequence: u64) -> Option<&mut Message> {
        self.conversations.get_mut(&conversation)?.messages.get_mut(&sequence)
    }

    /// The number here of a person of the run who is not gone.
    pub fn number_of(&self, person: usize) -> Option<u64> {
        self.persons.iter().rev().find(|(number, p)| **p == person && !self.deleted.contains(number)).map(|(number, _)| *number)
    }

    fn person(&mut self, number: u64, name: Option<&str>) {
        if let Some(person) = name.and_then(crate::people::person_of) {
            self.persons.insert(number, person);
        }
    }

    fn said_in(&self, link_in: Option<&startalk_protocol::pb::events::LinkIn>, submitted: &Submitted) -> Option<u64> {
        match item_of(link_in?, submitted)??.kind? {
            Kind::Message(m) => Some(words::message_of(&words::words(&m.content))),
            _ => None,
        }
    }

    fn blocks(&self, account: u64, person: u64, peer: u64) -> bool {
        self.blocked.contains(&(account, person, 0)) || (peer != 0 && self.blocked.contains(&(account, 0, peer)))
    }

    /// A message of another domain took effect: it was allowed to.
    fn may_receive(&self, record: &Recorded, author: u64) {
        let c = self.conversations.get(&record.conversation).expect("an open conversation");
        let at = format!("node {} position {}", self.place, record.position);
        assert!(c.peer != 0 && author == c.b, "{at}: a domain speaks for its own people only");
        assert!(self.live.contains(&c.a), "{at}: nobody is there to hear it");
        assert!(!self.blocks(c.a, c.b, c.peer), "{at}: it is blocked");
        assert!(!c.refused, "{at}: it was refused");
        assert!(!c.request || c.request_messages < REQUEST_MESSAGES_MAX, "{at}: too many before a decision");
    }

    /// An item had no effect: whether that is right.
    fn close(&mut self, link_in: &startalk_protocol::pb::events::LinkIn, code: &str, submitted: &Submitted) {
        let Some(item) = item_of(link_in, submitted) else { return };
        let Some(item) = item else { return }; // withheld: the sender's side is looked at
        let peer = link_in.peer;
        let place = self.peers[&peer];
        let account = crate::people::person_of(&item.to)
            .filter(|p| crate::people::home_of(*p) == self.place)
            .and_then(|p| self.number_of(p));
        let author = crate::people::person_of(&item.from).and_then(|from| self.number_of(from));
        let conversation =
            account.zip(author).and_then(|(a, b)| self.conversations.values().find(|c| c.peer == peer && c.a == a && c.b == b));
        let message = match &item.kind {
            Some(Kind::Message(m)) => words::message_of(&words::words(&m.content)),
            Some(Kind::Edit(e)) => words::message_of(&words::words(&e.content)),
            _ => return,
        };
        let known = conversation.and_then(|c| c.messages.values().find(|m| m.message == message));
        let waiting = self.conversations.values().filter(|c| c.request && c.peer == peer && Some(c.a) == account).count();
        let why = match (&item.kind, account, conversation) {
            (_, None, _) => "no such account",
            (_, Some(account), _) if !self.live.contains(&account) => "the account cannot hear",
            (_, Some(account), _) if self.blocks(account, author.unwrap_or(0), peer) => "blocked",
            (Some(Kind::Message(m)), _, _) if known.is_some_and(|k| k.id.0[..] == m.id[..]) => "had already",
            (Some(Kind::Edit(_)), _, _) if known.is_none() => "the message is not here",
            (Some(Kind::Edit(_)), _, _) if known.is_some_and(|k| k.recalled) => "recalled",
            (_, _, Some(c)) if c.refused => "refused by the person",
            (_, _, Some(c)) if c.request && c.request_messages >= REQUEST_MESSAGES_MAX => "too many before a decision",
            (Some(Kind::Message(_)), _, None) if waiting >= limits::REQUESTS_PER_DOMAIN_MAX => "too many requests",
            (_, _, c) if c.is_none_or(|c| c.request) && is_code(&item) => "text alone before a decision",
            _ => panic!(
                "node {} position {}: message {message} from node {place} was closed ({code:?}) without a reason",
                self.place, self.head
            ),
        };
        self.closed.entry(message).or_default().push(Closed { code: code.to_owned(), why });
    }
}

/// The item: `None` if it was not seen, `Some(None)` if it was withheld.
fn item_of(link_in: &startalk_protocol::pb::events::LinkIn, submitted: &Submitted) -> Option<Option<Item>> {
    let epoch = link_in.epoch[..].try_into().ok()?;
    let bytes: &Option<Bytes> = submitted.get(&(link_in.peer, epoch, link_in.sequence))?;
    Some(bytes.as_ref().map(|b| Item::decode(b.clone()).expect("a peer of ours sends items")))
}

fn is_code(item: &Item) -> bool {
    use startalk_protocol::pb::content::{Content, content::Kind as Shape};
    let content = match &item.kind {
        Some(Kind::Message(m)) => &m.content,
        Some(Kind::Edit(e)) => &e.content,
        _ => return false,
    };
    !matches!(Content::decode(content.clone()).map(|c| c.kind), Ok(Some(Shape::Text(_))))
}
