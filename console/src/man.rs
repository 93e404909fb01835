//! Manual pages, out of the one table of commands. In: a command, or none. Out: roff (man macros).
//! One page for each command, and one that lists them.

use crate::completions::summary;
use console_protocol::table::{self, Command, Effect, Family};

/// Of the pages' form; what they say is that of the version they name.
const DATE: &str = "2026-11-23";

/// A command's page is called so, without `.1`.
pub fn page_name(command: &Command) -> String {
    let family = match command.family {
        Family::Enforcer => "enforcer-",
        Family::Signer => "signer-",
        Family::Appliance | Family::Ksmutil => "",
    };
    format!("anchorite-{family}{}", command.path.replace(' ', "-"))
}

/// Text of any kind as roff has it.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}\n"),
            false => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

/// A help as paragraphs; what stands behind "Options:" is a list of words and what they mean.
fn description(help: &str) -> String {
    if help.trim().is_empty() {
        return "See the synopsis.\n".to_owned();
    }
    let (mut text, mut is_list, mut is_new) = (String::new(), false, false);
    for line in help.trim().lines() {
        let line = line.trim();
        let blanks = || line.find("  ").filter(|_| is_list);
        match line.find('\t').or_else(blanks) {
            _ if line.is_empty() => {
                is_new = true;
                continue;
            }
            Some(at) => {
                let (word, meaning) = line.split_at(at);
                text += &format!(".TP\n{}{}", escaped(word), escaped(meaning.trim()));
            }
            None if is_new && !is_list => text += &format!(".PP\n{}", escaped(line)),
            None => text += &escaped(line),
        }
        is_new = false;
        is_list |= line == "Options:";
    }
    text
}

fn head(name: &str, summary: &str) -> String {
    let summary = if summary.is_empty() { "a command" } else { summary };
    format!(
        ".TH \"{}\" 1 \"{DATE}\" \"anchorite {}\" \"Anchorite\"\n.SH NAME\n{} \\- {}",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION"),
        name.replace('-', "\\-"),
        escaped(summary)
    )
}

/// The page of a command.
pub fn page(command: &Command) -> String {
    let mut text = head(&page_name(command), &summary(command));
    let program = match command.family {
        Family::Signer => "anchorite signer ",
        Family::Enforcer => "anchorite enforcer ",
        Family::Appliance | Family::Ksmutil => "anchorite ",
    };
    text += ".SH SYNOPSIS\n.nf\n";
    let usage = match command.usage.is_empty() {
        true => format!("{}\n", command.path),
        false => command.usage.to_owned(),
    };
    let prefix = if program == "anchorite " { program } else { "" };
    for (number, line) in usage.lines().enumerate() {
        let begin = if number == 0 { prefix } else { "" };
        text += &escaped(&format!("{begin}{line}"));
    }
    text += ".fi\n.SH DESCRIPTION\n";
    text += &description(command.help);
    if command.options().next().is_some() {
        text += ".SH OPTIONS\n";
        for one in command.options() {
            let value =
                one.value.map_or(String::new(), |value| format!(" {}", value.to_uppercase()));
            text += &format!(
                ".TP\n{}",
                escaped(&format!("--{}{value}, -{}{value}", one.long, one.short))
            );
            text += &escaped(if one.value.is_some() { "Takes a value." } else { "Takes none." });
        }
    }
    let change = match command.effect {
        Effect::Read => "It changes nothing.",
        Effect::Change => "It changes something, and is logged before and after.",
    };
    text += &format!(".SH WHO\nFor the role {}. {change}\n", command.role.givers());
    if program != "anchorite " {
        text += &format!(
            "The words \\(lq{}\\(rq may be left out where no other command has this name.\n",
            escaped(program.trim_start_matches("anchorite ").trim_end()).trim_end()
        );
    }
    text + ".SH SEE ALSO\n.BR anchorite (1)\n"
}

/// The page that lists all commands.
pub fn index() -> String {
    let mut text = head("anchorite", "DNSSEC signing appliance: commands for the running daemon");
    text += ".SH SYNOPSIS\n.B anchorite\n[\\-s SOCKET] COMMAND\n.SH COMMANDS\n";
    for command in table::all() {
        text += &format!(".TP\n.BR {} (1)\n", page_name(command).replace('-', "\\-"));
        text += &escaped(if summary(command).is_empty() { command.path } else { "" });
        text += &escaped(&summary(command));
    }
    text + ".SH SEE ALSO\nThe shell of all commands is \\(lqanchorite shell\\(rq.\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_command_has_its_page_and_the_list_names_it() {
        let (index, mut names) = (index(), BTreeSet::new());
        for command in table::all() {
            let (name, page) = (page_name(command), page(command));
            assert!(names.insert(name.clone()), "{name} twice");
            assert!(index.contains(&name.replace('-', "\\-")), "{name}");
            assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH WHO"), "{name}");
            let is_macro = |line: &str| {
                [".TH", ".SH", ".nf", ".fi", ".TP", ".PP", ".BR", ".B"]
                    .contains(&line.split(' ').next().unwrap())
            };
            let strange: Vec<&str> = page
                .lines()
                .filter(|line| line.starts_with(['.', '\'']) && !is_macro(line))
                .collect();
            assert!(strange.is_empty(), "{name}: {strange:?}");
        }
    }
}
