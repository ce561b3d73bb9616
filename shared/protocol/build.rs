//! Compiles the protobuf files without needing `protoc` on the machine.
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("proto");
    let names = ["content", "trust", "link", "client", "events", "group", "tether"];
    let files: Vec<_> = names.iter().map(|n| root.join(format!("startalk/{n}.proto"))).collect();
    println!("cargo:rerun-if-changed={}", root.display());
    let set = protox::compile(&files, [&root])?;
    prost_build::Config::new().bytes(["."]).btree_map(["."]).compile_fds(set)?;
    Ok(())
}
