//! A name server that knows nothing, or what it is told: it answers every question with "no such name", but for texts that
//! were set, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// TXT (RFC 1035 §3.2.2).
const TXT: u16 = 16;
/// No such name.
const NXDOMAIN: u8 = 3;

#[derive(Default)]
struct Known {
    texts: BTreeMap<String, String>,
    asked: Vec<String>,
}

/// A name server on this machine; ends when it is dropped.
pub struct NameServer {
    /// Where.
    pub address: SocketAddr,
    known: Arc<Mutex<Known>>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// Listens on a free port.
    ///
    /// # Errors
    /// If there is none.
    pub async fn open() -> anyhow::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
        let (address, known) = (socket.local_addr()?, Arc::<Mutex<Known>>::default());
        let knows = known.clone();
        let task = tokio::spawn(async move {
            let mut question = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                if let Some(answer) = answer(&question[..length], &knows) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, known, task })
    }

    /// From now on this name has this text.
    ///
    /// # Panics
    /// If the server panicked.
    pub fn text(&self, name: &str, text: &str) {
        self.known.lock().expect("no panic").texts.insert(name.to_lowercase(), text.to_owned());
    }

    /// Names that were asked for, in lower case.
    ///
    /// # Panics
    /// If the server panicked.
    pub fn asked(&self) -> Vec<String> {
        self.known.lock().expect("no panic").asked.clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(question: &[u8], known: &Mutex<Known>) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*question.get(at)?, *question.get(at + 1)?]);
    let end = at + 4;
    let name = labels.join(".");
    let mut known = known.lock().expect("no panic");
    known.asked.push(name.clone());
    let text = known.texts.get(&name).filter(|_| kind == TXT);
    let exists = known.texts.contains_key(&name);
    let code = if exists { 0 } else { NXDOMAIN };
    // An answer, recursion available; one question, and an answer if there is one.
    let mut out = vec![question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, u8::from(text.is_some()), 0, 0, 0, 0];
    out.extend_from_slice(question.get(12..end)?);
    if let Some(text) = text {
        let length = u8::try_from(text.len()).ok()?;
        out.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, length + 1, length]);
        out.extend_from_slice(text.as_bytes());
    }
    Some(out)
}
