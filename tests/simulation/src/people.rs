//! Persons and their devices: what they remember, what waits for an answer, and how they notice that a node went back.
//!
//! Mirrors `shared/client`: an outbox that sends again under the same number until it is answered, a ring of what was
//! answered, and `session::went_back` (what a restored node does not have is offered again under its id). Owns no rule.

use std::collections::VecDeque;

use startalk_domain::{
    Actor, Answer, Command, accounts,
    command::Target,
    conversations, delivery,
    sync::{self, Cursor, Standing},
};
use startalk_protocol::{Code, Error, MessageId, UserId};

use crate::{
    node::{self, Node, Ticket},
    oracle::{Heard, Ledger},
    words,
};

/// Persons that one domain may have in a run.
const PER_HOME: usize = 1000;
/// Answered messages that a device remembers.
const RING: usize = 2000;
/// Commands of a device without an answer at most.
pub const WAITING_MAX: usize = 12;

/// The `k`th person of a node.
pub fn person(home: usize, k: usize) -> usize {
    home * PER_HOME + k
}

/// Where a person is at home.
pub fn home_of(person: usize) -> usize {
    person / PER_HOME
}

/// The person's account name.
pub fn name_of(person: usize) -> String {
    format!("p{person}")
}

/// Back.
pub fn person_of(name: &str) -> Option<usize> {
    name.strip_prefix('p')?.parse().ok()
}

/// The person's full id.
pub fn user_of(person: usize) -> UserId {
    UserId { name: name_of(person).parse().expect("a name"), domain: node::domain(home_of(person)) }
}

/// What a device wants done, under a number.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A message.
    Send { message: u64, to: usize, words: String, code: bool, known: Option<MessageId> },
    /// Another text for it.
    Edit { conversation: u64, sequence: u64, words: String },
    /// Something about a group, with a message of the run if it says one.
    Group { command: Box<Command>, message: Option<u64> },
    /// Taking it back.
    Recall { message: u64, conversation: u64, sequence: u64 },
}

/// A command that was not answered yet.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub counter: u64,
    /// What.
    pub deed: Deed,
    /// Given to the node in this session.
    pub asked: bool,
}

/// A message of this device that was answered.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// Which.
    pub message: u64,
    /// Whom to.
    pub to: usize,
    /// What it said first.
    pub words: String,
    code: bool,
    /// Where it stands.
    pub heard: Heard,
    /// Taken back.
    pub recalled: bool,
    /// A restored node had lost that, and it was too late to take it back again.
    pub stays: bool,
    /// Of the command that was answered.
    counter: u64,
}

/// One device.
#[derive(Default)]
pub struct Device {
    /// Its number in the run.
    pub id: u64,
    /// What it shows to be itself; only its hash is known to the node.
    pub token_hash: [u8; 32],
    counter: u64,
    /// In the order in which it sends them.
    pub waiting: VecDeque<Waiting>,
    /// Oldest first.
    pub ring: Vec<Remembered>,
    cursor: Option<Cursor>,
    /// The highest number that was answered with yes.
    answered: u64,
    /// The process that it is connected with.
    pub session: Option<u64>,
    /// It asked this process to be let in.
    pub signing_in: Option<u64>,
}

/// One person.
pub struct Person {
    /// Their number in the run.
    pub person: usize,
    /// Their devices.
    pub devices: Vec<Device>,
    /// Deleted by themselves.
    pub gone: bool,
}

/// What a device does when it connects.
pub enum Connected {
    /// It goes on.
    GoesOn,
    /// Its token is not known here.
    Unknown,
    /// The node cannot say now.
    NotNow,
}

impl Device {
    /// A device that was never connected.
    pub fn new(id: u64) -> Self {
        Self { id, token_hash: *blake3::hash(&id.to_be_bytes()).as_bytes(), ..Self::default() }
    }

    /// Begins anew under another token: everything of before is forgotten.
    pub fn begin_anew(&mut self, id: u64) {
        *self = Self::new(id);
    }

    /// Queues a deed.
    pub fn queue(&mut self, deed: Deed) {
        self.counter += 1;
        self.waiting.push_back(Waiting { counter: self.counter, deed, asked: false });
    }

    /// Connects with the process: looks whether the node went back.
    pub fn connect(&mut self, node: &mut Node) -> Connected {
        let views = node.views().expect("it runs").clone();
        let Some(actor) = accounts::by_token_hash(&*views.store, &self.token_hash) else { return Connected::Unknown };
        self.waiting.iter_mut().for_each(|w| w.asked = false);
        if self.cursor.is_none() {
            // Who was never told anything knows no numbers, and cannot notice that they mean something else now.
            self.waiting.retain(|w| matches!(w.deed, Deed::Send { .. }));
        }
        // A node that cannot read says so, and is asked again.
        let Ok(standing) = self.cursor.as_ref().map(|c| sync::standing(&*views.journal, c)).transpose() else {
            return Connected::NotNow;
        };
        let mut went_back = delivery::top(&*views.store, actor.device) < self.answered;
        if let Some(cursor) = &self.cursor {
            if let Ok(Some(epoch)) = sync::proves_going_back(&*views.store, &*views.journal, cursor) {
                node.submit(Command::BeginEpoch { epoch, reason: "a device's cursor".into() }, Ticket::Nobody);
            }
            let told = standing == Some(Standing::WentBack);
            let future = cursor.position > node.model.head();
            assert!(told || !future, "device {} heard of a future that is gone, and is not told so", self.id);
            went_back |= told;
        }
        if went_back {
            if !self.offer_again(node, actor) {
                return Connected::NotNow;
            }
            self.answered = self.ring.iter().map(|r| r.counter).max().unwrap_or(0);
        }
        self.hear(node);
        self.session = Some(node.starts);
        Connected::GoesOn
    }

    /// Hears everything up to now, if the node can read.
    pub fn hear(&mut self, node: &Node) {
        let Some(views) = node.views() else { return };
        if let Ok(cursor) = sync::cursor_at(&*views.journal, views.journal.head().position) {
            self.cursor = Some(cursor);
        }
    }

    /// What the node does not have any more is sent again before anything else; what means numbers has failed. Nothing of
    /// it if the node cannot be read now.
    fn offer_again(&mut self, node: &Node, actor: Actor) -> bool {
        let views = node.views().expect("it runs");
        let (mut again, mut recalled, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for r in &self.ring {
            let Heard { conversation, sequence, id } = r.heard;
            let page =
                conversations::page(&views.store, &*views.journal, actor.account, conversation, sequence..=sequence, false);
            let there = match page {
                Ok(page) => page.messages.into_iter().find(|m| m.id == id),
                Err(error) if error.code == Code::Internal => return false,
                Err(_) => None,
            };
            match there {
                Some(message) => {
                    if r.recalled && !message.recalled {
                        recalled.push(Deed::Recall { message: r.message, conversation, sequence });
                    }
                    kept.push(r.clone());
                }
                None if r.recalled => {}
                None => {
                    let (words, code) = (r.words.clone(), r.code);
                    again.push(Deed::Send { message: r.message, to: r.to, words, code, known: Some(id) });
                }
            }
        }
        self.ring = kept;
        self.waiting.retain(|w| matches!(w.deed, Deed::Send { .. }));
        let first: Vec<Waiting> = again
            .into_iter()
            .map(|deed| {
                self.counter += 1;
                Waiting { counter: self.counter, deed, asked: false }
            })
            .collect();
        first.into_iter().rev().for_each(|w| self.waiting.push_front(w));
        recalled.into_iter().for_each(|deed| self.queue(deed));
        true
    }

    /// Gives the node up to `count` of what waits.
    pub fn ask(&mut self, person: usize, node: &mut Node, count: usize) {
        let Some(views) = node.views() else { return };
        let Some(actor) = accounts::by_token_hash(&*views.store, &self.token_hash) else {
            self.session = None;
            return;
        };
        let id = self.id;
        for waiting in self.waiting.iter_mut().filter(|w| !w.asked).take(count) {
            waiting.asked = true;
            let ticket = Ticket::Device { person, device: id, counter: waiting.counter };
            node.submit(command(actor, waiting), ticket);
        }
    }

    /// The node answered a command. Whether it was new to the device.
    pub fn answered(&mut self, ledger: &mut Ledger, home: usize, counter: u64, answer: &Result<Answer, Error>) {
        let Some(at) = self.waiting.iter().position(|w| w.counter == counter && w.asked) else { return };
        match answer {
            Ok(answer) if matches!(self.waiting[at].deed, Deed::Group { .. }) => {
                let waiting = self.waiting.remove(at).expect("found above");
                ledger.accepted += 1;
                self.answered = self.answered.max(counter);
                if let (Answer::Sent { conversation, sequence, .. }, Deed::Group { message: Some(message), .. }) =
                    (answer, waiting.deed)
                    && *sequence != 0
                {
                    ledger.heard_in_groups.push((home, *conversation, *sequence, message));
                }
            }
            Ok(Answer::Sent { conversation, sequence, id, .. }) => {
                let waiting = self.waiting.remove(at).expect("found above");
                ledger.accepted += 1;
                self.answered = self.answered.max(counter);
                let (conversation, sequence) = (*conversation, *sequence);
                match waiting.deed {
                    Deed::Send { message, to, words, code, known } => {
                        let heard = Heard { conversation, sequence, id: *id };
                        assert!(known.is_none_or(|k| k == *id), "message {message} keeps its id");
                        ledger.heard(message, heard);
                        let (recalled, stays) = (false, false);
                        self.ring.push(Remembered { message, to, words, code, heard, recalled, stays, counter });
                        if self.ring.len() > RING {
                            self.ring.remove(0);
                        }
                    }
                    Deed::Recall { message, .. } => {
                        ledger.said.get_mut(&message).expect("somebody said it").given_up = Some("taken back");
                        self.ring.iter_mut().filter(|r| r.message == message).for_each(|r| r.recalled = true);
                    }
                    Deed::Edit { .. } | Deed::Group { .. } => {}
                }
            }
            Ok(other) => panic!("a device's command was answered with {other:?}"),
            Err(error) => match error.code {
                Code::Stopping | Code::DiskFull | Code::SlowDown => self.waiting[at].asked = false,
                Code::Conflict => panic!("command {counter} of device {} was taken for another: {error}", self.id),
                Code::Internal => panic!("command {counter} of device {}: {error}", self.id),
                _ => {
                    let waiting = self.waiting.remove(at).expect("found above");
                    match waiting.deed {
                        Deed::Send { message, known: Some(_), .. } => {
                            ledger.said.get_mut(&message).expect("somebody said it").given_up = Some("the node refused it");
                        }
                        Deed::Recall { message, .. } => {
                            self.ring.iter_mut().filter(|r| r.message == message).for_each(|r| r.stays = true);
                        }
                        _ => {}
                    }
                }
            },
        }
    }
}

fn command(actor: Actor, waiting: &Waiting) -> Command {
    let counter = waiting.counter;
    match &waiting.deed {
        Deed::Send { to, words, code, known, .. } => Command::Send {
            actor,
            to: Target::User(user_of(*to)),
            counter,
            content: words::content(words, *code),
            reply_to: None,
            reply_sequence: 0,
            known_id: *known,
        },
        Deed::Edit { conversation, sequence, words, .. } => Command::Edit {
            actor,
            conversation: *conversation,
            sequence: *sequence,
            counter,
            content: words::content(words, false),
        },
        Deed::Group { command, .. } => signed(command, actor, counter),
        Deed::Recall { conversation, sequence, .. } => {
            Command::Recall { actor, conversation: *conversation, sequence: *sequence, counter }
        }
    }
}

/// The same command by this device under this number.
fn signed(command: &Command, by: Actor, number: u64) -> Command {
    let mut command = command.clone();
    match &mut command {
        Command::CreateGroup { actor, counter, .. }
        | Command::ActInGroup { actor, counter, .. }
        | Command::JoinGroup { actor, counter, .. }
        | Command::DecideGroupInvitation { actor, counter, .. }
        | Command::Send { actor, counter, .. }
        | Command::Edit { actor, counter, .. }
        | Command::Recall { actor, counter, .. } => (*actor, *counter) = (by, number),
        other => panic!("no device says {other:?}"),
    }
    command
}
