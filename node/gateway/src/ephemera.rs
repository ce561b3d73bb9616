//! Typing and presence: said to who is connected now, written nowhere, lost without harm.
//!
//! Owns the states of those connected. Presence goes to people of this domain who have a conversation with the account
//! and neither of whom has blocked the other; to other domains only along with typing, and back once when told. Nothing
//! of it crosses a first contact that was not accepted.

use std::{collections::HashMap, sync::Arc, sync::atomic::Ordering, time::Duration};

use parking_lot::Mutex;
use startalk_domain::{accounts, contacts, conversations, conversations::Direct, directory, groups};
use startalk_protocol::{
    AccountName, Error, UserId,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{
    conversation::bad,
    convert,
    gateway::Inner,
    session::{Identity, Session},
};

/// What an account may say of itself; offline is said of those who are not connected, or want to seem so.
const STATES: &[&str] = &["online", "away", "busy", "dnd", "offline"];
const ONLINE: &str = STATES[0];
const OFFLINE: &str = STATES[4];
/// How long somebody is still shown as there after the last connection went: phones change networks.
const GRACE: Duration = Duration::from_secs(10);
/// Between two signs of typing of one session that are passed on.
const TYPING_EVERY_MS: u64 = 500;
/// Between two tellings of presence to the same person of another domain.
const REMOTE_EVERY_MS: u64 = 60_000;
/// Conversations that an account's presence is told to, newest first.
const PARTNERS_MAX: usize = 1000;
/// Remote tellings remembered; beyond it all are forgotten.
const TOLD_MAX: usize = 10_000;

/// Who is there.
#[derive(Default)]
pub(crate) struct Presences {
    states: Mutex<HashMap<u64, Presence>>,
    /// When (account, conversation) was last told to another domain, milliseconds.
    told: Mutex<HashMap<(u64, u64), u64>>,
}

struct Presence {
    state: &'static str,
    /// Ticks since the last connection went.
    absent: Option<u32>,
}

impl Presences {
    fn state(&self, account: u64) -> &'static str {
        self.states.lock().get(&account).map_or(OFFLINE, |p| p.state)
    }

    /// The account is there; true if it was not before.
    fn came(&self, account: u64) -> bool {
        let mut states = self.states.lock();
        let is_new = !states.contains_key(&account);
        states.entry(account).or_insert(Presence { state: ONLINE, absent: None }).absent = None;
        is_new
    }

    /// The account's last connection went.
    pub(crate) fn left(&self, account: u64) {
        if let Some(presence) = self.states.lock().get_mut(&account) {
            presence.absent = Some(0);
        }
    }

    fn set(&self, account: u64, state: &'static str) -> bool {
        match self.states.lock().get_mut(&account) {
            Some(presence) => std::mem::replace(&mut presence.state, state) != state,
            None => false,
        }
    }

    fn may_tell(&self, account: u64, conversation: u64, now_ms: u64) -> bool {
        let mut told = self.told.lock();
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        let last = told.entry((account, conversation)).or_default();
        let may = now_ms.saturating_sub(*last) >= REMOTE_EVERY_MS;
        if may {
            *last = now_ms;
        }
        may
    }
}

impl Inner {
    /// A session is live: its account is there, which its partners hear if it was not before.
    pub(crate) fn came(&self, identity: &Identity) {
        if self.presences.came(identity.actor.account) {
            self.tell_presence(identity.actor.account, &identity.user, ONLINE);
        }
    }

    /// Tells a session who of its partners is there.
    pub(crate) fn who_is_there(&self, session: &Session, identity: &Identity) {
        let account = identity.actor.account;
        for other in self.present_partners(account) {
            let state = self.presences.state(other);
            if state != OFFLINE
                && let Some(user) = directory::user_id(&*self.config.views.store, other)
            {
                session.push(&presence(&user.to_string(), state), self.config.limits.outbox_bytes);
            }
        }
    }

    /// What an account says of itself.
    pub(crate) fn set_presence(&self, identity: &Identity, state: &str) -> Result<Frame, Error> {
        let known = STATES.iter().find(|s| **s == state);
        let state = known.ok_or_else(|| bad("state", "online, away, busy, dnd or offline"))?;
        if self.presences.set(identity.actor.account, state) {
            self.tell_presence(identity.actor.account, &identity.user, state);
        }
        Ok(Frame::Done(pb::Done {}))
    }

    /// On each tick: those who have been away for long enough are offline.
    pub(crate) fn tell_who_left(&self) {
        let ticks = GRACE.as_millis() / self.config.limits.tick.as_millis().max(1);
        let mut left = Vec::new();
        self.presences.states.lock().retain(|account, presence| {
            let Some(absent) = &mut presence.absent else { return true };
            *absent += 1;
            let is_back = self.registry.has(*account);
            if is_back {
                presence.absent = None;
            } else if u128::from(*absent) > ticks {
                left.push(*account);
                return false;
            }
            true
        });
        for account in left {
            if let Some(user) = directory::user_id(&*self.config.views.store, account) {
                self.tell_presence(account, &user.to_string(), OFFLINE);
            }
        }
    }

    fn tell_presence(&self, account: u64, user: &str, state: &str) {
        let frame = presence(user, state);
        for other in self.present_partners(account) {
            self.registry.each(other, |session| session.push(&frame, self.config.limits.outbox_bytes));
        }
        let own = |session: &Arc<Session>| session.push(&frame, self.config.limits.outbox_bytes);
        self.registry.each(account, own);
    }

    /// Accounts here who may know about this one, and are connected.
    fn present_partners(&self, account: u64) -> impl Iterator<Item = u64> {
        let store = &*self.config.views.store;
        contacts::conversations(store, account).into_iter().rev().take(PARTNERS_MAX).filter_map(move |conversation| {
            let direct = conversations::direct(store, conversation)?;
            let other = direct.other(account);
            let may = direct.peer == directory::HERE && other != account && self.registry.has(other) && self.open(&direct);
            may.then_some(other)
        })
    }

    /// Whether the two hear each other: accepted, and nobody here has blocked anybody.
    fn open(&self, direct: &Direct) -> bool {
        let store = &*self.config.views.store;
        let blocked = contacts::blocks(store, direct.a, direct.b, direct.peer)
            || (direct.peer == directory::HERE && contacts::blocks(store, direct.b, direct.a, directory::HERE));
        !direct.request && !direct.refused && !blocked
    }

    /// A device says that its person is typing.
    pub(crate) fn typing(&self, session: &Session, identity: &Identity, request: &pb::Typing) -> Result<Frame, Error> {
        let account = identity.actor.account;
        let store = &*self.config.views.store;
        let done = Ok(Frame::Done(pb::Done {}));
        let now_ms = self.now_ms();
        let last_ms = session.typed_ms.load(Ordering::Relaxed);
        let too_soon = if request.typing { now_ms.saturating_sub(last_ms) < TYPING_EVERY_MS } else { last_ms == 0 };
        let Some(direct) = conversations::direct(store, request.conversation).filter(|d| d.has(account)) else {
            let overview = groups::overview(store, account, request.conversation)?;
            if !too_soon && overview.standing() == "member" {
                session.typed_ms.store(if request.typing { now_ms } else { 0 }, Ordering::Relaxed);
                self.typing_in_group(account, request.conversation, &identity.user, request.typing);
            }
            return done;
        };
        let other = direct.other(account);
        if too_soon || other == account || !self.open(&direct) {
            return done;
        }
        session.typed_ms.store(if request.typing { now_ms } else { 0 }, Ordering::Relaxed);
        if direct.peer == directory::HERE {
            self.tell_typing(other, request.conversation, &identity.user, request.typing);
        } else if let Some(to) = directory::user_id(store, other) {
            self.config.remote.typing(&identity.name, &to, request.typing);
            if self.presences.may_tell(account, request.conversation, now_ms) {
                self.config.remote.presence(&identity.name, &to, self.presences.state(account));
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
        let frame = presence(&from.to_string(), state);
        self.registry.each(direct.a, |session| session.push(&frame, self.config.limits.outbox_bytes));
        if self.presences.may_tell(direct.a, direct.conversation, self.now_ms()) {
            self.config.remote.presence(to, from, self.presences.state(direct.a));
        }
    }

    /// The accepted conversation of an account here with somebody of another domain.
    fn remote_direct(&self, from: &UserId, to: &AccountName) -> Option<Arc<Direct>> {
        let store = &*self.config.views.store;
        let account = accounts::by_name(store, to).filter(|a| a.is_live())?.account;
        let peer = directory::peer_number(store, &from.domain)?;
        let person = directory::person_number(store, peer, &from.name)?;
        let direct = conversations::direct(store, conversations::between(store, account, person)?)?;
        (direct.peer != directory::HERE && self.open(&direct)).then_some(direct)
    }
}

fn presence(user: &str, state: &str) -> bytes::Bytes {
    convert::frame(0, Frame::Presence(pb::Presence { user: user.to_owned(), state: state.to_owned() }))
}
