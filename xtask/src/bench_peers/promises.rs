//! The promises of `benches/promises.toml`, and whether they are kept. In: the file, and what was
//! measured. Out: a line for each promise, and those that are broken. A promise that could have
//! been measured and was not counts as broken, and so does a value that is no number.
//!
//! The file is read by hand: tables, and keys with a text or a number, of what TOML allows.

use std::fs;
use std::path::Path;

use crate::workspace::Outcome;

/// One promise: a measured value that is at most this.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Promise {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) at_most: f64,
    /// Measured by `--full` only.
    pub(super) is_for_full: bool,
}

/// One value under the name of its promise.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) value: f64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) lines: Vec<String>,
    pub(super) broken: Vec<String>,
}

pub(super) fn read(path: &Path) -> Outcome<Vec<Promise>> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&text).map_err(|problem| format!("{}: {problem}", path.display()))
}

pub(super) fn judge(promises: &[Promise], measured: &[Measured], is_full: bool) -> Judgement {
    let mut judgement = Judgement::default();
    for promise in promises {
        let Promise { name, text, at_most, .. } = promise;
        let value = measured.iter().find(|measured| measured.name == *name).map(|m| m.value);
        let (word, found) = match value {
            Some(value) if value <= *at_most => ("kept", format!("{value:.2}")),
            None if promise.is_for_full && !is_full => ("with --full", "-".to_owned()),
            Some(value) => ("BROKEN", format!("{value:.2}")),
            None => ("BROKEN", "not measured".to_owned()),
        };
        let line = format!("{name}: measured {found}, promised at most {at_most} ({text})");
        judgement.lines.push(format!("{word:<11} {line}"));
        if word == "BROKEN" {
            judgement.broken.push(line);
        }
    }
    judgement
}

fn parse(text: &str) -> Outcome<Vec<Promise>> {
    let mut promises: Vec<Promise> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let wrong = |what: &str| format!("line {}: {what}: {line}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or_else(|| wrong("no table"))?.to_owned();
            if promises.iter().any(|promise| promise.name == name) {
                return Err(wrong("promised twice"));
            }
            // Nothing is at most not-a-number: a promise without its number is broken.
            let at_most = f64::NAN;
            promises.push(Promise { name, text: String::new(), at_most, is_for_full: false });
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("no `key = value`"))?;
        let promise = promises.last_mut().ok_or_else(|| wrong("before the first table"))?;
        let value = value.trim();
        let quoted = || {
            let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            inner.map(str::to_owned).ok_or_else(|| wrong("no text in quotes"))
        };
        match key.trim() {
            "text" => promise.text = quoted()?,
            "at_most" => promise.at_most = value.parse().map_err(|_| wrong("no number"))?,
            "measured" => {
                promise.is_for_full = match quoted()?.as_str() {
                    "always" => false,
                    "full" => true,
                    _ => return Err(wrong("neither always nor full")),
                }
            }
            _ => return Err(wrong("no such key")),
        }
    }
    Ok(promises)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "# numbers\n[small]\ntext = \"small zone\"\nat_most = 0.5\n\n[large]\n\
                       text = \"large zone\"\nat_most = 2\nmeasured = \"full\"\n";

    fn broken(measured: &[(&str, f64)], is_full: bool) -> Vec<String> {
        let own = |&(name, value): &(&str, f64)| Measured { name: name.to_owned(), value };
        let measured: Vec<Measured> = measured.iter().map(own).collect();
        judge(&parse(TWO).unwrap(), &measured, is_full).broken
    }

    #[test]
    fn kept_promises_are_no_error() {
        assert!(broken(&[("small", 0.5), ("large", 1.9)], true).is_empty());
        assert!(broken(&[("small", 0.5)], false).is_empty(), "large is measured by --full only");
    }

    #[test]
    fn a_broken_promise_is_named_with_both_numbers() {
        let expected = "small: measured 0.51, promised at most 0.5 (small zone)";
        assert_eq!(broken(&[("small", 0.51)], false), [expected]);
        assert_eq!(broken(&[("small", 0.1), ("large", 2.1)], true).len(), 1);
    }

    #[test]
    fn what_was_not_measured_is_broken() {
        assert_eq!(broken(&[], false).len(), 1);
        assert_eq!(broken(&[], true).len(), 2);
        assert_eq!(broken(&[("small", f64::NAN)], false).len(), 1);
    }

    #[test]
    fn a_promise_without_number_is_broken() {
        let promises = parse("[name]\ntext = \"t\"\n").unwrap();
        let measured = [Measured { name: "name".to_owned(), value: 0.0 }];
        assert_eq!(judge(&promises, &measured, false).broken.len(), 1);
    }

    #[test]
    fn mistakes_in_the_file_are_named_by_line() {
        for (text, expected) in [
            ("at_most = 1\n", "line 1: before the first table"),
            ("[a]\nat_most = one\n", "line 2: no number"),
            ("[a]\n[a]\n", "line 2: promised twice"),
            ("[a]\natmost = 1\n", "line 2: no such key"),
            ("[a]\nmeasured = \"never\"\n", "line 2: neither always nor full"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn the_file_in_the_tree_is_well_formed() {
        let path = crate::workspace::root().join("benches/promises.toml");
        let promises = read(&path).unwrap();
        assert!(promises.iter().all(|p| p.at_most > 0.0 && !p.text.is_empty()));
        assert!(promises.iter().any(|p| p.is_for_full) && promises.iter().any(|p| !p.is_for_full));
    }
}
