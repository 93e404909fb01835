//! Modules that end their process, talk on standard output, or take its signals (R10, R12): only
//! the slot's own process suffers, and the next one goes on.

use crate::subject::{Kind, batch, new_id, new_key, on_one};
use anchorite_tests::fault_module::SOFTHSM;
use dnssec::Algorithm;
use hsm::Disposition;
use std::path::PathBuf;

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

#[test]
fn a_crash_is_an_error_and_the_next_host_goes_on() {
    on_one("crashes::a_crash_is_an_error_and_the_next_host_goes_on", Kind::Hosted, |subject| {
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), P256);
        for end in ["abort", "segfault", "exit 0", "exit 3"] {
            for function in ["C_SignInit", "C_Sign", "C_FindObjects"] {
                let slot = subject.open().unwrap();
                subject.token.rules(&format!("{function} 1 {end}"));
                let error = slot.sign(&batch(&id, P256)).unwrap_err();
                assert_eq!(error.disposition(), Disposition::Restart, "{function} {end}: {error}");
                // The rule's count lives in the process that has ended.
                subject.token.rules("");
                slot.sign(&batch(&id, P256)).unwrap();
            }
        }
        caller.sign(&id, &key);
    });
}

/// The process ends before or after the key was made: one key in the end, no more.
#[test]
fn a_crash_while_a_key_is_made() {
    on_one("crashes::a_crash_while_a_key_is_made", Kind::Hosted, |subject| {
        for rule in ["C_GenerateKeyPair 1 segfault", "C_GetAttributeValue 1 abort"] {
            let mut caller = subject.caller();
            let id = new_id();
            let request = hsm::GenerateRequest::new(id.clone(), P256);
            subject.token.rules(rule);
            assert!(caller.slot().generate(&request).is_err(), "{rule}");
            subject.token.rules("");
            let key = caller.generate(&id, P256);
            caller.sign(&id, &key);
            assert_eq!(subject.token.object_count(), 2, "{rule}");
            caller.delete(&id);
        }
    });
}

#[test]
fn a_module_that_crashes_again_and_again_is_given_up() {
    on_one("crashes::a_module_that_crashes_again_and_again_is_given_up", Kind::Hosted, |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        subject.token.rules("C_SignInit always abort");
        for _ in 0..20 {
            slot.sign(&batch(&id, P256)).unwrap_err();
        }
        let crashes = subject.token.count("C_SignInit");
        assert!(crashes < 10, "{crashes} processes were lost");
        // Its owner opens it anew, later.
        subject.token.rules("");
        let mut caller = subject.caller();
        caller.sign(&id, &key);
    });
}

#[test]
fn talk_on_standard_output_and_taken_signals_do_no_harm() {
    let test = "crashes::talk_on_standard_output_and_taken_signals_do_no_harm";
    on_one(test, Kind::Hosted, |subject| {
        subject.token.rules("* every 2 print vendor says hello\nC_Initialize 1 ignore-sigterm");
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), P256);
        caller.sign(&id, &key);
        caller.delete(&id);
    });
}

/// Two repositories, one dies: the other one signs on.
#[test]
fn another_repository_does_not_notice() {
    on_one("crashes::another_repository_does_not_notice", Kind::Hosted, |subject| {
        let slot = subject.open().unwrap();
        let (id, _) = new_key(&*slot, P256);
        let settings = hsm::pkcs11::Pkcs11Settings {
            repository: "other".to_owned(),
            module: PathBuf::from(SOFTHSM),
            ..subject.settings.clone()
        };
        let other = crate::subject::Subject { settings, ..subject };
        let mut neighbour = other.caller();
        let key = neighbour.insist(|slot| slot.public_key(&id, P256));
        other.token.rules("* always abort");
        for _ in 0..10 {
            slot.sign(&batch(&id, P256)).unwrap_err();
            neighbour.slot().sign(&batch(&id, P256)).unwrap();
        }
        neighbour.sign(&id, &key);
    });
}
