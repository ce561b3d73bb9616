//! Other ways in than a password: by a provider, and what an account has of them.
//!
//! Owns who is sent where and what comes back of it; whose account it opens is the domain's. Invariant: an identity is linked
//! to an account only by a session of it that began, and that has what the browser brought back.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use startalk_domain::{Actor, Answer, Command, accounts, ways};
use startalk_identity::Person;
use startalk_protocol::{
    Code, Error,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{
    away::{self, Exchange},
    conversation::{bad, done},
    convert,
    gateway::Inner,
    session::Session,
};

/// Bytes of a ticket, of which its text is made.
pub(crate) const TICKET_BYTES: usize = 32;

impl Inner {
    /// Sends somebody to a provider; `me`: to link whom it names to this account.
    pub(crate) fn begin_sign_in(self: &Arc<Self>, session: &Arc<Session>, me: Option<Actor>, id: u64, request: pb::BeginSignIn) {
        let (gateway, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            let begun = gateway.begin_exchange(&session, me, request).await;
            session.answered(id, begun.map(|url| Frame::SignInBegun(pb::SignInBegun { url })));
        });
    }

    async fn begin_exchange(&self, session: &Session, me: Option<Actor>, request: pb::BeginSignIn) -> Result<String, Error> {
        let from = session.from.unwrap_or(IpAddr::from([0; 16]));
        self.guard.sign_in_unnamed(from, self.now_ms())?;
        let challenge = challenge(&request.challenge)?;
        let to = away::program(&request.return_to)?;
        let provider = self.config.providers.iter().find(|p| p.id() == request.provider).ok_or(Code::NoSuchThing)?.clone();
        let begun = provider.begin(&*self.config.random).await?;
        let account = me.map(|m| m.account);
        self.away.goes(Exchange { provider, pending: begun.pending, challenge, account, to }, self.now_ms())?;
        Ok(begun.url)
    }

    /// With the ticket that the browser brought back.
    pub(crate) fn finish_sign_in(self: &Arc<Self>, session: &Arc<Session>, id: u64, request: pb::FinishSignIn) {
        self.enter(session, id, move |gateway, from| async move {
            gateway.guard.sign_in_unnamed(from, gateway.now_ms())?;
            let person = gateway.away.redeem(&request.ticket, &request.verifier, None, gateway.now_ms())?;
            gateway.enter_as(person, request.device_name).await
        });
    }

    /// A device for somebody whom a provider or a directory named.
    pub(crate) async fn enter_as(&self, person: Person, device_name: String) -> Result<crate::enter::Entered, Error> {
        let identity = identity(&person);
        let known = ways::opened_by(&*self.config.views.store, &identity.issuer, &identity.subject);
        let newcomer = match person.newcomer {
            Some(newcomer) if known.is_none() => {
                Some(ways::Newcomer { name: newcomer.name?, display_name: newcomer.display_name })
            }
            _ => None,
        };
        let (token, device) = self.new_device(device_name);
        let provider = identity.provider.clone();
        let entered = self.ask(Command::EnterByIdentity { identity, newcomer, device }).await;
        // The domain knows the provider's id; people know its name.
        let answer = entered.map_err(|error| match self.provider_name(&provider) {
            Some(name) if error.params.contains_key("provider") => error.with("provider", name),
            _ => error,
        })?;
        if let (Answer::Account { account, .. }, None) = (&answer, known) {
            tracing::info!(account, provider, "an account was made for somebody whom a provider named");
        }
        self.came_in(&answer, token)
    }

    fn provider_name(&self, id: &str) -> Option<&str> {
        let directories = self.config.directories.iter().map(|d| (d.id(), d.display_name()));
        let all = self.config.providers.iter().map(|p| (p.id(), p.display_name())).chain(directories);
        all.into_iter().find(|(known, _)| *known == id).map(|(_, name)| name)
    }

    /// Links whom the provider named to the account of the session that began.
    pub(crate) fn finish_link(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::FinishSignIn) {
        match self.away.redeem(&request.ticket, &request.verifier, Some(me.account), self.now_ms()) {
            Ok(person) => {
                let command = Command::LinkIdentity { account: me.account, identity: identity(&person) };
                self.submit(session, id, command, done);
            }
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// The ways into the account.
    pub(crate) fn ways_of(&self, me: Actor) -> Frame {
        let store = &*self.config.views.store;
        let Some(account) = accounts::account(store, me.account) else {
            return Frame::Error(Error::new(Code::NotSignedIn).into());
        };
        let ways = ways::ways(store, me.account);
        let identities = ways.identities.iter().map(|i| pb::LinkedIdentity {
            link: i.link,
            provider: self.provider_name(&i.provider).unwrap_or_default().to_owned(),
            label: i.label.clone(),
            linked_ms: convert::signed(i.since_ms),
        });
        let passkeys = ways.passkeys.iter().map(|p| pb::Passkey {
            passkey: p.passkey,
            name: p.name.clone(),
            added_ms: convert::signed(p.added_ms),
            used_ms: convert::signed(p.used_ms),
            suspect: p.suspect,
        });
        let providers = self.config.providers.iter();
        let providers = providers.map(|p| pb::Provider { id: p.id().to_owned(), display_name: p.display_name().to_owned() });
        Frame::SignInWays(pb::SignInWays {
            has_password: !account.password.hashes.is_empty(),
            identities: identities.collect(),
            passkeys: passkeys.collect(),
            providers: providers.collect(),
            passkeys_possible: self.config.passkeys.is_some(),
        })
    }

    /// Whom a provider names does not come in any more.
    pub(crate) fn unlink_identity(&self, session: &Arc<Session>, me: Actor, id: u64, link: u64) {
        self.submit(session, id, Command::UnlinkIdentity { account: me.account, link }, done);
    }
}

fn challenge(bytes: &Bytes) -> Result<[u8; 32], Error> {
    bytes.as_ref().try_into().map_err(|_| bad("challenge", "32 bytes"))
}

fn identity(person: &Person) -> ways::Identity {
    ways::Identity {
        provider: person.provider.clone(),
        issuer: person.issuer.clone(),
        subject: person.subject.clone(),
        label: person.label.clone(),
    }
}
