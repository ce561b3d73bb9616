//! Decisions about subscriptions and settings: what a device may say of its push service, and when that ends.

use startalk_protocol::{Code, Error, limits, pb::events as pb};
use unicode_normalization::UnicodeNormalization as _;

use super::{Settings, settings, subscription};
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    directory, erasure,
    event::Event,
    store::{New, Read, Tx},
};

/// Minutes of a day.
const DAY_MIN: u32 = 24 * 60;
/// Minutes that any place's clock is away from UTC.
const OFFSET_MIN_MAX: i32 = 14 * 60;

/// What a device says of its push service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubscription {
    /// The URL that is written to.
    pub endpoint: String,
    /// The device's public key.
    pub p256dh: Vec<u8>,
    /// The secret that it shares with us.
    pub auth: Vec<u8>,
}

/// Why a device is not reached any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// It wants no more.
    Asked,
    /// Its push service has no such subscription.
    Gone,
    /// What it said cannot be used.
    Unusable,
}

impl Unreached {
    fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Gone => "gone",
            Self::Unusable => "unusable",
        }
    }
}

fn stream(read: &impl Read, account: u64) -> Result<u64, Error> {
    Ok(accounts::account(read, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream)
}

/// For fuzzing and mutation tests: judges foreign bytes as an endpoint. Must never panic, whatever the bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = check_endpoint(text);
    }
}

fn bad(field: &str, expected: impl std::fmt::Display) -> Error {
    Error::new(Code::BadValue).with("field", field).with("expected", expected)
}

/// An absolute https URL with a host, and nothing in it that one program reads differently than another. Where its host
/// leads is judged when it is connected to.
fn check_endpoint(endpoint: &str) -> Result<(), Error> {
    let expected = || bad("endpoint", format!("https://…, at most {} characters of ASCII", limits::PUSH_ENDPOINT_BYTES_MAX));
    let rest = endpoint.strip_prefix("https://").ok_or_else(expected)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let good = endpoint.len() <= limits::PUSH_ENDPOINT_BYTES_MAX
        && !authority.is_empty()
        && !authority.starts_with(':')
        && !authority.contains('@')
        && endpoint.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\' | b'"' | b'<' | b'>' | b'`'));
    if good { Ok(()) } else { Err(expected()) }
}

pub(crate) fn subscribe(tx: &mut Tx, ctx: &mut Ctx, account: u64, device: u64, new: NewSubscription) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    if accounts::account(tx, account).is_none_or(|a| a.devices.iter().all(|d| d.device != device)) {
        return Err(Code::NoSuchDevice.into());
    }
    check_endpoint(&new.endpoint)?;
    if new.p256dh.len() != limits::PUSH_KEY_BYTES || new.p256dh[0] != 4 {
        return Err(bad("p256dh", "an uncompressed point of P-256, 65 bytes"));
    }
    if new.auth.len() != limits::PUSH_AUTH_BYTES {
        return Err(bad("auth", "16 bytes"));
    }
    let old = subscription(tx, account, device);
    if old.as_ref().is_some_and(|o| (&o.endpoint, &o.p256dh, &o.auth) == (&new.endpoint, &new.p256dh, &new.auth)) {
        return Ok(Answer::Done);
    }
    let replaces = old.map_or(0, |o| o.position);
    let body = pb::PushSubscribedBody { endpoint: new.endpoint, p256dh: new.p256dh.into(), auth: new.auth.into() };
    let facts = pb::PushSubscribed { account, device, replaces };
    let body = ctx.salted(body);
    tx.emit(New { conversation: stream, event: Event::PushSubscribed(facts, Some(body)) });
    if replaces != 0 {
        erasure::erase(tx, vec![replaces], "superseded");
    }
    Ok(Answer::Done)
}

/// That there is none is no error: it may have gone meanwhile, by another way.
pub(crate) fn unsubscribe(tx: &mut Tx, account: u64, device: u64, position: u64, why: Unreached) -> Result<Answer, Error> {
    let Some(old) = subscription(tx, account, device).filter(|o| position == 0 || o.position == position) else {
        return Ok(Answer::Done);
    };
    let Some(owner) = accounts::account(tx, account) else { return Ok(Answer::Done) };
    let facts = pb::PushUnsubscribed { account, device, why: why.as_str().to_owned() };
    tx.emit(New { conversation: owner.stream, event: Event::PushUnsubscribed(facts, None) });
    erasure::erase(tx, vec![old.position], "superseded");
    Ok(Answer::Done)
}

pub(crate) fn set(tx: &mut Tx, ctx: &mut Ctx, account: u64, new: Settings) -> Result<Answer, Error> {
    let stream = stream(tx, account)?;
    if new.quiet_from_min >= DAY_MIN || new.quiet_until_min >= DAY_MIN {
        return Err(bad("quiet_from_min", "minutes of the day, 0 to 1439"));
    }
    if new.offset_min.abs() > OFFSET_MIN_MAX {
        return Err(bad("offset_min", "-840 to 840 minutes"));
    }
    let keywords = keywords(&new.keywords)?;
    let old = settings(tx, account);
    let replaces = old.position;
    let new = Settings { keywords, position: replaces, ..new };
    if new == *old {
        return Ok(Answer::Done);
    }
    let facts = pb::NotifySet {
        account,
        replaces,
        hidden: new.hidden,
        quiet: new.quiet,
        quiet_from_min: new.quiet_from_min,
        quiet_until_min: new.quiet_until_min,
        offset_min: new.offset_min,
        quiet_calls: new.quiet_calls,
    };
    let body = ctx.salted(pb::NotifySetBody { keywords: new.keywords });
    tx.emit(New { conversation: stream, event: Event::NotifySet(facts, Some(body)) });
    if replaces != 0 {
        erasure::erase(tx, vec![replaces], "superseded");
    }
    Ok(Answer::Done)
}

/// Each once, without spaces around it, in the form in which texts are compared.
fn keywords(given: &[String]) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    for word in given {
        let word: String = word.trim().nfc().collect();
        let good = (1..=limits::KEYWORD_CHARS_MAX).contains(&word.chars().count()) && word.chars().all(directory::is_harmless);
        if !good {
            return Err(bad("keywords", format!("words of 1 to {} characters", limits::KEYWORD_CHARS_MAX)));
        }
        if !all.contains(&word) {
            all.push(word);
        }
    }
    if all.len() > limits::KEYWORDS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "keywords").with("max", limits::KEYWORDS_MAX));
    }
    Ok(all)
}
