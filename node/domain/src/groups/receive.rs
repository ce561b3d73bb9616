//! What other domains send about groups as link items: submissions to groups kept here, and invitations to groups of
//! theirs. Each has its effect once: submissions are counted per domain and group, and one that comes again is known.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use startalk_protocol::{
    AccountName, Code, DomainName, Error, GroupId, UserId, group as chain, limits,
    pb::{
        events as pb,
        group::{Person, Submission, submission::Action},
        link,
    },
    sabotage::{self, Switch},
};

use super::{
    Group, by_id, group, invitations, member, proof_key,
    record::{Said, Submitted, record},
    window_key,
};
use crate::{
    accounts,
    command::SubmissionProof,
    contacts,
    context::Ctx,
    directory,
    event::{Event, Raw, Salted},
    store::{New, Read, Tx},
};

/// The last submissions of a domain to a group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Window {
    /// (number, hash of the submission, error code it was refused with), ascending.
    entries: VecDeque<(u64, [u8; 32], String)>,
    /// The highest number.
    top: u64,
    /// Numbers at or below this are not known any more.
    floor: u64,
}

/// To be called for every submission that was decided on.
pub(super) fn remember(tx: &mut Tx, conversation: u64, peer: u64, number: u64, hash: [u8; 32], code: &str) {
    tx.change(window_key(conversation, peer), |w: &mut Window| {
        w.top = w.top.max(number);
        w.entries.push_back((number, hash, code.to_owned()));
        if w.entries.len() > limits::GROUP_SUBMISSIONS_KEPT
            && let Some((left, ..)) = w.entries.pop_front()
        {
            w.floor = w.floor.max(left);
        }
    });
}

/// A replica has a submission of this domain with this number: no other may have it, nor one below it.
pub(super) fn counted(tx: &mut Tx, conversation: u64, peer: u64, number: u64) {
    tx.change(window_key(conversation, peer), |w: &mut Window| w.top = w.top.max(number));
}

/// The highest number of this domain's submissions.
pub(super) fn top(read: &impl Read, conversation: u64, peer: u64) -> u64 {
    read.get::<Window>(&window_key(conversation, peer)).map_or(0, |w| w.top)
}

/// What a submission came to.
pub(crate) enum Came {
    /// Recorded, or refused for good: there is a record of it, with its place on the link.
    Recorded(Option<Error>),
    /// Nothing is written but that the item is over; told, if there is an error.
    Over(Option<Error>),
}

/// A submission of somebody of another domain to a group that is kept here.
pub(crate) fn submission(
    tx: &mut Tx,
    ctx: &mut Ctx,
    peer: u64,
    from: &AccountName,
    link_in: &pb::LinkIn,
    item: link::GroupSubmission,
    proof: Option<&SubmissionProof>,
) -> Came {
    let over = |error: Error| Came::Over(Some(error));
    let unknown = || over(Code::NoSuchConversation.into());
    let Ok(id) = item.group.parse::<GroupId>() else { return unknown() };
    let Some(group) = by_id(tx, &id).and_then(|c| group(tx, c)).filter(|g| g.is_home()) else { return unknown() };
    let malformed = || over(Error::new(Code::Malformed).with("expected", "a submission"));
    let Ok(submission) = Submission::decode(item.submission.as_ref()) else { return malformed() };
    let Some(written) = unsalted(&item.written) else { return malformed() };
    if submission.number == 0 || submission.action.is_none() || item.submission.len() > limits::LINK_ASK_BYTES_MAX {
        return malformed();
    }
    let hash = chain::submission_hash(&id, &item.submission, &chain::body_hash(&item.written));
    let proven = proof.is_some_and(|p| p.hashes.iter().any(|h| h[..] == hash));
    if !proven && !sabotage::is(Switch::SubmissionsNotProven) {
        return over(Error::new(Code::BadSignature).with("what", "a submission"));
    }
    if !speaks_for(tx, &group, &submission, peer, from, ctx, written.as_ref()) {
        return over(Code::Forbidden.into());
    }
    let window = tx.get::<Window>(&window_key(group.conversation, peer)).unwrap_or_default();
    if submission.number <= window.top && !sabotage::is(Switch::SubmissionsTwice) {
        let known = window.entries.iter().find(|e| e.0 == submission.number);
        return match known {
            Some((_, same, code)) if *same == hash => {
                Came::Over((!code.is_empty()).then(|| Error::from_wire(code, std::collections::BTreeMap::new())))
            }
            Some(_) => over(Error::new(Code::Conflict).with("counter", submission.number)),
            None => over(Error::new(Code::TooOld).with("counter", submission.number)),
        };
    }
    let proof = proof.map_or(0, |p| proof_position(tx, peer, p));
    let number = submission.number;
    let submitted = Submitted {
        origin: peer,
        bytes: item.submission,
        submission,
        written,
        secret: item.secret,
        device: 0,
        counter: 0,
        link_in: Some(link_in.clone()),
        proof,
        said: Said::default(),
    };
    match record(tx, ctx, &group, submitted) {
        Ok(_) => Came::Recorded(None),
        Err(error) => {
            let facts = pb::GroupSubmissionRefused {
                conversation: group.conversation,
                peer,
                number,
                hash: Bytes::copy_from_slice(&hash),
                code: error.code.as_str().to_owned(),
                r#in: Some(link_in.clone()),
            };
            tx.emit(New { conversation: 0, event: Event::GroupSubmissionRefused(facts, None) });
            Came::Recorded(Some(error))
        }
    }
}

/// Salt and body apart; `None` for bytes that are neither nothing nor both.
#[expect(clippy::option_option, reason = "no body is not a bad body")]
pub(super) fn unsalted(written: &Bytes) -> Option<Option<Salted<Raw>>> {
    if written.is_empty() {
        return Some(None);
    }
    let salt: [u8; chain::SALT_BYTES] = *written.first_chunk()?;
    let good = salt != [0; chain::SALT_BYTES] && written.len() <= limits::CONTENT_BYTES_MAX + chain::SALT_BYTES;
    good.then(|| Some(Salted { salt, value: Raw(written.slice(chain::SALT_BYTES..)) }))
}

/// Whether the account that the item is from is the one that acts: a domain speaks for its own people, one at a time.
fn speaks_for(
    tx: &Tx,
    group: &Group,
    submission: &Submission,
    peer: u64,
    from: &AccountName,
    ctx: &Ctx,
    written: Option<&Salted<Raw>>,
) -> bool {
    if submission.author != 0 {
        let author = member(tx, group.conversation, submission.author).filter(|m| m.peer == peer);
        let name = author.and_then(|m| directory::person(tx, m.person)).map(|p| p.name.clone());
        return name.as_deref() == Some(from.as_str());
    }
    let named = written.and_then(|w| Person::decode(w.value.0.as_ref()).ok()).unwrap_or_default();
    let domain = directory::domain_of(tx, peer).unwrap_or_else(|| ctx.domain.clone());
    matches!(submission.action, Some(Action::Join(_))) && named.name == from.as_str() && named.domain == domain.as_str()
}

fn proof_position(tx: &mut Tx, peer: u64, proof: &SubmissionProof) -> u64 {
    if let Some(last) = tx.get::<(u64, Vec<u8>)>(&proof_key(peer))
        && last.1 == proof.signature
    {
        return last.0;
    }
    let facts = pb::GroupProven {
        peer,
        link_key: Bytes::copy_from_slice(&proof.link_key),
        hashes: proof.hashes.iter().map(|h| Bytes::copy_from_slice(h)).collect(),
        signature: Bytes::copy_from_slice(&proof.signature),
    };
    tx.emit(New { conversation: 0, event: Event::GroupProven(facts, None) }).position
}

/// An invitation to a group of the peer's; whether there is such a person, and what they think of it, is not told.
pub(crate) fn invite(
    tx: &mut Tx,
    ctx: &mut Ctx,
    peer: u64,
    from: &AccountName,
    to: &str,
    link_in: &pb::LinkIn,
    item: &link::GroupInvite,
) -> Came {
    let malformed = || Came::Over(Some(Error::new(Code::Malformed).with("expected", "an invitation to a group")));
    let (Ok(id), Ok(inviter)) = (item.group.parse::<GroupId>(), item.inviter.parse::<UserId>()) else { return malformed() };
    let plain = item.name.chars().count() <= limits::GROUP_NAME_CHARS_MAX && item.name.chars().all(directory::is_harmless);
    if from.as_str() != id.as_str() || !plain {
        return malformed();
    }
    let account = to.parse::<AccountName>().ok().and_then(|to| accounts::by_name(tx, &to)).filter(|a| a.is_live());
    let Some(account) = account.map(|a| a.account) else { return Came::Over(None) };
    if unwanted(tx, ctx, account, peer, &id, &inviter) {
        return Came::Over(None);
    }
    let facts = pb::GroupInvited { account, group: id.to_string(), home: peer, r#in: Some(link_in.clone()) };
    let body = ctx.salted(pb::GroupInvitedBody { name: item.name.clone(), inviter: inviter.to_string() });
    let stream = accounts::account(tx, account).map_or(0, |a| a.stream);
    tx.emit(New { conversation: stream, event: Event::GroupInvited(facts, Some(body)) });
    Came::Recorded(None)
}

fn unwanted(read: &impl Read, ctx: &Ctx, account: u64, peer: u64, id: &GroupId, inviter: &UserId) -> bool {
    let number = |domain: &DomainName| {
        if domain == ctx.domain { Some(directory::HERE) } else { directory::peer_number(read, domain) }
    };
    let of = number(&inviter.domain).unwrap_or(peer);
    let person = directory::person_number(read, of, &inviter.name).unwrap_or(0);
    let waiting = invitations(read, account);
    let of_peer = waiting.iter().filter(|i| i.home == peer && i.group != id.as_str()).count();
    let there = by_id(read, id);
    let elsewhere = there.and_then(|c| group(read, c)).is_some_and(|g| g.home != peer);
    contacts::blocks(read, account, person, of)
        || contacts::blocks(read, account, 0, peer)
        || elsewhere
        || there.is_some_and(|c| super::is_member(read, c, account))
        || of_peer >= limits::REQUESTS_PER_DOMAIN_MAX
        || waiting.len() >= limits::GROUP_INVITATIONS_MAX
}
