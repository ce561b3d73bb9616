//! The commands, as they are read from a line.
//!
//! A field that is not known is an error: a typing mistake is not silently something else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use startalk_client::wire_types::Search;

use super::answer::Answer;

fn device_name() -> String {
    "startalk-terminal".to_owned()
}

/// Everything that can be asked. docs/json-client.md
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Command {
    SignIn {
        user: String,
        password: String,
        #[serde(default = "device_name")]
        device_name: String,
    },
    Register {
        #[serde(default)]
        user: String,
        password: String,
        #[serde(default)]
        display_name: String,
        #[serde(default)]
        link: String,
        #[serde(default)]
        invitation: String,
        #[serde(default = "device_name")]
        device_name: String,
    },
    Recover {
        user: String,
        code: String,
        new_password: String,
        #[serde(default = "device_name")]
        device_name: String,
    },
    SignOut {},
    Send {
        #[serde(default)]
        to: String,
        #[serde(default)]
        conversation: u64,
        text: Option<String>,
        code: Option<String>,
        #[serde(default)]
        language: String,
        #[serde(default)]
        reply_to: String,
        #[serde(default)]
        reply_sequence: u64,
        #[serde(default)]
        mentions: BTreeMap<String, String>,
        content: Option<Box<super::kinds::Said>>,
        #[serde(default)]
        burn_s: u32,
        #[serde(default)]
        wait: bool,
    },
    Edit {
        conversation: u64,
        sequence: u64,
        text: Option<String>,
        code: Option<String>,
        content: Option<Box<super::kinds::Said>>,
        #[serde(default)]
        language: String,
        #[serde(default)]
        burn_s: u32,
        #[serde(default)]
        wait: bool,
    },
    Recall {
        conversation: u64,
        sequence: u64,
        #[serde(default)]
        wait: bool,
    },
    CreateGroup {
        name: String,
        #[serde(default)]
        members: Vec<String>,
        #[serde(default)]
        wait: bool,
    },
    AddMember {
        conversation: u64,
        user: String,
        #[serde(default)]
        wait: bool,
    },
    LeaveGroup {
        conversation: u64,
        #[serde(default)]
        wait: bool,
    },
    RemoveMember {
        conversation: u64,
        user: String,
        #[serde(default)]
        wait: bool,
    },
    BanFromGroup {
        conversation: u64,
        user: String,
        #[serde(default)]
        lift: bool,
        #[serde(default)]
        wait: bool,
    },
    SetRole {
        conversation: u64,
        user: String,
        role: String,
        #[serde(default)]
        wait: bool,
    },
    MuteMember {
        conversation: u64,
        user: String,
        #[serde(default)]
        until_ms: i64,
        #[serde(default)]
        wait: bool,
    },
    SetGroupText {
        conversation: u64,
        text: String,
        value: String,
        #[serde(default)]
        wait: bool,
    },
    SetGroupRights {
        conversation: u64,
        post: String,
        add: String,
        at_all: String,
        pin: String,
        texts: String,
        joining: String,
        #[serde(default)]
        wait: bool,
    },
    MakeGroupLink {
        conversation: u64,
        #[serde(default)]
        uses: u32,
        #[serde(default)]
        valid_ms: i64,
        #[serde(default)]
        wait: bool,
    },
    RevokeGroupLink {
        conversation: u64,
        link: u64,
        #[serde(default)]
        wait: bool,
    },
    DestroyGroup {
        conversation: u64,
        #[serde(default)]
        wait: bool,
    },
    Admit {
        conversation: u64,
        user: String,
        #[serde(default)]
        refuse: bool,
        #[serde(default)]
        wait: bool,
    },
    React {
        conversation: u64,
        sequence: u64,
        emoji: String,
        #[serde(default)]
        remove: bool,
        #[serde(default)]
        wait: bool,
    },
    Pin {
        conversation: u64,
        sequence: u64,
        #[serde(default)]
        remove: bool,
        #[serde(default)]
        wait: bool,
    },
    JoinGroup {
        link: String,
        #[serde(default)]
        word: String,
        #[serde(default)]
        wait: bool,
    },
    DecideGroupInvitation {
        group: String,
        accept: bool,
        #[serde(default)]
        wait: bool,
    },
    GroupInvitations {},
    Members {
        conversation: u64,
        #[serde(default)]
        from: u64,
        #[serde(default)]
        limit: u32,
        #[serde(default)]
        asked: bool,
    },
    Pins {
        conversation: u64,
    },
    GroupLinks {
        conversation: u64,
    },
    Readers {
        conversation: u64,
        sequence: u64,
    },
    SubscribePush {
        endpoint: String,
        p256dh: String,
        auth: String,
    },
    UnsubscribePush {},
    Notify {},
    SetNotify {
        #[serde(default)]
        hidden: bool,
        #[serde(default)]
        quiet: bool,
        #[serde(default)]
        quiet_from_min: u32,
        #[serde(default)]
        quiet_until_min: u32,
        #[serde(default)]
        offset_min: i32,
        #[serde(default)]
        quiet_calls: bool,
        #[serde(default)]
        keywords: Vec<String>,
    },
    Search(#[serde(with = "super::search::Question")] Search),
    SetConversation {
        conversation: u64,
        #[serde(default)]
        muted_until_ms: i64,
        #[serde(default)]
        mentions_only: bool,
    },
    ArrangeConversation {
        conversation: u64,
        pinned: Option<bool>,
        hidden: Option<bool>,
        unread: Option<bool>,
    },
    KeepPerson {
        user: String,
        remark: Option<String>,
        starred: Option<bool>,
    },
    SetAvailability {
        state: String,
        #[serde(default)]
        until_ms: i64,
        #[serde(default)]
        text: String,
    },
    SetSchedule {
        #[serde(default)]
        zone: String,
        #[serde(default)]
        spans: Vec<super::own::Stretch>,
    },
    SetAutoReply {
        #[serde(default)]
        text: String,
        #[serde(default)]
        when_dnd: bool,
        #[serde(default)]
        when_away: bool,
        #[serde(default)]
        when_scheduled: bool,
    },
    SetOpenness {
        #[serde(default)]
        first_contact: String,
        #[serde(default)]
        question: String,
        #[serde(default)]
        answer: String,
        #[serde(default)]
        presence: String,
        #[serde(default)]
        last_seen: String,
    },
    Own {},
    Schedule {
        #[serde(default)]
        to: String,
        #[serde(default)]
        conversation: u64,
        text: Option<String>,
        code: Option<String>,
        #[serde(default)]
        language: String,
        at_ms: i64,
        #[serde(default)]
        burn_s: u32,
        #[serde(default)]
        reply_to: String,
        #[serde(default)]
        reply_sequence: u64,
        #[serde(default)]
        key: String,
    },
    ChangeScheduled {
        number: u64,
        at_ms: Option<i64>,
        text: Option<String>,
        code: Option<String>,
        #[serde(default)]
        language: String,
        #[serde(default)]
        burn_s: u32,
    },
    CancelScheduled {
        number: u64,
    },
    SendScheduled {
        number: u64,
    },
    Scheduled {
        #[serde(default)]
        after: u64,
    },
    SetReminder {
        #[serde(default)]
        number: u64,
        #[serde(default)]
        conversation: u64,
        #[serde(default)]
        sequence: u64,
        at_ms: i64,
        #[serde(default)]
        note: String,
    },
    EndReminder {
        number: u64,
    },
    Reminders {
        #[serde(default)]
        after: u64,
    },
    SaveMessage {
        conversation: u64,
        sequence: u64,
        #[serde(default)]
        note: String,
    },
    RemoveSaved {
        number: u64,
    },
    Saved {
        #[serde(default)]
        before: u64,
        #[serde(default)]
        limit: u32,
    },
    AddSticker {
        conversation: u64,
        sequence: u64,
    },
    RemoveSticker {
        number: u64,
    },
    OrderStickers {
        numbers: Vec<u64>,
    },
    Stickers {
        #[serde(default)]
        skip: u32,
    },
    OpenMessage {
        conversation: u64,
        sequence: u64,
    },
    MarkPlayed {
        conversation: u64,
        sequences: Vec<u64>,
    },
    Mark {
        conversation: u64,
        #[serde(default)]
        delivered: u64,
        #[serde(default)]
        read: u64,
    },
    History {
        conversation: u64,
        #[serde(default)]
        before: u64,
        #[serde(default)]
        after: u64,
        #[serde(default)]
        limit: u32,
    },
    Conversations {},
    Requests {},
    Accept {
        conversation: u64,
    },
    Refuse {
        conversation: u64,
    },
    OpenConversation {
        user: String,
    },
    Block {
        user: String,
    },
    Unblock {
        user: String,
    },
    Blocked {},
    Devices {},
    RevokeDevice {
        device: u64,
    },
    ChangePassword {
        old_password: String,
        new_password: String,
    },
    NewRecoveryCodes {
        password: String,
    },
    Profile {
        #[serde(default)]
        user: String,
    },
    SetProfile {
        #[serde(default)]
        display_name: String,
        #[serde(default)]
        avatar: String,
        #[serde(default)]
        signature: String,
    },
    MakeInvitation {
        #[serde(default = "one")]
        uses: u32,
        #[serde(default = "one_day_ms")]
        valid_ms: i64,
        #[serde(default)]
        groups: Vec<u64>,
    },
    DeleteAccount {
        password: String,
        #[serde(default)]
        erase_messages: bool,
    },
    Typing {
        conversation: u64,
        typing: bool,
    },
    SetPresence {
        state: String,
    },
    Outbox {},
    Status {},
    WaitSynced {},
    WaitSent {},
    Quit {
        wait: Option<bool>,
    },
    Upload {
        path: String,
        #[serde(default = "file")]
        purpose: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        url: String,
    },
    Download {
        #[serde(default)]
        conversation: u64,
        #[serde(default)]
        sequence: u64,
        file: Option<Box<super::kinds::FileShown>>,
        #[serde(default)]
        index: usize,
        path: String,
    },
    StopTransfer {
        transfer: Value,
        #[serde(default)]
        forget: bool,
    },
    ListFiles {
        conversation: u64,
        #[serde(default)]
        kinds: Vec<String>,
        #[serde(default)]
        before: u64,
        #[serde(default)]
        limit: u32,
    },
    Storage {},
    Forward {
        from: u64,
        sequence: u64,
        #[serde(default)]
        to: String,
        #[serde(default)]
        conversation: u64,
        #[serde(default)]
        wait: bool,
    },
    ForwardMerged {
        from: u64,
        sequences: Vec<u64>,
        #[serde(default)]
        title: String,
        #[serde(default)]
        to: String,
        #[serde(default)]
        conversation: u64,
        #[serde(default)]
        wait: bool,
    },
}

impl Command {
    /// Whether it is about a group, and goes through the outbox.
    pub fn is_numbered(&self) -> bool {
        matches!(
            self,
            Self::CreateGroup { .. }
                | Self::AddMember { .. }
                | Self::LeaveGroup { .. }
                | Self::RemoveMember { .. }
                | Self::BanFromGroup { .. }
                | Self::SetRole { .. }
                | Self::MuteMember { .. }
                | Self::SetGroupText { .. }
                | Self::SetGroupRights { .. }
                | Self::MakeGroupLink { .. }
                | Self::RevokeGroupLink { .. }
                | Self::DestroyGroup { .. }
                | Self::Admit { .. }
                | Self::React { .. }
                | Self::Pin { .. }
                | Self::JoinGroup { .. }
                | Self::DecideGroupInvitation { .. }
        )
    }
}

fn file() -> String {
    "file".to_owned()
}

fn one() -> u32 {
    1
}

fn one_day_ms() -> i64 {
    24 * 3600 * 1000
}

/// Reads a line. The error carries the id, if one could be read.
pub(super) fn parse(line: &[u8]) -> Result<(Value, Command), (Value, Answer)> {
    let mut value: Value = serde_json::from_slice(line)
        .map_err(|e| (Value::Null, Answer::input(&format!("an object of JSON on one line ({e})"))))?;
    let Some(fields) = value.as_object_mut() else { return Err((Value::Null, Answer::input("an object of JSON"))) };
    let id = fields.remove("id").unwrap_or(Value::Null);
    if !(id.is_null() || id.is_number() || id.is_string()) {
        return Err((Value::Null, Answer::input("an id that is a number or a text")));
    }
    match serde_json::from_value(value) {
        Ok(command) => Ok((id, command)),
        Err(e) => Err((id, Answer::input(&format!("a command of docs/json-client.md ({e})")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_their_ids() {
        let (id, command) = parse(br#"{"id":"a","command":"send","to":"bob@example.org","text":"hi"}"#).ok().unwrap();
        assert_eq!(id, "a");
        assert!(
            matches!(command, Command::Send { to, conversation: 0, text: Some(text), .. } if to == "bob@example.org" && text == "hi")
        );
        let (id, command) = parse(br#"{"command":"quit"}"#).ok().unwrap();
        assert!(id.is_null() && matches!(command, Command::Quit { wait: None }));
    }

    #[test]
    fn mistakes_keep_the_id() {
        for (line, id) in [
            (&br#"{"id":7,"command":"sned"}"#[..], Value::from(7)),
            (br#"{"id":7,"command":"send","txet":"x"}"#, Value::from(7)),
            (br#"{"id":[],"command":"status"}"#, Value::Null),
            (b"nonsense", Value::Null),
            (b"[1]", Value::Null),
        ] {
            assert_eq!(parse(line).err().unwrap().0, id);
        }
    }
}
