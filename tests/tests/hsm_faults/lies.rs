//! Tokens that lie (R11): about signatures, about objects, about a key that they made or not. No
//! wrong signature leaves a slot, and no lie makes a slot make or delete a key.

use crate::subject::{Kind, batch, check_signatures, new_id, new_key, on_both};
use dnssec::Algorithm;
use hsm::{GenerateRequest, Packed, SignBatch, SlotError};

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::Ed25519,
    Algorithm::RsaSha256,
];
const P256: Algorithm = Algorithm::EcdsaP256Sha256;

#[test]
fn wrong_signatures_stay_inside() {
    on_both("lies::wrong_signatures_stay_inside", |subject| {
        for algorithm in ALGORITHMS {
            for lie in ["flip", "other-key", "short", "empty", "long"] {
                let slot = subject.open().unwrap();
                let (id, key) = new_key(&*slot, algorithm);
                let (other, _) = new_key(&*slot, algorithm);
                let batch = batch(&id, algorithm);
                subject.token.rules(&format!("C_Sign always {lie}"));
                match slot.sign(&batch) {
                    // A length beyond the buffer harms nobody, if nobody believes it.
                    Ok(signatures) if lie == "long" => check_signatures(&key, &batch, &signatures),
                    Ok(signatures) => panic!("{algorithm} {lie}: {signatures:?}"),
                    Err(error) => assert!(
                        matches!(error, SlotError::WrongSignature { .. }),
                        "{algorithm} {lie}: {error}"
                    ),
                }
                subject.token.rules("");
                [&id, &other].into_iter().for_each(|id| slot.delete(id).unwrap());
            }
        }
    });
}

/// One wrong signature in a batch: the batch is refused, or what was wrong is made again.
#[test]
fn one_wrong_signature_in_a_batch() {
    on_both("lies::one_wrong_signature_in_a_batch", |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        let batch = batch(&id, P256);
        subject.token.rules("C_Sign 2 flip");
        match slot.sign(&batch) {
            Ok(signatures) => check_signatures(&key, &batch, &signatures),
            Err(error) => {
                assert!(matches!(error, SlotError::WrongSignature { index: 1, .. }), "{error}");
            }
        }
        check_signatures(&key, &batch, &slot.sign(&batch).unwrap());
    });
}

/// One lie in a thousand, ten thousand signatures.
#[test]
fn rare_lies_among_ten_thousand_signatures() {
    on_both("lies::rare_lies_among_ten_thousand_signatures", |subject| {
        const BATCH: usize = 100;
        let mut slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        subject.token.rules("seed 20261122\nC_Sign 1/1000 flip");
        let mut refused = 0;
        for number in 0..100_u32 {
            let messages: Vec<_> =
                (0..BATCH).map(|index| format!("{number} {index}").into_bytes()).collect();
            let messages: Packed = messages.iter().map(Vec::as_slice).collect();
            let batch = SignBatch { key: id.clone(), algorithm: P256, messages };
            match slot.sign(&batch) {
                Ok(signatures) => check_signatures(&key, &batch, &signatures),
                Err(SlotError::WrongSignature { .. }) => {
                    refused += 1;
                    slot = subject.open().unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
        // Whoever signs again what was wrong need refuse nothing.
        assert!(refused > 0 || subject.kind == Kind::Hosted, "no lie came");
    });
}

/// ECDSA in DER is no lie but a custom (rule HSM-10).
#[test]
fn signatures_in_der_are_understood() {
    on_both("lies::signatures_in_der_are_understood", |subject| {
        let slot = subject.open().unwrap();
        subject.token.rules("C_Sign always der");
        for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384] {
            let (id, key) = new_key(&*slot, algorithm);
            let batch = batch(&id, algorithm);
            for _ in 0..20 {
                check_signatures(&key, &batch, &slot.sign(&batch).unwrap());
            }
        }
    });
}

#[test]
fn forgotten_keys_are_not_made_again() {
    on_both("lies::forgotten_keys_are_not_made_again", |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        let batch = batch(&id, P256);
        let fresh = subject.open().unwrap();
        subject.token.rules("C_FindObjects always forget");
        for error in [
            fresh.sign(&batch).unwrap_err(),
            fresh.public_key(&id, P256).unwrap_err(),
            fresh.delete(&id).unwrap_err(),
        ] {
            // A token that shows nothing of what it has shown is away, as far as one can tell.
            let is_known =
                matches!(error, SlotError::NotFound { .. } | SlotError::TokenGone { .. });
            assert!(is_known, "{error}");
        }
        subject.token.rules("");
        check_signatures(&key, &batch, &fresh.sign(&batch).unwrap());
        assert_eq!(subject.token.object_count(), 2);
    });
}

/// A handle that comes twice is still one key.
#[test]
fn objects_that_come_twice() {
    on_both("lies::objects_that_come_twice", |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        let batch = batch(&id, P256);
        subject.token.rules("C_FindObjects always duplicate");
        let fresh = subject.open().unwrap();
        match fresh.sign(&batch) {
            Ok(signatures) => check_signatures(&key, &batch, &signatures),
            Err(error) => assert!(matches!(error, SlotError::KeyAmbiguous { .. }), "{error}"),
        }
        subject.token.rules("");
        check_signatures(&key, &batch, &fresh.sign(&batch).unwrap());
        assert_eq!(subject.token.object_count(), 2);
    });
}

#[test]
fn a_key_that_was_made_after_all_is_found() {
    on_both("lies::a_key_that_was_made_after_all_is_found", |subject| {
        let slot = subject.open().unwrap();
        let request = GenerateRequest::new(new_id(), P256);
        subject.token.rules("C_GenerateKeyPair 1 then CKR_DEVICE_ERROR");
        let error = slot.generate(&request).unwrap_err();
        assert!(!matches!(error, SlotError::KeyExists { .. }), "{error}");
        let mut caller = subject.caller();
        let key = caller.insist(|slot| slot.public_key(&request.id, P256));
        let error = caller.slot().generate(&request).unwrap_err();
        assert!(matches!(error, SlotError::KeyExists { .. }), "{error}");
        caller.sign(&request.id, &key);
        assert_eq!(subject.token.object_count(), 2);
    });
}

#[test]
fn a_key_that_was_not_made_is_not_believed() {
    on_both("lies::a_key_that_was_not_made_is_not_believed", |subject| {
        let mut caller = subject.caller();
        let request = GenerateRequest::new(new_id(), P256);
        subject.token.rules("C_GenerateKeyPair 1 claim");
        let told = caller.attempt(|slot| slot.generate(&request));
        assert!(told.is_err(), "{told:?}");
        assert_eq!(subject.token.object_count(), 0);
        let key = caller.generate(&request.id, P256);
        caller.sign(&request.id, &key);
        assert_eq!(subject.token.object_count(), 2);
    });
}

/// Neither does a token that forgets during the search before a key is made.
#[test]
fn an_id_is_not_taken_twice_by_a_token_that_forgets() {
    on_both("lies::an_id_is_not_taken_twice_by_a_token_that_forgets", |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        subject.token.rules("C_FindObjects always forget");
        let request = GenerateRequest::new(id.clone(), P256);
        let error = slot.generate(&request).err();
        assert!(error.is_some(), "a second key with the same id");
        subject.token.rules("");
        assert_eq!(subject.token.object_count(), 2);
        assert_eq!(slot.public_key(&id, P256).unwrap(), key);
    });
}

#[test]
fn a_list_names_each_key_once() {
    on_both("lies::a_list_names_each_key_once", |subject| {
        let slot = subject.open().unwrap();
        let (id, _) = new_key(&*slot, P256);
        subject.token.rules("C_FindObjects always duplicate");
        let ids: Vec<_> = slot.list().unwrap().into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [id]);
    });
}

/// The standard allows fewer handles in a call than there is room for; the search ends with none.
#[test]
fn a_list_is_whole_though_handles_come_one_by_one() {
    on_both("lies::a_list_is_whole_though_handles_come_one_by_one", |subject| {
        let slot = subject.open().unwrap();
        let mut ids: Vec<_> = (0..3).map(|_| new_key(&*slot, P256).0).collect();
        ids.sort();
        subject.token.rules("C_FindObjects always limit 1");
        let listed: Vec<_> = slot.list().unwrap().into_iter().map(|entry| entry.id).collect();
        assert_eq!(listed, ids);
    });
}

/// A public key that is read with a wrong bit would be published: it has to fit its private key.
#[test]
fn a_wrong_public_key_is_not_given_out() {
    on_both("lies::a_wrong_public_key_is_not_given_out", |subject| {
        let slot = subject.open().unwrap();
        for algorithm in ALGORITHMS {
            subject.token.rules("C_GetAttributeValue always flip");
            let id = new_id();
            let told = slot.generate(&GenerateRequest::new(id.clone(), algorithm));
            subject.token.rules("");
            let right = subject.open().unwrap().public_key(&id, algorithm);
            if let Ok(told) = told {
                assert_eq!(told, right.unwrap(), "{algorithm}: told at generation");
            }
        }
    });
}

/// The login goes away after it was looked at and before the search: the token hides its keys.
#[test]
fn a_login_lost_right_before_a_search_hides_no_key() {
    on_both("lies::a_login_lost_right_before_a_search_hides_no_key", |subject| {
        let slot = subject.open().unwrap();
        let (id, key) = new_key(&*slot, P256);
        let mut complaints = Vec::new();
        let fresh = subject.open().unwrap();
        subject.token.rules("C_FindObjectsInit 1 lose-login");
        let listed = fresh.list();
        if listed.as_ref().is_ok_and(|keys| keys.len() != 1) {
            complaints.push(format!("list: {listed:?}"));
        }
        let fresh = subject.open().unwrap();
        subject.token.rules("C_FindObjectsInit 1 lose-login");
        let told = fresh.public_key(&id, P256);
        if matches!(told, Err(SlotError::NotFound { .. })) {
            complaints.push(format!("public_key: {told:?}"));
        }
        let fresh = subject.open().unwrap();
        subject.token.rules("C_FindObjectsInit 1 lose-login");
        let made = fresh.generate(&GenerateRequest::new(id.clone(), P256));
        subject.token.rules("");
        if subject.token.object_count() != 2 {
            complaints.push(format!("generate: a second key, {made:?}, not {key:?}"));
        }
        assert!(complaints.is_empty(), "{complaints:#?}");
    });
}
