//! The guarded client in the form in which `openidconnect` asks.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use startalk_outbound::{HttpError, Method, OutboundClient, OutboundError};

/// Bytes of an answer: the largest are key sets, of some ten thousand.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Asks by a provider's client.
pub(super) struct Http<'a>(pub &'a OutboundClient);

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let url = head.uri.to_string();
            let fetched = match head.method {
                Method::GET => self.0.get(&url, head.headers, ANSWER_BYTES_MAX).await?,
                Method::POST => self.0.post(&url, head.headers, body.into(), ANSWER_BYTES_MAX).await?,
                _ => return Err(OutboundError::Http(HttpError::BadUrl)),
            };
            let mut answer = HttpResponse::new(fetched.body.to_vec());
            *answer.status_mut() = fetched.status;
            *answer.headers_mut() = fetched.headers;
            Ok(answer)
        })
    }
}
