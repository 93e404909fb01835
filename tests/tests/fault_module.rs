//! The fault module itself: each thing it can do, seen through `cryptoki` with no slot of ours in
//! between, so that a test of a slot fails because of the slot.

use anchorite_tests::fault_module::{FaultyToken, PIN, module, with_tokens};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Limit, Slot};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const LABELS: &[&str] = &["Faulty"];
/// CKA_EC_PARAMS of P-256.
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// A session of a module that was just loaded, logged in.
struct Client {
    context: Pkcs11,
    slot: Slot,
    session: Session,
}

impl Client {
    fn new() -> Client {
        let context = Pkcs11::new(module()).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slot = context.get_slots_with_initialized_token().unwrap()[0];
        let session = context.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&PIN.into())).unwrap();
        Client { context, slot, session }
    }

    /// A pair of P-256 keys in the token: public, private.
    fn generate(&self) -> Result<(ObjectHandle, ObjectHandle), Error> {
        let public = [Attribute::Token(true), Attribute::EcParams(P256.to_vec())];
        let private = [Attribute::Token(true), Attribute::Private(true), Attribute::Sign(true)];
        self.session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
    }

    fn sign(&self, key: ObjectHandle) -> Result<Vec<u8>, Error> {
        self.session.sign(&Mechanism::Ecdsa, key, &digest())
    }

    fn verifies(&self, public: ObjectHandle, signature: &[u8]) -> bool {
        let point = self.session.get_attributes(public, &[AttributeType::EcPoint]).unwrap();
        let [Attribute::EcPoint(point)] = &point[..] else { panic!("{point:?}") };
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point[2..]);
        key.verify(MESSAGE, signature).is_ok()
    }

    fn private_keys(&self) -> Result<Vec<ObjectHandle>, Error> {
        self.session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
    }
}

const MESSAGE: &[u8] = b"to be signed";

fn digest() -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, MESSAGE).as_ref().to_vec()
}

#[track_caller]
fn check_value<T: std::fmt::Debug>(result: Result<T, Error>, expected: RvError) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Pkcs11(value, _) if value == expected), "{error}");
}

#[test]
fn calls_are_handed_on_and_logged() {
    with_tokens("calls_are_handed_on_and_logged", LABELS, |token| {
        let client = Client::new();
        let (public, private) = client.generate().unwrap();
        assert!(client.verifies(public, &client.sign(private).unwrap()));
        assert_eq!(token.object_count(), 2);
        for function in ["C_Initialize", "C_Login", "C_GenerateKeyPair", "C_Sign:length", "C_Sign"]
        {
            assert_eq!(token.count(function), 1, "{function}");
        }
        assert!(token.calls().contains(&("C_Login".to_owned(), "CKR_OK".to_owned())));
    });
}

#[test]
fn calls_fail_as_often_as_told() {
    with_tokens("calls_fail_as_often_as_told", LABELS, |token| {
        let client = Client::new();
        let (public, private) = client.generate().unwrap();
        token.rules("C_Sign 2 return CKR_DEVICE_ERROR");
        let results: Vec<bool> = (0..4).map(|_| client.sign(private).is_ok()).collect();
        assert_eq!(results, [true, false, true, true], "a failure ends the operation");
        token.rules("C_Sign every 2 return CKR_DEVICE_ERROR");
        let results: Vec<bool> = (0..4).map(|_| client.sign(private).is_ok()).collect();
        assert_eq!(results, [true, false, true, false]);
        token.rules("C_Sign:length 1 return CKR_FUNCTION_FAILED");
        check_value(client.sign(private), RvError::FunctionFailed);
        assert!(client.verifies(public, &client.sign(private).unwrap()));
        token.rules("* always return CKR_GENERAL_ERROR");
        check_value(client.sign(private), RvError::GeneralError);
        check_value(client.context.get_token_info(client.slot), RvError::GeneralError);
        token.rules("");
        assert!(client.sign(private).is_ok());
    });
}

#[test]
fn signatures_lie() {
    with_tokens("signatures_lie", LABELS, |token| {
        let client = Client::new();
        let (public, private) = client.generate().unwrap();
        let (other_public, _) = client.generate().unwrap();
        for (lie, length) in [("flip", 64), ("short", 63), ("empty", 0), ("other-key", 64)] {
            token.rules(&format!("C_Sign 1 {lie}"));
            let signature = client.sign(private).unwrap();
            assert_eq!(signature.len(), length, "{lie}");
            assert!(!client.verifies(public, &signature), "{lie}");
            assert_eq!(client.verifies(other_public, &signature), lie == "other-key", "{lie}");
            assert!(client.verifies(public, &client.sign(private).unwrap()), "after {lie}");
        }
        token.rules("C_Sign always der");
        for _ in 0..20 {
            let der = client.sign(private).unwrap();
            assert_eq!((der[0], usize::from(der[1])), (0x30, der.len() - 2));
        }
        token.rules("C_Sign 1/10 flip\nseed 5");
        let is_right = |signature: Vec<u8>| client.verifies(public, &signature);
        let wrong = (0..200).filter(|_| !is_right(client.sign(private).unwrap())).count();
        assert!((5..50).contains(&wrong), "{wrong}");
    });
}

#[test]
fn searches_lie() {
    with_tokens("searches_lie", LABELS, |token| {
        let client = Client::new();
        client.generate().unwrap();
        client.generate().unwrap();
        let found = client.private_keys().unwrap();
        assert_eq!(found.len(), 2);
        token.rules("C_FindObjects always forget");
        assert_eq!(client.private_keys().unwrap(), []);
        token.rules("C_FindObjects always duplicate");
        assert_eq!(client.private_keys().unwrap(), [found.clone(), found.clone()].concat());
        token.rules("C_FindObjects 1 limit 1");
        assert_eq!(client.private_keys().unwrap(), found[..1]);
        assert_eq!(client.private_keys().unwrap(), found);
    });
}

#[test]
fn tokens_lie_about_themselves() {
    with_tokens("tokens_lie_about_themselves", LABELS, |token| {
        let client = Client::new();
        let info = || client.context.get_token_info(client.slot);
        let serial = info().unwrap().serial_number().to_owned();
        token.rules("C_GetTokenInfo always label Other token\nC_GetTokenInfo always serial 42");
        assert_eq!(info().unwrap().label(), "Other token");
        assert_eq!(info().unwrap().serial_number(), "42");
        token.rules("C_GetTokenInfo always flag CKF_USER_PIN_LOCKED\nC_GetTokenInfo 1 sessions 3");
        assert!(info().unwrap().user_pin_locked());
        token.rules("C_GetTokenInfo 1 no-flag CKF_LOGIN_REQUIRED\nC_GetTokenInfo 1 sessions 3");
        let told = info().unwrap();
        assert!(!told.login_required());
        assert!(matches!(told.max_session_count(), Limit::Max(3)));
        token.rules("C_GetTokenInfo 1 bad-clock");
        assert!(info().is_err(), "cryptoki does not read such a time");
        assert_eq!(info().unwrap().serial_number(), serial);
    });
}

#[test]
fn key_pairs_lie() {
    with_tokens("key_pairs_lie", LABELS, |token| {
        let client = Client::new();
        token.rules("C_GenerateKeyPair 1 then CKR_DEVICE_ERROR");
        check_value(client.generate(), RvError::DeviceError);
        assert_eq!(token.object_count(), 2, "made all the same");
        token.rules("C_GenerateKeyPair 1 claim");
        let (public, private) = client.generate().unwrap();
        assert_eq!(token.object_count(), 2, "none was made");
        assert!(client.sign(private).is_err() && client.session.destroy_object(public).is_err());
        let (public, _) = client.generate().unwrap();
        let point = || client.session.get_attributes(public, &[AttributeType::EcPoint]).unwrap();
        let right = point();
        token.rules("C_GetAttributeValue always flip");
        assert_ne!(point(), right);
    });
}

#[test]
fn sessions_are_few_or_lost() {
    with_tokens("sessions_are_few_or_lost", LABELS, |token| {
        let client = Client::new();
        let (_, private) = client.generate().unwrap();
        let open = || client.context.open_ro_session(client.slot);
        token.rules("C_OpenSession always sessions 2");
        let second = open().unwrap();
        check_value(open(), RvError::SessionCount);
        drop(second);
        drop(open().unwrap());
        token.rules("C_SignInit 2 lose-login");
        client.sign(private).unwrap();
        assert!(client.sign(private).is_err());
        client.session.login(UserType::User, Some(&PIN.into())).unwrap();
        let private = client.private_keys().unwrap()[0];
        token.rules("C_SignInit 2 lose-sessions");
        client.sign(private).unwrap();
        check_value(client.sign(private), RvError::SessionHandleInvalid);
        check_value(client.sign(private), RvError::SessionHandleInvalid);
        drop(open().unwrap());
    });
}

#[test]
fn a_token_is_away_until_the_script_changes() {
    with_tokens("a_token_is_away_until_the_script_changes", LABELS, |token| {
        let client = Client::new();
        let (_, private) = client.generate().unwrap();
        client.session.logout().unwrap();
        for (moment, is_told) in [("before", false), ("during", false), ("after", true)] {
            token.rules("");
            let session = client.context.open_rw_session(client.slot).unwrap();
            session.login(UserType::User, Some(&PIN.into())).unwrap();
            let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
            let private = session.find_objects(&[class]).unwrap()[0];
            let sign = || session.sign(&Mechanism::Ecdsa, private, &digest());
            token.rules(&format!("C_Sign 1 unplug {moment}"));
            assert_eq!(sign().is_ok(), is_told, "{moment}");
            check_value(sign(), RvError::DeviceRemoved);
            check_value(client.context.open_ro_session(client.slot), RvError::TokenNotPresent);
            check_value(client.context.get_token_info(client.slot), RvError::TokenNotPresent);
            assert_eq!(client.context.get_all_slots().unwrap().len(), 2, "the slot stays");
            token.rules("");
            check_value(sign(), RvError::SessionHandleInvalid);
        }
        check_value(client.sign(private), RvError::SessionHandleInvalid);
    });
}

#[test]
fn pins_are_counted_and_lock() {
    with_tokens("pins_are_counted_and_lock", LABELS, |token| {
        let client = Client::new();
        client.session.logout().unwrap();
        token.rules(&token.pin_tries(2));
        let info = || client.context.get_token_info(client.slot).unwrap();
        let login = |pin: &str| client.session.login(UserType::User, Some(&pin.into()));
        check_value(login("4321"), RvError::PinIncorrect);
        assert_eq!(token.pins(), (1, 1));
        assert!(info().user_pin_count_low() && info().user_pin_final_try());
        login(PIN).unwrap();
        assert_eq!(token.pins(), (0, 2));
        check_value(login(PIN), RvError::UserAlreadyLoggedIn);
        assert_eq!(token.pins(), (0, 2), "not looked at");
        client.session.logout().unwrap();
        check_value(login("4321"), RvError::PinIncorrect);
        check_value(login("4321"), RvError::PinIncorrect);
        check_value(login(PIN), RvError::PinLocked);
        assert!(info().user_pin_locked());
        assert_eq!(token.pins(), (2, 5));
    });
}

/// A slow token is slow for each session by itself: sixty-four wait at once, not in turn.
#[test]
fn delays_run_in_parallel() {
    with_tokens("delays_run_in_parallel", LABELS, |token| {
        const SESSIONS: u32 = 64;
        const CALLS: u32 = 20;
        let client = Client::new();
        token.rules("C_GetSessionInfo always delay 1000");
        let open = |_| client.context.open_ro_session(client.slot).unwrap();
        let sessions: Vec<Session> = (0..SESSIONS).map(open).collect();
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for session in sessions {
                scope.spawn(move || {
                    (0..CALLS).for_each(|_| assert!(session.get_session_info().is_ok()));
                });
            }
        });
        let in_turn = Duration::from_millis(1) * SESSIONS * CALLS;
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(1) * CALLS, "{took:?}");
        assert!(took < in_turn / 4, "{took:?}, in turn at least {in_turn:?}");
    });
}

#[test]
fn stalls_end_when_the_script_changes() {
    with_tokens("stalls_end_when_the_script_changes", LABELS, |token| {
        let client = Client::new();
        let (public, private) = client.generate().unwrap();
        token.rules("C_SignInit 1 stall");
        let signature = std::thread::scope(|scope| {
            let session = client.context.open_rw_session(client.slot).unwrap();
            let sign = move || session.sign(&Mechanism::Ecdsa, private, &digest()).unwrap();
            let signing = scope.spawn(sign);
            token.wait_for("C_SignInit", "stalls", 1);
            assert!(client.context.get_token_info(client.slot).is_ok(), "others go on");
            assert!(!signing.is_finished());
            token.rules("");
            signing.join().unwrap()
        });
        assert!(client.verifies(public, &signature));
        token.rules("C_SignInit 1 stall 20");
        let begin = Instant::now();
        client.sign(private).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(20));
    });
}

/// Runs this test again as a grandchild, which initialises the module under `rules`.
fn end_of_process(token: &FaultyToken, rules: &str) -> Output {
    token.rules(rules);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes_end", "--nocapture", "--test-threads=1"])
        .envs(token.environment())
        .env(GRANDCHILD, "1")
        .output()
        .unwrap()
}

const GRANDCHILD: &str = "ANCHORITE_FAULT_TEST_GRANDCHILD";

#[test]
fn processes_end() {
    with_tokens("processes_end", LABELS, |token| {
        if std::env::var_os(GRANDCHILD).is_some() {
            let _client = Client::new();
            return;
        }
        assert!(end_of_process(token, "").status.success());
        let abort = end_of_process(token, "C_Initialize 1 abort").status;
        assert_eq!(abort.signal(), Some(nix::libc::SIGABRT));
        let segfault = end_of_process(token, "C_OpenSession 1 segfault").status;
        assert_eq!(segfault.signal(), Some(nix::libc::SIGSEGV));
        assert_eq!(token.calls().last().unwrap().1, "ends the process");
        assert_eq!(end_of_process(token, "C_Login 1 exit 7").status.code(), Some(7));
        let rules = "C_Login 1 print vendor says hello\nC_Login 1 ignore-sigterm";
        let output = end_of_process(token, rules);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("vendor says hello\n"));
    });
}

#[test]
fn a_script_that_is_wrong_is_not_passed_over() {
    with_tokens("a_script_that_is_wrong_is_not_passed_over", &[], |token| {
        std::fs::write(token.path("script"), "module /nonexistent.so\n").unwrap();
        assert!(Pkcs11::new(module()).is_err());
    });
}
