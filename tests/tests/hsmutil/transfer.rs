//! Keys that a PKCS#11 token is given, copies or hands on, with a token that refuses, lies or fails
//! on the way (the scripted fault module). Nothing half made stays behind, and the error says why.

use anchorite_tests::fault_module::{FaultyToken, PIN, module, with_tokens};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use hsm::import::{FoundKey, read_private_key};
use hsm::pkcs11::{Pkcs11Settings, Pkcs11Slot};
use hsm::{GenerateRequest, KeyTransfer, Packed, SignBatch, Slot, SlotError};
use ring::signature::{ED25519, UnparsedPublicKey};
use std::path::PathBuf;
use std::process::Command;

const LABEL: &str = "Faulty";

fn open(label: &str, module: PathBuf) -> Pkcs11Slot {
    Pkcs11Slot::open(&Pkcs11Settings {
        repository: label.to_owned(),
        module,
        token_label: label.to_owned(),
        pin: Some(PIN.into()),
        skip_public_key: false,
        allow_extraction: true,
        sessions_max: 4,
        module_parameters: None,
        known: hsm::KnownToken::default(),
    })
    .unwrap()
}

fn new_key(algorithm: &str) -> FoundKey {
    let mut command = Command::new("openssl");
    command.args(["genpkey", "-algorithm"]).args(algorithm.split(' '));
    let output = command.output().expect("openssl cannot be run: run cargo xtask setup");
    assert!(output.status.success(), "{output:?}");
    let wanted = (algorithm == "RSA").then_some(Algorithm::RsaSha256);
    read_private_key(&output.stdout, wanted).unwrap()
}

fn id(number: u8) -> KeyId {
    KeyId::new(&[number, 0x42]).unwrap()
}

/// The error of an import or copy, after which the token is as it was.
#[track_caller]
fn refused<T>(
    token: &FaultyToken,
    rules: &str,
    call: impl FnOnce() -> Result<T, SlotError>,
) -> SlotError {
    let before = token.object_count();
    token.rules(rules);
    let result = call();
    token.rules("");
    assert_eq!(token.object_count(), before, "{rules}: something stayed behind");
    match result {
        Ok(_) => panic!("{rules}: it was done"),
        Err(error) => error,
    }
}

#[test]
fn an_imported_key_signs_for_the_public_key_of_its_maker() {
    with_tokens(
        "transfer::an_imported_key_signs_for_the_public_key_of_its_maker",
        &[LABEL],
        |_| {
            let slot = open(LABEL, module());
            let key = new_key("ED25519");
            let public = slot.import(&id(1), key.algorithm, &key.pkcs8).unwrap();
            assert_eq!(public, key.public().unwrap());
            let messages: Packed = [b"to be signed".as_slice()].into_iter().collect();
            let batch = SignBatch { key: id(1), algorithm: key.algorithm, messages };
            let signed = slot.sign(&batch).unwrap();
            let foreign = UnparsedPublicKey::new(&ED25519, &public.bytes);
            foreign.verify(b"to be signed", signed.get(0).unwrap()).unwrap();
            let again = slot.import(&id(1), key.algorithm, &key.pkcs8).unwrap_err();
            assert!(matches!(again, SlotError::KeyExists { .. }), "{again}");
            let wrong = slot.import(&id(2), Algorithm::EcdsaP256Sha256, &key.pkcs8).unwrap_err();
            assert!(matches!(wrong, SlotError::KeyRejected { .. }), "{wrong}");
        },
    );
}

#[test]
fn a_token_that_takes_no_keys_says_so() {
    with_tokens("transfer::a_token_that_takes_no_keys_says_so", &[LABEL], |token| {
        let slot = open(LABEL, module());
        for algorithm in ["RSA", "EC -pkeyopt ec_paramgen_curve:P-256", "ED25519"] {
            let key = new_key(algorithm);
            let import = || slot.import(&id(1), key.algorithm, &key.pkcs8);
            for value in [
                "CKR_ATTRIBUTE_READ_ONLY",
                "CKR_TEMPLATE_INCONSISTENT",
                "CKR_FUNCTION_NOT_SUPPORTED",
            ] {
                // Every object, or the public one only.
                for when in ["always", "2"] {
                    let rules = format!("C_CreateObject {when} return {value}");
                    if when == "2" && value != "CKR_FUNCTION_NOT_SUPPORTED" {
                        continue;
                    }
                    let error = refused(token, &rules, import);
                    assert!(matches!(error, SlotError::ImportRefused { .. }), "{error:?}");
                    let text = error.to_string();
                    assert!(text.starts_with("repository Faulty, token \"Faulty\": "), "{text}");
                    assert!(text.contains("allow the import of private keys"), "{text}");
                }
            }
            let error = refused(token, "C_CreateObject always return CKR_DEVICE_MEMORY", import);
            assert!(matches!(error, SlotError::TokenFull { .. }), "{error:?}");
            let error = refused(token, "C_CreateObject always return CKR_DEVICE_ERROR", import);
            assert!(matches!(error, SlotError::ModuleFault { .. }), "{error:?}");
            // A minimal template is what some tokens want (rule HSM-9).
            token.rules("C_CreateObject 1 return CKR_TEMPLATE_INCONSISTENT");
            import().unwrap();
            token.rules("");
            slot.delete(&id(1)).unwrap();
        }
    });
}

#[test]
fn a_key_that_the_token_got_wrong_does_not_stay() {
    with_tokens("transfer::a_key_that_the_token_got_wrong_does_not_stay", &[LABEL], |token| {
        let slot = open(LABEL, module());
        let key = new_key("EC -pkeyopt ec_paramgen_curve:P-256");
        let import = || slot.import(&id(1), key.algorithm, &key.pkcs8);
        let error = refused(token, "C_Sign always flip", import);
        assert!(matches!(error, SlotError::WrongSignature { .. }), "{error:?}");
        slot.generate(&GenerateRequest::new(id(2), key.algorithm)).unwrap();
        let error = refused(token, "C_Sign always flip", || slot.copy(&id(2), &id(3)));
        assert!(matches!(error, SlotError::WrongSignature { .. }), "{error:?}");
    });
}

#[test]
fn a_token_that_copies_nothing_says_so() {
    with_tokens("transfer::a_token_that_copies_nothing_says_so", &[LABEL], |token| {
        let slot = open(LABEL, module());
        slot.generate(&GenerateRequest::new(id(1), Algorithm::EcdsaP256Sha256)).unwrap();
        let copy = || slot.copy(&id(1), &id(2));
        for rules in [
            "C_CopyObject always return CKR_ACTION_PROHIBITED",
            "C_CopyObject always return CKR_FUNCTION_NOT_SUPPORTED",
            // The public half only: the private one is taken back.
            "C_CopyObject 2 return CKR_ACTION_PROHIBITED",
        ] {
            let error = refused(token, rules, copy);
            assert!(matches!(error, SlotError::CopyRefused { .. }), "{rules}: {error:?}");
            assert!(error.to_string().contains("nothing was changed"), "{error}");
        }
        let error = refused(token, "", || slot.copy(&id(7), &id(2)));
        assert!(matches!(error, SlotError::NotFound { .. }), "{error:?}");
        copy().unwrap();
        let error = refused(token, "", copy);
        assert!(matches!(error, SlotError::KeyExists { .. }), "{error:?}");
    });
}

/// The two tokens are of one module here, as they are for `anchorite hsm replicate`.
#[test]
fn a_key_is_handed_on_whole_or_not_at_all() {
    with_tokens("transfer::a_key_is_handed_on_whole_or_not_at_all", &[LABEL, "Second"], |token| {
        let (from, to) = (open(LABEL, module()), open("Second", module()));
        let algorithm = Algorithm::EcdsaP256Sha256;
        let public = from.generate(&GenerateRequest::new(id(1), algorithm)).unwrap();
        let hand_on = || from.replicate(&id(1), &to);
        for (rules, is_expected) in [
            ("C_WrapKey always return CKR_KEY_UNEXTRACTABLE", is_copy as fn(&SlotError) -> bool),
            ("C_WrapKey always return CKR_MECHANISM_INVALID", is_copy),
            ("C_GenerateKey always return CKR_MECHANISM_INVALID", is_copy),
            ("C_GenerateKeyPair always return CKR_MECHANISM_INVALID", is_import),
            ("C_UnwrapKey always return CKR_FUNCTION_NOT_SUPPORTED", is_import),
            ("C_UnwrapKey 2 return CKR_WRAPPED_KEY_INVALID", is_import),
            ("C_Sign 2.. flip", |error| matches!(error, SlotError::WrongSignature { .. })),
        ] {
            let error = refused(token, rules, hand_on);
            assert!(is_expected(&error), "{rules}: {error:?}");
        }
        hand_on().unwrap();
        assert_eq!(to.public_key(&id(1), algorithm).unwrap(), public);
        let error = refused(token, "", hand_on);
        assert!(matches!(error, SlotError::KeyExists { .. }), "{error:?}");
        let error = refused(token, "", || from.replicate(&id(9), &to));
        assert!(matches!(error, SlotError::NotFound { .. }), "{error:?}");
    });
}

fn is_copy(error: &SlotError) -> bool {
    matches!(error, SlotError::CopyRefused { .. })
}

fn is_import(error: &SlotError) -> bool {
    matches!(error, SlotError::ImportRefused { .. })
}
