//! The same program in place of this one: the same process to whoever watches it, and nothing of it is left over.

use std::os::unix::process::CommandExt as _;

/// Starts it with the same words, and these variables besides. Returns only if that cannot be.
pub(crate) fn start(variables: &[(&str, &str)]) -> std::io::Error {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    // What the system says of a program whose file was replaced meanwhile: the new one stands under its name.
    let program = std::env::current_exe().ok().and_then(|p| p.to_str().map(|p| p.trim_end_matches(" (deleted)").to_owned()));
    let mut command = std::process::Command::new(program.map_or_else(|| called.clone(), Into::into));
    command.arg0(&called).args(words).envs(variables.iter().copied()).exec()
}
