//! What a device has not heard: one opaque cursor, and the conversations whose last record or mark lies beyond it.
//!
//! Owns nothing; reads the other modules' views. A cursor is a sealed (journal id, epoch, position, chain tag there),
//! which only this node can make or read: one that does not fit the journal proves that the node went back in time.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error,
    sabotage::{self, Switch},
};

use crate::{
    accounts, contacts,
    conversations::{self, Message, direct},
    delivery, directory,
    event::{Event, Recorded},
    governance, groups, kept, later, stickers,
    store::{Consistent, Read, Store},
    timeline,
};

/// Newest messages of each conversation in a sync; the rest is paged on demand.
pub const NEWEST_MESSAGES: u64 = 30;
/// Conversations in one page of a sync.
pub const CONVERSATIONS_PER_PAGE: usize = 50;
const NONCE_BYTES: usize = 12;
const PLAIN_BYTES: usize = 16 + 4 + 8 + 8;

/// A place in the journal, as devices keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which journal.
    pub journal: [u8; 16],
    /// Its epoch then.
    pub epoch: u32,
    /// Everything up to here was heard.
    pub position: u64,
    /// The journal's chain tag there.
    pub chain_tag: [u8; 8],
}

/// Seals and opens cursors.
pub struct CursorKey(Aes256Gcm);

impl CursorKey {
    /// From 32 secret bytes of this node.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Aes256Gcm::new(&secret.into()))
    }

    /// The cursor as a token. `nonce` is random.
    pub fn seal(&self, cursor: &Cursor, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let mut plain = [0; PLAIN_BYTES];
        plain[..16].copy_from_slice(&cursor.journal);
        plain[16..20].copy_from_slice(&cursor.epoch.to_be_bytes());
        plain[20..28].copy_from_slice(&cursor.position.to_be_bytes());
        plain[28..].copy_from_slice(&cursor.chain_tag);
        let sealed = self.0.encrypt(&nonce.into(), Payload { msg: &plain, aad: b"startalk cursor v1" });
        let mut token = nonce.to_vec();
        token.extend(sealed.expect("36 bytes can be sealed"));
        token
    }

    /// The cursor in a token that this node made.
    ///
    /// # Errors
    /// `malformed` for any other bytes.
    pub fn open(&self, token: &[u8]) -> Result<Cursor, Error> {
        let bad = || Error::new(Code::Malformed).with("expected", "a cursor made by this server");
        let (nonce, sealed) = token.split_first_chunk::<NONCE_BYTES>().ok_or_else(bad)?;
        let plain = self.0.decrypt(&(*nonce).into(), Payload { msg: sealed, aad: b"startalk cursor v1" }).map_err(|_| bad())?;
        let plain: [u8; PLAIN_BYTES] = plain.try_into().map_err(|_| bad())?;
        Ok(Cursor {
            journal: plain[..16].try_into().map_err(|_| bad())?,
            epoch: u32::from_be_bytes(plain[16..20].try_into().map_err(|_| bad())?),
            position: u64::from_be_bytes(plain[20..28].try_into().map_err(|_| bad())?),
            chain_tag: plain[28..].try_into().map_err(|_| bad())?,
        })
    }
}

/// The cursor of everything up to `position`.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn cursor_at(journal: &dyn ReadJournal, position: u64) -> Result<Cursor, Error> {
    let head = journal.head();
    let (epoch, chain_tag) = if position == 0 {
        (0, [0; 8])
    } else {
        let header = journal.header(position).map_err(|_| Code::Internal)?;
        (header.epoch, header.chain_tag)
    };
    Ok(Cursor { journal: head.journal_id, epoch, position, chain_tag })
}

/// What a device's cursor says of this journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The journal holds what the device heard: it goes on from there.
    GoesOn(u64),
    /// The journal went back behind it, or is another one: the device hears all again, and offers again what it sent.
    WentBack,
}

/// Compares a device's cursor with the journal.
///
/// # Errors
/// `internal` if the journal cannot be read: that proves nothing.
pub fn standing(journal: &dyn ReadJournal, cursor: &Cursor) -> Result<Standing, Error> {
    if sabotage::is(Switch::WentBackUnnoticed) {
        return Ok(Standing::GoesOn(cursor.position));
    }
    let ours = cursor_at(journal, cursor.position.min(journal.head().position))?;
    Ok(if ours == *cursor { Standing::GoesOn(cursor.position) } else { Standing::WentBack })
}

/// Whether a cursor proves that the node went back in time and has not noticed: then the epoch for
/// [`crate::Command::BeginEpoch`], which has to come before anything else is written.
///
/// # Errors
/// `internal` if the journal cannot be read: that proves nothing.
pub fn proves_going_back(read: &impl Read, journal: &dyn ReadJournal, cursor: &Cursor) -> Result<Option<u32>, Error> {
    let epoch = governance::realm(read).epoch;
    let ours = cursor.journal == journal.head().journal_id && cursor.epoch == epoch;
    Ok((ours && standing(journal, cursor)? == Standing::WentBack).then_some(epoch))
}

/// A conversation, to somebody in it.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// Of two.
    Direct(Overview),
    /// Of many.
    Group(Box<groups::Overview>),
}

impl View {
    /// Its number.
    pub fn conversation(&self) -> u64 {
        match self {
            Self::Direct(d) => d.conversation,
            Self::Group(g) => g.group.conversation,
        }
    }

    /// The last sequence that may be read.
    pub fn head(&self) -> u64 {
        match self {
            Self::Direct(d) => d.head,
            Self::Group(g) => g.head,
        }
    }
}

/// The conversation as `account` sees it, of whichever kind it is.
///
/// # Errors
/// `no-such-conversation` for who has nothing to do with it.
pub fn view(read: &impl Consistent, account: u64, conversation: u64) -> Result<View, Error> {
    if groups::group(read, conversation).is_some() {
        return groups::overview(read, account, conversation).map(|g| View::Group(Box::new(g)));
    }
    overview(read, account, conversation).map(View::Direct)
}

/// A direct conversation, to its member.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Its number.
    pub conversation: u64,
    /// The other person's number.
    pub other: u64,
    /// Their marks.
    pub other_marks: delivery::Marks,
    /// The member's own.
    pub own_marks: delivery::Marks,
    /// The last sequence.
    pub head: u64,
    /// Of the last message, milliseconds.
    pub time_ms: u64,
    /// Waits for this member's decision.
    pub request: bool,
    /// The member has blocked the other, or refused the request.
    pub blocked: bool,
    /// The member has refused the request.
    pub refused: bool,
}

/// The direct conversation as `account` sees it.
///
/// # Errors
/// `no-such-conversation` for who does not take part.
pub fn overview(read: &impl Consistent, account: u64, conversation: u64) -> Result<Overview, Error> {
    let direct = conversations::of_member(read, conversation, account)?;
    let other = direct.other(account);
    let head = timeline::head(read, conversation);
    let refused = direct.refused && direct.a == account;
    let told = direct.peer != directory::HERE || direct.told_of_marks(other).any(|a| a == account);
    let unseen = delivery::Marks { person: other, ..delivery::Marks::default() };
    Ok(Overview {
        conversation,
        other,
        other_marks: if told { delivery::marks_of(read, conversation, other) } else { unseen },
        own_marks: delivery::marks_of(read, conversation, account),
        head: head.sequence,
        time_ms: head.time_ms,
        request: direct.request && direct.a == account,
        blocked: contacts::blocks(read, account, other, direct.peer) || refused,
        refused,
    })
}

/// One conversation of a sync.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    /// As it is.
    pub view: View,
    /// The newest messages beyond the cursor, at most [`NEWEST_MESSAGES`].
    pub messages: Vec<Message>,
    /// Older messages that changed beyond the cursor.
    pub changed: Vec<Message>,
    /// The account's own that wait for the group's home.
    pub waiting: Vec<Message>,
    /// Listened to beyond the cursor.
    pub played: Vec<u64>,
}

/// Numbers of an account's conversations with anything beyond `after`, and the position that this holds for.
pub fn changed_conversations(store: &Store, account: u64, after: u64) -> Vec<u64> {
    let snapshot = store.snapshot();
    let mut all = contacts::conversations(&snapshot, account);
    if after != 0 {
        all.retain(|c| {
            if let Some(group) = groups::group(&snapshot, *c) {
                let marked = delivery::group_marks_position(&snapshot, *c, account);
                let waits = groups::waiting(&snapshot, *c).iter().any(|w| w.account == account && w.position > after);
                let touched = timeline::head(&snapshot, *c).position.max(group.position).max(marked);
                return waits || touched.max(set_at(&snapshot, account, *c)) > after;
            }
            let touched = timeline::head(&snapshot, *c).position.max(delivery::marks(&snapshot, *c).position);
            touched.max(set_at(&snapshot, account, *c)) > after
                || direct(&snapshot, *c).is_some_and(|d| {
                    d.opened_at > after || d.decided_at > after || is_seen_anew(&snapshot, d.other(account), after)
                })
        });
    }
    all.sort_by_key(|c| std::cmp::Reverse(timeline::head(&snapshot, *c).position));
    all
}

/// Where the account last said how it wants to hear of a conversation, or how it stands in its list.
fn set_at(read: &impl Read, account: u64, conversation: u64) -> u64 {
    contacts::hearing(read, account, conversation)
        .position
        .max(contacts::arranged(read, account, conversation).position)
        .max(kept::played_position(read, account, conversation))
}

/// Which lists of an account changed after a position: "scheduled", "reminders", "saved", "stickers".
pub fn changed_lists(read: &impl Read, account: u64, after: u64) -> Vec<&'static str> {
    let all = [
        ("scheduled", later::scheduled(read, account).position),
        ("reminders", later::reminders(read, account).position),
        ("saved", kept::saved_position(read, account)),
        ("stickers", stickers::stickers(read, account).position),
    ];
    all.into_iter().filter(|(_, position)| *position > after).map(|(list, _)| list).collect()
}

/// What an account keeps about persons, as far as that changed after a position; from the beginning without what was taken
/// away.
pub fn changed_persons(store: &Store, account: u64, after: u64) -> Vec<contacts::Kept> {
    let mut all = contacts::all_kept(&store.snapshot(), account);
    all.retain(|k| k.position > after && (after != 0 || k.starred || !k.remark.is_empty()));
    all
}

/// Whether what a person shows changed, or their account here or their whole domain went, after this position.
fn is_seen_anew(read: &impl Read, person: u64, after: u64) -> bool {
    let person_changed =
        |p: &directory::Person| p.profile.position > after || directory::peer(read, p.peer).is_some_and(|d| d.gone_at > after);
    directory::person(read, person).is_some_and(|p| person_changed(&p))
        || accounts::account(read, person).is_some_and(|a| a.deleted && timeline::head(read, a.stream).position > after)
}

/// Conversations in which the account has blocked somebody after this position, or hears them again: out of its stream.
pub fn blocks_changed(store: &Store, journal: &dyn ReadJournal, account: u64, after: u64) -> Vec<u64> {
    let Some(stream) = accounts::account(store, account).map(|a| a.stream) else { return Vec::new() };
    let head = timeline::head(store, stream).sequence;
    let mut all = Vec::new();
    for sequence in (1..=head).rev() {
        let Some(position) = timeline::position(store, stream, sequence).filter(|p| *p > after) else { break };
        let Some(record) = journal.read(position).ok().and_then(|r| Recorded::read(&r).ok()) else { continue };
        let Event::BlockSet(facts, _) = record.event else { continue };
        if facts.person != 0 {
            all.extend(conversations::between(store, account, facts.person));
        } else {
            let of_peer = |c: &u64| direct(store, *c).is_some_and(|d| d.peer == facts.peer);
            all.extend(contacts::conversations(store, account).into_iter().filter(of_peer));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// What one conversation has beyond `after`.
///
/// # Errors
/// `no-such-conversation` for who does not take part.
pub fn conversation(store: &Store, journal: &dyn ReadJournal, account: u64, number: u64, after: u64) -> Result<Synced, Error> {
    let view = view(&store.snapshot(), account, number)?;
    let head = view.head();
    let oldest = (head + 1).saturating_sub(NEWEST_MESSAGES).max(1);
    let positions = timeline::positions(store, number, oldest, head);
    let unheard = positions.iter().position(|p| *p > after).map_or(head + 1, |at| oldest + at as u64);
    let messages = conversations::page(store, journal, account, number, unheard..=head, true)?.messages;
    let first = messages.first().map_or(head + 1, |m| m.sequence);
    let changed = match (&view, after) {
        (_, 0) => Vec::new(),
        (View::Direct(_), _) => conversations::changed_since(store, number, 1, first.saturating_sub(1), after),
        (View::Group(g), _) => {
            let mut all = groups::changed_since(store, number, 1, first.saturating_sub(1), after);
            all.retain(|s| g.me.as_ref().is_some_and(|m| m.may_read(*s)));
            all
        }
    };
    let changed = changed
        .into_iter()
        .rev()
        .take(startalk_protocol::limits::PAGE_MESSAGES_MAX)
        .filter_map(|s| conversations::single_for(store, journal, account, number, s))
        .collect();
    let waiting = groups::waiting_messages(store, journal, number, account);
    let played = if after == 0 { Vec::new() } else { kept::played_since(store, account, number, head, after) };
    Ok(Synced { view, messages, changed, waiting, played })
}

/// Whether an account may still sync.
pub fn is_live(read: &impl Read, account: u64) -> bool {
    accounts::account(read, account).is_some_and(|a| a.is_live())
}
