//! People from a file or a directory, over HTTP: looked at, carried out, and the links of who is new.

use axum::{Json, extract::DefaultBodyLimit, http::StatusCode};
use serde::{Deserialize, Serialize};
use startalk_domain::administration::Area;
use startalk_intake::{Mode, template};
use startalk_protocol::{Code, Error, error::Language, limits};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Caller, Failures, File, Path, Query, Refusal};
use crate::admin::{
    directories::{DirectoryShown, Origin},
    intake::{self, Imported, LINK_DAYS, Links, PlanShown},
    jobs::Job,
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(look))
        .routes(routes!(apply))
        .layer(DefaultBodyLimit::max(limits::INTAKE_BYTES_MAX))
        .routes(routes!(directories))
        .routes(routes!(links_anew))
        .routes(routes!(one))
        .routes(routes!(links))
        .routes(routes!(blank))
}

type Answer<T> = Result<Json<T>, Refusal>;

/// What is looked at, and how it is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Meant {
    /// The id of a directory, instead of a file.
    #[serde(default)]
    #[param(max_length = 32)]
    directory: Option<String>,
    /// It names everybody who comes from files, or from that directory: who is missing is disabled.
    #[serde(default)]
    everyone: bool,
    /// So many are meant to be disabled, although they are more than a fifth.
    #[serde(default)]
    #[param(maximum = 10_000_000)]
    disable: Option<usize>,
}

/// What was looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Agreed {
    /// The id of a directory, instead of a file.
    #[serde(default)]
    #[param(max_length = 32)]
    directory: Option<String>,
    /// It names everybody who comes from files, or from that directory: who is missing is disabled.
    #[serde(default)]
    everyone: bool,
    /// So many are meant to be disabled, although they are more than a fifth.
    #[serde(default)]
    #[param(maximum = 10_000_000)]
    disable: Option<usize>,
    /// Of the plan.
    #[param(max_length = 64)]
    digest: String,
    /// For how many days the links of new people are good.
    #[serde(default = "link_days")]
    #[param(minimum = 1, maximum = 366)]
    link_days: u32,
}

/// For how long.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Lasting {
    /// For how many days the links are good.
    #[serde(default = "link_days")]
    #[param(minimum = 1, maximum = 366)]
    link_days: u32,
}

/// For whom.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Spoken {
    /// zh or en (the default).
    #[serde(default)]
    #[param(max_length = 16)]
    language: String,
}

/// Directories of the settings.
#[derive(Debug, Serialize, ToSchema)]
struct Directories {
    items: Vec<DirectoryShown>,
}

/// A file to fill in.
#[derive(Debug, Serialize, ToSchema)]
struct Blank {
    csv: String,
}

fn link_days() -> u32 {
    LINK_DAYS
}

/// Shows what a CSV or XLSX file of people, or a directory, would change, and what is wrong with rows or entries. Changes nothing.
#[utoipa::path(post, path = "/imports/plan", tag = "imports", params(Meant), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = PlanShown), Failures))]
async fn look(caller: Caller, Query(meant): Query<Meant>, File(bytes): File) -> Answer<PlanShown> {
    let mode = Mode { everyone: meant.everyone, disable: meant.disable };
    let origin = origin(meant.directory, bytes)?;
    caller.reads(Area::People, move |b| intake::look(b, &origin, mode)).await.map(Json)
}

/// Carries out what was shown for the same file or directory: a job. Refused if something else would be done by now.
#[utoipa::path(post, path = "/imports", tag = "imports", params(Agreed), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 202, body = Job), Failures))]
async fn apply(caller: Caller, Query(agreed): Query<Agreed>, File(bytes): File) -> Result<(StatusCode, Json<Job>), Refusal> {
    let Agreed { directory, everyone, disable, digest, link_days } = agreed;
    let origin = origin(directory, bytes)?;
    let work = move |b: &crate::admin::Backend| intake::begin(b, &origin, Mode { everyone, disable }, &digest, link_days);
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::People, work).await?)))
}

/// The directories that people can be imported from.
#[utoipa::path(get, path = "/imports/directories", tag = "imports", responses((status = 200, body = Directories), Failures))]
async fn directories(caller: Caller) -> Answer<Directories> {
    caller.reads(Area::People, |b| Ok(Directories { items: b.directories.shown() })).await.map(Json)
}

/// A directory comes without a file.
fn origin(directory: Option<String>, bytes: axum::body::Bytes) -> Result<Origin, Error> {
    match directory {
        None => Ok(Origin::File(bytes.into())),
        Some(id) if bytes.is_empty() => Ok(Origin::Directory(id)),
        Some(_) => Err(Error::new(Code::BadValue).with("field", "directory").with("expected", "an empty body with it")),
    }
}

/// Makes new links for everybody who came from a file and has never signed in: a job. Their links before are void.
#[utoipa::path(post, path = "/imports/links", tag = "imports", params(Lasting), responses((status = 202, body = Job), Failures))]
async fn links_anew(caller: Caller, Query(lasting): Query<Lasting>) -> Result<(StatusCode, Json<Job>), Refusal> {
    let work = move |b: &crate::admin::Backend| intake::begin_links(b, lasting.link_days);
    Ok((StatusCode::ACCEPTED, Json(caller.changes(Area::People, work).await?)))
}

/// How far a job is, and what it has come to.
#[utoipa::path(get, path = "/imports/{job}", tag = "imports", params(("job" = u64, Path)), responses((status = 200, body = Imported), Failures))]
async fn one(caller: Caller, Path(job): Path<u64>) -> Answer<Imported> {
    caller.reads(Area::People, move |b| intake::outcome_of(b, job)).await.map(Json)
}

/// The links that a job made, for an hour. Whoever has one can sign in as that person: only who may change people sees them.
#[utoipa::path(get, path = "/imports/{job}/links", tag = "imports", params(("job" = u64, Path), Spoken), responses((status = 200, body = Links), Failures))]
async fn links(caller: Caller, Path(job): Path<u64>, Query(spoken): Query<Spoken>) -> Answer<Links> {
    let language = Language::of(&spoken.language);
    caller.changes(Area::People, move |b| intake::links_of(b, job, language)).await.map(Json)
}

/// A file to fill in.
#[utoipa::path(get, path = "/imports/template", tag = "imports", params(Spoken), responses((status = 200, body = Blank), Failures))]
async fn blank(caller: Caller, Query(spoken): Query<Spoken>) -> Answer<Blank> {
    let csv = template(Language::of(&spoken.language));
    caller.reads(Area::People, move |_| Ok(Blank { csv })).await.map(Json)
}
