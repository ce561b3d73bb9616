//! Hostile domains dial a node, over QUIC and over TLS: each is refused with a named error, is shown by `startalk peers`,
//! costs the sender only, and the traffic between two honest domains goes on meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;
use bytes::Bytes;
use prost::Message as _;
use serde_json::Value;
use startalk_e2e::{Node, Person, Seed, World, person, until};
use startalk_hostile::{Address, Connection, Mallory, Over, connection::PATIENCE, items::message, key, position};
use startalk_link::{Position, item_hash};
use startalk_net::{ALPN_CLIENT, AddressGuard, Connect, Names, Verify, client_endpoint, connect_quic};
use startalk_protocol::{
    DomainName,
    limits::{LINK_FRAME_BYTES_MAX, LINK_HELLO_BYTES_MAX},
    pb::{
        link::frame::Frame as Kind,
        trust::{Charter, Endpoint, LinkKey, Record, SignedCharter, SignedRecord},
    },
    signing::Purpose,
};

/// How often `startalk peers` says that this was refused to somebody who claimed to be this domain.
fn refusals(node: &Node, domain: &DomainName, code: &str) -> u64 {
    let link = node.link(domain.as_str()).unwrap_or_default();
    let all = link["refusals"].as_array().cloned().unwrap_or_default();
    all.iter().find(|r| r["error"]["code"] == code).and_then(|r| r["count"].as_u64()).unwrap_or(0)
}

/// The node under attack, its honest peer, and two people who keep talking.
struct Town {
    world: World,
    a: Node,
    b: Node,
    alice: Arc<Person>,
    bob: Arc<Person>,
    stop: Arc<AtomicBool>,
    talking: tokio::task::JoinHandle<anyhow::Result<()>>,
    a_name: DomainName,
    b_name: DomainName,
}

impl Town {
    async fn new() -> anyhow::Result<Self> {
        let world = World::new()?;
        let (a, b) = (world.node("a")?, world.node("b")?);
        let alice = Arc::new(Person::register(&a.first_link, "alice").await?);
        let bob = Arc::new(Person::register(&b.first_link, "bob").await?);
        let stop = Arc::<AtomicBool>::default();
        let (one, other, stopped) = (alice.clone(), bob.clone(), stop.clone());
        let talking = tokio::spawn(async move {
            while !stopped.load(Ordering::Acquire) {
                one.say(&other.user).await?;
                other.say(&one.user).await?;
                let (there, back) = (one.said_count(), other.said_count());
                until("the honest to be heard", || {
                    std::future::ready((
                        other.arrived() + 20 > there && one.arrived() + 20 > back,
                        other.arrived() + one.arrived(),
                    ))
                })
                .await?;
            }
            Ok(())
        });
        let (a_name, b_name) = (a.domain.parse()?, b.domain.parse()?);
        Ok(Self { world, a, b, alice, bob, stop, talking, a_name, b_name })
    }

    /// Where b is.
    fn at(&self) -> anyhow::Result<Address> {
        Ok(Address::here(u16::try_from(self.b.port)?))
    }

    /// Dials b with this key and says this hello; the code with which b closes.
    async fn hello(
        &self,
        over: Over,
        mallory: &Mallory,
        certificate: u8,
        hello: startalk_protocol::pb::link::Hello,
    ) -> anyhow::Result<String> {
        let certificate = if certificate == 0 { mallory.link.clone() } else { key(certificate) };
        let mut dialed = Connection::dial(over, &self.at()?, &self.b_name, &certificate).await?;
        dialed.say(Kind::Hello(hello)).await;
        dialed.closed_with().await
    }

    /// It is shown, so many times at least.
    async fn shown(&self, domain: &DomainName, code: &str, times: u64) -> anyhow::Result<()> {
        until(&format!("{code} of {domain} to be shown"), || {
            let shown = refusals(&self.b, domain, code);
            std::future::ready((shown >= times, shown))
        })
        .await
    }

    /// The honest were heard all the time, and everything arrives.
    async fn end(self) -> anyhow::Result<()> {
        let (at_bob, at_alice) = (self.bob.arrived() + 20, self.alice.arrived() + 20);
        until("the honest go on", || {
            let (bob, alice) = (self.bob.arrived(), self.alice.arrived());
            std::future::ready((bob >= at_bob && alice >= at_alice, bob + alice))
        })
        .await?;
        let link = self.a.link(&self.b.domain)?;
        assert_eq!(link["state"], "connected", "{link}");
        self.stop.store(true, Ordering::Release);
        self.talking.await??;
        self.bob.hears_all_of(&self.alice).await?;
        self.alice.hears_all_of(&self.bob).await?;
        person::agree(&self.alice, &self.bob).await?;
        self.bob.tally(&self.alice.user).check("at bob", &self.alice.said.lock().expect("no panic"));
        self.alice.tally(&self.bob.user).check("at alice", &self.bob.said.lock().expect("no panic"));
        let said = self.b.said();
        assert!(!said.contains("panicked"), "{said}");
        self.world.done();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_claims_another_domain() -> anyhow::Result<()> {
    let town = Town::new().await?;
    let (mallory, victim, b) = (Mallory::new(1), town.a_name.clone(), town.b_name.clone());
    // Once is enough for b to know the victim, which it needs to be shown under its name.
    let true_record: Bytes = fetch_record(&town.a).await?;
    for over in [Over::Quic, Over::Tls] {
        // With a record of its own.
        let hello = startalk_protocol::pb::link::Hello { from: victim.to_string(), ..mallory.hello(&b, mallory.record(1)) };
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "wrong-domain", "{over:?}");
        // With the victim's true record and without its key.
        let hello = startalk_protocol::pb::link::Hello { from: victim.to_string(), ..mallory.hello(&b, true_record.clone()) };
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "wrong-key", "{over:?}");
        // With a charter of its own that names the victim, signed by its own root key.
        let hello =
            startalk_protocol::pb::link::Hello { from: victim.to_string(), ..mallory.hello(&b, forged(&mallory, &victim)) };
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "bad-signature", "{over:?}");
        // As the node itself, and to somebody else.
        let hello = startalk_protocol::pb::link::Hello { from: b.to_string(), ..mallory.hello(&b, mallory.record(1)) };
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "wrong-domain", "{over:?}");
        let hello = mallory.hello(&victim, mallory.record(1));
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "wrong-domain", "{over:?}");
    }
    town.shown(&victim, "wrong-domain", 2).await?;
    town.shown(&victim, "wrong-key", 2).await?;
    town.shown(&victim, "bad-signature", 2).await?;
    town.end().await
}

/// What a node serves at its well-known address.
async fn fetch_record(node: &Node) -> anyhow::Result<Bytes> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", u16::try_from(node.port)?)).await?;
    let request = format!("GET /.well-known/startalk/domain HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.domain);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").context("an answer")? + 4;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    Ok(Bytes::from(answer).slice(end..))
}

/// A record of `victim` in which everything is as it should be, but that its keys are Mallory's.
fn forged(mallory: &Mallory, victim: &DomainName) -> Bytes {
    let own = SignedRecord::decode(mallory.record(1)).expect("own");
    let record = Record::decode(own.record).expect("own");
    let charter = SignedCharter::decode(record.charter.clone()).expect("own");
    let charter = Charter { domain: victim.to_string(), ..Charter::decode(charter.charter).expect("own") }.encode_to_vec();
    let signature = mallory.root.sign(Purpose::Charter, &charter).to_vec().into();
    let charter = SignedCharter { charter: charter.into(), signature }.encode_to_vec();
    let record = Record { charter: charter.into(), ..record }.encode_to_vec();
    let signature = mallory.link.sign(Purpose::Record, &record).to_vec().into();
    let link_key = mallory.link.public().to_vec().into();
    SignedRecord { record: record.into(), link_key, signature }.encode_to_vec().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_and_keys_that_do_not_fit() -> anyhow::Result<()> {
    let town = Town::new().await?;
    let b = town.b_name.clone();
    for (number, over) in [(10, Over::Quic), (20, Over::Tls)] {
        let mallory = Mallory::new(number);
        let good = SignedRecord::decode(mallory.record(7))?;
        // Signed by a key that is not in the charter.
        let other = key(77);
        let signature = other.sign(Purpose::Record, &good.record).to_vec().into();
        let wrong = SignedRecord { link_key: other.public().to_vec().into(), signature, ..good.clone() };
        let hello = mallory.hello(&b, wrong.encode_to_vec().into());
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "wrong-key", "{over:?}");
        // With a signature of another record.
        let other = SignedRecord::decode(mallory.record(8))?;
        let wrong = SignedRecord { signature: other.signature, ..good.clone() };
        let hello = mallory.hello(&b, wrong.encode_to_vec().into());
        assert_eq!(town.hello(over, &mallory, 0, hello).await?, "bad-signature", "{over:?}");
        // With a charter in which a link key was added later.
        let record = Record::decode(good.record.clone())?;
        let signed = SignedCharter::decode(record.charter.clone())?;
        let mut charter = Charter::decode(signed.charter.clone())?;
        charter.link_keys.push(LinkKey { key: key(78).public().to_vec().into(), ..charter.link_keys[0].clone() });
        let charter = SignedCharter { charter: charter.encode_to_vec().into(), ..signed }.encode_to_vec();
        let record = Record { charter: charter.into(), ..record }.encode_to_vec();
        let signature = key(78).sign(Purpose::Record, &record).to_vec().into();
        let wrong = SignedRecord { record: record.into(), link_key: key(78).public().to_vec().into(), signature };
        let hello = mallory.hello(&b, wrong.encode_to_vec().into());
        assert_eq!(town.hello(over, &mallory, 78, hello).await?, "bad-signature", "{over:?}");
        // The true record, with another key in TLS.
        assert_eq!(town.hello(over, &mallory, 79, mallory.hello(&b, mallory.record(7))).await?, "wrong-key", "{over:?}");
        town.shown(&mallory.domain, "wrong-key", 2).await?;
        town.shown(&mallory.domain, "bad-signature", 2).await?;

        // It shows a good one, and then one that is older.
        let mut dialed = Connection::dial(over, &town.at()?, &b, &mallory.link).await?;
        dialed.say(Kind::Hello(mallory.hello(&b, mallory.record(7)))).await;
        dialed.welcomed().await.context("the good record")?;
        dialed.vanish();
        assert_eq!(town.hello(over, &mallory, 0, mallory.hello(&b, mallory.record(6))).await?, "older-record", "{over:?}");
        town.shown(&mallory.domain, "older-record", 1).await?;
    }
    town.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_too_large_random_or_cut() -> anyhow::Result<()> {
    let town = Town::new().await?;
    let mut seed = Seed::new("refused");
    let b = town.b_name.clone();
    for (number, over) in [(30, Over::Quic), (40, Over::Tls)] {
        let mallory = Mallory::new(number);
        let dial = async || Connection::dial(over, &town.at()?, &b, &mallory.link).await;
        // Before anybody knows who it is: only the length is needed, and nothing is kept for it.
        for length in [LINK_HELLO_BYTES_MAX + 1, LINK_FRAME_BYTES_MAX, u32::MAX as usize] {
            let mut dialed = dial().await?;
            dialed.say_bytes(Bytes::copy_from_slice(&u32::try_from(length)?.to_be_bytes())).await;
            assert_eq!(dialed.closed_with().await?, "too-large", "{over:?} {length}");
        }
        for _ in 0..20 {
            let length = seed.between(1, 4000);
            let mut bytes = u32::try_from(length)?.to_be_bytes().to_vec();
            bytes.extend((0..length).map(|_| u8::try_from(seed.between(0, 256)).unwrap_or(0)));
            let mut dialed = dial().await?;
            dialed.say_bytes(bytes).await;
            let code = dialed.closed_with().await?;
            assert!(["malformed", "unsupported-version", "too-many"].contains(&code.as_str()), "{over:?}: {code:?}");
        }
        // A frame that is no hello.
        let mut dialed = dial().await?;
        dialed.say(Kind::Batch(mallory.batch(&b, 1, &[message(1, "mallory", "bob", "hi")]))).await;
        assert_eq!(dialed.closed_with().await?, "malformed", "{over:?}");
        // A hello that stops in the middle: nobody waits for it but the one connection.
        let hello = startalk_protocol::framing::encode(&startalk_protocol::pb::link::Frame {
            frame: Some(Kind::Hello(mallory.hello(&b, mallory.record(1)))),
        });
        for _ in 0..20 {
            let mut dialed = dial().await?;
            dialed.say_bytes(hello.slice(..usize::try_from(seed.between(1, hello.len() as u64))?)).await;
            dialed.vanish();
        }
        // From a domain that was let in, it is shown under its name.
        for (at, (bytes, code)) in [
            (u32::MAX.to_be_bytes().to_vec(), "too-large"),
            ([&100_u32.to_be_bytes()[..], &[0xff; 100]].concat(), "malformed"),
            ([&0_u32.to_be_bytes()[..], &[]].concat(), "malformed"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut dialed = dial().await?;
            dialed.say(Kind::Hello(mallory.hello(&b, mallory.record(1 + at as u64)))).await;
            dialed.welcomed().await?;
            dialed.say_bytes(bytes).await;
            assert_eq!(dialed.closed_with().await?, code, "{over:?}");
        }
        town.shown(&mallory.domain, "too-large", 1).await?;
        town.shown(&mallory.domain, "malformed", 2).await?;
    }
    // Many who connect and say nothing.
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(tokio::net::TcpStream::connect(("127.0.0.1", u16::try_from(town.b.port)?)).await?);
    }
    let heard = town.bob.arrived();
    until("the honest go on beside the silent", || std::future::ready((town.bob.arrived() > heard + 20, town.bob.arrived())))
        .await?;
    drop(silent);
    town.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_are_replayed_forged_or_out_of_order() -> anyhow::Result<()> {
    let town = Town::new().await?;
    let b = town.b_name.clone();
    for (number, over) in [(50, Over::Quic), (60, Over::Tls)] {
        let mallory = Mallory::new(number);
        let author = format!("mallory@{}", mallory.domain);
        let first = message(number, "mallory", "bob", "mallory 1: once");
        let start = mallory.sent;
        let after = start.after(&item_hash(&first));
        let mut sequence = 0;
        // Each link is a new one, with a newer record; what the outbox says to hold is what was sent so far.
        let mut link = async |sent: &Position| -> anyhow::Result<Connection> {
            sequence += 1;
            let mut dialed = Connection::dial(over, &town.at()?, &b, &mallory.link).await?;
            let hello = mallory.hello(&b, mallory.record(sequence));
            dialed.say(Kind::Hello(startalk_protocol::pb::link::Hello { sent: Some(position(sent)), ..hello })).await;
            dialed.welcomed().await?;
            Ok(dialed)
        };
        let good = mallory.batch(&b, 1, std::slice::from_ref(&first));
        let mut dialed = link(&after).await?;
        dialed.say(Kind::Batch(good.clone())).await;
        let ack = dialed.acknowledged(1).await.context("a good batch")?;
        assert!(ack.refused.is_empty(), "{ack:?}");
        // The same again, on the same link and on the next one: acknowledged again, without another effect.
        dialed.say(Kind::Batch(good.clone())).await;
        dialed.acknowledged(1).await.context("replayed on the link")?;
        // Under the same number something else, well signed: it is behind what was taken, and has no effect either.
        dialed.say(Kind::Batch(mallory.batch(&b, 1, &[message(number + 1, "mallory", "bob", "mallory 2: instead")]))).await;
        dialed.acknowledged(1).await.context("another one under the same number")?;
        dialed.vanish();
        let mut dialed = link(&after).await?;
        dialed.say(Kind::Batch(good.clone())).await;
        dialed.acknowledged(1).await.context("replayed on the next link")?;
        dialed.vanish();

        let next = message(number + 2, "mallory", "bob", "mallory 3: forged");
        let fitting = mallory.batch(&b, 2, std::slice::from_ref(&next));
        let forged = startalk_protocol::pb::link::Batch { signature: good.signature.clone(), ..fitting.clone() };
        let other_key = startalk_protocol::pb::link::Batch { link_key: key(77).public().to_vec().into(), ..fitting.clone() };
        let other_epoch = startalk_protocol::pb::link::Batch { epoch: vec![7; 16].into(), ..fitting.clone() };
        let to_other = mallory.batch(&town.a_name, 2, std::slice::from_ref(&next));
        let later = mallory.batch(&b, 5, std::slice::from_ref(&next));
        let many = mallory.batch(&b, 2, &vec![next.clone(); 65]);
        let large = mallory.batch(&b, 2, &[Bytes::from(vec![1; 200 * 1024])]);
        let none = mallory.batch(&b, 2, &[]);
        for (batch, code) in [
            (forged, "bad-signature"),
            (to_other, "bad-signature"),
            (other_key, "wrong-key"),
            (other_epoch, "malformed"),
            (later, "out-of-order"),
            (many, "too-many"),
            (large, "too-large"),
            (none, "malformed"),
        ] {
            let mut dialed = link(&after).await?;
            dialed.say(Kind::Batch(batch)).await;
            assert_eq!(dialed.closed_with().await?, code, "{over:?}");
            town.shown(&mallory.domain, code, 1).await?;
        }
        // An ack of what was never sent to it.
        let mut dialed = link(&after).await?;
        let ack = startalk_protocol::pb::link::Ack { epoch: vec![7; 16].into(), sequence: 9, refused: Vec::new() };
        dialed.say(Kind::Ack(ack)).await;
        assert_eq!(dialed.closed_with().await?, "malformed", "{over:?}");
        // An outbox that is behind what was taken, and one with another past: it went back, or it lies.
        let mut dialed = link(&start).await?;
        assert_eq!(dialed.closed_with().await?, "went-back", "{over:?}");
        let mut dialed = link(&start.after(&[3; 32])).await?;
        assert_eq!(dialed.closed_with().await?, "went-back", "{over:?}");

        // What arrived of all this: one message, once, which asks to be let in.
        let peers: Value = town.b.ask(&["peers"])?;
        let shown =
            peers["peers"].as_array().and_then(|all| all.iter().find(|p| p["domain"] == mallory.domain.as_str())).cloned();
        assert_eq!(shown.context("mallory is shown")?["received"], 1, "{peers}");
        let author_id = author.parse()?;
        until("the one message", || std::future::ready((town.bob.tally(&author_id).count() == 1, 0))).await?;
        let tally = town.bob.tally(&author_id);
        assert!(tally.doubled.is_empty());
        assert_eq!(tally.texts.into_values().collect::<Vec<_>>(), ["mallory 1: once"]);
        assert_eq!(town.bob.history(&author_id).await?.len(), 1);
    }
    town.end().await
}

/// Over QUIC: the handshake is done, and then nothing. The node itself keeps connections alive, so it has to end this one.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_opens_no_stream_is_let_go() -> anyhow::Result<()> {
    let world = World::new()?;
    let node = world.node("a")?;
    let endpoint = client_endpoint()?;
    let (names, endpoints) = (Names::system(), [Endpoint { host: "127.0.0.1".into(), port: u32::try_from(node.port)? }]);
    let what = Connect {
        endpoints: &endpoints,
        server_name: &node.domain,
        verify: Verify::AnyCertificate,
        alpn: &[ALPN_CLIENT],
        certificate: None,
        guard: AddressGuard::AllowPrivate,
        names: &names,
        timeout: PATIENCE,
    };
    let connection = connect_quic(&endpoint, &what).await?.connection;
    let ended = tokio::time::timeout(PATIENCE, connection.closed()).await;
    ended.context("it may stand there for good")?;
    Ok(())
}
