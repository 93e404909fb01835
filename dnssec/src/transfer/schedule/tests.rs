//! The schedule in virtual time: each rule once, and any events in any order.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);
const TIMERS: Timers = Timers { refresh: Seconds(100), retry: Seconds(10), expire: Seconds(1000) };
const NONE: Jitter = Jitter(0);

/// A zone that two masters have confirmed at serial 5.
fn settled() -> Schedule {
    let mut schedule = Schedule::new(2, NOW);
    schedule.know(Some(Serial(5)), Some(TIMERS), None);
    schedule.advance(Event::Due, NOW, NONE);
    let step = schedule.advance(Event::Ended(End::UpToDate), NOW, NONE);
    assert_eq!(step.look_again, Some(NOW.plus(TIMERS.refresh)));
    schedule
}

fn ixfr(master: usize, from: u32) -> Option<Ask> {
    Some(Ask { master, how: How::Ixfr { from: Serial(from) } })
}

fn axfr(master: usize, have: Option<u32>) -> Option<Ask> {
    Some(Ask { master, how: How::Axfr { have: have.map(Serial) } })
}

fn received(serial: u32) -> Event {
    Event::Ended(End::Received { serial: Serial(serial), timers: Some(TIMERS) })
}

fn told(serial: Option<u32>) -> Event {
    Event::Notified { master: Some(1), serial: serial.map(Serial) }
}

#[test]
fn the_first_ask_is_for_the_whole_zone() {
    let mut schedule = Schedule::new(1, NOW);
    assert_eq!(schedule.expires_at(), None);
    assert_eq!(schedule.advance(Event::Due, NOW, NONE).ask, axfr(0, None));
    let step = schedule.advance(received(7), NOW, Jitter(1000));
    assert_eq!(step.remark, Some(Remark::WaitRefresh { length: Seconds(90) }));
    assert_eq!(step.look_again, Some(NOW.plus(Seconds(90))));
    assert_eq!(schedule.expires_at(), Some(NOW.plus(TIMERS.expire)));
    let later = NOW.plus(Seconds(90));
    assert_eq!(schedule.advance(Event::Due, later, NONE).ask, ixfr(0, 7));
}

#[test]
fn masters_are_tried_in_turn_for_three_rounds() {
    let mut schedule = settled();
    let now = NOW.plus(TIMERS.refresh);
    let mut asks = vec![schedule.advance(Event::Due, now, NONE).ask];
    let last = loop {
        let step = schedule.advance(Event::Ended(End::Failed), now, NONE);
        match step.ask {
            Some(_) => asks.push(step.ask),
            None => break step,
        }
    };
    let masters: Vec<usize> = asks.iter().flatten().map(|ask| ask.master).collect();
    assert_eq!(masters, [0, 1, 0, 1, 0, 1]);
    assert_eq!(last.remark, Some(Remark::WaitRetry { length: TIMERS.retry }));
    assert_eq!(last.look_again, Some(now.plus(TIMERS.retry)));
    // Nobody confirmed anything: the zone expires from the last time on.
    assert_eq!(schedule.expires_at(), Some(NOW.plus(TIMERS.expire)));
    assert_eq!(schedule.advance(Event::Due, now, NONE).ask, None);
    let step = schedule.advance(Event::Due, now.plus(TIMERS.retry), NONE);
    assert_eq!(step.ask, ixfr(0, 5));
}

/// The first one answers: nobody would ask the second again, and it would be taken for broken for
/// ever.
#[test]
fn a_master_that_failed_is_the_first_at_the_next_refresh() {
    let mut schedule = settled();
    let failed = Event::Ended(End::Failed);
    let well = Event::Ended(End::UpToDate);
    let mut now = NOW.plus(TIMERS.refresh);
    schedule.advance(Event::Due, now, NONE);
    assert_eq!(schedule.advance(failed, now, NONE).ask, ixfr(1, 5));
    assert_eq!(schedule.advance(failed, now, NONE).ask, ixfr(0, 5));
    schedule.advance(well, now, NONE);
    // Once, and then whoever answers.
    now = now.plus(TIMERS.refresh);
    assert_eq!(schedule.advance(Event::Due, now, NONE).ask, ixfr(1, 5));
    assert_eq!(schedule.advance(failed, now, NONE).ask, ixfr(0, 5));
    schedule.advance(well, now, NONE);
    now = now.plus(TIMERS.refresh);
    assert_eq!(schedule.advance(Event::Due, now, NONE).ask, ixfr(1, 5));
    // It was mended.
    schedule.advance(well, now, NONE);
    now = now.plus(TIMERS.refresh);
    assert_eq!(schedule.advance(Event::Due, now, NONE).ask, ixfr(0, 5));
    schedule.advance(well, now, NONE);
    // What was remembered over a restart counts, too.
    schedule.suspect(1);
    now = now.plus(TIMERS.refresh);
    assert_eq!(schedule.advance(Event::Due, now, NONE).ask, ixfr(1, 5));
}

#[test]
fn without_ixfr_the_same_master_is_asked_for_all_of_it() {
    let mut schedule = settled();
    let now = NOW.plus(TIMERS.refresh);
    schedule.advance(Event::Due, now, NONE);
    let refused = Event::Ended(End::IxfrRefused);
    assert_eq!(schedule.advance(refused, now, NONE).ask, axfr(0, Some(5)));
    schedule.advance(received(6), now, NONE);
    let soon = now.plus(Seconds(1000));
    assert_eq!(schedule.advance(Event::Due, soon, NONE).ask, axfr(0, Some(6)));
    // The other one may do IXFR.
    assert_eq!(schedule.advance(Event::Ended(End::Failed), soon, NONE).ask, ixfr(1, 6));
    schedule.advance(received(7), soon, NONE);
    let later = now.plus(IXFR_REFUSED_LENGTH);
    assert_eq!(schedule.advance(Event::Due, later, NONE).ask, ixfr(0, 7));
    // Refused where it was not asked for: no more than a failure.
    schedule.set_whole_only(true);
    schedule.advance(Event::Ended(End::Failed), later, NONE);
    assert_eq!(schedule.asking(), axfr(1, Some(7)));
    assert_eq!(schedule.advance(refused, later, NONE).ask, axfr(0, Some(7)));
}

#[test]
fn a_notify_is_a_hint() {
    let mut schedule = settled();
    let step = schedule.advance(told(Some(5)), NOW, NONE);
    assert_eq!(step.remark, Some(Remark::NotifyIgnored { have: Serial(5) }));
    assert_eq!(step.ask, None);
    // From the second master: it is asked first.
    assert_eq!(schedule.advance(told(Some(6)), NOW, NONE).ask, ixfr(1, 5));
    let step = schedule.advance(told(Some(8)), NOW, NONE);
    assert_eq!((step.ask, step.look_again), (None, None));
    assert_eq!(step.remark, Some(Remark::NotifyRemembered));
    schedule.advance(told(Some(7)), NOW, NONE);
    schedule.advance(told(None), NOW, NONE);
    // What came is not yet what the newest told of: asked again, once.
    assert_eq!(schedule.advance(received(7), NOW, NONE).ask, ixfr(1, 7));
    let step = schedule.advance(received(8), NOW, NONE);
    assert_eq!((step.ask, step.look_again), (None, Some(NOW.plus(TIMERS.refresh))));
}

#[test]
fn a_notify_without_news_has_the_others_asked_and_the_next_one_wait() {
    let mut schedule = settled();
    assert_eq!(schedule.advance(told(Some(9)), NOW, NONE).ask, ixfr(1, 5));
    assert_eq!(schedule.advance(Event::Ended(End::UpToDate), NOW, NONE).ask, ixfr(0, 5));
    let step = schedule.advance(Event::Ended(End::UpToDate), NOW, NONE);
    assert_eq!((step.ask, step.look_again), (None, Some(NOW.plus(TIMERS.refresh))));
    let step = schedule.advance(told(Some(9)), NOW, NONE);
    let soon = NOW.plus(Seconds(1));
    assert_eq!((step.ask, step.look_again), (None, Some(soon)));
    assert_eq!(schedule.advance(Event::Due, soon, NONE).ask, ixfr(1, 5));
}

#[test]
fn a_master_that_breaks_the_rules_is_left_alone_longer_each_time() {
    let mut schedule = settled();
    let mut now = NOW.plus(TIMERS.refresh);
    for pause in [10, 20, 40, 80] {
        assert_eq!(schedule.advance(Event::Due, now, NONE).ask, ixfr(0, 5));
        let violated = Event::Ended(End::Violated);
        assert_eq!(schedule.advance(violated, now, NONE).ask, ixfr(1, 5));
        let step = schedule.advance(violated, now, NONE);
        assert_eq!((step.ask, step.look_again), (None, Some(now.plus(Seconds(pause)))));
        // A NOTIFY does not change that, an operator does.
        assert_eq!(schedule.advance(told(Some(9)), now, NONE).ask, None);
        now = now.plus(Seconds(pause));
    }
    let now = now.minus(Seconds(1));
    assert_eq!(schedule.advance(Event::Retransfer, now, NONE).ask, axfr(0, None));
    schedule.advance(received(3), now, NONE);
    assert_eq!(schedule.have(), Some(Serial(3)));
    // The other one has yet to show that it was mended.
    assert_eq!(schedule.advance(Event::Due, now.plus(Seconds(100)), NONE).ask, ixfr(1, 3));
}

#[test]
fn what_makes_no_zone_is_asked_of_another_master() {
    let mut schedule = settled();
    let now = NOW.plus(TIMERS.refresh);
    schedule.advance(Event::Due, now, NONE);
    schedule.advance(received(6), now, NONE);
    let step = schedule.advance(Event::Unfit { have: Some(Serial(5)) }, now, NONE);
    assert_eq!(step.ask, ixfr(1, 5));
    schedule.advance(received(6), now, NONE);
    let step = schedule.advance(Event::Unfit { have: Some(Serial(5)) }, now, NONE);
    assert_eq!((step.ask, step.look_again), (None, Some(now.plus(TIMERS.retry))));
}

#[test]
fn timers_of_a_soa_are_bounded() {
    let soa = |numbers: [u32; 5]| [b"\x00\x00".to_vec(), numbers.map(u32::to_be_bytes).concat()];
    let timers = Timers::of_soa(&soa([1, 0, 10, u32::MAX, 9]).concat()).unwrap();
    assert_eq!(timers, Timers { refresh: TIMER_MIN, retry: Seconds(10), expire: TIMER_MAX });
    assert_eq!(Timers::of_soa(b"\x00\x00short"), None);
}

#[test]
fn other_masters_are_asked_at_once() {
    let mut schedule = settled();
    schedule.set_masters(1, NOW);
    assert_eq!(schedule.advance(Event::Due, NOW, NONE).ask, ixfr(0, 5));
    schedule.set_masters(0, NOW);
    let step = schedule.advance(Event::Due, NOW, NONE);
    assert_eq!((step.ask, step.look_again), (None, Some(NOW.plus(TIMERS.retry))));
}

fn any_event() -> impl Strategy<Value = Event> {
    let serial = 0u32..12;
    prop_oneof![
        Just(Event::Due),
        (proptest::option::of(0usize..3), proptest::option::of(serial.clone()))
            .prop_map(|(master, serial)| Event::Notified { master, serial: serial.map(Serial) }),
        Just(Event::Retransfer),
        serial.clone().prop_map(received),
        Just(Event::Ended(End::UpToDate)),
        Just(Event::Ended(End::Older)),
        Just(Event::Ended(End::IxfrRefused)),
        Just(Event::Ended(End::Failed)),
        Just(Event::Ended(End::Violated)),
        proptest::option::of(serial).prop_map(|have| Event::Unfit { have: have.map(Serial) }),
    ]
}

proptest! {
    /// Whatever happens: one ask at a time, of a master that exists, and always a time to look
    /// again, at which something is asked; a cycle of failures ends.
    #[test]
    fn it_never_falls_asleep(
        masters in 1usize..4,
        events in proptest::collection::vec((any_event(), 0u64..200, 0u16..1100), 1..60),
    ) {
        let (mut schedule, mut now) = (Schedule::new(masters, NOW), NOW);
        let mut asked = false;
        for (event, wait, jitter) in events {
            now = now.plus(Seconds(wait));
            let is_end = matches!(event, Event::Ended(_));
            let step = schedule.advance(event, now, Jitter(jitter));
            if step.ask.is_some() {
                prop_assert!(!asked || is_end);
                prop_assert!(step.ask.unwrap().master < masters);
            }
            asked = schedule.asking().is_some();
            prop_assert_eq!(step.look_again.is_none(), asked);
        }
        let mut failures = 0;
        while schedule.asking().is_some() {
            schedule.advance(Event::Ended(End::Failed), now, NONE);
            failures += 1;
            prop_assert!(failures <= ROUND_COUNT_MAX * masters);
        }
        let step = schedule.advance(Event::Due, now, NONE);
        if let Some(at) = step.look_again {
            prop_assert!(at > now && at <= now.plus(TIMER_MAX));
            prop_assert!(schedule.advance(Event::Due, at, NONE).ask.is_some());
        }
    }
}
