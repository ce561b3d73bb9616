//! Who is there, as others see it: connected or not, what an account says by hand, its hours, and whom it lets see that.
//!
//! Owns the states of those connected; what is said by hand and the hours are the domain's. Presence goes to people of this
//! domain who have a conversation with the account and neither of whom has blocked the other; to other domains only along
//! with typing, and back once when told. Nothing of it crosses a first contact that was not accepted. Invariant: somebody
//! who is not to see a presence is told nothing when it changes, not even that it did.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use startalk_domain::{accounts, availability, contacts, conversations, conversations::Direct, directory};
use startalk_protocol::{
    Error,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{
    conversation::bad,
    convert,
    gateway::Inner,
    session::{Identity, Session},
};

/// What an account may say of itself; offline is said of those who are not connected, or want to seem so.
pub(crate) const STATES: &[&str] = &["online", "away", "busy", "dnd", "offline"];
const ONLINE: &str = STATES[0];
const DND: &str = STATES[3];
const OFFLINE: &str = STATES[4];
/// How long somebody is still shown as there after the last connection went: phones change networks.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether hours began or ended, or what was said by hand is over.
const HOURS_EVERY: Duration = Duration::from_secs(5);
/// Between two tellings of presence to the same person of another domain.
const REMOTE_EVERY_MS: u64 = 60_000;
/// Conversations that an account's presence is told to, newest first.
const PARTNERS_MAX: usize = 1000;
/// Remote tellings remembered; beyond it all are forgotten.
const TOLD_MAX: usize = 10_000;

/// Who is there.
#[derive(Default)]
pub(crate) struct Presences {
    connected: Mutex<HashMap<u64, Connected>>,
    /// Held while somebody is told: two who look at once would tell what was as what is.
    telling: Mutex<()>,
    /// When (account, conversation) was last told to another domain, milliseconds.
    told: Mutex<HashMap<(u64, u64), u64>>,
}

struct Connected {
    /// As its program says, without anybody's hand.
    state: &'static str,
    /// Ticks since the last connection went.
    absent: Option<u32>,
    /// What its own sessions were told, and what others were.
    own: Shown,
    others: Shown,
}

/// A presence, as it is shown to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    state: &'static str,
    text: String,
}

impl Shown {
    fn offline() -> Self {
        Self { state: OFFLINE, text: String::new() }
    }

    fn of(&self, user: &str, seen_ms: u64) -> pb::Presence {
        let (state, text) = (self.state.to_owned(), self.text.clone());
        pb::Presence { user: user.to_owned(), state, text, seen_ms: convert::signed(seen_ms) }
    }
}

impl Presences {
    /// The account is there.
    fn came(&self, account: u64) {
        let new = || Connected { state: ONLINE, absent: None, own: Shown::offline(), others: Shown::offline() };
        self.connected.lock().entry(account).or_insert_with(new).absent = None;
    }

    /// The account's last connection went.
    pub(crate) fn left(&self, account: u64) {
        if let Some(presence) = self.connected.lock().get_mut(&account) {
            presence.absent = Some(0);
        }
    }

    fn set(&self, account: u64, state: &'static str) {
        if let Some(presence) = self.connected.lock().get_mut(&account) {
            presence.state = state;
        }
    }

    fn state(&self, account: u64) -> Option<&'static str> {
        self.connected.lock().get(&account).map(|c| c.state)
    }

    /// Whether the other domain is to be told now, in this conversation.
    pub(crate) fn may_tell(&self, account: u64, conversation: u64, now_ms: u64) -> bool {
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
        self.presences.came(identity.actor.account);
        self.presence_changed(identity.actor.account);
    }

    /// Tells a session who of its partners is there.
    pub(crate) fn who_is_there(&self, session: &Session, identity: &Identity) {
        for other in self.present_partners(identity.actor.account) {
            let shown = self.shown_to_others(other, directory::HERE);
            if shown.state != OFFLINE
                && let Some(user) = directory::user_id(&*self.config.views.store, other)
            {
                session.push(&frame(shown.of(&user.to_string(), 0)), self.config.limits.outbox_bytes);
            }
        }
    }

    /// What an account's program says of it, as long as it is connected.
    pub(crate) fn set_presence(&self, identity: &Identity, state: &str) -> Result<Frame, Error> {
        let known = STATES.iter().find(|s| **s == state);
        let state = known.ok_or_else(|| bad("state", "online, away, busy, dnd or offline"))?;
        self.presences.set(identity.actor.account, state);
        self.presence_changed(identity.actor.account);
        Ok(Frame::Done(pb::Done {}))
    }

    /// On each tick: those who have been away for long enough are offline, and hours begin and end.
    pub(crate) fn tell_who_left(&self, ticks: u64) {
        let ticks_of = |period: Duration| period.as_millis() / self.config.limits.tick.as_millis().max(1);
        let grace = ticks_of(GRACE);
        let (mut left, mut all) = (Vec::new(), Vec::new());
        // Else who comes back just now is told to be there first, and to have left afterwards.
        let telling = self.presences.telling.lock();
        self.presences.connected.lock().retain(|account, presence| {
            all.push(*account);
            let Some(absent) = &mut presence.absent else { return true };
            *absent += 1;
            let is_back = self.registry.has(*account);
            if is_back {
                presence.absent = None;
            } else if u128::from(*absent) > grace {
                left.push((*account, presence.others.clone()));
                return false;
            }
            true
        });
        for (account, others) in left {
            if others.state != OFFLINE {
                self.tell_others(account, &Shown::offline(), self.seen_ms(account));
            }
        }
        drop(telling);
        if u128::from(ticks).is_multiple_of(ticks_of(HOURS_EVERY).max(1)) {
            all.into_iter().for_each(|account| self.presence_changed(account));
        }
    }

    /// Something that an account's presence is made of may have changed: whoever is shown another one now is told.
    pub(crate) fn presence_changed(&self, account: u64) {
        let _telling = self.presences.telling.lock();
        let (own, others) = (self.shown(account), self.shown_to_others(account, directory::HERE));
        let (own_changed, others_changed) = {
            let mut connected = self.presences.connected.lock();
            let Some(there) = connected.get_mut(&account) else { return };
            let changed = (there.own != own, there.others != others);
            (there.own, there.others) = (own.clone(), others.clone());
            changed
        };
        if own_changed && let Some(user) = directory::user_id(&*self.config.views.store, account) {
            let frame = frame(own.of(&user.to_string(), 0));
            let push = |session: &Arc<Session>| session.push(&frame, self.config.limits.outbox_bytes);
            self.registry.each(account, push);
        }
        if others_changed {
            self.tell_others(account, &others, 0);
        }
    }

    fn tell_others(&self, account: u64, shown: &Shown, seen_ms: u64) {
        let Some(user) = directory::user_id(&*self.config.views.store, account) else { return };
        let told = contacts::openness(&*self.config.views.store, account).last_seen.has(directory::HERE);
        let frame = frame(shown.of(&user.to_string(), if told { seen_ms } else { 0 }));
        for other in self.present_partners(account) {
            self.registry.each(other, |session| session.push(&frame, self.config.limits.outbox_bytes));
        }
    }

    /// An account's presence, as it sees it itself.
    fn shown(&self, account: u64) -> Shown {
        let Some(state) = self.presences.state(account) else { return Shown::offline() };
        let now = availability::standing(&*self.config.views.store, self.config.zones, account, self.now_ms());
        let by_hand = STATES.iter().find(|s| **s == now.state).copied();
        let state = by_hand.unwrap_or(if now.is_dnd() { DND } else { state });
        Shown { state, text: if state == OFFLINE { String::new() } else { now.text } }
    }

    /// As people of a domain ([`directory::HERE`] or a peer) see it, if they have to do with the account at all.
    fn shown_to_others(&self, account: u64, peer: u64) -> Shown {
        let open = contacts::openness(&*self.config.views.store, account);
        if open.presence.has(peer) { self.shown(account) } else { Shown::offline() }
    }

    /// What somebody of another domain is told of an account here; `None`: nothing.
    pub(crate) fn state_for_peer(&self, account: u64, peer: u64) -> Option<&'static str> {
        let open = contacts::openness(&*self.config.views.store, account);
        open.presence.has(peer).then(|| self.shown(account).state)
    }

    /// When an account was last connected, as far as is known since this process began; 0: not.
    pub(crate) fn seen_ms(&self, account: u64) -> u64 {
        let Some(account) = accounts::account(&*self.config.views.store, account) else { return 0 };
        let seen = self.seen.lock();
        account.devices.iter().filter_map(|d| seen.get(&d.device).copied()).max().unwrap_or(0)
    }

    /// Somebody's presence to an account that asks for their profile; `None` if it is none of its business.
    pub(crate) fn presence_seen_by(&self, reader: u64, person: u64) -> Option<pb::Presence> {
        let store = &*self.config.views.store;
        let direct = conversations::direct(store, conversations::between(store, reader, person)?)?;
        let user = directory::user_id(store, person)?.to_string();
        if direct.peer != directory::HERE || !self.is_open(&direct) || person == reader {
            return None;
        }
        let shown = self.shown_to_others(person, directory::HERE);
        // Whoever seems to be away while they are there is not said to have been here just now.
        let is_gone = self.presences.state(person).is_none();
        let told = is_gone && contacts::openness(store, person).last_seen.has(directory::HERE);
        Some(shown.of(&user, if told { self.seen_ms(person) } else { 0 }))
    }

    /// Accounts here who may know about this one, and are connected.
    fn present_partners(&self, account: u64) -> impl Iterator<Item = u64> {
        let store = &*self.config.views.store;
        contacts::conversations(store, account).into_iter().rev().take(PARTNERS_MAX).filter_map(move |conversation| {
            let direct = conversations::direct(store, conversation)?;
            let other = direct.other(account);
            let may = direct.peer == directory::HERE && other != account && self.registry.has(other) && self.is_open(&direct);
            may.then_some(other)
        })
    }

    /// Whether the two hear each other: accepted, and nobody here has blocked anybody.
    pub(crate) fn is_open(&self, direct: &Direct) -> bool {
        let store = &*self.config.views.store;
        let blocked = contacts::blocks(store, direct.a, direct.b, direct.peer)
            || (direct.peer == directory::HERE && contacts::blocks(store, direct.b, direct.a, directory::HERE));
        !direct.request && !direct.refused && !blocked
    }
}

/// The bytes of a presence.
pub(crate) fn frame(presence: pb::Presence) -> bytes::Bytes {
    convert::frame(0, Frame::Presence(presence))
}
