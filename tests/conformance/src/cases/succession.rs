//! Chapter 2 §5 and §7: new link keys, new root keys, and what may follow what was pinned.

use std::sync::Arc;

use bytes::Bytes;
use startalk_hostile::{
    Mallory, Over,
    mallory::{new_key, now_ms, public},
};
use startalk_protocol::{
    pb::trust::{Charter, Succession},
    signing::SecretKey,
};

use super::{check, check_record, refusal};
use crate::{Case, Ground, case::case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("pin-older-record-or-charter", &["pins.follow"], older),
        case("pin-link-keys-overlap", &["pins.follow", "transport.tls-key"], overlap),
        case("pin-link-key-that-was-taken-out", &["transport.tls-key", "pins.follow"], taken_out),
        case("pin-new-root-key-by-a-step", &["pins.root-key", "succession.line"], step),
        case("pin-new-root-key-without-a-step", &["pins.root-key"], no_step),
        case("pin-new-root-key-under-the-old-number", &["pins.root-key-sequence"], same_number),
        case("pin-new-root-key-by-recovery", &["pins.recovery", "succession.line"], recovery),
        case("pin-recovery-by-a-key-that-was-replaced", &["pins.recovery"], replaced_recovery),
        case("succession-line-not-acceptable", &["succession.line"], bad_lines),
        case("succession-too-long", &["charter.verify"], too_long),
        case("succession-recovery-without-commitment", &["succession.line"], no_commitment),
    ]
}

/// Says hello with this record and hears a hello.
async fn accepted(g: &Ground, mallory: &Mallory, certificate: &SecretKey, record: Bytes) -> anyhow::Result<()> {
    let with = Mallory { link: certificate.clone(), ..mallory.clone() };
    let hello = with.hello(&g.domain, record);
    let mut line = with.link_with(Over::Quic, &g.address, &g.domain, hello).await?;
    line.lives().await?;
    line.leave();
    Ok(())
}

async fn refused(g: &Ground, mallory: &Mallory, certificate: &SecretKey, record: Bytes, expected: &str) -> anyhow::Result<()> {
    let error = refusal(g, Over::Quic, certificate, mallory.hello(&g.domain, record)).await?;
    check("the second record", &error.code, expected)
}

async fn older(g: Arc<Ground>) -> anyhow::Result<()> {
    let m = Mallory::stranger();
    let record = |charter: u64, record: u64| m.record_with(|c| c.sequence = charter, |r| r.sequence = record);
    accepted(&g, &m, &m.link, record(7, 70)).await?;
    refused(&g, &m, &m.link, record(7, 69), "older-record").await?;
    refused(&g, &m, &m.link, record(6, 71), "older-record").await?;
    refused(&g, &m, &m.link, record(0, 0), "older-record").await?;
    // The same again is accepted, and so is what is newer in one of the two.
    accepted(&g, &m, &m.link, record(7, 70)).await?;
    accepted(&g, &m, &m.link, record(7, 71)).await?;
    accepted(&g, &m, &m.link, record(8, 71)).await?;
    refused(&g, &m, &m.link, record(7, 72), "older-record").await
}

/// A charter with two link keys, and records by the one or the other.
async fn overlap(g: Arc<Ground>) -> anyhow::Result<()> {
    let (m, next) = (Mallory::stranger(), new_key());
    accepted(&g, &m, &m.link, m.record(1)).await?;
    let both = |c: &mut Charter| {
        c.sequence = 2;
        c.link_keys.push(Mallory::link_key(&next));
    };
    let by = |key: &SecretKey, sequence| m.record_by(key, both, sequence);
    accepted(&g, &m, &m.link, by(&m.link, 2)).await?;
    accepted(&g, &m, &next, by(&m.link, 2)).await?;
    accepted(&g, &m, &next, by(&next, 3)).await?;
    accepted(&g, &m, &m.link, by(&next, 3)).await
}

async fn taken_out(g: Arc<Ground>) -> anyhow::Result<()> {
    let (m, next) = (Mallory::stranger(), new_key());
    accepted(&g, &m, &m.link, m.record(1)).await?;
    let only_next = |c: &mut Charter| {
        c.sequence = 2;
        c.link_keys = vec![Mallory::link_key(&next)];
    };
    accepted(&g, &m, &next, m.record_by(&next, only_next, 2)).await?;
    refused(&g, &m, &m.link, m.record_by(&next, only_next, 2), "wrong-key").await?;
    refused(&g, &m, &m.link, m.record(3), "older-record").await?;
    refused(&g, &m, &m.link, m.record_by(&m.link, only_next, 3), "wrong-key").await
}

/// The record of `m` after its root key has become `root`, with this line.
fn with_root(m: &Mallory, root: &SecretKey, line: Vec<Succession>, sequence: u64) -> Bytes {
    let now = Mallory { root: root.clone(), ..m.clone() };
    now.record_with(|c| (c.line, c.sequence) = (line, sequence), |r| r.sequence = now_ms().unsigned_abs())
}

async fn step(g: Arc<Ground>) -> anyhow::Result<()> {
    let (m, second, third) = (Mallory::stranger(), new_key(), new_key());
    accepted(&g, &m, &m.link, m.record(1)).await?;
    let one = vec![m.step(&m.root, &second)];
    accepted(&g, &m, &m.link, with_root(&m, &second, one.clone(), 2)).await?;
    // A charter of the former root key counts no more, even a newer one.
    let record = m.record_with(|c| c.sequence = 3, |_| {});
    refused(&g, &m, &m.link, record, "root-key-changed").await?;
    let two = [one, vec![m.step(&second, &third)]].concat();
    accepted(&g, &m, &m.link, with_root(&m, &third, two, 4)).await?;
    // And a stranger whose line has two steps already is met like any other.
    let (m, second, third) = (Mallory::stranger(), new_key(), new_key());
    let two = vec![m.step(&m.root, &second), m.step(&second, &third)];
    accepted(&g, &m, &m.link, with_root(&m, &third, two, 9)).await
}

/// A line that is good in itself but does not pass through the key that is pinned.
async fn no_step(g: Arc<Ground>) -> anyhow::Result<()> {
    let (m, second, thief) = (Mallory::stranger(), new_key(), new_key());
    accepted(&g, &m, &m.link, with_root(&m, &second, vec![m.step(&m.root, &second)], 2)).await?;
    let around = vec![m.step(&m.root, &thief)];
    refused(&g, &m, &m.link, with_root(&m, &thief, around, 3), "root-key-changed").await
}

async fn same_number(g: Arc<Ground>) -> anyhow::Result<()> {
    let (m, second) = (Mallory::stranger(), new_key());
    accepted(&g, &m, &m.link, m.record_with(|c| c.sequence = 5, |_| {})).await?;
    let line = vec![m.step(&m.root, &second)];
    refused(&g, &m, &m.link, with_root(&m, &second, line.clone(), 5), "root-key-changed").await?;
    accepted(&g, &m, &m.link, with_root(&m, &second, line, 6)).await
}

async fn recovery(g: Arc<Ground>) -> anyhow::Result<()> {
    let m = Mallory { recovery: new_key(), ..Mallory::stranger() };
    let (before, next) = (m.charter(), new_key());
    accepted(&g, &m, &m.link, m.record(1)).await?;
    let line = vec![m.recovery_step(&m.root, &next, &m.recovery, before.recovery_commitment)];
    accepted(&g, &m, &m.link, with_root(&m, &next, line, 2)).await
}

/// The recovery key that an older charter named was stolen; the pinned charter names another.
async fn replaced_recovery(g: Arc<Ground>) -> anyhow::Result<()> {
    let old = Mallory { recovery: new_key(), ..Mallory::stranger() };
    let new = Mallory { recovery: new_key(), ..old.clone() };
    accepted(&g, &old, &old.link, old.record(1)).await?;
    accepted(&g, &new, &new.link, new.record_with(|c| c.sequence = 2, |_| {})).await?;
    let next = new_key();
    let line = vec![old.recovery_step(&old.root, &next, &old.recovery, old.charter().recovery_commitment)];
    refused(&g, &old, &old.link, with_root(&old, &next, line, 3), "root-key-changed").await?;
    accepted(&g, &new, &new.link, new.record_with(|c| c.sequence = 2, |_| {})).await
}

async fn bad_lines(g: Arc<Ground>) -> anyhow::Result<()> {
    let (second, third) = (new_key(), new_key());
    let line = |make: fn(&Mallory, &SecretKey, &SecretKey) -> Vec<Succession>| {
        let (second, third) = (second.clone(), third.clone());
        move |m: &Mallory| with_root(m, &third, make(m, &second, &third), 1)
    };
    // Does not end in the root key; does not connect.
    check_record(&g, "wrong-key", line(|m, second, _| vec![m.step(&m.root, second)])).await?;
    check_record(&g, "wrong-key", line(|m, second, third| vec![m.step(&m.root, second), m.step(&new_key(), third)])).await?;
    // Returns to a key.
    let back = |m: &Mallory, second: &SecretKey, third: &SecretKey| {
        vec![m.step(&m.root, third), m.step(third, second), m.step(second, third)]
    };
    check_record(&g, "malformed", line(back)).await?;
    // Signed by somebody else.
    let forged = |m: &Mallory, _: &SecretKey, third: &SecretKey| {
        let other = m.step(&new_key(), third);
        vec![Succession { signature: other.signature, ..m.step(&m.root, third) }]
    };
    check_record(&g, "bad-signature", line(forged)).await?;
    // A commitment where there is no recovery key.
    let surplus = |m: &Mallory, _: &SecretKey, third: &SecretKey| {
        vec![Succession { commitment: m.charter().recovery_commitment, ..m.step(&m.root, third) }]
    };
    check_record(&g, "malformed", line(surplus)).await?;
    // Keys that are none.
    let short = |m: &Mallory, _: &SecretKey, third: &SecretKey| {
        vec![Succession { from: public(&m.root).slice(1..), ..m.step(&m.root, third) }]
    };
    check_record(&g, "malformed", line(short)).await
}

async fn too_long(g: Arc<Ground>) -> anyhow::Result<()> {
    let line_of = |m: &Mallory, steps: usize| {
        let keys: Vec<SecretKey> = [m.root.clone()].into_iter().chain((0..steps).map(|_| new_key())).collect();
        let line = keys.windows(2).map(|pair| m.step(&pair[0], &pair[1])).collect();
        with_root(m, &keys[steps], line, 1)
    };
    check_record(&g, "too-many", |m| line_of(m, 33)).await?;
    let m = Mallory::stranger();
    accepted(&g, &m, &m.link, line_of(&m, 32)).await
}

/// Anybody could append a step by a recovery key of his own to the line of somebody's key name.
async fn no_commitment(g: Arc<Ground>) -> anyhow::Result<()> {
    let (thief, next) = (new_key(), new_key());
    check_record(&g, "bad-signature", |m| with_root(m, &next, vec![m.recovery_step(&m.root, &next, &thief, Bytes::new())], 1))
        .await?;
    check_record(&g, "bad-signature", |m| {
        let own = m.charter().recovery_commitment;
        with_root(m, &next, vec![m.recovery_step(&m.root, &next, &thief, own)], 1)
    })
    .await?;
    check_record(&g, "bad-signature", |m| {
        let elsewhere = Mallory { recovery: thief.clone(), ..Mallory::stranger() };
        let commitment = elsewhere.charter().recovery_commitment;
        with_root(m, &next, vec![m.recovery_step(&m.root, &next, &thief, commitment)], 1)
    })
    .await
}
