//! Groups: listed, looked at, and what the administration of their home may do to them.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use startalk_domain::{administration::Area, groups::GroupTended};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Body, Caller, Failures, Listed, Path, Query, Refusal};
use crate::admin::{
    Backend, Page,
    groups::{self, Group, GroupMember, OneGroup},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, change))
        .routes(routes!(members, add))
        .routes(routes!(remove))
        .routes(routes!(destroy))
}

type Answer<T> = Result<Json<T>, Refusal>;

/// What is to be another; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupChange {
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// A member, name@domain, who owns it from now on. Who owned it administers it.
    #[serde(default)]
    owner: Option<String>,
}

/// Who comes in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// A name of this domain.
    name: String,
}

/// Why a group ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// For everybody in it; may be empty.
    reason: String,
}

/// Groups with members of this domain.
#[utoipa::path(get, path = "/groups", tag = "groups", params(Listed), responses((status = 200, body = Page<Group>), Failures))]
async fn list(caller: Caller, Query(listed): Query<Listed>) -> Answer<Page<Group>> {
    let listed = listed.checked()?;
    caller.reads(Area::Node, move |b| Ok(groups::page(b, &listed.search, listed.cursor, listed.limit))).await.map(Json)
}

/// One of them. Nothing of what is said in it.
#[utoipa::path(get, path = "/groups/{group}", tag = "groups", params(("group" = String, Path)), responses((status = 200, body = OneGroup), Failures))]
async fn one(caller: Caller, Path(group): Path<String>) -> Answer<OneGroup> {
    caller.reads(Area::Node, move |b| groups::one(b, &group)).await.map(Json)
}

/// Changes a group that this domain keeps. Everybody in it sees that its administration did it, as with all that follows.
#[utoipa::path(patch, path = "/groups/{group}", tag = "groups", params(("group" = String, Path)), request_body = GroupChange, responses((status = 200, body = OneGroup), Failures))]
async fn change(caller: Caller, Path(group): Path<String>, Body(change): Body<GroupChange>) -> Answer<OneGroup> {
    let work = move |b: &Backend| {
        if let Some(name) = change.name {
            groups::tend(b, &group, GroupTended::Named(name))?;
        }
        if let Some(owner) = change.owner {
            groups::tend(b, &group, GroupTended::HandedOver(groups::user(b, &owner)?))?;
        }
        groups::one(b, &group)
    };
    caller.changes(Area::Node, work).await.map(Json)
}

/// Who is in it.
#[utoipa::path(get, path = "/groups/{group}/members", tag = "groups", params(("group" = String, Path), Listed), responses((status = 200, body = Page<GroupMember>), Failures))]
async fn members(caller: Caller, Path(group): Path<String>, Query(listed): Query<Listed>) -> Answer<Page<GroupMember>> {
    let listed = listed.checked()?;
    caller.reads(Area::Node, move |b| groups::members(b, &group, listed.cursor, listed.limit)).await.map(Json)
}

/// Brings somebody of this domain in.
#[utoipa::path(post, path = "/groups/{group}/members", tag = "groups", params(("group" = String, Path)), request_body = NewMember, responses((status = 204), Failures))]
async fn add(caller: Caller, Path(group): Path<String>, Body(new): Body<NewMember>) -> Result<StatusCode, Refusal> {
    let work = move |b: &Backend| groups::tend(b, &group, GroupTended::Added(groups::user(b, &new.name)?));
    caller.changes(Area::Node, work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes somebody of this domain, who does not own it.
#[utoipa::path(delete, path = "/groups/{group}/members/{name}", tag = "groups", params(("group" = String, Path), ("name" = String, Path)), responses((status = 204), Failures))]
async fn remove(caller: Caller, Path((group, name)): Path<(String, String)>) -> Result<StatusCode, Refusal> {
    let work = move |b: &Backend| groups::tend(b, &group, GroupTended::Removed(groups::user(b, &name)?));
    caller.changes(Area::Node, work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a group for good, for everybody in it. The reason is its last notice.
#[utoipa::path(post, path = "/groups/{group}/destroy", tag = "groups", params(("group" = String, Path)), request_body = Reason, responses((status = 204), Failures))]
async fn destroy(caller: Caller, Path(group): Path<String>, Body(why): Body<Reason>) -> Result<StatusCode, Refusal> {
    let work = move |b: &Backend| groups::tend(b, &group, GroupTended::Destroyed { reason: why.reason });
    caller.changes(Area::Node, work).await?;
    Ok(StatusCode::NO_CONTENT)
}
