//! Bytes from people who mean no good: nothing falls over, nothing takes more than it may, and a file stays a file.

use image::{DynamicImage, GrayImage, ImageFormat};
use startalk_media::{Progress, Purpose, check, check_picture, sniff};
use startalk_protocol::Code;

use crate::{
    pictures::{encoded, photo},
    support::*,
};

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// A PNG that says to have other sides than it has.
fn with_sides(png: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut out = png.to_vec();
    out[16..20].copy_from_slice(&width.to_be_bytes());
    out[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&out[12..29]);
    out[29..33].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Name, bytes, type, whether copies can be made.
fn corpus() -> Vec<(&'static str, Vec<u8>, &'static str, bool)> {
    let plain = encoded(&photo(300, 200), ImageFormat::Png);
    let jpeg = encoded(&photo(640, 480), ImageFormat::Jpeg);
    // 49 million pixels in a quarter of a megabyte: allowed, and bounded.
    let bomb = encoded(&DynamicImage::from(GrayImage::new(7000, 7000)), ImageFormat::Png);
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    let mut gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    gif.extend_from_slice(b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;");
    vec![
        ("huge.png", with_sides(&plain, 50_000, 50_000), "image/png", false),
        ("wide.png", with_sides(&plain, u32::MAX, 1), "image/png", false),
        ("bomb.png", bomb.clone(), "image/png", true),
        ("larger bomb.png", with_sides(&bomb, 20_000, 20_000), "image/png", false),
        ("flat.png", with_sides(&plain, 0, 0), "image/png", false),
        ("cut.png", plain[..plain.len() / 2].to_vec(), "image/png", false),
        ("signature.png", plain[..8].to_vec(), "image/png", false),
        ("cut.jpg", jpeg[..200].to_vec(), "image/jpeg", false),
        ("absurd.gif", gif, "image/gif", false),
        (
            "drawing.png",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec(),
            "image/svg+xml",
            false,
        ),
        ("page.png", b"<!doctype html><script>alert(document.cookie)</script>".to_vec(), "text/html", false),
        ("both.gif", b"GIF89a/*\0\0\0\0\0*/=1;alert(1)//<script>alert(1)</script>".to_vec(), "image/gif", false),
        ("both.jpg", [&jpeg[..], b"<script>alert(1)</script>"].concat(), "image/jpeg", true),
        ("archive.png", [&plain[..], b"PK\x03\x04\x14\0\0\0\0\0"].concat(), "image/png", true),
        ("riff.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\xff\xff\xff\xff\xff".to_vec(), "image/webp", false),
        ("random", Seeded(7).bytes(100_000), sniff::UNKNOWN, false),
    ]
}

#[tokio::test]
async fn every_hostile_picture_can_be_sent_as_a_file_and_the_next_one_is_served() {
    let place = Place::new();
    let media = place.open();
    for (name, bytes, media_type, is_picture) in corpus() {
        let told = ready(&media, ALICE, &bytes, name, Purpose::Original).await;
        assert_eq!(told.file.media_type, media_type, "{name}");
        assert_eq!(told.picture.is_some(), is_picture, "{name}");
        assert!(read(&media, ALICE, &told.file.hash).await == bytes, "{name}");
        let upload = bring(&media, ALICE, &bytes, name, Purpose::Reduced).await;
        match became(&media, ALICE, &upload.id).await {
            Progress::Ready(told) => {
                assert!(is_picture, "{name}");
                let copy = read(&media, ALICE, &told.file.hash).await;
                assert!(image::load_from_memory(&copy).is_ok(), "{name}");
                assert!(!copy.windows(7).any(|w| w == b"<script"), "{name}: a copy is made of pixels alone");
            }
            Progress::Failed(error) => assert_eq!((error.code, is_picture), (Code::NotAPicture, false), "{name}: {error}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn mutated_bytes_never_panic_the_parsers() {
    let mut random = Seeded(2026);
    let mut seeds: Vec<Vec<u8>> = corpus().into_iter().map(|c| c.1).collect();
    for text in [
        "bytes=0-499",
        "bytes=-500",
        "bytes=9500-",
        "bytes=0-0,-1",
        "filename d29ybGQ=,purpose b3JpZ2luYWw=,x",
        "filename ,purpose",
        "C:\\a\\..\\\u{202e}b.png",
    ] {
        seeds.push(text.into());
    }
    for round in 0..6000_usize {
        let mut bytes = seeds[round % seeds.len()].clone();
        bytes.truncate(4096);
        mutate(&mut random, &mut bytes);
        check(&bytes);
    }
}

#[test]
fn mutated_pictures_never_panic_the_worker() {
    let mut random = Seeded(50);
    let small = photo(24, 16);
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];
    let seeds: Vec<Vec<u8>> = formats.iter().map(|f| encoded(&small, *f)).collect();
    seeds
        .iter()
        .for_each(|s| assert!(startalk_media::worker::make(s, startalk_media::worker::Wanted { reduced_always: true }).is_ok()));
    for round in 0..2000_usize {
        let mut bytes = seeds[round % seeds.len()].clone();
        mutate(&mut random, &mut bytes);
        if claims_many(&bytes) {
            continue; // it may be decoded, but a test has better things to do
        }
        check_picture(&bytes);
    }
}

/// More than two million pixels.
fn claims_many(bytes: &[u8]) -> bool {
    let reader = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().unwrap();
    reader.into_dimensions().is_ok_and(|(w, h)| u64::from(w) * u64::from(h) > 2_000_000)
}

fn mutate(random: &mut Seeded, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) + 1 {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at.min(bytes.len()), random.next() as u8),
            _ => {
                let piece = bytes[at.min(bytes.len())..(at + random.below(16)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}
