//! Files between domains: which bytes another domain may have of us, and by which message we ask for those of theirs.

use startalk_protocol::{
    AccountName, Code, Error, GroupId, MessageId,
    pb::group::{Ask, FileRange, ask::Ask as Asked},
};

use super::{Here, entry, rights};
use crate::{
    Views, conversations,
    directory::{self, HERE},
    event::Event,
    groups, timeline,
};

/// The file that a peer asks for, if the message that it names is by somebody here, stands, refers to it, and the reader that it
/// names may read it.
///
/// # Errors
/// `no-such-file`, whatever the reason; `malformed`.
pub fn for_peer(views: &Views, peer: u64, group: &str, asked: &FileRange) -> Result<Here, Error> {
    let none = || Error::from(Code::NoSuchFile);
    let malformed = || Error::new(Code::Malformed).with("expected", "a question for a file");
    let hash: [u8; 32] = asked.hash.as_ref().try_into().map_err(|_| malformed())?;
    let name: AccountName = asked.reader.parse().map_err(|_| malformed())?;
    let store = &*views.store;
    let reader = directory::person_number(store, peer, &name).ok_or_else(none)?;
    let (conversation, sequence) = if group.is_empty() {
        let author: AccountName = asked.author.parse().map_err(|_| malformed())?;
        let id = MessageId::from_slice(&asked.id).map_err(|_| malformed())?;
        let author = directory::person_number(store, HERE, &author).ok_or_else(none)?;
        let conversation = conversations::between(store, author, reader).ok_or_else(none)?;
        let look = rights::look_in(&*views.journal);
        (conversation, conversations::locate(store, look, conversation, author, id).ok_or_else(none)?)
    } else {
        let id: GroupId = group.parse().map_err(|_| malformed())?;
        (groups::by_id(store, &id).ok_or_else(none)?, asked.sequence)
    };
    let position = timeline::position(store, conversation, sequence).ok_or_else(none)?;
    let record = rights::look_in(&*views.journal)(position).ok_or_else(none)?;
    if rights::origin_of(&record.event) != HERE {
        return Err(none());
    }
    rights::through(store, &*views.journal, reader, conversation, sequence, &hash)
}

/// What the domain that a file came from is asked, but for the stretch: its number, and the question. `None`: no message of it that
/// stands refers to the file any more, or the file is of this domain.
pub fn question(views: &Views, number: u64) -> Option<(u64, Ask)> {
    let store = &*views.store;
    let known = entry(store, number).filter(|e| e.origin != HERE)?;
    let (conversation, sequence) = rights::source(store, &*views.journal, number)?;
    let name = |person: u64| directory::person(store, person).map(|p| p.name.clone()).filter(|name| !name.is_empty());
    let mut asked = FileRange { hash: known.hash.to_vec().into(), ..FileRange::default() };
    let mut of_group = String::new();
    if let Some(group) = groups::group(store, conversation) {
        let may_read = |m: &groups::Member| m.peer == HERE && m.may_read(sequence);
        let (members, _) = groups::members_from(store, conversation, 0, 16, may_read);
        asked.reader = members.iter().find_map(|m| name(m.person))?;
        (asked.sequence, of_group) = (sequence, group.id.clone());
    } else {
        let direct = conversations::direct(store, conversation)?;
        let position = timeline::position(store, conversation, sequence)?;
        let Event::MessageAdded(facts, _) = rights::look_in(&*views.journal)(position)?.event else { return None };
        (asked.reader, asked.author, asked.id) = (name(direct.a)?, name(direct.b)?, facts.id);
    }
    Some((known.origin, Ask { group: of_group, ask: Some(Asked::File(asked)) }))
}
