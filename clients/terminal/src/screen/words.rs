//! Every text of the screen, in Chinese and English, in one table.
//!
//! A place for a value is `{}`. The tests hold both languages to the same places.

use startalk_client::Language;

macro_rules! words {
    ($($name:ident $zh:literal $en:literal;)*) => {
        /// A text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word { $(#[doc = $en] $name,)* }

        impl Word {
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// In this language.
            pub fn text(self, language: Language) -> &'static str {
                match (self, language) { $(
                    (Self::$name, Language::Chinese) => $zh,
                    (Self::$name, Language::English) => $en,
                )* }
            }
        }
    };
}

impl Word {
    /// With values in its places.
    pub fn with(self, language: Language, values: &[&str]) -> String {
        let mut parts = self.text(language).split("{}");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for (i, part) in parts.enumerate() {
            out.push_str(values.get(i).copied().unwrap_or("…"));
            out.push_str(part);
        }
        out
    }
}

words! {
    AppName "星语" "Startalk";
    Conversations "会话" "Conversations";
    NoConversations "还没有会话。按 n 开始一个。" "No conversations yet. Press n to begin one.";
    NothingFound "没有匹配的会话" "Nothing found";
    ChooseOne "选择一个会话，按 Enter 打开。? 显示按键" "Choose a conversation and press Enter. ? shows the keys";
    NoMessages "还没有消息" "No messages yet";
    Loading "正在加载…" "Loading…";
    Beginning "会话由此开始" "The conversation begins here";
    Request "请求" "request";
    RequestBanner "{} 想联系你。Ctrl+Y 接受，Ctrl+X 拒绝。" "{} would like to contact you. Ctrl+Y accepts, Ctrl+X refuses.";
    Blocked "已屏蔽" "blocked";
    BlockedBanner "你已屏蔽此人。Ctrl+B 取消屏蔽。" "You have blocked this person. Ctrl+B unblocks.";
    Gone "帐号已注销" "account deleted";
    Typing "正在输入…" "typing…";
    Edited "已编辑" "edited";
    Expired "已超过保留期限" "No longer kept";
    Burnt "消息已焚毁" "This message has burnt";
    Covered "🔥 {} 秒后焚毁的消息：Ctrl+P 选中，/open 打开" "🔥 Burns {} s after it is opened: choose it with Ctrl+P, /open opens it";
    BurnsMark "🔥 {} 秒" "🔥 {} s";
    NothingToOpen "没有可打开的焚毁消息" "There is no message to open";
    BurnOnlyHere "仅双人会话可发送焚毁消息：/burn 秒数 文字" "Only between two people: /burn SECONDS text";
    LaterHow "/later 分钟数 文字" "/later MINUTES text";
    RemindHow "/remind 分钟数 备注" "/remind MINUTES note";
    ScheduledFor "将于 {} 发送" "It is sent at {}";
    RemindedAt "将于 {} 提醒" "You are reminded at {}";
    TrialDays "试用域：帐号剩余 {} 天" "Trial: {} days left";
    TrialEnds "这是试用域：帐号将于 {} 到期并被删除。" "This is a trial: the account ends at {} and is then deleted.";
    ReminderDue "⏰ 提醒：{}" "⏰ Reminder: {}";
    ScheduledFailed "定时消息未能发送：{}" "A scheduled message could not be sent: {}";
    HelpLater "/later 分钟 文字：定时发送；/remind 分钟 备注：提醒；/burn 秒 文字：阅后即焚；/open：打开" "/later MIN text: send later; /remind MIN note; /burn SEC text: burns after reading; /open opens it";
    HelpFiles "/send 路径… -- 说明：发送图片、视频、文件；/file：按文件发送；/save [目录]：保存所选消息的文件；/cancel：停止传输" "/send PATH… -- caption: pictures, videos, files; /file: unchanged; /save [DIR]: the chosen message's; /cancel";
    HelpKinds "/location 纬度 经度 [名称]：位置；/contact name@domain：名片；/shake：抖一下" "/location LAT LON [name]; /contact name@domain; /shake";
    HelpLists "/scheduled、/reminders、/saved、/files：列表；…… drop 编号：移除；/keep 备注：收藏所选消息" "/scheduled, /reminders, /saved, /files: lists; … drop N takes one away; /keep NOTE saves the chosen message";
    ListScheduled "定时消息" "Said later";
    ListReminders "提醒" "Reminders";
    ListSaved "收藏的消息" "Saved messages";
    ListFiles "本会话的图片、视频、语音和文件" "Pictures, videos, voice and files here";
    MoreListed "…… 以及另外 {} 项" "… and {} more";
    NothingListed "没有内容" "Nothing";
    KeptAmongSaved "已收藏；/saved 查看" "It is saved; /saved shows all";
    ListsHow "/scheduled、/reminders 或 /saved，或其后加 drop 编号；/files" "/scheduled, /reminders or /saved, or drop NUMBER after it; /files";
    HelpForward "/code 语言（换行后写代码）；/forward 会话或 name@domain：转发所选消息" "/code LANG, then lines of code; /forward NAME: the chosen message";
    CodeHow "/code 语言，然后换行（Alt+Enter）写代码" "/code LANGUAGE, then the code on the lines below (Alt+Enter)";
    ForwardHow "/forward 会话名称或 name@domain；转发所选消息，否则最新一条" "/forward NAME or name@domain: the chosen message, or else the newest";
    ForwardNobody "没有名为 {} 的会话" "There is no conversation called {}";
    NotForwarded "这条消息不能转发" "This message cannot be forwarded";
    ForwardedTo "已转发给 {}" "Forwarded to {}";
    SendHow "/send 或 /file 路径… -- 说明；含空格的路径加引号" "/send or /file PATH… -- caption; quote a path with spaces";
    SaveHow "/save 或 /save 目录" "/save or /save DIRECTORY";
    LocationHow "/location 纬度（-90 到 90） 经度（-180 到 180） 名称" "/location LATITUDE (-90 to 90) LONGITUDE (-180 to 180) name";
    ContactHow "/contact name@domain（联系人的帐号）" "/contact name@domain";
    NoSuchFile "没有这个文件或目录：{}。请检查路径" "There is no such file or folder: {}. Check the path";
    IsFolder "{} 是目录，请指定其中的文件" "{} is a folder: name the files in it";
    NotMoved "{}：{}。恢复后请重新输入命令" "{}: {}. Give the command again when that is put right";
    NothingToSave "没有可保存的文件" "There is no file to save";
    SavedAs "已保存为 {}" "Saved as {}";
    NothingMoves "没有正在传输的文件" "No file is on its way";
    TransfersStopped "已停止全部传输；未发送的内容不会发出" "All transfers are stopped; what was not sent yet is not sent";
    TransferSpeed "{}/秒，剩余 {} 秒" "{}/s, {} s left";
    TransferWaits "等待连接" "waits for the connection";
    RecalledByYou "你撤回了一条消息" "You took back a message";
    RecalledBy "{} 撤回了一条消息" "{} took back a message";
    RefusedThere "被对方服务器拒绝：{}" "refused by the other server: {}";
    InReplyTo "回复 {}" "Reply to {}";
    InReplyToUnknown "回复较早的消息" "Reply to an earlier message";
    ReplyingTo "回复 {}：{}（Esc 取消）" "Replying to {}: {} (Esc cancels)";
    Editing "正在编辑消息（Enter 保存，Esc 取消）" "Editing a message (Enter saves, Esc cancels)";
    ComposerHint "输入消息，Enter 发送，Alt+Enter 换行" "Write a message, Enter sends, Alt+Enter begins a new line";
    Pending "待发送" "waiting";
    Read "已读" "read";
    Failed "发送失败：{}" "not sent: {}";
    Unconfirmed "未确认：{}" "not confirmed: {}";
    Today "今天" "Today";
    Yesterday "昨天" "Yesterday";
    You "我" "You";
    YouInLine "你" "you";
    YouBegins "你" "You";
    SentAt "发出于 {}" "sent {}";
    Online "在线" "online";
    Connecting "正在连接…" "connecting…";
    RetryIn "{} 秒后重新连接" "reconnecting in {} s";
    Waiting "{} 条待发送" "{} waiting to be sent";
    SignedOutBecause "已退出登录：{}" "Signed out: {}";
    SignIn "登录" "Sign in";
    Register "注册" "Register";
    Recover "用恢复码找回" "Recover with a code";
    FieldUser "帐号（name@domain）" "Account (name@domain)";
    FieldName "用户名" "Name";
    FieldPassword "密码" "Password";
    FieldNewPassword "新密码" "New password";
    FieldDisplayName "显示名称（可不填）" "Display name (optional)";
    FieldCode "恢复码" "Recovery code";
    FieldInvitation "邀请链接（如有）" "Invitation link (if any)";
    FieldServer "服务器地址（可不填）" "Server address (optional)";
    FormKeys "Enter 提交 · Tab 下一项 · F2 登录/注册/找回 · F3 中文/English · Ctrl+C 退出" "Enter goes on · Tab next field · F2 sign in/register/recover · F3 中文/English · Ctrl+C quits";
    FindingDomain "寻找 {} 并核对其密钥…" "Looking for {} and checking its key…";
    Entering "已连接并核对密钥，正在登录…" "Connected, the key is right; signing in…";
    StepFailed "✗ {}" "✗ {}";
    CodesTitle "恢复码" "Recovery codes";
    CodesText "请抄写并妥善保管，仅显示这一次。忘记密码时，每个恢复码可使用一次。" "Write these down and keep them: they are shown this once. Each lets you in one time when the password is forgotten.";
    CodesKeys "抄好后按 Enter 继续" "Press Enter when you have them";
    NewConversation "新会话：对方的帐号" "New conversation: whose account?";
    Search "查找" "Search";
    ConfirmRecall "撤回这条消息？Enter 确认，Esc 取消" "Take this message back? Enter does, Esc cancels";
    ConfirmBlock "屏蔽 {}？Enter 确认，Esc 取消" "Block {}? Enter does, Esc cancels";
    ConfirmSignOut "退出登录并删除本机数据？Enter 确认，Esc 取消" "Sign out and remove this device's data? Enter does, Esc cancels";
    NothingToEdit "没有可编辑的消息" "There is no message to edit";
    NothingToRecall "没有可撤回的消息" "There is no message to take back";
    NotAUser "应为 name@domain" "Expected name@domain";
    Invitation "邀请链接，{} 前有效：\n{}" "Invitation, good until {}:\n{}";
    WentBackNotice "服务器已从较早的备份恢复；丢失的消息正在重新提交。" "The server was restored from an earlier copy; what it lost of yours is offered again.";
    Help "按键" "Keys";
    HelpKeys "Esc 关闭" "Esc closes";
    TooSmall "窗口太小：至少 60×16" "The window is too small: at least 60×16";
    NewMessagesBelow "↓ 有新消息（End 到末尾）" "↓ newer messages (End goes there)";
    HelpMove "↑ ↓ PgUp PgDn：选择会话，翻阅消息" "↑ ↓ PgUp PgDn: choose a conversation, page through messages";
    HelpOpen "Enter：打开会话；Esc 或 Tab：回到列表" "Enter: open; Esc or Tab: back to the list";
    HelpNew "n：新会话；/：在列表中查找" "n: new conversation; /: search in the list";
    HelpSend "Enter：发送；Alt+Enter 或 Ctrl+J：换行" "Enter: send; Alt+Enter or Ctrl+J: new line";
    HelpEdit "↑（输入框为空）：编辑上一条；Ctrl+E：编辑所选" "↑ in an empty field: edit the last one; Ctrl+E: edit the chosen one";
    HelpChoose "Ctrl+P Ctrl+N：选择消息；Ctrl+R：回复；Ctrl+D：撤回" "Ctrl+P Ctrl+N: choose a message; Ctrl+R: reply; Ctrl+D: take back";
    HelpRetry "Ctrl+T：重发失败的消息" "Ctrl+T: send again what failed";
    HelpRequest "Ctrl+Y Ctrl+X：接受、拒绝请求；Ctrl+B：屏蔽或取消" "Ctrl+Y Ctrl+X: accept, refuse a request; Ctrl+B: block or unblock";
    HelpMore "i（列表中）：生成邀请链接；Ctrl+O：退出登录" "i in the list: make an invitation; Ctrl+O: sign out";
    HelpLanguage "F3：中文/English；? 或 F1：帮助；Ctrl+C：退出" "F3: 中文/English; ? or F1: this help; Ctrl+C: quit";
    MemberCount "{} 人" "{} members";
    TypingUser "{} 正在输入…" "{} is typing…";
    WaitingForHome "等待 {} 记录" "waiting for {}";
    Everybody "所有人" "everybody";
    Notice "公告" "Notice";
    Description "简介" "Description";
    MyRole "我的身份" "My role";
    KeptBy "保管于" "kept by";
    Nobody "（无）" "(nobody, nothing)";
    MembersTab "成员" "Members";
    AskedTab "入群申请 {}" "Requests {}";
    LinksTab "入群链接" "Links";
    RoleOwner "群主" "owner";
    RoleAdministrator "管理员" "administrator";
    RoleMember "成员" "member";
    MutedMark "禁言" "muted";
    KeyTab "Tab 切换 · ↑↓ 选择 · p 置顶 · s 免打扰" "Tab next page · ↑↓ choose · p pins · s silence";
    KeyAdmit "y 同意 · x 拒绝" "y let in · x refuse";
    KeyEndLink "x 作废" "x end it";
    KeyMember "m 禁言 · x 移出 · b 封禁" "m mute · x remove · b ban";
    KeyOwner "r 管理员 · o 转让 · D 解散" "r administrator · o hand over · D close for good";
    KeyAdd "a 添加 · l 链接" "a add · l link";
    KeyTexts "n 群名 · t 公告 · d 简介" "n name · t notice · d description";
    KeyRights "g 权限" "g rights";
    KeyLeave "e 退群 · Esc 关闭" "e leave · Esc closes";
    Rights "群权限" "Who may do what";
    RightPost "发言" "speak";
    RightAdd "添加成员" "add people";
    RightAtAll "@所有人" "call everybody";
    RightPin "置顶" "pin";
    RightTexts "修改群资料" "change the texts";
    RightJoining "入群方式" "how one gets in";
    WhoMembers "所有成员" "every member";
    WhoAdministrators "群主和管理员" "administrators";
    WhoOwner "仅群主" "the owner";
    JoinInvitation "邀请或链接" "invitation or link";
    JoinApproval "需管理员同意" "an administrator lets in";
    JoinClosed "不开放" "closed";
    RightsKeys "↑↓ 选择 · ←→ 更改 · Enter 保存 · Esc 取消" "↑↓ choose · ←→ change · Enter saves · Esc cancels";
    GroupInvitations "群邀请" "Invitations into groups";
    InvitesYou "{} 邀请你加入“{}”（{}）" "{} invites you to “{}” ({})";
    NoInvitations "没有群邀请" "No invitations";
    InvitationKeys "y 接受 · x 忽略 · Esc 关闭" "y accepts · x declines · Esc closes";
    GroupLinkTitle "入群链接" "Link into the group";
    GroupLinkText "有效期至 {}：\n{}" "Good until {}:\n{}";
    ForEver "永久" "for ever";
    NoPins "没有置顶消息" "Nothing is pinned";
    ReadBy "已读 {}/{}：{}" "Read by {} of {}: {}";
    AskGroupName "群名" "The group's name";
    AskMembers "成员帐号，以空格或逗号分隔" "Whose accounts? Separated by spaces or commas";
    AskLink "入群链接" "The link into the group";
    AskWhy "附言（可不填）" "A word with it (optional)";
    AskMinutes "禁言多少分钟？" "Mute for how many minutes?";
    AskEmoji "表情：数字快选，或输入后按 Enter" "Emoji: a number, or type one and press Enter";
    SureKeys "Enter 确认 · Esc 取消" "Enter does · Esc cancels";
    SureLeave "退出“{}”？" "Leave “{}”?";
    SureDestroy "解散“{}”？无法撤销。" "Close “{}” for good? This cannot be undone.";
    SureOwner "将此群转让给 {}？" "Hand the group over to {}?";
    SureRemove "将 {} 移出此群？" "Remove {} from the group?";
    SureBan "封禁 {}？" "Ban {}?";
    StandingJoining "正在加入：{} 尚未回应" "Joining: {} has not answered yet";
    StandingAsked "等待管理员同意你入群（{}）" "Waiting for an administrator to let you in ({})";
    StandingLeaving "正在退出：{} 尚未回应" "Leaving: {} has not answered yet";
    StandingLeft "你已退出此群（{}）" "You have left this group ({})";
    StandingRemoved "你已被移出此群（{}）" "You were removed from this group ({})";
    StandingBanned "你已被此群封禁（{}）" "You are banned from this group ({})";
    StandingRefused "你的入群申请被拒绝（{}）" "You were not let in ({})";
    StandingDestroyed "此群已解散（{}）" "This group was closed for good ({})";
    StandingSuspect "{} 给出了两份不同的群记录，此群已停止更新" "{} signed two histories of this group; it goes no further here";
    StandingRenewed "{} 已从较早的备份恢复，此群在另一会话中继续" "{} was restored from an older copy; the group goes on in another conversation";
    MutedBanner "你被禁言至 {}" "You are muted until {}";
    AskedBanner "{} 人申请入群。Ctrl+G 打开群面板" "{} would like to join. Ctrl+G opens the group";
    HelpGroups "g：建群；l：用链接入群；v：群邀请" "g: new group; l: join by a link; v: invitations into groups";
    HelpInGroup "群中 Ctrl+G：群面板；Ctrl+L：表情；Ctrl+K：置顶；Ctrl+F：谁已读" "in a group Ctrl+G: the group; Ctrl+L: emoji; Ctrl+K: pin; Ctrl+F: who has read";
    HelpCall "群中 @ 后按 Tab：补全成员名" "in a group @ and Tab: completes a member's name";
    FindTitle "搜索" "Search";
    FindIn "在“{}”中搜索" "Search in “{}”";
    FindAll "全部" "All";
    FindPeople "联系人" "People";
    FindGroups "群" "Groups";
    FindMessages "消息" "Messages";
    FindHint "联系人（含拼音、首字母）、群和消息；from: in: kind: before: after: on: 可限定" "People (also by pinyin), groups and messages; from: in: kind: before: after: on:";
    FindNothing "没有找到" "Nothing found";
    FindBuilding "服务器正在建立索引：目前搜索到 {} %" "The server is making its index: {} % is searched so far";
    FindKeys "↑↓ 选择 · Enter 打开 · Tab 换类 · Esc 关闭" "↑↓ choose · Enter opens · Tab next sort · Esc closes";
    FindKeysHere "↑↓ 选择 · Enter 打开 · Tab 换类 · F4 此会话或全部 · Esc 关闭" "↑↓ choose · Enter opens · Tab next sort · F4 here or everywhere · Esc closes";
    FoundTooFar "这条消息太早，无法在此打开" "That message is too far back to be opened here";
    HelpFind "f 或 F4：搜索联系人、群、消息；会话中 F4：在此搜索；/find 词：搜索" "f or F4: search people, groups, messages; F4 in a conversation: in it; /find words";
    StatusKeys "? 按键" "? keys";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_exists_in_both_languages_with_the_same_places() {
        for word in Word::ALL {
            let (zh, en) = (word.text(Language::Chinese), word.text(Language::English));
            assert!(!zh.is_empty() && !en.is_empty(), "{word:?}");
            assert_eq!(zh.matches("{}").count(), en.matches("{}").count(), "{word:?}");
            let bare = zh.replace("{}", "").replace(['✗', ' '], "");
            assert!(bare.is_empty() || zh.chars().any(|c| c > '\u{2e80}'), "{word:?} is not in Chinese");
            let foreign = en.replace("中文", "").chars().any(|c| ('\u{2e80}'..'\u{ff00}').contains(&c));
            assert!(!foreign, "{word:?} is not in English");
        }
    }

    #[test]
    fn values_stand_in_their_places() {
        assert_eq!(Word::RetryIn.with(Language::English, &["4"]), "reconnecting in 4 s");
        assert_eq!(Word::RetryIn.with(Language::Chinese, &["4"]), "4 秒后重新连接");
    }
}
