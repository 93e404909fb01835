//! PKCS#11 slots on SoftHSM2: the conformance suite, and what goes wrong with tokens.
//!
//! A PKCS#11 module belongs to its process and reads its environment once, so each test runs
//! itself again as a child with a token folder and a SOFTHSM2_CONF of its own.

mod conformance;

use conformance::{check_message, check_signing, check_slot, messages, new_id};
use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use hsm::pkcs11::{Pkcs11Settings, Pkcs11Slot};
use hsm::{Disposition, GenerateRequest, SignBatch, Slot, SlotError};
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Set in the child: the folder of its tokens.
const CHILD: &str = "ANCHORITE_SOFTHSM_TEST_FOLDER";
const PIN: &str = "1234";

/// Runs `body` in a process of its own, where tokens with these labels exist.
fn with_tokens(test: &str, labels: &[&str], body: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os(CHILD) {
        return body(Path::new(&folder));
    }
    assert!(Path::new(MODULE).exists(), "SoftHSM2 is not installed: run cargo xtask setup");
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let configuration = folder.path().join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    std::fs::write(&configuration, text).unwrap();
    for label in labels {
        let status = Command::new("softhsm2-util")
            .env("SOFTHSM2_CONF", &configuration)
            .args(["--init-token", "--free", "--label", label, "--so-pin", "5678", "--pin", PIN])
            .output()
            .expect("softhsm2-util cannot be run: run cargo xtask setup");
        assert!(status.status.success(), "{status:?}");
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", &configuration)
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}\n{}",
        String::from_utf8_lossy(&child.stderr)
    );
}

fn settings(label: &str) -> Pkcs11Settings {
    Pkcs11Settings {
        repository: "SoftHSM".to_owned(),
        module: PathBuf::from(MODULE),
        token_label: label.to_owned(),
        pin: Some(PIN.into()),
        skip_public_key: false,
        allow_extraction: false,
        sessions_max: 4,
        module_parameters: None,
        known: hsm::KnownToken::default(),
    }
}

#[test]
fn conforms() {
    with_tokens("conforms", &["OpenDNSSEC"], |_| {
        let slot = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        check_slot(&slot);
        let info = slot.info().unwrap();
        assert_eq!(info.label, "OpenDNSSEC");
        assert!(!info.serial.is_empty());
    });
}

/// Fewer sessions than callers: they wait for each other, and all are served.
#[test]
fn conforms_with_one_session_and_without_public_keys() {
    with_tokens("conforms_with_one_session_and_without_public_keys", &["OpenDNSSEC"], |_| {
        let settings = Pkcs11Settings {
            sessions_max: 1,
            module_parameters: None,
            known: hsm::KnownToken::default(),
            skip_public_key: true,
            allow_extraction: true,
            ..settings("OpenDNSSEC")
        };
        let slot = Pkcs11Slot::open(&settings).unwrap();
        check_slot(&slot);
    });
}

#[test]
fn keys_are_found_again_by_a_second_slot() {
    with_tokens("keys_are_found_again_by_a_second_slot", &["one", "two"], |_| {
        let one = Pkcs11Slot::open(&settings("one")).unwrap();
        let two = Pkcs11Slot::open(&settings("two")).unwrap();
        let id = new_id();
        let key = one.generate(&GenerateRequest::new(id.clone(), Algorithm::Ed25519)).unwrap();
        let error = two.public_key(&id, Algorithm::Ed25519).unwrap_err();
        assert!(matches!(error, SlotError::NotFound { .. }), "{error}");
        let again = Pkcs11Slot::open(&settings("one")).unwrap();
        check_signing(&again, &id, &key);
    });
}

#[test]
fn wrong_pin_is_tried_once() {
    with_tokens("wrong_pin_is_tried_once", &["OpenDNSSEC"], |_| {
        let wrong = Pkcs11Settings { pin: Some("4321".into()), ..settings("OpenDNSSEC") };
        let count_low = || {
            let context = cryptoki::context::Pkcs11::new(MODULE).unwrap();
            let slots = context.get_slots_with_initialized_token().unwrap();
            context.get_token_info(slots[0]).unwrap().user_pin_count_low()
        };
        let error = Pkcs11Slot::open(&wrong).err().unwrap();
        assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Alarm);
        let text = error.to_string();
        assert!(text.contains("repository SoftHSM") && text.contains("OpenDNSSEC"), "{text}");
        assert!(count_low(), "the token counted the wrong PIN");
        // A right login resets the token's count. Were the wrong PIN offered again afterwards,
        // it would count again.
        drop(Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap());
        assert!(!count_low());
        let error = Pkcs11Slot::open(&wrong).err().unwrap();
        assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
        assert!(!count_low(), "a PIN that was refused once is not offered again");
    });
}

#[test]
fn missing_pin_is_its_own_error() {
    with_tokens("missing_pin_is_its_own_error", &["OpenDNSSEC"], |_| {
        for pin in [None, Some("".into())] {
            let error = Pkcs11Slot::open(&Pkcs11Settings { pin, ..settings("OpenDNSSEC") });
            assert!(matches!(error.err(), Some(SlotError::PinMissing { .. })));
        }
    });
}

#[test]
fn missing_and_ambiguous_tokens_list_the_labels() {
    let labels = ["alpha", "twin", "twin"];
    with_tokens("missing_and_ambiguous_tokens_list_the_labels", &labels, |_| {
        let error = Pkcs11Slot::open(&settings("gamma")).err().unwrap();
        assert!(matches!(&error, SlotError::TokenMissing { labels, .. } if labels.len() == 3));
        assert!(error.to_string().contains("\"alpha\""), "{error}");
        assert!(matches!(error.disposition(), Disposition::Retry { .. }));
        let error = Pkcs11Slot::open(&settings("twin")).err().unwrap();
        assert!(matches!(error, SlotError::TokenAmbiguous { count: 2, .. }), "{error}");
    });
}

#[test]
fn modules_that_are_missing_or_no_modules() {
    with_tokens("modules_that_are_missing_or_no_modules", &[], |folder| {
        let open = |module: &Path| {
            let settings = Pkcs11Settings { module: module.to_owned(), ..settings("t") };
            Pkcs11Slot::open(&settings).err().unwrap()
        };
        let error = open(&folder.join("missing.so"));
        assert!(matches!(error, SlotError::ModuleMissing { .. }), "{error}");
        // A file that is no library, and a library that is no PKCS#11 module.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps.split_whitespace().find(|word| word.ends_with("/libc.so.6")).unwrap();
        for path in [folder.join("softhsm2.conf"), PathBuf::from(libc)] {
            let error = open(&path);
            assert!(matches!(error, SlotError::ModuleUnusable { .. }), "{error}");
            assert!(error.to_string().contains("repository SoftHSM, token \"t\""), "{error}");
        }
    });
}

/// Another user of the process logs out: private handles die, and the slot finds its way back.
#[test]
fn lost_login_is_survived() {
    with_tokens("lost_login_is_survived", &["OpenDNSSEC"], |_| {
        let slot = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        let id = new_id();
        let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
        let key = slot.generate(&request).unwrap();
        check_signing(&slot, &id, &key);
        let session = session_beside();
        session.logout().unwrap();
        check_signing(&slot, &id, &key);
        // A lost login hides keys in searches: that must not read as "not found", nor as "free".
        let fresh = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        session.logout().unwrap();
        assert_eq!(fresh.public_key(&id, Algorithm::EcdsaP256Sha256).unwrap(), key);
        session.logout().unwrap();
        assert_eq!(fresh.list().unwrap().len(), 1);
        session.logout().unwrap();
        let error = fresh.generate(&request).unwrap_err();
        assert!(matches!(error, SlotError::KeyExists { .. }), "{error}");
        session.logout().unwrap();
        fresh.delete(&id).unwrap();
    });
}

/// The module is finalised and initialised under the slot: every session is invalid.
#[test]
fn lost_sessions_are_survived() {
    with_tokens("lost_sessions_are_survived", &["OpenDNSSEC"], |_| {
        let slot = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        let id = new_id();
        let key = slot.generate(&GenerateRequest::new(id.clone(), Algorithm::Ed25519)).unwrap();
        let context = cryptoki::context::Pkcs11::new(MODULE).unwrap();
        context.clone().finalize().unwrap();
        let error = slot.list().unwrap_err();
        assert!(matches!(error, SlotError::ModuleFault { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Restart);
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        check_signing(&slot, &id, &key);
    });
}

/// The token's public object belongs to another key: what it signs does not verify.
#[test]
fn wrong_signatures_are_not_given_out() {
    with_tokens("wrong_signatures_are_not_given_out", &["OpenDNSSEC"], |_| {
        let slot = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        let (id, other) = (new_id(), new_id());
        let algorithm = Algorithm::EcdsaP256Sha256;
        slot.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
        slot.generate(&GenerateRequest::new(other.clone(), algorithm)).unwrap();
        let session = session_beside();
        let public = |id: &KeyId| {
            let class = Attribute::Class(ObjectClass::PUBLIC_KEY);
            let template = [class, Attribute::Id(id.as_bytes().to_vec())];
            session.find_objects(&template).unwrap()[0]
        };
        session.destroy_object(public(&id)).unwrap();
        let fresh = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        let error = fresh.public_key(&id, algorithm).unwrap_err();
        assert!(matches!(error, SlotError::PublicKeyUnavailable { .. }), "{error}");
        let new_name = [Attribute::Id(id.as_bytes().to_vec())];
        session.update_attributes(public(&other), &new_name).unwrap();
        let batch = SignBatch { key: id.clone(), algorithm, messages: messages() };
        let error = fresh.sign(&batch).unwrap_err();
        assert!(matches!(error, SlotError::WrongSignature { index: 0, .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Alarm);
        check_message(&error, &fresh);
    });
}

/// `<SkipPublicKey/>` and `<AllowExtraction/>` show in the objects.
#[test]
fn attributes_of_new_keys() {
    with_tokens("attributes_of_new_keys", &["OpenDNSSEC"], |_| {
        for (skip_public_key, allow_extraction) in [(false, false), (true, true)] {
            let settings =
                Pkcs11Settings { skip_public_key, allow_extraction, ..settings("OpenDNSSEC") };
            let slot = Pkcs11Slot::open(&settings).unwrap();
            let id = new_id();
            slot.generate(&GenerateRequest::new(id.clone(), Algorithm::RsaSha256)).unwrap();
            let session = session_beside();
            let find = |class| {
                let id = Attribute::Id(id.as_bytes().to_vec());
                session.find_objects(&[Attribute::Class(class), id]).unwrap()
            };
            let public_count = usize::from(!skip_public_key);
            assert_eq!(find(ObjectClass::PUBLIC_KEY).len(), public_count);
            let types = [
                AttributeType::Sensitive,
                AttributeType::Extractable,
                AttributeType::Sign,
                AttributeType::Decrypt,
                AttributeType::Unwrap,
                AttributeType::Private,
                AttributeType::Token,
                AttributeType::Label,
            ];
            let expected = [
                Attribute::Sensitive(true),
                Attribute::Extractable(allow_extraction),
                Attribute::Sign(true),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
                Attribute::Private(true),
                Attribute::Token(true),
                Attribute::Label(id.to_string().into_bytes()),
            ];
            let private = find(ObjectClass::PRIVATE_KEY)[0];
            assert_eq!(session.get_attributes(private, &types).unwrap(), expected);
        }
    });
}

/// A session of the test's own, in the same login.
fn session_beside() -> cryptoki::session::Session {
    let context = cryptoki::context::Pkcs11::new(MODULE).unwrap();
    let token = context.get_slots_with_initialized_token().unwrap()[0];
    context.open_rw_session(token).unwrap()
}

#[test]
fn two_keys_with_one_id_are_not_used() {
    with_tokens("two_keys_with_one_id_are_not_used", &["OpenDNSSEC"], |_| {
        let slot = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        let id = new_id();
        let algorithm = Algorithm::EcdsaP256Sha256;
        slot.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
        let session = session_beside();
        let template = [Attribute::Token(true), Attribute::Id(id.as_bytes().to_vec())];
        let mut public = template.to_vec();
        public.push(Attribute::EcParams(vec![6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]));
        session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &template).unwrap();
        let second = Pkcs11Slot::open(&settings("OpenDNSSEC")).unwrap();
        let batch = SignBatch { key: id.clone(), algorithm, messages: messages() };
        for error in [second.sign(&batch).unwrap_err(), second.delete(&id).unwrap_err()] {
            assert!(matches!(error, SlotError::KeyAmbiguous { count: 2, .. }), "{error}");
            check_message(&error, &second);
        }
    });
}

/// A key whose signatures nothing here can verify is refused for its length, and not taken for one
/// that a lying token signs with.
#[test]
fn a_key_that_is_too_short_to_be_verified_is_refused_for_that() {
    let name = "a_key_that_is_too_short_to_be_verified_is_refused_for_that";
    with_tokens(name, &["OpenDNSSEC"], |_| {
        let settings = settings("OpenDNSSEC");
        let slot = Pkcs11Slot::open(&settings).unwrap();
        let context = cryptoki::context::Pkcs11::new(&settings.module).unwrap();
        let is_ours = |slot: &cryptoki::slot::Slot| {
            context.get_token_info(*slot).is_ok_and(|token| token.label() == "OpenDNSSEC")
        };
        let number = context.get_all_slots().unwrap().into_iter().find(is_ours).unwrap();
        // The slot's login is the process's.
        let session = context.open_rw_session(number).unwrap();
        let id = hsm::random_key_id().unwrap();
        let common = [Attribute::Token(true), Attribute::Id(id.as_bytes().to_vec())];
        let length = [Attribute::ModulusBits(512.into()), Attribute::PublicExponent(vec![1, 0, 1])];
        let private = [Attribute::Private(true), Attribute::Sign(true)];
        let mechanism = cryptoki::mechanism::Mechanism::RsaPkcsKeyPairGen;
        let (public, private) = ([&common[..], &length].concat(), [&common[..], &private].concat());
        session.generate_key_pair(&mechanism, &public, &private).unwrap();
        let error = slot.public_key(&id, Algorithm::RsaSha256).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, SlotError::KeyLengthRefused { bits: 512, .. }), "{text}");
        assert!(text.contains("1024 to 8192 bits") && text.contains("kasp.xml"), "{text}");
    });
}
