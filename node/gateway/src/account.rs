//! An account's own matters: devices, password, codes, profile, invitations, and its end.

use std::sync::{Arc, atomic::Ordering};

use startalk_domain::{Actor, Answer, Command, accounts, command::PasswordBy, contacts};
use startalk_protocol::{
    Code, Error,
    limits::FRESH_SIGN_IN_MS,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{
    conversation::{bad, done},
    convert,
    gateway::Inner,
    secrets,
    session::Session,
};

impl Inner {
    /// The account's devices. When one was last seen is known since this process began; before, since when it exists.
    pub(crate) fn list_devices(&self, me: Actor) -> Frame {
        let Some(account) = accounts::account(&*self.config.views.store, me.account) else {
            return Frame::Error(Error::new(Code::NotSignedIn).into());
        };
        let now_ms = self.now_ms();
        let mut connected = Vec::new();
        self.registry.each(me.account, |s| connected.extend(s.identity().map(|i| i.actor.device)));
        let seen = self.seen.lock();
        let devices = account.devices.iter().map(|d| {
            let seen_ms = if connected.contains(&d.device) { now_ms } else { seen.get(&d.device).copied().unwrap_or(d.added_ms) };
            let (added_ms, seen_ms) = (convert::signed(d.added_ms), convert::signed(seen_ms));
            pb::Device { device: d.device, name: d.name.clone(), added_ms, seen_ms, this: d.device == me.device }
        });
        Frame::Devices(pb::Devices { devices: devices.collect() })
    }

    /// Signs a device out: another one, or this one. Its sessions end when that is committed.
    pub(crate) fn revoke_device(&self, session: &Arc<Session>, me: Actor, id: u64, device: u64) {
        self.submit(session, id, Command::RevokeDevice { account: me.account, device }, done);
    }

    /// With the old password.
    pub(crate) fn change_password(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::ChangePassword) {
        self.with_password(session, me, id, request.old_password, move |gateway, version| async move {
            secrets::check_password(&request.new_password, gateway.password_chars_min())?;
            let password_hash = gateway.hash(request.new_password).await?;
            let by = PasswordBy::Old { version };
            gateway.ask(Command::SetPassword { account: me.account, password_hash, by }).await?;
            Ok(Frame::Done(pb::Done {}))
        });
    }

    /// Eight new codes; the old ones are void.
    pub(crate) fn new_recovery_codes(
        self: &Arc<Self>,
        session: &Arc<Session>,
        me: Actor,
        id: u64,
        request: pb::NewRecoveryCodes,
    ) {
        self.with_password(session, me, id, request.password, move |gateway, _| async move {
            let codes = secrets::recovery_codes(|out| (gateway.config.random)(out));
            let hashes = codes.iter().map(|c| secrets::recovery_hash(c)).collect();
            gateway.ask(Command::SetRecoveryCodes { account: me.account, hashes }).await?;
            Ok(Frame::RecoveryCodes(pb::RecoveryCodes { codes }))
        });
    }

    /// What the account shows of itself.
    pub(crate) fn set_profile(&self, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetProfile) {
        let pb::SetProfile { display_name, avatar, signature } = request;
        self.submit(session, id, Command::SetProfile { account: me.account, display_name, avatar, signature }, done);
    }

    /// A link for somebody new.
    pub(crate) fn make_invitation(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::MakeInvitation) {
        let secret = secrets::invitation(self.random());
        let (uses, valid_ms) = (request.uses.max(1), request.valid_ms);
        if valid_ms <= 0 {
            return session.answered(id, Err(bad("valid_ms", "milliseconds, more than 0")));
        }
        let token_hash = secrets::invitation_hash(&secret);
        let link = secrets::invitation_link(&self.config.public_url, &secret);
        let command = Command::MakeInvitation {
            maker: me.account,
            token_hash,
            uses,
            valid_ms,
            administrator: false,
            groups: request.groups.clone(),
        };
        self.submit(session, id, command, move |answer| match answer {
            Answer::Invitation { not_after_ms, .. } => Frame::Invitation(pb::Invitation { link, not_after_ms, uses }),
            _ => Frame::Error(Error::new(Code::Internal).into()),
        });
    }

    /// Ends the account; with `erase_messages` also what it wrote, conversation by conversation, which goes on when the
    /// connection breaks.
    pub(crate) fn delete_account(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::DeleteAccount) {
        let pb::DeleteAccount { password, erase_messages } = request;
        let has_password = |a: &accounts::Account| !a.password.hashes.is_empty();
        let account = accounts::account(&*self.config.views.store, me.account).filter(|a| !has_password(a));
        let Some(account) = account else {
            let ending = session.clone();
            return self.with_password(session, me, id, password, move |gateway, _| async move {
                gateway.end_account(&ending, me, erase_messages).await
            });
        };
        if !accounts::has_just_come(&account, me.device, self.now_ms()) {
            let minutes = FRESH_SIGN_IN_MS / 60_000;
            return session.answered(id, Err(Error::new(Code::SignInAgain).with("minutes", minutes)));
        }
        let (gateway, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            let ended = gateway.end_account(&session, me, erase_messages).await;
            session.answered(id, ended);
            session.close_if_ending();
        });
    }

    /// Of an account's deletion; until that is sure the session stays.
    async fn end_account(&self, session: &Session, me: Actor, erase_messages: bool) -> Result<Frame, Error> {
        let conversations = contacts::conversations(&*self.config.views.store, me.account);
        session.ending.store(true, Ordering::SeqCst);
        if let Err(error) = self.ask(Command::DeleteAccount { account: me.account }).await {
            session.ending.store(false, Ordering::SeqCst);
            return Err(error);
        }
        for conversation in conversations.into_iter().filter(|_| erase_messages) {
            self.erase_authored(me.account, conversation).await;
        }
        Ok(Frame::Done(pb::Done {}))
    }

    async fn erase_authored(&self, account: u64, conversation: u64) {
        let mut from = 1;
        loop {
            match self.ask(Command::EraseAuthored { account, conversation, from }).await {
                Ok(Answer::More { from: next, .. }) if next > from => from = next,
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(
                        account,
                        conversation,
                        from,
                        code = error.code.as_str(),
                        "erasing a deleted account's messages stopped"
                    );
                    return;
                }
            }
        }
    }

    /// Goes on with the version of the password, if it is the right one.
    fn with_password<F>(
        self: &Arc<Self>,
        session: &Arc<Session>,
        me: Actor,
        id: u64,
        password: String,
        then: impl FnOnce(Arc<Self>, u64) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<Frame, Error>> + Send,
    {
        let (gateway, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            let work = async {
                let account = accounts::account(&*gateway.config.views.store, me.account);
                let name = session.identity().map(|i| i.name.to_string()).unwrap_or_default();
                let from = session.from.ok_or(Code::Internal)?;
                gateway.guard.sign_in(from, None, &name, gateway.now_ms())?;
                if account.as_ref().is_some_and(|a| a.password.hashes.is_empty()) {
                    return Err(Code::NoPassword.into());
                }
                let account = gateway.verify(account, password).await?;
                gateway.guard.signed_in(None, &name);
                then(gateway.clone(), account.password.position).await
            };
            session.answered(id, work.await);
            session.close_if_ending();
        });
    }
}
