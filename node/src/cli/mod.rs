//! The command line: what can be asked, and how answers are shown. `--json` shows them as they are.

mod audit;
mod fields;
mod people;
mod policy;
mod restore;
mod show;
mod walk;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use clap::{Parser, Subcommand};
use serde_json::Value;
use startalk_protocol::{Error, error::Language};

pub use self::show::width as columns;
use crate::{
    admin::{self, Only, Progress, Request, backup, control},
    boot, capacity, clock, config,
    folder::{Folder, FolderError},
    keys::Keys,
    media, offline,
};

/// Startalk: instant messaging that anyone can run at home or in a company / 星语：人人可自建的即时通讯
#[derive(Parser, Debug)]
#[command(name = "startalk", version, max_term_width = 100)]
pub struct Options {
    /// The data folder / 数据文件夹
    #[arg(long, global = true, env = "STARTALK_DATA", default_value = "startalk-data", value_name = "FOLDER")]
    data: PathBuf,
    /// zh or en; default: the locale / 语言，默认随系统
    #[arg(long, global = true, env = "STARTALK_LANG", value_name = "LANG")]
    pub lang: Option<String>,
    /// Answers as JSON / 以 JSON 输出
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Start the node; makes a new domain if there is none / 启动节点；没有域时创建新域
    Up(Box<config::Raw>),
    /// Accounts / 帐号
    #[command(subcommand)]
    User(User),
    /// Make an invitation link / 生成邀请链接
    Invite {
        /// How many accounts it makes / 可用次数
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// For how long / 有效小时数
        #[arg(long, default_value_t = 72)]
        hours: u32,
        /// Makes administrators / 生成管理员
        #[arg(long)]
        administrator: bool,
    },
    /// Invitations that can still be used / 仍然有效的邀请
    Invitations {
        /// Makes this one void / 作废此邀请
        #[arg(long, value_name = "NUMBER")]
        revoke: Option<u64>,
    },
    /// Tokens with which programs administer / 供程序管理使用的令牌
    #[command(subcommand)]
    Token(TokenVerb),
    /// Groups with members here / 本域有成员的群
    Groups,
    /// One group; what is done to it everybody in it sees / 某个群；所做更改群内所有人可见
    #[command(subcommand)]
    Group(GroupVerb),
    /// The record of administrative acts, the newest first / 管理操作记录，最新在前
    Audit {
        /// Those before this number / 此编号之前的
        #[arg(long, default_value_t = 0)]
        before: u64,
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Only this act, such as account-disabled / 仅此类操作
        #[arg(long)]
        act: Option<String>,
        /// Only by: operator, token, or an account / 仅此操作者
        #[arg(long)]
        by: Option<String>,
        /// Only to: an account or a domain / 仅针对此帐号或域
        #[arg(long)]
        whom: Option<String>,
        /// Only of so many days / 仅最近若干天
        #[arg(long)]
        days: Option<u64>,
    },
    /// What the domain takes on its disk / 磁盘占用
    Storage,
    /// The last backups / 最近的备份
    Backups {
        /// Reads this one again, and changes nothing / 重新校验此备份，不做任何更改
        #[arg(long, value_name = "NAME|FOLDER")]
        check: Option<String>,
    },
    /// Domains that a restore has replaced / 恢复备份时被替换、保留下来的数据
    Replaced {
        /// Deletes this one / 删除此份
        #[arg(long, value_name = "NAME")]
        delete: Option<String>,
    },
    /// Other domains / 其他域
    #[command(subcommand)]
    Domain(Rule),
    /// Policies; without flags, shows them / 策略；不带参数则显示
    Policy(Box<policy::PolicyFlags>),
    /// Links to other domains: state, lag, last error / 与其他域的链路：状态、延迟、最近错误
    Peers,
    /// How the running node does, as Prometheus reads it / 运行状况，Prometheus 文本格式
    Metrics,
    /// Keys / 密钥
    #[command(subcommand)]
    Key(KeyVerb),
    /// Keys / 密钥
    #[command(subcommand)]
    Keys(KeyVerb),
    /// Copy the domain to an empty folder, while it runs / 备份到空文件夹，可在运行中进行
    Backup { to: PathBuf },
    /// Bring a backup back into --data, verified / 校验备份并恢复到 --data
    Restore {
        /// A backup's folder; with --replace, the name of one in the node's folder for them / 备份所在文件夹；使用 --replace 时为备份的名称
        from: PathBuf,
        /// In place of the domain that is there, also while it runs: its name / 替换 --data 中现有的域（运行中亦可）：其域名
        #[arg(long, value_name = "DOMAIN")]
        replace: Option<String>,
        /// Only says what would be lost / 仅说明将会失去什么
        #[arg(long)]
        dry_run: bool,
    },
    /// Measure how many people this machine carries / 测量这台机器可供多少人使用
    Bench(capacity::Flags),
    /// Give back the disk space of erased messages, also while it runs / 收回已抹去内容占用的磁盘空间，可在运行中进行
    Compact,
    /// Look for what is wrong, and say what to do / 检查问题并给出办法
    Doctor {
        /// Walks from the name of this domain to its server, from here and without a node / 从此机器逐步检查能否到达该域，无需节点
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<String>,
        #[command(flatten)]
        by: walk::Flags,
    },
    /// Make the views again from the whole journal, without checkpoints (the node must be stopped) / 不用检查点，由完整日志重建视图（须先停止节点）
    Rebuild,
    /// The process that decodes pictures; the node starts it.
    #[command(name = media::WORKER, hide = true)]
    MediaWorker { words: Vec<String> },
}

#[derive(Subcommand, Debug)]
enum User {
    /// Add an account with a password for once / 添加帐号并生成一次性密码
    Add {
        name: String,
        #[arg(long, default_value = "")]
        display_name: String,
        #[arg(long)]
        administrator: bool,
    },
    /// List accounts / 列出帐号
    List,
    /// Disable an account / 停用帐号
    Disable { name: String },
    /// Enable it again / 重新启用
    Enable { name: String },
    /// Delete an account: name, profile and secrets are erased / 删除帐号：抹去名字、资料和密钥
    Delete {
        name: String,
        /// Its messages too / 同时抹去其消息
        #[arg(long)]
        erase_messages: bool,
    },
    /// Give a new password / 重置密码
    ResetPassword { name: String },
    /// member, auditor or administrator / 设置角色：member、auditor 或 administrator
    Role { name: String, role: String },
    /// List an account's devices / 列出帐号的设备
    Devices { name: String },
    /// Sign a device out / 登出某个设备
    SignOut { name: String, device: u64 },
    /// How somebody signs in, and when they were last here / 登录方式与最近在线
    Ways { name: String },
    /// Take away whom a provider names / 解除第三方登录身份
    Unlink { name: String, link: u64 },
    /// Remove a passkey / 移除通行密钥
    RemovePasskey { name: String, passkey: u64 },
    /// People from a CSV or XLSX file, or a directory; shows what changes, row by row / 从 CSV 或 XLSX 文件或目录导入，逐行显示更改
    Import {
        #[arg(required_unless_present = "directory")]
        file: Option<PathBuf>,
        /// The id of an [[ldap]] directory instead of a file / 不用文件，而从此 [[ldap]] 目录导入
        #[arg(long, value_name = "ID", conflicts_with_all = ["file", "links"])]
        directory: Option<String>,
        /// Only show what would change / 仅显示将要进行的更改
        #[arg(long)]
        dry_run: bool,
        /// It names everybody: who is missing is disabled / 其中包含所有人：缺少的人将被停用
        #[arg(long)]
        everyone: bool,
        /// So many are meant to be disabled, although more than 20 % / 确认停用的人数（超过 20 % 时须给出）
        #[arg(long, value_name = "NUMBER")]
        disable: Option<usize>,
        /// Where to write the sign-in links of new people / 新用户登录链接写入此文件
        #[arg(long, value_name = "FILE")]
        links: Option<PathBuf>,
        /// For how many days they are good / 链接有效天数
        #[arg(long, default_value_t = 14, value_name = "DAYS")]
        link_days: u32,
    },
    /// New links for all from a file who have never signed in / 为导入后从未登录的人重新生成登录链接
    Links {
        file: PathBuf,
        #[arg(long, default_value_t = 14)]
        days: u32,
    },
    /// A link with which somebody signs in once / 生成一次性登录链接
    Link {
        name: String,
        #[arg(long, default_value_t = 14)]
        days: u32,
    },
    /// Print a file to fill in for `import` / 打印导入模板
    Template,
}

#[derive(Subcommand, Debug)]
enum TokenVerb {
    /// Make a token; it is shown this once / 生成令牌，仅显示这一次
    Add {
        name: String,
        /// read, people, domains, policies or all; may be repeated / 权限范围，可重复
        #[arg(long = "scope", default_value = "read", value_delimiter = ',')]
        scopes: Vec<String>,
        /// For how long / 有效天数
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// List tokens / 列出令牌
    List,
    /// Make a token void / 作废令牌
    Revoke { token: u64 },
}

#[derive(Subcommand, Debug)]
enum GroupVerb {
    /// Whose it is, and who is in / 群主与成员
    Show { group: String },
    /// Give it another owner / 移交给另一成员
    HandOver { group: String, user: String },
    /// Bring somebody of this domain in / 加入本域的人
    Add { group: String, user: String },
    /// Remove somebody of this domain / 移出本域的人
    Remove { group: String, user: String },
    /// Give it another name / 更改群名
    Name { group: String, name: String },
    /// End it for good / 永久解散
    Destroy {
        group: String,
        /// For everybody in it / 告知群内所有人的原因
        #[arg(long, default_value = "")]
        reason: String,
    },
}

impl GroupVerb {
    fn request(&self) -> Request {
        let (group, what, value) = match self {
            Self::Show { group } => return Request::Group { group: group.clone() },
            Self::HandOver { group, user } => (group, "hand-over", user),
            Self::Add { group, user } => (group, "add", user),
            Self::Remove { group, user } => (group, "remove", user),
            Self::Name { group, name } => (group, "name", name),
            Self::Destroy { group, reason } => (group, "destroy", reason),
        };
        Request::GroupTend { group: group.clone(), what: what.into(), value: value.clone() }
    }
}

#[derive(Subcommand, Debug)]
enum Rule {
    /// Talk to it / 允许
    Allow {
        domain: String,
        /// Accept a new root key at the next contact / 下次联系时接受新的根密钥
        #[arg(long)]
        accept_new_key: bool,
    },
    /// Never talk to it / 拒绝
    Deny { domain: String },
    /// As for all others / 恢复默认
    Clear { domain: String },
}

#[derive(Subcommand, Debug)]
enum KeyVerb {
    /// Print the root key, to be kept offline / 打印根密钥以便离线保管
    Export,
    /// Make a new link key now / 立即更换链路密钥
    Rotate,
}

impl Verb {
    /// As the admin part knows it; `None` for what is done right here.
    fn request(&self) -> Option<Request> {
        Some(match self {
            Self::User(user) => match user {
                User::Add { name, display_name, administrator } => {
                    Request::UserAdd { name: name.clone(), display_name: display_name.clone(), administrator: *administrator }
                }
                User::List => Request::UserList,
                User::Disable { name } => Request::UserDisable { name: name.clone(), disabled: true },
                User::Enable { name } => Request::UserDisable { name: name.clone(), disabled: false },
                User::Delete { name, erase_messages } => {
                    Request::UserDelete { name: name.clone(), erase_messages: *erase_messages }
                }
                User::ResetPassword { name } => Request::UserResetPassword { name: name.clone() },
                User::Role { name, role } => Request::UserRole { name: name.clone(), role: role.clone() },
                User::Devices { name } => Request::UserDevices { name: name.clone() },
                User::SignOut { name, device } => Request::UserSignOut { name: name.clone(), device: *device },
                User::Ways { name } => Request::UserWays { name: name.clone() },
                User::Unlink { name, link } => Request::UserUnlink { name: name.clone(), link: *link },
                User::RemovePasskey { name, passkey } => Request::UserPasskeyRemove { name: name.clone(), passkey: *passkey },
                User::Link { name, days } => Request::UserLink { name: name.clone(), days: *days },
                User::Import { .. } | User::Links { .. } | User::Template => return None,
            },
            Self::Invite { uses, hours, administrator } => {
                Request::Invite { uses: *uses, hours: *hours, administrator: *administrator, groups: Vec::new() }
            }
            Self::Domain(rule) => {
                let (domain, rule, accept_new_key) = match rule {
                    Rule::Allow { domain, accept_new_key } => (domain, "allow", *accept_new_key),
                    Rule::Deny { domain } => (domain, "deny", false),
                    Rule::Clear { domain } => (domain, "", false),
                };
                Request::DomainRule { domain: domain.clone(), rule: rule.into(), accept_new_key }
            }
            Self::Policy(flags) => Request::Policy(Box::new(flags.change())),
            Self::Invitations { revoke: None } => Request::Invitations,
            Self::Invitations { revoke: Some(invitation) } => Request::InvitationRevoke { invitation: *invitation },
            Self::Token(TokenVerb::Add { name, scopes, days }) => {
                Request::TokenAdd { name: name.clone(), scopes: scopes.clone(), days: *days }
            }
            Self::Token(TokenVerb::List) => Request::TokenList,
            Self::Token(TokenVerb::Revoke { token }) => Request::TokenRevoke { token: *token },
            Self::Groups => Request::Groups,
            Self::Group(verb) => verb.request(),
            Self::Audit { before, limit, act, by, whom, days } => {
                let from_ms = days.map(|d| clock::now_ms().saturating_sub(d * 86_400_000));
                let only = Only { act: act.clone(), by: by.clone(), whom: whom.clone(), from_ms, to_ms: None };
                Request::Audit { before: *before, limit: *limit, only }
            }
            Self::Storage => Request::Storage,
            Self::Backups { check: None } => Request::Backups,
            Self::Backups { check: Some(backup) } => Request::BackupCheck { backup: copy_named(Path::new(backup)) },
            Self::Replaced { delete: None } => Request::Replaced,
            Self::Replaced { delete: Some(name) } => Request::ReplacedDelete { name: name.clone() },
            Self::Restore { from, dry_run: true, .. } => Request::Loss { backup: copy_named(from) },
            Self::Peers => Request::Peers,
            Self::Metrics => Request::Metrics,
            Self::Key(KeyVerb::Rotate) | Self::Keys(KeyVerb::Rotate) => Request::KeysRotate,
            Self::Backup { to } => Request::Backup { to: std::path::absolute(to).unwrap_or_else(|_| to.clone()) },
            Self::Compact => Request::Compact,
            Self::Doctor { domain: None, .. } => Request::Doctor,
            Self::MediaWorker { .. }
            | Self::Up(_)
            | Self::Bench(_)
            | Self::Restore { .. }
            | Self::Doctor { .. }
            | Self::Rebuild
            | Self::Key(KeyVerb::Export)
            | Self::Keys(KeyVerb::Export) => {
                return None;
            }
        })
    }
}

/// Carries the command line out.
///
/// # Errors
/// For [`words_of`].
pub fn run(options: Options, language: Language) -> anyhow::Result<()> {
    let Options { data, json, verb, .. } = options;
    if let Verb::MediaWorker { words } = &verb {
        return Ok(startalk_media::worker::run(startalk_media::worker::Wanted::read(words))?);
    }
    let progress = progress_bar(json);
    if let Some(request) = verb.request() {
        let value = match control::ask(&data, &request, &progress) {
            Some(result) => result?,
            // Only a running node has something to tell; the folder is not opened for it.
            None if matches!(request, Request::Metrics) => return Err(admin::stopped().into()),
            None => offline::run(&data, request, &progress)?,
        };
        return show(&value, json, language);
    }
    match verb {
        Verb::User(User::Template) => {
            show(&serde_json::json!({ "template": startalk_intake::template(language) }), json, language)
        }
        Verb::User(User::Import { file, directory, dry_run, everyone, disable, links, link_days }) => {
            let request = match directory {
                Some(directory) => people::from_directory(directory, everyone, disable, !dry_run, language),
                None => {
                    let (file, link_days) = (file.unwrap_or_default(), (!dry_run).then_some(link_days));
                    people::request(&file, everyone, disable, link_days, language)?
                }
            };
            with_links(&data, request, links.filter(|_| !dry_run), &progress, json, language)
        }
        Verb::User(User::Links { file, days }) => {
            let request = Request::UserLinks { days, language: people::tag(language).into() };
            with_links(&data, request, Some(file), &progress, json, language)
        }
        Verb::Up(raw) => boot::up(&data, raw.resolve()?, json, language),
        Verb::Restore { from, replace: Some(domain), .. } => {
            let request = Request::Restore { backup: copy_named(&from), domain };
            show(&restore::replace(&data, &request, &progress)?, json, language)
        }
        Verb::Restore { from, .. } => {
            let records = backup::restore(&from, &data, &progress)?;
            show(&serde_json::json!({ "restored": records }), json, language)
        }
        Verb::Doctor { domain, by } => {
            let findings = walk::walk(domain.as_deref().unwrap_or_default(), &by)?;
            show(&serde_json::json!({ "findings": findings }), json, language)
        }
        Verb::Bench(flags) => capacity::run(&flags, &data, json, language),
        Verb::Rebuild => {
            let records = offline::rebuild(&data, &progress)?;
            show(&serde_json::json!({ "rebuilt": records }), json, language)
        }
        Verb::Key(KeyVerb::Export) | Verb::Keys(KeyVerb::Export) => show(&export(&data)?, json, language),
        _ => unreachable!("every other verb is a request"),
    }
}

/// Asks for what may be answered with links, which go to a file.
fn with_links(
    data: &Path,
    request: Request,
    links: Option<PathBuf>,
    progress: &Progress,
    json: bool,
    language: Language,
) -> anyhow::Result<()> {
    let file = links.as_deref().map(people::links_file).transpose()?;
    let answer = match control::ask(data, &request, progress) {
        Some(result) => result.map_err(Into::into),
        None => offline::run(data, request, progress),
    };
    let mut answer = match (answer, links.as_deref()) {
        (Err(error), Some(path)) => {
            // There are none: the empty file is in nobody's way.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        (answer, _) => answer?,
    };
    people::write_links(&mut answer, file.zip(links.as_deref()))?;
    show(&answer, json, language)
}

/// A copy for the node: a folder that is there by its whole path, anything else as a name.
fn copy_named(from: &Path) -> String {
    let path =
        if Folder::exists(from) { std::path::absolute(from).unwrap_or_else(|_| from.to_path_buf()) } else { from.to_path_buf() };
    path.display().to_string()
}

/// The root key may be read while the node runs: the files do not change.
fn export(data: &Path) -> anyhow::Result<Value> {
    if !Folder::exists(data) {
        return Err(FolderError::Empty(data.display().to_string()).into());
    }
    let root = Keys::read_root(data)?;
    Ok(serde_json::json!({ "root_key": root }))
}

fn show(value: &Value, json: bool, language: Language) -> anyhow::Result<()> {
    if json {
        println!("{value}")
    } else {
        print!("{}", show::in_words(value, language))
    }
    Ok(())
}

/// An error for people: protocol errors in their own words.
pub fn words_of(error: &anyhow::Error, language: Language) -> String {
    // What was being looked at stands before the reason: `--hub ftp://x: …`.
    let parts = error.chain().map(|cause| cause.downcast_ref::<Error>().map_or_else(|| cause.to_string(), |e| e.words(language)));
    parts.collect::<Vec<_>>().join(": ")
}

/// Draws a bar on standard error, if that is a terminal.
pub fn progress_bar(json: bool) -> Progress {
    use std::io::IsTerminal as _;
    if json || !std::io::stderr().is_terminal() {
        return Arc::new(|_, _| {});
    }
    let last = OnceLock::new();
    let _ = last.set(std::sync::atomic::AtomicU64::new(u64::MAX));
    Arc::new(move |done, total| {
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        let last: &std::sync::atomic::AtomicU64 = last.get_or_init(Default::default);
        if last.swap(percent, std::sync::atomic::Ordering::Relaxed) == percent {
            return;
        }
        let filled = usize::try_from(percent / 4).unwrap_or(25);
        eprint!("\r[{}{}] {percent:3} %  {done}/{total} ", "█".repeat(filled), "░".repeat(25 - filled.min(25)));
        if done >= total {
            eprintln!();
        }
    })
}
