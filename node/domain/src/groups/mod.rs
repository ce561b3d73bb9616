//! Groups: their log, their members and what these may do. federation-spec/07-groups.md
//!
//! Owns prefix `p`. Events: GroupBegan, GroupRecorded, GroupMembersLearned, GroupSubmitted, GroupSubmissionEnded,
//! GroupProven, GroupInvited, GroupInvitationDecided, GroupReplicaBegan, GroupSubmissionRefused, GroupLeaving,
//! GroupEquivocated, GroupForked, GroupApplicantTold, EpochBegan. A group has one home, which puts everything that happens in it into one order and
//! checks rights once, at that moment ([`decide`]); every other domain with members keeps a replica, a copy of the log
//! from where its first member joined ([`follow`]). The group's sequence is the conversation's, here and everywhere.
//! Invariants: a record never changes its place; who reads a record was in the group at its place; a replica holds
//! nothing that the home did not sign, and of another domain's people nothing that their domain did not sign.

mod act;
mod applicants;
mod apply;
mod believe;
mod bring;
mod decide;
mod follow;
mod join;
mod leave;
mod model;
mod read;
mod receive;
mod record;
mod rights;
mod say;
mod serve;
mod submit;
mod tend;
mod told;
mod views;

pub use act::{Banned, GroupAct, Text};
pub(crate) use act::{act, create};
pub use applicants::applicants;
pub(crate) use applicants::learn as learn_applicants;
pub(crate) use apply::{apply, quiet};
pub use bring::may_bring_in;
pub(crate) use bring::{bring_in, not_yours};
pub(crate) use follow::{begin_replica, follow, learn_members};
pub use join::{GroupLink, Invited, invitations};
pub(crate) use join::{decide_invitation, join};
pub(crate) use leave::{depart, homes_to_tell, named_at};
pub use model::{Change, Group, Joining, Link, Log, Member, PeerIn, Rights, Role, Standing, Waiting, Who};
pub(crate) use read::reactions_at;
pub use read::{Overview, changed_since, from_record, overview, pins, readers, waiting_message, waiting_messages, word_of};
pub(crate) use receive::{Came, invite, submission};
pub(crate) use record::behind;
pub(crate) use say::{edit, erase_authored, recall, said_in, say, send};
pub use serve::{Following, beginning, following, hints, range, readers_told};
pub(crate) use submit::refused;
pub use tend::GroupTended;
pub(crate) use tend::tend;
pub use told::{Told, told};
pub use views::{
    Members, by_id, change_of, chunk_of, followed_of, group, is_member, local_members, log, member, member_chunks, member_of,
    members_from, number_of, of_reader, shared_with, time_wanted, waiting,
};

use crate::store::Key;

const PREFIX: u8 = b'p';
/// Members, persons or changed messages that share one value.
const CHUNK: u64 = 256;
/// Sequences between two kept chains.
const FENCE: u64 = 64;

fn group_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'g', &[conversation])
}

fn log_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'l', &[conversation])
}

fn fence_key(conversation: u64, block: u64) -> Key {
    Key::numbers(PREFIX, b'f', &[conversation, block])
}

fn id_key(id: &str) -> Key {
    Key::text(PREFIX, b'i', 0, id.as_bytes())
}

fn members_key(conversation: u64, chunk: u64) -> Key {
    Key::numbers(PREFIX, b'm', &[conversation, chunk])
}

fn persons_key(conversation: u64, chunk: u64) -> Key {
    Key::numbers(PREFIX, b'n', &[conversation, chunk])
}

fn changes_key(conversation: u64, sequence: u64) -> Key {
    Key::numbers(PREFIX, b'x', &[conversation, sequence / CHUNK])
}

fn waiting_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'w', &[conversation])
}

fn number_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'c', &[conversation])
}

fn window_key(conversation: u64, peer: u64) -> Key {
    Key::numbers(PREFIX, b's', &[conversation, peer])
}

fn invited_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'a', &[account])
}

fn epoch_key() -> Key {
    Key::numbers(PREFIX, b'e', &[])
}

fn followed_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'o', &[peer])
}

fn proof_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'p', &[peer])
}
