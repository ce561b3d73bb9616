//! The way in, and the recovery codes.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{accent, alarm, bold, dim, one_row, place_cursor};
use crate::screen::{
    app::App,
    form::{Field, Form, Step},
    words::Word,
    wrap::{columns, harmless, wrap},
};

/// Columns of the form at most.
const WIDTH_MAX: u16 = 84;

fn inside(area: Rect) -> Rect {
    let width = area.width.min(WIDTH_MAX);
    let top = if area.height > 26 { 3 } else { 0 };
    Rect { x: area.x + (area.width - width) / 2 + 1, y: area.y + top, width: width - 2, height: area.height - top }
}

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, form: &Form) {
    let area = inside(frame.area());
    let width = usize::from(area.width);
    let mut lines = vec![
        Line::from(vec![
            Span::styled(app.word(Word::AppName), bold().patch(accent())),
            Span::raw("  "),
            Span::styled(app.word(form.title()), bold()),
        ]),
        Line::default(),
    ];
    let labels = form.fields().iter().map(|f| columns(app.word(form.label(*f)))).max().unwrap_or(0);
    let room = width.saturating_sub(labels + 4);
    let mut cursor = None;
    for (i, field) in form.fields().iter().enumerate() {
        let label = app.word(form.label(*field));
        let current = i == form.at;
        let (text, column) = one_row(form.editor(*field), room, *field == Field::Password);
        if current && !form.busy {
            cursor = Some((labels + 4 + column, lines.len()));
        }
        let marker = if current { "› " } else { "  " };
        let pad = " ".repeat(labels - columns(label));
        lines.push(Line::from(vec![
            Span::styled(marker, accent()),
            Span::styled(format!("{label}{pad}"), if current { bold() } else { dim() }),
            Span::raw("  "),
            Span::raw(text),
        ]));
    }
    lines.push(Line::default());
    for step in &form.steps {
        let (texts, style) = match step {
            Step::Doing(text) => (vec![text.clone()], accent()),
            Step::Failed(texts) => (texts.clone(), alarm()),
        };
        for (i, text) in texts.iter().enumerate() {
            let text = match step {
                Step::Failed(_) if i == 0 => app.with(Word::StepFailed, &[text]),
                _ => text.clone(),
            };
            lines.extend(wrap(&harmless(&text), width).into_iter().map(|r| Line::styled(r, style)));
        }
    }
    let keys = wrap(app.word(Word::FormKeys), width);
    let room = usize::from(area.height).saturating_sub(keys.len() + 1);
    lines.truncate(room);
    lines.resize(room.max(lines.len()), Line::default());
    lines.extend(keys.into_iter().map(|r| Line::styled(r, dim())));
    frame.render_widget(Paragraph::new(lines), area);
    if let Some((column, row)) = cursor {
        place_cursor(frame, area, column, row);
    }
}

pub(super) fn codes(frame: &mut Frame<'_>, app: &App, codes: &[String]) {
    let area = inside(frame.area());
    let width = usize::from(area.width);
    let mut lines = vec![Line::styled(app.word(Word::CodesTitle), bold()), Line::default()];
    lines.extend(wrap(app.word(Word::CodesText), width).into_iter().map(Line::from));
    lines.push(Line::default());
    for pair in codes.chunks(2) {
        let cells: Vec<String> = pair.iter().map(|c| format!("  {:<24}", harmless(c))).collect();
        lines.push(Line::styled(cells.concat(), bold()));
    }
    lines.push(Line::default());
    lines.push(Line::styled(app.word(Word::CodesKeys), accent()));
    frame.render_widget(Paragraph::new(lines), area);
}
