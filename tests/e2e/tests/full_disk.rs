//! A node whose disk fills up: what adds is refused by name, reading and recalling go on, nothing is damaged, and with
//! space everything goes on. Also with not one byte free, and killed (SIGKILL) there.
//!
//! The disk is a tmpfs of 320 MiB in a mount namespace; where the kernel refuses to make one, the tests say so and end.

use startalk_client::content;
use startalk_e2e::{Node, Person, SmallDisk, World, person, until};

/// 12 MB above the reserve of 268 MB, and what an empty domain takes.
const DISK_BYTES: u64 = 320 << 20;
/// Free bytes below which a node takes nothing new.
const RESERVE_BYTES: u64 = 256 << 20;

fn small_disk(world: &World) -> Option<SmallDisk> {
    match SmallDisk::new(&world.folder.join("small"), DISK_BYTES) {
        Ok(disk) => Some(disk),
        Err(why) => {
            println!("skipped: no small disk can be made here: {why}");
            None
        }
    }
}

fn node_on(disk: &SmallDisk, world: &World) -> anyhow::Result<Node> {
    let mut node = world.unstarted("a", &["--hub", &world.hub_url, "--allow-private-addresses"]);
    node.data = disk.path.join("a");
    node.start()?;
    Ok(node)
}

/// Says something until the node answers as expected; the free space is looked at once a second.
async fn say_until(alice: &Person, bob: &Person, expected: Result<(), String>) -> anyhow::Result<()> {
    until(&format!("{expected:?} as an answer"), || async {
        let outcome = alice.try_to_say(&bob.user).await;
        (outcome.is_ok_and(|o| o == expected), alice.said_count())
    })
    .await
}

fn disk_of(node: &Node) -> anyhow::Result<String> {
    let found = node.ask(&["doctor"])?;
    let findings = found["findings"].as_array().cloned().unwrap_or_default();
    let bad: Vec<_> = findings.iter().filter(|f| f["state"] == "bad" && f["check"] != "disk").collect();
    assert!(bad.is_empty(), "{bad:?}");
    Ok(findings.iter().find(|f| f["check"] == "disk").and_then(|f| f["state"].as_str()).unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_the_reserve_nothing_new_is_taken_and_reading_goes_on() -> anyhow::Result<()> {
    let world = World::new()?;
    let Some(disk) = small_disk(&world) else {
        world.done();
        return Ok(());
    };
    let (a, b) = (node_on(&disk, &world)?, world.node("b")?);
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = Person::register(&b.first_link, "bob").await?;
    alice.say_many(&bob.user, 20).await?;
    bob.say_many(&alice.user, 20).await?;
    bob.hears_all_of(&alice).await?;
    alice.hears_all_of(&bob).await?;
    assert_eq!(disk_of(&a)?, "good");

    disk.fill(RESERVE_BYTES - (4 << 20))?;
    say_until(&alice, &bob, Err("disk-full".to_owned())).await?;
    assert_eq!(alice.try_to_say(&bob.user).await?, Err("disk-full".to_owned()), "and from then on");
    assert_eq!(disk_of(&a)?, "bad");
    // What comes from elsewhere waits there.
    bob.say_many(&alice.user, 20).await?;
    until("bob's messages at his node", || std::future::ready((bob.session.status().pending == 0, 0))).await?;
    // Reading goes on.
    let history = alice.history(&bob.user).await?;
    assert_eq!(history.len() as u64, alice.said_count() + 20, "the whole conversation");
    // A recall frees, and reaches the other side.
    let conversation = alice.conversation(&bob.user).await?;
    let last = history.iter().rfind(|m| m.author == alice.user.to_string()).map_or(0, |m| m.sequence);
    let recall = alice.session.recall(conversation, last).await?;
    until("the recall", || std::future::ready((alice.with(|h| h.acknowledged.contains_key(&recall)), 0))).await?;
    until("the recall at bob", || async {
        let there = bob.history(&alice.user).await.unwrap_or_default();
        (there.iter().filter(|m| m.recalled).count() == 1, there.len() as u64)
    })
    .await?;

    disk.clear()?;
    say_until(&alice, &bob, Ok(())).await?;
    alice.say_many(&bob.user, 20).await?;
    bob.hears_all_of(&alice).await?;
    alice.hears_all_of(&bob).await?;
    bob.tally(&alice.user).check("at bob", &alice.said.lock().expect("no panic"));
    alice.tally(&bob.user).check("at alice", &bob.said.lock().expect("no panic"));
    assert_eq!(disk_of(&a)?, "good");
    assert_eq!(alice.with(|h| std::mem::take(&mut h.failed)), []);
    world.done();
    Ok(())
}

/// Bytes of a text so large that a second's worth of them does not fit into what the journal has set aside.
const LARGE_BYTES: usize = 60_000;
/// How many of them.
const LARGE_MESSAGES: usize = 200;
/// How often, and how many times at most, the log of a start that waits is looked at.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(100);
const LOOKS: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_not_one_byte_free() -> anyhow::Result<()> {
    let world = World::new()?;
    let Some(disk) = small_disk(&world) else {
        world.done();
        return Ok(());
    };
    let (mut a, b) = (node_on(&disk, &world)?, world.node("b")?);
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = Person::register(&b.first_link, "bob").await?;
    alice.say_many(&bob.user, 20).await?;
    bob.hears_all_of(&alice).await?;
    // From here on the views are there.
    a.stop()?;
    a.start()?;

    // The disk fills up under the node's hands, faster than it looks.
    let large = "0123456789".repeat(LARGE_BYTES / 10);
    let mut counters = Vec::new();
    for number in 0..LARGE_MESSAGES {
        counters.push(alice.session.send(bob.user.clone(), content::text(&large), bytes::Bytes::new()).await?);
        if number == LARGE_MESSAGES / 4 {
            disk.fill(0)?;
        }
    }
    until("an answer to each", || {
        let answers = alice.with(|h| h.failed.len() + counters.iter().filter(|c| h.acknowledged.contains_key(c)).count());
        std::future::ready((answers >= counters.len(), answers as u64))
    })
    .await?;
    let failed = alice.with(|h| std::mem::take(&mut h.failed));
    assert!(!failed.is_empty() && failed.iter().all(|(_, code)| code == "disk-full"), "{failed:?}");
    let taken = alice.with(|h| counters.iter().filter(|c| h.acknowledged.contains_key(c)).count());
    println!("{taken} large messages taken, {} refused, {} bytes free", failed.len(), disk.free()?);
    assert_eq!(taken + failed.len(), counters.len(), "each was taken or refused");
    let before = alice.history(&bob.user).await?;
    assert_eq!(before.len(), 20 + taken, "what was taken is there, with a full disk");

    a.kill()?;
    assert!(disk.free()? < 1 << 20, "nobody made space");
    // What a start lets go of is taken, too, and of what lies beside the journal something is not there.
    std::fs::remove_file(a.data.join("URL"))?;
    disk.full_while(|| a.start())?;
    assert_eq!(disk_of(&a)?, "bad");
    assert_eq!(alice.try_to_say(&bob.user).await?, Err("disk-full".to_owned()));
    assert_eq!(alice.history(&bob.user).await?.len(), before.len(), "after a start with a full disk");
    a.stop()?;
    disk.full_while(|| a.start())?;
    assert_eq!(alice.history(&bob.user).await?.len(), before.len(), "after a stop in order and a start, both with a full disk");

    // Views that have to be made anew need room. The start waits for it, says so, and goes on by itself.
    a.kill()?;
    std::fs::remove_dir_all(a.data.join("views"))?;
    std::fs::write(&a.log, "")?;
    let log = a.log.clone();
    let starting = std::thread::spawn(move || a.start().map(|()| a));
    disk.full_while(|| {
        for _ in 0..LOOKS {
            if std::fs::read_to_string(&log)?.contains("the disk is full") {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        anyhow::bail!("nobody said that the disk is full: {}", std::fs::read_to_string(&log)?)
    })?;
    assert!(!starting.is_finished(), "it waits");

    disk.clear()?;
    let mut a = starting.join().map_err(|_| anyhow::anyhow!("the start panicked"))??;
    say_until(&alice, &bob, Ok(())).await?;
    until("everything at bob", || async {
        let there = bob.history(&alice.user).await.map_or(0, |h| h.len());
        (there == 21 + taken, there as u64)
    })
    .await?;
    person::agree_on_ids(&alice, &bob).await?;
    a.stop()?;
    a.start()?;
    assert_eq!(disk_of(&a)?, "good");
    world.done();
    Ok(())
}
