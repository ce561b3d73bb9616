//! `POST /files/preview`: what a page says of itself, for a card of a link.

use axum::{
    Extension,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use startalk_protocol::{Code, Error};

use super::{From, answer, asker::by_token, media};

#[derive(Deserialize)]
struct Asked {
    url: String,
}

/// `/files/preview`.
pub async fn preview(Extension(client): From, headers: HeaderMap, body: Bytes) -> Response {
    let card = async {
        let actor = by_token(&client, &headers)?;
        client.gateway.files.previews.take(actor.account, client.gateway.now_ms())?;
        let expected = |_| Error::new(Code::Malformed).with("expected", "JSON with url");
        let asked: Asked = serde_json::from_slice(&body).map_err(expected)?;
        media(&client)?.preview(actor.account, &asked.url).await
    };
    match card.await {
        Ok(card) => answer::json_of(StatusCode::OK, &card),
        Err(error) => answer::error(&error),
    }
}
