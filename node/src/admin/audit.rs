//! The record of administrative acts, with names as long as they are known.

use serde::{Deserialize, Serialize};
use startalk_domain::{
    accounts,
    administration::{self, Acted},
    directory,
};
use startalk_protocol::{Code, Error, limits};
use utoipa::ToSchema;

use super::{Backend, Page};

/// One act.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Act {
    /// From 1.
    pub number: u64,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// operator, account or token.
    pub by: String,
    /// The account's or token's number; 0: the operator.
    pub by_number: u64,
    /// name@domain, or the token's name; null: the operator, or not known any more.
    pub by_name: Option<String>,
    /// Such as account-disabled.
    pub act: String,
    /// The account that it was done to; 0: none.
    pub account: u64,
    /// Its name@domain; null: none, or gone.
    pub user: Option<String>,
    /// The domain that it is about.
    pub domain: Option<String>,
    /// Number of a device, an invitation or a token; 0: none.
    pub item: u64,
    pub changes: Vec<Change>,
}

/// A value that was changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Change {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// Which acts are wanted; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Only {
    /// Such as account-disabled.
    pub act: Option<String>,
    /// Who did it: operator, token, or the name of an account.
    pub by: Option<String>,
    /// To whom: the name of an account, or a domain.
    pub whom: Option<String>,
    /// Not before, milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Not after.
    pub to_ms: Option<u64>,
}

/// As numbers, which the record holds.
struct Wanted<'a> {
    only: &'a Only,
    by: Option<(&'a str, u64)>,
    account: Option<u64>,
    peer: Option<u64>,
}

impl<'a> Wanted<'a> {
    fn of(backend: &Backend, only: &'a Only) -> Result<Self, Error> {
        let store = &*backend.views.store;
        let account = |name: &str| -> Result<u64, Error> {
            let local = name.strip_suffix(&format!("@{}", backend.domain)).unwrap_or(name);
            let found = local.parse().ok().and_then(|name| accounts::by_name(store, &name));
            found
                .map(|a| a.account)
                .ok_or_else(|| Error::new(Code::NoSuchUser).with("user", name.chars().take(64).collect::<String>()))
        };
        let by = match only.by.as_deref() {
            None => None,
            Some("operator") => Some(("operator", 0)),
            Some("token") => Some(("token", 0)),
            Some(name) => Some(("account", account(name)?)),
        };
        let is_domain = |whom: &str| whom.contains('.') && !whom.contains('@');
        let peer_of = |whom: &str| whom.parse().ok().and_then(|d| directory::peer_number(store, &d));
        let (mut whom, mut peer) = (None, None);
        if let Some(text) = only.whom.as_deref() {
            match peer_of(text).filter(|_| is_domain(text)) {
                Some(number) => peer = Some(number),
                None => whom = Some(account(text)?),
            }
        }
        Ok(Self { only, by, account: whom, peer })
    }

    fn takes(&self, acted: &Acted) -> bool {
        let facts = &acted.facts;
        self.only.act.as_ref().is_none_or(|act| *act == facts.act)
            && self.by.is_none_or(|(by, number)| facts.by == by && (number == 0 || facts.number == number))
            && self.account.is_none_or(|account| facts.account == account)
            && self.peer.is_none_or(|peer| facts.peer == peer)
            && self.only.to_ms.is_none_or(|to| acted.time_ms <= to)
    }
}

/// Acts before a number (0: the newest), the newest first. At most [`limits::ADMIN_SCAN_MAX`] are looked through for a page.
pub(super) fn page(backend: &Backend, before: u64, limit: usize, only: &Only) -> Result<Page<Act>, Error> {
    let (views, wanted) = (&backend.views, Wanted::of(backend, only)?);
    let (mut items, mut at, mut looked) = (Vec::new(), before, 0);
    while items.len() < limit && looked < limits::ADMIN_SCAN_MAX {
        let found = administration::acted(&*views.store, &*views.journal, at, limit)?;
        if found.is_empty() {
            return Ok(Page { items, next: None });
        }
        for acted in found {
            // Journal time never goes back: nothing before this one is wanted either.
            if only.from_ms.is_some_and(|from| acted.time_ms < from) {
                return Ok(Page { items, next: None });
            }
            (at, looked) = (acted.number, looked + 1);
            if wanted.takes(&acted) {
                items.push(shown(backend, acted));
                if items.len() == limit {
                    break;
                }
            }
        }
        if at <= 1 {
            break;
        }
    }
    Ok(Page { items, next: Some(at).filter(|n| *n > 1) })
}

fn shown(backend: &Backend, acted: Acted) -> Act {
    let store = &*backend.views.store;
    let Acted { number, time_ms, facts } = acted;
    let by_name = match facts.by.as_str() {
        "account" => super::user(backend, facts.number),
        "token" => administration::tokens(store).iter().find(|t| t.token == facts.number).map(|t| t.name.clone()),
        _ => None,
    };
    Act {
        number,
        time_ms,
        by: facts.by,
        by_number: facts.number,
        by_name,
        act: facts.act,
        account: facts.account,
        user: super::user(backend, facts.account),
        domain: (facts.peer != 0).then(|| directory::domain_of(store, facts.peer)).flatten().map(|d| d.to_string()),
        item: facts.item,
        changes: facts.changes.into_iter().map(|c| Change { field: c.field, before: c.before, after: c.after }).collect(),
    }
}
