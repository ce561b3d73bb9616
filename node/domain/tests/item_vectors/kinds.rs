//! Contents that are more than words, for `content.json`: name, what becomes of it in an accepted conversation, and the bytes. In a
//! request each is refused: until somebody has accepted, one may only write.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::pb::content::{
    Album, Attachment, ContactCard, Content, File, Line, LinkCard, Location, Picture, Shake, Sticker, Transcript, Video, Voice,
    content::Kind,
};

/// Every case.
pub fn kinds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let file = |name: &str| File { hash: vec![7; 32].into(), size: 3500, r#type: "image/png".into(), name: name.into() };
    let some = || Some(file("a.png"));
    let picture = || Picture { file: some(), width: 800, height: 600, ..Picture::default() };
    let of = |kind: Kind| Content { kind: Some(kind), ..Content::default() }.encode_to_vec();
    let album = |pictures: Vec<Picture>| of(Kind::Album(Album { pictures, ..Album::default() }));
    let attached = |file: File| of(Kind::Attachment(Attachment { file: Some(file), ..Attachment::default() }));
    let voice = |waveform: usize| of(Kind::Voice(Voice { file: some(), duration_ms: 5000, waveform: vec![9; waveform].into() }));
    let place = |latitude: f64| of(Kind::Location(Location { latitude, longitude: 121.5, ..Location::default() }));
    let card = |user: &str| of(Kind::ContactCard(ContactCard { user: user.into(), display_name: "Carol".into() }));
    let link = |url: &str| of(Kind::LinkCard(LinkCard { url: url.into(), title: "T".into(), ..LinkCard::default() }));
    let said = super::words("hi");
    let line =
        |content: Bytes| Line { author: "carol@c.example".into(), author_name: "Carol".into(), content, ..Line::default() };
    let transcript = |lines: Vec<Line>| Content {
        kind: Some(Kind::Transcript(Transcript { title: "T".into(), lines })),
        ..Content::default()
    };
    let nested = |depth: usize| {
        (1..depth).fold(transcript(vec![line(said.clone())]), |inner, _| transcript(vec![line(inner.encode_to_vec().into())]))
    };
    let burning = |burn_s: u32| {
        let mut content = Content::decode(said.clone()).expect("it was encoded here");
        content.burn_s = burn_s;
        content.encode_to_vec()
    };
    vec![
        ("an album", "effect", album(vec![picture(); 30])),
        ("an album of 31 pictures", "bad-value", album(vec![picture(); 31])),
        ("an album without a picture", "bad-value", album(Vec::new())),
        ("a picture without a file", "bad-value", album(vec![Picture::default()])),
        ("a file", "effect", attached(file("plan.pdf"))),
        ("a file with a hash of 31 bytes", "bad-value", attached(File { hash: vec![7; 31].into(), ..file("a") })),
        ("a file whose name is a path", "bad-value", attached(file("../a"))),
        ("a file whose name turns the direction of text", "bad-value", attached(file("a\u{202e}gpj.exe"))),
        ("a file of no media type", "bad-value", attached(File { r#type: "png".into(), ..file("a") })),
        ("a voice message", "effect", voice(128)),
        ("a waveform of 129 bytes", "too-large", voice(129)),
        (
            "a voice message of more than a day",
            "bad-value",
            of(Kind::Voice(Voice { file: some(), duration_ms: 86_400_001, ..Voice::default() })),
        ),
        (
            "a video",
            "effect",
            of(Kind::Video(Video {
                file: some(),
                poster: some(),
                duration_ms: 9000,
                width: 1920,
                height: 1080,
                ..Video::default()
            })),
        ),
        (
            "a sticker",
            "effect",
            of(Kind::Sticker(Sticker { file: some(), width: 128, height: 128, code: "wave".into(), ..Sticker::default() })),
        ),
        ("a place", "effect", place(31.2)),
        ("a place at 91 degrees north", "bad-value", place(91.0)),
        ("a place that is no number", "bad-value", place(f64::NAN)),
        ("a contact", "effect", card("carol@c.example")),
        ("a contact that is no user", "bad-value", card("Carol@c.example")),
        ("a card of a link", "effect", link("https://a.example/x")),
        ("a card of a program", "bad-value", link("javascript:alert(1)")),
        ("forwarded messages", "effect", nested(1).encode_to_vec()),
        ("forwarded messages, three in each other", "effect", nested(3).encode_to_vec()),
        ("forwarded messages, four in each other", "bad-value", nested(4).encode_to_vec()),
        ("forwarded messages without any", "bad-value", transcript(Vec::new()).encode_to_vec()),
        ("a message that burns, forwarded", "bad-value", transcript(vec![line(burning(5).into())]).encode_to_vec()),
        ("a shake", "effect", of(Kind::Shake(Shake {}))),
        ("a text that burns", "effect", burning(7 * 24 * 3600)),
        ("a text that burns after more than seven days", "bad-value", burning(7 * 24 * 3600 + 1)),
    ]
}
