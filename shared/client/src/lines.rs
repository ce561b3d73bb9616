//! Lines by the system in words, Chinese and English, in one table.
//!
//! Pure. A place for a value is its name in braces: `{author}` is whoever did it, the rest are the line's parameters. A
//! code that is not here is shown as it is, so that a line of a later version is not lost.

use std::collections::BTreeMap;

use startalk_protocol::error::Language;

/// Code, English, Chinese.
const LINES: &[(&str, &str, &str)] = &[
    ("group-created", "{author} created the group", "{author} 创建了此群"),
    ("group-added", "{author} added {who}", "{author} 将 {who} 加入此群"),
    ("group-invited", "{author} invited {who}", "{author} 邀请了 {who}"),
    ("group-joined", "{author} joined", "{author} 加入了此群"),
    ("group-asked", "{author} asked to join", "{author} 申请入群"),
    ("group-admitted", "{author} let {who} in", "{author} 同意 {who} 入群"),
    ("group-not-admitted", "{author} did not let {who} in", "{author} 拒绝了 {who} 的入群申请"),
    ("group-left", "{author} left", "{author} 退出了此群"),
    ("group-removed", "{author} removed {who}", "{author} 将 {who} 移出此群"),
    ("group-banned", "{author} banned {who}", "{author} 封禁了 {who}"),
    ("group-unbanned", "{author} lifted the ban of {who}", "{author} 解除了对 {who} 的封禁"),
    ("group-role", "{author} made {who} {role}", "{author} 将 {who} 设为{role}"),
    ("group-muted", "{author} muted {who}", "{author} 禁言了 {who}"),
    ("group-unmuted", "{author} let {who} speak again", "{author} 解除了 {who} 的禁言"),
    ("group-name", "{author} named the group “{text}”", "{author} 将群名改为“{text}”"),
    ("group-notice", "{author} put up a notice: {text}", "{author} 发布了群公告：{text}"),
    ("group-description", "{author} described the group: {text}", "{author} 修改了群简介：{text}"),
    ("group-avatar", "{author} changed the group's picture", "{author} 更换了群头像"),
    ("group-rights", "{author} changed who may do what", "{author} 修改了群权限"),
    ("group-link-made", "{author} made a link into the group", "{author} 生成了入群链接"),
    ("group-link-revoked", "{author} ended a link into the group", "{author} 作废了一个入群链接"),
    ("group-destroyed", "{author} closed the group for good", "{author} 解散了此群"),
    ("group-pinned", "{author} pinned a message", "{author} 置顶了一条消息"),
    ("group-unpinned", "{author} unpinned a message", "{author} 取消了一条置顶"),
    ("group-added-by-domain", "An administrator of {domain} added {who}", "{domain} 的管理员将 {who} 加入此群"),
    ("group-removed-by-domain", "An administrator of {domain} removed {who}", "{domain} 的管理员将 {who} 移出此群"),
    ("group-role-by-domain", "An administrator of {domain} made {who} {role}", "{domain} 的管理员将 {who} 设为{role}"),
    ("group-name-by-domain", "An administrator of {domain} named the group “{text}”", "{domain} 的管理员将群名改为“{text}”"),
    ("group-notice-by-domain", "An administrator of {domain} put up a notice: {text}", "{domain} 的管理员发布了群公告：{text}"),
    ("group-destroyed-by-domain", "An administrator of {domain} closed the group for good", "{domain} 的管理员解散了此群"),
    ("group-restored", "The group's server was restored from an earlier copy", "此群的服务器已从较早的备份恢复"),
    ("group-unknown", "Something happened that this version cannot show", "发生了此版本无法显示的事"),
];

/// Values of parameters that are words themselves.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("role", "owner", "the owner", "群主"),
    ("role", "administrator", "an administrator", "管理员"),
    ("role", "member", "an ordinary member", "普通成员"),
];

/// The line in words; `None` if the code is unknown. `name`: how a person is called.
pub(crate) fn words(
    code: &str,
    params: &BTreeMap<String, String>,
    language: Language,
    author: &str,
    name: &dyn Fn(&str) -> String,
) -> Option<String> {
    let chosen = |en: &'static str, zh: &'static str| if language == Language::Chinese { zh } else { en };
    let (_, en, zh) = LINES.iter().find(|l| l.0 == code)?;
    let mut out = String::new();
    let mut rest = chosen(en, zh);
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}')?;
        out.push_str(before);
        let value = if place == "author" { author } else { params.get(place).map_or("", String::as_str) };
        let known = VALUES.iter().find(|v| v.0 == place && v.1 == value);
        match (known, place) {
            (Some((_, _, en, zh)), _) => out.push_str(chosen(en, zh)),
            (None, "author" | "who") if value.is_empty() => out.push('…'),
            (None, "author" | "who") => out.push_str(&name(value)),
            (None, _) => out.push_str(value),
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_same_places_in_both_languages() {
        let places = |text: &str| {
            let mut all: Vec<String> = text.split('{').skip(1).map(|p| p.split('}').next().unwrap().to_owned()).collect();
            all.sort();
            all
        };
        for (code, en, zh) in LINES {
            assert_eq!(places(en), places(zh), "{code}");
            assert!(zh.chars().any(|c| c > '\u{2e80}') && en.chars().all(|c| c < '\u{2e80}'), "{code}");
        }
    }

    #[test]
    fn a_line_names_who_did_what_to_whom() {
        let params: BTreeMap<String, String> =
            [("who", "bob@b.example"), ("role", "administrator")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let name = |user: &str| user.split('@').next().unwrap_or_default().to_uppercase();
        let line = |language| words("group-role", &params, language, "ann@a.example", &name).unwrap();
        assert_eq!(line(Language::English), "ANN made BOB an administrator");
        assert_eq!(line(Language::Chinese), "ANN 将 BOB 设为管理员");
        assert_eq!(words("of-tomorrow", &params, Language::English, "", &name), None);
    }
}
