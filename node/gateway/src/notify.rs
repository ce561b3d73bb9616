//! How an account is told while it does not look: which push service reaches a device, and what it wants to hear.
//!
//! Frames to commands, and the settings as they are. Sends no push: that is another consumer of the journal.

use std::sync::Arc;

use startalk_domain::{
    Actor, Command,
    notify::{self, NewSubscription, Settings, Unreached},
};
use startalk_protocol::{
    Code, Error,
    pb::client::{self as pb, pushed::What},
};

use crate::{
    conversation::{bad, done},
    convert,
    gateway::Inner,
    session::Session,
};

impl Inner {
    /// This device is reached by a push service from now on.
    pub(crate) fn subscribe_push(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SubscribePush) {
        if self.config.push_key.is_empty() {
            return session.answered(id, Err(Error::new(Code::NotAllowedHere).with("what", "push")));
        }
        let pb::SubscribePush { endpoint, p256dh, auth } = request;
        let subscription = NewSubscription { endpoint, p256dh: p256dh.to_vec(), auth: auth.to_vec() };
        self.submit(session, id, Command::SubscribePush { account: me.account, device: me.device, subscription }, done);
    }

    /// It is not any more.
    pub(crate) fn unsubscribe_push(&self, session: &Arc<Session>, me: Actor, id: u64) {
        let (account, device) = (me.account, me.device);
        self.submit(session, id, Command::UnsubscribePush { account, device, position: 0, why: Unreached::Asked }, done);
    }

    /// How the account wants to be told.
    pub(crate) fn set_notify(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetNotify) {
        let Some(new) = request.settings else { return session.answered(id, Err(bad("settings", "settings"))) };
        let settings = Settings {
            hidden: new.hidden,
            quiet: new.quiet,
            quiet_from_min: new.quiet_from_min,
            quiet_until_min: new.quiet_until_min,
            offset_min: new.offset_min,
            quiet_calls: new.quiet_calls,
            keywords: new.keywords,
            position: 0,
        };
        self.submit(session, id, Command::SetNotify { account: me.account, settings }, done);
    }

    /// Settings and this device's subscription as they are.
    pub(crate) fn notify_of(&self, me: Actor) -> pb::Notify {
        let store = &*self.config.views.store;
        let now = notify::settings(store, me.account);
        let settings = pb::NotifySettings {
            hidden: now.hidden,
            quiet: now.quiet,
            quiet_from_min: now.quiet_from_min,
            quiet_until_min: now.quiet_until_min,
            offset_min: now.offset_min,
            quiet_calls: now.quiet_calls,
            keywords: now.keywords.clone(),
        };
        let endpoint = notify::subscription(store, me.account, me.device).map(|s| s.endpoint).unwrap_or_default();
        pb::Notify { settings: Some(settings), key: self.config.push_key.clone(), endpoint }
    }

    /// Tells the account's sessions how it is now; each of its own device.
    pub(crate) fn notify_changed(&self, account: u64) {
        self.registry.each(account, |session| {
            if let Some(identity) = session.identity() {
                self.push(session, &convert::pushed(0, What::Notify(self.notify_of(identity.actor))));
            }
        });
    }
}
