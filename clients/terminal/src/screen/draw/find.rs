//! The panel of a search: the words, the sorts, what was found with its places marked, and what one waits for.

use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};
use startalk_client::wire_types::{FoundMessage, Range};

use super::{accent, alarm, bold, dim, one_row};
use crate::screen::{
    app::App,
    find::{Find, Row, Sort},
    time::Moment,
    words::Word,
    wrap::{columns, cut, harmless, wrap},
};

/// Lines of the panel that are not hits: the words, the sorts, a state, the keys, and the frame.
const OTHER_ROWS: usize = 8;

/// Title and lines; the cursor's column in the first line. Always as many lines, so that nothing jumps while one types.
pub(super) fn lines<'a>(app: &App, find: &Find, width: usize, height: usize) -> (String, Vec<Line<'a>>, usize) {
    let (text, column) = one_row(&find.words, width.saturating_sub(2), false);
    let title = match find.inside.and_then(|c| app.chats.get(&c)) {
        Some(chat) => app.with(Word::FindIn, &[&cut(&chat.name(), 30)]),
        None => app.word(Word::FindTitle).to_owned(),
    };
    let mut lines = vec![Line::from(vec![Span::styled("› ", accent()), Span::raw(text)]), sorts(app, find)];
    let room = height.saturating_sub(OTHER_ROWS).max(4);
    let hits: Vec<Vec<Line<'a>>> = find.rows().iter().map(|row| hit(app, row, width)).collect();
    let mut from = find.at;
    let mut used = hits.get(from).map_or(0, Vec::len);
    while from > 0 && used + hits[from - 1].len() <= room {
        from -= 1;
        used += hits[from].len();
    }
    let before = lines.len();
    for (i, rows) in hits.into_iter().enumerate().skip(from) {
        if lines.len() - before + rows.len() > room {
            break;
        }
        for row in rows {
            let mut spans = vec![Span::styled(if i == find.at { "▌" } else { " " }, accent())];
            spans.extend(row.spans);
            lines.push(Line::from(spans));
        }
    }
    if lines.len() == before {
        lines.push(state(app, find, width));
    }
    lines.resize(before + room, Line::default());
    lines.push(match (find.found.building, &find.error) {
        (true, None) => Line::styled(app.with(Word::FindBuilding, &[&find.found.percent.to_string()]), accent()),
        _ => Line::default(),
    });
    let keys = if app.open.is_some() { Word::FindKeysHere } else { Word::FindKeys };
    lines.extend(wrap(app.word(keys), width).into_iter().take(2).map(|r| Line::styled(r, dim())));
    (title, lines, column)
}

fn sorts<'a>(app: &App, find: &Find) -> Line<'a> {
    let words = [Word::FindAll, Word::FindPeople, Word::FindGroups, Word::FindMessages];
    let shown = Sort::ALL.into_iter().zip(words).filter(|(sort, _)| find.inside.is_none() || *sort == Sort::Messages);
    let style = |sort: Sort| if sort == find.sort { bold().add_modifier(Modifier::UNDERLINED) } else { dim() };
    let spans = shown.flat_map(|(sort, word)| [Span::styled(app.word(word), style(sort)), Span::raw("  ")]);
    Line::from(spans.collect::<Vec<_>>())
}

fn state<'a>(app: &App, find: &Find, width: usize) -> Line<'a> {
    match &find.error {
        Some(words) => Line::styled(cut(words, width), alarm()),
        None if find.words.text().trim().is_empty() => Line::styled(cut(app.word(Word::FindHint), width), dim()),
        None if find.is_busy() => Line::styled(app.word(Word::Loading), dim()),
        None => Line::styled(app.word(Word::FindNothing), dim()),
    }
}

fn hit<'a>(app: &App, row: &Row<'_>, width: usize) -> Vec<Line<'a>> {
    let width = width.saturating_sub(1);
    match row {
        Row::Person(person) => {
            let name = if person.display_name.is_empty() { &person.user } else { &person.display_name };
            let mut spans = marked(name, &person.ranges, width / 2);
            if !person.display_name.is_empty() {
                spans.push(Span::styled(format!("  {}", cut(&harmless(&person.user), width / 2)), dim()));
            }
            vec![Line::from(spans)]
        }
        Row::Group(group) => {
            let mut spans = marked(&group.name, &group.ranges, width * 2 / 3);
            spans.push(Span::styled(format!("  {}", app.with(Word::MemberCount, &[&group.members.to_string()])), dim()));
            vec![Line::from(spans)]
        }
        Row::Message(message) => message_lines(app, message, width),
    }
}

fn message_lines<'a>(app: &App, message: &FoundMessage, width: usize) -> Vec<Line<'a>> {
    let now = Moment::of(app.now_ms, app.offset_seconds);
    let time = Moment::of(message.time_ms, app.offset_seconds).short(&now);
    let chat = app.chats.get(&message.conversation);
    let name = chat.map(super::super::chat::Chat::name).unwrap_or_default();
    let author = if message.author.is_empty() { app.word(Word::Gone).to_owned() } else { app.called(&message.author) };
    // Of two it is plain who the other is.
    let who = match chat {
        Some(chat) if chat.info.group.is_none() && message.author == chat.peer() => String::new(),
        _ => format!(" · {author}"),
    };
    let first = cut(&format!("{name}{who}"), width.saturating_sub(columns(&time) + 2));
    let mut text = vec![Span::raw("  ")];
    text.extend(marked(&message.text, &message.ranges, width.saturating_sub(2)));
    vec![Line::from(vec![Span::styled(first, bold()), Span::styled(format!("  {time}"), dim())]), Line::from(text)]
}

/// A text in one row of so many columns, what was found in it marked and its first place in view. Ranges count characters.
pub(super) fn marked<'a>(text: &str, ranges: &[Range], max: usize) -> Vec<Span<'a>> {
    let is_hit = |at: usize| ranges.iter().any(|r| (r.start as usize..(r.start + r.length) as usize).contains(&at));
    let shown = |c: char| if c == '\n' { " ".to_owned() } else { harmless(&c.to_string()) };
    let chars: Vec<(String, bool)> = text.chars().enumerate().map(|(at, c)| (shown(c), is_hit(at))).collect();
    let width = |some: &[(String, bool)]| some.iter().map(|(c, _)| columns(c)).sum::<usize>();
    let first = chars.iter().position(|(_, hit)| *hit).unwrap_or(0);
    let mut from = 0;
    while width(&chars) > max && from < first && width(&chars[from..first]) > max / 3 {
        from += 1;
    }
    let style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut spans: Vec<Span<'a>> = if from > 0 { vec![Span::styled("…", dim())] } else { Vec::new() };
    let (mut used, mut run, mut run_hit) = (usize::from(from > 0), String::new(), false);
    let push = |run: &mut String, hit: bool, spans: &mut Vec<Span<'a>>| {
        if !run.is_empty() {
            spans.push(Span::styled(std::mem::take(run), if hit { style } else { Style::new() }));
        }
    };
    for (at, (c, hit)) in chars.iter().enumerate().skip(from) {
        let rest_fits = used + width(&chars[at..]) <= max;
        if !rest_fits && used + columns(c) + 1 > max {
            run.push('…');
            break;
        }
        if *hit != run_hit {
            push(&mut run, run_hit, &mut spans);
            run_hit = *hit;
        }
        run.push_str(c);
        used += columns(c);
    }
    push(&mut run, run_hit, &mut spans);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(spans: &[Span<'_>]) -> String {
        let mark = |s: &Span<'_>| {
            if s.style.add_modifier.contains(Modifier::BOLD) { format!("[{}]", s.content) } else { s.content.to_string() }
        };
        spans.iter().map(mark).collect()
    }

    #[test]
    fn what_was_found_is_marked_and_in_view() {
        let range = |start, length| Range { start, length };
        assert_eq!(text(&marked("😀我們在漢口\n見面", &[range(4, 2)], 40)), "😀我們在[漢口] 見面");
        let long = format!("{}汉口{}", "前".repeat(40), "后".repeat(40));
        let shown = text(&marked(&long, &[range(40, 2)], 21));
        assert!(shown.contains("[汉口]") && shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert!(columns(&shown) <= 21 + 2, "{shown}");
        assert_eq!(text(&marked("a\u{1b}[31mb", &[], 40)), "a[31mb");
    }
}
