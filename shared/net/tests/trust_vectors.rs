//! federation-spec/vectors/trust: the files say what this code makes, and this code says of them what they expect.
//!
//! `STARTALK_WRITE_VECTORS=1` writes them anew, after a deliberate change; a vector that was ever released is never
//! changed, only added to. Everything is made from fixed keys: ed25519 has no randomness.

#[path = "trust_vectors/make.rs"]
mod make;

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde_json::Value;
use startalk_protocol::{
    DomainName, Error, UserId,
    signing::{PublicKey, Purpose},
    trust::{Charter, DomainRecord, Fingerprint, Pinned, VerifiedCharter, accepts},
};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../federation-spec/vectors/trust").join(name)
}

fn read(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file(name)).unwrap();
    serde_json::from_str::<Vec<Value>>(&text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn key(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> Value {
    HEXLOWER.encode(bytes).into()
}

/// The error's code, or a panic with what the vector is about.
fn refused<T>(vector: &Value, result: Result<T, Error>) {
    let about = &vector["about"];
    let Err(error) = result else { panic!("{about}: accepted") };
    assert_eq!(error.code.as_str(), vector["error"].as_str().unwrap(), "{about}: {error}");
}

#[test]
fn the_files_are_what_is_made() {
    for (name, made) in make::all() {
        if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
            std::fs::write(file(name), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        assert_eq!(Value::Array(read(name)), made, "{name}");
    }
}

#[test]
fn names() {
    for vector in read("valid/names.json") {
        let text = vector["text"].as_str().unwrap();
        let canonical = match vector["kind"].as_str().unwrap() {
            "domain" => text.parse::<DomainName>().unwrap().as_str().to_owned(),
            "user" => text.parse::<UserId>().unwrap().to_string(),
            "root-key" => {
                let root = key(&vector["text"]);
                let name = DomainName::of_key(&root);
                assert!(name.as_str().starts_with(&Fingerprint::of_key(&root).to_string()));
                name.as_str().to_owned()
            }
            other => panic!("{other}"),
        };
        assert_eq!(canonical, vector["canonical"].as_str().unwrap(), "{text}");
    }
    for vector in read("invalid/names.json") {
        let text = vector["text"].as_str().unwrap();
        let accepted = match vector["kind"].as_str().unwrap() {
            "domain" => text.parse::<DomainName>().is_ok(),
            _ => text.parse::<UserId>().is_ok(),
        };
        assert!(!accepted, "{text}");
    }
}

#[test]
fn signatures() {
    let purpose = |name: &str| match name {
        "startalk charter v1" => Purpose::Charter,
        "startalk record v1" => Purpose::Record,
        "startalk succession v1" => Purpose::Succession,
        other => panic!("{other}"),
    };
    for (file, good) in [("valid/signatures.json", true), ("invalid/signatures.json", false)] {
        for vector in read(file) {
            let verified = PublicKey::from_bytes(&bytes(&vector["key"])).is_some_and(|k| {
                k.verify(purpose(vector["context"].as_str().unwrap()), &bytes(&vector["bytes"]), &bytes(&vector["signature"]))
            });
            assert_eq!(verified, good, "{}", vector["about"]);
        }
    }
}

fn said(charter: &VerifiedCharter) -> Value {
    serde_json::json!({
        "domain": charter.domain().as_str(),
        "first_root_key": hex(&charter.first_root_key()),
        "root_key": hex(&charter.root_key()),
        "steps": charter.line().len(),
        "link_keys": charter.link_keys().iter().map(|k| serde_json::json!({
            "key": hex(&k.key), "not_before_ms": k.not_before_ms, "not_after_ms": k.not_after_ms,
        })).collect::<Vec<_>>(),
        "recovery_hash": hex(&charter.recovery_hash()),
        "sequence": charter.sequence(),
        "gone": charter.gone(),
    })
}

#[test]
fn charters() {
    for vector in read("valid/charters.json") {
        let charter = Charter::decode_signed(&bytes(&vector["bytes"])).unwrap_or_else(|e| panic!("{}: {e}", vector["about"]));
        assert_eq!(said(&charter), vector["says"], "{}", vector["about"]);
    }
    for vector in read("invalid/charters.json") {
        refused(&vector, Charter::decode_signed(&bytes(&vector["bytes"])));
    }
}

#[test]
fn records() {
    for vector in read("valid/records.json") {
        let record = DomainRecord::decode_signed(&bytes(&vector["bytes"]), vector["now_ms"].as_i64().unwrap())
            .unwrap_or_else(|e| panic!("{}: {e}", vector["about"]));
        let says = serde_json::json!({
            "domain": record.domain().as_str(),
            "endpoints": record.endpoints().iter().map(|e| serde_json::json!({ "host": e.host, "port": e.port })).collect::<Vec<_>>(),
            "sequence": record.sequence(),
            "not_after_ms": record.not_after_ms(),
            "display_name": record.display_name(),
            "description": record.description(),
            "listed": record.listed(),
            "registration": record.registration().as_str(),
            "navigation": make::navigation(&record.navigation()),
        });
        assert_eq!(says, vector["says"], "{}", vector["about"]);
    }
    for vector in read("invalid/records.json") {
        refused(&vector, DomainRecord::decode_signed(&bytes(&vector["bytes"]), vector["now_ms"].as_i64().unwrap()));
    }
}

#[test]
fn pins() {
    let judge = |vector: &Value| {
        let pinned = &vector["pinned"];
        let pinned = Pinned {
            first_root_key: key(&pinned["first_root_key"]),
            root_key: key(&pinned["root_key"]),
            recovery_hash: key(&pinned["recovery_hash"]),
            charter_sequence: pinned["charter_sequence"].as_u64().unwrap(),
            record_sequence: pinned["record_sequence"].as_u64().unwrap(),
        };
        accepts(&pinned, &DomainRecord::decode_signed(&bytes(&vector["record"]), vector["now_ms"].as_i64().unwrap()).unwrap())
    };
    for vector in read("valid/pins.json") {
        judge(&vector).unwrap_or_else(|e| panic!("{}: {e}", vector["about"]));
    }
    for vector in read("invalid/pins.json") {
        refused(&vector, judge(&vector));
    }
}
