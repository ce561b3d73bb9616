//! Errors as they travel: a code with parameters. Words are made where they are shown, in Chinese and English.
//! federation-spec/06-errors.md
//!
//! The table below is the whole list; a code never changes its meaning.

use std::{collections::BTreeMap, fmt};

/// The languages that every text for people exists in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 中文
    Chinese,
    /// English
    English,
}

impl Language {
    /// From a BCP 47 tag or a POSIX locale: Chinese if it begins with `zh`.
    pub fn of(tag: &str) -> Self {
        if tag.to_ascii_lowercase().starts_with("zh") { Self::Chinese } else { Self::English }
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal retry $retry:literal en $en:literal zh $zh:literal;)*) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $en] $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it travels.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether the same request may succeed later without anybody changing anything else.
            pub fn retry_helps(self) -> bool {
                match self { $(Self::$variant => $retry,)* }
            }

            fn template(self, language: Language) -> &'static str {
                match (self, language) { $(
                    (Self::$variant, Language::English) => $en,
                    (Self::$variant, Language::Chinese) => $zh,
                )* }
            }
        }

        impl std::str::FromStr for Code {
            type Err = UnknownCode;
            fn from_str(s: &str) -> Result<Self, UnknownCode> {
                match s { $($text => Ok(Self::$variant),)* _ => Err(UnknownCode) }
            }
        }
    };
}

/// The code is of a later version than this program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown error code")]
pub struct UnknownCode;

codes! {
    Internal "internal" retry true en "Something went wrong inside the server." zh "服务器内部出错。";
    Malformed "malformed" retry false en "The request could not be read: expected {expected}." zh "无法读懂请求：应为 {expected}。";
    TooLarge "too-large" retry false en "{what} is too large: {got} bytes, at most {max}." zh "{what} 过大：{got} 字节，最多 {max} 字节。";
    UnsupportedVersion "unsupported-version" retry false en "No common protocol version: the server speaks {min} to {max}." zh "没有共同的协议版本：服务器支持 {min} 到 {max}。";
    NotSignedIn "not-signed-in" retry false en "Sign in first." zh "请先登录。";
    WrongCredentials "wrong-credentials" retry false en "The name or the password is wrong." zh "用户名或密码不正确。";
    AccountDisabled "account-disabled" retry false en "This account is disabled. Ask the administrator of {domain}." zh "此帐号已停用，请联系 {domain} 的管理员。";
    TokenRevoked "token-revoked" retry false en "This device was signed out. Sign in again." zh "此设备已被登出，请重新登录。";
    RegistrationClosed "registration-closed" retry false en "Nobody can register on {domain} by themselves. Ask its administrator for an account." zh "{domain} 不开放注册，请向管理员申请帐号。";
    InvitationNeeded "invitation-needed" retry false en "Registering on {domain} needs an invitation link." zh "在 {domain} 注册需要邀请链接。";
    InvitationInvalid "invitation-invalid" retry false en "This link was used, has expired or is wrong. Ask for a new one." zh "此链接已被使用、已过期或不正确，请索取新的链接。";
    NameTaken "name-taken" retry false en "The name {name} is taken." zh "名字 {name} 已被占用。";
    BadName "bad-name" retry false en "{name} cannot be a name: expected 1 to 64 of a-z, 0-9, . _ - beginning and ending with a letter or digit." zh "{name} 不能用作名字：应为 1 到 64 个 a-z、0-9、. _ -，首尾为字母或数字。";
    BadPassword "bad-password" retry false en "The password is too short or too long: expected {min} characters or more, at most {max} bytes." zh "密码过短或过长：至少 {min} 个字符，最多 {max} 字节。";
    BadValue "bad-value" retry false en "{field} is not acceptable: expected {expected}." zh "{field} 不可接受：应为 {expected}。";
    NoSuchUser "no-such-user" retry false en "There is no user {user} here." zh "这里没有用户 {user}。";
    NoSuchConversation "no-such-conversation" retry false en "There is no such conversation." zh "没有这个会话。";
    NoSuchMessage "no-such-message" retry false en "There is no such message." zh "没有这条消息。";
    NoSuchFile "no-such-file" retry false en "There is no such file, or it is not yours to read." zh "没有这个文件，或你无权读取。";
    FileTooLarge "file-too-large" retry false en "The file is too large: this domain takes files of at most {max_mib} MiB." zh "文件过大：本域接受的文件最大为 {max_mib} MiB。";
    OverFileQuota "over-file-quota" retry false en "Your files take {used_mib} MiB of the {max_mib} MiB that this domain gives you. Take back messages with files that you do not need." zh "你的文件已占用 {used_mib} MiB，本域给你的空间为 {max_mib} MiB。请撤回不再需要的带文件的消息。";
    FileAway "file-away" retry true en "The file is kept by {domain}, which does not give it now. Try again later." zh "文件保存在 {domain}，目前无法取得，请稍后再试。";
    FileComing "file-coming" retry true en "This file is on its way from another domain: {percent} %." zh "此文件正从另一个域传来：{percent} %。";
    UploadGone "upload-gone" retry false en "This upload has expired or was ended. Begin it again." zh "此上传已过期或已被终止，请重新开始。";
    WrongOffset "wrong-offset" retry true en "The upload stands at {expected} bytes; go on from there." zh "上传已到 {expected} 字节，请从该处继续。";
    NotAPicture "not-a-picture" retry false en "This cannot be read as a picture; it can be sent as a file. ({why})" zh "无法作为图片读取，可以作为文件发送。（{why}）";
    NoSuchDevice "no-such-device" retry false en "There is no such device." zh "没有这个设备。";
    Forbidden "forbidden" retry false en "You may not do this." zh "你无权这样做。";
    Blocked "blocked" retry false en "{user} does not accept messages from you." zh "{user} 不接收你的消息。";
    NotAccepting "not-accepting" retry false en "{user} takes no first messages." zh "{user} 不接受陌生人的消息。";
    DomainDenied "domain-denied" retry false en "This server does not talk to {domain}." zh "本服务器不与 {domain} 通信。";
    TooLate "too-late" retry false en "Too late: this is possible for {seconds} seconds after sending." zh "已超过时限：只能在发送后 {seconds} 秒内进行。";
    Recalled "recalled" retry false en "The message was recalled." zh "消息已被撤回。";
    Conflict "conflict" retry false en "Command number {counter} was used for something else." zh "命令编号 {counter} 已用于其他内容。";
    TooOld "too-old" retry false en "Command number {counter} is older than what the server remembers." zh "命令编号 {counter} 过旧，服务器已不再记得。";
    TooMany "too-many" retry false en "Too many {what}: at most {max}." zh "{what} 过多：最多 {max}。";
    SlowDown "slow-down" retry true en "Too many attempts. Try again in {seconds} seconds." zh "尝试过于频繁，请在 {seconds} 秒后再试。";
    DiskFull "disk-full" retry true en "The server's disk is almost full; it takes nothing new until there is space. Reading works." zh "服务器磁盘将满，在腾出空间之前不再接收新内容；阅读不受影响。";
    Stopping "stopping" retry true en "The server is stopping." zh "服务器正在停止。";
    SlowReader "slow-reader" retry true en "The connection was too slow to follow; it goes on from where it was." zh "连接太慢，跟不上；将从断点继续。";
    IdleTimeout "idle-timeout" retry true en "The connection was silent for too long." zh "连接长时间没有动静。";
    WentBack "went-back" retry true en "The server was restored from an earlier copy; start the sync again." zh "服务器已从较早的备份恢复，请重新同步。";
    WrongDomain "wrong-domain" retry false en "This server is {domain}, not {asked}." zh "本服务器是 {domain}，不是 {asked}。";
    BadSignature "bad-signature" retry false en "The signature on {what} is not valid." zh "{what} 的签名无效。";
    WrongKey "wrong-key" retry false en "{what} is signed by a key that {domain} does not have." zh "{what} 的签名密钥不属于 {domain}。";
    Expired "expired" retry true en "{what} has expired." zh "{what} 已过期。";
    OlderRecord "older-record" retry false en "{what} of {domain} is older than one already known." zh "{domain} 的 {what} 比已知的更旧。";
    RootKeyChanged "root-key-changed" retry false en "The root key of {domain} changed without proof. An administrator may accept it with `startalk domain allow {domain} --accept-new-key`." zh "{domain} 的根密钥在没有证明的情况下改变了。管理员可用 `startalk domain allow {domain} --accept-new-key` 接受它。";
    NotProven "not-proven" retry true en "Nothing proves that this key is {domain}'s." zh "没有任何东西证明此密钥属于 {domain}。";
    TwoCopies "two-copies" retry false en "Two copies of {domain} are running. Stop one of them." zh "{domain} 有两个副本同时运行，请停掉其中一个。";
    OutOfOrder "out-of-order" retry true en "Item {got} came where {expected} was expected." zh "收到第 {got} 项，应为第 {expected} 项。";
    UnknownDomain "unknown-domain" retry true en "{domain} could not be found: {steps}" zh "找不到 {domain}：{steps}";
    Unreachable "unreachable" retry true en "{what} cannot be reached: {why}." zh "无法连接 {what}：{why}。";
    DomainDead "domain-dead" retry false en "The other server could not be reached for a month; what waited for it was given up." zh "对方服务器已一个月无法连接，等待送达的内容已放弃。";
    DomainGone "domain-gone" retry false en "The other server is no more: its owner has closed it for good." zh "对方服务器已不复存在：其所有者已将它永久关闭。";
    Failed "failed" retry false en "It failed: {why}" zh "操作失败：{why}";
    NotAllowedHere "not-allowed-here" retry false en "{what} is not possible here." zh "此处不能进行 {what}。";
    NotMember "not-a-member" retry false en "You are not in this group." zh "你不在此群中。";
    AlreadyMember "already-a-member" retry false en "{user} is in this group already." zh "{user} 已在此群中。";
    Muted "muted" retry false en "You are muted in this group." zh "你在此群中已被禁言。";
    NotAdmitted "not-admitted" retry false en "You were not let into this group." zh "你的入群申请未被同意。";
    GroupOver "group-over" retry false en "This group was destroyed by its owner." zh "此群已被群主解散。";
    BannedFromGroup "banned-from-group" retry false en "{user} may not come into this group." zh "{user} 不得加入此群。";
    GroupLinkInvalid "group-link-invalid" retry false en "This link into the group has expired, was used up or is wrong. Ask for a new one." zh "此入群链接已过期、已用完或不正确，请索取新的链接。";
    OwnerStays "owner-stays" retry false en "Hand the group over or destroy it first: its owner cannot leave it." zh "请先转让或解散此群：群主不能直接退群。";
    HomeUnknown "group-home-unknown" retry true en "The domain {domain}, which keeps this group, has not answered yet." zh "保管此群的域 {domain} 尚未回应。";
    Equivocation "equivocation" retry false en "{domain} has signed two different histories of this group. Nothing more is taken from it; ask its administrator." zh "{domain} 为此群签署了两份不同的历史，不再接收其内容；请联系其管理员。";
    SecondLink "second-link" retry true en "Another link with {domain} is open already." zh "与 {domain} 的另一条链路已经打开。";
    LastAdministrator "last-administrator" retry false en "This is the last administrator. Make somebody else one first." zh "这是最后一位管理员，请先任命另一位。";
    NoSuchThing "no-such-thing" retry false en "It does not exist, or not any more." zh "它不存在，或已不复存在。";
    Missing "missing" retry false en "{field} is missing." zh "缺少 {field}。";
    GivenTwice "given-twice" retry false en "{field} {value} stands in row {row} already." zh "{field} {value} 已出现在第 {row} 行。";
    NameStays "name-stays" retry false en "{id} is the account {name}, and an account's name cannot be changed." zh "{id} 已是帐号 {name}，帐号名不能更改。";
    OfAnotherSource "of-another-source" retry false en "{name} belongs to another source of accounts: {source}." zh "{name} 属于另一个帐号来源：{source}。";
    NoSuchGroup "no-such-group" retry false en "There is no group {group} here, or there are several of that name." zh "这里没有群 {group}，或有多个同名的群。";
    GroupNotYours "group-not-yours" retry false en "You may not bring people into the group {group}: you would have to be in it with the right to add people, and it would have to be kept by this domain." zh "你不能把人拉进群 {group}：你须在群中并有权添加成员，且该群须由本域保管。";
    NotATable "not-a-table" retry false en "This cannot be read as a table: expected {expected}." zh "无法按表格读取：应为 {expected}。";
    TooManyAbsent "too-many-absent" retry false en "{count} of {of} people are not in it and would be disabled, more than {percent} %. If that is meant, say so with the number {count}." zh "{of} 人中有 {count} 人不在其中、将被停用，超过 {percent} %。如确有此意，请明确给出数字 {count}。";
    AccountsFull "accounts-full" retry false en "This domain takes no more accounts: it has room for {max}." zh "本域不再接受新帐号：上限为 {max} 个。";
    DailyLimit "daily-limit" retry false en "You have said as much as this domain allows in a day. You can write again after 00:00 UTC, in about {hours} hours." zh "已达到本域允许的每日发送上限。世界协调时 00:00 之后（约 {hours} 小时后）可以继续发送。";
    TooManyGroups "too-many-groups" retry false en "You own {max} groups, as many as this domain allows." zh "你已拥有 {max} 个群，达到本域的上限。";
    PlanChanged "plan-changed" retry false en "Something has changed since: look once more at what would be done." zh "情况已有变化，请重新查看将要进行的更改。";
    ProviderUnreachable "provider-unreachable" retry true en "{provider} cannot be reached now. Try again later, or sign in another way." zh "现在无法连接 {provider}，请稍后再试，或用其他方式登录。";
    ProviderRefused "provider-refused" retry false en "{provider} did not sign you in: {why}." zh "{provider} 未让你登录：{why}。";
    SignInExpired "sign-in-expired" retry true en "This sign-in was not begun in this window, or it took too long. Begin again." zh "这次登录不是在此窗口开始的，或已超时，请重新开始。";
    IdentityUnknown "identity-unknown" retry false en "No account of {domain} belongs to {who} yet. Sign in another way and link it in the settings, or ask the administrator for an account." zh "{domain} 上还没有属于 {who} 的帐号。请用其他方式登录后在设置中关联，或向管理员申请帐号。";
    IdentityTaken "identity-taken" retry false en "{who} belongs to another account here." zh "{who} 已属于这里的另一个帐号。";
    IdentityNameTaken "identity-name-taken" retry false en "You would be called {name} here, and somebody has that name already. If it is you, sign in to that account and link {provider} in the settings." zh "你在这里本应叫 {name}，但这个名字已有人使用。如果那就是你，请先登录该帐号，再在设置中关联 {provider}。";
    IdentityRefused "identity-refused" retry false en "{who} is not among those who may come in by {provider}." zh "{who} 不在可通过 {provider} 进入的人之列。";
    DirectoryAway "directory-away" retry true en "This is no password of this domain's own, and the directory {provider}, which may know it, does not answer now. Try again later; nothing is wrong with your account." zh "这不是本域自己的密码，而可能认识它的目录 {provider} 目前没有响应。请稍后再试；你的帐号没有问题。";
    NoSuchDirectory "no-such-directory" retry false en "There is no directory {directory} in the settings of the node that runs." zh "运行中的节点的设置里没有目录 {directory}。";
    DirectoryUnknown "directory-unknown" retry false en "{provider} knows {who}, but {domain} has no account for them. Ask its administrator for one." zh "{provider} 认识 {who}，但 {domain} 上还没有其帐号。请向管理员申请。";
    DirectoryNameTaken "directory-name-taken" retry false en "The password is right at {provider}, but the account {name} here is not of that directory. If it is yours, sign in to it as you did until now; an administrator can make it the directory's by importing from {provider}." zh "密码在 {provider} 中正确，但这里的帐号 {name} 不属于该目录。如果这是你的帐号，请沿用原来的方式登录；管理员可通过从 {provider} 导入，使其归属该目录。";
    LastWayIn "last-way-in" retry false en "This is the only way into this account. Add another one first." zh "这是进入此帐号的唯一方式，请先添加另一种。";
    NoPassword "no-password" retry false en "This account has no password here. Its administrator can give it one." zh "此帐号在这里没有密码；管理员可以为它设置一个。";
    SignInAgain "sign-in-again" retry false en "Sign out and in again, and do this within {minutes} minutes after: so it is known that it is you." zh "请先退出并重新登录，并在登录后 {minutes} 分钟内操作，以确认是你本人。";
    PasskeyRefused "passkey-refused" retry false en "This passkey is not known here, was removed, or did not prove itself." zh "此通行密钥在这里不存在、已被移除，或未能通过验证。";
    PasskeyCopied "passkey-copied" retry false en "This passkey counts backwards, as a copy of it would. Sign in another way, and remove it in the settings." zh "此通行密钥的计数倒退了，可能存在它的副本。请用其他方式登录，并在设置中移除它。";
    Busy "busy" retry true en "The same is under way already." zh "同样的操作正在进行。";
}

/// An error as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub code: Code,
    /// The values for the words.
    pub params: BTreeMap<String, String>,
}

impl Error {
    /// An error without parameters.
    pub fn new(code: Code) -> Self {
        Self { code, params: BTreeMap::new() }
    }

    /// Adds one parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// In words. A parameter that is missing is left out.
    pub fn words(&self, language: Language) -> String {
        let mut out = String::new();
        let mut rest = self.code.template(language);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (name, tail) = after.split_once('}').expect("templates are checked by a test");
            out.push_str(self.params.get(name).map_or("…", String::as_str));
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    /// From a wire: an unknown code becomes [`Code::Internal`] with the code as a parameter.
    pub fn from_wire(code: &str, params: BTreeMap<String, String>) -> Self {
        match code.parse() {
            Ok(code) => Self { code, params },
            Err(UnknownCode) => Self { code: Code::Internal, params }.with("code", code),
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.words(Language::English))
    }
}

impl std::error::Error for Error {}

macro_rules! wire {
    ($pb:ty) => {
        impl From<Error> for $pb {
            fn from(e: Error) -> Self {
                Self { code: e.code.as_str().to_owned(), params: e.params }
            }
        }
        impl From<$pb> for Error {
            fn from(e: $pb) -> Self {
                Self::from_wire(&e.code, e.params)
            }
        }
    };
}
wire!(crate::pb::client::Error);
wire!(crate::pb::link::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_in_both_languages_with_the_same_parameters() {
        let names = |t: &str| {
            let mut names: Vec<String> = t.split('{').skip(1).map(|p| p.split_once('}').expect("closed").0.to_owned()).collect();
            names.sort();
            names
        };
        for code in Code::ALL {
            let (en, zh) = (code.template(Language::English), code.template(Language::Chinese));
            assert_eq!(names(en), names(zh), "{}", code.as_str());
            assert!(zh.chars().any(|c| c > '\u{2e80}'), "{}", code.as_str());
            assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
        }
    }

    #[test]
    fn words_carry_the_parameters() {
        let error = Error::new(Code::NameTaken).with("name", "alice");
        assert_eq!(error.words(Language::English), "The name alice is taken.");
        assert_eq!(error.words(Language::Chinese), "名字 alice 已被占用。");
    }
}
