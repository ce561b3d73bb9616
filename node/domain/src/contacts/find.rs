//! Whom somebody finds by searching for a name.
//!
//! Everybody with whom they have a conversation or are in a group; and every account here, unless anybody may register: on a
//! public domain a list of all names would be a gift to spammers, and who knows a whole id needs no search. Reads views,
//! owns nothing.

use std::{collections::HashSet, sync::OnceLock};

use startalk_protocol::trust::Registration;

use super::conversations;
use crate::{
    accounts,
    conversations::between,
    directory::{HERE, is_gone, person},
    governance, groups,
    store::Read,
};

/// Persons that an account finds.
pub struct Findable {
    account: u64,
    is_live: bool,
    everybody_here: bool,
    /// Members of its groups, looked up when somebody is neither of this domain nor in a conversation with it.
    in_groups: OnceLock<HashSet<u64>>,
}

impl Findable {
    /// Whether this person is among them.
    pub fn has(&self, read: &impl Read, number: u64) -> bool {
        let here = || self.everybody_here && person(read, number).is_some_and(|p| p.peer == HERE);
        let talks = || number == self.account || between(read, self.account, number).is_some();
        let met = || self.in_groups.get_or_init(|| members_of_groups(read, self.account)).contains(&number);
        self.is_live && (here() || talks() || met()) && !is_gone(read, number)
    }
}

/// Whom this account finds.
pub fn findable(read: &impl Read, account: u64) -> Findable {
    let everybody_here = governance::realm(read).registration != Registration::Open;
    let is_live = accounts::account(read, account).is_some_and(|a| a.is_live());
    Findable { account, is_live, everybody_here, in_groups: OnceLock::new() }
}

/// Costs a look at each of the account's conversations.
fn members_of_groups(read: &impl Read, account: u64) -> HashSet<u64> {
    let mut known = HashSet::new();
    for conversation in conversations(read, account) {
        if let Some(group) = groups::group(read, conversation)
            && groups::is_member(read, conversation, account)
        {
            let chunks = groups::member_chunks(read, &group);
            known.extend(chunks.iter().flat_map(|c| &c.list).filter(|m| m.is_in()).map(|m| m.person));
        }
    }
    known
}
