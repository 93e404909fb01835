//! `ods-enforcerd` and `ods-signerd` as init scripts and service units use them: in the foreground
//! and not, once, both of them; their pid files. Never: sleeps; a daemon that a failed test leaves
//! is killed.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::program::anchorite;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

const ZONE: &str = "ods1";
const FILES: [&str; 2] = ["enforcerd.pid", "signerd.pid"];

fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_small_zone(ZONE, 1, "");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation
}

fn named(name: &str, installation: &Installation, words: &[&str]) -> Command {
    let mut command = Command::new(anchorite());
    command.arg0(name).arg("-c").arg(installation.path("conf.xml")).args(words);
    command.current_dir(installation.path(""));
    command
}

fn enforcer(installation: &Installation, word: &str) -> Output {
    let mut command = Command::new(anchorite());
    command.arg0("ods-enforcer").args(["-s", &installation.socket(), word]);
    command.output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

#[test]
fn one_runs_in_the_foreground_and_the_other_one_joins() {
    let installation = installation();
    let mut daemon =
        Daemon::spawn(named("ods-enforcerd", &installation, &["-d", "-vv", "--verbose"]));
    daemon.wait_for(&["[STATS]", ZONE]);
    for file in FILES {
        assert_eq!(installation.read(file), format!("{}\n", daemon.pid()));
    }
    let again = named("ods-signerd", &installation, &[]).output().unwrap();
    assert!(again.status.success(), "{again:?}");
    let mut command = named("ods-signerd", &installation, &["--no-daemon"]);
    let mut joined = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(joined.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("OpenDNSSEC signer engine version "));
    assert_eq!(
        lines.next().unwrap(),
        "Enforcer and signer are one daemon here, and it runs already."
    );
    assert!(joined.try_wait().unwrap().is_none(), "it stays");
    daemon.stop();
    assert!(joined.wait().unwrap().success());
    assert!(FILES.iter().all(|file| !installation.path(file).exists()));
}

/// Kills the daemon of a test that failed.
struct Killed(Option<Pid>);

impl Drop for Killed {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.0.map(|process| kill(process, Signal::SIGKILL));
    }
}

#[test]
fn one_that_goes_into_the_background_runs_when_its_command_ends() {
    let installation = installation();
    let mut command = named("ods-signerd", &installation, &[]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
    let pid: i32 = installation.read("signerd.pid").trim_end().parse().unwrap();
    let mut killed = Killed(Some(Pid::from_raw(pid)));
    assert_eq!(
        text(&enforcer(&installation, "running").stdout).lines().last(),
        Some("Engine running.")
    );
    assert!(enforcer(&installation, "stop").status.success());
    assert!(FILES.iter().all(|file| !installation.path(file).exists()));
    // Its number may be another process's from now on.
    killed.0 = None;
}

#[test]
fn one_that_runs_once_signs_and_ends() {
    let installation = installation();
    let output = named("ods-enforcerd", &installation, &["-1", "-vvv"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stderr).contains("[STATS] ods1 "), "{output:?}");
    assert!(installation.signed(ZONE).exists());
    assert!(!installation.path("enforcerd.pid").exists());
}

#[test]
fn options_and_exit_codes_are_those_of_opendnssec() {
    let installation = installation();
    let information = named("ods-enforcerd", &installation, &["--info"]).output().unwrap();
    let shown = text(&information.stdout);
    assert!(information.status.success() && shown.contains("enforcerd.pid\n"), "{information:?}");
    let help = named("ods-signerd", &installation, &["-h"]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains(" -d | --no-daemon        Do not daemonize the signer"));
    for (name, code) in [("ods-enforcerd", 2), ("ods-signerd", 5)] {
        let wrong = named(name, &installation, &["-x"]).output().unwrap();
        assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
        assert!(text(&wrong.stderr).contains(": invalid option -- 'x'\nUsage: "), "{wrong:?}");
        let missing = named(name, &installation, &["-d", "-c", "/none"]).output().unwrap();
        assert_eq!(missing.status.code(), Some(code), "{missing:?}");
    }
    // A place where no state can be: it does not start.
    installation.edit("conf.xml", "<SQLite>", "<SQLite>/dev/null/");
    let refused = named("ods-enforcerd", &installation, &["-1"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
}
