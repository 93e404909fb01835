//! Whole lives, by roll type: which states follow each other, and when.

use super::*;

fn check(policy: Policy, steps: &[(u64, &[&str])]) {
    let mut driver = Driver::new(policy);
    let mut next = Some(START);
    for (seconds, picture) in steps {
        assert_eq!(next, Some(START.plus(Seconds(*seconds))), "before {picture:?}");
        driver.now = next.unwrap();
        driver.evaluate();
        next = driver.parent_acts();
        assert_eq!(driver.picture(), picture.join("\n"), "at {seconds}");
    }
}

#[test]
fn a_fresh_zone_is_signed_and_gets_its_ds() {
    let dnskey = 11 * MINUTE + 5 * MINUTE + 17;
    let rrsig = 13 * MINUTE + 5 * MINUTE;
    let ds = 23 * MINUTE + 29 + 31;
    check(
        usual_policy(),
        &[
            (0, &["KSK HRR-+", "ZSK -R-R+"]),
            (dnskey, &["KSK HOO-+", "ZSK -O-R+"]),
            (rrsig, &["KSK ROO-+", "ZSK -O-O+"]),
            (rrsig + ds, &["KSK OOO-+", "ZSK -O-O+"]),
            (days(90), &["KSK OOO-+", "ZSK -O-O", "ZSK -R-H+"]),
        ],
    );
}

/// Rolls one role of a settled zone and tells each step: seconds after the roll began, and keys.
fn story(policy: Policy, role: KeyRole) -> String {
    let mut driver = Driver::new(policy);
    driver.settle(days(10));
    driver.life = roll_now(&driver.life, role);
    tell(&mut driver, days(10))
}

/// Tells each step for the next 30 days.
fn tell(driver: &mut Driver, begin: u64) -> String {
    let mut story = String::new();
    loop {
        driver.evaluate();
        let next = driver.parent_acts();
        let seconds = driver.now.since(START.plus(Seconds(begin))).0;
        let keys = driver.picture().replace('\n', ", ");
        story.push_str(&format!("{seconds}: {keys}\n"));
        match next {
            Some(next) if next < START.plus(Seconds(begin + days(30))) => driver.now = next,
            _ => return story,
        }
    }
}

fn check_story(policy: Policy, role: KeyRole, expected: &[&str]) {
    let story = story(policy, role);
    assert_eq!(story.lines().collect::<Vec<_>>(), expected, "{story}");
}

#[test]
fn ksk_double_rrset() {
    check_story(
        policy(RollType::KskDoubleRrset, RollType::ZskPrePublication),
        KeyRole::Ksk,
        &[
            "0: KSK OOO-, ZSK -O-O+, KSK RRR-+",
            "977: KSK UOO-, ZSK -O-O+, KSK ROO-+",
            "1440: KSK UUU-, ZSK -O-O+, KSK OOO-+",
            "2417: KSK HUU-, ZSK -O-O+, KSK OOO-+",
            "2419: KSK HHH-, ZSK -O-O+, KSK OOO-+",
        ],
    );
}

#[test]
fn ksk_double_ds() {
    check_story(
        policy(RollType::KskDoubleDs, RollType::ZskPrePublication),
        KeyRole::Ksk,
        &[
            "0: KSK OOO-, ZSK -O-O+, KSK RHH-+",
            "1440: KSK OUU-, ZSK -O-O+, KSK ORR-+",
            "2417: KSK UUU-, ZSK -O-O+, KSK OOO-+",
            "2419: KSK UHH-, ZSK -O-O+, KSK OOO-+",
            "3857: KSK HHH-, ZSK -O-O+, KSK OOO-+",
        ],
    );
}

#[test]
fn ksk_double_signature() {
    check_story(
        policy(RollType::KskDoubleSignature, RollType::ZskPrePublication),
        KeyRole::Ksk,
        &[
            "0: KSK OOO-, ZSK -O-O+, KSK HRR-+",
            "977: KSK UOO-, ZSK -O-O+, KSK ROO-+",
            "2417: KSK HUU-, ZSK -O-O+, KSK OOO-+",
            "3396: KSK HHH-, ZSK -O-O+, KSK OOO-+",
        ],
    );
}

#[test]
fn zsk_double_signature() {
    check_story(
        policy(RollType::KskDoubleSignature, RollType::ZskDoubleSignature),
        KeyRole::Zsk,
        &[
            "0: KSK OOO-+, ZSK -O-O, ZSK -R-R+",
            "977: KSK OOO-+, ZSK -O-U, ZSK -O-R+",
            "6420: KSK OOO-+, ZSK -U-H, ZSK -O-O+",
            "7399: KSK OOO-+, ZSK -H-H, ZSK -O-O+",
        ],
    );
}

#[test]
fn zsk_pre_publication() {
    check_story(
        policy(RollType::KskDoubleSignature, RollType::ZskPrePublication),
        KeyRole::Zsk,
        &[
            "0: KSK OOO-+, ZSK -O-O, ZSK -R-H+",
            "977: KSK OOO-+, ZSK -O-U, ZSK -O-R+",
            "7397: KSK OOO-+, ZSK -U-H, ZSK -O-O+",
            "8376: KSK OOO-+, ZSK -H-H, ZSK -O-O+",
        ],
    );
}

#[test]
fn zsk_double_rrsig() {
    check_story(
        policy(RollType::KskDoubleSignature, RollType::ZskDoubleRrsig),
        KeyRole::Zsk,
        &[
            "0: KSK OOO-+, ZSK -O-O, ZSK -H-R+",
            "1080: KSK OOO-+, ZSK -U-O, ZSK -R-O+",
            "2057: KSK OOO-+, ZSK -U-U, ZSK -O-O+",
            "2059: KSK OOO-+, ZSK -H-U, ZSK -O-O+",
            "3137: KSK OOO-+, ZSK -H-H, ZSK -O-O+",
        ],
    );
}

#[test]
fn csk_double_rrset() {
    check_story(
        csk_policy(RollType::CskDoubleRrset),
        KeyRole::Csk,
        &[
            "0: CSK OOOO, CSK RRRR+",
            "977: CSK UOOU, CSK ROOR+",
            "1440: CSK UOUU, CSK OOOR+",
            "2417: CSK HOUU, CSK OOOR+",
            "2419: CSK HOHU, CSK OOOR+",
            "6420: CSK HUHH, CSK OOOO+",
            "7399: CSK HHHH, CSK OOOO+",
        ],
    );
}

#[test]
fn csk_single_signature() {
    check_story(
        csk_policy(RollType::CskSingleSignature),
        KeyRole::Csk,
        &[
            "0: CSK OOOO, CSK RRRH+",
            "977: CSK UOOU, CSK ROOR+",
            "1440: CSK UOUU, CSK OOOR+",
            "2417: CSK HOUU, CSK OOOR+",
            "2419: CSK HOHU, CSK OOOR+",
            "7397: CSK HUHH, CSK OOOO+",
            "8376: CSK HHHH, CSK OOOO+",
        ],
    );
}

#[test]
fn csk_double_ds() {
    check_story(
        csk_policy(RollType::CskDoubleDs),
        KeyRole::Csk,
        &[
            "0: CSK OOOO, CSK RHHR+",
            "1080: CSK OOOO, CSK RRRO+",
            "1440: CSK OUUO, CSK ORRO+",
            "2057: CSK UUUU, CSK OOOO+",
            "2419: CSK UHHU, CSK OOOO+",
            "3137: CSK UHHH, CSK OOOO+",
            "3497: CSK HHHH, CSK OOOO+",
        ],
    );
}

#[test]
fn csk_double_signature() {
    check_story(
        csk_policy(RollType::CskDoubleSignature),
        KeyRole::Csk,
        &[
            "0: CSK OOOO, CSK HRRR+",
            "977: CSK UOOU, CSK ROOR+",
            "2417: CSK HOUU, CSK OOOR+",
            "3396: CSK HOHU, CSK OOOR+",
            "6420: CSK HUHH, CSK OOOO+",
            "7399: CSK HHHH, CSK OOOO+",
        ],
    );
}

#[test]
fn csk_pre_publication() {
    check_story(
        csk_policy(RollType::CskPrePublication),
        KeyRole::Csk,
        &[
            "0: CSK OOOO, CSK HRRH+",
            "977: CSK UOOU, CSK ROOR+",
            "2417: CSK HOUU, CSK OOOR+",
            "3396: CSK HOHU, CSK OOOR+",
            "7397: CSK HUHH, CSK OOOO+",
            "8376: CSK HHHH, CSK OOOO+",
        ],
    );
}
