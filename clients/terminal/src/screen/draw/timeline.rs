//! The messages of a conversation, from the bottom up: only what is in view is laid out.
//!
//! A message's rows: a divider where a day begins, author and time where a group begins, what it answers, what it says.

use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};
use startalk_client::{
    Code, Error,
    content::{Shown, show},
    wire_types::Message,
};

use super::{accent, alarm, bold, dim};
use crate::screen::{
    app::App,
    chat::{Anchor, Chat, Mine, Progress},
    kinds,
    time::Moment,
    words::Word,
    wrap::{columns, cut, harmless, wrap},
};

/// Messages of one author closer together stand under one heading.
const GROUP_MS: i64 = 5 * 60 * 1000;
/// Author's and arrival's times that differ by more are both shown (design §4).
const DIFFERENCE_MS: i64 = 5 * 60 * 1000;
/// Rows of a long message's code that are drawn.
const CODE_ROWS_MAX: usize = 400;

pub(super) struct TimelineShown<'a> {
    pub lines: Vec<Line<'a>>,
    pub anchor: Option<Anchor>,
    pub at_top: bool,
}

/// What is in view, and where the view settled.
pub(super) fn shown<'a>(app: &App, chat: &Chat, width: usize, height: usize) -> TimelineShown<'a> {
    let mut anchor = chat.anchor.and_then(|a| settle(app, chat, a, width));
    let (mut rows, mut at_top) = collect(app, chat, anchor, width, height);
    // Above the beginning there is nothing: the view goes down until it is full.
    if let Some(up) = anchor.filter(|_| rows.len() < height) {
        let missing = i64::try_from(height - rows.len()).unwrap_or(0);
        anchor = settle(app, chat, Anchor { up: up.up - missing, ..up }, width);
        (rows, at_top) = collect(app, chat, anchor, width, height);
    }
    if at_top && rows.len() < height {
        let word = match (chat.loading, chat.low, chat.messages.is_empty() && chat.mine.is_empty()) {
            (true, _, _) => Word::Loading,
            (false, 2.., _) => Word::Loading,
            (false, _, true) => Word::NoMessages,
            (false, _, false) => Word::Beginning,
        };
        rows.push(centred(app.word(word), width));
    }
    let blank = height.saturating_sub(rows.len());
    rows.extend(std::iter::repeat_n(Line::default(), blank));
    rows.truncate(height);
    rows.reverse();
    if anchor.is_some()
        && let Some(last) = rows.last_mut()
    {
        *last = Line::styled(cut(app.word(Word::NewMessagesBelow), width), accent());
    }
    TimelineShown { lines: rows, anchor, at_top }
}

/// Rows from the bottom of the view up, at least as many as there are of the height.
fn collect<'a>(app: &App, chat: &Chat, anchor: Option<Anchor>, width: usize, height: usize) -> (Vec<Line<'a>>, bool) {
    let mut rows: Vec<Line<'a>> = Vec::new();
    if anchor.is_none() {
        for (i, mine) in chat.mine.iter().enumerate().rev() {
            let groups = |m: &Message| m.author == app.me && !m.recalled && mine.time_ms - m.time_ms < GROUP_MS;
            let follows = i > 0 || chat.messages.last_key_value().is_some_and(|(_, m)| groups(m));
            rows.extend(rows_of_mine(app, chat, mine, follows, width).into_iter().rev());
        }
    }
    let newest = anchor.map_or(u64::MAX, |a| a.sequence);
    let mut skip = anchor.map_or(0, |a| usize::try_from(a.up).unwrap_or(0));
    for (sequence, message) in chat.messages.range(..=newest).rev() {
        if rows.len() >= height {
            return (rows, false);
        }
        let all = rows_of(app, chat, *sequence, message, width);
        rows.extend(all.into_iter().rev().skip(std::mem::take(&mut skip)));
    }
    let at_top = rows.len() <= height;
    (rows, at_top)
}

/// Moves a place so that it lies inside its message; `None`: below the newest.
fn settle(app: &App, chat: &Chat, mut anchor: Anchor, width: usize) -> Option<Anchor> {
    let rows = |s: u64| chat.messages.get(&s).map_or(0, |m| i64::try_from(rows_of(app, chat, s, m, width).len()).unwrap_or(0));
    loop {
        if anchor.up < 0 {
            let (next, _) = chat.messages.range(anchor.sequence + 1..).next()?;
            anchor = Anchor { sequence: *next, up: anchor.up + rows(*next) };
        } else if anchor.up >= rows(anchor.sequence) {
            let Some((before, _)) = chat.messages.range(..anchor.sequence).next_back() else {
                let (first, _) = chat.messages.first_key_value()?;
                return Some(Anchor { sequence: *first, up: (rows(*first) - 1).max(0) });
            };
            anchor = Anchor { sequence: *before, up: anchor.up - rows(anchor.sequence) };
        } else {
            let newest = chat.messages.last_key_value().is_some_and(|(s, _)| *s == anchor.sequence);
            return (anchor.up > 0 || !newest || chat.chosen.is_some()).then_some(anchor);
        }
    }
}

fn centred<'a>(text: &str, width: usize) -> Line<'a> {
    Line::styled(format!("{}{text}", " ".repeat(width.saturating_sub(columns(text)) / 2)), dim())
}

fn rows_of<'a>(app: &App, chat: &Chat, sequence: u64, message: &Message, width: usize) -> Vec<Line<'a>> {
    let mut rows = Vec::new();
    let before = chat.messages.range(..sequence).next_back().map(|(_, m)| m);
    let moment = Moment::of(message.time_ms, app.offset_seconds);
    let new_day = before.is_none_or(|b| Moment::of(b.time_ms, app.offset_seconds).day != moment.day);
    if new_day {
        rows.push(day_divider(app, &moment, width));
    }
    if message.expired {
        rows.push(centred(app.word(Word::Expired), width));
        return rows;
    }
    if message.burnt {
        rows.push(centred(app.word(Word::Burnt), width));
        return rows;
    }
    if message.recalled {
        let words = if message.author == app.me {
            app.word(Word::RecalledByYou).to_owned()
        } else {
            let name = if message.author == chat.peer() { chat.name() } else { app.name_of(&message.author) };
            app.with(Word::RecalledBy, &[&name])
        };
        rows.push(centred(&words, width));
        return rows;
    }
    if startalk_client::content::system(&message.content).is_some() {
        let words = app.plain(message).replace('\n', " ");
        let gutter = if chat.chosen == Some(sequence) { "▌ " } else { "" };
        rows.extend(wrap(&words, width.saturating_sub(4)).into_iter().map(|r| centred(&format!("{gutter}{r}"), width)));
        return rows;
    }
    let is_line = |b: &Message| startalk_client::content::system(&b.content).is_some();
    let groups = |b: &Message| !is_line(b) && b.author == message.author && !b.recalled && message.time_ms - b.time_ms < GROUP_MS;
    if new_day || !before.is_some_and(groups) {
        rows.push(heading(app, chat, &message.author, message.time_ms, message.sent_ms));
    }
    let gutter = if chat.chosen == Some(sequence) { "▌ " } else { "  " };
    if !message.reply_to.is_empty() || message.reply_sequence != 0 {
        rows.push(quote(app, chat, &message.reply_to, message.reply_sequence, gutter, width));
    }
    let mut tail = Vec::new();
    if message.pinned {
        tail.push(Span::styled(" 📌", accent()));
    }
    match startalk_client::content::burn_s(&message.content) {
        0 => {}
        burn_s => tail.push(Span::styled(format!(" {}", app.with(Word::BurnsMark, &[&burn_s.to_string()])), dim())),
    }
    if message.edited_ms != 0 {
        tail.push(Span::styled(format!(" ({})", app.word(Word::Edited)), dim()));
    }
    if message.author == app.me {
        tail.extend(state(app, chat, message));
    }
    match super::super::chat::covered(message, &app.me) {
        Some(burn_s) => {
            let cover = app.with(Word::Covered, &[&burn_s.to_string()]);
            rows.extend(
                wrap(&cover, width.saturating_sub(2)).into_iter().map(|r| Line::styled(format!("{gutter}{r}"), accent())),
            );
        }
        None => rows.extend(body(app, chat, &message.content, gutter, tail, width)),
    }
    if !message.reactions.is_empty() {
        rows.push(reactions(message, gutter, width));
    }
    rows
}

/// Emoji and how many chose each; one's own stand out.
fn reactions<'a>(message: &Message, gutter: &str, width: usize) -> Line<'a> {
    let mut spans = vec![Span::raw(gutter.to_owned())];
    let mut used = columns(gutter);
    for reaction in &message.reactions {
        let words = format!(" {} {} ", harmless(&reaction.emoji), reaction.count);
        used += columns(&words) + 1;
        if used > width {
            break;
        }
        spans.push(Span::styled(words, if reaction.mine { accent().add_modifier(Modifier::REVERSED) } else { dim() }));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn rows_of_mine<'a>(app: &App, chat: &Chat, mine: &Mine, follows: bool, width: usize) -> Vec<Line<'a>> {
    let mut rows = Vec::new();
    if !follows {
        rows.push(heading(app, chat, &app.me, mine.time_ms, 0));
    }
    if !mine.reply_to.is_empty() || mine.reply_sequence != 0 {
        rows.push(quote(app, chat, &mine.reply_to, mine.reply_sequence, "  ", width));
    }
    let tail = match &mine.failed {
        None if mine.waiting => {
            let home = chat.info.group.as_ref().map_or("", |g| g.home.as_str());
            vec![Span::styled(format!(" ⋯ {}", app.with(Word::WaitingForHome, &[home])), dim())]
        }
        None => vec![Span::styled(format!(" ⋯ {}", app.word(Word::Pending)), dim())],
        Some(_) => Vec::new(),
    };
    rows.extend(body(app, chat, &mine.content, "  ", tail, width));
    if let Some((error, unconfirmed)) = &mine.failed {
        let word = if *unconfirmed { Word::Unconfirmed } else { Word::Failed };
        let words = format!("✗ {}", app.with(word, &[&error.words(app.language)]));
        rows.extend(
            wrap(&harmless(&words), width.saturating_sub(2)).into_iter().map(|r| Line::styled(format!("  {r}"), alarm())),
        );
    }
    rows
}

fn day_divider<'a>(app: &App, moment: &Moment, width: usize) -> Line<'a> {
    let today = Moment::of(app.now_ms, app.offset_seconds).day;
    let day = match today - moment.day {
        0 => app.word(Word::Today).to_owned(),
        1 => app.word(Word::Yesterday).to_owned(),
        _ => moment.calendar(),
    };
    let dashes = width.saturating_sub(columns(&day) + 2) / 2;
    Line::styled(format!("{0} {day} {0}", "─".repeat(dashes)), dim())
}

fn heading<'a>(app: &App, chat: &Chat, author: &str, time_ms: i64, sent_ms: i64) -> Line<'a> {
    let mine = author == app.me;
    let name = if mine {
        app.word(Word::You).to_owned()
    } else if author == chat.peer() {
        chat.name()
    } else {
        app.name_of(author)
    };
    let style = if mine { bold().fg(Color::Green) } else { bold().fg(Color::Cyan) };
    let mut time = Moment::of(time_ms, app.offset_seconds).clock();
    if sent_ms != 0 && (time_ms - sent_ms).abs() > DIFFERENCE_MS {
        let sent = Moment::of(sent_ms, app.offset_seconds);
        time.push_str(&format!(" · {}", app.with(Word::SentAt, &[&format!("{} {}", sent.calendar(), sent.clock())])));
    }
    Line::from(vec![Span::styled(name, style), Span::styled(format!("  {time}"), dim())])
}

fn quote<'a>(app: &App, chat: &Chat, id: &[u8], sequence: u64, gutter: &str, width: usize) -> Line<'a> {
    let source = match sequence {
        0 => chat.messages.values().rev().find(|m| m.id == id),
        sequence => chat.messages.get(&sequence),
    };
    let words = match source {
        None => app.word(Word::InReplyToUnknown).to_owned(),
        Some(m) => {
            let who = if m.author == chat.peer() { chat.name() } else { app.called(&m.author) };
            format!("{}: {}", app.with(Word::InReplyTo, &[&who]), app.plain(m).replace('\n', " "))
        }
    };
    Line::styled(format!("{gutter}┃ {}", cut(&words, width.saturating_sub(4))), dim())
}

fn body<'a>(app: &App, chat: &Chat, content: &[u8], gutter: &str, tail: Vec<Span<'a>>, width: usize) -> Vec<Line<'a>> {
    let room = width.saturating_sub(2).max(2);
    let shown = show(content, app.language);
    let (text, style) = match &shown {
        Shown::Code { language, source } => return code(language, source, gutter, tail, width),
        Shown::System(text) | Shown::Unknown(text) => (text.clone(), dim()),
        Shown::Other { kind, words, what } => {
            let link = kinds::seen_at(&app.me, chat.info.conversation);
            (kinds::text(kind, what, link.as_deref(), app.language).unwrap_or_else(|| words.clone()), Style::new())
        }
        shown => (shown.plain().to_owned(), Style::new()),
    };
    let mut rows: Vec<Line<'a>> = Vec::new();
    for line in harmless(&text).split('\n') {
        let style = if line.starts_with("> ") {
            dim()
        } else if line.starts_with("# ") {
            bold()
        } else {
            style
        };
        rows.extend(wrap(line, room).into_iter().map(|r| Line::from(vec![Span::raw(gutter.to_owned()), Span::styled(r, style)])));
    }
    append(&mut rows, tail, gutter, width);
    rows
}

fn code<'a>(language: &str, source: &str, gutter: &str, tail: Vec<Span<'a>>, width: usize) -> Vec<Line<'a>> {
    let room = width.saturating_sub(4).max(2);
    let frame = dim();
    let mut rows = vec![Line::from(vec![
        Span::raw(gutter.to_owned()),
        Span::styled(format!("┌ {}", cut(&harmless(language), room)), frame),
    ])];
    for row in wrap(&harmless(source), room).into_iter().take(CODE_ROWS_MAX) {
        let row =
            vec![Span::raw(gutter.to_owned()), Span::styled("│ ", frame), Span::styled(row, Style::new().fg(Color::Magenta))];
        rows.push(Line::from(row));
    }
    rows.push(Line::from(vec![Span::raw(gutter.to_owned()), Span::styled("└", frame)]));
    append(&mut rows, tail, gutter, width);
    rows
}

/// Behind the last row, or under it where there is no room.
fn append<'a>(rows: &mut Vec<Line<'a>>, tail: Vec<Span<'a>>, gutter: &str, width: usize) {
    let needed: usize = tail.iter().map(|s| columns(&s.content)).sum();
    match rows.last_mut() {
        Some(last) if last.width() + needed <= width => last.spans.extend(tail),
        _ if needed > 0 => {
            let mut spans = vec![Span::raw(gutter.to_owned())];
            spans.extend(tail);
            rows.push(Line::from(spans));
        }
        _ => {}
    }
}

fn state<'a>(app: &App, chat: &Chat, message: &Message) -> Vec<Span<'a>> {
    match chat.progress(message) {
        Progress::Sent => vec![Span::styled(" ✓", dim())],
        Progress::Delivered => vec![Span::styled(" ✓✓", dim())],
        Progress::Read => vec![Span::styled(format!(" ✓✓ {}", app.word(Word::Read)), accent())],
        Progress::Refused(code) => {
            let words = code.parse::<Code>().map_or(code, |c| Error::new(c).with("user", chat.peer()).words(app.language));
            vec![Span::styled(format!(" ✗ {}", app.with(Word::RefusedThere, &[&words])), alarm())]
        }
    }
}
