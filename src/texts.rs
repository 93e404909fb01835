//! `anchorite completions SHELL` and `anchorite man [COMMAND | --write FOLDER]`: what is made out
//! of the table of commands. In: words. Out: a script, a page, or a folder of pages. Exit codes: 0
//! done, 1 cannot write, 2 wrong words.

use crate::arguments::PROGRAMS;
use console::{completions, man};
use console_protocol::messages::FrontEnd;
use console_protocol::table;
use std::path::Path;
use std::process::ExitCode;

const WRONG: u8 = 2;

fn wrong(text: &str) -> ExitCode {
    eprintln!("anchorite: {text}");
    ExitCode::from(WRONG)
}

/// Writes to standard output; a reader that is gone has had enough.
fn say(text: &str) -> ExitCode {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// `anchorite completions`.
pub(crate) fn completions(words: &[String]) -> ExitCode {
    let script = match words {
        [shell] => completions::script(shell, PROGRAMS),
        _ => None,
    };
    match script {
        Some(script) => say(&script),
        None => wrong(&format!("usage: anchorite completions {}", completions::SHELLS.join("|"))),
    }
}

/// `anchorite man`.
pub(crate) fn man(words: &[String]) -> ExitCode {
    if let [option, folder] = words
        && option == "--write"
    {
        return write(Path::new(folder));
    }
    if words.is_empty() {
        return say(&man::index());
    }
    match table::find(FrontEnd::Appliance, words) {
        Some((command, count)) if count == words.len() => say(&man::page(command)),
        _ => wrong(&format!(
            "there is no command {}; usage: anchorite man [COMMAND | --write FOLDER]",
            words.join(" ")
        )),
    }
}

fn write(folder: &Path) -> ExitCode {
    let pages = table::all().map(|command| (man::page_name(command), man::page(command)));
    for (name, text) in pages.chain([("anchorite".to_owned(), man::index())]) {
        let path = folder.join(name + ".1");
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("anchorite: cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
