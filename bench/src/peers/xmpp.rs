//! A client of an XMPP server (RFC 6120, 6121) over direct TLS (XEP-0368): it makes its account (XEP-0077), signs in, comes
//! into a room (XEP-0045), reads the archive (XEP-0313), and speaks under load with acknowledgements (XEP-0198).

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BytesMut};
use data_encoding::BASE64;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::stanza;
use crate::{
    client::{Server, connect_tls},
    peer::Line,
    tongue::{Heard, Tongue},
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of everybody's only device.
const RESOURCE: &str = "bench";

/// See the module.
pub struct Client {
    stream: TlsStream<TcpStream>,
    input: BytesMut,
    domain: String,
}

/// A part of an archive.
pub struct Page {
    /// Bodies, the oldest first.
    pub bodies: Vec<Vec<u8>>,
    /// The place of the first and the last of them.
    pub ends: Option<(String, String)>,
    /// There is nothing further in this direction.
    pub complete: bool,
}

impl Client {
    /// Connects as the `number`th client.
    pub async fn connect(server: &Server, domain: &str, number: usize) -> Result<Self> {
        let stream = connect_tls(server, number, server.tls()).await?;
        let mut this = Self { stream, input: BytesMut::new(), domain: domain.to_owned() };
        this.begin().await?;
        Ok(this)
    }

    /// Begins a stream, and hears what the server can do.
    async fn begin(&mut self) -> Result<()> {
        let head = format!(
            "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
            self.domain
        );
        self.say(&head).await?;
        self.until(|s| stanza::is(s, "stream:features")).await?;
        Ok(())
    }

    async fn say(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next stanza for which this is true; those before it are let go.
    async fn until(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
        loop {
            let next = timeout(PATIENCE, self.next()).await.context("the server does not answer")??;
            if stanza::is(&next, "stream:error") || stanza::is(&next, "failure") {
                bail!("refused: {}", String::from_utf8_lossy(&next));
            }
            if wanted(&next) {
                return Ok(next);
            }
        }
    }

    async fn next(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(bytes) = stanza::whole(&self.input)? {
                let stanza = self.input[..bytes].to_vec();
                self.input.advance(bytes);
                return Ok(stanza);
            }
            ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the server closed the connection");
        }
    }

    /// Asks, and waits for the answer: a result, or an error in words.
    async fn ask(&mut self, id: &str, iq: &str) -> Result<Vec<u8>> {
        self.say(iq).await?;
        let answer = self.until(|s| stanza::is(s, "iq") && stanza::attribute(s, "id") == Some(id)).await?;
        ensure!(stanza::attribute(&answer, "type") == Some("result"), "refused: {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    /// Makes an account.
    pub async fn register(&mut self, name: &str) -> Result<()> {
        let iq = format!(
            "<iq type='set' id='register' to='{}'><query xmlns='jabber:iq:register'><username>{name}</username><password>{}</password></query></iq>",
            self.domain,
            password(name)
        );
        self.ask("register", &iq).await.map(|_| ())
    }

    /// Signs in, and is there for others.
    pub async fn sign_in(&mut self, name: &str) -> Result<()> {
        let word = BASE64.encode(format!("\0{name}\0{}", password(name)).as_bytes());
        self.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{word}</auth>")).await?;
        self.until(|s| stanza::is(s, "success")).await?;
        self.begin().await?;
        let bind = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{RESOURCE}</resource></bind></iq>"
        );
        self.ask("bind", &bind).await?;
        self.say("<presence/>").await?;
        // The server tells everybody's devices of each of them, themselves too.
        self.until(|s| stanza::is(s, "presence")).await?;
        Ok(())
    }

    /// Comes into a room, which is made by whoever is the first; waits until the server says who is in it.
    pub async fn join(&mut self, room: &str, nick: &str) -> Result<()> {
        self.say(&format!(
            "<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
        ))
        .await?;
        // The subject ends what a room says to somebody who comes (XEP-0045 §7.2.15).
        let mine = |s: &[u8]| {
            let (message, presence) = (stanza::is(s, "message"), stanza::is(s, "presence"));
            (message && stanza::position(s, b"<subject").is_some()) || (presence && stanza::attribute(s, "type") == Some("error"))
        };
        let last = self.until(mine).await?;
        ensure!(stanza::is(&last, "message"), "refused: {}", String::from_utf8_lossy(&last));
        Ok(())
    }

    /// A room that was just made is used as the server makes it.
    pub async fn open_room(&mut self, room: &str) -> Result<()> {
        let iq = format!(
            "<iq type='set' id='open' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>"
        );
        self.ask("open", &iq).await.map(|_| ())
    }

    /// Messages of the archive with somebody: up to `most` after a place, or before one, or the newest.
    pub async fn page(&mut self, with: &str, after: Option<&str>, before: Option<&str>, most: usize) -> Result<Page> {
        let place = match (after, before) {
            (Some(after), _) => format!("<after>{after}</after>"),
            (None, Some(before)) => format!("<before>{before}</before>"),
            (None, None) => "<before/>".to_owned(),
        };
        let iq = format!(
            "<iq type='set' id='page'><query xmlns='urn:xmpp:mam:2' queryid='page'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field><field var='with'><value>{with}</value></field></x>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max>{place}</set></query></iq>"
        );
        self.say(&iq).await?;
        let mut bodies = Vec::new();
        let last = loop {
            let next = timeout(PATIENCE, self.next()).await.context("the server does not answer")??;
            if stanza::is(&next, "iq") && stanza::attribute(&next, "id") == Some("page") {
                break next;
            }
            if stanza::is(&next, "message") && stanza::position(&next, b"urn:xmpp:mam:2").is_some() {
                bodies.push(stanza::body(&next).unwrap_or_default().to_vec());
            }
        };
        ensure!(stanza::attribute(&last, "type") == Some("result"), "refused: {}", String::from_utf8_lossy(&last));
        let ends = inside(&last, "first").zip(inside(&last, "last"));
        Ok(Page { bodies, ends, complete: stanza::attribute(&last, "complete") == Some("true") })
    }

    /// Ready for the load in pairs: everything is acknowledged. `to`: addresses without a device.
    pub async fn in_pairs(mut self, to: impl IntoIterator<Item = String>) -> Result<Line> {
        self.say("<enable xmlns='urn:xmpp:sm:3'/>").await?;
        self.until(|s| stanza::is(s, "enabled")).await?;
        let heads = to.into_iter().map(|to| format!("<message type='chat' to='{to}'><body>")).collect();
        Ok(self.line(Speech { heads, acknowledged: true, sent: 0, heard: 0 }))
    }

    /// Ready for the load in a room, where everybody's own message comes back.
    pub fn in_room(self, room: &str) -> Line {
        let heads = vec![format!("<message type='groupchat' to='{room}'><body>")];
        self.line(Speech { heads, acknowledged: false, sent: 0, heard: 0 })
    }

    fn line(self, speech: Speech) -> Line {
        Line { stream: self.stream, input: self.input, tongue: Box::new(speech) }
    }
}

fn password(name: &str) -> String {
    format!("{name}-has-a-long-password")
}

/// The text of the first element of this name.
fn inside(stanza: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(stanza).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}"))?;
    let (_, rest) = rest.split_once('>')?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// What is said under load.
struct Speech {
    /// A message before its text, for each of those who are written to.
    heads: Vec<String>,
    /// Asks the server to say what it has taken (XEP-0198): once after the messages of one write.
    acknowledged: bool,
    /// Stanzas since acknowledgements were switched on, both ways.
    sent: u64,
    heard: u64,
}

impl Tongue for Speech {
    fn put(&mut self, out: &mut Vec<u8>, to: usize, content: &[u8]) -> u64 {
        out.extend_from_slice(self.heads[to].as_bytes());
        out.extend_from_slice(content);
        out.extend_from_slice(b"</body></message>");
        self.sent += 1;
        self.sent
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.acknowledged {
            out.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
        }
    }

    fn take<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>> {
        let Some(bytes) = stanza::whole(input)? else { return Ok(None) };
        let stanza = &input[..bytes];
        let heard = if stanza::is(stanza, "message") {
            self.heard += 1;
            ensure!(stanza::attribute(stanza, "type") != Some("error"), "refused: {}", String::from_utf8_lossy(stanza));
            stanza::body(stanza).map_or(Heard::Other, |content| Heard::Message { sequence: 0, content })
        } else if stanza::is(stanza, "a") {
            Heard::SentUpTo(stanza::attribute(stanza, "h").and_then(|h| h.parse().ok()).context("an acknowledgement of nothing")?)
        } else if stanza::is(stanza, "r") {
            out.extend_from_slice(format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.heard).as_bytes());
            Heard::Other
        } else if stanza::is(stanza, "presence") || stanza::is(stanza, "iq") {
            self.heard += 1;
            Heard::Other
        } else {
            bail!("the server ends the connection: {}", String::from_utf8_lossy(stanza));
        };
        Ok(Some((bytes, heard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_and_heard_is_counted_as_the_other_side_does() {
        let heads = vec!["<message to='b'><body>".to_owned()];
        let mut speech = Speech { heads, acknowledged: true, sent: 0, heard: 0 };
        let mut out = Vec::new();
        assert_eq!((speech.put(&mut out, 0, b"one"), speech.put(&mut out, 0, b"two")), (1, 2));
        speech.end(&mut out);
        assert!(out.ends_with(b"<message to='b'><body>two</body></message><r xmlns='urn:xmpp:sm:3'/>"));
        out.clear();
        let input = b"<message from='b'><body>three</body></message><r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='2'/>";
        let (first, heard) = speech.take(input, &mut out).unwrap().unwrap();
        assert_eq!(heard, Heard::Message { sequence: 0, content: b"three" });
        let (second, _) = speech.take(&input[first..], &mut out).unwrap().unwrap();
        assert_eq!(out, b"<a xmlns='urn:xmpp:sm:3' h='1'/>");
        let (_, heard) = speech.take(&input[first + second..], &mut out).unwrap().unwrap();
        assert_eq!(heard, Heard::SentUpTo(2));
        assert!(speech.take(b"<message type='error'><body>no</body></message>", &mut out).is_err());
        assert!(speech.take(b"<stream:error><x/></stream:error>", &mut out).is_err());
    }

    #[test]
    fn the_ends_of_a_page_are_read() {
        let fin =
            b"<iq type='result' id='page'><fin complete='true'><set><first index='0'>12</first><last>34</last></set></fin></iq>";
        assert_eq!((inside(fin, "first"), inside(fin, "last")), (Some("12".to_owned()), Some("34".to_owned())));
        assert_eq!(inside(b"<iq/>", "first"), None);
    }
}
