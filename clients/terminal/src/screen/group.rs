//! A group on the screen besides what is said in it: the panel, its members, and what one may do there.
//!
//! Pure. Asks nobody: what is allowed is guessed from role and rights, to show fewer keys; the node decides.

use startalk_client::wire_types::{GroupInvitation, GroupLink, GroupMember, GroupRights, act_in_group::Act};

use super::editor::Editor;

/// What a row of the panel is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Who is in.
    #[default]
    Members,
    /// Who asks to be let in.
    Asked,
    /// Ways in.
    Links,
}

/// The panel of one group.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Which.
    pub conversation: u64,
    /// What its rows are about.
    pub tab: Tab,
    /// The chosen row.
    pub at: usize,
    /// Who asks.
    pub asked: Vec<GroupMember>,
    /// Ways in.
    pub links: Vec<GroupLink>,
}

/// What a line of text is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A new group's name.
    GroupName,
    /// Who is in it, by its name.
    GroupMembers(String),
    /// A link to come in by.
    JoinLink,
    /// A word with it.
    JoinWord(String),
    /// Whom to bring in.
    Add(u64),
    /// One of a group's texts.
    Text(u64, &'static str),
    /// For how many minutes somebody may not speak.
    Mute(u64, String),
    /// An emoji under a message.
    React(u64, u64),
}

/// Rights being changed.
#[derive(Clone, Debug, PartialEq)]
pub struct RightsSheet {
    /// Which group.
    pub conversation: u64,
    /// As they are to be.
    pub rights: GroupRights,
    /// The chosen row.
    pub at: usize,
}

/// Something in front of the rest that is about groups.
#[derive(Clone, Debug)]
pub enum Sheet {
    /// The panel.
    Panel(Panel),
    /// A line of text.
    Prompt(Prompt, Editor),
    /// Rights.
    Rights(RightsSheet),
    /// Sure? What is said, and what is done then.
    Sure(String, Box<(u64, Act)>),
    /// Invitations; the chosen one.
    Invitations(usize),
    /// A link, and as a picture to be photographed.
    Link(String, Vec<String>),
}

const WHO: [&str; 3] = ["members", "administrators", "owner"];
const JOINING: [&str; 3] = ["invitation", "approval", "closed"];

impl RightsSheet {
    /// Rows of the sheet.
    pub const ROWS: usize = 6;

    /// The value of a row.
    pub fn value(&self, row: usize) -> &str {
        let r = &self.rights;
        [&r.post, &r.add, &r.at_all, &r.pin, &r.texts, &r.joining][row.min(Self::ROWS - 1)]
    }

    /// The next value of the chosen row, or the one before.
    pub fn turn(&mut self, forward: bool) {
        let values = if self.at == Self::ROWS - 1 { JOINING } else { WHO };
        let now = values.iter().position(|v| *v == self.value(self.at)).unwrap_or(0);
        let next = values[(now + if forward { 1 } else { values.len() - 1 }) % values.len()].to_owned();
        let r = &mut self.rights;
        let slot = [&mut r.post, &mut r.add, &mut r.at_all, &mut r.pin, &mut r.texts, &mut r.joining].into_iter().nth(self.at);
        if let Some(slot) = slot {
            *slot = next;
        }
    }
}

/// Whether this role is among those that a right names.
pub fn includes(right: &str, role: &str) -> bool {
    match right {
        "members" => true,
        "administrators" => role == "administrator" || role == "owner",
        _ => role == "owner",
    }
}

/// Whether one has a say over others.
pub fn is_above(role: &str) -> bool {
    role == "administrator" || role == "owner"
}

/// The group's place in the list of invitations goes when it was decided.
pub fn without(invitations: &mut Vec<GroupInvitation>, group: &str) {
    invitations.retain(|i| i.group != group);
}

/// How a member is called, in one line.
pub fn name_of(member: &GroupMember) -> &str {
    let shown = member.display_name.trim();
    if shown.is_empty() { &member.user } else { shown }
}

/// The word being written at the end of a text that calls somebody, without its `@`.
pub fn called(before: &str) -> Option<&str> {
    let at = before.rfind('@')?;
    let word = &before[at + 1..];
    let begins = before[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() || !c.is_ascii());
    (begins && word.chars().count() <= 32 && !word.contains([' ', '\n'])).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_calls_somebody_where_it_begins_with_an_at() {
        for (before, word) in [("@", Some("")), ("hi @an", Some("an")), ("你好@安", Some("安")), ("a@b", None), ("@an x", None)]
        {
            assert_eq!(called(before), word, "{before}");
        }
    }

    #[test]
    fn rights_turn_through_their_values() {
        let rights = GroupRights { post: "members".into(), joining: "closed".into(), ..GroupRights::default() };
        let mut sheet = RightsSheet { conversation: 1, rights, at: 0 };
        sheet.turn(true);
        assert_eq!(sheet.value(0), "administrators");
        sheet.turn(false);
        sheet.turn(false);
        assert_eq!(sheet.value(0), "owner");
        sheet.at = 5;
        sheet.turn(true);
        assert_eq!(sheet.value(5), "invitation");
    }
}
