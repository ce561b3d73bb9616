//! Where a conversation stands in its owner's list: pinned, hidden until something is said in it, to be come back to.
//! One's own, on all of one's devices; nobody else is told.

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::{PREFIX, conversations};
use crate::{
    accounts,
    command::Answer,
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
    timeline,
};

/// What is to be changed; `None`: as before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrangement {
    /// Above all others.
    pub pinned: Option<bool>,
    /// Not in the list until something is said.
    pub hidden: Option<bool>,
    /// Shown as unread although everything is read.
    pub unread: Option<bool>,
}

/// How a conversation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arranged {
    /// Above all others.
    pub pinned: bool,
    /// Not shown while its head is below; 0: shown.
    pub hidden_until: u64,
    /// Shown as unread.
    pub unread: bool,
    /// Of the record that says so.
    pub position: u64,
}

fn key(account: u64, conversation: u64) -> Key {
    Key::numbers(PREFIX, b'a', &[account, conversation])
}

/// How a conversation stands in this account's list.
pub fn arranged(read: &impl Read, account: u64, conversation: u64) -> Arranged {
    read.get::<Arranged>(&key(account, conversation)).map(|a| *a).unwrap_or_default()
}

pub(crate) fn arrange(tx: &mut Tx, account: u64, conversation: u64, change: Arrangement) -> Result<Answer, Error> {
    let stream = accounts::account(tx, account).filter(|a| a.is_live()).ok_or(Code::NotSignedIn)?.stream;
    let all = conversations(tx, account);
    if !all.contains(&conversation) {
        return Err(Code::NoSuchConversation.into());
    }
    let old = arranged(tx, account, conversation);
    let head = timeline::head(tx, conversation).sequence;
    let is_hidden = old.hidden_until > head;
    let hidden = change.hidden.unwrap_or(is_hidden);
    let new = Arranged {
        pinned: change.pinned.unwrap_or(old.pinned),
        hidden_until: match (hidden, is_hidden) {
            (true, true) => old.hidden_until,
            (true, false) => head + 1,
            (false, _) => 0,
        },
        unread: change.unread.unwrap_or(old.unread),
        position: old.position,
    };
    if new.pinned && !old.pinned && all.iter().filter(|c| arranged(tx, account, **c).pinned).count() >= limits::PINNED_MAX {
        return Err(Error::new(Code::TooMany).with("what", "pinned conversations").with("max", limits::PINNED_MAX));
    }
    // That it is shown because something was said is known by itself.
    let shown_anyway = new.hidden_until == 0 && !is_hidden;
    let same = (new.pinned, new.unread) == (old.pinned, old.unread);
    if same && (shown_anyway || new.hidden_until == old.hidden_until) {
        return Ok(Answer::Done);
    }
    let Arranged { pinned, hidden_until, unread, .. } = new;
    let facts = pb::ConversationArranged { account, conversation, pinned, hidden_until, unread };
    tx.emit(New { conversation: stream, event: Event::ConversationArranged(facts, None) });
    Ok(Answer::Done)
}

pub(super) fn apply(tx: &mut Tx, record: &Recorded) {
    if let Event::ConversationArranged(f, _) = &record.event {
        let (pinned, hidden_until, unread) = (f.pinned, f.hidden_until, f.unread);
        tx.put(key(f.account, f.conversation), Arranged { pinned, hidden_until, unread, position: record.position });
    }
}
