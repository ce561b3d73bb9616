//! The vectors of federation-spec/vectors/link: this code makes exactly these bytes, reads them as they say, and
//! refuses the invalid ones with the code that they name; and a link survives any bytes made from them.
//!
//! `STARTALK_WRITE_VECTORS=1 cargo test -p startalk-link --test vectors` writes them anew, after a change of the spec.

mod build;
mod fuzz;
mod read;
mod spec;

use std::{fs, path::PathBuf};

use serde_json::Value;

type Build = fn() -> Value;

/// The files, each with the function that makes it.
const FILES: [(&str, Build); 6] = [
    ("running.json", build::running),
    ("hello.json", build::hello),
    ("batch.json", build::batch),
    ("frames.json", build::frames),
    ("invalid.json", build::invalid),
    ("tolerated.json", build::tolerated),
];

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../federation-spec/vectors/link").join(file)
}

fn load(file: &str) -> Value {
    let text = fs::read_to_string(path(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn unhex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().expect("hex").as_bytes()).expect("hex")
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[test]
fn the_vectors_are_what_this_code_makes() {
    for (file, build) in FILES {
        let built = build();
        if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
            let text = serde_json::to_string_pretty(&built).expect("JSON");
            fs::write(path(file), text + "\n").expect("the vectors can be written");
        }
        assert_eq!(load(file), built, "{file}");
    }
}
