//! Answers of verbs as people read them: tables and lines, in their language.

use serde_json::Value;
use startalk_protocol::error::Language;

use super::fields;
use crate::words::say;

/// The answer in words.
pub fn in_words(value: &Value, language: Language) -> String {
    let t = |en: &'static str, zh: &'static str| say(language, en, zh);
    if value["plan"].is_object() {
        return super::people::in_words(value, language);
    }
    if value["made"].is_u64() {
        return super::people::links(value, language);
    }
    if let Some(csv) = value["template"].as_str() {
        return csv.to_owned();
    }
    if let Some(users) = value["users"].as_array() {
        return table(
            &[t("user", "用户"), t("name", "名称"), t("role", "角色"), t("state", "状态"), t("devices", "设备")],
            users.iter().map(|u| {
                let role = match u["role"].as_str() {
                    Some("administrator") => t("administrator", "管理员"),
                    Some("auditor") => t("auditor", "审计员"),
                    _ => "",
                };
                let state = if u["disabled"] == true { t("disabled", "已停用") } else { t("active", "正常") };
                vec![text(&u["user"]), text(&u["display_name"]), role.into(), state.into(), text(&u["devices"])]
            }),
        );
    }
    if value["one_group"].is_object() {
        let members = value["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        return as_lines(&[value["one_group"]["group"].clone()], language) + &as_lines(members, language);
    }
    if let Some(acts) = value["acts"].as_array() {
        return super::audit::in_words(acts, &value["next"], language);
    }
    if value["ways"].is_object() {
        let lists = ["identities", "passkeys"].map(|list| value[list].as_array().cloned().unwrap_or_default());
        return as_lines(&[vec![value["ways"].clone()], lists.concat()].concat(), language);
    }
    for list in ["devices", "invitations", "tokens", "groups", "backups"] {
        if let Some(rows) = value[list].as_array() {
            return as_lines(rows, language);
        }
    }
    if value["loss"].is_object() {
        return loss(&value["loss"], language);
    }
    if let Some(rows) = value["replaced"].as_array() {
        let mut out = as_lines(rows, language);
        if let Some(why) = value["failed"]["why"].as_str() {
            out += &format!("{} {why}\n", t("The last restore was given up:", "最近一次恢复已放弃："));
        }
        return out;
    }
    if let Some(place) = value["replaced"].as_str() {
        return format!(
            "{} {}\n{} {place}\n",
            value["restored"],
            t("records restored and verified; a new epoch has begun.", "条记录已恢复并校验，新纪元已开始。"),
            t(
                "The domain as it was is kept; `startalk replaced` lists it, --delete deletes it:",
                "原有数据已保留，可用 `startalk replaced` 查看，用 --delete 删除："
            ),
        );
    }
    if value["checked"].is_string() {
        return format!("{} {}\n", value["records"], t("records, every one whole", "条记录，全部完整"));
    }
    if let Some(secret) = value["secret"].as_str() {
        return format!("{secret}\n{}\n", t("It is shown this once.", "仅显示这一次。"));
    }
    if let Some(findings) = value["findings"].as_array() {
        return findings.iter().map(|f| finding(f, language)).collect();
    }
    if value["peers"].is_array() {
        return peers(value, language);
    }
    if let Some(password) = value["password"].as_str() {
        let mut out = String::new();
        if let Some(user) = value["user"].as_str() {
            out += &format!("{}: {user}\n", t("account", "帐号"));
        }
        return out + &format!("{}: {password}\n", t("password (to be changed after signing in)", "密码（登录后请修改）"));
    }
    if let Some(page) = value["metrics"].as_str() {
        return page.to_owned();
    }
    if let Some(link) = value["link"].as_str() {
        return format!("{link}\n");
    }
    if let Some(root) = value["root_key"].as_str() {
        let note = t("Keep it where nobody else gets at it; who has it is the domain.", "请妥善保管：持有它的人就是这个域。");
        return format!("{root}\n{note}\n");
    }
    for (field, en, zh) in [
        (
            "restored",
            "records restored and verified; the next `startalk up` begins a new epoch",
            "条记录已恢复并校验；下次 `startalk up` 将开始新纪元",
        ),
        (
            "rebuilt",
            "records applied, from the first on and without checkpoints; the views are new",
            "条记录已应用（从第一条起，不用检查点）；视图已重建",
        ),
        ("bytes_won", "bytes of disk space given back", "字节磁盘空间已收回"),
        ("records", "records", "条记录"),
    ] {
        if value["domain"].is_null() && value[field].is_u64() {
            return format!("{} {}\n", value[field], t(en, zh));
        }
    }
    match value.as_object() {
        Some(fields) if fields.is_empty() => format!("{}\n", t("done", "完成")),
        Some(fields) => {
            let line =
                |name: &str, v: &Value| format!("{}: {}\n", fields::name(name, language), fields::value(name, v, language));
            fields.iter().map(|(name, v)| line(name, v)).collect()
        }
        None => format!("{value}\n"),
    }
}

/// What a restore would lose.
fn loss(loss: &Value, language: Language) -> String {
    let t = |en: &'static str, zh: &'static str| say(language, en, zh);
    let mut out = String::new();
    let mut line = |words: &str, value: String| out += &format!("{words} {value}\n");
    let names = |field: &str| {
        let all = loss[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(" ")
    };
    if loss["counted"] == false {
        line(
            t(
                "The domain did not go on from this copy: everything that is not in it is lost.",
                "当前的域并非由此备份延续而来：备份中没有的一切都会失去。",
            ),
            String::new(),
        );
    } else {
        line(t("Records that are lost:", "将失去的记录数："), text(&loss["lost"]));
        if loss["at_least"] == true {
            line(t("Of the first of them:", "其中最早的一部分："), String::new());
        }
        for (field, en, zh) in [
            (
                "messages_here",
                "messages of people here, which their devices offer again:",
                "本域用户的消息（其设备会重新提交）：",
            ),
            ("messages_elsewhere", "messages from other domains, which send them again:", "来自其他域的消息（对方会重新发送）："),
            ("groups", "groups that began here:", "本域新建的群："),
            ("people_count", "accounts that were made:", "新建的帐号："),
            ("devices", "devices that have to sign in again:", "需要重新登录的设备："),
            ("deleted", "deleted accounts that come back:", "会重新出现的已删除帐号："),
            ("erased", "erased texts that come back:", "会重新出现的已抹去内容："),
        ] {
            if loss[field] != 0 {
                line(t(en, zh), text(&loss[field]));
            }
        }
        for (field, en, zh) in [("people", "People:", "帐号："), ("domains", "Domains:", "涉及的域：")] {
            if !names(field).is_empty() {
                line(t(en, zh), names(field));
            }
        }
    }
    line(t("Bytes needed:", "所需字节："), text(&loss["needed_bytes"]));
    line(t("Bytes free:", "剩余字节："), text(&loss["free_bytes"]));
    out
}

/// Whatever a list holds: a line for each, with the fields that say something.
fn as_lines(rows: &[Value], language: Language) -> String {
    if rows.is_empty() {
        return format!("{}\n", say(language, "none", "无"));
    }
    let line = |row: &Value| {
        let fields = row.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null() && **v != "" && **v != 0);
        let said: Vec<String> =
            fields.map(|(name, v)| format!("{}: {}", fields::name(name, language), fields::value(name, v, language))).collect();
        format!("{}\n", said.join("  "))
    };
    rows.iter().map(line).collect()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn finding(f: &Value, language: Language) -> String {
    let sign = match f["state"].as_str() {
        Some("good") => "✓",
        Some("warning") => "!",
        _ => "✗",
    };
    let words = if language == Language::Chinese { &f["words"]["zh"] } else { &f["words"]["en"] };
    format!("{sign} {}: {}\n", text(&f["check"]), text(words))
}

fn peers(value: &Value, language: Language) -> String {
    let t = |en: &'static str, zh: &'static str| say(language, en, zh);
    let empty = Vec::new();
    let links = value["links"].as_array().unwrap_or(&empty);
    let rows = value["peers"].as_array().unwrap_or(&empty).iter().map(|p| {
        let link = links.iter().find(|l| l["domain"] == p["domain"]);
        let field =
            |name: &str| link.map_or_else(String::new, |l| if l[name].is_null() { String::new() } else { text(&l[name]) });
        let error =
            link.map_or_else(String::new, |l| text(&l["last_error"][if language == Language::Chinese { "zh" } else { "en" }]));
        let error = if error == "null" { String::new() } else { error };
        vec![
            text(&p["domain"]),
            text(&p["rule"]),
            state(&field("state"), language).to_owned(),
            field("lag"),
            text(&p["received"]),
            text(&p["proof"]),
            error,
        ]
    });
    table(
        &[
            t("domain", "域"),
            t("rule", "规则"),
            t("link", "链路"),
            t("lag", "待送"),
            t("received", "已收"),
            t("proof", "证明"),
            t("last error", "最近错误"),
        ],
        rows,
    )
}

fn state(code: &str, language: Language) -> &str {
    match code {
        "idle" => say(language, "idle", "空闲"),
        "connected" => say(language, "connected", "已连接"),
        "dialing" => say(language, "connecting", "连接中"),
        "backing-off" => say(language, "waiting to try again", "等待重试"),
        "refused" => say(language, "refused", "被拒绝"),
        "dormant" => say(language, "silent, tried now and then", "无回应，偶尔重试"),
        "dead" => say(language, "silent for a month, given up", "一个月无回应，已放弃"),
        "gone" => say(language, "is no more", "已不复存在"),
        "denied" => say(language, "denied", "已禁止"),
        other => other,
    }
}

pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut all: Vec<Vec<String>> = vec![head.iter().map(|h| (*h).to_owned()).collect()];
    all.extend(rows);
    let columns = head.len();
    let widths: Vec<usize> = (0..columns).map(|c| all.iter().map(|r| width(&r[c])).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, w)| format!("{cell}{}", " ".repeat(w - width(cell)))).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

/// Columns on a terminal: Chinese characters take two.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}
