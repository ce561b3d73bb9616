//! What people did, and what they were told of it.
//!
//! Owns the numbers of messages. Invariant: a message that was acknowledged keeps its id for ever.

use std::collections::{BTreeMap, BTreeSet};

use startalk_protocol::MessageId;

/// What a device was told of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Where it stood then.
    pub conversation: u64,
    /// Its number there.
    pub sequence: u64,
    /// Its id, for ever.
    pub id: MessageId,
}

/// A message as its author said it.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who.
    pub author: usize,
    /// Whom to.
    pub to: usize,
    /// The first answer that its device heard.
    pub heard: Option<Heard>,
    /// A restore took it from the author's node after it was acknowledged, and nobody could offer it again: why.
    pub given_up: Option<&'static str>,
}

/// Everything that was said.
#[derive(Default)]
pub struct Ledger {
    /// By number.
    pub said: BTreeMap<u64, Said>,
    /// (node, message): a restore took it, or something about it, from there.
    pub cut: BTreeSet<(usize, u64)>,
    /// (node, message): erased there once, or with somebody who was gone, and there again with an older copy. Meanwhile the
    /// other node may have been sent its place alone.
    pub unerased: BTreeSet<(usize, u64)>,
    /// Nodes that were restored, each with how often.
    pub restored: BTreeMap<usize, u64>,
    /// Answers that said yes.
    pub accepted: u64,
    /// What was acknowledged by a group's home: node, conversation, sequence and message.
    pub heard_in_groups: Vec<(usize, u64, u64, u64)>,
    /// Messages of groups, and who said them.
    pub said_in_groups: BTreeMap<u64, usize>,
    last: u64,
}

impl Ledger {
    /// A new message.
    pub fn say(&mut self, author: usize, to: usize) -> u64 {
        self.last += 1;
        self.said.insert(self.last, Said { author, to, heard: None, given_up: None });
        self.last
    }

    /// A new message in a group.
    pub fn say_in_group(&mut self, author: usize) -> u64 {
        self.last += 1;
        self.said_in_groups.insert(self.last, author);
        self.last
    }

    /// Its device heard this.
    pub fn heard(&mut self, message: u64, heard: Heard) {
        let said = self.said.get_mut(&message).expect("somebody said it");
        match said.heard {
            None => said.heard = Some(heard),
            Some(before) => assert_eq!(before.id, heard.id, "message {message} was given another id"),
        }
    }
}
