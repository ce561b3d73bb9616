//! The ways in: signing in with a password, resuming with a token, registering, recovering.
//!
//! Owns what is compared and what is hashed, never whether it is allowed. A password that is not this domain's own may be a
//! directory's (`directories.rs`). Invariant: for an unknown name and for a wrong
//! password the answer and the work are the same.

use std::{net::IpAddr, sync::Arc, sync::atomic::Ordering};

use bytes::Bytes;
use startalk_domain::{
    Actor, Answer, Command, accounts,
    accounts::{Account, Role},
    command::{Admission, NewDevice, PasswordBy},
    delivery, directory, governance,
};
use startalk_protocol::{
    AccountName, Code, Error,
    limits::PASSWORD_BYTES_MAX,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{
    gateway::Inner,
    secrets,
    session::{Identity, Session},
};

/// A new account, as a form or a frame describes it.
pub(crate) struct Registration {
    pub name: String,
    pub password: String,
    pub display_name: String,
    pub invitation: String,
    /// `None`: no device is signed in.
    pub device_name: Option<String>,
}

/// What registering came to.
pub(crate) struct Registered {
    pub name: AccountName,
    pub actor: Option<Actor>,
    pub token: Bytes,
    pub recovery_codes: Vec<String>,
    pub administrator: bool,
}

impl Inner {
    /// With a password.
    pub(crate) fn sign_in(self: &Arc<Self>, session: &Arc<Session>, id: u64, request: pb::SignIn) {
        let foreign = session.foreign.clone();
        self.enter(session, id, move |gateway, from| async move {
            let begun_ms = gateway.now_ms();
            let name = gateway.local_name(&request.name)?;
            let key = name.as_ref().map_or(request.name.as_str(), |n| n.as_str()).to_owned();
            gateway.guard.sign_in(from, foreign.as_deref(), short(&key), gateway.now_ms())?;
            let account = name.as_ref().and_then(|n| accounts::by_name(&*gateway.config.views.store, n));
            let account = match gateway.verify(account, request.password.clone()).await {
                Err(error) if error.code == Code::WrongCredentials && !gateway.config.directories.is_empty() => {
                    let person = gateway.ask_directories(name.as_ref(), &request.password, begun_ms).await?;
                    gateway.guard.signed_in(foreign.as_deref(), short(&key));
                    return gateway.enter_as(person, request.device_name).await;
                }
                verified => verified?,
            };
            gateway.guard.signed_in(foreign.as_deref(), short(&key));
            if !account.is_live() {
                return Err(gateway.disabled());
            }
            let (token, device) = gateway.new_device(request.device_name);
            let command = Command::AddDevice { account: account.account, password_version: account.password.position, device };
            let Answer::Device { device } = gateway.ask(command).await? else { return Err(Code::Internal.into()) };
            let name = name.ok_or(Code::Internal)?;
            Ok(Entered { actor: Actor { account: account.account, device }, name, token, recovery_codes: Vec::new() })
        });
    }

    /// With a token: quick, and therefore at once, so that a client may send what follows without waiting.
    pub(crate) fn resume(self: &Arc<Self>, session: &Arc<Session>, id: u64, request: &pb::Resume) {
        let store = &*self.config.views.store;
        let entered = accounts::by_token_hash(store, &secrets::token_hash(&request.token)).and_then(|actor| {
            let name = startalk_domain::directory::user_id(store, actor.account)?.name;
            Some(Entered { actor, name, token: Bytes::new(), recovery_codes: Vec::new() })
        });
        self.entered(session, id, entered.ok_or_else(|| Code::TokenRevoked.into()));
    }

    /// With an invitation, or where registration is open.
    pub(crate) fn register(self: &Arc<Self>, session: &Arc<Session>, id: u64, request: pb::Register) {
        self.enter(session, id, move |gateway, from| async move {
            let pb::Register { name, password, device_name, display_name, invitation } = request;
            let new = Registration { name, password, display_name, invitation, device_name: Some(device_name) };
            let done = gateway.make_account(from, new).await?;
            let actor = done.actor.ok_or(Code::Internal)?;
            Ok(Entered { actor, name: done.name, token: done.token, recovery_codes: done.recovery_codes })
        });
    }

    /// What an invitation gives, told to who has its link. Guesses are counted as attempts to register.
    pub(crate) fn look_at_invitation(&self, session: &Session, secret: &str) -> Result<Frame, Error> {
        let store = &*self.config.views.store;
        let found = accounts::invitation(store, &secrets::invitation_hash(secret), self.now_ms());
        let Some(invitation) = found else {
            self.guard.register(session.from.unwrap_or(IpAddr::from([0; 16])), self.now_ms())?;
            return Err(Code::InvitationInvalid.into());
        };
        let maker = directory::user_id(store, invitation.maker);
        Ok(Frame::InvitationShown(pb::InvitationShown {
            administrator: invitation.administrator,
            not_after_ms: invitation.not_after_ms,
            uses: invitation.uses,
            inviter_name: directory::person(store, invitation.maker).map(|p| p.profile.display_name.clone()).unwrap_or_default(),
            inviter: maker.map(|m| m.to_string()).unwrap_or_default(),
        }))
    }

    /// Makes an account; the page with the form comes here too.
    pub(crate) async fn make_account(&self, from: IpAddr, new: Registration) -> Result<Registered, Error> {
        let name = self.local_name(&new.name)?.ok_or_else(|| Error::new(Code::BadName).with("name", short(&new.name)))?;
        secrets::check_password(&new.password, self.password_chars_min())?;
        let store = &*self.config.views.store;
        let admission = if new.invitation.trim().is_empty() {
            Admission::Open
        } else {
            let hash = secrets::invitation_hash(&new.invitation);
            if accounts::invitation(store, &hash, self.now_ms()).is_none() {
                self.guard.register(from, self.now_ms())?;
                return Err(Code::InvitationInvalid.into());
            }
            Admission::Invitation(hash)
        };
        self.guard.register(from, self.now_ms())?;
        if matches!(admission, Admission::Open) && governance::realm(store).trial_days > 0 {
            self.guard.register_for_trial(from, self.now_ms())?;
        }
        let password_hash = self.hash(new.password).await?;
        let recovery_codes = secrets::recovery_codes(|out| (self.config.random)(out));
        let recovery_hashes = recovery_codes.iter().map(|c| secrets::recovery_hash(c)).collect();
        let (token, device) = self.new_device(new.device_name.clone().unwrap_or_default());
        let device = new.device_name.is_some().then_some(device);
        let display_name = new.display_name.trim().to_owned();
        let command =
            Command::CreateAccount { name: name.clone(), display_name, password_hash, recovery_hashes, admission, device };
        let Answer::Account { account, device, administrator } = self.ask(command).await? else {
            return Err(Code::Internal.into());
        };
        let actor = device.map(|device| Actor { account, device });
        Ok(Registered { name, actor, token, recovery_codes, administrator })
    }

    /// With a recovery code or a sign-in link: a new password, and every other device is signed out. Who comes by a link is
    /// new as a rule, and is given recovery codes as those who register are.
    pub(crate) fn recover(self: &Arc<Self>, session: &Arc<Session>, id: u64, request: pb::Recover) {
        self.enter(session, id, move |gateway, from| async move {
            let name = gateway.local_name(&request.name)?;
            let key = name.as_ref().map_or(request.name.as_str(), |n| n.as_str()).to_owned();
            // A whole office opens its links on one morning from one address; who has a link's 160 bits has not guessed them.
            let link = secrets::sign_in_hash(&request.code);
            let known = name.as_ref().and_then(|n| accounts::by_name(&*gateway.config.views.store, n));
            let has_link = known.is_some_and(|a| a.link.as_ref().is_some_and(|l| l.opens(&link, gateway.now_ms())));
            if !has_link {
                gateway.guard.recover(from, short(&key), gateway.now_ms())?;
            }
            secrets::check_password(&request.new_password, gateway.password_chars_min())?;
            // Hashed before anything is looked up: an unknown name takes as long.
            let password_hash = gateway.hash(request.new_password).await?;
            let hash = secrets::recovery_hash(&request.code);
            let account = name.as_ref().and_then(|n| accounts::by_name(&*gateway.config.views.store, n));
            let account = account.ok_or(Code::WrongCredentials)?;
            let by_link = account.link.as_ref().is_some_and(|l| l.opens(&link, gateway.now_ms()));
            if !by_link && !account.recovery.hashes.iter().any(|h| h[..] == hash) {
                return Err(Code::WrongCredentials.into());
            }
            if !account.is_live() {
                return Err(gateway.disabled());
            }
            let (token, device) = gateway.new_device(request.device_name);
            let by = if by_link { PasswordBy::Link { hash: link, device } } else { PasswordBy::Recovery { hash, device } };
            let command = Command::SetPassword { account: account.account, password_hash, by };
            let Answer::Device { device } = gateway.ask(command).await? else { return Err(Code::Internal.into()) };
            for old in account.devices.iter().filter(|d| d.device != device) {
                // One that is gone already is what was wanted.
                let _ = gateway.ask(Command::RevokeDevice { account: account.account, device: old.device }).await;
            }
            let mut recovery_codes = Vec::new();
            if by_link {
                recovery_codes = secrets::recovery_codes(|out| (gateway.config.random)(out));
                let hashes = recovery_codes.iter().map(|c| secrets::recovery_hash(c)).collect();
                gateway.ask(Command::SetRecoveryCodes { account: account.account, hashes }).await?;
            }
            let name = name.ok_or(Code::Internal)?;
            Ok(Entered { actor: Actor { account: account.account, device }, name, token, recovery_codes })
        });
    }

    /// A device that came in by a way that proves itself: whose it is now.
    pub(crate) fn came_in(&self, answer: &Answer, token: Bytes) -> Result<Entered, Error> {
        let Answer::Account { account, device: Some(device), .. } = *answer else { return Err(Code::Internal.into()) };
        let name = startalk_domain::directory::user_id(&*self.config.views.store, account).ok_or(Code::Internal)?.name;
        Ok(Entered { actor: Actor { account, device }, name, token, recovery_codes: Vec::new() })
    }

    /// Runs one way in. Nothing else is read from the session meanwhile.
    pub(crate) fn enter<F>(self: &Arc<Self>, session: &Arc<Session>, id: u64, way: impl FnOnce(Arc<Self>, IpAddr) -> F)
    where
        F: Future<Output = Result<Entered, Error>> + Send + 'static,
    {
        let from = session.from.unwrap_or(IpAddr::from([0; 16]));
        let (gateway, session, way) = (self.clone(), session.clone(), way(self.clone(), from));
        tokio::spawn(async move { gateway.entered(&session, id, way.await) });
    }

    fn entered(self: &Arc<Self>, session: &Arc<Session>, id: u64, entered: Result<Entered, Error>) {
        let entered = match entered {
            Ok(entered) => entered,
            Err(error) => return session.answered(id, Err(error)),
        };
        let settled = self.settle(session, entered);
        let refused = settled.as_ref().err().cloned();
        session.answered(id, settled.map(Frame::SignedIn));
        if let Some(error) = refused {
            session.outbox.close(error); // it is somebody already, and cannot become anybody else
        }
    }

    /// The session is somebody's from now on.
    fn settle(&self, session: &Arc<Session>, entered: Entered) -> Result<pb::SignedIn, Error> {
        let Entered { actor, name, token, recovery_codes } = entered;
        let user = format!("{name}@{}", self.config.domain);
        session.identify(Identity { actor, name, user: user.as_str().into() });
        if !self.registry.add(actor.account, session, self.config.limits.sessions_per_account) {
            return Err(Error::new(Code::TooMany).with("what", "sessions").with("max", self.config.limits.sessions_per_account));
        }
        if session.gone.load(Ordering::SeqCst) {
            self.registry.remove(actor.account, session); // it left while it was coming in
        }
        let store = &*self.config.views.store;
        if !accounts::is_signed_in(store, actor) {
            // Revoked between the check and now: nobody would have told the session.
            return Err(Code::TokenRevoked.into());
        }
        let role = accounts::account(store, actor.account).map(|a| a.role).unwrap_or_default();
        let administrator = role == Role::Administrator;
        let role = if role == Role::Member { String::new() } else { role.as_str().to_owned() };
        let counter = delivery::top(store, actor.device);
        Ok(pb::SignedIn { user, device: actor.device, token, recovery_codes, counter, administrator, role })
    }

    /// Compares a password, with nobody's hash if there is no account: as much work either way.
    pub(crate) async fn verify(&self, account: Option<Arc<Account>>, password: String) -> Result<Arc<Account>, Error> {
        let hash = match account.as_ref().and_then(|a| a.password.hashes.first()) {
            Some(hash) => String::from_utf8_lossy(hash).into_owned(),
            None => self.nobodys_hash().await?,
        };
        let right = self.compute(move || secrets::verify_password(&password, &hash)).await?;
        account.filter(|_| right).ok_or_else(|| Code::WrongCredentials.into())
    }

    /// The PHC string of a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        let (salt, cost) = (self.random(), self.config.passwords);
        self.compute(move || secrets::hash_password(&password, salt, cost)).await?
    }

    /// The hash of a password that nobody has, made once.
    pub(crate) async fn nobodys_hash(&self) -> Result<String, Error> {
        if let Some(hash) = self.nobodys_hash.get() {
            return Ok(hash.clone());
        }
        let random: [u8; 32] = self.random();
        let hash = self.hash(secrets::invitation_link("", &format!("{random:?}"))).await?;
        Ok(self.nobodys_hash.get_or_init(|| hash).clone())
    }

    /// Computes what takes long, a few at once.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _permit = self.hashing.acquire().await.map_err(|_| Code::Stopping)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Code::Internal.into())
    }

    pub(crate) fn new_device(&self, name: String) -> (Bytes, NewDevice) {
        let token: [u8; secrets::TOKEN_BYTES] = self.random();
        let token_hash = secrets::token_hash(&token);
        (Bytes::copy_from_slice(&token), NewDevice { name, token_hash })
    }

    /// The name of an account here; `None` if it cannot be one, which is answered as if nobody had it.
    fn local_name(&self, text: &str) -> Result<Option<AccountName>, Error> {
        let text = text.trim();
        if let Some((name, domain)) = text.split_once('@') {
            if domain.parse().ok().as_ref() != Some(&self.config.domain) {
                return Err(Error::new(Code::WrongDomain).with("domain", &self.config.domain).with("asked", short(domain)));
            }
            return Ok(name.parse().ok());
        }
        Ok(text.parse().ok())
    }

    /// What the domain asks of a new password.
    pub(crate) fn password_chars_min(&self) -> u32 {
        governance::realm(&*self.config.views.store).password_chars_min
    }

    pub(crate) fn disabled(&self) -> Error {
        Error::new(Code::AccountDisabled).with("domain", &self.config.domain)
    }
}

/// A way in that led there.
pub(crate) struct Entered {
    actor: Actor,
    name: AccountName,
    token: Bytes,
    recovery_codes: Vec<String>,
}

/// What a stranger sent may be long; a key or an error is not.
fn short(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

const _: () = assert!(PASSWORD_BYTES_MAX < 64 * 1024, "a password fits a form");
