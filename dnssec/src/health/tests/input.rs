//! `input` in virtual time: masters that are gone, that hang, that come back; right after a start.

use super::*;

const HOUR: u64 = 3600;
const MASTER: &str = "192.0.2.1:53";

/// A SOA with refresh 1 h, retry 10 min, expire 7 d; confirmed so long ago.
fn confirmed(age: u64) -> InboundHealth {
    let at = Timestamp(NOW.wall.0 - age);
    InboundHealth {
        masters: 1,
        refresh: Seconds(HOUR),
        retry: Seconds(600),
        confirmed_at: Some(at),
        expires_at: Some(at.plus(Seconds(7 * DAY))),
        serial: Some(Serial(5)),
        ..InboundHealth::default()
    }
}

fn refused(why: &str) -> Vec<(String, Timestamp, String)> {
    vec![(MASTER.to_owned(), Timestamp(NOW.wall.0 - 125), why.to_owned())]
}

/// The first zone comes by transfer.
fn fetched(inbound: InboundHealth) -> impl FnOnce(&mut Snapshot) {
    move |it| it.zones[0].inbound = Some(inbound)
}

#[track_caller]
fn state(inbound: InboundHealth, expected: State) {
    let mut snapshot = well();
    fetched(inbound)(&mut snapshot);
    let report = verdict(Check::Input, &Question::default(), &snapshot, NOW);
    assert_eq!(report.state, expected, "{report:?}");
}

#[test]
fn a_refresh_that_is_overdue_is_a_warning_and_then_critical() {
    check(
        Check::Input,
        fetched(confirmed(10)),
        "INPUT OK - all 2 zones come in | serial_lag=0 last_ok=10s",
    );
    // The refresh timer and the retry timer.
    state(confirmed(HOUR + 600), State::Ok);
    let asking = Some(MASTER.to_owned());
    check(
        Check::Input,
        fetched(InboundHealth { asking, ..confirmed(HOUR + 601) }),
        "INPUT WARNING - a.example: not confirmed for 1 h 10 min, asking 192.0.2.1:53 | \
         serial_lag=0 last_ok=4201s",
    );
    // Half of the time that it lives without, and all of it.
    state(confirmed(7 * DAY / 2), State::Warning);
    check(
        Check::Input,
        fetched(confirmed(7 * DAY / 2 + 1)),
        "INPUT CRITICAL - a.example: not confirmed for 3 d 12 h | serial_lag=0 last_ok=302401s",
    );
    state(confirmed(8 * DAY), State::Critical);
}

#[test]
fn a_try_that_failed_is_a_warning_at_once() {
    let failed = |age| InboundHealth { refusals: refused("timed out"), ..confirmed(age) };
    check(
        Check::Input,
        fetched(failed(10)),
        "INPUT WARNING - a.example: master 192.0.2.1:53 since 2 min 5 s: timed out | \
         serial_lag=0 last_ok=10s",
    );
    state(failed(4 * DAY), State::Critical);
    let newer = Some(Serial(6));
    check(
        Check::Input,
        fetched(InboundHealth { serial: newer, ..confirmed(10) }),
        "INPUT OK - all 2 zones come in | serial_lag=1 last_ok=10s",
    );
}

/// Timers of seconds leave time for a lost datagram; timers of weeks no week.
#[test]
fn margins_have_bounds() {
    let timers = |refresh, retry, age| InboundHealth {
        refresh: Seconds(refresh),
        retry: Seconds(retry),
        ..confirmed(age)
    };
    state(timers(4, 2, 14), State::Ok);
    state(timers(4, 2, 15), State::Warning);
    state(timers(HOUR, DAY, HOUR + 900), State::Ok);
    state(timers(HOUR, DAY, HOUR + 901), State::Warning);
}

/// A SOA whose refresh is as long as its expire is no alarm each day.
#[test]
fn half_of_the_expiry_is_no_alarm_before_the_refresh_is_due() {
    let lazy = |age| {
        let expires_at = Some(Timestamp(NOW.wall.0 - age + DAY));
        InboundHealth { refresh: Seconds(DAY), expires_at, ..confirmed(age) }
    };
    state(lazy(DAY / 2 + 1), State::Ok);
    state(lazy(DAY - 1), State::Ok);
    state(lazy(DAY), State::Critical);
}

/// The daemon was away for days: its masters are asked first. What has expired has expired.
#[test]
fn right_after_a_start_the_masters_have_a_moment() {
    let started = |seconds: u64, age: u64| {
        let mut snapshot = well();
        snapshot.zones[0].known_since = Timestamp(NOW.wall.0 - seconds);
        fetched(confirmed(age))(&mut snapshot);
        verdict(Check::Input, &Question::default(), &snapshot, NOW).state
    };
    assert_eq!(started(5, 3 * DAY), State::Ok);
    assert_eq!(started(5, 5 * DAY), State::Ok);
    assert_eq!(started(601, 3 * DAY), State::Warning);
    assert_eq!(started(601, 5 * DAY), State::Critical);
    assert_eq!(started(5, 7 * DAY), State::Critical);
}

#[test]
fn a_zone_that_never_came_is_critical_when_all_masters_refuse_it() {
    let never = |known: u64, refusals: Vec<_>| {
        move |it: &mut Snapshot| {
            it.zones[0].known_since = Timestamp(NOW.wall.0 - known);
            let asking = Some(MASTER.to_owned());
            let inbound = InboundHealth { masters: 2, asking, refusals, ..Default::default() };
            it.zones[0].inbound = Some(inbound);
        }
    };
    check(
        Check::Input,
        never(60, Vec::new()),
        "INPUT OK - all 2 zones come in | serial_lag=0 last_ok=0s",
    );
    check(
        Check::Input,
        never(61, Vec::new()),
        "INPUT WARNING - a.example: never received: no answer yet, asking 192.0.2.1:53 | \
         serial_lag=0 last_ok=0s",
    );
    let (one, both) = (refused("REFUSED"), [refused("REFUSED"), refused("NOTAUTH")].concat());
    check(
        Check::Input,
        never(5, one),
        "INPUT WARNING - a.example: never received: master 192.0.2.1:53 since 2 min 5... | \
         serial_lag=0 last_ok=0s",
    );
    check(
        Check::Input,
        never(5, both),
        "INPUT CRITICAL - a.example: never received: master 192.0.2.1:53 and others s... | \
         serial_lag=0 last_ok=0s",
    );
}

#[test]
fn given_thresholds_take_the_place_of_the_timers() {
    let mut snapshot = well();
    fetched(confirmed(HOUR))(&mut snapshot);
    let line = |warning: &str, critical: &str| {
        let (warning, critical) = (warning.parse().ok(), critical.parse().ok());
        let question = Question { warning, critical, ..Question::default() };
        verdict(Check::Input, &question, &snapshot, NOW).text(0)
    };
    assert_eq!(
        line("1800", "7200"),
        "INPUT WARNING - a.example: not confirmed for 1 h | serial_lag=0 last_ok=3600s;1800;7200\n"
    );
    assert!(line("", "1800").starts_with("INPUT CRITICAL"));
    assert!(line("7200", "7200").starts_with("INPUT OK"));
}

/// It stays so until one was read, whatever the zone does meanwhile.
#[test]
fn an_input_that_cannot_be_read_is_critical() {
    for phase in [ZonePhase::Idle, ZonePhase::Beginning, ZonePhase::Running, ZonePhase::Failed] {
        check(
            Check::Input,
            |it| {
                it.zones[0].phase = phase;
                it.zones[0].input_failure = Some("line 3: no RDATA\nand more".to_owned());
            },
            "INPUT CRITICAL - a.example: cannot be read: line 3: no RDATA | \
             serial_lag=0 last_ok=0s",
        );
    }
    check(
        Check::Input,
        |it| {
            let held = HeldHealth { is_rejected: false, reason: "90 % less".to_owned() };
            it.zones[0].held = Some(held);
        },
        "INPUT CRITICAL - a.example: input held: 90 % less | serial_lag=0 last_ok=0s",
    );
}
