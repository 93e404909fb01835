//! Signatures a second: a module's own C_Sign on several sessions, the same through a slot host,
//! and what verifying them costs. On SoftHSM2, and on a module that only waits (1 ms a call).
//!
//! In: SoftHSM2 and `cargo build --release -p hsm --example constant-module`. Out: criterion's
//! rates; docs and promises quote the ratio of `host` to the better of the two `raw`s.
//! The hosts are this very program, started again; so is the part that loads SoftHSM itself, since
//! a module reads its environment once.

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki_sys::{CK_FUNCTION_LIST, CK_MECHANISM, CKR_OK};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use hsm::hosted::{Deadlines, HostProgram, HostedSettings, HostedSlot, HostedToken};
use hsm::pkcs11::Pkcs11Settings;
use hsm::{GenerateRequest, Packed, SignBatch, Slot, Verifier, random_key_id};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "1234";
/// Set in the child that measures: the folder of the tokens.
const FOLDER: &str = "ANCHORITE_SLOT_BENCH_FOLDER";
/// Messages in a batch, as the sign stage makes them, and callers at once.
const BATCH: usize = 1024;
const CALLERS: usize = 2;
const SESSIONS: usize = 64;

fn main() {
    let first = std::env::args().nth(1);
    if first.as_deref() == Some("slot-host") {
        panic!("{}", hsm::host::run());
    }
    match std::env::var_os(FOLDER) {
        Some(folder) => measure(Path::new(&folder)),
        None => with_token(),
    }
}

/// Makes a token and runs this program again with it.
fn with_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut configuration = tempfile::NamedTempFile::new().unwrap();
    writeln!(configuration, "directories.tokendir = {}", folder.path().display()).unwrap();
    let configuration = configuration.path();
    let status = Command::new("softhsm2-util")
        .env("SOFTHSM2_CONF", configuration)
        .args(["--init-token", "--free", "--label", "bench", "--so-pin", "5678", "--pin", PIN])
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .env("SOFTHSM2_CONF", configuration)
        .env(FOLDER, folder.path())
        .status()
        .unwrap();
    assert!(status.success());
}

fn settings(module: &Path, label: &str, environment: Vec<(OsString, OsString)>) -> HostedSettings {
    let settings = Pkcs11Settings {
        repository: "bench".to_owned(),
        module: module.to_owned(),
        token_label: label.to_owned(),
        pin: Some(PIN.into()),
        skip_public_key: false,
        allow_extraction: false,
        sessions_max: SESSIONS,
        module_parameters: None,
        known: hsm::KnownToken::default(),
    };
    HostedSettings {
        repository: "bench".to_owned(),
        program: HostProgram { environment, ..HostProgram::own() },
        user: None,
        token: HostedToken::Pkcs11 { settings, capacity: None },
        deadlines: Deadlines::default(),
    }
}

fn measure(_: &Path) {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    let slot = HostedSlot::open(settings(Path::new(MODULE), "bench", Vec::new())).unwrap();
    let context = Pkcs11::new(MODULE).unwrap();
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let algorithms = [Algorithm::EcdsaP256Sha256, Algorithm::RsaSha256, Algorithm::Ed25519];
    let keys = algorithms.map(|algorithm| {
        let id = random_key_id().unwrap();
        let public = slot.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
        (algorithm, id, public)
    });
    for (algorithm, id, public) in &keys {
        let mut group = criterion.benchmark_group(format!("softhsm {algorithm}"));
        group.throughput(Throughput::Elements((CALLERS * BATCH) as u64));
        for count in [std::thread::available_parallelism().unwrap().get(), SESSIONS] {
            let raw = Raw::new(&context, MODULE, id, count);
            let input = raw_input(*algorithm);
            group.bench_function(format!("raw {count}"), |bencher| {
                bencher.iter(|| raw.sign(*algorithm, &input));
            });
        }
        bench_slot(&mut group, &slot, id, *algorithm);
        let batch = batch(id, *algorithm);
        let signatures = slot.sign(&batch).unwrap();
        let verifier = Verifier::new(public).unwrap();
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function("verify, one thread", |bencher| {
            bencher.iter(|| {
                let mut pairs = batch.messages.iter().zip(signatures.iter());
                assert!(pairs.all(|(message, signature)| verifier.verify(message, signature)));
            });
        });
        group.finish();
    }
    measure_waiting(&mut criterion);
    criterion.final_summary();
}

/// The same with a module that waits a millisecond and does nothing.
fn measure_waiting(criterion: &mut Criterion) {
    let module = std::env::current_exe().unwrap();
    let folder = module.parent().unwrap().parent().unwrap().join("examples");
    let module = folder.join("libconstant_module.so");
    assert!(module.exists(), "cargo build --release -p hsm --example constant-module");
    let mut group = criterion.benchmark_group("1 ms a call");
    for micros in ["1000", "0"] {
        let environment = vec![("CONSTANT_MODULE_MICROSECONDS".into(), micros.into())];
        let slot = HostedSlot::open(settings(&module, "constant", environment)).unwrap();
        let id = KeyId::new(b"key").unwrap();
        let algorithm = Algorithm::EcdsaP256Sha256;
        for callers in [1, 2, 8] {
            group.throughput(Throughput::Elements((callers * BATCH) as u64));
            let batch = batch(&id, algorithm);
            group.bench_function(format!("host, {micros} us, {callers} callers"), |bencher| {
                bencher.iter(|| sign_at_once(&slot, &batch, callers));
            });
        }
    }
    group.finish();
}

fn bench_slot(
    group: &mut BenchmarkGroup<'_, WallTime>,
    slot: &HostedSlot,
    id: &KeyId,
    algorithm: Algorithm,
) {
    let batch = batch(id, algorithm);
    group.bench_function("host, not verified", |bencher| {
        bencher.iter(|| sign_at_once(slot, &batch, CALLERS));
    });
    group.bench_function("host, verified", |bencher| {
        bencher.iter(|| {
            std::thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| slot.sign(&batch).unwrap());
                }
            });
        });
    });
}

fn sign_at_once(slot: &HostedSlot, batch: &SignBatch, callers: usize) {
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| assert_eq!(slot.sign_unverified(batch).unwrap().len(), BATCH));
        }
    });
}

fn batch(id: &KeyId, algorithm: Algorithm) -> SignBatch {
    // As long as what is signed for an NSEC3 record.
    let texts: Vec<_> = (0..BATCH).map(|number| [number as u8; 130]).collect();
    let messages: Packed = texts.iter().map(<[u8; 130]>::as_slice).collect();
    SignBatch { key: id.clone(), algorithm, messages }
}

fn raw_input(algorithm: Algorithm) -> Vec<u8> {
    match algorithm {
        Algorithm::RsaSha256 => vec![0x30; 19 + 32],
        Algorithm::Ed25519 => vec![7; 130],
        _ => vec![7; 32],
    }
}

/// Sessions of the module, without anything between.
struct Raw {
    sessions: Vec<(Session, u64)>,
    list: CK_FUNCTION_LIST,
    _library: cryptoki_sys::Pkcs11,
}

impl Raw {
    fn new(context: &Pkcs11, module: &str, id: &KeyId, count: usize) -> Raw {
        let token = context.get_slots_with_initialized_token().unwrap()[0];
        let sessions = (0..count).map(|_| {
            let session = context.open_rw_session(token).unwrap();
            // The second login of a process says that there has been one.
            let _ = session.login(UserType::User, Some(&PIN.into()));
            let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
            let id = Attribute::Id(id.as_bytes().to_vec());
            let key = session.find_objects(&[class, id]).unwrap()[0];
            (session, key.handle())
        });
        let sessions = sessions.collect();
        // SAFETY: the library is loaded already.
        let library = unsafe { cryptoki_sys::Pkcs11::new(module) }.unwrap();
        let mut list = std::ptr::null_mut();
        // SAFETY: a valid place for the answer.
        assert_eq!(unsafe { library.C_GetFunctionList(&mut list) }, CKR_OK);
        // SAFETY: the module's list, which stays while the library does.
        let list = unsafe { *list };
        Raw { sessions, list, _library: library }
    }

    /// As many signatures as the callers of a slot ask for.
    fn sign(&self, algorithm: Algorithm, input: &[u8]) {
        let count = CALLERS * BATCH / self.sessions.len();
        let list = self.list;
        std::thread::scope(|scope| {
            for (session, key) in &self.sessions {
                let (session, key) = (session.handle(), *key);
                scope.spawn(move || {
                    let mut input = input.to_vec();
                    for _ in 0..count {
                        sign_raw(&list, session, key, algorithm, &mut input);
                    }
                });
            }
        });
    }
}

fn sign_raw(
    list: &CK_FUNCTION_LIST,
    session: u64,
    key: u64,
    algorithm: Algorithm,
    input: &mut [u8],
) {
    let mechanism = match algorithm {
        Algorithm::RsaSha256 => cryptoki_sys::CKM_RSA_PKCS,
        Algorithm::Ed25519 => cryptoki_sys::CKM_EDDSA,
        _ => cryptoki_sys::CKM_ECDSA,
    };
    let mut mechanism =
        CK_MECHANISM { mechanism, pParameter: std::ptr::null_mut(), ulParameterLen: 0 };
    let mut signature = [0; 512];
    let mut length = 512;
    // SAFETY: buffers and lengths belong together, the session is this thread's alone.
    unsafe {
        assert_eq!((list.C_SignInit.unwrap())(session, &mut mechanism, key), CKR_OK);
        let (input, room) = (input, signature.as_mut_ptr());
        let (start, input_length) = (input.as_mut_ptr(), input.len() as u64);
        assert_eq!((list.C_Sign.unwrap())(session, start, input_length, room, &mut length), CKR_OK);
    }
}
