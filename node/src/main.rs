//! `startalk`: a domain node in one process, and the operator's verbs for it.
//!
//! `up` is [`boot`], one readable function from the data folder up to the sockets; every other verb is [`cli`], which
//! asks the running node through its control socket, or opens the folder itself when the node is stopped.

mod acme;
mod adapters;
mod admin;
mod again;
mod allocator;
mod announce;
mod blobs;
mod boot;
mod capacity;
mod checkpoints;
mod cli;
mod clock;
mod compaction;
mod config;
mod folder;
mod keys;
mod listen;
mod media;
mod metrics;
mod offline;
mod push;
mod retention;
mod sign_in;
mod space;
mod store;
mod swap;
mod tether;
mod timers;
mod told;
mod trial;
mod words;
mod writer;
mod zones;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    match startalk_manual::answered::<cli::Options>() {
        Ok(false) => {}
        Ok(true) => return std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("startalk: {error}");
            return std::process::ExitCode::FAILURE;
        }
    }
    startalk_net::install_crypto();
    let options = cli::Options::parse();
    let language = words::language(options.lang.as_deref());
    match cli::run(options, language) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("startalk: {}", cli::words_of(&error, language));
            std::process::ExitCode::FAILURE
        }
    }
}
