//! Long output, one screen after the other. In: text, the screen's size, keys. Out: pages.
//! Limit: the text is [`OUTPUT_OCTETS_MAX`](super::OUTPUT_OCTETS_MAX) octets at most.

use super::keys::Key;
use super::{Session, State};
use crate::screen::{printable, text_width};

/// What stands below a page.
const MORE: &str = "-- more: space, Enter, G for all, q --";

/// What has not been shown yet.
pub(super) struct Pager {
    lines: std::vec::IntoIter<String>,
}

impl Session {
    /// Shows text; by pages, if it is longer than the screen and may be.
    pub(super) fn show(&mut self, text: &str, may_page: bool) {
        let is_paged = self.settings.is_terminal && may_page;
        let columns = usize::from(self.settings.columns).max(1);
        let rows = usize::from(self.settings.rows).max(2);
        let safe;
        let text = match self.settings.is_terminal {
            true => {
                safe = printable(text, self.settings.is_unicode);
                safe.as_str()
            }
            false => text,
        };
        let count: usize = text.lines().map(|line| line_rows(line, columns)).sum();
        if !is_paged || count < rows {
            self.say(text);
            if !text.is_empty() && !text.ends_with('\n') && self.settings.is_terminal {
                self.say("\n");
            }
            return self.ready();
        }
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        self.page(Pager { lines: lines.into_iter() }, rows - 1);
    }

    /// Shows so many rows more.
    fn page(&mut self, mut pager: Pager, rows: usize) {
        let columns = usize::from(self.settings.columns).max(1);
        let mut left = rows;
        while let Some(line) = pager.lines.as_slice().first() {
            let taken = line_rows(line, columns);
            // A line that is larger than the screen is shown all the same.
            if taken > left && left < rows {
                break;
            }
            let line = pager.lines.next().unwrap_or_default();
            self.say(&format!("{line}\n"));
            left = left.saturating_sub(taken);
            if left == 0 {
                break;
            }
        }
        if pager.lines.as_slice().is_empty() {
            return self.ready();
        }
        self.write(MORE.as_bytes());
        self.state = State::Paging(pager);
    }

    pub(super) fn turn_page(&mut self, key: Key) {
        let full = usize::from(self.settings.rows).max(2) - 1;
        let rows = match key {
            Key::Char(' ' | 'f') => full,
            Key::Enter | Key::Down | Key::Char('j') => 1,
            Key::Char('G') => usize::MAX,
            Key::Char('q' | 'Q') | Key::Control('c' | 'd') => 0,
            _ => return,
        };
        let State::Paging(pager) = std::mem::replace(&mut self.state, State::Editing) else {
            return;
        };
        self.write(format!("\r{}\r", " ".repeat(MORE.len())).as_bytes());
        match rows {
            0 => self.ready(),
            rows => self.page(pager, rows),
        }
    }
}

fn line_rows(line: &str, columns: usize) -> usize {
    text_width(line).div_ceil(columns).max(1)
}
