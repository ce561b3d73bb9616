//! What is to be pushed, to which devices, and when: a state machine without sockets and clocks.
//!
//! Owns one lane for each device: of each conversation at most one thing waits in it, a later one replaces an earlier, and
//! one at a time is on its way. Time is passed in, milliseconds of a steady clock. Invariant: never more than
//! [`WAITING_MAX`] wait, and of one account never more than its part; what is dropped is counted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    ops::RangeInclusive,
};

/// Things that wait for all devices.
pub const WAITING_MAX: usize = 50_000;
/// Of these, for the devices of one account: nobody takes the place of everybody.
const OF_ACCOUNT_MAX: usize = 2_000;
/// Messages of one conversation that wait for one device to be told together; the oldest is forgotten first.
const TOGETHER_MAX: usize = 16;
/// How often something is tried: with the waits between, about a day.
const ATTEMPTS_MAX: u32 = 12;

/// When what happens, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// How long somebody who is active elsewhere has, to see a message there.
    pub active_wait: u64,
    /// Between two pushes to one device.
    pub gap: u64,
    /// After the first failure; doubles with each further one.
    pub backoff_first: u64,
    /// The longest wait, also of those that a push service asks for.
    pub backoff_most: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self { active_wait: 8_000, gap: 1_000, backoff_first: 5_000, backoff_most: 6 * 3_600_000 }
    }
}

/// A device of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Whose.
    pub account: u64,
    /// Which.
    pub device: u64,
}

/// What is to be done, by whoever has sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// For which device.
    pub target: Target,
    /// About which conversation.
    pub conversation: u64,
    /// What.
    pub what: What,
    attempts: u32,
    position: u64,
}

/// What a push is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One of these is told, the last that may be; ascending.
    Show(Vec<u64>),
    /// This one was taken back.
    Withdraw(u64),
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// The push service has it; or there was nothing to tell any more.
    Done,
    /// Later, after at least so many milliseconds.
    Later(u64),
    /// Never.
    Dropped,
    /// The device is not reached any more.
    Gone,
}

#[derive(Clone, Debug)]
struct Waiting {
    what: What,
    due_ms: u64,
    attempts: u32,
    /// Of the record that it came from: a place of the consumer's beyond it would lose it.
    position: u64,
}

#[derive(Default)]
struct Lane {
    waiting: BTreeMap<u64, Waiting>,
    /// What is on its way.
    out: Option<Job>,
    not_before_ms: u64,
    failures: u32,
    /// Under which time it stands in the order.
    ordered: Option<u64>,
}

/// See the module.
pub struct Queue {
    timings: Timings,
    lanes: HashMap<Target, Lane>,
    /// Lanes by when they have something to do.
    order: BTreeSet<(u64, Target)>,
    /// Devices by account.
    devices: BTreeSet<Target>,
    waiting: usize,
    dropped: u64,
}

impl Queue {
    /// An empty one.
    pub fn new(timings: Timings) -> Self {
        let (lanes, order, devices) = (HashMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { timings, lanes, order, devices, waiting: 0, dropped: 0 }
    }

    /// Something was said that may be told on this device, from `due_ms` on. `position`: of its record.
    pub fn said(&mut self, target: Target, conversation: u64, sequence: u64, due_ms: u64, position: u64) {
        let fresh = self.lanes.get(&target).is_none_or(|lane| !lane.waiting.contains_key(&conversation));
        if fresh && self.is_full(target.account) {
            self.dropped += 1;
            return;
        }
        let lane = self.lane(target);
        let waiting =
            lane.waiting.entry(conversation).or_insert(Waiting { what: What::Show(Vec::new()), due_ms, attempts: 0, position });
        match &mut waiting.what {
            What::Show(all) => {
                all.push(sequence);
                if all.len() > TOGETHER_MAX {
                    all.remove(0);
                }
                // What came first says when: who talks without end does not put it off.
                waiting.due_ms = waiting.due_ms.min(due_ms);
            }
            // What replaces the notification makes it go too.
            What::Withdraw(_) => {
                *waiting = Waiting { what: What::Show(vec![sequence]), due_ms, attempts: 0, position: waiting.position }
            }
        }
        self.waiting += usize::from(fresh);
        self.arrange(target);
    }

    /// The account has seen everything in this conversation up to there.
    pub fn read(&mut self, account: u64, conversation: u64, up_to: u64) {
        for target in self.devices_of(account) {
            self.change(target, conversation, |what| match what {
                What::Show(all) => {
                    all.retain(|sequence| *sequence > up_to);
                    !all.is_empty()
                }
                What::Withdraw(sequence) => *sequence > up_to,
            });
        }
    }

    /// This was taken back: what waits is not told; what may have been told is withdrawn.
    pub fn recalled(&mut self, target: Target, conversation: u64, sequence: u64, now_ms: u64, position: u64) {
        let mut waited = false;
        self.change(target, conversation, |what| match what {
            What::Show(all) => {
                let before = all.len();
                all.retain(|s| *s != sequence);
                waited = all.len() < before;
                !all.is_empty()
            }
            What::Withdraw(_) => true,
        });
        if waited || self.lanes.get(&target).is_some_and(|l| l.waiting.contains_key(&conversation)) {
            return; // it was never told; or what will be told replaces it
        }
        if self.is_full(target.account) {
            self.dropped += 1;
            return;
        }
        let waiting = Waiting { what: What::Withdraw(sequence), due_ms: now_ms, attempts: 0, position };
        self.lane(target).waiting.insert(conversation, waiting);
        self.waiting += 1;
        self.arrange(target);
    }

    /// A device (0: all of the account's) is not reached any more, or by another way: what waits for it is let go.
    pub fn forget(&mut self, account: u64, device: u64) {
        for target in self.devices_of(account) {
            if device == 0 || device == target.device {
                self.remove(target);
            }
        }
    }

    /// At most `max` jobs that are due; each has to come back by [`Queue::became`].
    pub fn take(&mut self, now_ms: u64, max: usize) -> Vec<Job> {
        let mut jobs = Vec::new();
        while jobs.len() < max {
            let Some((_, target)) = self.order.first().copied().filter(|(when, _)| *when <= now_ms) else { break };
            let lane = self.lane(target);
            let first = lane.waiting.iter().min_by_key(|(_, w)| w.due_ms).map(|(conversation, _)| *conversation);
            if let Some((conversation, waiting)) = first.and_then(|c| lane.waiting.remove_entry(&c)) {
                let Waiting { what, attempts, position, .. } = waiting;
                let job = Job { target, conversation, what, attempts, position };
                lane.out = Some(job.clone());
                self.waiting -= 1;
                jobs.push(job);
            }
            self.arrange(target);
        }
        jobs
    }

    /// What became of a job.
    pub fn became(&mut self, job: Job, became: Became, now_ms: u64) {
        let Timings { gap, backoff_first, backoff_most, .. } = self.timings;
        let target = job.target;
        // It was let go meanwhile, and may be reached by another way now.
        let Some(lane) = self.lanes.get_mut(&target).filter(|lane| lane.out.as_ref() == Some(&job)) else { return };
        lane.out = None;
        match became {
            Became::Gone => return self.remove(target),
            Became::Done | Became::Dropped => {
                lane.failures = 0;
                lane.not_before_ms = now_ms + gap;
                self.dropped += u64::from(became == Became::Dropped);
            }
            Became::Later(at_least) => {
                let wait = backoff_first.saturating_mul(1 << lane.failures.min(30)).max(at_least).min(backoff_most);
                lane.failures += 1;
                lane.not_before_ms = now_ms + wait;
                let Job { conversation, what, attempts, position, .. } = job;
                if attempts + 1 >= ATTEMPTS_MAX {
                    self.dropped += 1;
                } else if let Entry::Vacant(place) = lane.waiting.entry(conversation) {
                    place.insert(Waiting { what, due_ms: now_ms, attempts: attempts + 1, position });
                    self.waiting += 1;
                }
            }
        }
        self.arrange(target);
    }

    /// When there is something to do again.
    pub fn deadline(&self) -> Option<u64> {
        self.order.first().map(|(when, _)| *when)
    }

    /// The oldest record that something waits for, having never been tried.
    pub fn oldest(&self) -> Option<u64> {
        let of_lane = |lane: &Lane| {
            let waiting = lane.waiting.values().map(|w| (w.attempts, w.position));
            let out = lane.out.iter().map(|job| (job.attempts, job.position));
            waiting.chain(out).filter(|(attempts, _)| *attempts == 0).map(|(_, position)| position).min()
        };
        self.lanes.values().filter_map(of_lane).min()
    }

    /// How many things wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many were let go untold, ever.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Devices for which the last attempt failed.
    pub fn failing(&self) -> usize {
        self.lanes.values().filter(|lane| lane.failures > 0).count()
    }

    fn is_full(&self, account: u64) -> bool {
        let of_lane = |target: &Target| self.lanes.get(target).map_or(0, |lane| lane.waiting.len());
        self.waiting >= WAITING_MAX || self.devices.range(of_account(account)).map(of_lane).sum::<usize>() >= OF_ACCOUNT_MAX
    }

    fn lane(&mut self, target: Target) -> &mut Lane {
        self.devices.insert(target);
        self.lanes.entry(target).or_default()
    }

    fn devices_of(&self, account: u64) -> Vec<Target> {
        self.devices.range(of_account(account)).copied().collect()
    }

    /// Changes what waits; what `keep` does not want goes.
    fn change(&mut self, target: Target, conversation: u64, keep: impl FnOnce(&mut What) -> bool) {
        let Some(lane) = self.lanes.get_mut(&target) else { return };
        let Some(waiting) = lane.waiting.get_mut(&conversation) else { return };
        if !keep(&mut waiting.what) {
            lane.waiting.remove(&conversation);
            self.waiting -= 1;
        }
        self.arrange(target);
    }

    fn remove(&mut self, target: Target) {
        if let Some(lane) = self.lanes.remove(&target) {
            self.waiting -= lane.waiting.len();
            if let Some(when) = lane.ordered {
                self.order.remove(&(when, target));
            }
        }
        self.devices.remove(&target);
    }

    /// Puts a lane where it belongs in the order.
    fn arrange(&mut self, target: Target) {
        let Some(lane) = self.lanes.get_mut(&target) else { return };
        let due = lane.waiting.values().map(|w| w.due_ms).min().filter(|_| lane.out.is_none());
        let when = due.map(|due| due.max(lane.not_before_ms));
        if when == lane.ordered {
            return;
        }
        if let Some(old) = lane.ordered {
            self.order.remove(&(old, target));
        }
        lane.ordered = when;
        if let Some(when) = when {
            self.order.insert((when, target));
        }
    }
}

/// All devices of an account, as a stretch of their order.
fn of_account(account: u64) -> RangeInclusive<Target> {
    Target { account, device: 0 }..=Target { account, device: u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Target = Target { account: 1, device: 1 };
    const TABLET: Target = Target { account: 1, device: 2 };
    const OTHER: Target = Target { account: 2, device: 3 };
    const TIMINGS: Timings = Timings { active_wait: 0, gap: 10, backoff_first: 100, backoff_most: 1000 };

    fn queue() -> Queue {
        Queue::new(TIMINGS)
    }

    fn one(queue: &mut Queue, now_ms: u64) -> Job {
        let mut jobs = queue.take(now_ms, 100);
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    #[test]
    fn of_a_conversation_one_thing_waits_and_of_a_device_one_is_on_its_way() {
        let mut q = queue();
        for sequence in 1..=3 {
            q.said(PHONE, 7, sequence, 0, sequence);
        }
        q.said(PHONE, 8, 1, 0, 4);
        assert_eq!(q.waiting(), 2);
        let job = one(&mut q, 0);
        assert_eq!((job.conversation, &job.what), (7, &What::Show(vec![1, 2, 3])));
        assert!(q.take(1_000, 9).is_empty(), "one at a time");
        q.said(PHONE, 7, 4, 0, 5);
        q.became(job, Became::Done, 1_000);
        assert!(q.take(1_009, 9).is_empty(), "a moment between two");
        let next = one(&mut q, 1_010);
        q.became(next, Became::Done, 1_010);
        let next = one(&mut q, 1_020);
        q.became(next, Became::Done, 1_020);
        assert_eq!((q.waiting(), q.deadline(), q.oldest()), (0, None, None));
    }

    #[test]
    fn devices_do_not_wait_for_one_another() {
        let mut q = queue();
        q.said(PHONE, 7, 1, 0, 1);
        q.said(TABLET, 7, 1, 0, 1);
        q.said(OTHER, 7, 1, 50, 1);
        assert_eq!(q.take(0, 1).len(), 1, "as many as are wanted");
        assert_eq!(q.take(0, 9).len(), 1);
        assert_eq!(q.deadline(), Some(50));
        assert_eq!(one(&mut q, 50).target, OTHER);
    }

    #[test]
    fn what_was_read_elsewhere_is_not_told() {
        let mut q = queue();
        q.said(PHONE, 7, 1, 100, 1);
        q.said(TABLET, 7, 1, 100, 1);
        q.said(PHONE, 7, 2, 200, 2);
        assert_eq!(q.deadline(), Some(100), "the first says when");
        q.read(1, 7, 1);
        q.read(1, 8, 9);
        assert_eq!(one(&mut q, 200).what, What::Show(vec![2]));
        q.said(OTHER, 7, 3, 0, 3);
        q.read(2, 7, 3);
        assert_eq!((q.waiting(), q.deadline()), (0, None));
    }

    #[test]
    fn what_was_taken_back_is_not_told_and_withdrawn_if_it_may_have_been() {
        let mut q = queue();
        q.said(PHONE, 7, 1, 100, 1);
        q.recalled(PHONE, 7, 1, 50, 2);
        assert_eq!(q.waiting(), 0, "nobody was told");
        q.said(PHONE, 7, 2, 100, 3);
        let job = one(&mut q, 100);
        q.recalled(PHONE, 7, 2, 100, 4);
        q.became(job, Became::Done, 100);
        let job = one(&mut q, 110);
        assert_eq!(job.what, What::Withdraw(2), "it was on its way");
        q.became(job, Became::Done, 110);
        q.recalled(PHONE, 7, 2, 200, 4);
        q.said(PHONE, 7, 3, 200, 5);
        assert_eq!(one(&mut q, 200).what, What::Show(vec![3]), "what comes later replaces it");
        q.recalled(TABLET, 7, 2, 300, 6);
        q.read(1, 7, 2);
        assert!(q.take(300, 9).is_empty(), "who has read it sees for themselves");
    }

    #[test]
    fn a_failure_waits_longer_each_time_and_ends_at_some_time() {
        let mut q = queue();
        q.said(PHONE, 7, 1, 0, 1);
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..ATTEMPTS_MAX {
            let job = one(&mut q, now);
            q.became(job, Became::Later(0), now);
            let Some(next) = q.deadline() else { break };
            waits.push(next - now);
            now = next;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000, 1000]);
        assert_eq!((q.waiting(), q.dropped(), q.failing()), (0, 1, 1));
        q.said(PHONE, 7, 2, now, 2);
        let job = one(&mut q, now + 1000);
        q.became(job, Became::Done, now + 1000);
        assert_eq!(q.failing(), 0);
    }

    #[test]
    fn a_push_service_says_how_long_to_wait_within_reason() {
        let mut q = queue();
        q.said(PHONE, 7, 1, 0, 1);
        let job = one(&mut q, 0);
        q.became(job, Became::Later(700), 0);
        assert_eq!(q.deadline(), Some(700));
        let job = one(&mut q, 700);
        q.said(PHONE, 7, 2, 700, 2);
        q.became(job, Became::Later(1 << 40), 700);
        assert_eq!(q.deadline(), Some(1700));
        assert_eq!(one(&mut q, 1700).what, What::Show(vec![2]), "the later one replaced it");
    }

    #[test]
    fn a_device_that_is_gone_takes_what_waits_with_it_and_may_come_back() {
        let mut q = queue();
        q.said(PHONE, 7, 1, 0, 1);
        q.said(TABLET, 7, 1, 0, 1);
        let jobs = q.take(0, 9);
        q.said(PHONE, 8, 1, 0, 2);
        q.forget(1, PHONE.device);
        q.said(PHONE, 9, 1, 0, 3);
        for job in jobs {
            q.became(job, Became::Gone, 0);
        }
        assert_eq!(q.waiting(), 1, "the news of an old subscription ends no new one");
        assert_eq!(one(&mut q, 0).conversation, 9);
        q.forget(1, 0);
        assert_eq!((q.waiting(), q.deadline(), q.oldest()), (0, None, None));
    }

    #[test]
    fn nobody_takes_the_place_of_everybody() {
        let mut q = queue();
        for conversation in 0..OF_ACCOUNT_MAX as u64 + 3 {
            q.said(Target { account: 1, device: conversation % 50 }, conversation, 1, 0, 1);
        }
        assert_eq!((q.waiting(), q.dropped()), (OF_ACCOUNT_MAX, 3));
        q.said(OTHER, 1, 1, 0, 1);
        assert_eq!((q.waiting(), q.dropped()), (OF_ACCOUNT_MAX + 1, 3));
    }

    #[test]
    fn no_more_wait_than_may_and_the_oldest_untried_is_known() {
        let mut q = queue();
        for conversation in 0..WAITING_MAX as u64 + 5 {
            q.said(Target { account: 1 + conversation / 2_000, device: 7 }, conversation, 1, 0, conversation + 1);
        }
        assert_eq!((q.waiting(), q.dropped(), q.oldest()), (WAITING_MAX, 5, Some(1)));
        q.recalled(PHONE, WAITING_MAX as u64 + 9, 1, 0, 1);
        assert_eq!((q.waiting(), q.dropped()), (WAITING_MAX, 6));
        q.said(Target { account: 1, device: 7 }, 0, 2, 0, WAITING_MAX as u64 + 9);
        assert_eq!(q.dropped(), 6, "what waits already grows by it");
        let job = q.take(0, 1).remove(0);
        assert_eq!(q.oldest(), Some(1), "on its way is not told yet");
        q.became(job, Became::Later(0), 0);
        assert_eq!(q.oldest(), Some(2), "what failed is tried by this process only");
    }
}
