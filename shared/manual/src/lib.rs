//! Completions for shells and pages of the manual, written by the programs themselves out of what `--help` is made of.
//!
//! Packages ask for them at their build by a hidden first argument: `startalk --write-manual man`. It is looked for before
//! anything else is read, so no program needs a verb for it and no folder is touched.

use std::{ffi::OsStr, io};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

/// The hidden first argument.
pub const ASKED_BY: &str = "--write-manual";

/// If the command line asks for it, writes what it asks for to standard output: `bash`, `zsh`, `fish` for completions, `man` for
/// the page. Says whether it was asked.
///
/// # Errors
/// Another word than these four, or standard output that cannot be written.
pub fn answered<P: CommandFactory>() -> io::Result<bool> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ASKED_BY)) {
        return Ok(false);
    }
    let what = arguments.next().unwrap_or_default();
    write(P::command(), &what.to_string_lossy(), &mut io::stdout().lock())?;
    Ok(true)
}

/// One of the four, for a program.
///
/// # Errors
/// As [`answered`].
pub fn write(mut program: Command, what: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let shell = match what {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "man" => return page(program, out),
        _ => {
            let wanted = format!("{ASKED_BY} {what}: expected bash, zsh, fish or man");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, wanted));
        }
    };
    let name = program.get_name().to_owned();
    let mut text = Vec::new();
    generate(shell, &mut program, name, &mut text);
    out.write_all(&text)
}

/// One page for the program with all its verbs, each in a section of its own.
fn page(mut program: Command, out: &mut dyn io::Write) -> io::Result<()> {
    program.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(program.clone()).render(&mut text)?;
    verbs(&program, &mut text)?;
    out.write_all(&text)
}

fn verbs(of: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    for verb in of.get_subcommands().filter(|v| !v.is_hide_set() && v.get_name() != "help") {
        let name = verb.get_bin_name().unwrap_or(verb.get_name()).to_owned();
        text.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
        let page = clap_mangen::Man::new(verb.clone());
        page.render_description_section(text)?;
        page.render_synopsis_section(text)?;
        if verb.get_arguments().any(|a| !a.is_global_set() && a.get_id() != "help") {
            page.render_options_section(text)?;
        }
        verbs(verb, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::write;

    fn written(what: &str) -> String {
        let list = Command::new("list").about("Who is there").arg(Arg::new("all").long("all").help("Those who left, too"));
        let hidden = Command::new("worker").hide(true);
        let program = Command::new("star").about("A star").subcommand(list).subcommand(hidden);
        let mut out = Vec::new();
        write(program, what, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_shell_completes_the_verbs() {
        for shell in ["bash", "zsh", "fish"] {
            let text = written(shell);
            assert!(text.contains("list") && text.contains("all"), "{shell}: {text}");
        }
    }

    #[test]
    fn the_page_has_the_verbs_with_their_options_and_none_that_is_hidden() {
        let page = written("man");
        assert!(page.starts_with(".ie") && page.contains(".TH star 1"), "{page}");
        assert!(page.contains(".SH \"STAR LIST\"") && page.contains("Those who left, too"), "{page}");
        assert!(!page.contains("worker"), "{page}");
    }

    #[test]
    fn another_word_is_an_error_that_says_what_was_expected() {
        let error = write(Command::new("star"), "csh", &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("expected bash, zsh, fish or man"), "{error}");
    }
}
