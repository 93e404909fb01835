//! A KSK's life by `ods-ksmutil`: `key ds-seen`, `ksk-retire`, `ds-gone`, `ksk-revoke`,
//! `key rollover`, `key purge`, with a foreign judge at each step of time.

use crate::lab::{Key, Lab, ZONE, in_state, installation, run};
use anchorite_tests::judges::repository_file;

/// Brings the zone's first KSK to the state "ready".
#[track_caller]
fn ready(lab: &Lab) -> Key {
    let keys = lab.leap_until(|keys| !in_state(keys, "KSK", "ready").is_empty());
    in_state(&keys, "KSK", "ready")[0].clone()
}

/// Brings it to "active", with its DS in all caches.
#[track_caller]
fn active(lab: &Lab) -> Key {
    let ksk = ready(lab);
    let said = lab.ksm(&format!("key ds-seen -z {ZONE} -x {}", ksk.tag));
    let text = format!(
        "Found key with CKA_ID {0}\nKey {0} made active\nPerformed a HUP ods-enforcerd\n",
        ksk.id
    );
    said.is(&text, 0);
    lab.settle();
    in_state(&lab.keys(), "KSK", "active")[0].clone()
}

#[test]
fn ds_seen_wants_a_key_that_waits_for_it() {
    let lab = Lab::start(installation());
    let ksk = in_state(&lab.keys(), "KSK", "publish")[0].clone();
    let none = lab.ksm("key ds-seen -z ods");
    none.complains("Please provide a keytag or a CKA_ID for the key", 255);
    assert!(none.stderr.contains("--keytag <keytag> | --cka_id <CKA_ID>"), "{none:?}");
    lab.ksm("key ds-seen -x 1").complains("Please specify a zone using the --zone flag\n", 255);
    let zone = "Error: unable to find a zone named \"other\" in database\n";
    lab.ksm("key ds-seen -z other -x 1").is(zone, 1);
    lab.ksm("key ds-seen -z ods -x k").is("Error: keytag \"k\"; should be numeric only\n", 1);
    let large = "Error: Unable to convert keytag \"70000\"; to an integer\n";
    lab.ksm("key ds-seen -z ods -x 70000").is(large, 1);
    let not_ready =
        "No keys in the READY state matched your parameters, please check the parameters\n";
    lab.ksm("key ds-seen -z ods -x 1").is(not_ready, 255);
    lab.ksm(&format!("key ds-seen -z ods -x {}", ksk.tag)).is(not_ready, 255);
    lab.ksm("key ds-seen -z ods -k 00ff").is(not_ready, 255);
    let ksk = ready(&lab);
    assert_eq!((ksk.next.as_str(), ksk.to.as_str()), ("waiting for ds-seen", "(active)"));
    assert!(lab.done("rollover list").contains("KSK           waiting for ds-seen\n"));
    let ds = lab.done("rollover list -v");
    assert!(ds.contains("\n;ready KSK DS record (SHA256):\nods.\t"), "{ds}");
    let said = lab.ksm(&format!("key ds-seen -z ods -k {} --no-notify", ksk.id));
    let text = format!("Found key with CKA_ID {0}\nKey {0} made active\n", ksk.id);
    assert_eq!((said.stdout.as_str(), said.code), (text.as_str(), 0), "{said:?}");
    assert!(said.stderr.contains("NOTE: --no-notify"), "{said:?}");
    let again = lab.ksm(&format!("key ds-seen -z ods -x {}", ksk.tag));
    again.is(&format!("Found key with CKA_ID {}\nKey is already active\n", ksk.id), 255);
    lab.daemon.stop();
}

#[test]
fn a_ksk_rolls_and_the_old_one_leaves() {
    let lab = Lab::start(installation());
    let old = active(&lab);
    lab.ksm("key rollover -z ods").complains("Please specify either a keytype, KSK or ZSK", 255);
    lab.ksm("key rollover -t KSK").complains("either a zone OR a policy to rollover\n", 255);
    lab.ksm("key rollover -z other -a").complains("a zone named \"other\" in database\n", 1);
    lab.ksm("key rollover -p other -a").complains("a policy named \"other\" in database\n", 1);
    lab.ksm("key rollover -z ods -t DSK").complains("Error: Unrecognised keytype DSK", 1);
    let said = lab.ksm("key rollover --zone ods --keytype ksk");
    said.is("\nManual key rollover for key type ksk on zone ods initiated\n", 0);
    lab.settle();
    let new = ready(&lab);
    assert_ne!(new.id, old.id);
    let ds = lab.done("key export -z ods --ds");
    assert!(ds.contains(&format!("DS\t{} 13 2 ", new.tag)), "{ds}");
    let said = lab.ksm(&format!("key ds-seen -z ods -x {}", new.tag));
    said.complains(&format!("Key {} made active\nOld key retired\n", new.id), 0);
    assert!(said.stderr.contains(&format!("key ds-gone --zone ods --keytag {}", old.tag)));
    let keys = lab.leap_until(|keys| {
        keys.iter().any(|key| key.id == old.id && key.next == "waiting for ds-gone")
    });
    assert_eq!(keys.iter().filter(|key| key.role == "KSK").count(), 2, "{keys:?}");
    let gone = format!("key ds-gone -z ods -x {}", old.tag);
    lab.ksm(&gone).complains(&format!("DS of key {} is gone\n", old.id), 0);
    lab.ksm(&gone).complains("No keys that wait for ds-gone matched your parameters", 255);
    let keys = lab.leap_until(|keys| !in_state(keys, "KSK", "dead").is_empty());
    let dead = in_state(&keys, "KSK", "dead")[0];
    assert_eq!((dead.id.as_str(), dead.next.as_str()), (old.id.as_str(), "to be deleted"));
    assert!(!lab.done("key list").contains("dead"));
    let said = lab.ksm("key purge --zone ods");
    said.is(&format!("Key remove successful: {}\n", old.id), 0);
    lab.ksm("key purge -z ods").is("No keys to purge.\n", 0);
    lab.ksm("key purge -p default").is("No keys to purge.\n", 0);
    lab.ksm("key purge").complains("Please provide either a zone OR a policy to key purge\n", 255);
    lab.ksm("key purge -z other").complains("a zone named \"other\" in database\n", 1);
    assert!(lab.keys().iter().all(|key| key.id != old.id));
    lab.daemon.stop();
}

#[test]
fn an_old_ksk_can_stay_and_retire_later() {
    let lab = Lab::start(installation());
    let old = active(&lab);
    let last = "Error: completing this action would leave no active keys on zone, quitting...\n";
    let question = "*WARNING* This will retire the currently active KSK; are you sure? [y/N] ";
    lab.asked("key ksk-retire -z ods", "n\n").is(&format!("{question}Okay, quitting...\n"), 0);
    lab.asked("key ksk-retire -z ods", "y\n").complains(last, 255);
    lab.asked("key ksk-retire -z ods -x 1", "y\n").complains("No keys in the ACTIVE state", 255);
    lab.asked("key ksk-retire", "y\n").complains("Please provide a zone or details of the", 255);
    lab.asked("key ksk-retire -z other", "y\n").complains("named \"other\" in database\n", 1);
    lab.ksm("key rollover -z ods -t KSK");
    lab.settle();
    let new = ready(&lab);
    let said = lab.ksm(&format!("key ds-seen -z ods -x {} --no-retire", new.tag));
    let text = format!(
        "Found key with CKA_ID {0}\nKey {0} made active\nOld key NOT retired\nPerformed a HUP \
         ods-enforcerd\n",
        new.id
    );
    said.is(&text, 0);
    lab.settle();
    // Long after, both are there.
    lab.enforcer("time leap");
    lab.settle();
    for _ in 0..4 {
        lab.enforcer("time leap");
        lab.settle();
        assert_eq!(in_state(&lab.keys(), "KSK", "active").len(), 2, "{:?}", lab.keys());
    }
    let said = lab.asked("key ksk-retire -z ods", "y\n");
    said.is(&format!("{question}Old key retired\n"), 0);
    lab.settle();
    let keys = lab.leap_until(|keys| {
        keys.iter().any(|key| key.id == old.id && key.next == "waiting for ds-gone")
    });
    assert_eq!(in_state(&keys, "KSK", "active")[0].id, new.id, "{keys:?}");
    let revoke = "No keys in the RETIRE state matched your parameters, please check the parameters";
    lab.ksm("key ksk-revoke -z ods -x 1").complains(revoke, 255);
    lab.ksm("key ksk-revoke -z ods --tdead 20300101").refuses("--tdead cannot be kept");
    let early = lab.ksm(&format!("key ksk-revoke -z ods -x {}", old.tag));
    assert!(early.code == 255 && early.stderr.contains("still in use"), "{early:?}");
    lab.daemon.stop();
}

#[test]
fn all_zones_of_a_policy_roll_after_a_question() {
    let lab = Lab::start(installation());
    let question = "*WARNING* This will roll all keys on the policy; are you sure? [y/N] ";
    let said = lab.asked("key rollover -p default --all", "n\n");
    said.is(&format!("{question}Okay, quitting...\n"), 0);
    lab.settle();
    assert_eq!(lab.keys().len(), 2);
    let said = lab.asked("key rollover -p default --all", "y\n");
    let text = "Manual key rollover for key type all on policy default initiated\n";
    said.is(&format!("{question}{text}"), 0);
    lab.settle();
    assert_eq!(lab.keys().len(), 4, "{:?}", lab.keys());
    lab.daemon.stop();
}

#[test]
fn a_key_tag_of_two_keys_is_not_enough() {
    let installation = installation();
    let ids = ["0a0a0a0a", "0b0b0b0b"];
    for (name, id) in ["one", "other"].into_iter().zip(ids) {
        let file = repository_file(&format!("tests/data/key_commands/same-tag-{name}.pem"));
        let words = format!(
            "hsm import --role ksk --repository SoftHSM --same-tag --id {id} --config conf.xml {}",
            file.display()
        );
        let said = run(&installation, "anchorite", &words, "");
        assert_eq!(said.code, 0, "{said:?}");
    }
    let lab = Lab::start(installation);
    for id in ids {
        let said = lab.ksm(&format!(
            "key import -k {id} -r SoftHSM -z ods -b 256 -g 13 -e RETIRE -t KSK -w 01-Jan-2026:10"
        ));
        said.is("Key imported into zone(s)\n", 0);
    }
    lab.settle();
    let more = "More than one key matched your parameters, please include more information from \
                the above keys\n";
    let both =
        format!("Found key with CKA_ID {}\nFound key with CKA_ID {}\n{more}", ids[0], ids[1]);
    for words in ["key ds-seen -z ods -x 11684", "key ds-gone -z ods -x 11684"] {
        lab.ksm(words).is(&both, 255);
    }
    let said = lab.ksm(&format!("key ds-gone -z ods -x 11684 -k {}", ids[1]));
    said.complains(&format!("DS of key {} is gone\n", ids[1]), 0);
    lab.daemon.stop();
}
