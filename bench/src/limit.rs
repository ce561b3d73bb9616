//! The limit: the same socket and disk work as a message costs a node, and nothing else. One record in, two out; the
//! same number of bytes appended to a file that has its space, and made durable before anything goes out. No accounts,
//! no rules, no views, no hashes; frames are spliced from templates. What a node needs above this is what can be won.
//!
//! In a group, one record in and one out to everybody else.
//!
//! One task per connection on two threads, one thread that writes and syncs all that gathered meanwhile: as the node.

use std::{
    collections::HashMap,
    fs::File,
    future::poll_fn,
    mem::MaybeUninit,
    os::unix::fs::FileExt as _,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use parking_lot::{Condvar, Mutex};
use prost::Message as _;
use serde_json::json;
use startalk_net::{Accepted, CertResolver, LinkCertificate, Listen, ServerTls, bind_tcp};
use startalk_protocol::{
    framing::{self, LENGTH_BYTES},
    pb::client::{self as pb, server_frame::Frame},
    signing::SecretKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::wire::{Fields, Value, put_varint};

/// Bytes of the file that is written over and over.
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes read at once, as the node does.
const READ_BYTES: usize = 4096;
/// With a fault, every so many messages meet it.
const SPOILED_EVERY: u64 = 50;
/// A message held back for the next to the same person goes out after so long, if there is none.
const HELD: Duration = Duration::from_millis(200);
/// Name of a client in its hello: its number follows.
pub const CLIENT: &str = "limit ";

/// A fault made on purpose, so that a test can see that the generator notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Spoil {
    /// Some messages are not delivered.
    Lose,
    /// Some are delivered twice.
    Double,
    /// Some are delivered after the next.
    Swap,
    /// Some are acknowledged twice.
    Acknowledge,
}

/// What waits to be written to a connection.
#[derive(Default)]
struct Outbox {
    inner: Mutex<(Vec<u8>, Option<Waker>)>,
}

impl Outbox {
    fn put(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.inner.lock();
        write(&mut inner.0);
        let waker = inner.1.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A message that came, on its way to the disk.
struct Came {
    id: u64,
    content: Vec<u8>,
    from: Arc<Outbox>,
    me: usize,
    to: usize,
}

struct Limit {
    outboxes: Mutex<HashMap<usize, Arc<Outbox>>>,
    waiting: Mutex<Vec<Came>>,
    wake: Condvar,
    /// Bytes of `content` at the end of each frame.
    content_bytes: usize,
    templates: Templates,
    /// A message goes to everybody but its author, and not to a partner.
    group: bool,
    spoil: Option<Spoil>,
}

/// What the limit is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Likeness {
    /// Bytes that a message takes on the disk.
    pub record_bytes: usize,
    /// Bytes of `content` at the end of each frame.
    pub content_bytes: usize,
    /// Everybody hears everybody; in pairs otherwise.
    pub group: bool,
    /// A fault.
    pub spoil: Option<Spoil>,
}

/// Frames without what differs from message to message.
struct Templates {
    /// After the id.
    sent: Vec<u8>,
    /// Before the content, which is last.
    pushed: Vec<u8>,
}

impl Templates {
    fn new(content_bytes: usize) -> Self {
        let id = vec![0x5a; 16];
        let time_ms = 1_790_000_000_000;
        let sent = pb::Sent { conversation: 150, sequence: 3000, id: id.clone().into(), time_ms };
        let sent = pb::ServerFrame { reply_to: 0, frame: Some(Frame::Sent(sent)) }.encode_to_vec();
        let message = pb::Message {
            sequence: 3000,
            id: id.into(),
            author: "u0100@abcdefghijklmnopqrstuvwxyz.startalk.alt".to_owned(),
            time_ms,
            content: vec![0; content_bytes].into(),
            ..pb::Message::default()
        };
        let pushed = pb::Pushed { conversation: 150, what: Some(pb::pushed::What::Message(message)), record: 0 };
        let mut pushed = pb::ServerFrame { reply_to: 0, frame: Some(Frame::Pushed(pushed)) }.encode_to_vec();
        pushed.truncate(pushed.len() - content_bytes);
        Self { sent, pushed }
    }

    fn put_sent(&self, out: &mut Vec<u8>, id: u64) {
        let begin = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        out.push(0x08);
        put_varint(out, id);
        out.extend_from_slice(&self.sent);
        put_length(out, begin);
    }

    fn put_pushed(&self, out: &mut Vec<u8>, content: &[u8]) {
        let begin = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        out.extend_from_slice(&self.pushed);
        out.extend_from_slice(content);
        put_length(out, begin);
    }
}

fn put_length(out: &mut [u8], begin: usize) {
    let length = u32::try_from(out.len() - begin - LENGTH_BYTES).expect("a frame is small");
    out[begin..begin + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// Runs until the process is ended.
pub fn serve(folder: &Path, likeness: Likeness) -> Result<()> {
    let Likeness { record_bytes, content_bytes, group, spoil } = likeness;
    let file = File::create(folder.join("limit.records"))?;
    let zeros = vec![0; 1 << 20];
    (0..FILE_BYTES).step_by(zeros.len()).try_for_each(|at| file.write_all_at(&zeros, at))?;
    file.sync_all()?;
    let limit = Arc::new(Limit {
        outboxes: Mutex::default(),
        waiting: Mutex::default(),
        wake: Condvar::new(),
        content_bytes,
        templates: Templates::new(content_bytes),
        group,
        spoil,
    });
    let writer = limit.clone();
    thread::Builder::new().name("writer".to_owned()).spawn(move || writer.write(&file, record_bytes))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    runtime.block_on(accept(limit))
}

async fn accept(limit: Arc<Limit>) -> Result<()> {
    let key = SecretKey::from_seed([7; 32]);
    let certificate = LinkCertificate::new(&key)?;
    let tls = ServerTls::new(&CertResolver::new(Some(&certificate), None), false)?;
    let (listener, address) = bind_tcp(Listen::Address("127.0.0.1:0".parse()?))?;
    let hex: String = key.public().iter().map(|b| format!("{b:02x}")).collect();
    println!("{}", json!({ "listening": address.to_string(), "link_key": hex, "pid": std::process::id() }));
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?; // or small answers wait for the other side's delayed acknowledgements, up to 40 ms
        let (limit, tls) = (limit.clone(), tls.clone());
        tokio::spawn(async move {
            if let Ok(Accepted { stream, .. }) = tls.accept(tcp).await {
                let mut connection = Connection {
                    stream,
                    limit,
                    me: None,
                    outbox: Arc::default(),
                    input: Vec::new(),
                    output: Vec::new(),
                    written: 0,
                };
                let _over: Option<()> = poll_fn(|cx| connection.poll(cx)).await;
            }
        });
    }
}

impl Limit {
    /// Writes what came, makes it durable, and only then answers and delivers.
    fn write(&self, file: &File, record_bytes: usize) {
        let (mut at, mut record, mut count, mut held) = (0, Vec::new(), 0, None);
        loop {
            let came = {
                let mut waiting = self.waiting.lock();
                while waiting.is_empty() {
                    if self.wake.wait_for(&mut waiting, HELD).timed_out()
                        && let Some(held) = held.take()
                    {
                        self.deliver(&held);
                    }
                }
                std::mem::take(&mut *waiting)
            };
            record.clear();
            for message in &came {
                record.extend_from_slice(&message.content);
                record.resize(record.len() + record_bytes.saturating_sub(message.content.len()), 0xa5);
            }
            if at + record.len() as u64 > FILE_BYTES {
                at = 0;
            }
            file.write_all_at(&record, at).and_then(|()| file.sync_data()).expect("the disk works");
            at += record.len() as u64;
            for message in &came {
                message.from.put(|out| self.templates.put_sent(out, message.id));
            }
            for message in came {
                count += 1;
                match self.spoil.filter(|_| count % SPOILED_EVERY == 0) {
                    None => self.deliver(&message),
                    Some(Spoil::Lose) => {}
                    Some(Spoil::Double) => {
                        self.deliver(&message);
                        self.deliver(&message);
                    }
                    Some(Spoil::Acknowledge) => {
                        message.from.put(|out| self.templates.put_sent(out, message.id));
                        self.deliver(&message);
                    }
                    Some(Spoil::Swap) => {
                        // Only one is held at a time: the one before it, which nobody was written to after, goes now.
                        if let Some(before) = held.replace(message) {
                            self.deliver(&before);
                        }
                        continue;
                    }
                }
                if let Some(held) = held.take_if(|h: &mut Came| h.to == message.to) {
                    self.deliver(&held);
                }
            }
        }
    }
}

impl Limit {
    fn deliver(&self, message: &Came) {
        if self.group {
            let all = self.outboxes.lock();
            let others = all.iter().filter(|(number, _)| **number != message.me);
            return others.for_each(|(_, to)| to.put(|out| self.templates.put_pushed(out, &message.content)));
        }
        let to = self.outboxes.lock().get(&message.to).cloned();
        if let Some(to) = to {
            to.put(|out| self.templates.put_pushed(out, &message.content));
        }
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    limit: Arc<Limit>,
    /// The client's number, after its hello.
    me: Option<usize>,
    outbox: Arc<Outbox>,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
}

impl Connection {
    /// `None` when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        loop {
            while self.written < self.output.len() {
                let Ok(bytes) = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..])) else {
                    return Poll::Ready(None);
                };
                self.written += bytes;
            }
            if self.written > 0 {
                let Ok(()) = ready!(Pin::new(&mut self.stream).poll_flush(cx)) else { return Poll::Ready(None) };
                self.output.clear();
                self.written = 0;
            }
            {
                let mut inner = self.outbox.inner.lock();
                if !inner.0.is_empty() {
                    std::mem::swap(&mut inner.0, &mut self.output);
                    continue;
                }
                inner.1 = Some(cx.waker().clone());
            }
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            let Ok(()) = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) else { return Poll::Ready(None) };
            let filled = buffer.filled();
            if filled.is_empty() {
                return Poll::Ready(None);
            }
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(filled);
            let Some(used) = self.take(&input) else { return Poll::Ready(None) };
            input.drain(..used);
            self.input = input;
        }
    }

    fn take(&mut self, input: &[u8]) -> Option<usize> {
        let mut used = 0;
        let mut came = Vec::new();
        while let Some(length) = input[used..].first_chunk::<LENGTH_BYTES>() {
            let begin = used + LENGTH_BYTES;
            let Some(frame) = input.get(begin..begin + u32::from_be_bytes(*length) as usize) else { break };
            used = begin + frame.len();
            let Some((1, Value::Number(id))) = Fields(frame).next() else { return None };
            match self.me {
                None => self.greet(id, frame).ok()?,
                Some(me) => {
                    let content = frame[frame.len().checked_sub(self.limit.content_bytes)?..].to_vec();
                    came.push(Came { id, content, from: self.outbox.clone(), me, to: me ^ 1 });
                }
            }
        }
        if !came.is_empty() {
            let mut waiting = self.limit.waiting.lock();
            let sleeping = waiting.is_empty();
            waiting.append(&mut came);
            drop(waiting);
            if sleeping {
                self.limit.wake.notify_one();
            }
        }
        Some(used)
    }

    fn greet(&mut self, id: u64, frame: &[u8]) -> Result<()> {
        let frame: pb::ClientFrame = framing::decode(frame, "hello")?;
        let Some(pb::client_frame::Frame::Hello(hello)) = frame.frame else { anyhow::bail!("expected a hello") };
        let me: usize = hello.client.strip_prefix(CLIENT).context("expected a client of the limit")?.parse()?;
        self.me = Some(me);
        self.limit.outboxes.lock().insert(me, self.outbox.clone());
        let welcome = pb::ServerFrame { reply_to: id, frame: Some(Frame::Welcome(pb::Welcome::default())) };
        self.outbox.put(|out| out.extend_from_slice(&framing::encode(&welcome)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::{self, Heard};

    use super::*;

    #[test]
    fn the_frames_are_those_of_a_node() {
        let templates = Templates::new(120);
        let mut out = Vec::new();
        templates.put_sent(&mut out, 300);
        assert_eq!(wire::read(&out[LENGTH_BYTES..]), Heard::Sent { reply_to: 300, sequence: 3000 });
        out.clear();
        templates.put_pushed(&mut out, &[9; 120]);
        assert_eq!(wire::read(&out[LENGTH_BYTES..]), Heard::Message { sequence: 3000, content: &[9; 120] });
    }
}
