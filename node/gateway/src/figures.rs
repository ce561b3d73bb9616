//! How the clients' side does, for who looks after the node: connections by what they run over, what waits for them, errors by
//! code. Names no person.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use startalk_protocol::Code;

use crate::Gateway;

/// What a client's connection runs over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Frames on TLS.
    #[default]
    Tls,
    /// Frames on a stream of QUIC.
    Quic,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Tls, Self::Quic, Self::WebSocket];

    /// In metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Quic => "quic",
            Self::WebSocket => "websocket",
        }
    }
}

/// How often each code was an answer.
#[derive(Debug)]
pub(crate) struct ErrorCounts(Box<[AtomicU64]>);

impl Default for ErrorCounts {
    fn default() -> Self {
        Self(Code::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl ErrorCounts {
    /// One more; codes stand in [`Code::ALL`] in their order.
    pub(crate) fn count(&self, code: Code) {
        if let Some(count) = self.0.get(code as usize) {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many connections run over each.
    pub by_transport: Vec<(Transport, usize)>,
    /// Bytes that wait to be taken by connections, together.
    pub outbox_bytes: usize,
    /// By one connection, at most.
    pub outbox_bytes_most: usize,
    /// How many pushed ones may wait for one.
    pub outbox_bytes_limit: usize,
    /// Pages and syncs that wait for their turn, or are being read.
    pub reads_waiting: usize,
    /// Codes that were answered, and how often.
    pub errors: Vec<(Code, u64)>,
}

impl Figures {
    /// All connections.
    pub fn connections(&self) -> usize {
        self.by_transport.iter().map(|(_, count)| count).sum()
    }
}

impl Gateway {
    /// Now.
    pub fn figures(&self) -> Figures {
        let sessions = self.0.sessions();
        let waiting = || sessions.iter().map(|s| s.outbox.bytes());
        let of = |transport| (transport, sessions.iter().filter(|s| s.transport == transport).count());
        let errors = Code::ALL.iter().zip(&self.0.errors.0).map(|(code, count)| (*code, count.load(Relaxed)));
        Figures {
            by_transport: Transport::ALL.map(of).to_vec(),
            outbox_bytes: waiting().sum(),
            outbox_bytes_most: waiting().max().unwrap_or(0),
            outbox_bytes_limit: self.0.config.limits.outbox_bytes,
            reads_waiting: self.0.reading.wanted(),
            errors: errors.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_counts_in_its_own_place() {
        let counts = ErrorCounts::default();
        for (place, code) in Code::ALL.iter().enumerate() {
            counts.count(*code);
            assert_eq!(counts.0[place].load(Relaxed), 1, "{code:?}");
        }
    }
}
