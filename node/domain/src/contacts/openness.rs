//! Who may write to an account first, and who sees whether it is there: one rule for people of this domain and of others.
//!
//! Unless an account says otherwise, people of its domain write freely and others ask (their first contact waits for a
//! decision). With a question, whoever writes the answer is let in, and everybody else asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{
    Code, Error, limits,
    pb::events as pb,
    sabotage::{self, Switch},
};
use unicode_normalization::UnicodeNormalization as _;

use super::PREFIX;
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    conversations::content,
    directory::{self, HERE},
    erasure,
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
};

/// Who may write first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstContact {
    /// People of this domain; others ask.
    #[default]
    Unsaid,
    /// Anybody.
    Anyone,
    /// Everybody asks.
    Ask,
    /// Whoever knows the answer; others ask.
    Question,
    /// Nobody.
    Nobody,
}

/// Who is told something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Everybody with whom there is an accepted conversation.
    #[default]
    Everyone,
    /// Of those, people of this domain.
    Domain,
    /// Nobody.
    Nobody,
}

/// What an account says about itself to those who come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openness {
    /// Who may write first.
    pub first_contact: FirstContact,
    /// What they are asked.
    pub question: String,
    /// What lets them in.
    pub answer: String,
    /// Who sees its presence.
    pub presence: Audience,
    /// Who sees when it was last there.
    pub last_seen: Audience,
    /// Of the record that says so; 0: never said.
    pub position: u64,
}

/// What becomes of a first contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A conversation like any other.
    Open,
    /// It waits for a decision.
    Request,
    /// Nothing.
    Refused,
}

impl FirstContact {
    /// Every word, with what it means.
    const ALL: [(&'static str, Self); 5] = [
        ("", Self::Unsaid),
        ("anyone", Self::Anyone),
        ("ask", Self::Ask),
        ("question", Self::Question),
        ("nobody", Self::Nobody),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }

    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(one, _)| *one == word).map(|(_, meant)| *meant)
    }
}

impl Audience {
    /// Every word, with what it means; the first of a meaning is how it is written.
    const ALL: [(&'static str, Self); 4] =
        [("", Self::Everyone), ("everyone", Self::Everyone), ("domain", Self::Domain), ("nobody", Self::Nobody)];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }

    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(one, _)| *one == word).map(|(_, meant)| *meant)
    }

    /// Whether somebody of this domain ([`HERE`], or a peer) is among them.
    pub fn has(self, peer: u64) -> bool {
        match self {
            Self::Everyone => true,
            Self::Domain => peer == HERE,
            Self::Nobody => false,
        }
    }
}

fn key(account: u64) -> Key {
    Key::numbers(PREFIX, b'o', &[account])
}

/// What the account says.
pub fn openness(read: &impl Read, account: u64) -> Arc<Openness> {
    read.get(&key(account)).unwrap_or_default()
}

impl Openness {
    /// What becomes of a first contact by somebody of this domain ([`HERE`]) or a peer.
    pub fn admits(&self, peer: u64) -> Admission {
        if sabotage::is(Switch::AnybodyWritesFirst) {
            return Admission::Open;
        }
        match self.first_contact {
            FirstContact::Unsaid if peer == HERE => Admission::Open,
            FirstContact::Anyone => Admission::Open,
            FirstContact::Unsaid | FirstContact::Ask | FirstContact::Question => Admission::Request,
            FirstContact::Nobody => Admission::Refused,
        }
    }

    /// Whether a message is the answer to the question, whatever its case, width and spaces.
    pub fn is_answer(&self, bytes: &[u8]) -> bool {
        self.first_contact == FirstContact::Question
            && !self.answer.is_empty()
            && content::text_of(bytes).is_some_and(|text| folded(&text) == folded(&self.answer))
    }
}

fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()).collect()
}

pub(crate) fn set_openness(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: Openness) -> Result<Answer, Error> {
    let stream = accounts::account(tx, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream;
    let old = openness(tx, account);
    let new = Openness {
        question: new.question.trim().to_owned(),
        answer: new.answer.trim().to_owned(),
        position: old.position,
        ..new
    };
    for (field, text) in [("question", &new.question), ("answer", &new.answer)] {
        if text.chars().count() > limits::QUESTION_CHARS_MAX || !text.chars().all(directory::is_harmless) {
            let expected = format!("at most {} characters of plain text", limits::QUESTION_CHARS_MAX);
            return Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
        }
        if new.first_contact == FirstContact::Question && folded(text).is_empty() {
            return Err(Error::new(Code::BadValue).with("field", field).with("expected", "a question and its answer"));
        }
    }
    if new == *old {
        return Ok(Answer::Done);
    }
    let facts = pb::OpennessSet {
        account,
        replaces: old.position,
        first_contact: new.first_contact.as_str().to_owned(),
        presence: new.presence.as_str().to_owned(),
        last_seen: new.last_seen.as_str().to_owned(),
    };
    let body = ctx.salted(pb::OpennessSetBody { question: new.question, answer: new.answer });
    tx.emit(New { conversation: stream, event: Event::OpennessSet(facts, Some(body)) });
    if old.position != 0 {
        erasure::erase(tx, vec![old.position], "superseded");
    }
    Ok(Answer::Done)
}

pub(super) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::OpennessSet(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let openness = Openness {
                first_contact: FirstContact::of(&f.first_contact).unwrap_or_default(),
                question: body.question,
                answer: body.answer,
                presence: Audience::of(&f.presence).unwrap_or_default(),
                last_seen: Audience::of(&f.last_seen).unwrap_or_default(),
                position: record.position,
            };
            tx.put(key(f.account), openness);
        }
        Event::AccountDeleted(f, _) => tx.remove(key(f.account)),
        _ => {}
    }
}
