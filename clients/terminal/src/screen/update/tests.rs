//! The screen without a terminal: keys and events in, effects and drawn rows out.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use startalk_client::{
    ClientError, Code, CommandKind, Error, Event, Language, MessageId, State, content,
    wire_types::{
        Conversation, Group, GroupInvitation, GroupMember, GroupRights, Invitation, Kept, Member, Members, Message, Page,
        Reaction, act_in_group::Act,
    },
};

use crate::screen::{
    app::{App, Effect, Focus, Input, Mode},
    draw,
    form::Form,
};

const ME: &str = "alice@home.example";
pub(super) const BOB: &str = "bob@home.example";
pub(super) const NOON: i64 = 1_800_014_400_000;

pub(super) fn press(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    app.update(Input::Key(KeyEvent::new(code, modifiers)), NOON)
}

pub(super) fn key(app: &mut App, code: KeyCode) -> Vec<Effect> {
    press(app, code, KeyModifiers::NONE)
}

fn control(app: &mut App, c: char) -> Vec<Effect> {
    press(app, KeyCode::Char(c), KeyModifiers::CONTROL)
}

pub(super) fn type_text(app: &mut App, text: &str) {
    text.chars().for_each(|c| drop(key(app, KeyCode::Char(c))));
}

fn tell(app: &mut App, event: Event) -> Vec<Effect> {
    app.update(Input::Event(Box::new(event)), NOON)
}

fn conversation(number: u64, user: &str, display_name: &str, head: u64) -> Conversation {
    let peer = Some(Member { user: user.to_owned(), display_name: display_name.to_owned(), ..Member::default() });
    Conversation { conversation: number, peer, head, time_ms: NOON - 1000, ..Conversation::default() }
}

pub(super) fn message(sequence: u64, author: &str, text: &str) -> Message {
    Message {
        sequence,
        author: author.to_owned(),
        content: content::text(text),
        id: vec![sequence as u8; 16].into(),
        time_ms: NOON - 60_000 + sequence as i64,
        ..Message::default()
    }
}

pub(super) fn said(app: &mut App, conversation: u64, message: Message) -> Vec<Effect> {
    tell(app, Event::Message { conversation, message })
}

pub(super) fn running(language: Language) -> App {
    let mut app = App::new(language, 0, Form::new("", ""));
    app.update(Input::Entered(Ok(Vec::new())), NOON);
    let conversations = vec![conversation(1, BOB, "鲍勃 Bob", 0), conversation(2, "carol@far.example", "", 0)];
    app.update(Input::Running { user: ME.to_owned(), conversations, outbox: Vec::new() }, NOON);
    tell(&mut app, Event::State(State::Online));
    app
}

pub(super) fn open_bob(app: &mut App) {
    while app.chosen != Some(1) {
        key(app, KeyCode::Down);
    }
    key(app, KeyCode::Enter);
    assert_eq!((app.open, app.focus), (Some(1), Focus::Chat));
}

/// What is drawn, as rows; wide characters once.
fn rows(app: &mut App, width: u16, height: u16) -> (Vec<String>, (u16, u16)) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(frame, app)).unwrap();
    let cursor = terminal.get_cursor_position().unwrap();
    let buffer = terminal.backend().buffer();
    let rows = (0..height).map(|y| {
        let mut row = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol).max(1)).unwrap();
        }
        row.trim_end().to_owned()
    });
    (rows.collect(), (cursor.x, cursor.y))
}

pub(super) fn screen(app: &mut App, width: u16, height: u16) -> String {
    rows(app, width, height).0.join("\n")
}

fn text_of(content: &[u8]) -> String {
    content::show(content, Language::English).plain().to_owned()
}

#[test]
fn what_is_written_is_sent_and_takes_its_place() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    type_text(&mut app, "你好 bob");
    press(&mut app, KeyCode::Enter, KeyModifiers::ALT);
    type_text(&mut app, "second");
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::Send { local, conversation: 1, content, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(text_of(content), "你好 bob\nsecond");
    assert!(screen(&mut app, 100, 24).contains("⋯ waiting"));
    app.update(Input::Accepted { local: *local, result: Ok(9) }, NOON);
    let sent = Event::Sent {
        counter: 9,
        kind: CommandKind::Send,
        conversation: 1,
        sequence: 1,
        id: Some(MessageId([7; 16])),
        time_ms: NOON,
        again: false,
    };
    tell(&mut app, sent);
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("second ✓") && !shown.contains("waiting"), "{shown}");
    tell(&mut app, Event::Marks { conversation: 1, user: BOB.to_owned(), delivered: 1, read: 0 });
    assert!(screen(&mut app, 100, 24).contains("second ✓✓"));
    tell(&mut app, Event::Marks { conversation: 1, user: BOB.to_owned(), delivered: 1, read: 1 });
    assert!(screen(&mut app, 100, 24).contains("✓✓ read"));
}

#[test]
fn an_outcome_may_come_before_its_number_is_known() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    type_text(&mut app, "x");
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::Send { local, .. }] = effects[..] else { panic!("{effects:?}") };
    let error = Error::new(Code::Blocked).with("user", BOB);
    tell(
        &mut app,
        Event::Failed { counter: 4, kind: CommandKind::Send, conversation: 1, to: BOB.to_owned(), error, unconfirmed: false },
    );
    app.update(Input::Accepted { local, result: Ok(4) }, NOON);
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("✗ not sent: bob@home.example does not accept"), "{shown}");
    let effects = control(&mut app, 't');
    assert!(matches!(&effects[..], [Effect::Send { content, .. }] if text_of(content) == "x"), "{effects:?}");
    assert!(screen(&mut app, 100, 24).contains("⋯ waiting"));
}

#[test]
fn chinese_and_emoji_stand_in_their_columns_and_so_does_the_cursor() {
    let mut app = running(Language::Chinese);
    open_bob(&mut app);
    said(&mut app, 1, message(1, BOB, "今天天气很好，我们去公园散步吧！👨‍👩‍👧‍👦 好不好？这句话很长，需要换行才能显示完整。"));
    type_text(&mut app, "好的👍🏽啊");
    key(&mut app, KeyCode::Left);
    for width in [60, 70, 84, 120] {
        let (rows, cursor) = rows(&mut app, width, 20);
        assert!(rows.iter().all(|r| unicode_width::UnicodeWidthStr::width(r.as_str()) <= usize::from(width)));
        let composer = rows.iter().position(|r| r.contains("› 好的👍🏽啊")).unwrap();
        let start = if width >= 84 {
            u16::try_from(rows[composer].find('›').map(|b| unicode_width::UnicodeWidthStr::width(&rows[composer][..b])).unwrap())
                .unwrap()
        } else {
            0
        };
        assert_eq!(cursor, (start + 2 + 6, u16::try_from(composer).unwrap()), "width {width}");
        let all: String = rows.concat().replace([' ', '│'], "");
        assert!(all.contains("今天天气很好") && all.contains("👨‍👩‍👧‍👦"), "{all}");
    }
}

#[test]
fn wide_windows_have_two_columns_and_narrow_ones_one() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    said(&mut app, 1, message(1, BOB, "hello there"));
    let wide = screen(&mut app, 100, 24);
    assert!(wide.contains("Conversations") && wide.contains("hello there"));
    let narrow = screen(&mut app, 60, 16);
    assert!(!narrow.contains("Conversations") && narrow.contains("hello there"));
    key(&mut app, KeyCode::Esc);
    let list = screen(&mut app, 60, 16);
    assert!(list.contains("Conversations") && list.contains("carol@far.example"));
    assert!(screen(&mut app, 59, 16).contains("too small"));
}

#[test]
fn unread_messages_are_counted_and_opening_marks_them_read() {
    let mut app = running(Language::English);
    for s in 1..=120 {
        said(&mut app, 1, message(s, BOB, "news"));
    }
    said(&mut app, 2, message(1, "carol@far.example", "one"));
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains(" 99+ ") && shown.contains(" 1 "), "{shown}");
    let mut effects = Vec::new();
    while app.chosen != Some(1) {
        key(&mut app, KeyCode::Down);
    }
    effects.extend(key(&mut app, KeyCode::Enter));
    assert!(effects.contains(&Effect::Mark { conversation: 1, read: 120 }), "{effects:?}");
    assert!(!screen(&mut app, 100, 24).contains("99+"));
    assert_eq!(said(&mut app, 1, message(121, BOB, "more")), [Effect::Mark { conversation: 1, read: 121 }]);
}

#[test]
fn paging_up_stays_where_it_is_when_something_new_comes() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    let messages = (101..=200).map(|s| message(s, BOB, &format!("line {s}"))).collect();
    app.update(
        Input::Page { conversation: 1, result: Ok(Page { conversation: 1, messages, first: 101, last: 200, head: 200 }) },
        NOON,
    );
    assert!(screen(&mut app, 80, 20).contains("line 200"));
    key(&mut app, KeyCode::PageUp);
    let before = screen(&mut app, 80, 20);
    assert!(!before.contains("line 200") && before.contains("newer messages"), "{before}");
    assert_eq!(said(&mut app, 1, message(201, BOB, "new")), [], "what is not in view is not marked as read");
    assert_eq!(screen(&mut app, 80, 20), before);
    let mut effects = Vec::new();
    for _ in 0..20 {
        effects.extend(key(&mut app, KeyCode::PageUp));
        screen(&mut app, 80, 20);
    }
    assert_eq!(effects, [Effect::History { conversation: 1, before: 101 }], "asked once");
    assert!(screen(&mut app, 80, 20).contains("line 101"));
    for _ in 0..20 {
        key(&mut app, KeyCode::PageDown);
        screen(&mut app, 80, 20);
    }
    assert!(screen(&mut app, 80, 20).contains("new"));
    assert!(app.chat().unwrap().anchor.is_none());
}

#[test]
fn editing_recalling_replying() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    said(&mut app, 1, message(1, BOB, "question?"));
    said(&mut app, 1, message(2, ME, "anwser"));
    key(&mut app, KeyCode::Up);
    assert!(screen(&mut app, 100, 24).contains("Editing a message"));
    control(&mut app, 'u');
    type_text(&mut app, "answer");
    let effects = key(&mut app, KeyCode::Enter);
    assert!(
        matches!(&effects[..], [Effect::Edit { conversation: 1, sequence: 2, content, .. }] if text_of(content) == "answer"),
        "{effects:?}"
    );
    tell(&mut app, Event::Changed { conversation: 1, message: Message { edited_ms: NOON, ..message(2, ME, "answer") } });
    assert!(screen(&mut app, 100, 24).contains("answer (edited) ✓"));
    control(&mut app, 'r');
    assert!(screen(&mut app, 100, 24).contains("Replying to 鲍勃 Bob: question?"));
    type_text(&mut app, "re");
    let effects = key(&mut app, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Send { reply_to, .. }] if reply_to[..] == [1; 16]), "{effects:?}");
    control(&mut app, 'd');
    assert!(screen(&mut app, 100, 24).contains("Take this message back?"));
    let effects = key(&mut app, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Recall { conversation: 1, sequence: 2, .. }]), "{effects:?}");
    tell(
        &mut app,
        Event::Changed {
            conversation: 1,
            message: Message { recalled: true, content: bytes::Bytes::new(), ..message(2, ME, "") },
        },
    );
    assert!(screen(&mut app, 100, 24).contains("You took back a message"));
}

#[test]
fn what_is_kept_no_longer_leaves_the_screen() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    said(&mut app, 1, message(1, BOB, "question?"));
    said(&mut app, 1, Message { time_ms: NOON, ..message(2, ME, "a younger one") });
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("question?") && shown.contains("a younger one"), "{shown}");
    let before = |direct_before_ms, groups_before_ms| Event::Kept(Kept { direct_before_ms, groups_before_ms, ..Kept::default() });
    tell(&mut app, before(0, NOON));
    assert!(screen(&mut app, 100, 24).contains("question?"), "of groups alone");
    tell(&mut app, before(NOON, 0));
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("No longer kept") && !shown.contains("question?") && shown.contains("a younger one"), "{shown}");
}

#[test]
fn code_is_sent_and_shown_as_code() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    app.update(Input::Paste("```rust\nfn main() {}\n```".to_owned()), NOON);
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::Send { content, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(
        content::show(content, Language::English),
        content::Shown::Code { language: "rust".into(), source: "fn main() {}".into() }
    );
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("┌ rust") && shown.contains("│ fn main() {}"), "{shown}");
}

#[test]
fn requests_are_decided() {
    let mut app = running(Language::English);
    tell(&mut app, Event::Conversation(Conversation { request: true, ..conversation(3, "eve@evil.example", "Eve\u{202e}", 1) }));
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("[request] eve@evil.example") && !shown.contains('\u{202e}'), "{shown}");
    key(&mut app, KeyCode::Home);
    assert_eq!(app.chosen, Some(3), "requests come first");
    let effects = key(&mut app, KeyCode::Enter);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Mark { .. })), "a stranger is not told that they were read");
    assert!(screen(&mut app, 100, 24).contains("would like to contact you"));
    assert_eq!(control(&mut app, 'y'), [Effect::Decide { conversation: 3, accept: true }]);
}

#[test]
fn the_connection_is_told_in_words_and_the_language_changes_at_once() {
    let mut app = running(Language::English);
    let error = ClientError::Refused(Code::Stopping.into());
    tell(&mut app, Event::State(State::RetryIn { ms: 4000, error }));
    assert!(screen(&mut app, 100, 24).contains("reconnecting in 4 s: The server is stopping."));
    app.update(Input::Tick, NOON + 1500);
    assert!(screen(&mut app, 100, 24).contains("reconnecting in 3 s"));
    key(&mut app, KeyCode::F(3));
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("秒后重新连接") && shown.contains("会话"), "{shown}");
}

#[test]
fn a_new_conversation_is_begun_by_name() {
    let mut app = running(Language::English);
    key(&mut app, KeyCode::Char('n'));
    type_text(&mut app, "dave");
    assert_eq!(key(&mut app, KeyCode::Enter), [Effect::Open("dave@home.example".parse().unwrap())]);
    app.update(Input::Opened(Ok(conversation(9, "dave@home.example", "", 0))), NOON);
    assert_eq!((app.open, app.focus), (Some(9), Focus::Chat));
    key(&mut app, KeyCode::Esc);
    key(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "鲍");
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("鲍勃 Bob") && !shown.contains("carol@"), "{shown}");
    key(&mut app, KeyCode::Enter);
    assert_eq!(app.open, Some(1));
}

#[test]
fn the_form_names_what_failed() {
    let mut app = App::new(Language::English, 0, Form::new("alice@nowhere.example", ""));
    type_text(&mut app, "secret");
    let (drawn, cursor) = rows(&mut app, 80, 24);
    assert!(drawn.iter().any(|r| r.contains("••••••")) && !drawn.concat().contains("secret"));
    assert!(cursor.0 > 10);
    let effects = key(&mut app, KeyCode::Enter);
    assert!(
        matches!(&effects[..], [Effect::Enter(f)] if f.password == "secret" && f.user == "alice@nowhere.example"),
        "{effects:?}"
    );
    assert!(screen(&mut app, 80, 24).contains("Looking for nowhere.example"));
    assert!(key(&mut app, KeyCode::Enter).is_empty(), "one attempt at a time");
    app.update(Input::Connected, NOON);
    app.update(Input::Entered(Err(ClientError::Refused(Code::WrongCredentials.into()))), NOON);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("the key is right") && shown.contains("✗ The name or the password is wrong."), "{shown}");
}

#[test]
fn recovery_codes_are_shown_until_they_are_written_down() {
    let mut app = App::new(Language::Chinese, 0, Form::new("", ""));
    app.update(Input::Entered(Ok(vec!["aaaa-bbbb-cccc".to_owned(); 8])), NOON);
    app.update(Input::Running { user: ME.to_owned(), conversations: Vec::new(), outbox: Vec::new() }, NOON);
    assert!(screen(&mut app, 60, 16).contains("aaaa-bbbb-cccc"));
    key(&mut app, KeyCode::Enter);
    assert!(matches!(app.mode, Mode::Chats));
    assert!(screen(&mut app, 60, 16).contains("还没有会话"));
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    let mut app = running(Language::Chinese);
    for s in 1..40 {
        let text = if s % 3 == 0 { "长".repeat(200) } else { format!("短 {s}\n第二行") };
        said(&mut app, 1, message(s, if s % 2 == 0 { ME } else { BOB }, &text));
    }
    open_bob(&mut app);
    control(&mut app, 'p');
    control(&mut app, 'p');
    for (width, height) in (1..140).step_by(7).flat_map(|w| (1..50).step_by(5).map(move |h| (w, h))) {
        screen(&mut app, width, height);
    }
    key(&mut app, KeyCode::F(1));
    for (width, height) in [(60, 16), (84, 16), (200, 60)] {
        assert!(screen(&mut app, width, height).contains("按键"));
    }
}

#[test]
fn after_the_node_went_back_old_numbers_are_forgotten() {
    let mut app = running(Language::English);
    open_bob(&mut app);
    said(&mut app, 1, message(1, BOB, "hello"));
    type_text(&mut app, "on its way");
    key(&mut app, KeyCode::Enter);
    type_text(&mut app, "draft");
    tell(&mut app, Event::WentBack);
    assert!(app.chats.is_empty() && app.open.is_none());
    assert!(screen(&mut app, 100, 24).contains("restored from an earlier copy"));
    tell(&mut app, Event::Conversation(conversation(5, BOB, "", 3)));
    let chat = &app.chats[&5];
    assert_eq!((chat.draft.text(), chat.mine.len()), ("draft", 1));
    key(&mut app, KeyCode::Down);
    key(&mut app, KeyCode::Enter);
    tell(
        &mut app,
        Event::Sent { counter: 30, kind: CommandKind::Send, conversation: 5, sequence: 2, id: None, time_ms: NOON, again: true },
    );
    assert_eq!(app.update(Input::Tick, NOON), [Effect::History { conversation: 5, before: 0 }]);
}

const GROUP: u64 = 9;

fn garden(role: &str, standing: &str, asked: u64) -> Conversation {
    let rights = GroupRights {
        post: "members".into(),
        add: "members".into(),
        at_all: "administrators".into(),
        pin: "administrators".into(),
        texts: "administrators".into(),
        joining: "approval".into(),
    };
    let group = Group {
        group: "a".repeat(26),
        home: "far.example".into(),
        name: "花园小队 Garden".into(),
        members: 3,
        rights: Some(rights),
        role: role.into(),
        standing: standing.into(),
        first: 1,
        asked,
        ..Group::default()
    };
    Conversation { conversation: GROUP, group: Some(group), head: 0, time_ms: NOON, ..Conversation::default() }
}

fn member(number: u64, user: &str, name: &str, role: &str) -> GroupMember {
    GroupMember { member: number, user: user.into(), display_name: name.into(), role: role.into(), ..GroupMember::default() }
}

/// The group is open, and its members are known.
fn in_garden(language: Language, role: &str) -> App {
    let mut app = running(language);
    tell(&mut app, Event::Conversation(garden(role, "member", 0)));
    while app.chosen != Some(GROUP) {
        key(&mut app, KeyCode::Down);
    }
    let effects = key(&mut app, KeyCode::Enter);
    assert!(effects.contains(&Effect::Members { conversation: GROUP, asked: false, from: 0 }), "{effects:?}");
    let members = vec![
        member(1, ME, "Alice", role),
        member(2, BOB, "鲍勃 Bob", "administrator"),
        member(3, "zoe@far.example", "Zoë 👩‍🚀", "member"),
    ];
    let result = Ok(Members { conversation: GROUP, members, next: 0, count: 3 });
    app.update(Input::Members { asked: false, result }, NOON);
    app
}

fn line(sequence: u64, author: &str, code: &str, who: &str) -> Message {
    // Content { system: System { code, params: { who } } }, by hand: the client only reads such contents.
    let field = |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()][..], bytes].concat();
    let entry = [field(0x0a, b"who"), field(0x12, who.as_bytes())].concat();
    let system = [field(0x0a, code.as_bytes()), field(0x12, &entry)].concat();
    let content = field(0x22, &system).into();
    Message { sequence, author: author.to_owned(), content, time_ms: NOON, ..Message::default() }
}

#[test]
fn a_group_shows_who_says_what_and_its_lines_in_words() {
    for (language, expected) in [
        (Language::English, ["3 members", "鲍勃 Bob added Zoë 👩‍🚀", "You removed 鲍勃 Bob", "Reply to Zoë 👩‍🚀: hi"]),
        (Language::Chinese, ["3 人", "鲍勃 Bob 将 Zoë 👩‍🚀 加入此群", "你 将 鲍勃 Bob 移出此群", "回复 Zoë 👩‍🚀: hi"]),
    ] {
        let mut app = in_garden(language, "owner");
        said(&mut app, GROUP, line(1, BOB, "group-added", "zoe@far.example"));
        let reaction = |emoji: &str, count, mine| Reaction { emoji: emoji.into(), count, mine, ..Reaction::default() };
        let reactions = vec![reaction("👍", 2, true), reaction("🎉", 1, false)];
        said(&mut app, GROUP, Message { reactions, pinned: true, ..message(2, "zoe@far.example", "hi") });
        said(&mut app, GROUP, Message { reply_sequence: 2, ..message(3, ME, "welcome") });
        said(&mut app, GROUP, line(4, ME, "group-removed", BOB));
        let shown = screen(&mut app, 100, 24);
        for words in expected.iter().chain(&["花园小队 Garden (3)", "far.example", "👍 2", "🎉 1", "hi 📌"]) {
            assert!(shown.contains(words), "{words}\n{shown}");
        }
    }
}

#[test]
fn what_waits_for_the_home_says_so_and_takes_its_place_or_fails() {
    let mut app = in_garden(Language::English, "member");
    type_text(&mut app, "slow");
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::Send { local, conversation: GROUP, .. }] = &effects[..] else { panic!("{effects:?}") };
    app.update(Input::Accepted { local: *local, result: Ok(5) }, NOON);
    let sent = |sequence| Event::Sent {
        counter: 5,
        kind: CommandKind::Send,
        conversation: GROUP,
        sequence,
        id: Some(MessageId([7; 16])),
        time_ms: NOON,
        again: false,
    };
    tell(&mut app, sent(0));
    assert!(screen(&mut app, 100, 24).contains("slow ⋯ waiting for far.example"));
    tell(&mut app, sent(8));
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("slow ✓") && !shown.contains("waiting"), "{shown}");
    // Another device of mine says something there.
    let waits =
        Message { device: 44, counter: 5, author: ME.into(), content: content::text("from my phone"), ..Message::default() };
    tell(&mut app, Event::Waiting { conversation: GROUP, message: waits.clone() });
    assert!(screen(&mut app, 100, 24).contains("from my phone ⋯ waiting"));
    said(&mut app, GROUP, Message { sequence: 9, time_ms: NOON, ..waits });
    let shown = screen(&mut app, 100, 24);
    assert_eq!((shown.matches("from my phone").count(), shown.contains("waiting")), (2, false), "list and timeline: {shown}");
}

#[test]
fn members_are_called_by_name() {
    let mut app = in_garden(Language::English, "member");
    type_text(&mut app, "hi @zo");
    assert!(screen(&mut app, 100, 24).contains("@Zoë_👩‍🚀  (Tab)"));
    key(&mut app, KeyCode::Tab);
    type_text(&mut app, "look");
    let effects = key(&mut app, KeyCode::Enter);
    let Some(Effect::Send { content, .. }) = effects.iter().find(|e| matches!(e, Effect::Send { .. })) else { panic!() };
    assert_eq!(text_of(content), "hi @Zoë_👩‍🚀 look");
    assert_eq!(content::mentions(content), ["zoe@far.example"]);
    type_text(&mut app, "@every");
    assert!(app.candidates().is_empty(), "not everybody may call everybody");
}

#[test]
fn the_panel_does_what_its_keys_say() {
    for language in [Language::English, Language::Chinese] {
        let mut app = in_garden(language, "owner");
        control(&mut app, 'g');
        let shown = screen(&mut app, 100, 30);
        for words in ["花园小队 Garden", "鲍勃 Bob", "Zoë 👩‍🚀", "far.example"] {
            assert!(shown.contains(words), "{words}\n{shown}");
        }
        let act = |effects: &[Effect]| match effects {
            [Effect::Act { conversation: GROUP, act, .. }] => (**act).clone(),
            other => panic!("{other:?}"),
        };
        key(&mut app, KeyCode::Down);
        key(&mut app, KeyCode::Down);
        let Act::SetRole(role) = act(&key(&mut app, KeyCode::Char('r'))) else { panic!() };
        assert_eq!((role.user.as_str(), role.role.as_str()), ("zoe@far.example", "administrator"));
        assert!(key(&mut app, KeyCode::Char('x')).is_empty(), "asks first");
        assert_eq!(act(&key(&mut app, KeyCode::Enter)), Act::Remove("zoe@far.example".into()));
        control(&mut app, 'g');
        key(&mut app, KeyCode::Char('g'));
        (0..5).for_each(|_| drop(key(&mut app, KeyCode::Down)));
        key(&mut app, KeyCode::Right);
        let Act::SetRights(rights) = act(&key(&mut app, KeyCode::Enter)) else { panic!() };
        assert_eq!(rights.joining, "closed");
        control(&mut app, 'g');
        key(&mut app, KeyCode::Char('a'));
        type_text(&mut app, "carol，dave@far.example");
        let added: Vec<Act> = key(&mut app, KeyCode::Enter)
            .into_iter()
            .map(|e| if let Effect::Act { act, .. } = e { *act } else { panic!("{e:?}") })
            .collect();
        assert_eq!(added, [Act::Add("carol@home.example".into()), Act::Add("dave@far.example".into())]);
        let invitation = Invitation { link: "https://far.example/group/x#y".into(), not_after_ms: 0, uses: 0 };
        tell(&mut app, Event::GroupLink { counter: 3, conversation: GROUP, invitation });
        let shown = screen(&mut app, 100, 40);
        assert!(shown.contains("https://far.example/group/x#y") && shown.contains('█'), "{shown}");
    }
}

#[test]
fn groups_begin_are_joined_and_invitations_decided() {
    let mut app = running(Language::English);
    key(&mut app, KeyCode::Char('g'));
    type_text(&mut app, "Team");
    key(&mut app, KeyCode::Enter);
    type_text(&mut app, "bob zoe@far.example");
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::CreateGroup { name, members, .. }] = &effects[..] else { panic!("{effects:?}") };
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    assert_eq!((name.as_str(), members), ("Team", vec![BOB.to_owned(), "zoe@far.example".to_owned()]));
    key(&mut app, KeyCode::Char('l'));
    app.update(Input::Paste("https://far.example/group/x#y\n".into()), NOON);
    key(&mut app, KeyCode::Enter);
    let effects = key(&mut app, KeyCode::Enter);
    let [Effect::JoinGroup { link, word, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((link.as_str(), word.as_str()), ("https://far.example/group/x#y", ""));
    let invitation = GroupInvitation {
        group: "g".into(),
        home: "far.example".into(),
        name: "Far".into(),
        inviter: "zoe@far.example".into(),
        time_ms: 1,
    };
    tell(&mut app, Event::GroupInvitation(invitation));
    assert!(screen(&mut app, 100, 24).contains("zoe@far.example invites you"));
    key(&mut app, KeyCode::Char('v'));
    let effects = key(&mut app, KeyCode::Char('y'));
    assert!(matches!(&effects[..], [Effect::DecideInvitation { group, accept: true, .. }] if group == "g"), "{effects:?}");
    assert!(app.invitations.is_empty());
}

#[test]
fn standing_and_requests_are_said_under_the_name() {
    let mut app = in_garden(Language::English, "administrator");
    for (standing, asked, words) in [
        ("member", 2, "2 would like to join"),
        ("removed", 0, "You were removed from this group"),
        ("destroyed", 0, "closed for good"),
        ("joining", 0, "far.example has not answered yet"),
    ] {
        tell(&mut app, Event::Conversation(garden("administrator", standing, asked)));
        assert!(screen(&mut app, 100, 24).contains(words), "{standing}");
    }
}

#[test]
fn an_emoji_is_chosen_and_taken_back_with_the_same_key() {
    let mut app = in_garden(Language::English, "member");
    let mine = Reaction { emoji: "👍".into(), count: 1, mine: true, ..Reaction::default() };
    said(&mut app, GROUP, Message { reactions: vec![mine], ..message(2, BOB, "hi") });
    let mut react = |digit| {
        control(&mut app, 'l');
        match &key(&mut app, KeyCode::Char(digit))[..] {
            [Effect::Act { act, .. }] => match &**act {
                Act::React(react) => (react.sequence, react.emoji.clone(), react.remove),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(react('1'), (2, "👍".to_owned(), true));
    assert_eq!(react('4'), (2, "🎉".to_owned(), false));
}
