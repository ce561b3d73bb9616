//! Delivered and read marks on their way to the journal: pushed to whoever is connected at once, journaled as one
//! command every few seconds, only the latest of each.
//!
//! Owns what waits. When it is journaled it is pushed once more, with a position, for those who connected meanwhile.
//! A crash loses a few seconds of marks; a client marks again what it shows.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use startalk_domain::{Command, command::MarkMove, conversations, delivery, timeline};
use startalk_protocol::{
    Code, Error,
    pb::client::{self as pb, pushed::What, server_frame::Frame},
};

use crate::{
    convert,
    gateway::Inner,
    session::{Identity, Session},
};

/// Marks in one command: its record stays far below the limit of facts.
const MARKS_PER_COMMAND: usize = 500;
/// Marks that wait at most; the next one has them journaled at once.
const WAITING_MAX: usize = 20_000;

/// Marks not journaled yet, by account and conversation.
#[derive(Default)]
pub(crate) struct Marks(Mutex<HashMap<(u64, u64), MarkMove>>);

impl Marks {
    fn put(&self, mark: MarkMove) -> usize {
        let mut waiting = self.0.lock();
        let now = waiting.entry((mark.account, mark.conversation)).or_insert(mark);
        (now.delivered, now.read) = (now.delivered.max(mark.delivered), now.read.max(mark.read));
        waiting.len()
    }

    fn take(&self) -> Vec<MarkMove> {
        std::mem::take(&mut *self.0.lock()).into_values().collect()
    }

    fn of(&self, account: u64, conversation: u64) -> (u64, u64) {
        self.0.lock().get(&(account, conversation)).map_or((0, 0), |m| (m.delivered, m.read))
    }
}

impl Inner {
    /// A device says how far its account has got.
    pub(crate) fn mark(self: &Arc<Self>, session: &Session, identity: &Identity, request: &pb::Mark) -> Result<Frame, Error> {
        let (account, conversation) = (identity.actor.account, request.conversation);
        let store = &*self.config.views.store;
        // In a group nobody else is told; who wants to know asks.
        let direct = conversations::direct(store, conversation).filter(|d| d.has(account));
        let (now, head) = match &direct {
            Some(_) => {
                let head = timeline::head(store, conversation).sequence;
                (delivery::marks_of(store, conversation, account), head)
            }
            None => self.group_marks(account, conversation)?,
        };
        let waiting = self.marks.of(account, conversation);
        let known = (now.delivered.max(waiting.0), now.read.max(waiting.1));
        let read = request.read.min(head).max(known.1);
        let delivered = request.delivered.min(head).max(read).max(known.0);
        let done = Ok(Frame::Done(pb::Done {}));
        if (delivered, read) == known {
            return done;
        }
        if self.marks.put(MarkMove { account, conversation, delivered, read }) >= WAITING_MAX {
            self.flush_marks();
        }
        let marks = pb::MarksNow { user: identity.user.to_string(), delivered, read };
        let frame = convert::pushed(conversation, What::Marks(marks));
        let told = direct.map_or_else(|| vec![account], |d| d.told_of_marks(account).collect());
        for member in told {
            self.registry.each(member, |other| {
                if other.number != session.number {
                    other.push(&frame, self.config.limits.outbox_bytes);
                }
            });
        }
        done
    }

    /// Has the waiting marks journaled.
    pub(crate) fn flush_marks(self: &Arc<Self>) {
        for marks in self.marks.take().chunks(MARKS_PER_COMMAND) {
            let (gateway, again) = (self.clone(), marks.to_vec());
            self.config.handle.submit(Command::MoveMarks { marks: marks.to_vec() }, move |result| {
                if result.is_err_and(|e| e.code.retry_helps() && e.code != Code::Stopping) {
                    again.into_iter().for_each(|m| {
                        gateway.marks.put(m);
                    });
                }
            });
        }
        for command in self.take_played() {
            // A crash loses a few seconds of these too; a person who listens again marks again.
            self.config.handle.submit(command, |_| {});
        }
    }

    /// The same, and waits for it.
    pub(crate) async fn flush_marks_now(&self) {
        for marks in self.marks.take().chunks(MARKS_PER_COMMAND) {
            if let Err(error) = self.ask(Command::MoveMarks { marks: marks.to_vec() }).await {
                tracing::warn!(marks = marks.len(), code = error.code.as_str(), "marks were lost at the stop");
            }
        }
        for command in self.take_played() {
            if let Err(error) = self.ask(command).await {
                tracing::warn!(code = error.code.as_str(), "marks of what was listened to were lost at the stop");
            }
        }
    }
}
