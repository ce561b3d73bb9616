//! `startalk`: a domain node in one process, and the operator's verbs for it.
//!
//! `up` is [`boot`], one readable function from the data folder up to the sockets; every other verb is [`cli`], which
//! asks the running node through its control socket, or opens the folder itself when the node is stopped.

mod adapters;
mod admin;
mod announce;
mod boot;
mod cli;
mod clock;
mod config;
mod folder;
mod keys;
mod listen;
mod offline;
mod store;
mod told;
mod words;
mod writer;

use clap::Parser as _;

/// glibc keeps what argon2 takes for each password (19 MiB) in every thread's arena: 900 MB after 200 sign-ins.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
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
