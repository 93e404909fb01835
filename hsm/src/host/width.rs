//! How many sessions of a token are worth keeping busy at once.
//!
//! A module that computes (SoftHSM) is fastest with as many calls as there are cores: more of them
//! only take turns at its locks. A module that waits (for a network HSM) is fastest with all of its
//! sessions. What tells them apart is how long a call sleeps: as long as before when there are more
//! of them, and it waits for something outside; longer, and they wait for each other.
//! So the width is doubled while calls sleep for the most part and no longer than they did, and
//! from time to time halved to see whether that still holds. Time spent queueing for a core counts
//! for nothing: it says how busy the machine is.
//! In: times of calls made while others waited for their turn. Out: calls at once, and how many to
//! give a worker in one go. Never: a clock.
//! Limit: a module that waits without sleeping counts as one that computes.

use std::time::Duration;

/// Calls are looked at over this much of each worker's time: what happens by chance evens out.
const WINDOW: Duration = Duration::from_millis(20);
/// How many windows a width is kept before another is tried.
const WINDOWS_KEPT: u32 = 50;
/// How long a worker may be busy with what it takes in one go, so that all end together.
const SLICE_TIME: Duration = Duration::from_millis(1);
/// Most messages that one worker takes at once.
pub(super) const SLICE_MAX: usize = 16;

/// What became of the time of some calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// How many calls.
    pub(super) calls: u32,
    /// From the begin of the first to the end of the last.
    pub(super) elapsed: Duration,
    /// The part of it on a core.
    pub(super) running: Duration,
    /// The part of it neither on a core nor queueing for one.
    pub(super) asleep: Duration,
}

/// How many workers may be in a call at once.
pub(super) struct Width {
    pub(super) now: usize,
    /// Most calls for one worker in one go.
    pub(super) slice: usize,
    min: usize,
    max: usize,
    /// Of the window that has begun.
    sum: Spent,
    /// How long a call slept at half the width, when that was just doubled.
    sleep_before: Option<Duration>,
    /// Windows until another width is tried.
    windows_left: u32,
}

impl Width {
    /// Starts with a call for each core.
    pub(super) fn new(core_count: usize, session_count: usize) -> Width {
        let max = session_count.max(1);
        let min = core_count.clamp(1, max);
        let slice = if min < max { 1 } else { SLICE_MAX };
        let sum = Spent::default();
        Width { now: min, slice, min, max, sum, sleep_before: None, windows_left: 0 }
    }

    /// Whether there is anything to learn.
    pub(super) fn is_fixed(&self) -> bool {
        self.min == self.max
    }

    /// Takes calls into account, during which there was more to do than all workers could take.
    pub(super) fn learn(&mut self, spent: Spent) {
        self.sum.calls = self.sum.calls.saturating_add(spent.calls);
        self.sum.elapsed += spent.elapsed;
        self.sum.running += spent.running;
        self.sum.asleep += spent.asleep;
        let per_worker = self.sum.elapsed.as_nanos() / self.now as u128;
        // One call of each worker may have begun at the width before.
        if per_worker < WINDOW.as_nanos() || (self.sum.calls as usize) < 2 * self.now {
            return;
        }
        let sum = std::mem::take(&mut self.sum);
        let in_time = SLICE_TIME.as_nanos() * u128::from(sum.calls) / sum.elapsed.as_nanos();
        self.slice = usize::try_from(in_time).unwrap_or(SLICE_MAX).clamp(1, SLICE_MAX);
        self.turn(sum.asleep / sum.calls, sum.running / sum.calls);
    }

    /// Chooses the width of the next window; how long a call has slept and run in the last.
    fn turn(&mut self, asleep: Duration, running: Duration) {
        let is_crowded = self.sleep_before.take().is_some_and(|before| asleep > before * 3 / 2);
        if is_crowded {
            self.now = (self.now / 2).max(self.min);
            self.windows_left = WINDOWS_KEPT;
        } else if asleep < running {
            self.now = (self.now / 2).max(self.min);
        } else if self.windows_left > 1 {
            self.windows_left -= 1;
        } else if self.windows_left == 1 && self.now > self.min {
            // Half the width for a window, to compare with.
            self.windows_left = 0;
            self.now = (self.now / 2).max(self.min);
        } else if self.now < self.max {
            self.windows_left = 0;
            self.sleep_before = Some(asleep);
            self.now = (self.now * 2).min(self.max);
        } else {
            self.windows_left = WINDOWS_KEPT;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call's microseconds on a core, asleep, and queueing for a core, at a width.
    type Call = fn(u64) -> [u64; 3];

    fn learn(width: &mut Width, call: Call, calls: usize) -> Vec<usize> {
        let mut widths = Vec::new();
        for _ in 0..calls {
            let [running, asleep, queueing] = call(width.now as u64).map(Duration::from_micros);
            let elapsed = running + asleep + queueing;
            width.learn(Spent { calls: 1, elapsed, running, asleep });
            widths.push(width.now);
        }
        widths
    }

    /// The width after a while with two cores and 64 sessions, from the start and after another
    /// kind of calls had made it as wide as can be.
    #[track_caller]
    fn check(call: Call, expected: usize) {
        let mut width = Width::new(2, 64);
        for _ in 0..2 {
            learn(&mut width, call, 200_000);
            // Another width is tried for a window now and then.
            let widths = learn(&mut width, call, 200_000);
            let count = widths.iter().filter(|now| **now == expected).count();
            assert!(count > 180_000, "{} at the end, {count} of 200,000", width.now);
            learn(&mut width, |_| [10, 1000, 0], 200_000);
            assert!(width.now >= 32);
        }
    }

    #[test]
    fn computing_calls_get_the_cores() {
        check(|_| [80, 0, 0], 2);
        // The same where all beyond two sleep at a lock.
        check(|width| [80, 40 * (width - 2), 0], 2);
        // The same where all beyond two queue for a core.
        check(|width| [80, 0, 40 * (width - 2)], 2);
        // The same where they sleep at locks even with two, and the machine is busy.
        check(|width| [80, 90 * (width - 1), 300], 2);
    }

    #[test]
    fn waiting_calls_get_all_sessions() {
        check(|_| [10, 1000, 0], 64);
        check(|_| [0, 1000, 0], 64);
        // The same on a machine that is busy.
        check(|_| [10, 1000, 2000], 64);
        check(|_| [100, 100_000, 0], 64);
    }

    #[test]
    fn a_token_that_does_eight_at_once_gets_eight() {
        check(|width| [10, 1000 * width.div_ceil(8), 0], 8);
    }

    #[test]
    fn slices_are_short() {
        let mut width = Width::new(2, 64);
        assert_eq!(width.slice, 1);
        let calls: [(Call, usize); 4] = [
            (|_| [80, 0, 0], 12),
            (|_| [1000, 0, 0], 1),
            (|_| [5, 0, 0], 16),
            (|_| [100_000, 0, 0], 1),
        ];
        for (call, expected) in calls {
            learn(&mut width, call, 100_000);
            assert_eq!(width.slice, expected);
        }
    }
}
