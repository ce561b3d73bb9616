//! What others leave for a peer's task, and what it shows them: flags and short lists, never a wait.
//!
//! The write loop's thread sets flags here, so nothing in it blocks. Flags stay set until the task has taken them; the
//! wake-up only says that there is something.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use startalk_net::Found;
use startalk_protocol::{Code, DomainName, Error, limits::LINK_ITEMS_OUTSTANDING_MAX, pb::link::Ephemeral, trust::Endpoint};
use tokio::sync::{Notify, oneshot};

use crate::{
    config::{EPHEMERALS_WAITING_MAX, INCOMING_MAX, QUESTIONS_WAITING_MAX},
    opening::Arrived,
    quota::Used,
    status::Status,
};

/// One peer, as everybody but its task sees it.
pub(crate) struct Slot {
    pub(crate) domain: DomainName,
    /// 0 while it has none.
    number: AtomicU64,
    pub(crate) wake: Notify,
    items: AtomicBool,
    signals: Mutex<Signals>,
    pub(crate) status: Mutex<Status>,
    pub(crate) used: Mutex<Used>,
    pub(crate) refused: Mutex<RefusedLately>,
    pub(crate) known: Mutex<Known>,
}

#[derive(Default)]
struct Signals {
    stop: bool,
    reconnect: bool,
    changed: bool,
    arrived: VecDeque<Arrived>,
    ephemerals: VecDeque<Ephemeral>,
    /// Conversation numbers.
    groups: BTreeSet<u64>,
    group_marks: BTreeSet<u64>,
    questions: VecDeque<Question>,
}

/// Something to be asked of the peer as soon as there is a link, and where the answer goes.
pub(crate) struct Question {
    pub(crate) what: Bytes,
    /// The feature that the peer must have.
    pub(crate) feature: &'static str,
    pub(crate) reply: oneshot::Sender<Result<Bytes, Error>>,
}

impl Question {
    /// The peer's program is too old for it: whoever waits hears so. False, for it does not wait any longer.
    pub(crate) fn cannot_be_asked(&mut self) -> bool {
        let (gone, _) = oneshot::channel();
        let reply = std::mem::replace(&mut self.reply, gone);
        let _ = reply.send(Err(Error::new(Code::NotAllowedHere).with("what", self.feature)));
        false
    }
}

/// How the peer was reached and found last; only to be faster the next time.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) found: Option<Found>,
    /// Of its last record.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The last link that we dialed ran over TLS.
    pub(crate) needs_tls: bool,
}

/// What was refused among the last items of the peer, which may not have heard it.
#[derive(Default)]
pub(crate) struct RefusedLately {
    epoch: [u8; 16],
    errors: BTreeMap<u64, Error>,
}

impl RefusedLately {
    pub(crate) fn add(&mut self, epoch: [u8; 16], sequence: u64, error: Error) {
        if self.epoch != epoch {
            *self = Self { epoch, ..Self::default() };
        }
        self.errors.insert(sequence, error);
        let from = sequence.saturating_sub(LINK_ITEMS_OUTSTANDING_MAX);
        while self.errors.first_key_value().is_some_and(|(first, _)| *first <= from) {
            self.errors.pop_first();
        }
    }

    /// Those that the peer may not have heard, if it has heard of everything up to `recorded` but them.
    pub(crate) fn up_to(&self, epoch: [u8; 16], recorded: u64) -> Vec<(u64, Error)> {
        if self.epoch != epoch {
            return Vec::new();
        }
        let from = recorded.saturating_sub(LINK_ITEMS_OUTSTANDING_MAX) + 1;
        if from > recorded {
            return Vec::new();
        }
        self.errors.range(from..=recorded).map(|(n, e)| (*n, e.clone())).collect()
    }
}

impl Slot {
    pub(crate) fn new(domain: DomainName, number: u64) -> Arc<Self> {
        Arc::new(Self {
            domain,
            number: AtomicU64::new(number),
            wake: Notify::new(),
            items: AtomicBool::new(true),
            signals: Mutex::default(),
            status: Mutex::default(),
            used: Mutex::default(),
            refused: Mutex::default(),
            known: Mutex::default(),
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    // What others leave.

    /// There is more in the outbox.
    pub(crate) fn items(&self) {
        if !self.items.swap(true, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }

    /// What decides about the link (a rule, our epoch) may have changed.
    pub(crate) fn changed(&self) {
        self.signals.lock().changed = true;
        self.wake.notify_one();
    }

    pub(crate) fn reconnect(&self) {
        self.signals.lock().reconnect = true;
        self.wake.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.signals.lock().stop = true;
        self.wake.notify_one();
    }

    /// A judged link; given back if too many wait.
    pub(crate) fn arrived(&self, arrived: Arrived) -> Result<(), Box<Arrived>> {
        let mut signals = self.signals.lock();
        if signals.stop || signals.arrived.len() >= INCOMING_MAX {
            return Err(Box::new(arrived));
        }
        signals.arrived.push_back(arrived);
        drop(signals);
        self.wake.notify_one();
        Ok(())
    }

    /// The peer has to hear of a group, or we of one of its groups.
    pub(crate) fn group(&self, conversation: u64) {
        if self.signals.lock().groups.insert(conversation) {
            self.wake.notify_one();
        }
    }

    /// Somebody here has read on in a group of the peer's; no reason to make a link.
    pub(crate) fn group_marks(&self, conversation: u64) {
        if self.signals.lock().group_marks.insert(conversation) {
            self.wake.notify_one();
        }
    }

    /// Asks; the answer is an error at once if too many wait.
    pub(crate) fn ask(&self, question: Question) {
        let mut signals = self.signals.lock();
        if signals.questions.len() >= QUESTIONS_WAITING_MAX {
            let _ = question.reply.send(Err(Error::new(Code::SlowDown).with("seconds", 1)));
            return;
        }
        signals.questions.push_back(question);
        drop(signals);
        self.wake.notify_one();
    }

    pub(crate) fn ephemeral(&self, ephemeral: Ephemeral) {
        let mut signals = self.signals.lock();
        if signals.ephemerals.len() < EPHEMERALS_WAITING_MAX {
            signals.ephemerals.push_back(ephemeral);
        }
        drop(signals);
        self.wake.notify_one();
    }

    // What the task takes.

    pub(crate) fn take_items(&self) -> bool {
        self.items.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn take_changed(&self) -> bool {
        std::mem::take(&mut self.signals.lock().changed)
    }

    pub(crate) fn take_reconnect(&self) -> bool {
        std::mem::take(&mut self.signals.lock().reconnect)
    }

    pub(crate) fn take_arrived(&self) -> Option<Arrived> {
        self.signals.lock().arrived.pop_front()
    }

    pub(crate) fn take_ephemerals(&self) -> VecDeque<Ephemeral> {
        std::mem::take(&mut self.signals.lock().ephemerals)
    }

    pub(crate) fn take_groups(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.signals.lock().groups)
    }

    pub(crate) fn take_group_marks(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.signals.lock().group_marks)
    }

    pub(crate) fn take_question(&self) -> Option<Question> {
        self.signals.lock().questions.pop_front()
    }

    /// Whether somebody waits for an answer.
    pub(crate) fn has_questions(&self) -> bool {
        self.signals.lock().questions.iter().any(|question| !question.reply.is_closed())
    }

    /// Whether there is a group to speak of.
    pub(crate) fn has_groups(&self) -> bool {
        !self.signals.lock().groups.is_empty()
    }

    pub(crate) fn stopping(&self) -> bool {
        self.signals.lock().stop
    }

    /// Whether there is something that a dial in progress must give way to.
    pub(crate) fn interrupts(&self) -> bool {
        let signals = self.signals.lock();
        signals.stop || !signals.arrived.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_again_as_long_as_the_peer_may_not_have_heard_them() {
        let told = |refused: &RefusedLately, up_to| refused.up_to([1; 16], up_to).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        let mut refused = RefusedLately::default();
        assert!(told(&refused, 0).is_empty());
        for sequence in [1, 5, 9] {
            refused.add([1; 16], sequence, Code::Blocked.into());
        }
        assert_eq!(told(&refused, 5), [1, 5], "of what is durable only");
        assert_eq!(told(&refused, LINK_ITEMS_OUTSTANDING_MAX + 4), [5, 9], "of what may be unheard only");
        assert!(refused.up_to([2; 16], 9).is_empty(), "of another epoch nothing");
        refused.add([1; 16], LINK_ITEMS_OUTSTANDING_MAX + 5, Code::Blocked.into());
        assert_eq!(refused.errors.len(), 2, "and no more is kept");
        refused.add([2; 16], 1, Code::Blocked.into());
        assert_eq!((refused.errors.len(), refused.epoch), (1, [2; 16]));
    }
}
