//! What a record means to those who tell people while they do not look: whom it may concern, and what is over. Judges no
//! right and reads no text; that is done when somebody is told ([`super::notice()`]).

use prost::Message as _;
use startalk_protocol::pb::{
    events as pb,
    group::{Submission, submission::Action},
};

use super::{NO_CONVERSATION, is_reached, reminder_place};
use crate::{
    conversations,
    event::{Event, Recorded},
    groups,
    store::Read,
};

/// Something that happened, and the accounts that a push service reaches and that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something was said.
    Said {
        /// Where.
        conversation: u64,
        /// Its number there.
        sequence: u64,
        /// Those in it besides the author.
        accounts: Vec<u64>,
    },
    /// Something said was taken back.
    Recalled {
        /// Where.
        conversation: u64,
        /// What: its number there.
        sequence: u64,
        /// Those in it.
        accounts: Vec<u64>,
    },
    /// An account has seen everything up to this number.
    Read {
        /// Whose mark.
        account: u64,
        /// Where.
        conversation: u64,
        /// Up to which number.
        sequence: u64,
    },
    /// The time of a reminder has come.
    Reminded {
        /// Whose.
        account: u64,
        /// Its number.
        number: u64,
    },
    /// A device is not reached any more, or by another way.
    Otherwise {
        /// Whose.
        account: u64,
        /// Which; 0: all of the account's.
        device: u64,
    },
}

/// What the record means, once it is in the views.
pub fn heard(read: &impl Read, record: &Recorded) -> Vec<Heard> {
    let conversation = record.conversation;
    match &record.event {
        Event::MessageAdded(f, _) => {
            let accounts = of_direct(read, conversation, f.author);
            said(Heard::Said { conversation, sequence: record.sequence, accounts })
        }
        Event::MessageRecalled(f, _) => {
            let accounts = of_direct(read, conversation, f.author);
            said(Heard::Recalled { conversation, sequence: f.target, accounts })
        }
        Event::MessageBurnt(f, _) => {
            let accounts = of_direct(read, conversation, 0);
            said(Heard::Recalled { conversation, sequence: f.target, accounts })
        }
        Event::GroupRecorded(f, _) => of_group(read, record, f),
        Event::GroupInvited(f, _) => {
            let accounts = [f.account].into_iter().filter(|account| is_reached(read, *account)).collect();
            said(Heard::Said { conversation: NO_CONVERSATION, sequence: record.position, accounts })
        }
        Event::GroupInvitationDecided(f, _) => {
            let (account, conversation, sequence) = (f.account, NO_CONVERSATION, record.position);
            let is_last = groups::invitations(read, account).is_empty() && is_reached(read, account);
            is_last.then_some(Heard::Read { account, conversation, sequence }).into_iter().collect()
        }
        Event::MarksMoved(f, _) => f.marks.iter().filter_map(|mark| seen(read, mark)).collect(),
        Event::MarksSent(f, _) => f.mark.iter().filter_map(|mark| seen(read, mark)).collect(),
        Event::ReminderMoved(f, _) if is_reached(read, f.account) => {
            let (account, number) = (f.account, f.number);
            let ended = Heard::Read { account, conversation: reminder_place(number), sequence: record.position };
            vec![if f.due { Heard::Reminded { account, number } } else { ended }]
        }
        Event::PushSubscribed(pb::PushSubscribed { account, device, .. }, _)
        | Event::PushUnsubscribed(pb::PushUnsubscribed { account, device, .. }, _)
        | Event::DeviceRevoked(pb::DeviceRevoked { account, device }, _) => {
            vec![Heard::Otherwise { account: *account, device: *device }]
        }
        Event::AccountDeleted(f, _) => vec![Heard::Otherwise { account: f.account, device: 0 }],
        _ => Vec::new(),
    }
}

/// Nothing that concerns nobody.
fn said(heard: Heard) -> Vec<Heard> {
    match &heard {
        Heard::Said { accounts, .. } | Heard::Recalled { accounts, .. } if accounts.is_empty() => Vec::new(),
        _ => vec![heard],
    }
}

fn of_direct(read: &impl Read, conversation: u64, author: u64) -> Vec<u64> {
    let Some(direct) = conversations::direct(read, conversation) else { return Vec::new() };
    direct.local_members().filter(|account| *account != author && is_reached(read, *account)).collect()
}

fn of_group(read: &impl Read, record: &Recorded, f: &pb::GroupRecorded) -> Vec<Heard> {
    let Ok(submission) = Submission::decode(f.submission.as_ref()) else { return Vec::new() };
    let conversation = record.conversation;
    let accounts = || {
        let author = groups::member(read, conversation, submission.author).map_or(0, |m| m.person);
        let reached = |account: &u64| *account != author && is_reached(read, *account);
        groups::local_members(read, conversation).into_iter().filter(reached).collect::<Vec<_>>()
    };
    match &submission.action {
        Some(Action::Message(_)) => said(Heard::Said { conversation, sequence: record.sequence, accounts: accounts() }),
        Some(Action::Recall(r)) => said(Heard::Recalled { conversation, sequence: r.target, accounts: accounts() }),
        _ => Vec::new(),
    }
}

fn seen(read: &impl Read, mark: &pb::Mark) -> Option<Heard> {
    let (account, conversation, sequence) = (mark.person, mark.conversation, mark.read);
    (sequence != 0 && is_reached(read, account)).then_some(Heard::Read { account, conversation, sequence })
}
