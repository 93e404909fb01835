//! Few sessions, slow sessions, sessions that stall (rules HSM-6 and HSM-7).

use crate::subject::{Kind, Subject, batch, check_signatures, new_key, on_both, on_one};
use dnssec::Algorithm;
use hsm::{Disposition, Slot};
use std::time::{Duration, Instant};

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

/// Six callers at once share what sessions there are.
fn check_crowd(subject: &Subject) {
    let slot = subject.open().unwrap();
    let (id, key) = new_key(&*slot, P256);
    let batch = batch(&id, P256);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                (0..5).for_each(|_| check_signatures(&key, &batch, &slot.sign(&batch).unwrap()));
            });
        }
    });
    slot.delete(&id).unwrap();
}

#[test]
fn three_sessions_are_enough() {
    on_both("sessions::three_sessions_are_enough", |subject| {
        subject.token.rules("C_OpenSession always sessions 3");
        check_crowd(&subject);
        subject.token.rules("C_OpenSession always sessions 3\nC_GetTokenInfo always sessions 3");
        check_crowd(&subject);
    });
}

#[test]
fn two_sessions_are_enough() {
    on_both("sessions::two_sessions_are_enough", |subject| {
        subject.token.rules("C_OpenSession always sessions 2\nC_GetTokenInfo always sessions 2");
        check_crowd(&subject);
    });
}

/// A token that is a millisecond away is used by many sessions at once.
#[test]
fn a_slow_token_is_used_in_parallel() {
    on_both("sessions::a_slow_token_is_used_in_parallel", |subject| {
        let settings = hsm::pkcs11::Pkcs11Settings { sessions_max: 16, ..subject.settings.clone() };
        let subject = Subject { settings, ..subject };
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        let batch = batch(&id, P256);
        const CALLERS: u32 = 16;
        const BATCHES: u32 = 10;
        subject.token.rules("C_Sign always delay 5000");
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    for _ in 0..BATCHES {
                        check_signatures(&key, &batch, &slot.sign(&batch).unwrap());
                    }
                });
            }
        });
        let in_turn = Duration::from_millis(5) * CALLERS * BATCHES * batch.messages.len() as u32;
        let took = begin.elapsed();
        assert!(took < in_turn / 2, "{took:?}, in turn at least {in_turn:?}");
    });
}

/// One call stalls; others go on, and it ends well when the token comes to life again.
#[test]
fn a_stall_of_one_session_does_not_stop_the_others() {
    on_both("sessions::a_stall_of_one_session_does_not_stop_the_others", |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        let batch = batch(&id, P256);
        let sign = |slot: &dyn Slot| check_signatures(&key, &batch, &slot.sign(&batch).unwrap());
        sign(&*slot);
        subject.token.rules("C_SignInit 1 stall");
        std::thread::scope(|scope| {
            let stalled = scope.spawn(|| sign(&*slot));
            subject.token.wait_for("C_SignInit", "stalls", 1);
            (0..5).for_each(|_| sign(&*slot));
            assert!(!stalled.is_finished());
            subject.token.rules("");
        });
    });
}

/// A slot in a process of its own gives up at its deadline, kills the process, and begins anew.
#[test]
fn a_stall_is_reported_at_the_deadline() {
    on_one("sessions::a_stall_is_reported_at_the_deadline", Kind::Hosted, |subject| {
        let subject = Subject { deadlines: crate::subject::short_deadlines(), ..subject };
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), P256);
        let batch = batch(&id, P256);
        for function in ["C_SignInit", "C_Sign", "C_FindObjects", "C_GetSessionInfo"] {
            let fresh = subject.open().unwrap();
            subject.token.rules(&format!("{function} 1 stall"));
            let error = fresh.sign(&batch).unwrap_err();
            assert_eq!(error.disposition(), Disposition::Restart, "{function}: {error}");
            subject.token.rules("");
            check_signatures(&key, &batch, &fresh.sign(&batch).unwrap());
        }
        caller.sign(&id, &key);
    });
}

/// So does one that stalls while it is opened.
#[test]
fn a_stall_while_opening_is_reported_at_the_deadline() {
    on_one(
        "sessions::a_stall_while_opening_is_reported_at_the_deadline",
        Kind::Hosted,
        |subject| {
            let subject = Subject { deadlines: crate::subject::short_deadlines(), ..subject };
            for function in ["C_Initialize", "C_GetTokenInfo", "C_OpenSession", "C_Login"] {
                subject.token.rules(&format!("{function} 1 stall"));
                let error = subject.open().err().unwrap();
                assert_eq!(error.disposition(), Disposition::Restart, "{function}: {error}");
                subject.token.rules("");
                subject.open().unwrap();
            }
        },
    );
}

/// Tokens exist that have one session for a process.
#[test]
fn one_session_is_enough() {
    on_both("sessions::one_session_is_enough", |subject| {
        subject.token.rules("C_OpenSession always sessions 1\nC_GetTokenInfo always sessions 1");
        check_crowd(&subject);
    });
}
