//! What a handler is given: the caller, who reaches the domain only with the right to it, and what was asked, read with
//! errors in our own form.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use startalk_domain::administration::{self, Area, By};
use startalk_protocol::{Code, Error};

use super::{Api, Refusal};
use crate::{admin::Backend, clock};

/// Who asks, and the way to the domain for them.
pub(crate) struct Caller {
    api: Api,
    pub by: By,
}

impl Caller {
    /// Reads something of an area.
    pub async fn reads<T: Send + 'static>(
        self,
        area: Area,
        work: impl FnOnce(&Backend) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.works(area, false, work).await
    }

    /// Looks at what the caller is, which needs no right.
    pub async fn knows_itself<T: Send + 'static>(
        self,
        work: impl FnOnce(&Backend) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let backend = self.api.backend.by(self.by);
        let done = tokio::task::spawn_blocking(move || work(&backend)).await;
        Ok(done.map_err(|_| Error::from(Code::Internal))??)
    }

    /// Changes something. Commands ask again, for they know more of what is done.
    pub async fn changes<T: Send + 'static>(
        self,
        area: Area,
        work: impl FnOnce(&Backend) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.works(area, true, work).await
    }

    async fn works<T: Send + 'static>(
        self,
        area: Area,
        changes: bool,
        work: impl FnOnce(&Backend) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let backend = self.api.backend.by(self.by);
        administration::may(&*backend.views.store, self.by, area, changes, clock::now_ms())?;
        let _permit = self.api.working.acquire().await.map_err(|_| Error::from(Code::Stopping))?;
        let done = tokio::task::spawn_blocking(move || work(&backend)).await;
        Ok(done.map_err(|_| Error::from(Code::Internal))??)
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let by = parts.extensions.get::<By>().copied().ok_or(Error::from(Code::NotSignedIn))?;
        Ok(Self { api: api.clone(), by })
    }
}

fn malformed(why: impl std::fmt::Display) -> Refusal {
    Refusal(Error::new(Code::Malformed).with("expected", why))
}

/// What the address says.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        axum::extract::Path::from_request_parts(parts, api).await.map(|p| Self(p.0)).map_err(|e| malformed(e.body_text()))
    }
}

/// What stands behind the question mark.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Query<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        axum::extract::Query::from_request_parts(parts, api).await.map(|q| Self(q.0)).map_err(|e| malformed(e.body_text()))
    }
}

/// The body, as bytes.
pub(crate) struct File(pub axum::body::Bytes);

impl FromRequest<Api> for File {
    type Rejection = Refusal;
    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        match axum::body::Bytes::from_request(request, api).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let error = Error::new(Code::TooLarge).with("what", "the file").with("got", "…");
                Err(Refusal(error.with("max", startalk_protocol::limits::INTAKE_BYTES_MAX)))
            }
            Err(e) => Err(malformed(e.body_text())),
        }
    }
}

/// The body, as JSON.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequest<Api> for Body<T> {
    type Rejection = Refusal;
    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        match axum::Json::from_request(request, api).await {
            Ok(json) => Ok(Self(json.0)),
            Err(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refusal(Error::new(Code::TooLarge).with("what", "the body")))
            }
            Err(e) => Err(malformed(JsonRejection::body_text(&e))),
        }
    }
}
