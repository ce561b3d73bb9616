//! A replica of a group whose home is elsewhere: begins where the home says, and takes entry after entry, each proven.
//!
//! The home decides what is in the log and who may do what; it cannot change what was, nor speak for other domains'
//! people. A stretch is taken whole or not at all. federation-spec/07-groups.md §5

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Code, DomainName, Error, GroupId, group as chain, limits,
    pb::{
        events as pb,
        group::{self as wire, Beginning, Entry, Head, Proof, Range, Submission, submission::Action},
    },
    sabotage::{self, Switch},
    signing::{PublicKey, Purpose},
    trust::{Charter, VerifiedCharter},
};

use super::{
    Group, Log, Waiting,
    believe::{self, Told},
    by_id,
    decide::superseded,
    group, log,
    receive::unsalted,
    record::note_name,
    rights, submit, waiting,
};
use crate::{
    command::Answer,
    context::Ctx,
    directory::{self, HERE},
    erasure,
    event::{Event, Raw, Salted},
    files, governance,
    store::{New, Read, Tx},
    timeline,
};

/// The replica that this peer is home of.
pub(super) fn replica(read: &impl Read, peer: u64, id: &str) -> Result<Group, Error> {
    let unknown = || Error::from(Code::NoSuchConversation);
    let id: GroupId = id.parse().map_err(|_| unknown())?;
    let known = by_id(read, &id).and_then(|c| group(read, c)).filter(|g| g.home == peer && peer != HERE);
    known.map(|g| (*g).clone()).ok_or_else(unknown)
}

/// Checks the home's signature on a head.
fn check_head(tx: &Tx, peer: u64, group: &Group, head: &Head) -> Result<(), Error> {
    let bad = || Error::new(Code::BadSignature).with("what", "a group's head");
    if head.group != group.id {
        return Err(Error::new(Code::Malformed).with("expected", "a head of the group asked for"));
    }
    if sabotage::is(Switch::HeadsNotChecked) {
        return Ok(());
    }
    let pinned = directory::peer(tx, peer).ok_or(Code::Internal)?;
    let charter = Charter::decode_signed(&pinned.charter).map_err(|_| bad())?;
    let bytes = chain::head_bytes(head).ok_or_else(bad)?;
    check_head_key(&charter, head)?;
    check_signature(Purpose::GroupHead, &head.link_key, &bytes, &head.signature).then_some(()).ok_or_else(bad)
}

/// Whether the charter lists the key of a head, not ended at the head's time. It may have begun later: a home signs heads when
/// it serves them, and that of a place long ago has the time of its entry.
fn check_head_key(charter: &VerifiedCharter, head: &Head) -> Result<(), Error> {
    let ended = head.time_ms.saturating_sub(limits::CLOCK_SKEW_MS_MAX);
    let good = charter.link_keys().iter().any(|k| k.key[..] == head.link_key[..] && ended < k.not_after_ms);
    let wrong = || Error::new(Code::WrongKey).with("what", "A group's log").with("domain", charter.domain());
    good.then_some(()).ok_or_else(wrong)
}

/// Whether the charter lists this key, valid at that time.
fn check_key(charter: &VerifiedCharter, key: &[u8], time_ms: i64) -> Result<(), Error> {
    let wrong = || Error::new(Code::WrongKey).with("what", "A group's log").with("domain", charter.domain());
    let key: [u8; 32] = key.try_into().map_err(|_| wrong())?;
    let skew = limits::CLOCK_SKEW_MS_MAX;
    let valid =
        [time_ms, time_ms.saturating_add(skew), time_ms.saturating_sub(skew)].iter().any(|t| charter.link_key_valid(&key, *t));
    if valid { Ok(()) } else { Err(wrong()) }
}

fn check_signature(purpose: Purpose, key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    let key = key.try_into().ok().and_then(|key: [u8; 32]| PublicKey::from_bytes(&key));
    let signature: Option<[u8; 64]> = signature.try_into().ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify(purpose, bytes, &signature))
}

/// The replica begins, or goes on after this domain had no members for a while.
pub(crate) fn begin_replica(tx: &mut Tx, ctx: &mut Ctx, peer: u64, id: &str, first: &Beginning) -> Result<Answer, Error> {
    let group = replica(tx, peer, id)?;
    let malformed = || Error::new(Code::Malformed).with("expected", "what a replica begins with");
    let base = first.base.clone().ok_or_else(malformed)?;
    let wanted = group.renewed || !waiting(tx, group.conversation).is_empty();
    if group.begun || !wanted {
        return Ok(Answer::Done); // it has begun already
    }
    check_head(tx, peer, &group, &base)?;
    if base.sequence < timeline::head(tx, group.conversation).sequence {
        return Err(malformed());
    }
    let body = pb::GroupReplicaBeganBody {
        name: plain(&first.name, 1024)?,
        notice: plain(&first.notice, limits::GROUP_NOTICE_BYTES_MAX)?,
        description: plain(&first.description, limits::GROUP_DESCRIPTION_BYTES_MAX)?,
        avatar: plain(&first.avatar, limits::AVATAR_BYTES_MAX)?,
    };
    let body = ctx.salted(body);
    let facts = pb::GroupReplicaBegan {
        conversation: group.conversation,
        base: base.sequence,
        head: base.encode_to_vec().into(),
        rights: first.rights.unwrap_or_default().encode_to_vec().into(),
        pins: first.pins.iter().copied().take(limits::GROUP_PINS_MAX).collect(),
        more: first.next_member != 0,
    };
    tx.emit(New { conversation: 0, event: Event::GroupReplicaBegan(facts, Some(body)) });
    learn(tx, ctx, &group, first)?;
    Ok(Answer::Done)
}

/// More members of a replica that is to begin; with the last of them it does.
pub(crate) fn learn_members(tx: &mut Tx, ctx: &mut Ctx, peer: u64, id: &str, page: &Beginning) -> Result<Answer, Error> {
    let group = replica(tx, peer, id)?;
    if !group.begun {
        learn(tx, ctx, &group, page)?;
    }
    Ok(Answer::Done)
}

fn plain(text: &str, max: usize) -> Result<String, Error> {
    let good = text.len() <= max && text.chars().all(|c| c == '\n' || directory::is_harmless(c));
    if good { Ok(text.to_owned()) } else { Err(Error::new(Code::Malformed).with("expected", "plain text")) }
}

fn learn(tx: &mut Tx, ctx: &mut Ctx, group: &Group, page: &Beginning) -> Result<(), Error> {
    let members = &page.members;
    let known = super::group(tx, group.conversation).map_or(0, |g| g.members);
    if members.len() > limits::MEMBERS_PAGE_MAX || known + members.len() as u64 > limits::GROUP_MEMBERS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "members").with("max", limits::GROUP_MEMBERS_MAX));
    }
    let mut domains: Vec<&str> = members.iter().map(|m| m.domain.as_str()).filter(|d| !d.is_empty()).collect();
    domains.sort_unstable();
    domains.dedup();
    if domains.len() > limits::GROUP_DOMAINS_MAX + 1 {
        return Err(Error::new(Code::TooMany).with("what", "domains").with("max", limits::GROUP_DOMAINS_MAX));
    }
    let mut learned = Vec::with_capacity(members.len());
    for m in members {
        believe::number(m.member)?;
        let Some((person, peer)) = meet(tx, ctx, &m.name, &m.domain)? else { continue };
        let named = wire::Person { display_name: m.display_name.clone(), ..wire::Person::default() };
        if directory::check_display_name(&named.display_name, "display_name").is_ok() {
            let add = Submission { action: Some(Action::Add(wire::Add {})), ..Submission::default() };
            note_name(tx, ctx, &add, person, Some(&named.encode_to_vec()));
        }
        let role = u32::try_from(m.role).unwrap_or(0);
        let (muted_until_ms, changed) = (m.muted_until_ms, m.changed);
        // Our own people's ways are in the log that follows.
        let outside = peer == HERE;
        learned.push(pb::LearnedMember { member: m.member, person, peer, role, muted_until_ms, changed, outside });
    }
    let (conversation, last) = (group.conversation, page.next_member == 0);
    let facts = pb::GroupMembersLearned { conversation, members: learned, last };
    tx.emit(New { conversation: 0, event: Event::GroupMembersLearned(facts, None) });
    Ok(())
}

/// The numbers of a person and of their domain; `None` for who has no name any more.
fn meet(tx: &mut Tx, ctx: &mut Ctx, name: &str, domain: &str) -> Result<Option<(u64, u64)>, Error> {
    let (Ok(name), Ok(domain)) = (name.parse(), domain.parse::<DomainName>()) else { return Ok(None) };
    let peer = match directory::peer_number(tx, &domain) {
        Some(peer) => peer,
        // Also a domain that we do not talk to is a member's, and shown as such.
        None => directory::number_of(tx, ctx, &domain),
    };
    if peer == HERE {
        return Ok(directory::person_number(tx, HERE, &name).map(|person| (person, HERE)));
    }
    Ok(Some((directory::number_or_meet_person(tx, ctx, peer, &name)?, peer)))
}

/// Takes a stretch of the log.
///
/// # Errors
/// What is not proven, or does not follow on what we have; nothing of it is taken then.
pub(crate) fn follow(tx: &mut Tx, ctx: &mut Ctx, peer: u64, id: &str, range: Range) -> Result<Answer, Error> {
    let group = replica(tx, peer, id)?;
    let malformed = || Error::new(Code::Malformed).with("expected", "a stretch of the group's log");
    let (from, at) = (range.from.clone().ok_or_else(malformed)?, range.at.clone().ok_or_else(malformed)?);
    let conversation = group.conversation;
    if !group.begun || group.equivocated {
        return Ok(Answer::Done);
    }
    let here = timeline::head(tx, conversation).sequence;
    if from.sequence > here || from.sequence < here && at.sequence > here {
        return Err(Error::new(Code::OutOfOrder).with("got", from.sequence + 1).with("expected", here + 1));
    }
    check_head(tx, peer, &group, &from)?;
    check_head(tx, peer, &group, &at)?;
    let log = log(tx, conversation);
    for head in [&from, &at] {
        let differs = head.sequence == here && head.chain != log.chain[..];
        // It was restored from an older copy, says so, and what it has there, or its end, is not what we have of it.
        if head.home_epoch > log.epoch && (differs || at.sequence < here) {
            return Ok(forked(tx, &group, head));
        }
        if differs && !sabotage::is(Switch::EquivocationUnnoticed) {
            return equivocated(tx, &group, &log, head);
        }
    }
    if at.sequence < here {
        return Ok(Answer::Done); // had it all
    }
    let entries = if from.sequence == here { range.entries.as_slice() } else { &[] };
    if entries.len() > limits::GROUP_RANGE_ENTRIES_MAX || at.sequence != here + entries.len() as u64 {
        return Err(malformed());
    }
    let proofs = Proofs::new(tx, ctx, &range)?;
    let mut state = (log.epoch, log.chain);
    let times = std::iter::once(log.time_ms).chain(entries.iter().map(|e| e.time_ms)).chain(std::iter::once(at.time_ms));
    if !times.is_sorted() {
        return Err(Error::new(Code::Malformed).with("expected", "times that do not go back"));
    }
    for (index, entry) in entries.iter().enumerate() {
        let sequence = here + 1 + index as u64;
        state = take(tx, ctx, &proofs, &group, entry, sequence, state, (index + 1 == entries.len()).then_some(&at))?;
    }
    if state.1[..] != at.chain || state.0 != at.home_epoch {
        return Err(Error::new(Code::BadSignature).with("what", "a group's log"));
    }
    submit::ended(tx, conversation, at.time_ms);
    Ok(Answer::Done)
}

fn forked(tx: &mut Tx, group: &Group, head: &Head) -> Answer {
    let renewed = governance::numbers(tx).conversation + 1;
    let facts = pb::GroupForked { conversation: group.conversation, renewed, head: head.encode_to_vec().into() };
    tx.emit(New { conversation: 0, event: Event::GroupForked(facts, None) });
    Answer::Done
}

fn equivocated(tx: &mut Tx, group: &Group, log: &Log, theirs: &Head) -> Result<Answer, Error> {
    let facts = pb::GroupEquivocated {
        conversation: group.conversation,
        ours: Bytes::copy_from_slice(&log.signed),
        theirs: theirs.encode_to_vec().into(),
    };
    tx.emit(New { conversation: 0, event: Event::GroupEquivocated(facts, None) });
    Ok(Answer::Done)
}

/// Numbers of the files of an entry, and what it holds. Of what is ours but unknown to us, since this domain was restored from an
/// older copy, only what is known here.
fn files_of(
    tx: &mut Tx,
    ctx: &mut Ctx,
    origin: u64,
    ours: Option<&Waiting>,
    submission: &Submission,
    written: Option<&Salted<Raw>>,
) -> Result<(Vec<u64>, u32), Error> {
    if let Some(waits) = ours {
        return Ok(match crate::conversations::record_at(tx, ctx, waits.position).map(|r| r.event) {
            Some(Event::GroupSubmitted(f, _)) => (f.files, f.holds),
            _ => (Vec::new(), 0),
        });
    }
    let written = written.map(|w| w.value.0.as_ref());
    if origin == HERE {
        let held = written.map(crate::conversations::content::held).unwrap_or_default();
        return Ok((files::met_here(tx, &held.files), held.kinds));
    }
    files::in_group(tx, ctx, origin, 0, submission.action.as_ref(), written)
}

/// Takes one entry; the epoch and the chain after it.
#[expect(clippy::too_many_arguments, reason = "one entry, its place and what proves it")]
fn take(
    tx: &mut Tx,
    ctx: &mut Ctx,
    proofs: &Proofs,
    group: &Group,
    entry: &Entry,
    sequence: u64,
    (epoch, chain): (u32, [u8; 32]),
    at: Option<&Head>,
) -> Result<(u32, [u8; 32]), Error> {
    let malformed = || Error::new(Code::Malformed).with("expected", "an entry of a group's log");
    let id: GroupId = group.id.parse().map_err(|_| Code::Internal)?;
    let submission = Submission::decode(entry.submission.as_ref()).map_err(|_| malformed())?;
    let body_hash = chain::body_hash_of(entry).ok_or_else(malformed)?;
    let hash = chain::submission_hash(&id, &entry.submission, &body_hash);
    let origin = match entry.origin.as_str() {
        "" => group.home,
        domain => {
            let domain: DomainName = domain.parse().map_err(|_| malformed())?;
            match directory::peer_number(tx, &domain) {
                Some(peer) => peer,
                None => directory::number_of(tx, ctx, &domain),
            }
        }
    };
    let ours = (origin == HERE).then(|| waiting(tx, group.conversation).iter().find(|w| w.number == submission.number).cloned());
    let ours = ours.flatten().filter(|w| submitted_hash(tx, ctx, group, w) == Some(hash));
    if origin != group.home && ours.is_none() {
        proofs.check(entry, &hash, &submission)?;
    }
    let written = match &entry.body {
        Some(wire::entry::Body::Written(written)) => unsalted(written).ok_or_else(malformed)?,
        _ => None,
    };
    // What is written is no content, no text or no person: it is in the chain by its hash, and shown to nobody.
    let written = written.filter(|w| match &submission.action {
        Some(action) => rights::check_written(action, Some(&w.value.0)).is_ok(),
        None => true,
    });
    let (person, peer) = whom(tx, ctx, group, &submission, entry, written.as_ref())?;
    let before = super::group(tx, group.conversation).ok_or(Code::Internal)?;
    let decided = wire::Decided::decode(entry.decided.as_ref()).map_err(|_| malformed())?;
    believe::check(tx, ctx, &before, &Told { submission: &submission, decided: &decided, origin, person, peer })?;
    note_name(tx, ctx, &submission, person, written.as_ref().map(|w| w.value.0.as_ref()));
    let forgotten = submission.action.as_ref().map(|a| superseded(tx, ctx, &before, a)).unwrap_or_default();
    let (files, holds) = files_of(tx, ctx, origin, ours.as_ref(), &submission, written.as_ref())?;
    let facts = pb::GroupRecorded {
        submission: entry.submission.clone(),
        decided: entry.decided.clone(),
        origin,
        origin_domain: entry.origin.clone(),
        time_ms: entry.time_ms.max(1),
        person,
        peer,
        device: ours.as_ref().map_or(0, |w| w.device),
        counter: ours.as_ref().map_or(0, |w| w.counter),
        submitted_at: ours.as_ref().map_or(0, |w| w.position),
        proof: 0,
        head: at.map(|head| head.encode_to_vec().into()).unwrap_or_default(),
        files,
        holds,
        ..pb::GroupRecorded::default()
    };
    let body = if ours.is_some() { None } else { written };
    let emitted = tx.emit(New { conversation: group.conversation, event: Event::GroupRecorded(facts, body) }).sequence;
    assert_eq!(emitted, sequence, "a replica's records stand where the home's do");
    erasure::erase(tx, forgotten, "superseded");
    let place = chain::Place {
        group: &id,
        epoch,
        sequence,
        time_ms: entry.time_ms,
        origin: &entry.origin,
        hash,
        decided: &entry.decided,
    };
    let renewed = matches!(submission.action, Some(Action::NewEpoch(_)));
    Ok((epoch.saturating_add(u32::from(renewed)), chain::chain_after(&chain, &place)))
}

/// The hash of our submission that waits, from our own record of it.
fn submitted_hash(tx: &Tx, ctx: &Ctx, group: &Group, waits: &Waiting) -> Option<[u8; 32]> {
    let record = crate::conversations::record_at(tx, ctx, waits.position)?;
    let Event::GroupSubmitted(f, body) = &record.event else { return None };
    let written = body.as_ref().filter(|b| !b.value.written.is_empty());
    let written = written.map(|b| [&b.salt[..], &b.value.written[..]].concat()).unwrap_or_default();
    submit::hash(group, &f.submission, &written)
}

/// The local numbers of the person that an entry is about.
fn whom(
    tx: &mut Tx,
    ctx: &mut Ctx,
    group: &Group,
    submission: &Submission,
    entry: &Entry,
    written: Option<&Salted<Raw>>,
) -> Result<(u64, u64), Error> {
    match &submission.action {
        Some(Action::Create(_) | Action::Add(_) | Action::Join(_)) => {}
        Some(Action::Ban(b)) if b.member == 0 => {}
        Some(Action::Admit(a)) => {
            return Ok(super::member(tx, group.conversation, a.member).map_or((0, HERE), |m| (m.person, m.peer)));
        }
        _ => return Ok((0, HERE)),
    }
    let named = written.and_then(|w| wire::Person::decode(w.value.0.as_ref()).ok()).unwrap_or_default();
    // A domain can bring in its own people by joining, nobody else's.
    if matches!(submission.action, Some(Action::Join(_))) && !named.domain.is_empty() {
        let home = directory::domain_of(tx, group.home).map(|d| d.to_string()).unwrap_or_default();
        let of = if entry.origin.is_empty() { &home } else { &entry.origin };
        if named.domain != *of {
            return Err(Error::new(Code::WrongDomain).with("domain", of).with("asked", &named.domain));
        }
    }
    if named.name.is_empty() {
        let peer = named.domain.parse().ok().and_then(|d: DomainName| directory::peer_number(tx, &d));
        return Ok((0, peer.unwrap_or(HERE)));
    }
    Ok(meet(tx, ctx, &named.name, &named.domain)?.unwrap_or((0, HERE)))
}

/// What proves that other domains submitted what a stretch says they did.
struct Proofs<'a> {
    list: &'a [Proof],
    /// By domain: charters that we know, and such as the home has shown.
    charters: Vec<VerifiedCharter>,
    good: Vec<bool>,
}

impl<'a> Proofs<'a> {
    fn new(tx: &Tx, ctx: &Ctx, range: &'a Range) -> Result<Self, Error> {
        // Each costs a check of a signature, and everybody here waits meanwhile.
        for (what, got, max) in [
            ("proofs", range.proofs.len(), limits::GROUP_RANGE_ENTRIES_MAX),
            ("charters", range.charters.len(), limits::GROUP_RANGE_ENTRIES_MAX),
        ] {
            if got > max {
                return Err(Error::new(Code::TooMany).with("what", what).with("max", max));
            }
        }
        let mut charters = Vec::new();
        let realm = governance::realm(tx);
        charters.extend(Charter::decode_signed(&realm.charter));
        let mut domains: Vec<&str> = range.proofs.iter().map(|p| p.domain.as_str()).collect();
        domains.sort_unstable();
        domains.dedup();
        let shown: Vec<VerifiedCharter> = range.charters.iter().filter_map(|c| Charter::decode_signed(c).ok()).collect();
        for domain in domains {
            let Ok(domain) = domain.parse::<DomainName>() else { continue };
            let known = directory::peer_number(tx, &domain).and_then(|n| directory::peer(tx, n));
            charters.extend(known.as_ref().and_then(|p| Charter::decode_signed(&p.charter).ok()));
            // Another charter of the same keys may be newer or older than ours; of a domain that we never met, the home's
            // word is all there is, until it is met.
            let first_root_key = if domain == *ctx.domain {
                Some(realm.root_key)
            } else {
                known.and_then(|p| p.pinned()).map(|p| p.first_root_key)
            };
            let same = |c: &&VerifiedCharter| first_root_key.is_none_or(|key| key == c.first_root_key());
            charters.extend(shown.iter().filter(|c| *c.domain() == domain).filter(same).cloned());
        }
        let good = range.proofs.iter().map(|p| {
            let bytes = chain::submissions_bytes(p.hashes.iter());
            p.hashes.len() <= limits::LINK_BATCH_ITEMS_MAX
                && check_signature(Purpose::GroupSubmissions, &p.link_key, &bytes, &p.signature)
        });
        Ok(Self { list: &range.proofs, charters, good: good.collect() })
    }

    fn check(&self, entry: &Entry, hash: &[u8; 32], submission: &Submission) -> Result<(), Error> {
        if sabotage::is(Switch::SubmissionsNotProven) {
            return Ok(());
        }
        let forged = || Error::new(Code::BadSignature).with("what", "a submission");
        let index = (entry.proof as usize).checked_sub(1).ok_or_else(forged)?;
        let proof = self.list.get(index).filter(|_| self.good[index]).ok_or_else(forged)?;
        let covers = proof.domain == entry.origin && proof.hashes.iter().any(|h| h[..] == hash[..]);
        let in_time = submission.not_after_ms == 0 || entry.time_ms <= submission.not_after_ms;
        let mut of_domain = self.charters.iter().filter(|c| c.domain().as_str() == entry.origin);
        let keyed = of_domain.any(|c| check_key(c, &proof.link_key, entry.time_ms).is_ok());
        if covers && keyed && in_time { Ok(()) } else { Err(forged()) }
    }
}
