//! A tether in virtual time: both sides, over a pipe.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use startalk_net::{Discovery, DiscoveryConfig, LinkCertificate, Names};
use startalk_protocol::{
    DomainName,
    signing::SecretKey,
    trust::{CharterDraft, LinkKey, RecordDraft, Registration, recovery_hash, sign_charter, sign_record},
};
use startalk_tether::{Config, Control, Down, Io, Over, State, Timings, talk};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{Limits, Relay, serve};
use crate::Hub;

const START: i64 = 1_800_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn domain() -> DomainName {
    DomainName::of_key(&key(1).public())
}

fn record(now_ms: i64, hours: i64) -> Bytes {
    let charter = CharterDraft {
        domain: domain(),
        line: Vec::new(),
        link_keys: vec![LinkKey {
            key: key(100).public().to_vec().into(),
            not_before_ms: START,
            not_after_ms: START + 80 * 24 * 3_600_000,
        }],
        recovery_hash: recovery_hash(&key(200).public()),
        sequence: 1,
        gone: false,
    };
    let draft = RecordDraft {
        endpoints: Vec::new(),
        sequence: now_ms.unsigned_abs(),
        not_after_ms: now_ms + hours * 3_600_000,
        display_name: String::new(),
        description: String::new(),
        listed: false,
        registration: Registration::Closed,
        sign_in: Vec::new(),
        navigation: None,
    };
    let signed = sign_record(&key(100), &sign_charter(&key(1), charter).unwrap(), draft, now_ms).unwrap();
    signed.bytes().clone()
}

struct Stage {
    hub: Hub,
    clock: Arc<AtomicI64>,
    records: watch::Sender<Bytes>,
    config: Config,
    stop: watch::Sender<bool>,
}

fn stage(limits: Limits) -> Stage {
    startalk_net::install_crypto();
    let clock = Arc::new(AtomicI64::new(START));
    let read = clock.clone();
    // Nobody answers there: nothing is asked outside.
    let asked = DiscoveryConfig { name_servers: Some(vec!["127.0.0.1:1".parse().unwrap()]), ..DiscoveryConfig::default() };
    let (stop, stopping) = watch::channel(false);
    let relay = Relay::new(&["Hub.Example".to_owned(), "192.0.2.9".to_owned()], limits);
    let hub = Hub::new(Discovery::new(asked).unwrap(), Arc::new(move || read.load(Ordering::Relaxed)), false, relay, stopping);
    let (records, seen) = watch::channel(record(START, 40));
    let config = Config {
        hub: "https://hub.example".parse().unwrap(),
        names: Names::system(),
        endpoint: startalk_net::client_endpoint().unwrap(),
        extra_roots: Vec::new(),
        certificate: Arc::new(|| LinkCertificate::new(&key(100)).unwrap()),
        records: seen,
        serve: Arc::new(|_| {}),
        random: Arc::new(|| 0),
        timings: Timings::default(),
    };
    Stage { hub, clock, records, config, stop }
}

impl Stage {
    /// Both sides of a tether; what became of the node's, and the hub's task.
    fn tether(&self, key: [u8; 32]) -> (watch::Receiver<State>, JoinHandle<Down>, JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let control = Control::new(Box::new(theirs) as Box<dyn Io>);
        let hub = tokio::spawn(serve(self.hub.clone(), control, Some(key), "198.51.100.7:5000".parse().unwrap(), None, None));
        let (state, seen) = watch::channel(State::Trying);
        let config = self.config.clone();
        let node = tokio::spawn(async move { talk(&config, Control::new(ours), Over::Tls, None, &state).await });
        (seen, node, hub)
    }
}

#[tokio::test(start_paused = true)]
async fn a_tether_lasts_for_a_day_and_its_end_is_noticed_by_both() {
    let stage = stage(Limits::default());
    let (mut state, node, hub) = stage.tether(key(100).public());
    let up = state.wait_for(|s| matches!(s, State::Up { .. })).await.unwrap().clone();
    let State::Up { names, address, .. } = up else { unreachable!() };
    let under = format!("{}.hub.example", domain().as_str().split('.').next().unwrap());
    assert_eq!(names, [domain().to_string(), under.clone()], "an address of the hub has no names under it");
    assert_eq!(address, "198.51.100.7:5000");
    for hour in 1..=24_i64 {
        sleep(HOUR).await;
        stage.clock.fetch_add(3_600_000, Ordering::Relaxed);
        if hour % 12 == 0 {
            stage.records.send_replace(record(START + hour * 3_600_000, 40)); // as nodes do
        }
        assert_eq!(stage.hub.relay().standing().tethers_tls, 1, "after {hour} hours");
        assert!(!node.is_finished() && !hub.is_finished());
        assert!(stage.hub.relay().of(domain().as_str()).is_some() && stage.hub.relay().of(&under).is_some());
    }
    // The node falls silent, and hears nothing any more; nobody says goodbye.
    let cut = Instant::now();
    node.abort();
    hub.await.unwrap();
    assert!(cut.elapsed() < Duration::from_secs(120), "{:?}", cut.elapsed());
    assert_eq!(stage.hub.relay().standing().tethers_tls, 0);
    assert!(stage.hub.relay().of(&under).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_says_nothing_any_more_is_left() {
    let stage = stage(Limits::default());
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (state, _seen) = watch::channel(State::Trying);
    let began = Instant::now();
    let down = talk(&stage.config, Control::new(ours), Over::Tls, None, &state).await;
    let waited = began.elapsed();
    drop(theirs);
    assert!(matches!(down, Down::Lost(_)), "{down:?}");
    assert!(waited >= Duration::from_secs(75) && waited <= Duration::from_secs(120), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_be_tethered_is_told_why() {
    let refused = async |stage: &Stage, with: [u8; 32]| match stage.tether(with).1.await.unwrap() {
        Down::Refused(error) => error.code.as_str().to_owned(),
        other => format!("{other:?}"),
    };
    let stage_of = |tethers| stage(Limits { tethers, ..Limits::default() });
    let good = key(100).public();
    assert_eq!(refused(&stage_of(9), key(7).public()).await, "wrong-key", "not one of the record's link keys");
    assert_eq!(refused(&stage_of(0), good).await, "too-many");
    let late = stage_of(9);
    late.clock.fetch_add(41 * 3_600_000, Ordering::Relaxed);
    assert_eq!(refused(&late, good).await, "expired", "the record is too old");
    let stopping = stage_of(9);
    let (mut state, node, _hub) = stopping.tether(good);
    state.wait_for(|s| matches!(s, State::Up { .. })).await.unwrap();
    stopping.stop.send(true).unwrap();
    assert!(matches!(node.await.unwrap(), Down::Refused(e) if e.code.as_str() == "stopping"));
}
