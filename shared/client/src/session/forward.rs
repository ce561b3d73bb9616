//! What others said, to be said again: fetched as it is now.

use std::collections::HashMap;

use startalk_protocol::pb::client::Message;

use super::Session;
use crate::{ClientError, content::Quoted};

impl Session {
    /// A message as it is now.
    ///
    /// # Errors
    /// `input` if there is none that is one's to read; the node's reason, or `offline`.
    pub async fn message(&self, conversation: u64, sequence: u64) -> Result<Message, ClientError> {
        let page = self.history(conversation, sequence.saturating_add(1), 0, 1).await?;
        let found = page.messages.into_iter().find(|m| m.sequence == sequence);
        found.ok_or_else(|| ClientError::Input("the sequence of a message".to_owned()))
    }

    /// Messages, in this order, with their authors as they are called: for [`crate::content::transcript`].
    ///
    /// # Errors
    /// As [`Session::message`].
    pub async fn quoted(&self, conversation: u64, sequences: &[u64]) -> Result<Vec<Quoted>, ClientError> {
        let (mut quoted, mut names) = (Vec::with_capacity(sequences.len()), HashMap::new());
        for sequence in sequences {
            let Message { author, sent_ms, time_ms, content, .. } = self.message(conversation, *sequence).await?;
            if !names.contains_key(&author) {
                // Whoever is not to be asked about is called by their id.
                let name = self.profile(&author).await.map(|p| p.display_name).unwrap_or_default();
                names.insert(author.clone(), name);
            }
            let author_name = names.get(&author).cloned().unwrap_or_default();
            quoted.push(Quoted { author, author_name, time_ms: if sent_ms == 0 { time_ms } else { sent_ms }, content });
        }
        Ok(quoted)
    }
}
