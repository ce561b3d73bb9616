//! People, their devices, and invitations.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use startalk_domain::{accounts::Role, administration::Area};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Body, Caller, Failures, Listed, Path, Query, Refusal};
use crate::admin::{
    Page,
    intake::LINK_DAYS,
    jobs::{Job, Outcome},
    people::{self, Invitation, NewInvitation, NewLink, NewPassword, Person, PersonWithDevices},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(one, change, delete))
        .routes(routes!(reset_password))
        .routes(routes!(sign_in_link))
        .routes(routes!(sign_out))
        .routes(routes!(unlink))
        .routes(routes!(remove_passkey))
        .routes(routes!(invitations, invite))
        .routes(routes!(revoke_invitation))
}

type Answer<T> = Result<Json<T>, Refusal>;

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    /// Before the @.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 64)]
    display_name: String,
    /// member (the default), auditor or administrator.
    #[serde(default)]
    role: Option<String>,
}

/// What is to change of an account; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct PersonChange {
    disabled: Option<bool>,
    /// member, auditor or administrator.
    role: Option<String>,
}

/// How an account ends.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Ending {
    /// Erase what it wrote, too: a job.
    #[serde(default)]
    erase_messages: bool,
}

/// What became of it.
#[derive(Debug, serde::Serialize, ToSchema)]
struct Deleted {
    /// The job that erases messages.
    job: Option<Job>,
}

/// What an invitation is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedInvitation {
    /// How many accounts it makes.
    #[schema(minimum = 1, maximum = 10_000)]
    uses: u32,
    /// For how long.
    #[schema(minimum = 1, maximum = 8784)]
    hours: u32,
    /// It makes administrators.
    #[serde(default)]
    administrator: bool,
    /// Ids of groups into which whoever comes with it is brought: kept by this domain, and who asks may add people to them.
    #[serde(default)]
    #[schema(max_items = 20)]
    groups: Vec<String>,
}

/// For how long a link is good.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Lasting {
    #[serde(default = "link_days")]
    #[param(minimum = 1, maximum = 366)]
    days: u32,
}

fn link_days() -> u32 {
    LINK_DAYS
}

/// People, in the order in which they came.
#[utoipa::path(get, path = "/people", tag = "people", params(Listed), responses((status = 200, body = Page<Person>), Failures))]
async fn list(caller: Caller, Query(listed): Query<Listed>) -> Answer<Page<Person>> {
    let listed = listed.checked()?;
    caller.reads(Area::People, move |b| Ok(people::page(b, &listed.search, listed.cursor, listed.limit))).await.map(Json)
}

/// Adds somebody, with a password for once.
#[utoipa::path(post, path = "/people", tag = "people", request_body = NewPerson, responses((status = 201, body = NewPassword), Failures))]
async fn add(caller: Caller, Body(new): Body<NewPerson>) -> Result<(StatusCode, Json<NewPassword>), Refusal> {
    let role = new.role.as_deref().map_or(Ok(Role::Member), str::parse)?;
    let made = caller.changes(Area::People, move |b| people::add(b, &new.name, new.display_name, role)).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Somebody, with devices.
#[utoipa::path(get, path = "/people/{name}", tag = "people", params(("name" = String, Path, description = "Before the @")), responses((status = 200, body = PersonWithDevices), Failures))]
async fn one(caller: Caller, Path(name): Path<String>) -> Answer<PersonWithDevices> {
    caller.reads(Area::People, move |b| people::one(b, &name)).await.map(Json)
}

/// Disables, enables, or gives a role.
#[utoipa::path(patch, path = "/people/{name}", tag = "people", params(("name" = String, Path, description = "Before the @")), request_body = PersonChange, responses((status = 200, body = PersonWithDevices), Failures))]
async fn change(caller: Caller, Path(name): Path<String>, Body(change): Body<PersonChange>) -> Answer<PersonWithDevices> {
    let role: Option<Role> = change.role.as_deref().map(str::parse).transpose()?;
    let work = move |b: &crate::admin::Backend| {
        if let Some(role) = role {
            people::set_role(b, &name, role)?;
        }
        if let Some(disabled) = change.disabled {
            people::disable(b, &name, disabled)?;
        }
        people::one(b, &name)
    };
    caller.changes(Area::People, work).await.map(Json)
}

/// Deletes an account for good: name, profile and secrets are erased.
#[utoipa::path(delete, path = "/people/{name}", tag = "people", params(("name" = String, Path, description = "Before the @"), Ending), responses((status = 200, body = Deleted), Failures))]
async fn delete(caller: Caller, Path(name): Path<String>, Query(ending): Query<Ending>) -> Answer<Deleted> {
    let work = move |b: &crate::admin::Backend| {
        let erase = people::delete(b, &name)?;
        let begin = || b.jobs.begin("erase", move |progress| erase(progress).map(|()| Outcome::default()));
        Ok(Deleted { job: if ending.erase_messages { Some(begin()?) } else { None } })
    };
    caller.changes(Area::People, work).await.map(Json)
}

/// Gives a new password for once. Devices stay signed in.
#[utoipa::path(post, path = "/people/{name}/password", tag = "people", params(("name" = String, Path, description = "Before the @")), responses((status = 200, body = NewPassword), Failures))]
async fn reset_password(caller: Caller, Path(name): Path<String>) -> Answer<NewPassword> {
    caller.changes(Area::People, move |b| people::reset_password(b, &name)).await.map(Json)
}

/// Makes a link with which they sign in once and choose a password; the one before it is void.
#[utoipa::path(post, path = "/people/{name}/link", tag = "people", params(("name" = String, Path, description = "Before the @"), Lasting), responses((status = 201, body = NewLink), Failures))]
async fn sign_in_link(
    caller: Caller,
    Path(name): Path<String>,
    Query(lasting): Query<Lasting>,
) -> Result<(StatusCode, Json<NewLink>), Refusal> {
    let made = caller.changes(Area::People, move |b| people::sign_in_link(b, &name, lasting.days)).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Signs a device out.
#[utoipa::path(delete, path = "/people/{name}/devices/{device}", tag = "people", params(("name" = String, Path, description = "Before the @"), ("device" = u64, Path)), responses((status = 204), Failures))]
async fn sign_out(caller: Caller, Path((name, device)): Path<(String, u64)>) -> Result<StatusCode, Refusal> {
    caller.changes(Area::People, move |b| people::sign_out(b, &name, device)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes from whom a provider names the way in.
#[utoipa::path(delete, path = "/people/{name}/identities/{link}", tag = "people", params(("name" = String, Path, description = "Before the @"), ("link" = u64, Path)), responses((status = 204), Failures))]
async fn unlink(caller: Caller, Path((name, link)): Path<(String, u64)>) -> Result<StatusCode, Refusal> {
    caller.changes(Area::People, move |b| people::unlink(b, &name, link)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a passkey.
#[utoipa::path(delete, path = "/people/{name}/passkeys/{passkey}", tag = "people", params(("name" = String, Path, description = "Before the @"), ("passkey" = u64, Path)), responses((status = 204), Failures))]
async fn remove_passkey(caller: Caller, Path((name, passkey)): Path<(String, u64)>) -> Result<StatusCode, Refusal> {
    caller.changes(Area::People, move |b| people::remove_passkey(b, &name, passkey)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invitations that can still be used, the newest first.
#[utoipa::path(get, path = "/invitations", tag = "people", params(Listed), responses((status = 200, body = Page<Invitation>), Failures))]
async fn invitations(caller: Caller, Query(listed): Query<Listed>) -> Answer<Page<Invitation>> {
    let listed = listed.checked()?;
    caller.reads(Area::People, move |b| Ok(people::invitations(b, listed.cursor, listed.limit))).await.map(Json)
}

/// Makes a link for new people.
#[utoipa::path(post, path = "/invitations", tag = "people", request_body = WantedInvitation, responses((status = 201, body = NewInvitation), Failures))]
async fn invite(caller: Caller, Body(wanted): Body<WantedInvitation>) -> Result<(StatusCode, Json<NewInvitation>), Refusal> {
    let WantedInvitation { uses, hours, administrator, groups } = wanted;
    let made = caller.changes(Area::People, move |b| people::invite(b, uses, hours, administrator, &groups)).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Makes an invitation void.
#[utoipa::path(delete, path = "/invitations/{invitation}", tag = "people", params(("invitation" = u64, Path)), responses((status = 204), Failures))]
async fn revoke_invitation(caller: Caller, Path(invitation): Path<u64>) -> Result<StatusCode, Refusal> {
    caller.changes(Area::People, move |b| people::revoke_invitation(b, invitation)).await?;
    Ok(StatusCode::NO_CONTENT)
}
