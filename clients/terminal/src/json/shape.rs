//! How events, messages and errors look as JSON. docs/json-client.md is this file in words.
//!
//! Names never change their meaning; fields are only added.

use serde_json::{Value, json};
use startalk_client::{
    ClientError, Error, Event, Language, Outgoing, State,
    content::{self as contents, Shown, show_by},
    wire_types::{
        Conversation, Device, Group, GroupInvitation, GroupLink, GroupMember, Member, Members, Message, Page, Profile, Reaction,
        Welcome,
    },
};

use super::{kinds, later, own};

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
pub(super) fn content(bytes: &[u8], author: &str, into: &mut Value) {
    let shown = show_by(bytes, Language::English, author, &str::to_owned);
    if let Some((code, params)) = contents::system(bytes) {
        into["system"] = json!({ "code": code, "params": params });
        into["text_zh"] = show_by(bytes, Language::Chinese, author, &str::to_owned).plain().into();
    }
    let called = contents::mentions(bytes);
    if !called.is_empty() {
        into["mentions"] = called.into();
    }
    into["kind"] = shown.kind().into();
    into["text"] = shown.plain().into();
    match shown {
        Shown::Code { language, .. } => into["language"] = language.into(),
        Shown::Other { what, .. } => {
            into["content"] = kinds::content(&what);
            into["files"] = json!(kinds::files(&what));
        }
        _ => {}
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
        "expired": m.expired,
        "burnt": m.burnt,
        "burn_s": contents::burn_s(&m.content),
        "burn_at_ms": m.burn_at_ms,
        "played": m.played,
        "reply_to": hex(&m.reply_to),
        "refused": m.refused,
        "device": m.device,
        "counter": m.counter,
        "reply_sequence": m.reply_sequence,
        "reactions": m.reactions.iter().map(reaction).collect::<Vec<_>>(),
        "pinned": m.pinned,
    });
    content(&m.content, &m.author, &mut value);
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
        "group": c.group.as_ref().map(group),
        "muted_until_ms": c.muted_until_ms,
        "mentions_only": c.mentions_only,
        "pinned": c.pinned,
        "hidden_until": c.hidden_until,
        "marked_unread": c.marked_unread,
        "refused": c.refused,
    })
}

fn group(g: &Group) -> Value {
    let rights = g.rights.clone().unwrap_or_default();
    json!({
        "group": g.group,
        "home": g.home,
        "name": g.name,
        "notice": g.notice,
        "description": g.description,
        "avatar": g.avatar,
        "members": g.members,
        "rights": {
            "post": rights.post,
            "add": rights.add,
            "at_all": rights.at_all,
            "pin": rights.pin,
            "texts": rights.texts,
            "joining": rights.joining,
        },
        "role": g.role,
        "standing": g.standing,
        "first": g.first,
        "muted_until_ms": g.muted_until_ms,
        "asked": g.asked,
    })
}

fn reaction(r: &Reaction) -> Value {
    json!({ "emoji": r.emoji, "count": r.count, "mine": r.mine, "users": r.users })
}

pub(super) fn members(m: &Members) -> Value {
    let one = |m: &GroupMember| {
        json!({
            "member": m.member,
            "user": m.user,
            "display_name": m.display_name,
            "role": m.role,
            "muted_until_ms": m.muted_until_ms,
            "word": m.word,
        })
    };
    json!({
        "conversation": m.conversation,
        "members": m.members.iter().map(one).collect::<Vec<_>>(),
        "next": m.next,
        "count": m.count,
    })
}

pub(super) fn group_link(l: &GroupLink) -> Value {
    json!({ "link": l.link, "maker": l.maker, "uses": l.uses, "used": l.used, "not_after_ms": l.not_after_ms })
}

pub(super) fn group_invitation(i: &GroupInvitation) -> Value {
    json!({ "group": i.group, "home": i.home, "name": i.name, "inviter": i.inviter, "time_ms": i.time_ms })
}

pub(super) fn profile(p: &Profile) -> Value {
    let presence = p.presence.as_ref().map(|p| json!({ "state": p.state, "text": p.text, "seen_ms": p.seen_ms }));
    json!({
        "user": p.user,
        "display_name": p.display_name,
        "avatar": p.avatar,
        "signature": p.signature,
        "revision": p.revision,
        "presence": presence,
        "question": p.question,
    })
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
        "reply_sequence": o.reply_sequence,
        "waiting": o.waiting,
    });
    content(&o.content, "", &mut value);
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
        Event::Waiting { conversation, message: m } => {
            json!({ "event": "waiting", "conversation": conversation, "message": message(m) })
        }
        Event::Ended { conversation, device, counter, error: e } => json!({
            "event": "ended",
            "conversation": conversation,
            "device": device,
            "counter": counter,
            "error": wire_error(e),
        }),
        Event::GroupInvitation(i) => json!({ "event": "group_invitation", "invitation": group_invitation(i) }),
        Event::GroupLink { counter, conversation, invitation } => json!({
            "event": "group_link",
            "command_id": command_id,
            "counter": counter,
            "conversation": conversation,
            "link": invitation.link,
            "not_after_ms": invitation.not_after_ms,
            "uses": invitation.uses,
        }),
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
        Event::Presence { user, state, text, seen_ms } => {
            json!({ "event": "presence", "user": user, "state": state, "text": text, "seen_ms": seen_ms })
        }
        Event::Person(p) => json!({ "event": "person", "person": own::person(p) }),
        Event::Scheduled(s) => json!({ "event": "scheduled", "scheduled": later::scheduled(s) }),
        Event::ScheduledEnded(s) => json!({ "event": "scheduled_ended", "scheduled": later::scheduled_ended(s) }),
        Event::Reminder(r) => json!({ "event": "reminder", "reminder": later::reminder(r) }),
        Event::ReminderEnded { number } => json!({ "event": "reminder_ended", "number": number }),
        Event::Saved(s) => json!({ "event": "saved", "saved": later::saved(s) }),
        Event::SavedRemoved { number } => json!({ "event": "saved_removed", "number": number }),
        Event::Stickers(s) => json!({ "event": "stickers", "stickers": later::stickers(s) }),
        Event::Played { conversation, sequences } => {
            json!({ "event": "played", "conversation": conversation, "sequences": sequences })
        }
        Event::Stale(lists) => json!({ "event": "stale", "lists": lists }),
        Event::Navigation { sequence } => json!({ "event": "navigation", "sequence": sequence }),
        Event::Own(o) => json!({ "event": "own", "own": own::own(o) }),
        Event::Kept(k) => json!({
            "event": "kept",
            "direct_ms": k.direct_ms,
            "groups_ms": k.groups_ms,
            "direct_before_ms": k.direct_before_ms,
            "groups_before_ms": k.groups_before_ms,
        }),
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

/// How an account is told while it does not look.
pub fn notify(n: &startalk_client::wire_types::Notify) -> Value {
    let s = n.settings.clone().unwrap_or_default();
    json!({
        "hidden": s.hidden,
        "quiet": s.quiet,
        "quiet_from_min": s.quiet_from_min,
        "quiet_until_min": s.quiet_until_min,
        "offset_min": s.offset_min,
        "quiet_calls": s.quiet_calls,
        "keywords": s.keywords,
        "key": data_encoding::BASE64URL_NOPAD.encode(&n.key),
        "endpoint": n.endpoint,
    })
}
