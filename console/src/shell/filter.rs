//! Filters behind a command: `| match RE`, `except`, `begin`, `count`, `first N`, `last N`,
//! `json`, `csv`, `no-more`. In: words, a command's output. Out: what is left of it.
//! Regular expressions take time in line with the text (RE2's kind), and little memory.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// Most memory of a compiled expression, in octets.
const EXPRESSION_OCTETS_MAX: usize = 1 << 20;

/// The filters there are, each with its help.
pub const FILTERS: &[(&str, &str)] = &[
    ("match RE", "only lines that match"),
    ("except RE", "only lines that do not match"),
    ("begin RE", "from the first line that matches on"),
    ("count", "how many lines there are"),
    ("first N", "the first lines (10, unless told)"),
    ("last N", "the last lines (10, unless told)"),
    ("json", "as JSON, of a command that has --json"),
    ("csv", "as CSV, of a command that has --json"),
    ("no-more", "without stopping at each screen"),
];
/// Lines of `first` and `last` when no number is said.
const LINES: usize = 10;

/// Why filters make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is none of that name.
    #[error(
        "there is no filter {word}; there are match, except, begin, count, first, last, json, csv, \
             no-more"
    )]
    Unknown {
        /// What was typed.
        word: String,
    },
    /// Words are missing or too many.
    #[error("usage: | {usage}")]
    Usage {
        /// How it is used.
        usage: &'static str,
    },
    /// The expression.
    #[error("{text} is no regular expression: {reason}")]
    Expression {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `json` and `csv` change how the command answers, so they come first.
    #[error("{0} has to be the first filter")]
    NotFirst(&'static str),
    /// The answer is no list.
    #[error("this answer cannot be shown as CSV: it is no list of objects")]
    NoTable,
}

#[derive(Clone, Debug)]
enum Filter {
    Match(Regex),
    Except(Regex),
    Begin(Regex),
    Count,
    First(usize),
    Last(usize),
    NoMore,
}

/// The filters of one line.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters {
    filters: Vec<Filter>,
    /// The command is to answer with JSON.
    pub(super) is_json: bool,
    is_csv: bool,
}

impl Filters {
    /// Reads them; unique prefixes of names are enough.
    pub(super) fn parse(typed: &[Vec<String>]) -> Result<Filters, FilterError> {
        let mut all = Filters::default();
        for (at, words) in typed.iter().enumerate() {
            let (usage, argument) = named(words)?;
            let name = usage.split(' ').next().unwrap_or(usage);
            let number = || match &argument {
                None => Ok(LINES),
                Some(text) => text.parse().map_err(|_| FilterError::Usage { usage }),
            };
            let expression = || expression(argument.as_deref().unwrap_or_default());
            all.filters.push(match name {
                "match" => Filter::Match(expression()?),
                "except" => Filter::Except(expression()?),
                "begin" => Filter::Begin(expression()?),
                "count" => Filter::Count,
                "first" => Filter::First(number()?),
                "last" => Filter::Last(number()?),
                "json" | "csv" if at > 0 => {
                    let name = if name == "json" { "json" } else { "csv" };
                    return Err(FilterError::NotFirst(name));
                }
                "json" | "csv" => {
                    all.is_json = true;
                    all.is_csv = name == "csv";
                    continue;
                }
                _ => Filter::NoMore,
            });
        }
        Ok(all)
    }

    /// Whether the output may stop at each screen.
    pub(super) fn may_page(&self) -> bool {
        !self.filters.iter().any(|filter| matches!(filter, Filter::NoMore))
    }

    /// What is left of an output.
    pub(super) fn apply(&self, text: &str) -> Result<String, FilterError> {
        let table = if self.is_csv { csv(text)? } else { String::new() };
        let mut lines: Vec<&str> = if self.is_csv { table.lines() } else { text.lines() }.collect();
        let mut counted = None;
        for filter in &self.filters {
            match filter {
                Filter::Match(wanted) => lines.retain(|line| wanted.is_match(line)),
                Filter::Except(unwanted) => lines.retain(|line| !unwanted.is_match(line)),
                Filter::Begin(wanted) => {
                    let first = lines.iter().position(|line| wanted.is_match(line));
                    lines.drain(..first.unwrap_or(lines.len()));
                }
                Filter::First(count) => lines.truncate(*count),
                Filter::Last(count) => drop(lines.drain(..lines.len().saturating_sub(*count))),
                Filter::Count => {
                    counted = Some(format!("{}\n", lines.len()));
                    break;
                }
                Filter::NoMore => {}
            }
        }
        Ok(counted.unwrap_or_else(|| lines.iter().flat_map(|line| [*line, "\n"]).collect()))
    }
}

/// A filter's usage, and the word behind its name.
fn named(words: &[String]) -> Result<(&'static str, Option<String>), FilterError> {
    let unknown = |word: &str| FilterError::Unknown { word: word.to_owned() };
    let word = words.first().ok_or_else(|| unknown("|"))?;
    let name = |usage: &'static str| usage.split(' ').next().unwrap_or(usage);
    let exact = FILTERS.iter().find(|(usage, _)| name(usage) == word);
    let mut begin = FILTERS.iter().filter(|(usage, _)| usage.starts_with(word.as_str()));
    let (usage, _) = match (exact, begin.next(), begin.next()) {
        (Some(found), _, _) | (None, Some(found), None) => found,
        _ => return Err(unknown(word)),
    };
    let takes = usage.split(' ').count() - 1;
    let needs = usize::from(usage.ends_with("RE"));
    let rest = &words[1..];
    // Nobody means a second expression by a blank.
    match takes {
        0 if !rest.is_empty() => Err(FilterError::Usage { usage }),
        _ if rest.len() < needs => Err(FilterError::Usage { usage }),
        _ => Ok((usage, (!rest.is_empty()).then(|| rest.join(" ")))),
    }
}

fn expression(text: &str) -> Result<Regex, FilterError> {
    let built = RegexBuilder::new(text).size_limit(EXPRESSION_OCTETS_MAX).build();
    built.map_err(|error| {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or_default();
        let reason = last.trim_start_matches("error: ").to_owned();
        FilterError::Expression { text: text.to_owned(), reason }
    })
}

/// A list of objects as CSV (RFC 4180): the columns are the members of all of them, in the order
/// in which they come up.
fn csv(text: &str) -> Result<String, FilterError> {
    let rows = match serde_json::from_str(text) {
        Ok(Value::Array(rows)) => rows,
        Ok(Value::Object(row)) => vec![Value::Object(row)],
        _ => return Err(FilterError::NoTable),
    };
    let mut columns: Vec<&str> = Vec::new();
    for row in &rows {
        let members = row.as_object().ok_or(FilterError::NoTable)?;
        for name in members.keys() {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut table = line(columns.iter().map(|name| cell(name)).collect());
    for row in &rows {
        let value = |name: &&str| match &row[*name] {
            Value::Null => String::new(),
            Value::String(text) => cell(text),
            other => cell(&other.to_string()),
        };
        table += &line(columns.iter().map(value).collect());
    }
    Ok(table)
}

fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Zones:\nb.example\na.example\nc.test\n";

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let typed = super::super::words::take_apart(line).unwrap();
        let filtered = Filters::parse(&typed.filters).and_then(|filters| filters.apply(TEXT));
        assert_eq!(filtered.unwrap_or_else(|error| error.to_string()), expect);
    }

    #[test]
    fn filters_work_one_after_the_other() {
        check("x | match example", "b.example\na.example\n");
        check("x | match example | except ^a", "b.example\n");
        check("x | begin ^a", "a.example\nc.test\n");
        check("x | begin nowhere", "");
        check("x | match 'e.*e' | count", "2\n");
        check("x | first 1", "Zones:\n");
        check("x | last 2 | first 1", "a.example\n");
        check("x | no-more | cou", "4\n");
    }

    #[test]
    fn wrong_filters_are_named() {
        check("x | match", "usage: | match RE");
        check("x | count 5", "usage: | count");
        check("x | first many", "usage: | first N");
        check("x | match (", "( is no regular expression: unclosed group");
        check("x | count | json", "json has to be the first filter");
        check("x | csv", "this answer cannot be shown as CSV: it is no list of objects");
        let typed = [vec!["grep".to_owned(), "x".to_owned()]];
        assert!(matches!(Filters::parse(&typed), Err(FilterError::Unknown { .. })));
        check(
            "x | match (a{1000}){1000}",
            concat!(
                "(a{1000}){1000} is no regular expression: ",
                "Compiled regex exceeds size limit of 1048576 bytes."
            ),
        );
    }

    #[test]
    fn csv_has_a_column_for_each_member() {
        let json = r#"[{"zone":"a","keys":2},{"zone":"b,\"c","fault":null,"keys":0}]"#;
        let mut lines: Vec<String> = csv(json).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        assert!(lines.iter().any(|line| line.contains("\"b,\"\"c\"")), "{lines:?}");
        assert_eq!(lines.len(), 3);
    }
}
