//! What happens later, between two real domains: scheduled messages over SIGKILL, burning on both sides and after a rebuild,
//! and reminders that all devices hear of.

use std::time::{SystemTime, UNIX_EPOCH};

use startalk_client::{
    content, new_key,
    wire_types::{Message, ScheduleMessage, SetReminder},
};
use startalk_e2e::{Person, World, person::PASSWORD, until};

/// Messages scheduled for one moment: a few batches of the node's timer.
const SCHEDULED: usize = 90;

#[expect(clippy::disallowed_methods, reason = "people schedule by the clock on their wall")]
fn now_ms() -> anyhow::Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

fn said(messages: &[Message]) -> Vec<String> {
    let plain = |m: &Message| content::show(&m.content, startalk_client::Language::English).plain().to_owned();
    let mut texts: Vec<String> = messages.iter().map(plain).filter(|t| t.starts_with("later")).collect();
    texts.sort();
    texts
}

async fn greet(alice: &Person, bob: &Person) -> anyhow::Result<(u64, u64)> {
    alice.session.send(bob.user.clone(), content::text("hello"), bytes::Bytes::new()).await?;
    until("bob to hear alice", async || {
        let all = bob.session.conversations().await.unwrap_or_default();
        (all.iter().any(|c| !c.request), all.len() as u64)
    })
    .await?;
    let theirs = bob.conversation(&alice.user).await?;
    Ok((alice.conversation(&bob.user).await?, theirs))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_is_said_once_although_the_node_is_killed_when_it_is_due() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let (ours, theirs) = greet(&alice, &bob).await?;
    let mut texts: Vec<String> = (0..SCHEDULED).map(|n| format!("later {n:03}")).collect();
    texts.sort();
    let mut at_ms = now_ms()? + 6_000;
    for text in &texts {
        let message = ScheduleMessage {
            conversation: ours,
            content: content::text(text),
            at_ms,
            key: new_key(),
            ..ScheduleMessage::default()
        };
        alice.session.schedule_message(message).await?;
    }
    // Killed while nobody looks, then again and again while they are said.
    a.kill()?;
    for _ in 0..6 {
        a.start()?;
        let waited = at_ms.saturating_sub(now_ms()?).clamp(5, 4_000);
        tokio::time::sleep(std::time::Duration::from_millis(waited.unsigned_abs())).await;
        a.kill()?;
        at_ms -= 700; // the next kill comes a little earlier in the node's life
    }
    a.start()?;
    until("all of it to be said and heard", async || {
        let heard = said(&bob.history_of(theirs).await.unwrap_or_default()).len() as u64;
        (heard >= SCHEDULED as u64, heard)
    })
    .await?;
    assert_eq!(said(&bob.history_of(theirs).await?), texts, "each once");
    assert_eq!(said(&alice.history_of(ours).await?), texts, "each once");
    assert!(alice.session.scheduled(0).await?.scheduled.is_empty(), "nothing waits or has failed");
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_burns_is_gone_from_both_domains_and_stays_so_after_a_rebuild() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, mut b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let (ours, theirs) = greet(&alice, &bob).await?;
    let secret = content::burning(&content::text("later gone: only between us"), 2);
    alice.session.send(ours, secret, bytes::Bytes::new()).await?;
    let burning = async |person: &Person, conversation: u64| -> anyhow::Result<Option<Message>> {
        let all = person.history_of(conversation).await?;
        Ok(all.into_iter().find(|m| m.burnt || content::burn_s(&m.content) != 0))
    };
    until("the message at bob's", async || (burning(&bob, theirs).await.is_ok_and(|m| m.is_some()), 0)).await?;
    let arrived = burning(&bob, theirs).await?.ok_or_else(|| anyhow::anyhow!("it was there"))?;
    assert_eq!((arrived.burnt, arrived.burn_at_ms), (false, 0), "it waits to be opened");
    bob.session.open_message(theirs, arrived.sequence).await?;
    until("it to burn on both sides", async || {
        let burnt = [burning(&alice, ours).await, burning(&bob, theirs).await];
        let burnt = burnt.into_iter().filter(|m| matches!(m, Ok(Some(m)) if m.burnt && m.content.is_empty())).count();
        (burnt == 2, burnt as u64)
    })
    .await?;
    for node in [&mut a, &mut b] {
        node.stop()?;
        let rebuilt = node.verb(&["rebuild"])?;
        assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
        node.start()?;
    }
    until("both to be connected again", async || {
        let online = [&alice, &bob].into_iter().filter(|p| p.session.status().synced).count();
        (online == 2, online as u64)
    })
    .await?;
    for (person, conversation) in [(&alice, ours), (&bob, theirs)] {
        let message = burning(person, conversation).await?.ok_or_else(|| anyhow::anyhow!("its line is there"))?;
        assert!(message.burnt && message.content.is_empty(), "{message:?}");
        assert!(said(&person.history_of(conversation).await?).is_empty());
    }
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_devices_hear_of_a_reminder_once_and_of_its_end() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let phone = Person::sign_in(a.port, "alice", PASSWORD).await?;
    let at_ms = now_ms()? + 1_500;
    let reminder = SetReminder { at_ms, note: "tea".into(), ..SetReminder::default() };
    let set = alice.session.set_reminder(reminder).await?;
    assert!(!set.due);
    let told = |person: &Person| person.with(|h| h.reminders.clone());
    let due = |person: &Person| told(person).iter().filter(|(number, due)| (*number, *due) == (set.number, Some(true))).count();
    until("both devices to be told", async || {
        let count = due(&alice) + due(&phone);
        (due(&alice) > 0 && due(&phone) > 0, count as u64)
    })
    .await?;
    a.kill()?;
    a.start()?;
    until("the list after a kill", async || {
        let all = phone.session.reminders(0).await.map(|l| l.reminders).unwrap_or_default();
        (all.len() == 1 && all[0].due && all[0].note == "tea", all.len() as u64)
    })
    .await?;
    // Who is not connected when it happens is told which list to ask for again, and not each thing.
    until("the other device to be connected again", async || {
        let asked = alice.session.reminders(0).await.is_ok();
        (asked && alice.session.status().synced, 0)
    })
    .await?;
    phone.session.end_reminder(set.number).await?;
    until("the other device to hear that it is done", async || {
        (told(&alice).contains(&(set.number, None)), told(&alice).len() as u64)
    })
    .await?;
    assert_eq!((due(&alice), due(&phone)), (1, 1), "each was told once");
    assert!(alice.session.reminders(0).await?.reminders.is_empty());
    world.done();
    Ok(())
}
