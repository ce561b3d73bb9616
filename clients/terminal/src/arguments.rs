//! The command line, and what follows from it: options for the SDK, the folder, the language.
//!
//! Parses and decides nothing else; everything is checked before anything starts.

use std::path::{Path, PathBuf};

use clap::Parser;
use startalk_client::{
    ClientError, FileStore, Home, HubUrl, JoinLink, Language, MemoryStore, Options, Server, Store, Transport, UserId,
};

/// The Startalk client for a terminal. 星语终端客户端
#[derive(Clone, Debug, Parser)]
#[command(name = "startalk-terminal", version, about, long_about = None)]
pub struct Arguments {
    /// Who to sign in as (name@domain), or a link that lets you in / 帐号 name@domain，或邀请链接
    pub who: Option<String>,
    /// Lines of JSON on standard input and output instead of a screen / 以 JSON 行代替界面
    #[arg(long)]
    pub json: bool,
    /// Folder for this device's token, what is to be sent, and how far was heard / 数据目录
    #[arg(long, value_name = "DIR", env = "STARTALK_TERMINAL_DATA")]
    pub data: Option<PathBuf>,
    /// A hub to ask where domains are; may be repeated / 枢纽，可重复
    #[arg(long, value_name = "URL")]
    pub hub: Vec<HubUrl>,
    /// The server's address, perhaps with its key's fingerprint: host:port#fingerprint; may be repeated / 服务器地址
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Vec<Server>,
    /// tls, quic, or quic-then-tls / 传输方式
    #[arg(long, default_value = "tls", value_parser = transport)]
    pub transport: Transport,
    /// zh or en; otherwise from LANG / 语言
    #[arg(long, value_parser = language)]
    pub lang: Option<Language>,
    /// With --json: at the end of standard input, do not wait until everything is sent / 不等待发送完毕
    #[arg(long)]
    pub no_wait: bool,
}

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "tls" => Ok(Transport::Tls),
        "quic" => Ok(Transport::Quic),
        "quic-then-tls" => Ok(Transport::QuicThenTls),
        _ => Err("expected tls, quic or quic-then-tls".to_owned()),
    }
}

fn language(text: &str) -> Result<Language, String> {
    match text {
        "zh" => Ok(Language::Chinese),
        "en" => Ok(Language::English),
        _ => Err("expected zh or en".to_owned()),
    }
}

/// As the environment says.
fn language_of_environment() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    Language::of(set.as_deref().unwrap_or("en"))
}

impl Arguments {
    /// The language of words.
    pub fn language(&self) -> Language {
        self.lang.unwrap_or_else(language_of_environment)
    }

    /// How to connect to this home.
    pub fn options(&self, home: Home) -> Options {
        let language = if self.language() == Language::Chinese { "zh" } else { "en" };
        Options {
            hubs: self.hub.clone(),
            transport: self.transport,
            client: concat!("startalk-terminal/", env!("CARGO_PKG_VERSION")).to_owned(),
            language: language.to_owned(),
            ..Options::new(home)
        }
    }

    /// Where to go for a user, who may be a name alone if there is a `--server`.
    ///
    /// # Errors
    /// `input` if neither says where.
    pub fn home_of(&self, user: &str) -> Result<Home, ClientError> {
        match (user.contains('@'), self.server.first()) {
            (true, _) => {
                let user: UserId = user.parse().map_err(|_| ClientError::Input("name@domain".to_owned()))?;
                Ok(Home::Domain { domain: user.domain, servers: self.server.clone() })
            }
            (false, Some(server)) => Ok(Home::Server(server.clone())),
            (false, None) => Err(ClientError::Input("name@domain, or a name with --server".to_owned())),
        }
    }

    /// Where a link leads; `--server` goes before what it says.
    pub fn home_of_link(&self, link: &JoinLink) -> Home {
        match (link.home(), self.server.first()) {
            (Home::Domain { domain, mut servers }, Some(_)) => {
                servers.splice(0..0, self.server.iter().cloned());
                Home::Domain { domain, servers }
            }
            (_, Some(server)) => Home::Server(server.clone()),
            (home, None) => home,
        }
    }

    /// Opens the folder, or memory if there is none.
    ///
    /// # Errors
    /// `store` if it is in use or cannot be written.
    pub fn store(&self) -> Result<Box<dyn Store>, ClientError> {
        match &self.data {
            Some(folder) => open(folder),
            None => Ok(Box::new(MemoryStore::default())),
        }
    }
}

/// Opens a folder.
///
/// # Errors
/// `store`.
pub fn open(folder: &Path) -> Result<Box<dyn Store>, ClientError> {
    let store = FileStore::open(folder).map_err(|e| ClientError::Store(e.to_string()))?;
    Ok(Box::new(store))
}
