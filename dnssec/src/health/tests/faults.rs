//! Faults that a check must not miss, and false alarms that it must not give: right after a start,
//! while a run is tried again, while a token is opened; keys and the parent's DS.

use super::super::metrics::{Dialect, metrics};
use super::*;
use crate::Algorithm;
use crate::KeyTag;
use crate::enforcer::{
    Backup, DsAtParent, KeyLife, KeyUse, Minimize, PerRole, RecordLife, RecordState, ZoneLife,
};
use crate::key::{KeyId, KeyRole};

const HOUR: u64 = 3600;
const ZONE: &str = "a.example";

/// Five seconds after a start.
const YOUNG: Moment = Moment { uptime: Seconds(5), ..NOW };

/// A KSK whose DS is at the parent for so long.
fn ksk(tag: u16, ds: DsAtParent, since: u64) -> KeyLife {
    let record = |age: u64| RecordLife {
        state: RecordState::Omnipresent,
        since: Timestamp(NOW.wall.0 - age),
        confirmed: Some(Timestamp(NOW.wall.0 - age)),
    };
    KeyLife {
        id: KeyId::new(&tag.to_be_bytes()).unwrap(),
        repository: "SoftHSM".to_owned(),
        role: KeyRole::Ksk,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        key_tag: KeyTag(tag),
        inception: Timestamp(NOW.wall.0 - 90 * DAY),
        introducing: true,
        purpose: KeyUse::Regular,
        revoked: None,
        is_anchor: false,
        minimize: Minimize::default(),
        ds_at_parent: ds,
        ds_was_seen: false,
        backup: Backup::Done,
        ds: Some(record(since)),
        dnskey: record(90 * DAY),
        rrsig_dnskey: Some(record(90 * DAY)),
        rrsig: None,
    }
}

fn life(keys: Vec<KeyLife>) -> ZoneLife {
    ZoneLife { keys, ..ZoneLife::default() }
}

/// What the enforcer and the parent show of the first zone.
fn known(it: &mut Snapshot, life: ZoneLife, edit: impl FnOnce(&mut KeysHealth)) {
    let mut known = KeysHealth { lives: vec![(ZONE.to_owned(), life)], ..KeysHealth::default() };
    edit(&mut known);
    it.keys = Some(heard(known));
}

/// RDATA of a DS: key tag, ECDSAP256SHA256, SHA-256.
fn ds(tag: u16) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &[13, 2], &[7; 32]].concat()
}

/// The daemon starts while its token is away: what is published expires all the same.
#[test]
fn signatures_that_nobody_has_seen_are_not_ok() {
    let unseen = |phase: ZonePhase, failures: u32, serial: Option<u32>| {
        move |it: &mut Snapshot| {
            let zone = &mut it.zones[0];
            (zone.phase, zone.failures) = (phase, failures);
            zone.failure = Some("token is away".to_owned());
            zone.earliest_expiration = None;
            zone.output_serial = serial.map(Serial);
        }
    };
    let first = "SIGNATURES OK - first of 1 zones expires in 12 d (b.example) | \
                 sig_min=1036800s;244800:;129600:";
    check(Check::Signatures, unseen(ZonePhase::Beginning, 0, Some(7)), first);
    check(Check::Signatures, unseen(ZonePhase::Failed, 1, None), first);
    for phase in [ZonePhase::Failed, ZonePhase::Beginning, ZonePhase::Quarantined] {
        check(
            Check::Signatures,
            unseen(phase, 1, Some(7)),
            "SIGNATURES UNKNOWN - a.example: when its signatures expire is not known: tok... | \
             sig_min=1036800s;244800:;129600:",
        );
    }
}

/// A failure is not forgotten each time that the next run begins.
#[test]
fn a_zone_that_is_tried_again_has_not_been_mended() {
    for phase in [ZonePhase::Failed, ZonePhase::Beginning, ZonePhase::Running] {
        let failing = |age: u64, serial: Option<u32>| {
            move |it: &mut Snapshot| {
                let zone = &mut it.zones[0];
                (zone.phase, zone.failures) = (phase, 3);
                zone.failure = Some("no keys".to_owned());
                zone.output_serial = serial.map(Serial);
                zone.ended_well = serial.map(|_| Timestamp(NOW.wall.0 - age));
            }
        };
        check(
            Check::Publish,
            failing(100, Some(3)),
            "PUBLISH WARNING - a.example: last good run 1 min 40 s ago: no keys | \
             age_max=100s unpublished=0",
        );
        check(
            Check::Publish,
            failing(7501, Some(3)),
            "PUBLISH CRITICAL - a.example: last good run 2 h 5 min ago: no keys | \
             age_max=7501s unpublished=0",
        );
        check(
            Check::Publish,
            failing(0, None),
            "PUBLISH CRITICAL - a.example: never published: no keys | \
             age_max=9000s unpublished=1",
        );
    }
    // A version of the last good input was made beside the one that is refused.
    check(
        Check::Publish,
        |it| {
            (it.zones[0].phase, it.zones[0].failures) = (ZonePhase::Running, 3);
            it.zones[0].refusal = Some(RefusalHealth::default());
        },
        "PUBLISH OK - 2 of 2 zones published, none late | age_max=60s unpublished=0",
    );
}

#[test]
fn nothing_at_all_is_well() {
    let mut empty = well();
    (empty.zones, empty.slots) = (Vec::new(), Vec::new());
    for check in Check::ALL {
        let report = verdict(check, &Question::default(), &empty, NOW);
        assert_eq!(report.state, State::Ok, "{report:?}");
    }
}

/// Zones that are being loaded, a token that is being opened, keys that were not read yet.
#[test]
fn a_start_is_no_fault() {
    let mut begun = well();
    for zone in &mut begun.zones {
        *zone = ZoneHealth {
            name: zone.name.clone(),
            terms: zone.terms,
            known_since: Timestamp(NOW.wall.0 - 3),
            ..ZoneHealth::default()
        };
    }
    begun.taken = Some(Moment { uptime: Seconds(4), ..NOW });
    begun.slots[0].1 = Heard { value: None, at: Seconds(1) };
    begun.keys = Some(Heard { value: None, at: Seconds(0) });
    begun.auditor = Some(Heard { value: None, at: Seconds(0) });
    for check in Check::ALL {
        let report = verdict(check, &Question::default(), &begun, YOUNG);
        assert_eq!(report.state, State::Ok, "{report:?}");
    }
    let opened_late = Moment { uptime: Seconds(17), ..NOW };
    let report = verdict(Check::Hsm, &Question::default(), &begun, opened_late);
    assert_eq!(report.state, State::Critical, "{report:?}");
}

#[test]
fn a_roll_that_is_late_is_whose_turn_it_is() {
    let late = |late: u64, by_hand: bool| {
        move |it: &mut Snapshot| {
            let at = Some(Timestamp(NOW.wall.0 - late));
            it.zones[0].terms.rolled_by_hand.ksk = by_hand;
            let next_roll = PerRole { ksk: at, ..PerRole::default() };
            known(it, ZoneLife { next_roll, ..ZoneLife::default() }, |_| ());
        }
    };
    let ok = "KEYS OK - 0 keys, 0 wait for the parent | due=0 waiting_ds=0 unbacked=0";
    // One period of signing runs.
    check(Check::Keys, late(2 * HOUR, false), ok);
    check(
        Check::Keys,
        late(2 * HOUR + 1, false),
        "KEYS CRITICAL - a.example: the roll of its KSK is late by 2 h | \
         due=1 waiting_ds=0 unbacked=0",
    );
    check(
        Check::Keys,
        late(2 * HOUR + 1, true),
        "KEYS WARNING - a.example: the roll of its KSK is late by 2 h | \
         due=1 waiting_ds=0 unbacked=0",
    );
    let step = |it: &mut Snapshot| {
        let at = Timestamp(NOW.wall.0 - 3 * HOUR);
        known(it, ZoneLife::default(), |known| known.agenda = vec![(at, ZONE.to_owned())]);
    };
    check(
        Check::Keys,
        step,
        "KEYS CRITICAL - a.example: a step of its keys is late by 3 h | \
         due=0 waiting_ds=0 unbacked=0",
    );
    // The daemon was away when it was due.
    let mut snapshot = well();
    late(DAY, false)(&mut snapshot);
    let keys = |snapshot: &Snapshot| verdict(Check::Keys, &Question::default(), snapshot, YOUNG);
    (snapshot.taken, snapshot.keys.as_mut().unwrap().at) = (Some(YOUNG), YOUNG.uptime);
    assert_eq!(keys(&snapshot).state, State::Ok);
    step(&mut snapshot);
    snapshot.keys.as_mut().unwrap().at = YOUNG.uptime;
    assert_eq!(keys(&snapshot).state, State::Ok);
}

#[test]
fn a_backup_that_is_missing_is_a_warning_and_critical_when_it_holds_up_a_key() {
    let missing = |age: u64| {
        move |it: &mut Snapshot| {
            let mut key = ksk(1, DsAtParent::Seen, 0);
            key.backup = Backup::Missing;
            key.dnskey.state = RecordState::Rumoured;
            key.dnskey.confirmed = Some(Timestamp(NOW.wall.0 - age));
            known(it, life(vec![key]), |_| ());
        }
    };
    let line = |state| {
        format!(
            "KEYS {state} - a.example: key 1 has no backup | \
             due=0 waiting_ds=0 unbacked=1"
        )
    };
    check(Check::Keys, missing(300), &line("WARNING"));
    check(Check::Keys, missing(301), &line("CRITICAL"));
}

#[test]
fn the_ds_at_the_parent_has_to_be_of_a_key_of_the_zone() {
    let shown = |sets: Vec<Vec<Vec<u8>>>, absent: &[u16]| {
        let of = |tag: &u16| (ZONE.to_owned(), KeyId::new(&tag.to_be_bytes()).unwrap());
        let absent: Vec<_> = absent.iter().map(of).collect();
        move |it: &mut Snapshot| {
            let keys = vec![ksk(1, DsAtParent::Seen, 0), ksk(2, DsAtParent::Submitted, HOUR)];
            known(it, life(keys), |known| {
                known.shown_ds = vec![(ZONE.to_owned(), sets)];
                known.absent_ds = absent;
            });
        }
    };
    let ok = "DS OK - 1 zones, longest wait for a parent 1 h | wait_max=3600s ds_missing=0";
    let wrong = "DS CRITICAL - a.example: the parent's DS match no key of the zone | \
                 wait_max=3600s ds_missing=1";
    check(Check::Ds, shown(vec![vec![ds(1)]], &[2]), ok);
    check(Check::Ds, shown(vec![vec![ds(9), ds(2)]], &[]), ok);
    // A parent without DS is insecure, not broken.
    check(Check::Ds, shown(vec![vec![]], &[1, 2]), ok);
    check(Check::Ds, shown(vec![vec![ds(9)]], &[2]), wrong);
    // One of its servers is enough.
    check(Check::Ds, shown(vec![vec![ds(1)], vec![ds(9)]], &[2]), wrong);
    // Its key tag, with a digest of something else: a typing error.
    check(Check::Ds, shown(vec![vec![ds(2)]], &[2]), wrong);
}

#[test]
fn a_ds_that_waits_too_long_is_a_warning() {
    let waits = |age: u64| {
        move |it: &mut Snapshot| {
            it.zones[0].terms.parent_delay = Seconds(DAY);
            known(it, life(vec![ksk(1, DsAtParent::Submit, age)]), |_| ());
        }
    };
    check(
        Check::Ds,
        waits(4 * DAY),
        "DS OK - 1 zones, longest wait for a parent 4 d | wait_max=345600s ds_missing=0",
    );
    check(
        Check::Ds,
        waits(4 * DAY + 1),
        "DS WARNING - a.example: the DS of key 1 is to be handed to the parent, for 4 d | \
         wait_max=345601s ds_missing=0",
    );
}

#[test]
fn metrics_say_the_same() {
    let mut snapshot = well();
    let text = |snapshot: &Snapshot| metrics(snapshot, NOW, Dialect::Prometheus);
    assert!(text(&snapshot).contains("\nanchorite_hsm_up{repo=\"SoftHSM\"} 1\n"));
    // A run under way is not late.
    snapshot.zones[0].phase = ZonePhase::Running;
    snapshot.zones[0].next_run = Some(Timestamp(NOW.wall.0 - 900));
    assert!(text(&snapshot).contains("\nanchorite_task_late_seconds 0\n"));
    let slots = [
        heard(SlotHealth { under_way: vec![(Seconds(6), 1)], ..SlotHealth::default() }),
        heard(SlotHealth { failure: Some("away".to_owned()), ..SlotHealth::default() }),
        Heard { value: Some(SlotHealth::default()), at: Seconds(9_000) },
        Heard { value: None, at: Seconds(9_999) },
    ];
    for slot in slots {
        snapshot.slots[0].1 = slot;
        assert!(text(&snapshot).contains("\nanchorite_hsm_up{repo=\"SoftHSM\"} 0\n"));
    }
}
