//! The line that somebody edits. In: edits. Out: its text, and what of it is to be seen.
//! Limit: [`LINE_CHARS_MAX`] characters, in place; what is typed beyond them is not kept, and the
//! line is then refused as a whole.

use crate::screen::width;
use heapless::Vec;

/// Longest line, in characters.
pub const LINE_CHARS_MAX: usize = 1024;

/// A line, its cursor and what was cut out last.
#[derive(Default)]
pub(super) struct Line {
    chars: Vec<char, LINE_CHARS_MAX>,
    cursor: usize,
    killed: Vec<char, LINE_CHARS_MAX>,
    is_too_long: bool,
}

/// The part of a line that fits on the screen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) text: String,
    /// Columns from its begin to the cursor.
    pub(super) cursor_column: usize,
}

impl Line {
    pub(super) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    pub(super) fn before_cursor(&self) -> String {
        self.chars[..self.cursor].iter().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.cursor == self.chars.len()
    }

    /// More was typed than there is room for.
    pub(super) fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    pub(super) fn clear(&mut self) {
        self.chars.clear();
        self.cursor = 0;
        self.is_too_long = false;
    }

    pub(super) fn set(&mut self, text: &str) {
        self.clear();
        for char in text.chars() {
            self.insert(char);
        }
    }

    /// Puts a character where the cursor is; false: there is no room.
    pub(super) fn insert(&mut self, char: char) -> bool {
        let fits = self.chars.insert(self.cursor, char).is_ok();
        match fits {
            true => self.cursor += 1,
            false => self.is_too_long = true,
        }
        fits
    }

    pub(super) fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.chars.remove(self.cursor);
        }
    }

    pub(super) fn delete(&mut self) {
        if self.cursor < self.chars.len() {
            self.chars.remove(self.cursor);
        }
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    pub(super) fn right(&mut self) {
        self.cursor = (self.cursor + 1).min(self.chars.len());
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.chars.len();
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.word_begin(|char| char.is_alphanumeric());
    }

    pub(super) fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    pub(super) fn kill_to_end(&mut self) {
        self.kill(self.cursor, self.chars.len());
    }

    pub(super) fn kill_to_begin(&mut self) {
        self.kill(0, self.cursor);
    }

    /// Cuts the word before the cursor out, up to a blank.
    pub(super) fn kill_blank_word(&mut self) {
        self.kill(self.word_begin(|char| char != ' '), self.cursor);
    }

    pub(super) fn kill_word_left(&mut self) {
        self.kill(self.word_begin(|char| char.is_alphanumeric()), self.cursor);
    }

    pub(super) fn kill_word_right(&mut self) {
        self.kill(self.cursor, self.word_end());
    }

    /// Puts in what was cut out last.
    pub(super) fn yank(&mut self) {
        for char in self.killed.clone() {
            self.insert(char);
        }
    }

    /// Swaps the two characters before the cursor, or around it.
    pub(super) fn transpose(&mut self) {
        let count = self.chars.len();
        if count < 2 || self.cursor == 0 {
            return;
        }
        let at = self.cursor.min(count - 1);
        self.chars.swap(at - 1, at);
        self.cursor = at + 1;
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        self.killed.clear();
        // It fits: it is a part of a line of the same limit.
        let _ = self.killed.extend_from_slice(&self.chars[from..to]);
        let rest: Vec<char, LINE_CHARS_MAX> = self.chars[to..].iter().copied().collect();
        self.chars.truncate(from);
        let _ = self.chars.extend_from_slice(&rest);
        self.cursor = from;
    }

    fn word_begin(&self, is_inside: impl Fn(char) -> bool) -> usize {
        let before = &self.chars[..self.cursor];
        let end = before.iter().rposition(|char| is_inside(*char)).map_or(0, |at| at + 1);
        before[..end].iter().rposition(|char| !is_inside(*char)).map_or(0, |at| at + 1)
    }

    fn word_end(&self) -> usize {
        let behind = self.chars[self.cursor..].iter();
        let mut is_in_word = false;
        for (at, char) in behind.enumerate() {
            match char.is_alphanumeric() {
                true => is_in_word = true,
                false if is_in_word => return self.cursor + at,
                false => {}
            }
        }
        self.chars.len()
    }

    /// What is to be seen in so many columns: the cursor always is.
    pub(super) fn view(&self, columns: usize) -> View {
        let columns = columns.max(2);
        let mut first = self.cursor;
        let mut before = 0;
        // The cursor itself needs a column.
        while first > 0 && before + width(self.chars[first - 1]) < columns {
            first -= 1;
            before += width(self.chars[first]);
        }
        let (mut text, mut used) = (String::new(), 0);
        for char in &self.chars[first..] {
            used += width(*char);
            if used >= columns {
                break;
            }
            text.push(*char);
        }
        View { text, cursor_column: before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edited(text: &str, edits: &[fn(&mut Line)]) -> (String, usize) {
        let mut line = Line::default();
        line.set(text);
        for edit in edits {
            edit(&mut line);
        }
        (line.text(), line.cursor)
    }

    #[test]
    fn edits_are_those_of_emacs() {
        assert_eq!(edited("zone list", &[Line::kill_word_left]), ("zone ".to_owned(), 5));
        let around: &[fn(&mut Line)] = &[Line::kill_blank_word, Line::home, Line::yank];
        assert_eq!(edited("show a.b-c", around), ("a.b-cshow ".to_owned(), 5));
        assert_eq!(edited("abc", &[Line::transpose]), ("acb".to_owned(), 3));
        assert_eq!(edited("ab cd", &[Line::word_left, Line::kill_to_begin]), ("cd".to_owned(), 0));
        assert_eq!(edited("ab cd", &[Line::home, Line::word_right, Line::kill_to_end]).0, "ab");
    }

    #[test]
    fn a_line_that_is_too_long_does_not_grow() {
        let mut line = Line::default();
        for _ in 0..1 << 20 {
            line.insert('x');
        }
        assert!(line.is_too_long());
        assert_eq!(line.text().len(), LINE_CHARS_MAX);
    }

    #[test]
    fn the_cursor_is_always_in_view() {
        let mut line = Line::default();
        line.set(&"0123456789".repeat(5));
        assert_eq!(line.view(11), View { text: "0123456789".into(), cursor_column: 10 });
        line.home();
        assert_eq!(line.view(11), View { text: "0123456789".into(), cursor_column: 0 });
        line.set("日本語");
        assert_eq!(line.view(5), View { text: "本語".into(), cursor_column: 4 });
    }

    proptest! {
        #[test]
        fn no_edits_panic(
            edits in proptest::collection::vec((0_usize..16, any::<char>()), 0..200),
        ) {
            let mut line = Line::default();
            for (edit, char) in edits {
                let edits: [fn(&mut Line); 15] = [
                    Line::backspace, Line::delete, Line::left, Line::right, Line::home, Line::end,
                    Line::word_left, Line::word_right, Line::kill_to_end, Line::kill_to_begin,
                    Line::kill_blank_word, Line::kill_word_left, Line::kill_word_right, Line::yank,
                    Line::transpose,
                ];
                match edits.get(edit) {
                    Some(edit) => edit(&mut line),
                    None => drop(line.insert(char)),
                }
                prop_assert!(line.cursor <= line.chars.len());
                prop_assert!(line.view(20).cursor_column < 20);
            }
        }
    }
}
