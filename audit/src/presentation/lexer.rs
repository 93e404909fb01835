//! Words of a zone file. RFC 1035 §5.1: blanks between words, comments from `;`, parentheses over
//! line ends, texts in quotes, backslashes.
//! In: text. Out: words as ranges of it, one entry after the other.

use super::{TextError, TextProblem};

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// Its octets, without the quotes around it, with its backslashes.
    pub(super) bytes: &'t [u8],
    /// Where it begins, with its quotes.
    pub(super) start: usize,
    /// Whether it was in quotes.
    pub(super) is_quoted: bool,
    /// Whether it has backslashes.
    pub(super) has_escape: bool,
    /// Whether a part of it is in quotes, as in `alpn="h2"`.
    pub(super) has_quotes: bool,
}

impl Word<'_> {
    pub(super) fn error(&self, problem: TextProblem) -> TextError {
        TextError { offset: self.start, problem }
    }
}

/// Cuts a text into words.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    /// The end of the entry was met.
    has_ended: bool,
    is_last: bool,
    ran_out: bool,
}

/// What an octet is to a word without quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    /// Ends a word.
    End,
    Backslash,
    Quote,
}

static CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Plain; 256];
    let ends = *b" \t\r\n();";
    let mut at = 0;
    while at < ends.len() {
        classes[ends[at] as usize] = Class::End;
        at += 1;
    }
    classes[b'\\' as usize] = Class::Backslash;
    classes[b'"' as usize] = Class::Quote;
    classes
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8], is_last: bool) -> Lexer<'t> {
        Lexer { text, at: 0, depth: 0, has_ended: true, is_last, ran_out: false }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Whether the end of the text was met within an entry.
    pub(super) fn ran_out(&self) -> bool {
        self.ran_out
    }

    pub(super) fn error(&self, problem: TextProblem) -> TextError {
        TextError { offset: self.at, problem }
    }

    /// Goes to the next line that has words; says whether it begins with a blank. `None`: there is
    /// none.
    pub(super) fn begin_entry(&mut self) -> Option<bool> {
        self.depth = 0;
        self.has_ended = false;
        loop {
            let begins_with_blank = matches!(self.text.get(self.at)?, b' ' | b'\t');
            while let Some(b' ' | b'\t' | b'\r') = self.text.get(self.at) {
                self.at += 1;
            }
            match self.text.get(self.at)? {
                b'\n' => self.at += 1,
                b';' => self.skip_comment(),
                _ => return Some(begins_with_blank),
            }
        }
    }

    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len());
    }

    /// The next word of the entry; `None` at its end, behind which the next one begins.
    pub(super) fn word(&mut self) -> Result<Option<Word<'t>>, TextError> {
        if self.has_ended {
            return Ok(None);
        }
        loop {
            let Some(&octet) = self.text.get(self.at) else { return self.end_of_text() };
            match octet {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    if self.depth == 0 {
                        self.has_ended = true;
                        return Ok(None);
                    }
                }
                b';' => self.skip_comment(),
                b'(' => {
                    self.depth += 1;
                    self.at += 1;
                }
                b')' => {
                    let stray = self.error(TextProblem::StrayParenthesis);
                    self.depth = self.depth.checked_sub(1).ok_or(stray)?;
                    self.at += 1;
                }
                b'"' => return self.quoted().map(Some),
                _ => return self.plain().map(Some),
            }
        }
    }

    /// The end of the text ends an entry only if no more text comes.
    fn end_of_text(&mut self) -> Result<Option<Word<'t>>, TextError> {
        self.ran_out = true;
        match (self.is_last, self.depth) {
            (true, 0) => {
                self.has_ended = true;
                Ok(None)
            }
            _ => Err(self.error(TextProblem::OpenParenthesis)),
        }
    }

    fn quoted(&mut self) -> Result<Word<'t>, TextError> {
        let start = self.at;
        let (end, has_escape) = self.quote_end(start)?;
        self.at = end + 1;
        let bytes = &self.text[start + 1..end];
        Ok(Word { bytes, start, is_quoted: true, has_escape, has_quotes: false })
    }

    /// Where the quotes that begin at `start` end, and whether there are backslashes within.
    fn quote_end(&mut self, start: usize) -> Result<(usize, bool), TextError> {
        let mut has_escape = false;
        let mut at = start + 1;
        loop {
            match self.text.get(at) {
                Some(b'"') => return Ok((at, has_escape)),
                Some(b'\\') => {
                    has_escape = true;
                    at += 2;
                }
                Some(b'\n') => break,
                Some(_) => at += 1,
                None => {
                    self.ran_out = true;
                    break;
                }
            }
        }
        Err(TextError { offset: start, problem: TextProblem::OpenQuote })
    }

    fn plain(&mut self) -> Result<Word<'t>, TextError> {
        let start = self.at;
        let (mut has_escape, mut has_quotes) = (false, false);
        let mut at = start;
        while let Some(&octet) = self.text.get(at) {
            match CLASSES[usize::from(octet)] {
                Class::Plain => at += 1,
                Class::End => break,
                Class::Backslash => {
                    has_escape = true;
                    at += 2;
                }
                Class::Quote => {
                    has_quotes = true;
                    let (end, is_escaped) = self.quote_end(at)?;
                    has_escape |= is_escaped;
                    at = end + 1;
                }
            }
        }
        if at >= self.text.len() {
            // More of the word may come.
            self.ran_out = true;
        }
        let end = at.min(self.text.len());
        self.at = end;
        let bytes = &self.text[start..end];
        Ok(Word { bytes, start, is_quoted: false, has_escape, has_quotes })
    }
}

/// Resolves backslashes: calls `take` with each octet, and whether it was behind a backslash.
pub(super) fn unescape(bytes: &[u8], mut take: impl FnMut(u8, bool)) -> Result<(), TextProblem> {
    let mut at = 0;
    while let Some(&octet) = bytes.get(at) {
        if octet != b'\\' {
            take(octet, false);
            at += 1;
            continue;
        }
        let next = *bytes.get(at + 1).ok_or(TextProblem::BadEscape)?;
        if next.is_ascii_digit() {
            let digits = bytes.get(at + 1..at + 4).ok_or(TextProblem::BadEscape)?;
            if !digits.iter().all(u8::is_ascii_digit) {
                return Err(TextProblem::BadEscape);
            }
            let value = digits.iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
            take(u8::try_from(value).map_err(|_| TextProblem::BadEscape)?, true);
            at += 4;
        } else {
            take(next, true);
            at += 2;
        }
    }
    Ok(())
}
