//! What stands in front of the rest: keys, a question, a name to type.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

use super::{accent, bold, dim, one_row, place_cursor};
use crate::screen::{
    app::{App, Dialog},
    words::Word,
    wrap::{columns, harmless, wrap},
};

/// Lines of the help.
const HELP: &[Word] = &[
    Word::HelpMove,
    Word::HelpOpen,
    Word::HelpNew,
    Word::HelpFind,
    Word::HelpLater,
    Word::HelpFiles,
    Word::HelpKinds,
    Word::HelpForward,
    Word::HelpLists,
    Word::HelpSend,
    Word::HelpEdit,
    Word::HelpChoose,
    Word::HelpRetry,
    Word::HelpGroups,
    Word::HelpInGroup,
    Word::HelpCall,
    Word::HelpRequest,
    Word::HelpMore,
    Word::HelpLanguage,
];

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let Some(dialog) = &app.dialog else { return };
    let width = usize::from(area.width).saturating_sub(8).min(76);
    if let Dialog::Group(sheet) = dialog {
        let (title, lines, column) = super::groups::lines(app, sheet, width);
        let inner = boxed(frame, area, &title, lines, column.map(|_| width));
        if let Some(column) = column {
            place_cursor(frame, inner, 2 + column, 0);
        }
        return;
    }
    if let Dialog::Find(find) = dialog {
        let (title, lines, column) = super::find::lines(app, find, width, usize::from(area.height));
        let inner = boxed(frame, area, &title, lines, Some(width));
        place_cursor(frame, inner, 2 + column, 0);
        return;
    }
    let (title, lines) = match dialog {
        Dialog::Help => {
            let mut lines: Vec<Line<'_>> = HELP.iter().flat_map(|w| wrap(app.word(*w), width)).map(Line::from).collect();
            lines.push(Line::styled(app.word(Word::HelpKeys), dim()));
            (app.word(Word::Help), lines)
        }
        Dialog::NewConversation(editor) => {
            let (text, _) = one_row(editor, width.saturating_sub(2), false);
            (app.word(Word::NewConversation), vec![Line::from(vec![Span::styled("› ", accent()), Span::raw(text)])])
        }
        Dialog::Recall { .. } => (app.word(Word::AppName), text(app.word(Word::ConfirmRecall), width)),
        Dialog::Block(user) => (app.word(Word::AppName), text(&app.with(Word::ConfirmBlock, &[user]), width)),
        Dialog::Text(words) => {
            let mut lines = text(&harmless(words), width);
            lines.push(Line::styled(app.word(Word::HelpKeys), dim()));
            (app.word(Word::AppName), lines)
        }
        Dialog::SignOut => (app.word(Word::AppName), text(app.word(Word::ConfirmSignOut), width)),
        Dialog::Group(_) | Dialog::Find(_) => return,
    };
    let wanted = matches!(dialog, Dialog::NewConversation(_)).then_some(width);
    let inner = boxed(frame, area, title, lines, wanted);
    if let Dialog::NewConversation(editor) = dialog {
        let (_, column) = one_row(editor, usize::from(inner.width).saturating_sub(2), false);
        place_cursor(frame, inner, 2 + column, 0);
    }
}

/// Lines in a frame in the middle, as wide as they need or as is wanted; returns the place inside.
fn boxed(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'_>>, wanted: Option<usize>) -> Rect {
    let longest = lines.iter().map(Line::width).max().unwrap_or(0).max(columns(title) + 2);
    let wanted = wanted.unwrap_or(longest);
    let width = u16::try_from(wanted + 2).unwrap_or(area.width).min(area.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(area.height).min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = Block::bordered().border_style(accent()).title(Span::styled(format!(" {title} "), bold()));
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
    inner
}

fn text<'a>(words: &str, width: usize) -> Vec<Line<'a>> {
    wrap(words, width).into_iter().map(Line::from).collect()
}
