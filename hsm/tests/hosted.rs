//! Slots in processes of their own, on SoftHSM2 and the built-in token: the conformance suite, and
//! what happens when hosts die, hang, or say what is no answer.
//!
//! The host is this very test program, started again with [`HOST`] in its environment.

mod conformance;

use conformance::{check_message, check_signing, check_slot, messages, new_id};
use cryptoki::object::{Attribute, ObjectClass};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use hsm::builtin::Unlock;
use hsm::hosted::{
    Deadlines, HOST_STARTS_MAX, HostProgram, HostedSettings, HostedSlot, HostedToken, Network,
};
use hsm::pkcs11::Pkcs11Settings;
use hsm::{Disposition, GenerateRequest, Packed, PinTries, SignBatch, Slot, SlotError};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, User, geteuid};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "1234";
/// Set in a child that is to be a host.
const HOST: &str = "ANCHORITE_HSM_TEST_HOST";
/// Set in a child that is to use a host, until it is killed.
const PARENT: &str = "ANCHORITE_HSM_TEST_PARENT";
/// Set in a child that is to change objects: two key ids.
const SWAP: &str = "ANCHORITE_HSM_TEST_SWAP";
/// Longer than anything here takes; reaching it is a failure.
const SOON: Duration = Duration::from_secs(1);

/// The host of every other test.
#[test]
fn host_process() {
    if std::env::var_os(HOST).is_some() {
        let fault = hsm::host::run();
        // The test's own output is not seen in a host, its standard error is.
        std::io::stderr().write_all(format!("{fault}\n").as_bytes()).unwrap();
        hsm::host::exit(2);
    }
}

/// Tokens in a private folder.
struct Tokens {
    folder: TempDir,
    configuration: PathBuf,
}

impl Tokens {
    fn new(labels: &[&str]) -> Tokens {
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
                .args(["--init-token", "--free", "--label", label])
                .args(["--so-pin", "5678", "--pin", PIN])
                .output()
                .expect("softhsm2-util cannot be run: run cargo xtask setup");
            assert!(status.status.success(), "{status:?}");
        }
        Tokens { folder, configuration }
    }

    fn settings(&self, label: &str) -> HostedSettings {
        hosted(&self.configuration, label)
    }

    fn open(&self, label: &str) -> HostedSlot {
        HostedSlot::open(self.settings(label)).unwrap()
    }
}

fn hosted(configuration: &Path, label: &str) -> HostedSettings {
    let settings = Pkcs11Settings {
        repository: "SoftHSM".to_owned(),
        module: PathBuf::from(MODULE),
        token_label: label.to_owned(),
        pin: Some(PIN.into()),
        skip_public_key: false,
        allow_extraction: false,
        sessions_max: 4,
        module_parameters: None,
        known: hsm::KnownToken::default(),
    };
    let mut program = this_program();
    program.environment.push(("SOFTHSM2_CONF".into(), configuration.into()));
    HostedSettings {
        repository: "SoftHSM".to_owned(),
        program,
        user: None,
        token: HostedToken::Pkcs11 { settings, capacity: None },
        deadlines: Deadlines::default(),
    }
}

fn this_program() -> HostProgram {
    HostProgram {
        path: std::env::current_exe().unwrap(),
        arguments: ["--exact", "host_process", "--nocapture"].map(OsString::from).to_vec(),
        environment: vec![(HOST.into(), "1".into())],
        working_directory: None,
        network: Network::Allow,
    }
}

/// The PKCS#11 part of the settings.
fn pkcs11(settings: &mut HostedSettings) -> &mut Pkcs11Settings {
    match &mut settings.token {
        HostedToken::Pkcs11 { settings, .. } => settings,
        HostedToken::BuiltIn { .. } => panic!("no PKCS#11 token"),
    }
}

fn open_error(settings: HostedSettings) -> SlotError {
    HostedSlot::open(settings).err().expect("the slot was opened")
}

fn signal(process_id: u32, signal: Signal) {
    kill(Pid::from_raw(process_id.try_into().unwrap()), signal).unwrap();
}

/// Stops a host and waits until it stands still.
fn stop(host: u32) {
    signal(host, Signal::SIGSTOP);
    let host = Pid::from_raw(host.try_into().unwrap());
    let status = waitpid(host, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert!(matches!(status, WaitStatus::Stopped(..)), "{status:?}");
}

fn new_key(slot: &dyn Slot, algorithm: Algorithm) -> (KeyId, dnssec::key::PublicKey) {
    let id = new_id();
    let key = slot.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
    (id, key)
}

/// Waits for a child's end, but not for ever.
fn wait_soon(mut child: Child) -> ExitStatus {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait().unwrap()));
    end.recv_timeout(SOON).expect("the process did not end")
}

#[test]
fn softhsm_conforms() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let slot = tokens.open("OpenDNSSEC");
    check_slot(&slot);
    let info = slot.info().unwrap();
    assert_eq!((info.label.as_str(), info.repository.as_str()), ("OpenDNSSEC", "SoftHSM"));
    assert_eq!(slot.wrong_signature_count(), 0);
}

#[test]
fn builtin_token_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let settings = |may_create| HostedSettings {
        repository: "main".to_owned(),
        program: this_program(),
        user: None,
        token: HostedToken::BuiltIn {
            folder: folder.path().join("keys"),
            label: "Anchor".to_owned(),
            unlock: Unlock::KeyFile(folder.path().join("unlock")),
            may_create,
        },
        deadlines: Deadlines::default(),
    };
    let error = open_error(settings(false));
    assert!(matches!(error, SlotError::FolderUnusable { .. }), "{error}");
    let slot = HostedSlot::open(settings(true)).unwrap();
    check_slot(&slot);
    let (id, key) = new_key(&slot, Algorithm::Ed25519);
    check_signing(&slot, &id, &key);
    assert_eq!(slot.info().unwrap().label, "Anchor");
}

/// More messages than fit a request, from many callers at once.
#[test]
fn many_parts_and_callers() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let slot = tokens.open("OpenDNSSEC");
    let (key, public) = new_key(&slot, Algorithm::EcdsaP256Sha256);
    std::thread::scope(|scope| {
        for caller in 0..8_u32 {
            let (slot, key, public) = (&slot, &key, &public);
            scope.spawn(move || {
                let texts: Vec<_> = (0..300 + caller).map(|n| [n, caller]).collect();
                let texts: Vec<_> = texts.iter().map(|[a, b]| format!("{a} {b}")).collect();
                let messages: Packed = texts.iter().map(String::as_bytes).collect();
                let algorithm = public.algorithm;
                let batch = SignBatch { key: key.clone(), algorithm, messages };
                let signatures = slot.sign(&batch).unwrap();
                assert_eq!(signatures.len(), texts.len());
                for (message, signature) in batch.messages.iter().zip(signatures.iter()) {
                    assert!(hsm::verify(public, message, signature));
                }
            });
        }
    });
}

/// SIGKILL in the middle of a batch: an error, then a new host, and nothing is lost.
#[test]
fn killed_host_is_replaced() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let slot = tokens.open("OpenDNSSEC");
    let (id, key) = new_key(&slot, Algorithm::EcdsaP256Sha256);
    check_signing(&slot, &id, &key);
    for _ in 0..2 * HOST_STARTS_MAX {
        let host = slot.process_id().unwrap();
        // Stopped, it cannot finish what it is asked before it is killed.
        stop(host);
        let error = std::thread::scope(|scope| {
            let batch =
                SignBatch { key: id.clone(), algorithm: key.algorithm, messages: messages() };
            let slot = &slot;
            let caller = scope.spawn(move || slot.sign(&batch));
            signal(host, Signal::SIGKILL);
            caller.join().unwrap()
        });
        // The kill may have come before the request: then a new host has done it.
        if let Err(error) = error {
            assert!(matches!(error, SlotError::HostEnded { .. }), "{error}");
            assert_eq!(error.disposition(), Disposition::Restart);
            check_message(&error, &slot);
        }
        check_signing(&slot, &id, &key);
        assert_ne!(slot.process_id(), Some(host));
    }
    assert_eq!(slot.list().unwrap().len(), 1);
}

/// A host that hangs is killed past the deadline, and the next use starts another.
#[test]
fn silent_host_is_killed() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let mut settings = tokens.settings("OpenDNSSEC");
    let slot = HostedSlot::open(settings.clone()).unwrap();
    let (id, key) = new_key(&slot, Algorithm::Ed25519);
    drop(slot);
    settings.deadlines.answer = Duration::from_secs(2);
    let slot = HostedSlot::open(settings).unwrap();
    check_signing(&slot, &id, &key);
    let host = slot.process_id().unwrap();
    stop(host);
    let batch = SignBatch { key: id.clone(), algorithm: key.algorithm, messages: messages() };
    let error = slot.sign(&batch).unwrap_err();
    assert!(matches!(error, SlotError::HostSilent { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Restart);
    check_message(&error, &slot);
    check_signing(&slot, &id, &key);
    assert_ne!(slot.process_id(), Some(host));
}

/// A PIN that was refused is not offered again, whatever is started anew; and one that may have
/// been offered to a host that died is offered only to a token that has counted no wrong one.
#[test]
fn wrong_pin_is_tried_once_over_restarts() {
    let tokens = Tokens::new(&["pin"]);
    let mut wrong = tokens.settings("pin");
    pkcs11(&mut wrong).pin = Some("4321".into());
    let error = open_error(wrong.clone());
    let SlotError::PinRejected { tries: PinTries::Low, .. } = error else { panic!("{error}") };
    assert_eq!(error.disposition(), Disposition::Alarm);
    assert!(error.to_string().contains("few tries are left"), "{error}");
    // Nothing is even started for it any more.
    wrong.program.path = PathBuf::from("/nonexistent");
    let error = open_error(wrong);
    assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
    // A host that dies while it opens leaves the next PIN in doubt: the token has counted a wrong
    // one, so this might have been it.
    let mut dies = tokens.settings("pin");
    dies.program.path = PathBuf::from("/bin/false");
    let error = open_error(dies);
    assert!(matches!(error, SlotError::HostEnded { .. }), "{error}");
    let error = open_error(tokens.settings("pin"));
    assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
    hsm::hosted::forget_refused_pins();
    let slot = tokens.open("pin");
    assert!(slot.list().unwrap().is_empty());
}

#[test]
fn host_that_cannot_be_started() {
    let tokens = Tokens::new(&[]);
    let mut settings = tokens.settings("host_that_cannot_be_started");
    settings.program.path = PathBuf::from("/nonexistent/anchorite");
    let error = open_error(settings);
    assert!(matches!(error, SlotError::HostUnavailable { .. }), "{error}");
    assert!(error.to_string().contains("/nonexistent/anchorite"), "{error}");
}

/// A host that dies each time is not started for ever: its owner decides when to try again.
#[test]
fn starts_in_a_row_are_limited() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let starts = tokens.folder.path().join("starts");
    let broken = tokens.folder.path().join("broken");
    let mut settings = tokens.settings("OpenDNSSEC");
    // Writes down that it was started; then is a host, unless it is broken.
    let script = format!(
        "echo x >>{}; test -e {} || exec \"$0\" \"$@\"",
        starts.display(),
        broken.display()
    );
    let program = &mut settings.program;
    let host = std::mem::replace(&mut program.path, PathBuf::from("/bin/sh"));
    program.arguments.splice(0..0, ["-c".into(), script.into(), host.into()]);
    let count = || std::fs::read_to_string(&starts).unwrap().lines().count();
    let slot = HostedSlot::open(settings.clone()).unwrap();
    slot.list().unwrap();
    assert_eq!(count(), 1);
    std::fs::write(&broken, "").unwrap();
    signal(slot.process_id().unwrap(), Signal::SIGKILL);
    for _ in 0..3 * HOST_STARTS_MAX {
        let error = slot.list().unwrap_err();
        assert!(matches!(error, SlotError::HostEnded { .. }), "{error}");
    }
    assert!(count() <= 1 + HOST_STARTS_MAX as usize, "{} starts", count());
    // Opened anew it is tried again, also with the PIN: the token has counted no wrong one.
    std::fs::remove_file(&broken).unwrap();
    assert!(HostedSlot::open(settings).unwrap().list().unwrap().is_empty());
}

/// What comes from the host's side is no answer: its own request back, noise, half a frame.
#[test]
fn garbage_from_the_host() {
    let tokens = Tokens::new(&[]);
    let programs = [
        ("exec cat <&0 >&0", "it sent a"),
        ("head -c 9 >/dev/null <&0; echo noise >&0; exec cat >/dev/null", "version 110"),
        ("printf '\\001\\000' >&0", "cut off"),
        ("printf '\\001\\377\\377\\377\\377' >&0; exec cat >/dev/null", "4294967295 bytes"),
        ("printf '\\001\\002\\000\\000\\000\\007\\007' >&0; exec cat >/dev/null", "(id 7)"),
        (
            "head -c 9 >/dev/null <&0; printf '\\001\\002\\000\\000\\000\\000\\007' >&0; \
             exec cat >/dev/null",
            "wrong kind",
        ),
    ];
    for (script, words) in programs {
        let mut settings = tokens.settings("garbage");
        settings.program.path = PathBuf::from("/bin/sh");
        settings.program.arguments = ["-c", script].map(OsString::from).to_vec();
        let error = open_error(settings);
        assert!(matches!(error, SlotError::HostEnded { .. }), "{script}: {error}");
        assert!(error.to_string().contains(words), "{script}: {error}");
    }
}

/// A host of its own, with the test in the parent's place.
fn bare_host() -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let program = this_program();
    let child = Command::new(program.path)
        .args(program.arguments)
        .envs(program.environment)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, ours)
}

#[test]
fn garbage_from_the_parent() {
    let cases: [(&[u8], &str); 4] = [
        (b"\x09\x01\0\0\0x", "version 9"),
        (b"\x01\xff\xff\xff\xffx", "4294967295 bytes"),
        (b"\x01\x03\0\0\0\xff\xff\xff", "no message"),
        (b"\x01\x03\0\0\0\0", "connection to the parent broke"),
    ];
    for (bytes, words) in cases {
        let (mut child, mut socket) = bare_host();
        let mut complaints = child.stderr.take().unwrap();
        socket.write_all(bytes).unwrap();
        drop(socket);
        assert_eq!(wait_soon(child).code(), Some(2), "{words}");
        let mut text = String::new();
        complaints.read_to_string(&mut text).unwrap();
        assert!(text.contains(words) && !text.contains("panicked"), "{text}");
    }
}

#[test]
fn host_started_by_hand_says_so() {
    let program = this_program();
    let output = Command::new(program.path)
        .args(program.arguments)
        .envs(program.environment)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("started by anchorite itself"), "{text}");
}

#[test]
fn host_ends_when_the_socket_is_closed() {
    let (child, socket) = bare_host();
    drop(socket);
    assert_eq!(wait_soon(child).code(), Some(0));
}

/// The user of a host, until it is killed; see the next test.
#[test]
fn parent_process() {
    let Some(configuration) = std::env::var_os(PARENT) else { return };
    let slot = HostedSlot::open(hosted(Path::new(&configuration), "OpenDNSSEC")).unwrap();
    let (id, _) = new_key(&slot, Algorithm::Ed25519);
    let line = format!("host {}\n", slot.process_id().unwrap());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    let algorithm = Algorithm::Ed25519;
    loop {
        let batch = SignBatch { key: id.clone(), algorithm, messages: messages() };
        slot.sign(&batch).unwrap();
    }
}

/// SIGKILL for the parent: its host, which is busy and logged in, ends within a second.
#[test]
fn host_ends_with_its_parent() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "parent_process", "--nocapture"])
        .env(PARENT, &tokens.configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut complaints = parent.stderr.take().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let host = lines.find_map(|line| Some(line.unwrap().split_once("host ")?.1.to_owned()));
    let host: u32 = host.expect("no host").parse().unwrap();
    check_hardened(host);
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Standard error is a pipe that the host has inherited: it ends when the host has.
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        complaints.read_to_string(&mut text).unwrap();
        ended.send(text)
    });
    let text = end.recv_timeout(SOON).expect("the host outlived its parent");
    assert!(!text.contains("panicked"), "{text}");
}

/// What the kernel says of a host that is at work.
#[track_caller]
fn check_hardened(host: u32) {
    let read = |name: &str| std::fs::read(format!("/proc/{host}/{name}")).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    // Of a thread of the host: the test program has a thread besides, which it does not use.
    let tasks = std::fs::read_dir(format!("/proc/{host}/task")).unwrap();
    let tasks =
        tasks.map(|task| text(&format!("task/{}/status", task.unwrap().file_name().display())));
    let status = tasks.into_iter().find(|status| status.contains("session-0")).unwrap();
    assert_eq!(value(&status, "NoNewPrivs:"), "1");
    assert_ne!(value(&status, "VmLck:"), "0", "the PIN is not locked in memory");
    assert_eq!(value(&text("limits"), "Max core file size"), "0");
    for name in ["cmdline", "environ"] {
        let bytes = read(name);
        let has_pin = bytes.split(|byte| *byte == 0).any(|word| word.ends_with(PIN.as_bytes()));
        assert!(!has_pin, "the PIN is in {name}");
    }
    for descriptor in ["fd/0", "fd/1"] {
        let target = std::fs::read_link(format!("/proc/{host}/{descriptor}")).unwrap();
        assert_eq!(target, Path::new("/dev/null"));
    }
}

#[test]
fn each_wrong_setting_has_its_own_error() {
    let tokens = Tokens::new(&["alpha", "twin", "twin"]);
    let check = |change: &dyn Fn(&mut HostedSettings), is_expected: fn(&SlotError) -> bool| {
        let mut settings = tokens.settings("alpha");
        change(&mut settings);
        let error = open_error(settings);
        let text = error.to_string();
        assert!(is_expected(&error) && text.starts_with("repository SoftHSM, token \""), "{text}");
        text
    };
    check(&|settings| pkcs11(settings).module = PathBuf::from("/nonexistent.so"), |error| {
        matches!(error, SlotError::ModuleMissing { .. })
    });
    check(&|settings| pkcs11(settings).module = tokens.configuration.clone(), |error| {
        matches!(error, SlotError::ModuleUnusable { .. })
    });
    check(&|settings| pkcs11(settings).pin = None, |error| {
        matches!(error, SlotError::PinMissing { .. })
    });
    check(
        &|settings| pkcs11(settings).token_label = "gamma".to_owned(),
        |error| matches!(error, SlotError::TokenMissing { labels, .. } if labels.len() == 3),
    );
    let text = check(
        &|settings| pkcs11(settings).token_label = "twin".to_owned(),
        |error| matches!(error, SlotError::TokenAmbiguous { serials, .. } if serials.len() == 2),
    );
    // Both serial numbers are named, and either of them tells the tokens apart.
    let serials: Vec<_> =
        text.split('"').filter(|word| word.len() == 16).map(str::to_owned).collect();
    assert_eq!(serials.len(), 2, "{text}");
    for wanted in &serials {
        let mut settings = tokens.settings("twin");
        pkcs11(&mut settings).known.serial = Some(wanted.clone());
        assert_eq!(HostedSlot::open(settings).unwrap().info().unwrap().serial, *wanted);
    }
    check(
        &|settings| pkcs11(settings).known.serial = Some("0000".to_owned()),
        |error| matches!(error, SlotError::TokenReplaced { found, .. } if found.len() == 1),
    );
}

/// Started by root with a user named, a host has that user's rights only; started by anybody else
/// it has the rights that it had.
#[test]
fn host_takes_on_the_rights_of_its_user() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let is_root = geteuid().is_root();
    let mut settings = tokens.settings("OpenDNSSEC");
    if is_root {
        let status =
            Command::new("chown").args(["-R", "nobody"]).arg(tokens.folder.path()).status();
        assert!(status.unwrap().success());
        settings.user = Some("no such user".to_owned());
        let error = open_error(settings.clone());
        assert!(matches!(error, SlotError::HostRefused { .. }), "{error}");
        assert!(error.to_string().contains("no such user"), "{error}");
    }
    settings.user = Some("nobody".to_owned());
    let slot = HostedSlot::open(settings).unwrap();
    let (id, key) = new_key(&slot, Algorithm::Ed25519);
    check_signing(&slot, &id, &key);
    let status = format!("/proc/{}/status", slot.process_id().unwrap());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    let expected = if is_root { nobody.uid } else { geteuid() }.to_string();
    assert!(line.split_whitespace().skip(1).all(|uid| uid == expected), "{line}");
}

#[test]
fn capacity_is_kept() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let mut settings = tokens.settings("OpenDNSSEC");
    if let HostedToken::Pkcs11 { capacity, .. } = &mut settings.token {
        *capacity = Some(1);
    }
    let slot = HostedSlot::open(settings).unwrap();
    let (id, key) = new_key(&slot, Algorithm::Ed25519);
    let error = slot.generate(&GenerateRequest::new(new_id(), Algorithm::Ed25519)).unwrap_err();
    assert!(matches!(error, SlotError::TokenFull { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Refuse);
    check_message(&error, &slot);
    check_signing(&slot, &id, &key);
}

/// The token is unplugged and plugged in again (fault R9): nothing is called lost, no key is made,
/// and the same host goes on when it is back. SoftHSM's own state has to be made anew for that.
#[test]
fn token_that_is_away_comes_back() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let slot = tokens.open("OpenDNSSEC");
    let (id, key) = new_key(&slot, Algorithm::EcdsaP256Sha256);
    let (other, _) = new_key(&slot, Algorithm::EcdsaP256Sha256);
    check_signing(&slot, &id, &key);
    let host = slot.process_id();
    let [place, away] = ["tokens", "away"].map(|name| tokens.folder.path().join(name));
    let batch = SignBatch { key: id.clone(), algorithm: key.algorithm, messages: messages() };
    for _ in 0..2 {
        std::fs::rename(&place, &away).unwrap();
        std::fs::create_dir(&place).unwrap();
        let request = GenerateRequest::new(new_id(), Algorithm::EcdsaP256Sha256);
        for error in [
            slot.sign(&batch).unwrap_err(),
            slot.public_key(&other, key.algorithm).unwrap_err(),
            slot.list().map(|_| ()).unwrap_err(),
            slot.generate(&request).unwrap_err(),
        ] {
            let is_retry = matches!(error.disposition(), Disposition::Retry { .. });
            assert!(is_retry, "{error}");
        }
        std::fs::remove_dir(&place).unwrap();
        std::fs::rename(&away, &place).unwrap();
        assert_eq!(slot.list().unwrap().len(), 2);
        check_signing(&slot, &id, &key);
    }
    assert_eq!(slot.process_id(), host, "initialising the module anew was enough");
}

/// Gives the public object of the second key the id of the first; see the next test.
#[test]
fn swap_process() {
    let Ok(keys) = std::env::var(SWAP) else { return };
    let (id, other) = keys.split_once(' ').unwrap();
    let [id, other] = [id, other].map(|key| KeyId::from_hex(key).unwrap());
    let context = cryptoki::context::Pkcs11::new(MODULE).unwrap();
    let flags = cryptoki::context::CInitializeFlags::OS_LOCKING_OK;
    context.initialize(cryptoki::context::CInitializeArgs::new(flags)).unwrap();
    let token = context.get_slots_with_initialized_token().unwrap()[0];
    let session = context.open_rw_session(token).unwrap();
    session.login(cryptoki::session::UserType::User, Some(&PIN.into())).unwrap();
    let public = |id: &KeyId| {
        let class = Attribute::Class(ObjectClass::PUBLIC_KEY);
        session.find_objects(&[class, Attribute::Id(id.as_bytes().to_vec())]).unwrap()[0]
    };
    session.destroy_object(public(&id)).unwrap();
    let new_name = [Attribute::Id(id.as_bytes().to_vec())];
    session.update_attributes(public(&other), &new_name).unwrap();
}

/// A token whose signatures do not verify: they are made once more, then it is not used again.
#[test]
fn lying_token_is_not_used() {
    let tokens = Tokens::new(&["OpenDNSSEC"]);
    let slot = tokens.open("OpenDNSSEC");
    let (id, key) = new_key(&slot, Algorithm::EcdsaP256Sha256);
    let (other, _) = new_key(&slot, Algorithm::EcdsaP256Sha256);
    drop(slot);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "swap_process", "--nocapture"])
        .env("SOFTHSM2_CONF", &tokens.configuration)
        .env(SWAP, format!("{id} {other}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let slot = tokens.open("OpenDNSSEC");
    let batch = SignBatch { key: id.clone(), algorithm: key.algorithm, messages: messages() };
    for _ in 0..2 {
        let error = slot.sign(&batch).unwrap_err();
        assert!(matches!(error, SlotError::WrongSignature { index: 0, .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Alarm);
        check_message(&error, &slot);
    }
    // Asked twice, tried twice: the second request was refused without asking the token.
    assert_eq!(slot.wrong_signature_count(), 3);
    assert_eq!(slot.list().unwrap().len(), 2);
    assert!(tokens.folder.path().exists());
}
