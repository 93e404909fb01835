//! The PIN budget: a wrong PIN is offered once, whatever happens around it; a token that is locked,
//! or one try away from it, is not offered any.

use crate::subject::{Kind, Subject, batch, new_key, on_both, on_one};
use dnssec::Algorithm;
use hsm::{Disposition, SlotError};

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

#[test]
fn a_wrong_pin_is_offered_once() {
    on_both("pins::a_wrong_pin_is_offered_once", |subject| {
        subject.token.rules(&subject.token.pin_tries(3));
        let settings =
            hsm::pkcs11::Pkcs11Settings { pin: Some("4321".into()), ..subject.settings.clone() };
        let wrong = Subject { settings, ..subject };
        for _ in 0..5 {
            let error = wrong.open().err().unwrap();
            assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
            assert_eq!(error.disposition(), Disposition::Alarm);
        }
        assert_eq!(wrong.token.pins(), (1, 1));
        assert_eq!(wrong.token.count("C_Login"), 1);
    });
}

/// The module dies when it has counted the wrong PIN, so that nobody hears that it was wrong.
#[test]
fn a_wrong_pin_that_nobody_heard_about_is_offered_once() {
    let test = "pins::a_wrong_pin_that_nobody_heard_about_is_offered_once";
    on_one(test, Kind::Hosted, |subject| {
        let rules = format!("{}C_Login always abort-after", subject.token.pin_tries(3));
        subject.token.rules(&rules);
        let settings =
            hsm::pkcs11::Pkcs11Settings { pin: Some("4321".into()), ..subject.settings.clone() };
        let wrong = Subject { settings, ..subject };
        for _ in 0..5 {
            assert!(wrong.open().is_err());
        }
        assert_eq!(wrong.token.pins(), (1, 1));
    });
}

/// The PIN is changed while the slot runs; then the sessions are lost.
#[test]
fn a_pin_that_became_wrong_is_offered_once() {
    on_both("pins::a_pin_that_became_wrong_is_offered_once", |subject| {
        let slot = subject.open().unwrap();
        let (id, _) = new_key(&*slot, P256);
        let batch = batch(&id, P256);
        subject.token.rules(
            "C_SignInit 1 lose-sessions\nC_GetSessionInfo 1 lose-sessions\n\
             C_Login always return CKR_PIN_INCORRECT",
        );
        for _ in 0..5 {
            let error = slot.sign(&batch).unwrap_err();
            assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
            assert!(slot.list().is_err());
        }
        assert_eq!(subject.token.count("C_Login"), 1, "{:?}", subject.token.calls());
    });
}

#[test]
fn locked_tokens_and_final_tries_are_left_alone() {
    on_both("pins::locked_tokens_and_final_tries_are_left_alone", |subject| {
        subject.token.rules("C_GetTokenInfo always flag CKF_USER_PIN_LOCKED");
        let error = subject.open().err().unwrap();
        assert!(matches!(error, SlotError::PinLocked { .. }), "{error}");
        assert_eq!(subject.token.count("C_Login"), 0);
        subject.token.rules("C_GetTokenInfo always flag CKF_USER_PIN_FINAL_TRY");
        let error = subject.open().err().unwrap();
        assert!(matches!(error, SlotError::PinFinalTry { .. }), "{error}");
        assert_eq!(subject.token.count("C_Login"), 0);
        subject.token.rules("");
        assert!(subject.open().is_ok());
    });
}

#[test]
fn a_token_that_locks_at_once() {
    on_both("pins::a_token_that_locks_at_once", |subject| {
        subject.token.rules("C_Login always return CKR_PIN_LOCKED");
        let error = subject.open().err().unwrap();
        assert!(matches!(error, SlotError::PinLocked { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Alarm);
        assert_eq!(subject.token.count("C_Login"), 1);
    });
}

/// A right PIN costs no try, however often sessions are lost.
#[test]
fn a_right_pin_is_never_counted_as_wrong() {
    on_both("pins::a_right_pin_is_never_counted_as_wrong", |subject| {
        let tries = subject.token.pin_tries(3);
        subject.token.rules(&tries);
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), P256);
        subject.token.rules(&format!("{tries}C_SignInit every 2 lose-sessions"));
        for _ in 0..5 {
            caller.attempt(|slot| slot.sign(&batch(&id, P256))).ok();
        }
        subject.token.rules(&tries);
        caller.sign(&id, &key);
        let (wrong, offered) = subject.token.pins();
        assert!(wrong == 0 && offered > 1, "{wrong} wrong of {offered}");
        assert!(subject.kind == Kind::Hosted || subject.token.count("C_Initialize") == 0);
    });
}
