//! A group's home, for its followers: stretches of the log, the state that a replica begins with, and who is to be told
//! that the log has grown. Reads views and journal, changes nothing. Heads are signed by whoever sends them.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error, GroupId, group as chain, limits,
    pb::{
        events as pb,
        group::{self as wire, Beginning, Entry, Head, Proof, Range, Submission, submission::Action},
    },
};

use super::{
    FENCE, Group, PeerIn,
    applicants::{applicants, hinted},
    apply::home_time,
    by_id, fence_key, group, log, members_from, views,
};
use crate::{
    Views, delivery, directory,
    event::{Event, Recorded},
    store::Read,
    timeline,
};

/// A follower's right to a group.
pub struct Following {
    /// The group.
    pub group: Arc<Group>,
    /// What the peer may have.
    pub peer: PeerIn,
}

/// The group with this id, for a domain that has or had members in it.
///
/// # Errors
/// `no-such-conversation` for anybody else.
pub fn following(read: &impl Read, peer: u64, id: &str) -> Result<Following, Error> {
    let unknown = || Error::from(Code::NoSuchConversation);
    let id: GroupId = id.parse().map_err(|_| unknown())?;
    let group = by_id(read, &id).and_then(|c| group(read, c)).filter(|g| g.is_home()).ok_or_else(unknown)?;
    let peer = group.peers.iter().find(|p| p.peer == peer).cloned().ok_or_else(unknown)?;
    Ok(Following { group, peer })
}

/// Entries after `after` that this peer may have, with the heads before and after them, unsigned.
///
/// # Errors
/// `no-such-conversation` for who follows nothing here.
pub fn range(views: &Views, peer: u64, id: &str, after: u64) -> Result<Range, Error> {
    // Looked at first: what is recorded later than this is not earlier, whatever the log is seen to hold below.
    let now_ms = i64::try_from(views.journal.head().time_ms).unwrap_or(i64::MAX);
    let store = &*views.store;
    let Following { group, peer } = following(store, peer, id)?;
    let conversation = group.conversation;
    let head = timeline::head(store, conversation).sequence;
    if after > head {
        // We went back behind what the peer has: where we are is all that there is to say.
        let last = peer.stints.last().filter(|s| s.1 == 0 && s.0 <= head).ok_or(Code::NoSuchConversation)?;
        assert!(last.0 <= head, "a stint that is open has begun");
        let here = unsigned(&group, head, &chain_at(views, &group, head)?);
        return Ok(Range { from: Some(here.clone()), at: Some(here), end: head, ..Range::default() });
    }
    let stint = peer.stints.iter().find(|(first, last)| after + 1 >= *first && (*last == 0 || after <= *last));
    let end = match stint {
        Some((_, 0)) => head,
        Some((_, last)) => (*last).min(head),
        None => return Err(Code::NoSuchConversation.into()),
    };
    let before = chain_at(views, &group, after)?;
    let from = unsigned(&group, after, &before);
    let (mut state, mut bytes, mut out) = (before, 0, Range { from: Some(from), ..Range::default() });
    let last = end.min(after + limits::GROUP_RANGE_ENTRIES_MAX as u64);
    for position in timeline::positions(store, conversation, after + 1, last) {
        let record = read_record(&*views.journal, position)?;
        let Event::GroupRecorded(facts, _) = &record.event else { return Err(Code::Internal.into()) };
        state = state.and(&group, &record, facts)?;
        let entry = entry(views, &mut out, &record, facts)?;
        bytes += entry.encoded_len();
        out.entries.push(entry);
        if bytes >= limits::GROUP_RANGE_BYTES_MAX {
            break;
        }
    }
    out.charters = charters(views, &out.proofs)?;
    let mut at = unsigned(&group, after + out.entries.len() as u64, &state);
    if at.sequence == head {
        at.time_ms = at.time_ms.max(now_ms);
    }
    out.at = Some(at);
    out.end = end;
    Ok(out)
}

fn entry(views: &Views, range: &mut Range, record: &Recorded, facts: &pb::GroupRecorded) -> Result<Entry, Error> {
    use wire::entry::Body;
    let body = match (record.body(), record.body_hash) {
        (Some(written), _) => Some(Body::Written(written.into())),
        (None, hash) if hash == [0; 24] => None,
        (None, hash) => Some(Body::Erased(Bytes::copy_from_slice(&hash))),
    };
    Ok(Entry {
        submission: facts.submission.clone(),
        decided: facts.decided.clone(),
        origin: facts.origin_domain.clone(),
        time_ms: home_time(record, facts),
        body,
        proof: if facts.proof == 0 { 0 } else { proof(views, range, facts)? },
    })
}

/// The place of an entry's proof among the range's, put there if it is new.
fn proof(views: &Views, range: &mut Range, facts: &pb::GroupRecorded) -> Result<u32, Error> {
    let Event::GroupProven(proven, _) = read_record(&*views.journal, facts.proof)?.event else {
        return Err(Code::Internal.into());
    };
    let known = range.proofs.iter().position(|p| p.signature == proven.signature);
    let at = known.unwrap_or_else(|| {
        let pb::GroupProven { link_key, hashes, signature, .. } = proven;
        range.proofs.push(Proof { domain: facts.origin_domain.clone(), link_key, hashes, signature });
        range.proofs.len() - 1
    });
    Ok(u32::try_from(at + 1).expect("at most one for each entry"))
}

/// Charters for those who check the proofs: of each domain the one we know, and for keys that this one lists no more the one
/// that did.
fn charters(views: &Views, proofs: &[Proof]) -> Result<Vec<Bytes>, Error> {
    let mut out: Vec<Bytes> = Vec::new();
    for proof in proofs {
        let number = proof.domain.parse().ok().and_then(|domain| directory::peer_number(&*views.store, &domain));
        let Some((number, peer)) = number.and_then(|n| Some((n, directory::peer(&*views.store, n)?))) else { continue };
        let mut show = |charter: Bytes| {
            if !charter.is_empty() && !out.contains(&charter) {
                out.push(charter);
            }
        };
        show(Bytes::copy_from_slice(&peer.charter));
        if let Some(position) = directory::charter_listing(&*views.store, number, &proof.link_key) {
            let Event::PeerPinned(pinned, _) = read_record(&*views.journal, position)?.event else {
                return Err(Code::Internal.into());
            };
            show(pinned.charter);
        }
    }
    out.truncate(limits::GROUP_RANGE_ENTRIES_MAX);
    Ok(out)
}

fn unsigned(group: &Group, sequence: u64, state: &State) -> Head {
    Head {
        group: group.id.clone(),
        home_epoch: state.epoch,
        sequence,
        chain: Bytes::copy_from_slice(&state.chain),
        time_ms: state.time_ms,
        ..Head::default()
    }
}

/// The log as it was after some entry.
#[derive(Clone, Copy, Default)]
struct State {
    epoch: u32,
    chain: [u8; 32],
    time_ms: i64,
}

impl State {
    fn and(&self, group: &Group, record: &Recorded, facts: &pb::GroupRecorded) -> Result<Self, Error> {
        let id: GroupId = group.id.parse().map_err(|_| Code::Internal)?;
        let place = chain::Place {
            group: &id,
            epoch: self.epoch,
            sequence: record.sequence,
            time_ms: home_time(record, facts),
            origin: &facts.origin_domain,
            hash: chain::submission_hash(&id, &facts.submission, &record.body_hash),
            decided: &facts.decided,
        };
        let renewed = Submission::decode(facts.submission.as_ref()).is_ok_and(|s| matches!(s.action, Some(Action::NewEpoch(_))));
        let chain = chain::chain_after(&self.chain, &place);
        Ok(Self { epoch: self.epoch + u32::from(renewed), chain, time_ms: place.time_ms })
    }
}

/// The chain after `sequence`: from the nearest fence on, which every 64th entry leaves.
fn chain_at(views: &Views, group: &Group, sequence: u64) -> Result<State, Error> {
    let store = &*views.store;
    let now = log(store, group.conversation);
    if sequence == timeline::head(store, group.conversation).sequence {
        return Ok(State { epoch: now.epoch, chain: now.chain, time_ms: now.time_ms });
    }
    let block = sequence / FENCE;
    let fence = if block == 0 { None } else { store.get::<(u32, [u8; 32])>(&fence_key(group.conversation, block)) };
    let mut state = match fence {
        Some(fence) => State { epoch: fence.0, chain: fence.1, time_ms: 0 },
        None if block == 0 => State { epoch: 1, ..State::default() },
        None => return Err(Code::Internal.into()),
    };
    let from = block * FENCE;
    for position in timeline::positions(store, group.conversation, from.max(1), sequence) {
        let record = read_record(&*views.journal, position)?;
        let Event::GroupRecorded(facts, _) = &record.event else { return Err(Code::Internal.into()) };
        if record.sequence == from {
            state.time_ms = home_time(&record, facts);
        } else {
            state = state.and(group, &record, facts)?;
        }
    }
    Ok(state)
}

fn read_record(journal: &dyn ReadJournal, position: u64) -> Result<Recorded, Error> {
    Recorded::read(&journal.read(position).map_err(|_| Code::Internal)?).map_err(|_| Code::Internal.into())
}

/// What a replica of this peer begins with: the log before the first entry that it may have now, the texts, and members
/// with numbers from `from_member` on.
///
/// # Errors
/// `no-such-conversation` for a domain without members.
pub fn beginning(views: &Views, peer: u64, id: &str, from_member: u64) -> Result<Beginning, Error> {
    let store = &*views.store;
    let Following { group, peer } = following(store, peer, id)?;
    let open = peer.stints.last().filter(|s| s.1 == 0).ok_or(Code::NoSuchConversation)?;
    let base = open.0 - 1;
    let base_state = chain_at(views, &group, base)?;
    // Also everybody of the peer itself: it must know its own people by their numbers.
    let was_in = |m: &super::Member| {
        let at_base = |(joined, left): &(u64, u64)| *joined <= base && (*left == 0 || *left > base);
        m.peer == peer.peer || m.stints.iter().any(at_base)
    };
    let (members, next) = members_from(store, group.conversation, from_member, limits::MEMBERS_PAGE_MAX, was_in);
    let member = |m: super::Member| {
        let user = directory::user_id(store, m.person);
        let person = directory::person(store, m.person);
        wire::Member {
            member: m.member,
            name: user.as_ref().map(|u| u.name.to_string()).unwrap_or_default(),
            domain: user.map(|u| u.domain.to_string()).unwrap_or_default(),
            display_name: person.map(|p| p.profile.display_name.clone()).unwrap_or_default(),
            role: m.role.number(),
            muted_until_ms: m.muted_until_ms,
            changed: m.changed,
        }
    };
    Ok(Beginning {
        base: Some(unsigned(&group, base, &base_state)),
        rights: Some(group.rights.wire()),
        name: group.name.clone(),
        notice: group.notice.clone(),
        description: group.description.clone(),
        avatar: group.avatar.clone(),
        members: members.into_iter().map(member).collect(),
        next_member: next,
        pins: group.pins.iter().copied().filter(|s| peer.may_have(*s)).collect(),
        applicants: if from_member == 0 { applicants(store, peer.peer, id) } else { Vec::new() },
    })
}

/// Which domains are to be told of these records: (peer, conversation), without repetition.
pub fn hints(read: &impl Read, records: &[Recorded]) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    let mut groups: Vec<(u64, u64)> = records
        .iter()
        .filter(|r| matches!(&r.event, Event::GroupRecorded(f, _) if f.head.is_empty() && f.time_ms == 0))
        .map(|r| (r.conversation, r.sequence))
        .collect();
    groups.sort_unstable();
    groups.reverse();
    groups.dedup_by_key(|g| g.0);
    for (conversation, sequence) in groups {
        let Some(group) = views::group(read, conversation).filter(|g| g.is_home()) else { continue };
        out.extend(group.peers.iter().filter(|p| p.may_have(sequence)).map(|p| (p.peer, conversation)));
    }
    let applied = records.iter().filter_map(|r| Some((hinted(read, r)?, r.conversation)));
    out.extend(applied);
    out.sort_unstable();
    out.dedup();
    out
}

/// Which members have read so far, to a domain that asks: member numbers and sequences.
///
/// # Errors
/// `no-such-conversation`.
pub fn readers_told(read: &impl Read, peer: u64, id: &str, sequence: u64) -> Result<wire::Readers, Error> {
    let Following { group, peer } = following(read, peer, id)?;
    if !peer.may_have(sequence) {
        return Err(Code::NoSuchMessage.into());
    }
    if group.members > limits::GROUP_READERS_MAX {
        return Ok(wire::Readers { of: group.members, ..wire::Readers::default() });
    }
    let (members, _) = members_from(read, group.conversation, 0, usize::MAX, super::Member::is_in);
    let reader = |m: super::Member| {
        let read_to = delivery::group_marks_of(read, group.conversation, m.person).read;
        (read_to >= sequence).then_some(wire::Reader { member: m.member, read: read_to })
    };
    let readers: Vec<wire::Reader> = members.into_iter().filter_map(reader).collect();
    Ok(wire::Readers { count: readers.len() as u64, of: group.members, readers })
}
