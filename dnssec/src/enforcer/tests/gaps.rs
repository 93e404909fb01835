//! What OpenDNSSEC 2.1 has not, or has wrong: each line of the table in the module's head.

use super::*;

#[test]
fn lifetime_zero_is_never_rolled() {
    let mut policy = usual_policy();
    policy.keys.keys[0].lifetime = Seconds(0);
    policy.keys.keys[1].lifetime = Seconds(0);
    let mut driver = Driver::new(policy);
    driver.settle(days(3650));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+");
    assert_eq!(driver.life.next_roll, PerRole::default());
    assert_eq!(driver.evaluate(), None);
}

#[test]
fn lifetimes_too_short_for_a_roll_make_no_key_unless_rolled_by_hand() {
    let mut policy = usual_policy();
    policy.keys.keys[0].lifetime = Seconds((23 + 11) * MINUTE);
    let mut driver = Driver::new(policy.clone());
    driver.evaluate();
    assert_eq!(driver.picture(), "ZSK -R-R+");
    let said = Action::LifetimeTooShort {
        policy_key: 0,
        lifetime: Seconds((23 + 11) * MINUTE),
        ttl: LimitingTtl::ParentDs(Seconds(23 * MINUTE)),
        keys_ttl: Seconds(11 * MINUTE),
    };
    assert!(driver.actions.contains(&said));
    policy.keys.keys[0].manual_rollover = true;
    let mut driver = Driver::new(policy);
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK HRR-+\nZSK -R-R+");
}

#[test]
fn keys_rolled_by_hand_are_made_once_and_then_only_reminded_of() {
    let mut policy = usual_policy();
    policy.keys.keys[1].manual_rollover = true;
    let mut driver = Driver::new(policy);
    driver.settle(days(90));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+");
    let since = START.plus(Seconds(days(90)));
    assert!(driver.actions.contains(&Action::ManualRollDue { role: KeyRole::Zsk, since }));
    // Another length waits for the hand, too; another algorithm does not.
    driver.policy.keys.keys[1].repository = "other".to_owned();
    driver.settle(days(91));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O");
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    driver.settle(days(92));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -H-H\nZSK -O-O+");
}

#[test]
fn a_zone_becomes_unsigned_step_by_step_and_signed_again() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let keys = std::mem::take(&mut driver.policy.keys.keys);
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK UOO-\nZSK -O-O");
    assert!(driver.actions.contains(&Action::NoKeysConfigured));
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK HHH-\nZSK -H-H");
    driver.policy.keys.keys = keys;
    driver.settle(days(3));
    assert_eq!(driver.picture(), "KSK HHH-\nZSK -H-H\nKSK OOO-+\nZSK -O-O+");
}

#[test]
fn passthrough_waits_until_no_ds_is_anywhere() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.policy.passthrough = true;
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK UOO-\nZSK -O-O");
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK HHH-\nZSK -H-H");
}

#[test]
fn an_algorithm_is_rolled_by_a_policy_edit() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    for key in &mut driver.policy.keys.keys {
        key.algorithm = Algorithm::Ed25519;
    }
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK OOO-\nZSK -O-O\nKSK HRR-+\nZSK -R-R+");
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK HHH-\nZSK -H-H\nKSK OOO-+\nZSK -O-O+");
}

#[test]
fn a_standby_zsk_is_published_and_called_by_the_roll() {
    let mut policy = usual_policy();
    policy.keys.keys[1].standby = 1;
    let mut driver = Driver::new(policy);
    driver.settle(days(1));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+\nZSK -O-H+s");
    assert_eq!(state_word_1x(&driver.life.keys[2]).to_string(), "ready");
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    driver.evaluate();
    // No wait for the DNSKEY, and the next one stands by.
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-U\nZSK -O-R+\nZSK -R-H+s");
    driver.policy.keys.keys[1].standby = 0;
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -H-H\nZSK -O-O+\nZSK -H-Hs");
}

#[test]
fn a_standby_ksk_has_its_ds_first_and_its_dnskey_when_called() {
    let mut policy = usual_policy();
    policy.keys.keys[0].standby = 1;
    let mut driver = Driver::new(policy);
    driver.evaluate();
    // The DS waits until the zone can be validated without it.
    assert_eq!(driver.picture(), "KSK HRR-+\nZSK -R-R+\nKSK HHH-+s");
    assert_eq!(state_word_1x(&driver.life.keys[2]).to_string(), "dssub");
    driver.settle(days(1));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+\nKSK OHH-+s");
    assert_eq!(state_word_1x(&driver.life.keys[2]).to_string(), "dsready");
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.evaluate();
    assert_eq!(driver.life.keys[2].purpose, KeyUse::Regular);
    assert_eq!(state_word_1x(&driver.life.keys[2]).to_string(), "keypublish");
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK HHH-\nZSK -O-O+\nKSK OOO-+\nKSK OHH-+s");
}

#[test]
fn an_rfc5011_ksk_is_revoked_before_it_leaves_and_not_before_another_is_trusted() {
    let mut policy = usual_policy();
    policy.keys.keys[0].rfc5011 = true;
    let mut driver = Driver::new(policy);
    driver.settle(days(100));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.settle(days(101));
    assert_eq!(driver.life.keys[0].revoked, None);
    assert_eq!(
        driver.picture(),
        "KSK HOO-\nZSK -O-O\nZSK -O-O+\nKSK OOO-+".replace("ZSK -O-O\n", "ZSK -H-H\n")
    );
    let there = driver.life.keys[3].dnskey.since;
    // Validators look each hour at most (RFC 5011 section 2.3).
    let look = Seconds(60 * MINUTE);
    let revoked = there.plus(look).plus(ADD_HOLD_DOWN).plus(look);
    driver.run(Timestamp(revoked.0 - 1));
    assert_eq!(driver.life.keys[0].revoked, None);
    driver.run(revoked);
    assert_eq!(driver.life.keys[0].revoked, Some(revoked));
    assert!(driver.life.keys[0].signs_keyset());
    let seen = revoked.plus(Seconds(5 * MINUTE + 11 * MINUTE + 17)).plus(look);
    let gone = seen.plus(REMOVE_HOLD_DOWN);
    driver.run(Timestamp(gone.0 - 1));
    assert!(driver.life.keys[0].is_published());
    driver.run(gone);
    assert!(!driver.life.keys[0].is_published());
}

#[test]
fn the_remove_hold_down_counts_from_the_publication_of_the_revoked_key() {
    let mut policy = usual_policy();
    policy.keys.keys[0].rfc5011 = true;
    let mut driver = Driver::new(policy);
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.settle(days(31));
    driver.publish();
    driver.waits_for_publication = true;
    driver.settle(days(33));
    let decided = driver.life.keys[0].revoked.unwrap();
    // Published versions show it as it was, until the tenth day after.
    let old = PublishedKeys {
        at: driver.now,
        dnskeys: driver.life.keys.iter().map(|key| key.id.clone()).collect(),
        keyset_signers: driver.life.keys.iter().map(|key| key.id.clone()).collect(),
        ..PublishedKeys::default()
    };
    driver.life = published(&driver.life, &old);
    assert_eq!(driver.life.keys[0].dnskey.confirmed, None);
    driver.now = decided.plus(Seconds(days(10)));
    driver.evaluate();
    let obstacles = &driver.last.as_ref().unwrap().obstacles;
    let waits = |gate| move |one: &Condition| one.gate == gate && !one.is_met;
    let of_dnskey = obstacles.iter().find(|one| one.kind == RecordKind::Dnskey).unwrap();
    assert!(of_dnskey.conditions.iter().any(waits(Gate::Published)));
    let published_at = driver.now;
    driver.publish();
    let look = Seconds(60 * MINUTE);
    let seen = published_at.plus(Seconds(5 * MINUTE + 11 * MINUTE + 17)).plus(look);
    let gone = seen.plus(REMOVE_HOLD_DOWN);
    driver.run(Timestamp(gone.0 - 1));
    assert!(driver.life.keys[0].is_published());
    driver.run(gone);
    assert!(!driver.life.keys[0].is_published());
}

#[test]
fn keys_with_a_taken_tag_are_passed_over() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    let ours = driver.life.keys[0].key_tag.0;
    // Its own, and with the REVOKE bit of one or the other.
    for tag in [ours, ours + 128, ours + 129, ours.wrapping_sub(128)] {
        let mut supply = driver.supply();
        supply.retain(|key| key.role == KeyRole::Zsk);
        supply[0].key_tag = KeyTag(tag);
        let scene = Scene::new(&driver.policy, driver.now, &supply);
        let evaluation = evaluate(&driver.life, &scene);
        let wanted = Action::KeyWanted { policy_key: 1, purpose: KeyUse::Regular };
        assert!(evaluation.actions.contains(&wanted), "{tag}");
    }
}

#[test]
fn without_a_backup_nothing_becomes_omnipresent() {
    let mut driver = Driver::new(usual_policy());
    driver.evaluate();
    for key in &mut driver.life.keys {
        key.backup = Backup::Missing;
    }
    let next = driver.evaluate();
    assert_eq!(next, Some(START.plus(Seconds(11 * MINUTE + 5 * MINUTE + 17))));
    driver.settle(days(1));
    assert_eq!(driver.picture(), "KSK HRR-+\nZSK -R-R+");
    let id = driver.life.keys[0].id.clone();
    assert!(driver.actions.contains(&Action::BackupMissing { id }));
    assert_eq!(driver.evaluate(), Some(driver.now.plus(Seconds(60))));
    for key in &mut driver.life.keys {
        key.backup = Backup::Done;
    }
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+");
}

#[test]
fn a_ds_goes_by_what_the_parent_shows() {
    let mut driver = Driver::new(usual_policy());
    driver.now = START;
    driver.evaluate();
    driver.now = START.plus(Seconds(18 * MINUTE));
    driver.evaluate();
    let id = driver.life.keys[0].id.clone();
    let sight = |shown, since| DsSighting {
        id: id.clone(),
        shown,
        since: START.plus(Seconds(since)),
        ttl: Seconds(30 * MINUTE),
    };
    let look = |driver: &Driver, sighting: DsSighting, seconds: u64| {
        let parent = [sighting];
        let now = START.plus(Seconds(seconds));
        let scene = Scene { parent: Some(&parent), ..Scene::new(&driver.policy, now, &[]) };
        evaluate(&driver.life, &scene)
    };
    // The operator's word alone does not move it.
    let said = ds_seen(&driver.life, &id, driver.now).unwrap();
    let mut believing = Driver::new(driver.policy.clone());
    believing.life = said;
    let waits = look(&believing, sight(DsShown::Somewhere, 0), days(1));
    assert_eq!(waits.life.keys[0].state(RecordKind::Ds), Some(RecordState::Rumoured));
    // Seen everywhere: as if ds-seen was said, and the wait goes by the TTL that was seen.
    let from = 20 * MINUTE;
    let wait = 30 * MINUTE + 29 + 31;
    let seen = look(&driver, sight(DsShown::Everywhere, from), from + 5);
    assert!(seen.actions.contains(&Action::DsSeen { id: id.clone() }));
    assert_eq!(seen.next, Some(START.plus(Seconds(from + wait))));
    driver.life = seen.life;
    let there = look(&driver, sight(DsShown::Everywhere, from), from + wait);
    assert_eq!(there.life.keys[0].state(RecordKind::Ds), Some(RecordState::Omnipresent));
}

#[test]
fn no_ds_is_taken_back_before_another_is_known() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.evaluate();
    driver.now = driver.now.plus(Seconds(977));
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK UOO-\nZSK -O-O+\nKSK ROO-+");
    assert_eq!(driver.life.keys[0].ds_at_parent, DsAtParent::Retract);
    let new = driver.life.keys[2].id.clone();
    driver.life = ds_seen(&driver.life, &new, driver.now).unwrap();
    driver.evaluate();
    assert_eq!(driver.life.keys[0].ds_at_parent, DsAtParent::Retracted);
}

#[test]
fn a_key_whose_ds_may_be_seen_is_not_removed() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.settle(days(2));
    let old = driver.life.keys[0].id.clone();
    let scene = Scene::new(&driver.policy, driver.now, &[]);
    assert!(is_removable(&driver.life, &old, &scene));
    assert_eq!(removable_keys(&driver.life, &scene), std::slice::from_ref(&old));
    let sighting =
        DsSighting { id: old.clone(), shown: DsShown::Somewhere, since: START, ttl: Seconds(1) };
    let parent = [sighting];
    let seen = Scene { parent: Some(&parent), ..scene };
    assert!(!is_removable(&driver.life, &old, &seen));
    assert!(ds_may_be_seen(&driver.life, &old, &seen));
    let mut life = driver.life.clone();
    life.keys[0].ds_at_parent = DsAtParent::Retracted;
    assert!(!is_removable(&life, &old, &scene));
    // A key that works is not either.
    assert!(!is_removable(&life, &life.keys[1].id, &scene));
}

#[test]
fn dead_keys_are_purged_when_the_policy_says() {
    let mut policy = usual_policy();
    policy.keys.purge = Some(Seconds(days(5)));
    let mut driver = Driver::new(policy);
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    driver.settle(days(2));
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -H-H\nZSK -O-O+");
    let old = driver.life.keys[1].clone();
    let due = old.dnskey.since.plus(Seconds(days(5)));
    assert_eq!(driver.last.as_ref().unwrap().next_purge, Some(due));
    driver.run(due);
    assert_eq!(driver.picture(), "KSK OOO-+\nZSK -O-O+");
    assert!(driver.actions.contains(&Action::Purge { id: old.id }));
}

#[test]
fn rolls_are_announced() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let at = START.plus(Seconds(days(365)));
    let look = |driver: &Driver, seconds| {
        let now = START.plus(Seconds(seconds));
        let ahead = Scene::new(&driver.policy, now, &[]);
        evaluate(&driver.life, &Scene { rollover_notification: Seconds(days(30)), ..ahead })
    };
    driver.policy.keys.keys[1].lifetime = Seconds(0);
    assert_eq!(look(&driver, days(2)).next, Some(START.plus(Seconds(days(335)))));
    let said = Action::RollImpending { role: KeyRole::Ksk, at };
    assert!(!look(&driver, days(335) - 1).actions.contains(&said));
    assert!(look(&driver, days(335)).actions.contains(&said));
}

#[test]
fn waits_count_from_publication() {
    let mut driver = Driver::new(usual_policy());
    driver.evaluate();
    let ids: Vec<KeyId> = driver.life.keys.iter().map(|key| key.id.clone()).collect();
    let look = |life: &ZoneLife, seconds| {
        let now = START.plus(Seconds(seconds));
        let scene = Scene::new(&driver.policy, now, &[]);
        evaluate(life, &Scene { waits_for_publication: true, ..scene })
    };
    let waits = look(&driver.life, days(3));
    assert_eq!(waits.life.keys[0].dnskey.state, RecordState::Rumoured);
    let is_published =
        |obstacle: &Obstacle| obstacle.conditions.iter().any(|one| one.gate == Gate::Published);
    assert!(waits.obstacles.iter().any(is_published));
    let report = PublishedKeys {
        at: START.plus(Seconds(days(3))),
        dnskeys: ids.clone(),
        keyset_signers: vec![ids[0].clone()],
        revoked: Vec::new(),
        named_to_parent: Vec::new(),
        zone_signers_some: vec![ids[1].clone()],
        zone_signers_all: Vec::new(),
    };
    let life = published(&waits.life, &report);
    let dnskey = days(3) + 11 * MINUTE + 5 * MINUTE + 17;
    assert_eq!(look(&life, days(3)).next, Some(START.plus(Seconds(dnskey))));
    let there = look(&life, dnskey);
    assert_eq!(there.life.keys[0].dnskey.state, RecordState::Omnipresent);
    // Not every RRset has its signature yet.
    assert_eq!(there.life.keys[1].rrsig.unwrap().confirmed, None);
    let report = PublishedKeys { zone_signers_all: vec![ids[1].clone()], ..report };
    let life = published(&there.life, &report);
    assert_eq!(life.keys[1].rrsig.unwrap().confirmed, Some(report.at));
}

/// Rolls the ZSK, edits the policy `edit_after` seconds later, and tells when the record of key
/// number `key` that came into `from` leaves it, in seconds after the roll began.
fn leaves(edit: fn(&mut Policy), edit_after: u64, key: usize, kind: RecordKind) -> u64 {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let begin = driver.now;
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    driver.run(begin.plus(Seconds(edit_after)));
    let from = driver.life.keys[key].state(kind);
    edit(&mut driver.policy);
    for _ in 0..20 {
        let next = driver.parent_acts();
        if driver.life.keys[key].state(kind) != from {
            break;
        }
        driver.now = next.unwrap();
    }
    driver.now.since(begin).0
}

#[test]
fn lowered_terms_do_not_shorten_a_wait_that_runs() {
    let dnskey: [fn(&mut Policy); 2] = [
        |policy| policy.keys.ttl = Seconds(1),
        |policy| policy.zone.propagation_delay = Seconds(1),
    ];
    for (number, edit) in dnskey.into_iter().enumerate() {
        assert_eq!(leaves(edit, 1, 2, RecordKind::Dnskey), 977, "{number}");
    }
    let rrsig: [fn(&mut Policy); 5] = [
        |policy| policy.signatures.validity_denial = Seconds(50 * MINUTE),
        |policy| policy.signatures.jitter = Seconds(0),
        |policy| policy.signatures.resign = Seconds(1),
        |policy| policy.signatures.max_zone_ttl = Some(Seconds(1)),
        // Old signatures may have been replaced late, while the window was small.
        |policy| policy.signatures.refresh = Seconds(40 * MINUTE),
    ];
    for (number, edit) in rrsig.into_iter().enumerate() {
        assert_eq!(leaves(edit, 978, 1, RecordKind::Rrsig), 7397, "{number}");
    }
}

#[test]
fn a_raised_ttl_lengthens_a_wait_that_runs() {
    let edit: fn(&mut Policy) = |policy| policy.keys.ttl = Seconds(20 * MINUTE);
    assert_eq!(leaves(edit, 1, 2, RecordKind::Dnskey), 20 * MINUTE + 5 * MINUTE + 17);
}

#[test]
fn terms_are_forgotten_when_nothing_lives_by_them() {
    let mut driver = Driver::new(usual_policy());
    for minute in 1..40 {
        driver.settle(minute * MINUTE);
        driver.policy.keys.ttl = Seconds(minute * MINUTE);
    }
    assert_eq!(driver.life.old_terms.len(), ZoneLife::OLD_TERMS_MAX);
    let longest = driver.life.old_terms.iter().map(|old| old.terms.dnskey_ttl).max();
    assert_eq!(longest, Some(Seconds(37 * MINUTE)));
    driver.settle(days(2));
    assert_eq!(driver.life.old_terms, []);
}

#[test]
fn the_first_dnskey_waits_for_the_negative_ttl() {
    let mut policy = usual_policy();
    policy.zone.soa_ttl = Seconds(60 * MINUTE);
    policy.zone.soa_minimum = Seconds(50 * MINUTE);
    let mut driver = Driver::new(policy);
    let next = driver.evaluate();
    let first = 50 * MINUTE + 5 * MINUTE + 17;
    assert_eq!(next, Some(START.plus(Seconds(first))));
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.evaluate();
    let later = driver.last.as_ref().unwrap().next;
    assert_eq!(later, Some(driver.now.plus(Seconds(11 * MINUTE + 5 * MINUTE + 17))));
}

#[test]
fn supply_lasts_for_the_period() {
    let mut policy = usual_policy();
    policy.keys.keys[0].lifetime = Seconds(0);
    policy.keys.keys[1].standby = 1;
    let year = Seconds(days(365));
    assert_eq!(supply_demand(&policy, year, &[], 0), [0, 0]);
    assert_eq!(supply_demand(&policy, year, &[], 9), [1, 6]);
    assert_eq!(supply_demand(&policy, year, &[1, 4], 9), [0, 2]);
}

#[test]
fn in_an_outage_no_roll_begins_before_the_last_is_done() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let zsk = |life: &ZoneLife| life.keys.iter().filter(|key| key.role == KeyRole::Zsk).count();
    let look = |driver: &Driver, life: &ZoneLife, seconds| {
        let supply = driver.supply();
        let now = START.plus(Seconds(seconds));
        let scene = Scene::new(&driver.policy, now, &supply);
        evaluate(life, &Scene { waits_for_publication: true, ..scene }).life
    };
    let rolls = look(&driver, &driver.life, days(90));
    assert_eq!(zsk(&rolls), 2);
    // Nothing is published for half a year.
    let waits = look(&driver, &rolls, days(270));
    assert_eq!(zsk(&waits), 2);
    assert_eq!(waits.next_roll.zsk, Some(START.plus(Seconds(days(180)))));
}

#[test]
fn an_algorithm_signs_as_long_as_it_has_a_dnskey() {
    let mut driver = Driver::new(usual_policy());
    driver.policy.keys.keys[0].rfc5011 = true;
    driver.settle(days(1));
    for key in &mut driver.policy.keys.keys {
        key.algorithm = Algorithm::Ed25519;
    }
    driver.settle(days(20));
    // The old KSK waits to be revoked; its algorithm goes on signing.
    assert_eq!(driver.picture(), "KSK HOO-\nZSK -O-O\nKSK OOO-+\nZSK -O-O+");
    driver.settle(days(80));
    assert_eq!(driver.picture(), "KSK HHH-r\nZSK -H-H\nKSK OOO-+\nZSK -O-O+");
}

#[test]
fn no_dnskey_comes_before_a_signer() {
    let mut driver = Driver::new(usual_policy());
    let mut supply = driver.supply();
    supply.retain(|key| key.role == KeyRole::Ksk);
    let evaluation = evaluate(&driver.life, &Scene::new(&driver.policy, START, &supply));
    driver.life = evaluation.life;
    assert_eq!(driver.picture(), "KSK HHH-+");
    driver.taken = 9;
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK HRR-+\nZSK -R-R+");
}

/// An algorithm comes, and before its DS is there the policy wants its keys from another
/// repository: those that came go, and a new KSK may be there before a new ZSK.
#[test]
fn no_dnskey_comes_beside_a_signer_whose_dnskey_left() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    for key in &mut driver.policy.keys.keys {
        key.algorithm = Algorithm::Ed25519;
    }
    driver.evaluate();
    for key in &mut driver.policy.keys.keys {
        key.repository = "other".to_owned();
    }
    let mut supply = driver.supply();
    supply.retain(|key| key.role == KeyRole::Ksk);
    driver.taken += 2;
    driver.now = driver.now.plus(Seconds(MINUTE));
    let scene = Scene::new(&driver.policy, driver.now, &supply);
    driver.life = evaluate(&driver.life, &scene).life;
    let old = "KSK OOO-\nZSK -O-O\nKSK HUU-\nZSK -U-U\n";
    assert_eq!(driver.picture(), format!("{old}KSK HHH-+"));
    driver.evaluate();
    assert_eq!(driver.picture(), format!("{old}KSK HRR-+\nZSK -R-R+"));
    driver.settle(days(20));
    assert_eq!(driver.picture(), "KSK HHH-\nZSK -H-H\nKSK HHH-\nZSK -H-H\nKSK OOO-+\nZSK -O-O+");
}

/// A CSK that is the last of its algorithm signs until it is revoked, and is.
#[test]
fn the_last_followed_csk_of_an_algorithm_is_revoked_and_leaves() {
    let mut policy = csk_policy(RollType::CskDoubleRrset);
    policy.keys.keys[0].rfc5011 = true;
    let mut driver = Driver::new(policy);
    driver.settle(days(1));
    driver.policy.keys.keys[0].algorithm = Algorithm::Ed25519;
    driver.settle(days(20));
    assert_eq!(driver.picture(), "CSK HOOO\nCSK OOOO+");
    driver.settle(days(40));
    assert_eq!(driver.picture(), "CSK HOOHr\nCSK OOOO+");
    driver.settle(days(80));
    assert_eq!(driver.picture(), "CSK HHHHr\nCSK OOOO+");
}

/// A followed CSK that alone signs the zone cannot be revoked without harm: whoever trusts it
/// needs its signatures over the data, and a revoked key makes none. A KSK and a ZSK take over
/// first; then the zone becomes unsigned.
#[test]
fn a_followed_csk_bars_its_zone_from_unsigned_until_a_ksk_and_a_zsk_took_over() {
    let mut policy = csk_policy(RollType::CskDoubleRrset);
    policy.keys.keys[0].rfc5011 = true;
    let mut unsigned = policy.clone();
    unsigned.passthrough = true;
    let mut driver = Driver::new(policy.clone());
    assert_eq!(bars_from_unsigned(&driver.life, &unsigned), None);
    driver.settle(days(1));
    let csk = driver.life.keys[0].id.clone();
    assert_eq!(bars_from_unsigned(&driver.life, &unsigned), Some(&csk));
    assert_eq!(bars_from_unsigned(&driver.life, &policy), None);
    // A policy without keys says nothing of trust anchors; that there are some is remembered.
    let mut without_keys = policy.clone();
    without_keys.keys.keys.clear();
    assert_eq!(bars_from_unsigned(&driver.life, &without_keys), Some(&csk));
    let mut given_up = unsigned.clone();
    given_up.keys.keys[0].rfc5011 = false;
    assert_eq!(bars_from_unsigned(&driver.life, &given_up), None);
    // Who does it all the same has a zone that goes on being signed.
    let mut forced = Driver { life: driver.life.clone(), now: driver.now, ..Driver::new(unsigned) };
    forced.settle(days(400));
    assert_eq!(forced.picture(), "CSK HOOO");
    driver.policy.keys.keys = usual_policy().keys.keys;
    driver.policy.keys.keys[0].rfc5011 = true;
    driver.settle(days(20));
    driver.policy.passthrough = true;
    assert_eq!(bars_from_unsigned(&driver.life, &driver.policy), None);
    driver.settle(days(90));
    assert_eq!(driver.picture(), "CSK HHHHr\nKSK HHH-r\nZSK -H-H");
}

/// A trust point goes when all its keys were seen revoked (RFC 5011 section 5): until then the
/// zone is signed.
#[test]
fn a_followed_zone_is_signed_until_its_anchors_are_forgotten() {
    for is_passed_through in [false, true] {
        let mut policy = usual_policy();
        policy.keys.keys[0].rfc5011 = true;
        let mut driver = Driver::new(policy);
        driver.settle(days(1));
        match is_passed_through {
            true => driver.policy.passthrough = true,
            false => driver.policy.keys.keys.clear(),
        }
        driver.settle(days(2));
        assert_eq!(driver.picture(), "KSK HOO-r\nZSK -O-O");
        let revoked = driver.life.keys[0].revoked.unwrap();
        let seen = (5 + 11 + 60) * MINUTE + 17;
        let forgotten = revoked.plus(Seconds(seen)).plus(REMOVE_HOLD_DOWN);
        driver.run(Timestamp(forgotten.0 - 1));
        assert_eq!(driver.picture(), "KSK HOO-r\nZSK -O-O");
        driver.run(forgotten);
        assert_eq!(driver.picture(), "KSK HUU-r\nZSK -U-U");
        driver.settle(days(40));
        assert_eq!(driver.picture(), "KSK HHH-r\nZSK -H-H");
    }
}

/// A DS that was handed over and is not there may come yet: it is gone when it was asked back, or
/// when CDS has said so for as long as a parent takes.
#[test]
fn a_ds_that_nobody_asked_back_is_not_gone() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.run(driver.now.plus(Seconds(20 * MINUTE)));
    driver.parent_acts();
    let old = driver.life.keys[0].id.clone();
    let withdrawn = driver.life.keys[0].ds.unwrap().since;
    driver.life.keys[0].ds_at_parent = DsAtParent::Retract;
    let nowhere =
        [DsSighting { id: old.clone(), shown: DsShown::Nowhere, since: START, ttl: Seconds(0) }];
    let look = |life: &ZoneLife, publishes_cds, seconds| {
        let now = withdrawn.plus(Seconds(seconds));
        let scene = Scene::new(&driver.policy, now, &[]);
        let evaluation = evaluate(life, &Scene { parent: Some(&nowhere), publishes_cds, ..scene });
        (evaluation.actions.contains(&Action::DsGone { id: old.clone() }), evaluation.next)
    };
    assert!(!look(&driver.life, false, days(9)).0);
    // The zone's servers may show the CDS that long, and the parent takes its time.
    let delay = 5 * MINUTE + 29 + 31;
    let (is_gone, next) = look(&driver.life, true, delay - 1);
    assert!(!is_gone);
    assert_eq!(next, Some(withdrawn.plus(Seconds(delay))));
    assert!(look(&driver.life, true, delay).0);
    let asked = ds_retract(&driver.life, &old, withdrawn).unwrap();
    assert!(look(&asked, false, 1).0);
}

/// In the middle of a DNSKEY swap the policy drops the coming key, too: what is half-way in goes on
/// to be everywhere, so that the zone does not stop.
#[test]
fn keys_that_all_leave_in_the_middle_of_a_swap_leave() {
    let ksk = policy(RollType::KskDoubleDs, RollType::ZskPrePublication);
    let zsk = policy(RollType::KskDoubleSignature, RollType::ZskDoubleRrsig);
    for (policy, role) in [(ksk, KeyRole::Ksk), (zsk, KeyRole::Zsk)] {
        let mut driver = Driver::new(policy);
        driver.settle(days(1));
        driver.life = roll_now(&driver.life, role);
        let is_half_way = |driver: &Driver| {
            let of = |state| driver.life.keys.iter().any(|key| key.dnskey.state == state);
            of(RecordState::Unretentive) && of(RecordState::Rumoured)
        };
        while !is_half_way(&driver) {
            driver.now = driver.parent_acts().unwrap().max(driver.now);
            driver.evaluate();
        }
        driver.policy.keys.keys.clear();
        let end = driver.now.plus(Seconds(days(60)));
        driver.run(end);
        let is_hidden = |record: RecordLife| record.state == RecordState::Hidden;
        let is_dead = |key: &KeyLife| {
            RecordKind::ALL.into_iter().filter_map(|kind| key.record(kind)).all(is_hidden)
        };
        assert!(driver.life.keys.iter().all(is_dead), "{role}\n{}", driver.picture());
    }
}
