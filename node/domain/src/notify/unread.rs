//! How many messages wait to be read: for the number on the program's icon. Counted when it is told, from marks and the
//! journal, up to a limit; nothing is kept.

use startalk_journal::ReadJournal;
use startalk_protocol::MessageId;

use crate::{
    contacts, conversations, delivery,
    store::{Read, Store},
    sync::{self, View},
};

/// Messages by others after the account's mark in all its conversations that are not muted, requests left out; at most
/// `max`.
pub fn unread(store: &Store, journal: &dyn ReadJournal, account: u64, now_ms: u64, max: u64) -> u64 {
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let mut all = 0;
    for conversation in contacts::conversations(store, account).into_iter().rev() {
        if all >= max {
            break;
        }
        let hearing = contacts::hearing(store, account, conversation);
        if hearing.muted_until_ms <= now_ms && !is_request(store, account, conversation) {
            all += unread_in(store, journal, account, conversation, max - all);
        }
    }
    all.min(max)
}

fn is_request(read: &impl Read, account: u64, conversation: u64) -> bool {
    conversations::direct(read, conversation).is_some_and(|d| d.a == account && (d.request || d.refused))
}

/// The same in one conversation.
pub fn unread_in(store: &Store, journal: &dyn ReadJournal, account: u64, conversation: u64, max: u64) -> u64 {
    let Ok(view) = sync::view(&store.snapshot(), account, conversation) else { return 0 };
    let (head, read) = match &view {
        View::Direct(d) => (d.head, d.own_marks.read),
        View::Group(g) => (g.head, delivery::group_marks_of(store, conversation, account).read),
    };
    // What was changed or done takes numbers too: looked at is a little more than is counted, and never all of a long past.
    let first = (read + 1).max((head + 1).saturating_sub(2 * max)).max(1);
    if first > head || max == 0 {
        return 0;
    }
    let Ok(page) = conversations::page(store, journal, account, conversation, first..=head, true) else { return 0 };
    let counts = |m: &&conversations::Message| m.author != account && !m.recalled && m.id != MessageId::default();
    (page.messages.iter().filter(counts).count() as u64).min(max)
}
