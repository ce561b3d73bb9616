//! What the vectors of items and contents are made from: alice@a.example to bob@b.example.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use prost::Message as _;
use serde_json::{Value, json};
use startalk_protocol::pb::{
    content::{self, Block, Code, Content, Inline, System, Text},
    link::{AccountGone, Edit, Item, Marks, Message, Opened, Profile, Recall, item::Kind},
};

#[path = "kinds.rs"]
mod kinds;

const NOW: u64 = 1_800_000_000_000;

/// Every file with its content.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![("items.json", items()), ("opened.json", opened()), ("content.json", contents())]
}

/// An id of `n` seconds before now, for n up to 999; of messages by alice below 500.
pub fn id(n: u16) -> [u8; 16] {
    id_at(NOW - 1_000_000 + u64::from(n) * 1000)
}

fn id_at(time_ms: u64) -> [u8; 16] {
    startalk_protocol::MessageId::new(time_ms, 0, [0x11; 8]).0
}

fn bytes(id: [u8; 16]) -> Bytes {
    Bytes::copy_from_slice(&id)
}

fn hex(bytes: &[u8]) -> Value {
    HEXLOWER.encode(bytes).into()
}

fn words(text: &str) -> Bytes {
    let block = Block { inlines: vec![Inline { text: text.into(), ..Inline::default() }], ..Block::default() };
    encoded(content::content::Kind::Text(Text { blocks: vec![block] }), "")
}

fn code() -> Bytes {
    encoded(content::content::Kind::Code(Code { language: "rust".into(), source: "fn main() {}".into() }), "fn main() {}")
}

fn encoded(kind: content::content::Kind, fallback: &str) -> Bytes {
    Content { fallback: fallback.into(), kind: Some(kind), ..Content::default() }.encode_to_vec().into()
}

// --- items

fn from_to(from: &str, to: &str, kind: Kind) -> Item {
    let salt = match kind {
        Kind::Message(_) | Kind::Edit(_) | Kind::Profile(_) => vec![0xab; 16].into(),
        _ => Bytes::new(),
    };
    let time_ms = i64::try_from(NOW - 1000).expect("small");
    Item { salt, from: from.into(), to: to.into(), time_ms, kind: Some(kind) }
}

fn item(kind: Kind) -> Item {
    let to = if matches!(kind, Kind::Profile(_) | Kind::AccountGone(_)) { "" } else { "bob" };
    from_to("alice", to, kind)
}

fn message(n: u16) -> Kind {
    Kind::Message(Message { id: bytes(id(n)), content: words(&format!("message {n}")), reply_to: Bytes::new() })
}

fn says(n: u16, content: Bytes) -> Kind {
    Kind::Message(Message { id: bytes(id(n)), content, reply_to: Bytes::new() })
}

fn edit(n: u16) -> Kind {
    Kind::Edit(Edit { id: bytes(id(n)), content: words("edited") })
}

fn recall(n: u16) -> Kind {
    Kind::Recall(Recall { id: bytes(id(n)) })
}

fn marks(delivered: &[u8], read: &[u8]) -> Kind {
    Kind::Marks(Marks { delivered: Bytes::copy_from_slice(delivered), read: Bytes::copy_from_slice(read) })
}

fn profile(revision: u64, display_name: &str, avatar: &str) -> Kind {
    Kind::Profile(Profile { revision, display_name: display_name.into(), avatar: avatar.into(), signature: "hi".into() })
}

/// An item and what becomes of it: `effect`, `closed`, or the code with which it is refused.
fn step(becomes: &str, kind: Kind) -> Value {
    whole(becomes, &item(kind))
}

fn whole(becomes: &str, item: &Item) -> Value {
    json!({ "item": hex(&item.encode_to_vec()), "becomes": becomes })
}

fn bob(does: &str) -> Value {
    json!({ "bob": does })
}

fn bob_writes(n: u16) -> Value {
    json!({ "bob": "writes", "id": hex(&id(n)) })
}

/// A message that burns ten seconds after alice has opened it.
fn bob_writes_burning(n: u16) -> Value {
    json!({ "bob": "writes", "id": hex(&id(n)), "burn_s": 10 })
}

/// Feature `burn`.
fn opened() -> Value {
    let case = |name: &str, steps: Vec<Value>| json!({ "name": name, "steps": steps });
    let opens = |becomes: &str, id: &[u8]| step(becomes, Kind::Opened(Opened { id: Bytes::copy_from_slice(id) }));
    let (first, second) = (id(500), id(501));
    let cases = vec![
        case("opened, and again", vec![bob_writes_burning(500), opens("effect", &first), opens("closed", &first)]),
        case("what does not burn", vec![bob_writes(500), opens("closed", &first)]),
        case("one of two", vec![bob_writes_burning(500), bob_writes_burning(501), opens("effect", &second)]),
        case("nothing of that id", vec![bob_writes_burning(500), opens("closed", &id(400))]),
        case("what alice wrote", vec![bob_writes(500), step("effect", message(1)), opens("closed", &id(1))]),
        case("without a conversation", vec![opens("closed", &first)]),
        case("an id of 15 bytes", vec![bob_writes_burning(500), opens("malformed", &[1; 15])]),
        case("an id of 15 bytes without a conversation", vec![opens("malformed", &[1; 15])]),
    ];
    json!({
        "about": "federation-spec/05-content-and-items.md 5.6a, feature `burn`; as items.json. `burn_s` of what bob writes: the field of its content",
        "now_ms": NOW,
        "cases": cases,
    })
}

fn items() -> Value {
    let case = |name: &str, steps: Vec<Value>| json!({ "name": name, "steps": steps });
    let mut cases = Vec::new();
    let mut add = |name: &str, steps: Vec<Value>| cases.push(case(name, steps));
    any_item(&mut add);
    messages(&mut add);
    edits_and_recalls(&mut add);
    moved_marks(&mut add);
    persons(&mut add);
    json!({
        "about": "federation-spec/05-content-and-items.md: b.example has the account bob and knows nobody else; a.example's items come in the order of `steps`. `becomes` is `effect`, `closed`, or the code with which the item is refused; an item of null came withheld. `bob` says what he does in between, `id` the id of what he writes",
        "now_ms": NOW,
        "cases": cases,
    })
}

type Add<'a> = &'a mut dyn FnMut(&str, Vec<Value>);

fn any_item(add: Add) {
    let raw = |becomes: &str, bytes: &[u8]| json!({ "item": hex(bytes), "becomes": becomes });
    let nothing = Item { from: "alice".into(), to: "bob".into(), ..Item::default() };
    let mut later = nothing.encode_to_vec();
    later.extend([0x9a, 0x06, 0x00]); // field 99, empty
    let mut known = item(message(1)).encode_to_vec();
    known.extend([0x9a, 0x06, 0x01, 0x2a]); // and an unknown field besides
    add("withheld", vec![json!({ "item": null, "becomes": "closed" })]);
    add("no protobuf", vec![raw("malformed", &[0xff; 8])]);
    add("without a kind", vec![whole("malformed", &nothing)]);
    add("of a kind that is not known", vec![raw("malformed", &later)]);
    add("with a field that is not known", vec![raw("effect", &known)]);
    for from in ["", "Alice", "alice@a.example", ".alice", "álice"] {
        add(&format!("from {from:?}"), vec![whole("bad-name", &from_to(from, "bob", message(1)))]);
    }
    add(
        "what is refused or closed does not stop what follows",
        vec![raw("malformed", &[0xff; 8]), json!({ "item": null, "becomes": "closed" }), step("effect", message(1))],
    );
}

fn messages(add: Add) {
    let to = |to: &str, kind: Kind| from_to("alice", to, kind);
    let with_id = |id: Bytes| Kind::Message(Message { id, content: words("x"), reply_to: Bytes::new() });
    let reply = |reply_to: &[u8]| {
        Kind::Message(Message { id: bytes(id(1)), content: words("x"), reply_to: Bytes::copy_from_slice(reply_to) })
    };
    add("a first contact", vec![step("effect", message(1)), step("effect", message(2))]);
    add("to nobody here", vec![whole("closed", &to("nobody", message(1)))]);
    add("to a name not in its form", vec![whole("closed", &to("Bob", message(1)))]);
    add("to an account that was deleted", vec![bob("deletes the account"), step("closed", message(1))]);
    add(
        "what a stranger may not write is refused alike, whether the person exists or not",
        vec![step("bad-value", says(1, code())), whole("bad-value", &to("nobody", says(1, code())))],
    );
    add("an id of 15 bytes", vec![step("malformed", with_id(vec![1; 15].into()))]);
    add("an id of 15 bytes to nobody here", vec![whole("malformed", &to("nobody", with_id(vec![1; 15].into())))]);
    add("an id five minutes ahead", vec![step("effect", with_id(bytes(id_at(NOW + 300_000))))]);
    add("an id more than five minutes ahead", vec![step("effect", with_id(bytes(id_at(NOW + 300_001))))]);
    add("a reply to a message that is not here", vec![step("effect", reply(&id(400)))]);
    add("a reply to 3 bytes", vec![step("malformed", reply(&[1, 2, 3]))]);
    add(
        "the same again",
        vec![step("effect", message(1)), step("effect", message(2)), step("closed", message(1)), step("closed", message(2))],
    );
    add(
        "twenty-one messages in a request",
        (1..=21).map(|n| step(if n == 21 { "closed" } else { "effect" }, message(n))).collect(),
    );
    let mut strangers: Vec<Value> = (1..=21)
        .map(|n| whole(if n == 21 { "closed" } else { "effect" }, &from_to(&format!("stranger{n}"), "bob", message(n))))
        .collect();
    strangers.push(step("closed", message(50)));
    strangers.push(whole("effect", &from_to("stranger1", "bob", message(51))));
    add("twenty-one open requests of one domain", strangers);
    let mut exceptions = vec![bob_writes(500), step("effect", message(100))];
    exceptions.extend((1..=64).map(|n| step("effect", message(100 - n))));
    exceptions.push(step("bad-value", message(35)));
    exceptions.push(step("effect", message(101)));
    add("64 ids below the one before, and one more", exceptions);
    add(
        "an accepted request takes every kind",
        vec![step("effect", message(1)), bob("accepts"), step("effect", says(2, code()))],
    );
    add("who wrote has accepted", vec![bob_writes(500), step("effect", says(1, code()))]);
    add(
        "turned down",
        vec![step("effect", message(1)), bob("turns down"), step("closed", message(2)), step("bad-value", says(3, code()))],
    );
    add(
        "turned down, then written to",
        vec![step("effect", message(1)), bob("turns down"), bob_writes(500), step("effect", says(3, code()))],
    );
    add("blocked by who never accepted", vec![step("effect", message(1)), bob("blocks alice"), step("closed", message(2))]);
    add(
        "blocked by who accepted",
        vec![bob_writes(500), step("effect", message(1)), bob("blocks alice"), step("blocked", message(2))],
    );
}

fn edits_and_recalls(add: Add) {
    let carol = |kind: Kind| from_to("carol", "bob", kind);
    let coded = Kind::Edit(Edit { id: bytes(id(1)), content: code() });
    add("an edit, and the same again", vec![step("effect", message(1)), step("effect", edit(1)), step("effect", edit(1))]);
    add("an edit of nothing", vec![step("closed", edit(1)), step("effect", message(1)), step("closed", edit(2))]);
    add(
        "an edit of what another wrote",
        vec![step("effect", message(1)), whole("effect", &carol(message(2))), whole("closed", &carol(edit(1)))],
    );
    add("an edit of what bob wrote", vec![bob_writes(500), step("closed", edit(500))]);
    add(
        "an edit with an id of 17 bytes",
        vec![step("malformed", Kind::Edit(Edit { id: vec![1; 17].into(), content: words("x") }))],
    );
    add(
        "an edit to another kind",
        vec![step("effect", message(1)), step("bad-value", coded.clone()), bob("accepts"), step("effect", coded.clone())],
    );
    add(
        "an edit and a recall after it was turned down",
        vec![step("effect", message(1)), bob("turns down"), step("effect", coded.clone()), step("effect", recall(1))],
    );
    let mut recalled = vec![step("effect", message(1)), step("effect", recall(1))];
    recalled.extend((2..=21).map(|n| step(if n == 21 { "closed" } else { "effect" }, message(n))));
    add("what was recalled counts in a request", recalled);
    let again = Item { to: "anybody".into(), ..item(profile(1, "Alice", "")) };
    add("a profile to somebody", vec![step("effect", message(1)), whole("effect", &again)]);
    add("an edit of nothing to another kind", vec![step("closed", coded)]);
    add(
        "an edit by somebody blocked",
        vec![bob_writes(500), step("effect", message(1)), bob("blocks alice"), step("closed", edit(1))],
    );
    add(
        "a recall, and the same again, and an edit",
        vec![step("effect", message(1)), step("effect", recall(1)), step("closed", recall(1)), step("closed", edit(1))],
    );
    add("a recalled message again", vec![step("effect", message(1)), step("effect", recall(1)), step("closed", message(1))]);
    add(
        "a recall of what another wrote",
        vec![step("effect", message(1)), whole("effect", &carol(message(2))), whole("closed", &carol(recall(1)))],
    );
    add(
        "a recall by somebody blocked",
        vec![bob_writes(500), step("effect", message(1)), bob("blocks alice"), step("effect", recall(1))],
    );
    add("a recall with no id", vec![step("malformed", Kind::Recall(Recall { id: Bytes::new() }))]);
}

fn moved_marks(add: Add) {
    let (first, second) = (id(500), id(501));
    add(
        "marks that grow, and go back",
        vec![
            bob_writes(500),
            bob_writes(501),
            step("effect", marks(&first, &[])),
            step("closed", marks(&first, &[])),
            step("effect", marks(&second, &first)),
            step("closed", marks(&first, &first)),
            step("effect", marks(&[], &second)),
        ],
    );
    add(
        "what is read is delivered",
        vec![bob_writes(500), step("effect", marks(&[], &first)), step("closed", marks(&first, &[]))],
    );
    add("a mark of nothing, beside one of something", vec![bob_writes(500), step("effect", marks(&id(400), &first))]);
    add("marks of nothing", vec![bob_writes(500), step("closed", marks(&id(400), &[])), step("closed", marks(&[], &[]))]);
    add("a mark of what alice wrote", vec![bob_writes(500), step("effect", message(1)), step("closed", marks(&id(1), &[]))]);
    add("marks without a conversation", vec![step("closed", marks(&first, &[]))]);
    add("a mark of 15 bytes", vec![bob_writes(500), step("malformed", marks(&first, &[1; 15]))]);
    add("a mark of 15 bytes without a conversation", vec![step("malformed", marks(&[1; 15], &[]))]);
}

fn persons(add: Add) {
    let known = || step("effect", message(1));
    let gone = || Kind::AccountGone(AccountGone {});
    let signed =
        |signature: String| Kind::Profile(Profile { revision: 1, display_name: "A".into(), avatar: String::new(), signature });
    add(
        "a profile of somebody not known",
        vec![step("closed", profile(1, "Alice", "")), known(), step("effect", profile(1, "Alice", ""))],
    );
    add(
        "profiles in and out of their order",
        vec![
            known(),
            step("effect", profile(3, "Alice", "a")),
            step("closed", profile(3, "Alicia", "")),
            step("closed", profile(2, "Alicia", "")),
            step("effect", profile(4, "Alicia", "")),
        ],
    );
    add("a profile of nothing", vec![known(), step("effect", profile(1, "", ""))]);
    add("a display name of 64 characters", vec![known(), step("effect", profile(1, &"星".repeat(64), ""))]);
    add("a display name of 65 characters", vec![known(), step("bad-value", profile(1, &"x".repeat(65), ""))]);
    add("a display name not in form C", vec![known(), step("bad-value", profile(1, "A\u{308}", ""))]);
    add("a display name that turns text around", vec![known(), step("bad-value", profile(1, "a\u{202e}b", ""))]);
    add("a display name of two lines", vec![known(), step("bad-value", profile(1, "a\nb", ""))]);
    add("an avatar of 257 bytes", vec![known(), step("bad-value", profile(1, "A", &"x".repeat(257)))]);
    add(
        "a signature of 512 bytes, and of 513",
        vec![known(), step("bad-value", signed("x".repeat(513))), step("effect", signed("x".repeat(512)))],
    );
    add("an unacceptable profile of somebody not known", vec![step("closed", profile(1, &"x".repeat(65), ""))]);
    add(
        "an account that is gone",
        vec![step("closed", gone()), known(), step("effect", profile(1, "Alice", "")), step("effect", gone())],
    );
}

// --- contents

/// Bytes as parts; what repeats every `unit` bytes is written once.
fn parts(bytes: &[u8], unit: usize) -> Value {
    let part = |bytes: &[u8], times: usize| json!({ "hex": hex(bytes), "times": times });
    let run = |from: usize| 1 + bytes[from..].chunks_exact(unit).skip(1).take_while(|c| *c == &bytes[from..from + unit]).count();
    let longest = (0..bytes.len().saturating_sub(unit)).take(64).max_by_key(|from| (run(*from), usize::MAX - from));
    match longest.map(|from| (from, run(from))) {
        Some((from, times)) if times > 100 => {
            let end = from + unit * times;
            let all = [part(&bytes[..from], 1), part(&bytes[from..from + unit], times), part(&bytes[end..], 1)];
            all.into_iter().filter(|p| p["hex"] != "").collect()
        }
        _ => json!([part(bytes, 1)]),
    }
}

fn contents() -> Value {
    use content::content::Kind;
    let case = |name: &str, accepted: &str, request: &str, content: Value| json!({ "name": name, "content": content, "accepted": accepted, "request": request });
    let plain =
        |name: &str, accepted: &str, request: &str, content: &[u8]| case(name, accepted, request, parts(content, usize::MAX / 2));
    let long = |name: &str, becomes: &str, unit: usize, content: &[u8]| case(name, becomes, becomes, parts(content, unit));
    let inline = |text: &str| Inline { text: text.into(), ..Inline::default() };
    let text = |blocks: Vec<Block>| encoded(Kind::Text(Text { blocks }), "");
    let block = |inlines: Vec<Inline>| Block { inlines, ..Block::default() };
    let one = |inline: Inline| text(vec![block(vec![inline])]);
    let both = |name: &str, becomes: &str, inline: Inline| plain(name, becomes, becomes, &one(inline));
    let link = |link: &str| Inline { link: link.into(), ..inline("x") };
    let mention = |mention: &str| Inline { mention: mention.into(), ..inline("x") };
    let level = |level: u32| text(vec![Block { kind: 2, level, inlines: vec![inline("x")] }]);
    let fallback =
        |kind: Option<Kind>, fallback: &str| Content { fallback: fallback.into(), kind, ..Content::default() }.encode_to_vec();
    let source =
        |language: &str, source: &str| encoded(Kind::Code(Code { language: language.into(), source: source.into() }), "");
    let system = fallback(Some(Kind::System(System { code: "x".into(), ..System::default() })), "x");
    let mut later = fallback(None, "a poll");
    later.extend([0x9a, 0x06, 0x01, 0x2a]); // field 99
    let more = kinds::kinds().into_iter().map(|(name, accepted, content)| plain(name, accepted, "bad-value", &content));
    let mut made = json!({
        "about": "federation-spec/05-content-and-items.md §8: what becomes of a message by alice@a.example to bob@b.example with this content: `effect`, or the code with which it is refused; in a conversation that was accepted, and in a request. `content` is the bytes of each part, so many times",
        "cases": [
            plain("a text", "effect", "effect", &words("hello 你好")),
            plain("a text with an unknown field", "effect", "effect", &[&words("x")[..], &[0x9a, 0x06, 0x01, 0x2a]].concat()),
            plain("a text with line feed and tab", "effect", "effect", &words("a\n\tb")),
            plain("a text with a carriage return", "bad-value", "bad-value", &words("a\rb")),
            plain("a text with U+0085", "bad-value", "bad-value", &words("a\u{85}b")),
            plain("a text with U+202E", "effect", "effect", &words("a\u{202e}b")),
            plain("a text of nothing", "bad-value", "bad-value", &words("")),
            plain("a text without blocks", "bad-value", "bad-value", &text(Vec::new())),
            plain("no bytes", "bad-value", "bad-value", b""),
            plain("no protobuf", "malformed", "malformed", &[0xff; 8]),
            plain("a text that is not UTF-8", "malformed", "malformed", &[0x12, 0x07, 0x0a, 0x05, 0x12, 0x03, 0x0a, 0x01, 0xff]),
            both("all marks", "effect", Inline { marks: 15, ..inline("x") }),
            both("a mark that is none", "bad-value", Inline { marks: 16, ..inline("x") }),
            both("a link", "effect", link("https://a.example/?x=<y>")),
            both("a link in capitals", "bad-value", link("HTTPS://a.example/")),
            both("a link that is a program", "bad-value", link("javascript:alert(1)")),
            both("a link with a line feed", "bad-value", link("https://a.example/\nx")),
            long("a link of 2048 bytes", "effect", 1, &one(link(&format!("https:{}", "x".repeat(2042))))),
            long("a link of 2049 bytes", "bad-value", 1, &one(link(&format!("https:{}", "x".repeat(2043))))),
            both("a mention", "effect", mention("alice@a.example")),
            both("a mention of everybody", "effect", mention("@all")),
            both("a mention of no user", "bad-value", mention("alice")),
            both("a mention not in its form", "bad-value", mention("Alice@a.example")),
            plain("level 7", "effect", "effect", &level(7)),
            plain("level 8", "bad-value", "bad-value", &level(8)),
            plain("a kind of block that is not known", "effect", "effect", &text(vec![Block { kind: 99, ..block(vec![inline("x")]) }])),
            long("a text of 65536 bytes", "effect", 1, &words(&"x".repeat(65_536))),
            long("a text of 65537 bytes", "too-large", 1, &words(&"x".repeat(65_537))),
            long("2000 blocks", "effect", 7, &text(vec![block(vec![inline("x")]); 2000])),
            long("2001 blocks", "too-large", 7, &text(vec![block(vec![inline("x")]); 2001])),
            long("10000 inlines", "effect", 5, &text(vec![block(vec![inline("x"); 10_000])])),
            long("10001 inlines", "too-large", 5, &text(vec![block(vec![inline("x"); 10_001])])),
            plain("code", "effect", "bad-value", &source("rust", "fn main() {}\u{0}\r\n")),
            plain("code of nothing", "bad-value", "bad-value", &source("rust", "")),
            case("code of 65536 bytes", "effect", "bad-value", parts(&source("", &"x".repeat(65_536)), 1)),
            case("code of 65537 bytes", "too-large", "bad-value", parts(&source("", &"x".repeat(65_537)), 1)),
            case("a language of 4097 bytes", "too-large", "bad-value", parts(&source(&"x".repeat(4097), "x"), 1)),
            plain("a kind that is not known, with a fallback", "effect", "bad-value", &later),
            plain("a kind that is not known, without one", "bad-value", "bad-value", &[0x9a, 0x06, 0x01, 0x2a]),
            plain("a line of the system", "bad-value", "bad-value", &system),
            long("a fallback of 4096 bytes", "effect", 1, &fallback(Some(Kind::Text(Text { blocks: vec![block(vec![inline("x")])] })), &"x".repeat(4096))),
            long("a fallback of 4097 bytes", "too-large", 1, &fallback(Some(Kind::Text(Text { blocks: vec![block(vec![inline("x")])] })), &"x".repeat(4097))),
            long("131073 bytes", "too-large", 1, &[&words("x")[..], &[0x9a, 0x06, 0xf3, 0xff, 0x07], &[0x78; 131_059]].concat()),
        ],
    });
    made["cases"].as_array_mut().expect("a list").extend(more);
    made
}
