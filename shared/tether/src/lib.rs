//! The tether: a connection that a node keeps to a hub, through which the hub forwards connections of others to the
//! node. federation-spec/09-relaying.md
//!
//! [`frames`] is what both sides say; [`keep`](keep()) is the node's side, which the hub's `relay` answers. What is
//! forwarded is TLS between the node and whoever connects: nothing here, and nothing at the hub, reads it.
//!
//! Invariant: a forwarded connection is served as one that was accepted directly, but for its address, which is the hub's
//! word.

pub mod frames;
mod keep;

pub use frames::{Control, check};
pub use keep::{Config, Down, Forwarded, Over, State, Timings, keep, talk};

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How a tether's QUIC connection behaves, on both sides: many streams, small windows, so that one forwarded connection
/// cannot take all of it.
pub fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(limits::STREAMS_MAX.into())
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(limits::STREAM_WINDOW.into())
        .receive_window(limits::CONNECTION_WINDOW.into())
        .send_window(u64::from(limits::CONNECTION_WINDOW))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(startalk_net::server::QUIC_KEEP_ALIVE))
        .max_idle_timeout(quinn::IdleTimeout::try_from(startalk_net::server::QUIC_IDLE).ok());
    transport
}

/// Every limit of a tether, with its unit and its reason.
pub mod limits {
    use std::time::Duration;

    /// Bytes of a frame: the largest record has 16 KiB.
    pub const FRAME_BYTES_MAX: usize = 32 * 1024;
    /// Bytes of a ticket.
    pub const TICKET_BYTES: usize = 16;
    /// Connections forwarded at once on one QUIC connection: people of a company, each with a few devices.
    pub const STREAMS_MAX: u32 = 4096;
    /// Bytes in flight on one forwarded connection: 20 Mbit/s at 200 ms.
    pub const STREAM_WINDOW: u32 = 512 * 1024;
    /// Bytes in flight on a tether: several of those.
    pub const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
    /// Who is silent says so this often; less than what routers on the way remember of an idle TCP connection.
    pub const PING_EVERY: Duration = Duration::from_secs(30);
    /// Nothing heard for so long: the tether is gone.
    pub const SILENCE_MAX: Duration = Duration::from_secs(75);
    /// From a connection's begin to its first frame, and from a ticket to its claim.
    pub const FIRST_FRAME: Duration = Duration::from_secs(10);
}
