//! Which commands are administration, what they are called in the record, and what the record says of them.
//!
//! Owns the one list. An act that gives or takes the right to administer, or is done to somebody who has it, belongs to
//! [`Area::Node`] whatever it looks like: a token for people must not become one for everything.

use startalk_protocol::pb::events as pb;

use super::{Area, By, Tended, tokens, valid};
use crate::{
    accounts::{self, Role},
    command::{Admission, Answer, Command, PasswordBy, PeerRule},
    directory, governance,
    groups::{self, GroupTended},
    store::Read,
};

/// Whether a command is administration whoever gives it. Others become it when they are wrapped: people may sign out their
/// own devices and delete their own accounts.
pub fn is_administration(command: &Command) -> bool {
    match command {
        Command::CreateAccount { admission, .. } => matches!(admission, Admission::Operator { .. }),
        Command::SetPassword { by, .. } => matches!(by, PasswordBy::Operator),
        Command::MakeInvitation { maker, .. } => *maker == 0,
        Command::SetPolicy(_)
        | Command::SetDisabled { .. }
        | Command::SetRole { .. }
        | Command::Arrive(_)
        | Command::SetAbsent { .. }
        | Command::MakeSignInLink { .. }
        | Command::RevokeInvitation { .. }
        | Command::SetPeerRule { .. }
        | Command::TendGroup { .. }
        | Command::MakeToken { .. }
        | Command::RevokeToken { .. }
        | Command::Tend(_) => true,
        _ => false,
    }
}

/// The area of an act, and its name in the record; `None`: it is none.
pub(super) fn of(read: &impl Read, command: &Command) -> Option<(Area, &'static str)> {
    let is_power = |account: u64| accounts::account(read, account).is_some_and(|a| a.role != Role::Member);
    let people = |power: bool| if power { Area::Node } else { Area::People };
    Some(match command {
        Command::CreateAccount { admission: Admission::Operator { administrator }, .. } => {
            (people(*administrator), "account-added")
        }
        Command::SetPassword { account, by: PasswordBy::Operator, .. } => (people(is_power(*account)), "password-reset"),
        Command::RevokeDevice { account, .. } => (people(is_power(*account)), "device-signed-out"),
        Command::UnlinkIdentity { account, .. } => (people(is_power(*account)), "identity-unlinked"),
        Command::RemovePasskey { account, .. } => (people(is_power(*account)), "passkey-removed"),
        Command::SetDisabled { account, disabled: true } => (people(is_power(*account)), "account-disabled"),
        Command::SetDisabled { account, disabled: false } => (people(is_power(*account)), "account-enabled"),
        Command::DeleteAccount { account } => (people(is_power(*account)), "account-deleted"),
        Command::SetRole { .. } => (Area::Node, "role-set"),
        Command::Arrive(new) => {
            let known = accounts::whose(read, new).ok().flatten();
            let power = known.is_some_and(is_power) || new.role.is_some_and(|r| r != Role::Member);
            (people(power), if known.is_some() { "account-updated" } else { "account-added" })
        }
        Command::SetAbsent { account, .. } => (people(is_power(*account)), "account-disabled"),
        Command::MakeSignInLink { account, .. } => (people(is_power(*account)), "sign-in-link-made"),
        Command::MakeInvitation { administrator, .. } => (people(*administrator), "invitation-made"),
        Command::RevokeInvitation { .. } => (Area::People, "invitation-revoked"),
        Command::TendGroup { tended, .. } => {
            let act = match tended {
                GroupTended::HandedOver(_) => "group-handed-over",
                GroupTended::Added(_) => "group-member-added",
                GroupTended::Removed(_) => "group-member-removed",
                GroupTended::Named(_) => "group-named",
                GroupTended::Destroyed { .. } => "group-destroyed",
            };
            (Area::Node, act)
        }
        Command::SetPeerRule { .. } => (Area::Domains, "domain-rule-set"),
        Command::SetPolicy(_) => (Area::Policies, "policy-set"),
        Command::MakeToken { .. } => (Area::Node, "token-made"),
        Command::RevokeToken { .. } => (Area::Node, "token-revoked"),
        Command::Tend(Tended::KeysReplaced) => (Area::Node, "keys-replaced"),
        Command::Tend(Tended::Compacted) => (Area::Node, "compacted"),
        Command::Tend(Tended::BackedUp { .. }) => (Area::Node, "backup-made"),
        Command::Tend(Tended::RestoreBegun { .. }) => (Area::Node, "restore-begun"),
        Command::Tend(Tended::Restored { .. }) => (Area::Node, "backup-restored"),
        Command::Tend(Tended::ReplacedDeleted) => (Area::Node, "replaced-deleted"),
        _ => return None,
    })
}

/// What is made has the rights of who makes it; of a token's maker, if a token does.
pub(super) fn put_maker(read: &impl Read, command: &mut Command, by: By) {
    let account = match by {
        By::Operator => 0,
        By::Account(actor) => actor.account,
        By::Token(token) => valid(read, token, 0).map_or(0, |t| t.maker),
    };
    match command {
        Command::MakeInvitation { maker, .. } | Command::MakeToken { maker, .. } => *maker = account,
        Command::Arrive(new) => new.maker = account,
        _ => {}
    }
}

/// To whom or what something is done, and how that was before.
#[derive(Default)]
pub(super) struct Subject {
    account: u64,
    item: u64,
    domain: Option<startalk_protocol::DomainName>,
    policies: Vec<(&'static str, String)>,
    changes: Vec<pb::Changed>,
    asked_by: Option<By>,
}

/// Who asked, if this domain has them: a backup has no account that came after it, and the numbers of those before it are
/// theirs in both.
fn known(read: &impl Read, asked_by: By) -> Option<By> {
    let is_known = match asked_by {
        By::Operator => true,
        By::Account(actor) => accounts::account(read, actor.account).is_some(),
        By::Token(token) => tokens(read).iter().any(|t| t.token == token),
    };
    is_known.then_some(asked_by)
}

fn changed(field: &str, before: impl ToString, after: impl ToString) -> pb::Changed {
    pb::Changed { field: field.to_owned(), before: before.to_string(), after: after.to_string() }
}

impl Subject {
    pub(super) fn before(read: &impl Read, command: &Command) -> Self {
        let of = |account: u64| Self { account, ..Self::default() };
        match command {
            Command::SetPassword { account, .. } | Command::SetDisabled { account, .. } | Command::DeleteAccount { account } => {
                of(*account)
            }
            Command::RevokeDevice { account, device } => Self { item: *device, ..of(*account) },
            Command::UnlinkIdentity { account, link: item } | Command::RemovePasskey { account, passkey: item } => {
                Self { item: *item, ..of(*account) }
            }
            Command::SetRole { account, role } => {
                let before = accounts::account(read, *account).map(|a| a.role).unwrap_or_default();
                Self { changes: vec![changed("role", before.as_str(), role.as_str())], ..of(*account) }
            }
            Command::MakeInvitation { uses, administrator, groups, .. } => {
                let mut changes = vec![changed("uses", "", uses), changed("administrator", "", administrator)];
                if !groups.is_empty() {
                    changes.push(changed("groups", "", groups.len()));
                }
                Self { changes, ..Self::default() }
            }
            Command::MakeSignInLink { account, .. } => of(*account),
            Command::SetAbsent { account, source } => {
                Self { changes: vec![changed("absent_from", "", source.as_str())], ..of(*account) }
            }
            Command::Arrive(new) => {
                let known = accounts::whose(read, new).ok().flatten().and_then(|number| accounts::account(read, number));
                let (was, account) = (known.as_deref().cloned().unwrap_or_default(), known.map_or(0, |a| a.account));
                let mut changes = Vec::new();
                if was.external.is_none() {
                    changes.push(changed("source", "", new.source.as_str()));
                }
                if let Some(role) = new.role.filter(|r| *r != was.role) {
                    changes.push(changed("role", was.role.as_str(), role.as_str()));
                }
                if let Some(disabled) = new.disabled.filter(|d| *d != was.disabled) {
                    changes.push(changed("disabled", was.disabled, disabled));
                }
                Self { changes, ..of(account) }
            }
            Command::RevokeInvitation { invitation } => Self { item: *invitation, ..Self::default() },
            Command::RevokeToken { token } => Self { item: *token, ..Self::default() },
            Command::MakeToken { scopes, .. } => {
                Self { changes: vec![changed("scopes", "", scopes.names().join(" "))], ..Self::default() }
            }
            Command::TendGroup { conversation, tended } => {
                let id = groups::group(read, *conversation).map(|g| g.id.clone()).unwrap_or_default();
                let about = match tended {
                    GroupTended::HandedOver(user) | GroupTended::Added(user) | GroupTended::Removed(user) => Some(user),
                    GroupTended::Named(_) | GroupTended::Destroyed { .. } => None,
                };
                // Somebody of another domain has no account: their domain is what the record says.
                let here = about.filter(|u| directory::domain_of(read, directory::HERE).as_ref() == Some(&u.domain));
                let account = here.and_then(|u| accounts::by_name(read, &u.name)).map_or(0, |a| a.account);
                let domain = about.filter(|_| here.is_none()).map(|u| u.domain.clone());
                Self { domain, changes: vec![changed("group", "", id)], ..of(account) }
            }
            Command::SetPeerRule { domain, rule, forget_key } => {
                let known = directory::peer_number(read, domain).and_then(|n| directory::peer(read, n));
                let before = known.map(|p| p.state).unwrap_or_default();
                let after = match rule {
                    PeerRule::Allow => "allowed",
                    PeerRule::Deny => "denied",
                    PeerRule::Unset => "unset",
                };
                let mut changes = vec![changed("rule", before.as_str(), after)];
                if *forget_key {
                    changes.push(changed("accept_new_key", "", true));
                }
                Self { domain: Some(domain.clone()), changes, ..Self::default() }
            }
            Command::SetPolicy(_) => Self { policies: governance::policies(&governance::realm(read)), ..Self::default() },
            Command::Tend(Tended::BackedUp { records, bytes, verified, .. }) => Self {
                changes: vec![changed("records", "", records), changed("bytes", "", bytes), changed("verified", "", verified)],
                ..Self::default()
            },
            Command::Tend(Tended::RestoreBegun { records }) => {
                Self { changes: vec![changed("records", "", records)], ..Self::default() }
            }
            Command::Tend(Tended::Restored { records, replaced_records, asked_by }) => {
                let mut changes = vec![changed("records", replaced_records, records)];
                let asked_by = known(read, *asked_by);
                if asked_by.is_none() {
                    changes.push(changed("asked_by", "", "not-in-backup"));
                }
                Self { changes, asked_by, ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    /// The facts of the record, once it was done.
    pub(super) fn after(self, read: &impl Read, answer: &Answer, act: &str, by: By) -> pb::Administered {
        let (by, number, device) = match self.asked_by.unwrap_or(by) {
            By::Operator => ("operator", 0, 0),
            By::Account(actor) => ("account", actor.account, actor.device),
            By::Token(token) => ("token", token, 0),
        };
        let mut facts = pb::Administered {
            by: by.into(),
            number,
            device,
            act: act.into(),
            account: self.account,
            peer: self.domain.and_then(|d| directory::peer_number(read, &d)).unwrap_or(0),
            item: self.item,
            changes: self.changes,
        };
        match answer {
            Answer::Account { account, .. } if facts.account != 0 && *account == facts.account => {}
            Answer::Account { account, administrator, .. } => {
                facts.account = *account;
                facts.changes.push(changed("administrator", "", administrator));
            }
            Answer::Invitation { invitation, .. } => facts.item = *invitation,
            Answer::Token { token, .. } => facts.item = *token,
            _ => {}
        }
        let after = if self.policies.is_empty() { Vec::new() } else { governance::policies(&governance::realm(read)) };
        for ((field, before), (_, after)) in self.policies.iter().zip(&after).filter(|(b, a)| b != a) {
            facts.changes.push(changed(field, before, after));
        }
        facts
    }
}
