//! Real text to send: Debian's fortunes, English and Chinese, if they are installed; else a text of this repository.

use std::{fs, path::Path};

/// Where Debian keeps them.
const FOLDERS: [&str; 2] = ["/usr/share/games/fortunes", "/usr/share/games/fortunes-zh"];
/// Of the repository, in both languages.
const OWN: &str = include_str!("../texts.txt");
/// Bytes of one text at most, so that many messages stay a demonstration and no download.
const BYTES_MAX: usize = 2000;

/// Texts, at least one.
pub fn texts() -> Vec<String> {
    let mut all: Vec<String> = FOLDERS.iter().flat_map(|folder| read(Path::new(folder))).collect();
    if all.is_empty() {
        all = split(OWN);
    }
    all
}

fn read(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_none() && p.is_file()).collect();
    files.sort();
    files.iter().filter_map(|f| fs::read_to_string(f).ok()).flat_map(|t| split(&t)).collect()
}

fn split(text: &str) -> Vec<String> {
    let plain = |t: &str| t.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect::<String>();
    text.split("\n%\n").map(|t| plain(t.trim())).filter(|t| !t.is_empty() && t.len() <= BYTES_MAX).collect()
}
