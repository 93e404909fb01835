//! How long a console waits after wrong passphrases: 1 s, doubling to 60 s, never for good. In:
//! failures. Out: pauses. Kept in a file of /run, so that ending the console's process does not
//! shorten a pause; a restart of the box does, and takes longer.

use crate::clock::since_boot;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The failures at one terminal.
#[derive(Debug)]
pub(crate) struct LockOut {
    file: PathBuf,
    state: State,
}

/// Failures in a row, and until when nobody is listened to, since the kernel began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    failures: u32,
    until: Duration,
}

impl State {
    fn parse(text: &str) -> Option<State> {
        let (failures, until) = text.trim().split_once(' ')?;
        let until = Duration::from_millis(until.parse().ok()?);
        Some(State { failures: failures.parse().ok()?, until })
    }

    fn failed(self, now: Duration) -> State {
        let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        let failures = self.failures.saturating_add(1);
        State { failures, until: now + pause.min(PAUSE_MAX) }
    }
}

impl LockOut {
    /// What is known of a terminal.
    pub(crate) fn of(terminal: &Path) -> LockOut {
        let name = terminal.file_name().unwrap_or_default().to_string_lossy();
        let file = PathBuf::from(format!("/run/init/lock-out-{name}"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        LockOut { state: State::parse(&text).unwrap_or_default(), file }
    }

    /// How long nobody is to be listened to.
    pub(crate) fn left(&self) -> Duration {
        self.state.until.saturating_sub(since_boot())
    }

    /// A wrong name or passphrase.
    pub(crate) fn failed(&mut self) {
        self.state = self.state.failed(since_boot());
        let State { failures, until } = self.state;
        // Without a file the pause holds for this process all the same.
        let _ = fs::write(&self.file, format!("{failures} {}\n", until.as_millis()));
    }

    /// A right one.
    pub(crate) fn succeeded(&mut self) {
        self.state = State::default();
        // It may not be there.
        let _ = fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_minute() {
        let now = Duration::from_secs(100);
        let mut state = State::default();
        let pauses: Vec<u64> = (0..9)
            .map(|_| {
                state = state.failed(now);
                (state.until - now).as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        for _ in 0..100 {
            state = state.failed(now);
        }
        assert_eq!(state.until - now, PAUSE_MAX);
    }

    #[test]
    fn the_file_reads_back() {
        let state = State { failures: 3, until: Duration::from_millis(1234) };
        assert_eq!(State::parse("3 1234\n"), Some(state));
        assert_eq!(State::parse("x"), None);
        assert_eq!(State::parse("1 -5"), None);
    }
}
