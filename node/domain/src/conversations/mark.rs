//! Delivered and read marks: the latest value of each, many in one record.

use bytes::Bytes;
use startalk_protocol::{Error, pb::events as pb};

use super::{Direct, direct, locate::last_by, send::record_at};
use crate::{
    command::{Answer, MarkMove},
    context::Ctx,
    delivery,
    directory::HERE,
    event::Event,
    groups, outbox,
    store::{New, Tx},
    timeline,
};

/// Moves marks; those that would go back or beyond the head, or of strangers, are left out.
pub(crate) fn move_marks(tx: &mut Tx, ctx: &mut Ctx, moves: &[MarkMove]) -> Result<Answer, Error> {
    let mut local = Vec::new();
    for m in moves {
        if groups::group(tx, m.conversation).is_some() {
            local.extend(in_group(tx, m));
            continue;
        }
        let Some(direct) = direct(tx, m.conversation).filter(|d| d.has(m.account)) else { continue };
        let head = timeline::head(tx, m.conversation).sequence;
        let now = delivery::marks_of(tx, m.conversation, m.account);
        let read = m.read.min(head).max(now.read);
        let delivered = m.delivered.min(head).max(read).max(now.delivered);
        if (delivered, read) == (now.delivered, now.read) {
            continue;
        }
        let mark = pb::Mark { conversation: m.conversation, person: m.account, delivered, read, group: false };
        if direct.peer == HERE || direct.request || direct.refused {
            local.push(mark); // a stranger is not told that their message was seen
        } else {
            send(tx, ctx, &direct, mark, now);
        }
    }
    if !local.is_empty() {
        tx.emit(New { conversation: 0, event: Event::MarksMoved(pb::MarksMoved { marks: local, r#in: None }, None) });
    }
    Ok(Answer::Done)
}

fn in_group(tx: &Tx, m: &MarkMove) -> Option<pb::Mark> {
    let member = groups::member_of(tx, m.conversation, m.account)?;
    let last = member.last_readable(timeline::head(tx, m.conversation).sequence);
    let now = delivery::group_marks_of(tx, m.conversation, m.account);
    let read = m.read.min(last).max(now.read);
    let delivered = m.delivered.min(last).max(read).max(now.delivered);
    let mark = pb::Mark { conversation: m.conversation, person: m.account, delivered, read, group: true };
    ((delivered, read) != (now.delivered, now.read)).then_some(mark)
}

/// How far members of another domain have read in a group of this home, as their domain says; those of others are left out.
pub(crate) fn move_group_marks(tx: &mut Tx, peer: u64, group: &str, marks: &[(u64, u64)]) -> Result<Answer, Error> {
    let following = groups::following(tx, peer, group)?;
    let conversation = following.group.conversation;
    let theirs = |number: u64| groups::member(tx, conversation, number).filter(|m| m.peer == peer && m.is_in());
    let moves: Vec<MarkMove> = marks
        .iter()
        .filter_map(|(number, read)| theirs(*number).map(|m| (m.person, *read)))
        .map(|(account, read)| MarkMove { account, conversation, delivered: read, read })
        .collect();
    let moved: Vec<pb::Mark> = moves.iter().filter_map(|m| in_group(tx, m)).collect();
    if !moved.is_empty() {
        tx.emit(New { conversation: 0, event: Event::MarksMoved(pb::MarksMoved { marks: moved, r#in: None }, None) });
    }
    Ok(Answer::Done)
}

fn send(tx: &mut Tx, ctx: &Ctx, direct: &Direct, mark: pb::Mark, before: delivery::Marks) {
    // They only need to know about their own messages: the last one at or before the mark stands for it.
    let moved = |now: u64, then: u64| match last_by(tx, |p| record_at(tx, ctx, p), direct, direct.b, now) {
        Some(id) if now > then => Bytes::copy_from_slice(&id.0),
        _ => Bytes::new(),
    };
    let (delivered, read) = (moved(mark.delivered, before.delivered), moved(mark.read, before.read));
    let out = (!delivered.is_empty() || !read.is_empty()).then(|| {
        let item = outbox::marks_item(tx, direct, mark.person, &delivered, &read, ctx.now_ms);
        outbox::next(tx, direct.peer, &item)
    });
    let facts = pb::MarksSent { mark: Some(mark), delivered, read, out };
    tx.emit(New { conversation: direct.conversation, event: Event::MarksSent(facts, None) });
}
