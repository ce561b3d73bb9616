//! What is done in groups, as the wire has it: from a command to the act that goes through the outbox.

use startalk_client::{
    ClientError, Session,
    wire_types::{Admit, Ban, Destroy, GroupRights, Leave, MakeGroupLink, Mute, Pin, React, SetRole, SetText, act_in_group::Act},
};

use super::{Command, account::user_of};

/// Has the session accept a command about groups; also whether its answer is what became of it. `Err`: it is none.
pub(super) async fn accept(session: &Session, command: Command) -> Result<(Result<u64, ClientError>, bool), Command> {
    let (conversation, act, wait) = match command {
        Command::CreateGroup { name, members, wait } => {
            let members: Result<Vec<_>, _> = members.iter().map(|m| user_of(m, session)).collect();
            let accepted = match members {
                Ok(members) => session.create_group(&name, &members).await,
                Err(e) => Err(e),
            };
            return Ok((accepted, wait));
        }
        Command::JoinGroup { link, word, wait } => return Ok((session.join_group(&link, &word).await, wait)),
        Command::DecideGroupInvitation { group, accept, wait } => {
            return Ok((session.decide_group_invitation(&group, accept).await, wait));
        }
        Command::AddMember { conversation, user, wait } => (conversation, Act::Add(user), wait),
        Command::LeaveGroup { conversation, wait } => (conversation, Act::Leave(Leave {}), wait),
        Command::RemoveMember { conversation, user, wait } => (conversation, Act::Remove(user), wait),
        Command::BanFromGroup { conversation, user, lift, wait } => (conversation, Act::Ban(Ban { user, lift }), wait),
        Command::SetRole { conversation, user, role, wait } => (conversation, Act::SetRole(SetRole { user, role }), wait),
        Command::MuteMember { conversation, user, until_ms, wait } => (conversation, Act::Mute(Mute { user, until_ms }), wait),
        Command::SetGroupText { conversation, text, value, wait } => (conversation, Act::SetText(SetText { text, value }), wait),
        Command::SetGroupRights { conversation, post, add, at_all, pin, texts, joining, wait } => {
            (conversation, Act::SetRights(GroupRights { post, add, at_all, pin, texts, joining }), wait)
        }
        Command::MakeGroupLink { conversation, uses, valid_ms, wait } => {
            (conversation, Act::MakeLink(MakeGroupLink { uses, valid_ms }), wait)
        }
        Command::RevokeGroupLink { conversation, link, wait } => (conversation, Act::RevokeLink(link), wait),
        Command::DestroyGroup { conversation, wait } => (conversation, Act::Destroy(Destroy {}), wait),
        Command::Admit { conversation, user, refuse, wait } => (conversation, Act::Admit(Admit { user, refuse }), wait),
        Command::React { conversation, sequence, emoji, remove, wait } => {
            (conversation, Act::React(React { sequence, emoji, remove }), wait)
        }
        Command::Pin { conversation, sequence, remove, wait } => (conversation, Act::Pin(Pin { sequence, remove }), wait),
        other => return Err(other),
    };
    Ok((session.act(conversation, act).await, wait))
}
