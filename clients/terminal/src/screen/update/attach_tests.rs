//! Files on the screen: what lines with a slash have done, and how it is shown.

use crossterm::event::{KeyCode, KeyModifiers};
use startalk_client::{ClientError, Language, State, content, wire_content::File, wire_types::Message};

use super::tests::{BOB, NOON, key, message, open_bob, press, running, said, type_text};
use crate::screen::app::{App, Effect, Input, Trouble};

fn line(app: &mut App, text: &str) -> Vec<Effect> {
    type_text(app, text);
    key(app, KeyCode::Enter)
}

fn open() -> App {
    let mut app = running(Language::English);
    open_bob(&mut app);
    app
}

fn upload_of(effects: &[Effect]) -> u64 {
    let found = effects.iter().find_map(|e| if let Effect::Upload { local, .. } = e { Some(*local) } else { None });
    found.unwrap_or_else(|| panic!("{effects:?}"))
}

#[test]
fn a_file_is_uploaded_shown_and_said() {
    let mut app = open();
    let local = upload_of(&line(&mut app, "/send notes.pdf -- read this"));
    let moved = |done| Input::Moved { local, name: "notes.pdf".into(), up: true, done: Some((done, 4 << 20)), waiting: false };
    app.update(moved(0), NOON);
    app.update(moved(2 << 20), NOON + 2000);
    assert_eq!(app.moving_words().unwrap(), "↑ notes.pdf █████░░░░░ 2.0 MiB/4.0 MiB 1.0 MiB/s, 2 s left");
    app.update(Input::Moved { local, name: "notes.pdf".into(), up: true, done: None, waiting: true }, NOON + 3000);
    assert!(app.moving_words().unwrap().ends_with("waits for the connection"));
    let said = content::attachment(File { size: 4 << 20, name: "notes.pdf".into(), ..File::default() }, "read this");
    let effects = app.update(Input::Uploaded { local, conversation: 1, result: Ok(said.clone()) }, NOON);
    assert!(matches!(&effects[..], [Effect::Send { conversation: 1, content, .. }] if *content == said), "{effects:?}");
    assert_eq!(app.chats[&1].mine[0].content, said);
    app.update(Input::TransferEnded { local }, NOON);
    assert_eq!(app.moving_words(), None);
}

#[test]
fn what_was_stopped_is_not_said() {
    let mut app = open();
    let local = upload_of(&line(&mut app, "/send a.bin"));
    let effects = line(&mut app, "/cancel");
    assert!(effects.contains(&Effect::Stop { local }), "{effects:?}");
    let late = Input::Uploaded { local, conversation: 1, result: Ok(content::text("x")) };
    assert_eq!(app.update(late, NOON), []);
    app.update(Input::Moved { local, name: "a.bin".into(), up: true, done: Some((1, 2)), waiting: false }, NOON);
    assert_eq!(app.moving_words(), None);
}

#[test]
fn mistakes_are_named_and_the_line_stays() {
    let mut app = open();
    line(&mut app, "/send");
    assert!(app.notice.as_ref().is_some_and(|(n, _)| n.contains("PATH")));
    assert_eq!(app.chats[&1].draft.text(), "/send");
    press(&mut app, KeyCode::Char('u'), KeyModifiers::CONTROL);
    for (trouble, words) in [
        (Trouble::Missing("no.txt".into()), "There is no such file or folder: no.txt"),
        (Trouble::Folder("docs".into()), "docs is a folder"),
        (Trouble::Other("a".into(), ClientError::Offline), "Give the command again"),
    ] {
        let local = upload_of(&line(&mut app, "/send no.txt"));
        app.update(Input::Uploaded { local, conversation: 1, result: Err(trouble) }, NOON);
        assert!(app.notice.as_ref().is_some_and(|(n, _)| n.contains(words)), "{:?}", app.notice);
        assert!(app.transfers.is_empty());
    }
    assert_eq!(app.state, State::Online);
}

#[test]
fn the_newest_file_is_saved_but_not_one_that_burns_unopened() {
    let mut app = open();
    let with_file = |sequence, name: &str, burn_s| {
        let file = File { size: 5, name: name.into(), ..File::default() };
        let content = content::burning(&content::attachment(file, ""), burn_s);
        Message { content, ..message(sequence, BOB, "") }
    };
    line(&mut app, "/save");
    assert!(app.notice.as_ref().is_some_and(|(n, _)| n.contains("no file to save")));
    said(&mut app, 1, with_file(1, "old.txt", 0));
    said(&mut app, 1, with_file(2, "secret.txt", 10));
    said(&mut app, 1, message(3, BOB, "words"));
    let effects = line(&mut app, "/save ~/Downloads");
    let saved = effects.iter().find_map(|e| match e {
        Effect::Download { sequence, files, folder, .. } => Some((*sequence, files[0].name.clone(), folder.clone())),
        _ => None,
    });
    assert_eq!(saved, Some((1, "old.txt".into(), "~/Downloads".into())));
}
