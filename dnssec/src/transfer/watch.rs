//! Watching secondaries: which version of a zone each of them has, since when it lacks the newest,
//! and when it is asked again (guard W13).
//! In: what was published when; what a secondary shows when its SOA is asked for; the time, a
//! jitter. Out: its [`Standing`], the next time to ask, and a [`Remark`] when something becomes an
//! operator's matter or ceases to be. The state is a value; whoever asks has the sockets.
//!
//! After a version it is asked soon, then after pauses that double until it has the version; from
//! then on when the refresh timer of the zone's SOA ends.
//! Never: what the zone's next serial has to be; a secondary that lies holds nothing up.
//! Limits: [`VERSIONS_MAX`] versions remembered; pauses from [`PAUSE_MIN`] to [`PAUSE_MAX`].

#[cfg(test)]
mod tests;

use super::schedule::{Jitter, Timers};
use crate::{Seconds, Serial, Timestamp};
use std::collections::VecDeque;

/// Versions whose moments are remembered; a secondary that has an older one is behind since the
/// first of these.
pub const VERSIONS_MAX: usize = 64;
/// A secondary is asked so long after a new version: it needs a moment to fetch it.
pub const PAUSE_MIN: Seconds = Seconds(2);
/// As long as something is wrong with a secondary, it is asked again after this time at most.
pub const PAUSE_MAX: Seconds = Seconds(900);
/// Nobody is asked less often than once a day.
const LOOK_MAX: Seconds = Seconds(86_400);
/// The lag that is too much when only the SOA says so is not less than this.
const LIMIT_MIN: Seconds = Seconds(300);

/// `<Watch>` of addns.xml, ours: when a secondary that lacks the newest version is an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchLimit {
    /// After the refresh time of the zone's SOA: even a secondary that heard of nothing has asked
    /// by then. Five minutes at least, a day at most.
    #[default]
    Refresh,
    /// After this time.
    After(Seconds),
    /// Secondaries are not asked.
    Off,
}

impl WatchLimit {
    /// The lag from which on it is too much; `None`: nobody looks.
    pub fn lag_max(self, timers: Timers) -> Option<Seconds> {
        match self {
            WatchLimit::Refresh => Some(timers.refresh.clamp(LIMIT_MIN, LOOK_MAX)),
            WatchLimit::After(length) => Some(length),
            WatchLimit::Off => None,
        }
    }
}

/// The versions of a zone that were published lately, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    log: VecDeque<(Serial, Timestamp)>,
}

impl Versions {
    /// Notes that a version is published now, unless it was before.
    pub fn publish(&mut self, serial: Serial, now: Timestamp) {
        if self.newest() == Some(serial) {
            return;
        }
        if self.log.len() >= VERSIONS_MAX {
            self.log.pop_front();
        }
        self.log.push_back((serial, now));
    }

    /// The newest one.
    pub fn newest(&self) -> Option<Serial> {
        self.log.back().map(|(serial, _)| *serial)
    }

    /// When the first version was published that whoever has `serial` lacks; `None`: he lacks none.
    fn missed_since(&self, serial: Serial) -> Option<Timestamp> {
        self.newest().filter(|newest| newest.is_after(serial))?;
        self.log.iter().find(|(own, _)| own.is_after(serial)).map(|(_, at)| *at)
    }
}

/// What a secondary showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A version.
    Serial(Serial),
    /// None: it did not answer, or not as one that serves the zone. Why.
    Nothing(String),
}

/// Where a secondary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not shown anything yet.
    Unknown,
    /// It has the newest version.
    Current,
    /// It has an older one.
    Behind {
        /// Since the first version that it lacks was published.
        since: Timestamp,
    },
    /// It shows a version that we never published: somebody else feeds it, or our state is an old
    /// one that was put back.
    Ahead,
}

/// What is an operator's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is behind for longer than it may be.
    Late,
    /// It shows a version that we never published.
    Ahead,
    /// For longer than it may be behind, it does not show any version.
    Silent,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// This is wrong from now on.
    Began(Trouble),
    /// This is right again.
    Ended(Trouble),
}

/// What is known of one secondary of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secondary {
    seen: Option<(Serial, Timestamp)>,
    failing: Option<(Timestamp, String)>,
    pause: Option<Seconds>,
    trouble: Option<Trouble>,
}

/// What follows from an answer, or from there being none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// When it is to be asked again.
    pub ask_at: Timestamp,
    /// What to say.
    pub remark: Option<Remark>,
}

impl Secondary {
    /// A version was published: it is asked soon. When.
    pub fn published(&mut self, now: Timestamp) -> Timestamp {
        self.pause = None;
        now.plus(PAUSE_MIN)
    }

    /// Takes what it showed. `timers` are those of the newest version, `lag_max` is what
    /// [`WatchLimit::lag_max`] makes of them.
    pub fn showed(
        &mut self,
        shown: Shown,
        versions: &Versions,
        (timers, lag_max): (Timers, Seconds),
        now: Timestamp,
        jitter: Jitter,
    ) -> Next {
        match shown {
            Shown::Serial(serial) => (self.seen, self.failing) = (Some((serial, now)), None),
            Shown::Nothing(why) => {
                let since = self.failing.as_ref().map_or(now, |(since, _)| *since);
                self.failing = Some((since, why));
            }
        }
        let trouble = self.trouble_at(versions, lag_max, now);
        let before = std::mem::replace(&mut self.trouble, trouble);
        let remark = match (before, trouble) {
            (before, Some(now)) if before != trouble => Some(Remark::Began(now)),
            (Some(before), None) => Some(Remark::Ended(before)),
            _ => None,
        };
        let pause = match self.failing.is_none() && self.standing(versions) == Standing::Current {
            true => {
                self.pause = None;
                jitter.shorten(timers.refresh.clamp(PAUSE_MIN, LOOK_MAX))
            }
            false => self.next_pause(timers),
        };
        // The moment from which it is too much is not missed.
        let limit = self.oldest_matter(versions).map(|since| since.plus(lag_max));
        let soon = limit.filter(|at| *at > now).unwrap_or(Timestamp(u64::MAX));
        Next { ask_at: now.plus(pause).min(soon), remark }
    }

    /// Doubles, up to the retry time of the SOA.
    fn next_pause(&mut self, timers: Timers) -> Seconds {
        let most = timers.retry.min(timers.refresh).clamp(PAUSE_MIN, PAUSE_MAX);
        let next = self.pause.map_or(PAUSE_MIN, |last| Seconds(last.0 * 2)).min(most);
        self.pause = Some(next);
        next
    }

    /// Since when it is behind or silent, whichever is longer.
    fn oldest_matter(&self, versions: &Versions) -> Option<Timestamp> {
        let behind = match self.standing(versions) {
            Standing::Behind { since } => Some(since),
            Standing::Unknown | Standing::Current | Standing::Ahead => None,
        };
        behind.into_iter().chain(self.failing.as_ref().map(|(since, _)| *since)).min()
    }

    fn trouble_at(&self, versions: &Versions, lag_max: Seconds, now: Timestamp) -> Option<Trouble> {
        let is_too_long = |since: Timestamp| now.since(since) >= lag_max;
        match self.standing(versions) {
            Standing::Ahead => Some(Trouble::Ahead),
            Standing::Behind { since } if is_too_long(since) => Some(Trouble::Late),
            _ => {
                let silent = self.failing.as_ref().is_some_and(|(since, _)| is_too_long(*since));
                silent.then_some(Trouble::Silent)
            }
        }
    }

    /// Where it stands, as far as it showed.
    pub fn standing(&self, versions: &Versions) -> Standing {
        let (Some((serial, _)), Some(newest)) = (self.seen, versions.newest()) else {
            return Standing::Unknown;
        };
        match versions.missed_since(serial) {
            Some(since) => Standing::Behind { since },
            None if serial == newest => Standing::Current,
            None => Standing::Ahead,
        }
    }

    /// The serial that it showed last, and when.
    pub fn seen(&self) -> Option<(Serial, Timestamp)> {
        self.seen
    }

    /// Since when it shows nothing, and why.
    pub fn failing(&self) -> Option<(Timestamp, &str)> {
        self.failing.as_ref().map(|(since, why)| (*since, why.as_str()))
    }
}
