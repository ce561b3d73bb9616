//! Tokens with which programs administer: how they look, and how they are made, listed and revoked.

use serde::Serialize;
use startalk_domain::{
    Answer, Command,
    administration::{self, Scopes},
};
use startalk_protocol::{Code, Error};
use utoipa::ToSchema;

use super::Backend;
use crate::clock;

/// Before the 64 hexadecimal digits of a token for administration.
pub const TOKEN_PREFIX: &str = "sta_";
/// Before those of the token of a signed-in device.
pub const DEVICE_PREFIX: &str = "std_";

/// A token that was not revoked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Token {
    pub token: u64,
    pub name: String,
    /// Of read, people, domains, policies, all.
    pub scopes: Vec<String>,
    /// Whose rights it has; null: the operator's, or of somebody who is gone.
    pub maker: Option<String>,
    /// Milliseconds since 1970.
    pub made_ms: u64,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
    /// Whether it opens anything now.
    pub valid: bool,
}

/// A new token with its secret, which is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewToken {
    pub token: u64,
    pub secret: String,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
}

pub(super) fn make(backend: &Backend, name: String, scopes: &[String], days: u32) -> Result<NewToken, Error> {
    let scopes = scopes.iter().try_fold(Scopes::default(), |all, s| Ok::<_, Error>(all.and(s.parse()?)))?;
    let secret: [u8; 32] = clock::random();
    let token_hash = startalk_gateway::secrets::token_hash(&secret);
    let valid_ms = i64::from(days) * 86_400_000;
    match backend.command(Command::MakeToken { maker: 0, name, token_hash, scopes, valid_ms })? {
        Answer::Token { token, not_after_ms } => {
            let secret = format!("{TOKEN_PREFIX}{}", data_encoding::HEXLOWER.encode(&secret));
            Ok(NewToken { token, secret, not_after_ms })
        }
        _ => Err(Code::Internal.into()),
    }
}

pub(super) fn list(backend: &Backend) -> Vec<Token> {
    let store = &*backend.views.store;
    let shown = |t: &administration::Token| Token {
        token: t.token,
        name: t.name.clone(),
        scopes: Scopes::of_bits(t.scopes).names().into_iter().map(str::to_owned).collect(),
        maker: super::user(backend, t.maker),
        made_ms: t.made_ms,
        not_after_ms: t.not_after_ms,
        valid: administration::valid(store, t.token, clock::now_ms()).is_some(),
    };
    administration::tokens(store).iter().map(|t| shown(t)).collect()
}

pub(super) fn revoke(backend: &Backend, token: u64) -> Result<(), Error> {
    backend.command(Command::RevokeToken { token }).map(drop)
}
