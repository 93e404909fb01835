//! What may follow, and what short words mean. In: the words before the cursor. Out: words with a
//! line of help each, and which names the daemon has to be asked for.
//! Everything comes out of the one table of commands.

use super::filter::FILTERS;
use crate::completions::summary;
use console_protocol::messages::FrontEnd;
use console_protocol::table::{self, Command, Family};

/// Commands of the shell itself.
pub(super) const OWN: &[(&str, &str)] =
    &[("exit", "Leave the shell."), ("history", "Show the lines that were given before.")];

/// Names that only the daemon knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Zones,
    Policies,
    Repositories,
    Keys,
}

impl Names {
    /// The operand of `names`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Names::Zones => "zones",
            Names::Policies => "policies",
            Names::Repositories => "repositories",
            Names::Keys => "keys",
        }
    }

    /// By what a usage calls them.
    fn called(name: &str) -> Option<Names> {
        match name.to_ascii_lowercase().trim_matches(|char| "<>[]".contains(char)) {
            "zone" | "zonename" => Some(Names::Zones),
            "policy" => Some(Names::Policies),
            "repository" => Some(Names::Repositories),
            "keytag" | "cka_id" | "key" => Some(Names::Keys),
            _ => None,
        }
    }
}

/// What may follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    /// Words and their help.
    pub(super) words: Vec<(String, String)>,
    /// Names to ask for.
    pub(super) names: Option<Names>,
    /// What else may stand there, for `?` only.
    pub(super) notes: Vec<(String, String)>,
}

/// A short word that may mean several things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word} may be {}", candidates.join(", "))]
pub(super) struct Ambiguous {
    word: String,
    candidates: Vec<String>,
}

/// The paths of all commands, with the prefix of a family where both daemons have one.
fn paths() -> Vec<(Vec<&'static str>, &'static Command)> {
    let mut paths = Vec::new();
    for command in table::all() {
        let words = || command.path.split(' ');
        let prefix = match command.family {
            Family::Enforcer => Some("enforcer"),
            Family::Signer => Some("signer"),
            Family::Appliance | Family::Ksmutil => None,
        };
        paths.push((words().collect(), command));
        if let Some(prefix) = prefix {
            paths.push(([prefix].into_iter().chain(words()).collect(), command));
        }
    }
    paths
}

/// Words that may follow these words of paths, sorted.
fn children(before: &[String]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (path, command) in paths() {
        let is_below = path.len() > before.len() && path.iter().zip(before).all(|(a, b)| a == b);
        if !is_below {
            continue;
        }
        let word = path[before.len()].to_owned();
        let help = match path.len() == before.len() + 1 {
            true => summary(command),
            false => String::new(),
        };
        match found.iter_mut().find(|(known, _)| *known == word) {
            Some((_, known)) if known.is_empty() => *known = help,
            Some(_) => {}
            None => found.push((word, help)),
        }
    }
    if before.is_empty() {
        let own = OWN.iter().map(|(word, help)| (word.to_string(), help.to_string()));
        found.extend(own);
    }
    for (word, help) in &mut found {
        if help.is_empty() {
            let below: Vec<String> = before.iter().chain([&*word]).cloned().collect();
            let next: Vec<String> = children(&below).into_iter().map(|(word, _)| word).collect();
            *help = format!("{} ...", next.join(", "));
        }
    }
    found.sort();
    found
}

/// The words with those of the command in full. In scripts nothing is to be short.
pub(super) fn expand(typed: &[String]) -> Result<Vec<String>, Ambiguous> {
    let mut words: Vec<String> = Vec::new();
    for (at, word) in typed.iter().enumerate() {
        let known = children(&words);
        if known.iter().any(|(child, _)| child == word) {
            words.push(word.clone());
            continue;
        }
        let takes_operands = table::find(FrontEnd::Appliance, &words)
            .is_some_and(|(command, count)| count == words.len() && command.operands.most > 0);
        let is_option = word.starts_with('-') || word.is_empty();
        let short: Vec<&String> = known
            .iter()
            .map(|(child, _)| child)
            .filter(|child| child.starts_with(word.as_str()))
            .collect();
        match short.as_slice() {
            _ if takes_operands || is_option => {}
            [one] => {
                words.push((*one).clone());
                continue;
            }
            [] => {}
            several => {
                let candidates = several.iter().map(|child| (*child).clone()).collect();
                return Err(Ambiguous { word: word.clone(), candidates });
            }
        }
        words.extend_from_slice(&typed[at..]);
        break;
    }
    Ok(words)
}

/// What may follow behind the whole words `before`, with `partial` typed already.
pub(super) fn next(before: &[String], partial: &str) -> Next {
    let Ok(before) = expand(before) else { return Next::default() };
    let begins = |(word, _): &(String, String)| word.starts_with(partial);
    let mut next = Next::default();
    let is_help = before.first().is_some_and(|word| word == "help");
    let path = if is_help { &before[1..] } else { &before[..] };
    next.words.extend(children(path).into_iter().filter(begins));
    let found = table::find(FrontEnd::Appliance, &before).filter(|_| !is_help);
    let Some((command, count)) = found else { return next };
    let arguments = &before[count..];
    let value_of = arguments.last().and_then(|word| {
        let is_meant = |one: &&'static table::Parameter| {
            *word == format!("--{}", one.long) || *word == format!("-{}", one.short)
        };
        command.options().find(is_meant)?.value
    });
    if let Some(value) = value_of {
        next.words.clear();
        next.names = Names::called(value);
        next.notes.push((value.to_uppercase(), String::new()));
        return next;
    }
    let options = command.options().map(|one| {
        let value = one.value.map_or(String::new(), |value| format!(" {}", value.to_uppercase()));
        (format!("--{}", one.long), format!("-{}{value}", one.short))
    });
    next.words.extend(options.filter(begins));
    if !partial.starts_with('-') && command.operands.most > 0 {
        let given = arguments.iter().filter(|word| !word.starts_with('-')).count();
        let called = operand(command, given);
        next.names = called.and_then(Names::called);
        next.notes.extend(called.map(|name| (name.to_owned(), String::new())));
    }
    if partial.is_empty() && command.operands.least == 0 {
        next.notes.push(("<Enter>".to_owned(), "run the command".to_owned()));
        next.notes.push(("|".to_owned(), "filter what it prints".to_owned()));
    }
    next
}

/// What a command's usage calls its operand of that place.
fn operand(command: &Command, place: usize) -> Option<&'static str> {
    let line = command.usage.lines().next()?;
    let rest = line.strip_prefix(command.path)?;
    let mut words = rest.split([' ', '|']).filter(|word| !word.is_empty());
    let is_name = |word: &&str| {
        let bare = word.trim_matches(|char| "<>[]".contains(char));
        !bare.is_empty() && (word.starts_with('<') || bare.chars().all(|char| !char.is_lowercase()))
    };
    let mut names = Vec::new();
    while let Some(word) = words.next() {
        if word.trim_start_matches('[').starts_with('-') {
            // Its value is no operand.
            if !word.ends_with(']') {
                words.next();
            }
        } else if is_name(&word) {
            names.push(word);
        }
    }
    names.get(place.min(names.len().checked_sub(1)?)).copied()
}

/// Filters that may follow behind `|`.
pub(super) fn filters(partial: &str) -> Vec<(String, String)> {
    let all = FILTERS.iter().map(|(usage, help)| (usage.to_string(), help.to_string()));
    all.filter(|(usage, _)| usage.starts_with(partial)).collect()
}

/// The begin that all words have in common.
pub(super) fn common_begin(words: &[String]) -> String {
    let Some((first, rest)) = words.split_first() else { return String::new() };
    let is_common = |end: usize| rest.iter().all(|word| word.starts_with(&first[..end]));
    let ends = first.char_indices().map(|(at, char)| at + char.len_utf8());
    let end = ends.take_while(|end| is_common(*end)).last().unwrap_or(0);
    first[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn short_words_mean_what_only_they_can() {
        let expanded = |line: &str| expand(&words(line)).map(|words| words.join(" "));
        assert_eq!(
            expanded("zo li"),
            Err(Ambiguous {
                word: "zo".into(),
                candidates: vec!["zone".into(), "zonelist".into(), "zones".into()],
            })
        );
        assert_eq!(expanded("zone li -z x").unwrap(), "zone list -z x");
        assert_eq!(expanded("key ds-se --all").unwrap(), "key ds-seen --all");
        assert_eq!(expanded("sig zones").unwrap_err().candidates, ["sign", "signconf", "signer"]);
        assert_eq!(expanded("signe zo").unwrap(), "signer zones");
        // A zone may be called as a command begins.
        assert_eq!(expanded("audit log ver").unwrap(), "audit log ver");
        assert_eq!(expanded("audit log verify").unwrap(), "audit log verify");
        assert_eq!(expanded("nonsense zone").unwrap(), "nonsense zone");
    }

    #[test]
    fn what_follows_comes_from_the_table() {
        let follows = |line: &str, partial: &str| {
            let next = next(&words(line), partial);
            (next.words.into_iter().map(|(word, _)| word).collect::<Vec<_>>(), next.names)
        };
        let (found, _) = follows("", "");
        assert!(found.contains(&"exit".into()) && found.contains(&"zone".into()));
        assert_eq!(follows("key", "ds-s").0, ["ds-seen", "ds-submit"]);
        assert_eq!(follows("zone add --policy", ""), (vec![], Some(Names::Policies)));
        assert_eq!(follows("zone list -z", "ex").1, None, "it has no such option");
        assert_eq!(follows("key list -z", "ex").1, Some(Names::Zones));
        assert_eq!(follows("signer sign", "ex").1, Some(Names::Zones));
        assert_eq!(follows("explain key", "").1, Some(Names::Keys));
        assert_eq!(follows("audit waive", "").1, Some(Names::Zones));
        assert_eq!(follows("audit waive a.example", "").1, None);
        assert!(follows("signer sign", "--").0.contains(&"--all".into()));
        assert!(follows("help zone", "a").0.contains(&"add".into()));
    }

    #[test]
    fn every_command_has_a_line_of_help() {
        for command in table::all().filter(|command| command.family == Family::Appliance) {
            let line = summary(command);
            assert!(!line.is_empty() && line.len() < 100, "{}: {line:?}", command.path);
        }
        assert_eq!(common_begin(&words("example.com example.org")), "example.");
        assert_eq!(common_begin(&[]), "");
    }
}
