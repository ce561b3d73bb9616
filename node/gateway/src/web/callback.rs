//! Where a provider sends people back to: the code is exchanged, and the browser goes on with a ticket.
//!
//! Whatever came of it is told to the page that began, with the ticket, and never here: who opens an address somebody made
//! sees nothing of it, and changes nothing. The ticket is in the fragment, which no server is told.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::Client;
use crate::{
    away::{Back, Return},
    ways::TICKET_BYTES,
};

/// The path of it, which providers are told beforehand.
pub const PATH: &str = "/v1/oidc/callback";
/// Characters of an error that a provider says (RFC 6749 §4.1.2.1).
const ERROR_CHARS_MAX: usize = 64;

/// What a provider says (RFC 6749 §4.1.2, RFC 9207).
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Said {
    state: String,
    code: String,
    error: String,
    iss: Option<String>,
}

/// Somebody comes back.
pub(super) async fn come_back(client: Extension<Client>, said: Result<Query<Said>, QueryRejection>) -> Response {
    let gateway = &client.gateway;
    let Query(said) = said.unwrap_or_default();
    let Some(exchange) = gateway.away.comes(&said.state, gateway.now_ms()) else {
        return Redirect::to("/#enter=expired").into_response();
    };
    let named = if !said.error.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let word: String = said.error.chars().filter(|c| is_word(*c)).take(ERROR_CHARS_MAX).collect();
        Err(exchange.provider.refused(&word))
    } else if said.iss.is_some_and(|iss| iss != exchange.provider.issuer()) {
        Err(exchange.provider.refused("wrong_issuer"))
    } else {
        exchange.provider.finish(exchange.pending, said.code).await
    };
    let ticket = BASE64URL_NOPAD.encode(&gateway.random::<TICKET_BYTES>());
    let back = Back::of(exchange.challenge, exchange.account, named);
    if gateway.away.give(&ticket, back, gateway.now_ms()).is_err() {
        return Redirect::to("/#enter=expired").into_response();
    }
    match exchange.to {
        Return::Page if exchange.account.is_some() => Redirect::to(&format!("/settings/security#enter={ticket}")).into_response(),
        Return::Page => Redirect::to(&format!("/#enter={ticket}")).into_response(),
        Return::Program(mut url) => {
            url.set_query(Some(&format!("ticket={ticket}")));
            Redirect::to(url.as_str()).into_response()
        }
    }
}
