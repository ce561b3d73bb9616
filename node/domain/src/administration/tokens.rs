//! Tokens with which programs administer: made for a time and for some scopes, listed, revoked.
//!
//! A token has at most the rights of the account that made it: if that is no administrator any more, the token is good for
//! nothing. What is kept of it is its BLAKE3, in a body that is erased when it is revoked or found expired.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::{PREFIX, Scopes};
use crate::{
    accounts::{self, Role},
    command::Answer,
    context::Ctx,
    directory, erasure,
    event::{Event, Recorded},
    governance,
    store::{Key, New, Read, Tx},
};

/// A token that was not revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number.
    pub token: u64,
    /// Whose rights it has; 0: the operator's.
    pub maker: u64,
    /// Bits of [`Scopes`].
    pub scopes: u32,
    /// Until when, milliseconds since 1970.
    pub not_after_ms: i64,
    /// For the list.
    pub name: String,
    /// BLAKE3 of its secret.
    pub token_hash: Vec<u8>,
    /// Since when, milliseconds since 1970.
    pub made_ms: u64,
    /// Of its record.
    pub position: u64,
}

impl Token {
    fn is_over(&self, now_ms: u64) -> bool {
        self.not_after_ms <= i64::try_from(now_ms).unwrap_or(i64::MAX)
    }
}

fn token_key(token: u64) -> Key {
    Key::numbers(PREFIX, b't', &[token])
}

fn hash_key(hash: &[u8]) -> Key {
    Key::text(PREFIX, b'h', 0, hash)
}

fn list_key() -> Key {
    Key::numbers(PREFIX, b'l', &[])
}

/// All that were not revoked, the oldest first; also some that have expired.
pub fn tokens(read: &impl Read) -> Vec<Arc<Token>> {
    let numbers = read.get::<Vec<u64>>(&list_key()).unwrap_or_default();
    numbers.iter().filter_map(|n| read.get(&token_key(*n))).collect()
}

/// The number of the token with this BLAKE3, if there is one that is good now.
pub fn by_token_hash(read: &impl Read, hash: &[u8; 32], now_ms: u64) -> Option<u64> {
    let number = *read.get::<u64>(&hash_key(hash))?;
    valid(read, number, now_ms).map(|t| t.token)
}

/// The token, if it is good now.
pub fn valid(read: &impl Read, number: u64, now_ms: u64) -> Option<Arc<Token>> {
    let token = read.get::<Token>(&token_key(number)).filter(|t| !t.is_over(now_ms))?;
    let maker_may =
        token.maker == 0 || accounts::account(read, token.maker).is_some_and(|a| a.is_live() && a.role == Role::Administrator);
    maker_may.then_some(token)
}

pub(crate) fn make_token(
    tx: &mut Tx,
    ctx: &mut Ctx,
    maker: u64,
    name: String,
    token_hash: [u8; 32],
    scopes: Scopes,
    valid_ms: i64,
) -> Result<Answer, Error> {
    let bad = |field: &str, expected: String| Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
    let named =
        (1..=limits::ADMIN_TOKEN_NAME_CHARS_MAX).contains(&name.chars().count()) && name.chars().all(directory::is_harmless);
    if !named {
        return bad("name", format!("1 to {} characters of plain text", limits::ADMIN_TOKEN_NAME_CHARS_MAX));
    }
    if scopes.names().is_empty() {
        return bad("scopes", "one or more".into());
    }
    if !(1..=limits::ADMIN_TOKEN_VALID_MS_MAX).contains(&valid_ms) {
        return bad("valid", "more than no time, and at most a year".into());
    }
    let (over, good): (Vec<_>, Vec<_>) = tokens(tx).into_iter().partition(|t| t.is_over(ctx.now_ms));
    if good.len() >= limits::ADMIN_TOKENS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "tokens").with("max", limits::ADMIN_TOKENS_MAX));
    }
    let token = governance::numbers(tx).token + 1;
    let not_after_ms = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX).saturating_add(valid_ms);
    let facts = pb::TokenMade { token, maker, scopes: scopes.bits(), not_after_ms };
    let body = ctx.salted(pb::TokenMadeBody { name, token_hash: token_hash.to_vec().into() });
    tx.emit(New { conversation: 0, event: Event::TokenMade(facts, Some(body)) });
    erasure::erase(tx, over.iter().map(|t| t.position).collect(), "expired");
    Ok(Answer::Token { token, not_after_ms })
}

pub(crate) fn revoke_token(tx: &mut Tx, number: u64) -> Result<Answer, Error> {
    let token = tx.get::<Token>(&token_key(number)).ok_or(Code::NoSuchThing)?;
    tx.emit(New { conversation: 0, event: Event::TokenRevoked(pb::TokenRevoked { token: number }, None) });
    erasure::erase(tx, vec![token.position], "revoked");
    Ok(Answer::Done)
}

pub(super) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::TokenMade(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let token_hash = body.token_hash.to_vec();
            // Those that are over are erased by the record after this one.
            for over in tokens(tx).iter().filter(|t| t.is_over(record.time_ms)) {
                remove(tx, over.token);
            }
            if !token_hash.is_empty() {
                tx.put(hash_key(&token_hash), f.token);
            }
            let (made_ms, position) = (record.time_ms, record.position);
            let token = Token {
                token: f.token,
                maker: f.maker,
                scopes: f.scopes,
                not_after_ms: f.not_after_ms,
                name: body.name,
                token_hash,
                made_ms,
                position,
            };
            tx.put(token_key(f.token), token);
            tx.change(list_key(), |all: &mut Vec<u64>| all.push(f.token));
        }
        Event::TokenRevoked(f, _) => remove(tx, f.token),
        _ => {}
    }
}

fn remove(tx: &mut Tx, number: u64) {
    let Some(token) = tx.get::<Token>(&token_key(number)) else { return };
    if !token.token_hash.is_empty() {
        tx.remove(hash_key(&token.token_hash));
    }
    tx.remove(token_key(number));
    tx.change(list_key(), |all: &mut Vec<u64>| all.retain(|n| *n != number));
}
