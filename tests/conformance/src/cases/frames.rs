//! Chapter 3 §2: lengths, fields, and what may come when.

use std::sync::Arc;

use anyhow::ensure;
use prost::Message as _;
use startalk_hostile::{
    Connection, Mallory, Over,
    connection::{BOTH, framed, with_length},
    items::says,
};
use startalk_protocol::pb::link::{self as pb, Frame, frame::Frame as Kind};

use super::check;
use crate::{Case, Ground, case::case};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("frame-too-long-for-a-hello", &["frames.length", "frames.early"], long_hello),
        case("frame-too-long-on-an-open-link", &["frames.length", "frames.early"], long_frame),
        case("frame-with-other-than-one-known-field", &["frames.one-field"], fields),
        case("frame-of-random-bytes", &["frames.one-field"], random),
        case("frame-that-is-cut", &["frames.length"], cut),
        case("frame-before-the-hello", &["frames.when"], before_hello),
        case("frame-hello-twice", &["frames.when"], twice),
        case("frame-close-in-place-of-the-hello", &["frames.close"], close_first),
        case("frames-that-came-before-the-end-count", &["transport.end"], before_the_end),
    ]
}

/// Only the length is sent: the node must not wait for what it announces.
async fn long_hello(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        for length in [32_769_u32, 262_145, 1_048_576, u32::MAX] {
            let mut connection = Connection::dial(over, &g.address, &g.domain, &Mallory::stranger().link).await?;
            connection.say_bytes(length.to_be_bytes().to_vec()).await;
            check(&format!("{length} bytes over {over:?}"), &connection.refused().await?.code, "too-large")?;
        }
    }
    Ok(())
}

async fn long_frame(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        for length in [1_048_577_u32, u32::MAX] {
            let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
            line.connection.say_bytes(length.to_be_bytes().to_vec()).await;
            check(&format!("{length} bytes over {over:?}"), &line.closed().await?.code, "too-large")?;
        }
        // A frame that is no batch, longer than small ones may be.
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        let from = "a".repeat(262_144);
        line.connection.say(Kind::Ephemeral(pb::Ephemeral { from, ..pb::Ephemeral::default() })).await;
        check(&format!("an ephemeral over {over:?}"), &line.closed().await?.code, "too-large")?;
    }
    Ok(())
}

async fn fields(g: Arc<Ground>) -> anyhow::Result<()> {
    let ping = Frame { frame: Some(Kind::Ping(pb::Ping { nonce: 1 })) }.encode_to_vec();
    let bad: [&[u8]; 8] = [
        &[],
        &[0xf8, 0x3e, 7],
        &[0xfa, 0x3e, 0],
        &[&ping[..], &ping].concat(),
        &[&ping[..], &[0xf8, 0x3e, 7]].concat(),
        &[5 << 3, 1],
        &[5 << 3 | 2, 100],
        &[5 << 3 | 3, 5 << 3 | 4],
    ];
    for bytes in bad {
        let mut line = g.link(Mallory::stranger()).await?;
        line.connection.say_bytes(with_length(bytes)).await;
        check(&format!("{bytes:x?}"), &line.closed().await?.code, "malformed")?;
    }
    // The same in place of the hello.
    for bytes in bad {
        let mut connection = Connection::dial(Over::Tls, &g.address, &g.domain, &Mallory::stranger().link).await?;
        connection.say_bytes(with_length(bytes)).await;
        check(&format!("{bytes:x?} in place of a hello"), &connection.refused().await?.code, "malformed")?;
    }
    Ok(())
}

async fn random(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        for length in [1_usize, 16, 300, 5000] {
            let noise: Vec<u8> = std::iter::repeat_with(startalk_hostile::mallory::random::<32>).flatten().take(length).collect();
            let mut connection = Connection::dial(over, &g.address, &g.domain, &Mallory::stranger().link).await?;
            connection.say_bytes(with_length(&noise)).await;
            let code = connection.refused().await?.code;
            ensure!(["malformed", "too-many", "unsupported-version"].contains(&code.as_str()), "{code:?} for {noise:x?}");
            let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
            line.connection.say_bytes(with_length(&noise)).await;
            let code = line.closed().await?.code;
            ensure!(["malformed", "too-many"].contains(&code.as_str()), "{code:?} for {noise:x?}");
        }
    }
    Ok(())
}

/// A frame that stops anywhere is a lost connection, and the next link finds everything as it was.
async fn cut(g: Arc<Ground>) -> anyhow::Result<()> {
    let mut mallory = Mallory::stranger();
    let item = says("mallory", "nobody", "never whole");
    let whole = framed(Kind::Batch(mallory.batch(&g.domain, 1, std::slice::from_ref(&item))));
    mallory.wrote(&item);
    for (at, over) in [(1, Over::Quic), (4, Over::Tls), (whole.len() / 2, Over::Quic), (whole.len() - 1, Over::Tls)] {
        let mut line = mallory.clone().link(over, &g.address, &g.domain).await?;
        line.connection.say_bytes(whole.slice(..at)).await;
        line.connection.finish().await;
        while line.connection.hear().await?.is_some_and(|frame| !matches!(frame, Kind::Close(_))) {}
        drop(line);
        let line = mallory.clone().link(over, &g.address, &g.domain).await?;
        let received = line.hello.received.clone().unwrap_or_default().sequence;
        ensure!(received == 0, "cut at {at} over {over:?}, the node says to have {received}");
        line.leave();
    }
    Ok(())
}

async fn before_hello(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mallory = Mallory::stranger();
        for frame in [
            Kind::Batch(mallory.batch(&g.domain, 1, &[says("mallory", "nobody", "hi")])),
            Kind::Ack(pb::Ack::default()),
            Kind::Ping(pb::Ping { nonce: 1 }),
            Kind::Pong(pb::Pong { nonce: 1 }),
        ] {
            let mut connection = Connection::dial(over, &g.address, &g.domain, &mallory.link).await?;
            let name = startalk_hostile::connection::name(&frame);
            connection.say(frame).await;
            check(&format!("{name} over {over:?}"), &connection.refused().await?.code, "malformed")?;
        }
    }
    Ok(())
}

async fn twice(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        let hello = line.mallory.hello(&g.domain, line.mallory.record_now());
        line.connection.say(Kind::Hello(hello)).await;
        check(&format!("over {over:?}"), &line.closed().await?.code, "malformed")?;
    }
    Ok(())
}

/// The node does not answer a close, and ends the connection.
async fn close_first(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut connection = Connection::dial(over, &g.address, &g.domain, &Mallory::stranger().link).await?;
        let error = pb::Error { code: "stopping".to_owned(), ..pb::Error::default() };
        connection.say(Kind::Close(pb::Close { error: Some(error) })).await;
        let heard = connection.hear().await?;
        ensure!(heard.is_none(), "over {over:?} the node answers a close with {heard:?}");
        let mut line = Mallory::stranger().link(over, &g.address, &g.domain).await?;
        let error = pb::Error { code: "of-a-later-version".to_owned(), ..pb::Error::default() };
        line.connection.say(Kind::Close(pb::Close { error: Some(error) })).await;
        while let Some(frame) = line.connection.hear().await? {
            ensure!(!matches!(frame, Kind::Close(_)), "over {over:?} the node answers a close with a close");
        }
    }
    Ok(())
}

/// A hello and a batch in one breath, and the end of the stream behind them.
async fn before_the_end(g: Arc<Ground>) -> anyhow::Result<()> {
    for over in BOTH {
        let mut mallory = Mallory::stranger();
        let item = says("mallory", "nobody", "said and gone");
        let batch = mallory.batch(&g.domain, 1, std::slice::from_ref(&item));
        let hello = mallory.hello(&g.domain, mallory.record_now());
        mallory.wrote(&item);
        let mut connection = Connection::dial(over, &g.address, &g.domain, &mallory.link).await?;
        connection.say_bytes([framed(Kind::Hello(hello)), framed(Kind::Batch(batch))].concat()).await;
        connection.finish().await;
        while connection.hear().await?.is_some() {}
        let line = mallory.link(over, &g.address, &g.domain).await?;
        let received = line.hello.received.clone().unwrap_or_default().sequence;
        ensure!(received == 1, "over {over:?} what had arrived before the end was not taken: the node has {received}");
        line.leave();
    }
    Ok(())
}
