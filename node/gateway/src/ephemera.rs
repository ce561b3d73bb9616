//! Typing, and presence on its way from and to other domains: said to who is connected now, written nowhere, lost without
//! harm. Nothing of it crosses a first contact that was not accepted. Owns nothing.

use std::{sync::Arc, sync::atomic::Ordering};

use startalk_domain::{accounts, conversations, conversations::Direct, directory, groups};
use startalk_protocol::{
    AccountName, Error, UserId,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{
    convert,
    gateway::Inner,
    presence::{self, STATES},
    session::{Identity, Session},
};

/// Between two signs of typing of one session that are passed on.
const TYPING_EVERY_MS: u64 = 500;
impl Inner {
    /// A device says that its person is typing.
    pub(crate) fn typing(&self, session: &Session, identity: &Identity, request: &pb::Typing) -> Result<Frame, Error> {
        let account = identity.actor.account;
        let store = &*self.config.views.store;
        let done = Ok(Frame::Done(pb::Done {}));
        let now_ms = self.now_ms();
        let last_ms = session.typed_ms.load(Ordering::Relaxed);
        let too_soon = if request.typing { now_ms.saturating_sub(last_ms) < TYPING_EVERY_MS } else { last_ms == 0 };
        let Some(direct) = conversations::direct(store, request.conversation).filter(|d| d.has(account)) else {
            let overview = groups::overview(&store.snapshot(), account, request.conversation)?;
            if !too_soon && overview.standing() == "member" {
                session.typed_ms.store(if request.typing { now_ms } else { 0 }, Ordering::Relaxed);
                self.typing_in_group(account, request.conversation, &identity.user, request.typing);
            }
            return done;
        };
        let other = direct.other(account);
        if too_soon || other == account || !self.is_open(&direct) {
            return done;
        }
        session.typed_ms.store(if request.typing { now_ms } else { 0 }, Ordering::Relaxed);
        if direct.peer == directory::HERE {
            self.tell_typing(other, request.conversation, &identity.user, request.typing);
        } else if let Some(to) = directory::user_id(store, other) {
            self.config.remote.typing(&identity.name, &to, request.typing);
            if let Some(state) = self.state_for_peer(account, direct.peer)
                && self.presences.may_tell(account, request.conversation, now_ms)
            {
                self.config.remote.presence(&identity.name, &to, state);
            }
        }
        done
    }

    pub(crate) fn tell_typing(&self, account: u64, conversation: u64, user: &str, typing: bool) {
        let now = pb::TypingNow { conversation, user: user.to_owned(), typing };
        let frame = convert::frame(0, Frame::TypingNow(now));
        self.registry.each(account, |session| session.push(&frame, self.config.limits.outbox_bytes));
    }

    /// See [`crate::Gateway::remote_typing`].
    pub(crate) fn remote_typing(&self, from: &UserId, to: &AccountName, typing: bool) {
        if let Some(direct) = self.remote_direct(from, to) {
            self.tell_typing(direct.a, direct.conversation, &from.to_string(), typing);
        }
    }

    /// See [`crate::Gateway::remote_presence`]. The other side learns ours in return, now and then.
    pub(crate) fn remote_presence(&self, from: &UserId, to: &AccountName, state: &str) {
        let Some(direct) = self.remote_direct(from, to) else { return };
        let Some(state) = STATES.iter().find(|s| **s == state) else { return };
        let told = pb::Presence { user: from.to_string(), state: (*state).to_owned(), ..pb::Presence::default() };
        let frame = presence::frame(told);
        self.registry.each(direct.a, |session| session.push(&frame, self.config.limits.outbox_bytes));
        if let Some(state) = self.state_for_peer(direct.a, direct.peer)
            && self.presences.may_tell(direct.a, direct.conversation, self.now_ms())
        {
            self.config.remote.presence(to, from, state);
        }
    }

    /// The accepted conversation of an account here with somebody of another domain.
    fn remote_direct(&self, from: &UserId, to: &AccountName) -> Option<Arc<Direct>> {
        let store = &*self.config.views.store;
        let account = accounts::by_name(store, to).filter(|a| a.is_live())?.account;
        let peer = directory::peer_number(store, &from.domain)?;
        let person = directory::person_number(store, peer, &from.name)?;
        let direct = conversations::direct(store, conversations::between(store, account, person)?)?;
        (direct.peer != directory::HERE && self.is_open(&direct)).then_some(direct)
    }
}
