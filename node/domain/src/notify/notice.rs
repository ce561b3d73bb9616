//! What somebody is told of a message, as everything stands at the moment of telling: what was read, taken back, muted or
//! left meanwhile is not told. Rights are those of reading.

use prost::Message as _;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    MessageId, UserId,
    content::{kind_of, words_of},
    pb::content::Content,
    sabotage::{self, Switch},
};

use super::{Because, Called, Moment, NO_CONVERSATION, REMINDER, called, judge, settings, unread, unread_in};
use crate::{
    accounts, availability, contacts,
    context::Zones,
    conversations, delivery, directory, groups, later,
    store::{Read, Store},
};

/// Characters of a text that are told.
const PREVIEW_CHARS_MAX: usize = 240;
/// Unread messages that are told apart: what is shown is "99+".
const UNREAD_MAX: u64 = 100;

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where it was said; 0: nowhere.
    pub conversation: u64,
    /// Of a reminder: its number; else 0.
    pub reminder: u64,
    /// The message's number in its conversation.
    pub sequence: u64,
    /// Its name.
    pub id: MessageId,
    /// Why.
    pub because: Because,
    /// When it came, milliseconds since 1970.
    pub time_ms: u64,
    /// Who wrote it.
    pub from: Option<UserId>,
    /// As the account calls them, or else they themselves; of a stranger nothing, for names can be said to deceive.
    pub sender: String,
    /// The group's name; empty in a direct conversation.
    pub group: String,
    /// It was said in a group.
    pub is_group: bool,
    /// The kind of it, as [`kind_of`] calls it; words for it are made where it is shown.
    pub kind: &'static str,
    /// The beginning of its text; of a stranger none.
    pub text: String,
    /// Names and text are not to be told.
    pub hidden: bool,
    /// Unread messages of the account; 100: or more.
    pub badge: u64,
    /// In this conversation.
    pub unread: u64,
}

/// What `account` is told of the message with this number now; `None` if there is nothing to tell.
pub fn notice(
    store: &Store,
    journal: &dyn ReadJournal,
    account: u64,
    conversation: u64,
    sequence: u64,
    (now_ms, zones): (u64, Zones),
) -> Option<Notice> {
    accounts::account(store, account).filter(|a| a.is_live())?;
    if conversation & REMINDER != 0 {
        return reminder(store, journal, account, conversation ^ REMINDER, sequence, now_ms);
    }
    if conversation == NO_CONVERSATION {
        return invitation(store, journal, account, sequence, (now_ms, zones));
    }
    let place = place(store, account, conversation).filter(|p| p.read < sequence || sabotage::is(Switch::PushedAlthoughRead))?;
    let message = conversations::single_for(store, journal, account, conversation, sequence)?;
    let content = message.content.filter(|_| !message.recalled && message.author != account)?;
    let content_read = Content::decode(content.as_ref()).unwrap_or_default();
    let kind = kind_of(&content_read);
    if kind == "system" {
        return None;
    }
    let settings = settings(store, account);
    let user = directory::user_id(store, account).map(|u| u.to_string()).unwrap_or_default();
    let moment = Moment {
        now_ms,
        hearing: contacts::hearing(store, account, conversation),
        settings: &settings,
        dnd: availability::standing(store, zones, account, now_ms).is_dnd(),
        called: called(&content, &user, &settings.keywords),
        request: place.request,
    };
    let because = judge(&moment).ok()?;
    let remark = contacts::kept(store, account, message.author).map(|k| k.remark).filter(|r| !r.is_empty());
    let own = || directory::person(store, message.author).map(|p| p.profile.display_name.clone()).unwrap_or_default();
    let name = remark.unwrap_or_else(own);
    let stranger = place.request;
    Some(Notice {
        conversation,
        sequence,
        reminder: 0,
        id: message.id,
        because,
        time_ms: message.time_ms,
        from: message.author_id,
        sender: if stranger { String::new() } else { name },
        group: place.group.clone().unwrap_or_default(),
        is_group: place.group.is_some(),
        kind,
        text: if stranger || content_read.burn_s != 0 { String::new() } else { preview(&words_of(&content_read)) },
        hidden: settings.hidden,
        badge: unread(store, journal, account, now_ms, UNREAD_MAX),
        unread: unread_in(store, journal, account, conversation, UNREAD_MAX),
    })
}

/// An invitation into a group, by its record: one notice for all that wait, of the last one. Its name was chosen by who
/// invites, and is not told.
fn invitation(
    store: &Store,
    journal: &dyn ReadJournal,
    account: u64,
    position: u64,
    (now_ms, zones): (u64, Zones),
) -> Option<Notice> {
    let all = groups::invitations(store, account);
    let invited = all.iter().find(|i| i.position == position)?;
    let settings = settings(store, account);
    let dnd = availability::standing(store, zones, account, now_ms).is_dnd();
    let (hearing, called) = (contacts::Hearing::default(), Called::default());
    judge(&Moment { now_ms, hearing, settings: &settings, dnd, called, request: true }).ok()?;
    Some(Notice {
        conversation: NO_CONVERSATION,
        sequence: position,
        reminder: 0,
        id: MessageId::default(),
        because: Because::Invitation,
        time_ms: invited.time_ms,
        from: invited.inviter.parse().ok(),
        sender: String::new(),
        group: String::new(),
        is_group: true,
        kind: "other",
        text: String::new(),
        hidden: settings.hidden,
        badge: unread(store, journal, account, now_ms, UNREAD_MAX),
        unread: all.len() as u64,
    })
}

/// A reminder whose time came with the record at this position. Whoever asked to be reminded at a time is, whatever else
/// they want to hear then.
fn reminder(store: &Store, journal: &dyn ReadJournal, account: u64, number: u64, position: u64, now_ms: u64) -> Option<Notice> {
    let all = later::reminders(store, account);
    let reminder = all.entries.iter().find(|r| r.number == number && r.due_at == position)?;
    let (conversation, sequence) = (reminder.conversation, reminder.sequence);
    let message = (conversation != 0)
        .then(|| conversations::single_for(store, journal, account, conversation, sequence))
        .flatten()
        .unwrap_or_default();
    let content = Content::decode(message.content.unwrap_or_default()).unwrap_or_default();
    let note = later::note(journal, reminder);
    let about = if content.burn_s == 0 { words_of(&content) } else { String::new() };
    Some(Notice {
        conversation,
        sequence,
        reminder: number,
        id: message.id,
        because: Because::Reminder,
        time_ms: reminder.at_ms,
        from: message.author_id,
        sender: String::new(),
        group: String::new(),
        is_group: groups::group(store, conversation).is_some(),
        kind: if note.is_empty() { kind_of(&content) } else { "text" },
        text: preview(if note.is_empty() { &about } else { &note }),
        hidden: settings(store, account).hidden,
        badge: unread(store, journal, account, now_ms, UNREAD_MAX),
        unread: 0,
    })
}

/// Up to where the account has read in a conversation.
pub fn read_up_to(read: &impl Read, account: u64, conversation: u64) -> u64 {
    if groups::group(read, conversation).is_some() {
        return delivery::group_marks_of(read, conversation, account).read;
    }
    delivery::marks_of(read, conversation, account).read
}

/// A conversation, to who may be told of it.
struct Place {
    read: u64,
    request: bool,
    /// The group's name, if it is one.
    group: Option<String>,
}

/// `None` where the account hears nothing: it has blocked the other, or left.
fn place(store: &Store, account: u64, conversation: u64) -> Option<Place> {
    if let Some(group) = groups::group(store, conversation) {
        let is_in = groups::is_member(store, conversation, account) && group.leaving.binary_search(&account).is_err();
        let read = read_up_to(store, account, conversation);
        return is_in.then(|| Place { read, request: false, group: Some(group.name.clone()) });
    }
    let direct = conversations::direct(store, conversation).filter(|d| d.has(account))?;
    let silent = contacts::blocks(store, account, direct.other(account), direct.peer) || (direct.refused && direct.a == account);
    let read = read_up_to(store, account, conversation);
    (!silent).then_some(Place { read, request: direct.request && direct.a == account, group: None })
}

/// The beginning of a text on one line.
fn preview(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c }).enumerate() {
        if count == PREVIEW_CHARS_MAX {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_one_line_of_whole_characters() {
        assert_eq!(preview("  a\nb\tc  "), "a b c");
        assert_eq!(preview(&"星".repeat(240)).chars().count(), 240);
        let long = preview(&"星".repeat(241));
        assert_eq!((long.chars().count(), long.ends_with("星…")), (241, true));
    }
}
