//! Programs are killed (SIGKILL) in the middle of traffic, again and again: no message that a device accepted is lost or
//! doubled, and each author's order holds.
//!
//! Each round kills node a, node b or the hub, by a seeded random choice at a seeded random moment, while at least
//! [`IN_FLIGHT_MIN`] messages are under way in each direction, and starts it again on the same folder and port.
//! `STARTALK_E2E_ROUNDS=100` for a long loop (6 otherwise), `STARTALK_E2E_SEED=<number>` to repeat one.
//! The device of one of the two is killed as well: what it had accepted goes on from its folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use startalk_client::{FileStore, UserId};
use startalk_e2e::{Node, Person, Seed, World, person, seed::from_environment, until};
use tokio::task::JoinHandle;

/// Messages under way in each direction when something is killed, at least.
const IN_FLIGHT_MIN: u64 = 200;
/// Messages under way in each direction above which nothing more is said.
const IN_FLIGHT_MAX: u64 = 400;
/// Messages of each direction that arrive between two kills, at least.
const BETWEEN_KILLS: u64 = 100;

/// Two people who keep talking until they are told to stop.
struct Talk {
    alice: Arc<Person>,
    bob: Arc<Person>,
    stop: Arc<AtomicBool>,
    talking: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Talk {
    fn begin(alice: Person, bob: Person) -> Self {
        let (alice, bob, stop) = (Arc::new(alice), Arc::new(bob), Arc::<AtomicBool>::default());
        let talk = |one: &Arc<Person>, other: &Arc<Person>| tokio::spawn(keep_talking(one.clone(), other.clone(), stop.clone()));
        let talking = vec![talk(&alice, &bob), talk(&bob, &alice)];
        Self { alice, bob, stop, talking }
    }

    /// Messages that one's device has accepted and the other has not received.
    fn in_flight(&self) -> (u64, u64) {
        (self.alice.said_count() - self.bob.arrived(), self.bob.said_count() - self.alice.arrived())
    }

    /// Waits until so many more have arrived in each direction, and enough are under way.
    async fn goes_on(&self, more: u64) -> anyhow::Result<(u64, u64)> {
        let (at_bob, at_alice) = (self.bob.arrived() + more, self.alice.arrived() + more);
        let mut seen = (0, 0);
        until("more messages in both directions", || {
            let (bob, alice) = (self.bob.arrived(), self.alice.arrived());
            seen = self.in_flight();
            let done = bob >= at_bob && alice >= at_alice && seen.0 >= IN_FLIGHT_MIN && seen.1 >= IN_FLIGHT_MIN;
            std::future::ready((done, bob + alice + seen.0 + seen.1))
        })
        .await?;
        Ok(seen)
    }

    /// Lets everything arrive and counts it.
    async fn end(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Release);
        for talking in self.talking {
            talking.await??;
        }
        self.bob.hears_all_of(&self.alice).await?;
        self.alice.hears_all_of(&self.bob).await?;
        let both = person::agree(&self.alice, &self.bob).await?;
        let (alice_said, bob_said) =
            (self.alice.said.lock().expect("no panic").clone(), self.bob.said.lock().expect("no panic").clone());
        assert_eq!(both, (alice_said.len() + bob_said.len()) as u64, "messages in the conversation");
        self.bob.tally(&self.alice.user).check("at bob", &alice_said);
        self.alice.tally(&self.bob.user).check("at alice", &bob_said);
        for one in [&self.alice, &self.bob] {
            one.with(|heard| {
                assert_eq!(heard.acknowledged.len() as u64, one.said_count(), "{}: acknowledged", one.user);
                assert_eq!(
                    (&heard.failed[..], &heard.refused[..], &heard.gaps[..], heard.went_back),
                    (&[][..], &[][..], &[][..], 0),
                    "{}",
                    one.user
                );
            });
        }
        Ok(())
    }
}

async fn keep_talking(one: Arc<Person>, other: Arc<Person>, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    while !stop.load(Ordering::Acquire) {
        if one.said_count() < other.arrived() + IN_FLIGHT_MAX {
            one.say(&other.user).await?;
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_programs_are_killed() -> anyhow::Result<()> {
    let rounds = from_environment("STARTALK_E2E_ROUNDS", 6);
    let mut seed = Seed::new("kill_loop");
    let mut world = World::new()?;
    let mut nodes: [Node; 2] = [world.node("a")?, world.node("b")?];
    let alice = Person::register(&nodes[0].first_link, "alice").await?;
    let bob = Person::register(&nodes[1].first_link, "bob").await?;
    let talk = Talk::begin(alice, bob);
    for round in 1..=rounds {
        talk.goes_on(BETWEEN_KILLS).await?;
        tokio::time::sleep(Duration::from_millis(seed.between(0, 500))).await;
        // In CI's few rounds each of the three is killed; which when is chance.
        let victim = (round + seed.number) % 3;
        let victim = if rounds > 6 { seed.between(0, 3) } else { victim };
        let in_flight = talk.goes_on(0).await?;
        let name = if victim == 2 { "the hub" } else { ["node a", "node b"][usize::try_from(victim)?] };
        match usize::try_from(victim)? {
            2 => world.kill_hub()?,
            node => nodes[node].kill()?,
        }
        println!("round {round}: {name} killed with {} and {} messages in flight", in_flight.0, in_flight.1);
        assert!(in_flight.0 >= IN_FLIGHT_MIN && in_flight.1 >= IN_FLIGHT_MIN);
        tokio::time::sleep(Duration::from_millis(seed.between(0, 500))).await;
        match usize::try_from(victim)? {
            2 => world.start_hub()?,
            node => nodes[node].start()?,
        }
    }
    talk.goes_on(BETWEEN_KILLS).await?;
    talk.end().await?;
    world.done();
    Ok(())
}

/// Times that the device is killed.
const DEVICE_KILLS: usize = 3;
/// Messages of each direction around each of them.
const AROUND_A_KILL: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_killed_goes_on_from_its_folder() -> anyhow::Result<()> {
    let world = World::new()?;
    let (a, b) = (world.node("a")?, world.node("b")?);
    let bob = Arc::new(Person::register(&b.first_link, "bob").await?);
    let (folder, link, to_bob) = (world.folder.join("alice"), a.first_link.clone(), bob.user.clone());
    let said = Arc::default();
    let mut heard = BTreeMap::new();
    for life in 0..=DEVICE_KILLS {
        let device = Device(Some(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?));
        let store = opened(&folder).await?;
        let (link, said) = (link.clone(), Arc::clone(&said));
        let alice = device.runtime().spawn(async move {
            match life {
                0 => Person::register_in(&link, "alice", Box::new(store), said).await,
                _ => Person::resume(&link, Box::new(store), said),
            }
        });
        let alice = Arc::new(alice.await??);
        // From here on the folder knows where to go on.
        until("the device's cursor", || std::future::ready((folder.join("heard").exists(), 0))).await?;
        let (saying, to_alice, from) = (bob.clone(), alice.user.clone(), bob.arrived());
        let bob_says = tokio::spawn(async move { saying.say_many(&to_alice, AROUND_A_KILL).await });
        alice.say_many(&to_bob, 20).await?;
        until("some messages at bob", || std::future::ready((bob.arrived() >= from + 20, bob.arrived()))).await?;
        let (saying, to_bob) = (alice.clone(), to_bob.clone());
        device.runtime().spawn(async move { saying.say_many(&to_bob, AROUND_A_KILL).await }).await??;
        let last = life == DEVICE_KILLS;
        if last {
            bob.hears_all_of(&alice).await?;
        } else {
            let pending = alice.session.status().pending;
            assert!(pending >= 200, "{pending} messages wait in the device when it is killed");
            println!("device killed with {pending} messages waiting, {} heard", alice.arrived());
        }
        bob_says.await??;
        if last {
            until("everything that bob said", || {
                let all = alice.tally(&bob.user).texts.keys().chain(heard.keys()).collect::<BTreeSet<_>>().len() as u64;
                std::future::ready((all >= bob.said_count(), all))
            })
            .await
            .inspect_err(|_| {
                let all: BTreeSet<u64> = alice.tally(&bob.user).texts.keys().chain(heard.keys()).copied().collect();
                let missing: Vec<u64> = (1..=bob.said_count()).filter(|n| !all.contains(n)).collect();
                println!("missing {missing:?}, gaps {:?}", alice.with(|h| h.gaps.clone()));
            })?;
            person::agree(&alice, &bob).await?;
        }
        drop(device);
        // A message is told once per process, and in order; those that the killed one had not finished with come again.
        let told = alice.tally(&bob.user);
        assert_eq!((&told.doubled[..], &told.out_of_order[..]), (&[][..], &[][..]), "life {life}");
        heard.extend(told.texts);
    }
    let alice: UserId = format!("alice@{}", a.domain).parse()?;
    bob.tally(&alice).check("at bob", &said.lock().expect("no panic"));
    let bob_said = bob.said.lock().expect("no panic").clone();
    assert_eq!(heard.into_values().collect::<Vec<_>>(), bob_said, "everything that bob said, over all lives of the device");
    world.done();
    Ok(())
}

/// Everything that a device runs in; dropping it is what a kill would be: nothing is said, written or waited for.
struct Device(Option<tokio::runtime::Runtime>);

impl Device {
    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.0.as_ref().expect("taken by drop only")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens the folder as soon as the killed device has let it go.
async fn opened(folder: &Path) -> anyhow::Result<FileStore> {
    let mut store = None;
    until("the killed device's folder", || {
        store = FileStore::open(folder).ok();
        std::future::ready((store.is_some(), 0))
    })
    .await?;
    store.ok_or_else(|| anyhow::anyhow!("opened"))
}
