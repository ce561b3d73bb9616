//! How events, messages and errors look as JSON. docs/json-client.md is this file in words.
//!
//! Names never change their meaning; fields are only added.

use serde_json::{Value, json};
use startalk_client::{
    ClientError, Error, Event, Language, Outgoing, State,
    content::{Shown, show},
    wire_types::{Conversation, Device, Member, Message, Page, Profile, Welcome},
};

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

pub(super) fn error(e: &ClientError) -> Value {
    let mut value = json!({
        "code": e.code(),
        "params": e.params(),
        "words_en": e.words(Language::English),
        "words_zh": e.words(Language::Chinese),
    });
    if let ClientError::Dial(dial) = e
        && !dial.steps().is_empty()
    {
        let one = |step: &startalk_client::Step| {
            json!({
                "outcome": step.outcome.code(),
                "words_en": startalk_client::steps_in_words(std::slice::from_ref(step), Language::English),
                "words_zh": startalk_client::steps_in_words(std::slice::from_ref(step), Language::Chinese),
            })
        };
        value["steps"] = dial.steps().iter().map(one).collect();
    }
    value
}

pub(super) fn wire_error(e: &Error) -> Value {
    json!({
        "code": e.code.as_str(),
        "params": e.params,
        "words_en": e.words(Language::English),
        "words_zh": e.words(Language::Chinese),
    })
}

/// What a content says.
fn content(bytes: &[u8], into: &mut Value) {
    let shown = show(bytes, Language::English);
    into["kind"] = shown.kind().into();
    into["text"] = shown.plain().into();
    if let Shown::Code { language, .. } = shown {
        into["language"] = language.into();
    }
}

pub(super) fn message(m: &Message) -> Value {
    let mut value = json!({
        "sequence": m.sequence,
        "id": hex(&m.id),
        "author": m.author,
        "time_ms": m.time_ms,
        "sent_ms": if m.sent_ms == 0 { m.time_ms } else { m.sent_ms },
        "edited_ms": m.edited_ms,
        "recalled": m.recalled,
        "reply_to": hex(&m.reply_to),
        "refused": m.refused,
        "device": m.device,
        "counter": m.counter,
    });
    content(&m.content, &mut value);
    value
}

pub(super) fn page(p: &Page) -> Value {
    json!({
        "conversation": p.conversation,
        "messages": p.messages.iter().map(message).collect::<Vec<_>>(),
        "first": p.first,
        "last": p.last,
        "head": p.head,
    })
}

fn member(m: &Member) -> Value {
    json!({ "user": m.user, "display_name": m.display_name, "delivered": m.delivered, "read": m.read, "gone": m.gone })
}

pub(super) fn conversation(c: &Conversation) -> Value {
    json!({
        "conversation": c.conversation,
        "peer": c.peer.as_ref().map(member),
        "head": c.head,
        "delivered": c.delivered,
        "read": c.read,
        "request": c.request,
        "blocked": c.blocked,
        "time_ms": c.time_ms,
    })
}

pub(super) fn profile(p: &Profile) -> Value {
    json!({ "user": p.user, "display_name": p.display_name, "avatar": p.avatar, "signature": p.signature, "revision": p.revision })
}

pub(super) fn device(d: &Device) -> Value {
    json!({ "device": d.device, "name": d.name, "added_ms": d.added_ms, "seen_ms": d.seen_ms, "this": d.this })
}

pub(super) fn welcome(w: &Welcome) -> Value {
    json!({
        "domain": w.domain,
        "display_name": w.display_name,
        "registration": w.registration,
        "features": w.features,
        "version": w.version,
        "recall_window_ms": w.recall_window_ms,
        "edit_window_ms": w.edit_window_ms,
    })
}

pub(super) fn outgoing(o: &Outgoing) -> Value {
    let mut value = json!({
        "counter": o.counter,
        "command": o.kind.as_str(),
        "conversation": o.conversation,
        "to": o.to,
        "target": o.target,
        "time_ms": o.time_ms,
    });
    content(&o.content, &mut value);
    value
}

pub(super) fn state(state: &State) -> Value {
    match state {
        State::Connecting => json!({ "state": "connecting" }),
        State::Online => json!({ "state": "online" }),
        State::RetryIn { ms, error: e } => json!({ "state": "retry", "retry_in_ms": ms, "error": error(e) }),
    }
}

/// An event; `command_id` is the id of the command that it is the outcome of.
pub(super) fn event(event: &Event, command_id: Option<&Value>) -> Value {
    match event {
        Event::State(s) => {
            let mut value = state(s);
            value["event"] = "state".into();
            value
        }
        Event::Message { conversation, message: m } => {
            json!({ "event": "message", "conversation": conversation, "message": message(m) })
        }
        Event::Changed { conversation, message: m } => {
            json!({ "event": "changed", "conversation": conversation, "message": message(m) })
        }
        Event::Marks { conversation, user, delivered, read } => {
            json!({ "event": "marks", "conversation": conversation, "user": user, "delivered": delivered, "read": read })
        }
        Event::Conversation(c) => json!({ "event": "conversation", "conversation": conversation(c) }),
        Event::Gap { conversation, after, before } => {
            json!({ "event": "gap", "conversation": conversation, "after": after, "before": before })
        }
        Event::Profile(p) => json!({ "event": "profile", "profile": profile(p) }),
        Event::Typing { conversation, user, typing } => {
            json!({ "event": "typing", "conversation": conversation, "user": user, "typing": typing })
        }
        Event::Presence { user, state } => json!({ "event": "presence", "user": user, "state": state }),
        Event::SyncDone => json!({ "event": "sync_done" }),
        Event::WentBack => json!({ "event": "went_back" }),
        Event::DeviceRevoked { device } => json!({ "event": "device_revoked", "device": device }),
        Event::Sent { counter, kind, conversation, sequence, id, time_ms, again } => json!({
            "event": "sent",
            "command_id": command_id,
            "counter": counter,
            "command": kind.as_str(),
            "conversation": conversation,
            "sequence": sequence,
            "message_id": id.map(|id| hex(&id.0)),
            "time_ms": time_ms,
            "again": again,
        }),
        Event::Failed { counter, kind, conversation, to, error: e, unconfirmed } => json!({
            "event": "failed",
            "command_id": command_id,
            "counter": counter,
            "command": kind.as_str(),
            "conversation": conversation,
            "to": to,
            "error": wire_error(e),
            "unconfirmed": unconfirmed,
        }),
        Event::SignedOut(e) => json!({ "event": "signed_out", "error": e.as_ref().map(wire_error) }),
    }
}
