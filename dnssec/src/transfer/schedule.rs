//! When a zone's masters are asked, which of them, and how.
//! RFC 1034 §4.3.5 (refresh, retry, expire), RFC 1996 §3.11, §4 (NOTIFY), RFC 1995 §2 (IXFR),
//! catalogue 5.7 for OpenDNSSEC's ways.
//!
//! In: an [`Event`], the time, a jitter. Out: [`Step`]: what to ask now, when to look again, what
//! is worth a line in the log. The state is a value; whoever carries out an ask tells its [`End`].
//!
//! ```text
//!            due, NOTIFY, retransfer           received, up to date
//!   waiting ------------------------> asking ------------------------> waiting for refresh
//!      ^                               |  ^ failed: next master, three rounds
//!      +--- all tried: waits for retry-+  | IXFR refused: AXFR from the same one
//!                                      +--+
//! ```
//!
//! A master that sends something wrong is left alone for a while, which doubles each time; one
//! that only does not answer is tried again with the others. A NOTIFY during an ask is remembered
//! as one, however many come; one that found nothing new delays the next by a second.
//! Never: addresses, sockets; a master is a number.
//! Limits: one ask at a time; [`ROUND_COUNT_MAX`] rounds; timers within [`TIMER_MIN`] to
//! [`TIMER_MAX`], whatever a SOA says.

#[cfg(test)]
mod tests;

use crate::zone::soa_numbers;
use crate::{Seconds, Serial, Timestamp};

/// How often all masters are tried before the retry timer counts.
pub const ROUND_COUNT_MAX: usize = 3;
/// How long a master that refused IXFR is asked for whole zones.
pub const IXFR_REFUSED_LENGTH: Seconds = Seconds(48 * 3600);
/// A SOA cannot have its masters asked more often.
pub const TIMER_MIN: Seconds = Seconds(1);
/// Nor more seldom than every four weeks.
pub const TIMER_MAX: Seconds = Seconds(28 * 86_400);
/// A master that sends wrong things is left alone for no longer than this.
pub const PAUSE_MAX: Seconds = Seconds(86_400);
/// After a NOTIFY that brought nothing, the next one waits for so long.
const NOTIFY_PAUSE: Seconds = Seconds(1);

/// The timers of a SOA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Time from a good answer to the next question.
    pub refresh: Seconds,
    /// Time from a failure to the next try.
    pub retry: Seconds,
    /// Time from the last good answer to the moment from which the zone is too old to be served.
    pub expire: Seconds,
}

impl Default for Timers {
    /// Before there is a SOA, as in OpenDNSSEC.
    fn default() -> Timers {
        Timers { refresh: Seconds(3600), retry: Seconds(300), expire: Seconds(604_800) }
    }
}

impl Timers {
    /// Those in the RDATA of a SOA; `None` when it is none.
    pub fn of_soa(rdata: &[u8]) -> Option<Timers> {
        let [_, refresh, retry, expire, _] = soa_numbers(rdata)?
            .map(|number| Seconds(u64::from(number)).clamp(TIMER_MIN, TIMER_MAX));
        Some(Timers { refresh, retry, expire })
    }
}

/// A random number from 0 to 1000: by how much of a tenth a wait is shortened, so that zones with
/// the same timers do not ask all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter(pub u16);

impl Jitter {
    /// 90 to 100 % of a time.
    pub(super) fn shorten(self, length: Seconds) -> Seconds {
        let cut = length.0 * u64::from(self.0.min(1000)) / 10_000;
        Seconds(length.0 - cut).max(TIMER_MIN)
    }
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time to look again has come, or the program has started.
    Due,
    /// A NOTIFY, from somebody who may send it.
    Notified {
        /// The master with the address that it came from.
        master: Option<usize>,
        /// The serial in it: a hint.
        serial: Option<Serial>,
    },
    /// An operator wants the whole zone, whatever its serial.
    Retransfer,
    /// What was asked for last has ended so.
    Ended(End),
    /// What was received last makes no zone, or does not fit: it is not used.
    Unfit {
        /// The serial that we have without it.
        have: Option<Serial>,
    },
}

/// How an ask ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The master has what we have.
    UpToDate,
    /// The master has something older.
    Older,
    /// We have something new.
    Received {
        /// Its serial.
        serial: Serial,
        /// The timers of its SOA; `None`: they are not known yet, and the last ones stay.
        timers: Option<Timers>,
    },
    /// The master cannot do IXFR, or what it sent does not fit what we have.
    IxfrRefused,
    /// No answer, or an RCODE.
    Failed,
    /// A transfer that breaks the rules.
    Violated,
}

/// What to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which master.
    pub master: usize,
    /// For what.
    pub how: How,
}

/// What to ask a master for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The changes since this serial.
    Ixfr {
        /// What we have.
        from: Serial,
    },
    /// The whole zone.
    Axfr {
        /// Only if it is newer than this.
        have: Option<Serial>,
    },
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A NOTIFY told of a serial that we have.
    NotifyIgnored {
        /// What we have.
        have: Serial,
    },
    /// A NOTIFY came while we ask: we shall ask again.
    NotifyRemembered,
    /// All is well until the refresh timer ends.
    WaitRefresh {
        /// How long.
        length: Seconds,
    },
    /// All masters were tried; the retry timer runs.
    WaitRetry {
        /// How long.
        length: Seconds,
    },
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to ask now.
    pub ask: Option<Ask>,
    /// When to come again with [`Event::Due`]; `None` while something is asked.
    pub look_again: Option<Timestamp>,
    /// What to say.
    pub remark: Option<Remark>,
}

/// What is known of a master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Master {
    ixfr_refused_until: Option<Timestamp>,
    paused_until: Option<Timestamp>,
    /// Wrong transfers in a row.
    faults: u32,
    /// The last ask failed. It is the first to be asked when the refresh timer ends next, though
    /// others answer: else nobody would ever learn that it was mended.
    is_suspect: bool,
}

/// The ask under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asking {
    ask: Ask,
    /// Asks that failed in this cycle.
    tried: usize,
    by_notify: bool,
}

/// A NOTIFY that has not been looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Notice {
    master: Option<usize>,
    serial: Option<Serial>,
}

/// The state of a zone that comes by transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    masters: Vec<Master>,
    timers: Timers,
    have: Option<Serial>,
    /// When a master last said that we have its newest version.
    refreshed_at: Option<Timestamp>,
    due: Timestamp,
    asking: Option<Asking>,
    notice: Option<Notice>,
    /// NOTIFYs wait until then.
    quiet_until: Timestamp,
    forced: bool,
    /// Differences are of no use: only whole zones are asked for.
    whole_only: bool,
    /// Who sent what we have.
    last_master: usize,
}

impl Schedule {
    /// A zone with so many masters that is asked for at once.
    pub fn new(master_count: usize, now: Timestamp) -> Schedule {
        Schedule {
            masters: vec![Master::default(); master_count],
            timers: Timers::default(),
            have: None,
            refreshed_at: None,
            due: now,
            asking: None,
            notice: None,
            quiet_until: now,
            forced: false,
            whole_only: false,
            last_master: 0,
        }
    }

    /// What is known of the zone without asking: the serial and the timers of what we have, and
    /// when a master confirmed it.
    pub fn know(
        &mut self,
        have: Option<Serial>,
        timers: Option<Timers>,
        refreshed_at: Option<Timestamp>,
    ) {
        self.have = have;
        self.timers = timers.unwrap_or_default();
        self.refreshed_at = refreshed_at;
    }

    /// Other masters from now on; nothing is known of them. What is asked now is of no interest.
    pub fn set_masters(&mut self, count: usize, now: Timestamp) {
        self.masters = vec![Master::default(); count];
        (self.asking, self.due, self.last_master) = (None, now, 0);
        self.notice = self.notice.map(|notice| Notice { master: None, ..notice });
    }

    /// Whether only whole zones are of use.
    pub fn set_whole_only(&mut self, whole_only: bool) {
        self.whole_only = whole_only;
    }

    /// Notes that a master refused IXFR, until then.
    pub fn refuse_ixfr(&mut self, master: usize, until: Timestamp) {
        if let Some(master) = self.masters.get_mut(master) {
            master.ixfr_refused_until = Some(until);
        }
    }

    /// Notes that a master did not give the zone when it was asked last.
    pub fn suspect(&mut self, master: usize) {
        if let Some(master) = self.masters.get_mut(master) {
            master.is_suspect = true;
        }
    }

    /// Until when a master is asked for whole zones.
    pub fn ixfr_refused_until(&self, master: usize) -> Option<Timestamp> {
        self.masters.get(master)?.ixfr_refused_until
    }

    /// The serial that we have.
    pub fn have(&self) -> Option<Serial> {
        self.have
    }

    /// The timers of what we have.
    pub fn timers(&self) -> Timers {
        self.timers
    }

    /// When a master last said that we have its newest version.
    pub fn refreshed_at(&self) -> Option<Timestamp> {
        self.refreshed_at
    }

    /// From when on the zone is too old to be served; `None`: there is none yet.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.refreshed_at.map(|at| at.plus(self.timers.expire))
    }

    /// When the masters are asked next; `None`: one of them is being asked.
    pub fn look_again_at(&self) -> Option<Timestamp> {
        self.asking.is_none().then(|| self.look_again())
    }

    /// What is asked now.
    pub fn asking(&self) -> Option<Ask> {
        self.asking.map(|asking| asking.ask)
    }

    /// What follows from an event.
    pub fn advance(&mut self, event: Event, now: Timestamp, jitter: Jitter) -> Step {
        let remark = match event {
            Event::Due => None,
            Event::Notified { master, serial } => self.notified(master, serial),
            Event::Retransfer => {
                self.forced = true;
                None
            }
            Event::Ended(end) => self.ended(end, now, jitter),
            Event::Unfit { have } => {
                self.have = have;
                self.pause(self.last_master, now);
                self.due = now;
                None
            }
        };
        let asked_before = self.asking.is_some() && !matches!(event, Event::Ended(_));
        let (ask, given_up) = match asked_before {
            true => (None, None),
            false => self.next_ask(now, jitter),
        };
        let remark = remark.or(given_up);
        let look_again = self.look_again_at();
        Step { ask, look_again, remark }
    }

    fn look_again(&self) -> Timestamp {
        match self.notice {
            Some(_) => self.due.min(self.quiet_until),
            None => self.due,
        }
    }

    fn notified(&mut self, master: Option<usize>, serial: Option<Serial>) -> Option<Remark> {
        if let (Some(told), Some(have)) = (serial, self.have)
            && !told.is_after(have)
        {
            return Some(Remark::NotifyIgnored { have });
        }
        // The newest serial of all counts; one without a serial adds nothing to it.
        let last = self.notice.and_then(|notice| notice.serial);
        let serial = match (last, serial) {
            (Some(last), Some(told)) if told.is_after(last) => Some(told),
            (Some(last), _) => Some(last),
            (None, told) => told,
        };
        self.notice = Some(Notice { master, serial });
        self.asking.map(|_| Remark::NotifyRemembered)
    }

    /// The end of an ask. Leaves `asking` where the cycle goes on.
    fn ended(&mut self, end: End, now: Timestamp, jitter: Jitter) -> Option<Remark> {
        let Asking { ask, tried, by_notify } = self.asking?;
        let master = ask.master;
        let failed = Some(Asking { ask, tried: tried + 1, by_notify });
        match end {
            End::Received { serial, timers } => {
                self.have = Some(serial);
                self.timers = timers.unwrap_or(self.timers);
                (self.last_master, self.forced) = (master, false);
                let is_told = |notice: &Notice| match notice.serial {
                    Some(told) => told.is_after(serial),
                    None => true,
                };
                self.notice = self.notice.filter(is_told);
                Some(self.confirmed(master, now, jitter))
            }
            // Another master may have what a NOTIFY told of.
            End::UpToDate if self.is_news_told() && tried + 1 < self.masters.len() => {
                self.asking = failed;
                None
            }
            End::UpToDate => {
                if by_notify {
                    self.quiet_until = now.plus(NOTIFY_PAUSE);
                }
                self.notice = None;
                Some(self.confirmed(master, now, jitter))
            }
            End::IxfrRefused if matches!(ask.how, How::Ixfr { .. }) => {
                self.refuse_ixfr(master, now.plus(IXFR_REFUSED_LENGTH));
                None
            }
            End::IxfrRefused | End::Failed => {
                self.asking = failed;
                self.suspect(master);
                None
            }
            End::Older => {
                self.asking = failed;
                if let Some(master) = self.masters.get_mut(master) {
                    master.is_suspect = false;
                }
                None
            }
            End::Violated => {
                self.asking = failed;
                self.suspect(master);
                self.pause(master, now);
                None
            }
        }
    }

    /// Whether a NOTIFY told of a serial that we do not have.
    fn is_news_told(&self) -> bool {
        let told = self.notice.and_then(|notice| notice.serial);
        told.zip(self.have).is_some_and(|(told, have)| told.is_after(have))
    }

    /// A master has confirmed what we have: until the refresh timer ends, all is well.
    fn confirmed(&mut self, master: usize, now: Timestamp, jitter: Jitter) -> Remark {
        if let Some(master) = self.masters.get_mut(master) {
            (master.faults, master.paused_until, master.is_suspect) = (0, None, false);
        }
        let length = jitter.shorten(self.timers.refresh);
        (self.asking, self.refreshed_at) = (None, Some(now));
        self.due = now.plus(length);
        Remark::WaitRefresh { length }
    }

    fn pause(&mut self, master: usize, now: Timestamp) {
        let retry = self.timers.retry;
        if let Some(master) = self.masters.get_mut(master) {
            let length = retry.0.saturating_mul(1 << master.faults.min(20));
            master.faults += 1;
            master.paused_until = Some(now.plus(Seconds(length).min(PAUSE_MAX)));
        }
    }

    /// What to ask next, if it is time: the first ask of a cycle, or the next of one under way.
    fn next_ask(&mut self, now: Timestamp, jitter: Jitter) -> (Option<Ask>, Option<Remark>) {
        let ask = match self.asking {
            None => {
                let by_notify = self.notice.is_some() && self.quiet_until <= now;
                if !self.forced && !by_notify && self.due > now {
                    return (None, None);
                }
                let first = match self.notice {
                    Some(notice) => notice.master.unwrap_or(0),
                    None if self.forced => 0,
                    None => self.masters.iter().position(|it| it.is_suspect).unwrap_or(0),
                };
                self.master_from(first, now).map(|master| (master, 0, by_notify))
            }
            Some(Asking { ask, tried, by_notify }) => {
                let is_over = tried >= ROUND_COUNT_MAX * self.masters.len();
                // With nothing failed since, it is the same master in another way.
                let first = if self.is_again(ask, now) { ask.master } else { ask.master + 1 };
                let next = if is_over { None } else { self.master_from(first, now) };
                next.map(|master| (master, tried, by_notify))
            }
        };
        let Some((master, tried, by_notify)) = ask else {
            return (None, Some(self.give_up(now, jitter)));
        };
        let ask = Ask { master, how: self.how(master, now) };
        self.asking = Some(Asking { ask, tried, by_notify });
        (Some(ask), None)
    }

    /// Whether the master that was asked for changes is to be asked for the whole zone now.
    fn is_again(&self, ask: Ask, now: Timestamp) -> bool {
        let master = &self.masters[ask.master.min(self.masters.len() - 1)];
        matches!(ask.how, How::Ixfr { .. })
            && master.ixfr_refused_until.is_some_and(|until| until > now)
            && master.paused_until.is_none()
    }

    /// The cycle is over without success.
    fn give_up(&mut self, now: Timestamp, jitter: Jitter) -> Remark {
        let retry = now.plus(jitter.shorten(self.timers.retry));
        let free = self.masters.iter().map(|master| master.paused_until.unwrap_or(now)).min();
        (self.asking, self.notice, self.forced) = (None, None, false);
        self.due = retry.max(free.unwrap_or(retry));
        Remark::WaitRetry { length: self.due.since(now) }
    }

    /// The first master from this one on, round the list, that is not left alone. An operator's
    /// order goes to any.
    fn master_from(&self, first: usize, now: Timestamp) -> Option<usize> {
        let count = self.masters.len();
        let is_free = |master: &usize| {
            self.forced || self.masters[*master].paused_until.is_none_or(|until| until <= now)
        };
        (0..count).map(|step| (first + step) % count).find(is_free)
    }

    fn how(&self, master: usize, now: Timestamp) -> How {
        let takes_ixfr = self.masters[master].ixfr_refused_until.is_none_or(|until| until <= now);
        match self.have {
            _ if self.forced => How::Axfr { have: None },
            Some(from) if takes_ixfr && !self.whole_only => How::Ixfr { from },
            have => How::Axfr { have },
        }
    }
}
