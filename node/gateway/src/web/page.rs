//! Pages as text: one frame around all of them, and what makes it safe.
//!
//! Everything that is not written in this crate goes through [`escape`]. No script, no inline style.

use std::fmt::Write as _;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use startalk_protocol::error::Language;

use super::words::{Words, words};

/// What a page is made for.
#[derive(Clone)]
pub(super) struct Reader {
    pub language: Language,
    pub words: &'static Words,
    /// The path of this page, for the link to it in the other language.
    pub path: String,
}

impl Reader {
    /// From `?lang=` or else Accept-Language.
    pub(super) fn of(path: &str, lang: Option<&str>, headers: &HeaderMap) -> Self {
        let accepted = || headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).map_or(Language::English, accepted);
        let language = lang.filter(|l| !l.is_empty()).map_or_else(accepted, Language::of);
        Self { language, words: words(language), path: path.to_owned() }
    }

    /// The page around `main`, which is HTML already.
    pub(super) fn page(&self, status: StatusCode, title: &str, main: &str) -> Response {
        let Words { tag, other_tag, other_language, .. } = self.words;
        let (title, path) = (escape(title), escape(&self.path));
        let html = format!(
            "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n\
             <title>{title}</title>\n<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n\
             <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n\
             <header><a href=\"/?lang={tag}\" class=\"brand\"><img src=\"/icon.svg\" alt=\"\" width=\"28\" height=\"28\">星语 Startalk</a>\
             <a href=\"{path}?lang={other_tag}\" lang=\"{other_tag}\" hreflang=\"{other_tag}\">{other_language}</a></header>\n\
             <main>\n{main}</main>\n</body>\n</html>\n"
        );
        (status, [(header::VARY, "accept-language")], Html(html)).into_response()
    }

    /// A page that says why something could not be done.
    pub(super) fn failure(&self, status: StatusCode, why: &str) -> Response {
        let Words { cannot_title, back, tag, .. } = self.words;
        let main = format!(
            "<h1>{cannot_title}</h1>\n<p role=\"alert\" class=\"alert\">{}</p>\n<p><a href=\"/?lang={tag}\">{back}</a></p>\n",
            escape(why)
        );
        self.page(status, cannot_title, &main)
    }
}

/// The language that a browser likes best of ours.
fn accepted(header: &str) -> Language {
    let mut best = (Language::English, 0.0);
    for item in header.split(',').take(32) {
        let (tag, params) = item.split_once(';').unwrap_or((item, ""));
        let tag = tag.trim().to_ascii_lowercase();
        let quality: f32 = params.trim().strip_prefix("q=").map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if quality > best.1 && (tag.starts_with("zh") || tag.starts_with("en")) {
            best = (Language::of(&tag), quality);
        }
    }
    best.0
}

/// Text as HTML, inside elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// One field of a form.
pub(super) struct Field<'a> {
    pub id: &'static str,
    pub label: &'a str,
    pub hint: &'a str,
    /// Kind and other attributes, written in this crate.
    pub attributes: &'static str,
    /// What was typed before; never a password.
    pub value: &'a str,
    pub is_wrong: bool,
}

impl Field<'_> {
    /// Appends its HTML.
    pub(super) fn put(&self, out: &mut String) {
        let Self { id, label, hint, attributes, value, is_wrong } = self;
        let (label, hint, value) = (escape(label), escape(hint), escape(value));
        let wrong = if *is_wrong { " aria-invalid=\"true\"" } else { "" };
        let described = if hint.is_empty() { String::new() } else { format!(" aria-describedby=\"{id}-hint\"") };
        let _ = writeln!(
            out,
            "<label for=\"{id}\">{label}</label>\n<input id=\"{id}\" name=\"{id}\" value=\"{value}\" {attributes}{described}{wrong}>"
        );
        if !hint.is_empty() {
            let _ = writeln!(out, "<p class=\"hint\" id=\"{id}-hint\">{hint}</p>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_is_chosen() {
        for (header, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-US,en;q=0.9,zh;q=0.8", Language::English),
            ("de, zh;q=0.3", Language::Chinese),
            ("fr", Language::English),
            ("en;q=0.1, zh-TW", Language::Chinese),
            (";;q=x,,", Language::English),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
