//! A report as plugin text: Monitoring Plugins guidelines, sections "Plugin Output for Nagios" and
//! "Performance data". In: a report, how much to say (`-v` up to three times). Out: text of
//! printable ASCII; performance data on the first line only, as lines behind it may have a second
//! part that not everybody reads alike.
//! Limits: [`FIRST_LINE_MAX`], [`SUMMARY_MAX`], [`DETAIL_MAX`].

use super::{Measure, Report, Trouble, Unit};
use std::fmt::Write;

/// Characters of the first line before the performance data: what a pager shows.
pub const FIRST_LINE_MAX: usize = 79;
/// Octets of the whole text with `-v` less than twice: what version 2 of NRPE carries.
pub const SUMMARY_MAX: usize = 900;
/// Octets of the whole text with more.
const DETAIL_MAX: usize = 60_000;

impl Report {
    /// The text. `verbosity`: 0 one line, 1 one line with the names of what fails, 2 a line for
    /// each, 3 everything.
    pub fn text(&self, verbosity: usize) -> String {
        let performance = self.performance();
        let head = format!("{} {} - ", self.check.word().to_uppercase(), self.state.word());
        let tail = match performance.as_str() {
            "" => "\n".to_owned(),
            performance => format!(" | {performance}\n"),
        };
        let most = match verbosity {
            1 => SUMMARY_MAX - tail.len(),
            _ => FIRST_LINE_MAX,
        };
        let said = if verbosity == 1 { self.names() } else { self.first() };
        let mut text = cut(&printable(&(head + &said)), most) + &tail;
        if verbosity >= 2 {
            self.troubles.iter().for_each(|trouble| push_line(&mut text, &long(trouble)));
        }
        if verbosity >= 3 {
            self.lines.iter().for_each(|line| push_line(&mut text, line));
        }
        text
    }

    /// The worst trouble, and how many there are.
    fn first(&self) -> String {
        match self.troubles.as_slice() {
            [] => self.summary.clone(),
            [only] => short(only),
            [first, others @ ..] => format!("{} more; {}", others.len(), short(first)),
        }
    }

    fn names(&self) -> String {
        match self.troubles.as_slice() {
            [] => self.summary.clone(),
            troubles => troubles.iter().map(short).collect::<Vec<_>>().join("; "),
        }
    }

    fn performance(&self) -> String {
        let words: Vec<String> = self.measures.iter().map(measure).collect();
        words.join(" ")
    }
}

fn short(trouble: &Trouble) -> String {
    match trouble.what.as_str() {
        "" => trouble.text.clone(),
        what => format!("{what}: {}", trouble.text),
    }
}

fn long(trouble: &Trouble) -> String {
    format!("{} {}; next: {}", trouble.state.word(), short(trouble), trouble.next)
}

/// `label=value[UOM];[warn];[crit]`, with empty ends left out.
fn measure(measure: &Measure) -> String {
    let unit = match measure.unit {
        Unit::Count => "",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Percent => "%",
        Unit::Counter => "c",
    };
    let mut text = format!("{}=", measure.label);
    // Writing to a string does not fail.
    let _ = match measure.value {
        Some(value) => write!(text, "{value}{unit}"),
        None => write!(text, "U"),
    };
    let limit = |range: Option<super::Range>| range.map_or_else(String::new, |it| it.to_string());
    let _ = write!(text, ";{};{}", limit(measure.limits.0), limit(measure.limits.1));
    text.trim_end_matches(';').to_owned()
}

/// One more line, unless the text is long already.
fn push_line(text: &mut String, line: &str) {
    let line = printable(line);
    if text.len() + line.len() < DETAIL_MAX {
        text.push_str(&line);
        text.push('\n');
    }
}

/// Printable ASCII without what separates performance data: names and texts come from outside.
fn printable(text: &str) -> String {
    let plain = |octet: char| match octet {
        '|' => '/',
        '\n' => ' ',
        octet if octet == ' ' || octet.is_ascii_graphic() => octet,
        _ => '?',
    };
    text.chars().map(plain).collect()
}

/// The beginning of a text of ASCII that is too long.
fn cut(text: &str, most: usize) -> String {
    match text.len() > most {
        true => format!("{}...", text[..most - 3].trim_end()),
        false => text.to_owned(),
    }
}
