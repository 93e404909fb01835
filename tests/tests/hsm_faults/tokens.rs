//! Which token it is (rule HSM-2), and modules that are odd when they begin.

use crate::subject::{Kind, batch, new_key, on_both, on_one};
use dnssec::Algorithm;
use hsm::{Disposition, SlotError};

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

/// Another token is in the slot after the sessions were lost.
#[test]
fn a_token_with_another_label_is_not_used() {
    on_both("tokens::a_token_with_another_label_is_not_used", |subject| {
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), P256);
        subject
            .token
            .rules("C_GetTokenInfo always label Somebody else's\nC_SignInit 1 lose-sessions");
        for _ in 0..2 {
            let error = caller.slot().sign(&batch(&id, P256)).unwrap_err();
            assert!(matches!(error, SlotError::TokenMissing { .. }), "{error}");
        }
        subject.token.rules("");
        caller.sign(&id, &key);
    });
}

#[test]
fn a_token_with_another_serial_number_is_not_used() {
    on_one("tokens::a_token_with_another_serial_number_is_not_used", Kind::Hosted, |subject| {
        let serial = subject.open().unwrap().info().unwrap().serial;
        let mut subject = subject;
        subject.settings.known.serial = Some(serial);
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), P256);
        subject.token.rules("C_GetTokenInfo always serial 42\nC_SignInit 1 lose-sessions");
        let error = caller.slot().sign(&batch(&id, P256)).unwrap_err();
        assert!(matches!(error, SlotError::TokenReplaced { .. }), "{error}");
        let error = subject.open().err().unwrap();
        assert!(matches!(error, SlotError::TokenReplaced { .. }), "{error}");
        subject.token.rules("");
        caller.sign(&id, &key);
    });
}

#[test]
fn a_module_that_says_it_was_initialised_already() {
    on_both("tokens::a_module_that_says_it_was_initialised_already", |subject| {
        subject.token.rules("C_Initialize always then CKR_CRYPTOKI_ALREADY_INITIALIZED");
        let slot = subject.open().unwrap();
        new_key(&*slot, P256);
    });
}

/// A network HSM that is down when the box starts: C_Initialize fails, and works some time later.
#[test]
fn a_module_that_cannot_begin_yet_is_tried_again() {
    on_both("tokens::a_module_that_cannot_begin_yet_is_tried_again", |subject| {
        for value in ["CKR_DEVICE_ERROR", "CKR_GENERAL_ERROR", "CKR_HOST_MEMORY"] {
            subject.token.rules(&format!("C_Initialize 1 return {value}"));
            // In this process the module has begun after the first round.
            let Err(error) = subject.open() else { continue };
            let disposition = error.disposition();
            let may_retry = matches!(disposition, Disposition::Retry { .. } | Disposition::Restart);
            assert!(may_retry, "{value}: {disposition:?}: {error}");
            subject.token.rules("");
            subject.open().unwrap();
        }
    });
}

/// opencryptoki's clock says what is no time; its token works all the same.
#[test]
fn a_token_with_a_bad_clock_is_used() {
    on_both("tokens::a_token_with_a_bad_clock_is_used", |subject| {
        subject.token.rules("C_GetTokenInfo always bad-clock");
        let slot = subject.open().unwrap();
        new_key(&*slot, P256);
        slot.info().unwrap();
    });
}

/// The canary is an object beside the keys, hidden when they are, and none of them.
#[test]
fn a_canary_is_shown_when_keys_are() {
    on_both("tokens::a_canary_is_shown_when_keys_are", |subject| {
        let slot = subject.open().unwrap();
        let canary = hsm::random_key_id().unwrap();
        assert!(!slot.shows_canary(&canary).unwrap());
        slot.put_canary(&canary).unwrap();
        slot.put_canary(&canary).unwrap();
        assert_eq!(subject.token.object_count(), 1, "made once");
        assert!(slot.list().unwrap().is_empty(), "it is no key");
        assert!(slot.shows_canary(&canary).unwrap());
        subject.token.rules("C_FindObjects always forget");
        assert!(!slot.shows_canary(&canary).unwrap());
        subject.token.rules("C_FindObjectsInit 1 lose-login");
        assert!(slot.shows_canary(&canary).unwrap(), "the login is made anew");
    });
}

/// A mechanism that the token lists and refuses, or that makes wrong signatures, is not chosen.
#[test]
fn mechanisms_are_chosen_by_trial() {
    on_both("tokens::mechanisms_are_chosen_by_trial", |mut subject| {
        let algorithm = dnssec::Algorithm::RsaSha256;
        // CKM_RSA_PKCS and CKM_SHA256_RSA_PKCS.
        let (raw, hashing) = (0x1, 0x40);
        let (id, key) = new_key(&*subject.open().unwrap(), algorithm);
        let found = [
            ("", raw),
            ("C_SignInit 1 return CKR_MECHANISM_INVALID", hashing),
            ("C_Sign 1 flip", raw),
            ("C_Sign 1..2 flip", hashing),
        ];
        for (rules, mechanism) in found {
            let slot = subject.open().unwrap();
            slot.public_key(&id, algorithm).unwrap();
            subject.token.rules(rules);
            let choice = slot.choose_mechanism(&id, algorithm).unwrap().unwrap();
            assert_eq!(choice, hsm::MechanismChoice { algorithm, mechanism }, "{rules}");
            subject.token.rules("");
            drop(slot);
            // A slot that is told so signs so.
            subject.settings.known.mechanisms = vec![choice];
            let mut caller = subject.caller();
            caller.sign(&id, &key);
        }
        let slot = subject.open().unwrap();
        subject.token.rules("C_Sign always flip");
        let error = slot.choose_mechanism(&id, algorithm).err().unwrap();
        assert!(matches!(error, SlotError::AlgorithmUnavailable { .. }), "{error}");
    });
}
