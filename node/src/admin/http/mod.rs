//! The same verbs over HTTP: `/api/admin/v1`, JSON, bearer tokens. docs/admin-api.md
//!
//! Owns who is let in, what is read of a request, and the description of it all, which is made from the types. No rule is
//! here: a handler calls what the control socket calls. Invariants: without a right nobody learns whether an address
//! exists; nothing is read or changed but through [`Caller`], which asks for the right to it.

mod caller;
mod domains;
mod groups;
mod imports;
mod node;
mod people;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use startalk_domain::{
    accounts::{self, Role},
    administration::{self, By},
};
use startalk_gateway::{Asker, secrets};
use startalk_net::{Buckets, Rate, network};
use startalk_protocol::{Code, Error, limits};
use tokio::sync::Semaphore;
use utoipa::{
    IntoParams, Modify, OpenApi, ToSchema,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

use super::{Backend, tokens};
use crate::clock;
pub(crate) use caller::{Body, Caller, File, Path, Query};

/// Where the API is.
pub const BASE: &str = "/api/admin/v1";
/// Tries without a right from one address, and then one each few seconds.
const FAILURES: Rate = Rate::new(30, 6);
/// Requests of one caller at once, and then twenty a second.
const REQUESTS: Rate = Rate { burst: 600, refill: Duration::from_millis(50) };
/// Requests that are worked on at once: each may wait for the write loop or hash a password.
const WORKING_MAX: usize = 4;

/// An error: a code of federation-spec chapter 6 with parameters. Words are made where they are shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub code: String,
    pub params: std::collections::BTreeMap<String, String>,
}

impl From<Error> for ErrorBody {
    fn from(error: Error) -> Self {
        Self { code: error.code.as_str().to_owned(), params: error.params }
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// Where to go on: `next` of the page before.
    #[serde(default)]
    cursor: u64,
    /// Entries at most.
    #[serde(default = "page_limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: usize,
    /// Only what has this in its name.
    #[serde(default)]
    #[param(max_length = 128)]
    search: String,
}

fn page_limit() -> usize {
    50
}

impl Listed {
    fn checked(self) -> Result<Self, Error> {
        let bad = |field: &str, expected: String| Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
        if !(1..=limits::ADMIN_PAGE_MAX).contains(&self.limit) {
            return bad("limit", format!("1 to {}", limits::ADMIN_PAGE_MAX));
        }
        if self.search.chars().count() > 128 {
            return bad("search", "at most 128 characters".into());
        }
        Ok(self)
    }
}

/// What can go wrong with any request.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the description of the API alone")]
pub(crate) enum Failures {
    /// The request cannot be read, or a value is not acceptable.
    #[response(status = 400)]
    Bad(#[to_schema] ErrorBody),
    /// No token, or none that is good now.
    #[response(status = 401)]
    Nobody(#[to_schema] ErrorBody),
    /// The role or the scopes do not allow it.
    #[response(status = 403)]
    Forbidden(#[to_schema] ErrorBody),
    /// There is no such thing.
    #[response(status = 404)]
    Missing(#[to_schema] ErrorBody),
    /// Not as things are now.
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorBody),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorBody),
    /// Too many requests: `seconds` says how long to wait.
    #[response(status = 429)]
    SlowDown(#[to_schema] ErrorBody),
    /// The disk is full, or the node is stopping.
    #[response(status = 503)]
    NotNow(#[to_schema] ErrorBody),
}

/// An error as an answer.
pub(crate) struct Refusal(pub Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            Code::NotSignedIn | Code::TokenRevoked => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NoSuchUser | Code::NoSuchDevice | Code::NoSuchThing => StatusCode::NOT_FOUND,
            Code::NameTaken
            | Code::OwnerStays
            | Code::GroupOver
            | Code::AlreadyMember
            | Code::LastAdministrator
            | Code::Busy
            | Code::Conflict
            | Code::PlanChanged
            | Code::TooManyAbsent => StatusCode::CONFLICT,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::SlowDown => StatusCode::TOO_MANY_REQUESTS,
            Code::DiskFull | Code::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut answer = (status, axum::Json(ErrorBody::from(self.0))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Api {
    backend: Backend,
    failures: Arc<Buckets<IpAddr>>,
    requests: Arc<Buckets<String>>,
    working: Arc<Semaphore>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Startalk administration",
        description = "Administration of one Startalk domain. Errors are codes with parameters; lists are paged by a cursor."
    ),
    servers((url = "/api/admin/v1")),
    security(("bearer" = [])),
    modifiers(&Bearer)
)]
struct Described;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token for administration (sta_…), or of a signed-in device of an administrator (std_…)"));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Described::openapi())
        .merge(people::routes())
        .merge(imports::routes())
        .merge(domains::routes())
        .merge(groups::routes())
        .merge(node::routes())
}

/// The description of the API, made from the types: JSON with a line end.
pub fn description() -> String {
    let (_, described) = routes().split_for_parts();
    let text = serde_json::to_string_pretty(&described).expect("maps with text as keys");
    format!("{text}\n")
}

/// What the gateway serves below [`BASE`].
pub fn router(backend: Backend) -> Router {
    let api = Api {
        backend,
        failures: Arc::new(Buckets::new(FAILURES)),
        requests: Arc::new(Buckets::new(REQUESTS)),
        working: Arc::new(Semaphore::new(WORKING_MAX)),
    };
    let (router, _) = routes().split_for_parts();
    let missing = || async { Refusal(Code::NoSuchThing.into()) };
    let guarded = router
        .fallback(missing)
        .method_not_allowed_fallback(|| async {
            let refusal = Refusal(Error::new(Code::NotAllowedHere).with("what", "this method"));
            (StatusCode::METHOD_NOT_ALLOWED, axum::Json(ErrorBody::from(refusal.0)))
        })
        .layer(middleware::from_fn_with_state(api.clone(), let_in))
        .with_state(api);
    // Made when somebody asks for it: it takes megabytes.
    let described = || async {
        static TEXT: OnceLock<String> = OnceLock::new();
        ([(header::CONTENT_TYPE, "application/json")], TEXT.get_or_init(description).as_str())
    };
    Router::new().route("/openapi.json", get(described)).merge(guarded)
}

/// Who asks, by the token alone; everybody else hears the same, whatever they asked for.
async fn let_in(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let now_ms = clock::now_ms();
    let from = request.extensions().get::<Asker>().map_or(IpAddr::from([127, 0, 0, 1]), |a| a.0);
    let by = bearer(&request).and_then(|token| known(&api.backend, token, now_ms));
    let Some(by) = by else {
        return match api.failures.take(network(from), now_ms) {
            Ok(()) => Refusal(Code::NotSignedIn.into()).into_response(),
            Err(error) => Refusal(error).into_response(),
        };
    };
    let caller = match by {
        By::Account(actor) => format!("account {}", actor.account),
        By::Token(token) => format!("token {token}"),
        By::Operator => "operator".to_owned(),
    };
    if let Err(error) = api.requests.take(caller, now_ms) {
        return Refusal(error).into_response();
    }
    if let By::Account(actor) = by
        && accounts::account(&*api.backend.views.store, actor.account).is_none_or(|a| a.role == Role::Member)
    {
        return Refusal(Code::Forbidden.into()).into_response();
    }
    request.extensions_mut().insert(by);
    next.run(request).await
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Whose token it is, if anybody's. What is looked up is a hash: nothing is learnt from how long that takes.
fn known(backend: &Backend, token: &str, now_ms: u64) -> Option<By> {
    let store = &*backend.views.store;
    let hash = |digits: &str| {
        let secret = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok().filter(|s| s.len() == secrets::TOKEN_BYTES)?;
        Some(secrets::token_hash(&secret))
    };
    if let Some(digits) = token.strip_prefix(tokens::TOKEN_PREFIX) {
        return administration::by_token_hash(store, &hash(digits)?, now_ms).map(By::Token);
    }
    let digits = token.strip_prefix(tokens::DEVICE_PREFIX)?;
    accounts::by_token_hash(store, &hash(digits)?).map(By::Account)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod in_docs {
    /// `STARTALK_WRITE_VECTORS=1` writes it anew.
    #[test]
    fn the_description_in_docs_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/admin-api.json");
        let now = super::description();
        if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == now, "docs/admin-api.json is not what the types say");
    }
}
