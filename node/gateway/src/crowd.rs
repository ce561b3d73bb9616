//! What happens in groups, to everybody connected who may see it.
//!
//! Owns, for each group in use, the accounts here that are in it and which of them are connected, in chunks as the views
//! have them: when the group changes or somebody comes or goes, only the chunks that this touches are made anew, so that a
//! message costs per connected member and a change per chunk. Large groups hear
//! that the group itself is otherwise at the next tick, all changes at once; until then no cursor covers it. Invariant:
//! nobody is pushed what their stretches in the group do not hold.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use startalk_domain::{Recorded, conversations, directory::HERE, groups, groups::Group, store::Store};
use startalk_protocol::pb::{
    client::{self as pb, pushed::What},
    events,
};

use crate::{convert, gateway::Inner, registry::Registry};

/// Groups whose members are remembered; beyond it all are let go.
const CROWDS_MAX: usize = 2000;
/// Connected members who are told at once that the group is otherwise; more of them hear it at the next tick.
const TOLD_AT_ONCE_MAX: usize = 200;
/// Members of the largest group in which typing is told.
const TYPING_MEMBERS_MAX: u64 = 200;

/// Lines of one batch about who is in, pushed one by one; of more the group's end tells, and history has them: a group
/// begun with thousands would else push millions, and close every session as a slow reader.
const LINES_AT_ONCE_MAX: u32 = 100;

/// What one batch has done to groups.
#[derive(Default)]
pub(crate) struct Batch {
    /// Groups that are otherwise to everybody in them.
    otherwise: BTreeSet<u64>,
    /// Lines about who is in, by group.
    lines: HashMap<u64, u32>,
}

impl Batch {
    /// The group is otherwise to everybody in it.
    pub(crate) fn is_otherwise(&mut self, conversation: u64) {
        self.otherwise.insert(conversation);
    }
}

/// Accounts and the sequence from which they are in.
type Seats = Arc<[(u64, u64)]>;

/// Members with consecutive numbers.
#[derive(Clone)]
struct Chunk {
    /// The views' own value, which is another one when anything of it is otherwise.
    value: Arc<groups::Members>,
    /// Those here who are in.
    seats: Seats,
    /// Of these the connected.
    connected: Seats,
}

/// Those of a group who are connected; shared by all that happens while they stay the same.
#[derive(Clone)]
pub(crate) struct Connected(Arc<[Seats]>);

impl Connected {
    fn iter(&self) -> impl Iterator<Item = &(u64, u64)> {
        self.0.iter().flat_map(|seats| seats.iter())
    }

    fn len(&self) -> usize {
        self.0.iter().map(|seats| seats.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Crowd {
    /// Of the group's last change.
    position: u64,
    leaving: Vec<u64>,
    chunks: Vec<Chunk>,
    /// Of the registry.
    generation: u64,
    connected: Connected,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Crowds {
    all: Mutex<HashMap<u64, Crowd>>,
    /// Groups that are otherwise, and since which position; told at the next tick.
    late: Mutex<BTreeMap<u64, u64>>,
    /// Members that were looked at one by one, ever: what the upkeep of all this costs.
    looked_at: AtomicU64,
}

impl Crowds {
    /// Members of the group who are connected now.
    fn connected(&self, store: &Store, registry: &Registry, group: &Group) -> Connected {
        let (conversation, generation) = (group.conversation, registry.generation());
        let mut all = self.all.lock();
        if let Some(crowd) = all.get(&conversation).filter(|c| c.position == group.position && c.generation == generation) {
            return crowd.connected.clone();
        }
        if all.len() >= CROWDS_MAX && !all.contains_key(&conversation) {
            all.clear();
        }
        let crowd = self.renewed(store, registry, conversation, generation, all.remove(&conversation));
        let connected = crowd.connected.clone();
        all.insert(conversation, crowd);
        connected
    }

    /// The crowd as it is now. Of an older one everything is kept in which nobody changed, came or went.
    fn renewed(&self, store: &Store, registry: &Registry, conversation: u64, generation: u64, old: Option<Crowd>) -> Crowd {
        let snapshot = store.snapshot();
        let group = groups::group(&snapshot, conversation).unwrap_or_default();
        let values = groups::member_chunks(&snapshot, &group);
        let old = old.filter(|c| c.leaving == group.leaving);
        let moved = old.as_ref().and_then(|c| registry.moved_since(c.generation));
        let mut stale = vec![moved.is_none(); values.len()];
        for account in moved.into_iter().flatten() {
            let chunk = groups::chunk_of(&snapshot, conversation, account);
            chunk.and_then(|chunk| stale.get_mut(chunk)).into_iter().for_each(|stale| *stale = true);
        }
        let mut known = old.map(|c| c.chunks).unwrap_or_default().into_iter();
        let chunks: Vec<Chunk> = values
            .into_iter()
            .zip(stale)
            .map(|(value, stale)| {
                let known = known.next().filter(|k| Arc::ptr_eq(&k.value, &value));
                match known {
                    Some(known) if !stale => known,
                    known => self.chunk(registry, &group, value, known.map(|k| k.seats)),
                }
            })
            .collect();
        let connected = Connected(chunks.iter().map(|c| c.connected.clone()).collect());
        Crowd { position: group.position, leaving: group.leaving.clone(), chunks, generation, connected }
    }

    fn chunk(&self, registry: &Registry, group: &Group, value: Arc<groups::Members>, seats: Option<Seats>) -> Chunk {
        self.looked_at.fetch_add(value.list.len() as u64, Ordering::Relaxed);
        let seats = seats.unwrap_or_else(|| seats_of(group, &value));
        let connected = seats.iter().filter(|seat| registry.has(seat.0)).copied().collect();
        Chunk { value, seats, connected }
    }

    /// The first position that not everybody connected has been told of.
    pub(crate) fn untold(&self) -> Option<u64> {
        self.late.lock().values().min().copied()
    }
}

/// Accounts here that are in now and do not leave.
fn seats_of(group: &Group, members: &groups::Members) -> Seats {
    let here = |m: &&groups::Member| m.peer == HERE && m.is_in() && group.leaving.binary_search(&m.person).is_err();
    // Who has no open stretch reads nothing, whatever the list says.
    let from = |m: &groups::Member| m.stints.last().filter(|s| s.1 == 0).map(|s| (m.person, s.0));
    members.list.iter().filter(here).filter_map(from).collect()
}

impl Inner {
    fn crowd(&self, conversation: u64) -> Option<(Arc<Group>, Connected)> {
        let store = &*self.config.views.store;
        let group = groups::group(store, conversation)?;
        let connected = self.crowds.connected(store, &self.registry, &group);
        Some((group, connected))
    }

    /// An entry of a group's log.
    pub(crate) fn group_recorded(&self, record: &Recorded, f: &events::GroupRecorded, batch: &mut Batch) {
        let conversation = record.conversation;
        let told = groups::told(self.store(), conversation, f);
        // Whoever came in hears of the group before anything said in it.
        told.persons.iter().for_each(|person| self.info(*person, conversation));
        let lines = batch.lines.entry(conversation).or_default();
        *lines += u32::from(told.everybody);
        if told.shown && (!told.everybody || *lines <= LINES_AT_ONCE_MAX) {
            self.group_shown(record, f);
        }
        if told.target != 0 {
            self.group_changed(record, told.target, told.shown);
        }
        if told.everybody {
            batch.is_otherwise(conversation);
        }
    }

    /// A message, or a line by the system.
    fn group_shown(&self, record: &Recorded, f: &events::GroupRecorded) {
        let (conversation, sequence) = (record.conversation, record.sequence);
        let Some((_, crowd)) = self.crowd(conversation) else { return };
        if crowd.is_empty() {
            return;
        }
        let views = &self.config.views;
        let Some(message) = groups::from_record(&views.store, &*views.journal, record, None) else { return };
        // A message of this home was answered with its place; a line's words, or a place that the home gave, were not.
        let is_answered = f.submitted_at == 0 && f.device != 0 && !message.id.0.iter().all(|b| *b == 0);
        tracing::trace!(id = %message.id, conversation, sequence, accounts = crowd.len(), "message: pushed");
        let mut for_all: Option<Bytes> = None;
        for (account, _) in crowd.iter().filter(|m| m.1 <= sequence) {
            if *account == message.author {
                let own = convert::pushed(conversation, What::Message(convert::message(message.clone(), *account)));
                self.registry.each(*account, |session| {
                    if is_answered && session.identity().is_some_and(|i| i.actor.device == f.device) {
                        self.soil(session);
                    } else {
                        self.push(session, &own);
                    }
                });
                continue;
            }
            let frame =
                for_all.get_or_insert_with(|| convert::pushed(conversation, What::Message(convert::message(message.clone(), 0))));
            self.push_to(*account, frame);
        }
    }

    /// A message of a group as it is now.
    fn group_changed(&self, record: &Recorded, target: u64, shown: bool) {
        let conversation = record.conversation;
        // A pin's own number is that of the line that tells of it.
        let number = if shown { 0 } else { record.sequence };
        let Some((_, crowd)) = self.crowd(conversation) else { return };
        if crowd.is_empty() {
            return;
        }
        let views = &self.config.views;
        let Some(message) = conversations::single(&views.store, &*views.journal, conversation, target) else { return };
        let reacted: BTreeSet<u64> = message.reactions.iter().flat_map(|r| r.persons.iter().copied()).collect();
        let encode = |reader: u64| convert::changed(conversation, number, convert::message(message.clone(), reader));
        let mut for_all: Option<Bytes> = None;
        for (account, from) in crowd.iter() {
            let earlier = || groups::member_of(self.store(), conversation, *account).is_some_and(|m| m.may_read(target));
            if *from > target && !earlier() {
                continue;
            }
            if *account == message.author || reacted.contains(account) {
                self.push_to(*account, &encode(*account));
            } else {
                self.push_to(*account, for_all.get_or_insert_with(|| encode(0)));
            }
        }
    }

    /// These groups are otherwise, since this position at the earliest.
    pub(crate) fn groups_otherwise(&self, batch: &Batch, since: u64) {
        for conversation in &batch.otherwise {
            let Some((_, crowd)) = self.crowd(*conversation) else { continue };
            if crowd.len() > TOLD_AT_ONCE_MAX {
                self.crowds.late.lock().entry(*conversation).or_insert(since);
            } else {
                crowd.iter().for_each(|m| self.info(m.0, *conversation));
            }
        }
    }

    /// On each tick, before cursors are told: what large groups have not heard.
    pub(crate) fn tell_late_groups(&self) {
        let late: Vec<u64> = self.crowds.late.lock().keys().copied().collect();
        for conversation in late {
            // It stays on the list until all were told, and with what happens meanwhile until the next tick.
            let begun = self.pushed.load(Ordering::Acquire);
            if let Some((_, crowd)) = self.crowd(conversation) {
                crowd.iter().for_each(|m| self.info(m.0, conversation));
            }
            let mut late = self.crowds.late.lock();
            if self.group_position(conversation) > begun {
                late.insert(conversation, begun + 1);
            } else {
                late.remove(&conversation);
            }
        }
    }

    fn group_position(&self, conversation: u64) -> u64 {
        groups::group(self.store(), conversation).map_or(0, |g| g.position)
    }

    /// Something that waits for the group's home: to the author's other devices; who joins sees the group.
    pub(crate) fn group_submitted(&self, record: &Recorded, f: &events::GroupSubmitted) {
        let views = &self.config.views;
        if groups::member_of(&*views.store, f.conversation, f.account).is_none_or(|m| !m.is_in()) {
            self.info(f.account, f.conversation);
        }
        if !self.registry.has(f.account) {
            return;
        }
        let Some(message) = groups::waiting_message(&views.store, &*views.journal, record.position) else { return };
        let frame = convert::pushed(f.conversation, What::Waiting(convert::message(message, f.account)));
        self.registry.each(f.account, |session| {
            if session.identity().is_some_and(|i| i.actor.device == f.device) {
                self.soil(session); // it has its answer
            } else {
                self.push(session, &frame);
            }
        });
    }

    /// What waited will never be recorded.
    pub(crate) fn group_submission_ended(&self, f: &events::GroupSubmissionEnded) {
        let ended = pb::Ended { device: f.device, counter: f.counter, code: f.code.clone() };
        self.push_to(f.account, &convert::pushed(f.conversation, What::Ended(ended)));
        self.info(f.account, f.conversation);
    }

    /// Somebody of another domain invites an account here.
    pub(crate) fn group_invited(&self, f: &events::GroupInvited) {
        let all = groups::invitations(self.store(), f.account);
        if let Some(invited) = all.iter().find(|i| i.group == f.group) {
            let invitation = convert::group_invitation(self.store(), invited);
            self.push_to(f.account, &convert::pushed(0, What::GroupInvitation(invitation)));
        }
    }

    /// A member's marks: to their own devices alone.
    pub(crate) fn group_marked(&self, mark: &events::Mark) {
        if self.registry.has(mark.person) {
            let user = self.names.of(self.store(), mark.person).to_string();
            let marks = pb::MarksNow { user, delivered: mark.delivered, read: mark.read };
            self.push_to(mark.person, &convert::pushed(mark.conversation, What::Marks(marks)));
        }
    }

    /// Tells members here that one of them is typing, where that is not too many.
    pub(crate) fn typing_in_group(&self, account: u64, conversation: u64, user: &str, typing: bool) {
        let Some((group, crowd)) = self.crowd(conversation) else { return };
        if group.members <= TYPING_MEMBERS_MAX {
            crowd.iter().filter(|m| m.0 != account).for_each(|m| self.tell_typing(m.0, conversation, user, typing));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering};

    use startalk_domain::{Actor, Answer, Command, command::Admission, context::Random, groups::GroupAct};
    use startalk_journal::{Journal, Options, fault::FaultDisk};
    use startalk_sequencer::{Sequencer, Work};

    use super::*;
    use crate::session::Session;

    struct Counting(u8);

    impl Random for Counting {
        fn fill(&mut self, out: &mut [u8]) {
            self.0 = self.0.wrapping_add(1).max(1);
            out.fill(self.0);
        }
    }

    /// A domain with a large group, without sockets.
    struct Town {
        sequencer: Sequencer<Journal>,
        counter: u64,
    }

    impl Town {
        fn run(&mut self, command: Command) -> Answer {
            let (put, got) = std::sync::mpsc::channel();
            let mut work = Work::default();
            work.push(command, move |answer| put.send(answer).unwrap());
            self.sequencer.step(&mut work, 1_800_000_000_000, &mut Counting(1)).unwrap();
            got.recv().unwrap().unwrap()
        }

        fn person(&mut self, name: &str) -> u64 {
            let device = Some(startalk_domain::command::NewDevice {
                name: String::new(),
                token_hash: *blake3::hash(name.as_bytes()).as_bytes(),
            });
            let create = Command::CreateAccount {
                name: name.parse().unwrap(),
                display_name: String::new(),
                password_hash: String::new(),
                recovery_hashes: vec![],
                admission: Admission::Operator { administrator: false },
                device,
            };
            let Answer::Account { account, .. } = self.run(create) else { panic!("no account") };
            account
        }

        fn act(&mut self, conversation: u64, act: GroupAct) {
            self.counter += 1;
            let actor = Actor { account: 1, device: 1 };
            self.run(Command::ActInGroup { actor, conversation, counter: self.counter, act });
        }
    }

    #[test]
    fn a_change_of_a_large_group_looks_at_the_members_around_it_and_no_others() {
        const MEMBERS: u64 = 2000;
        let journal = Journal::create(FaultDisk::new().arc(), [1; 16], Options::default()).unwrap();
        let views = startalk_sequencer::views(Store::temporary().unwrap(), Arc::new(journal.reader()));
        let sequencer = Sequencer::open(journal, views.clone(), "home.example".parse().unwrap(), |_, _| {}).unwrap();
        let mut town = Town { sequencer, counter: 1 };
        town.run(Command::Begin { root_key: [1; 32] });
        let owner = town.person("p0");
        let create =
            Command::CreateGroup { actor: Actor { account: owner, device: 1 }, counter: 1, name: "all".into(), members: vec![] };
        let Answer::Sent { conversation, .. } = town.run(create) else { panic!("no group") };
        for n in 1..MEMBERS {
            town.person(&format!("p{n}"));
            town.act(conversation, GroupAct::Add(format!("p{n}@home.example").parse().unwrap()));
        }
        let (crowds, registry) = (Crowds::default(), Registry::default());
        let sessions: Vec<Arc<Session>> = (1..=MEMBERS).map(|n| Arc::new(Session::new(n, [127, 0, 0, 1].into(), None))).collect();
        for session in &sessions[..1500] {
            assert!(registry.add(session.number, session, 1));
        }
        let now = || {
            let group = groups::group(&*views.store, conversation).unwrap();
            let connected = crowds.connected(&views.store, &registry, &group);
            // What is kept is what would be made anew.
            let afresh = Crowds::default().connected(&views.store, &registry, &group);
            assert!(connected.iter().eq(afresh.iter()));
            connected.len()
        };
        assert_eq!(now(), 1500);
        let looked_at = || crowds.looked_at.swap(0, Ordering::Relaxed);
        assert_eq!(looked_at(), MEMBERS);
        assert_eq!((now(), looked_at()), (1500, 0));
        // A text is no change of members.
        town.act(conversation, GroupAct::SetText { text: groups::Text::Name, value: "many".into() });
        assert_eq!((now(), looked_at()), (1500, 0));
        town.act(conversation, GroupAct::Remove("p700@home.example".parse().unwrap()));
        assert_eq!(now(), 1499);
        assert!(looked_at() <= 256, "one of eight chunks");
        // One comes and one goes.
        assert!(registry.add(sessions[1700].number, &sessions[1700], 1));
        assert!(registry.remove(sessions[3].number, &sessions[3]));
        assert_eq!(now(), 1499);
        assert!(looked_at() <= 512, "two of eight chunks");
    }
}
