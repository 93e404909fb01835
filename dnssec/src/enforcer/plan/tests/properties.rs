//! What holds for every policy and life: nothing panics, time goes forward, and what is drawn is
//! within its picture.

use super::told::check_icalendar;
use super::*;
use crate::enforcer::tests::{csk_policy, policy};
use crate::enforcer::{Backup, DsAtParent, KeyUse, RecordKind, RecordState};
use proptest::prelude::*;

/// A length of time: none, short, long, or as long as can be written.
fn length() -> impl Strategy<Value = Seconds> {
    prop_oneof![
        1 => Just(Seconds(0)),
        8 => (0u64..4000).prop_map(Seconds),
        4 => (0u64..40).prop_map(|days| Seconds(days * DAY)),
        1 => Just(Seconds(u64::from(u32::MAX))),
    ]
}

fn policies() -> impl Strategy<Value = Policy> {
    let ksk = [RollType::KskDoubleRrset, RollType::KskDoubleDs, RollType::KskDoubleSignature];
    let zsk = [RollType::ZskDoubleSignature, RollType::ZskPrePublication, RollType::ZskDoubleRrsig];
    let csk = [RollType::CskDoubleRrset, RollType::CskSingleSignature, RollType::CskDoubleDs];
    let kinds = (0usize..3, 0usize..3, 0usize..3, 0u8..10);
    let lengths = proptest::collection::vec(length(), 12);
    let lifetimes = proptest::collection::vec(0u64..200, 2);
    (kinds, lengths, lifetimes, any::<u8>()).prop_map(move |(kinds, lengths, lives, flags)| {
        let mut policy = match kinds.3 {
            0..6 => policy(ksk[kinds.0], zsk[kinds.1]),
            _ => csk_policy(csk[kinds.2]),
        };
        for (key, days) in policy.keys.keys.iter_mut().zip(lives) {
            key.lifetime = Seconds(days * DAY);
            key.standby = u32::from(flags & 3 == 3);
            key.manual_rollover = flags & 28 == 28;
            key.rfc5011 = flags & 96 == 96;
        }
        if kinds.3 == 9 {
            policy.keys.keys.clear();
        }
        policy.signatures.validity_default = lengths[0];
        policy.signatures.jitter = lengths[1];
        policy.signatures.refresh = lengths[2];
        policy.signatures.resign = lengths[3];
        policy.keys.ttl = lengths[4];
        policy.keys.retire_safety = lengths[5];
        policy.keys.publish_safety = lengths[6];
        policy.keys.purge = Some(lengths[7]).filter(|_| flags & 128 == 0);
        policy.zone.propagation_delay = lengths[8];
        policy.zone.soa_ttl = lengths[9];
        policy.parent.ds_ttl = lengths[10];
        policy.parent.registration_delay = lengths[11];
        policy
    })
}

/// A life that need not come from anywhere.
fn damage(life: &ZoneLife, seeds: &[u64]) -> ZoneLife {
    let mut life = life.clone();
    for (key, seed) in life.keys.iter_mut().zip(seeds) {
        let states = [
            RecordState::Hidden,
            RecordState::Rumoured,
            RecordState::Omnipresent,
            RecordState::Unretentive,
        ];
        for (index, kind) in RecordKind::ALL.into_iter().enumerate() {
            if let Some(record) = key.record_mut(kind) {
                record.state = states[(seed >> (2 * index)) as usize % 4];
                record.since = Timestamp(if seed & 1 << 40 == 0 { *seed } else { u64::MAX });
            }
        }
        let parents = [DsAtParent::Submit, DsAtParent::Submitted, DsAtParent::Retracted];
        key.ds_at_parent = parents[(seed >> 10) as usize % 3];
        key.introducing = seed & 1 << 13 == 0;
        key.backup = if seed & 1 << 14 == 0 { Backup::NotRequired } else { Backup::Missing };
        key.purpose = if seed & 1 << 15 == 0 { KeyUse::Regular } else { KeyUse::Standby };
    }
    life
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_life_and_policy_renders(
        policy in policies(),
        edited in policies(),
        seeds in proptest::collection::vec(any::<u64>(), 0..6),
        (passed, days) in (0u64..200, 0u64..400),
    ) {
        let past = fresh(&policy, passed);
        let life = damage(&past.end, &seeds);
        let now = MARCH.plus(Seconds(passed * DAY));
        let backed_up = BTreeSet::from(["token".to_owned()]);
        let next = plan(&life, &assumed(&edited, &backed_up, (now, days)));
        prop_assert!(next.entries.windows(2).all(|pair| pair[0].at <= pair[1].at));
        prop_assert!(next.entries.iter().all(|entry| entry.at >= now && entry.at <= next.until));
        explain_zone("example.com", &life, &assumed(&edited, &backed_up, (now, days)));
        let followed = rolls(&life, &next);
        prop_assert!(followed.iter().all(|roll| roll.ends.is_none_or(|at| at >= roll.begins)));
        let picture = timeline(("example.com", "p"), &life, &past.moments, &next, MARCH);
        let records = picture.tracks.iter().flat_map(|track| &track.records);
        for span in records.flat_map(|one| &one.spans) {
            prop_assert!(picture.from <= span.from && span.from < span.until);
            prop_assert!(span.until <= picture.until);
        }
        let drawing = svg(&picture);
        prop_assert_eq!(drawing.matches("<text").count(), drawing.matches("</text>").count());
        prop_assert!(strip(&picture).lines().all(|line| line.chars().count() <= 80));
        let plans = [named(&edited, next)];
        check_icalendar(&icalendar(&plans));
        json(&plans);
        for line in table(&plans).lines().filter(|line| !line.contains("$ ")) {
            prop_assert!(line.chars().count() <= 80, "{}", line);
        }
    }

    #[test]
    fn an_axis_has_ticks_within_it(from in 0u64..300_000_000_000, length in 1u64..1 << 40) {
        let (from, until) = (Timestamp(from), Timestamp(from).plus(Seconds(length)));
        let ticks = chart::ticks(from, until, 13);
        prop_assert!(ticks.len() <= 14);
        prop_assert!(ticks.windows(2).all(|pair| pair[0].0 < pair[1].0));
        prop_assert!(ticks.iter().all(|(at, _)| *at >= from && *at <= until));
    }

    #[test]
    fn days_are_those_of_the_calendar(at in 0u64..253_402_300_800) {
        let civil = date::civil(Timestamp(at));
        let begin = date::month_begins(civil.year, civil.month);
        prop_assert!(begin.0 <= at && at < date::month_begins(civil.year, civil.month + 1).0);
        prop_assert_eq!(begin.0 + (civil.day - 1) * DAY + civil.second_of_day, at);
    }
}
