//! Our direction of an open link: the outbox read in ranges and pushed while the link takes them, and what the peer has
//! acknowledged.
//!
//! Owns no item: everything is read from the journal again until it is acknowledged. Reads short ranges at once and long
//! ones on a thread that may block.

use startalk_domain::{
    Command,
    outbox::{self, Outgoing},
};
use startalk_link::{Entry, Link};
use startalk_protocol::{Code, Error, limits::LINK_BATCH_ITEMS_MAX};
use tokio::task::JoinHandle;

use crate::{
    ask::ask,
    config::{BACKLOG_ITEMS, READ_BYTES_MAX, READ_ITEMS_MAX},
    crossing::Crossing,
    shared::{Shared, millis},
    slot::Slot,
};

/// Our outbox began a new epoch; the link that was made for the former one must end.
pub(crate) struct OtherEpoch;

type Job = JoinHandle<Result<Vec<Outgoing>, Error>>;

/// The state of sending on one open link.
pub(crate) struct Sending {
    number: u64,
    epoch: [u8; 16],
    head: u64,
    /// Up to here the peer has what the items do, from a former epoch: they go as hashes.
    has: u64,
    job: Option<(u64, Job)>,
    /// A few items wait for more until then.
    push_at_ms: Option<u64>,
    pub(crate) crossing: Crossing,
}

/// Why nothing more can be sent on this link.
pub(crate) enum Stop {
    OtherEpoch,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Sending {
    pub(crate) fn new(number: u64, epoch: [u8; 16]) -> Self {
        Self { number, epoch, head: 0, has: 0, job: None, push_at_ms: None, crossing: Crossing::default() }
    }

    pub(crate) fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// The peer has what items up to this sequence do.
    pub(crate) fn has(&mut self, up_to: u64) {
        self.has = up_to;
    }

    /// When [`push`](Self::push) is to be called again, if that depends on time.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.push_at_ms
    }

    /// Looks where the outbox ends now.
    pub(crate) fn look(&mut self, shared: &Shared) -> Result<(), OtherEpoch> {
        let outbox = outbox::outbox(&*shared.config.views.store, self.number);
        if outbox.epoch != self.epoch {
            return Err(OtherEpoch);
        }
        self.head = outbox.head();
        Ok(())
    }

    /// Gives the link what there is and what it takes.
    pub(crate) fn push(&mut self, shared: &Shared, link: &mut Link) -> Result<(), Stop> {
        while self.job.is_none()
            && let Some(next) = link.next_to_push()
            && next <= self.head
        {
            let room = link.can_push();
            if room == 0 {
                return Ok(());
            }
            let waiting = self.head - next + 1;
            if waiting < LINK_BATCH_ITEMS_MAX as u64 && !self.lingered(shared) {
                return Ok(());
            }
            self.push_at_ms = None;
            let to = self.head.min(next + room.min(READ_ITEMS_MAX) - 1);
            if waiting > BACKLOG_ITEMS {
                let (views, number) = (shared.config.views.clone(), self.number);
                let read = move || outbox::items(&*views.store, &*views.journal, number, next, to, READ_BYTES_MAX);
                self.job = Some((next, tokio::task::spawn_blocking(read)));
            } else {
                let views = &shared.config.views;
                let items = outbox::items(&*views.store, &*views.journal, self.number, next, to, READ_BYTES_MAX)?;
                self.give(shared, link, next, items)?;
            }
        }
        Ok(())
    }

    /// Waits for the range that is being read; for ever if none is. Safe to cancel.
    pub(crate) async fn read(&mut self) -> (u64, Result<Vec<Outgoing>, Error>) {
        let Some((first, job)) = &mut self.job else { return std::future::pending().await };
        let first = *first;
        let items = job.await.unwrap_or(Err(Code::Internal.into()));
        self.job = None;
        (first, items)
    }

    /// Gives the link what was read.
    pub(crate) fn give(&mut self, shared: &Shared, link: &mut Link, first: u64, items: Vec<Outgoing>) -> Result<(), Stop> {
        // What was read is of this epoch if the epoch is still this one: an epoch never comes back.
        if self.look(shared).is_err() {
            return Err(Stop::OtherEpoch);
        }
        let entry = |(sequence, item)| match item {
            Outgoing::Item(bytes) | Outgoing::Submission(bytes, _) if sequence <= self.has => {
                Entry::Withheld(startalk_link::item_hash(&bytes))
            }
            Outgoing::Item(bytes) => Entry::Item(bytes),
            Outgoing::Submission(bytes, hash) => Entry::Submission(bytes, hash),
            Outgoing::Withheld(hash) => Entry::Withheld(hash),
        };
        let pushed = link.push(first, (first..).zip(items).map(entry));
        if pushed == 0 && link.can_push() > 0 {
            return Err(Error::new(Code::Internal).with("what", "the outbox has no item where it should have one").into());
        }
        self.crossing.began(self.number, first, pushed);
        self.check(shared, link)
    }

    /// Where everything was pushed, link and outbox must have the same running hash.
    fn check(&self, shared: &Shared, link: &Link) -> Result<(), Stop> {
        let outbox = outbox::outbox(&*shared.config.views.store, self.number);
        match link.pushed() {
            Some(pushed)
                if pushed.epoch == outbox.epoch && pushed.sequence == outbox.head() && pushed.running != outbox.running =>
            {
                let error = Error::new(Code::Internal).with("what", "the running hash of the outbox differs from what was sent");
                tracing::error!(peer = self.number, sequence = pushed.sequence, "{error}");
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    fn lingered(&mut self, shared: &Shared) -> bool {
        let now_ms = shared.steady_ms();
        let linger_ms = millis(shared.config.timings.linger);
        now_ms >= *self.push_at_ms.get_or_insert(now_ms + linger_ms)
    }
}

/// What the peer has acknowledged: in memory at once, in the journal now and then, only so that less is compared and sent
/// again after a restart.
#[derive(Default)]
pub(crate) struct Acks {
    epoch: [u8; 16],
    up_to: u64,
    /// When it moved last.
    moved_ms: u64,
    /// When it moved first after it was written.
    since_ms: u64,
    written: u64,
    written_ms: u64,
}

impl Acks {
    /// The peer has this much.
    pub(crate) fn moved(&mut self, slot: &Slot, epoch: [u8; 16], up_to: u64, now_ms: u64) {
        if self.epoch != epoch {
            *self = Self { epoch, written_ms: self.written_ms, ..Self::default() };
        }
        if up_to > self.up_to {
            if self.up_to <= self.written {
                self.since_ms = now_ms;
            }
            (self.up_to, self.moved_ms) = (up_to, now_ms);
            slot.status.lock().acked = (epoch, up_to);
        }
    }

    /// What the peer says to have at the beginning of a link: less than before, if it was restored from an older copy.
    pub(crate) fn stands(&mut self, slot: &Slot, epoch: [u8; 16], up_to: u64, now_ms: u64) {
        if self.epoch == epoch {
            self.up_to = self.up_to.min(up_to);
        }
        self.moved(slot, epoch, up_to, now_ms);
        slot.status.lock().acked = (epoch, up_to);
    }

    /// What the peer has, if it has said so in this epoch since the process started.
    pub(crate) fn up_to(&self, epoch: [u8; 16]) -> Option<u64> {
        (self.epoch == epoch).then_some(self.up_to)
    }

    /// When it is to be written: when it has not moved for a moment or has been unwritten for long, and at most once in
    /// `ack_every`.
    pub(crate) fn due_ms(&self, shared: &Shared) -> Option<u64> {
        let (every, idle) = (millis(shared.config.timings.ack_every), millis(shared.config.timings.ack_idle));
        let quiet = (self.moved_ms + idle).min(self.since_ms + every);
        (self.up_to > self.written).then(|| quiet.max(self.written_ms + every))
    }

    /// Writes it if it is time.
    pub(crate) fn write_if_due(&mut self, shared: &Shared, number: u64) {
        let now_ms = shared.steady_ms();
        if self.due_ms(shared).is_some_and(|due| now_ms >= due) {
            (self.written, self.written_ms) = (self.up_to, now_ms);
            // If it does not get there it is written with the next one.
            shared.config.handle.submit(self.command(number), |_| {});
        }
    }

    /// Writes it and waits; the last act of a clean stop.
    pub(crate) async fn write(&mut self, shared: &Shared, number: u64) {
        if self.up_to > self.written {
            self.written = self.up_to;
            // At a stop the sequencer may be gone already.
            let _ = ask(&shared.config.handle, self.command(number)).await;
        }
    }

    fn command(&self, number: u64) -> Command {
        Command::PeerRecorded { peer: number, epoch: self.epoch, sequence: self.up_to }
    }
}
