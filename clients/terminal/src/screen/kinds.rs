//! What a message holds besides words, as lines of a terminal: names, sizes, how long, how loud, where.
//!
//! Pictures are not drawn: a line says what they are, a link leads to where they are seen, and `/save` brings them.

use startalk_client::{
    Language, size_words,
    wire_content::{File, content::Kind},
};
use startalk_protocol::{
    content::{name_of_kind, words_of_text},
    ids::KEY_NAME_SUFFIX,
};

/// Columns of a voice message's loudness.
const BARS: usize = 32;
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Where a conversation is seen with its pictures: in the web client of the account's own domain, if that has an address. A file by
/// itself has no link that one could follow: who may see it is asked each time.
pub fn seen_at(me: &str, conversation: u64) -> Option<String> {
    let (_, domain) = me.split_once('@')?;
    (!domain.ends_with(KEY_NAME_SUFFIX)).then(|| format!("https://{domain}/c/{conversation}"))
}

/// The text of a message of this kind; `None`: its words say all. `link`: to where what can be seen is shown.
pub fn text(kind: &'static str, what: &Kind, link: Option<&str>, language: Language) -> Option<String> {
    let file = |file: &Option<File>, more: &str| {
        let file = file.clone().unwrap_or_default();
        let parts = [file.name.as_str(), more, &size_words(file.size)].map(str::to_owned);
        parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
    };
    let pixels = |width: u32, height: u32| if width == 0 || height == 0 { String::new() } else { format!("{width}×{height}") };
    let caption = |text: &Option<startalk_client::wire_content::Text>| text.as_ref().map(words_of_text).unwrap_or_default();
    let (words, rows): (String, Vec<String>) = match what {
        Kind::Album(album) => {
            let rows = album.pictures.iter().map(|p| file(&p.file, &pixels(p.width, p.height))).collect();
            (caption(&album.caption), rows)
        }
        Kind::Video(video) => {
            let more = [pixels(video.width, video.height), time(video.duration_ms)];
            let more = more.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ");
            (caption(&video.caption), vec![file(&video.file, &more)])
        }
        Kind::Attachment(attachment) => (caption(&attachment.caption), vec![file(&attachment.file, "")]),
        Kind::Voice(voice) => {
            (format!("{} {}", loudness(&voice.waveform), time(voice.duration_ms)).trim().to_owned(), Vec::new())
        }
        Kind::Sticker(sticker) => (sticker.code.clone(), Vec::new()),
        Kind::Location(place) => {
            let (latitude, longitude) = (place.latitude, place.longitude);
            let names = [place.name.as_str(), place.address.as_str()];
            let names = names.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ");
            let map = format!("https://www.openstreetmap.org/?mlat={latitude:.5}&mlon={longitude:.5}");
            (names, vec![format!("{latitude:.5}, {longitude:.5}"), map])
        }
        _ => return None,
    };
    let is_seen = matches!(what, Kind::Album(_) | Kind::Video(_) | Kind::Sticker(_));
    let link = link.filter(|_| is_seen).map(str::to_owned);
    let head = format!("[{}] {words}", name_of_kind(kind, language)).trim_end().to_owned();
    Some([vec![head], rows.into_iter().chain(link).map(|row| format!("  {row}")).collect()].concat().join("\n"))
}

/// As one reads it on a player; empty: not known.
fn time(ms: u32) -> String {
    let seconds = ms.div_ceil(1000);
    if ms == 0 { String::new() } else { format!("{}:{:02}", seconds / 60, seconds % 60) }
}

/// How loud it is over its time, in so many columns; of a shorter one as many as it has.
fn loudness(waveform: &[u8]) -> String {
    let columns = waveform.len().min(BARS);
    let bar = |column: usize| {
        let part = &waveform[column * waveform.len() / columns..((column + 1) * waveform.len() / columns)];
        let loudest = part.iter().max().copied().unwrap_or(0);
        HEIGHTS[usize::from(loudest) * (HEIGHTS.len() - 1) / 255]
    };
    (0..columns).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use startalk_client::content::{self, Shown};

    use super::*;

    fn shown(content: &Bytes) -> String {
        match content::show(content, Language::English) {
            Shown::Other { kind, words, what } => {
                let link = seen_at("alice@home.example", 5);
                text(kind, &what, link.as_deref(), Language::English).unwrap_or(words)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_say_what_it_is_how_large_how_long_and_where() {
        let file = File { size: 1_300_000, name: "sea.jpg".into(), ..File::default() };
        let picture =
            startalk_client::wire_content::Picture { file: Some(file.clone()), width: 4000, height: 3000, ..Default::default() };
        assert_eq!(
            shown(&content::album(vec![picture], "the sea")),
            "[Picture] the sea\n  sea.jpg · 4000×3000 · 1.2 MiB\n  https://home.example/c/5"
        );
        assert_eq!(shown(&content::attachment(file.clone(), "")), "[File]\n  sea.jpg · 1.2 MiB");
        let waveform = Bytes::from_static(&[0, 255, 128, 30]);
        assert_eq!(shown(&content::voice(file, 61_200, waveform)), "[Voice message] ▁█▄▁ 1:02");
        let place = content::location(31.2304, 121.4737, "The tower", "").unwrap();
        let lines = "[Location] The tower\n  31.23040, 121.47370\n  https://www.openstreetmap.org/?mlat=31.23040&mlon=121.47370";
        assert_eq!(shown(&place), lines);
        assert_eq!(shown(&content::shake()), "[Shake]");
        assert_eq!(loudness(&[9; 128]).chars().count(), BARS);
        assert_eq!(loudness(&[]), "");
        assert_eq!(seen_at("a@7owcfvkstfmemq4qpiecit22vj.startalk.alt", 5), None, "it has no address");
    }
}
