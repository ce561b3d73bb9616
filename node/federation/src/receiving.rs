//! The peer's direction of an open link: verified items become commands, and what became of them becomes an ack.
//!
//! All items of a batch are submitted at once and answered in order; an ack says "durably recorded" because the sequencer
//! answers after its sync. Owns nothing durable: the cursor is in the record of each effect.

use std::sync::Arc;

use parking_lot::Mutex;
use startalk_domain::{
    Answer, Command,
    command::{LinkItem, SubmissionProof},
};
use startalk_link::{Entry, Incoming};
use startalk_protocol::Error;
use startalk_sequencer::Handle;
use tokio::sync::Notify;
use tracing::trace_span;

/// Items of one link on their way through the sequencer.
#[derive(Default)]
pub(crate) struct Receiving {
    replies: Arc<Replies>,
}

#[derive(Default)]
struct Replies {
    wake: Notify,
    inner: Mutex<Recorded>,
}

#[derive(Default)]
struct Recorded {
    up_to: u64,
    refused: Vec<(u64, Error)>,
    failed: Option<Error>,
    outstanding: u64,
    news: bool,
}

/// What the sequencer has answered since it was asked last.
pub(crate) struct News {
    /// Durable up to here.
    pub(crate) up_to: u64,
    /// Refused among it.
    pub(crate) refused: Vec<(u64, Error)>,
}

impl Receiving {
    /// Submits a batch.
    pub(crate) fn submit(
        &self,
        handle: &Handle,
        peer: u64,
        epoch: [u8; 16],
        items: Vec<Incoming>,
        proof: Option<SubmissionProof>,
    ) {
        let proof = proof.map(Arc::new);
        let count = items.len();
        self.replies.inner.lock().outstanding += count as u64;
        // Ends when the last of them is answered.
        let span = trace_span!("recording", peer, first = items.first().map(|item| item.sequence), count);
        span.in_scope(|| tracing::trace!("items: received on the link"));
        for (index, Incoming { sequence, entry, running }) in items.into_iter().enumerate() {
            let item = match entry {
                Entry::Item(bytes) | Entry::Submission(bytes, _) => Some(bytes),
                Entry::Withheld(_) => None,
            };
            let replies = self.replies.clone();
            let last = index + 1 == count;
            let until_last = last.then(|| span.clone());
            let command = Command::ReceiveItem { peer, epoch, item: LinkItem { sequence, running, item, proof: proof.clone() } };
            handle.submit(command, move |answer| {
                let _recorded = until_last;
                replies.answered(sequence, answer, last);
            });
        }
    }

    /// Submits the beginning of the peer's new epoch; what is submitted later comes after it.
    pub(crate) fn begin_epoch(&self, handle: &Handle, peer: u64, epoch: [u8; 16]) {
        self.replies.inner.lock().outstanding += 1;
        let replies = self.replies.clone();
        handle.submit(Command::BeginPeerEpoch { peer, epoch }, move |answer| replies.answered(0, answer, true));
    }

    /// Waits for an answer.
    pub(crate) async fn answered(&self) {
        self.replies.wake.notified().await;
    }

    /// What is new.
    ///
    /// # Errors
    /// An item could neither be recorded nor refused; the link must end, and the item comes again.
    pub(crate) fn news(&self) -> Result<Option<News>, Error> {
        let mut inner = self.replies.inner.lock();
        if let Some(error) = &inner.failed {
            return Err(error.clone());
        }
        if !std::mem::take(&mut inner.news) {
            return Ok(None);
        }
        Ok(Some(News { up_to: inner.up_to, refused: std::mem::take(&mut inner.refused) }))
    }

    /// Waits until everything that was submitted is answered: only then do the views say where the next link begins.
    pub(crate) async fn drained(&self) {
        loop {
            let answered = self.replies.wake.notified();
            if self.replies.inner.lock().outstanding == 0 {
                return;
            }
            answered.await;
        }
    }
}

impl Replies {
    /// On the write loop's thread.
    fn answered(&self, sequence: u64, answer: Result<Answer, Error>, last: bool) {
        let mut inner = self.inner.lock();
        inner.outstanding -= 1;
        match answer {
            Ok(answer) => {
                if let Answer::Item { refused: Some(error) } = answer {
                    inner.refused.push((sequence, error));
                }
                inner.up_to = inner.up_to.max(sequence);
                inner.news = true;
            }
            Err(error) => {
                // The first says why; those after it only that one before them is missing.
                inner.failed.get_or_insert(error);
            }
        }
        let wake = last || inner.failed.is_some() || inner.outstanding == 0;
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
    }
}
