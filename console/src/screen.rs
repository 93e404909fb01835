//! Text as a terminal may have it: nothing in it moves the cursor, colours, rings or changes its
//! direction, whatever a zone's data say. In: text from anywhere. Out: printable text.
//! What is not printable is written as in zone files, `\DDD` for each octet.

use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Columns that a character takes; what is not printable takes none.
pub fn width(char: char) -> usize {
    char.width().unwrap_or(0)
}

/// Columns that a printable text takes.
pub fn text_width(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Whether a terminal only shows it: no control, and nothing without a width, since those join,
/// hide or turn around what stands beside them.
pub fn is_printable(char: char, is_unicode: bool) -> bool {
    match char {
        ' '..='~' => true,
        _ if char.is_ascii() || !is_unicode => false,
        _ => !char.is_control() && width(char) > 0,
    }
}

/// The text with everything else written as `\DDD`. Line ends stay; tabs become blanks.
pub fn printable(text: &str, is_unicode: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut column = 0;
    for char in text.chars() {
        match char {
            '\n' => {
                safe.push('\n');
                column = 0;
                continue;
            }
            '\t' => {
                let blanks = 8 - column % 8;
                safe.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
                continue;
            }
            _ if is_printable(char, is_unicode) => {
                safe.push(char);
                column += width(char);
                continue;
            }
            _ => {}
        }
        let mut octets = [0; 4];
        for octet in char.encode_utf8(&mut octets).bytes() {
            safe.push_str(&format!("\\{octet:03}"));
            column += 4;
        }
    }
    safe
}

/// A writer to a terminal: what goes through it is [`printable`]. Octets that are no UTF-8 become
/// the replacement character.
pub struct Sanitised<W: Write> {
    inner: W,
    is_unicode: bool,
    /// The begin of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl<W: Write> Sanitised<W> {
    /// A writer in front of a terminal.
    pub fn new(inner: W, is_unicode: bool) -> Sanitised<W> {
        Sanitised { inner, is_unicode, begun: Vec::new() }
    }
}

impl<W: Write> Write for Sanitised<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(octets);
        let whole = match std::str::from_utf8(&self.begun) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.begun.len(),
        };
        let rest = self.begun.split_off(whole);
        let text = String::from_utf8_lossy(&self.begun).into_owned();
        self.begun = rest;
        // Tab stops are only right when whole lines are written, as ours are.
        self.inner.write_all(printable(&text, self.is_unicode).as_bytes())?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_data_are_written_out() {
        assert_eq!(printable("a\u{1b}[2Jb\r\u{7}", true), "a\\027[2Jb\\013\\007");
        // C1 controls, direction marks, zero width: all have been used to fool readers.
        assert_eq!(printable("\u{9b}2J", true), "\\194\\1552J");
        assert_eq!(printable("x\u{202e}y\u{200b}z", true), "x\\226\\128\\174y\\226\\128\\139z");
        assert_eq!(printable("bücher", true), "bücher");
        assert_eq!(printable("bücher", false), "b\\195\\188cher");
        assert_eq!(printable("a\tb\n\tc", true), "a       b\n        c");
    }

    #[test]
    fn a_character_in_two_pieces_is_one() {
        let mut out = Vec::new();
        let mut writer = Sanitised::new(&mut out, true);
        writer.write_all(b"b\xc3").unwrap();
        writer.write_all(b"\xbccher\xff\x1b[m\n").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "bücher\u{fffd}\\027[m\n");
    }

    proptest! {
        #[test]
        fn nothing_reaches_the_terminal_raw(
            octets in proptest::collection::vec(any::<u8>(), 0..300),
            pieces in 1_usize..40,
            is_unicode in any::<bool>(),
        ) {
            let mut out = Vec::new();
            let mut writer = Sanitised::new(&mut out, is_unicode);
            for piece in octets.chunks(pieces) {
                writer.write_all(piece).unwrap();
            }
            let text = String::from_utf8(out).unwrap();
            prop_assert!(text.chars().all(|char| char == '\n' || is_printable(char, is_unicode)));
        }
    }
}
