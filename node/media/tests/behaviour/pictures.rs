//! Copies of pictures: how large, how turned, and without what the picture says of its maker.

use std::{io::Cursor, process::Stdio, time::Duration};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use startalk_media::{Progress, Purpose};
use startalk_protocol::Code;

use crate::support::*;

/// Something to see: a gradient, so that orientation and colour can be told.
pub fn photo(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(255 * x / width) as u8, (255 * y / height) as u8, 90])).into()
}

pub fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// Puts an EXIF segment behind the beginning of a JPEG: how it is to be turned, and words that nobody else is to see.
fn with_exif(jpeg: &[u8], orientation: u8, words: &str) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    tiff.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    tiff.extend_from_slice(&[0x01, 0x0e, 0, 2, 0, 0, 0, words.len() as u8, 0, 0, 0, 38]);
    tiff.extend_from_slice(&[0; 4]);
    assert_eq!(tiff.len(), 38);
    tiff.extend_from_slice(words.as_bytes());
    let body = [b"Exif\0\0", &tiff[..]].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|w| w == what)
}

#[tokio::test]
async fn a_photo_has_copies_turned_as_it_says_and_without_where_it_was_taken() {
    let place = Place::new();
    let media = place.open();
    let photo = photo(3000, 2000);
    let jpeg = with_exif(&encoded(&photo, ImageFormat::Jpeg), 6, "GPS 31.2304 N");
    let told = ready(&media, ALICE, &jpeg, "海边.jpeg", Purpose::Original).await;
    assert_eq!((told.file.media_type.as_str(), told.file.size), ("image/jpeg", jpeg.len() as u64));
    let picture = told.picture.unwrap();
    assert_eq!((picture.width, picture.height), (2000, 3000), "as shown");
    let (thumb, reduced) = (picture.thumb.unwrap(), picture.reduced.unwrap());
    assert_eq!((thumb.name.as_str(), reduced.name.as_str()), ("海边.jpg", "海边.jpg"));
    assert!(thumb.size <= 41_000, "{} bytes", thumb.size);
    let blur = data_encoding::BASE64.decode(picture.blur.as_bytes()).unwrap();
    assert!(!blur.is_empty() && blur.len() <= 40, "{} bytes", blur.len());
    for (copy, width, height) in [(&thumb, 320, 480), (&reduced, 1365, 2048)] {
        let bytes = read(&media, ALICE, &copy.hash).await;
        assert!(!contains(&bytes, b"Exif") && !contains(&bytes, b"GPS"));
        let shown = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!((shown.width(), shown.height()), (width, height));
        // Turned to the right: what was at the top stands at the right.
        let (left, right) = (shown.get_pixel(3, height / 2)[1], shown.get_pixel(width - 4, height / 2)[1]);
        assert!(left > 200 && right < 55, "{left} {right}");
    }
    assert_eq!(read(&media, ALICE, &told.file.hash).await, jpeg, "the original is as it was");
    assert_eq!(place.blobs().len(), 3);
}

#[tokio::test]
async fn of_a_picture_sent_reduced_nothing_of_the_original_stays() {
    let place = Place::new();
    let media = place.open();
    for (side, kept) in [(2500, 2048), (600, 600)] {
        let jpeg = with_exif(&encoded(&photo(side, side), ImageFormat::Jpeg), 1, "GPS 31.2304 N");
        let told = ready(&media, ALICE, &jpeg, "a.jpg", Purpose::Reduced).await;
        let bytes = read(&media, ALICE, &told.file.hash).await;
        assert!(!contains(&bytes, b"GPS"));
        assert_eq!(image::load_from_memory(&bytes).unwrap().width(), kept);
        assert_eq!(told.picture.unwrap().reduced, None, "it is the file");
        let original = blake3::hash(&jpeg);
        assert_eq!(media.own(ALICE, *original.as_bytes()).await.err().map(|e| e.code), Some(Code::NoSuchFile));
        assert!(!place.blobs().iter().any(|p| p.ends_with(original.to_hex().as_str())));
    }
}

#[tokio::test]
async fn what_can_be_seen_through_stays_so_and_small_pictures_need_no_copies() {
    let place = Place::new();
    let media = place.open();
    let clear: DynamicImage = RgbaImage::from_fn(900, 600, |x, _| Rgba([200, 30, 30, if x < 450 { 0 } else { 255 }])).into();
    let told = ready(&media, ALICE, &encoded(&clear, ImageFormat::Png), "logo.png", Purpose::Original).await;
    let thumb = told.picture.unwrap().thumb.unwrap();
    assert_eq!(thumb.media_type, "image/webp");
    let shown = image::load_from_memory(&read(&media, ALICE, &thumb.hash).await).unwrap().to_rgba8();
    assert_eq!((shown.get_pixel(5, 5)[3], shown.get_pixel(470, 5)[3]), (0, 255));
    let small = encoded(&photo(64, 48), ImageFormat::Png);
    let told = ready(&media, ALICE, &small, "s.png", Purpose::Original).await.picture.unwrap();
    assert_eq!((told.width, told.height, told.thumb, told.reduced), (64, 48, None, None));
    assert!(!told.blur.is_empty());
}

#[tokio::test]
async fn what_moves_is_kept_as_it_is_with_a_small_copy_of_its_beginning() {
    let place = Place::new();
    let media = place.open();
    let mut gif = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
        encoder.encode_frames([photo(40, 40), photo(40, 30)].map(|i| image::Frame::new(i.to_rgba8()))).unwrap();
    }
    for purpose in [Purpose::Original, Purpose::Reduced, Purpose::Sticker] {
        let told = ready(&media, ALICE, &gif, "wave.gif", purpose).await;
        assert_eq!(told.file.hash, blake3::hash(&gif).to_hex().as_str());
        let picture = told.picture.unwrap();
        assert!(picture.thumb.is_some() && picture.reduced.is_none());
    }
}

#[tokio::test]
async fn a_worker_that_does_not_end_is_ended_and_the_file_is_a_file() {
    let mut place = Place::new();
    let told = place.root.path().join("pid");
    place.worker.program = "/bin/sh".into();
    place.worker.args = vec!["-c".into(), format!("echo $$ > {}; exec sleep 1000", told.display())];
    place.worker.patience = Duration::from_millis(500);
    let media = place.open();
    let png = encoded(&photo(600, 600), ImageFormat::Png);
    let ready = ready(&media, ALICE, &png, "a.png", Purpose::Original).await;
    assert_eq!(ready.picture, None);
    let pid = std::fs::read_to_string(told).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "its process {pid} is gone");
    let upload = bring(&media, ALICE, &png, "a.png", Purpose::Reduced).await;
    let Progress::Failed(error) = became(&media, ALICE, &upload.id).await else { panic!() };
    assert_eq!(error.code, Code::NotAPicture);
}

#[test]
fn the_worker_has_given_up_what_it_does_not_need_before_it_reads() {
    let mut worker = std::process::Command::new(env!("CARGO_BIN_EXE_startalk-media-worker"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let limits = std::path::Path::new("/proc").join(worker.id().to_string()).join("limits");
    let of = |name: &str| {
        let text = std::fs::read_to_string(&limits).unwrap();
        let line = text.lines().find(|l| l.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    let wanted = [
        ("Max address space", "1073741824"),
        ("Max cpu time", "15"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max processes", "0"),
        ("Max open files", "3"),
    ];
    // The limits come one after another, the last of them right before it reads, which never ends here.
    for _ in 0..1000 {
        if of("Max processes") == "0" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    for (name, value) in wanted {
        assert_eq!(of(name), value, "{name}");
    }
    drop(worker.stdin.take());
    let out = worker.wait_with_output().unwrap();
    assert!(out.status.success() && out.stdout.starts_with(b"{\"Not\""), "{:?}", String::from_utf8_lossy(&out.stdout));
}
