//! Who there is: persons (our accounts and people of other domains, under one numbering) with their profiles, and
//! other domains ("peers") with what was pinned of them.
//!
//! Owns prefix `d`. Events: AccountCreated, PersonMet, ProfileSet, PersonGone, AccountDeleted, PeerMet, PeerPinned,
//! PeerRuleSet, PeerSilent, PeerHeard. Names live in bodies only: after an erasure a person is a number without a name.
//! Invariant: one number per person and per domain.

mod peers;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{AccountName, Code, Error, UserId, limits};

pub use peers::{Peer, PeerState, charter_listing, domain_of, is_denied, peer, peer_number, peers};
pub(crate) use peers::{begin_peer, heard, meet, number_of, number_or_meet, number_or_refuse, set_rule, silent};

use crate::{
    event::{Event, Recorded},
    store::{Key, New, Read, Tx},
};

const PREFIX: u8 = b'd';
/// The peer number of this domain itself.
pub const HERE: u64 = 0;

/// What a person shows of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Free text; the name before the `@` if empty.
    pub display_name: String,
    /// A reference to a picture.
    pub avatar: String,
    /// A line of their own.
    pub signature: String,
    /// Grows with each change at the person's own domain.
    pub revision: u64,
    /// Where the journal has it; to be erased when it is superseded.
    pub position: u64,
}

/// A person of this or another domain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Person {
    /// [`HERE`], or the number of their domain.
    pub peer: u64,
    /// Empty when erased.
    pub name: String,
    /// The account was deleted.
    pub gone: bool,
    /// What they show.
    pub profile: Profile,
    /// Where the journal has the name.
    pub met_at: u64,
    /// Where the journal has copies of the profile as it went to other domains.
    pub introductions: Vec<u64>,
}

impl Person {
    /// Positions of all bodies with the profile as it is.
    pub fn profile_bodies(&self) -> Vec<u64> {
        let set = (self.profile.position != 0).then_some(self.profile.position);
        set.into_iter().chain(self.introductions.iter().copied()).collect()
    }
}

fn person_key(person: u64) -> Key {
    Key::numbers(PREFIX, b'p', &[person])
}

fn name_key(peer: u64, name: &str) -> Key {
    Key::text(PREFIX, b'n', peer, name.as_bytes())
}

/// The person with this number.
pub fn person(read: &impl Read, number: u64) -> Option<Arc<Person>> {
    read.get(&person_key(number))
}

/// The number of `name` in a domain ([`HERE`] or a peer), if there is such a person and they are not gone.
pub fn person_number(read: &impl Read, peer: u64, name: &AccountName) -> Option<u64> {
    read.get::<u64>(&name_key(peer, name.as_str())).map(|n| *n)
}

/// Whether the person's account was deleted, or their whole domain is no more.
pub fn is_gone(read: &impl Read, number: u64) -> bool {
    person(read, number).is_none_or(|p| p.gone || peer(read, p.peer).is_some_and(|d| d.gone_at != 0))
}

/// The person's full id; `None` if the name was erased.
pub fn user_id(read: &impl Read, number: u64) -> Option<UserId> {
    let person = person(read, number)?;
    Some(UserId { name: person.name.parse().ok()?, domain: domain_of(read, person.peer)? })
}

/// The person's number; a person of another domain who is new here gets one now.
pub(crate) fn number_or_meet_person(
    tx: &mut Tx,
    ctx: &mut crate::context::Ctx,
    peer: u64,
    name: &AccountName,
) -> Result<u64, Error> {
    if let Some(number) = person_number(tx, peer, name) {
        return Ok(number);
    }
    if peer == HERE {
        return Err(Error::new(Code::NoSuchUser).with("user", format!("{name}@{}", ctx.domain)));
    }
    let person = crate::governance::numbers(tx).person + 1;
    let facts = startalk_protocol::pb::events::PersonMet { person, peer };
    let body = ctx.salted(startalk_protocol::pb::events::PersonMetBody { name: name.to_string() });
    tx.emit(New { conversation: 0, event: Event::PersonMet(facts, Some(body)) });
    Ok(person)
}

/// A name for people to read: NFC, no control or direction characters, not longer than the limit.
pub(crate) fn check_display_name(name: &str, field: &str) -> Result<(), Error> {
    use unicode_normalization::is_nfc;
    let good = name.chars().count() <= limits::DISPLAY_NAME_CHARS_MAX && is_nfc(name) && name.chars().all(is_harmless);
    let expected = "at most 64 characters, in normal form C, without control or direction characters";
    if good { Ok(()) } else { Err(Error::new(Code::BadValue).with("field", field).with("expected", expected)) }
}

/// No control characters, and none that change the direction of the text around them.
pub(crate) fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}')
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::AccountCreated(f, body) => {
            let name = body.as_ref().map(|b| b.value.name.clone()).unwrap_or_default();
            let display_name = body.as_ref().map(|b| b.value.display_name.clone()).unwrap_or_default();
            add(tx, record.position, f.account, HERE, name, display_name);
        }
        Event::PersonMet(f, body) => {
            let name = body.as_ref().map(|b| b.value.name.clone()).unwrap_or_default();
            add(tx, record.position, f.person, f.peer, name, String::new());
        }
        Event::ProfileSet(f, body) => tx.change(person_key(f.person), |p: &mut Person| {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            p.introductions.clear();
            p.profile = Profile {
                display_name: body.display_name,
                avatar: body.avatar,
                signature: body.signature,
                revision: f.revision,
                position: record.position,
            };
        }),
        Event::ProfileSent(f, _) => {
            tx.change(person_key(f.person), |p: &mut Person| p.introductions.push(record.position));
        }
        Event::PersonGone(f, _) => remove(tx, f.person),
        Event::AccountDeleted(f, _) => remove(tx, f.account),
        _ => peers::apply(tx, record),
    }
}

fn add(tx: &mut Tx, met_at: u64, number: u64, peer: u64, name: String, display_name: String) {
    if !name.is_empty() {
        tx.put(name_key(peer, &name), number);
    }
    let profile = Profile { display_name, ..Profile::default() };
    tx.put(person_key(number), Person { peer, name, profile, met_at, ..Person::default() });
}

fn remove(tx: &mut Tx, number: u64) {
    let Some(person) = person(tx, number) else { return };
    if !person.name.is_empty() {
        tx.remove(name_key(person.peer, &person.name));
    }
    tx.put(person_key(number), Person { peer: person.peer, gone: true, ..Person::default() });
}

/// What a profile may hold.
pub(crate) fn check_profile(display_name: &str, avatar: &str, signature: &str) -> Result<(), Error> {
    check_display_name(display_name, "display_name")?;
    let fields = [("avatar", avatar, limits::AVATAR_BYTES_MAX), ("signature", signature, limits::SIGNATURE_BYTES_MAX)];
    for (field, text, max) in fields {
        if text.len() > max || !text.chars().all(is_harmless) {
            let expected = format!("at most {max} bytes of plain text");
            return Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
        }
    }
    Ok(())
}
