//! What happens later and what is kept for oneself, as frames: answered, pushed to the account's other devices, found again by
//! a device that was away, and told to nobody else.

use bytes::Bytes;
use startalk_domain::Command;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, pushed::What, server_frame::Frame};

use crate::support::{Client, Node, code, content, text};

async fn synced(node: &Node, name: &str) -> Client {
    let mut client = node.client(name).await;
    client.sync(&Bytes::new()).await;
    client
}

async fn pushed<T>(client: &mut Client, what: &str, mut pick: impl FnMut(&What) -> Option<T>) -> T {
    let pick = |f: &Frame| match f {
        Frame::Pushed(pb::Pushed { what: Some(what), .. }) => pick(what),
        _ => None,
    };
    client.expect(what, pick).await
}

fn schedule(to: &str, words: &str, at_ms: i64, key: u8) -> Asked {
    let (to, key) = (to.to_owned(), vec![key; 16].into());
    Asked::ScheduleMessage(pb::ScheduleMessage { to, content: content(words), at_ms, key, ..pb::ScheduleMessage::default() })
}

#[tokio::test]
async fn a_scheduled_message_is_in_step_on_all_devices_until_it_is_said() {
    let node = Node::start();
    ["alice", "bob"].into_iter().for_each(|name| _ = node.account(name));
    let (mut desk, mut phone, mut bob) = (synced(&node, "alice").await, synced(&node, "alice").await, synced(&node, "bob").await);
    let cursor = phone.sync(&Bytes::new()).await.last().unwrap().cursor.clone();
    let Ok(Frame::Scheduled(entry)) = desk.ask(schedule("bob", "good morning", 1_810_000_000_000, 1)).await else { panic!() };
    assert_eq!((text(&entry.content).as_str(), entry.failed.as_str()), ("good morning", ""));
    let Ok(Frame::Scheduled(again)) = desk.ask(schedule("bob", "good morning", 1_810_000_000_000, 1)).await else { panic!() };
    assert_eq!(again, entry, "asked for again, it is the same");
    let heard = pushed(&mut phone, "the entry", |w| if let What::Scheduled(s) = w { Some(s.clone()) } else { None }).await;
    assert_eq!(heard, entry);
    assert_eq!(phone.sync(&cursor).await[0].stale, ["scheduled"], "a device that was away knows what to ask for");
    let Ok(Frame::ScheduledList(list)) = phone.ask(Asked::ListScheduled(pb::ListScheduled { after: 0 })).await else { panic!() };
    assert_eq!((list.scheduled, list.next), (vec![entry.clone()], 0));
    let Ok(Frame::ScheduledList(none)) = bob.ask(Asked::ListScheduled(pb::ListScheduled { after: 0 })).await else { panic!() };
    assert!(none.scheduled.is_empty(), "it is nobody else's");
    bob.quiet().await;

    node.ask(Command::WorkDue { clock_ms: 1_810_000_000_000 });
    let (_, message) = bob.message().await;
    assert_eq!(text(&message.content), "good morning");
    for device in [&mut desk, &mut phone] {
        let (_, own) = device.message().await;
        assert_eq!((own.device, own.counter), (0, entry.number), "both devices hear of it");
        let ended = |w: &What| if let What::ScheduledEnded(e) = w { Some(*e) } else { None };
        let ended = pushed(device, "its end", ended).await;
        assert_eq!((ended.number, ended.said, ended.sequence), (entry.number, true, own.sequence));
    }
    let gone = Asked::CancelScheduled(pb::CancelScheduled { number: entry.number });
    assert_eq!(code(desk.ask(gone).await), "no-such-thing");
    let no_key =
        Asked::ScheduleMessage(pb::ScheduleMessage { to: "bob".into(), content: content("x"), at_ms: 1, ..Default::default() });
    assert_eq!(code(desk.ask(no_key).await), "bad-value");
}

#[tokio::test]
async fn reminders_saved_messages_and_what_was_played_are_in_step_and_private() {
    let node = Node::start();
    ["alice", "bob"].into_iter().for_each(|name| _ = node.account(name));
    let (mut desk, mut phone, mut bob) = (synced(&node, "alice").await, synced(&node, "alice").await, synced(&node, "bob").await);
    let sent = bob.send("alice", "listen to this").await.unwrap();
    let (conversation, sequence) = (sent.conversation, sent.sequence);
    phone.message().await;
    pushed(&mut bob, "the conversation", |w| matches!(w, What::Info(_)).then_some(())).await;
    let cursor = phone.sync(&Bytes::new()).await.last().unwrap().cursor.clone();

    let set = pb::SetReminder { conversation, sequence, at_ms: 1_810_000_000_000, note: "call".into(), number: 0 };
    let Ok(Frame::Reminder(reminder)) = desk.ask(Asked::SetReminder(set)).await else { panic!() };
    node.ask(Command::WorkDue { clock_ms: 1_810_000_000_000 });
    let due = |w: &What| if let What::Reminder(r) = w { r.due.then(|| r.clone()) } else { None };
    let heard = pushed(&mut phone, "the reminder", due).await;
    assert_eq!((heard.number, text(&heard.message.unwrap().content).as_str()), (reminder.number, "listen to this"));
    assert_eq!(code(phone.ask(Asked::EndReminder(pb::EndReminder { number: reminder.number })).await), "ok");
    let ended = |w: &What| if let What::ReminderEnded(n) = w { Some(*n) } else { None };
    assert_eq!(pushed(&mut desk, "its end", ended).await, reminder.number);

    let save = pb::SaveMessage { conversation, sequence, note: "good".into() };
    let Ok(Frame::Saved(saved)) = desk.ask(Asked::SaveMessage(save)).await else { panic!() };
    assert_eq!((saved.state.as_str(), saved.note.as_str()), ("here", "good"));
    let played = pb::MarkPlayed { conversation, sequences: vec![sequence] };
    assert_eq!(code(desk.ask(Asked::MarkPlayed(played)).await), "ok");
    let played = |w: &What| if let What::Played(p) = w { Some(p.sequences.clone()) } else { None };
    assert_eq!(pushed(&mut phone, "what was played", played).await, [sequence], "at once");
    pushed(&mut phone, "what was played", played).await; // and when it is on disk
    let pages = phone.sync(&cursor).await;
    assert_eq!(pages[0].stale, ["reminders", "saved"]);
    assert_eq!(pages.iter().flat_map(|p| &p.conversations).flat_map(|c| c.played.clone()).collect::<Vec<_>>(), [sequence]);

    bob.quiet().await; // nobody else is told of any of it
    let recall = pb::Recall { conversation, sequence, counter: 100 };
    assert_eq!(code(bob.ask(Asked::Recall(recall)).await), "ok");
    let Ok(Frame::SavedPage(page)) = desk.ask(Asked::ListSaved(pb::ListSaved::default())).await else { panic!() };
    assert_eq!((page.saved[0].state.as_str(), &page.saved[0].message, page.count), ("recalled", &None, 1));
    assert_eq!(code(desk.ask(Asked::RemoveSaved(pb::RemoveSaved { number: saved.number })).await), "ok");
}
