//! Who may read a file: the one rule, for downloads, thumbnails, forwarding, and "do you have this?".

use prost::Message as _;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error,
    pb::group::{Submission, submission::Action},
    sabotage::{self, Switch},
};

use super::{CHUNK, Here, References, by_hash, entry, file, forgotten_key, holding, references_key};
use crate::{
    conversations::{self, content},
    directory::HERE,
    event::{Event, Recorded},
    groups,
    retention::{self, Kind},
    stickers,
    store::{Read, Store},
    timeline,
};

/// References to one file that are looked at, the newest first.
pub(super) const REFERENCES_LOOKED_AT: u64 = 1000;

/// A record of the journal, if it can be read.
pub(super) type Look<'a> = dyn Fn(u64) -> Option<Recorded> + 'a;

/// The file with this hash, read through the message at `sequence` by `account`, as it stands now.
///
/// # Errors
/// `no-such-file`, whatever the reason: that there is a message, or a file, is nobody else's business.
pub fn through(
    store: &Store,
    journal: &dyn ReadJournal,
    account: u64,
    conversation: u64,
    sequence: u64,
    hash: &[u8; 32],
) -> Result<Here, Error> {
    let none = || Error::from(Code::NoSuchFile);
    let message = conversations::single_for(store, journal, account, conversation, sequence).ok_or_else(none)?;
    let said = message.content.ok_or_else(none)?;
    if !content::held(&said).files.iter().any(|f| f.hash == *hash) {
        return Err(none());
    }
    let position = timeline::position(store, conversation, sequence).ok_or_else(none)?;
    let record = look_in(journal)(position).ok_or_else(none)?;
    let files = files_of(&record.event);
    files.iter().filter_map(|n| file(store, *n)).find(|f| f.hash == *hash).ok_or_else(none)
}

/// The file with this hash that the account holds, or that is one of its stickers.
pub fn own(read: &impl Read, account: u64, hash: &[u8; 32]) -> Option<Here> {
    let numbers = by_hash(read, hash);
    let held = numbers.iter().map(|f| f.1).find(|n| holding(read, account, *n).is_some());
    held.or_else(|| stickers::file_of(read, account, hash)).and_then(|n| file(read, n))
}

/// The file with this hash, if the account holds it or may read a message that refers to it.
pub fn may_read(store: &Store, journal: &dyn ReadJournal, account: u64, hash: &[u8; 32]) -> Option<Here> {
    readable(store, &look_in(journal), account, hash)
}

pub(super) fn look_in(journal: &dyn ReadJournal) -> impl Fn(u64) -> Option<Recorded> + '_ {
    |position| Recorded::read(&journal.read(position).ok()?).ok()
}

pub(super) fn readable(read: &impl Read, look: &Look, account: u64, hash: &[u8; 32]) -> Option<Here> {
    if sabotage::is(Switch::FilesByHash) {
        return by_hash(read, hash).first().and_then(|f| file(read, f.1));
    }
    own(read, account, hash).or_else(|| {
        let numbers = by_hash(read, hash);
        let through_a_message = |number: u64| {
            references(read, number).any(|position| {
                let Some(record) = look(position) else { return false };
                let Some(reference) = Reference::of(read, look, &record) else { return false };
                reference.is_live && reference.may_be_read(read, account)
            })
        };
        numbers.iter().map(|f| f.1).find(|n| through_a_message(*n)).and_then(|n| file(read, n))
    })
}

/// Files whose bytes are to go: `node/media` deletes them and says so.
pub fn forgotten(read: &impl Read) -> Vec<Here> {
    let numbers = read.get::<Vec<u64>>(&forgotten_key()).unwrap_or_default();
    numbers.iter().filter_map(|n| file(read, *n)).collect()
}

/// Whether the copy of another domain's file is to stay although nobody opens it: somebody here has sent it on.
pub fn is_pinned(read: &impl Read, number: u64) -> bool {
    entry(read, number).is_some_and(|e| e.said_here)
}

/// A message of the file's own domain that refers to it and can be read here: where that domain is asked for its bytes.
/// (conversation, sequence).
pub fn source(store: &Store, journal: &dyn ReadJournal, number: u64) -> Option<(u64, u64)> {
    let origin = entry(store, number)?.origin;
    let look = look_in(journal);
    references(store, number).find_map(|position| {
        let record = look(position)?;
        let came_from = origin_of(&record.event);
        let is_live = || Reference::of(store, &look, &record).is_some_and(|r| r.is_live);
        (came_from == origin && is_live()).then_some((record.conversation, record.sequence))
    })
}

/// The domain of whoever said it.
pub(super) fn origin_of(event: &Event) -> u64 {
    match event {
        Event::MessageAdded(f, _) => f.r#in.as_ref().map_or(HERE, |link| link.peer),
        Event::GroupRecorded(f, _) => f.origin,
        _ => HERE,
    }
}

/// Positions of records that refer to a file, the newest first.
pub(super) fn references<'a>(read: &'a impl Read, number: u64) -> impl Iterator<Item = u64> + 'a {
    let count = entry(read, number).map_or(0, |e| e.references);
    let oldest = count.saturating_sub(REFERENCES_LOOKED_AT);
    (oldest / CHUNK..=count / CHUNK).rev().flat_map(move |chunk| {
        let positions = read.get::<References>(&references_key(number, chunk)).map(|r| r.positions.clone()).unwrap_or_default();
        positions.into_iter().rev()
    })
}

/// Which files a record refers to.
pub(super) fn files_of(event: &Event) -> &[u64] {
    match event {
        Event::MessageAdded(f, _) => &f.files,
        Event::GroupRecorded(f, _) => &f.files,
        Event::GroupSubmitted(f, _) => &f.files,
        Event::MessageScheduled(f, _) => &f.files,
        Event::StickersSet(f, _) => &f.files,
        _ => &[],
    }
}

/// A record that refers to files.
pub(super) struct Reference {
    /// What it says is still there.
    pub is_live: bool,
    /// The person who says it.
    pub author: u64,
    conversation: u64,
    /// 0: on its way to the home of a group, or for its author alone.
    sequence: u64,
}

impl Reference {
    pub(super) fn of(read: &impl Read, look: &Look, record: &Recorded) -> Option<Self> {
        let (conversation, sequence) = (record.conversation, record.sequence);
        let is_kept = |kind, position| !retention::is_gone(read, kind, position);
        match &record.event {
            Event::MessageAdded(f, body) => {
                let recalled = conversations::change_of(read, conversation, sequence).is_some_and(|c| c.recalled);
                let is_live = body.is_some() && !recalled && is_kept(Kind::Direct, record.position);
                Some(Self { is_live, author: f.author, conversation, sequence })
            }
            Event::GroupRecorded(f, body) => {
                let submission = Submission::decode(f.submission.as_ref()).ok()?;
                if !matches!(submission.action, Some(Action::Message(_))) {
                    return None;
                }
                let recalled = groups::change_of(read, conversation, sequence).is_some_and(|c| c.recalled_by != 0);
                let says = if f.submitted_at == 0 {
                    body.is_some()
                } else {
                    look(f.submitted_at).is_some_and(|r| r.event.body().is_some())
                };
                let author = groups::member(read, conversation, submission.author).map_or(0, |m| m.person);
                let is_live = says && !recalled && is_kept(Kind::Group, record.position);
                Some(Self { is_live, author, conversation, sequence })
            }
            Event::GroupSubmitted(f, body) => {
                let is_live = body.is_some() && is_kept(Kind::Group, record.position);
                Some(Self { is_live, author: f.account, conversation: f.conversation, sequence: 0 })
            }
            // For oneself: the body goes with the entry.
            Event::MessageScheduled(f, body) => {
                Some(Self { is_live: body.is_some(), author: f.account, conversation: 0, sequence: 0 })
            }
            Event::StickersSet(f, body) => {
                Some(Self { is_live: body.is_some(), author: f.account, conversation: 0, sequence: 0 })
            }
            _ => None,
        }
    }

    fn may_be_read(&self, read: &impl Read, account: u64) -> bool {
        if self.sequence == 0 {
            return self.author == account;
        }
        conversations::reader(&read.moment(), self.conversation, account).is_ok_and(|reader| reader.may_read(self.sequence))
    }
}
