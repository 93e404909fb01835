//! Each call into the module failing once, losing its session, or finding the token away (R9):
//! no key is lost or made twice, nothing wrong is signed, and then it works again.

use crate::subject::{Caller, Kind, Subject, batch, new_id, new_key, on_both};
use dnssec::Algorithm;
use hsm::{GenerateRequest, SlotError};

const ALGORITHM: Algorithm = Algorithm::EcdsaP256Sha256;

/// A key's whole life. The caller may have no slot yet.
fn tour(caller: &mut Caller) {
    caller.insist(|slot| slot.info());
    let id = new_id();
    let key = caller.generate(&id, ALGORITHM);
    caller.sign(&id, &key);
    assert_eq!(caller.insist(|slot| slot.public_key(&id, ALGORITHM)), key);
    let entries = caller.insist(|slot| slot.list());
    assert_eq!(entries.iter().filter(|entry| entry.id == id).count(), 1, "{entries:?}");
    caller.delete(&id);
}

/// Every function that a tour calls, with the number of its calls.
fn functions(subject: &Subject) -> Vec<(String, usize)> {
    subject.token.rules("");
    tour(&mut subject.caller_that_mends());
    let mut functions: Vec<(String, usize)> = Vec::new();
    for (name, _) in subject.token.calls() {
        match functions.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => functions.push((name, 1)),
        }
    }
    assert!(functions.iter().any(|(name, _)| name == "C_Sign"), "{functions:?}");
    functions
}

/// Runs tours in which `action` befalls each function, in its first, middle and last call. The
/// token has another key all the while, as every token in use has.
fn tours_with(subject: &Subject, action: &str) {
    new_key(&*subject.open().unwrap(), ALGORITHM);
    for (function, count) in functions(subject) {
        // A module that cannot begin is another matter: nothing is lost then, nothing is made.
        if function == "C_Initialize" {
            continue;
        }
        let mut numbers = vec![1, count.div_ceil(2), count];
        numbers.dedup();
        for number in numbers {
            let rule = format!("{function} {number} {action}");
            eprintln!("{:?}: {rule}", subject.kind);
            subject.token.rules(&rule);
            let mut caller = subject.caller_that_mends();
            tour(&mut caller);
            let has_failed = caller.has_failed;
            // Its sessions are closed by this, which are calls too.
            drop(caller);
            let is_in_log = subject.token.calls().iter().any(|(name, value)| {
                *name == function && action.split(' ').next_back() == Some(value)
            });
            // A host closes and finalises by itself when nobody looks any more.
            let is_late = ["C_CloseSession", "C_Finalize"].contains(&function.as_str());
            let is_sure = number == 1 && action.contains("CKR_") && !is_late;
            assert!(has_failed || is_in_log || !is_sure, "{rule}: it never happened");
            assert_eq!(subject.token.object_count(), 2, "{rule}: something is left");
        }
    }
}

#[test]
fn device_error() {
    on_both("each_call::device_error", |subject| {
        tours_with(&subject, "return CKR_DEVICE_ERROR");
    });
}

#[test]
fn general_error_after_the_fact() {
    on_both("each_call::general_error_after_the_fact", |subject| {
        tours_with(&subject, "then CKR_GENERAL_ERROR");
    });
}

#[test]
fn session_handle_invalid() {
    on_both("each_call::session_handle_invalid", |subject| {
        tours_with(&subject, "return CKR_SESSION_HANDLE_INVALID");
    });
}

#[test]
fn sessions_lost() {
    on_both("each_call::sessions_lost", |subject| tours_with(&subject, "lose-sessions"));
}

#[test]
fn login_lost() {
    on_both("each_call::login_lost", |subject| tours_with(&subject, "lose-login"));
}

/// The token is pulled out in each call, and put back after some calls have met its absence.
#[test]
fn unplugged_and_back() {
    on_both("each_call::unplugged_and_back", |subject| {
        let functions = functions(&subject);
        let mut caller = subject.caller();
        let (id, key) = new_key(caller.slot(), ALGORITHM);
        for (function, _) in functions {
            for moment in ["before", "during", "after"] {
                eprintln!("{:?}: {function} {moment}", subject.kind);
                subject.token.rules(&format!("{function} 1 unplug {moment}"));
                check_unplugged(&subject, &mut caller, &id);
                subject.token.rules("");
                caller.sign(&id, &key);
                assert_eq!(caller.insist(|slot| slot.list()).len(), 1);
                assert_eq!(subject.token.object_count(), 2, "{function} {moment}");
            }
        }
    });
}

/// The token is pulled out in each call while a key is made: there is one key in the end.
#[test]
fn unplugged_while_a_key_is_made() {
    on_both("each_call::unplugged_while_a_key_is_made", |subject| {
        new_key(&*subject.open().unwrap(), ALGORITHM);
        for (function, _) in functions(&subject) {
            for moment in ["before", "during", "after"] {
                eprintln!("{:?}: {function} {moment}", subject.kind);
                subject.token.rules("");
                let mut caller = subject.caller();
                let id = new_id();
                let request = GenerateRequest::new(id.clone(), ALGORITHM);
                subject.token.rules(&format!("{function} 1 unplug {moment}"));
                for _ in 0..2 {
                    caller.attempt(|slot| slot.generate(&request)).ok();
                }
                subject.token.rules("");
                let key = caller.generate(&id, ALGORITHM);
                caller.sign(&id, &key);
                assert_eq!(subject.token.object_count(), 4, "{function} {moment}");
                caller.delete(&id);
            }
        }
    });
}

/// Nobody is told that a key does not exist because the token is away.
fn check_unplugged(subject: &Subject, caller: &mut Caller, id: &dnssec::key::KeyId) {
    let batch = batch(id, ALGORITHM);
    let away = |result: Result<(), SlotError>| {
        let Err(error) = result else { return };
        let is_lie = matches!(error, SlotError::NotFound { .. } | SlotError::KeyAmbiguous { .. });
        assert!(!is_lie, "{error}");
    };
    for _ in 0..2 {
        away(caller.attempt(|slot| slot.sign(&batch)).map(drop));
        let listed = caller.attempt(|slot| slot.list());
        assert!(listed.as_ref().map_or(true, |keys| keys.len() == 1), "{listed:?}");
        away(caller.attempt(|slot| slot.public_key(id, ALGORITHM)).map(drop));
    }
    assert!(subject.kind == Kind::Hosted || subject.token.object_count() == 2);
}
