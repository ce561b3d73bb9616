//! Other domains, policies.

use axum::Json;
use serde::Deserialize;
use startalk_domain::{administration::Area, command::PeerRule};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Body, Caller, Failures, Listed, Path, Query, Refusal};
use crate::admin::{
    Page,
    domains::{self, Domain},
    policies::{self, Policies, PolicyChange, WouldGo},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(set_rule))
        .routes(routes!(show_policies, change_policies))
        .routes(routes!(would_go))
}

type Answer<T> = Result<Json<T>, Refusal>;

/// What is decided about a domain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rule {
    rule: Decision,
    /// Accept whatever root key comes next, once it is proven.
    #[serde(default)]
    accept_new_key: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allowed,
    Denied,
    Unset,
}

/// Other domains, in the order in which they were met.
#[utoipa::path(get, path = "/domains", tag = "domains", params(Listed), responses((status = 200, body = Page<Domain>), Failures))]
async fn list(caller: Caller, Query(listed): Query<Listed>) -> Answer<Page<Domain>> {
    let listed = listed.checked()?;
    caller.reads(Area::Domains, move |b| Ok(domains::page(b, &listed.search, listed.cursor, listed.limit))).await.map(Json)
}

/// One of them.
#[utoipa::path(get, path = "/domains/{domain}", tag = "domains", params(("domain" = String, Path)), responses((status = 200, body = Domain), Failures))]
async fn one(caller: Caller, Path(domain): Path<String>) -> Answer<Domain> {
    caller.reads(Area::Domains, move |b| domains::one(b, &domain)).await.map(Json)
}

/// Decides whether to talk to a domain, known or not.
#[utoipa::path(put, path = "/domains/{domain}/rule", tag = "domains", params(("domain" = String, Path)), request_body = Rule, responses((status = 200, body = Domain), Failures))]
async fn set_rule(caller: Caller, Path(domain): Path<String>, Body(rule): Body<Rule>) -> Answer<Domain> {
    let decided = match rule.rule {
        Decision::Allowed => PeerRule::Allow,
        Decision::Denied => PeerRule::Deny,
        Decision::Unset => PeerRule::Unset,
    };
    let work = move |b: &crate::admin::Backend| {
        domains::set_rule(b, &domain, decided, rule.accept_new_key)?;
        domains::one(b, &domain)
    };
    caller.changes(Area::Domains, work).await.map(Json)
}

/// What holds for everybody.
#[utoipa::path(get, path = "/policies", tag = "policies", responses((status = 200, body = Policies), Failures))]
async fn show_policies(caller: Caller) -> Answer<Policies> {
    caller.reads(Area::Policies, |b| Ok(policies::show(b))).await.map(Json)
}

/// How long messages would be kept.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Keeping {
    /// 0: for ever.
    #[param(maximum = 36600)]
    days: u32,
    /// all, direct or groups.
    #[serde(default = "all")]
    of: String,
}

fn all() -> String {
    "all".to_owned()
}

/// How many messages would be erased at once if they were kept only for so many days.
#[utoipa::path(get, path = "/policies/retention", tag = "policies", params(Keeping), responses((status = 200, body = WouldGo), Failures))]
async fn would_go(caller: Caller, Query(keeping): Query<Keeping>) -> Answer<WouldGo> {
    caller.reads(Area::Policies, move |b| policies::would_go(b, keeping.days, &keeping.of)).await.map(Json)
}

/// Changes policies.
#[utoipa::path(patch, path = "/policies", tag = "policies", request_body = PolicyChange, responses((status = 200, body = Policies), Failures))]
async fn change_policies(caller: Caller, Body(change): Body<PolicyChange>) -> Answer<Policies> {
    caller.changes(Area::Policies, move |b| policies::change(b, change)).await.map(Json)
}
