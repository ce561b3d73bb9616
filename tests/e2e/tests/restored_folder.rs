//! A node's folder is replaced by an older copy of itself: its peer loses and doubles nothing, the devices offer their
//! own messages again, and in the end both nodes have the same conversation.
//!
//! The copies: `cp -r` of a killed node; `startalk backup` of a running one, used as it is; and the same brought back by
//! `startalk restore`. `STARTALK_E2E_MESSAGES=1000` messages each way between copy and loss (300 otherwise).

use std::{path::Path, sync::Arc};

use startalk_client::{Language, content};
use startalk_e2e::{Node, Person, World, node::copy_folder, person, seed::from_environment, tally::number_of, until};

/// Messages each way before the copy is made.
const BEFORE: u64 = 100;
/// Messages each way while the node is down.
const MEANWHILE: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_killed_nodes_folder() -> anyhow::Result<()> {
    check(
        |a, copy| {
            a.kill()?;
            copy_folder(&a.data, copy)?;
            a.start()
        },
        |a, copy| Ok(std::fs::rename(copy, &a.data)?),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_used_as_it_is() -> anyhow::Result<()> {
    check(backup, |a, copy| Ok(std::fs::rename(copy, &a.data)?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_brought_back_by_restore() -> anyhow::Result<()> {
    check(backup, |a, copy| {
        let restored = a.ask(&["restore", &copy.display().to_string()])?;
        assert!(restored["restored"].as_u64() > Some(2 * BEFORE), "{restored}");
        Ok(())
    })
    .await
}

/// While it runs, and people talk.
fn backup(a: &mut Node, copy: &Path) -> anyhow::Result<()> {
    let made = a.ask(&["backup", &copy.display().to_string()])?;
    assert!(made["records"].as_u64() > Some(2 * BEFORE), "{made}");
    Ok(())
}

async fn check(
    make_copy: impl FnOnce(&mut Node, &Path) -> anyhow::Result<()>,
    put_back: impl FnOnce(&Node, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let after = from_environment("STARTALK_E2E_MESSAGES", 300);
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let alice = Arc::new(Person::register(&a.first_link, "alice").await?);
    let bob = Arc::new(Person::register(&b.first_link, "bob").await?);
    let both_say = async |count: u64| {
        let (one, other) = tokio::join!(alice.say_many(&bob.user, count), bob.say_many(&alice.user, count));
        one.and(other)
    };
    let both_hear = async || {
        bob.hears_all_of(&alice).await?;
        alice.hears_all_of(&bob).await
    };

    both_say(BEFORE).await?;
    both_hear().await?;
    let epoch = a.epoch()?;
    both_say(MEANWHILE).await?;
    let copy = world.folder.join("copy");
    make_copy(&mut a, &copy)?;
    both_say(after).await?;
    both_hear().await?;

    a.kill()?;
    std::fs::rename(&a.data, world.folder.join("lost"))?;
    put_back(&a, &copy)?;
    both_say(MEANWHILE).await?;
    a.start()?;

    until("alice's device to notice", || {
        std::future::ready((alice.with(|h| h.went_back > 0), alice.session.status().pending as u64))
    })
    .await?;
    bob.hears_all_of(&alice).await?;
    let total = alice.has_again(&bob).await?;

    assert_eq!(person::agree(&alice, &bob).await?, total, "messages in the conversation");
    bob.tally(&alice.user).check("at bob", &alice.said.lock().expect("no panic"));
    let told = alice.tally(&bob.user);
    assert_eq!((&told.doubled[..], &told.out_of_order[..]), (&[][..], &[][..]), "at alice, after her node went back");
    let at_a: Vec<u64> = (alice.history(&bob.user).await?.iter().filter(|m| m.author == bob.user.to_string()))
        .filter_map(|m| number_of(content::show(&m.content, Language::English).plain()))
        .collect();
    assert_eq!(at_a, (1..=bob.said_count()).collect::<Vec<_>>(), "what bob said, in the order in which it stands at node a");
    let again = alice.with(|h| h.acknowledged.values().filter(|(_, again)| *again).count() as u64);
    println!("{again} of alice's messages offered again, epoch {epoch} → {}", a.epoch()?);
    assert!(again >= after, "messages that were said after the copy are offered again: {again}");
    // The program begins an epoch of the domain; put back by hand, the peer shows the cut, and the link with it begins one.
    let link = a.link(&b.domain)?;
    assert!(a.epoch()? > epoch || link["restarted_ms"].is_u64(), "a new epoch: {link}");
    assert_eq!(b.link(&a.domain)?["restarted_ms"], serde_json::Value::Null, "bob's node goes on with its own");
    for one in [&alice, &bob] {
        one.with(|h| assert_eq!((&h.failed[..], &h.refused[..], &h.gaps[..]), (&[][..], &[][..], &[][..]), "{}", one.user));
    }
    assert_eq!(bob.with(|h| h.went_back), 0, "bob's node did not go back");
    // And it goes on.
    both_say(10).await?;
    bob.hears_all_of(&alice).await?;
    bob.tally(&alice.user).check("at bob", &alice.said.lock().expect("no panic"));
    world.done();
    Ok(())
}
