//! Commands: where they apply, what they change, and that they change nothing elsewhere.

use super::*;

type Tell = fn(&ZoneLife, &KeyId, Timestamp) -> Result<ZoneLife, CommandError>;

const ALL: [DsAtParent; 6] = [
    DsAtParent::Unsubmitted,
    DsAtParent::Submit,
    DsAtParent::Submitted,
    DsAtParent::Seen,
    DsAtParent::Retract,
    DsAtParent::Retracted,
];

fn ksk(driver: &Driver) -> KeyId {
    driver.life.keys[0].id.clone()
}

#[test]
fn each_ds_command_applies_in_one_state_and_restarts_the_wait() {
    let commands: [(Tell, DsAtParent, DsAtParent); 4] = [
        (ds_submit, DsAtParent::Submit, DsAtParent::Submitted),
        (ds_seen, DsAtParent::Submitted, DsAtParent::Seen),
        (ds_retract, DsAtParent::Retract, DsAtParent::Retracted),
        (ds_gone, DsAtParent::Retracted, DsAtParent::Unsubmitted),
    ];
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let id = ksk(&driver);
    for (tell, needed, becomes) in commands {
        for state in ALL {
            driver.life.keys[0].ds_at_parent = state;
            let answer = tell(&driver.life, &id, Timestamp(77));
            if state != needed {
                assert_eq!(answer, Err(CommandError::WrongState { id: id.clone(), state, needed }));
                continue;
            }
            let life = answer.unwrap();
            assert_eq!(life.keys[0].ds_at_parent, becomes);
            assert_eq!(life.keys[0].ds.unwrap().since, Timestamp(77));
        }
    }
}

#[test]
fn ds_commands_are_refused_for_zsks_and_strangers() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let zsk = driver.life.keys[1].id.clone();
    let refused = CommandError::HasNoDs { id: zsk.clone(), role: KeyRole::Zsk };
    assert_eq!(ds_seen(&driver.life, &zsk, START), Err(refused.clone()));
    assert_eq!(ksk_retire(&driver.life, &zsk), Err(refused.clone()));
    assert_eq!(revoke(&driver.life, &zsk, START), Err(refused));
    let stranger = CommandError::UnknownKey { id: id(999) };
    assert_eq!(ds_gone(&driver.life, &id(999), START), Err(stranger));
}

#[test]
fn the_only_ksk_cannot_be_retired_or_revoked() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    let only = ksk(&driver);
    let refused = CommandError::OnlyKey { id: only.clone() };
    assert_eq!(ksk_retire(&driver.life, &only), Err(refused));
    let in_use = CommandError::StillInUse { id: only.clone() };
    assert_eq!(revoke(&driver.life, &only, driver.now), Err(in_use));
}

#[test]
fn a_leaving_ksk_can_be_revoked_by_hand_once_its_ds_is_gone() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    // Until the DS is hidden, and its DNSKEY not yet.
    driver.policy.keys.retire_safety = Seconds(days(1));
    driver.settle(days(1) + 2417);
    assert_eq!(driver.picture(), "KSK HUU-\nZSK -O-O+\nKSK OOO-+");
    let old = ksk(&driver);
    let refused = CommandError::StillInUse { id: old.clone() };
    assert_eq!(revoke(&driver.life, &old, driver.now), Err(refused));
    driver.life.keys[0].dnskey.state = RecordState::Omnipresent;
    driver.life.keys[0].rrsig_dnskey = Some(driver.life.keys[0].dnskey);
    driver.life = revoke(&driver.life, &old, driver.now).unwrap();
    assert_eq!(compatibility_state(&driver.life.keys[0]).to_string(), "revoked");
    let again = CommandError::LeavesAlready { id: old.clone() };
    assert_eq!(revoke(&driver.life, &old, driver.now), Err(again.clone()));
    assert_eq!(ksk_retire(&driver.life, &old), Err(again));
    // It stays until each validator has looked, and for the remove hold-down time.
    let seen = (5 + 11 + 60) * MINUTE + 17;
    let gone = days(1) + 2417 + seen + days(30);
    driver.settle(gone - 1);
    assert!(driver.life.keys[0].is_published());
    driver.settle(gone);
    assert!(!driver.life.keys[0].is_published());
}

#[test]
fn a_roll_by_hand_is_asked_for_once() {
    let mut driver = Driver::new(usual_policy());
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    driver.evaluate();
    assert_eq!(driver.life.keys.len(), 3);
    assert!(!driver.life.roll_now.zsk);
    driver.evaluate();
    assert_eq!(driver.life.keys.len(), 3);
}

#[test]
fn a_roll_by_hand_rolls_all_algorithms_or_waits_for_all_keys() {
    let mut policy = usual_policy();
    let other = KeyPolicy { algorithm: Algorithm::Ed25519, ..policy.keys.keys[1].clone() };
    policy.keys.keys.push(other);
    let mut driver = Driver::new(policy);
    driver.settle(days(1));
    driver.life = roll_now(&driver.life, KeyRole::Zsk);
    let mut supply = driver.supply();
    supply.retain(|key| key.algorithm != Algorithm::Ed25519);
    let scene = Scene::new(&driver.policy, driver.now, &supply);
    let waits = evaluate(&driver.life, &scene);
    assert_eq!(waits.life.keys.len(), 3);
    let purpose = KeyUse::Regular;
    assert!(waits.actions.contains(&Action::KeyWanted { policy_key: 2, purpose }));
    assert_eq!(waits.next, Some(driver.now.plus(Seconds(60))));
    assert!(waits.life.roll_now.zsk);
    driver.evaluate();
    assert_eq!(driver.life.keys.len(), 5);
    assert!(!driver.life.roll_now.zsk);
}

#[test]
fn imported_keys_stand_where_the_word_says() {
    let expected = [
        (ImportState::Generate, "KSK HHH-+", "ZSK -H-H+", "CSK HHHH+"),
        (ImportState::Publish, "KSK HRR-+", "ZSK -R-H+", "CSK HRRH+"),
        (ImportState::Ready, "KSK ROO-+", "ZSK -O-R+", "CSK ROOR+"),
        (ImportState::Active, "KSK ROO-+", "ZSK -O-O+", "CSK ROOO+"),
        (ImportState::Retire, "KSK UOO-", "ZSK -O-U", "CSK UOOU"),
    ];
    let csk = csk_policy(RollType::CskPrePublication);
    for (state, ksk_line, zsk_line, csk_line) in expected {
        assert_eq!(ImportState::parse(&state.word().to_uppercase()), Some(state));
        let usual = usual_policy();
        for (policy, index, line) in
            [(&usual, 0, ksk_line), (&usual, 1, zsk_line), (&csk, 0, csk_line)]
        {
            let mut driver = Driver::new(policy.clone());
            let key = supply_key(&policy.keys.keys[index], 7);
            let life = import_key(&driver.life, &key, state, START, policy).unwrap();
            let again = import_key(&life, &key, state, START, policy);
            assert_eq!(again, Err(ImportError::Known { id: key.id.clone() }));
            driver.life = life;
            assert_eq!(driver.picture(), line, "{state:?}");
            let word = compatibility_state(&driver.life.keys[0]).to_string();
            assert_eq!(word, state.word(), "{line}");
        }
    }
}

#[test]
fn keys_that_the_policy_does_not_know_are_not_imported() {
    let policy = usual_policy();
    let mut key = supply_key(&policy.keys.keys[0], 7);
    key.algorithm = Algorithm::Ed25519;
    let refused = import_key(&ZoneLife::default(), &key, ImportState::Active, START, &policy);
    let expected = ImportError::NotInPolicy {
        policy: "default".to_owned(),
        role: KeyRole::Ksk,
        algorithm: Algorithm::Ed25519,
    };
    assert_eq!(refused, Err(expected));
}
