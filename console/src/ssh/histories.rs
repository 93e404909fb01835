//! The lines that holders of keys gave in their shells, for their next sessions; in memory only,
//! since this process keeps no state. Limits: [`ENTRIES_MAX`] lines of a holder,
//! [`HOLDERS_MAX`] holders.

use crate::shell::ENTRIES_MAX;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Holders whose lines are kept; of others nothing is.
const HOLDERS_MAX: usize = 256;

/// Lines by the names of their givers.
#[derive(Debug, Default)]
pub(super) struct Histories(Mutex<HashMap<String, Vec<String>>>);

impl Histories {
    /// The lines of one, the oldest first.
    pub(super) fn of(&self, name: &str) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name).cloned().unwrap_or_default()
    }

    /// More lines of one.
    pub(super) fn add(&self, name: &str, lines: Vec<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() || (all.len() >= HOLDERS_MAX && !all.contains_key(name)) {
            return;
        }
        let own = all.entry(name.to_owned()).or_default();
        own.extend(lines);
        let surplus = own.len().saturating_sub(ENTRIES_MAX);
        own.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_of_each_stay() {
        let histories = Histories::default();
        for number in 0..ENTRIES_MAX + 3 {
            histories.add("ann", vec![number.to_string()]);
        }
        let lines = histories.of("ann");
        assert_eq!((lines.len(), lines[0].as_str()), (ENTRIES_MAX, "3"));
        assert!(histories.of("bo").is_empty());
        for number in 0..HOLDERS_MAX + 1 {
            histories.add(&format!("holder {number}"), vec!["x".to_owned()]);
        }
        assert!(histories.of(&format!("holder {HOLDERS_MAX}")).is_empty());
    }
}
