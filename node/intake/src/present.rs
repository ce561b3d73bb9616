//! The accounts that there are, as far as a plan looks at them.

use std::collections::{BTreeMap, BTreeSet};

use startalk_domain::{
    accounts::{self, Role, Source},
    directory, governance, groups,
    store::Read,
};

/// An account as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub account: u64,
    /// Before the @.
    pub name: String,
    /// Shown to others.
    pub display_name: String,
    /// What it may.
    pub role: Role,
    /// Kept out.
    pub disabled: bool,
    /// Kept out because its source did not name it.
    pub absent: bool,
    /// Where it comes from, and its id there.
    pub external: Option<(String, String)>,
}

/// A group of this domain that a source names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupHere {
    /// Its number.
    pub conversation: u64,
    /// Whether who carries the plan out may bring people in.
    pub open: bool,
    /// Accounts that are in.
    pub members: BTreeSet<u64>,
}

/// What a plan is made against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Whose people are looked at.
    pub source: Source,
    /// Everybody who is not deleted.
    pub all: Vec<Standing>,
    /// By name or id; several may have one name.
    pub groups: BTreeMap<String, Vec<GroupHere>>,
    /// Whether who carries the plan out may touch those who administer.
    pub may_power: bool,
}

impl Default for Present {
    fn default() -> Self {
        Self { source: Source::file(), all: Vec::new(), groups: BTreeMap::new(), may_power: true }
    }
}

/// Everybody, and the groups with these names or ids. `filler`: the account that would bring people into them, if any.
pub fn present(
    read: &impl Read,
    source: &Source,
    filler: Option<u64>,
    named: &BTreeSet<&str>,
    may_power: bool,
    now_ms: u64,
) -> Present {
    let standing = |number: u64| {
        let account = accounts::account(read, number).filter(|a| !a.deleted && !a.ending)?;
        let person = directory::person(read, number)?;
        Some(Standing {
            account: number,
            name: person.name.clone(),
            display_name: person.profile.display_name.clone(),
            role: account.role,
            disabled: account.disabled,
            absent: account.absent,
            external: account.external.as_ref().map(|e| (e.source.clone(), e.id.clone())),
        })
    };
    let mut here: BTreeMap<String, Vec<GroupHere>> = BTreeMap::new();
    let last = if named.is_empty() { 0 } else { governance::numbers(read).conversation };
    for conversation in 1..=last {
        let Some(group) = groups::group(read, conversation).filter(|g| g.begun && g.is_home() && !g.destroyed) else { continue };
        for name in [&group.name, &group.id].into_iter().filter(|n| named.contains(n.as_str())) {
            let open = filler.is_some_and(|by| groups::may_bring_in(read, by, conversation, now_ms));
            let members = groups::local_members(read, conversation).into_iter().collect();
            here.entry(name.clone()).or_default().push(GroupHere { conversation, open, members });
        }
    }
    let all = accounts::list(read).into_iter().filter_map(standing).collect();
    Present { source: source.clone(), all, groups: here, may_power }
}
