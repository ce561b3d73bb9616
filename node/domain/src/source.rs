//! Whose a command is and how large: for whoever lets many ask at once and nobody at the others' cost.
//!
//! Decides nothing about the command itself. Invariant: what must stay in order among itself has one source.

use prost::Message as _;

use crate::Command;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The node itself and its operator.
    House,
    /// People who have no account yet, or have not shown whose they are.
    Strangers,
    /// An account, with all of its devices.
    Account(u64),
    /// Another domain.
    Domain(u64),
}

/// Bytes that any command takes besides what it carries, about.
const COMMAND_BYTES: usize = 256;

impl Command {
    /// Who asks.
    pub fn source(&self) -> Source {
        match self {
            Self::CreateAccount { .. } | Self::EnterByIdentity { .. } | Self::EnterByPasskey { .. } => Source::Strangers,
            Self::OpenDirect { actor, .. }
            | Self::Send { actor, .. }
            | Self::Edit { actor, .. }
            | Self::Recall { actor, .. }
            | Self::CreateGroup { actor, .. }
            | Self::ActInGroup { actor, .. }
            | Self::JoinGroup { actor, .. }
            | Self::DecideGroupInvitation { actor, .. } => Source::Account(actor.account),
            Self::AddDevice { account, .. }
            | Self::RevokeDevice { account, .. }
            | Self::LinkIdentity { account, .. }
            | Self::UnlinkIdentity { account, .. }
            | Self::AddPasskey { account, .. }
            | Self::RemovePasskey { account, .. }
            | Self::SuspectPasskey { account, .. }
            | Self::SetPassword { account, .. }
            | Self::SetRecoveryCodes { account, .. }
            | Self::DeleteAccount { account }
            | Self::MakeInvitation { maker: account, .. }
            | Self::SetProfile { account, .. }
            | Self::DecideRequest { account, .. }
            | Self::BlockUser { account, .. }
            | Self::BlockDomain { account, .. }
            | Self::SetConversation { account, .. }
            | Self::ArrangeConversation { account, .. }
            | Self::KeepPerson { account, .. }
            | Self::SetOpenness { account, .. }
            | Self::SetAvailability { account, .. }
            | Self::SetSchedule { account, .. }
            | Self::SetAutoReply { account, .. }
            | Self::SubscribePush { account, .. }
            | Self::UnsubscribePush { account, .. }
            | Self::SetNotify { account, .. }
            | Self::HoldFiles { account, .. }
            | Self::Schedule { account, .. }
            | Self::ChangeScheduled { account, .. }
            | Self::CancelScheduled { account, .. }
            | Self::SendScheduled { account, .. }
            | Self::SetReminder { account, .. }
            | Self::EndReminder { account, .. }
            | Self::OpenMessage { account, .. }
            | Self::SaveMessage { account, .. }
            | Self::RemoveSaved { account, .. }
            | Self::ChangeStickers { account, .. } => Source::Account(*account),
            Self::BeginReplica { peer, .. }
            | Self::LearnMembers { peer, .. }
            | Self::LearnApplicants { peer, .. }
            | Self::FollowGroup { peer, .. }
            | Self::GroupBehind { peer, .. }
            | Self::MoveGroupMarks { peer, .. }
            | Self::BeginPeerEpoch { peer, .. }
            | Self::ReceiveItem { peer, .. }
            | Self::PeerRecorded { peer, .. }
            | Self::PeerRefused { peer, .. }
            | Self::PeerSilent { peer, .. }
            | Self::GiveUpPeer { peer, .. }
            | Self::PeerHeard { peer }
            | Self::RestartLink { peer, .. } => Source::Domain(*peer),
            _ => Source::House,
        }
    }

    /// Bytes that it takes while it waits, about.
    pub fn bytes(&self) -> usize {
        let carried = match self {
            Self::Send { content, .. } | Self::Edit { content, .. } => content.len(),
            Self::ReceiveItem { item, .. } => item.item.as_ref().map_or(0, bytes::Bytes::len),
            Self::FollowGroup { range, .. } => range.encoded_len(),
            Self::BeginReplica { page, .. } | Self::LearnMembers { page, .. } => page.encoded_len(),
            _ => 0,
        };
        carried + COMMAND_BYTES
    }
}
