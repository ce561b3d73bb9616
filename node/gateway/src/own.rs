//! What is one's own, on all of one's devices: how conversations stand in the list, what is kept about people, what one says
//! of one's presence, what is answered meanwhile, and who may write first. Frames to commands, and how it is now.

use std::sync::Arc;

use startalk_domain::{
    Actor, Command,
    availability::{self, AutoReply, Said, Schedule, Span},
    contacts::{self, Arrangement, Audience, FirstContact, Kept, Openness},
    directory,
    store::Read,
    trial,
};
use startalk_protocol::pb::client::{self as pb, pushed::What};

use crate::{
    conversation::{bad, done},
    convert,
    gateway::Inner,
    session::Session,
};

impl Inner {
    /// Where a conversation stands in one's list.
    pub(crate) fn arrange_conversation(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::ArrangeConversation) {
        let pb::ArrangeConversation { conversation, pinned, hidden, unread } = *request;
        let arrangement = Arrangement { pinned, hidden, unread };
        self.submit(session, id, Command::ArrangeConversation { account: me.account, conversation, arrangement }, done);
    }

    /// What one keeps about somebody.
    pub(crate) fn keep_person(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::KeepPerson) {
        let pb::KeepPerson { user, remark, starred } = request;
        match self.user(&user) {
            Ok(user) => self.submit(session, id, Command::KeepPerson { account: me.account, user, remark, starred }, done),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// What one says of one's presence.
    pub(crate) fn set_availability(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetAvailability) {
        let pb::Availability { state, until_ms, text } = request.availability.unwrap_or_default();
        let said = Said { state, until_ms, text, position: 0 };
        self.submit(session, id, Command::SetAvailability { account: me.account, said }, done);
    }

    /// Weekly hours in which one is not to be disturbed.
    pub(crate) fn set_schedule(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetSchedule) {
        let pb::Schedule { zone, spans } = request.schedule.unwrap_or_default();
        let spans = spans.iter().map(|s| Span { days: s.days, from_min: s.from_min, until_min: s.until_min }).collect();
        let schedule = Schedule { zone, spans, position: 0 };
        self.submit(session, id, Command::SetSchedule { account: me.account, schedule }, done);
    }

    /// What is answered in one's absence.
    pub(crate) fn set_auto_reply(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetAutoReply) {
        let pb::AutoReply { text, when_dnd, when_away, when_scheduled } = request.reply.unwrap_or_default();
        let reply = AutoReply { text, when_dnd, when_away, when_scheduled, position: 0 };
        self.submit(session, id, Command::SetAutoReply { account: me.account, reply }, done);
    }

    /// Who may write first, and who sees presence.
    pub(crate) fn set_openness(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetOpenness) {
        let asked = request.openness.unwrap_or_default();
        let openness = (|| {
            let audience = |word: &str, field| Audience::of(word).ok_or_else(|| bad(field, "everyone, domain or nobody"));
            let first_contact = FirstContact::of(&asked.first_contact);
            Ok(Openness {
                first_contact: first_contact.ok_or_else(|| bad("first_contact", "anyone, ask, question or nobody"))?,
                presence: audience(&asked.presence, "presence")?,
                last_seen: audience(&asked.last_seen, "last_seen")?,
                question: asked.question,
                answer: asked.answer,
                position: 0,
            })
        })();
        match openness {
            Ok(openness) => self.submit(session, id, Command::SetOpenness { account: me.account, openness }, done),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// Everything that the account has set about itself.
    pub(crate) fn own(&self, account: u64) -> pb::Own {
        let store = &*self.config.views.store;
        let said = availability::said(store, account);
        let schedule = availability::hours(store, account);
        let reply = availability::auto_reply(store, account);
        let open = contacts::openness(store, account);
        let span = |s: &Span| pb::Span { days: s.days, from_min: s.from_min, until_min: s.until_min };
        pb::Own {
            availability: Some(pb::Availability { state: said.state.clone(), until_ms: said.until_ms, text: said.text.clone() }),
            schedule: Some(pb::Schedule { zone: schedule.zone.clone(), spans: schedule.spans.iter().map(span).collect() }),
            reply: Some(pb::AutoReply {
                text: reply.text.clone(),
                when_dnd: reply.when_dnd,
                when_away: reply.when_away,
                when_scheduled: reply.when_scheduled,
            }),
            openness: Some(pb::Openness {
                first_contact: open.first_contact.as_str().to_owned(),
                question: open.question.clone(),
                answer: open.answer.clone(),
                presence: open.presence.as_str().to_owned(),
                last_seen: open.last_seen.as_str().to_owned(),
            }),
            ends_ms: trial::ends_ms(store, account).map_or(0, convert::signed),
        }
    }

    /// Tells the account's sessions how it is now, and who may see it how the account stands.
    pub(crate) fn own_changed(&self, account: u64) {
        if self.registry.has(account) {
            self.push_to(account, &convert::pushed(0, What::Own(self.own(account))));
        }
        self.presence_changed(account);
    }

    /// Tells the account's sessions what it keeps about somebody now.
    pub(crate) fn person_kept(&self, account: u64, person: u64) {
        if !self.registry.has(account) {
            return;
        }
        let store = &*self.config.views.store;
        if let Some(kept) = contacts::kept(store, account, person).and_then(|k| person_kept(store, k)) {
            self.push_to(account, &convert::pushed(0, What::Person(kept)));
        }
    }
}

/// What is kept about somebody, if they are still known by a name.
pub(crate) fn person_kept(read: &impl Read, kept: Kept) -> Option<pb::PersonKept> {
    let user = directory::user_id(read, kept.person)?.to_string();
    Some(pb::PersonKept { user, remark: kept.remark, starred: kept.starred })
}
