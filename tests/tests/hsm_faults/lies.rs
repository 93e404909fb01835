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
