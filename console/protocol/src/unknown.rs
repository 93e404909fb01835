//! What our own front ends say of words that are no command: how half a command goes on, or what
//! may have been meant. In: words. Out: text. OpenDNSSEC's front ends say what they always said.

use crate::messages::FrontEnd;
use crate::nearest::nearest;
use crate::table;
use std::collections::BTreeSet;

/// Most of a wrong line that is said back, in characters.
const ECHO_CHARS_MAX: usize = 200;
/// Words of the longest path.
const WORDS_MAX: usize = 3;

/// The text; `list` is what lists the commands, `programs` other words that may stand first.
pub fn text(words: &[String], list: &str, programs: &[&str]) -> String {
    let line: String = words.join(" ").chars().take(ECHO_CHARS_MAX).collect();
    let below = below(words);
    if !words.is_empty() && !below.is_empty() {
        return format!("{line} what? There are {}.\n", below.join(", "));
    }
    let program = || nearest(words.first()?, programs.iter().copied()).map(str::to_owned);
    match near(words).or_else(program) {
        Some(near) => format!("Unknown command {line}.\nDid you mean \"{near}\"?\n"),
        None => format!("Unknown command {line}.\n{list} lists the commands.\n"),
    }
}

/// The words with which commands go on behind these.
fn below(words: &[String]) -> Vec<&'static str> {
    let (front_end, begin) = family_of(words);
    let mut found = BTreeSet::new();
    for command in table::seen_by(front_end) {
        let mut path = command.path.split(' ');
        if begin.iter().all(|word| path.next() == Some(word.as_str())) {
            found.extend(path.next());
        }
    }
    found.into_iter().collect()
}

/// Whose commands are meant, and the words behind the name of a family.
fn family_of(words: &[String]) -> (FrontEnd, &[String]) {
    match words.first().map(String::as_str) {
        Some("enforcer") => (FrontEnd::Enforcer, &words[1..]),
        Some("signer") => (FrontEnd::Signer, &words[1..]),
        _ => (FrontEnd::Appliance, words),
    }
}

/// The command that may have been meant. Options and operands may follow, so as many words are
/// compared as a path has.
fn near(words: &[String]) -> Option<String> {
    let (front_end, begin) = family_of(words);
    let prefix = &words[..words.len() - begin.len()];
    let paths = table::seen_by(front_end).into_iter().map(|command| command.path);
    let tries = (1..=begin.len().min(WORDS_MAX)).rev();
    let found = tries.map(|count| begin[..count].join(" ")).find_map(|typed| {
        let same_length = |path: &&str| path.split(' ').count() == typed.split(' ').count();
        nearest(&typed, paths.clone().filter(same_length))
    })?;
    Some(prefix.iter().map(String::as_str).chain([found]).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        assert_eq!(text(&crate::line::words(line), "help", &["check"]), expect);
    }

    #[test]
    fn half_a_command_is_told_how_it_goes_on() {
        check("backup", "backup what? There are commit, done, list, prepare, rollback.\n");
        check("policy", "policy what? There are export, import, list, purge, resalt.\n");
        check(
            "signer update what",
            "Unknown command signer update what.\n\
                                     Did you mean \"signer update\"?\n",
        );
    }

    #[test]
    fn a_wrong_command_is_told_what_is_near() {
        let near = |line: &str, near: &str| {
            check(line, &format!("Unknown command {line}.\nDid you mean \"{near}\"?\n"));
        };
        near("zone lits -z x", "zone list");
        near("sotp", "stop");
        near("chekc", "check");
        near("audit log verfy", "audit log verify");
        near("enforcer zone lits", "enforcer zone list");
        check("xyzzy", "Unknown command xyzzy.\nhelp lists the commands.\n");
        check("", "Unknown command .\nhelp lists the commands.\n");
        let far = format!("Unknown command {}.\nhelp lists the commands.\n", "x".repeat(200));
        check(&"x".repeat(1 << 20), &far);
    }
}
