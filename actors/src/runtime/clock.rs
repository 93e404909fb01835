//! The one clock. DESIGN section 6: no part of the program reads the time by itself.
//! In: the system's wall clock, or a base time and tokio's (pausable) time in tests; leaps.
//! Out: [`Timestamp`] for policy and signatures, [`Deadline`] for waiting.
//! Never: a leap backwards. This file alone may call `SystemTime::now` and `Instant::now`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dnssec::{Seconds, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// The time, as everything in the program sees it; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    started: Instant,
    /// How far the operator has leapt ahead, in seconds; sleepers watch it.
    leapt: watch::Sender<u64>,
}

#[derive(Debug)]
enum Source {
    System,
    /// The same, with somebody who may leap.
    SettableSystem,
    /// The runtime is kept so that worker threads, too, read its paused time.
    Virtual {
        base: Timestamp,
        runtime: Handle,
    },
}

/// The system's wall clock, for what log lines say of themselves; nothing is decided by it.
pub fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_secs())
}

/// Why the clock was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeapError {
    /// Time only leaps forward: signatures and key states of the future would be left behind.
    #[error("cannot leap back from {} to {}", now.0, to.0)]
    Backwards {
        /// The time on the clock.
        now: Timestamp,
        /// The time that was asked for.
        to: Timestamp,
    },
}

/// A moment on the monotonic clock by which an answer is wanted. A leap does not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    after_start: Duration,
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Clock {
        Clock::with(Source::System)
    }

    /// The machine's wall clock, which an operator may set forward: for tests of what comes.
    pub fn settable() -> Clock {
        Clock::with(Source::SettableSystem)
    }

    /// Whether operators may set it forward. What is signed then is of the future, so a clock of
    /// a daemon that serves anybody may not.
    pub fn may_be_set(&self) -> bool {
        !matches!(self.shared.source, Source::System)
    }

    /// A clock that shows `base` now and advances with the time of the current tokio runtime,
    /// also when that is paused. Must be called inside a runtime.
    pub fn virtual_at(base: Timestamp) -> Clock {
        Clock::with(Source::Virtual { base, runtime: Handle::current() })
    }

    fn with(source: Source) -> Clock {
        let leapt = watch::Sender::new(0);
        Clock { shared: Arc::new(Shared { source, started: Instant::now(), leapt }) }
    }

    /// Wall clock time, with leaps.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.since_epoch().as_secs())
    }

    /// Time since 1970-01-01T00:00:00Z with its fraction of a second, with leaps.
    pub fn since_epoch(&self) -> Duration {
        let wall = match &self.shared.source {
            // A machine set before 1970 reads as 1970: every signature is then visibly in the
            // future, which the auditor refuses.
            Source::System | Source::SettableSystem => {
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
            }
            Source::Virtual { base, .. } => Duration::from_secs(base.0) + self.uptime(),
        };
        wall.saturating_add(Duration::from_secs(*self.shared.leapt.borrow()))
    }

    /// Monotonic time since this clock was made; leaps do not show here.
    pub fn uptime(&self) -> Duration {
        let _inside = match &self.shared.source {
            Source::System | Source::SettableSystem => None,
            Source::Virtual { runtime, .. } => Some(runtime.enter()),
        };
        Instant::now().saturating_duration_since(self.shared.started)
    }

    /// Sets the clock forward to `to`, and wakes everyone in [`Clock::sleep_until`].
    pub fn leap_to(&self, to: Timestamp) -> Result<(), LeapError> {
        let now = self.now();
        if to < now {
            return Err(LeapError::Backwards { now, to });
        }
        self.leap_by(to.since(now));
        Ok(())
    }

    /// Sets the clock forward by `length`.
    pub fn leap_by(&self, length: Seconds) {
        self.shared.leapt.send_modify(|leapt| *leapt = leapt.saturating_add(length.0));
    }

    /// How far the clock has been set forward since it was made.
    pub fn leapt(&self) -> Seconds {
        Seconds(*self.shared.leapt.borrow())
    }

    /// Waits for `length` of monotonic time; a leap does not shorten it.
    pub async fn sleep(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }

    /// Waits until the wall clock shows `at`; a leap past it ends the wait at once.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut leaps = self.shared.leapt.subscribe();
        loop {
            let left = Duration::from_secs(at.0).saturating_sub(self.since_epoch());
            if left.is_zero() {
                return;
            }
            // The wall clock may be corrected while we sleep, so no sleep is longer than this.
            let nap = left.min(Duration::from_secs(3600));
            // The sender lives in `self`, so the wait ends by time or by a leap, never by error.
            let _ = tokio::time::timeout(nap, leaps.changed()).await;
        }
    }

    /// The deadline `length` from now.
    pub fn deadline(&self, length: Duration) -> Deadline {
        Deadline { after_start: self.uptime().saturating_add(length) }
    }

    /// Time left until `deadline`; zero when it is past.
    pub fn left(&self, deadline: Deadline) -> Duration {
        deadline.after_start.saturating_sub(self.uptime())
    }
}

/// A pause of `length` in the supervisors' time.
pub(super) fn pause(length: Duration) -> tokio::time::Sleep {
    tokio::time::sleep(length)
}

/// The supervisors' clock: tokio's time, which tests may pause.
pub(super) fn instant() -> Instant {
    Instant::now()
}

/// The watchdog's clock: real time, because a stuck arbiter's own time stands still.
pub(super) fn real_instant() -> std::time::Instant {
    std::time::Instant::now()
}
