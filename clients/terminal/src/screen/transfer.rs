//! Files of this machine on their way to and from the node.
//!
//! Never overwrites: a saved file gets a name that nothing has yet.

use std::path::{Path, PathBuf};

use startalk_client::{
    ClientError, Session, content,
    files::{Description, NewUpload, Purpose, Source, Transfer},
    wire_content::{File, Video},
};
use startalk_protocol::limits;
use tokio::sync::mpsc;

use super::app::{Input, Trouble};

/// Characters of the name of a saved file.
const NAME_CHARS_MAX: usize = 120;

/// Uploads files one after another, and tells what is to be said of each.
pub(super) async fn upload(
    session: Session,
    inputs: mpsc::Sender<Input>,
    local: u64,
    conversation: u64,
    (paths, caption, unchanged): (Vec<String>, String, bool),
) {
    let (mut pictures, mut caption) = (Vec::new(), caption);
    // What cannot be read is said before anything is sent.
    for shown in &paths {
        let trouble = match std::fs::metadata(expanded(shown)) {
            Ok(found) if found.is_dir() => Some(Trouble::Folder(shown.clone())),
            Ok(_) => None,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Some(Trouble::Missing(shown.clone())),
            Err(e) => Some(Trouble::Other(shown.clone(), ClientError::Input(e.to_string()))),
        };
        if let Some(trouble) = trouble {
            let _ = inputs.send(Input::Uploaded { local, conversation, result: Err(trouble) }).await;
            return;
        }
    }
    for shown in &paths {
        let path = expanded(shown);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let purpose = if unchanged { Purpose::File } else { purpose_of(&name) };
        let told = inputs.clone();
        let label = name.clone();
        let mut tell = move |t: Transfer| tell(&told, local, &label, true, &t);
        let new = NewUpload { path, purpose, name, url: None };
        let result = match session.files().upload(&new, &mut tell).await {
            Ok(Description { picture: Some(picture), .. }) if purpose == Purpose::Original => {
                pictures.push(picture);
                continue;
            }
            Ok(described) if purpose == Purpose::Video => {
                let about = Video { file: Some(described.file), ..Video::default() };
                Ok(content::video(about, &std::mem::take(&mut caption)))
            }
            Ok(described) => Ok(content::attachment(described.file, &std::mem::take(&mut caption))),
            Err(e) => Err(Trouble::Other(shown.clone(), e)),
        };
        let failed = result.is_err();
        let _ = inputs.send(Input::Uploaded { local, conversation, result }).await;
        if failed {
            return;
        }
    }
    for some in pictures.chunks(limits::ALBUM_PICTURES_MAX) {
        let content = content::album(some.to_vec(), &std::mem::take(&mut caption));
        let _ = inputs.send(Input::Uploaded { local, conversation, result: Ok(content) }).await;
    }
    let _ = inputs.send(Input::TransferEnded { local }).await;
}

/// Downloads a file of a message into a folder; empty: the one that the program runs in.
pub(super) async fn download(
    session: Session,
    inputs: mpsc::Sender<Input>,
    local: u64,
    (conversation, sequence): (u64, u64),
    files: Vec<File>,
    folder: String,
) {
    let folder = if folder.is_empty() { PathBuf::from(".") } else { expanded(&folder) };
    if !folder.is_dir() {
        let trouble = Trouble::Missing(folder.display().to_string());
        let _ = inputs.send(Input::FileSaved { local, result: Err(trouble) }).await;
        return;
    }
    for file in files {
        let name = safe_name(&file.name);
        let path = free(&folder, &name);
        let shown = path.display().to_string();
        let told = inputs.clone();
        let mut tell = move |t: Transfer| tell(&told, local, &name, false, &t);
        let done = session.files().download(Source::Message { conversation, sequence }, &file, &path, &mut tell).await;
        let result = done.map(|()| shown.clone()).map_err(|e| Trouble::Other(shown, e));
        let failed = result.is_err();
        let _ = inputs.send(Input::FileSaved { local, result }).await;
        if failed {
            return;
        }
    }
    let _ = inputs.send(Input::TransferEnded { local }).await;
}

/// What is told while too much waits to be shown is left out: the next is newer.
fn tell(inputs: &mpsc::Sender<Input>, local: u64, name: &str, up: bool, transfer: &Transfer) {
    let (done, waiting) = match transfer {
        Transfer::Moved { done, total } => (Some((*done, *total)), false),
        Transfer::Waiting { .. } => (None, true),
        Transfer::Begun { .. } | Transfer::Working => return,
    };
    let _ = inputs.try_send(Input::Moved { local, name: super::wrap::harmless(name), up, done, waiting });
}

fn purpose_of(name: &str) -> Purpose {
    let ending = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "jpg" | "jpeg" | "png" | "gif" | "webp" => Purpose::Original,
        "mp4" | "webm" | "mov" => Purpose::Video,
        _ => Purpose::File,
    }
}

fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        (None, Some(home)) if path == "~" => home,
        _ => PathBuf::from(path),
    }
}

/// A name by somebody else, as the name of a file here: no folders, nothing hidden, nothing that steers a terminal.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = super::wrap::harmless(last).chars().filter(|c| !matches!(c, '\n' | ':' | '\0')).collect();
    let plain = plain.trim().trim_start_matches('.');
    let chars = plain.chars().count();
    let kept: String = plain.chars().skip(chars.saturating_sub(NAME_CHARS_MAX)).collect();
    let mut bytes = kept.as_str();
    while bytes.len() > 200 {
        bytes = bytes.char_indices().nth(1).map_or("", |(i, _)| &bytes[i..]);
    }
    if bytes.is_empty() { "file".to_owned() } else { bytes.to_owned() }
}

/// The first of `name`, `name (1)` … that nothing in the folder has.
fn free(folder: &Path, name: &str) -> PathBuf {
    let (stem, ending) = name.rsplit_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    let first = folder.join(name);
    if !taken(&first) {
        return first;
    }
    let mut others = (1_u64..).map(|n| folder.join(format!("{stem} ({n}){ending}")));
    others.find(|p| !taken(p)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let folder = std::env::temp_dir().join(format!("startalk-terminal-free-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for expected in ["a.txt", "a (1).txt", "a (2).txt"] {
            let path = free(&folder, "a.txt");
            assert_eq!(path, folder.join(expected));
            std::fs::write(path, "x").unwrap();
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn names_of_others_stay_in_the_folder() {
        for (name, safe) in [
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("..\\x.txt", "x.txt"),
            (".bashrc", "bashrc"),
            ("a\u{1b}[2J\nb\u{202e}.png", "a[2Jb.png"),
            ("..", "file"),
            ("", "file"),
            ("照片.png", "照片.png"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        assert!(safe_name(&"照".repeat(500)).len() <= 200);
    }
}
