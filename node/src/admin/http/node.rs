//! The node itself: health, storage, backups, keys, jobs, tokens, the record of acts.

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Serialize};
use startalk_domain::administration::{self, Area, By, Scopes};
use startalk_protocol::{Code, Error};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Body, Caller, Failures, Listed, Path, Query, Refusal, page_limit};
use crate::{
    admin::{
        self, Backend, Page,
        audit::{self, Act, Only},
        backup::{self, Made},
        doctor,
        jobs::{self, Job, Outcome},
        loss::{self, Loss},
        policies::{self, Overview},
        restore::{self, Restores},
        storage::{self, Storage},
        tokens::{self, NewToken, Token},
    },
    clock,
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(overview))
        .routes(routes!(measure))
        .routes(routes!(compact))
        .routes(routes!(backups, back_up))
        .routes(routes!(loss_of))
        .routes(routes!(check_backup))
        .routes(routes!(bring_back))
        .routes(routes!(replaced))
        .routes(routes!(delete_replaced))
        .routes(routes!(check))
        .routes(routes!(jobs))
        .routes(routes!(job))
        .routes(routes!(rotate))
        .routes(routes!(acts))
        .routes(routes!(list_tokens, make_token))
        .routes(routes!(revoke_token))
}

type Answer<T> = Result<Json<T>, Refusal>;

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    /// account or token.
    by: String,
    /// name@domain of the account, or the token's name.
    name: Option<String>,
    /// Whether they may change anything.
    changes: bool,
    /// Of a token.
    scopes: Vec<String>,
}

/// What a token is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedToken {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Of read, people, domains, policies, all.
    #[schema(min_items = 1, max_items = 5)]
    scopes: Vec<String>,
    #[schema(minimum = 1, maximum = 366)]
    days: u32,
}

/// Who really means it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Sure {
    /// The domain's name.
    domain: String,
}

/// Which acts, and which part of their list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListedActs {
    /// Where to go on: `next` of the page before.
    #[serde(default)]
    cursor: u64,
    /// Entries at most.
    #[serde(default = "page_limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: usize,
    /// Only this act, such as account-disabled.
    #[serde(default)]
    act: Option<String>,
    /// Only by: operator, token, or the name of an account.
    #[serde(default)]
    by: Option<String>,
    /// Only to: the name of an account, or a domain.
    #[serde(default)]
    whom: Option<String>,
    /// Not before, milliseconds since 1970.
    #[serde(default)]
    from_ms: Option<u64>,
    /// Not after, milliseconds since 1970.
    #[serde(default)]
    to_ms: Option<u64>,
}

/// Who asks, and what they may.
#[utoipa::path(get, path = "/me", tag = "node", responses((status = 200, body = Me), Failures))]
async fn me(caller: Caller) -> Answer<Me> {
    let by = caller.by;
    let work = move |b: &Backend| {
        let store = &*b.views.store;
        let may = |area| administration::may(store, by, area, true, clock::now_ms()).is_ok();
        let changes = [Area::People, Area::Domains, Area::Policies, Area::Node].into_iter().any(may);
        let token = |number: &u64| administration::valid(store, *number, clock::now_ms());
        let (by, name, scopes) = match &by {
            By::Token(number) => {
                let token = token(number);
                let scopes = token.as_ref().map(|t| Scopes::of_bits(t.scopes).names()).unwrap_or_default();
                ("token", token.map(|t| t.name.clone()), scopes)
            }
            By::Account(actor) => ("account", admin::user(b, actor.account), Vec::new()),
            By::Operator => ("operator", None, Vec::new()),
        };
        Ok(Me { by: by.into(), name, changes, scopes: scopes.into_iter().map(str::to_owned).collect() })
    };
    caller.knows_itself(work).await.map(Json)
}

/// The domain at a glance.
#[utoipa::path(get, path = "/overview", tag = "node", responses((status = 200, body = Overview), Failures))]
async fn overview(caller: Caller) -> Answer<Overview> {
    caller.reads(Area::Node, |b| Ok(policies::overview(b))).await.map(Json)
}

/// What the domain takes on its disk.
#[utoipa::path(get, path = "/storage", tag = "node", responses((status = 200, body = Storage), Failures))]
async fn measure(caller: Caller) -> Answer<Storage> {
    caller.reads(Area::Node, |b| Ok(storage::measure(b))).await.map(Json)
}

/// Gives back the space of what was erased: a job.
#[utoipa::path(post, path = "/storage/compact", tag = "node", responses((status = 202, body = Job), Failures))]
async fn compact(caller: Caller) -> Result<(StatusCode, Json<Job>), Refusal> {
    let work = |b: &Backend| {
        let backend = b.clone();
        b.jobs.begin("compact", move |progress| {
            let bytes_won = admin::compact(&backend, progress)?["bytes_won"].as_u64();
            Ok(Outcome { bytes_won, ..Outcome::default() })
        })
    };
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::Node, work).await?)))
}

/// The last backups, the newest first.
#[utoipa::path(get, path = "/backups", tag = "node", responses((status = 200, body = Vec<Made>), Failures))]
async fn backups(caller: Caller) -> Answer<Vec<Made>> {
    caller.reads(Area::Node, |b| Ok(backup::list(b))).await.map(Json)
}

/// Makes a backup in the node's folder for them, and reads it again: a job.
#[utoipa::path(post, path = "/backups", tag = "node", responses((status = 202, body = Job), Failures))]
async fn back_up(caller: Caller) -> Result<(StatusCode, Json<Job>), Refusal> {
    let work = |b: &Backend| {
        let backend = b.clone();
        b.jobs.begin("backup", move |progress| {
            let to = backend.backups.join(format!("{}-{}", backend.domain, clock::now_ms()));
            backup::backup(&backend, &to, progress).map_err(|e| admin::failed(&e))?;
            Ok(Outcome::default())
        })
    };
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::Node, work).await?)))
}

/// What is lost, and what comes again, if this backup is brought back. A domain that was replaced is named like a backup.
#[utoipa::path(get, path = "/backups/{backup}/loss", tag = "node", params(("backup" = String, Path)), responses((status = 200, body = Loss), Failures))]
async fn loss_of(caller: Caller, Path(backup): Path<String>) -> Answer<Loss> {
    caller.reads(Area::Node, move |b| loss::of(b, &restore::named(b, &backup)?)).await.map(Json)
}

/// Reads a backup as bringing it back would, and changes nothing: a job, which fails if the backup is damaged.
#[utoipa::path(post, path = "/backups/{backup}/check", tag = "node", params(("backup" = String, Path)), responses((status = 202, body = Job), Failures))]
async fn check_backup(caller: Caller, Path(backup): Path<String>) -> Result<(StatusCode, Json<Job>), Refusal> {
    let work = move |b: &Backend| {
        let (backend, source) = (b.clone(), restore::named(b, &backup)?);
        b.jobs.begin("backup-check", move |progress| {
            let records = backup::check(&backend, &source, progress).map_err(|e| admin::failed(&e))?;
            Ok(Outcome { records: Some(records), ..Outcome::default() })
        })
    };
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::Node, work).await?)))
}

/// Brings a backup back: a job that prepares it; then the node starts again with it by itself, and `/replaced` has the domain
/// as it was, or why nothing was done.
#[utoipa::path(post, path = "/backups/{backup}/restore", tag = "node", params(("backup" = String, Path)), request_body = Sure, responses((status = 202, body = Job), Failures))]
async fn bring_back(
    caller: Caller,
    Path(backup): Path<String>,
    Body(sure): Body<Sure>,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let work = move |b: &Backend| {
        let (backend, source) = (b.clone(), restore::named(b, &backup)?);
        if sure.domain != backend.domain.as_str() {
            return Err(Error::new(Code::BadValue).with("field", "domain").with("expected", &backend.domain));
        }
        b.jobs.begin(jobs::RESTORE, move |progress| {
            restore::restore(&backend, &source, &sure.domain, progress).map(|_| Outcome::default())
        })
    };
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::Node, work).await?)))
}

/// Domains that were replaced by a backup, and why the last restore was given up, if it was.
#[utoipa::path(get, path = "/replaced", tag = "node", responses((status = 200, body = Restores), Failures))]
async fn replaced(caller: Caller) -> Answer<Restores> {
    caller.reads(Area::Node, |b| Ok(restore::list(b))).await.map(Json)
}

/// Deletes a domain that was replaced.
#[utoipa::path(delete, path = "/replaced/{name}", tag = "node", params(("name" = String, Path)), responses((status = 204), Failures))]
async fn delete_replaced(caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    caller.changes(Area::Node, move |b| restore::delete(b, &name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks at everything, as `startalk doctor` does: a job, whose findings say what to do.
#[utoipa::path(post, path = "/checks", tag = "node", responses((status = 202, body = Job), Failures))]
async fn check(caller: Caller) -> Result<(StatusCode, Json<Job>), Refusal> {
    let work = |b: &Backend| {
        let backend = b.clone();
        b.jobs.begin("check", move |progress| Ok(Outcome { findings: doctor::examine(&backend, progress), ..Outcome::default() }))
    };
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::Node, work).await?)))
}

/// Jobs of this process, the newest first.
#[utoipa::path(get, path = "/jobs", tag = "node", responses((status = 200, body = Vec<Job>), Failures))]
async fn jobs(caller: Caller) -> Answer<Vec<Job>> {
    caller.reads(Area::Node, |b| Ok(b.jobs.all())).await.map(Json)
}

/// One of them.
#[utoipa::path(get, path = "/jobs/{job}", tag = "node", params(("job" = u64, Path)), responses((status = 200, body = Job), Failures))]
async fn job(caller: Caller, Path(job): Path<u64>) -> Answer<Job> {
    caller.reads(Area::Node, move |b| b.jobs.one(job)).await.map(Json)
}

/// Replaces the link key.
#[utoipa::path(post, path = "/keys/rotate", tag = "node", responses((status = 204), Failures))]
async fn rotate(caller: Caller) -> Result<StatusCode, Refusal> {
    caller.changes(Area::Node, admin::rotate).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The record of administrative acts, the newest first.
#[utoipa::path(get, path = "/audit", tag = "node", params(ListedActs), responses((status = 200, body = Page<Act>), Failures))]
async fn acts(caller: Caller, Query(wanted): Query<ListedActs>) -> Answer<Page<Act>> {
    let ListedActs { cursor, limit, act, by, whom, from_ms, to_ms } = wanted;
    let listed = Listed { cursor, limit, search: String::new() }.checked()?;
    let only = Only { act, by, whom, from_ms, to_ms };
    caller.reads(Area::Node, move |b| audit::page(b, listed.cursor, listed.limit, &only)).await.map(Json)
}

/// Tokens that were not revoked.
#[utoipa::path(get, path = "/tokens", tag = "node", responses((status = 200, body = Vec<Token>), Failures))]
async fn list_tokens(caller: Caller) -> Answer<Vec<Token>> {
    caller.reads(Area::Node, |b| Ok(tokens::list(b))).await.map(Json)
}

/// Makes a token; its secret is shown this once.
#[utoipa::path(post, path = "/tokens", tag = "node", request_body = WantedToken, responses((status = 201, body = NewToken), Failures))]
async fn make_token(caller: Caller, Body(wanted): Body<WantedToken>) -> Result<(StatusCode, Json<NewToken>), Refusal> {
    let WantedToken { name, scopes, days } = wanted;
    let made = caller.changes(Area::Node, move |b| tokens::make(b, name, &scopes, days)).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "node", params(("token" = u64, Path)), responses((status = 204), Failures))]
async fn revoke_token(caller: Caller, Path(token): Path<u64>) -> Result<StatusCode, Refusal> {
    caller.changes(Area::Node, move |b| tokens::revoke(b, token)).await?;
    Ok(StatusCode::NO_CONTENT)
}
