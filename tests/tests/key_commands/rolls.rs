//! Whole rolls by commands and time leaps; BIND's dnssec-verify accepts the zone at each step.

use crate::lab::{Lab, ZONE, installation, is_everywhere, is_nowhere, user};

fn of_role<'k>(keys: &'k [Vec<String>], role: &str) -> Vec<&'k Vec<String>> {
    keys.iter().filter(|key| key[1] == role).collect()
}

/// Whether the role's key is another one than `old`, everywhere, and `old` nowhere.
fn is_rolled(keys: &[Vec<String>], role: &str, old: &str) -> bool {
    let keys = of_role(keys, role);
    let is_done = |key: &&Vec<String>| match key[8] == old {
        true => is_nowhere(key),
        false => is_everywhere(key),
    };
    keys.len() >= 2 && keys.iter().all(is_done)
}

fn roll(lab: &Lab, role: &str) -> String {
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key) || is_nowhere(key)));
    let keys = lab.keys();
    let old = of_role(&keys, role).into_iter().find(|key| is_everywhere(key)).unwrap()[8].clone();
    let text = lab.done(&format!("key rollover -z {ZONE} -t {role}"));
    assert_eq!(text, format!("rolling {role} for zone {ZONE}\n"));
    lab.settle();
    lab.step_until(|keys| is_rolled(keys, role, &old));
    old
}

#[test]
fn a_ksk_and_a_zsk_are_rolled_and_the_dead_keys_purged_restored_and_imported() {
    let lab = Lab::start(installation());
    let ksk = roll(&lab, "KSK");
    let zsk = roll(&lab, "ZSK");
    let history = lab.anchorite(&format!("key history {ZONE}")).stdout;
    for event in ["key rollover -z ods1 -t KSK", "key ds-seen -a", "key ds-gone -a"] {
        let line = format!(" {event} (by {})\n", user());
        assert!(history.contains(&line), "{line} is not in {history}");
    }
    assert!(history.contains(" enforcer\n"), "{history}");
    assert!(history.contains(&format!("{ksk} DNSKEY unretentive -> hidden")), "{history}");

    let purged = lab.done(&format!("key purge -z {ZONE}"));
    assert_eq!(
        purged,
        format!(
            "deleting key: {ksk}\ndeleting key: {zsk}\nRefrained from deleting keys from HSM\n"
        )
    );
    let trash = lab.anchorite("key trash").stdout;
    assert_eq!(trash.lines().count(), 3, "{trash}");
    assert!(trash.contains(&ksk) && trash.contains(&zsk), "{trash}");
    let restored = lab.anchorite(&format!("key restore {zsk}"));
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(lab.anchorite(&format!("key restore {zsk}")).code, 1);

    // It is no fresh key: a roll does not take it.
    lab.done(&format!("key rollover -z {ZONE} -t ZSK"));
    lab.settle();
    assert!(lab.keys().iter().all(|key| key[8] != zsk), "{:?}", lab.keys());
    let imported = lab.done(&format!(
        "key import -k {zsk} -r SoftHSM -z {ZONE} -b 256 -g 13 -e retire -t ZSK -w \
         2026-01-01-00:00:00"
    ));
    assert_eq!(imported, format!("Key imported into zone {ZONE}\n"));
    lab.settle();
    assert!(lab.keys().iter().any(|key| key[8] == zsk), "{:?}", lab.keys());
    lab.daemon.stop();
}

#[test]
fn purged_keys_leave_their_token_when_told_so() {
    let lab = Lab::start(installation());
    let zsk = roll(&lab, "ZSK");
    assert_eq!(
        lab.done(&format!("key purge -z {ZONE} -d")),
        format!("deleting key: {zsk}\nNumber of keys deleted from HSM is 1\n")
    );
    assert_eq!(lab.anchorite("key trash").stdout.lines().count(), 1);
    lab.daemon.stop();
}
