//! The worked example of 1.x (test `enforcer.keys.rollovers_many_timeshift`; catalogue 4.1), as far
//! as 2.x waits by the same terms. TTL and propagation 60 s, safeties 100 s, parent's propagation
//! 60 s, DS TTL 150 s, validity 900 s; a ZSK lives 1500 s, a KSK 30 min.
//!
//! * Publish to ready, 220 s: the same here, and from then on `ds-seen` can be said. 1.x makes the
//!   KSK active by that; here the DS takes 210 s more to be everywhere.
//! * KSK retire to dead, 310 s (DS TTL, parent's propagation, RetireSafety): here the DS is gone
//!   after 210 s, there is no safety on DSs, and the DNSKEY 220 s after that.
//! * ZSK retire to dead, 1060 s (validity, propagation, RetireSafety): here signatures are gone
//!   after TTL, propagation, jitter, validity and resign less refresh, the DNSKEY 220 s later.
//! * The next ZSK is published before the old one's lifetime ends (12:21), and active at its end
//!   (12:25): here it is published at its end, and active 220 s later.

use super::*;

fn example() -> Policy {
    let mut policy = usual_policy();
    policy.keys.ttl = Seconds(60);
    policy.keys.publish_safety = Seconds(100);
    policy.keys.retire_safety = Seconds(100);
    policy.zone.propagation_delay = Seconds(60);
    policy.zone.soa_ttl = Seconds(60);
    policy.zone.soa_minimum = Seconds(60);
    policy.parent.propagation_delay = Seconds(60);
    policy.parent.registration_delay = Seconds(0);
    policy.parent.ds_ttl = Seconds(150);
    policy.signatures.max_zone_ttl = Some(Seconds(60));
    policy.signatures.validity_default = Seconds(900);
    policy.signatures.validity_denial = Seconds(900);
    policy.signatures.jitter = Seconds(0);
    policy.signatures.resign = Seconds(60);
    policy.signatures.refresh = Seconds(300);
    policy.keys.keys[0].lifetime = Seconds(1800);
    policy.keys.keys[1].lifetime = Seconds(1500);
    policy
}

/// When a record came to where it is, in seconds after the start.
fn since(driver: &Driver, key: usize, kind: RecordKind) -> (RecordState, u64) {
    let record = driver.life.keys[key].record(kind).unwrap();
    (record.state, record.since.since(START).0)
}

#[test]
fn publish_to_ready_takes_220_s() {
    let mut driver = Driver::new(example());
    driver.settle(220);
    assert_eq!(since(&driver, 0, RecordKind::Dnskey), (RecordState::Omnipresent, 220));
    assert_eq!(since(&driver, 1, RecordKind::Dnskey), (RecordState::Omnipresent, 220));
    // 12:03:40 in the example: now ds-seen can be said.
    assert_eq!(since(&driver, 0, RecordKind::Ds), (RecordState::Rumoured, 220));
    driver.settle(220 + 210);
    assert_eq!(since(&driver, 0, RecordKind::Ds), (RecordState::Omnipresent, 220 + 210));
}

#[test]
fn a_zsk_is_replaced_when_its_1500_s_are_over() {
    let mut driver = Driver::new(example());
    driver.settle(1500);
    assert_eq!(since(&driver, 2, RecordKind::Dnskey), (RecordState::Rumoured, 1500));
    driver.settle(1500 + 220);
    assert_eq!(since(&driver, 2, RecordKind::Rrsig), (RecordState::Rumoured, 1720));
    assert_eq!(since(&driver, 1, RecordKind::Rrsig), (RecordState::Unretentive, 1720));
    // TTL, propagation, jitter, validity, resign, less refresh.
    let replaced = 1720 + 60 + 60 + 900 + 60 - 300;
    driver.settle(replaced);
    assert_eq!(since(&driver, 1, RecordKind::Rrsig), (RecordState::Hidden, replaced));
    driver.settle(replaced + 220);
    assert_eq!(since(&driver, 1, RecordKind::Dnskey), (RecordState::Hidden, replaced + 220));
}

#[test]
fn a_ksk_is_replaced_when_its_1800_s_are_over() {
    let mut driver = Driver::new(example());
    driver.policy.keys.keys[1].lifetime = Seconds(0);
    driver.settle(1800);
    assert_eq!(since(&driver, 2, RecordKind::Dnskey), (RecordState::Rumoured, 1800));
    driver.settle(1800 + 220 + 210 + 220);
    assert_eq!(since(&driver, 0, RecordKind::Ds), (RecordState::Hidden, 1800 + 220 + 210));
    assert_eq!(
        since(&driver, 0, RecordKind::Dnskey),
        (RecordState::Hidden, 1800 + 220 + 210 + 220)
    );
}
