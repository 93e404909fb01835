//! What every slot must do, whatever holds the keys. Run against the built-in token and SoftHSM2.
//! Signatures are judged by `ring`, which no slot signs with.

use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::{Disposition, GenerateRequest, KeyKind, Packed, SignBatch, Slot, SlotError};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

/// The algorithms that every slot has.
pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::RsaSha256,
    Algorithm::RsaSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::Ed25519,
];

/// A key's whole life, with every algorithm, and what is to be refused.
pub(crate) fn check_slot(slot: &dyn Slot) {
    let before = slot.list().unwrap().len();
    for algorithm in ALGORITHMS {
        check_key_life(slot, algorithm);
    }
    check_deprecated(slot, Algorithm::RsaSha1);
    check_deprecated(slot, Algorithm::RsaSha1Nsec3Sha1);
    check_refusals(slot);
    check_parallel(slot);
    assert_eq!(slot.list().unwrap().len(), before, "every key was removed again");
}

/// A new id.
pub(crate) fn new_id() -> KeyId {
    hsm::random_key_id().unwrap()
}

/// Three messages: a usual one, an empty one, one longer than a hash block.
pub(crate) fn messages() -> Packed {
    [b"to be signed".as_slice(), b"", &[0x5a; 1000]].into_iter().collect()
}

/// Signs the messages and has `ring` judge the signatures.
#[track_caller]
pub(crate) fn check_signing(slot: &dyn Slot, id: &KeyId, key: &PublicKey) {
    let batch = SignBatch { key: id.clone(), algorithm: key.algorithm, messages: messages() };
    let signatures = slot.sign(&batch).unwrap();
    assert_eq!(signatures.len(), batch.messages.len());
    for (message, signature) in batch.messages.iter().zip(signatures.iter()) {
        assert!(ring_verifies(key, message, signature), "{}", key.algorithm);
        assert!(hsm::verify(key, message, signature), "{}", key.algorithm);
        assert!(!hsm::verify(key, b"another message", signature), "{}", key.algorithm);
        let mut altered = signature.to_vec();
        altered[7] ^= 1;
        assert!(!hsm::verify(key, message, &altered), "{}", key.algorithm);
        assert!(!hsm::verify(key, message, &signature[1..]), "{}", key.algorithm);
    }
}

fn check_key_life(slot: &dyn Slot, algorithm: Algorithm) {
    let id = new_id();
    let request = GenerateRequest::new(id.clone(), algorithm);
    let key = slot.generate(&request).unwrap();
    assert_eq!(key.algorithm, algorithm);
    assert_eq!(key.bits(), usize::from(algorithm.fixed_key_bits().unwrap_or(2048)));
    assert_eq!(slot.public_key(&id, algorithm).unwrap(), key);

    let entries = slot.list().unwrap();
    let entry = entries.iter().find(|entry| entry.id == id).unwrap();
    assert_eq!((entry.kind, entry.bits), (KeyKind::of(algorithm), key.bits()));
    assert_eq!(entry.label, id.to_string());
    assert!(entries.is_sorted_by(|a, b| a.id <= b.id));

    check_signing(slot, &id, &key);
    let error = slot.generate(&request).unwrap_err();
    assert!(matches!(&error, SlotError::KeyExists { key, .. } if *key == id), "{error}");
    assert_eq!(slot.public_key(&id, algorithm).unwrap(), key, "the key is still the old one");

    let other = if algorithm.is_rsa() { Algorithm::Ed25519 } else { Algorithm::RsaSha256 };
    let error = slot.public_key(&id, other).unwrap_err();
    assert!(matches!(error, SlotError::AlgorithmMismatch { .. }), "{error}");

    slot.delete(&id).unwrap();
    check_not_found(slot, &id, algorithm);
}

#[track_caller]
fn check_not_found(slot: &dyn Slot, id: &KeyId, algorithm: Algorithm) {
    let batch = SignBatch { key: id.clone(), algorithm, messages: messages() };
    let errors = [
        slot.public_key(id, algorithm).unwrap_err(),
        slot.sign(&batch).unwrap_err(),
        slot.delete(id).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, SlotError::NotFound { key, .. } if key == id), "{error}");
        check_message(&error, slot);
    }
}

/// New SHA-1 keys need the switch (RFC 9905); with it they work, until they are rolled away.
fn check_deprecated(slot: &dyn Slot, algorithm: Algorithm) {
    let mut request = GenerateRequest::new(new_id(), algorithm);
    let error = slot.generate(&request).unwrap_err();
    assert!(matches!(error, SlotError::AlgorithmDeprecated { .. }), "{error}");
    check_message(&error, slot);
    request.allow_deprecated = true;
    let key = slot.generate(&request).unwrap();
    check_signing(slot, &request.id, &key);
    slot.delete(&request.id).unwrap();
}

fn check_refusals(slot: &dyn Slot) {
    let error = slot.generate(&GenerateRequest::new(new_id(), Algorithm::Ed448)).unwrap_err();
    assert!(matches!(error, SlotError::AlgorithmUnavailable { .. }), "{error}");
    check_message(&error, slot);
    for rsa_bits in [0, 1024, 4104] {
        let request =
            GenerateRequest { rsa_bits, ..GenerateRequest::new(new_id(), Algorithm::RsaSha256) };
        let error = slot.generate(&request).unwrap_err();
        assert!(matches!(error, SlotError::KeyLengthRefused { .. }), "{rsa_bits}: {error}");
        check_message(&error, slot);
        assert_eq!(error.disposition(), Disposition::Refuse);
    }
}

/// Several threads sign with one slot at once, and every signature is right.
fn check_parallel(slot: &dyn Slot) {
    let request = GenerateRequest::new(new_id(), Algorithm::EcdsaP256Sha256);
    let key = slot.generate(&request).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..5).for_each(|_| check_signing(slot, &request.id, &key)));
        }
    });
    slot.delete(&request.id).unwrap();
}

/// Every message names repository and token, and says what to do.
#[track_caller]
pub(crate) fn check_message(error: &SlotError, slot: &dyn Slot) {
    let (text, info) = (error.to_string(), slot.info().unwrap());
    assert!(text.contains(&format!("repository {}", info.repository)), "{text}");
    assert!(text.contains(&format!("token \"{}\"", info.label)), "{text}");
    assert!(text.contains(';'), "no remedy in: {text}");
}

fn ring_verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let parameters = match key.algorithm {
        Algorithm::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RsaSha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::EcdsaP256Sha256 => {
            let point = [&[4], key.bytes.as_slice()].concat();
            return UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok();
        }
        Algorithm::EcdsaP384Sha384 => {
            let point = [&[4], key.bytes.as_slice()].concat();
            return UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point)
                .verify(message, signature)
                .is_ok();
        }
        Algorithm::Ed25519 => {
            return UnparsedPublicKey::new(&signature::ED25519, &key.bytes)
                .verify(message, signature)
                .is_ok();
        }
        _ => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    };
    let (e, n) = key.bytes[1..].split_at(usize::from(key.bytes[0]));
    RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
}
