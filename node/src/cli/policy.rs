//! The flags of `startalk policy`.

use clap::Args;

use crate::admin::PolicyChange;

/// What is to change; without any, policies are shown.
#[derive(Args, Clone, Debug)]
pub struct PolicyFlags {
    /// closed, invitation or open
    #[arg(long)]
    registration: Option<String>,
    /// For people / 给人看的名称
    #[arg(long)]
    display_name: Option<String>,
    /// Listed by hubs / 由枢纽公开列出
    #[arg(long)]
    listed: Option<bool>,
    /// How long authors may recall / 可撤回的秒数
    #[arg(long)]
    recall_seconds: Option<i64>,
    /// How long authors may edit / 可编辑的秒数
    #[arg(long)]
    edit_seconds: Option<i64>,
    /// Who may begin groups: everybody or administrators / 谁可建群
    #[arg(long)]
    group_creation: Option<String>,
    /// Characters of a new password at least / 新密码的最少字符数
    #[arg(long)]
    password_chars_min: Option<u32>,
    /// open, or allowed: only with domains that were allowed / 与哪些域通信：open 或 allowed（仅允许的域）
    #[arg(long)]
    federation: Option<String>,
    /// Days for which messages are kept, then erased for good; 0: for ever / 消息保留天数，过期永久抹去；0 为永久保留
    #[arg(long)]
    retention_days: Option<u32>,
    /// Of which conversations: all, direct or groups / 适用的会话：all 全部、direct 单聊、groups 群聊
    #[arg(long)]
    retention_of: Option<String>,
    /// Accounts at most; 0: no limit / 帐号数上限；0 为不限
    #[arg(long)]
    accounts_max: Option<u64>,
    /// Messages that an account may send in a day; 0: no limit / 每个帐号每天可发的消息数；0 为不限
    #[arg(long)]
    messages_per_day: Option<u64>,
    /// Bytes of what an account says in a day; 0: no limit / 每个帐号每天所发内容的字节数；0 为不限
    #[arg(long)]
    bytes_per_day: Option<u64>,
    /// Groups that an account may own; 0: no limit / 每个帐号可拥有的群数；0 为不限
    #[arg(long)]
    groups_per_account: Option<u64>,
    /// Bytes of a file at most / 单个文件的字节数上限
    #[arg(long)]
    file_bytes_max: Option<u64>,
    /// Bytes of files that an account may hold; 0: no limit / 每个帐号的文件总字节数；0 为不限
    #[arg(long)]
    files_bytes_per_account: Option<u64>,
    /// Bytes of copies of other domains' files at most / 其他域文件副本的总字节数上限
    #[arg(long)]
    cache_bytes_max: Option<u64>,
    /// Days for which a copy is kept that nobody opens / 无人打开的副本保留天数
    #[arg(long)]
    cache_days: Option<u32>,
    /// The node may look at pages that its people link to / 允许节点查看成员所发链接的网页
    #[arg(long)]
    link_previews: Option<bool>,
    /// A line or two about the domain / 域的简介
    #[arg(long)]
    description: Option<String>,
    /// The domain's colour, like #1a2b3c / 域的颜色，如 #1a2b3c
    #[arg(long)]
    colour: Option<String>,
    /// Days after which an account of who does not administer ends; 0: it does not / 非管理帐号在多少天后到期删除；0 为不到期
    #[arg(long)]
    trial_days: Option<u32>,
}

impl PolicyFlags {
    /// As it is asked of the node.
    pub fn change(&self) -> PolicyChange {
        PolicyChange {
            registration: self.registration.clone(),
            display_name: self.display_name.clone(),
            listed: self.listed,
            recall_seconds: self.recall_seconds,
            edit_seconds: self.edit_seconds,
            group_creation: self.group_creation.clone(),
            password_chars_min: self.password_chars_min,
            federation: self.federation.clone(),
            retention_days: self.retention_days,
            retention_of: self.retention_of.clone(),
            accounts_max: self.accounts_max,
            messages_per_day: self.messages_per_day,
            bytes_per_day: self.bytes_per_day,
            groups_per_account: self.groups_per_account,
            file_bytes_max: self.file_bytes_max,
            files_bytes_per_account: self.files_bytes_per_account,
            cache_bytes_max: self.cache_bytes_max,
            cache_days: self.cache_days,
            link_previews: self.link_previews,
            description: self.description.clone(),
            colour: self.colour.clone(),
            trial_days: self.trial_days,
        }
    }
}
