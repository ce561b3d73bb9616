//! Which texts of the next stretch of the journal are to go, and which are held back.

use prost::Message as _;
use startalk_journal::{Body, Record};
use startalk_protocol::{
    Code, Error,
    pb::group::{Submission, submission::Action},
};

use super::{DAY_MS, Held, Kind, Swept, swept};
use crate::{
    context::Ctx,
    directory,
    domain::Views,
    event::{Event, Recorded},
    governance::RetentionOf,
    groups, outbox,
    store::Read,
};

/// Records looked at by one command.
const STEP_RECORDS: usize = 1000;
/// Bytes of the journal read by one command, about.
const STEP_BYTES: usize = 1024 * 1024;
/// Bodies after which a command takes no further record: each is overwritten on the disk before the write loop goes on.
/// What was held back and is free now goes at once, however much it is.
const STEP_ERASED: usize = 500;
/// What is held back at most; with more, erasing waits until some of it was delivered or given up.
const HELD_MAX: usize = 4000;
/// Records looked at to tell how many messages a policy would erase at once.
const COUNT_RECORDS_MAX: u64 = 200_000;

/// What one command does.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// The last record looked at.
    pub through: u64,
    /// Nothing later is to go now.
    pub done: bool,
    /// Everything older than was asked for has been looked at.
    pub whole: bool,
    /// Positions of bodies, ascending.
    pub erased: Vec<u64>,
    pub held: Vec<Held>,
    /// Ascending; among `erased`.
    pub released: Vec<u64>,
    /// (conversation, sequence).
    pub quiet: Vec<(u64, u64)>,
}

impl Step {
    /// Whether it is not worth a record: what was looked at in vain is looked at again.
    pub(super) fn is_nothing(&self) -> bool {
        self.done && self.erased.is_empty() && self.held.is_empty()
    }

    /// One record; `false`: too much is held back already, and this would have to be, too.
    fn take(&mut self, read: &impl Read, swept: &Swept, of: RetentionOf, record: &Record) -> Result<bool, Error> {
        let position = record.header.position;
        let recorded = Recorded::read(record).map_err(|_| Code::Internal)?;
        let Some(says) = Says::of(&recorded.event).filter(|s| is_new(swept, of, s.kind(), position)) else { return Ok(true) };
        let has_body = matches!(record.body, Body::Present(_));
        match held_by(read, &recorded, &says).filter(|_| has_body) {
            Some(_) if swept.held.len() + self.held.len() >= HELD_MAX => return Ok(false),
            Some(held) => self.held.push(held),
            None => self.erased.extend(has_body.then_some(position)),
        }
        if let Says::Group { noticed: Some(target) } = says {
            let target = if target == 0 { recorded.sequence } else { target };
            if let Some(bodies) = groups::reactions_at(read, recorded.conversation, target) {
                self.erased.extend(bodies);
                self.quiet.push((recorded.conversation, target));
            }
        }
        Ok(true)
    }
}

/// What a record says in which kind of conversation.
enum Says {
    /// A message or its edit between two people.
    Direct,
    /// To a group elsewhere, by an account here: where, and to which domain.
    Submission { conversation: u64 },
    /// In a group; `noticed`: the message whose reactions go with it.
    Group { noticed: Option<u64> },
}

impl Says {
    fn of(event: &Event) -> Option<Self> {
        match event {
            Event::MessageAdded(..) | Event::MessageEdited(..) => Some(Self::Direct),
            Event::GroupSubmitted(f, _) => match Submission::decode(f.submission.as_ref()).ok()?.action? {
                Action::Message(_) | Action::Edit(_) | Action::React(_) => {
                    Some(Self::Submission { conversation: f.conversation })
                }
                _ => None,
            },
            Event::GroupRecorded(f, _) => match Submission::decode(f.submission.as_ref()).ok()?.action? {
                Action::Message(_) => Some(Self::Group { noticed: Some(0) }),
                Action::React(r) => Some(Self::Group { noticed: Some(r.target) }),
                Action::Edit(_) => Some(Self::Group { noticed: None }),
                _ => None,
            },
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Direct => Kind::Direct,
            Self::Submission { .. } | Self::Group { .. } => Kind::Group,
        }
    }
}

/// Where the next stretch begins: after what has been looked at for every kind that the policy is about.
fn begins(swept: &Swept, of: RetentionOf) -> u64 {
    let direct = of.direct().then_some(swept.direct.through);
    let groups = of.groups().then_some(swept.groups.through);
    direct.into_iter().chain(groups).min().unwrap_or(0) + 1
}

/// Whether a record of this kind at this position has not been looked at yet, and is to be.
fn is_new(swept: &Swept, of: RetentionOf, kind: Kind, position: u64) -> bool {
    match kind {
        Kind::Direct => of.direct() && position > swept.direct.through,
        Kind::Group => of.groups() && position > swept.groups.through,
    }
}

pub(super) fn look(read: &impl Read, ctx: &Ctx, of: RetentionOf, before_ms: u64) -> Result<Step, Error> {
    let swept = swept(read);
    let mut step = Step::default();
    for held in &swept.held {
        let is_of = if held.conversation == 0 { of.direct() } else { of.groups() };
        if is_of && !waits(read, held) {
            step.released.push(held.position);
        }
    }
    step.erased.clone_from(&step.released);
    let from = begins(&swept, of);
    step.through = from - 1;
    loop {
        let records = ctx.journal.read_from(step.through + 1, STEP_RECORDS, STEP_BYTES).map_err(|_| Code::Internal)?;
        if records.is_empty() {
            (step.done, step.whole) = (true, true);
        }
        for record in &records {
            if record.header.time_ms >= before_ms {
                (step.done, step.whole) = (true, true);
                break;
            }
            if step.erased.len() >= STEP_ERASED {
                break;
            }
            if !step.take(read, &swept, of, record)? {
                step.done = true;
                break;
            }
            step.through = record.header.position;
        }
        // A stretch that ends before it is full is gone on with at once: it is seen now whether that was all.
        let looked_at = step.through + 1 - from;
        if step.done || step.erased.len() >= STEP_ERASED || looked_at >= STEP_RECORDS as u64 / 2 {
            break;
        }
    }
    step.erased.sort_unstable();
    step.erased.dedup();
    step.quiet.sort_unstable();
    step.quiet.dedup();
    Ok(step)
}

/// Whether it is for another domain that has not had it.
fn held_by(read: &impl Read, record: &Recorded, says: &Says) -> Option<Held> {
    let conversation = if let Says::Submission { conversation } = says { *conversation } else { 0 };
    let mut outs = record.event.link_outs().iter().map(|out| Held { position: record.position, peer: out.peer, conversation });
    outs.find(|held| waits(read, held))
}

fn waits(read: &impl Read, held: &Held) -> bool {
    let unsent = outbox::first_waiting(read, held.peer).is_some_and(|first| held.position >= first);
    let unrecorded = || groups::waiting(read, held.conversation).iter().any(|w| w.position == held.position);
    let lives = || directory::peer(read, held.peer).is_some_and(|p| p.gone_at == 0 && !p.given_up);
    unsent || (held.conversation != 0 && unrecorded() && lives())
}

/// How much a policy would erase at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WouldGo {
    /// Messages.
    pub messages: u64,
    /// There are more: so many were counted.
    pub more: bool,
}

/// How many messages would go if they were kept for so many days from now on. Reads the journal: not for the write loop.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn would_go(views: &Views, of: RetentionOf, days: u32, clock_ms: u64) -> Result<WouldGo, Error> {
    let mut count = WouldGo::default();
    if days == 0 {
        return Ok(count);
    }
    let before_ms = clock_ms.saturating_sub(u64::from(days) * DAY_MS);
    let swept = swept(&*views.store);
    let first = begins(&swept, of);
    let mut next = first;
    loop {
        let records = views.journal.read_from(next, STEP_RECORDS, STEP_BYTES).map_err(|_| Code::Internal)?;
        let Some(last) = records.last() else { return Ok(count) };
        next = last.header.position + 1;
        for record in &records {
            if record.header.time_ms >= before_ms {
                return Ok(count);
            }
            let event = Recorded::read(record).map_err(|_| Code::Internal)?.event;
            let is_message = match &event {
                Event::MessageAdded(..) => true,
                Event::GroupRecorded(f, _) => {
                    Submission::decode(f.submission.as_ref()).is_ok_and(|s| matches!(s.action, Some(Action::Message(_))))
                }
                _ => false,
            };
            let Some(says) = Says::of(&event).filter(|_| is_message && record.body != Body::Erased) else { continue };
            count.messages += u64::from(is_new(&swept, of, says.kind(), record.header.position));
        }
        if next - first > COUNT_RECORDS_MAX {
            count.more = true;
            return Ok(count);
        }
    }
}
