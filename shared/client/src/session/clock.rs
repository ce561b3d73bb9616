//! What waits for its time: marks, gaps, requests without a connection, and keeping how far was heard.
//!
//! Invariant: what is kept as heard was handled by the taker of events.

use startalk_protocol::pb::client::{Mark, client_frame::Frame as Ask};

use super::{
    Item,
    engine::{Engine, Waiting},
};
use crate::ClientError;

/// Marks are collected for so long.
const MARKS_MS: i64 = 100;
/// A gap left by a push is asked about after so long.
const GAP_MS: i64 = 200;
/// How far was heard is kept at most so often.
const CHECKPOINT_MS: i64 = 1000;

impl Engine {
    /// Time has come to do what waits. Returns when it comes next.
    pub fn tick(&mut self, now_ms: i64, handled: u64) -> Option<i64> {
        let mut next: Vec<Option<i64>> = vec![self.outbox.due(now_ms)];
        while self.asks.front().is_some_and(|a| a.until_ms <= now_ms) {
            if let Some(late) = self.asks.pop_front() {
                drop(late.reply.send(Err(ClientError::Offline)));
            }
        }
        next.push(self.asks.front().map(|a| a.until_ms));
        if self.link.is_some() {
            if due(&mut self.marks_since, !self.marks.is_empty(), MARKS_MS, now_ms, &mut next) {
                for (conversation, (delivered, read)) in std::mem::take(&mut self.marks) {
                    let mark = Mark { conversation, delivered, read };
                    self.ask(Ask::Mark(mark), Waiting::Mark(mark));
                }
            }
            if due(&mut self.gaps_since, self.synced && self.book.has_gaps(), GAP_MS, now_ms, &mut next) {
                self.ask_about_gaps();
            }
        }
        if let Some((number, heard)) = &self.to_keep
            && handled >= *number
        {
            if let Err(e) = self.store.set_heard(heard) {
                tracing::warn!("how far was heard could not be kept: {e}");
            }
            self.to_keep = None;
        }
        if self.dirty || self.to_keep.is_some() {
            if now_ms >= self.checkpoint_at {
                self.make_checkpoint(now_ms);
            }
            next.push(Some(self.checkpoint_at));
        }
        next.into_iter().flatten().min()
    }

    fn ask_about_gaps(&mut self) {
        let mut events = Vec::new();
        for history in self.book.questions(&mut events) {
            let conversation = history.conversation;
            self.ask(Ask::History(history), Waiting::Fill(conversation));
        }
        self.tell(events);
    }

    fn make_checkpoint(&mut self, now_ms: i64) {
        self.checkpoint_at = now_ms + CHECKPOINT_MS;
        if let Err(e) = self.store.sync() {
            tracing::warn!("the store could not be synced: {e}");
        }
        // While what was lost is not offered again, a process that ends must find the old cursor, and see it too.
        if self.dirty && self.to_keep.is_none() && self.gone_back.is_none() && self.synced {
            self.dirty = false;
            self.checkpoint += 1;
            self.to_keep = Some((self.checkpoint, self.book.save(&self.cursor)));
            self.events.push_back(Item::Checkpoint(self.checkpoint));
        }
    }
}

/// Whether what began to wait has waited long enough.
fn due(since: &mut Option<i64>, waits: bool, wait_ms: i64, now_ms: i64, next: &mut Vec<Option<i64>>) -> bool {
    if !waits {
        *since = None;
        return false;
    }
    let at = *since.get_or_insert(now_ms) + wait_ms;
    if now_ms >= at {
        *since = None;
        return true;
    }
    next.push(Some(at));
    false
}
