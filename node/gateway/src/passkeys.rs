//! Passkeys: adding one to an account, and signing in with one.
//!
//! Owns the ceremonies under way; what is a good signature is `node/identity`'s, whose account it opens the domain's. A page of
//! another server cannot take part: browsers show it no credential of this domain, and it is refused before. Invariant: a
//! ceremony is ended once.

use std::{net::IpAddr, sync::Arc};

use startalk_domain::{
    Actor, Command, accounts, directory,
    ways::{self, NewPasskey, PasskeyUse},
};
use startalk_identity::passkey::{Adding, Entering, Passkeys, Shown};
use startalk_protocol::{
    Code, Error,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{away::Table, conversation::done, gateway::Inner, session::Session};

/// How long a person may take over it, in milliseconds: browsers give up after five minutes.
const CEREMONY_MS: u64 = 6 * 60 * 1000;

pub(crate) enum Ceremony {
    Adding(u64, Box<Adding>),
    Entering(Box<Entering>),
}

/// Those under way, by number.
pub(crate) type Ceremonies = Table<u64, Ceremony>;

impl Inner {
    fn passkeys(&self) -> Result<&Arc<Passkeys>, Error> {
        self.config.passkeys.as_ref().ok_or_else(|| Error::new(Code::NotAllowedHere).with("what", "a passkey"))
    }

    fn begun(&self, options: Vec<u8>, what: Ceremony) -> Result<Frame, Error> {
        let ceremony = u64::from_be_bytes(self.random());
        self.ceremonies.put(ceremony, what, self.now_ms(), CEREMONY_MS)?;
        Ok(Frame::PasskeyBegun(pb::PasskeyBegun { ceremony, options: options.into() }))
    }

    /// Asks for any passkey, of somebody who has not said who they are.
    pub(crate) fn begin_passkey(&self, session: &Session) -> Result<Frame, Error> {
        let from = session.from.unwrap_or(IpAddr::from([0; 16]));
        self.guard.sign_in_unnamed(from, self.now_ms())?;
        let (options, entering) = self.passkeys()?.begin_entering()?;
        self.begun(options, Ceremony::Entering(Box::new(entering)))
    }

    /// Asks for a new passkey.
    pub(crate) fn begin_adding(&self, me: Actor) -> Result<Frame, Error> {
        let store = &*self.config.views.store;
        let user = directory::user_id(store, me.account).ok_or(Code::NotSignedIn)?.to_string();
        let name = directory::person(store, me.account).map(|p| p.profile.display_name.clone()).unwrap_or_default();
        let existing = ways::ways(store, me.account).passkeys.iter().map(|p| p.credential_id.clone()).collect();
        let shown = if name.is_empty() { &user } else { &name };
        let (options, adding) = self.passkeys()?.begin_adding(me.account, &user, shown, existing)?;
        self.begun(options, Ceremony::Adding(me.account, Box::new(adding)))
    }

    /// The new passkey.
    pub(crate) fn add_passkey(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::AddPasskey) {
        let read = || {
            let adding = match self.ceremonies.take(&request.ceremony, self.now_ms()) {
                Some(Ceremony::Adding(account, adding)) if account == me.account => adding,
                _ => return Err(Code::SignInExpired.into()),
            };
            self.passkeys()?.finish_adding(&adding, &request.credential)
        };
        match read() {
            Ok(new) => {
                let passkey = NewPasskey { credential_id: new.id, credential: new.credential, name: request.name };
                self.submit(session, id, Command::AddPasskey { account: me.account, passkey }, done);
            }
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// It lets nobody in any more.
    pub(crate) fn remove_passkey(&self, session: &Arc<Session>, me: Actor, id: u64, passkey: u64) {
        self.submit(session, id, Command::RemovePasskey { account: me.account, passkey }, done);
    }

    /// With a passkey.
    pub(crate) fn sign_in_with_passkey(self: &Arc<Self>, session: &Arc<Session>, id: u64, request: pb::SignInWithPasskey) {
        self.enter(session, id, move |gateway, from| async move {
            gateway.guard.sign_in_unnamed(from, gateway.now_ms())?;
            let entering = match gateway.ceremonies.take(&request.ceremony, gateway.now_ms()) {
                Some(Ceremony::Entering(entering)) => *entering,
                _ => return Err(Code::SignInExpired.into()),
            };
            let shown = Shown::read(&request.credential)?;
            let store = &*gateway.config.views.store;
            let (account, known) = ways::by_credential(store, shown.id()).ok_or(Code::PasskeyRefused)?;
            if accounts::account(store, account).is_some_and(|a| a.disabled) {
                return Err(gateway.disabled());
            }
            let proven = gateway.passkeys()?.finish_entering(entering, &shown, account, &known.credential, known.counter);
            let counter = match proven {
                Ok(counter) => counter,
                Err(error) => {
                    if error.code == Code::PasskeyCopied {
                        tracing::warn!(
                            account,
                            passkey = known.passkey,
                            "a passkey counted backwards: there may be a copy of it"
                        );
                        gateway.ask(Command::SuspectPasskey { account, passkey: known.passkey }).await?;
                    }
                    return Err(error);
                }
            };
            let (token, device) = gateway.new_device(request.device_name);
            let used = PasskeyUse { account, passkey: known.passkey, counter_before: known.counter, counter };
            let answer = gateway.ask(Command::EnterByPasskey { used, device }).await?;
            gateway.came_in(&answer, token)
        });
    }
}
