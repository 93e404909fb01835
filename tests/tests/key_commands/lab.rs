//! A daemon whose time tests set, with one zone. In: commands. Out: what they print.
//! Signatures are dated far back, so that judges, whose clock is the machine's, take those of the
//! future too. Never: sleeps; the daemon is asked until it has nothing to do.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::program::anchorite;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// The one zone.
pub(crate) const ZONE: &str = "ods1";
/// Between two questions.
const POLL: Duration = Duration::from_millis(20);

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// The configuration, with the zone.
pub(crate) fn installation() -> Installation {
    let installation = Installation::new("default");
    let element = "<AutomaticKeyGenerationPeriod>";
    installation.edit("conf.xml", &format!("{element}PT0S<"), &format!("{element}P1Y<"));
    installation.edit("kasp.xml", "<InceptionOffset>PT3600S<", "<InceptionOffset>P60D<");
    installation.edit("kasp.xml", "<Jitter>PT12H<", "<Jitter>PT0S<");
    installation.edit("kasp.xml", "<Default>P14D<", "<Default>P4D<");
    installation.edit("kasp.xml", "<Denial>P14D<", "<Denial>P4D<");
    installation.edit("kasp.xml", "<Purge>P14D</Purge>", "");
    installation.edit("kasp.xml", "<Resign>PT2H<", "<Resign>PT12H<");
    // Nothing rolls by itself: a leap never goes there.
    installation.edit("kasp.xml", "<Lifetime>P365D<", "<Lifetime>PT0S<");
    installation.edit("kasp.xml", "<Lifetime>P90D<", "<Lifetime>PT0S<");
    installation.edit("kasp.xml", "built-in", "SoftHSM");
    installation.edit("conf.xml", "name=\"built-in\"", "name=\"SoftHSM\"");
    installation.write_small_zone(ZONE, 1, "");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation
}

/// The daemon at work.
pub(crate) struct Lab {
    pub(crate) installation: Installation,
    pub(crate) daemon: Daemon,
}

impl Lab {
    /// Starts it, and waits until the zone is signed.
    pub(crate) fn start(installation: Installation) -> Lab {
        let mut command = installation.command();
        command.args(["--set-time", "now"]);
        let mut daemon = Daemon::spawn(command);
        daemon.wait_for(&["[STATS]", ZONE]);
        let lab = Lab { installation, daemon };
        lab.settle();
        lab
    }

    fn run(&self, name: &str, words: &str) -> Said {
        let socket = self.installation.socket();
        let mut command = Command::new(anchorite());
        command.arg0(name).args(["-s", &socket]).args(words.split_ascii_whitespace());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let stdout = text(output.stdout);
        let own = format!("sock set to {socket}\n");
        let stdout = stdout.strip_prefix(&own).unwrap_or(&stdout).to_owned();
        Said { stdout, stderr: text(output.stderr), code: output.status.code().unwrap() }
    }

    /// `ods-enforcer`.
    pub(crate) fn enforcer(&self, words: &str) -> Said {
        self.run("ods-enforcer", words)
    }

    /// `ods-enforcer` with a command that succeeds.
    #[track_caller]
    pub(crate) fn done(&self, words: &str) -> String {
        let said = self.enforcer(words);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{words}: {said:?}");
        said.stdout
    }

    /// `anchorite`.
    pub(crate) fn anchorite(&self, words: &str) -> Said {
        self.run("anchorite", words)
    }

    /// Asks `words` of `ods-enforcer` until the answer is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, words: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let answer = self.enforcer(words).stdout;
            if is_wanted(&answer) {
                return answer;
            }
            assert!(begin.elapsed() < WAIT, "{words} goes on answering {answer}");
            std::thread::park_timeout(POLL);
        }
    }

    /// Waits until neither keys nor signatures are being worked on.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let begin = Instant::now();
        let mut idle = 0;
        // Several times: between the two, work is in nobody's hands.
        while idle < 4 {
            let text = self.anchorite("queue").stdout;
            let is_idle = text.contains("All worker threads idle.")
                && !["immediately", "Working with", "[configure]"].iter().any(|w| text.contains(w));
            idle = if is_idle { idle + 1 } else { 0 };
            assert!(begin.elapsed() < WAIT, "still at work: {text}");
            std::thread::park_timeout(POLL);
        }
    }

    /// The time on the daemon's clock, in seconds since 1970.
    #[track_caller]
    pub(crate) fn now(&self) -> u64 {
        let queue = self.done("queue");
        let (_, rest) = queue.split_once("It is now ").unwrap();
        let (_, rest) = rest.split_once('(').unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// Leaps to the next task and says what parents did meanwhile; the zone is right afterwards.
    #[track_caller]
    pub(crate) fn step(&self) {
        self.done("time leap");
        self.settle();
        for command in ["key ds-seen", "key ds-gone"] {
            if self.done(command).lines().count() > 1 {
                let text = self.done(&format!("{command} -a"));
                assert!(text.contains(" KSKs changed.\n") && !text.contains("\n0 "), "{text}");
            }
        }
        self.settle();
        dnssec_verify(&self.installation.signed(ZONE), ZONE).unwrap();
    }

    /// Steps until the keys are as wanted: zone;role;DS;DNSKEY;RRSIGDNSKEY;RRSIG;pub;act;id.
    #[track_caller]
    pub(crate) fn step_until(&self, is_reached: impl Fn(&[Vec<String>]) -> bool) {
        for _ in 0..60 {
            if is_reached(&self.keys()) {
                return;
            }
            self.step();
        }
        panic!("60 steps, and the keys are {:?}", self.keys());
    }

    /// The fields of `key list -d -p`.
    #[track_caller]
    pub(crate) fn keys(&self) -> Vec<Vec<String>> {
        let fields = |line: &str| line.split(';').map(str::to_owned).collect();
        self.done("key list -d -p").lines().map(fields).collect()
    }
}

/// The name of the user who gives the commands.
pub(crate) fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name
}

/// Writes a program that the daemon may run.
pub(crate) fn write_program(installation: &Installation, name: &str, text: &str) {
    installation.write(name, text);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(installation.path(name), mode).unwrap();
}

/// Whether a key of `key list -d -p` is everywhere it can be.
pub(crate) fn is_everywhere(key: &[String]) -> bool {
    key[2..6].iter().all(|state| matches!(state.as_str(), "omnipresent" | "NA"))
}

/// Whether it is nowhere.
pub(crate) fn is_nowhere(key: &[String]) -> bool {
    key[2..6].iter().all(|state| matches!(state.as_str(), "hidden" | "NA"))
}
