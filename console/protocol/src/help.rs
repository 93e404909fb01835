//! What the front ends say about commands, out of the table. In: a front end, a command. Out: text.

use crate::messages::FrontEnd;
use crate::table::{self, Command, Family};

/// The lines of all commands of a family.
pub fn list_of(family: Family) -> String {
    let mut text = String::new();
    let mut last = "";
    for command in table::of(family) {
        // OpenDNSSEC lists start, running, reload and stop as one.
        if command.usage != last {
            text.push_str(command.usage);
        }
        last = command.usage;
    }
    text
}

/// The list of commands, as the front end shows it.
pub fn list(front_end: FrontEnd) -> String {
    match front_end {
        FrontEnd::Enforcer => list_of(Family::Enforcer),
        FrontEnd::Signer => list_of(Family::Signer),
        FrontEnd::Ksmutil => list_of(Family::Ksmutil),
        FrontEnd::Appliance => {
            let mut text = String::from("Commands for the running daemon:\n");
            for command in table::of(Family::Appliance) {
                text.push_str(&format!("  {:<26}{}", command.usage.trim_end(), command.help));
            }
            for (title, family) in [("enforcer", Family::Enforcer), ("signer", Family::Signer)] {
                text.push_str(&format!(
                    "Of OpenDNSSEC's {title} (\"{title}\" may stand before):\n"
                ));
                for line in list_of(family).lines() {
                    text.push_str(&format!("  {}\n", line.trim_end()));
                }
            }
            text
        }
    }
}

/// What `help COMMAND` prints.
pub fn of(command: &Command) -> String {
    match command.family {
        Family::Enforcer => format!("Usage:\n{}\nHelp:\n{}\n", command.usage, command.help),
        Family::Signer => command.usage.to_owned(),
        Family::Ksmutil => format!("{}{}", command.usage, command.help),
        Family::Appliance => format!("Usage:\n{}\n{}", command.usage, command.help),
    }
}

/// The same for our own front ends: with the options of which OpenDNSSEC's texts do not speak.
pub fn ours(command: &Command) -> String {
    let mut text = of(command);
    let is_named = |long: &str| text.contains(&format!("--{long}"));
    let others = command.options().filter(|one| !is_named(one.long));
    let others: Vec<String> = others
        .map(|one| {
            let value = one.value.map_or(String::new(), |value| format!(" <{value}>"));
            format!("--{}{value}, -{}", one.long, one.short)
        })
        .collect();
    if !others.is_empty() {
        text += &format!("Also: {}\n", others.join("; "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `ods-enforcer help` of OpenDNSSEC 2.1.12 lists.
    const OPENDNSSEC: &str = include_str!("table/opendnssec_help.txt");

    #[test]
    fn lists_are_those_of_opendnssec() {
        let mut theirs = OPENDNSSEC.lines();
        for line in list(FrontEnd::Enforcer).lines() {
            // Hidden there, or of the development line.
            let is_hidden = [
                "time leap",
                "\t--time <time>",
                "\t--attach",
                "look-ahead",
                "\t--zone <zonename>",
                "\t--steps <n>",
            ];
            if !is_hidden.iter().any(|hidden| line.starts_with(hidden)) {
                assert!(theirs.any(|known| known == line), "{line:?} is not there, or not here");
            }
        }
        let signer = list(FrontEnd::Signer);
        assert!(signer.starts_with("zones                       Show the currently known"));
        assert!(signer.lines().all(|line| line.len() > 28 && &line[27..28] == " "), "{signer}");
    }

    #[test]
    fn every_command_is_in_our_own_list() {
        let ours = list(FrontEnd::Appliance);
        for command in table::all() {
            let line = command.usage.lines().next().unwrap_or_default().trim_end();
            assert!(ours.contains(line), "{}", command.path);
        }
        assert!(ours.lines().all(|line| line.chars().count() <= 100), "{ours}");
    }
}
