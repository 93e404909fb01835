//! The rules of DNSSEC approval and of roll types, each by itself.

use super::*;
use crate::enforcer::approval::View;

/// Keys from pictures such as "KSK ROO-"; all of one algorithm.
fn keys(picture: &[&str]) -> ZoneLife {
    let policy = usual_policy();
    let mut life = ZoneLife::default();
    for (number, line) in (0..).zip(picture) {
        let (role, states) = line.split_once(' ').unwrap();
        let wanted = KeyPolicy {
            role: match role {
                "KSK" => KeyRole::Ksk,
                "ZSK" => KeyRole::Zsk,
                _ => KeyRole::Csk,
            },
            ..policy.keys.keys[0].clone()
        };
        let key = supply_key(&wanted, number);
        life = import_unchecked(life, &key, states);
    }
    life
}

fn import_unchecked(mut life: ZoneLife, key: &SupplyKey, states: &str) -> ZoneLife {
    let mut policy = csk_policy(RollType::CskDoubleRrset);
    policy.keys.keys[0].role = key.role;
    life = import_key(&life, key, ImportState::Generate, START, &policy).unwrap();
    let ours = life.keys.last_mut().unwrap();
    for (kind, letter) in RecordKind::ALL.into_iter().zip(states.chars()) {
        let state = match letter {
            'H' => RecordState::Hidden,
            'R' => RecordState::Rumoured,
            'O' => RecordState::Omnipresent,
            'U' => RecordState::Unretentive,
            _ => continue,
        };
        ours.record_mut(kind).unwrap().state = state;
    }
    life
}

/// Whether `rule` lets record `kind` of the first key become `state`.
fn allows(life: &ZoneLife, rule: Rule, kind: RecordKind, state: RecordState) -> bool {
    View::of(life).allows(rule, 0, kind, state)
}

#[test]
fn rule_1_some_key_has_a_ds() {
    use RecordState::{Omnipresent, Unretentive};
    let cases: [(&[&str], bool); 4] = [
        (&["KSK OOO-"], false),
        (&["KSK OOO-", "KSK ROO-"], true),
        (&["KSK OOO-", "KSK UOO-"], false),
        (&["KSK OOO-", "KSK OHH-"], true),
    ];
    for (picture, allowed) in cases {
        let life = keys(picture);
        let answer = allows(&life, Rule::ChainExists, RecordKind::Ds, Unretentive);
        assert_eq!(answer, allowed, "{picture:?}");
    }
    // Violated already: nothing gets worse.
    let life = keys(&["KSK UOO-"]);
    assert!(allows(&life, Rule::ChainExists, RecordKind::Dnskey, Omnipresent));
}

#[test]
fn rule_2_whichever_ds_and_dnskey_sets_a_cache_holds_they_fit() {
    use RecordKind::{Dnskey, Ds, RrsigDnskey};
    use RecordState::{Rumoured, Unretentive};
    let cases: [(&[&str], RecordKind, RecordState, bool); 9] = [
        // The DS is swapped with that of a key that is everywhere, not of one that comes.
        (&["KSK OOO-", "KSK ROO-"], Ds, Unretentive, true),
        (&["KSK OOO-", "KSK RRR-"], Ds, Unretentive, false),
        (&["KSK OOO-", "KSK HOO-"], Ds, Unretentive, true),
        // The DNSKEY is swapped when both DSs are everywhere.
        (&["KSK OOO-", "KSK ORR-"], Dnskey, Unretentive, true),
        (&["KSK OOO-", "KSK RRR-"], Dnskey, Unretentive, false),
        (&["KSK OOO-", "KSK OOO-"], RrsigDnskey, Unretentive, true),
        (&["KSK OOO-"], RrsigDnskey, Unretentive, false),
        // A DS comes when its DNSKEY is everywhere, or beside a good one.
        (&["KSK HRR-"], Ds, Rumoured, false),
        (&["KSK HHH-", "KSK OOO-"], Ds, Rumoured, true),
    ];
    for (picture, kind, state, allowed) in cases {
        let answer = allows(&keys(picture), Rule::ChainValid, kind, state);
        assert_eq!(answer, allowed, "{picture:?} {kind} {state}");
    }
}

#[test]
fn rule_3_whichever_dnskey_set_and_signatures_a_cache_holds_they_fit() {
    use RecordKind::{Dnskey, Rrsig};
    use RecordState::Unretentive;
    let cases: [(&[&str], RecordKind, bool); 7] = [
        (&["ZSK -O-O", "ZSK -O-R", "KSK OOO-"], Rrsig, true),
        (&["ZSK -O-O", "ZSK -R-R", "KSK OOO-"], Rrsig, false),
        (&["ZSK -O-O", "ZSK -O-H", "KSK OOO-"], Rrsig, false),
        (&["ZSK -O-O", "ZSK -R-O", "KSK OOO-"], Dnskey, true),
        (&["ZSK -O-O", "ZSK -R-R", "KSK OOO-"], Dnskey, false),
        // Without a DS nobody checks.
        (&["ZSK -O-O", "KSK HOO-"], Rrsig, true),
        (&["ZSK -O-O", "KSK UOO-"], Rrsig, false),
    ];
    for (picture, kind, allowed) in cases {
        let answer = allows(&keys(picture), Rule::SignaturesValid, kind, Unretentive);
        assert_eq!(answer, allowed, "{picture:?} {kind}");
    }
}

#[test]
fn a_successor_takes_over_by_way_of_one_in_between() {
    let mut life = keys(&["ZSK -O-R", "ZSK -O-U", "ZSK -O-R", "KSK OOO-"]);
    let pair = |from: usize, to: usize| Succession {
        from: id(from as u16),
        to: id(to as u16),
        kind: RecordKind::Rrsig,
    };
    // The first key, which took over from the second, leaves to the third.
    life.successions = vec![pair(1, 0)];
    let kind = RecordKind::Rrsig;
    assert!(allows(&life, Rule::SignaturesValid, kind, RecordState::Unretentive));
    // Not where the third has no DNSKEY everywhere.
    life.keys[2].dnskey.state = RecordState::Rumoured;
    assert!(!allows(&life, Rule::SignaturesValid, kind, RecordState::Unretentive));
}

#[test]
fn roll_types_let_records_wait() {
    use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
    let waits = |picture: &[&str], roll_type, kind| {
        let mut life = keys(picture);
        life.keys[0].minimize = Minimize::of(roll_type);
        View::of(&life).waits_for(0, kind)
    };
    let double_ds = RollType::KskDoubleDs;
    let double_signature = RollType::KskDoubleSignature;
    let double_rrsig = RollType::ZskDoubleRrsig;
    let pre_publication = RollType::ZskPrePublication;
    assert_eq!(waits(&["KSK HRR-"], double_signature, Ds), Some(Dnskey));
    assert_eq!(waits(&["KSK HOO-"], double_signature, Ds), None);
    assert_eq!(waits(&["KSK RHH-", "KSK OOO-"], double_ds, Dnskey), Some(Ds));
    assert_eq!(waits(&["KSK OHH-", "KSK OOO-"], double_ds, Dnskey), None);
    assert_eq!(waits(&["KSK RHH-"], double_ds, Dnskey), None);
    assert_eq!(waits(&["KSK HHH-"], double_ds, RrsigDnskey), Some(Dnskey));
    assert_eq!(waits(&["ZSK -R-H", "ZSK -O-O"], pre_publication, Rrsig), Some(Dnskey));
    assert_eq!(waits(&["ZSK -O-H", "ZSK -O-O"], pre_publication, Rrsig), None);
    assert_eq!(waits(&["ZSK -R-H"], pre_publication, Rrsig), None);
    assert_eq!(waits(&["ZSK -H-R", "KSK OOO-"], double_rrsig, Dnskey), Some(Rrsig));
    assert_eq!(waits(&["ZSK -H-O", "KSK OOO-"], double_rrsig, Dnskey), None);
}

#[test]
fn words_of_2_x() {
    let cases = [
        ("KSK HHH-", true, "generate"),
        ("KSK HRR-", true, "publish"),
        ("KSK ROO-", true, "ready"),
        ("KSK OOO-", true, "active"),
        ("KSK UOO-", false, "retire"),
        ("KSK HHH-", false, "retire"),
        ("ZSK -R-H", true, "publish"),
        ("ZSK -R-R", true, "ready"),
        ("ZSK -O-R", true, "ready"),
        ("ZSK -O-O", false, "active"),
        ("ZSK -O-U", false, "retire"),
        ("CSK ROOO", true, "mixed"),
        ("CSK OOOO", true, "active"),
    ];
    for (picture, introducing, word) in cases {
        let mut life = keys(&[picture]);
        life.keys[0].introducing = introducing;
        assert_eq!(compatibility_state(&life.keys[0]).to_string(), word, "{picture}");
    }
    // Seen, though not everywhere yet.
    let mut life = keys(&["KSK ROO-"]);
    life.keys[0].ds_at_parent = DsAtParent::Seen;
    assert_eq!(compatibility_state(&life.keys[0]), CompatibilityState::Active);
    let next = |at: DsAtParent, next| {
        let mut key = life.keys[0].clone();
        key.ds_at_parent = at;
        next_transition(&key, next, START)
    };
    let later = START.plus(Seconds(1));
    assert_eq!(next(DsAtParent::Submit, None), NextTransition::DsSubmit);
    assert_eq!(next(DsAtParent::Submitted, None), NextTransition::DsSeen);
    assert_eq!(next(DsAtParent::Retract, None), NextTransition::DsRetract);
    assert_eq!(next(DsAtParent::Retracted, None), NextTransition::DsGone);
    assert_eq!(next(DsAtParent::Seen, None), NextTransition::Nothing);
    assert_eq!(next(DsAtParent::Seen, Some(later)), NextTransition::At(later));
    assert_eq!(next(DsAtParent::Seen, Some(Timestamp(1))), NextTransition::Now);
}
