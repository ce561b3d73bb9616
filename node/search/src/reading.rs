//! What each record of the journal means to the index.
//!
//! A record only says which message or name may be otherwise now; what is indexed is always as it is now, so that the order
//! of records does not matter and reading one twice does no harm.

use prost::Message as _;
use startalk_domain::{Event, Recorded, Views, conversations, directory, groups, timeline};
use startalk_protocol::pb::group::{Submission, submission::Action};
use tantivy::{IndexWriter, TantivyDocument, tokenizer::PreTokenizedString, tokenizer::Token};

use crate::{
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

/// Takes one record.
///
/// # Errors
/// [`ReadingError`].
pub fn take(views: &Views, writer: &IndexWriter, fields: &Fields, record: &Recorded) -> Result<Done, ReadingError> {
    let reading = Reading { views, writer, fields };
    let conversation = record.conversation;
    match &record.event {
        Event::MessageAdded(..) => reading.message(conversation, record.sequence, Some(record)),
        Event::MessageEdited(f, _) => reading.message(conversation, f.target, None),
        Event::MessageRecalled(f, _) => reading.message(conversation, f.target, None),
        Event::GroupRecorded(f, _) => match Submission::decode(f.submission.as_ref()).ok().and_then(|s| s.action) {
            Some(Action::Message(_)) => reading.message(conversation, record.sequence, Some(record)),
            Some(Action::Edit(e)) => reading.message(conversation, e.target, None),
            Some(Action::Recall(r)) => reading.message(conversation, r.target, None),
            Some(Action::Create(_) | Action::SetText(_)) => reading.group(conversation),
            _ => Ok(Done::default()),
        },
        Event::GroupBegan(f, _) => reading.group(f.conversation),
        Event::GroupReplicaBegan(f, _) => reading.group(f.conversation),
        Event::AccountCreated(f, _) => reading.person(f.account),
        Event::PersonMet(f, _) => reading.person(f.person),
        Event::ProfileSet(f, _) => reading.person(f.person),
        Event::PersonGone(f, _) => reading.person(f.person),
        Event::AccountDeleted(f, _) => reading.person(f.account),
        Event::Erased(f, _) => {
            f.positions.iter().for_each(|p| {
                writer.delete_term(fields.at(*p));
            });
            Ok(Done { bytes: 0, changes: f.positions.len() })
        }
        _ => Ok(Done::default()),
    }
}

struct Reading<'a> {
    views: &'a Views,
    writer: &'a IndexWriter,
    fields: &'a Fields,
}

impl Reading<'_> {
    /// `new`: the record in which it is said for the first time.
    fn message(&self, conversation: u64, sequence: u64, new: Option<&Recorded>) -> Result<Done, ReadingError> {
        let Views { store, journal } = self.views;
        let Some(position) = timeline::position(&**store, conversation, sequence) else { return Ok(Done::default()) };
        if new.is_none() {
            self.writer.delete_term(self.fields.at(position));
        }
        let changed = Done { bytes: 0, changes: 1 };
        let latest = conversations::latest(store, &**journal, conversation, sequence, new);
        let Some(latest) = latest.map_err(|e| ReadingError::Journal(e.code.as_str().to_owned()))? else { return Ok(changed) };
        let Some(searched) = latest.message.content.as_deref().and_then(text::of) else { return Ok(changed) };
        let f = self.fields;
        let mut doc = TantivyDocument::new();
        doc.add_text(f.text, &searched.text);
        latest.positions.iter().for_each(|p| doc.add_u64(f.at, *p));
        searched.kinds.iter().for_each(|k| doc.add_u64(f.kind, *k));
        doc.add_u64(f.conversation, conversation);
        doc.add_u64(f.sequence, sequence);
        doc.add_u64(f.later, latest.said_at.saturating_sub(sequence));
        doc.add_u64(f.author, latest.message.author);
        doc.add_u64(f.time, latest.message.time_ms);
        self.writer.add_document(doc)?;
        Ok(Done { bytes: searched.text.len() + 200, changes: 1 })
    }

    fn person(&self, number: u64) -> Result<Done, ReadingError> {
        let store = &*self.views.store;
        let shown = directory::person(store, number).filter(|_| !directory::is_gone(store, number));
        let id = directory::user_id(store, number).map(|u| u.to_string()).unwrap_or_default();
        self.name(person(number), shown.map(|p| format!("{} {id}", p.profile.display_name)))
    }

    fn group(&self, conversation: u64) -> Result<Done, ReadingError> {
        self.name(group(conversation), groups::group(&*self.views.store, conversation).map(|g| g.name.clone()))
    }

    fn name(&self, subject: u64, name: Option<String>) -> Result<Done, ReadingError> {
        let f = self.fields;
        self.writer.delete_term(f.subject(subject));
        let name = name.unwrap_or_default();
        let tokens: Vec<Token> =
            names::terms(&name).into_iter().map(|text| Token { text, position: 0, ..Token::default() }).collect();
        if !tokens.is_empty() {
            let mut doc = TantivyDocument::new();
            doc.add_pre_tokenized_text(f.name, PreTokenizedString { text: String::new(), tokens });
            doc.add_u64(f.subject, subject);
            self.writer.add_document(doc)?;
        }
        Ok(Done { bytes: name.len() + 400, changes: 1 })
    }
}
