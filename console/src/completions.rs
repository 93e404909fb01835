//! Completion for shells of the system, out of the one table of commands. In: which shell. Out: a
//! script. Names of zones, policies, repositories and keys come from the running daemon, by
//! `anchorite names`; while it is away, there are none.

use console_protocol::table::{self, Command, Family};
use std::collections::BTreeMap;

/// The shells there are scripts for.
pub const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// The script for a shell; `programs` are the other words that may stand first. `None`: there is
/// no script for that one.
pub fn script(shell: &str, programs: &[&str]) -> Option<String> {
    match shell {
        "bash" => Some(bash(programs)),
        // zsh reads bash's scripts when it is told to.
        "zsh" => Some(format!(
            "#compdef anchorite\nautoload -U +X bashcompinit && bashcompinit\n{}{ZSH_END}",
            bash(programs)
        )),
        "fish" => Some(fish(programs)),
        _ => None,
    }
}

/// As a file in zsh's folder of functions, it is read when the first completion is wanted.
const ZSH_END: &str = "\
if [[ ${funcstack[1]} == _anchorite ]]; then _bash_complete -o default -F _anchorite; fi
";

/// Paths with the words that may follow them, with a line of help.
fn tree(programs: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut tree: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for program in programs {
        tree.entry(String::new()).or_default().insert(program.to_string(), String::new());
    }
    for (path, command) in paths() {
        let words: Vec<&str> = path.split(' ').collect();
        for at in 0..words.len() {
            let entry = tree.entry(words[..at].join(" ")).or_default();
            let help = entry.entry(words[at].to_owned()).or_default();
            if at + 1 == words.len() && help.is_empty() {
                *help = summary(command);
            }
        }
    }
    tree
}

/// The paths of all commands, with a family in front too.
fn paths() -> Vec<(String, &'static Command)> {
    let mut paths: Vec<(String, &'static Command)> = Vec::new();
    for command in table::all() {
        // Of two with one path the first is meant.
        if !paths.iter().any(|(path, _)| path == command.path) {
            paths.push((command.path.to_owned(), command));
        }
        let prefix = match command.family {
            Family::Enforcer => "enforcer",
            Family::Signer => "signer",
            Family::Appliance | Family::Ksmutil => continue,
        };
        paths.push((format!("{prefix} {}", command.path), command));
    }
    paths
}

/// A longer sentence is cut.
const SUMMARY_CHARS_MAX: usize = 90;
/// Where the signer's usage begins to explain.
const SIGNER_COLUMN: usize = 28;

/// The first sentence of a command's help.
pub(crate) fn summary(command: &Command) -> String {
    let signer = || {
        let lines = command.usage.lines();
        let text: Vec<&str> = lines.map(|line| line.get(SIGNER_COLUMN..).unwrap_or("")).collect();
        text.join(" ")
    };
    // A help that several commands share has a line for each.
    let own = |line: &&str| line.split('\t').next() == Some(command.path);
    let text = match (command.help.trim(), command.help.lines().find(own)) {
        ("", _) => signer(),
        (_, Some(line)) => line[command.path.len()..].to_owned(),
        (help, None) => help.split("\n\n").next().unwrap_or_default().to_owned(),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = [". ", "; ", ": "].iter().filter_map(|end| text.find(end)).min();
    let text = text[..end.unwrap_or(text.len())].trim_end_matches('.');
    if text.chars().count() < SUMMARY_CHARS_MAX {
        return if text.is_empty() { String::new() } else { format!("{text}.") };
    }
    let begin: String = text.chars().take(SUMMARY_CHARS_MAX).collect();
    let cut = begin.rfind(", ").or_else(|| begin.rfind(' ')).unwrap_or(begin.len());
    format!("{} ...", &begin[..cut])
}

/// The kind of names that a value is one of.
fn kind(value: &str) -> Option<&'static str> {
    match value.trim_matches(|char| "<>[]".contains(char)).to_ascii_lowercase().as_str() {
        "zone" => Some("zones"),
        "policy" => Some("policies"),
        "repository" => Some("repositories"),
        "keytag" => Some("keys"),
        _ => None,
    }
}

/// The kind of names that a command's first operand is one of.
fn operand_kind(command: &Command) -> Option<&'static str> {
    if command.operands.most == 0 {
        return None;
    }
    let first = command.usage.lines().next()?.strip_prefix(command.path)?;
    kind(first.split_whitespace().next()?)
}

fn options(command: &Command) -> String {
    let words = command.options().map(|one| format!("--{}", one.long));
    words.collect::<Vec<_>>().join(" ")
}

fn bash(programs: &[&str]) -> String {
    let mut next = String::new();
    for (path, words) in tree(programs) {
        let words: Vec<&str> = words.keys().map(String::as_str).collect();
        next += &format!("        '{path}') echo '{}' ;;\n", words.join(" "));
    }
    let (mut flags, mut values, mut operands) = (String::new(), String::new(), String::new());
    for (path, command) in paths() {
        if command.options().next().is_some() {
            flags += &format!("        '{path}') echo '{}' ;;\n", options(command));
        }
        for one in command.options() {
            if let Some(kind) = one.value.and_then(kind) {
                let (long, short) = (one.long, one.short);
                values += &format!("        '{path} --{long}'|'{path} -{short}') echo {kind} ;;\n");
            }
        }
        if let Some(kind) = operand_kind(command) {
            operands += &format!("        '{path}') echo {kind} ;;\n");
        }
    }
    format!(
        "# Completion of anchorite's commands: source it, or put it into bash-completion's\n\
         # folder.\n\
         _anchorite_next() {{\n    case \"$1\" in\n{next}    esac\n}}\n\
         _anchorite_flags() {{\n    case \"$1\" in\n{flags}    esac\n}}\n\
         _anchorite_value() {{\n    case \"$1 $2\" in\n{values}    esac\n}}\n\
         _anchorite_operand() {{\n    case \"$1\" in\n{operands}    esac\n}}\n{BASH_FUNCTION}"
    )
}

/// In zsh `path` is `PATH`, so no variable is called so. Names come from outside, so they are
/// quoted, and never given to `compgen -W`, which would run what looks like a command in them.
const BASH_FUNCTION: &str = r#"_anchorite_names() {
    local name
    while IFS= read -r name; do
        [ -n "$name" ] || continue
        printf -v name %q "$name"
        case "$name" in "$cur"*) COMPREPLY+=("$name") ;; esac
    done <<EOF
$(anchorite names "$1" "${cur%%[!A-Za-z0-9._-]*}" 2>/dev/null)
EOF
}
_anchorite() {
    local cur prev typed="" word kind i
    cur="${COMP_WORDS[COMP_CWORD]}"
    prev="${COMP_WORDS[COMP_CWORD-1]}"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        case " $(_anchorite_next "$typed") " in
            *" $word "*) typed="${typed:+$typed }$word" ;;
        esac
    done
    kind="$(_anchorite_value "$typed" "$prev")"
    COMPREPLY=()
    if [ -n "$kind" ]; then
        _anchorite_names "$kind"
        return
    fi
    for word in $(_anchorite_next "$typed") $(_anchorite_flags "$typed"); do
        case "$word" in "$cur"*) COMPREPLY+=("$word") ;; esac
    done
    kind="$(_anchorite_operand "$typed")"
    if [ -n "$kind" ] && [ "${cur#-}" = "$cur" ]; then
        _anchorite_names "$kind"
    fi
}
complete -o default -F _anchorite anchorite
"#;

/// A word in fish's single quotation marks.
fn fish_word(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn fish(programs: &[&str]) -> String {
    let mut script = FISH_FUNCTION.to_owned();
    for (path, words) in tree(programs) {
        for (word, help) in words {
            let help = fish_word(&help);
            script += &format!(
                "complete -c anchorite -n '__anchorite_at \"{path}\"' -a {word} -d {help}\n"
            );
        }
    }
    for (path, command) in paths() {
        let at = format!("complete -c anchorite -n '__anchorite_below \"{path}\"'");
        for one in command.options() {
            let value = match (one.value, one.value.and_then(kind)) {
                (None, _) => String::new(),
                (Some(_), None) => " -r".to_owned(),
                (Some(_), Some(kind)) => format!(" -x -a '(anchorite names {kind} 2>/dev/null)'"),
            };
            script += &format!("{at} -l {} -s {}{value}\n", one.long, one.short);
        }
        if let Some(kind) = operand_kind(command) {
            script += &format!("{at} -a '(anchorite names {kind} 2>/dev/null)'\n");
        }
    }
    script
}

const FISH_FUNCTION: &str = r#"# Completion of anchorite; goes into ~/.config/fish/completions.
function __anchorite_words
    set -l words (commandline -opc)
    string match -v -- '-*' $words[2..-1]
end
function __anchorite_at
    test (string join ' ' (__anchorite_words)) = "$argv[1]"
end
function __anchorite_below
    string match -q -- "$argv[1]*" (string join ' ' (__anchorite_words))
end
complete -c anchorite -f
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use console_protocol::table::Parameter;
    use std::io::Write;
    use std::process::{Command as Process, Stdio};

    #[test]
    fn every_command_is_in_every_script() {
        for shell in SHELLS {
            let script = script(shell, &["run"]).unwrap();
            for (path, command) in paths() {
                let last = path.split(' ').next_back().unwrap();
                assert!(script.contains(last), "{shell}: {path}");
                let has = |one: &Parameter| script.contains(one.long);
                assert!(command.options().all(has), "{shell}: options of {path}");
            }
        }
        assert_eq!(script("tcsh", &[]), None);
    }

    /// What a shell says that reads a script and then is asked for completions.
    fn asked(shell: &str, arguments: &[&str], questions: &str) -> String {
        let mut process = Process::new(shell)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = script(shell, &[]).unwrap() + questions;
        process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn bash_reads_it_and_completes() {
        let ask = "ask() {\n COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _anchorite\n \
                   echo \"${COMPREPLY[@]}\"\n}\n\
                   ask anchorite key ds-s\nask anchorite signer sign --a\n\
                   anchorite() { echo \"example.com\"; }\nask anchorite key list --zone ex\n\
                   ask anchorite key list -z ''\nask anchorite zone show e\n";
        let said = asked("bash", &["--norc", "-s"], ask);
        assert_eq!(said, "ds-seen ds-submit\n--all\nexample.com\nexample.com\nexample.com\n");
    }

    #[test]
    fn names_that_look_like_commands_are_quoted_and_not_run() {
        let ask = "anchorite() {\n\
                   printf '%s\\n' 'a$(echo run >&2; echo ran).example' 'a\\032`b`'\n}\n\
                   COMP_WORDS=(anchorite zone show a); COMP_CWORD=3; _anchorite\n\
                   printf '%s\\n' \"${COMPREPLY[@]}\"\n";
        let said = asked("bash", &["--norc", "-s"], ask);
        let quoted = "a\\$\\(echo\\ run\\ \\>\\&2\\;\\ echo\\ ran\\).example\na\\\\032\\`b\\`\n";
        assert_eq!(said, quoted);
    }
}
