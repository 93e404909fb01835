//! Secondaries in virtual time: each rule once, and any answers in any order.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);
const TIMERS: Timers =
    Timers { refresh: Seconds(1000), retry: Seconds(100), expire: Seconds(9000) };
const LIMIT: Seconds = Seconds(300);
const NONE: Jitter = Jitter(0);

/// A zone whose version 5 is there for a while.
fn zone() -> Versions {
    let mut versions = Versions::default();
    versions.publish(Serial(5), NOW.minus(Seconds(5000)));
    versions
}

fn serial(serial: u32) -> Shown {
    Shown::Serial(Serial(serial))
}

fn nothing() -> Shown {
    Shown::Nothing("no answer".to_owned())
}

impl Secondary {
    fn take(&mut self, shown: Shown, versions: &Versions, now: Timestamp) -> Next {
        self.showed(shown, versions, (TIMERS, LIMIT), now, NONE)
    }
}

#[test]
fn one_that_has_the_version_is_asked_when_the_refresh_timer_ends() {
    let (mut secondary, versions) = (Secondary::default(), zone());
    assert_eq!(secondary.standing(&versions), Standing::Unknown);
    let next = secondary.take(serial(5), &versions, NOW);
    assert_eq!(next, Next { ask_at: NOW.plus(TIMERS.refresh), remark: None });
    assert_eq!(secondary.standing(&versions), Standing::Current);
    let early = secondary.showed(serial(5), &versions, (TIMERS, LIMIT), NOW, Jitter(1000));
    assert_eq!(early.ask_at, NOW.plus(Seconds(900)));
}

#[test]
fn one_that_lags_is_asked_after_pauses_that_double_and_is_an_alarm_once() {
    let (mut secondary, mut versions) = (Secondary::default(), zone());
    secondary.take(serial(5), &versions, NOW);
    versions.publish(Serial(6), NOW);
    let mut now = secondary.published(NOW);
    let (mut pauses, mut remarks) = (vec![now.since(NOW).0], Vec::new());
    while now < NOW.plus(Seconds(500)) {
        let next = secondary.take(serial(5), &versions, now);
        remarks.extend(next.remark.map(|remark| (now.since(NOW).0, remark)));
        pauses.push(next.ask_at.since(now).0);
        now = next.ask_at;
    }
    // The moment of the alarm is met exactly, whatever the pauses.
    assert_eq!(pauses, [2, 2, 4, 8, 16, 32, 64, 100, 72, 100, 100]);
    assert_eq!(remarks, [(300, Remark::Began(Trouble::Late))]);
    assert_eq!(secondary.standing(&versions), Standing::Behind { since: NOW });
    let next = secondary.take(serial(6), &versions, now);
    assert_eq!(next.remark, Some(Remark::Ended(Trouble::Late)));
    assert_eq!(next.ask_at, now.plus(TIMERS.refresh));
}

#[test]
fn lag_counts_from_the_first_version_that_is_missing() {
    let (mut secondary, mut versions) = (Secondary::default(), zone());
    for number in 1..=200u64 {
        versions.publish(Serial(5 + number as u32), NOW.plus(Seconds(number)));
    }
    let later = NOW.plus(Seconds(250));
    secondary.take(serial(200), &versions, later);
    let since = NOW.plus(Seconds(196));
    assert_eq!(secondary.standing(&versions), Standing::Behind { since });
    // Older than all that is remembered: behind since the oldest of those.
    secondary.take(serial(6), &versions, later);
    let since = NOW.plus(Seconds(201 - VERSIONS_MAX as u64));
    assert_eq!(secondary.standing(&versions), Standing::Behind { since });
}

#[test]
fn silence_is_an_alarm_after_the_same_time_and_does_not_hide_a_lag() {
    let (mut secondary, mut versions) = (Secondary::default(), zone());
    assert_eq!(secondary.take(nothing(), &versions, NOW).remark, None);
    let late = NOW.plus(LIMIT);
    assert_eq!(
        secondary.take(nothing(), &versions, late).remark,
        Some(Remark::Began(Trouble::Silent))
    );
    assert_eq!(secondary.failing(), Some((NOW, "no answer")));
    let next = secondary.take(serial(5), &versions, late);
    assert_eq!((next.remark, secondary.failing()), (Some(Remark::Ended(Trouble::Silent)), None));
    versions.publish(Serial(6), late);
    secondary.take(nothing(), &versions, late);
    let next = secondary.take(nothing(), &versions, late.plus(LIMIT));
    assert_eq!(next.remark, Some(Remark::Began(Trouble::Late)));
}

#[test]
fn a_version_that_we_never_published_is_an_alarm_at_once() {
    let (mut secondary, versions) = (Secondary::default(), zone());
    let next = secondary.take(serial(6), &versions, NOW);
    assert_eq!(next.remark, Some(Remark::Began(Trouble::Ahead)));
    assert_eq!(secondary.standing(&versions), Standing::Ahead);
    assert_eq!(next.ask_at, NOW.plus(PAUSE_MIN));
    // As far away as serials can be: neither is newer.
    secondary.take(serial(5 + (1 << 31)), &versions, NOW);
    assert_eq!(secondary.standing(&versions), Standing::Ahead);
}

#[test]
fn the_limit_is_the_refresh_time_within_bounds_unless_told() {
    let lag_max = |limit: WatchLimit, refresh| {
        limit.lag_max(Timers { refresh: Seconds(refresh), ..TIMERS }).map(|length| length.0)
    };
    assert_eq!(lag_max(WatchLimit::Refresh, 10), Some(300));
    assert_eq!(lag_max(WatchLimit::Refresh, 7200), Some(7200));
    assert_eq!(lag_max(WatchLimit::Refresh, 1 << 31), Some(86_400));
    assert_eq!(lag_max(WatchLimit::After(Seconds(7)), 7200), Some(7));
    assert_eq!(lag_max(WatchLimit::Off, 7200), None);
}

proptest! {
    /// Whatever a secondary shows: it is asked again, later and within a day, and remarks about
    /// troubles come in pairs.
    #[test]
    fn it_is_always_asked_again(
        steps in proptest::collection::vec(
            (proptest::option::of(0u32..12), any::<bool>(), 0u64..2000, 0u16..1100), 1..60),
    ) {
        let (mut secondary, mut versions, mut now) = (Secondary::default(), zone(), NOW);
        let mut open = None;
        for (shown, publishes, wait, jitter) in steps {
            now = now.plus(Seconds(wait));
            if publishes {
                let next = versions.newest().unwrap().plus(1);
                versions.publish(next, now);
                prop_assert_eq!(secondary.published(now), now.plus(PAUSE_MIN));
            }
            let shown = shown.map_or_else(nothing, serial);
            let next = secondary.showed(shown, &versions, (TIMERS, LIMIT), now, Jitter(jitter));
            prop_assert!(next.ask_at > now && next.ask_at <= now.plus(LOOK_MAX));
            match next.remark {
                Some(Remark::Began(trouble)) => {
                    prop_assert_ne!(open, Some(trouble));
                    open = Some(trouble);
                }
                Some(Remark::Ended(trouble)) => {
                    prop_assert_eq!(open, Some(trouble));
                    open = None;
                }
                None => {}
            }
        }
    }
}
