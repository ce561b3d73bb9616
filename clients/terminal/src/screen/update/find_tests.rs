//! Searching on the screen: what is asked, what is shown, and where Enter leads.

use crossterm::event::{KeyCode, KeyModifiers};
use startalk_client::{
    Language,
    wire_types::{Found, FoundGroup, FoundMessage, FoundPerson, Page, Range, Search},
};

use super::tests::{BOB, NOON, key, message, open_bob, press, running, said, screen, type_text};
use crate::screen::app::{App, Effect, Focus, Input};

fn asked(effects: &[Effect]) -> &Search {
    match effects {
        [Effect::Search(question)] => question,
        other => panic!("expected a search, got {other:?}"),
    }
}

fn answered(app: &mut App, found: Found) -> Vec<Effect> {
    app.update(Input::Found(Ok(found)), NOON)
}

fn all() -> Found {
    let ranges = vec![Range { start: 0, length: 2 }];
    Found {
        people: vec![FoundPerson {
            user: "zhang@home.example".into(),
            display_name: "张三".into(),
            ranges,
            ..FoundPerson::default()
        }],
        groups: vec![FoundGroup { conversation: 2, name: "汉口".into(), ..FoundGroup::default() }],
        messages: vec![FoundMessage {
            conversation: 1,
            sequence: 3,
            author: BOB.into(),
            time_ms: NOON,
            text: "我們在漢口".into(),
            ranges: vec![Range { start: 3, length: 2 }],
            ..FoundMessage::default()
        }],
        ..Found::default()
    }
}

#[test]
fn everything_is_searched_from_the_list_and_by_a_command_and_shown_in_both_languages() {
    for (language, words) in
        [(Language::English, ["Search", "People", "1 members"]), (Language::Chinese, ["搜索", "联系人", "1 人"])]
    {
        let mut app = running(language);
        assert_eq!(key(&mut app, KeyCode::Char('f')), []);
        assert_eq!(asked(&key(&mut app, KeyCode::Char('z'))).query, "z");
        let mut found = all();
        found.groups[0].members = 1;
        assert_eq!(answered(&mut app, found), []);
        let shown = screen(&mut app, 100, 30);
        for text in words.into_iter().chain(["张三  zhang@home.example", "汉口", "鲍勃 Bob", "我們在漢口"]) {
            assert!(shown.contains(text), "{text} in\n{shown}");
        }
        key(&mut app, KeyCode::Esc);
        open_bob(&mut app);
        type_text(&mut app, "/find 汉口");
        let effects = key(&mut app, KeyCode::Enter);
        let search = effects.iter().find_map(|e| if let Effect::Search(s) = e { Some(s) } else { None });
        assert_eq!(search.map(|s| s.query.as_str()), Some("汉口"));
        assert!(!effects.iter().any(|e| matches!(e, Effect::Send { .. })), "{effects:?}");
    }
}

#[test]
fn what_begins_like_the_command_and_is_none_is_said() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    type_text(&mut app, "/finder");
    assert!(key(&mut app, KeyCode::Enter).iter().any(|e| matches!(e, Effect::Send { .. })));
}

#[test]
fn enter_opens_a_person_a_group_or_a_message_where_it_was_said() {
    let found_at = |at: usize| {
        let mut app = running(Language::English);
        key(&mut app, KeyCode::F(4));
        key(&mut app, KeyCode::Char('x'));
        answered(&mut app, all());
        (0..at).for_each(|_| drop(key(&mut app, KeyCode::Down)));
        let effects = key(&mut app, KeyCode::Enter);
        (app, effects)
    };
    let (_, effects) = found_at(0);
    assert_eq!(effects, [Effect::Open("zhang@home.example".parse().unwrap())]);
    let (app, _) = found_at(1);
    assert_eq!((app.open, app.focus, app.dialog.is_none()), (Some(2), Focus::Chat, true));
    // The message is further back than what is here: pages are fetched until it is among them.
    let (mut app, effects) = found_at(2);
    assert_eq!(effects, [Effect::History { conversation: 1, before: 0 }]);
    let page = |first: u64, last: u64| Page {
        first,
        last,
        head: 90,
        messages: (first..=last).map(|s| message(s, BOB, &format!("line {s}"))).collect(),
        ..Page::default()
    };
    let effects = app.update(Input::Page { conversation: 1, result: Ok(page(31, 90)) }, NOON);
    assert!(effects.contains(&Effect::History { conversation: 1, before: 31 }), "{effects:?}");
    app.update(Input::Page { conversation: 1, result: Ok(page(1, 30)) }, NOON);
    assert_eq!(app.chat().unwrap().chosen, Some(3));
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("line 3") && shown.contains("line 4") && shown.contains("newer messages"), "{shown}");
}

#[test]
fn in_a_conversation_it_is_searched_alone_or_everywhere_by_the_same_key() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    said(&mut app, 1, message(1, BOB, "hello"));
    press(&mut app, KeyCode::F(4), KeyModifiers::NONE);
    let effects = key(&mut app, KeyCode::Char('h'));
    assert_eq!((asked(&effects).conversation, asked(&effects).messages), (1, true));
    answered(&mut app, Found::default());
    assert!(screen(&mut app, 100, 24).contains("Nothing found"));
    let effects = press(&mut app, KeyCode::F(4), KeyModifiers::NONE);
    assert_eq!((asked(&effects).conversation, asked(&effects).messages), (0, false));
}

#[test]
fn enter_before_the_answer_opens_what_it_brings() {
    let mut app = running(Language::English);
    key(&mut app, KeyCode::Char('f'));
    key(&mut app, KeyCode::Char('z'));
    assert_eq!(key(&mut app, KeyCode::Enter), []);
    assert_eq!(answered(&mut app, all()), [Effect::Open("zhang@home.example".parse().unwrap())]);
    assert!(app.dialog.is_none());
}
