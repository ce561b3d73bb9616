//! After a node went back in time: which own messages it does not have any more, and offering them again.
//!
//! Looks for each message of the ring where it stood: a restored journal is a beginning of the old one, so a message is
//! there under the same number and id, or it is gone. What is offered again carries its id, so the node never doubles
//! it. Owns nothing that is kept: a process that ends in between begins anew, because the old cursor is kept.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use startalk_protocol::{
    Code,
    limits::PAGE_MESSAGES_MAX,
    pb::client::{History, Page, client_frame::Frame as Ask},
};

use super::engine::{Engine, Waiting};
use crate::{event::CommandKind, outbox::kind_of, store::Queued};

/// What is being found out.
#[derive(Default)]
pub(super) struct GoneBack {
    /// By conversation.
    checks: HashMap<u64, Check>,
    /// Numbers of messages that are gone.
    missing: Vec<u64>,
    /// Messages that were recalled and are there again: conversation, sequence and id.
    recalled: Vec<(u64, u64, Bytes)>,
}

struct Check {
    /// By sequence and number: id, and whether it was recalled.
    left: BTreeMap<(u64, u64), (Bytes, bool)>,
}

impl Engine {
    /// Edits, recalls and acts name things by numbers that may mean others now; so do sends without a person or a group.
    /// What waited for a group's home was lost with its number, and may have been recorded.
    pub(super) fn fail_what_means_numbers(&mut self) {
        let means_numbers = |q: &Queued| match kind_of(q) {
            CommandKind::Send => q.to.is_empty() && q.group.is_empty(),
            CommandKind::Edit | CommandKind::Recall | CommandKind::Act => true,
            CommandKind::CreateGroup | CommandKind::JoinGroup | CommandKind::DecideGroupInvitation => false,
        };
        let waiting: Vec<u64> = self.outbox.waiting().map(|s| s.queued.counter).collect();
        for counter in waiting {
            let event = self.outbox.never_placed(counter, Code::WentBack.into(), true);
            self.tell(event);
        }
        let doomed: Vec<u64> = self.outbox.pending().filter(|q| means_numbers(q)).map(|q| q.counter).collect();
        for counter in doomed {
            let event = self.outbox.fail(counter, Code::WentBack.into());
            self.tell(event);
        }
    }

    /// All conversations are known: asks for the messages of the ring.
    pub(super) fn begin_checks(&mut self) {
        self.renumber_groups();
        let mut gone_back = GoneBack::default();
        for said in self.outbox.ring() {
            let recalled = said.queued.content.is_empty();
            let number = self.number_of(&said.queued);
            let there = number.and_then(|c| self.book.get(c)).filter(|c| c.head >= said.sequence);
            match there {
                Some(conversation) => {
                    let check =
                        gone_back.checks.entry(conversation.conversation).or_insert_with(|| Check { left: BTreeMap::new() });
                    check.left.insert((said.sequence, said.queued.counter), (said.id.clone(), recalled));
                }
                None if !recalled && number.is_some() | !said.queued.to.is_empty() => gone_back.missing.push(said.queued.counter),
                None => {}
            }
        }
        let conversations: Vec<u64> = gone_back.checks.keys().copied().collect();
        self.gone_back = Some(gone_back);
        for conversation in &conversations {
            self.check_next(*conversation);
        }
        if conversations.is_empty() {
            self.offer_again(0);
        }
    }

    /// The conversation that a command goes to, by what does not change.
    fn number_of(&self, queued: &Queued) -> Option<u64> {
        if queued.group.is_empty() { self.book.with(&queued.to) } else { self.book.of_group(&queued.group) }
    }

    /// What is still to be said in groups goes to the numbers that they have now.
    fn renumber_groups(&mut self) {
        let in_groups: Vec<(u64, Option<u64>)> = self
            .outbox
            .pending()
            .filter(|q| !q.group.is_empty() && kind_of(q) == CommandKind::Send)
            .map(|q| (q.counter, self.book.of_group(&q.group)))
            .collect();
        for (counter, number) in in_groups {
            match number {
                Some(number) => self.outbox.renumber(counter, number),
                None => {
                    let event = self.outbox.fail(counter, Code::WentBack.into());
                    self.tell(event);
                }
            }
        }
    }

    fn check_next(&mut self, conversation: u64) {
        let last = self
            .gone_back
            .as_ref()
            .and_then(|g| g.checks.get(&conversation))
            .and_then(|c| c.left.last_key_value().map(|((s, _), _)| *s));
        if let Some(last) = last {
            let history = History { conversation, before: last + 1, after: 0, limit: PAGE_MESSAGES_MAX as u32 };
            self.ask(Ask::History(history), Waiting::Check(conversation));
        }
    }

    /// A page that holds, or does not hold, messages of the ring.
    pub(super) fn checked(&mut self, conversation: u64, page: Option<Page>, now_ms: i64) {
        let Some(gone_back) = &mut self.gone_back else { return };
        let Some(check) = gone_back.checks.get_mut(&conversation) else { return };
        let page = page.unwrap_or_default();
        for ((sequence, counter), (id, recalled)) in check.left.split_off(&(page.first, 0)) {
            match page.messages.iter().find(|m| m.sequence == sequence && m.id == id) {
                Some(message) if recalled && !message.recalled => gone_back.recalled.push((conversation, sequence, id)),
                Some(_) => {}
                None if !recalled => gone_back.missing.push(counter),
                None => {}
            }
        }
        if check.left.is_empty() {
            gone_back.checks.remove(&conversation);
        }
        if gone_back.checks.is_empty() {
            self.offer_again(now_ms);
        } else {
            self.check_next(conversation);
        }
    }

    fn offer_again(&mut self, now_ms: i64) {
        let Some(GoneBack { missing, recalled, .. }) = self.gone_back.take() else { return };
        if let Err(e) = self.outbox.offer_again(&mut *self.store, &missing) {
            tracing::error!("messages that the node lost could not be offered again: {e}");
        }
        self.renumber_groups();
        for (conversation, target, known_id) in recalled {
            let queued = Queued { kind: 3, conversation, target, known_id, ..Queued::default() };
            if let Err(e) = self.accept(queued, now_ms) {
                tracing::error!("a message that was recalled could not be recalled again: {e}");
            }
        }
        self.ready();
    }
}
