//! Who asks for a file: the token of a device, or, for what a browser loads by itself, a cookie that stands for one.
//!
//! A cookie is good for reading, on pages of this server, for half a day, and only as long as its device is signed in: that is
//! looked up at every request. It holds no token: who finds one cannot sign in with it.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use axum::{
    Extension,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use startalk_domain::{accounts, command::Actor};
use startalk_protocol::{Code, Error};

use super::answer;
use crate::{
    secrets::{self, TOKEN_BYTES},
    web::{Client, is_same_origin},
};

/// How long a cookie is good.
const LIFE_MS: u64 = 12 * 3600 * 1000;
/// Before the number of its device.
const NAME: &str = "__Host-startalk-files-";
/// What sealed bytes are for.
const SEALED_FOR: &[u8] = b"startalk files cookie v1";
const NONCE_BYTES: usize = 12;
const PLAIN_BYTES: usize = 24;

/// Seals what cookies hold.
pub struct Seal(Aes256Gcm);

impl Seal {
    /// From the node's secret, which seals cursors too; not with the same key.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = blake3::derive_key("startalk files cookie v1", secret);
        Self(Aes256Gcm::new(&key.into()))
    }

    fn close(&self, actor: Actor, until_ms: u64, nonce: [u8; NONCE_BYTES]) -> String {
        let plain: Vec<u8> = [actor.account, actor.device, until_ms].iter().flat_map(|n| n.to_be_bytes()).collect();
        let sealed = self.0.encrypt(&nonce.into(), Payload { msg: &plain, aad: SEALED_FOR }).expect("24 bytes can be sealed");
        BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat())
    }

    fn open(&self, text: &str, now_ms: u64) -> Option<Actor> {
        let token = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (nonce, sealed) = token.split_first_chunk::<NONCE_BYTES>()?;
        let plain = self.0.decrypt(&(*nonce).into(), Payload { msg: sealed, aad: SEALED_FOR }).ok()?;
        let plain: [u8; PLAIN_BYTES] = plain.try_into().ok()?;
        let number = |at: usize| plain[at..at + 8].try_into().map(u64::from_be_bytes).unwrap_or_default();
        (number(16) > now_ms).then(|| Actor { account: number(0), device: number(8) })
    }
}

/// The device whose token stands in the request.
///
/// # Errors
/// `not-signed-in`, `token-revoked`.
pub fn by_token(client: &Client, headers: &HeaderMap) -> Result<Actor, Error> {
    let said = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).ok_or(Code::NotSignedIn)?;
    let (scheme, token) = said.split_once(' ').ok_or(Code::NotSignedIn)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Code::NotSignedIn.into());
    }
    let token =
        BASE64URL_NOPAD.decode(token.trim().as_bytes()).ok().filter(|t| t.len() == TOKEN_BYTES).ok_or(Code::TokenRevoked)?;
    let store = &*client.gateway.config.views.store;
    accounts::by_token_hash(store, &secrets::token_hash(&token)).ok_or_else(|| Code::TokenRevoked.into())
}

/// The device that the address names, if the request shows its token or its cookie.
///
/// # Errors
/// `not-signed-in`, `token-revoked`.
pub fn of_device(client: &Client, headers: &HeaderMap, device: u64) -> Result<Actor, Error> {
    if headers.contains_key(header::AUTHORIZATION) {
        return by_token(client, headers)
            .and_then(|actor| if actor.device == device { Ok(actor) } else { Err(Code::NotSignedIn.into()) });
    }
    if !is_same_origin(headers) {
        return Err(Code::NotSignedIn.into());
    }
    let name = format!("{NAME}{device}");
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let sealed = cookies.filter_map(|c| c.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value);
    let gateway = &client.gateway;
    let actor = sealed.and_then(|s| gateway.files_seal.open(s, gateway.now_ms())).filter(|actor| actor.device == device);
    let actor = actor.ok_or(Code::NotSignedIn)?;
    if accounts::is_signed_in(&*gateway.config.views.store, actor) { Ok(actor) } else { Err(Code::TokenRevoked.into()) }
}

/// Gives the cookie to who shows the token.
pub async fn session(Extension(client): Extension<Client>, headers: HeaderMap) -> Response {
    let actor = match by_token(&client, &headers) {
        Ok(actor) => actor,
        Err(error) => return answer::error(&error),
    };
    let gateway = &client.gateway;
    let until_ms = gateway.now_ms() + LIFE_MS;
    let sealed = gateway.files_seal.close(actor, until_ms, gateway.random());
    let cookie =
        format!("{NAME}{}={sealed}; Max-Age={}; Path=/; Secure; HttpOnly; SameSite=Strict", actor.device, LIFE_MS / 1000);
    let mut answer = answer::json_of(StatusCode::OK, &json!({ "device": actor.device, "until_ms": until_ms }));
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_this_nodes_and_ends() {
        let (seal, other) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let actor = Actor { account: 3, device: 7 };
        let sealed = seal.close(actor, 1000, [9; NONCE_BYTES]);
        assert_eq!(seal.open(&sealed, 999), Some(actor));
        assert_eq!(seal.open(&sealed, 1000), None);
        assert_eq!(other.open(&sealed, 999), None);
        let mut changed = sealed.into_bytes();
        changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
        assert_eq!(seal.open(std::str::from_utf8(&changed).unwrap(), 999), None);
        assert_eq!(seal.open("", 0), None);
    }
}
