//! Between the domain's types and the client protocol's.

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    contacts,
    conversations::{Message, Reaction},
    delivery::Marks,
    directory, governance, groups,
    retention::{self, Kind},
    store::Read,
    sync::{Overview, View},
};
use startalk_protocol::{
    Error, MessageId, UserId, limits,
    pb::client::{self as pb, server_frame::Frame},
};

/// The protocol version that is spoken, and the only one so far.
pub(crate) const VERSION: u32 = 1;
/// What this node can do beyond the first version; clients ask by name.
pub(crate) const FEATURES: &[&str] = &[
    "direct",
    "edit",
    "recall",
    "marks",
    "typing",
    "presence",
    "recovery-codes",
    "federation",
    "groups",
    "push",
    "search",
    "own",
    "sign-in",
    "retention",
    "scheduled",
    "reminders",
    "burn",
    "saved",
    "own-stickers",
    "played",
];

/// The bytes of a frame that answers `reply_to`.
pub(crate) fn frame(reply_to: u64, frame: Frame) -> Bytes {
    pb::ServerFrame { reply_to, frame: Some(frame) }.encode_to_vec().into()
}

/// The bytes of something that happened.
pub(crate) fn pushed(conversation: u64, what: pb::pushed::What) -> Bytes {
    frame(0, Frame::Pushed(pb::Pushed { conversation, what: Some(what), record: 0 }))
}

/// The bytes of a message as it is now; `record`: the number of what changed it.
pub(crate) fn changed(conversation: u64, record: u64, message: pb::Message) -> Bytes {
    let what = Some(pb::pushed::What::Changed(message));
    frame(0, Frame::Pushed(pb::Pushed { conversation, what, record }))
}

/// The bytes of the last frame of a session.
pub(crate) fn close(error: Error) -> Bytes {
    frame(0, Frame::Close(pb::Close { error: Some(error.into()) }))
}

/// The answer to a hello.
pub(crate) fn welcome(read: &impl Read, now_ms: u64) -> pb::Welcome {
    let realm = governance::realm(read);
    pb::Welcome {
        version: VERSION,
        domain: realm.domain.clone(),
        display_name: realm.display_name.clone(),
        registration: realm.registration.as_str().to_owned(),
        features: FEATURES.iter().map(|f| (*f).to_owned()).collect(),
        frame_bytes_max: limits::CLIENT_FRAME_BYTES_MAX as u32,
        outstanding_max: limits::OUTSTANDING_MAX as u32,
        time_ms: signed(now_ms),
        recall_window_ms: realm.recall_window_ms,
        edit_window_ms: realm.edit_window_ms,
        kept: Some(kept(read)),
        file_bytes_max: realm.files.file_bytes_max,
        link_previews: realm.link_previews,
        navigation_sequence: 0, // of the record, which is not the domain's
    }
}

/// For how long messages are kept.
pub(crate) fn kept(read: &impl Read) -> pb::Kept {
    let ms = |kind| signed(retention::kept_ms(read, kind));
    let before = |kind| signed(retention::reached(read, kind).before_ms);
    pb::Kept {
        direct_ms: ms(Kind::Direct),
        groups_ms: ms(Kind::Group),
        direct_before_ms: before(Kind::Direct),
        groups_before_ms: before(Kind::Group),
    }
}

/// A message's id; empty for what is none.
pub(crate) fn id(id: MessageId) -> Bytes {
    if id.0 == [0; 16] { Bytes::new() } else { Bytes::copy_from_slice(&id.0) }
}

/// A message as `reader` sees it: where it came from is said of their own only.
pub(crate) fn message(message: Message, reader: u64) -> pb::Message {
    let own = message.author == reader;
    pb::Message {
        sequence: message.sequence,
        id: id(message.id),
        author: shown(message.author_id),
        time_ms: signed(message.time_ms),
        sent_ms: message.sent_ms,
        content: message.content.unwrap_or_default(),
        reply_to: message.reply_to,
        edited_ms: signed(message.edited_ms),
        recalled: message.recalled,
        device: if own { message.device } else { 0 },
        counter: if own { message.counter } else { 0 },
        refused: if own { message.refused } else { String::new() },
        reply_sequence: message.reply_sequence,
        pinned: message.pinned,
        expired: message.expired,
        burnt: message.burnt,
        burn_at_ms: signed(message.burn_at_ms),
        played: message.played,
        reactions: message.reactions.into_iter().map(|r| reaction(r, reader)).collect(),
    }
}

fn reaction(reaction: Reaction, reader: u64) -> pb::Reaction {
    pb::Reaction {
        mine: reaction.persons.contains(&reader),
        emoji: reaction.emoji,
        count: reaction.count,
        users: reaction.users.iter().map(ToString::to_string).collect(),
    }
}

/// A conversation as somebody in it sees it.
pub(crate) fn conversation(read: &impl Read, account: u64, view: &View) -> pb::Conversation {
    let hearing = contacts::hearing(read, account, view.conversation());
    let shown = match view {
        View::Direct(direct) => self::direct(read, direct),
        View::Group(group) => self::group(group),
    };
    let arranged = contacts::arranged(read, account, view.conversation());
    pb::Conversation {
        muted_until_ms: hearing.muted_until_ms,
        mentions_only: hearing.mentions_only,
        pinned: arranged.pinned,
        hidden_until: arranged.hidden_until,
        marked_unread: arranged.unread,
        ..shown
    }
}

fn group(overview: &groups::Overview) -> pb::Conversation {
    let groups::Overview { group, home, me, first, .. } = overview;
    let may_admit = me.as_ref().is_some_and(|m| m.is_in() && m.role > groups::Role::Member);
    let shown = pb::Group {
        group: group.id.clone(),
        home: home.clone(),
        name: group.name.clone(),
        notice: group.notice.clone(),
        description: group.description.clone(),
        avatar: group.avatar.clone(),
        members: group.members,
        rights: Some(rights(&group.rights)),
        role: me.as_ref().map(|m| role(m.role).to_owned()).unwrap_or_default(),
        standing: overview.standing().to_owned(),
        first: *first,
        muted_until_ms: me.as_ref().map_or(0, |m| m.muted_until_ms),
        asked: if may_admit { group.asked } else { 0 },
    };
    pb::Conversation {
        conversation: group.conversation,
        head: overview.head,
        delivered: overview.marks.delivered,
        read: overview.marks.read,
        time_ms: signed(overview.time_ms),
        group: Some(shown),
        ..pb::Conversation::default()
    }
}

/// An invitation into a group.
pub(crate) fn group_invitation(read: &impl Read, invited: &groups::Invited) -> pb::GroupInvitation {
    pb::GroupInvitation {
        group: invited.group.clone(),
        home: directory::domain_of(read, invited.home).map(|d| d.to_string()).unwrap_or_default(),
        name: invited.name.clone(),
        inviter: invited.inviter.clone(),
        time_ms: signed(invited.time_ms),
    }
}

/// A member of a group. `word`: of who asks to be admitted.
pub(crate) fn group_member(read: &impl Read, member: &groups::Member, word: String) -> pb::GroupMember {
    pb::GroupMember {
        member: member.member,
        user: shown(directory::user_id(read, member.person)),
        display_name: directory::person(read, member.person).map(|p| p.profile.display_name.clone()).unwrap_or_default(),
        role: role(member.role).to_owned(),
        muted_until_ms: member.muted_until_ms,
        word,
    }
}

/// A role's word.
pub(crate) fn role(role: groups::Role) -> &'static str {
    match role {
        groups::Role::Member => "member",
        groups::Role::Administrator => "administrator",
        groups::Role::Owner => "owner",
    }
}

fn who(who: groups::Who) -> String {
    match who {
        groups::Who::Members => "members",
        groups::Who::Administrators => "administrators",
        groups::Who::Owner => "owner",
    }
    .to_owned()
}

fn rights(rights: &groups::Rights) -> pb::GroupRights {
    let joining = match rights.joining {
        groups::Joining::ByInvitation => "invitation",
        groups::Joining::WithApproval => "approval",
        groups::Joining::Closed => "closed",
    };
    pb::GroupRights {
        post: who(rights.post),
        add: who(rights.add),
        at_all: who(rights.at_all),
        pin: who(rights.pin),
        texts: who(rights.texts),
        joining: joining.to_owned(),
    }
}

fn direct(read: &impl Read, overview: &Overview) -> pb::Conversation {
    pb::Conversation {
        conversation: overview.conversation,
        peer: Some(member(read, overview.other, overview.other_marks)),
        head: overview.head,
        delivered: overview.own_marks.delivered,
        read: overview.own_marks.read,
        request: overview.request,
        blocked: overview.blocked,
        refused: overview.refused,
        time_ms: signed(overview.time_ms),
        ..pb::Conversation::default()
    }
}

fn member(read: &impl Read, number: u64, marks: Marks) -> pb::Member {
    let person = directory::person(read, number);
    pb::Member {
        user: shown(directory::user_id(read, number)),
        display_name: person.as_ref().map(|p| p.profile.display_name.clone()).unwrap_or_default(),
        delivered: marks.delivered,
        read: marks.read,
        gone: directory::is_gone(read, number),
    }
}

/// A person's profile; empty for one who is unknown.
pub(crate) fn profile(read: &impl Read, number: u64) -> pb::Profile {
    let profile = directory::person(read, number).map(|p| p.profile.clone()).unwrap_or_default();
    pb::Profile {
        user: shown(directory::user_id(read, number)),
        display_name: profile.display_name,
        avatar: profile.avatar,
        signature: profile.signature,
        revision: profile.revision,
        presence: None,
        question: String::new(),
    }
}

fn shown(user: Option<UserId>) -> String {
    user.map(|u| u.to_string()).unwrap_or_default()
}

/// Times are unsigned in the domain and signed on the wire.
pub(crate) fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
