//! What a push says: one small JSON object of codes and names; words are made by the service worker that gets it.
//!
//! docs/client-protocol.md describes it for other clients. Knows no rule: what is told was decided by the domain.
//! Invariant: never more than [`PUSH_PAYLOAD_BYTES_MAX`] bytes.

use serde::Serialize;
use startalk_domain::notify::{Because, Notice};
use startalk_protocol::{MessageId, limits::PUSH_PAYLOAD_BYTES_MAX};

/// What a payload is at least made to look like, and in which steps it grows, in bytes.
const STEP_BYTES: usize = 512;

/// A payload before it is encrypted.
#[derive(Clone, Debug, Serialize)]
pub struct Payload<'a> {
    /// The version of this form.
    v: u32,
    /// "show", or "withdraw": what was shown of this message is to go.
    r#do: &'a str,
    /// Whose: name@domain.
    account: &'a str,
    /// The account's number of the conversation.
    conversation: String,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    badge: Option<u64>,
    #[serde(flatten)]
    shown: Option<Shown>,
}

#[derive(Clone, Debug, Serialize)]
struct Shown {
    /// 32 hexadecimal digits; none of what is no message.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    because: &'static str,
    /// The number of a reminder.
    #[serde(skip_serializing_if = "Option::is_none")]
    reminder: Option<u64>,
    unread: u64,
    /// Milliseconds since 1970.
    time: u64,
    /// It was said in a group.
    in_group: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    sender: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
}

impl<'a> Payload<'a> {
    /// That of a message. `small`: without its text, for a push service that takes little.
    pub fn show(account: &'a str, conversation: u64, notice: Notice, small: bool) -> Self {
        let hidden = notice.hidden;
        let unless_hidden = |text: String| if hidden { String::new() } else { text };
        let kind = notice.kind;
        let because = match notice.because {
            Because::Message => "message",
            Because::Called => "called",
            Because::Everybody => "everybody",
            Because::Keyword => "keyword",
            Because::Request => "request",
            Because::Invitation => "invitation",
            Because::Reminder => "reminder",
        };
        let shown = Shown {
            message: if notice.id == MessageId::default() { String::new() } else { data_encoding::HEXLOWER.encode(&notice.id.0) },
            because,
            reminder: (notice.reminder != 0).then_some(notice.reminder),
            unread: notice.unread,
            time: notice.time_ms,
            in_group: notice.is_group,
            from: unless_hidden(notice.from.map(|u| u.to_string()).unwrap_or_default()),
            sender: unless_hidden(notice.sender),
            group: unless_hidden(notice.group),
            kind: (!hidden).then_some(kind),
            text: if small { String::new() } else { unless_hidden(notice.text) },
        };
        let (conversation, sequence) = (conversation.to_string(), notice.sequence);
        Self { v: 1, r#do: "show", account, conversation, sequence, badge: Some(notice.badge), shown: Some(shown) }
    }

    /// That a message was taken back.
    pub fn withdraw(account: &'a str, conversation: u64, sequence: u64, badge: u64) -> Self {
        let conversation = conversation.to_string();
        Self { v: 1, r#do: "withdraw", account, conversation, sequence, badge: Some(badge), shown: None }
    }

    /// Its bytes: the text is cut until they fit.
    pub fn bytes(mut self) -> Vec<u8> {
        loop {
            let bytes = serde_json::to_vec(&self).expect("strings and numbers");
            let over = bytes.len().saturating_sub(PUSH_PAYLOAD_BYTES_MAX);
            match &mut self.shown {
                Some(shown) if over > 0 && !shown.text.is_empty() => {
                    // What is one byte here may be six there: never more than half of it goes at once.
                    let mut end = shown.text.len() - over.min(shown.text.len() / 2).max(1);
                    while !shown.text.is_char_boundary(end) {
                        end -= 1;
                    }
                    shown.text.truncate(end);
                }
                Some(shown) if over > 0 && !shown.group.is_empty() => shown.group.clear(),
                _ => return bytes,
            }
        }
    }
}

/// The length that a payload is made to look like.
pub fn padded(length: usize) -> usize {
    length.div_ceil(STEP_BYTES).max(1) * STEP_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn notice(text: &str) -> Notice {
        Notice {
            conversation: 12,
            reminder: 0,
            sequence: 7,
            id: MessageId([0xab; 16]),
            because: Because::Called,
            time_ms: 5,
            from: Some("alice@a.example".parse().unwrap()),
            sender: "Alice".into(),
            group: "G".into(),
            is_group: true,
            kind: "text",
            text: text.into(),
            hidden: false,
            badge: 3,
            unread: 2,
        }
    }

    fn read(payload: Payload) -> Value {
        serde_json::from_slice(&payload.bytes()).unwrap()
    }

    #[test]
    fn a_message_is_told_with_names_and_text_and_hidden_with_neither() {
        let all = json!({ "v": 1, "do": "show", "account": "bob@a.example", "conversation": "12", "sequence": 7, "badge": 3,
            "message": "ab".repeat(16), "because": "called", "unread": 2, "time": 5, "in_group": true,
            "from": "alice@a.example", "sender": "Alice", "group": "G", "kind": "text", "text": "你好" });
        assert_eq!(read(Payload::show("bob@a.example", 12, notice("你好"), false)), all);
        let hidden = Payload::show("bob@a.example", 12, Notice { hidden: true, ..notice("你好") }, false);
        let text = String::from_utf8(hidden.bytes()).unwrap();
        assert!(["Alice", "alice", "你好", "G\""].iter().all(|word| !text.contains(word)), "{text}");
        assert!(text.contains("\"badge\":3") && text.contains("\"conversation\":\"12\""));
        let small = read(Payload::show("bob@a.example", 12, notice("你好"), true));
        assert_eq!((small["text"].as_str(), small["sender"].as_str()), (None, Some("Alice")));
    }

    #[test]
    fn a_withdrawal_names_what_it_withdraws() {
        let expected =
            json!({ "v": 1, "do": "withdraw", "account": "b@a.example", "conversation": "12", "sequence": 7, "badge": 0 });
        assert_eq!(read(Payload::withdraw("b@a.example", 12, 7, 0)), expected);
    }

    #[test]
    fn whatever_is_said_fits() {
        for text in ["星".repeat(2000), "\u{1}".repeat(2000), "a".repeat(5000), "\"".repeat(4000)] {
            let bytes = Payload::show("bob@a.example", 12, notice(&text), false).bytes();
            assert!(bytes.len() <= PUSH_PAYLOAD_BYTES_MAX && bytes.len() > PUSH_PAYLOAD_BYTES_MAX / 2, "{}", bytes.len());
            serde_json::from_slice::<Value>(&bytes).unwrap();
        }
        assert_eq!((padded(0), padded(1), padded(512), padded(513), padded(3072)), (512, 512, 512, 1024, 3072));
    }
}
