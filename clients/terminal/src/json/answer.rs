//! The answer to a command: what came of it, or an error with its words.

use serde_json::{Value, json};
use startalk_client::ClientError;

use super::shape;

/// What a command came to.
pub(super) struct Answer(Result<Value, Value>);

impl Answer {
    pub fn ok(value: Value) -> Self {
        Self(Ok(value))
    }

    pub fn done() -> Self {
        Self(Ok(json!({})))
    }

    pub fn input(expected: &str) -> Self {
        Self::from(ClientError::Input(expected.to_owned()))
    }

    /// With the command's id, as a line.
    pub fn line(self, id: &Value) -> String {
        let value = match self.0 {
            Ok(ok) => json!({ "id": id, "ok": ok }),
            Err(error) => json!({ "id": id, "error": error }),
        };
        format!("{value}\n")
    }
}

impl From<ClientError> for Answer {
    fn from(error: ClientError) -> Self {
        Self(Err(shape::error(&error)))
    }
}

impl From<Result<Value, ClientError>> for Answer {
    fn from(result: Result<Value, ClientError>) -> Self {
        result.map_or_else(Self::from, Self::ok)
    }
}
