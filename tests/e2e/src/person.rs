//! A person with one device: registers by a link, says numbered texts, hears everything and counts it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use startalk_client::{
    Client, ClientError, Event, Events, Home, JoinLink, Language, MemoryStore, Options, Session, Store, UserId, content,
    wire_types::Message,
};
use startalk_examples::texts::texts;
use tokio::task::JoinHandle;

use crate::{Tally, until};

/// Everybody's.
pub const PASSWORD: &str = "correct horse battery staple";

/// What a person's device has heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// By author; one's own messages from this device are told by `acknowledged`.
    pub from: BTreeMap<String, Tally>,
    /// Own messages that the node has acknowledged: number of the command → (id, offered again).
    pub acknowledged: BTreeMap<u64, (Vec<u8>, bool)>,
    /// Commands that failed, with the code.
    pub failed: Vec<(u64, String)>,
    /// How often the node was found to have gone back in time.
    pub went_back: u64,
    /// Stretches that were not told: none in these tests.
    pub gaps: Vec<(u64, u64)>,
    /// Messages that the other domain refused.
    pub refused: Vec<String>,
    /// Reminders as they were told, by number: whether it was due then; `None`: it was ended.
    pub reminders: Vec<(u64, Option<bool>)>,
    /// The sequence of the domain's record that was told of last.
    pub navigation: u64,
}

/// Texts that a person's devices have accepted, in order.
pub type Said = Arc<Mutex<Vec<String>>>;

/// A signed-in device and what it heard.
pub struct Person {
    /// `name@domain`.
    pub user: UserId,
    /// To speak.
    pub session: Session,
    /// What was heard.
    pub heard: Arc<Mutex<Heard>>,
    /// Everything said, in order.
    pub said: Said,
    arrived: Arc<AtomicU64>,
    listening: JoinHandle<()>,
}

/// The options of a link's home.
///
/// # Errors
/// If the link is none.
pub fn options(link: &str) -> anyhow::Result<(Options, JoinLink)> {
    let link: JoinLink = link.parse().context("the link")?;
    Ok((patient(Options::new(link.home())), link))
}

/// Short waits between attempts, for what is restarted is back soon; long ones for answers, for the machine is busy.
fn patient(mut options: Options) -> Options {
    options.backoff.max = Duration::from_secs(1);
    options.timeout = Duration::from_secs(30);
    options.request_wait = Duration::from_secs(60);
    options.fill_gaps_max = 100_000;
    options
}

impl Person {
    /// Registers with a one-time link; what the device keeps is in memory.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn register(link: &str, name: &str) -> anyhow::Result<Self> {
        Self::register_in(link, name, Box::new(MemoryStore::default()), Arc::default()).await
    }

    /// Registers with a one-time link; what the device keeps is in `store`, and what is said is added to `said`.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn register_in(link: &str, name: &str, store: Box<dyn Store>, said: Said) -> anyhow::Result<Self> {
        let (options, link) = options(link)?;
        let mut client = Client::connect(options, store).await?;
        client.register(name, PASSWORD, name, &link.invitation, "e2e").await?;
        let (session, events) = client.start()?;
        Self::listening(session, events, said)
    }

    /// Signs in as a new device with a password.
    ///
    /// # Errors
    /// What the node says, or why it cannot be reached.
    pub async fn sign_in(port: u64, name: &str, password: &str) -> Result<Self, ClientError> {
        let server = format!("127.0.0.1:{port}").parse()?;
        let mut client = Client::connect(patient(Options::new(Home::Server(server))), Box::new(MemoryStore::default())).await?;
        client.sign_in(name, password, "e2e").await?;
        let (session, events) = client.start()?;
        Self::listening(session, events, Arc::default()).map_err(|e| ClientError::Input(e.to_string()))
    }

    /// Goes on as the device in `store`. `said`: what the device had accepted before.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub fn resume(link: &str, store: Box<dyn Store>, said: Said) -> anyhow::Result<Self> {
        let (options, _) = options(link)?;
        let (session, events) = Session::resume(options, store)?;
        Self::listening(session, events, said)
    }

    fn listening(session: Session, events: Events, said: Said) -> anyhow::Result<Self> {
        let user: UserId = session.user().parse().context("the user's name")?;
        let (heard, arrived) = (Arc::<Mutex<Heard>>::default(), Arc::<AtomicU64>::default());
        let listening = tokio::spawn(hear(session.clone(), events, heard.clone(), arrived.clone()));
        Ok(Self { user, session, heard, said, arrived, listening })
    }

    /// Looks at what was heard.
    ///
    /// # Panics
    /// If the listener panicked.
    pub fn with<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().expect("the listener does not panic"))
    }

    /// Says one text, after what was said before; returns when the device has accepted it.
    ///
    /// # Errors
    /// If the device does not accept it.
    pub async fn say(&self, to: &UserId) -> anyhow::Result<u64> {
        let number = self.said.lock().expect("no panic").len() + 1;
        let source = source();
        let plain = format!("{} {number}: {}", self.user.name, source[number % source.len()]);
        let counter = self.session.send(to.clone(), content::text(&plain), Bytes::new()).await?;
        let said = content::show(&content::text(&plain), Language::English).plain().to_owned();
        self.said.lock().expect("no panic").push(said);
        Ok(counter)
    }

    /// Says one text and waits for what becomes of it: the code if the node refuses it, and then it counts as not said.
    ///
    /// # Errors
    /// If nothing becomes of it.
    pub async fn try_to_say(&self, to: &UserId) -> anyhow::Result<Result<(), String>> {
        let counter = self.say(to).await?;
        let mut outcome = None;
        until("what becomes of a message", || {
            outcome = self.with(|h| match h.failed.iter().position(|(c, _)| *c == counter) {
                Some(at) => Some(Err(h.failed.remove(at).1)),
                None => h.acknowledged.contains_key(&counter).then_some(Ok(())),
            });
            std::future::ready((outcome.is_some(), 0))
        })
        .await?;
        let outcome = outcome.context("just seen")?;
        if outcome.is_err() {
            self.said.lock().expect("no panic").pop();
        }
        Ok(outcome)
    }

    /// Says `count` texts.
    ///
    /// # Errors
    /// As [`Person::say`].
    pub async fn say_many(&self, to: &UserId, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            self.say(to).await?;
        }
        Ok(())
    }

    /// How many texts were accepted by this device.
    ///
    /// # Panics
    /// If the listener panicked.
    pub fn said_count(&self) -> u64 {
        self.said.lock().expect("no panic").len() as u64
    }

    /// How many messages of others were told to this device.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Acquire)
    }

    /// What was heard of one author.
    pub fn tally(&self, author: &UserId) -> Tally {
        self.with(|h| h.from.get(&author.to_string()).cloned().unwrap_or_default())
    }

    /// Waits until this person's node, which went back, has again everything that the two said to each other; how much it is.
    ///
    /// # Errors
    /// If it has not in time.
    pub async fn has_again(&self, other: &Self) -> anyhow::Result<u64> {
        let total = self.said_count() + other.said_count();
        until("everything at a node that went back", || async {
            let there = match self.conversation(&other.user).await {
                Ok(_) => self.history(&other.user).await.map_or(0, |h| h.len() as u64),
                Err(_) => 0,
            };
            (there >= total, there)
        })
        .await?;
        Ok(total)
    }

    /// Waits until everything that `author` said has arrived here, and everything said here was answered.
    ///
    /// # Errors
    /// If it does not.
    pub async fn hears_all_of(&self, author: &Person) -> anyhow::Result<()> {
        let what = format!("everything that {} said, at {}", author.user, self.user);
        let done = until(&what, || async {
            let (there, pending) = (self.tally(&author.user).count(), author.session.status().pending as u64);
            (there >= author.said_count() && pending == 0, there.wrapping_sub(pending))
        });
        done.await.with_context(|| format!("{:?}; {:?}", self.session.status(), author.session.status()))
    }

    /// The number of the conversation with somebody.
    ///
    /// # Errors
    /// If there is none.
    pub async fn conversation(&self, with: &UserId) -> anyhow::Result<u64> {
        let all = self.session.conversations().await?;
        let found = all.iter().find(|c| c.peer.as_ref().is_some_and(|p| p.user == with.to_string()));
        Ok(found.with_context(|| format!("{} has no conversation with {with}", self.user))?.conversation)
    }

    /// The whole conversation with somebody, as the node has it, page by page.
    ///
    /// # Errors
    /// If a page cannot be had.
    pub async fn history(&self, with: &UserId) -> anyhow::Result<Vec<Message>> {
        self.history_of(self.conversation(with).await?).await
    }

    /// The whole of a conversation, as the node has it, page by page.
    ///
    /// # Errors
    /// If a page cannot be had.
    pub async fn history_of(&self, conversation: u64) -> anyhow::Result<Vec<Message>> {
        // From the newest page to the oldest.
        let (mut pages, mut before) = (Vec::new(), 0);
        loop {
            let page = self.session.history(conversation, before, 0, 200).await?;
            pages.push(page.messages);
            if page.first <= 1 {
                return Ok(pages.into_iter().rev().flatten().collect());
            }
            if page.first == before {
                bail!("a page that begins where it was asked to end: {before}");
            }
            before = page.first;
        }
    }

    /// Ends the session; what was heard stays.
    ///
    /// # Errors
    /// If the listener panicked.
    pub async fn close(self) -> anyhow::Result<()> {
        self.session.close().await;
        Ok(self.listening.await?)
    }
}

/// Holds the conversation as the nodes of two people have it against each other: the same messages by id, each once, with
/// the same authors and texts. Returns how many.
///
/// # Errors
/// If a page cannot be had.
///
/// # Panics
/// If they differ.
pub async fn agree_on_ids(one: &Person, other: &Person) -> anyhow::Result<u64> {
    Ok(by_id_at_both(one, other).await?.len() as u64)
}

/// The same where every text was said once: no text may stand there under two ids.
///
/// # Errors
/// As [`agree_on_ids`].
///
/// # Panics
/// As there.
pub async fn agree(one: &Person, other: &Person) -> anyhow::Result<u64> {
    let all = by_id_at_both(one, other).await?;
    let texts: BTreeSet<&(String, String)> = all.values().collect();
    assert_eq!(texts.len(), all.len(), "one text under two ids");
    Ok(all.len() as u64)
}

/// Author and text by id.
type ById = BTreeMap<Vec<u8>, (String, String)>;

async fn by_id_at_both(one: &Person, other: &Person) -> anyhow::Result<ById> {
    let (here, there) = (one.history(&other.user).await?, other.history(&one.user).await?);
    let (here, there) = (by_id(one, &here), by_id(other, &there));
    let only = |a: &ById, b: &ById| -> Vec<String> {
        a.iter().filter(|(id, _)| !b.contains_key(*id)).map(|(_, (author, text))| format!("{author}: {text:.20}")).collect()
    };
    let (left, right) = (only(&here, &there), only(&there, &here));
    assert!(left.is_empty() && right.is_empty(), "only at {}: {left:?}; only at {}: {right:?}", one.user, other.user);
    assert_eq!(here, there, "authors and texts");
    Ok(here)
}

fn by_id(whose: &Person, messages: &[Message]) -> ById {
    let mut all = BTreeMap::new();
    for message in messages {
        let text = content::show(&message.content, Language::English).plain().to_owned();
        let before = all.insert(message.id.to_vec(), (message.author.clone(), text));
        assert!(before.is_none(), "{}: twice in the history: {before:?}", whose.user);
    }
    all
}

fn source() -> &'static [String] {
    static ONCE: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    ONCE.get_or_init(texts)
}

async fn hear(session: Session, mut events: Events, heard: Arc<Mutex<Heard>>, arrived: Arc<AtomicU64>) {
    while let Some(event) = events.next().await {
        if let Event::Conversation(conversation) = &event
            && conversation.request
        {
            // Everybody here accepts everybody; asked again when the conversation is told again.
            let (session, conversation) = (session.clone(), conversation.conversation);
            tokio::spawn(async move { session.decide_request(conversation, true).await });
        }
        let mut heard = heard.lock().expect("no panic");
        match event {
            Event::Message { message, .. } if message.author != session.user() => {
                let text = content::show(&message.content, Language::English).plain().to_owned();
                heard.from.entry(message.author.clone()).or_default().take(&message.id, &text);
                arrived.fetch_add(1, Ordering::Release);
            }
            Event::Sent { counter, id, again, .. } => {
                let id = id.map(|id| id.0.to_vec()).unwrap_or_default();
                heard.acknowledged.insert(counter, (id, again));
            }
            Event::Failed { counter, error, .. } => heard.failed.push((counter, error.code.as_str().to_owned())),
            Event::Changed { message, .. } if !message.refused.is_empty() => heard.refused.push(message.refused),
            Event::WentBack => {
                heard.went_back += 1;
                // Numbers mean something else now, and what is there is told anew.
                heard.from.clear();
            }
            Event::Navigation { sequence } => heard.navigation = sequence,
            Event::Reminder(reminder) => heard.reminders.push((reminder.number, Some(reminder.due))),
            Event::ReminderEnded { number } => heard.reminders.push((number, None)),
            Event::Gap { after, before, .. } => heard.gaps.push((after, before)),
            _ => {}
        }
    }
}
