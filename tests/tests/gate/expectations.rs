//! What the daemon knows beside the zone, and the auditor holds a version against: the DS that the
//! key states speak of (W4), the policy's kinds of keys, the serials that were served (W12). In
//! each test the daemon's store or its files are made to disagree.

use crate::lab::{ZONE, installation, run, settle, signed_serial, start, store, told};
use anchorite_tests::daemon::Installation;
use audit::PublishedVersion;
use dnssec::enforcer::{KeyLife, RecordLife, RecordState, ZoneLife};
use dnssec::key::{KeyId, KeyRole, PublicKey, dnskey_rdata};
use dnssec::{Algorithm, Name, Timestamp};
use storage::StateStore;
use storage::state::{BackupState, Cause, KeyOwner, LifeChange, NewKey};

fn zone() -> Name {
    Name::parse(format!("{ZONE}.").as_bytes(), None).unwrap()
}

/// An installation whose zone is signed, and whose daemon was stopped.
fn signed() -> Installation {
    let installation = installation();
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    settle(&installation);
    daemon.stop();
    installation
}

/// Changes what is remembered of the zone's keys.
fn edit_life(store: &StateStore, edit: impl FnOnce(&mut ZoneLife)) {
    let mut life = store.life(&zone()).unwrap().unwrap();
    edit(&mut life);
    let cause = Cause::from("test");
    let change =
        LifeChange { zone: &zone(), life: &life, taken: &[], at: Timestamp(1), cause: &cause };
    store.life_commit(&change).unwrap();
}

/// Changes what the auditor is told of the versions that caches may have.
fn edit_last(store: &StateStore, edit: impl FnOnce(&mut PublishedVersion)) {
    let eras = store.eras(&zone()).unwrap().expect("a version was published");
    let mut history: Vec<PublishedVersion> = postcard::from_bytes(&eras).unwrap();
    edit(history.last_mut().unwrap());
    store.eras_put(&zone(), &postcard::to_allocvec(&history).unwrap()).unwrap();
}

/// Starts the daemon with a new input, which is refused for this finding; the version before stays.
#[track_caller]
fn is_refused(installation: &Installation, findings: &[&str]) {
    let good = signed_serial(installation);
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.81");
    let mut daemon = start(installation);
    let alarm = daemon.wait_for(&["ALARM: zone gate.example", "the auditor refused zone"]);
    let is_found = findings.iter().any(|finding| alarm.contains(finding));
    let log = || std::iter::once(alarm.clone()).chain([daemon.log()]).collect::<String>();
    // The findings are in the lines that follow.
    let shown = told(installation, &["zone", "audit", ZONE]);
    let is_shown = findings.iter().any(|finding| shown.contains(finding));
    assert!(is_found || is_shown, "{findings:?}: {shown} {}", log());
    assert_eq!(signed_serial(installation), good);
    daemon.stop();
}

#[test]
fn a_ds_that_led_into_the_zone_and_would_not_any_more_is_refused_w4() {
    let installation = signed();
    let (id, bytes) = (KeyId::new(&[7; 16]).unwrap(), vec![7; 32]);
    let algorithm = Algorithm::Ed25519;
    let store = store(&installation);
    let inception = Timestamp(1);
    store
        .key_intent(&NewKey {
            id: id.clone(),
            repository: "built-in".to_owned(),
            role: KeyRole::Ksk,
            algorithm,
            bits: 256,
            flags: 257,
            owner: KeyOwner::Zone(Box::new(zone())),
            inception,
            backup: BackupState::NotRequired,
        })
        .unwrap();
    let public_key = PublicKey { algorithm, bytes };
    store.key_present("built-in", &id, &public_key, inception).unwrap();
    let dnskey = dnskey_rdata(257, &public_key);
    // Its DS is everywhere, and the zone is said to have had it.
    edit_life(&store, |life| {
        let ksk = life.keys.iter().find(|key| key.role == KeyRole::Ksk).unwrap().clone();
        let state = |state| RecordLife { state, since: Timestamp(1), confirmed: None };
        life.keys.push(KeyLife {
            id,
            algorithm,
            key_tag: dnssec::key::key_tag(&dnskey),
            introducing: false,
            ds: Some(state(RecordState::Omnipresent)),
            dnskey: state(RecordState::Hidden),
            rrsig_dnskey: Some(state(RecordState::Hidden)),
            ..ksk
        });
    });
    edit_last(&store, |last| {
        last.keys.dnskeys.push(dnskey.clone());
        last.keys.keyset_signers.push(dnskey);
    });
    drop(store);
    is_refused(&installation, &["A701 error", "A713 error"]);
}

#[test]
fn a_new_key_of_an_algorithm_that_the_policy_lacks_is_refused() {
    let installation = signed();
    // The key states say that the keys are what the policy now asks for. They are not.
    installation.edit("kasp.xml", "<Algorithm length=\"256\">13<", "<Algorithm>15<");
    let store = store(&installation);
    edit_life(&store, |life| {
        life.keys.iter_mut().for_each(|key| key.algorithm = Algorithm::Ed25519);
    });
    // Of the two, the ZSK is new.
    edit_last(&store, |last| last.keys.dnskeys.retain(|dnskey| dnskey[1] == 1));
    drop(store);
    is_refused(&installation, &["A213 error"]);
}

#[test]
fn a_new_key_of_another_size_than_the_policys_is_refused_until_it_is_waived() {
    let installation = installation();
    installation.edit("kasp.xml", "<Algorithm length=\"256\">13<", "<Algorithm length=\"2048\">8<");
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    settle(&installation);
    daemon.stop();
    // As above, with the size that they are said to have.
    installation.edit("kasp.xml", "length=\"2048\"", "length=\"3072\"");
    let store = store(&installation);
    edit_life(&store, |life| life.keys.iter_mut().for_each(|key| key.bits = 3072));
    edit_last(&store, |last| last.keys.dnskeys.retain(|dnskey| dnskey[1] == 1));
    drop(store);
    is_refused(&installation, &["A214 error"]);
    let mut daemon = start(&installation);
    daemon.wait_for(&["ALARM: zone gate.example", "is rejected"]);
    let words = ["audit", "waive", ZONE, "A214", "--until", "2027-09-30", "--reason", "made so"];
    told(&installation, &words);
    daemon.wait_for(&["[STATS]", ZONE]);
    assert!(installation.read(&format!("signed/{ZONE}")).contains("192.0.2.81"));
    daemon.stop();
}

#[test]
fn a_serial_below_the_one_that_is_served_is_refused_and_then_overtaken_w12() {
    let installation = installation();
    let mut daemon = start(&installation);
    daemon.wait_for(&["[STATS]", ZONE]);
    settle(&installation);
    let good = signed_serial(&installation);
    // Another signer writes the file.
    let served = good + 1_000_000;
    let text = installation.read(&format!("signed/{ZONE}"));
    let theirs = text.replacen(&good.to_string(), &served.to_string(), 1);
    installation.write(&format!("signed/{ZONE}"), &theirs);
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.81");
    run(&installation, "ods-signer", &["sign", ZONE]);
    daemon.wait_for(&["ALARM: zone gate.example", "is rejected"]);
    let shown = told(&installation, &["zone", "audit", ZONE]);
    assert!(shown.contains("A609 error") && shown.contains(&served.to_string()), "{shown}");
    assert_eq!(installation.read(&format!("signed/{ZONE}")), theirs);
    // The next try knows of it, as does the next start.
    daemon.stop();
    let mut daemon = start(&installation);
    daemon.wait_for(&["newer than the last version that is known", &served.to_string()]);
    daemon.wait_for(&["[STATS]", ZONE]);
    assert!(signed_serial(&installation) > served);
    assert!(installation.read(&format!("signed/{ZONE}")).contains("192.0.2.81"));
    daemon.stop();
}
