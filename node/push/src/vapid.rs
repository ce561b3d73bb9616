//! How the node shows itself to push services: a signed token for each of them, RFC 8292.
//!
//! Owns the domain's key for that, which browsers are told when they subscribe: with another one all subscriptions are
//! void. A token is for one push service, good for half a day, and used until it has an hour left.

use std::collections::HashMap;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;
use serde_json::json;

/// How long a token is good, in seconds; at most a day is allowed.
const VALID_S: u64 = 12 * 3600;
/// One with less than this left is made anew.
const LEFT_S_MIN: u64 = 3600;
/// Push services whose tokens are kept; beyond it all are made anew.
const TOKENS_MAX: usize = 256;
/// The header of each token.
const HEADER: &str = r#"{"typ":"JWT","alg":"ES256"}"#;

/// The bytes are no key: expected PKCS #8 of a key of P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key of P-256 in PKCS #8")]
pub struct NoKey;

/// The domain's key for push services.
pub struct VapidKey {
    pair: EcdsaKeyPair,
    /// Derives names that push services cannot tell apart from random ones.
    topics: [u8; 32],
    /// Who is to be told of trouble: a URL of ours.
    contact: String,
    /// By push service: the token and when it ends, in seconds since 1970.
    tokens: Mutex<HashMap<String, (String, u64)>>,
}

impl VapidKey {
    /// A new key, as PKCS #8.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate() -> Result<Vec<u8>, NoKey> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(|_| NoKey)?;
        Ok(made.as_ref().to_vec())
    }

    /// From what [`VapidKey::generate`] made. `contact`: an `https:` or `mailto:` URL.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn from_pkcs8(bytes: &[u8], contact: impl Into<String>) -> Result<Self, NoKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).map_err(|_| NoKey)?;
        let topics = blake3::derive_key("startalk 2026 topics of pushes", bytes);
        Ok(Self { pair, topics, contact: contact.into(), tokens: Mutex::default() })
    }

    /// The public half, 65 bytes: what browsers call the application server's key.
    pub fn public(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// The Authorization header for a push service, named by its origin (`https://host:port`).
    pub fn authorization(&self, origin: &str, now_ms: u64) -> String {
        let now_s = now_ms / 1000;
        let mut tokens = self.tokens.lock();
        if let Some((token, _)) = tokens.get(origin).filter(|(_, until)| (now_s + LEFT_S_MIN..=now_s + VALID_S).contains(until)) {
            return self.header(token);
        }
        if tokens.len() >= TOKENS_MAX {
            tokens.clear();
        }
        let until = now_s + VALID_S;
        let claims = json!({ "aud": origin, "exp": until, "sub": self.contact }).to_string();
        let signed = format!("{}.{}", BASE64URL_NOPAD.encode(HEADER.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a key of P-256 signs");
        let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()));
        tokens.insert(origin.to_owned(), (token.clone(), until));
        self.header(&token)
    }

    fn header(&self, token: &str) -> String {
        format!("vapid t={token}, k={}", BASE64URL_NOPAD.encode(&self.public()))
    }

    /// The topic of an account's conversation: 32 characters that say nothing; one message of a topic waits at a push
    /// service at a time.
    pub fn topic(&self, account: u64, conversation: u64) -> String {
        let place = [account.to_be_bytes(), conversation.to_be_bytes()].concat();
        BASE64URL_NOPAD.encode(&blake3::keyed_hash(&self.topics, &place).as_bytes()[..24])
    }
}

/// The origin of an endpoint, as RFC 6454 writes it.
pub fn origin(endpoint: &str) -> &str {
    let begin = endpoint.find("://").map_or(0, |at| at + 3);
    let end = endpoint[begin..].find(['/', '?']).map_or(endpoint.len(), |at| begin + at);
    endpoint[..end].strip_suffix(":443").unwrap_or(&endpoint[..end])
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    /// Claims and whether the signature is good, of a header as push services see it.
    fn opened(header: &str) -> (serde_json::Value, bool) {
        let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        assert_eq!(String::from_utf8(decode(head)).unwrap(), HEADER);
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key));
        (serde_json::from_slice(&decode(claims)).unwrap(), key.verify(signed.as_bytes(), &decode(signature)).is_ok())
    }

    #[test]
    fn the_example_of_rfc_8292_is_read_and_verified_by_what_reads_ours() {
        let example = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
        let expected = json!({ "aud": "https://push.example.net", "exp": 1_453_523_768, "sub": "mailto:push@example.com" });
        assert_eq!(opened(example), (expected, true));
        let key = VapidKey::from_pkcs8(&VapidKey::generate().unwrap(), "https://chat.example").unwrap();
        let ours = key.authorization("https://push.example.net", NOW_MS);
        let expected = json!({ "aud": "https://push.example.net", "exp": 1_800_043_200, "sub": "https://chat.example" });
        assert_eq!(opened(&ours), (expected, true));
        let other = key.authorization("https://other.example", NOW_MS);
        let claims = |header: &str| header.split('.').nth(1).unwrap().to_owned();
        assert!(!opened(&ours.replace(&claims(&ours), &claims(&other))).1, "other claims under the signature");
    }

    #[test]
    fn a_token_is_kept_for_its_push_service_until_it_has_an_hour_left() {
        let key = VapidKey::from_pkcs8(&VapidKey::generate().unwrap(), "https://chat.example").unwrap();
        let first = key.authorization("https://a.example", NOW_MS);
        assert_eq!(key.authorization("https://a.example", NOW_MS + 11 * 3_600_000), first);
        assert_ne!(key.authorization("https://b.example", NOW_MS), first);
        let later = key.authorization("https://a.example", NOW_MS + 11 * 3_600_000 + 1000);
        assert_ne!(later, first);
        let put_right = key.authorization("https://a.example", NOW_MS);
        assert_eq!(opened(&put_right).0["exp"], 1_800_043_200_u64, "a clock that went back makes no token for more than a day");
    }

    #[test]
    fn topics_fit_the_header_and_differ_by_place_and_key() {
        let made = || VapidKey::from_pkcs8(&VapidKey::generate().unwrap(), "").unwrap();
        let (one, other) = (made(), made());
        let topics = [one.topic(1, 2), one.topic(2, 1), one.topic(1, 3), other.topic(1, 2)];
        assert!(topics.iter().all(|t| t.len() == 32));
        assert_eq!(topics.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!(one.topic(1, 2), topics[0]);
    }

    #[test]
    fn an_origin_is_scheme_host_and_a_port_that_is_not_the_usual() {
        for (endpoint, expected) in [
            ("https://a.example/x/y?z", "https://a.example"),
            ("https://a.example:8443/x", "https://a.example:8443"),
            ("https://a.example:443/x", "https://a.example"),
            ("https://a.example?x", "https://a.example"),
            ("https://[::1]:9000/x", "https://[::1]:9000"),
        ] {
            assert_eq!(origin(endpoint), expected);
        }
    }
}
