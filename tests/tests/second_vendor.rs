//! A slot on another vendor's module than SoftHSM: NSS's softoken (Debian's `libnss3`), an
//! independent implementation with its own store, handles, session rules and answers. It wants
//! text with C_Initialize that only NSS itself gives, so the fault module stands before it, with
//! no rules; one test gives it the text by `<ModuleParameters>`. No daemon, no file outside a
//! folder of the test's own. Softoken 3.87 has no EdDSA.

use anchorite_tests::fault_module::{FaultyToken, module, with_module};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::pkcs11::{Pkcs11Settings, Pkcs11Slot};
use hsm::{Disposition, GenerateRequest, KeyKind, Packed, SignBatch, Slot, SlotError};
use std::path::PathBuf;

const LABEL: &str = "NSS Certificate DB";
const PIN: &str = "NSS password 1";
/// Where the token's files are, that there are no old ones, and that they may be written.
const PARAMETERS: &str =
    "configdir='sql:FOLDER' certPrefix='' keyPrefix='' secmod='' flags=noModDB,optimizeSpace";

fn softoken() -> PathBuf {
    PathBuf::from(format!("/usr/lib/{}-linux-gnu/libsoftokn3.so", std::env::consts::ARCH))
}

/// Runs `body` with an empty token of softoken whose PIN is set.
fn with_softoken(test: &str, body: impl FnOnce(&FaultyToken, Pkcs11Settings)) {
    with_module(test, &softoken(), PARAMETERS, |token| {
        let context = Pkcs11::new(module()).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let is_ours =
            |slot: &cryptoki::slot::Slot| context.get_token_info(*slot).unwrap().label() == LABEL;
        let slot = context.get_all_slots().unwrap().into_iter().find(is_ours).unwrap();
        let session = context.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&"".into())).unwrap();
        session.init_pin(&PIN.into()).unwrap();
        session.logout().unwrap();
        drop(session);
        let settings = Pkcs11Settings {
            repository: "softoken".to_owned(),
            module: module(),
            token_label: LABEL.to_owned(),
            pin: Some(PIN.into()),
            skip_public_key: false,
            allow_extraction: false,
            sessions_max: 4,
            module_parameters: None,
            known: hsm::KnownToken::default(),
        };
        body(token, settings);
    });
}

fn new_key(slot: &dyn Slot) -> (KeyId, PublicKey) {
    let id = hsm::random_key_id().unwrap();
    let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
    let key = slot.generate(&request).unwrap();
    (id, key)
}

fn batch(key: &KeyId, algorithm: Algorithm) -> SignBatch {
    let messages: Packed = [b"to be signed".as_slice(), b"", &[0x5a; 1000]].into_iter().collect();
    SignBatch { key: key.clone(), algorithm, messages }
}

#[track_caller]
fn check_signing(slot: &dyn Slot, id: &KeyId, key: &PublicKey) {
    let batch = batch(id, key.algorithm);
    let signatures = slot.sign(&batch).unwrap();
    for (message, signature) in batch.messages.iter().zip(signatures.iter()) {
        assert!(hsm::verify(key, message, signature), "{}", key.algorithm);
        assert!(!hsm::verify(key, b"another message", signature), "{}", key.algorithm);
    }
}

#[test]
fn a_keys_whole_life() {
    with_softoken("a_keys_whole_life", |_, settings| {
        let slot = Pkcs11Slot::open(&settings).unwrap();
        assert_eq!(slot.info().unwrap().label, LABEL);
        for algorithm in [
            Algorithm::EcdsaP256Sha256,
            Algorithm::EcdsaP384Sha384,
            Algorithm::RsaSha256,
            Algorithm::RsaSha512,
        ] {
            let id = hsm::random_key_id().unwrap();
            let request = GenerateRequest::new(id.clone(), algorithm);
            let key = slot.generate(&request).unwrap();
            check_signing(&slot, &id, &key);
            let entries = slot.list().unwrap();
            let entry = entries.iter().find(|entry| entry.id == id).unwrap();
            assert_eq!(entry.kind, KeyKind::of(algorithm));
            let error = slot.generate(&request).unwrap_err();
            assert!(matches!(error, SlotError::KeyExists { .. }), "{error}");
            let second = Pkcs11Slot::open(&settings).unwrap();
            assert_eq!(second.public_key(&id, algorithm).unwrap(), key);
            check_signing(&second, &id, &key);
            slot.delete(&id).unwrap();
            let error = slot.public_key(&id, algorithm).unwrap_err();
            assert!(matches!(error, SlotError::NotFound { .. }), "{error}");
        }
        assert!(slot.list().unwrap().is_empty());
    });
}

/// `<ModuleParameters>`: softoken itself, with the text from us. It takes no data object.
#[test]
fn parameters_are_given_to_the_module() {
    with_softoken("parameters_are_given_to_the_module", |token, settings| {
        Pkcs11::new(module()).unwrap().finalize().unwrap();
        let own = Pkcs11Settings { module: softoken(), ..settings };
        let with =
            |text: &str| Pkcs11Settings { module_parameters: Some(text.to_owned()), ..own.clone() };
        let error = Pkcs11Slot::open(&with("a\0b")).err().unwrap();
        assert!(error.to_string().contains("<ModuleParameters>"), "{error}");
        assert!(matches!(error, SlotError::ModuleUnusable { .. }), "{error}");
        let text = PARAMETERS.replace("FOLDER", &token.path("").display().to_string());
        let slot = Pkcs11Slot::open(&with(&text)).unwrap();
        assert_eq!(slot.info().unwrap().label, LABEL);
        let (id, key) = new_key(&slot);
        check_signing(&slot, &id, &key);
        let choice = slot.choose_mechanism(&id, key.algorithm).unwrap().unwrap();
        assert!(choice.is_usual(), "{choice:?}");
        let canary = hsm::random_key_id().unwrap();
        let error = slot.put_canary(&canary).err().unwrap();
        assert!(matches!(error, SlotError::CanaryRefused { .. }), "{error}");
        assert!(!slot.shows_canary(&canary).unwrap());
    });
}

#[test]
fn several_callers_sign_at_once() {
    with_softoken("several_callers_sign_at_once", |_, settings| {
        let slot = Pkcs11Slot::open(&settings).unwrap();
        let (id, key) = new_key(&slot);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| (0..10).for_each(|_| check_signing(&slot, &id, &key)));
            }
        });
    });
}

#[test]
fn lost_sessions_are_survived() {
    with_softoken("lost_sessions_are_survived", |token, settings| {
        let slot = Pkcs11Slot::open(&settings).unwrap();
        let (id, key) = new_key(&slot);
        for function in ["C_SignInit", "C_Sign", "C_FindObjectsInit", "C_GetSessionInfo"] {
            token.rules(&format!("{function} 1 lose-sessions"));
            check_signing(&slot, &id, &key);
            assert_eq!(slot.list().unwrap().len(), 1, "{function}");
        }
    });
}

/// Softoken says CKR_HOST_MEMORY when it cannot read a private key because the login is gone.
#[test]
fn a_lost_login_is_survived_by_a_slot_that_is_opened_anew() {
    with_softoken("a_lost_login_is_survived_by_a_slot_that_is_opened_anew", |token, settings| {
        let slot = Pkcs11Slot::open(&settings).unwrap();
        let (id, key) = new_key(&slot);
        check_signing(&slot, &id, &key);
        token.rules("C_SignInit 1 lose-login");
        let batch = batch(&id, key.algorithm);
        if let Err(error) = slot.sign(&batch) {
            assert_eq!(error.disposition(), Disposition::Restart, "{error}");
        }
        drop(slot);
        let slot = Pkcs11Slot::open(&settings).unwrap();
        check_signing(&slot, &id, &key);
    });
}

#[test]
fn algorithms_that_it_lacks_are_named() {
    with_softoken("algorithms_that_it_lacks_are_named", |_, settings| {
        let slot = Pkcs11Slot::open(&settings).unwrap();
        let id = hsm::random_key_id().unwrap();
        let error = slot.generate(&GenerateRequest::new(id, Algorithm::Ed25519)).unwrap_err();
        assert!(matches!(error, SlotError::AlgorithmUnavailable { .. }), "{error}");
        assert!(slot.list().unwrap().is_empty());
    });
}

#[test]
fn a_wrong_pin_is_offered_once() {
    with_softoken("a_wrong_pin_is_offered_once", |token, settings| {
        token.rules("");
        let wrong = Pkcs11Settings { pin: Some("no".into()), ..settings };
        for _ in 0..3 {
            let error = Pkcs11Slot::open(&wrong).err().unwrap();
            assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
        }
        assert_eq!(token.count("C_Login"), 1);
    });
}
