//! The list of conversations: two rows each.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};

use super::{accent, alarm, bold, dim, one_row, place_cursor};
use crate::screen::{
    app::{App, Focus},
    chat::Chat,
    time::Moment,
    words::Word,
    wrap::{columns, cut, fit},
};

/// Badges count to here.
const BADGE_MAX: u64 = 99;

pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, area: Rect, beside: bool) {
    let borders = if beside { Borders::RIGHT } else { Borders::NONE };
    let block = Block::new().borders(borders).border_style(dim());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = vec![title(app, width)];
    let list = app.list();
    let room = usize::from(inner.height).saturating_sub(1) / 2;
    app.layout.list_rows = room * 2;
    if list.is_empty() {
        let word = if app.filter.is_some() { Word::NothingFound } else { Word::NoConversations };
        lines.extend(crate::screen::wrap::wrap(app.word(word), width).into_iter().map(|r| Line::styled(r, dim())));
    }
    let at = app.chosen.and_then(|c| list.iter().position(|n| *n == c)).unwrap_or(0);
    let from = (at + 1).saturating_sub(room);
    for conversation in list.into_iter().skip(from).take(room) {
        if let Some(chat) = app.chats.get(&conversation) {
            let chosen = app.chosen == Some(conversation);
            lines.extend(entry(app, chat, width, chosen));
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
    if let Some(filter) = app.filter.as_ref().filter(|_| app.focus == Focus::List && app.dialog.is_none()) {
        let label = columns(app.word(Word::Search)) + 2;
        let (_, column) = one_row(filter, width.saturating_sub(label), false);
        place_cursor(frame, inner, label + column, 0);
    }
}

fn title<'a>(app: &App, width: usize) -> Line<'a> {
    match &app.filter {
        Some(filter) => {
            let label = format!("{}: ", app.word(Word::Search));
            let (text, _) = one_row(filter, width.saturating_sub(columns(&label)), false);
            Line::from(vec![Span::styled(label, accent()), Span::raw(text)])
        }
        // Which is said all the time: what is here goes with the account.
        None if app.ends_ms > 0 => {
            let days = (app.ends_ms - app.now_ms).max(0).div_euclid(24 * 3600 * 1000);
            Line::styled(fit(&app.with(Word::TrialDays, &[&days.to_string()]), width), bold().patch(alarm()))
        }
        None => Line::styled(fit(app.word(Word::Conversations), width), bold()),
    }
}

fn entry<'a>(app: &App, chat: &Chat, width: usize, chosen: bool) -> [Line<'a>; 2] {
    let now = Moment::of(app.now_ms, app.offset_seconds);
    let time_ms = chat.mine.last().map_or(chat.info.time_ms, |m| m.time_ms.max(chat.info.time_ms));
    let time = if time_ms == 0 { String::new() } else { Moment::of(time_ms, app.offset_seconds).short(&now) };
    let unread = chat.unread(&app.me);
    let badge = match unread {
        0 => String::new(),
        n if n > BADGE_MAX => "99+".to_owned(),
        n => n.to_string(),
    };
    let marker = if chosen { "▌" } else { " " };
    let name_style = if unread > 0 { bold() } else { Style::new() };
    let name_columns = width.saturating_sub(columns(&time) + 2);
    let first = vec![
        Span::styled(marker, accent()),
        Span::styled(fit(&titled(chat), name_columns), name_style),
        Span::styled(format!(" {time}"), dim()),
    ];
    let (text, style) = preview(app, chat);
    let badge_columns = if badge.is_empty() { 0 } else { columns(&badge) + 2 };
    let mut second =
        vec![Span::styled(marker, accent()), Span::styled(fit(&text, width.saturating_sub(1 + badge_columns)), style)];
    if !badge.is_empty() {
        second.push(Span::styled(
            format!(" {badge} "),
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED),
        ));
    }
    [Line::from(first), Line::from(second)]
}

/// Its name; of a group also how many are in, and whether one hears of it.
fn titled(chat: &Chat) -> String {
    let silent = if chat.info.muted_until_ms > 0 { " 🔕" } else { "" };
    match &chat.info.group {
        Some(group) => format!("{} ({}){silent}", chat.name(), group.members),
        None => format!("{}{silent}", chat.name()),
    }
}

fn preview(app: &App, chat: &Chat) -> (String, Style) {
    if chat.info.request {
        return (format!("[{}] {}", app.word(Word::Request), chat.peer()), Style::new().fg(Color::Magenta));
    }
    if chat.typing_until_ms > app.now_ms {
        return (app.word(Word::Typing).to_owned(), accent());
    }
    if chat.info.blocked {
        return (format!("[{}]", app.word(Word::Blocked)), dim());
    }
    if chat.mine.iter().any(|m| m.failed.is_some()) {
        return (app.with(Word::Failed, &[""]).trim_end_matches([' ', ':', '：']).to_owned(), alarm());
    }
    if !chat.draft.is_empty() && app.open != Some(chat.info.conversation) {
        return (format!("✎ {}", cut(&chat.draft.text().replace('\n', " "), 60)), alarm());
    }
    let Some((waiting, text)) = chat.preview(app.language) else { return (String::new(), dim()) };
    let mine = waiting || chat.messages.last_key_value().is_some_and(|(_, m)| m.author == app.me);
    let text = text.replace('\n', " ");
    let last = chat.messages.last_key_value().map(|(_, m)| m);
    let author = last.map_or("", |m| m.author.as_str());
    let is_line = !waiting && last.is_some_and(|m| startalk_client::content::system(&m.content).is_some());
    let line = last.filter(|_| is_line).map(|m| app.plain(m).replace('\n', " ")).unwrap_or_default();
    if !waiting && last.is_some_and(|m| m.burnt) {
        return (app.word(Word::Burnt).to_owned(), dim());
    }
    if let Some(burn_s) = last.filter(|_| !waiting).and_then(|m| crate::screen::chat::covered(m, &app.me)) {
        return (app.with(Word::BurnsMark, &[&burn_s.to_string()]), dim());
    }
    if !waiting && last.is_some_and(|m| m.expired) {
        return (app.word(Word::Expired).to_owned(), dim());
    }
    let recalled = !waiting && chat.messages.last_key_value().is_some_and(|(_, m)| m.recalled);
    let text = match (recalled, mine) {
        (true, true) => app.word(Word::RecalledByYou).to_owned(),
        (true, false) => app.with(Word::RecalledBy, &[&app.name_of(author)]),
        (false, _) if is_line => line,
        (false, true) => format!("{}: {text}", app.word(Word::You)),
        (false, false) if chat.info.group.is_some() => format!("{}: {text}", app.name_of(author)),
        (false, false) => text,
    };
    (text, dim())
}
