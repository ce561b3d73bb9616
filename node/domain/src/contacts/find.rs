//! Whom somebody finds by searching for a name.
//!
//! Everybody with whom they have a conversation or are in a group; and every account here, unless anybody may register: on a
//! public domain a list of all names would be a gift to spammers, and who knows a whole id needs no search. Reads views,
//! owns nothing.

use std::collections::HashSet;

use startalk_protocol::trust::Registration;

use super::conversations;
use crate::{
    accounts,
    conversations::direct,
    directory::{HERE, is_gone, person},
    governance, groups,
    store::Read,
};

/// Persons that an account finds.
pub struct Findable {
    everybody_here: bool,
    known: HashSet<u64>,
}

impl Findable {
    /// Whether this person is among them.
    pub fn has(&self, read: &impl Read, number: u64) -> bool {
        let here = || self.everybody_here && person(read, number).is_some_and(|p| p.peer == HERE);
        (self.known.contains(&number) || here()) && !is_gone(read, number)
    }
}

/// Whom this account finds. Costs a look at each of its conversations, and at the members of its groups.
pub fn findable(read: &impl Read, account: u64) -> Findable {
    let everybody_here = governance::realm(read).registration != Registration::Open;
    let mut known = HashSet::from([account]);
    if accounts::account(read, account).is_none_or(|a| !a.is_live()) {
        return Findable { everybody_here: false, known: HashSet::new() };
    }
    for conversation in conversations(read, account) {
        if let Some(direct) = direct(read, conversation) {
            known.insert(direct.other(account));
        } else if let Some(group) = groups::group(read, conversation)
            && groups::is_member(read, conversation, account)
        {
            let chunks = groups::member_chunks(read, &group);
            known.extend(chunks.iter().flat_map(|c| &c.list).filter(|m| m.is_in()).map(|m| m.person));
        }
    }
    Findable { everybody_here, known }
}
