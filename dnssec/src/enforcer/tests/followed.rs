//! Zones that validators follow by RFC 5011, in the middle of edits: found by random lives.

use super::*;

/// A CSK that somebody may follow stays published until it is revoked. Another one takes over
/// before every cache knows either: as long as the old one is published, a signer keeps its
/// signatures until they come due, so that the new one's are not everywhere before.
#[test]
fn signatures_by_a_key_that_anchors_keep_published_are_waited_for() {
    let mut policy = csk_policy(RollType::CskDoubleRrset);
    policy.keys.keys[0].rfc5011 = true;
    let mut driver = Driver::new(policy);
    // A quick validator has the DNSKEY already; a slow one has not.
    driver.settle(16 * MINUTE + 5);
    let begin = driver.now;
    driver.policy.keys.keys[0].repository = "other".to_owned();
    driver.evaluate();
    assert_eq!(driver.picture(), "CSK HRRU\nCSK HRRR+");
    let new = |driver: &Driver| driver.life.keys[1].rrsig.unwrap().state;
    while new(&driver) != RecordState::Omnipresent {
        driver.now = driver.parent_acts().unwrap().max(driver.now);
        driver.evaluate();
        assert!(driver.now <= begin.plus(Seconds(days(1))), "{}", driver.told());
    }
    // Validity and jitter, the last run, less the refresh window; then TTL and delay.
    let replaced = (110 + 7 + 2 - 30) * MINUTE;
    assert_eq!(driver.now.since(begin), Seconds(replaced + (13 + 5) * MINUTE));
    assert_eq!(driver.life.keys[0].rrsig.unwrap().state, RecordState::Hidden);
}

/// A roll in the first minutes of a zone: the DNSKEY that leaves was not everywhere either, so that
/// it says nothing of caches that remember that there was none.
#[test]
fn a_dnskey_that_left_before_it_was_everywhere_vouches_for_nothing() {
    let mut policy = usual_policy();
    policy.zone.soa_ttl = Seconds(60 * MINUTE);
    policy.zone.soa_minimum = Seconds(50 * MINUTE);
    let mut driver = Driver::new(policy);
    driver.evaluate();
    driver.now = START.plus(Seconds(20 * MINUTE));
    driver.life = roll_now(&driver.life, KeyRole::Ksk);
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK HUU-\nZSK -R-R+\nKSK HRR-+");
    driver.settle(55 * MINUTE + 16);
    assert_eq!(driver.life.keys[1].dnskey.state, RecordState::Rumoured);
    driver.settle(55 * MINUTE + 17);
    assert_eq!(driver.life.keys[1].dnskey.state, RecordState::Omnipresent);
}

/// A CSK leaves in its first minutes. Its DNSKEY has to stay for its signatures, and whoever sees
/// it for long will follow it: it goes on signing the DNSKEY RRset.
#[test]
fn a_key_that_has_to_stay_published_goes_on_signing_its_set() {
    let mut policy = usual_policy();
    policy.keys.keys[0].rfc5011 = true;
    let mut driver = Driver::new(policy);
    driver.settle(days(1));
    driver.policy.keys.keys = csk_policy(RollType::CskDoubleSignature).keys.keys;
    driver.policy.keys.keys[0].rfc5011 = true;
    driver.evaluate();
    let left = RecordLife { state: RecordState::Unretentive, since: driver.now, confirmed: None };
    driver.life.keys[1].dnskey = left;
    driver.life.keys[2].rrsig.as_mut().unwrap().state = RecordState::Omnipresent;
    driver.policy.passthrough = true;
    driver.now = driver.now.plus(Seconds(MINUTE));
    driver.evaluate();
    assert_eq!(driver.picture(), "KSK UOO-\nZSK -U-O\nCSK HRRO", "{}", driver.told());
}
