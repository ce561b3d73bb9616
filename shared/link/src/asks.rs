//! Questions, answers and notes beside the log class: bytes that this crate does not read. federation-spec/03-link.md §8a
//!
//! Each question has one answer, in any order; all are gone with the link, and whoever still wants to know asks again on
//! the next. Invariant: what waits is bounded, in number and in bytes, in both directions.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use startalk_protocol::{
    Code, Error,
    limits::{LINK_ANSWERS_BYTES_MAX, LINK_ASK_BYTES_MAX, LINK_ASKS_MAX, LINK_FRAME_BYTES_MAX, LINK_NOTES_BYTES_MAX},
    pb::link::{Answer, Ask, Note, answer, frame::Frame as Kind},
};

use crate::{
    event::Event,
    frame::{error_in, error_out, malformed},
};

/// Bytes of an answer at most: a frame with room for what is around it.
const ANSWER_BYTES_MAX: usize = LINK_FRAME_BYTES_MAX - 1024;

#[derive(Debug, Default)]
pub(crate) struct Asks {
    next: u64,
    /// Ours without an answer.
    asked: BTreeSet<u64>,
    /// The peer's without an answer.
    owed: BTreeSet<u64>,
    out: VecDeque<Kind>,
    /// Answers among what waits to go out: one that says only why there is none costs the peer a question, too.
    answers: usize,
    answers_bytes: usize,
    notes_bytes: usize,
}

impl Asks {
    /// Asks; the number that the answer will have. `None` while too many have no answer.
    pub(crate) fn ask(&mut self, what: Bytes) -> Option<u64> {
        if self.asked.len() >= LINK_ASKS_MAX || what.len() > LINK_ASK_BYTES_MAX {
            return None;
        }
        self.next += 1;
        self.asked.insert(self.next);
        self.out.push_back(Kind::Ask(Ask { id: self.next, what }));
        Some(self.next)
    }

    /// Answers the peer's question. An answer that is too large, or one too many that waits, is an error instead.
    pub(crate) fn answer(&mut self, id: u64, answer: Result<Bytes, Error>) {
        if !self.owed.remove(&id) {
            return;
        }
        let answer = answer.and_then(|what| {
            let room = what.len() <= ANSWER_BYTES_MAX && self.answers_bytes + what.len() <= LINK_ANSWERS_BYTES_MAX;
            if room { Ok(what) } else { Err(Error::new(Code::SlowDown).with("seconds", 1)) }
        });
        let answer = match answer {
            Ok(what) => {
                self.answers_bytes += what.len();
                answer::Answer::What(what)
            }
            Err(error) => answer::Answer::Error(error_out(error)),
        };
        self.answers += 1;
        self.out.push_back(Kind::Answer(Answer { id, answer: Some(answer) }));
    }

    /// Tells something; whether there was room for it.
    pub(crate) fn note(&mut self, what: Bytes) -> bool {
        let room = what.len() <= ANSWER_BYTES_MAX && self.notes_bytes + what.len() <= LINK_NOTES_BYTES_MAX;
        if room {
            self.notes_bytes += what.len();
            self.out.push_back(Kind::Note(Note { what }));
        }
        room
    }

    pub(crate) fn transmit(&mut self) -> Option<Kind> {
        let next = self.out.pop_front()?;
        match &next {
            Kind::Answer(Answer { answer, .. }) => {
                self.answers -= 1;
                if let Some(answer::Answer::What(what)) = answer {
                    self.answers_bytes -= what.len();
                }
            }
            Kind::Note(note) => self.notes_bytes -= note.what.len(),
            _ => {}
        }
        Some(next)
    }

    /// Whether the peer has asked so much that nothing more is read until some of it is answered, and the answers are
    /// taken: who asks and never reads must not fill our memory with answers.
    pub(crate) fn is_full(&self) -> bool {
        self.owed.len() + self.answers >= LINK_ASKS_MAX
    }

    pub(crate) fn asked(&mut self, ask: Ask) -> Result<Event, Error> {
        if ask.what.len() > LINK_ASK_BYTES_MAX {
            return Err(too_large("A question", ask.what.len()));
        }
        if self.owed.len() >= LINK_ASKS_MAX {
            return Err(Error::new(Code::TooMany).with("what", "questions without an answer").with("max", LINK_ASKS_MAX));
        }
        if ask.id == 0 || !self.owed.insert(ask.id) {
            return Err(malformed("a question with a number of its own"));
        }
        Ok(Event::Asked { id: ask.id, what: ask.what })
    }

    pub(crate) fn answered(&mut self, answer: Answer) -> Result<Event, Error> {
        if !self.asked.remove(&answer.id) {
            return Err(malformed("an answer to what was asked"));
        }
        let id = answer.id;
        match answer.answer {
            Some(answer::Answer::What(what)) => Ok(Event::Answered { id, answer: Ok(what) }),
            Some(answer::Answer::Error(error)) => Ok(Event::Answered { id, answer: Err(error_in(error)) }),
            None => Err(malformed("an answer, or why there is none")),
        }
    }
}

fn too_large(what: &str, got: usize) -> Error {
    Error::new(Code::TooLarge).with("what", what).with("got", got).with("max", LINK_ASK_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_each_question_has_one_answer() {
        let mut asks = Asks::default();
        let ids: Vec<u64> = std::iter::from_fn(|| asks.ask(Bytes::from_static(b"?"))).collect();
        assert_eq!(ids.len(), LINK_ASKS_MAX);
        assert!(asks.answered(Answer { id: 99, answer: None }).is_err());
        let good = Answer { id: 1, answer: Some(answer::Answer::What(Bytes::from_static(b"!"))) };
        asks.answered(good.clone()).unwrap();
        assert!(asks.answered(good).is_err(), "one answer");
        assert!(asks.ask(Bytes::new()).is_some(), "there is room again");
        asks.asked(Ask { id: 7, what: Bytes::new() }).unwrap();
        assert!(asks.asked(Ask { id: 7, what: Bytes::new() }).is_err());
        asks.answer(7, Ok(Bytes::from(vec![0; LINK_FRAME_BYTES_MAX])));
        let frames: Vec<Kind> = std::iter::from_fn(|| asks.transmit()).collect();
        let refused = |k: &Kind| matches!(k, Kind::Answer(Answer { answer: Some(answer::Answer::Error(_)), .. }));
        assert!(frames.last().is_some_and(refused), "too large an answer is an error");
        let mut unread = Asks::default();
        let mut id = 0;
        while !unread.is_full() {
            id += 1;
            unread.asked(Ask { id, what: Bytes::new() }).unwrap();
            unread.answer(id, Err(Code::NotMember.into()));
        }
        assert_eq!(id, LINK_ASKS_MAX as u64, "whoever reads no answers is not read");
        unread.transmit().unwrap();
        assert!(!unread.is_full());
        let mut told = 0;
        while asks.note(Bytes::from(vec![0; 1000])) {
            told += 1;
        }
        assert_eq!(told, LINK_NOTES_BYTES_MAX / 1000);
    }
}
