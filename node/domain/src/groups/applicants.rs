//! Who asked to be admitted, and whose domain has no member yet that could follow the log: the home says how it stands
//! with them when their domain asks to begin, as often as it asks, so that it does not matter who was away meanwhile.
//!
//! Owns nothing. Invariant: only what waits here as a joining can be ended by what a home says of applicants.

use prost::Message as _;
use startalk_protocol::{
    Code, Error, GroupId, limits,
    pb::{
        events as pb,
        group::{Applicant, Submission, submission::Action},
    },
};

use super::{Group, Member, Standing, Waiting, by_id, follow::replica, group, member, members_from, waiting, window_key};
use crate::{
    command::Answer,
    directory::HERE,
    event::{Event, Recorded},
    store::{New, Read, Tx},
};

/// Those of the peer who asked to be admitted to a group that is kept here and are not in, by how it stands with them.
pub fn applicants(read: &impl Read, peer: u64, id: &str) -> Vec<Applicant> {
    let known = id.parse::<GroupId>().ok().and_then(|id| by_id(read, &id)).and_then(|c| group(read, c));
    let Some(group) = known.filter(|g| g.is_home()) else { return Vec::new() };
    // Members are looked through only for a domain that ever submitted something.
    if peer == HERE || read.get::<super::receive::Window>(&window_key(group.conversation, peer)).is_none() {
        return Vec::new();
    }
    let theirs = |m: &Member| m.peer == peer && m.asked_by != 0 && !m.is_in();
    let (mut all, _) = members_from(read, group.conversation, 0, usize::MAX, theirs);
    all.sort_by_key(|m| std::cmp::Reverse(m.changed));
    all.truncate(limits::GROUP_APPLICANTS_TOLD_MAX);
    let refused = |m: &Member| m.standing != Standing::Asked || group.destroyed;
    all.iter().map(|m| Applicant { number: m.asked_by, member: m.member, refused: refused(m) }).collect()
}

/// The peer with which it stands otherwise now, if it has no member that follows.
pub(super) fn hinted(read: &impl Read, record: &Recorded) -> Option<u64> {
    let Event::GroupRecorded(f, _) = &record.event else { return None };
    let group = group(read, record.conversation).filter(|g| g.is_home())?;
    let peer = match Submission::decode(f.submission.as_ref()).ok()?.action? {
        Action::Join(_) => f.origin,
        Action::Admit(a) => member(read, record.conversation, a.member)?.peer,
        Action::Ban(b) => member(read, record.conversation, b.member)?.peer,
        _ => return None,
    };
    (peer != HERE && !follows(&group, peer)).then_some(peer)
}

fn follows(group: &Group, peer: u64) -> bool {
    group.peers.iter().any(|p| p.peer == peer && p.members > 0)
}

/// Takes what the home says of those here who asked.
pub(crate) fn learn(tx: &mut Tx, peer: u64, id: &str, told: &[Applicant]) -> Result<Answer, Error> {
    let conversation = replica(tx, peer, id)?.conversation;
    for applicant in told.iter().take(limits::GROUP_APPLICANTS_TOLD_MAX) {
        let waits = waiting(tx, conversation).iter().find(|w| w.number == applicant.number && w.joins).cloned();
        let Some(waits) = waits.filter(|w| applicant.refused || !w.asked) else { continue };
        if is_anothers(tx, conversation, &waits, applicant) {
            continue;
        }
        let facts = pb::GroupApplicantTold {
            conversation,
            account: waits.account,
            number: waits.number,
            member: applicant.member,
            refused: applicant.refused,
        };
        if applicant.refused {
            super::submit::end(tx, conversation, waits.number, Code::NotAdmitted.as_str(), 0);
        }
        tx.emit(New { conversation: 0, event: Event::GroupApplicantTold(facts, None) });
    }
    Ok(Answer::Done)
}

/// A number in the group stands for one person for ever; a home that says otherwise is not listened to.
fn is_anothers(read: &impl Read, conversation: u64, waits: &Waiting, told: &Applicant) -> bool {
    let known = member(read, conversation, told.member);
    let elsewhere = known.is_some_and(|m| m.person != 0 && (m.person != waits.account || m.is_in()));
    let otherwise = super::number_of(read, conversation, waits.account).is_some_and(|n| n != told.member);
    told.member == 0 || elsewhere || otherwise
}
