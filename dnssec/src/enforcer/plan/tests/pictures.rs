//! The pictures of the manual are made by the code: here they are compared with it.
//! `UPDATE_EXPECT=1 cargo test -p dnssec pictures` makes them anew.

use super::*;
use expect_test::{ExpectFile, expect_file};

#[track_caller]
fn check(policy: &Policy, (passed, days): (u64, u64), picture: ExpectFile, text: ExpectFile) {
    let (past, next) = later(policy, passed, days);
    let names = ("example.com", policy.name.as_str());
    let timeline = timeline(names, &past.end, &past.moments, &next, MARCH);
    picture.assert_eq(&svg(&timeline));
    text.assert_eq(&strip(&timeline));
}

#[test]
fn a_year_of_the_default_policy() {
    let mut policy = Policy::anchorite_default("token");
    for key in policy.keys.keys.iter_mut().filter(|key| key.role == KeyRole::Ksk) {
        key.lifetime = Seconds(300 * DAY);
    }
    check(
        &policy,
        (250, 150),
        expect_file!["../../../../../docs/src/images/timeline-year.svg"],
        expect_file!["timeline-year.txt"],
    );
}

#[test]
fn one_roll_of_a_csk() {
    let mut policy = csk_policy(RollType::CskPrePublication);
    let delays = Policy::anchorite_default("token");
    (policy.signatures, policy.zone, policy.parent) =
        (delays.signatures, delays.zone, delays.parent);
    (policy.keys.ttl, policy.name) = (Seconds(DAY), "single".to_owned());
    policy.keys.purge = Some(Seconds(14 * DAY));
    policy.parent.ds_ttl = Seconds(2 * DAY);
    policy.keys.keys[0].lifetime = Seconds(60 * DAY);
    check(
        &policy,
        (64, 40),
        expect_file!["../../../../../docs/src/images/timeline-roll.svg"],
        expect_file!["timeline-roll.txt"],
    );
}
