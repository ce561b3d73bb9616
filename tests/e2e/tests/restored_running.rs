//! A backup is brought back in place of the domain while its node runs: the node starts again by itself, nothing that another
//! domain or a device knows is lost, and a kill at any moment leaves one of the two domains, whole.
//!
//! `STARTALK_E2E_KILLS=20` moments (6 otherwise).

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use startalk_e2e::{
    Node, Person, World, person,
    seed::{Seed, from_environment},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_starts_again_by_itself_and_nothing_is_lost() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let alice = Arc::new(Person::register(&a.first_link, "alice").await?);
    let bob = Arc::new(Person::register(&b.first_link, "bob").await?);
    let both_say = async |count: u64| {
        let (one, other) = tokio::join!(alice.say_many(&bob.user, count), bob.say_many(&alice.user, count));
        one.and(other)
    };
    both_say(50).await?;
    let copy = a.data.join("backups/copy");
    let made = a.ask(&["backup", &copy.display().to_string()])?;
    both_say(100).await?;
    bob.hears_all_of(&alice).await?;
    alice.hears_all_of(&bob).await?;
    a.ask(&["user", "add", "late"])?;

    let why = a.refusal(&["restore", "copy", "--replace", "other.example"])?;
    assert!(why.contains(&a.domain), "{why}");
    let loss = &a.ask(&["restore", "copy", "--dry-run"])?["loss"];
    assert_eq!(
        (&loss["counted"], &loss["people_count"], &loss["domains"]),
        (&true.into(), &1.into(), &serde_json::json!([b.domain]))
    );
    assert!(loss["messages_here"].as_u64() >= Some(100) && loss["messages_elsewhere"].as_u64() >= Some(100), "{loss}");
    assert_eq!(a.ask(&["backups", "--check", "copy"])?["records"], made["records"]);

    let (epoch, pid) = (a.epoch()?, a.process().id());
    let (_, told) =
        tokio::join!(both_say(50), async { tokio::task::block_in_place(|| a.ask(&["restore", "copy", "--replace", &a.domain])) });
    let told = told?;
    assert_eq!((&told["restored"], &told["starts_again"]), (&made["records"], &true.into()), "{told}");
    assert_eq!(a.process().id(), pid, "to whoever watches it, it is the same process");
    assert!(a.epoch()? > epoch);
    assert!(a.refusal(&["user", "devices", "late"]).is_ok(), "who came after the backup is not in it");

    bob.hears_all_of(&alice).await?;
    let total = alice.has_again(&bob).await?;
    assert_eq!(person::agree(&alice, &bob).await?, total, "messages in the conversation");
    bob.tally(&alice.user).check("at bob", &alice.said.lock().expect("no panic"));

    // The old domain is kept, and is one: it can be looked at, brought back elsewhere, and deleted.
    let kept = a.ask(&["replaced"])?;
    let name = kept["replaced"][0]["name"].as_str().unwrap_or_default().to_owned();
    assert_eq!((&kept["replaced"][0]["from"], &kept["failed"]), (&"copy".into(), &serde_json::Value::Null), "{kept}");
    let old = a.beside(world.folder.join("old"));
    old.ask(&["restore", &a.data.join("replaced").join(&name).display().to_string()])?;
    let users = old.ask(&["user", "list"])?;
    assert!(users.to_string().contains("late@"), "{users}");
    a.ask(&["replaced", "--delete", &name])?;
    assert_eq!(a.ask(&["replaced"])?["replaced"], serde_json::json!([]));
    assert!(a.refusal(&["replaced", "--delete", "../keys"]).is_ok());
    both_say(10).await?;
    bob.hears_all_of(&alice).await?;
    world.done();
    Ok(())
}

fn restoring(a: &Node) -> anyhow::Result<Child> {
    let mut command = Command::new(&a.program);
    command.arg("--json").arg("--data").arg(&a.data).args(["restore", "copy", "--replace", &a.domain]);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_the_old_domain_or_the_new_one() -> anyhow::Result<()> {
    let kills = from_environment("STARTALK_E2E_KILLS", 6);
    let world = World::new()?;
    let mut a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    a.ask(&["user", "add", "carol"])?;
    alice.say_many(&format!("carol@{}", a.domain).parse()?, 200).await?;
    a.ask(&["backup", &a.data.join("backups/copy").display().to_string()])?;
    let mut seed = Seed::new("restored_running");
    let (mut old, mut new) = (0, 0);
    for round in 0..kills {
        let late = format!("late{round}");
        a.ask(&["user", "add", &late])?;
        let epoch = a.epoch()?;
        let mut verb = restoring(&a)?;
        // While it is prepared, and while it takes its place.
        let within = if round % 2 == 0 { 400 } else { 2500 };
        tokio::time::sleep(Duration::from_millis(seed.between(0, within))).await;
        a.kill()?;
        verb.kill()?;
        verb.wait()?;
        a.start()?;
        let users = a.ask(&["user", "list"])?.to_string();
        assert!(users.contains("alice@") && users.contains("carol@"), "{users}");
        let replaced = !users.contains(&format!("{late}@"));
        assert_eq!(a.epoch()? > epoch, replaced, "a new epoch with the new domain, and with it alone");
        if replaced {
            new += 1
        } else {
            old += 1
        }
        let found = a.ask(&["doctor"])?;
        let bad = found["findings"].as_array().into_iter().flatten().filter(|f| f["state"] == "bad" && f["check"] != "backup");
        assert_eq!(bad.count(), 0, "{found}");
        assert!(!a.data.join("restoring").exists() && !a.data.join("RESTORING").exists());
    }
    println!("{old} times the old domain, {new} times the new one");
    world.done();
    Ok(())
}
