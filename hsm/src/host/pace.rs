//! What a worker's thread does with its time: the kernel's account of it, and a clock.
//! In: the thread's own clock, `/proc/thread-self/schedstat` (nanoseconds on a core, exact only
//! at ticks, and queueing for one). Out: [`Spent`]. What the kernel does not tell counts as sleep.

use super::width::Spent;
use nix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// The account of one thread, which must be the one that made it.
pub(super) struct Pace {
    account: Option<File>,
}

impl Pace {
    /// Opens the account of this thread.
    pub(super) fn of_this_thread() -> Pace {
        Pace { account: File::open("/proc/thread-self/schedstat").ok() }
    }

    /// Makes calls, and says what became of the time.
    pub(super) fn measure<T>(&self, calls: usize, work: impl FnOnce() -> T) -> (T, Spent) {
        let (start, running_before, queueing_before) =
            (Instant::now(), running_time(), self.queueing_time());
        let result = work();
        let running = running_time().saturating_sub(running_before);
        let queueing = self.queueing_time().saturating_sub(queueing_before);
        let elapsed = start.elapsed();
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        let asleep = elapsed.saturating_sub(running).saturating_sub(queueing);
        (result, Spent { calls, elapsed, running, asleep })
    }

    fn queueing_time(&self) -> Duration {
        let mut text = [0; 64];
        let length = self.account.as_ref().and_then(|file| file.read_at(&mut text, 0).ok());
        length.and_then(|length| queueing_time(&text[..length])).unwrap_or_default()
    }
}

/// How long this thread has been on a core so far.
fn running_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The second number of a schedstat.
fn queueing_time(text: &[u8]) -> Option<Duration> {
    let number = std::str::from_utf8(text).ok()?.split_ascii_whitespace().nth(1)?;
    number.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read() {
        assert_eq!(queueing_time(b"5000 300 7\n"), Some(Duration::from_nanos(300)));
        for odd in [b"".as_slice(), b"1", b"1 x 1", b"1 99999999999999999999 1", b"\xff 1"] {
            assert_eq!(queueing_time(odd), None);
        }
    }

    #[test]
    fn the_time_of_a_thread_is_told() {
        let ((), spent) = Pace::of_this_thread().measure(3, || {
            let start = running_time();
            while running_time() == start {
                std::hint::spin_loop();
            }
        });
        assert!(spent.calls == 3 && spent.running > Duration::ZERO);
        assert!(spent.running + spent.asleep <= spent.elapsed);
    }
}
