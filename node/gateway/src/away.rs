//! Who was sent to a provider and has not come back, and who came back and has not said so: two tables in memory.
//!
//! The first is found by the state that the provider says again; the second by a ticket that the browser is given, and is good
//! only with the verifier of whoever began. So nothing binds a browser but a secret of its own page: there is no cookie, and
//! who opens somebody else's way back gets nothing. Owns no clock. Invariant: a state and a ticket are used once.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;
use startalk_identity::{
    Person, challenge_of,
    oidc::{Pending, Provider},
};
use startalk_protocol::{
    Code, Error,
    sabotage::{self, Switch},
};

/// On their way at once; further ones are to come later.
const AWAY_MAX: usize = 10_000;
/// How long somebody may be with a provider, in milliseconds: they may have to look for a second factor.
const AWAY_MS: u64 = 15 * 60 * 1000;
/// How long a ticket is good, in milliseconds: the page that gets it uses it at once.
const TICKET_MS: u64 = 2 * 60 * 1000;

/// Where the browser goes with the ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// This domain's own page.
    Page,
    /// A program on the person's machine.
    Program(url::Url),
}

/// Somebody who is with a provider.
pub(crate) struct Exchange {
    pub provider: Arc<Provider>,
    pub pending: Pending,
    pub challenge: [u8; 32],
    /// The account that whom the provider names is to be linked to; `None`: to sign in.
    pub account: Option<u64>,
    pub to: Return,
}

/// What a ticket is for.
pub(crate) struct Back {
    challenge: [u8; 32],
    account: Option<u64>,
    named: Result<Person, Error>,
}

impl Back {
    /// Of this exchange came this.
    pub(crate) fn of(challenge: [u8; 32], account: Option<u64>, named: Result<Person, Error>) -> Self {
        Self { challenge, account, named }
    }
}

pub(crate) struct Table<K, V>(Mutex<HashMap<K, (u64, V)>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    pub(crate) fn put(&self, key: K, value: V, now_ms: u64, valid_ms: u64) -> Result<(), Error> {
        let mut all = self.0.lock();
        if all.len() >= AWAY_MAX {
            all.retain(|_, (until_ms, _)| *until_ms > now_ms);
        }
        if all.len() >= AWAY_MAX {
            return Err(Error::new(Code::SlowDown).with("seconds", TICKET_MS / 1000));
        }
        all.insert(key, (now_ms + valid_ms, value));
        Ok(())
    }

    pub(crate) fn take<Q: Hash + Eq + ?Sized>(&self, key: &Q, now_ms: u64) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.lock().remove(key).filter(|(until_ms, _)| *until_ms > now_ms).map(|(_, value)| value)
    }
}

/// Both tables.
#[derive(Default)]
pub(crate) struct Away {
    exchanges: Table<String, Exchange>,
    /// By the ticket's hash.
    tickets: Table<[u8; 32], Back>,
}

impl Away {
    /// Somebody goes.
    pub(crate) fn goes(&self, exchange: Exchange, now_ms: u64) -> Result<(), Error> {
        self.exchanges.put(exchange.pending.state.clone(), exchange, now_ms, AWAY_MS)
    }

    /// Somebody comes back with this state.
    pub(crate) fn comes(&self, state: &str, now_ms: u64) -> Option<Exchange> {
        self.exchanges.take(state, now_ms)
    }

    /// The ticket is given out.
    pub(crate) fn give(&self, ticket: &str, back: Back, now_ms: u64) -> Result<(), Error> {
        self.tickets.put(*blake3::hash(ticket.as_bytes()).as_bytes(), back, now_ms, TICKET_MS)
    }

    /// Whom a ticket means, for who keeps its verifier and wants it for what it was begun for.
    ///
    /// # Errors
    /// `sign-in-expired`; else what became of the exchange.
    pub(crate) fn redeem(&self, ticket: &str, verifier: &[u8], account: Option<u64>, now_ms: u64) -> Result<Person, Error> {
        let back = self.tickets.take(blake3::hash(ticket.as_bytes()).as_bytes(), now_ms).ok_or(Code::SignInExpired)?;
        let theirs = back.challenge == challenge_of(verifier) && back.account == account;
        if !theirs && !sabotage::is(Switch::TicketsForAnybody) {
            return Err(Code::SignInExpired.into());
        }
        back.named
    }
}

/// Where a program on the person's own machine hears of the ticket: `http://127.0.0.1:port/…` or `http://[::1]:port/…`,
/// without anything else (RFC 8252 §7.3). A name would be asked of DNS, and might lead elsewhere.
pub(crate) fn program(text: &str) -> Result<Return, Error> {
    let bad = || {
        let expected = "empty, or http:// with 127.0.0.1 or [::1], a port and a path";
        Error::new(Code::BadValue).with("field", "return_to").with("expected", expected)
    };
    if text.is_empty() {
        return Ok(Return::Page);
    }
    let url = url::Url::parse(text).ok().filter(|_| text.len() <= 256).ok_or_else(bad)?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]")) && url.port().is_some();
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() == "http" && is_here && plain { Ok(Return::Program(url)) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(verifier: &[u8], account: Option<u64>) -> Back {
        let person = Person {
            provider: "p".into(),
            issuer: "https://p.example".into(),
            subject: "1".into(),
            label: "ann".into(),
            newcomer: None,
        };
        Back::of(challenge_of(verifier), account, Ok(person))
    }

    #[test]
    fn a_ticket_is_good_once_for_who_began_and_for_what() {
        let away = Away::default();
        away.give("t", back(b"mine", None), 1_000).unwrap();
        assert_eq!(away.redeem("t", b"mine", None, 2_000).unwrap().subject, "1");
        assert_eq!(away.redeem("t", b"mine", None, 2_000).unwrap_err().code, Code::SignInExpired);
        for (verifier, account, now_ms) in
            [(&b"theirs"[..], None, 2_000), (b"mine", Some(7), 2_000), (b"mine", None, 1_000 + TICKET_MS)]
        {
            away.give("t", back(b"mine", None), 1_000).unwrap();
            assert_eq!(away.redeem("t", verifier, account, now_ms).unwrap_err().code, Code::SignInExpired);
        }
        away.give("t", back(b"mine", Some(7)), 1_000).unwrap();
        assert!(away.redeem("t", b"mine", Some(7), 2_000).is_ok());
    }

    #[test]
    fn a_full_table_forgets_what_is_over_and_else_lets_wait() {
        let table = Table::<usize, ()>::default();
        for n in 0..AWAY_MAX {
            table.put(n, (), 0, 1_000).unwrap();
        }
        assert_eq!(table.put(AWAY_MAX, (), 999, 1_000).unwrap_err().code, Code::SlowDown);
        table.put(AWAY_MAX, (), 1_000, 1_000).unwrap();
        assert!(table.take(&5, 1_000).is_none() && table.take(&AWAY_MAX, 1_000).is_some());
    }

    #[test]
    fn only_this_machine_is_returned_to() {
        assert_eq!(program("").unwrap(), Return::Page);
        for good in ["http://127.0.0.1:5000/", "http://[::1]:5000/done"] {
            assert!(matches!(program(good).unwrap(), Return::Program(_)), "{good}");
        }
        for bad in [
            "https://127.0.0.1:5000/",
            "http://127.0.0.1/",
            "http://127.0.0.2:5000/",
            "http://localhost:5000/",
            "http://127.0.0.1.evil.example:5000/",
            "http://127.0.0.1:5000@evil.example/",
            "http://evil.example:5000/",
            "http://127.0.0.1:5000/?a",
            "http://127.0.0.1:5000/#a",
            "javascript:alert(1)",
            "//127.0.0.1:5000/",
            &format!("http://127.0.0.1:5000/{}", "a".repeat(300)),
        ] {
            assert_eq!(program(bad).unwrap_err().code, Code::BadValue, "{bad}");
        }
    }
}
