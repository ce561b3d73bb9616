//! One connected device: who it is, what it is to be told, and nothing about its transport.
//!
//! Shared by the connection's task, the write loop (answers and pushes) and the ticker. Invariant: the identity is set
//! at most once; another one needs another connection.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use startalk_domain::Actor;
use startalk_protocol::{AccountName, Code, Error, pb::client::server_frame::Frame};

use crate::{
    convert,
    figures::{ErrorCounts, Transport},
    outbox::Outbox,
    sync::SyncState,
};

/// Who a session is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Account and device.
    pub actor: Actor,
    /// The name before the `@`.
    pub name: AccountName,
    /// `name@domain`.
    pub user: Box<str>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Session {
    /// Of this process, from 1.
    pub number: u64,
    /// The other end.
    pub from: Option<IpAddr>,
    /// The other server whose page opened it; such a session makes and recovers no accounts.
    pub foreign: Option<Box<str>>,
    /// What it runs over.
    pub transport: Transport,
    /// Where errors are counted.
    pub errors: Arc<ErrorCounts>,
    /// What it is to be told.
    pub outbox: Outbox,
    /// It synced: what happens is pushed to it.
    pub live: AtomicBool,
    /// Something was pushed since it was last told a cursor.
    pub dirty: AtomicBool,
    /// It ends itself: it is not to be closed because its device or account is gone.
    pub ending: AtomicBool,
    /// The connection is gone.
    pub gone: AtomicBool,
    /// Ticks since anything came.
    pub silent: AtomicU32,
    /// Ticks since the end began.
    pub ending_ticks: AtomicU32,
    /// When typing was last passed on, milliseconds; 0: its end was.
    pub typed_ms: AtomicU64,
    /// When its person did something last, milliseconds; 0: nothing yet.
    pub acted_ms: AtomicU64,
    /// A sync is under way: another one has to wait.
    pub syncing: AtomicBool,
    /// Syncs whose last page is not in the outbox yet: no cursor may be told before it.
    pub unfinished: AtomicU32,
    /// Its state between two pages.
    pub sync: Mutex<Option<Box<SyncState>>>,
    identity: OnceLock<Identity>,
}

impl Session {
    /// Ends it if what it asked for ended its account, after the answer to that.
    pub(crate) fn close_if_ending(&self) {
        if self.ending.load(Ordering::SeqCst) {
            self.outbox.close(Code::TokenRevoked.into());
        }
    }

    /// A new one, of nobody yet.
    pub(crate) fn new(number: u64, from: IpAddr, foreign: Option<Box<str>>) -> Self {
        Self { number, from: Some(from), foreign, ..Self::default() }
    }

    /// The same over this, counting errors there.
    pub(crate) fn counted(self, transport: Transport, errors: &Arc<ErrorCounts>) -> Self {
        Self { transport, errors: errors.clone(), ..self }
    }

    /// Who it is, once it has signed in.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.get()
    }

    /// Whose it is from now on; false if it is somebody's already.
    pub(crate) fn identify(&self, identity: Identity) -> bool {
        self.identity.set(identity).is_ok()
    }

    /// Answers a command, for the last time.
    pub(crate) fn answer(&self, id: u64, frame: Frame) {
        self.outbox.answer(convert::frame(id, frame));
    }

    /// Answers a command with what became of it.
    pub(crate) fn answered(&self, id: u64, result: Result<Frame, Error>) {
        self.answer(
            id,
            result.unwrap_or_else(|e| {
                self.errors.count(e.code);
                Frame::Error(e.into())
            }),
        );
    }

    /// Tells something that happened, if it wants to know; ends a session that does not keep up.
    pub(crate) fn push(&self, frame: &Bytes, max: usize) {
        if self.live.load(Ordering::Acquire) && !self.outbox.push(frame, max) {
            tracing::debug!(session = self.number, "closed: slow reader");
        }
    }
}
