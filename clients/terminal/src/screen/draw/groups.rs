//! The panel of a group, its prompts, rights, links and invitations.

use ratatui::{
    style::{Color, Style},
    text::{Line, Span},
};
use startalk_client::wire_types::{Group, GroupMember};

use super::{accent, alarm, bold, dim, one_row};
use crate::screen::{
    app::App,
    group::{Panel, Prompt, RightsSheet, Sheet, Tab, includes, is_above, name_of},
    time::Moment,
    update::QUICK,
    words::Word,
    wrap::{columns, cut, fit, harmless, wrap},
};

/// Rows of members in view.
const ROWS: usize = 10;

/// Title and lines; the cursor's column in the second line of a prompt.
pub(super) fn lines<'a>(app: &App, sheet: &Sheet, width: usize) -> (String, Vec<Line<'a>>, Option<usize>) {
    match sheet {
        Sheet::Panel(panel) => (panel_title(app, panel), panel_lines(app, panel, width), None),
        Sheet::Prompt(prompt, editor) => {
            let (text, column) = one_row(editor, width.saturating_sub(2), false);
            let mut lines = vec![Line::from(vec![Span::styled("› ", accent()), Span::raw(text)])];
            if matches!(prompt, Prompt::React(..)) {
                let quick: Vec<String> = QUICK.iter().enumerate().map(|(i, e)| format!("{} {e}", i + 1)).collect();
                lines.push(Line::styled(quick.join("   "), dim()));
            }
            (prompt_title(app, prompt), lines, Some(column))
        }
        Sheet::Rights(sheet) => (app.word(Word::Rights).to_owned(), rights_lines(app, sheet), None),
        Sheet::Sure(words, _) => {
            let mut lines: Vec<Line<'_>> = wrap(words, width).into_iter().map(Line::from).collect();
            lines.push(Line::styled(app.word(Word::SureKeys), dim()));
            (app.word(Word::AppName).to_owned(), lines, None)
        }
        Sheet::Invitations(at) => (app.word(Word::GroupInvitations).to_owned(), invitation_lines(app, *at, width), None),
        Sheet::Link(words, picture) => {
            let mut lines: Vec<Line<'_>> = wrap(&harmless(words), width).into_iter().map(Line::from).collect();
            let ink = Style::new().fg(Color::Black).bg(Color::White);
            lines.extend(picture.iter().map(|row| Line::styled(row.clone(), ink).centered()));
            lines.push(Line::styled(app.word(Word::HelpKeys), dim()));
            (app.word(Word::GroupLinkTitle).to_owned(), lines, None)
        }
    }
}

fn panel_title(app: &App, panel: &Panel) -> String {
    let chat = app.chats.get(&panel.conversation);
    let members = chat.and_then(|c| c.info.group.as_ref()).map_or(0, |g| g.members);
    let name = chat.map(|c| c.name()).unwrap_or_default();
    format!("{} · {}", cut(&name, 40), app.with(Word::MemberCount, &[&members.to_string()]))
}

fn panel_lines<'a>(app: &App, panel: &Panel, width: usize) -> Vec<Line<'a>> {
    let Some(chat) = app.chats.get(&panel.conversation) else { return Vec::new() };
    let Some(group) = &chat.info.group else { return Vec::new() };
    let mut lines = Vec::new();
    for (word, text) in [(Word::Notice, &group.notice), (Word::Description, &group.description)] {
        if !text.is_empty() {
            let whole = format!("{}: {}", app.word(word), harmless(text).replace('\n', " "));
            lines.extend(wrap(&whole, width).into_iter().take(3).map(Line::from));
        }
    }
    let mine = format!("{}: {}", app.word(Word::MyRole), role(app, &group.role));
    lines.push(Line::styled(format!("{mine} · {} {}", app.word(Word::KeptBy), group.home), dim()));
    lines.push(tabs(app, panel, group));
    let rows: Vec<Line<'a>> = match panel.tab {
        Tab::Members => chat.members.iter().map(|m| member(app, m, width)).collect(),
        Tab::Asked => panel.asked.iter().map(|m| asked(m, width)).collect(),
        Tab::Links => panel
            .links
            .iter()
            .map(|l| {
                let uses = if l.uses == 0 { "∞".to_owned() } else { l.uses.to_string() };
                let until = if l.not_after_ms == 0 {
                    "∞".to_owned()
                } else {
                    Moment::of(l.not_after_ms, app.offset_seconds).calendar()
                };
                Line::from(fit(&format!("#{}  {}/{uses}  → {until}  {}", l.link, l.used, l.maker), width))
            })
            .collect(),
    };
    if rows.is_empty() {
        lines.push(Line::styled(app.word(Word::Nobody), dim()));
    }
    let from = (panel.at + 1).saturating_sub(ROWS);
    for (i, row) in rows.into_iter().enumerate().skip(from).take(ROWS) {
        let mut spans = vec![Span::styled(if i == panel.at { "▌" } else { " " }, accent())];
        spans.extend(row.spans);
        lines.push(Line::from(spans));
    }
    lines.extend(wrap(&panel_keys(app, panel, group), width).into_iter().map(|r| Line::styled(r, dim())));
    lines
}

fn tabs<'a>(app: &App, panel: &Panel, group: &Group) -> Line<'a> {
    let mut spans = Vec::new();
    let mut tab = |tab: Tab, words: String| {
        let style = if panel.tab == tab { bold() } else { dim() };
        spans.push(Span::styled(format!("{words}  "), style));
    };
    tab(Tab::Members, app.word(Word::MembersTab).to_owned());
    if is_above(&group.role) {
        tab(Tab::Asked, app.with(Word::AskedTab, &[&group.asked.to_string()]));
    }
    tab(Tab::Links, app.word(Word::LinksTab).to_owned());
    Line::from(spans)
}

/// The keys that do something here, for this role.
fn panel_keys(app: &App, panel: &Panel, group: &Group) -> String {
    let rights = group.rights.clone().unwrap_or_default();
    let mut keys = vec![app.word(Word::KeyTab)];
    match panel.tab {
        Tab::Asked => keys.push(app.word(Word::KeyAdmit)),
        Tab::Links => keys.push(app.word(Word::KeyEndLink)),
        Tab::Members if is_above(&group.role) => keys.push(app.word(Word::KeyMember)),
        Tab::Members => {}
    }
    if panel.tab == Tab::Members && group.role == "owner" {
        keys.push(app.word(Word::KeyOwner));
    }
    if includes(&rights.add, &group.role) {
        keys.push(app.word(Word::KeyAdd));
    }
    if includes(&rights.texts, &group.role) {
        keys.push(app.word(Word::KeyTexts));
    }
    if is_above(&group.role) {
        keys.push(app.word(Word::KeyRights));
    }
    keys.push(app.word(Word::KeyLeave));
    keys.join(" · ")
}

fn member<'a>(app: &App, m: &GroupMember, width: usize) -> Line<'a> {
    let mut tail = String::new();
    if m.role != "member" {
        tail.push_str(&format!(" [{}]", role(app, &m.role)));
    }
    if m.muted_until_ms > app.now_ms {
        tail.push_str(&format!(" [{}]", app.word(Word::MutedMark)));
    }
    let name = harmless(name_of(m)).replace('\n', " ");
    let id = if name == m.user { String::new() } else { format!("  {}", m.user) };
    let room = width.saturating_sub(columns(&tail) + 1);
    let shown = cut(&name, room * 2 / 3);
    let id = cut(&id, room.saturating_sub(columns(&shown)));
    Line::from(vec![Span::raw(shown), Span::styled(id, dim()), Span::styled(tail, Style::new().fg(Color::Yellow))])
}

fn asked<'a>(m: &GroupMember, width: usize) -> Line<'a> {
    let words = if m.word.is_empty() { String::new() } else { format!(": {}", harmless(&m.word).replace('\n', " ")) };
    Line::from(cut(&format!("{} ({}){words}", harmless(name_of(m)), m.user), width.saturating_sub(1)))
}

fn role(app: &App, role: &str) -> &'static str {
    app.word(match role {
        "owner" => Word::RoleOwner,
        "administrator" => Word::RoleAdministrator,
        _ => Word::RoleMember,
    })
}

fn rights_lines<'a>(app: &App, sheet: &RightsSheet) -> Vec<Line<'a>> {
    let labels = [Word::RightPost, Word::RightAdd, Word::RightAtAll, Word::RightPin, Word::RightTexts, Word::RightJoining];
    let longest = labels.iter().map(|l| columns(app.word(*l))).max().unwrap_or(0);
    let mut lines: Vec<Line<'a>> = labels
        .into_iter()
        .enumerate()
        .map(|(row, label)| {
            let value = app.word(match sheet.value(row) {
                "administrators" => Word::WhoAdministrators,
                "owner" => Word::WhoOwner,
                "invitation" => Word::JoinInvitation,
                "approval" => Word::JoinApproval,
                "closed" => Word::JoinClosed,
                _ => Word::WhoMembers,
            });
            let marker = if row == sheet.at { "▌" } else { " " };
            Line::from(vec![
                Span::styled(marker, accent()),
                Span::raw(fit(app.word(label), longest + 2)),
                Span::styled(format!("‹ {value} ›"), if row == sheet.at { bold() } else { Style::new() }),
            ])
        })
        .collect();
    lines.push(Line::styled(app.word(Word::RightsKeys), dim()));
    lines
}

fn invitation_lines<'a>(app: &App, at: usize, width: usize) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = app
        .invitations
        .iter()
        .enumerate()
        .map(|(i, invitation)| {
            let words = app.with(Word::InvitesYou, &[&invitation.inviter, &harmless(&invitation.name), &invitation.home]);
            let marker = if i == at { "▌" } else { " " };
            Line::from(vec![Span::styled(marker, accent()), Span::raw(cut(&words, width.saturating_sub(1)))])
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(app.word(Word::NoInvitations), dim()));
    }
    lines.push(Line::styled(app.word(Word::InvitationKeys), dim()));
    lines
}

fn prompt_title(app: &App, prompt: &Prompt) -> String {
    app.word(match prompt {
        Prompt::GroupName => Word::AskGroupName,
        Prompt::GroupMembers(_) | Prompt::Add(_) => Word::AskMembers,
        Prompt::JoinLink => Word::AskLink,
        Prompt::JoinWord(_) => Word::AskWhy,
        Prompt::Text(_, "name") => Word::AskGroupName,
        Prompt::Text(_, "notice") => Word::Notice,
        Prompt::Text(..) => Word::Description,
        Prompt::Mute(..) => Word::AskMinutes,
        Prompt::React(..) => Word::AskEmoji,
    })
    .to_owned()
}

/// What a group's place under its name says: how one stands to it, or its notice.
pub(super) fn banner(app: &App, group: &Group) -> Option<(String, Style)> {
    let word = match group.standing.as_str() {
        "joining" => Some(Word::StandingJoining),
        "asked" => Some(Word::StandingAsked),
        "leaving" => Some(Word::StandingLeaving),
        "left" => Some(Word::StandingLeft),
        "removed" => Some(Word::StandingRemoved),
        "banned" => Some(Word::StandingBanned),
        "refused" => Some(Word::StandingRefused),
        "destroyed" => Some(Word::StandingDestroyed),
        "suspect" => Some(Word::StandingSuspect),
        "renewed" => Some(Word::StandingRenewed),
        _ => None,
    };
    if let Some(word) = word {
        return Some((app.with(word, &[&group.home]), alarm()));
    }
    if group.muted_until_ms > app.now_ms {
        let until = Moment::of(group.muted_until_ms, app.offset_seconds);
        return Some((app.with(Word::MutedBanner, &[&format!("{} {}", until.calendar(), until.clock())]), alarm()));
    }
    if group.asked > 0 {
        return Some((app.with(Word::AskedBanner, &[&group.asked.to_string()]), Style::new().fg(Color::Magenta)));
    }
    let notice = harmless(&group.notice).replace('\n', " ");
    (!notice.is_empty()).then(|| (format!("{}: {notice}", app.word(Word::Notice)), Style::new().fg(Color::Magenta)))
}
