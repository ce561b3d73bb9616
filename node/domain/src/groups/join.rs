//! Coming in: by a link, or by an invitation that another domain has passed on.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use startalk_protocol::{
    Code, DomainName, Error, GroupId, UserId,
    pb::{
        events as pb,
        group::{Join, submission::Action},
    },
};

use super::{
    act::person,
    by_id, group, invited_key,
    say::same_again,
    submit::{By, Deed, perform},
};
use crate::{
    command::{Actor, Answer},
    context::Ctx,
    conversations::check_actor,
    delivery::{self, Numbered},
    directory,
    event::{Event, Recorded},
    governance,
    store::{New, Read, Tx},
};

/// What a link into a group says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLink {
    /// Who keeps the group.
    pub home: DomainName,
    /// Which.
    pub group: GroupId,
    /// What lets one in.
    pub secret: String,
}

impl GroupLink {
    /// As people pass it on; works as an address at the home, and is understood by every client.
    pub fn text(&self) -> String {
        format!("https://{}/group/{}#{}", self.home, self.group, self.secret)
    }

    /// Out of a text that people pass on.
    pub fn parse(text: &str) -> Option<Self> {
        let (home, rest) = text.trim().strip_prefix("https://")?.split_once("/group/")?;
        let (group, secret) = rest.split_once('#')?;
        let home = home.split_once(':').map_or(home, |(host, _)| host);
        let secret = secret.trim();
        let plain = (1..=128).contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        Some(Self { home: home.parse().ok()?, group: group.parse().ok()?, secret: secret.to_owned() }).filter(|_| plain)
    }
}

/// An invitation that waits for an account's decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// Which group.
    pub group: String,
    /// Its home's number.
    pub home: u64,
    /// What it is called; empty when erased.
    pub name: String,
    /// `name@domain` of the member who invites.
    pub inviter: String,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// Of its record.
    pub position: u64,
}

/// Invitations that wait for an account's decision, oldest first.
pub fn invitations(read: &impl Read, account: u64) -> Arc<Vec<Invited>> {
    read.get(&invited_key(account)).unwrap_or_default()
}

/// Comes in by a link.
pub(crate) fn join(
    tx: &mut Tx,
    ctx: &mut Ctx,
    actor: Actor,
    counter: u64,
    link: &GroupLink,
    word: String,
) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    let by = By { actor, counter };
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, counter)? {
        let known = by_id(tx, &link.group).ok_or_else(|| Error::new(Code::Conflict).with("counter", counter))?;
        return same_again(tx, ctx, position, by, known, &Action::Join(Join {}), None);
    }
    let home = directory::number_or_meet(tx, ctx, &link.home)?;
    come_in(tx, ctx, by, &link.group, home, Bytes::copy_from_slice(link.secret.as_bytes()), word)
}

/// Follows an invitation, or lets it go.
pub(crate) fn decide_invitation(
    tx: &mut Tx,
    ctx: &mut Ctx,
    actor: Actor,
    counter: u64,
    id: &GroupId,
    accept: bool,
) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    let by = By { actor, counter };
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, counter)? {
        let known = by_id(tx, id).ok_or_else(|| Error::new(Code::Conflict).with("counter", counter))?;
        return same_again(tx, ctx, position, by, known, &Action::Join(Join {}), None);
    }
    let all = invitations(tx, actor.account);
    let Some(invited) = all.iter().find(|i| i.group == id.as_str()) else {
        // Declined before, or withdrawn: there is nothing left to decline.
        return if accept { Err(Code::NoSuchConversation.into()) } else { Ok(Answer::Done) };
    };
    let stream = crate::accounts::account(tx, actor.account).map_or(0, |a| a.stream);
    let facts = pb::GroupInvitationDecided { account: actor.account, group: id.to_string(), accepted: accept };
    let answer = if accept { come_in(tx, ctx, by, id, invited.home, Bytes::new(), String::new())? } else { Answer::Done };
    tx.emit(New { conversation: stream, event: Event::GroupInvitationDecided(facts, None) });
    crate::erasure::erase(tx, vec![invited.position], "decided");
    Ok(answer)
}

fn come_in(tx: &mut Tx, ctx: &mut Ctx, by: By, id: &GroupId, home: u64, secret: Bytes, word: String) -> Result<Answer, Error> {
    let me: UserId = directory::user_id(tx, by.actor.account).ok_or(Code::Internal)?;
    let conversation = match by_id(tx, id) {
        Some(known) => known,
        None if home == directory::HERE => return Err(Code::GroupLinkInvalid.into()),
        None => {
            let conversation = governance::numbers(tx).conversation + 1;
            let facts = pb::GroupBegan { conversation, group: id.to_string(), home };
            tx.emit(New { conversation: 0, event: Event::GroupBegan(facts, None) });
            conversation
        }
    };
    let group = (*group(tx, conversation).ok_or(Code::Internal)?).clone();
    if group.home != home {
        return Err(Code::GroupLinkInvalid.into());
    }
    let waits = super::waiting(tx, conversation).iter().any(|w| w.account == by.actor.account);
    if super::is_member(tx, conversation, by.actor.account) || waits {
        return Err(Error::new(Code::AlreadyMember).with("user", me));
    }
    let written = person(tx, &me, word);
    let deed = Deed { secret, ..Deed::new(Action::Join(Join {}), Some(written)) };
    perform(tx, ctx, &group, None, by, deed)
}

pub(super) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::GroupInvited(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let invited = Invited {
                group: f.group.clone(),
                home: f.home,
                name: body.name,
                inviter: body.inviter,
                time_ms: record.time_ms,
                position: record.position,
            };
            tx.change(invited_key(f.account), |all: &mut Vec<Invited>| {
                all.retain(|i| i.group != f.group);
                all.push(invited);
            });
        }
        Event::GroupInvitationDecided(f, _) => {
            tx.change(invited_key(f.account), |all: &mut Vec<Invited>| all.retain(|i| i.group != f.group));
        }
        Event::AccountDeleted(f, _) => tx.remove(invited_key(f.account)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_written_and_nothing_else_is_one() {
        let link = GroupLink { home: "a.example".parse().unwrap(), group: GroupId::of_create(b"x"), secret: "s3cret".to_owned() };
        assert_eq!(GroupLink::parse(&format!(" {}\n", link.text())), Some(link.clone()));
        let with_port = link.text().replace("a.example", "a.example:8443");
        assert_eq!(GroupLink::parse(&with_port), Some(link.clone()));
        for wrong in
            ["", "https://a.example/group/", "http://a.example/group/x#y", &link.text().replace('#', "?"), "https://a/group/b#c"]
        {
            assert_eq!(GroupLink::parse(wrong), None, "{wrong}");
        }
    }
}
