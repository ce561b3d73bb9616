//! What conversations hold besides words, and what an account holds of it. Bytes go over HTTP (`web/`); here are only lists.

use std::sync::Arc;

use startalk_domain::{Actor, files, governance};
use startalk_protocol::{
    limits,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{convert, gateway::Inner, session::Session};

/// Messages in one answer, if the client does not say.
const LIMIT_DEFAULT: u32 = 50;
/// Messages in one answer.
const LIMIT_MAX: u32 = 100;

impl Inner {
    /// Messages with pictures, files, voice or links.
    pub(crate) fn list_files(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::ListFiles) {
        self.read(session, id, move |gateway| {
            let views = &gateway.config.views;
            let limit = if request.limit == 0 { LIMIT_DEFAULT } else { request.limit.min(LIMIT_MAX) } as usize;
            let (conversation, kinds) = (request.conversation, request.kinds);
            let listed = files::listed(&views.store, &*views.journal, me.account, conversation, kinds, request.before, limit);
            let (found, mut whole) = listed?;
            let (mut messages, mut bytes) = (Vec::with_capacity(found.len()), 0);
            for message in found {
                bytes += 100 + message.content.as_ref().map_or(0, bytes::Bytes::len);
                if bytes > limits::PAGE_BYTES_MAX && !messages.is_empty() {
                    whole = false;
                    break;
                }
                messages.push(convert::message(message, me.account));
            }
            Ok(Frame::FileList(pb::FileList { conversation, messages, whole }))
        });
    }

    /// What the account holds.
    pub(crate) fn storage_of(&self, me: Actor) -> Frame {
        let store = &*self.config.views.store;
        let used = files::used(store, me.account);
        let bytes_max = governance::realm(store).files.bytes_per_account;
        Frame::Storage(pb::Storage { files: used.files, bytes: used.bytes, bytes_max })
    }
}
