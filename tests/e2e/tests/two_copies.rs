//! Two running copies of one node: a folder is copied, and both copies are started. Their peer notices, refuses both by
//! name, and all three show it; nothing is doubled; when one is stopped, the other goes on and nothing of its people is
//! lost.
//!
//! The waits between attempts are shortened by `STARTALK_TIMINGS=fast`; in a node as it is released they take minutes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;
use startalk_e2e::{Node, Person, World, node::copy_folder, person, until};
use tokio::task::JoinHandle;

/// Messages each way before the folder is copied.
const BEFORE: u64 = 50;

/// Whether `startalk peers` says that there are two copies of `domain` (or that we are one of two).
fn shows(node: &Node, domain: &str) -> bool {
    let link = node.link(domain).unwrap_or_default();
    let refusals = link["refusals"].as_array().cloned().unwrap_or_default();
    link["two_copies_ms"].is_u64()
        && refusals.iter().any(|r| r["error"]["code"] == "two-copies" && r["count"].as_u64() >= Some(1))
}

/// Says something whenever the one before was taken, until told to stop.
fn keep_talking(who: &Arc<Person>, to: &Arc<Person>, stop: &Arc<AtomicBool>) -> JoinHandle<anyhow::Result<()>> {
    let (who, to, stop) = (who.clone(), to.user.clone(), stop.clone());
    tokio::spawn(async move {
        while !stop.load(Ordering::Acquire) {
            who.say(&to).await?;
            until("a message to be taken", || std::future::ready((who.session.status().pending == 0, 0))).await?;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_are_noticed_and_refused_until_one_is_stopped() -> anyhow::Result<()> {
    let world = World::new()?;
    let node = |name: &str| -> anyhow::Result<Node> {
        let mut node = world.unstarted(name, &["--hub", &world.hub_url, "--allow-private-addresses"]);
        node.environment = vec![("STARTALK_TIMINGS".to_owned(), "fast".to_owned())];
        node.start()?;
        Ok(node)
    };
    let (mut a, b) = (node("a")?, node("b")?);
    let alice = Arc::new(Person::register(&a.first_link, "alice").await?);
    let password = a.ask(&["user", "add", "carol"])?["password"].as_str().context("password")?.to_owned();
    let bob = Arc::new(Person::register(&b.first_link, "bob").await?);
    alice.say_many(&bob.user, BEFORE).await?;
    bob.say_many(&alice.user, BEFORE).await?;
    bob.hears_all_of(&alice).await?;
    alice.hears_all_of(&bob).await?;

    a.kill()?;
    let mut copy = a.beside(world.folder.join("copy"));
    copy_folder(&a.data, &copy.data)?;
    a.start()?;
    copy.start()?;
    assert_eq!((&copy.domain, copy.port == a.port), (&a.domain, false), "one domain on two ports");
    // Carol has come to the copy; her messages are under numbers that the other copy gives to others.
    let carol = Arc::new(Person::sign_in(copy.port, "carol", &password).await?);
    let stop = Arc::default();
    let talking = [keep_talking(&alice, &bob, &stop), keep_talking(&carol, &bob, &stop), keep_talking(&bob, &alice, &stop)];

    until("b to show two copies", || std::future::ready((shows(&b, &a.domain), bob.arrived()))).await?;
    until("both copies to show that they are two", || {
        std::future::ready((shows(&a, &b.domain) && shows(&copy, &b.domain), bob.arrived()))
    })
    .await?;
    // It goes on so as long as both run.
    let seen = b.link(&a.domain)?["two_copies_ms"].as_u64();
    until("b to see them again", || std::future::ready((b.link(&a.domain).is_ok_and(|l| l["two_copies_ms"].as_u64() > seen), 0)))
        .await?;
    println!(
        "while both ran: {} of alice's {} at bob, {} of carol's {}",
        bob.tally(&alice.user).count(),
        alice.said_count(),
        bob.tally(&carol.user).count(),
        carol.said_count()
    );

    stop.store(true, Ordering::Release);
    for talking in talking {
        talking.await??;
    }
    copy.kill()?;
    let from_carol = bob.tally(&carol.user).count();
    bob.hears_all_of(&alice).await?;
    alice.hears_all_of(&bob).await?;
    until("the link", || std::future::ready((b.link(&a.domain).is_ok_and(|l| l["state"] == "connected"), 0))).await?;

    bob.tally(&alice.user).check("at bob", &alice.said.lock().expect("no panic"));
    alice.tally(&bob.user).check("at alice", &bob.said.lock().expect("no panic"));
    let both = person::agree(&alice, &bob).await?;
    assert_eq!(both, alice.said_count() + bob.said_count());
    // What the stopped copy had not delivered is with it; what it had is there once.
    let of_carol = bob.tally(&carol.user);
    assert_eq!((&of_carol.doubled[..], &of_carol.out_of_order[..]), (&[][..], &[][..]));
    assert!(of_carol.count() >= from_carol && of_carol.count() <= carol.said_count());
    world.done();
    Ok(())
}
