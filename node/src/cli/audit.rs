//! The record of administrative acts in words. What is not in the tables is shown as it is, so that nothing of a later version is
//! lost.

use jiff::Timestamp;
use serde_json::Value;
use startalk_protocol::error::Language;

use super::{fields, show::text};
use crate::words::say;

/// Code, English, Chinese.
type Words = &'static [(&'static str, &'static str, &'static str)];

const ACTS: Words = &[
    ("account-added", "person added", "添加人员"),
    ("password-reset", "password reset", "重置密码"),
    ("device-signed-out", "device signed out", "登出设备"),
    ("account-disabled", "person disabled", "停用人员"),
    ("account-enabled", "person enabled", "启用人员"),
    ("account-deleted", "person deleted", "删除人员"),
    ("account-updated", "person brought up to date", "更新人员"),
    ("role-set", "role given", "设置角色"),
    ("identity-unlinked", "identity unlinked", "解除登录身份"),
    ("passkey-removed", "passkey removed", "移除通行密钥"),
    ("sign-in-link-made", "sign-in link made", "生成登录链接"),
    ("invitation-made", "invitation made", "生成邀请"),
    ("invitation-revoked", "invitation made void", "作废邀请"),
    ("domain-rule-set", "rule for a domain", "设定域的规则"),
    ("policy-set", "policies changed", "更改策略"),
    ("token-made", "token made", "生成令牌"),
    ("token-revoked", "token made void", "作废令牌"),
    ("keys-replaced", "link key replaced", "更换链路密钥"),
    ("compacted", "space given back", "收回空间"),
    ("backup-made", "backup made", "备份"),
    ("restore-begun", "restore begun", "开始恢复备份"),
    ("backup-restored", "backup restored", "恢复备份"),
    ("replaced-deleted", "replaced domain deleted", "删除被替换的数据"),
    ("group-handed-over", "group handed over", "移交群"),
    ("group-member-added", "added to a group", "加入群"),
    ("group-member-removed", "removed from a group", "移出群"),
    ("group-named", "group named", "更改群名"),
    ("group-destroyed", "group ended", "解散群"),
];

/// What was changed, where a field is called otherwise than in an answer.
const FIELDS: Words = &[
    ("administrator", "administrator", "管理员"),
    ("scopes", "scopes", "权限范围"),
    ("rule", "rule", "规则"),
    ("accept_new_key", "accept a new key", "接受新密钥"),
    ("bytes", "bytes", "字节数"),
    ("verified", "read again and whole", "已校验"),
    ("source", "from", "来源"),
    ("absent_from", "not named any more in", "不再列于"),
    ("disabled", "disabled", "停用"),
    ("asked_by", "asked for by", "请求者"),
];

/// Values that are words themselves.
const VALUES: Words = &[
    ("member", "member", "成员"),
    ("auditor", "auditor", "审计员"),
    ("administrator", "administrator", "管理员"),
    ("allowed", "allowed", "已允许"),
    ("denied", "denied", "已禁止"),
    ("unset", "no rule", "无规则"),
    ("open", "everybody", "所有人"),
    ("closed", "nobody", "不开放"),
    ("invitation", "by invitation", "凭邀请"),
    ("everybody", "everybody", "所有人"),
    ("administrators", "administrators", "管理员"),
    ("true", "yes", "是"),
    ("false", "no", "否"),
    ("all", "all", "全部"),
    ("direct", "one-to-one", "单聊"),
    ("groups", "groups", "群聊"),
    ("file", "a file", "文件"),
    ("not-in-backup", "somebody who came after the backup", "备份之后才加入的人"),
];

fn word(words: Words, code: &str, language: Language) -> String {
    words.iter().find(|w| w.0 == code).map_or_else(|| code.to_owned(), |w| say(language, w.1, w.2).to_owned())
}

/// A line for each act, the newest first, and where to go on.
pub fn in_words(acts: &[Value], next: &Value, language: Language) -> String {
    if acts.is_empty() && next.is_null() {
        return format!("{}\n", say(language, "none", "无"));
    }
    let mut out: String = acts.iter().map(|act| line(act, language)).collect();
    if let Some(next) = next.as_u64() {
        out += &format!("{} --before {next}\n", say(language, "earlier ones:", "更早的："));
    }
    out
}

fn line(act: &Value, language: Language) -> String {
    let at = act["time_ms"].as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let by = match (act["by"].as_str(), act["by_name"].as_str()) {
        (Some("operator"), _) => say(language, "the operator", "运维者").to_owned(),
        (Some("token"), Some(name)) => format!("{} {name}", say(language, "token", "令牌")),
        (_, Some(name)) => name.to_owned(),
        _ => format!("{} {}", say(language, "account", "帐号"), act["by_number"]),
    };
    let whom = act["user"].as_str().or(act["domain"].as_str()).map(str::to_owned).or_else(|| {
        let gone = act["account"].as_u64().filter(|n| *n != 0)?;
        Some(format!("{} {gone}", say(language, "account", "帐号")))
    });
    let whom = whom.map(|w| format!(" {w}")).unwrap_or_default();
    let changes: Vec<String> = act["changes"].as_array().into_iter().flatten().map(|c| change(c, language)).collect();
    let changes = if changes.is_empty() { String::new() } else { format!("  ({})", changes.join(", ")) };
    let what = word(ACTS, act["act"].as_str().unwrap_or_default(), language);
    format!("{:>6}  {}  {by}: {what}{whom}{changes}\n", text(&act["number"]), at.strftime("%Y-%m-%d %H:%M:%SZ"))
}

fn change(change: &Value, language: Language) -> String {
    let field = change["field"].as_str().unwrap_or_default();
    let value = |which: &str| {
        let value = change[which].as_str().unwrap_or_default();
        if field == "display_name" { value.to_owned() } else { word(VALUES, value, language) }
    };
    let (before, after) = (value("before"), value("after"));
    let is_here = FIELDS.iter().any(|w| w.0 == field);
    let words = if is_here { word(FIELDS, field, language) } else { fields::name(field, language).to_owned() };
    if before.is_empty() { format!("{words} {after}") } else { format!("{words} {before} → {after}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn acts_are_lines_in_both_languages() {
        let acts = [
            json!({ "number": 12, "time_ms": 1_795_753_831_000_u64, "by": "account", "by_number": 3, "by_name": "root1@a.example", "act": "role-set",
                "account": 4, "user": "alice@a.example", "domain": null, "item": 0, "changes": [{ "field": "role", "before": "member", "after": "auditor" }] }),
            json!({ "number": 11, "time_ms": 0, "by": "operator", "by_number": 0, "by_name": null, "act": "of-a-later-version",
                "account": 9, "user": null, "domain": null, "item": 0, "changes": [{ "field": "uses", "before": "", "after": "5" }] }),
        ];
        let english = in_words(&acts, &json!(11), Language::English);
        assert_eq!(
            english,
            "    12  2026-11-27 04:30:31Z  root1@a.example: role given alice@a.example  (role member → auditor)\n    11  1970-01-01 00:00:00Z  the operator: of-a-later-version account 9  (uses 5)\nearlier ones: --before 11\n"
        );
        let chinese = in_words(&acts[..1], &Value::Null, Language::Chinese);
        assert_eq!(chinese, "    12  2026-11-27 04:30:31Z  root1@a.example: 设置角色 alice@a.example  (角色 成员 → 审计员)\n");
        assert_eq!(in_words(&[], &Value::Null, Language::Chinese), "无\n");
    }
}
