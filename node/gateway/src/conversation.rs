//! What is said and read: frames about conversations, made into commands and queries of the domain.

use std::sync::Arc;

use startalk_domain::{
    Actor, Answer, Command,
    contacts::{self, FirstContact},
    conversations, directory,
    sync::view,
};
use startalk_protocol::{
    Code, Error, MessageId, UserId, limits,
    pb::client::{self as pb, server_frame::Frame},
};
use tracing::trace_span;

use crate::{convert, gateway::Inner, session::Session};

/// Messages of a page of history that does not say how many.
const HISTORY_DEFAULT: u32 = 50;

impl Inner {
    /// Says something.
    pub(crate) fn send(&self, session: &Arc<Session>, actor: Actor, id: u64, request: pb::Send) {
        let command = (|| {
            let to = self.target(request.conversation, &request.to)?;
            let reply_to = message_id(&request.reply_to, "reply_to")?;
            let known_id = message_id(&request.known_id, "known_id")?;
            let pb::Send { counter, content, reply_sequence, .. } = request;
            Ok(Command::Send { actor, to, counter, content, reply_to, reply_sequence, known_id })
        })();
        // Ends with the answer, or when there is none.
        let span = trace_span!("message", session = session.number, request = id, device = actor.device);
        span.in_scope(|| tracing::trace!("message: received from a client"));
        let acknowledged = move |answer: Answer| {
            let _in_it = span.enter();
            if let Answer::Sent { conversation, sequence, id: message, .. } = &answer {
                tracing::trace!(id = %message, conversation, sequence, "message: acknowledged");
            }
            sent(answer)
        };
        match command {
            Ok(command) => self.submit(session, id, command, acknowledged),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// Changes a message of one's own.
    pub(crate) fn edit(&self, session: &Arc<Session>, actor: Actor, id: u64, request: pb::Edit) {
        let pb::Edit { conversation, sequence, counter, content } = request;
        self.submit(session, id, Command::Edit { actor, conversation, sequence, counter, content }, sent);
    }

    /// Takes a message of one's own back.
    pub(crate) fn recall(&self, session: &Arc<Session>, actor: Actor, id: u64, request: &pb::Recall) {
        let pb::Recall { conversation, sequence, counter } = *request;
        self.submit(session, id, Command::Recall { actor, conversation, sequence, counter }, sent);
    }

    /// A page of the past.
    pub(crate) fn history(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::History) {
        self.read(session, id, move |gateway| {
            let pb::History { conversation, before, after, limit } = request;
            let limit = if limit == 0 { HISTORY_DEFAULT } else { limit.min(limits::PAGE_MESSAGES_MAX as u32) };
            let limit = u64::from(limit);
            let (range, newest_first) = match (before, after) {
                (0, 0) => {
                    let head = view(&gateway.config.views.store.snapshot(), me.account, conversation)?.head();
                    ((head + 1).saturating_sub(limit).max(1)..=head, true)
                }
                (before, 0) => (before.saturating_sub(limit).max(1)..=before.saturating_sub(1), true),
                (0, after) => (after.saturating_add(1)..=after.saturating_add(limit), false),
                _ => return Err(bad("before", "before or after, not both")),
            };
            let views = &gateway.config.views;
            let page = conversations::page(&views.store, &*views.journal, me.account, conversation, range, newest_first)?;
            let messages = page.messages.into_iter().map(|m| convert::message(m, me.account)).collect();
            Ok(Frame::Page(pb::Page { conversation, messages, first: page.first, head: page.head, last: page.last }))
        });
    }

    /// Begins a conversation without saying anything.
    pub(crate) fn open_conversation(
        self: &Arc<Self>,
        session: &Arc<Session>,
        actor: Actor,
        id: u64,
        request: &pb::OpenConversation,
    ) {
        let user = match self.user(&request.user) {
            Ok(user) => user,
            Err(error) => return session.answered(id, Err(error)),
        };
        let (gateway, to) = (self.clone(), session.clone());
        self.config.handle.submit(Command::OpenDirect { actor, user }, move |result| {
            to.answered(id, result.and_then(|answer| gateway.opened(actor, &answer)));
        });
    }

    fn opened(&self, actor: Actor, answer: &Answer) -> Result<Frame, Error> {
        let Answer::Conversation(number) = *answer else { return Err(Code::Internal.into()) };
        let store = &*self.config.views.store;
        let view = view(&store.snapshot(), actor.account, number)?;
        Ok(Frame::Conversation(convert::conversation(store, actor.account, &view)))
    }

    /// Decides whether to hear a stranger.
    pub(crate) fn decide_request(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::DecideRequest) {
        let pb::DecideRequest { conversation, accept } = *request;
        self.submit(session, id, Command::DecideRequest { account: me.account, conversation, accept }, done);
    }

    /// Blocks a person or a whole domain, or hears them again.
    pub(crate) fn block(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::Block) {
        let (account, blocked) = (me.account, request.blocked);
        let command = match request.user.strip_prefix('@') {
            Some(domain) => domain
                .parse()
                .map(|domain| Command::BlockDomain { account, domain, blocked })
                .map_err(|_| bad("user", "name@domain or @domain")),
            None => self.user(&request.user).map(|user| Command::BlockUser { account, user, blocked }),
        };
        match command {
            Ok(command) => self.submit(session, id, command, done),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// Whom the account has blocked.
    pub(crate) fn list_blocked(&self, me: Actor) -> Frame {
        let store = &*self.config.views.store;
        let blocked = contacts::blocked(store, me.account);
        let persons = blocked.persons.iter().filter_map(|p| directory::user_id(store, *p)).map(|u| u.to_string());
        let domains = blocked.peers.iter().filter_map(|p| directory::domain_of(store, *p)).map(|d| format!("@{d}"));
        Frame::Blocked(pb::Blocked { users: persons.chain(domains).collect() })
    }

    /// A person's profile.
    pub(crate) fn get_profile(&self, me: Actor, user: &str) -> Result<Frame, Error> {
        let user = self.user(user)?;
        let store = &*self.config.views.store;
        let peer =
            if user.domain == self.config.domain { Some(directory::HERE) } else { directory::peer_number(store, &user.domain) };
        let number = peer.and_then(|peer| directory::person_number(store, peer, &user.name));
        let number = number.ok_or_else(|| Error::new(Code::NoSuchUser).with("user", &user))?;
        let presence = self.presence_seen_by(me.account, number);
        let open = contacts::openness(store, number);
        let asks = open.first_contact == FirstContact::Question && conversations::between(store, me.account, number).is_none();
        let question = if asks { open.question.clone() } else { String::new() };
        Ok(Frame::Profile(pb::Profile { presence, question, ..convert::profile(store, number) }))
    }

    /// Reads the past off the connection's task, a few at a time over all sessions, and answers.
    pub(crate) fn read(
        self: &Arc<Self>,
        session: &Arc<Session>,
        id: u64,
        read: impl FnOnce(&Arc<Self>) -> Result<Frame, Error> + Send + 'static,
    ) {
        let (gateway, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            let account = session.identity().map_or(0, |identity| identity.actor.account);
            // Who does not take what was read before has no more read for them, and holds no place meanwhile.
            let _place = loop {
                if !session.outbox.room().await {
                    return;
                }
                let Some(place) = gateway.reading.place(account).await else { return };
                if session.outbox.has_room() {
                    break place;
                }
            };
            let (reader, to) = (gateway.clone(), session.clone());
            let job = tokio::task::spawn_blocking(move || to.answered(id, read(&reader)));
            if job.await.is_err() {
                session.answered(id, Err(Code::Internal.into())); // it panicked: a bug, and no reason to wait for ever
            }
        });
    }

    /// A user's id as people type it: of this domain if it names none.
    pub(crate) fn user(&self, text: &str) -> Result<UserId, Error> {
        let wrong = |_| bad("user", "name@domain");
        if text.contains('@') {
            return text.parse().map_err(wrong);
        }
        Ok(UserId { name: text.parse().map_err(wrong)?, domain: self.config.domain.clone() })
    }
}

/// What a command that only succeeds is answered with.
pub(crate) fn done(_: Answer) -> Frame {
    Frame::Done(pb::Done {})
}

pub(crate) fn sent(answer: Answer) -> Frame {
    match answer {
        Answer::Sent { conversation, sequence, id, time_ms } => {
            let (id, time_ms) = (convert::id(id), convert::signed(time_ms));
            Frame::Sent(pb::Sent { conversation, sequence, id, time_ms })
        }
        _ => Frame::Error(Error::new(Code::Internal).into()),
    }
}

pub(crate) fn message_id(bytes: &[u8], field: &str) -> Result<Option<MessageId>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    MessageId::from_slice(bytes).map(Some).map_err(|_| bad(field, "16 bytes, or none"))
}

pub(crate) fn bad(field: &str, expected: &str) -> Error {
    Error::new(Code::BadValue).with("field", field).with("expected", expected)
}
