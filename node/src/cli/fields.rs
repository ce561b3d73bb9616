//! Fields of answers as people read them: what a field is called in their language, moments as dates, sizes in units that
//! one can picture. Programs ask for `--json`, where names and numbers stay what they are.

use jiff::Timestamp;
use serde_json::Value;
use startalk_protocol::error::Language;

/// In both languages; a field that is not here is shown by its name.
const NAMES: &[(&str, &str, &str)] = &[
    ("accounts_max", "accounts at most", "帐号数上限"),
    ("added_ms", "added", "添加于"),
    ("administrator", "makes an administrator", "成为管理员"),
    ("asked_ms", "asked for", "请求于"),
    ("by", "by", "操作者"),
    ("bytes", "size", "大小"),
    ("bytes_per_day", "said by an account in a day at most", "每个帐号每天所发内容上限"),
    ("cache_bytes_max", "copies of other domains' files at most", "其他域文件副本上限"),
    ("cache_days", "days a copy is kept unopened", "副本保留天数"),
    ("colour", "colour", "颜色"),
    ("description", "description", "简介"),
    ("device", "device", "设备"),
    ("display_name", "name", "名称"),
    ("domain", "domain", "域"),
    ("edit_seconds", "seconds to edit", "可编辑秒数"),
    ("epoch", "epoch", "纪元"),
    ("federation", "talks to domains", "通信的域"),
    ("file_bytes_max", "a file at most", "单个文件上限"),
    ("files_bytes_per_account", "files of an account at most", "每个帐号文件总量上限"),
    ("free_bytes", "free", "剩余"),
    ("from", "from backup", "所用备份"),
    ("group", "group", "群"),
    ("group_creation", "who may begin groups", "谁可建群"),
    ("groups", "groups", "群"),
    ("groups_per_account", "groups that an account may own", "每个帐号可拥有的群数"),
    ("home", "kept by", "保管于"),
    ("invitation", "invitation", "邀请"),
    ("label", "who", "身份"),
    ("link_previews", "looks at linked pages", "查看链接网页"),
    ("listed", "listed by hubs", "由枢纽列出"),
    ("made_ms", "made", "生成于"),
    ("maker", "made by", "生成者"),
    ("members", "members", "成员"),
    ("members_here", "members here", "本域成员"),
    ("messages_per_day", "messages of an account in a day at most", "每个帐号每天消息上限"),
    ("name", "name", "名称"),
    ("not_after_ms", "good until", "有效期至"),
    ("owner", "owner", "群主"),
    ("password_chars_min", "characters of a new password at least", "新密码最少字符数"),
    ("place", "folder", "文件夹"),
    ("provider", "provider", "登录提供方"),
    ("recall_seconds", "seconds to recall", "可撤回秒数"),
    ("records", "records", "记录数"),
    ("registration", "who may register", "谁可注册"),
    ("replaced_records", "its own records", "原有记录数"),
    ("retention_days", "days that messages are kept", "消息保留天数"),
    ("retention_of", "kept so long", "保留期限适用于"),
    ("role", "role", "角色"),
    ("scopes", "may", "权限"),
    ("seen_ms", "last here", "最近在线"),
    ("time_ms", "made", "生成于"),
    ("token", "token", "令牌"),
    ("trial_days", "days of a trial account", "试用帐号天数"),
    ("url", "address", "地址"),
    ("user", "user", "用户"),
    ("uses", "uses", "可用次数"),
    ("verified", "verified", "已校验"),
];

/// Fields that are sizes, although their names do not end so.
const BYTES: &[&str] = &["bytes_per_day", "cache_bytes_max", "file_bytes_max", "files_bytes_per_account"];

/// What a field is called.
pub fn name(field: &str, language: Language) -> &str {
    let found = NAMES.iter().find(|(known, ..)| *known == field);
    match (found, language) {
        (Some((_, _, zh)), Language::Chinese) => zh,
        (Some((_, en, _)), Language::English) => en,
        (None, _) => field,
    }
}

/// What it says.
pub fn value(field: &str, value: &Value, language: Language) -> String {
    if let (Some(ms), true) = (value.as_i64(), field.ends_with("_ms")) {
        return Timestamp::from_millisecond(ms)
            .map_or_else(|_| ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    }
    if let (Some(bytes), true) = (value.as_u64(), field == "bytes" || field.ends_with("_bytes") || BYTES.contains(&field)) {
        return size(bytes);
    }
    match (value, language) {
        (Value::Bool(true), Language::Chinese) => "是".into(),
        (Value::Bool(false), Language::Chinese) => "否".into(),
        (Value::Bool(true), Language::English) => "yes".into(),
        (Value::Bool(false), Language::English) => "no".into(),
        (Value::Array(all), _) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => super::show::text(value),
    }
}

/// In units of a thousand, as disks are sold.
fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1000.0 && unit + 1 < units.len() {
        (amount, unit) = (amount / 1000.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_called_by_names_and_moments_and_sizes_can_be_read() {
        let both = |field: &str, said: Value| {
            [Language::English, Language::Chinese].map(|l| format!("{}: {}", name(field, l), value(field, &said, l)))
        };
        assert_eq!(both("retention_days", json!(30)), ["days that messages are kept: 30", "消息保留天数: 30"]);
        assert_eq!(both("time_ms", json!(1_795_759_384_062_u64))[1], "生成于: 2026-11-27 06:03:04Z");
        assert_eq!(both("bytes", json!(221_740))[0], "size: 221.7 kB");
        assert_eq!(both("bytes", json!(999))[0], "size: 999 B");
        assert_eq!(both("verified", json!(true)), ["verified: yes", "已校验: 是"]);
        assert_eq!(both("later", json!(["a", "b"])), ["later: a, b", "later: a, b"]);
    }

    #[test]
    fn every_field_has_one_name_in_each_language() {
        for pair in NAMES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
    }
}
