//! The home puts one more entry at the end of a group's log.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Error,
    pb::{
        events as pb,
        group::{Submission, submission::Action},
    },
};

use super::{
    Group,
    decide::{decide, superseded},
};
use crate::{
    command::Answer,
    context::Ctx,
    directory::{self, HERE},
    erasure,
    event::{Event, Raw, Recorded, Salted},
    files, governance, outbox,
    store::{New, Tx},
    timeline,
};

/// What is to be recorded, and by whom it was submitted.
pub(super) struct Submitted {
    /// The author's domain.
    pub(super) origin: u64,
    /// As it came, or as it was made here.
    pub(super) bytes: Bytes,
    /// The same, read.
    pub(super) submission: Submission,
    /// What was written, under the salt that its author's domain gave it.
    pub(super) written: Option<Salted<Raw>>,
    /// Of a link.
    pub(super) secret: Bytes,
    /// The device here that did it, and its command's number.
    pub(super) device: u64,
    pub(super) counter: u64,
    /// Where it came from on a link, and what proves it.
    pub(super) link_in: Option<pb::LinkIn>,
    pub(super) proof: u64,
    /// What counts to somebody's day.
    pub(super) said: Said,
}

/// What an account here said, if it counts to its day.
#[derive(Default)]
pub(super) struct Said {
    pub(super) by: u64,
    /// 0: it does not.
    pub(super) bytes: u64,
    pub(super) edit: bool,
}

impl Submitted {
    /// By somebody of this domain.
    pub(super) fn here(submission: Submission, written: Option<Salted<Raw>>, device: u64, counter: u64) -> Self {
        Self {
            origin: HERE,
            bytes: submission.encode_to_vec().into(),
            submission,
            written,
            secret: Bytes::new(),
            device,
            counter,
            link_in: None,
            proof: 0,
            said: Said::default(),
        }
    }
}

/// Decides and records.
///
/// # Errors
/// Why it may not be; nothing is recorded then.
pub(super) fn record(tx: &mut Tx, ctx: &mut Ctx, group: &Group, submitted: Submitted) -> Result<Recorded, Error> {
    let Submitted { origin, bytes, submission, written, secret, device, counter, link_in, proof, said } = submitted;
    // The node went back in time since: what comes now is never taken for what was signed before, and lost.
    let (known, now) = (super::log(tx, group.conversation).realm, governance::realm(tx).epoch);
    if known != now && submission.action.is_some() && !matches!(submission.action, Some(Action::Create(_))) {
        new_epoch(tx, group.conversation);
    }
    let body = written.as_ref().map(|w| w.value.0.as_ref());
    let ruling = decide(tx, ctx, group, origin, &submission, body, &secret)?;
    let forgotten = submission.action.as_ref().map(|a| superseded(tx, ctx, group, a)).unwrap_or_default();
    let account = super::member(tx, group.conversation, submission.author).map_or(0, |m| m.person);
    let (files, holds) = files::in_group(tx, ctx, origin, account, submission.action.as_ref(), body)?;
    if origin != HERE {
        note_name(tx, ctx, &submission, ruling.person, body);
    }
    let author = submission.author;
    let facts = pb::GroupRecorded {
        submission: bytes,
        decided: ruling.decided.encode_to_vec().into(),
        origin,
        origin_domain: if origin == HERE { String::new() } else { domain(tx, origin) },
        time_ms: 0,
        person: ruling.person,
        peer: ruling.peer,
        device,
        counter,
        submitted_at: 0,
        proof,
        r#in: link_in,
        head: Bytes::new(),
        said_by: if said.bytes == 0 { 0 } else { said.by },
        said_bytes: said.bytes,
        said_edit: said.edit,
        files,
        holds,
    };
    let recorded = tx.emit(New { conversation: group.conversation, event: Event::GroupRecorded(facts, written) }).clone();
    erasure::erase(tx, forgotten, "superseded");
    if let Some(to) = ruling.invite {
        let inviter = inviter(tx, group, author);
        let body = ctx.salted(pb::GroupInviteSentBody { to: to.to_string(), name: group.name.clone(), inviter });
        let item = outbox::group_invite_item(&group.id, &body, ctx.now_ms);
        let facts = pb::GroupInviteSent { conversation: group.conversation, out: Some(outbox::next(tx, ruling.peer, &item)) };
        tx.emit(New { conversation: 0, event: Event::GroupInviteSent(facts, Some(body)) });
    }
    Ok(recorded)
}

fn domain(tx: &Tx, peer: u64) -> String {
    directory::domain_of(tx, peer).map(|d| d.to_string()).unwrap_or_default()
}

/// The member who invites, for the invited person's eyes.
fn inviter(tx: &Tx, group: &Group, author: u64) -> String {
    let person = super::member(tx, group.conversation, author).map_or(0, |m| m.person);
    directory::user_id(tx, person).map(|u| u.to_string()).unwrap_or_default()
}

/// Somebody of another domain shows a name as they come in: kept as their profile until they send one.
pub(super) fn note_name(tx: &mut Tx, ctx: &mut Ctx, submission: &Submission, person: u64, body: Option<&[u8]>) {
    let (Some(Action::Join(_) | Action::Add(_)), Some(body)) = (&submission.action, body) else { return };
    let Ok(named) = startalk_protocol::pb::group::Person::decode(body) else { return };
    let unknown = directory::person(tx, person).is_some_and(|p| p.peer != HERE && p.profile.position == 0);
    if unknown && !named.display_name.is_empty() {
        let body = ctx.salted(pb::ProfileSetBody { display_name: named.display_name, ..Default::default() });
        let facts = pb::ProfileSet { person, revision: 0, ..Default::default() };
        tx.emit(New { conversation: 0, event: Event::ProfileSet(facts, Some(body)) });
    }
}

/// A follower has more of a group's log than we do: either it lies, or we were restored from an older copy and do not know.
/// A new epoch for this group harms nobody who has what we have, and tells the two apart for those who have more.
pub(crate) fn behind(tx: &mut Tx, ctx: &Ctx, peer: u64, id: &str, after: u64) -> Result<Answer, Error> {
    let group = super::following(tx, peer, id)?.group;
    let head = timeline::head(tx, group.conversation).sequence;
    let last = crate::conversations::record_of(tx, ctx, group.conversation, head);
    let renewed = last.is_some_and(|record| is_new_epoch(&record));
    if after > head && !renewed {
        new_epoch(tx, group.conversation);
    }
    Ok(Answer::Done)
}

fn is_new_epoch(record: &Recorded) -> bool {
    let Event::GroupRecorded(f, _) = &record.event else { return false };
    Submission::decode(f.submission.as_ref()).is_ok_and(|s| matches!(s.action, Some(Action::NewEpoch(_))))
}

fn new_epoch(tx: &mut Tx, conversation: u64) {
    let submission = Submission { action: Some(Action::NewEpoch(Default::default())), ..Default::default() };
    let facts = pb::GroupRecorded { submission: submission.encode_to_vec().into(), ..Default::default() };
    tx.emit(New { conversation, event: Event::GroupRecorded(facts, None) });
}
