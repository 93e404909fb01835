//! Lines that were given before. In: lines. Out: lines, going back, or by search.
//! Limits: [`ENTRIES_MAX`] lines of [`ENTRY_OCTETS_MAX`] octets, in place; the oldest goes first.
//! Never: secrets. A line that speaks of one, or that begins with a blank, is not kept.

use heapless::{Deque, String};

/// Most lines that are kept.
pub const ENTRIES_MAX: usize = 128;
/// A longer line is not kept.
const ENTRY_OCTETS_MAX: usize = 256;
/// Words after which something secret may stand.
const SECRET_WORDS: &[&str] =
    &["pin", "password", "passphrase", "passwd", "secret", "recovery", "private"];

/// The lines, oldest first.
#[derive(Default)]
pub(super) struct History {
    entries: Deque<String<ENTRY_OCTETS_MAX>, ENTRIES_MAX>,
}

/// Whether a line may be written down.
pub(super) fn is_secret(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let mut words = lower.split(|char: char| !char.is_ascii_alphanumeric());
    line.starts_with(' ') || words.any(|word| SECRET_WORDS.contains(&word))
}

impl History {
    /// Keeps a line; false: it is not to be kept, or it is the last one again.
    pub(super) fn add(&mut self, line: &str) -> bool {
        let is_again = self.entries.back().is_some_and(|last| last == line);
        let Ok(entry) = String::try_from(line) else { return false };
        if line.trim().is_empty() || is_again || is_secret(line) {
            return false;
        }
        if self.entries.is_full() {
            self.entries.pop_front();
        }
        self.entries.push_back(entry).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A line; 1 is the last one.
    pub(super) fn back(&self, steps: usize) -> Option<&str> {
        let at = self.entries.len().checked_sub(steps)?;
        self.entries.get(at).map(String::as_str)
    }

    /// How far back the last line is that has this text, if it is further back than `from`.
    pub(super) fn search(&self, text: &str, from: usize) -> Option<usize> {
        (from + 1..=self.len())
            .find(|steps| self.back(*steps).is_some_and(|line| line.contains(text)))
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_secrets_never_come() {
        let mut history = History::default();
        assert!(!history.add("login --pin 1234"));
        assert!(!history.add(" zone list") && !history.add("set passphrase x"));
        for number in 0..300 {
            assert!(history.add(&format!("sign zone{number}.example")));
        }
        assert!(!history.add("sign zone299.example"), "twice in a row is once");
        assert_eq!(history.len(), ENTRIES_MAX);
        assert_eq!(history.back(1), Some("sign zone299.example"));
        assert_eq!(history.back(ENTRIES_MAX + 1), None);
        assert_eq!(history.search("zone29", 1), Some(2));
        assert_eq!(history.search("zone1.", 0), None);
        assert!(!history.add(&"x".repeat(1000)));
    }
}
