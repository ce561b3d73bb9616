//! What the worker process does: one picture comes in, copies go out. The only place where pictures are decoded.
//!
//! [`run`] first takes away from the process what it does not need: memory, time, files. Then the picture's size is read and
//! judged before it is decoded. Copies have no metadata: they are made of pixels alone, turned as the picture says.
//! Invariant: nothing here reads or writes anything but standard input and output.

use std::io::{self, Cursor, Read as _, Write as _};

use bytes::Bytes;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image};
use image::{
    AnimationDecoder as _, DynamicImage, ExtendedColorType, ImageDecoder as _, ImageEncoder as _, ImageFormat, ImageReader,
    Limits,
    codecs::{gif::GifDecoder, jpeg::JpegEncoder, png::PngDecoder, webp::WebPDecoder, webp::WebPEncoder},
    metadata::Orientation,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// Bytes of a picture that is looked at; larger ones are files.
pub const PICTURE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Pixels of one.
pub const PIXELS_MAX: u64 = 50_000_000;
/// Bytes of address space of the process: a decoded picture of the largest size, its copies, and the program.
pub const MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Seconds of a core.
const CPU_SECONDS_MAX: u64 = 15;
/// Bytes of a decoded picture: [`PIXELS_MAX`] of 4 bytes, or fewer of more.
const DECODED_BYTES_MAX: u64 = 4 * PIXELS_MAX;
/// The longest side of the small copy, in pixels.
pub const THUMB_SIDE_MAX: u32 = 480;
/// Its bytes, about: quality and then size are given up for it.
const THUMB_BYTES_MAX: usize = 40_000;
/// The longest side of the reduced copy.
pub const REDUCED_SIDE_MAX: u32 = 2048;
/// A picture of more bytes gets a reduced copy even if its sides are short enough.
const HEAVY_BYTES: usize = 1_500_000;
/// Bytes of a copy that keeps transparency, which costs: beyond it stands on white.
const CLEAR_BYTES_MAX: usize = 4_000_000;
/// Sides of what the ThumbHash is made of.
const BLUR_SIDE_MAX: u32 = 100;
/// Quality of reduced copies; 1 to 100.
const QUALITY: u8 = 84;

/// What is wanted besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A reduced copy also of a small picture: it is to take its place.
    pub reduced_always: bool,
}

impl Wanted {
    /// On the command line.
    pub fn words(self) -> Option<&'static str> {
        self.reduced_always.then_some("reduced")
    }

    /// From the command line.
    pub fn read(words: &[String]) -> Self {
        Self { reduced_always: words.iter().any(|w| w == "reduced") }
    }
}

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// `image/jpeg` or `image/webp`.
    pub media_type: String,
    /// The file.
    pub bytes: Bytes,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// In pixels, as shown.
    pub width: u32,
    /// In pixels, as shown.
    pub height: u32,
    /// It has several frames.
    pub moves: bool,
    /// ThumbHash.
    pub blur: Vec<u8>,
    /// `None`: the picture is small enough.
    pub thumb: Option<Copied>,
    /// `None`: the picture is small enough, or it moves.
    pub reduced: Option<Copied>,
}

/// What stands before the copies' bytes: a line of JSON.
#[derive(Serialize, Deserialize)]
enum Told {
    Made { width: u32, height: u32, moves: bool, blur: Vec<u8>, thumb: Option<(String, usize)>, reduced: Option<(String, usize)> },
    Not(String),
}

impl Made {
    /// From what the process said; `None`: it did not say all.
    pub(crate) fn read(said: &[u8]) -> Option<Result<Self, String>> {
        let end = said.iter().position(|b| *b == b'\n')?;
        let mut rest = &said[end + 1..];
        match serde_json::from_slice(&said[..end]).ok()? {
            Told::Not(why) => Some(Err(why)),
            Told::Made { width, height, moves, blur, thumb, reduced } => {
                let mut copy = |told: Option<(String, usize)>| match told {
                    None => Some(None),
                    Some((media_type, bytes)) => {
                        let (copy, after) = rest.split_at_checked(bytes)?;
                        rest = after;
                        Some(Some(Copied { media_type, bytes: Bytes::copy_from_slice(copy) }))
                    }
                };
                let (thumb, reduced) = (copy(thumb)?, copy(reduced)?);
                Some(Ok(Self { width, height, moves, blur, thumb, reduced }))
            }
        }
    }

    fn told(&self) -> Told {
        let copy = |c: &Option<Copied>| c.as_ref().map(|c| (c.media_type.clone(), c.bytes.len()));
        Told::Made {
            width: self.width,
            height: self.height,
            moves: self.moves,
            blur: self.blur.clone(),
            thumb: copy(&self.thumb),
            reduced: copy(&self.reduced),
        }
    }
}

/// The worker: standard input to standard output, and its end.
///
/// # Errors
/// Of the pipes.
pub fn run(wanted: Wanted) -> io::Result<()> {
    give_up_what_is_not_needed()?;
    let mut picture = Vec::new();
    io::stdin().lock().take(PICTURE_BYTES_MAX + 1).read_to_end(&mut picture)?;
    let made = make(&picture, wanted);
    let mut out = io::stdout().lock();
    let told = made.as_ref().map_or_else(|why| Told::Not(why.clone()), Made::told);
    serde_json::to_writer(&mut out, &told)?;
    out.write_all(b"\n")?;
    if let Ok(made) = &made {
        for copy in [&made.thumb, &made.reduced].into_iter().flatten() {
            out.write_all(&copy.bytes)?;
        }
    }
    out.flush()
}

/// What the process may take from the machine; from here on it cannot have more again.
fn give_up_what_is_not_needed() -> io::Result<()> {
    let limits = [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Cpu, CPU_SECONDS_MAX),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, 3),
        (Resource::Nproc, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Makes the copies.
///
/// # Errors
/// Why it cannot, in English, for the log.
pub fn make(picture: &[u8], wanted: Wanted) -> Result<Made, String> {
    if picture.len() as u64 > PICTURE_BYTES_MAX {
        return Err(format!("expected at most {PICTURE_BYTES_MAX} bytes"));
    }
    let (decoded, orientation, moves) = decode(picture)?;
    let full = (decoded.width(), decoded.height());
    let plain = Pixels::of(decoded);
    let turned = |pixels: &Pixels| -> Result<Pixels, String> {
        let mut shown = pixels.to_image()?;
        shown.apply_orientation(orientation);
        Ok(Pixels::of(shown))
    };
    let reduced = turned(&plain.within(REDUCED_SIDE_MAX)?)?;
    drop(plain);
    let (width, height) = if is_sideways(orientation) { (full.1, full.0) } else { full };
    let thumb = reduced.within(THUMB_SIDE_MAX)?;
    let blur = thumb.within(BLUR_SIDE_MAX)?.blur()?;
    let longest = width.max(height);
    let needs_thumb = moves || longest > THUMB_SIDE_MAX || picture.len() > THUMB_BYTES_MAX;
    let needs_reduced = !moves && (wanted.reduced_always || longest > REDUCED_SIDE_MAX || picture.len() > HEAVY_BYTES);
    let thumb = if needs_thumb { Some(thumb.small_file()?) } else { None };
    let reduced = if needs_reduced { Some(reduced.file()?) } else { None };
    // A copy that saves nothing is none, unless it is wanted for what it leaves out.
    let reduced = reduced.filter(|copy| wanted.reduced_always || copy.bytes.len() < picture.len());
    Ok(Made { width, height, moves, blur, thumb, reduced })
}

fn is_sideways(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    )
}

fn decode(picture: &[u8]) -> Result<(DynamicImage, Orientation, bool), String> {
    let said = |e: image::ImageError| e.to_string();
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    let format = image::guess_format(picture).map_err(said)?;
    let mut reader = ImageReader::with_format(Cursor::new(picture), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(said)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > PIXELS_MAX {
        return Err(format!("expected at most {PIXELS_MAX} pixels, found {width} × {height}"));
    }
    if decoder.total_bytes() > DECODED_BYTES_MAX {
        return Err(format!("expected at most {DECODED_BYTES_MAX} bytes of pixels, found {}", decoder.total_bytes()));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let moves = moves(picture, format, &limits);
    Ok((DynamicImage::from_decoder(decoder).map_err(said)?, orientation, moves))
}

fn moves(picture: &[u8], format: ImageFormat, limits: &Limits) -> bool {
    match format {
        ImageFormat::Gif => GifDecoder::new(Cursor::new(picture)).is_ok_and(|mut decoder| {
            decoder.set_limits(limits.clone()).is_ok() && decoder.into_frames().take(2).filter(Result::is_ok).count() == 2
        }),
        ImageFormat::Png => PngDecoder::new(Cursor::new(picture)).is_ok_and(|d| d.is_apng().unwrap_or(false)),
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(picture)).is_ok_and(|d| d.has_animation()),
        _ => false,
    }
}

/// Pixels of three bytes, or of four if some can be seen through.
struct Pixels {
    width: u32,
    height: u32,
    clear: bool,
    bytes: Vec<u8>,
}

impl Pixels {
    fn of(image: DynamicImage) -> Self {
        let (width, height) = (image.width(), image.height());
        if image.color().has_alpha() {
            let bytes = image.into_rgba8().into_raw();
            if bytes.as_chunks::<4>().0.iter().any(|p| p[3] < 255) {
                return Self { width, height, clear: true, bytes };
            }
            let opaque = bytes.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect();
            return Self { width, height, clear: false, bytes: opaque };
        }
        Self { width, height, clear: false, bytes: image.into_rgb8().into_raw() }
    }

    fn to_image(&self) -> Result<DynamicImage, String> {
        let (width, height, bytes) = (self.width, self.height, self.bytes.clone());
        let image = if self.clear {
            image::RgbaImage::from_raw(width, height, bytes).map(DynamicImage::from)
        } else {
            image::RgbImage::from_raw(width, height, bytes).map(DynamicImage::from)
        };
        image.ok_or_else(|| "the pixels do not fill the picture".to_owned())
    }

    /// The same, with sides of at most so many pixels.
    fn within(&self, side_max: u32) -> Result<Self, String> {
        let longest = self.width.max(self.height);
        if longest <= side_max {
            return Ok(Self { bytes: self.bytes.clone(), ..*self });
        }
        let shrunk = |side: u32| {
            let rounded = (u64::from(side) * u64::from(side_max) + u64::from(longest) / 2) / u64::from(longest);
            u32::try_from(rounded).unwrap_or(side_max).max(1)
        };
        let (width, height) = (shrunk(self.width), shrunk(self.height));
        let kind = if self.clear { PixelType::U8x4 } else { PixelType::U8x3 };
        let from =
            fast_image_resize::images::ImageRef::new(self.width, self.height, &self.bytes, kind).map_err(|e| e.to_string())?;
        let mut to = Image::new(width, height, kind);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        Resizer::new().resize(&from, &mut to, &options).map_err(|e| e.to_string())?;
        Ok(Self { width, height, clear: self.clear, bytes: to.into_vec() })
    }

    fn on_white(&self) -> Self {
        let over = |p: &[u8; 4]| {
            let alpha = u32::from(p[3]);
            [p[0], p[1], p[2]].map(|c| u8::try_from((u32::from(c) * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255))
        };
        let bytes = if self.clear { self.bytes.as_chunks::<4>().0.iter().flat_map(over).collect() } else { self.bytes.clone() };
        Self { width: self.width, height: self.height, clear: false, bytes }
    }

    fn jpeg(&self, quality: u8) -> Result<Copied, String> {
        let plain = self.on_white();
        let mut out = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut out, quality);
        encoder.write_image(&plain.bytes, self.width, self.height, ExtendedColorType::Rgb8).map_err(|e| e.to_string())?;
        Ok(Copied { media_type: "image/jpeg".to_owned(), bytes: out.into() })
    }

    fn webp(&self) -> Result<Copied, String> {
        let mut out = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut out);
        encoder.write_image(&self.bytes, self.width, self.height, ExtendedColorType::Rgba8).map_err(|e| e.to_string())?;
        Ok(Copied { media_type: "image/webp".to_owned(), bytes: out.into() })
    }

    /// What is seen through stays so as long as that does not cost too much.
    fn file(&self) -> Result<Copied, String> {
        if self.clear {
            let clear = self.webp()?;
            if clear.bytes.len() <= CLEAR_BYTES_MAX {
                return Ok(clear);
            }
        }
        self.jpeg(QUALITY)
    }

    /// A file of [`THUMB_BYTES_MAX`], or nearly.
    fn small_file(&self) -> Result<Copied, String> {
        if self.clear {
            for side in [THUMB_SIDE_MAX, 320, 240] {
                let clear = self.within(side)?.webp()?;
                if clear.bytes.len() <= THUMB_BYTES_MAX {
                    return Ok(clear);
                }
            }
        }
        for quality in [80, 65] {
            let copy = self.jpeg(quality)?;
            if copy.bytes.len() <= THUMB_BYTES_MAX {
                return Ok(copy);
            }
        }
        self.within(360)?.jpeg(60)
    }

    fn blur(&self) -> Result<Vec<u8>, String> {
        let rgba: Vec<u8> = if self.clear {
            self.bytes.clone()
        } else {
            self.bytes.as_chunks::<3>().0.iter().flat_map(|p| [p[0], p[1], p[2], 255]).collect()
        };
        let (width, height) = (self.width as usize, self.height as usize);
        if width > 100 || height > 100 || rgba.len() != 4 * width * height {
            return Err("the pixels do not fill the picture".to_owned());
        }
        Ok(thumbhash::rgba_to_thumb_hash(width, height, &rgba))
    }
}
