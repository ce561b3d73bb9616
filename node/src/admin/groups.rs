//! Groups as who administers sees them: whose they are, who is in, and what may be done to those that this domain keeps. Nothing of
//! what is said in them.

use serde::Serialize;
use startalk_domain::{
    Command, Recorded,
    directory::{self, HERE},
    governance,
    groups::{self, GroupTended, Member, Role},
    timeline,
};
use startalk_protocol::{Code, Error, GroupId, UserId, limits};
use utoipa::ToSchema;

use super::{Backend, Page};
use crate::clock;

/// A group that has members here.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Group {
    /// 26 letters.
    pub group: String,
    /// Empty if it was erased.
    pub name: String,
    /// The domain that keeps it.
    pub home: String,
    pub members: u64,
    /// Those that are accounts of this domain.
    pub members_here: u64,
    /// member name@domain; null: gone.
    pub owner: Option<String>,
    pub destroyed: bool,
    /// Whether who asks may bring people of this domain into it.
    pub may_add: bool,
}

/// A group, looked at by itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneGroup {
    pub group: Group,
    /// This domain keeps it: it can be changed here.
    pub kept_here: bool,
    /// When it began, as far as this domain has it; milliseconds since 1970.
    pub created_ms: Option<u64>,
    /// When something happened in it last.
    pub last_ms: u64,
}

/// Somebody who is in a group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupMember {
    /// name@domain; null: gone.
    pub user: Option<String>,
    /// As they call themselves; empty: not known.
    pub display_name: String,
    /// member, administrator or owner.
    pub role: String,
    /// An account of this domain.
    pub here: bool,
}

fn conversation(backend: &Backend, id: &str) -> Result<u64, Error> {
    let id: GroupId = id.parse().map_err(|_| Code::NoSuchThing)?;
    let found = groups::by_id(&*backend.views.store, &id);
    let is_begun = |c: &u64| groups::group(&*backend.views.store, *c).is_some_and(|g| g.begun);
    found.filter(is_begun).ok_or_else(|| Code::NoSuchThing.into())
}

fn shown(backend: &Backend, conversation: u64, group: &groups::Group) -> Group {
    let store = &*backend.views.store;
    let owner = groups::member(store, conversation, group.owner).and_then(|m| directory::user_id(store, m.person));
    let home = if group.home == HERE { None } else { directory::domain_of(store, group.home) };
    Group {
        group: group.id.clone(),
        name: group.name.clone(),
        home: home.unwrap_or_else(|| backend.domain.clone()).to_string(),
        members: group.members,
        members_here: group.here,
        owner: owner.map(|o| o.to_string()),
        destroyed: group.destroyed,
        may_add: super::filler(backend).is_some_and(|by| groups::may_bring_in(store, by, conversation, clock::now_ms())),
    }
}

/// Groups with members here, by their number, which is also the cursor.
pub(super) fn page(backend: &Backend, search: &str, cursor: u64, limit: usize) -> Page<Group> {
    let store = &*backend.views.store;
    let (last, search) = (governance::numbers(store).conversation, search.to_lowercase());
    let end = last.min(cursor.saturating_add(limits::ADMIN_SCAN_MAX as u64));
    let (mut items, mut at) = (Vec::new(), cursor);
    while at < end && items.len() < limit {
        at += 1;
        let found = groups::group(store, at).filter(|g| g.begun && g.name.to_lowercase().contains(&search));
        items.extend(found.map(|group| shown(backend, at, &group)));
    }
    Page { items, next: (at < last).then_some(at) }
}

/// One of them.
///
/// # Errors
/// `no-such-thing`.
pub(super) fn one(backend: &Backend, id: &str) -> Result<OneGroup, Error> {
    let store = &*backend.views.store;
    let number = conversation(backend, id)?;
    let group = groups::group(store, number).ok_or(Code::NoSuchThing)?;
    let first = timeline::position(store, number, 1).and_then(|at| backend.views.journal.read(at).ok());
    let created_ms = first.and_then(|record| Recorded::read(&record).ok()).map(|r| r.time_ms);
    Ok(OneGroup {
        group: shown(backend, number, &group),
        kept_here: group.is_home(),
        created_ms,
        last_ms: timeline::head(store, number).time_ms,
    })
}

/// Who is in it, by their number in it, which is also the cursor.
///
/// # Errors
/// `no-such-thing`.
pub(super) fn members(backend: &Backend, id: &str, cursor: u64, limit: usize) -> Result<Page<GroupMember>, Error> {
    let store = &*backend.views.store;
    let (found, next) = groups::members_from(store, conversation(backend, id)?, cursor, limit, Member::is_in);
    let shown = |m: Member| GroupMember {
        user: directory::user_id(store, m.person).map(|u| u.to_string()),
        display_name: directory::person(store, m.person).map(|p| p.profile.display_name.clone()).unwrap_or_default(),
        role: match m.role {
            Role::Owner => "owner",
            Role::Administrator => "administrator",
            Role::Member => "member",
        }
        .to_owned(),
        here: m.peer == HERE,
    };
    Ok(Page { items: found.into_iter().map(shown).collect(), next: (next != 0).then_some(next) })
}

/// name@domain, or a name of this domain.
///
/// # Errors
/// `bad-name`.
pub(super) fn user(backend: &Backend, text: &str) -> Result<UserId, Error> {
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@{}", backend.domain) };
    whole.parse().map_err(|_| Error::new(Code::BadName).with("name", text.chars().take(128).collect::<String>()))
}

/// Does something to a group that this domain keeps.
///
/// # Errors
/// Those of the rule.
pub(super) fn tend(backend: &Backend, id: &str, tended: GroupTended) -> Result<(), Error> {
    let conversation = conversation(backend, id)?;
    backend.command(Command::TendGroup { conversation, tended }).map(drop)
}
