//! What each record of the journal means to the index.
//!
//! A record only says which message or name may be otherwise now; what is indexed is always as it is now, so that the order
//! of records does not matter and reading one twice does no harm.

use prost::Message as _;
use startalk_domain::{Event, Recorded, Views, conversations, directory, groups, timeline};
use startalk_protocol::pb::group::{Submission, submission::Action};
use tantivy::{TantivyDocument, tokenizer::PreTokenizedString, tokenizer::Token};

use crate::{
    at::At,
    batch::Batch,
    index::{Fields, group, person},
    names, text,
};

/// Bytes of text that went into the index, and whether it changed at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub bytes: usize,
    pub changes: usize,
}

/// Why a record could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The journal, or what it says.
    #[error("the journal cannot be read: {0}")]
    Journal(String),
    /// tantivy's own error.
    #[error(transparent)]
    Index(#[from] tantivy::TantivyError),
}

/// What may be otherwise now.
#[derive(Debug)]
pub enum Matter<'a> {
    /// A message; `new`: the record in which it is said for the first time.
    Message { sequence: u64, new: Option<&'a Recorded> },
    /// The name of a group, by its conversation.
    Group(u64),
    /// The name of a person.
    Person(u64),
    /// What was said at these positions.
    Erased(&'a [u64]),
}

/// What a record means to the index; `None`: nothing, as most of a node's own records.
pub fn matter(record: &Recorded) -> Option<Matter<'_>> {
    let new = || Some(Matter::Message { sequence: record.sequence, new: Some(record) });
    let changed = |sequence| Some(Matter::Message { sequence, new: None });
    match &record.event {
        Event::MessageAdded(..) => new(),
        Event::MessageEdited(f, _) => changed(f.target),
        Event::MessageRecalled(f, _) => changed(f.target),
        Event::GroupRecorded(f, _) => match Submission::decode(f.submission.as_ref()).ok()?.action? {
            Action::Message(_) => new(),
            Action::Edit(e) => changed(e.target),
            Action::Recall(r) => changed(r.target),
            Action::Create(_) | Action::SetText(_) => Some(Matter::Group(record.conversation)),
            _ => None,
        },
        Event::GroupBegan(f, _) => Some(Matter::Group(f.conversation)),
        Event::GroupReplicaBegan(f, _) => Some(Matter::Group(f.conversation)),
        Event::AccountCreated(f, _) => Some(Matter::Person(f.account)),
        Event::PersonMet(f, _) => Some(Matter::Person(f.person)),
        Event::ProfileSet(f, _) => Some(Matter::Person(f.person)),
        Event::PersonGone(f, _) => Some(Matter::Person(f.person)),
        Event::AccountDeleted(f, _) => Some(Matter::Person(f.account)),
        Event::Erased(f, _) => Some(Matter::Erased(&f.positions)),
        _ => None,
    }
}

/// Takes what a record of this conversation means.
///
/// # Errors
/// [`ReadingError`].
pub fn take(views: &Views, batch: &mut Batch, fields: &Fields, conversation: u64, matter: &Matter) -> Result<Done, ReadingError> {
    let mut reading = Reading { views, batch, fields };
    match matter {
        Matter::Message { sequence, new } => reading.message(conversation, *sequence, *new),
        Matter::Group(conversation) => reading.group(*conversation),
        Matter::Person(number) => reading.person(*number),
        Matter::Erased(positions) => {
            batch.delete(At::any(fields, positions))?;
            Ok(Done { bytes: 0, changes: positions.len() })
        }
    }
}

struct Reading<'a, 'w> {
    views: &'a Views,
    batch: &'a mut Batch<'w>,
    fields: &'a Fields,
}

impl Reading<'_, '_> {
    /// `new`: the record in which it is said for the first time.
    fn message(&mut self, conversation: u64, sequence: u64, new: Option<&Recorded>) -> Result<Done, ReadingError> {
        let Views { store, journal } = self.views;
        if new.is_none() {
            let Some(position) = timeline::position(&**store, conversation, sequence) else { return Ok(Done::default()) };
            self.batch.delete(At::any(self.fields, &[position]))?;
        }
        let changed = Done { bytes: 0, changes: 1 };
        let latest = conversations::latest(store, &**journal, conversation, sequence, new);
        let Some(latest) = latest.map_err(|e| ReadingError::Journal(e.code.as_str().to_owned()))? else { return Ok(changed) };
        let Some(searched) = latest.message.content.as_deref().and_then(text::of) else { return Ok(changed) };
        let f = self.fields;
        let mut doc = TantivyDocument::new();
        doc.add_text(f.text, &searched.text);
        f.put_at(&mut doc, &latest.positions);
        searched.kinds.iter().for_each(|k| doc.add_u64(f.kind, *k));
        doc.add_u64(f.conversation, conversation);
        doc.add_u64(f.sequence, sequence);
        doc.add_u64(f.later, latest.said_at.saturating_sub(sequence));
        doc.add_u64(f.author, latest.message.author);
        doc.add_u64(f.time, latest.message.time_ms);
        self.batch.add(doc, searched.text.len())?;
        Ok(Done { bytes: searched.text.len() + 200, changes: 1 })
    }

    fn person(&mut self, number: u64) -> Result<Done, ReadingError> {
        let store = &*self.views.store;
        let shown = directory::person(store, number).filter(|_| !directory::is_gone(store, number));
        let id = directory::user_id(store, number).map(|u| u.to_string()).unwrap_or_default();
        self.name(person(number), shown.map(|p| format!("{} {id}", p.profile.display_name)))
    }

    fn group(&mut self, conversation: u64) -> Result<Done, ReadingError> {
        self.name(group(conversation), groups::group(&*self.views.store, conversation).map(|g| g.name.clone()))
    }

    fn name(&mut self, subject: u64, name: Option<String>) -> Result<Done, ReadingError> {
        let f = self.fields;
        self.batch.delete_term(f.subject(subject));
        let name = name.unwrap_or_default();
        let tokens: Vec<Token> =
            names::terms(&name).into_iter().map(|text| Token { text, position: 0, ..Token::default() }).collect();
        if !tokens.is_empty() {
            let mut doc = TantivyDocument::new();
            doc.add_pre_tokenized_text(f.name, PreTokenizedString { text: String::new(), tokens });
            doc.add_u64(f.subject, subject);
            self.batch.add(doc, name.len())?;
        }
        Ok(Done { bytes: name.len() + 400, changes: 1 })
    }
}
