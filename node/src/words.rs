//! What the program says to its operator, in Chinese and English.

use startalk_protocol::error::Language;

/// The operator's language: `--lang`, else the locale.
pub fn language(asked: Option<&str>) -> Language {
    let locale = || ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    Language::of(&asked.map(str::to_owned).or_else(locale).unwrap_or_default())
}

/// One of two texts.
pub fn say<'a>(language: Language, en: &'a str, zh: &'a str) -> &'a str {
    match language {
        Language::English => en,
        Language::Chinese => zh,
    }
}
