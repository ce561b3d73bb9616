//! Chapter 3 §1 and §3: who is let in, and with which word others are not.

use std::sync::Arc;

use anyhow::ensure;
use startalk_hostile::{
    Connection, Mallory, Over,
    connection::{BOTH, framed_with},
    items::unknown_field,
    key, position,
};
use startalk_link::Position;
use startalk_protocol::pb::link::{self as pb, frame::Frame as Kind};

use super::{check, check_hello, refusal};
use crate::{Case, Ground, case::case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("hello-welcomes-a-stranger-with-a-key-name", &["hello.order", "hello.ready"], welcome),
        case("hello-range-of-versions-is-none", &["hello.versions"], no_range),
        case("hello-speaks-only-newer-versions", &["hello.versions"], only_newer),
        case("hello-speaks-newer-versions-too", &["hello.versions"], newer_too),
        case("hello-domains-not-in-their-one-form", &["hello.names", "names.form"], names),
        case("hello-to-or-from-somebody-else", &["hello.wrong-domain"], wrong_domain),
        case("hello-without-a-record-or-with-a-long-one", &["hello.record"], record),
        case("hello-with-bad-features", &["hello.features"], bad_features),
        case("hello-with-features-that-nobody-knows", &["hello.features", "overview.features"], unknown_features),
        case("hello-with-bad-instance-or-positions", &["hello.positions", "histories.form"], positions),
        case("hello-is-checked-in-order", &["hello.order"], order),
        case("hello-with-fields-that-nobody-knows", &["overview.unknown-fields"], unknown_fields),
        case("hello-with-another-key-in-tls", &["transport.tls-key", "hello.judged"], other_key),
        case("hello-with-the-record-of-another", &["hello.judged", "transport.tls-key"], record_of_another),
        case("hello-names-another-than-its-record", &["hello.judged"], another_name),
        case("hello-without-a-certificate", &["transport.certificate"], no_certificate),
        case("hello-is-never-said", &["time.hello"], silence),
    ]
}

async fn welcome(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        let hello = &line.hello;
        ensure!(
            hello.version_min <= 1 && hello.version_max >= 1,
            "{over:?}: versions {}–{}",
            hello.version_min,
            hello.version_max
        );
        ensure!(hello.sent.as_ref().is_some_and(|s| s.sequence == 0), "{over:?}: something was sent to a stranger");
        line.lives().await?;
    }
    Ok(())
}

async fn no_range(g: Arc<Ground>) -> anyhow::Result<()> {
    for (min, max) in [(0, 0), (0, 1), (2, 1), (u32::MAX, 0)] {
        check_hello(&g, "malformed", |_, hello| (hello.version_min, hello.version_max) = (min, max)).await?;
    }
    Ok(())
}

async fn only_newer(g: Arc<Ground>) -> anyhow::Result<()> {
    for (min, max) in [(2, 2), (2, 1000), (u32::MAX, u32::MAX)] {
        check_hello(&g, "unsupported-version", |_, hello| (hello.version_min, hello.version_max) = (min, max)).await?;
    }
    let mallory = Mallory::stranger();
    let hello = pb::Hello { version_min: 7, version_max: 9, ..mallory.hello(&g.domain, mallory.record_now()) };
    let error = refusal(&g, Over::Tls, &mallory.link, hello).await?;
    let number = |name: &str| error.params.get(name).and_then(|n| n.parse::<u32>().ok());
    ensure!(number("min") <= Some(1) && number("max") >= Some(1), "min and max are the node's: {error:?}");
    Ok(())
}

async fn newer_too(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let hello = pb::Hello { version_max: u32::MAX, ..mallory.hello(&g.domain, mallory.record_now()) };
    mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?.lives().await
}

async fn names(g: Arc<Ground>) -> anyhow::Result<()> {
    type Spoil = fn(&str) -> String;
    let spoiled: [Spoil; 5] =
        [|n| n.to_uppercase(), |n| format!("{n}."), |n| format!(" {n}"), |n| n.replace('.', "\u{3002}"), |_| String::new()];
    for spoil in spoiled {
        check_hello(&g, "malformed", |_, hello| hello.from = spoil(&hello.from)).await?;
        check_hello(&g, "malformed", |_, hello| hello.to = spoil(&hello.to)).await?;
    }
    check_hello(&g, "malformed", |_, hello| hello.from = "localhost".to_owned()).await?;
    check_hello(&g, "malformed", |_, hello| hello.from = "a".repeat(20_000)).await
}

async fn wrong_domain(g: Arc<Ground>) -> anyhow::Result<()> {
    check_hello(&g, "wrong-domain", |_, hello| hello.to = "somebody.example".to_owned()).await?;
    check_hello(&g, "wrong-domain", |mallory, hello| hello.to = mallory.domain.to_string()).await?;
    check_hello(&g, "wrong-domain", |_, hello| hello.from = hello.to.clone()).await
}

async fn record(g: Arc<Ground>) -> anyhow::Result<()> {
    check_hello(&g, "malformed", |_, hello| hello.record = bytes::Bytes::new()).await?;
    check_hello(&g, "too-large", |_, hello| hello.record = vec![1; 16_385].into()).await?;
    check_hello(&g, "malformed", |_, hello| hello.record = vec![0xff; 16_384].into()).await
}

async fn bad_features(g: Arc<Ground>) -> anyhow::Result<()> {
    check_hello(&g, "too-many", |_, hello| hello.features = (0..33).map(|n| format!("acme-{n}")).collect()).await?;
    for name in ["", "Acme", "acme_x", "acme x", "\u{661f}", &"a".repeat(33)] {
        check_hello(&g, "malformed", |_, hello| hello.features = vec![name.to_owned()]).await?;
    }
    Ok(())
}

async fn unknown_features(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let features: Vec<String> = (0..32).map(|n| format!("acme-{n:0>27}")).collect();
    let hello = pb::Hello { features: features.clone(), ..mallory.hello(&g.domain, mallory.record_now()) };
    let mut line = mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?;
    ensure!(!line.hello.features.iter().any(|f| features.contains(f)), "the node says to know {:?}", line.hello.features);
    line.lives().await
}

async fn positions(g: Arc<Ground>) -> anyhow::Result<()> {
    let good = Position::start([5; 16]).after(&[6; 32]);
    let bad = [
        pb::StreamPosition { epoch: vec![5; 15].into(), ..position(&good) },
        pb::StreamPosition { epoch: vec![5; 17].into(), ..position(&good) },
        pb::StreamPosition { epoch: bytes::Bytes::new(), ..position(&good) },
        pb::StreamPosition { running: vec![6; 31].into(), ..position(&good) },
        pb::StreamPosition { running: bytes::Bytes::new(), ..position(&good) },
        pb::StreamPosition { sequence: 0, ..position(&good) },
        pb::StreamPosition { sequence: 3, ..pb::StreamPosition::default() },
    ];
    for bad in bad {
        check_hello(&g, "malformed", |_, hello| hello.sent = Some(bad.clone())).await?;
        check_hello(&g, "malformed", |_, hello| hello.received = Some(bad.clone())).await?;
    }
    check_hello(&g, "malformed", |_, hello| hello.sent = None).await?;
    check_hello(&g, "malformed", |_, hello| hello.sent = Some(pb::StreamPosition::default())).await?;
    for length in [0, 15, 17] {
        check_hello(&g, "malformed", |_, hello| hello.instance = vec![1; length].into()).await?;
    }
    // Nothing, said as an empty position, is good.
    let mallory = Mallory::stranger();
    let hello = pb::Hello { received: Some(pb::StreamPosition::default()), ..mallory.hello(&g.domain, mallory.record_now()) };
    mallory.link_with(Over::Quic, &g.address, &g.domain, hello).await?.lives().await
}

/// Each hello is wrong in everything that comes after what it must be refused for.
async fn order(g: Arc<Ground>) -> anyhow::Result<()> {
    let all_wrong = |hello: &mut pb::Hello| {
        hello.instance = bytes::Bytes::new();
        hello.sent = None;
        hello.features = vec!["!".to_owned()];
        hello.record = vec![0; 20_000].into();
    };
    check_hello(&g, "unsupported-version", |_, hello| {
        all_wrong(hello);
        (hello.version_min, hello.version_max) = (9, 9);
        (hello.from, hello.to) = ("!".to_owned(), "!".to_owned());
    })
    .await?;
    check_hello(&g, "malformed", |_, hello| {
        all_wrong(hello);
        (hello.from, hello.to) = ("!".to_owned(), "somebody.example".to_owned());
    })
    .await?;
    check_hello(&g, "wrong-domain", |_, hello| {
        all_wrong(hello);
        hello.to = "somebody.example".to_owned();
    })
    .await?;
    check_hello(&g, "too-large", |_, hello| all_wrong(hello)).await?;
    check_hello(&g, "too-many", |_, hello| {
        all_wrong(hello);
        hello.record = vec![0; 20].into();
        hello.features = vec!["!".to_owned(); 33];
    })
    .await
}

async fn unknown_fields(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        let mut connection = Connection::dial(over, &g.address, &g.domain, &mallory.link).await?;
        let hello = Kind::Hello(mallory.hello(&g.domain, mallory.record_now()));
        connection.say_bytes(framed_with(hello, &unknown_field())).await;
        connection.welcomed().await?;
        let batch = Kind::Batch(mallory.batch(&g.domain, 1, &[startalk_hostile::items::says("mallory", "nobody", "hi")]));
        connection.say_bytes(framed_with(batch, &unknown_field())).await;
        let ack = connection.acknowledged(1).await?;
        ensure!(ack.refused.is_empty(), "{over:?}: {ack:?}");
        connection.say_bytes(framed_with(Kind::Ping(pb::Ping { nonce: 7 }), &unknown_field())).await;
        while !matches!(connection.hear().await?, Some(Kind::Pong(pb::Pong { nonce: 7 }))) {}
    }
    Ok(())
}

async fn other_key(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        let hello = mallory.hello(&g.domain, mallory.record_now());
        for other in [&key(3), &mallory.root, &mallory.recovery] {
            check(&format!("over {over:?}"), &refusal(&g, over, other, hello.clone()).await?.code, "wrong-key")?;
        }
        super::unchanged(&g, mallory).await?;
    }
    Ok(())
}

async fn record_of_another(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let (victim, mallory) = (Mallory::stranger(), Mallory::stranger());
        let hello = victim.hello(&g.domain, victim.record_now());
        check(&format!("over {over:?}"), &refusal(&g, over, &mallory.link, hello).await?.code, "wrong-key")?;
        super::unchanged(&g, victim).await?;
    }
    Ok(())
}

async fn another_name(g: Arc<Ground>) -> anyhow::Result<()> {
    let victim = Mallory::stranger();
    check_hello(&g, "wrong-domain", |_, hello| hello.from = victim.domain.to_string()).await?;
    check_hello(&g, "wrong-domain", |_, hello| hello.record = victim.record_now()).await
}

/// Whoever shows no key gets no link: the handshake fails, or the connection ends without a hello.
async fn no_certificate(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        let alpn = b"startalk-link/1";
        let Ok(mut connection) = Connection::dial_as(over, &g.address, &g.domain, None, alpn).await else { continue };
        connection.say(Kind::Hello(mallory.hello(&g.domain, mallory.record_now()))).await;
        connection.refused().await?;
    }
    Ok(())
}

async fn silence(g: Arc<Ground>) -> anyhow::Result<()> {
    let mallory = Mallory::stranger();
    let mut silent = Vec::new();
    for over in BOTH {
        let mut connection = Connection::dial(over, &g.address, &g.domain, &mallory.link).await?;
        // The first bytes of a hello, so that over QUIC there is a stream at all.
        connection.say_bytes(&[0, 0][..]).await;
        silent.push((over, connection));
    }
    for (over, mut connection) in silent {
        check(&format!("over {over:?}"), &connection.refused().await?.code, "idle-timeout")?;
    }
    Ok(())
}
