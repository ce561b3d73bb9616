//! A passkey made here, byte by byte: what is signed for another origin, another domain, without the person or with an old
//! count lets nobody in. And changed bytes bring nothing down.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use startalk_identity::passkey::{NewCredential, Passkeys, Shown};
use startalk_protocol::Code;

const HERE: &str = "https://chat.a.example";
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

struct Authenticator {
    key: EcdsaKeyPair,
    random: SystemRandom,
    user: String,
}

/// What is signed, and where it may be wrong.
#[derive(Clone)]
struct Showing {
    origin: &'static str,
    domain: &'static str,
    flags: u8,
    counter: u32,
}

const GOOD: Showing = Showing { origin: HERE, domain: "a.example", flags: PRESENT | VERIFIED, counter: 5 };

fn client_data(what: &str, challenge: &str, origin: &str) -> Vec<u8> {
    json!({ "type": what, "challenge": challenge, "origin": origin, "crossOrigin": false }).to_string().into_bytes()
}

fn authenticator_data(showing: &Showing, more: &[u8]) -> Vec<u8> {
    let hash = digest(&SHA256, showing.domain.as_bytes());
    [hash.as_ref(), &[showing.flags], &showing.counter.to_be_bytes(), more].concat()
}

impl Authenticator {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { key, random: SystemRandom::new(), user: String::new() }
    }

    /// Makes a credential with the id 7, 7, 7 … for these options.
    fn make(&mut self, options: &[u8], showing: &Showing) -> Vec<u8> {
        let options: Value = serde_json::from_slice(options).unwrap();
        self.user = options["user"]["id"].as_str().unwrap().to_owned();
        let point = self.key.public_key().as_ref();
        let mut attested = [vec![0; 16], vec![0, 16], vec![7; 16]].concat();
        attested.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]); // COSE: EC2, ES256, P-256, x
        attested.extend(&point[1..33]);
        attested.extend([0x22, 0x58, 0x20]);
        attested.extend(&point[33..]);
        let showing = Showing { flags: showing.flags | ATTESTED, ..showing.clone() };
        let data = authenticator_data(&showing, &attested);
        let length = u8::try_from(data.len()).unwrap();
        let object = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[length], &data].concat();
        let client = client_data("webauthn.create", options["challenge"].as_str().unwrap(), showing.origin);
        let id = BASE64URL_NOPAD.encode(&[7; 16]);
        let made = json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "attestationObject": BASE64URL_NOPAD.encode(&object),
                "clientDataJSON": BASE64URL_NOPAD.encode(&client),
                "transports": ["internal"],
            },
        });
        made.to_string().into_bytes()
    }

    fn show(&self, options: &[u8], showing: &Showing) -> Vec<u8> {
        let options: Value = serde_json::from_slice(options).unwrap();
        let data = authenticator_data(showing, &[]);
        let client = client_data("webauthn.get", options["challenge"].as_str().unwrap(), showing.origin);
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&self.random, &signed).unwrap();
        let id = BASE64URL_NOPAD.encode(&[7; 16]);
        let shown = json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "authenticatorData": BASE64URL_NOPAD.encode(&data),
                "clientDataJSON": BASE64URL_NOPAD.encode(&client),
                "signature": BASE64URL_NOPAD.encode(signature.as_ref()),
                "userHandle": self.user,
            },
        });
        shown.to_string().into_bytes()
    }
}

fn passkeys() -> Passkeys {
    Passkeys::new(&"a.example".parse().unwrap(), HERE, "A").unwrap()
}

fn made(passkeys: &Passkeys, authenticator: &mut Authenticator) -> NewCredential {
    let (options, adding) = passkeys.begin_adding(3, "ann@a.example", "Ann", Vec::new()).unwrap();
    let json = authenticator.make(&options, &Showing { counter: 1, ..GOOD });
    passkeys.finish_adding(&adding, &json).unwrap()
}

/// How it ends to show the credential, which was at this count, as an account's.
fn enter(
    passkeys: &Passkeys,
    by: &Authenticator,
    new: &NewCredential,
    showing: &Showing,
    account: u64,
    counter: u32,
) -> Result<u32, Code> {
    let (options, entering) = passkeys.begin_entering().unwrap();
    let shown = Shown::read(&by.show(&options, showing)).unwrap();
    assert_eq!(shown.id(), [7; 16]);
    passkeys.finish_entering(entering, &shown, account, &new.credential, counter).map_err(|e| e.code)
}

#[test]
fn only_what_is_signed_here_for_this_domain_by_this_person_lets_in() {
    let (passkeys, mut ours) = (passkeys(), Authenticator::new());
    let new = made(&passkeys, &mut ours);
    assert_eq!(new.id, [7; 16]);
    assert_eq!(enter(&passkeys, &ours, &new, &GOOD, 3, 4), Ok(5));
    let wrong = [
        Showing { origin: "https://b.example", ..GOOD },
        Showing { origin: "https://a.example.evil.example", ..GOOD },
        Showing { origin: "http://chat.a.example", ..GOOD },
        Showing { domain: "b.example", ..GOOD },
        Showing { flags: PRESENT, ..GOOD },
        Showing { flags: VERIFIED, ..GOOD },
    ];
    for showing in wrong {
        let Showing { origin, domain, flags, .. } = showing;
        assert_eq!(enter(&passkeys, &ours, &new, &showing, 3, 4), Err(Code::PasskeyRefused), "{origin} {domain} {flags}");
    }
    // Another account's handle, and another key under the same name.
    assert_eq!(enter(&passkeys, &ours, &new, &GOOD, 4, 4), Err(Code::PasskeyRefused));
    let other = Authenticator { user: ours.user.clone(), ..Authenticator::new() };
    assert_eq!(enter(&passkeys, &other, &new, &GOOD, 3, 4), Err(Code::PasskeyRefused));
    // A challenge is good for its own ceremony.
    let (options, _) = passkeys.begin_entering().unwrap();
    let (_, entering) = passkeys.begin_entering().unwrap();
    let shown = Shown::read(&ours.show(&options, &GOOD)).unwrap();
    assert_eq!(passkeys.finish_entering(entering, &shown, 3, &new.credential, 0).unwrap_err().code, Code::PasskeyRefused);
}

#[test]
fn a_count_that_does_not_grow_is_a_copy() {
    let (passkeys, mut ours) = (passkeys(), Authenticator::new());
    let new = made(&passkeys, &mut ours);
    for counter in [5, 6, u32::MAX] {
        assert_eq!(enter(&passkeys, &ours, &new, &GOOD, 3, counter), Err(Code::PasskeyCopied), "{counter}");
    }
    // What was registered at 1 is never below it, whatever is kept beside it.
    assert_eq!(enter(&passkeys, &ours, &new, &Showing { counter: 1, ..GOOD }, 3, 0), Err(Code::PasskeyCopied));
    assert_eq!(enter(&passkeys, &ours, &new, &Showing { counter: 0, ..GOOD }, 3, 0), Err(Code::PasskeyCopied));
}

#[test]
fn nobody_registers_from_elsewhere_or_without_the_person() {
    let passkeys = passkeys();
    for showing in [
        Showing { origin: "https://b.example", ..GOOD },
        Showing { domain: "b.example", ..GOOD },
        Showing { flags: PRESENT, ..GOOD },
    ] {
        let (options, adding) = passkeys.begin_adding(3, "ann@a.example", "Ann", Vec::new()).unwrap();
        let json = Authenticator::new().make(&options, &showing);
        assert_eq!(passkeys.finish_adding(&adding, &json).unwrap_err().code, Code::PasskeyRefused, "{}", showing.origin);
    }
    // Browsers would refuse what is no name below the domain's.
    for (domain, origin) in
        [("a.example", "https://b.example"), ("a.example", "http://a.example"), ("a.example", "https://10.0.0.1:8443")]
    {
        assert!(Passkeys::new(&domain.parse().unwrap(), origin, "").is_none(), "{origin}");
    }
}

#[test]
fn changed_bytes_bring_nothing_down() {
    let (passkeys, mut ours) = (passkeys(), Authenticator::new());
    let (options, _) = passkeys.begin_adding(3, "ann@a.example", "Ann", Vec::new()).unwrap();
    let (asked, _) = passkeys.begin_entering().unwrap();
    let claims = json!({
        "sub": "1", "preferred_username": "ann", "email": "ann@company.example", "email_verified": true, "name": "Ann",
        "address": { "locality": "x" }, "groups": ["a", "b"],
    });
    let entries = "entryUUID=0f3a5e52-7d2c-4c59-9a4f-0b9f1c1a2b3c\nuid=ann\ncn=Ann\nmemberOf=cn=Staff, dc=d\n\u{1e}objectGUID=abcdefghijklmnop\nuid=b*b\n";
    let corpus = [
        ours.make(&options, &GOOD),
        ours.show(&asked, &GOOD),
        claims.to_string().into_bytes(),
        b"(&(objectClass=person)(|(uid={name})(mail={name}@company.example)))\nann)(uid=*".to_vec(),
        entries.as_bytes().to_vec(),
        Vec::new(),
    ];
    let mut seed = 20_u64;
    let mut next = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below.max(1)
    };
    for round in 0..6000 {
        let mut bytes = corpus[round % corpus.len()].clone();
        for _ in 0..next(4) {
            let at = next(bytes.len());
            match next(4) {
                0 if at < bytes.len() => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"\"{}[]:,\\0tn()*=\x1e"[next(16)]),
                _ => bytes.truncate(at),
            }
        }
        startalk_identity::check(&bytes);
    }
}
