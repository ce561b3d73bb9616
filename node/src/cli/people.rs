//! People from a file or a directory, on the command line: a file is read here and goes to the node with the request, so that a node in a
//! container needs no way to it; links come back and are written here, for their owner alone.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;
use serde_json::Value;
use startalk_protocol::{Code, Error, error::Language, limits};

use super::show::{table, text};
use crate::{admin::Request, words::say};

/// The request with the file in it.
///
/// # Errors
/// If the file cannot be read, or is too large.
pub fn request(
    file: &Path,
    everyone: bool,
    disable: Option<usize>,
    link_days: Option<u32>,
    language: Language,
) -> anyhow::Result<Request> {
    let size = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
    if size > limits::INTAKE_BYTES_MAX as u64 {
        let error = Error::new(Code::TooLarge).with("what", file.display()).with("got", size);
        return Err(error.with("max", limits::INTAKE_BYTES_MAX).into());
    }
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let file = data_encoding::BASE64.encode(&bytes);
    Ok(Request::UserImport { file, directory: None, everyone, disable, link_days, language: tag(language).into() })
}

/// The request for a directory of the settings of the node that runs.
pub fn from_directory(directory: String, everyone: bool, disable: Option<usize>, apply: bool, language: Language) -> Request {
    let (file, link_days) = (String::new(), apply.then_some(crate::admin::LINK_DAYS));
    Request::UserImport { file, directory: Some(directory), everyone, disable, link_days, language: tag(language).into() }
}

/// The language for the node.
pub fn tag(language: Language) -> &'static str {
    if language == Language::Chinese { "zh" } else { "en" }
}

/// Opens the file for links before anything is done: links that cannot be written are lost. Nobody else may read it.
///
/// # Errors
/// If it is there, or cannot be made.
pub fn links_file(path: &Path) -> anyhow::Result<std::fs::File> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.with_context(|| path.display().to_string())
}

/// Takes the links out of an answer and writes them.
///
/// # Errors
/// If they cannot be written.
pub fn write_links(answer: &mut Value, file: Option<(std::fs::File, &Path)>) -> anyhow::Result<()> {
    let Some((mut file, path)) = file else { return Ok(()) };
    match answer.as_object_mut().and_then(|all| all.remove("links")) {
        Some(Value::String(csv)) => {
            file.write_all(csv.as_bytes())?;
            file.sync_all()?;
            answer["links_file"] = path.display().to_string().into();
        }
        _ => std::fs::remove_file(path)?,
    }
    Ok(())
}

/// A plan, and what became of it.
pub fn in_words(value: &Value, language: Language) -> String {
    let t = |en: &'static str, zh: &'static str| say(language, en, zh);
    let (plan, empty) = (&value["plan"], Vec::new());
    let mut out = String::new();
    let rows = |name: &str| plan[name].as_array().unwrap_or(&empty).clone();
    let ignored: Vec<String> = rows("ignored").iter().map(text).collect();
    if !ignored.is_empty() {
        out += &format!("{}: {}\n", t("columns that are not understood", "未识别的列"), ignored.join(", "));
    }
    let steps = rows("steps");
    if !steps.is_empty() {
        out += &table(
            &[t("row", "行"), t("what", "更改"), t("account", "帐号"), t("name", "姓名"), t("details", "详情")],
            steps.iter().map(|s| {
                vec![number(&s["row"]), what(s, language).into(), text(&s["name"]), text(&s["display_name"]), changes(s)]
            }),
        );
    }
    for (title, errors) in [
        (t("Rows with errors:", "有错误的行："), rows("errors")),
        (t("Refused while it was carried out:", "执行时被拒绝："), value["refused_rows"].as_array().unwrap_or(&empty).clone()),
    ] {
        if !errors.is_empty() {
            out += &format!("\n{title}\n");
            let words = |e: &Value| text(&e[tag(language)]);
            out += &table(
                &[t("row", "行"), t("who", "谁"), t("why", "原因")],
                errors.iter().map(|e| vec![number(&e["row"]), text(&e["who"]), words(e)]),
            );
        }
    }
    let counts = [
        (t("added", "新增"), &plan["added"]),
        (t("changed", "更新"), &plan["changed"]),
        (t("unchanged", "不变"), &plan["unchanged"]),
        (t("disabled", "停用"), &plan["disabled"]),
    ];
    let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
    out += &format!("\n{} · {} {}\n", counts.join(" · "), t("errors", "错误"), rows("errors").len());
    if let Ok(refused) = serde_json::from_value::<crate::admin::http::ErrorBody>(plan["refused"].clone()) {
        out += &format!("{}\n", Error::from_wire(&refused.code, refused.params).words(language));
    }
    out += &if value["made"].is_u64() {
        links(value, language)
    } else {
        format!("{}\n", t("Nothing was changed.", "未做任何更改。"))
    };
    out
}

/// What became of links.
pub fn links(value: &Value, language: Language) -> String {
    let t = |en: &'static str, zh: &'static str| say(language, en, zh);
    let made = &value["made"];
    if let Some(file) = value["links_file"].as_str() {
        return format!("{made} {} {file}\n", t("sign-in links are in", "个登录链接已写入"));
    }
    match value["links"].as_str() {
        Some(csv) => format!(
            "{}\n{}",
            t("Sign-in links, shown this once:", "登录链接，仅显示这一次："),
            csv.trim_start_matches('\u{feff}')
        ),
        None => String::new(),
    }
}

fn number(value: &Value) -> String {
    if *value == 0 { String::new() } else { value.to_string() }
}

fn what(step: &Value, language: Language) -> &str {
    match step["what"].as_str().unwrap_or_default() {
        "add" => say(language, "add", "新增"),
        "change" => say(language, "change", "更新"),
        "disable" => say(language, "disable", "停用"),
        _ => say(language, "keep: administers", "保留：有管理权"),
    }
}

fn changes(step: &Value) -> String {
    let change = |c: &Value| format!("{}: {} → {}", text(&c["column"]), text(&c["before"]), text(&c["after"]));
    // Of who is new everything is; what stands in the file is not said again.
    let all = step["changes"].as_array().filter(|_| step["what"] == "change");
    all.map(|all| all.iter().map(change).collect::<Vec<_>>().join("; ")).unwrap_or_default()
}
