//! Drawing the state. Reads everything, decides nothing; leaves behind only what the next key must know of the layout.
//!
//! Colours are the terminal's own sixteen on its own background, and never the only sign of anything.

mod dialogs;
mod find;
mod form;
mod groups;
mod list;
mod timeline;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};
use startalk_client::State;

use super::{
    app::{App, Focus, Mode},
    chat::Chat,
    editor::Editor,
    words::Word,
    wrap::{columns, cut, fit, harmless},
};

/// The smallest window.
const COLUMNS_MIN: u16 = 60;
const ROWS_MIN: u16 = 16;
/// From here on, list and conversation stand beside each other.
const WIDE: u16 = 84;
/// Rows of the composer at most.
const COMPOSER_ROWS_MAX: usize = 7;

pub(super) fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

pub(super) fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

pub(super) fn alarm() -> Style {
    Style::new().fg(Color::Red)
}

pub(super) fn accent() -> Style {
    Style::new().fg(Color::Cyan)
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        frame.render_widget(Paragraph::new(app.word(Word::TooSmall)), area);
        return;
    }
    match &app.mode {
        Mode::Form(sheet) => form::draw(frame, app, sheet),
        Mode::Codes(codes) => form::codes(frame, app, codes),
        Mode::Chats => chats(frame, app, area),
    }
}

fn chats(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let [main, status] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(area);
    if area.width >= WIDE {
        let list_columns = (area.width / 3).clamp(28, 40);
        let [left, right] = Layout::horizontal([Constraint::Length(list_columns), Constraint::Min(1)]).areas(main);
        list::draw(frame, app, left, true);
        conversation(frame, app, right);
    } else if app.focus == Focus::Chat && app.open.is_some() {
        conversation(frame, app, main);
    } else {
        list::draw(frame, app, main, false);
    }
    status_line(frame, app, status);
    dialogs::draw(frame, app, main);
}

fn conversation(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let Some(chat) = app.chat() else {
        let hint = Paragraph::new(Line::styled(app.word(Word::ChooseOne), dim())).centered();
        let middle = Rect { y: area.y + area.height / 2, height: 1, ..area };
        frame.render_widget(hint, middle);
        return;
    };
    let text_columns = usize::from(area.width.saturating_sub(3)).max(2);
    let laid = chat.draft.lay(text_columns);
    let rows = laid.rows.len().clamp(1, COMPOSER_ROWS_MAX);
    let banner = banner(app, chat);
    let heights = [1, u16::from(banner.is_some()), 0, u16::try_from(rows).unwrap_or(1) + 1];
    let [top, under, middle, bottom] = Layout::vertical([
        Constraint::Length(heights[0]),
        Constraint::Length(heights[1]),
        Constraint::Min(3),
        Constraint::Length(heights[3]),
    ])
    .areas(area);
    frame.render_widget(header(app, chat, usize::from(top.width)), top);
    if let Some(banner) = banner {
        frame.render_widget(Paragraph::new(Line::styled(cut(&banner.0, usize::from(under.width)), banner.1)), under);
    }
    composer(frame, app, chat, bottom, text_columns);
    let shown = timeline::shown(app, chat, usize::from(middle.width), usize::from(middle.height));
    frame.render_widget(Paragraph::new(shown.lines), middle);
    let (anchor, at_top) = (shown.anchor, shown.at_top);
    (app.layout.composer_columns, app.layout.timeline_rows, app.layout.at_top) =
        (text_columns, usize::from(middle.height), at_top);
    if let Some(chat) = app.chat_mut() {
        chat.anchor = anchor;
    }
}

fn banner(app: &App, chat: &Chat) -> Option<(String, Style)> {
    let style = Style::new().fg(Color::Magenta);
    if let Some(group) = &chat.info.group {
        groups::banner(app, group)
    } else if chat.info.request {
        Some((app.with(Word::RequestBanner, &[&harmless(chat.peer())]), style))
    } else if chat.info.blocked {
        Some((app.word(Word::BlockedBanner).to_owned(), style))
    } else {
        None
    }
}

fn header<'a>(app: &App, chat: &Chat, width: usize) -> Paragraph<'a> {
    let name = chat.name();
    let mut spans = vec![Span::styled(cut(&name, width * 2 / 3), bold())];
    if let Some(group) = &chat.info.group {
        let own = app.me.split_once('@').is_some_and(|(_, domain)| domain == group.home);
        spans.push(Span::styled(format!("  {}", app.with(Word::MemberCount, &[&group.members.to_string()])), dim()));
        if !own {
            spans.push(Span::styled(format!("  {}", group.home), dim()));
        }
        if chat.typing_until_ms > app.now_ms {
            let words = app.with(Word::TypingUser, &[&app.name_of(&chat.typing_user)]);
            spans.push(Span::styled(format!("  {words}"), accent()));
        }
        return Paragraph::new(Line::from(spans));
    }
    if name != chat.peer() {
        spans.push(Span::styled(format!("  {}", harmless(chat.peer())), dim()));
    }
    if chat.info.peer.as_ref().is_some_and(|p| p.gone) {
        spans.push(Span::styled(format!("  {}", app.word(Word::Gone)), alarm()));
    } else if chat.typing_until_ms > app.now_ms {
        spans.push(Span::styled(format!("  {}", app.word(Word::Typing)), accent()));
    } else if app.presence.get(chat.peer()).is_some_and(|p| p == "online") {
        spans.push(Span::styled(format!("  ● {}", app.word(Word::Online)), Style::new().fg(Color::Green)));
    }
    Paragraph::new(Line::from(spans))
}

fn composer(frame: &mut Frame<'_>, app: &App, chat: &Chat, area: Rect, text_columns: usize) {
    let above = if chat.editing.is_some() {
        app.word(Word::Editing).to_owned()
    } else if let Some(message) = chat.reply_to.and_then(|s| chat.messages.get(&s)) {
        let text = app.plain(message).replace('\n', " ");
        let who = if message.author == chat.peer() { chat.name() } else { app.called(&message.author) };
        app.with(Word::ReplyingTo, &[&who, &cut(&text, text_columns / 3)])
    } else {
        let called: Vec<String> = app.candidates().into_iter().map(|c| c.0).collect();
        if called.is_empty() { String::new() } else { format!("{}  (Tab)", called.join("  ")) }
    };
    let active = app.focus == Focus::Chat && app.dialog.is_none();
    let style = if active { Style::new() } else { dim() };
    let title = Line::styled(cut(&above, usize::from(area.width).saturating_sub(2)), accent());
    let block = Block::new().borders(Borders::TOP).border_style(style).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = usize::from(inner.height);
    let laid = chat.draft.lay(text_columns);
    let from = (laid.cursor.0 + 1).saturating_sub(rows);
    let mut lines: Vec<Line<'_>> = laid.rows.iter().skip(from).take(rows).map(|r| Line::from(format!("  {r}"))).collect();
    match lines.first_mut() {
        Some(first) if chat.draft.is_empty() => {
            *first = Line::from(vec![Span::raw("› "), Span::styled(cut(app.word(Word::ComposerHint), text_columns), dim())]);
        }
        Some(first) if from == 0 => *first = Line::from(format!("› {}", laid.rows.first().map_or("", String::as_str))),
        _ => {}
    }
    frame.render_widget(Paragraph::new(lines), inner);
    if active {
        place_cursor(frame, inner, 2 + laid.cursor.1, laid.cursor.0 - from);
    }
}

pub(super) fn place_cursor(frame: &mut Frame<'_>, area: Rect, column: usize, row: usize) {
    let x = area.x.saturating_add(u16::try_from(column).unwrap_or(u16::MAX)).min(area.right().saturating_sub(1));
    let y = area.y.saturating_add(u16::try_from(row).unwrap_or(u16::MAX)).min(area.bottom().saturating_sub(1));
    frame.set_cursor_position((x, y));
}

/// A text of one row with its cursor in view; returns what is seen and the cursor's column.
pub(super) fn one_row(editor: &Editor, width: usize, hidden: bool) -> (String, usize) {
    if hidden {
        let graphemes = unicode_segmentation::UnicodeSegmentation::graphemes(editor.text(), true).count();
        return Editor::of(&"•".repeat(graphemes)).window(width);
    }
    editor.window(width)
}

fn status_line(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let (words, style) = match &app.state {
        State::Online => (app.word(Word::Online).to_owned(), Style::new().fg(Color::Green)),
        State::Connecting => (app.word(Word::Connecting).to_owned(), Style::new()),
        State::RetryIn { error, .. } => {
            let seconds = (app.retry_at_ms - app.now_ms + 999).max(0) / 1000;
            (format!("{}: {}", app.with(Word::RetryIn, &[&seconds.to_string()]), error.words(app.language)), alarm())
        }
    };
    let waiting: usize = app.chats.values().map(|c| c.mine.iter().filter(|m| m.failed.is_none()).count()).sum();
    let moving = app.moving_words().filter(|_| app.notice.is_none());
    if let Some(moving) = moving {
        frame.render_widget(Paragraph::new(Line::styled(cut(&moving, usize::from(area.width)), accent())), area);
        return;
    }
    let mut left = vec![Span::styled(harmless(&words), style)];
    if waiting > 0 && app.state != State::Online {
        left.push(Span::raw(format!(" · {}", app.with(Word::Waiting, &[&waiting.to_string()]))));
    }
    let right = format!("{} · {}", harmless(&app.me), app.word(Word::StatusKeys));
    let width = usize::from(area.width);
    let line = match &app.notice {
        Some((notice, _)) => Line::from(Span::styled(fit(notice, width), Style::new().add_modifier(Modifier::REVERSED))),
        None => {
            let used: usize = left.iter().map(|s| columns(&s.content)).sum();
            let room = width.saturating_sub(columns(&right) + 1);
            let mut spans = if used > room {
                vec![Span::styled(cut(&left.iter().map(|s| s.content.as_ref()).collect::<String>(), room), style)]
            } else {
                left
            };
            let used: usize = spans.iter().map(|s| columns(&s.content)).sum();
            spans.push(Span::raw(" ".repeat(width.saturating_sub(used + columns(&right)))));
            spans.push(Span::styled(right, dim()));
            Line::from(spans)
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}
