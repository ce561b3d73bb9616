//! Writes a JPEG like a photo: `photo <width> <height> <file>`. For the benchmark, which has no encoder of its own.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("photo <width> <height> <file>");
    let [width, height]: [u32; 2] = [next(), next()].map(|n| n.parse().expect("pixels"));
    let file = next();
    let mut state = 1_u64;
    // Slopes, waves and a little noise: about as many bytes for each pixel as a phone's camera writes.
    let picture = RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 60) as f32;
        let wave = ((x as f32 / 37.0).sin() + (y as f32 / 53.0).cos()) * 30.0;
        let slope = |from: u32, of: u32| from as f32 / of as f32 * 150.0;
        let light = |base: f32| (base + wave + noise + 35.0).clamp(0.0, 255.0) as u8;
        Rgb([light(slope(x, width)), light(slope(y, height)), light(slope(x + y, width + height))])
    });
    DynamicImage::from(picture).save_with_format(&file, ImageFormat::Jpeg).expect("may write");
}
