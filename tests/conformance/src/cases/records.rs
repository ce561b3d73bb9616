//! Chapter 2 §3, §4 and §6: charters and records that are refused, each for one thing.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use startalk_hostile::{
    Mallory, Over,
    items::unknown_field,
    mallory::{new_key, now_ms, public, signature},
};
use startalk_protocol::{
    pb::trust::{Charter, Endpoint, LinkKey, Navigation, Record, SignedCharter, SignedRecord},
    signing::{PublicKey, Purpose, SecretKey},
};

use super::{check, check_record, refusal};
use crate::{Case, Ground, case::case};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const MINUTE: i64 = 60_000;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("record-signed-by-a-key-not-in-its-charter", &["record.link-key"], foreign_key),
        case("record-with-the-signature-of-another", &["record.signature", "signatures.context"], foreign_signature),
        case("record-signed-for-another-purpose", &["signatures.context"], other_purpose),
        case("record-signature-not-canonical", &["signatures.strict"], not_canonical),
        case("record-key-of-small-order", &["signatures.strict"], small_order),
        case("record-as-it-came-is-verified", &["overview.exact-bytes", "signatures.as-they-came"], other_encoding),
        case("record-expired-or-too-far-ahead", &["record.times"], times),
        case("record-contents-not-acceptable", &["record.contents"], contents),
        case("record-too-large-or-not-one", &["record.form"], form),
        case("charter-changed-after-it-was-signed", &["charter.verify"], changed),
        case("charter-commitment-by-another-key", &["charter.verify"], commitment),
        case("charter-malformed", &["charter.verify"], malformed),
        case("charter-of-another-key-name", &["charter.verify"], other_name),
        case("charter-link-keys-not-acceptable", &["charter.verify"], link_keys),
        case("charter-link-key-not-valid-now", &["record.link-key"], not_now),
        case("charter-of-a-domain-that-is-gone", &["charter.gone"], gone),
    ]
}

/// The good record, taken apart after it was signed.
fn spoiled(mallory: &Mallory, spoil: impl FnOnce(&mut SignedRecord)) -> Bytes {
    let mut signed = SignedRecord::decode(mallory.record_now()).expect("own");
    spoil(&mut signed);
    signed.encode_to_vec().into()
}

async fn foreign_key(g: Arc<Ground>) -> anyhow::Result<()> {
    let other = new_key();
    check_record(&g, "wrong-key", |m| {
        let record = m.record_of(Mallory::sign_charter(&m.root, &m.charter()));
        Mallory::sign_record(&other, &record)
    })
    .await
}

async fn foreign_signature(g: Arc<Ground>) -> anyhow::Result<()> {
    check_record(&g, "bad-signature", |m| {
        let other = SignedRecord::decode(m.record(5)).expect("own").signature;
        spoiled(m, |signed| signed.signature = other)
    })
    .await?;
    for length in [0, 63, 65] {
        check_record(&g, "bad-signature", |m| spoiled(m, |signed| signed.signature = vec![7; length].into())).await?;
    }
    Ok(())
}

async fn other_purpose(g: Arc<Ground>) -> anyhow::Result<()> {
    for purpose in [Purpose::LinkBatch, Purpose::Charter, Purpose::Succession] {
        check_record(&g, "bad-signature", |m| {
            spoiled(m, |signed| signed.signature = signature(&m.link, purpose, &signed.record))
        })
        .await?;
    }
    Ok(())
}

/// S and S + the order of the group are signatures of the same, to who does not look.
async fn not_canonical(g: Arc<Ground>) -> anyhow::Result<()> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    check_record(&g, "bad-signature", |m| {
        spoiled(m, |signed| {
            let mut bytes = signed.signature.to_vec();
            let mut carry = 0;
            for (digit, order) in bytes[32..].iter_mut().zip(ORDER) {
                carry += u16::from(*digit) + u16::from(order);
                *digit = carry.to_le_bytes()[0];
                carry >>= 8;
            }
            signed.signature = bytes.into();
        })
    })
    .await
}

/// The neutral element as a link key: with R the same and S zero, everything is signed by it, to who does not look.
async fn small_order(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let all_zero = [&neutral[..], &[0; 32]].concat();
    check_record(&g, "bad-signature", |m| {
        let mut charter = m.charter();
        charter.link_keys.push(LinkKey { key: neutral.to_vec().into(), ..Mallory::link_key(&m.link) });
        let record = m.record_of(Mallory::sign_charter(&m.root, &charter)).encode_to_vec();
        let (link_key, signature) = (neutral.to_vec().into(), all_zero.clone().into());
        SignedRecord { record: record.into(), link_key, signature }.encode_to_vec().into()
    })
    .await
}

/// Fields that nobody knows, and an order in which nobody would write them: who encodes again what it decoded finds
/// other bytes.
async fn other_encoding(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let sign = |key: &SecretKey, purpose, bytes: Vec<u8>| (signature(key, purpose, &bytes), Bytes::from(bytes));
    let charter = [unknown_field(), mallory.charter().encode_to_vec(), unknown_field()].concat();
    let (by, charter) = sign(&mallory.root, Purpose::Charter, charter);
    let charter = [SignedCharter { charter, signature: by }.encode_to_vec(), unknown_field()].concat();
    let record = [unknown_field(), mallory.record_of(charter.into()).encode_to_vec()].concat();
    let (by, record) = sign(&mallory.link, Purpose::Record, record);
    let record = SignedRecord { record, link_key: public(&mallory.link), signature: by }.encode_to_vec();
    let record = [unknown_field(), record].concat();
    let hello = mallory.hello(&g.domain, record.into());
    mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?.lives().await
}

async fn times(g: Arc<Ground>) -> anyhow::Result<()> {
    let now = now_ms();
    for (not_after_ms, expected) in [
        (now - 1, "expired"),
        (0, "expired"),
        (-1, "expired"),
        (now + 2 * DAY + 10 * MINUTE, "bad-value"),
        (i64::MAX, "bad-value"),
    ] {
        check_record(&g, expected, |m| m.record_with(|_| {}, |r| r.not_after_ms = not_after_ms)).await?;
    }
    let mallory = Mallory::stranger();
    let record = mallory.record_with(|_| {}, |r| r.not_after_ms = now + 2 * DAY - MINUTE);
    let hello = mallory.hello(&g.domain, record);
    mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?.lives().await
}

async fn contents(g: Arc<Ground>) -> anyhow::Result<()> {
    type Spoil = fn(&mut Record);
    let spoiled: [(&str, Spoil); 18] = [
        ("too-many", |r| r.endpoints = vec![r.endpoints[0].clone(); 17]),
        ("malformed", |r| r.endpoints[0].port = 0),
        ("malformed", |r| r.endpoints[0].port = 65_536),
        ("malformed", |r| r.endpoints[0].host = "0.0.0.0".to_owned()),
        ("malformed", |r| r.endpoints[0].host = "224.0.0.1".to_owned()),
        ("malformed", |r| r.endpoints[0].host = "255.255.255.255".to_owned()),
        ("malformed", |r| r.endpoints[0].host = "[::1]".to_owned()),
        ("malformed", |r| r.endpoints[0].host = "UPPER.example".to_owned()),
        ("malformed", |r| r.endpoints[0].host = "x.startalk.alt".to_owned()),
        ("malformed", |r| r.endpoints.push(Endpoint::default())),
        ("malformed", |r| r.display_name = "x".repeat(65)),
        ("malformed", |r| r.display_name = "a\nb".to_owned()),
        ("malformed", |r| r.display_name = "a\u{202e}b".to_owned()),
        ("too-large", |r| r.description = "x".repeat(513)),
        ("malformed", |r| r.description = "a\u{2028}b".to_owned()),
        ("malformed", |r| r.registration = "maybe".to_owned()),
        ("malformed", |r| r.navigation = Some(Navigation { colour: "red".to_owned(), ..Navigation::default() })),
        ("too-many", |r| r.navigation = Some(Navigation { features: vec!["x".to_owned(); 65], ..Navigation::default() })),
    ];
    for (expected, spoil) in spoiled {
        check_record(&g, expected, |m| m.record_with(|_| {}, spoil)).await?;
    }
    let mallory = Mallory::stranger();
    let record = mallory.record_with(
        |_| {},
        |r| {
            r.endpoints = vec![r.endpoints[0].clone(); 16];
            r.display_name = "\u{661f}".repeat(64);
            r.description = "x".repeat(512);
        },
    );
    let hello = mallory.hello(&g.domain, record);
    mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?.lives().await
}

async fn form(g: Arc<Ground>) -> anyhow::Result<()> {
    check_record(&g, "malformed", |m| spoiled(m, |signed| signed.record = vec![0xff; 50].into())).await?;
    check_record(&g, "malformed", |m| spoiled(m, |signed| signed.record = Bytes::new())).await?;
    check_record(&g, "malformed", |m| m.record_with(|_| {}, |r| r.charter = vec![0xff; 50].into())).await?;
    check_record(&g, "malformed", |m| spoiled(m, |signed| signed.link_key = signed.link_key.slice(1..))).await
}

async fn changed(g: Arc<Ground>) -> anyhow::Result<()> {
    let other = new_key();
    check_record(&g, "bad-signature", |m| {
        let signed = Mallory::sign_charter(&m.root, &m.charter());
        let mut charter = m.charter();
        charter.link_keys.push(Mallory::link_key(&other));
        let signature = SignedCharter::decode(signed).expect("own").signature;
        let charter = SignedCharter { charter: charter.encode_to_vec().into(), signature }.encode_to_vec();
        Mallory::sign_record(&other, &m.record_of(charter.into()))
    })
    .await?;
    check_record(&g, "bad-signature", |m| {
        Mallory::sign_record(&m.link, &m.record_of(Mallory::sign_charter(&other, &m.charter())))
    })
    .await
}

async fn commitment(g: Arc<Ground>) -> anyhow::Result<()> {
    let other = Mallory::stranger();
    check_record(&g, "bad-signature", |m| {
        m.record_with(
            |c| {
                let mut theirs = other.charter();
                other.commit(&mut theirs);
                c.recovery_commitment = theirs.recovery_commitment;
            },
            |_| {},
        )
    })
    .await?;
    check_record(&g, "bad-signature", |m| m.record_with(|c| c.recovery_commitment = Bytes::new(), |_| {})).await?;
    check_record(&g, "bad-signature", |m| m.record_with(|c| c.recovery_hash = vec![1; 32].into(), |_| {})).await
}

async fn malformed(g: Arc<Ground>) -> anyhow::Result<()> {
    type Spoil = fn(&mut Charter);
    let spoiled: [Spoil; 7] = [
        |c| c.domain = c.domain.to_uppercase(),
        |c| c.domain = String::new(),
        |c| c.root_key = c.root_key.slice(1..),
        |c| c.recovery_hash = c.recovery_hash.slice(1..),
        |c| c.link_keys[0].key = c.link_keys[0].key.slice(1..),
        |c| c.root_key = no_point(),
        |c| c.link_keys[0].key = no_point(),
    ];
    for spoil in spoiled {
        check_record(&g, "malformed", |m| m.record_with(spoil, |_| {})).await?;
    }
    Ok(())
}

/// 32 bytes that are no point on the curve.
fn no_point() -> Bytes {
    let candidates = (0..=u8::MAX).map(|first| [&[first][..], &[0; 31]].concat());
    candidates.into_iter().find(|c| PublicKey::from_bytes(c).is_none()).expect("half of all are none").into()
}

/// Everything is signed as it should be, by another root key than the one that the name is made of.
async fn other_name(g: Arc<Ground>) -> anyhow::Result<()> {
    check_record(&g, "wrong-key", |m| {
        let thief = Mallory { domain: m.domain.clone(), link: m.link.clone(), ..Mallory::stranger() };
        thief.record_now()
    })
    .await
}

async fn link_keys(g: Arc<Ground>) -> anyhow::Result<()> {
    let with =
        |change: fn(&Mallory, &mut Vec<LinkKey>)| move |m: &Mallory| m.record_with(|c| change(m, &mut c.link_keys), |_| {});
    check_record(
        &g,
        "too-many",
        with(|_, keys| {
            for _ in 0..8 {
                keys.push(LinkKey { key: public(&new_key()), not_before_ms: 1, not_after_ms: 2 });
            }
        }),
    )
    .await?;
    check_record(&g, "bad-value", with(|_, keys| keys.push(keys[0].clone()))).await?;
    check_record(&g, "bad-value", with(|m, keys| keys.push(Mallory::link_key(&m.root)))).await?;
    check_record(&g, "bad-value", with(|_, keys| keys[0].not_after_ms = keys[0].not_before_ms)).await?;
    check_record(&g, "bad-value", with(|_, keys| keys[0].not_after_ms = keys[0].not_before_ms + 90 * DAY + 1)).await?;
    check_record(
        &g,
        "bad-value",
        with(|_, keys| {
            keys.extend([Mallory::link_key(&new_key()), Mallory::link_key(&new_key())]);
        }),
    )
    .await?;
    check_record(
        &g,
        "bad-value",
        with(|_, keys| {
            keys[0].not_before_ms = i64::MIN;
            keys[0].not_after_ms = i64::MAX;
        }),
    )
    .await
}

async fn not_now(g: Arc<Ground>) -> anyhow::Result<()> {
    let now = now_ms();
    check_record(&g, "expired", |m| m.record_with(|c| c.link_keys[0].not_after_ms = now - 1, |_| {})).await?;
    check_record(&g, "expired", |m| m.record_with(|c| c.link_keys[0].not_before_ms = now + 10 * MINUTE, |_| {})).await?;
    // Two honest clocks may differ by five minutes.
    let mallory = Mallory::stranger();
    let record = mallory.record_with(|c| c.link_keys[0].not_before_ms = now + 3 * MINUTE, |_| {});
    let hello = mallory.hello(&g.domain, record);
    mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?.lives().await
}

async fn gone(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let hello = mallory.hello(&g.domain, mallory.record_with(|c| c.gone = true, |_| {}));
    check("a domain that is no more", &refusal(&g, Over::Quic, &mallory.link, hello).await?.code, "domain-gone")
}
