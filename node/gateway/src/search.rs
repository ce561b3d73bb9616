//! Searching: the client's frame made into a question, and what was found into frames. What may be found is the domain's and
//! the search's business; nothing here knows of more than comes out of it.

use std::{ops::Range, sync::Arc};

use startalk_domain::Actor;
use startalk_protocol::{
    Code, Error,
    pb::client::{self as pb, server_frame::Frame},
};
use startalk_search::{Found, FoundMessage, Question};

use crate::{convert, gateway::Inner, session::Session};

impl Inner {
    /// Searches off the connection's task, few at a time over all sessions, and answers.
    pub(crate) fn search(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::Search) {
        let (gateway, session) = (self.clone(), session.clone());
        let Some(search) = self.config.search.clone() else {
            return session.answered(id, Err(Error::new(Code::NotAllowedHere).with("what", "searching")));
        };
        tokio::spawn(async move {
            let Ok(_permit) = gateway.searching.acquire().await else { return };
            let to = session.clone();
            let job = tokio::task::spawn_blocking(move || {
                to.answered(id, search.find(me.account, &question(request)).map(|f| Frame::Found(found(f))));
            });
            if job.await.is_err() {
                session.answered(id, Err(Code::Internal.into())); // it panicked: a bug, and no reason to wait for ever
            }
        });
    }
}

fn question(asked: pb::Search) -> Question {
    Question {
        query: asked.query,
        people: asked.people,
        groups: asked.groups,
        messages: asked.messages,
        conversation: asked.conversation,
        from: asked.from,
        kind: asked.kind,
        after_ms: asked.after_ms,
        before_ms: asked.before_ms,
        utc_offset_min: asked.utc_offset_min,
        limit: usize::try_from(asked.limit).unwrap_or(usize::MAX),
        next: asked.next.to_vec(),
    }
}

fn found(found: Found) -> pb::Found {
    let person = |p: startalk_search::FoundPerson| pb::FoundPerson {
        user: p.user.to_string(),
        display_name: p.display_name,
        ranges: ranges(&p.ranges),
        conversation: p.conversation,
        remark: p.remark,
        remark_ranges: ranges(&p.remark_ranges),
    };
    let group = |g: startalk_search::FoundGroup| pb::FoundGroup {
        conversation: g.conversation,
        name: g.name,
        ranges: ranges(&g.ranges),
        members: g.members,
    };
    pb::Found {
        people: found.people.into_iter().map(person).collect(),
        groups: found.groups.into_iter().map(group).collect(),
        messages: found.messages.into_iter().map(message).collect(),
        next: found.next.into(),
        building: found.building.is_some(),
        percent: found.building.map_or(100, u32::from),
    }
}

fn message(hit: FoundMessage) -> pb::FoundMessage {
    pb::FoundMessage {
        conversation: hit.conversation,
        sequence: hit.message.sequence,
        author: hit.message.author_id.map(|u| u.to_string()).unwrap_or_default(),
        time_ms: convert::signed(hit.message.time_ms),
        text: hit.excerpt.text,
        ranges: ranges(&hit.excerpt.ranges),
        more_before: hit.excerpt.cut_before,
        more_after: hit.excerpt.cut_after,
    }
}

fn ranges(all: &[Range<u32>]) -> Vec<pb::Range> {
    all.iter().map(|r| pb::Range { start: r.start, length: r.end - r.start }).collect()
}
