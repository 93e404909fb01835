//! Walks through the table of commands. In: a command. Out: words with which it can be given.

use console_protocol::table::{Command, Family};

/// What a command needs beside its words.
fn arguments(command: &Command, key_tag: &str) -> String {
    let usage = command.usage.strip_prefix(command.path).unwrap_or_default();
    let argument = match (command.path, usage.split_whitespace().next()) {
        ("plan" | "policy export", _) => "--all",
        ("key export" | "look-ahead", _) => "--zone a.example",
        (_, Some("ZONE")) => "a.example",
        (_, Some("CATALOG")) => "catalog.example",
        (_, Some("KEYTAG")) => key_tag,
        (_, Some("KIND")) => "zones",
        ("config get", _) => "kasp.xml",
        _ => "",
    };
    argument.to_owned()
}

/// The words with which `anchorite` gives a command of any family.
pub(crate) fn words(command: &Command, key_tag: &str) -> String {
    let family = match command.family {
        Family::Enforcer => "enforcer ",
        Family::Signer => "signer ",
        Family::Appliance | Family::Ksmutil => "",
    };
    let line = format!("{family}{} {}", command.path, arguments(command, key_tag));
    line.trim_end().to_owned()
}
