//! Cards of links: pages of a server over a socket, looked at through the guarded client.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use image::ImageFormat;
use parking_lot::Mutex;
use startalk_media::Media;
use startalk_net::{Names, Verify};
use startalk_outbound::{OutboundClient, OutboundConfig};
use startalk_protocol::{Code, limits};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::{
    pictures::{encoded, photo},
    support::*,
};

type Pages = HashMap<&'static str, (&'static str, Vec<u8>)>;

/// A server of these pages; its URL, and the paths that were asked for.
async fn serve(pages: Pages) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (pages, asked) = (Arc::new(pages), Arc::new(Mutex::new(Vec::new())));
    let seen = asked.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (pages, seen) = (pages.clone(), seen.clone());
            tokio::spawn(async move {
                let mut socket = BufReader::new(socket);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && socket.read_line(&mut head).await.unwrap_or(0) > 0 {}
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let missing = ("text/plain", Vec::new());
                let (status, (kind, body)) = pages.get(path.as_str()).map_or((404, &missing), |page| (200, page));
                seen.lock().push(path);
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all(&[head.as_bytes(), body].concat()).await;
            });
        }
    });
    (url, asked)
}

fn client(allow_private_addresses: bool) -> OutboundClient {
    OutboundClient::new(OutboundConfig {
        allow_private_addresses,
        allow_plain_http: true,
        verify: Verify::web(),
        names: Names::system(),
        timeout: Duration::from_secs(10),
    })
}

fn looking(place: &mut Place) -> Media {
    place.outbound = Some(client(true));
    place.table.makes_previews.store(true, Ordering::Relaxed);
    place.open()
}

#[tokio::test]
async fn a_card_has_the_pages_words_and_its_picture_is_a_file_of_who_asked() {
    let html = r#"<title>other</title><meta property="og:title" content="群聊 &amp; more"><meta property="og:site_name" content="Site">
        <meta name="description" content="What it is about."><meta property="og:image" content="pictures/sea.png?w=9">"#;
    let picture = encoded(&photo(1200, 630), ImageFormat::Png);
    let pages: Pages = [("/a/page", ("text/html", html.into())), ("/a/pictures/sea.png?w=9", ("image/png", picture))].into();
    let (url, asked) = serve(pages).await;
    let mut place = Place::new();
    let media = looking(&mut place);
    let card = media.preview(ALICE, &format!("{url}/a/page#part")).await.unwrap();
    assert_eq!(card.url, format!("{url}/a/page#part"), "where the reader is to be led");
    assert_eq!((card.title.as_str(), card.site.as_str()), ("群聊 & more", "Site"));
    assert_eq!(card.description, "What it is about.");
    let file = card.file.unwrap();
    assert_eq!((file.name.as_str(), file.media_type.as_str()), ("sea.jpg", "image/jpeg"));
    let shown = card.picture.unwrap();
    assert_eq!((shown.width, shown.height), (1200, 630));
    media.own(ALICE, hash_of(&file.hash)).await.unwrap();
    assert_eq!(media.own(BOB, hash_of(&file.hash)).await.unwrap_err().code, Code::NoSuchFile);
    assert!(place.staged().is_empty(), "the upload is forgotten");
    assert_eq!(*asked.lock(), ["/a/page", "/a/pictures/sea.png?w=9"]);
}

#[tokio::test]
async fn a_picture_that_is_none_is_left_out_and_a_page_that_says_nothing_has_no_card() {
    let with = |picture: &str| format!(r#"<title>T</title><meta property="og:image" content="{picture}">"#).into_bytes();
    let pages: Pages = [
        ("/svg", ("text/html", with("/p.svg"))),
        ("/p.svg", ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>".to_vec())),
        ("/gone", ("text/html", with("/nothing.png"))),
        ("/inside", ("text/html", with("http://127.0.0.1:22/p.png"))),
        ("/text", ("text/plain", b"<title>not a page</title>".to_vec())),
        ("/empty", ("text/html", b"<p>nothing of itself".to_vec())),
    ]
    .into();
    let (url, _) = serve(pages).await;
    let mut place = Place::new();
    let media = looking(&mut place);
    for path in ["/svg", "/gone", "/inside"] {
        let card = media.preview(ALICE, &format!("{url}{path}")).await.unwrap();
        assert_eq!((card.title.as_str(), card.file, card.picture), ("T", None, None), "{path}");
    }
    for path in ["/text", "/empty", "/missing"] {
        assert_eq!(media.preview(ALICE, &format!("{url}{path}")).await.unwrap().title, "", "{path}");
    }
    assert!(place.staged().is_empty() && place.blobs().is_empty(), "nothing is left of what was no picture");
    for bad in ["ftp://example.org/", "https://user:secret@example.org/", "example.org", "https://example.org:22/", ""] {
        assert_eq!(media.preview(ALICE, bad).await.unwrap_err().code, Code::Malformed, "{bad}");
    }
}

#[tokio::test]
async fn what_a_page_says_at_length_still_fits_into_a_card() {
    let long = "🌟".repeat(5000);
    let html = format!(
        r#"<meta property="og:title" content="{long}"><meta property="og:site_name" content="{long}"><meta property="og:description" content="{long}">"#
    );
    let (url, _) = serve([("/", ("text/html", html.into_bytes()))].into()).await;
    let card = looking(&mut Place::new()).preview(ALICE, &format!("{url}/")).await.unwrap();
    for line in [&card.title, &card.site] {
        assert!(line.len() > 400 && line.len() <= limits::CARD_LINE_BYTES_MAX, "{} bytes", line.len());
    }
    assert!(card.description.len() <= limits::CARD_TEXT_BYTES_MAX, "{} bytes", card.description.len());
}

#[tokio::test]
async fn no_page_is_opened_by_policy_or_inside() {
    let (url, asked) = serve([("/", ("text/html", b"<title>T</title>".to_vec()))].into()).await;
    let mut place = Place::new();
    let media = looking(&mut place);
    place.table.makes_previews.store(false, Ordering::Relaxed);
    assert_eq!(media.preview(ALICE, &format!("{url}/")).await.unwrap_err().code, Code::NotAllowedHere);
    // Where private addresses are not allowed, a page inside is as one that is not there.
    let guarded = Place { outbound: Some(client(false)), ..Place::new() };
    guarded.table.makes_previews.store(true, Ordering::Relaxed);
    assert_eq!(guarded.open().preview(ALICE, &format!("{url}/")).await.unwrap().title, "");
    assert!(asked.lock().is_empty(), "nobody was asked");
    place.table.makes_previews.store(true, Ordering::Relaxed);
    assert_eq!(media.preview(ALICE, &format!("{url}/")).await.unwrap().title, "T", "this test can fail");
}
