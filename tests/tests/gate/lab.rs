//! A daemon with one zone, whose time tests set. In: commands. Out: what they print.
//! Never: sleeps; tests wait for lines of the log.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::program::anchorite;
use audit::{Denial, PublishedKeys, PublishedVersion, SignedBy};
use dnssec::{Name, Timestamp};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use storage::StateStore;

pub(crate) const ZONE: &str = "gate.example";

/// The configuration, with one zone.
pub(crate) fn installation() -> Installation {
    let mut installation = Installation::new("default");
    installation.set_environment("TZ", "UTC".into());
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.80");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation
}

/// Writes a script that can be a checker. Its path.
pub(crate) fn script(installation: &Installation, name: &str, text: &str) -> PathBuf {
    installation.write(name, &format!("#!/bin/sh\n{text}\n"));
    let path = installation.path(name);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Starts the daemon with a clock that can be set.
pub(crate) fn start(installation: &Installation) -> Daemon {
    let mut command = installation.command();
    command.args(["--set-time", "now"]);
    Daemon::spawn(command)
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// Runs a command of `name`.
pub(crate) fn run(installation: &Installation, name: &str, words: &[&str]) -> Said {
    let socket = installation.socket();
    let mut command = Command::new(anchorite());
    command.arg0(name).args(["-s", &socket]).args(words).env("TZ", "UTC");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let own = format!("sock set to {socket}\n");
    let stdout = text(output.stdout);
    let stdout = stdout.strip_prefix(&own).unwrap_or(&stdout).to_owned();
    Said { stdout, stderr: text(output.stderr), code: output.status.code().unwrap() }
}

/// Runs `anchorite` with a command that succeeds.
#[track_caller]
pub(crate) fn told(installation: &Installation, words: &[&str]) -> String {
    let said = run(installation, "anchorite", words);
    assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{words:?}: {said:?}");
    said.stdout
}

/// Serial of the signed file.
#[track_caller]
pub(crate) fn signed_serial(installation: &Installation) -> u32 {
    let text = std::fs::read_to_string(installation.signed(ZONE)).unwrap();
    let soa = text.lines().find(|line| line.contains("\tSOA\t")).unwrap();
    soa.split_ascii_whitespace().nth(6).unwrap().parse().unwrap()
}

/// The store of a daemon that does not run.
pub(crate) fn store(installation: &Installation) -> StateStore {
    let found = std::fs::read_dir(installation.path("")).unwrap();
    let mut paths = found.map(|entry| entry.unwrap().path());
    let file = paths.find(|path| path.extension().is_some_and(|one| one == "redb"));
    StateStore::open(&file.expect("the daemon made its store"), Timestamp(1)).unwrap()
}

/// Makes the daemon that starts next believe that the published version has the key of somebody
/// else and is signed with it, as when a backup of another machine was restored.
pub(crate) fn plant_foreign_history(installation: &Installation) {
    let zone = Name::parse(format!("{ZONE}.").as_bytes(), None).unwrap();
    let mut dnskey = vec![1, 1, 3, 13];
    dnskey.extend([7; 64]);
    let signed = SignedBy { dnskeys: vec![dnskey.clone()], owner: zone.as_wire().to_vec() };
    let keys = PublishedKeys {
        dnskeys: vec![dnskey.clone()],
        dnskey_ttl: 3600,
        keyset_signers: vec![dnskey],
        data_signers: vec![signed],
        data_ttl: 60,
        denial: Denial::Nsec,
    };
    let history = vec![PublishedVersion { keys, served_until: None }];
    let eras = postcard::to_allocvec(&history).unwrap();
    store(installation).eras_put(&zone, &eras).unwrap();
}

/// Waits until neither keys nor signatures are being worked on.
#[track_caller]
pub(crate) fn settle(installation: &Installation) {
    let begin = Instant::now();
    let mut idle = 0;
    // Several times: between the two, work is in nobody's hands.
    while idle < 4 {
        let text = run(installation, "anchorite", &["queue"]).stdout;
        let is_idle = text.contains("All worker threads idle.")
            && !["immediately", "Working with", "[configure]"].iter().any(|w| text.contains(w));
        idle = if is_idle { idle + 1 } else { 0 };
        assert!(begin.elapsed() < WAIT, "still at work: {text}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
