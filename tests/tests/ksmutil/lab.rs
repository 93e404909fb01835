//! A daemon whose time tests set, with one zone, and `ods-ksmutil` in front of it.
//! In: words, what is typed. Out: streams and exit code. Never: sleeps; the daemon is asked until
//! it has nothing to do.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::program::anchorite;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The zone that is there from the beginning.
pub(crate) const ZONE: &str = "ods";
/// Between two questions.
const POLL: Duration = Duration::from_millis(20);

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Said {
    /// These words on standard output, none on standard error, and this exit code.
    #[track_caller]
    pub(crate) fn is(&self, stdout: &str, code: i32) {
        let found = (self.stdout.as_str(), self.stderr.as_str(), self.code);
        assert_eq!(found, (stdout, "", code));
    }

    /// A complaint of 1.4's: on standard output, with this exit code.
    #[track_caller]
    pub(crate) fn complains(&self, fragment: &str, code: i32) {
        assert!(self.stdout.contains(fragment) && self.code == code, "{fragment}: {self:?}");
    }

    /// A complaint of ours: on standard error alone, with exit code 1.
    #[track_caller]
    pub(crate) fn refuses(&self, fragment: &str) {
        let is_so = self.stdout.is_empty() && self.stderr.contains(fragment) && self.code == 1;
        assert!(is_so, "{fragment}: {self:?}");
    }
}

/// Runs a program of ours under a name, with this typed into it.
pub(crate) fn run(installation: &Installation, name: &str, words: &str, typed: &str) -> Said {
    let mut command = Command::new(anchorite());
    command.arg0(name).args(words.split_ascii_whitespace());
    command.current_dir(installation.path(""));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that does not read it may be gone.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Said { stdout: text(output.stdout), stderr: text(output.stderr), code }
}

/// The configuration, with the zone; nothing rolls by itself.
pub(crate) fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.edit("kasp.xml", "<InceptionOffset>PT3600S<", "<InceptionOffset>P60D<");
    installation.edit("kasp.xml", "<Jitter>PT12H<", "<Jitter>PT0S<");
    installation.edit("kasp.xml", "<Default>P14D<", "<Default>P4D<");
    installation.edit("kasp.xml", "<Denial>P14D<", "<Denial>P4D<");
    installation.edit("kasp.xml", "<Purge>P14D</Purge>", "");
    installation.edit("kasp.xml", "<Resign>PT2H<", "<Resign>PT12H<");
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

    /// `ods-ksmutil` with nothing typed.
    pub(crate) fn ksm(&self, words: &str) -> Said {
        self.asked(words, "")
    }

    /// `ods-ksmutil` with this typed.
    pub(crate) fn asked(&self, words: &str, typed: &str) -> Said {
        run(&self.installation, "ods-ksmutil", &format!("-c conf.xml {words}"), typed)
    }

    /// `ods-ksmutil` with a command that succeeds and complains of nothing.
    #[track_caller]
    pub(crate) fn done(&self, words: &str) -> String {
        let said = self.ksm(words);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{words}: {said:?}");
        said.stdout
    }

    fn socket_words(&self, words: &str) -> String {
        format!("-s {} {words}", self.installation.socket())
    }

    /// `ods-enforcer`.
    #[track_caller]
    pub(crate) fn enforcer(&self, words: &str) -> String {
        let said = run(&self.installation, "ods-enforcer", &self.socket_words(words), "");
        assert_eq!(said.code, 0, "{words}: {said:?}");
        said.stdout
    }

    /// Waits until neither keys nor signatures are being worked on.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let begin = Instant::now();
        let mut idle = 0;
        // Several times: between the two, work is in nobody's hands.
        while idle < 4 {
            let words = self.socket_words("queue");
            let text = run(&self.installation, "anchorite", &words, "").stdout;
            let is_idle = text.contains("All worker threads idle.")
                && !["immediately", "Working with", "[configure]"].iter().any(|w| text.contains(w));
            idle = if is_idle { idle + 1 } else { 0 };
            assert!(begin.elapsed() < WAIT, "still at work: {text}");
            std::thread::park_timeout(POLL);
        }
    }

    /// Asks `words` until the answer is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, words: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let answer = self.ksm(words).stdout;
            if is_wanted(&answer) {
                return answer;
            }
            assert!(begin.elapsed() < WAIT, "{words} goes on answering {answer}");
            std::thread::park_timeout(POLL);
        }
    }

    /// Leaps to the next task until `key list --all` is as wanted; the zone is right all the time.
    #[track_caller]
    pub(crate) fn leap_until(&self, is_wanted: impl Fn(&[Key]) -> bool) -> Vec<Key> {
        for _ in 0..60 {
            let keys = self.keys();
            if is_wanted(&keys) {
                return keys;
            }
            self.enforcer("time leap");
            self.settle();
            dnssec_verify(&self.installation.signed(ZONE), ZONE).unwrap();
        }
        panic!("60 leaps, and the keys are {:?}", self.keys());
    }

    /// The lines of `key list --verbose --all` without head.
    #[track_caller]
    pub(crate) fn keys(&self) -> Vec<Key> {
        let text = self.done("key list --verbose --all");
        text.lines().skip(3).filter(|line| !line.is_empty()).map(Key::of).collect()
    }
}

/// A line of `key list --verbose`, cut at the columns of 1.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) zone: String,
    pub(crate) role: String,
    pub(crate) state: String,
    pub(crate) next: String,
    pub(crate) to: String,
    pub(crate) size: String,
    pub(crate) algorithm: String,
    pub(crate) id: String,
    pub(crate) repository: String,
    pub(crate) tag: String,
}

impl Key {
    #[track_caller]
    fn of(line: &str) -> Key {
        let mut from = 0;
        let mut cut = |width: usize| {
            let cell = line.get(from..line.len().min(from + width)).unwrap_or_default();
            from += width;
            cell.trim_end().to_owned()
        };
        let key = Key {
            zone: cut(32),
            role: cut(14),
            state: cut(10),
            next: cut(20),
            to: cut(11),
            size: cut(8),
            algorithm: cut(12),
            id: cut(34),
            repository: cut(34),
            tag: cut(64),
        };
        assert!(key.to.starts_with('(') && key.size.parse::<u16>().is_ok(), "{line}: {key:?}");
        key
    }
}

/// The keys of a role in a state.
pub(crate) fn in_state<'k>(keys: &'k [Key], role: &str, state: &str) -> Vec<&'k Key> {
    keys.iter().filter(|key| key.role == role && key.state == state).collect()
}
