//! From a client's frame to what is done about it.
//!
//! Owns the states of a session: before hello nothing but hello; before signing in only the ways in. Every frame gets
//! exactly one answer (a sync: pages, the last of which is marked). Invariant: what cannot be read ends the session.

use std::sync::{Arc, atomic::Ordering};

use startalk_protocol::{
    Code, Error,
    pb::client::{Done, Hello, Welcome, client_frame::Frame as Asked, server_frame::Frame},
};

use crate::{convert, framing, gateway::Inner, session::Session};

/// How far a session has got, besides its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was said.
    #[default]
    New,
    /// A version was agreed on.
    Greeted,
}

impl Inner {
    /// One frame of a client.
    pub(crate) fn on_frame(self: &Arc<Self>, session: &Arc<Session>, phase: &mut Phase, bytes: &[u8]) {
        let frame = match framing::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.broken(session, 0, error),
        };
        let id = frame.id;
        let expected = |what| Error::new(Code::Malformed).with("expected", what);
        let Some(asked) = frame.frame else { return self.broken(session, id, expected("a frame of a kind known here")) };
        if id == 0 {
            return self.broken(session, id, expected("a frame with an id other than 0"));
        }
        match (*phase, asked) {
            (Phase::New, Asked::Hello(hello)) => {
                session.outbox.begin(false);
                match self.greet(&hello) {
                    Ok(welcome) => {
                        *phase = Phase::Greeted;
                        session.answer(id, welcome);
                    }
                    Err(error) => {
                        session.answered(id, Err(error.clone()));
                        session.outbox.close(error);
                    }
                }
            }
            (Phase::New, _) => self.broken(session, id, expected("hello first")),
            (Phase::Greeted, Asked::Hello(_)) => self.broken(session, id, expected("hello once")),
            (Phase::Greeted, asked) => self.on_asked(session, id, asked),
        }
    }

    fn greet(&self, hello: &Hello) -> Result<Frame, Error> {
        if !(hello.version_min..=hello.version_max).contains(&convert::VERSION) {
            return Err(Error::new(Code::UnsupportedVersion).with("min", convert::VERSION).with("max", convert::VERSION));
        }
        let welcome = convert::welcome(&*self.config.views.store, self.now_ms());
        Ok(Frame::Welcome(Welcome { navigation_sequence: self.navigation_sequence(), ..welcome }))
    }

    fn on_asked(self: &Arc<Self>, session: &Arc<Session>, id: u64, asked: Asked) {
        session.outbox.begin(is_way_in(&asked));
        if let Asked::Ping(_) = asked {
            return session.answer(id, Frame::Done(Done {}));
        }
        if let Asked::GetNavigation(_) = asked {
            return session.answer(id, self.navigation());
        }
        let Some(identity) = session.identity() else {
            return match asked {
                Asked::Register(_)
                | Asked::Recover(_)
                | Asked::LookAtInvitation(_)
                | Asked::BeginSignIn(_)
                | Asked::FinishSignIn(_)
                | Asked::BeginPasskey(_)
                | Asked::SignInWithPasskey(_)
                    if session.foreign.is_some() =>
                {
                    let what = "this way in by another server's page";
                    session.answered(id, Err(Error::new(Code::NotAllowedHere).with("what", what)));
                }
                Asked::SignIn(request) => self.sign_in(session, id, request),
                Asked::Resume(request) => self.resume(session, id, &request),
                Asked::Register(request) => self.register(session, id, request),
                Asked::Recover(request) => self.recover(session, id, request),
                Asked::LookAtInvitation(request) => session.answered(id, self.look_at_invitation(session, &request.invitation)),
                Asked::BeginSignIn(request) => self.begin_sign_in(session, None, id, request),
                Asked::FinishSignIn(request) => self.finish_sign_in(session, id, request),
                Asked::BeginPasskey(_) => session.answered(id, self.begin_passkey(session)),
                Asked::SignInWithPasskey(request) => self.sign_in_with_passkey(session, id, request),
                _ => session.answered(id, Err(Code::NotSignedIn.into())),
            };
        };
        let me = identity.actor;
        if by_somebody(&asked) {
            session.acted_ms.store(self.now_ms(), Ordering::Relaxed);
        }
        match asked {
            Asked::Send(request) => self.send(session, me, id, request),
            Asked::Edit(request) => self.edit(session, me, id, request),
            Asked::Recall(request) => self.recall(session, me, id, &request),
            Asked::Mark(request) => session.answered(id, self.mark(session, identity, &request)),
            Asked::History(request) => self.history(session, me, id, request),
            Asked::Sync(request) => self.sync(session, me, id, request.cursor),
            Asked::Typing(request) => session.answered(id, self.typing(session, identity, &request)),
            Asked::SetPresence(request) => session.answered(id, self.set_presence(identity, &request.state)),
            Asked::DecideRequest(request) => self.decide_request(session, me, id, &request),
            Asked::Block(request) => self.block(session, me, id, &request),
            Asked::ListBlocked(_) => session.answer(id, self.list_blocked(me)),
            Asked::OpenConversation(request) => self.open_conversation(session, me, id, &request),
            Asked::ListDevices(_) => session.answer(id, self.list_devices(me)),
            Asked::RevokeDevice(request) => self.revoke_device(session, me, id, request.device),
            Asked::SignOut(_) => self.revoke_device(session, me, id, me.device),
            Asked::ChangePassword(request) => self.change_password(session, me, id, request),
            Asked::NewRecoveryCodes(request) => self.new_recovery_codes(session, me, id, request),
            Asked::SetProfile(request) => self.set_profile(session, me, id, request),
            Asked::GetProfile(request) => session.answered(id, self.get_profile(me, &request.user)),
            Asked::DeleteAccount(request) => self.delete_account(session, me, id, request),
            Asked::MakeInvitation(request) => self.make_invitation(session, me, id, &request),
            Asked::SignIn(_) | Asked::Resume(_) | Asked::Register(_) | Asked::Recover(_) | Asked::SignInWithPasskey(_) => {
                session.answered(id, Err(Error::new(Code::NotAllowedHere).with("what", "signing in twice on one connection")));
            }
            Asked::BeginSignIn(request) => self.begin_sign_in(session, Some(me), id, request),
            Asked::FinishSignIn(request) => self.finish_link(session, me, id, &request),
            Asked::GetSignIn(_) => session.answer(id, self.ways_of(me)),
            Asked::BeginPasskey(_) => session.answered(id, self.begin_adding(me)),
            Asked::AddPasskey(request) => self.add_passkey(session, me, id, request),
            Asked::RemovePasskey(request) => self.remove_passkey(session, me, id, request.passkey),
            Asked::UnlinkIdentity(request) => self.unlink_identity(session, me, id, request.link),
            Asked::CreateGroup(request) => self.create_group(session, me, id, request),
            Asked::ActInGroup(request) => self.act_in_group(session, me, id, request),
            Asked::JoinGroup(request) => self.join_group(session, me, id, request),
            Asked::ListGroupInvitations(_) => session.answer(id, self.list_group_invitations(me)),
            Asked::DecideGroupInvitation(request) => self.decide_group_invitation(session, me, id, &request),
            Asked::ListMembers(request) => self.list_members(session, me, id, request),
            Asked::ListPins(request) => self.list_pins(session, me, id, request.conversation),
            Asked::ListGroupLinks(request) => session.answered(id, self.list_group_links(me, request.conversation)),
            Asked::GetReaders(request) => self.get_readers(session, me, id, request),
            Asked::ListFiles(request) => self.list_files(session, me, id, request),
            Asked::GetStorage(_) => session.answer(id, self.storage_of(me)),
            Asked::Search(request) => self.search(session, me, id, request),
            Asked::LookAtInvitation(request) => session.answered(id, self.look_at_invitation(session, &request.invitation)),
            Asked::SetConversation(request) => self.set_conversation(session, me, id, &request),
            Asked::ArrangeConversation(request) => self.arrange_conversation(session, me, id, &request),
            Asked::KeepPerson(request) => self.keep_person(session, me, id, request),
            Asked::SetAvailability(request) => self.set_availability(session, me, id, request),
            Asked::SetSchedule(request) => self.set_schedule(session, me, id, request),
            Asked::SetAutoReply(request) => self.set_auto_reply(session, me, id, request),
            Asked::SetOpenness(request) => self.set_openness(session, me, id, request),
            Asked::GetOwn(_) => session.answer(id, Frame::Own(self.own(me.account))),
            Asked::ScheduleMessage(request) => self.schedule_message(session, me, id, request),
            Asked::ChangeScheduled(request) => self.change_scheduled(session, me, id, request),
            Asked::CancelScheduled(request) => self.cancel_scheduled(session, me, id, request.number),
            Asked::SendScheduled(request) => self.send_scheduled(session, me, id, request.number),
            Asked::ListScheduled(request) => self.list_scheduled(session, me, id, request.after),
            Asked::SetReminder(request) => self.set_reminder(session, me, id, request),
            Asked::EndReminder(request) => self.end_reminder(session, me, id, request.number),
            Asked::ListReminders(request) => self.list_reminders(session, me, id, request.after),
            Asked::OpenMessage(request) => self.open_message(session, me, id, &request),
            Asked::SaveMessage(request) => self.save_message(session, me, id, request),
            Asked::RemoveSaved(request) => self.remove_saved(session, me, id, request.number),
            Asked::ListSaved(request) => self.list_saved(session, me, id, request),
            Asked::ChangeStickers(request) => self.change_stickers(session, me, id, request),
            Asked::ListStickers(request) => self.list_stickers(session, me, id, request.skip),
            Asked::MarkPlayed(request) => session.answered(id, self.mark_played(session, identity, &request)),
            Asked::SubscribePush(request) => self.subscribe_push(session, me, id, request),
            Asked::UnsubscribePush(_) => self.unsubscribe_push(session, me, id),
            Asked::GetNotify(_) => session.answer(id, Frame::Notify(self.notify_of(me))),
            Asked::SetNotify(request) => self.set_notify(session, me, id, request),
            Asked::Hello(_) | Asked::Ping(_) | Asked::GetNavigation(_) => session.answered(id, Err(Code::Internal.into())),
        }
    }
}

/// Whether the session may become somebody's by this: nothing else is read from it meanwhile.
fn is_way_in(asked: &Asked) -> bool {
    matches!(
        asked,
        Asked::SignIn(_)
            | Asked::Resume(_)
            | Asked::Register(_)
            | Asked::Recover(_)
            | Asked::FinishSignIn(_)
            | Asked::SignInWithPasskey(_)
    )
}

/// Whether a person did this, and no program by itself: they are there.
fn by_somebody(asked: &Asked) -> bool {
    match asked {
        Asked::Send(_)
        | Asked::Edit(_)
        | Asked::Recall(_)
        | Asked::Typing(_)
        | Asked::ActInGroup(_)
        | Asked::OpenMessage(_)
        | Asked::MarkPlayed(_) => true,
        Asked::Mark(mark) => mark.read > 0,
        _ => false,
    }
}
