//! `startalk-terminal`: the chat client for a terminal, as a screen and, with `--json`, as lines of JSON.
//! docs/terminal-client.md, docs/json-client.md
//!
//! Reads the arguments and starts one of the two; owns nothing else.

mod arguments;
mod json;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    match startalk_manual::answered::<Arguments>() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("startalk-terminal: {error}");
            return ExitCode::FAILURE;
        }
    }
    startalk_client::install_crypto();
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("startalk-terminal: {e}");
            return ExitCode::FAILURE;
        }
    };
    let done = if arguments.json { runtime.block_on(json::run(&arguments)) } else { runtime.block_on(screen::run(&arguments)) };
    // Standard input may still be read by a thread that cannot be woken.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("startalk-terminal: {e:#}");
            ExitCode::FAILURE
        }
    }
}
