//! Everything that the screen shows, and what may happen to it: pure, so that it is tested without a terminal.
//!
//! [`App::update`] takes what happened and says what is to be done ([`Effect`]); `draw` shows it. Knows no session, no
//! socket and no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crossterm::event::KeyEvent;
use startalk_client::{
    ClientError, Event, Language, Outgoing, State, UserId,
    wire_types::{
        Conversation, Found, GroupInvitation, GroupLink, Invitation, Members, Message, Page, Readers, Search, act_in_group::Act,
    },
};

use super::{
    chat::{Chat, Mine},
    editor::Editor,
    find::Find,
    form::{Filled, Form},
    group::Sheet,
    words::Word,
};

/// How long a notice is shown.
const NOTICE_MS: i64 = 8000;

/// What happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time; a box for each would cost more")]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// A pasted text.
    Paste(String),
    /// The session tells something.
    Event(Box<Event>),
    /// An attempt to get in has found and checked the domain.
    Connected,
    /// An attempt to get in came to its end; recovery codes to be shown.
    Entered(Result<Vec<String>, ClientError>),
    /// A session runs for this user; what is known from before.
    Running { user: String, conversations: Vec<Conversation>, outbox: Vec<Outgoing> },
    /// Something of mine was accepted, or not.
    Accepted { local: u64, result: Result<u64, ClientError> },
    /// A page of history.
    Page { conversation: u64, result: Result<Page, ClientError> },
    /// A conversation was begun.
    Opened(Result<Conversation, ClientError>),
    /// An invitation was made.
    Invited(Result<Invitation, ClientError>),
    /// Who is in a group, or asks to be.
    Members { asked: bool, result: Result<Members, ClientError> },
    /// Links into a group.
    Links { conversation: u64, result: Result<Vec<GroupLink>, ClientError> },
    /// What is pinned.
    Pins(Result<Vec<Message>, ClientError>),
    /// Who has read a message.
    Readers(Result<Readers, ClientError>),
    /// Invitations that wait.
    Invitations(Result<Vec<GroupInvitation>, ClientError>),
    /// What was found.
    Found(Result<Found, ClientError>),
    /// A file of a line of transfers moved: bytes there and in all, or it waits for the connection.
    Moved { local: u64, name: String, up: bool, done: Option<(u64, u64)>, waiting: bool },
    /// Something that was uploaded is to be said, or could not be uploaded.
    Uploaded { local: u64, conversation: u64, result: Result<bytes::Bytes, Trouble> },
    /// A file was saved under this path, or not.
    FileSaved { local: u64, result: Result<String, Trouble> },
    /// Nothing more comes of these transfers.
    TransferEnded { local: u64 },
    /// A list that was asked for.
    Listed { list: List, result: Result<Vec<Listed>, ClientError> },
    /// Something was done, or not.
    Done(Result<(), ClientError>),
    /// Time passed.
    Tick,
}

/// A list of the account, or of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// What is said later.
    Scheduled,
    /// What one is reminded of.
    Reminders,
    /// What one has kept.
    Saved,
    /// What the open conversation holds besides words.
    Files,
}

/// An entry of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// By which it is taken away.
    pub number: u64,
    /// When it is due, or was said.
    pub at_ms: i64,
    /// Of the message; empty: it is not there, see `state`.
    pub content: bytes::Bytes,
    /// Who said it; empty: oneself, later.
    pub author: String,
    /// The person's own.
    pub note: String,
    /// What has become of a message that is not there.
    pub state: String,
    /// The code of why it could not be said.
    pub failed: String,
}

/// Why a file did not move.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// There is nothing at this path.
    Missing(String),
    /// This is a folder.
    Folder(String),
    /// Something else, with this file.
    Other(String, ClientError),
}

/// A file on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// The file's.
    pub name: String,
    /// To the node.
    pub up: bool,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes of the whole.
    pub total: u64,
    /// Bytes that were there when it began to be measured.
    pub from: u64,
    /// When that was.
    pub since_ms: i64,
    /// The connection is away; it goes on by itself.
    pub waiting: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Get in.
    Enter(Box<Filled>),
    /// Say something.
    Send { local: u64, conversation: u64, content: bytes::Bytes, reply_to: bytes::Bytes, reply_sequence: u64 },
    /// Upload files and say them; unchanged: as files, whatever they are.
    Upload { local: u64, conversation: u64, paths: Vec<String>, caption: String, unchanged: bool },
    /// Save files of a message in a folder; empty: the one that the program runs in.
    Download { local: u64, conversation: u64, sequence: u64, files: Vec<startalk_client::wire_content::File>, folder: String },
    /// Stop a transfer.
    Stop { local: u64 },
    /// Say something else instead.
    Edit { local: u64, conversation: u64, sequence: u64, content: bytes::Bytes },
    /// Take something back.
    Recall { local: u64, conversation: u64, sequence: u64 },
    /// Do something in a group.
    Act { local: u64, conversation: u64, act: Box<Act> },
    /// Begin a group.
    CreateGroup { local: u64, name: String, members: Vec<UserId> },
    /// Come into a group by a link.
    JoinGroup { local: u64, link: String, word: String },
    /// Follow an invitation, or let it go.
    DecideInvitation { local: u64, group: String, accept: bool },
    /// Ask who is in a group, or asks to be.
    Members { conversation: u64, asked: bool, from: u64 },
    /// Ask for links into a group.
    Links { conversation: u64 },
    /// Ask what is pinned.
    Pins { conversation: u64 },
    /// Ask who has read a message.
    Readers { conversation: u64, sequence: u64 },
    /// Ask which invitations wait.
    Invitations,
    /// Search.
    Search(Box<Search>),
    /// Hear of a conversation otherwise.
    SetConversation { conversation: u64, muted_until_ms: i64, mentions_only: bool },
    /// Tell what was seen.
    Mark { conversation: u64, read: u64 },
    /// Ask for messages before a sequence; 0: the newest.
    History { conversation: u64, before: u64 },
    /// Have something said so many milliseconds from now.
    Later { conversation: u64, content: bytes::Bytes, after_ms: i64 },
    /// Be reminded so many milliseconds from now.
    Remind { conversation: u64, sequence: u64, note: String, after_ms: i64 },
    /// Ask for a list.
    List { list: List, conversation: u64 },
    /// Take an entry of a list away.
    Drop { list: List, number: u64 },
    /// Keep a message among what is saved.
    Keep { conversation: u64, sequence: u64, note: String },
    /// Open a message that burns.
    OpenMessage { conversation: u64, sequence: u64 },
    /// Begin a conversation.
    Open(UserId),
    /// Decide a request.
    Decide { conversation: u64, accept: bool },
    /// Block, or unblock.
    Block { user: String, blocked: bool },
    /// Tell that one writes.
    Typing { conversation: u64, typing: bool },
    /// Make an invitation.
    Invite,
    /// Sign this device out.
    SignOut,
    /// End.
    Quit,
}

/// What the screen shows as a whole.
#[derive(Debug)]
pub enum Mode {
    /// The way in.
    Form(Box<Form>),
    /// Recovery codes, to be written down.
    Codes(Vec<String>),
    /// Conversations.
    Chats,
}

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The list.
    List,
    /// The open conversation.
    Chat,
}

/// Something in front of the rest.
#[derive(Debug)]
pub enum Dialog {
    /// The keys.
    Help,
    /// Whose account?
    NewConversation(Editor),
    /// Take it back?
    Recall { conversation: u64, sequence: u64 },
    /// Block?
    Block(String),
    /// Sign out?
    SignOut,
    /// Something to read, or to copy.
    Text(String),
    /// Something about groups.
    Group(Sheet),
    /// Searching.
    Find(Box<Find>),
}

/// What drawing found out, for the next key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// Columns of the composer.
    pub composer_columns: usize,
    /// Rows of the timeline.
    pub timeline_rows: usize,
    /// The oldest loaded message is in view.
    pub at_top: bool,
    /// Rows of the list.
    pub list_rows: usize,
}

/// See the module.
#[derive(Debug)]
pub struct App {
    /// Of all words.
    pub language: Language,
    /// Seconds that local time is ahead of UTC.
    pub offset_seconds: i64,
    /// As of the last input.
    pub now_ms: i64,
    /// What is shown.
    pub mode: Mode,
    /// Who one is.
    pub me: String,
    /// Conversations by number.
    pub chats: HashMap<u64, Chat>,
    /// Chosen in the list.
    pub chosen: Option<u64>,
    /// Shown in the timeline.
    pub open: Option<u64>,
    /// Where keys go.
    pub focus: Focus,
    /// In front.
    pub dialog: Option<Dialog>,
    /// What the list is searched for.
    pub filter: Option<Editor>,
    /// The connection.
    pub state: State,
    /// The account ends then, for the domain is for trying; 0: it does not.
    pub ends_ms: i64,
    /// When the next attempt is.
    pub retry_at_ms: i64,
    /// Everything missed was told.
    pub synced: bool,
    /// A line that goes away by itself, and when.
    pub notice: Option<(String, i64)>,
    /// By user.
    pub presence: HashMap<String, String>,
    /// What people are called, by user.
    pub names: HashMap<String, String>,
    /// Into groups, waiting for a decision.
    pub invitations: Vec<GroupInvitation>,
    /// Files on their way, by number.
    pub transfers: BTreeMap<u64, Moving>,
    /// From drawing.
    pub layout: Layout,
    /// The server's address, as it was given.
    pub(super) server: String,
    pub(super) next_local: u64,
    /// Outcomes that came before their numbers were known.
    pub(super) early: BTreeMap<u64, Event>,
    /// Edits and recalls on their way, by number.
    pub(super) changes: BTreeMap<u64, u64>,
    /// Drafts and what is on its way, by person, while conversations have no numbers.
    pub(super) kept: HashMap<String, (Editor, Vec<Mine>)>,
    /// Conversations whose newest messages are to be asked for again.
    pub(super) stale: BTreeSet<u64>,
}

impl App {
    /// Shows the form, until a session runs.
    pub fn new(language: Language, offset_seconds: i64, form: Form) -> Self {
        Self {
            server: form.filled().server,
            language,
            offset_seconds,
            now_ms: 0,
            mode: Mode::Form(Box::new(form)),
            me: String::new(),
            chats: HashMap::new(),
            chosen: None,
            open: None,
            focus: Focus::List,
            dialog: None,
            filter: None,
            state: State::Connecting,
            ends_ms: 0,
            retry_at_ms: 0,
            synced: false,
            notice: None,
            presence: HashMap::new(),
            names: HashMap::new(),
            invitations: Vec::new(),
            transfers: BTreeMap::new(),
            layout: Layout::default(),
            next_local: 1,
            early: BTreeMap::new(),
            changes: BTreeMap::new(),
            kept: HashMap::new(),
            stale: BTreeSet::new(),
        }
    }

    /// A text in the language of the moment.
    pub fn word(&self, word: Word) -> &'static str {
        word.text(self.language)
    }

    /// With values.
    pub fn with(&self, word: Word, values: &[&str]) -> String {
        word.with(self.language, values)
    }

    /// Something happened.
    pub fn update(&mut self, input: Input, now_ms: i64) -> Vec<Effect> {
        self.now_ms = now_ms;
        if self.notice.as_ref().is_some_and(|(_, until)| *until <= now_ms) {
            self.notice = None;
        }
        let mut effects = match input {
            Input::Key(key) => self.on_key(key),
            Input::Paste(text) => self.on_paste(&text),
            Input::Event(event) => self.on_event(*event),
            Input::Tick => self.refresh(),
            other => self.on_answer(other),
        };
        effects.extend(self.seen());
        effects
    }

    pub(super) fn say(&mut self, notice: String) {
        self.notice = Some((super::wrap::harmless(&notice), self.now_ms + NOTICE_MS));
    }

    pub(super) fn local(&mut self) -> u64 {
        self.next_local += 1;
        self.next_local
    }

    /// The open conversation.
    pub fn chat(&self) -> Option<&Chat> {
        self.chats.get(&self.open?)
    }

    pub(super) fn chat_mut(&mut self) -> Option<&mut Chat> {
        self.chats.get_mut(&self.open?)
    }

    /// How a person is called, who is not oneself.
    pub fn name_of(&self, user: &str) -> String {
        let shown = self.names.get(user).map(|n| n.trim()).filter(|n| !n.is_empty());
        super::wrap::harmless(shown.unwrap_or(user)).replace('\n', " ")
    }

    /// The same; oneself is "you".
    pub fn called(&self, user: &str) -> String {
        if user == self.me { self.word(Word::You).to_owned() } else { self.name_of(user) }
    }

    /// A message as one piece of text, people by their names.
    pub fn plain(&self, message: &Message) -> String {
        let name = |user: &str| if user == self.me { self.word(Word::YouInLine).to_owned() } else { self.name_of(user) };
        let text = super::chat::plain_by(&message.content, self.language, &message.author, &name);
        // A line may begin with "you".
        match (message.author == self.me, text.strip_prefix(self.word(Word::YouInLine))) {
            (true, Some(rest)) => format!("{}{rest}", self.word(Word::YouBegins)),
            _ => text,
        }
    }

    /// Numbers in the order of the list: requests first, then by time.
    pub fn list(&self) -> Vec<u64> {
        let wanted = self.filter.as_ref().map(|f| f.text().to_lowercase()).unwrap_or_default();
        let found = |c: &&Chat| c.name().to_lowercase().contains(&wanted) || c.peer().contains(&wanted);
        let mut all: Vec<&Chat> = self.chats.values().filter(found).collect();
        all.sort_by_key(|c| {
            let newest = c.mine.last().map_or(c.info.time_ms, |m| m.time_ms.max(c.info.time_ms));
            (!c.info.request, std::cmp::Reverse(newest), c.info.conversation)
        });
        all.into_iter().map(|c| c.info.conversation).collect()
    }

    /// What is in view was seen.
    fn seen(&mut self) -> Option<Effect> {
        if self.focus != Focus::Chat || !matches!(self.mode, Mode::Chats) {
            return None;
        }
        let chat = self.chat_mut()?;
        let newest = chat.messages.last_key_value().map_or(0, |(s, _)| *s);
        if chat.anchor.is_some() || chat.info.request || newest <= chat.info.read {
            return None;
        }
        chat.info.read = newest;
        Some(Effect::Mark { conversation: chat.info.conversation, read: newest })
    }

    /// Opens a conversation; asks for its newest messages if there are none here.
    pub(super) fn open_chat(&mut self, conversation: u64) -> Vec<Effect> {
        self.open = Some(conversation);
        self.chosen = Some(conversation);
        self.focus = Focus::Chat;
        let Some(chat) = self.chats.get_mut(&conversation) else { return Vec::new() };
        chat.anchor = None;
        let mut effects = Vec::new();
        if chat.info.group.is_some() {
            effects.push(Effect::Members { conversation, asked: false, from: 0 });
        }
        if (chat.low == 0 || chat.messages.len() < 20 && chat.low > 1) && !chat.loading && chat.info.head > 0 {
            chat.loading = true;
            effects.push(Effect::History { conversation, before: chat.low });
        }
        effects
    }
}
