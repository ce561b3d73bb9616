//! How a peer is reached: discovery, then QUIC, and TLS on TCP where QUIC does not get through.
//!
//! Returns a connection whose key is one of the peer's link keys, or an error that names every step. Says nothing on it
//! yet.

use std::collections::BTreeSet;

use startalk_domain::{Command, directory};
use startalk_net::{
    ALPN_LINK, AddressGuard, Connect, Discovery, Either, Found, LinkStream, Neither, NotFound, QuicConnection, Reason,
    TlsConnection, Verify, connect_either, connect_quic,
    discovery::{Outcome, Source, Step},
    server::transport,
};
use startalk_protocol::{
    Code, DomainName, Error,
    error::Language,
    trust::{Charter, Endpoint, Pinned},
};

use crate::{
    ask::ask,
    config::LinkIdentity,
    shared::{Shared, unreachable},
    slot::Slot,
    status::is_refusal,
    trust::valid_keys,
    wire::Wire,
};

/// A connection to the peer, and what was found on the way.
pub(crate) struct Dialed {
    pub(crate) wire: Box<Wire>,
    pub(crate) found: Option<Found>,
}

/// Where to connect, and which keys to accept there.
struct Target {
    keys: BTreeSet<[u8; 32]>,
    configured: Vec<Endpoint>,
    others: Vec<Endpoint>,
    found: Option<Found>,
}

impl Target {
    /// Where to try one after the other, and which addresses are allowed there.
    fn ways(&self, shared: &Shared) -> impl Iterator<Item = (&[Endpoint], AddressGuard)> {
        let ways = [(&*self.configured, AddressGuard::AllowPrivate), (&*self.others, shared.config.guard)];
        ways.into_iter().filter(|(endpoints, _)| !endpoints.is_empty())
    }
}

/// Looks for the peer and connects to it.
pub(crate) async fn dial(shared: &Shared, slot: &Slot) -> Result<Dialed, Error> {
    let identity = shared.config.identity.current();
    let target = target(shared, slot).await?;
    let mut failed = None;
    for (endpoints, guard) in target.ways(shared) {
        match connect(shared, slot, &identity, endpoints, guard, &target.keys).await {
            Ok(connected) => {
                let wire = Box::new(wire(shared, slot, &identity, connected).await?);
                slot.known.lock().found.clone_from(&target.found);
                return Ok(Dialed { wire, found: target.found.clone() });
            }
            Err(error) => failed = Some(error),
        }
    }
    slot.known.lock().found = None;
    Err(failed.unwrap_or_else(|| unreachable(&slot.domain, "its record names no address")))
}

async fn wire(shared: &Shared, slot: &Slot, identity: &LinkIdentity, connected: Either) -> Result<Wire, Error> {
    let role = startalk_link::Role::Dialer { peer: slot.domain.clone() };
    let no_key = || Error::new(Code::WrongKey).with("what", "The connection").with("domain", &slot.domain);
    slot.known.lock().needs_tls = matches!(connected, Either::Tls(_));
    match connected {
        Either::Quic(QuicConnection { connection, peer_key, .. }) => {
            let stream = LinkStream::open(&connection).await.map_err(|e| unreachable(&slot.domain, e))?;
            Ok(Wire::quic(shared, identity, role, connection, stream, peer_key.ok_or_else(no_key)?))
        }
        Either::Tls(connection) => {
            let TlsConnection { stream, peer_key, .. } = *connection;
            Ok(Wire::tls(shared, identity, role, stream, peer_key.ok_or_else(no_key)?))
        }
    }
}

async fn target(shared: &Shared, slot: &Slot) -> Result<Target, Error> {
    let now_ms = shared.wall_signed();
    let (cached, remembered) = {
        let known = slot.known.lock();
        (known.found.clone(), known.endpoints.clone())
    };
    let peer = directory::peer(&*shared.config.views.store, slot.number());
    let pinned = peer.as_ref().and_then(|p| p.pinned());
    let cached = cached.filter(|found| found.record.not_after_ms() > now_ms);
    let found = match cached {
        Some(found) => Ok(found),
        None => find(&shared.config.discovery, &slot.domain, pinned.as_ref(), now_ms).await,
    };
    match found {
        Ok(found) if found.proof.is_none() => Err(not_proven(&slot.domain, &found.steps)),
        Ok(found) if found.record.charter().gone() => Err(gone(shared, slot, &found).await),
        Ok(found) => {
            let configured = configured(&found.steps);
            Ok(Target {
                keys: valid_keys(&found.record, now_ms).into_iter().map(|(key, _)| key).collect(),
                others: found.endpoints.iter().filter(|e| !configured.contains(e)).cloned().collect(),
                configured,
                found: Some(found),
            })
        }
        Err(not_found) => {
            // Nobody serves its record now, but its keys and its place are known from before.
            let charter = peer.as_ref().and_then(|p| Charter::decode_signed(&p.charter).ok());
            let configured = configured(&not_found.steps);
            let keys: BTreeSet<[u8; 32]> = charter
                .filter(|_| pinned.is_some() && !not_found.contradicted())
                .map(|c| c.link_keys().iter().filter(|k| k.valid(now_ms)).map(|k| k.key).collect())
                .unwrap_or_default();
            if keys.is_empty() || (configured.is_empty() && remembered.is_empty()) {
                return Err(not_found_error(&slot.domain, &not_found));
            }
            let others = remembered.into_iter().filter(|e| !configured.contains(e)).collect();
            Ok(Target { keys, configured, others, found: None })
        }
    }
}

/// Its charter says that it is no more: that is kept, and nothing is dialed.
async fn gone(shared: &Shared, slot: &Slot, found: &Found) -> Error {
    let proof = found.proof.map(|p| p.as_str().to_owned()).unwrap_or_default();
    match ask(&shared.config.handle, Command::MeetPeer { record: Box::new(found.record.clone()), proof }).await {
        Ok(_) => Error::new(Code::DomainGone).with("domain", &slot.domain),
        Err(error) => error,
    }
}

async fn find(discovery: &Discovery, domain: &DomainName, pinned: Option<&Pinned>, now_ms: i64) -> Result<Found, NotFound> {
    match pinned {
        Some(pinned) => discovery.find_pinned(domain, pinned, now_ms).await,
        None => discovery.find(domain, now_ms).await,
    }
}

/// What the administrator wrote down may be at a private address.
fn configured(steps: &[Step]) -> Vec<Endpoint> {
    let place = |step: &Step| match &step.source {
        Source::Configured(endpoint) => Some(endpoint.clone()),
        _ => None,
    };
    steps.iter().filter_map(place).collect()
}

fn not_proven(domain: &DomainName, steps: &[Step]) -> Error {
    let steps = startalk_net::discovery::steps_in_words(steps, Language::English);
    Error::new(Code::NotProven).with("domain", domain).with("steps", steps)
}

/// A record that was found and refused says more than that none was found.
fn not_found_error(domain: &DomainName, not_found: &NotFound) -> Error {
    let refused = |step: &Step| match &step.outcome {
        Outcome::Refused(error) if is_refusal(error.code) => Some(error.clone()),
        _ => None,
    };
    if let Some(error) = not_found.steps.iter().find_map(refused) {
        return error;
    }
    if not_found.contradicted() {
        return not_proven(domain, &not_found.steps);
    }
    Error::new(Code::UnknownDomain).with("domain", domain).with("steps", not_found.words(Language::English))
}

/// Whether QUIC leads to the peer now; the connection is ended again. The next attempt then gives it time.
pub(crate) async fn quic_gets_through(shared: &Shared, slot: &Slot) -> bool {
    let identity = shared.config.identity.current();
    let target = match target(shared, slot).await {
        Ok(target) => target,
        Err(error) => {
            tracing::debug!(domain = %slot.domain, %error, "nowhere to look for QUIC");
            return false;
        }
    };
    for (endpoints, guard) in target.ways(shared) {
        let what = what(shared, slot, &identity, endpoints, guard, &target.keys);
        match connect_quic(&shared.config.endpoint, &what).await {
            Ok(QuicConnection { connection, .. }) => {
                connection.close(0_u32.into(), b"");
                slot.known.lock().needs_tls = false;
                return true;
            }
            Err(error) => tracing::debug!(domain = %slot.domain, %error, "no QUIC yet"),
        }
    }
    false
}

/// By QUIC, or TLS; by TLS sooner where QUIC did not get through last time.
async fn connect(
    shared: &Shared,
    slot: &Slot,
    identity: &LinkIdentity,
    endpoints: &[Endpoint],
    guard: AddressGuard,
    keys: &BTreeSet<[u8; 32]>,
) -> Result<Either, Error> {
    let timings = &shared.config.timings;
    let what = what(shared, slot, identity, endpoints, guard, keys);
    let head_start = if slot.known.lock().needs_tls { timings.quic_head_start / 8 } else { timings.quic_head_start };
    connect_either(&shared.config.endpoint, &what, transport(), head_start)
        .await
        .map_err(|neither| failed(&slot.domain, &neither))
}

fn what<'a>(
    shared: &'a Shared,
    slot: &'a Slot,
    identity: &'a LinkIdentity,
    endpoints: &'a [Endpoint],
    guard: AddressGuard,
    keys: &BTreeSet<[u8; 32]>,
) -> Connect<'a> {
    Connect {
        endpoints,
        server_name: slot.domain.as_str(),
        verify: Verify::Pinned(keys.clone()),
        alpn: &[ALPN_LINK],
        certificate: Some(&identity.certificate),
        guard,
        names: &shared.config.names,
        timeout: shared.config.timings.connect,
    }
}

fn failed(domain: &DomainName, neither: &Neither) -> Error {
    if let Some(attempt) = neither.attempts().find(|a| a.reason == Reason::WrongKey) {
        let what = format!("The server at {}", attempt.what);
        return Error::new(Code::WrongKey).with("what", what).with("domain", domain);
    }
    unreachable(domain, neither.words(Language::English))
}
