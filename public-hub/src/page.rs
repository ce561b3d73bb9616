//! The page for people: the domains that asked to be listed, and a search. Server-rendered, no script.
//!
//! Pure: entries in, HTML out. Every text that comes from outside goes through [`escape`].

use std::fmt::Write as _;

use startalk_net::walk::{Passed, Went};
use startalk_protocol::{
    Code, Error,
    error::Language,
    trust::{Registration, VerifiedRecord},
};

use crate::directory::Entry;

/// The style sheet, light and dark.
pub const STYLE: &str = include_str!("style.css");

struct Words {
    tag: &'static str,
    title: &'static str,
    lead: &'static str,
    search: &'static str,
    button: &'static str,
    none: &'static str,
    nothing_found: &'static str,
    other_language: (&'static str, &'static str),
    foot: &'static str,
    gone_home: &'static str,
}

const ENGLISH: Words = Words {
    tag: "en",
    title: "Startalk domains",
    lead: "Places to have an account. Every domain is run by somebody of its own; people on all of them can write to each other.",
    search: "Name or description",
    button: "Search",
    none: "No domain has asked to be listed here yet.",
    nothing_found: "Nothing found. A domain that is not listed can still be reached by its name.",
    other_language: ("zh", "中文"),
    foot: "Listed are domains that asked for it and proved their name. This hub does not run them and cannot read what is written there.",
    gone_home: "All domains",
};

const CHINESE: Words = Words {
    tag: "zh",
    title: "星语域名录",
    lead: "在这里挑选一个域注册帐号。每个域由各自的主人运营，不同域的人可以互相通信。",
    search: "名称或简介",
    button: "搜索",
    none: "还没有域申请在此公开。",
    nothing_found: "没有找到。未公开的域仍可通过其名称直接联系。",
    other_language: ("en", "English"),
    foot: "此处只列出主动申请公开并证明了其名称的域。本枢纽不运营这些域，也无法读取其中的内容。",
    gone_home: "全部域",
};

/// Which language: as asked for in the URL, else the first of Accept-Language that exists here.
pub fn language(asked: Option<&str>, accept: Option<&str>) -> Language {
    if let Some(asked) = asked {
        return Language::of(asked);
    }
    let preferred = accept.unwrap_or_default().split(',').map(|part| {
        let mut pieces = part.split(';');
        let tag = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let weight: f32 = pieces.find_map(|p| p.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        (tag, weight)
    });
    let known = preferred.filter(|(tag, weight)| (tag.starts_with("zh") || tag.starts_with("en")) && *weight > 0.0);
    // The first of the heaviest.
    let best = known.fold(None, |best: Option<(String, f32)>, next| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    });
    best.map_or(Language::English, |(tag, _)| Language::of(&tag))
}

/// The whole page. `here`: by which host the hub is asked; and how many nodes are tethered to it.
pub fn render(entries: &[&Entry], count: usize, search: &str, language: Language, (here, tethers): (&str, usize)) -> String {
    let zh = language == Language::Chinese;
    let words = if zh { &CHINESE } else { &ENGLISH };
    let mut out = String::with_capacity(4096 + entries.len() * 600);
    let q = escape(search);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n\
         <body><header><p class=\"other\"><a href=\"/?lang={other}&amp;q={url}\" hreflang=\"{other}\" lang=\"{other}\">{other_name}</a></p>\
         <h1>{title}</h1><p class=\"lead\">{lead}</p>\
         <form method=\"get\" action=\"/\" role=\"search\"><input type=\"hidden\" name=\"lang\" value=\"{tag}\">\
         <input type=\"search\" name=\"q\" value=\"{q}\" maxlength=\"100\" aria-label=\"{label}\" placeholder=\"{label}\">\
         <button>{button}</button></form></header>\n<main>",
        tag = words.tag,
        title = words.title,
        lead = words.lead,
        other = words.other_language.0,
        other_name = words.other_language.1,
        url = escape(&url_encoded(search)),
        label = words.search,
        button = words.button,
    );
    let heading = if zh {
        format!("{count} 个域")
    } else if count == 1 {
        "1 domain".to_owned()
    } else {
        format!("{count} domains")
    };
    let _ = write!(out, "<h2>{heading}</h2>");
    if entries.is_empty() {
        let text = if search.is_empty() { words.none } else { words.nothing_found };
        let _ = write!(out, "<p class=\"empty\">{text}</p>");
    } else {
        out.push_str("<ul>");
        for entry in entries {
            card(&mut out, &entry.record, zh);
        }
        out.push_str("</ul>");
    }
    if count > entries.len() {
        let more = count - entries.len();
        let text = if zh {
            format!("还有 {more} 个，请用搜索缩小范围。")
        } else {
            format!("{more} more: narrow them down by searching.")
        };
        let _ = write!(out, "<p class=\"more\">{text}</p>");
    }
    if !search.is_empty() {
        let _ = write!(out, "<p><a href=\"/?lang={}\">{}</a></p>", words.tag, words.gone_home);
    }
    form(&mut out, "", zh);
    own(&mut out, zh, here, tethers);
    let _ = write!(out, "</main>\n<footer><p>{}</p></footer></body></html>\n", words.foot);
    out
}

/// How to have a domain of one's own, and how it stands with those at home here.
fn own(out: &mut String, zh: bool, here: &str, tethers: usize) {
    let (title, text, status) = if zh {
        (
            "自己运行一个域",
            "一台家里的机器就够：装好星语，把本枢纽的地址交给它。没有公网地址、在任何路由器后面都可以；本枢纽只转发密文。",
            format!("本枢纽工作正常；经由它接入的家用服务器：{tethers}"),
        )
    } else {
        (
            "Run a domain of your own",
            "A machine at home is enough: install Startalk, and give it the address of this hub. It needs no public address, and may be behind any router; this hub forwards what it cannot read.",
            format!("This hub is well; servers at home that are reached through it: {tethers}"),
        )
    };
    let _ = write!(
        out,
        "<section><h2>{title}</h2><p>{text}</p><pre><code>startalk up --via https://{here}</code></pre><p class=\"status\">{status}</p></section>",
        here = escape(if here.is_empty() { "…" } else { here }),
    );
}

/// The form by which a server is looked at from outside.
fn form(out: &mut String, text: &str, zh: bool) {
    let (title, lead, label, button) = if zh {
        ("检查一个域", "从外部逐步查看一个域能否到达：名称、密钥、UDP 与 TCP、浏览器证书。该域须已在此登记。", "域名", "检查")
    } else {
        (
            "Check a domain",
            "Looks from outside whether a domain can be reached, step by step: name, key, UDP and TCP, certificate for browsers. It has to announce itself here.",
            "Domain",
            "Check",
        )
    };
    let _ = write!(
        out,
        "<section><h2>{title}</h2><p>{lead}</p><form method=\"get\" action=\"/check\"><input type=\"hidden\" name=\"lang\" value=\"{tag}\">\
         <input type=\"search\" name=\"domain\" value=\"{text}\" maxlength=\"100\" required aria-label=\"{label}\" placeholder=\"{label}\">\
         <button>{button}</button></form></section>",
        tag = if zh { "zh" } else { "en" },
        text = escape(text),
    );
}

/// What a look at a server from outside has found.
pub fn checked(text: &str, steps: &Result<Vec<Passed>, Error>, language: Language) -> String {
    let zh = language == Language::Chinese;
    let words = if zh { &CHINESE } else { &ENGLISH };
    let mut out = String::with_capacity(4096);
    let title = if zh { "检查一个域" } else { "Check a domain" };
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n\
         <body><header><p class=\"other\"><a href=\"/?lang={tag}\">{home}</a></p><h1 dir=\"auto\">{text}</h1></header>\n<main>",
        tag = words.tag,
        home = words.gone_home,
        text = escape(if text.is_empty() { title } else { text }),
    );
    match steps {
        Ok(steps) => {
            let worst = steps.iter().map(|s| s.went).max().unwrap_or(Went::Good);
            let verdict = match (worst, zh) {
                (Went::Good, false) => "Everybody can come: domains, programs and browsers.",
                (Went::Good, true) => "一切正常：其他域、程序和浏览器都能到达。",
                (Went::Warning, false) => "It can be reached; some things could be better.",
                (Went::Warning, true) => "可以到达；有些地方还能改进。",
                (Went::Bad, false) => "Something is in the way:",
                (Went::Bad, true) => "有问题需要处理：",
            };
            let _ = write!(out, "<p class=\"lead\">{verdict}</p><ol class=\"steps\">");
            for step in steps {
                let (class, sign, spoken) = match (step.went, zh) {
                    (Went::Good, false) => ("good", "✓", "good"),
                    (Went::Good, true) => ("good", "✓", "正常"),
                    (Went::Warning, false) => ("warning", "!", "warning"),
                    (Went::Warning, true) => ("warning", "!", "注意"),
                    (Went::Bad, false) => ("bad", "✗", "bad"),
                    (Went::Bad, true) => ("bad", "✗", "有误"),
                };
                let _ = write!(
                    out,
                    "<li class=\"{class}\"><span class=\"sign\" role=\"img\" aria-label=\"{spoken}\">{sign}</span><p dir=\"auto\">{}</p></li>",
                    escape(step.words(language))
                );
            }
            out.push_str("</ol>");
        }
        Err(error) => {
            let words = match (error.code, zh) {
                (Code::UnknownDomain, false) => {
                    "This domain does not announce itself here. A node does so when it is started with --hub or --via and the address of this hub.".to_owned()
                }
                (Code::UnknownDomain, true) => "该域没有在此登记。用 --hub 或 --via 加上本枢纽的地址启动节点，即会登记。".to_owned(),
                _ => error.words(language),
            };
            let _ = write!(out, "<p class=\"empty\">{}</p>", escape(&words));
        }
    }
    form(&mut out, text, zh);
    out.push_str("</main></body></html>\n");
    out
}

/// In the place of a domain that is not there at the moment.
pub fn away(language: Language) -> String {
    let (tag, title, text) = match language {
        Language::Chinese => (
            "zh",
            "此域暂未接入",
            "运行它的机器目前没有与本枢纽相连：可能正在重启，或断了网。请稍后再试；其中的消息都在那台机器上，没有丢失。",
        ),
        Language::English => (
            "en",
            "This domain is not connected",
            "The machine that runs it is not connected to this hub at the moment: it may be restarting, or off the network. Try again later; its messages are on that machine, and are not lost.",
        ),
    };
    format!(
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title></head>\n<body><main><h1>{title}</h1><p>{text}</p></main></body></html>\n"
    )
}

fn card(out: &mut String, record: &VerifiedRecord, zh: bool) {
    let shown = record.domain().shown();
    let name = if record.display_name().is_empty() { shown.clone() } else { record.display_name().to_owned() };
    let (class, registration) = match (record.registration(), zh) {
        (Registration::Open, false) => ("open", "anybody can register"),
        (Registration::Open, true) => ("open", "开放注册"),
        (Registration::Invitation, false) => ("invitation", "by invitation"),
        (Registration::Invitation, true) => ("invitation", "凭邀请注册"),
        (Registration::Closed, false) => ("closed", "closed"),
        (Registration::Closed, true) => ("closed", "不开放注册"),
    };
    let _ = write!(out, "<li><h3>");
    match address(record) {
        Some(url) => {
            let _ = write!(
                out,
                "<a href=\"{}\" rel=\"noopener noreferrer nofollow\" dir=\"auto\">{}</a>",
                escape(&url),
                escape(&name)
            );
        }
        None => {
            let _ = write!(out, "<span dir=\"auto\">{}</span>", escape(&name));
        }
    }
    let _ = write!(out, "</h3><p class=\"name\">{}</p>", escape(&shown));
    if !record.description().is_empty() {
        let _ = write!(out, "<p dir=\"auto\">{}</p>", escape(record.description()));
    }
    let _ = write!(out, "<p class=\"badge {class}\">{registration}</p></li>");
}

/// Where a browser finds the domain: at its own name, or for a key name at its first endpoint.
fn address(record: &VerifiedRecord) -> Option<String> {
    if !record.domain().is_key_name() {
        return Some(format!("https://{}/", record.domain()));
    }
    let endpoint = record.endpoints().first()?;
    Some(if endpoint.host.contains(':') {
        format!("https://[{}]:{}/", endpoint.host, endpoint.port)
    } else {
        format!("https://{}:{}/", endpoint.host, endpoint.port)
    })
}

/// Text to HTML, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_asked_for() {
        let check = |asked, accept, expected| assert_eq!(language(asked, accept), expected, "{asked:?} {accept:?}");
        check(None, None, Language::English);
        check(None, Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        check(None, Some("en-GB,zh;q=0.9"), Language::English);
        check(None, Some("de,zh;q=0.5"), Language::Chinese);
        check(None, Some("en;q=0.1, zh;q=0.2"), Language::Chinese);
        check(Some("en"), Some("zh"), Language::English);
        check(Some("zh-Hans"), None, Language::Chinese);
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let html = render(&[], 0, "\"><script>alert(1)</script>", Language::English, ("<i>&", 0));
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("value=\"&quot;&gt;&lt;script"));
        assert!(html.contains("q=%22%3E%3Cscript"));
        assert!(html.contains("https://&lt;i&gt;&amp;"), "by whichever host it was asked");
    }
}
