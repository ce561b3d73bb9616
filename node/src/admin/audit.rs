//! The record of administrative acts, with names as long as they are known.

use serde::Serialize;
use startalk_domain::{
    administration::{self, Acted},
    directory,
};
use startalk_protocol::Error;
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

/// Acts before a number (0: the newest), the newest first.
pub(super) fn page(backend: &Backend, before: u64, limit: usize) -> Result<Page<Act>, Error> {
    let views = &backend.views;
    let items: Vec<Act> =
        administration::acted(&*views.store, &*views.journal, before, limit)?.into_iter().map(|a| shown(backend, a)).collect();
    let next = items.last().map(|a| a.number).filter(|n| *n > 1);
    Ok(Page { items, next })
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
