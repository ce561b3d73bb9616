//! Groups: frames made into commands and queries of the domain. Knows no rule.
//!
//! Owns how a link into a group is made: its secret comes out of the node's own, the device and the command's number, so
//! that the same command sent again gives the same link. Invariant: what is answered about a group is answered to who has
//! to do with it, and members are named to who is in it.

use std::sync::Arc;

use startalk_domain::{
    Actor, Command, conversations, delivery, directory, groups,
    groups::{Banned, Group, GroupAct, GroupLink, Joining, Member, Rights, Role, Text, Who},
};
use startalk_protocol::{
    Code, Error, UserId, limits,
    pb::client::{self as pb, act_in_group::Act, server_frame::Frame},
};

use crate::{
    conversation::{bad, done, sent},
    convert,
    gateway::Inner,
    session::Session,
};

/// Characters of a link's secret: 32 of them are 160 bits.
const SECRET_CHARS: usize = 32;

impl Inner {
    /// Begins a group.
    pub(crate) fn create_group(&self, session: &Arc<Session>, actor: Actor, id: u64, request: pb::CreateGroup) {
        let pb::CreateGroup { counter, name, members } = request;
        let members: Result<Vec<UserId>, Error> = members.iter().map(|m| self.user(m)).collect();
        match members {
            Ok(members) => self.submit(session, id, Command::CreateGroup { actor, counter, name, members }, sent),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// One act in a group.
    pub(crate) fn act_in_group(&self, session: &Arc<Session>, actor: Actor, id: u64, request: pb::ActInGroup) {
        let pb::ActInGroup { conversation, counter, act } = request;
        if let Some(Act::MakeLink(wanted)) = act {
            return match self.group_link(actor, conversation, counter, wanted) {
                Ok((act, invitation)) => {
                    let answer = move |_| Frame::Invitation(invitation);
                    self.submit(session, id, Command::ActInGroup { actor, conversation, counter, act }, answer);
                }
                Err(error) => session.answered(id, Err(error)),
            };
        }
        match self.act(act) {
            Ok(act) => self.submit(session, id, Command::ActInGroup { actor, conversation, counter, act }, sent),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    fn act(&self, act: Option<Act>) -> Result<GroupAct, Error> {
        Ok(match act.ok_or_else(|| bad("act", "one act"))? {
            Act::Add(user) => GroupAct::Add(self.user(&user)?),
            Act::Leave(_) => GroupAct::Leave,
            Act::Remove(user) => GroupAct::Remove(self.user(&user)?),
            Act::Ban(pb::Ban { user, lift }) => GroupAct::Ban { who: self.banned(&user)?, lift },
            Act::SetRole(pb::SetRole { user, role }) => GroupAct::SetRole { user: self.user(&user)?, role: role_of(&role)? },
            Act::Mute(pb::Mute { user, until_ms }) => GroupAct::Mute { user: self.user(&user)?, until_ms },
            Act::SetText(pb::SetText { text, value }) => GroupAct::SetText { text: text_of(&text)?, value },
            Act::SetRights(rights) => GroupAct::SetRights(rights_of(&rights)?),
            Act::RevokeLink(link) => GroupAct::RevokeLink(link),
            Act::Destroy(_) => GroupAct::Destroy,
            Act::Admit(pb::Admit { user, refuse }) => GroupAct::Admit { user: self.user(&user)?, refuse },
            Act::React(pb::React { sequence, emoji, remove }) => GroupAct::React { sequence, emoji, remove },
            Act::Pin(pb::Pin { sequence, remove }) => GroupAct::Pin { sequence, remove },
            Act::MakeLink(_) => return Err(Code::Internal.into()),
        })
    }

    fn banned(&self, user: &str) -> Result<Banned, Error> {
        match user.strip_prefix('@') {
            Some(domain) => domain.parse().map(Banned::Domain).map_err(|_| bad("user", "name@domain or @domain")),
            None => self.user(user).map(Banned::User),
        }
    }

    /// A way into the group, and how it is told.
    fn group_link(
        &self,
        actor: Actor,
        conversation: u64,
        counter: u64,
        wanted: pb::MakeGroupLink,
    ) -> Result<(GroupAct, pb::Invitation), Error> {
        let pb::MakeGroupLink { uses, valid_ms } = wanted;
        if valid_ms < 0 {
            return Err(bad("valid_ms", "milliseconds, or 0 for ever"));
        }
        let store = &*self.config.views.store;
        let (group, _) = groups::of_reader(&store.snapshot(), conversation, actor.account)?;
        let secret = link_secret(&self.config.cursor_secret, actor.device, counter);
        let secret_hash = *blake3::hash(secret.as_bytes()).as_bytes();
        let asked_again = group.links.iter().find(|l| l.secret_hash == secret_hash);
        let fresh = if valid_ms == 0 { 0 } else { convert::signed(self.now_ms()).saturating_add(valid_ms) };
        let not_after_ms = asked_again.map_or(fresh, |l| l.not_after_ms);
        let home = directory::domain_of(store, group.home).ok_or(Code::Internal)?;
        let link = GroupLink { home, group: group.id.parse().map_err(|_| Code::Internal)?, secret }.text();
        Ok((GroupAct::MakeLink { secret_hash, uses, not_after_ms }, pb::Invitation { link, not_after_ms, uses }))
    }

    /// Comes in by a link.
    pub(crate) fn join_group(&self, session: &Arc<Session>, actor: Actor, id: u64, request: pb::JoinGroup) {
        let pb::JoinGroup { counter, link, word } = request;
        match GroupLink::parse(&link) {
            Some(link) => self.submit(session, id, Command::JoinGroup { actor, counter, link, word }, sent),
            None => session.answered(id, Err(Code::GroupLinkInvalid.into())),
        }
    }

    /// Follows an invitation, or lets it go.
    pub(crate) fn decide_group_invitation(
        &self,
        session: &Arc<Session>,
        actor: Actor,
        id: u64,
        request: &pb::DecideGroupInvitation,
    ) {
        let pb::DecideGroupInvitation { counter, accept, .. } = *request;
        let Ok(group) = request.group.parse() else { return session.answered(id, Err(bad("group", "a group's 26 letters"))) };
        let command = Command::DecideGroupInvitation { actor, counter, group, accept };
        self.submit(session, id, command, if accept { sent } else { done });
    }

    /// Invitations that wait for the account.
    pub(crate) fn list_group_invitations(&self, me: Actor) -> Frame {
        let store = &*self.config.views.store;
        let all = groups::invitations(store, me.account);
        let invitations = all.iter().map(|i| convert::group_invitation(store, i)).collect();
        Frame::GroupInvitations(pb::GroupInvitations { invitations })
    }

    /// Who is in a group, or waits to be admitted.
    pub(crate) fn list_members(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::ListMembers) {
        self.read(session, id, move |gateway| {
            let pb::ListMembers { conversation, from, limit, asked } = request;
            let store = gateway.config.views.store.snapshot();
            let (group, own) = groups::of_reader(&store, conversation, me.account)?;
            let own = member_of(own)?;
            if asked && own.role < Role::Administrator {
                return Err(Code::Forbidden.into());
            }
            let max = limits::MEMBERS_PAGE_MAX;
            let limit = usize::try_from(limit).ok().filter(|l| (1..=max).contains(l)).unwrap_or(max);
            let want = |m: &Member| if asked { m.standing == groups::Standing::Asked } else { m.is_in() };
            let (page, next) = groups::members_from(&store, conversation, from, limit, want);
            let journal = &*gateway.config.views.journal;
            let word = |m: &Member| if asked { groups::word_of(journal, m) } else { String::new() };
            let members = page.iter().map(|m| convert::group_member(&store, m, word(m))).collect();
            let count = if asked { group.asked } else { group.members };
            Ok(Frame::Members(pb::Members { conversation, members, next, count }))
        });
    }

    /// What is pinned in a group.
    pub(crate) fn list_pins(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, conversation: u64) {
        self.read(session, id, move |gateway| {
            let views = &gateway.config.views;
            let (group, own) = groups::of_reader(&views.store.snapshot(), conversation, me.account)?;
            let pinned = own.map(|own| groups::pins(&group, &own)).unwrap_or_default();
            let single = |s| conversations::single_for(&views.store, &*views.journal, me.account, conversation, s);
            let messages = pinned.into_iter().filter_map(single).map(|m| convert::message(m, me.account)).collect();
            Ok(Frame::Pins(pb::Pins { messages }))
        });
    }

    /// Ways into a group; to who may end them.
    pub(crate) fn list_group_links(&self, me: Actor, conversation: u64) -> Result<Frame, Error> {
        let store = &*self.config.views.store;
        let (group, own) = groups::of_reader(&store.snapshot(), conversation, me.account)?;
        let own = member_of(own)?;
        let mine = |l: &&groups::Link| own.role > Role::Member || l.maker == own.member;
        let links = group.links.iter().filter(mine).map(|l| pb::GroupLink {
            link: l.link,
            maker: self.user_of_member(&group, l.maker),
            uses: l.uses,
            used: l.used,
            not_after_ms: l.not_after_ms,
        });
        Ok(Frame::GroupLinks(pb::GroupLinks { links: links.collect() }))
    }

    /// Who has read a message of a group.
    pub(crate) fn get_readers(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::GetReaders) {
        let pb::GetReaders { conversation, sequence } = request;
        let known = (|| {
            let store = &*self.config.views.store;
            let (group, own) = groups::of_reader(&store.snapshot(), conversation, me.account)?;
            let own = member_of(own)?;
            if sequence == 0 || !own.may_read(sequence) {
                return Err(Error::from(Code::NoSuchMessage));
            }
            let (readers, of) = groups::readers(store, conversation, sequence)
                .ok_or_else(|| Error::new(Code::TooMany).with("what", "members").with("max", limits::GROUP_READERS_MAX))?;
            Ok((group, readers, of))
        })();
        let (group, readers, of) = match known {
            Ok(known) => known,
            Err(error) => return session.answered(id, Err(error)),
        };
        let Some(ask) = self.config.remote_readers.clone().filter(|_| !group.is_home()) else {
            return session.answer(id, self.readers(readers, of));
        };
        // The home knows of all domains; if it does not answer, what is known here is better than nothing.
        let (gateway, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            let told = ask(group.clone(), sequence).await;
            let frame = match told {
                Some((members, of)) => {
                    let store = &*gateway.config.views.store;
                    let of_members = members.iter().filter_map(|m| groups::member(store, conversation, *m)).map(|m| m.person);
                    let mut all: Vec<u64> = of_members.chain(readers).collect();
                    all.sort_unstable();
                    all.dedup();
                    gateway.readers(all, of)
                }
                None => gateway.readers(readers, of),
            };
            session.answer(id, frame);
        });
    }

    fn readers(&self, persons: Vec<u64>, of: u64) -> Frame {
        let store = &*self.config.views.store;
        let users: Vec<String> = persons.iter().filter_map(|p| directory::user_id(store, *p)).map(|u| u.to_string()).collect();
        Frame::Readers(pb::Readers { count: persons.len() as u64, of, users })
    }

    /// How the account wants to hear of a conversation.
    pub(crate) fn set_conversation(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::SetConversation) {
        let pb::SetConversation { conversation, muted_until_ms, mentions_only } = *request;
        let command = Command::SetConversation { account: me.account, conversation, muted_until_ms, mentions_only };
        self.submit(session, id, command, done);
    }

    fn user_of_member(&self, group: &Group, number: u64) -> String {
        let store = &*self.config.views.store;
        let person = groups::member(store, group.conversation, number).map(|m| m.person);
        person.and_then(|p| directory::user_id(store, p)).map(|u| u.to_string()).unwrap_or_default()
    }

    /// How far an account has got in a group, and how far it may get.
    pub(crate) fn group_marks(&self, account: u64, conversation: u64) -> Result<(delivery::Marks, u64), Error> {
        let store = &*self.config.views.store;
        let overview = groups::overview(&store.snapshot(), account, conversation)?;
        Ok((overview.marks, overview.head))
    }
}

/// Only who is in a group learns who else is.
fn member_of(own: Option<Member>) -> Result<Member, Error> {
    own.filter(Member::is_in).ok_or_else(|| Code::NotMember.into())
}

fn link_secret(node: &[u8; 32], device: u64, counter: u64) -> String {
    let key = blake3::derive_key("startalk 2026 link into a group v1", node);
    let mut of = [0; 16];
    of[..8].copy_from_slice(&device.to_be_bytes());
    of[8..].copy_from_slice(&counter.to_be_bytes());
    let hash = blake3::keyed_hash(&key, &of);
    let mut secret = data_encoding::BASE32_NOPAD.encode(&hash.as_bytes()[..20]).to_ascii_lowercase();
    secret.truncate(SECRET_CHARS);
    secret
}

fn role_of(word: &str) -> Result<Role, Error> {
    match word {
        "member" => Ok(Role::Member),
        "administrator" => Ok(Role::Administrator),
        "owner" => Ok(Role::Owner),
        _ => Err(bad("role", "member, administrator or owner")),
    }
}

fn text_of(word: &str) -> Result<Text, Error> {
    match word {
        "name" => Ok(Text::Name),
        "notice" => Ok(Text::Notice),
        "description" => Ok(Text::Description),
        "avatar" => Ok(Text::Avatar),
        _ => Err(bad("text", "name, notice, description or avatar")),
    }
}

fn who_of(field: &str, word: &str) -> Result<Who, Error> {
    match word {
        "members" => Ok(Who::Members),
        "administrators" => Ok(Who::Administrators),
        "owner" => Ok(Who::Owner),
        _ => Err(bad(field, "members, administrators or owner")),
    }
}

fn rights_of(rights: &pb::GroupRights) -> Result<Rights, Error> {
    let joining = match rights.joining.as_str() {
        "invitation" => Joining::ByInvitation,
        "approval" => Joining::WithApproval,
        "closed" => Joining::Closed,
        _ => return Err(bad("joining", "invitation, approval or closed")),
    };
    Ok(Rights {
        post: who_of("post", &rights.post)?,
        add: who_of("add", &rights.add)?,
        at_all: who_of("at_all", &rights.at_all)?,
        pin: who_of("pin", &rights.pin)?,
        texts: who_of("texts", &rights.texts)?,
        joining,
    })
}

/// Asks a group's home who has read so far as a sequence: member numbers, and of how many; `None` if it does not answer.
pub type RemoteReaders = Arc<dyn Fn(Arc<Group>, u64) -> ReadersAsked + Send + Sync>;
/// The answer on its way.
pub type ReadersAsked = std::pin::Pin<Box<dyn Future<Output = Option<(Vec<u64>, u64)>> + Send>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_secret_is_the_same_for_the_same_command_alone() {
        let one = link_secret(&[1; 32], 5, 7);
        assert_eq!(one, link_secret(&[1; 32], 5, 7));
        assert_eq!(one.len(), SECRET_CHARS);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric()));
        for other in [link_secret(&[2; 32], 5, 7), link_secret(&[1; 32], 6, 7), link_secret(&[1; 32], 5, 8)] {
            assert_ne!(one, other);
        }
    }
}
