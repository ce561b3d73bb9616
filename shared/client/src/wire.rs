//! Frames on a connection: before a session runs, one question at a time.
//!
//! Never allocates more than has arrived; a frame over the limit ends the connection.

use bytes::BytesMut;
use startalk_protocol::{
    framing,
    limits::CLIENT_FRAME_BYTES_MAX,
    pb::client::{ClientFrame, Hello, ServerFrame, SignedIn, Welcome, client_frame, server_frame::Frame},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{ClientError, DialError, dial::Duplex};

/// The protocol version spoken here.
const VERSION: u32 = 1;

/// A connection and what was read of it.
pub(crate) struct Connection {
    pub stream: Duplex,
    pub buffer: BytesMut,
    pub next_id: u64,
    pub welcome: Welcome,
}

/// The next whole frame in `buffer`.
pub(crate) fn take(buffer: &mut BytesMut) -> Result<Option<ServerFrame>, ClientError> {
    let broken = |e: framing::FrameError| ClientError::Protocol(e.to_string());
    match framing::take(buffer, CLIENT_FRAME_BYTES_MAX).map_err(broken)? {
        None => Ok(None),
        Some(bytes) => framing::decode(bytes, "server frame").map(Some).map_err(broken),
    }
}

pub(crate) fn broken(error: &std::io::Error) -> ClientError {
    ClientError::Dial(DialError::Closed(error.to_string()))
}

impl Connection {
    /// Greets the node.
    pub async fn greet(stream: Duplex, client: &str, language: &str) -> Result<Self, ClientError> {
        let mut connection = Self { stream, buffer: BytesMut::with_capacity(4096), next_id: 1, welcome: Welcome::default() };
        let hello =
            Hello { version_min: VERSION, version_max: VERSION, client: client.to_owned(), language: language.to_owned() };
        match connection.ask(client_frame::Frame::Hello(hello)).await? {
            Frame::Welcome(welcome) => connection.welcome = welcome,
            _ => return Err(ClientError::Protocol("expected a welcome".to_owned())),
        }
        Ok(connection)
    }

    /// Asks, and waits for the answer; what is pushed meanwhile is not for anybody yet.
    pub async fn ask(&mut self, frame: client_frame::Frame) -> Result<Frame, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        let bytes = framing::encode(&ClientFrame { id, frame: Some(frame) });
        self.stream.write_all(&bytes).await.map_err(|e| broken(&e))?;
        self.stream.flush().await.map_err(|e| broken(&e))?;
        loop {
            while let Some(answer) = take(&mut self.buffer)? {
                match answer.frame {
                    Some(Frame::Error(e)) if answer.reply_to == id => return Err(ClientError::Refused(e.into())),
                    Some(frame) if answer.reply_to == id => return Ok(frame),
                    Some(Frame::Close(close)) => return Err(ClientError::Refused(close.error.unwrap_or_default().into())),
                    _ => {}
                }
            }
            if self.stream.read_buf(&mut self.buffer).await.map_err(|e| broken(&e))? == 0 {
                return Err(ClientError::Dial(DialError::Closed("end of stream".to_owned())));
            }
        }
    }

    /// Asks for a way in.
    pub async fn enter(&mut self, frame: client_frame::Frame) -> Result<SignedIn, ClientError> {
        match self.ask(frame).await? {
            Frame::SignedIn(signed_in) => Ok(signed_in),
            _ => Err(ClientError::Protocol("expected to be signed in".to_owned())),
        }
    }
}
