//! Verdicts on made-up appliances, at made-up times.

mod faults;
mod grammar;
mod input;

use super::snapshot::{
    ActorHealth, AuditorHealth, ClockHealth, HeldHealth, InboundHealth, KeysHealth, OutputHealth,
    RefusalHealth, SlotHealth, ZonePhase, ZoneTerms,
};
use super::*;
use crate::policy::Policy;
use crate::{Serial, Timestamp};

const NOW: Moment = Moment { wall: Timestamp(1_800_000_000), uptime: Seconds(10_000) };
const DAY: u64 = 86_400;

fn heard<T>(value: T) -> Heard<T> {
    Heard { value: Some(value), at: Seconds(9_999) }
}

fn zone(name: &str) -> ZoneHealth {
    ZoneHealth {
        name: name.to_owned(),
        // Refresh 3 d, resign 2 h.
        terms: ZoneTerms::of(&Policy::anchorite_default("token")),
        phase: ZonePhase::Idle,
        known_since: Timestamp(NOW.wall.0 - 9_000),
        input_serial: Some(Serial(5)),
        output_serial: Some(Serial(7)),
        signed_at: Some(Timestamp(NOW.wall.0 - 9_000)),
        ended_well: Some(Timestamp(NOW.wall.0 - 60)),
        next_run: Some(Timestamp(NOW.wall.0 + 7_000)),
        earliest_expiration: Some(Timestamp(NOW.wall.0 + 12 * DAY)),
        ..ZoneHealth::default()
    }
}

fn well() -> Snapshot {
    Snapshot {
        taken: Some(Moment { wall: Timestamp(NOW.wall.0 - 2), uptime: Seconds(9_998) }),
        version: "1.0",
        zones: vec![zone("a.example"), zone("b.example")],
        slots: vec![("SoftHSM".to_owned(), heard(SlotHealth::default()))],
        keys: Some(heard(KeysHealth::default())),
        auditor: Some(heard(AuditorHealth { verdicts: 3, ..AuditorHealth::default() })),
        ..Snapshot::default()
    }
}

/// Changes a well appliance, and expects this of a check.
#[track_caller]
fn check(check: Check, edit: impl FnOnce(&mut Snapshot), line: &str) {
    let mut snapshot = well();
    edit(&mut snapshot);
    let text = verdict(check, &Question::default(), &snapshot, NOW).text(0);
    assert_eq!(text.trim_end(), line);
    // Whatever is wrong somewhere is wrong as a whole.
    let (part, whole) = (
        verdict(check, &Question::default(), &snapshot, NOW).state,
        verdict(Check::Health, &Question::default(), &snapshot, NOW).state,
    );
    assert!(whole >= part);
}

#[test]
fn all_is_well() {
    for (one, line) in [
        (
            Check::Health,
            "HEALTH OK - 2 zones, 1 repositories, up 2 h 46 min | \
                         zones=2 crit=0 warn=0 uptime=10000s",
        ),
        (
            Check::Signatures,
            "SIGNATURES OK - first of 2 zones expires in 12 d (a.example) | \
                             sig_min=1036800s;244800:;129600:",
        ),
        (
            Check::Publish,
            "PUBLISH OK - 2 of 2 zones published, none late | \
                          age_max=60s unpublished=0",
        ),
        (
            Check::Audit,
            "AUDIT OK - the newest version of every zone was approved | \
                        refused=0;;0 waived=0 audited=3c",
        ),
        (Check::Keys, "KEYS OK - 0 keys, 0 wait for the parent | due=0 waiting_ds=0 unbacked=0"),
        (Check::Ds, "DS OK - 0 zones, longest wait for a parent 0 s | wait_max=0s ds_missing=0"),
        (Check::Hsm, "HSM OK - 1 of 1 repositories sign | errors=0c"),
        (Check::Input, "INPUT OK - all 2 zones come in | serial_lag=0 last_ok=0s"),
        (Check::Output, "OUTPUT OK - 0 secondaries, 0 behind | behind=0 lag_max=0s"),
        (
            Check::Queue,
            "QUEUE OK - 2 tasks, none late | \
                        tasks=2 late_max=0s;300;900 jobs=0",
        ),
        (Check::Clock, "CLOCK OK - no step in the last hour | offset=0s;-5:5"),
    ] {
        check(one, |_| (), line);
    }
}

#[test]
fn signatures_are_measured_by_the_policy_of_their_zone() {
    let left = |left: u64| {
        move |it: &mut Snapshot| {
            it.zones[1].earliest_expiration = Some(Timestamp(NOW.wall.0 + left));
        }
    };
    check(
        Check::Signatures,
        left(68 * 3600),
        "SIGNATURES OK - \
        first of 2 zones expires in 2 d 20 h (b.example) | sig_min=244800s;244800:;129600:",
    );
    check(
        Check::Signatures,
        left(67 * 3600),
        "SIGNATURES WARNING - \
        b.example: first expires in 2 d 19 h | sig_min=241200s;244800:;129600:",
    );
    check(
        Check::Signatures,
        left(35 * 3600),
        "SIGNATURES CRITICAL - \
        b.example: first expires in 1 d 11 h | sig_min=126000s;244800:;129600:",
    );
    check(
        Check::Signatures,
        |it| it.zones[0].earliest_expiration = Some(Timestamp(NOW.wall.0 - 90)),
        "SIGNATURES CRITICAL - a.example: EXPIRED 1 min 30 s ago | sig_min=-90s;244800:;129600:",
    );
}

#[test]
fn thresholds_that_are_given_count() {
    let question = |warning: &str, critical: &str| Question {
        warning: warning.parse().ok(),
        critical: critical.parse().ok(),
        ..Question::default()
    };
    let line = |one, question: &Question| verdict(one, question, &well(), NOW).text(0);
    let asked = question("1209600:", "604800:");
    assert_eq!(
        line(Check::Signatures, &asked),
        "SIGNATURES WARNING - 1 more; a.example: first expires in 12 d | \
         sig_min=1036800s;1209600:;604800:\n"
    );
    assert!(line(Check::Publish, &question("", "10")).starts_with("PUBLISH CRITICAL"));
    assert!(line(Check::Publish, &question("10", "")).starts_with("PUBLISH WARNING"));
    assert!(line(Check::Queue, &question("@0:0", "")).starts_with("QUEUE WARNING"));
    assert!(line(Check::Health, &question("1", "")).starts_with("HEALTH UNKNOWN"));
}

#[test]
fn what_is_not_known_is_unknown() {
    let only = |name: &str| Question { only: Some(name.to_owned()), ..Question::default() };
    let line = |one, name| verdict(one, &only(name), &well(), NOW).text(0);
    assert_eq!(line(Check::Audit, "c.example"), "AUDIT UNKNOWN - zone c.example is not known\n");
    assert_eq!(line(Check::Hsm, "other"), "HSM UNKNOWN - repository other is not known\n");
    assert_eq!(line(Check::Clock, "a.example"), "CLOCK UNKNOWN - clock is of no zone\n");
    assert!(line(Check::Publish, "A.example").starts_with("PUBLISH OK - 1 of 1 zones"));
    assert!(line(Check::Hsm, "SoftHSM").starts_with("HSM OK - 1 of 1"));
}

#[test]
fn a_refusal_is_critical_and_names_the_serial() {
    let refuse = |it: &mut Snapshot| {
        it.zones[0].refusal = Some(RefusalHealth {
            serial: Some(Serial(9)),
            at: NOW.wall,
            reason: "2 findings\n  A101 at www.a.example".to_owned(),
        });
    };
    check(
        Check::Audit,
        refuse,
        "AUDIT CRITICAL - \
        a.example: serial 9 refused: 2 findings | refused=1;;0 waived=0 audited=3c",
    );
    check(
        Check::Audit,
        |it| {
            let waived = vec![("b.example".to_owned(), 603, Timestamp(NOW.wall.0 + DAY))];
            it.auditor = Some(heard(AuditorHealth { waived, ..AuditorHealth::default() }));
        },
        "AUDIT WARNING - b.example: finding A603 is waived for 1 d | \
         refused=0;;0 waived=1 audited=0c",
    );
}

#[test]
fn a_zone_that_does_not_come_out_is_critical_in_time() {
    let failed = |age: u64, serial: Option<u32>| {
        move |it: &mut Snapshot| {
            it.zones[0].phase = ZonePhase::Failed;
            it.zones[0].failure = Some("no keys".to_owned());
            it.zones[0].output_serial = serial.map(Serial);
            it.zones[0].ended_well = serial.map(|_| Timestamp(NOW.wall.0 - age));
        }
    };
    check(
        Check::Publish,
        failed(100, Some(3)),
        "PUBLISH WARNING - \
        a.example: last good run 1 min 40 s ago: no keys | age_max=100s unpublished=0",
    );
    check(
        Check::Publish,
        failed(7501, Some(3)),
        "PUBLISH CRITICAL - \
        a.example: last good run 2 h 5 min ago: no keys | age_max=7501s unpublished=0",
    );
    check(
        Check::Publish,
        failed(0, None),
        "PUBLISH CRITICAL - \
        a.example: never published: no keys | age_max=9000s unpublished=1",
    );
    check(
        Check::Publish,
        |it| (it.zones[0].phase, it.zones[0].ended_well) = (ZonePhase::Running, Some(Timestamp(7))),
        "PUBLISH WARNING - a.example: last good run 20833 d 7 h ago | \
         age_max=1799999993s unpublished=0",
    );
}

#[test]
fn a_token_is_watched_while_it_says_nothing() {
    let slot = |slot: SlotHealth| move |it: &mut Snapshot| it.slots[0].1 = heard(slot);
    let busy = |seconds| SlotHealth {
        under_way: vec![(Seconds(1), 1), (Seconds(seconds), 64)],
        ..SlotHealth::default()
    };
    check(Check::Hsm, slot(busy(8)), "HSM OK - 1 of 1 repositories sign | errors=0c");
    check(
        Check::Hsm,
        slot(busy(9)),
        "HSM CRITICAL - \
        SoftHSM: has not answered a request for 9 s | errors=0c",
    );
    let away = SlotHealth { failure: Some("token is away".to_owned()), ..SlotHealth::default() };
    check(Check::Hsm, slot(away), "HSM CRITICAL - SoftHSM: token is away | errors=0c");
    let full = SlotHealth {
        room: Some((90, 100)),
        full_in: Some(Seconds(10 * DAY)),
        answered_in_ms: Some(12),
        ..SlotHealth::default()
    };
    check(
        Check::Hsm,
        slot(full),
        "HSM WARNING - \
        SoftHSM: 90 keys of 100, full in 10 d | probe=12ms free=10% errors=0c",
    );
    check(
        Check::Hsm,
        |it| it.slots[0].1.at = Seconds(9_984),
        "HSM CRITICAL - \
        SoftHSM: does not answer for 16 s: its module hangs, or opens | errors=0c",
    );
}

#[test]
fn secondaries_the_clock_work_and_actors_are_watched() {
    let late = OutputHealth {
        secondaries: 3,
        behind: 2,
        late: 1,
        lag_max: Seconds(4000),
        ..OutputHealth::default()
    };
    check(
        Check::Output,
        move |it| it.zones[0].output = Some(late),
        "OUTPUT CRITICAL - \
        a.example: 1 of 3 secondaries late by 1 h 6 min | behind=2 lag_max=4000s",
    );
    check(
        Check::Queue,
        |it| it.zones[1].next_run = Some(Timestamp(NOW.wall.0 - 400)),
        "QUEUE WARNING - b.example: is due for 6 min 40 s and does not run | \
         tasks=2 late_max=400s;300;900 jobs=0",
    );
    check(
        Check::Clock,
        |it| it.clock = ClockHealth { step: Some((-30, Seconds(9_900))) },
        "CLOCK WARNING - clock: was set by -30 s 1 min 40 s ago | offset=-30s;-5:5",
    );
    check(
        Check::Clock,
        |it| it.zones[0].signed_at = Some(Timestamp(NOW.wall.0 + 7200)),
        "CLOCK CRITICAL - clock: a.example was signed 2 h from now | offset=0s;-5:5",
    );
    check(
        Check::Health,
        |it| {
            it.actors = vec![ActorHealth {
                path: "root/console".to_owned(),
                is_given_up: true,
                restarts: 5,
                ..ActorHealth::default()
            }];
        },
        "HEALTH CRITICAL - root/console: was given up after 5 restarts: no reason is... | \
         zones=2 crit=1 warn=0 uptime=10000s",
    );
}

#[test]
fn silence_is_critical() {
    let late = Moment { uptime: Seconds(10_059), ..NOW };
    let at = |now| verdict(Check::Hsm, &Question::default(), &well(), now);
    assert_eq!(
        at(late).text(0),
        "HSM CRITICAL - nothing was heard of the actors for 1 min 1 s\n"
            .replace("nothing", "daemon: nothing")
    );
    let fresh = verdict(Check::Keys, &Question::default(), &Snapshot::default(), NOW);
    assert_eq!(fresh.state, State::Critical);
    let young = Moment { uptime: Seconds(5), ..NOW };
    let young = verdict(Check::Keys, &Question::default(), &Snapshot::default(), young);
    assert_eq!(young.state, State::Unknown);
    for part in [Check::Keys, Check::Ds, Check::Audit] {
        let mut snapshot = well();
        snapshot.keys.iter_mut().for_each(|keys| keys.at = Seconds(9_000));
        snapshot.auditor.iter_mut().for_each(|auditor| auditor.at = Seconds(9_000));
        let report = verdict(part, &Question::default(), &snapshot, NOW);
        assert_eq!(report.state, State::Critical, "{part:?}");
    }
}

#[test]
fn verbosity_names_more() {
    let mut snapshot = well();
    for zone in &mut snapshot.zones {
        zone.phase = ZonePhase::Quarantined;
    }
    let report = verdict(Check::Publish, &Question::default(), &snapshot, NOW);
    assert!(report.text(0).starts_with("PUBLISH CRITICAL - 1 more; a.example: in quarantine"));
    let names = report.text(1);
    assert!(names.contains("a.example: in") && names.contains("; b.example: in"), "{names}");
    assert_eq!(names.lines().count(), 1);
    assert_eq!(report.text(2).lines().count(), 3);
    assert_eq!(report.text(3).lines().count(), 5);
    assert!(report.text(2).contains("; next: see the log for the crash"));
}
