//! An account's own archive: what it knows and what it may read, as lines that are chained and signed. docs/account-export.md
//!
//! Owns the order and the words of the lines. Reads page by page and hands out as much as is taken; nothing is kept. Invariant:
//! a line stands in the archive only if the account may read what it says at that moment.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use startalk_domain::{
    accounts, contacts, conversations,
    directory::{self, HERE},
    sync,
};
use startalk_protocol::{Code, Error, limits};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::{convert, files, gateway::Inner, web::Client};

/// Of the format.
const VERSION: u64 = 1;
/// Bytes of lines gathered before they are handed on.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait for a reader who is slow.
const CHUNKS_WAITING: usize = 4;

/// Signs the root of an archive with the domain's link key: the key, and the signature.
pub type SignExport = Arc<dyn Fn(&[u8; 32]) -> ([u8; 32], [u8; 64]) + Send + Sync>;

/// The archive of the account whose device asks, by its token: cookies are for what a page shows.
pub(crate) async fn export(Extension(client): Extension<Client>, headers: HeaderMap) -> Response {
    let begun = files::by_token(&client, &headers).and_then(|me| {
        let gateway = client.gateway.clone();
        let permit = gateway.exporting.clone().try_acquire_owned().map_err(|_| Error::new(Code::SlowDown).with("seconds", 30))?;
        let sign = gateway.config.sign_export.clone().ok_or_else(|| Error::new(Code::NotAllowedHere).with("what", "export"))?;
        Ok((me, gateway, permit, sign))
    });
    let (me, gateway, permit, sign) = match begun {
        Ok(begun) => begun,
        Err(error) => return files::error(&error),
    };
    let (chunks, taken) = mpsc::channel::<Result<Bytes, std::io::Error>>(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || {
        let permit: OwnedSemaphorePermit = permit;
        let mut archive = Archive { chunks, buffer: Vec::new(), chain: [0; 32], lines: 0 };
        if let Err(Stopped(error)) = gateway.write_archive(me.account, &mut archive, &sign) {
            // Without its last line it is not whole, and whoever reads it sees that.
            tracing::debug!(?error, "an archive was not read to its end");
            drop(archive.chunks.blocking_send(Err(std::io::Error::other("the archive ends early"))));
        }
        drop(permit);
    });
    let body = Body::from_stream(futures_util::stream::unfold(taken, async |mut taken| {
        let chunk = taken.recv().await?;
        Some((chunk, taken))
    }));
    let said = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"startalk-export.jsonl\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::OK, said, body).into_response()
}

/// Nobody reads any more, or something could not be read.
struct Stopped(Option<Error>);

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self(Some(error))
    }
}

/// Lines on their way, and their chain.
struct Archive {
    chunks: mpsc::Sender<Result<Bytes, std::io::Error>>,
    buffer: Vec<u8>,
    chain: [u8; 32],
    lines: u64,
}

impl Archive {
    fn line(&mut self, value: &Value) -> Result<(), Stopped> {
        let line = value.to_string();
        let mut hash = blake3::Hasher::new();
        hash.update(&self.chain).update(line.as_bytes());
        self.chain = *hash.finalize().as_bytes();
        self.lines += 1;
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK_BYTES { self.hand_on() } else { Ok(()) }
    }

    fn hand_on(&mut self) -> Result<(), Stopped> {
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        self.chunks.blocking_send(Ok(chunk)).map_err(|_| Stopped(None))
    }
}

impl Inner {
    fn write_archive(&self, account: u64, out: &mut Archive, sign: &SignExport) -> Result<(), Stopped> {
        let views = &self.config.views;
        let store = &*views.store;
        let person = directory::person(store, account).ok_or(Error::new(Code::NoSuchThing))?;
        out.line(&json!({
            "kind": "startalk-export", "version": VERSION, "domain": self.config.domain.as_str(),
            "user": directory::user_id(store, account).map(|u| u.to_string()), "made_ms": self.now_ms(),
            "record": BASE64.encode(&(self.config.record)()),
        }))?;
        let profile = &person.profile;
        out.line(&json!({
            "kind": "profile", "display_name": profile.display_name, "avatar": profile.avatar, "signature": profile.signature,
        }))?;
        for kept in contacts::all_kept(store, account) {
            if let Some(user) = directory::user_id(store, kept.person) {
                out.line(&json!({ "kind": "person", "user": user.to_string(), "remark": kept.remark, "starred": kept.starred }))?;
            }
        }
        let blocked = contacts::blocked(store, account);
        let persons = blocked.persons.iter().filter_map(|p| directory::user_id(store, *p)).map(|u| u.to_string());
        let domains = blocked.peers.iter().filter(|p| **p != HERE).filter_map(|p| directory::domain_of(store, *p));
        for user in persons.chain(domains.map(|d| format!("@{d}"))) {
            out.line(&json!({ "kind": "blocked", "user": user }))?;
        }
        for conversation in contacts::conversations(store, account) {
            self.write_conversation(account, conversation, out)?;
            if !accounts::account(store, account).is_some_and(|a| a.is_live()) {
                return Err(Stopped(Some(Code::TokenRevoked.into())));
            }
        }
        let (link_key, signature) = sign(&out.chain);
        let (lines, root) = (out.lines, out.chain);
        out.line(&json!({
            "kind": "end", "lines": lines, "root": HEXLOWER.encode(&root), "link_key": HEXLOWER.encode(&link_key),
            "signature": HEXLOWER.encode(&signature),
        }))?;
        out.hand_on()
    }

    fn write_conversation(&self, account: u64, number: u64, out: &mut Archive) -> Result<(), Stopped> {
        let views = &self.config.views;
        // One that cannot be read any more, as a group that is gone: there is nothing to take along.
        let Ok(view) = sync::view(&views.store.snapshot(), account, number) else { return Ok(()) };
        let shown = convert::conversation(&*views.store, account, &view);
        let group = shown.group.as_ref().map(|g| {
            json!({
                "group": g.group, "home": g.home, "name": g.name, "notice": g.notice, "description": g.description,
                "avatar": g.avatar, "role": g.role, "standing": g.standing,
            })
        });
        out.line(&json!({
            "kind": "conversation", "conversation": number, "head": shown.head, "read": shown.read,
            "with": shown.peer.as_ref().map(|p| p.user.as_str()), "group": group, "pinned": shown.pinned,
            "muted_until_ms": shown.muted_until_ms, "mentions_only": shown.mentions_only,
        }))?;
        let mut from = shown.group.as_ref().map_or(1, |g| g.first.max(1));
        while from <= shown.head {
            let to = from.saturating_add(limits::PAGE_MESSAGES_MAX as u64 - 1);
            let page = conversations::page(&views.store, &*views.journal, account, number, from..=to, false)?;
            for message in page.messages {
                let m = convert::message(message, account);
                out.line(&json!({
                    "kind": "message", "conversation": number, "sequence": m.sequence, "id": HEXLOWER.encode(&m.id),
                    "author": m.author, "time_ms": m.time_ms, "sent_ms": m.sent_ms, "edited_ms": m.edited_ms,
                    "recalled": m.recalled, "content": BASE64.encode(&m.content), "reply_to": HEXLOWER.encode(&m.reply_to),
                    "reply_sequence": m.reply_sequence,
                }))?;
            }
            // A page ends early where its bytes are many; one that moves nothing would never end.
            from = page.last.max(from) + 1;
        }
        Ok(())
    }
}
