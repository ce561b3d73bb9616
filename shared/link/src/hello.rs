//! The hello: who speaks, to whom, in which versions, and where both directions stand. federation-spec/03-link.md §3
//!
//! Nothing in a hello is proven by itself: the record's signatures and the TLS key are judged by the driver, and only
//! then is anything of it used.

use std::collections::BTreeSet;

use bytes::Bytes;
use startalk_protocol::{
    Code, DomainName, Error,
    limits::{LINK_FEATURE_BYTES_MAX, LINK_FEATURES_MAX, LINK_KNOWN_MAX, RECORD_BYTES_MAX},
    pb::link::Hello,
};

use crate::{
    config::{Config, Role, VERSION_MAX, VERSION_MIN},
    event::Event,
    frame::malformed,
    position::Position,
    stand::{HISTORY, known_from_wire},
};

/// Where both directions stand on our side, as our hello says.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    pub(crate) sent: Position,
    pub(crate) received: Option<Position>,
    pub(crate) known: Vec<Position>,
}

/// A hello whose form is good and which is meant for us.
#[derive(Clone, Debug)]
pub(crate) struct PeerHello {
    pub(crate) from: DomainName,
    pub(crate) record: Bytes,
    pub(crate) instance: [u8; 16],
    pub(crate) version: u32,
    pub(crate) features: Vec<String>,
    pub(crate) sent: Position,
    pub(crate) received: Option<Position>,
    /// What else it has or had of ours; `None` if it cannot say.
    pub(crate) known: Option<Vec<Position>>,
}

impl PeerHello {
    pub(crate) fn event(&self) -> Event {
        Event::Hello {
            from: self.from.clone(),
            record: self.record.clone(),
            instance: self.instance,
            version: self.version,
            features: self.features.clone(),
            sent: self.sent,
            received: self.received,
        }
    }

    /// What both can do, sorted.
    pub(crate) fn common_features(&self, ours: &[String]) -> Vec<String> {
        let theirs: BTreeSet<&String> = self.features.iter().collect();
        ours.iter().collect::<BTreeSet<_>>().intersection(&theirs).map(|f| (*f).clone()).collect()
    }
}

/// Our hello.
pub(crate) fn build(config: &Config, to: &DomainName, positions: &Positions) -> Hello {
    let Positions { sent, received, known } = positions;
    let says_known = config.features.iter().any(|f| f == HISTORY);
    Hello {
        version_min: VERSION_MIN,
        version_max: VERSION_MAX,
        from: config.domain.as_str().to_owned(),
        to: to.as_str().to_owned(),
        record: config.record.clone(),
        instance: config.instance.to_vec().into(),
        features: config.features.clone(),
        sent: Some(sent.to_wire()),
        received: Some(received.map(|p| p.to_wire()).unwrap_or_default()),
        known: known.iter().filter(|_| says_known).take(LINK_KNOWN_MAX).map(|p| p.to_wire()).collect(),
    }
}

/// Reads the peer's hello. The version comes first, because another version may mean everything else differently.
pub(crate) fn read(hello: Hello, config: &Config) -> Result<PeerHello, Error> {
    if hello.version_min == 0 || hello.version_min > hello.version_max {
        return Err(malformed("a range of versions"));
    }
    let version = hello.version_max.min(VERSION_MAX);
    if version < hello.version_min.max(VERSION_MIN) {
        return Err(Error::new(Code::UnsupportedVersion).with("min", VERSION_MIN).with("max", VERSION_MAX));
    }
    let (from, to) = (domain(&hello.from)?, domain(&hello.to)?);
    if to != config.domain {
        return Err(Error::new(Code::WrongDomain).with("domain", &config.domain).with("asked", to));
    }
    if let Role::Dialer { peer } = &config.role
        && from != *peer
    {
        return Err(Error::new(Code::WrongDomain).with("domain", from).with("asked", peer));
    }
    if from == config.domain {
        return Err(Error::new(Code::WrongDomain).with("domain", &config.domain).with("asked", from));
    }
    if hello.record.is_empty() || hello.record.len() > RECORD_BYTES_MAX {
        let error = Error::new(Code::TooLarge).with("what", "A record").with("got", hello.record.len());
        return Err(if hello.record.is_empty() { malformed("a record") } else { error.with("max", RECORD_BYTES_MAX) });
    }
    if hello.features.len() > LINK_FEATURES_MAX {
        return Err(Error::new(Code::TooMany).with("what", "features").with("max", LINK_FEATURES_MAX));
    }
    if !hello.features.iter().all(|f| is_feature(f)) {
        return Err(malformed("the name of a feature"));
    }
    let says_known = hello.features.iter().any(|f| f == HISTORY);
    if says_known && hello.known.len() > LINK_KNOWN_MAX {
        return Err(Error::new(Code::TooMany).with("what", "known positions").with("max", LINK_KNOWN_MAX));
    }
    let known = known_from_wire(&hello.known).filter(|_| says_known);
    if says_known && known.is_none() {
        return Err(malformed("known positions after items"));
    }
    let position = |p: Option<_>| p.as_ref().map_or(Ok(None), Position::from_wire);
    Ok(PeerHello {
        from,
        record: hello.record,
        instance: hello.instance.as_ref().try_into().map_err(|_| malformed("an instance of 16 bytes"))?,
        version,
        features: hello.features,
        sent: position(hello.sent)?.ok_or_else(|| malformed("where the sender's outbox ends"))?,
        received: position(hello.received)?,
        known,
    })
}

/// A domain travels in its one form; anything else that would parse is not it.
fn domain(text: &str) -> Result<DomainName, Error> {
    text.parse().ok().filter(|d: &DomainName| d.as_str() == text).ok_or_else(|| malformed("a domain in ASCII"))
}

fn is_feature(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.len() <= LINK_FEATURE_BYTES_MAX && name.bytes().all(letter)
}
