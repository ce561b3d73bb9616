//! Views out of events: what each entry of a log makes of a group. Checks no right, reads facts first and bodies only to
//! copy them.

use prost::Message as _;
use startalk_protocol::{
    group as chain, limits,
    pb::{
        events as pb,
        group::{self as wire, Head, Submission, submission::Action},
    },
};

use super::{
    CHUNK, FENCE, Group, Link, Log, Member, PeerIn, Rights, Role, Standing, Waiting, changes_key, epoch_key, fence_key,
    followed_key, group_key, id_key, join, log_key, members_key, number_key, persons_key, proof_key, receive, views,
    views::{Changes, Members, Persons},
    waiting_key,
};
use crate::{
    directory::HERE,
    event::{Event, Raw, Recorded, Salted},
    governance::array,
    store::{Read, Tx},
};

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::GroupBegan(f, _) => {
            let group = Group {
                conversation: f.conversation,
                id: f.group.clone(),
                home: f.home,
                begun: f.home == HERE,
                position: record.position,
                ..Group::default()
            };
            tx.put(id_key(&f.group), f.conversation);
            tx.put(group_key(f.conversation), group);
            let realm = tx.get::<u32>(&epoch_key()).map_or(1, |e| *e);
            tx.put(log_key(f.conversation), Log { epoch: u32::from(f.home == HERE), realm, ..Log::default() });
            if f.home != HERE {
                tx.change(followed_key(f.home), |all: &mut Vec<u64>| insert(all, f.conversation));
            }
        }
        Event::GroupRecorded(f, body) => recorded(tx, record, f, body.as_ref()),
        Event::GroupReplicaBegan(f, body) => replica_began(tx, record.position, f, body.as_ref().map(|b| &b.value)),
        Event::GroupMembersLearned(f, _) => {
            f.members.iter().for_each(|m| learned(tx, f.conversation, m));
            if f.last {
                tx.change(group_key(f.conversation), |g: &mut Group| {
                    (g.begun, g.renewed, g.position) = (true, false, record.position);
                });
            }
        }
        Event::GroupSubmitted(f, _) => {
            let Ok(submission) = Submission::decode(f.submission.as_ref()) else { return };
            let (number, not_after_ms) = (submission.number, submission.not_after_ms);
            let (account, device, counter) = (f.account, f.device, f.counter);
            let joins = matches!(submission.action, Some(Action::Join(_)));
            let position = record.position;
            let waits = Waiting { number, position, account, device, counter, not_after_ms, joins, asked: false };
            tx.put(number_key(f.conversation), number);
            tx.change(waiting_key(f.conversation), |all: &mut Vec<Waiting>| all.push(waits));
        }
        Event::GroupSubmissionEnded(f, _) => {
            ended(tx, f.conversation, f.number);
            if f.home_time_ms != 0 {
                // What was called failed must not come after all.
                tx.change(log_key(f.conversation), |l: &mut Log| l.time_ms = l.time_ms.max(f.home_time_ms));
            }
            // Devices that were not there find the group among what changed, and what waited no longer waiting.
            tx.change(group_key(f.conversation), |g: &mut Group| g.position = record.position);
        }
        Event::GroupApplicantTold(f, _) => applicant_told(tx, record.position, f),
        Event::GroupLeaving(f, _) => tx.change(group_key(f.conversation), |g: &mut Group| {
            insert(&mut g.leaving, f.account);
            g.position = record.position;
        }),
        Event::GroupEquivocated(f, _) => tx.change(group_key(f.conversation), |g: &mut Group| {
            (g.equivocated, g.position) = (true, record.position);
        }),
        Event::EpochBegan(f, _) => tx.put(epoch_key(), f.epoch),
        Event::GroupForked(f, _) => forked(tx, record.position, f),
        Event::GroupProven(f, _) => tx.put(proof_key(f.peer), (record.position, f.signature.to_vec())),
        Event::GroupSubmissionRefused(f, _) => {
            receive::remember(tx, f.conversation, f.peer, f.number, array(&f.hash), &f.code);
        }
        _ => join::apply(tx, record),
    }
}

/// What we have stays where it is, and a new replica begins, with what waits for the home.
fn forked(tx: &mut Tx, position: u64, f: &pb::GroupForked) {
    let mut old = Group::default();
    tx.change(group_key(f.conversation), |g: &mut Group| {
        (g.begun, g.renewed, g.renewed_as, g.position) = (false, false, f.renewed, position);
        old = g.clone();
    });
    let (conversation, id, home) = (f.renewed, old.id, old.home);
    tx.put(id_key(&id), conversation);
    tx.put(group_key(conversation), Group { conversation, id, home, renewed: true, position, ..Group::default() });
    tx.put(log_key(conversation), Log::default());
    tx.change(followed_key(home), |all: &mut Vec<u64>| insert(all, conversation));
    let (waiting, number) = (views::waiting(tx, f.conversation), tx.get::<u64>(&number_key(f.conversation)));
    tx.put(waiting_key(conversation), (*waiting).clone());
    tx.remove(waiting_key(f.conversation));
    if let Some(number) = number {
        tx.put(number_key(conversation), *number);
    }
}

/// Whoever waits goes on waiting, or stands as somebody who was not admitted.
fn applicant_told(tx: &mut Tx, position: u64, f: &pb::GroupApplicantTold) {
    if f.refused {
        ended(tx, f.conversation, f.number);
        name_person(tx, f.conversation, f.account, f.member);
        change_member(tx, f.conversation, f.member, |m| {
            (m.person, m.peer, m.standing) = (f.account, HERE, Standing::Refused);
        });
    } else {
        tx.change(waiting_key(f.conversation), |all: &mut Vec<Waiting>| {
            all.iter_mut().filter(|w| w.number == f.number).for_each(|w| w.asked = true);
        });
    }
    tx.change(group_key(f.conversation), |g: &mut Group| g.position = position);
}

fn insert(sorted: &mut Vec<u64>, number: u64) {
    if let Err(at) = sorted.binary_search(&number) {
        sorted.insert(at, number);
    }
}

fn ended(tx: &mut Tx, conversation: u64, number: u64) {
    tx.change(waiting_key(conversation), |all: &mut Vec<Waiting>| all.retain(|w| w.number != number));
}

/// What somebody asked for is decided: the replica holds that, and may not hold that they asked.
fn decided(tx: &mut Tx, conversation: u64, over: impl Fn(&Waiting) -> bool) {
    if views::waiting(tx, conversation).iter().any(&over) {
        tx.change(waiting_key(conversation), |all: &mut Vec<Waiting>| all.retain(|w| !over(w)));
    }
}

fn recorded(tx: &mut Tx, record: &Recorded, f: &pb::GroupRecorded, body: Option<&Salted<Raw>>) {
    let conversation = record.conversation;
    let Ok(submission) = Submission::decode(f.submission.as_ref()) else { return };
    let decided = wire::Decided::decode(f.decided.as_ref()).unwrap_or_default();
    let is_home = views::group(tx, conversation).is_none_or(|g| g.is_home());
    if is_home {
        grow(tx, record, f, &submission);
        if f.origin != HERE {
            let hash = hash_of(tx, record, f);
            receive::remember(tx, conversation, f.origin, submission.number, hash, "");
        }
    } else {
        if f.submitted_at != 0 {
            ended(tx, conversation, submission.number);
        }
        if views::group(tx, conversation).is_some_and(|g| g.home != f.origin) {
            receive::counted(tx, conversation, f.origin, submission.number);
        }
        if let Ok(head) = Head::decode(f.head.as_ref())
            && !f.head.is_empty()
        {
            let signed = f.head.to_vec();
            let (epoch, chain, time_ms) = (head.home_epoch, array(&head.chain), head.time_ms);
            let log = Log { epoch, chain, time_ms, signed, realm: 0 };
            tx.put(log_key(conversation), log);
        }
    }
    let text = || body.map(|b| String::from_utf8_lossy(&b.value.0).into_owned()).unwrap_or_default();
    let names = matches!(submission.action, Some(Action::Create(_) | Action::Add(_) | Action::Join(_)));
    let entry = Applied { record, f, author: submission.author, body_at: body_at(record, f), names };
    match submission.action {
        Some(Action::Create(c)) => {
            let rights = c.rights.as_ref().map(Rights::of).unwrap_or_default();
            tx.change(group_key(conversation), |g: &mut Group| g.rights = rights);
            entry.comes_in(tx, decided.member);
            entry.with_group(tx, |g| g.owner = decided.member);
            change_member(tx, conversation, decided.member, |m| m.role = Role::Owner);
        }
        Some(Action::Add(_)) if decided.invited => entry.with_group(tx, |g| {
            g.invited.retain(|p| *p != f.person);
            g.invited.push(f.person);
            let many = g.invited.len().saturating_sub(limits::GROUP_BANNED_MAX);
            g.invited.drain(..many);
        }),
        Some(Action::Add(_)) => entry.comes_in(tx, decided.member),
        Some(Action::Join(_)) => {
            if decided.link != 0 {
                let used = |l: &mut Link| l.used += u32::from(l.link == decided.link);
                entry.with_group(tx, |g| g.links.iter_mut().for_each(used));
            }
            if decided.asked { entry.asks(tx, decided.member, submission.number) } else { entry.comes_in(tx, decided.member) }
        }
        Some(Action::Admit(a)) if a.refuse => entry.stands(tx, a.member, Standing::Refused),
        Some(Action::Admit(a)) => entry.comes_in(tx, a.member),
        Some(Action::Leave(_)) => entry.stands(tx, submission.author, Standing::Left),
        Some(Action::Remove(r)) => entry.stands(tx, r.member, Standing::Removed),
        Some(Action::Ban(b)) => entry.ban(tx, &b),
        Some(Action::SetRole(r)) => entry.set_role(tx, r.member, Role::of(r.role)),
        Some(Action::Mute(m)) => {
            change_member(tx, conversation, m.member, |member| {
                (member.muted_until_ms, member.changed) = (m.until_ms, record.sequence);
            });
            entry.with_group(tx, |_| {});
        }
        Some(Action::SetText(t)) => entry.with_group(tx, |g| set_text(g, t.text(), text(), entry.body_at)),
        Some(Action::SetRights(r)) => {
            let rights = r.rights.as_ref().map(Rights::of).unwrap_or_default();
            entry.with_group(tx, |g| g.rights = rights);
        }
        Some(Action::MakeLink(l)) => {
            let link = Link {
                link: record.sequence,
                maker: submission.author,
                uses: l.uses,
                used: 0,
                not_after_ms: l.not_after_ms,
                secret_hash: body.map(|b| b.value.0.to_vec()).unwrap_or_default(),
                position: entry.body_at,
            };
            entry.with_group(tx, |g| g.links.push(link));
        }
        Some(Action::RevokeLink(l)) => entry.with_group(tx, |g| g.links.retain(|known| known.link != l.link)),
        Some(Action::Destroy(_)) => entry.destroy(tx),
        Some(Action::NewEpoch(_)) if is_home => {
            let realm = tx.get::<u32>(&epoch_key()).map_or(1, |e| *e);
            tx.change(log_key(conversation), |l: &mut Log| (l.epoch, l.realm) = (l.epoch + 1, realm));
        }
        Some(Action::Edit(e)) => changed(tx, record, e.target, |c| {
            c.edits.push((record.sequence, record.position, home_time(record, f).unsigned_abs()));
            c.edits_at.push(entry.body_at);
        }),
        Some(Action::Recall(r)) => {
            changed(tx, record, r.target, |c| {
                c.recalled_by = submission.author;
                // Their bodies go with the message, so nothing may be left of them here either.
                (c.reactions, c.reactions_at) = (Vec::new(), Vec::new());
            });
            entry.unpin(tx, r.target);
        }
        Some(Action::React(r)) => changed(tx, record, r.target, |c| {
            let emoji = text();
            if !r.remove {
                c.reactions_at.push(entry.body_at);
            }
            if emoji.is_empty() {
                return; // erased
            }
            let at = c.reactions.iter().position(|known| known.0 == emoji);
            match (at, r.remove) {
                (Some(at), false) => insert(&mut c.reactions[at].1, submission.author),
                (Some(at), true) => c.reactions[at].1.retain(|m| *m != submission.author),
                (None, false) => c.reactions.push((emoji, vec![submission.author])),
                (None, true) => {}
            }
            c.reactions.retain(|known| !known.1.is_empty());
        }),
        Some(Action::Pin(p)) => {
            if p.remove {
                entry.unpin(tx, p.target);
            } else {
                entry.with_group(tx, |g| {
                    g.pins.retain(|s| *s != p.target);
                    g.pins.push(p.target);
                });
            }
            changed(tx, record, p.target, |_| {});
        }
        _ => {}
    }
}

/// Where the entry's body is: in its own record, or in the record of our submission.
pub(super) fn body_at(record: &Recorded, f: &pb::GroupRecorded) -> u64 {
    if f.submitted_at == 0 { record.position } else { f.submitted_at }
}

/// The reactions to a message are kept no longer.
pub(crate) fn quiet(tx: &mut Tx, conversation: u64, sequence: u64) {
    if views::change_of(tx, conversation, sequence).is_some() {
        tx.change(changes_key(conversation, sequence), |all: &mut Changes| {
            if let Ok(at) = all.list.binary_search_by_key(&sequence, |c| c.0) {
                all.list[at].1.reactions.clear();
                all.list[at].1.reactions_at.clear();
            }
        });
    }
}

/// The home's time of an entry.
pub(super) fn home_time(record: &Recorded, f: &pb::GroupRecorded) -> i64 {
    if f.time_ms == 0 { i64::try_from(record.time_ms).unwrap_or(i64::MAX) } else { f.time_ms }
}

/// The hash of an entry's submission; of a record whose body is its own.
pub(super) fn hash_of(read: &impl crate::store::Read, record: &Recorded, f: &pb::GroupRecorded) -> [u8; 32] {
    let id = views::group(read, record.conversation).and_then(|g| g.id.parse().ok());
    id.map(|id| chain::submission_hash(&id, &f.submission, &record.body_hash)).unwrap_or_default()
}

/// The home's chain goes on.
fn grow(tx: &mut Tx, record: &Recorded, f: &pb::GroupRecorded, _: &Submission) {
    let Some(id) = views::group(tx, record.conversation).and_then(|g| g.id.parse().ok()) else { return };
    let log = views::log(tx, record.conversation);
    let place = chain::Place {
        group: &id,
        epoch: log.epoch,
        sequence: record.sequence,
        time_ms: home_time(record, f),
        origin: &f.origin_domain,
        hash: hash_of(tx, record, f),
        decided: &f.decided,
    };
    let chain = chain::chain_after(&log.chain, &place);
    let log = Log { chain, time_ms: place.time_ms, ..(*log).clone() };
    if record.sequence.is_multiple_of(FENCE) {
        tx.put(fence_key(record.conversation, record.sequence / FENCE), (log.epoch, chain));
    }
    tx.put(log_key(record.conversation), log);
}

fn changed(tx: &mut Tx, record: &Recorded, target: u64, change: impl FnOnce(&mut super::Change)) {
    tx.change(changes_key(record.conversation, target), |all: &mut Changes| {
        let at = match all.list.binary_search_by_key(&target, |c| c.0) {
            Ok(at) => at,
            Err(at) => {
                all.list.insert(at, (target, super::Change::default()));
                at
            }
        };
        change(&mut all.list[at].1);
        all.list[at].1.position = record.position;
    });
}

fn change_member(tx: &mut Tx, conversation: u64, number: u64, change: impl FnOnce(&mut Member)) {
    tx.change(members_key(conversation, number / CHUNK), |all: &mut Members| {
        let at = match all.list.binary_search_by_key(&number, |m| m.member) {
            Ok(at) => at,
            Err(at) => {
                all.list.insert(at, Member { member: number, standing: Standing::Left, ..Member::default() });
                at
            }
        };
        change(&mut all.list[at]);
    });
}

fn name_person(tx: &mut Tx, conversation: u64, person: u64, member: u64) {
    tx.change(persons_key(conversation, person / CHUNK), |all: &mut Persons| {
        match all.list.binary_search_by_key(&person, |p| p.0) {
            Ok(at) => all.list[at].1 = member,
            Err(at) => all.list.insert(at, (person, member)),
        }
    });
}

fn set_text(group: &mut Group, text: wire::Text, value: String, position: u64) {
    let (place, slot) = match text {
        wire::Text::Name => (0, &mut group.name),
        wire::Text::Notice => (1, &mut group.notice),
        wire::Text::Description => (2, &mut group.description),
        wire::Text::Avatar => (3, &mut group.avatar),
    };
    *slot = value;
    group.texts_at[place] = position;
}

/// One entry and what it changes.
struct Applied<'a> {
    record: &'a Recorded,
    f: &'a pb::GroupRecorded,
    author: u64,
    body_at: u64,
    /// It says who comes in: in its own body, or in that of our submission. An admission does not, for who asked was named.
    names: bool,
}

impl Applied<'_> {
    fn with_group(&self, tx: &mut Tx, change: impl FnOnce(&mut Group)) {
        tx.change(group_key(self.record.conversation), |g: &mut Group| {
            change(g);
            g.position = self.record.position;
        });
    }

    fn asks(&self, tx: &mut Tx, number: u64, asked_by: u64) {
        self.named(tx, number);
        change_member(tx, self.record.conversation, number, |m| {
            (m.standing, m.changed, m.asked_by) = (Standing::Asked, self.record.sequence, asked_by);
        });
        self.with_group(tx, |g| {
            g.last_member = g.last_member.max(number);
            g.asked += 1;
        });
    }

    fn named(&self, tx: &mut Tx, number: u64) {
        let (conversation, f) = (self.record.conversation, self.f);
        if f.person != 0 {
            name_person(tx, conversation, f.person, number);
        }
        change_member(tx, conversation, number, |m| {
            if f.person != 0 {
                (m.person, m.peer) = (f.person, f.peer);
            }
            m.named_at.push(self.body_at);
        });
    }

    fn comes_in(&self, tx: &mut Tx, number: u64) {
        let (conversation, sequence) = (self.record.conversation, self.record.sequence);
        if self.f.person != 0 && self.names {
            self.named(tx, number);
        }
        let (mut asked, mut was_in, mut person, mut peer) = (false, false, 0, HERE);
        change_member(tx, conversation, number, |m| {
            (asked, was_in, peer) = (m.standing == Standing::Asked, m.is_in(), m.peer);
            (m.standing, m.role, m.muted_until_ms, m.changed) = (Standing::In, Role::Member, 0, sequence);
            (person, m.asked_by) = (m.person, 0);
            if !was_in {
                m.stints.push((sequence, 0));
            }
        });
        if peer == HERE {
            decided(tx, conversation, |w| w.joins && w.account == person);
        }
        let mut first = false;
        self.with_group(tx, |g| {
            g.last_member = g.last_member.max(number);
            g.invited.retain(|p| *p != self.f.person);
            g.asked -= u64::from(asked).min(g.asked);
            if was_in {
                return;
            }
            g.members += 1;
            if peer == HERE {
                g.here += 1;
            } else {
                first = entered(&mut g.peers, peer, sequence);
            }
        });
        if first && views::group(tx, conversation).is_some_and(|g| g.is_home()) {
            tx.change(followed_key(peer), |all: &mut Vec<u64>| insert(all, conversation));
        }
    }

    /// Somebody goes, or is not admitted.
    fn stands(&self, tx: &mut Tx, number: u64, standing: Standing) {
        let (conversation, sequence) = (self.record.conversation, self.record.sequence);
        let (mut was, mut person, mut peer) = (Standing::Left, 0, HERE);
        change_member(tx, conversation, number, |m| {
            (was, person, peer) = (m.standing, m.person, m.peer);
            (m.standing, m.role, m.changed) = (standing, Role::Member, sequence);
            if let Some(stint) = m.stints.last_mut().filter(|s| s.1 == 0) {
                stint.1 = sequence;
            }
        });
        if peer == HERE && was != Standing::In {
            decided(tx, conversation, |w| w.asked && w.account == person);
        }
        self.with_group(tx, |g| {
            g.leaving.retain(|a| *a != person);
            g.asked -= u64::from(was == Standing::Asked).min(g.asked);
            if was != Standing::In {
                return;
            }
            g.members = g.members.saturating_sub(1); // a home may tell what does not add up
            if peer == HERE {
                g.here = g.here.saturating_sub(1);
                g.begun &= g.is_home() || g.here > 0;
            }
            if let Some(domain) = g.peers.iter_mut().find(|p| p.peer == peer) {
                domain.members = domain.members.saturating_sub(1);
                if domain.members == 0
                    && let Some(stint) = domain.stints.last_mut()
                {
                    stint.1 = sequence;
                }
            }
        });
    }

    fn ban(&self, tx: &mut Tx, ban: &wire::Ban) {
        let (person, peer) = match ban.member {
            0 => (self.f.person, self.f.peer),
            number => views::member(tx, self.record.conversation, number).map_or((0, HERE), |m| (m.person, m.peer)),
        };
        self.with_group(tx, |g| {
            let (list, number) = if person != 0 { (&mut g.banned, person) } else { (&mut g.banned_peers, peer) };
            if ban.lift { list.retain(|n| *n != number) } else { insert(list, number) }
        });
        if ban.member == 0 {
            return;
        }
        if ban.lift {
            change_member(tx, self.record.conversation, ban.member, |m| {
                if m.standing == Standing::Banned {
                    m.standing = Standing::Removed;
                }
            });
        } else {
            self.stands(tx, ban.member, Standing::Banned);
        }
    }

    fn set_role(&self, tx: &mut Tx, number: u64, role: Role) {
        let (conversation, sequence) = (self.record.conversation, self.record.sequence);
        let set = |tx: &mut Tx, number: u64, role: Role| {
            change_member(tx, conversation, number, |m| (m.role, m.changed) = (role, sequence));
        };
        if role == Role::Owner {
            // By the home's administration: whoever owned it then.
            let before = if self.author == 0 { views::group(tx, conversation).map_or(0, |g| g.owner) } else { self.author };
            set(tx, before, Role::Administrator);
            self.with_group(tx, |g| g.owner = number);
        }
        set(tx, number, role);
        self.with_group(tx, |_| {});
    }

    /// Over: everybody's stretch ends with this record inside, so that they see why.
    fn destroy(&self, tx: &mut Tx) {
        self.with_group(tx, |g| g.destroyed = true);
    }

    fn unpin(&self, tx: &mut Tx, target: u64) {
        if views::group(tx, self.record.conversation).is_some_and(|g| g.pins.contains(&target)) {
            self.with_group(tx, |g| g.pins.retain(|s| *s != target));
        }
    }
}

/// Somebody of this domain is in from here on; whether they are the first.
fn entered(peers: &mut Vec<PeerIn>, peer: u64, sequence: u64) -> bool {
    let at = match peers.binary_search_by_key(&peer, |p| p.peer) {
        Ok(at) => at,
        Err(at) => {
            peers.insert(at, PeerIn { peer, ..PeerIn::default() });
            at
        }
    };
    let domain = &mut peers[at];
    if domain.members == 0 {
        domain.stints.push((sequence, 0));
    }
    domain.members += 1;
    domain.members == 1
}

fn replica_began(tx: &mut Tx, position: u64, f: &pb::GroupReplicaBegan, texts: Option<&pb::GroupReplicaBeganBody>) {
    let head = Head::decode(f.head.as_ref()).unwrap_or_default();
    let rights = wire::Rights::decode(f.rights.as_ref()).map(|r| Rights::of(&r)).unwrap_or_default();
    let texts = texts.cloned().unwrap_or_default();
    let last = views::group(tx, f.conversation).map_or(0, |g| g.last_member);
    for chunk in 0..=last / CHUNK {
        // Who was in when this domain went: whoever still is, is told anew.
        tx.change(members_key(f.conversation, chunk), |all: &mut Members| {
            for member in all.list.iter_mut().filter(|m| m.standing == Standing::In) {
                member.standing = Standing::Left;
                member.stints.iter_mut().filter(|s| s.1 == 0).for_each(|s| s.1 = head.sequence);
            }
        });
    }
    tx.change(group_key(f.conversation), |g: &mut Group| {
        (g.members, g.here) = (0, 0);
        g.peers.clear();
        // Begun when all its members are known: a start in between begins again.
        (g.begun, g.rights, g.position) = (false, rights, position);
        (g.name, g.notice, g.description, g.avatar) = (texts.name, texts.notice, texts.description, texts.avatar);
        g.texts_at = [position; 4];
        g.pins = f.pins.clone();
    });
    let signed = f.head.to_vec();
    let (epoch, chain, time_ms) = (head.home_epoch, array(&head.chain), head.time_ms);
    tx.put(log_key(f.conversation), Log { epoch, chain, time_ms, signed, realm: 0 });
}

fn learned(tx: &mut Tx, conversation: u64, m: &pb::LearnedMember) {
    let known = views::member(tx, conversation, m.member);
    if known.as_ref().is_some_and(|k| k.changed >= m.changed && k.is_in()) {
        return;
    }
    if m.outside {
        name_person(tx, conversation, m.person, m.member);
        change_member(tx, conversation, m.member, |member| (member.person, member.peer) = (m.person, m.peer));
        return;
    }
    let was_in = known.is_some_and(|k| k.is_in());
    name_person(tx, conversation, m.person, m.member);
    let role = Role::of(i32::try_from(m.role).unwrap_or(0));
    change_member(tx, conversation, m.member, |member| {
        (member.person, member.peer, member.role) = (m.person, m.peer, role);
        (member.muted_until_ms, member.changed, member.standing) = (m.muted_until_ms, m.changed, Standing::In);
        if !was_in && m.peer != HERE {
            member.stints.push((m.changed, 0)); // only who is here reads here
        }
    });
    tx.change(group_key(conversation), |g: &mut Group| {
        g.members += u64::from(!was_in);
        g.last_member = g.last_member.max(m.member);
        if role == Role::Owner {
            g.owner = m.member;
        }
        if m.peer != HERE && !was_in {
            entered(&mut g.peers, m.peer, m.changed);
        }
    });
}
