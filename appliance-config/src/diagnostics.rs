//! Faults of configuration files: what is wrong, where, and what is allowed there.
//! In: byte ranges in a source text. Out: file, line, column, the source line with a caret.
//! Never: the value of a `<PIN>`, `<Password>` or `<Secret>`: the line shown has stars for it.
//! Limits: [`FAULTS_MAX`] faults of a file are kept; columns count characters.

use std::fmt;
use std::ops::Range;

use crate::fault::Fault;

/// At most this many faults and as many notices are kept for one file.
pub const FAULTS_MAX: usize = 100;
/// Characters of a source line that are shown at most.
const SOURCE_LINE_CHARACTERS_MAX: usize = 160;
/// Bytes of a source line that are looked at after a place.
const SOURCE_LINE_BYTES_MAX: usize = 640;

/// One fault at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The name of the file, as the caller gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: Fault,
    source_line: String,
    caret: Range<usize>,
}

impl Diagnostic {
    /// One line: `file:line:column: what is wrong`, for logs.
    pub fn summary(&self) -> String {
        format!("{}:{}:{}: {}", self.file, self.line, self.column, self.fault)
    }
}

/// The summary, the source line, and a caret under the place.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary())?;
        writeln!(f, "  {}", self.source_line)?;
        let carets = "^".repeat(self.caret.len().max(1));
        write!(f, "  {}{carets}", " ".repeat(self.caret.start))
    }
}

/// Every fault of one file (the first [`FAULTS_MAX`]), in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFaults {
    /// At least one.
    pub faults: Vec<Diagnostic>,
    /// What was merely noticed.
    pub notices: Vec<Diagnostic>,
}

impl fmt::Display for FileFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FileFaults {}

/// A value read from a file, with what was noticed on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// Accepted forms that the operator should know about.
    pub notices: Vec<Diagnostic>,
}

/// Collects the faults of one file while it is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<(Range<usize>, Fault)>,
    notices: usize,
    errors: usize,
}

impl Findings {
    /// Notes `fault` at the bytes `place`; beyond the limit it is only counted.
    pub(crate) fn push(&mut self, place: Range<usize>, fault: Fault) {
        let count = if fault.is_notice() { &mut self.notices } else { &mut self.errors };
        *count += 1;
        if *count <= FAULTS_MAX {
            self.found.push((place, fault));
        }
    }

    /// Whether nothing but notices was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors == 0
    }

    /// Whether the form of the file is right: no faults but those of single values.
    pub(crate) fn form_is_right(&self) -> bool {
        self.found.iter().all(|(_, fault)| fault.is_notice() || fault.is_about_value())
    }

    /// The faults and the notices with their places in `source`, in the order of the file.
    pub(crate) fn render(
        mut self,
        file: &str,
        source: &[u8],
    ) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        self.found.sort_by_key(|(place, _)| place.start);
        let lines = Lines::new(source, !self.found.is_empty());
        let (mut faults, mut notices) = (Vec::new(), Vec::new());
        for (place, fault) in self.found {
            let list = if fault.is_notice() { &mut notices } else { &mut faults };
            list.push(lines.diagnostic(file, place, fault));
        }
        (faults, notices)
    }

    /// `value` when only notices were found.
    pub(crate) fn finish<T>(
        self,
        file: &str,
        source: &[u8],
        value: Option<T>,
    ) -> Result<Read<T>, FileFaults> {
        let clean = self.is_clean();
        let (faults, notices) = self.render(file, source);
        match value {
            Some(value) if clean => Ok(Read { value, notices }),
            _ => Err(FileFaults { faults, notices }),
        }
    }
}

/// Elements whose text is not shown, as they begin and end.
const SECRET_ELEMENTS: [(&[u8], &[u8]); 3] =
    [(b"<PIN", b"</PIN"), (b"<Password", b"</Password"), (b"<Secret", b"</Secret")];

/// A source text cut into lines, with its secrets known.
struct Lines<'a> {
    source: &'a [u8],
    starts: Vec<usize>,
    /// Of each of [`SECRET_ELEMENTS`], in the order of the file.
    secrets: [Vec<Range<usize>>; SECRET_ELEMENTS.len()],
}

impl<'a> Lines<'a> {
    fn new(source: &'a [u8], needed: bool) -> Lines<'a> {
        let mut lines = Lines { source, starts: vec![0], secrets: Default::default() };
        if needed {
            let breaks = source.iter().enumerate().filter(|(_, octet)| **octet == b'\n');
            lines.starts.extend(breaks.map(|(at, _)| at + 1));
            lines.secrets = SECRET_ELEMENTS.map(|(start, end)| secrets(source, start, end));
        }
        lines
    }

    fn diagnostic(&self, file: &str, place: Range<usize>, fault: Fault) -> Diagnostic {
        let start = place.start.min(self.source.len());
        let line = self.starts.partition_point(|&line_start| line_start <= start);
        let line_start = self.starts[line - 1];
        let line_end = self.starts.get(line).map_or(self.source.len(), |next| next - 1);
        let column = characters(&self.source[line_start..start]).count();
        // Of a very long line only the part around the place is looked at and shown.
        let from = characters(&self.source[line_start..start])
            .nth(column.saturating_sub(SOURCE_LINE_CHARACTERS_MAX / 2))
            .map_or(start, |at| line_start + at);
        let until = line_end.min(start + SOURCE_LINE_BYTES_MAX).max(start);
        let end = place.end.clamp(start, until);
        let before = self.shown(from..start);
        let caret = self.shown(start..end).chars().count();
        let shown: String = before
            .chars()
            .chain(self.shown(start..until).chars())
            .take(SOURCE_LINE_CHARACTERS_MAX)
            .collect();
        let indent = before.chars().count();
        let width = caret.min(SOURCE_LINE_CHARACTERS_MAX - indent.min(SOURCE_LINE_CHARACTERS_MAX));
        Diagnostic {
            file: file.to_owned(),
            line,
            column: column + 1,
            fault,
            source_line: shown.trim_end().to_owned(),
            caret: indent..indent + width,
        }
    }

    /// These bytes as text of one line: secrets masked, tabs and control characters as spaces.
    fn shown(&self, range: Range<usize>) -> String {
        let is_secret = |at: usize| {
            self.secrets.iter().any(|list| {
                let next = list.partition_point(|secret| secret.end <= at);
                list.get(next).is_some_and(|secret| secret.contains(&at))
            })
        };
        let bytes: Vec<u8> = range
            .filter_map(|at| match self.source[at] {
                // One star for each character, so that columns stay right.
                0x80..0xC0 if is_secret(at) => None,
                _ if is_secret(at) => Some(b'*'),
                octet => Some(octet),
            })
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
    }
}

/// Where each character of a text begins.
fn characters(text: &[u8]) -> impl Iterator<Item = usize> {
    text.iter().enumerate().filter(|(_, octet)| !matches!(octet, 0x80..0xC0)).map(|(at, _)| at)
}

/// The contents of every element that begins with `start`, up to `end`.
fn secrets(source: &[u8], start: &[u8], end: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(tag) = find(source, start, at) {
        let open = find(source, b">", tag).map_or(source.len(), |close| close + 1);
        at = open;
        // `<PIN/>` has no content.
        if !source[..open].ends_with(b"/>") {
            at = find(source, end, open).unwrap_or(source.len());
            found.push(open..at);
        }
    }
    found
}

/// Where `what` stands in `source` at `from` or later.
fn find(source: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = source.get(from..)?;
    rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
}
